//! Opening an association: bind, alter_context and their answers
//! (protocol description, sections 1.2 and 1.3).

use std::fmt;

use super::super::error::DecodeError;
use super::super::reader::Reader;
use super::{SyntaxId, at};

/// The body of a bind or an alter_context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// The largest fragment the sender will send, in bytes.
    pub max_xmit_frag: u16,
    /// The largest fragment the sender takes, in bytes.
    pub max_recv_frag: u16,
    /// The association group to join; 0 asks for a new one.
    pub assoc_group: u32,
    /// What is offered, at most 255.
    pub contexts: Vec<ContextElement>,
}

/// One presentation context on offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextElement {
    /// The number calls will name it by.
    pub id: u16,
    /// The interface.
    pub interface: SyntaxId,
    /// The transfer syntaxes it may be spoken in, at most 255.
    pub transfer: Vec<SyntaxId>,
}

/// The body of a bind_ack or an alter_context_resp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindAck {
    /// The largest fragment the sender will send, in bytes.
    pub max_xmit_frag: u16,
    /// The largest fragment the sender takes, in bytes.
    pub max_recv_frag: u16,
    /// The association group joined or made.
    pub assoc_group: u32,
    /// The secondary address with its NUL: the port in ASCII; empty in an alter_context_resp.
    pub secondary_address: Vec<u8>,
    /// The bytes that align the results to four; meaningless, and hosts are known to leave old memory there.
    pub pad: [u8; 3],
    /// One result for each context offered, in the same order; at most 255.
    pub results: Vec<ContextResult>,
}

/// What became of one presentation context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContextResult {
    /// Accepted or not.
    pub result: ResultCode,
    /// Why not; for a negotiate ack, the features granted.
    pub reason: u16,
    /// The transfer syntax accepted; all zero otherwise.
    pub syntax: SyntaxId,
}

/// The body of a bind_nak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindNak {
    /// Why the association was refused.
    pub reason: RejectReason,
    /// The protocol versions the host speaks, major and minor, at most 255.
    pub versions: Vec<(u8, u8)>,
    /// What follows them: padding, or an extended error's signature.
    pub trailer: Vec<u8>,
}

/// The result of one presentation context. Unknown values survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResultCode(pub u16);

impl ResultCode {
    /// The context may be used.
    pub const ACCEPTED: ResultCode = ResultCode(0);
    /// The host refuses the context; the reason says why.
    pub const PROVIDER_REJECTION: ResultCode = ResultCode(2);
    /// The answer to bind time feature negotiation.
    pub const NEGOTIATE_ACK: ResultCode = ResultCode(3);
}

/// Reason of a provider rejection: the interface is not served.
pub const ABSTRACT_SYNTAX_NOT_SUPPORTED: u16 = 1;
/// Reason of a provider rejection: none of the transfer syntaxes is spoken (or another context has it already).
pub const TRANSFER_SYNTAXES_NOT_SUPPORTED: u16 = 2;

impl fmt::Display for ContextResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.result, self.reason) {
            (ResultCode::ACCEPTED, _) => write!(f, "accepted {}", self.syntax),
            (ResultCode::PROVIDER_REJECTION, ABSTRACT_SYNTAX_NOT_SUPPORTED) => {
                f.write_str("rejected: interface not supported")
            }
            (ResultCode::PROVIDER_REJECTION, TRANSFER_SYNTAXES_NOT_SUPPORTED) => {
                f.write_str("rejected: transfer syntax not supported")
            }
            (ResultCode::NEGOTIATE_ACK, features) => write!(f, "bind time features granted 0x{features:04x}"),
            (ResultCode(result), reason) => write!(f, "result {result}, reason {reason}"),
        }
    }
}

/// Why a host refuses an association. Unknown values survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RejectReason(pub u16);

impl RejectReason {
    /// No reason given.
    pub const NOT_SPECIFIED: RejectReason = RejectReason(0);
    /// The host is congested for the moment.
    pub const TEMPORARY_CONGESTION: RejectReason = RejectReason(1);
    /// A limit of the host is exceeded.
    pub const LOCAL_LIMIT_EXCEEDED: RejectReason = RejectReason(2);
    /// A protocol error, or the protocol version is not supported.
    pub const PROTOCOL_VERSION_NOT_SUPPORTED: RejectReason = RejectReason(4);
    /// The authentication type is unknown.
    pub const AUTH_TYPE_UNKNOWN: RejectReason = RejectReason(8);
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match *self {
            RejectReason::NOT_SPECIFIED => "reason not specified",
            RejectReason::TEMPORARY_CONGESTION => "temporary congestion",
            RejectReason::LOCAL_LIMIT_EXCEEDED => "local limit exceeded",
            RejectReason::PROTOCOL_VERSION_NOT_SUPPORTED => "protocol error or version not supported",
            RejectReason::AUTH_TYPE_UNKNOWN => "authentication type not recognised",
            RejectReason(other) => return write!(f, "reason {other}"),
        };
        write!(f, "{} ({words})", self.0)
    }
}

impl Bind {
    pub(super) fn read(r: &mut Reader<'_>) -> Result<Bind, DecodeError> {
        let max_xmit_frag = r.u16("max_xmit_frag")?;
        let max_recv_frag = r.u16("max_recv_frag")?;
        let assoc_group = r.u32("assoc_group_id")?;
        r.note(|| format!("0x{assoc_group:08x}"));
        let count = r.u8("n_context_elem")?;
        r.bytes("reserved", 3)?;
        let mut contexts = Vec::with_capacity(usize::from(count));
        for index in 0..count {
            r.group(|| format!("context[{index}]"));
            contexts.push(ContextElement::read(r)?);
        }
        r.group(String::new);
        Ok(Bind { max_xmit_frag, max_recv_frag, assoc_group, contexts })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.max_xmit_frag.to_le_bytes());
        out.extend_from_slice(&self.max_recv_frag.to_le_bytes());
        out.extend_from_slice(&self.assoc_group.to_le_bytes());
        out.extend_from_slice(&[self.contexts.len() as u8, 0, 0, 0]);
        for context in &self.contexts {
            context.write(out);
        }
    }
}

