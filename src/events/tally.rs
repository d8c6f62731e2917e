//! Exchanges told of together: so many that were exactly as they should be, and how the generator
//! did meanwhile.
//!
//! At full speed nobody looks at single exchanges that show nothing new. A worker verifies every
//! answer, all of it, and tells of those that differ in nothing from what must come as a [`Tally`],
//! once in a while; of all others it tells as single [`super::Exchange`]s.

use std::time::Duration;

use super::{Bytes, Latency};
use crate::proto::verify::CheckSet;
use crate::proto::{Moment, Outcome};
use crate::wire::kms::LicenseStatus;

/// What one worker did in an interval, but for the exchanges it told of one by one.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// The step, from 0.
    pub step: usize,
    /// The worker, from 0.
    pub worker: usize,
    /// When the interval began.
    pub from: Moment,
    /// When it was over.
    pub until: Moment,
    /// The exchanges, by kind; each kind once.
    pub kinds: Vec<(Kind, u64)>,
    /// The least and the most that were counted.
    pub counts: Option<(u32, u32)>,
    /// How long things took.
    pub times: Times,
    /// TCP connections opened, those of single exchanges included unless these are told of as events.
    pub connections: u64,
    /// What went over the wire for these exchanges.
    pub bytes: Bytes,
    /// How the generator did, single exchanges included.
    pub effort: Effort,
}

/// What exchanges of one kind have in common. All of them kept what their step expects, and were
/// answered as an honest host must.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The three codes.
    pub outcome: Outcome,
    /// The license status the requests said.
    pub status: LicenseStatus,
    /// The checks that were done; all of them held.
    pub done: CheckSet,
    /// Whether the oracle was asked; it knew exactly what had to come.
    pub predicted: bool,
}

/// How long things took, in an interval or over a scenario.
#[derive(Debug, Clone, Default)]
pub struct Times {
    /// TCP connections.
    pub connect: Latency,
    /// Binds.
    pub bind: Latency,
    /// alter_contexts.
    pub alter: Latency,
    /// Calls, send to reply.
    pub service: Latency,
    /// Whole exchanges, intended start to reply.
    pub response: Latency,
    /// How much later than it could have an exchange started: our own doing.
    pub late: Latency,
}

/// How the generator did, in an interval or over a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Effort {
    /// Arrivals that were due.
    pub due: u64,
    /// Exchanges that were started.
    pub started: u64,
    /// Of these, the ones that were late by more than a millisecond and by our own doing.
    pub late: u64,
    /// Of these, the ones that waited because as many as may be were under way: the host's doing.
    pub held_back: u64,
    /// Arrivals that were never started: given up as too late, or because the step was over.
    pub missed: u64,
    /// The most that were under way at a time.
    pub under_way_max: u64,
    /// How long it is.
    pub elapsed: Duration,
    /// CPU time the worker took.
    pub busy: Duration,
    /// Time it spent waiting for a start on purpose, without sleeping. It is part of `busy`.
    pub spun: Duration,
    /// Connections for which no local port was left (EADDRNOTAVAIL).
    pub no_port: u64,
    /// Connections for which no file descriptor was left (EMFILE, ENFILE).
    pub no_file: u64,
    /// Connections whose SYN was lost and sent again: they took a second or more.
    pub syn_retries: u64,
}

impl Tally {
    /// How many exchanges it tells of.
    pub fn exchanges(&self) -> u64 {
        self.kinds.iter().map(|(_, times)| times).sum()
    }

    /// Counts one exchange of a kind.
    pub fn count(&mut self, kind: Kind, count: u32) {
        match self.kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, times)) => *times += 1,
            None => self.kinds.push((kind, 1)),
        }
        let (least, most) = self.counts.unwrap_or((count, count));
        self.counts = Some((least.min(count), most.max(count)));
    }

    /// Makes it as good as new, and keeps its memory.
    pub fn clear(&mut self) {
        self.kinds.clear();
        self.counts = None;
        self.times.clear();
        self.connections = 0;
        self.bytes = Bytes::default();
        self.effort = Effort::default();
    }
}

impl Times {
    /// Adds what was measured elsewhere.
    pub fn add(&mut self, other: &Times) {
        self.connect.add(&other.connect);
        self.bind.add(&other.bind);
        self.alter.add(&other.alter);
        self.service.add(&other.service);
        self.response.add(&other.response);
        self.late.add(&other.late);
    }

    /// Forgets everything, and keeps its memory.
    pub fn clear(&mut self) {
        let Times { connect, bind, alter, service, response, late } = self;
        [connect, bind, alter, service, response, late].into_iter().for_each(Latency::clear);
    }
}

impl Effort {
    /// Adds what another interval or another worker did.
    pub fn add(&mut self, other: &Effort) {
        self.due += other.due;
        self.started += other.started;
        self.late += other.late;
        self.held_back += other.held_back;
        self.missed += other.missed;
        self.under_way_max = self.under_way_max.max(other.under_way_max);
        self.elapsed += other.elapsed;
        self.busy += other.busy;
        self.spun += other.spun;
        self.no_port += other.no_port;
        self.no_file += other.no_file;
        self.syn_retries += other.syn_retries;
    }
}
