//! What a scenario came to, and whether that is a pass.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Timeline;
use crate::events::{Broken, Effort, RunError, Times};
use crate::oracle::{Divergence, DivergenceId, ExchangeId, Remark};
use crate::proto::verify::{CheckId, CheckSet, Finding, Level};
use crate::proto::{Moment, Negotiated, Verdict};
use crate::scenario::{Expectation, Figure, Measured, Metric, Plan, Threshold, Timed};
use crate::wire::kms::LicenseStatus;
use crate::wire::{Guid, Hresult};

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
    pub latency: Times,
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
    /// How many answers were held against what an honest host would have said.
    pub predicted: u64,
    /// How many of them could be right in one way only.
    pub predicted_exactly: u64,
    /// How often an answer differed from that, and in what.
    pub divergences: BTreeMap<DivergenceId, DivergenceResult>,
    /// How many requests said each license status: by so much the host's own counters grow.
    pub statuses: BTreeMap<LicenseStatus, u64>,
    /// Answers that some check, expectation or prediction finds wrong.
    pub wrong: u64,
    /// Requests without an answer that can be trusted.
    pub unanswered: u64,
    /// What was learned of the host on the way.
    pub remarks: Vec<Remark>,
    /// What the first bind came to.
    pub negotiated: Option<Negotiated>,
    /// How the generator did.
    pub effort: Effort,
    /// How it went from interval to interval, where time goes by itself.
    pub timeline: Timeline,
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
    /// Answers that some check, expectation or prediction finds wrong.
    pub wrong: u64,
    /// Whether it was gone through to its end.
    pub finished: bool,
    /// How often each client verdict came.
    pub verdicts: BTreeMap<Verdict, u64>,
    /// The least and the most any answer counted.
    pub counts: Option<(u32, u32)>,
    /// The checks that were done.
    pub checks_done: CheckSet,
    /// How often each of those that failed did.
    pub checks_failed: BTreeMap<CheckId, u64>,
    /// How often the host differed so that nothing but a fault of it explains it, and in what.
    pub predictions_failed: BTreeMap<DivergenceId, u64>,
    /// How long its calls took, where it is one of the first that make load.
    pub times: Option<Box<StepTimes>>,
    /// What became of each expectation, in the plan's order.
    pub expectations: Vec<ExpectationResult>,
}

/// How long things took in a step.
#[derive(Debug, Default)]
pub struct StepTimes {
    /// All that is timed.
    pub all: Times,
    /// How long it was to last, once it is over.
    pub lasts: Option<Duration>,
    /// When the first was answered, and the last.
    pub answered: Option<(Moment, Moment)>,
    /// How the generator did.
    pub effort: Effort,
    /// Requests without an answer that can be trusted.
    pub unanswered: u64,
}

impl StepTimes {
    /// Answers a second.
    pub fn per_s(&self) -> f64 {
        let lasted = self.answered.map_or(0.0, |(first, last)| (last - first).as_secs_f64());
        let answers = self.all.service.count();
        match self.lasts {
            // It may have been over before, and nobody came any more.
            Some(lasts) => answers as f64 / lasted.max(lasts.as_secs_f64()),
            // Between so many there is one gap less.
            None if lasted > 0.0 => answers.saturating_sub(1) as f64 / lasted,
            None => 0.0,
        }
    }

    pub(super) fn note_answered(&mut self, from: Moment, until: Moment) {
        let (first, last) = self.answered.unwrap_or((from, until));
        self.answered = Some((first.min(from), last.max(until)));
    }
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

/// What became of one thing an honest host does.
#[derive(Debug, Default)]
pub struct DivergenceResult {
    /// How often the host differed so that nothing but a fault of it explains it.
    pub failed: u64,
    /// How often it differed so that other clients of it may explain it.
    pub doubtful: u64,
    /// The first of them.
    pub evidence: Vec<Difference>,
}

/// An answer that is not an honest host's.
#[derive(Debug)]
pub struct Difference {
    /// Which exchange it was.
    pub exchange: ExchangeId,
    /// The machine whose answer it was.
    pub machine: String,
    /// Its client machine id.
    pub cmid: Guid,
    /// In what it differs.
    pub divergence: Divergence,
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

impl ScenarioResult {
    /// Checks of a level that failed at least once.
    pub fn failed_checks(&self, level: Level) -> impl Iterator<Item = (CheckId, &CheckResult)> {
        self.checks
            .iter()
            .filter(move |(check, result)| check.check().level == level && result.failed > 0)
            .map(|(check, result)| (*check, result))
    }

