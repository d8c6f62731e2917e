//! The text of a file, and where its bytes stand for a person.

use std::ops::Range;

use crate::scenario::Excerpt;

/// The text of a scenario file, without its byte order mark.
#[derive(Debug)]
pub(super) struct Source<'a> {
    text: &'a str,
    /// Where each line begins, in bytes; never empty.
    line_starts: Vec<usize>,
}

/// A line and a column, both from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub line: usize,
    pub column: usize,
}

/// One line without its line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LineText<'a> {
    pub start: usize,
    pub text: &'a str,
}

impl<'a> Source<'a> {
    /// Editors on Windows begin a file with a byte order mark, which is no part of what it says.
    pub fn new(bytes: &'a str) -> Source<'a> {
        let text = bytes.strip_prefix('\u{feff}').unwrap_or(bytes);
        let after_breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Source { text, line_starts: std::iter::once(0).chain(after_breaks).collect() }
    }

    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The line of byte `at`, from 1; past the end means the last.
    pub fn line(&self, at: usize) -> usize {
        self.line_starts.partition_point(|&start| start <= at)
    }

    /// Where byte `at` stands; past the end means the end.
    pub fn place(&self, at: usize) -> Place {
        let at = (0..=at.min(self.text.len())).rev().find(|&at| self.text.is_char_boundary(at)).unwrap_or(0);
        let line = self.line(at);
        let start = self.line_starts[line - 1];
        Place { line, column: self.text[start..at].chars().count() + 1 }
    }

    /// The line a span begins on, with the part of it the span covers; nothing of a line too long to be shown.
    pub fn excerpt(&self, span: Range<usize>) -> Option<Excerpt> {
        let line = self.line_text(self.line(span.start));
        let is_between_letters = |at: &usize| line.text.is_char_boundary(*at);
        let from = span.start.saturating_sub(line.start).min(line.text.len());
        // A table can span the whole file; the line it begins on is enough to find it.
        let to = span.end.saturating_sub(line.start).clamp(from, line.text.len());
        // What the TOML parser calls a place can be inside a letter.
        let from = (0..=from).rev().find(is_between_letters).unwrap_or(0);
        let to = (to..=line.text.len()).find(is_between_letters).unwrap_or(line.text.len());
        (line.text.len() <= EXCERPT_BYTES_MAX).then(|| Excerpt { text: line.text.to_owned(), marked: from..to })
    }

    /// Line `line`, from 1; past the last means the last.
    pub fn line_text(&self, line: usize) -> LineText<'a> {
        let index = line.clamp(1, self.line_starts.len()) - 1;
        let start = self.line_starts[index];
        let end = self.line_starts.get(index + 1).copied().unwrap_or(self.text.len());
        LineText { start, text: self.text[start..end].trim_end_matches(['\r', '\n']) }
    }
}

/// A longer line is named and not shown.
const EXCERPT_BYTES_MAX: usize = 2000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_survive_byte_order_marks_carriage_returns_tabs_and_wide_letters() {
        let source = Source::new("\u{feff}a = 1\r\n\t電 = 2\r\n");
        assert_eq!(source.place(0), Place { line: 1, column: 1 });
        assert_eq!(source.place(8), Place { line: 2, column: 2 });
        assert_eq!(source.place(8 + "電".len()), Place { line: 2, column: 3 });
        assert_eq!(source.place(9), Place { line: 2, column: 2 }, "inside a letter");
        assert_eq!(source.place(1000), Place { line: 3, column: 1 });
        assert_eq!(source.line_text(2), LineText { start: 7, text: "\t電 = 2" });
        assert_eq!(source.line_text(9).text, "");
    }
}
