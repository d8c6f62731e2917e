//! In which line a byte stands.

/// The lines of places that only go forward, so that the text is counted through once.
pub(super) struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    pub fn new(text: &'a str) -> Lines<'a> {
        Lines { text, at: 0, line: 1 }
    }

    /// The line of a byte, from 1; past the end means the last.
    pub fn at(&mut self, byte: u64) -> u64 {
        let byte = usize::try_from(byte).unwrap_or(usize::MAX).min(self.text.len());
        if byte > self.at {
            let passed = &self.text.as_bytes()[self.at..byte];
            self.line += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
            self.at = byte;
        }
        self.line
    }

    /// The line of the first byte from there on that ends no line.
    pub fn at_text(&mut self, byte: u64) -> u64 {
        let rest = self.text.as_bytes().get(usize::try_from(byte).unwrap_or(usize::MAX)..).unwrap_or_default();
        let ends = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.at(byte + ends as u64)
    }
}
