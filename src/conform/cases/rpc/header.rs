//! The sixteen bytes every PDU begins with (C706 section 12.6.3.1; MS-RPCE 2.2.2.5).

use super::calls::pieces;
use super::tools::{
    ACCEPTED, FAULTED, PROTOCOL_FAULT, PROTOCOL_NAK, bind_frame, echoes, expect_first, other_order, plain,
};
use crate::conform::accept::{Then, Want, loose, ok};
use crate::conform::host::Patience;
use crate::conform::{Case, Confidence, Level, Stop, Talk};
use crate::wire::Guid;
use crate::wire::rpc::{
    BindNak, Body, Fault, FaultStatus, Flags, Pdu, PduView, Ptype, RejectReason, Response, SyntaxId, TransferSyntax, at,
};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "rpc/header/bind-version",
        Level::Win,
        "a bind of another protocol version",
        "A bind of protocol version 4 or 6 is refused with a bind_nak of reason 4, and the connection closed.",
        "MS-RPCE 2.2.2.5; seen live on Samba 4.17; Samba server code",
        |t| odd_bind(t, 0, &[4, 6]),
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/header/bind-minor-version",
        Level::Win,
        "a bind of another minor version",
        "A bind of protocol version 5.1 is refused with a bind_nak of reason 4, and the connection closed.",
        "seen live on Samba 4.17; Samba server code",
        |t| odd_bind(t, 1, &[1]),
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/header/request-version",
        Level::Win,
        "a request of another protocol version",
        "A request of version 4.0 or 5.1 after a bind is answered with a protocol error that says it was not executed, \
         and the connection closed.",
        "seen live on Samba 4.17; Samba server code",
        |t| {
            for [major, minor] in [[4, 0], [5, 1]] {
                t.bind()?;
                t.request_with(0, |frame| frame[..2].copy_from_slice(&[major, minor]));
                t.expect(&format!("a request of version {major}.{minor}"), PROTOCOL_FAULT);
            }
            Ok(())
        },
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/header/big-endian",
        Level::Must,
        "a client whose integers are big endian",
        "A bind and a request in big-endian integers are answered, in either byte order: the receiver \
         makes it right.",
        "C706 section 14.1; Samba torture tests (bind.bigendian); seen live on Samba 4.17",
        |t| {
            t.connect()?;
            let call_id = t.next_call_id();
            let interface = t.service().interface;
            expect_first(t, "a bind", &big_endian_bind(call_id, interface), ACCEPTED);
            if t.syntax_of(0).is_none() || t.is_over() {
                return Ok(());
            }
            let Some((stub, ask)) = big_endian_stub(t) else {
                t.note("the arguments of a call of this interface are known in little endian only: no call is made");
                return Ok(());
            };
            if t.is_over() {
                return Ok(());
            }
            let call_id = t.next_call_id();
            let frame = big_endian_request(call_id, t.service().opnum, &stub);
            t.send_frame(&frame, ask.clone());
            t.expect("a request", &[ok(Want::Served, Then::Open)]);
            let (call_id, half) = (t.next_call_id(), (stub.len() / 2) & !7);
            for (flags, _, piece) in pieces(&stub, &[half]) {
                let frame = other_order(&t.frame_of(call_id, flags, 0, piece));
                t.send_frame(&frame, ask.clone());
            }
            t.expect("a request in two fragments", &[ok(Want::Served, Then::Open)]);
            if t.is_over() {
                return Ok(());
            }
            let mut frame = t.request_frame(0).0;
            at::set(&mut frame, at::OPNUM, &[0xff; 2]);
            t.send_frame(&other_order(&frame), None);
            let accepts = [ok(Want::AnyFault, Then::Either), loose(Want::Silence, Then::Closed)];
            t.expect("a request for no operation", &accepts);
            Ok(())
        },
    )
    .revision(4),
    Case::new(
        "rpc/header/odd-drep",
        Level::Win,
        "data representations nobody has",
        "A bind that says EBCDIC, VAX floats or uses the reserved bytes of its data representation is refused with a \
         bind_nak of reason 4, and the connection closed.",
        "seen live on Samba 4.17; Samba server code",
        |t| {
            for (label, drep) in [
                ("EBCDIC", [0x11, 0, 0, 0]),
                ("VAX floats", [0x10, 1, 0, 0]),
                ("the first reserved byte", [0x10, 0, 1, 0]),
                ("the second reserved byte", [0x10, 0, 0, 1]),
            ] {
                t.connect()?;
                let mut frame = bind_frame(t);
                at::set(&mut frame, at::DREP, &drep);
                expect_first(t, label, &frame, PROTOCOL_NAK);
            }
            Ok(())
        },
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/header/unknown-ptype",
        Level::Rec,
        "a kind of PDU that does not exist",
        "A PDU of kind 99 ends the connection without an answer, before a bind and after it.",
        "seen live on Samba 4.17",
        |t| {
            let accepts = [
                ok(Want::Silence, Then::Closed),
                loose(Want::Nak(&[0, 4]), Then::Closed),
                loose(Want::AnyFault, Then::Closed),
            ];
            for bound in [false, true] {
                if bound {
                    t.bind()?;
                } else {
                    t.connect()?;
                }
                let call_id = t.next_call_id();
                let mut frame = Pdu::whole(call_id, Body::CoCancel).encode().expect("it has no body");
                frame[at::PTYPE] = 99;
                expect_first(t, if bound { "after a bind" } else { "as the first PDU" }, &frame, &accepts);
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/header/wrong-way-ptypes",
        Level::Win,
        "kinds of PDU that a client has no business to send",
        "A response, fault, shutdown, auth3 or answer to a bind from a client is answered with a protocol error that says nothing was \
         executed, and the connection closed.",
        "seen live on Samba 4.17; Samba server code",
        |t| {
            let ack = t.bind()?;
            for (label, body) in [
                (
                    "a response",
                    Body::Response(Response { alloc_hint: 8, context_id: 0, cancel_count: 0, stub: &[0; 8] }),
                ),
                ("a fault", Body::Fault(FAULT)),
                ("a shutdown", Body::Shutdown),
                ("an auth3", Body::Auth3),
                ("a bind_nak", Body::BindNak(BindNak { reason: RejectReason::NOT_SPECIFIED, versions: vec![(5, 0)], trailer: vec![0; 3] })),
                ("a bind_ack", Body::BindAck(ack.clone())),
                ("an alter_context_resp", Body::AlterContextResponse(ack)),
            ] {
                t.bind()?;
                let pdu = Pdu::whole(t.next_call_id(), body);
                t.send_pdu(&pdu);
                t.expect(label, PROTOCOL_FAULT);
            }
            Ok(())
        },
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/header/call-ids",
        Level::Must,
        "call ids at their limits",
        "Every answer has the call id of what it answers, whatever that is: a bind_ack, bind_nak, response and every \
         kind of fault.",
        "C706 section 12.6.3.6; seen live on Samba 4.17",
        |t| t.some_of(CALL_IDS.to_vec(), 3, 4).into_iter().try_for_each(|call_id| with_call_id(t, call_id)),
    )
    .revision(2),
    Case::new(
        "rpc/header/old-memory",
        Level::Must,
        "faults without old memory in them",
        "A fault has a cancel count of 0 and reserved bytes of 0, the same each time: nothing of the host's memory.",
        "MS-RPCE 2.2.2.8; Samba raw protocol tests",
        |t| {
            t.bind()?;
            for time in ["first", "second", "third"] {
                unknown_operation(t);
                let seen = t.see(Patience::Answer, Some(Patience::Silence));
                let Some(frame) = seen.reply.filter(|frame| PduView(frame).ptype() == Some(Ptype::FAULT)) else {
                    return Err(Stop::NotApplicable(format!("the host sends no fault here: the {time} time")));
                };
                let view = PduView(&frame);
                t.field("cancel_count", Some([0, 0]), view.cancel_count());
                t.field("reserved", Some(0), view.fault_reserved());
            }
            Ok(())
        },
    ),
];

/// A bind with one byte that should not be there.
fn odd_bind(t: &mut Talk<'_>, offset: usize, values: &[u8]) -> Result<(), Stop> {
    for &value in values {
        t.connect()?;
        let mut frame = bind_frame(t);
        frame[offset] = value;
        expect_first(t, &format!("version {}.{}", frame[0], frame[1]), &frame, PROTOCOL_NAK);
    }
    Ok(())
}

fn with_call_id(t: &mut Talk<'_>, call_id: u32) -> Result<(), Stop> {
    let bytes = call_id.to_le_bytes();
    let label = |what: &str| format!("{what} with call id 0x{call_id:08x}");
    t.connect()?;
    let mut bind = bind_frame(t);
    at::set(&mut bind, at::CALL_ID, &bytes);
    let seen = expect_first(t, &label("a bind"), &bind, ACCEPTED);
    echoes(t, &seen, call_id);
    if t.is_over() || t.syntax_of(0).is_none() {
        return Ok(());
    }
    t.request_with(0, |frame| at::set(frame, at::CALL_ID, &bytes));
    let seen = t.expect(&label("a request"), &[ok(Want::Answered, Then::Open)]);
    echoes(t, &seen, call_id);
    for (_, spoil) in t.in_turn(FAULTED) {
        t.request_with(0, |frame| {
            at::set(frame, at::CALL_ID, &bytes);
            spoil(frame);
        });
        // That there is a fault, and a refusal then, is for other cases to see to.
        let seen = t.see(Patience::Answer, Some(Patience::Silence));
        echoes(t, &seen, call_id);
        if t.is_over() {
            return Ok(());
        }
    }
    let offered = t.offer(vec![plain(t, 1)]);
    let pdu = Pdu::whole(call_id, Body::Bind(offered));
    t.send_pdu(&pdu);
    let seen = t.see(Patience::Answer, Some(Patience::Silence));
    echoes(t, &seen, call_id);
    // What ends the connection takes one of its own, for which there may be no time.
    if t.has_time_for("calls that end their connection") {
        t.bind()?;
        t.request_with(0, |frame| {
            at::set(frame, at::CALL_ID, &bytes);
            frame[at::FLAGS] = Flags::LAST.0;
        });
        let seen = t.see(Patience::Answer, None);
        echoes(t, &seen, call_id);
    }
    Ok(())
}

/// A call that every host answers with a fault.
fn unknown_operation(t: &mut Talk<'_>) {
    t.request_with(0, |frame| at::set(frame, at::OPNUM, &[0xff; 2]));
}

fn big_endian_bind(call_id: u32, interface: SyntaxId) -> Vec<u8> {
    let mut frame = vec![5, 0, 11, Flags::WHOLE.0, 0, 0, 0, 0, 0, 72, 0, 0];
    frame.extend_from_slice(&call_id.to_be_bytes());
    // Both fragment sizes, no association group, one context: number 0 with one transfer syntax.
    frame.extend_from_slice(&[0x16, 0xd0, 0x16, 0xd0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0]);
    for syntax in [interface, TransferSyntax::Ndr32.id()] {
        frame.extend_from_slice(&big_endian_uuid(syntax.uuid));
        frame.extend_from_slice(&syntax.version.to_be_bytes());
    }
    frame
}

/// As it is printed.
fn big_endian_uuid(uuid: Guid) -> [u8; 16] {
    uuid.as_u128().to_be_bytes()
}

fn big_endian_request(call_id: u32, opnum: u16, stub: &[u8]) -> Vec<u8> {
    let length = (crate::wire::rpc::CALL_HEADER_LEN + stub.len()) as u16;
    let mut frame = vec![5, 0, 0, Flags::WHOLE.0, 0, 0, 0, 0];
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(&[0, 0]);
    frame.extend_from_slice(&call_id.to_be_bytes());
    frame.extend_from_slice(&(stub.len() as u32).to_be_bytes());
    frame.extend_from_slice(&[0, 0]);
    frame.extend_from_slice(&opnum.to_be_bytes());
    frame.extend_from_slice(stub);
    frame
}

/// The stub of an ordinary call: KMS has two counts before bytes that have no order. Of another
/// interface only an empty one is known.
fn big_endian_stub(t: &mut Talk<'_>) -> Option<(Vec<u8>, Option<crate::proto::Ask>)> {
    let is_kms = t.service().stub.is_none();
    let (mut stub, ask) = t.stub(TransferSyntax::Ndr32);
    if is_kms {
        stub[..4].reverse();
        stub[4..8].reverse();
    }
    (is_kms || stub.is_empty()).then_some((stub, ask))
}

/// The least, the most, what a signed number makes negative, and any other.
const CALL_IDS: [u32; 4] = [0, u32::MAX, 0x8000_0000, 0x1234_5678];
const FAULT: Fault<'_> =
    Fault { alloc_hint: 32, context_id: 0, cancel_count: 0, status: FaultStatus::PROTOCOL_ERROR, stub: &[] };
