//! Every single bit of what a host sends, flipped: which checks notice, and
//! which flips nothing notices, with the reason why that is right.
//!
//! The lists of what goes unnoticed are exact: a flip that begins to be noticed
//! fails these tests as one that ceases to be.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use kmsproof::proto::verify::{CheckId, CheckSet, Level};
use kmsproof::proto::{Answer, Ask, Association, Outcome, Verdict};
use kmsproof::wire::kms::{Envelope, ProtocolVersion};
use kmsproof::wire::ndr::ResponseStub;
use kmsproof::wire::rpc::{Body, Pdu, PduView, Response};
use kmsproof::wire::{FileTime, Hresult, dump};
use support::drive::{self, START, Seen, drain};
use support::vectors::{self, Call, Exchange};

/// Bits of a field whose flips nothing notices.
struct Unnoticed {
    field: &'static str,
    /// One mask a byte of the field.
    bits: &'static [u8],
    reason: &'static str,
}

const HINT: &str = "a hint: any number but 0 and not more than the stub is legal";
const REFERENT: &str = "a pointer's referent id: any number but 0 is legal";
const GROUP: &str = "the host's own number: any but 0 is legal (an alter_context_resp must repeat it)";
const PAD: &str = "alignment: Windows hosts are known to leave old memory there, so it is not judged";
const FEATURES: &str = "a host may grant fewer features than were asked, or refuse their negotiation";
const REASON: &str = "the reason of a rejection: 3, a local limit, is one as well";
const CODE: &str = "any code but 0 is a refusal: what it says is the answer, and is compared as such";

const REFERENT_32: Unnoticed = Unnoticed { field: "ndr32.referent", bits: &[0xff, 0xff, 0xfd, 0xff], reason: REFERENT };
const REFERENT_64: Unnoticed =
    Unnoticed { field: "ndr64.referent", bits: &[0xff, 0xff, 0xfd, 0xff, 0xff, 0xff, 0xff, 0xff], reason: REFERENT };

const fn hint(bits: &'static [u8]) -> Unnoticed {
    Unnoticed { field: "rpc.alloc_hint", bits, reason: HINT }
}

#[test]
fn every_flip_of_a_v4_answer_over_ndr32_is_noticed() {
    answer("v4-ndr32+ndr64-ok", 0, &[hint(&[0xb0, 0, 0, 0]), REFERENT_32]);
}

#[test]
fn every_flip_of_a_v4_answer_over_ndr64_is_noticed() {
    answer("v4-ndr32+ndr64-ok", 1, &[hint(&[0xbc, 0, 0, 0]), REFERENT_64]);
}

#[test]
fn every_flip_of_a_v5_answer_over_ndr32_is_noticed() {
    answer("v5-ndr32+ndr64-ok", 0, &[hint(&[0xf4, 0, 0, 0]), REFERENT_32]);
}

#[test]
fn every_flip_of_a_v5_answer_over_ndr64_is_noticed() {
    answer("v5-ndr32+ndr64-ok", 1, &[REFERENT_64]);
}

#[test]
fn every_flip_of_a_v6_answer_over_ndr32_is_noticed() {
    answer("v6-ndr32+ndr64-ok", 0, &[hint(&[0x14, 1, 0, 0]), REFERENT_32]);
}

#[test]
fn every_flip_of_a_v6_answer_over_ndr64_is_noticed() {
    answer("v6-ndr32+ndr64-ok", 1, &[hint(&[0x20, 1, 0, 0]), REFERENT_64]);
}

const CODE_32: Unnoticed = Unnoticed { field: "ndr32.return code", bits: &[0xff; 4], reason: CODE };

#[test]
fn every_flip_of_a_v4_refusal_over_ndr32_is_noticed() {
    answer("v4-ndr32-0xc004f042", 0, &[hint(&[0x0c, 0, 0, 0]), CODE_32]);
}

