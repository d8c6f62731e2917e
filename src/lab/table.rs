//! What a host remembers of its clients (protocol description, section 6).

use std::collections::HashMap;
use std::time::Duration;

use crate::wire::{FileTime, Guid};

/// The client machine ids of one application and when each was last seen.
///
/// Its size is twice the largest N policy any client has asked for and never
/// shrinks; an entry lasts thirty days, or until newer ones push it out; the
/// same id counts once. So say the honest [`TableRules`].
#[derive(Debug, Default)]
pub struct ClientTable {
    seen: HashMap<Guid, Seen>,
    n_policy_max: u32,
    turns: u64,
}

/// When a client asked last.
#[derive(Debug, Clone, Copy)]
struct Seen {
    at: FileTime,
    /// A clock may show the same for many: their turn tells who asked later.
    turn: u64,
    /// The turn in which it was entered.
    entered: u64,
}

/// How large a table grows and how long its entries last; an honest host's by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableRules {
    /// Entries for each machine of the largest N policy asked for so far.
    pub entries_per_n: usize,
    /// Entries there is room for whatever was asked.
    pub entries_least: usize,
    /// Entries there is no room beyond.
    pub entries_most: usize,
    /// How long an entry lasts after it was last seen.
    pub lifetime: Duration,
    /// Which entry a full table gives up.
    pub gives_way: GivesWay,
    /// Whether a table grows for an N policy only after it made room for who asked with it.
    pub grows_late: bool,
    /// Whether a table that grows loses the entry that was seen last.
    pub forgets_on_growth: bool,
}

impl Default for TableRules {
    fn default() -> TableRules {
        TableRules {
            entries_per_n: 2,
            entries_least: 1,
            entries_most: usize::MAX,
            lifetime: Duration::from_secs(30 * 24 * 3600),
            gives_way: GivesWay::SeenFirst,
            grows_late: false,
            forgets_on_growth: false,
        }
    }
}

/// Which entry makes room for a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivesWay {
    /// The one whose client did not ask for longest.
    SeenFirst,
    /// The one whose client asked last.
    SeenLast,
    /// The one that was entered first, whether its client asked since or not.
    CameFirst,
}

/// What counting a client did to the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// How many were in it before the client came.
    pub before: u32,
    /// How many are in it now.
    pub after: u32,
    /// Whether the client was in it before.
    pub known: bool,
}

impl ClientTable {
    /// Counts a client whose N policy is `n_policy` at `now`.
    pub fn count(&mut self, rules: &TableRules, id: Guid, n_policy: u32, now: FileTime) -> Tally {
        let asked_before = self.n_policy_max;
        let asked_most = asked_before.max(n_policy);
        self.n_policy_max = if rules.grows_late { asked_before } else { asked_most };
        self.turns += 1;
        self.seen.retain(|_, seen| seen.at.distance(now) < rules.lifetime || seen.at > now);
        if rules.forgets_on_growth && asked_before > 0 && asked_most > asked_before {
            let last = self.seen.iter().max_by_key(|(_, seen)| (seen.at, seen.turn)).map(|(last, _)| *last);
            last.and_then(|last| self.seen.remove(&last));
        }
        let before = self.seen.len() as u32;
        let turn = self.turns;
        let entered = self.seen.get(&id).map_or(turn, |seen| seen.entered);
        let known = self.seen.insert(id, Seen { at: now, turn, entered }).is_some();
        while self.seen.len() > self.size(rules) {
            let others = self.seen.iter().filter(|(other, _)| **other != id);
            let gives_way = match rules.gives_way {
                GivesWay::SeenFirst => others.min_by_key(|(_, seen)| (seen.at, seen.turn)),
                GivesWay::SeenLast => others.max_by_key(|(_, seen)| (seen.at, seen.turn)),
                GivesWay::CameFirst => others.min_by_key(|(_, seen)| seen.entered),
            };
            let Some(gives_way) = gives_way.map(|(other, _)| *other) else { break };
            self.seen.remove(&gives_way);
        }
        self.n_policy_max = asked_most;
        Tally { before, after: self.seen.len() as u32, known }
    }

    /// Forgets a client.
    pub fn forget(&mut self, id: Guid) {
        self.seen.remove(&id);
    }

    /// How many entries there is room for.
    fn size(&self, rules: &TableRules) -> usize {
        let asked = rules.entries_per_n.saturating_mul(self.n_policy_max as usize);
        asked.max(rules.entries_least).min(rules.entries_most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    const START: FileTime = FileTime::RECORDED_AT;

    fn id(number: u128) -> Guid {
        Guid::from_u128(number)
    }

    fn after_days(days: i64) -> FileTime {
        START.saturating_add(SignedDuration::from_hours(24 * days))
    }

    impl ClientTable {
        fn counted(&mut self, id: Guid, n_policy: u32, now: FileTime) -> u32 {
            self.count(&TableRules::default(), id, n_policy, now).after
        }

        fn room(&self) -> usize {
            self.size(&TableRules::default())
        }
    }

    #[test]
    fn each_machine_counts_once() {
        let mut table = ClientTable::default();
        assert_eq!(table.counted(id(1), 25, START), 1);
        assert_eq!(table.counted(id(2), 25, START), 2);
        assert_eq!(table.counted(id(1), 25, START), 2);
    }

    #[test]
    fn a_tally_tells_newcomers_from_those_who_were_there() {
        let mut table = ClientTable::default();
        let rules = TableRules::default();
        assert_eq!(table.count(&rules, id(1), 25, START), Tally { before: 0, after: 1, known: false });
        assert_eq!(table.count(&rules, id(1), 25, START), Tally { before: 1, after: 1, known: true });
    }

    #[test]
    fn the_table_holds_twice_the_largest_n_and_never_shrinks() {
        let mut table = ClientTable::default();
        for number in 0..30 {
            table.counted(id(number), 5, START);
        }
        assert_eq!((table.counted(id(30), 5, START), table.room()), (10, 10));
        assert_eq!(table.counted(id(31), 25, START), 11);
        for number in 100..200 {
            table.counted(id(number), 5, START);
        }
        assert_eq!((table.counted(id(1), 5, START), table.room()), (50, 50));
    }

    #[test]
    fn the_oldest_gives_way_to_the_newest() {
        let mut table = ClientTable::default();
        for number in 0..10 {
            table.counted(id(number), 5, after_days(number as i64));
        }
        table.counted(id(0), 5, after_days(10));
        table.counted(id(10), 5, after_days(11));
        assert!(table.seen.contains_key(&id(0)) && !table.seen.contains_key(&id(1)));
    }

    #[test]
    fn an_entry_lasts_thirty_days_from_its_last_contact() {
        let mut table = ClientTable::default();
        table.counted(id(1), 25, START);
        assert_eq!(table.counted(id(2), 25, after_days(29)), 2);
        assert_eq!(table.counted(id(3), 25, after_days(30)), 2);
        table.counted(id(2), 25, after_days(58));
        assert_eq!(table.counted(id(3), 25, after_days(87)), 2);
    }

    #[test]
    fn a_clock_set_back_forgets_nobody() {
        let mut table = ClientTable::default();
        table.counted(id(1), 25, START);
        assert_eq!(table.counted(id(2), 25, after_days(-40)), 2);
    }

    #[test]
    fn no_n_at_all_still_counts_the_requester() {
        assert_eq!(ClientTable::default().counted(id(1), 0, START), 1);
    }
}
