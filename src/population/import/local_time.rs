//! Times as Windows writes them in the format of a machine's region.
//!
//! Whether `9/8/2026` is in August or in September nobody can tell from it alone, so dates are read
//! in two goes: [`Written`] is what stands there, and [`decide`] finds the order all of a file's
//! dates are in.

use std::fmt;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, civil};

/// Which of two numbers is the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateOrder {
    /// `9/29/2010`.
    MonthFirst,
    /// `29/9/2010`.
    DayFirst,
}

impl fmt::Display for DateOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DateOrder::MonthFirst => "month first",
            DateOrder::DayFirst => "day first",
        })
    }
}

/// The order of a file's dates, and what it was known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decided {
    /// The order.
    pub order: DateOrder,
    /// What says so.
    pub by: DecidedBy,
}

/// What an order of dates is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecidedBy {
    /// Numbers above 12, which no month has.
    Numbers,
    /// The clients' own times, which are written year first.
    Clients,
    /// Nothing: an assumption.
    Nothing,
}

impl fmt::Display for Decided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dates have the {}", self.order)?;
        f.write_str(match self.by {
            DecidedBy::Numbers => " (a number above 12 says so)",
            DecidedBy::Clients => " (the clients' times say so)",
            DecidedBy::Nothing => " (assumed: nothing in the file says so)",
        })
    }
}

/// A time as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// With an offset from UTC: nothing to decide.
    At(Timestamp),
    /// A civil time with its date in a known order.
    Civil(civil::DateTime),
    /// A date that ends with its year and begins with two numbers.
    Either {
        /// The numbers, as they stand.
        numbers: [i8; 2],
        /// The year.
        year: i16,
        /// The time of day.
        time: civil::Time,
    },
}

impl Written {
    /// Reads what stands in a field; `None` when it is in no form that is known.
    pub fn read(text: &str) -> Option<Written> {
        if let Ok(at) = text.trim().parse() {
            return Some(Written::At(at));
        }
        let mut numbers = Vec::new();
        let mut gaps = vec![String::new()];
        for character in text.chars().take(CHARS_MAX).filter(|character| !is_mark(*character)) {
            let last = gaps.len() - 1;
            if character.is_ascii_digit() {
                if numbers.len() <= last {
                    numbers.push(String::new());
                }
                numbers[last].push(character);
            } else {
                if numbers.len() > last {
                    gaps.push(String::new());
                }
                let last = gaps.len() - 1;
                gaps[last].push(character);
            }
        }
        let mut half = None;
        let gaps: Vec<&str> = gaps.iter().map(|gap| without_half(gap, &mut half)).collect();
        let value = |at: usize| numbers.get(at)?.parse::<i16>().ok();
        let small = |at: usize| i8::try_from(value(at)?).ok();
        let gap = |at: usize| gaps.get(at).copied().unwrap_or("");

        let has_seconds = numbers.len() >= 6;
        let between = gap(1);
        let shape = (5..=7).contains(&numbers.len())
            && gap(0).is_empty()
            && ["/", "-", "."].contains(&between)
            && gap(2) == between
            && ["", "T", ","].contains(&gap(3))
            && [":", "."].contains(&gap(4))
            && (!has_seconds || gap(5) == gap(4))
            && (numbers.len() < 7 || [".", ","].contains(&gap(6)))
            && gap(numbers.len()).is_empty();
        if !shape {
            return None;
        }
        let hour = match (half, small(3)?) {
            (None, hour) => hour,
            (Some(half), hour @ 1..=12) => hour % 12 + if half == Half::Afternoon { 12 } else { 0 },
            _ => return None,
        };
        let second = if has_seconds { small(5)? } else { 0 };
        let fraction = numbers.get(6).map_or(Some(0), |digits| format!("{digits:0<9}").get(..9)?.parse().ok())?;
        let time = civil::Time::new(hour, small(4)?, second, fraction).ok()?;
        if numbers[0].len() == 4 {
            return Some(Written::Civil(civil::Date::new(value(0)?, small(1)?, small(2)?).ok()?.to_datetime(time)));
        }
        if numbers[2].len() != 4 {
            return None;
        }
        let written = Written::Either { numbers: [small(0)?, small(1)?], year: value(2)?, time };
        match between {
            // Nobody writes the month first with full stops.
            "." => written.civil(DateOrder::DayFirst).map(Written::Civil),
            _ => Some(written),
        }
    }