#[test]
fn every_flip_of_a_v5_refusal_over_ndr32_is_noticed() {
    answer("v5-ndr32-0xc004f042", 0, &[hint(&[0x0c, 0, 0, 0]), CODE_32]);
}

#[test]
fn every_flip_of_a_v6_refusal_over_ndr32_is_noticed() {
    answer("v6-ndr32-0xc004f042", 0, &[hint(&[0x0c, 0, 0, 0]), CODE_32]);
}

/// None is recorded: the one over NDR32 stands in for it, written over NDR64 where a second call was granted.
#[test]
fn every_flip_of_a_v6_refusal_over_ndr64_is_noticed() {
    let mut exchange = vectors::named("v6-ndr32+ndr64-ok");
    let refused = &vectors::named("v6-ndr32-0xc004f042").calls[0];
    let call = &mut exchange.calls[1];
    let mut stub = Vec::new();
    ResponseStub::Refusal { code: refused.return_code }.write(call.syntax, &mut stub);
    let granted = PduView(&call.response_pdu);
    let (call_id, context_id) = (granted.call_id().unwrap(), granted.context_id().unwrap());
    let response = Response { alloc_hint: stub.len() as u32, context_id, cancel_count: 0, stub: &stub };
    call.response_pdu = Pdu::whole(call_id, Body::Response(response)).encode().unwrap();
    call.response = serde_json::Value::Null;
    let code = Unnoticed { field: "ndr64.return code", ..CODE_32 };
    answer_of(&exchange, 1, &[hint(&[0x14, 0, 0, 0]), code]);
}

#[test]
fn every_flip_of_a_bind_ack_with_ndr64_is_noticed() {
    let unnoticed = [
        Unnoticed { field: "rpc.result[0].reason", bits: &[1, 0], reason: REASON },
        Unnoticed { field: "rpc.result[2].result", bits: &[1, 0], reason: FEATURES },
        Unnoticed { field: "rpc.result[2].reason", bits: &[3, 0], reason: FEATURES },
    ];
    step("bind_ack with ndr64", "v6-ndr32+ndr64-ok", 0, &unnoticed);
}

#[test]
fn every_flip_of_a_bind_ack_with_ndr32_alone_is_noticed() {
    let group = Unnoticed { field: "rpc.assoc_group_id", bits: &[0xff; 4], reason: GROUP };
    step("bind_ack with ndr32 alone", "v6-ndr32-ok", 0, &[group]);
}

#[test]
fn every_flip_of_an_alter_context_resp_is_noticed() {
    let pad = Unnoticed { field: "rpc.pad", bits: &[0xff; 2], reason: PAD };
    step("alter_context_resp", "v6-ndr32+ndr64-ok", 1, &[pad]);
}

fn answer(name: &str, index: usize, unnoticed: &[Unnoticed]) {
    answer_of(&vectors::named(name), index, unnoticed);
}

fn answer_of(exchange: &Exchange, index: usize, unnoticed: &[Unnoticed]) {
    let call = &exchange.calls[index];
    let mut regions = Regions::default();
    regions.add(&dump::pdu(&call.response_pdu, Some(call.syntax)), 0);
    name_the_inside(call, &mut regions);
    let kind = if call.response.is_null() { "refusal" } else { "answer" };
    let title = format!("{kind} v{} {}", call.request["version"], call.syntax).to_lowercase();
    check(&title, &call.response_pdu, &regions, unnoticed, |flipped| flipped_answer(exchange, index, flipped));
}

fn step(title: &str, name: &str, index: usize, unnoticed: &[Unnoticed]) {
    let exchange = &vectors::named(name);
    let recorded = &exchange.binding_answers().nth(index).unwrap().bytes;
    let mut regions = Regions::default();
    regions.add(&dump::pdu(recorded, None), 0);
    check(title, recorded, &regions, unnoticed, |flipped| flipped_step(exchange, index, flipped));
}

