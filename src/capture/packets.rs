//! The frames of a pcap or pcapng file, counted as Wireshark counts them.

use core::time::Duration;
use std::collections::BTreeMap;

use pcap_parser::pcapng::{
    parse_enhancedpacketblock_be, parse_enhancedpacketblock_le, parse_interfacedescriptionblock_be,
    parse_interfacedescriptionblock_le,
};
use pcap_parser::traits::PcapNGPacketBlock;
use pcap_parser::{InterfaceDescriptionBlock, OptionCode, pcap};

use super::assemble::{Assembler, Limits, Stamp};
use super::notes::Notes;
use super::segment::{Frame, Skip, dissect};
use super::{Capture, CaptureError};
use crate::text::counted;

/// A file format, as its first four bytes give it away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Pcap,
    Pcapng,
}

impl Format {
    pub fn of(bytes: &[u8]) -> Option<Format> {
        match u32::from_le_bytes(*bytes.first_chunk()?) {
            0xa1b2_c3d4 | 0xa1b2_3c4d | 0xa1b2_cd34 | 0xd4c3_b2a1 | 0x4d3c_b2a1 => Some(Format::Pcap),
            BLOCK_SECTION => Some(Format::Pcapng),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Format::Pcap => "pcap",
            Format::Pcapng => "pcapng",
        }
    }
}

/// Reads a file of the given format.
pub(super) fn read(format: Format, bytes: &[u8], limits: &Limits) -> Result<Capture, CaptureError> {
    let mut recording = Recording::new(limits);
    let end = match format {
        Format::Pcap => pcap_frames(bytes, &mut recording),
        Format::Pcapng => pcapng_frames(bytes, &mut recording),
    };
    match end {
        Err(Break { offset, why }) if recording.frames == 0 => {
            Err(CaptureError::Broken { format: format.name(), offset, why })
        }
        Err(Break { offset, why }) => {
            let frames = recording.frames;
            recording.notes.add(|| format!("broken at byte {offset}, after frame {frames}: {why}"));
            Ok(recording.finish())
        }
        Ok(()) => Ok(recording.finish()),
    }
}

/// Why and where a file cannot be read further.
struct Break {
    offset: usize,
    why: &'static str,
}

/// What has been read so far.
struct Recording {
    assembler: Assembler,
    frames: u64,
    /// How many frames were skipped for what reason, and the first of them.
    skipped: BTreeMap<Skip, (u64, u64)>,
    /// The same for the segments of which the recorder kept the beginning only.
    cut: (u64, u64),
    notes: Notes,
}

impl Recording {
    fn new(limits: &Limits) -> Recording {
        Recording {
            assembler: Assembler::new(limits),
            frames: 0,
            skipped: BTreeMap::new(),
            cut: (0, 0),
            notes: Notes::default(),
        }
    }

    fn frame(&mut self, time: Option<Duration>, link: u32, bytes: &[u8], comment: Option<&str>) {
        self.frames += 1;
        match dissect(link, bytes) {
            Frame::Other => {}
            Frame::Skipped(why) => self.skipped.entry(why).or_insert((0, self.frames)).0 += 1,
            Frame::Tcp(segment) => {
                if segment.missing > 0 {
                    self.cut = (self.cut.0 + 1, if self.cut.0 == 0 { self.frames } else { self.cut.1 });
                }
                self.assembler.take(&segment, Stamp { packet: self.frames, time }, comment);
            }
        }
    }

    fn finish(mut self) -> Capture {
        for (why, (count, first)) in &self.skipped {
            self.notes.add(|| {
                let what = match why {
                    Skip::Fragment => "fragments of IP packets".to_owned(),
                    Skip::Cut => "TCP packets cut short within their headers".to_owned(),
                    Skip::Broken => "TCP packets with broken headers".to_owned(),
                    Skip::Link(link) => format!("packets of the unknown link type {link}"),
                };
                format!("{what} were skipped: {count}, the first is frame {first}")
            });
        }
        let (cut, first) = self.cut;
        if cut > 0 {
            self.notes
                .add(|| format!("{} cut short by the recorder, the first in frame {first}", counted(cut, "segment")));
        }
        if self.frames == 0 {
            self.notes.add(|| "the file holds no packets".to_owned());
        }
        let conversations = self.assembler.finish(&mut self.notes);
        Capture { conversations, notes: self.notes.finish() }
    }
}

