//! `kmsproof conform`: hold a host to the conformance cases.

mod again;
mod choose;
mod events;
mod parse;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::BoolishValueParser;
use jiff::ToSpan;
use jiff::tz::TimeZone;

use super::Failure;
use super::carry_out::Outputs;
use super::common::{TargetArgs, parse_product, read_at_most, runtime, say};
use super::live::StatusLine;
use super::run::{open_reporters, same_file, stop_on_interrupt};
use crate::catalog::Product;
use crate::conform::{self, Case, CaseResult, KnownFailures, Level, Options, Profile, Run, Service, Verdict};
use crate::engine::{Clock, HostUnderTest, Stop, TcpHost, process};
use crate::exit::Exit;
use crate::report::{self, Format, OutFile, OutSpec, RunHeader, RunRecord};
use crate::text::counted;
use crate::wire::rpc::SyntaxId;

/// Hold a host to the conformance cases
///
/// The first Ctrl-C ends the run after the case that is under way and still writes every report, the second stops at
/// once and writes none.
#[derive(Debug, Args)]
pub struct ConformArgs {
    /// Only these cases: ids, what ids begin with (rpc/bind), or globs on ids
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
    #[arg(long, value_name = "LEVEL", value_delimiter = ',', value_parser = parse::level, env = "KMSPROOF_LEVEL")]
    level: Vec<Level>,
    /// Only cases of these layers: rpc, ndr, kms, load (how they hold under load)
    #[arg(long, value_name = "LAYER", value_delimiter = ',', value_parser = parse::layer, env = "KMSPROOF_LAYER")]
    layer: Vec<String>,
    /// Run the cases too that may leave the host worse than it was (against hosts that may be spoiled)
    #[arg(long, env = "KMSPROOF_DISRUPTIVE", value_parser = BoolishValueParser::new())]
    disruptive: bool,
    /// What is known to fail with this host; whatever passes all the same fails the run
    #[arg(long, value_name = "FILE", env = "KMSPROOF_KNOWN_FAILURES")]
    known_failures: Option<PathBuf>,
    /// Write such a list of what fails now; one that is there already is read as what is known, and kept up
    #[arg(long, value_name = "FILE", env = "KMSPROOF_WRITE_KNOWN_FAILURES")]
    write_known_failures: Option<PathBuf>,
    /// What ordinary clients ask for, where a case asks for nothing else: what a host serves that has no key for Windows
    #[arg(long, default_value = Service::KMS.product, value_name = "NAME", value_parser = parse_product, conflicts_with = "interface", env = "KMSPROOF_PRODUCT")]
    product: &'static Product,
    /// Put the cases of DCE/RPC to this interface instead of KMS
    #[arg(long, value_name = "UUID@VERSION", value_parser = parse::interface, env = "KMSPROOF_INTERFACE")]
    interface: Option<SyntaxId>,
    /// The operation of that interface that is called
    #[arg(long, default_value_t = 0, value_name = "N", requires = "interface", env = "KMSPROOF_OPNUM")]
    opnum: u16,
    /// The stub it is called with, in hex; without it, an empty one
    #[arg(long, value_name = "HEX", value_parser = parse::hex, requires = "interface", env = "KMSPROOF_STUB")]
    stub: Option<parse::Stub>,
    /// The host's process on this machine: its files and memory are watched under load (Linux)
    #[arg(long, value_name = "PID", env = "KMSPROOF_PID")]
    pid: Option<u32>,
    /// Say what cases there are, and put them to nobody
    #[arg(long)]
    list: bool,
    /// Put so many independent cases to the host at the same time; those that count clients, measure or may spoil
    /// something are put to it one after the other all the same
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = parse::jobs, env = "KMSPROOF_JOBS")]
    jobs: usize,
    /// Everything left to chance follows from this number
    #[arg(long, default_value_t = 1, value_name = "N", env = "KMSPROOF_SEED")]
    seed: u64,
    /// Write a report as well: json=PATH, events=PATH, pcapng=PATH (`-` is standard output)
    #[arg(long, value_name = "FORMAT=PATH", env = "KMSPROOF_OUT")]
    out: Vec<OutSpec>,
    /// Show what passed as well, with what was seen
    #[arg(short, long, env = "KMSPROOF_VERBOSE", value_parser = BoolishValueParser::new())]
    verbose: bool,
    /// Print nothing but what fails, with what repeats it, and no conversations
    #[arg(short, long, env = "KMSPROOF_QUIET", value_parser = BoolishValueParser::new())]
    quiet: bool,
}

