//! What a run's events come to: totals, latencies, outcomes, how often each check
//! and expectation held. Reads events, and nothing else.

mod latency;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use latency::Latency;

use crate::events::{Broken, Event, Exchange, RunError};
use crate::proto::verify::{CheckId, Finding, Level};
use crate::proto::{Negotiated, Verdict};
use crate::scenario::Plan;
use crate::wire::Hresult;

/// Everything measured and judged of one scenario.
#[derive(Debug)]
pub struct ScenarioResult {
    /// What was carried out.
    pub plan: Arc<Plan>,
    /// Each step, in order.
    pub steps: Vec<StepResult>,
    /// Counts.
    pub totals: Totals,
    /// Durations.
    pub latency: Latencies,
    /// How often each wire code came; `None` where nothing came.
    pub wire: BTreeMap<Option<Hresult>, u64>,
    /// How often each client verdict came.
    pub verdicts: BTreeMap<Verdict, u64>,
    /// How often each shown code came.
    pub shown: BTreeMap<Hresult, u64>,
    /// How often a connection or call came to nothing, by class, and what the first one said.
    pub failures: BTreeMap<&'static str, (u64, String)>,
    /// Each check that was done, in the order of the catalogue.
    pub checks: BTreeMap<CheckId, CheckResult>,
    /// What the first bind came to.
    pub negotiated: Option<Negotiated>,
    /// How long it took.
    pub duration: Duration,
    /// Why it ended early, if it did.
    pub ended_early: Option<RunError>,
}

/// What became of a step.
#[derive(Debug, Default)]
pub struct StepResult {
    /// Exchanges done.
    pub exchanges: u64,
    /// Exchanges that do not arise with this host, and are neither a pass nor a failure.
    pub not_applicable: u64,
    /// How often each client verdict came.
    pub verdicts: BTreeMap<Verdict, u64>,
    /// The least and the most any answer counted.
    pub counts: Option<(u32, u32)>,
    /// What became of each expectation, in the plan's order.
    pub expectations: Vec<ExpectationResult>,
}

/// What became of an expectation.
#[derive(Debug, Default)]
pub struct ExpectationResult {
    /// Exchanges it held for.
    pub held: u64,
    /// Exchanges it did not hold for.
    pub failed: u64,
    /// The first exchanges it did not hold for.
    pub evidence: Vec<Disappointment>,
}

/// An exchange that was not as expected.
#[derive(Debug)]
pub struct Disappointment {
    /// The machine.
    pub machine: String,
    /// What was expected of it, and what was observed.
    pub broken: Broken,
}

/// What became of a check.
#[derive(Debug, Default)]
pub struct CheckResult {
    /// How often it held.
    pub passed: u64,
    /// How often it failed.
    pub failed: u64,
    /// The first failures.
    pub evidence: Vec<Evidence>,
}

/// One failure of a check.
#[derive(Debug)]
pub struct Evidence {
    /// The machine whose answer it was.
    pub machine: String,
    /// The step, from 0.
    pub step: usize,
    /// What was found.
    pub finding: Finding,
}

/// Counts over a scenario.
#[derive(Debug, Default, Clone, Copy)]
pub struct Totals {
    /// TCP connections opened.
    pub connections: u64,
    /// Activation requests sent, or meant to be.
    pub requests: u64,
    /// Responses that carried a return code.
    pub responses: u64,
    /// Bytes to the host.
    pub bytes_sent: u64,
    /// Bytes from the host.
    pub bytes_received: u64,
}

/// Durations over a scenario.
#[derive(Debug, Default, Clone)]
pub struct Latencies {
    /// TCP connections.
    pub connect: Latency,
    /// Binds.
    pub bind: Latency,
    /// alter_contexts.
    pub alter: Latency,
    /// Calls, send to reply.
    pub service: Latency,
    /// Whole exchanges, intended start to reply.
    pub response: Latency,
    /// How much later than intended exchanges started: our own doing, not the host's.
    pub late: Latency,
}

/// Reads the events of one scenario.
#[derive(Debug)]
pub struct Measure {
    result: ScenarioResult,
}

impl Measure {
    /// A measure of `plan`, with nothing seen yet.
    pub fn new(plan: Arc<Plan>) -> Measure {
        let steps = plan
            .steps
            .iter()
            .map(|step| StepResult {
                expectations: step.expect.iter().map(|_| ExpectationResult::default()).collect(),
                ..StepResult::default()
            })
            .collect();
        let result = ScenarioResult {
            plan,
            steps,
            totals: Totals::default(),
            latency: Latencies::default(),
            wire: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            shown: BTreeMap::new(),
            failures: BTreeMap::new(),
            checks: BTreeMap::new(),
            negotiated: None,
            duration: Duration::ZERO,
            ended_early: None,
        };
        Measure { result }
    }

