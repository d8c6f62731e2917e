//! Request bodies of many machines, without making the machines.
//!
//! The machines of a group differ in little: their id, the number in their name, and what their
//! lease and clock say. So a group has a body made once, and each request is that with a few fields
//! written over; nothing is allocated. Where machines differ in more, [`Bodies::write`] says so,
//! and whoever asks makes the machine.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Activation, Group, LeaseBegins, Machines, Place, Population};
use crate::client::{ClientClock, Lease};
use crate::proto::Verdict;
use crate::wire::FileTime;
use crate::wire::kms::{LicenseStatus, ProtocolVersion, REQUEST_LEN, WorkstationName};

/// The bodies of a population's requests.
#[derive(Debug)]
pub struct Bodies {
    began: FileTime,
    groups: Vec<Option<Model>>,
}

/// What the machines of one group have in common.
#[derive(Debug)]
struct Model {
    /// For each product, the body of machine 1.
    bodies: Vec<[u8; REQUEST_LEN]>,
    /// The leases they begin with, of each product, where all begin alike.
    leases: Vec<Option<Lease>>,
    /// Whether all of them say they are virtual, or none; else each draws.
    vm: Option<bool>,
    clock: ClientClock,
    /// For numbers of so many digits, less one.
    names: Vec<Name>,
    /// The ids met so far, as they go on the wire; zeros are none yet.
    ids: Vec<[AtomicU64; 2]>,
}

/// The name field of machines whose numbers have so many digits.
#[derive(Debug, Clone, Copy)]
struct Name {
    field: [u8; NAME_LEN],
    /// Where the first digit stands, in bytes.
    digits_at: usize,
}

/// What a body was written for.
#[derive(Debug, Clone, Copy)]
pub struct Written {
    /// The client machine id, as it goes on the wire.
    pub cmid: [u8; 16],
    /// The count the client needs.
    pub n_policy: u32,
    /// The clock of the client.
    pub client_time: FileTime,
    /// Its license status.
    pub status: u32,
}

impl Bodies {
    /// Those of `population`, whose scenario begins at `began`.
    pub fn new(population: &Population, began: FileTime) -> Bodies {
        let model = |(number, group): (usize, &Group)| Model::of(population, number as u16, group, began);
        Bodies { began, groups: population.groups().enumerate().map(model).collect() }
    }

    /// Whether the machine need not be made to write what it asks.
    pub fn has_model(&self, activation: Activation) -> bool {
        self.groups[usize::from(activation.machine.group)].is_some()
    }

    /// Writes what an activation asks in `version` at `now`. `activated` is when it was last granted, if
    /// it was since the scenario began. `None`, and nothing is written, where the machine has to be made for that.
    pub fn write(
        &self,
        population: &Population,
        activation: Activation,
        version: ProtocolVersion,
        activated: Option<FileTime>,
        now: FileTime,
        out: &mut [u8; REQUEST_LEN],
    ) -> Option<Written> {
        let model = self.groups[usize::from(activation.machine.group)].as_ref()?;
        let alike = model.leases[usize::from(activation.product)];
        let mut lease = alike.unwrap_or_else(|| population.lease(activation, self.began));
        if let Some(at) = activated {
            lease.conclude(at, Verdict::Activated, None);
        }
        self.write_standing(population, activation, version, lease.standing(now), now, out)
    }

    /// The same of an activation whose machine says its lease stands so, with so many minutes left.
    pub fn write_standing(
        &self,
        population: &Population,
        activation: Activation,
        version: ProtocolVersion,
        (status, minutes): (LicenseStatus, u32),
        now: FileTime,
        out: &mut [u8; REQUEST_LEN],
    ) -> Option<Written> {
        let Place { group, number } = activation.machine;
        let model = self.groups[usize::from(group)].as_ref()?;
        *out = model.bodies[usize::from(activation.product)];
        let is_vm = model.vm.unwrap_or_else(|| population.is_vm(activation.machine));
        let client_time = model.clock.read(now, self.began);
        let cmid = model.id(population, activation.machine);
        out[0..4].copy_from_slice(&version.to_wire());
        out[4..8].copy_from_slice(&u32::from(is_vm).to_le_bytes());
        out[8..12].copy_from_slice(&status.0.to_le_bytes());
        out[12..16].copy_from_slice(&minutes.to_le_bytes());
        out[64..80].copy_from_slice(&cmid);
        out[84..92].copy_from_slice(&client_time.0.to_le_bytes());
        model.write_name(number, &mut out[REQUEST_LEN - NAME_LEN..]);
        let n_policy = u32::from_le_bytes([out[80], out[81], out[82], out[83]]);
        Some(Written { cmid, n_policy, client_time, status: status.0 })
    }
}

impl Model {
    fn of(population: &Population, number: u16, group: &Group, began: FileTime) -> Option<Model> {
        let Machines::Alike(count) = group.machines else { return None };
        if group.previous_id || count == 0 {
            return None;
        }
        let first = Place { group: number, number: 1 };
        let activation = |product: usize| Activation { machine: first, product: product as u16 };
        let products = 0..group.wanted.len();
        let bodies = products.clone().map(|product| {
            let machine = population.machine(activation(product), began);
            machine.request(ProtocolVersion::V6, began, began).encode()
        });
        let alike = !matches!(group.lease, LeaseBegins::Aged { .. });
        let leases = products.map(|product| alike.then(|| population.lease(activation(product), began)));
        let vm = match group.vm.millionths() {
            0 => Some(false),
            1_000_000 => Some(true),
            _ => None,
        };
        let ids = std::iter::repeat_with(Default::default).take(group.identities(count) as usize).collect();
        Some(Model {
            bodies: bodies.collect(),
            leases: leases.collect(),
            vm,
            clock: group.clock.clone(),
            names: names(group, count),
            ids,
        })
    }

