//! The room as a whole: shipped files, bad files, plans.

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
mod population;
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

const NOW: FileTime = FileTime(134_396_615_660_000_000);

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

mod problems {
    use super::*;

    fn only(source: &str) -> Problem {
        let problems = load(source, "test.toml").expect_err("the file is bad");
        assert_eq!(problems.count(), 1, "{problems}");
        problems.iter().next().unwrap().clone()
    }

    #[test]
    fn a_small_mistake_is_one_problem_at_its_place() {
        // What is changed in the good file, and what comes of it.
        let table = [
            ("count = 3", "count = 0", (5, 9), "`count` must be 1 to 1000000, and is 0"),
            ("[\"office[2]\"", "[\"office[3]\"", (17, 12), "there is no machine 3: \"office\" has 2 machines"),
            ("count = 3", "count = 1", (17, 25), "there is no machine 3: \"pc\" has one machine"),
            ("minutes-left = 0", "minutes-left = 4294967296", (14, 16), "`minutes-left` must be 0 to 4294967295"),
            ("to = 3", "to = 4", (18, 20), "from 1 to 4 are 4 counts, but the step has 3 arrivals"),
            ("most = 50", "most = 2001", (27, 89), "`most` must be 1 to 2000, and is 2001"),
            ("repeat = 2", "repeat = 2000000", (19, 1), "with this step there are 24000003 arrivals"),
            ("title = \"two\"", "title = \"one\"", (20, 9), "step 1 has this title too"),
            ("vm = true", "vm = 1", (12, 6), "`vm` must be true or false"),
            ("[clients.office]", "[clients.\"the office\"]", (7, 10), "\"the office\" cannot be the name of a group"),
            ("name = \"small\"", "nome = \"small\"", (2, 1), "a scenario has no key \"nome\""),
            ("name = \"small\"", "", (3, 1), "a scenario needs `name`"),
        ];
        for (from, to, place, message) in table {
            assert!(SMALL.contains(from), "{from}");
            let problems = load(&SMALL.replacen(from, to, 1), "test.toml").expect_err(to);
            let first = problems.iter().next().unwrap();
            assert_eq!((first.line(), first.column()), place, "{problems}");
            assert!(first.message().starts_with(message), "{problems}");
        }
    }

    #[test]
    fn a_group_with_a_mistake_is_still_a_group_that_steps_can_name() {
        let problem = only(&SMALL.replacen("Windows 11 Enterprise", "Windos 11 Enterprise", 1));
        assert_eq!(problem.help(), Some("did you mean \"Windows 11 Enterprise\"? `kmsproof catalog` lists them all"));
        only(&SMALL.replacen("count = 3", "cuont = 3", 1));
    }

    #[test]
    fn the_bounds_of_a_file() {
        let crowd = SMALL.replacen("count = 3", "count = 999999", 1);
        assert_eq!(only(&crowd).message(), "the groups have 1000001 clients in all; a file has room for 1000000");
        let long = format!("{SMALL}#{}", "x".repeat(FILE_BYTES_MAX));
        assert!(only(&long).message().ends_with("4194304 are read at most"));
        let step = "[[step]]\nclients = [\"pc\"]\nexpect = { wire = \"0x00000000\" }\n";
        let titled = (0..=STEPS_MAX).map(|step_index| format!("{step}title = \"{step_index}\"\n"));
        let many = SMALL.split("[[step]]").next().unwrap().to_owned() + &titled.collect::<String>();
        let problems = load(&many, "many.toml").unwrap_err();
        assert!(problems.to_string().contains("there are 10001 steps; a file has room for 10000"), "{problems}");
    }

    #[test]
    fn more_arrivals_than_64_bits_can_count() {
        let crowd = SMALL.replacen("count = 3", "count = 999998", 1).replacen("repeat = 2", "repeat = 10000000", 1);
        let everyone = "\"pc\", ".repeat(400_000);
        let crowd = crowd.replacen("[\"4.0\", ", "[\"4.0\", \"5.0\", ", 1);
        let source = crowd.replacen("[\"pc[2]\", \"office\"]", &format!("[{everyone}]"), 1);
        assert!(only(&source).message().starts_with("with this step there are 18446744073709551615 arrivals"));
    }

