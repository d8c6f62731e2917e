//! Bytes that were sent and received, to a file that any packet analyser opens.
//!
//! What is known about a conversation is its bytes, their order and their times.
//! The IP and TCP headers around them are made up: complete and consistent, with
//! every handshake and every acknowledgment in place, and the file says so in the
//! description of its one interface. The format is described in
//! draft-ietf-opsawg-pcapng; packets are raw IP, without an Ethernet that would
//! have to be invented as well.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::HashMap;
use std::io::{self, Write};

use etherparse::{IpHeaders, Ipv4Header, Ipv6Header, PacketBuilder, TcpHeader, TcpOptionElement, ip_number};

use super::Direction;

/// Writes one file. Packets stand in it in the order of the calls.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    open: HashMap<u64, Sides>,
    opened: u64,
}

/// A conversation that a [`Writer`] has opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConversationId(u64);

impl<W: Write> Writer<W> {
    /// Begins a file; `application` is named as its author.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn new(mut out: W, application: &str) -> io::Result<Writer<W>> {
        let mut section = Vec::new();
        section.extend(BYTE_ORDER.to_le_bytes());
        section.extend([1, 0, 0, 0]); // version 1.0
        section.extend(u64::MAX.to_le_bytes()); // length of the section: not known
        option(&mut section, OPTION_SECTION_APPLICATION, application);
        end_of_options(&mut section);
        block(&mut out, BLOCK_SECTION, &section)?;

        let mut interface = Vec::new();
        interface.extend(LINK_RAW_IP.to_le_bytes());
        interface.extend([0; 6]); // reserved; no limit to the length of packets
        option(&mut interface, OPTION_INTERFACE_DESCRIPTION, MADE_UP);
        interface.extend(OPTION_INTERFACE_RESOLUTION.to_le_bytes());
        interface.extend([1, 0, NANOSECONDS, 0, 0, 0]);
        end_of_options(&mut interface);
        block(&mut out, BLOCK_INTERFACE, &interface)?;
        Ok(Writer { out, open: HashMap::new(), opened: 0 })
    }

    /// Opens a conversation: SYN, SYN and ACK, ACK. Times are since the UNIX epoch.
    ///
    /// # Errors
    ///
    /// Those of the file; [`io::ErrorKind::InvalidInput`] for an IPv4 and an IPv6
    /// address in one conversation, for twice the same endpoint, and for a time
    /// later than the year 2554.
    pub fn open(&mut self, client: SocketAddr, host: SocketAddr, at: Duration) -> io::Result<ConversationId> {
        // A socket that serves both families shows IPv4 addresses mapped into IPv6.
        let [client, host] = [client, host].map(|end| SocketAddr::new(end.ip().to_canonical(), end.port()));
        if client.is_ipv4() != host.is_ipv4() {
            return Err(invalid("one address is IPv4 and the other IPv6"));
        }
        if client == host {
            return Err(invalid("client and host are the same endpoint"));
        }
        let id = ConversationId(self.opened);
        // Reused ports are told apart by these numbers, so no two are alike: an odd
        // factor reaches every number before it repeats one.
        let client_next = (self.opened as u32).wrapping_mul(0x9e37_79b1).wrapping_add(0x1000);
        let host_next = client_next.wrapping_add(0x4000_0000);
        let mut sides = Sides { ends: [client, host], next: [client_next, host_next] };
        for (direction, flags) in
            [(Direction::ToHost, Flags::SYN), (Direction::ToClient, Flags::SYN_ACK), (Direction::ToHost, Flags::ACK)]
        {
            self.packet(&mut sides, direction, flags, at, &[], None)?;
        }
        self.opened += 1;
        self.open.insert(id.0, sides);
        Ok(id)
    }

    /// Writes what one side sent: one packet up to 60,000 bytes, else several. The
    /// comment stands at the first of them. No bytes are no packet.
    ///
    /// # Errors
    ///
    /// Those of the file; [`io::ErrorKind::InvalidInput`] for a conversation that is
    /// closed, and for a time later than the year 2554.
    pub fn segment(
        &mut self,
        id: ConversationId,
        direction: Direction,
        at: Duration,
        bytes: &[u8],
        comment: Option<&str>,
    ) -> io::Result<()> {
        let mut sides = self.open.get(&id.0).copied().ok_or_else(closed)?;
        for (index, part) in bytes.chunks(SEGMENT_BYTES_MAX).enumerate() {
            let comment = comment.filter(|_| index == 0);
            self.packet(&mut sides, direction, Flags::PSH_ACK, at, part, comment)?;
        }
        self.open.insert(id.0, sides);
        Ok(())
    }

    /// Closes a conversation: FIN from both sides, the client first.
    ///
    /// # Errors
    ///
    /// Those of [`Writer::segment`].
    pub fn close(&mut self, id: ConversationId, at: Duration) -> io::Result<()> {
        let mut sides = self.open.remove(&id.0).ok_or_else(closed)?;
        for (direction, flags) in [
            (Direction::ToHost, Flags::FIN_ACK),
            (Direction::ToClient, Flags::FIN_ACK),
            (Direction::ToHost, Flags::ACK),
        ] {
            self.packet(&mut sides, direction, flags, at, &[], None)?;
        }
        Ok(())
    }

    /// Flushes and gives back what was written to. Conversations that are still open
    /// stay without an end.
    ///
    /// # Errors
    ///
    /// Those of the file.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }

    fn packet(
        &mut self,
        sides: &mut Sides,
        direction: Direction,
        flags: Flags,
        at: Duration,
        payload: &[u8],
        comment: Option<&str>,
    ) -> io::Result<()> {
        let nanos = u64::try_from(at.as_nanos()).map_err(|_| invalid("the time does not fit the file format"))?;
        let packet = sides.packet(direction, flags, payload)?;
        let len = (packet.len() as u32).to_le_bytes();
        let mut body = Vec::with_capacity(packet.len() + 64);
        body.extend(0_u32.to_le_bytes()); // the first interface
        body.extend(((nanos >> 32) as u32).to_le_bytes());
        body.extend((nanos as u32).to_le_bytes());
        body.extend([len, len].concat());
        body.extend(packet);
        pad(&mut body);
        if let Some(comment) = comment {
            option(&mut body, OPTION_COMMENT, comment);
            end_of_options(&mut body);
        }
        block(&mut self.out, BLOCK_ENHANCED_PACKET, &body)
    }
}

