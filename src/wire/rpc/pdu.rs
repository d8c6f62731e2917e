//! A whole PDU as a value.

use super::super::error::{DecodeError, Layer};
use super::super::reader::Reader;
use super::header::{Header, set_frag_length};
use super::{Bind, BindAck, BindNak, Fault, Flags, Ptype, Request, Response};

/// A legal PDU. Its stub, if it has one, is borrowed from the frame it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pdu<'a> {
    /// Which call it belongs to; an answer echoes it.
    pub call_id: u32,
    /// Its flags; OBJECT is set by the body.
    pub flags: Flags,
    /// What the kind of PDU carries.
    pub body: Body<'a>,
    /// The authentication trailer; KMS uses none.
    pub auth: Option<Auth<'a>>,
}

/// What the kinds of PDU carry.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the PDU kind of its name")]
pub enum Body<'a> {
    Bind(Bind),
    BindAck(BindAck),
    BindNak(BindNak),
    AlterContext(Bind),
    AlterContextResponse(BindAck),
    Auth3,
    Request(Request<'a>),
    Response(Response<'a>),
    Fault(Fault<'a>),
    Shutdown,
    CoCancel,
    Orphaned,
}

/// An authentication trailer (C706 section 13.2.6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth<'a> {
    /// The security provider.
    pub auth_type: u8,
    /// How much is protected.
    pub level: u8,
    /// Zero bytes between body and trailer.
    pub pad_length: u8,
    /// The security context.
    pub context_id: u32,
    /// The provider's token. A trailer is known by its token's length alone, so that one with an
    /// empty token cannot be told from none and is not sent.
    pub token: &'a [u8],
}

/// A PDU whose parts do not fit its counters: 65,535 bytes in all, 255 elements a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a {ptype} of these parts does not fit a PDU (65,535 bytes, 255 elements a list)")]
pub struct PduTooLong {
    /// The kind of PDU.
    pub ptype: Ptype,
}

impl<'a> Pdu<'a> {
    /// A PDU that is a call, or a step of an association, in one piece.
    pub fn whole(call_id: u32, body: Body<'a>) -> Pdu<'a> {
        Pdu { call_id, flags: Flags::WHOLE, body, auth: None }
    }

    /// The kind of PDU.
    pub fn ptype(&self) -> Ptype {
        self.body.ptype()
    }

    /// Reads exactly one PDU.
    pub fn decode(frame: &'a [u8]) -> Result<Pdu<'a>, DecodeError> {
        Pdu::read(&mut Reader::new(Layer::Rpc, frame))
    }

    /// Reads the PDU that fills the reader. The stub of a call is borrowed, not
    /// taken: the reader stands at its first byte afterwards, and only the stub is left.
    pub fn read(r: &mut Reader<'a>) -> Result<Pdu<'a>, DecodeError> {
        let header = Header::read(r)?;
        let (trailer_len, auth) = Auth::peek(r, header.auth_length)?;
        let hidden = r.narrow(r.remaining() - trailer_len);
        let body = Body::read(r, header.ptype, header.flags)?;
        if body.stub().is_none() {
            r.finish("PDU")?;
            r.widen(hidden);
            r.bytes("auth trailer", trailer_len)?;
        }
        Ok(Pdu { call_id: header.call_id, flags: header.flags, body, auth })
    }

    /// The bytes of this PDU.
    pub fn encode(&self) -> Result<Vec<u8>, PduTooLong> {
        let mut out = Vec::with_capacity(64);
        self.encode_into(&mut out)?;
        Ok(out)
    }

    /// Appends the bytes of this PDU. Nothing is appended when it does not fit.
    pub fn encode_into(&self, out: &mut Vec<u8>) -> Result<(), PduTooLong> {
        let too_long = PduTooLong { ptype: self.ptype() };
        if self.body.longest_list() > usize::from(u8::MAX) {
            return Err(too_long);
        }
        let start = out.len();
        let auth = self.auth.as_ref().filter(|auth| !auth.token.is_empty());
        let auth_length = auth.map_or(0, |auth| auth.token.len());
        let flags = match &self.body {
            Body::Request(request) if request.object.is_some() => self.flags.with(Flags::OBJECT),
            Body::Request(_) => self.flags.without(Flags::OBJECT),
            _ => self.flags,
        };
        let header = Header { ptype: self.ptype(), flags, auth_length: auth_length as u16, call_id: self.call_id };
        header.write(out);
        self.body.write(out);
        if let Some(auth) = auth {
            auth.write(out);
        }
        match u16::try_from(out.len() - start) {
            Ok(length) => {
                set_frag_length(out, start, length);
                Ok(())
            }
            Err(_) => {
                out.truncate(start);
                Err(too_long)
            }
        }
    }
}

impl<'a> Body<'a> {
    /// The kind of PDU that carries this.
    pub fn ptype(&self) -> Ptype {
        match self {
            Body::Bind(_) => Ptype::BIND,
            Body::BindAck(_) => Ptype::BIND_ACK,
            Body::BindNak(_) => Ptype::BIND_NAK,
            Body::AlterContext(_) => Ptype::ALTER_CONTEXT,
            Body::AlterContextResponse(_) => Ptype::ALTER_CONTEXT_RESPONSE,
            Body::Auth3 => Ptype::AUTH3,
            Body::Request(_) => Ptype::REQUEST,
            Body::Response(_) => Ptype::RESPONSE,
            Body::Fault(_) => Ptype::FAULT,
            Body::Shutdown => Ptype::SHUTDOWN,
            Body::CoCancel => Ptype::CO_CANCEL,
            Body::Orphaned => Ptype::ORPHANED,
        }
    }

    /// The stub of a request or response.
    pub fn stub(&self) -> Option<&'a [u8]> {
        match self {
            Body::Request(request) => Some(request.stub),
            Body::Response(response) => Some(response.stub),
            _ => None,
        }
    }

    fn read(r: &mut Reader<'a>, ptype: Ptype, flags: Flags) -> Result<Body<'a>, DecodeError> {
        Ok(match ptype {
            Ptype::BIND => Body::Bind(Bind::read(r)?),
            Ptype::BIND_ACK => Body::BindAck(BindAck::read(r)?),
            Ptype::BIND_NAK => Body::BindNak(BindNak::read(r)?),
            Ptype::ALTER_CONTEXT => Body::AlterContext(Bind::read(r)?),
            Ptype::ALTER_CONTEXT_RESPONSE => Body::AlterContextResponse(BindAck::read(r)?),
            Ptype::AUTH3 => {
                // Four bytes of padding that mean nothing (C706 section 12.6.4.11).
                r.bytes("pad", r.remaining().min(4))?;
                Body::Auth3
            }
            Ptype::REQUEST => Body::Request(Request::read(r, flags)?),
            Ptype::RESPONSE => Body::Response(Response::read(r)?),
            Ptype::FAULT => Body::Fault(Fault::read(r)?),
            Ptype::SHUTDOWN => Body::Shutdown,
            Ptype::CO_CANCEL => Body::CoCancel,
            Ptype::ORPHANED => Body::Orphaned,
            Ptype(other) => {
                return Err(r.stop(r.error("ptype", 2, "a kind of connection-oriented PDU", other.to_string())));
            }
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Body::Bind(bind) | Body::AlterContext(bind) => bind.write(out),
            Body::BindAck(ack) | Body::AlterContextResponse(ack) => ack.write(out),
            Body::BindNak(nak) => nak.write(out),
            Body::Request(request) => request.write(out),
            Body::Response(response) => response.write(out),
            Body::Fault(fault) => fault.write(out),
            Body::Auth3 => out.extend_from_slice(&[0; 4]),
            Body::Shutdown | Body::CoCancel | Body::Orphaned => {}
        }
    }

    fn longest_list(&self) -> usize {
        match self {
            Body::Bind(bind) | Body::AlterContext(bind) => {
                bind.contexts.iter().map(|context| context.transfer.len()).fold(bind.contexts.len(), usize::max)
            }
            Body::BindAck(ack) | Body::AlterContextResponse(ack) => ack.results.len(),
            Body::BindNak(nak) => nak.versions.len(),
            _ => 0,
        }
    }
}

impl<'a> Auth<'a> {
    /// The trailer at the end of what the reader has left, without taking it, and how many
    /// bytes it and its padding hold.
    fn peek(r: &mut Reader<'a>, auth_length: u16) -> Result<(usize, Option<Auth<'a>>), DecodeError> {
        if auth_length == 0 {
            return Ok((0, None));
        }
        let trailer_len = usize::from(auth_length) + AUTH_HEADER_LEN;
        let body = r.rest();
        let Some(start) = body.len().checked_sub(trailer_len) else {
            let expected = format!("at most {}", body.len().saturating_sub(AUTH_HEADER_LEN));
            return Err(r.stop(r.error("auth_length", 10, expected, auth_length.to_string())));
        };
        let trailer_at = r.offset() + start;
        let mut trailer = Reader::new(Layer::Rpc, &body[start..]).at(trailer_at);
        trailer.set_big_endian(r.is_big_endian());
        let auth_type = trailer.u8("auth_type")?;
        let level = trailer.u8("auth_level")?;
        let pad_length = trailer.u8("auth_pad_length")?;
        trailer.u8("auth_reserved")?;
        let context_id = trailer.u32("auth_context_id")?;
        let token = trailer.rest();
        if usize::from(pad_length) > start {
            let expected = format!("at most {start}");
            return Err(r.stop(r.error("auth_pad_length", trailer_at + 2, expected, pad_length.to_string())));
        }
        let auth = Auth { auth_type, level, pad_length, context_id, token };
        Ok((trailer_len + usize::from(pad_length), Some(auth)))
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.resize(out.len() + usize::from(self.pad_length), 0);
        out.extend_from_slice(&[self.auth_type, self.level, self.pad_length, 0]);
        out.extend_from_slice(&self.context_id.to_le_bytes());
        out.extend_from_slice(self.token);
    }
}

const AUTH_HEADER_LEN: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_auth_trailer_is_kept_apart_from_the_stub() {
        let pdu = Pdu {
            auth: Some(Auth { auth_type: 10, level: 2, pad_length: 3, context_id: 7, token: b"token" }),
            ..Pdu::whole(
                2,
                Body::Request(Request { alloc_hint: 5, context_id: 0, opnum: 0, object: None, stub: b"stub!" }),
            )
        };
        let frame = pdu.encode().unwrap();
        assert_eq!(frame.len(), 24 + 5 + 3 + 8 + 5);
        assert_eq!(Pdu::decode(&frame), Ok(pdu));
    }

    #[test]
    fn a_trailer_without_a_token_is_none() {
        let auth = Some(Auth { auth_type: 10, level: 2, pad_length: 0, context_id: 7, token: b"" });
        let plain = Pdu::whole(2, Body::Shutdown);
        assert_eq!(Pdu { auth, ..plain.clone() }.encode(), plain.encode());
    }

    #[test]
    fn an_auth_length_without_a_trailer_is_named() {
        let mut frame = Pdu::whole(2, Body::Shutdown).encode().unwrap();
        frame[10] = 8;
        assert_eq!(
            Pdu::decode(&frame).unwrap_err().to_string(),
            "rpc: auth_length at byte 10: expected at most 0, got 8"
        );
    }

    #[test]
    fn what_does_not_fit_is_refused_and_leaves_nothing_behind() {
        let stub = vec![0; 70_000];
        let pdu =
            Pdu::whole(2, Body::Request(Request { alloc_hint: 0, context_id: 0, opnum: 0, object: None, stub: &stub }));
        let mut out = vec![1];
        assert_eq!(pdu.encode_into(&mut out), Err(PduTooLong { ptype: Ptype::REQUEST }));
        assert_eq!(out, [1]);
    }

    #[test]
    fn an_unknown_kind_is_an_error_at_its_byte() {
        let mut frame = Pdu::whole(2, Body::Shutdown).encode().unwrap();
        frame[2] = 99;
        let error = Pdu::decode(&frame).unwrap_err();
        assert_eq!((error.field, error.offset, error.got.as_ref()), ("ptype", 2, "99"));
    }
}