fn pcap_frames(bytes: &[u8], recording: &mut Recording) -> Result<(), Break> {
    let (mut rest, header) =
        pcap::parse_pcap_header(bytes).map_err(|_| Break { offset: 0, why: "the file ends within its header" })?;
    let parse = match (header.is_bigendian(), header.is_modified_format()) {
        (true, _) => pcap::parse_pcap_frame_be,
        (false, false) => pcap::parse_pcap_frame,
        (false, true) => pcap::parse_pcap_frame_modified,
    };
    // The upper half of the field says whether frames end in a checksum; IP headers
    // bring their own length.
    let link = header.network.0.cast_unsigned() & 0xffff;
    while !rest.is_empty() {
        let offset = bytes.len() - rest.len();
        let (behind, frame) = parse(rest).map_err(|_| Break { offset, why: "the file ends within a packet" })?;
        let fraction = u64::from(frame.ts_usec);
        let fraction = if header.is_nanosecond_precision() {
            Duration::from_nanos(fraction)
        } else {
            Duration::from_micros(fraction)
        };
        recording.frame(Some(Duration::from_secs(frame.ts_sec.into()) + fraction), link, frame.data, None);
        rest = behind;
    }
    Ok(())
}

/// What packets of one interface of a pcapng section need to be understood.
struct Interface {
    link: u32,
    snap_len: u32,
    ticks_per_second: Option<u128>,
    offset_seconds: i64,
}

/// The blocks are told apart here, so that one that cannot be read (or is not
/// known) costs only itself; the packet library reads what is in them.
fn pcapng_frames(bytes: &[u8], recording: &mut Recording) -> Result<(), Break> {
    let mut big_endian = false;
    let mut interfaces: Vec<Interface> = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let offset = bytes.len() - rest.len();
        let broken = |why| Break { offset, why };
        let head: &[u8; 12] = rest.first_chunk().ok_or(broken("the file ends within a block"))?;
        let [kind, len, order] = [0, 4, 8].map(|at| [head[at], head[at + 1], head[at + 2], head[at + 3]]);
        // The type of a section header reads the same in both byte orders, and only
        // the word behind its length tells which one holds from here on.
        if u32::from_le_bytes(kind) == BLOCK_SECTION {
            big_endian = match u32::from_le_bytes(order) {
                0x1a2b_3c4d => false,
                0x4d3c_2b1a => true,
                _ => return Err(broken("a section header without a byte order")),
            };
            interfaces.clear();
        }
        let number = |raw| if big_endian { u32::from_be_bytes(raw) } else { u32::from_le_bytes(raw) };
        let len = number(len) as usize;
        if len < 12 {
            return Err(broken("a block shorter than its own frame"));
        }
        let block = rest.get(..len).ok_or(broken("the file ends within a block"))?;
        rest = &rest[len..];
        let read = match number(kind) {
            BLOCK_INTERFACE => interface(block, big_endian).map(|interface| interfaces.push(interface)),
            BLOCK_ENHANCED_PACKET => enhanced_packet(block, big_endian, &interfaces, recording),
            BLOCK_SIMPLE_PACKET => simple_packet(block, number, &interfaces, recording),
            BLOCK_OBSOLETE_PACKET => {
                recording.frames += 1;
                Err("an obsolete packet block, which is not read")
            }
            BLOCK_JOURNAL | BLOCK_CUSTOM | BLOCK_CUSTOM_NO_COPY => {
                recording.frames += 1;
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(why) = read {
            let frames = recording.frames;
            recording.notes.add(|| format!("byte {offset}, frame {frames}: skipped {why}"));
        }
    }
    Ok(())
}

fn interface(block: &[u8], big_endian: bool) -> Result<Interface, &'static str> {
    let parse = if big_endian { parse_interfacedescriptionblock_be } else { parse_interfacedescriptionblock_le };
    // An interface that cannot be read still takes up its number.
    let Ok((_, description)) = parse(block) else {
        return Ok(Interface { link: u32::MAX, snap_len: 0, ticks_per_second: None, offset_seconds: 0 });
    };
    // The library's own values are right for powers of ten and little endian only.
    let option = |code| description.options.iter().find(|option| option.code == code).map(|option| option.value());
    let resolution = option(OptionCode::IfTsresol).and_then(|value| value.first().copied()).unwrap_or(6);
    let (base, exponent) = if resolution & 0x80 == 0 { (10, resolution) } else { (2, resolution & 0x7f) };
    let offset = option(OptionCode::IfTsoffset).and_then(|value| value.first_chunk().copied());
    let InterfaceDescriptionBlock { linktype, snaplen, .. } = description;
    Ok(Interface {
        link: linktype.0.cast_unsigned(),
        snap_len: snaplen,
        ticks_per_second: u128::checked_pow(base, exponent.into()),
        offset_seconds: offset
            .map_or(0, |raw| if big_endian { i64::from_be_bytes(raw) } else { i64::from_le_bytes(raw) }),
    })
}

