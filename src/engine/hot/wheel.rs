//! A timing wheel: when each of many timers is due, at a price that does not grow with how many there are.
//!
//! Timers are the numbers `0..timers`, each pending once at most. Near ones stand in a bucket for
//! each tick, of the present turn and the next; far ones in a bucket for each turn, and come near
//! a few at a time while the turn before theirs goes by, so that no tick pays for a whole turn.
//!
//! Buckets are chains of chunks, not of timers: with a million of them a chain through the timers
//! themselves waits for memory at every link, and chunks are read in a row. Nothing is allocated after the
//! beginning. A timer costs 4 bytes, 7 more while it is pending and 8 more once it was further away than
//! there are turns; the buckets cost 100 KiB, and chunks that are not full 768 KiB at most.
//!
//! Time comes in as an argument, in ns from whatever beginning the caller has. A timer never fires
//! early, and less than a tick late for the wheel's part: its due time is rounded up to a tick.

/// Which timers are due.
#[derive(Debug)]
pub struct Wheel {
    tick_ns: u64,
    /// The tick that is fired; every earlier one was.
    now: u64,
    /// First the near buckets, two turns of ticks; behind them the far ones.
    buckets: Vec<Bucket>,
    near: Occupied,
    far: Occupied,
    chunks: Vec<Chunk>,
    /// The first chunk nobody uses; each names the next.
    free: u32,
    /// Where each timer stands: its chunk and its place there, or [`IDLE`].
    places: Vec<u32>,
    /// The ticks of timers further away than there are turns; those of others follow from where they stand.
    due: Vec<u64>,
    pending: usize,
    /// So many far timers come near in every tick: enough that none is left when their turn begins.
    near_per_tick: u64,
    work_max: usize,
}

/// The timers of a tick, or of a turn.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// Its first chunk, or [`IDLE`]. Those behind it are full.
    first: u32,
    /// How many timers are in that.
    len: u32,
}

