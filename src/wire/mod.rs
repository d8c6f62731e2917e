//! Bytes and values.
//!
//! The whole wire protocol, as this project needs it, is described in [`protocol`]; that is the
//! "protocol description" which comments and checks cite.
//!
//! Every structure of the protocol has two levels. A **view** ([`dump`], and the
//! getters of [`rpc::PduView`]) shows whatever bytes are there, field by field,
//! and never judges. A **value** ([`rpc::Pdu`], [`kms::ActivationRequest`], …)
//! cannot be illegal: decoding one either succeeds or says layer, field,
//! offset, what was expected and what was got ([`DecodeError`]). Encoding a
//! value can fail only where a counter of the wire is too narrow for it ([`rpc::PduTooLong`]).

pub mod dump;
mod error;
mod filetime;
mod guid;
mod hresult;
pub mod kms;
pub mod ndr;
pub mod rpc;

#[doc = include_str!("protocol.md")]
pub mod protocol {}

pub(crate) mod reader;

pub use error::{DecodeError, Layer};
pub use filetime::FileTime;
pub use guid::{Guid, GuidError};
pub use hresult::{Hresult, HresultError};
pub use reader::{Field, Reader, Trace, hex};
