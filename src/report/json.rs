//! The run record: one JSON file, schema `kmsproof.run/1`.

mod load;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serde::Serialize;

use self::load::{
    GeneratorRecord, StepRecord, TimelineRecord, UnderLoadRecord, generator_record, step_records, timeline_record,
    under_load_records,
};
use crate::events::RunError;
use crate::exit::Exit;
use crate::measure::{CheckResult, Difference, Latency, ScenarioResult, Times};
use crate::oracle::DivergenceId;
use crate::proto::verify::{CheckId, Level};
use crate::wire::{Guid, Hresult};

/// What is known of a run before and after it.
#[derive(Debug)]
pub struct RunHeader {
    /// The seed.
    pub seed: u64,
    /// What `--target` said.
    pub requested: String,
    /// The addresses that were tried.
    pub addresses: Vec<String>,
    /// What kind of run it was: `run`, `load`, `capacity`, `conform`.
    pub kind: &'static str,
    /// When it began.
    pub started: Timestamp,
    /// How long it took, in seconds.
    pub duration_s: f64,
}

/// The run record, ready to be written.
#[derive(Debug, Serialize)]
pub struct RunRecord<'a> {
    schema: &'static str,
    kind: &'static str,
    tool: Tool,
    seed: u64,
    plan_hash: String,
    target: TargetRecord<'a>,
    started: String,
    duration_s: f64,
    /// Whether it is of a whole run: of one that is still going on, or was cut off, it is not.
    complete: bool,
    exit: ExitRecord,
    verdict: &'static str,
    scenarios: Vec<ScenarioRecord<'a>>,
    /// How a conformance run was made, and what was found out about the host for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    conform: Option<serde_json::Value>,
    cases: Vec<serde_json::Value>,
    /// What a search for the host's capacity came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity: Option<serde_json::Value>,
    #[serde(skip)]
    results: Vec<&'a ScenarioResult>,
}

#[derive(Debug, Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

#[derive(Debug, Serialize)]
struct TargetRecord<'a> {
    requested: &'a str,
    addresses: &'a [String],
}

#[derive(Debug, Serialize)]
struct ExitRecord {
    code: u8,
    reason: &'static str,
}

#[derive(Debug, Serialize)]
struct ScenarioRecord<'a> {
    name: &'a str,
    file: &'a str,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_early: Option<String>,
    duration_s: f64,
    totals: TotalsRecord,
    throughput_rps: f64,
    latency_ns: LatenciesRecord,
    steps: Vec<StepRecord<'a>>,
    timeline: TimelineRecord,
    outcomes: OutcomesRecord,
    failures: Vec<FailureRecord<'a>>,
    checks: Vec<CheckRecord<'a>>,
    under_load: Vec<UnderLoadRecord>,
    oracle: OracleRecord<'a>,
    expectations: Vec<ExpectationRecord>,
    thresholds: Vec<ThresholdRecord<'a>>,
    generator: GeneratorRecord,
}

#[derive(Debug, Serialize)]
struct TotalsRecord {
    connections: u64,
    requests: u64,
    responses: u64,
    bytes_sent: u64,
    bytes_received: u64,
}

#[derive(Debug, Serialize)]
struct LatenciesRecord {
    connect: LatencyRecord,
    bind: LatencyRecord,
    alter_context: LatencyRecord,
    service: LatencyRecord,
    response: LatencyRecord,
}

#[derive(Debug, Serialize)]
struct LatencyRecord {
    count: u64,
    min: u64,
    mean: f64,
    p50: u64,
    p90: u64,
    p99: u64,
    p999: u64,
    max: u64,
    /// HdrHistogram V2, base64.
    hdr_v2: String,
}

#[derive(Debug, Serialize)]
struct OutcomesRecord {
    wire: BTreeMap<String, u64>,
    verdict: BTreeMap<String, u64>,
    shown: BTreeMap<String, u64>,
    /// The license status the requests said: by so much the host's own counters grow.
    license_status: BTreeMap<String, u64>,
}

/// What an honest host would have answered, and in what this one differs.
#[derive(Debug, Serialize)]
struct OracleRecord<'a> {
    predicted: u64,
    predicted_exactly: u64,
    remarks: Vec<&'a str>,
    divergences: Vec<DivergenceRecord<'a>>,
}

#[derive(Debug, Serialize)]
struct DivergenceRecord<'a> {
    id: DivergenceId,
    requirement: &'static str,
    /// Answers that only a fault of the host explains.
    failed: u64,
    /// Answers that other clients of the host may explain.
    doubtful: u64,
    evidence: Vec<DifferenceRecord<'a>>,
}

#[derive(Debug, Serialize)]
struct DifferenceRecord<'a> {
    step: usize,
    arrival: u64,
    machine: &'a str,
    cmid: Guid,
    expected: &'a str,
    got: &'a str,
    because: &'a str,
    against: Option<SightingRecord>,
}

