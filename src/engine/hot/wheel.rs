//! A timing wheel: when each of many timers is due, at a price that does not grow with how many there are.
//!
//! Timers are the numbers `0..timers`, each pending once at most. They stand in a slot for each 256 ticks, and
//! once that begins they are laid out: sorted into a row by their ticks, all at once. Those that come
//! later, or are too many for the row, stand in a bucket for each tick. Timers further away than there
//! are slots wait beyond them, and are looked at again half a lap before the first of them is due.
//!
//! With a million timers everything waits for memory, and what is written to an address that has to
//! be read from memory first keeps all behind it waiting too: a chain through the timers themselves takes
//! three times as long. So buckets are chains of chunks. The chunks that are written to are few enough to
//! stay in a core's own cache; those that are read are read in a row.
//!
//! Nothing is allocated after the beginning. A timer costs 4 bytes, 6 more while it is pending and 8 more once
//! it was beyond all slots; the buckets cost 70 KiB, the row 48 KiB, and chunks that are not full 1 MiB at most.
//!
//! Time comes in as an argument, in ns from whatever beginning the caller has. A timer never fires
//! early, and less than a tick late for the wheel's part: its due time is rounded up to a tick.

use super::occupied::Occupied;

/// Which timers are due.
#[derive(Debug)]
pub struct Wheel {
    tick_ns: u64,
    /// 2^64 parts of a tick, rounded down: to multiply by, for a division takes longer than all the rest.
    tick_inverse: u64,
    /// The tick that is fired; every earlier one was.
    now: u64,
    /// One for each tick of the present slot, one for each slot, and two for what is further away.
    buckets: Vec<Bucket>,
    ticks: Occupied,
    slots: Occupied,
    chunks: Vec<Chunk>,
    /// The first chunk nobody uses; each names the next.
    free: u32,
    /// Where each timer stands: its chunk and its place there, its place in the row from [`ROWED`] on, or [`IDLE`].
    places: Vec<u32>,
    /// The timers of the present slot that it began with, in the order of their ticks; [`IDLE`] where one was taken out.
    row: Vec<u32>,
    /// Where the ticks of the row end, and how far it has been fired.
    ends: [u16; SLOT],
    row_at: usize,
    /// The same as they come out of their chunks, with their ticks.
    unsorted: Vec<(u32, u8)>,
    /// The ticks of timers that are beyond all slots.
    due: Vec<u64>,
    /// Which of the two buckets beyond all slots takes timers; the other is emptied.
    beyond: usize,
    /// No timer beyond all slots is due before that.
    soonest: u64,
    pending: usize,
    work_max: usize,
}

/// The timers of a tick, or of a slot.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// Its first chunk, or [`IDLE`]. Those behind it are full.
    first: u32,
    /// How many timers are in that.
    len: u32,
}

/// Some timers of one bucket: two cache lines, which are fetched together.
#[derive(Debug, Clone, Copy)]
#[repr(align(128))]
struct Chunk {
    timers: [u32; CHUNK],
    /// Which tick of its slot each is due in.
    ticks: [u8; CHUNK],
    bucket: u16,
    next: u32,
}

impl Wheel {
    /// A wheel for the timers `0..timers`, none of them pending, with ticks of `tick_ns`.
    ///
    /// # Panics
    /// When there are more than 2^28 timers, or a tick is 0 ns.
    pub fn new(timers: usize, tick_ns: u64) -> Wheel {
        assert!(timers <= TIMERS_MAX, "{timers} timers: expected {TIMERS_MAX} at most");
        assert!(tick_ns > 0, "a tick of 0 ns: expected 1 at least");
        // Every bucket that is not empty has one chunk that may not be full.
        let chunks = timers / CHUNK + timers.min(BUCKETS);
        Wheel {
            tick_ns,
            tick_inverse: u64::MAX / tick_ns,
            now: 0,
            buckets: vec![Bucket { first: IDLE, len: 0 }; BUCKETS],
            ticks: Occupied::new(SLOT),
            slots: Occupied::new(SLOTS),
            chunks: Vec::with_capacity(chunks),
            free: IDLE,
            places: vec![IDLE; timers],
            row: Vec::with_capacity(timers.min(ROW)),
            ends: [0; SLOT],
            row_at: 0,
            unsorted: Vec::with_capacity(timers.min(ROW)),
            due: vec![0; timers],
            beyond: BEYOND,
            soonest: u64::MAX,
            pending: 0,
            work_max: WORK_MAX,
        }
    }

