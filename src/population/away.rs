//! Machines that are not there: holidays, leave, a laptop in a drawer.

use std::time::Duration;

use super::Share;

/// A span in which a share of a group asks nothing of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Away {
    /// From when on, since the scenario began.
    pub from: Duration,
    /// Until when; whoever wanted to ask meanwhile asks then.
    pub to: Duration,
    /// How many of the group, drawn by the seed.
    pub share: Share,
}

impl Away {
    /// Whether `at`, since the scenario began, is within the span.
    pub fn contains(&self, at: Duration) -> bool {
        self.from <= at && at < self.to
    }
}
