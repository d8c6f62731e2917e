//! Exit codes that something else could change: lies no client minds, readers who leave, places
//! nothing can be written to, settings from the environment.

mod support;

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kmsproof::catalog::Application;
use kmsproof::client::identity::{ClientId, Group, Index};
use kmsproof::engine::Clock;
use kmsproof::lab::{HostIdentity, LabHost};
use serde_json::Value;
use support::command::{self, Lab, Ran};
use support::dishonest::{Lie, serve};

#[test]
fn a_probe_fails_for_what_no_client_minds() {
    let target = counting(Lie::Trailing);
    for syntax in ["windows", "ndr32", "ndr64"] {
        let (ran, said) = probed(&target, &["--syntax", syntax]);
        assert_eq!(said["calls"][0]["outcome"]["verdict"], "activated", "{said}");
        assert_eq!(failed(&said), ["ndr/response/trailing"]);
        assert_eq!(ran.code, 100, "{}", ran.stdout);
        // What was to be found out was whether it activates.
        assert_eq!(probed(&target, &["--syntax", syntax, "--expect", "activated"]).0.code, 0);
    }
}

#[test]
fn a_run_fails_for_what_no_client_minds() {
    let ran = kmsproof(&["run", "smoke", "--target", &counting(Lie::Trailing)]);
    assert!(ran.stderr.contains("ndr/response/trailing"), "{}", ran.stderr);
    assert_eq!(ran.code, 100, "{}", ran.stderr);
}

/// A scenario of five servers; `head` goes before its groups, `step` into its step.
fn scenario(name: &str, head: &str, step: &str) -> String {
    let file = temporary(name).join("five.toml");
    let text = format!(
        "name = \"five\"\nquestion = \"Five?\"\n{head}\n[clients.server]\ncount = 5\n\
         product = \"Windows Server 2022 Standard\"\n\
         [[step]]\ntitle = \"they come\"\nclients = [\"server\"]\n{step}\n"
    );
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

#[test]
fn a_threshold_that_fails_is_an_exit_of_its_own_and_says_its_line() {
    let slow = scenario("slow", "thresholds = [\"activated >= 99%\", \"errors = 0\"]", "");
    let ran = kmsproof(&["run", &slow, "--out", "json=-"]);
    assert_eq!(ran.code, 99, "{}", ran.stderr);
    assert!(ran.stderr.contains("FAIL  activated >= 99%: 1 of 5 (20.000%)"), "{}", ran.stderr);
    assert!(ran.stderr.contains("five.toml line 3"), "{}", ran.stderr);
    let record: Value = serde_json::from_str(&ran.stdout).unwrap();
    let verdicts: Vec<_> =
        record["scenarios"][0]["thresholds"].as_array().unwrap().iter().map(|t| &t["verdict"]).collect();
    assert_eq!(verdicts, ["fail", "pass"]);
    // A wrong answer is worse than a slow one.
    let wrong = scenario("wrong", "thresholds = [\"activated >= 99%\"]", "expect = { verdict = \"activated\" }");
    assert_eq!(kmsproof(&["run", &wrong]).code, 100);
}

#[test]
fn a_share_of_the_answers_is_judged_when_the_step_is_over() {
    for (least, code) in [("20%", 0), ("21%", 100)] {
        let share = format!("expect = {{ share = {{ verdict = \"activated\", least = \"{least}\" }} }}");
        let ran = kmsproof(&["run", &scenario(&format!("share-{code}"), "", &share)]);
        assert_eq!(ran.code, code, "{}", ran.stderr);
    }
}

#[test]
fn what_an_honest_host_says_is_right_unless_a_file_says_otherwise() {
    let fault = "lab:ignores-skew";
    let skewed = |name: &str, step: &str| {
        let file = scenario(name, "", step);
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("count = 5", "count = 5\nclock = \"+5h\"")).unwrap();
        file
    };
    let ran = kmsproof(&["run", &skewed("skewed", ""), "--target", fault]);
    assert_eq!(ran.code, 100, "{}", ran.stderr);
    assert!(ran.stderr.contains("oracle/skew/accepted  not so in 5 of 5 answers"), "{}", ran.stderr);
    let expected = "expect = { wire = \"0x00000000\" }";
    assert_eq!(kmsproof(&["run", &skewed("expected", expected), "--target", fault]).code, 100, "both are judged");
    let known = skewed("known", &format!("oracle = false\n{expected}"));
    assert_eq!(kmsproof(&["run", &known, "--target", fault]).code, 0, "this host is known not to look at clocks");
    assert_eq!(kmsproof(&["run", &known]).code, 100);
}

