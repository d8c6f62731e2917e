//! Carrying a plan out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::mpsc::Sender as Events;

use super::attempt::Attempt;
use super::clock::Clock;
use super::connection::{Connection, Failed, Settings, connect, tell};
use super::embedded::EmbeddedLab;
use super::pacer::Pacer;
use crate::events::{Event, Exchange, RunError};
use crate::proto::{Answer, Ask, Failure, FailureKind, Offer, Phase};
use crate::scenario::{Arrival, ConnectionUse, HostState, Plan, Step};

/// The host a run is against.
#[derive(Debug)]
pub struct HostUnderTest {
    /// Its addresses, in the order they are tried.
    pub addresses: Vec<SocketAddr>,
    /// The embedded lab host, when it is that.
    pub lab: Option<EmbeddedLab>,
    /// What keeps requests to it apart.
    pub pacer: Pacer,
    /// How many connections were opened to it so far.
    pub connections: AtomicU64,
}

/// Tells a run to stop after what is under way.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<(AtomicBool, Notify)>);

impl Stop {
    /// Stops the run.
    pub fn set(&self) {
        self.0.0.store(true, Ordering::Relaxed);
        self.0.1.notify_waiters();
    }

    /// Whether it was told to stop.
    pub fn is_set(&self) -> bool {
        self.0.0.load(Ordering::Relaxed)
    }
}

impl HostUnderTest {
    /// Whether anything accepts connections there; the failure says why not.
    pub async fn check_reachable(&self, limit: Duration) -> Result<(), Failure> {
        connect(&self.addresses, limit).await.map(drop)
    }
}

/// Carries out every step of `plan` in order, and tells what happens as `events`.
pub async fn run_plan(
    plan: Arc<Plan>,
    host: Arc<HostUnderTest>,
    settings: Settings,
    clock: Clock,
    events: Events<Event>,
    stop: Stop,
) {
    let run = Arc::new(Run { plan, host, settings, clock, events, stop, failures: Failures::default() });
    let begun = clock.now();
    tell(&run.events, Event::ScenarioStarted { name: run.plan.name.clone() }).await;
    let ended = run.steps().await;
    let finished = Event::ScenarioFinished { duration: clock.now() - begun, ended_early: ended.err() };
    tell(&run.events, finished).await;
}

struct Run {
    plan: Arc<Plan>,
    host: Arc<HostUnderTest>,
    settings: Settings,
    clock: Clock,
    events: Events<Event>,
    stop: Stop,
    failures: Failures,
}

impl Run {
    async fn steps(self: &Arc<Run>) -> Result<(), RunError> {
        for step in 0..self.plan.steps.len() {
            self.step(step).await?;
        }
        Ok(())
    }

    async fn step(self: &Arc<Run>, number: usize) -> Result<(), RunError> {
        let step = &self.plan.steps[number];
        let fresh_host = step.host == HostState::Fresh;
        if let (true, Some(lab)) = (fresh_host, &self.host.lab) {
            lab.forget_clients();
        }
        tell(&self.events, Event::StepStarted { step: number, fresh_host }).await;
        let next = Arc::new(AtomicUsize::new(0));
        let workers = step.concurrency.min(step.arrivals.len());
        if workers <= 1 {
            self.work(number, &next).await?;
        } else {
            let mut crew = tokio::task::JoinSet::new();
            for _ in 0..workers {
                let (run, next) = (Arc::clone(self), Arc::clone(&next));
                crew.spawn(async move { run.work(number, &next).await });
            }
            let mut result = Ok(());
            while let Some(worker) = crew.join_next().await {
                result = result.and(worker.expect("a worker does not panic"));
            }
            result?;
        }
        tell(&self.events, Event::StepFinished { step: number }).await;
        Ok(())
    }

