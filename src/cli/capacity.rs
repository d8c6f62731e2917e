//! `kmsproof capacity`: the highest rate at which a service level holds.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::Failure;
use super::amounts::parse_rate;
use super::asking::AskingArgs;
use super::carry_out::{Outputs, run_one};
use super::common::{TargetArgs, parse_span, runtime, say};
use super::drive::DriveArgs;
use super::run::{ReportArgs, open_outputs, stop_on_interrupt};
use super::scenarios::ScenarioArgs;
use crate::capacity::{Bounds, Capacity, GaveWay, Search, Trial, TrialKind, TrialResult};
use crate::checks::HostKnowledge;
use crate::engine::{Clock, Drive, HostUnderTest, Settings, Stop, Terms};
use crate::exit::Exit;
use crate::measure::ScenarioResult;
use crate::proto::Moment;
use crate::proto::verify::Level;
use crate::report::{self, RunHeader, RunRecord};
use crate::scenario::{AdHoc, Arrive, Plan, Schedule, Spread, Threshold};

/// Find the highest rate at which a service level holds, and what gives way first
#[derive(Debug, Args)]
pub struct CapacityArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// What must hold: "p99<50ms", "errors<0.1%" and so on; times are service times unless they say response
    #[arg(
        long,
        value_name = "THRESHOLD",
        value_delimiter = ',',
        default_value = "p99<50ms,errors<0.1%",
        env = "KMSPROOF_SLO"
    )]
    slo: Vec<Threshold>,
    /// The first rate to try
    #[arg(long, default_value = "100/s", value_name = "RATE", value_parser = parse_rate, env = "KMSPROOF_FROM")]
    from: f64,
    /// The highest rate to try
    #[arg(long, default_value = "1M/s", value_name = "RATE", value_parser = parse_rate, env = "KMSPROOF_TO")]
    to: f64,
    /// How near what holds and what breaks must come to one another, in percent
    #[arg(long, default_value_t = 2.5, value_name = "PERCENT", env = "KMSPROOF_PRECISION")]
    precision: f64,
    /// How long a trial lasts
    #[arg(long, default_value = "3s", value_name = "DURATION", value_parser = parse_span, env = "KMSPROOF_TRIAL")]
    trial: Duration,
    /// The same load for so long comes before each trial
    #[arg(long, default_value = "500ms", value_name = "DURATION", value_parser = parse_span, env = "KMSPROOF_WARM_UP")]
    warm_up: Duration,
    /// How many machines ask
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000), env = "KMSPROOF_CLIENTS")]
    clients: u32,
    #[command(flatten)]
    asking: AskingArgs,
    #[command(flatten)]
    planned: ScenarioArgs,
    #[command(flatten)]
    reports: ReportArgs,
    #[command(flatten)]
    drive: DriveArgs,
}

/// Carries the command out.
pub fn execute(args: &CapacityArgs) -> Result<Exit, Failure> {
    if args.target.limits().pace.is_some() {
        return Err(Failure::usage(
            "a host that may not be spoiled is asked 50 times a second at most, which finds no limit: say \
             --disposable-host if this host may be spoiled",
        ));
    }
    if !(0.1..=50.0).contains(&args.precision) {
        return Err(Failure::usage(format!("--precision {} is out of range: 0.1 to 50 percent", args.precision)));
    }
    if let Some(spec) = args.reports.out.iter().find(|spec| spec.format.wants_pdus()) {
        return Err(Failure::usage(format!(
            "--out {}: a search at full speed does not write down single exchanges; say it of `load --rate` instead",
            spec.format.name()
        )));
    }
    if args.from > args.to {
        return Err(Failure::usage("--from is more than --to: there is no rate between them"));
    }
    if args.trial < TRIAL_MIN {
        return Err(Failure::usage(format!("a trial of {:?} is too short: {TRIAL_MIN:?} at least", args.trial)));
    }
    runtime()?.block_on(find(args))
}

