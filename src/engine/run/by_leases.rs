//! Steps that go by leases, over sockets: each machine asks when its lease makes it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::task::{JoinError, JoinSet};

use super::{Crew, Run};
use crate::engine::leases::Leases;
use crate::events::RunError;
use crate::proto::Moment;
use crate::scenario::Arrival;

impl Crew {
    /// Lets every machine of a step ask when its lease makes it; the leases' time goes `speed` times as fast as ours.
    pub(super) async fn by_their_leases(self: &Arc<Crew>, number: usize, speed: u32) -> Result<(), RunError> {
        self.fleet.set_speed(self.now(), speed);
        let result = match self.suits_workers(&self.run.plan.steps[number]) {
            true => self.leases_by_workers(number).await,
            false => self.leases_by_tasks(number).await,
        };
        self.fleet.set_speed(self.now(), 1);
        result
    }

    /// A task for each who is due. A late start keeps the time it was due at.
    async fn leases_by_tasks(self: &Arc<Crew>, number: usize) -> Result<(), RunError> {
        let Run { plan, clock, stop, host, terms, .. } = &self.run;
        let leases = Leases::new(plan, number, &self.fleet);
        let firsts: Vec<_> =
            (0..plan.steps[number].activations()).filter_map(|place| Some((leases.first(place)?, place))).collect();
        self.fleet.begin(self.now());
        let lease_clock = self.fleet.clock();
        let end = lease_clock.when(leases.ends());
        let mut due: BinaryHeap<Reverse<(Moment, u64)>> =
            firsts.into_iter().map(|(first, place)| Reverse((lease_clock.when(first), place))).collect();
        let mut under_way = JoinSet::new();
        // A machine whose request is under way is not due.
        let asks_again = |concluded: Result<(u64, Moment), JoinError>| {
            let (place, asked) = concluded.expect("an arrival does not panic");
            let next = leases.next(place, lease_clock.at(asked))?;
            Some(Reverse((lease_clock.when(next), place)))
        };
        let given_up = plan.steps[number].gives_up_after().map(|after| lease_clock.from + after);
        let mut position = 0;
        while self.may_go_on(self.under_way.load(Ordering::Relaxed) as usize).is_ok() {
            while let Some(concluded) = under_way.try_join_next() {
                due.extend(asks_again(concluded));
            }
            let now = clock.now();
            if given_up.is_some_and(|given_up| now >= given_up) {
                let missed = due.iter().filter(|Reverse((at, _))| *at < end).count() as u64;
                if missed > 0 {
                    self.tell_account(self.account.note_missed(number, missed, now)).await;
                }
                break;
            }
            let has_room = under_way.len() < terms.drive.open_max;
            let next = due.peek().map(|Reverse((at, _))| *at);
            if next.is_none() && now >= end && under_way.is_empty() {
                break;
            }
            if !has_room || next.is_none_or(|next| next > now) {
                let wait = next.map_or(end, |next| next.min(end)) - now;
                // Whoever is overdue waits for room, and after the end there is nothing to wait for but answers.
                tokio::select! {
                    () = stop.sleep(wait), if has_room && !wait.is_zero() => {}
                    Some(concluded) = under_way.join_next(), if !under_way.is_empty() => {
                        due.extend(asks_again(concluded));
                    }
                }
                continue;
            }
            let Some(Reverse((at, place))) = due.pop() else { break };
            if terms.drive.late_max.is_some_and(|max| now - at > max) {
                self.tell_account(self.account.note_missed(number, 1, now)).await;
                leases.give_up(place, lease_clock.at(now));
                let next = leases.next(place, lease_clock.at(now));
                due.extend(next.map(|next| Reverse((lease_clock.when(next), place))));
                continue;
            }
            let at = host.pacer.wait_for(at, *clock).await;
            let arrival = self.leased_arrival(&leases, place);
            let this = Arc::clone(self);
            under_way.spawn(async move { (place, this.arrive_as(number, position, &arrival, at).await) });
            position += 1;
        }
        // Whatever ends the step, what is under way is finished and told of.
        while let Some(concluded) = under_way.join_next().await {
            concluded.expect("an arrival does not panic");
        }
        self.may_go_on(self.under_way.load(Ordering::Relaxed) as usize)
    }

    #[cfg(target_os = "linux")]
    async fn leases_by_workers(self: &Arc<Crew>, number: usize) -> Result<(), RunError> {
        crate::engine::hot::carry_leases(self, number).await
    }

    #[cfg(not(target_os = "linux"))]
    async fn leases_by_workers(self: &Arc<Crew>, _number: usize) -> Result<(), RunError> {
        unreachable!("no step suits workers here")
    }

    /// Who asks at a place of a step that goes by leases.
    fn leased_arrival(&self, leases: &Leases<'_>, place: u64) -> Arrival {
        let ordinal = self.take_lease_ordinals(1);
        leases.arrival(place, self.of_table(ordinal))
    }
}
