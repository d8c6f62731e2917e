//! Carrying a plan out over sockets.

mod account;
mod by_leases;

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::sync::mpsc::Sender as Events;
use tokio::task::JoinSet;

use account::Account;

use super::attempt::{Attempt, ask};
use super::clock::Clock;
use super::connection::{Connection, Failed, Way, connect, tell};
use super::embedded::EmbeddedLab;
use super::failures::Failures;
use super::fleet::Fleet;
#[cfg(target_os = "linux")]
use super::hot;
use super::leases::LEASE_ORDINALS;
use super::pacer::Pacer;
use super::stop::Stop;
use super::terms::{Engine, Terms};
use super::virtual_time;
use crate::checks::Quiet;
use crate::events::{Event, Exchange, RunError, Tally};
use crate::population::Bodies;
use crate::proto::verify::Repeats;
use crate::proto::{Ask, Failure, Moment, Offer, Reply};
use crate::scenario::{Arrival, Arrive, HostState, Plan, Step, TableNeeds, TimeMode};
use crate::wire::FileTime;

/// The host a run is against.
#[derive(Debug)]
pub struct HostUnderTest {
    /// Its addresses, in the order they are tried.
    pub addresses: Vec<SocketAddr>,
    /// The embedded lab host, when it is that.
    pub lab: Option<EmbeddedLab>,
    /// What keeps requests to it apart.
    pub pacer: Pacer,
    /// How many connections were opened to it so far.
    pub connections: AtomicU64,
}

impl HostUnderTest {
    /// Whether anything accepts connections there; the failure says why not.
    pub async fn check_reachable(&self, limit: Duration) -> Result<(), Failure> {
        connect(&self.addresses, limit).await.map(drop)
    }
}

/// Carries out every step of `plan` in order, and tells what happens as `events`.
pub async fn run_plan(
    plan: Arc<Plan>,
    host: Arc<HostUnderTest>,
    terms: Terms,
    clock: Clock,
    quiet: Arc<Quiet>,
    events: Events<Event>,
    stop: Stop,
) {
    tell(&events, Event::ScenarioStarted { name: plan.name.clone() }).await;
    let begun = clock.now();
    let (ended, took) = match (plan.time, &host.lab) {
        (TimeMode::Virtual { begins }, Some(lab)) => {
            virtual_time::run(&plan, lab, begins, terms.connection, &events, &stop).await
        }
        (TimeMode::Virtual { .. }, None) => (Err(RunError::NeedsEmbeddedHost), Duration::ZERO),
        (TimeMode::Wall, _) => {
            let fleet = Fleet::new(&plan, clock.wall(), clock.now());
            let bodies = Bodies::new(&plan.population, fleet.began());
            let crew = Crew {
                run: Run { plan, host, terms, clock, events: events.clone(), stop },
                fleet,
                failures: Failures::default(),
                quiet,
                bodies,
                ivs: Repeats::new(),
                randoms: Repeats::new(),
                under_way: AtomicU64::new(0),
                account: Account::default(),
                idle: Mutex::default(),
                asked: AtomicU64::new(0),
                not_empty: OnceLock::new(),
                round: AtomicU64::new(0),
                lease_ordinals: AtomicU64::new(0),
            };
            let ended = Arc::new(crew).steps().await;
            (ended, clock.now() - begun)
        }
    };
    tell(&events, Event::ScenarioFinished { duration: took, ended_early: ended.err() }).await;
}

fn lost(error: std::io::Error) -> RunError {
    RunError::HostLost(error.to_string())
}

pub(super) struct Run {
    pub plan: Arc<Plan>,
    pub host: Arc<HostUnderTest>,
    pub terms: Terms,
    pub clock: Clock,
    pub events: Events<Event>,
    pub stop: Stop,
}

/// Everyone who works on a run over sockets, and what they share.
pub(super) struct Crew {
    pub run: Run,
    pub fleet: Fleet,
    pub failures: Failures,
    /// What may go untold.
    pub quiet: Arc<Quiet>,
    /// The bodies of its machines' requests.
    pub bodies: Bodies,
    /// The IVs and randoms of the last answers.
    pub ivs: Repeats,
    pub randoms: Repeats,
    /// How many requests are under way.
    under_way: AtomicU64,
    /// How the generator does, where no workers keep accounts.
    account: Account,
    /// Connections that wait for the next call of whoever comes first.
    idle: Mutex<Vec<Kept>>,
    /// How many requests were made.
    pub asked: AtomicU64,
    /// A count that only a host can say which had counted others, when the scenario needs one that has not.
    not_empty: OnceLock<u32>,
    /// How often the whole scenario was gone through before.
    round: AtomicU64,
    /// How many ordinals were given to requests that leases made.
    lease_ordinals: AtomicU64,
}

