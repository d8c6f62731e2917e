//! The one error every decoder of [`crate::wire`] returns.

use std::borrow::Cow;
use std::fmt;

/// The part of the protocol a field belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Layer {
    /// A DCE/RPC connection-oriented PDU.
    Rpc,
    /// The NDR32 stub of a call.
    Ndr32,
    /// The NDR64 stub of a call.
    Ndr64,
    /// What wraps an activation body: version, IV, ciphertext, MAC.
    Envelope,
    /// The 236-byte activation request.
    KmsRequest,
    /// The activation response.
    KmsResponse,
    /// What follows the response body inside a V5 or V6 envelope.
    Proof,
}

impl Layer {
    /// The name used in messages and listings.
    pub const fn name(self) -> &'static str {
        match self {
            Layer::Rpc => "rpc",
            Layer::Ndr32 => "ndr32",
            Layer::Ndr64 => "ndr64",
            Layer::Envelope => "envelope",
            Layer::KmsRequest => "kms request",
            Layer::KmsResponse => "kms response",
            Layer::Proof => "proof",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Bytes that are not what the protocol says they must be: where, what was
/// expected there and what stood there instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{layer}: {field} at byte {offset}: expected {expected}, got {got}")]
pub struct DecodeError {
    /// The layer that was being read.
    pub layer: Layer,
    /// The field, by its name in the protocol description.
    pub field: &'static str,
    /// Where the field begins, in bytes from the start of the buffer read
    /// (a whole PDU, or a decrypted plaintext).
    pub offset: usize,
    /// What would have been right.
    pub expected: Cow<'static, str>,
    /// What was there.
    pub got: Cow<'static, str>,
}