async fn find(args: &CapacityArgs) -> Result<Exit, Failure> {
    let clock = Clock::start();
    let would_send = format!("up to {} requests a second, by {} machines", args.to, args.clients);
    let host = Arc::new(args.target.host(args.planned.seed, clock, &would_send).await?);
    host.check_reachable(args.target.timeout).await.map_err(Failure::setup)?;
    let mut outputs = open_outputs(&args.reports, clock)?;
    let first = args.plan(Trial { rate_per_s: args.from, kind: TrialKind::Climb });
    let (drive, warnings) = args.drive.drive(&[&first], &host)?;
    let quiet = args.reports.quiet;
    let addresses: Vec<String> = host.addresses.iter().map(ToString::to_string).collect();
    if !quiet {
        let named = format!("{} ({})", args.target.target, addresses.join(", "));
        say(report::render_header(&named, args.planned.seed, &[&first], host.lab.is_some()));
        say(report::render_notes(&[], &warnings));
        say(format_args!("\n{}", report::curve_heading()));
    }
    let stop = stop_on_interrupt();
    let bounds = Bounds { from_per_s: args.from, to_per_s: args.to, precision: args.precision / 100.0 };
    let header = |now: Moment| RunHeader {
        kind: "capacity",
        seed: args.planned.seed,
        requested: args.target.target.to_string(),
        addresses: addresses.clone(),
        started: clock.wall_start(),
        duration_s: now.0.as_secs_f64(),
    };
    let mut search = Search::new(bounds);
    let (mut last, mut lost) = (None, None);
    while let Some(trial) = search.next_trial().filter(|_| !stop.is_set()) {
        let result = args.trial(trial, &host, &drive, clock, &stop, &mut outputs).await?;
        if stop.is_set() {
            break;
        }
        // A host may give way to so much that it answers nobody; one that is gone is no host to be measured.
        if result.ended_early.is_some()
            && let Err(gone) = host.check_reachable(args.target.timeout).await
        {
            lost = Some(gone.to_string());
            break;
        }
        let told = args.told(&result);
        if !quiet {
            say(report::curve_line(&trial, &told));
        }
        search.told(told);
        let so_far = report::capacity_record(&search.clone().finish());
        outputs.show(&RunRecord::so_far(&header(clock.now()), [&result]).with_capacity(so_far));
        last = Some(result);
    }
    let capacity = search.finish();
    let exit = match &lost {
        _ if stop.is_set() => Exit::Interrupted,
        Some(_) => Exit::Check,
        None => exit_of(&capacity),
    };
    if !quiet {
        if let Some(gone) = &lost {
            say(format_args!("\nthe host does not answer any more ({gone}): what follows is what was known before\n"));
        }
        say(report::render_capacity(&capacity));
        say(format_args!("exit {}: {}\n", exit.code(), exit.meaning()));
    }
    let header = header(clock.now());
    let results: Vec<ScenarioResult> = last.into_iter().collect();
    let record = RunRecord::new(&header, &results, exit).with_capacity(report::capacity_record(&capacity));
    outputs.finish(&record).map(|()| exit)
}

impl CapacityArgs {
    fn plan(&self, trial: Trial) -> Plan {
        let arrive = Arrive::Open(Schedule::steady(trial.rate_per_s, Spread::Even));
        let lasts = if trial.kind == TrialKind::Confirm { 2 * self.trial } else { self.trial };
        let load = AdHoc {
            name: "capacity".to_owned(),
            lasts: Some(lasts),
            calm: 0,
            warm_up: self.warm_up,
            ..self.asking.load(self.clients, arrive)
        };
        self.planned.plan(load.scenario(), self.target.limits().ids)
    }

    async fn trial(
        &self,
        trial: Trial,
        host: &Arc<HostUnderTest>,
        drive: &Drive,
        clock: Clock,
        stop: &Stop,
        outputs: &mut Outputs,
    ) -> Result<ScenarioResult, Failure> {
        if let Some(lab) = &host.lab {
            lab.forget_clients();
        }
        let known = HostKnowledge { embedded: host.lab.is_some(), clock_uncertainty: self.reports.clock_uncertainty };
        let connection = Settings { timeout: self.target.timeout, record: false };
        let terms = Terms { connection, lasts: Duration::ZERO, drive: drive.clone() };
        run_one(Arc::new(self.plan(trial)), host, known, &terms, clock, stop, outputs).await
    }

    /// What a trial says, of the step that is looked at: the last.
    fn told(&self, result: &ScenarioResult) -> TrialResult {
        let number = result.steps.len() - 1;
        let step = &result.steps[number];
        let broken = self.slo.iter().filter_map(|threshold| {
            let measured = result.measured_in(threshold.metric, number);
            (!threshold.holds(measured)).then(|| format!("{}: {measured}", threshold.text))
        });
        let checks = result.failed_checks(Level::Must).map(|(check, _)| check.to_string());
        let differs = result.failed_predictions().map(|(id, _)| id.to_string());
        let quantile = |share| step.times.as_ref().map_or(0, |times| times.all.response.quantile_ns(share));
        let silence = result.ended_early.as_ref().map(ToString::to_string);
        // A step that was never come to was not answered either.
        let never = u64::from(silence.is_some() && step.exchanges == 0);
        TrialResult {
            reached_per_s: step.times.as_ref().map_or(0.0, |times| times.per_s()),
            response_ns: [0.5, 0.99, 0.999].map(quantile),
            requests: step.exchanges + never,
            unanswered: step.times.as_ref().map_or(0, |times| times.unanswered) + never,
            // An answer that never came is counted as that.
            wrong: result.wrong.saturating_sub(result.unanswered),
            broken: silence.into_iter().chain(broken).collect(),
            failed: checks.chain(differs).collect(),
            invalid: result.health().invalid,
        }
    }
}

fn exit_of(capacity: &Capacity) -> Exit {
    match capacity {
        Capacity { failed_when_calm, under_load, .. } if !failed_when_calm.is_empty() || !under_load.is_empty() => {
            // Requests that only went unanswered beyond the limit are what a limit is.
            let beyond = |id: &str| id.ends_with("/answered") || id.starts_with("oracle/answer");
            let only_beyond = failed_when_calm.is_empty() && under_load.iter().all(|found| beyond(&found.id));
            if only_beyond && capacity.limit_per_s.is_some() { Exit::Held } else { Exit::Check }
        }
        Capacity { gave_way: GaveWay::Generator, .. } => Exit::Invalid,
        Capacity { limit_per_s: None, .. } => Exit::Threshold,
        _ => Exit::Held,
    }
}

const TRIAL_MIN: Duration = Duration::from_millis(200);
