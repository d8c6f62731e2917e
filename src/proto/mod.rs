//! The protocol's machines, without sockets and without a clock of their own.
//!
//! [`Association`] is the client's side of one connection, [`HostAssociation`]
//! the host's, and [`Witness`] looks on. All have four kinds of methods, and nothing else:
//! commands (what the application wants), `handle_*` (what came in),
//! `poll_*` (what is to go out, or has happened) and plain getters. Time is an
//! argument: a [`Moment`] that only the driver knows how to read.
//!
//! [`Ask`] is one activation asked for; held against the reply it becomes an
//! [`Answer`] with every check of [`verify`] done, and [`Outcome`] says what a
//! Windows client would conclude from it.

pub mod answers;
mod ask;
mod association;
pub mod express;
mod failure;
mod heard;
mod host;
mod moment;
mod verdict;
pub mod verify;
mod witness;

pub use ask::{Answer, Ask, sealing};
pub use association::{
    Association, AssociationConfig, AssociationEvent, FIRST_CALL_ID, Negotiated, Offer, Reply, ReplyBody, ReplyTimes,
};
pub use failure::{Failure, FailureKind, Phase};
pub use heard::{Heard, Unheard};
pub use host::{HostAssociation, HostCall, HostConfig};
pub use moment::Moment;
pub use verdict::{Outcome, Verdict};
pub use witness::{Asked, Witness, WitnessConfig, WitnessEvent, WitnessedExchange};

/// Which way a PDU went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sender {
    /// The client sent it.
    Client,
    /// The host sent it.
    Host,
}

impl std::fmt::Display for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Sender::Client => "client",
            Sender::Host => "host",
        })
    }
}
