//! What is wrong with a scenario file and the tables it names, all of it, shown at its place.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{Level, Origin, Renderer};

use super::source::Source;
use super::value::Fault;
use crate::scenario::Excerpt;
use crate::text::harmless;

/// Everything that is wrong with a scenario file and the tables it names, file by file in the order
/// of their lines; never empty.
#[derive(Debug, Clone)]
pub struct Problems {
    file: String,
    list: Vec<Problem>,
    more: usize,
}

impl Problems {
    /// The scenario file, as its caller named it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The problems; at most [`PROBLEMS_MAX`] are kept.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.list.iter()
    }

    /// How many problems there are, those not kept included.
    pub fn count(&self) -> usize {
        self.list.len() + self.more
    }

    /// All of it for a terminal, ending in a line feed. Without `color` there is not one escape in
    /// it, whatever the file says: control characters of the file are replaced.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let mut text = String::new();
        for problem in &self.list {
            text.push_str(&problem.render(&renderer));
            text.push_str("\n\n");
        }
        let noun = if self.count() == 1 { "problem" } else { "problems" };
        text.push_str(&format!("{}: {} {noun}", self.file, self.count()));
        if self.more > 0 {
            text.push_str(&format!(", the first {} shown", self.list.len()));
        }
        text.push_str("; nothing was sent\n");
        text
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Problems {}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    file: Arc<str>,
    message: String,
    label: Option<String>,
    help: Option<String>,
    line: usize,
    column: usize,
    excerpt: Option<Excerpt>,
}

impl Problem {
    /// The file it is in: the scenario, or a table it names.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// What is wrong, in one sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What would be right.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column, from 1, in characters; a tab is one.
    pub fn column(&self) -> usize {
        self.column
    }

    fn render(&self, renderer: &Renderer) -> String {
        let file = &*self.file;
        let mut group = match &self.excerpt {
            Some(excerpt) => {
                let snippet = excerpt.snippet(file, self.line, self.label.as_deref());
                Level::ERROR.primary_title(self.message.as_str()).element(snippet)
            }
            None => {
                let origin = Origin::path(file).line(self.line).char_column(self.column);
                Level::ERROR.primary_title(self.message.as_str()).element(origin)
            }
        };
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }
}

/// Where the readers of a file put what they find wrong.
#[derive(Debug, Default)]
pub(super) struct Findings {
    found: Vec<Finding>,
    more: usize,
    /// What is wrong with the tables the file names.
    tables: Vec<Problems>,
}

/// A problem that knows its place in bytes only.
#[derive(Debug)]
pub(super) struct Finding {
    span: Range<usize>,
    fault: Fault,
    /// Something is missing, which after a syntax error proves nothing.
    of_absence: bool,
}

impl Finding {
    pub fn at(span: Range<usize>, message: impl Into<String>) -> Finding {
        Finding::of(span, Fault::new(message))
    }

    pub fn of(span: Range<usize>, fault: Fault) -> Finding {
        Finding { span, fault, of_absence: false }
    }

    /// Something is missing that should be near `span`.
    pub fn missing(span: Range<usize>, message: impl Into<String>) -> Finding {
        Finding { of_absence: true, ..Finding::at(span, message) }
    }

    pub fn label(self, label: impl Into<String>) -> Finding {
        Finding { fault: self.fault.label(label), ..self }
    }

    pub fn help(self, help: impl Into<String>) -> Finding {
        Finding { fault: self.fault.help(help), ..self }
    }

    fn into_problem(self, file: &Arc<str>, source: &Source<'_>) -> Problem {
        let place = source.place(self.span.start);
        Problem {
            file: Arc::clone(file),
            message: harmless(&self.fault.message),
            label: self.fault.label.as_deref().map(harmless),
            help: self.fault.help.as_deref().map(harmless),
            line: place.line,
            column: place.column,
            excerpt: source.excerpt(self.span),
        }
    }
}

impl Findings {
    pub fn push(&mut self, finding: Finding) {
        if self.found.len() < FINDINGS_MAX {
            self.found.push(finding);
        } else {
            self.more += 1;
        }
    }

    /// Takes in what is wrong with a table the file names.
    pub fn push_table(&mut self, problems: Option<Problems>) {
        self.tables.extend(problems);
    }

    /// How much is found by now: a reader that finds it unchanged has read something sound.
    pub fn count(&self) -> usize {
        self.found.len() + self.more + self.tables.len()
    }

    /// Whether what is found from now on will only be counted, so that finding words for it is in vain.
    pub fn is_full(&self) -> bool {
        self.found.len() == FINDINGS_MAX
    }

    /// Takes in what was found in a file whose syntax is wrong: only what cannot be a mere
    /// consequence of that. `lost` are the parts that were not read as they were meant.
    pub fn absorb_beside_syntax(&mut self, others: Findings, source: &Source<'_>, lost: &[Range<usize>]) {
        let lines: Vec<usize> = self.found.iter().map(|finding| source.line(finding.span.start)).collect();
        self.more += others.more;
        self.tables.extend(others.tables);
        for other in others.found {
            let is_lost = lost.iter().any(|range| range.contains(&other.span.start));
            if !other.of_absence && !is_lost && !lines.contains(&source.line(other.span.start)) {
                self.push(other);
            }
        }
    }

    /// The problems of `file` and of the tables it names; `None` when nothing was found.
    pub fn finish(mut self, file: &str, source: &Source<'_>) -> Option<Problems> {
        if self.count() == 0 {
            return None;
        }
        self.found.sort_by_key(|finding| finding.span.start);
        let file: Arc<str> = harmless(file).into();
        let mut all = self.count() - self.tables.len();
        let mut list: Vec<Problem> =
            self.found.into_iter().take(PROBLEMS_MAX).map(|finding| finding.into_problem(&file, source)).collect();
        for table in self.tables {
            all += table.count();
            list.extend(table.list.into_iter().take(PROBLEMS_MAX - list.len()));
        }
        Some(Problems { file: file.to_string(), more: all - list.len(), list })
    }
}

/// How many problems of a file are shown: nobody reads more before mending some.
pub const PROBLEMS_MAX: usize = 50;
/// How many are collected before they are put in order.
const FINDINGS_MAX: usize = 1000;
