//! What is known of the host's clock at one time.

use std::time::Duration;

use crate::wire::FileTime;

/// The host's clock shows something from `earliest` to `latest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub earliest: FileTime,
    pub latest: FileTime,
}

impl Span {
    /// At some time within `within` of when our estimate was `wall`, which may be `uncertain` off either way.
    pub fn around(wall: FileTime, within: Duration, uncertain: Duration) -> Span {
        let uncertain = steps(uncertain);
        Span {
            earliest: FileTime(wall.0.saturating_sub(uncertain)),
            latest: FileTime(wall.0.saturating_add(steps(within)).saturating_add(uncertain)),
        }
    }

    /// The least and the most that `time` can be apart from it.
    pub fn distance(self, time: FileTime) -> (Duration, Duration) {
        let ends = [time.distance(self.earliest), time.distance(self.latest)];
        let within = self.earliest <= time && time <= self.latest;
        let nearest = if within { Duration::ZERO } else { ends[0].min(ends[1]) };
        (nearest, ends[0].max(ends[1]))
    }

    /// The least and the most that can have passed since `earlier`; nothing when the clock was set back.
    pub fn since(self, earlier: Span) -> (Duration, Duration) {
        (passed(earlier.latest, self.earliest), passed(earlier.earliest, self.latest))
    }
}

/// The time from `earlier` to `later`; zero if it is not later.
pub(super) fn passed(earlier: FileTime, later: FileTime) -> Duration {
    if later > earlier { later.distance(earlier) } else { Duration::ZERO }
}

/// Steps of 100 ns, rounded up.
fn steps(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(100)).unwrap_or(u64::MAX)
}
