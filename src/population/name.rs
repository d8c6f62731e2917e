//! How the machines of a group call themselves.

use std::str::FromStr;

use crate::client::identity::WORKSTATION_NAME_UNITS_MAX;

/// A workstation name with the machine's number in it: `LAB-{number}`, `LAB-{number:04}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NamePattern {
    before: String,
    width: usize,
    after: String,
}

/// A pattern that gives no workstation names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NamePatternError {
    /// It has not just one place for the number.
    #[error("a name needs the machine's number once, as in LAB-{{number}} or LAB-{{number:04}}")]
    Number,
    /// Some name would not fit.
    #[error("the name can have {units} UTF-16 units; a request has room for {WORKSTATION_NAME_UNITS_MAX}")]
    Long {
        /// How many the longest would have.
        units: usize,
    },
    /// It has a control character in it.
    #[error("a name has no control characters")]
    Control,
}

impl NamePattern {
    /// The name of the machine with this number.
    pub fn of(&self, number: u32) -> String {
        format!("{}{number:0width$}{}", self.before, self.after, width = self.width)
    }
}

impl FromStr for NamePattern {
    type Err = NamePatternError;

    fn from_str(text: &str) -> Result<NamePattern, NamePatternError> {
        if text.chars().any(char::is_control) {
            return Err(NamePatternError::Control);
        }
        let (before, rest) = text.split_once("{number").ok_or(NamePatternError::Number)?;
        let (form, after) = rest.split_once('}').ok_or(NamePatternError::Number)?;
        let width = match form.strip_prefix(":0") {
            Some(digits) => digits.parse().ok().filter(|width| (1..=DIGITS_MAX).contains(width)),
            None => form.is_empty().then_some(1),
        };
        let width = width.ok_or(NamePatternError::Number)?;
        if before.contains(['{', '}']) || after.contains(['{', '}']) {
            return Err(NamePatternError::Number);
        }
        let units = before.encode_utf16().count() + DIGITS_MAX.max(width) + after.encode_utf16().count();
        if units > WORKSTATION_NAME_UNITS_MAX {
            return Err(NamePatternError::Long { units });
        }
        Ok(NamePattern { before: before.to_owned(), width, after: after.to_owned() })
    }
}

/// A file has room for a million machines.
const DIGITS_MAX: usize = 7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_its_number_where_the_pattern_says() {
        let name = |pattern: &str| pattern.parse::<NamePattern>().map(|pattern| pattern.of(7));
        assert_eq!(name("LAB-{number}").as_deref(), Ok("LAB-7"));
        assert_eq!(name("電腦{number:04}.campus.example").as_deref(), Ok("電腦0007.campus.example"));
        for wrong in [
            "LAB",
            "LAB-{numer}",
            "{number}{number}",
            "{number:4}",
            "{number:00}",
            "{number:09}",
            "{number",
            "{{number}}",
        ] {
            assert_eq!(name(wrong), Err(NamePatternError::Number), "{wrong}");
        }
        assert_eq!(name(&format!("{}{{number}}", "x".repeat(57))), Err(NamePatternError::Long { units: 64 }));
        assert_eq!(name("a\t{number}"), Err(NamePatternError::Control));
    }
}
