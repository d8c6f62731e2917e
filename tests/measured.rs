//! What is written of a load: a line a second, distributions, a record while it still goes on, and findings that only
//! load brings out.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::command::{self, Ran};

#[test]
fn seconds_steps_and_intervals_add_up_to_the_whole() {
    let folder = folder("sums");
    let out = |format: &str| format!("{format}={}", folder.join(format).display());
    let ran = kmsproof(&[
        "load",
        "--rate",
        "400/s",
        "--duration",
        "2s",
        "--out",
        &out("json"),
        "--out",
        &out("csv"),
        "--out",
        &out("hgrm"),
    ]);
    assert!(ran.holds(), "exit {}:\n{}", ran.code, ran.stderr);
    let record = json(&folder.join("json"));
    let scenario = &record["scenarios"][0];
    let requests = scenario["totals"]["requests"].as_u64().unwrap();
    assert_eq!((record["complete"].as_bool(), requests), (Some(true), 805));

    let of_steps = scenario["steps"].as_array().unwrap().iter().map(|step| step["requests"].as_u64().unwrap());
    assert_eq!(of_steps.sum::<u64>(), requests);
    let intervals = scenario["timeline"]["intervals"].as_array().unwrap();
    let sum = |key: &str| intervals.iter().map(|interval| interval[key].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("requests"), sum("unanswered"), sum("wrong")), (requests, 0, 0));
    let timed = intervals.iter().map(|interval| interval["latency_ns"]["response"]["count"].as_u64().unwrap());
    assert_eq!(timed.sum::<u64>(), requests);

    let mut reader = csv::Reader::from_path(folder.join("csv")).unwrap();
    let mut column = |name: &str| reader.headers().unwrap().iter().position(|heading| heading == name).unwrap();
    let (at, requests_at) = (column("at_s"), column("requests"));
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let seconds: Vec<u64> = rows.iter().map(|row| row[at].parse().unwrap()).collect();
    assert!(seconds.windows(2).all(|two| two[1] == two[0] + 1), "{seconds:?}");
    assert_eq!(rows.iter().map(|row| row[requests_at].parse::<u64>().unwrap()).sum::<u64>(), requests);

    let hgrm = std::fs::read_to_string(folder.join("hgrm")).unwrap();
    assert!(hgrm.starts_with("# load: response (intended start to reply), ms\n"), "{hgrm}");
    assert_eq!(hgrm.matches(&format!("Total count    = {requests:>12}")).count(), 5, "{hgrm}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
#[cfg(unix)]
fn what_was_measured_is_there_whatever_ends_the_run() {
    let folder = folder("killed");
    let path = folder.join("run.json");
    let mut child = Command::new(env!("CARGO_BIN_EXE_kmsproof"))
        .args(["load", "--rate", "200/s", "--duration", "1h", "--out", &format!("json={}", path.display())])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !path.exists() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    // SIGKILL: nothing is drained, and nobody says goodbye.
    child.kill().unwrap();
    child.wait().unwrap();
    let record = json(&path);
    assert_eq!((record["complete"].as_bool(), record["exit"]["code"].as_u64()), (Some(false), Some(105)));
    let requests = record["scenarios"][0]["totals"]["requests"].as_u64().unwrap();
    assert!(requests > 0, "{record}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_only_load_breaks_is_named_for_that() {
    let arguments = ["load", "--target", "lab:mixes-up-when-busy", "--concurrency", "16", "--requests", "2k"];
    let ran = kmsproof(&[&arguments[..], &["--out", "json=-"]].concat());
    assert_eq!(ran.code, 100, "{}", ran.stderr);
    let line = ran.stderr.lines().find(|line| line.trim_start().starts_with("load    kms/response/cmid"));
    assert!(line.is_some_and(|line| line.contains("held in step 1 when there was hardly any load")), "{}", ran.stderr);
    let record: Value = serde_json::from_str(&ran.stdout).unwrap();
    let found = &record["scenarios"][0]["under_load"][0];
    assert_eq!(found["id"], "kms/response/cmid");
    assert_eq!((found["held_in_step"].as_u64(), found["broke_in_step"].as_u64()), (Some(1), Some(2)));
}

#[test]
fn a_threshold_that_fails_is_shown_at_its_line() {
    let folder = folder("threshold");
    let file = folder.join("slow.toml");
    let text = "name = \"slow\"\nquestion = \"How slow?\"\nthresholds = [\"wrong = 0\", \"p99 < 1ns\"]\n\
                [clients.pc]\ncount = 3\nproduct = \"Windows 11 Enterprise\"\n\
                [[step]]\ntitle = \"all\"\nclients = [\"pc\"]\n";
    std::fs::write(&file, text).unwrap();
    let ran = kmsproof(&["run", &file.display().to_string()]);
    assert_eq!(ran.code, 99, "{}", ran.stderr);
    let place = format!("--> {}:3:28", file.display());
    for part in ["threshold: `p99 < 1ns` does not hold", &place, "3 | thresholds = [\"wrong = 0\", \"p99 < 1ns\"]"] {
        assert!(ran.stderr.contains(part), "{part} is not in {}", ran.stderr);
    }
    assert!(!ran.stderr.contains("`wrong = 0` does not hold"), "{}", ran.stderr);
    std::fs::remove_dir_all(&folder).unwrap();
}

fn kmsproof(arguments: &[&str]) -> Ran {
    command::run(command::command(env!("CARGO_BIN_EXE_kmsproof"), arguments))
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("kmsproof-measured-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))).unwrap()
}
