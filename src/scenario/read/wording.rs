//! Names in messages: what somebody wrote, what was probably meant, and what there is.

use std::fmt::Write as _;

/// The name a person most likely meant.
pub(super) fn nearest<'n>(asked: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let plain = |name: &str| name.to_lowercase().replace(['_', ' '], "-");
    let asked: String = plain(asked).chars().take(NAME_CHARS_COMPARED_MAX).collect();
    names
        .map(|name| (strsim::jaro_winkler(&asked, &plain(name)), name))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

/// "`a`, `b` and `c`".
pub(super) fn listed<'n>(names: impl Iterator<Item = &'n str>, quote: char, last: &str) -> String {
    let names: Vec<&str> = names.collect();
    let mut text = String::new();
    for (at, name) in names.iter().take(LISTED_MAX).enumerate() {
        let before = match at {
            0 => "",
            _ if at + 1 == names.len() => &format!(" {last} "),
            _ => ", ",
        };
        let _ = write!(text, "{before}{quote}{name}{quote}");
    }
    if names.len() > LISTED_MAX {
        let _ = write!(text, " and {} more", names.len() - LISTED_MAX);
    }
    text
}

/// What someone wrote, short enough for a message.
pub(super) fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(QUOTED_CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push_str("...");
    }
    format!("{short:?}")
}

const QUOTED_CHARS_MAX: usize = 60;
const NAME_CHARS_COMPARED_MAX: usize = 100;
const LISTED_MAX: usize = 12;
/// Below this, Jaro-Winkler finds likeness where a person sees none.
const LIKENESS_MIN: f64 = 0.8;
