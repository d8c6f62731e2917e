//! Moments in order, counted by range: what bounds under concurrency are made of.

use crate::proto::Moment;

/// A moment as far as order goes. What happened at the same moment is in the order it was told in:
/// an answer that was known before something was asked came before it, and no other did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Tick {
    /// Nanoseconds, in two halves: a million ticks are kept for each bound, and so are 12 bytes and not 16.
    high: u32,
    low: u32,
    told: u32,
}

impl Tick {
    /// The tick of the `told`-th thing that was told, at `at`.
    pub fn new(at: Moment, told: u32) -> Tick {
        let nanos = u64::try_from(at.0.as_nanos()).unwrap_or(u64::MAX);
        Tick { high: (nanos >> 32) as u32, low: nanos as u32, told }
    }
}

/// A bag of ticks that come nearly in order.
#[derive(Debug, Default)]
pub(super) struct Moments(Vec<Tick>);

impl Moments {
    /// Adds a moment.
    pub fn insert(&mut self, at: Tick) {
        match self.0.last() {
            Some(&last) if last > at => self.0.insert(self.0.partition_point(|&held| held <= at), at),
            _ => self.0.push(at),
        }
    }

    /// How many there are.
    pub fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// How many are at `at` or earlier.
    pub fn until(&self, at: Tick) -> u64 {
        match self.0.last() {
            Some(&last) if last > at => self.0.partition_point(|&held| held <= at) as u64,
            _ => self.0.len() as u64,
        }
    }
}

/// The highest value noted so far, for every moment: a stair that only rises.
#[derive(Debug)]
pub(super) struct Peaks<T> {
    /// Both rise from one to the next.
    steps: Vec<(Tick, i64, T)>,
}

impl<T> Default for Peaks<T> {
    fn default() -> Peaks<T> {
        Peaks { steps: Vec::new() }
    }
}

impl<T: Copy> Peaks<T> {
    /// Notes that from `at` on the value is at least `value`, because of `witness`.
    pub fn note(&mut self, at: Tick, value: i64, witness: T) {
        if self.at(at).is_some_and(|(held, _)| held >= value) {
            return;
        }
        let from = self.steps.partition_point(|&(held, ..)| held < at);
        let to = self.steps.partition_point(|&(held, peak, _)| held < at || peak <= value);
        self.steps.splice(from..to, [(at, value, witness)]);
    }

    /// The highest value noted for `at` or earlier, and its witness.
    pub fn at(&self, at: Tick) -> Option<(i64, T)> {
        let end = self.steps.partition_point(|&(held, ..)| held <= at);
        self.steps[..end].last().map(|&(_, peak, witness)| (peak, witness))
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.steps.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn at(number: u64) -> Tick {
        Tick::new(Moment(Duration::from_nanos(number)), 0)
    }

    #[test]
    fn at_one_moment_things_are_in_the_order_they_were_told_in() {
        let long = Moment(Duration::from_secs(1 << 40));
        assert!(Tick::new(Moment(Duration::from_nanos(7)), 2) > Tick::new(Moment(Duration::from_nanos(7)), 1));
        assert!(Tick::new(Moment(Duration::from_nanos(8)), 1) > Tick::new(Moment(Duration::from_nanos(7)), 2));
        assert!(Tick::new(Moment(Duration::from_nanos(1 << 32)), 0) > Tick::new(Moment(Duration::from_nanos(9)), 9));
        assert_eq!(Tick::new(long, 3), Tick::new(Moment(Duration::MAX), 3));
    }

    proptest! {
        #![proptest_config(crate::cases::config(256))]

        #[test]
        fn ranges_are_counted_as_one_would_by_hand(all in prop::collection::vec(0u64..30, 0..40), asked in 0u64..32) {
            let mut moments = Moments::default();
            all.iter().for_each(|&number| moments.insert(at(number)));
            prop_assert_eq!(moments.until(at(asked)), all.iter().filter(|&&n| n <= asked).count() as u64);
        }

        #[test]
        fn a_peak_is_the_highest_value_so_far(
            all in prop::collection::vec((0u64..30, -20i64..20), 0..40),
            asked in 0u64..32,
        ) {
            let mut peaks = Peaks::default();
            for &(when, value) in &all {
                peaks.note(at(when), value, value);
            }
            let highest = all.iter().filter(|(when, _)| *when <= asked).map(|(_, value)| *value).max();
            prop_assert_eq!(peaks.at(at(asked)), highest.map(|value| (value, value)));
        }
    }
}
