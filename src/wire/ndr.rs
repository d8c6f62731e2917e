//! The stub of `RequestActivation`, as NDR32 and NDR64 lay it out (protocol
//! description, sections 1.4 and 1.5).

use super::Hresult;
use super::error::{DecodeError, Layer};
use super::reader::Reader;
use super::rpc::TransferSyntax;

/// The arguments of a call: `requestSize` and the bytes it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestStub<'a> {
    /// The activation request in its envelope.
    pub payload: &'a [u8],
}

/// The results of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseStub<'a> {
    /// `response` points to bytes.
    Answer {
        /// The pointer's referent id; any number but 0.
        referent: u64,
        /// The activation response in its envelope.
        payload: &'a [u8],
        /// The method's return value; an honest host answers with 0 here.
        code: Hresult,
    },
    /// `response` is null: the return value alone says why.
    Refusal {
        /// The method's return value.
        code: Hresult,
    },
}

/// The referent id hosts are seen to send.
pub const REFERENT: u64 = 0x0002_0000;

impl<'a> RequestStub<'a> {
    /// Reads the arguments; bytes after them stay in the reader, for the caller to mind or not.
    pub fn read(r: &mut Reader<'a>, syntax: TransferSyntax) -> Result<RequestStub<'a>, DecodeError> {
        r.set_layer(layer(syntax));
        let at = r.offset();
        let size = r.u32("requestSize")?;
        r.require(i32::try_from(size).is_ok(), "requestSize", at, || ("a size that is not negative", size as i32))?;
        align_to_8(r, syntax)?;
        let payload = counted_bytes(r, syntax, size, "request")?;
        Ok(RequestStub { payload })
    }

    /// The arguments, as they go out.
    pub fn encode(&self, syntax: TransferSyntax) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.payload.len() + 16);
        self.write(syntax, &mut out);
        out
    }

    /// Appends the arguments.
    pub fn write(&self, syntax: TransferSyntax, out: &mut Vec<u8>) {
        let size = self.payload.len() as u32;
        match syntax {
            TransferSyntax::Ndr32 => {
                out.extend_from_slice(&size.to_le_bytes());
                out.extend_from_slice(&size.to_le_bytes());
            }
            TransferSyntax::Ndr64 => {
                out.extend_from_slice(&u64::from(size).to_le_bytes());
                out.extend_from_slice(&u64::from(size).to_le_bytes());
            }
        }
        out.extend_from_slice(self.payload);
    }
}

impl<'a> ResponseStub<'a> {
    /// Reads exactly the results: bytes after them are refused.
    pub fn decode(stub: &'a [u8], syntax: TransferSyntax) -> Result<ResponseStub<'a>, DecodeError> {
        let mut r = Reader::new(layer(syntax), stub);
        let value = ResponseStub::read(&mut r, syntax)?;
        r.finish("response stub")?;
        Ok(value)
    }

    /// Reads the results; bytes after them stay in the reader, for the caller to mind or not.
    pub fn read(r: &mut Reader<'a>, syntax: TransferSyntax) -> Result<ResponseStub<'a>, DecodeError> {
        r.set_layer(layer(syntax));
        let start = r.offset();
        let size = r.u32("responseSize")?;
        align_to_8(r, syntax)?;
        let referent = word(r, syntax, "referent")?;
        if referent == 0 {
            r.require(size == 0, "responseSize", start, || ("0 with a null pointer", size))?;
            return Ok(ResponseStub::Refusal { code: r.hresult("return code")? });
        }
        let payload = counted_bytes(r, syntax, size, "response")?;
        let used = r.offset() - start;
        r.bytes("padding", used.next_multiple_of(4) - used)?;
        let code = r.hresult("return code")?;
        Ok(ResponseStub::Answer { referent, payload, code })
    }

    /// Appends the results, padding zero.
    pub fn write(&self, syntax: TransferSyntax, out: &mut Vec<u8>) {
        let start = out.len();
        let (size, referent) = match *self {
            ResponseStub::Answer { payload, referent, .. } => (payload.len(), referent),
            ResponseStub::Refusal { .. } => (0, 0),
        };
        put_word(out, syntax, size as u64);
        put_word(out, syntax, referent);
        match *self {
            ResponseStub::Answer { payload, code, .. } => {
                put_word(out, syntax, size as u64);
                out.extend_from_slice(payload);
                let used = out.len() - start;
                out.resize(start + used.next_multiple_of(4), 0);
                out.extend_from_slice(&code.0.to_le_bytes());
            }
            ResponseStub::Refusal { code } => out.extend_from_slice(&code.0.to_le_bytes()),
        }
    }
}

/// The stub of a request with its integers in the other byte order; what it carries are bytes, which have none. What
/// is not there is left out.
pub fn request_in_other_order(stub: &[u8], syntax: TransferSyntax) -> Vec<u8> {
    let mut other = stub.to_vec();
    let word = word_len(syntax);
    for place in [0..4, word..2 * word] {
        if let Some(integer) = other.get_mut(place) {
            integer.reverse();
        }
    }
    other
}

/// The stub of a response with its integers in the other byte order; what it carries are bytes, which have none.
/// `big_endian` is the order it comes in. What cannot be read is left as it is.
pub fn response_in_other_order(stub: &[u8], syntax: TransferSyntax, big_endian: bool) -> Vec<u8> {
    let mut other = stub.to_vec();
    let word = word_len(syntax);
    let Some(size) = stub.first_chunk::<4>() else { return other };
    let size = if big_endian { u32::from_be_bytes(*size) } else { u32::from_le_bytes(*size) };
    let is_null = stub.get(word..2 * word).is_none_or(|referent| referent.iter().all(|byte| *byte == 0));
    let code = match is_null {
        true => 2 * word,
        false => (payload_offset(syntax).saturating_add(size as usize)).next_multiple_of(4),
    };
    let counted = if is_null { 2 * word..2 * word } else { 2 * word..3 * word };
    for place in [0..4, word..2 * word, counted, code..code.saturating_add(4)] {
        if let Some(integer) = other.get_mut(place) {
            integer.reverse();
        }
    }
    other
}

/// Where a response stub with `payload_len` bytes of data has bytes that carry nothing: the gap
/// NDR64 leaves after the size, and what aligns the return code. Both are zero from a tidy host.
pub fn response_padding(syntax: TransferSyntax, payload_len: usize) -> [std::ops::Range<usize>; 2] {
    let end = payload_offset(syntax) + payload_len;
    let gap = match syntax {
        TransferSyntax::Ndr32 => 4..4,
        TransferSyntax::Ndr64 => 4..8,
    };
    [gap, end..end.next_multiple_of(4)]
}

/// Where the data of a response stub begins: after size, pointer and count.
pub const fn payload_offset(syntax: TransferSyntax) -> usize {
    3 * word_len(syntax)
}

/// The layer a stub in `syntax` belongs to.
pub fn layer(syntax: TransferSyntax) -> Layer {
    match syntax {
        TransferSyntax::Ndr32 => Layer::Ndr32,
        TransferSyntax::Ndr64 => Layer::Ndr64,
    }
}

/// A conformant array: its max count, which must be `size`, and that many bytes.
fn counted_bytes<'a>(
    r: &mut Reader<'a>,
    syntax: TransferSyntax,
    size: u32,
    field: &'static str,
) -> Result<&'a [u8], DecodeError> {
    let at = r.offset();
    let count = word(r, syntax, "max count")?;
    r.require(count == u64::from(size), "max count", at, || (size.to_string(), count))?;
    // The count may be any 64 bits; `bytes` compares it with what is there before anything is taken.
    r.bytes(field, usize::try_from(count).unwrap_or(usize::MAX))
}

