//! What a machine's clock shows: the one thing of a request a host may refuse by that
//! is neither an id nor a product (protocol description, section 5: more than 4 hours off).

mod reading;
mod words;

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Span, Timestamp};

pub use reading::{BadDate, BadDrift, BadDuration, UnknownZone, date_to_set, signed_duration, zone_named};

use crate::wire::FileTime;

/// What a machine's clock shows when the true time is known.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientClock {
    /// A clock that runs, rightly or not.
    Running(RunningClock),
    /// Frozen at this value: for what no clock shows but the wire can carry.
    Frozen(FileTime),
}

/// A clock that runs. Its parts add up: the hands, off by drift, then by years, then by the skew.
/// The default is right.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunningClock {
    /// What the wall clock was set by.
    pub hands: Hands,
    /// The time zone the machine believes it is in; without one, UTC. It is how the wall clock
    /// becomes the UTC of a request, so alone it does no harm.
    pub zone: Option<TimeZone>,
    /// What the clock gains or loses, counted from the beginning of the scenario.
    pub drift: Option<Drift>,
    /// Calendar years the wall clock is ahead, or behind if negative. Of a February 29 that the
    /// other year lacks it makes a 28.
    pub years: i16,
    /// How far the clock is ahead, or behind if negative.
    pub skew: SignedDuration,
}

/// What a wall clock was set by.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Hands {
    /// The true time.
    #[default]
    True,
    /// Somebody keeps it looking right in this zone, whatever zone the machine believes in:
    /// what shifts UTC by the difference of the two (KMS facts, 2.4).
    RightIn(TimeZone),
    /// Set to this wall time at the beginning of the scenario, running on from there.
    SetTo(DateTime),
}

/// What a clock gains in a stretch of true time, or loses if negative; never more than the
/// stretch itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drift {
    gain: SignedDuration,
    per: Stretch,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stretch {
    Second,
    Minute,
    Hour,
    Day,
    Week,
}

impl ClientClock {
    /// A clock that shows the true time.
    pub fn right() -> ClientClock {
        ClientClock::Running(RunningClock::default())
    }

    /// A clock that is off by this, ahead or behind, and nothing else.
    pub fn skewed(skew: SignedDuration) -> ClientClock {
        RunningClock { skew, ..RunningClock::default() }.into()
    }

    /// What the clock shows at the true time `now`: what goes into a request. `began` is the true
    /// time at which the scenario began; drift and clocks that were set count from it.
    ///
    /// Every time is held at the ends of FILETIME. Past the year 9999, where calendars end, zones
    /// and years are off by what they are off by at its end.
    pub fn read(&self, now: FileTime, began: FileTime) -> FileTime {
        match self {
            ClientClock::Running(clock) => clock.read(now, began),
            ClientClock::Frozen(at) => *at,
        }
    }

    /// How far the clock is ahead of the true time `now`; negative when it is behind.
    pub fn error(&self, now: FileTime, began: FileTime) -> SignedDuration {
        steps(since(self.read(now, began), now))
    }

    /// Whether the clock shows the true time always. A zone alone changes nothing; a clock that is
    /// right only now and then is not right.
    pub fn is_right(&self) -> bool {
        match self {
            ClientClock::Running(clock) => clock.is_right(),
            ClientClock::Frozen(_) => false,
        }
    }
}

impl Default for ClientClock {
    fn default() -> ClientClock {
        ClientClock::right()
    }
}

impl From<RunningClock> for ClientClock {
    fn from(clock: RunningClock) -> ClientClock {
        ClientClock::Running(clock)
    }
}

impl RunningClock {
    fn read(&self, now: FileTime, began: FileTime) -> FileTime {
        let mut shown = match &self.hands {
            Hands::SetTo(wall) => moved(utc_of(*wall, self.believed()), since(now, began)),
            Hands::True | Hands::RightIn(_) => now,
        };
        if let Some(drift) = self.drift {
            shown = shown.saturating_add(drift.over(since(now, began)));
        }
        if let Hands::RightIn(wall) = &self.hands {
            shown = shown.saturating_add(self.shift(shown, wall));
        }
        if self.years != 0 {
            shown = shown.saturating_add(self.year_shift(shown));
        }
        shown.saturating_add(self.skew)
    }

