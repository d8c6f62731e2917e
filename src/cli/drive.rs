//! How load is made: the flags of `run` and `load` that say so, and whether this machine has enough for it.

use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};

use super::Failure;
use super::amounts::parse_small_count;
use super::common::parse_limit;
use crate::engine::limits::{self, Allowed, There};
use crate::engine::sources::{self, Source, SourceError};
use crate::engine::{Closing, Drive, Engine, HostUnderTest};
use crate::scenario::Plan;
use crate::text::grouped;

/// How load is made.
#[derive(Debug, Args)]
#[command(next_help_heading = "How load is made")]
pub struct DriveArgs {
    /// What carries it: workers over an epoll of their own (Linux), or tasks on any system
    #[arg(long, default_value = "auto", value_name = "ENGINE", env = "KMSPROOF_ENGINE",
          value_parser = PossibleValuesParser::new(["auto", "epoll", "portable"]).map(|word| engine(&word)))]
    engine: Engine,
    /// So many threads share the load [default: half the cores]
    #[arg(long, value_name = "N", value_parser = parse_small_count::<u16>, env = "KMSPROOF_WORKERS")]
    workers: Option<u16>,
    /// So many connections may be open at a time; whoever comes then waits for a free place [default: 1000, or as
    /// many as ask at a time]
    #[arg(long, value_name = "N", value_parser = parse_small_count::<u32>, env = "KMSPROOF_OPEN_MAX")]
    open_max: Option<u32>,
    /// So many of them may be on their way at a time: more than the host lets wait are lost, and tried again a second
    /// later
    #[arg(long, default_value_t = OPENING_MAX, value_name = "N", value_parser = parse_small_count::<u32>, env = "KMSPROOF_OPENING_MAX")]
    opening_max: u32,
    /// Connect from this address of this machine, or from all of a block in turn (127.0.1.0/26); repeat it for more
    #[arg(long, value_name = "ADDR|CIDR", value_delimiter = ',', env = "KMSPROOF_SOURCE")]
    source: Vec<Source>,
    /// How connections are closed: with a FIN, as clients do, or with a RST, which keeps no port in TIME_WAIT
    #[arg(long, default_value = "fin", value_name = "HOW", env = "KMSPROOF_CLOSE",
          value_parser = PossibleValuesParser::new(["fin", "reset"]).map(|word| closing(&word)))]
    close: Closing,
    /// How long before a start a worker looks at the clock instead of sleeping, or `off` [default: what suits the
    /// machine]
    #[arg(long, value_name = "DURATION|off", value_parser = parse_spin, env = "KMSPROOF_SPIN")]
    spin: Option<Duration>,
    /// A start later than this is left out, and counted as missed [default: none is]
    #[arg(long, value_name = "DURATION", value_parser = parse_limit, env = "KMSPROOF_LATE_MAX")]
    late_max: Option<Duration>,
}

impl DriveArgs {
    /// How load is made for these plans against this host, and what is better known before.
    ///
    /// # Errors
    /// What this machine has not enough of, or what the flags say that cannot be.
    pub fn drive(&self, plans: &[&Plan], host: &HostUnderTest) -> Result<(Drive, Vec<String>), Failure> {
        let (drive, mut warnings) = self.drive_on(plans, host, &Allowed::by_this_machine())?;
        sources::check_ours(&drive.sources).map_err(Failure::setup)?;
        if plans.iter().any(|plan| plan.measures_speed) {
            warnings.extend(super::sealing::warning());
        }
        warnings.extend(self.without_effect(host));
        if self.close == Closing::Reset {
            warnings.push("connections are closed with a RST (--close reset), as no client does".to_owned());
        }
        Ok((drive, warnings))
    }