fn align_to_8(r: &mut Reader<'_>, syntax: TransferSyntax) -> Result<(), DecodeError> {
    if syntax == TransferSyntax::Ndr64 {
        r.bytes("alignment", 4)?;
    }
    Ok(())
}

fn word(r: &mut Reader<'_>, syntax: TransferSyntax, field: &'static str) -> Result<u64, DecodeError> {
    match syntax {
        TransferSyntax::Ndr32 => r.u32(field).map(u64::from),
        TransferSyntax::Ndr64 => r.u64(field),
    }
}

fn put_word(out: &mut Vec<u8>, syntax: TransferSyntax, value: u64) {
    out.extend_from_slice(&value.to_le_bytes()[..word_len(syntax)]);
}

const fn word_len(syntax: TransferSyntax) -> usize {
    match syntax {
        TransferSyntax::Ndr32 => 4,
        TransferSyntax::Ndr64 => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_twelve_bytes_in_ndr32_and_twenty_in_ndr64() {
        let refusal = ResponseStub::Refusal { code: Hresult::KMS_ID_MISMATCH };
        for (syntax, len) in [(TransferSyntax::Ndr32, 12), (TransferSyntax::Ndr64, 20)] {
            let mut stub = Vec::new();
            refusal.write(syntax, &mut stub);
            assert_eq!(stub.len(), len);
            assert_eq!(ResponseStub::decode(&stub, syntax), Ok(refusal));
        }
    }

    #[test]
    fn a_count_larger_than_the_stub_is_refused_before_anything_is_taken() {
        let mut stub = vec![0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0];
        stub.extend_from_slice(&0x7fff_ffff_u64.to_le_bytes());
        let mut r = Reader::new(Layer::Ndr64, &stub);
        let error = RequestStub::read(&mut r, TransferSyntax::Ndr64).unwrap_err();
        assert_eq!((error.field, error.got.as_ref()), ("request", "0 bytes before the end"));
    }

    #[test]
    fn size_and_count_must_agree() {
        let stub = [4, 0, 0, 0, 5, 0, 0, 0, 1, 2, 3, 4, 5];
        let mut r = Reader::new(Layer::Ndr32, &stub);
        let error = RequestStub::read(&mut r, TransferSyntax::Ndr32).unwrap_err();
        assert_eq!(error.to_string(), "ndr32: max count at byte 4: expected 4, got 5");
        let negative = [0xff; 12];
        let error = RequestStub::read(&mut Reader::new(Layer::Ndr32, &negative), TransferSyntax::Ndr32).unwrap_err();
        assert_eq!((error.field, error.got.as_ref()), ("requestSize", "-1"));
    }

    #[test]
    fn padding_is_where_nothing_is_carried() {
        assert_eq!(response_padding(TransferSyntax::Ndr32, 158), [4..4, 170..172]);
        assert_eq!(response_padding(TransferSyntax::Ndr64, 160), [4..8, 184..184]);
    }
}
