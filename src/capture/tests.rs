//! Captures made by hand, each with one thing in it that goes wrong on networks.

use etherparse::{
    IpFragOffset, IpHeaders, Ipv4Header, Ipv6Extensions, Ipv6Header, Ipv6RawExtHeader, PacketBuilder, TcpHeader,
    VlanId, ip_number,
};

use super::assemble::Limits;
use super::by_hand::{CLIENT, HOST, RAW, block, data, packet_block, pcap, section, syn, syn_ack, tcp};
use super::packets::{self, Format};
use super::{Capture, CaptureError, Conversation, Direction, read};

#[test]
fn a_plain_conversation() {
    let capture = read(&pcap(
        RAW,
        &[syn(CLIENT, 99), syn_ack(HOST, 499, 100), data(CLIENT, 100, 500, "ask"), data(HOST, 500, 103, "answer")],
    ))
    .unwrap();
    let [conversation] = &capture.conversations[..] else { panic!("{capture:?}") };
    assert_eq!(conversation.client, "192.0.2.9:50000");
    assert_eq!(conversation.host, "192.0.2.1:1688");
    assert_eq!(said(conversation), "ask|<answer");
    assert_eq!(conversation.chunks[1].packet, Some(4));
    assert_eq!(conversation.chunks[1].time.unwrap().as_micros(), 4_000_003);
    assert_eq!((&capture.notes[..], &conversation.notes[..]), (&[][..], &[][..]));
}

#[test]
fn what_was_seen_is_dropped_and_the_first_bytes_win() {
    let frames = [
        syn(CLIENT, 99),
        data(CLIENT, 100, 0, "abcd"),
        data(CLIENT, 100, 0, "ABCD"),
        data(CLIENT, 102, 0, "CDef"),
        // Ahead of its turn, twice, and then what joins them.
        data(CLIENT, 110, 0, "kl"),
        data(CLIENT, 108, 0, "ijKLmn"),
        data(CLIENT, 106, 0, "gh"),
    ];
    assert_eq!(only(&pcap(RAW, &frames)), ("abcd|ef|gh|ij|kl|mn".to_owned(), vec![]));
}

#[test]
fn sequence_numbers_wrap_around() {
    let frames = [
        syn(CLIENT, u32::MAX - 2),
        data(CLIENT, 2, 0, "ef"),
        data(CLIENT, u32::MAX - 1, 0, "abcd"),
        data(CLIENT, u32::MAX, 0, "bcdefgh"),
    ];
    assert_eq!(only(&pcap(RAW, &frames)), ("abcd|ef|gh".to_owned(), vec![]));
}

#[test]
fn a_gap_is_given_up_when_the_other_side_answers_beyond_it() {
    let frames = [
        syn(CLIENT, 99),
        syn_ack(HOST, 499, 100),
        data(CLIENT, 140, 500, "second"),
        data(HOST, 500, 146, "answer"),
        data(CLIENT, 146, 506, "third"),
    ];
    let note = "192.0.2.9:50000 -> 192.0.2.1:1688: 40 bytes missing before frame 3";
    assert_eq!(only(&pcap(RAW, &frames)), ("second|<answer|third".to_owned(), vec![note.to_owned()]));
}

#[test]
fn an_acknowledgment_without_data_does_not_give_up_a_gap() {
    let frames = [syn(CLIENT, 99), data(CLIENT, 102, 0, "cd"), data(HOST, 500, 104, ""), data(CLIENT, 100, 0, "ab")];
    assert_eq!(only(&pcap(RAW, &frames)), ("ab|cd".to_owned(), vec![]));
}

#[test]
fn gaps_are_given_up_at_the_end_and_when_too_much_waits() {
    let frames = [syn(CLIENT, 99), data(CLIENT, 104, 0, "x"), data(CLIENT, 108, 0, "y"), data(CLIENT, 112, 0, "z")];
    let gap = |frame| {
        format!("192.0.2.9:50000 -> 192.0.2.1:1688: {} bytes missing before frame {frame}", 3 + u8::from(frame == 2))
    };
    let expected = ("x|y|z".to_owned(), vec![gap(2), gap(3), gap(4)]);
    assert_eq!(only(&pcap(RAW, &frames)), expected);
    for limits in [Limits { held_bytes: 1, ..Limits::default() }, Limits { held_segments: 1, ..Limits::default() }] {
        assert_eq!(one(packets::read(Format::Pcap, &pcap(RAW, &frames), &limits).unwrap()), expected);
    }
}

