//! From the start of an exchange to its record.

use std::time::Duration;

use super::connection::Failed;
use super::fleet::Fleet;
use crate::client::{Machine, Randomness};
use crate::events::{Bytes, Event, Exchange, Opened};
use crate::oracle::{ExchangeId, Question};
use crate::proto::{Answer, Ask, Moment, Outcome, Reply};
use crate::scenario::{Arrival, Plan};
use crate::wire::FileTime;

/// An exchange under way.
#[derive(Debug)]
pub struct Attempt {
    step: usize,
    position: usize,
    started: Moment,
    late: Duration,
    held_back: Duration,
    asked: Moment,
    wall: FileTime,
    connection: Option<u64>,
    opened: Option<Opened>,
    bytes: Bytes,
}

impl Attempt {
    /// An exchange that starts now, and was meant to at `due`. `wall` is what a host's clock shows now.
    pub fn new(step: usize, position: usize, due: Moment, now: Moment, wall: FileTime) -> Attempt {
        Attempt {
            step,
            position,
            started: due,
            late: now - due,
            held_back: Duration::ZERO,
            asked: now,
            wall,
            connection: None,
            opened: None,
            bytes: Bytes::default(),
        }
    }

    /// Notes that of the time it is late it waited so long for others, by the host's doing.
    pub fn note_held_back(&mut self, held_back: Duration) {
        self.held_back = held_back.min(self.late);
        self.late -= self.held_back;
    }

    /// What a host's clock showed when it was put together.
    pub fn wall(&self) -> FileTime {
        self.wall
    }

    /// What is told before the host can know of it.
    pub fn announce(&self, ask: &Ask) -> Event {
        let id = ExchangeId { step: self.step, position: self.position as u64 };
        Event::Asked { id, question: Question::of(ask.request()), at: self.asked, wall: self.wall }
    }

    /// Notes a connection opened for it.
    pub fn note_opened(&mut self, opened: Opened) {
        self.opened = Some(opened);
    }

    /// Notes which connection carried it, and how much.
    pub fn note_carried(&mut self, connection: u64, bytes: Bytes) {
        self.connection = Some(connection);
        self.bytes = bytes;
    }

    /// Judges what came of it: `now`, when the wall shows `wall`.
    pub fn conclude(
        self,
        machine: &Machine,
        ask: &Ask,
        result: Result<Reply, Failed>,
        now: Moment,
        wall: FileTime,
    ) -> Exchange {
        let times = result.as_ref().ok().map(|reply| reply.times);
        let sent = match &result {
            Ok(reply) => Some(reply.times.sent),
            Err(failed) => failed.sent,
        };
        let syntax = result.as_ref().ok().map(|reply| reply.syntax);
        let mut answer = match result {
            Ok(reply) => ask.judge(&reply, wall),
            Err(Failed { failure, checks, .. }) => Answer::failed(*failure, checks),
        };
        if let Some(opened) = &self.opened {
            answer.checks.absorb(opened.negotiated.checks.clone());
        }
        let outcome = Outcome::conclude(&answer, machine.wanted.n_policy);
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
            held_back: self.held_back,
            asked: self.asked,
            wall: self.wall,
            sent,
            received: times.map_or(now, |times| times.received),
            bytes: self.bytes,
            answer,
            outcome,
            broken: Vec::new(),
            judgement: None,
        }
    }
}

/// What a machine of `fleet` asks at `now`, when the wall shows `wall`.
pub(super) fn ask(
    plan: &Plan,
    arrival: &Arrival,
    machine: &Machine,
    fleet: &Fleet,
    now: Moment,
    wall: FileTime,
) -> Ask {
    let iv = Randomness::new(plan.seed).iv(arrival.ordinal);
    let standing = machine.lease.standing(fleet.lease_time(now, wall));
    Ask::new(machine.request_standing(arrival.version, standing, wall, fleet.began()), iv)
}
