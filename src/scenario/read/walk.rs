//! Walking through a parsed file: tables with known keys, values of a wanted type.
//!
//! A getter that finds something wrong says so in the [`Findings`] and returns `None`, so that the
//! rest of the file is read all the same.

use std::fmt::Write as _;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::problem::{Finding, Findings};

/// A table whose keys are known.
pub(super) struct Table<'a> {
    /// How to call it in a message: "a step".
    what: &'static str,
    entries: &'a DeTable<'a>,
    /// Where it begins.
    pub at: Range<usize>,
    /// The known keys that an unknown one was probably meant to be.
    meant: Vec<&'static str>,
    /// Whether every key is a known one.
    pub all_known: bool,
}

/// A value and the key it stands under.
#[derive(Clone)]
pub(super) struct Node<'a> {
    pub key: &'a str,
    pub value: &'a DeValue<'a>,
    pub at: Range<usize>,
}

impl<'a> Table<'a> {
    /// Opens a table, refusing every key that is not among `known`.
    pub fn open(
        what: &'static str,
        entries: &'a DeTable<'a>,
        at: Range<usize>,
        known: &'static [&'static str],
        findings: &mut Findings,
    ) -> Table<'a> {
        let mut meant = Vec::new();
        let mut all_known = true;
        for key in entries.keys() {
            let name = key.get_ref().as_ref();
            if known.contains(&name) {
                continue;
            }
            all_known = false;
            let finding = Finding::at(key.span(), format!("{what} has no key {}", quoted(name)));
            let Some(near) = nearest(name, known.iter().copied()) else {
                findings.push(finding.help(format!("{what} knows {}", listed(known.iter().copied(), '`', "and"))));
                continue;
            };
            findings.push(finding.label(format!("did you mean `{near}`?")));
            // Two keys that look like one: only one of them can be meant.
            if !entries.contains_key(near) {
                meant.push(near);
            }
        }
        Table { what, entries, at, meant, all_known }
    }

    /// The value of `key`, if it is there.
    pub fn optional(&self, key: &str) -> Option<Node<'a>> {
        let (key, value) = self.entries.get_key_value(key)?;
        Some(Node::new(key, value))
    }

    /// The value of `key`, which must be there; `example` shows how.
    pub fn required(&self, key: &'static str, example: &str, findings: &mut Findings) -> Option<Node<'a>> {
        let found = self.optional(key);
        if found.is_none() && !self.meant.contains(&key) {
            let finding = Finding::missing(self.at.clone(), format!("{} needs `{key}`", self.what));
            findings.push(finding.help(format!("for example: {example}")));
        }
        found
    }
}

