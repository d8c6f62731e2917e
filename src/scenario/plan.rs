//! The plan: everything that will be sent and expected, decided before the first byte.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use super::expectation::Expectation;
use super::order::Shuffle;
use super::schedule::Arrive;
use super::spec::{
    ConnectionUse, HostNeeds, HostState, Order, Repeat, Scenario, Selection, StepSpec, TIMED_ARRIVALS_MAX, TimeMode,
};
use super::threshold::Threshold;
use crate::catalog;
use crate::client::{Intervals, Machine};
use crate::population::{Activation, Group, Ids, Machines, Place, Population};
use crate::proto::Offer;
use crate::wire::kms::ProtocolVersion;
use crate::wire::{FileTime, Guid};

/// What a run of one scenario will do. The same file, seed and [`Ids`] give the same plan, on any
/// machine and in any release that gives it the same [`hash`](Plan::hash).
///
/// It is as small as its file: who arrives at which place of a step is worked out when it is asked
/// for, from the place alone.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The scenario's name.
    pub name: String,
    /// The file it came from, as its caller named it.
    pub file: String,
    /// The question it answers.
    pub question: String,
    /// How long it takes, for people.
    pub takes: Option<String>,
    /// What stays on the host, for people.
    pub leaves: Option<String>,
    /// The seed everything random comes from.
    pub seed: u64,
    /// What the host must be before.
    pub host: HostNeeds,
    /// Which time it goes by.
    pub time: TimeMode,
    /// Whether it is there to find out how fast a host is.
    pub measures_speed: bool,
    /// What its measures must keep to.
    pub thresholds: Vec<Threshold>,
    /// The machines.
    pub population: Population,
    /// The steps, one after the other.
    pub steps: Vec<Step>,
    /// SHA-256, in lower-case hex, over everything that decides what is sent and expected, seed
    /// and ids included. Titles, comments and the file's name play no part.
    pub hash: String,
}

/// One step: arrivals, and what is expected of each of them.
#[derive(Debug, Clone)]
pub struct Step {
    /// What it shows.
    pub title: String,
    /// The line of the file it begins on, from 1.
    pub line: usize,
    /// The host it needs.
    pub host: HostState,
    /// How long nothing happens before the first arrival.
    pub wait: Duration,
    /// How connections are used.
    pub connection: ConnectionUse,
    /// How clients arrive.
    pub arrive: Arrive,
    /// Where so many ask at a time: how long each of them rests after an answer, before the next one asks.
    pub think: Duration,
    /// How often the whole list of arrivals is gone through.
    pub repeat: Repeat,
    /// In which order they arrive.
    pub order: Order,
    /// Who arrives.
    pub selections: Vec<Selection>,
    /// The protocol versions each of them asks in; empty means each client's own.
    pub versions: Vec<ProtocolVersion>,
    /// The transfer syntaxes each of them offers, one after the other; never empty.
    pub offers: Vec<Offer>,
    /// What is expected of every answer, beside what the oracle predicts or instead of it.
    pub expect: Vec<Expectation>,
    /// Whether answers are held against what an honest host would say.
    pub oracle: bool,
    /// The activations before each selection and in all of them together; one more than there are selections.
    activations_before: Vec<u64>,
    /// How many arrivals it has, or the most it can have.
    arrivals: u64,
    /// The ordinal of its first request among those of the plan.
    first_ordinal: u64,
}

/// One activation to be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Who asks, and for which product.
    pub activation: Activation,
    /// The protocol version it asks in.
    pub version: ProtocolVersion,
    /// The transfer syntaxes it offers. All arrivals of a step whose connection is kept offer the same.
    pub offer: Offer,
    /// The request's place among all of the plan: what its random follows from.
    pub ordinal: u64,
}

impl Plan {
    /// A product of the catalogue it asks for that a host would refuse because of what it serves.
    pub fn asks_beyond(&self) -> Option<&str> {
        let serves = self.host.serves.as_ref()?;
        let groups: Vec<&Group> = self.population.groups().collect();
        self.arriving().flat_map(|(group, ..)| &groups[usize::from(group)].wanted).find_map(|wanted| {
            let is_volume = catalog::serves(wanted.application_id, wanted.kms_counted_id);
            (is_volume && !serves.contains(&wanted.kms_counted_id)).then_some(wanted.name.as_str())
        })
    }

