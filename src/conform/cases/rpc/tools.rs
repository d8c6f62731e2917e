//! What cases about DCE/RPC have in common.

use std::time::Duration;

pub use crate::conform::accept::SERVED_NEXT;
use crate::conform::accept::{Accept, Seen, Then, Want, fault, loose, ok};
use crate::conform::host::Patience;
use crate::conform::{Stop, Talk, UNKNOWN_ID};
use crate::wire::rpc::{
    Bind, Body, ContextElement, FaultStatus, Flags, Pdu, PduView, Ptype, SyntaxId, TransferSyntax, at, in_other_order,
};

/// An ordinary bind, as it goes out.
pub fn bind_frame(t: &mut Talk<'_>) -> Vec<u8> {
    let offered = t.offer(vec![plain(t, 0)]);
    bind_frame_of(t, Flags::WHOLE, offered)
}

/// A bind of these parts, as it goes out.
pub fn bind_frame_of(t: &mut Talk<'_>, flags: Flags, offered: Bind) -> Vec<u8> {
    let pdu = Pdu { flags, ..Pdu::whole(t.next_call_id(), Body::Bind(offered)) };
    pdu.encode().expect("a bind of a few contexts fits a PDU")
}

/// A context that every host takes.
pub fn plain(t: &Talk<'_>, id: u16) -> ContextElement {
    t.context(id, &[SyntaxId::NDR32])
}

/// A context of an interface that no host has.
pub fn strange(id: u16) -> ContextElement {
    ContextElement { id, interface: UNKNOWN_ID, transfer: vec![SyntaxId::NDR32] }
}

/// A context in a syntax that no host speaks.
pub fn unspoken(t: &Talk<'_>, id: u16) -> ContextElement {
    t.context(id, &[UNKNOWN_ID])
}

/// Binds these contexts on a new connection, and holds the answer against a set.
pub fn expect_bind(
    t: &mut Talk<'_>,
    label: &str,
    contexts: Vec<ContextElement>,
    accepts: &[Accept],
) -> Result<Seen, Stop> {
    t.connect()?;
    let offered = t.offer(contexts);
    t.send_bind(Flags::WHOLE, &offered);
    Ok(t.expect(label, accepts))
}

/// The same, when what comes next shows whether the connection goes on.
pub fn expect_bind_next(
    t: &mut Talk<'_>,
    label: &str,
    contexts: Vec<ContextElement>,
    accepts: &[Accept],
) -> Result<Seen, Stop> {
    t.connect()?;
    let offered = t.offer(contexts);
    t.send_bind(Flags::WHOLE, &offered);
    Ok(t.expect_next(label, accepts))
}

/// The same PDU in the other byte order.
pub fn other_order(frame: &[u8]) -> Vec<u8> {
    in_other_order(frame).unwrap_or_else(|| frame.to_vec())
}

/// Sends a PDU before any other on the connection there is, and holds the answer against a set.
pub fn expect_first(t: &mut Talk<'_>, label: &str, frame: &[u8], accepts: &[Accept]) -> Seen {
    t.send_frame(frame, None);
    t.expect(label, accepts)
}

/// The syntaxes that a host speaks: NDR32, and NDR64 where it takes that.
pub fn syntaxes(t: &mut Talk<'_>) -> Result<Vec<TransferSyntax>, Stop> {
    t.connect()?;
    let offered = t.offer(vec![t.context(0, &[SyntaxId::NDR64])]);
    t.send_bind(Flags::WHOLE, &offered);
    t.see(Patience::Answer, None);
    let is_spoken = |syntax: &TransferSyntax| *syntax == TransferSyntax::Ndr32 || t.syntax_of(0) == Some(*syntax);
    Ok(TransferSyntax::ALL.into_iter().filter(is_spoken).collect())
}

/// Binds a context of this number and syntax on a new connection. Says whether calls can be made in it.
pub fn bind_as(t: &mut Talk<'_>, label: &str, id: u16, syntax: TransferSyntax) -> Result<bool, Stop> {
    t.connect()?;
    let offered = t.offer(vec![t.context(id, &[syntax.id()])]);
    t.send_bind(Flags::WHOLE, &offered);
    t.expect_next(label, ACCEPTED_NEXT);
    Ok(t.syntax_of(id).is_some() && !t.is_over())
}

/// So many connections that are bound at the same time, by their numbers.
pub fn bind_together(t: &mut Talk<'_>, many: usize) -> Result<Vec<usize>, Stop> {
    let mut lines = Vec::new();
    for _ in 0..many {
        t.connect()?;
        let offered = t.offer(vec![plain(t, 0)]);
        t.send_bind(Flags::WHOLE, &offered);
        lines.push(t.line());
    }
    for line in &lines {
        t.on(*line);
        t.await_bind()?;
    }
    Ok(lines)
}

/// The results of an acknowledgement: result, reason and the syntax named. None, when it is none.
pub fn results(seen: &Seen) -> Vec<(u16, u16, SyntaxId)> {
    let Some(Ok(pdu)) = seen.reply.as_deref().map(Pdu::decode) else { return Vec::new() };
    match pdu.body {
        Body::BindAck(ack) | Body::AlterContextResponse(ack) => {
            ack.results.iter().map(|result| (result.result.0, result.reason, result.syntax)).collect()
        }
        _ => Vec::new(),
    }
}

