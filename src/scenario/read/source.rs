//! The text of a file, and where its bytes stand for a person.

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

    /// Line `line`, from 1; past the last means the last.
    pub fn line_text(&self, line: usize) -> LineText<'a> {
        let index = line.clamp(1, self.line_starts.len()) - 1;
        let start = self.line_starts[index];
        let end = self.line_starts.get(index + 1).copied().unwrap_or(self.text.len());
        LineText { start, text: self.text[start..end].trim_end_matches(['\r', '\n']) }
    }
}

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