    #[test]
    fn a_file_wrong_in_every_line_is_not_answered_with_a_book() {
        let source: String = (0..5_000).map(|line| format!("key{line} = {line}\n")).collect();
        let problems = load(&source, "wrong.toml").unwrap_err();
        assert_eq!(problems.iter().count(), PROBLEMS_MAX);
        assert_eq!(problems.count(), 5_004);
        assert!(problems.to_string().ends_with("wrong.toml: 5004 problems, the first 50 shown; nothing was sent\n"));
    }

    #[test]
    fn a_line_nobody_can_read_is_only_named() {
        let long = SMALL.replacen("name = \"small\"", &format!("name = \"{}\"", "x".repeat(5000)), 1);
        let rendered = load(&long, "test.toml").unwrap_err().to_string();
        assert!(rendered.contains("--> test.toml:2:8") && rendered.len() < 400, "{rendered}");
    }

    #[test]
    fn colour_is_asked_for() {
        let problems = load("name = \"\u{1b}[31mX\"", "test.toml").unwrap_err();
        assert!(!problems.render(false).contains('\u{1b}'), "{problems}");
        assert!(problems.render(true).contains('\u{1b}'));
        assert_eq!(problems.to_string(), problems.render(false));
    }
}

mod plans {
    use super::*;

    #[test]
    fn every_shipped_scenario_loads_and_plans() {
        for (name, file, source) in shipped() {
            let scenario = load(source, file).unwrap_or_else(|problems| panic!("{problems}"));
            let plan = scenario.plan(1, Ids::Pool);
            assert_eq!((plan.name.as_str(), format!("scenarios/{name}.toml").as_str()), (*name, *file));
            assert!(plan.takes.is_some() && plan.leaves.is_some() && source.contains(&plan.question), "{name}");
            // A person who opens the file is told all of it before the first key.
            let opening = source.split("\nname = ").next().unwrap();
            for word in ["?", "Takes:", "Needs:", "Leaves:"] {
                assert!(opening.contains(word), "{name}: {word}");
            }
        }
        let names: std::collections::BTreeSet<_> = shipped().iter().map(|(name, ..)| *name).collect();
        assert_eq!(names.len(), shipped().len());
    }

    #[test]
    fn what_a_shipped_file_says_it_leaves_is_what_it_leaves() {
        const WORDS: [&str; 13] =
            ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
        for (name, file, source) in shipped() {
            let plan = load(source, file).unwrap_or_else(|problems| panic!("{problems}")).plan(1, Ids::Pool);
            if plan.needs_embedded_host().is_some() {
                continue;
            }
            let ids = plan.ids_per_application().into_values().max().unwrap();
            let ids = WORDS.get(ids).map_or_else(|| ids.to_string(), |&word| word.to_owned());
            let opening = source.split("\nname = ").next().unwrap().replace('#', "");
            let opening = opening.split_whitespace().collect::<Vec<_>>().join(" ");
            for said in [opening.as_str(), plan.leaves.as_deref().unwrap()] {
                assert!(said.contains(&format!("{ids} client ids")), "{name} leaves {ids} client ids: {said}");
                let requests = format!("{} requests", plan.requests_left());
                assert!(said.contains(&requests), "{name} leaves {requests}: {said}");
            }
            let table = 2 * plan.largest_n_policy();
            let grows = ["table", "tables"].map(|word| format!("{word} of {table}"));
            assert!(grows.iter().any(|grows| opening.contains(grows)), "{name} leaves a table of {table}: {opening}");
        }
    }

    #[test]
    fn smoke_is_fit_for_any_host() {
        let plan = shipped_plan("smoke", 7, Ids::Pool);
        assert_eq!(plan.needs_embedded_host(), None);
        assert_eq!(plan.largest_n_policy(), 5);
        assert_eq!(plan.ids_per_application(), Application::ALL.map(|application| (application.guid(), 5)).into());
        assert_eq!(plan.steps.iter().map(|step| step.arrivals()).collect::<Vec<_>>(), [15, 18, 2]);
        assert_eq!(plan.arrivals(), 35, "the file says so");
        let forms: HashSet<_> = arrivals(&plan, 1).iter().map(|arrival| (arrival.version, arrival.offer)).collect();
        assert_eq!(forms.len(), 6);
        assert_eq!(plan.steps[2].connection, ConnectionUse::Kept);
    }

