//! A clock's parts as people write them.

use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Span, SpanRelativeTo};

use super::{Drift, Stretch};

/// The time zone of that IANA name in any letter case, from the data bundled with the program:
/// a plan means the same on every machine, whatever zoneinfo it has.
///
/// # Errors
/// [`UnknownZone`], with the nearest names there are.
pub fn zone_named(name: &str) -> Result<TimeZone, UnknownZone> {
    match TimeZoneDatabase::bundled().get(name) {
        Ok(zone) if !zone.is_unknown() => Ok(zone),
        _ => Err(UnknownZone { asked: name.to_owned(), nearest: nearest(name) }),
    }
}

/// No time zone has a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no time zone is named `{asked}`{}", self.advice())]
pub struct UnknownZone {
    asked: String,
    nearest: Vec<String>,
}

impl UnknownZone {
    /// What was asked for.
    pub fn asked(&self) -> &str {
        &self.asked
    }

    /// Up to three names that are near it and that [`zone_named`] knows, the nearest first; empty
    /// when none is.
    pub fn nearest(&self) -> &[String] {
        &self.nearest
    }

    fn advice(&self) -> String {
        if self.nearest.is_empty() {
            return ": expected an IANA name like Asia/Taipei".to_owned();
        }
        let names: Vec<String> = self.nearest.iter().map(|name| format!("`{name}`")).collect();
        format!("; did you mean {}?", names.join(" or "))
    }
}

/// A duration that may be negative, in jiff's friendly form with a sign before it: `+4h 1m`,
/// `-3h 59m`, `-3 days`. Days have 24 hours.
pub fn signed_duration(text: &str) -> Result<SignedDuration, BadDuration> {
    let wrong = || BadDuration(text.to_owned());
    let span: Span = text.trim().parse().map_err(|_| wrong())?;
    span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())
}

/// Text that is no [`signed_duration`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no offset of a clock: expected a form like +4h 1m, -3h 59m or -3 days")]
pub struct BadDuration(String);

/// The wall time a clock is set to: `2038-01-19`, which is its first second, or
/// `2038-01-19T03:14:07`. Without an offset: the machine's zone says what it means in UTC.
pub fn date_to_set(text: &str) -> Result<DateTime, BadDate> {
    let text = text.trim();
    let wrong = || BadDate(text.to_owned());
    // jiff would drop an offset, and the clock would be off by what somebody took care to write.
    let time = text.split_once(['T', 't', ' ']).map_or("", |(_, time)| time);
    if time.contains(['+', '-', 'Z', 'z', '[']) {
        return Err(wrong());
    }
    text.parse().map_err(|_| wrong())
}

/// Text that is no [`date_to_set`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no wall time: expected 2038-01-19 or 2038-01-19T03:14:07, without an offset (`zone` says what it means in UTC)"
)]
pub struct BadDate(String);

/// `20s/day`, `-1m 30s/hour`, `-50ppm`.
impl FromStr for Drift {
    type Err = BadDrift;

    fn from_str(text: &str) -> Result<Drift, BadDrift> {
        let wrong = || BadDrift::Form(text.to_owned());
        let (gain, per) = match text.trim().strip_suffix("ppm") {
            // A millionth is a microsecond a second.
            Some(number) if !number.contains(char::is_alphabetic) => {
                (format!("{} us", number.trim_end()), Stretch::Second)
            }
            _ => {
                let (gain, per) = text.split_once('/').ok_or_else(wrong)?;
                (gain.to_owned(), Stretch::named(per.trim()).ok_or_else(wrong)?)
            }
        };
        let gain = signed_duration(&gain).map_err(|_| wrong())?;
        if gain.abs() > per.length() {
            return Err(BadDrift::Amount(text.to_owned()));
        }
        Ok(Drift { gain, per })
    }
}

/// Text that is no [`Drift`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDrift {
    /// Not of the form of one.
    #[error("`{0}` is no drift: expected a form like 20s/day, -1m/week or -50ppm")]
    Form(String),
    /// A clock that runs backwards, or more than twice as fast.
    #[error("`{0}` is no drift: a clock gains or loses at most as much as it runs")]
    Amount(String),
}

impl Stretch {
    fn named(text: &str) -> Option<Stretch> {
        let is_short = |short: &str| text.len() == 1 && text.eq_ignore_ascii_case(short);
        Stretch::ALL.into_iter().find(|per| is_short(&per.name()[..1]) || text.eq_ignore_ascii_case(per.name()))
    }
}

