//! Annotated listings: every byte of a frame with the field it belongs to, of
//! broken frames too, the offending field marked.

use std::fmt;

use super::error::{DecodeError, Layer};
use super::kms::{ActivationRequest, ActivationResponse, Envelope, Proof, ProtocolVersion, pkcs7_padding};
use super::ndr::{self, RequestStub, ResponseStub};
use super::reader::{Field, Reader, Trace};
use super::rpc::{Flags, HEADER_LEN, Pdu, PduView, Ptype, TransferSyntax};

/// Bytes and what they mean, right or wrong.
#[derive(Debug, Clone)]
pub struct Listing {
    /// What the bytes are.
    pub title: String,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The fields found in them, in order.
    pub fields: Vec<Field>,
    /// What is wrong with them; empty for a legal frame.
    pub issues: Vec<DecodeError>,
}

/// Lists a PDU. A call's stub is read as `syntax` lays it out, and the envelope in it too;
/// without a syntax, and in a fragment of a call, the stub is listed as bytes.
pub fn pdu(frame: &[u8], syntax: Option<TransferSyntax>) -> Listing {
    let mut r = Reader::tracing(Layer::Rpc, frame);
    let body = Pdu::read(&mut r).map(|pdu| (pdu.flags, pdu.body));
    let big_endian = r.is_big_endian();
    let offset = r.offset();
    let stub = r.rest();
    let mut trace = r.into_trace();
    if let Ok((flags, body)) = &body
        && body.stub().is_some()
    {
        let mut r = Reader::tracing(Layer::Rpc, stub).at(offset);
        r.set_big_endian(big_endian);
        match syntax.filter(|_| flags.has(Flags::WHOLE)) {
            Some(syntax) => read_stub(&mut r, body.ptype(), syntax),
            None => drop(r.bytes("stub", stub.len())),
        }
        append(&mut trace, r.into_trace());
    }
    let title = match PduView(frame).ptype() {
        Some(ptype) if frame.len() >= HEADER_LEN => format!("{ptype}, {} bytes", frame.len()),
        _ => format!("{} bytes, too few for a PDU header", frame.len()),
    };
    Listing::new(title, frame, trace)
}

/// Lists the stub of a call (a request's or a response's, as `ptype` says) that came in several
/// fragments, little endian.
pub fn joined_stub(stub: &[u8], ptype: Ptype, syntax: TransferSyntax) -> Listing {
    let mut r = Reader::tracing(ndr::layer(syntax), stub);
    read_stub(&mut r, ptype, syntax);
    Listing::new(format!("stub of the {ptype}, joined, {} bytes", stub.len()), stub, r.into_trace())
}

/// Lists the decrypted body of a V5 or V6 request.
pub fn request_plaintext(plaintext: &[u8]) -> Listing {
    let mut r = Reader::tracing(Layer::KmsRequest, plaintext);
    if ActivationRequest::read(&mut r).is_ok() {
        r.set_layer(Layer::Envelope);
        let _ = pkcs7_padding(&mut r);
    }
    Listing::new(format!("decrypted request, {} bytes", plaintext.len()), plaintext, r.into_trace())
}

/// Lists the decrypted body and proof of a V5 or V6 response.
pub fn response_plaintext(plaintext: &[u8], version: ProtocolVersion) -> Listing {
    let mut r = Reader::tracing(Layer::KmsResponse, plaintext);
    if ActivationResponse::read(&mut r).is_ok() && Proof::read(&mut r, version).is_ok() {
        let _ = pkcs7_padding(&mut r);
    }
    Listing::new(format!("decrypted response, {} bytes", plaintext.len()), plaintext, r.into_trace())
}

impl Listing {
    /// Marks the field at `offset` as wrong, for a reason decoding alone cannot see.
    pub fn mark(&mut self, issue: DecodeError) {
        self.issues.push(issue);
    }

