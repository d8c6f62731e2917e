//! What happens in a run, as one stream of typed events. Checks, measures and
//! reports read it, and the plan it comes of; they ask neither engine nor host.

mod latency;
mod tally;

use core::net::SocketAddr;
use std::time::Duration;

pub use latency::{Coarse, Latency};
pub use tally::{Effort, Kind, Tally, Times};

use crate::oracle::{ExchangeId, Judgement, Question};
use crate::proto::verify::Level;
use crate::proto::{Answer, Moment, Negotiated, Outcome, Sender};
use crate::wire::FileTime;
use crate::wire::kms::ActivationRequest;
use crate::wire::rpc::TransferSyntax;

/// One thing that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// A scenario begins.
    ScenarioStarted {
        /// Its name.
        name: String,
    },
    /// The scenario is over.
    ScenarioFinished {
        /// How long it took.
        duration: Duration,
        /// Why it ended early, if it did.
        ended_early: Option<RunError>,
    },
    /// A step of the scenario begins.
    StepStarted {
        /// Its number in the scenario, from 0.
        step: usize,
        /// Whether the host forgot every client before it.
        fresh_host: bool,
    },
    /// A TCP connection is open.
    ConnectionOpened {
        /// Its number in the run.
        id: u64,
        /// Our side.
        local: SocketAddr,
        /// The host's.
        peer: SocketAddr,
        /// When.
        at: Moment,
    },
    /// A PDU went out or came in (only when the run is recorded).
    Pdu {
        /// The connection.
        connection: u64,
        /// Who sent it.
        sender: Sender,
        /// When.
        at: Moment,
        /// All of it.
        bytes: Vec<u8>,
    },
    /// A TCP connection was closed.
    ConnectionClosed {
        /// Its number in the run.
        id: u64,
        /// When.
        at: Moment,
    },
    /// An activation is about to be asked for: told before the host can know of it, so that
    /// whoever hears of an answer has heard of every request that could have come before it.
    Asked {
        /// Which one.
        id: ExchangeId,
        /// What a host decides it by.
        question: Question,
        /// When.
        at: Moment,
        /// What the host's clock shows, if it goes as ours does.
        wall: FileTime,
    },
    /// An activation was asked for and answered, or came to nothing.
    Exchange(Box<Exchange>),
    /// What a worker did meanwhile, but for the exchanges it told of one by one.
    Tally(Box<Tally>),
    /// A step of the scenario is over.
    StepFinished {
        /// Its number in the scenario, from 0.
        step: usize,
    },
    /// What became of a conformance case, or of a check over a whole conformance run.
    Judged(Box<JudgedCase>),
}

/// What became of a conformance case or check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedCase {
    /// Its clause.
    pub id: &'static str,
    /// How binding it is.
    pub level: String,
    /// What became of it.
    pub verdict: &'static str,
    /// Which field shows that.
    pub field: Option<String>,
    /// What would have been right.
    pub expected: Option<String>,
    /// What was seen.
    pub observed: Option<String>,
    /// Why, where that does not show in what was seen.
    pub why: Option<String>,
}

/// Why a plan was not carried out to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The run was told to stop.
    #[error("interrupted")]
    Stopped,
    /// The host gave no answer any more.
    #[error("stopped early: {0} connections or calls in a row came to nothing")]
    HostSilent(u32),
    /// The scenario needs a host that has counted nobody, and this one had.
    #[error("stopped early: the scenario needs a host that has counted nobody, and this one's first count is {0}")]
    HostNotEmpty(u32),
    /// The scenario goes by a time in which only the embedded host can live.
    #[error("not run: only the embedded lab host can live in a time that is not the wall's")]
    NeedsEmbeddedHost,
    /// The system refused a worker what it needs.
    #[error("a worker of the load engine could not go on: {0}")]
    Worker(String),
    /// The embedded host could not be taken down or brought back.
    #[error("the embedded lab host was lost in an outage: {0}")]
    HostLost(String),
}

/// One activation, from its intended start to its judged answer.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The step it belongs to, from 0.
    pub step: usize,
    /// Its place among the step's arrivals, from 0.
    pub position: usize,
    /// The machine that asked, as people call it.
    pub machine: String,
    /// What it asked.
    pub request: ActivationRequest,
    /// The IV its request was sealed with.
    pub request_iv: [u8; 16],
    /// The connection it went over, if there was one.
    pub connection: Option<u64>,
    /// What the connection's bind came to, when this exchange opened it.
    pub opened: Option<Opened>,
    /// The transfer syntax of the call, if it was made.
    pub syntax: Option<TransferSyntax>,
    /// When it was meant to start.
    pub started: Moment,
    /// How much later than it could have it did, by our own doing.
    pub late: Duration,
    /// How long before that it waited because as many as may be were under way, by the host's doing.
    pub held_back: Duration,
    /// When it was put together: the moment the machine's clock was read.
    pub asked: Moment,
    /// What the host's clock showed then, if it goes as ours does.
    pub wall: FileTime,
    /// When the request was handed to the transport, if it came to that.
    pub sent: Option<Moment>,
    /// When the answer was there, or it was clear there would be none.
    pub received: Moment,
    /// What went over its connection for it, bind and headers included.
    pub bytes: Bytes,
    /// The answer, with every check.
    pub answer: Answer,
    /// What a Windows client concludes.
    pub outcome: Outcome,
    /// What the scenario expected of it in vain.
    pub broken: Vec<Broken>,
    /// What an honest host would have answered, and where this one differs.
    pub judgement: Option<Judgement>,
}

/// An expectation an exchange did not meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which of its step's expectations, from 0.
    pub expectation: usize,
    /// Whether it is of a share: then a single exchange that does not meet it is not wrong for that.
    pub is_share: bool,
    /// What was expected of this exchange.
    pub expected: String,
    /// What was observed.
    pub observed: String,
}

/// Bytes over TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bytes {
    /// To the host.
    pub sent: u64,
    /// From the host.
    pub received: u64,
}

/// A connection that was opened for an exchange.
#[derive(Debug, Clone)]
pub struct Opened {
    /// How long TCP took.
    pub connect: Duration,
    /// What was agreed, and how long that took.
    pub negotiated: Negotiated,
}

impl Exchange {
    /// Which one of the run it is.
    pub fn id(&self) -> ExchangeId {
        ExchangeId { step: self.step, position: self.position as u64 }
    }

    /// Send to reply, when there was one.
    pub fn service(&self) -> Option<Duration> {
        self.syntax.and(self.sent).map(|sent| self.received - sent)
    }

    /// Whether some check, expectation or prediction finds it wrong: a request without an answer is that, too.
    pub fn is_wrong(&self) -> bool {
        let differs = self.judgement.iter().flat_map(|judgement| &judgement.divergences);
        self.broken.iter().any(|broken| !broken.is_share)
            || !self.answer.checks.is_clean()
            || differs.into_iter().any(|found| found.level == Level::Must)
    }

    /// Whether it has no answer that can be trusted, from a host that owed one.
    pub fn is_unanswered(&self) -> bool {
        let answer = &self.answer;
        answer.wire.is_none() && !answer.is_not_applicable() && !answer.checks.done.is_empty()
    }

    /// Intended start to reply.
    pub fn response(&self) -> Duration {
        self.received - self.started
    }
}
