//! What a host must count for one application: exactly while requests come one
//! after the other, within bounds once they do not.

use std::time::Duration;

use super::bounds::{Bound, Bounds, Ground, Taken};
use super::clock::Span;
use super::mirror::Mirror;
use super::moments::Tick;
use super::{ExchangeId, Sighting, TableBefore};
use crate::wire::{FileTime, Guid};

/// The requests of one application so far.
#[derive(Debug)]
pub(super) struct Counting {
    before: TableBefore,
    /// Until something happens after which the table cannot be known exactly.
    exact: Option<Exact>,
    bounds: Bounds,
    /// Whether it was counted wrong before: then nothing is ever settled.
    is_distrusted: bool,
    /// The last count that was told, and how often it was in a row.
    repeated: (u32, u32),
    /// Whether a count still tells something new of a host of which nothing is known.
    is_to_learn: bool,
}

#[derive(Debug, Default)]
struct Exact {
    mirror: Mirror,
    /// What was asked and is not answered.
    open: Vec<(ExchangeId, Tick)>,
}

/// What a host may count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    pub least: Bound,
    pub most: Option<Bound>,
    /// The same if no other client asks the host; only told where others may.
    pub least_alone: Option<Bound>,
    pub most_alone: Option<Bound>,
}

impl Counting {
    pub fn new(before: TableBefore, clock_uncertainty: Duration) -> Counting {
        let exact = (before == TableBefore::Empty).then(Exact::default);
        let is_to_learn = before == TableBefore::Unknown;
        let bounds = Bounds::new(before, clock_uncertainty);
        Counting { before, exact, bounds, is_distrusted: false, repeated: (0, 0), is_to_learn }
    }

    /// Whether the count that is there now is the first of a host of which nothing is known; so once.
    pub fn learns(&mut self) -> bool {
        std::mem::take(&mut self.is_to_learn)
    }

    /// A request that may be counted is about to be made; whether its machine was never asked for before.
    pub fn ask(&mut self, id: ExchangeId, cmid: Guid, n_policy: u32, at: Tick, wall: FileTime) -> bool {
        if let Some(exact) = &mut self.exact {
            exact.open.push((id, at));
        }
        if self.exact.as_ref().is_some_and(|exact| exact.open.len() > OPEN_MAX) {
            self.exact = None;
        }
        self.bounds.ask(cmid, n_policy, at, wall)
    }

    /// A request that was told never left.
    pub fn withdraw(&mut self, id: ExchangeId) {
        if let Some(exact) = &mut self.exact {
            exact.open.retain(|(open, _)| *open != id);
        }
    }

    /// What a host may count that takes this request when its clock shows `now`.
    pub fn expect(&mut self, id: ExchangeId, taken: &Taken, now: Span) -> Expected {
        self.withdraw(id);
        // Two that overlap may have been taken in either order, which shows when the first is answered.
        self.exact.take_if(|exact| exact.open.iter().any(|(_, asked)| *asked < taken.received));
        if let Some(exact) = &self.exact {
            let (least, most, capacity) = exact.mirror.predict(taken.cmid, taken.n_policy, now);
            let bound = |count: u32| {
                let count = u64::from(count);
                Bound { count, ground: if count == capacity { Ground::Full(capacity) } else { Ground::Exactly } }
            };
            return Expected { least: bound(least), most: Some(bound(most)), least_alone: None, most_alone: None };
        }
        let (least, most) = (self.bounds.least(taken, true), self.bounds.most(taken));
        match self.before {
            TableBefore::Empty => Expected { least, most, least_alone: None, most_alone: None },
            TableBefore::Unknown => {
                let least_alone = Some(self.bounds.least(taken, false));
                Expected { least, most: None, least_alone, most_alone: most }
            }
        }
    }

    /// The host surely counted the machine. `trusted` is what it said, if it may have said that.
    pub fn counted(&mut self, taken: &Taken, now: Span, trusted: Option<Sighting>) {
        self.exact.take_if(|exact| exact.mirror.take(taken.cmid, taken.n_policy, now, taken.wall).is_err());
        if let Some(sighting) = trusted {
            let (count, times) = self.repeated;
            self.repeated = (sighting.count, if sighting.count == count { times.saturating_add(1) } else { 1 });
        }
        self.bounds.counted(taken, trusted);
    }

    /// The host counted wrong.
    pub fn distrust(&mut self) {
        self.is_distrusted = true;
    }

    /// The one count that is due from now on whichever of so many machines asks, with N policies up to that, when
    /// there is one; see the module `settled`. What agrees with it need not be told any more, so the
    /// table cannot be known exactly from then on.
    pub fn settle(&mut self, machines: u64, n_policy_max: u32) -> Option<u32> {
        if self.is_distrusted {
            return None;
        }
        let due = match self.before {
            TableBefore::Empty => self.bounds.full(machines, n_policy_max)?,
            TableBefore::Unknown => {
                let (count, times) = self.repeated;
                (times >= SETTLED_AFTER).then_some(count)?
            }
        };
        self.exact = None;
        Some(due)
    }

    /// The host may have counted the machine, and may not.
    pub fn perhaps_counted(&mut self) {
        self.exact = None;
    }

    /// See [`Bounds::forget_counts`].
    pub fn forget_counts(&mut self) {
        self.bounds.forget_counts();
    }

    /// An earlier count to hold a wrong one against: one that it contradicts by itself, or else the latest.
    pub fn against(&self, sent: Tick, got: u32) -> Option<Sighting> {
        self.bounds.highest(sent).filter(|highest| highest.count > got).or(self.bounds.latest(sent))
    }

    /// How many of our machines can have been counted by `received`.
    pub fn machines_until(&self, received: Tick) -> u64 {
        self.bounds.machines_until(received)
    }
}

/// A count that was the same so often in a row is taken for settled where other clients may ask.
const SETTLED_AFTER: u32 = 50;

/// So many requests under way at once are no sequence any more.
const OPEN_MAX: usize = 256;