    fn new(title: String, bytes: &[u8], trace: Trace) -> Listing {
        let mut listing = Listing { title, bytes: bytes.to_vec(), fields: trace.fields, issues: trace.issues };
        let read = listing.fields.iter().map(|field| field.offset + field.len).max().unwrap_or(0);
        if read < bytes.len() {
            listing.fields.push(Field {
                layer: Layer::Rpc,
                name: "not read".to_owned(),
                offset: read,
                len: bytes.len() - read,
                value: format!("{} bytes", bytes.len() - read),
            });
        }
        listing
    }

    fn issues_in(&self, field: &Field) -> impl Iterator<Item = &DecodeError> {
        let end = field.offset + field.len;
        let start = field.offset;
        self.issues.iter().filter(move |issue| (start..end).contains(&issue.offset))
    }
}

/// One row a field: offset, bytes in hex, layer and name, value; more rows of bytes where a
/// field is long; under a wrong field, what was expected and got.
impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, usize::MAX)
    }
}

/// A listing in which fields that nothing is wrong with have two rows at most, and the others some more.
#[derive(Debug)]
pub struct Brief<'l>(pub &'l Listing);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f, 1)
    }
}

impl Listing {
    /// Writes it, with so many more rows than one of a field that nothing is wrong with.
    fn write(&self, f: &mut fmt::Formatter<'_>, more_max: usize) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        let mut shown = 0;
        for field in &self.fields {
            let bytes = &self.bytes[field.offset..field.offset + field.len];
            let wrong = self.issues_in(field).next().is_some();
            let (first, rest) = bytes.split_at(bytes.len().min(ROW_BYTES));
            let mark = if wrong { '>' } else { ' ' };
            let name = format!("{}.{}", field.layer.name().replace(' ', "-"), field.name);
            let row = format!(
                "{mark} {:04x}  {:<HEX_WIDTH$}  {name:<NAME_WIDTH$}  {}",
                field.offset,
                Hex(first),
                field.value
            );
            writeln!(f, "{}", row.trim_end())?;
            for issue in self.issues_in(field) {
                shown += 1;
                let under = "^^ ".repeat(first.len());
                writeln!(
                    f,
                    "        {:<HEX_WIDTH$}  expected {}, got {}",
                    under.trim_end(),
                    issue.expected,
                    issue.got
                )?;
            }
            let rows_max = if wrong { more_max.saturating_mul(WRONG_ROWS) } else { more_max };
            for more in rest.chunks(LONG_ROW_BYTES).take(rows_max) {
                writeln!(f, "{mark}       {}", Hex(more))?;
            }
            match rest.len().saturating_sub(rows_max.saturating_mul(LONG_ROW_BYTES)) {
                0 => {}
                more => writeln!(f, "{mark}       … {more} bytes more")?,
            }
        }
        if shown < self.issues.len() {
            // What is missing has no bytes to stand under.
            let is_inside = |issue: &DecodeError| {
                self.fields.iter().any(|field| field.offset <= issue.offset && issue.offset < field.offset + field.len)
            };
            for issue in self.issues.iter().filter(|issue| !is_inside(issue)) {
                writeln!(
                    f,
                    "> {:04x}  {:<HEX_WIDTH$}  {}.{} is missing: expected {}, got {}",
                    issue.offset,
                    "",
                    issue.layer.name().replace(' ', "-"),
                    issue.field,
                    issue.expected,
                    issue.got
                )?;
            }
        }
        Ok(())
    }
}

fn read_stub(r: &mut Reader<'_>, ptype: Ptype, syntax: TransferSyntax) {
    let payload = match ptype {
        Ptype::REQUEST => RequestStub::read(r, syntax).map(|stub| Some(stub.payload)),
        _ => ResponseStub::read(r, syntax).map(|stub| match stub {
            ResponseStub::Answer { payload, .. } => Some(payload),
            ResponseStub::Refusal { .. } => None,
        }),
    };
    let Ok(payload) = payload else { return };
    let _ = r.finish("stub");
    let Some(payload) = payload else { return };
    let is_request = ptype == Ptype::REQUEST;
    r.replace_bytes(if is_request { "request" } else { "response" }, |inner| {
        if let Ok(Envelope::Mac { .. }) = Envelope::decode(payload) {
            // In the clear: the body's own fields say more than the envelope's.
            let body_len = payload.len() - 16;
            let hidden = inner.narrow(body_len);
            let read = match is_request {
                true => ActivationRequest::read(inner).map(drop),
                false => ActivationResponse::read(inner).map(drop),
            };
            if read.is_ok() {
                let _ = inner.finish("body");
            }
            inner.widen(hidden);
            inner.set_layer(Layer::Envelope);
            let _ = inner.bytes("mac", inner.remaining());
        } else {
            let _ = Envelope::read(inner);
        }
    });
}

