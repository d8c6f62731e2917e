//! Plans: who arrives, in which order, and what follows from file, seed and ids.

use std::time::Duration;

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
    let lines = include_str!("../mod.rs").lines().skip_while(|line| *line != "//! ```toml").skip(1);
    let example = lines.take_while(|line| *line != "//! ```").map(|line| line.trim_start_matches("//!").trim_start());
    let plan = good(&example.collect::<Vec<_>>().join("\n")).plan(1, Ids::Seeded);
    let arrivals: Vec<usize> = plan.steps.iter().map(Step::arrivals).collect();
    assert_eq!(arrivals, [24, 12, 40, 40 + 30, 30, 40, 2, 4, 0]);
}

#[test]
fn the_language_s_description_names_every_key() {
    let lines = include_str!("../mod.rs").lines().take_while(|line| line.starts_with("//!"));
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
    assert_eq!(first, [((1, 2), ProtocolVersion::V5), ((0, 2), ProtocolVersion::V6), ((0, 3), ProtocolVersion::V6)]);
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

/// A step of three machines, on the wall's time.
fn timed(arrive: &str, repeat: &str) -> String {
    format!(
        "name = \"timed\"\nquestion = \"How long?\"\n[clients.pc]\ncount = 3\nproduct = \"Windows 11 Enterprise\"\n\
         [[step]]\ntitle = \"first\"\nclients = [\"pc\"]\narrive = {{ {arrive} }}\nrepeat = {{ {repeat} }}\n\
         [[step]]\ntitle = \"then\"\nclients = [\"pc\"]\n"
    )
}

#[test]
fn a_time_says_how_many_arrive_at_a_rate() {
    for (arrive, repeat, due) in [
        ("rate = \"50/s\"", "for = \"30s\"", 1_500),
        ("rate = \"3/s\"", "for = \"1s\"", 3),
        ("rate = \"3/s\"", "for = \"1ms\"", 1),
        ("rate = \"10/s\", burst = 7", "for = \"2s\"", 21),
        (
            "stages = [{ from = \"0/s\", to = \"10/s\", for = \"10s\" }, { rate = \"10/s\", for = \"5s\" }]",
            "for = \"20s\"",
            150,
        ),
        ("rate = \"1000000/s\"", "for = \"12d\"", 1_036_800_000_000),
    ] {
        let plan = good(&timed(arrive, repeat)).plan(1, Ids::Seeded);
        let step = &plan.steps[0];
        assert_eq!((step.arrivals(), step.arrivals_known(), step.is_open_ended()), (due, due, false), "{arrive}");
        assert_eq!(plan.arrival(1, 0).ordinal, due as u64, "the next step's requests come after them");
        assert_eq!(step.rounds().map(|round| round.len()).collect::<Vec<_>>(), [due]);
    }
}

#[test]
fn whoever_takes_turns_for_a_time_comes_nobody_knows_how_often() {
    for arrive in ["concurrency = 2, think = \"1s\"", "one-by-one = true"] {
        let plan = good(&timed(arrive, "for = \"30s\"")).plan(1, Ids::Seeded);
        assert!(plan.steps[0].is_open_ended() && !plan.steps[1].is_open_ended());
        assert_eq!((plan.steps[0].arrivals() as u64, plan.steps[0].arrivals_known()), (TIMED_ARRIVALS_MAX, 0));
        assert_eq!((plan.arrivals_known(), plan.requests_left()), (3, 3));
        assert_eq!(plan.open_ended_for(), Some(Duration::from_secs(30)));
        // Whatever the place, somebody stands there, and the next step's requests are none of theirs.
        let far = TIMED_ARRIVALS_MAX as usize - 1;
        let labels = [0, 3, 4, far].map(|position| plan.label(0, position));
        assert_eq!(labels, ["pc 1", "pc 1", "pc 2", &format!("pc {}", far % 3 + 1)]);
        assert_eq!((plan.arrival(0, far).ordinal, plan.arrival(1, 0).ordinal), (far as u64, TIMED_ARRIVALS_MAX));
    }
}

#[test]
fn a_time_goes_into_the_hash_and_has_its_bounds() {
    let hash = |repeat: &str| good(&timed("rate = \"50/s\"", repeat)).plan(1, Ids::Seeded).hash;
    let hashes = HashSet::from([hash("times = 1"), hash("for = \"30s\""), hash("for = \"31s\"")]);
    assert_eq!(hashes.len(), 3);
    for (arrive, repeat, why) in [
        ("rate = \"1000000/s\"", "for = \"13d\"", "a step has room for 1,099,511,627,776"),
        ("rate = \"10000/s\", spread = \"poisson\"", "for = \"1d\"", "100,000,000 who arrive as strangers do"),
        ("rate = \"5/s\"", "times = 3, for = \"1s\"", "`times` and `for` exclude one another"),
        ("rate = \"5/s\"", "pause = \"1s\", for = \"1s\"", "`pause` and `for` exclude one another"),
        ("rate = \"5/s\"", "pause = \"1s\"", "`repeat` needs `times` or `for`"),
    ] {
        let problems = load(&timed(arrive, repeat), "test.toml").expect_err(arrive).to_string();
        assert!(problems.contains(why), "{arrive} {repeat}: {problems}");
    }
    let counted = timed("one-by-one = true", "for = \"1s\" }\nexpect = { count = { from = 1, to = 3 }");
    let problems = load(&counted, "test.toml").unwrap_err().to_string();
    assert!(problems.contains("nobody knows up to which count it goes"), "{problems}");
}

proptest! {
    #![proptest_config(crate::cases::config(256))]

    /// As many as there are times before it, one by one.
    #[test]
    fn how_many_arrive_in_a_time_is_how_many_times_there_are(
        levels in prop::collection::vec((0_u32..200, 0_u32..200, 1_u64..3_000), 1..5),
        last_per_s in 1_u32..200,
        end_ms in 1_u64..12_000,
        kind in 0_usize..3,
        seed: u64,
    ) {
        let mut stages: Vec<Stage> = levels
            .iter()
            .map(|&(from, to, ms)| Stage {
                from_per_s: f64::from(from),
                to_per_s: f64::from(to),
                lasts: Duration::from_millis(ms),
            })
            .collect();
        stages.last_mut().unwrap().to_per_s = f64::from(last_per_s);
        let spread = [Spread::Even, Spread::Poisson, Spread::Bursts { size: 7 }][kind];
        let schedule = Schedule { stages, spread };
        let end = Duration::from_millis(end_ms);
        let counted = schedule.times(seed, 3).take_while(|time| *time < end).count() as u64;
        prop_assert_eq!(schedule.arrivals_before(end, seed, 3), counted);
        prop_assert!(schedule.brings(end) <= schedule.peak_per_s(end) * end.as_secs_f64() + 1e-6);
        if spread == Spread::Even {
            prop_assert!((schedule.brings(end) - counted as f64).abs() <= 1.001, "{}", schedule.brings(end));
        }
    }
}
