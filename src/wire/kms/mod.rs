//! What KMS itself says: the activation request, the activation response, and
//! what wraps them (protocol description, sections 2 to 4).

mod envelope;
mod epid;
mod request;
mod response;
mod version;

/// The port KMS hosts listen on (protocol description, section 1).
pub const PORT: u16 = 1688;

pub use envelope::{
    Envelope, PKCS7_MAX, Proof, ProofV6, SEALED_HEAD_LEN, SEALED_REQUEST_LEN, V4_REQUEST_LEN, pkcs7_padding,
};
pub use epid::{Epid, EpidError};
pub use request::{ActivationRequest, LicenseStatus, NameTooLong, REQUEST_LEN, WorkstationName};
pub use response::{ActivationResponse, EPID_SIZE_MAX, EpidText, EpidTextError, response_len};
pub use version::{ProtocolVersion, ProtocolVersionError};
