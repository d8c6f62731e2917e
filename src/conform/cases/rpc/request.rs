//! Requests and how they are dispatched (C706 sections 12.6.4.9 and 12.6.4.7; MS-RPCE 3.3.3.5).

use super::calls::insert_object;
use super::tools::{FAULTED, SERVED};
use crate::conform::accept::{Seen, Then, Want, fault, loose, ok};
use crate::conform::host::Patience;
use crate::conform::{Case, Level, Stop, Talk};
use crate::wire::rpc::{FaultStatus, Flags, PduView, Ptype, SyntaxId, at};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "rpc/request/unknown-context",
        Level::Win,
        "a context that was never offered",
        "A request in an unknown context is answered with the fault nca_s_unk_if and did_not_execute for context 0, and the connection goes on.",
        "Samba raw protocol tests; seen live on Samba 4.17",
        |t| {
            t.bind()?;
            t.request(12_345);
            let unknown = fault(&[FaultStatus::UNKNOWN_INTERFACE]).executed(false).context(0);
            t.expect("the request", &[ok(unknown.want(), Then::Open), loose(Want::Silence, Then::Closed)]);
            t.still_serves("a request in the known context");
            Ok(())
        },
    ),
    Case::new(
        "rpc/request/unknown-operation",
        Level::Win,
        "operations there are none of",
        "A request for an operation out of range is answered with the fault nca_s_op_rng_error and did_not_execute for its context, and the connection goes on.",
        "Samba raw protocol tests; seen live on Samba 4.17",
        |t| {
            t.bind_with(Flags::WHOLE, 7)?;
            // Other interfaces may well have an operation 1.
            let is_kms = t.service().interface == SyntaxId::KMS;
            for opnum in [1, 99, 0xffff].into_iter().filter(|opnum| *opnum != 1 || is_kms) {
                t.request_with(7, |frame| put_opnum(frame, opnum));
                let out_of_range = fault(&[FaultStatus::OP_RANGE_ERROR]).executed(false).context(7);
                let accepts = [ok(out_of_range.want(), Then::Open), loose(Want::Silence, Then::Closed)];
                t.expect(&format!("operation {opnum}"), &accepts);
                if t.is_over() {
                    return Ok(());
                }
            }
            t.request(7);
            t.expect("an ordinary request afterwards", &[ok(Want::Served, Then::Either)]);
            Ok(())
        },
    ),
    Case::new(
        "rpc/request/object",
        Level::Win,
        "an object UUID",
        "Of a request with the flag object_uuid the sixteen bytes of the UUID are skipped, and the call is served.",
        "C706 section 12.6.4.9; seen live on Samba 4.17; Samba torture test of object UUIDs",
        |t| {
            t.bind()?;
            t.request_with(0, |frame| insert_object(frame, [0x5a; 16]));
            t.expect("the request", &[ok(Want::Served, Then::Open)]);
            t.still_serves("a request without one");
            Ok(())
        },
    ),
    Case::new(
        "rpc/request/object-missing",
        Level::Rec,
        "an object UUID that is not there",
        "A request with the flag object_uuid that ends before the UUID does is answered with a fault or with a close.",
        "seen live on Samba 4.17",
        |t| {
            t.bind()?;
            t.request_with(0, |frame| {
                frame.truncate(at::STUB);
                frame[at::FLAGS] |= Flags::OBJECT.0;
                at::fit(frame);
            });
            let unreadable = fault(&[FaultStatus::BAD_STUB_DATA, FaultStatus::PROTOCOL_ERROR]);
            let accepts = [
                ok(Want::Silence, Then::Closed),
                ok(unreadable.want(), Then::Either),
                loose(Want::AnyFault, Then::Either),
            ];
            // A fault comes at once, a close may take a moment: both are waited for.
            let seen = t.see(Patience::Answer, Some(Patience::Silence));
            t.judge("the request", &seen, &accepts);
            Ok(())
        },
    ),
    Case::new(
        "rpc/request/flags",
        Level::Win,
        "flags that mean nothing to a host",
        "The flags maybe, did_not_execute and the reserved one on a request are ignored: it is answered, with the flags first and last.",
        "seen live on Samba 4.17",
        |t| {
            t.bind()?;
            let flags = [("maybe", Flags::MAYBE), ("did_not_execute", Flags::DID_NOT_EXECUTE), ("0x08", Flags(0x08))];
            for (name, flag) in flags {
                if t.is_over() {
                    t.bind()?;
                }
                t.request_with(0, |frame| frame[at::FLAGS] |= flag.0);
                let seen = t.expect(&format!("a request with {name}"), &[ok(Want::Served, Then::Open)]);
                if let Some(view) = view_of(&seen, Ptype::RESPONSE) {
                    // An answer in several fragments has each flag on another.
                    let odd = view.flags().unwrap_or_default().without(Flags::WHOLE);
                    t.field("pfc_flags", Flags::default(), odd);
                }
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/request/wide-context",
        Level::Info,
        "a context id of more than eight bits",
        "A response in context 0x102 names it, or as Windows does its low eight bits.",
        "Samba raw protocol tests",
        |t| {
            t.bind_with(Flags::WHOLE, 0x102)?;
            let (frame, _) = t.request_frame(0x102);
            t.send_opaque(&frame);
            let seen = t.see(Patience::Answer, None);
            if let Some(got) = view_of(&seen, Ptype::RESPONSE).and_then(PduView::context_id) {
                t.note(format!("a response in context 0x102 names context 0x{got:x}"));
                t.holds("p_cont_id", matches!(got, 2 | 0x102), || ("0x102 or 2".to_owned(), format!("0x{got:x}")));
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/request/response-form",
        Level::Win,
        "what stands before the stub of a response",
        "A response has the cancel count 0 and an allocation hint that is not 0 and not more than its stub.",
        "Samba raw protocol tests",
        |t| {
            t.bind()?;
            t.request(0);
            let seen = t.expect("the request", &[ok(Want::Served, Then::Either)]);
            let Some(view) = view_of(&seen, Ptype::RESPONSE) else { return Ok(()) };
            t.field("cancel_count", Some([0, 0]), view.cancel_count());
            let (hint, stub) = (view.alloc_hint().unwrap_or_default(), view.0.len() - at::STUB);
            // An answer without results has nothing to foresee.
            let is_right = (hint != 0 || stub == 0) && hint as usize <= stub;
            t.holds("alloc_hint", is_right, || (format!("1 to {stub}"), hint.to_string()));
            Ok(())
        },
    ),
    Case::new(
        "rpc/request/fault-form",
        Level::Must,
        "the form of a fault",
        "A fault, whatever it is about, is 32 bytes with no stub, nothing in its reserved fields, an allocation hint that \
         is not 0, and none of the statuses that MS-RPCE forbids.",
        "MS-RPCE 2.2.2.8; Samba raw protocol tests",
        |t| {
            t.bind()?;
            let mut others = Vec::new();
            for (label, spoil) in FAULTED {
                if t.is_over() {
                    t.bind()?;
                }
                t.request_with(0, spoil);
                let seen = t.see(Patience::Answer, Some(Patience::Silence));
                match view_of(&seen, Ptype::FAULT) {
                    Some(view) => look_at_fault(t, view),
                    None => others.push(format!("{label}: {seen}")),
                }
            }
            match others.len() == FAULTED.len() {
                false => Ok(()),
                true => Err(Stop::NotApplicable(format!("there is no fault to look at: {}", others.join("; ")))),
            }
        },
    )
    .revision(2),
    Case::new(
        "rpc/request/alloc-hint",
        Level::Win,
        "allocation hints that are wrong",
        "The allocation hint of a request in one piece is ignored, be it 0, 1 or 0xFFFFFFFF.",
        "Samba raw protocol tests (alloc_hint); seen live on Samba 4.17",
        |t| {
            t.bind()?;
            for hint in [0, 1, u32::MAX] {
                if t.is_over() {
                    t.bind()?;
                }
                t.request_with(0, |frame| at::set(frame, at::ALLOC_HINT, &hint.to_le_bytes()));
                t.expect(&format!("a request with the hint 0x{hint:x}"), SERVED);
            }
            Ok(())
        },
    ),
];

fn look_at_fault(t: &mut Talk<'_>, view: PduView<'_>) {
    t.field("frag_length", 32, view.0.len());
    t.field("cancel_count", Some([0, 0]), view.cancel_count());
    t.field("reserved", Some(0), view.fault_reserved());
    let hint = view.alloc_hint().unwrap_or_default();
    t.should_hold("alloc_hint", hint != 0, || ("24 or 32".to_owned(), hint.to_string()));
    let status = view.0.get(at::STATUS..at::STATUS + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    let is_legal = status.is_some_and(|status| !FORBIDDEN.contains(&status));
    t.holds("status", is_legal, || {
        ("a status that is not forbidden".to_owned(), format!("0x{:08X}", status.unwrap_or_default()))
    });
}

/// The host's answer, when it is of that kind.
fn view_of(seen: &Seen, ptype: Ptype) -> Option<PduView<'_>> {
    seen.reply.as_deref().map(PduView).filter(|view| view.ptype() == Some(ptype) && view.0.len() >= at::STUB)
}

fn put_opnum(frame: &mut [u8], opnum: u16) {
    at::set(frame, at::OPNUM, &opnum.to_le_bytes());
}

/// Statuses that a server must not send (MS-RPCE 3.3.3.5.1).
const FORBIDDEN: [u32; 14] = [
    0,
    0x8000_0001,
    0x8000_0002,
    0x8000_0003,
    0xc000_0005,
    0xc000_0006,
    0xc000_001d,
    0xc000_0096,
    0xc000_00aa,
    0xc000_00fd,
    0xc000_0194,
    0xc000_0235,
    0xc000_0409,
    0xc000_0420,
];