#[derive(Debug, Serialize)]
struct SightingRecord {
    step: usize,
    arrival: u64,
    cmid: Guid,
    count: u32,
    asked_ns: u64,
    received_ns: u64,
}

#[derive(Debug, Serialize)]
struct ThresholdRecord<'a> {
    threshold: &'a str,
    line: usize,
    measured: String,
    verdict: &'static str,
}

#[derive(Debug, Serialize)]
struct FailureRecord<'a> {
    class: &'a str,
    count: u64,
    first: &'a str,
}

#[derive(Debug, Serialize)]
struct CheckRecord<'a> {
    id: CheckId,
    level: Level,
    passed: u64,
    failed: u64,
    evidence: Vec<EvidenceRecord<'a>>,
}

#[derive(Debug, Serialize)]
struct EvidenceRecord<'a> {
    machine: &'a str,
    step: usize,
    expected: &'a str,
    got: &'a str,
}

#[derive(Debug, Serialize)]
struct ExpectationRecord {
    id: String,
    line: usize,
    expected: String,
    observed: String,
    held: u64,
    failed: u64,
    verdict: &'static str,
}

impl<'a> RunRecord<'a> {
    /// The record of a run that ended with `exit`.
    pub fn new(
        header: &'a RunHeader,
        results: impl IntoIterator<Item = &'a ScenarioResult>,
        exit: Exit,
    ) -> RunRecord<'a> {
        let results: Vec<&ScenarioResult> = results.into_iter().collect();
        RunRecord {
            schema: "kmsproof.run/1",
            kind: header.kind,
            tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
            seed: header.seed,
            plan_hash: plan_hash(&results),
            target: TargetRecord { requested: &header.requested, addresses: &header.addresses },
            started: header.started.to_string(),
            duration_s: header.duration_s,
            complete: true,
            exit: ExitRecord { code: exit.code(), reason: exit.meaning() },
            verdict: match exit {
                Exit::Held => "pass",
                Exit::Check | Exit::Threshold | Exit::Regression => "fail",
                _ => "invalid",
            },
            scenarios: results.iter().map(|result| scenario_record(result)).collect(),
            conform: None,
            cases: Vec::new(),
            capacity: None,
            results,
        }
    }

    /// The same, with how conformance cases were put to the host and what they came to.
    #[must_use]
    pub fn with_cases(self, conform: serde_json::Value, cases: Vec<serde_json::Value>) -> RunRecord<'a> {
        RunRecord { conform: Some(conform), cases, ..self }
    }

    /// The same, with what a search for the host's capacity came to.
    #[must_use]
    pub fn with_capacity(self, capacity: serde_json::Value) -> RunRecord<'a> {
        RunRecord { capacity: Some(capacity), ..self }
    }

    /// The record of a run that is still going on, as it would be if it were interrupted now.
    pub fn so_far(header: &'a RunHeader, results: impl IntoIterator<Item = &'a ScenarioResult>) -> RunRecord<'a> {
        RunRecord { complete: false, ..RunRecord::new(header, results, Exit::Interrupted) }
    }

    /// What it is of.
    pub fn scenarios(&self) -> impl Iterator<Item = &'a ScenarioResult> {
        self.results.iter().copied()
    }

    /// The record as JSON text.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}

/// One hash for everything that was planned: the scenarios' own hashes, hashed in order when there are several.
fn plan_hash(scenarios: &[&ScenarioResult]) -> String {
    match scenarios {
        [one] => one.plan.hash.clone(),
        several => crate::scenario::combined_hash(several.iter().map(|scenario| scenario.plan.hash.as_str())),
    }
}

fn scenario_record(result: &ScenarioResult) -> ScenarioRecord<'_> {
    let totals = result.totals;
    ScenarioRecord {
        name: &result.plan.name,
        file: &result.plan.file,
        verdict: verdict(result),
        ended_early: result.ended_early.as_ref().map(ToString::to_string),
        duration_s: result.duration.as_secs_f64(),
        totals: TotalsRecord {
            connections: totals.connections,
            requests: totals.requests,
            responses: totals.responses,
            bytes_sent: totals.bytes_sent,
            bytes_received: totals.bytes_received,
        },
        throughput_rps: result.throughput_rps(),
        latency_ns: latencies_record(&result.latency),
        steps: step_records(result),
        timeline: timeline_record(&result.timeline),
        outcomes: outcomes_record(result),
        failures: result
            .failures
            .iter()
            .map(|(class, (count, first))| FailureRecord { class, count: *count, first })
            .collect(),
        checks: result.checks.iter().map(check_record).collect(),
        under_load: under_load_records(result),
        oracle: oracle_record(result),
        thresholds: result
            .thresholds()
            .map(|(threshold, measured, holds)| ThresholdRecord {
                threshold: &threshold.text,
                line: threshold.line,
                measured: measured.to_string(),
                verdict: if holds { "pass" } else { "fail" },
            })
            .collect(),
        expectations: expectation_records(result),
        generator: generator_record(result),
    }
}

