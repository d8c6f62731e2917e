//! Which trial comes next.

use std::collections::BTreeMap;

/// Between which rates to look, and how closely.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// The first rate, a second.
    pub from_per_s: f64,
    /// The highest.
    pub to_per_s: f64,
    /// How near what holds and what breaks must come to one another, as a part of the rate.
    pub precision: f64,
}

/// A trial to be made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trial {
    /// Requests a second.
    pub rate_per_s: f64,
    /// What it is for.
    pub kind: TrialKind,
}

/// What a trial is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrialKind {
    /// To see what holds when there is hardly any load.
    Calm,
    /// To find a rate that is too much.
    Climb,
    /// To come nearer to the limit.
    Near,
    /// To make sure of it, for longer.
    Confirm,
}

/// How a trial went.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrialResult {
    /// Answers a second.
    pub reached_per_s: f64,
    /// Quantiles of the time from intended start to reply, in nanoseconds: a half, 99 of 100, 999 of 1000.
    pub response_ns: [u64; 3],
    /// Requests made, and how many of them had no trustworthy answer.
    pub requests: u64,
    /// See there.
    pub unanswered: u64,
    /// Answers that were wrong.
    pub wrong: u64,
    /// The terms of the service level that broke, as they were written, with what was measured.
    pub broken: Vec<String>,
    /// The requirements that broke.
    pub failed: Vec<String>,
    /// Why nothing is said of the host: the generator could not keep up.
    pub invalid: Vec<String>,
}

/// What gave way first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GaveWay {
    /// Answers took too long, or did not come as fast as they were asked for.
    Latency,
    /// Requests had no answer.
    Errors,
    /// Answers were wrong.
    Correctness,
    /// We ourselves: the host may carry more.
    Generator,
    /// Nothing, up to the highest rate there was to try.
    Nothing,
}

/// A requirement that held when it was calm, and broke under load.
#[derive(Debug, Clone, PartialEq)]
pub struct UnderLoad {
    /// Which one.
    pub id: String,
    /// The lowest rate at which it broke.
    pub breaks_at_per_s: f64,
}

/// What a search came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Capacity {
    /// The highest rate that held, when one did.
    pub limit_per_s: Option<f64>,
    /// The lowest rate that broke, when one did.
    pub broke_at_per_s: Option<f64>,
    /// What gave way first.
    pub gave_way: GaveWay,
    /// Requirements that broke even when it was calm.
    pub failed_when_calm: Vec<String>,
    /// Requirements that broke under load only.
    pub under_load: Vec<UnderLoad>,
    /// Every trial.
    pub trials: Vec<(Trial, TrialResult)>,
}

/// The search for the limit.
#[derive(Debug, Clone)]
pub struct Search {
    bounds: Bounds,
    next: Option<Trial>,
    trials: Vec<(Trial, TrialResult)>,
    good_per_s: Option<f64>,
    bad: Option<(f64, TrialResult)>,
    /// How often the rate under way broke, held and said nothing.
    tally: [u32; 3],
    confirmed: bool,
    generator_gave_way: bool,
}

impl TrialResult {
    /// Whether the host kept the service level at that rate.
    fn holds(&self, rate_per_s: f64) -> bool {
        self.broken.is_empty() && self.wrong == 0 && self.reached_per_s >= rate_per_s * REACHED_MIN
    }

    /// What broke.
    fn gave_way(&self) -> GaveWay {
        match () {
            () if self.wrong > 0 => GaveWay::Correctness,
            () if self.unanswered * ERRORS_SHARE > self.requests => GaveWay::Errors,
            () => GaveWay::Latency,
        }
    }
}

impl Search {
    /// A search within these bounds.
    pub fn new(bounds: Bounds) -> Search {
        let next = Some(Trial { rate_per_s: CALM_PER_S.min(bounds.from_per_s), kind: TrialKind::Calm });
        Search {
            bounds,
            next,
            trials: Vec::new(),
            good_per_s: None,
            bad: None,
            tally: [0; 3],
            confirmed: false,
            generator_gave_way: false,
        }
    }

    /// The trial to make next; `None` when all is known that can be.
    pub fn next_trial(&self) -> Option<Trial> {
        self.next.filter(|_| self.trials.len() < TRIALS_MAX)
    }

    /// Takes in how that trial went.
    pub fn told(&mut self, result: TrialResult) {
        let Some(trial) = self.next else { return };
        let rate_per_s = trial.rate_per_s;
        let verdict = match () {
            () if !result.invalid.is_empty() => INVALID,
            () if result.holds(rate_per_s) => HELD,
            () => BROKE,
        };
        self.tally[verdict] += 1;
        self.trials.push((trial, result.clone()));
        let [broke, held, invalid] = self.tally;
        if trial.kind != TrialKind::Calm && held == 0 && broke < 2 && invalid < 3 {
            // Once is chance.
            return;
        }
        if held == 1 && broke == 1 {
            // Which of the two was chance is settled by a third.
            return;
        }
        self.tally = [0; 3];
        self.next = match (trial.kind, verdict) {
            (TrialKind::Calm, _) => Some(self.at(self.bounds.from_per_s, TrialKind::Climb)),
            (_, INVALID) => {
                self.generator_gave_way = true;
                self.after_the_generator(trial)
            }
            (kind, HELD) => {
                self.good_per_s = Some(rate_per_s);
                self.after_good(kind, rate_per_s)
            }
            (kind, _) => {
                self.bad = Some((rate_per_s, result));
                self.after_bad(kind, rate_per_s)
            }
        };
    }

