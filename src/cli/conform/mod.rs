//! `kmsproof conform`: hold a host to the conformance cases.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use clap::builder::BoolishValueParser;
use jiff::ToSpan;
use jiff::tz::TimeZone;

use super::Failure;
use super::carry_out::Outputs;
use super::common::{TargetArgs, interrupted, read_at_most, runtime, say};
use super::run::open_reporters;
use crate::conform::{self, Case, CaseResult, KnownFailures, Level, Options, Profile, Run, Service, Verdict, is_named};
use crate::engine::{Clock, HostUnderTest, TcpHost, process};
use crate::events::Event;
use crate::exit::Exit;
use crate::proto::Moment;
use crate::proto::verify::CheckId;
use crate::report::{self, OutSpec, RunHeader, RunRecord};
use crate::text::counted;
use crate::wire::rpc::SyntaxId;

/// Hold a host to the conformance cases
#[derive(Debug, Args)]
pub struct ConformArgs {
    /// Only these cases: ids, or globs on ids
    filters: Vec<String>,
    #[command(flatten)]
    target: TargetArgs,
    /// What behaviour costs: windows (what known hosts that serve Windows clients well are held to), strict (everything
    /// a Windows-modelled stack does), or a file of one's own
    #[arg(long, default_value = "windows", value_name = "NAME|FILE", env = "KMSPROOF_PROFILE")]
    profile: String,
    /// The same as --profile strict
    #[arg(long, conflicts_with = "profile", env = "KMSPROOF_STRICT", value_parser = BoolishValueParser::new())]
    strict: bool,
    /// Only cases of these levels
    #[arg(long, value_name = "LEVEL", value_delimiter = ',', value_parser = parse_level, env = "KMSPROOF_LEVEL")]
    level: Vec<Level>,
    /// Run the cases too that may leave the host worse than it was (against hosts that may be spoiled)
    #[arg(long, env = "KMSPROOF_DISRUPTIVE", value_parser = BoolishValueParser::new())]
    disruptive: bool,
    /// What is known to fail with this host; whatever passes all the same fails the run
    #[arg(long, value_name = "FILE", env = "KMSPROOF_KNOWN_FAILURES")]
    known_failures: Option<PathBuf>,
    /// Write such a list of what fails now
    #[arg(long, value_name = "FILE", env = "KMSPROOF_WRITE_KNOWN_FAILURES")]
    write_known_failures: Option<PathBuf>,
    /// Put the cases of DCE/RPC to this interface instead of KMS
    #[arg(long, value_name = "UUID@VERSION", value_parser = parse_interface, requires = "stub", env = "KMSPROOF_INTERFACE")]
    interface: Option<SyntaxId>,
    /// The operation of that interface that is called
    #[arg(long, default_value_t = 0, value_name = "N", requires = "interface", env = "KMSPROOF_OPNUM")]
    opnum: u16,
    /// The stub it is called with, in hex
    #[arg(long, value_name = "HEX", value_parser = parse_hex, requires = "interface", env = "KMSPROOF_STUB")]
    stub: Option<Stub>,
    /// The host's process on this machine: its files and memory are watched under load (Linux)
    #[arg(long, value_name = "PID", env = "KMSPROOF_PID")]
    pid: Option<u32>,
    /// Say what cases there are, and put them to nobody
    #[arg(long)]
    list: bool,
    /// Everything left to chance follows from this number
    #[arg(long, default_value_t = 1, value_name = "N", env = "KMSPROOF_SEED")]
    seed: u64,
    /// Write a report as well: json=PATH, events=PATH, pcapng=PATH (`-` is standard output)
    #[arg(long, value_name = "FORMAT=PATH", env = "KMSPROOF_OUT")]
    out: Vec<OutSpec>,
    /// Show what passed as well, with what was seen
    #[arg(short, long, env = "KMSPROOF_VERBOSE", value_parser = BoolishValueParser::new())]
    verbose: bool,
    /// Print nothing but failures to run
    #[arg(short, long, env = "KMSPROOF_QUIET", value_parser = BoolishValueParser::new())]
    quiet: bool,
}

/// The stub of a call.
#[derive(Debug, Clone)]
struct Stub(Vec<u8>);

