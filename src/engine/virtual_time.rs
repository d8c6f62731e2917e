//! Carrying a plan out in a time of its own: against the embedded host, in memory, with no sockets
//! and no waiting. Everything happens in one order, so the same plan gives the same events, to the byte.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::PoisonError;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::mpsc::Sender as Events;

use super::attempt::{Attempt, ask};
use super::connection::{Failed, Settings, tell};
use super::embedded::EmbeddedLab;
use super::fleet::Fleet;
use super::leases::{LEASE_ORDINALS, Leases};
use super::memory::Link;
use super::stop::Stop;
use crate::events::{Event, RunError};
use crate::proto::{Ask, Failure, FailureKind, Moment, Phase, Reply};
use crate::scenario::{Arrival, Arrive, HostState, Plan, Step};
use crate::wire::FileTime;

/// Carries out every step of `plan` in a time that begins at `begins`; says how it ended and how
/// much of that time went by.
pub(super) async fn run(
    plan: &Plan,
    lab: &EmbeddedLab,
    begins: FileTime,
    settings: Settings,
    events: &Events<Event>,
    stop: &Stop,
) -> (Result<(), RunError>, Duration) {
    let fleet = Fleet::new(plan, begins, Moment::default());
    let mut run = VirtualRun {
        plan,
        lab,
        settings,
        events,
        stop,
        fleet,
        now: Moment::default(),
        links: 0,
        kept: None,
        calls_kept: 0,
        attempts: 0,
    };
    let ended = run.steps().await;
    (ended, run.now.0)
}

struct VirtualRun<'a> {
    plan: &'a Plan,
    lab: &'a EmbeddedLab,
    settings: Settings,
    events: &'a Events<Event>,
    stop: &'a Stop,
    fleet: Fleet,
    /// The time since the scenario began.
    now: Moment,
    links: u64,
    kept: Option<Link>,
    /// How many calls it has carried.
    calls_kept: u32,
    /// How many requests were made as leases made them.
    attempts: u64,
}