/// Carries the command out.
pub fn execute(args: &ConformArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    if args.list {
        return choose::list(args, out);
    }
    let chosen = choose::cases(args)?;
    args.check_files()?;
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
    let stop = {
        let _runtime = runtime.enter();
        stop_on_interrupt()
    };
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
        if let Some(pace) = limits.pace.filter(|_| chosen.len() > FEW) {
            say(format_args!(
                "at most {:.0} requests a second, so it takes minutes: --disposable-host lifts that, if the host may be \
                 spoiled\n\n",
                pace.as_secs_f64().recip()
            ));
        }
    }
    let run = args.put(&host, &chosen, &options, clock, &mut outputs, &stop)?;
    run.checks.iter().map(events::event_of_check).for_each(|event| outputs.observe(&event));
    let stale = args.stale(&options, &run);
    let exit = exit_of(&run, !stale.is_empty());
    say(report::check_lines(&run, args.quiet, args.verbose, |case| again::command(args, case)));
    stale.iter().for_each(|stale| say(format_args!("  stale  {stale}\n")));
    if args.write_known_failures.is_none() && !args.quiet {
        note_unexplained(&options.known);
    }
    let header = RunHeader {
        kind: "conform",
        seed: args.seed,
        requested: args.target.target.to_string(),
        addresses,
        started: clock.wall_start(),
        duration_s: clock.now().0.as_secs_f64(),
    };
    let mut terms = report::conform_record(&run, &options);
    terms["filters"] = args.filters.clone().into();
    terms["layers"] = args.layer.clone().into();
    terms["levels"] = args.level.iter().map(|level| level.name()).collect();
    let record = RunRecord::new(&header, [], exit).with_cases(terms, report::case_records(&run));
    // Each of them is written whether the others can be or not.
    let reported = outputs.finish(&record);
    let known = args.write_known_failures.as_ref();
    let listed = known.map_or(Ok(()), |path| {
        let text = args.known_afterwards(&options, &run);
        let written =
            KnownFailures::parse(&text, &path.display().to_string(), choose::exists).map_err(Failure::input)?;
        if !args.quiet {
            let (now, before) = (counted(written.len(), "known failure"), options.known.len());
            say(format_args!("  {}: {now}, {before} before\n", path.display()));
            note_unexplained(&written);
        }
        write_known(path, &text)
    });
    let written = reported.and(listed);
    if !args.quiet {
        say(report::conform_footer(&run, if written.is_ok() { exit } else { Exit::Output }));
    }
    written.map(|()| exit)
}

impl ConformArgs {
    fn options(&self) -> Result<Options, Failure> {
        let known = match self.list_of_known() {
            None => KnownFailures::default(),
            Some(path) => KnownFailures::parse(&read_text(path)?, &path.display().to_string(), choose::exists)
                .map_err(Failure::input)?,
        };
        let profile = match Profile::named(self.profile_name()) {
            Some(profile) => profile,
            None => own_profile(self.profile_name())?,
        };
        let kms = Service { product: &self.product.edition, ..Service::KMS };
        let parse::Stub(stub) = self.stub.clone().unwrap_or_default();
        let service = match self.interface {
            None => kms,
            Some(interface) => Service { interface, opnum: self.opnum, stub: Some(stub), ..kms },
        };
        let today = jiff::Timestamp::now().to_zoned(TimeZone::UTC).date();
        Ok(Options { profile, known, today, disruptive: self.disruptive, jobs: self.jobs, seed: self.seed, service })
    }

