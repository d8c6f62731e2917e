//! Population tables, and the machines they list.

use jiff::SignedDuration;

use super::*;
use crate::wire::kms::LicenseStatus;

/// A file whose group is a table, with more about the group.
fn file(group: &str) -> String {
    format!(
        "name = \"listed\"\nquestion = \"Who?\"\n[clients.listed]\npopulation = \"table.csv\"\n{group}\n\
         [[step]]\ntitle = \"all\"\nclients = [\"listed\"]\n"
    )
}

fn load_beside(group: &str, table: &[u8]) -> Result<Scenario, Problems> {
    super::super::load(&file(group), "listed.toml", &|_: &str| Ok(table.to_vec()))
}

fn listed(group: &str, table: &str) -> Plan {
    load_beside(group, table.as_bytes()).unwrap_or_else(|problems| panic!("{problems}")).plan(1, Ids::Seeded)
}

fn messages(group: &str, table: &str) -> Vec<String> {
    let problems = load_beside(group, table.as_bytes()).expect_err(table);
    problems.iter().map(|problem| format!("{}:{} {}", problem.line(), problem.column(), problem.message())).collect()
}

#[test]
fn a_row_is_a_machine() {
    let plan = listed("", CAMPUS);
    let machine =
        |number, product| plan.population.machine(Activation { machine: Place { group: 0, number }, product }, NOW);
    let (first, second, laptop, office) = (machine(1, 0), machine(2, 0), machine(3, 1), machine(3, 0));
    assert_eq!([&first, &second, &laptop].map(|machine| machine.label.as_str()), ["pc-1", "pc-2", "laptop"]);
    assert_eq!(first.id, second.id, "they share one");
    assert!(laptop.id != first.id && laptop.id == office.id);
    assert_eq!((first.wanted.n_policy, first.wanted.protocol), (25, ProtocolVersion::V6));
    assert_eq!((second.wanted.n_policy, second.wanted.protocol), (30, ProtocolVersion::V5));
    assert_eq!((laptop.wanted.n_policy, office.wanted.n_policy), (25, 5));
    assert_eq!(first.lease.standing(NOW), (LicenseStatus::LICENSED, 1440));
    assert_eq!(laptop.lease.standing(NOW), (LicenseStatus::NOTIFICATION, 0));
    assert_eq!(second.lease.standing(NOW), (LicenseStatus::OOB_GRACE, 43_200), "as the group says");
    assert_eq!([&first, &second, &laptop].map(|machine| machine.is_vm), [true, false, false]);
    assert_eq!(second.clock.error(NOW, NOW), SignedDuration::from_mins(241));
    assert!(first.clock.is_right() && laptop.clock.is_right());
    assert_eq!(plan.steps[0].arrivals(), 4);
}

#[test]
fn what_a_table_leaves_out_is_as_the_group_says() {
    let group = "products = [\"Windows 11 Enterprise\", \"Office Professional Plus 2019\"]\nn-policy = 7\n\
                 protocol = \"5.0\"\nstatus = \"licensed\"\nminutes-left = 9\nvm = true\nclock = \"-5m\"";
    let plan = listed(group, "n_policy,minutes_left,machine\n,,a\n8,10,b\n");
    let machine =
        |number, product| plan.population.machine(Activation { machine: Place { group: 0, number }, product }, NOW);
    for (number, n_policy, minutes) in [(1, 7, 9), (2, 8, 10)] {
        for product in [0, 1] {
            let machine = machine(number, product);
            assert_eq!((machine.wanted.n_policy, machine.wanted.protocol), (n_policy, ProtocolVersion::V5));
            assert_eq!(machine.lease.standing(NOW), (LicenseStatus::LICENSED, minutes));
            assert!(machine.is_vm && machine.clock.error(NOW, NOW) == SignedDuration::from_mins(-5));
        }
    }
    assert_ne!(machine(1, 0).id, machine(2, 0).id, "each has one of its own");
    // A product of a row is another product, of which the group's word holds as well.
    let plan = listed("n-policy = 7", "machine,product\na,Windows 10/11 Home\n");
    assert_eq!(plan.largest_n_policy(), 7);
}

