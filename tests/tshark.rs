//! tshark judges our capture of a run: a dissector nobody here wrote. Skipped,
//! and said so, where tshark is not installed (`./test` installs it where it can).

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::tshark;

#[test]
fn tshark_reads_our_run_as_we_wrote_it() {
    if !tshark::is_here("tshark_reads_our_run_as_we_wrote_it") {
        return;
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (capture, journal) = (folder.join("run.pcapng"), folder.join("run.events"));
    let run = Command::new(env!("CARGO_BIN_EXE_kmsproof"))
        .args(["run", "smoke", "count-threshold", "--quiet"])
        .arg(format!("--out=pcapng={}", capture.display()))
        .arg(format!("--out=events={}", journal.display()))
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let events: Vec<Value> = std::fs::read_to_string(&journal)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect();
    let ours: Vec<&Value> =
        events.iter().filter(|event| event["event"] == "pdu").map(|event| &event["fields"]).collect();
    assert!(ours.len() > 400, "{} PDUs", ours.len());
    let port = events.iter().find(|event| event["event"] == "connection_opened").unwrap()["peer"].as_str().unwrap();
    let port = port.rsplit_once(':').unwrap().1;

    let complaints = tshark(&capture, port, &["-Y", "_ws.malformed || _ws.short || _ws.unreassembled"]);
    assert_eq!(complaints, "", "tshark cannot read what we claim is valid");
    let transport = tshark(&capture, port, &["-Y", "tcp.analysis.flags || tcp.checksum.status == 0"]);
    assert_eq!(transport, "", "the TCP around it is not whole");

    let mut arguments =
        vec!["-Y", "dcerpc", "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=,", "-E", "separator=;"];
    for (field, _) in FIELDS {
        arguments.extend(["-e", field]);
    }
    let table = tshark(&capture, port, &arguments);
    let theirs: Vec<&str> = table.lines().collect();
    assert_eq!(theirs.len(), ours.len(), "as many PDUs as we sent and received");
    let kinds = ours.iter().fold(BTreeMap::<&str, usize>::new(), |mut kinds, fields| {
        *kinds.entry(fields["kind"].as_str().unwrap()).or_default() += 1;
        kinds
    });
    for kind in ["bind", "bind_ack", "alter_context", "alter_context_resp", "request", "response"] {
        assert!(kinds.contains_key(kind), "no {kind} in {kinds:?}");
    }
    for (number, (theirs, fields)) in theirs.iter().zip(&ours).enumerate() {
        let ours: Vec<String> = FIELDS.iter().map(|(_, read)| read(fields)).collect();
        let theirs: Vec<String> = theirs.split(';').map(str::to_owned).collect();
        assert_eq!(theirs, ours, "PDU {number}, fields {:?}", FIELDS.map(|(name, _)| name));
    }
    let expert = tshark(&capture, port, &["-q", "-z", "expert"]);
    for section in ["Errors", "Warns"] {
        assert!(!expert.contains(section), "{expert}");
    }
}

/// The inverse: frames broken on purpose must be seen as broken, or tshark would prove nothing.
#[test]
fn tshark_refuses_a_capture_that_was_tampered_with() {
    if !tshark::is_here("tshark_refuses_a_capture_that_was_tampered_with") {
        return;
    }
    use kmsproof::capture::{Direction, pcapng::Writer};
    use kmsproof::wire::rpc::{Bind, Body, ContextElement, Pdu, SyntaxId};
    use std::time::Duration;
    let element = ContextElement { id: 0, interface: SyntaxId::KMS, transfer: vec![SyntaxId::NDR32] };
    let bind = Bind { max_xmit_frag: 5840, max_recv_frag: 5840, assoc_group: 0, contexts: vec![element] };
    let mut frame = Pdu::whole(2, Body::Bind(bind)).encode().unwrap();
    frame[24] = 9; // n_context_elem: nine announced, one there
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("tampered.pcapng");
    let mut writer = Writer::new(std::fs::File::create(&path).unwrap(), "kmsproof test").unwrap();
    let at = Duration::from_secs(1_800_000_000);
    let (client, host) = ("127.0.0.1:40000".parse().unwrap(), "127.0.0.1:1688".parse().unwrap());
    let conversation = writer.open(client, host, at).unwrap();
    writer.segment(conversation, Direction::ToHost, at, &frame, None).unwrap();
    writer.close(conversation, at).unwrap();
    writer.finish().unwrap();
    assert_ne!(tshark(&path, "1688", &["-Y", "_ws.malformed"]), "");
}

fn tshark(capture: &Path, port: &str, arguments: &[&str]) -> String {
    let output = Command::new("tshark")
        .arg("-r")
        .arg(capture)
        .args([
            "-d",
            &format!("tcp.port=={port},dcerpc"),
            "-o",
            "tcp.check_checksum:TRUE",
            "-o",
            "ip.check_checksum:TRUE",
        ])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

type Read = fn(&Value) -> String;

/// tshark's name of a field, and the same of our journal in tshark's way of printing it.
const FIELDS: [(&str, Read); 22] = [
    ("dcerpc.pkt_type", |fields| number(&fields["pkt_type"])),
    ("dcerpc.cn_flags", |fields| hex(&fields["cn_flags"], 2)),
    ("dcerpc.cn_frag_len", |fields| number(&fields["cn_frag_len"])),
    ("dcerpc.cn_auth_len", |fields| number(&fields["cn_auth_len"])),
    ("dcerpc.cn_call_id", |fields| number(&fields["cn_call_id"])),
    ("dcerpc.cn_ctx_id", |fields| match contexts(fields, "cn_ctx_id", number) {
        offered if offered.is_empty() => number(&fields["cn_ctx_id"]),
        offered => offered,
    }),
    // tshark carries the request's over to its response; KMS has the one.
    ("dcerpc.opnum", |fields| if fields["kind"] == "response" { "0".to_owned() } else { number(&fields["opnum"]) }),
    ("dcerpc.cn_alloc_hint", |fields| number(&fields["cn_alloc_hint"])),
    ("dcerpc.cn_num_ctx_items", |fields| {
        fields["contexts"].as_array().map_or(String::new(), |list| list.len().to_string())
    }),
    ("dcerpc.cn_bind_to_uuid", |fields| contexts(fields, "cn_bind_to_uuid", text)),
    ("dcerpc.cn_bind_if_ver", |fields| contexts(fields, "cn_bind_if_ver", number)),
    ("dcerpc.cn_bind_if_ver_minor", |fields| contexts(fields, "cn_bind_if_ver_minor", number)),
    ("dcerpc.cn_bind_trans_id", |fields| contexts(fields, "cn_bind_trans_id", first_text)),
    ("dcerpc.cn_bind_trans_ver", |fields| contexts(fields, "cn_bind_trans_ver", first_number)),
    ("dcerpc.cn_num_results", |fields| {
        fields["results"].as_array().map_or(String::new(), |list| list.len().to_string())
    }),
    ("dcerpc.cn_ack_result", |fields| results(fields, "cn_ack_result", number)),
    // A reason is dissected only where the context was refused; of a negotiate ack it is the features.
    ("dcerpc.cn_ack_reason", |fields| reasons(fields)),
    ("dcerpc.cn_ack_trans_id", |fields| results(fields, "cn_ack_trans_id", text)),
    ("dcerpc.cn_assoc_group", |fields| hex(&fields["cn_assoc_group"], 8)),
    ("dcerpc.cn_max_xmit", |fields| number(&fields["cn_max_xmit"])),
    ("dcerpc.cn_max_recv", |fields| number(&fields["cn_max_recv"])),
    ("dcerpc.cn_sec_addr", |fields| text(&fields["cn_sec_addr"])),
];

fn number(value: &Value) -> String {
    value.as_u64().map_or(String::new(), |number| number.to_string())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn hex(value: &Value, digits: usize) -> String {
    value.as_u64().map_or(String::new(), |number| format!("0x{number:0digits$x}"))
}

fn first_text(list: &Value) -> String {
    text(&list[0])
}

fn first_number(list: &Value) -> String {
    number(&list[0])
}

fn contexts(fields: &Value, name: &str, read: Read) -> String {
    joined(&fields["contexts"], name, read)
}

fn results(fields: &Value, name: &str, read: Read) -> String {
    joined(&fields["results"], name, read)
}

fn reasons(fields: &Value) -> String {
    let Some(results) = fields["results"].as_array() else { return String::new() };
    let refused = results.iter().filter(|result| result["cn_ack_result"] == 2);
    refused.map(|result| number(&result["cn_ack_reason"])).collect::<Vec<_>>().join(",")
}

fn joined(list: &Value, name: &str, read: Read) -> String {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().map(|item| read(&item[name])).collect::<Vec<_>>().join(",")
}

/// The cases whose stimuli a dissector must find broken, of those it can tell (what it takes for a PDU that is not
/// whole yet it only waits for).
const BROKEN: &[&str] = &["rpc/bind/missing-contexts", "rpc/transport/empty-bind"];

#[test]
fn tshark_reads_conformance_runs_and_finds_broken_what_we_break() {
    if !tshark::is_here("tshark_reads_conformance_runs_and_finds_broken_what_we_break") {
        return;
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let conform = |name: &str, cases: &[&str]| {
        let (capture, journal) = (folder.join(format!("{name}.pcapng")), folder.join(format!("{name}.events")));
        let run = Command::new(env!("CARGO_BIN_EXE_kmsproof"))
            .arg("conform")
            .args(cases)
            .args(["--quiet", "--strict"])
            .arg(format!("--out=pcapng={}", capture.display()))
            .arg(format!("--out=events={}", journal.display()))
            .output()
            .unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let events = std::fs::read_to_string(&journal).unwrap();
        let opened = events.lines().find(|line| line.contains("connection_opened")).unwrap();
        let opened: Value = serde_json::from_str(opened).unwrap();
        let port = opened["peer"].as_str().unwrap().rsplit_once(':').unwrap().1.to_owned();
        let pdus = events.lines().filter(|line| line.contains("\"event\":\"pdu\"")).count();
        (capture, port, pdus)
    };
    let valid =
        ["rpc/transport/control", "kms/request/v*", "rpc/bind/ndr32", "rpc/alter/*-context", "rpc/fragment/two"];
    let (capture, port, pdus) = conform("valid", &valid);
    assert_eq!(tshark(&capture, &port, &["-Y", "_ws.malformed || _ws.short || _ws.unreassembled"]), "");
    let seen = tshark(&capture, &port, &["-Y", "dcerpc", "-T", "fields", "-e", "dcerpc.pkt_type"]);
    let comments = tshark(&capture, &port, &["-Y", "frame.comment", "-T", "fields", "-e", "frame.comment"]);
    assert!(comments.lines().any(|comment| comment == "rpc/fragment/two"), "each packet names its case: {comments}");
    assert_eq!(seen.lines().count(), pdus, "as many PDUs as were said");
    for case in BROKEN {
        let (capture, port, _) = conform("broken", &[case]);
        let filter = format!("_ws.malformed && frame.comment == \"{case}\"");
        let complaints = tshark(&capture, &port, &["-Y", &filter]);
        assert_ne!(complaints, "", "{case} sends what tshark takes for whole");
    }
}