/// The client and the host of a conversation, and the sequence number each is at.
#[derive(Debug, Clone, Copy)]
struct Sides {
    ends: [SocketAddr; 2],
    next: [u32; 2],
}

/// The flags of a segment; PSH goes with data.
#[derive(Debug, Clone, Copy)]
struct Flags {
    syn: bool,
    ack: bool,
    psh: bool,
    fin: bool,
}

impl Flags {
    const ACK: Flags = Flags { syn: false, ack: true, psh: false, fin: false };
    const SYN: Flags = Flags { syn: true, ack: false, ..Flags::ACK };
    const SYN_ACK: Flags = Flags { syn: true, ..Flags::ACK };
    const PSH_ACK: Flags = Flags { psh: true, ..Flags::ACK };
    const FIN_ACK: Flags = Flags { fin: true, ..Flags::ACK };
}

impl Sides {
    /// An IP packet, and one step on in the sequence numbers.
    fn packet(&mut self, direction: Direction, flags: Flags, payload: &[u8]) -> io::Result<Vec<u8>> {
        let (from, to) = if direction == Direction::ToHost { (0, 1) } else { (1, 0) };
        let [source, destination] = [self.ends[from], self.ends[to]];
        let mut tcp = TcpHeader::new(source.port(), destination.port(), self.next[from], WINDOW);
        (tcp.syn, tcp.ack, tcp.psh, tcp.fin) = (flags.syn, flags.ack, flags.psh, flags.fin);
        if flags.ack {
            tcp.acknowledgment_number = self.next[to];
        }
        if flags.syn {
            // A window no conversation fills: receivers acknowledge with their answers only.
            tcp.set_options(&[TcpOptionElement::MaximumSegmentSize(u16::MAX - 40), TcpOptionElement::WindowScale(14)])
                .map_err(io::Error::other)?;
        }
        let step = payload.len() as u32 + u32::from(flags.syn) + u32::from(flags.fin);
        self.next[from] = self.next[from].wrapping_add(step);

        // The builder sets the lengths and the checksums.
        let ip = match (source, destination) {
            (SocketAddr::V4(source), SocketAddr::V4(destination)) => {
                let (source, destination) = (source.ip().octets(), destination.ip().octets());
                let header = Ipv4Header::new(0, HOPS, ip_number::TCP, source, destination).map_err(io::Error::other)?;
                IpHeaders::Ipv4(header, Default::default())
            }
            _ => {
                let [source, destination] = [source, destination].map(|end| match end {
                    SocketAddr::V6(end) => end.ip().octets(),
                    SocketAddr::V4(end) => end.ip().to_ipv6_mapped().octets(),
                });
                let header = Ipv6Header { hop_limit: HOPS, source, destination, ..Ipv6Header::default() };
                IpHeaders::Ipv6(header, Default::default())
            }
        };
        let builder = PacketBuilder::ip(ip).tcp_header(tcp);
        let mut packet = Vec::with_capacity(builder.size(payload.len()));
        builder.write(&mut packet, payload).map_err(io::Error::other)?;
        Ok(packet)
    }
}

/// One block: type, length, body, length again.
fn block(out: &mut impl Write, kind: u32, body: &[u8]) -> io::Result<()> {
    let len = (body.len() as u32 + 12).to_le_bytes();
    out.write_all(&[kind.to_le_bytes(), len].concat())?;
    out.write_all(body)?;
    out.write_all(&len)
}

fn option(body: &mut Vec<u8>, code: u16, text: &str) {
    let len = (0..=text.len().min(OPTION_BYTES_MAX)).rev().find(|len| text.is_char_boundary(*len)).unwrap_or(0);
    let text = &text[..len];
    body.extend(code.to_le_bytes());
    body.extend((text.len() as u16).to_le_bytes());
    body.extend(text.as_bytes());
    pad(body);
}

fn end_of_options(body: &mut Vec<u8>) {
    body.extend([0; 4]);
}

/// Everything in the file begins at a multiple of four bytes.
fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

fn closed() -> io::Error {
    invalid("the conversation is closed")
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

const MADE_UP: &str = "made up: only the TCP payloads, their order and their times were observed";

/// What fits one IP packet with room to spare.
const SEGMENT_BYTES_MAX: usize = 60_000;
const OPTION_BYTES_MAX: usize = 32 << 10;
const WINDOW: u16 = u16::MAX;
const HOPS: u8 = 64;

const BLOCK_SECTION: u32 = 0x0a0d_0d0a;
const BLOCK_INTERFACE: u32 = 1;
const BLOCK_ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
const LINK_RAW_IP: u16 = 101;
const OPTION_COMMENT: u16 = 1;
const OPTION_INTERFACE_DESCRIPTION: u16 = 3;
const OPTION_SECTION_APPLICATION: u16 = 4;
const OPTION_INTERFACE_RESOLUTION: u16 = 9;
const NANOSECONDS: u8 = 9;
