//! A host is reached by IPv4, IPv6 and name, one call a connection or many, one
//! client at a time or several.

mod support;

use std::net::{Ipv6Addr, TcpListener};
use std::path::PathBuf;

use kmsproof::lab::{HostIdentity, LabHost, LabListener};
use kmsproof::wire::FileTime;
use std::sync::{Arc, Mutex};
use support::command::{Lab, Ran, command, run};

fn kmsproof(arguments: &[&str]) -> Ran {
    run(command(env!("CARGO_BIN_EXE_kmsproof"), arguments))
}

/// A lab host of this process, and the runtime it lives in.
fn lab(address: &str) -> (tokio::runtime::Runtime, std::net::SocketAddr) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let host = Arc::new(Mutex::new(LabHost::new(HostIdentity::default(), 9)));
    let clock = Arc::new(|| FileTime::from_timestamp(jiff::Timestamp::now()).unwrap());
    let listener = runtime.block_on(LabListener::bind(address.parse().unwrap(), host, clock)).unwrap();
    let address = listener.address();
    runtime.spawn(listener.serve());
    (runtime, address)
}

#[test]
fn a_host_is_reached_by_address_and_by_name() {
    let (_runtime, address) = lab("127.0.0.1:0");
    for target in [address.to_string(), format!("localhost:{}", address.port())] {
        let ran = kmsproof(&["run", "smoke", "--target", &target]);
        assert_eq!(ran.code, 0, "{target}: {}", ran.stderr);
    }
}

#[test]
fn a_host_with_faults_has_them_wherever_it_runs() {
    let lab = Lab::start(env!("CARGO_BIN_EXE_kmsproof"), &["--fault", "serves-no-office,says-never"]);
    for target in [lab.address.as_str(), "lab:serves-no-office,says-never"] {
        for (product, code) in
            [("Office Professional Plus 2019", "0xC004F042"), ("Windows 11 Enterprise", "0x00000000")]
        {
            let ran = kmsproof(&["probe", target, "--product", product, "--json"]);
            let said: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
            let call = &said["calls"][0];
            assert_eq!(call["outcome"]["wire"], code, "{target}: {said:#}");
            let told = call["response"]["renewal_interval_min"].as_u64();
            assert_eq!(told, (code == "0x00000000").then_some(0), "{target}: {said:#}");
        }
    }
}

#[test]
fn a_host_is_reached_over_ipv6() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        // Written past the test harness, which would swallow it.
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), "SKIPPED over_ipv6: this machine has no IPv6");
        return;
    }
    let (_runtime, address) = lab("[::1]:0");
    let ran = kmsproof(&["run", "smoke", "--target", &address.to_string()]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ran = kmsproof(&["probe", &format!("[::1]:{}", address.port()), "--product", "Windows Server 2022 Standard"]);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
}

#[test]
fn kept_connections_and_several_clients_at_once_are_served() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("reach");
    std::fs::create_dir_all(&folder).unwrap();
    for (connection, connections) in [("each", 200), ("kept", 8)] {
        let file = folder.join(format!("{connection}.toml"));
        let source = format!(
            "name = \"crowd\"\nquestion = \"How many?\"\n[clients.pc]\ncount = 50\nproduct = \"Windows 11 Enterprise\"\n\
             [[step]]\ntitle = \"at once\"\nclients = [\"pc\"]\nconnection = \"{connection}\"\nrepeat = 4\n\
             arrive = {{ concurrency = 8 }}\nexpect = {{ wire = \"0x00000000\", count = {{ least = 1, most = 50 }} }}\n"
        );
        std::fs::write(&file, source).unwrap();
        let ran = kmsproof(&["run", &file.display().to_string(), "--out", "json=-", "--quiet"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let record: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let totals = &record["scenarios"][0]["totals"];
        assert_eq!((&totals["responses"], &totals["connections"]), (&200.into(), &connections.into()), "{connection}");
        let checks = record["scenarios"][0]["checks"].as_array().unwrap();
        assert!(checks.iter().all(|check| check["failed"] == 0), "{checks:?}");
    }
}
