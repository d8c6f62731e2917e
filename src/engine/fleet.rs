//! What the machines of a run remember: how their leases stand after what they were told.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::leases::LeaseClock;
use crate::client::{Intervals, Lease, Machine};
use crate::events::Exchange;
use crate::population::Activation;
use crate::proto::{Moment, Verdict};
use crate::scenario::{Arrival, Plan};
use crate::wire::FileTime;
use crate::wire::kms::LicenseStatus;

/// The leases that are no longer as the scenario began with them.
#[derive(Debug)]
pub struct Fleet {
    began: FileTime,
    clock: SharedClock,
    memory: Memory,
}

/// As little as the plan can do with.
#[derive(Debug)]
enum Memory {
    /// No machine asks twice.
    Nothing,
    /// Machines ask when they are let, not when their leases make them. What one says of itself then
    /// follows from when it was last activated: that alone is kept, for each activation by its number
    /// and as FILETIME; 0 is never.
    Activations(Vec<AtomicU64>),
    /// Whole leases, for each activation by its number: their intervals decide who asks when. A lock each, for
    /// nobody asks twice at a time.
    Leases(Vec<Mutex<Option<Lease>>>),
}

/// The clock of all leases, read by every worker and set between steps, while nobody reads it.
#[derive(Debug)]
struct SharedClock {
    /// In steps of FILETIME: a time of its own can last longer than 64 bits of nanoseconds.
    from: AtomicU64,
    shows: AtomicU64,
    speed: AtomicU32,
}

impl Fleet {
    /// The machines of `plan`, whose scenario begins at `began`, which is `now`.
    pub fn new(plan: &Plan, began: FileTime, now: Moment) -> Fleet {
        let distinct: u64 = plan.ids_per_application().values().map(|ids| *ids as u64).sum();
        let activations = plan.population.activations() as usize;
        let memory = if plan.has_lifecycle() {
            Memory::Leases(std::iter::repeat_with(Mutex::default).take(activations).collect())
        } else if plan.arrivals() as u64 > distinct {
            Memory::Activations(std::iter::repeat_with(AtomicU64::default).take(activations).collect())
        } else {
            Memory::Nothing
        };
        let clock = SharedClock { from: 0.into(), shows: 0.into(), speed: 1.into() };
        let fleet = Fleet { began, clock, memory };
        fleet.set_clock(LeaseClock { from: now, shows: began, speed: 1 });
        fleet
    }

    /// When the scenario began.
    pub fn began(&self) -> FileTime {
        self.began
    }

    /// The clock its leases live by.
    pub fn clock(&self) -> LeaseClock {
        LeaseClock {
            from: Moment(FileTime(self.clock.from.load(Ordering::Relaxed)).distance(FileTime(0))),
            shows: FileTime(self.clock.shows.load(Ordering::Relaxed)),
            speed: self.clock.speed.load(Ordering::Relaxed),
        }
    }

    /// Lets their clock go so fast from `now` on. Nobody may be asking meanwhile, nor in [`Fleet::begin`].
    pub fn set_speed(&self, now: Moment, speed: u32) {
        self.set_clock(LeaseClock { from: now, shows: self.clock().at(now), speed });
    }

    /// Takes it that their time has stood still from when its speed was set until `now`.
    pub fn begin(&self, now: Moment) {
        self.set_clock(LeaseClock { from: now, ..self.clock() });
    }

    fn set_clock(&self, clock: LeaseClock) {
        let from = clock.from.0.as_nanos() / u128::from(FileTime::NANOSECONDS_PER_STEP);
        self.clock.from.store(u64::try_from(from).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.clock.shows.store(clock.shows.0, Ordering::Relaxed);
        self.clock.speed.store(clock.speed, Ordering::Relaxed);
    }

    /// The time that counts for a lease at `now`, when the wall shows `wall`: its own clock's where leases make
    /// machines ask, and the wall's else.
    pub fn lease_time(&self, now: Moment, wall: FileTime) -> FileTime {
        if let Memory::Leases(_) = &self.memory { self.clock().at(now) } else { wall }
    }

    /// The machine of an arrival, as it is by now.
    pub fn machine(&self, plan: &Plan, arrival: &Arrival) -> Machine {
        let mut machine = plan.machine(arrival, self.began);
        if let Some(lease) = self.remembered(plan, arrival.activation) {
            machine.lease = lease;
        }
        machine
    }

    /// How a lease stands by now.
    pub fn lease(&self, plan: &Plan, activation: Activation) -> Lease {
        self.remembered(plan, activation).unwrap_or_else(|| plan.population.lease(activation, self.began))
    }

    /// What a machine would say of its lease at `now`, where that is more than when it was last granted.
    pub fn standing(&self, plan: &Plan, activation: Activation, now: Moment) -> Option<(LicenseStatus, u32)> {
        let Memory::Leases(_) = &self.memory else { return None };
        Some(self.lease(plan, activation).standing(self.clock().at(now)))
    }

    /// The lease of a machine that has asked for this activation before, as far as that is kept.
    pub fn remembered(&self, plan: &Plan, activation: Activation) -> Option<Lease> {
        match &self.memory {
            Memory::Nothing => None,
            Memory::Activations(_) => {
                let at = self.activated(plan.population.number_of(activation))?;
                let mut lease = plan.population.lease(activation, self.began);
                lease.conclude(at, Verdict::Activated, None);
                Some(lease)
            }
            Memory::Leases(leases) => {
                *leases[plan.population.number_of(activation) as usize].lock().unwrap_or_else(PoisonError::into_inner)
            }
        }
    }

    /// When the activation of this number was last granted, as far as that is kept and all that is.
    pub fn activated(&self, number: u64) -> Option<FileTime> {
        let Memory::Activations(times) = &self.memory else { return None };
        let time = times.get(number as usize)?.load(Ordering::Relaxed);
        (time != 0).then_some(FileTime(time))
    }

    /// Lets a machine take in what its request came to, when the wall shows `wall`.
    pub fn conclude(&self, plan: &Plan, activation: Activation, exchange: &Exchange, wall: FileTime) {
        let trusted = exchange.answer.response.as_ref().filter(|_| exchange.answer.checks.is_trusted());
        let told = trusted.map(Intervals::told_by);
        self.take_in(plan, activation, exchange.outcome.verdict, told, self.lease_time(exchange.received, wall));
    }

    /// Lets a machine take in a verdict at `now` ([`Fleet::lease_time`]). `told` are the intervals of an answer that
    /// can be trusted.
    pub fn take_in(
        &self,
        plan: &Plan,
        activation: Activation,
        verdict: Verdict,
        told: Option<Intervals>,
        now: FileTime,
    ) {
        let number = || plan.population.number_of(activation) as usize;
        match &self.memory {
            Memory::Nothing => {}
            Memory::Activations(times) => {
                if verdict == Verdict::Activated
                    && let Some(time) = times.get(number())
                {
                    time.store(now.0, Ordering::Relaxed);
                }
            }
            Memory::Leases(leases) => {
                let mut kept = leases[number()].lock().unwrap_or_else(PoisonError::into_inner);
                let mut lease = kept.unwrap_or_else(|| plan.population.lease(activation, self.began));
                lease.conclude(now, verdict, told);
                *kept = Some(lease);
            }
        }
    }
}
