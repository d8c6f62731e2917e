//! `kmsproof conform`: hold a host to the conformance cases.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use clap::builder::BoolishValueParser;

use super::Failure;
use super::common::{TargetArgs, interrupted, runtime, say};
use crate::conform::{self, Case, Options, Run, Service, Verdict};
use crate::engine::{Clock, TcpHost};
use crate::exit::Exit;
use crate::report;
use crate::text::Glob;

/// Hold a host to the conformance cases
#[derive(Debug, Args)]
pub struct ConformArgs {
    /// Only these cases: ids, or globs on ids
    filters: Vec<String>,
    #[command(flatten)]
    target: TargetArgs,
    /// Fail whatever differs from a Windows-modelled RPC stack, also where hosts that serve Windows clients well do
    #[arg(long, env = "KMSPROOF_STRICT", value_parser = BoolishValueParser::new())]
    strict: bool,
    /// Run the cases too that may leave the host worse than it was
    #[arg(long, env = "KMSPROOF_DISRUPTIVE", value_parser = BoolishValueParser::new())]
    disruptive: bool,
    /// Say what cases there are, and put them to nobody
    #[arg(long)]
    list: bool,
    /// Everything left to chance follows from this number
    #[arg(long, default_value_t = 1, value_name = "N", env = "KMSPROOF_SEED")]
    seed: u64,
    /// Show what passed as well, with what was seen
    #[arg(short, long, env = "KMSPROOF_VERBOSE", value_parser = BoolishValueParser::new())]
    verbose: bool,
}

/// Carries the command out.
pub fn execute(args: &ConformArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    let chosen = choose(&args.filters)?;
    if args.list {
        for case in chosen {
            writeln!(out, "{:<44} {:<6} {}", case.id, case.level, case.title)?;
        }
        out.flush()?;
        return Ok(Exit::Held);
    }
    let run = put(args, &chosen)?;
    let exit = exit_of(args, &run);
    say(report::check_lines(&run, args.strict));
    say(report::conform_footer(&run, args.strict, exit));
    Ok(exit)
}

fn choose(filters: &[String]) -> Result<Vec<&'static Case>, Failure> {
    for filter in filters {
        if !conform::cases::all().any(|case| is_named(filter, case.id)) {
            return Err(Failure::usage(format!("no case is named `{filter}`: kmsproof conform --list lists them all")));
        }
    }
    let is_chosen = |case: &&Case| filters.is_empty() || filters.iter().any(|filter| is_named(filter, case.id));
    Ok(conform::cases::all().filter(is_chosen).collect())
}

fn is_named(filter: &str, id: &str) -> bool {
    Glob::parse(filter).map_or_else(|| filter.eq_ignore_ascii_case(id), |glob| glob.matches(id))
}

fn put(args: &ConformArgs, chosen: &[&'static Case]) -> Result<Run, Failure> {
    let clock = Clock::start();
    let runtime = runtime()?;
    let would_send = format!("{} conformance cases", chosen.len());
    let host = runtime.block_on(args.target.host(args.seed, clock, &would_send))?;
    runtime.block_on(host.check_reachable(args.target.timeout)).map_err(Failure::setup)?;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    runtime.spawn(async move {
        interrupted().await;
        stopped.store(true, Ordering::Relaxed);
    });
    let mut tcp = TcpHost::new(host.addresses.clone(), clock, args.target.timeout, args.target.limits().pace);
    let options = Options { strict: args.strict, disruptive: args.disruptive, seed: args.seed, service: Service::KMS };
    Ok(conform::run(&mut tcp, chosen, &options, &mut |result| {
        if args.verbose
            || !matches!(result.verdict, Verdict::Pass | Verdict::Recorded | Verdict::NotApplicable | Verdict::Skip)
        {
            say(report::case_lines(result, args.verbose));
            if result.verdict == Verdict::Fail {
                say(report::conversation(result));
                say(format_args!(
                    "      again: kmsproof conform {} --target {} --seed {}\n",
                    result.case.id, args.target.target, args.seed
                ));
            }
        }
        !stop.load(Ordering::Relaxed)
    }))
}

fn exit_of(args: &ConformArgs, run: &Run) -> Exit {
    let is_wrong = |verdict| matches!(verdict, Verdict::Fail | Verdict::UnexpectedPass);
    let cases = run.results.iter().any(|result| is_wrong(result.verdict));
    let checks = run.checks.iter().any(|(check, result)| is_wrong(Run::check_verdict(*check, result, args.strict)));
    let told =
        |verdict| matches!(verdict, Verdict::Pass | Verdict::NonStrict | Verdict::Recorded | Verdict::KnownFailure);
    match () {
        () if run.interrupted => Exit::Interrupted,
        () if run.canary_lives => Exit::Bug,
        () if cases || checks => Exit::Check,
        () if !run.results.iter().any(|result| told(result.verdict)) => Exit::NothingChecked,
        () => Exit::Held,
    }
}
