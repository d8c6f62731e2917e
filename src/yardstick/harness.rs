//! The load engine itself, against a host from the yardstick.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::sync::mpsc;

use super::Sample;
use crate::checks::{HostKnowledge, Judge};
use crate::engine::{
    CannedAnswers, Clock, Drive, Engine, HostUnderTest, Pacer, Settings, Stop, Terms, run_plan, thread_time,
};
use crate::events::{Event, Tally};
use crate::measure::{Measure, ScenarioResult};
use crate::proto::verify::{CheckId, CheckSet};
use crate::scenario::{Ids, Plan, ShippedTables, load};
use crate::wire::FileTime;

/// Plans for the engine, whose requests a [`super::FixedHost`] has answers to.
#[derive(Debug, Clone)]
pub struct Harness {
    /// How many requests there are answers to; 0 for a host that works each of them out.
    pub answers: u64,
    now: FileTime,
}

/// One run of the engine.
#[derive(Debug, Clone)]
pub struct Load {
    /// `arrive`, as a scenario says it.
    pub arrive: String,
    /// Whether connections are kept.
    pub kept: bool,
    /// How many machines there are.
    pub clients: u32,
    /// For how long.
    pub lasts: Duration,
    /// How often each machine asks, at most; `None` is as often as there is time for.
    pub rounds: Option<u32>,
    /// How many workers.
    pub workers: usize,
    /// On which cores.
    pub pin: Vec<usize>,
    /// Whether nothing is sealed and nothing opened: for what carrying alone costs.
    pub plain: bool,
    /// What carries it.
    pub engine: Engine,
}

/// What a run of the engine came to.
#[derive(Debug)]
pub struct Bout {
    /// What counts in a series.
    pub sample: Sample,
    /// All of it.
    pub result: ScenarioResult,
}

impl Harness {
    /// For a host with so many answers, asked at `now`.
    pub fn new(answers: u64, now: FileTime) -> Harness {
        Harness { answers, now }
    }

    /// The plan of a load.
    pub fn plan(&self, load_of: &Load) -> Plan {
        let Load { arrive, kept, clients, lasts, .. } = load_of;
        let connection = if *kept { "kept" } else { "each" };
        let file = format!(
            "name = \"bench\"\nquestion = \"How fast?\"\n[clients.pc]\ncount = {clients}\n\
             product = \"Windows 11 Enterprise\"\nclock = {{ filetime = {} }}\n\
             [[step]]\ntitle = \"load\"\nclients = [\"pc\"]\nsyntax = \"ndr32\"\nconnection = \"{connection}\"\n\
             arrive = {arrive}\nrepeat = {}\n",
            self.now.0,
            load_of.rounds.unwrap_or(9_000_000 / clients).max(1),
        );
        let scenario = load(&file, "bench.toml", &ShippedTables);
        let scenario = scenario.unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        let mut plan = scenario.plan(1, Ids::Seeded);
        plan.steps[0].repeat.lasts = Some(*lasts);
        plan
    }

    /// Carries a load out against the host at `address`.
    pub fn run(&self, address: SocketAddr, load_of: &Load) -> std::io::Result<Bout> {
        let plan = Arc::new(self.plan(load_of));
        let canned = CannedAnswers { ordinals: self.answers, plain: load_of.plain };
        let canned = (self.answers > 0).then_some(canned);
        let terms = Terms {
            connection: Settings { timeout: Duration::from_secs(5), record: false },
            lasts: Duration::ZERO,
            drive: Drive {
                engine: load_of.engine,
                workers: Some(load_of.workers),
                open_max: 10_000,
                sources: (1..=64).map(|last| IpAddr::V4(Ipv4Addr::new(127, 0, 1, last))).collect(),
                pin: load_of.pin.clone(),
                canned,
                ..Drive::default()
            },
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let cpu = thread_time();
        let (result, steady) = runtime.block_on(async {
            let clock = Clock::start();
            let host = HostUnderTest {
                addresses: vec![address],
                lab: None,
                pacer: Pacer::new(None),
                connections: AtomicU64::new(0),
            };
            let known = HostKnowledge { embedded: false, clock_uncertainty: Duration::from_secs(30) };
            let mut judge = Judge::new(Arc::clone(&plan), known);
            let mut measure = Measure::new(Arc::clone(&plan));
            let (events, mut received) = mpsc::channel::<Event>(1024);
            let quiet = judge.quiet();
            let running = tokio::spawn(run_plan(plan, Arc::new(host), terms, clock, quiet, events, Stop::default()));
            let mut steady = Sample::default();
            while let Some(event) = received.recv().await {
                let mut event = judge.judge(event);
                forgive_repeats(&mut event);
                if let Event::Tally(tally) = &event {
                    add_steady(&mut steady, tally, load_of.workers);
                }
                measure.observe(&event);
            }
            let _ = running.await;
            (measure.finish(judge.remarks()), steady)
        });
        // The portable engine is all in this thread, and keeps no account of its own.
        let cpu = match load_of.engine {
            Engine::Portable => thread_time().saturating_sub(cpu),
            _ => result.effort.busy,
        };
        let whole = Sample { exchanges: result.totals.requests, wall: result.duration, cpu };
        Ok(Bout { sample: if steady.exchanges > 0 { steady } else { whole }, result })
    }
}

/// A table answers what it is asked again as it did before: a finding of any other host, and none of this one.
fn forgive_repeats(event: &mut Event) {
    if let Event::Exchange(exchange) = event {
        let checks = &mut exchange.answer.checks;
        let is_blamed = |check: CheckId| !matches!(check, CheckId::HistoryIv | CheckId::HistoryRandom);
        let mut failed = CheckSet::default();
        checks.failed.iter().filter(|check| is_blamed(*check)).for_each(|check| failed.insert(check));
        checks.failed = failed;
        checks.findings.retain(|finding| is_blamed(finding.check));
    }
}

/// What a raw client measures is what comes once all connections are there: the first interval is left out, and
/// the last, which is not whole.
fn add_steady(steady: &mut Sample, tally: &Tally, workers: usize) {
    let is_whole = tally.effort.elapsed >= TALLY_WHOLE;
    if is_whole && tally.worker < workers && tally.from.0 >= TALLY_WHOLE {
        steady.exchanges += tally.exchanges();
        steady.wall += tally.effort.elapsed / workers as u32;
        steady.cpu += tally.effort.busy;
    }
}

/// A little less than an interval of the workers' tallies.
const TALLY_WHOLE: Duration = Duration::from_millis(245);