    fn at(&self, rate_per_s: f64, kind: TrialKind) -> Trial {
        Trial { rate_per_s, kind }
    }

    fn after_good(&mut self, kind: TrialKind, rate_per_s: f64) -> Option<Trial> {
        match kind {
            TrialKind::Confirm => {
                self.confirmed = true;
                None
            }
            TrialKind::Climb if self.bad.is_none() => {
                if rate_per_s >= self.bounds.to_per_s {
                    return Some(self.at(rate_per_s, TrialKind::Confirm));
                }
                Some(self.at((rate_per_s * CLIMB).min(self.bounds.to_per_s), TrialKind::Climb))
            }
            _ => self.nearer(),
        }
    }

    fn after_bad(&mut self, kind: TrialKind, rate_per_s: f64) -> Option<Trial> {
        if kind == TrialKind::Confirm {
            // It held when it was shorter: the limit is a little lower.
            let lower = rate_per_s * (1.0 - self.bounds.precision);
            let floor = self.trials.iter().filter(|(trial, _)| trial.kind == TrialKind::Confirm).count();
            self.good_per_s = None;
            return (floor < CONFIRMS_MAX).then(|| self.at(lower, TrialKind::Confirm));
        }
        match self.good_per_s {
            Some(_) => self.nearer(),
            // Even the first rate is too much: look below it.
            None if rate_per_s > LEAST_PER_S => Some(self.at((rate_per_s / 4.0).max(LEAST_PER_S), TrialKind::Near)),
            None => None,
        }
    }

    /// Between what held and what broke; when they are near enough, what held is confirmed.
    fn nearer(&self) -> Option<Trial> {
        let (good, bad) = (self.good_per_s?, self.bad.as_ref()?.0);
        if bad - good <= self.bounds.precision * good {
            return Some(self.at(good, TrialKind::Confirm));
        }
        Some(self.at((good + bad) / 2.0, TrialKind::Near))
    }

    /// What held so far is confirmed; more cannot be found out.
    fn after_the_generator(&self, trial: Trial) -> Option<Trial> {
        let good = self.good_per_s.filter(|_| trial.kind != TrialKind::Confirm)?;
        Some(self.at(good, TrialKind::Confirm))
    }

    /// What it all came to.
    pub fn finish(self) -> Capacity {
        let gave_way = match &self.bad {
            _ if self.generator_gave_way => GaveWay::Generator,
            Some((_, result)) => result.gave_way(),
            None => GaveWay::Nothing,
        };
        let calm = self.trials.iter().filter(|(trial, _)| trial.kind == TrialKind::Calm);
        let failed_when_calm: Vec<String> = calm.flat_map(|(_, result)| result.failed.clone()).collect();
        let mut lowest: BTreeMap<&str, f64> = BTreeMap::new();
        for (trial, result) in self.trials.iter().filter(|(_, result)| result.invalid.is_empty()) {
            for id in result.failed.iter().filter(|id| !failed_when_calm.contains(id)) {
                let rate = lowest.entry(id).or_insert(trial.rate_per_s);
                *rate = rate.min(trial.rate_per_s);
            }
        }
        let under_load =
            lowest.into_iter().map(|(id, breaks_at_per_s)| UnderLoad { id: id.to_owned(), breaks_at_per_s }).collect();
        Capacity {
            limit_per_s: self.good_per_s,
            broke_at_per_s: self.bad.as_ref().map(|(rate, _)| *rate),
            gave_way,
            failed_when_calm,
            under_load,
            trials: self.trials,
        }
    }
}

const BROKE: usize = 0;
const HELD: usize = 1;
const INVALID: usize = 2;

