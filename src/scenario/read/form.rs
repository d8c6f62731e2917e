//! What the language is, as data: each table with its keys. The readers open tables by it and the
//! JSON Schema is made of it, so that neither knows a key the other does not.

use std::ops::RangeInclusive;

/// A table of the language.
#[derive(Debug)]
pub(super) struct Form {
    /// How to call it in a message: "a step".
    pub what: &'static str,
    /// What it is, in a sentence.
    pub doc: &'static str,
    /// Its keys, in the order they are told of.
    pub keys: &'static [Key],
    /// Of each of these at least one alternative must be there, with all its keys.
    pub needs: &'static [&'static [&'static [&'static str]]],
    /// Of each of these keys one at most.
    pub apart: &'static [&'static [&'static str]],
    /// Keys that go with no other.
    pub alone: &'static [&'static str],
    /// Keys that make sense only beside one of others.
    pub beside: &'static [(&'static str, &'static [&'static str])],
}

/// A key of a table, and what may stand under it.
#[derive(Debug)]
pub(super) struct Key {
    /// The key.
    pub name: &'static str,
    /// What may stand under it.
    pub shape: Shape,
    /// Whether it must be there.
    pub required: bool,
    /// How it is written, whole.
    pub example: &'static str,
    /// What it means, in a sentence.
    pub doc: &'static str,
}

/// What may stand under a key, as far as it can be said without reading it.
#[derive(Debug)]
pub(super) enum Shape {
    /// Any text.
    Text,
    /// Text that matches a regular expression.
    Match(&'static str),
    /// One of a few words.
    Words(&'static [&'static str]),
    /// A whole number from the one to the other.
    Whole(i64, u64),
    /// True or false.
    Flag,
    /// A table.
    Table(&'static Form),
    /// Tables of one form under names of one's choice.
    Named(&'static Form),
    /// A list of so many at least and at most.
    List(&'static Shape, usize, usize),
    /// One of these alone, or a list of at least one.
    OneOrMore(&'static Shape),
    /// Any of these.
    Either(&'static [Shape]),
}

impl Form {
    /// A table of which every key can be left out and goes with every other.
    pub const PLAIN: Form = Form { what: "", doc: "", keys: &[], needs: &[], apart: &[], alone: &[], beside: &[] };

    /// The key of that name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

impl Key {
    /// A key that must be there.
    pub const fn required(name: &'static str, shape: Shape, example: &'static str, doc: &'static str) -> Key {
        Key { name, shape, required: true, example, doc }
    }

    /// A key that can be left out.
    pub const fn optional(name: &'static str, shape: Shape, example: &'static str, doc: &'static str) -> Key {
        Key { name, shape, required: false, example, doc }
    }
}

impl Shape {
    /// A whole number within bounds.
    pub const fn whole(range: RangeInclusive<u32>) -> Shape {
        Shape::Whole(*range.start() as i64, *range.end() as u64)
    }
}

/// The words of a list of words and what they mean.
pub(super) const fn words<T: Copy, const N: usize>(meanings: &[(&'static str, T); N]) -> [&'static str; N] {
    let mut words = [""; N];
    let mut at = 0;
    while at < N {
        words[at] = meanings[at].0;
        at += 1;
    }
    words
}