    /// The time it is when dates are in that order and the clock was in `zone`.
    pub fn at(self, order: DateOrder, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Written::At(at) => Some(at),
            _ => zone.to_timestamp(self.civil(order)?).ok(),
        }
    }

    fn civil(self, order: DateOrder) -> Option<civil::DateTime> {
        match (self, order) {
            (Written::At(_), _) => None,
            (Written::Civil(civil), _) => Some(civil),
            (Written::Either { numbers: [month, day], year, time }, DateOrder::MonthFirst)
            | (Written::Either { numbers: [day, month], year, time }, DateOrder::DayFirst) => {
                Some(civil::Date::new(year, month, day).ok()?.to_datetime(time))
            }
        }
    }
}

/// The order of all dates of a file, each given with the client's time of its record. `None` when
/// no date leaves anything to decide.
pub(super) fn decide<'a>(dates: impl Iterator<Item = (&'a Written, Timestamp)>) -> Option<Decided> {
    let (mut first_above, mut second_above, mut near_month_first, mut near_day_first) = (0, 0, 0, 0);
    let mut undecided = false;
    for (written, client_time) in dates {
        let Written::Either { numbers: [first, second], .. } = *written else { continue };
        undecided = true;
        first_above += u64::from(first > 12);
        second_above += u64::from(second > 12);
        let near = |order| {
            let at = written.at(order, &TimeZone::UTC);
            u64::from(at.is_some_and(|at| at.duration_since(client_time).abs() < NEAR))
        };
        near_month_first += near(DateOrder::MonthFirst);
        near_day_first += near(DateOrder::DayFirst);
    }
    let by_size = |day_first, month_first, by| match u64::cmp(&day_first, &month_first) {
        std::cmp::Ordering::Greater => Some(Decided { order: DateOrder::DayFirst, by }),
        std::cmp::Ordering::Less => Some(Decided { order: DateOrder::MonthFirst, by }),
        std::cmp::Ordering::Equal => None,
    };
    let decided = by_size(first_above, second_above, DecidedBy::Numbers)
        .or_else(|| by_size(near_day_first, near_month_first, DecidedBy::Clients))
        .unwrap_or(Decided { order: DateOrder::MonthFirst, by: DecidedBy::Nothing });
    undecided.then_some(decided)
}

/// A half of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Half {
    Morning,
    Afternoon,
}

/// What stands between two numbers, but for the word of a half of the day.
fn without_half<'a>(gap: &'a str, half: &mut Option<Half>) -> &'a str {
    let word = gap.trim();
    let found = match word.to_lowercase().as_str() {
        "am" | "a.m." | "a. m." | "上午" => Half::Morning,
        "pm" | "p.m." | "p. m." | "下午" => Half::Afternoon,
        _ => return word,
    };
    *half = Some(found);
    ""
}

/// Marks of direction, which Windows puts into dates and which print nothing.
fn is_mark(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}')
}

/// How far a client's clock is from the host's when they mean the same day: any zone and a bit.
const NEAR: SignedDuration = SignedDuration::from_hours(36);