/// People know cities better than continents, so a name is held against the last part as well.
fn nearest(asked: &str) -> Vec<String> {
    let plain = |name: &str| name.to_lowercase().replace(' ', "_");
    let asked: String = plain(asked).chars().take(NAME_CHARS_COMPARED_MAX).collect();
    let mut scored: Vec<(f64, String)> = TimeZoneDatabase::bundled()
        .available()
        .map(|name| {
            let name = name.to_string();
            let whole = plain(&name);
            let city = whole.rsplit('/').next().unwrap_or_default();
            (strsim::jaro_winkler(&asked, &whole).max(strsim::jaro_winkler(&asked, city)), name)
        })
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .collect();
    scored.sort_by(|(a, first), (b, second)| b.total_cmp(a).then_with(|| first.cmp(second)));
    let farthest = scored.first().map_or(0.0, |(best, _)| NEARLY * (1.0 - best));
    scored.retain(|(likeness, _)| 1.0 - likeness <= farthest);
    scored.into_iter().take(NEAREST_MAX).map(|(_, name)| name).collect()
}

const NEAREST_MAX: usize = 3;
/// Below this, Jaro-Winkler finds likeness where a person sees none.
const LIKENESS_MIN: f64 = 0.85;
/// How many times as far as the nearest a name may be and still be offered.
const NEARLY: f64 = 1.5;
/// Longer than any name, so that a whole file in a name's place costs nothing.
const NAME_CHARS_COMPARED_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_known_by_their_names_in_any_letter_case() {
        assert_eq!(zone_named("asia/TAIPEI").unwrap().iana_name(), Some("Asia/Taipei"));
        assert_eq!(zone_named("utc").unwrap(), TimeZone::UTC);
        for name in TimeZoneDatabase::bundled().available() {
            assert_eq!(zone_named(name.as_str()).unwrap().iana_name(), Some(name.as_str()));
        }
        assert!(TimeZoneDatabase::bundled().available().count() > 500);
    }

    #[test]
    fn a_wrong_name_is_answered_with_near_ones() {
        let unknown = |name| zone_named(name).unwrap_err().to_string();
        assert_eq!(unknown("Asia/Taipeh"), "no time zone is named `Asia/Taipeh`; did you mean `Asia/Taipei`?");
        assert_eq!(unknown("Taipei"), "no time zone is named `Taipei`; did you mean `Asia/Taipei`?");
        assert!(unknown("los angeles").ends_with("; did you mean `America/Los_Angeles`?"));
        for nowhere in ["", "5", "Mordor", "Etc/Unknown", "../../etc/passwd"] {
            let error = zone_named(nowhere).unwrap_err();
            assert_eq!(error.asked(), nowhere);
            assert!(error.nearest().iter().all(|name| zone_named(name).is_ok()), "{error}");
        }
        assert_eq!(unknown("5"), "no time zone is named `5`: expected an IANA name like Asia/Taipei");
    }

    #[test]
    fn durations_have_a_sign_or_none() {
        for (text, minutes) in
            [("+4h 1m", 241), ("-3h 59m", -239), ("90m", 90), ("-3 days", -3 * 1440), ("1w", 7 * 1440), (" 1 h ", 60)]
        {
            assert_eq!(signed_duration(text), Ok(SignedDuration::from_mins(minutes)), "{text}");
        }
        for text in ["", "4", "+", "1 month", "-1y", "4h behind", "9999999999h"] {
            assert!(signed_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_date_to_set_is_a_wall_time() {
        let due: DateTime = jiff::civil::date(2038, 1, 19).at(3, 14, 7, 0);
        assert_eq!(date_to_set("2038-01-19T03:14:07"), Ok(due));
        assert_eq!(date_to_set("2038-01-19 03:14:07"), Ok(due));
        assert_eq!(date_to_set("1601-01-01"), Ok(jiff::civil::date(1601, 1, 1).at(0, 0, 0, 0)));
        for text in
            ["2038-01-19T03:14:07Z", "2038-01-19T03:14:07+08:00", "2038-01-19Z", "2038-02-30", "tomorrow", "03:14"]
        {
            assert!(date_to_set(text).unwrap_err().to_string().contains("expected 2038-01-19"), "{text}");
        }
    }

    #[test]
    fn drift_is_parts_in_a_million_or_so_much_in_a_stretch() {
        let drift = |text: &str| text.parse::<Drift>();
        let day = SignedDuration::from_secs(20);
        for text in ["20s/day", "+20s/d", "20 s / Day"] {
            assert_eq!(drift(text), Ok(Drift { gain: day, per: Stretch::Day }), "{text}");
        }
        assert_eq!(drift("-50ppm"), Ok(Drift { gain: SignedDuration::from_micros(-50), per: Stretch::Second }));
        assert_eq!(drift("0.5 ppm"), Ok(Drift { gain: SignedDuration::from_nanos(500), per: Stretch::Second }));
        assert_eq!(drift("-1d/day").unwrap().gain, SignedDuration::from_hours(-24));
        for text in ["", "20s", "ppm", "1h 5ppm", "20s/year", "20s/month", "/day", "20/day", "20s/day/day"] {
            assert!(matches!(drift(text), Err(BadDrift::Form(_))), "{text}");
        }
        for text in ["25h/day", "-61s/minute", "1000001ppm"] {
            assert!(matches!(drift(text), Err(BadDrift::Amount(_))), "{text}");
        }
    }
}
