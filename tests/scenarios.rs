//! The shipped scenarios: each passes against the lab host, and fails against one that is broken in
//! the way it is about, for the reason it is about.

mod support;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use kmsproof::lab::Fault;
use kmsproof::scenario;
use serde_json::Value;
use support::command::{Ran, command, run};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kmsproof");

/// A scenario, a fault of the host, and what must find it: an expectation, a check or a divergence.
const FAILS: &[(&str, &str, &str)] = &[
    ("smoke", "count-sticks-at-one", "oracle/count/low"),
    ("smoke", "counts-applications-together", "oracle/count/high"),
    ("count-threshold", "count-sticks-at-one", "count-threshold/2/verdict"),
    ("count-threshold", "forgets-to-count-requester", "count-threshold/1/count"),
    ("count-threshold", "counts-renewals-twice", "count-threshold/5/count"),
    ("count-threshold", "stops-at-n", "count-threshold/3/count"),
    ("count-threshold", "never-caps", "count-threshold/7/count"),
    ("count-threshold", "caps-at-ten-for-ever", "oracle/count/low"),
    ("count-threshold", "counts-clients-and-servers-apart", "oracle/count/low"),
    ("count-threshold", "counts-applications-together", "oracle/count/high"),
    ("count-threshold", "sends-count-code", "oracle/code/client-side"),
    ("cloned-images", "counts-clones-apart", "oracle/count/high"),
    ("cloned-images", "counts-renewals-twice", "oracle/count/high"),
    ("skewed-clock", "ignores-skew", "oracle/skew/accepted"),
    ("skewed-clock", "tolerates-a-day", "oracle/skew/accepted"),
    ("skewed-clock", "tolerates-three-hours", "oracle/skew/refused"),
    ("skewed-clock", "refuses-fast-clocks-only", "oracle/skew/accepted"),
    ("skewed-clock", "sends-unavailable", "oracle/code/client-side"),
    ("bad-timezone", "compares-local-time", "oracle/skew/refused"),
    ("bad-timezone", "ignores-skew", "oracle/skew/accepted"),
    ("expired-leases", "refuses-lapsed", "expired-leases/2/verdict"),
    ("expired-leases", "refuses-notification", "expired-leases/4/verdict"),
    ("expired-leases", "wants-license", "expired-leases/4/wire"),
    ("unsupported-product", "serves-everything", "oracle/product/accepted"),
    ("unsupported-product", "ignores-application", "oracle/product/accepted"),
    ("unsupported-product", "wrong-code-for-product", "oracle/code/other"),
    ("versions", "accepts-any-version", "oracle/version/accepted"),
    ("versions", "wrong-code-for-version", "oracle/code/other"),
    ("versions", "refuses-v4", "oracle/version/refused"),
    ("versions", "refuses-v5", "oracle/version/refused"),
    ("versions", "refuses-v6", "oracle/version/refused"),
    ("versions", "knows-only-v4", "oracle/version/refused"),
    ("campus-windows-and-office", "sends-access-denied", "oracle/code/client-side"),
    ("campus-windows-and-office", "serves-no-office", "oracle/product/refused"),
    ("campus-windows-and-office", "ignores-skew", "campus-windows-and-office/4/wire"),
    ("campus-windows-and-office", "forgets-on-outage", "campus-windows-and-office/6/verdict"),
    ("campus-office-and-visio", "second-office-refused", "oracle/product/refused"),
    ("campus-office-and-visio", "sends-blocked-key", "oracle/code/client-side"),
    ("campus-office-and-visio", "refuses-lapsed", "campus-office-and-visio/5/verdict"),
    ("campus-office-2010-to-2016", "counts-applications-together", "oracle/count/high"),
    ("campus-office-2010-to-2016", "refuses-v5", "oracle/version/refused"),
    ("campus-office-2010-to-2016", "wants-license", "campus-office-2010-to-2016/3/wire"),
    ("campus-office-2024", "refuses-v4", "oracle/version/refused"),
    ("campus-office-2024", "counts-clients-and-servers-apart", "oracle/count/low"),
    ("campus-office-2019", "second-office-refused", "oracle/product/refused"),
    ("campus-office-2019", "refuses-lapsed", "campus-office-2019/3/verdict"),
    ("monday-morning", "drops-one-in-fifty", "rpc/transport/answered"),
    ("monday-morning", "stops-at-n", "oracle/count/low"),
    ("retry-storm", "forgets-on-outage", "oracle/count/low"),
    ("retry-storm", "refuses-fifth-connection", "rpc/transport/answered"),
    ("renewals-steady", "counts-renewals-twice", "oracle/count/high"),
    ("renewals-steady", "drops-one-in-fifty", "errors = 0"),
    ("mixed-fleet", "refuses-fifth-connection", "rpc/transport/answered"),
    ("mixed-fleet", "mixes-up-connections", "kms/response/cmid"),
    ("year-of-campus", "never-expires", "oracle/count/high"),
    ("year-of-campus", "expires-after-a-week", "oracle/count/low"),
    ("soak", "drops-one-in-fifty", "errors = 0"),
    ("soak", "serves-everything", "oracle/product/accepted"),
];

