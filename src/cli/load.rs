//! `kmsproof load`: load without a file.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};

use super::Failure;
use super::amounts::{Stages, parse_count, parse_count_or_none, parse_rate, parse_small_count, parse_stages};
use super::asking::AskingArgs;
use super::common::{TargetArgs, parse_span, runtime};
use super::drive::DriveArgs;
use super::run::{Job, ReportArgs, carry_out};
use super::scenarios::ScenarioArgs;
use crate::exit::Exit;
use crate::safety::Limits;
use crate::scenario::{AdHoc, Arrive, CLIENTS_MAX, Schedule, Spread, Threshold};

/// Put a host under load, verify every response, and report
///
/// Machines that are all alike arrive at a rate, whether others are done or not, or so many at a time, each when
/// one before it is done. Every response is verified, as `run` does; a few requests at ten a second come first,
/// for what holds there and breaks under load is a finding of its own.
#[derive(Debug, Args)]
pub struct LoadArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// So many arrive a second, whether others are done or not: 500/s, 10k/s, 3000/min
    #[arg(long, value_name = "RATE", value_parser = parse_rate, env = "KMSPROOF_RATE", conflicts_with_all = ["stages", "concurrency"])]
    rate: Option<f64>,
    /// They arrive at a rate that changes: "0/s..1000/s for 10s, 1000/s for 30s"
    #[arg(long, value_name = "STAGES", value_parser = parse_stages, env = "KMSPROOF_STAGES", conflicts_with = "concurrency")]
    stages: Option<Stages>,
    /// How they are spread at the rate: evenly, or as strangers arrive [default: even]
    #[arg(long, value_name = "HOW", env = "KMSPROOF_SPREAD",
          value_parser = PossibleValuesParser::new(["even", "poisson"]).map(|word| spread(&word)))]
    spread: Option<Spread>,
    /// So many arrive at once, at the rate on average
    #[arg(long, value_name = "N", value_parser = parse_small_count::<u32>, env = "KMSPROOF_BURST", conflicts_with = "spread")]
    burst: Option<u32>,
    /// So many ask at a time, each when one before it is done [default, without a rate: 64]
    #[arg(long, value_name = "N", value_parser = parse_small_count::<u32>, env = "KMSPROOF_CONCURRENCY")]
    concurrency: Option<u32>,
    /// How long each of those who ask at a time rests after an answer
    #[arg(long, value_name = "DURATION", value_parser = parse_span, env = "KMSPROOF_THINK", conflicts_with_all = ["rate", "stages"])]
    think: Option<Duration>,
    /// For how long [default: 10s, or what the stages say, or until all --requests are made]
    #[arg(long, value_name = "DURATION", value_parser = parse_span, env = "KMSPROOF_DURATION")]
    duration: Option<Duration>,
    /// How many requests; with --duration, whichever comes first
    #[arg(long, value_name = "N", value_parser = parse_count, env = "KMSPROOF_REQUESTS")]
    requests: Option<u64>,
    /// How many machines ask, one after the other and then again from the first [default: 1000, or as many as the
    /// host may be asked by]
    #[arg(long, value_name = "N", value_parser = parse_small_count::<u32>, env = "KMSPROOF_CLIENTS")]
    clients: Option<u32>,
    #[command(flatten)]
    asking: AskingArgs,
    /// So many requests at ten a second come first; 0 for none
    #[arg(long, default_value = "5", value_name = "N", value_parser = parse_count_or_none, env = "KMSPROOF_CALM")]
    calm: u64,
    /// The same load for so long comes first, as a step of its own
    #[arg(long, default_value = "0s", value_name = "DURATION", value_parser = parse_span, env = "KMSPROOF_WARM_UP")]
    warm_up: Duration,
    /// What must hold, else exit 99: "p99 < 50ms", "errors < 0.1%", "wrong = 0"; repeat it for more
    #[arg(long, value_name = "THRESHOLD", value_delimiter = ',', env = "KMSPROOF_THRESHOLD")]
    threshold: Vec<Threshold>,
    #[command(flatten)]
    planned: ScenarioArgs,
    #[command(flatten)]
    reports: ReportArgs,
    #[command(flatten)]
    drive: DriveArgs,
}

/// Carries the command out.
pub fn execute(args: &LoadArgs) -> Result<Exit, Failure> {
    let limits = args.target.limits();
    let (load, notes) = args.load(&limits)?;
    let plan = args.planned.plan(load.scenario(), limits.ids);
    limits.check(&plan).map_err(Failure::usage)?;
    let job = Job {
        kind: "load",
        target: &args.target,
        reports: &args.reports,
        drive: &args.drive,
        seed: args.planned.seed,
        lasts: Duration::ZERO,
        notes,
    };
    runtime()?.block_on(carry_out(&job, vec![Arc::new(plan)], Vec::new()))
}

