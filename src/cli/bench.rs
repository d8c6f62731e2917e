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
    let goals: Vec<&Goal> = match args.only.as_slice() {
        [] => GOALS.iter().collect(),
        only => only
            .iter()
            .map(|name| {
                let found = GOALS.iter().find(|goal| goal.name.eq_ignore_ascii_case(name));
                found.ok_or_else(|| {
                    let names: Vec<_> = GOALS.iter().map(|goal| goal.name).collect();
                    Failure::usage(format!("there is no goal `{name}`: {}", names.join(", ")))
                })
            })
            .collect::<Result<_, _>>()?,
    };
    let yard = Yard::new(args.rounds as usize, args.lasts).map_err(Failure::setup)?;
    writeln!(out, "{}", yard.words())?;
    for goal in goals {
        writeln!(out, "\n{}  {}", goal.name, goal.words)?;
        out.flush()?;
        (goal.run)(&yard, out).map_err(|error| Failure::setup(format!("{}: {error}", goal.name)))?;
        out.flush()?;
    }
    Ok(Exit::Held)
}

#[cfg(target_os = "linux")]
use linux::{GOALS, Goal, Yard};

#[cfg(target_os = "linux")]
mod linux {
    use std::io::{Result, Write};
    use std::sync::Arc;
    use std::time::Duration;

    use crate::engine::{Clock, Engine};
    use crate::measure::ScenarioResult;
    use crate::proto::verify::CheckId;
    use crate::report::plain::nanoseconds;
    use crate::yardstick::{
        Bout, Canned, FixedHost, Harness, Load, Raw, RawClient, Sample, Series, median, tokio_pacer,
    };

    /// Something the engine is to reach.
    pub struct Goal {
        pub name: &'static str,
        pub words: &'static str,
        pub run: fn(&Yard, &mut dyn Write) -> Result<()>,
    }

    /// Where contestants run.
    pub struct Yard {
        rounds: usize,
        lasts: Duration,
        cores: usize,
        canned: Arc<Canned>,
        harness: Harness,
    }

    pub static GOALS: &[Goal] = &[
        Goal {
            name: "G1",
            words: "keep-alive, nothing sealed, everything recorded: at least 0.95 of raw; client CPU at most 1.15",
            run: |yard, out| yard.kept(out, true, &[64, 256], (0.95, 1.15)),
        },
        Goal {
            name: "G2",
            words: "keep-alive, every request sealed and every answer verified: at least 0.80 of raw; client CPU at most 1.25",
            run: |yard, out| yard.kept(out, false, &[64, 256], (0.80, 1.25)),
        },
        Goal {
            name: "G3",
            words: "a connection for each request, sealed and verified: at least 0.93 of raw; two workers at least 1.10",
            run: |yard, out| yard.each(out),
        },
        Goal {
            name: "G4",
            words: "10,000 connections kept open, nothing sealed: at least 0.90 of raw",
            run: |yard, out| yard.kept(out, true, &[connections_max(10_000)], (0.90, 1.15)),
        },
        Goal {
            name: "G6",
            words: "start error at 1,000/s and 10,000/s: p50 at most 2 us, p99 at most 100 us and a tenth of a tokio timer's",
            run: |yard, out| yard.starts(out),
        },
        Goal {
            name: "G7",
            words: "the rate offered within 0.1% at 10,000/s, at most 2% of gaps under a tenth of the mean, as the host sees them",
            run: |yard, out| yard.gaps(out),
        },
    ];

    impl Yard {
        pub fn new(rounds: usize, lasts: Duration) -> Result<Yard> {
            let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
            let harness = Harness::new(ANSWERS, Clock::start().wall());
            let now = Clock::start().wall();
            let harness_now = harness.clone();
            let plan = harness_now.plan(&load("{ concurrency = 1 }", Duration::ZERO));
            let canned = Arc::new(Canned::new(&plan, ANSWERS, now));
            Ok(Yard { rounds, lasts, cores, canned, harness })
        }

        /// What a reader has to know to read the figures.
        pub fn words(&self) -> String {
            let place = if self.cores >= 2 {
                "the host on core 0, each client on core 1"
            } else {
                "one core for all: nothing here means much"
            };
            format!(
                "{} rounds of {:?} after one that does not count; {place}.\nRatios are of one round, to the raw loop in it: \
                 median (least to most).",
                self.rounds, self.lasts
            )
        }

