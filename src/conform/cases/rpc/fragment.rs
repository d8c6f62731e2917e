//! Requests in several fragments (C706 section 12.6.3.7; MS-RPCE 3.3.3.5.4).

use super::calls::Call;
use super::tools::SERVED;
use crate::conform::accept::{Accept, Then, Want, fault, loose, ok};
use crate::conform::{Case, Confidence, Level, Stop, Talk};
use crate::wire::rpc::{Body, FaultStatus, Flags, Pdu, at};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "rpc/fragment/two",
        Level::Must,
        "a request in two fragments",
        "A request in two fragments, the first and the last, is answered once and as a whole.",
        "C706 section 12.6.3.7; Samba raw protocol tests (fragmented); seen live on Samba 4.17",
        |t| {
            t.bind()?;
            let call = Call::of(t);
            call.send_cut(t, &[call.stub.len() / 2], |_, _, _| ());
            t.expect("the whole of it", SERVED);
            t.still_serves("a request in one piece then");
            Ok(())
        },
    ),
    Case::new(
        "rpc/fragment/many",
        Level::Must,
        "a request in fragments of eight bytes",
        "A request in as many fragments as it takes to send eight bytes in each is answered once and as a whole.",
        "C706 section 12.6.3.7; Samba raw protocol tests",
        |t| {
            t.bind()?;
            let call = Call::of(t);
            let places: Vec<_> = (8..call.stub.len()).step_by(8).collect();
            call.send_cut(t, &places, |_, _, _| ());
            t.expect("the whole of it", SERVED);
            Ok(())
        },
    ),
    Case::new(
        "rpc/fragment/not-first",
        Level::Win,
        "a fragment that continues nothing",
        "A fragment that is not the first of a call, when no call is under way, is answered with a protocol error for \
         context 0 without did_not_execute, and the connection closed.",
        "Samba raw protocol tests (last_only, none_only); seen live on Samba 4.17",
        |t| {
            for (label, flags) in
                [("the last fragment alone", Flags::LAST), ("one in the middle alone", Flags::default())]
            {
                t.bind()?;
                let call = Call::of(t);
                call.send(t, flags, &call.stub);
                t.expect(label, BROKEN);
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/fragment/first-only",
        Level::Win,
        "a request that is not finished",
        "After the first fragment of a request a host waits for the rest: it says nothing, and the connection stays open.",
        "Samba raw protocol tests; seen live on Samba 4.17",
        |t| {
            t.bind()?;
            let call = Call::of(t);
            call.send(t, Flags::FIRST, &call.stub);
            t.expect("the first fragment alone", &[ok(Want::Silence, Then::Open)]);
            if !t.is_over() {
                call.send(t, Flags::LAST, &[]);
                t.expect("the last one, which is empty", SERVED);
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/fragment/first-twice",
        Level::Win,
        "a call that begins twice",
        "A second first fragment of the same call is answered with a protocol error in its context, and the connection \
         closed.",
        "Samba raw protocol tests (first_only); seen live on Samba 4.17",
        |t| {
            t.bind_with(Flags::WHOLE, 7)?;
            let call = Call::of(t);
            for _ in 0..2 {
                let frame = t.frame_of(call.id, Flags::FIRST, 7, &call.stub);
                t.send_frame(&frame, call.ask.clone());
            }
            let error = fault(&[FaultStatus::PROTOCOL_ERROR]).context(7);
            t.expect(
                "the second first fragment",
                &[ok(error.want(), Then::Closed), loose(Want::Silence, Then::Closed)],
            );
            Ok(())
        },
    ),
    Case::new(
        "rpc/fragment/other-call",
        Level::Win,
        "another call while one is not finished",
        "Where no several calls at once were agreed on, the first fragment of another call is answered with a protocol \
         error of the call that is not finished, and the connection closed.",
        "Samba raw protocol tests (mix); seen live on Samba 4.17",
        |t| {
            t.bind()?;
            other_call(t, Flags::FIRST, true)
        },
    ),
    Case::new(
        "rpc/fragment/other-call-multiplexed",
        Level::Win,
        "another call while one is not finished, where several at once were agreed on",
        "Where several calls at once were agreed on, the first fragment of another call while one is not finished is \
         answered with a protocol error of the new call, and the connection closed.",
        "Samba raw protocol tests (orphaned_mpx)",
        |t| {
            t.bind_multiplexed()?;
            other_call(t, Flags::FIRST, false)
        },
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/fragment/last-of-other-call",
        Level::Win,
        "the end of another call than the one that is under way",
        "A last fragment of another call is answered with a protocol error of the call that is under way, and the \
         connection closed.",
        "seen live on Samba 4.17",
        |t| {
            t.bind()?;
            other_call(t, Flags::LAST, true)
        },
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/fragment/whole-call-between",
        Level::Win,
        "a whole call while another is not finished",
        "A call in one piece while another is not finished is answered with a protocol error, and the connection closed: \
         of the call that is not finished, or of the new one where several at once were agreed on.",
        "Samba raw protocol tests (mix); Samba server code",
        |t| {
            t.bind()?;
            other_call(t, Flags::WHOLE, true)?;
            t.bind()?;
            let call = Call::of(t);
            call.send(t, Flags::FIRST, &call.stub[..call.stub.len() / 2]);
            call.send(t, Flags::WHOLE, &call.stub);
            t.expect("a whole call of the same call id", ENDED);
            if t.bind_multiplexed().is_ok() {
                other_call(t, Flags::WHOLE, false)?;
            }
            Ok(())
        },
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/fragment/other-context",
        Level::Win,
        "later fragments that name another context and operation",
        "Context and operation of a call are those of its first fragment; what later ones say is ignored.",
        "seen live on Samba 4.17",
        |t| {
            t.bind()?;
            let call = Call::of(t);
            let half = call.stub.len() / 2;
            call.send(t, Flags::FIRST, &call.stub[..half]);
            let mut frame = t.frame_of(call.id, Flags::LAST, 99, &call.stub[half..]);
            at::set(&mut frame, at::OPNUM, &77_u16.to_le_bytes());
            t.send_frame(&frame, None);
            t.expect("the whole of it", SERVED);
            Ok(())
        },
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/fragment/cancel-between",
        Level::Win,
        "a cancel or an orphaned between fragments",
        "A co_cancel, an orphaned, or the flag pending_cancel on a later fragment does not keep a call from being answered.",
        "Samba raw protocol tests (co_cancel_after_first, orphaned_after_first, 2nd_cancel, last_cancel)",
        |t| {
            for (label, between, flags) in [
                ("a co_cancel between", Some(Body::CoCancel), Flags::LAST),
                ("an orphaned between", Some(Body::Orphaned), Flags::LAST),
                ("pending_cancel on the last", None, Flags::LAST.with(Flags::PENDING_CANCEL)),
            ] {
                t.bind()?;
                let call = Call::of(t);
                let half = call.stub.len() / 2;
                call.send(t, Flags::FIRST, &call.stub[..half]);
                if let Some(body) = between {
                    t.send_pdu(&Pdu::whole(call.id, body));
                }
                call.send(t, flags, &call.stub[half..]);
                t.expect(label, SERVED);
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/fragment/changed-drep",
        Level::Win,
        "fragments of different data representations",
        "A call whose fragments say different data representations is a protocol error.",
        "Samba server code",
        |t| {
            t.bind()?;
            let call = Call::of(t);
            let half = call.stub.len() / 2;
            call.send(t, Flags::FIRST, &call.stub[..half]);
            let mut frame = t.frame_of(call.id, Flags::LAST, 0, &call.stub[half..]);
            frame[at::DREP + 1] = 1;
            t.send_frame(&frame, None);
            t.expect("a last fragment with VAX floats", ENDED);
            Ok(())
        },
    )
    .confidence(Confidence::Low),
    Case::new(
        "rpc/fragment/huge-hint",
        Level::Win,
        "a call that says it will be larger than four megabytes",
        "A first fragment whose allocation hint is more than 4 MiB is answered with access denied, and the connection \
         closed.",
        "MS-RPCE 3.3.3.5.4; Samba raw protocol tests (fragmented04); seen live on Samba 4.17",
        |t| {
            t.bind()?;
            let call = Call::of(t);
            let mut frame = t.frame_of(call.id, Flags::FIRST, 0, &call.stub);
            at::set(&mut frame, at::ALLOC_HINT, &(REQUEST_MAX + 1).to_le_bytes());
            t.send_frame(&frame, call.ask.clone());
            t.expect("the first fragment", TOO_MUCH);
            Ok(())
        },
    ),
    Case::new(
        "rpc/fragment/huge-request",
        Level::Win,
        "a call that grows larger than four megabytes",
        "A call whose fragments come to more than 4 MiB is answered with access denied, and the connection closed.",
        "MS-RPCE 3.3.3.5.4; Samba raw protocol tests (fragmented05); seen live on Samba 4.17",
        |t| {
            if t.is_paced() {
                return Err(Stop::NotApplicable("it takes more fragments than this host may be sent".to_owned()));
            }
            t.bind()?;
            let id = t.next_call_id();
            let piece = vec![0; PIECE];
            let first = t.frame_of(id, Flags::FIRST, 0, &piece);
            t.send_opaque(&first);
            let more = t.frame_of(id, Flags::default(), 0, &piece);
            for _ in 0..REQUEST_MAX as usize / PIECE + 1 {
                t.send_raw(&more);
            }
            t.expect("as much as that", TOO_MUCH);
            Ok(())
        },
    ),
];

/// Sends the first fragment of one call and then a fragment of another, and looks which of them is blamed.
pub fn other_call(t: &mut Talk<'_>, flags: Flags, blames_first: bool) -> Result<(), Stop> {
    let (first, second) = (Call::of(t), Call::of(t));
    first.send(t, Flags::FIRST, &first.stub);
    second.send(t, flags, &second.stub);
    let seen = t.expect("a fragment of the other call", ENDED);
    if let Some(view) = seen.reply.as_deref().map(crate::wire::rpc::PduView) {
        t.field("call_id", Some(if blames_first { first.id } else { second.id }), view.call_id());
    }
    Ok(())
}

const BROKEN: &[Accept] = &[
    ok(fault(&[FaultStatus::PROTOCOL_ERROR]).executed(true).context(0).want(), Then::Closed),
    loose(Want::Silence, Then::Closed),
];
pub const ENDED: &[Accept] =
    &[ok(fault(&[FaultStatus::PROTOCOL_ERROR]).want(), Then::Closed), loose(Want::Silence, Then::Closed)];
pub const TOO_MUCH: &[Accept] =
    &[ok(fault(&[FaultStatus::ACCESS_DENIED]).want(), Then::Closed), loose(Want::Silence, Then::Closed)];
/// What a Windows RPC server joins of one request by default, in bytes.
pub const REQUEST_MAX: u32 = 4 << 20;
/// What fits a fragment of the size every host takes, and is a multiple of eight.
pub const PIECE: usize = 2048 - 24;
