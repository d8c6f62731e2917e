//! What a worker waits for, and what it does when the time has come.

use std::time::Duration;

use super::{EVENTS_AT_A_TIME, Worker, next_tally_ns, timeout_ns};
use crate::engine::clock::Clock;
use crate::engine::connection::no_answer;
use crate::engine::hot::pace::thread_time;
use crate::engine::hot::slot::Stage;
use crate::events::{Event, RunError, Tally};
use crate::proto::Moment;
use crate::wire::FileTime;

impl Worker<'_> {
    /// Waits for something to do, at most until the next start is due or a timer is.
    pub(super) fn wait(&mut self) -> Result<(), RunError> {
        let lost = |error: std::io::Error| RunError::Worker(error.to_string());
        let now_ns = self.clock.now_ns();
        let may_start = self.may_start && !self.is_blocked && !self.starts.are_over(now_ns);
        let next_ns = if may_start { self.starts.next_ns(now_ns) } else { None };
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

    pub(super) fn look_after_timers(&mut self) {
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
    pub(super) fn tell_tally(&mut self, now_ns: u64) {
        let until = Moment::from_nanos(now_ns);
        let fresh = Tally { step: self.number, worker: self.tally.worker, from: until, ..Tally::default() };
        let mut tally = std::mem::replace(&mut self.tally, Box::new(fresh));
        let busy = thread_time();
        tally.until = until;
        tally.effort.elapsed = until - tally.from;
        tally.effort.busy = busy.saturating_sub(self.busy);
        self.busy = busy;
        self.tally_due_ns = next_tally_ns(now_ns);
        self.wall = Wall::new(self.clock);
        self.tell(Event::Tally(tally));
    }
}

/// The wall clock, read now and then and reckoned on in between.
pub(super) struct Wall {
    read: FileTime,
    at_ns: u64,
}

impl Wall {
    pub(super) fn new(clock: Clock) -> Wall {
        Wall { read: clock.wall(), at_ns: clock.now_ns() }
    }

    pub(super) fn at(&self, now_ns: u64) -> FileTime {
        FileTime(self.read.0 + now_ns.saturating_sub(self.at_ns) / FileTime::NANOSECONDS_PER_STEP)
    }
}

/// Waits in a row before starts and timers have their turn.
const ROUNDS_MAX: usize = 4;
/// Looks at the clock between two at the sockets.
const CLOCK_READS: usize = 16;
/// However little there is to do, a worker looks up so often.
const STOP_SEEN_WITHIN_NS: u64 = 20_000_000;
