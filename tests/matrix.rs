//! Proof that the conformance suite bites: every fault of the lab host is found by the case, and in
//! the field, that is declared beside it; the honest host and every legal variation raise no alarm.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use kmsproof::conform::{self, KnownFailures, MemoryHost, Options, Profile, Run, Service, Verdict, cases};
use kmsproof::lab::{Fault, Faults};
use kmsproof::wire::FileTime;

const NOW: FileTime = FileTime(134_396_615_660_000_000);

fn put(faults: Faults, seed: u64, strict: bool) -> Run {
    let mut host = MemoryHost::new(faults, seed, NOW);
    let options = Options {
        profile: if strict { Profile::strict() } else { Profile::windows() },
        known: KnownFailures::default(),
        today: "2026-11-28".parse().unwrap(),
        disruptive: true,
        seed,
        service: Service::KMS,
    };
    let all: Vec<_> = cases::all().collect();
    conform::run(&mut host, &all, &options, &mut |_| true)
}

/// What fails: cases with the fields that are wrong, and checks.
fn failures(run: &Run) -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut failures = BTreeMap::<_, BTreeSet<_>>::new();
    for result in run.results.iter().filter(|result| result.verdict == Verdict::Fail) {
        failures.entry(result.case.id).or_default().extend(result.fields());
    }
    for result in run.checks.iter().filter(|result| result.verdict == Verdict::Fail) {
        failures.entry(result.check.check().id).or_default();
    }
    failures
}

#[test]
fn the_honest_host_passes_everything() {
    for seed in 1..=5 {
        let run = put(Faults::default(), seed, true);
        let failures: Vec<_> =
            run.results.iter().filter(|result| !matches!(result.verdict, Verdict::Pass | Verdict::Recorded)).collect();
        assert!(
            failures.is_empty(),
            "{}",
            failures
                .iter()
                .map(|result| {
                    format!("{} {} {:?} {:?}\n", result.case.id, result.verdict, result.why, result.worst())
                })
                .collect::<String>()
        );
        let broken: Vec<_> = run.checks.iter().filter(|result| result.failed > 0).collect();
        assert!(broken.is_empty(), "{broken:?}");
        assert!(!run.canary_lives);
    }
}

#[test]
fn no_legal_variation_raises_an_alarm() {
    for variation in Fault::variations() {
        let faults = || Faults::new(vec![variation]).unwrap();
        let alarms: Vec<_> = put(faults(), 1, false)
            .results
            .into_iter()
            .filter(|result| matches!(result.verdict, Verdict::Fail | Verdict::Inconclusive))
            .map(|result| format!("{} {:?} {:?}", result.case.id, result.why, result.worst()))
            .collect();
        assert!(alarms.is_empty(), "{}: {}", variation.name, alarms.join("\n"));
        let run = put(faults(), 2, false);
        let broken: Vec<_> = run.checks.iter().filter(|result| result.verdict == Verdict::Fail).collect();
        assert!(broken.is_empty(), "{}: {broken:?}", variation.name);
    }
}

#[test]
fn every_fault_is_found_by_what_is_declared_beside_it() {
    let faults: Vec<_> = Fault::all().iter().filter(|fault| !fault.caught_by.is_empty()).collect();
    let (next, missed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(fault) = faults.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let run = put(Faults::new(vec![fault]).unwrap(), 1, true);
                    let failures = failures(&run);
                    let is_killed = |declared: &str| {
                        let (id, field) = declared.split_once('#').unwrap_or((declared, ""));
                        failures.get(id).is_some_and(|fields| field.is_empty() || fields.contains(field))
                    };
                    for declared in fault.caught_by.iter().filter(|declared| !is_killed(declared)) {
                        missed.lock().unwrap().push(format!("{} by {declared}; fails: {failures:?}", fault.name));
                    }
                }
            });
        }
    });
    let missed = missed.into_inner().unwrap();
    assert!(missed.is_empty(), "{} faults are not found:\n{}", missed.len(), missed.join("\n"));
}
