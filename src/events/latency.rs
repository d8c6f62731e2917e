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

    /// The histogram in the HdrHistogram V2 format, so that runs can be merged exactly.
    pub fn to_v2(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // Writing to memory cannot fail, and the counts fit their format.
        let _ = V2Serializer::new().serialize(&self.0, &mut bytes);
        bytes
    }
}

const LONGEST_NS: u64 = 3_600_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_one_is_all_zeros() {
        let none = Latency::default();
        assert_eq!((none.count(), none.min_ns(), none.max_ns(), none.quantile_ns(0.99)), (0, 0, 0, 0));
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
