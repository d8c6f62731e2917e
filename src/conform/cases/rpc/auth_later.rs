//! Authentication trailers on connections that were bound without, in every state of these (MS-RPCE 2.2.2.11).

use super::auth::append;
use super::calls::{Call, pieces};
use super::tools::{ACCEPTED_NEXT, SERVED_NEXT, bind_as, plain, syntaxes};
use crate::conform::accept::{Accept, Then, Want, fault, loose, ok};
use crate::conform::{Case, Confidence, Level, Talk};
use crate::wire::rpc::{Body, FaultStatus, Pdu};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "rpc/auth/later-trailers",
        Level::Win,
        "requests with a trailer, later on a connection that was bound without",
        "A request with an authentication trailer, where none was agreed on, is answered with access denied \
         and the connection closed, whatever was served before, in every context and syntax.",
        "Samba raw protocol tests (no_auth_ctx_request); MS-RPCE 3.3.3.5",
        |t| {
            for syntax in syntaxes(t)? {
                for (context, calls_before, alters_before) in t.some_of(BEFORE.to_vec(), 2, 6) {
                    let label = format!(
                        "context {context} in {syntax}, {calls_before} calls and {alters_before} alter_contexts before"
                    );
                    if !bind_as(t, &format!("a bind of {label}"), context, syntax)? {
                        continue;
                    }
                    for _ in 0..calls_before {
                        t.request(context);
                        t.expect_next(&format!("a call before, in {label}"), SERVED_NEXT);
                    }
                    for _ in 0..alters_before {
                        let offered = t.offer(vec![plain(t, 9)]);
                        t.send_alter(&offered);
                        t.expect_next(&format!("an alter_context before, in {label}"), ACCEPTED_NEXT);
                    }
                    if !t.is_over() {
                        t.request_with(context, |frame| append(frame, 10, 0, 16));
                        t.expect(&format!("a request with a trailer in {label}"), DENIED);
                    }
                }
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/auth/fragment-trailers",
        Level::Win,
        "trailers on fragments of a connection that was bound without",
        "A fragment with an authentication trailer, where none was agreed on, is answered with access denied and the \
         connection closed, be it the first or a later one: the call is not served.",
        "Samba raw protocol tests (no_auth_ctx_request); MS-RPCE 3.3.3.5",
        |t| {
            for (label, marked) in [("the first", 0), ("the second", 1), ("the last", 2)] {
                t.bind()?;
                fragments(t, marked);
                t.expect(&format!("three fragments, a trailer on {label}"), DENIED);
            }
            Ok(())
        },
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/auth/alter-trailer",
        Level::Win,
        "an alter_context with a trailer of a kind nobody has",
        "An alter_context with an authentication trailer of an unknown type is not acknowledged: it is answered with a \
         fault, or the connection closed.",
        "MS-RPCE 2.2.2.5, 3.3.1.5.4; Samba server code",
        |t| {
            t.bind()?;
            let pdu = Pdu::whole(t.next_call_id(), Body::AlterContext(t.offer(vec![plain(t, 1)])));
            let mut frame = pdu.encode().expect("one context fits a PDU");
            append(&mut frame, 99, 0, 8);
            t.send_frame(&frame, None);
            t.expect("the alter_context", NOT_TAKEN);
            Ok(())
        },
    )
    .confidence(Confidence::Medium),
];

/// A call in three fragments, as far as the one that has a trailer: what comes after it nobody reads.
fn fragments(t: &mut Talk<'_>, marked: usize) {
    let call = Call::of(t);
    for (number, (flags, _, piece)) in pieces(&call.stub, &[64, 128]).enumerate().take(marked + 1) {
        let mut frame = t.frame_of(call.id, flags, 0, piece);
        if number == marked {
            append(&mut frame, 10, 0, 16);
        }
        t.send_frame(&frame, call.ask.clone());
    }
}

/// The context of a request with a trailer, and how many calls and alter_contexts come before it.
const BEFORE: [(u16, usize, usize); 5] = [(0, 0, 0), (3, 0, 0), (0, 2, 0), (0, 0, 1), (1, 1, 1)];
const DENIED: &[Accept] =
    &[ok(fault(&[FaultStatus::ACCESS_DENIED]).executed(true).want(), Then::Closed), loose(Want::Silence, Then::Closed)];
const NOT_TAKEN: &[Accept] = &[
    ok(Want::AnyFault, Then::Closed),
    ok(Want::Silence, Then::Closed),
    loose(Want::AnyFault, Then::Open),
    loose(Want::Nak(&[0, 4, 8]), Then::Closed),
];
