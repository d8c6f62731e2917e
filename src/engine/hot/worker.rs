//! The loop of one worker.
//!
//! `opening` makes connections, `exchange` asks over them and hears the answers, `express` does both for
//! eight at a time where nothing is out of the ordinary, `time` waits.

mod exchange;
mod express;
mod opening;
mod time;

use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::Duration;

use exchange::attempt;
use express::Express;
pub(super) use express::Opening;
use time::Wall;

use super::Share;
use super::pace::{Pace, pin, thread_time};
use super::poll::Poll;
use super::slot::{Slot, Stage, Work};
use super::socket::Socket;
use super::starts::{Start, Starts};
use super::wheel::Wheel;
use crate::engine::attempt::ask;
use crate::engine::clock::Clock;
use crate::engine::connection::Settings;
use crate::engine::leases::Leases;
use crate::engine::run::Crew;
use crate::engine::terms::Drive;
use crate::events::{Event, RunError, Tally};
use crate::proto::Moment;
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
    /// When whoever goes by a lease asks again.
    leases: Leases<'c>,
    /// Ordinals for their requests, that nobody else uses.
    lease_ordinals: Range<u64>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Connections that wait for a next call, the latest last.
    idle: Vec<u32>,
    /// Connections that are over. They are closed when whoever is next has been let go: a host is woken by both,
    /// and should be so once.
    parting: Vec<Socket>,
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
    /// Connections that may be opened before sockets have their turn.
    opens_left: usize,
    /// Where exchanges may go untold.
    express: Option<Box<Express>>,
}

impl<'c> Worker<'c> {
    /// Worker `index` of `workers`, for its part of a step that begins at `begun`.
    pub(super) fn new(
        crew: &'c Crew,
        number: usize,
        part: Share,
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
        let leases = Leases::new(plan, number, &crew.fleet);
        let starts = match part {
            Share::Listed(arrivals) => Starts::new(plan, number, arrivals, index, workers, begun_ns),
            Share::Leased(firsts) => {
                let lease_clock = crew.fleet.clock();
                let when_ns = |time| nanoseconds(lease_clock.when(time));
                let firsts_ns = firsts.into_iter().map(|first| first.map(when_ns));
                let [from_ns, over_ns] = [lease_clock.from, lease_clock.when(leases.ends())].map(nanoseconds);
                Starts::leased(firsts_ns, index, workers, from_ns, over_ns)
            }
        };
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
            starts,
            leases,
            lease_ordinals: 0..0,
            slots: std::iter::repeat_with(Slot::default).take(places).collect(),
            free: (0..places as u32).rev().collect(),
            idle: Vec::with_capacity(places),
            parting: Vec::with_capacity(PARTING_MAX),
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
            tally_due_ns: next_tally_ns(now_ns),
            busy: thread_time(),
            sources: index,
            scratch: vec![0; READ_SIZE],
            may_start: true,
            opens_left: 0,
            express: (drive.tallies && step.host != HostState::Down).then(|| Box::new(Express::new(crew))),
        })
    }

    /// Goes on until every arrival is done, or nobody may start any more and what is under way is done.
    pub fn run(mut self) -> Result<(), RunError> {
        self.pace.settle();
        if let Some(&core) = self.drive.pin.get(self.tally.worker) {
            pin(core);
        }
        self.busy = thread_time();
        let mut result = Ok(());
        let mut ended_ns = 0;
        loop {
            let now_ns = self.clock.now_ns();
            if result.is_ok() {
                result = self.crew.may_go_on(self.under_way * self.workers);
                ended_ns = now_ns;
            }
            self.may_start = result.is_ok();
            if self.may_start {
                self.start_due(now_ns);
            }
            self.send_drafts();
            self.parting.clear();
            if self.under_way == 0 && (result.is_err() || self.starts.are_over(now_ns)) {
                break;
            }
            self.wait()?;
            self.opens_left =
                if self.step.connection.carries_on_after(1) { KEPT_OPENS_AT_A_TIME } else { OPENS_AT_A_TIME };
            self.look_after_timers();
        }
        // What falls due while the last answers are waited for was not to start any more.
        let overdue = self.starts.overdue(ended_ns);
        self.tally.effort.due += overdue;
        self.tally.effort.missed += overdue;
        while let Some(at) = self.idle.pop() {
            self.close(at as usize);
        }
        self.tell_tally(self.clock.now_ns());
        result
    }

    /// Starts whoever is due and has a place.
    fn start_due(&mut self, now_ns: u64) {
        self.starts.look(now_ns);
        loop {
            let Some(start) = self.starts.peek() else { return };
            let due_ns = start.due_ns.unwrap_or(now_ns);
            if due_ns > now_ns || self.starts.are_over(now_ns) {
                return;
            }
            if self.drive.late_max.is_some_and(|max| now_ns - due_ns > max.as_nanos() as u64) {
                self.tally.effort.due += 1;
                self.tally.effort.missed += 1;
                self.starts.take();
                self.starts.free_seat();
                self.give_up(start, now_ns);
                continue;
            }
            // Whoever takes turns keeps all seats busy, however many answers came at once; opening takes longer, and
            // those who are connected are not to wait for it. And an answer that is there already lets go of a
            // connection: a worker that lost its core for a moment would open hundreds for nothing.
            if self.idle.is_empty() && self.opens_left == 0 {
                return;
            }
            let Some(at) = self.place() else {
                self.is_blocked = true;
                return;
            };
            self.opens_left -= usize::from(self.slots[at].stage == Stage::Free);
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
        let arrival = match start.leased {
            Some(leased) => self.leased_arrival(leased),
            None => self.crew.arrival(self.number, position),
        };
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
            leased: start.leased,
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
            let asking = Box::new(self.asking(&arrival, wall, start_ns));
            self.tell(attempt(self.number, &work).announce(&asking.1));
            work.asking = Some(asking);
            work.is_told = true;
        }
        self.crew.asked.fetch_add(1, Ordering::Relaxed);
        self.under_way += 1;
        let most = &mut self.tally.effort.under_way_max;
        *most = (*most).max(self.under_way as u64);
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

    /// What whoever goes by this lease asks.
    fn leased_arrival(&mut self, leased: u32) -> Arrival {
        let ordinal = self.lease_ordinals.next().unwrap_or_else(|| {
            let first = self.crew.take_lease_ordinals(ORDINALS_AT_A_TIME);
            self.lease_ordinals = first + 1..first + ORDINALS_AT_A_TIME;
            first
        });
        self.leases.arrival(self.starts.place(leased), self.crew.of_table(ordinal))
    }

    /// Whoever goes by this lease, if it is one, has been answered or found no host, and asks again when it says so.
    fn put_back(&mut self, leased: Option<u32>, asked_ns: u64) {
        let Some(leased) = leased else { return };
        let lease_clock = self.crew.fleet.clock();
        let asked = lease_clock.at(Moment::from_nanos(asked_ns));
        if let Some(next) = self.leases.next(self.starts.place(leased), asked) {
            self.starts.put_back(leased, nanoseconds(lease_clock.when(next)));
        }
    }

    /// A start is not made any more.
    fn give_up(&mut self, start: Start, now_ns: u64) {
        if let Some(leased) = start.leased {
            let now = self.crew.fleet.clock().at(Moment::from_nanos(now_ns));
            self.leases.give_up(self.starts.place(leased), now);
            self.put_back(Some(leased), now_ns);
        }
    }

    /// The machine of an arrival, and what it asks when it starts at `start_ns`, when the clock shows `wall`.
    fn asking(&self, arrival: &Arrival, wall: FileTime, start_ns: u64) -> (crate::client::Machine, crate::proto::Ask) {
        let machine = self.crew.fleet.machine(self.plan, arrival);
        let ask = ask(self.plan, arrival, &machine, &self.crew.fleet, Moment::from_nanos(start_ns), wall);
        (machine, ask)
    }

    /// Tells what happened. Whoever stopped listening has said why itself.
    fn tell(&self, event: Event) {
        let _ = self.crew.run.events.blocking_send(event);
    }
}