    /// Whether this one is.
    pub fn is_pending(&self, id: u32) -> bool {
        self.places[id as usize] != IDLE
    }

    /// Lets a timer fire at `due_ns`, and at no other time it may have been given before. One that is
    /// overdue fires in the next [`Wheel::advance`].
    pub fn insert(&mut self, id: u32, due_ns: u64) {
        self.remove(id);
        let (whole, rest_ns) = self.ticks_in(due_ns);
        self.place(id, (whole + u64::from(rest_ns > 0)).max(self.now));
        self.pending += 1;
    }

    /// Takes a timer out, at once and wholly; one that is not pending stays so.
    pub fn remove(&mut self, id: u32) {
        let place = std::mem::replace(&mut self.places[id as usize], IDLE);
        if place == IDLE {
            return;
        }
        self.pending -= 1;
        if place >= ROWED {
            self.row[(place - ROWED) as usize] = IDLE;
            return;
        }
        let (chunk, at) = (place as usize / PLACES, place as usize % PLACES);
        // The last of its bucket fills the gap, unless it is that itself.
        let bucket = usize::from(self.chunks[chunk].bucket);
        let (last, tick) = self.pop(bucket);
        if last != id {
            self.chunks[chunk].timers[at] = last;
            self.chunks[chunk].ticks[at] = tick;
            self.places[last as usize] = place;
        }
    }

    /// No timer is due before that; `None` if none is pending. What [`Wheel::advance`] left over is
    /// due by the time it was given.
    /// Exact to the tick for timers of the present slot; of a later one it is the slot's beginning, when
    /// nothing may fire yet. It may be a tick early for each timer that was removed.
    pub fn next_due_ns(&self) -> Option<u64> {
        let tick = self.next_tick()?;
        (self.pending > 0).then(|| tick.saturating_mul(self.tick_ns))
    }

    /// Appends the timers due by `now_ns` to `fired`, tick by tick, and those of one tick in no order
    /// to count on. They are not pending any more.
    ///
    /// It moves at most 4,096 timers, so that whoever is late is not made later by one long call: if
    /// there were more, [`Wheel::next_due_ns`] is not after `now_ns`, and the next call goes on.
    pub fn advance(&mut self, now_ns: u64, fired: &mut Vec<u32>) {
        let (target, _) = self.ticks_in(now_ns);
        let mut work = self.work_max;
        while self.now <= target {
            let is_done = self.bring_near(&mut work) && self.lay_out(&mut work) && self.fire(fired, &mut work);
            if !is_done || self.now == target {
                return;
            }
            let next = self.next_tick().map_or(target, |tick| tick.min(target));
            if slot_of(next) != slot_of(self.now) {
                self.row.clear();
                self.row_at = 0;
            }
            self.now = next;
        }
    }

    /// Finds places for those beyond all slots, once the first of them is half a lap away; whether there was
    /// work enough for all of them.
    fn bring_near(&mut self, work: &mut usize) -> bool {
        let waiting = self.left_beyond();
        if self.is_empty(waiting) && self.looks_beyond_at().is_some_and(|tick| tick <= self.now) {
            // They change places: whoever is still too far away goes where new ones go.
            self.beyond = waiting;
            self.soonest = u64::MAX;
        }
        let waiting = self.left_beyond();
        while !self.is_empty(waiting) && *work > 0 {
            let (id, _) = self.pop(waiting);
            self.place(id, self.due[id as usize]);
            *work -= 1;
        }
        self.is_empty(waiting)
    }

    /// Sees to it that the timers of the present slot stand where they fire from; whether there was work
    /// enough for all of them.
    fn lay_out(&mut self, work: &mut usize) -> bool {
        let bucket = slot_bucket(slot_of(self.now));
        if self.row.is_empty() && !self.is_empty(bucket) {
            self.fill_row(bucket, work);
        }
        while !self.is_empty(bucket) && *work > 0 {
            let (id, tick) = self.pop(bucket);
            self.push(usize::from(tick), id, tick);
            *work -= 1;
        }
        self.is_empty(bucket)
    }

