//! The table a host must have when one request came after the other
//! (protocol description, section 6): an exact count for each.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::clock::Span;
use crate::wire::{FileTime, Guid};

/// The machines of one application in the order they were last seen.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    capacity: u64,
    places: HashMap<Guid, u64>,
    order: BTreeMap<u64, Entry>,
    next: u64,
    newest: FileTime,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    cmid: Guid,
    /// Our estimate of the host's clock when it was last asked for.
    wall: FileTime,
    /// What the host's clock can have shown.
    seen: Span,
}

/// From here on the documents do not say which machines a host remembers: it forgot the oldest, and
/// which that is cannot be told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ambiguous;

impl Mirror {
    /// The least and the most a host counts when it takes this request at `now`, and how many its table holds.
    /// Both counts are the same but at the very edge of an entry's thirty days.
    pub fn predict(&self, cmid: Guid, n_policy: u32, now: Span) -> (u32, u32, u64) {
        let (mut gone, mut doubtful) = (0, 0);
        let mut others = self.order.len() as u64 - u64::from(self.places.contains_key(&cmid));
        for entry in self.order.values().take_while(|entry| now.since(entry.seen).1 >= LIFETIME) {
            if entry.cmid == cmid {
                continue;
            }
            if now.since(entry.seen).0 > LIFETIME {
                gone += 1;
            } else {
                doubtful += 1;
            }
        }
        others -= gone;
        let capacity = self.capacity.max(capacity(n_policy));
        let count = |others: u64| u32::try_from((others + 1).min(capacity)).unwrap_or(u32::MAX);
        (count(others - doubtful), count(others), capacity)
    }

    /// The host took the request, at `now`; our estimate of its clock was `wall`.
    ///
    /// # Errors
    /// When from now on nobody can tell which machines are remembered.
    pub fn take(&mut self, cmid: Guid, n_policy: u32, now: Span, wall: FileTime) -> Result<(), Ambiguous> {
        if wall < self.newest {
            return Err(Ambiguous);
        }
        self.newest = wall;
        self.capacity = self.capacity.max(capacity(n_policy));
        while let Some((&place, entry)) = self.order.first_key_value() {
            if now.since(entry.seen).0 <= LIFETIME {
                break;
            }
            self.forget(place);
        }
        let place = self.next;
        self.next += 1;
        if let Some(before) = self.places.insert(cmid, place) {
            self.order.remove(&before);
        }
        self.order.insert(place, Entry { cmid, wall, seen: now });
        let mut evicted = None;
        while self.order.len() as u64 > self.capacity {
            let Some((&oldest, entry)) = self.order.first_key_value() else { break };
            evicted = Some(entry.wall);
            self.forget(oldest);
        }
        match (evicted, self.order.first_key_value()) {
            // The requester is never the one forgotten, however new the others are.
            (Some(wall), Some((&next, entry))) if entry.wall == wall && next != place => Err(Ambiguous),
            _ => Ok(()),
        }
    }

    fn forget(&mut self, place: u64) {
        if let Some(entry) = self.order.remove(&place) {
            self.places.remove(&entry.cmid);
        }
    }
}

/// How many machines a table holds once `n_policy` was asked; the requester always.
pub(super) fn capacity(n_policy: u32) -> u64 {
    (2 * u64::from(n_policy)).max(1)
}

/// How long an entry lasts after it was last seen.
pub(super) const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);
