//! `kmsproof plan`: what a run would do, before it does it.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;

use super::Failure;
use super::carry_out::{self, Outputs};
use super::common::{TargetArgs, runtime};
use super::scenarios::{self, ScenarioArgs};
use crate::checks::HostKnowledge;
use crate::engine::{Clock, Drive, EmbeddedLab, HostUnderTest, Pacer, Settings, Stop, Terms};
use crate::exit::Exit;
use crate::lab::Faults;
use crate::measure::ScenarioResult;
use crate::report;
use crate::scenario::{Plan, Step, TimeMode};
use crate::wire::FileTime;

/// Print what a run would do: counts, clients, duration, what it leaves behind on the host
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Scenario files, folders of them, or names of shipped ones
    #[arg(required = true)]
    scenarios: Vec<String>,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    planned: ScenarioArgs,
    /// List every request that is planned, one JSON object a line, instead
    #[arg(long, env = "KMSPROOF_ARRIVALS", value_parser = BoolishValueParser::new())]
    arrivals: bool,
}

/// Carries the command out. Nothing is sent to any host.
pub fn execute(args: &PlanArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    let limits = args.target.limits();
    for (number, scenario) in scenarios::load(&args.scenarios)?.into_iter().enumerate() {
        let plan = args.planned.plan(scenario, limits.ids);
        let began = match plan.time {
            TimeMode::Virtual { begins } => begins,
            // A plan is the same whenever it is printed.
            TimeMode::Wall => AS_OF,
        };
        if args.arrivals {
            list(&plan, began, out)?;
            continue;
        }
        let rehearsed = if is_short(&plan) { Some(rehearse(plan.clone(), began)?) } else { None };
        if number > 0 {
            writeln!(out)?;
        }
        write!(out, "{}", report::render_plan(&plan, rehearsed.as_ref(), began))?;
        // What would not be allowed is part of what would happen.
        if let Err(refused) = limits.check(&plan) {
            writeln!(out, "\n  against this target it would be refused: {refused}")?;
        }
    }
    out.flush()?;
    Ok(Exit::Held)
}

fn list(plan: &Plan, began: FileTime, out: &mut dyn Write) -> Result<(), Failure> {
    for (number, step) in plan.steps.iter().enumerate() {
        if step.leases_last().is_some() {
            writeln!(out, "{}", report::lifecycle_line(plan, number))?;
            continue;
        }
        let mut times = plan.times(number);
        // Of one that goes on as long as it is answered: until the first one arrives again.
        let listed = if step.is_open_ended() { step.round_len() } else { step.arrivals() };
        for position in 0..listed {
            let due = times.as_mut().and_then(Iterator::next);
            writeln!(out, "{}", report::arrival_line(plan, number, position, due, began))?;
        }
    }
    Ok(())
}

/// Whether it can be gone through in memory while somebody waits for it.
fn is_short(plan: &Plan) -> bool {
    let of = |step: &Step| if step.is_open_ended() { step.round_len() } else { step.arrivals() } as u64;
    plan.steps.iter().map(of).sum::<u64>() + plan.leased_requests() <= REHEARSED_MAX
}

/// Goes through the plan in memory, against an honest host that has counted nobody.
fn rehearse(plan: Plan, began: FileTime) -> Result<ScenarioResult, Failure> {
    let plan = Arc::new(Plan { time: TimeMode::Virtual { begins: began }, thresholds: Vec::new(), ..plan });
    runtime()?.block_on(async {
        let clock = Clock::start();
        let lab = EmbeddedLab::start(plan.seed, clock, Faults::default()).await.map_err(Failure::setup)?;
        let host = HostUnderTest {
            addresses: vec![lab.address()],
            lab: Some(lab),
            pacer: Pacer::new(None),
            connections: AtomicU64::new(0),
        };
        let connection = Settings { timeout: Duration::from_secs(5), record: false };
        let terms = Terms { connection, lasts: Duration::ZERO, drive: Drive::default() };
        let known = HostKnowledge { embedded: true, clock_uncertainty: Duration::ZERO };
        carry_out::run_one(plan, &Arc::new(host), known, &terms, clock, &Stop::default(), &mut Outputs::default()).await
    })
}

/// 2026-01-05T00:00:00Z: when machines' clocks are looked at in a scenario that goes by the wall's.
const AS_OF: FileTime = FileTime(134_120_448_000_000_000);
/// A second or two.
const REHEARSED_MAX: u64 = 50_000;
