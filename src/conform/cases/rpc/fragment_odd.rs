//! Fragments of odd lengths, of calls that are refused, with cancels between them, and up to what a host joins (C706
//! section 12.6.3.7; MS-RPCE 3.3.3.5.4).

use super::calls::Call;
use super::fragment::{ENDED, PIECE, REQUEST_MAX, TOO_MUCH};
use super::tools::{ACCEPTED_NEXT, SERVED_NEXT, bind_as, echoes, plain, syntaxes};
use crate::conform::accept::{Accept, Seen, Then, Want, fault, loose, ok};
use crate::conform::{Case, Confidence, Level, Stop, Talk};
use crate::wire::rpc::{Body, FaultStatus, Flags, Pdu, PduView, TransferSyntax, at};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "rpc/fragment/any-length",
        Level::Win,
        "fragments whose lengths are odd",
        "A request is put together from fragments of any length, in every syntax the host speaks.",
        "seen live on Samba 4.17; C706 section 12.6.3.7 asks clients for multiples of eight",
        |t| {
            for syntax in syntaxes(t)? {
                if !bind_as(t, &format!("a bind in {}", syntax.id()), 0, syntax)? {
                    continue;
                }
                for places in [&[1][..], &[7], &[1, 4, 9, 16, 25, 36, 49], &[3, 4, 5, 6], &[12, 13, 20, 100]] {
                    if !t.is_over() {
                        Call::in_syntax(t, syntax).send_cut(t, places, |_, _, _| ());
                        t.expect_next(&format!("a request cut at {places:?} in {}", syntax.id()), SERVED_NEXT);
                    }
                }
            }
            Ok(())
        },
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/fragment/refused-calls",
        Level::Win,
        "calls in fragments that are refused",
        "A call in fragments for an unknown operation is answered with one fault for its context, as one in one piece \
         is, and the next call is served.",
        "Samba raw protocol tests; Samba server code",
        |t| {
            for (opnum, context) in [(0xffff, 0), (0x100, 3), (200, 7)] {
                t.bind_with(Flags::WHOLE, context)?;
                for count in [2, 3] {
                    if t.is_over() {
                        break;
                    }
                    refused(t, opnum, context, count);
                    let label = format!("operation {opnum} in context {context} in {count} fragments");
                    let seen = t.expect(&label, OUT_OF_RANGE);
                    names_context(t, &seen, context);
                    if !t.is_over() {
                        t.request(context);
                        t.expect_next(&format!("a good one after operation {opnum}"), SERVED_NEXT);
                    }
                }
            }
            Ok(())
        },
    )
    .revision(2)
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/fragment/others-cancelled",
        Level::Win,
        "cancels of other calls between fragments",
        "A co_cancel or an orphaned of another call, between the fragments of one, does not keep this one from being \
         answered.",
        "Samba raw protocol tests (co_cancel_after_first, orphaned_after_first)",
        |t| {
            for (label, body) in [("a co_cancel", Body::CoCancel), ("an orphaned", Body::Orphaned)] {
                for other in t.in_turn(&[1, 0x1_0000, 0xffff_0000]) {
                    t.bind()?;
                    let call = Call::of(t);
                    let half = call.stub.len() / 2;
                    call.send(t, Flags::FIRST, &call.stub[..half]);
                    t.send_pdu(&Pdu::whole(call.id.wrapping_add(other), body.clone()));
                    call.send(t, Flags::LAST, &call.stub[half..]);
                    t.expect_next(&format!("a request with {label} of call id + 0x{other:x} between"), SERVED_NEXT);
                }
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/fragment/alter-between",
        Level::Win,
        "an alter_context between fragments",
        "An alter_context between the fragments of a call is acknowledged under its own call id, and the call is \
         answered under its own.",
        "Samba server code; C706 section 12.6.4.1",
        |t| {
            t.bind()?;
            let call = Call::of(t);
            let half = call.stub.len() / 2;
            call.send(t, Flags::FIRST, &call.stub[..half]);
            let offered = t.offer(vec![plain(t, 1)]);
            let id = t.send_alter(&offered);
            let seen = t.expect_next("an alter_context between fragments", ACCEPTED_NEXT);
            echoes(t, &seen, id);
            if !t.is_over() {
                call.send(t, Flags::LAST, &call.stub[half..]);
                let seen = t.expect_next("the whole of the call", SERVED_NEXT);
                echoes(t, &seen, call.id);
            }
            Ok(())
        },
    )
    .revision(2)
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/fragment/near-call-ids",
        Level::Win,
        "the end of a call whose number is nearly the same",
        "A last fragment whose call id differs from that of the call under way in some bits alone is one of another call, \
         and a protocol error of the call under way.",
        "Samba raw protocol tests (mix); seen live on Samba 4.17",
        |t| {
            for bits in [0x1_0000, 0x100, 0x8000_0000, 1] {
                t.bind()?;
                let call = Call::of(t);
                let half = call.stub.len() / 2;
                call.send(t, Flags::FIRST, &call.stub[..half]);
                let frame = t.frame_of(call.id ^ bits, Flags::LAST, 0, &call.stub[half..]);
                t.send_frame(&frame, None);
                let seen = t.expect(&format!("the end of a call whose id differs by 0x{bits:x}"), ENDED);
                if let Some(view) = seen.reply.as_deref().map(PduView) {
                    t.field("call_id", Some(call.id), view.call_id());
                }
            }
            Ok(())
        },
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/fragment/cancelled-first",
        Level::Win,
        "a call in fragments that is cancelled already",
        "The flag pending_cancel on the first of several fragments is answered like that on a whole call: with the fault \
         0x000006BD and did_not_execute for context 0, and a close.",
        "Samba raw protocol tests (first_cancel)",
        |t| {
            t.bind()?;
            let call = Call::of(t);
            call.send(t, Flags::FIRST.with(Flags::PENDING_CANCEL), &call.stub[..64.min(call.stub.len())]);
            let cancelled = fault(&[FaultStatus::CALL_CANCELLED]).executed(false).context(0);
            t.expect("the first fragment", &[ok(cancelled.want(), Then::Closed), loose(Want::Silence, Then::Closed)]);
            Ok(())
        },
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/fragment/large",
        Level::Win,
        "calls of more than 64 KiB",
        "A call is put together though it is longer than sixteen bits tell.",
        "MS-RPCE 3.3.3.5.4; Samba raw protocol tests (fragmented04, fragmented05)",
        |t| {
            if t.is_paced() {
                return Err(Stop::NotApplicable("it takes more fragments than this host may be sent".to_owned()));
            }
            t.bind()?;
            for length in [0x8000, 0x1_0000, 0x1_1170] {
                if !t.is_over() {
                    long(t, length);
                    t.expect_next(&format!("a request of {length} bytes"), SERVED_NEXT);
                }
            }
            Ok(())
        },
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/fragment/too-large-at-last",
        Level::Win,
        "calls that are too large in the end",
        "A hint of more than four megabytes is too much though its highest bit is set, and so are four megabytes that only \
         the last fragment makes more of: access denied, and the connection closed.",
        "MS-RPCE 3.3.3.5.4; Samba server code",
        |t| {
            for hint in [0x8000_0000_u32, u32::MAX] {
                t.bind()?;
                let call = Call::of(t);
                let mut frame = t.frame_of(call.id, Flags::FIRST, 0, &call.stub);
                at::set(&mut frame, at::ALLOC_HINT, &hint.to_le_bytes());
                t.send_frame(&frame, call.ask.clone());
                t.expect(&format!("a first fragment that hints at 0x{hint:x} bytes"), TOO_MUCH);
            }
            if t.is_paced() {
                return Ok(());
            }
            t.bind()?;
            let id = t.next_call_id();
            let piece = vec![0; PIECE];
            let first = t.frame_of(id, Flags::FIRST, 0, &piece);
            t.send_opaque(&first);
            let more = t.frame_of(id, Flags::default(), 0, &piece);
            for _ in 1..REQUEST_MAX as usize / PIECE {
                t.send_raw(&more);
            }
            let last = t.frame_of(id, Flags::LAST, 0, &piece);
            t.send_raw(&last);
            t.expect("four megabytes and the last fragment", TOO_MUCH);
            Ok(())
        },
    )
    .confidence(Confidence::Medium),
];