    /// Takes the step's arrivals one after another until there are no more.
    async fn work(&self, number: usize, next: &AtomicUsize) -> Result<(), RunError> {
        let step = &self.plan.steps[number];
        let mut kept: Option<Kept> = None;
        loop {
            if self.stop.is_set() {
                self.hang_up(kept).await;
                return Err(RunError::Stopped);
            }
            if let Some(failures) = self.failures.too_many() {
                self.hang_up(kept).await;
                return Err(RunError::HostSilent(failures));
            }
            let position = next.fetch_add(1, Ordering::Relaxed);
            let Some(arrival) = step.arrivals.get(position) else { break };
            let due = self.host.pacer.wait(self.clock).await;
            let attempt = Attempt::new(number, position, due, self.clock);
            let exchange = self.exchange(attempt, step, arrival, &mut kept).await;
            self.failures.note(&exchange.answer);
            tell(&self.events, Event::Exchange(Box::new(exchange))).await;
        }
        self.hang_up(kept).await;
        Ok(())
    }

    async fn exchange(
        &self,
        mut attempt: Attempt,
        step: &Step,
        arrival: &Arrival,
        kept: &mut Option<Kept>,
    ) -> Exchange {
        let machine = &self.plan.machines[arrival.machine];
        let ask = Ask::new(machine.request(arrival.version, self.clock.wall()), arrival.iv);
        let unfit = kept.take_if(|kept| kept.offer != arrival.offer);
        self.hang_up(unfit).await;
        let connection = match kept.take() {
            Some(kept) => Ok(kept.connection),
            None => self.open(arrival.offer, &mut attempt).await,
        };
        let result = match connection {
            Ok(mut connection) => {
                let result = connection.call(ask.payload(), &self.events).await;
                attempt.note_carried(&mut connection);
                match step.connection {
                    ConnectionUse::Kept if result.is_ok() && connection.is_usable() => {
                        *kept = Some(Kept { connection, offer: arrival.offer })
                    }
                    _ => connection.close(&self.events).await,
                }
                result
            }
            Err(failed) => Err(failed),
        };
        attempt.conclude(machine, &ask, result, self.clock)
    }

    async fn open(&self, offer: Offer, attempt: &mut Attempt) -> Result<Connection, Failed> {
        let id = self.host.connections.fetch_add(1, Ordering::Relaxed);
        let opening = Connection::open(id, &self.host.addresses, offer, self.settings, self.clock, &self.events);
        let connection = opening.await?;
        attempt.note_opened(&connection);
        Ok(connection)
    }

    async fn hang_up(&self, kept: Option<Kept>) {
        if let Some(kept) = kept {
            kept.connection.close(&self.events).await;
        }
    }
}

/// A connection that waits for the worker's next call.
struct Kept {
    connection: Connection,
    offer: Offer,
}

/// Whether it is worth going on.
#[derive(Default)]
struct Failures {
    in_a_row: AtomicU64,
    answered: AtomicBool,
}

impl Failures {
    fn note(&self, answer: &Answer) {
        // The host spoke, and yet it says nothing of calls: neither a failure nor an answer.
        if answer.is_not_applicable() {
            return;
        }
        let silent = answer.failure.as_ref().is_some_and(|failure| {
            let answered_somehow =
                matches!(failure.kind, FailureKind::Fault(_) | FailureKind::Nak(_) | FailureKind::NoCommonSyntax(_));
            !answered_somehow || failure.phase == Phase::Connect
        });
        if silent {
            self.in_a_row.fetch_add(1, Ordering::Relaxed);
        } else {
            self.in_a_row.store(0, Ordering::Relaxed);
            self.answered.store(true, Ordering::Relaxed);
        }
    }

    fn too_many(&self) -> Option<u32> {
        let limit = if self.answered.load(Ordering::Relaxed) { FAILURES_MAX } else { FAILURES_AT_FIRST_MAX };
        let in_a_row = self.in_a_row.load(Ordering::Relaxed);
        (in_a_row >= limit).then_some(in_a_row as u32)
    }
}

/// So many failures in a row end a run.
const FAILURES_MAX: u64 = 10;
/// So many end it when nothing was ever answered.
const FAILURES_AT_FIRST_MAX: u64 = 3;