impl Crew {
    /// Every step; all of them again and again, when the run is to last for some time.
    async fn steps(self: &Arc<Crew>) -> Result<(), RunError> {
        let end = self.run.clock.now() + self.run.terms.lasts;
        loop {
            for step in 0..self.run.plan.steps.len() {
                let result = self.step(step).await;
                self.tell_account(self.account.close(step)).await;
                for kept in self.idle.lock().await.drain(..) {
                    kept.connection.close(&self.run.events).await;
                }
                result?;
            }
            if self.run.clock.now() >= end {
                return Ok(());
            }
            self.round.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn step(self: &Arc<Crew>, number: usize) -> Result<(), RunError> {
        let Run { plan, host, events, stop, .. } = &self.run;
        let step = &plan.steps[number];
        if let Some(lab) = &host.lab {
            if step.host == HostState::Fresh {
                lab.forget_clients();
            }
            lab.set_down(step.host == HostState::Down).await.map_err(lost)?;
        }
        tell(events, Event::StepStarted { step: number, fresh_host: step.host == HostState::Fresh }).await;
        if step.host == HostState::Down && host.lab.is_none() {
            // Nobody takes a host out of service that is not ours.
            tell(events, Event::StepFinished { step: number }).await;
            return Ok(());
        }
        stop.sleep(step.wait).await;
        if let Arrive::Lifecycle { speed, .. } = step.arrive {
            self.by_their_leases(number, speed).await?;
        }
        // Leases make no list.
        for (round, arrivals) in step.rounds().enumerate() {
            if round > 0 {
                stop.sleep(step.repeat.pause).await;
            }
            match step.arrive {
                _ if self.suits_workers(step) => self.by_workers(number, arrivals).await?,
                Arrive::Turns { concurrency } => self.in_turns(number, arrivals, concurrency).await?,
                _ => self.at_their_times(number, arrivals).await?,
            }
        }
        self.tell_account(self.account.close(number)).await;
        if let (HostState::Down, Some(lab)) = (step.host, &host.lab) {
            lab.set_down(false).await.map_err(lost)?;
        }
        if stop.is_set() {
            return Err(RunError::Stopped);
        }
        tell(events, Event::StepFinished { step: number }).await;
        Ok(())
    }

    /// So many at a time, each when one before it is done.
    async fn in_turns(
        self: &Arc<Crew>,
        number: usize,
        arrivals: Range<usize>,
        concurrency: usize,
    ) -> Result<(), RunError> {
        let next = Arc::new(AtomicUsize::new(arrivals.start));
        let workers = concurrency.min(arrivals.len());
        let until = self.run.plan.steps[number].repeat.lasts.map(|lasts| self.run.clock.now() + lasts);
        if workers <= 1 {
            return self.work(number, &next, arrivals.end, until).await;
        }
        let mut crew = JoinSet::new();
        for _ in 0..workers {
            let (this, next) = (Arc::clone(self), Arc::clone(&next));
            crew.spawn(async move { this.work(number, &next, arrivals.end, until).await });
        }
        let mut result = Ok(());
        while let Some(worker) = crew.join_next().await {
            result = result.and(worker.expect("a worker does not panic"));
        }
        result
    }

    /// Each at its own time, whether others are done or not. A late start keeps the time it was meant for.
    async fn at_their_times(self: &Arc<Crew>, number: usize, arrivals: Range<usize>) -> Result<(), RunError> {
        let Run { plan, clock, stop, host, .. } = &self.run;
        let begun = clock.now();
        let Some(times) = plan.times(number) else { return Ok(()) };
        let mut under_way = JoinSet::new();
        let given_up = plan.steps[number].gives_up_after().map(|after| begun + after);
        let mut starts = arrivals.zip(times).peekable();
        while let Some((position, time)) = starts.next_if(|_| given_up.is_none_or(|given_up| clock.now() < given_up)) {
            let due = begun + time;
            stop.sleep(due - clock.now()).await;
            if self.may_go_on(self.under_way.load(Ordering::Relaxed) as usize).is_err() {
                break;
            }
            let late_max = self.run.terms.drive.late_max;
            if late_max.is_some_and(|max| clock.now() - due > max) {
                self.tell_account(self.account.note_missed(number, 1, clock.now())).await;
                continue;
            }
            let due = host.pacer.wait_for(due, *clock).await;
            while let Some(arrived) = under_way.try_join_next() {
                arrived.expect("an arrival does not panic");
            }
            if under_way.len() >= self.run.terms.drive.open_max
                && let Some(arrived) = under_way.join_next().await
            {
                arrived.expect("an arrival does not panic");
            }
            let this = Arc::clone(self);
            under_way.spawn(async move { this.arrive(number, position, due).await });
        }
        let now = clock.now();
        let gave_up = given_up.is_some_and(|given_up| now >= given_up);
        // Who was due by now and was not let go has missed it; who gave up misses the others too.
        let missed = starts.take_while(|(_, time)| gave_up || begun + *time <= now).count() as u64;
        // Whatever ends the step, what is under way is finished and told of.
        while let Some(arrived) = under_way.join_next().await {
            arrived.expect("an arrival does not panic");
        }
        if missed > 0 {
            self.tell_account(self.account.note_missed(number, missed, clock.now())).await;
        }
        self.may_go_on(self.under_way.load(Ordering::Relaxed) as usize)
    }

    /// Whether a step goes to the workers of the load engine.
    fn suits_workers(&self, step: &Step) -> bool {
        // A host that is kept to a pace is asked so seldom that nothing is gained.
        let is_paced = self.run.host.pacer.gap().is_some();
        let is_load = !matches!(step.arrive, Arrive::Turns { concurrency: 1 });
        cfg!(target_os = "linux")
            && !is_paced
            && match self.run.terms.drive.engine {
                Engine::Auto => is_load,
                Engine::Epoll => true,
                Engine::Portable => false,
            }
    }

    #[cfg(target_os = "linux")]
    async fn by_workers(self: &Arc<Crew>, number: usize, arrivals: Range<usize>) -> Result<(), RunError> {
        hot::carry(self, number, arrivals).await
    }

    #[cfg(not(target_os = "linux"))]
    async fn by_workers(self: &Arc<Crew>, _number: usize, _arrivals: Range<usize>) -> Result<(), RunError> {
        unreachable!("no step suits workers here")
    }

    /// How many workers share a step.
    pub fn workers(&self, number: usize) -> usize {
        let seats = self.run.plan.steps[number].concurrency().unwrap_or(usize::MAX);
        self.run.terms.drive.workers().min(seats)
    }

    pub fn now(&self) -> Moment {
        self.run.clock.now()
    }

    /// Whether more may start while so many are under way.
    pub fn may_go_on(&self, under_way: usize) -> Result<(), RunError> {
        if self.run.stop.is_set() {
            return Err(RunError::Stopped);
        }
        if let Some(&count) = self.not_empty.get() {
            return Err(RunError::HostNotEmpty(count));
        }
        let failures = self.failures.too_many(under_way as u64);
        failures.map_or(Ok(()), |failures| Err(RunError::HostSilent(failures)))
    }

    /// Who arrives at a place of a step. A request that is made again in another round is another request.
    pub fn arrival(&self, number: usize, position: usize) -> Arrival {
        let plan = &self.run.plan;
        let arrival = plan.arrival(number, position);
        let again = self.round.load(Ordering::Relaxed) * plan.arrivals() as u64;
        let ordinal = arrival.ordinal + again;
        Arrival { ordinal: self.of_table(ordinal), ..arrival }
    }

    /// The first of so many ordinals for requests that leases make.
    pub fn take_lease_ordinals(&self, many: u64) -> u64 {
        LEASE_ORDINALS | self.lease_ordinals.fetch_add(many, Ordering::Relaxed)
    }

    /// The ordinal of a request, among those that a host has answers to if it has a table of them.
    pub fn of_table(&self, ordinal: u64) -> u64 {
        self.run.terms.drive.canned.map_or(ordinal, |canned| ordinal % canned.ordinals.max(1))
    }

    /// Takes in what an exchange came to.
    pub fn conclude(&self, number: usize, arrival: &Arrival, exchange: &Exchange, wall: FileTime) {
        let plan = &self.run.plan;
        self.fleet.conclude(plan, arrival.activation, exchange, wall);
        if plan.steps[number].host != HostState::Down {
            self.failures.note(&exchange.answer, exchange.received);
        }
        if let (TableNeeds::Empty, Some(response)) = (plan.host.table, &exchange.answer.response)
            && u64::from(response.count) > self.asked.load(Ordering::Relaxed)
        {
            let _ = self.not_empty.set(response.count);
        }
    }

    /// Takes arrivals one after another until there are no more, or their time is over.
    async fn work(&self, number: usize, next: &AtomicUsize, end: usize, until: Option<Moment>) -> Result<(), RunError> {
        let Run { plan, host, clock, stop, .. } = &self.run;
        loop {
            self.may_go_on(self.under_way.load(Ordering::Relaxed) as usize)?;
            let position = next.fetch_add(1, Ordering::Relaxed);
            if position >= end {
                return Ok(());
            }
            let due = host.pacer.wait(*clock).await;
            if until.is_some_and(|until| due >= until) {
                return Ok(());
            }
            self.arrive(number, position, due).await;
            let left = until.map_or(Duration::MAX, |until| until - clock.now());
            stop.sleep(plan.steps[number].think.min(left)).await;
        }
    }

    async fn arrive(&self, number: usize, position: usize, due: Moment) {
        self.arrive_as(number, position, &self.arrival(number, position), due).await;
    }

    /// Makes one request, and says when it was made.
    async fn arrive_as(&self, number: usize, position: usize, arrival: &Arrival, due: Moment) -> Moment {
        let Run { plan, clock, events, .. } = &self.run;
        let step = &plan.steps[number];
        let machine = self.fleet.machine(plan, arrival);
        let now = clock.now();
        let mut attempt = Attempt::new(number, position, due, now, clock.wall());
        let ask = ask(plan, arrival, &machine, &self.fleet, now, attempt.wall());
        self.asked.fetch_add(1, Ordering::Relaxed);
        let under_way = self.under_way.fetch_add(1, Ordering::Relaxed) + 1;
        self.tell_account(self.account.note_start(number, due, now, under_way)).await;
        tell(events, attempt.announce(&ask)).await;
        let result = self.call(step, arrival, &ask, &mut attempt).await;
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        let wall = clock.wall();
        let exchange = attempt.conclude(&machine, &ask, result, clock.now(), wall);
        self.conclude(number, arrival, &exchange, wall);
        tell(events, Event::Exchange(Box::new(exchange))).await;
        now
    }

    async fn tell_account(&self, told: Option<Box<Tally>>) {
        if let Some(tally) = told {
            tell(&self.run.events, Event::Tally(tally)).await;
        }
    }

    async fn call(&self, step: &Step, arrival: &Arrival, ask: &Ask, attempt: &mut Attempt) -> Result<Reply, Failed> {
        let events = &self.run.events;
        let (mut connection, calls) = match self.take_idle(arrival.offer).await {
            Some(kept) => (kept.connection, kept.calls + 1),
            None => {
                let connection = self.open(arrival.offer).await?;
                attempt.note_opened(connection.opened());
                (connection, 1)
            }
        };
        let result = connection.call(ask.payload(), events).await;
        attempt.note_carried(connection.id(), connection.take_bytes());
        match step.connection.carries_on_after(calls) && result.is_ok() && connection.is_usable() {
            true => self.idle.lock().await.push(Kept { connection, calls, offer: arrival.offer }),
            false => connection.close(events).await,
        }
        result
    }

    async fn take_idle(&self, offer: Offer) -> Option<Kept> {
        let mut idle = self.idle.lock().await;
        let fit = idle.iter().rposition(|kept| kept.offer == offer)?;
        Some(idle.swap_remove(fit))
    }

    async fn open(&self, offer: Offer) -> Result<Connection, Failed> {
        let Run { host, terms, clock, events, .. } = &self.run;
        let id = host.connections.fetch_add(1, Ordering::Relaxed);
        let way = Way { source: terms.drive.source(id), closing: terms.drive.closing };
        Connection::open_by(id, &host.addresses, offer, terms.connection, *clock, events, way).await
    }
}

/// A connection that waits for the next call.
struct Kept {
    connection: Connection,
    /// How many calls it has carried.
    calls: u32,
    offer: Offer,
}
