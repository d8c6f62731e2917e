//! `kmsproof probe`: one activation, printed.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use clap::builder::BoolishValueParser;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;

use super::Failure;
use super::common::{TargetArgs, parse_duration, parse_offer, parse_product, runtime};
use crate::catalog::Product;
use crate::checks::judge_history;
use crate::client::identity::{ClientId, Group, Index, workstation_name};
use crate::client::{Machine, Randomness, Wanted};
use crate::engine::{Attempt, Clock, Connection, Failed, HostUnderTest, Settings, Target};
use crate::events::{Event, Exchange};
use crate::exit::Exit;
use crate::proto::verify::History;
use crate::proto::{Ask, Offer, Outcome, Phase, Sender, Verdict};
use crate::report::{ProbeReport, Subject};
use crate::safety::Limits;
use crate::scenario::Ids;
use crate::text::counted;
use crate::wire::kms::{ActivationRequest, LicenseStatus, ProtocolVersion, WorkstationName};
use crate::wire::{FileTime, Guid, Hresult};

/// Make one activation and print everything about it
///
/// Connects, binds as a current Windows client does, asks once, verifies every byte of the
/// answer, and says what slmgr or ospp would show. Exits 0 when the client would be activated
/// and every check held.
#[derive(Debug, Args)]
pub struct ProbeArgs {
    /// The host to probe; it goes before --target
    #[arg(value_name = "TARGET")]
    host: Option<Target>,
    #[command(flatten)]
    target: TargetArgs,
    /// What to activate: an edition of the catalogue, or a SKU id (`kmsproof catalog` lists them)
    #[arg(long, default_value = "Windows 11 Enterprise", value_name = "NAME", value_parser = parse_product, env = "KMSPROOF_PRODUCT")]
    product: &'static Product,
    /// The KMS protocol version; default: the product's own
    #[arg(long, value_name = "VERSION", env = "KMSPROOF_PROTOCOL")]
    protocol: Option<ProtocolVersion>,
    /// The transfer syntax to offer: windows (NDR32 and NDR64, as Windows does), ndr32 or ndr64
    #[arg(long, default_value = "windows", value_parser = parse_offer, value_name = "SYNTAX", env = "KMSPROOF_SYNTAX")]
    syntax: Offer,
    /// The client's clock: a time like 2026-11-20T15:00:00Z, or an offset from now like +4h or -30m,
    /// or filetime:N in steps of 100 ns since 1601
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = parse_client_time, env = "KMSPROOF_CLIENT_TIME")]
    client_time: Option<ClientTime>,
    /// The license status the client reports, 0 to 6, or any number to see what the host makes of it
    #[arg(long, default_value_t = LicenseStatus::OOB_GRACE.0, value_name = "N", env = "KMSPROOF_STATUS")]
    status: u32,
    /// Minutes the client says are left in that status
    #[arg(long, default_value_t = 43_200, value_name = "MINUTES", env = "KMSPROOF_MINUTES_LEFT")]
    minutes_left: u32,
    /// How many machines the client needs counted; default: the product's own
    #[arg(long, value_name = "N", env = "KMSPROOF_N_POLICY")]
    n_policy: Option<u32>,
    /// The client says it is a virtual machine
    #[arg(long, env = "KMSPROOF_VM", value_parser = BoolishValueParser::new())]
    vm: bool,
    /// The workstation name, at most 63 UTF-16 units
    #[arg(long, value_parser = parse_name, value_name = "NAME", env = "KMSPROOF_NAME")]
    name: Option<WorkstationName>,
    /// The client machine id: one of kmsproof's synthetic ids only
    #[arg(long, value_parser = parse_cmid, value_name = "GUID", env = "KMSPROOF_CMID")]
    cmid: Option<ClientId>,
    /// How many calls to make on the one connection (a Windows client speaks NDR64 from the second)
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100), env = "KMSPROOF_CALLS")]
    calls: u32,
    /// Exit 0 when this is what came: `activated`, or a code on the wire, of the client or as shown.
    /// Checks are shown, and do not count
    #[arg(long, value_parser = parse_expect, value_name = "CODE", env = "KMSPROOF_EXPECT")]
    expect: Option<Hresult>,
    /// Print one line for a monitoring system, with performance data, and exit 0, 1, 2 or 3
    #[arg(long, conflicts_with_all = ["json", "expect"], env = "KMSPROOF_CHECK", value_parser = BoolishValueParser::new())]
    check: bool,
    /// Print JSON
    #[arg(long, env = "KMSPROOF_JSON", value_parser = BoolishValueParser::new())]
    json: bool,
    /// Print every PDU, byte by byte, as well
    #[arg(short, long, conflicts_with_all = ["json", "check"], env = "KMSPROOF_VERBOSE", value_parser = BoolishValueParser::new())]
    verbose: bool,
    /// The synthetic id and the randoms of the request follow from this number
    #[arg(long, default_value_t = 1, value_name = "N", env = "KMSPROOF_SEED")]
    seed: u64,
}

