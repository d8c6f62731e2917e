//! TCP segments in, conversations out.
//!
//! Bytes come out as soon as they are contiguous. What was seen before is
//! dropped, so the first bytes win; what is ahead of its turn is held. A gap is
//! given up when it is proved that it will never be filled: the other side
//! answers beyond it, too much is being held, or the recording ends.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, HashMap};

use super::notes::Notes;
use super::segment::Segment;
use super::{Chunk, Conversation, Direction};
use crate::text::counted;
use crate::wire::kms::PORT;

/// What an assembler is willing to keep.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    pub conversations: usize,
    /// Bytes of one direction of one conversation.
    pub stream_bytes: u64,
    /// Bytes of one direction waiting for a gap to be filled.
    pub held_bytes: usize,
    /// Segments of one direction waiting for a gap to be filled.
    pub held_segments: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { conversations: 1 << 18, stream_bytes: 64 << 20, held_bytes: 4 << 20, held_segments: 4096 }
    }
}

/// Which frame, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp {
    pub packet: u64,
    pub time: Option<Duration>,
}

/// Takes segments in the order they were recorded.
#[derive(Debug)]
pub(super) struct Assembler {
    limits: Limits,
    flows: Vec<Flow>,
    /// The newest flow of each pair of endpoints, the lesser endpoint first.
    newest: HashMap<(SocketAddr, SocketAddr), usize>,
    refused: u64,
}

impl Assembler {
    pub fn new(limits: &Limits) -> Assembler {
        Assembler { limits: limits.clone(), flows: Vec::new(), newest: HashMap::new(), refused: 0 }
    }

    pub fn take(&mut self, segment: &Segment<'_>, stamp: Stamp, comment: Option<&str>) {
        let (source, destination) = (segment.source, segment.destination);
        let ends = (source.min(destination), source.max(destination));
        let known = self.newest.get(&ends).copied().filter(|index| !self.flows[*index].ends_before(segment));
        let index = match known {
            Some(index) => index,
            // Nothing was said, and nobody can tell who asked for the connection.
            None if !segment.syn && segment.payload.is_empty() => return,
            None if self.flows.len() == self.limits.conversations => {
                self.refused += 1;
                return;
            }
            None => {
                self.flows.push(Flow::new(source, destination));
                let index = self.flows.len() - 1;
                self.newest.insert(ends, index);
                index
            }
        };
        self.flows[index].comment(comment);
        self.flows[index].take(segment, stamp, &self.limits);
    }

    pub fn finish(self, notes: &mut Notes) -> Vec<Conversation> {
        if self.refused > 0 {
            let (refused, limit) = (self.refused, self.limits.conversations);
            notes.add(|| format!("{} of conversations beyond the first {limit} left out", counted(refused, "segment")));
        }
        let limits = self.limits;
        self.flows.into_iter().filter_map(|flow| flow.finish(&limits)).collect()
    }
}

/// One connection. Its sides are numbered: 0 is the one that was seen first.
#[derive(Debug)]
struct Flow {
    ends: [SocketAddr; 2],
    /// The side that asked for the connection, if that was recorded.
    client: Option<usize>,
    streams: [Stream; 2],
    chunks: Vec<(usize, Chunk)>,
    notes: Notes,
    comments: Vec<String>,
}

impl Flow {
    fn new(first: SocketAddr, second: SocketAddr) -> Flow {
        Flow {
            ends: [first, second],
            client: None,
            streams: [Stream::default(), Stream::default()],
            chunks: Vec::new(),
            notes: Notes::default(),
            comments: Vec::new(),
        }
    }

    fn comment(&mut self, comment: Option<&str>) {
        let Some(comment) = comment.filter(|_| self.comments.len() < COMMENTS_MAX) else { return };
        let longest = comment.len().min(COMMENT_BYTES_MAX);
        let kept = (0..=longest).rev().find_map(|len| comment.get(..len)).unwrap_or_default();
        if !kept.is_empty() && !self.comments.iter().any(|before| before == kept) {
            self.comments.push(kept.to_owned());
        }
    }

    /// Whether `segment` belongs to a later connection between the same ports.
    fn ends_before(&self, segment: &Segment<'_>) -> bool {
        let stream = &self.streams[self.side(segment.source)];
        if !segment.syn {
            return !segment.payload.is_empty() && stream.distance(segment.sequence).unsigned_abs() > JUMP_MAX;
        }
        // A repeated SYN repeats its number; and one that the recorder wrote down
        // behind the data it announces fits the first byte of that data.
        let said_something = !self.chunks.is_empty() || self.streams.iter().any(|stream| !stream.held.is_empty());
        let first_byte = segment.sequence.wrapping_add(1);
        said_something && stream.first.map_or(segment.acknowledgment.is_none(), |first| first != first_byte)
    }

