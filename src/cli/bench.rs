//! `kmsproof bench`: the engine beside a client that does nothing but what it must.

use std::io::Write;

use clap::Args;

use super::Failure;
use crate::exit::Exit;

/// Run the load engine beside a raw loop, against a host that answers from a table, and print the ratios
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Rounds that count: in each of them every contestant runs once
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1000), env = "KMSPROOF_ROUNDS")]
    rounds: u64,
    /// How long each contestant runs in each round
    #[arg(long, default_value = "1s", value_name = "DURATION", value_parser = super::common::parse_span, env = "KMSPROOF_LASTS")]
    lasts: std::time::Duration,
    /// Only these goals: G1, G2 and so on
    #[arg(long, value_name = "GOAL", value_delimiter = ',', env = "KMSPROOF_ONLY")]
    only: Vec<String>,
}

/// Carries the command out.
#[cfg(not(target_os = "linux"))]
pub fn execute(_args: &BenchArgs, _out: &mut dyn Write) -> Result<Exit, Failure> {
    Err(Failure::setup("the raw loop that everything is held against needs Linux (epoll)"))
}

/// Carries the command out.
#[cfg(target_os = "linux")]
pub fn execute(args: &BenchArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    use crate::yardstick::goals;
    if args.lasts < LASTS_MIN {
        return Err(Failure::usage(format!(
            "--lasts {:?} is too short to measure anything: {LASTS_MIN:?} at least",
            args.lasts
        )));
    }
    let goals = goals::named(&args.only).map_err(Failure::usage)?;
    goals::run(&goals, args.rounds as usize, args.lasts, out).map_err(Failure::setup)?;
    Ok(Exit::Held)
}

/// Workers tell what they did four times a second, and the first of that is not counted.
#[cfg(target_os = "linux")]
const LASTS_MIN: std::time::Duration = std::time::Duration::from_millis(750);
