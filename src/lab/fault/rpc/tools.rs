//! What faults of DCE/RPC have in common: what is offered, what is acknowledged of it, and answers in the host's place.

use crate::lab::tamper::{Fields, Incoming, Tamper};
use crate::wire::rpc::{
    Bind, BindAck, BindNak, Body, ContextResult, MAX_FRAGMENT, Pdu, PduView, Ptype, RejectReason, ResultCode, SyntaxId,
    at,
};

/// What a bind or an alter_context offers.
pub fn offer(frame: &[u8]) -> Option<Bind> {
    match Pdu::decode(frame).ok()?.body {
        Body::Bind(bind) | Body::AlterContext(bind) => Some(bind),
        _ => None,
    }
}

/// What a bind_ack says.
pub fn ack_of(frame: &[u8]) -> Option<BindAck> {
    match Pdu::decode(frame).ok()?.body {
        Body::BindAck(ack) => Some(ack),
        _ => None,
    }
}

/// Changes what a bind offers, as far as the host hears of it.
pub fn on_offers(tamper: &mut Tamper, mut change: impl FnMut(&mut Bind) + Send + 'static) {
    tamper.on_way_in_of(Ptype::BIND, move |incoming| {
        // What cannot be read is left to the host.
        if let Some(mut offered) = offer(&incoming.frame) {
            change(&mut offered);
            offers(incoming, offered);
        }
    });
}

fn offers(incoming: &mut Incoming<'_>, offered: Bind) {
    let Ok(Pdu { call_id, flags, auth, .. }) = Pdu::decode(&incoming.frame) else { return };
    if let Ok(frame) = (Pdu { flags, auth, ..Pdu::whole(call_id, Body::Bind(offered)) }).encode() {
        incoming.frame = frame;
    }
}

/// Changes what this bind or alter_context offers. A trailer is left out.
pub fn change_offer(incoming: &mut Incoming<'_>, change: impl FnOnce(&mut Bind)) {
    let Some(mut offered) = offer(&incoming.frame) else { return };
    let is_bind = incoming.ptype() == Some(Ptype::BIND);
    let (call_id, flags) = (incoming.word(at::CALL_ID), incoming.flags());
    change(&mut offered);
    let body = if is_bind { Body::Bind(offered) } else { Body::AlterContext(offered) };
    if let Ok(frame) = (Pdu { flags, ..Pdu::whole(call_id, body) }).encode() {
        incoming.frame = frame;
    }
}

/// Changes what a bind_ack says, given what was offered.
pub fn on_acks(tamper: &mut Tamper, mut change: impl FnMut(&mut BindAck, &Bind) + Send + 'static) {
    tamper.on_way_out_of(Ptype::BIND_ACK, move |out| {
        if let Some(offered) = offer(out.asked) {
            out.change_ack(|ack| change(ack, &offered));
        }
    });
}

/// Refuses a bind, and closes.
pub fn refuse(incoming: &mut Incoming<'_>, reason: RejectReason) {
    let call_id = PduView(&incoming.frame).call_id().unwrap_or_default();
    let nak = BindNak { reason, versions: vec![(5, 0)], trailer: vec![0; 3] };
    incoming.answer(&Pdu::whole(call_id, Body::BindNak(nak)));
}

/// Accepts every context of a bind.
pub fn accept_all(incoming: &mut Incoming<'_>) {
    let contexts = offer(&incoming.frame).map(|bind| bind.contexts).unwrap_or_default();
    let accepted = ContextResult { result: ResultCode::ACCEPTED, reason: 0, syntax: SyntaxId::NDR32 };
    answer_bind(incoming, vec![accepted; contexts.len()]);
}

/// Answers a bind with these results.
pub fn answer_bind(incoming: &mut Incoming<'_>, results: Vec<ContextResult>) {
    let call_id = PduView(&incoming.frame).call_id().unwrap_or_default();
    let address = format!("{}\0", crate::wire::kms::PORT).into_bytes();
    incoming.answer(&Pdu::whole(call_id, Body::BindAck(ack(ONE_GROUP, address, results))));
}

/// Answers an alter_context with these results.
pub fn answer_alter(alter: &mut Incoming<'_>, results: Vec<ContextResult>) {
    let call_id = alter.word(at::CALL_ID);
    alter.answer(&Pdu::whole(call_id, Body::AlterContextResponse(ack(1, Vec::new(), results))));
}

fn ack(assoc_group: u32, secondary_address: Vec<u8>, results: Vec<ContextResult>) -> BindAck {
    BindAck {
        max_xmit_frag: MAX_FRAGMENT,
        max_recv_frag: MAX_FRAGMENT,
        assoc_group,
        secondary_address,
        pad: [0; 3],
        results,
    }
}

/// Any number but 0 serves.
pub const ONE_GROUP: u32 = 0x6b6d_7370;
