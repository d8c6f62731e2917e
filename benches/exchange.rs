//! One exchange without its network: sealing a request and judging its answer,
//! for each protocol version, beside the floor: the cipher and hash work alone
//! that nothing can do without.
//!
//! `cargo bench --bench exchange`. Reference points of the same operations on
//! bare `aes` and `sha2` calls (x86-64 with AES-NI and SHA-NI): CBC encryption of
//! 256 bytes over `hazmat` rounds 564 to 630 ns, decryption eight blocks wide
//! 58 ns, SHA-256 of 32 bytes 50 ns, HMAC-SHA-256 of 240 bytes 282 ns. Times vary
//! between machines; the ratio of a row to its floor in one run carries over.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kmsproof::catalog;
use kmsproof::client::identity::{ClientId, Group, Index, workstation_name};
use kmsproof::client::{Machine, Randomness};
use kmsproof::crypto::{Cipher, mac, proof};
use kmsproof::lab::{HostIdentity, LabHost};
use kmsproof::proto::verify::Checks;
use kmsproof::proto::{Ask, Moment, Outcome, Reply, ReplyBody, ReplyTimes};
use kmsproof::wire::FileTime;
use kmsproof::wire::kms::{ProtocolVersion, REQUEST_LEN, WorkstationName};
use kmsproof::wire::ndr::{REFERENT, ResponseStub};
use kmsproof::wire::rpc::TransferSyntax;

const NOW: FileTime = FileTime::RECORDED_AT;

fn machine() -> Machine {
    let index = Index::new(1).unwrap();
    let name = WorkstationName::new(&workstation_name("bench", index)).unwrap();
    let product = catalog::find("Windows Server 2022 Standard").unwrap();
    Machine::new("bench 1".into(), ClientId::mint(1, Group::default(), index), name, product, NOW)
}

fn reply(ask: &Ask, syntax: TransferSyntax) -> Reply {
    let mut lab = LabHost::new(HostIdentity::default(), 1);
    let payload = lab.respond(ask.payload(), NOW).1.expect("an honest request is granted");
    let mut stub = Vec::new();
    ResponseStub::Answer { referent: REFERENT, payload: &payload, code: Default::default() }.write(syntax, &mut stub);
    let times = ReplyTimes { sent: Moment::default(), received: Moment(Duration::from_micros(100)) };
    Reply { call_id: 2, syntax, body: ReplyBody::Stub(stub), times, checks: Checks::default() }
}

fn encode(c: &mut Criterion) {
    let machine = machine();
    let mut randomness = Randomness::new(1);
    let mut group = c.benchmark_group("encode-request");
    group.throughput(Throughput::Elements(1));
    for version in ProtocolVersion::ALL {
        let iv = randomness.next_iv();
        group.bench_function(format!("V{}", version.major), |b| {
            b.iter(|| Ask::new(black_box(&machine).request(version, NOW, NOW), black_box(iv)));
        });
    }
    group.finish();
}

fn verify(c: &mut Criterion) {
    let machine = machine();
    let mut randomness = Randomness::new(1);
    let mut group = c.benchmark_group("verify-response");
    group.throughput(Throughput::Elements(1));
    for version in ProtocolVersion::ALL {
        for syntax in TransferSyntax::ALL {
            let ask = Ask::new(machine.request(version, NOW, NOW), randomness.next_iv());
            let reply = reply(&ask, syntax);
            let answer = ask.judge(&reply, NOW);
            assert!(answer.checks.findings.is_empty(), "{:?}", answer.checks.findings);
            group.bench_function(format!("V{}-{syntax}", version.major), |b| {
                b.iter(|| {
                    let answer = ask.judge(black_box(&reply), NOW);
                    Outcome::conclude(&answer, 5)
                });
            });
        }
    }
    group.finish();
}

fn floor(c: &mut Criterion) {
    let mut group = c.benchmark_group("floor");
    let iv = [7; 16];
    group.bench_function("V4-mac-236-bytes", |b| b.iter(|| mac::v4(black_box(&[7; REQUEST_LEN]))));
    for (name, cipher) in [("V5", Cipher::v5()), ("V6", Cipher::v6())] {
        let mut blocks = [[7; 16]; 15];
        group.bench_function(format!("{name}-cbc-encrypt-240-bytes"), |b| {
            b.iter(|| cipher.encrypt_cbc(&iv, black_box(&mut blocks)));
        });
        group.bench_function(format!("{name}-cbc-decrypt-240-bytes"), |b| {
            b.iter(|| cipher.decrypt_cbc(&iv, black_box(&mut blocks)));
        });
    }
    group.bench_function("sha256-16-bytes", |b| b.iter(|| proof::sha256(black_box(&[7; 16]))));
    group.bench_function("V6-hmac-232-bytes", |b| b.iter(|| proof::hmac(black_box(1), &iv, black_box(&[7; 216]))));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    targets = encode, verify, floor
}
criterion_main!(benches);
