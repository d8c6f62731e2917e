//! What a host remembers of its clients (protocol description, section 6).

use std::collections::HashMap;
use std::time::Duration;

use crate::wire::{FileTime, Guid};

/// The client machine ids of one application and when each was last seen.
///
/// Its size is twice the largest N policy any client has asked for and never
/// shrinks; an entry lasts thirty days, or until newer ones push it out; the
/// same id counts once.
#[derive(Debug, Default)]
pub struct ClientTable {
    seen: HashMap<Guid, FileTime>,
    size: usize,
}

impl ClientTable {
    /// Counts a client whose N policy is `n_policy` at `now`, and returns how many are in the table, it included.
    pub fn count(&mut self, cmid: Guid, n_policy: u32, now: FileTime) -> u32 {
        self.size = self.size.max(2 * n_policy as usize).max(1);
        self.seen.retain(|_, seen| seen.distance(now) < LIFETIME || *seen > now);
        self.seen.insert(cmid, now);
        while self.seen.len() > self.size {
            let oldest = self.seen.iter().filter(|(id, _)| **id != cmid).min_by_key(|(id, seen)| (**seen, **id));
            let Some(oldest) = oldest.map(|(id, _)| *id) else { break };
            self.seen.remove(&oldest);
        }
        self.seen.len() as u32
    }
}

/// How long an entry lasts after it was last seen.
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    const START: FileTime = FileTime(134_396_615_660_000_000);

    fn id(number: u128) -> Guid {
        Guid::from_u128(number)
    }

    fn after_days(days: i64) -> FileTime {
        START.saturating_add(SignedDuration::from_hours(24 * days))
    }

    #[test]
    fn each_machine_counts_once() {
        let mut table = ClientTable::default();
        assert_eq!(table.count(id(1), 25, START), 1);
        assert_eq!(table.count(id(2), 25, START), 2);
        assert_eq!(table.count(id(1), 25, START), 2);
    }

    #[test]
    fn the_table_holds_twice_the_largest_n_and_never_shrinks() {
        let mut table = ClientTable::default();
        for number in 0..30 {
            table.count(id(number), 5, START);
        }
        assert_eq!((table.count(id(30), 5, START), table.size), (10, 10));
        assert_eq!(table.count(id(31), 25, START), 11);
        for number in 100..200 {
            table.count(id(number), 5, START);
        }
        assert_eq!((table.count(id(1), 5, START), table.size), (50, 50));
    }

    #[test]
    fn the_oldest_gives_way_to_the_newest() {
        let mut table = ClientTable::default();
        for number in 0..10 {
            table.count(id(number), 5, after_days(number as i64));
        }
        table.count(id(0), 5, after_days(10));
        table.count(id(10), 5, after_days(11));
        assert!(table.seen.contains_key(&id(0)) && !table.seen.contains_key(&id(1)));
    }

    #[test]
    fn an_entry_lasts_thirty_days_from_its_last_contact() {
        let mut table = ClientTable::default();
        table.count(id(1), 25, START);
        assert_eq!(table.count(id(2), 25, after_days(29)), 2);
        assert_eq!(table.count(id(3), 25, after_days(30)), 2);
        table.count(id(2), 25, after_days(58));
        assert_eq!(table.count(id(3), 25, after_days(87)), 2);
    }

    #[test]
    fn a_clock_set_back_forgets_nobody() {
        let mut table = ClientTable::default();
        table.count(id(1), 25, START);
        assert_eq!(table.count(id(2), 25, after_days(-40)), 2);
    }

    #[test]
    fn no_n_at_all_still_counts_the_requester() {
        assert_eq!(ClientTable::default().count(id(1), 0, START), 1);
    }
}