        fn host(&self, notes: bool) -> Result<FixedHost> {
            FixedHost::start(Arc::clone(&self.canned), (self.cores >= 2).then_some(0), notes)
        }

        fn client_core(&self) -> Option<usize> {
            (self.cores >= 2).then_some(1)
        }

        fn load(&self, arrive: &str) -> Load {
            Load { pin: self.client_core().into_iter().collect(), ..load(arrive, self.lasts) }
        }

        fn kept(&self, out: &mut dyn Write, plain: bool, connections: &[usize], goal: (f64, f64)) -> Result<()> {
            for &connections in connections {
                let host = self.host(false)?;
                let client = RawClient::new(host.address(), self.canned.request());
                let raw = Raw { connections, lasts: self.lasts, core: self.client_core(), ..Raw::default() };
                let ours = Load { plain, kept: true, ..self.load(&format!("{{ concurrency = {connections} }}")) };
                let series = self.series(vec![
                    Box::new(|| client.run(raw)),
                    Box::new(|| client.run(Raw { records: true, ..raw })),
                    Box::new(|| self.bout(&host, &ours).map(|bout| bout.sample)),
                ])?;
                print(out, &format!("raw, {connections} connections"), &series, 0, None)?;
                print(out, "raw + recording", &series, 1, None)?;
                print(out, "kmsproof", &series, 2, Some(goal))?;
            }
            Ok(())
        }

        fn each(&self, out: &mut dyn Write) -> Result<()> {
            for connections in [64, 1000] {
                let host = self.host(false)?;
                let client = RawClient::new(host.address(), self.canned.request());
                let raw =
                    Raw { connections, one_each: true, lasts: self.lasts, core: self.client_core(), ..Raw::default() };
                let ours = Load { kept: false, ..self.load(&format!("{{ concurrency = {connections} }}")) };
                let two = Load { workers: 2, pin: Vec::new(), ..ours.clone() };
                let series = self.series(vec![
                    Box::new(|| client.run(raw)),
                    Box::new(|| self.bout(&host, &ours).map(|bout| bout.sample)),
                    Box::new(|| self.bout(&host, &two).map(|bout| bout.sample)),
                ])?;
                print(out, &format!("raw, {connections} at a time"), &series, 0, None)?;
                print(out, "kmsproof", &series, 1, Some((0.93, f64::INFINITY)))?;
                print(out, "kmsproof, 2 workers", &series, 2, Some((1.10, f64::INFINITY)))?;
            }
            Ok(())
        }

        fn starts(&self, out: &mut dyn Write) -> Result<()> {
            let host = self.host(false)?;
            for per_s in [1_000, 10_000] {
                let mut figures = Vec::new();
                for round in 0..=self.rounds {
                    let timer = tokio_pacer(f64::from(per_s), self.lasts)?;
                    let bout =
                        self.bout(&host, &Load { kept: true, ..self.load(&format!("{{ rate = \"{per_s}/s\" }}")) })?;
                    let late = &bout.result.latency.late;
                    if round > 0 {
                        figures.push([0.5, 0.99].map(|share| (late.quantile_ns(share), timer.quantile_ns(share))));
                    }
                }
                for (at, name, most_ns) in [(0, "p50", 2_000), (1, "p99", 100_000)] {
                    let ours = median(figures.iter().map(|round| round[at].0 as f64));
                    let timer = median(figures.iter().map(|round| round[at].1 as f64));
                    let ratio = median(figures.iter().map(|round| round[at].0 as f64 / round[at].1.max(1) as f64));
                    let met = ours <= f64::from(most_ns) && (at == 0 || ratio <= 0.1);
                    writeln!(
                        out,
                        "  {:<28} {name} {:>9}   tokio timer {:>9}   ratio {ratio:.3}  {}",
                        format!("{per_s}/s"),
                        nanoseconds(ours as u64),
                        nanoseconds(timer as u64),
                        met_or_not(met),
                    )?;
                }
            }
            Ok(())
        }