    /// What was asked for and has no effect: one task for each exchange knows no workers, and a host that is kept to a
    /// pace is asked so.
    fn without_effect(&self, host: &HostUnderTest) -> Option<String> {
        let is_paced = host.pacer.gap().is_some();
        let by_tasks = self.engine == Engine::Portable || is_paced || !cfg!(target_os = "linux");
        let said = [
            (self.engine == Engine::Epoll, "--engine epoll"),
            (self.workers.is_some(), "--workers"),
            (self.opening_max != OPENING_MAX, "--opening-max"),
            (self.spin.is_some(), "--spin"),
        ];
        let flags: Vec<&str> = said.into_iter().filter(|(is_said, _)| *is_said).map(|(_, flag)| flag).collect();
        let why = if is_paced { "a host that is kept to a pace" } else { "the portable engine" };
        (by_tasks && !flags.is_empty()).then(|| format!("{} has no effect with {why}", flags.join(", ")))
    }

    fn drive_on(
        &self,
        plans: &[&Plan],
        host: &HostUnderTest,
        allowed: &Allowed,
    ) -> Result<(Drive, Vec<String>), Failure> {
        if self.engine == Engine::Epoll && !cfg!(target_os = "linux") {
            return Err(Failure::usage("--engine epoll needs Linux; portable works on every system, and auto chooses"));
        }
        let sources = sources::pool(&self.source, &host.addresses).map_err(|error| match error {
            SourceError::NotOurs { .. } => Failure::setup(error),
            error => Failure::usage(error),
        })?;
        let embedded = host.lab.is_some();
        let loopback = host.addresses.iter().all(|address| address.ip().to_canonical().is_loopback());
        let there = There { embedded, loopback, pace: host.pacer.gap() };
        let mut warnings = Vec::new();
        let at_a_time = plans.iter().flat_map(|plan| &plan.steps).filter_map(|step| step.concurrency()).max();
        let at_a_time = at_a_time.unwrap_or(1);
        let open_max = match self.open_max.map(|open_max| open_max as usize) {
            Some(open_max) if at_a_time > open_max => {
                return Err(Failure::usage(format!(
                    "{} at a time need as many connections, and --open-max is {}: say --open-max {at_a_time}, or fewer \
                     at a time",
                    grouped(at_a_time as u64),
                    grouped(open_max as u64),
                )));
            }
            Some(open_max) => open_max,
            None => {
                let ports = allowed.ports.saturating_mul(sources.len().max(1) as u64);
                let fits = usize::try_from(allowed.connections(embedded).min(ports)).unwrap_or(usize::MAX);
                let wanted = Drive::default().open_max.max(at_a_time);
                if fits < wanted && fits >= at_a_time {
                    warnings.push(format!(
                        "{} connections at a time, and no more: this process may open {} files; for {} raise the limit \
                         first, as with ulimit -n",
                        grouped(fits as u64),
                        allowed.open_files.map_or_else(|| "any number of".to_owned(), grouped),
                        grouped(wanted as u64),
                    ));
                }
                fits.clamp(at_a_time, wanted)
            }
        };
        let drive = Drive {
            engine: self.engine,
            workers: self.workers.map(usize::from),
            open_max,
            opening_max: (self.opening_max as usize).min(open_max),
            sources,
            closing: self.close,
            spin: self.spin,
            late_max: self.late_max,
            ..Drive::default()
        };
        for plan in plans {
            for warning in limits::check_plan(plan, &drive, there, allowed).map_err(Failure::setup)? {
                if !warnings.contains(&warning) {
                    warnings.push(warning);
                }
            }
        }
        Ok((drive, warnings))
    }
}

fn engine(word: &str) -> Engine {
    match word {
        "epoll" => Engine::Epoll,
        "portable" => Engine::Portable,
        _ => Engine::Auto,
    }
}

fn closing(word: &str) -> Closing {
    if word == "reset" { Closing::Reset } else { Closing::Fin }
}

fn parse_spin(text: &str) -> Result<Duration, String> {
    match parse_limit(text) {
        _ if text == "off" => Ok(Duration::ZERO),
        Ok(spin) if spin <= SPIN_MAX => Ok(spin),
        _ => Err(format!("`{text}` is no time to spin: expected up to 10ms, as in 50us, or off")),
    }
}

