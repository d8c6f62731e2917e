//! `kmsproof conform` as whoever runs it sees it: exit codes, the list of known failures, what is refused.

mod support;

use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kmsproof::conform::{KnownFailures, MemoryHost, Options, Profile, Said, Service, Verdict, cases, run};
use kmsproof::engine::{Clock, TcpHost};
use kmsproof::lab::{Faults, HostIdentity, LabHost, LabListener};
use kmsproof::wire::FileTime;
use serde_json::Value;
use support::command::{self, Ran};

#[test]
fn a_case_that_fails_is_shown_with_its_evidence_and_how_to_repeat_it() {
    let ran = conform(&[BIND, "--target", FAULTY, "--strict", "--out", "json=-"]);
    assert_eq!(ran.code, 100, "{}", ran.stderr);
    let said = &ran.stderr;
    for words in [
        "  fail            rpc/bind/unknown-interface ",
        "      required  ",
        "        expected  (2,1)",
        "      host, connection 1  <- this\n",
        "      again: kmsproof conform rpc/bind/unknown-interface --target lab:takes-any-interface --seed 1 --profile strict --verbose\n",
        "FAIL  exit 100: ",
    ] {
        assert!(said.contains(words), "{words:?} is missing:\n{said}");
    }
    let record: Value = serde_json::from_str(&ran.stdout).unwrap();
    let case = record["cases"].as_array().unwrap().iter().find(|case| case["id"] == BIND).unwrap();
    assert_eq!((&case["verdict"], &case["field"]), (&"fail".into(), &"results".into()));
    assert_eq!(case["exchange_left_off"]["before"], 0);
    let quiet = conform(&[BIND, "--target", FAULTY, "--strict", "--quiet"]);
    assert!(quiet.stderr.starts_with("  fail            rpc/bind/unknown-interface "), "{}", quiet.stderr);
    assert!(quiet.stderr.contains("again:"), "{}", quiet.stderr);
    assert!(!quiet.stderr.contains("connection 1") && !quiet.stderr.contains("FAIL"), "{}", quiet.stderr);
    assert_eq!(conform(&[BIND, "--quiet"]).stderr, "");
}

#[test]
fn the_record_says_how_cases_were_put_and_the_events_what_became_of_each() {
    let cases = [BIND, "kms/policy/n-policy", "kms/policy/full-table", "--strict", "--jobs", "2", "--seed", "7"];
    let path = written("events", "events.jsonl", "");
    let outs = ["--target", FAULTY, "--out", "json=-", "--out", &format!("events={path}")];
    let ran = conform(&[&cases[..], &outs].concat());
    assert_eq!(ran.code, 100, "{}", ran.stderr);
    let record: Value = serde_json::from_str(&ran.stdout).unwrap();
    let said = &record["conform"];
    assert_eq!((&record["seed"], &said["profile"], &said["strict"]), (&7.into(), &"strict".into(), &true.into()));
    assert_eq!((&said["jobs"], &said["disruptive"]), (&2.into(), &false.into()));
    assert_eq!(said["interface"], "51c82175-844e-4750-b0d8-ec255555bc06@1.0");
    assert_eq!(said["filters"], serde_json::json!(&cases[..3]));
    assert_eq!(said["counts"], serde_json::json!({"fail": 1, "pass": 1, "skip": 1}));
    let capable = serde_json::json!(["ndr64", "btfn", "clock", "products", "counting"]);
    assert_eq!(said["capabilities"]["found"], capable);
    assert_eq!(said["capabilities"]["lacking"], serde_json::json!(["process"]));
    assert_eq!(said["capabilities"]["unknown"], serde_json::json!([]));
    // Cases and checks, each with what the record says of it.
    let events: Vec<Value> =
        std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let judged: Vec<_> = events.iter().filter(|event| event["event"] == "judged").collect();
    let in_record = record["cases"].as_array().unwrap();
    assert_eq!(judged.len(), in_record.len());
    for case in in_record {
        let event = judged.iter().find(|event| event["id"] == case["id"]).expect("each is told of");
        for field in ["level", "verdict", "field", "expected", "observed", "why"] {
            assert_eq!(event[field], case[field], "{} of {}", field, case["id"]);
        }
    }
}

