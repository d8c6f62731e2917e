//! Calls after one another, at once, and cancelled (C706 sections 12.6.4.2, 12.6.4.8 and 12.6.4.12).

use super::tools::{ACCEPTED_NEXT, SERVED, SERVED_NEXT, TIME_MAX, echoes, plain};
use crate::conform::accept::{Seen, Then, Want, fault, judge, loose, ok};
use crate::conform::host::{Closing, Patience};
use crate::conform::{Case, Confidence, Level, Stop, Talk};
use crate::wire::rpc::{Body, FaultStatus, Flags, Pdu, PduView, Ptype, at};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "rpc/request/two-in-a-row",
        Level::Must,
        "two calls one after the other",
        "A second request on a connection is answered like the first.",
        "C706 chapter 12; seen on every host that Windows clients renew with",
        |t| {
            t.bind()?;
            t.request(0);
            t.expect("the first request", SERVED);
            t.request(0);
            t.expect("the second request", SERVED);
            Ok(())
        },
    ),
    Case::new(
        "rpc/request/thousand-in-a-row",
        Level::Must,
        "more than a thousand calls on one connection",
        "A connection carries as many calls as a client makes: eleven hundred one after the other are all answered.",
        "C706 chapter 12; seen live on Samba 4.17; independent implementations agree",
        |t| {
            t.bind()?;
            let most = if t.is_paced() { 60 } else { t.times(1100, 20, 1) };
            let mut came = (0, Seen { reply: None, answer: None, closing: Closing::Open });
            for number in 1..=most {
                t.request(0);
                came = (number, t.see(Patience::Answer, None));
                if judge(&came.1, SERVED).is_err() {
                    break;
                }
                // A host that takes its time is right too; how far it came is told.
                if t.took() > TIME_MAX {
                    t.note(format!("{number} of {most} calls, for that took {TIME_MAX:?}"));
                    break;
                }
            }
            t.judge(&format!("request {} of {most}", came.0), &came.1, SERVED);
            match t.is_paced() {
                false => Ok(()),
                // Less than what is asked for shows less.
                true => Err(Stop::NotApplicable(format!(
                    "{most} calls were answered; eleven hundred are too many for this host unless it is disposable"
                ))),
            }
        },
    )
    .revision(2),
    Case::new(
        "rpc/request/any-call-id",
        Level::Win,
        "call ids in any order",
        "A call id is a client's own: calls and alter_contexts are answered under theirs though it falls, is that of the \
         one before, or goes from the last number to the first.",
        "C706 section 12.6.3.6; seen live on Samba 4.17",
        |t| {
            t.bind()?;
            for (number, id) in IDS.into_iter().enumerate() {
                if t.is_over() {
                    break;
                }
                t.request_with(0, |frame| at::set(frame, at::CALL_ID, &id.to_le_bytes()));
                let seen = t.expect_next(&format!("call {number}, with call id 0x{id:08x}"), SERVED_NEXT);
                echoes(t, &seen, id);
                if number % 3 == 2 && !t.is_over() {
                    let offered = t.offer(vec![plain(t, 1)]);
                    t.send_pdu(&Pdu::whole(id, Body::AlterContext(offered)));
                    let seen = t.expect_next(&format!("an alter_context with call id 0x{id:08x}"), ACCEPTED_NEXT);
                    echoes(t, &seen, id);
                }
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/request/pipelined",
        Level::Win,
        "two requests in one segment",
        "Two requests sent at once on a connection that does not multiplex are answered one after the other, in their order.",
        "seen live on Samba 4.17; Samba server code",
        |t| {
            t.bind()?;
            let sent = two_at_once(t);
            // A stack whose first call is still under way then refuses the second.
            let pending = loose(fault(&[FaultStatus::PROTOCOL_ERROR]).want(), Then::Either);
            let first = t.expect_next("the first answer", &[ok(Want::Served, Then::Either), pending]);
            if first.answer.is_none() {
                return Ok(());
            }
            let second = t.expect_next("the second answer", &[ok(Want::Served, Then::Either), pending]);
            if second.answer.is_some() {
                t.field("order", sent.map(Some), [call_id(&first), call_id(&second)]);
            }
            Ok(())
        },
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/request/multiplexed",
        Level::Win,
        "two requests at once where that was agreed on",
        "Two requests sent at once on a connection that multiplexes are both answered, each under its call id.",
        "seen live on Samba 4.17; MS-RPCE 3.3.1.5.8",
        |t| {
            t.bind_multiplexed()?;
            let sent = two_at_once(t);
            let first = t.expect_next("an answer", &[ok(Want::Served, Then::Either)]);
            let second = t.expect_next("the other answer", &[ok(Want::Served, Then::Either)]);
            if let (Some(first), Some(second)) = (call_id(&first), call_id(&second)) {
                let mut got = [first, second];
                got.sort_unstable();
                t.field("call_id", sent, got);
            }
            Ok(())
        },
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/request/multiplexed-same-id",
        Level::Win,
        "two requests of one call id at once",
        "Two requests of the same call id sent at once on a connection that multiplexes are both answered.",
        "seen live on Samba 4.17",
        |t| {
            t.bind_multiplexed()?;
            let (frame, ask) = t.request_frame(0);
            t.note_sent(&frame, ask.clone());
            t.note_sent(&frame, ask);
            t.transmit(&[frame.clone(), frame].concat());
            t.expect_next("an answer", &[ok(Want::Served, Then::Either)]);
            t.expect_next("the other answer", &[ok(Want::Served, Then::Either)]);
            Ok(())
        },
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/request/cancelled",
        Level::Win,
        "a request that is cancelled already",
        "A request with the flag pending_cancel on its first fragment is answered with the fault 0x000006BD and did_not_execute for context 0, and a close.",
        "Samba raw protocol tests (first_cancel); seen live on Samba 4.17",
        |t| {
            t.bind()?;
            t.request_with(0, |frame| frame[at::FLAGS] |= Flags::PENDING_CANCEL.0);
            let cancelled = fault(&[FaultStatus::CALL_CANCELLED]).executed(false).context(0);
            let accepts = [
                ok(cancelled.want(), Then::Closed),
                loose(Want::Silence, Then::Closed),
                loose(Want::Served, Then::Open),
            ];
            t.expect("the request", &accepts);
            Ok(())
        },
    ),
    Case::new(
        "rpc/request/co-cancel",
        Level::Win,
        "a co_cancel with no call",
        "A co_cancel with no call under way is not answered, and the next request is served.",
        "Samba raw protocol tests (co_cancel_no_request); seen live on Samba 4.17",
        |t| unanswered(t, Body::CoCancel),
    ),
    Case::new(
        "rpc/request/orphaned",
        Level::Win,
        "an orphaned with no call",
        "An orphaned PDU with no call under way is not answered, and the next request is served.",
        "Samba raw protocol tests (orphaned_no_request); seen live on Samba 4.17",
        |t| unanswered(t, Body::Orphaned),
    ),
    Case::new(
        "rpc/request/shutdown",
        Level::Win,
        "a shutdown from the client",
        "A shutdown PDU, which only hosts may send, is answered with a protocol error and did_not_execute, and a close.",
        "seen live on Samba 4.17",
        |t| {
            t.bind()?;
            let call_id = t.next_call_id();
            t.send_pdu(&Pdu::whole(call_id, Body::Shutdown));
            let error = fault(&[FaultStatus::PROTOCOL_ERROR]).executed(false);
            t.expect("the shutdown", &[ok(error.want(), Then::Closed), loose(Want::Silence, Then::Closed)]);
            Ok(())
        },
    )
    .confidence(Confidence::Medium),
];

/// Sends two ordinary requests in one segment, and says their call ids.
fn two_at_once(t: &mut Talk<'_>) -> [u32; 2] {
    let requests = [t.request_frame(0), t.request_frame(0)];
    let ids = requests.clone().map(|(frame, ask)| t.note_sent(&frame, ask));
    t.transmit(&requests.map(|(frame, _)| frame).concat());
    ids
}

fn unanswered(t: &mut Talk<'_>, body: Body<'_>) -> Result<(), Stop> {
    t.bind()?;
    let call_id = t.next_call_id();
    t.send_pdu(&Pdu::whole(call_id, body));
    t.expect("afterwards", &[ok(Want::Silence, Then::Open)]);
    t.still_serves("the next request");
    Ok(())
}

/// The call id of a response.
fn call_id(seen: &Seen) -> Option<u32> {
    let view = seen.reply.as_deref().map(PduView)?;
    view.call_id().filter(|_| view.ptype() == Some(Ptype::RESPONSE))
}

/// Again, less, the ends of the range, and what a signed number makes negative.
const IDS: [u32; 15] =
    [7, 7, 6, 1, 0, 0, u32::MAX, u32::MAX, 0, 0x8000_0000, 0x7fff_ffff, 0x8000_0000, 0x0001_0000, 0xffff, 2];