#[test]
fn limits_are_kept_and_noted() {
    let long = pcap(RAW, &[syn(CLIENT, 99), data(CLIENT, 100, 0, "abcd"), data(CLIENT, 104, 0, "e")]);
    let limits = Limits { stream_bytes: 4, ..Limits::default() };
    let note = "192.0.2.9:50000 -> 192.0.2.1:1688: more than 4 bytes in this direction: left out from frame 3 on";
    assert_eq!(one(packets::read(Format::Pcap, &long, &limits).unwrap()), ("abcd".to_owned(), vec![note.to_owned()]));

    let many = pcap(RAW, &[data(CLIENT, 1, 0, "a"), data(CLIENT + 1, 1, 0, "b"), data(CLIENT, 2, 0, "c")]);
    let limits = Limits { conversations: 1, ..Limits::default() };
    let capture = packets::read(Format::Pcap, &many, &limits).unwrap();
    assert_eq!(capture.conversations.len(), 1);
    assert_eq!(capture.notes, ["1 segment of conversations beyond the first 1 left out"]);
}

#[test]
fn a_new_syn_is_a_new_conversation_and_a_repeated_one_is_not() {
    let frames = [
        syn(CLIENT, 99),
        syn(CLIENT, 99),
        data(CLIENT, 100, 0, "one"),
        syn(CLIENT, 99),
        syn(CLIENT, 9_999),
        syn_ack(HOST, 77, 10_000),
        data(CLIENT, 10_000, 0, "two"),
        // No SYN, but far from where the stream stands.
        data(CLIENT, 2_000_000_000, 0, "three"),
    ];
    let capture = read(&pcap(RAW, &frames)).unwrap();
    assert_eq!(capture.conversations.iter().map(said).collect::<Vec<_>>(), ["one", "two", "three"]);
    assert!(capture.conversations[2].notes[0].starts_with("recorded from the middle (no SYN)"));
}

#[test]
fn sides_are_told_apart_without_a_syn() {
    let (spoken, notes) = only(&pcap(RAW, &[data(HOST, 500, 0, "answer"), data(CLIENT, 1, 0, "ask")]));
    assert_eq!(spoken, "<answer|ask");
    assert_eq!(notes, ["recorded from the middle (no SYN); the host is the side with port 1688"]);

    let first = tcp(4444, 5555, 1, None, false, "ask");
    let (spoken, notes) = only(&pcap(RAW, &[first, tcp(5555, 4444, 1, None, false, "answer")]));
    assert_eq!(spoken, "ask|<answer");
    assert_eq!(notes, ["recorded from the middle (no SYN); the client is taken to be the side that spoke first"]);

    // The answer to a SYN tells as much as the SYN.
    assert_eq!(only(&pcap(RAW, &[syn_ack(4444, 499, 1), tcp(4444, HOST, 500, None, false, "hello")])).0, "<hello");
}

#[test]
fn conversations_without_data_are_dropped_and_other_packets_are_passed_over() {
    let mut udp = Vec::new();
    PacketBuilder::ipv4([1; 4], [2; 4], 3).udp(1, 1688).write(&mut udp, b"x").unwrap();
    let capture = read(&pcap(RAW, &[syn(CLIENT, 99), syn_ack(HOST, 1, 100), udp, vec![], vec![0x45]])).unwrap();
    assert_eq!(capture, Capture::default());
}

#[test]
fn every_link_type() {
    let ip = || data(CLIENT, 1, 0, "data");
    let behind = |head: &[u8]| [head, &ip()].concat();
    let sll = [&[0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 8, 0][..]].concat();
    let sll2 = [&[8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0][..]].concat();
    let mut vlan = Vec::new();
    PacketBuilder::ethernet2([1; 6], [2; 6])
        .double_vlan(VlanId::try_new(7).unwrap(), VlanId::try_new(8).unwrap())
        .ipv4([192, 0, 2, 9], [192, 0, 2, 1], 64)
        .tcp(CLIENT, HOST, 1, 1000)
        .write(&mut vlan, b"data")
        .unwrap();
    let mut padded = behind(&[0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 8, 0]);
    padded.extend([0xee; 6]);
    let cases = [
        (0, behind(&[2, 0, 0, 0])),
        (108, behind(&[0, 0, 0, 2])),
        (1, padded),
        (1, vlan),
        (12, ip()),
        (14, ip()),
        (101, ip()),
        (228, ip()),
        (113, behind(&sll)),
        (276, behind(&sll2)),
    ];
    for (link, frame) in cases {
        let capture = read(&pcap(link, &[frame])).unwrap();
        assert_eq!(capture.conversations.iter().map(said).collect::<Vec<_>>(), ["data"], "link type {link}");
    }
    let capture = read(&pcap(147, &[ip(), ip()])).unwrap();
    assert_eq!(capture.notes, ["packets of the unknown link type 147 were skipped: 2, the first is frame 1"]);
}

