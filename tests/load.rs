//! `load`, and what the language says of load, carried out over loopback.

mod support;

use serde_json::Value;
use support::command::{self, Lab, Ran};

#[test]
fn so_many_requests_go_over_connections_for_so_many_calls() {
    let record = loaded(&["--requests", "30", "--concurrency", "1", "--reuse", "10"]);
    assert_eq!(record["kind"], "load");
    assert_eq!(totals(&record), (30, 30, 3));
    let record = loaded(&["--requests", "30", "--concurrency", "1"]);
    assert_eq!(totals(&record), (30, 30, 30));
    let record = loaded(&["--requests", "30", "--concurrency", "1", "--reuse", "kept"]);
    assert_eq!(totals(&record), (30, 30, 1));
}

#[test]
fn a_rate_and_a_time_say_how_many_there_are() {
    let record = loaded(&["--rate", "200/s", "--duration", "300ms", "--clients", "7", "--protocol", "5"]);
    assert_eq!(totals(&record), (60, 60, 60));
    let record = loaded(&["--stages", "100/s for 100ms, 200/s for 100ms", "--calm", "2"]);
    assert_eq!(totals(&record), (32, 32, 32));
}

#[test]
fn whoever_rests_asks_no_more_often_than_that_leaves() {
    let record = loaded(&["--concurrency", "3", "--think", "100ms", "--duration", "500ms"]);
    let (requests, ..) = totals(&record);
    // However slow the machine is: three at once, and each at most five times in half a second.
    assert!((3..=15).contains(&requests), "{requests}");
}

#[test]
fn whoever_still_rests_keeps_no_run_from_its_end() {
    // A rest is longer than any command of a test may take.
    let record = loaded(&["--concurrency", "3", "--think", "5m", "--duration", "1s", "--calm", "0"]);
    assert_eq!(totals(&record), (3, 3, 3));
}

#[test]
fn connections_are_counted_once_whoever_is_told_of_them() {
    for reuse in ["each", "10", "kept"] {
        let arguments = ["load", "--requests", "20", "--concurrency", "2", "--calm", "0", "--reuse", reuse];
        let ran = kmsproof(&[&arguments[..], &["--out", "events=/dev/null", "--out", "json=-"]].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let record: Value = serde_json::from_str(&ran.stdout).unwrap();
        let (requests, _, connections) = totals(&record);
        // Who is done with ten sooner than the other takes of the other's ten, over one connection more.
        let due = match reuse {
            "each" => 20..=20,
            "10" => 2..=3,
            _ => 2..=2,
        };
        assert_eq!(requests, 20, "{reuse}");
        assert!(due.contains(&connections), "{connections} connections of {reuse}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn connections_come_from_every_source_in_turn_and_end_as_they_are_told() {
    let folder = std::env::temp_dir().join(format!("kmsproof-load-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let events = folder.join("events.jsonl");
    let ran = kmsproof(&[
        "load",
        "--requests",
        "8",
        "--concurrency",
        "1",
        "--calm",
        "0",
        "--engine",
        "portable",
        "--close",
        "reset",
        "--source",
        "127.0.1.4/30",
        "--out",
        &format!("events={}", events.display()),
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("warning  connections are closed with a RST"), "{}", ran.stderr);
    let events = std::fs::read_to_string(&events).unwrap();
    for source in ["127.0.1.4:", "127.0.1.5:", "127.0.1.6:", "127.0.1.7:"] {
        assert_eq!(events.matches(&format!("\"{source}")).count(), 2, "{source} in {events}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_scenario_goes_on_for_a_time() {
    let folder = std::env::temp_dir().join(format!("kmsproof-timed-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("timed.toml");
    let text = "name = \"timed\"\nquestion = \"How long?\"\n[clients.pc]\ncount = 4\n\
                product = \"Windows 11 Enterprise\"\n\
                [[step]]\ntitle = \"in turns\"\nclients = [\"pc\"]\narrive = { concurrency = 2, think = \"10ms\" }\n\
                connection = \"kept\"\nrepeat = { for = \"200ms\" }\n\
                [[step]]\ntitle = \"at a rate\"\nclients = [\"pc\"]\narrive = { rate = \"100/s\" }\n\
                repeat = { for = \"200ms\" }\nexpect = { count = 4 }\n";
    std::fs::write(&file, text).unwrap();
    let name = file.display().to_string();
    let ran = kmsproof(&["run", &name, "--threshold", "wrong = 0,errors = 0", "--out", "json=-"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let record: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(record["kind"], "run");
    assert_eq!(record["scenarios"][0]["thresholds"].as_array().unwrap().len(), 2);
    let (requests, ..) = totals(&record);
    assert!((20 + 2..=20 + 2 * 21).contains(&requests), "{requests}");
    let plan = kmsproof(&["plan", &name]);
    assert!(plan.stdout.contains("4 machines, 20 requests and as many as are answered in 200 ms"), "{}", plan.stdout);
    let listed = kmsproof(&["plan", &name, "--arrivals"]);
    assert_eq!(listed.stdout.lines().count(), 4 + 20, "of what has no end the first round");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_host_that_may_not_be_spoiled_is_put_under_no_load() {
    let lab = Lab::start(PROGRAM, &[]);
    for (flags, why) in [
        (["--rate", "500/s"], "500/s is more than 50/s"),
        (["--clients", "51"], "--clients 51 is more than the 50 client ids"),
    ] {
        let ran = kmsproof(&[&["load", "--target", &lab.address], &flags[..]].concat());
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
    }
    let gentle = kmsproof(&["load", "--target", &lab.address, "--requests", "5", "--calm", "0"]);
    assert_eq!(gentle.code, 0, "{}", gentle.stderr);
    assert!(gentle.stderr.contains("note  requests are 20 ms apart at least"), "{}", gentle.stderr);
}

#[test]
fn what_this_machine_has_not_is_refused_before_the_start() {
    let ran = kmsproof(&["load", "--source", "192.0.2.1"]);
    assert_eq!(ran.code, 96, "{}", ran.stderr);
    assert!(ran.stderr.contains("no connection can be made from 192.0.2.1"), "{}", ran.stderr);
    let ran = kmsproof(&["load", "--source", "::1"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let ran = kmsproof(&["load", "--concurrency", "20", "--open-max", "10"]);
    assert!(ran.code == 2 && ran.stderr.contains("20 at a time need as many connections"), "{}", ran.stderr);
}

/// The record of a load without calm requests before it, unless they are asked for.
fn loaded(flags: &[&str]) -> Value {
    let calm: &[&str] = if flags.contains(&"--calm") { &[] } else { &["--calm", "0"] };
    let ran = kmsproof(&[&["load", "--quiet", "--out", "json=-"], calm, flags].concat());
    assert!(ran.holds(), "exit {}:\n{}{}", ran.code, ran.stdout, ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

/// Requests, responses and connections.
fn totals(record: &Value) -> (u64, u64, u64) {
    let totals = &record["scenarios"][0]["totals"];
    let number = |name: &str| totals[name].as_u64().unwrap();
    (number("requests"), number("responses"), number("connections"))
}

fn kmsproof(arguments: &[&str]) -> Ran {
    command::run(command::command(PROGRAM, arguments))
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_kmsproof");
