//! Who is to start next, and when.

use std::ops::Range;
use std::time::Duration;

use super::agenda::Agenda;
use crate::scenario::{Arrive, Plan, Step};

/// The starts of one worker: its share of a step's arrivals.
pub(super) struct Starts<'p> {
    end: usize,
    worker: usize,
    workers: usize,
    /// Nobody is due from then on.
    over_ns: u64,
    /// Whoever was due and has not started by then is not started any more.
    given_up_ns: u64,
    way: Way<'p>,
}

enum Way<'p> {
    /// Each at its own time, whether others are done or not.
    Timed { times: Box<dyn Iterator<Item = Duration> + Send + 'p>, begun_ns: u64, next: Option<Start> },
    /// So many at a time.
    Turns {
        next: usize,
        /// How many may start.
        seats: usize,
    },
    /// Each when its lease makes it, and again when that does. Whoever has started comes again when put back.
    Leased { agenda: Box<Agenda>, started: usize },
}

/// One start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    /// Its place among the step's arrivals.
    pub position: usize,
    /// When it is due; `None` as soon as it can be.
    pub due_ns: Option<u64>,
    /// Whose lease makes it, by its number in the worker's share, if one does.
    pub leased: Option<u32>,
}

impl<'p> Starts<'p> {
    /// The share of worker `worker` of `workers`, in a step whose arrivals begin at `begun_ns`: every
    /// so-many-th arrival, so that nobody has to agree with anybody.
    pub fn new(
        plan: &'p Plan,
        number: usize,
        arrivals: Range<usize>,
        worker: usize,
        workers: usize,
        begun_ns: u64,
    ) -> Starts<'p> {
        let step = &plan.steps[number];
        let end_ns = |lasts| begun_ns.saturating_add(nanoseconds(lasts));
        let over_ns = step.repeat.lasts.map_or(u64::MAX, end_ns);
        let given_up_ns = step.gives_up_after().map_or(u64::MAX, end_ns);
        let first = arrivals.start + worker;
        let way = match (step.arrive.clone(), plan.times(number)) {
            (Arrive::Turns { concurrency }, _) => {
                let seats = concurrency / workers + usize::from(worker < concurrency % workers);
                Way::Turns { next: first, seats }
            }
            (_, Some(mut times)) => {
                let next = times.nth(worker).map(|time| {
                    let due_ns = Some(begun_ns.saturating_add(nanoseconds(time)));
                    Start { position: first, due_ns, leased: None }
                });
                Way::Timed { times, begun_ns, next }
            }
            // Leases make no list: nobody is listed for them.
            (_, None) => Way::Turns { next: arrivals.end, seats: 0 },
        };
        Starts { end: arrivals.end, worker, workers, over_ns, given_up_ns, way }
    }

    /// The share of worker `worker` of `workers`, in a step that goes by leases from `begun_ns` to `over_ns`: every
    /// so-many-th activation, each with when it is due first.
    pub fn leased(
        firsts_ns: impl ExactSizeIterator<Item = Option<u64>>,
        worker: usize,
        workers: usize,
        begun_ns: u64,
        over_ns: u64,
    ) -> Starts<'p> {
        let mut agenda = Box::new(Agenda::new(firsts_ns.len(), begun_ns));
        for (number, first_ns) in (0..).zip(firsts_ns) {
            if let Some(first_ns) = first_ns {
                agenda.put(number, first_ns);
            }
        }
        let lasts = Duration::from_nanos(over_ns.saturating_sub(begun_ns));
        let given_up_ns = begun_ns.saturating_add(nanoseconds(Step::gives_up_after_a(lasts)));
        Starts { end: usize::MAX, worker, workers, over_ns, given_up_ns, way: Way::Leased { agenda, started: 0 } }
    }

    /// Where an activation of its share stands among those of the step.
    pub fn place(&self, leased: u32) -> u64 {
        self.worker as u64 + u64::from(leased) * self.workers as u64
    }

    /// Whoever asked by its lease asks again at `due_ns`.
    pub fn put_back(&mut self, leased: u32, due_ns: u64) {
        if let Way::Leased { agenda, .. } = &mut self.way {
            agenda.put(leased, due_ns);
        }
    }

    /// Looks who is due by now. The next start is known only then where leases make it.
    pub fn look(&mut self, now_ns: u64) {
        if let Way::Leased { agenda, .. } = &mut self.way {
            agenda.look(now_ns);
        }
    }

    /// When there is a start to be made, or to be looked for; `None` as long as there is not.
    pub fn next_ns(&self, now_ns: u64) -> Option<u64> {
        match &self.way {
            Way::Leased { agenda, .. } => Some(agenda.next_ns().unwrap_or(self.over_ns)),
            _ => self.peek().map(|start| start.due_ns.unwrap_or(now_ns)),
        }
    }

    /// The next start, if there is one still and, where so many go at a time, a seat for it.
    pub fn peek(&self) -> Option<Start> {
        match &self.way {
            Way::Timed { next, .. } => {
                next.filter(|start| start.position < self.end && start.due_ns.is_none_or(|due| due < self.over_ns))
            }
            Way::Turns { next, seats } if *seats > 0 && *next < self.end => {
                Some(Start { position: *next, due_ns: None, leased: None })
            }
            Way::Turns { .. } => None,
            Way::Leased { agenda, started } => agenda.first().map(|(due_ns, leased)| Start {
                position: self.worker + started * self.workers,
                due_ns: Some(due_ns),
                leased: Some(leased),
            }),
        }
    }

    /// That start was made, or given up.
    pub fn take(&mut self) {
        match &mut self.way {
            Way::Timed { times, begun_ns, next } => {
                let begun_ns = *begun_ns;
                *next = next.and_then(|start| {
                    let time = times.nth(self.workers - 1)?;
                    let due_ns = Some(begun_ns.saturating_add(nanoseconds(time)));
                    Some(Start { position: start.position + self.workers, due_ns, leased: None })
                });
            }
            Way::Turns { next, seats } => {
                *next += self.workers;
                *seats -= 1;
            }
            Way::Leased { agenda, started } => {
                agenda.take();
                *started += 1;
            }
        }
    }

    /// Whoever sat there is done and rested.
    pub fn free_seat(&mut self) {
        if let Way::Turns { seats, .. } = &mut self.way {
            *seats += 1;
        }
    }

    /// Whether arrivals have times of their own.
    pub fn are_timed(&self) -> bool {
        !matches!(self.way, Way::Turns { .. })
    }

    /// Whether nobody is left to start at `now_ns`.
    pub fn are_over(&self, now_ns: u64) -> bool {
        match &self.way {
            Way::Timed { .. } => now_ns >= self.given_up_ns || self.peek().is_none(),
            Way::Turns { next, .. } => *next >= self.end || now_ns >= self.over_ns,
            // Until then somebody under way may be put back.
            Way::Leased { agenda, .. } => {
                now_ns >= self.given_up_ns || (agenda.next_ns().is_none() && now_ns >= self.over_ns)
            }
        }
    }

    /// How many are due by `now_ns` that have not started.
    pub fn overdue(&mut self, now_ns: u64) -> u64 {
        let mut overdue = 0;
        self.look(now_ns);
        while self.are_timed() && self.peek().is_some_and(|start| start.due_ns.is_some_and(|due| due <= now_ns)) {
            overdue += 1;
            self.take();
            self.look(now_ns);
        }
        overdue
    }
}

