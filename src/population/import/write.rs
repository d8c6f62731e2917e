//! The two files that an import leaves: the population, and a scenario that replays it.

use std::fmt;
use std::io::{self, Write};
use std::num::NonZeroU32;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Imported, Row};
use crate::text::{counted, grouped};

/// The population, one row a request:
/// `machine,id,product,n_policy,protocol,vm,status,minutes_left,clock,at`.
///
/// `protocol` is empty, which means the product's own: the log does not say. `clock` is how far the
/// client's clock was off from the host's, empty when it was right. `at` is in seconds from the
/// first arrival.
pub fn population(rows: &[Row], out: impl Write) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(COLUMNS)?;
    for row in rows {
        csv.write_record([
            format!("pc-{:04}", row.machine).as_str(),
            &format!("m{:04}", row.id),
            &row.product.edition,
            &row.n_policy.to_string(),
            "",
            if row.is_vm { "true" } else { "false" },
            &row.status.0.to_string(),
            &row.minutes_left.to_string(),
            &clock(row.clock_min),
            &seconds(row.at.as_millis()),
        ])?;
    }
    csv.flush()
}

/// A scenario in which the population of the same name arrives as it did, `speed` times as fast.
/// Dates are those of `zone`.
pub fn scenario(imported: &Imported, name: &Name, speed: NonZeroU32, zone: &TimeZone) -> String {
    let Some((first, last)) = imported.found.span else { return String::new() };
    let (first_day, last_day) = (day(first, zone), day(last, zone));
    let days = if first_day == last_day { first_day } else { format!("{first_day} to {last_day}") };
    let requests = counted(imported.rows.len() as u64, "request");
    let machines = counted(imported.found.machines as u64, "machine");
    let ids = imported.found.ids_by_application.iter();
    let ids: Vec<String> =
        ids.map(|(application, ids)| format!("{} for {application}", grouped(*ids as u64))).collect();
    let takes = last.duration_since(first).unsigned_abs().as_secs() / u64::from(speed.get());
    let (takes, ids) = (about(takes), ids.join(" and "));
    let pace = match speed.get() {
        1 => "as fast as they came".to_owned(),
        speed => format!("{} times as fast", grouped(speed.into())),
    };
    format!(
        "\
# Made by `kmsproof import` from a KMS host's own log: {requests} by {machines}, {days}.
# Machines and client ids are pseudonyms, numbered in the order in which they appear.

name = \"{name}\"
question = \"Does the host answer the clients of {days} as it should?\"
takes = \"{takes}\"
leaves = \"client ids for 30 days ({ids}), and {requests} in the log\"

[clients.imported]
population = \"{name}.csv\"

[[step]]
title = \"the arrivals of {days}, {pace}\"
clients = [\"imported\"]
arrive = {{ recorded = true, speed = {speed} }}
"
    )
}

/// The name of a scenario: lower-case letters, digits and hyphens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Name, String> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        match (1..=NAME_CHARS_MAX).contains(&text.len()) && text.bytes().all(plain) {
            true => Ok(Name(text.to_owned())),
            false => {
                Err(format!("expected at most {NAME_CHARS_MAX} lower-case letters, digits and hyphens, like last-week"))
            }
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How far a clock is off, as a duration with its sign: `-16h`, `+4h 1m`; nothing when it is right.
pub fn clock(off_min: i64) -> String {
    let sign = if off_min < 0 { '-' } else { '+' };
    match (off_min.unsigned_abs() / 60, off_min.unsigned_abs() % 60) {
        (0, 0) => String::new(),
        (0, minutes) => format!("{sign}{minutes}m"),
        (hours, 0) => format!("{sign}{hours}h"),
        (hours, minutes) => format!("{sign}{hours}h {minutes}m"),
    }
}

/// Seconds with as many of three decimals as there are.
fn seconds(milliseconds: u128) -> String {
    let (whole, rest) = (milliseconds / 1000, milliseconds % 1000);
    match rest {
        0 => whole.to_string(),
        _ => format!("{whole}.{rest:03}").trim_end_matches('0').to_owned(),
    }
}

/// A time a run takes, in two units at most.
fn about(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0 | 1) => "about a second".to_owned(),
        (0, 0, seconds) => format!("about {seconds}s"),
        (0, minutes, 0) => format!("about {minutes}m"),
        (0, minutes, seconds) => format!("about {minutes}m {seconds}s"),
        (hours, 0, _) => format!("about {hours}h"),
        (hours, minutes, _) => format!("about {hours}h {minutes}m"),
    }
}

fn day(at: Timestamp, zone: &TimeZone) -> String {
    zone.to_datetime(at).date().to_string()
}

const COLUMNS: [&str; 10] =
    ["machine", "id", "product", "n_policy", "protocol", "vm", "status", "minutes_left", "clock", "at"];

/// As long as the name of a scenario may be.
const NAME_CHARS_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn clocks_are_durations_that_others_read() {
        assert_eq!([0, 241, -960, -5, 61].map(clock), ["", "+4h 1m", "-16h", "-5m", "+1h 1m"]);
        for off in [-9_999_999, -961, -960, -59, 2, 60, 241, 9_999_999] {
            assert_eq!(clock(off).parse::<SignedDuration>().unwrap(), SignedDuration::from_mins(off), "{off}");
        }
    }

    #[test]
    fn arrivals_have_no_more_decimals_than_they_need() {
        assert_eq!([0, 5, 1500, 604_799_990].map(seconds), ["0", "0.005", "1.5", "604799.99"]);
    }

    #[test]
    fn what_a_run_takes_is_said_in_two_units_at_most() {
        let said = [0, 59, 60, 61, 3600, 10_080, 360_061].map(about);
        let due = ["a second", "59s", "1m", "1m 1s", "1h", "2h 48m", "100h 1m"];
        assert_eq!(said, due.map(|due| format!("about {due}")));
    }

    #[test]
    fn a_name_can_stand_in_a_file_name_and_in_toml() {
        assert_eq!("last-week".parse::<Name>().unwrap().to_string(), "last-week");
        for name in ["", "Last week", "a\"b", "../x", "ä", &"a".repeat(41)] {
            assert!(name.parse::<Name>().is_err(), "{name}");
        }
    }
}