    /// Takes one event.
    pub fn observe(&mut self, event: &Event) {
        match event {
            Event::ScenarioFinished { duration, ended_early } => {
                self.result.duration = *duration;
                self.result.ended_early = ended_early.clone();
            }
            Event::ConnectionOpened { .. } => self.result.totals.connections += 1,
            Event::Exchange(exchange) => self.observe_exchange(exchange),
            Event::ScenarioStarted { .. }
            | Event::StepStarted { .. }
            | Event::StepFinished { .. }
            | Event::ConnectionClosed { .. }
            | Event::Pdu { .. } => {}
        }
    }

    /// What it came to.
    pub fn finish(self) -> ScenarioResult {
        self.result
    }

    fn observe_exchange(&mut self, exchange: &Exchange) {
        let result = &mut self.result;
        let answer = &exchange.answer;
        result.totals.requests += 1;
        result.totals.responses += u64::from(answer.wire.is_some());
        result.totals.bytes_sent += exchange.bytes.sent;
        result.totals.bytes_received += exchange.bytes.received;
        if let Some(opened) = &exchange.opened {
            result.latency.connect.record(opened.connect);
            result.latency.bind.record(opened.negotiated.bind_time);
            if let Some(took) = opened.negotiated.alter_time {
                result.latency.alter.record(took);
            }
            result.negotiated.get_or_insert_with(|| opened.negotiated.clone());
        }
        if let Some(service) = exchange.service() {
            result.latency.service.record(service);
            result.latency.response.record(exchange.response());
        }
        if let Some(failure) = &answer.failure {
            let (count, _) = result.failures.entry(failure.class()).or_insert_with(|| (0, failure.to_string()));
            *count += 1;
        }
        let outcome = &exchange.outcome;
        if answer.is_not_applicable() {
            self.observe_checks(exchange);
            self.observe_expectations(exchange);
            return;
        }
        *result.wire.entry(outcome.wire).or_default() += 1;
        *result.verdicts.entry(outcome.verdict).or_default() += 1;
        *result.shown.entry(outcome.shown).or_default() += 1;
        result.latency.late.record(exchange.late);
        self.observe_checks(exchange);
        self.observe_expectations(exchange);
    }

    fn observe_checks(&mut self, exchange: &Exchange) {
        let checks = &exchange.answer.checks;
        for check in checks.done.iter() {
            let result = self.result.checks.entry(check).or_default();
            if checks.failed.has(check) {
                result.failed += 1;
            } else {
                result.passed += 1;
            }
        }
        for finding in &checks.findings {
            let evidence = &mut self.result.checks.entry(finding.check).or_default().evidence;
            if evidence.len() < EVIDENCE_MAX {
                let machine = exchange.machine.clone();
                evidence.push(Evidence { machine, step: exchange.step, finding: finding.clone() });
            }
        }
    }

    fn observe_expectations(&mut self, exchange: &Exchange) {
        let step = &mut self.result.steps[exchange.step];
        if exchange.answer.is_not_applicable() {
            step.not_applicable += 1;
            return;
        }
        step.exchanges += 1;
        *step.verdicts.entry(exchange.outcome.verdict).or_default() += 1;
        if let Some(count) = exchange.answer.response.as_ref().map(|response| response.count) {
            let (least, most) = step.counts.unwrap_or((count, count));
            step.counts = Some((least.min(count), most.max(count)));
        }
        for (number, result) in step.expectations.iter_mut().enumerate() {
            let Some(broken) = exchange.broken.iter().find(|broken| broken.expectation == number) else {
                result.held += 1;
                continue;
            };
            result.failed += 1;
            if result.evidence.len() < EVIDENCE_MAX {
                let machine = exchange.machine.clone();
                result.evidence.push(Disappointment { machine, broken: broken.clone() });
            }
        }
    }
}

impl ScenarioResult {
    /// Checks of a level that failed at least once.
    pub fn failed_checks(&self, level: Level) -> impl Iterator<Item = (CheckId, &CheckResult)> {
        self.checks
            .iter()
            .filter(move |(check, result)| check.check().level == level && result.failed > 0)
            .map(|(check, result)| (*check, result))
    }

    /// Expectations that did not hold for some exchange.
    pub fn failed_expectations(&self) -> usize {
        self.steps.iter().flat_map(|step| &step.expectations).filter(|expectation| expectation.failed > 0).count()
    }

    /// Whether every step ran and every check of the level `must` and every expectation held.
    pub fn passed(&self) -> bool {
        self.ended_early.is_none()
            && self.totals.requests > 0
            && self.failed_expectations() == 0
            && self.failed_checks(Level::Must).next().is_none()
    }

    /// Answered calls a second.
    pub fn throughput_rps(&self) -> f64 {
        if self.duration.is_zero() { 0.0 } else { self.totals.responses as f64 / self.duration.as_secs_f64() }
    }
}

/// So many pieces of evidence are kept of each check and expectation.
const EVIDENCE_MAX: usize = 5;