/// The longest date and time that is looked at.
const CHARS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, order: DateOrder, zone: &str) -> Option<String> {
        let zone = TimeZone::get(zone).unwrap();
        Written::read(text)?.at(order, &zone).map(|at| at.to_string())
    }

    #[test]
    fn the_forms_of_several_regions() {
        for text in [
            "9/29/2010 2:46:05 PM",
            "9/29/2010 2:46:05\u{202f}PM",
            "\u{200e}9/\u{200e}29/\u{200e}2010 2:46:05 PM",
            "09/29/2010 14:46:05",
            "2010/9/29 下午 02:46:05",
            "2010/9/29 下午02:46:05",
            "2010-09-29 14:46:05",
            "2010-09-29T14:46:05",
            "2010/09/29 14:46:05.0000000",
            "29.09.2010 14:46:05",
            "29. 9. 2010 14:46:05",
            "29.9.2010 14.46.05",
            "2010/9/29 2:46:05 p.m.",
            "2010-09-29T06:46:05Z",
            "2010-09-29T15:46:05+09:00",
        ] {
            let at = read(text, DateOrder::MonthFirst, "Asia/Taipei");
            assert_eq!(at.as_deref(), Some("2010-09-29T06:46:05Z"), "{text}");
        }
        let day_first = read("29/09/2010, 14:46:05", DateOrder::DayFirst, "Asia/Taipei");
        assert_eq!(day_first.as_deref(), Some("2010-09-29T06:46:05Z"));
        for (text, due) in [
            ("1/2/2026 12:00:01 AM", "2026-01-02T00:00:01Z"),
            ("1/2/2026 12:00 PM", "2026-01-02T12:00:00Z"),
            ("2026/1/2 上午 12:30:00", "2026-01-02T00:30:00Z"),
        ] {
            assert_eq!(read(text, DateOrder::MonthFirst, "UTC").as_deref(), Some(due), "{text}");
        }
    }

    #[test]
    fn what_is_in_no_form_is_not_guessed() {
        for text in [
            "",
            "yesterday",
            "2010-09-29",
            "9/29/10 2:46 PM",
            "2010/9-29 14:46:05",
            "2010/9/29 14:46:05 Uhr",
            "9/29/2010 14:46:05 PM",
            "9/29/2010 0:46 AM",
            "2010/13/1 14:46:05",
            "32.1.2010 14:46:05",
            "1/2/3/4/5/6/7/8/9",
            "99999999999/1/1 1:1:1",
            "2026/1/2 24:00:00",
        ] {
            assert_eq!(Written::read(text), None, "{text}");
        }
        assert_eq!(read("13/13/2010 1:00:00", DateOrder::DayFirst, "UTC"), None);
    }

    fn decided(dates: &[(&str, &str)]) -> Option<Decided> {
        let dates: Vec<(Written, Timestamp)> =
            dates.iter().map(|(text, client)| (Written::read(text).unwrap(), client.parse().unwrap())).collect();
        decide(dates.iter().map(|(written, client)| (written, *client)))
    }

    #[test]
    fn the_order_is_the_whole_files() {
        const OFF: &str = "2001-01-01T00:00Z";
        let of = |order, by| Some(Decided { order, by });
        assert_eq!(
            decided(&[("9/8/2026 1:00", OFF), ("9/13/2026 1:00", OFF)]),
            of(DateOrder::MonthFirst, DecidedBy::Numbers)
        );
        assert_eq!(
            decided(&[("13/9/2026 1:00", OFF), ("9/8/2026 1:00", OFF)]),
            of(DateOrder::DayFirst, DecidedBy::Numbers)
        );
        assert_eq!(decided(&[("9/8/2026 1:00", "2026-08-09T17:00Z")]), of(DateOrder::DayFirst, DecidedBy::Clients));
        assert_eq!(decided(&[("9/8/2026 1:00", "2026-09-08T17:00Z")]), of(DateOrder::MonthFirst, DecidedBy::Clients));
        assert_eq!(decided(&[("9/8/2026 1:00", OFF)]), of(DateOrder::MonthFirst, DecidedBy::Nothing));
        assert_eq!(decided(&[("2026/8/9 1:00", OFF), ("9.8.2026 1:00", OFF)]), None);
    }
}
