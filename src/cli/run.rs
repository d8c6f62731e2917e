//! `kmsproof run`: replay scenarios, verify every response, report.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;

use super::Failure;
use super::carry_out::{Outputs, run_one};
use super::common::{TargetArgs, interrupted, parse_limit, parse_span, runtime, say};
use super::drive::DriveArgs;
use super::live::Watcher;
use super::scenarios::{self, ScenarioArgs};
use crate::checks::HostKnowledge;
use crate::engine::{Clock, Drive, HostUnderTest, Settings, Stop, Target, Terms};
use crate::events::RunError;
use crate::exit::Exit;
use crate::measure::{Health, ScenarioResult};
use crate::report::plain::requests;
use crate::report::{self, OutSpec, RunHeader, RunRecord};
use crate::scenario::{Plan, Threshold};
use crate::text::counted;

/// Replay scenarios, verify every response, and report
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Scenario files, folders of them, or names of shipped ones; default: all shipped that suit the target
    scenarios: Vec<String>,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    planned: ScenarioArgs,
    /// Go through each scenario again and again for so long (one in a time of its own is gone through once)
    #[arg(long = "for", default_value = "0s", value_name = "DURATION", value_parser = parse_span, env = "KMSPROOF_FOR")]
    lasts: Duration,
    /// What must hold beside what a scenario says, else exit 99: "p99 < 50ms", "errors < 0.1%"; repeat it for more
    #[arg(long, value_name = "THRESHOLD", value_delimiter = ',', env = "KMSPROOF_THRESHOLD")]
    threshold: Vec<Threshold>,
    #[command(flatten)]
    reports: ReportArgs,
    #[command(flatten)]
    drive: DriveArgs,
}

/// What is told of a run, and to whom.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Write a report as well: json=PATH, csv=PATH, hgrm=PATH, events=PATH, pcapng=PATH (`-` is standard output)
    #[arg(long, value_name = "FORMAT=PATH", env = "KMSPROOF_OUT")]
    pub(super) out: Vec<OutSpec>,
    /// How far the host's clock may be from this machine's, where that decides what is right
    #[arg(long, default_value = "30s", value_name = "DURATION", value_parser = parse_limit, env = "KMSPROOF_CLOCK_UNCERTAINTY")]
    pub(super) clock_uncertainty: Duration,
    /// Print nothing but failures to run
    #[arg(short, long, env = "KMSPROOF_QUIET", value_parser = BoolishValueParser::new())]
    pub(super) quiet: bool,
}

/// What is carried out, whichever command asks for it.
pub(super) struct Job<'a> {
    /// The kind of the run record.
    pub kind: &'static str,
    pub target: &'a TargetArgs,
    pub reports: &'a ReportArgs,
    pub drive: &'a DriveArgs,
    pub seed: u64,
    /// For how long each plan is gone through again and again.
    pub lasts: Duration,
    /// What is better known before, for the header.
    pub notes: Vec<String>,
}

/// Carries the command out.
pub fn execute(args: &RunArgs) -> Result<Exit, Failure> {
    let (plans, skipped) = choose(args)?;
    let job = Job {
        kind: "run",
        target: &args.target,
        reports: &args.reports,
        drive: &args.drive,
        seed: args.planned.seed,
        lasts: args.lasts,
        notes: Vec::new(),
    };
    runtime()?.block_on(carry_out(&job, plans, skipped))
}

/// Whether two names are of one file, as far as their folders exist.
pub(super) fn same_file(one: &Path, other: &Path) -> bool {
    let whole = |path: &Path| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        path.canonicalize().ok().or_else(|| Some(folder.canonicalize().ok()?.join(path.file_name()?)))
    };
    one == other || (one != Path::new("-") && whole(one).is_some_and(|one| whole(other) == Some(one)))
}

