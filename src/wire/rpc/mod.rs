//! DCE/RPC connection-oriented PDUs (C706 chapter 12, MS-RPCE; protocol
//! description, section 1), in both directions.
//!
//! [`PduView`] reads header fields off any bytes; [`Pdu`] is a legal PDU.
//! [`FrameBuffer`] cuts a byte stream into PDUs, [`Assembler`] joins the
//! fragments of a call, [`fragments`] makes them.

pub mod at;
mod bind;
mod call;
mod fragment;
mod frame;
mod header;
mod order;
mod pdu;
mod syntax;

pub use bind::{
    Bind, BindAck, BindNak, ContextElement, ContextResult, RejectReason, ResultCode, TRANSFER_SYNTAXES_NOT_SUPPORTED,
};
pub use call::{Fault, FaultStatus, Request, Response};
pub use fragment::{Assembler, FragmentError, fragments};
pub use frame::FrameBuffer;
pub use header::{Flags, HEADER_LEN, PduView, Ptype, RPC_VERSION};
pub use order::in_other_order;
pub use pdu::{Auth, Body, Pdu, PduTooLong};
pub use syntax::{SyntaxId, TransferSyntax};

/// The header of a request, response or fault, common header included, in bytes.
pub const CALL_HEADER_LEN: usize = 24;

/// The fragment size a Windows peer offers and accepts, in bytes.
pub const MAX_FRAGMENT: u16 = 5840;

/// The smallest fragment size a Windows-modelled stack settles on, in bytes.
pub const MIN_FRAGMENT: u16 = 2048;
