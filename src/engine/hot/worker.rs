//! The loop of one worker.

mod express;

use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::Duration;

use express::Express;
pub(super) use express::Opening;

use super::pace::{Pace, thread_time};
use super::poll::{Poll, Ready};
use super::slot::{Slot, Stage, Work};
use super::socket::{Done, Socket, broken, not_connected};
use super::starts::{Start, Starts};
use super::wheel::Wheel;
use crate::engine::attempt::{Attempt, ask};
use crate::engine::clock::Clock;
use crate::engine::connection::{Failed, Settings, no_answer};
use crate::engine::run::Crew;
use crate::engine::terms::{Closing, Drive};
use crate::events::{Event, Exchange, Opened, RunError, Tally};
use crate::proto::verify::CheckId;
use crate::proto::{Association, AssociationConfig, AssociationEvent, Failure, FailureKind, Moment, Phase, Reply};
use crate::scenario::{Arrival, HostState, Plan, Step};
use crate::wire::FileTime;
use crate::wire::kms::LicenseStatus;

/// One worker of a step.
pub(super) struct Worker<'c> {
    crew: &'c Crew,
    plan: &'c Plan,
    step: &'c Step,
    number: usize,
    workers: usize,
    settings: Settings,
    drive: &'c Drive,
    clock: Clock,
    wall: Wall,
    pace: Pace,
    poll: Poll,
    starts: Starts<'c>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Connections that wait for a next call, the latest last.
    idle: Vec<u32>,
    under_way: usize,
    /// How many connections are on their way to be accepted, and may be.
    opening: usize,
    opening_max: usize,
    /// Whether somebody waits for a place, and when somebody last got one after waiting.
    is_blocked: bool,
    unblocked_ns: u64,
    /// When those who rest are done with it; all rest for the same time.
    resting: std::collections::VecDeque<u64>,
    /// When connections have kept silent for too long: the timer of each slot.
    wheel: Wheel,
    fired: Vec<u32>,
    tally: Box<Tally>,
    tally_due_ns: u64,
    busy: Duration,
    sources: usize,
    scratch: Vec<u8>,
    /// Whether whoever is due may start.
    may_start: bool,
    /// Where exchanges may go untold.
    express: Option<Box<Express>>,
}

