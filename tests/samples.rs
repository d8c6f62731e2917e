//! The committed samples of run records have the shape of what is written today.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

#[test]
fn the_sample_record_of_a_run_has_the_fields_it_writes() {
    let today = record(&["run", "smoke", "monday-morning", "--quiet", "--out", "json=-"], 0);
    assert_same(include_str!("../reports/run.sample.json"), &today);
    for key in ["seed", "plan_hash"] {
        assert!(!today[key].is_null(), "{key}");
    }
    for required in REQUIRED {
        assert!(fields(&today).contains(*required), "{required} is promised and not there");
    }
}

#[test]
fn the_sample_record_of_a_conformance_run_has_the_fields_it_writes() {
    let asked =
        ["conform", "rpc/bind/no-context", "rpc/transport/control", "--strict", "--target", "lab:accepts-no-context"];
    let today = record(&[&asked[..], &["--quiet", "--out", "json=-"]].concat(), 100);
    assert_same(include_str!("../reports/conform.sample.json"), &today);
}

fn record(arguments: &[&str], code: i32) -> Value {
    let ran = Command::new(env!("CARGO_BIN_EXE_kmsproof")).args(arguments).output().unwrap();
    assert_eq!(ran.status.code(), Some(code), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).unwrap()
}

fn assert_same(sample: &str, today: &Value) {
    let sample: Value = serde_json::from_str(sample).unwrap();
    assert_eq!(fields(&sample), fields(today), "make the sample anew: reports/README.md says how");
    for key in ["schema", "kind", "seed", "plan_hash", "verdict"] {
        assert_eq!(sample[key], today[key], "{key}");
    }
}

/// Every path there is, with lists folded: `scenarios[].totals.requests: number`.
fn fields(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(value, String::new(), &mut found);
    found
}

fn walk(value: &Value, path: String, found: &mut BTreeSet<String>) {
    match value {
        // The keys of outcomes are codes, which depend on what came.
        Value::Object(_) if path.contains(".outcomes.") => drop(found.insert(format!("{path}: counts"))),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| walk(value, format!("{path}.{name}"), found)),
        // What there is to say of the generator depends on how it went.
        Value::Array(_) if path.ends_with(".generator.notes") || path.ends_with(".generator.evidence") => {
            found.insert(format!("{path}: list"));
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, format!("{path}[]"), found)),
        Value::Number(_) => drop(found.insert(format!("{path}: number"))),
        Value::String(_) => drop(found.insert(format!("{path}: text"))),
        Value::Bool(_) => drop(found.insert(format!("{path}: flag"))),
        Value::Null => drop(found.insert(format!("{path}: null"))),
    }
}

/// What other programs rely on.
const REQUIRED: &[&str] = &[
    ".schema: text",
    ".kind: text",
    ".tool.name: text",
    ".tool.version: text",
    ".seed: number",
    ".plan_hash: text",
    ".target.requested: text",
    ".target.addresses[]: text",
    ".started: text",
    ".duration_s: number",
    ".exit.code: number",
    ".exit.reason: text",
    ".verdict: text",
    ".scenarios[].name: text",
    ".scenarios[].file: text",
    ".scenarios[].verdict: text",
    ".scenarios[].totals.connections: number",
    ".scenarios[].totals.requests: number",
    ".scenarios[].totals.responses: number",
    ".scenarios[].totals.bytes_sent: number",
    ".scenarios[].totals.bytes_received: number",
    ".scenarios[].throughput_rps: number",
    ".scenarios[].latency_ns.connect.p99: number",
    ".scenarios[].latency_ns.bind.p999: number",
    ".scenarios[].latency_ns.service.mean: number",
    ".scenarios[].latency_ns.response.max: number",
    ".scenarios[].outcomes.wire: counts",
    ".scenarios[].outcomes.verdict: counts",
    ".scenarios[].outcomes.shown: counts",
    ".scenarios[].checks[].id: text",
    ".scenarios[].checks[].level: text",
    ".scenarios[].checks[].passed: number",
    ".scenarios[].checks[].failed: number",
    ".scenarios[].expectations[].id: text",
    ".scenarios[].expectations[].line: number",
    ".scenarios[].expectations[].expected: text",
    ".scenarios[].expectations[].observed: text",
    ".scenarios[].expectations[].verdict: text",
    ".scenarios[].oracle.predicted: number",
    ".scenarios[].thresholds[].threshold: text",
    ".scenarios[].thresholds[].verdict: text",
    ".scenarios[].outcomes.license_status: counts",
    ".scenarios[].generator.late_ns.count: number",
    ".scenarios[].generator.saturated: flag",
];