    /// The id of a machine. Minting one takes a hash, so it is kept.
    fn id(&self, population: &Population, place: Place) -> [u8; 16] {
        let kept = population.group(place).identity(place.number) as usize - 1;
        let [first, last] = &self.ids[kept];
        let mut wire = [0; 16];
        // The first half is there when the last is, which is never 0: a GUID's variant is in it.
        let known = last.load(Ordering::Acquire);
        if known == 0 {
            wire = population.id(place).guid().to_wire();
            let half = |at: usize| u64::from_ne_bytes(std::array::from_fn(|byte| wire[at + byte]));
            first.store(half(0), Ordering::Relaxed);
            last.store(half(8), Ordering::Release);
            return wire;
        }
        wire[..8].copy_from_slice(&first.load(Ordering::Relaxed).to_ne_bytes());
        wire[8..].copy_from_slice(&known.to_ne_bytes());
        wire
    }

    fn write_name(&self, number: u32, field: &mut [u8]) {
        let digits = number.ilog10() as usize + 1;
        let name = &self.names[digits - 1];
        field.copy_from_slice(&name.field);
        let mut left = number;
        for digit in (0..digits).rev() {
            // One UTF-16 unit a digit.
            field[name.digits_at + 2 * digit] = b'0' + (left % 10) as u8;
            left /= 10;
        }
    }
}

/// The names of numbers with one digit, two, and so on, up to those of `count`.
fn names(group: &Group, count: u32) -> Vec<Name> {
    let field = |number: u32| -> [u8; NAME_LEN] {
        let name = WorkstationName::new(&group.workstation(number));
        let name = name.expect("the readers have seen to it that every name fits");
        let mut field = [0; NAME_LEN];
        for (at, unit) in name.units().iter().enumerate() {
            field[2 * at..2 * at + 2].copy_from_slice(&unit.to_le_bytes());
        }
        field
    };
    (0..=count.ilog10())
        .map(|digits| {
            let least = 10_u32.pow(digits);
            // Two numbers that differ in their first digit show where it stands.
            let (one, other) = (field(least), field(2 * least));
            let digits_at = one.iter().zip(&other).position(|(one, other)| one != other).unwrap_or(0);
            Name { field: one, digits_at }
        })
        .collect()
}

/// The name field, in bytes: the last of the body.
const NAME_LEN: usize = 128;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cases::config;
    use crate::population::Ids;

    /// Groups of all kinds, as files say them.
    fn population(seed: u64, ids: Ids) -> Population {
        let file = r#"
            name = "bodies"
            question = "All kinds?"
            [clients.plain]
            count = 100000
            product = "Windows 11 Enterprise"
            [clients.some-virtual]
            count = 12
            products = ["Windows Server 2022 Standard", "Office Professional Plus 2019"]
            vm = "30%"
            lease = { age = ["0d", "200d"] }
            clock = { skew = "-3h", drift = "5s/day" }
            [clients.named]
            count = 2000
            product = "Windows Server 2022 Standard"
            vm = true
            workstation = "LAB-{number:03}-x"
            status = "notification"
            minutes-left = 0
            clones = true
            [clients.had-another]
            count = 3
            product = "Windows Server 2022 Standard"
            previous-id = true
            [[step]]
            title = "all"
            clients = ["plain", "some-virtual", "named", "had-another"]
        "#;
        let scenario = crate::scenario::load(file, "bodies.toml", &crate::scenario::ShippedTables);
        scenario.unwrap_or_else(|problems| panic!("{}", problems.render(false))).plan(seed, ids).population
    }

    const BEGAN: FileTime = FileTime::RECORDED_AT;

    proptest! {
        #![proptest_config(config(256))]

        #[test]
        fn a_body_is_what_the_machine_would_send(
            seed: u64,
            group in 0_u16..4,
            number in 1_u32..=100_000,
            product: bool,
            activated in prop::option::of(0_u64..100_000_000_000),
            later in 0_u64..1_000_000_000_000,
            pool: bool,
        ) {
            let population = population(seed, if pool { Ids::Pool } else { Ids::Seeded });
            let machine = Place { group, number: (number - 1) % population.groups().nth(group.into()).unwrap().len() + 1 };
            let activation = Activation { machine, product: u16::from(product && group == 1) };
            let activated = activated.map(|steps| FileTime(BEGAN.0 + steps));
            let now = FileTime(BEGAN.0 + later);
            let mut made = population.machine(activation, BEGAN);
            if let Some(at) = activated {
                made.lease.conclude(at, Verdict::Activated, None);
            }
            let bodies = Bodies::new(&population, BEGAN);
            for version in [ProtocolVersion::V4, ProtocolVersion::V6] {
                let mut out = [0; REQUEST_LEN];
                let written = bodies.write(&population, activation, version, activated, now, &mut out);
                prop_assert_eq!(written.is_some(), group != 3, "only a model can be written over");
                let Some(written) = written else { continue };
                let request = made.request(version, now, BEGAN);
                prop_assert_eq!(out, request.encode());
                prop_assert_eq!((written.cmid, written.client_time), (request.cmid.to_wire(), request.client_time));
                prop_assert_eq!((written.n_policy, written.status), (request.n_policy, request.license_status.0));
                // An id is the same when it is met again.
                bodies.write(&population, activation, version, activated, now, &mut out);
                prop_assert_eq!(out, request.encode());
            }
        }
    }
}
