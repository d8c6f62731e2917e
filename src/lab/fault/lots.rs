//! What follows from a seed in a fault.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The lots of one fault of one host: others for every seed and for every fault.
pub struct Lots(ChaCha8Rng);

impl Lots {
    /// The lots of the fault of that name.
    pub fn new(seed: u64, fault: &str) -> Lots {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(digest(fault.bytes()));
        Lots(random)
    }

    /// A number from 0 to `max`.
    pub fn up_to(&mut self, max: u32) -> u32 {
        self.0.next_u32() % (max + 1)
    }

    /// True once among every `n` times it is asked, never known when. Exactly once, so that a run
    /// that is long enough meets it whatever its seed.
    pub fn one_in(mut self, n: u32) -> impl FnMut() -> bool + Send + 'static {
        let (mut turn, mut drawn) = (0, self.0.next_u32() % n);
        move || {
            let hit = turn == drawn;
            turn += 1;
            if turn == n {
                (turn, drawn) = (0, self.0.next_u32() % n);
            }
            hit
        }
    }
}

/// A number that tells texts apart, the same in every build (FNV-1a).
pub fn digest(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes
        .into_iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64, fault: &str, n: u32, times: usize) -> Vec<usize> {
        let mut lot = Lots::new(seed, fault).one_in(n);
        (0..times).filter(|_| lot()).collect()
    }

    #[test]
    fn one_in_n_is_exactly_one_in_every_n() {
        for n in [1, 2, 10, 1000] {
            let hits = drawn(1, "a", n, 20 * n as usize);
            let blocks: Vec<_> = hits.iter().map(|hit| hit / n as usize).collect();
            assert_eq!(blocks, (0..20).collect::<Vec<_>>());
        }
    }

    #[test]
    fn lots_follow_from_the_seed_and_the_name() {
        assert_eq!(drawn(1, "a", 50, 1000), drawn(1, "a", 50, 1000));
        assert_ne!(drawn(1, "a", 50, 1000), drawn(2, "a", 50, 1000));
        assert_ne!(drawn(1, "a", 50, 1000), drawn(1, "b", 50, 1000));
    }
}
