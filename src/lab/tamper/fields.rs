//! How PDUs are read and changed where they pass, and answered in the host's place.

use super::{Fate, Incoming, Outgoing, Segment};
use crate::wire::rpc::{BindAck, Body, Fault as FaultBody, FaultStatus, Flags, Pdu, PduView, Ptype, at};

/// Fields, by where they stand in a PDU (C706 section 12.6).
pub trait Fields {
    /// The PDU.
    fn frame(&mut self) -> &mut Vec<u8>;

    /// Its kind.
    fn ptype(&mut self) -> Option<Ptype> {
        PduView(self.frame()).ptype()
    }

    /// Its flags.
    fn flags(&mut self) -> Flags {
        PduView(self.frame()).flags().unwrap_or_default()
    }

    /// Writes bytes over what stands there, as far as it is long enough.
    fn put(&mut self, offset: usize, bytes: &[u8]) {
        at::set(self.frame(), offset, bytes);
    }

    /// The bytes at a place; zeros where it is too short.
    fn word(&mut self, offset: usize) -> u32 {
        let bytes = self.frame().get(offset..offset + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_le_bytes)
    }

    /// Two bytes at a place; zeros where it is too short.
    fn half(&mut self, offset: usize) -> u16 {
        let bytes = self.frame().get(offset..offset + 2).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u16::from_le_bytes)
    }

    /// Changes its flags.
    fn set_flags(&mut self, flags: Flags) {
        self.put(at::FLAGS, &[flags.0]);
    }

    /// Changes its call id.
    fn set_call_id(&mut self, call_id: u32) {
        self.put(at::CALL_ID, &call_id.to_le_bytes());
    }

    /// Makes its length field say how long it is.
    fn fit(&mut self) {
        at::fit(self.frame());
    }
}

impl Fields for Incoming<'_> {
    fn frame(&mut self) -> &mut Vec<u8> {
        &mut self.frame
    }
}

impl Fields for Segment<'_> {
    fn frame(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl Fields for Outgoing<'_> {
    fn frame(&mut self) -> &mut Vec<u8> {
        &mut self.frame
    }
}

impl Outgoing<'_> {
    /// Changes what a bind_ack or an alter_context_resp says, when it is one.
    pub fn change_ack(&mut self, change: impl FnOnce(&mut BindAck)) {
        let Ok(pdu) = Pdu::decode(&self.frame) else { return };
        let Pdu { call_id, flags, .. } = pdu;
        let body = match pdu.body {
            Body::BindAck(mut ack) => {
                change(&mut ack);
                Body::BindAck(ack)
            }
            Body::AlterContextResponse(mut ack) => {
                change(&mut ack);
                Body::AlterContextResponse(ack)
            }
            _ => return,
        };
        if let Ok(frame) = (Pdu { flags, ..Pdu::whole(call_id, body) }).encode() {
            self.frame = frame;
        }
    }
}

impl Incoming<'_> {
    /// Is answered with this PDU in the host's place.
    pub fn answer(&mut self, pdu: &Pdu<'_>) {
        if let Ok(frame) = pdu.encode() {
            self.fate = Fate::Answered(frame);
        }
    }

    /// Is answered with a fault in the host's place, and the connection goes on.
    pub fn fault(&mut self, status: FaultStatus) {
        let view = PduView(&self.frame);
        let (call_id, context_id) = (view.call_id().unwrap_or_default(), view.context_id().unwrap_or_default());
        self.answer(&Pdu::whole(call_id, Body::Fault(fault_of(context_id, status))));
    }
}

/// A fault as hosts send it: its hint is its own length.
pub fn fault_of(context_id: u16, status: FaultStatus) -> FaultBody<'static> {
    FaultBody { alloc_hint: 32, context_id, cancel_count: 0, status, stub: &[] }
}
