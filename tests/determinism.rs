//! The same seed gives the same run: plans to the byte, and in a time of its own every event too.

mod support;

use std::collections::HashSet;

use kmsproof::scenario;
use support::command::{command, run};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kmsproof");
const SEEDS: std::ops::Range<u64> = 0..10;

fn output(arguments: &[&str], seed: u64) -> String {
    let seed = seed.to_string();
    let ran = run(command(PROGRAM, &[arguments, &["--seed", &seed]].concat()));
    assert_eq!(ran.code, 0, "{arguments:?} with seed {seed}:\n{}", ran.stderr);
    assert!(!ran.stdout.is_empty(), "{arguments:?}");
    ran.stdout
}

#[test]
fn a_plan_is_the_same_to_the_byte_and_every_seed_has_its_own_ids() {
    for (name, ..) in scenario::shipped().iter().filter(|(name, ..)| *name != "year-of-campus") {
        let mut ids = HashSet::new();
        for seed in SEEDS {
            let plan = output(&["plan", "--arrivals", name], seed);
            assert_eq!(plan, output(&["plan", "--arrivals", name], seed), "{name} with seed {seed}");
            let first = plan.lines().next().unwrap();
            let arrival: serde_json::Value = serde_json::from_str(first).unwrap();
            assert!(ids.insert(arrival["cmid"].to_string()), "{name}: seed {seed} has an id of another");
        }
    }
}

#[test]
fn in_a_time_of_its_own_a_run_is_the_same_to_the_byte() {
    let mut runs = HashSet::new();
    for seed in SEEDS {
        let arguments = ["run", "tests/scenarios/term.toml", "--quiet", "--out", "events=-"];
        let events = output(&arguments, seed);
        assert_eq!(events, output(&arguments, seed), "seed {seed}");
        assert!(runs.insert(events), "seed {seed} gives the run of another");
    }
}
