//! Calls: request, response and fault (protocol description, sections 1.4 to 1.6).

use std::fmt;

use super::super::Guid;
use super::super::error::DecodeError;
use super::super::reader::Reader;
use super::Flags;

/// The body of a request PDU, or of one fragment of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request<'a> {
    /// The stub length the sender foresees, in bytes.
    pub alloc_hint: u32,
    /// The presentation context of the call.
    pub context_id: u16,
    /// The operation; KMS has one, 0.
    pub opnum: u16,
    /// The object the call is for; its presence is the OBJECT flag.
    pub object: Option<Guid>,
    /// The arguments, or this fragment's share of them.
    pub stub: &'a [u8],
}

/// The body of a response PDU, or of one fragment of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response<'a> {
    /// The stub length the sender foresees, in bytes.
    pub alloc_hint: u32,
    /// The presentation context of the call.
    pub context_id: u16,
    /// How many cancels the host had seen.
    pub cancel_count: u8,
    /// The results, or this fragment's share of them.
    pub stub: &'a [u8],
}

/// The body of a fault PDU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault<'a> {
    /// Meaningless in a fault; hosts send 0, 24 or 32.
    pub alloc_hint: u32,
    /// The presentation context of the call.
    pub context_id: u16,
    /// How many cancels the host had seen.
    pub cancel_count: u8,
    /// What went wrong.
    pub status: FaultStatus,
    /// A host must put nothing here.
    pub stub: &'a [u8],
}

/// The status of a fault. Unknown values survive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FaultStatus(pub u32);

impl FaultStatus {
    /// The operation number is out of range.
    pub const OP_RANGE_ERROR: FaultStatus = FaultStatus(0x1c01_0002);
    /// The presentation context names no interface.
    pub const UNKNOWN_INTERFACE: FaultStatus = FaultStatus(0x1c01_0003);
    /// The call was cancelled before it began. RPC_S_CALL_CANCELLED is 0x71A; Windows answers a first fragment that is
    /// already cancelled with this one.
    pub const CALL_CANCELLED: FaultStatus = FaultStatus(0x0000_06bd);
    /// The PDU breaks the protocol.
    pub const PROTOCOL_ERROR: FaultStatus = FaultStatus(0x1c01_000b);
    /// The arguments cannot be read.
    pub const BAD_STUB_DATA: FaultStatus = FaultStatus(0x0000_06f7);
    /// Access denied; Windows also says so of calls that are too long.
    pub const ACCESS_DENIED: FaultStatus = FaultStatus(0x0000_0005);

    /// The symbol, for the statuses a KMS host is known to send.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            FaultStatus::OP_RANGE_ERROR => Some("nca_s_op_rng_error"),
            FaultStatus::UNKNOWN_INTERFACE => Some("nca_s_unk_if"),
            FaultStatus::PROTOCOL_ERROR => Some("nca_s_proto_error"),
            FaultStatus::BAD_STUB_DATA => Some("rpc_x_bad_stub_data"),
            FaultStatus::ACCESS_DENIED => Some("access denied"),
            _ => None,
        }
    }
}

impl fmt::Display for FaultStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08X}", self.0)?;
        match self.name() {
            Some(name) => write!(f, " {name}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for FaultStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'a> Request<'a> {
    pub(super) fn read(r: &mut Reader<'a>, flags: Flags) -> Result<Request<'a>, DecodeError> {
        let alloc_hint = r.u32("alloc_hint")?;
        let context_id = r.u16("p_cont_id")?;
        let opnum = r.u16("opnum")?;
        let object = if flags.has(Flags::OBJECT) { Some(r.guid("object")?) } else { None };
        Ok(Request { alloc_hint, context_id, opnum, object, stub: r.rest() })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.alloc_hint.to_le_bytes());
        out.extend_from_slice(&self.context_id.to_le_bytes());
        out.extend_from_slice(&self.opnum.to_le_bytes());
        if let Some(object) = self.object {
            out.extend_from_slice(&object.to_wire());
        }
        out.extend_from_slice(self.stub);
    }
}

impl<'a> Response<'a> {
    pub(super) fn read(r: &mut Reader<'a>) -> Result<Response<'a>, DecodeError> {
        let alloc_hint = r.u32("alloc_hint")?;
        let context_id = r.u16("p_cont_id")?;
        let cancel_count = r.u8("cancel_count")?;
        r.u8("reserved")?;
        Ok(Response { alloc_hint, context_id, cancel_count, stub: r.rest() })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.alloc_hint.to_le_bytes());
        out.extend_from_slice(&self.context_id.to_le_bytes());
        out.extend_from_slice(&[self.cancel_count, 0]);
        out.extend_from_slice(self.stub);
    }
}

impl<'a> Fault<'a> {
    pub(super) fn read(r: &mut Reader<'a>) -> Result<Fault<'a>, DecodeError> {
        let alloc_hint = r.u32("alloc_hint")?;
        let context_id = r.u16("p_cont_id")?;
        let cancel_count = r.u8("cancel_count")?;
        r.u8("reserved")?;
        let status = FaultStatus(r.u32("status")?);
        r.note(|| status.to_string());
        r.u32("reserved2")?;
        let stub = r.bytes("fault stub", r.remaining())?;
        Ok(Fault { alloc_hint, context_id, cancel_count, status, stub })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.alloc_hint.to_le_bytes());
        out.extend_from_slice(&self.context_id.to_le_bytes());
        out.extend_from_slice(&[self.cancel_count, 0]);
        out.extend_from_slice(&self.status.0.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(self.stub);
    }
}
