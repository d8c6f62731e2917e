//! The committed fuzz corpus through the very bodies of the fuzz targets, on
//! any toolchain; and the making of its seeds.

mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use kmsproof::capture::{Direction, pcapng::Writer};
use kmsproof::crypto::{SealV5, SealV6, Sealing, envelope};
use kmsproof::proto::Sender;
use kmsproof::wire::kms::{ActivationResponse, EpidText, ProtocolVersion};
use kmsproof::wire::ndr::{RequestStub, ResponseStub};
use kmsproof::wire::rpc::{Auth, BindNak, Body, Fault, FaultStatus, Flags, Pdu, RejectReason, Request, TransferSyntax};
use kmsproof::wire::{Guid, Hresult};
use sha2::{Digest, Sha256};
use support::fuzz_bodies::{self, TARGETS};
use support::vectors;

#[test]
fn the_corpus_holds() {
    for (target, body) in TARGETS {
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(corpus(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "no corpus for {target}");
        for file in files {
            // On a panic, this is the file it was.
            println!("{}", file.display());
            body(&std::fs::read(&file).unwrap());
        }
    }
}

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target)
}

/// `cargo test --test fuzz_corpus -- --ignored` writes the seeds: recorded PDUs and answers made
/// to fit the targets. What fuzzing added beside them stays.
#[test]
#[ignore = "writes into the source tree"]
fn make_the_seeds() {
    for (target, seeds) in [
        ("pdu", pdu_seeds()),
        ("response", response_seeds()),
        ("request", request_seeds()),
        ("association", association_seeds()),
        ("host", host_seeds()),
        ("capture", capture_seeds()),
        ("witness", witness_seeds()),
        ("scenario", scenario_seeds()),
        ("import", import_seeds()),
    ] {
        std::fs::create_dir_all(corpus(target)).unwrap();
        for seed in seeds {
            // Named by content, so that making them anew changes nothing.
            let name: String = Sha256::digest(&seed)[..8].iter().map(|byte| format!("{byte:02x}")).collect();
            std::fs::write(corpus(target).join(name), seed).unwrap();
        }
    }
}

fn pdu_seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> =
        SEED_EXCHANGES.iter().flat_map(|name| vectors::named(name).pdus).map(|pdu| pdu.bytes).collect();
    let fault = Fault { alloc_hint: 32, context_id: 1, cancel_count: 0, status: FaultStatus(5), stub: &[] };
    let nak = BindNak { reason: RejectReason(4), versions: vec![(5, 0)], trailer: vec![0; 3] };
    let object = Some(Guid::from_u128(7));
    let request = Request { alloc_hint: 4, context_id: 1, opnum: 0, object, stub: &[1, 2, 3, 4] };
    let auth = Some(Auth { auth_type: 10, level: 2, pad_length: 3, context_id: 7, token: b"token" });
    for body in [
        Body::Fault(fault),
        Body::BindNak(nak),
        Body::Request(request),
        Body::Auth3,
        Body::Shutdown,
        Body::CoCancel,
        Body::Orphaned,
    ] {
        let plain = Pdu::whole(2, body);
        seeds.push(plain.encode().unwrap());
        seeds.push(Pdu { auth: auth.clone(), ..plain }.encode().unwrap());
    }
    // A big-endian shutdown.
    seeds.push(vec![5, 0, 17, 3, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 7]);
    seeds
}