impl LoadArgs {
    /// The load that is asked for, and what is better known before, as far as these limits allow it.
    fn load(&self, limits: &Limits) -> Result<(AdHoc, Vec<String>), Failure> {
        let mut notes = Vec::new();
        let arrive = self.arrive()?;
        if let Some(pace) = limits.pace {
            check_pace(&arrive, limits, &mut notes)?;
            notes.push(format!(
                "requests are {} ms apart at least: a host that may not be spoiled is asked no faster",
                pace.as_millis()
            ));
        }
        let has_end = self.duration.is_some() || self.requests.is_some();
        let of_stages = self.stages.as_ref().map(Stages::lasts);
        let lasts = if has_end { self.duration } else { Some(of_stages.unwrap_or(DURATION)) };
        if lasts.is_some_and(|lasts| lasts.is_zero()) {
            return Err(Failure::usage("a load of no time asks nobody: say --duration 10s or the like"));
        }
        if self.concurrency.is_some_and(|concurrency| concurrency > CONCURRENCY_MAX) {
            return Err(Failure::usage(format!(
                "more than {CONCURRENCY_MAX} at a time would measure this machine: say --concurrency {CONCURRENCY_MAX}, \
                 or a --rate"
            )));
        }
        let load = AdHoc {
            think: self.think.unwrap_or_default(),
            lasts,
            requests: self.requests,
            calm: self.calm,
            warm_up: self.warm_up,
            thresholds: self.threshold.clone(),
            ..self.asking.load(self.clients(limits, &mut notes)?, arrive)
        };
        Ok((load, notes))
    }

    fn arrive(&self) -> Result<Arrive, Failure> {
        let spread = self.burst.map(|size| Spread::Bursts { size }).or(self.spread);
        let stages = match (self.rate, &self.stages) {
            (Some(rate), _) => Schedule::steady(rate, Spread::Even).stages,
            (None, Some(stages)) => stages.0.clone(),
            (None, None) if spread.is_some() => {
                return Err(Failure::usage(
                    "--spread and --burst say how a rate is spread: say --rate or --stages too",
                ));
            }
            (None, None) => {
                return Ok(Arrive::Turns { concurrency: self.concurrency.unwrap_or(CONCURRENCY) as usize });
            }
        };
        Ok(Arrive::Open(Schedule { stages, spread: spread.unwrap_or(Spread::Even) }))
    }

    fn clients(&self, limits: &Limits, notes: &mut Vec<String>) -> Result<u32, Failure> {
        let most = limits.clients_max.unwrap_or(CLIENTS_MAX) as u32;
        match self.clients {
            Some(clients) if clients > most && limits.clients_max.is_some() => Err(Failure::usage(format!(
                "--clients {clients} is more than the {most} client ids a host that may not be spoiled is asked by, for it \
                 keeps each for 30 days: say --clients {most}, or --disposable-host if this host may be spoiled"
            ))),
            Some(clients) if clients > most => {
                Err(Failure::usage(format!("--clients {clients} is more than there are ids for: at most {most}")))
            }
            Some(clients) => Ok(clients),
            None if CLIENTS > most => {
                notes.push(format!("{most} machines ask: a host that may not be spoiled is asked by no more"));
                Ok(most)
            }
            None => Ok(CLIENTS),
        }
    }
}

