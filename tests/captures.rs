//! Captures through the public door: what is written is read again, what is
//! broken is survived, and an independent analyser finds nothing to complain about.

mod support;

use core::net::SocketAddr;
use core::time::Duration;
use std::path::Path;
use std::process::Command;

use kmsproof::capture::pcapng::Writer;
use kmsproof::capture::{Chunk, Conversation, Direction, read};
use proptest::prelude::*;
use support::cases::config;
use support::tshark;

/// Which conversation, which way, when (in nanoseconds after the one before), what.
type Step = (usize, bool, u32, Vec<u8>);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let bytes = prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 1..400),
        1 => (59_990_usize..=60_000).prop_map(|len| vec![7; len]),
    ];
    prop::collection::vec((0..ENDS.len(), any::<bool>(), any::<u32>(), bytes), 1..40)
}

proptest! {
    #![proptest_config(config(64))]

    #[test]
    fn what_is_written_is_read_again(steps in steps()) {
        let (file, expected) = write(&steps);
        let capture = read(&file).unwrap();
        prop_assert_eq!(capture.conversations, expected);
        prop_assert_eq!(capture.notes, Vec::<String>::new());
    }

    #[test]
    fn a_damaged_file_is_survived(
        steps in steps(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
        end in any::<prop::sample::Index>(),
    ) {
        let (mut file, _) = write(&steps);
        for (at, byte) in damage {
            let at = at.index(file.len());
            file[at] = byte;
        }
        let _ = read(&file[..end.index(file.len())]);
    }
}

proptest! {
    #![proptest_config(config(2048))]

    #[test]
    fn any_bytes_are_survived(beginning in 0..BEGINNINGS.len(), bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = read(&[BEGINNINGS[beginning], &bytes].concat());
    }

    #[test]
    fn any_packet_is_survived(
        link in prop::sample::select(vec![0_u32, 1, 12, 101, 108, 113, 228, 229, 276]),
        packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 0..8),
        ip in any::<bool>(),
    ) {
        let mut file = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, link].map(u32::to_le_bytes).concat();
        for mut packet in packets {
            // Far enough into the headers to be taken for TCP over IPv4.
            if ip && packet.len() > 33 {
                packet[..10].copy_from_slice(&[0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6]);
                packet[3] = packet.len() as u8;
                packet[32] = 0x50;
            }
            let len = packet.len() as u32;
            file.extend([1, 2, len, len].map(u32::to_le_bytes).concat());
            file.extend(packet);
        }
        prop_assert!(read(&file).is_ok());
    }

    #[test]
    fn any_text_is_survived(text in "([0-9a-f]{2}|[ #:<>|x*-]|0000  |00000010: |\n|client:|g){0,60}") {
        let _ = read(text.as_bytes());
    }
}

#[test]
fn long_data_spans_packets() {
    let mut writer = Writer::new(Vec::new(), "test").unwrap();
    let [client, host] = ends(0);
    let id = writer.open(client, host, Duration::ZERO).unwrap();
    let bytes: Vec<u8> = (0..200_000_u32).map(|number| number as u8).collect();
    writer.segment(id, Direction::ToHost, Duration::ZERO, &bytes, None).unwrap();
    let capture = read(&writer.finish().unwrap()).unwrap();
    let chunks = &capture.conversations[0].chunks;
    assert_eq!(chunks.iter().map(|chunk| chunk.bytes.len()).collect::<Vec<_>>(), [60_000, 60_000, 60_000, 20_000]);
    assert_eq!(chunks.iter().flat_map(|chunk| chunk.bytes.clone()).collect::<Vec<_>>(), bytes);
}

#[test]
fn the_writer_refuses_what_has_no_packets() {
    let mut writer = Writer::new(Vec::new(), "test").unwrap();
    let ([client, host], [six, _]) = (ends(0), ends(1));
    let refused = |result: std::io::Result<()>| result.unwrap_err().to_string();
    assert_eq!(refused(writer.open(client, six, Duration::ZERO).map(drop)), "one address is IPv4 and the other IPv6");
    assert_eq!(refused(writer.open(client, client, Duration::ZERO).map(drop)), "client and host are the same endpoint");
    assert_eq!(refused(writer.open(client, host, Duration::MAX).map(drop)), "the time does not fit the file format");
    let id = writer.open("[::ffff:192.0.2.9]:50000".parse().unwrap(), host, Duration::ZERO).unwrap();
    writer.close(id, Duration::ZERO).unwrap();
    assert_eq!(
        refused(writer.segment(id, Direction::ToHost, Duration::ZERO, b"x", None)),
        "the conversation is closed"
    );
    assert_eq!(refused(writer.close(id, Duration::ZERO)), "the conversation is closed");
}

