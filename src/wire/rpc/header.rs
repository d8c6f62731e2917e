//! The sixteen bytes every PDU begins with.

use std::fmt;

use super::super::error::DecodeError;
use super::super::reader::Reader;
use super::at;

/// The common header, in bytes.
pub const HEADER_LEN: usize = 16;

/// The first byte of every PDU: the major version of the protocol.
pub const RPC_VERSION: u8 = 5;

/// The kind of a PDU. Unknown kinds survive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ptype(pub u8);

macro_rules! ptypes {
    ($($(#[$doc:meta])* $constant:ident = $value:literal, $name:literal;)*) => {
        impl Ptype {
            $($(#[$doc])* pub const $constant: Ptype = Ptype($value);)*

            /// The name in C706, for the kinds a KMS conversation may hold.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($name),)*
                    _ => None,
                }
            }
        }
    };
}

ptypes! {
    /// A call's arguments, from the client.
    REQUEST = 0, "request";
    /// A call's results, from the host.
    RESPONSE = 2, "response";
    /// The call failed below the interface.
    FAULT = 3, "fault";
    /// Opens an association and offers presentation contexts.
    BIND = 11, "bind";
    /// The host's answer to a bind.
    BIND_ACK = 12, "bind_ack";
    /// The host refuses the association.
    BIND_NAK = 13, "bind_nak";
    /// Offers further contexts on an open association.
    ALTER_CONTEXT = 14, "alter_context";
    /// The host's answer to an alter_context.
    ALTER_CONTEXT_RESPONSE = 15, "alter_context_resp";
    /// The third leg of an authentication.
    AUTH3 = 16, "auth3";
    /// The host asks the client to close.
    SHUTDOWN = 17, "shutdown";
    /// The client asks to cancel a call.
    CO_CANCEL = 18, "co_cancel";
    /// The client gave a call up.
    ORPHANED = 19, "orphaned";
}

impl fmt::Display for Ptype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "unknown ptype {}", self.0),
        }
    }
}

impl fmt::Debug for Ptype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The flags of a PDU (pfc_flags).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags(pub u8);

impl Flags {
    /// First fragment of a call.
    pub const FIRST: Flags = Flags(0x01);
    /// Last fragment of a call.
    pub const LAST: Flags = Flags(0x02);
    /// A whole call in one PDU.
    pub const WHOLE: Flags = Flags(0x03);
    /// A cancel is pending; on bind and its answer: header signing.
    pub const PENDING_CANCEL: Flags = Flags(0x04);
    /// Several calls at once on one connection.
    pub const CONC_MPX: Flags = Flags(0x10);
    /// The call was not executed.
    pub const DID_NOT_EXECUTE: Flags = Flags(0x20);
    /// No answer is expected.
    pub const MAYBE: Flags = Flags(0x40);
    /// An object UUID stands before the stub.
    pub const OBJECT: Flags = Flags(0x80);

    /// Whether every flag of `other` is set.
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// These flags and those of `other`.
    #[must_use]
    pub const fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// These flags less those of `other`.
    #[must_use]
    pub const fn without(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:02x}", self.0)?;
        let mut separator = " ";
        for (flag, name) in FLAG_NAMES {
            if self.has(flag) {
                write!(f, "{separator}{name}")?;
                separator = "+";
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

const FLAG_NAMES: [(Flags, &str); 8] = [
    (Flags::FIRST, "first"),
    (Flags::LAST, "last"),
    (Flags::PENDING_CANCEL, "cancel-pending/header-sign"),
    (Flags(0x08), "reserved"),
    (Flags::CONC_MPX, "conc_mpx"),
    (Flags::DID_NOT_EXECUTE, "did_not_execute"),
    (Flags::MAYBE, "maybe"),
    (Flags::OBJECT, "object"),
];

/// Header fields read off any bytes: `None` where the bytes end too soon,
/// never an opinion.
#[derive(Debug, Clone, Copy)]
pub struct PduView<'a>(pub &'a [u8]);

impl PduView<'_> {
    /// rpc_vers and rpc_vers_minor.
    pub fn version(self) -> Option<(u8, u8)> {
        Some((*self.0.get(at::VERSION)?, *self.0.get(at::VERSION + 1)?))
    }

    /// The kind of PDU.
    pub fn ptype(self) -> Option<Ptype> {
        self.0.get(at::PTYPE).copied().map(Ptype)
    }

    /// pfc_flags.
    pub fn flags(self) -> Option<Flags> {
        self.0.get(at::FLAGS).copied().map(Flags)
    }

    /// The data representation label: integer and character, float, two reserved bytes.
    pub fn drep(self) -> Option<[u8; 4]> {
        self.array(at::DREP)
    }

    /// Whether the sender's integers are big endian.
    pub fn is_big_endian(self) -> bool {
        self.0.get(at::DREP).is_some_and(|byte| byte >> 4 == 0)
    }

    /// The length of the whole PDU in bytes, as its header says.
    pub fn frag_length(self) -> Option<u16> {
        self.u16(at::FRAG_LENGTH)
    }

    /// The length of the authentication token in bytes.
    pub fn auth_length(self) -> Option<u16> {
        self.u16(at::AUTH_LENGTH)
    }

    /// The call the PDU belongs to.
    pub fn call_id(self) -> Option<u32> {
        self.u32(at::CALL_ID)
    }

    /// Of a bind, an alter_context and their acknowledgements: the association group.
    pub fn assoc_group(self) -> Option<u32> {
        self.u32(at::ASSOC_GROUP)
    }

    /// Of a request, response or fault: the stub length its sender foresaw, in bytes.
    pub fn alloc_hint(self) -> Option<u32> {
        self.u32(at::ALLOC_HINT)
    }

    /// Of a request, response or fault: the presentation context.
    pub fn context_id(self) -> Option<u16> {
        self.u16(at::CONTEXT)
    }

    /// Of a response or fault: cancel_count and the reserved byte after it.
    pub fn cancel_count(self) -> Option<[u8; 2]> {
        self.array(at::CANCEL_COUNT)
    }

    /// Of a fault: the reserved word after the status.
    pub fn fault_reserved(self) -> Option<u32> {
        self.u32(at::FAULT_RESERVED)
    }

    /// Of a bind_ack or alter_context_resp: the reserved bytes after the number of results.
    pub fn results_reserved(self) -> Option<[u8; 3]> {
        let results = at::results(usize::from(self.u16(at::SECONDARY_ADDRESS_LENGTH)?));
        self.array(results + 1)
    }

    fn u16(self, at: usize) -> Option<u16> {
        let raw = self.array(at)?;
        Some(if self.is_big_endian() { u16::from_be_bytes(raw) } else { u16::from_le_bytes(raw) })
    }

    fn u32(self, at: usize) -> Option<u32> {
        let raw = self.array(at)?;
        Some(if self.is_big_endian() { u32::from_be_bytes(raw) } else { u32::from_le_bytes(raw) })
    }

    fn array<const N: usize>(self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..)?.first_chunk().copied()
    }
}

