//! From a plan to its result: the events of a run, and everyone who reads them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::Failure;
use super::live::Watcher;
use crate::checks::{HostKnowledge, Judge};
use crate::engine::{Clock, HostUnderTest, Stop, Terms, run_plan};
use crate::events::Event;
use crate::exit::Exit;
use crate::measure::{Measure, ScenarioResult};
use crate::report::{Reporter, RunHeader, RunRecord};
use crate::scenario::Plan;

/// The reports of a run. One that cannot be written is given up, and told of at the end: the run
/// and the other reports go on.
#[derive(Default)]
pub struct Outputs {
    /// Those that can still be written.
    pub reporters: Vec<Box<dyn Reporter>>,
    /// Whoever watches.
    pub watcher: Option<Watcher>,
    /// What scenarios that are over came to.
    pub results: Vec<ScenarioResult>,
    so_far: Option<SoFar>,
    first_error: Option<std::io::Error>,
}

/// What a run that is not over is headed by.
struct SoFar {
    header: RunHeader,
    began: Instant,
    /// When reports were last shown what it has come to.
    shown: Instant,
    again_after: Duration,
}

impl Outputs {
    /// Shows an event to each of them.
    pub fn observe(&mut self, event: &Event) {
        let first_error = &mut self.first_error;
        self.reporters.retain_mut(|reporter| match reporter.observe(event) {
            Ok(()) => true,
            Err(error) => {
                first_error.get_or_insert(error);
                false
            }
        });
    }

    /// Shows them what a run that is not over has come to, when it was long ago that they last were: whatever ends
    /// this process, that much is written.
    fn checkpoint(&mut self, current: &ScenarioResult) {
        let Some(so_far) = &mut self.so_far else { return };
        if self.reporters.is_empty() || so_far.shown.elapsed() < so_far.again_after {
            return;
        }
        so_far.shown = Instant::now();
        so_far.again_after = (so_far.again_after * 2).min(CHECKPOINT_EVERY);
        so_far.header.duration_s = so_far.began.elapsed().as_secs_f64();
        let record = RunRecord::so_far(&so_far.header, self.results.iter().chain([current]));
        show(&mut self.reporters, &mut self.first_error, &record);
    }

    /// Shows them what a run that is not over has come to.
    pub fn show(&mut self, record: &RunRecord<'_>) {
        show(&mut self.reporters, &mut self.first_error, record);
    }

    /// Lets them be shown what the run has come to while it goes on.
    pub fn keep_so_far(&mut self, header: RunHeader) {
        let now = Instant::now();
        self.so_far = Some(SoFar { header, began: now, shown: now, again_after: CHECKPOINT_AFTER });
    }

    /// Writes them.
    ///
    /// # Errors
    /// The first that could not be written.
    pub fn finish(mut self, record: &RunRecord<'_>) -> Result<(), Failure> {
        for reporter in self.reporters {
            if let Err(error) = reporter.finish(record) {
                self.first_error.get_or_insert(error);
            }
        }
        self.first_error.map_or(Ok(()), |error| Err(error.into()))
    }
}

fn show(reporters: &mut Vec<Box<dyn Reporter>>, first_error: &mut Option<std::io::Error>, record: &RunRecord<'_>) {
    reporters.retain_mut(|reporter| match reporter.checkpoint(record) {
        Ok(()) => true,
        Err(error) => {
            first_error.get_or_insert(error);
            false
        }
    });
}

/// Carries out one plan, and judges, measures and reports what happens as it does.
pub async fn run_one(
    plan: Arc<Plan>,
    host: &Arc<HostUnderTest>,
    known: HostKnowledge,
    terms: &Terms,
    clock: Clock,
    stop: &Stop,
    outputs: &mut Outputs,
) -> Result<ScenarioResult, Failure> {
    let (events, mut received) = mpsc::channel::<Event>(EVENTS_MAX);
    let mut judge = Judge::new(Arc::clone(&plan), known);
    let mut measure = Measure::new(Arc::clone(&plan));
    let watched = Arc::clone(&plan);
    let running =
        tokio::spawn(run_plan(plan, Arc::clone(host), terms.clone(), clock, judge.quiet(), events, stop.clone()));
    while let Some(event) = received.recv().await {
        let event = judge.judge(event);
        measure.observe(&event);
        outputs.observe(&event);
        outputs.checkpoint(measure.so_far());
        if let Some(watcher) = &mut outputs.watcher {
            watcher.observe(&event, &watched);
        }
    }
    running.await.map_err(|error| Failure::new(Exit::Bug, format!("the run broke off: {error}")))?;
    Ok(measure.finish(judge.remarks()))
}

/// Events that may wait for their reader.
const EVENTS_MAX: usize = 1024;
/// When what was measured is first written while it goes on, and how often in the end.
const CHECKPOINT_AFTER: Duration = Duration::from_secs(1);
const CHECKPOINT_EVERY: Duration = Duration::from_secs(10);
