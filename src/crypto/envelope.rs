//! Whole messages, sealed and opened.
//!
//! Every function appends to a buffer of the caller's, so that one which is
//! used again costs no allocation. A body's first four bytes are its version
//! (minor, major); a V5 or V6 envelope repeats them in clear. Bodies of any
//! length are sealed as they are: sending a wrong one is a caller's right.

use super::{Cipher, mac, proof};

/// The envelopes with a cipher: they differ in it, and in what their responses prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sealing {
    /// Version 5 (protocol description, section 4).
    V5,
    /// Version 6 (protocol description, section 4).
    V6,
}

impl Sealing {
    /// The cipher of this version.
    pub fn cipher(self) -> &'static Cipher {
        match self {
            Sealing::V5 => Cipher::v5(),
            Sealing::V6 => Cipher::v6(),
        }
    }

    /// The raw block decryption of an IV; of a request's IV, that is the salt
    /// of the response (protocol description, section 4).
    pub fn decrypt_iv(self, iv: &[u8; 16]) -> [u8; 16] {
        let mut block = *iv;
        self.cipher().decrypt_block(&mut block);
        block
    }
}

/// What a V5 response proves and with which random (protocol description, section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealV5 {
    /// The IV of the request answered; the response carries the same one.
    pub request_iv: [u8; 16],
    /// Fresh random bytes.
    pub random: [u8; 16],
}

/// What a V6 response proves and with which randoms (protocol description, section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealV6 {
    /// The IV of the request answered.
    pub request_iv: [u8; 16],
    /// The IV of the response, fresh; the request's own again would be a fault.
    pub iv: [u8; 16],
    /// Fresh random bytes.
    pub random: [u8; 16],
    /// The hardware id the host claims.
    pub hwid: [u8; 8],
    /// The request's client time (FILETIME), from which the HMAC key is derived.
    pub client_time: u64,
}

/// Bytes that are not a whole number of cipher blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{len} bytes are not a whole number of 16-byte cipher blocks")]
pub struct PartialBlock {
    /// How many bytes there were.
    pub len: usize,
}

/// Appends a V4 request: body, MAC (protocol description, section 4).
pub fn seal_request_v4(body: &[u8], out: &mut Vec<u8>) {
    seal_v4(body, out);
}

/// Appends a V5 or V6 request: version, IV, encrypted body
/// (protocol description, section 4).
pub fn seal_request(sealing: Sealing, body: &[u8], iv: &[u8; 16], out: &mut Vec<u8>) {
    let start = begin(body, iv, out);
    finish(sealing, iv, start, out);
}

/// Appends a V4 response: body, MAC (protocol description, section 4).
pub fn seal_response_v4(body: &[u8], out: &mut Vec<u8>) {
    seal_v4(body, out);
}

/// Appends a V5 response: version, the request's IV, and encrypted the body,
/// the salted random and its hash (protocol description, section 4).
pub fn seal_response_v5(body: &[u8], with: &SealV5, out: &mut Vec<u8>) {
    let start = begin(body, &with.request_iv, out);
    let salt = Sealing::V5.decrypt_iv(&with.request_iv);
    out.extend_from_slice(&proof::salted_random(&with.random, &salt));
    out.extend_from_slice(&proof::sha256(&with.random));
    finish(Sealing::V5, &with.request_iv, start, out);
}

/// Appends a V6 response: version, its own IV, and encrypted the body, the
/// salted random, its hash, the hardware id, the salt (the field called
/// "xored IVs") and the HMAC (protocol description, section 4).
pub fn seal_response_v6(body: &[u8], with: &SealV6, out: &mut Vec<u8>) {
    let start = begin(body, &with.iv, out);
    let salt = Sealing::V6.decrypt_iv(&with.request_iv);
    out.extend_from_slice(&proof::salted_random(&with.random, &salt));
    out.extend_from_slice(&proof::sha256(&with.random));
    out.extend_from_slice(&with.hwid);
    out.extend_from_slice(&salt);
    let slot = proof::time_slot(with.client_time);
    let hmac = proof::hmac(slot, &Sealing::V6.decrypt_iv(&with.iv), &out[start..]);
    out.extend_from_slice(&hmac);
    finish(Sealing::V6, &with.iv, start, out);
}

/// Appends version, IV and the encryption of a plaintext exactly as given, its
/// padding included: the inverse of [`open`], for messages wrong on purpose.
/// Nothing is appended if the plaintext is not whole blocks.
pub fn seal_plaintext(
    sealing: Sealing,
    version: [u8; 4],
    iv: &[u8; 16],
    plaintext: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), PartialBlock> {
    whole_blocks(plaintext)?;
    out.extend_from_slice(&version);
    out.extend_from_slice(iv);
    let start = out.len();
    out.extend_from_slice(plaintext);
    sealing.cipher().encrypt_cbc(iv, out[start..].as_chunks_mut().0);
    Ok(())
}

