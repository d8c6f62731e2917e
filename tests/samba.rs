//! Samba's DCE/RPC server judges our cases of the RPC half: it was written to match Windows, by nobody
//! of us. Where it differs from what a case requires, `tests/samba/differences.toml` says why, and
//! `tests/samba/told.toml` what it taught us. What every case came to is in `reports/conformance/samba.md`, which
//! `KMSPROOF_UPDATE=1 cargo test --test samba` writes anew.
//!
//! Its endpoint mapper listens on port 135, so this needs root and that port; where Samba is missing or
//! cannot be started, the test says so and is skipped (`./test` installs Samba where it can).

#![cfg(target_os = "linux")]

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kmsproof::conform::{Case, cases};
use serde::Deserialize;
use serde_json::Value;
use support::command;

const SERVER: &str = "/usr/libexec/samba/samba-dcerpcd";
const ADDRESS: &str = "127.0.0.1:135";

/// A server of our own, and the helpers it starts.
struct Samba {
    child: Child,
}

impl Samba {
    fn start() -> Result<Samba, String> {
        if !Path::new(SERVER).exists() {
            return Err(format!("{SERVER} is not installed"));
        }
        if TcpStream::connect(ADDRESS).is_ok() {
            return Err(format!("somebody else listens on {ADDRESS}"));
        }
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("samba");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let shown = folder.display();
        let mut config = String::from(
            "[global]\nserver role = standalone server\ninterfaces = 127.0.0.1\nbind interfaces only = yes\n\
             rpc start on demand helpers = no\n",
        );
        for (key, name) in [
            ("private dir", "private"),
            ("lock directory", "lock"),
            ("state directory", "state"),
            ("cache directory", "cache"),
            ("pid directory", "pid"),
            ("ncalrpc dir", "ncalrpc"),
        ] {
            std::fs::create_dir_all(folder.join(name)).unwrap();
            config += &format!("{key} = {shown}/{name}\n");
        }
        config += &format!("log file = {shown}/log\npassdb backend = tdbsam:{shown}/private/passdb.tdb\n");
        std::fs::write(folder.join("smb.conf"), config).unwrap();
        let child = Command::new(SERVER)
            .arg("-s")
            .arg(folder.join("smb.conf"))
            .args(["--libexec-rpcds", "-F", "--no-process-group"])
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let samba = Samba { child };
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            if TcpStream::connect(ADDRESS).is_ok() {
                return Ok(samba);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err(format!("it does not listen on {ADDRESS}: perhaps this is not root"))
    }
}

impl Drop for Samba {
    fn drop(&mut self) {
        // The helpers it leaves are in its process group.
        let _ = Command::new("kill").arg("-TERM").arg("--").arg(format!("-{}", self.child.id())).status();
        let _ = self.child.wait();
    }
}

#[test]
fn samba_does_as_the_cases_require_or_the_difference_is_explained() {
    let _samba = match Samba::start() {
        Ok(samba) => samba,
        Err(why) => return tell(&format!("SKIPPED samba_does_as_the_cases_require: {why}")),
    };
    let differences = in_repository("tests/samba/differences.toml").display().to_string();
    let arguments = [
        "conform",
        "--target",
        ADDRESS,
        "--profile",
        "strict",
        "--disposable-host",
        "--disruptive",
        "--known-failures",
        &differences,
        "--out",
        "json=-",
    ];
    let arguments = [&arguments[..], MANAGEMENT].concat();
    let ran = command::run(command::command(env!("CARGO_BIN_EXE_kmsproof"), &arguments));
    let told = &ran.stderr;
    let record: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {told}"));
    let results = results(&record);
    let with_verdict = |verdict: &str| results.iter().filter(|result| result.verdict == verdict).count();
    assert_eq!(with_verdict("fail"), 0, "{told}");
    assert!(UNTOLD.iter().all(|untold| with_verdict(untold) == 0), "{told}");
    every_case_that_can_be_was_put(&results);
    let (path, version) = (in_repository("reports/conformance/samba.md"), version());
    let table = table(&results, &version);
    if std::env::var_os("KMSPROOF_UPDATE").is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    if !committed.contains(&made_with(&version)) {
        // Another Samba may do otherwise, and better.
        return tell(&format!("NOT COMPARED: samba.md is of another version than {version}, which says\n{told}"));
    }
    assert_eq!(ran.code, 0, "{told}");
    assert!(committed == table, "samba.md is not as committed: KMSPROOF_UPDATE=1 cargo test --test samba writes it");
}

/// Where a passing test is heard too: what `println!` prints of one is thrown away.
fn tell(what: &str) {
    let _ = writeln!(std::io::stderr(), "{what}");
}

/// What became of a case, or of a check of every PDU.
struct Outcome<'r> {
    id: &'r str,
    level: &'r str,
    verdict: &'r str,
    why: Option<&'r str>,
    notes: Vec<&'r str>,
    seen: Option<String>,
    case: Option<&'static Case>,
}