    fn take(&mut self, segment: &Segment<'_>, stamp: Stamp, limits: &Limits) {
        let side = self.side(segment.source);
        let first_byte = segment.sequence.wrapping_add(u32::from(segment.syn));
        if segment.syn {
            let client = if segment.acknowledgment.is_some() { 1 - side } else { side };
            self.client.get_or_insert(client);
            if self.streams[side].first != Some(first_byte) {
                self.streams[side].begin(first_byte);
            }
        }
        if segment.payload.is_empty() && segment.missing == 0 {
            return;
        }
        if let Some(acknowledged) = segment.acknowledgment {
            self.settle(1 - side, acknowledged, limits);
        }
        self.data(side, first_byte, segment, stamp, limits);
    }

    /// Who answers has read everything before `acknowledged`; whatever of it is not
    /// here was lost by the recorder, and will not come again. An acknowledgment
    /// without data proves less: recorders do write it before the data it is for.
    fn settle(&mut self, side: usize, acknowledged: u32, limits: &Limits) {
        let until = self.streams[side].absolute(acknowledged);
        while self.streams[side].held.first_key_value().is_some_and(|(start, _)| *start < until) {
            self.skip_gap(side, limits);
        }
    }

    fn data(&mut self, side: usize, first_byte: u32, segment: &Segment<'_>, stamp: Stamp, limits: &Limits) {
        let stream = &mut self.streams[side];
        if stream.first.is_none() {
            stream.begin(first_byte);
        }
        let start = stream.absolute(first_byte);
        let end = start + segment.payload.len() as u64;
        if start > stream.next {
            stream.hold(start, segment.payload, stamp);
            while self.streams[side].holds_more_than(limits) {
                self.skip_gap(side, limits);
            }
            return;
        }
        if end > stream.next {
            let fresh = &segment.payload[(stream.next - start) as usize..];
            self.emit(side, fresh.to_vec(), stamp, limits);
        }
        // Held segments may cover what this one lacks.
        self.drain(side, limits);
        let sent_until = end + segment.missing as u64;
        let stream = &mut self.streams[side];
        if segment.missing > 0 && sent_until > stream.next && stream.next >= end {
            let lacking = sent_until - stream.next;
            stream.next = sent_until;
            self.note(side, || {
                format!("{} at the end of frame {} not recorded", counted(lacking, "byte"), stamp.packet)
            });
            self.drain(side, limits);
        }
    }

    /// Gives up the first gap of a side and goes on behind it.
    fn skip_gap(&mut self, side: usize, limits: &Limits) {
        let Some((&start, held)) = self.streams[side].held.first_key_value() else { return };
        let (missing, packet) = (start.saturating_sub(self.streams[side].next), held.stamp.packet);
        self.note(side, || format!("{} missing before frame {packet}", counted(missing, "byte")));
        self.streams[side].next = start;
        self.drain(side, limits);
    }

    /// Lets out what is held and has become contiguous.
    fn drain(&mut self, side: usize, limits: &Limits) {
        while let Some((start, held)) = self.streams[side].release() {
            let seen = (self.streams[side].next - start) as usize;
            if let Some(fresh) = held.bytes.get(seen..).filter(|fresh| !fresh.is_empty()) {
                self.emit(side, fresh.to_vec(), held.stamp, limits);
            }
        }
    }

    /// The one place where bytes come out.
    fn emit(&mut self, side: usize, bytes: Vec<u8>, stamp: Stamp, limits: &Limits) {
        let stream = &mut self.streams[side];
        let len = bytes.len() as u64;
        stream.next += len;
        if stream.full {
            return;
        }
        if stream.kept + len > limits.stream_bytes {
            stream.full = true;
            let limit = limits.stream_bytes;
            return self.note(side, || {
                format!(
                    "more than {} in this direction: left out from frame {} on",
                    counted(limit, "byte"),
                    stamp.packet
                )
            });
        }
        stream.kept += len;
        // The directions are set when it is known who the client is.
        let direction = Direction::ToHost;
        self.chunks.push((side, Chunk { direction, bytes, packet: Some(stamp.packet), time: stamp.time }));
    }

