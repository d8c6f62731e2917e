//! The clocks of the machine kmsproof runs on.

use std::time::Instant;

use jiff::Timestamp;

use crate::proto::Moment;
use crate::wire::FileTime;

/// A clock that only goes forward, counted from its beginning, and the wall beside it.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
    wall_start: Timestamp,
}

impl Clock {
    /// A clock that begins now.
    pub fn start() -> Clock {
        Clock { start: Instant::now(), wall_start: Timestamp::now() }
    }

    /// The time since the beginning.
    pub fn now(&self) -> Moment {
        Moment(self.start.elapsed())
    }

    /// The time since the beginning, in nanoseconds.
    pub fn now_ns(&self) -> u64 {
        let elapsed = self.start.elapsed();
        elapsed.as_secs() * 1_000_000_000 + u64::from(elapsed.subsec_nanos())
    }

    /// When the clock began, on the wall.
    pub fn wall_start(&self) -> Timestamp {
        self.wall_start
    }

    /// The wall time, as KMS carries it.
    pub fn wall(&self) -> FileTime {
        // A machine whose clock stands before 1601 has other troubles.
        FileTime::from_timestamp(Timestamp::now()).unwrap_or_default()
    }
}
