//! A place for one connection, and for the exchange that goes over it.

use std::net::SocketAddr;

use super::poll::Poll;
use super::socket::{Done, Socket};
use super::worker::Opening;
use crate::client::Machine;
use crate::events::{Bytes, Opened};
use crate::proto::express::Asked;
use crate::proto::verify::CheckId;
use crate::proto::{Ask, Association, Offer};
use crate::scenario::Arrival;
use crate::wire::FileTime;
use crate::wire::kms::LicenseStatus;

/// A place for a connection. Small, for there may be ten thousand: whatever is long is only there while it is needed.
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub socket: Option<Socket>,
    pub stage: Stage,
    /// Counts up with each connection, so that what was told of an earlier one is not taken for this one's.
    pub generation: u32,
    /// Which address is tried, of the host's.
    pub address: usize,
    pub offer: Offer,
    /// Its number in the run.
    pub connection: u64,
    /// How many calls it has carried.
    pub calls: u32,
    /// When the stage began.
    pub since_ns: u64,
    pub connect_ns: u64,
    /// Whether it is on its way to be accepted.
    pub is_opening: bool,
    pub association: Option<Box<Association>>,
    /// How far it has come where no association drives it.
    pub opening: Opening,
    /// Its association group.
    pub group: u32,
    pub bind_ns: u64,
    pub alter_ns: u64,
    /// Whether it was opened as the others were, so that it can do without an association.
    pub is_like_others: bool,
    /// What the host said that nobody has looked at, or, of an association, what opened it.
    pub heard: Vec<u8>,
    /// What is asked where no association drives it.
    pub asked: Option<Asked>,
    /// What could not be sent at once.
    pub outgoing: Vec<u8>,
    pub work: Option<Work>,
}

/// What a connection is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Stage {
    /// There is none.
    #[default]
    Free,
    /// It is being made.
    Connecting,
    /// Something is under way on it.
    Busy,
    /// It waits for the next call.
    Idle,
}

/// An exchange under way.
#[derive(Debug)]
pub(super) struct Work {
    pub position: usize,
    pub arrival: Arrival,
    /// Whose lease made it, by its number in the worker's share, if one did.
    pub leased: Option<u32>,
    /// When it was meant to start.
    pub due_ns: u64,
    /// When it could have started: there was a place for it.
    pub able_ns: u64,
    /// When it did.
    pub start_ns: u64,
    /// What a right clock showed then.
    pub wall: FileTime,
    pub bytes: Bytes,
    pub sent_ns: Option<u64>,
    /// What was agreed on the connection, when it was opened for this.
    pub opened: Option<Box<Opened>>,
    /// Whether the connection was opened for it.
    pub opens: bool,
    /// The machine and what it asks, once they had to be made.
    pub asking: Option<Box<(Machine, Ask)>>,
    /// Whether it was told that it is asked.
    pub is_told: bool,
    /// The count it is due, when it may go untold.
    pub due: Option<u32>,
    /// The license status it says.
    pub status: LicenseStatus,
    /// Whether its answer's random values are remembered, and which one had been met before.
    pub is_noted: bool,
    pub repeated: Option<CheckId>,
}

impl Slot {
    /// Sends, now or when it can be: then `poll` says when that is.
    pub fn send(&mut self, at: usize, poll: &Poll, bytes: &[u8]) {
        let Some(socket) = &self.socket else { return };
        let sent = match if self.outgoing.is_empty() { socket.send(bytes) } else { Done::NotYet } {
            Done::Bytes(sent) => sent,
            Done::NotYet => 0,
            Done::Broken(_) => return,
        };
        if let Some(work) = &mut self.work {
            work.bytes.sent += sent as u64;
        }
        if sent < bytes.len() {
            self.outgoing.extend_from_slice(&bytes[sent..]);
            let _ = poll.want_writable(socket.as_fd(), self.token(at));
        }
    }

    /// What readiness of its socket is told with.
    pub fn token(&self, at: usize) -> u64 {
        u64::from(self.generation) << 32 | at as u64
    }

    /// Whether a socket that is ready with `token` is the one that is here now.
    pub fn is_meant(&self, token: u64) -> bool {
        self.socket.is_some() && self.generation == (token >> 32) as u32
    }

    /// The address it is connected, or being connected, to.
    pub fn peer(&self, addresses: &[SocketAddr]) -> SocketAddr {
        addresses[self.address.min(addresses.len() - 1)]
    }
}