/// Longer than five centuries is for ever.
fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Ids, ShippedTables, load};

    fn plan(arrive: &str) -> Plan {
        let file = format!(
            "name = \"starts\"\nquestion = \"Who?\"\n[clients.a]\ncount = 10\nproduct = \"Windows Server 2022 Standard\"\n\
             [[step]]\ntitle = \"all\"\nclients = [\"a\"]\narrive = {arrive}\n"
        );
        load(&file, "starts.toml", &ShippedTables).unwrap().plan(1, Ids::Seeded)
    }

    fn all(plan: &Plan, worker: usize, workers: usize) -> Vec<Start> {
        let mut starts = Starts::new(plan, 0, 0..10, worker, workers, 1_000);
        std::iter::from_fn(|| {
            let start = starts.peek()?;
            starts.take();
            starts.free_seat();
            Some(start)
        })
        .collect()
    }

    #[test]
    fn the_shares_of_all_workers_are_the_whole() {
        for arrive in
            ["{ rate = \"1000/s\", spread = \"poisson\" }", "{ concurrency = 3 }", "{ rate = \"10/s\", burst = 4 }"]
        {
            let plan = plan(arrive);
            let whole = all(&plan, 0, 1);
            assert_eq!(whole.len(), 10, "{arrive}");
            // Nobody is a worker who has no seat.
            for workers in 2..=3 {
                let mut shared: Vec<Start> = (0..workers).flat_map(|worker| all(&plan, worker, workers)).collect();
                shared.sort_by_key(|start| start.position);
                assert_eq!(shared, whole, "{arrive}, {workers} workers");
            }
        }
    }

    #[test]
    fn seats_are_shared_out_and_nobody_starts_without_one() {
        let plan = plan("{ concurrency = 5 }");
        let seats = |worker| {
            let mut starts = Starts::new(&plan, 0, 0..10, worker, 2, 0);
            std::iter::from_fn(|| starts.peek().map(|_| starts.take())).count()
        };
        assert_eq!((seats(0), seats(1)), (3, 2));
    }

    #[test]
    fn whoever_has_not_started_long_after_the_end_never_does() {
        let mut plan = plan("{ rate = \"1000/s\" }");
        plan.steps[0].repeat.lasts = Some(Duration::from_millis(5));
        let mut starts = Starts::new(&plan, 0, 0..10, 0, 1, 0);
        // A little late is late, and no more than that.
        assert!(!starts.are_over(900_000_000) && starts.peek().is_some());
        assert!(starts.are_over(1_005_000_000));
        assert_eq!(starts.overdue(1_005_000_000), 5);
    }

    #[test]
    fn who_goes_by_a_lease_comes_again_when_put_back() {
        let firsts_ns = [Some(5_000_000), None, Some(3_000_000)];
        let mut starts = Starts::leased(firsts_ns.into_iter(), 1, 4, 1_000, 9_000_000);
        assert_eq!([0, 1, 2].map(|leased| starts.place(leased)), [1, 5, 9]);
        assert_eq!(starts.peek(), None, "nobody has looked");
        starts.look(6_000_000);
        let start = |position, due_ns, leased| Some(Start { position, due_ns: Some(due_ns), leased: Some(leased) });
        assert_eq!(starts.peek(), start(1, 3_000_000, 2));
        starts.take();
        assert_eq!(starts.peek(), start(5, 5_000_000, 0));
        starts.take();
        // Both are under way, and until the end one of them may come again.
        assert_eq!((starts.peek(), starts.next_ns(6_000_000)), (None, Some(9_000_000)));
        assert!(starts.are_timed() && !starts.are_over(6_000_000));
        starts.put_back(2, 8_500_000);
        assert!(!starts.are_over(9_000_000), "it was due before");
        starts.look(9_000_000);
        assert_eq!(starts.peek(), start(9, 8_500_000, 2));
        assert_eq!(starts.overdue(9_000_000), 1);
        assert!(starts.are_over(9_000_000));
    }

    #[test]
    fn whoever_is_due_and_did_not_start_is_counted() {
        let plan = plan("{ rate = \"1000/s\" }");
        let mut starts = Starts::new(&plan, 0, 0..10, 0, 1, 0);
        starts.take();
        assert_eq!(starts.overdue(3_500_000), 3);
        assert_eq!(starts.peek(), Some(Start { position: 4, due_ns: Some(4_000_000), leased: None }));
    }
}
