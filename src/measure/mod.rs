//! What a run's events come to: totals, latencies, outcomes, how often each check
//! and expectation held. Reads events and the plan they come of, and nothing else.
//!
//! [`Measure`] takes events in, a [`ScenarioResult`] is what comes out, and [`Latency`] is
//! how durations are kept on the way.

mod health;
mod result;
mod timeline;
mod under_load;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use health::Health;
pub use result::{
    CheckResult, Difference, Disappointment, DivergenceResult, Evidence, ExpectationResult, ScenarioResult, StepResult,
    StepTimes, Totals,
};
pub use timeline::{Interval, Stretch, Timeline};
pub use under_load::UnderLoad;

pub use crate::events::{Coarse, Latency, Times};
use crate::events::{Effort, Event, Exchange, Tally};
use crate::oracle::Remark;
use crate::proto::Moment;
use crate::proto::verify::Level;
use crate::scenario::{HostState, Plan, Step, TimeMode};

/// Reads the events of one scenario.
#[derive(Debug)]
pub struct Measure {
    result: ScenarioResult,
    /// When the first thing happened.
    began: Option<Moment>,
}

impl Measure {
    /// A measure of `plan`, with nothing seen yet.
    pub fn new(plan: Arc<Plan>) -> Measure {
        // A histogram is not small, and a file may have ten thousand steps.
        let mut left = LOAD_STEPS_MAX;
        let steps = plan
            .steps
            .iter()
            .map(|step| StepResult {
                times: (makes_load(step) && take(&mut left)).then(Box::default),
                expectations: step.expect.iter().map(|_| ExpectationResult::default()).collect(),
                ..StepResult::default()
            })
            .collect();
        let result = ScenarioResult {
            plan,
            steps,
            totals: Totals::default(),
            latency: Times::default(),
            wire: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            shown: BTreeMap::new(),
            failures: BTreeMap::new(),
            checks: BTreeMap::new(),
            predicted: 0,
            predicted_exactly: 0,
            divergences: BTreeMap::new(),
            statuses: BTreeMap::new(),
            wrong: 0,
            unanswered: 0,
            remarks: Vec::new(),
            negotiated: None,
            effort: Effort::default(),
            timeline: Timeline::new(INTERVAL),
            duration: Duration::ZERO,
            ended_early: None,
        };
        Measure { result, began: None }
    }

    /// Takes one event.
    pub fn observe(&mut self, event: &Event) {
        match event {
            Event::ScenarioFinished { duration, ended_early } => {
                self.result.duration = *duration;
                self.result.ended_early = ended_early.clone();
            }
            Event::StepFinished { step } => {
                let planned = self.result.plan.steps.get(*step);
                if let (Some(step), Some(planned)) = (self.result.steps.get_mut(*step), planned) {
                    step.finished = true;
                    if let Some(times) = &mut step.times {
                        times.lasts = planned.lasts().filter(|lasts| !lasts.is_zero());
                    }
                }
            }
            Event::ConnectionOpened { .. } => self.result.totals.connections += 1,
            Event::Exchange(exchange) => {
                self.went_by(exchange.started, exchange.received);
                self.observe_exchange(exchange);
            }
            Event::Tally(tally) => {
                self.went_by(tally.from, tally.until);
                self.observe_tally(tally);
            }
            Event::ScenarioStarted { .. }
            | Event::StepStarted { .. }
            | Event::ConnectionClosed { .. }
            | Event::Asked { .. }
            | Event::Pdu { .. }
            | Event::Judged(_) => {}
        }
    }

    /// What it came to so far.
    pub fn so_far(&self) -> &ScenarioResult {
        &self.result
    }

    /// What it came to, and what was learned of the host.
    pub fn finish(self, remarks: Vec<Remark>) -> ScenarioResult {
        ScenarioResult { remarks, ..self.result }
    }

    /// How long it takes is only said at its end; until then it is what was seen of it.
    fn went_by(&mut self, from: Moment, until: Moment) {
        let began = *self.began.get_or_insert(from);
        self.result.duration = self.result.duration.max(until - began);
    }

