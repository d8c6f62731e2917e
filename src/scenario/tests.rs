//! The room as a whole. Here: what its tests share, and bad files, whose problems are held by snapshots.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::catalog::Application;
use crate::client::identity::ClientId;
use crate::client::{Machine, Randomness};
use crate::population::{Activation, Place};
use crate::proto::Offer;
use crate::wire::FileTime;
use crate::wire::kms::ProtocolVersion;
use crate::wire::rpc::TransferSyntax;

mod keys;
mod plans;
mod population;
mod problems;
mod properties;
mod schema;

/// A scenario read beside one table.
fn load(source: &str, file: &str) -> Result<Scenario, Problems> {
    super::load(source, file, &|name: &str| match name {
        "populations/campus.csv" => Ok(CAMPUS.as_bytes().to_vec()),
        _ => Err("there is no such file".to_owned()),
    })
}

fn good(source: &str) -> Scenario {
    load(source, "test.toml").unwrap_or_else(|problems| panic!("{problems}"))
}

fn shipped_plan(wanted: &str, seed: u64, ids: Ids) -> Plan {
    let (_, file, source) = shipped().iter().find(|(name, ..)| *name == wanted).unwrap();
    load(source, file).unwrap_or_else(|problems| panic!("{problems}")).plan(seed, ids)
}

const NOW: FileTime = FileTime::RECORDED_AT;

/// Every arrival of a step.
fn arrivals(plan: &Plan, step: usize) -> Vec<Arrival> {
    (0..plan.steps[step].arrivals()).map(|position| plan.arrival(step, position)).collect()
}

/// Group and number of whoever arrives.
fn place(arrival: &Arrival) -> (u16, u32) {
    (arrival.activation.machine.group, arrival.activation.machine.number)
}

/// Every machine that arrives, as it is at its first product.
fn machines(plan: &Plan) -> Vec<Machine> {
    let places =
        plan.arriving().flat_map(|(group, first, last)| (first..=last).map(move |number| Place { group, number }));
    places.map(|machine| plan.population.machine(Activation { machine, product: 0 }, NOW)).collect()
}

/// A population table.
const CAMPUS: &str = "\
machine,id,product,n_policy,protocol,vm,status,minutes_left,clock,at
pc-1,m1,Windows 11 Enterprise,,,true,licensed,1440,,0
pc-2,m1,Windows 11 Enterprise,30,5.0,false,,,+4h 1m,1.5
laptop,,Office Professional Plus 2019; Windows 10 Enterprise,,,,5,0,,2m
";

/// A file that is right, to be made wrong or to be planned.
const SMALL: &str = r#"
name = "small"
question = "Does it work?"
[clients.pc]
count = 3
product = "Windows 11 Enterprise"
[clients.office]
count = 2
product = "Office Professional Plus 2010"
n-policy = 7
protocol = "5.0"
vm = true
status = "notification"
minutes-left = 0
[[step]]
title = "one"
clients = ["office[2]", "pc[2..3]"]
expect = { count = { from = 1, to = 3 } }
[[step]]
title = "two"
host = "fresh"
clients = ["pc[2]", "office"]
protocol = ["4.0", "6.0"]
syntax = ["ndr32", "windows"]
repeat = 2
arrive = { concurrency = 8 }
expect = { verdict = ["activated", "0xC004F038"], shown = "activated", count = { most = 50 } }
"#;

mod bad_files {
    use super::*;

    fn rendered(source: &str, file: &str) -> String {
        load(source, file).expect_err("the file is bad").render(false)
    }

    #[test]
    fn slips() {
        insta::assert_snapshot!(rendered(include_str!("../../tests/scenarios_bad/slips.toml"), "slips.toml"));
    }

    #[test]
    fn impossible() {
        insta::assert_snapshot!(rendered(include_str!("../../tests/scenarios_bad/impossible.toml"), "impossible.toml"));
    }

    #[test]
    fn syntax() {
        insta::assert_snapshot!(rendered(include_str!("../../tests/scenarios_bad/syntax.toml"), "syntax.toml"));
    }

    #[test]
    fn machines() {
        insta::assert_snapshot!(rendered(include_str!("../../tests/scenarios_bad/machines.toml"), "machines.toml"));
    }

    #[test]
    fn schedules() {
        insta::assert_snapshot!(rendered(include_str!("../../tests/scenarios_bad/schedules.toml"), "schedules.toml"));
    }

    #[test]
    fn leases() {
        insta::assert_snapshot!(rendered(include_str!("../../tests/scenarios_bad/leases.toml"), "leases.toml"));
    }

    #[test]
    fn population() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios_bad");
        let source = std::fs::read_to_string(folder.join("population.toml")).unwrap();
        let tables = |name: &str| std::fs::read(folder.join(name)).map_err(|_| "there is no such file".to_owned());
        let problems = super::super::load(&source, "bad/population.toml", &tables).expect_err("the file is bad");
        insta::assert_snapshot!(problems.render(false));
    }

    #[test]
    fn windows_editor() {
        let source = include_str!("../../tests/scenarios_bad/windows-editor.toml");
        assert!(source.starts_with('\u{feff}') && source.contains("\r\n"), "the file lost what it is there for");
        insta::assert_snapshot!(rendered(source, "windows-editor.toml"));
    }

    #[test]
    fn empty() {
        insta::assert_snapshot!(rendered(include_str!("../../tests/scenarios_bad/empty.toml"), "empty.toml"));
    }
}