/// Whether an acknowledgement has these results and reasons, in this order.
pub fn lists(t: &mut Talk<'_>, label: &str, seen: &Seen, due: &[(u16, u16)]) -> bool {
    let got: Vec<_> = results(seen).iter().map(|(result, reason, _)| (*result, *reason)).collect();
    let words = |of: &[(u16, u16)]| {
        let (shown, more) = of.split_at(of.len().min(SHOWN_MAX));
        let shown: Vec<_> = shown.iter().map(|(result, reason)| format!("({result},{reason})")).collect();
        let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
        format!("{}{more}", shown.join(" "))
    };
    let field = if got.is_empty() { "reply" } else { "results" };
    let evidence = || (format!("{label}: {}", words(due)), if got.is_empty() { seen.to_string() } else { words(&got) });
    // Who is refused is: which of the reasons it is told no client acts upon.
    let is_alike = got.len() == due.len() && got.iter().zip(due).all(|(got, due)| got.0 == due.0);
    match is_alike {
        true => t.should_hold(field, got == due, evidence),
        false => t.holds(field, false, evidence),
    }
    got == due
}

/// Whether each result names the syntax it has to; looked at only when there is one for each.
pub fn names(t: &mut Talk<'_>, seen: &Seen, syntaxes: &[SyntaxId]) {
    let named: Vec<_> = results(seen).iter().map(|(_, _, syntax)| *syntax).collect();
    if named.len() == syntaxes.len() {
        let words = |of: &[SyntaxId]| of.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        t.holds("syntax", named == syntaxes, || (words(syntaxes), words(&named)));
    }
}

/// Whether an answer of this kind has these flags; looked at only when it is of this kind.
pub fn flagged(t: &mut Talk<'_>, seen: &Seen, ptype: Ptype, flags: Flags) {
    let Some(view) = seen.reply.as_deref().map(PduView) else { return };
    if let (Some(got), true) = (view.flags(), view.ptype() == Some(ptype)) {
        t.field("pfc_flags", flags, got);
    }
}

/// Whether an answer echoes this call id.
pub fn echoes(t: &mut Talk<'_>, seen: &Seen, call_id: u32) {
    if let Some(got) = seen.reply.as_deref().and_then(|frame| PduView(frame).call_id()) {
        t.holds("call_id", got == call_id, || (format!("0x{call_id:08x}"), format!("0x{got:08x}")));
    }
}

/// One context, accepted, whatever comes then.
pub const ACCEPTED_NEXT: &[Accept] = &[ok(Want::Ack(&[(0, 0)]), Then::Either)];
/// A call that is served, on a connection that goes on.
pub const SERVED: &[Accept] = &[ok(Want::Served, Then::Open)];
/// One context, accepted.
pub const ACCEPTED: &[Accept] = &[ok(Want::Ack(&[(0, 0)]), Then::Open)];
/// What a host that cannot read a bind, or has no bind yet, does: reason 4 is a protocol error, whatever its name.
pub const PROTOCOL_NAK: &[Accept] = &[ok(Want::Nak(&[4]), Then::Closed), loose(Want::Silence, Then::Closed)];
/// What a host that does not take a bind does.
pub const PLAIN_NAK: &[Accept] = &[ok(Want::Nak(&[0]), Then::Closed), loose(Want::Silence, Then::Closed)];
/// A bind that cannot be read is refused, or the connection closed.
pub const REFUSED_OR_CLOSED: &[Accept] = &[ok(Want::Nak(&[0, 4]), Then::Closed), ok(Want::Silence, Then::Closed)];
/// What a host does about a PDU that breaks the protocol on a connection that is bound.
pub const PROTOCOL_FAULT: &[Accept] = &[
    ok(fault(&[FaultStatus::PROTOCOL_ERROR]).executed(false).context(0).want(), Then::Closed),
    loose(Want::Silence, Then::Closed),
];
/// What a host says to a call in a context that it did not accept.
pub const UNKNOWN_CONTEXT: &[Accept] = &[
    ok(fault(&[FaultStatus::UNKNOWN_INTERFACE]).executed(false).context(0).want(), Then::Open),
    loose(Want::Silence, Then::Closed),
];
/// As many results are told.
const SHOWN_MAX: usize = 12;
/// What a host says to a call in context 0 of an operation that there is not.
pub const NO_OPERATION: &[Accept] = &[
    ok(fault(&[FaultStatus::OP_RANGE_ERROR]).executed(false).context(0).want(), Then::Open),
    loose(Want::AnyFault, Then::Either),
    loose(Want::Silence, Then::Closed),
];
/// What makes a request one that gets a fault.
pub type Spoil = fn(&mut Vec<u8>);
/// Calls of which most hosts make a fault: an interface may have operations without arguments.
pub const FAULTED: &[(&str, Spoil)] = &[
    ("a call of no operation", |frame| at::set(frame, at::OPNUM, &[0xff; 2])),
    ("a call in no context", |frame| at::set(frame, at::CONTEXT, &[0x39, 0x30])),
    ("a call without its arguments", |frame| {
        frame.truncate(at::STUB);
        at::fit(frame);
        at::set(frame, at::ALLOC_HINT, &[0; 4]);
    }),
];
/// No case goes on for much longer.
pub const TIME_MAX: Duration = Duration::from_secs(15);