    fn observe_exchange(&mut self, exchange: &Exchange) {
        let result = &mut self.result;
        let answer = &exchange.answer;
        result.totals.requests += 1;
        result.totals.responses += u64::from(answer.wire.is_some());
        result.totals.bytes_sent += exchange.bytes.sent;
        result.totals.bytes_received += exchange.bytes.received;
        // A time that does not go by itself measures nothing.
        let timed = result.plan.time == TimeMode::Wall;
        if timed && !answer.is_not_applicable() {
            result.timeline.note_exchange(exchange);
        }
        if let Some(opened) = exchange.opened.as_ref().filter(|_| timed) {
            let of_step = result.steps[exchange.step].times.as_mut().map(|times| &mut times.all);
            for times in [Some(&mut result.latency), of_step].into_iter().flatten() {
                times.connect.record(opened.connect);
                times.bind.record(opened.negotiated.bind_time);
                if let Some(took) = opened.negotiated.alter_time {
                    times.alter.record(took);
                }
            }
        }
        if let Some(opened) = &exchange.opened {
            result.negotiated.get_or_insert_with(|| opened.negotiated.clone());
        }
        if let Some(service) = exchange.service().filter(|_| timed) {
            result.latency.service.record(service);
            result.latency.response.record(exchange.response());
            if let Some(times) = &mut result.steps[exchange.step].times {
                times.all.service.record(service);
                times.all.response.record(exchange.response());
                times.all.late.record(exchange.late);
                times.note_answered(exchange.asked, exchange.received);
            }
        }
        let down = result.plan.steps.get(exchange.step).is_some_and(|step| step.host == HostState::Down);
        if let Some(failure) = answer.failure.as_ref().filter(|_| !down) {
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
        *result.statuses.entry(exchange.request.license_status).or_default() += 1;
        if timed {
            result.latency.late.record(exchange.late);
        }
        let unanswered = u64::from(exchange.is_unanswered());
        result.unanswered += unanswered;
        if let Some(times) = &mut result.steps[exchange.step].times {
            times.unanswered += unanswered;
        }
        self.observe_checks(exchange);
        self.observe_expectations(exchange);
        self.observe_judgement(exchange);
        let wrong = u64::from(exchange.is_wrong());
        self.result.wrong += wrong;
        self.result.steps[exchange.step].wrong += wrong;
    }

    /// Takes in many exchanges at once that were all as they should be.
    fn observe_tally(&mut self, tally: &Tally) {
        let result = &mut self.result;
        let many = tally.exchanges();
        result.totals.requests += many;
        result.totals.responses += many;
        result.totals.connections += tally.connections;
        result.totals.bytes_sent += tally.bytes.sent;
        result.totals.bytes_received += tally.bytes.received;
        result.latency.add(&tally.times);
        result.timeline.note_tally(tally);
        let step = &mut result.steps[tally.step];
        step.exchanges += many;
        if let Some(times) = &mut step.times {
            times.all.add(&tally.times);
            times.effort.add(&tally.effort);
            if many > 0 {
                times.note_answered(tally.from, tally.until);
            }
        }
        step.expectations.iter_mut().for_each(|expectation| expectation.held += many);
        if let Some((least, most)) = tally.counts {
            let (before_least, before_most) = step.counts.unwrap_or((least, most));
            step.counts = Some((before_least.min(least), before_most.max(most)));
        }
        for (kind, times) in &tally.kinds {
            *step.verdicts.entry(kind.outcome.verdict).or_default() += times;
            *result.wire.entry(kind.outcome.wire).or_default() += times;
            *result.verdicts.entry(kind.outcome.verdict).or_default() += times;
            *result.shown.entry(kind.outcome.shown).or_default() += times;
            *result.statuses.entry(kind.status).or_default() += times;
            step.checks_done = step.checks_done.union(kind.done);
            for check in kind.done.iter() {
                result.checks.entry(check).or_default().passed += times;
            }
            if kind.predicted {
                result.predicted += times;
                result.predicted_exactly += times;
            }
        }
        result.effort.add(&tally.effort);
    }

    fn observe_judgement(&mut self, exchange: &Exchange) {
        let Some(judgement) = &exchange.judgement else { return };
        let step = &mut self.result.steps[exchange.step];
        for divergence in judgement.divergences.iter().filter(|divergence| divergence.level == Level::Must) {
            *step.predictions_failed.entry(divergence.id).or_default() += 1;
        }
        self.result.predicted += 1;
        self.result.predicted_exactly += u64::from(judgement.prediction.is_exact());
        for divergence in &judgement.divergences {
            let result = self.result.divergences.entry(divergence.id).or_default();
            match divergence.level {
                Level::Must => result.failed += 1,
                Level::Should | Level::May => result.doubtful += 1,
            }
            if result.evidence.len() < EVIDENCE_MAX {
                result.evidence.push(Difference {
                    exchange: exchange.id(),
                    machine: exchange.machine.clone(),
                    cmid: exchange.request.cmid,
                    divergence: divergence.clone(),
                });
            }
        }
    }

    fn observe_checks(&mut self, exchange: &Exchange) {
        let checks = &exchange.answer.checks;
        let step = &mut self.result.steps[exchange.step];
        step.checks_done = step.checks_done.union(checks.done);
        for check in checks.failed.iter() {
            *step.checks_failed.entry(check).or_default() += 1;
        }
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

/// Whether times of a step by itself mean something: many ask at a time, or at times of their own.
fn makes_load(step: &Step) -> bool {
    step.concurrency() != Some(1) && step.host != HostState::Down
}

/// Takes one of what is left, if there is any.
fn take(left: &mut usize) -> bool {
    let some = *left > 0;
    *left = left.saturating_sub(1);
    some
}

/// So many steps that make load are measured by themselves.
const LOAD_STEPS_MAX: usize = 32;
/// How long an interval is, as long as there are few.
const INTERVAL: Duration = Duration::from_secs(1);
/// So many pieces of evidence are kept of each check and expectation.
const EVIDENCE_MAX: usize = 5;
