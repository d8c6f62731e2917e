//! The same seed gives the same run: plans to the byte, and in a time of its own every event too.

mod support;

use std::collections::HashSet;

use kmsproof::population::Place;
use kmsproof::report;
use kmsproof::scenario::{self, Ids, Plan};
use kmsproof::wire::FileTime;
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

/// Every request of a plan, as `plan --arrivals` lists it.
fn arrivals(plan: &Plan) -> String {
    let began = FileTime::RECORDED_AT;
    let mut text = plan.hash.clone();
    for (number, step) in plan.steps.iter().enumerate() {
        let mut times = plan.times(number);
        for position in 0..step.arrivals() {
            let due = times.as_mut().and_then(Iterator::next);
            text.push_str(&report::arrival_line(plan, number, position, due, began));
        }
    }
    text
}

#[test]
fn a_plan_is_the_same_to_the_byte_and_every_seed_has_its_own_ids() {
    for (name, file, source) in scenario::shipped() {
        let load = || scenario::load(source, file, &scenario::ShippedTables).unwrap();
        let mut plans = HashSet::new();
        let mut ids = HashSet::new();
        for seed in SEEDS {
            let plan = load().plan(seed, Ids::Seeded);
            let listed = arrivals(&plan);
            assert_eq!(listed, arrivals(&load().plan(seed, Ids::Seeded)), "{name} with seed {seed}");
            assert!(plans.insert(listed), "{name}: seed {seed} has the plan of another");
            let (group, number, _) = plan.arriving().next().unwrap();
            let id = plan.population.id(Place { group, number });
            assert!(ids.insert(id), "{name}: seed {seed} has an id of another");
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