/// Carries the command out.
pub fn execute(args: &ConformArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    let chosen = choose(args)?;
    if args.list {
        for case in chosen {
            writeln!(out, "{:<44} {:<5} {}", case.id, case.level, case.title)?;
        }
        out.flush()?;
        return Ok(Exit::Held);
    }
    let options = args.options()?;
    let limits = args.target.limits();
    if args.disruptive && limits.n_policy_max.is_some() {
        return Err(Failure::usage(
            "--disruptive cases may spoil a host for good: say --disposable-host if this host may be spoiled",
        ));
    }
    if let Some(pid) = args.pid.filter(|pid| process(*pid).is_none()) {
        return Err(Failure::usage(format!(
            "process {pid} cannot be looked at: there is none of that number, or it is not ours to look at, or this is not Linux"
        )));
    }
    let clock = Clock::start();
    let runtime = runtime()?;
    let would_send = format!("{}, malformed requests among them", counted(chosen.len(), "conformance case"));
    let host = runtime.block_on(args.target.host(args.seed, clock, &would_send))?;
    runtime.block_on(host.check_reachable(args.target.timeout)).map_err(Failure::setup)?;
    let mut outputs = open_reporters(&args.out, clock)?;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    runtime.spawn(async move {
        interrupted().await;
        stopped.store(true, Ordering::Relaxed);
    });
    let addresses: Vec<String> = host.addresses.iter().map(ToString::to_string).collect();
    if !args.quiet {
        say(format_args!(
            "kmsproof {}  target {} ({})  seed {}  profile {}\n\n",
            env!("CARGO_PKG_VERSION"),
            args.target.target,
            addresses.join(", "),
            args.seed,
            options.profile.name,
        ));
    }
    let run = args.put(&host, &chosen, &options, clock, &mut outputs, &stop)?;
    let stale = args.stale(&options, &run);
    let exit = exit_of(&run, !stale.is_empty());
    if !args.quiet {
        say(report::check_lines(&run));
        stale.iter().for_each(|stale| say(format_args!("  stale  {stale}\n")));
        say(report::conform_footer(&run, exit));
    }
    if let Some(path) = &args.write_known_failures {
        write_known(path, &run, clock)?;
    }
    let header = RunHeader {
        kind: "conform",
        seed: args.seed,
        requested: args.target.target.to_string(),
        addresses,
        started: clock.wall_start(),
        duration_s: clock.now().0.as_secs_f64(),
    };
    let record = RunRecord::new(&header, [], exit).with_cases(report::case_records(&run));
    outputs.finish(&record)?;
    Ok(exit)
}

impl ConformArgs {
    fn options(&self) -> Result<Options, Failure> {
        let known = match &self.known_failures {
            None => KnownFailures::default(),
            Some(path) => {
                let text = read_text(path)?;
                KnownFailures::parse(&text, &path.display().to_string(), exists)
                    .map_err(|error| Failure::new(Exit::Input, error))?
            }
        };
        let profile = match self.profile.as_str() {
            _ if self.strict => Profile::strict(),
            "strict" => Profile::strict(),
            "windows" => Profile::windows(),
            file => Profile::parse(&read_text(Path::new(file))?, exists)
                .map_err(|error| Failure::new(Exit::Input, format!("{file}: {error}")))?,
        };
        let service = match (self.interface, &self.stub) {
            (Some(interface), Some(Stub(stub))) => Service { interface, opnum: self.opnum, stub: Some(stub.clone()) },
            _ => Service::KMS,
        };
        let today = jiff::Timestamp::now().to_zoned(TimeZone::UTC).date();
        Ok(Options { profile, known, today, disruptive: self.disruptive, seed: self.seed, service })
    }

