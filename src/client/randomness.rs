//! What is left to chance, and decided by the seed.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The random bytes of each request of a run, from the seed and the request's ordinal alone:
/// whoever plans a part of the requests comes to the same bytes for them.
#[derive(Debug, Clone)]
pub struct Randomness {
    generator: ChaCha8Rng,
    ordinal: u64,
    /// The IVs of sixteen requests, which the generator gives in one go, and of which sixteen.
    sixteen: [[u8; 16]; 16],
    of: Option<u64>,
}

impl Randomness {
    /// The randomness of a run with this seed, from its first request on.
    pub fn new(seed: u64) -> Randomness {
        let generator = ChaCha8Rng::seed_from_u64(seed);
        Randomness { generator, ordinal: 0, sixteen: [[0; 16]; 16], of: None }
    }

    /// The randomness of one named thing in a run with this seed: the same, whatever else there is in the run.
    pub fn of(seed: u64, name: &str) -> Randomness {
        // FNV-1a tells names apart, the same in every build.
        let digest = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Randomness::new(seed ^ digest)
    }

    /// The IV of the next request.
    pub fn next_iv(&mut self) -> [u8; 16] {
        let iv = self.iv(self.ordinal);
        self.ordinal += 1;
        iv
    }

    /// The IV of the request with this ordinal, below `u64::MAX`.
    pub fn iv(&mut self, ordinal: u64) -> [u8; 16] {
        // Sixteen requests share a stream: the generator makes as many bytes at a time, used or not.
        let of = ordinal >> 4;
        if self.of != Some(of) {
            // It goes back to the beginning of the stream it is given.
            self.generator.set_stream(of);
            self.generator.set_word_pos(0);
            self.generator.fill_bytes(self.sixteen.as_flattened_mut());
            self.of = Some(of);
        }
        self.sixteen[(ordinal & 15) as usize]
    }
}

/// What is drawn for one machine, once: each question has an answer of its own, whatever else is
/// asked and in whatever order.
#[derive(Debug, Clone, Copy)]
pub struct Draws {
    seed: u64,
    group: u16,
    number: u32,
}

/// A question that is left to chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// Whether the machine is virtual.
    Virtual,
    /// How old its lease is.
    Age,
    /// Whether it is among those away in the group's span of that number.
    Away(u8),
    /// How long after that span it is back.
    Back(u8),
    /// How long after something that makes many ask it does.
    Start,
}

impl Draws {
    /// The draws of machine `number` of a group.
    pub fn of(seed: u64, group: u16, number: u32) -> Draws {
        Draws { seed, group, number }
    }

    /// Whether the machine is in a share of so many millionths.
    pub fn is_in(self, domain: Domain, millionths: u32) -> bool {
        self.between(domain, 0, 999_999) < u64::from(millionths)
    }

    /// A number from `least` to `most`, both included.
    pub fn between(self, domain: Domain, least: u64, most: u64) -> u64 {
        let width = u128::from(most.saturating_sub(least)) + 1;
        least + ((u128::from(self.bits(domain)) * width) >> 64) as u64
    }

    fn bits(self, domain: Domain) -> u64 {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8..8 + DRAWS.len()].copy_from_slice(DRAWS);
        let mut generator = ChaCha8Rng::from_seed(key);
        let (kind, which) = match domain {
            Domain::Virtual => (0, 0),
            Domain::Age => (1, 0),
            Domain::Away(which) => (2, which),
            Domain::Back(which) => (3, which),
            Domain::Start => (4, 0),
        };
        generator.set_stream(u64::from(self.group) << 48 | u64::from(self.number) << 16 | kind << 8 | u64::from(which));
        generator.next_u64()
    }
}

/// Keeps these draws apart from those of the requests, whose seed is spread over the key.
const DRAWS: &[u8] = b"kmsproof draws 1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iv_depends_on_its_ordinal_alone() {
        let mut in_order = Randomness::new(7);
        let ivs: Vec<_> = (0..5).map(|_| in_order.next_iv()).collect();
        let mut at_will = Randomness::new(7);
        assert_eq!([4, 0, 2].map(|ordinal| at_will.iv(ordinal)), [ivs[4], ivs[0], ivs[2]]);
    }

    #[test]
    fn each_question_of_each_machine_is_drawn_apart() {
        let of = |seed, group, number| Draws::of(seed, group, number);
        let draw = |draws: Draws, domain| draws.between(domain, 0, u64::MAX);
        let first = draw(of(1, 0, 1), Domain::Age);
        assert_eq!(first, draw(of(1, 0, 1), Domain::Age));
        for other in [
            draw(of(2, 0, 1), Domain::Age),
            draw(of(1, 1, 1), Domain::Age),
            draw(of(1, 0, 2), Domain::Age),
            draw(of(1, 0, 1), Domain::Virtual),
            draw(of(1, 0, 1), Domain::Away(0)),
            draw(of(1, 0, 1), Domain::Away(1)),
        ] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn a_share_is_met_by_about_so_many_and_the_ends_by_none_and_all() {
        let among = |millionths| {
            (1..=10_000).filter(|&number| Draws::of(1, 0, number).is_in(Domain::Virtual, millionths)).count()
        };
        assert_eq!((among(0), among(1_000_000)), (0, 10_000));
        assert!((2_800..3_200).contains(&among(300_000)), "{}", among(300_000));
    }

    #[test]
    fn a_draw_keeps_within_its_ends() {
        for number in 1..200 {
            assert!((5..=7).contains(&Draws::of(1, 0, number).between(Domain::Age, 5, 7)));
        }
        assert_eq!(Draws::of(1, 0, 1).between(Domain::Age, 9, 9), 9);
    }
}
