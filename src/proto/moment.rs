//! Points in time as the machines see them.

use std::ops::{Add, Sub};
use std::time::Duration;

/// A point on a clock that only goes forward, as time since the driver's own beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(pub Duration);

impl Moment {
    /// So many nanoseconds after the beginning.
    pub const fn from_nanos(nanoseconds: u64) -> Moment {
        Moment(Duration::from_nanos(nanoseconds))
    }
}

impl Add<Duration> for Moment {
    type Output = Moment;

    fn add(self, by: Duration) -> Moment {
        Moment(self.0.saturating_add(by))
    }
}

impl Sub for Moment {
    type Output = Duration;

    /// The time from `earlier` to this moment; zero if it is not earlier.
    fn sub(self, earlier: Moment) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}