#[test]
fn ipv6_with_extension_headers() {
    let ends = |ip: Ipv6Header| Ipv6Header { source: [0x20; 16], destination: [0x21; 16], ..ip };
    let extensions = Ipv6Extensions {
        hop_by_hop_options: Some(Ipv6RawExtHeader::new_raw(ip_number::TCP, &[1, 4, 0, 0, 0, 0]).unwrap()),
        destination_options: Some(Ipv6RawExtHeader::new_raw(ip_number::TCP, &[1, 4, 0, 0, 0, 0]).unwrap()),
        ..Ipv6Extensions::default()
    };
    let mut frame = Vec::new();
    PacketBuilder::ip(IpHeaders::Ipv6(ends(Ipv6Header { hop_limit: 1, ..Ipv6Header::default() }), extensions))
        .tcp_header(TcpHeader::new(CLIENT, HOST, 1, 1000))
        .write(&mut frame, b"six")
        .unwrap();
    let cut = frame[..frame.len() - 2].to_vec();
    let capture = read(&pcap(229, &[frame])).unwrap();
    assert_eq!(said(&capture.conversations[0]), "six");
    assert_eq!(capture.conversations[0].host, "[2121:2121:2121:2121:2121:2121:2121:2121]:1688");

    let capture = read(&pcap(229, &[cut])).unwrap();
    assert_eq!(said(&capture.conversations[0]), "s");
    assert_eq!(capture.notes, ["1 segment cut short by the recorder, the first in frame 1"]);
}

#[test]
fn what_the_recorder_cut_short_is_noted_and_passed_over() {
    let short = |frame: Vec<u8>, by: usize| frame[..frame.len() - by].to_vec();
    let frames = [
        syn(CLIENT, 99),
        short(data(CLIENT, 100, 0, "abcdef"), 4),
        data(CLIENT, 106, 0, "gh"),
        short(data(CLIENT, 108, 0, "x"), 10),
    ];
    let capture = read(&pcap(RAW, &frames)).unwrap();
    assert_eq!(
        capture.notes,
        [
            "TCP packets cut short within their headers were skipped: 1, the first is frame 4",
            "1 segment cut short by the recorder, the first in frame 2",
        ]
    );
    let note = "192.0.2.9:50000 -> 192.0.2.1:1688: 4 bytes at the end of frame 2 not recorded";
    assert_eq!(one(capture), ("ab|gh".to_owned(), vec![note.to_owned()]));
}

#[test]
fn fragments_are_skipped_and_noted() {
    let mut ip = Ipv4Header::new(0, 64, ip_number::TCP, [192, 0, 2, 9], [192, 0, 2, 1]).unwrap();
    ip.fragment_offset = IpFragOffset::try_new(3).unwrap();
    let mut fragment = Vec::new();
    PacketBuilder::ip(IpHeaders::Ipv4(ip, Default::default()))
        .tcp_header(TcpHeader::new(CLIENT, HOST, 1, 1000))
        .write(&mut fragment, b"part")
        .unwrap();
    let capture = read(&pcap(RAW, &[fragment, data(CLIENT, 1, 0, "whole")])).unwrap();
    assert_eq!(said(&capture.conversations[0]), "whole");
    assert_eq!(capture.notes, ["fragments of IP packets were skipped: 1, the first is frame 1"]);
}

#[test]
fn pcap_in_both_byte_orders_and_resolutions() {
    let frame = data(CLIENT, 1, 0, "data");
    for (magic, nanos) in [(0xa1b2_c3d4_u32, 7_000_u128), (0xa1b2_3c4d, 7)] {
        let header = [magic, 2 << 16 | 4, 0, 0, 65_535, RAW];
        let record = [1, 7, frame.len() as u32, frame.len() as u32];
        let big: Vec<u8> = header.iter().chain(&record).flat_map(|word| word.to_be_bytes()).collect();
        let capture = read(&[&big[..], &frame].concat()).unwrap();
        assert_eq!(capture.conversations[0].chunks[0].time.unwrap().as_nanos(), 1_000_000_000 + nanos);
    }
}