    fn finish(mut self, limits: &Limits) -> Option<Conversation> {
        // In the order in which they were recorded, the best guess that is left.
        while let Some(side) = self.side_of_first_held() {
            self.skip_gap(side, limits);
        }
        let first_to_speak = self.chunks.first()?.0;
        let port_1688 = [0, 1].map(|side: usize| self.ends[side].port() == PORT);
        let (client, by) = match (self.client, port_1688) {
            (Some(client), _) => (client, None),
            (None, [false, true]) => (0, Some("the host is the side with port 1688")),
            (None, [true, false]) => (1, Some("the host is the side with port 1688")),
            (None, _) => (first_to_speak, Some("the client is taken to be the side that spoke first")),
        };
        if let Some(by) = by {
            self.notes.add(|| format!("recorded from the middle (no SYN); {by}"));
        }
        let chunks = self.chunks.into_iter().map(|(side, chunk)| Chunk {
            direction: if side == client { Direction::ToHost } else { Direction::ToClient },
            ..chunk
        });
        Some(Conversation {
            client: self.ends[client].to_string(),
            host: self.ends[1 - client].to_string(),
            chunks: chunks.collect(),
            notes: self.notes.finish(),
            comments: self.comments,
        })
    }

    fn side_of_first_held(&self) -> Option<usize> {
        let first = |side: &usize| self.streams[*side].held.first_key_value().map(|(_, held)| held.stamp.packet);
        [0, 1].into_iter().filter(|side| first(side).is_some()).min_by_key(first)
    }

    fn side(&self, source: SocketAddr) -> usize {
        usize::from(source != self.ends[0])
    }

    fn note(&mut self, side: usize, what: impl FnOnce() -> String) {
        let (from, to) = (self.ends[side], self.ends[1 - side]);
        self.notes.add(|| format!("{from} -> {to}: {}", what()));
    }
}

/// One direction. Its positions do not wrap around at 4 GiB as sequence numbers do.
#[derive(Debug, Default)]
struct Stream {
    /// The sequence number of the first byte, once anything was seen.
    first: Option<u32>,
    /// The position of the next byte to come out.
    next: u64,
    /// What is ahead of its turn; the pieces do not overlap.
    held: BTreeMap<u64, Held>,
    held_bytes: usize,
    /// How many bytes came out and were kept.
    kept: u64,
    full: bool,
}

#[derive(Debug)]
struct Held {
    bytes: Vec<u8>,
    stamp: Stamp,
}

impl Stream {
    fn begin(&mut self, first_byte: u32) {
        self.first = Some(first_byte);
        // Room below, so that what lies before the first byte has a position too.
        self.next = (1 << 32) + u64::from(first_byte);
    }

    /// How far ahead of its turn a sequence number is.
    fn distance(&self, sequence: u32) -> i32 {
        if self.first.is_none() { 0 } else { sequence.wrapping_sub(self.next as u32).cast_signed() }
    }

    /// The position of a sequence number, the nearest to the one whose turn it is.
    fn absolute(&self, sequence: u32) -> u64 {
        self.next.saturating_add_signed(self.distance(sequence).into())
    }

    /// Keeps those of the bytes that are not held yet.
    fn hold(&mut self, mut start: u64, mut bytes: &[u8], stamp: Stamp) {
        while !bytes.is_empty() {
            let before = self.held.range(..=start).next_back().map(|(start, held)| start + held.bytes.len() as u64);
            let known = before.map_or(0, |end| end.saturating_sub(start)) as usize;
            if known > 0 {
                let known = known.min(bytes.len());
                (start, bytes) = (start + known as u64, &bytes[known..]);
                continue;
            }
            let room = self.held.range(start..).next().map_or(u64::MAX, |(next, _)| next - start);
            let (piece, rest) = bytes.split_at(bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX)));
            self.held_bytes += piece.len();
            self.held.insert(start, Held { bytes: piece.to_vec(), stamp });
            (start, bytes) = (start + piece.len() as u64, rest);
        }
    }

    /// The first held piece, if its turn has come.
    fn release(&mut self) -> Option<(u64, Held)> {
        let (start, held) = self.held.first_entry().filter(|entry| *entry.key() <= self.next)?.remove_entry();
        self.held_bytes -= held.bytes.len();
        Some((start, held))
    }

    fn holds_more_than(&self, limits: &Limits) -> bool {
        self.held_bytes > limits.held_bytes || self.held.len() > limits.held_segments
    }
}

/// A segment this far from where its stream stands (more than any TCP window of a
/// KMS conversation) is of another connection, whose SYN was not recorded.
const JUMP_MAX: u32 = 64 << 20;
/// As many comments of one conversation are kept, and so much of each.
const COMMENTS_MAX: usize = 8;
const COMMENT_BYTES_MAX: usize = 200;