impl VirtualRun<'_> {
    async fn steps(&mut self) -> Result<(), RunError> {
        for (number, step) in self.plan.steps.iter().enumerate() {
            if step.host == HostState::Fresh {
                self.lab.forget_clients();
            }
            tell(self.events, Event::StepStarted { step: number, fresh_host: step.host == HostState::Fresh }).await;
            self.now = self.now + step.wait;
            let result = match step.arrive {
                Arrive::Lifecycle { speed, .. } => self.by_their_leases(number, step, speed).await,
                _ => self.by_the_list(number, step).await,
            };
            self.hang_up().await;
            if step.host == HostState::Down {
                self.lab.host().lock().unwrap_or_else(PoisonError::into_inner).was_down();
            }
            result?;
            tell(self.events, Event::StepFinished { step: number }).await;
        }
        Ok(())
    }

    async fn by_the_list(&mut self, number: usize, step: &Step) -> Result<(), RunError> {
        // No time goes by, so what has no other end is gone through once.
        let rounds = step.rounds().map(|round| if step.is_open_ended() { 0..step.round_len() } else { round });
        for (round, arrivals) in rounds.enumerate() {
            if round > 0 {
                self.now = self.now + step.repeat.pause;
            }
            let begun = self.now;
            let mut times = self.plan.times(number);
            for position in arrivals {
                if let Some(time) = times.as_mut().and_then(Iterator::next) {
                    self.now = begun + time;
                }
                let arrival = self.plan.arrival(number, position);
                self.arrive(number, step, position, &arrival).await?;
                self.now = self.now + step.think;
            }
        }
        Ok(())
    }

    /// Lets every machine ask when its lease makes it.
    async fn by_their_leases(&mut self, number: usize, step: &Step, speed: u32) -> Result<(), RunError> {
        self.fleet.set_speed(self.now, speed);
        let clock = self.fleet.clock();
        let mut due: BinaryHeap<_> = (0..step.activations())
            .filter_map(|place| Some(Reverse((self.leases(number).first(place)?, place))))
            .collect();
        let mut position = 0;
        while let Some(Reverse((at, place))) = due.pop() {
            self.now = clock.when(at);
            let arrival = self.leases(number).arrival(place, LEASE_ORDINALS | self.attempts);
            self.attempts += 1;
            self.arrive(number, step, position, &arrival).await?;
            position += 1;
            due.extend(self.leases(number).next(place, at).map(|next| Reverse((next, place))));
        }
        self.now = clock.when(self.leases(number).ends());
        self.fleet.set_speed(self.now, 1);
        Ok(())
    }

    fn leases(&self, number: usize) -> Leases<'_> {
        Leases::new(self.plan, number, &self.fleet)
    }

    async fn arrive(&mut self, number: usize, step: &Step, position: usize, arrival: &Arrival) -> Result<(), RunError> {
        if self.stop.is_set() {
            return Err(RunError::Stopped);
        }
        let (now, wall) = (self.now, self.wall());
        let machine = self.fleet.machine(self.plan, arrival);
        let mut attempt = Attempt::new(number, position, now, now, wall);
        let ask = ask(self.plan, arrival, &machine, &self.fleet, now, wall);
        tell(self.events, attempt.announce(&ask)).await;
        let result = self.call(step, arrival, &ask, &mut attempt).await;
        let exchange = attempt.conclude(&machine, &ask, result, now, wall);
        self.fleet.conclude(self.plan, arrival.activation, &exchange, wall);
        tell(self.events, Event::Exchange(Box::new(exchange))).await;
        Ok(())
    }

    async fn call(
        &mut self,
        step: &Step,
        arrival: &Arrival,
        ask: &Ask,
        attempt: &mut Attempt,
    ) -> Result<Reply, Failed> {
        if step.host == HostState::Down {
            let down = FailureKind::Connect("the host is out of service, as the scenario says".to_owned());
            return Err(Failed::unsent(Failure::new(Phase::Connect, down)));
        }
        if self.kept.as_ref().is_some_and(|kept| kept.offer() != arrival.offer) {
            self.hang_up().await;
        }
        let (now, wall) = (self.now, self.wall());
        let mut link = match self.kept.take() {
            Some(kept) => kept,
            None => {
                let mut link = Link::new(self.links, arrival.offer, self.settings);
                self.links += 1;
                tell(self.events, link.opened_event(now)).await;
                let bound = link.bind(now);
                self.tell_pdus(&mut link).await;
                let opened = match bound {
                    Ok(opened) => opened,
                    Err(failed) => {
                        tell(self.events, Event::ConnectionClosed { id: link.id(), at: now }).await;
                        return Err(failed);
                    }
                };
                attempt.note_opened(opened);
                self.calls_kept = 0;
                link
            }
        };
        let result = {
            let host = self.lab.host();
            let mut host = host.lock().unwrap_or_else(PoisonError::into_inner);
            link.call(now, ask.payload(), &mut |payload| {
                let (_, answer) = host.respond(payload, wall);
                // Its delays cost nothing here: no time passes between a request and its answer.
                if host.manner().hang_up { None } else { Some(answer) }
            })
        };
        self.tell_pdus(&mut link).await;
        attempt.note_carried(link.id(), link.take_bytes());
        self.calls_kept += 1;
        match step.connection.carries_on_after(self.calls_kept) && result.is_ok() && link.is_usable() {
            true => self.kept = Some(link),
            false => tell(self.events, Event::ConnectionClosed { id: link.id(), at: now }).await,
        }
        result
    }

    async fn tell_pdus(&self, link: &mut Link) {
        for event in link.take_events() {
            tell(self.events, event).await;
        }
    }

    async fn hang_up(&mut self) {
        if let Some(link) = self.kept.take() {
            tell(self.events, Event::ConnectionClosed { id: link.id(), at: self.now }).await;
        }
    }

    /// What every right clock shows now.
    fn wall(&self) -> FileTime {
        let passed = SignedDuration::try_from(self.now.0).unwrap_or(SignedDuration::MAX);
        self.fleet.began().saturating_add(passed)
    }
}