#[test]
fn a_host_that_has_counted_others_ends_a_scenario_that_needs_an_empty_one() {
    let lab = Lab::start(env!("CARGO_BIN_EXE_kmsproof"), &[]);
    let empty = scenario("empty", "host = { table = \"empty\" }", "arrive = { concurrency = 5 }\nrepeat = 3");
    let first = kmsproof(&["run", &empty, "--target", &lab.address]);
    assert_eq!(first.code, 0, "{}", first.stderr);
    assert!(!first.stderr.contains("had counted"), "{}", first.stderr);
    let second = kmsproof(&["run", &empty, "--target", &lab.address]);
    assert_eq!(second.code, 100, "{}", second.stderr);
    assert!(
        second.stderr.contains("needs a host that has counted nobody, and this one's first count is 5"),
        "{}",
        second.stderr
    );
}

#[test]
fn a_run_goes_on_for_as_long_as_it_is_told() {
    let ran = kmsproof(&["run", &scenario("again", "", ""), "--for", "1s", "--out", "json=-"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let record: Value = serde_json::from_str(&ran.stdout).unwrap();
    let requests = record["scenarios"][0]["totals"]["requests"].as_u64().unwrap();
    assert!(requests >= 10 && requests.is_multiple_of(5), "{requests} requests are whole rounds, more than one");
    assert_eq!(record["scenarios"][0]["oracle"]["predicted_exactly"], requests, "the host remembers, and so do we");
}

#[test]
fn a_host_that_repeats_an_iv_is_found_by_the_second_call() {
    let target = counting(Lie::Iv);
    let (ran, said) = probed(&target, &["--calls", "3"]);
    assert_eq!(failed(&said), ["kms/history/v6-iv-fresh"; 2]);
    assert_eq!(ran.code, 100, "{}", ran.stdout);
    let (ran, said) = probed(&target, &["--calls", "1"]);
    assert_eq!((failed(&said), ran.code), (vec![], 0), "{}", ran.stdout);
}

#[test]
fn a_second_reply_to_one_call_was_not_asked_for() {
    let (_, said) = probed(&counting(Lie::Twice), &[]);
    assert_eq!(failed(&said), ["rpc/transport/nothing-unasked"]);
    assert_eq!(said["calls"][0]["outcome"]["verdict"], "activated", "{said}");
    let ran = kmsproof(&["run", "smoke", "--target", &counting(Lie::Twice), "--out", "json=-"]);
    assert!(ran.stdout.contains("rpc/transport/nothing-unasked"), "{}", ran.stderr);
    // There is no second call where the first left something over, and that is no silence of the host's.
    let (ran, said) = probed(&counting(Lie::Twice), &["--calls", "2"]);
    assert_eq!(failed(&said), ["rpc/transport/nothing-unasked", "rpc/pdu/expected-kind"]);
    assert_eq!(ran.code, 100, "{}", ran.stdout);
}

#[test]
fn a_host_without_ndr64_breaks_nothing() {
    let lab = Lab::start(PROGRAM, &["--ndr32-only"]);
    let ran = kmsproof(&["run", "smoke", "--target", &lab.address, "--out", "json=-"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("not applicable"), "{}", ran.stderr);
    let record: Value = serde_json::from_str(&ran.stdout).unwrap();
    let checks = record["scenarios"][0]["checks"].as_array().unwrap();
    assert!(checks.len() > 40 && checks.iter().all(|check| check["failed"] == 0), "{record}");
    for calls in ["1", "3"] {
        let (ran, said) = probed(&lab.address, &["--calls", calls, "--expect", "0xC004F038"]);
        assert_eq!((failed(&said), ran.code), (vec![], 0), "{}", ran.stdout);
    }
}

#[test]
fn a_reader_who_leaves_changes_no_exit_code() {
    let lying = counting(Lie::Hmac);
    let run = |target: &str, out: &str| without_a_reader(&["run", "smoke", "--target", target, "--out", out]);
    for format in ["json=-", "events=-", "pcapng=-"] {
        assert_eq!(run(&lying, format), 100, "{format}");
        assert_eq!(run("lab", format), 0, "{format}");
    }
    for more in [&[][..], &["--json"], &["--verbose"], &["--calls", "100"]] {
        assert_eq!(without_a_reader(&[&["probe", &lying], more].concat()), 100, "{more:?}");
        assert_eq!(without_a_reader(&[&["probe"], more].concat()), 0, "{more:?}");
    }
    assert_eq!(without_a_reader(&["probe", &lying, "--check"]), 2);
    assert_eq!(without_a_reader(&["catalog"]), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_standard_error_nothing_can_be_written_to_changes_no_exit_code() {
    let lying = counting(Lie::Hmac);
    for (arguments, code) in [
        (&["run", "smoke"][..], 0),
        (&["run", "smoke", "--target", &lying], 100),
        (&["probe", &lying], 100),
        (&["run", "smoke", "--target", "192.0.2.1"], 2),
        (&["run", "no-such-scenario"], 104),
        (&["explain", "no-such-code"], 2),
    ] {
        let mut command = command(arguments);
        command.stderr(full()).stdout(Stdio::null());
        assert_eq!(ended(command), code, "{arguments:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_standard_output_nothing_can_be_written_to_is_said() {
    for arguments in [&["run", "smoke", "--out", "json=-"][..], &["probe"]] {
        let mut command = command(arguments);
        command.stdout(full()).stderr(Stdio::null());
        assert_eq!(ended(command), 110, "{arguments:?}");
    }
}

/// The disk of one report is full: the others are written whole, and it is said.
#[cfg(target_os = "linux")]
#[test]
fn a_report_that_cannot_be_written_takes_no_other_with_it() {
    let record = temporary("full").join("run.json");
    let out = format!("json={}", record.display());
    let ran = kmsproof(&["run", "smoke", "versions", "--out", "events=/dev/full", "--out", &out]);
    assert_eq!(ran.code, 110, "{}", ran.stderr);
    for said in ["cannot write /dev/full", "2 of 2 scenarios passed"] {
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
    let record: Value = serde_json::from_slice(&std::fs::read(record).unwrap()).unwrap();
    assert_eq!((&record["verdict"], record["scenarios"].as_array().unwrap().len()), (&"pass".into(), 2));
}

#[test]
fn two_reports_to_one_path_are_refused_before_a_host_hears_of_it() {
    let path = temporary("twice").join("report");
    let (json, events) = (format!("json={}", path.display()), format!("events={}", path.display()));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let target = listener.local_addr().unwrap().to_string();
    for outs in [[json.as_str(), &events], [&json, &json], ["json=-", "events=-"]] {
        let ran = kmsproof(&["run", "smoke", "--target", &target, "--out", outs[0], "--out", outs[1]]);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains("two reports cannot both go to"), "{}", ran.stderr);
    }
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    assert_eq!(listed(path.parent().unwrap()), [""; 0]);
}

#[test]
fn a_path_may_have_a_space() {
    let folder = temporary("space");
    let ran = command::run({
        let mut command = command(&["run", "smoke", "--out", "json=a b.json"]);
        command.current_dir(&folder);
        command
    });
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(listed(&folder), ["a b.json"]);
    let record: Value = serde_json::from_slice(&std::fs::read(folder.join("a b.json")).unwrap()).unwrap();
    assert_eq!(record["verdict"], "pass");
}

#[test]
fn a_setting_may_come_from_the_environment() {
    let ran = with("KMSPROOF_QUIET", "1", &["run", "smoke"]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, "", ""));
    let ran = with("KMSPROOF_QUIET", "0", &["run", "smoke"]);
    assert!(ran.code == 0 && !ran.stderr.is_empty());
}

#[test]
fn what_is_said_goes_before_the_environment() {
    let lab = Lab::start(PROGRAM, &[]);
    let probe = ["probe", "--expect", "0xC004F038"];
    // Nobody may be asked there.
    let elsewhere = |arguments: &[&str]| with("KMSPROOF_TARGET", "192.0.2.1", arguments);
    let ran = elsewhere(&probe);
    assert!(ran.code == 2 && ran.stderr.contains("192.0.2.1"), "{}", ran.stderr);
    for arguments in [[&probe[..], &[&lab.address]].concat(), [&probe[..], &["--target", &lab.address]].concat()] {
        let ran = elsewhere(&arguments);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains(&lab.address), "{}", ran.stdout);
    }
}

#[cfg(unix)]
#[test]
fn a_scenario_without_an_end_ends() {
    let ran = kmsproof(&["run", "/dev/zero"]);
    assert_eq!(ran.code, 104, "{}", ran.stderr);
    assert!(ran.stderr.contains("/dev/zero: larger than"), "{}", ran.stderr);
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_kmsproof");

fn kmsproof(arguments: &[&str]) -> Ran {
    command::run(command(arguments))
}

fn command(arguments: &[&str]) -> Command {
    command::command(PROGRAM, arguments)
}

fn with(name: &str, value: &str, arguments: &[&str]) -> Ran {
    let mut command = command(arguments);
    command.env(name, value);
    command::run(command)
}

/// What a command exits with whose standard output nobody reads.
fn without_a_reader(arguments: &[&str]) -> i32 {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = command(arguments);
    command.stdout(writer).stderr(Stdio::null());
    ended(command)
}

fn ended(mut command: Command) -> i32 {
    let mut child = command.spawn().unwrap();
    let status = command::end(&mut child).unwrap_or_else(|| panic!("{command:?} did not end"));
    status.code().expect("it exits by itself")
}

/// What a probe prints as JSON.
fn probed(target: &str, arguments: &[&str]) -> (Ran, Value) {
    let ran = kmsproof(&[&["probe", target, "--json"], arguments].concat());
    let said =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", ran.stdout, ran.stderr));
    (ran, said)
}

/// The checks a probe found to fail, each as often as it did.
fn failed(said: &Value) -> Vec<&str> {
    let findings = said["calls"].as_array().unwrap().iter().flat_map(|call| call["findings"].as_array().unwrap());
    findings.map(|finding| finding["check"].as_str().unwrap()).collect()
}

/// A dishonest host that has counted enough machines for every client.
fn counting(lie: Lie) -> String {
    let mut host = LabHost::new(HostIdentity::default(), 1);
    let now = Clock::start().wall();
    for application in [Application::Windows, Application::Office] {
        for index in 1..=25 {
            host.count(application, ClientId::mint(1, Group::new(1).unwrap(), Index::new(index).unwrap()), 25, now);
        }
    }
    serve(host, || Clock::start().wall(), lie).to_string()
}

/// A place that is always full.
#[cfg(target_os = "linux")]
fn full() -> std::fs::File {
    std::fs::File::options().write(true).open("/dev/full").unwrap()
}

fn listed(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn temporary(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("exits-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
