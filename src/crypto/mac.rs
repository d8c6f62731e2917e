//! The MAC at the end of a V4 message.

use super::Cipher;

/// The MAC of a V4 request or response body: plain CBC-MAC with a zero IV over
/// the body padded with 0x80 and zeros (protocol description, section 4).
pub fn v4(body: &[u8]) -> [u8; 16] {
    let (blocks, rest) = body.as_chunks::<16>();
    // At least one byte of padding always: a body of whole blocks gets a whole block.
    let mut last = [0; 16];
    last[..rest.len()].copy_from_slice(rest);
    last[rest.len()] = PAD_MARK;

    let mut state = [0; 16];
    for block in blocks.iter().chain([&last]) {
        for (byte, next) in state.iter_mut().zip(block) {
            *byte ^= next;
        }
        Cipher::v4().encrypt_block(&mut state);
    }
    state
}

/// ISO 7816-4: padding begins with this byte.
const PAD_MARK: u8 = 0x80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mac_is_the_last_block_of_cbc_over_the_padded_body() {
        for len in 0..=48 {
            let body: Vec<u8> = (1..=len).collect();
            let mut padded = body.clone();
            padded.push(0x80);
            padded.resize(padded.len().next_multiple_of(16), 0);
            let (blocks, rest) = padded.as_chunks_mut::<16>();
            assert!(rest.is_empty());
            Cipher::v4().encrypt_cbc(&[0; 16], blocks);
            assert_eq!(Some(&v4(&body)), blocks.last(), "a body of {len} bytes");
        }
    }

    #[test]
    fn zeros_at_the_end_of_a_body_count() {
        assert_ne!(v4(&[7]), v4(&[7, 0]));
        assert_ne!(v4(&[0; 15]), v4(&[0; 16]));
    }
}