fn check_out(specs: &[OutSpec]) -> Result<(), Failure> {
    for (number, spec) in specs.iter().enumerate() {
        if specs[..number].iter().any(|before| same_file(&before.path, &spec.path)) {
            let path = spec.path.display();
            return Err(Failure::usage(format!("two reports cannot both go to {path}: give each its own --out")));
        }
    }
    Ok(())
}

/// The plans to carry out, and why others are left out.
fn choose(args: &RunArgs) -> Result<(Vec<Arc<Plan>>, Vec<String>), Failure> {
    let limits = args.target.limits();
    let mut plans = Vec::new();
    let mut skipped = Vec::new();
    for scenario in scenarios::load(&args.scenarios)? {
        let plan = args.planned.plan(scenario.with_thresholds(&args.threshold), limits.ids);
        if let Some(why) = plan.needs_embedded_host().filter(|_| !args.target.target.is_embedded()) {
            skipped.push(format!("{}: {why}", plan.name));
            continue;
        }
        if let Some(product) = plan.asks_beyond().filter(|_| args.scenarios.is_empty()) {
            skipped.push(format!("{}: asks for {product}, which this host does not serve", plan.name));
            continue;
        }
        match limits.check(&plan) {
            Ok(()) => plans.push(Arc::new(plan)),
            // Whoever named no scenario asked for those that suit the target.
            Err(refused) if args.scenarios.is_empty() => skipped.push(format!("{}: {refused}", plan.name)),
            Err(refused) => return Err(Failure::usage(format!("{}: {refused}", plan.name))),
        }
    }
    if plans.is_empty() {
        let why = if skipped.is_empty() { "no scenario to run".to_owned() } else { skipped.join("; ") };
        return Err(Failure::new(Exit::NothingChecked, format!("nothing ran: {why}")));
    }
    Ok((plans, skipped))
}

/// Carries plans out one after the other, and tells of them as the job says.
pub(super) async fn carry_out(job: &Job<'_>, plans: Vec<Arc<Plan>>, skipped: Vec<String>) -> Result<Exit, Failure> {
    let args = job.reports;
    check_out(&args.out)?;
    let clock = Clock::start();
    let would_send = would_send(&plans);
    let host = Arc::new(job.target.host(job.seed, clock, &would_send).await?);
    host.check_reachable(job.target.timeout).await.map_err(Failure::setup)?;
    let borrowed: Vec<&Plan> = plans.iter().map(AsRef::as_ref).collect();
    let (drive, warnings) = job.drive.drive(&borrowed, &host)?;
    let mut outputs = open_outputs(args, clock)?;
    let named = target_words(&job.target.target, &host);
    if !args.quiet {
        say(report::render_header(&named, job.seed, &borrowed, host.lab.is_some()));
        say(report::render_notes(&job.notes, &warnings));
    }
    let stop = stop_on_interrupt();
    let begun = clock.now();
    let record = args.out.iter().any(|spec| spec.format.wants_pdus());
    let connection = Settings { timeout: job.target.timeout, record };
    let terms = Terms { connection, lasts: job.lasts, drive: Drive { tallies: !record, ..drive } };
    let header = |duration_s| RunHeader {
        kind: job.kind,
        seed: job.seed,
        requested: job.target.target.to_string(),
        addresses: host.addresses.iter().map(ToString::to_string).collect(),
        started: clock.wall_start(),
        duration_s,
    };
    outputs.keep_so_far(header(0.0));
    let known = HostKnowledge { embedded: host.lab.is_some(), clock_uncertainty: args.clock_uncertainty };
    for plan in plans {
        if let Some(lab) = &host.lab {
            lab.forget_clients();
        }
        if !args.quiet {
            say(report::render_heading(&plan));
        }
        let result = run_one(plan, &host, known, &terms, clock, &stop, &mut outputs).await?;
        if !args.quiet {
            say(report::render_scenario(&result));
        }
        outputs.results.push(result);
        if stop.is_set() {
            break;
        }
    }
    let results = std::mem::take(&mut outputs.results);
    let exit = exit_of(&results, &stop);
    let took = clock.now() - begun;
    let header = header(took.as_secs_f64());
    let record = RunRecord::new(&header, &results, exit);
    let written = outputs.finish(&record);
    if !args.quiet {
        say(report::render_footer(&results, &skipped, exit, took));
    }
    written.map(|()| exit)
}

