//! Many machines: groups of them, said in a few numbers, and each machine made when it is its turn.
//!
//! A [`Population`] is small however many machines it has: what a machine is follows from the seed,
//! its group and its number, so a million of them cost what their groups cost. Groups whose
//! machines differ one by one come from a table of [`Rows`].

mod away;
mod bodies;
mod group;
pub mod import;
mod name;
mod rows;
mod share;
#[cfg(test)]
mod tests;

pub use away::Away;
pub use bodies::{Bodies, Written};
pub use group::{Group, LeaseBegins, Machines};
pub use name::{NamePattern, NamePatternError};
pub use rows::{Row, Rows};
pub use share::{Share, ShareError};

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::client::identity::{self, ClientId, Index};
use crate::client::{Domain, Draws, Lease, Machine};
use crate::wire::kms::WorkstationName;
use crate::wire::{FileTime, Guid};

/// Where the client machine ids of a population come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ids {
    /// For the embedded lab host: [`ClientId::mint`] of the seed, the group (counted from 0 in the
    /// order of the file) and the machine's number in it (from 1, as in its label).
    Seeded,
    /// For any other host: the same ids in every run of every scenario, whatever the seed.
    /// The k-th distinct machine of an application, counted from 1 in the order of the file, is
    /// [`ClientId::pool`]`(k)`.
    ///
    /// A host keeps every id for 30 days, counts it and may drop a real client's entry for it.
    /// With a fixed pool a hundred runs leave behind what one leaves, and the admin finds the same
    /// few ids in the log. Applications share the ids, as the Windows and the Office of one
    /// computer do; a host counts them apart.
    Pool,
}

/// Which machine: its group, from 0 in the order of the file, and its number in it, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The group.
    pub group: u16,
    /// The number.
    pub number: u32,
}

/// One thing to activate: a machine, and which of its products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Activation {
    /// The machine.
    pub machine: Place,
    /// Which of the products the machine has, from 0.
    pub product: u16,
}

/// All machines of a plan. The same groups, seed and [`Ids`] give the same machines.
#[derive(Debug, Clone)]
pub struct Population {
    seed: u64,
    ids: Ids,
    groups: Vec<Placed>,
}

#[derive(Debug, Clone)]
struct Placed {
    group: Arc<Group>,
    /// How many activations the groups before it have.
    activations_before: u64,
    /// How many ids of the pool its applications have used before it.
    pool_used: u32,
}

impl Population {
    /// The population of these groups. `highest` says of each the highest number that is ever asked
    /// for; a group of which no machine arrives uses up none of the fixed pool's few ids.
    pub fn new(groups: &[Arc<Group>], highest: &[u32], seed: u64, ids: Ids) -> Population {
        let mut placed = Vec::with_capacity(groups.len());
        let mut activations_before = 0;
        let mut used: HashMap<Guid, u32> = HashMap::new();
        for (group, &highest) in groups.iter().zip(highest) {
            let applications = group.applications();
            let pool_used = applications.iter().filter_map(|id| used.get(id)).copied().max().unwrap_or(0);
            for application in applications {
                used.insert(application, pool_used.saturating_add(group.identities(highest)));
            }
            placed.push(Placed { group: Arc::clone(group), activations_before, pool_used });
            activations_before += group.activations();
        }
        Population { seed, ids, groups: placed }
    }