    /// Sorts as many timers of that bucket into the row as fit, by counting how many there are of each tick.
    fn fill_row(&mut self, bucket: usize, work: &mut usize) {
        let mut counts = [0; SLOT];
        self.unsorted.clear();
        loop {
            let Bucket { first, len } = self.buckets[bucket];
            if first == IDLE || len as usize > *work || self.unsorted.len() + CHUNK > ROW {
                break;
            }
            let chunk = &mut self.chunks[first as usize];
            for at in 0..len as usize {
                self.unsorted.push((chunk.timers[at], chunk.ticks[at]));
                counts[usize::from(chunk.ticks[at])] += 1;
            }
            *work -= len as usize;
            self.buckets[bucket] = Bucket { first: chunk.next, len: CHUNK as u32 };
            chunk.next = std::mem::replace(&mut self.free, first);
        }
        if self.is_empty(bucket) {
            self.slots.clear(bucket - SLOT);
        }
        let mut end = 0;
        for (tick, count) in counts.iter().enumerate() {
            if *count > 0 {
                self.ticks.set(tick);
            }
            self.ends[tick] = end;
            end += count;
        }
        self.row.resize(self.unsorted.len(), IDLE);
        for &(id, tick) in &self.unsorted {
            let at = &mut self.ends[usize::from(tick)];
            self.row[usize::from(*at)] = id;
            self.places[id as usize] = ROWED + u32::from(*at);
            *at += 1;
        }
    }

    /// Fires the present tick; whether there was work enough for all of it.
    fn fire(&mut self, fired: &mut Vec<u32>, work: &mut usize) -> bool {
        let tick = (self.now % SLOT as u64) as usize;
        if !self.ticks.has(tick) {
            return true;
        }
        let end = if self.row.is_empty() { 0 } else { usize::from(self.ends[tick]) };
        let upto = end.min(self.row_at + *work);
        for at in self.row_at..upto {
            let id = self.row[at];
            if id != IDLE {
                self.places[id as usize] = IDLE;
                fired.push(id);
                self.pending -= 1;
            }
        }
        *work -= upto - self.row_at;
        self.row_at = upto;
        while !self.is_empty(tick) && *work > 0 {
            let (id, _) = self.pop(tick);
            self.places[id as usize] = IDLE;
            fired.push(id);
            self.pending -= 1;
            *work -= 1;
        }
        let is_done = upto == end && self.is_empty(tick);
        if is_done {
            self.ticks.clear(tick);
        }
        is_done
    }

    /// Puts a timer into the bucket for its tick, or for its slot, or beyond those.
    fn place(&mut self, id: u32, due: u64) {
        let tick = (due % SLOT as u64) as u8;
        match slot_of(due) - slot_of(self.now) {
            0 => self.push(usize::from(tick), id, tick),
            away if away < SLOTS as u64 => self.push(slot_bucket(slot_of(due)), id, tick),
            _ => {
                self.due[id as usize] = due;
                self.soonest = self.soonest.min(due);
                self.push(self.beyond, id, tick);
            }
        }
    }

    fn push(&mut self, bucket: usize, id: u32, tick: u8) {
        let Bucket { first, len } = self.buckets[bucket];
        let (chunk, at) = match first == IDLE || len as usize == CHUNK {
            true => (self.take_chunk(first, bucket), 0),
            false => (first, len),
        };
        let into = &mut self.chunks[chunk as usize];
        (into.timers[at as usize], into.ticks[at as usize]) = (id, tick);
        self.buckets[bucket] = Bucket { first: chunk, len: at + 1 };
        self.places[id as usize] = chunk * PLACES as u32 + at;
    }

