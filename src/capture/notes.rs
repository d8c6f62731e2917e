//! Notes for the reader of a result, of which there are never too many.

use crate::text::counted;

/// A list of notes that stops growing, and then counts.
#[derive(Debug, Default)]
pub(super) struct Notes {
    kept: Vec<String>,
    dropped: u64,
}

impl Notes {
    /// Adds a note; it is only put into words if there is room for it.
    pub fn add(&mut self, note: impl FnOnce() -> String) {
        if self.kept.len() < NOTES_MAX {
            self.kept.push(note());
        } else {
            self.dropped += 1;
        }
    }

    /// The notes, and how many more there were.
    pub fn finish(mut self) -> Vec<String> {
        if self.dropped > 0 {
            self.kept.push(format!("and {}", counted(self.dropped, "more note")));
        }
        self.kept
    }
}

/// A broken file can give rise to a note a packet; nobody reads more than this.
const NOTES_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_notes_and_a_count() {
        let mut notes = Notes::default();
        for number in 0..=NOTES_MAX {
            notes.add(|| number.to_string());
        }
        let notes = notes.finish();
        assert_eq!(notes.len(), NOTES_MAX + 1);
        assert_eq!(notes.last().unwrap(), "and 1 more note");
    }
}
