//! `decode` on recorded conversations: what is right is listed, what is wrong is found,
//! named and marked, and what is no capture is refused.

mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use kmsproof::capture::Direction;
use kmsproof::capture::pcapng::Writer;
use kmsproof::cli::decode::{DecodeArgs, execute};
use kmsproof::client::identity::{ClientId, Group, Index};
use kmsproof::crypto::{SealV6, envelope};
use kmsproof::exit::Exit;
use kmsproof::proto::{Ask, Heard, Sender};
use kmsproof::wire::Hresult;
use kmsproof::wire::kms::{ActivationRequest, ActivationResponse, EpidText, WorkstationName};
use kmsproof::wire::ndr::ResponseStub;
use kmsproof::wire::rpc::{Body, Pdu, Response, TransferSyntax};
use proptest::prelude::*;
use support::captures::{hex_text, pcapng};
use support::cases::config;
use support::command;
use support::vectors::{exchanges, said};

type Pdus = Vec<(Sender, Vec<u8>)>;

#[test]
fn every_recorded_exchange_holds() {
    for exchange in exchanges() {
        let pdus = exchange.said();
        let (exit, hex) = decode(&file("recorded.txt", hex_text(&pdus).as_bytes()));
        assert_eq!(exit, Exit::Held, "{hex}");
        // Of the client's V7 request the version is marked: there is none such. Nothing else is.
        let marks = usize::from(exchange.name.starts_with("v7"));
        assert_eq!(hex.matches("\n> ").count(), marks, "{hex}");
        let (exit, capture) = decode(&file("recorded.pcapng", &pcapng(&[&pdus], 16880)));
        assert_eq!(exit, Exit::Held, "{capture}");
        assert!(capture.contains("Conversation 1: 192.0.2.9:50000 -> 192.0.2.1:16880, 2026-11-20 15:19:26 UTC\n"));
        assert!(capture.contains("\n#4 15:19:26.000100 client: bind, "), "{capture}");
    }
}

#[test]
fn a_whole_listing_reads_well() {
    let mut pdus = said("v6-ndr32+ndr64-ok");
    // Bind and alter_context, then the call over NDR64.
    pdus.drain(4..6);
    let (exit, text) = decode(&file("listing.pcapng", &pcapng(&[&pdus], 16880)));
    assert_eq!(exit, Exit::Held);
    insta::with_settings!({filters => vec![(r"(?m)^\S*listing.pcapng", "listing.pcapng")]}, {
        insta::assert_snapshot!(text);
    });
}

#[test]
fn a_tampered_answer_is_found_named_and_marked() {
    let mut pdus = said("v6-ndr32+ndr64-ok");
    let (_, last) = pdus.last_mut().unwrap();
    // The last block before the return code, and with it the padding and half the HMAC.
    let at = last.len() - 4 - 16;
    last[at] ^= 1;
    last[22] = 3;
    let (exit, text) = brief(&file("tampered.txt", hex_text(&pdus).as_bytes()));
    assert_eq!(exit, Exit::Check);
    let wrong = &text[text.find("Exchange, call 3").unwrap()..];
    insta::with_settings!({filters => vec![("[0-9a-f]{32}( |\n)", "................................$1")]}, {
        insta::assert_snapshot!(wrong);
    });
    let (_, text) = decode(&file("tampered.txt", hex_text(&pdus).as_bytes()));
    for field in ["rpc.cancel_count", "proof.hmac", "proof.padding"] {
        assert!(text.lines().any(|line| line.starts_with("> ") && line.contains(field)), "{field}: {text}");
    }
    assert!(text.contains("expected 00 00, got 03 00 (rpc/response/cancel-count)"), "{text}");
}

