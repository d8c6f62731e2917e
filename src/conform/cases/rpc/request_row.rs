//! Many calls in one segment, good ones behind bad ones, and cancels of calls that are no more (C706 sections 12.6.4.2,
//! 12.6.4.8 and 12.6.4.12).

use super::tools::{ACCEPTED_NEXT, FAULTED, NO_OPERATION, SERVED_NEXT, UNKNOWN_CONTEXT, bind_as, echoes, syntaxes};
use crate::conform::accept::{Accept, Then, Want, fault, loose, ok};
use crate::conform::host::Patience;
use crate::conform::{Case, Confidence, Level, Stop, Talk};
use crate::proto::Ask;
use crate::wire::rpc::{Body, FaultStatus, Flags, Pdu, PduView, Ptype, SyntaxId, TransferSyntax, at};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "rpc/request/many-in-a-segment",
        Level::Win,
        "three and ten calls in one segment",
        "Calls that come together are all answered, each in its own context and syntax: in their order, where several at \
         once were not agreed on.",
        "seen live on Samba 4.17; Samba server code",
        |t| {
            for many in t.some_of(vec![3, 10], 1, 10) {
                t.bind()?;
                together(t, many, &[0], true)?;
                if t.bind_multiplexed().is_ok() {
                    together(t, many, &[0], false)?;
                }
            }
            if syntaxes(t)?.len() > 1 && bind_as(t, "a bind in NDR64", 1, TransferSyntax::Ndr64)? {
                let offered = t.offer(vec![t.context(0, &[SyntaxId::NDR32])]);
                t.send_alter(&offered);
                t.expect_next("an alter_context with NDR32", ACCEPTED_NEXT);
                if t.syntax_of(0).is_some() && !t.is_over() {
                    together(t, 4, &[1, 0], true)?;
                }
            }
            Ok(())
        },
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/request/good-behind-bad",
        Level::Win,
        "a good call right behind one that gets a fault",
        "A call that comes in one segment with one that gets a fault, and does not end the connection, is served.",
        "C706 chapter 12: a connection is a stream; seen live on Samba 4.17",
        |t| {
            for (label, spoil) in FAULTED {
                t.bind()?;
                let (mut bad, _) = t.request_frame(0);
                spoil(&mut bad);
                let (good, ask) = t.request_frame(0);
                t.note_sent(&bad, None);
                t.note_sent(&good, ask);
                t.transmit(&[bad, good].concat());
                // An interface may have operations without arguments.
                let bad = [ok(Want::AnyFault, Then::Either), ok(Want::Answered, Then::Either), loose(Want::Silence, Then::Closed)];
                let seen = t.expect_next(label, &bad);
                let is_fault = seen.reply.as_deref().is_some_and(|frame| PduView(frame).ptype() == Some(Ptype::FAULT));
                if is_fault && !t.is_over() {
                    let accepts = [ok(Want::Served, Then::Either), loose(Want::Silence, Then::Closed)];
                    t.expect_next(&format!("a good one behind {label}"), &accepts);
                }
            }
            Ok(())
        },
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/request/refused-again",
        Level::Win,
        "the same fault again and again",
        "A fault says the same each time: the third like the first, after other faults and after cancels.",
        "Samba raw protocol tests; seen live on Samba 4.17",
        |t| {
            t.bind()?;
            let mut hints = [None; FAULTS.len()];
            for number in 1..=3 {
                for ((label, context, opnum, accepts), due) in FAULTS.iter().zip(&mut hints) {
                    if t.is_over() {
                        return Ok(());
                    }
                    let pdu = Pdu::whole(t.next_call_id(), Body::CoCancel);
                    t.send_pdu(&pdu);
                    t.request_with(*context, |frame| {
                        if let Some(opnum) = opnum {
                            at::set(frame, at::OPNUM, &opnum.to_le_bytes());
                        }
                    });
                    let seen = t.expect_next(&format!("{label}, number {number}"), accepts);
                    let hint = seen.reply.as_deref().and_then(|frame| PduView(frame).alloc_hint());
                    if let (Some(hint), false) = (hint, t.is_over()) {
                        t.field("alloc_hint", *due.get_or_insert(hint), hint);
                    }
                }
                if !t.is_over() {
                    t.request(0);
                    t.expect_next("a good one then", SERVED_NEXT);
                }
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/request/flags-of-faults",
        Level::Win,
        "refused calls with flags that mean nothing",
        "The flags maybe and did_not_execute of a call change nothing about the fault that it gets.",
        "seen live on Samba 4.17; Samba server code",
        |t| {
            for flag in [Flags::MAYBE, Flags::DID_NOT_EXECUTE, Flags(0x08)] {
                for (label, context, opnum, accepts) in t.in_turn(FAULTS) {
                    t.bind()?;
                    t.request_with(context, |frame| {
                        frame[at::FLAGS] |= flag.0;
                        if let Some(opnum) = opnum {
                            at::set(frame, at::OPNUM, &opnum.to_le_bytes());
                        }
                    });
                    t.expect_next(&format!("{label} with the flag {flag}"), accepts);
                }
            }
            Ok(())
        },
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/request/cancels-around",
        Level::Win,
        "cancels before and after the calls they are of",
        "A co_cancel or an orphaned of a call that is answered already, of one that is still to come, or again of either, \
         is not answered and harms no call, wherever several calls at once or features were agreed on too.",
        "Samba raw protocol tests (co_cancel_no_request, orphaned_no_request)",
        |t| {
            let bodies = [("a co_cancel", Body::CoCancel), ("an orphaned", Body::Orphaned)];
            let all = bodies.iter().flat_map(|body| BINDS.iter().map(move |bind| (body, bind))).collect();
            for ((label, body), (how, bind)) in t.some_of(all, 2, 7) {
                if bind(t)? {
                    around(t, &format!("{label}, {how}"), body);
                }
            }
            Ok(())
        },
    ),
];

