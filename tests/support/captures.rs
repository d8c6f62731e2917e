//! Conversations as files somebody would bring: hex text and captures.

use core::time::Duration;

use kmsproof::capture::Direction;
use kmsproof::capture::pcapng::Writer;
use kmsproof::proto::Sender;

/// PDUs as somebody would paste them.
pub fn hex_text(pdus: &[(Sender, Vec<u8>)]) -> String {
    pdus.iter()
        .map(|(sender, bytes)| {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{sender}: {hex}\n")
        })
        .collect()
}

/// Conversations as a capture file, one after the other, a PDU every 100 µs.
pub fn pcapng(conversations: &[&[(Sender, Vec<u8>)]], port: u16) -> Vec<u8> {
    // When the vectors were recorded.
    let mut at = Duration::from_secs(1_795_187_966);
    let mut writer = Writer::new(Vec::new(), "kmsproof").unwrap();
    for (number, pdus) in (0_u16..).zip(conversations) {
        let client = format!("192.0.2.9:{}", 50_000 + number).parse().unwrap();
        let id = writer.open(client, format!("192.0.2.1:{port}").parse().unwrap(), at).unwrap();
        for (sender, bytes) in *pdus {
            at += Duration::from_micros(100);
            let direction = if *sender == Sender::Client { Direction::ToHost } else { Direction::ToClient };
            writer.segment(id, direction, at, bytes, None).unwrap();
        }
        writer.close(id, at).unwrap();
        at += Duration::from_secs(1);
    }
    writer.finish().unwrap()
}