/// No more than hosts commonly let wait.
const OPENING_MAX: u32 = 1_000;
/// Longer, and a worker does nothing else.
const SPIN_MAX: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use clap::Parser;

    use super::*;
    use crate::catalog;
    use crate::engine::Pacer;
    use crate::exit::Exit;
    use crate::scenario::{AdHoc, Arrive, Ids};

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        drive: DriveArgs,
    }

    const ALLOWED: Allowed = Allowed {
        open_files: Some(1_024),
        ports: 28_232,
        port_kept: Duration::from_secs(60),
        port_kept_on_loopback: Duration::from_secs(1),
    };

    fn drive(flags: &[&str], concurrency: usize) -> Result<(Drive, Vec<String>), Failure> {
        let line = Line::try_parse_from([&["line"], flags].concat()).unwrap_or_else(|error| panic!("{error}"));
        let product = catalog::find("Windows 11 Enterprise").unwrap();
        let load =
            AdHoc { lasts: Some(Duration::from_secs(1)), ..AdHoc::new(product, 10, Arrive::Turns { concurrency }) };
        let plan = load.scenario().plan(1, Ids::Seeded);
        let host = HostUnderTest {
            addresses: vec!["127.0.0.1:1688".parse().unwrap()],
            lab: None,
            pacer: Pacer::new(None),
            connections: AtomicU64::new(0),
        };
        line.drive.drive_on(&[&plan], &host, &ALLOWED)
    }

    #[test]
    fn what_is_not_said_is_what_fits() {
        let (unsaid, warnings) = drive(&[], 64).unwrap();
        assert_eq!((unsaid.open_max, unsaid.opening_max), (960, 960));
        assert!(warnings[0].starts_with("960 connections at a time, and no more"), "{warnings:?}");
        let (said, _) =
            drive(&["--open-max", "100", "--spin", "off", "--source", "127.0.1.0/30,127.0.2.9"], 64).unwrap();
        assert_eq!((said.open_max, said.spin, said.sources.len()), (100, Some(Duration::ZERO), 5));
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_numbers() {
        let refused = |flags: &[&str], concurrency| {
            let failure = drive(flags, concurrency).unwrap_err();
            (failure.exit, failure.message)
        };
        let (exit, message) = refused(&["--open-max", "10"], 64);
        assert_eq!(exit, Exit::Usage);
        assert!(message.starts_with("64 at a time need as many connections, and --open-max is 10"), "{message}");
        let (exit, message) = refused(&[], 2_000);
        assert_eq!(exit, Exit::Setup);
        assert!(message.starts_with("2,000 connections at a time need 2,064 open files"), "{message}");
        let (exit, message) = refused(&["--source", "::1"], 64);
        assert_eq!(exit, Exit::Usage);
        assert!(message.starts_with("from ::1 nobody reaches 127.0.0.1:1688"), "{message}");
    }

    #[test]
    fn what_has_no_effect_is_said() {
        let said = |flags: &[&str], pace| {
            let line = Line::try_parse_from([&["line"], flags].concat()).unwrap();
            let addresses = vec!["127.0.0.1:1688".parse().unwrap()];
            let host = HostUnderTest { addresses, lab: None, pacer: Pacer::new(pace), connections: AtomicU64::new(0) };
            line.drive.without_effect(&host)
        };
        let pace = Some(Duration::from_millis(20));
        assert_eq!(said(&["--engine", "portable"], None), None);
        assert_eq!(said(&[], pace), None);
        assert_eq!(
            said(&["--engine", "portable", "--workers", "2", "--spin", "off"], None).as_deref(),
            Some("--workers, --spin has no effect with the portable engine")
        );
        assert_eq!(
            said(&["--engine", "epoll"], pace).as_deref(),
            Some("--engine epoll has no effect with a host that is kept to a pace")
        );
    }

    #[test]
    fn spin_has_an_end() {
        assert_eq!(parse_spin("50us"), Ok(Duration::from_micros(50)));
        for text in ["1s", "-1us", "on", ""] {
            assert!(parse_spin(text).is_err(), "{text}");
        }
    }
}