    #[test]
    fn count_threshold_begins_each_part_on_a_fresh_host() {
        let plan = shipped_plan("count-threshold", 7, Ids::Seeded);
        assert!(plan.needs_embedded_host().is_some());
        assert_eq!(plan.arrivals(), 122);
        assert_eq!(plan.largest_n_policy(), 25);
    }

    #[test]
    fn the_language_s_description_is_in_the_language() {
        let lines = include_str!("mod.rs").lines().skip_while(|line| *line != "//! ```toml").skip(1);
        let example =
            lines.take_while(|line| *line != "//! ```").map(|line| line.trim_start_matches("//!").trim_start());
        let plan = good(&example.collect::<Vec<_>>().join("\n")).plan(1, Ids::Seeded);
        let arrivals: Vec<usize> = plan.steps.iter().map(Step::arrivals).collect();
        assert_eq!(arrivals, [24, 12, 40, 40 + 30, 30, 40, 2, 4, 0]);
    }

    #[test]
    fn the_language_s_description_names_every_key() {
        let lines = include_str!("mod.rs").lines().take_while(|line| line.starts_with("//!"));
        let text = lines.collect::<Vec<_>>().join("\n");
        let schema = super::super::schema();
        let tables = schema["definitions"].as_object().unwrap().values().chain([&schema]);
        let keys: Vec<&String> = tables.flat_map(|table| table["properties"].as_object().unwrap().keys()).collect();
        assert!(keys.len() > 80, "{keys:?}");
        for key in keys {
            let said = text.contains(&format!("{key} = ")) || text.contains(&format!("[{key}"));
            assert!(said, "{key} is not told of");
        }
    }

    #[test]
    fn machines_are_those_that_arrive_and_say_what_the_file_says() {
        let plan = good(SMALL).plan(3, Ids::Seeded);
        let labels: Vec<_> = machines(&plan).iter().map(|machine| machine.label.clone()).collect();
        assert_eq!(labels, ["pc 2", "pc 3", "office 1", "office 2"]);
        let (pc, office) = (&machines(&plan)[0], &machines(&plan)[3]);
        assert_eq!(office.workstation.to_string(), "office-0002.kmsproof.invalid");
        assert_eq!((office.wanted.n_policy, office.is_vm, office.lease.standing(NOW).0.0), (7, true, 5));
        assert_eq!((office.lease.standing(NOW).1, pc.lease.standing(NOW).1), (0, 43_200));
        let origin = ClientId::recognise(office.id.guid()).unwrap();
        assert_eq!((origin.seed_fold, origin.group.number(), origin.index.number()), (3, 1, 2));
    }

    #[test]
    fn arrivals_go_by_client_then_version_then_syntax() {
        let plan = good(SMALL).plan(3, Ids::Seeded);
        let first: Vec<_> = arrivals(&plan, 0).iter().map(|arrival| (place(arrival), arrival.version)).collect();
        assert_eq!(
            first,
            [((1, 2), ProtocolVersion::V5), ((0, 2), ProtocolVersion::V6), ((0, 3), ProtocolVersion::V6)]
        );
        let second = &plan.steps[1];
        assert_eq!((second.host, second.concurrency(), second.line), (HostState::Fresh, Some(8), 19));
        let ways: Vec<_> =
            arrivals(&plan, 1).iter().map(|arrival| (place(arrival), arrival.version.major, arrival.offer)).collect();
        let ndr32 = Offer::Only(TransferSyntax::Ndr32);
        let pc = (0, 2);
        assert_eq!(ways[..4], [(pc, 4, ndr32), (pc, 4, Offer::Windows), (pc, 6, ndr32), (pc, 6, Offer::Windows)]);
        assert_eq!((ways.len(), ways[4].0, ways[8].0), (2 * 3 * 2 * 2, (1, 1), (1, 2)));
        assert_eq!(ways[..12], ways[12..]);
        assert_eq!(
            second.expect.iter().map(|one| one.id(&plan.name, 2)).collect::<Vec<_>>(),
            ["small/2/verdict", "small/2/shown", "small/2/count"]
        );
        assert_eq!(second.expect[0].line, 27);
    }

