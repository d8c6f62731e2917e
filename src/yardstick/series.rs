//! Contestants in turn, and the ratios of each round.

use std::time::Duration;

/// What one contestant came to in one round.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sample {
    /// Exchanges done.
    pub exchanges: u64,
    /// How long it took.
    pub wall: Duration,
    /// CPU time of the client's threads.
    pub cpu: Duration,
}

impl Sample {
    /// Exchanges a second.
    pub fn per_s(&self) -> f64 {
        self.exchanges as f64 / self.wall.as_secs_f64().max(1e-9)
    }

    /// CPU time of the client for one exchange, in microseconds.
    pub fn cpu_us(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / (self.exchanges.max(1) as f64)
    }
}

/// The rounds of some contestants; the first is what the others are held against.
#[derive(Debug, Clone, Default)]
pub struct Series {
    rounds: Vec<Vec<Sample>>,
}

impl Series {
    /// Lets each of `contestants` run in every one of so many rounds, after one that does not count.
    /// Every other round goes the other way round, so that nobody always comes after the same one.
    pub fn run(rounds: usize, contestants: &mut [Box<dyn FnMut() -> Sample + '_>]) -> Series {
        let mut series = Series::default();
        for round in 0..=rounds {
            let mut samples = vec![Sample::default(); contestants.len()];
            let order: Vec<usize> = match round % 2 {
                0 => (0..contestants.len()).collect(),
                _ => (0..contestants.len()).rev().collect(),
            };
            for at in order {
                samples[at] = contestants[at]();
            }
            if round > 0 {
                series.rounds.push(samples);
            }
        }
        series
    }

    /// The median of a figure of one contestant.
    pub fn median_of(&self, contestant: usize, figure: impl Fn(&Sample) -> f64) -> f64 {
        median(self.rounds.iter().map(|samples| figure(&samples[contestant])))
    }

    /// The ratio of a figure of one contestant to the first one's, of each round: least, median, most.
    pub fn ratio(&self, contestant: usize, figure: impl Fn(&Sample) -> f64) -> [f64; 3] {
        let ratio = |samples: &Vec<Sample>| figure(&samples[contestant]) / figure(&samples[0]).max(1e-12);
        let ratios: Vec<f64> = self.rounds.iter().map(ratio).collect();
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(0.0, f64::max);
        [least, median(ratios.iter().copied()), most]
    }
}

/// The median; of an even number the mean of the two in the middle, of none 0.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        len if len % 2 == 1 => sorted[len / 2],
        len => (sorted[len / 2 - 1] + sorted[len / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(exchanges: u64) -> Sample {
        Sample { exchanges, wall: Duration::from_secs(1), cpu: Duration::from_millis(500) }
    }

    #[test]
    fn ratios_are_of_one_round_and_the_first_round_does_not_count() {
        let mut rounds = [1, 100, 200, 400].into_iter();
        let mut reference = 0;
        let rates = std::cell::Cell::new(0);
        let mut contestants: Vec<Box<dyn FnMut() -> Sample>> = vec![
            Box::new(|| {
                reference += 1;
                sample(100)
            }),
            Box::new(|| {
                rates.set(rounds.next().unwrap());
                sample(rates.get())
            }),
        ];
        let series = Series::run(3, &mut contestants);
        drop(contestants);
        assert_eq!(reference, 4);
        assert_eq!(series.ratio(1, Sample::per_s), [1.0, 2.0, 4.0]);
        assert_eq!(series.median_of(1, Sample::per_s), 200.0);
        assert_eq!(sample(1000).cpu_us(), 500.0);
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert_eq!(median(std::iter::empty()), 0.0);
    }
}