    /// Whether it can only be carried out against the embedded lab host, and why.
    pub fn needs_embedded_host(&self) -> Option<&'static str> {
        if self.time != TimeMode::Wall {
            return Some("goes by a time of its own, in which only the embedded host can live");
        }
        // A step for which the host must be out of service is left out where that cannot be.
        let fresh = self.steps.iter().any(|step| step.host == HostState::Fresh);
        fresh.then_some("needs a host that has counted nobody, which only the embedded one can be")
    }

    /// How many activations will be asked for, or the most it can be where a step is
    /// [open-ended](Step::is_open_ended): so many ordinals they take. Of steps that go by the machines'
    /// leases, which ask as the answers make them, none are counted.
    pub fn arrivals(&self) -> usize {
        self.steps.iter().map(Step::arrivals).sum()
    }

    /// How many activations will be asked for as far as that is known: of open-ended steps none are counted.
    pub fn arrivals_known(&self) -> usize {
        self.steps.iter().map(Step::arrivals_known).sum()
    }

    /// How many requests reach a host that cannot be taken out of service, as far as that is known: whatever
    /// is to be asked of one that is down is left out there.
    pub fn requests_left(&self) -> usize {
        self.steps.iter().filter(|step| step.host != HostState::Down).map(Step::arrivals_known).sum()
    }

    /// For how long it asks as often as it is answered; `None` when it does not.
    pub fn open_ended_for(&self) -> Option<Duration> {
        let open = || self.steps.iter().filter(|step| step.is_open_ended());
        open().next()?;
        Some(open().filter_map(|step| step.repeat.lasts).fold(Duration::ZERO, Duration::saturating_add))
    }

    /// About how many requests leases make: one from every activation in each interval of renewal
    /// that clients begin with.
    pub fn leased_requests(&self) -> u64 {
        self.steps.iter().map(Step::leased_requests).sum()
    }

    /// About how many of them reach a host that cannot be taken out of service ([`Plan::requests_left`]).
    pub fn leased_requests_left(&self) -> u64 {
        self.steps.iter().filter(|step| step.host != HostState::Down).map(Step::leased_requests).sum()
    }

    /// How long its steps last in which leases say who asks when, by the time the scenario goes by.
    pub fn leases_last(&self) -> Duration {
        self.steps.iter().filter_map(Step::leases_last).fold(Duration::ZERO, Duration::saturating_add)
    }

    /// Whether some step goes by the machines' leases.
    pub fn has_lifecycle(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.arrive, Arrive::Lifecycle { .. }))
    }

    /// Who arrives at a place of a step, from 0.
    pub fn arrival(&self, step: usize, position: usize) -> Arrival {
        let number = step;
        let step = &self.steps[step];
        let ways = step.ways() as u64;
        let round_len = step.round_len() as u64;
        let (round, mut within) = (position as u64 / round_len, position as u64 % round_len);
        if step.order == Order::Shuffled {
            within = Shuffle::new(round_len, self.seed, (number as u64) << 32 | round).at(within);
        }
        let activation = self.activation(step, within / ways);
        let way = (within % ways) as usize;
        let version = match step.versions.as_slice() {
            [] => {
                self.population
                    .group(activation.machine)
                    .wanted_of(activation.machine.number, activation.product)
                    .protocol
            }
            versions => versions[way / step.offers.len()],
        };
        let offer = step.offers[way % step.offers.len()];
        Arrival { activation, version, offer, ordinal: step.first_ordinal + position as u64 }
    }

    /// The activation at a place of a step's selections, from 0.
    pub fn activation(&self, step: &Step, place: u64) -> Activation {
        let selection = step.activations_before.partition_point(|&before| before <= place) - 1;
        let Selection { group, first, .. } = step.selections[selection];
        let group = group as u16;
        let before = self.population.group(Place { group, number: first }).activations_before(first);
        self.population.activation_at(group, before + place - step.activations_before[selection])
    }

    /// When each arrival of a step is due, from its beginning; `None` where they take turns or go by their leases.
    pub fn times(&self, number: usize) -> Option<Box<dyn Iterator<Item = Duration> + Send + '_>> {
        let step = &self.steps[number];
        match &step.arrive {
            Arrive::Turns { .. } | Arrive::Lifecycle { .. } => None,
            Arrive::Open(schedule) => Some(Box::new(schedule.times(self.seed, number as u64))),
            Arrive::Recorded { speed } => {
                let speed = (*speed).max(1);
                Some(Box::new((0..step.round_len()).map(move |position| {
                    let place = self.arrival(number, position).activation.machine;
                    let at = self.population.group(place).row(place.number).map_or(Duration::ZERO, |row| row.at);
                    at / speed
                })))
            }
        }
    }

    /// The machine of an arrival, as it is when the scenario begins at `began`.
    pub fn machine(&self, arrival: &Arrival, began: FileTime) -> Machine {
        self.population.machine(arrival.activation, began)
    }

    /// What people call the machine at a place of a step.
    pub fn label(&self, step: usize, position: usize) -> String {
        self.population.label(self.arrival(step, position).activation.machine)
    }

    /// The largest N policy a host will be asked with. A host's table grows to twice of it for good.
    pub fn largest_n_policy(&self) -> u32 {
        let groups: Vec<&Group> = self.population.groups().collect();
        self.arriving().map(|(group, ..)| groups[usize::from(group)].largest_n_policy()).max().unwrap_or_default()
    }

    /// How many distinct ids each application's clients will have.
    pub fn ids_per_application(&self) -> BTreeMap<Guid, usize> {
        self.population.ids_per_application(self.arriving())
    }

    /// Of each application that is asked for: how many distinct ids ask, and the largest N policy they ask with.
    pub fn asks_per_application(&self) -> Vec<(Guid, u64, u32)> {
        let mut largest: BTreeMap<Guid, u32> = BTreeMap::new();
        let groups: Vec<&Group> = self.population.groups().collect();
        for wanted in self.arriving().flat_map(|(group, ..)| &groups[usize::from(group)].wanted) {
            let most = largest.entry(wanted.application_id).or_default();
            *most = (*most).max(wanted.n_policy);
        }
        let ids = self.ids_per_application();
        largest.into_iter().map(|(id, n)| (id, ids.get(&id).map_or(0, |ids| *ids as u64), n)).collect()
    }

    /// How many distinct machines arrive.
    pub fn machines(&self) -> u64 {
        self.arriving().map(|(_, first, last)| u64::from(last - first) + 1).sum()
    }

    /// The machines that arrive in some step: a group, a first and a last number; ascending, and apart.
    pub fn arriving(&self) -> impl Iterator<Item = (u16, u32, u32)> + use<> {
        let mut ranges: Vec<(u16, u32, u32)> = self
            .steps
            .iter()
            .flat_map(|step| &step.selections)
            .map(|selection| (selection.group as u16, selection.first, selection.last))
            .collect();
        ranges.sort_unstable();
        let mut merged: Vec<(u16, u32, u32)> = Vec::new();
        for (group, first, last) in ranges {
            match merged.last_mut() {
                Some(before) if before.0 == group && first <= before.2.saturating_add(1) => {
                    before.2 = before.2.max(last)
                }
                _ => merged.push((group, first, last)),
            }
        }
        merged.into_iter()
    }
}

