//! The parts of the run record that are about load: steps and intervals, how the generator did, and what broke
//! under load only.

use serde::Serialize;

use super::{LatenciesRecord, LatencyRecord, latencies_record, latency_record};
use crate::events::Effort;
use crate::measure::{Coarse, ScenarioResult, Stretch, Timeline};

/// A step that makes load, one of those that are measured by themselves.
#[derive(Debug, Serialize)]
pub(super) struct StepRecord<'a> {
    step: usize,
    title: &'a str,
    line: usize,
    requests: u64,
    unanswered: u64,
    wrong: u64,
    reached_per_s: f64,
    latency_ns: LatenciesRecord,
}

/// How it went from interval to interval; there are never more than 120, so that they grow longer as it goes on.
#[derive(Debug, Serialize)]
pub(super) struct TimelineRecord {
    interval_s: f64,
    intervals: Vec<IntervalRecord>,
}

#[derive(Debug, Serialize)]
struct IntervalRecord {
    /// Since the run's beginning.
    at_s: f64,
    /// The first and the last are seldom whole.
    lasts_s: f64,
    first_step: Option<usize>,
    last_step: Option<usize>,
    asked: u64,
    requests: u64,
    unanswered: u64,
    wrong: u64,
    late: u64,
    held_back: u64,
    missed: u64,
    latency_ns: CoarseLatencies,
}

#[derive(Debug, Serialize)]
struct CoarseLatencies {
    connect: CoarseRecord,
    bind: CoarseRecord,
    alter_context: CoarseRecord,
    service: CoarseRecord,
    response: CoarseRecord,
}

/// To two digits.
#[derive(Debug, Serialize)]
struct CoarseRecord {
    count: u64,
    p50: u64,
    p90: u64,
    p99: u64,
    p999: u64,
    max: u64,
}

/// How late exchanges started: those with times of their own, or kept apart by a pace, can fall behind.
#[derive(Debug, Serialize)]
pub(super) struct GeneratorRecord {
    late_ns: LatencyRecord,
    /// Whether kmsproof itself was the bottleneck.
    saturated: bool,
    due: u64,
    started: u64,
    late: u64,
    held_back: u64,
    missed: u64,
    under_way_max: u64,
    /// The part of their time the workers spent working; 0 when they had too little of it to tell.
    busy_share: f64,
    no_port: u64,
    no_file: u64,
    syn_retries: u64,
    evidence: Vec<String>,
    notes: Vec<String>,
}

/// A requirement that held in a calm step and broke under load.
#[derive(Debug, Serialize)]
pub(super) struct UnderLoadRecord {
    id: String,
    held_in_step: usize,
    broke_in_step: usize,
    broke: u64,
    of: u64,
}

pub(super) fn step_records(result: &ScenarioResult) -> Vec<StepRecord<'_>> {
    let steps = result.plan.steps.iter().zip(&result.steps).enumerate();
    let loaded = steps.filter_map(|(number, (step, outcome))| Some((number, step, outcome, outcome.times.as_ref()?)));
    loaded
        .map(|(number, step, outcome, times)| StepRecord {
            step: number + 1,
            title: &step.title,
            line: step.line,
            requests: outcome.exchanges,
            unanswered: times.unanswered,
            wrong: outcome.wrong,
            reached_per_s: times.per_s(),
            latency_ns: latencies_record(&times.all),
        })
        .collect()
}

pub(super) fn timeline_record(timeline: &Timeline) -> TimelineRecord {
    TimelineRecord {
        interval_s: timeline.width().as_secs_f64(),
        intervals: timeline.stretches().map(interval_record).collect(),
    }
}

fn interval_record(stretch: Stretch<'_>) -> IntervalRecord {
    let interval = stretch.interval;
    IntervalRecord {
        at_s: stretch.at.as_secs_f64(),
        lasts_s: stretch.lasts.as_secs_f64(),
        first_step: interval.steps.map(|(first, _)| first + 1),
        last_step: interval.steps.map(|(_, last)| last + 1),
        asked: interval.asked(),
        requests: interval.requests,
        unanswered: interval.unanswered,
        wrong: interval.wrong,
        late: interval.late,
        held_back: interval.held_back,
        missed: interval.missed,
        latency_ns: CoarseLatencies {
            connect: coarse_record(&interval.connect),
            bind: coarse_record(&interval.bind),
            alter_context: coarse_record(&interval.alter),
            service: coarse_record(&interval.service),
            response: coarse_record(&interval.response),
        },
    }
}

fn coarse_record(times: &Coarse) -> CoarseRecord {
    let [p50, p90, p99, p999] = [0.5, 0.9, 0.99, 0.999].map(|share| times.quantile_ns(share));
    CoarseRecord { count: times.count(), p50, p90, p99, p999, max: times.max_ns() }
}

pub(super) fn generator_record(result: &ScenarioResult) -> GeneratorRecord {
    let health = result.health();
    let Effort { due, started, late, held_back, missed, under_way_max, no_port, no_file, syn_retries, .. } =
        result.effort;
    GeneratorRecord {
        late_ns: latency_record(&result.latency.late),
        saturated: !health.invalid.is_empty(),
        due,
        started,
        late,
        held_back,
        missed,
        under_way_max,
        busy_share: result.busy_share().unwrap_or(0.0),
        no_port,
        no_file,
        syn_retries,
        evidence: health.invalid,
        notes: health.notes,
    }
}

pub(super) fn under_load_records(result: &ScenarioResult) -> Vec<UnderLoadRecord> {
    let found = result.under_load().into_iter();
    found
        .map(|found| UnderLoadRecord {
            id: found.id,
            held_in_step: found.held_in + 1,
            broke_in_step: found.broke_in + 1,
            broke: found.broke,
            of: found.of,
        })
        .collect()
}