impl<'a> Node<'a> {
    pub fn new(key: &'a Spanned<DeString<'a>>, value: &'a Spanned<DeValue<'a>>) -> Node<'a> {
        Node { key: key.get_ref(), value: value.get_ref(), at: value.span() }
    }

    pub fn text(&self, findings: &mut Findings) -> Option<&'a str> {
        match self.value {
            DeValue::String(text) => Some(text),
            other => {
                let finding = self.wrong_type("text in quotes");
                findings.push(match other {
                    DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) => {
                        finding.help(format!("put it in quotes: \"{}\"", as_written(other)))
                    }
                    _ => finding,
                });
                None
            }
        }
    }

    /// Text for people: one line of it, with something in it. Control characters are refused
    /// because the text goes to terminals and reports.
    pub fn line(&self, findings: &mut Findings) -> Option<&'a str> {
        let text = self.text(findings)?;
        let fault = if text.trim().is_empty() {
            "says nothing"
        } else if text.chars().any(char::is_control) {
            "has a line break or another control character in it"
        } else if text.chars().count() > LINE_CHARS_MAX {
            "is too long"
        } else {
            return Some(text.trim());
        };
        let finding = Finding::at(self.at.clone(), format!("`{}` {fault}", self.key));
        findings.push(finding.help(format!("one line of text, at most {LINE_CHARS_MAX} characters")));
        None
    }

    /// A whole number within bounds.
    pub fn whole(&self, allowed: RangeInclusive<u32>, findings: &mut Findings) -> Option<u32> {
        let DeValue::Integer(integer) = self.value else {
            let finding = self.wrong_type("a whole number");
            findings.push(match self.value {
                DeValue::String(text) if text.trim().parse::<u32>().is_ok() => {
                    finding.help(format!("leave out the quotes: {} = {}", self.key, text.trim()))
                }
                _ => finding,
            });
            return None;
        };
        let number = i128::from_str_radix(integer.as_str(), integer.radix()).ok();
        let fitting = number.and_then(|number| u32::try_from(number).ok()).filter(|number| allowed.contains(number));
        if fitting.is_none() {
            let (least, most) = (allowed.start(), allowed.end());
            let message = format!("`{}` must be {least} to {most}, and is {integer}", self.key);
            findings.push(Finding::at(self.at.clone(), message));
        }
        fitting
    }

    pub fn boolean(&self, findings: &mut Findings) -> Option<bool> {
        let DeValue::Boolean(value) = self.value else {
            let finding = self.wrong_type("true or false");
            findings.push(match self.value {
                DeValue::String(text) if matches!(text.as_ref(), "true" | "false") => {
                    finding.help(format!("leave out the quotes: {} = {text}", self.key))
                }
                _ => finding,
            });
            return None;
        };
        Some(*value)
    }

    /// The entries of a table; `shape` says how one is written here.
    pub fn table(&self, shape: &str, findings: &mut Findings) -> Option<&'a DeTable<'a>> {
        let DeValue::Table(entries) = self.value else {
            findings.push(self.wrong_type("a table").help(format!("for example: {shape}")));
            return None;
        };
        Some(entries)
    }

    /// One value, or the values of a list that has some.
    pub fn one_or_more(&self, findings: &mut Findings) -> Vec<Node<'a>> {
        let DeValue::Array(array) = self.value else { return vec![self.clone()] };
        if array.is_empty() {
            let finding = Finding::at(self.at.clone(), format!("`{}` is an empty list", self.key));
            findings.push(finding.help("put at least one value in it"));
        }
        array.iter().map(|value| Node { key: self.key, value: value.get_ref(), at: value.span() }).collect()
    }

    /// One of a few words.
    pub fn word<T: Copy>(&self, words: &[(&'static str, T)], findings: &mut Findings) -> Option<T> {
        let text = self.text(findings)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let all = || words.iter().map(|(word, _)| *word);
            let message = format!("`{}` cannot be {}", self.key, quoted(text));
            let finding = Finding::at(self.at.clone(), message);
            findings.push(match nearest(text, all()) {
                Some(near) => finding.label(format!("did you mean \"{near}\"?")),
                None => finding.help(format!("it can be {}", listed(all(), '"', "or"))),
            });
        }
        found
    }

    fn wrong_type(&self, wanted: &str) -> Finding {
        let message = format!("`{}` must be {wanted}", self.key);
        Finding::at(self.at.clone(), message).label(format!("this is {}", kind(self.value)))
    }
}

/// Each value once: asking the same twice over is what `repeat` is for.
pub(super) fn without_doubles<T: PartialEq>(values: Vec<(Node<'_>, T)>, findings: &mut Findings) -> Vec<T> {
    if let Some((node, _)) = values.get(VALUES_MAX) {
        let message = format!("`{}` has {} values; it has room for {VALUES_MAX}", node.key, values.len());
        findings.push(Finding::at(node.at.clone(), message));
    }
    let mut kept: Vec<T> = Vec::new();
    for (node, value) in values.into_iter().take(VALUES_MAX) {
        if kept.contains(&value) {
            let finding = Finding::at(node.at.clone(), format!("this stands in `{}` already", node.key));
            findings.push(finding.help("each value once; to ask more than once there is `repeat`"));
        } else {
            kept.push(value);
        }
    }
    kept
}

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

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn as_written(value: &DeValue<'_>) -> String {
    match value {
        DeValue::Integer(integer) => integer.to_string(),
        DeValue::Float(float) => float.to_string(),
        DeValue::Boolean(boolean) => boolean.to_string(),
        _ => String::new(),
    }
}

const LINE_CHARS_MAX: usize = 300;
const QUOTED_CHARS_MAX: usize = 60;
const NAME_CHARS_COMPARED_MAX: usize = 100;
/// The most values of a list that must differ from one another.
const VALUES_MAX: usize = 100;
const LISTED_MAX: usize = 12;
/// Below this, Jaro-Winkler finds likeness where a person sees none.
const LIKENESS_MIN: f64 = 0.8;