/// Some timers of one bucket: a cache line.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Chunk {
    timers: [u32; CHUNK],
    /// Which tick of its turn each is due in, or [`BEYOND`].
    ticks: [u16; CHUNK],
    next: u32,
    bucket: u32,
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
        let chunks = timers / CHUNK + timers.min(NEAR + FAR);
        Wheel {
            tick_ns,
            now: 0,
            buckets: vec![Bucket { first: IDLE, len: 0 }; NEAR + FAR],
            near: Occupied::new(NEAR),
            far: Occupied::new(FAR),
            chunks: Vec::with_capacity(chunks),
            free: IDLE,
            places: vec![IDLE; timers],
            due: vec![0; timers],
            pending: 0,
            near_per_tick: timers.div_ceil(TURN) as u64,
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
        self.place(id, due_ns.div_ceil(self.tick_ns).max(self.now));
        self.pending += 1;
    }

    /// Takes a timer out, at once and wholly; one that is not pending stays so.
    pub fn remove(&mut self, id: u32) {
        let place = std::mem::replace(&mut self.places[id as usize], IDLE);
        if place == IDLE {
            return;
        }
        self.pending -= 1;
        let (chunk, at) = (place as usize / PLACES, place as usize % PLACES);
        // The last of its bucket fills the gap, unless it is that itself.
        let (last, tick) = self.pop(self.chunks[chunk].bucket as usize);
        if last != id {
            self.chunks[chunk].timers[at] = last;
            self.chunks[chunk].ticks[at] = tick;
            self.places[last as usize] = place;
        }
    }

    /// No timer is due before that; `None` if none is pending. What [`Wheel::advance`] left over is
    /// due by the time it was given.
    ///
    /// Exact to the tick for timers of this turn and the next; of a later one it is the turn's
    /// beginning, when nothing may fire yet. A turn is 4,096 ticks.
    pub fn next_due_ns(&self) -> Option<u64> {
        self.next_tick().map(|tick| tick.saturating_mul(self.tick_ns))
    }

    /// Appends the timers due by `now_ns` to `fired`, tick by tick, and those of one tick in no order
    /// to count on. They are not pending any more.
    ///
    /// It moves at most 4,096 timers, so that whoever is late is not made later by one long call: if
    /// there were more, [`Wheel::next_due_ns`] is not after `now_ns`, and the next call goes on.
    pub fn advance(&mut self, now_ns: u64, fired: &mut Vec<u32>) {
        let target = now_ns / self.tick_ns;
        let mut work = self.work_max;
        while self.now <= target {
            self.bring_near(turn_of(self.now), &mut work);
            if self.far.has(far_index(turn_of(self.now))) {
                return;
            }
            self.fire(fired, &mut work);
            if work == 0 || self.now == target {
                return;
            }
            let next = self.next_tick().map_or(target, |tick| tick.min(target));
            let passed = next - self.now;
            self.now = next;
            let due = passed.saturating_mul(self.near_per_tick);
            let mut share = work.min(usize::try_from(due).unwrap_or(usize::MAX));
            work -= share;
            self.bring_near(turn_of(self.now) + 1, &mut share);
            work += share;
        }
    }

    /// Fires the present tick, as far as there is work left.
    fn fire(&mut self, fired: &mut Vec<u32>, work: &mut usize) {
        let bucket = near_index(self.now);
        while self.near.has(bucket) && *work > 0 {
            let (id, _) = self.pop(bucket);
            self.places[id as usize] = IDLE;
            fired.push(id);
            self.pending -= 1;
            *work -= 1;
        }
    }

    /// Takes far timers of that turn to where they belong now, as far as there is work left.
    fn bring_near(&mut self, turn: u64, work: &mut usize) {
        let index = far_index(turn);
        while self.far.has(index) && *work > 0 {
            let (id, tick) = self.pop(NEAR + index);
            let due = if tick == BEYOND { self.due[id as usize] } else { turn * TURN as u64 + u64::from(tick) };
            self.place(id, due);
            *work -= 1;
        }
    }

    /// Puts a timer into the bucket for its tick, or for its turn. One that is further away than
    /// the last turn there is a bucket for waits there, and is placed anew when that comes near.
    fn place(&mut self, id: u32, due: u64) {
        let (turn, now_turn) = (turn_of(due), turn_of(self.now));
        let last_turn = now_turn + FAR as u64 - 1;
        let (bucket, tick) = if turn <= now_turn + 1 {
            (near_index(due), (due % TURN as u64) as u16)
        } else if turn <= last_turn {
            (NEAR + far_index(turn), (due % TURN as u64) as u16)
        } else {
            self.due[id as usize] = due;
            (NEAR + far_index(last_turn), BEYOND)
        };
        let Bucket { first, len } = self.buckets[bucket];
        if first == IDLE {
            match bucket.checked_sub(NEAR) {
                Some(index) => self.far.set(index),
                None => self.near.set(bucket),
            }
        }
        let (chunk, at) = match first == IDLE || len as usize == CHUNK {
            true => (self.take_chunk(first, bucket as u32), 0),
            false => (first, len),
        };
        let into = &mut self.chunks[chunk as usize];
        (into.timers[at as usize], into.ticks[at as usize]) = (id, tick);
        self.buckets[bucket] = Bucket { first: chunk, len: at + 1 };
        self.places[id as usize] = chunk * PLACES as u32 + at;
    }

    /// Takes the last timer out of a bucket that is not empty. Its place is the caller's to write.
    fn pop(&mut self, bucket: usize) -> (u32, u16) {
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
        if next == IDLE {
            match bucket.checked_sub(NEAR) {
                Some(index) => self.far.clear(index),
                None => self.near.clear(bucket),
            }
        }
        popped
    }

    /// An empty chunk that goes before `next`.
    fn take_chunk(&mut self, next: u32, bucket: u32) -> u32 {
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

    /// The first tick, from the present one on, in which something is to be done.
    fn next_tick(&self) -> Option<u64> {
        // Near timers are less than a lap of their buckets away, far ones less than one of theirs.
        let near = self.near.first_after(near_index(self.now)).map(|distance| self.now + distance as u64);
        let far = self.far.first_after(far_index(turn_of(self.now))).map(|distance| {
            let turn = turn_of(self.now) + distance as u64;
            (turn * TURN as u64).max(self.now)
        });
        match (near, far) {
            (Some(near), Some(far)) => Some(near.min(far)),
            (near, far) => near.or(far),
        }
    }
}

fn turn_of(tick: u64) -> u64 {
    tick / TURN as u64
}

fn near_index(tick: u64) -> usize {
    tick as usize % NEAR
}

fn far_index(turn: u64) -> usize {
    turn as usize % FAR
}

/// Which of a power of two of places are occupied: a bit each, and above every 64 a bit for
/// whether there is one among them, up to a single word.
#[derive(Debug)]
struct Occupied {
    levels: Vec<Vec<u64>>,
}

impl Occupied {
    fn new(places: usize) -> Occupied {
        let mut levels = Vec::new();
        let mut words = places;
        while words > 1 || levels.is_empty() {
            words = words.div_ceil(64);
            levels.push(vec![0; words]);
        }
        Occupied { levels }
    }

    fn has(&self, at: usize) -> bool {
        self.levels[0][at / 64] >> (at % 64) & 1 != 0
    }

    fn set(&mut self, mut at: usize) {
        for level in &mut self.levels {
            level[at / 64] |= 1 << (at % 64);
            at /= 64;
        }
    }