    #[test]
    fn pool_ids_are_the_same_whatever_the_seed_and_the_scenario() {
        let (one, other) = (good(SMALL).plan(1, Ids::Pool), good(SMALL).plan(2, Ids::Pool));
        let ids = |plan: &Plan| machines(plan).iter().map(|machine| machine.id).collect::<Vec<_>>();
        assert_eq!(ids(&one), ids(&other));
        assert_eq!(ids(&one)[0], ids(&one)[3], "each application counts from 1");
        assert_eq!(ids(&one)[2], ids(&shipped_plan("smoke", 9, Ids::Pool))[0]);
        let per_application = [(Application::Windows.guid(), 2), (Application::Office2010.guid(), 2)];
        assert_eq!(one.ids_per_application(), per_application.into());
        assert_eq!(ids(&one)[2].to_string(), "6b6d7300-001f-4fff-8bf7-59cb60000001");
    }

    #[test]
    fn a_seed_decides_everything() {
        let mut hashes = HashSet::new();
        let mut ids = HashSet::new();
        let mut ivs = HashSet::new();
        for seed in 0..10 {
            let (plan, again) = (good(SMALL).plan(seed, Ids::Seeded), good(SMALL).plan(seed, Ids::Seeded));
            assert_eq!(format!("{plan:?}"), format!("{again:?}"));
            assert!(hashes.insert(plan.hash.clone()), "seed {seed}");
            assert!(machines(&plan).iter().all(|machine| ids.insert(machine.id)), "seed {seed}");
            let mut randomness = Randomness::new(seed);
            for step in 0..plan.steps.len() {
                for arrival in arrivals(&plan, step) {
                    assert!(ivs.insert(randomness.iv(arrival.ordinal)), "seed {seed}");
                }
            }
        }
    }

    /// A recorded run is held against later ones by this hash, so it may change only on purpose.
    #[test]
    fn a_plan_is_the_same_in_every_release() {
        let plan = good(SMALL).plan(1, Ids::Seeded);
        assert_eq!(plan.hash, "73cef6ea6134217c4b0a33e6d08f8bde5cb9cd74a404bc2424bab533cefcf2ac");
        assert_eq!(
            u128::from_be_bytes(Randomness::new(1).iv(plan.arrival(0, 0).ordinal)),
            0xb10da48cea4c09676b8e0efcd8069414
        );
    }

    #[test]
    fn the_hash_is_over_what_is_sent_and_expected_and_nothing_else() {
        let hash = |source: &str| good(source).plan(1, Ids::Seeded).hash;
        let original = hash(SMALL);
        for (from, to) in [
            ("question = \"Does", "# a comment\nquestion = \"How does"),
            ("title = \"one\"", "title = \"first\""),
            ("[clients.pc]\ncount = 3", "[clients.pc]\ncount = 30"),
        ] {
            assert_eq!(hash(&SMALL.replacen(from, to, 1)), original, "{to}");
        }
        assert_eq!(hash(&format!("\u{feff}{}", SMALL.replace('\n', "\r\n"))), original);
        for (from, to) in [
            ("name = \"small\"", "name = \"other\""),
            ("n-policy = 7", "n-policy = 6"),
            ("vm = true", "vm = false"),
            ("minutes-left = 0", "minutes-left = 1"),
            ("\"notification\"", "1"),
            ("protocol = \"5.0\"", "protocol = \"4.0\""),
            ("host = \"fresh\"", "connection = \"each\""),
            ("concurrency = 8", "concurrency = 9"),
            ("most = 50", "least = 50"),
            ("\"windows\"", "\"ndr64\""),
            ("from = 1, to = 3", "from = 2, to = 4"),
            ("[\"activated\", \"0xC004F038\"]", "\"activated\""),
        ] {
            assert!(SMALL.contains(from), "{from}");
            assert_ne!(hash(&SMALL.replacen(from, to, 1)), original, "{to}");
        }
        assert_ne!(good(SMALL).plan(1, Ids::Pool).hash, original);
    }
}

mod properties {
    use super::*;
    use crate::cases::config;

    /// Loads, renders and plans: none of it may panic, whatever the text.
    fn survive(source: &str) {
        match load(source, "any.toml") {
            Ok(scenario) => {
                assert_eq!(scenario.plan(1, Ids::Pool).hash.len(), 64);
                // The schema must never refuse what the readers take.
                assert_eq!(super::schema::complaints(source), Vec::<String>::new(), "{source}");
            }
            Err(problems) => {
                assert!(problems.count() > 0);
                assert!(!problems.render(false).contains('\u{1b}'));
                assert!(problems.render(true).len() > 10);
                let lines = source.matches('\n').count() + 1;
                let is_inside = |problem: &Problem| (1..=lines).contains(&problem.line()) && problem.column() > 0;
                let of_it = |problem: &&Problem| problem.file() == "any.toml";
                assert!(problems.iter().filter(of_it).all(is_inside));
            }
        }
    }

