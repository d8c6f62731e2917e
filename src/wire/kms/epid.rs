//! The grammar of an extended product id:
//! `PPPPP-GGGGG-KKK-KKKKKK-03-LCID-BUILD.0000-DDDYYYY` (protocol description, section 3).

use std::fmt;
use std::str::FromStr;

/// An extended product id, part by part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epid {
    /// The host's platform, five digits.
    pub platform: u32,
    /// The group of its host key, five digits.
    pub group: u32,
    /// The first half of the key id, three digits.
    pub key_high: u32,
    /// The second half of the key id, six digits.
    pub key_low: u32,
    /// The license channel, two digits; 03 is volume.
    pub channel: u32,
    /// The host's language.
    pub lcid: u32,
    /// The host's operating system build.
    pub build: u32,
    /// The day of the year the host was activated, 1 to 366.
    pub day_of_year: u32,
    /// The year the host was activated.
    pub year: u32,
}

/// Where a text leaves the grammar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("ePID `{text}`: {part} should be {expected}")]
pub struct EpidError {
    text: String,
    /// The part that is wrong.
    pub part: &'static str,
    expected: &'static str,
}

impl FromStr for Epid {
    type Err = EpidError;

    fn from_str(text: &str) -> Result<Epid, EpidError> {
        let wrong = |part, expected| EpidError { text: text.to_owned(), part, expected };
        let mut parts = text.split('-');
        let mut digits = |part, expected, lengths: std::ops::RangeInclusive<usize>| {
            let piece = parts.next().unwrap_or("");
            number(piece, lengths).ok_or_else(|| wrong(part, expected))
        };
        let platform = digits("the platform id", "five digits", 5..=5)?;
        let group = digits("the group id", "five digits", 5..=5)?;
        let key_high = digits("the key id's first part", "three digits", 3..=3)?;
        let key_low = digits("the key id's second part", "six digits", 6..=6)?;
        let channel = digits("the channel", "two digits", 2..=2)?;
        let lcid = digits("the language", "a locale id of three to five digits", 3..=5)?;
        let build_text = parts.next().unwrap_or("");
        let build = build_text
            .strip_suffix(".0000")
            .and_then(|build| number(build, 4..=5))
            .ok_or_else(|| wrong("the build", "four or five digits and .0000"))?;
        let date = parts.next().unwrap_or("");
        let (day, year) = date.split_at_checked(3).unwrap_or((date, ""));
        let day_of_year = number(day, 3..=3)
            .filter(|day| (1..=366).contains(day))
            .ok_or_else(|| wrong("the day", "a day of the year, 001 to 366"))?;
        let year = number(year, 4..=4)
            .filter(|&year| year >= FIRST_KMS_YEAR)
            .ok_or_else(|| wrong("the year", "four digits, 2006 or later"))?;
        if parts.next().is_some() {
            return Err(wrong("the end", "after the year"));
        }
        Ok(Epid { platform, group, key_high, key_low, channel, lcid, build, day_of_year, year })
    }
}

impl fmt::Display for Epid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Epid { platform, group, key_high, key_low, channel, lcid, build, day_of_year, year } = self;
        write!(
            f,
            "{platform:05}-{group:05}-{key_high:03}-{key_low:06}-{channel:02}-{lcid}-{build}.0000-{day_of_year:03}{year:04}"
        )
    }
}

fn number(digits: &str, lengths: std::ops::RangeInclusive<usize>) -> Option<u32> {
    let plain = lengths.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

/// KMS came with Windows Vista.
const FIRST_KMS_YEAR: u32 = 2006;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_and_documented_ids_follow_the_grammar() {
        for text in
            ["03612-00206-556-123727-03-1033-17763.0000-2972018", "11111-00116-106-000474-00-1033-5231.0000-2782005"]
        {
            let parsed = text.parse::<Epid>();
            match text.ends_with("2005") {
                // The 2008 operations guide's example carries a beta's date.
                true => assert_eq!(parsed.unwrap_err().part, "the year"),
                false => assert_eq!(parsed.unwrap().to_string(), text),
            }
        }
    }

    #[test]
    fn the_part_that_is_wrong_is_named() {
        for (text, part) in [
            ("", "the platform id"),
            ("03612-0020-556-123727-03-1033-17763.0000-2972018", "the group id"),
            ("03612-00206-556-123727-03-1033-17763.0001-2972018", "the build"),
            ("03612-00206-556-123727-03-1033-17763.0000-3672018", "the day"),
            ("03612-00206-556-123727-03-1033-17763.0000-2972018-1", "the end"),
            ("03612-00206-556-123727-03-1033-17763.0000-é2018", "the day"),
        ] {
            assert_eq!(text.parse::<Epid>().unwrap_err().part, part, "{text}");
        }
    }
}