/// Nothing that was asked for is slowed without a word.
fn check_pace(arrive: &Arrive, limits: &Limits, notes: &mut Vec<String>) -> Result<(), Failure> {
    match arrive {
        Arrive::Open(schedule) => {
            limits.check_rate(schedule.peak_per_s(Duration::MAX)).map_err(Failure::usage)?;
            match schedule.spread {
                Spread::Bursts { size } if size > 1 => Err(Failure::usage(format!(
                    "{size} at once are faster than a host that may not be spoiled is asked: leave out --burst, or say \
                     --disposable-host if this host may be spoiled"
                ))),
                Spread::Poisson => {
                    notes.push("strangers who come sooner after one another than that wait their turn".to_owned());
                    Ok(())
                }
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

fn spread(word: &str) -> Spread {
    if word == "poisson" { Spread::Poisson } else { Spread::Even }
}

const CLIENTS: u32 = 1_000;
const CONCURRENCY: u32 = 64;
/// As many as a scenario may have at a time.
const CONCURRENCY_MAX: u32 = 10_000;
const DURATION: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::safety::Consent;
    use crate::scenario::ConnectionUse;
    use crate::wire::kms::ProtocolVersion;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        load: LoadArgs,
    }

    fn line(flags: &str) -> Result<LoadArgs, String> {
        let words = flags.split('|').filter(|word| !word.is_empty());
        Line::try_parse_from(["line"].into_iter().chain(words)).map(|line| line.load).map_err(|error| error.to_string())
    }

    fn load(flags: &str, embedded: bool) -> Result<(AdHoc, Vec<String>), String> {
        line(flags)?.load(&Limits::of(embedded, Consent::default())).map_err(|failure| failure.message)
    }

    #[test]
    fn what_is_not_said_is_64_at_a_time_for_ten_seconds() {
        let (unsaid, notes) = load("", true).unwrap();
        assert_eq!(unsaid.arrive, Arrive::Turns { concurrency: 64 });
        assert_eq!((unsaid.lasts, unsaid.requests, unsaid.clients), (Some(DURATION), None, 1_000));
        assert_eq!((unsaid.connection, unsaid.calm, notes.len()), (ConnectionUse::Each, 5, 0));
        let (counted, _) = load("--requests|10k", true).unwrap();
        assert_eq!((counted.lasts, counted.requests), (None, Some(10_000)));
        let (staged, _) = load("--stages|0/s..100/s for 3s, 100/s for 4s", true).unwrap();
        assert_eq!(staged.lasts, Some(Duration::from_secs(7)));
        let (both, _) = load("--requests|10k|--duration|1m|--rate|10k", true).unwrap();
        assert_eq!((both.lasts, both.requests), (Some(Duration::from_secs(60)), Some(10_000)));
    }

    #[test]
    fn every_flag_comes_to_what_it_says() {
        let flags = "--rate|2k/s|--burst|10|--clients|20k|--protocol|5|--syntax|ndr64|--reuse|10|--calm|0|--warm-up|1s\
                     |--threshold|p99 < 50ms,wrong = 0|--threshold|errors = 0";
        let (load, _) = load(flags, true).unwrap();
        assert_eq!(load.arrive, Arrive::Open(Schedule::steady(2_000.0, Spread::Bursts { size: 10 })));
        assert_eq!((load.clients, load.protocol), (20_000, Some(ProtocolVersion::V5)));
        assert_eq!((load.connection, load.calm, load.warm_up.as_secs()), (ConnectionUse::Calls(10), 0, 1));
        let thresholds: Vec<&str> = load.thresholds.iter().map(|threshold| threshold.text.as_str()).collect();
        assert_eq!(thresholds, ["p99 < 50ms", "wrong = 0", "errors = 0"]);
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for (flags, why) in [
            ("--rate|5|--concurrency|5", "cannot be used with"),
            ("--rate|5|--stages|5/s for 1s", "cannot be used with"),
            ("--rate|5|--think|1s", "cannot be used with"),
            ("--rate|5|--spread|even|--burst|2", "cannot be used with"),
            ("--burst|2", "say --rate or --stages too"),
            ("--duration|0s", "a load of no time"),
            ("--concurrency|20k", "more than 10000 at a time"),
            ("--clients|2M", "at most 1000000"),
            ("--reuse|never", "expected each, kept"),
            ("--protocol|six", "expected 4, 5 or 6"),
            ("--threshold|p98 < 1ms", "is no measure"),
        ] {
            let error = load(flags, true).unwrap_err();
            assert!(error.contains(why), "{flags}: {error}");
        }
    }

    #[test]
    fn a_host_that_may_not_be_spoiled_is_asked_gently_or_not_at_all() {
        let (gentle, notes) = load("", false).unwrap();
        assert_eq!(gentle.clients, 50);
        assert!(notes.iter().any(|note| note.starts_with("requests are 20 ms apart at least")), "{notes:?}");
        assert!(notes.iter().any(|note| note.starts_with("50 machines ask")), "{notes:?}");
        assert!(load("--rate|50/s|--clients|50", false).is_ok());
        for (flags, why) in [
            ("--rate|50.1/s", "50.1/s is more than 50/s"),
            ("--rate|10k", "say 50/s at most, or --disposable-host"),
            ("--stages|1/s..51/s for 1s", "51/s is more than 50/s"),
            ("--rate|40|--burst|2", "2 at once are faster"),
            ("--clients|51", "--clients 51 is more than the 50 client ids"),
        ] {
            let error = load(flags, false).unwrap_err();
            assert!(error.contains(why), "{flags}: {error}");
        }
    }
}
