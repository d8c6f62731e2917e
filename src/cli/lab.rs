//! `kmsproof lab`: serve the lab host.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use clap::Args;
use clap::builder::BoolishValueParser;

use super::Failure;
use super::common::{interrupted, runtime, say};
use crate::engine::Clock;
use crate::exit::Exit;
use crate::lab::{Fault, Faults, HostIdentity, LabHost, LabListener, Observer, Place, Served};
use crate::report::plain::named;
use crate::text::{harmless, wrapped};
use crate::wire::Hresult;

/// Serve the lab host on loopback, for kmsproof's own synthetic clients only
#[derive(Debug, Args)]
pub struct LabArgs {
    /// Where to listen: a loopback address and a port (0: the system chooses)
    #[arg(long, default_value = "127.0.0.1:1688", value_name = "ADDRESS:PORT", env = "KMSPROOF_LISTEN")]
    listen: SocketAddr,
    /// Break a rule on purpose; more than one may be named
    #[arg(long, value_name = "FAULT", value_delimiter = ',', value_parser = Fault::named, env = "KMSPROOF_FAULT")]
    fault: Vec<&'static Fault>,
    /// Say what faults there are, what each does and whom it hurts, and do nothing else
    #[arg(long)]
    list_faults: bool,
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
    let faults = Faults::new(args.fault.clone()).map_err(Failure::usage)?;
    runtime()?.block_on(serve(args, faults))
}

fn list_faults(out: &mut dyn Write) -> std::io::Result<()> {
    for fault in Fault::all() {
        writeln!(out, "{BOLD}{}{BOLD:#}", fault.name)?;
        let on_connections = "in what it does with connections, not in its answers";
        let shows = (fault.place() == Place::Connections).then_some(("shows", on_connections));
        for (what, words) in [("does", fault.does), ("hurts", fault.hurts)].into_iter().chain(shows) {
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
    let listener =
        LabListener::bind(args.listen, host, Arc::new(move || clock.wall())).await.map_err(|error| match error {
            crate::lab::BindError::NotLoopback(_) => Failure::usage(error),
            crate::lab::BindError::Io(..) => Failure::setup(error),
        })?;
    let address = listener.address();
    say(format_args!("lab host on {address},{with} for kmsproof's synthetic clients only; Ctrl-C ends it\n"));
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
