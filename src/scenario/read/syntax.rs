//! What is wrong with a file as TOML, said as a person would.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue, Error};

use super::problem::{Finding, Findings};
use super::source::Source;

/// The syntax errors, one a line, and the parts of the file that were not read as they were meant.
pub(super) fn findings(errors: &[Error], tree: &DeTable<'_>, source: &Source<'_>) -> (Findings, Vec<Range<usize>>) {
    let mut findings = Findings::default();
    let mut lost = Vec::new();
    if let Some(open) = unclosed(errors, tree) {
        let bracket = source.text().get(open.start..open.start + 1).unwrap_or("[");
        let closing = if bracket == "{" { "}" } else { "]" };
        let finding = Finding::at(open.start..open.start + 1, format!("this `{bracket}` is never closed"));
        findings.push(finding.help(format!("put a `{closing}` where the value ends")));
        // Everything after it was taken for a part of the value.
        lost.push(open.start..source.text().len() + 1);
    }
    let mut first_of_line: BTreeMap<usize, (usize, &Error)> = BTreeMap::new();
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        if lost.iter().any(|range| range.contains(&at)) {
            continue;
        }
        let first = first_of_line.entry(source.line(at)).or_insert((at, error));
        if at < first.0 {
            *first = (at, error);
        }
    }
    let mut headers = Headers { source, scanned: 0, last: 0, doubled: None };
    for (line, (_, error)) in first_of_line {
        // What stands under a doubled header is laid over the first table, key by key.
        if !(headers.is_below_a_doubled_one(line) && error.message() == DUPLICATE) {
            findings.push(finding(error, source));
        }
        if headers.last == line && error.message() == DUPLICATE {
            headers.doubled = Some(line);
        }
    }
    (findings, lost)
}

/// The table headers, passed line by line.
struct Headers<'s> {
    source: &'s Source<'s>,
    scanned: usize,
    /// The line of the last header passed; 0 before the first.
    last: usize,
    /// The line of the last header that stood in the file before.
    doubled: Option<usize>,
}

impl Headers<'_> {
    /// Lines must come in order.
    fn is_below_a_doubled_one(&mut self, line: usize) -> bool {
        while self.scanned < line {
            self.scanned += 1;
            if self.source.line_text(self.scanned).text.trim_start().starts_with('[') {
                self.last = self.scanned;
            }
        }
        self.last != line && self.doubled == Some(self.last)
    }
}

fn finding(error: &Error, source: &Source<'_>) -> Finding {
    let span = error.span().unwrap_or(0..0);
    let meant = source.text().get(span.clone()).unwrap_or_default().trim();
    let message = error.message();
    if message.starts_with("string values must be quoted") {
        return match meant {
            "" => Finding::at(span, "there is no value here"),
            _ if meant.contains(['"', '\\']) => Finding::at(span, "text must stand in quotes"),
            _ => Finding::at(span, "text must stand in quotes").help(format!("write \"{meant}\", if text is meant")),
        };
    }
    if message == DUPLICATE {
        let finding = Finding::at(span, format!("`{meant}` is already there"));
        return finding.help("a name can stand only once in its table; a second group of clients needs another name");
    }
    if message.starts_with("invalid ")
        && (message.ends_with(" string, expected `\"`") || message.ends_with(" string, expected `'`"))
    {
        let quote = if message.ends_with("`'`") { '\'' } else { '"' };
        return Finding::at(span, format!("this text has no end: a {quote} is missing"));
    }
    Finding::at(span, format!("this is not TOML: {message}"))
}

/// The outermost list or inline table that the end of the file cuts off.
fn unclosed(errors: &[Error], tree: &DeTable<'_>) -> Option<Range<usize>> {
    let unclosed = errors.iter().filter(|error| UNCLOSED.iter().any(|message| error.message().starts_with(message)));
    let end = unclosed.filter_map(Error::span).map(|span| span.start).min()?;
    outermost(tree.values().filter_map(|value| running_to(value.get_ref(), value.span(), end)))
}

fn running_to(value: &DeValue<'_>, span: Range<usize>, end: usize) -> Option<Range<usize>> {
    // The outermost wins: what it holds may have been closed by chance.
    match value {
        DeValue::Array(_) | DeValue::Table(_) if span.end >= end => Some(span),
        DeValue::Array(values) => {
            outermost(values.iter().filter_map(|value| running_to(value.get_ref(), value.span(), end)))
        }
        DeValue::Table(entries) => {
            outermost(entries.values().filter_map(|value| running_to(value.get_ref(), value.span(), end)))
        }
        _ => None,
    }
}

fn outermost(ranges: impl Iterator<Item = Range<usize>>) -> Option<Range<usize>> {
    ranges.min_by_key(|range| range.start)
}

const DUPLICATE: &str = "duplicate key";
const UNCLOSED: [&str; 2] = ["unclosed array", "unclosed inline table"];