fn response_seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (index, version) in ProtocolVersion::ALL.into_iter().enumerate() {
        let ask = fuzz_bodies::ask_of(index);
        let body = ActivationResponse {
            version,
            epid: EpidText::new("03612-00206-556-123727-03-1033-17763.0000-2972018").unwrap(),
            cmid: ask.request().cmid,
            client_time: ask.request().client_time,
            count: 50,
            activation_interval_min: 120,
            renewal_interval_min: 10_080,
        }
        .encode();
        let (request_iv, iv, random, hwid) = (*ask.iv(), [3; 16], [5; 16], [9; 8]);
        let client_time = ask.request().client_time.0;
        let mut payload = Vec::new();
        match index {
            0 => envelope::seal_response_v4(&body, &mut payload),
            1 => envelope::seal_response_v5(&body, &SealV5 { request_iv, random }, &mut payload),
            _ => {
                let with = SealV6 { request_iv, iv, random, hwid, client_time };
                envelope::seal_response_v6(&body, &with, &mut payload);
            }
        }
        for syntax in TransferSyntax::ALL {
            let stub_of = |stub: ResponseStub<'_>| {
                let mut out = vec![laid(index, syntax, 0)];
                stub.write(syntax, &mut out);
                out
            };
            seeds.push(stub_of(ResponseStub::Answer { referent: 0x2_0000, payload: &payload, code: Hresult::OK }));
            seeds.push(stub_of(ResponseStub::Refusal { code: Hresult::KMS_ID_MISMATCH }));
        }
        seeds.push([&[laid(index, TransferSyntax::Ndr32, 1)][..], &payload].concat());
        let sealing = [None, Some(Sealing::V5), Some(Sealing::V6)][index];
        if let Some(sealing) = sealing {
            let mut inside = vec![laid(index, TransferSyntax::Ndr64, 2)];
            inside.extend_from_slice(&payload[4..20]);
            envelope::open(sealing, &payload[4..20].try_into().unwrap(), &payload[20..], &mut inside).unwrap();
            seeds.push(inside);
        }
    }
    seeds
}

fn request_seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for index in 0..3 {
        let ask = fuzz_bodies::ask_of(index);
        for syntax in TransferSyntax::ALL {
            let mut stub = vec![laid(index, syntax, 0), 255];
            RequestStub { payload: ask.payload() }.write(syntax, &mut stub);
            seeds.push(stub);
        }
        seeds.push([&[laid(index, TransferSyntax::Ndr32, 1), 4][..], ask.payload()].concat());
        seeds.push([&[laid(index, TransferSyntax::Ndr64, 2), 4][..], &ask.request().encode()].concat());
    }
    seeds
}

fn association_seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for name in SEED_EXCHANGES {
        let exchange = vectors::named(name);
        let host: Vec<&[u8]> = exchange.sent_by(Sender::Host).map(|pdu| &pdu.bytes[..]).collect();
        // From the first byte on, whole and in small pieces; then with everything but the last
        // answers said well before.
        seeds.push([&[0, 255][..], &host.concat()].concat());
        seeds.push([&[1, 3][..], &host.concat()].concat());
        seeds.push([&[0x04, 7][..], &host[1..].concat()].concat());
        seeds.push([&[0x08, 64][..], &host[host.len() - 1..].concat()].concat());
    }
    seeds.push([&[0, 1][..], b"HTTP/1.1 400 Bad Request\r\n\r\n"].concat());
    seeds
}

fn host_seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for name in SEED_EXCHANGES {
        let exchange = vectors::named(name);
        let client: Vec<&[u8]> = exchange.sent_by(Sender::Client).map(|pdu| &pdu.bytes[..]).collect();
        seeds.push([&[0, 255][..], &client.concat()].concat());
        seeds.push([&[1, 5][..], &client.concat()].concat());
        seeds.push([&[2, 64][..], &client[1..].concat()].concat());
    }
    let stub = [4, 0, 0, 0, 4, 0, 0, 0, 1, 2, 3, 4];
    for (flags, piece) in [(Flags::FIRST, &stub[..8]), (Flags::LAST, &stub[8..]), (Flags(0), &stub[..])] {
        let body = Request { alloc_hint: 12, context_id: 1, opnum: 0, object: None, stub: piece };
        let frame = Pdu { flags, ..Pdu::whole(9, Body::Request(body)) }.encode().unwrap();
        seeds.push([&[2, 255][..], &frame].concat());
    }
    seeds
}

