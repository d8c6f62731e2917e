//! A share of something, from nothing to all.

use std::fmt;
use std::str::FromStr;

/// A share in millionths, 0 to 1,000,000. Read and shown in percent: `30%`, `0.1%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Share(u32);

/// Text that is no share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no share: expected 0% to 100%, as in 30% or 0.5%")]
pub struct ShareError(String);

impl Share {
    /// Nothing.
    pub const NONE: Share = Share(0);
    /// All.
    pub const ALL: Share = Share(1_000_000);

    /// The share in millionths, 0 to 1,000,000.
    pub const fn millionths(self) -> u32 {
        self.0
    }

    /// Whether `part` of `whole` is this share or more.
    pub fn is_reached_by(self, part: u64, whole: u64) -> bool {
        u128::from(part) * 1_000_000 >= u128::from(self.0) * u128::from(whole)
    }

    /// Whether `part` of `whole` is more than this share.
    pub fn is_exceeded_by(self, part: u64, whole: u64) -> bool {
        u128::from(part) * 1_000_000 > u128::from(self.0) * u128::from(whole)
    }
}

impl FromStr for Share {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Share, ShareError> {
        let wrong = || ShareError(text.to_owned());
        let number = text.trim().strip_suffix('%').ok_or_else(wrong)?.trim();
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > 3 || fraction.len() > 4 || !digits(whole) || !digits(fraction) {
            return Err(wrong());
        }
        let padded = format!("{fraction:0<4}");
        let share = whole.parse::<u32>().map_err(|_| wrong())? * 10_000 + padded.parse::<u32>().map_err(|_| wrong())?;
        if share > Share::ALL.0 { Err(wrong()) } else { Ok(Share(share)) }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / 10_000, self.0 % 10_000);
        match fraction {
            0 => write!(f, "{whole}%"),
            _ => write!(f, "{whole}.{}%", format!("{fraction:04}").trim_end_matches('0')),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_and_shown_in_percent() {
        for text in ["0%", "30%", "0.1%", "99.9999%", "100%"] {
            assert_eq!(text.parse::<Share>().unwrap().to_string(), text);
        }
        assert_eq!(" 2.50 %".parse(), Ok(Share(25_000)));
        for wrong in ["", "30", "%", "-1%", "100.0001%", "101%", "1.00001%", "1e1%", ".5%", "30%%"] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_share_is_compared_without_rounding() {
        let third: Share = "33.3333%".parse().unwrap();
        assert!(third.is_reached_by(1, 3) && third.is_exceeded_by(1, 3));
        assert!(Share::ALL.is_reached_by(u64::MAX, u64::MAX) && !Share::ALL.is_exceeded_by(u64::MAX, u64::MAX));
        assert!(!Share::ALL.is_reached_by(u64::MAX - 1, u64::MAX));
        assert!(Share::NONE.is_reached_by(0, 0) && !Share::NONE.is_exceeded_by(0, 5));
    }
}
