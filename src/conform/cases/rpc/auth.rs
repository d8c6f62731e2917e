//! Authentication, which KMS does without (MS-RPCE 2.2.2.11).

use super::tools::{bind_frame, expect_first, plain};
use crate::conform::accept::{Accept, Then, Want, fault, loose, ok};
use crate::conform::{Case, Level, Talk};
use crate::wire::rpc::{Auth, Body, FaultStatus, Flags, Pdu, Request, at};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "rpc/auth/missing-trailer",
        Level::Win,
        "a bind that says it has a trailer and has none",
        "A bind whose authentication length is 8, without the bytes for it, is refused with a bind_nak of reason 4, and \
         the connection closed.",
        "Samba raw protocol tests (invalid_auth_noctx); seen live on Samba 4.17",
        |t| {
            t.connect()?;
            let mut frame = bind_frame(t);
            at::set(&mut frame, at::AUTH_LENGTH, &8_u16.to_le_bytes());
            // What is read as the trailer then begins in the contexts, or lies before them.
            expect_first(t, "the bind", &frame, &[ok(Want::Nak(&[4]), Then::Closed), CLOSED, OTHERWISE]);
            Ok(())
        },
    ),
    Case::new(
        "rpc/auth/unknown-type",
        Level::Win,
        "a kind of authentication nobody has",
        "A bind with a trailer of an unknown authentication type is refused with a bind_nak of reason 8, and the connection \
         closed.",
        "MS-RPCE 2.2.2.5; seen live on Samba 4.17",
        |t| {
            for auth_type in [UNKNOWN_TYPE, 255, 3] {
                bind_with(t, &format!("type {auth_type}"), auth_type, 5, &[8])?;
            }
            Ok(())
        },
    )
    .revision(2),
    Case::new(
        "rpc/auth/no-type",
        Level::Win,
        "a trailer that says it is none",
        "A bind with a trailer of type none is refused with a bind_nak: of reason 0 where its level is 0, 1 or none there \
         is, and of reason 8 where it is another.",
        "Samba raw protocol tests (auth_none)",
        |t| {
            for level in [0, 1, 7, 255] {
                bind_with(t, &format!("type none, level {level}"), NO_TYPE, level, &[0])?;
            }
            for level in [2, 5, 6] {
                bind_with(t, &format!("type none, level {level}"), NO_TYPE, level, &[8])?;
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/auth/request-trailer",
        Level::Win,
        "a request with a trailer on a connection that was bound without",
        "A request with an authentication trailer, where none was agreed on, is answered with access denied without \
         did_not_execute, and the connection closed.",
        "Samba raw protocol tests (no_auth_ctx_request); seen live on Samba 4.17",
        |t| {
            t.bind()?;
            let (stub, ask) = t.stub(crate::wire::rpc::TransferSyntax::Ndr32);
            let opnum = t.service().opnum;
            let request = Request { alloc_hint: stub.len() as u32, context_id: 0, opnum, object: None, stub: &stub };
            let call_id = t.next_call_id();
            let pdu = Pdu { auth: Some(trailer(NO_TYPE, 1)), ..Pdu::whole(call_id, Body::Request(request)) };
            let frame = pdu.encode().expect("it fits a PDU");
            t.send_frame(&frame, ask);
            let denied = fault(&[FaultStatus::ACCESS_DENIED]).executed(true);
            t.expect("the request", &[ok(denied.want(), Then::Closed), CLOSED]);
            Ok(())
        },
    ),
    Case::new(
        "rpc/auth/odd-trailers",
        Level::Rec,
        "trailers of every kind on a connection that was bound without",
        "A request with an authentication trailer of any type, with more padding than it has bytes, or with a length and \
         no trailer, is answered or its connection closed, and does no other client any harm.",
        "robustness; MS-RPCE 2.2.2.11",
        |t| {
            for (label, change) in TRAILERS {
                t.bind()?;
                t.request_with(0, change);
                t.expect(label, ANSWERED_OR_CLOSED);
                t.close();
            }
            t.serves_others("another client then");
            Ok(())
        },
    ),
    Case::new(
        "rpc/auth/known-types",
        Level::Rec,
        "binds with the kinds of authentication that there are",
        "A bind with a trailer of a type that Windows has, and with a token that is none of it, is answered or its \
         connection closed, and does no other client any harm.",
        "robustness; MS-RPCE 2.2.1.1.7",
        |t| {
            for auth_type in KNOWN_TYPES {
                for level in [1, 2, 6] {
                    t.connect()?;
                    let call_id = t.next_call_id();
                    let auth = Some(trailer(auth_type, level));
                    let pdu = Pdu { auth, ..Pdu::whole(call_id, Body::Bind(t.offer(vec![plain(t, 0)]))) };
                    t.send_opaque(&pdu.encode().expect("it fits a PDU"));
                    t.expect(&format!("type {auth_type}, level {level}"), REFUSED_OR_TAKEN);
                    t.close();
                }
            }
            t.serves_others("another client then");
            Ok(())
        },
    ),
];

type Trailer = (&'static str, fn(&mut Vec<u8>));

/// What is done to an ordinary request.
const TRAILERS: &[Trailer] = &[
    ("a trailer of type 9", |frame| append(frame, 9, 0, 8)),
    ("a trailer of type 10", |frame| append(frame, 10, 0, 8)),
    ("a trailer of type 16", |frame| append(frame, 16, 0, 16)),
    ("a trailer of type 68", |frame| append(frame, 68, 0, 8)),
    ("more padding than there are bytes", |frame| append(frame, 10, 255, 16)),
    ("a token of a byte", |frame| append(frame, 10, 0, 1)),
    ("a length and no trailer", |frame| at::set(frame, at::AUTH_LENGTH, &[8, 0])),
    ("a length of all there is", |frame| {
        let length = frame.len() as u16;
        at::set(frame, at::AUTH_LENGTH, &length.to_le_bytes());
    }),
    ("the greatest length", |frame| at::set(frame, at::AUTH_LENGTH, &[0xff; 2])),
];

/// Appends a trailer with a token of so many bytes.
pub fn append(frame: &mut Vec<u8>, auth_type: u8, pad: u8, token: usize) {
    frame.resize(frame.len().next_multiple_of(4), 0);
    frame.extend_from_slice(&[auth_type, 5, pad, 0, 1, 0, 0, 0]);
    frame.resize(frame.len() + token, 0x5a);
    at::fit(frame);
    at::set(frame, at::AUTH_LENGTH, &(token as u16).to_le_bytes());
}

/// Negotiate, NTLM, Kerberos and Netlogon.
const KNOWN_TYPES: [u8; 4] = [9, 10, 16, 68];
/// Who has no use for a trailer may well pass over it.
const ANSWERED_OR_CLOSED: &[Accept] = &[
    ok(Want::AnyFault, Then::Either),
    ok(Want::Silence, Then::Closed),
    loose(Want::Served, Then::Either),
    loose(Want::Nak(&[0, 4, 8]), Then::Closed),
];
/// Who has that kind may go on with it.
const REFUSED_OR_TAKEN: &[Accept] = &[
    ok(Want::Nak(&[0, 1, 2, 4, 8, 9]), Then::Closed),
    ok(Want::Silence, Then::Closed),
    ok(Want::Ack(&[(0, 0)]), Then::Either),
    ok(Want::AnyFault, Then::Either),
];

/// A bind with an authentication trailer of this type and level, which is to be refused for these reasons.
fn bind_with(
    t: &mut Talk<'_>,
    label: &str,
    auth_type: u8,
    level: u8,
    reasons: &'static [u16],
) -> Result<(), crate::conform::Stop> {
    t.connect()?;
    let offered = t.offer(vec![plain(t, 0)]);
    let call_id = t.next_call_id();
    let pdu =
        Pdu { flags: Flags::WHOLE, auth: Some(trailer(auth_type, level)), ..Pdu::whole(call_id, Body::Bind(offered)) };
    let frame = pdu.encode().expect("it fits a PDU");
    expect_first(t, label, &frame, &[ok(Want::Nak(reasons), Then::Closed), CLOSED, OTHERWISE]);
    Ok(())
}

fn trailer(auth_type: u8, level: u8) -> Auth<'static> {
    Auth { auth_type, level, pad_length: 0, context_id: 1, token: b"kmsproof" }
}

const CLOSED: Accept = loose(Want::Silence, Then::Closed);
const OTHERWISE: Accept = loose(Want::Nak(&[0, 4, 8]), Then::Closed);
const UNKNOWN_TYPE: u8 = 99;
const NO_TYPE: u8 = 0;
