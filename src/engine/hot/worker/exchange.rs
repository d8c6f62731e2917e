//! An exchange over a connection that is open, until it is told and the connection let go of.

use std::time::Duration;

use super::{Opening, PARTING_MAX, Worker, timeout_ns};
use crate::engine::attempt::Attempt;
use crate::engine::connection::Failed;
use crate::engine::hot::poll::Ready;
use crate::engine::hot::slot::{Stage, Work};
use crate::engine::hot::socket::{Done, Socket, broken, not_connected};
use crate::engine::terms::Closing;
use crate::events::{Event, Exchange, Opened};
use crate::proto::verify::CheckId;
use crate::proto::{Association, AssociationEvent, Failure, FailureKind, Moment, Phase, Reply};

impl Worker<'_> {
    /// Something can be done with a socket.
    pub(super) fn on_ready(&mut self, ready: Ready) {
        let at = ready.token as u32 as usize;
        if !self.slots[at].is_meant(ready.token) {
            return;
        }
        if self.slots[at].stage == Stage::Connecting {
            let slot = &self.slots[at];
            let address = slot.peer(&self.crew.run.host.addresses);
            if let Some(error) = slot.socket.as_ref().and_then(Socket::error) {
                return self.not_connected(at, not_connected(address, error));
            }
            self.bind(at);
            return;
        }
        if ready.writable && !self.slots[at].outgoing.is_empty() {
            let rest = std::mem::take(&mut self.slots[at].outgoing);
            self.send(at, &rest);
        }
        if ready.readable {
            if self.slots[at].association.is_none() {
                self.read_express(at, ready);
            }
            // It may have been taken over, with more to read.
            if self.slots[at].is_meant(ready.token) && self.slots[at].association.is_some() {
                self.read(at, ready);
            }
        }
    }

    fn read(&mut self, at: usize, ready: Ready) {
        let mut scratch = std::mem::take(&mut self.scratch);
        while self.slots[at].is_meant(ready.token) {
            let slot = &mut self.slots[at];
            let Some(socket) = &slot.socket else { break };
            let done = socket.receive(&mut scratch);
            if slot.stage == Stage::Idle && matches!(done, Done::Bytes(0) | Done::Broken(_)) {
                self.close_idle(at);
                break;
            }
            let Some(association) = &mut slot.association else { break };
            let mut more = false;
            match done {
                Done::NotYet => break,
                Done::Bytes(0) => association.handle_close(FailureKind::Closed),
                Done::Broken(error) => association.handle_close(broken(error)),
                Done::Bytes(received) => {
                    if let Some(work) = &mut slot.work {
                        work.bytes.received += received as u64;
                    }
                    if slot.calls == 0 && self.express.is_some() {
                        slot.heard.extend_from_slice(&scratch[..received]);
                    }
                    // Less than there was room for is all there is, unless its end is there too.
                    more = received == scratch.len() || ready.ended;
                    association.handle_bytes(Moment::from_nanos(self.clock.now_ns()), &scratch[..received]);
                }
            }
            self.pump(at);
            if !more {
                break;
            }
        }
        self.scratch = scratch;
    }

    /// Sends, now or when it can be. What the host said before it closed is worth more than that it
    /// did: a connection that cannot be written to is read on.
    pub(super) fn send(&mut self, at: usize, bytes: &[u8]) {
        self.slots[at].send(at, &self.poll, bytes);
    }

    /// Takes what an association has to say and to send.
    pub(super) fn pump(&mut self, at: usize) {
        loop {
            let Some(association) = &mut self.slots[at].association else { return };
            match association.poll_event() {
                Some(AssociationEvent::Pdu { sender, at: when, bytes }) => {
                    let connection = self.slots[at].connection;
                    self.tell(Event::Pdu { connection, sender, at: when, bytes });
                }
                Some(AssociationEvent::Bound(negotiated)) => {
                    self.learn_opening(at);
                    let slot = &mut self.slots[at];
                    let connect = Duration::from_nanos(slot.connect_ns);
                    if let Some(work) = &mut slot.work {
                        work.opened = Some(Box::new(Opened { connect, negotiated }));
                    }
                    self.opened(at);
                    self.call(at);
                }
                Some(AssociationEvent::Replied(reply)) => return self.conclude(at, Ok(reply)),
                Some(AssociationEvent::Failed { failure, checks }) => {
                    let sent = self.slots[at].work.as_ref().and_then(|work| work.sent_ns).map(Moment::from_nanos);
                    return self.conclude(at, Err(Failed { failure: Box::new(failure), checks, sent }));
                }
                None => match association.poll_transmit() {
                    Some(bytes) => self.send(at, &bytes),
                    None => return,
                },
            }
        }
    }

    /// Makes the call the connection is there for.
    pub(super) fn call(&mut self, at: usize) {
        // A timer that went off while nothing was under way is not wound up before something is.
        if !self.wheel.is_pending(at as u32) {
            self.wheel.insert(at as u32, self.clock.now_ns().saturating_add(timeout_ns(self.settings)));
        }
        let slot = &self.slots[at];
        let Some(work) = &slot.work else { return };
        if work.due.is_some() && slot.association.is_none() && slot.heard.is_empty() {
            return self.draft(at);
        }
        let missing = work.asking.is_none();
        let asking = missing.then(|| Box::new(self.asking(&work.arrival, work.wall, work.start_ns)));
        let resumed = if slot.association.is_none() { self.resume(at) } else { None };
        let now_ns = self.clock.now_ns();
        let slot = &mut self.slots[at];
        let heard = if resumed.is_some() { std::mem::take(&mut slot.heard) } else { Vec::new() };
        slot.association = slot.association.take().or(resumed);
        let (Some(association), Some(work)) = (&mut slot.association, &mut slot.work) else { return };
        work.asking = work.asking.take().or(asking);
        let Some(asking) = &work.asking else { return };
        if association.call(Moment::from_nanos(now_ns), asking.1.payload()).is_err() {
            let failure = Failure::new(Phase::Call, FailureKind::Closed);
            return self.conclude(at, Err(Failed::unsent(failure)));
        }
        work.sent_ns = Some(now_ns);
        slot.since_ns = now_ns;
        slot.calls += 1;
        if !heard.is_empty() {
            association.handle_bytes(Moment::from_nanos(now_ns), &heard);
        }
        self.pump(at);
    }

    /// An exchange is over: tells of it, and lets go of its connection.
    pub(super) fn conclude(&mut self, at: usize, result: Result<Reply, Failed>) {
        let Some(mut work) = self.slots[at].work.take() else { return };
        let succeeded = result.is_ok();
        let (machine, ask) = match work.asking.take() {
            Some(asking) => *asking,
            None => self.asking(&work.arrival, work.wall, work.start_ns),
        };
        let now = self.clock.now();
        let wall = self.wall.at(now.0.as_nanos() as u64);
        let mut attempt = attempt(self.number, &work);
        if !work.is_told {
            self.tell(attempt.announce(&ask));
        }
        if let Some(opened) = work.opened.take() {
            attempt.note_opened(*opened);
        }
        if self.slots[at].socket.is_some() {
            attempt.note_carried(self.slots[at].connection, work.bytes);
        }
        let mut exchange = attempt.conclude(&machine, &ask, result, now, wall);
        self.note_repeats(&work, &mut exchange);
        if let Some(express) = &mut self.express {
            express.learn_answer(&exchange);
        }
        self.crew.conclude(self.number, &work.arrival, &exchange, wall);
        self.put_back(work.leased, work.start_ns);
        self.tell(Event::Exchange(Box::new(exchange)));
        self.opened(at);
        self.release(at, succeeded);
    }

    /// Remembers an answer's random values, and finds those met before: the judge remembers only those of answers it is told of.
    fn note_repeats(&self, work: &Work, exchange: &mut Exchange) {
        // A host that answers from a table has said everything before.
        if self.express.is_none() || self.drive.canned.is_some() {
            return;
        }
        let answer = &mut exchange.answer;
        let mut repeated = work.repeated;
        if !work.is_noted && answer.checks.is_trusted() {
            if answer.random.is_some_and(|random| !self.crew.randoms.insert(&random)) {
                repeated = Some(CheckId::HistoryRandom);
            }
            if let (Some(iv), Some(_)) = (answer.iv, answer.hwid)
                && !self.crew.ivs.insert(&iv)
            {
                repeated = Some(CheckId::HistoryIv);
            }
        }
        if let Some(check) = repeated {
            let words = || ("a value not seen before".to_owned(), "one that another answer had".to_owned());
            answer.checks.judge(check, false, words);
        }
    }

    /// Lets go of a connection: keeps it where it may carry more, closes it else.
    pub(super) fn release(&mut self, at: usize, succeeded: bool) {
        self.under_way -= 1;
        let slot = &mut self.slots[at];
        let usable = succeeded && slot.association.as_ref().is_none_or(|association| association.is_ready());
        if usable && self.step.connection.carries_on_after(slot.calls) {
            if slot.is_like_others && slot.association.as_ref().is_some_and(|association| association.is_quiet()) {
                slot.association = None;
                slot.opening = Opening::Done;
            }
            slot.stage = Stage::Idle;
            self.idle.push(at as u32);
        } else {
            self.close(at);
        }
        self.unblock();
        if self.step.think.is_zero() {
            self.starts.free_seat();
        } else if !self.starts.are_timed() {
            let think_ns = u64::try_from(self.step.think.as_nanos()).unwrap_or(u64::MAX);
            self.resting.push_back(self.clock.now_ns().saturating_add(think_ns));
        }
    }

    /// A host closed a connection that nothing was under way on, which it may.
    pub(super) fn close_idle(&mut self, at: usize) {
        self.idle.retain(|idle| *idle != at as u32);
        self.close(at);
    }

    /// The association of a connection that has done without one.
    fn resume(&self, at: usize) -> Option<Box<Association>> {
        let slot = &self.slots[at];
        self.express.as_ref()?.resume_ready(slot.offer, slot.group, slot.calls).map(Box::new)
    }

    /// Closes a connection, and makes room for another.
    pub(super) fn close(&mut self, at: usize) {
        let slot = &mut self.slots[at];
        slot.association = None;
        slot.outgoing = Vec::new();
        slot.stage = Stage::Free;
        self.free.push(at as u32);
        if let Some(socket) = slot.socket.take() {
            let id = slot.connection;
            if self.drive.closing == Closing::Reset {
                socket.close_with_reset();
            }
            if self.parting.len() == PARTING_MAX {
                self.parting.clear();
            }
            self.parting.push(socket);
            if !self.drive.tallies {
                self.tell(Event::ConnectionClosed { id, at: self.clock.now() });
            }
        }
    }

    pub(super) fn unblock(&mut self) {
        if std::mem::take(&mut self.is_blocked) {
            self.unblocked_ns = self.clock.now_ns();
        }
    }
}

pub(super) fn attempt(number: usize, work: &Work) -> Attempt {
    let at = Moment::from_nanos;
    let mut attempt = Attempt::new(number, work.position, at(work.due_ns), at(work.start_ns), work.wall);
    attempt.note_held_back(Duration::from_nanos(work.able_ns.saturating_sub(work.due_ns)));
    attempt
}
