//! Cutting a byte stream into PDUs.

use super::super::error::{DecodeError, Layer};
use super::{HEADER_LEN, PduView};

/// Bytes as they arrive, in any pieces; whole PDUs out.
///
/// A PDU is at most 65,535 bytes (its length is 16 bits), so a caller that takes every
/// frame after each [`FrameBuffer::push`] holds no more than that and one piece.
#[derive(Debug, Clone, Default)]
pub struct FrameBuffer {
    bytes: Vec<u8>,
    start: usize,
}

impl FrameBuffer {
    /// Adds bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start);
        self.start = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole PDU, if one is there. A header that cannot be right (a frag_length
    /// shorter than itself) is an error, and stays one: the stream has lost its frame.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, DecodeError> {
        let start = self.start;
        let Some(length) = PduView(self.pending()).frag_length() else { return Ok(None) };
        let length = usize::from(length);
        if length < HEADER_LEN {
            return Err(DecodeError {
                layer: Layer::Rpc,
                field: "frag_length",
                offset: 8,
                expected: "at least 16, the header".into(),
                got: length.to_string().into(),
            });
        }
        if self.pending().len() < length {
            return Ok(None);
        }
        self.start += length;
        Ok(Some(&self.bytes[start..start + length]))
    }

    /// Bytes that are not yet a whole PDU.
    pub fn pending(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Body, Pdu};
    use super::*;

    #[test]
    fn frames_come_out_whole_however_they_went_in() {
        let one = Pdu::whole(2, Body::Shutdown).encode().unwrap();
        let two = Pdu::whole(3, Body::Orphaned).encode().unwrap();
        let stream: Vec<u8> = [one.clone(), two.clone()].concat();
        for piece in 1..=stream.len() {
            let mut frames = FrameBuffer::default();
            let mut seen = Vec::new();
            for bytes in stream.chunks(piece) {
                frames.push(bytes);
                while let Some(frame) = frames.next_frame().unwrap() {
                    seen.push(frame.to_vec());
                }
            }
            assert_eq!(seen, [one.clone(), two.clone()], "in pieces of {piece}");
            assert!(frames.pending().is_empty());
        }
    }

    #[test]
    fn a_length_below_the_header_is_an_error_not_a_loop() {
        let mut frames = FrameBuffer::default();
        frames.push(&[5, 0, 2, 3, 0x10, 0, 0, 0, 10, 0]);
        assert_eq!(frames.next_frame().unwrap_err().field, "frag_length");
        assert_eq!(frames.next_frame().unwrap_err().field, "frag_length");
    }
}