/// A client's clock.
#[derive(Debug, Clone, Copy)]
enum ClientTime {
    At(FileTime),
    FromNow(SignedDuration),
}

/// Carries the command out.
pub fn execute(args: &ProbeArgs, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    match runtime()?.block_on(probe(args, out)) {
        // A monitoring system knows four numbers only: what could not be found out is critical or unknown.
        Err(failure) if args.check && failure.exit != Exit::Output => {
            let (word, code) = if failure.exit == Exit::Setup { ("CRITICAL", 2) } else { ("UNKNOWN", 3) };
            writeln!(out, "KMS {word} - {}", failure.message.replace('\n', " "))?;
            out.flush()?;
            Ok(ExitCode::from(code))
        }
        other => other,
    }
}

async fn probe(args: &ProbeArgs, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let target = TargetArgs { target: args.host.clone().unwrap_or_else(|| args.target.target.clone()), ..args.target };
    let limits = target.limits();
    let machine = machine(args, &limits)?;
    limits.check_n_policy(machine.wanted.n_policy).map_err(Failure::usage)?;
    limits.check_id(machine.id).map_err(Failure::usage)?;
    let version = args.protocol.unwrap_or(args.product.protocol);
    let would_send = format!(
        "{} for {} with client id {} and N policy {}",
        counted(args.calls, "activation request"),
        machine.wanted.name,
        machine.id,
        machine.wanted.n_policy
    );
    let clock = Clock::start();
    let host = target.host(args.seed, clock, &would_send).await?;
    let mut counted_before = None;
    if let Some(lab) = &host.lab {
        // An empty host would refuse every first client by count: there would be little to see.
        counted_before =
            Some(lab.precharge(args.product.application, machine.wanted.n_policy, args.seed, clock.wall()));
    }
    let mut conversation = converse(args, &host, &machine, version, clock).await?;
    let mut history = History::default();
    for exchange in &mut conversation.exchanges {
        judge_history(&mut history, exchange);
    }
    let subject = Subject {
        target: target.target.to_string(),
        addresses: host.addresses.iter().map(ToString::to_string).collect(),
        counted_before,
    };
    let report = ProbeReport::new(&subject, &machine, version, &conversation.exchanges, &conversation.pdus);
    let exit = exit_of(args, &conversation.exchanges);
    let exit = if args.check {
        let (line, code) = report.monitoring_line();
        writeln!(out, "{line}")?;
        ExitCode::from(code)
    } else {
        if args.json {
            writeln!(out, "{}", report.to_json())?;
        } else {
            write!(out, "{}", report.render(args.verbose))?;
            let word = if exit == Exit::Held { "PASS" } else { "FAIL" };
            writeln!(out, "\n{word}  exit {}: {}", exit.code(), why(args, exit, &conversation.exchanges))?;
        }
        exit.into()
    };
    out.flush()?;
    Ok(exit)
}

