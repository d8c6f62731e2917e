//! Records into rows that name nobody, and what there is to tell of them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;

use super::{CLOCK_MAX_MIN, CLOCK_RIGHT_BELOW_MIN, Export, Record};
use crate::catalog::{self, Product};
use crate::client::identity::ClientId;
use crate::wire::kms::LicenseStatus;
use crate::wire::{Guid, Hresult};

/// The requests of all these exports, in the order of their arrival, without a name or an id of
/// the real world.
///
/// - A record that stands in several files is one record: overlapping exports may be given.
/// - Machines are told apart by client id, and behind one id by the first label of their names
///   (a laptop has one domain at home and another at work). So a cloned image is several machines
///   with one id. Without a client id the whole name is what there is.
/// - Requests for products that the catalogue does not know are left out and counted.
pub fn gather(exports: Vec<Export>) -> Imported {
    let (mut records, repeated) = union(exports);
    records.sort_by_key(|record| record.at);

    let mut found = Found { repeated, ..Found::default() };
    let products = products(&records, &mut found);
    records.retain(|record| products.contains_key(&record.info.sku));

    let mut names = Pseudonyms::of(&records);
    let mut rows = Vec::with_capacity(records.len());
    let start = records.first().map(|record| record.at);
    for record in &records {
        let (machine, id) = names.of_record(record);
        let since_start = start.map_or(Duration::ZERO, |start| record.at.duration_since(start).unsigned_abs());
        rows.push(Row {
            machine,
            id,
            product: products[&record.info.sku],
            n_policy: record.info.n_policy,
            is_vm: record.info.is_vm,
            status: record.info.status,
            minutes_left: record.info.minutes_left,
            clock_min: record.clock_min(),
            at: since_start,
        });
    }
    found.tell(&records, &rows);
    Imported { rows, found }
}

/// A population of requests.
#[derive(Debug)]
pub struct Imported {
    /// One a request, in the order of arrival.
    pub rows: Vec<Row>,
    /// What there is to tell of them.
    pub found: Found,
}

/// One request, by machines and ids that are numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The machine, from 1 in the order of first appearance.
    pub machine: u32,
    /// The client id, from 1 in the order of first appearance.
    pub id: u32,
    /// What it asked for.
    pub product: &'static Product,
    /// Its N policy.
    pub n_policy: u32,
    /// Whether it said it is virtual.
    pub is_vm: bool,
    /// The license status it said it was in, 0 to 6.
    pub status: LicenseStatus,
    /// The minutes it said were left in that status.
    pub minutes_left: u32,
    /// How far its clock was ahead of the host's, in minutes; behind is negative.
    pub clock_min: i64,
    /// When it arrived, from the first of them.
    pub at: Duration,
}

