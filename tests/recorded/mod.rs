//! The recorded exchanges, as tests want them.

use core::time::Duration;

use kmsproof::capture::Direction;
use kmsproof::capture::pcapng::Writer;
use kmsproof::proto::Sender;
use serde_json::Value;

/// One conversation of the vectors.
pub struct Exchange {
    /// Its name there.
    pub name: String,
    /// Every PDU, with who sent it.
    pub pdus: Vec<(Sender, Vec<u8>)>,
}

/// Every conversation of the vectors.
pub fn exchanges() -> Vec<Exchange> {
    let vectors: Value = serde_json::from_str(include_str!("../vectors/exchanges.json")).unwrap();
    let pdu = |pdu: &Value| {
        let sender = if pdu["dir"] == "client" { Sender::Client } else { Sender::Host };
        let hex = pdu["hex"].as_str().unwrap();
        let bytes = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap());
        (sender, bytes.collect())
    };
    let exchange = |exchange: &Value| Exchange {
        name: exchange["name"].as_str().unwrap().to_owned(),
        pdus: exchange["pdus"].as_array().unwrap().iter().map(pdu).collect(),
    };
    vectors["exchanges"].as_array().unwrap().iter().map(exchange).collect()
}

/// The conversation of that name.
pub fn exchange(name: &str) -> Exchange {
    exchanges().into_iter().find(|exchange| exchange.name == name).unwrap()
}

/// PDUs as somebody would paste them.
#[allow(dead_code)]
pub fn hex_text(pdus: &[(Sender, Vec<u8>)]) -> String {
    pdus.iter()
        .map(|(sender, bytes)| {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{sender}: {hex}\n")
        })
        .collect()
}

/// Conversations as a capture file, one after the other, a PDU every 100 µs.
#[allow(dead_code)]
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
