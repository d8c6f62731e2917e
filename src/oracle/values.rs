//! What the oracle is told, and what it says.

use std::fmt;
use std::time::Duration;

use super::{DivergenceId, Prediction};
use crate::proto::verify::Level;
use crate::proto::{Moment, Verdict};
use crate::wire::kms::{ActivationRequest, ProtocolVersion};
use crate::wire::{FileTime, Guid, Hresult};

/// Which exchange of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExchangeId {
    /// Its step, from 0.
    pub step: usize,
    /// Its place among the step's arrivals, from 0.
    pub position: u64,
}

/// The part of a request a host decides by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// The protocol version.
    pub version: ProtocolVersion,
    /// The application: what is counted together.
    pub application_id: Guid,
    /// The KMS counted id: what a host grants or refuses by.
    pub kms_counted_id: Guid,
    /// The client machine id: what a host counts by.
    pub cmid: Guid,
    /// The count the client asks for.
    pub n_policy: u32,
    /// The client's clock, UTC.
    pub client_time: FileTime,
}

impl Question {
    /// What a host decides by in `request`.
    pub fn of(request: &ActivationRequest) -> Question {
        Question {
            version: request.version,
            application_id: request.application_id,
            kms_counted_id: request.kms_counted_id,
            cmid: request.cmid,
            n_policy: request.n_policy,
            client_time: request.client_time,
        }
    }
}

/// What is known of the host before the first request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its client tables.
    pub table: TableBefore,
    /// What it serves.
    pub serves: Serves,
    /// How far its clock may be from our estimate of it, either way.
    pub clock_uncertainty: Duration,
}

/// What a host's tables hold before the first request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TableBefore {
    /// Nothing, and nobody else asks the host.
    Empty,
    /// Other clients may have asked, and may ask meanwhile.
    Unknown,
}

/// The products a host serves. A pair of application and counted id that is not of the catalogue is never served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Serves {
    /// Every volume product of the catalogue.
    Catalogue,
    /// Those of them with these counted ids.
    Only(Vec<Guid>),
}

/// What came of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// When the request was handed to the transport; `None` when that is not known.
    pub sent: Option<Moment>,
    /// When the answer was there, or it was clear there would be none.
    pub received: Moment,
    /// The HRESULT in the response; `None` if no response came that says one.
    pub wire: Option<Hresult>,
    /// The count of a response that can be trusted.
    pub count: Option<u32>,
    /// What the client concluded.
    pub verdict: Verdict,
}

/// An exchange held against what an honest host does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// What an honest host may answer.
    pub prediction: Prediction,
    /// In what the answer differs from that.
    pub divergences: Vec<Divergence>,
}

/// One way in which an answer is not that of an honest host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// Which requirement is not met.
    pub id: DivergenceId,
    /// How binding it is here: [`Level::Should`] where other clients of the host may explain it.
    pub level: Level,
    /// What was expected.
    pub expected: String,
    /// What came.
    pub got: String,
    /// Why that was expected.
    pub because: String,
    /// The earlier exchange that shows it.
    pub against: Option<Sighting>,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Divergence { id, expected, got, because, .. } = self;
        write!(f, "{id}: expected {expected}, got {got}: {because}")
    }
}

/// An earlier answer with a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// Which exchange it was.
    pub exchange: ExchangeId,
    /// The client machine id that asked.
    pub cmid: Guid,
    /// What the host counted.
    pub count: u32,
    /// When it was asked.
    pub asked: Moment,
    /// When the answer was there.
    pub received: Moment,
}

/// Something worth telling that is no fault of anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The application it is about.
    pub application_id: Guid,
    /// What there is to say, in one sentence.
    pub text: String,
}