#[test]
fn it_is_read_as_any_program_writes_it() {
    let plain = "machine,product\n亞東-1,Windows 11 Enterprise\n\"a, b\",Windows 11 Enterprise\n";
    let labels = |bytes: &[u8]| {
        let plan = load_beside("", bytes).unwrap_or_else(|problems| panic!("{problems}")).plan(1, Ids::Seeded);
        [0, 1].map(|position| plan.label(0, position))
    };
    let due = ["亞東-1", "a, b"].map(str::to_owned);
    let crlf = plain.replace('\n', "\r\n");
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(crlf.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let spaced = plain.replace(",Windows", " ,  Windows").replace('\n', "  \n\n");
    for bytes in [plain.as_bytes(), crlf.as_bytes(), format!("\u{feff}{crlf}").as_bytes(), &utf16, spaced.as_bytes()] {
        assert_eq!(labels(bytes), due, "{bytes:?}");
    }
    let problems = load_beside("", b"machine,product\nb\xe9,x\n").unwrap_err();
    let first = problems.iter().next().unwrap();
    assert_eq!(first.message(), "cannot read the table \"table.csv\"");
    assert_eq!(first.help(), Some("not UTF-8; save it as UTF-8"));
}

#[test]
fn a_problem_is_at_its_cell() {
    let product = "product = \"Windows 11 Enterprise\"";
    for (table, due) in [
        ("", "1:1 the table is empty"),
        ("machine\n", "2:1 the table has no machine in it"),
        ("id\na\n", "1:1 the table has no column `machine`"),
        ("machin\na\n", "1:1 a table has no column \"machin\""),
        ("machine,at\r\na,1\r\n\r\nb,0.5\r\n", "4:3 `at` goes back: 0.5s after 1s"),
        ("machine,at\na,1\nb,\n", "3:3 `at` goes back: 0s after 1s"),
        ("machine,vm,at\n\"a,\"\"\",\"x,y\" ,1\n", "2:8 `vm` cannot be \"x,y\""),
        ("machine\na\nb,c\n", "3:1 this row has 2 values, and there are 1 columns"),
        ("machine,id\n\"a,1\nb,2\n", "2:1 this row has 1 value, and there are 2 columns"),
        ("machine,id\n\"a\nb\",2\n", "2:1 `machine` cannot be \"a\\nb\""),
    ] {
        assert_eq!(messages(product, table), [due], "{table:?}");
    }
    let long = format!("machine\n{}\n", "x".repeat(61));
    assert!(messages(product, &long)[0].starts_with("2:1 `machine` cannot be"));
    assert_eq!(messages("", "machine\na\n"), ["2:1 neither this row nor the group names a product"]);
    // What is wrong with the group's product is not the table's fault.
    assert_eq!(messages("product = \"Windws\"", "machine\na\n").len(), 1);
}

#[test]
fn a_table_wrong_in_every_row_is_not_answered_with_a_book() {
    let rows: String = (0..5_000).map(|row| format!("pc-{row},Windws {row},maybe\n")).collect();
    let problems = load_beside("", format!("machine,product,vm\n{rows}").as_bytes()).unwrap_err();
    assert_eq!((problems.iter().count(), problems.count()), (PROBLEMS_MAX, 10_000));
    assert!(problems.iter().all(|problem| problem.file() == "table.csv"));
    assert!(problems.to_string().ends_with("listed.toml: 10000 problems, the first 50 shown; nothing was sent\n"));
}

#[test]
fn the_bounds_of_a_table() {
    let product = "product = \"Windows 11 Enterprise\"";
    let crowd = format!("machine\n{}", "a\n".repeat(CLIENTS_MAX + 1));
    assert_eq!(messages(product, &crowd), ["1000002:1 the table has more than 1,000,000 machines"]);
    let all: Vec<_> = crate::catalog::all().iter().map(|product| product.edition.as_str()).collect();
    let combinations = (0..u32::from(u16::MAX) + 1).map(|number| {
        let (product, n_policy) = (all[number as usize / 1000], number % 1000 + 1);
        format!("a,{product},{n_policy}\n")
    });
    let table = format!("machine,product,n_policy\n{}", combinations.collect::<String>());
    assert!(messages("", &table)[0].starts_with("65537:3 the table has more than 65535 products"));
}

#[test]
fn a_table_is_told_of_beside_its_scenario() {
    let told = |file: &str| {
        let problems = super::super::load(&self::file(""), file, &|_: &str| Ok(Vec::new())).unwrap_err();
        problems.iter().map(|problem| problem.file().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(told("a.toml"), ["table.csv"]);
    assert_eq!(told("some/where/a.toml"), ["some/where/table.csv"]);
    assert_eq!(told("C:\\where\\a.toml"), ["C:\\where\\table.csv"]);
}
