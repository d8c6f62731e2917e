//! What the machines of a run remember: how their leases stand after what they were told.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::client::{Intervals, Lease, Machine};
use crate::events::Exchange;
use crate::population::Activation;
use crate::proto::Verdict;
use crate::scenario::{Arrival, Plan};
use crate::wire::FileTime;

/// The leases that are no longer as the scenario began with them.
#[derive(Debug)]
pub struct Fleet {
    began: FileTime,
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
    /// Whole leases: their intervals decide who asks when.
    Leases(Mutex<HashMap<Activation, Lease>>),
}

impl Fleet {
    /// The machines of `plan`, whose scenario begins at `began`.
    pub fn new(plan: &Plan, began: FileTime) -> Fleet {
        let distinct: u64 = plan.ids_per_application().values().map(|ids| *ids as u64).sum();
        let memory = if plan.has_lifecycle() {
            Memory::Leases(Mutex::default())
        } else if plan.arrivals() as u64 > distinct {
            let activations = plan.population.activations() as usize;
            Memory::Activations(std::iter::repeat_with(AtomicU64::default).take(activations).collect())
        } else {
            Memory::Nothing
        };
        Fleet { began, memory }
    }

    /// When the scenario began.
    pub fn began(&self) -> FileTime {
        self.began
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

    /// Whether the machine has asked for this activation before.
    pub fn remembers(&self, activation: Activation) -> bool {
        match &self.memory {
            Memory::Leases(leases) => leases.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&activation),
            Memory::Nothing | Memory::Activations(_) => false,
        }
    }

    fn remembered(&self, plan: &Plan, activation: Activation) -> Option<Lease> {
        match &self.memory {
            Memory::Nothing => None,
            Memory::Activations(_) => {
                let at = self.activated(plan.population.number_of(activation))?;
                let mut lease = plan.population.lease(activation, self.began);
                lease.conclude(at, Verdict::Activated, None);
                Some(lease)
            }
            Memory::Leases(leases) => leases.lock().unwrap_or_else(PoisonError::into_inner).get(&activation).copied(),
        }
    }

    /// When the activation of this number was last granted, as far as that is kept.
    pub fn activated(&self, number: u64) -> Option<FileTime> {
        let Memory::Activations(times) = &self.memory else { return None };
        let time = times.get(number as usize)?.load(Ordering::Relaxed);
        (time != 0).then_some(FileTime(time))
    }

    /// The activation of this number was granted.
    pub fn note_activated(&self, number: u64, now: FileTime) {
        if let Memory::Activations(times) = &self.memory
            && let Some(time) = times.get(number as usize)
        {
            time.store(now.0, Ordering::Relaxed);
        }
    }

    /// Lets a machine take in what its request came to, at `now`.
    pub fn conclude(&self, plan: &Plan, activation: Activation, machine: &Machine, exchange: &Exchange, now: FileTime) {
        match &self.memory {
            Memory::Nothing => {}
            Memory::Activations(_) => {
                if exchange.outcome.verdict == Verdict::Activated {
                    self.note_activated(plan.population.number_of(activation), now);
                }
            }
            Memory::Leases(leases) => {
                let mut lease = machine.lease;
                let trusted = exchange.answer.response.as_ref().filter(|_| exchange.answer.checks.is_trusted());
                lease.conclude(now, exchange.outcome.verdict, trusted.map(Intervals::told_by));
                leases.lock().unwrap_or_else(PoisonError::into_inner).insert(activation, lease);
            }
        }
    }
}