#[test]
fn a_recording_of_conform_names_its_cases_and_blames_no_host_for_what_they_send() {
    let recorded = |name: &str, target: &str| {
        let path = file(name, b"");
        let out = format!("pcapng={}", path.display());
        // Binds and requests that are to be refused, bytes that are no PDU, and ordinary requests.
        let cases = ["rpc/header/*", "rpc/bind/*", "rpc/transport/http", "rpc/fragment/*", "kms/request/v*"];
        let arguments = [&["conform"], &cases[..], &["--target", target, "--quiet", "--out", &out]].concat();
        command::run(command::command(env!("CARGO_BIN_EXE_kmsproof"), &arguments));
        path
    };
    let honest = recorded("conform.pcapng", "lab");
    let (exit, text) = brief(&honest);
    assert_eq!(exit, Exit::Held, "{text}");
    assert!(text.contains("note: recorded by kmsproof conform: "), "{text}");
    for id in ["rpc/bind/unknown-interface", "rpc/transport/http", "kms/request/v4"] {
        let case = kmsproof::conform::cases::all().find(|case| case.id == id).unwrap();
        assert!(text.contains(&format!("\ncase {id}: {}\n", case.title)), "{id}: {text}");
    }
    assert!(!text.contains("NOT HELD") && !text.contains("Failed: "), "{text}");
    assert!(text.contains(": left to the cases to judge\n"), "{text}");
    let (_, whole) = decode(&honest);
    assert!(whole.contains(" client: bind, "), "{whole}");
    assert!(whole.contains(", as rpc/header/odd-drep has it\n"), "{whole}");
    // What is wrong in any answer is wrong in these as well.
    let (exit, text) = brief(&recorded("conform-faulty.pcapng", "lab:signs-with-another-key"));
    assert_eq!(exit, Exit::Check, "{text}");
    assert!(text.contains("NOT HELD        kms/v4/mac (must"), "{text}");
}

#[test]
fn comments_that_name_no_case_excuse_nobody() {
    let mut pdus = said("v6-ndr32-ok");
    pdus.truncate(1);
    // Of an ordinary client's bind a response is no answer.
    let mut response = said("v6-ndr32-ok").last().unwrap().1.clone();
    response[12..16].copy_from_slice(&pdus[0].1[12..16]);
    pdus.push((Sender::Host, response));
    let with = |comment: &str| {
        let mut writer = Writer::new(Vec::new(), "kmsproof").unwrap();
        let (at, ends) = (Duration::from_secs(1_795_187_966), ["192.0.2.9:50000", "192.0.2.1:1688"]);
        let id = writer.open(ends[0].parse().unwrap(), ends[1].parse().unwrap(), at).unwrap();
        for (sender, bytes) in &pdus {
            let direction = if *sender == Sender::Client { Direction::ToHost } else { Direction::ToClient };
            writer.segment(id, direction, at, bytes, Some(comment)).unwrap();
        }
        brief(&file("commented.pcapng", &writer.finish().unwrap()))
    };
    let (exit, text) = with("a remark\u{1b}[2J");
    assert_eq!(exit, Exit::Check, "{text}");
    assert!(text.contains("\ncomment: a remark\\u{1b}[2J\n"), "{text}");
    let (exit, text) = with("rpc/bind/ndr32");
    assert_eq!(exit, Exit::NothingChecked, "{text}");
    assert!(text.contains("\ncase rpc/bind/ndr32: "), "{text}");
}

#[test]
fn what_a_host_writes_does_not_reach_the_terminal_as_it_is() {
    let text = answer_with(
        |_| {},
        |response| {
            response.epid = EpidText::new("\u{1b}]0;owned\u{7}\u{202e}").unwrap();
            response.count = 0;
        },
    );
    assert!(text.chars().all(|letter| letter == '\n' || !letter.is_control() && letter != '\u{202e}'), "{text}");
    assert!(text.contains("ePID \\u{1b}]0;owned\\u{7}\\u{202e}"), "{text}");
    assert!(text.contains("NOT HELD        kms/response/count (must)"), "{text}");
    assert!(text.contains("client verdict  0xC004F038 SL_E_VL_NOT_ENOUGH_COUNT"), "{text}");
}

