//! A line of a scenario file, and what of it is meant: for whoever has to point at it.

use std::ops::Range;

use annotate_snippets::{Annotation, AnnotationKind, Snippet};

/// A line of a file, and the bytes of it that are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    pub(super) text: String,
    pub(super) marked: Range<usize>,
}

impl Excerpt {
    /// It as line `line` of `file`, with `label` under what is meant.
    pub fn snippet<'a>(&'a self, file: &'a str, line: usize, label: Option<&'a str>) -> Snippet<'a, Annotation<'a>> {
        let mark = AnnotationKind::Primary.span(self.marked.clone()).label(label);
        Snippet::source(&self.text).line_start(line).path(file).annotation(mark)
    }
}