impl Step {
    /// How many arrivals it has, or the most it can have when it is [open-ended](Step::is_open_ended);
    /// none when they go by their leases.
    pub fn arrivals(&self) -> usize {
        usize::try_from(self.arrivals).unwrap_or(usize::MAX)
    }

    /// How many arrivals it has as far as that is known before: none when it is open-ended.
    pub fn arrivals_known(&self) -> usize {
        if self.is_open_ended() { 0 } else { self.arrivals() }
    }

    /// Whether nobody can say before how many will arrive: they take turns until their time is over.
    pub fn is_open_ended(&self) -> bool {
        self.repeat.lasts.is_some() && self.concurrency().is_some()
    }

    /// How many activations it lets arrive, each counted once.
    pub fn activations(&self) -> u64 {
        self.activations_before.last().copied().unwrap_or_default()
    }

    /// Its arrivals in the parts that follow one another with a pause between.
    pub fn rounds(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (len, times) = match self.repeat.pause.is_zero() {
            true => (self.arrivals(), usize::from(self.arrivals() > 0)),
            false => (self.round_len(), self.repeat.times as usize),
        };
        (0..times).map(move |round| round * len..(round + 1) * len)
    }

    /// How long it is to last, where the file says that.
    pub fn lasts(&self) -> Option<Duration> {
        match &self.arrive {
            Arrive::Open(schedule) => {
                self.repeat.lasts.or_else(|| Some(schedule.duration(self.arrivals.min(TIMED_ARRIVALS_MAX))))
            }
            _ => self.repeat.lasts.or_else(|| self.leases_last()),
        }
    }

    /// How long after its beginning nobody is started any more who should have been before, where it has an end: a
    /// host that is asked for more than it can carry is not asked for hours after.
    pub fn gives_up_after(&self) -> Option<Duration> {
        self.repeat.lasts.or_else(|| self.leases_last()).map(Step::gives_up_after_a)
    }

    /// The same, of a step that lasts so long.
    pub fn gives_up_after_a(lasts: Duration) -> Duration {
        lasts.saturating_add(CATCH_UP_MIN.max(lasts / CATCH_UP_PART))
    }

    /// About how many requests leases make in it.
    pub fn leased_requests(&self) -> u64 {
        let week_s = u64::from(Intervals::DEFAULT.renewal_min) * 60;
        match self.arrive {
            Arrive::Lifecycle { span, .. } => self.activations() * span.as_secs().div_ceil(week_s).max(1),
            _ => 0,
        }
    }

