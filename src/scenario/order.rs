//! A shuffled order that needs no memory: which of n things stands at a place is worked out.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A permutation of `0..len`, by a Feistel network over the next power of four. Places that fall
/// outside are walked on until one does not.
#[derive(Debug, Clone)]
pub(super) struct Shuffle {
    len: u64,
    half_bits: u32,
    keys: [u64; ROUNDS],
}

impl Shuffle {
    /// The shuffle of `len` things by a seed; each `salt` gives another.
    pub fn new(len: u64, seed: u64, salt: u64) -> Shuffle {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(SHUFFLE_STREAMS | salt);
        let bits = u64::BITS - len.saturating_sub(1).leading_zeros();
        Shuffle { len, half_bits: bits.div_ceil(2).max(1), keys: std::array::from_fn(|_| generator.next_u64()) }
    }

    /// What stands at `place`, which is below the length.
    pub fn at(&self, place: u64) -> u64 {
        debug_assert!(place < self.len);
        let mut at = self.once(place);
        // Less than four times as many places as things: the walk is short, and ends, since it is one cycle.
        while at >= self.len {
            at = self.once(at);
        }
        at
    }

    fn once(&self, place: u64) -> u64 {
        let mask = (1 << self.half_bits) - 1;
        let (mut left, mut right) = (place >> self.half_bits, place & mask);
        for key in self.keys {
            (left, right) = (right, left ^ (mixed(right ^ key) & mask));
        }
        left << self.half_bits | right
    }
}

/// The finalizer of SplitMix64.
fn mixed(value: u64) -> u64 {
    let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}

const ROUNDS: usize = 4;
/// Apart from the streams of requests (those that leases make begin at 2^63), of schedules (at 2^62) and
/// of the lab host (the last).
const SHUFFLE_STREAMS: u64 = 3 << 61;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_stands_somewhere_once() {
        for len in [1, 2, 3, 4, 5, 16, 17, 1000] {
            let shuffle = Shuffle::new(len, 1, 0);
            let mut seen: Vec<u64> = (0..len).map(|place| shuffle.at(place)).collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..len).collect::<Vec<_>>());
        }
    }

    #[test]
    fn seeds_and_salts_order_differently() {
        let order = |seed, salt| (0..100).map(|place| Shuffle::new(100, seed, salt).at(place)).collect::<Vec<_>>();
        assert_ne!(order(1, 0), (0..100).collect::<Vec<_>>());
        assert_ne!(order(1, 0), order(2, 0));
        assert_ne!(order(1, 0), order(1, 1));
        assert_eq!(order(1, 0), order(1, 0));
    }
}