/// Appends the plaintext of what follows a V5 or V6 message's IV, padding and
/// trailer included and unjudged, and returns the raw block decryption of the
/// IV. Nothing is appended if the ciphertext is not whole blocks
/// (protocol description, section 4).
pub fn open(sealing: Sealing, iv: &[u8; 16], ciphertext: &[u8], out: &mut Vec<u8>) -> Result<[u8; 16], PartialBlock> {
    whole_blocks(ciphertext)?;
    let start = out.len();
    out.extend_from_slice(ciphertext);
    sealing.cipher().decrypt_cbc(iv, out[start..].as_chunks_mut().0);
    Ok(sealing.decrypt_iv(iv))
}

fn seal_v4(body: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(body);
    out.extend_from_slice(&mac::v4(body));
}

/// Appends what stands in clear and the body, and says where the plaintext begins.
fn begin(body: &[u8], iv: &[u8; 16], out: &mut Vec<u8>) -> usize {
    out.extend_from_slice(body.get(..VERSION_LEN).unwrap_or(body));
    out.extend_from_slice(iv);
    let start = out.len();
    out.extend_from_slice(body);
    start
}

/// Pads the plaintext (PKCS#7) and encrypts it where it stands.
fn finish(sealing: Sealing, iv: &[u8; 16], start: usize, out: &mut Vec<u8>) {
    let pad = 16 - (out.len() - start) % 16;
    out.resize(out.len() + pad, pad as u8);
    sealing.cipher().encrypt_cbc(iv, out[start..].as_chunks_mut().0);
}

fn whole_blocks(bytes: &[u8]) -> Result<(), PartialBlock> {
    if bytes.len().is_multiple_of(16) { Ok(()) } else { Err(PartialBlock { len: bytes.len() }) }
}

const VERSION_LEN: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    const IV: [u8; 16] = [0x11; 16];

    #[test]
    fn a_sealed_body_of_any_length_opens_to_itself_and_its_padding() {
        for sealing in [Sealing::V5, Sealing::V6] {
            for len in 0..=64 {
                let body: Vec<u8> = (0..len).collect();
                let mut sealed = Vec::new();
                seal_request(sealing, &body, &IV, &mut sealed);
                let clear = body.len().min(4) + 16;

                let mut plaintext = vec![0xEE];
                let iv_decrypted = open(sealing, &IV, &sealed[clear..], &mut plaintext).unwrap();
                assert_eq!(iv_decrypted, sealing.decrypt_iv(&IV));
                let pad = 16 - len % 16;
                assert_eq!(plaintext[1..], [body, vec![pad; pad.into()]].concat());
            }
        }
    }

    #[test]
    fn a_plaintext_sealed_as_it_is_opens_as_it_was() {
        let plaintext = [0xAB; 32]; // not PKCS#7
        let (mut sealed, mut opened) = (Vec::new(), Vec::new());
        seal_plaintext(Sealing::V6, [0, 0, 6, 0], &IV, &plaintext, &mut sealed).unwrap();
        assert_eq!(sealed[..4], [0, 0, 6, 0]);
        assert_eq!(sealed[4..20], IV);
        open(Sealing::V6, &IV, &sealed[20..], &mut opened).unwrap();
        assert_eq!(opened, plaintext);
    }

    #[test]
    fn a_partial_block_is_an_error_and_appends_nothing() {
        let mut out = Vec::new();
        for len in [1, 15, 17, 239] {
            let bytes = vec![0; len];
            assert_eq!(open(Sealing::V5, &IV, &bytes, &mut out), Err(PartialBlock { len }));
            assert_eq!(seal_plaintext(Sealing::V5, [0; 4], &IV, &bytes, &mut out), Err(PartialBlock { len }));
        }
        assert!(out.is_empty());
        assert_eq!(PartialBlock { len: 17 }.to_string(), "17 bytes are not a whole number of 16-byte cipher blocks");
    }

    #[test]
    fn a_buffer_used_before_is_not_allocated_again() {
        let with = SealV6 { request_iv: IV, iv: [0x22; 16], random: [0x33; 16], hwid: [0x44; 8], client_time: 5 };
        let mut out = Vec::new();
        seal_response_v6(&[0; 236], &with, &mut out);
        let (first, place, capacity) = (out.clone(), out.as_ptr(), out.capacity());
        out.clear();
        seal_response_v6(&[0; 236], &with, &mut out);
        assert_eq!(out, first);
        assert_eq!((out.as_ptr(), out.capacity()), (place, capacity));
    }
}
