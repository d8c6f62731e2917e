//! Every check of the catalogue, made to fail: an honest conversation, one thing changed in it,
//! and exactly the checks that have to notice.

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use CheckId::*;
use kmsproof::crypto::{SealV5, SealV6, Sealing, envelope, mac, proof};
use kmsproof::proto::verify::{self, CheckId, CheckSet, Checks, History};
use kmsproof::proto::{Answer, Ask, Association, AssociationConfig, FailureKind, HostAssociation, HostConfig, Offer};
use kmsproof::wire::kms::{
    ActivationRequest, ActivationResponse, EpidText, LicenseStatus, Proof, ProofV6, ProtocolVersion, WorkstationName,
};
use kmsproof::wire::ndr::{REFERENT, ResponseStub, payload_offset};
use kmsproof::wire::rpc::{
    Auth, BindAck, BindNak, Body, CALL_HEADER_LEN, Fault, FaultStatus, Flags, Pdu, PduView, RejectReason, Response,
    ResultCode, SyntaxId, TransferSyntax,
};
use kmsproof::wire::{FileTime, Guid, Hresult};
use support::drive::{self, RECORDED_PORT, START, Seen, drain};

/// Something changed, and which checks notice.
struct Row {
    what: String,
    failed: CheckSet,
    due: &'static [CheckId],
}

fn row(what: impl Into<String>, failed: CheckSet, due: &'static [CheckId]) -> Row {
    Row { what: what.into(), failed, due }
}