/// Flips every bit, holds what is not noticed against the list, and keeps the table as a snapshot.
fn check(title: &str, frame: &[u8], regions: &Regions, unnoticed: &[Unnoticed], run: impl Fn(&[u8]) -> Noticed) {
    let recorded = run(frame);
    assert!(recorded.failed.is_empty(), "{title}: the answer as recorded fails {:?}", recorded.failed);
    let mut rows: Vec<Row> = Vec::new();
    let mut silent: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut flipped = frame.to_vec();
    for (at, (name, offset, len)) in regions.0.iter().enumerate() {
        if rows.last().is_none_or(|row| row.name != *name || row.at + row.len <= at) {
            rows.push(Row { name: name.clone(), at, len: *len, ..Row::default() });
        }
        let row = rows.last_mut().unwrap();
        for bit in 0..8 {
            flipped[at] ^= 1 << bit;
            let noticed = run(&flipped);
            flipped[at] ^= 1 << bit;
            row.same += usize::from(noticed.verdict == recorded.verdict);
            let noticed = noticed.failed;
            match noticed.iter().map(|check| check.check().level).min() {
                None => {
                    row.unnoticed += 1;
                    silent.entry(name.clone()).or_insert_with(|| vec![0; *len])[at - offset] |= 1 << bit;
                }
                Some(Level::Must) => row.must += 1,
                Some(Level::Should) => row.should += 1,
                Some(Level::May) => row.may += 1,
            }
            row.checks.extend(noticed.iter());
        }
    }
    let due: BTreeMap<String, Vec<u8>> =
        unnoticed.iter().map(|entry| (entry.field.to_owned(), entry.bits.to_vec())).collect();
    assert!(unnoticed.iter().all(|entry| !entry.reason.is_empty()));
    insta::assert_snapshot!(title.replace(' ', "-"), table(title, &rows, unnoticed));
    assert_eq!(silent, due, "{title}: flips nothing notices, found (left) and listed (right)");
}

/// What came of one flip.
struct Noticed {
    failed: CheckSet,
    /// What a Windows client concludes; none after a bind that leaves it to the call.
    verdict: Option<Verdict>,
}

/// What a client makes of the answer to one call, everything before it as recorded.
fn flipped_answer(exchange: &Exchange, index: usize, frame: &[u8]) -> Noticed {
    let (mut client, mut seen) = begun(exchange);
    for answer in exchange.binding_answers() {
        client.handle_bytes(START, &answer.bytes);
    }
    for call in &exchange.calls[..index] {
        client.call(START, call.request_payload()).unwrap();
        client.handle_bytes(START, &call.response_pdu);
    }
    drain(&mut client, &mut seen);
    seen.replies.clear();
    let call = &exchange.calls[index];
    let ask = Ask::new(call.activation_request().unwrap(), call.request_iv());
    client.call(START, ask.payload()).unwrap();
    client.handle_bytes(START, frame);
    client.handle_timeout(START + Duration::from_secs(60));
    drain(&mut client, &mut seen);

    let mut failed = CheckSet::default();
    let mut answers = Vec::new();
    answers.extend(seen.replies.iter().map(|reply| ask.judge(reply, FileTime::RECORDED_AT)));
    answers.extend(seen.failed.map(|(failure, checks)| Answer::failed(failure, checks)));
    for answer in &answers {
        assert!(answer.failure.is_none() || !answer.checks.failed.is_empty(), "a failure that names no check");
        for check in answer.checks.failed.iter() {
            failed.insert(check);
        }
    }
    // What the call came to is the first thing that came of it.
    let first = answers.first().expect("neither a reply nor a failure");
    Noticed { failed, verdict: Some(Outcome::conclude(first, ask.request().n_policy).verdict) }
}

