//! How property tests draw their cases, here and in the test modules of `src`.

use proptest::prelude::ProptestConfig;
use proptest::test_runner::RngSeed;

/// The same cases in every run, and no file beside the sources. `PROPTEST_CASES` asks for more
/// (or fewer) than `cases`, and `PROPTEST_RNG_SEED` for others.
pub fn config(cases: u32) -> ProptestConfig {
    let asked = ProptestConfig::default();
    ProptestConfig {
        cases: if std::env::var_os("PROPTEST_CASES").is_some() { asked.cases } else { cases },
        rng_seed: match asked.rng_seed {
            RngSeed::Fixed(seed) => RngSeed::Fixed(seed),
            RngSeed::Random => RngSeed::Fixed(20_261_120),
        },
        failure_persistence: None,
        ..asked
    }
}