#[test]
fn a_synthetic_client_is_known_again() {
    let ours = ClientId::mint(1, Group::new(2).unwrap(), Index::new(7).unwrap()).guid();
    let text = answer_with(
        |request| {
            request.cmid = ours;
            request.workstation = WorkstationName::new("a\u{1b}[2J").unwrap();
        },
        |_| {},
    );
    assert!(text.contains(&format!("client          {ours} (kmsproof's own: seed 1, group 2, client 7)")), "{text}");
    assert!(text.contains("\"a\\u{1b}[2J\", clock"), "{text}");
    assert!(text.contains("client verdict  activated"), "{text}");
}

#[test]
fn answers_are_held_against_each_other_across_conversations() {
    let one = said("v6-ndr32-ok");
    let (exit, text) = brief(&file("twice.pcapng", &pcapng(&[&one, &one], 16880)));
    assert_eq!(exit, Exit::Check);
    for check in ["kms/history/v6-iv-fresh", "kms/history/random-fresh", "kms/history/count-not-falling"] {
        assert!(text.contains(&format!("NOT HELD        {check}")), "{check}: {text}");
    }
    assert!(text.contains("4 exchanges in 2 conversations"), "{text}");
}

#[test]
fn other_conversations_are_counted_and_a_kms_host_at_another_port_is_not() {
    let kms = said("v4-ndr32-ok");
    let mut foreign = said("v6-ndr32-ok");
    foreign[0].1[32] ^= 1;
    let http = vec![(Sender::Client, b"GET / HTTP/1.1\r\n\r\n".to_vec()), (Sender::Host, b"HTTP/1.1 200\r\n".to_vec())];
    let (exit, text) = brief(&file("others.pcapng", &pcapng(&[&http, &kms, &foreign], 16880)));
    assert_eq!(exit, Exit::Held, "{text}");
    assert!(text.contains("\nConversation 2: 192.0.2.9:50001") && !text.contains("Conversation 1"), "{text}");
    assert!(text.contains("\n2 conversations not KMS: not shown\n"), "{text}");
    // At the port of KMS even a web server is worth showing.
    let (exit, text) = decode(&file("others.pcapng", &pcapng(&[&http], 1688)));
    assert_eq!(exit, Exit::Check);
    assert!(text.contains("Failed: this port speaks HTTP, not DCE/RPC"), "{text}");
}

#[test]
fn without_an_answer_there_is_nothing_to_check() {
    let pdus = said("v6-ndr32-ok");
    let (exit, text) = brief(&file("asked.txt", hex_text(&pdus[..3]).as_bytes()));
    assert_eq!(exit, Exit::NothingChecked, "{text}");
    assert!(text.contains("No answer to the call (2) in the recording."), "{text}");
    let http: Pdus = vec![(Sender::Client, b"GET / HTTP/1.1\r\n\r\n".to_vec())];
    assert_eq!(brief(&file("asked.pcapng", &pcapng(&[&http], 80))).0, Exit::NothingChecked);
}

#[test]
fn what_is_no_capture_is_refused_by_name() {
    let refused = |path: PathBuf| {
        let failure = execute(&DecodeArgs { file: path, brief: false }, &mut Vec::new()).unwrap_err();
        assert_eq!(failure.exit, Exit::Input);
        failure.message
    };
    let message = refused(file("photo.png", b"\x89PNG\r\n\x1a\n\0\0"));
    assert!(message.ends_with("photo.png: neither a capture (pcap, pcapng) nor hex text: it is binary"), "{message}");
    assert!(refused(file("empty", b"")).ends_with("empty: the file is empty"));
    assert!(refused("/nowhere/at/all.pcap".into()).starts_with("/nowhere/at/all.pcap: No such file"));
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn damaged_captures_are_shown_and_harm_no_terminal(
        which: prop::sample::Index,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut all = exchanges();
        let mut pdus = all.swap_remove(which.index(all.len())).said();
        let count = pdus.len();
        for (pdu, at, byte) in damage {
            let (_, pdu) = &mut pdus[pdu.index(count)];
            let at = at.index(pdu.len());
            pdu[at] = byte;
        }
        let last = pdus.len() - 1;
        let len = pdus[last].1.len();
        pdus[last].1.truncate(1 + cut.index(len));
        let (_, text) = decode(&file("damaged.pcapng", &pcapng(&[&pdus], 1688)));
        prop_assert!(text.chars().all(|letter| letter == '\n' || !letter.is_control()), "{}", text);
    }
}

