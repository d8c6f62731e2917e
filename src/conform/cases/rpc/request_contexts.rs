//! Operations there are none of in contexts of every kind, and which context a fault names (C706 section 12.6.4.7).

use super::tools::{SERVED_NEXT, bind_as, syntaxes};
use crate::conform::accept::{Then, Want, fault, loose, ok};
use crate::conform::{Case, Level, Stop, Talk};
use crate::wire::rpc::{FaultStatus, Flags, MAX_FRAGMENT, TransferSyntax, at};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "rpc/request/operation-numbers",
        Level::Win,
        "operations there are none of, whatever their number",
        "A request for an operation out of range is answered with a fault and never served, whichever of its sixteen \
         bits says so, in every context and syntax.",
        "C706 section 12.6.4.7; Samba raw protocol tests",
        |t| {
            for syntax in syntaxes(t)? {
                for context in [0, 3] {
                    operations(t, context, syntax)?;
                }
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/request/fault-contexts",
        Level::Win,
        "which context a fault names",
        "A fault about a PDU that is out of order, cancelled or too large names context 0, whatever context the PDU names \
         and in whatever syntax that is.",
        "Samba raw protocol tests (last_only, none_only, first_cancel, neg_xmit)",
        |t| {
            for syntax in syntaxes(t)? {
                for (label, flags, want) in OUT_OF_ORDER {
                    if bind_as(t, &format!("context 3 in {}", syntax.id()), 3, syntax)? {
                        let (stub, _) = t.stub(syntax);
                        let id = t.next_call_id();
                        let frame = t.frame_of(id, *flags, 3, &stub);
                        t.send_frame(&frame, None);
                        let accepts = [ok(*want, Then::Closed), loose(Want::Silence, Then::Closed)];
                        t.expect(&format!("{label} in {}", syntax.id()), &accepts);
                    }
                }
                too_large(t, syntax)?;
            }
            Ok(())
        },
    ),
];

/// A fragment that is longer than any may be.
fn too_large(t: &mut Talk<'_>, syntax: TransferSyntax) -> Result<(), Stop> {
    if !bind_as(t, &format!("context 3 in {}", syntax.id()), 3, syntax)? {
        return Ok(());
    }
    let (stub, _) = t.stub(syntax);
    let padding = vec![0; usize::from(MAX_FRAGMENT) + 1 - at::STUB - stub.len()];
    let id = t.next_call_id();
    let frame = t.frame_of(id, Flags::WHOLE, 3, &[stub, padding].concat());
    t.send_frame(&frame, None);
    let accepts = [ok(BROKEN, Then::Closed), loose(Want::Silence, Then::Closed)];
    t.expect(&format!("a fragment that is too long in {}", syntax.id()), &accepts);
    Ok(())
}

/// Requests for operations there are none of, and one for the one there is.
fn operations(t: &mut Talk<'_>, context: u16, syntax: TransferSyntax) -> Result<(), Stop> {
    if !bind_as(t, &format!("context {context} in {}", syntax.id()), context, syntax)? {
        return Ok(());
    }
    let out_of_range = fault(&[FaultStatus::OP_RANGE_ERROR]).executed(false).context(context);
    let accepts = [
        ok(out_of_range.want(), Then::Either),
        loose(Want::AnyFault, Then::Either),
        loose(Want::Silence, Then::Closed),
    ];
    for opnum in OPERATIONS {
        t.request_with(context, |frame| at::set(frame, at::OPNUM, &opnum.to_le_bytes()));
        t.expect_next(&format!("operation {opnum} in context {context} in {}", syntax.id()), &accepts);
        if t.is_over() {
            return Ok(());
        }
    }
    t.request(context);
    t.expect_next("an ordinary request afterwards", SERVED_NEXT);
    Ok(())
}

/// Many of them have a low byte of 0, which is the one operation of KMS; none of them is any small service's.
const OPERATIONS: [u16; 9] = [200, 255, 256, 257, 0x1000, 0x7fff, 0x8000, 0xff00, 0xffff];
const BROKEN: Want = fault(&[FaultStatus::PROTOCOL_ERROR]).executed(true).context(0).want();
/// What is sent, and the fault that it comes to.
const OUT_OF_ORDER: &[(&str, Flags, Want)] = &[
    ("the last fragment alone", Flags::LAST, BROKEN),
    ("one in the middle alone", Flags(0), BROKEN),
    ("a request that is cancelled", Flags::WHOLE.with(Flags::PENDING_CANCEL), CANCELLED),
];
const CANCELLED: Want = fault(&[FaultStatus::CALL_CANCELLED]).executed(false).context(0).want();
