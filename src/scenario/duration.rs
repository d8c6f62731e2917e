//! Durations as people write them, everywhere in the language.

use std::time::Duration;

use crate::client::clock::signed_duration;

/// A duration in jiff's friendly form: `30d`, `4h 1m`, `500ms`. Days have 24 hours, weeks seven days.
/// `None` for other text, for what is negative and for what is longer than [`DURATION_MAX`].
pub(super) fn duration(text: &str) -> Option<Duration> {
    let duration = Duration::try_from(signed_duration(text).ok()?).ok()?;
    (duration <= DURATION_MAX).then_some(duration)
}

/// A hundred years: longer is a slip, and times further off would leave the calendar.
pub const DURATION_MAX: Duration = Duration::from_secs(36_525 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_days_and_weeks_and_an_end() {
        let hours = |hours: u64| Some(Duration::from_secs(hours * 3_600));
        for (text, due) in [
            ("30d", hours(720)),
            ("1w 1h", hours(169)),
            ("2 days", hours(48)),
            ("0s", hours(0)),
            ("36525d", Some(DURATION_MAX)),
            ("36525d 1ns", None),
            ("99999999d", None),
            ("-1s", None),
            ("1 month", None),
            ("30", None),
            ("", None),
        ] {
            assert_eq!(duration(text), due, "{text}");
        }
        assert_eq!(duration("1.5ms"), Some(Duration::from_micros(1500)));
    }
}