    fn clear(&mut self, mut at: usize) {
        for level in &mut self.levels {
            let word = &mut level[at / 64];
            *word &= !(1 << (at % 64));
            if *word != 0 {
                return;
            }
            at /= 64;
        }
    }

    /// How far it is from `at`, round the end, to the first that is occupied.
    fn first_after(&self, at: usize) -> Option<usize> {
        let places = self.levels[0].len() * 64;
        self.first_from(at).map(|found| found - at).or_else(|| self.first_from(0).map(|found| found + places - at))
    }

    /// The first that is occupied, from `at` to the end.
    fn first_from(&self, mut at: usize) -> Option<usize> {
        for (height, level) in self.levels.iter().enumerate() {
            let rest = level.get(at / 64)? >> (at % 64);
            if rest != 0 {
                at += rest.trailing_zeros() as usize;
                for below in self.levels[..height].iter().rev() {
                    at = at * 64 + below[at].trailing_zeros() as usize;
                }
                return Some(at);
            }
            at = at / 64 + 1;
        }
        None
    }
}

/// No chunk, and the place of a timer that is not pending.
const IDLE: u32 = u32::MAX;
/// Further away than there are turns: no tick of a turn.
const BEYOND: u16 = u16::MAX;
/// So many timers fill a cache line, with their ticks, the chunk's next and its bucket.
const CHUNK: usize = 9;
/// Places are counted as if a chunk had so many.
const PLACES: usize = 16;
/// At that many, places are still numbers of 32 bits.
const TIMERS_MAX: usize = 1 << 28;
/// The ticks of a turn: few enough that its buckets stay in a core's own cache.
const TURN: usize = 1 << 12;
const NEAR: usize = 2 * TURN;
/// The buckets of far turns.
const FAR: usize = 1 << 12;
/// So many timers are moved in one go.
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
        Insert { id: u32, in_ns: u64 },
        InsertOverdue { id: u32, by_ns: u64 },
        Remove(u32),
        Advance { by_ns: u64, calls: usize },
    }

    /// Times of every order of magnitude, from below a tick to many times what the far buckets span.
    fn span_ns() -> impl Strategy<Value = u64> {
        (0..36u32, any::<u64>()).prop_map(|(bits, random)| random & ((1 << bits) - 1))
    }

    fn deed() -> impl Strategy<Value = Deed> {
        let id = 0..TIMERS;
        prop_oneof![
            6 => (id.clone(), span_ns()).prop_map(|(id, in_ns)| Deed::Insert { id, in_ns }),
            1 => (id.clone(), span_ns()).prop_map(|(id, by_ns)| Deed::InsertOverdue { id, by_ns }),
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
            // The furthest are placed anew in every lap of the far buckets, and there may be 410 of those.
            assert!(call < 410 * 2 * TIMERS as usize, "it goes on for ever");
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
                    Deed::Insert { id, in_ns } => {
                        let due_ns = now_ns + in_ns;
                        model.insert(id, (due_ns, due_ns.div_ceil(TICK_NS).max(wheel.now)));
                        wheel.insert(id, due_ns);
                    }
                    Deed::InsertOverdue { id, by_ns } => {
                        let due_ns = now_ns.saturating_sub(by_ns);
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
        fn occupied_places_are_found_as_in_a_plain_list(
            size in 6..14u32,
            deeds in prop::collection::vec((any::<usize>(), any::<bool>()), 1..60),
            from in any::<usize>(),
        ) {
            let places = 1 << size;
            let (mut occupied, mut model) = (Occupied::new(places), vec![false; places]);
            for (at, sets) in deeds {
                let at = at % places;
                model[at] = sets;
                if sets { occupied.set(at) } else { occupied.clear(at) }
            }
            let from = from % places;
            let expected = (0..places).find(|distance| model[(from + distance) % places]);
            prop_assert_eq!(occupied.first_after(from), expected);
            prop_assert!((0..places).all(|at| occupied.has(at) == model[at]));
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
        // Beyond the near buckets: they have to come near before they fire.
        let due_ns = 1_000 * (5 * TURN as u64) + 1;
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
    fn far_timers_have_come_near_before_their_turn_begins() {
        let timers = 1 << 12;
        let mut wheel = Wheel::new(timers, 1);
        let turn = TURN as u64;
        for id in 0..timers as u32 {
            wheel.insert(id, 3 * turn + u64::from(id));
        }
        let mut fired = Vec::new();
        for now in 1..3 * turn {
            wheel.advance(now, &mut fired);
        }
        assert!(fired.is_empty() && !wheel.far.has(far_index(3)), "nothing is left for the turn's first tick");
        wheel.advance(3 * turn, &mut fired);
        assert_eq!(fired, [0]);
    }
}