impl<'c> Worker<'c> {
    /// Worker `index` of `workers`, for arrivals of a step that begin at `begun`.
    pub fn new(
        crew: &'c Crew,
        number: usize,
        arrivals: Range<usize>,
        index: usize,
        workers: usize,
        begun: Moment,
    ) -> std::io::Result<Worker<'c>> {
        let run = &crew.run;
        let (plan, drive, clock) = (&*run.plan, &run.terms.drive, run.clock);
        let step = &plan.steps[number];
        let places = share(step.concurrency().unwrap_or(drive.open_max).min(drive.open_max), index, workers).max(1);
        let begun_ns = begun.0.as_nanos() as u64;
        let now_ns = clock.now_ns();
        Ok(Worker {
            crew,
            plan,
            step,
            number,
            workers,
            settings: run.terms.connection,
            drive,
            clock,
            wall: Wall::new(clock),
            pace: Pace::new(drive.spin, workers),
            poll: Poll::new(EVENTS_AT_A_TIME)?,
            starts: Starts::new(plan, number, arrivals, index, workers, begun_ns),
            slots: std::iter::repeat_with(Slot::default).take(places).collect(),
            free: (0..places as u32).rev().collect(),
            idle: Vec::with_capacity(places),
            under_way: 0,
            opening: 0,
            opening_max: share(drive.opening_max, index, workers).max(1),
            is_blocked: false,
            unblocked_ns: 0,
            resting: std::collections::VecDeque::new(),
            wheel: Wheel::new(places, TICK_NS),
            fired: Vec::with_capacity(places),
            tally: Box::new(Tally {
                step: number,
                worker: index,
                from: Moment::from_nanos(now_ns),
                ..Tally::default()
            }),
            tally_due_ns: now_ns + TALLY_EVERY_NS,
            busy: thread_time(),
            sources: index,
            scratch: vec![0; READ_SIZE],
            may_start: true,
            express: (drive.tallies && step.host != HostState::Down).then(|| Box::new(Express::new(crew))),
        })
    }

    /// Goes on until every arrival is done, or nobody may start any more and what is under way is done.
    pub fn run(mut self) -> Result<(), RunError> {
        self.pace.settle();
        if let Some(&core) = self.drive.pin.get(self.tally.worker) {
            crate::yardstick::pin(core);
        }
        self.busy = thread_time();
        let mut result = Ok(());
        loop {
            let now_ns = self.clock.now_ns();
            if result.is_ok() {
                result = self.crew.may_go_on(self.under_way * self.workers);
            }
            self.may_start = result.is_ok();
            if self.may_start {
                self.start_due(now_ns);
            }
            self.send_drafts();
            if self.under_way == 0 && self.resting.is_empty() && (result.is_err() || self.starts.are_over(now_ns)) {
                break;
            }
            self.wait()?;
            self.look_after_timers();
        }
        self.tally.effort.missed += self.starts.overdue(self.clock.now_ns());
        while let Some(at) = self.idle.pop() {
            self.close(at as usize);
        }
        self.tell_tally(self.clock.now_ns());
        result
    }

    /// Starts whoever is due and has a place.
    fn start_due(&mut self, now_ns: u64) {
        // Whoever takes turns keeps all seats busy, however many answers came at once; opening takes longer, and
        // those who are connected are not to wait for it.
        let mut opens = 0;
        while opens < OPENS_AT_A_TIME {
            let Some(start) = self.starts.peek() else { return };
            let due_ns = start.due_ns.unwrap_or(now_ns);
            if due_ns > now_ns || (start.due_ns.is_none() && self.starts.are_over(now_ns)) {
                return;
            }
            if self.drive.late_max.is_some_and(|max| now_ns - due_ns > max.as_nanos() as u64) {
                self.tally.effort.due += 1;
                self.tally.effort.missed += 1;
                self.starts.take();
                self.starts.free_seat();
                continue;
            }
            let Some(at) = self.place() else {
                self.is_blocked = true;
                return;
            };
            opens += usize::from(self.slots[at].stage == Stage::Free);
            self.starts.take();
            self.begin(at, start, due_ns);
        }
    }

    /// A place for one more exchange: a connection that waits for it, or room for a new one.
    fn place(&mut self) -> Option<usize> {
        if let Some(at) = self.idle.pop() {
            return Some(at as usize);
        }
        if self.opening >= self.opening_max {
            return None;
        }
        self.free.pop().map(|at| at as usize)
    }

    fn begin(&mut self, at: usize, start: Start, due_ns: u64) {
        let position = start.position;
        let arrival = self.crew.arrival(self.number, position);
        // Of those with a time of their own it counts to the nanosecond how late they are.
        let start_ns = if start.due_ns.is_some() { self.clock.now_ns() } else { due_ns };
        // Whoever had to wait for a place was held back until there was one.
        let able_ns = if due_ns < self.unblocked_ns { self.unblocked_ns } else { due_ns };
        let effort = &mut self.tally.effort;
        effort.due += 1;
        effort.started += 1;
        effort.held_back += u64::from(able_ns > due_ns);
        effort.late += u64::from(start_ns.saturating_sub(able_ns) > LATE_NS);
        let wall = self.wall.at(start_ns);
        let mut work = Work {
            position,
            arrival,
            due_ns,
            able_ns,
            start_ns,
            wall,
            bytes: Default::default(),
            sent_ns: None,
            opened: None,
            opens: false,
            asking: None,
            is_told: false,
            due: self.settled(&arrival, wall),
            status: LicenseStatus::UNLICENSED,
            is_noted: false,
            repeated: None,
        };
        if work.due.is_none() {
            let asking = Box::new(self.asking(&arrival, wall));
            self.tell(attempt(self.number, &work).announce(&asking.1));
            work.asking = Some(asking);
            work.is_told = true;
        }
        self.crew.asked.fetch_add(1, Ordering::Relaxed);
        self.under_way += 1;
        effort_max(&mut self.tally, self.under_way);
        if self.slots[at].stage == Stage::Idle {
            self.slots[at].work = Some(work);
            self.slots[at].stage = Stage::Busy;
            self.call(at);
        } else {
            work.opens = true;
            let slot = &mut self.slots[at];
            slot.work = Some(work);
            slot.offer = arrival.offer;
            slot.address = 0;
            slot.connection = self.crew.run.host.connections.fetch_add(1, Ordering::Relaxed);
            slot.is_opening = true;
            self.opening += 1;
            self.open(at, start_ns);
        }
    }

    /// The machine of an arrival, and what it asks when the clock shows `wall`.
    fn asking(&self, arrival: &Arrival, wall: FileTime) -> (crate::client::Machine, crate::proto::Ask) {
        let machine = self.crew.fleet.machine(self.plan, arrival);
        let ask = ask(self.plan, arrival, &machine, wall, self.crew.fleet.began());
        (machine, ask)
    }
}

