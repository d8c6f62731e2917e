//! Where contestants run.

use std::io::{Error, Result};
use std::sync::Arc;
use std::time::Duration;

use crate::engine::{Clock, Engine, pin};
use crate::yardstick::{Bout, Canned, FixedHost, Harness, Load, Sample, Series};

/// Where contestants run, and for how long.
pub struct Yard {
    pub rounds: usize,
    pub lasts: Duration,
    pub canned: Arc<Canned>,
    cores: usize,
    harness: Harness,
}

/// Somebody who runs once in each round.
pub type Contestant<'a> = Box<dyn FnMut() -> Result<Sample> + 'a>;

impl Yard {
    pub fn new(rounds: usize, lasts: Duration) -> Yard {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        let now = Clock::start().wall();
        let harness = Harness::new(ANSWERS, now);
        let plan = harness.plan(&load("{ concurrency = 1 }", Duration::ZERO));
        let canned = Arc::new(Canned::new(&plan, ANSWERS, now));
        Yard { rounds, lasts, canned, cores, harness }
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

    pub fn host(&self, notes: bool) -> Result<FixedHost> {
        FixedHost::start(Arc::clone(&self.canned), (self.cores >= 2).then_some(0), notes)
    }

    pub fn client_core(&self) -> Option<usize> {
        (self.cores >= 2).then_some(1)
    }

    /// A load that lasts as long as all of them do, on the client's core.
    pub fn load(&self, arrive: &str) -> Load {
        Load { pin: self.client_core().into_iter().collect(), ..load(arrive, self.lasts) }
    }

    /// Runs the engine once. Whatever it was answered has to be right.
    pub fn bout(&self, host: &FixedHost, load: &Load) -> Result<Bout> {
        let bout = match load.engine {
            // It lives in the thread it is started from.
            Engine::Portable => std::thread::scope(|scope| {
                let run = || {
                    load.pin.iter().take(1).for_each(|core| pin(*core));
                    self.harness.run(host.address(), load)
                };
                scope.spawn(run).join().expect("it does not panic")
            }),
            _ => self.harness.run(host.address(), load),
        }?;
        let result = &bout.result;
        if result.wrong > 0 || result.unanswered > 0 {
            let checks = result.checks.iter().filter(|(_, check)| check.failed > 0);
            let broken: Vec<_> = checks.map(|(id, check)| format!("{id} ({})", check.failed)).collect();
            return Err(Error::other(format!(
                "{} wrong and {} missing of {} answers: {} {:?}",
                result.wrong,
                result.unanswered,
                result.totals.requests,
                broken.join(", "),
                result.failures
            )));
        }
        Ok(bout)
    }

    /// All contestants in every round; the first failure of any of them ends it.
    pub fn series(&self, contestants: Vec<Contestant<'_>>) -> Result<Series> {
        let failed = std::cell::RefCell::new(None);
        let mut all: Vec<Box<dyn FnMut() -> Sample + '_>> = contestants
            .into_iter()
            .map(|mut contestant| {
                let failed = &failed;
                Box::new(move || {
                    if failed.borrow().is_some() {
                        return Sample::default();
                    }
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

/// A load of the epoll engine, by one worker on whatever core.
pub fn load(arrive: &str, lasts: Duration) -> Load {
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

pub fn met_or_not(met: bool) -> &'static str {
    if met { "met" } else { "NOT MET" }
}

/// So many requests there are answers to; each by a machine of its own.
pub const ANSWERS: u64 = 1024;
