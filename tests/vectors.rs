//! The recorded exchanges, PDU by PDU, field by field, and through both machines.

mod support;

use std::collections::BTreeSet;

use kmsproof::crypto::{SealV5, SealV6, Sealing, envelope, mac, proof};
use kmsproof::proto::verify::CheckId;
use kmsproof::proto::{Answer, Ask, Association, HostAssociation, HostConfig, Outcome, ReplyBody, Sender, Verdict};
use kmsproof::wire::kms::{ActivationRequest, ActivationResponse, Envelope, Epid, Proof, pkcs7_padding};
use kmsproof::wire::ndr::{REFERENT, RequestStub, ResponseStub};
use kmsproof::wire::rpc::{Body, Pdu, PduView};
use kmsproof::wire::{FileTime, Hresult, Layer, Reader, dump};
use serde_json::Value;
use support::drive::{self, RECORDED_PORT, START, Seen, drain};
use support::fuzz_bodies::check_listing;
use support::vectors::{Call, Exchange, array, bytes, exchanges, text};
use support::{invariants, vectors};

#[test]
fn every_pdu_decodes_lists_and_encodes_to_the_same_bytes() {
    let mut seen = 0;
    for exchange in exchanges() {
        for recorded in &exchange.pdus {
            let name = &exchange.name;
            let pdu = Pdu::decode(&recorded.bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(pdu.encode().unwrap(), recorded.bytes, "{name}: {pdu:?}");
            assert_eq!((pdu.ptype().0, pdu.call_id), (recorded.ptype(), recorded.call_id()), "{name}");
            let view = PduView(&recorded.bytes);
            assert_eq!((view.ptype(), view.flags(), view.call_id()), {
                (Some(pdu.ptype()), Some(pdu.flags), Some(pdu.call_id))
            });
            assert_eq!(view.frag_length().map(usize::from), Some(recorded.bytes.len()), "{name}");
            let call = exchange.calls.iter().find(|call| call.call_id == recorded.call_id());
            // V7 is no version: its envelope is the one thing in all these bytes that is wrong.
            let is_v7 = name.starts_with("v7") && pdu.ptype().0 == vectors::REQUEST;
            for syntax in [None, pdu.body.stub().and(call).map(|call| call.syntax)] {
                let listing = dump::pdu(&recorded.bytes, syntax);
                check_listing(&listing);
                let issues: Vec<_> = listing.issues.iter().map(|issue| (issue.field, issue.offset)).collect();
                let due = if is_v7 && syntax.is_some() { vec![("version", 32)] } else { vec![] };
                assert_eq!(issues, due, "{name}: {listing}");
                assert!(syntax.is_none() || !listing.to_string().contains("not read") || is_v7, "{name}: {listing}");
            }
            if recorded.sender == Sender::Host {
                invariants::reply(&recorded.bytes, Some(pdu.call_id)).unwrap();
            }
            seen += 1;
        }
    }
    assert_eq!(seen, 3 * (6 + 8) + 10 * 4);
}

#[test]
fn every_request_decodes_to_the_recorded_fields_and_back() {
    let mut seen = [0; 4];
    for (exchange, call) in all_calls() {
        let name = exchange;
        let pdu = Pdu::decode(&call.request_pdu).unwrap();
        let Body::Request(request) = &pdu.body else { panic!("{name}") };
        let mut r = Reader::new(Layer::Rpc, request.stub);
        let stub = RequestStub::read(&mut r, call.syntax).unwrap();
        assert_eq!(r.remaining(), 0, "{name}");
        assert_eq!(stub.payload, call.request_payload(), "{name}");
        assert_eq!(written(|out| stub.write(call.syntax, out)), request.stub, "{name}");
        count(&mut seen, &call.request);

        let Some(built) = call.activation_request() else {
            assert_eq!(call.request["version"], 7);
            let error = Envelope::decode(stub.payload).unwrap_err();
            assert_eq!((error.field, error.got.as_ref()), ("version", "7.0"), "{name}");
            assert_eq!(bytes(&call.request["raw"]), stub.payload, "{name}");
            continue;
        };
        let body = match Envelope::decode(stub.payload).unwrap() {
            Envelope::Mac { body, mac: found } => {
                assert_eq!(found, array(&call.request["mac"]), "{name}");
                assert_eq!(found, mac::v4(body), "{name}");
                check_v4_sealed_again(name, body, stub.payload);
                body.to_vec()
            }
            Envelope::Sealed { version, iv, ciphertext } => {
                let sealing = sealing(&call.request).unwrap();
                assert_eq!(u64::from(version.major), call.request["version"].as_u64().unwrap(), "{name}");
                assert_eq!(iv, array(&call.request["iv_wire"]), "{name}");
                let mut plaintext = Vec::new();
                let iv_decrypted = envelope::open(sealing, &iv, ciphertext, &mut plaintext).unwrap();
                assert_eq!(iv_decrypted, array(&call.request["iv_decrypted"]), "{name}");
                assert_eq!(plaintext, bytes(&call.request["plaintext"]), "{name}");
                check_sealed_again(name, sealing, &plaintext, stub.payload);
                assert_eq!(plaintext[236..], bytes(&call.request["pad"]), "{name}");
                let mut r = Reader::new(Layer::Envelope, &plaintext[236..]).at(236);
                assert_eq!(pkcs7_padding(&mut r), Ok(4), "{name}");
                let listing = dump::request_plaintext(&plaintext);
                check_listing(&listing);
                assert_eq!(listing.issues, [], "{name}: {listing}");
                plaintext.truncate(236);
                let sealed = written(|out| envelope::seal_request(sealing, &plaintext, &iv, out));
                assert_eq!((sealed.len(), &sealed[..]), (260, stub.payload), "{name}");
                plaintext
            }
        };
        // Field by field, the independent decoder's words against ours ...
        let decoded = ActivationRequest::decode(&body).unwrap();
        check_request_fields(name, &decoded, &call.request["fields"]);
        // ... and back from its words to the bytes.
        assert_eq!(decoded, built, "{name}");
        assert_eq!(built.encode()[..], body, "{name}");
        let ask = Ask::new(built, call.request_iv());
        assert_eq!(ask.payload(), call.request_payload(), "{name}");
    }
    assert_eq!(seen, [7, 7, 7, 1]);
}

/// No independent decoder reads V7, but the recorder made it as we make it: the nearest version's
/// cipher, and 7 both outside and inside.
#[test]
fn the_recorded_v7_request_is_sealed_as_v6() {
    let call = vectors::named("v7-ndr32-0x8007000d").calls.remove(0);
    let payload = call.request_payload();
    let iv = payload[4..20].try_into().unwrap();
    let mut plaintext = Vec::new();
    envelope::open(Sealing::V6, &iv, &payload[20..], &mut plaintext).unwrap();
    let request = ActivationRequest::decode(&plaintext[..236]).unwrap();
    assert_eq!(request.version.to_string(), "7.0");
    assert_eq!(Ask::new(request, iv).payload(), payload);
}

#[test]
fn every_answer_decodes_to_the_recorded_fields_and_back() {
    let (mut seen, mut refused) = ([0; 4], 0);
    for (name, call) in all_calls() {
        let pdu = Pdu::decode(&call.response_pdu).unwrap();
        let Body::Response(response) = &pdu.body else { panic!("{name}") };
        let stub = ResponseStub::decode(response.stub, call.syntax).unwrap();
        assert_eq!(written(|out| stub.write(call.syntax, out)), response.stub, "{name}");
        assert_eq!(response.alloc_hint as usize, response.stub.len(), "{name}");
        let payload = match stub {
            ResponseStub::Refusal { code } => {
                assert_eq!(call.response, Value::Null, "{name}");
                assert_eq!(code, call.return_code, "{name}");
                assert_eq!(response.stub.len(), 12, "{name}");
                refused += 1;
                continue;
            }
            ResponseStub::Answer { referent, payload, code } => {
                assert_eq!((referent, code, call.return_code), (REFERENT, Hresult::OK, Hresult::OK), "{name}");
                let code_at = response.stub.len() - 4;
                assert_eq!(response.stub[code_at..], bytes(&call.stub_tail), "{name}");
                payload
            }
        };
        assert_eq!(payload, call.response_payload(), "{name}");
        match Envelope::decode(payload).unwrap() {
            Envelope::Mac { body, mac: found } => check_v4_answer(name, &call, body, found),
            Envelope::Sealed { iv, ciphertext, .. } => check_sealed_answer(name, &call, iv, ciphertext),
        }
        count(&mut seen, &call.response);
    }
    assert_eq!((seen, refused), ([4, 4, 4, 0], 10));
}

#[test]
fn our_client_says_what_the_recorded_one_said_and_trusts_what_it_was_told() {
    let mut exact = BTreeSet::new();
    for exchange in exchanges() {
        let name = &exchange.name;
        let contexts = exchange.pdus[0].bytes[24];
        let offer = drive::offer_of(contexts);
        let is_ours = matches!(contexts, 1 | 3);
        let mut client = Association::new(drive::config(offer));
        let mut seen = Seen::default();
        client.begin(START);
        drain(&mut client, &mut seen);
        for answer in exchange.binding_answers() {
            client.handle_bytes(START, &answer.bytes);
            drain(&mut client, &mut seen);
        }
        let bound = seen.bound.take().unwrap_or_else(|| panic!("{name}: {:?}", seen.failed));
        let failed: Vec<_> = bound.checks.failed.iter().map(|check| check.to_string()).collect();
        // The recorder's third offer (NDR32 and features, two contexts) is none of ours: two results
        // do not answer three contexts, and the second of them is not for NDR64.
        let due: &[&str] = if is_ours { &[] } else { &["rpc/bind/result-count", "rpc/bind/results"] };
        assert_eq!(failed, due, "{name}: {:?}", bound.checks.findings);
        assert_eq!(bound.secondary_address.as_deref(), Some("16880"), "{name}");
        assert_eq!(bound.alter_time.is_some(), contexts == 3, "{name}");

        for call in &exchange.calls {
            assert_eq!(client.next_syntax(), Some(call.syntax), "{name}");
            let ask = call.activation_request().map(|request| Ask::new(request, call.request_iv()));
            let call_id = client.call(START, call.request_payload()).unwrap();
            assert_eq!(call_id, call.call_id, "{name}");
            drain(&mut client, &mut seen);
            client.handle_bytes(START, &call.response_pdu);
            drain(&mut client, &mut seen);
            let reply = seen.replies.pop().unwrap_or_else(|| panic!("{name}: {:?}", seen.failed));
            assert!(matches!(reply.body, ReplyBody::Stub(_)), "{name}");
            // V7 has no fields to build a request from; a refusal is judged alike whatever was asked.
            let ask = ask.unwrap_or_else(|| any_ask(7));
            let answer = ask.judge(&reply, FileTime::RECORDED_AT);
            assert_eq!(answer.checks.findings, [], "{name}");
            assert!(answer.checks.is_clean() && answer.checks.is_trusted(), "{name}");
            check_outcome(name, call, &ask, &answer);
        }
        if is_ours {
            let recorded: Vec<u8> = exchange.sent_by(Sender::Client).flat_map(|pdu| pdu.bytes.clone()).collect();
            assert_eq!(seen.sent, recorded, "{name}");
            exact.insert(name.clone());
        }
    }
    let due =
        ["v4-ndr32-ok", "v4-ndr32+ndr64-ok", "v5-ndr32-ok", "v5-ndr32+ndr64-ok", "v6-ndr32-ok", "v6-ndr32+ndr64-ok"];
    assert_eq!(exact, due.map(str::to_owned).into());
}

#[test]
fn our_host_says_what_the_recorded_one_said() {
    for exchange in exchanges() {
        let name = &exchange.name;
        let acks: Vec<_> = exchange.binding_answers().collect();
        // What is the recorded host's own: its association group, its port, and whether it speaks NDR64.
        let assoc_group = u32::from_le_bytes(acks[0].bytes[20..24].try_into().unwrap());
        let config = HostConfig { port: RECORDED_PORT, assoc_group, ndr64: acks.len() == 2, ..HostConfig::default() };
        let mut host = HostAssociation::new(config);
        let mut answers = exchange.sent_by(Sender::Host);
        let mut calls = exchange.calls.iter();
        for pdu in exchange.sent_by(Sender::Client) {
            host.handle_bytes(&pdu.bytes);
            if pdu.ptype() == vectors::REQUEST {
                let recorded = calls.next().unwrap();
                let call = host.poll_call().unwrap_or_else(|| panic!("{name}"));
                assert_eq!(call.payload, recorded.request_payload(), "{name}");
                let answer = match recorded.response_payload() {
                    [] => Err(recorded.return_code),
                    payload => Ok(payload),
                };
                host.answer(&call, answer);
            }
            let ours = host.poll_transmit().unwrap_or_else(|| panic!("{name}"));
            let mut recorded = answers.next().unwrap().bytes.clone();
            // An alter_context_resp aligns its results with two bytes of whatever was in the
            // recorded host's memory ("16" of an earlier "16880"); ours are zero.
            if recorded[2] == 15 {
                assert_eq!(recorded[26..28], *b"16");
                recorded[26..28].fill(0);
            }
            assert_eq!(ours, recorded, "{name}");
        }
        assert!(answers.next().is_none() && host.poll_call().is_none() && !host.is_closing(), "{name}");
    }
}

fn check_request_fields(name: &str, request: &ActivationRequest, fields: &Value) {
    let number = |field: &str| fields[field].as_u64().unwrap();
    assert_eq!(u64::from(request.version.major), number("major"), "{name}");
    assert_eq!(u64::from(request.version.minor), number("minor"), "{name}");
    assert_eq!(u64::from(request.is_vm), number("is_vm"), "{name}");
    assert_eq!(u64::from(request.license_status.0), number("license_status"), "{name}");
    assert_eq!(u64::from(request.binding_expiration_min), number("binding_expiration_min"), "{name}");
    assert_eq!(request.application_id.to_string(), text(&fields["app_id"]), "{name}");
    assert_eq!(request.sku_id.to_string(), text(&fields["sku_id"]), "{name}");
    assert_eq!(request.kms_counted_id.to_string(), text(&fields["kms_id"]), "{name}");
    assert_eq!(request.cmid.to_string(), text(&fields["cmid"]), "{name}");
    assert_eq!(u64::from(request.n_policy), number("n_policy"), "{name}");
    assert_eq!(request.client_time.0, number("client_time"), "{name}");
    assert_eq!(request.client_time.to_string(), text(&fields["client_time_utc"]), "{name}");
    assert_eq!(request.previous_cmid.to_string(), text(&fields["previous_cmid"]), "{name}");
    assert_eq!(request.workstation.to_string(), text(&fields["workstation"]), "{name}");
    assert_eq!(fields.as_object().unwrap().len(), 14, "{name}: a recorded field is not looked at");
}

fn check_response_fields(name: &str, response: &ActivationResponse, fields: &Value) {
    let number = |field: &str| fields[field].as_u64().unwrap();
    assert_eq!(u64::from(response.version.major), number("major"), "{name}");
    assert_eq!(u64::from(response.version.minor), number("minor"), "{name}");
    assert_eq!(response.epid.wire_size() as u64, number("epid_size"), "{name}");
    assert_eq!(response.epid.as_str(), text(&fields["epid"]), "{name}");
    assert_eq!(response.epid.as_str().parse::<Epid>().unwrap().to_string(), text(&fields["epid"]), "{name}");
    assert_eq!(response.cmid.to_string(), text(&fields["cmid"]), "{name}");
    assert_eq!(response.client_time.0, number("client_time"), "{name}");
    assert_eq!(u64::from(response.count), number("count"), "{name}");
    assert_eq!(u64::from(response.activation_interval_min), number("activation_interval_min"), "{name}");
    assert_eq!(u64::from(response.renewal_interval_min), number("renewal_interval_min"), "{name}");
    assert_eq!(fields.as_object().unwrap().len(), 9, "{name}: a recorded field is not looked at");
}

fn check_v4_answer(name: &str, call: &Call, body: &[u8], found: [u8; 16]) {
    assert_eq!(found, array(&call.response["mac"]), "{name}");
    assert_eq!((found, &call.response["mac_ok"]), (mac::v4(body), &Value::Bool(true)), "{name}");
    assert_eq!(call.response["extra"], "", "{name}");
    let response = ActivationResponse::decode(body).unwrap();
    check_response_fields(name, &response, &call.response["fields"]);
    assert_eq!(response.encode(), body, "{name}");
    check_v4_sealed_again(name, &response.encode(), call.response_payload());
}

fn check_sealed_answer(name: &str, call: &Call, iv: [u8; 16], ciphertext: &[u8]) {
    let (recorded, sealing) = (&call.response, sealing(&call.response).unwrap());
    let request_iv = call.request_iv();
    assert_eq!(iv, array(&recorded["iv_wire"]), "{name}");
    let mut plaintext = Vec::new();
    let iv_decrypted = envelope::open(sealing, &iv, ciphertext, &mut plaintext).unwrap();
    assert_eq!(iv_decrypted, array(&recorded["iv_decrypted"]), "{name}");
    assert_eq!(plaintext, bytes(&recorded["plaintext"]), "{name}");
    let mut r = Reader::new(Layer::KmsResponse, &plaintext);
    let response = ActivationResponse::read(&mut r).unwrap();
    check_response_fields(name, &response, &recorded["fields"]);
    let version = response.version;
    let found = Proof::read(&mut r, version).unwrap();
    let hmac_at = r.offset() - 16;
    assert_eq!(pkcs7_padding(&mut r).unwrap() as u64, recorded["pad"].as_u64().unwrap(), "{name}");
    let listing = dump::response_plaintext(&plaintext, version);
    check_listing(&listing);
    assert_eq!(listing.issues, [], "{name}: {listing}");

    assert_eq!(found.random_xor_salt, array(&recorded["random_xor_iv"]), "{name}");
    assert_eq!(found.random_hash, array(&recorded["sha256_of_random"]), "{name}");
    let salt = sealing.decrypt_iv(&request_iv);
    let random = proof::salted_random(&found.random_xor_salt, &salt);
    assert_eq!(random, array(&recorded["random"]), "{name}");
    assert_eq!((proof::sha256(&random), &recorded["hash_ok"]), (found.random_hash, &Value::Bool(true)), "{name}");
    check_sealed_again(name, sealing, &plaintext, call.response_payload());
    let again = match found.v6 {
        None => {
            assert_eq!((iv == request_iv, &recorded["iv_equals_request_iv"]), (true, &Value::Bool(true)), "{name}");
            written(|out| envelope::seal_response_v5(&response.encode(), &SealV5 { request_iv, random }, out))
        }
        Some(v6) => {
            assert_eq!(v6.hwid, array(&recorded["hwid"]), "{name}");
            assert_eq!(v6.xored_ivs, array(&recorded["xored_ivs"]), "{name}");
            assert_eq!((v6.xored_ivs, &recorded["xored_ivs_ok"]), (salt, &Value::Bool(true)), "{name}");
            assert_eq!(v6.hmac, array(&recorded["hmac16"]), "{name}");
            assert_eq!(recorded["hmac_ok_with_slot"], 0, "{name}");
            let client_time = response.client_time.0;
            assert_eq!(call.request["fields"]["client_time"], client_time, "{name}");
            let slot = proof::time_slot(client_time);
            assert_eq!(proof::accepted_slots(client_time)[0], slot, "{name}");
            assert_eq!(proof::hmac_key(slot), array(&recorded["hmac_key"]), "{name}");
            // The HMAC is the last thing before the padding.
            assert_eq!(hmac_at + 16, plaintext.len() - recorded["pad"].as_u64().unwrap() as usize, "{name}");
            assert_eq!(proof::hmac(slot, &iv_decrypted, &plaintext[..hmac_at]), v6.hmac, "{name}");
            assert_ne!(iv, request_iv, "{name}");
            let with = SealV6 { request_iv, iv, random, hwid: v6.hwid, client_time };
            written(|out| envelope::seal_response_v6(&response.encode(), &with, out))
        }
    };
    assert_eq!(again, call.response_payload(), "{name}");
}

/// Three codes, and which of the answer's proofs held.
fn check_outcome(name: &str, call: &Call, ask: &Ask, answer: &Answer) {
    let outcome = Outcome::conclude(answer, ask.request().n_policy);
    assert_eq!(answer.wire, Some(call.return_code), "{name}");
    assert_eq!(outcome.wire, Some(call.return_code), "{name}");
    let done = |check| answer.checks.done.has(check);
    if call.response == Value::Null {
        assert_eq!(outcome.verdict, Verdict::Refused(call.return_code), "{name}");
        let shown = if call.return_code == Hresult::INVALID_TIMESTAMP {
            Hresult::BINDING_SERVICE_UNAVAILABLE
        } else {
            call.return_code
        };
        assert_eq!((outcome.shown, answer.response.is_none()), (shown, true), "{name}");
        return;
    }
    let count = call.response["fields"]["count"].as_u64().unwrap() as u32;
    let verdict = match count < ask.request().n_policy {
        true => Verdict::Refused(Hresult::NOT_ENOUGH_COUNT),
        false => Verdict::Activated,
    };
    assert_eq!(outcome.verdict, verdict, "{name}");
    let [v4, v5, v6] = [4, 5, 6].map(|version| call.response["version"] == version);
    assert_eq!([done(CheckId::V4Mac), done(CheckId::V5Iv), done(CheckId::V6Hmac)], [v4, v5, v6], "{name}");
    assert_eq!([done(CheckId::RandomHash), done(CheckId::Padding)], [!v4; 2], "{name}");
    assert_eq!(answer.hmac_slot, v6.then_some(0), "{name}");
    assert_eq!(answer.hwid, v6.then(|| array(&call.response["hwid"])), "{name}");
    assert_eq!(answer.random, (!v4).then(|| array(&call.response["random"])), "{name}");
    assert_eq!(answer.iv, (!v4).then(|| array(&call.response["iv_wire"])), "{name}");
}

fn all_calls() -> Vec<(&'static str, Call)> {
    let all = exchanges().into_iter().flat_map(|Exchange { name, calls, .. }| {
        let name: &'static str = name.leak();
        calls.into_iter().map(move |call| (name, call))
    });
    all.collect()
}

fn any_ask(major: u16) -> Ask {
    let exchange = vectors::named("v6-ndr32-ok");
    let mut request = exchange.calls[0].activation_request().unwrap();
    request.version.major = major;
    Ask::new(request, [0; 16])
}

fn sealing(decoded: &Value) -> Option<Sealing> {
    match decoded["version"].as_u64() {
        Some(5) => Some(Sealing::V5),
        Some(6) => Some(Sealing::V6),
        _ => None,
    }
}

/// What a function appends, the bytes before it being left alone.
fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = vec![0xEE; 3];
    write(&mut out);
    assert_eq!(out[..3], [0xEE; 3]);
    out.split_off(3)
}

/// Counts a message under its version: 4, 5, 6 or 7.
fn count(seen: &mut [u32; 4], message: &Value) {
    seen[message["version"].as_u64().unwrap() as usize - 4] += 1;
}

/// V4 wraps both directions alike.
fn check_v4_sealed_again(name: &str, body: &[u8], payload: &[u8]) {
    assert_eq!(written(|out| envelope::seal_request_v4(body, out)), payload, "{name}");
    assert_eq!(written(|out| envelope::seal_response_v4(body, out)), payload, "{name}");
}

/// A plaintext sealed as it is gives the recorded envelope, padding and trailer included.
fn check_sealed_again(name: &str, sealing: Sealing, plaintext: &[u8], payload: &[u8]) {
    let (version, iv) = (*payload.first_chunk().unwrap(), payload[4..20].try_into().unwrap());
    let again = written(|out| envelope::seal_plaintext(sealing, version, &iv, plaintext, out).unwrap());
    assert_eq!(again, payload, "{name}");
}
