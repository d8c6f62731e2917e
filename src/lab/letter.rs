//! An answer in its envelope, open once more: for faults that spoil what an honest host has sealed.

use crate::crypto::envelope::{self, Sealing};
use crate::crypto::{mac, proof};
use crate::wire::kms::{ActivationRequest, PKCS7_MAX};

/// An answer, taken apart.
#[derive(Debug, Clone)]
pub struct Letter<'a> {
    /// The request it answers.
    pub request: &'a ActivationRequest,
    /// The IV of that, if it had one.
    pub request_iv: [u8; 16],
    /// How it is sealed; V4 has no cipher.
    pub sealing: Option<Sealing>,
    /// The version in the clear. V4 has none but the body's.
    pub version: [u8; 4],
    /// The IV.
    pub iv: [u8; 16],
    /// What is sealed: the body, and of V5 and V6 the proof; without padding.
    pub plaintext: Vec<u8>,
    /// Another padding than PKCS#7's.
    pub padding: Option<Vec<u8>>,
    /// Another MAC than the right one.
    pub mac: Option<[u8; 16]>,
    /// So many bytes are cut off its end.
    pub cut: usize,
}

impl<'a> Letter<'a> {
    /// Opens what was just sealed.
    pub(super) fn open(request: &'a ActivationRequest, request_iv: Option<[u8; 16]>, answer: &[u8]) -> Letter<'a> {
        let mut letter = Letter {
            request,
            request_iv: request_iv.unwrap_or_default(),
            sealing: request_iv.map(|_| crate::proto::sealing(request.version)),
            version: request.version.to_wire(),
            iv: [0; 16],
            plaintext: Vec::new(),
            padding: None,
            mac: None,
            cut: 0,
        };
        match (letter.sealing, answer.split_first_chunk::<4>()) {
            (Some(sealing), Some((version, rest))) => {
                letter.version = *version;
                if let Some((iv, ciphertext)) = rest.split_first_chunk() {
                    letter.iv = *iv;
                    // What was sealed here is whole blocks, and padded.
                    let _ = envelope::open(sealing, iv, ciphertext, &mut letter.plaintext);
                    let padding = letter.plaintext.last().copied().unwrap_or_default();
                    letter.plaintext.truncate(letter.plaintext.len().saturating_sub(usize::from(padding)));
                }
            }
            _ => letter.plaintext = answer[..answer.len().saturating_sub(MAC_LEN)].to_vec(),
        }
        letter
    }

    /// The answer as it goes out.
    pub(super) fn close(mut self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.plaintext.len() + 64);
        match self.sealing {
            None => {
                out.extend_from_slice(&self.plaintext);
                out.extend_from_slice(&self.mac.unwrap_or_else(|| mac::v4(&self.plaintext)));
            }
            Some(sealing) => {
                let due = PKCS7_MAX - self.plaintext.len() % PKCS7_MAX;
                self.plaintext.extend(self.padding.unwrap_or_else(|| vec![due as u8; due]));
                let sealed = envelope::seal_plaintext(sealing, self.version, &self.iv, &self.plaintext, &mut out);
                if sealed.is_err() {
                    out.extend_from_slice(&self.plaintext);
                }
            }
        }
        out.truncate(out.len().saturating_sub(self.cut));
        out
    }

    /// Whether it is of V6.
    pub fn is_v6(&self) -> bool {
        self.sealing == Some(Sealing::V6)
    }

    /// Whether it is of V5.
    pub fn is_v5(&self) -> bool {
        self.sealing == Some(Sealing::V5)
    }

    /// What it was proved with: the random exclusive-or'ed with this, in its proof.
    pub fn salt(&self) -> [u8; 16] {
        self.sealing.map_or([0; 16], |sealing| sealing.decrypt_iv(&self.request_iv))
    }

    /// The random it was proved with.
    pub fn random(&mut self) -> [u8; 16] {
        let salt = self.salt();
        let mut salted = [0; 16];
        salted.copy_from_slice(self.proof(0, 16));
        proof::salted_random(&salted, &salt)
    }

    /// So many bytes of the proof, from its beginning. A V4 answer proves nothing: there it is scratch.
    pub fn proof(&mut self, offset: usize, len: usize) -> &mut [u8] {
        let proof_len = match self.sealing {
            Some(Sealing::V6) => V6_PROOF_LEN,
            _ => V5_PROOF_LEN,
        };
        let at = self.plaintext.len().saturating_sub(proof_len) + offset;
        // Another fault may have left less of it than there was.
        if self.plaintext.len() < at + len {
            self.plaintext.resize(at + len, 0);
        }
        &mut self.plaintext[at..at + len]
    }

    /// Works the HMAC of a V6 answer out again, for what it is now.
    pub fn prove(&mut self) {
        self.prove_in(proof::time_slot(self.request.client_time.0));
    }

    /// The same for another slot value than the right one.
    pub fn prove_in(&mut self, slot: u64) {
        if let (Some(sealing @ Sealing::V6), Some(at)) = (self.sealing, self.plaintext.len().checked_sub(HMAC_LEN)) {
            let hmac = proof::hmac(slot, &sealing.decrypt_iv(&self.iv), &self.plaintext[..at]);
            self.plaintext[at..].copy_from_slice(&hmac);
        }
    }
}

/// Where the hash of the random stands in a proof.
pub const HASH_AT: usize = 16;
const MAC_LEN: usize = 16;
const HMAC_LEN: usize = 16;
/// Random and hash.
const V5_PROOF_LEN: usize = 16 + 32;
/// Random, hash, hardware id, exclusive-or'ed IVs and HMAC.
const V6_PROOF_LEN: usize = 16 + 32 + 8 + 16 + 16;