/// What there is to tell of the requests that are in the population.
#[derive(Debug, Default)]
pub struct Found {
    /// The first and the last arrival.
    pub span: Option<(Timestamp, Timestamp)>,
    /// How many machines.
    pub machines: usize,
    /// How many client ids.
    pub ids: usize,
    /// Client ids that several machines have.
    pub shared_ids: usize,
    /// Machines that have one of those.
    pub clones: usize,
    /// Client ids of each application; one that asks for two stands under both.
    pub ids_by_application: BTreeMap<catalog::Application, usize>,
    /// Requests for each product, the most first.
    pub products: Vec<(&'static Product, u64)>,
    /// Products that were taken because they stand first of several with their SKU id.
    pub first_of_several: Vec<&'static Product>,
    /// Requests for each license status.
    pub statuses: BTreeMap<LicenseStatus, u64>,
    /// Requests for each result.
    pub results: BTreeMap<Hresult, u64>,
    /// Clocks that were off by more than a host lets pass, in minutes, one a request.
    pub clocks_refused_min: Vec<i64>,
    /// Requests with clocks that were off by less.
    pub clocks_passed: u64,
    /// How far off all clocks together are, in minutes, when more than half of the requests agree.
    pub common_clock_min: Option<i64>,
    /// Requests with client ids that kmsproof minted.
    pub synthetic: u64,
    /// Records that stand in more than one file, and were taken once.
    pub repeated: u64,
    /// SKU ids the catalogue does not know, and how many requests for them were left out. Without
    /// one that is a client id elsewhere in the files: its field may have been out of place.
    pub unknown_skus: Vec<(Guid, u64)>,
    /// How many requests were left out because their product is not known.
    pub unknown: u64,
}

impl Found {
    fn tell(&mut self, records: &[Record], rows: &[Row]) {
        self.span = records.first().zip(records.last()).map(|(first, last)| (first.at, last.at));
        self.machines = rows.iter().map(|row| row.machine).max().unwrap_or(0) as usize;
        self.ids = rows.iter().map(|row| row.id).max().unwrap_or(0) as usize;

        let of_machine: HashMap<u32, u32> = rows.iter().map(|row| (row.machine, row.id)).collect();
        let mut machines_of_id: HashMap<u32, usize> = HashMap::new();
        of_machine.values().for_each(|id| *machines_of_id.entry(*id).or_default() += 1);
        let shared: Vec<usize> = machines_of_id.into_values().filter(|machines| *machines > 1).collect();
        (self.shared_ids, self.clones) = (shared.len(), shared.iter().sum());

        let of_application: HashSet<_> = rows.iter().map(|row| (row.product.application, row.id)).collect();
        of_application
            .into_iter()
            .for_each(|(application, _)| *self.ids_by_application.entry(application).or_default() += 1);

        let mut products: HashMap<&str, (&'static Product, u64)> = HashMap::new();
        for (record, row) in records.iter().zip(rows) {
            products.entry(&row.product.edition).or_insert((row.product, 0)).1 += 1;
            *self.statuses.entry(row.status).or_default() += 1;
            *self.results.entry(record.info.result).or_default() += 1;
            self.synthetic += u64::from(ClientId::recognise(record.info.cmid).is_some());
            match row.clock_min.abs() {
                0 => {}
                ..=CLOCK_MAX_MIN => self.clocks_passed += 1,
                _ => self.clocks_refused_min.push(row.clock_min),
            }
        }
        self.products = products.into_values().collect();
        self.products.sort_by_key(|(product, count)| (std::cmp::Reverse(*count), &product.edition));
        self.common_clock_min = common(rows);
    }
}

/// What more than half of the clocks are off by, if it looks like a time zone and not like a drift.
fn common(rows: &[Row]) -> Option<i64> {
    let mut clocks: Vec<i64> = rows.iter().map(|row| row.clock_min).collect();
    clocks.sort_unstable();
    let median = *clocks.get(clocks.len() / 2)?;
    let zone = (median + QUARTER_MIN / 2).div_euclid(QUARTER_MIN) * QUARTER_MIN;
    let agree = clocks.iter().filter(|clock| clock.abs_diff(zone) < 2 * CLOCK_RIGHT_BELOW_MIN as u64).count();
    (zone != 0 && zone.abs() <= ZONE_MAX_MIN && agree * 2 > clocks.len()).then_some(zone)
}

/// The records of all exports in the order of their files, those that stand in several once, and
/// how many more there were. A record that stands twice in one file is two.
fn union(exports: Vec<Export>) -> (Vec<Record>, u64) {
    let several = exports.len() > 1;
    let mut kept: HashMap<Record, u32> = HashMap::new();
    let (mut records, mut repeated) = (Vec::new(), 0);
    for mut export in exports {
        // Event Viewer writes the newest first; of two in one second the later line is then the earlier.
        if export.records.first().map(|record| record.at) > export.records.last().map(|record| record.at) {
            export.records.reverse();
        }
        if !several {
            return (export.records, 0);
        }
        let mut here: HashMap<Record, u32> = HashMap::new();
        for record in export.records {
            let times = here.entry(record.clone()).or_default();
            *times += 1;
            if kept.get(&record).is_some_and(|kept| *times <= *kept) {
                repeated += 1;
            } else {
                records.push(record);
            }
        }
        for (record, times) in here {
            let kept = kept.entry(record).or_default();
            *kept = times.max(*kept);
        }
    }
    (records, repeated)
}

/// The product of each SKU id there is, as far as the catalogue knows.
fn products(records: &[Record], found: &mut Found) -> HashMap<Guid, &'static Product> {
    let mut skus: HashMap<Guid, u64> = HashMap::new();
    records.iter().for_each(|record| *skus.entry(record.info.sku).or_default() += 1);
    let cmids: HashSet<Guid> = records.iter().map(|record| record.info.cmid).collect();
    let mut products = HashMap::new();
    for (sku, count) in skus {
        let mut candidates = catalog::by_sku_id(sku);
        match candidates.next() {
            Some(product) => {
                if candidates.next().is_some() {
                    found.first_of_several.push(product);
                }
                products.insert(sku, product);
            }
            None => {
                found.unknown += count;
                if !cmids.contains(&sku) {
                    found.unknown_skus.push((sku, count));
                }
            }
        }
    }
    found.unknown_skus.sort_by_key(|(sku, count)| (std::cmp::Reverse(*count), *sku));
    products
}

/// Numbers for machines and ids, in the order in which they appear.
struct Pseudonyms {
    /// What stands for a record of this client id that has no name.
    named: HashMap<Guid, String>,
    machines: HashMap<(Guid, String), u32>,
    ids: HashMap<(Guid, String), u32>,
}

impl Pseudonyms {
    fn of(records: &[Record]) -> Pseudonyms {
        let mut named = HashMap::new();
        for record in records.iter().filter(|record| !record.info.machine.is_empty()) {
            named.entry(record.info.cmid).or_insert_with(|| first_label(&record.info.machine));
        }
        Pseudonyms { named, machines: HashMap::new(), ids: HashMap::new() }
    }

    fn of_record(&mut self, record: &Record) -> (u32, u32) {
        let (cmid, name) = (record.info.cmid, &record.info.machine);
        let machine = match (cmid, &**name) {
            (Guid::NIL, name) => (cmid, name.to_lowercase()),
            (_, "") => (cmid, self.named.get(&cmid).cloned().unwrap_or_default()),
            (_, name) => (cmid, first_label(name)),
        };
        // Machines without an id get one each, not one together.
        let id = if cmid == Guid::NIL { machine.clone() } else { (cmid, String::new()) };
        (number(&mut self.machines, machine), number(&mut self.ids, id))
    }
}

fn first_label(name: &str) -> String {
    name.split('.').next().unwrap_or(name).to_lowercase()
}

fn number<K: Eq + std::hash::Hash>(numbers: &mut HashMap<K, u32>, key: K) -> u32 {
    let next = numbers.len() as u32 + 1;
    *numbers.entry(key).or_insert(next)
}

/// Zones are quarters of an hour.
const QUARTER_MIN: i64 = 15;

/// No zone is further from UTC, nor two of them from each other.
const ZONE_MAX_MIN: i64 = 26 * 60;
