//! What became of the checks of one answer.

use std::fmt;

use super::{CheckId, Level};
use crate::wire::{DecodeError, Layer};

/// A set of checks.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct CheckSet(u64);

impl CheckSet {
    /// Whether the check is in the set.
    pub fn has(self, check: CheckId) -> bool {
        self.0 & bit(check) != 0
    }

    /// Puts a check in.
    pub fn insert(&mut self, check: CheckId) {
        self.0 |= bit(check);
    }

    /// What is in one of the two.
    #[must_use]
    pub fn union(self, other: CheckSet) -> CheckSet {
        CheckSet(self.0 | other.0)
    }

    /// Whether nothing is in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many checks are in it.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// The checks, in the order of the catalogue.
    pub fn iter(self) -> impl Iterator<Item = CheckId> {
        CheckId::ALL.iter().copied().filter(move |&check| self.has(check))
    }
}

impl fmt::Debug for CheckSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// The checks done on something, and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checks {
    /// Checks that were done, whatever they found.
    pub done: CheckSet,
    /// Checks that failed at least once.
    pub failed: CheckSet,
    /// The evidence of the first failures; a host can make as many as it sends fragments.
    pub findings: Vec<Finding>,
}

/// One check that failed, and how.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// The check.
    pub check: CheckId,
    /// What would have been right.
    pub expected: String,
    /// What was there.
    pub got: String,
    /// Where it stands.
    #[serde(skip)]
    pub place: Option<Place>,
}

/// Where a finding stands in the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The buffer: a PDU (Rpc, Ndr32, Ndr64, Envelope) or a decrypted plaintext (the others).
    pub layer: Layer,
    /// The field.
    pub field: &'static str,
    /// In bytes from the start of that buffer.
    pub offset: usize,
}

impl Place {
    /// A field of a PDU, by where it stands there ([`at`](crate::wire::rpc::at)).
    pub const fn in_pdu(field: &'static str, offset: usize) -> Place {
        Place { layer: Layer::Rpc, field, offset }
    }
}

impl Checks {
    /// Notes that a check was done, and evidence when it does not hold.
    pub fn judge(&mut self, check: CheckId, holds: bool, evidence: impl FnOnce() -> (String, String)) {
        self.judge_at(check, holds, None, evidence);
    }

    /// The same, with the place of what is wrong.
    pub fn judge_at(
        &mut self,
        check: CheckId,
        holds: bool,
        place: Option<Place>,
        evidence: impl FnOnce() -> (String, String),
    ) {
        self.done.insert(check);
        if holds {
            return;
        }
        self.failed.insert(check);
        if self.findings.len() < FINDINGS_MAX {
            let (expected, got) = evidence();
            self.findings.push(Finding { check, expected, got, place });
        }
    }

    /// Notes that a check failed because bytes could not be read.
    pub fn fail_decode(&mut self, check: CheckId, error: &DecodeError) {
        let place = Place { layer: error.layer, field: error.field, offset: error.offset };
        self.judge_at(check, false, Some(place), || {
            (
                error.expected.to_string(),
                format!("{} in {} of {}, byte {}", error.got, error.field, error.layer, error.offset),
            )
        });
    }

    /// Adds the checks of another part of the same answer.
    pub fn absorb(&mut self, other: Checks) {
        self.done.0 |= other.done.0;
        self.failed.0 |= other.failed.0;
        let room = FINDINGS_MAX.saturating_sub(self.findings.len());
        self.findings.extend(other.findings.into_iter().take(room));
    }

    /// The same, but for these checks.
    #[must_use]
    pub fn without(mut self, checks: &[CheckId]) -> Checks {
        for &check in checks {
            self.done.0 &= !bit(check);
            self.failed.0 &= !bit(check);
        }
        self.findings.retain(|finding| !checks.contains(&finding.check));
        self
    }

    /// Whether every check of the level `must` held.
    pub fn is_clean(&self) -> bool {
        !self.failed.iter().any(|check| check.check().level == Level::Must)
    }

    /// Whether a Windows client would throw this answer away.
    pub fn is_trusted(&self) -> bool {
        !self.failed.iter().any(|check| check.check().trust)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, got {}", self.check, self.expected, self.got)
    }
}

/// More than there are checks: each can show itself once.
const FINDINGS_MAX: usize = 64;

fn bit(check: CheckId) -> u64 {
    1 << check as u8
}
