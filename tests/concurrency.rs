//! The oracle when many ask at a time: never a false finding, and a lost update is found.

mod support;

use support::command::{Ran, command, run};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kmsproof");
const SCENARIO: &str = "tests/scenarios/ten-thousand.toml";

fn run_with(seed: u64, target: &str) -> Ran {
    let seed = seed.to_string();
    run(command(PROGRAM, &["run", SCENARIO, "--seed", &seed, "--target", target]))
}

fn no_false_finding(seeds: std::ops::RangeInclusive<u64>) {
    for seed in seeds {
        let Ran { code, stderr, .. } = run_with(seed, "lab");
        assert_eq!(code, 0, "seed {seed}:\n{stderr}");
        assert!(
            stderr.contains("12,005 answers predicted,") && stderr.contains("and none differs"),
            "seed {seed}:\n{stderr}"
        );
    }
}

#[test]
fn an_honest_host_is_never_accused() {
    no_false_finding(1..=2);
}

/// `cargo test --release --test concurrency -- --ignored`
#[test]
#[ignore = "some minutes without optimisation; README has its line"]
fn an_honest_host_is_never_accused_in_fifty_runs() {
    no_false_finding(1..=50);
}

#[test]
fn one_lost_update_in_a_thousand_is_found() {
    let Ran { code, stderr, .. } = run_with(1, "lab:loses-updates");
    assert_eq!(code, 100, "{stderr}");
    assert!(stderr.contains("oracle/count/low"), "{stderr}");
}

/// Sent faster than anybody could answer: what is lost on the way is lost to nobody's blame.
#[test]
fn an_honest_host_is_not_blamed_for_a_flood() {
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("flood.toml");
    let text = "name = \"flood\"\nquestion = \"Whose fault is it?\"\n[clients.pc]\ncount = 20000\n\
                product = \"Windows 11 Enterprise\"\n\
                [[step]]\ntitle = \"all at once\"\nclients = [\"pc\"]\narrive = { rate = \"1000000/s\" }\n";
    std::fs::write(&file, text).unwrap();
    let Ran { code, stderr, .. } = run(command(PROGRAM, &["run", file.to_str().unwrap()]));
    // That we could not keep up ourselves may well be, and is said then.
    assert!(code == 0 || code == 102, "exit {code}:\n{stderr}");
}