fn enhanced_packet(
    block: &[u8],
    big_endian: bool,
    interfaces: &[Interface],
    recording: &mut Recording,
) -> Result<(), &'static str> {
    let parse = if big_endian { parse_enhancedpacketblock_be } else { parse_enhancedpacketblock_le };
    let packet = match parse(block) {
        Ok((_, packet)) => packet,
        Err(_) => {
            recording.frames += 1;
            return Err("a packet block whose lengths contradict each other");
        }
    };
    let Some(interface) = interfaces.get(packet.if_id as usize) else {
        recording.frames += 1;
        return Err("a packet of an interface that was not described");
    };
    let ticks = u128::from(packet.ts_high) << 32 | u128::from(packet.ts_low);
    let comment = packet.options.iter().find(|option| option.code == OptionCode::Comment);
    let comment = comment.and_then(|option| option.as_bytes().ok()).and_then(|text| str::from_utf8(text).ok());
    recording.frame(interface.time(ticks), interface.link, packet.packet_data(), comment);
    Ok(())
}

fn simple_packet(
    block: &[u8],
    number: impl Fn([u8; 4]) -> u32,
    interfaces: &[Interface],
    recording: &mut Recording,
) -> Result<(), &'static str> {
    // Type, length and original length before the data, the length again behind it.
    let data = block.get(12..block.len() - 4);
    let (Some(original_len), Some(data)) = (block.get(8..).and_then(|tail| tail.first_chunk()), data) else {
        recording.frames += 1;
        return Err("a simple packet block that is too short");
    };
    let Some(interface) = interfaces.first() else {
        recording.frames += 1;
        return Err("a packet of an interface that was not described");
    };
    let snap_len = if interface.snap_len == 0 { u32::MAX } else { interface.snap_len };
    let len = data.len().min(number(*original_len).min(snap_len) as usize);
    recording.frame(None, interface.link, &data[..len], None);
    Ok(())
}

impl Interface {
    fn time(&self, ticks: u128) -> Option<Duration> {
        let per_second = self.ticks_per_second?;
        let seconds = u64::try_from(ticks / per_second).ok()?.checked_add_signed(self.offset_seconds)?;
        let nanos = u32::try_from((ticks % per_second).checked_mul(1_000_000_000)? / per_second).ok()?;
        Some(Duration::new(seconds, nanos))
    }
}

const BLOCK_SECTION: u32 = 0x0a0d_0d0a;
const BLOCK_INTERFACE: u32 = 1;
const BLOCK_OBSOLETE_PACKET: u32 = 2;
const BLOCK_SIMPLE_PACKET: u32 = 3;
const BLOCK_ENHANCED_PACKET: u32 = 6;
// Wireshark shows these as frames of their own, so they count.
const BLOCK_JOURNAL: u32 = 9;
const BLOCK_CUSTOM: u32 = 0x0bad;
const BLOCK_CUSTOM_NO_COPY: u32 = 0x4000_0bad;
