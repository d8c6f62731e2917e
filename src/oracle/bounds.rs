//! The least and the most a host can count, whatever order it took overlapping
//! requests in (protocol description, section 6).
//!
//! **The least.** While a table holds at least K machines and none of its entries
//! is 30 days old, the K last to ask are in it: an entry is pushed out by newer
//! ones only. So from any moment on after which K is known, the table holds all
//! machines that surely asked since, up to K. A [`Stretch`] is such a moment. One
//! begins with the first request, one whenever an answer shows that a larger N
//! policy is in force, and one every two weeks, because what is older than 30 days
//! proves nothing. A table that nothing expires from does not shrink either, so
//! a count once seen holds, and each machine never asked for before adds one.
//!
//! **The most.** No more than asked, each once; no more than twice the largest N
//! policy; and after a count was seen, no more than that and the machines that were
//! not surely part of it.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::clock::passed;
use super::mirror::{LIFETIME, capacity};
use super::moments::{Moments, Peaks, Tick};
use super::{Sighting, TableBefore};
use crate::wire::{FileTime, Guid};

/// What requests and answers of one application say of the host's table.
#[derive(Debug)]
pub(super) struct Bounds {
    before: TableBefore,
    /// For how long a machine that asked is surely remembered.
    horizon: Duration,
    /// Every machine that may have been counted, and one more than the number of the newest stretch
    /// it was counted in; 0 when it surely was in none.
    machines: HashMap<Guid, u32>,
    /// When each of them was first asked for.
    asked: Moments,
    /// The capacity asked for so far.
    largest: Peaks<()>,
    stretches: VecDeque<Stretch>,
    /// Whether some request was surely taken: from then on the first stretch's capacity stands.
    is_begun: bool,
    seen: Peaks<Sighting>,
    /// For each count seen: the machines that surely are part of it, less the count.
    strangers: Peaks<Sighting>,
    latest: Option<(Tick, Sighting)>,
}

/// A stretch of time from which on the table holds at least `capacity`.
#[derive(Debug)]
struct Stretch {
    number: u32,
    from: Tick,
    /// Our estimate of the host's clock then, or earlier.
    wall: FileTime,
    capacity: u64,
    /// For each machine that surely was counted since: when that was first known.
    counted: Moments,
    /// What the table was known to hold at a moment, less the machines asked for before it.
    sizes: Peaks<()>,
}

/// One request a host takes, as far as counting goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    pub cmid: Guid,
    pub n_policy: u32,
    /// Whether its machine was never asked for before.
    pub first: bool,
    /// When it was told.
    pub at: Tick,
    /// When it was sent; it was processed after that.
    pub sent: Tick,
    /// When it was answered; it was processed before that.
    pub received: Tick,
    /// Our estimate of the host's clock at `at`.
    pub wall: FileTime,
    /// And at `received`.
    pub wall_after: FileTime,
}

/// A bound, and what it rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bound {
    pub count: u64,
    pub ground: Ground,
}

/// What a bound rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Ground {
    /// The requester is always counted.
    Requester,
    /// Everything is known: requests came one after the other.
    Exactly,
    /// So many machines surely are in the table, this one included.
    Counted(u64),
    /// The table is full: it holds so many.
    Full(u64),
    /// This was counted before, and a table does not shrink.
    Seen(Sighting),
    /// The table grew by machines never asked for before.
    Grown,
    /// So many machines have asked.
    Asked(u64),
    /// This was counted before, and only so many machines can be new since.
    Since(Sighting, u64),
}

impl Bounds {
    pub fn new(before: TableBefore, clock_uncertainty: Duration) -> Bounds {
        Bounds {
            before,
            horizon: LIFETIME.saturating_sub(MARGIN).saturating_sub(clock_uncertainty.saturating_mul(2)),
            machines: HashMap::new(),
            asked: Moments::default(),
            largest: Peaks::default(),
            stretches: VecDeque::new(),
            is_begun: false,
            seen: Peaks::default(),
            strangers: Peaks::default(),
            latest: None,
        }
    }

    /// A request that may be counted is about to be made; whether its machine was never asked for before.
    pub fn ask(&mut self, cmid: Guid, n_policy: u32, at: Tick, wall: FileTime) -> bool {
        let capacity = capacity(n_policy);
        match self.stretches.back_mut() {
            None => self.begin(Tick::default(), wall, capacity),
            Some(only) if !self.is_begun => only.capacity = only.capacity.min(capacity),
            Some(last) if passed(last.wall, wall) >= STRETCH => {
                let (from, capacity) = (at.max(last.from), last.capacity);
                self.begin(from, wall, capacity);
            }
            Some(_) => {}
        }
        while self.stretches.len() > 1 && !self.reaches(self.stretches[0].wall, wall) {
            self.stretches.pop_front();
        }
        self.largest.note(at, capacity as i64, ());
        let first = !self.machines.contains_key(&cmid);
        if first {
            self.machines.insert(cmid, 0);
            self.asked.insert(at);
        }
        first
    }