/// What went back and forth.
struct Conversation {
    exchanges: Vec<Exchange>,
    pdus: Vec<(Sender, Vec<u8>)>,
}

async fn converse(
    args: &ProbeArgs,
    host: &HostUnderTest,
    machine: &Machine,
    version: ProtocolVersion,
    clock: Clock,
) -> Result<Conversation, Failure> {
    let settings = Settings { timeout: args.target.timeout, record: true };
    let (events, mut received) = mpsc::channel::<Event>(64);
    let collecting = tokio::spawn(async move {
        let (mut pdus, mut kept) = (Vec::new(), 0);
        while let Some(event) = received.recv().await {
            match event {
                // A host may send for as long as it is given: what is kept for showing has a bound.
                Event::Pdu { sender, bytes, .. } if kept < PDU_BYTES_MAX => {
                    kept += bytes.len();
                    pdus.push((sender, bytes));
                }
                _ => {}
            }
        }
        pdus
    });
    let mut randomness = Randomness::new(args.seed);
    let mut exchanges = Vec::new();
    let mut attempt = Attempt::new(0, 0, host.pacer.wait(clock).await, clock.now(), clock.wall());
    let mut connection = match Connection::open(0, &host.addresses, args.syntax, settings, clock, &events).await {
        Ok(connection) => {
            attempt.note_opened(connection.opened());
            connection
        }
        Err(Failed { failure, .. }) if failure.phase == Phase::Connect => return Err(Failure::setup(failure)),
        Err(failed) => {
            let ask = ask(args, machine, version, &mut randomness, clock);
            exchanges.push(attempt.conclude(machine, &ask, Err(failed), clock.now(), clock.wall()));
            drop(events);
            return Ok(Conversation { exchanges, pdus: collected(collecting).await? });
        }
    };
    let mut first = Some(attempt);
    for call in 0..args.calls {
        let mut attempt = match first.take() {
            Some(first) => first,
            None => {
                let due = host.pacer.wait(clock).await;
                Attempt::new(0, call as usize, due, clock.now(), clock.wall())
            }
        };
        let ask = ask(args, machine, version, &mut randomness, clock);
        let result = connection.call(ask.payload(), &events).await;
        attempt.note_carried(connection.id(), connection.take_bytes());
        let over = result.is_err();
        exchanges.push(attempt.conclude(machine, &ask, result, clock.now(), clock.wall()));
        if over {
            break;
        }
    }
    connection.close(&events).await;
    drop(events);
    Ok(Conversation { exchanges, pdus: collected(collecting).await? })
}

async fn collected<T>(task: tokio::task::JoinHandle<T>) -> Result<T, Failure> {
    task.await.map_err(|error| Failure::new(Exit::Bug, error))
}

fn ask(
    args: &ProbeArgs,
    machine: &Machine,
    version: ProtocolVersion,
    randomness: &mut Randomness,
    clock: Clock,
) -> Ask {
    let now = clock.wall();
    let client_time = match args.client_time {
        None => now,
        Some(ClientTime::At(at)) => at,
        Some(ClientTime::FromNow(by)) => now.saturating_add(by),
    };
    // What is said of the lease is said as it stands on the command line, however long the probe takes.
    let license_status = LicenseStatus(args.status);
    let request = machine.request(version, now, now);
    let request =
        ActivationRequest { client_time, license_status, binding_expiration_min: args.minutes_left, ..request };
    Ask::new(request, randomness.next_iv())
}

