//! Whether a random value was seen before, at full speed and for any number of them.

use std::sync::atomic::{AtomicU64, Ordering};

/// The random values of the last answers, as many as there is room for; shared by all who ask.
///
/// Of each only 64 bits are kept: two different ones are taken for the same about once in 2^62 pairs that
/// meet in one bucket, which a run of 10^10 answers comes upon with a chance of one in a hundred million.
#[derive(Debug)]
pub struct Repeats {
    /// Buckets of four; 0 is nothing.
    kept: Vec<AtomicU64>,
}

impl Repeats {
    /// Remembers nothing yet. It takes a mebibyte.
    pub fn new() -> Repeats {
        Repeats { kept: std::iter::repeat_with(AtomicU64::default).take(BUCKETS * WAYS).collect() }
    }

    /// Remembers a value; whether it is new, as far as that is remembered. Of values met again
    /// within the last fifty thousand nine in ten are found, so a host that goes round in a circle is.
    pub fn insert(&self, value: &[u8; 16]) -> bool {
        let [first, last] =
            [&value[..8], &value[8..]].map(|half| u64::from_ne_bytes(half.try_into().unwrap_or_default()));
        // A host that repeats itself may do so in a part of the value only: the whole of it counts.
        let mark = (first ^ last.rotate_left(29).wrapping_mul(MIX)).max(1);
        let bucket = (mark.wrapping_mul(MIX) >> (u64::BITS - BUCKETS.ilog2())) as usize * WAYS;
        let ways = &self.kept[bucket..bucket + WAYS];
        let mut pushed = mark;
        // The newest stands first; each one moves on by one, and the last is forgotten.
        for way in ways {
            let held = way.swap(pushed, Ordering::Relaxed);
            if held == mark {
                return false;
            }
            if held == 0 {
                return true;
            }
            pushed = held;
        }
        true
    }
}

impl Default for Repeats {
    fn default() -> Repeats {
        Repeats::new()
    }
}

const WAYS: usize = 4;
const BUCKETS: usize = 1 << 15;
/// An odd number without a pattern: the fractional part of the golden ratio.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    fn values(count: usize) -> Vec<[u8; 16]> {
        let mut generator = ChaCha8Rng::seed_from_u64(1);
        let mut value = [0; 16];
        std::iter::repeat_with(|| {
            generator.fill_bytes(&mut value);
            value
        })
        .take(count)
        .collect()
    }

    #[test]
    fn values_that_differ_are_new_however_many() {
        let repeats = Repeats::new();
        assert!(values(500_000).iter().all(|value| repeats.insert(value)));
    }

    #[test]
    fn a_value_met_again_is_found() {
        let repeats = Repeats::new();
        assert!(repeats.insert(&[7; 16]));
        assert!((0..10).all(|_| !repeats.insert(&[7; 16])), "at once, and every time");
        for zeros in [[0; 16], {
            let mut last = [0; 16];
            last[15] = 1;
            last
        }] {
            assert!(repeats.insert(&zeros));
            assert!(!repeats.insert(&zeros));
        }
    }

    #[test]
    fn a_host_that_goes_round_is_found_out() {
        for round in [10, 1_000, 50_000] {
            let (repeats, values) = (Repeats::new(), values(round));
            let again = values.iter().chain(&values).filter(|value| !repeats.insert(value)).count();
            assert!(again * 100 > round * 90, "{again} of {round}");
        }
    }
}
