//! What a bind offers and what is acknowledged of it, for the faults that change either.

use crate::lab::tamper::{Incoming, Tamper};
use crate::wire::rpc::{Bind, BindAck, Body, Pdu, Ptype};

/// What a bind or an alter_context offers.
pub fn offer(frame: &[u8]) -> Option<Bind> {
    match Pdu::decode(frame).ok()?.body {
        Body::Bind(bind) | Body::AlterContext(bind) => Some(bind),
        _ => None,
    }
}

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

pub fn offers(incoming: &mut Incoming<'_>, offered: Bind) {
    let Ok(Pdu { call_id, flags, auth, .. }) = Pdu::decode(&incoming.frame) else { return };
    if let Ok(frame) = (Pdu { flags, auth, ..Pdu::whole(call_id, Body::Bind(offered)) }).encode() {
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