/// The samples are what the vectors make: `KMSPROOF_WRITE_CAPTURES=1` writes them anew.
#[test]
fn the_sample_captures_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    let three = ["v4-ndr32-ok", "v5-ndr32-ok", "v6-ndr32+ndr64-ok"].map(said);
    let refused = said("v6-ndr32-0xc004f06c");
    for (name, bytes) in [
        ("v4-v5-v6.pcapng", pcapng(&three.each_ref().map(|pdus| &pdus[..]), 16880)),
        ("clock-refused.txt", format!("{REFUSED}{}", hex_text(&refused)).into_bytes()),
    ] {
        let path = folder.join(name);
        if std::env::var_os("KMSPROOF_WRITE_CAPTURES").is_some() {
            std::fs::write(&path, &bytes).unwrap();
        }
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "{name}");
        let (exit, text) = brief(&path);
        assert_eq!(exit, Exit::Held, "{text}");
    }
}

/// What is shown of a request and its answer, both properly sealed, changed like this.
fn answer_with(ask: impl FnOnce(&mut ActivationRequest), change: impl FnOnce(&mut ActivationResponse)) -> String {
    let mut pdus = said("v6-ndr32-ok");
    pdus.truncate(4);
    let mut request = Heard::read(&pdus[2].1[32..], 32).unwrap().request().clone();
    ask(&mut request);
    let asked = Ask::new(request.clone(), [9; 16]);
    pdus[2].1.truncate(32);
    pdus[2].1.extend_from_slice(asked.payload());
    let mut response = ActivationResponse {
        version: request.version,
        epid: EpidText::default(),
        cmid: request.cmid,
        client_time: request.client_time,
        count: 5,
        activation_interval_min: 120,
        renewal_interval_min: 10_080,
    };
    change(&mut response);
    let proof = SealV6 {
        request_iv: *asked.iv(),
        iv: [1; 16],
        random: [2; 16],
        hwid: [3; 8],
        client_time: request.client_time.0,
    };
    let (mut payload, mut stub) = (Vec::new(), Vec::new());
    envelope::seal_response_v6(&response.encode(), &proof, &mut payload);
    ResponseStub::Answer { referent: 1, payload: &payload, code: Hresult::OK }.write(TransferSyntax::Ndr32, &mut stub);
    let body = Response { alloc_hint: stub.len() as u32, context_id: 0, cancel_count: 0, stub: &stub };
    pdus[3].1 = Pdu::whole(2, Body::Response(body)).encode().unwrap();
    decode(&file("answer.txt", hex_text(&pdus).as_bytes())).1
}

/// Writes a file of this test and gives its path.
fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let test = std::thread::current().name().unwrap_or("test").to_owned();
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("decode").join(test);
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn decode(file: &Path) -> (Exit, String) {
    run(DecodeArgs { file: file.to_owned(), brief: false })
}

fn brief(file: &Path) -> (Exit, String) {
    run(DecodeArgs { file: file.to_owned(), brief: true })
}

fn run(args: DecodeArgs) -> (Exit, String) {
    let mut out = Vec::new();
    let exit = execute(&args, &mut out).unwrap();
    (exit, String::from_utf8(out).unwrap())
}

const REFUSED: &str = "\
# A V6 client whose clock is more than four hours off: the host refuses it with
# 0xC004F06C, and slmgr shows 0xC004F074. Read it with: kmsproof decode clock-refused.txt
";