    fn is_right(&self) -> bool {
        let hands = match &self.hands {
            Hands::True => true,
            Hands::RightIn(wall) => wall == self.believed(),
            Hands::SetTo(_) => false,
        };
        hands && self.drift.is_none_or(|drift| drift.gain.is_zero()) && self.years == 0 && self.skew.is_zero()
    }

    fn believed(&self) -> &TimeZone {
        self.zone.as_ref().unwrap_or(&UTC)
    }

    /// How far UTC is off at `at` when the wall clock looks right in `wall`.
    fn shift(&self, at: FileTime, wall: &TimeZone) -> SignedDuration {
        let at = calendar(at);
        let due = wall.to_offset(at);
        // Both show the same, so nobody set anything: in the hour that comes twice the way back
        // from the wall time to UTC would take the second for the first.
        if due == self.believed().to_offset(at) {
            return SignedDuration::ZERO;
        }
        let used = match self.believed().to_ambiguous_timestamp(wall.to_datetime(at)).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset,
            // What RFC 5545 and jiff's "compatible" do.
            AmbiguousOffset::Gap { before, .. } | AmbiguousOffset::Fold { before, .. } => before,
        };
        SignedDuration::from(due) - SignedDuration::from(used)
    }

    fn year_shift(&self, at: FileTime) -> SignedDuration {
        let at = calendar(at);
        // More years than calendars have take a clock to their end all the same.
        let years = Span::new().years(self.years.clamp(-YEARS_MAX, YEARS_MAX));
        let wall = self.believed().to_datetime(at).saturating_add(years);
        utc(wall, self.believed()).duration_since(at)
    }
}

impl Drift {
    /// What has been gained after `elapsed` steps of FILETIME, which may be negative.
    fn over(self, elapsed: i128) -> SignedDuration {
        // At most 2^64 steps of 100 ns times the 6.1e14 ns of a week: far below 2^127.
        SignedDuration::from_nanos_i128(elapsed * 100 * self.gain.as_nanos() / self.per.length().as_nanos())
    }
}

impl Stretch {
    const ALL: [Stretch; 5] = [Stretch::Second, Stretch::Minute, Stretch::Hour, Stretch::Day, Stretch::Week];

    const fn length(self) -> SignedDuration {
        SignedDuration::from_secs(match self {
            Stretch::Second => 1,
            Stretch::Minute => 60,
            Stretch::Hour => 3_600,
            Stretch::Day => 86_400,
            Stretch::Week => 7 * 86_400,
        })
    }

    const fn name(self) -> &'static str {
        match self {
            Stretch::Second => "second",
            Stretch::Minute => "minute",
            Stretch::Hour => "hour",
            Stretch::Day => "day",
            Stretch::Week => "week",
        }
    }
}

/// UTC as a machine in `zone` takes it from its wall clock. A wall time that a change of the
/// clocks leaves out is the one that much later; of one that comes twice it is the first (jiff's
/// "compatible").
fn utc(wall: DateTime, zone: &TimeZone) -> Timestamp {
    let end = if wall.year() > 0 { Timestamp::MAX } else { Timestamp::MIN };
    zone.to_timestamp(wall).unwrap_or(end)
}

fn utc_of(wall: DateTime, zone: &TimeZone) -> FileTime {
    FileTime::from_timestamp(utc(wall, zone)).unwrap_or(FileTime(0))
}

/// The time as calendars know it, which end with the year 9999.
fn calendar(at: FileTime) -> Timestamp {
    at.to_timestamp().unwrap_or(Timestamp::MAX)
}

/// Steps of FILETIME from `earlier` to `later`; negative the other way round.
fn since(later: FileTime, earlier: FileTime) -> i128 {
    i128::from(later.0) - i128::from(earlier.0)
}

/// At most 2^64 steps either way, which is less than a hundredth of what the seconds can hold.
fn steps(steps: i128) -> SignedDuration {
    SignedDuration::from_nanos_i128(steps * 100)
}

fn moved(at: FileTime, by: i128) -> FileTime {
    at.saturating_add(steps(by))
}

/// To lend.
static UTC: TimeZone = TimeZone::UTC;

/// From one end of the calendar to the other.
const YEARS_MAX: i16 = 19_998;

#[cfg(test)]
mod tests;
