//! The randoms of clients.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The random bytes of each arrival of a run, from the seed and the arrival's ordinal alone:
/// whoever plans a part of the arrivals comes to the same bytes for them.
#[derive(Debug)]
pub struct Randomness {
    generator: ChaCha8Rng,
    ordinal: u64,
}

impl Randomness {
    /// The randomness of a run with this seed, from its first arrival on.
    pub fn new(seed: u64) -> Randomness {
        Randomness { generator: ChaCha8Rng::seed_from_u64(seed), ordinal: 0 }
    }

    /// The IV of the next arrival's request.
    pub fn next_iv(&mut self) -> [u8; 16] {
        // The generator goes back to the beginning of the stream it is given.
        self.generator.set_stream(self.ordinal);
        self.generator.set_word_pos(0);
        self.ordinal += 1;
        let mut iv = [0; 16];
        self.generator.fill_bytes(&mut iv);
        iv
    }
}
