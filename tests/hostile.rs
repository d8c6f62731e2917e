//! Bad input and hostile hosts, from the command line: each gets one clear
//! message and its exit code, in bounded time.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use kmsproof::proto::{HostAssociation, HostConfig};
use kmsproof::safety::{Consent, Limits};
use kmsproof::wire::rpc::{Body, Flags, Pdu, PduView, Ptype, Response};
use support::command::{self, Lab, Ran};

fn kmsproof(arguments: &[&str]) -> Ran {
    command::run(command(arguments))
}

fn command(arguments: &[&str]) -> Command {
    command::command(env!("CARGO_BIN_EXE_kmsproof"), arguments)
}

#[track_caller]
fn assert_ran(arguments: &[&str], code: i32, message: &str) {
    let ran = kmsproof(arguments);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains(message), "{arguments:?}: `{message}` is not in:\n{said}");
    assert_eq!(ran.code, code, "{arguments:?}:\n{said}");
    assert!(!said.contains("panicked"), "{said}");
}

/// What a host does with a connection.
type Behaviour = fn(TcpStream);

/// A host that does `behave` with every connection, until the test ends.
fn host(behave: Behaviour) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || behave(stream));
        }
    });
    address
}

/// Waits for the client's first bytes, so that what follows is an answer.
fn heard(mut stream: &TcpStream) {
    let _ = stream.read(&mut [0; 4096]);
}

/// Says something and closes in order.
fn say(mut stream: TcpStream, words: &[u8]) {
    heard(&stream);
    let _ = stream.write_all(words);
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.read(&mut [0; 4096]);
}

/// The commands that ask a host.
const ASKING: [&[&str]; 2] = [&["probe"], &["run", "smoke"]];

fn closed_port() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

#[test]
fn a_port_where_nothing_listens_is_told_of() {
    let target = closed_port().to_string();
    for command in ASKING {
        assert_ran(
            &[command, &["--target", &target]].concat(),
            96,
            "refused the connection: nothing listens on that port",
        );
    }
}

#[test]
fn a_name_that_does_not_exist_is_told_of() {
    let ran = kmsproof(&["probe", "--target", "no-such-host.invalid", "--authorized", "--timeout", "3s"]);
    assert_eq!(ran.code, 96, "{}", ran.stderr);
    assert!(ran.stderr.contains("no-such-host.invalid"), "{}", ran.stderr);
}

