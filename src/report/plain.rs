//! Words and numbers for people, and what a host says made harmless for a terminal.

use std::time::Duration;

use crate::explain;
use crate::proto::Verdict;
use crate::wire::Hresult;

/// Text from outside without anything that could steer a terminal.
pub fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_format(character) {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out
}

/// The same of text in lines, which stay lines.
pub fn harmless_lines(text: &str) -> String {
    text.split('\n').map(harmless).collect::<Vec<_>>().join("\n")
}

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

/// A number and its noun: `1 machine`, `2,000 machines`.
pub fn counted(number: usize, noun: &str) -> String {
    format!("{} {noun}{}", grouped(number as u64), if number == 1 { "" } else { "s" })
}

/// The words in lines of at most `columns`.
pub fn wrapped(words: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words.split_whitespace() {
        let line = lines.len() - 1;
        if lines[line].is_empty() {
            lines[line].push_str(word);
        } else if lines[line].chars().count() + 1 + word.chars().count() <= columns {
            lines[line].push(' ');
            lines[line].push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// A number with its thousands apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A code with its symbol, from whichever table knows it.
pub fn named(code: Hresult) -> String {
    let symbol = code.name().or_else(|| explain::code(code).and_then(|entry| entry.name));
    symbol.map_or_else(|| code.to_string(), |symbol| format!("{code} {symbol}"))
}

/// A verdict in few words.
pub fn verdict(verdict: &str) -> String {
    match verdict.parse::<Hresult>() {
        Ok(code) => format!("{code} ({})", short(code)),
        Err(_) => verdict.to_owned(),
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
        _ => "see `kmsproof explain`",
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

/// Characters that print nothing and change how others are shown (bidirectional marks and their kin).
fn is_format(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
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

    #[test]
    fn what_a_host_says_cannot_steer_a_terminal() {
        assert_eq!(harmless("a\u{1b}[2Jb\r\n\u{202e}c"), "a\\u{1b}[2Jb\\u{d}\\u{a}\\u{202e}c");
        assert_eq!(harmless("亞東 ü \"a\\b\""), "亞東 ü \"a\\b\"");
        assert_eq!(harmless_lines("a\nb\r\n"), "a\nb\\u{d}\n");
    }

    #[test]
    fn words_are_wrapped_and_never_lost() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("", 7), [""]);
        assert_eq!(wrapped("unbreakable", 3), ["unbreakable"]);
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!([0, 999, 1000, 1234567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