fn append(trace: &mut Trace, more: Trace) {
    trace.fields.extend(more.fields);
    trace.issues.extend(more.issues);
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
        f.pad(&text)
    }
}

const ROW_BYTES: usize = 8;
/// Of what is wrong so many times as many rows are shown as of what is not.
const WRONG_ROWS: usize = 8;
const LONG_ROW_BYTES: usize = 16;
const HEX_WIDTH: usize = 3 * ROW_BYTES - 1;
const NAME_WIDTH: usize = 34;

#[cfg(test)]
mod tests {
    use super::super::rpc::Body;
    use super::*;

    #[test]
    fn every_byte_of_any_frame_is_listed_once() {
        let mut frame = Pdu::whole(2, Body::Shutdown).encode().unwrap();
        frame.extend_from_slice(&[1, 2, 3]);
        for cut in 0..=frame.len() {
            let listing = pdu(&frame[..cut], None);
            let covered: usize = listing.fields.iter().map(|field| field.len).sum();
            assert_eq!(covered, cut, "{listing}");
            assert!(cut == 16 || !listing.issues.is_empty(), "{cut}: {listing}");
        }
    }

    #[test]
    fn what_ends_the_reading_is_listed_too() {
        let whole = Pdu::whole(2, Body::Shutdown).encode().unwrap();
        for (at, byte, field) in [(2, 99, "ptype"), (10, 8, "auth_length")] {
            let mut frame = whole.clone();
            frame[at] = byte;
            let listing = pdu(&frame, None);
            assert_eq!(listing.issues, [Pdu::decode(&frame).unwrap_err()]);
            assert_eq!(listing.issues[0].field, field);
        }
    }

    #[test]
    fn an_envelope_is_not_looked_for_in_a_field_as_long_by_chance() {
        let mut stub = Vec::new();
        let answer = ResponseStub::Answer { referent: 7, payload: &[0, 0, 9, 0], code: crate::wire::Hresult::OK };
        answer.write(TransferSyntax::Ndr32, &mut stub);
        let response = super::super::rpc::Response { alloc_hint: 20, context_id: 0, cancel_count: 0, stub: &stub };
        let frame = Pdu::whole(2, Body::Response(response)).encode().unwrap();
        let listing = pdu(&frame, Some(TransferSyntax::Ndr32));
        let names: Vec<_> = listing.fields[12..].iter().map(|field| field.name.as_str()).collect();
        let expected = ["responseSize", "referent", "max count", "minor version", "major version", "return code"];
        assert_eq!(names, expected, "{listing}");
        assert_eq!(listing.issues.len(), 1, "{listing}");
    }

    #[test]
    fn the_wrong_field_is_marked_where_it_stands() {
        let mut frame = Pdu::whole(2, Body::Shutdown).encode().unwrap();
        frame[0] = 4;
        insta::assert_snapshot!(pdu(&frame, None), @"
        shutdown, 16 bytes
        > 0000  04                       rpc.rpc_vers                        4
                ^^                       expected 5, got 4
          0001  00                       rpc.rpc_vers_minor                  0
          0002  11                       rpc.ptype                           shutdown
          0003  03                       rpc.pfc_flags                       0x03 first+last
          0004  10 00 00 00              rpc.drep                            10 00 00 00 little endian
          0008  10 00                    rpc.frag_length                     16
          000a  00 00                    rpc.auth_length                     0
          000c  02 00 00 00              rpc.call_id                         2
        ");
    }
}