    /// The groups, in the order of the file.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = &Group> {
        self.groups.iter().map(|placed| placed.group.as_ref())
    }

    /// The group of a machine.
    pub fn group(&self, place: Place) -> &Group {
        &self.groups[usize::from(place.group)].group
    }

    /// Where the ids come from.
    pub fn ids(&self) -> Ids {
        self.ids
    }

    /// Machines with several products count several times.
    pub fn activations(&self) -> u64 {
        self.groups.last().map_or(0, |last| last.activations_before + last.group.activations())
    }

    /// Where an activation stands among all of them, from 0.
    pub fn number_of(&self, activation: Activation) -> u64 {
        let placed = &self.groups[usize::from(activation.machine.group)];
        placed.activations_before
            + placed.group.activations_before(activation.machine.number)
            + u64::from(activation.product)
    }

    /// The activation that stands at `number` among those of group `group`, from 0.
    pub fn activation_at(&self, group: u16, number: u64) -> Activation {
        let (machine, product) = self.groups[usize::from(group)].group.activation_at(number);
        Activation { machine: Place { group, number: machine }, product }
    }

    /// The client machine id of a machine. Machines that were cloned share it.
    pub fn id(&self, place: Place) -> ClientId {
        let placed = &self.groups[usize::from(place.group)];
        self.id_of(place.group, placed.pool_used, placed.group.identity(place.number))
    }

    fn id_of(&self, group: u16, pool_used: u32, identity: u32) -> ClientId {
        match self.ids {
            Ids::Seeded => ClientId::mint(self.seed, id_group(group), id_index(identity)),
            Ids::Pool => ClientId::pool(id_index(pool_used.saturating_add(identity))),
        }
    }

    /// Every id a machine sends: its own, and the one it had before.
    pub fn ids_of(&self, place: Place) -> impl Iterator<Item = ClientId> {
        std::iter::once(self.id(place)).chain(self.previous_id(place))
    }

    /// The id a machine had before, if it was given another one. Hosts only log it.
    fn previous_id(&self, place: Place) -> Option<ClientId> {
        let Placed { group, pool_used, .. } = &self.groups[usize::from(place.group)];
        let identity = group.identity(place.number);
        group.previous_id.then(|| match self.ids {
            Ids::Seeded => ClientId::mint(self.seed, id_group(place.group), id_index(identity | PREVIOUS_ID)),
            // Another of the same few: a host that is not ours is to meet no more than these.
            Ids::Pool => ClientId::pool(id_index(if pool_used + identity > 1 { pool_used + identity - 1 } else { 2 })),
        })
    }

    /// What people call a machine.
    pub fn label(&self, place: Place) -> String {
        self.group(place).label(place.number)
    }

    /// The machine, as it is when the scenario begins at `began`, and about to activate one of its products.
    pub fn machine(&self, activation: Activation, began: FileTime) -> Machine {
        let place = activation.machine;
        let group = self.group(place);
        let workstation = group.workstation(place.number);
        let wanted = group.wanted_of(place.number, activation.product);
        let is_vm = self.is_vm(place);
        Machine {
            label: group.label(place.number),
            id: self.id(place),
            previous_id: self.previous_id(place),
            workstation: WorkstationName::new(&workstation).expect("the readers have seen to it that every name fits"),
            wanted: Arc::clone(wanted),
            is_vm,
            clock: group.clock_of(place.number),
            lease: self.lease(activation, began),
        }
    }

    /// Whether a machine says it is virtual.
    pub fn is_vm(&self, place: Place) -> bool {
        let group = self.group(place);
        match group.row(place.number).and_then(|row| row.is_vm) {
            Some(is_vm) => is_vm,
            None => self.draws(place).is_in(Domain::Virtual, group.vm.millionths()),
        }
    }

    /// The lease of an activation when the scenario begins.
    pub fn lease(&self, activation: Activation, began: FileTime) -> Lease {
        let place = activation.machine;
        let group = self.group(place);
        let rules = group.rules_of(place.number, activation.product);
        match group.begins(place.number) {
            LeaseBegins::Installed => Lease::installed(began, rules),
            LeaseBegins::Aged { least_min, most_min } => {
                let age = self.draws(place).between(Domain::Age, least_min, most_min);
                Lease::activated_ago(began, age, rules)
            }
            LeaseBegins::Standing { status, minutes_left } => Lease::in_state(began, status, minutes_left, rules),
        }
    }

    /// When a machine that wants to ask at `after` (from the beginning of the scenario) is there to
    /// do so. Whoever was away is back within an hour of the span's end.
    pub fn present_from(&self, place: Place, after: Duration) -> Duration {
        let group = self.group(place);
        let mut at = after;
        // Spans may follow upon one another; each is left once at most, in the order of their ends.
        for _ in 0..group.away.len() {
            let inside = group.away.iter().enumerate().find(|(number, away)| {
                away.contains(at) && self.draws(place).is_in(Domain::Away(*number as u8), away.share.millionths())
            });
            match inside {
                Some((number, away)) => at = away.to + self.delay(place, Domain::Back(number as u8), BACK_WITHIN),
                None => break,
            }
        }
        at
    }

    /// How long after a moment that makes many machines ask this one does: nobody asks at the very
    /// same instant.
    pub fn start_delay(&self, place: Place) -> Duration {
        self.delay(place, Domain::Start, START_WITHIN)
    }

    fn delay(&self, place: Place, domain: Domain, within: Duration) -> Duration {
        // In the steps of the clocks that carry it.
        let steps = within.as_nanos() as u64 / FileTime::NANOSECONDS_PER_STEP;
        Duration::from_nanos(self.draws(place).between(domain, 0, steps) * FileTime::NANOSECONDS_PER_STEP)
    }

    fn draws(&self, place: Place) -> Draws {
        Draws::of(self.seed, place.group, place.number)
    }

    /// How many distinct ids each application's clients have, of the machines of these groups from
    /// a first to a last number. The ranges must not overlap.
    pub fn ids_per_application(&self, arriving: impl Iterator<Item = (u16, u32, u32)>) -> BTreeMap<Guid, usize> {
        let mut ids: BTreeMap<Guid, usize> = BTreeMap::new();
        for (group, first, last) in arriving {
            for (application, count) in self.groups[usize::from(group)].group.ids_per_application(first, last) {
                *ids.entry(application).or_default() += count;
            }
        }
        ids
    }
}

fn id_group(number: u16) -> identity::Group {
    identity::Group::new(number).expect("a file has no more groups than ids have room for")
}

fn id_index(number: u32) -> Index {
    Index::new(number).expect("a file has no more clients than ids have room for")
}

/// How long it takes until all are back who were away.
const BACK_WITHIN: Duration = Duration::from_secs(3600);
/// How long it takes until all ask who have a reason to ask at once.
const START_WITHIN: Duration = Duration::from_secs(60);
/// No group has so many machines.
const PREVIOUS_ID: u32 = 1 << 27;
