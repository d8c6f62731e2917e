//! The plan: everything that will be sent and expected, decided before the first byte.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::expectation::Expectation;
use super::spec::{ConnectionUse, Group, HostState, Scenario, StepSpec};
use crate::catalog::Application;
use crate::client::identity::{self, ClientId, Index, workstation_name};
use crate::client::{Machine, Randomness};
use crate::proto::Offer;
use crate::wire::kms::{ProtocolVersion, WorkstationName};

/// What a run of one scenario will do. The same file, seed and [`Ids`] give the same plan, on any
/// machine and in any release that gives it the same [`hash`](Plan::hash).
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
    /// The machines that arrive in some step, in the order of the file. A machine of a group that
    /// no step lets arrive is not among them.
    pub machines: Vec<Machine>,
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
    /// How connections are used.
    pub connection: ConnectionUse,
    /// How many clients ask at a time; 1 is one by one.
    pub concurrency: usize,
    /// Who asks, in order; never empty.
    pub arrivals: Vec<Arrival>,
    /// What is expected of every answer; never empty.
    pub expect: Vec<Expectation>,
}

/// One activation to be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Index into [`Plan::machines`].
    pub machine: usize,
    /// The protocol version it asks in.
    pub version: ProtocolVersion,
    /// The transfer syntaxes it offers. All arrivals of a step whose connection is kept offer the same.
    pub offer: Offer,
    /// The client's random of a V5 or V6 request.
    pub iv: [u8; 16],
}

/// Where the client machine ids of a plan come from.
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

impl Plan {
    /// Whether a step needs a host with an empty table, which only the embedded lab host can be.
    pub fn needs_fresh_host(&self) -> bool {
        self.steps.iter().any(|step| step.host == HostState::Fresh)
    }

    /// How many activations will be asked for.
    pub fn arrivals(&self) -> usize {
        self.steps.iter().map(|step| step.arrivals.len()).sum()
    }

    /// The largest N policy a host will be asked with. A host's table grows to twice of it for good.
    pub fn largest_n_policy(&self) -> u32 {
        self.machines.iter().map(|machine| machine.n_policy).max().unwrap_or_default()
    }

    /// How many distinct ids each application's clients will have.
    pub fn machines_per_application(&self) -> BTreeMap<Application, usize> {
        let mut ids: BTreeMap<Application, HashSet<ClientId>> = BTreeMap::new();
        for machine in &self.machines {
            ids.entry(machine.product.application).or_default().insert(machine.id);
        }
        ids.into_iter().map(|(application, ids)| (application, ids.len())).collect()
    }
}

/// Everything of a plan but its hash, which is taken over the rest of it.
pub(super) fn plan(scenario: &Scenario, seed: u64, ids: Ids) -> Plan {
    let (machines, places) = machines(scenario, seed, ids);
    let mut randomness = Randomness::new(seed);
    let steps = scenario.steps.iter().map(|spec| step(spec, &scenario.groups, &places, &mut randomness)).collect();
    Plan {
        name: scenario.name.clone(),
        file: scenario.file.clone(),
        question: scenario.question.clone(),
        takes: scenario.takes.clone(),
        leaves: scenario.leaves.clone(),
        seed,
        machines,
        steps,
        hash: String::new(),
    }
}

/// Where the machine of a group and a number stands among the plan's machines.
type Places = HashMap<(usize, u32), usize>;

fn machines(scenario: &Scenario, seed: u64, ids: Ids) -> (Vec<Machine>, Places) {
    let mut machines = Vec::new();
    let mut places = Places::new();
    let mut of_application: HashMap<Application, u32> = HashMap::new();
    for (group_index, group) in scenario.groups.iter().enumerate() {
        for number in arriving(scenario, group_index, group.count) {
            let in_application = of_application.entry(group.product.application).or_default();
            *in_application += 1;
            let id = match ids {
                Ids::Seeded => ClientId::mint(seed, id_group(group_index), id_index(number)),
                Ids::Pool => ClientId::pool(id_index(*in_application)),
            };
            places.insert((group_index, number), machines.len());
            machines.push(machine(group, number, id));
        }
    }
    (machines, places)
}

/// The numbers of a group's machines that some step lets arrive, ascending.
fn arriving(scenario: &Scenario, group: usize, count: u32) -> impl Iterator<Item = u32> + use<> {
    let mut arrives = vec![false; count as usize];
    let selections = scenario.steps.iter().flat_map(|step| &step.selections);
    let mut ranges: Vec<(u32, u32)> = selections
        .filter(|selection| selection.group == group)
        .map(|selection| (selection.first, selection.last))
        .collect();
    // Ten thousand steps may each name a whole large group.
    ranges.sort_unstable();
    ranges.dedup();
    for (first, last) in ranges {
        arrives[first as usize - 1..last as usize].fill(true);
    }
    (1..=count).zip(arrives).filter(|(_, arrives)| *arrives).map(|(number, _)| number)
}

fn machine(group: &Group, number: u32, id: ClientId) -> Machine {
    let name = workstation_name(&group.name, id_index(number));
    let workstation = WorkstationName::new(&name).expect("a synthetic workstation name fits, by its own contract");
    let mut machine = Machine::new(format!("{} {number}", group.name), id, workstation, group.product);
    machine.n_policy = group.n_policy;
    machine.is_vm = group.is_vm;
    machine.license_status = group.license_status.unwrap_or(machine.license_status);
    machine.binding_expiration_min = group.minutes_left.unwrap_or(machine.binding_expiration_min);
    machine
}

/// Client outermost, then version, then syntax, and all of that as often as the step repeats it.
fn step(spec: &StepSpec, groups: &[Group], places: &Places, randomness: &mut Randomness) -> Step {
    let mut arrivals = Vec::new();
    for _ in 0..spec.repeat {
        for selection in &spec.selections {
            let own = [groups[selection.group].protocol];
            let versions = if spec.versions.is_empty() { &own } else { spec.versions.as_slice() };
            for number in selection.first..=selection.last {
                let machine = places[&(selection.group, number)];
                for &version in versions {
                    for &offer in &spec.offers {
                        arrivals.push(Arrival { machine, version, offer, iv: randomness.next_iv() });
                    }
                }
            }
        }
    }
    Step {
        title: spec.title.clone(),
        line: spec.line,
        host: spec.host,
        connection: spec.connection,
        concurrency: spec.concurrency,
        arrivals,
        expect: spec.expect.clone(),
    }
}

fn id_group(number: usize) -> identity::Group {
    let group = u16::try_from(number).ok().and_then(|number| identity::Group::new(number).ok());
    group.expect("a file has no more groups than ids have room for")
}

fn id_index(number: u32) -> Index {
    Index::new(number).expect("a file has no more clients than ids have room for")
}