fn capture_seeds() -> Vec<Vec<u8>> {
    let exchange = vectors::named(SEED_EXCHANGES[0]);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let lines: Vec<String> = exchange.pdus.iter().map(|pdu| format!("{}: {}", pdu.sender, hex(&pdu.bytes))).collect();
    let dump: Vec<String> = exchange.pdus[0]
        .bytes
        .chunks(16)
        .enumerate()
        .map(|(row, bytes)| {
            let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{:04x}  {}", 16 * row, bytes.join(" "))
        })
        .collect();
    let mut writer = Writer::new(Vec::new(), "seed").unwrap();
    let (client, host) = ("192.0.2.1:50000".parse().unwrap(), "192.0.2.2:1688".parse().unwrap());
    let id = writer.open(client, host, Duration::ZERO).unwrap();
    for pdu in &exchange.pdus {
        let direction = if pdu.sender == Sender::Client { Direction::ToHost } else { Direction::ToClient };
        writer.segment(id, direction, Duration::from_millis(1), &pdu.bytes, Some("a comment")).unwrap();
    }
    writer.close(id, Duration::from_millis(2)).unwrap();
    let pcapng = writer.finish().unwrap();
    let mut pcap = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 101].map(u32::to_le_bytes).concat();
    let mut packet = vec![0x45, 0, 0, 44, 0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
    packet.extend_from_slice(&[195, 80, 6, 152, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x18, 0, 0, 0, 0, 0, 0, 5, 0, 11, 3]);
    pcap.extend([1, 2, 44, 44].map(u32::to_le_bytes).concat());
    pcap.extend(&packet);
    vec![lines[..4].join("\n").into_bytes(), dump.join("\n").into_bytes(), pcapng, pcap]
}

fn witness_seeds() -> Vec<Vec<u8>> {
    SEED_EXCHANGES
        .iter()
        .map(|name| {
            let mut seed = vec![0];
            for pdu in vectors::named(name).pdus {
                let host = if pdu.sender == Sender::Host { 0x8000 } else { 0 };
                seed.extend((pdu.bytes.len() as u16 | host).to_le_bytes());
                seed.extend(&pdu.bytes);
            }
            seed
        })
        .collect()
}

fn import_seeds() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import");
    let exports = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    exports.filter(|path| path.is_file()).map(|path| std::fs::read(path).unwrap()).collect()
}

fn scenario_seeds() -> Vec<Vec<u8>> {
    let shipped = kmsproof::scenario::shipped().iter().map(|(_, _, source)| source.as_bytes().to_vec());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios_bad");
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let bad = files.filter(|path| path.is_file()).map(|path| std::fs::read(path).unwrap());
    let table = std::fs::read(folder.join("tables/campus.csv")).unwrap();
    let imported = b"name = \"listed\"\nquestion = \"Who?\"\n[clients.listed]\npopulation = \"table.csv\"\n\
                     [[step]]\ntitle = \"all\"\nclients = [\"listed\"]\narrive = { recorded = true, speed = 60 }\n\x01";
    let rows = table.split(|byte| *byte == b'\n').take(2).collect::<Vec<_>>().join(&b'\n');
    let listed = [[&imported[..], &table].concat(), [&imported[..], &rows].concat()];
    shipped.chain(bad).chain(listed).collect()
}

/// The first byte that makes `response` and `request` lay the rest this way.
fn laid(version: usize, syntax: TransferSyntax, depth: u8) -> u8 {
    let fits = |byte: &u8| {
        usize::from(*byte) % 3 == version
            && TransferSyntax::ALL[usize::from(byte >> 2) % 2] == syntax
            && (byte >> 4) % 3 == depth
    };
    (0..=255).find(fits).unwrap()
}

const SEED_EXCHANGES: [&str; 4] =
    ["v4-ndr32+ndr64-ok", "v5-ndr32+ndr64-ok", "v6-ndr32+ndr64-ok", "v6-ndr32-0xc004f06c"];