/// Whether a fault that says that there is no such operation is for this context.
fn names_context(t: &mut Talk<'_>, seen: &Seen, context: u16) {
    let Some(Ok(pdu)) = seen.reply.as_deref().map(Pdu::decode) else { return };
    if let Body::Fault(fault) = pdu.body
        && fault.status == FaultStatus::OP_RANGE_ERROR
    {
        t.field("p_cont_id", context, fault.context_id);
    }
}

/// A call of this operation in this context, in so many fragments.
fn refused(t: &mut Talk<'_>, opnum: u16, context: u16, count: usize) {
    let (stub, _) = t.stub(TransferSyntax::Ndr32);
    let id = t.next_call_id();
    let step = (stub.len() / count).next_multiple_of(8).max(8);
    let places: Vec<_> = (1..count).map(|number| number * step).collect();
    for (flags, _, piece) in super::calls::pieces(&stub, &places) {
        let mut frame = t.frame_of(id, flags, context, piece);
        at::set(&mut frame, at::OPNUM, &opnum.to_le_bytes());
        t.send_frame(&frame, None);
    }
}

/// An ordinary call with so many bytes after its stub that it is this long, in fragments of any size.
fn long(t: &mut Talk<'_>, length: usize) {
    let call = Call::of(t).padded(length);
    let places: Vec<_> = (PIECE..length).step_by(PIECE).collect();
    call.send_cut(t, &places, |_, _, _| ());
}

/// What a host says to a call of an operation that there is not; which context it names is looked at by itself.
const OUT_OF_RANGE: &[Accept] = &[
    ok(fault(&[FaultStatus::OP_RANGE_ERROR]).executed(false).want(), Then::Open),
    loose(Want::AnyFault, Then::Either),
    loose(Want::Silence, Then::Closed),
];