fn results(record: &Value) -> Vec<Outcome<'_>> {
    let of = |one: &'_ Value, name: &str| -> Option<String> { one[name].as_str().map(ToOwned::to_owned) };
    let one = |one| {
        let case: &Value = one;
        let id = case["id"].as_str().expect("it has a name");
        Outcome {
            id,
            level: case["level"].as_str().expect("it has a level"),
            verdict: case["verdict"].as_str().expect("it has a verdict"),
            why: case["why"].as_str(),
            notes: case["notes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect(),
            seen: of(case, "observed").zip(of(case, "expected")).map(|(seen, due)| format!("{seen}, not {due}")),
            case: cases::all().find(|other| other.id == id),
        }
    };
    record["cases"].as_array().expect("a list").iter().map(one).collect()
}

/// What asks nothing of KMS was asked, or Samba lacks what it asks about.
fn every_case_that_can_be_was_put(results: &[Outcome<'_>]) {
    for case in cases::all().filter(|case| case.any_interface) {
        let result = results.iter().find(|result| result.id == case.id).expect("it is in the record");
        assert_ne!(result.verdict, "skip", "{}", case.id);
        let lacks = result.why.is_some_and(|why| why.starts_with("the host is not capable of it"));
        assert!(result.verdict != "not-applicable" || lacks, "{}: {:?}", case.id, result.why);
    }
    let about_kms = |result: &&Outcome<'_>| result.case.is_some_and(|case| !case.any_interface);
    for result in results.iter().filter(about_kms) {
        assert_eq!(result.verdict, "not-applicable", "{} is about KMS", result.id);
    }
}

fn table(results: &[Outcome<'_>], version: &str) -> String {
    let told: Told = toml::from_str(&std::fs::read_to_string(in_repository("tests/samba/told.toml")).unwrap()).unwrap();
    let ids: Vec<_> = told.told.iter().flat_map(|told| told.cases.iter()).collect();
    let unknown = ids.iter().find(|id| !results.iter().any(|result| result.id == **id));
    assert!(unknown.is_none(), "told.toml names {unknown:?}, which is no case");
    let words = |result: &Outcome<'_>| -> String {
        let of_us = told.told.iter().filter(|told| told.cases.iter().any(|id| id == result.id));
        let mut words: Vec<_> = of_us.map(|told| told.what.trim().to_owned()).collect();
        if words.is_empty() || result.verdict == "known-failure" {
            words.extend(result.why.map(str::to_owned));
        }
        // What load comes to is another number each time.
        words.extend(
            result
                .notes
                .iter()
                .filter(|note| !result.id.starts_with("load/") && !is_of_the_day(note))
                .map(|note| format!("Seen: {note}.")),
        );
        if let ("recorded", Some(seen)) = (result.verdict, &result.seen) {
            words.push(format!("Seen: {seen}."));
        }
        if result.verdict == "recorded" && words.is_empty() {
            words.push("As the case would have it.".to_owned());
        }
        words.join(" ").replace('|', "\\|").replace('\n', " ")
    };
    let mut out = format!(
        "# What Samba's DCE/RPC server does with the cases\n\nEvery case that needs no KMS, put to the management interface of \
         Samba's endpoint mapper under the profile `strict`, with the\ndisruptive ones. {}\n\
         Generated by `tests/samba.rs`.\n\n",
        made_with(version)
    );
    let (about_kms, about_rpc): (Vec<_>, Vec<_>) =
        results.iter().partition(|result| result.case.is_some_and(|case| !case.any_interface));
    let mut counts = BTreeMap::<&str, usize>::new();
    about_rpc.iter().for_each(|result| *counts.entry(result_words(result.verdict)).or_default() += 1);
    let _ = writeln!(out, "| result | cases and checks | meaning |\n| --- | ---: | --- |");
    for (words, meaning) in [
        ("pass", "does as required"),
        ("differs, explained", "does otherwise; the explanation says why that is no fault of the case"),
        ("records", "the case only writes down what is seen, and fails nobody"),
        ("not applicable", "the question does not arise: the explanation says why"),
    ] {
        let _ = writeln!(out, "| {words} | {} | {meaning} |", counts.remove(words).unwrap_or_default());
    }
    assert!(counts.is_empty(), "what is {counts:?}?");
    let mut clauses = BTreeMap::<&str, usize>::new();
    about_kms.iter().for_each(|result| *clauses.entry(clause(result.id)).or_default() += 1);
    let clauses: Vec<_> = clauses.iter().map(|(clause, many)| format!("{many} of `{clause}/…`")).collect();
    let _ = writeln!(
        out,
        "\n{} more cases ask for KMS itself, which Samba does not serve, and were not put to it: {}.\n",
        about_kms.len(),
        clauses.join(", ")
    );
    let (of_cases, of_checks): (Vec<_>, Vec<_>) = about_rpc.into_iter().partition(|result| result.case.is_some());
    for (title, rows) in [("Cases", of_cases), ("Checks of every PDU", of_checks)] {
        let _ = writeln!(out, "## {title}\n\n| id | level | result | explanation |\n| --- | --- | --- | --- |");
        for result in rows {
            let (id, level, verdict) = (result.id, result.level, result_words(result.verdict));
            let _ = writeln!(out, "| `{id}` | {level} | {verdict} | {} |", words(result));
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out + "\n"
}

/// How fast it answers just now, and what it is not asked for that.
fn is_of_the_day(note: &str) -> bool {
    note.ends_with(" ms for an answer")
}

fn result_words(verdict: &str) -> &str {
    match verdict {
        "known-failure" | "unexpected-pass" | "flapping" => "differs, explained",
        "recorded" => "records",
        "not-applicable" => "not applicable",
        other => other,
    }
}

/// `kms/policy` of `kms/policy/sku`, but `load` of `load/flood`.
fn clause(id: &str) -> &str {
    id.rsplit_once('/').map_or(id, |(clause, _)| clause)
}

fn made_with(version: &str) -> String {
    format!("Made with Samba {version}.")
}

fn version() -> String {
    let ran = Command::new(SERVER).arg("--version").output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).trim().to_owned();
    said.strip_prefix("Version ").map_or(said.clone(), ToOwned::to_owned)
}

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What Samba taught us of single cases.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    told: Vec<OfCases>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfCases {
    cases: Vec<String>,
    what: String,
}

/// Verdicts that say nothing of Samba.
const UNTOLD: [&str; 2] = ["inconclusive", "skip"];
/// The management interface: is_server_listening and inq_stats are for everybody.
const MANAGEMENT: &[&str] =
    &["--interface", "afa8bd80-7d8a-11c9-bef4-08002b102989@1.0", "--opnum", "1", "--stub", "0400000000000000"];