#[track_caller]
fn assert_rows(rows: &[Row]) {
    let mut wrong = String::new();
    for Row { what, failed, due } in rows {
        let failed: BTreeSet<_> = failed.iter().map(|check| check.to_string()).collect();
        let due: BTreeSet<_> = due.iter().map(|check| check.to_string()).collect();
        if failed != due {
            wrong += &format!("{what}\n  failed {failed:?}\n  due    {due:?}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_check_without_a_row_here_might_never_fail() {
    let mut untouched: BTreeSet<_> = CheckId::ALL.iter().copied().collect();
    let groups =
        [openings(), alterations(), pdus(), lengths(), faults(), stubs(), envelopes(), bodies(), proofs(), pasts()];
    for row in groups.into_iter().flatten() {
        for check in row.due {
            untouched.remove(check);
        }
    }
    let untouched: Vec<_> = untouched.iter().map(|check| check.to_string()).collect();
    assert!(untouched.is_empty(), "nothing here makes these fail: {untouched:?}");
}

#[test]
fn what_is_wrong_with_a_bind_is_found() {
    assert_rows(&openings());
}

#[test]
fn what_is_wrong_with_an_alter_context_is_found() {
    assert_rows(&alterations());
}

#[test]
fn what_is_wrong_with_the_pdus_of_an_answer_is_found() {
    assert_rows(&pdus());
}

#[test]
fn what_is_wrong_with_how_long_a_pdu_is_is_found() {
    assert_rows(&lengths());
}

#[test]
fn what_is_wrong_with_a_fault_is_found() {
    assert_rows(&faults());
}

#[test]
fn what_is_wrong_with_a_stub_is_found() {
    assert_rows(&stubs());
}

#[test]
fn what_is_wrong_with_an_envelope_is_found() {
    assert_rows(&envelopes());
}

#[test]
fn what_is_wrong_with_a_body_sealed_anew_is_found() {
    assert_rows(&bodies());
}

#[test]
fn what_is_wrong_with_a_proof_is_found() {
    assert_rows(&proofs());
}

#[test]
fn what_is_wrong_with_what_came_before_is_found() {
    assert_rows(&pasts());
}

#[test]
fn a_finding_points_at_the_first_byte_that_was_changed() {
    for version in ProtocolVersion::ALL {
        let changes: [(CheckId, Change); 5] = [
            (EpidForm, |forged| epid(forged, &EPID.replacen('0', "x", 1))),
            (Cmid, |forged| forged.response.cmid = Guid::from_u128(2 << 96)),
            (ClientTime, |forged| forged.response.client_time.0 += 1),
            (Count, |forged| forged.response.count = 0),
            (Intervals, |forged| forged.response.activation_interval_min = 1),
        ];
        for (check, change) in changes {
            assert_place(version, check, change);
        }
    }
    // No MAC begins with this.
    assert_place(ProtocolVersion::V4, Length, |forged| forged.more = vec![0xee; 16]);
    assert_place(ProtocolVersion::V4, V4Mac, |forged| forged.mac = |mac| mac[0] ^= 1);
    assert_place(ProtocolVersion::V5, V5Iv, |forged| forged.iv[0] ^= 1);
    assert_place(ProtocolVersion::V6, V6Iv, |forged| forged.iv = REQUEST_IV);
    for version in [ProtocolVersion::V5, ProtocolVersion::V6] {
        assert_place(version, Length, |forged| forged.padding = |plaintext| plaintext.extend([16; 16]));
        assert_place(version, RandomHash, |forged| forged.proof = |proof| proof.random_hash[0] ^= 1);
        assert_place(version, Padding, |forged| forged.padding = |plaintext| zero_the_padding(plaintext));
    }
    assert_place(ProtocolVersion::V6, V6XoredIvs, |forged| forged.proof = |proof| v6_of(proof).xored_ivs[0] ^= 1);
    assert_place(ProtocolVersion::V6, V6Hmac, |forged| forged.proof = |proof| v6_of(proof).hmac[0] = 1);
    for syntax in TransferSyntax::ALL {
        assert_place_in_stub(syntax, NdrTrailing, |stub| stub.extend([1; 4]));
        assert_place_in_stub(syntax, NdrReturnCode, |stub| {
            let code = stub.len() - 4;
            stub[code] = 1;
        });
        // The trailing bytes do not move the return code.
        assert_place_in_stub(syntax, NdrReturnCode, |stub| {
            let code = stub.len() - 4;
            stub[code] = 1;
            stub.extend([1; 8]);
        });
    }
    assert_place_in_stub(TransferSyntax::Ndr64, NdrPadding, |stub| stub[4] = 1);
}

#[test]
fn the_slot_value_of_an_hmac_is_told() {
    let slot = |change: fn(&mut Forged)| {
        let ask = ask(ProtocolVersion::V6);
        let mut forged = Forged::honest(&ask, 1);
        change(&mut forged);
        trusted(&ask, &forged).hmac_slot
    };
    assert_eq!(slot(|_| {}), Some(0));
    assert_eq!(slot(|forged| forged.slot -= proof::SLOT_STEP), Some(-1));
    assert_eq!(slot(|forged| forged.slot += proof::SLOT_STEP), Some(1));
    assert_eq!(slot(|forged| forged.slot += 1), None);
}

#[test]
fn a_finding_says_what_was_there() {
    let answer = heard(&ask(ProtocolVersion::V6), TransferSyntax::Ndr32, |pdu| {
        let mut bytes = encoded(&with_stub(pdu, &[0; 16]));
        bytes[22..24].copy_from_slice(&[0x1a, 2]);
        bytes
    });
    let finding = answer.checks.findings.iter().find(|finding| finding.check == ResponseCancelCount).unwrap();
    assert_eq!((finding.expected.as_str(), finding.got.as_str()), ("00 00", "1a 02"));
}

/// Holds the place of a finding against the first byte that differs from an honest answer's: in the
/// plaintext what stands there, in the PDU everything else.
#[track_caller]
fn assert_place(version: ProtocolVersion, check: CheckId, change: fn(&mut Forged)) {
    let ask = ask(version);
    let honest = Forged::honest(&ask, 1);
    let mut forged = Forged::honest(&ask, 1);
    change(&mut forged);
    for syntax in TransferSyntax::ALL {
        let [honest, forged] = [&honest, &forged].map(|forged| {
            let payload = forged.sealed(&ask);
            let stub = stub_of(syntax, &payload);
            (heard(&ask, syntax, |pdu| encoded(&with_stub(pdu, &stub))), payload)
        });
        let in_envelope = version == ProtocolVersion::V4 || matches!(check, V5Iv | V6Iv);
        let due = match in_envelope {
            true => CALL_HEADER_LEN + payload_offset(syntax) + first_difference(&honest.1, &forged.1),
            false => first_difference(&honest.0.plaintext, &forged.0.plaintext),
        };
        let found = forged.0.checks.findings.iter().find(|finding| finding.check == check);
        let found = found.and_then(|finding| finding.place).map(|place| place.offset);
        assert_eq!(found, Some(due), "{check} of V{} over {syntax}", version.major);
    }
}

#[track_caller]
fn assert_place_in_stub(syntax: TransferSyntax, check: CheckId, change: fn(&mut Vec<u8>)) {
    let ask = ask(ProtocolVersion::V6);
    let honest = stub_of(syntax, &Forged::honest(&ask, 1).sealed(&ask));
    let mut changed = honest.clone();
    change(&mut changed);
    let answer = heard(&ask, syntax, |pdu| encoded(&with_stub(pdu, &changed)));
    let found = answer.checks.findings.iter().find(|finding| finding.check == check);
    let found = found.and_then(|finding| finding.place).map(|place| place.offset);
    assert_eq!(found, Some(CALL_HEADER_LEN + first_difference(&honest, &changed)), "{check} over {syntax}");
}

fn first_difference(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).position(|(one, other)| one != other).unwrap_or(one.len().min(other.len()))
}

#[test]
fn what_nobody_changed_is_sealed_as_an_honest_host_seals_it() {
    for version in ProtocolVersion::ALL {
        let ask = ask(version);
        let honest = Forged::honest(&ask, 1);
        let (body, request_iv, random) = (honest.response.encode(), *ask.iv(), honest.random);
        let mut out = Vec::new();
        match version.major {
            4 => envelope::seal_response_v4(&body, &mut out),
            5 => envelope::seal_response_v5(&body, &SealV5 { request_iv, random }, &mut out),
            _ => {
                let client_time = ask.request().client_time.0;
                let with = SealV6 { request_iv, iv: honest.iv, random, hwid: HWID, client_time };
                envelope::seal_response_v6(&body, &with, &mut out);
            }
        }
        assert_eq!(honest.sealed(&ask), out, "{version}");
    }
}

fn openings() -> Vec<Row> {
    let only_ndr32 = |change| bound(Offer::Only(TransferSyntax::Ndr32), Some(RECORDED_PORT), Step::Bind, change);
    let unknown_port = |change| bound(Offer::Windows, None, Step::Bind, change);
    vec![
        row("nothing", bind(|_| {}), &[]),
        row("no answer", bytes_of_bind(Vec::clear), &[Answered]),
        row("half an answer", bytes_of_bind(|bytes| bytes.truncate(30)), &[Answered]),
        row("version 4.0", bytes_of_bind(|bytes| bytes[0] = 4), &[HeaderVersion, WellFormed]),
        row("version 5.1", bytes_of_bind(|bytes| bytes[1] = 1), &[HeaderVersion, WellFormed]),
        row("drep of EBCDIC", bytes_of_bind(|bytes| bytes[4] = 0x11), &[HeaderDrep, WellFormed]),
        row("an authentication trailer", bind(|ack| ack.auth = Some(TRAILER)), &[HeaderAuthLength]),
        row("another call", bind(|ack| ack.call_id += 1), &[HeaderCallId]),
        row("without conc_mpx", bind(|ack| ack.flags = Flags::WHOLE), &[HeaderFlags]),
        row("with a cancel pending", bind(|ack| ack.flags.0 |= 4), &[HeaderFlags]),
        row("bytes after the results", bytes_of_bind(|bytes| longer(bytes, &[0; 4])), &[WellFormed]),
        // Whoever asked for conc_mpx may be told so in an alter_context_resp as well.
        row("an alter_context_resp", bytes_of_bind(|bytes| bytes[2] = 15), &[ExpectedKind]),
        row("a fault", bind(|ack| ack.body = fault(FaultStatus::ACCESS_DENIED)), &[HeaderFlags, ExpectedKind]),
        row(
            "a fault in order",
            bind(|ack| *ack = Pdu::whole(ack.call_id, fault(FaultStatus::ACCESS_DENIED))),
            &[ExpectedKind],
        ),
        row(
            "a fault of status 0",
            bind(|ack| *ack = Pdu::whole(ack.call_id, fault(FaultStatus(0)))),
            &[ExpectedKind, FaultForm],
        ),
        row("a bind_nak", bind(|ack| *ack = Pdu::whole(ack.call_id, nak())), &[BindAccepted]),
        row("NDR32 refused", only_ndr32(&ack(|ack| refuse(ack, 0, 2))), &[BindAccepted]),
        row("NDR64 refused alone", bound_to_ndr64(&ack(|ack| refuse(ack, 0, 2))), &[]),
        row("NDR64 refused for the interface", bound_to_ndr64(&ack(|ack| refuse(ack, 0, 1))), &[BindAccepted]),
        row("all refused", bind_ack(|ack| refuse(ack, 1, 2)), &[BindAccepted]),
        row("a result too few", bind_ack(|ack| ack.results.truncate(2)), &[BindResultCount]),
        row("a result too many", bind_ack(|ack| ack.results.push(ack.results[0])), &[BindResultCount]),
        row("no result", bind_ack(|ack| ack.results.clear()), &[BindResultCount, BindAccepted]),
        row("a syntax not offered", bind_ack(|ack| ack.results[1].syntax = SyntaxId::NDR32), &[BindResults]),
        row("accepted with a reason", bind_ack(|ack| ack.results[1].reason = 1), &[BindResults]),
        row("rejected without a reason", bind_ack(|ack| ack.results[0].reason = 0), &[BindResults]),
        row("rejected for reason 4", bind_ack(|ack| ack.results[0].reason = 4), &[BindResults]),
        row("rejected for reason 3", bind_ack(|ack| ack.results[0].reason = 3), &[]),
        row("rejected with a syntax", bind_ack(|ack| ack.results[0].syntax = SyntaxId::NDR32), &[BindResults]),
        row("result 1, user rejection", bind_ack(|ack| ack.results[0].result = ResultCode(1)), &[BindResults]),
        row("features for NDR32", bind_ack(|ack| ack.results[0].result = ResultCode::NEGOTIATE_ACK), &[BindResults]),
        row("features accepted", bind_ack(|ack| ack.results[2] = ack.results[1]), &[BindResults, BindOneSyntax]),
        row("NDR32 as well", bind_ack(|ack| accept(ack, 0, SyntaxId::NDR32)), &[BindOneSyntax]),
        row("a feature not asked for", bind_ack(|ack| ack.results[2].reason = 7), &[BindFeatures]),
        row("one feature", bind_ack(|ack| ack.results[2].reason = 1), &[]),
        row("features with a syntax", bind_ack(|ack| ack.results[2].syntax = SyntaxId::NDR32), &[BindFeatures]),
        row("another port", bind_ack(|ack| ack.secondary_address = b"1688\0".to_vec()), &[BindSecondaryAddress]),
        row("a port without its NUL", bind_ack(|ack| _ = ack.secondary_address.pop()), &[BindSecondaryAddress]),
        row("no port", bind_ack(|ack| ack.secondary_address.clear()), &[BindSecondaryAddress]),
        row("another port, none known", unknown_port(&ack(|ack| ack.secondary_address = b"1688\0".to_vec())), &[]),
        row(
            "a pipe, no port known",
            unknown_port(&ack(|ack| ack.secondary_address = b"\\pipe\\x\0".to_vec())),
            &[BindSecondaryAddress],
        ),
        row("two fragment sizes", bind_ack(|ack| ack.max_xmit_frag = 4280), &[BindFragmentSize]),
        row("fragments of 4280", bind_ack(|ack| sizes(ack, 4280)), &[]),
        row("fragments of 4281", bind_ack(|ack| sizes(ack, 4281)), &[BindFragmentSize]),
        row("fragments of 2048", bind_ack(|ack| sizes(ack, 2048)), &[]),
        row("fragments of 2040", bind_ack(|ack| sizes(ack, 2040)), &[BindFragmentSize]),
        row("fragments of 5848", bind_ack(|ack| sizes(ack, 5848)), &[BindFragmentSize]),
        row("association group 0", bind_ack(|ack| ack.assoc_group = 0), &[BindAssocGroup]),
        row("a reserved byte", bytes_of_bind(|bytes| bytes[RESULTS_AT + 1] = 1), &[BindReserved]),
        row("the last reserved byte", bytes_of_bind(|bytes| bytes[RESULTS_AT + 3] = 1), &[BindReserved]),
        row("old memory in the padding", bind_ack(|ack| ack.pad = [0xff; 3]), &[]),
        row("a second answer", bytes_of_bind(|bytes| bytes.extend_from_within(..)), &[ExpectedKind, HeaderFlags]),
    ]
}

fn alterations() -> Vec<Row> {
    vec![
        row("nothing", alter(|_| {}), &[]),
        row("no answer", bound(Offer::Windows, Some(RECORDED_PORT), Step::Alter, &Vec::clear), &[Answered]),
        row(
            "a bind_ack",
            bound(Offer::Windows, Some(RECORDED_PORT), Step::Alter, &|bytes| bytes[2] = 12),
            &[ExpectedKind],
        ),
        row("an address", alter(|ack| ack.secondary_address = b"16880\0".to_vec()), &[AlterUnchanged]),
        row("another size to send", alter(|ack| ack.max_xmit_frag = 4280), &[AlterUnchanged]),
        row("another size to receive", alter(|ack| ack.max_recv_frag = 4280), &[AlterUnchanged]),
        row("another group", alter(|ack| ack.assoc_group += 1), &[AlterUnchanged]),
        row("a syntax not offered", alter(|ack| ack.results[0].syntax = SyntaxId::NDR64), &[BindResults]),
        row("NDR32 refused", alter(|ack| refuse(ack, 0, 2)), &[]),
        row("no result", alter(|ack| ack.results.clear()), &[BindResultCount]),
        row(
            "a reserved byte",
            bound(Offer::Windows, Some(RECORDED_PORT), Step::Alter, &|bytes| bytes[29] = 1),
            &[BindReserved],
        ),
    ]
}

fn pdus() -> Vec<Row> {
    let response = |change: fn(&mut Response<'_>)| {
        pdu(move |pdu| match &mut pdu.body {
            Body::Response(response) => change(response),
            _ => unreachable!(),
        })
    };
    let fragments = |flags: &'static [u8]| {
        frames(move |pdu| {
            let fragment = |&flags| encoded(&Pdu { flags: Flags(flags), ..pdu.clone() });
            flags.iter().flat_map(fragment).collect()
        })
    };
    vec![
        row("nothing", pdu(|_| {}), &[]),
        row("no answer", frames(|_| Vec::new()), &[Answered]),
        row("half an answer", frames(|pdu| encoded(pdu)[..100].to_vec()), &[Answered]),
        row("something else", frames(|_| b"HTTP/1.1 400".to_vec()), &[HeaderVersion, WellFormed]),
        row("version 5.1", bytes(|bytes| bytes[1] = 1), &[HeaderVersion, WellFormed]),
        row("drep of VAX floats", bytes(|bytes| bytes[5] = 1), &[HeaderDrep, WellFormed]),
        row("a fragment shorter than a header", bytes(|bytes| bytes[8..10].copy_from_slice(&[15, 0])), &[WellFormed]),
        row("an authentication trailer", pdu(|pdu| pdu.auth = Some(TRAILER)), &[HeaderAuthLength]),
        row("another call", pdu(|pdu| pdu.call_id -= 1), &[HeaderCallId]),
        row("with did_not_execute", pdu(|pdu| pdu.flags.0 |= 0x20), &[HeaderFlags]),
        row("a request", bytes(|bytes| bytes[2] = 0), &[ExpectedKind]),
        row("a bind_nak", pdu(|pdu| pdu.body = nak()), &[ExpectedKind]),
        row("no kind there is", bytes(|bytes| bytes[2] = 99), &[WellFormed]),
        row("another context", response(|response| response.context_id += 1), &[ResponseContext]),
        row("a cancel count", response(|response| response.cancel_count = 1), &[ResponseCancelCount]),
        row("a reserved byte", bytes(|bytes| bytes[23] = 1), &[ResponseCancelCount]),
        row("a hint of 0", response(|response| response.alloc_hint = 0), &[ResponseAllocHint]),
        row("a hint of 1", response(|response| response.alloc_hint = 1), &[]),
        row("a hint of more", response(|response| response.alloc_hint += 1), &[ResponseAllocHint]),
        row("a last fragment alone", fragments(&[2]), &[ResponseFragments]),
        row("a first fragment alone", fragments(&[1]), &[Answered]),
        row("two first fragments", fragments(&[1, 1]), &[ResponseFragments]),
        row("two answers at once", fragments(&[3, 3]), &[NothingUnasked]),
    ]
}

/// Of a PDU with all the bytes that came with it: in a stream the next one takes what is too much.
fn lengths() -> Vec<Row> {
    let checked = |change: fn(&mut Vec<u8>)| {
        let mut bytes = encoded(&Pdu::whole(2, fault(FaultStatus::ACCESS_DENIED)));
        change(&mut bytes);
        let mut checks = Checks::default();
        verify::check_frag_length(&mut checks, PduView(&bytes));
        checks.failed
    };
    vec![
        row("nothing", checked(|_| {}), &[]),
        row("a byte too much", checked(|bytes| bytes.push(0)), &[HeaderFragLength]),
        row("a byte too few", checked(|bytes| bytes.truncate(31)), &[HeaderFragLength]),
        row("a length of one more", checked(|bytes| bytes[8] += 1), &[HeaderFragLength]),
        row("a length in the other order", checked(|bytes| bytes[8..10].reverse()), &[HeaderFragLength]),
        row("no length at all", checked(|bytes| bytes.truncate(9)), &[HeaderFragLength]),
    ]
}

fn faults() -> Vec<Row> {
    let faulty = |change: fn(&mut Vec<u8>)| {
        frames(move |response| {
            let mut bytes = encoded(&Pdu::whole(response.call_id, fault(FaultStatus::ACCESS_DENIED)));
            change(&mut bytes);
            bytes
        })
    };
    vec![
        row("in order", faulty(|_| {}), &[NoFault]),
        row("did_not_execute", faulty(|bytes| bytes[3] |= 0x20), &[NoFault]),
        row("conc_mpx", faulty(|bytes| bytes[3] |= 0x10), &[NoFault, HeaderFlags]),
        row("a cancel count", faulty(|bytes| bytes[22] = 1), &[NoFault, ResponseCancelCount]),
        row("status 0", faulty(|bytes| bytes[24..28].fill(0)), &[NoFault, FaultForm]),
        row("reserved bits", faulty(|bytes| bytes[31] = 0x80), &[NoFault, FaultForm]),
        row("a stub", faulty(|bytes| longer(bytes, &[0; 4])), &[NoFault, FaultForm]),
        row("cut short", faulty(|bytes| shorter(bytes, 4)), &[WellFormed]),
    ]
}

fn stubs() -> Vec<Row> {
    let mut rows = Vec::new();
    for syntax in TransferSyntax::ALL {
        for version in ProtocolVersion::ALL {
            let what = |what: &str| format!("V{} over {syntax}: {what}", version.major);
            let stub = |change: fn(&mut Vec<u8>)| stub(version, syntax, change);
            rows.extend([
                row(what("nothing"), stub(|_| {}), &[]),
                row(what("a byte after the return code"), stub(|stub| stub.push(0)), &[NdrTrailing]),
                row(what("four bytes after the return code"), stub(|stub| stub.extend([0; 4])), &[NdrTrailing]),
                row(what("a code with an answer"), stub(|stub| *stub.last_mut().unwrap() = 0xc0), &[NdrReturnCode]),
                row(what("no return code"), stub(|stub| stub.truncate(stub.len() - 4)), &[NdrWellFormed]),
                row(what("another size"), stub(|stub| stub[0] ^= 1), &[NdrWellFormed]),
                row(what("a null pointer"), stub(|stub| stub[6..12].fill(0)), &[NdrWellFormed]),
            ]);
        }
        let what = |what: &str| format!("{syntax}: {what}");
        let refusal = |code: u32, more: &[u8]| {
            let mut stub = Vec::new();
            ResponseStub::Refusal { code: Hresult(code) }.write(syntax, &mut stub);
            stub.extend(more);
            hear(&ask(ProtocolVersion::V6), syntax, |pdu| encoded(&with_stub(pdu, &stub)))
        };
        rows.extend([
            row(what("refused"), refusal(0xc004_f042, &[]), &[]),
            row(what("refused with nothing"), refusal(0, &[]), &[NdrReturnCode]),
            row(what("bytes after a refusal"), refusal(0xc004_f042, &[0; 4]), &[NdrTrailing]),
        ]);
    }
    // With an ePID of an even number of units an answer to V4 is two bytes short of a multiple of four.
    let padded = |syntax| {
        let ask = ask(ProtocolVersion::V4);
        let mut forged = Forged::honest(&ask, 1);
        epid(&mut forged, EVEN_EPID);
        let mut stub = stub_of(syntax, &forged.sealed(&ask));
        let padding = stub.len() - 6;
        [0, 1].map(|at| {
            stub[padding..padding + 2].fill(0);
            stub[padding + at] = 1;
            hear(&ask, syntax, |pdu| encoded(&with_stub(pdu, &stub)))
        })
    };
    for syntax in TransferSyntax::ALL {
        rows.extend(
            padded(syntax).map(|failed| row(format!("{syntax}: something in the padding"), failed, &[NdrPadding])),
        );
    }
    let gap = stub(ProtocolVersion::V6, TransferSyntax::Ndr64, |stub| stub[7] = 1);
    rows.push(row("NDR64: something in the gap", gap, &[NdrPadding]));
    rows
}

fn envelopes() -> Vec<Row> {
    let mut rows = Vec::new();
    for version in ProtocolVersion::ALL {
        let what = |what: &str| format!("V{}: {what}", version.major);
        let envelope = |change: fn(&mut Vec<u8>)| {
            let ask = ask(version);
            let mut payload = Forged::honest(&ask, 1).sealed(&ask);
            change(&mut payload);
            carried(&ask, TransferSyntax::Ndr32, &payload)
        };
        rows.extend([
            row(what("nothing at all"), envelope(Vec::clear), &[Envelope]),
            row(what("version 7"), envelope(|payload| payload[2] = 7), &[Envelope]),
            row(what("version 6.1"), envelope(|payload| payload[..4].copy_from_slice(&[1, 0, 6, 0])), &[Envelope]),
            row(what("a version alone"), envelope(|payload| payload.truncate(4)), &[Envelope]),
            row(
                what("no ciphertext"),
                envelope(|payload| payload.truncate(20)),
                match version.major {
                    4 => &[V4Mac, EpidLength],
                    _ => &[Envelope],
                },
            ),
        ]);
        if version != ProtocolVersion::V4 {
            rows.push(row(what("half a block"), envelope(|payload| payload.truncate(28)), &[Envelope]));
        }
        for other in ProtocolVersion::ALL.into_iter().filter(|&other| other != version) {
            let ask = ask(version);
            let mut forged = Forged::honest(&ask, 1);
            forged.version = other;
            // A host that answers in V5 repeats the IV, one that answers in V6 does not.
            forged.iv = if other == ProtocolVersion::V5 { *ask.iv() } else { [9; 16] };
            forged.response.version = other;
            let failed = carried(&ask, TransferSyntax::Ndr32, &forged.sealed(&ask));
            rows.push(row(what(&format!("an answer in V{}", other.major)), failed, &[Version]));
        }
    }
    rows
}

fn bodies() -> Vec<Row> {
    let mut rows = Vec::new();
    for version in ProtocolVersion::ALL {
        let sealed = version != ProtocolVersion::V4;
        let mut push = |what: &str, change: fn(&mut Forged), due| {
            rows.push(row(format!("V{}: {what}", version.major), answered(version, change), due));
        };
        push("nothing", |_| {}, &[]);
        push("another client", |forged| forged.response.cmid = Guid::from_u128(2), &[Cmid]);
        push("a later client time", |forged| forged.response.client_time.0 += 1, &[ClientTime]);
        push("nobody counted", |forged| forged.response.count = 0, &[Count]);
        push("one counted", |forged| forged.response.count = 1, &[]);
        push("two thousand counted", |forged| forged.response.count = 2000, &[]);
        push("two thousand and one counted", |forged| forged.response.count = 2001, &[Count]);
        push("every machine there is counted", |forged| forged.response.count = u32::MAX, &[Count]);
        push("the shortest intervals", |forged| intervals(forged, 15, 15), &[]);
        push("the longest intervals", |forged| intervals(forged, 43_200, 43_200), &[]);
        push("a retry too soon", |forged| intervals(forged, 14, 10_080), &[Intervals]);
        push("a retry and a renewal too soon", |forged| intervals(forged, 14, 14), &[Intervals]);
        push("a renewal too late", |forged| intervals(forged, 120, 43_201), &[Intervals]);
        push("a retry and a renewal too late", |forged| intervals(forged, 43_201, 43_201), &[Intervals]);
        push("a renewal before the retry", |forged| intervals(forged, 121, 120), &[Intervals]);
        push("no intervals", |forged| intervals(forged, 0, 0), &[Intervals]);
        push("an empty ePID", |forged| epid(forged, ""), &[EpidForm]);
        push("another form of ePID", |forged| epid(forged, "55041-00206-271"), &[EpidForm]);
        push("a host of next year", |forged| epid(forged, "03612-00206-271-298329-03-1033-20348.0000-0012027"), &[]);
        push(
            "a host of the year after",
            |forged| epid(forged, "03612-00206-271-298329-03-1033-20348.0000-0012028"),
            &[EpidForm],
        );
        push("an odd ePID size", |forged| forged.body = |body| body[4] -= 1, &[EpidLength]);
        push("an ePID size of 0", |forged| forged.body = |body| body[4..8].fill(0), &[EpidLength]);
        push("an ePID size of 130", |forged| forged.body = |body| body[4] = 130, &[EpidLength]);
        push("an ePID without its NUL", |forged| forged.body = |body| body[EPID_END - 2] = b'x', &[EpidLength]);
        push("a NUL in the ePID", |forged| forged.body = |body| body[10] = 0, &[EpidLength]);
        push("half a surrogate", |forged| forged.body = |body| body[11] = 0xd8, &[EpidLength]);
        // Of a sealed body the proof is read in its place, and what is left of that is too short.
        push(
            "only four bytes of the body",
            |forged| {
                forged.body = |body| body.truncate(4);
                forged.proven = false;
            },
            &[EpidLength],
        );
        push(
            "a body without its last fields",
            |forged| {
                forged.body = |body| body.truncate(body.len() - 20);
                forged.proven = false;
            },
            &[Body],
        );
        if !sealed {
            push("four more bytes under the MAC", |forged| forged.more = vec![0; 4], &[Length]);
            push("one more byte under the MAC", |forged| forged.more = vec![7], &[Length]);
            push("a block more under the MAC", |forged| forged.more = vec![7; 16], &[Length]);
            push("another MAC", |forged| forged.mac = |mac| mac[15] ^= 1, &[V4Mac]);
        }
    }
    let of_1600 = |count: u32| {
        let mut request = request(ProtocolVersion::V6);
        request.n_policy = 1600;
        let ask = Ask::new(request, REQUEST_IV);
        let mut forged = Forged::honest(&ask, 1);
        forged.response.count = count;
        carried(&ask, TransferSyntax::Ndr32, &forged.sealed(&ask))
    };
    rows.push(row("twice an N policy of 1600 counted", of_1600(3200), &[]));
    rows.push(row("more than twice an N policy of 1600 counted", of_1600(3201), &[Count]));
    rows
}

fn proofs() -> Vec<Row> {
    let mut rows = Vec::new();
    for version in [ProtocolVersion::V5, ProtocolVersion::V6] {
        let mut push = |what: &str, change: fn(&mut Forged), due| {
            rows.push(row(format!("V{}: {what}", version.major), answered(version, change), due));
        };
        push("another version inside", |forged| forged.response.version = ProtocolVersion::V4, &[Version]);
        push("a hash of something else", |forged| forged.proof = |proof| proof.random_hash[31] ^= 1, &[RandomHash]);
        push("another random", |forged| forged.proof = |proof| proof.random_xor_salt[0] ^= 1, &[RandomHash]);
        push("no proof", |forged| forged.proven = false, &[Body]);
        // The same padding, and one block between it and what it pads.
        push("a block more", |forged| forged.more = vec![7; 16], &[Length, Padding]);
        push("two blocks more", |forged| forged.more = vec![0; 32], &[Length, Padding]);
        push("another padding", |forged| forged.padding = |plaintext| *plaintext.last_mut().unwrap() ^= 1, &[Padding]);
        push("padding of zeros", |forged| forged.padding = |plaintext| zero_the_padding(plaintext), &[Padding]);
        push(
            "a block of padding more",
            |forged| forged.padding = |plaintext| plaintext.extend([16; 16]),
            &[Length, Padding],
        );
    }
    let v5 = |change| answered(ProtocolVersion::V5, change);
    let v6 = |change| answered(ProtocolVersion::V6, change);
    rows.extend([
        row("V5: an IV of its own", v5(|forged| forged.iv[15] ^= 1), &[V5Iv]),
        row("V6: the request's IV", v6(|forged| forged.iv = REQUEST_IV), &[V6Iv]),
        row("V6: another salt", v6(|forged| forged.proof = |proof| v6_of(proof).xored_ivs[0] ^= 1), &[V6XoredIvs]),
        row("V6: another HMAC", v6(|forged| forged.proof = |proof| v6_of(proof).hmac[15] = 1), &[V6Hmac]),
        row("V6: a slot value below", v6(|forged| forged.slot -= proof::SLOT_STEP), &[]),
        row("V6: a slot value above", v6(|forged| forged.slot += proof::SLOT_STEP), &[]),
        row("V6: two slot values below", v6(|forged| forged.slot -= 2 * proof::SLOT_STEP), &[V6Hmac]),
        row("V6: a slot value and a step", v6(|forged| forged.slot += proof::SLOT_STEP + 1), &[V6Hmac]),
        row("V6: no bytes after the hardware id", v6(|forged| forged.padding = cut_after_the_hwid), &[Body]),
    ]);
    rows
}

fn pasts() -> Vec<Row> {
    let v4 = ProtocolVersion::V4;
    let v5 = ProtocolVersion::V5;
    let v6 = ProtocolVersion::V6;
    let second = |version, change| Past::new(version).then(version, change);
    vec![
        row("the same again, but for its randoms", second(v6, |_| {}), &[]),
        row("another ePID", second(v6, |forged| epid(forged, OTHER_EPID)), &[HistoryEpid]),
        row(
            "another ePID for another counted id",
            Past::new(v6).of(|request| request.kms_counted_id = Guid::from_u128(9)).then(v6, |forged| {
                epid(forged, OTHER_EPID);
            }),
            &[],
        ),
        row("one fewer", second(v4, |forged| forged.response.count -= 1), &[HistoryCount]),
        row("one more", second(v4, |forged| forged.response.count += 1), &[]),
        row(
            "one fewer of another application",
            Past::new(v4)
                .of(|request| request.application_id = Guid::from_u128(9))
                .then(v4, |forged| forged.response.count -= 1),
            &[],
        ),
        row(
            "one fewer, asked before the other answer was in",
            Past::new(v4).at_once().then(v4, |forged| forged.response.count -= 1),
            &[],
        ),
        row("another retry", second(v5, |forged| intervals(forged, 121, 10_080)), &[HistoryIntervals]),
        row("another renewal", second(v5, |forged| intervals(forged, 120, 10_081)), &[HistoryIntervals]),
        row(
            "another hardware id",
            second(v6, |forged| forged.proof = |proof| v6_of(proof).hwid[7] ^= 1),
            &[HistoryHwid],
        ),
        row("the same IV", second(v6, |forged| forged.iv = [1; 16]), &[HistoryIv]),
        row("the same random in V6", second(v6, |forged| forged.random = [0x81; 16]), &[HistoryRandom]),
        row("the same random in V5", second(v5, |forged| forged.random = [0x81; 16]), &[HistoryRandom]),
        row(
            "the same random in V5 and V6",
            Past::new(v5).then(v6, |forged| forged.random = [0x81; 16]),
            &[HistoryRandom],
        ),
        // What a client throws away says nothing of the host.
        row(
            "another ePID and a wrong HMAC",
            second(v6, |forged| {
                epid(forged, OTHER_EPID);
                forged.slot += 1;
            }),
            &[],
        ),
    ]
}

/// An answer in parts, each of which can be changed before it is sealed with what is right for the rest.
struct Forged {
    /// Of the envelope.
    version: ProtocolVersion,
    iv: [u8; 16],
    random: [u8; 16],
    /// The slot value the HMAC is for.
    slot: u64,
    response: ActivationResponse,
    /// What becomes of the encoded response.
    body: fn(&mut Vec<u8>),
    /// Whether the proof follows the body.
    proven: bool,
    /// What becomes of the proof. Its HMAC is 0 until then, and is what the right one is changed by.
    proof: fn(&mut Proof),
    /// What follows the body of V4 and the proof of the others.
    more: Vec<u8>,
    mac: fn(&mut [u8; 16]),
    /// What becomes of the plaintext with its padding.
    padding: fn(&mut Vec<u8>),
}

impl Forged {
    /// The `number`th answer of a host, to `ask`.
    fn honest(ask: &Ask, number: u8) -> Forged {
        let request = ask.request();
        let response = ActivationResponse {
            version: request.version,
            epid: EpidText::new(EPID).unwrap(),
            cmid: request.cmid,
            client_time: request.client_time,
            count: 50,
            activation_interval_min: 120,
            renewal_interval_min: 10_080,
        };
        Forged {
            version: request.version,
            iv: if request.version == ProtocolVersion::V5 { *ask.iv() } else { [number; 16] },
            random: [0x80 + number; 16],
            slot: proof::time_slot(request.client_time.0),
            response,
            body: |_| {},
            proven: true,
            proof: |_| {},
            more: Vec::new(),
            mac: |_| {},
            padding: |_| {},
        }
    }

    fn sealed(&self, ask: &Ask) -> Vec<u8> {
        let mut plaintext = self.response.encode();
        (self.body)(&mut plaintext);
        let sealing = match self.version.major {
            4 => {
                plaintext.extend(&self.more);
                let mut mac = mac::v4(&plaintext);
                (self.mac)(&mut mac);
                plaintext.extend(mac);
                return plaintext;
            }
            5 => Sealing::V5,
            _ => Sealing::V6,
        };
        if self.proven {
            self.prove(sealing, ask, &mut plaintext);
        }
        plaintext.extend(&self.more);
        let padding = 16 - plaintext.len() % 16;
        plaintext.resize(plaintext.len() + padding, padding as u8);
        (self.padding)(&mut plaintext);
        let mut out = Vec::new();
        envelope::seal_plaintext(sealing, self.version.to_wire(), &self.iv, &plaintext, &mut out).unwrap();
        out
    }

    fn prove(&self, sealing: Sealing, ask: &Ask, plaintext: &mut Vec<u8>) {
        let salt = sealing.decrypt_iv(ask.iv());
        let v6 = ProofV6 { hwid: HWID, xored_ivs: salt, hmac: [0; 16] };
        let mut proof = Proof {
            random_xor_salt: proof::salted_random(&self.random, &salt),
            random_hash: proof::sha256(&self.random),
            v6: (sealing == Sealing::V6).then_some(v6),
        };
        (self.proof)(&mut proof);
        plaintext.extend(proof.random_xor_salt);
        plaintext.extend(proof.random_hash);
        if let Some(v6) = proof.v6 {
            plaintext.extend(v6.hwid);
            plaintext.extend(v6.xored_ivs);
            let right = proof::hmac(self.slot, &sealing.decrypt_iv(&self.iv), plaintext);
            plaintext.extend(right.iter().zip(v6.hmac).map(|(right, change)| right ^ change));
        }
    }
}

type Change = fn(&mut Forged);

fn epid(forged: &mut Forged, text: &str) {
    forged.response.epid = EpidText::new(text).unwrap();
}

fn intervals(forged: &mut Forged, retry: u32, renewal: u32) {
    forged.response.activation_interval_min = retry;
    forged.response.renewal_interval_min = renewal;
}

fn v6_of(proof: &mut Proof) -> &mut ProofV6 {
    proof.v6.as_mut().unwrap()
}

fn zero_the_padding(plaintext: &mut [u8]) {
    let padding = usize::from(*plaintext.last().unwrap());
    let at = plaintext.len() - padding;
    plaintext[at..].fill(0);
}

fn cut_after_the_hwid(plaintext: &mut Vec<u8>) {
    let padding = usize::from(*plaintext.last().unwrap());
    plaintext.truncate((plaintext.len() - padding - 32) & !15);
}

fn refuse(ack: &mut BindAck, index: usize, reason: u16) {
    ack.results[index].result = ResultCode::PROVIDER_REJECTION;
    ack.results[index].reason = reason;
    ack.results[index].syntax = SyntaxId::NONE;
}

fn accept(ack: &mut BindAck, index: usize, syntax: SyntaxId) {
    ack.results[index].result = ResultCode::ACCEPTED;
    ack.results[index].reason = 0;
    ack.results[index].syntax = syntax;
}

fn sizes(ack: &mut BindAck, size: u16) {
    (ack.max_xmit_frag, ack.max_recv_frag) = (size, size);
}

fn nak() -> Body<'static> {
    Body::BindNak(BindNak { reason: RejectReason::NOT_SPECIFIED, versions: vec![(5, 0)], trailer: vec![0; 3] })
}

