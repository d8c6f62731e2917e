//! Headers of PDUs after the bind, and byte orders that change (C706 sections 12.6.3.1 and 14.1; MS-RPCE 2.2.2.5).

use super::tools::{
    ACCEPTED_NEXT, PROTOCOL_FAULT, SERVED_NEXT, bind_frame_of, echoes, lists, other_order, plain, strange,
};
use crate::conform::accept::Answered;
use crate::conform::host::Patience;
use crate::conform::{Case, Confidence, Level, Stop, Talk};
use crate::wire::ndr::request_in_other_order;
use crate::wire::rpc::{Bind, Body, Flags, Pdu, SyntaxId, TransferSyntax, at};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "rpc/header/later-versions",
        Level::Win,
        "alter_contexts of another protocol version",
        "An alter_context of version 4.0 or 5.1 is answered with a protocol error that says nothing was executed, and the \
         connection closed.",
        "Samba server code; seen live on Samba 4.17 for requests",
        |t| {
            for [major, minor] in [[4, 0], [5, 1]] {
                t.bind()?;
                odd_alter(t, &format!("an alter_context of version {major}.{minor}"), at::VERSION, &[major, minor]);
            }
            Ok(())
        },
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/header/later-dreps",
        Level::Win,
        "data representations nobody has, after the bind",
        "A request or an alter_context that says EBCDIC, VAX floats or uses the reserved bytes of its data representation \
         is answered with a protocol error that says nothing was executed, and the connection closed.",
        "Samba server code; seen live on Samba 4.17 for binds",
        |t| {
            for (label, drep) in DREPS {
                t.bind()?;
                t.request_with(0, |frame| at::set(frame, at::DREP, drep));
                t.expect(&format!("a request with {label}"), PROTOCOL_FAULT);
                t.bind()?;
                odd_alter(t, &format!("an alter_context with {label}"), at::DREP, drep);
            }
            Ok(())
        },
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/header/changing-order",
        Level::Must,
        "a client whose byte order changes from one PDU to the next",
        "The byte order of a PDU is what its own header says, whatever that of the bind and of other PDUs was.",
        "C706 sections 12.6.3.1 and 14.1: each PDU has a label of its own",
        |t| {
            for bound_big in [false, true] {
                bind_in_order(t, bound_big, 0, |_| {})?;
                let order = |is_big| if is_big { "big endian" } else { "little endian" };
                for is_big in [true, false, false, true, true, false] {
                    if t.syntax_of(0).is_some() && !t.is_over() {
                        let label = format!("a request in {} after a bind in {}", order(is_big), order(bound_big));
                        call_in_order(t, is_big, 0, &label);
                    }
                }
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/header/big-endian-binds",
        Level::Must,
        "what a big-endian bind asks for",
        "A bind in big endian gets the results, the group, the sizes and the call id that one in little endian gets.",
        "C706 section 14.1; Samba torture tests (bind.bigendian)",
        |t| {
            let group = t.bind()?.assoc_group;
            t.connect()?;
            let joins = |t: &mut Talk<'_>, is_big| {
                let offered = Bind { assoc_group: group, ..t.offer(vec![plain(t, 0)]) };
                let frame = bind_frame_of(t, Flags::WHOLE, offered);
                t.send_frame(&in_order(frame, is_big), None);
                t.see(Patience::Answer, None);
                t.ack().map(|ack| ack.assoc_group)
            };
            // Who knows no groups gives a new one each time, or refuses.
            if joins(t, false) == Some(group) {
                t.bind()?;
                t.connect()?;
                let got = joins(t, true);
                t.field("assoc_group", Some(group), got);
            }
            for (xmit, recv) in [(3000, 4000), (4000, 2504)] {
                let sizes = |offered: &mut Bind| (offered.max_xmit_frag, offered.max_recv_frag) = (xmit, recv);
                bind_in_order(t, false, 0, sizes)?;
                let due = t.ack().map(|ack| (ack.max_xmit_frag, ack.max_recv_frag));
                bind_in_order(t, true, 0, sizes)?;
                t.field("max_xmit_frag", due, t.ack().map(|ack| (ack.max_xmit_frag, ack.max_recv_frag)));
            }
            t.connect()?;
            let offered = t.offer(vec![strange(0x102), plain(t, 0x203), strange(0x304)]);
            let frame = other_order(&bind_frame_of(t, Flags::WHOLE, offered));
            t.send_frame(&frame, None);
            let seen = t.see(Patience::Answer, None);
            lists(t, "a bind in big endian", &seen, &[(2, 1), (0, 0), (2, 1)]);
            if t.syntax_of(0x203).is_some() && !t.is_over() {
                call_in_order(t, true, 0x203, "a request in context 0x203");
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/header/big-endian-rest",
        Level::Must,
        "refusals, features, alter_contexts and cancels in big endian",
        "What else a client says in big endian means what it means in little endian, and is answered under its call id.",
        "C706 section 14.1; Samba torture tests (bind.bigendian)",
        |t| {
            let call_id = 0x0001_0203;
            let offers_nothing = |t: &mut Talk<'_>, is_big| {
                t.connect()?;
                let pdu = Pdu::whole(call_id, Body::Bind(t.offer(Vec::new())));
                t.send_frame(&in_order(pdu.encode().expect("it is short"), is_big), None);
                Ok(t.see(Patience::Answer, Some(Patience::Close)))
            };
            let (due, got) = (offers_nothing(t, false)?, offers_nothing(t, true)?);
            t.holds("reply", due.to_string() == got.to_string(), || {
                (format!("a bind without contexts: {due}"), got.to_string())
            });
            echoes(t, &got, call_id);
            let features = |t: &mut Talk<'_>, big: bool, asked| {
                t.connect()?;
                let syntaxes = [SyntaxId::NDR32, SyntaxId::bind_time_features(asked)];
                let contexts = syntaxes.iter().zip(0..).map(|(syntax, id)| t.context(id, &[*syntax])).collect();
                let offered = t.offer(contexts);
                let frame = bind_frame_of(t, Flags::WHOLE, offered);
                t.send_frame(&in_order(frame, big), None);
                Ok(super::tools::results(&t.see(Patience::Answer, None)))
            };
            for asked in t.some_of(vec![3, 1, 2], 1, 6) {
                let due: Vec<_> = features(t, false, asked)?;
                let got = features(t, true, asked)?;
                t.holds("results", got == due, || (format!("features {asked}: {due:?}"), format!("{got:?}")));
            }
            bind_in_order(t, true, 0, |_| {})?;
            if t.syntax_of(0).is_none() || t.is_over() {
                return Ok(());
            }
            let alters = |t: &mut Talk<'_>, is_big| {
                let alter = Pdu::whole(t.next_call_id(), Body::AlterContext(t.offer(vec![plain(t, 0x105)])));
                t.send_frame(&in_order(alter.encode().expect("one context fits a PDU"), is_big), None);
            };
            t.bind()?;
            alters(t, false);
            t.see(Patience::Answer, None);
            if t.syntax_of(0x105).is_some() && call_is_served(t, 0x105) {
                bind_in_order(t, true, 0, |_| {})?;
                alters(t, true);
                t.expect_next("an alter_context with 0x105", ACCEPTED_NEXT);
                call_in_order(t, true, 0x105, "a request in context 0x105");
            }
            for body in t.some_of(vec![Body::CoCancel, Body::Orphaned], 1, 7) {
                let says = |t: &mut Talk<'_>, is_big| {
                    let pdu = Pdu::whole(t.next_call_id(), body.clone());
                    t.send_frame(&in_order(pdu.encode().expect("it has no body"), is_big), None);
                };
                t.bind()?;
                says(t, false);
                if call_is_served(t, 0) {
                    bind_in_order(t, true, 0, |_| {})?;
                    says(t, true);
                    call_in_order(t, true, 0, "a request after a co_cancel or an orphaned in big endian");
                }
            }
            Ok(())
        },
    ),
];