impl ContextElement {
    fn read(r: &mut Reader<'_>) -> Result<ContextElement, DecodeError> {
        let id = r.u16("p_cont_id")?;
        let count = r.u8("n_transfer_syn")?;
        r.bytes("reserved", 1)?;
        let interface = SyntaxId::read(r, "abstract_syntax")?;
        let mut transfer = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            transfer.push(SyntaxId::read(r, "transfer_syntax")?);
        }
        Ok(ContextElement { id, interface, transfer })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.to_le_bytes());
        out.extend_from_slice(&[self.transfer.len() as u8, 0]);
        self.interface.write(out);
        for syntax in &self.transfer {
            syntax.write(out);
        }
    }
}

impl BindAck {
    /// The secondary address as text, when it is text that ends in its one NUL.
    pub fn secondary_address_text(&self) -> Option<&str> {
        let (&last, text) = self.secondary_address.split_last()?;
        if last != 0 || text.contains(&0) {
            return None;
        }
        std::str::from_utf8(text).ok()
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<BindAck, DecodeError> {
        let max_xmit_frag = r.u16("max_xmit_frag")?;
        let max_recv_frag = r.u16("max_recv_frag")?;
        let assoc_group = r.u32("assoc_group_id")?;
        r.note(|| format!("0x{assoc_group:08x}"));
        let length = usize::from(r.u16("secondary_address.length")?);
        let secondary_address = r.bytes("secondary_address", length)?.to_vec();
        r.note(|| format!("{:?}", String::from_utf8_lossy(&secondary_address)));
        let padding = r.bytes("pad", results_padding(length))?;
        let mut pad = [0; 3];
        pad[..padding.len()].copy_from_slice(padding);
        let count = r.u8("n_results")?;
        r.bytes("reserved", 3)?;
        let mut results = Vec::with_capacity(usize::from(count));
        for index in 0..count {
            r.group(|| format!("result[{index}]"));
            results.push(ContextResult::read(r)?);
        }
        r.group(String::new);
        Ok(BindAck { max_xmit_frag, max_recv_frag, assoc_group, secondary_address, pad, results })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.max_xmit_frag.to_le_bytes());
        out.extend_from_slice(&self.max_recv_frag.to_le_bytes());
        out.extend_from_slice(&self.assoc_group.to_le_bytes());
        out.extend_from_slice(&(self.secondary_address.len() as u16).to_le_bytes());
        out.extend_from_slice(&self.secondary_address);
        out.extend_from_slice(&self.pad[..results_padding(self.secondary_address.len())]);
        out.extend_from_slice(&[self.results.len() as u8, 0, 0, 0]);
        for result in &self.results {
            out.extend_from_slice(&result.result.0.to_le_bytes());
            out.extend_from_slice(&result.reason.to_le_bytes());
            result.syntax.write(out);
        }
    }
}

impl ContextResult {
    fn read(r: &mut Reader<'_>) -> Result<ContextResult, DecodeError> {
        let result = ResultCode(r.u16("result")?);
        let reason = r.u16("reason")?;
        let syntax = SyntaxId::read(r, "transfer_syntax")?;
        let whole = ContextResult { result, reason, syntax };
        r.note(|| format!("{} ({whole})", syntax.version));
        Ok(whole)
    }
}

impl BindNak {
    pub(super) fn read(r: &mut Reader<'_>) -> Result<BindNak, DecodeError> {
        let reason = RejectReason(r.u16("reject_reason")?);
        r.note(|| reason.to_string());
        let mut versions = Vec::new();
        if r.remaining() > 0 {
            let count = r.u8("n_protocols")?;
            for index in 0..count {
                r.group(|| format!("protocol[{index}]"));
                versions.push((r.u8("major")?, r.u8("minor")?));
            }
            r.group(String::new);
        }
        let trailer = r.bytes("pad or extended error", r.remaining())?.to_vec();
        Ok(BindNak { reason, versions, trailer })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.reason.0.to_le_bytes());
        out.push(self.versions.len() as u8);
        for &(major, minor) in &self.versions {
            out.extend_from_slice(&[major, minor]);
        }
        out.extend_from_slice(&self.trailer);
    }
}

/// How many bytes bring the results after a secondary address of `length` bytes to a
/// multiple of four from the start of the PDU.
fn results_padding(length: usize) -> usize {
    at::results(length) - at::SECONDARY_ADDRESS - length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_aligned_from_the_start_of_the_pdu() {
        assert_eq!([0, 1, 2, 3, 5, 6].map(results_padding), [2, 1, 0, 3, 1, 0]);
    }

    #[test]
    fn a_secondary_address_is_text_only_with_its_one_nul() {
        let ack = |bytes: &[u8]| BindAck {
            max_xmit_frag: 0,
            max_recv_frag: 0,
            assoc_group: 0,
            secondary_address: bytes.to_vec(),
            pad: [0; 3],
            results: Vec::new(),
        };
        assert_eq!(ack(b"1688\0").secondary_address_text(), Some("1688"));
        for wrong in [&b"1688"[..], b"", b"16\x0088\0", b"\xff\0"] {
            assert_eq!(ack(wrong).secondary_address_text(), None);
        }
    }
}