#[test]
fn each_passes_against_an_honest_host() {
    let names: Vec<&str> = scenario::shipped().iter().map(|(name, ..)| *name).collect();
    each(&names, |name| {
        let Ran { code, stderr, .. } = run(command(PROGRAM, &["run", name, "--seed", "3"]));
        assert_eq!(code, 0, "{name}:\n{stderr}");
    });
}

#[test]
fn each_fails_against_a_host_broken_in_the_way_it_is_about() {
    each(FAILS, |(name, fault, finding)| {
        let target = format!("lab:{fault}");
        let ran = run(command(PROGRAM, &["run", name, "--quiet", "--target", &target, "--out", "json=-"]));
        assert!(matches!(ran.code, 99 | 100), "{name} against {fault} exits with {}:\n{}", ran.code, ran.stderr);
        let record: Value = serde_json::from_str(&ran.stdout).unwrap();
        let found = findings(&record);
        assert!(found.contains(*finding), "{name} against {fault}: {finding} is not among {found:?}");
    });
}

#[test]
fn no_scenario_is_without_a_fault_and_every_fault_named_exists() {
    for (name, ..) in scenario::shipped() {
        assert!(FAILS.iter().any(|(scenario, ..)| scenario == name), "{name} was never seen to fail");
    }
    for (name, fault, _) in FAILS {
        assert!(scenario::shipped().iter().any(|(shipped, ..)| shipped == name), "{name}");
        assert!(Fault::named(fault).is_ok(), "{fault}");
    }
}

/// What failed, by the ids of the record.
fn findings(record: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut take = |list: &Value, id: &str, failed: &dyn Fn(&Value) -> bool| {
        for entry in list.as_array().unwrap().iter().filter(|entry| failed(entry)) {
            found.insert(entry[id].as_str().unwrap().to_owned());
        }
    };
    for scenario in record["scenarios"].as_array().unwrap() {
        take(&scenario["checks"], "id", &|check| check["level"] == "must" && check["failed"] != 0);
        take(&scenario["oracle"]["divergences"], "id", &|divergence| divergence["failed"] != 0);
        take(&scenario["expectations"], "id", &|expectation| expectation["verdict"] == "fail");
        take(&scenario["thresholds"], "threshold", &|threshold| threshold["verdict"] == "fail");
    }
    found
}

/// Does something with each of them, a few at a time, and tells of everything that went wrong.
fn each<T: Sync>(items: &[T], act: impl Fn(&T) + Sync) {
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let held = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| act(item)));
                    if let Err(panic) = held {
                        let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                        wrong.lock().unwrap().push(text);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