#[test]
fn other_protocols_are_named() {
    let http = host(|stream| say(stream, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"));
    let tls = host(|stream| say(stream, &[0x15, 3, 1, 0, 2, 2, 70]));
    let ssh = host(|stream| say(stream, b"SSH-2.0-OpenSSH_9.2\r\n"));
    let noise = host(|stream| say(stream, &[0xEE; 300]));
    for (address, message) in [
        (http, "this port speaks HTTP, not DCE/RPC"),
        (tls, "this port speaks TLS, not DCE/RPC"),
        (ssh, "this port speaks SSH, not DCE/RPC"),
        (noise, "what answered the bind is not DCE/RPC"),
    ] {
        for command in ASKING {
            assert_ran(&[command, &["--target", &address.to_string(), "--timeout", "5s"]].concat(), 100, message);
        }
    }
}

#[test]
fn a_host_that_says_nothing_ends_by_timeout() {
    let silent = host(|stream| {
        heard(&stream);
        std::thread::sleep(Duration::from_secs(60));
    });
    let target = silent.to_string();
    assert_ran(&["probe", "--target", &target, "--timeout", "300ms"], 100, "no answer to the bind within 300ms");
    let run = ["run", "smoke", "--target", &target, "--timeout", "300ms"];
    assert_ran(&run, 100, "stopped early: 3 connections or calls in a row came to nothing");
}

#[test]
fn a_host_that_closes_at_once_is_told_of() {
    let target = host(drop).to_string();
    let ran = kmsproof(&["probe", "--target", &target, "--timeout", "5s"]);
    // Closing over unread bytes may reach us as a reset; both are named.
    let named = ran.stdout.contains("closed the connection instead of answering the bind")
        || ran.stdout.contains("reset the connection in the bind");
    assert!(named && ran.code == 100, "{} {}", ran.code, ran.stdout);
}

#[test]
fn a_host_that_stops_in_the_middle_is_told_of() {
    let half = host(|stream| say(stream, &[5, 0, 12, 3, 0x10, 0, 0, 0, 60, 0, 0, 0, 2, 0, 0, 0, 0xd0, 0x16]));
    let target = half.to_string();
    assert_ran(&["probe", "--target", &target], 100, "closed the connection 18 bytes into its answer to the bind");
}

#[test]
fn a_host_that_never_stops_talking_is_left() {
    let flood = host(|mut stream| {
        heard(&stream);
        let piece = [5, 0, 2, 3, 0x10, 0, 0, 0, 0xff, 0xff].repeat(6000);
        while stream.write_all(&piece).is_ok() {}
    });
    let target = flood.to_string();
    assert_ran(&["probe", "--target", &target, "--timeout", "5s"], 100, "verdict");
}

/// What is no KMS host passes no case, whatever it does, and a run against it comes to its end.
#[test]
fn no_case_passes_with_what_is_no_host() {
    let silent = |stream: TcpStream| {
        heard(&stream);
        std::thread::sleep(Duration::from_secs(60));
    };
    let http = |stream: TcpStream| say(stream, b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    let half = |stream: TcpStream| say(stream, &[5, 0, 12, 3, 0x10, 0, 0, 0, 60, 0, 0, 0, 2, 0, 0, 0, 0xd0, 0x16]);
    let endless = |mut stream: TcpStream| {
        heard(&stream);
        let piece = [5, 0, 12, 3, 0x10, 0, 0, 0, 0xff, 0xff].repeat(6000);
        while stream.write_all(&piece).is_ok() {}
    };
    // Each byte comes in time, and the answer does not.
    let dripping = |mut stream: TcpStream| {
        heard(&stream);
        let _ = stream.set_nodelay(true);
        for byte in [5, 0, 12, 3, 0x10, 0, 0, 0, 60, 0, 0, 0, 2, 0, 0, 0].into_iter().cycle().take(100) {
            std::thread::sleep(Duration::from_millis(100));
            if stream.write_all(&[byte]).is_err() {
                break;
            }
        }
    };
    let behaviours: [(&str, Behaviour); 6] = [
        ("a black hole", silent),
        ("an HTTP server", http),
        ("one that closes at once", drop),
        ("one that dies in its first answer", half),
        ("one that does not stop", endless),
        ("one that drips", dripping),
    ];
    for (name, behave) in behaviours {
        let target = host(behave).to_string();
        let ran = kmsproof(&["conform", "--target", &target, "--timeout", "300ms", "--quiet", "--out", "json=-"]);
        assert_eq!(ran.code, 100, "{name}: {}", ran.stderr);
        let record: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let cases = record["cases"].as_array().unwrap();
        let of_kind = |kind: &'static str| cases.iter().filter(move |case| case["kind"] == kind);
        assert!(of_kind("case").count() > 200, "{name}: {}", cases.len());
        let told = ["fail", "inconclusive", "skip"];
        let passed: Vec<_> = of_kind("case").filter(|case| !told.iter().any(|told| case["verdict"] == *told)).collect();
        assert!(passed.is_empty(), "{name}: {passed:?}");
        let control = of_kind("case").find(|case| case["id"] == "rpc/transport/control").unwrap();
        assert_eq!(control["verdict"], "fail", "{name}: {control}");
    }
}

/// Every byte is right and the answer never ends: only the clock can tell.
#[test]
fn an_answer_that_never_ends() {
    let endless = host(|mut stream| {
        let port = stream.local_addr().unwrap().port();
        let mut association = HostAssociation::new(HostConfig { port, ..HostConfig::default() });
        let mut buffer = [0; 4096];
        loop {
            let Ok(read @ 1..) = stream.read(&mut buffer) else { return };
            association.handle_bytes(&buffer[..read]);
            if association.poll_call().is_some() {
                let request = PduView(&buffer[..read]);
                assert_eq!(request.ptype(), Some(Ptype::REQUEST));
                return answer_without_end(stream, request.call_id().unwrap(), request.context_id().unwrap());
            }
            if let Some(bytes) = association.poll_transmit() {
                stream.write_all(&bytes).unwrap();
            }
        }
    });
    let target = endless.to_string();
    // How much of a fragment had come when the time was up is anybody's guess.
    // By its clock or by its count of fragments, whichever comes first.
    let ran = kmsproof(&["probe", "--target", &target, "--timeout", "1s"]);
    let named = ran.stdout.contains("within 1s") || ran.stdout.contains("and the last one never did");
    assert!(named && ran.code == 100, "{} {}", ran.code, ran.stdout);
    let run = ["run", "smoke", "--target", &target, "--timeout", "1s"];
    assert_ran(&run, 100, "stopped early: 3 connections or calls in a row came to nothing");
}

/// The first fragment of a response, and then empty ones in the middle for as long as they are taken.
fn answer_without_end(mut stream: TcpStream, call_id: u32, context_id: u16) {
    let fragment = |flags, stub: &[u8]| {
        let response = Response { alloc_hint: 8, context_id, cancel_count: 0, stub };
        Pdu { flags, ..Pdu::whole(call_id, Body::Response(response)) }.encode().unwrap()
    };
    let _ = stream.write_all(&fragment(Flags::FIRST, &[0; 8]));
    let middles = fragment(Flags(0), &[]).repeat(200);
    while stream.write_all(&middles).is_ok() {}
}

#[test]
fn a_host_that_refuses_the_bind() {
    let refusing = host(|stream| {
        say(stream, &[5, 0, 13, 3, 0x10, 0, 0, 0, 24, 0, 0, 0, 2, 0, 0, 0, 2, 0, 1, 5, 0, 0, 0, 0]);
    });
    let target = refusing.to_string();
    assert_ran(&["probe", "--target", &target], 100, "the host refused the bind: 2 (local limit exceeded)");
}

#[test]
fn targets_that_are_none() {
    for (target, message) in [
        ("", "the name is empty"),
        ("http://kms.example.edu", "it is a URL"),
        ("kms:99999", "`99999` is no port"),
        ("[::1", "the bracket is not closed"),
        ("lab:no-such-fault", "no fault named `no-such-fault`"),
    ] {
        for command in ASKING {
            assert_ran(&[command, &["--target", target]].concat(), 2, message);
        }
    }
}

#[test]
fn a_host_that_is_not_ours_needs_consent_and_keeps_its_caps() {
    // TEST-NET-1 (RFC 5737): nothing is sent there, which the exit code and the time show.
    for command in ASKING {
        let command = [command, &["--target", "192.0.2.1"]].concat();
        assert_ran(&command, 2, "192.0.2.1:1688 is not loopback: say --authorized");
        assert_ran(&command, 2, "it would have been sent");
    }
    let target = closed_port().to_string();
    assert_ran(&["probe", "--target", &target, "--n-policy", "26"], 2, "--disposable-host");
    assert_ran(&["probe", "--target", &target, "--cmid", "cc400c61-a898-4d10-ac36-1c796600b420"], 2, "synthetic");
}

#[test]
fn no_host_is_left_with_more_than_fifty_ids() {
    let folder = temporary("ids");
    let crowd = |count: u32| {
        let file = folder.join(format!("{count}.toml"));
        let source = format!(
            "name = \"crowd\"\nquestion = \"How many?\"\n[clients.a]\ncount = {count}\n\
             product = \"Windows Server 2022 Standard\"\n\
             [[step]]\ntitle = \"all\"\nclients = [\"a\"]\nexpect = {{ wire = \"0x00000000\" }}\n"
        );
        std::fs::write(&file, source).unwrap();
        file.display().to_string()
    };
    let (most, too_many) = (crowd(50), crowd(51));

    // Nothing is sent: nobody so much as connects.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let target = listener.local_addr().unwrap().to_string();
    assert_ran(&["run", &too_many, "--target", &target], 2, "crowd: 51 client ids for Windows are more than 50");
    assert_ran(&["run", &too_many, "--target", &target, "--authorized"], 2, "--disposable-host");
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);

    let lab = Lab::start(env!("CARGO_BIN_EXE_kmsproof"), &[]);
    assert_ran(&["run", &too_many, "--target", &lab.address], 2, "51 client ids");
    // The first of the fifty counts as the first, so nobody of the 51 came. (A host remembers twice the N policy.)
    assert_ran(&["run", &most, "--target", &lab.address], 0, "46 x activated, 4 x 0xC004F038 (count too low), count 1");
    assert_ran(&["run", &too_many, "--target", &lab.address, "--disposable-host"], 0, "51 activations");
}

/// How fast that is in the end is for no test to say; that it is asked for is.
#[test]
fn no_host_is_asked_more_than_fifty_times_a_second() {
    for authorized in [false, true] {
        let limits = Limits::of(false, Consent { authorized, disposable_host: false });
        assert_eq!(limits.pace.map(|pace| pace * 50), Some(Duration::from_secs(1)));
    }
}

#[test]
fn the_lab_host_stays_on_loopback() {
    assert_ran(&["lab", "--listen", "0.0.0.0:0"], 2, "loopback addresses only");
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert_ran(&["lab", "--listen", &address], 96, "cannot listen on");
}

#[test]
fn scenario_files_that_cannot_be_used() {
    let folder = temporary("scenarios");
    assert_ran(&["run", "no-such-scenario"], 104, "there is no scenario `no-such-scenario`");
    assert_ran(&["run", &folder.display().to_string()], 4, "no .toml file");
    let bad = folder.join("bad.toml");
    std::fs::write(
        &bad,
        "name = \"bad\"\nquestion = \"?\"\n[clients.a]\ncount = 0\nproduct = \"Windws 11 Enterprise\"\n",
    )
    .unwrap();
    let ran = kmsproof(&["run", &bad.display().to_string()]);
    assert_eq!(ran.code, 104, "{}", ran.stderr);
    for words in ["bad.toml:5", "Windws 11 Enterprise", "did you mean"] {
        assert!(ran.stderr.contains(words), "`{words}` is not in:\n{}", ran.stderr);
    }
    std::fs::write(&bad, b"name = \"\xff\"").unwrap();
    assert_ran(&["run", &bad.display().to_string()], 104, "line 1: not UTF-8");
}

#[test]
fn output_that_cannot_be_written() {
    let out = format!("json={}", temporary("output").join("no/such/folder/run.json").display());
    assert_ran(&["run", "smoke", "--out", &out], 110, "cannot write");
    assert_ran(&["run", "--out", "yaml=x"], 2, "`yaml` is no format");
    assert_ran(&["run", "--out", "json"], 2, "not FORMAT=PATH");
}

#[test]
fn what_cannot_be_asked_says_so() {
    for (arguments, message) in [
        (&["probe", "--product", "Windws 11 Enterprise"][..], "did you mean"),
        (&["probe", "--protocol", "six"], "`six` is not a KMS protocol version"),
        (&["probe", "--client-time", "yesterday"], "`yesterday` is no client time"),
        (&["probe", "--timeout", "0s"], "`0s` is no timeout"),
        (&["probe", "--name", &"n".repeat(64)], "at most 63 UTF-16 units"),
        (&["probe", "--syntax", "ndr20"], "expected windows, ndr32 or ndr64"),
        (&["frobnicate"], "unrecognized subcommand"),
    ] {
        assert_ran(arguments, 2, message);
    }
}

#[test]
fn a_skewed_clock_is_refused_on_the_wire_and_shown_otherwise() {
    let ran = kmsproof(&["probe", "--client-time", "+5h"]);
    assert_eq!(ran.code, 100);
    for words in ["0xC004F06C SL_E_VL_INVALID_TIMESTAMP", "Error: 0xC004F074"] {
        assert!(ran.stdout.contains(words), "{}", ran.stdout);
    }
    assert_ran(&["probe", "--client-time", "+5h", "--expect", "0xC004F06C"], 0, "0xC004F06C");
    assert_ran(&["probe", "--client-time=-3h 59m", "--expect", "activated"], 0, "Product activated successfully.");
    assert_ran(&["probe", "--expect", "0xC004F06C"], 100, "Product activated successfully.");
}

#[test]
fn a_monitoring_system_gets_its_line_and_number() {
    assert_ran(&["probe", "--check"], 0, "KMS OK - activated | time=");
    assert_ran(&["probe", "--check", "--product", "Windows 10/11 Home"], 2, "KMS CRITICAL - 0xC004F042");
    assert_ran(&["probe", "--check", "--target", &closed_port().to_string()], 2, "KMS CRITICAL - ");
    assert_ran(&["probe", "--check", "--target", "192.0.2.1"], 3, "KMS UNKNOWN - ");
}

#[test]
fn a_host_of_its_own_process_is_tested_with_the_fixed_ids() {
    let lab = Lab::start(env!("CARGO_BIN_EXE_kmsproof"), &[]);
    let ran = kmsproof(&["run", "--target", &lab.address, "--out", "json=-"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("skipped  count-threshold"), "{}", ran.stderr);
    // Every other scenario has met a host that the ones before it had been to, and knew that.
    assert!(ran.stderr.contains("note    the host had counted 4 Windows machines"), "{}", ran.stderr);
    assert!(ran.stderr.contains("17 of 17 scenarios passed"), "{}", ran.stderr);
    let record: serde_json::Value = serde_json::from_str(&ran.stdout).expect("standard output is the record alone");
    assert_eq!((&record["verdict"], &record["exit"]["code"]), (&"pass".into(), &0.into()));
    // The second run of the same ids finds them counted already: nobody is refused.
    let again = kmsproof(&["run", "smoke", "--target", &lab.address, "--seed", "99"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(again.stderr.contains("15 x activated"), "{}", again.stderr);
    assert_ran(&["run", "count-threshold", "--target", &lab.address], 4, "nothing ran");
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_writes_what_it_measured() {
    let folder = temporary("interrupt");
    let scenario = folder.join("long.toml");
    let source = "name = \"long\"\nquestion = \"How long?\"\n[clients.a]\ncount = 5\nproduct = \"Windows Server 2022 Standard\"\n\
                  [[step]]\ntitle = \"for long\"\nclients = [\"a\"]\nrepeat = 200000\nexpect = { wire = \"0x00000000\" }\n";
    std::fs::write(&scenario, source).unwrap();
    let record = folder.join("run.json");
    let mut child = command(&["run", &scenario.display().to_string(), "--out", &format!("json={}", record.display())])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut header = String::new();
    stderr.read_line(&mut header).unwrap();
    std::thread::sleep(Duration::from_secs(1));
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(105), "{header}{rest}");
    let record: serde_json::Value = serde_json::from_slice(&std::fs::read(record).unwrap()).unwrap();
    assert_eq!((&record["exit"]["code"], &record["verdict"]), (&105.into(), &"invalid".into()));
    assert!(record["scenarios"][0]["totals"]["responses"].as_u64().unwrap() > 0);
}

fn temporary(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("hostile-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
