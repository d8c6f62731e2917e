//! Who is to ask next of machines that ask when their leases make them.
//!
//! A wheel holds all of them, and lets go of each in the tick before the one it is due in; for so short a time they
//! stand in an exact order. So a million of them cost what a wheel costs, and nobody is late for the sake of ticks.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::wheel::Wheel;

/// When each of many timers is due, to the nanosecond. Each is pending once at most.
#[derive(Debug)]
pub(super) struct Agenda {
    /// Its time begins at `begun_ns`.
    wheel: Wheel,
    begun_ns: u64,
    due_ns: Vec<u64>,
    /// Those due within a tick or overdue.
    soon: BinaryHeap<Reverse<(u64, u32)>>,
    fired: Vec<u32>,
}

impl Agenda {
    /// One for the timers `0..timers` from `begun_ns` on, none of them pending.
    pub fn new(timers: usize, begun_ns: u64) -> Agenda {
        Agenda {
            wheel: Wheel::new(timers, TICK_NS),
            begun_ns,
            due_ns: vec![0; timers],
            soon: BinaryHeap::new(),
            fired: Vec::new(),
        }
    }

    /// Lets a timer that is not pending be due at `due_ns`.
    pub fn put(&mut self, id: u32, due_ns: u64) {
        self.due_ns[id as usize] = due_ns;
        self.wheel.insert(id, due_ns.saturating_sub(self.begun_ns).saturating_sub(TICK_NS));
    }

    /// Looks who is due soon, when it is `now_ns`.
    pub fn look(&mut self, now_ns: u64) {
        self.wheel.advance(now_ns.saturating_sub(self.begun_ns), &mut self.fired);
        self.soon.extend(self.fired.drain(..).map(|id| Reverse((self.due_ns[id as usize], id))));
    }

    /// Who is due first of those that are soon, and when.
    pub fn first(&self) -> Option<(u64, u32)> {
        self.soon.peek().map(|Reverse(first)| *first)
    }

    /// Takes the first one out, which is not pending any more.
    pub fn take(&mut self) {
        self.soon.pop();
    }

    /// When somebody is due, or it is time to look again; `None` if nobody is pending.
    pub fn next_ns(&self) -> Option<u64> {
        let look_ns = self.wheel.next_due_ns().map(|look_ns| look_ns.saturating_add(self.begun_ns));
        let due_ns = self.first().map(|(due_ns, _)| due_ns);
        due_ns.into_iter().chain(look_ns).min()
    }
}

/// A tick of the wheel.
const TICK_NS: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BEGUN_NS: u64 = 777_777_777;

    /// Takes everyone out when they are due, waiting as a worker does; who that was, and when.
    fn all(agenda: &mut Agenda) -> Vec<(u64, u32)> {
        let mut now_ns = BEGUN_NS;
        std::iter::from_fn(|| {
            loop {
                agenda.look(now_ns);
                match agenda.first() {
                    Some((due_ns, id)) if due_ns <= now_ns => {
                        agenda.take();
                        return Some((now_ns, id));
                    }
                    _ => {}
                }
                let next_ns = agenda.next_ns()?;
                assert!(next_ns > now_ns, "nobody looks twice at one time");
                now_ns = next_ns;
            }
        })
        .collect()
    }

    proptest! {
        #![proptest_config(crate::cases::config(256))]

        #[test]
        fn everyone_has_their_turn_when_they_are_due_and_in_that_order(
            waits_ns in prop::collection::vec(prop_oneof![0..5_000_000_u64, 0..100_000_000_000_u64], 1..60),
        ) {
            let mut agenda = Agenda::new(waits_ns.len(), BEGUN_NS);
            let mut due: Vec<(u64, u32)> = (0..).zip(&waits_ns).map(|(id, wait_ns)| (BEGUN_NS + wait_ns, id)).collect();
            due.iter().for_each(|&(due_ns, id)| agenda.put(id, due_ns));
            due.sort_unstable();
            prop_assert_eq!(all(&mut agenda), due);
            prop_assert_eq!(agenda.next_ns(), None);
        }
    }

    #[test]
    fn whoever_is_put_back_has_another_turn_and_whoever_is_overdue_has_it_at_once() {
        let mut agenda = Agenda::new(2, BEGUN_NS);
        agenda.put(0, BEGUN_NS + 300);
        agenda.put(1, BEGUN_NS + 200);
        agenda.look(BEGUN_NS + 5_000_000);
        assert_eq!(agenda.first(), Some((BEGUN_NS + 200, 1)), "they keep the times they were due at");
        agenda.take();
        agenda.put(1, BEGUN_NS + 4_000_000);
        agenda.look(BEGUN_NS + 5_000_000);
        assert_eq!(agenda.first(), Some((BEGUN_NS + 300, 0)));
        agenda.take();
        assert_eq!(all(&mut agenda).iter().map(|(_, id)| *id).collect::<Vec<_>>(), [1]);
    }
}
