//! Context ids, which are numbers of sixteen bits (C706 section 12.6.3.1; MS-RPCE 2.2.2.4).

use super::rpc_tools::{
    ACCEPTED_NEXT, PROTOCOL_ERROR, SERVED_NEXT, UNKNOWN_CONTEXT, bind_as, expect_bind, plain, strange, syntaxes,
};
use crate::conform::accept::{Accept, Then, Want, fault, loose, ok};
use crate::conform::{Capability, Case, Level, Stop, Talk};
use crate::wire::rpc::{FaultStatus, Flags, SyntaxId, TransferSyntax};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "rpc/bind/any-context-id",
        Level::Must,
        "context ids of all sixteen bits",
        "A context is accepted and serves calls under any number of sixteen bits, in every syntax the host speaks.",
        "C706 section 12.6.3.1 (p_context_id_t); MS-RPCE 2.2.2.4",
        |t| {
            for syntax in syntaxes(t)? {
                for id in WIDE {
                    if bind_as(t, &format!("context {id} in {}", syntax.id()), id, syntax)? {
                        t.request(id);
                        t.expect_next(&format!("a request in context {id} in {}", syntax.id()), SERVED_NEXT);
                    }
                }
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/bind/same-low-byte",
        Level::Must,
        "context ids that differ in their high byte alone",
        "Of two contexts whose numbers differ in the high byte alone the refused one serves no call, and the accepted \
         one does.",
        "C706 section 12.6.3.1 (p_context_id_t); Samba raw protocol tests (presentation_ctx_invalid1)",
        |t| {
            for (good, bad) in [(1, 0x101), (0x101, 1), (0x1200, 0), (0xff, 0xffff), (0, 0xff00)] {
                let contexts = vec![plain(t, good), strange(bad)];
                let accepts = [ok(Want::Ack(&[(0, 0), (2, 1)]), Then::Either)];
                expect_bind(t, &format!("contexts {good} and {bad}"), contexts, &accepts)?;
                if t.syntax_of(good).is_none() || t.is_over() {
                    continue;
                }
                t.request(bad);
                let seen = t.expect(&format!("a request in the refused {bad}"), &refused());
                if seen.reply.is_some() && !t.is_over() {
                    t.request(good);
                    t.expect_next(&format!("a request in the accepted {good}"), SERVED_NEXT);
                }
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/alter/same-low-byte",
        Level::Must,
        "two syntaxes under numbers that differ in their high byte alone",
        "Of two contexts whose numbers differ in the high byte alone, one in NDR32 and one in NDR64, each serves calls \
         in its own syntax.",
        "C706 section 12.6.3.1 (p_context_id_t); MS-RPCE 3.3.1.5.6",
        |t| {
            for (first, second) in [(1, 0x101), (0x2200, 0)] {
                if !bind_as(t, &format!("context {first} in NDR32"), first, TransferSyntax::Ndr32)? {
                    continue;
                }
                let offered = t.offer(vec![t.context(second, &[SyntaxId::NDR64])]);
                t.send_alter(&offered);
                t.expect_next(&format!("an alter_context with {second} in NDR64"), ACCEPTED_NEXT);
                for id in [second, first, first, second] {
                    if t.syntax_of(id).is_some() && !t.is_over() {
                        t.request(id);
                        t.expect_next(&format!("a request in context {id}"), SERVED_NEXT);
                    }
                }
            }
            Ok(())
        },
    )
    .needs(&[Capability::Ndr64]),
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
        "A fault about a PDU that is out of order or cancelled names context 0, whatever context the PDU names and in \
         whatever syntax that is.",
        "Samba raw protocol tests (last_only, none_only, first_cancel)",
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
            }
            Ok(())
        },
    ),
];

/// Requests for operations there are none of, and one for the one there is.
fn operations(t: &mut Talk<'_>, context: u16, syntax: TransferSyntax) -> Result<(), Stop> {
    if !bind_as(t, &format!("context {context} in {}", syntax.id()), context, syntax)? {
        return Ok(());
    }
    let out_of_range = fault(&[FaultStatus::OP_RANGE_ERROR.0]).executed(false).context(context);
    let accepts = [
        ok(out_of_range.want(), Then::Either),
        loose(Want::AnyFault, Then::Either),
        loose(Want::Silence, Then::Closed),
    ];
    for opnum in OPERATIONS {
        t.request_with(context, |frame| frame[22..24].copy_from_slice(&opnum.to_le_bytes()));
        t.expect_next(&format!("operation {opnum} in context {context} in {}", syntax.id()), &accepts);
        if t.is_over() {
            return Ok(());
        }
    }
    t.request(context);
    t.expect_next("an ordinary request afterwards", SERVED_NEXT);
    Ok(())
}

/// What comes of a call in a context that was refused: any fault is right, one is how Windows does it.
fn refused() -> Vec<Accept> {
    [UNKNOWN_CONTEXT, &[loose(Want::AnyFault, Then::Either)]].concat()
}

/// Around eight bits, around a sign, and the last one, which some keep for none.
const WIDE: [u16; 9] = [127, 128, 255, 256, 257, 0x1234, 0x7fff, 0x8000, 0xffff];
/// Many of them have a low byte of 0, which is the one operation of KMS; none of them is any small service's.
const OPERATIONS: [u16; 9] = [200, 255, 256, 257, 0x1000, 0x7fff, 0x8000, 0xff00, 0xffff];
const BROKEN: Want = fault(&[PROTOCOL_ERROR]).executed(true).context(0).want();
/// What is sent, and the fault that it comes to.
const OUT_OF_ORDER: &[(&str, Flags, Want)] = &[
    ("the last fragment alone", Flags::LAST, BROKEN),
    ("one in the middle alone", Flags(0), BROKEN),
    ("a request that is cancelled", Flags::WHOLE.with(Flags::PENDING_CANCEL), CANCELLED),
];
const CANCELLED: Want = fault(&[0x6bd]).executed(false).context(0).want();
