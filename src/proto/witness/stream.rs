//! One direction of a recorded conversation, cut into PDUs.

use crate::proto::{FailureKind, Moment, Sender, WitnessEvent};
use crate::wire::rpc::{FrameBuffer, HEADER_LEN, PduView};

/// Bytes one side sent.
#[derive(Debug)]
pub(super) struct Stream {
    sender: Sender,
    frames: FrameBuffer,
    /// When the PDU that is not yet whole began.
    since: Moment,
    lost: Option<Lost>,
}

/// Bytes after which no PDU can be found any more.
#[derive(Debug)]
pub(super) struct Lost {
    /// Why not.
    pub kind: FailureKind,
    /// When they began.
    pub at: Moment,
    /// The first of them.
    pub bytes: Vec<u8>,
    /// How many there are.
    pub total: usize,
}

impl Stream {
    pub fn new(sender: Sender) -> Stream {
        Stream { sender, frames: FrameBuffer::default(), since: Moment::default(), lost: None }
    }

    /// Takes bytes in any pieces.
    pub fn push(&mut self, at: Moment, bytes: &[u8]) {
        match &mut self.lost {
            Some(lost) => lost.take(bytes),
            None => {
                if self.frames.pending().is_empty() {
                    self.since = at;
                }
                self.frames.push(bytes);
            }
        }
    }

    /// The next whole PDU.
    pub fn next(&mut self, at: Moment) -> Option<Vec<u8>> {
        if self.lost.is_some() {
            return None;
        }
        // The protocol version is the first byte: no later byte could make this RPC again.
        if self.frames.pending().first().is_some_and(|&first| first != 5) {
            self.lose(FailureKind::NotRpc);
            return None;
        }
        match self.frames.next_frame() {
            Ok(frame) => {
                let frame = frame?.to_vec();
                self.since = at;
                Some(frame)
            }
            Err(error) => {
                self.lose(FailureKind::Malformed(error));
                None
            }
        }
    }

    /// Begins anew where a recording that lacks bytes goes on with a PDU; what is left of the
    /// time before comes out.
    pub fn resume_at(&mut self, bytes: &[u8]) -> Option<WitnessEvent> {
        let view = PduView(bytes);
        let begins = view.version() == Some((5, 0))
            && view.drep() == Some([0x10, 0, 0, 0])
            && view.ptype().is_some_and(|ptype| ptype.name().is_some())
            && view.frag_length().is_some_and(|length| usize::from(length) >= HEADER_LEN);
        if begins { self.end() } else { None }
    }

    /// Why no further PDU can be found, if that is so.
    pub fn lost(&self) -> Option<&Lost> {
        self.lost.as_ref()
    }

    /// What is left that makes no PDU, and a fresh beginning.
    pub fn end(&mut self) -> Option<WitnessEvent> {
        let (sender, pending) = (self.sender, std::mem::take(&mut self.frames));
        let pending = pending.pending();
        let cut_short = self.lost.is_none();
        let left = match self.lost.take() {
            Some(lost) => lost,
            None if pending.is_empty() => return None,
            None => Lost::new(FailureKind::Closed, self.since, pending),
        };
        Some(WitnessEvent::Stray { sender, at: left.at, bytes: left.bytes, total: left.total, cut_short })
    }

    fn lose(&mut self, kind: FailureKind) {
        let frames = std::mem::take(&mut self.frames);
        self.lost = Some(Lost::new(kind, self.since, frames.pending()));
    }
}

impl Lost {
    fn new(kind: FailureKind, at: Moment, bytes: &[u8]) -> Lost {
        let mut lost = Lost { kind, at, bytes: Vec::new(), total: 0 };
        lost.take(bytes);
        lost
    }

    fn take(&mut self, bytes: &[u8]) {
        let room = STRAY_MAX - self.bytes.len();
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.total += bytes.len();
    }
}

/// How many stray bytes are kept to be shown.
const STRAY_MAX: usize = 4096;
