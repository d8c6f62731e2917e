//! One recorded frame to one TCP segment.

use core::net::SocketAddr;

use etherparse::err::packet::SliceError;
use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TransportSlice, ip_number};

/// What matters of a TCP segment.
#[derive(Debug)]
pub(super) struct Segment<'a> {
    /// Who sent it.
    pub source: SocketAddr,
    /// To whom.
    pub destination: SocketAddr,
    /// The sequence number as it stands there.
    pub sequence: u32,
    /// The acknowledgment number, if the flag says that it counts.
    pub acknowledgment: Option<u32>,
    /// Whether a side opens with this segment.
    pub syn: bool,
    /// The data it carries.
    pub payload: &'a [u8],
    /// How many bytes of data were sent behind `payload`, and not recorded.
    pub missing: usize,
}

/// What a frame turned out to be.
#[derive(Debug)]
pub(super) enum Frame<'a> {
    /// A TCP segment.
    Tcp(Segment<'a>),
    /// Anything but TCP.
    Other,
    /// TCP, or a part of it, that is not followed up.
    Skipped(Skip),
}

/// Why a frame that may have carried TCP was skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Skip {
    /// A part of an IP packet.
    Fragment,
    /// The recorder kept less than the headers.
    Cut,
    /// Headers that contradict themselves.
    Broken,
    /// A link layer that is not known here, by its number (tcpdump.org/linktypes.html).
    Link(u32),
}

/// Reads the headers of a frame.
pub(super) fn dissect(link: u32, frame: &[u8]) -> Frame<'_> {
    let packet = match link {
        LINK_ETHERNET => LaxSlicedPacket::from_ethernet(frame).ok(),
        LINK_LINUX_SLL => behind_ether_type(frame, 14, 16),
        LINK_LINUX_SLL2 => behind_ether_type(frame, 0, 20),
        LINK_RAW | LINK_RAW_BSD | LINK_RAW_OPENBSD | LINK_IPV4 | LINK_IPV6 => LaxSlicedPacket::from_ip(frame).ok(),
        // The four bytes are an address family whose numbers differ from one system
        // to the next; the IP header tells its version by itself.
        LINK_NULL | LINK_LOOP => frame.get(4..).and_then(|ip| LaxSlicedPacket::from_ip(ip).ok()),
        _ => return Frame::Skipped(Skip::Link(link)),
    };
    packet.map_or(Frame::Other, |packet| segment(&packet))
}

fn behind_ether_type(frame: &[u8], ether_type: usize, header_len: usize) -> Option<LaxSlicedPacket<'_>> {
    let ether_type = frame.get(ether_type..)?.first_chunk().copied().map(u16::from_be_bytes)?;
    Some(LaxSlicedPacket::from_ether_type(EtherType(ether_type), frame.get(header_len..)?))
}

fn segment<'a>(packet: &LaxSlicedPacket<'a>) -> Frame<'a> {
    let (source, destination, declared_len, payload) = match &packet.net {
        Some(LaxNetSlice::Ipv4(ip)) => {
            let header = ip.header();
            let headers_len = header.slice().len() + ip.extensions().auth.map_or(0, |auth| auth.slice().len());
            let declared_len = usize::from(header.total_len()).saturating_sub(headers_len);
            (header.source_addr().into(), header.destination_addr().into(), declared_len, ip.payload())
        }
        Some(LaxNetSlice::Ipv6(ip)) => {
            let header = ip.header();
            let declared_len = usize::from(header.payload_length()).saturating_sub(ip.extensions().slice().len());
            (header.source_addr().into(), header.destination_addr().into(), declared_len, ip.payload())
        }
        _ => return Frame::Other,
    };
    if payload.ip_number != ip_number::TCP {
        return Frame::Other;
    }
    if payload.fragmented {
        return Frame::Skipped(Skip::Fragment);
    }
    let Some(TransportSlice::Tcp(tcp)) = &packet.transport else {
        let short = matches!(&packet.stop_err, Some((SliceError::Len(_), _)));
        return Frame::Skipped(if short && payload.incomplete { Skip::Cut } else { Skip::Broken });
    };
    Frame::Tcp(Segment {
        source: SocketAddr::new(source, tcp.source_port()),
        destination: SocketAddr::new(destination, tcp.destination_port()),
        sequence: tcp.sequence_number(),
        acknowledgment: tcp.ack().then(|| tcp.acknowledgment_number()),
        syn: tcp.syn(),
        payload: tcp.payload(),
        // A length of 0 in the header is a packet the network card was left to cut up,
        // and not a packet of which something is missing.
        missing: if payload.incomplete { declared_len.saturating_sub(payload.payload.len()) } else { 0 },
    })
}

const LINK_NULL: u32 = 0;
const LINK_ETHERNET: u32 = 1;
const LINK_RAW_BSD: u32 = 12;
const LINK_RAW_OPENBSD: u32 = 14;
const LINK_RAW: u32 = 101;
const LINK_LOOP: u32 = 108;
const LINK_LINUX_SLL: u32 = 113;
const LINK_IPV4: u32 = 228;
const LINK_IPV6: u32 = 229;
const LINK_LINUX_SLL2: u32 = 276;