#[test]
fn a_file_that_breaks_off() {
    let file = pcap(RAW, &[data(CLIENT, 1, 0, "one"), data(CLIENT, 4, 0, "two")]);
    let capture = read(&file[..file.len() - 1]).unwrap();
    assert_eq!(said(&capture.conversations[0]), "one");
    assert_eq!(capture.notes, ["broken at byte 83, after frame 1: the file ends within a packet"]);
    let error = |file: &[u8]| read(file).unwrap_err().to_string();
    assert_eq!(error(&file[..40]), "pcap: broken at byte 24, before the first packet: the file ends within a packet");
    assert_eq!(error(&file[..9]), "pcap: broken at byte 0, before the first packet: the file ends within its header");
    assert_eq!(
        error(b"\n\r\r\n123"),
        "pcapng: broken at byte 0, before the first packet: the file ends within a block"
    );
    assert_eq!(read(b""), Err(CaptureError::Empty));
    assert_eq!(read(&pcap(RAW, &[])).unwrap().notes, ["the file holds no packets"]);
}

#[test]
fn pcapng_sections_interfaces_and_blocks() {
    let frame = |text| data(CLIENT, 1, 0, text);
    // A big-endian section: an Ethernet first, so that the second interface counts.
    let mut file = section(true);
    file.extend(block(true, 1, &[0, 1, 0, 0, 0, 0, 0, 0]));
    // Time in 1/1024 s, and 1000 s to add.
    let options = [&[0, 9, 0, 1, 0x8a, 0, 0, 0, 0, 14, 0, 8][..], &1000_i64.to_be_bytes(), &[0; 4]].concat();
    file.extend(block(true, 1, &[&[0, 101, 0, 0, 0, 0, 0, 0][..], &options].concat()));
    file.extend(packet_block(true, 1, 512, &frame("big")));
    file.extend(packet_block(true, 9, 0, &frame("lost")));
    file.extend(block(true, 0x7777, &[0; 8]));
    // A little-endian one whose packets are numbered on, with a simple packet and an obsolete one.
    file.extend(section(false));
    file.extend(block(false, 1, &[101, 0, 0, 0, 0, 0, 0, 0]));
    file.extend(block(false, 2, &[0; 20]));
    let simple = tcp(CLIENT + 1, HOST, 1, None, false, "simple");
    file.extend(block(false, 3, &[&(simple.len() as u32).to_le_bytes()[..], &simple].concat()));
    file.extend(&packet_block(false, 0, 0, &frame("cut"))[..30]);

    let capture = read(&file).unwrap();
    let all: Vec<_> = capture.conversations.iter().map(|c| (said(c), c.chunks[0].packet, c.chunks[0].time)).collect();
    let time = core::time::Duration::from_millis(1_000_500);
    assert_eq!(all, [("big".to_owned(), Some(1), Some(time)), ("simple".to_owned(), Some(4), None)]);
    assert_eq!(capture.notes.len(), 3, "{:?}", capture.notes);
    assert!(capture.notes[0].ends_with("frame 2: skipped a packet of an interface that was not described"));
    assert!(capture.notes[1].ends_with("frame 3: skipped an obsolete packet block, which is not read"));
    assert!(capture.notes[2].ends_with("after frame 4: the file ends within a block"));
}

/// What was said, with `<` before what the host said.
fn said(conversation: &Conversation) -> String {
    let chunk = |chunk: &super::Chunk| {
        let arrow = if chunk.direction == Direction::ToClient { "<" } else { "" };
        arrow.to_owned() + core::str::from_utf8(&chunk.bytes).unwrap()
    };
    conversation.chunks.iter().map(chunk).collect::<Vec<_>>().join("|")
}

fn one(mut capture: Capture) -> (String, Vec<String>) {
    assert_eq!(capture.conversations.len(), 1, "{capture:?}");
    let conversation = capture.conversations.remove(0);
    (said(&conversation), conversation.notes)
}

fn only(file: &[u8]) -> (String, Vec<String>) {
    one(read(file).unwrap())
}
