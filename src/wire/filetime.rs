//! FILETIME: 100 ns steps since 1601-01-01T00:00:00 UTC.

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// A point in time as KMS carries it, UTC. Any 64 bits are one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FileTime(pub u64);

impl FileTime {
    /// Steps of 100 ns in a second.
    pub const STEPS_PER_SECOND: u64 = 10_000_000;

    /// 2026-11-20T15:19:26Z, when the exchanges of the protocol description were recorded: the clock of whatever needs
    /// one that stands still.
    pub const RECORDED_AT: FileTime = FileTime(134_396_615_660_000_000);

    /// What a step lasts.
    pub const NANOSECONDS_PER_STEP: u64 = 100;

    /// The FILETIME of a timestamp; `None` before 1601.
    pub fn from_timestamp(at: Timestamp) -> Option<FileTime> {
        let steps = at.as_nanosecond().div_euclid(100) + i128::from(UNIX_EPOCH_STEPS);
        u64::try_from(steps).ok().map(FileTime)
    }

    /// The timestamp; `None` past the year 9999.
    pub fn to_timestamp(self) -> Option<Timestamp> {
        let steps = i128::from(self.0) - i128::from(UNIX_EPOCH_STEPS);
        Timestamp::from_nanosecond(steps * 100).ok()
    }

    /// This time moved by `by`, held at the ends of what 64 bits can say.
    #[must_use]
    pub fn saturating_add(self, by: SignedDuration) -> FileTime {
        let steps = i128::from(self.0) + by.as_nanos() / 100;
        FileTime(steps.clamp(0, i128::from(u64::MAX)) as u64)
    }

    /// How far apart two times are, whichever comes first.
    pub fn distance(self, other: FileTime) -> Duration {
        let steps = self.0.abs_diff(other.0);
        Duration::new(steps / Self::STEPS_PER_SECOND, (steps % Self::STEPS_PER_SECOND) as u32 * 100)
    }
}

impl fmt::Display for FileTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_timestamp() {
            Some(at) => at.fmt(f),
            None => f.write_str("after the year 9999"),
        }
    }
}

impl fmt::Debug for FileTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileTime({} = {self})", self.0)
    }
}

const UNIX_EPOCH_STEPS: u64 = 116_444_736_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_time_reads_as_its_recorder_wrote_it() {
        assert_eq!(FileTime(134_396_615_660_000_000).to_string(), "2026-11-20T15:19:26Z");
        let at: Timestamp = "2026-11-20T15:19:26Z".parse().unwrap();
        assert_eq!(FileTime::from_timestamp(at), Some(FileTime(134_396_615_660_000_000)));
    }

    #[test]
    fn the_ends_of_the_range_neither_wrap_nor_panic() {
        assert_eq!(FileTime(0).to_string(), "1601-01-01T00:00:00Z");
        assert_eq!(FileTime(u64::MAX).to_string(), "after the year 9999");
        assert_eq!(FileTime(5).saturating_add(SignedDuration::from_hours(-1)), FileTime(0));
        assert_eq!(FileTime(u64::MAX).saturating_add(SignedDuration::from_hours(1)), FileTime(u64::MAX));
        assert_eq!(FileTime(0).distance(FileTime(36_000_000_000)), Duration::from_secs(3600));
    }
}
