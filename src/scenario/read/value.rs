//! Values as text says them, the same in a scenario and in a population table.

use std::time::Duration;

use jiff::SignedDuration;

use super::wording::{listed, nearest, quoted};
use crate::catalog::{self, Product};
use crate::client::clock::signed_duration;
use crate::scenario::duration::duration as parse_duration;
use crate::wire::kms::{LicenseStatus, ProtocolVersion};

/// What is wrong with a value, wherever it stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Fault {
    pub message: String,
    pub label: Option<String>,
    pub help: Option<String>,
}

impl Fault {
    pub fn new(message: impl Into<String>) -> Fault {
        Fault { message: message.into(), ..Fault::default() }
    }

    pub fn label(self, label: impl Into<String>) -> Fault {
        Fault { label: Some(label.into()), ..self }
    }

    pub fn help(self, help: impl Into<String>) -> Fault {
        Fault { help: Some(help.into()), ..self }
    }

    /// All of it in one line, for a value that stands in no file.
    pub fn words(&self) -> String {
        let more = [&self.label, &self.help].into_iter().flatten();
        more.fold(self.message.clone(), |words, more| words + "; " + more)
    }

    /// An error of the form "this is no X: expected Y", in its two halves.
    pub fn of(error: impl ToString) -> Fault {
        let text = error.to_string();
        match text.rsplit_once(": ") {
            Some((message, help)) => Fault::new(message).help(help),
            None => Fault::new(text),
        }
    }
}

/// A duration that is not negative.
pub(super) fn duration(key: &str, text: &str) -> Result<Duration, Fault> {
    parse_duration(text).ok_or_else(|| {
        let help = "a form like 500ms, 1m 30s, 4h or 30d; at most 100 years";
        Fault::new(format!("`{key}` cannot be {}", quoted(text))).help(help)
    })
}

/// How far a clock is off.
pub(super) fn skew(key: &str, text: &str) -> Result<SignedDuration, Fault> {
    let skew = signed_duration(text).ok().filter(|skew| skew.unsigned_abs() <= SKEW_MAX);
    skew.ok_or_else(|| {
        let help = "how far the clock is ahead or behind, as in +4h 1m, -3h 59m or -30d; at most 20,000 years";
        Fault::new(format!("`{key}` cannot be {}", quoted(text))).help(help)
    })
}

/// A product of the catalogue, by name or by SKU id.
pub(super) fn product(text: &str) -> Result<&'static Product, Fault> {
    catalog::find(text).map_err(|unknown| {
        let fault = Fault::new(format!("no product named {} in the catalogue", quoted(text)));
        if unknown.nearest().is_empty() {
            return fault.help("`kmsproof catalog` lists the names there are");
        }
        let near = listed(unknown.nearest().iter().map(String::as_str), '"', "or");
        fault.help(format!("did you mean {near}? `kmsproof catalog` lists them all"))
    })
}

/// One of a few words.
pub(super) fn word<T: Copy>(key: &str, text: &str, words: &[(&'static str, T)]) -> Result<T, Fault> {
    if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*meaning);
    }
    let all = || words.iter().map(|(word, _)| *word);
    let fault = Fault::new(format!("`{key}` cannot be {}", quoted(text)));
    Err(match nearest(text, all()) {
        Some(near) => fault.label(format!("did you mean \"{near}\"?")),
        None => fault.help(format!("it can be {}", listed(all(), '"', "or"))),
    })
}

/// A version of which clients exist.
pub(super) fn protocol(key: &str, text: &str) -> Result<ProtocolVersion, Fault> {
    word(key, text, &PROTOCOLS)
}

/// Any version that fits a request, existing or not, as major and minor.
pub(super) fn any_protocol(key: &str, text: &str) -> Result<ProtocolVersion, Fault> {
    let is_whole = |part: &str| part.len() <= 5 && !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let form = text.split_once('.').filter(|(major, minor)| is_whole(major) && is_whole(minor));
    if let Some(version) = form.and_then(|_| text.parse().ok()) {
        return Ok(version);
    }
    let fault = Fault::new(format!("`{key}` cannot be {}", quoted(text)));
    let digits = text.trim_start_matches(['v', 'V']);
    let meant = PROTOCOLS.iter().find(|(word, _)| digits == &word[..1] || digits == word.replace('.', ""));
    Err(match meant {
        Some((word, _)) => fault.label(format!("did you mean \"{word}\"?")),
        None => fault.help("a version is major.minor, each up to 65535: 4.0, 5.0 and 6.0 exist, 7.0 does not"),
    })
}

/// A license status by number or by name.
pub(super) fn status(key: &str, text: &str) -> Result<LicenseStatus, Fault> {
    match text.parse::<u32>() {
        Ok(number) if number <= LicenseStatus::EXTENDED_GRACE.0 => Ok(LicenseStatus(number)),
        Ok(number) => Err(Fault::new(format!("`{key}` must be 0 to 6 or a name, and is {number}"))),
        Err(_) => word(key, text, &STATUSES),
    }
}

/// The versions there are, and how a file says them.
/// Twenty thousand years: as far as one time of the calendar can be from another.
const SKEW_MAX: Duration = Duration::from_secs(20_000 * 36_525 * 864);

pub(super) const PROTOCOLS: [(&str, ProtocolVersion); 3] =
    [("4.0", ProtocolVersion::V4), ("5.0", ProtocolVersion::V5), ("6.0", ProtocolVersion::V6)];

/// The states a product can say it is in.
pub(super) const STATUSES: [(&str, LicenseStatus); 7] = [
    ("unlicensed", LicenseStatus::UNLICENSED),
    ("licensed", LicenseStatus::LICENSED),
    ("initial-grace", LicenseStatus::OOB_GRACE),
    ("out-of-tolerance-grace", LicenseStatus::OOT_GRACE),
    ("non-genuine-grace", LicenseStatus::NON_GENUINE_GRACE),
    ("notification", LicenseStatus::NOTIFICATION),
    ("extended-grace", LicenseStatus::EXTENDED_GRACE),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_major_and_minor() {
        for (text, due) in [("6.0", (6, 0)), ("7.0", (7, 0)), ("0.0", (0, 0)), ("65535.65535", (65_535, 65_535))] {
            assert_eq!(any_protocol("protocol", text).map(|version| (version.major, version.minor)), Ok(due));
        }
        for (text, near) in
            [("60", Some("6.0")), ("5", Some("5.0")), ("v4", Some("4.0")), ("6.", None), ("65536.0", None)]
        {
            let label = any_protocol("protocol", text).unwrap_err().label;
            assert_eq!(label, near.map(|near| format!("did you mean \"{near}\"?")), "{text}");
        }
        for text in ["", ".", "six", "6.0.0", "-6.0", "+6.0", " 6.0", "v6.0", "000006.0"] {
            assert!(any_protocol("protocol", text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_status_is_a_number_or_a_name() {
        assert_eq!(status("status", "5"), Ok(LicenseStatus::NOTIFICATION));
        assert_eq!(status("status", "notification"), Ok(LicenseStatus::NOTIFICATION));
        assert_eq!(status("status", "7").unwrap_err().message, "`status` must be 0 to 6 or a name, and is 7");
        assert_eq!(status("status", "notify").unwrap_err().label.as_deref(), Some("did you mean \"notification\"?"));
    }

    #[test]
    fn an_error_is_said_in_two_halves() {
        let fault = Fault::of("`a: b` is no X: expected Y");
        assert_eq!((fault.message.as_str(), fault.help.as_deref()), ("`a: b` is no X", Some("expected Y")));
        assert_eq!(Fault::of("plain").help, None);
    }
}