/// An alter_context with bytes of its header changed, which is a protocol error.
fn odd_alter(t: &mut Talk<'_>, label: &str, at: usize, bytes: &[u8]) {
    let pdu = Pdu::whole(t.next_call_id(), Body::AlterContext(t.offer(vec![plain(t, 1)])));
    let mut frame = pdu.encode().expect("one context fits a PDU");
    at::set(&mut frame, at, bytes);
    t.send_frame(&frame, None);
    t.expect(label, PROTOCOL_FAULT);
}

/// Binds one context, in one byte order or the other.
fn bind_in_order(t: &mut Talk<'_>, is_big: bool, context: u16, change: impl FnOnce(&mut Bind)) -> Result<(), Stop> {
    t.connect()?;
    let mut offered = t.offer(vec![plain(t, context)]);
    change(&mut offered);
    let frame = bind_frame_of(t, Flags::WHOLE, offered);
    t.send_frame(&in_order(frame, is_big), None);
    t.expect_next(if is_big { "a bind in big endian" } else { "a bind in little endian" }, ACCEPTED_NEXT);
    Ok(())
}

/// Whether an ordinary call is served in this context, which nobody minds if it is not.
fn call_is_served(t: &mut Talk<'_>, context: u16) -> bool {
    t.request(context);
    t.see(Patience::Answer, None).answer == Some(Answered::Granted)
}

/// A PDU in one byte order or the other.
fn in_order(frame: Vec<u8>, is_big: bool) -> Vec<u8> {
    if is_big { other_order(&frame) } else { frame }
}

/// An ordinary call in one byte order or the other; none where it is not known what is a number in its stub.
fn call_in_order(t: &mut Talk<'_>, is_big: bool, context: u16, label: &str) {
    let is_known = t.service().stub.as_ref().is_none_or(Vec::is_empty);
    if t.is_over() || (is_big && !is_known) {
        return;
    }
    let (stub, ask) = t.stub(TransferSyntax::Ndr32);
    let stub = if is_big && ask.is_some() { request_in_other_order(&stub, TransferSyntax::Ndr32) } else { stub };
    let call_id = t.next_call_id();
    let frame = t.frame_of(call_id, Flags::WHOLE, context, &stub);
    t.send_frame(&in_order(frame, is_big), ask);
    t.expect_next(label, SERVED_NEXT);
}

const DREPS: &[(&str, &[u8])] = &[
    ("EBCDIC", &[0x11, 0, 0, 0]),
    ("VAX floats", &[0x10, 1, 0, 0]),
    ("the first reserved byte", &[0x10, 0, 1, 0]),
    ("the second reserved byte", &[0x10, 0, 0, 1]),
];
