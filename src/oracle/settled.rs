//! When a host has nothing new to say: what may go untold at full speed.
//!
//! Once the table of an application is full, or every machine of the plan is in it, each granted
//! request of any of them is due one and the same count, whoever asks and in whatever order. From
//! then on whoever carries the requests can hold answers against that count by itself ([`Settled`]), and
//! need not tell the oracle of those that agree. It is told of the others, late, with their true times.
//!
//! That never accuses an honest host. What the oracle holds for the *least* a host counts rests on
//! machines that surely asked; to be told of fewer only lowers it. What it holds for the *most* rests on
//! how many can have asked; but by then it has been told either of as many as the table can ever hold in
//! this plan, or of every machine there is, and nothing that is not told raises either. Where other
//! clients may ask a host too, nothing is held against it that they can explain; there a count is
//! taken for settled when it has not changed for a while, and one that differs is told as ever.
//! A host that once counted wrong is told of in full until it is emptied, and so is everything after
//! twenty days, before the first entries expire.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::clock::Span;
use super::prediction::Codes;
use super::rules::{Rules, SKEW_MAX};
use super::{Host, Oracle, Question};
use crate::proto::Moment;
use crate::wire::{FileTime, Guid, Hresult};

/// What must be counted from now on, for each application of a plan; read by every worker at any time.
#[derive(Debug)]
pub struct Settled {
    applications: Vec<Application>,
}

#[derive(Debug)]
struct Application {
    id: Guid,
    /// How many distinct machines of the plan ask for it.
    machines: u64,
    /// The largest N policy they ask with.
    n_policy_max: u32,
    /// 0: nothing is settled.
    count: AtomicU32,
}

impl Settled {
    /// Of a plan's applications: each with how many distinct machines ask for it, and the largest N policy they ask with.
    pub fn new(applications: impl IntoIterator<Item = (Guid, u64, u32)>) -> Settled {
        let application =
            |(id, machines, n_policy_max)| Application { id, machines, n_policy_max, count: AtomicU32::new(0) };
        Settled { applications: applications.into_iter().map(application).collect() }
    }

    /// The count that is due, when it is settled.
    pub fn count(&self, application: Guid) -> Option<u32> {
        let found = self.applications.iter().find(|known| known.id == application)?;
        Some(found.count.load(Ordering::Relaxed)).filter(|count| *count > 0)
    }

    /// Takes over what `oracle` holds for settled at `now`.
    pub fn update(&self, oracle: &mut Oracle, now: Moment) {
        for application in &self.applications {
            let Application { id, machines, n_policy_max, ref count } = *application;
            let due = oracle.settled(id, machines, n_policy_max, now).unwrap_or(0);
            if count.load(Ordering::Relaxed) != due {
                count.store(due, Ordering::Relaxed);
            }
        }
    }

    /// Nothing is settled any more.
    pub fn clear(&self) {
        self.applications.iter().for_each(|application| application.count.store(0, Ordering::Relaxed));
    }
}

/// Which requests are surely due S_OK, whatever else is so.
#[derive(Debug)]
pub struct Certain {
    rules: Rules,
    skew_max: Duration,
}

impl Certain {
    /// For a host of which this is known.
    pub fn new(host: &Host) -> Certain {
        let skew_max = SKEW_MAX.saturating_sub(host.clock_uncertainty).saturating_sub(MARGIN);
        Certain { rules: Rules::new(&host.serves), skew_max }
    }

    /// Whether a request is granted if its clock is right: that is so of all alike.
    pub fn is_granted(&self, question: &Question) -> bool {
        let right = Span::around(question.client_time, Duration::ZERO, Duration::ZERO);
        self.rules.wrongs(question, right).codes(false).0 == Codes::only(Hresult::OK)
    }

    /// Whether a client's clock is surely near enough, when ours shows `wall`.
    pub fn is_near(&self, client_time: FileTime, wall: FileTime) -> bool {
        client_time.distance(wall) <= self.skew_max
    }
}

impl Oracle {
    /// The count every granted request of the plan's machines for an application is due from now on,
    /// when that is settled. Whoever takes it at its word may leave untold what agrees with it.
    fn settled(&mut self, application: Guid, machines: u64, n_policy_max: u32, now: Moment) -> Option<u32> {
        let is_young = now - *self.since.get_or_insert(now) < LASTS;
        if !is_young || self.is_overcharged || n_policy_max >= super::N_POLICY_OVERCHARGE {
            return None;
        }
        self.applications.get_mut(&application)?.settle(machines, n_policy_max)
    }
}

/// For round trips, and for clocks that are set a little while they are used.
const MARGIN: Duration = Duration::from_secs(60);
/// Entries last thirty days.
const LASTS: Duration = Duration::from_secs(20 * 24 * 3600);