/// The reports of a run, begun.
pub(super) fn open_outputs(args: &ReportArgs, clock: Clock) -> Result<Outputs, Failure> {
    let mut outputs = open_reporters(&args.out, clock)?;
    outputs.watcher = (!args.quiet).then(Watcher::new);
    Ok(outputs)
}

/// Begins the files that were asked for.
pub(super) fn open_reporters(specs: &[OutSpec], clock: Clock) -> Result<Outputs, Failure> {
    check_out(specs)?;
    let mut outputs = Outputs::default();
    for spec in specs {
        outputs.reporters.push(spec.format.reporter(spec.format.begin(&spec.path)?, clock.wall_start())?);
    }
    Ok(outputs)
}

/// What the plans would send, for whoever has not said that they may.
fn would_send(plans: &[Arc<Plan>]) -> String {
    let known: usize = plans.iter().map(|plan| plan.requests_left()).sum();
    let leased: u64 = plans.iter().map(|plan| plan.leased_requests_left()).sum();
    let open_ended = plans.iter().filter_map(|plan| plan.open_ended_for()).reduce(Duration::saturating_add);
    let ids = plans.iter().flat_map(|plan| plan.ids_per_application()).map(|(_, ids)| ids).max().unwrap_or(0);
    let n_policy = plans.iter().map(|plan| plan.largest_n_policy()).max().unwrap_or(0);
    format!(
        "{}: {}, with up to {} per application and N policies up to {n_policy}",
        counted(plans.len(), "scenario"),
        requests(known, leased, open_ended),
        counted(ids, "client id"),
    )
}

fn exit_of(results: &[ScenarioResult], stop: &Stop) -> Exit {
    let interrupted = stop.is_set() || results.iter().any(|result| result.ended_early == Some(RunError::Stopped));
    if interrupted {
        return Exit::Interrupted;
    }
    let health: Vec<Health> = results.iter().map(ScenarioResult::health).collect();
    let checked = results.iter().any(|result| result.totals.requests > 0);
    if !checked {
        // Whoever made no start found nothing out, and knows why.
        let is_ours = health.iter().any(|health| !health.invalid.is_empty());
        return if is_ours { Exit::Invalid } else { Exit::NothingChecked };
    }
    // What failed for want of our own sockets is no fault of the host.
    if health.iter().any(|health| health.lacked_sockets) {
        return Exit::Invalid;
    }
    if !results.iter().all(ScenarioResult::passed) {
        return Exit::Check;
    }
    if health.iter().any(|health| !health.invalid.is_empty()) {
        return Exit::Invalid;
    }
    if results.iter().all(ScenarioResult::keeps_thresholds) { Exit::Held } else { Exit::Threshold }
}

fn target_words(target: &Target, host: &HostUnderTest) -> String {
    let addresses: Vec<_> = host.addresses.iter().map(ToString::to_string).collect();
    let addresses = addresses.join(", ");
    match target {
        Target::Lab(faults) if faults.is_empty() => format!("lab (embedded, {addresses})"),
        Target::Lab(faults) => format!("lab with faults: {} (embedded, {addresses})", faults.names()),
        target => format!("{target} ({addresses})"),
    }
}

/// The first Ctrl-C drains and still writes every report, the second stops at once.
pub(super) fn stop_on_interrupt() -> Stop {
    let stop = Stop::default();
    let setter = stop.clone();
    tokio::spawn(async move {
        interrupted().await;
        say(format_args!("\ninterrupted: finishing what is under way and writing reports (again to stop at once)\n"));
        setter.set();
        interrupted().await;
        report::abandon();
        std::process::exit(i32::from(Exit::Interrupted.code()));
    });
    stop
}
