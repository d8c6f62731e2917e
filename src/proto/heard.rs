//! Activation requests read back from the wire.

use super::{Ask, sealing};
use crate::crypto;
use crate::wire::kms::{ActivationRequest, Envelope, ProtocolVersion, pkcs7_padding};
use crate::wire::rpc::{FragmentError, SyntaxId};
use crate::wire::{DecodeError, Layer, Reader, hex};

/// An activation request as it went by.
#[derive(Debug, Clone)]
pub struct Heard {
    /// The request, to hold the answer against.
    pub ask: Ask,
    /// The version its envelope names; the request inside has its own.
    pub envelope: ProtocolVersion,
    /// The decrypted bytes of a V5 or V6 request; empty for V4, which hides nothing.
    pub plaintext: Vec<u8>,
    /// What an honest host has to refuse it for: a wrong MAC or padding, two versions. Offsets
    /// count from the start of the PDU, or of the plaintext for what stands inside.
    pub issues: Vec<DecodeError>,
}

/// Why a call's request could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unheard {
    /// The recording does not have it.
    #[error("the request is not in the recording")]
    Missed,
    /// An answer came before its last fragment.
    #[error("the answer came before the request's last fragment")]
    Unfinished,
    /// Its PDU is not legal.
    #[error("the request's PDU is malformed: {0}")]
    Malformed(DecodeError),
    /// Its fragments make no call, or one that is too long to keep.
    #[error("the request's fragments make no call: {0}")]
    Fragments(FragmentError),
    /// It calls another operation.
    #[error("it calls operation {0}; KMS has operation 0 alone")]
    Opnum(u16),
    /// It calls another interface.
    #[error("it calls another interface, {0}")]
    Foreign(SyntaxId),
    /// It is made in a context the host has not accepted.
    #[error("it is made in context {0}, which the host has not accepted")]
    Context(u16),
    /// No bind was recorded, and its stub does not tell.
    #[error("its transfer syntax is not known: no bind was recorded, and the stub reads as neither or as both")]
    Syntax,
    /// Its stub cannot be read.
    #[error("the request's stub cannot be read: {0}")]
    Stub(DecodeError),
    /// Its envelope or what is in it cannot be read.
    #[error("the request's envelope cannot be read: {0}")]
    Envelope(DecodeError),
}

impl Heard {
    /// Reads a request in its envelope; `base` is where that begins in its PDU.
    ///
    /// # Errors
    /// When there is no request in it: a version that does not exist, or too few bytes.
    pub fn read(payload: &[u8], base: usize) -> Result<Heard, DecodeError> {
        let envelope = Envelope::read(&mut Reader::new(Layer::Envelope, payload).at(base))?;
        let version = envelope.version();
        let mut issues = Vec::new();
        let (request, iv, plaintext) = match envelope {
            Envelope::Mac { body, mac } => {
                let mut r = Reader::new(Layer::KmsRequest, body).at(base);
                let request = ActivationRequest::read(&mut r)?;
                issues.extend(r.finish("request body").err());
                let right = crypto::mac::v4(body);
                if mac != right {
                    issues.push(issue("mac", base + body.len(), hex(&right), hex(&mac)));
                }
                (request, [0; 16], Vec::new())
            }
            Envelope::Sealed { version, iv, ciphertext } => {
                let sealing = sealing(version);
                let mut plaintext = Vec::with_capacity(ciphertext.len());
                // The envelope is whole blocks, or it would not be one.
                let _ = crypto::envelope::open(sealing, &iv, ciphertext, &mut plaintext);
                let mut r = Reader::new(Layer::KmsRequest, &plaintext);
                let request = ActivationRequest::read(&mut r)?;
                r.set_layer(Layer::Envelope);
                issues.extend(pkcs7_padding(&mut r).err());
                (request, iv, plaintext)
            }
        };
        if request.version != version {
            issues.push(issue("version", base, format!("{}, as inside", request.version), version.to_string()));
        }
        Ok(Heard { ask: Ask::recorded(request, iv, payload), envelope: version, plaintext, issues })
    }

    /// The request.
    pub fn request(&self) -> &ActivationRequest {
        self.ask.request()
    }
}

fn issue(field: &'static str, offset: usize, expected: String, got: String) -> DecodeError {
    DecodeError { layer: Layer::Envelope, field, offset, expected: expected.into(), got: got.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::kms::{LicenseStatus, WorkstationName};
    use crate::wire::{FileTime, Guid};

    fn request(version: ProtocolVersion) -> ActivationRequest {
        ActivationRequest {
            version,
            is_vm: 0,
            license_status: LicenseStatus::OOB_GRACE,
            binding_expiration_min: 43_200,
            application_id: Guid::NIL,
            sku_id: Guid::NIL,
            kms_counted_id: Guid::NIL,
            cmid: Guid::NIL,
            n_policy: 25,
            client_time: FileTime(1),
            previous_cmid: Guid::NIL,
            workstation: WorkstationName::new("pc").unwrap(),
        }
    }

    #[test]
    fn what_was_sealed_is_heard_again() {
        for version in ProtocolVersion::ALL {
            let ask = Ask::new(request(version), [7; 16]);
            let heard = Heard::read(ask.payload(), 32).unwrap();
            assert_eq!((heard.request(), heard.envelope), (ask.request(), version));
            assert_eq!(heard.issues, []);
            let iv = if version == ProtocolVersion::V4 { [0; 16] } else { [7; 16] };
            assert_eq!(heard.ask.iv(), &iv);
        }
    }

    #[test]
    fn what_a_host_must_refuse_is_heard_and_named() {
        let spoil = |version, at: usize| {
            let mut payload = Ask::new(request(version), [7; 16]).payload().to_vec();
            let at = if at < payload.len() { at } else { payload.len() - 1 };
            payload[at] ^= 1;
            Heard::read(&payload, 32).map(|heard| heard.issues.iter().map(|issue| issue.field).collect::<Vec<_>>())
        };
        assert_eq!(spoil(ProtocolVersion::V4, 100), Ok(vec!["mac"]));
        assert_eq!(spoil(ProtocolVersion::V6, usize::MAX), Ok(vec!["padding"]));
        // A changed IV changes the first block of the plaintext, where the version stands.
        assert_eq!(spoil(ProtocolVersion::V5, 4), Ok(vec!["version"]));
        // 7 instead of 6 in the clear: no envelope there is.
        assert!(spoil(ProtocolVersion::V6, 2).is_err());
    }
}
