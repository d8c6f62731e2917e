//! Walking through a parsed file: tables with known keys, values of a wanted type.
//!
//! A getter that finds something wrong says so in the [`Findings`] and returns `None`, so that the
//! rest of the file is read all the same.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::form::Form;
use super::problem::{Finding, Findings};
use super::value::{self, Fault};
use super::wording::{listed, nearest, quoted};

/// A table whose keys are known.
pub(super) struct Table<'a> {
    form: &'static Form,
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
    /// Opens a table of this form: refuses keys it does not know and keys that do not go together,
    /// and says which are missing.
    pub fn open(form: &'static Form, entries: &'a DeTable<'a>, at: Range<usize>, findings: &mut Findings) -> Table<'a> {
        let mut table = Table { form, entries, at, meant: Vec::new(), all_known: true };
        table.refuse_unknown(findings);
        let all_there = table.ask_for_missing(findings);
        table.refuse_together(findings);
        if all_there {
            table.refuse_unsuited(findings);
        }
        table
    }

    /// The value of `key`, if it is there.
    pub fn optional(&self, key: &str) -> Option<Node<'a>> {
        debug_assert!(self.form.key(key).is_some(), "{} has no key {key}", self.form.what);
        let (key, value) = self.entries.get_key_value(key)?;
        Some(Node::new(key, value))
    }

    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    fn refuse_unknown(&mut self, findings: &mut Findings) {
        let what = self.form.what;
        let known = || self.form.keys.iter().map(|key| key.name);
        for key in self.entries.keys() {
            let name = key.get_ref().as_ref();
            if self.form.key(name).is_some() {
                continue;
            }
            self.all_known = false;
            let finding = Finding::at(key.span(), format!("{what} has no key {}", quoted(name)));
            let Some(near) = nearest(name, known()) else {
                findings.push(finding.help(format!("{what} knows {}", listed(known(), '`', "and"))));
                continue;
            };
            findings.push(finding.label(format!("did you mean `{near}`?")));
            // Two keys that look like one: only one of them can be meant.
            if !self.entries.contains_key(near) {
                self.meant.push(near);
            }
        }
    }

    fn ask_for_missing(&self, findings: &mut Findings) -> bool {
        let mut all_there = true;
        let mut missing = |wanted: &str, example: Option<&str>| {
            let finding = Finding::missing(self.at.clone(), format!("{} needs {wanted}", self.form.what));
            findings.push(finding.help(format!("for example: {}", example.unwrap_or_default())));
            all_there = false;
        };
        let example = |name| self.form.key(name).map(|key| key.example);
        for key in self.form.keys.iter().filter(|key| key.required && !self.is_there_or_meant(key.name)) {
            missing(&format!("`{}`", key.name), Some(key.example));
        }
        for alternatives in self.form.needs {
            let is_whole = |keys: &&[&str]| keys.iter().all(|key| self.is_there_or_meant(key));
            if !alternatives.iter().any(is_whole) {
                let ways = match alternatives.iter().all(|keys| keys.len() == 1) {
                    true => listed(alternatives.iter().map(|keys| keys[0]), '`', "or"),
                    false => {
                        let ways = alternatives.iter().map(|keys| listed(keys.iter().copied(), '`', "and"));
                        ways.collect::<Vec<_>>().join(", or ")
                    }
                };
                missing(&ways, alternatives.first().and_then(|keys| example(keys[0])));
            }
        }
        all_there
    }

    fn refuse_together(&self, findings: &mut Findings) {
        for keys in self.form.apart {
            let mut there: Vec<_> = keys.iter().filter_map(|key| self.entries.get_key_value(*key)).collect();
            there.sort_by_key(|(key, _)| key.span().start);
            for (second, _) in there.iter().skip(1) {
                let (first, second_name) = (there[0].0.get_ref(), second.get_ref());
                let message = format!("`{first}` and `{second_name}` exclude one another");
                findings.push(Finding::at(second.span(), message).help("keep the one that is meant"));
            }
        }
    }

    fn refuse_unsuited(&self, findings: &mut Findings) {
        for key in self.form.alone {
            if let Some((key, _)) = self.entries.get_key_value(*key).filter(|_| self.entries.len() > 1) {
                let finding = Finding::at(key.span(), format!("`{}` goes with no other key", key.get_ref()));
                findings.push(finding.help("leave it out, or all the others"));
            }
        }
        for (key, partners) in self.form.beside {
            if let Some((key, _)) = self.entries.get_key_value(*key)
                && !partners.iter().any(|partner| self.is_there_or_meant(partner))
            {
                let with = listed(partners.iter().copied(), '`', "or");
                findings.push(Finding::at(key.span(), format!("`{}` makes sense only with {with}", key.get_ref())));
            }
        }
    }

    fn is_there_or_meant(&self, key: &str) -> bool {
        self.has(key) || self.meant.contains(&key)
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
    pub fn whole<T>(&self, allowed: RangeInclusive<T>, findings: &mut Findings) -> Option<T>
    where
        T: TryFrom<i128> + FromStr + PartialOrd + Display,
    {
        let DeValue::Integer(integer) = self.value else {
            let finding = self.wrong_type("a whole number");
            findings.push(match self.value {
                DeValue::String(text) if text.trim().parse::<T>().is_ok() => {
                    finding.help(format!("leave out the quotes: {} = {}", self.key, text.trim()))
                }
                _ => finding,
            });
            return None;
        };
        let number = i128::from_str_radix(integer.as_str(), integer.radix()).ok();
        let fitting = number.and_then(|number| T::try_from(number).ok()).filter(|number| allowed.contains(number));
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
        self.parsed(|key, text| value::word(key, text, words), findings)
    }

    /// A duration that is not negative.
    pub fn duration(&self, findings: &mut Findings) -> Option<Duration> {
        self.parsed(value::duration, findings)
    }

    /// Text that means something.
    pub fn parsed<T>(&self, parse: impl FnOnce(&str, &str) -> Result<T, Fault>, findings: &mut Findings) -> Option<T> {
        let text = self.text(findings)?;
        self.sound(parse(self.key, text), findings)
    }

    /// The value, or a finding at this place.
    pub fn sound<T>(&self, result: Result<T, Fault>, findings: &mut Findings) -> Option<T> {
        result.map_err(|fault| findings.push(Finding::of(self.at.clone(), fault))).ok()
    }

    /// Text, or a date or time without quotes, as text.
    pub fn text_or_date(&self, findings: &mut Findings) -> Option<String> {
        match self.value {
            DeValue::Datetime(date) => Some(date.to_string()),
            _ => self.text(findings).map(str::to_owned),
        }
    }

    /// A value that can be this or that and is neither.
    pub fn refuse(&self, wanted: &str, help: impl Into<String>, findings: &mut Findings) {
        findings.push(self.wrong_type(wanted).help(help));
    }

    fn wrong_type(&self, wanted: &str) -> Finding {
        let message = format!("`{}` must be {wanted}", self.key);
        Finding::at(self.at.clone(), message).label(format!("this is {}", kind(self.value)))
    }
}

/// Each value once. Two are the same that are known by the same.
pub(super) fn without_doubles<T, K: PartialEq>(
    values: Vec<(Node<'_>, T)>,
    known_by: impl Fn(&T) -> K,
    findings: &mut Findings,
) -> Vec<T> {
    if let Some((node, _)) = values.get(VALUES_MAX) {
        let message = format!("`{}` has {} values; it has room for {VALUES_MAX}", node.key, values.len());
        findings.push(Finding::at(node.at.clone(), message));
    }
    let mut kept: Vec<T> = Vec::new();
    for (node, value) in values.into_iter().take(VALUES_MAX) {
        if kept.iter().any(|before| known_by(before) == known_by(&value)) {
            let finding = Finding::at(node.at.clone(), format!("this stands in `{}` already", node.key));
            findings.push(match ASKED_BY.contains(&node.key) {
                true => finding.help("each value once; to ask more than once there is `repeat`"),
                false => finding.help("each value once"),
            });
        } else {
            kept.push(value);
        }
    }
    kept
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
/// The most values of a list that must differ from one another.
const VALUES_MAX: usize = 100;
/// Keys of which each value is asked with, one after the other.
const ASKED_BY: [&str; 4] = ["product", "products", "protocol", "syntax"];