fn exit_of(args: &ProbeArgs, exchanges: &[Exchange]) -> Exit {
    let as_wanted = |exchange: &Exchange| match args.expect {
        Some(code) => {
            let Outcome { wire, verdict, shown } = exchange.outcome;
            let refused = matches!(verdict, Verdict::Refused(refused) if refused == code);
            if code == Hresult::OK {
                verdict == Verdict::Activated
            } else {
                wire == Some(code) || refused || shown == code
            }
        }
        None => exchange.outcome.verdict == Verdict::Activated,
    };
    let held = exchanges
        .iter()
        .all(|exchange| as_wanted(exchange) && (args.expect.is_some() || exchange.answer.checks.is_clean()));
    if held && !exchanges.is_empty() { Exit::Held } else { Exit::Check }
}

/// Why it ends like this, for a person.
fn why(args: &ProbeArgs, exit: Exit, exchanges: &[Exchange]) -> &'static str {
    let activated = exchanges.iter().all(|exchange| exchange.outcome.verdict == Verdict::Activated);
    match (exit, args.expect) {
        (Exit::Check, Some(_)) => "what came is not what was expected",
        (Exit::Check, None) if !activated => "this client is not activated",
        (Exit::Check, None) => "the client is activated, and yet a required check failed",
        (Exit::Held, Some(_)) => "what was expected came",
        _ => exit.meaning(),
    }
}

fn machine(args: &ProbeArgs, limits: &Limits) -> Result<Machine, Failure> {
    // Machines are counted from 1, in scenarios too.
    let index = Index::new(1).map_err(Failure::usage)?;
    let id = args.cmid.unwrap_or_else(|| match limits.ids {
        Ids::Seeded => ClientId::mint(args.seed, Group::default(), index),
        Ids::Pool => ClientId::pool(index),
    });
    let name = match &args.name {
        Some(name) => name.clone(),
        None => WorkstationName::new(&workstation_name("probe", index)).map_err(Failure::usage)?,
    };
    let n_policy = args.n_policy.unwrap_or(args.product.n_policy);
    let wanted = Wanted { n_policy, ..Wanted::from(args.product) };
    let machine = Machine::new("probe".to_owned(), id, name, wanted, FileTime::default());
    Ok(Machine { is_vm: args.vm, ..machine })
}

fn parse_name(text: &str) -> Result<WorkstationName, String> {
    WorkstationName::new(text).map_err(|error| error.to_string())
}

fn parse_cmid(text: &str) -> Result<ClientId, String> {
    let guid: Guid = text.parse().map_err(|error: crate::wire::GuidError| error.to_string())?;
    ClientId::from_guid(guid)
        .ok_or_else(|| format!("{guid} is not one of kmsproof's synthetic ids, and kmsproof sends no others"))
}

fn parse_client_time(text: &str) -> Result<ClientTime, String> {
    let wrong = || {
        format!("`{text}` is no client time: expected 2026-11-20T15:00:00Z, an offset like +4h or -30m, or filetime:N")
    };
    if let Some(steps) = text.strip_prefix("filetime:") {
        return steps.parse().map(|steps| ClientTime::At(FileTime(steps))).map_err(|_| wrong());
    }
    if text == "now" {
        return Ok(ClientTime::FromNow(SignedDuration::ZERO));
    }
    if let Some(ahead) = text.strip_prefix('+') {
        return parse_duration(ahead).map(ClientTime::FromNow).map_err(|_| wrong());
    }
    if text.starts_with('-') {
        return parse_duration(text).map(ClientTime::FromNow).map_err(|_| wrong());
    }
    let at: Timestamp = text.parse().map_err(|_| wrong())?;
    FileTime::from_timestamp(at)
        .map(ClientTime::At)
        .ok_or_else(|| format!("`{text}` is before 1601, which FILETIME cannot say"))
}

fn parse_expect(text: &str) -> Result<Hresult, String> {
    if text == "activated" {
        return Ok(Hresult::OK);
    }
    text.parse().map_err(|error: crate::wire::HresultError| error.to_string())
}

/// Far more than an honest conversation of a hundred calls.
const PDU_BYTES_MAX: usize = 4 << 20;
