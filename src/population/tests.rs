//! The room as a whole: who the machines of a population are.

use jiff::SignedDuration;
use std::collections::HashSet;

use super::*;
use crate::catalog::{self, Application};
use crate::client::identity::ClientId;
use crate::client::{ClientClock, Wanted};
use crate::wire::kms::LicenseStatus;

const BEGAN: FileTime = FileTime::RECORDED_AT;
const WINDOWS: &str = "Windows 11 Enterprise";
const OFFICE: &str = "Office Professional Plus 2019";
const VISIO: &str = "Office Visio Pro 2019";

fn group(name: &str, machines: Machines, products: &[&str]) -> Group {
    Group {
        name: name.to_owned(),
        machines,
        wanted: products.iter().map(|name| Arc::new(Wanted::from(catalog::find(name).unwrap()))).collect(),
        rules: None,
        vm: Share::NONE,
        clock: ClientClock::right(),
        lease: LeaseBegins::Installed,
        workstation: None,
        clones: false,
        previous_id: false,
        away: Vec::new(),
    }
}

fn row(identity: u32, wanted: &[u16]) -> Row {
    Row {
        label: format!("row of {identity}").into(),
        identity,
        wanted: wanted.into(),
        is_vm: None,
        standing: None,
        clock: None,
        at: Duration::ZERO,
    }
}

fn population(groups: Vec<Group>, ids: Ids) -> Population {
    let groups: Vec<Arc<Group>> = groups.into_iter().map(Arc::new).collect();
    let highest: Vec<u32> = groups.iter().map(|group| group.len()).collect();
    Population::new(&groups, &highest, 1, ids)
}

fn place(group: u16, number: u32) -> Place {
    Place { group, number }
}

fn machine(population: &Population, place: Place) -> Machine {
    population.machine(Activation { machine: place, product: 0 }, BEGAN)
}

#[test]
fn activations_are_numbered_through_and_found_again() {
    let rows = Rows::new(vec![row(1, &[0]), row(2, &[0, 1]), row(1, &[1, 0])]);
    let groups = vec![
        group("pc", Machines::Alike(3), &[WINDOWS, OFFICE]),
        group("table", Machines::Listed(rows), &[OFFICE, VISIO]),
        group("one", Machines::Alike(1), &[WINDOWS]),
    ];
    let population = population(groups, Ids::Seeded);
    assert_eq!(population.activations(), 6 + 5 + 1);
    let mut number = 0;
    for (group, of_group) in population.groups().map(Group::activations).enumerate() {
        for within in 0..of_group {
            let activation = population.activation_at(group as u16, within);
            assert_eq!(population.number_of(activation), number, "{activation:?}");
            number += 1;
        }
    }
    let third_row = population.activation_at(1, 3);
    assert_eq!((third_row.machine, third_row.product), (place(1, 3), 0));
    let wanted = population.machine(third_row, BEGAN).wanted;
    assert_eq!(wanted.name, VISIO, "the row's own first product");
}

#[test]
fn every_machine_has_an_id_of_its_own_but_clones_and_rows_that_share_one() {
    let mut clones = group("clones", Machines::Alike(5), &[WINDOWS]);
    clones.clones = true;
    let rows = Rows::new(vec![row(1, &[0]), row(2, &[0]), row(1, &[0])]);
    let groups =
        vec![group("pc", Machines::Alike(4), &[WINDOWS]), clones, group("table", Machines::Listed(rows), &[WINDOWS])];
    for ids in [Ids::Seeded, Ids::Pool] {
        let population = population(groups.clone(), ids);
        let of = |group, count: u32| (1..=count).map(|number| population.id(place(group, number))).collect::<Vec<_>>();
        let distinct = |ids: &[ClientId]| ids.iter().collect::<HashSet<_>>().len();
        assert_eq!((distinct(&of(0, 4)), distinct(&of(1, 5)), distinct(&of(2, 3))), (4, 1, 2));
        assert_eq!(of(2, 3)[0], of(2, 3)[2]);
        let all: Vec<_> = [of(0, 4), of(1, 5), of(2, 3)].concat();
        assert_eq!(distinct(&all), 7, "groups share no id");
        let windows = Application::Windows.guid();
        let all = [(0, 1, 4), (1, 1, 5), (2, 1, 3)];
        assert_eq!(population.ids_per_application(all.into_iter()), [(windows, 7)].into());
    }
}