/// The part of so many that falls to one worker.
fn share(whole: usize, index: usize, workers: usize) -> usize {
    whole / workers + usize::from(index < whole % workers)
}

/// When the next tally is due: all workers tell theirs at the same times.
fn next_tally_ns(now_ns: u64) -> u64 {
    (now_ns / TALLY_EVERY_NS + 1) * TALLY_EVERY_NS
}

fn nanoseconds(at: Moment) -> u64 {
    u64::try_from(at.0.as_nanos()).unwrap_or(u64::MAX)
}

fn timeout_ns(settings: Settings) -> u64 {
    u64::try_from(settings.timeout.as_nanos()).unwrap_or(u64::MAX)
}

/// Sockets told of at a time.
const EVENTS_AT_A_TIME: usize = 256;
/// Connections opened in a row before sockets have their turn.
const OPENS_AT_A_TIME: usize = 64;
/// The same where an answer may let go of a connection for whoever is next.
const KEPT_OPENS_AT_A_TIME: usize = 8;
/// As many random values as are drawn at a time.
const ORDINALS_AT_A_TIME: u64 = 16;
/// More than the largest fragment a client takes.
const READ_SIZE: usize = 8192;
/// A start later than this by our own doing is late.
const LATE_NS: u64 = 1_000_000;
/// Four a second, and a whole number of them in whatever interval measures are kept by.
const TALLY_EVERY_NS: u64 = 250_000_000;
/// A tick of the wheel.
const TICK_NS: u64 = 1_000_000;
/// Connections that are over and wait to be closed, at most.
const PARTING_MAX: usize = 32;
