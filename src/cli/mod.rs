//! The command line: one file a subcommand.

mod amounts;
mod asking;
mod bench;
mod capacity;
mod carry_out;
mod catalog;
mod common;
mod conform;
pub mod decode;
mod drive;
mod explain;
mod failure;
mod import;
mod lab;
mod live;
mod load;
mod plan;
mod probe;
mod run;
mod scenarios;
mod schema;
mod sealing;
mod whose;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use failure::Failure;

use crate::exit::Exit;
use crate::report::Patient;

/// Load tester and conformance harness for KMS hosts (Microsoft volume activation).
///
/// Replays scripted client populations against a KMS host, verifies every byte of every
/// answer, and says in its exit code what came of it. Without a target everything runs
/// against the embedded lab host, on loopback.
#[derive(Debug, Parser)]
#[command(name = "kmsproof", version, after_long_help = exit_codes(), max_term_width = 100)]
pub struct Cli {
    /// When to colour what people read
    #[arg(long, global = true, value_enum, default_value = "auto", env = "KMSPROOF_COLOR")]
    color: clap::ColorChoice,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::RunArgs>),
    Load(Box<load::LoadArgs>),
    Conform(Box<conform::ConformArgs>),
    Plan(plan::PlanArgs),
    Probe(Box<probe::ProbeArgs>),
    Lab(lab::LabArgs),
    Decode(decode::DecodeArgs),
    Explain(explain::ExplainArgs),
    Import(import::ImportArgs),
    Whose(whose::WhoseArgs),
    Catalog(catalog::CatalogArgs),
    Schema(schema::SchemaArgs),
    Capacity(Box<capacity::CapacityArgs>),
    Bench(bench::BenchArgs),
}

/// Runs the command this process was asked for.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    set_color(cli.color);
    let mut out = Patient::new(anstream::AutoStream::auto(std::io::stdout().lock()));
    let result = match cli.command {
        Command::Run(args) => run::execute(&args).map(ExitCode::from),
        Command::Conform(args) => conform::execute(&args, &mut out).map(ExitCode::from),
        Command::Load(args) => load::execute(&args).map(ExitCode::from),
        Command::Plan(args) => plan::execute(&args, &mut out).map(ExitCode::from),
        Command::Probe(args) => probe::execute(&args, &mut out),
        Command::Lab(args) => lab::execute(&args, &mut out).map(ExitCode::from),
        Command::Decode(args) => decode::execute(&args, &mut out).map(ExitCode::from),
        Command::Explain(args) => explain::execute(&args, &mut out).map(ExitCode::from),
        Command::Import(args) => import::execute(&args).map(ExitCode::from),
        Command::Whose(args) => whose::execute(&args, &mut out).map(ExitCode::from),
        Command::Catalog(args) => catalog::execute(&args, &mut out).map(ExitCode::from),
        Command::Capacity(args) => capacity::execute(&args).map(ExitCode::from),
        Command::Bench(args) => bench::execute(&args, &mut out).map(ExitCode::from),
        Command::Schema(args) => schema::execute(&args, &mut out).map(ExitCode::from),
    };
    drop(out);
    match result {
        Ok(exit) => exit,
        Err(failure) => {
            if failure.rendered {
                common::say(format_args!("{failure}\n"));
            } else {
                const RED: anstyle::Style = anstyle::AnsiColor::Red.on_default().bold();
                common::say(format_args!("{RED}error{RED:#}: {failure}\n"));
            }
            failure.exit.into()
        }
    }
}

fn set_color(choice: clap::ColorChoice) {
    match choice {
        clap::ColorChoice::Always => anstream::ColorChoice::AlwaysAnsi,
        clap::ColorChoice::Never => anstream::ColorChoice::Never,
        clap::ColorChoice::Auto => anstream::ColorChoice::Auto,
    }
    .write_global();
}

fn exit_codes() -> String {
    let mut text = String::from("Exit codes:\n");
    for exit in Exit::ALL {
        text.push_str(&format!("  {:>3}  {}\n", exit.code(), exit.meaning()));
    }
    text.push_str("`probe --check` alone uses a monitoring plugin's: 0 ok, 1 warning, 2 critical, 3 unknown.");
    text
}
