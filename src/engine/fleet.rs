//! What the machines of a run remember: how their leases stand after what they were told.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::client::{Intervals, Lease, Machine};
use crate::events::Exchange;
use crate::population::Activation;
use crate::scenario::{Arrival, Plan};
use crate::wire::FileTime;

/// The leases that are no longer as the scenario began with them.
#[derive(Debug)]
pub struct Fleet {
    began: FileTime,
    /// Whether any machine asks more than once; nothing needs remembering of one that does not.
    remembers: bool,
    leases: Mutex<HashMap<Activation, Lease>>,
}

impl Fleet {
    /// The machines of `plan`, whose scenario begins at `began`.
    pub fn new(plan: &Plan, began: FileTime) -> Fleet {
        let distinct: u64 = plan.ids_per_application().values().map(|ids| *ids as u64).sum();
        let remembers = plan.has_lifecycle() || plan.arrivals() as u64 > distinct;
        Fleet { began, remembers, leases: Mutex::default() }
    }

    /// When the scenario began.
    pub fn began(&self) -> FileTime {
        self.began
    }

    /// The machine of an arrival, as it is by now.
    pub fn machine(&self, plan: &Plan, arrival: &Arrival) -> Machine {
        let mut machine = plan.machine(arrival, self.began);
        if let Some(lease) = self.remembered(arrival.activation) {
            machine.lease = lease;
        }
        machine
    }

    /// How a lease stands by now.
    pub fn lease(&self, plan: &Plan, activation: Activation) -> Lease {
        self.remembered(activation).unwrap_or_else(|| plan.population.lease(activation, self.began))
    }

    /// Whether the machine has asked for this activation before.
    pub fn remembers(&self, activation: Activation) -> bool {
        self.remembered(activation).is_some()
    }

    fn remembered(&self, activation: Activation) -> Option<Lease> {
        if !self.remembers {
            return None;
        }
        self.leases.lock().unwrap_or_else(PoisonError::into_inner).get(&activation).copied()
    }

    /// Lets a machine take in what its request came to, at `now`.
    pub fn conclude(&self, activation: Activation, machine: &Machine, exchange: &Exchange, now: FileTime) {
        let mut lease = machine.lease;
        let trusted = exchange.answer.response.as_ref().filter(|_| exchange.answer.checks.is_trusted());
        let told = trusted.map(Intervals::told_by);
        lease.conclude(now, exchange.outcome.verdict, told);
        if self.remembers {
            self.leases.lock().unwrap_or_else(PoisonError::into_inner).insert(activation, lease);
        }
    }
}