    /// Takes the last timer out of a bucket that is not empty. Its place is the caller's to write.
    fn pop(&mut self, bucket: usize) -> (u32, u8) {
        let Bucket { first, len } = self.buckets[bucket];
        let chunk = &mut self.chunks[first as usize];
        let popped = (chunk.timers[len as usize - 1], chunk.ticks[len as usize - 1]);
        if len > 1 {
            self.buckets[bucket].len = len - 1;
            return popped;
        }
        let next = std::mem::replace(&mut chunk.next, self.free);
        self.free = first;
        self.buckets[bucket] = Bucket { first: next, len: CHUNK as u32 };
        if next == IDLE && (SLOT..BEYOND).contains(&bucket) {
            self.slots.clear(bucket - SLOT);
        }
        popped
    }

    /// An empty chunk that goes before `next`.
    fn take_chunk(&mut self, next: u32, bucket: usize) -> u32 {
        if next == IDLE {
            match bucket {
                ..SLOT => self.ticks.set(bucket),
                SLOT..BEYOND => self.slots.set(bucket - SLOT),
                _ => {}
            }
        }
        let bucket = bucket as u16;
        if self.free == IDLE {
            self.chunks.push(Chunk { timers: [IDLE; CHUNK], ticks: [0; CHUNK], next, bucket });
            return self.chunks.len() as u32 - 1;
        }
        let taken = self.free;
        let chunk = &mut self.chunks[taken as usize];
        self.free = chunk.next;
        (chunk.next, chunk.bucket) = (next, bucket);
        taken
    }

    fn is_empty(&self, bucket: usize) -> bool {
        self.buckets[bucket].first == IDLE
    }

    /// The bucket of those that wait to be brought near.
    fn left_beyond(&self) -> usize {
        2 * BEYOND + 1 - self.beyond
    }

    /// When those beyond all slots are looked at; `None` if there are none.
    fn looks_beyond_at(&self) -> Option<u64> {
        let slot = slot_of(self.soonest).saturating_sub(SLOTS as u64 / 2);
        (!self.is_empty(self.beyond)).then(|| (slot * SLOT as u64).max(self.now))
    }

    /// The first tick, from the present one on, in which something is to be done.
    fn next_tick(&self) -> Option<u64> {
        let slot = slot_of(self.now);
        if !self.is_empty(slot_bucket(slot)) || !self.is_empty(self.left_beyond()) {
            return Some(self.now);
        }
        let index = (self.now % SLOT as u64) as usize;
        if let Some(found) = self.ticks.first_from(index) {
            return Some(self.now + (found - index) as u64);
        }
        let away = self.slots.first_after(slot_bucket(slot) - SLOT);
        let next = away.map(|away| (slot + away as u64) * SLOT as u64);
        match (next, self.looks_beyond_at()) {
            (Some(next), Some(beyond)) => Some(next.min(beyond)),
            (next, beyond) => next.or(beyond),
        }
    }

    /// The whole ticks in a time, and what is left of it.
    fn ticks_in(&self, ns: u64) -> (u64, u64) {
        // Too small by one at most, for that is what rounding takes from so many 2^64th parts.
        let ticks = ((u128::from(ns) * u128::from(self.tick_inverse)) >> 64) as u64;
        match ns - ticks * self.tick_ns {
            rest_ns if rest_ns < self.tick_ns => (ticks, rest_ns),
            rest_ns => (ticks + 1, rest_ns - self.tick_ns),
        }
    }
}

fn slot_of(tick: u64) -> u64 {
    tick / SLOT as u64
}

fn slot_bucket(slot: u64) -> usize {
    SLOT + slot as usize % SLOTS
}