#[test]
fn what_is_known_to_fail_fails_no_run_and_what_passes_all_the_same_does() {
    let list = written("known", "known.toml", &known("fail", "results", "2999-01-01"));
    let ran = conform(&[BIND, "--target", FAULTY, "--strict", "--known-failures", &list]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ran = conform(&[BIND, "--known-failures", &list]);
    assert_eq!(ran.code, 100, "{}", ran.stderr);
    assert!(ran.stderr.contains("known.toml:1: it passes now: delete the entry"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("connection 1"), "what passes is no evidence:\n{}", ran.stderr);
    let past = written("past", "known.toml", &known("fail", "results", "2020-01-01"));
    let ran = conform(&[BIND, "--target", FAULTY, "--strict", "--known-failures", &past]);
    assert_eq!(ran.code, 100, "{}", ran.stderr);
    assert!(ran.stderr.contains("is past its day: nobody may rest on it since 2020-01-01"), "{}", ran.stderr);
}

#[test]
fn a_list_that_is_written_is_one_the_next_run_passes_with_and_keeps_what_was_known() {
    let list = written("kept", "known.toml", &known("fail", "results", "2999-01-01"));
    let faults = "lab:takes-any-interface,ignores-interface-version";
    let cases = ["rpc/bind/unknown-interface", "rpc/bind/interface-version", "--strict", "--target", faults];
    let both = [&cases[..], &["--known-failures", &list]].concat();
    assert_eq!(conform(&[&both[..], &["--write-known-failures", &list]].concat()).code, 100);
    let text = std::fs::read_to_string(&list).unwrap();
    assert!(text.contains("reason = \"a host of ours\""), "{text}");
    assert!(text.contains("case = \"rpc/bind/interface-version\"\noutcome = \"fail\"\n"), "{text}");
    let ran = conform(&both);
    assert_eq!(ran.code, 0, "{}{text}", ran.stderr);
    // Whoever looks at one case alone loses nothing of the others.
    assert_eq!(conform(&[CONTROL, "--known-failures", &list, "--write-known-failures", &list]).code, 0);
    assert_eq!(std::fs::read_to_string(&list).unwrap(), text);
    // A list that is there is kept up, whether it was named twice or once.
    assert_eq!(conform(&[CONTROL, "--write-known-failures", &list]).code, 0);
    assert_eq!(std::fs::read_to_string(&list).unwrap(), text);
}

#[test]
fn a_list_that_is_kept_up_keeps_reasons_comments_and_order() {
    let entry = known("fail", "results", "2999-01-01");
    let other = known("fail", "results", "2999-01-01").replace(BIND, CONTROL);
    let kept_up = |name: &str, text: &str, arguments: &[&str]| {
        let list = written(name, "known.toml", text);
        let with =
            |last: &[&str]| conform(&[&["rpc/bind/unknown-*", CONTROL, "--target", FAULTY], arguments, last].concat());
        with(&["--write-known-failures", &list]);
        let ran = with(&["--known-failures", &list]);
        (std::fs::read_to_string(&list).unwrap(), ran)
    };
    // What passes goes with its comment; the rest is as somebody wrote it.
    let text = format!("# Of our own host.\n\n# Mended soon.\n{other}\n# Never mended: too old.\n{entry}");
    let (after, ran) = kept_up("comments", &text, &["--strict"]);
    assert_eq!(
        (after, ran.code),
        (format!("# Of our own host.\n\n# Never mended: too old.\n{entry}"), 0),
        "{}",
        ran.stderr
    );
    // What is past its day gets another one, what costs less than it did says so, and both keep their reasons.
    let (after, ran) = kept_up("days", &format!("# Ours.\n{}", known("fail", "results", "2020-01-01")), &["--strict"]);
    let day = after.rsplit(' ').next().unwrap().trim().to_owned();
    assert_eq!((after, ran.code), (format!("# Ours.\n{}", known("fail", "results", &day)), 0), "{}", ran.stderr);
    assert_ne!(day, "2020-01-01");
    let (after, ran) = kept_up("costs", &entry, &[]);
    assert_eq!((after, ran.code), (known("non-strict", "results", "2999-01-01"), 0), "{}", ran.stderr);
    // Headings stay, and so does whatever else somebody wrote into an entry.
    let text = format!("# --- One ---\n\n{other}\n# --- Two ---\n\n{entry}\n# Nothing more.\n");
    let text = text.replace("reason = \"a host of ours\"", "reason = \"a host of ours\" # number 7");
    let (after, ran) = kept_up("headings", &text, &["--strict"]);
    let passed = format!("{}\n", other.replace("ours\"", "ours\" # number 7"));
    assert_eq!((after, ran.code), (text.replace(&passed, ""), 0), "{}", ran.stderr);
    let (after, ran) = kept_up("inner", &entry.replace("reason =", "# why\nreason  ="), &[]);
    let due = known("non-strict", "results", "2999-01-01").replace("reason =", "# why\nreason  =");
    assert_eq!((after, ran.code), (due, 0), "{}", ran.stderr);
    // A list of nothing, in another form, is written in ours, and what comes in is noted.
    let (after, ran) = kept_up("empty", "known = []\n", &["--strict"]);
    assert!(after.starts_with("# What is known") && after.contains(BIND) && ran.code == 0, "{after}{}", ran.stderr);
    assert!(ran.stderr.contains("nobody has said yet why this is known to fail: line 4\n"), "{}", ran.stderr);
    // Beside an entry of its own a pattern is written out without it.
    let flaps =
        "[[flapping]]\ncase = \"rpc/bind/unknown-transfer-syntax\"\nreason = \"now and then\"\nexpires = 2999-01-01\n";
    let both = format!("{}\n{flaps}", entry.replace(BIND, "rpc/bind/un*"));
    let (after, ran) = kept_up("both", &both, &["--strict"]);
    assert!(
        ran.code == 0 && after.ends_with(flaps) && after.matches("unknown-transfer-syntax").count() == 1,
        "{after}{}",
        ran.stderr
    );
    // Of a pattern, what still holds.
    let (after, ran) = kept_up("patterns", &entry.replace(BIND, "rpc/bind/unknown-*"), &["--strict"]);
    assert_eq!((after, ran.code), (entry.clone(), 0), "{}", ran.stderr);
    // A list in another form is written in ours.
    let inline = format!("known = [{{{}}}]\n", entry.lines().skip(1).collect::<Vec<_>>().join(", "));
    let (after, ran) = kept_up("inline", &inline, &["--strict"]);
    assert!(
        after.starts_with("# ") && after.ends_with(&format!("\n\n{entry}")) && ran.code == 0,
        "{after}{}",
        ran.stderr
    );
}

#[test]
fn what_is_no_list_is_not_written_over() {
    let notes = written("notes", "notes.txt", "important\n");
    let ran = conform(&[CONTROL, "--write-known-failures", &notes]);
    assert_eq!(ran.code, 104, "{}", ran.stderr);
    let other = written("other", "known.toml", &known("fail", "results", "2999-01-01"));
    let (entry, list) = (known("fail", "results", "2999-01-01"), "known.toml");
    let ran = conform(&[CONTROL, "--known-failures", &written("this", list, &entry), "--write-known-failures", &other]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("is there already"), "{}", ran.stderr);
    assert_eq!(
        (std::fs::read_to_string(notes).unwrap(), std::fs::read_to_string(other).unwrap()),
        ("important\n".to_owned(), entry)
    );
}

#[test]
fn no_entry_covers_a_host_that_died_and_what_comes_after_is_counted_with_its_reason() {
    let entry = known("fail", "liveness", "2999-01-01").replace(BIND, "rpc/bind/no-transfer-syntax");
    let list = written("died", "known.toml", &entry);
    let cases = ["rpc/bind/no-transfer-syntax", "rpc/alter/*"];
    let target = ["--target", "lab:dies-of-empty-context", "--timeout", "500ms", "--known-failures", &list];
    let ran = conform(&[&cases[..], &target].concat());
    assert_eq!(ran.code, 100, "{}", ran.stderr);
    assert!(ran.stderr.contains("  fail            rpc/bind/no-transfer-syntax"), "{}", ran.stderr);
    let why = " inconclusive: the host serves nobody any more, since rpc/bind/no-transfer-syntax\n";
    assert!(ran.stderr.contains(why), "{}", ran.stderr);
}

#[test]
fn an_entry_of_what_a_whole_run_leaves_out_is_stale() {
    let skipped = kmsproof::conform::cases::all().find(|case| case.disruptive).expect("some spoil a host");
    let list = written("stale", "known.toml", &known("fail", "results", "2999-01-01").replace(BIND, skipped.id));
    let ran = conform(&["--known-failures", &list]);
    assert_eq!(ran.code, 100, "{}", ran.stderr);
    let stale = format!("known.toml:1: nothing that was run is named `{}`: the entry is stale", skipped.id);
    assert!(ran.stderr.contains(&stale), "{}", ran.stderr);
    assert!(
        ran.stderr.contains(" not run: it may leave the host worse than it was (--disruptive)\n"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_check_that_is_known_to_fail_may_hold_where_it_is_not_put_to_the_test() {
    let entry = known("fail", "hmac", "2999-01-01").replace(BIND, "kms/v6/hmac");
    let list = written("narrow", "known.toml", &entry);
    let ran = conform(&[CONTROL, "--known-failures", &list]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn checks_are_listed_after_the_cases_and_cannot_be_chosen_alone() {
    let all = conform(&["--list"]);
    assert_eq!(all.code, 0, "{}", all.stderr);
    let (cases, checks) = all.stdout.split_once("\n\nchecks, done on every PDU:\n").expect("two blocks");
    assert!(cases.lines().any(|line| line.starts_with("rpc/bind/unknown-interface ")), "{cases}");
    assert!(checks.lines().any(|line| line.starts_with("kms/v6/hmac ") && line.contains(" must ")), "{checks}");
    let some = conform(&["--list", "kms/v6/*", "--level", "must"]);
    assert!(some.stdout.contains("kms/v6/hmac ") && !some.stdout.contains("rpc/"), "{}", some.stdout);
    let chosen = conform(&["kms/v6/hmac"]);
    assert_eq!(chosen.code, 2);
    let why = "kms/v6/hmac is a check, done on every answer of every case; it cannot be chosen alone";
    assert!(chosen.stderr.contains(why), "{}", chosen.stderr);
    assert_eq!(conform(&["no/such/case"]).code, 2);
}

#[test]
fn cases_are_chosen_by_layer_and_by_what_their_ids_begin_with() {
    let listed = |arguments: &[&str]| {
        let ran = conform(&[&["--list"], arguments].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let ids = ran.stdout.lines().filter_map(|line| line.split(' ').next().filter(|id| id.contains('/')));
        ids.map(str::to_owned).collect::<Vec<_>>()
    };
    let of_layers = listed(&["--layer", "ndr,load"]);
    assert!(of_layers.iter().all(|id| id.starts_with("ndr/") || id.starts_with("load/")), "{of_layers:?}");
    assert!(of_layers.iter().any(|id| id.starts_with("ndr/")) && of_layers.iter().any(|id| id.starts_with("load/")));
    assert_eq!(listed(&["rpc/bind"]), listed(&["rpc/bind/*"]));
    assert_eq!(listed(&["rpc/"]), listed(&["--layer", "rpc"]));
    assert_eq!(conform(&["rpc/bi", "--list"]).code, 2, "half a name is none");
    let ran = conform(&["--layer", "tcp"]);
    assert!(ran.code == 2 && ran.stderr.contains("expected rpc, ndr, kms or load"), "{}", ran.stderr);
}

#[test]
fn what_is_wrong_with_a_file_is_told_with_its_line() {
    let wrong = |name: &str, flag: &str, text: &str| {
        let ran = conform(&[CONTROL, flag, &written(name, "mine.toml", text)]);
        assert_eq!(ran.code, 104, "{}", ran.stderr);
        ran.stderr
    };
    let entry = "strict = true\n[[case]]\nid = \"rpc/bind/*\"\ncost = \"shout\"\n";
    let said = wrong("profile-cost", "--profile", entry);
    assert!(said.contains("mine.toml:4: unknown variant `shout`, expected one of"), "{said}");
    let said = wrong("profile-case", "--profile", &entry.replace("rpc/bind/*", "no/such").replace("shout", "fail"));
    assert!(said.contains("mine.toml:2: no case or check is named `no/such`"), "{said}");
    let twice = known("fail", "results", "2999-01-01").repeat(2);
    let said = wrong("twice", "--known-failures", &twice);
    assert!(said.contains("mine.toml:8: ") && said.contains("in line 1"), "{said}");
    let ran = conform(&[CONTROL, "--profile", "widnows"]);
    assert_eq!(ran.code, 104, "{}", ran.stderr);
    assert!(ran.stderr.contains("`widnows` is no profile: expected windows, strict or a file"), "{}", ran.stderr);
}

#[test]
fn what_cannot_be_done_is_refused_before_a_host_is_asked() {
    let refused = |arguments: &[&str], why: &str| {
        let ran = conform(&[&[CONTROL], arguments].concat());
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(why), "{arguments:?}: {}", ran.stderr);
    };
    refused(&["--out", "csv=x.csv"], "it writes json, events and pcapng");
    refused(&["--out", "hgrm=x.hgrm"], "it writes json, events and pcapng");
    refused(&["--write-known-failures", "-"], "not standard output");
    refused(&["--write-known-failures", "x.toml", "--out", "json=x.toml"], "cannot both go to x.toml");
    let (interface, long) = ("51c82175-844e-4750-b0d8-ec255555bc06@1.0", "00".repeat(5817));
    refused(&["--interface", interface, "--stub", &long], "expected up to 5816");
    // As with --out, what cannot be written is found before anything is asked.
    for flag in [["--write-known-failures", "no/such/folder/x.toml"], ["--out", "json=no/such/folder/x.json"]] {
        let ran = conform(&[&[CONTROL], &flag[..]].concat());
        assert_eq!(ran.code, 110, "{flag:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("1 case"), "{flag:?}: {}", ran.stderr);
    }
}

#[test]
fn a_host_of_two_addresses_is_asked_at_both() {
    let told = |faults: &str| {
        let (_runtime, clock, addresses) = served(faults, 2);
        assert_ne!(addresses[0].port(), addresses[1].port());
        let mut host = TcpHost::new(addresses, clock, Duration::from_secs(5), None);
        let chosen: Vec<_> = cases::all().filter(|case| case.id == "kms/policy/every-address").collect();
        let (profile, known, today) = (Profile::windows(), KnownFailures::default(), jiff::civil::date(2026, 1, 1));
        let options = Options { profile, known, today, disruptive: false, jobs: 1, seed: 1, service: Service::KMS };
        let run = run(&mut host, &chosen, &options, &mut |_| true);
        // Each names its own port, not the other's.
        let wrong = run.checks.iter().filter(|check| check.failed > 0).map(|check| check.check.check().id);
        (run.results[0].verdict, wrong.collect::<Vec<_>>())
    };
    assert_eq!(told(""), (Verdict::Pass, Vec::new()));
    assert_eq!(told("counts-each-address-apart").0, Verdict::Fail);
    assert_eq!(told("closes-at-other-addresses").0, Verdict::Fail);
}

#[test]
fn a_host_that_closes_idle_connections_is_blamed_for_nothing() {
    // In memory no time goes by between two requests: only here does it close any.
    let (runtime, _, addresses) = served("closes-idle-connections", 1);
    let mut idle = std::net::TcpStream::connect(addresses[0]).unwrap();
    idle.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(idle.read(&mut [0]).unwrap(), 0, "it closes none");
    drop(runtime);
    // The first of them rests for longer than that host waits.
    let ran = conform(&["kms/policy/still-counted", "rpc/transport/*", "--target", "lab:closes-idle-connections"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn side_by_side_cases_come_to_what_they_come_to_alone() {
    let verdicts = |jobs: &str, target: &str| {
        let cases = ["rpc/bind/*", "ndr/*", "kms/request/*", "kms/policy/same-client", "--strict"];
        let ran = conform(&[&cases[..], &["--target", target, "--jobs", jobs, "--out", "json=-"]].concat());
        let record: Value = serde_json::from_str(&ran.stdout).unwrap();
        let cases = record["cases"].as_array().unwrap();
        let told: Vec<_> =
            cases.iter().map(|case| format!("{} {} {}", case["id"], case["verdict"], case["field"])).collect();
        (ran.code, told)
    };
    for (target, code) in [("lab", 0), ("lab:takes-any-interface,answers-with-a-code", 100)] {
        let alone = verdicts("1", target);
        assert_eq!(alone.0, code, "{target}");
        assert_eq!(verdicts("6", target), alone, "{target}");
    }
    let ran = conform(&[CONTROL, "--jobs", "0"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("expected 1 to 32"), "{}", ran.stderr);
}

#[test]
fn a_host_that_dies_of_one_of_several_cases_is_found_out() {
    let ran = conform(&[
        "rpc/*",
        "--target",
        "lab:dies-of-empty-context",
        "--timeout",
        "500ms",
        "--jobs",
        "6",
        "--out",
        "json=-",
    ]);
    assert_eq!(ran.code, 100, "{}", ran.stderr);
    let record: Value = serde_json::from_str(&ran.stdout).unwrap();
    let cases = record["cases"].as_array().unwrap();
    let died: Vec<_> = cases.iter().filter(|case| case["field"] == "liveness").collect();
    assert_eq!(died.len(), 1, "{}", ran.stderr);
    let (id, why) = (died[0]["id"].as_str().unwrap(), died[0]["why"].as_str().unwrap());
    let culprit = "rpc/bind/no-transfer-syntax";
    assert!(id == culprit || (why.contains(culprit) && why.contains("--jobs 1 tells them apart")), "{id}: {why}");
    let since = format!("since {id} or a case beside it");
    assert!(ran.stderr.contains(&since), "{}", ran.stderr);
}

#[test]
fn a_host_that_serves_office_alone_is_asked_for_office() {
    let hint =
        "  hint   the host does not serve Windows 10/11 Enterprise: --product names what ordinary clients ask for\n";
    let ran = conform(&[CONTROL, "--target", "lab:serves-no-windows"]);
    assert!(ran.code == 100 && ran.stderr.contains(hint), "{}", ran.stderr);
    let all: Vec<_> = cases::all().collect();
    let service = Service { product: "Office Professional Plus 2019", ..Service::KMS };
    // And one that serves both is asked for Office all the same.
    for faults in ["serves-no-windows".parse().unwrap(), Faults::default()] {
        let mut host = MemoryHost::new(faults, 1, FileTime::RECORDED_AT);
        let (known, today) = (KnownFailures::default(), jiff::civil::date(2026, 1, 1));
        let (profile, service) = (Profile::strict(), service.clone());
        let options = Options { profile, known, today, disruptive: true, jobs: 1, seed: 1, service };
        let run = run(&mut host, &all, &options, &mut |_| true);
        assert_eq!(run.wrong().collect::<Vec<_>>(), Vec::<&str>::new());
        assert!(run.results.iter().filter(|result| result.verdict == Verdict::Pass).count() > 250);
    }
}

#[test]
fn a_host_that_remembers_other_runs_is_blamed_for_nothing() {
    let mut host = MemoryHost::new(Faults::default(), 1, FileTime::RECORDED_AT);
    let all: Vec<_> = cases::all().collect();
    for seed in 1..=4 {
        let (known, today) = (KnownFailures::default(), jiff::civil::date(2026, 1, 1));
        let (profile, service) = (Profile::strict(), Service::KMS);
        let options = Options { profile, known, today, disruptive: true, jobs: 1, seed, service };
        let run = run(&mut host, &all, &options, &mut |_| true);
        let wrong: Vec<_> = run.wrong().collect();
        assert!(wrong.is_empty(), "seed {seed}: {wrong:?}");
    }
}

#[test]
fn a_run_against_a_host_that_takes_its_time_ends_and_says_what_it_left_out() {
    let faults: Faults = "answers-slowly,accepts-slowly".parse().unwrap();
    let now = FileTime::RECORDED_AT;
    let mut host = MemoryHost::new(faults, 1, now);
    let (known, today) = (KnownFailures::default(), jiff::civil::date(2026, 1, 1));
    let (profile, service) = (Profile::windows(), Service::KMS);
    let options = Options { profile, known, today, disruptive: true, jobs: 1, seed: 1, service };
    let all: Vec<_> = cases::all().collect();
    let run = run(&mut host, &all, &options, &mut |_| true);
    let span = |said: &[Said]| Some(said.last()?.at - said.first()?.at);
    let long: Vec<_> = run.results.iter().filter_map(|one| Some((one.case.id, span(&one.said)?))).collect();
    let long: Vec<_> = long.into_iter().filter(|(_, took)| *took > Duration::from_secs(30)).collect();
    assert!(long.is_empty(), "{long:?}");
    let ends = run.results.iter().filter_map(|one| one.said.last()).map(|said| said.at.0).max();
    assert!(ends.unwrap() < Duration::from_secs(600), "{ends:?}");
    let sweep = run.results.iter().find(|one| one.case.id == "kms/request/short-v6").unwrap();
    let left_out = "times of 260: the host takes 200 ms for an answer";
    assert!(sweep.notes.iter().any(|note| note.ends_with(left_out)), "{:?}", sweep.notes);
    // What fits the time is asked whole.
    let few = run.results.iter().find(|one| one.case.id == "kms/request/v4-mac").unwrap();
    assert!(!few.notes.iter().any(|note| note.contains("times of")), "{:?}", few.notes);
}

fn conform(arguments: &[&str]) -> Ran {
    command::run(command::command(env!("CARGO_BIN_EXE_kmsproof"), &[&["conform"], arguments].concat()))
}

/// A lab host with these faults at so many addresses, for as long as the runtime is kept.
fn served(faults: &str, addresses: usize) -> (tokio::runtime::Runtime, Clock, Vec<SocketAddr>) {
    let faults: Faults = if faults.is_empty() { Faults::default() } else { faults.parse().unwrap() };
    let host = Arc::new(Mutex::new(LabHost::new(HostIdentity::default(), 1).with_faults(faults)));
    let clock = Clock::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let anywhere = vec!["127.0.0.1:0".parse().unwrap(); addresses];
    let listener = runtime.block_on(LabListener::bind_all(&anywhere, host, Arc::new(move || clock.wall()))).unwrap();
    let addresses = listener.addresses().to_vec();
    runtime.spawn(listener.serve());
    (runtime, clock, addresses)
}

/// A list of one entry.
fn known(outcome: &str, field: &str, expires: &str) -> String {
    format!(
        "[[known]]\ncase = \"{BIND}\"\noutcome = \"{outcome}\"\nfield = \"{field}\"\nreason = \"a host of ours\"\n\
         link = \"https://example.invalid/1\"\nexpires = {expires}\n"
    )
}

/// A file of this text, in a folder of its own.
fn written(folder: &str, name: &str, text: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("conform-{folder}"));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

const CONTROL: &str = "rpc/transport/control";
const BIND: &str = "rpc/bind/unknown-interface";
/// A host that accepts any interface.
const FAULTY: &str = "lab:takes-any-interface";