/// Connections.
impl Worker<'_> {
    /// Begins to connect, to the address whose turn it is.
    fn open(&mut self, at: usize, now_ns: u64) {
        let source = match self.drive.sources.as_slice() {
            [] => None,
            sources => {
                self.sources = self.sources.wrapping_add(1);
                Some(sources[self.sources % sources.len()])
            }
        };
        let slot = &mut self.slots[at];
        slot.generation = slot.generation.wrapping_add(1);
        slot.stage = Stage::Connecting;
        slot.since_ns = now_ns;
        slot.calls = 0;
        self.wheel.insert(at as u32, now_ns.saturating_add(timeout_ns(self.settings)));
        slot.opening = Opening::Bind;
        slot.is_like_others = false;
        slot.heard.clear();
        slot.asked = None;
        let address = slot.peer(&self.crew.run.host.addresses);
        match Socket::open(address, source) {
            Ok(socket) => {
                slot.socket = Some(socket);
                // On one machine a connection is there at once, and nobody has to be told of that.
                if !self.bind(at) {
                    let slot = &self.slots[at];
                    let token = slot.token(at);
                    let registered = slot.socket.as_ref().map(|socket| self.poll.add(socket.as_fd(), token, true));
                    if let Some(Err(error)) = registered {
                        self.not_connected(at, FailureKind::Io(error.to_string()));
                    }
                }
            }
            Err(error) => {
                use rustix::io::Errno;
                let effort = &mut self.tally.effort;
                effort.no_port += u64::from(error == Errno::ADDRNOTAVAIL);
                effort.no_file += u64::from(matches!(error, Errno::MFILE | Errno::NFILE));
                self.not_connected(at, not_connected(address, error));
            }
        }
    }

    /// Sends the bind, if the connection is there by now; whether anything came of it.
    fn bind(&mut self, at: usize) -> bool {
        let now_ns = self.clock.now_ns();
        let slot = &self.slots[at];
        let Some(socket) = &slot.socket else { return true };
        let address = slot.peer(&self.crew.run.host.addresses);
        let is_express = slot.work.as_ref().is_some_and(|work| work.due.is_some());
        let script = self.express.as_ref().filter(|_| is_express).and_then(|express| express.bind(slot.offer));
        let (association, sent) = match script {
            Some(bind) => (None, (socket.send(bind), bind.len(), Vec::new())),
            None => {
                let mut association = Association::new(self.config(at));
                association.begin(Moment::from_nanos(now_ns));
                let bind = association.poll_transmit().unwrap_or_default();
                (Some(Box::new(association)), (socket.send(&bind), bind.len(), bind))
            }
        };
        let (done, len, bind) = sent;
        let sent = match done {
            Done::NotYet => return false,
            Done::Broken(error) => {
                self.not_connected(at, not_connected(address, error));
                return true;
            }
            Done::Bytes(sent) => sent,
        };
        // Whatever does not take so few bytes at once is no connection worth going on with quickly.
        let rest = if sent < len && bind.is_empty() {
            self.express.as_ref().and_then(|express| express.bind(self.slots[at].offer)).unwrap_or_default().to_vec()
        } else {
            bind
        };
        let slot = &mut self.slots[at];
        slot.connect_ns = now_ns - slot.since_ns;
        slot.since_ns = now_ns;
        slot.association = association;
        slot.stage = Stage::Busy;
        if let Some(work) = &mut slot.work {
            work.bytes.sent += sent as u64;
        }
        if sent < len {
            slot.outgoing.extend_from_slice(&rest[sent..]);
        }
        self.tally.connections += 1;
        self.tally.effort.syn_retries += u64::from(slot.connect_ns >= SYN_RETRY_NS);
        self.connected(at);
        true
    }

    fn config(&self, at: usize) -> AssociationConfig {
        let slot = &self.slots[at];
        AssociationConfig {
            offer: slot.offer,
            bind_timeout: self.settings.timeout,
            call_timeout: self.settings.timeout,
            port: Some(slot.peer(&self.crew.run.host.addresses).port()),
            record: self.settings.record,
            ..AssociationConfig::default()
        }
    }

    /// A connection is there, and its bind is out.
    fn connected(&mut self, at: usize) {
        let slot = &self.slots[at];
        let (token, wants_to_write) = (slot.token(at), !slot.outgoing.is_empty());
        let Some(socket) = &slot.socket else { return };
        // Where it was waited for it is registered already, and stays so.
        let _ = self.poll.add(socket.as_fd(), token, wants_to_write);
        let local = if self.drive.tallies { None } else { socket.local() };
        if let Some(local) = local {
            let (id, peer) = (slot.connection, slot.peer(&self.crew.run.host.addresses));
            self.tell(Event::ConnectionOpened { id, local, peer, at: self.clock.now() });
        }
        self.pump(at);
    }

    fn not_connected(&mut self, at: usize, kind: FailureKind) {
        let slot = &mut self.slots[at];
        slot.socket = None;
        slot.association = None;
        if slot.address + 1 < self.crew.run.host.addresses.len() {
            slot.address += 1;
            let now_ns = self.clock.now_ns();
            return self.open(at, now_ns);
        }
        self.conclude(at, Err(Failed::unsent(Failure::new(Phase::Connect, kind))));
    }

    /// Something can be done with a socket.
    fn on_ready(&mut self, ready: Ready) {
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
    fn send(&mut self, at: usize, bytes: &[u8]) {
        self.slots[at].send(at, &self.poll, bytes);
    }

    /// Takes what an association has to say and to send.
    fn pump(&mut self, at: usize) {
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

    /// A connection is not on its way any more, if it was.
    fn opened(&mut self, at: usize) {
        if std::mem::take(&mut self.slots[at].is_opening) {
            self.opening -= 1;
            self.unblock();
        }
    }

    /// Finds out whether a connection was opened as the others were.
    fn learn_opening(&mut self, at: usize) {
        let config = self.config(at);
        let slot = &mut self.slots[at];
        let heard = std::mem::take(&mut slot.heard);
        let group = self.express.as_mut().and_then(|express| express.learn_opening(config, &heard));
        slot.is_like_others = group.is_some();
        slot.group = group.unwrap_or_default();
    }

    /// Makes the call the connection is there for.
    fn call(&mut self, at: usize) {
        // A timer that went off while nothing was under way is not wound up before something is.
        if !self.wheel.is_pending(at as u32) {
            self.wheel.insert(at as u32, self.clock.now_ns().saturating_add(timeout_ns(self.settings)));
        }
        let slot = &self.slots[at];
        let Some(work) = &slot.work else { return };
        if work.due.is_some() && slot.association.is_none() && slot.heard.is_empty() {
            return self.draft(at);
        }
        let asking = if work.asking.is_none() { Some(Box::new(self.asking(&work.arrival, work.wall))) } else { None };
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
    fn conclude(&mut self, at: usize, result: Result<Reply, Failed>) {
        let Some(mut work) = self.slots[at].work.take() else { return };
        let succeeded = result.is_ok();
        let (machine, ask) = match work.asking.take() {
            Some(asking) => *asking,
            None => self.asking(&work.arrival, work.wall),
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
        self.crew.conclude(self.number, &work.arrival, &machine, &exchange, wall);
        self.tell(Event::Exchange(Box::new(exchange)));
        self.opened(at);
        self.release(at, succeeded);
    }

    /// Remembers an answer's random values, and finds those met before: the judge remembers only those of answers it is told of.
    fn note_repeats(&self, work: &Work, exchange: &mut Exchange) {
        if self.express.is_none() {
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
    fn release(&mut self, at: usize, succeeded: bool) {
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
    fn close_idle(&mut self, at: usize) {
        self.idle.retain(|idle| *idle != at as u32);
        self.close(at);
    }

    /// The association of a connection that has done without one.
    fn resume(&self, at: usize) -> Option<Box<Association>> {
        let slot = &self.slots[at];
        self.express.as_ref()?.resume_ready(slot.offer, slot.group, slot.calls).map(Box::new)
    }

    /// Closes a connection, and makes room for another.
    fn close(&mut self, at: usize) {
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
            drop(socket);
            if !self.drive.tallies {
                self.tell(Event::ConnectionClosed { id, at: self.clock.now() });
            }
        }
    }

    fn unblock(&mut self) {
        if std::mem::take(&mut self.is_blocked) {
            self.unblocked_ns = self.clock.now_ns();
        }
    }
}

/// Time.
impl Worker<'_> {
    /// Waits for something to do, at most until the next start is due or a timer is.
    fn wait(&mut self) -> Result<(), RunError> {
        let lost = |error: std::io::Error| RunError::Worker(error.to_string());
        let now_ns = self.clock.now_ns();
        let next_ns = self
            .starts
            .peek()
            .filter(|_| self.may_start && !self.is_blocked && !self.starts.are_over(now_ns))
            .map(|start| start.due_ns.unwrap_or(now_ns));
        let rested_ns = self.resting.front().copied().unwrap_or(u64::MAX);
        let silent_ns = self.wheel.next_due_ns().unwrap_or(u64::MAX);
        let timer_ns = self.tally_due_ns.min(rested_ns).min(silent_ns).min(now_ns + STOP_SEEN_WITHIN_NS);
        let mut found = match next_ns {
            Some(next_ns) if next_ns <= timer_ns => {
                let sleep = self.pace.sleep(now_ns, next_ns);
                if sleep.is_zero() {
                    self.spin(now_ns, next_ns).map_err(lost)?
                } else {
                    self.poll.wait(sleep).map_err(lost)?
                }
            }
            _ => self.poll.wait(Duration::from_nanos(timer_ns.saturating_sub(now_ns))).map_err(lost)?,
        };
        // As many as fit may not be all; whatever is found is looked at, for it is told of only once.
        for round in 1..=ROUNDS_MAX {
            for index in 0..found {
                let ready = self.poll.ready(index);
                self.on_ready(ready);
            }
            self.verify_answers();
            if found < EVENTS_AT_A_TIME || round == ROUNDS_MAX {
                break;
            }
            found = self.poll.wait(Duration::ZERO).map_err(lost)?;
        }
        Ok(())
    }

    /// Looks at the clock, and at the sockets in between, until a start is due or a socket is ready.
    fn spin(&mut self, from_ns: u64, until_ns: u64) -> std::io::Result<usize> {
        loop {
            let found = self.poll.wait(Duration::ZERO)?;
            let mut now_ns = self.clock.now_ns();
            for _ in 0..CLOCK_READS {
                if found > 0 || now_ns >= until_ns {
                    self.tally.effort.spun += Duration::from_nanos(now_ns - from_ns);
                    return Ok(found);
                }
                now_ns = self.clock.now_ns();
            }
        }
    }

    fn look_after_timers(&mut self) {
        let now_ns = self.clock.now_ns();
        while self.resting.front().is_some_and(|&rested_ns| rested_ns <= now_ns) {
            self.resting.pop_front();
            self.starts.free_seat();
        }
        if now_ns >= self.tally_due_ns {
            self.tell_tally(now_ns);
        }
        let mut fired = std::mem::take(&mut self.fired);
        self.wheel.advance(now_ns, &mut fired);
        for at in fired.drain(..) {
            self.look_after(at as usize, now_ns);
        }
        self.fired = fired;
    }

    /// Gives up what has kept silent for too long on a connection. Timers are not wound up with each
    /// thing that happens, but when they go off too early.
    fn look_after(&mut self, at: usize, now_ns: u64) {
        let timeout = self.settings.timeout;
        let slot = &mut self.slots[at];
        let due_ns = match (&slot.stage, &slot.association) {
            (Stage::Free | Stage::Idle, _) => return,
            (Stage::Busy, Some(association)) => {
                association.poll_deadline().map_or(now_ns, |due| due.0.as_nanos() as u64)
            }
            _ => slot.since_ns.saturating_add(timeout_ns(self.settings)),
        };
        if due_ns > now_ns {
            return self.wheel.insert(at as u32, due_ns);
        }
        match (&slot.stage, &mut slot.association) {
            (Stage::Connecting, _) => {
                let address = slot.peer(&self.crew.run.host.addresses);
                self.not_connected(at, no_answer(address, timeout));
            }
            (_, Some(association)) => {
                association.handle_timeout(Moment::from_nanos(now_ns));
                self.pump(at);
            }
            (_, None) => self.time_out_express(at),
        }
        // Whatever is under way there now has a timer of its own.
        if self.slots[at].stage == Stage::Busy && !self.wheel.is_pending(at as u32) {
            self.wheel.insert(at as u32, now_ns.saturating_add(timeout_ns(self.settings)));
        }
    }

    /// Tells how it went since it last did.
    fn tell_tally(&mut self, now_ns: u64) {
        let until = Moment::from_nanos(now_ns);
        let fresh = Tally { step: self.number, worker: self.tally.worker, from: until, ..Tally::default() };
        let mut tally = std::mem::replace(&mut self.tally, Box::new(fresh));
        let busy = thread_time();
        tally.until = until;
        tally.effort.elapsed = until - tally.from;
        tally.effort.busy = busy.saturating_sub(self.busy);
        self.busy = busy;
        self.tally_due_ns = now_ns + TALLY_EVERY_NS;
        self.wall = Wall::new(self.clock);
        self.tell(Event::Tally(tally));
    }

    /// Tells what happened. Whoever stopped listening has said why itself.
    fn tell(&self, event: Event) {
        let _ = self.crew.run.events.blocking_send(event);
    }
}

/// The wall clock, read now and then and reckoned on in between.
struct Wall {
    read: FileTime,
    at_ns: u64,
}

impl Wall {
    fn new(clock: Clock) -> Wall {
        Wall { read: clock.wall(), at_ns: clock.now_ns() }
    }

    fn at(&self, now_ns: u64) -> FileTime {
        FileTime(self.read.0 + now_ns.saturating_sub(self.at_ns) / FileTime::NANOSECONDS_PER_STEP)
    }
}

fn attempt(number: usize, work: &Work) -> Attempt {
    let at = Moment::from_nanos;
    let mut attempt = Attempt::new(number, work.position, at(work.due_ns), at(work.start_ns), work.wall);
    attempt.note_held_back(Duration::from_nanos(work.able_ns.saturating_sub(work.due_ns)));
    attempt
}

fn effort_max(tally: &mut Tally, under_way: usize) {
    tally.effort.under_way_max = tally.effort.under_way_max.max(under_way as u64);
}

/// The part of so many that falls to one worker.
fn share(whole: usize, index: usize, workers: usize) -> usize {
    whole / workers + usize::from(index < whole % workers)
}

fn timeout_ns(settings: Settings) -> u64 {
    u64::try_from(settings.timeout.as_nanos()).unwrap_or(u64::MAX)
}

/// Sockets told of at a time.
const EVENTS_AT_A_TIME: usize = 256;
/// Waits in a row before starts and timers have their turn.
const ROUNDS_MAX: usize = 4;
/// Connections opened in a row before sockets have their turn.
const OPENS_AT_A_TIME: usize = 64;
/// Looks at the clock between two at the sockets.
const CLOCK_READS: usize = 16;
/// More than the largest fragment a client takes.
const READ_SIZE: usize = 8192;
/// A start later than this by our own doing is late.
const LATE_NS: u64 = 1_000_000;
const TALLY_EVERY_NS: u64 = 250_000_000;
/// A tick of the wheel.
const TICK_NS: u64 = 1_000_000;
/// However little there is to do, a worker looks up so often.
const STOP_SEEN_WITHIN_NS: u64 = 20_000_000;
/// A SYN that was lost is sent again after a second.
const SYN_RETRY_NS: u64 = 950_000_000;
