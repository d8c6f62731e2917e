//! Frames and files made by hand, for the tests.

use etherparse::{PacketBuilder, TcpHeader};

pub const CLIENT: u16 = 50_000;
pub const HOST: u16 = 1688;
pub const RAW: u32 = 101;

pub fn syn(from: u16, sequence: u32) -> Vec<u8> {
    tcp(from, HOST, sequence, None, true, "")
}

pub fn syn_ack(from: u16, sequence: u32, acknowledged: u32) -> Vec<u8> {
    tcp(from, if from == HOST { CLIENT } else { HOST }, sequence, Some(acknowledged), true, "")
}

pub fn data(from: u16, sequence: u32, acknowledged: u32, text: &str) -> Vec<u8> {
    tcp(from, if from == HOST { CLIENT } else { HOST }, sequence, Some(acknowledged), false, text)
}

/// A raw IPv4 packet; the side with the lesser port has the lesser address.
pub fn tcp(from: u16, to: u16, sequence: u32, acknowledged: Option<u32>, syn: bool, text: &str) -> Vec<u8> {
    let mut header = TcpHeader::new(from, to, sequence, 1000);
    (header.syn, header.ack) = (syn, acknowledged.is_some());
    header.acknowledgment_number = acknowledged.unwrap_or(0);
    let address = |mine, other| [192, 0, 2, if mine < other { 1 } else { 9 }];
    let mut packet = Vec::new();
    PacketBuilder::ipv4(address(from, to), address(to, from), 64)
        .tcp_header(header)
        .write(&mut packet, text.as_bytes())
        .unwrap();
    packet
}

/// A little-endian pcap file; frame `n` is recorded `n` seconds and `n - 1` microseconds after the epoch.
pub fn pcap(link: u32, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut file: Vec<u8> =
        [0xa1b2_c3d4, 4 << 16 | 2, 0, 0, 65_535, link].iter().flat_map(|word: &u32| word.to_le_bytes()).collect();
    for (index, frame) in frames.iter().enumerate() {
        let len = frame.len() as u32;
        file.extend([index as u32 + 1, index as u32, len, len].iter().flat_map(|word| word.to_le_bytes()));
        file.extend(frame);
    }
    file
}

pub fn section(big_endian: bool) -> Vec<u8> {
    let order = if big_endian { [0x1a, 0x2b, 0x3c, 0x4d] } else { [0x4d, 0x3c, 0x2b, 0x1a] };
    block(big_endian, 0x0a0d_0d0a, &[&order[..], &[0, 1, 0, 0], &[0xff; 8]].concat())
}

pub fn packet_block(big_endian: bool, interface: u32, ticks: u32, frame: &[u8]) -> Vec<u8> {
    let len = frame.len() as u32;
    let head = [interface, 0, ticks, len, len].map(|word| word_bytes(big_endian, word)).concat();
    block(big_endian, 6, &[&head[..], frame].concat())
}

pub fn block(big_endian: bool, kind: u32, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    body.resize(body.len().next_multiple_of(4), 0);
    let len = word_bytes(big_endian, body.len() as u32 + 12);
    [&word_bytes(big_endian, kind)[..], &len, &body, &len].concat()
}

fn word_bytes(big_endian: bool, word: u32) -> [u8; 4] {
    if big_endian { word.to_be_bytes() } else { word.to_le_bytes() }
}
