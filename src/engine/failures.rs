//! Whether it is worth going on with a host that does not answer.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::proto::{Answer, FailureKind, Moment, Phase};

/// Counts what came to nothing.
#[derive(Default)]
pub(super) struct Failures {
    in_a_row: AtomicU64,
    /// When the first of the row came to nothing, and the last, in nanoseconds.
    since_ns: AtomicU64,
    last_ns: AtomicU64,
    answered: AtomicBool,
}

impl Failures {
    /// Takes in what an exchange came to, and when.
    pub fn note(&self, answer: &Answer, at: Moment) {
        // The host spoke, and yet it says nothing of calls: neither a failure nor an answer.
        if answer.is_not_applicable() {
            return;
        }
        let silent = answer.failure.as_ref().is_some_and(|failure| {
            let answered_somehow =
                matches!(failure.kind, FailureKind::Fault(_) | FailureKind::Nak(_) | FailureKind::NoCommonSyntax(_));
            !answered_somehow || failure.phase == Phase::Connect
        });
        if silent {
            let at_ns = u64::try_from(at.0.as_nanos()).unwrap_or(u64::MAX);
            if self.in_a_row.fetch_add(1, Ordering::Relaxed) == 0 {
                self.since_ns.store(at_ns, Ordering::Relaxed);
            }
            self.last_ns.store(at_ns, Ordering::Relaxed);
        } else {
            self.note_answered();
        }
    }

    /// An exchange came to an answer.
    pub fn note_answered(&self) {
        // Written only when it changes: every worker reads it all the time.
        if self.in_a_row.load(Ordering::Relaxed) != 0 {
            self.in_a_row.store(0, Ordering::Relaxed);
        }
        if !self.answered.load(Ordering::Relaxed) {
            self.answered.store(true, Ordering::Relaxed);
        }
    }

    /// How many came to nothing in a row, when that is too many. Of those `under_way` at the same
    /// time the slow ones, which fail, come out together: they are no row.
    pub fn too_many(&self, under_way: u64) -> Option<u32> {
        let answered = self.answered.load(Ordering::Relaxed);
        let limit = if answered { FAILURES_MAX + 2 * under_way } else { FAILURES_AT_FIRST_MAX };
        let in_a_row = self.in_a_row.load(Ordering::Relaxed);
        // At a high rate a host that is gone for a moment fails many in a row.
        let lasted_ns = self.last_ns.load(Ordering::Relaxed).saturating_sub(self.since_ns.load(Ordering::Relaxed));
        let is_long = !answered || lasted_ns >= ROW_LASTS_NS;
        (in_a_row >= limit && is_long).then_some(in_a_row as u32)
    }
}

/// A row of failures ends a run when it has gone on for so long: a service that restarts is back by then.
const ROW_LASTS_NS: u64 = 3_000_000_000;
/// So many failures in a row end a run.
const FAILURES_MAX: u64 = 10;
/// So many end it when nothing was ever answered.
const FAILURES_AT_FIRST_MAX: u64 = 3;
