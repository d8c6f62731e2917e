//! Calls in several PDUs: making fragments and joining them.

use super::{CALL_HEADER_LEN, Flags};

/// Cuts a stub into the pieces and flags of fragments whose PDUs are at most
/// `max_fragment` bytes. Every piece but the last is a multiple of eight (C706 section 12.6.3.7).
pub fn fragments(stub: &[u8], max_fragment: u16) -> impl Iterator<Item = (Flags, &[u8])> {
    let room = usize::from(max_fragment).saturating_sub(CALL_HEADER_LEN) & !7;
    let room = room.max(8);
    let count = stub.len().div_ceil(room).max(1);
    (0..count).map(move |index| {
        let mut flags = Flags(0);
        if index == 0 {
            flags = flags.with(Flags::FIRST);
        }
        if index + 1 == count {
            flags = flags.with(Flags::LAST);
        }
        let end = stub.len().min((index + 1) * room);
        (flags, &stub[index * room..end])
    })
}

/// Joins the fragments of one call at a time, up to a bound.
#[derive(Debug, Clone)]
pub struct Assembler {
    limit: usize,
    open: Option<u32>,
    pieces: usize,
    stub: Vec<u8>,
}

/// Fragments that make no call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FragmentError {
    /// A later fragment with no first one before it.
    #[error("a fragment of call {call_id} came without its first one")]
    NoFirst {
        /// The call it named.
        call_id: u32,
    },
    /// A second first fragment while a call is still open.
    #[error("call {open} was still open when a first fragment of call {call_id} came")]
    FirstTwice {
        /// The call that was open.
        open: u32,
        /// The call the fragment named.
        call_id: u32,
    },
    /// A fragment of another call than the open one.
    #[error("a fragment of call {call_id} came in the middle of call {open}")]
    OtherCall {
        /// The call that was open.
        open: u32,
        /// The call the fragment named.
        call_id: u32,
    },
    /// More bytes than the receiver takes.
    #[error("call {call_id} grew past {limit} bytes")]
    TooLong {
        /// The call.
        call_id: u32,
        /// The bound, in bytes.
        limit: usize,
    },
    /// More fragments than any honest call has.
    #[error("call {call_id} came in more than {FRAGMENTS_MAX} fragments, and the last one never did")]
    TooMany {
        /// The call.
        call_id: u32,
    },
}

impl Assembler {
    /// An assembler of stubs up to `limit` bytes.
    pub fn new(limit: usize) -> Assembler {
        Assembler { limit, open: None, pieces: 0, stub: Vec::new() }
    }

    /// The call whose fragments are being joined.
    pub fn open_call(&self) -> Option<u32> {
        self.open
    }

    /// Takes one fragment; returns the whole stub when it was the last.
    pub fn feed<'s>(
        &'s mut self,
        call_id: u32,
        flags: Flags,
        piece: &'s [u8],
    ) -> Result<Option<&'s [u8]>, FragmentError> {
        let first = flags.has(Flags::FIRST);
        match self.open {
            Some(open) if first => return Err(FragmentError::FirstTwice { open, call_id }),
            Some(open) if open != call_id => return Err(FragmentError::OtherCall { open, call_id }),
            None if !first => return Err(FragmentError::NoFirst { call_id }),
            _ => {}
        }
        if first {
            self.stub.clear();
            self.pieces = 0;
        }
        self.pieces += 1;
        if self.pieces > FRAGMENTS_MAX {
            self.reset();
            return Err(FragmentError::TooMany { call_id });
        }
        if self.stub.len() + piece.len() > self.limit {
            self.reset();
            return Err(FragmentError::TooLong { call_id, limit: self.limit });
        }
        if first && flags.has(Flags::LAST) {
            return Ok(Some(piece));
        }
        self.open = Some(call_id);
        self.stub.extend_from_slice(piece);
        if !flags.has(Flags::LAST) {
            return Ok(None);
        }
        self.open = None;
        Ok(Some(&self.stub))
    }

    /// Forgets the open call.
    pub fn reset(&mut self) {
        self.open = None;
        self.stub.clear();
    }
}

/// Empty fragments never fill a stub: they have a bound of their own. A stub of 128 KiB in pieces
/// of eight bytes keeps within it.
const FRAGMENTS_MAX: usize = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_joined_again_whatever_their_size() {
        let stub: Vec<u8> = (0..=255).collect();
        for max in [24, 32, 33, 40, 100, 5840] {
            let mut assembler = Assembler::new(256);
            let pieces: Vec<_> = fragments(&stub, max).collect();
            let (last, before) = pieces.split_last().unwrap();
            for (flags, piece) in before {
                assert_eq!(piece.len() % 8, 0);
                assert_eq!(assembler.feed(2, *flags, piece), Ok(None));
            }
            assert_eq!(assembler.feed(2, last.0, last.1), Ok(Some(&stub[..])));
            assert_eq!(assembler.open_call(), None);
        }
    }

    #[test]
    fn a_joined_call_does_not_count_against_the_next_one() {
        let mut assembler = Assembler::new(16);
        for call_id in 2..5 {
            assert_eq!(assembler.feed(call_id, Flags::FIRST, &[1; 8]), Ok(None));
            assert_eq!(assembler.feed(call_id, Flags::LAST, &[2; 8]).unwrap().map(<[u8]>::len), Some(16));
        }
    }

    #[test]
    fn an_empty_stub_is_one_whole_fragment() {
        assert_eq!(fragments(&[], 5840).collect::<Vec<_>>(), [(Flags::WHOLE, &[][..])]);
    }

    #[test]
    fn disorder_is_named() {
        let mut assembler = Assembler::new(16);
        assert_eq!(assembler.feed(2, Flags::LAST, b"x"), Err(FragmentError::NoFirst { call_id: 2 }));
        assert_eq!(assembler.feed(2, Flags::FIRST, b"12345678"), Ok(None));
        assert_eq!(assembler.feed(2, Flags::FIRST, b"x"), Err(FragmentError::FirstTwice { open: 2, call_id: 2 }));
        assert_eq!(assembler.feed(3, Flags(0), b"x"), Err(FragmentError::OtherCall { open: 2, call_id: 3 }));
        assert_eq!(assembler.feed(2, Flags::LAST, b"123456789"), Err(FragmentError::TooLong { call_id: 2, limit: 16 }));
        assert_eq!(assembler.open_call(), None);
    }

    #[test]
    fn fragments_without_end_are_refused_though_they_are_empty() {
        let mut assembler = Assembler::new(16);
        assert_eq!(assembler.feed(2, Flags::FIRST, &[]), Ok(None));
        for _ in 1..FRAGMENTS_MAX {
            assert_eq!(assembler.feed(2, Flags(0), &[]), Ok(None));
        }
        assert_eq!(assembler.feed(2, Flags(0), &[]), Err(FragmentError::TooMany { call_id: 2 }));
    }
}
