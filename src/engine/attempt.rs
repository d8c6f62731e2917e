//! From the start of an exchange to its record.

use std::time::Duration;

use super::clock::Clock;
use super::connection::{Connection, Failed};
use crate::client::Machine;
use crate::events::{Bytes, Exchange, Opened};
use crate::proto::{Answer, Ask, Moment, Outcome, Reply};

/// An exchange under way.
#[derive(Debug)]
pub struct Attempt {
    step: usize,
    position: usize,
    started: Moment,
    late: Duration,
    connection: Option<u64>,
    opened: Option<Opened>,
    bytes: Bytes,
}

impl Attempt {
    /// An exchange that starts now, and was meant to at `due`.
    pub fn new(step: usize, position: usize, due: Moment, clock: Clock) -> Attempt {
        let late = clock.now() - due;
        Attempt { step, position, started: due, late, connection: None, opened: None, bytes: Bytes::default() }
    }

    /// Notes a connection opened for it.
    pub fn note_opened(&mut self, connection: &Connection) {
        let negotiated = connection.negotiated().clone();
        self.opened = Some(Opened { connect: connection.connect_time(), negotiated });
    }

    /// Notes which connection carried it, and how much.
    pub fn note_carried(&mut self, connection: &mut Connection) {
        self.connection = Some(connection.id());
        self.bytes = connection.take_bytes();
    }

    /// Judges what came of it, now.
    pub fn conclude(self, machine: &Machine, ask: &Ask, result: Result<Reply, Failed>, clock: Clock) -> Exchange {
        let times = result.as_ref().ok().map(|reply| reply.times);
        let syntax = result.as_ref().ok().map(|reply| reply.syntax);
        let mut answer = match result {
            Ok(reply) => ask.judge(&reply, clock.wall()),
            Err(Failed { failure, checks }) => Answer::failed(failure, checks),
        };
        if let Some(opened) = &self.opened {
            answer.checks.absorb(opened.negotiated.checks.clone());
        }
        let outcome = Outcome::conclude(&answer, machine.n_policy);
        Exchange {
            step: self.step,
            position: self.position,
            machine: machine.label.clone(),
            request: ask.request().clone(),
            request_iv: *ask.iv(),
            connection: self.connection,
            opened: self.opened,
            syntax,
            started: self.started,
            late: self.late,
            sent: times.map(|times| times.sent),
            received: times.map_or_else(|| clock.now(), |times| times.received),
            bytes: self.bytes,
            answer,
            outcome,
            broken: Vec::new(),
        }
    }
}