/// No chunk, and the place of a timer that is not pending.
const IDLE: u32 = u32::MAX;
/// Places from here on are of the row.
const ROWED: u32 = 1 << 31;
/// So many timers fill it, with their ticks, the chunk's bucket and next.
const CHUNK: usize = 23;
/// Places are counted as if a chunk had so many.
const PLACES: usize = 32;
/// At that many, places are still numbers of 32 bits.
const TIMERS_MAX: usize = 1 << 28;
/// The ticks of a slot: as many as a byte can tell apart.
const SLOT: usize = 1 << 8;
/// The slots of a lap.
const SLOTS: usize = 1 << 13;
/// The first of two buckets for what is further away.
const BEYOND: usize = SLOT + SLOTS;
const BUCKETS: usize = BEYOND + 2;
/// So many timers are in the row at most.
const ROW: usize = 4096;
/// So many are moved in one go.
const WORK_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const TICK_NS: u64 = 10;
    const TIMERS: u32 = 40;

    #[derive(Debug, Clone)]
    enum Deed {
        Insert { id: u32, by_ns: u64, is_overdue: bool },
        Remove(u32),
        Advance { by_ns: u64, calls: usize },
    }

    /// Times of every order of magnitude, from below a tick to many times what the slots span.
    fn span_ns() -> impl Strategy<Value = u64> {
        (0..36u32, any::<u64>()).prop_map(|(bits, random)| random & ((1 << bits) - 1))
    }

    fn deed() -> impl Strategy<Value = Deed> {
        let id = 0..TIMERS;
        prop_oneof![
            7 => (id.clone(), span_ns(), prop::bool::weighted(0.14))
                .prop_map(|(id, by_ns, is_overdue)| Deed::Insert { id, by_ns, is_overdue }),
            1 => id.prop_map(Deed::Remove),
            4 => (span_ns(), prop_oneof![1..4usize, Just(usize::MAX)])
                .prop_map(|(by_ns, calls)| Deed::Advance { by_ns, calls }),
        ]
    }

    /// Calls until nothing that is due is left, or so often; says whether nothing is.
    fn advance(wheel: &mut Wheel, now_ns: u64, calls: usize, fired: &mut Vec<u32>) -> bool {
        for call in 0..calls {
            if wheel.next_due_ns().is_none_or(|due_ns| due_ns > now_ns) && call > 0 {
                return true;
            }
            // Whenever those beyond all slots are looked at, at least one of them comes near.
            assert!(call < 2 * (TIMERS * TIMERS) as usize, "it goes on for ever");
            let before = fired.len();
            wheel.advance(now_ns, fired);
            assert!(fired.len() - before <= wheel.work_max);
        }
        false
    }

    proptest! {
        #![proptest_config(crate::cases::config(256))]

        #[test]
        fn it_fires_what_a_sorted_map_does(deeds in prop::collection::vec(deed(), 1..120), work_max in 1..8usize) {
            let mut wheel = Wheel { work_max, ..Wheel::new(TIMERS as usize, TICK_NS) };
            // What each pending timer was given, and the tick it has by that.
            let mut model: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
            let (mut now_ns, mut last_tick) = (0u64, 0);
            for deed in deeds {
                match deed {
                    Deed::Insert { id, by_ns, is_overdue } => {
                        let due_ns = if is_overdue { now_ns.saturating_sub(by_ns) } else { now_ns + by_ns };
                        model.insert(id, (due_ns, due_ns.div_ceil(TICK_NS).max(wheel.now)));
                        wheel.insert(id, due_ns);
                    }
                    Deed::Remove(id) => {
                        model.remove(&id);
                        wheel.remove(id);
                    }
                    Deed::Advance { by_ns, calls } => {
                        now_ns += by_ns;
                        let mut fired = Vec::new();
                        let is_done = advance(&mut wheel, now_ns, calls, &mut fired);
                        for id in fired {
                            let (due_ns, tick) = model.remove(&id).expect("pending, and fires once");
                            prop_assert!(due_ns <= now_ns, "{id} fired early");
                            prop_assert!(last_tick <= tick, "{id} of tick {tick} fired after tick {last_tick}");
                            last_tick = tick;
                        }
                        // A tick that is not over fires with the next.
                        let left = model.values().filter(|(_, tick)| *tick <= now_ns / TICK_NS).count();
                        prop_assert!(!is_done || left == 0, "{left} did not fire");
                    }
                }
                prop_assert_eq!(wheel.pending, model.len());
                for id in 0..TIMERS {
                    prop_assert_eq!(wheel.is_pending(id), model.contains_key(&id));
                }
                let first_ns = model.values().map(|(_, tick)| tick * TICK_NS).min();
                let due_ns = wheel.next_due_ns();
                prop_assert_eq!(due_ns.is_some(), first_ns.is_some());
                prop_assert!(due_ns <= first_ns, "{due_ns:?} is after {first_ns:?}");
            }
        }

        #[test]
        fn ticks_are_counted_as_by_division(ns in prop_oneof![any::<u64>(), 0..100_000u64], tick_ns in prop_oneof![1..5_000u64, 1..u64::MAX]) {
            for ns in [ns, ns / tick_ns * tick_ns, u64::MAX] {
                prop_assert_eq!(Wheel::new(1, tick_ns).ticks_in(ns), (ns / tick_ns, ns % tick_ns));
            }
        }
    }

    #[test]
    fn a_timer_fires_in_the_tick_after_its_time_and_not_before() {
        let mut wheel = Wheel::new(3, 1_000);
        wheel.insert(0, 1_500);
        wheel.insert(1, 2_000);
        wheel.insert(2, 2_001);
        assert_eq!(wheel.next_due_ns(), Some(2_000));
        let mut fired = Vec::new();
        wheel.advance(1_999, &mut fired);
        assert!(fired.is_empty());
        wheel.advance(2_000, &mut fired);
        assert_eq!(fired, [1, 0]);
        assert_eq!(wheel.next_due_ns(), Some(3_000));
        wheel.advance(u64::MAX, &mut fired);
        assert_eq!((fired, wheel.pending == 0, wheel.next_due_ns()), (vec![1, 0, 2], true, None));
    }

    #[test]
    fn one_that_is_given_a_new_time_has_only_that_one() {
        let mut wheel = Wheel::new(2, 1);
        for due_ns in [5, u64::MAX, 700, 3] {
            wheel.insert(1, due_ns);
        }
        let mut fired = Vec::new();
        wheel.advance(1_000_000, &mut fired);
        assert_eq!((fired, wheel.pending), (vec![1], 0));
    }

    #[test]
    fn one_call_moves_no_more_than_it_may_and_the_next_goes_on() {
        let timers = 3 * WORK_MAX as u32;
        let mut wheel = Wheel::new(timers as usize, 1_000);
        // Of a later slot: they have to be laid out before they fire.
        let due_ns = 1_000 * (5 * SLOT as u64) + 1;
        for id in 0..timers {
            wheel.insert(id, due_ns);
        }
        let mut fired = Vec::new();
        let mut calls = 0;
        while wheel.next_due_ns().is_some_and(|next_ns| next_ns <= due_ns + 1_000) {
            wheel.advance(due_ns + 1_000, &mut fired);
            calls += 1;
            assert!(fired.len() <= calls * WORK_MAX);
        }
        assert_eq!(fired.len(), timers as usize);
        assert!((6..=8).contains(&calls), "each timer is moved twice, {WORK_MAX} at a time: {calls} calls");
    }

    #[test]
    fn a_long_sleep_costs_no_laps() {
        let mut wheel = Wheel { work_max: 1, ..Wheel::new(2, 1) };
        let due = 1_000_000 * (SLOT * SLOTS) as u64 + 7;
        wheel.insert(0, due);
        wheel.insert(1, due + 1);
        let mut fired = Vec::new();
        let mut calls = 0;
        while fired.len() < 2 {
            wheel.advance(u64::MAX, &mut fired);
            calls += 1;
        }
        assert_eq!((fired, calls), (vec![0, 1], 6), "each comes near, is laid out and fires");
    }

    #[test]
    fn nobody_is_called_before_a_slot_begins_nor_for_what_is_removed_from_it() {
        let mut wheel = Wheel::new(3, 1);
        let slot = 9 * SLOT as u64;
        wheel.insert(0, slot + 5);
        wheel.insert(1, slot + 6);
        let mut fired = Vec::new();
        wheel.advance(100, &mut fired);
        assert_eq!(wheel.next_due_ns(), Some(slot));
        wheel.advance(slot, &mut fired);
        assert_eq!(wheel.next_due_ns(), Some(slot + 5), "they are laid out");
        wheel.remove(0);
        wheel.insert(2, slot + 6);
        wheel.advance(slot + 5, &mut fired);
        assert_eq!((fired.len(), wheel.next_due_ns()), (0, Some(slot + 6)));
        wheel.advance(slot + 6, &mut fired);
        assert_eq!((fired, wheel.next_due_ns()), (vec![1, 2], None));
    }
}