    /// The list of what is known: the one that was named, or else the one to be kept up, if it is there.
    fn list_of_known(&self) -> Option<&Path> {
        let kept_up = self.write_known_failures.as_deref().filter(|path| path.exists());
        self.known_failures.as_deref().or(kept_up)
    }

    fn put(
        &self,
        host: &HostUnderTest,
        chosen: &[&'static Case],
        options: &Options,
        clock: Clock,
        outputs: &mut Outputs,
        stop: &Stop,
    ) -> Result<Run, Failure> {
        let gap = host.pacer.gap();
        let mut tcp = TcpHost::new(host.addresses.clone(), clock, self.target.timeout, gap).with_pid(self.pid);
        let mut connections = 0;
        let (mut status, mut done, mut wrong) = (StatusLine::new(), 0, 0);
        let run = conform::run(&mut tcp, chosen, options, &mut |result| {
            status.wipe();
            self.tell(result, options);
            (done, wrong) = (done + 1, wrong + usize::from(result.verdict.is_wrong()));
            if !self.quiet {
                let (all, last) = (chosen.len(), result.case.id);
                status.tell(|| Some(format!("  {done} of {all} cases put, {wrong} wrong; the last was {last}")));
            }
            for event in events::events_of(result, host.addresses[0], &mut connections) {
                outputs.observe(&event);
            }
            !stop.is_set()
        });
        Ok(run)
    }

    fn tell(&self, result: &CaseResult, options: &Options) {
        let is_wrong = result.verdict.is_wrong();
        // Of what could not even be tried the last lines say how much there was, and why.
        let is_shown = is_wrong
            || result.verdict == Verdict::NonStrict
            || result.verdict == Verdict::Flapping
            || (result.verdict == Verdict::Inconclusive && !result.said.is_empty());
        if !is_wrong && (self.quiet || !(is_shown || self.verbose)) {
            return;
        }
        say(report::case_lines(result, self.verbose && !self.quiet));
        if !is_wrong {
            return;
        }
        // What passes shows nothing, and what is on a list past its day has been looked at before.
        let is_news = result.verdict == Verdict::Fail && !options.known.is_past(result.case.id, options.today);
        if is_news && !self.quiet {
            say(report::conversation(result, self.verbose));
        }
        say(format_args!("      again: {}\n\n", again::command(self, result.case.id)));
    }

    /// The name of the profile that was asked for, or its file.
    fn profile_name(&self) -> &str {
        if self.strict { "strict" } else { &self.profile }
    }

    /// That what is to be written can be, before a host is asked anything.
    fn check_files(&self) -> Result<(), Failure> {
        if let Some(spec) = self.out.iter().find(|spec| matches!(spec.format, Format::Csv | Format::Hgrm)) {
            let name = spec.format.name();
            return Err(Failure::usage(format!(
                "conform measures nothing that {name} could show: it writes json, events and pcapng"
            )));
        }
        let Some(path) = &self.write_known_failures else { return Ok(()) };
        let shown = path.display();
        if path == Path::new("-") {
            return Err(Failure::usage("--write-known-failures writes a file, not standard output: name one"));
        }
        if self.out.iter().any(|spec| same_file(&spec.path, path)) {
            return Err(Failure::usage(format!(
                "a report and the known failures cannot both go to {shown}: give each its own file"
            )));
        }
        if let Some(known) = self.known_failures.as_deref().filter(|known| path.exists() && !same_file(known, path)) {
            return Err(Failure::usage(format!(
                "{shown} is there already, and {} is what is known: write to that, or to a new file",
                known.display()
            )));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if path.file_name().is_none() || path.is_dir() || !folder.is_dir() {
            return Err(Failure::output(format!(
                "the known failures cannot go to {shown}: expected a file in a folder that is there"
            )));
        }
        Ok(())
    }

    /// Whether everything was put to the host that there is.
    fn is_whole(&self, run: &Run) -> bool {
        let is_cut_short = run.interrupted || run.results.iter().any(is_untried);
        self.filters.is_empty() && self.level.is_empty() && self.layer.is_empty() && !is_cut_short
    }

    /// What is known to fail after this run.
    fn known_afterwards(&self, options: &Options, run: &Run) -> String {
        let ids: Vec<_> = choose::ids().collect();
        let expires = options.today.saturating_add(90.days());
        conform::write_list(&options.known, run, self.is_whole(run), &ids, options.today, expires)
    }

    /// What a list of known failures names that was not put to the host, when everything was to be.
    fn stale(&self, options: &Options, run: &Run) -> Vec<String> {
        if !self.is_whole(run) {
            return Vec::new();
        }
        let was_put = |result: &&CaseResult| !matches!(result.verdict, Verdict::Skip | Verdict::NotApplicable);
        let cases = run.results.iter().filter(was_put).map(|result| result.case.id);
        let ran: Vec<_> = cases.chain(run.checks.iter().map(|result| result.check.check().id)).collect();
        options.known.stale(&ran).map(|stale| stale.to_string()).collect()
    }
}

/// Whether it was not even begun, for the host did not live to see it.
fn is_untried(result: &CaseResult) -> bool {
    result.verdict == Verdict::Inconclusive && result.said.is_empty()
}

fn exit_of(run: &Run, is_stale: bool) -> Exit {
    let is_wrong = run.wrong().next().is_some();
    let inconclusive = run.results.iter().any(|result| result.verdict == Verdict::Inconclusive);
    let is_told = |verdict| {
        matches!(
            verdict,
            Verdict::Pass | Verdict::NonStrict | Verdict::Recorded | Verdict::KnownFailure | Verdict::Flapping
        )
    };
    match () {
        () if run.interrupted => Exit::Interrupted,
        () if run.canary_lives => Exit::Bug,
        // What could not be told is no reason to be content.
        () if is_wrong || is_stale || inconclusive => Exit::Check,
        () if !run.results.iter().any(|result| is_told(result.verdict)) => Exit::NothingChecked,
        () => Exit::Held,
    }
}

fn note_unexplained(known: &KnownFailures) {
    let lines: Vec<_> = known.unexplained().iter().map(usize::to_string).collect();
    if !lines.is_empty() {
        let (list, lines) = (&known.file, lines.join(", "));
        say(format_args!("  note   {list}: nobody has said yet why this is known to fail: line {lines}\n"));
    }
}

fn write_known(path: &Path, text: &str) -> Result<(), Failure> {
    let mut file = OutFile::create(path)?;
    file.write_all(text.as_bytes())?;
    file.finish()?;
    Ok(())
}

/// A profile of the user's own.
fn own_profile(file: &str) -> Result<Profile, Failure> {
    let path = Path::new(file);
    if !path.exists() {
        return Err(Failure::input(format!("`{file}` is no profile: expected {} or a file", Profile::names())));
    }
    Profile::parse(&read_text(path)?, file, choose::exists).map_err(Failure::input)
}

fn read_text(path: &Path) -> Result<String, Failure> {
    let wrong = |why: String| Failure::new(Exit::Input, format!("{}: {why}", path.display()));
    let file = std::fs::File::open(path).map_err(|error| wrong(error.to_string()))?;
    let bytes = read_at_most(file, LIST_MAX).map_err(|error| wrong(error.to_string()))?;
    if bytes.len() as u64 > LIST_MAX {
        return Err(wrong(format!("more than {LIST_MAX} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..good].iter().filter(|byte| **byte == b'\n').count();
        wrong(format!("line {line} is no UTF-8 text (byte {good} of the file): save it as UTF-8"))
    })
}

/// So many cases take no time to speak of.
const FEW: usize = 20;
/// The largest list or profile that is read, in bytes.
const LIST_MAX: u64 = 1 << 20;
