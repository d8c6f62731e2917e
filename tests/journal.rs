//! The journal of a run (`--out events=`), held against the bytes in it and against the run record.

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use kmsproof::wire::rpc::{Body, Pdu, SyntaxId};
use serde_json::{Value, json};
use support::command;
use support::vectors::{bytes, text};

#[test]
fn every_pdu_says_what_its_bytes_say() {
    let (events, _) = run("fields");
    let mut kinds = BTreeMap::<String, u32>::new();
    for event in events.iter().filter(|event| event["event"] == "pdu") {
        let frame = bytes(&event["hex"]);
        let pdu = Pdu::decode(&frame).unwrap_or_else(|error| panic!("{error}: {event}"));
        assert_eq!(event["fields"], fields(&pdu, &frame), "{event}");
        let asks = matches!(pdu.body, Body::Bind(_) | Body::AlterContext(_) | Body::Request(_));
        assert_eq!(event["sender"], if asks { "client" } else { "host" }, "{event}");
        *kinds.entry(pdu.ptype().to_string()).or_default() += 1;
    }
    for kind in ["bind", "bind_ack", "alter_context", "alter_context_resp", "request", "response"] {
        assert!(kinds.contains_key(kind), "no {kind} in {kinds:?}");
    }
}

#[test]
fn the_journal_and_the_record_count_alike() {
    let (events, record) = run("counts");
    let scenarios = record["scenarios"].as_array().unwrap();
    assert_eq!(scenarios.len(), 2);
    let mut counted = 0;
    for scenario in scenarios {
        let own: Vec<&Value> = events.iter().filter(|event| event["scenario"] == scenario["name"]).collect();
        counted += own.len();
        let of = |kind: &str| own.iter().copied().filter(|event| event["event"] == kind).collect::<Vec<_>>();
        let pdus = of("pdu");
        let pdus_of = |kind: &str| pdus.iter().filter(|pdu| pdu["fields"]["kind"] == kind).count();
        let bytes_of = |sender: &str| -> usize {
            pdus.iter().filter(|pdu| pdu["sender"] == sender).map(|pdu| text(&pdu["hex"]).len() / 2).sum()
        };
        let exchanges = of("exchange");
        let totals = &scenario["totals"];
        assert_eq!(totals["connections"], of("connection_opened").len(), "{totals}");
        assert_eq!(totals["connections"], of("connection_closed").len(), "{totals}");
        assert_eq!(totals["connections"], pdus_of("bind"), "{totals}");
        assert_eq!(totals["connections"], pdus_of("bind_ack"), "{totals}");
        assert_eq!(totals["requests"], exchanges.len(), "{totals}");
        assert_eq!(totals["requests"], pdus_of("request"), "{totals}");
        assert_eq!(totals["responses"], pdus_of("response"), "{totals}");
        assert_eq!(totals["bytes_sent"], bytes_of("client"), "{totals}");
        assert_eq!(totals["bytes_received"], bytes_of("host"), "{totals}");
        for outcome in ["wire", "verdict", "shown"] {
            let mut counts = BTreeMap::<&str, u64>::new();
            for exchange in &exchanges {
                *counts.entry(text(&exchange[outcome])).or_default() += 1;
            }
            assert_eq!(scenario["outcomes"][outcome], json!(counts), "{outcome}");
        }
    }
    assert_eq!(counted, events.len(), "every event belongs to a scenario");
}