/// Slow enough for any host to be at ease.
const CALM_PER_S: f64 = 10.0;
const LEAST_PER_S: f64 = 1.0;
const CLIMB: f64 = 2.0;
/// Less than this part of the rate asked is not the rate asked.
const REACHED_MIN: f64 = 0.98;
/// One request in so many without an answer is what gave way.
const ERRORS_SHARE: u64 = 1000;
const CONFIRMS_MAX: usize = 12;
const TRIALS_MAX: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    /// A host that carries so many a second and then does something.
    fn search(from: f64, to: f64, host: impl Fn(f64, usize) -> TrialResult) -> Capacity {
        let mut search = Search::new(Bounds { from_per_s: from, to_per_s: to, precision: 0.025 });
        let mut number = 0;
        while let Some(trial) = search.next_trial() {
            search.told(host(trial.rate_per_s, number));
            number += 1;
        }
        search.finish()
    }

    fn fine(rate: f64) -> TrialResult {
        TrialResult { reached_per_s: rate, requests: (rate * 3.0) as u64, ..TrialResult::default() }
    }

    fn near(found: Option<f64>, truth: f64) -> bool {
        found.is_some_and(|found| (found / truth - 1.0).abs() <= 0.05)
    }

    #[test]
    fn a_limit_is_found_wherever_it_is() {
        for limit in [3.0, 17.0, 100.0, 101.0, 777.0, 2_000.0, 54_321.0] {
            let found = search(100.0, 1e6, |rate, _| match rate <= limit {
                true => fine(rate),
                false => TrialResult { reached_per_s: limit, broken: vec!["p99 < 50ms: 1s".into()], ..fine(rate) },
            });
            assert!(near(found.limit_per_s, limit), "{limit}: {:?}", found.limit_per_s);
            assert_eq!(found.gave_way, GaveWay::Latency);
            assert!(found.trials.len() < 60, "{} trials for {limit}", found.trials.len());
        }
    }

    #[test]
    fn a_host_that_falls_behind_without_a_broken_term_is_found_out() {
        let found = search(100.0, 1e6, |rate, _| TrialResult { reached_per_s: rate.min(640.0), ..fine(rate) });
        assert!(near(found.limit_per_s, 640.0), "{:?}", found.limit_per_s);
    }

    #[test]
    fn stalls_are_not_taken_for_the_limit() {
        // Every fifth trial is bad, whatever the rate.
        for phase in 0..5 {
            let found = search(100.0, 1e6, |rate, number| match rate <= 5_000.0 && number % 5 != phase {
                true => fine(rate),
                false => TrialResult { broken: vec!["p99 < 50ms: 80ms".into()], ..fine(rate) },
            });
            assert!(near(found.limit_per_s, 5_000.0), "{phase}: {:?}", found.limit_per_s);
        }
    }

    #[test]
    fn what_gives_way_first_is_named() {
        let errors = search(100.0, 1e6, |rate, _| match rate <= 1_000.0 {
            true => fine(rate),
            false => TrialResult { unanswered: 50, broken: vec!["errors < 0.1%: 5%".into()], ..fine(rate) },
        });
        assert!(near(errors.limit_per_s, 1_000.0) && errors.gave_way == GaveWay::Errors);
        let wrong = search(100.0, 1e6, |rate, _| match rate <= 1_000.0 {
            true => fine(rate),
            false => TrialResult { wrong: 1, failed: vec!["kms/response/cmid".into()], ..fine(rate) },
        });
        assert!(near(wrong.limit_per_s, 1_000.0) && wrong.gave_way == GaveWay::Correctness);
        assert_eq!(wrong.under_load.len(), 1);
        assert!(wrong.under_load[0].breaks_at_per_s > 1_000.0 && wrong.failed_when_calm.is_empty());
    }

    #[test]
    fn what_is_broken_when_calm_is_no_finding_of_load() {
        let found = search(100.0, 400.0, |rate, _| TrialResult { failed: vec!["a".into()], ..fine(rate) });
        assert_eq!((found.failed_when_calm, found.under_load), (vec!["a".to_owned()], vec![]));
        assert_eq!((found.limit_per_s, found.gave_way), (Some(400.0), GaveWay::Nothing));
    }

    #[test]
    fn our_own_limit_is_not_the_hosts() {
        let found = search(100.0, 1e6, |rate, _| match rate <= 3_000.0 {
            true => fine(rate),
            false => TrialResult { invalid: vec!["late".into()], ..fine(rate) },
        });
        assert_eq!(found.gave_way, GaveWay::Generator);
        assert!(found.limit_per_s.is_some_and(|limit| (1_500.0..=3_000.0).contains(&limit)), "{:?}", found.limit_per_s);
    }

    #[test]
    fn a_host_that_never_holds_ends_the_search() {
        let found = search(100.0, 1e6, |rate, _| TrialResult { broken: vec!["x".into()], ..fine(rate) });
        assert_eq!(found.limit_per_s, None);
        assert!(found.trials.len() < 20, "{}", found.trials.len());
    }

    #[test]
    fn a_limit_that_gives_way_when_held_for_longer_is_lowered() {
        let confirms = std::cell::Cell::new(0);
        let mut search = Search::new(Bounds { from_per_s: 100.0, to_per_s: 1e6, precision: 0.025 });
        while let Some(trial) = search.next_trial() {
            let limit = if trial.kind == TrialKind::Confirm { 900.0 } else { 1_000.0 };
            confirms.set(confirms.get() + usize::from(trial.kind == TrialKind::Confirm));
            search.told(TrialResult { reached_per_s: trial.rate_per_s.min(limit), ..fine(trial.rate_per_s) });
        }
        let found = search.finish();
        assert!(near(found.limit_per_s, 900.0), "{:?}", found.limit_per_s);
        assert!(confirms.get() > 1);
    }
}