fn fault(status: FaultStatus) -> Body<'static> {
    Body::Fault(Fault { alloc_hint: 32, context_id: 0, cancel_count: 0, status, stub: &[] })
}

/// The frame with bytes at its end that it counts.
fn longer(frame: &mut Vec<u8>, by: &[u8]) {
    frame.extend(by);
    count_again(frame);
}

fn shorter(frame: &mut Vec<u8>, by: usize) {
    frame.truncate(frame.len() - by);
    count_again(frame);
}

fn count_again(frame: &mut [u8]) {
    let length = frame.len() as u16;
    frame[8..10].copy_from_slice(&length.to_le_bytes());
}

fn encoded(pdu: &Pdu<'_>) -> Vec<u8> {
    pdu.encode().unwrap()
}

/// Which answer of an opening is changed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Bind,
    Alter,
}

/// What fails of a bind of a Windows client whose bind_ack is changed, as a PDU.
fn bind(change: fn(&mut Pdu<'_>)) -> CheckSet {
    bound(Offer::Windows, Some(RECORDED_PORT), Step::Bind, &decoded(change))
}

fn bind_ack(change: fn(&mut BindAck)) -> CheckSet {
    bound(Offer::Windows, Some(RECORDED_PORT), Step::Bind, &ack(change))
}

fn bytes_of_bind(change: fn(&mut Vec<u8>)) -> CheckSet {
    bound(Offer::Windows, Some(RECORDED_PORT), Step::Bind, &change)
}

fn alter(change: fn(&mut BindAck)) -> CheckSet {
    bound(Offer::Windows, Some(RECORDED_PORT), Step::Alter, &ack(change))
}

fn bound_to_ndr64(change: &dyn Fn(&mut Vec<u8>)) -> CheckSet {
    bound(Offer::Only(TransferSyntax::Ndr64), Some(RECORDED_PORT), Step::Bind, change)
}

fn ack(change: fn(&mut BindAck)) -> impl Fn(&mut Vec<u8>) {
    decoded(move |pdu| match &mut pdu.body {
        Body::BindAck(ack) | Body::AlterContextResponse(ack) => change(ack),
        _ => unreachable!(),
    })
}

fn decoded(change: impl Fn(&mut Pdu<'_>)) -> impl Fn(&mut Vec<u8>) {
    move |bytes| {
        let mut pdu = Pdu::decode(bytes).unwrap();
        change(&mut pdu);
        *bytes = encoded(&pdu);
    }
}

/// What fails of an opening with one of the host's answers changed.
fn bound(offer: Offer, port: Option<u16>, step: Step, change: &dyn Fn(&mut Vec<u8>)) -> CheckSet {
    let mut client = Association::new(AssociationConfig { port, ..drive::config(offer) });
    let mut host = HostAssociation::new(HostConfig { port: RECORDED_PORT, ..HostConfig::default() });
    let mut seen = Seen::default();
    client.begin(START);
    drain(&mut client, &mut seen);
    let (mut now, mut said) = (Step::Bind, Vec::new());
    while !seen.sent.is_empty() {
        host.handle_bytes(&std::mem::take(&mut seen.sent));
        let mut answer = host.poll_transmit().expect("it answers every bind and alter_context");
        if now == step {
            change(&mut answer);
        } else if let Some(said) = said.get(SETTLED) {
            // Whatever the host said first, it keeps to it.
            answer[SETTLED].copy_from_slice(said);
        }
        client.handle_bytes(START, &answer);
        drain(&mut client, &mut seen);
        (now, said) = (Step::Alter, answer);
    }
    client.handle_timeout(START + Duration::from_secs(60));
    drain(&mut client, &mut seen);
    match seen.failed {
        Some((failure, checks)) => Answer::failed(failure, checks).checks.failed,
        None => seen.bound.expect("it is bound or has failed").checks.failed,
    }
}

/// What fails of an answer whose PDU is changed.
fn pdu(change: impl Fn(&mut Pdu<'_>)) -> CheckSet {
    frames(|pdu| {
        let mut pdu = pdu.clone();
        change(&mut pdu);
        encoded(&pdu)
    })
}

fn bytes(change: fn(&mut Vec<u8>)) -> CheckSet {
    frames(|pdu| {
        let mut bytes = encoded(pdu);
        change(&mut bytes);
        bytes
    })
}

/// What fails when this is sent instead of an honest V6 answer over NDR32.
fn frames(sent: impl Fn(&Pdu<'_>) -> Vec<u8>) -> CheckSet {
    let ask = ask(ProtocolVersion::V6);
    let stub = stub_of(TransferSyntax::Ndr32, &Forged::honest(&ask, 1).sealed(&ask));
    hear(&ask, TransferSyntax::Ndr32, |pdu| sent(&with_stub(pdu, &stub)))
}

/// What fails of an honest answer whose stub is changed.
fn stub(version: ProtocolVersion, syntax: TransferSyntax, change: fn(&mut Vec<u8>)) -> CheckSet {
    let ask = ask(version);
    let mut stub = stub_of(syntax, &Forged::honest(&ask, 1).sealed(&ask));
    change(&mut stub);
    hear(&ask, syntax, |pdu| encoded(&with_stub(pdu, &stub)))
}

/// What fails of an answer sealed anew after a change.
fn answered(version: ProtocolVersion, change: fn(&mut Forged)) -> CheckSet {
    let ask = ask(version);
    let mut forged = Forged::honest(&ask, 1);
    change(&mut forged);
    let payload = forged.sealed(&ask);
    let [failed, other] = TransferSyntax::ALL.map(|syntax| carried(&ask, syntax, &payload));
    assert_eq!(failed, other, "the syntax has no part in what an envelope holds");
    failed
}

fn carried(ask: &Ask, syntax: TransferSyntax, payload: &[u8]) -> CheckSet {
    let stub = stub_of(syntax, payload);
    hear(ask, syntax, |pdu| encoded(&with_stub(pdu, &stub)))
}

fn stub_of(syntax: TransferSyntax, payload: &[u8]) -> Vec<u8> {
    let mut stub = Vec::new();
    ResponseStub::Answer { referent: REFERENT, payload, code: Hresult::OK }.write(syntax, &mut stub);
    stub
}

fn with_stub<'a>(response: &Pdu<'_>, stub: &'a [u8]) -> Pdu<'a> {
    let Body::Response(Response { context_id, .. }) = response.body else { unreachable!() };
    let response_body = Response { alloc_hint: stub.len() as u32, context_id, cancel_count: 0, stub };
    Pdu::whole(response.call_id, Body::Response(response_body))
}

/// What fails when a call is answered with the bytes made of an empty response to it.
fn hear(ask: &Ask, syntax: TransferSyntax, answer: impl FnOnce(&Pdu<'_>) -> Vec<u8>) -> CheckSet {
    heard(ask, syntax, answer).checks.failed
}

fn heard(ask: &Ask, syntax: TransferSyntax, answer: impl FnOnce(&Pdu<'_>) -> Vec<u8>) -> Answer {
    let mut client = Association::new(drive::config(Offer::Only(syntax)));
    let mut host = HostAssociation::new(HostConfig { port: RECORDED_PORT, ..HostConfig::default() });
    let mut seen = Seen::default();
    client.begin(START);
    drain(&mut client, &mut seen);
    host.handle_bytes(&std::mem::take(&mut seen.sent));
    client.handle_bytes(START, &host.poll_transmit().unwrap());
    client.call(START, ask.payload()).unwrap();
    drain(&mut client, &mut seen);
    assert!(seen.bound.take().unwrap().checks.failed.is_empty());
    let request = PduView(&seen.sent);
    let empty = Response { alloc_hint: 0, context_id: request.context_id().unwrap(), cancel_count: 0, stub: &[] };
    let response = Pdu::whole(request.call_id().unwrap(), Body::Response(empty));
    client.handle_bytes(START, &answer(&response));
    client.handle_timeout(START + Duration::from_secs(60));
    drain(&mut client, &mut seen);
    match (seen.replies.pop(), seen.failed) {
        (None, Some((failure, checks))) => Answer::failed(failure, checks),
        (Some(reply), more) => {
            let mut answer = ask.judge(&reply, NOW);
            if let Some((failure, checks)) = more {
                assert!(matches!(failure.kind, FailureKind::Unexpected { .. }));
                answer.checks.absorb(checks);
            }
            answer
        }
        (None, None) => panic!("neither a reply nor a failure"),
    }
}

/// A host that has answered once.
struct Past {
    history: History,
    request: fn(&mut ActivationRequest),
    asked_at: Duration,
}

impl Past {
    fn new(version: ProtocolVersion) -> Past {
        let mut history = History::default();
        let ask = ask(version);
        let first = trusted(&ask, &Forged::honest(&ask, 1));
        let done = history.observe(ask.request(), &first, START, START + Duration::from_secs(1));
        assert!(done.failed.is_empty(), "{:?}", done.findings);
        Past { history, request: |_| {}, asked_at: Duration::from_secs(1) }
    }

    /// The second request is another.
    fn of(self, request: fn(&mut ActivationRequest)) -> Past {
        Past { request, ..self }
    }

    /// The second request goes out while the first is under way.
    fn at_once(self) -> Past {
        Past { asked_at: Duration::from_millis(999), ..self }
    }

    /// What fails of the second answer.
    fn then(mut self, version: ProtocolVersion, change: fn(&mut Forged)) -> CheckSet {
        let mut request = request(version);
        (self.request)(&mut request);
        let ask = Ask::new(request, [0x32; 16]);
        let mut forged = Forged::honest(&ask, 2);
        change(&mut forged);
        let second = trusted(&ask, &forged);
        let sent = START + self.asked_at;
        self.history.observe(ask.request(), &second, sent, sent + Duration::from_secs(1)).failed
    }
}

fn trusted(ask: &Ask, forged: &Forged) -> Answer {
    let stub = stub_of(TransferSyntax::Ndr64, &forged.sealed(ask));
    heard(ask, TransferSyntax::Ndr64, |pdu| encoded(&with_stub(pdu, &stub)))
}

fn ask(version: ProtocolVersion) -> Ask {
    Ask::new(request(version), REQUEST_IV)
}

fn request(version: ProtocolVersion) -> ActivationRequest {
    ActivationRequest {
        version,
        is_vm: 0,
        license_status: LicenseStatus::OOB_GRACE,
        binding_expiration_min: 43_200,
        application_id: Guid::from_u128(3),
        sku_id: Guid::from_u128(4),
        kms_counted_id: Guid::from_u128(5),
        cmid: Guid::from_u128(1),
        n_policy: 25,
        client_time: NOW,
        previous_cmid: Guid::NIL,
        workstation: WorkstationName::new("pc").unwrap(),
    }
}

/// 2026-11-20T15:19:26Z.
const NOW: FileTime = FileTime::RECORDED_AT;
const REQUEST_IV: [u8; 16] = [0x31; 16];
const HWID: [u8; 8] = *b"tampered";
const EPID: &str = "03612-00206-271-298329-03-1033-20348.0000-0012026";
const EVEN_EPID: &str = "03612-00206-271-298329-03-1033-9200.0000-0012026";
const OTHER_EPID: &str = "03612-00206-271-298330-03-1033-20348.0000-0012026";
/// Where the field after the ePID begins in a body.
const EPID_END: usize = 8 + 2 * (EPID.len() + 1);
/// Where a bind_ack and an alter_context_resp have fragment sizes and association group.
const SETTLED: std::ops::Range<usize> = 16..24;
/// Where the results begin in a bind_ack of a host on a port of five digits.
const RESULTS_AT: usize = 32;
const TRAILER: Auth<'static> = Auth { auth_type: 10, level: 2, pad_length: 0, context_id: 0, token: &[1; 8] };