fn verdict(result: &ScenarioResult) -> &'static str {
    match &result.ended_early {
        Some(RunError::Stopped) => "invalid",
        _ if result.totals.requests == 0 => "invalid",
        _ if result.passed() && !result.health().invalid.is_empty() => "invalid",
        _ if result.passed() && result.keeps_thresholds() => "pass",
        _ => "fail",
    }
}

fn outcomes_record(result: &ScenarioResult) -> OutcomesRecord {
    let nothing = || "none".to_owned();
    let wire = |code: &Option<Hresult>| code.map_or_else(nothing, |code| code.to_string());
    OutcomesRecord {
        wire: result.wire.iter().map(|(code, times)| (wire(code), *times)).collect(),
        verdict: result.verdicts.iter().map(|(verdict, times)| (verdict.name(), *times)).collect(),
        shown: result.shown.iter().map(|(code, times)| (code.to_string(), *times)).collect(),
        license_status: result.statuses.iter().map(|(status, times)| (status.to_string(), *times)).collect(),
    }
}

fn oracle_record(result: &ScenarioResult) -> OracleRecord<'_> {
    OracleRecord {
        predicted: result.predicted,
        predicted_exactly: result.predicted_exactly,
        remarks: result.remarks.iter().map(|remark| remark.text.as_str()).collect(),
        divergences: result
            .divergences
            .iter()
            .map(|(id, outcome)| DivergenceRecord {
                id: *id,
                requirement: id.requirement().requirement,
                failed: outcome.failed,
                doubtful: outcome.doubtful,
                evidence: outcome.evidence.iter().map(difference_record).collect(),
            })
            .collect(),
    }
}

fn difference_record(difference: &Difference) -> DifferenceRecord<'_> {
    let found = &difference.divergence;
    DifferenceRecord {
        step: difference.exchange.step + 1,
        arrival: difference.exchange.position + 1,
        machine: &difference.machine,
        cmid: difference.cmid,
        expected: &found.expected,
        got: &found.got,
        because: &found.because,
        against: found.against.map(|against| SightingRecord {
            step: against.exchange.step + 1,
            arrival: against.exchange.position + 1,
            cmid: against.cmid,
            count: against.count,
            asked_ns: against.asked.0.as_nanos() as u64,
            received_ns: against.received.0.as_nanos() as u64,
        }),
    }
}

fn latencies_record(latency: &Times) -> LatenciesRecord {
    LatenciesRecord {
        connect: latency_record(&latency.connect),
        bind: latency_record(&latency.bind),
        alter_context: latency_record(&latency.alter),
        service: latency_record(&latency.service),
        response: latency_record(&latency.response),
    }
}

fn latency_record(latency: &Latency) -> LatencyRecord {
    LatencyRecord {
        count: latency.count(),
        min: latency.min_ns(),
        mean: latency.mean_ns(),
        p50: latency.quantile_ns(0.5),
        p90: latency.quantile_ns(0.9),
        p99: latency.quantile_ns(0.99),
        p999: latency.quantile_ns(0.999),
        max: latency.max_ns(),
        hdr_v2: BASE64.encode(latency.to_v2()),
    }
}

fn check_record<'a>((check, result): (&CheckId, &'a CheckResult)) -> CheckRecord<'a> {
    CheckRecord {
        id: *check,
        level: check.check().level,
        passed: result.passed,
        failed: result.failed,
        evidence: result
            .evidence
            .iter()
            .map(|evidence| EvidenceRecord {
                machine: &evidence.machine,
                step: evidence.step + 1,
                expected: &evidence.finding.expected,
                got: &evidence.finding.got,
            })
            .collect(),
    }
}

fn expectation_records(result: &ScenarioResult) -> Vec<ExpectationRecord> {
    let mut records = Vec::new();
    for (number, (step, planned)) in result.steps.iter().zip(&result.plan.steps).enumerate() {
        for (expectation, outcome) in planned.expect.iter().zip(&step.expectations) {
            let first = outcome.evidence.first();
            records.push(ExpectationRecord {
                id: expectation.id(&result.plan.name, number + 1),
                line: expectation.line,
                expected: first.map_or_else(|| expectation.expected_text(0), |first| first.broken.expected.clone()),
                observed: match first {
                    Some(first) => format!("{} ({})", first.broken.observed, first.machine),
                    None if outcome.held > 0 => "as expected".to_owned(),
                    None => "nothing".to_owned(),
                },
                held: outcome.held,
                failed: outcome.failed,
                verdict: if expectation.what.is_met(outcome.held, outcome.failed) { "pass" } else { "fail" },
            });
        }
    }
    records
}
