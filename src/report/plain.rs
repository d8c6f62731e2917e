//! Words and numbers for people.

use std::time::Duration;

use crate::explain;
use crate::proto::Verdict;
use crate::text::{counted, grouped};
use crate::wire::Hresult;

/// A duration as a person reads it.
pub fn duration(took: Duration) -> String {
    nanoseconds(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX))
}

/// A duration in nanoseconds as a person reads it: three digits and a unit.
pub fn nanoseconds(ns: u64) -> String {
    let (value, unit) = match ns {
        0..1_000 => return format!("{ns} ns"),
        1_000..1_000_000 => (ns as f64 / 1e3, "us"),
        1_000_000..1_000_000_000 => (ns as f64 / 1e6, "ms"),
        _ => (ns as f64 / 1e9, "s"),
    };
    let decimals = match value {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    format!("{value:.decimals$} {unit}")
}

/// A span of days, hours and minutes as a person reads it: `365 d`, `2 h 30 min`.
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let mut parts = Vec::new();
    for (number, unit) in
        [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")]
    {
        if number > 0 {
            parts.push(format!("{number} {unit}"));
        }
    }
    if time.is_zero() {
        return "0 s".to_owned();
    }
    if parts.is_empty() { duration(time) } else { parts.join(" ") }
}

/// How many requests are made: so many, about as many as leases make, and as many as are answered in a time where
/// that decides it.
pub fn requests(known: usize, leased: u64, open_ended: Option<Duration>) -> String {
    let mut parts = Vec::new();
    if known > 0 || (leased == 0 && open_ended.is_none()) {
        parts.push(counted(known, "request"));
    }
    if leased > 0 {
        parts.push(match parts.is_empty() {
            true => format!("about {} as their leases make them", counted(leased, "request")),
            false => format!("about {} more as their leases make them", grouped(leased)),
        });
    }
    if let Some(time) = open_ended {
        let requests = if parts.is_empty() { "requests " } else { "" };
        parts.push(format!("as many {requests}as are answered in {}", span(time)));
    }
    parts.join(" and ")
}

/// Minutes as a person reads them: `10080 min (7 days)`.
pub fn minutes(minutes: u32) -> String {
    let in_words = match minutes {
        0 => None,
        _ if minutes.is_multiple_of(1440) => Some((minutes / 1440, "day")),
        _ if minutes.is_multiple_of(60) => Some((minutes / 60, "hour")),
        _ => None,
    };
    match in_words {
        Some((1, unit)) => format!("{minutes} min (1 {unit})"),
        Some((number, unit)) => format!("{minutes} min ({number} {unit}s)"),
        None => format!("{minutes} min"),
    }
}

/// A code with its symbol, from whichever table knows it.
pub fn named(code: Hresult) -> String {
    let symbol = code.name().or_else(|| explain::code(code).and_then(|entry| entry.name));
    symbol.map_or_else(|| code.to_string(), |symbol| format!("{code} {symbol}"))
}

/// A verdict in few words.
pub fn verdict(verdict: Verdict) -> String {
    match verdict {
        Verdict::Activated => verdict.name(),
        Verdict::Refused(code) => format!("{code} ({})", short(code)),
    }
}

/// What a code says, in few words.
pub fn short(code: Hresult) -> &'static str {
    match code {
        Hresult::OK => "success",
        Hresult::NOT_ENOUGH_COUNT => "count too low",
        Hresult::INVALID_TIMESTAMP => "clock too far off",
        Hresult::KMS_ID_MISMATCH => "product not served",
        Hresult::INVALID_DATA => "data invalid",
        Hresult::BINDING_SERVICE_UNAVAILABLE => "no host could be contacted",
        Hresult::TABLE_FULL => "client table full",
        Hresult::HOST_NOT_ACTIVATED => "host not activated",
        Hresult::ACCESS_DENIED => "access denied",
        _ if explain::code(code).is_some() => "see `kmsproof explain`",
        _ => "not a code KMS is known for",
    }
}

/// What `slmgr /ato` and `ospp /act` print after a verdict (Microsoft Learn, volume activation error codes).
pub fn shown_words(verdict: Verdict) -> (String, String) {
    let shown = verdict.shown();
    if shown == Hresult::OK {
        return ("Product activated successfully.".to_owned(), "<Product activation successful>".to_owned());
    }
    let words = match shown {
        Hresult::NOT_ENOUGH_COUNT => {
            "The Software Licensing Service reported that the computer could not be activated. \
             The count reported by your Key Management Service (KMS) is insufficient."
        }
        Hresult::BINDING_SERVICE_UNAVAILABLE => {
            "The Software Licensing Service reported that the computer could not be activated. \
             No Key Management Service (KMS) could be contacted."
        }
        Hresult::KMS_ID_MISMATCH => {
            "The Software Licensing Service determined that the specified Key Management Service (KMS) cannot be used."
        }
        Hresult::INVALID_DATA => "The data is invalid.",
        Hresult::ACCESS_DENIED => "Access denied: the requested action requires elevated privileges.",
        Hresult::HOST_NOT_ACTIVATED => {
            "The Software Licensing Service determined that the Key Management Service (KMS) is not activated."
        }
        _ => "The Software Licensing Service reported that the computer could not be activated.",
    };
    (format!("Error: {shown} {words}"), format!("ERROR CODE: {shown}  ERROR DESCRIPTION: {words}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits_and_a_unit() {
        for (ns, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 us"),
            (12_345, "12.3 us"),
            (250_000, "250 us"),
            (1_500_000, "1.50 ms"),
            (2_000_000_000, "2.00 s"),
        ] {
            assert_eq!(nanoseconds(ns), text);
        }
    }

    #[test]
    fn requests_are_counted_as_far_as_they_are_known() {
        let time = Some(Duration::from_secs(30));
        for (known, leased, open_ended, text) in [
            (0, 0, None, "0 requests"),
            (1, 0, None, "1 request"),
            (0, 0, time, "as many requests as are answered in 30 s"),
            (35, 0, time, "35 requests and as many as are answered in 30 s"),
            (0, 1_200, None, "about 1,200 requests as their leases make them"),
            (35, 1_200, None, "35 requests and about 1,200 more as their leases make them"),
            (0, 1_200, time, "about 1,200 requests as their leases make them and as many as are answered in 30 s"),
        ] {
            assert_eq!(requests(known, leased, open_ended), text);
        }
    }

    #[test]
    fn minutes_say_days_and_hours_where_they_are_whole() {
        for (min, text) in [
            (10_080, "10080 min (7 days)"),
            (120, "120 min (2 hours)"),
            (60, "60 min (1 hour)"),
            (15, "15 min"),
            (0, "0 min"),
        ] {
            assert_eq!(minutes(min), text);
        }
    }
}
