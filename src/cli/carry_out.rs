//! From a plan to its result: the events of a run, and everyone who reads them.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::Failure;
use super::live::Watcher;
use crate::checks::{HostKnowledge, Judge};
use crate::engine::{Clock, HostUnderTest, Stop, Terms, run_plan};
use crate::events::Event;
use crate::exit::Exit;
use crate::measure::{Measure, ScenarioResult};
use crate::report::{Reporter, RunRecord};
use crate::scenario::Plan;

/// The reports of a run. One that cannot be written is given up, and told of at the end: the run
/// and the other reports go on.
#[derive(Default)]
pub struct Outputs {
    /// Those that can still be written.
    pub reporters: Vec<Box<dyn Reporter>>,
    /// Whoever watches.
    pub watcher: Option<Watcher>,
    first_error: Option<std::io::Error>,
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
        if let Some(watcher) = &mut outputs.watcher {
            watcher.observe(&event, &watched);
        }
    }
    running.await.map_err(|error| Failure::new(Exit::Bug, format!("the run broke off: {error}")))?;
    Ok(measure.finish(judge.remarks()))
}

/// Events that may wait for their reader.
const EVENTS_MAX: usize = 1024;
