//! How an explanation is laid out in a terminal.

use crate::text::{Lang, columns, padded, wrapped};

/// The widest a line may be.
pub const COLUMNS_MAX: usize = 100;

/// A title, and labelled paragraphs in a column of their own.
#[derive(Debug, Clone)]
pub struct Page {
    title: String,
    rows: Vec<(Label, String)>,
}

impl Page {
    /// A page with nothing on it but what it is about.
    pub fn new(title: impl Into<String>) -> Page {
        Page { title: title.into(), rows: Vec::new() }
    }

    /// The page with one paragraph more.
    #[must_use]
    pub fn row(mut self, label: Label, words: impl Into<String>) -> Page {
        self.rows.push((label, words.into()));
        self
    }

    /// The page in lines of at most [`COLUMNS_MAX`], ending in a line feed.
    pub fn render(&self, lang: Lang) -> String {
        let mut text = format!("{}\n\n", self.title);
        let widest = self.rows.iter().map(|(label, _)| columns(label.words(lang))).max().unwrap_or(0);
        let margin = widest + GAP;
        for (label, words) in &self.rows {
            for (number, line) in wrapped(words, COLUMNS_MAX - margin).iter().enumerate() {
                let label = if number == 0 { label.words(lang) } else { "" };
                text.push_str(&padded(label, margin));
                text.push_str(line);
                text.push('\n');
            }
        }
        text
    }
}

/// What a paragraph is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Label {
    /// What a code or a finding says.
    Meaning,
    /// What a check demands.
    Requirement,
    /// How binding a check is.
    Level,
    /// What a Windows client makes of an answer that fails a check.
    Failing,
    /// Who comes to a code.
    DecidedBy,
    /// Whose work it is to mend a failed check or a finding.
    MendedBy,
    /// What usually is behind it.
    Cause,
    /// What to do.
    Remedy,
    /// What the person at the client sees.
    Shown,
    /// Where it is written.
    Source,
}

impl Label {
    /// The label itself.
    pub const fn words(self, lang: Lang) -> &'static str {
        let (english, chinese) = match self {
            Label::Meaning => ("meaning", "意義"),
            Label::Requirement => ("requirement", "要求"),
            Label::Level => ("level", "層級"),
            Label::Failing => ("when it fails", "不符時"),
            Label::DecidedBy => ("decided by", "由誰決定"),
            Label::MendedBy => ("mended by", "由誰修正"),
            Label::Cause => ("cause", "原因"),
            Label::Remedy => ("what to do", "處理方式"),
            Label::Shown => ("shown as", "畫面顯示"),
            Label::Source => ("source", "出處"),
        };
        match lang {
            Lang::English => english,
            Lang::TraditionalChinese => chinese,
        }
    }
}

const GAP: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_stand_in_a_column_in_either_language() {
        let page = Page::new("x").row(Label::Cause, "a b").row(Label::MendedBy, "主機 ".repeat(40));
        for (lang, margin) in [(Lang::English, 11), (Lang::TraditionalChinese, 10)] {
            let text = page.render(lang);
            assert_eq!(text.lines().count(), 6, "{text}");
            assert!(text.lines().all(|line| columns(line) <= COLUMNS_MAX), "{text}");
            for line in text.lines().skip(2) {
                let first = line.find("a b").or(line.find("主機")).unwrap();
                assert_eq!(columns(&line[..first]), margin, "{text}");
            }
        }
    }
}
