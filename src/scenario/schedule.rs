//! When the clients of a step arrive: in turn, or at times of their own.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// How the clients of a step arrive.
#[derive(Debug, Clone, PartialEq)]
pub enum Arrive {
    /// So many at a time, each when one before it is done; 1 is one by one.
    Turns {
        /// How many at a time.
        concurrency: usize,
    },
    /// At their own times, whether others are done or not.
    Open(Schedule),
    /// When their table says, so many times as fast.
    Recorded {
        /// How much faster than recorded; 1 is the recorded pace.
        speed: u32,
    },
    /// When their own leases make them, for so long.
    Lifecycle {
        /// How long, in the leases' time.
        span: Duration,
        /// How much faster than the wall's time goes theirs; 1 is as fast.
        speed: u32,
    },
}

/// Times of arrival as a rate that changes with time. Each time follows from the arrival's position
/// alone, so that a late start delays nobody else.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// One after the other; never empty. The last one's rate goes on until all have arrived.
    pub stages: Vec<Stage>,
    /// How arrivals are spread at the rate.
    pub spread: Spread,
}

/// A time in which the rate goes evenly from one to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    /// Arrivals a second at its beginning.
    pub from_per_s: f64,
    /// Arrivals a second at its end.
    pub to_per_s: f64,
    /// How long it lasts.
    pub lasts: Duration,
}

/// How arrivals are spread at a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// Evenly.
    Even,
    /// As strangers arrive who know nothing of each other: a Poisson process.
    Poisson,
    /// So many at once, at the rate on average.
    Bursts {
        /// How many at once.
        size: u32,
    },
}

impl Schedule {
    /// A steady rate.
    pub fn steady(per_s: f64, spread: Spread) -> Schedule {
        Schedule { stages: vec![Stage { from_per_s: per_s, to_per_s: per_s, lasts: Duration::ZERO }], spread }
    }

    /// The time of each arrival, from the step's beginning, without end. The seed decides what
    /// `salt` (the step) leaves to chance.
    pub fn times(&self, seed: u64, salt: u64) -> Times<'_> {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(SPREAD_STREAMS | salt);
        Times { schedule: self, generator, position: 0, waited: 0.0, stage: 0, before: Before::default() }
    }

    /// About how long so many arrivals take.
    pub fn duration(&self, arrivals: u64) -> Duration {
        let (mut stage, mut before) = (0, Before::default());
        self.time_of(arrivals as f64, &mut stage, &mut before)
    }

    /// How many arrive before `end`. Worked out without going through them, but for those left to chance.
    pub fn arrivals_before(&self, end: Duration, seed: u64, salt: u64) -> u64 {
        match self.spread {
            Spread::Even => self.steps_before(end, 1),
            Spread::Bursts { size } => self.steps_before(end, u64::from(size.max(1))),
            Spread::Poisson => self.times(seed, salt).take_while(|time| *time < end).count() as u64,
        }
    }

    /// How many arrivals the rate brings before `end`, on average; as many as there are numbers, if it comes to that.
    pub fn brings(&self, end: Duration) -> f64 {
        let mut left_s = end.as_secs_f64();
        let mut arrivals = 0.0;
        for (number, stage) in self.stages.iter().enumerate() {
            let lasts_s = stage.lasts.as_secs_f64();
            let is_last = number + 1 == self.stages.len();
            let goes_s = left_s.min(lasts_s);
            if goes_s > 0.0 {
                let reached_per_s = stage.from_per_s + (stage.to_per_s - stage.from_per_s) * goes_s / lasts_s;
                arrivals += (stage.from_per_s + reached_per_s) / 2.0 * goes_s;
            }
            left_s -= goes_s;
            if is_last {
                arrivals += stage.to_per_s * left_s;
            }
        }
        arrivals
    }

    /// The highest rate there is before `end`.
    pub fn peak_per_s(&self, end: Duration) -> f64 {
        let mut begins = Duration::ZERO;
        let mut peak_per_s: f64 = 0.0;
        for stage in &self.stages {
            if begins >= end {
                break;
            }
            peak_per_s = peak_per_s.max(stage.from_per_s).max(stage.to_per_s);
            begins = begins.saturating_add(stage.lasts);
        }
        peak_per_s
    }

    /// How many arrive before `end` when so many come at once. Times never fall, so that halving finds it.
    fn steps_before(&self, end: Duration, at_once: u64) -> u64 {
        let is_before = |step: u64| self.time_of((step * at_once) as f64, &mut 0, &mut Before::default()) < end;
        let (mut before, mut after) = (0, (self.brings(end) / at_once as f64) as u64 + 2);
        while before < after {
            let middle = before + (after - before) / 2;
            match is_before(middle) {
                true => before = middle + 1,
                false => after = middle,
            }
        }
        before * at_once
    }

    /// When the rate has brought `due` arrivals. `stage` and `before` remember the way so far: `due` must not fall.
    fn time_of(&self, due: f64, stage: &mut usize, before: &mut Before) -> Duration {
        loop {
            let Stage { from_per_s, to_per_s, lasts } = self.stages[*stage];
            let lasts_s = lasts.as_secs_f64();
            let brings = (from_per_s + to_per_s) / 2.0 * lasts_s;
            let left = due - before.arrivals;
            let is_last = *stage + 1 == self.stages.len();
            if left >= brings && !is_last {
                before.arrivals += brings;
                before.seconds += lasts_s;
                *stage += 1;
                continue;
            }
            let into_s = if left >= brings {
                lasts_s + (left - brings) / to_per_s
            } else {
                within(from_per_s, to_per_s, lasts_s, left)
            };
            return seconds(before.seconds + into_s);
        }
    }
}

