//! What people read when a host is wrong: reports of a host that lies in one way, held as
//! snapshots. Read them as the admin of that host would.

mod support;

use kmsproof::catalog::Application;
use kmsproof::client::identity::{ClientId, Group, Index};
use kmsproof::engine::Clock;
use kmsproof::lab::{HostIdentity, LabHost};
use kmsproof::wire::FileTime;
use support::command::{self, Ran};
use support::dishonest::{Lie, serve};

#[test]
fn a_run_against_a_host_with_a_wrong_hmac() {
    assert_run(Lie::Hmac, "run_hmac");
}

#[test]
fn a_run_against_a_host_that_counts_one_too_few() {
    assert_run(Lie::Count, "run_count");
}

#[test]
fn a_run_against_a_host_that_names_the_client_before() {
    assert_run(Lie::Client, "run_client");
}

#[test]
fn a_probe_of_a_host_with_a_wrong_hmac() {
    assert_probe(Lie::Hmac, "probe_hmac");
}

#[test]
fn a_probe_of_a_host_that_counts_one_too_few() {
    // The machine that asks is the fifth, and is told that there are four.
    assert_probe(Lie::Count, "probe_count");
}

#[test]
fn a_probe_of_a_host_that_names_the_client_before() {
    // A machine that asks twice is named rightly: another one has to ask before it.
    let target = serve(host(), || CLOCK, Lie::Client).to_string();
    let other = ClientId::pool(Index::new(7).unwrap()).to_string();
    assert_eq!(probe(&target, &["--cmid", &other]).code, 0);
    hold(&probe(&target, &[]), "probe_client", &[]);
}

#[test]
fn a_conformance_run_against_a_host_that_accepts_no_context() {
    let ran = kmsproof(&["conform", "rpc/bind/no-context", "--target", "lab:accepts-no-context", "--strict"]);
    let port = (r#""\d{5}\\0""#, r#"".....\0""#);
    hold(&ran, "conform_no_context", &[port]);
}

fn assert_run(lie: Lie, snapshot: &str) {
    let empty = LabHost::new(HostIdentity::default(), 1);
    let target = serve(empty, || Clock::start().wall(), lie).to_string();
    // The clock is in every answer, and with it in every HMAC; of a probe both are always the same.
    let hmac = (r"\b[0-9a-f]{32}\b", "................................");
    hold(&kmsproof(&["run", "smoke", "--target", &target]), snapshot, &[hmac]);
}

fn assert_probe(lie: Lie, snapshot: &str) {
    let target = serve(host(), || CLOCK, lie).to_string();
    hold(&probe(&target, &[]), snapshot, &[]);
}

fn probe(target: &str, arguments: &[&str]) -> Ran {
    let probe = [
        "probe",
        "--target",
        target,
        "--product",
        "Windows Server 2022 Standard",
        "--client-time",
        "2026-11-20T15:19:26Z",
    ];
    kmsproof(&[&probe, arguments].concat())
}

/// A host that four servers have asked.
fn host() -> LabHost {
    let mut host = LabHost::new(HostIdentity::default(), 1);
    for index in 1..=4 {
        let id = ClientId::mint(1, Group::new(1).unwrap(), Index::new(index).unwrap());
        host.count(Application::Windows, id, 5, CLOCK);
    }
    host
}

fn kmsproof(arguments: &[&str]) -> Ran {
    command::run(command::command(env!("CARGO_BIN_EXE_kmsproof"), arguments))
}

/// What varies from run to run has placeholders of its own width; times have one of their own.
fn hold(ran: &Ran, snapshot: &str, more: &[(&'static str, &'static str)]) {
    let said = format!("{}{}", ran.stdout, ran.stderr);
    let varying = [
        (r"127\.0\.0\.1:\d{5}", "127.0.0.1:....."),
        (r"(secondary address +)\d{5}", "$1....."),
        (r"\b\d+(\.\d+)? (ns|us|ms|s)\b", "[time]"),
    ];
    insta::with_settings!({ filters => [&varying, more].concat(), omit_expression => true }, {
        insta::assert_snapshot!(snapshot, said);
    });
    assert_eq!(ran.code, 100, "{said}");
}

/// The host's clock and the client's.
const CLOCK: FileTime = FileTime::RECORDED_AT;
