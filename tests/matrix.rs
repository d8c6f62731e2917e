//! Proof that the conformance suite bites: every fault of the lab host is found by the case, and in
//! the field, that is declared beside it; the honest host and every legal variation raise no alarm.
//!
//! `KMSPROOF_UPDATE=1 cargo test --test matrix` writes the two tables of `reports/conformance` anew.

use std::path::Path;

use kmsproof::conform::{proof, requirements};

#[test]
fn every_fault_is_found_and_nobody_else_is_blamed() {
    let proof = proof::prove(2, &|_, _| {});
    let missed: Vec<_> = proof
        .faults
        .iter()
        .filter(|found| !found.missed.is_empty())
        .map(|found| format!("{} by {:?}; what fails: {:?}", found.fault.name, found.missed, found.failing))
        .collect();
    assert!(missed.is_empty(), "{} faults are not found:\n{}", missed.len(), missed.join("\n"));
    let alarms: Vec<_> = proof.alarms.iter().map(|(host, alarm)| format!("{host}: {alarm}")).collect();
    assert!(alarms.is_empty(), "{} false alarms:\n{}", alarms.len(), alarms.join("\n"));
    assert!(proof.idle.is_empty(), "{} cases and checks find no fault:\n{}", proof.idle.len(), proof.idle.join("\n"));
    assert!(proof.holds());
    is_as_committed("matrix.md", &proof::matrix(&proof));
    is_as_committed("coverage.md", &proof::coverage(&proof));
}

#[test]
#[ignore = "fifty runs with each; README has its line"]
fn an_honest_host_and_every_legal_variation_are_never_blamed_in_fifty_runs() {
    std::thread::scope(|scope| {
        let of = |seeds: std::ops::RangeInclusive<u64>| move || seeds.flat_map(proof::false_alarms).collect::<Vec<_>>();
        let halves = [scope.spawn(of(1..=25)), scope.spawn(of(26..=50))];
        let alarms: Vec<_> = halves.into_iter().flat_map(|half| half.join().unwrap()).collect();
        assert_eq!(alarms, []);
    });
}

#[test]
fn what_nothing_can_verify_is_told_as_it_is_known() {
    let coverage = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/conformance/coverage.md");
    let committed = std::fs::read_to_string(coverage).unwrap();
    assert!(committed.ends_with(&requirements::tables()), "KMSPROOF_UPDATE=1 cargo test --test matrix writes it anew");
}

#[test]
fn a_case_finds_its_fault_without_others_before_it() {
    let dependent = proof::dependent();
    assert!(dependent.is_empty(), "{}", dependent.join("\n"));
}

fn is_as_committed(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/conformance").join(name);
    if std::env::var_os("KMSPROOF_UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "{name} is not as committed: KMSPROOF_UPDATE=1 cargo test --test matrix writes it");
}
