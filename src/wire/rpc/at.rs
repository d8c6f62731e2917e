//! Where the fields of a PDU stand, in bytes from its beginning (C706 section 12.6.4).
//!
//! For whoever changes bytes of a PDU where they are: [`super::Pdu`] makes and reads whole ones.

/// Of every PDU: its version.
pub const VERSION: usize = 0;
/// Its kind.
pub const PTYPE: usize = 2;
/// Its flags.
pub const FLAGS: usize = 3;
/// Its data representation.
pub const DREP: usize = 4;
/// Its length.
pub const FRAG_LENGTH: usize = 8;
/// The length of its authentication token.
pub const AUTH_LENGTH: usize = 10;
/// The call it belongs to.
pub const CALL_ID: usize = 12;

/// Of a bind, alter_context and their acknowledgements: the longest fragment that is sent.
pub const MAX_XMIT_FRAG: usize = 16;
/// The longest that is received.
pub const MAX_RECV_FRAG: usize = 18;
/// The association group.
pub const ASSOC_GROUP: usize = 20;
/// Of a bind and alter_context: how many contexts are offered, and three reserved bytes.
pub const CONTEXTS: usize = 24;
/// The first of them.
pub const FIRST_CONTEXT: usize = 28;
/// Of a bind_ack and alter_context_resp: how long the secondary address is.
pub const SECONDARY_ADDRESS_LENGTH: usize = 24;
/// The secondary address; behind it stand the [`results`].
pub const SECONDARY_ADDRESS: usize = 26;
/// Of a bind_nak: why.
pub const REJECT_REASON: usize = 16;
/// The versions the host speaks.
pub const VERSIONS: usize = 18;

/// Of a request, response and fault: the allocation hint.
pub const ALLOC_HINT: usize = 16;
/// The context.
pub const CONTEXT: usize = 20;
/// Of a request: the operation.
pub const OPNUM: usize = 22;
/// Of a response and fault: the cancel count.
pub const CANCEL_COUNT: usize = 22;
/// Of a fault: the status.
pub const STATUS: usize = 24;
/// Four reserved bytes behind it.
pub const FAULT_RESERVED: usize = 28;
/// Of a response, and of a request without an object: the stub.
pub const STUB: usize = 24;

/// Of a bind_ack and alter_context_resp: the number of results, and three reserved bytes, behind a secondary address of
/// `length` bytes.
pub fn results(length: usize) -> usize {
    (SECONDARY_ADDRESS + length).next_multiple_of(4)
}

/// Of those results the one of this number, from 0, where they begin at `results`: its result, and then its reason.
pub fn result(results: usize, number: usize) -> usize {
    results + 4 + 24 * number
}

/// Writes bytes over those that stand there; none where the PDU ends before them.
pub fn set(pdu: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(there) = pdu.get_mut(at..at + bytes.len()) {
        there.copy_from_slice(bytes);
    }
}

/// Makes the length of a PDU say how long it is.
pub fn fit(pdu: &mut [u8]) {
    let length = u16::try_from(pdu.len()).unwrap_or(u16::MAX);
    set(pdu, FRAG_LENGTH, &length.to_le_bytes());
}