    /// The least a host counts that takes this request. `surely` leaves out what other clients of the
    /// host could explain.
    pub fn least(&self, taken: &Taken, surely: bool) -> Bound {
        let entered = self.entered(taken.cmid);
        let mut least = Bound { count: 1, ground: Ground::Requester };
        for held in self.stretches_before(taken) {
            let counted = held.counted.until(taken.sent) + u64::from(entered <= held.number);
            least.raise(held.capacity, counted, Ground::Counted(counted));
            if self.is_ours(taken.wall_after) {
                let grown = self.grown(held, taken.sent);
                // Its own machine is one more where it was never asked for before.
                let with_it = if taken.first && entered == 0 {
                    self.grown_since(held, taken.at, taken.sent).map(|grown| grown + 1)
                } else {
                    None
                };
                least.raise(held.capacity, grown.max(with_it).unwrap_or(0), Ground::Grown);
            }
        }
        if self.is_ours(taken.wall_after) || !surely && self.is_young(taken.wall_after) {
            least.raise_to_seen(self.highest(taken.sent));
        }
        least
    }

    /// The most a host counts that takes this request; `None` when nothing is known. Where other clients
    /// may ask too it is what would be most without them.
    pub fn most(&self, taken: &Taken) -> Option<Bound> {
        let machines = self.machines_until(taken.received);
        let mut most: Option<Bound> = None;
        let mut lower = |count: u64, ground: Ground| {
            if most.is_none_or(|held| count < held.count) {
                most = Some(Bound { count, ground });
            }
        };
        if self.before == TableBefore::Empty {
            lower(machines, Ground::Asked(machines));
            let capacity = self.largest.at(taken.received).map_or(1, |(capacity, ())| capacity as u64);
            lower(capacity, Ground::Full(capacity));
        }
        if self.is_young(taken.wall_after)
            && let Some((ours, sighting)) = self.strangers.at(taken.sent)
        {
            let count = (machines as i64 - ours).max(1) as u64;
            lower(count, Ground::Since(sighting, count.saturating_sub(u64::from(sighting.count))));
        }
        most
    }

    /// How many the table holds, when it holds as many as it ever will of so many machines that ask with N
    /// policies up to that: all of them, or as many as there is room for.
    pub fn full(&self, machines: u64, n_policy_max: u32) -> Option<u32> {
        let due = capacity(n_policy_max).min(machines);
        let is_full = |held: &Stretch| held.capacity == capacity(n_policy_max) && held.counted.len() >= due;
        self.stretches.iter().any(is_full).then(|| u32::try_from(due).ok()).flatten()
    }

    /// The host surely counted the machine. `trusted` is what it said, if it may have said that.
    pub fn counted(&mut self, taken: &Taken, trusted: Option<Sighting>) {
        if let Some(sighting) = trusted {
            self.note_stranger(taken, sighting);
        }
        self.enter(taken);
        self.is_begun = true;
        let capacity = capacity(taken.n_policy);
        if let Some(last) = self.stretches.back()
            && last.capacity < capacity
        {
            let from = taken.received.max(last.from);
            let size = self.size(from, taken.wall);
            self.begin(from, taken.wall, capacity);
            self.note_size(from, size);
        }
        if let Some(sighting) = trusted {
            self.seen.note(taken.received, i64::from(sighting.count), sighting);
            self.note_size(taken.received, u64::from(sighting.count));
            self.latest = Some((taken.received, sighting));
        }
    }

    /// Nothing that was concluded from counts holds any longer: the host does not do as it should, or
    /// others ask it.
    pub fn forget_counts(&mut self) {
        self.seen.clear();
        self.strangers.clear();
        self.stretches.iter_mut().for_each(|stretch| stretch.sizes.clear());
    }

    /// The latest count there was before `sent`, for comparison.
    pub fn latest(&self, sent: Tick) -> Option<Sighting> {
        self.latest.filter(|(received, _)| *received <= sent).map(|(_, sighting)| sighting)
    }

    /// The highest count there was before `sent`.
    pub fn highest(&self, sent: Tick) -> Option<Sighting> {
        self.seen.at(sent).map(|(_, sighting)| sighting)
    }

    /// How many of our machines can have been counted by `received`; the one that asks at least.
    pub fn machines_until(&self, received: Tick) -> u64 {
        self.asked.until(received).max(1)
    }

    /// One more than the number of the newest stretch the machine was counted in.
    fn entered(&self, cmid: Guid) -> u32 {
        self.machines.get(&cmid).copied().unwrap_or(0)
    }

    /// The stretches this request surely is part of, and in which nobody's entry is too old.
    fn stretches_before(&self, taken: &Taken) -> impl Iterator<Item = &Stretch> {
        let (sent, now) = (taken.sent, taken.wall_after);
        self.stretches.iter().filter(move |held| held.from <= sent && self.reaches(held.wall, now))
    }

