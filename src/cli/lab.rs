//! `kmsproof lab`: serve the lab host.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use clap::Args;
use clap::builder::BoolishValueParser;

use super::Failure;
use super::common::{interrupted, runtime, say};
use crate::conform::proof;
use crate::engine::Clock;
use crate::exit::Exit;
use crate::lab::{Fault, Faults, HostIdentity, LabHost, LabListener, Observer, Place, Served};
use crate::report::plain::named;
use crate::text::{counted, harmless, wrapped};
use crate::wire::Hresult;

/// Serve the lab host on loopback, for kmsproof's own synthetic clients only
#[derive(Debug, Args)]
pub struct LabArgs {
    /// Where to listen: a loopback address and a port (0: the system chooses); more than one may be named
    #[arg(
        long,
        default_value = "127.0.0.1:1688",
        value_name = "ADDRESS:PORT",
        value_delimiter = ',',
        env = "KMSPROOF_LISTEN"
    )]
    listen: Vec<SocketAddr>,
    /// Break a rule on purpose; more than one may be named
    #[arg(long, value_name = "FAULT", value_delimiter = ',', value_parser = Fault::named, env = "KMSPROOF_FAULT")]
    fault: Vec<&'static Fault>,
    /// Say what faults there are, what each does and whom it hurts, and do nothing else
    #[arg(long)]
    list_faults: bool,
    /// Put the conformance cases to a lab host with each fault and each legal variation in turn, in memory, and say what
    /// finds what
    #[arg(long)]
    self_test: bool,
    /// Speak NDR32 only, as hosts do that are not 64-bit Windows
    #[arg(long, env = "KMSPROOF_NDR32_ONLY", value_parser = BoolishValueParser::new())]
    ndr32_only: bool,
    /// The lab host's randoms follow from this number
    #[arg(long, default_value_t = 1, value_name = "N", env = "KMSPROOF_SEED")]
    seed: u64,
    /// Say nothing of each request
    #[arg(short, long, env = "KMSPROOF_QUIET", value_parser = BoolishValueParser::new())]
    quiet: bool,
}

/// Carries the command out: serves until interrupted.
pub fn execute(args: &LabArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    if args.list_faults {
        list_faults(out)?;
        return Ok(Exit::Held);
    }
    if args.self_test {
        return self_test(out);
    }
    let faults = Faults::new(args.fault.clone()).map_err(Failure::usage)?;
    runtime()?.block_on(serve(args, faults))
}

/// Every fault and what finds it, as it is seen now.
fn self_test(out: &mut dyn Write) -> Result<Exit, Failure> {
    let workers = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let proof = proof::prove(workers, &|done, all| {
        if done.is_multiple_of(50) {
            say(format_args!("{done} of {all} faults\n"));
        }
    });
    for found in &proof.faults {
        let (style, word) = if found.missed.is_empty() { (GREEN, "found") } else { (RED, "MISSED") };
        let by = if found.missed.is_empty() { found.fault.caught_by } else { &found.missed };
        writeln!(
            out,
            "{style}{word:<7}{style:#} {:<40} by {}  ({} fail)",
            found.fault.name,
            by.join(", "),
            found.failing.len()
        )?;
    }
    for (host, alarm) in &proof.alarms {
        writeln!(out, "{RED}alarm{RED:#}   {host}: {}", harmless(alarm))?;
    }
    for id in &proof.idle {
        writeln!(out, "{RED}idle{RED:#}    {id} finds no fault")?;
    }
    let found = proof.faults.iter().filter(|found| found.missed.is_empty()).count();
    writeln!(
        out,
        "\n{found} of {} faults found for their own reason, {} left to scenarios; {} legal variations and the honest host \
         raise {}; a fault fails {} cases or checks in the median",
        proof.faults.len(),
        proof.elsewhere.len(),
        proof.variations.len(),
        counted(proof.alarms.len(), "false alarm"),
        proof.specificity(),
    )?;
    out.flush()?;
    Ok(if proof.holds() { Exit::Held } else { Exit::Check })
}

fn list_faults(out: &mut dyn Write) -> std::io::Result<()> {
    list(Fault::all().iter().copied(), out)?;
    writeln!(out, "\nlegal variations, which are no faults:\n")?;
    list(Fault::variations().iter(), out)
}

fn list(faults: impl Iterator<Item = &'static Fault>, out: &mut dyn Write) -> std::io::Result<()> {
    for fault in faults {
        writeln!(out, "{BOLD}{}{BOLD:#}", fault.name)?;
        let shows = match fault.place() {
            Place::Connections => Some(("shows", "in what it does with connections, not in its answers")),
            Place::Pdus if !fault.is_legal() => Some(("shows", "in its PDUs, whatever they carry")),
            Place::Pdus | Place::Answers => None,
        };
        let hurts = (!fault.is_legal()).then_some(("hurts", fault.hurts));
        for (what, words) in [("does", fault.does)].into_iter().chain(hurts).chain(shows) {
            for (number, line) in wrapped(words, COLUMNS).iter().enumerate() {
                writeln!(out, "  {:6}{line}", if number == 0 { what } else { "" })?;
            }
        }
    }
    out.flush()
}

async fn serve(args: &LabArgs, faults: Faults) -> Result<Exit, Failure> {
    let clock = Clock::start();
    let with = if faults.is_empty() { String::new() } else { format!(" with faults: {},", faults.names()) };
    let host = Arc::new(Mutex::new(LabHost::new(HostIdentity::default(), args.seed).with_faults(faults)));
    let listener = LabListener::bind_all(&args.listen, host, Arc::new(move || clock.wall())).await.map_err(
        |error| match error {
            crate::lab::BindError::NotLoopback(_) => Failure::usage(error),
            crate::lab::BindError::Io(..) => Failure::setup(error),
        },
    )?;
    let addresses: Vec<_> = listener.addresses().iter().map(ToString::to_string).collect();
    let addresses = addresses.join(" and ");
    say(format_args!("lab host on {addresses},{with} for kmsproof's synthetic clients only; Ctrl-C ends it\n"));
    let observer: Observer = if args.quiet { Arc::new(|_| {}) } else { Arc::new(tell) };
    tokio::select! {
        () = listener.ndr64(!args.ndr32_only).observed_by(observer).serve() => {}
        () = interrupted() => {}
    }
    Ok(Exit::Held)
}

/// One line a request, in the order of a host's event 12290: code, N policy, machine, client id, client time.
fn tell(served: &Served<'_>) {
    match served.request {
        Some(request) => say(format_args!(
            "{}  {}  N={}  {}  {}  {}\n",
            served.peer,
            words(served.code),
            request.n_policy,
            harmless(&request.workstation.to_string()),
            request.cmid,
            request.client_time,
        )),
        None => say(format_args!("{}  {}  a request that could not be read\n", served.peer, words(served.code))),
    }
}

fn words(result: Hresult) -> String {
    if result == Hresult::OK { "granted".to_owned() } else { named(result) }
}

/// What fits beside the words in front.
const COLUMNS: usize = 90;
const BOLD: anstyle::Style = anstyle::Style::new().bold();
const GREEN: anstyle::Style = anstyle::AnsiColor::Green.on_default();
const RED: anstyle::Style = anstyle::AnsiColor::Red.on_default();
