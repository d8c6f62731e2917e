//! Altering what a bind agreed on (C706 section 12.6.4.1; MS-RPCE 3.3.1.5.6).

use super::tools::{ACCEPTED, ACCEPTED_NEXT, PROTOCOL_FAULT, SERVED_NEXT, bind_as, plain, strange, unspoken};
use crate::conform::accept::{Accept, Seen, Then, Want, fault, loose, ok};
use crate::conform::{Capability, Case, Confidence, Level, Talk, UNKNOWN_ID};
use crate::wire::rpc::{
    BindAck, Body, ContextElement, FaultStatus, Flags, Pdu, PduView, Ptype, SyntaxId, TransferSyntax,
};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "rpc/alter/same-context",
        Level::Win,
        "what is agreed on, offered again",
        "An alter_context that repeats an agreed context is answered with (0,0) and no secondary address, and changes neither fragment sizes nor association group.",
        "Samba raw protocol tests; seen live on Samba 4.17",
        |t| {
            let ack = t.bind()?;
            let offered = t.offer(vec![t.context(0, &[SyntaxId::NDR32])]);
            t.send_alter(&offered);
            let seen = t.expect("the alter_context", &[ok(Want::Ack(&[(0, 0)]), Then::Open)]);
            unchanged(t, &ack, &seen);
            t.still_serves("a request afterwards");
            Ok(())
        },
    ),
    Case::new(
        "rpc/alter/new-context",
        Level::Win,
        "another context",
        "A context that an alter_context adds is accepted, and calls can be made in it and in those of before.",
        "Samba raw protocol tests; seen live on Samba 4.17",
        |t| {
            t.bind()?;
            let offered = t.offer(vec![t.context(7, &[SyntaxId::NDR32])]);
            t.send_alter(&offered);
            t.expect("the alter_context", &[ok(Want::Ack(&[(0, 0)]), Then::Open)]);
            t.request(7);
            t.expect("a request in the new context", &[ok(Want::Served, Then::Either)]);
            t.still_serves("a request in the old context");
            Ok(())
        },
    ),
    Case::new(
        "rpc/alter/unknown-interface",
        Level::Win,
        "an interface nobody serves",
        "An alter_context for an unknown interface is answered with (2,1), and the connection goes on.",
        "Samba raw protocol tests (alter to an unknown abstract syntax)",
        |t| {
            t.bind()?;
            let unknown = ContextElement { id: 1, interface: UNKNOWN_ID, transfer: vec![SyntaxId::NDR32] };
            let offered = t.offer(vec![unknown]);
            t.send_alter(&offered);
            t.expect("the alter_context", &[ok(Want::Ack(&[(2, 1)]), Then::Open)]);
            let interface = t.service().interface;
            for (id, more) in [(2, 1), (3, 0x1_0000)] {
                let interface = SyntaxId { version: interface.version.wrapping_add(more), ..interface };
                let offered = t.offer(vec![ContextElement { interface, ..plain(t, id) }]);
                t.send_alter(&offered);
                t.expect_next(&format!("an alter_context for {interface}"), &[ok(Want::Ack(&[(2, 1)]), Then::Either)]);
            }
            t.still_serves("a request in the old context");
            Ok(())
        },
    )
    .revision(2),
    Case::new(
        "rpc/alter/change-interface",
        Level::Win,
        "another interface for a context",
        "An alter_context that gives a context an interface the host does not have, or its own in a version it does not \
         have, is a protocol error, with a fault and a close, or refused with (2,1); it is never accepted.",
        "Samba raw protocol tests (change of the abstract syntax); seen live on Samba 4.17",
        |t| {
            let own = t.service().interface;
            let others = [1, 0x1_0000].map(|more| SyntaxId { version: own.version.wrapping_add(more), ..own });
            for interface in t.in_turn(&[UNKNOWN_ID, others[0], others[1]]) {
                t.bind()?;
                let offered = t.offer(vec![ContextElement { interface, ..plain(t, 0) }]);
                t.send_alter(&offered);
                // Who looks for the interface before it looks at the context finds that it has none.
                let accepts = [PROTOCOL_FAULT, &[ok(Want::Ack(&[(2, 1)]), Then::Open)]].concat();
                t.expect(&format!("an alter_context with {interface}"), &accepts);
            }
            Ok(())
        },
    )
    .revision(2),
    Case::new(
        "rpc/alter/change-syntax",
        Level::Win,
        "NDR64 for a context in NDR32, and NDR32 for one in NDR64",
        "An alter_context that gives a context another transfer syntax the host speaks is a protocol error, and answered with a fault.",
        "Samba raw protocol tests (alter to another known transfer syntax)",
        |t| {
            let [ndr32, ndr64] = [TransferSyntax::Ndr32, TransferSyntax::Ndr64];
            for (from, to) in t.in_turn(&[(ndr32, ndr64), (ndr64, ndr32)]) {
                let label = format!("a context in {}", from.id());
                if bind_as(t, &label, 0, from)? {
                    let offered = t.offer(vec![t.context(0, &[to.id()])]);
                    t.send_alter(&offered);
                    let error = fault(&[FaultStatus::PROTOCOL_ERROR]).want();
                    let accepts = [ok(error, Then::Either), loose(Want::Silence, Then::Closed)];
                    t.expect(&format!("an alter_context with {} for {label}", to.id()), &accepts);
                }
            }
            Ok(())
        },
    )
    .revision(2)
    .needs(&[Capability::Ndr64])
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/alter/unknown-syntax",
        Level::Win,
        "an unknown transfer syntax for a context",
        "An alter_context that offers an agreed context in an unknown transfer syntax alone is answered with (2,2), and the context stays what it was.",
        "Samba raw protocol tests; seen live on Samba 4.17",
        |t| {
            t.bind()?;
            let offered = t.offer(vec![t.context(0, &[UNKNOWN_ID])]);
            t.send_alter(&offered);
            t.expect("the alter_context", &[ok(Want::Ack(&[(2, 2)]), Then::Open)]);
            t.still_serves("a request in the context");
            Ok(())
        },
    ),
    Case::new(
        "rpc/alter/no-contexts",
        Level::Win,
        "no contexts at all",
        "An alter_context without contexts is a protocol error: a fault with did_not_execute for context 0, and a close.",
        "Samba raw protocol tests (alter_no_ctx); seen live on Samba 4.17",
        |t| {
            t.bind()?;
            let offered = t.offer(Vec::new());
            t.send_alter(&offered);
            t.expect("the alter_context", PROTOCOL_FAULT);
            Ok(())
        },
    ),
    Case::new(
        "rpc/alter/no-syntaxes",
        Level::Win,
        "a context without transfer syntaxes",
        "An alter_context with a context that has no transfer syntaxes is a protocol error: a fault with did_not_execute for context 0, and a close.",
        "Samba raw protocol tests; seen live on Samba 4.17",
        |t| {
            t.bind()?;
            let offered = t.offer(vec![t.context(1, &[])]);
            t.send_alter(&offered);
            t.expect("the alter_context", PROTOCOL_FAULT);
            Ok(())
        },
    ),
    Case::new(
        "rpc/alter/own-sizes",
        Level::Win,
        "sizes and a group of its own",
        "Fragment sizes and association group in an alter_context mean nothing: those of the bind go on.",
        "Samba raw protocol tests (neg_xmit)",
        |t| {
            let ack = t.bind()?;
            let mut offered = t.offer(vec![t.context(1, &[SyntaxId::NDR32])]);
            (offered.max_xmit_frag, offered.max_recv_frag, offered.assoc_group) = (2048, 3200, 0x1234);
            t.send_alter(&offered);
            let seen = t.expect("the alter_context", &[ok(Want::Ack(&[(0, 0)]), Then::Open)]);
            unchanged(t, &ack, &seen);
            t.still_serves("a request afterwards");
            Ok(())
        },
    ),
    Case::new(
        "rpc/alter/one-after-another",
        Level::Win,
        "several alter_contexts on one connection",
        "A connection takes one alter_context after another, between calls too and with any number, and serves calls in \
         every context that was accepted.",
        "C706 section 12.6.4.1; MS-RPCE 3.3.1.5.6",
        |t| {
            let ack = t.bind()?;
            let mut open = vec![0];
            for id in t.some_of(vec![1, 9, 0x107, 255, 0xffff, 1, 0], 4, 4) {
                let offered = t.offer(vec![t.context(id, &[SyntaxId::NDR32])]);
                t.send_alter(&offered);
                let seen = t.expect_next(&format!("an alter_context with {id}"), ACCEPTED_NEXT);
                unchanged(t, &ack, &seen);
                open.push(id);
                for id in open.iter().rev() {
                    if !t.is_over() && t.syntax_of(*id).is_some() {
                        t.request(*id);
                        t.expect_next(&format!("a request in context {id} then"), SERVED_NEXT);
                    }
                }
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/alter/several-contexts",
        Level::Win,
        "an alter_context with several contexts",
        "An alter_context has one result for each of its contexts, in their order: the good one is accepted beside those \
         that are refused, and these serve no call.",
        "C706 section 12.6.4.1; MS-RPCE 2.2.2.4",
        |t| {
            t.bind()?;
            let contexts = vec![strange(5), unspoken(t, 6), plain(t, 7), strange(8)];
            let offered = t.offer(contexts);
            t.send_alter(&offered);
            let accepts = [ok(Want::Ack(&[(2, 1), (2, 2), (0, 0), (2, 1)]), Then::Either)];
            t.expect_next("the alter_context", &accepts);
            for (id, accepts) in [(7, SERVED_NEXT), (5, REFUSED_CALL), (6, REFUSED_CALL), (8, REFUSED_CALL), (0, SERVED_NEXT)] {
                if !t.is_over() {
                    t.request(id);
                    t.expect_next(&format!("a request in context {id} then"), accepts);
                }
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/alter/multiplexing",
        Level::Win,
        "an alter_context that asks for several calls at once",
        "An alter_context that asks for several calls at once, as the bind did, is acknowledged with the flags first and \
         last, and none beside them but that one.",
        "C706 section 12.6.3.1; Samba 4.17 has the flag there, and Samba raw protocol tests ask only that it is absent \
         where nobody asked",
        |t| {
            t.bind_multiplexed()?;
            let offered = t.offer(vec![t.context(1, &[SyntaxId::NDR32])]);
            let call_id = t.next_call_id();
            let flags = Flags::WHOLE.with(Flags::CONC_MPX);
            t.send_pdu(&Pdu { flags, ..Pdu::whole(call_id, Body::AlterContext(offered)) });
            let seen = t.expect("the alter_context", ACCEPTED);
            let Some(got) = seen.reply.as_deref().and_then(|frame| PduView(frame).flags()) else { return Ok(()) };
            t.field("pfc_flags", Flags::WHOLE, got.without(Flags::CONC_MPX));
            Ok(())
        },
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/alter/same-low-byte",
        Level::Win,
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
];

/// The answer to an alter_context leaves alone what the bind settled.
pub fn unchanged(t: &mut Talk<'_>, ack: &BindAck, seen: &Seen) {
    let Some(Ok(pdu)) = seen.reply.as_deref().map(Pdu::decode) else { return };
    let Body::AlterContextResponse(response) = pdu.body else {
        return t.field("ptype", Ptype::ALTER_CONTEXT_RESPONSE, pdu.ptype());
    };
    t.field("secondary_address", 0, response.secondary_address.len());
    t.field("max_xmit_frag", ack.max_xmit_frag, response.max_xmit_frag);
    t.field("max_recv_frag", ack.max_recv_frag, response.max_recv_frag);
    t.field("assoc_group", ack.assoc_group, response.assoc_group);
}

/// A call in a context that is none.
const REFUSED_CALL: &[Accept] = &[ok(Want::AnyFault, Then::Either), loose(Want::Silence, Then::Closed)];
