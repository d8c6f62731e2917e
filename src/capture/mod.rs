//! Recorded conversations: files in, ordered bytes out, and the way back.
//!
//! [`read`] takes a whole file and finds out by itself what it is: a pcap, a
//! pcapng, or hex text. What comes out is the same for all three: conversations
//! of two sides, each a row of [`Chunk`]s in the order in which a reader on the
//! spot would have seen their bytes, so that a request stands before its answer.
//! Every TCP conversation is kept, whatever its ports; the caller decides which
//! ones speak KMS. [`pcapng::Writer`] turns bytes that were sent and received
//! into a file that any packet analyser opens.
//!
//! What could not be read is never passed over in silence: a note says what is
//! missing and before which frame. Checksums are not verified, because a machine
//! that records itself records packets whose checksums its network card has yet
//! to fill in.
//!
//! ```text
//! file ─► packets (pcap, pcapng) ─► segment (link, IP, TCP) ─► assemble ─► Conversation
//!    └──► hex text ────────────────────────────────────────────────────────────┘
//! ```

mod assemble;
#[cfg(test)]
mod by_hand;
mod hex;
mod hex_line;
mod notes;
mod packets;
pub mod pcapng;
mod segment;
#[cfg(test)]
mod tests;
mod text;

use core::time::Duration;

/// What a file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capture {
    /// The conversations, by the first packet of each.
    pub conversations: Vec<Conversation>,
    /// What was skipped or missing in the file as a whole.
    pub notes: Vec<String>,
}

/// The two sides of one TCP connection and all that they said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// The client as `address:port`, or `client` where the file does not say.
    pub client: String,
    /// The host as `address:port`, or `host` where the file does not say.
    pub host: String,
    /// What was said, in the order in which it became readable; never empty.
    pub chunks: Vec<Chunk>,
    /// What is missing or doubtful in this conversation.
    pub notes: Vec<String>,
    /// What whoever wrote the file says of its packets: the first few comments, each once.
    pub comments: Vec<String>,
}

/// Bytes that arrived together. One PDU may span several chunks, and one chunk
/// may hold several PDUs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Which way they went.
    pub direction: Direction,
    /// The bytes; never empty.
    pub bytes: Vec<u8>,
    /// The frame that carried them, counted from 1 as Wireshark counts; none in hex text.
    pub packet: Option<u64>,
    /// When they were recorded, since the UNIX epoch, where the file says so.
    pub time: Option<Duration>,
}

/// Which way bytes went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the client to the host.
    ToHost,
    /// From the host to the client.
    ToClient,
}

/// Why nothing could be read from a file. Lines and columns count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CaptureError {
    /// There are no bytes at all.
    #[error("the file is empty")]
    Empty,
    /// The file is no capture and no text.
    #[error("neither a capture (pcap, pcapng) nor hex text: {why}")]
    NotRecognized {
        /// What it looks like instead, or what gave it away.
        why: String,
    },
    /// It begins like a capture and breaks before the first packet.
    #[error("{format}: broken at byte {offset}, before the first packet: {why}")]
    Broken {
        /// `pcap` or `pcapng`.
        format: &'static str,
        /// Where, in bytes from the start of the file.
        offset: usize,
        /// What is wrong there.
        why: &'static str,
    },
    /// The text has comments at most.
    #[error("the text holds no hex digits")]
    NoBytes,
    /// Something else stands where a hex digit should.
    #[error("line {line}, column {column}: `{found}` is not a hex digit")]
    NotHex {
        /// The line.
        line: usize,
        /// The column, in characters.
        column: usize,
        /// What stands there.
        found: char,
    },
    /// A run of digits ends in the middle of a byte.
    #[error("line {line}, column {column}: an odd number of hex digits ({digits}) is not a whole number of bytes")]
    OddDigits {
        /// The line.
        line: usize,
        /// Where the run begins, in characters.
        column: usize,
        /// How many digits it has.
        digits: usize,
    },
    /// The offset column of a hex dump does not continue the line above.
    #[error("line {line}: the offset is {got:#x}, but {expected:#x} bytes of this dump came before it")]
    Offset {
        /// The line.
        line: usize,
        /// How many bytes came before.
        expected: usize,
        /// What the offset column says.
        got: usize,
    },
    /// A line inside a hex dump has no offset column.
    #[error("line {line}: no offset, but the lines above have one (leave a blank line between dumps)")]
    NoOffset {
        /// The line.
        line: usize,
    },
}

/// Reads a whole file: pcap (either byte order, micro- or nanoseconds), pcapng,
/// or hex text.
///
/// # Errors
///
/// Only when nothing at all could be read. A file that breaks off later yields
/// what stood before the break, and a note.
pub fn read(bytes: &[u8]) -> Result<Capture, CaptureError> {
    if bytes.is_empty() {
        return Err(CaptureError::Empty);
    }
    match packets::Format::of(bytes) {
        Some(format) => packets::read(format, bytes, &assemble::Limits::default()),
        None => hex::read(&text::decode(bytes)?),
    }
}