    fn put(
        &self,
        host: &HostUnderTest,
        chosen: &[&'static Case],
        options: &Options,
        clock: Clock,
        outputs: &mut Outputs,
        stop: &AtomicBool,
    ) -> Result<Run, Failure> {
        let gap = host.pacer.gap();
        let mut tcp = TcpHost::new(host.addresses.clone(), clock, self.target.timeout, gap).with_pid(self.pid);
        let mut connections = 0;
        let run = conform::run(&mut tcp, chosen, options, &mut |result| {
            if !self.quiet {
                self.tell(result);
            }
            for event in events_of(result, host.addresses[0], &mut connections) {
                outputs.observe(&event);
            }
            !stop.load(Ordering::Relaxed)
        });
        Ok(run)
    }

    fn tell(&self, result: &CaseResult) {
        let is_quiet = matches!(
            result.verdict,
            Verdict::Pass | Verdict::Recorded | Verdict::NotApplicable | Verdict::Skip | Verdict::KnownFailure
        );
        // Of what could not even be tried the last line says how much there was.
        let is_untried = result.verdict == Verdict::Inconclusive && result.said.is_empty();
        if (is_quiet || is_untried) && !self.verbose {
            return;
        }
        say(report::case_lines(result, self.verbose));
        if matches!(result.verdict, Verdict::Fail | Verdict::UnexpectedPass) {
            say(report::conversation(result));
            say(format_args!(
                "      again: kmsproof conform {} --target {} --seed {}{} --verbose\n\n",
                result.case.id,
                self.target.target,
                self.seed,
                self.other_flags(),
            ));
        }
    }

    /// What else a command that repeats a case has to say.
    fn other_flags(&self) -> String {
        let strict = if self.strict { "strict" } else { self.profile.as_str() };
        let profile = if strict == "windows" { String::new() } else { format!(" --profile {strict}") };
        let flags = [
            (self.target.authorized, " --authorized"),
            (self.target.disposable_host, " --disposable-host"),
            (self.disruptive, " --disruptive"),
        ];
        flags.iter().filter(|(is_said, _)| *is_said).fold(profile, |all, (_, flag)| all + flag)
    }

    /// What a list of known failures names that was not run, when everything was to be.
    fn stale(&self, options: &Options, run: &Run) -> Vec<String> {
        if !self.filters.is_empty() || !self.level.is_empty() || run.interrupted {
            return Vec::new();
        }
        let cases = run.results.iter().map(|result| result.case.id);
        let ran: Vec<_> = cases.chain(run.checks.iter().map(|result| result.check.check().id)).collect();
        options.known.stale(&ran).map(|stale| stale.to_string()).collect()
    }
}

fn choose(args: &ConformArgs) -> Result<Vec<&'static Case>, Failure> {
    for filter in &args.filters {
        if !conform::cases::all().any(|case| is_named(filter, case.id)) {
            return Err(Failure::usage(format!("no case is named `{filter}`: kmsproof conform --list lists them all")));
        }
    }
    let is_chosen = |case: &&Case| {
        (args.filters.is_empty() || args.filters.iter().any(|filter| is_named(filter, case.id)))
            && (args.level.is_empty() || args.level.contains(&case.level))
    };
    let chosen: Vec<_> = conform::cases::all().filter(is_chosen).collect();
    if chosen.is_empty() {
        return Err(Failure::new(Exit::NothingChecked, "no case is both of these names and of these levels"));
    }
    Ok(chosen)
}

/// What was said in a case, for reports that read events.
fn events_of(result: &CaseResult, host: SocketAddr, connections: &mut u64) -> Vec<Event> {
    let (Some(first), Some(last)) = (result.said.first(), result.said.last()) else { return Vec::new() };
    let lines = 1 + result.said.iter().map(|said| said.line).max().unwrap_or(0);
    let before = *connections;
    *connections += lines as u64;
    let id = |line: usize| before + line as u64;
    let mut events = vec![Event::ScenarioStarted { name: result.case.id.to_owned() }];
    events.extend((0..lines).map(|line| {
        // Which port a connection came from is nobody's concern; no two of them have the same.
        let port = FIRST_PORT + (id(line) % PORTS) as u16;
        let local = SocketAddr::new(local_of(host.ip()), port);
        Event::ConnectionOpened { id: id(line), local, peer: host, at: first.at }
    }));
    events.extend(result.said.iter().map(|said| Event::Pdu {
        connection: id(said.line),
        sender: said.sender,
        at: said.at,
        bytes: said.bytes.clone(),
    }));
    let closed = Moment(last.at.0);
    events.extend((0..lines).map(|line| Event::ConnectionClosed { id: id(line), at: closed }));
    events
}

fn local_of(host: IpAddr) -> IpAddr {
    match host {
        IpAddr::V4(_) => IpAddr::from([127, 0, 0, 1]),
        IpAddr::V6(_) => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
    }
}