#[test]
fn arrivals_at_a_rate_were_meant_for_the_times_of_their_schedule() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("at-a-rate.toml");
    let text = "name = \"at-a-rate\"\nquestion = \"When?\"\n[clients.pc]\ncount = 30\n\
                product = \"Windows Server 2022 Standard\"\n\
                [[step]]\ntitle = \"steadily\"\nclients = [\"pc\"]\narrive = { rate = \"200/s\" }\n";
    std::fs::write(&file, text).unwrap();
    let arguments = ["run", file.to_str().unwrap(), "--quiet", "--out", "events=-"];
    let ran = command::run(command::command(env!("CARGO_BIN_EXE_kmsproof"), &arguments));
    assert!(ran.holds(), "{}", ran.stderr);
    let events = ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut exchanges: Vec<Value> = events.filter(|event| event["event"] == "exchange").collect();
    exchanges.sort_by_key(|exchange| exchange["arrival"].as_u64());
    let started: Vec<u64> = exchanges.iter().map(|exchange| exchange["started_ns"].as_u64().unwrap()).collect();
    assert_eq!(started.len(), 30);
    // However late each of them really began, which `late_ns` says.
    assert!(started.windows(2).all(|pair| pair[1] - pair[0] == 5_000_000), "{started:?}");
    assert!(exchanges.iter().all(|exchange| exchange["late_ns"].is_u64()));
}

/// The journal and the record of the shipped scenarios against the embedded host.
fn run(name: &str) -> (Vec<Value>, Value) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("journal");
    std::fs::create_dir_all(&folder).unwrap();
    let (events, record) = (folder.join(format!("{name}.events")), folder.join(format!("{name}.json")));
    let out = [format!("--out=events={}", events.display()), format!("--out=json={}", record.display())];
    let ran = command::run(command::command(
        env!("CARGO_BIN_EXE_kmsproof"),
        &["run", "smoke", "count-threshold", "--quiet", &out[0], &out[1]],
    ));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let lines = std::fs::read_to_string(events).unwrap();
    let events = lines.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
    (events, serde_json::from_slice(&std::fs::read(record).unwrap()).unwrap())
}

/// The fields by the names Wireshark gives them, out of the strict decoder and the frame.
fn fields(pdu: &Pdu<'_>, frame: &[u8]) -> Value {
    let mut fields = json!({
        "pkt_type": pdu.ptype().0, "kind": pdu.ptype().to_string(), "cn_flags": pdu.flags.0,
        "cn_frag_len": frame.len(), "cn_auth_len": 0, "cn_call_id": pdu.call_id,
    });
    let more = match &pdu.body {
        Body::Bind(bind) | Body::AlterContext(bind) => json!({
            "cn_max_xmit": bind.max_xmit_frag, "cn_max_recv": bind.max_recv_frag, "cn_assoc_group": bind.assoc_group,
            "contexts": bind.contexts.iter().map(|context| {
                let [transfer] = &context.transfer[..] else { panic!("{context:?}") };
                assert_eq!(context.interface, SyntaxId::KMS);
                json!({
                    "cn_ctx_id": context.id, "cn_bind_to_uuid": SyntaxId::KMS.uuid, "cn_bind_if_ver": 1,
                    "cn_bind_if_ver_minor": 0, "cn_bind_trans_id": [transfer.uuid],
                    "cn_bind_trans_ver": [transfer.version],
                })
            }).collect::<Vec<_>>(),
        }),
        Body::BindAck(ack) | Body::AlterContextResponse(ack) => json!({
            "cn_max_xmit": ack.max_xmit_frag, "cn_max_recv": ack.max_recv_frag, "cn_assoc_group": ack.assoc_group,
            "cn_sec_addr": ack.secondary_address_text(),
            "results": ack.results.iter().map(|result| json!({
                "cn_ack_result": result.result.0, "cn_ack_reason": result.reason,
                "cn_ack_trans_id": result.syntax.uuid, "cn_ack_trans_ver": result.syntax.version,
            })).collect::<Vec<_>>(),
        }),
        Body::Request(request) => json!({
            "cn_alloc_hint": request.stub.len(), "cn_ctx_id": request.context_id, "opnum": 0,
            "stub_len": frame.len() - 24,
        }),
        Body::Response(response) => json!({
            "cn_alloc_hint": response.stub.len(), "cn_ctx_id": response.context_id, "cn_cancel_count": 0,
            "stub_len": frame.len() - 24,
        }),
        body => panic!("nobody sends a {} here", body.ptype()),
    };
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    fields
}
