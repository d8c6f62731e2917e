//! A clock in words, for people who ask why a host refused it.

use std::fmt;

use jiff::SignedDuration;

use super::{ClientClock, Drift, Hands, RunningClock, Stretch};
use crate::wire::FileTime;

impl ClientClock {
    /// How far off the clock is at the true time `now`, and why: "16h ahead: set to look right in
    /// Asia/Taipei, while the machine believes America/Los_Angeles".
    pub fn words(&self, now: FileTime, began: FileTime) -> String {
        let error = self.error(now, began);
        let (off, why) = (off(error), self.to_string());
        match (self.is_right(), error.is_zero()) {
            (true, _) => why,
            (false, true) => format!("right at this moment: {why}"),
            // There is nothing to add to a plain skew.
            (false, false) if off == why => why,
            (false, false) => format!("{off}: {why}"),
        }
    }
}

/// Why the clock shows what it shows; `right` if it is.
impl fmt::Display for ClientClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientClock::Running(clock) => clock.fmt(f),
            ClientClock::Frozen(at) => write!(f, "frozen at FILETIME {} ({at})", at.0),
        }
    }
}

impl fmt::Display for RunningClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let believed = self.believed().iana_name().unwrap_or("UTC");
        let mut parts = Vec::new();
        match &self.hands {
            Hands::True => {}
            Hands::RightIn(wall) if wall == self.believed() => {}
            Hands::RightIn(wall) => {
                let wall = wall.iana_name().unwrap_or("UTC");
                parts.push(format!("set to look right in {wall}, while the machine believes {believed}"));
            }
            Hands::SetTo(wall) => parts.push(format!("set to {wall} in {believed}, and running on")),
        }
        parts.extend(self.drift.filter(|drift| !drift.gain.is_zero()).map(|drift| drift.to_string()));
        match (self.years, self.years.unsigned_abs()) {
            (0, _) => {}
            (years, 1) => parts.push(format!("1 calendar year {}", side(years > 0))),
            (years, number) => parts.push(format!("{number} calendar years {}", side(years > 0))),
        }
        if !self.skew.is_zero() {
            parts.push(format!("{}{}", if parts.is_empty() { "" } else { "another " }, off(self.skew)));
        }
        match (&parts[..], &self.zone) {
            ([], None) => f.write_str("right"),
            ([], Some(_)) => write!(f, "right, in {believed}"),
            _ => f.write_str(&parts.join("; ")),
        }
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.gain.is_negative() { "loses" } else { "gains" };
        match self.per {
            Stretch::Second => write!(f, "{verb} {} ppm", self.gain.as_nanos().unsigned_abs() as f64 / 1000.0),
            per => write!(
                f,
                "{verb} {} a{} {}",
                length(self.gain),
                if per == Stretch::Hour { "n" } else { "" },
                per.name()
            ),
        }
    }
}

fn off(error: SignedDuration) -> String {
    format!("{} {}", length(error), side(error.is_positive()))
}

fn side(is_ahead: bool) -> &'static str {
    if is_ahead { "ahead" } else { "behind" }
}

/// Without the sign, and to the second from one second on.
fn length(duration: SignedDuration) -> String {
    let duration = duration.unsigned_abs();
    let seconds = duration.as_secs();
    if seconds == 0 {
        return format!("{:#}", SignedDuration::from_nanos(duration.subsec_nanos().into()));
    }
    [(seconds / 86_400, "d"), (seconds / 3_600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number}{unit}"))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::zone_named;
    use super::*;

    const NOW: FileTime = FileTime::RECORDED_AT;

    fn words(clock: impl Into<ClientClock>) -> String {
        clock.into().words(NOW, NOW)
    }

    #[test]
    fn a_clock_says_how_far_it_is_off_and_why() {
        let zone = |name| zone_named(name).unwrap();
        assert_eq!(words(ClientClock::right()), "right");
        assert_eq!(
            words(RunningClock { zone: Some(zone("Asia/Taipei")), ..RunningClock::default() }),
            "right, in Asia/Taipei"
        );
        let ahead = SignedDuration::from_millis(14_460_500);
        assert_eq!(words(RunningClock { skew: ahead, ..RunningClock::default() }), "4h 1m ahead");
        let taipei = RunningClock {
            hands: Hands::RightIn(zone("Asia/Taipei")),
            zone: Some(zone("America/Los_Angeles")),
            ..RunningClock::default()
        };
        let why = "set to look right in Asia/Taipei, while the machine believes America/Los_Angeles";
        assert_eq!(words(taipei.clone()), format!("16h ahead: {why}"));
        let skewed = RunningClock { skew: SignedDuration::from_mins(-241), years: -1, ..taipei };
        assert_eq!(words(skewed), format!("364d 12h 1m behind: {why}; 1 calendar year behind; another 4h 1m behind"));
        let set = RunningClock { hands: Hands::SetTo("2026-11-20".parse().unwrap()), ..RunningClock::default() };
        assert_eq!(words(set), "15h 19m 26s behind: set to 2026-11-20T00:00:00 in UTC, and running on");
        let drifting = RunningClock { drift: Some("-20s/day".parse().unwrap()), ..RunningClock::default() };
        assert_eq!(words(drifting), "right at this moment: loses 20s a day");
        assert_eq!(ClientClock::Frozen(FileTime(0)).to_string(), "frozen at FILETIME 0 (1601-01-01T00:00:00Z)");
    }

    #[test]
    fn drift_reads_in_the_unit_it_was_given_in() {
        for (text, due) in [
            ("50ppm", "gains 50 ppm"),
            ("-0.5ppm", "loses 0.5 ppm"),
            ("50us/s", "gains 50 ppm"),
            ("1m 30s/hour", "gains 1m 30s an hour"),
            ("500ms/week", "gains 500ms a week"),
        ] {
            assert_eq!(text.parse::<Drift>().unwrap().to_string(), due, "{text}");
        }
    }
}
