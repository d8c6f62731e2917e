//! What wraps a body: the envelopes of V4, V5 and V6 (protocol description, section 4).

use super::super::error::{DecodeError, Layer};
use super::super::reader::{Reader, hex_preview};
use super::{ProtocolVersion, REQUEST_LEN};

/// A V4 request in its envelope, in bytes.
pub const V4_REQUEST_LEN: usize = REQUEST_LEN + 16;

/// What stands before the ciphertext of V5 and V6, in bytes: version and IV.
pub const SEALED_HEAD_LEN: usize = 4 + 16;

/// A V5 or V6 request in its envelope, in bytes: version, IV, 240 bytes of ciphertext.
pub const SEALED_REQUEST_LEN: usize = SEALED_HEAD_LEN + 240;

/// The most padding PKCS#7 adds to a 16-byte block cipher's plaintext, in bytes.
pub const PKCS7_MAX: usize = 16;

/// An envelope, by the version its first four bytes name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Envelope<'a> {
    /// V4: the body in the clear (its version words included) and a MAC over it.
    Mac {
        /// The body.
        body: &'a [u8],
        /// The MAC.
        mac: [u8; 16],
    },
    /// V5 and V6: an IV and a ciphertext of whole blocks.
    Sealed {
        /// The version in the clear.
        version: ProtocolVersion,
        /// The IV.
        iv: [u8; 16],
        /// The ciphertext; its length is a multiple of 16 and not 0.
        ciphertext: &'a [u8],
    },
}

impl<'a> Envelope<'a> {
    /// Reads an envelope that fills `payload`.
    pub fn decode(payload: &'a [u8]) -> Result<Envelope<'a>, DecodeError> {
        Envelope::read(&mut Reader::new(Layer::Envelope, payload))
    }

    /// Reads an envelope that fills the reader.
    pub fn read(r: &mut Reader<'a>) -> Result<Envelope<'a>, DecodeError> {
        r.set_layer(Layer::Envelope);
        let at = r.offset();
        let whole = r.rest();
        let version = ProtocolVersion::read(r)?;
        let known = ProtocolVersion::ALL.contains(&version);
        if !known {
            return Err(r.stop(r.error("version", at, "4.0, 5.0 or 6.0", version.to_string())));
        }
        if version == ProtocolVersion::V4 {
            r.bytes("body", r.remaining().saturating_sub(16))?;
            let mac = r.byte_array("mac")?;
            return Ok(Envelope::Mac { body: &whole[..whole.len() - 16], mac });
        }
        let iv = r.byte_array("iv")?;
        let at = r.offset();
        let ciphertext = r.bytes("ciphertext", r.remaining())?;
        let len = ciphertext.len();
        r.require(len > 0 && len.is_multiple_of(16), "ciphertext", at, || {
            ("a whole number of 16-byte blocks, at least one", format!("{len} bytes"))
        })?;
        Ok(Envelope::Sealed { version, iv, ciphertext })
    }

    /// The version the envelope's first four bytes name.
    pub fn version(&self) -> ProtocolVersion {
        match self {
            Envelope::Mac { .. } => ProtocolVersion::V4,
            Envelope::Sealed { version, .. } => *version,
        }
    }
}

/// What follows the body of a V5 or V6 response, inside the ciphertext.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// The host's random, exclusive-or'ed with the salt (the block decryption of the request's IV).
    pub random_xor_salt: [u8; 16],
    /// SHA-256 of that random.
    pub random_hash: [u8; 32],
    /// V6 only.
    pub v6: Option<ProofV6>,
}

/// The part of a proof only V6 has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProofV6 {
    /// The host's hardware id.
    pub hwid: [u8; 8],
    /// The salt again: both IVs' relation.
    pub xored_ivs: [u8; 16],
    /// The HMAC over everything before it.
    pub hmac: [u8; 16],
}

impl Proof {
    /// Reads the proof of a response in `version`; the padding after it stays in the reader.
    pub fn read(r: &mut Reader<'_>, version: ProtocolVersion) -> Result<Proof, DecodeError> {
        r.set_layer(Layer::Proof);
        let random_xor_salt = r.byte_array("random xor salt")?;
        let random_hash = r.byte_array("hash of random")?;
        let v6 = if version == ProtocolVersion::V6 {
            let hwid = r.byte_array("hwid")?;
            let xored_ivs = r.byte_array("xored ivs")?;
            let hmac = r.byte_array("hmac")?;
            Some(ProofV6 { hwid, xored_ivs, hmac })
        } else {
            None
        };
        Ok(Proof { random_xor_salt, random_hash, v6 })
    }
}

/// Takes the PKCS#7 padding that must fill the reader: its length, or where it is wrong.
pub fn pkcs7_padding(r: &mut Reader<'_>) -> Result<usize, DecodeError> {
    let at = r.offset();
    let due = PKCS7_MAX - at % PKCS7_MAX;
    let padding = r.bytes("padding", r.remaining())?;
    let len = padding.len();
    let right = len == due && padding.iter().all(|&byte| usize::from(byte) == due);
    r.require(right, "padding", at, || {
        (format!("{due} bytes of {due:#04x}"), format!("{len} bytes: {}", hex_preview(padding)))
    })?;
    Ok(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_decides_the_shape() {
        let mut v4 = ProtocolVersion::V4.to_wire().to_vec();
        v4.extend_from_slice(&[7; 20]);
        assert_eq!(Envelope::decode(&v4), Ok(Envelope::Mac { body: &v4[..8], mac: [7; 16] }));
        let mut v6 = ProtocolVersion::V6.to_wire().to_vec();
        v6.extend_from_slice(&[1; 16]);
        v6.extend_from_slice(&[2; 32]);
        assert_eq!(
            Envelope::decode(&v6),
            Ok(Envelope::Sealed { version: ProtocolVersion::V6, iv: [1; 16], ciphertext: &[2; 32] })
        );
    }

    #[test]
    fn what_is_no_envelope_says_so() {
        let cases: [(&[u8], &str); 4] = [
            (&[0, 0, 7, 0, 1], "envelope: version at byte 0: expected 4.0, 5.0 or 6.0, got 7.0"),
            (&[0, 0], "envelope: major version at byte 2: expected 2 bytes, got 0 bytes before the end"),
            (&[0, 0, 4, 0, 1], "envelope: mac at byte 4: expected 16 bytes, got 1 byte before the end"),
            (&[0, 0, 5, 0, 1], "envelope: iv at byte 4: expected 16 bytes, got 1 byte before the end"),
        ];
        for (bytes, message) in cases {
            assert_eq!(Envelope::decode(bytes).unwrap_err().to_string(), message);
        }
        let mut uneven = ProtocolVersion::V5.to_wire().to_vec();
        uneven.extend_from_slice(&[0; 16 + 17]);
        assert_eq!(Envelope::decode(&uneven).unwrap_err().field, "ciphertext");
    }

    #[test]
    fn padding_must_be_what_pkcs7_makes() {
        let check = |bytes: &[u8], at| pkcs7_padding(&mut Reader::new(Layer::Proof, bytes).at(at));
        assert_eq!(check(&[8; 8], 8), Ok(8));
        assert_eq!(check(&[16; 16], 32), Ok(16));
        for wrong in [&[8; 7][..], &[7; 8], &[8, 8, 8, 8, 8, 8, 8, 9], &[]] {
            assert_eq!(check(wrong, 8).unwrap_err().field, "padding");
        }
    }
}