/// Sends so many calls at once, in these contexts in turn, and waits for all of them.
fn together(t: &mut Talk<'_>, many: usize, contexts: &[u16], in_order: bool) -> Result<(), Stop> {
    let calls: Vec<(Vec<u8>, Option<Ask>)> =
        (0..many).map(|number| t.request_frame(contexts[number % contexts.len()])).collect();
    let ids: Vec<_> = calls.iter().map(|(frame, ask)| t.note_sent(frame, ask.clone())).collect();
    t.transmit(&calls.iter().flat_map(|(frame, _)| frame.clone()).collect::<Vec<_>>());
    // A stack whose first call is still under way then refuses the second.
    let pending = loose(fault(&[FaultStatus::PROTOCOL_ERROR]).want(), Then::Either);
    for (number, id) in ids.iter().enumerate() {
        let label = format!("answer {} of {many} calls in contexts {contexts:?}", number + 1);
        let seen = t.expect_next(&label, &[ok(Want::Served, Then::Either), pending]);
        if seen.answer.is_none() || t.is_over() {
            return Ok(());
        }
        if in_order {
            echoes(t, &seen, *id);
        }
    }
    Ok(())
}

/// Calls with cancels of them before and after.
fn around(t: &mut Talk<'_>, label: &str, body: &Body<'_>) {
    for (when, before, after) in [("before", 1, 0), ("after", 0, 1), ("twice before and after", 2, 2)] {
        if t.is_over() {
            return;
        }
        let (frame, ask) = t.request_frame(0);
        let id = PduView(&frame).call_id().unwrap_or_default();
        for _ in 0..before {
            t.send_pdu(&Pdu::whole(id, body.clone()));
        }
        t.send_frame(&frame, ask);
        t.expect_next(&format!("a call with {label}, {when}"), SERVED_NEXT);
        for _ in 0..after {
            if !t.is_over() {
                t.send_pdu(&Pdu::whole(id, body.clone()));
            }
        }
        if !t.is_over() {
            t.request(0);
            t.expect_next(&format!("the next call after {label}, {when}"), SERVED_NEXT);
        }
    }
}

const FAULTS: &[(&str, u16, Option<u16>, &[Accept])] = &[
    ("a call in an unknown context", 99, None, UNKNOWN_CONTEXT),
    ("a call of no operation", 0, Some(0xffff), NO_OPERATION),
    ("a call in another unknown context", 0x8001, None, UNKNOWN_CONTEXT),
];

/// How a connection is bound, and whether calls can be made then.
type BindSo = fn(&mut Talk<'_>) -> Result<bool, Stop>;

const BINDS: &[(&str, BindSo)] = &[
    ("on an ordinary connection", |t| t.bind().map(|_| true)),
    ("where several calls at once were agreed on", |t| Ok(t.bind_multiplexed().is_ok())),
    ("where features were agreed on", |t| {
        t.connect()?;
        let syntaxes = [SyntaxId::NDR32, SyntaxId::bind_time_features(3)];
        let contexts = syntaxes.iter().zip(0..).map(|(syntax, id)| t.context(id, &[*syntax])).collect();
        let offered = t.offer(contexts);
        t.send_bind(Flags::WHOLE, &offered);
        t.see(Patience::Answer, None);
        Ok(t.syntax_of(0).is_some() && !t.is_over())
    }),
];
