//! Machines that ask when their own leases make them: who does so when.
//!
//! Leases live by a clock of their own, which can go faster than the wall's, so that the week of a campus fits in an
//! hour. The host's clock goes no faster: what a machine says of the time, and what a host must answer by it, is
//! the wall's. Every engine takes from here when somebody asks first and when again, and waits for it in its own way.

use std::time::Duration;

use super::fleet::Fleet;
use crate::population::Activation;
use crate::proto::{Moment, Verdict};
use crate::scenario::{Arrival, Arrive, Plan, Step};
use crate::wire::{FileTime, Hresult};

/// The clock leases live by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LeaseClock {
    /// Since when it goes as it does.
    pub from: Moment,
    /// What it showed then.
    pub shows: FileTime,
    /// How many times as fast as the wall's it goes, 1 at least.
    pub speed: u32,
}

impl LeaseClock {
    /// What it shows at `now`; before it went as it does it stood still.
    pub fn at(self, now: Moment) -> FileTime {
        let passed_ns = (now - self.from).as_nanos() * u128::from(self.speed);
        let steps = passed_ns / u128::from(FileTime::NANOSECONDS_PER_STEP);
        FileTime(self.shows.0.saturating_add(u64::try_from(steps).unwrap_or(u64::MAX)))
    }

    /// The first moment at which it shows `time`, if it goes on as it does.
    pub fn when(self, time: FileTime) -> Moment {
        let ahead_ns = u128::from(time.0.saturating_sub(self.shows.0)) * u128::from(FileTime::NANOSECONDS_PER_STEP);
        let wait_ns = ahead_ns.div_ceil(u128::from(self.speed.max(1)));
        self.from + Duration::from_nanos(u64::try_from(wait_ns).unwrap_or(u64::MAX))
    }
}

/// The activations of a step that goes by leases, each by its place among the step's, from 0. All times are the
/// lease clock's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leases<'a> {
    plan: &'a Plan,
    step: &'a Step,
    fleet: &'a Fleet,
    begins: FileTime,
    ends: FileTime,
}

impl<'a> Leases<'a> {
    /// Those of a step of `plan` that began when the clock of `fleet` was last set.
    pub fn new(plan: &'a Plan, number: usize, fleet: &'a Fleet) -> Leases<'a> {
        let step = &plan.steps[number];
        let span = if let Arrive::Lifecycle { span, .. } = step.arrive { span } else { Duration::ZERO };
        let begins = fleet.clock().shows;
        Leases { plan, step, fleet, begins, ends: after(begins, span) }
    }

    /// From then on nobody asks.
    pub fn ends(&self) -> FileTime {
        self.ends
    }

    /// When an activation is asked for first; `None` if that is not in the step's time.
    pub fn first(&self, place: u64) -> Option<FileTime> {
        let activation = self.plan.activation(self.step, place);
        let remembered = self.fleet.remembered(self.plan, activation);
        let asked_before = remembered.is_some();
        let lease = remembered.unwrap_or_else(|| self.plan.population.lease(activation, self.fleet.began()));
        // Whoever has not asked yet is due on a whole minute, and whoever is overdue, now: the
        // machines do not ask as one.
        let at = if lease.due() > self.begins && asked_before {
            lease.due()
        } else {
            after(lease.due().max(self.begins), self.plan.population.start_delay(activation.machine))
        };
        self.present(activation, at)
    }

    /// When it is asked for again, after it was at `asked`; `None` if that is not in the step's time.
    pub fn next(&self, place: u64, asked: FileTime) -> Option<FileTime> {
        let activation = self.plan.activation(self.step, place);
        let due = self.fleet.lease(self.plan, activation).due();
        // A lease never asks again at once: this cannot go on for ever at one time.
        self.present(activation, due.max(after(asked, LEAST_GAP)))
    }

    /// What is asked then.
    pub fn arrival(&self, place: u64, ordinal: u64) -> Arrival {
        let activation = self.plan.activation(self.step, place);
        let group = self.plan.population.group(activation.machine);
        let own = || group.wanted_of(activation.machine.number, activation.product).protocol;
        let version = self.step.versions.first().copied().unwrap_or_else(own);
        Arrival { activation, version, offer: self.step.offers[0], ordinal }
    }

    /// It was due for so long that it is not asked for any more: to the machine that is as if no host were there.
    pub fn give_up(&self, place: u64, now: FileTime) {
        self.fleet.take_in(self.plan, self.plan.activation(self.step, place), NO_HOST, None, now);
    }

    /// When a machine that wants to ask at `at` is there to do so, if that is in the step's time.
    fn present(&self, activation: Activation, at: FileTime) -> Option<FileTime> {
        let began = self.fleet.began();
        // What was before the scenario is its beginning.
        let since = at.max(began).distance(began);
        let there = after(began, self.plan.population.present_from(activation.machine, since));
        (there < self.ends).then_some(there)
    }
}

fn after(time: FileTime, by: Duration) -> FileTime {
    let steps = by.as_nanos() / u128::from(FileTime::NANOSECONDS_PER_STEP);
    FileTime(time.0.saturating_add(u64::try_from(steps).unwrap_or(u64::MAX)))
}

/// Apart from the ordinals of arrivals that are listed, and from the streams of schedules and mixed orders.
pub(super) const LEASE_ORDINALS: u64 = 1 << 63;
/// The least time between two requests of one machine.
const LEAST_GAP: Duration = Duration::from_secs(60);
const NO_HOST: Verdict = Verdict::Refused(Hresult::BINDING_SERVICE_UNAVAILABLE);