    /// How long it lasts where leases say who asks when, by the time the scenario goes by.
    pub fn leases_last(&self) -> Option<Duration> {
        match self.arrive {
            Arrive::Lifecycle { span, speed } => Some(span / speed.max(1)),
            _ => None,
        }
    }

    /// How often a second its leases are renewed when all of them are and at different times; `None` where leases do
    /// not say who asks when.
    pub fn renewals_per_s(&self) -> Option<f64> {
        match self.arrive {
            Arrive::Lifecycle { speed, .. } => {
                let interval_s = f64::from(Intervals::DEFAULT.renewal_min) * 60.0;
                Some(self.activations() as f64 * f64::from(speed) / interval_s)
            }
            _ => None,
        }
    }

    /// How many clients ask at a time; `None` where each has a time of its own.
    pub fn concurrency(&self) -> Option<usize> {
        match self.arrive {
            Arrive::Turns { concurrency } => Some(concurrency),
            _ => None,
        }
    }

    /// How many arrive until the first one arrives again.
    pub fn round_len(&self) -> usize {
        self.activations() as usize * self.ways()
    }

    /// How many arrive in all, where nothing of that is left open.
    fn count(&self, seed: u64, number: u64) -> u64 {
        let listed = self.round_len() as u64;
        let arrive = match (&self.arrive, self.repeat.lasts) {
            (Arrive::Lifecycle { .. }, _) => 0,
            _ if listed == 0 => 0,
            (Arrive::Turns { .. }, Some(_)) => TIMED_ARRIVALS_MAX,
            (Arrive::Open(schedule), Some(lasts)) => schedule.arrivals_before(lasts, seed, number),
            _ if self.repeat.most.is_some() => TIMED_ARRIVALS_MAX,
            _ => listed * u64::from(self.repeat.times),
        };
        arrive.min(self.repeat.most.unwrap_or(u64::MAX))
    }

    /// In how many ways each client asks.
    fn ways(&self) -> usize {
        self.versions.len().max(1) * self.offers.len()
    }
}

/// Everything of a plan but its hash, which is taken over the rest of it.
pub(super) fn plan(scenario: &Scenario, seed: u64, ids: Ids) -> Plan {
    let mut highest = vec![0; scenario.groups.len()];
    for selection in scenario.steps.iter().flat_map(|step| &step.selections) {
        highest[selection.group] = highest[selection.group].max(selection.last);
    }
    let mut first_ordinal = 0;
    let steps = scenario
        .steps
        .iter()
        .enumerate()
        .map(|(number, spec)| {
            let step = step(spec, scenario, first_ordinal);
            let arrivals = step.count(seed, number as u64);
            first_ordinal += arrivals;
            Step { arrivals, ..step }
        })
        .collect();
    Plan {
        name: scenario.name.clone(),
        file: scenario.file.clone(),
        question: scenario.question.clone(),
        takes: scenario.takes.clone(),
        leaves: scenario.leaves.clone(),
        seed,
        host: scenario.host.clone(),
        time: scenario.time,
        measures_speed: scenario.measures_speed,
        thresholds: scenario.thresholds.clone(),
        population: Population::new(&scenario.groups, &highest, seed, ids),
        steps,
        hash: String::new(),
    }
}

fn step(spec: &StepSpec, scenario: &Scenario, first_ordinal: u64) -> Step {
    let mut activations_before = vec![0];
    let mut activations = 0;
    for selection in &spec.selections {
        activations += selection.activations(&scenario.groups[selection.group]);
        activations_before.push(activations);
    }
    Step {
        title: spec.title.clone(),
        line: spec.line,
        host: spec.host,
        wait: spec.wait,
        connection: spec.connection,
        arrive: spec.arrive.clone(),
        think: spec.think,
        repeat: spec.repeat,
        order: spec.order,
        selections: spec.selections.clone(),
        versions: spec.versions.clone(),
        offers: spec.offers.clone(),
        expect: spec.expect.clone(),
        oracle: spec.oracle,
        activations_before,
        arrivals: 0,
        first_ordinal,
    }
}

impl Selection {
    /// How many activations its machines have.
    pub fn activations(self, group: &Group) -> u64 {
        match &group.machines {
            Machines::Alike(_) => (u64::from(self.last - self.first) + 1) * group.wanted.len() as u64,
            Machines::Listed(rows) => rows.activations_before(self.last + 1) - rows.activations_before(self.first),
        }
    }
}

/// After the end of a step late starts are made for so long, or for this part of it where that is longer.
const CATCH_UP_MIN: Duration = Duration::from_secs(1);
const CATCH_UP_PART: u32 = 10;