/// The header as a value: everything in it that is not fixed or counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub ptype: Ptype,
    pub flags: Flags,
    pub auth_length: u16,
    pub call_id: u32,
}

impl Header {
    /// Reads a header and sets the reader's byte order by it.
    pub fn read(r: &mut Reader<'_>) -> Result<Header, DecodeError> {
        let whole = r.remaining();
        let start = r.offset();
        let version = r.u8("rpc_vers")?;
        r.require(version == RPC_VERSION, "rpc_vers", start + at::VERSION, || ("5", version))?;
        let minor = r.u8("rpc_vers_minor")?;
        r.require(minor == RPC_VERSION_MINOR, "rpc_vers_minor", start + at::VERSION + 1, || ("0", minor))?;
        let ptype = Ptype(r.u8("ptype")?);
        r.note(|| ptype.to_string());
        let flags = Flags(r.u8("pfc_flags")?);
        r.note(|| flags.to_string());
        let drep: [u8; 4] = r.byte_array("drep")?;
        r.set_big_endian(drep[0] >> 4 == 0);
        r.note(|| describe_drep(drep));
        let integers_known = matches!(drep, [0x10 | 0x00, 0, 0, 0]);
        r.require(integers_known, "drep", start + at::DREP, || {
            ("10 00 00 00 (or 00 00 00 00, big endian)", describe_drep(drep))
        })?;
        let frag_length = r.u16("frag_length")?;
        let right = usize::from(frag_length) == whole && whole >= HEADER_LEN;
        r.require(right, "frag_length", start + at::FRAG_LENGTH, || {
            (format!("{whole}, the bytes there are"), frag_length)
        })?;
        let auth_length = r.u16("auth_length")?;
        let call_id = r.u32("call_id")?;
        Ok(Header { ptype, flags, auth_length, call_id })
    }

    /// Writes a header with room for the length, which [`set_frag_length`] fills in.
    pub fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[RPC_VERSION, RPC_VERSION_MINOR, self.ptype.0, self.flags.0]);
        out.extend_from_slice(&LITTLE_ENDIAN_DREP);
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&self.auth_length.to_le_bytes());
        out.extend_from_slice(&self.call_id.to_le_bytes());
    }
}

/// Fills in the frag_length of the PDU that begins at `start`.
pub(super) fn set_frag_length(out: &mut [u8], start: usize, length: u16) {
    out[start + at::FRAG_LENGTH..][..2].copy_from_slice(&length.to_le_bytes());
}

fn describe_drep(drep: [u8; 4]) -> String {
    let [a, b, c, d] = drep;
    let integers = match a >> 4 {
        0 => "big endian",
        1 => "little endian",
        _ => "unknown integers",
    };
    format!("{a:02x} {b:02x} {c:02x} {d:02x} {integers}")
}

const RPC_VERSION_MINOR: u8 = 0;
/// Little-endian integers, ASCII, IEEE floats.
const LITTLE_ENDIAN_DREP: [u8; 4] = [0x10, 0, 0, 0];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_read_as_words() {
        assert_eq!(Flags::WHOLE.with(Flags::CONC_MPX).to_string(), "0x13 first+last+conc_mpx");
        assert_eq!(Flags(0).to_string(), "0x00");
    }

    #[test]
    fn a_view_shows_what_is_there_and_nothing_more() {
        let view = PduView(&[9, 8, 99, 0xff, 0x10]);
        assert_eq!((view.version(), view.ptype()), (Some((9, 8)), Some(Ptype(99))));
        assert_eq!((view.drep(), view.frag_length(), view.call_id()), (None, None, None));
        assert_eq!(Ptype(99).to_string(), "unknown ptype 99");
    }

    #[test]
    fn big_endian_lengths_are_read_by_the_label() {
        let frame = [5, 0, 2, 3, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 7];
        assert_eq!((PduView(&frame).frag_length(), PduView(&frame).call_id()), (Some(16), Some(7)));
    }
}