        fn gaps(&self, out: &mut dyn Write) -> Result<()> {
            let host = self.host(true)?;
            let per_s = 10_000;
            let (mut errors, mut bursts) = (Vec::new(), Vec::new());
            for round in 0..=self.rounds {
                let load = Load { kept: true, ..self.load(&format!("{{ rate = \"{per_s}/s\" }}")) };
                self.bout(&host, &load)?;
                let arrivals = host.take_arrivals();
                // The first ones open connections: what is asked is what comes once these are there.
                let steady = arrivals.get(arrivals.len() / 4..).unwrap_or_default();
                if round == 0 || steady.len() < 2 {
                    continue;
                }
                let span = (steady[steady.len() - 1] - steady[0]).as_secs_f64();
                let mean = span / (steady.len() - 1) as f64;
                let short = steady.windows(2).filter(|two| (two[1] - two[0]).as_secs_f64() < mean / 10.0).count();
                errors.push((1.0 / mean / f64::from(per_s) - 1.0).abs() * 100.0);
                bursts.push(short as f64 * 100.0 / (steady.len() - 1) as f64);
            }
            let (error, burst) = (median(errors.iter().copied()), median(bursts.iter().copied()));
            writeln!(
                out,
                "  {:<28} rate off by {error:.3}%   {burst:.2}% of gaps under a tenth of the mean  {}",
                format!("{per_s}/s"),
                met_or_not(error <= 0.1 && burst <= 2.0),
            )
        }

        fn bout(&self, host: &FixedHost, load: &Load) -> Result<Bout> {
            let bout = self.harness.run(host.address(), load)?;
            let result = &bout.result;
            // A table of answers says the same random values again: that is no finding here.
            let repeated = [CheckId::HistoryIv, CheckId::HistoryRandom].map(|check| failed(result, check));
            if result.wrong > repeated[0].max(repeated[1]) || result.unanswered > 0 {
                let checks = result.checks.iter().filter(|(_, check)| check.failed > 0);
                let broken: Vec<_> = checks.map(|(id, check)| format!("{id} ({})", check.failed)).collect();
                let words = format!(
                    "{} wrong and {} missing of {} answers: {} {:?}",
                    result.wrong,
                    result.unanswered,
                    result.totals.requests,
                    broken.join(", "),
                    result.failures
                );
                return Err(std::io::Error::other(words));
            }
            Ok(bout)
        }

        fn series(&self, contestants: Vec<Box<dyn FnMut() -> Result<Sample> + '_>>) -> Result<Series> {
            let failed = std::cell::RefCell::new(None);
            let mut all: Vec<Box<dyn FnMut() -> Sample + '_>> = contestants
                .into_iter()
                .map(|mut contestant| {
                    let failed = &failed;
                    Box::new(move || {
                        contestant().unwrap_or_else(|error| {
                            failed.borrow_mut().get_or_insert(error);
                            Sample::default()
                        })
                    }) as Box<dyn FnMut() -> Sample + '_>
                })
                .collect();
            let series = Series::run(self.rounds, &mut all);
            drop(all);
            failed.into_inner().map_or(Ok(series), Err)
        }
    }

    fn failed(result: &ScenarioResult, check: CheckId) -> u64 {
        result.checks.get(&check).map_or(0, |check| check.failed)
    }

    /// So many, or as many as there are file descriptors for: host and client are one process here.
    fn connections_max(wanted: usize) -> usize {
        let files = crate::engine::limits::Allowed::by_this_machine().open_files;
        files.map_or(wanted, |files| wanted.min((files as usize).saturating_sub(200) / 2))
    }

    fn load(arrive: &str, lasts: Duration) -> Load {
        Load {
            arrive: arrive.to_owned(),
            kept: true,
            clients: ANSWERS as u32,
            lasts,
            rounds: None,
            workers: 1,
            pin: Vec::new(),
            plain: false,
            engine: Engine::Epoll,
        }
    }

    fn print(out: &mut dyn Write, name: &str, series: &Series, at: usize, goal: Option<(f64, f64)>) -> Result<()> {
        let [least, middle, most] = series.ratio(at, Sample::per_s);
        let [_, cpu, _] = series.ratio(at, Sample::cpu_us);
        let met = goal.map_or("", |(rate, cpu_max)| met_or_not(middle >= rate && cpu <= cpu_max));
        writeln!(
            out,
            "  {name:<28} {:>9.0}/s  {middle:.3} ({least:.3} to {most:.3})   CPU {:>6.2} us  {cpu:.3}  {met}",
            series.median_of(at, Sample::per_s),
            series.median_of(at, Sample::cpu_us),
        )
    }

    fn met_or_not(met: bool) -> &'static str {
        if met { "met" } else { "NOT MET" }
    }

    /// So many requests there are answers to; each by a machine of its own.
    const ANSWERS: u64 = 1024;
}
