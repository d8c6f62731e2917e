//! How long things took.

use std::time::Duration;

use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2Serializer};

/// Durations of one kind, in nanoseconds, to three digits.
#[derive(Debug, Clone)]
pub struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Latency {
        Latency(Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("the bounds are legal"))
    }
}

impl Latency {
    /// Notes a duration; longer than an hour counts as an hour.
    pub fn record(&mut self, took: Duration) {
        self.record_ns(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// The same, in nanoseconds.
    pub fn record_ns(&mut self, took_ns: u64) {
        self.0.saturating_record(took_ns.clamp(1, LONGEST_NS));
    }

    /// Adds what another one noted.
    pub fn add(&mut self, other: &Latency) {
        // Both have the same bounds.
        let _ = self.0.add(&other.0);
    }

    /// Forgets everything, and keeps its memory.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// How many were noted.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The shortest, in nanoseconds; 0 when none was noted.
    pub fn min_ns(&self) -> u64 {
        if self.0.is_empty() { 0 } else { self.0.min() }
    }

    /// The longest, in nanoseconds.
    pub fn max_ns(&self) -> u64 {
        self.0.max()
    }

    /// The mean, in nanoseconds.
    pub fn mean_ns(&self) -> f64 {
        self.0.mean()
    }

    /// What this share (0 to 1) of them did not exceed, in nanoseconds.
    pub fn quantile_ns(&self, share: f64) -> u64 {
        self.0.value_at_quantile(share)
    }

    /// How they are spread: for each bound in nanoseconds how many were not longer than it, and longer than the
    /// bound before; the last number is of those longer than all.
    pub fn spread<const BOUNDS: usize>(&self, bounds_ns: [u64; BOUNDS]) -> ([u64; BOUNDS], u64) {
        let mut below = 0;
        let counts = bounds_ns.map(|bound| {
            let until = self.0.count_between(0, bound);
            let count = until - below;
            below = until;
            count
        });
        (counts, self.0.len() - below)
    }

    /// How many were longer than this, as far as three digits tell.
    pub fn count_above(&self, ns: u64) -> u64 {
        self.0.len() - self.0.count_between(0, ns)
    }

    /// Each value that was noted, as far as three digits tell, in nanoseconds, with the share of all up to it and how
    /// many these are: in steps that become finer towards the longest, as plots of HdrHistogram want them.
    pub fn distribution(&self) -> impl Iterator<Item = (u64, f64, u64)> + '_ {
        self.0.iter_quantiles(DISTRIBUTION_STEPS).scan(0, |count, value| {
            *count += value.count_since_last_iteration();
            Some((value.value_iterated_to(), value.quantile_iterated_to(), *count))
        })
    }

    /// The standard deviation, in nanoseconds.
    pub fn deviation_ns(&self) -> f64 {
        self.0.stdev()
    }

    /// The histogram in the HdrHistogram V2 format, so that runs can be merged exactly.
    pub fn to_v2(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // Writing to memory cannot fail, and the counts fit their format.
        let _ = V2Serializer::new().serialize(&self.0, &mut bytes);
        bytes
    }
}

/// Durations to two digits, in a fifteenth of the memory: for when many are kept side by side. Empty ones take none.
#[derive(Debug, Clone, Default)]
pub struct Coarse(Option<Box<Histogram<u32>>>);

impl Coarse {
    /// Notes a duration; longer than an hour counts as an hour.
    pub fn record(&mut self, took: Duration) {
        let took_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.histogram().saturating_record(took_ns.clamp(1, LONGEST_NS));
    }

    /// Adds what was noted to three digits.
    pub fn add_all(&mut self, latency: &Latency) {
        if latency.count() == 0 {
            return;
        }
        let histogram = self.histogram();
        for value in latency.0.iter_recorded() {
            let times = u32::try_from(value.count_at_value()).unwrap_or(u32::MAX);
            // Both end at the same longest duration.
            let _ = histogram.record_n(value.value_iterated_to().min(LONGEST_NS), times);
        }
    }

    /// Adds what another one noted.
    pub fn add(&mut self, other: &Coarse) {
        if let Some(other) = &other.0 {
            // Both have the same bounds.
            let _ = self.histogram().add(&**other);
        }
    }

    /// How many were noted.
    pub fn count(&self) -> u64 {
        self.0.as_ref().map_or(0, |histogram| histogram.len())
    }

    /// What this share (0 to 1) of them did not exceed, in nanoseconds; 0 when none was noted.
    pub fn quantile_ns(&self, share: f64) -> u64 {
        self.0.as_ref().map_or(0, |histogram| histogram.value_at_quantile(share))
    }

    /// The longest, in nanoseconds; 0 when none was noted.
    pub fn max_ns(&self) -> u64 {
        self.0.as_ref().map_or(0, |histogram| histogram.max())
    }

    fn histogram(&mut self) -> &mut Histogram<u32> {
        self.0.get_or_insert_with(|| {
            Box::new(Histogram::new_with_bounds(1, LONGEST_NS, 2).expect("the bounds are legal"))
        })
    }
}

const LONGEST_NS: u64 = 3_600_000_000_000;

/// Steps to each halving of the distance to all of them.
const DISTRIBUTION_STEPS: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_one_is_all_zeros() {
        let none = Latency::default();
        assert_eq!((none.count(), none.min_ns(), none.max_ns(), none.quantile_ns(0.99)), (0, 0, 0, 0));
    }

    #[test]
    fn coarse_ones_agree_with_fine_ones_to_two_digits() {
        let (mut fine, mut coarse, mut sum) = (Latency::default(), Coarse::default(), Coarse::default());
        for step in 1..=5_000_u64 {
            let took = Duration::from_nanos(step * step);
            fine.record(took);
            coarse.record(took);
        }
        sum.add_all(&fine);
        for share in [0.1, 0.5, 0.99, 1.0] {
            for coarse in [&coarse, &sum] {
                let ratio = coarse.quantile_ns(share) as f64 / fine.quantile_ns(share) as f64;
                assert!((ratio - 1.0).abs() < 0.01, "{share}: {ratio}");
            }
        }
        sum.add(&coarse);
        sum.add(&Coarse::default());
        assert_eq!((sum.count(), Coarse::default().quantile_ns(0.5)), (10_000, 0));
    }

    #[test]
    fn a_distribution_ends_with_all_of_them() {
        let mut latency = Latency::default();
        (1..=1_000).for_each(|ns| latency.record_ns(ns));
        let steps: Vec<_> = latency.distribution().collect();
        assert!(steps.is_sorted_by(|(one, ..), (other, ..)| one <= other));
        assert_eq!(steps.last().map(|&(ns, share, count)| (ns, share, count)), Some((1_000, 1.0, 1_000)));
    }

    #[test]
    fn what_was_recorded_comes_back_to_three_digits() {
        let mut latency = Latency::default();
        for microseconds in 1..=1000 {
            latency.record(Duration::from_micros(microseconds));
        }
        let half = latency.quantile_ns(0.5) as f64;
        assert!((half / 500_000.0 - 1.0).abs() < 0.002, "{half}");
        let bytes = latency.to_v2();
        let mut reader = hdrhistogram::serialization::Deserializer::new();
        let back: Histogram<u64> = reader.deserialize(&mut bytes.as_slice()).unwrap();
        assert_eq!(back, latency.0);
    }
}