#[test]
fn the_pool_s_few_ids_are_used_up_by_each_application_apart() {
    let groups = vec![
        group("windows", Machines::Alike(30), &[WINDOWS]),
        group("office", Machines::Alike(20), &[OFFICE]),
        group("both", Machines::Alike(10), &[WINDOWS, OFFICE]),
        group("more-office", Machines::Alike(5), &[VISIO]),
    ];
    let population = population(groups, Ids::Pool);
    let number = |group, number| population.id(place(group, number)).pool_number().unwrap().number();
    assert_eq!((number(0, 1), number(0, 30)), (1, 30));
    assert_eq!((number(1, 1), number(1, 20)), (1, 20), "another application begins anew");
    assert_eq!((number(2, 1), number(2, 10)), (31, 40), "one id for both products, new to both");
    assert_eq!(number(3, 1), 41);
}

#[test]
fn previous_ids_are_ours_and_of_the_few() {
    let mut changed = group("changed", Machines::Alike(50), &[WINDOWS]);
    changed.previous_id = true;
    for ids in [Ids::Seeded, Ids::Pool] {
        let population = population(vec![changed.clone()], ids);
        for number in 1..=50 {
            let machine = machine(&population, place(0, number));
            let previous = machine.previous_id.unwrap();
            assert_ne!(previous, machine.id);
            assert!(ClientId::recognise(previous.guid()).is_some());
            if ids == Ids::Pool {
                assert!((1..=50).contains(&previous.pool_number().unwrap().number()));
            }
        }
    }
}

#[test]
fn a_row_overrides_what_its_group_says() {
    let mut special = row(9, &[0]);
    special.is_vm = Some(true);
    special.standing = Some((LicenseStatus::NOTIFICATION, 0));
    special.clock = Some(SignedDuration::from_hours(-5));
    let mut table = group("table", Machines::Listed(Rows::new(vec![row(1, &[0]), special])), &[WINDOWS]);
    table.lease = LeaseBegins::Aged { least_min: 1440, most_min: 1440 };
    let population = population(vec![table], Ids::Seeded);
    let (plain, special) = (machine(&population, place(0, 1)), machine(&population, place(0, 2)));
    assert_eq!((plain.is_vm, plain.lease.standing(BEGAN)), (false, (LicenseStatus::LICENSED, 179 * 1440)));
    assert_eq!((special.is_vm, special.lease.standing(BEGAN)), (true, (LicenseStatus::NOTIFICATION, 0)));
    assert_eq!(special.clock.error(BEGAN, BEGAN), SignedDuration::from_hours(-5));
    assert_eq!(special.label, "row of 9");
}

#[test]
fn whoever_is_away_asks_when_they_are_back() {
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    let mut group = group("laptop", Machines::Alike(1000), &[WINDOWS]);
    let away = |from, to, share: &str| Away { from: hours(from), to: hours(to), share: share.parse().unwrap() };
    // The spans follow upon one another, and stand in no order.
    group.away = vec![away(20, 30, "100%"), away(10, 20, "100%"), away(50, 60, "30%")];
    let population = population(vec![group], Ids::Seeded);
    let back = |number, at| population.present_from(place(0, number), hours(at));
    assert_eq!([5, 9, 32, 49].map(|at| back(1, at)), [5, 9, 32, 49].map(hours), "it is there");
    for at in [10, 15, 20, 29] {
        let instants: HashSet<_> = (1..=1000).map(|number| back(number, at)).collect();
        assert!(instants.iter().all(|back| (hours(30)..=hours(31)).contains(back)));
        assert!(instants.len() > 990, "they do not come as one");
    }
    let gone = (1..=1000).filter(|&number| back(number, 55) >= hours(60)).count();
    assert!((250..350).contains(&gone), "{gone} of 1000 are among the 30%");
}

#[test]
fn a_million_machines_cost_what_their_group_costs() {
    let population = population(vec![group("pc", Machines::Alike(1_000_000), &[WINDOWS])], Ids::Seeded);
    assert_eq!(population.activations(), 1_000_000);
    assert_eq!(machine(&population, place(0, 1_000_000)).label, "pc 1000000");
}