/// What a client makes of one answer to its bind and alter_context, the others as recorded.
fn flipped_step(exchange: &Exchange, index: usize, frame: &[u8]) -> Noticed {
    let (mut client, mut seen) = begun(exchange);
    for (at, answer) in exchange.binding_answers().enumerate() {
        client.handle_bytes(START, if at == index { frame } else { &answer.bytes });
    }
    client.handle_timeout(START + Duration::from_secs(60));
    drain(&mut client, &mut seen);
    let mut failed = CheckSet::default();
    let of_failure = seen.failed.map(|(failure, checks)| Answer::failed(failure, checks).checks);
    assert!(seen.bound.is_some() || of_failure.is_some());
    // Bound, there is a call to make: what it would come to is the call's affair.
    let verdict =
        if seen.bound.is_some() { None } else { Some(Verdict::Refused(Hresult::BINDING_SERVICE_UNAVAILABLE)) };
    for checks in seen.bound.map(|bound| bound.checks).into_iter().chain(of_failure) {
        for check in checks.failed.iter() {
            failed.insert(check);
        }
    }
    Noticed { failed, verdict }
}

fn begun(exchange: &Exchange) -> (Association, Seen) {
    // The recorded offer before a refusal is none of ours, so its bind_ack does not fit: only the
    // checks of the flipped PDU count here.
    let mut client = Association::new(drive::config(drive::offer_of(exchange.pdus[0].bytes[24])));
    client.begin(START);
    (client, Seen::default())
}

/// The name of the field each byte belongs to, where that begins and how long it is.
#[derive(Default)]
struct Regions(Vec<(String, usize, usize)>);

impl Regions {
    fn add(&mut self, listing: &dump::Listing, base: usize) {
        for field in &listing.fields {
            let name = format!("{}.{}", field.layer.name().replace(' ', "-"), field.name);
            let region = (name, base + field.offset, field.len);
            let end = region.1 + field.len;
            self.0.resize(self.0.len().max(end), (String::new(), 0, 0));
            self.0[region.1..end].fill(region);
        }
    }
}

/// Gives the bytes of a ciphertext the names of the plaintext fields that stand over them.
fn name_the_inside(call: &Call, regions: &mut Regions) {
    let Ok(Envelope::Sealed { ciphertext, .. }) = Envelope::decode(call.response_payload()) else { return };
    let plaintext = vectors::bytes(&call.response["plaintext"]);
    let version = ProtocolVersion::ALL[call.response["version"].as_u64().unwrap() as usize - 4];
    let at = ciphertext.as_ptr() as usize - call.response_pdu.as_ptr() as usize;
    let mut inside = Regions::default();
    inside.add(&dump::response_plaintext(&plaintext, version), 0);
    for (name, offset, _) in &mut inside.0 {
        *name = format!("({name})");
        *offset += at;
    }
    regions.0[at..at + inside.0.len()].clone_from_slice(&inside.0);
}

#[derive(Default)]
struct Row {
    name: String,
    at: usize,
    len: usize,
    must: usize,
    should: usize,
    may: usize,
    unnoticed: usize,
    /// Flips after which a Windows client concludes what it would have without.
    same: usize,
    checks: BTreeSet<CheckId>,
}

fn table(title: &str, rows: &[Row], unnoticed: &[Unnoticed]) -> String {
    let mut out = format!(
        "{title}\nbits by the strictest check that notices a flip; same: a Windows client concludes the same as without the flip;\n(fields) stand in the ciphertext\n\n"
    );
    let _ =
        writeln!(out, "{:<42}{:>6}{:>8}{:>6}{:>6}{:>6}  noticed by", "field", "must", "should", "may", "none", "same");
    for row in rows {
        let checks: Vec<_> = row.checks.iter().map(|check| check.to_string()).collect();
        let Row { name, must, should, may, unnoticed, same, .. } = row;
        let _ = writeln!(
            out,
            "{name:<42}{must:>6}{should:>8}{may:>6}{unnoticed:>6}{same:>6}  {}",
            checks.join(" ").trim_end()
        );
    }
    for entry in unnoticed {
        let bits: u32 = entry.bits.iter().map(|byte| byte.count_ones()).sum();
        let _ = writeln!(out, "\n{bits} bits of {}: {}", entry.field, entry.reason);
    }
    out.trim_end().to_owned()
}
