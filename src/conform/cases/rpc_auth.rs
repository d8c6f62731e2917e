//! Authentication, which KMS does without (MS-RPCE 2.2.2.11).

use super::rpc_tools::{bind_frame, expect_first, plain};
use crate::conform::accept::{Accept, Then, Want, fault, loose, ok};
use crate::conform::{Case, Level, Talk};
use crate::wire::rpc::{Auth, Body, Flags, Pdu, Request};

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
            frame[10..12].copy_from_slice(&8_u16.to_le_bytes());
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
        |t| bind_with(t, "type 99", UNKNOWN_TYPE, 5, &[8]),
    ),
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
            let denied = fault(&[5]).executed(true);
            t.expect("the request", &[ok(denied.want(), Then::Closed), CLOSED]);
            Ok(())
        },
    ),
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