fn exit_of(run: &Run, is_stale: bool) -> Exit {
    let is_wrong = |verdict| matches!(verdict, Verdict::Fail | Verdict::UnexpectedPass);
    let cases = run.results.iter().any(|result| is_wrong(result.verdict));
    let checks = run.checks.iter().any(|result| is_wrong(result.verdict));
    let is_told = |verdict| {
        matches!(
            verdict,
            Verdict::Pass | Verdict::NonStrict | Verdict::Recorded | Verdict::KnownFailure | Verdict::Flapping
        )
    };
    match () {
        () if run.interrupted => Exit::Interrupted,
        () if run.canary_lives => Exit::Bug,
        () if cases || checks || is_stale => Exit::Check,
        () if !run.results.iter().any(|result| is_told(result.verdict)) => Exit::NothingChecked,
        () => Exit::Held,
    }
}

fn write_known(path: &Path, run: &Run, clock: Clock) -> Result<(), Failure> {
    let checks: Vec<_> = run.checks.iter().map(|result| (result.check.check().id, result.verdict)).collect();
    let today = clock.wall_start().to_zoned(TimeZone::UTC).date();
    let text = conform::write_list(&run.results, &checks, today.saturating_add(90.days()));
    std::fs::write(path, text)?;
    Ok(())
}

/// Whether a case or a check is named so, by an id or a glob.
fn exists(pattern: &str) -> bool {
    conform::cases::all().any(|case| is_named(pattern, case.id))
        || CheckId::ALL.iter().any(|check| is_named(pattern, check.check().id))
}

fn read_text(path: &Path) -> Result<String, Failure> {
    let wrong = |why: String| Failure::new(Exit::Input, format!("{}: {why}", path.display()));
    let file = std::fs::File::open(path).map_err(|error| wrong(error.to_string()))?;
    let bytes = read_at_most(file, LIST_MAX).map_err(|error| wrong(error.to_string()))?;
    if bytes.len() as u64 > LIST_MAX {
        return Err(wrong(format!("more than {LIST_MAX} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| wrong("it is no UTF-8 text".to_owned()))
}

fn parse_level(text: &str) -> Result<Level, String> {
    let named = Level::ALL.into_iter().find(|level| level.name() == text);
    named.ok_or_else(|| format!("`{text}` is no level: expected must, should, win, rec or info"))
}

fn parse_interface(text: &str) -> Result<SyntaxId, String> {
    let wrong =
        || format!("`{text}` is no interface: expected UUID@VERSION, as in afa8bd80-7d8a-11c9-bef4-08002b102989@1.0");
    let (uuid, version) = text.split_once('@').ok_or_else(wrong)?;
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    let number = |text: &str| text.parse::<u16>().map_err(|_| wrong());
    let version = u32::from(number(major)?) | u32::from(number(minor)?) << 16;
    Ok(SyntaxId { uuid: uuid.parse().map_err(|_| wrong())?, version })
}

fn parse_hex(text: &str) -> Result<Stub, String> {
    let digits: Vec<char> = text.chars().filter(|digit| !digit.is_whitespace()).collect();
    let byte = |pair: &[char]| match pair {
        [high, low] => Some((high.to_digit(16)? << 4 | low.to_digit(16)?) as u8),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
    bytes.map(Stub).ok_or_else(|| format!("`{text}` is no hex: expected pairs of hexadecimal digits"))
}

/// The largest list or profile that is read, in bytes.
const LIST_MAX: u64 = 1 << 20;
/// Ports of made-up ends of connections in captures.
const FIRST_PORT: u16 = 49_152;
const PORTS: u64 = 16_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_and_stubs_are_read_as_people_write_them() {
        let mgmt = parse_interface("afa8bd80-7d8a-11c9-bef4-08002b102989@1.0").unwrap();
        assert_eq!(mgmt.version, 1);
        assert_eq!(parse_interface("afa8bd80-7d8a-11c9-bef4-08002b102989@3.2").unwrap().version, 0x0002_0003);
        assert!(parse_interface("afa8bd80@1.0").is_err() && parse_interface("1.0").is_err());
        assert_eq!(parse_hex("04000000 0a").unwrap().0, [4, 0, 0, 0, 10]);
        assert!(parse_hex("0400000").is_err() && parse_hex("xx").is_err());
    }
}