    /// A piece of the file replaced: cut at letters, not inside one.
    fn mutate(source: &str, at: usize, len: usize, with: &str) -> String {
        let letters: Vec<char> = source.chars().collect();
        let at = at % letters.len();
        let end = (at + len).min(letters.len());
        letters[..at].iter().collect::<String>() + with + &letters[end..].iter().collect::<String>()
    }

    /// Good files; the richest as often as all others together.
    fn sources() -> Vec<&'static str> {
        let shipped: Vec<_> = shipped().iter().map(|(.., source)| *source).chain([SMALL]).collect();
        shipped.iter().copied().chain(shipped.iter().map(|_| super::keys::RICH)).collect()
    }

    fn pieces() -> impl Strategy<Value = String> {
        prop_oneof![
            "\\PC{0,8}",
            ".{0,4}",
            prop::sample::select(vec![
                "",
                "[",
                "]",
                "{",
                "}",
                "\"",
                "'''",
                "\"\"\"",
                "=",
                ",",
                "\n",
                "\r",
                "\r\n",
                "\t",
                "#",
                "\u{feff}",
                "\0",
                "電",
                "-1",
                "0",
                "99999999999",
                "9223372036854775808",
                "1.5",
                "true",
                "1979-05-27",
                "[[step]]\n",
                "[clients.pc]\n",
                "[1..24]",
                "[0]",
                "expect.wire = \"\"\n",
                "fresh",
                "0x",
                "\"0xC004F038\"",
                "{ from = 1, to = 2 }",
                "[[[[[[",
                "Asia/Taipei",
                "50/s",
                "30%",
                "7d",
                "-4h 1m",
                "{ rate = \"1/s\" }",
                "{ lifecycle = \"1d\" }",
                "\"none\"",
                "oracle = false\n",
                "population = \"populations/campus.csv\"\n",
                "= {}",
            ])
            .prop_map(str::to_owned),
        ]
    }

    proptest! {
        #![proptest_config(config(256))]

        #[test]
        fn any_text_is_survived(source: String) {
            survive(&source);
        }

        #[test]
        fn any_pieces_of_the_language_are_survived(pieces in prop::collection::vec(pieces(), 0..40)) {
            survive(&pieces.concat());
        }

        #[test]
        fn any_mutation_of_a_good_file_is_survived(
            which in prop::sample::select(sources()),
            changes in prop::collection::vec((any::<usize>(), 0..12usize, pieces()), 1..4),
        ) {
            let mut source = which.to_owned();
            for (at, len, with) in &changes {
                source = mutate(&source, *at, *len, with);
                if source.is_empty() {
                    break;
                }
            }
            survive(&source);
        }

        #[test]
        fn any_mutation_of_a_table_is_survived(
            changes in prop::collection::vec((any::<usize>(), 0..12usize, pieces()), 1..4),
        ) {
            let mut table = CAMPUS.to_owned();
            for (at, len, with) in &changes {
                table = mutate(&table, *at, *len, with);
                if table.is_empty() {
                    break;
                }
            }
            match super::super::load(super::keys::RICH, "any.toml", &|_: &str| Ok(table.as_bytes().to_vec())) {
                Ok(scenario) => assert!(scenario.plan(1, Ids::Seeded).machines() > 0),
                Err(problems) => assert!(!problems.render(false).contains('\u{1b}')),
            }
        }

        /// A line lost is the commonest accident.
        #[test]
        fn any_line_may_be_lost(
            source in prop::sample::select(sources()),
            line in any::<prop::sample::Index>(),
            keep in any::<prop::sample::Index>(),
        ) {
            let lines: Vec<&str> = source.lines().collect();
            let (line, keep) = (line.index(lines.len()), keep.index(lines.len()));
            let without: Vec<&str> = lines.iter().enumerate().filter(|(at, _)| *at != line).map(|(_, text)| *text).collect();
            survive(&without.join("\n"));
            survive(&lines[..keep].join("\r\n"));
        }
    }
}