    /// Expectations of steps that had answers, and were not met.
    pub fn failed_expectations(&self) -> usize {
        let planned = self.plan.steps.iter().zip(&self.steps);
        let pairs = planned.flat_map(|(step, result)| step.expect.iter().zip(&result.expectations));
        pairs.filter(|(expectation, result)| result.is_failed(expectation)).count()
    }

    /// Ways in which some answer was not an honest host's, and nothing but a fault of it explains that.
    pub fn failed_predictions(&self) -> impl Iterator<Item = (DivergenceId, &DivergenceResult)> {
        self.divergences.iter().filter(|(_, result)| result.failed > 0).map(|(id, result)| (*id, result))
    }

    /// Each threshold of the scenario, what was measured, and whether it holds.
    pub fn thresholds(&self) -> impl Iterator<Item = (&Threshold, Measured, bool)> {
        self.plan.thresholds.iter().map(|threshold| {
            let measured = self.measured(threshold.metric);
            (threshold, measured, threshold.holds(measured))
        })
    }

    fn measured(&self, metric: Metric) -> Measured {
        // Of load nobody wrote a file for, the load itself is meant, and not the calm before it.
        let is_of_load = matches!(metric, Metric::Time { .. } | Metric::Throughput);
        let load = self.steps.last().filter(|_| self.plan.measures_speed && is_of_load);
        self.measured_of(metric, load)
    }

    /// What was measured of one step, as far as steps are measured by themselves; else of all of them.
    pub fn measured_in(&self, metric: Metric, step: usize) -> Measured {
        self.measured_of(metric, self.steps.get(step))
    }

    fn measured_of(&self, metric: Metric, step: Option<&StepResult>) -> Measured {
        let times = step.and_then(|step| step.times.as_ref());
        let all = times.map_or(&self.latency, |times| &times.all);
        let requests = step.map_or(self.totals.requests, |step| step.exchanges);
        match metric {
            Metric::Time { of, figure } => {
                let latency = match of {
                    Timed::Connect => &all.connect,
                    Timed::Bind => &all.bind,
                    Timed::Service => &all.service,
                    Timed::Response => &all.response,
                };
                let ns = match figure {
                    Figure::Quantile(thousandths) => latency.quantile_ns(f64::from(thousandths) / 1000.0),
                    Figure::Mean => latency.mean_ns() as u64,
                    Figure::Max => latency.max_ns(),
                };
                Measured::Time(Duration::from_nanos(ns))
            }
            Metric::Errors => Measured::Part(times.map_or(self.unanswered, |times| times.unanswered), requests),
            Metric::Wrong => Measured::Part(step.map_or(self.wrong, |step| step.wrong), requests),
            Metric::Activated => {
                let verdicts = step.map_or(&self.verdicts, |step| &step.verdicts);
                Measured::Part(verdicts.get(&Verdict::Activated).copied().unwrap_or_default(), requests)
            }
            Metric::Throughput => {
                Measured::PerSecond(times.map_or_else(|| self.throughput_rps(), |times| times.per_s()))
            }
        }
    }

    /// Whether every step ran and every check of the level `must`, every expectation and every
    /// prediction held. Thresholds are judged apart.
    pub fn passed(&self) -> bool {
        self.ended_early.is_none()
            && self.totals.requests > 0
            && self.failed_expectations() == 0
            && self.failed_predictions().next().is_none()
            && self.failed_checks(Level::Must).next().is_none()
    }

    /// Whether every threshold holds.
    pub fn keeps_thresholds(&self) -> bool {
        self.thresholds().all(|(.., holds)| holds)
    }

    /// Answered calls a second.
    pub fn throughput_rps(&self) -> f64 {
        if self.duration.is_zero() { 0.0 } else { self.totals.responses as f64 / self.duration.as_secs_f64() }
    }
}

impl ExpectationResult {
    /// Whether the answers there were are not as expected.
    pub fn is_failed(&self, expectation: &Expectation) -> bool {
        self.held + self.failed > 0 && !expectation.what.is_met(self.held, self.failed)
    }
}