/// When a rate that goes from one to another has brought `left` arrivals.
fn within(from_per_s: f64, to_per_s: f64, lasts_s: f64, left: f64) -> f64 {
    let slope = (to_per_s - from_per_s) / lasts_s;
    if slope == 0.0 {
        return left / from_per_s;
    }
    // The root of slope/2 t^2 + from t = left, in the form that loses no digits when slope is small.
    let root = (from_per_s * from_per_s + 2.0 * slope * left).max(0.0).sqrt();
    2.0 * left / (from_per_s + root)
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}

/// What the stages before the current one came to.
#[derive(Debug, Clone, Copy, Default)]
struct Before {
    arrivals: f64,
    seconds: f64,
}

/// The times of a [`Schedule`], in order.
#[derive(Debug)]
pub struct Times<'a> {
    schedule: &'a Schedule,
    generator: ChaCha8Rng,
    position: u64,
    /// Arrivals the rate must bring for the next one, when they are left to chance.
    waited: f64,
    stage: usize,
    before: Before,
}

impl Iterator for Times<'_> {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let due = match self.schedule.spread {
            Spread::Even => self.position as f64,
            Spread::Bursts { size } => (self.position - self.position % u64::from(size.max(1))) as f64,
            Spread::Poisson => {
                self.waited += exponential(&mut self.generator);
                self.waited
            }
        };
        self.position += 1;
        Some(self.schedule.time_of(due, &mut self.stage, &mut self.before))
    }
}

/// An exponential variate of mean 1, by von Neumann's comparisons: without a logarithm, which is
/// not the same to the last bit on every machine, and with it neither would be a plan.
fn exponential(generator: &mut ChaCha8Rng) -> f64 {
    let mut whole = 0.0;
    loop {
        let first = generator.next_u64();
        let (mut last, mut falling) = (first, 1_u32);
        loop {
            let next = generator.next_u64();
            if next >= last {
                break;
            }
            (last, falling) = (next, falling + 1);
        }
        if falling % 2 == 1 {
            return whole + (first >> 11) as f64 / (1_u64 << 53) as f64;
        }
        whole += 1.0;
    }
}

/// Apart from the streams of requests, which count up from 0 or, where leases make them, from 2^63, of
/// mixed orders (from 3 * 2^61), and the lab host's, the last.
const SPREAD_STREAMS: u64 = 1 << 62;

#[cfg(test)]
mod tests {
    use super::*;

    fn times(schedule: &Schedule, count: usize) -> Vec<f64> {
        schedule.times(1, 0).take(count).map(|time| time.as_secs_f64()).collect()
    }

    fn stage(from_per_s: f64, to_per_s: f64, seconds: u64) -> Stage {
        Stage { from_per_s, to_per_s, lasts: Duration::from_secs(seconds) }
    }

    #[test]
    fn a_steady_rate_is_even() {
        assert_eq!(times(&Schedule::steady(50.0, Spread::Even), 4), [0.0, 0.02, 0.04, 0.06]);
        let bursts = Schedule::steady(10.0, Spread::Bursts { size: 2 });
        assert_eq!(times(&bursts, 5), [0.0, 0.0, 0.2, 0.2, 0.4]);
    }

    #[test]
    fn a_ramp_brings_the_area_under_it_and_the_last_rate_goes_on() {
        let schedule = Schedule { stages: vec![stage(0.0, 10.0, 10), stage(10.0, 10.0, 5)], spread: Spread::Even };
        let times = times(&schedule, 200);
        assert_eq!(times[0], 0.0);
        assert!((times[50] - 10.0).abs() < 1e-9, "50 arrivals in the ramp: {}", times[50]);
        assert!((times[100] - 15.0).abs() < 1e-9 && (times[150] - 20.0).abs() < 1e-9);
        assert!(times.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(schedule.duration(150), Duration::from_secs(20));
    }

    #[test]
    fn a_falling_ramp_is_as_exact() {
        let schedule = Schedule { stages: vec![stage(10.0, 1.0, 10), stage(1.0, 1.0, 1)], spread: Spread::Even };
        let times = times(&schedule, 60);
        assert!((times[55] - 10.0).abs() < 1e-9, "{}", times[55]);
        assert!((times[56] - 11.0).abs() < 1e-9, "{}", times[56]);
    }

    #[test]
    fn strangers_arrive_at_the_rate_and_without_a_pattern() {
        let schedule = Schedule::steady(100.0, Spread::Poisson);
        let times = times(&schedule, 20_001);
        let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((0.0097..0.0103).contains(&mean), "{mean}");
        // Of an exponential distribution the deviation is the mean.
        assert!((0.95..1.05).contains(&(variance.sqrt() / mean)), "{}", variance.sqrt() / mean);
        let longer = gaps.iter().filter(|gap| **gap > mean).count() as f64 / gaps.len() as f64;
        assert!((0.35..0.39).contains(&longer), "1/e of them are longer than the mean: {longer}");
        assert_ne!(schedule.times(1, 1).next(), schedule.times(1, 0).next());
    }
}