    fn begin(&mut self, from: Tick, wall: FileTime, capacity: u64) {
        let number = self.stretches.back().map_or(0, |last| last.number + 1);
        let (counted, sizes) = (Moments::default(), Peaks::default());
        self.stretches.push_back(Stretch { number, from, wall, capacity, counted, sizes });
        if self.stretches.len() > STRETCHES_MAX {
            self.stretches.remove(1);
        }
    }

    /// The machine was counted: it belongs to every stretch that began before.
    fn enter(&mut self, taken: &Taken) {
        let Some(newest) = self.stretches.iter().rev().find(|held| held.from <= taken.sent).map(|held| held.number)
        else {
            return;
        };
        let entered = self.machines.entry(taken.cmid).or_insert(0);
        for held in self.stretches.iter_mut().filter(|held| (*entered..=newest).contains(&held.number)) {
            held.counted.insert(taken.received);
        }
        *entered = (*entered).max(newest + 1);
    }

    /// Notes that the table held at least `size` at `at`.
    fn note_size(&mut self, at: Tick, size: u64) {
        let value = size as i64 - self.asked.until(at) as i64;
        for held in self.stretches.iter_mut().filter(|held| held.from <= at) {
            held.sizes.note(at, value, ());
        }
    }

    /// What the table has grown to by `at`, nobody being pushed out: a size it had, and every machine
    /// counted since that was not even asked for then.
    fn grown(&self, stretch: &Stretch, at: Tick) -> Option<u64> {
        self.grown_since(stretch, at, at)
    }

    /// The same, from a size it had by `then`.
    fn grown_since(&self, stretch: &Stretch, then: Tick, at: Tick) -> Option<u64> {
        let first = self.stretches.front().filter(|first| first.number == 0)?;
        let (size, ()) = stretch.sizes.at(then)?;
        Some((size + first.counted.until(at) as i64).max(0) as u64)
    }

    /// Holds a count against the machines that surely are part of it: what is left are strangers.
    fn note_stranger(&mut self, taken: &Taken, sighting: Sighting) {
        let count = u64::from(sighting.count);
        let entered = self.entered(taken.cmid);
        // In a stretch whose table was never full nobody was pushed out.
        let never_full = self.stretches_before(taken).filter(|held| held.capacity > count);
        let ours = never_full.map(|held| held.counted.until(taken.sent) + u64::from(entered <= held.number)).max();
        if let Some(ours) = ours {
            self.strangers.note(taken.received, ours as i64 - count as i64, sighting);
        }
    }

    /// The least the table surely holds at `at`.
    fn size(&self, at: Tick, now: FileTime) -> u64 {
        let mut least = Bound { count: 1, ground: Ground::Requester };
        for held in self.stretches.iter().filter(|held| held.from <= at && self.reaches(held.wall, now)) {
            let counted = held.counted.until(at);
            least.raise(held.capacity, counted, Ground::Counted(counted));
            if self.is_ours(now) {
                least.raise(held.capacity, self.grown(held, at).unwrap_or(0), Ground::Grown);
            }
        }
        if self.is_ours(now) {
            least.raise_to_seen(self.highest(at));
        }
        least.count
    }

    /// Whether what happened at `then` is still in the table at `now`.
    fn reaches(&self, then: FileTime, now: FileTime) -> bool {
        passed(then, now) <= self.horizon
    }

    /// Whether nothing expired since the first request.
    fn is_young(&self, now: FileTime) -> bool {
        self.stretches.front().is_some_and(|first| first.number == 0 && self.reaches(first.wall, now))
    }

    /// Whether nothing expired at all, and nobody else asks.
    fn is_ours(&self, now: FileTime) -> bool {
        self.before == TableBefore::Empty && self.is_young(now)
    }
}

impl Bound {
    fn raise(&mut self, capacity: u64, count: u64, ground: Ground) {
        let ground = if count > capacity { Ground::Full(capacity) } else { ground };
        let count = count.min(capacity);
        if count > self.count {
            *self = Bound { count, ground };
        }
    }

    fn raise_to_seen(&mut self, seen: Option<Sighting>) {
        if let Some(sighting) = seen
            && u64::from(sighting.count) > self.count
        {
            *self = Bound { count: u64::from(sighting.count), ground: Ground::Seen(sighting) };
        }
    }
}

/// Left of the 30 days an entry lasts, so that no clock's drift matters.
const MARGIN: Duration = Duration::from_secs(24 * 3600);

/// How often a new stretch begins: two fit into an entry's life.
const STRETCH: Duration = Duration::from_secs(14 * 24 * 3600);

/// More are only had where N policies rise step by step; the first and the newest say most.
const STRETCHES_MAX: usize = 8;