#[test]
fn tshark_finds_nothing_to_complain_about() {
    if !tshark::is_here("tshark_finds_nothing_to_complain_about") {
        return;
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("written.pcapng");
    std::fs::write(&path, everything()).unwrap();
    let tshark = |arguments: &[&str]| {
        let output = Command::new("tshark")
            .args(["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-r"])
            .arg(&path)
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let complaints = "_ws.malformed || tcp.analysis.flags || tcp.checksum.status == 0 || ip.checksum.status == 0 \
                      || _ws.expert.severity >= 0x00600000";
    assert_eq!(tshark(&["-Y", complaints]), "");
    let fields = |filter, field| tshark(&["-Y", filter, "-T", "fields", "-e", field]);
    assert_eq!(fields("tcp.checksum.status == 1 && tcp.len == 60000", "frame.number").lines().count(), 2);
    assert_eq!(fields("frame.comment", "frame.comment"), "request 1 of client ä\n");
    assert_eq!(fields("tcp.completeness == 31", "tcp.stream").lines().last(), Some("2"));
    assert_eq!(fields("frame.number == 1", "frame.time_epoch").trim(), "1700000000.123456789");
}

/// Two conversations at once over IPv4 and IPv6, and then the first one's ports again.
fn everything() -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), "kmsproof tests").unwrap();
    let at = |millis| Duration::new(1_700_000_000, 123_456_789) + Duration::from_millis(millis);
    let [first, second] = [0, 1].map(|which| {
        let [client, host] = ends(which);
        writer.open(client, host, at(which as u64)).unwrap()
    });
    let long = vec![0x05; 200_000];
    writer.segment(first, Direction::ToHost, at(2), b"\x05\0\x0b", Some("request 1 of client ä")).unwrap();
    writer.segment(second, Direction::ToHost, at(3), &long[..60_000], None).unwrap();
    writer.segment(first, Direction::ToClient, at(4), b"answer", None).unwrap();
    writer.segment(second, Direction::ToClient, at(5), b"answer", None).unwrap();
    writer.segment(second, Direction::ToHost, at(6), &long[..60_001], None).unwrap();
    writer.close(second, at(7)).unwrap();
    writer.close(first, at(8)).unwrap();
    let again = writer.open("192.0.2.9:50001".parse().unwrap(), ends(0)[1], at(9)).unwrap();
    writer.segment(again, Direction::ToHost, at(10), b"once more", None).unwrap();
    writer.close(again, at(11)).unwrap();
    writer.finish().unwrap()
}

fn write(steps: &[Step]) -> (Vec<u8>, Vec<Conversation>) {
    let mut writer = Writer::new(Vec::new(), "test").unwrap();
    let mut at = Duration::from_secs(1_700_000_000);
    let mut packet = 0;
    let mut open = Vec::new();
    for which in 0..ENDS.len() {
        let [client, host] = ends(which);
        open.push(writer.open(client, host, at).unwrap());
        packet += 3;
    }
    let conversation = |[client, host]: [&str; 2]| Conversation {
        client: client.to_owned(),
        host: host.to_owned(),
        chunks: Vec::new(),
        notes: Vec::new(),
        comments: Vec::new(),
    };
    let mut expected: Vec<Conversation> = ENDS.into_iter().map(conversation).collect();
    for (which, to_host, later, bytes) in steps {
        at += Duration::from_nanos((*later).into());
        packet += 1;
        let direction = if *to_host { Direction::ToHost } else { Direction::ToClient };
        let comment = (packet % 3 == 0).then_some("a comment");
        writer.segment(open[*which], direction, at, bytes, comment).unwrap();
        let comments = &mut expected[*which].comments;
        comments.extend(comment.filter(|_| comments.is_empty()).map(str::to_owned));
        expected[*which].chunks.push(Chunk { direction, bytes: bytes.clone(), packet: Some(packet), time: Some(at) });
    }
    for id in open {
        writer.close(id, at).unwrap();
    }
    expected.retain(|conversation| !conversation.chunks.is_empty());
    (writer.finish().unwrap(), expected)
}

fn ends(which: usize) -> [SocketAddr; 2] {
    ENDS[which].map(|end| end.parse().unwrap())
}

const ENDS: [[&str; 2]; 3] = [
    ["192.0.2.9:50000", "192.0.2.1:1688"],
    ["[2001:db8::9]:1688", "[2001:db8::1]:1688"],
    ["192.0.2.1:1688", "192.0.2.1:1699"],
];

const BEGINNINGS: [&[u8]; 9] = [
    b"",
    b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\xff\xff\0\0\x65\0\0\0",
    b"\xa1\xb2\x3c\x4d\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\xff\xff\0\0\0\x01",
    b"\x34\xcd\xb2\xa1",
    b"\x0a\x0d\x0d\x0a",
    b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\x01\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x1c\0\0\0",
    b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\x01\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x1c\0\0\0\x01\0\0\0\x14\0\0\0\x65\0\0\0\0\0\0\0\x14\0\0\0\x06\0\0\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf0000  ",
];
