//! What a KMS host makes of envelopes that are not in order: what is sealed in them, and how long they are.

use super::tools::{MALFORMED, MALFORMED_OR_SERVED, goes_on, put, put_ask};
use crate::conform::accept::{Accept, Then, Want, loose, ok};
use crate::conform::cases::ndr::tools as ndr;
use crate::conform::cases::rpc::tools::{SERVED_NEXT, syntaxes};
use crate::conform::{Case, Confidence, Level, Stop, Talk};
use crate::crypto::Sealing;
use crate::crypto::envelope::{seal_plaintext, seal_request, seal_request_v4};
use crate::wire::kms::{ProtocolVersion, REQUEST_LEN, SEALED_HEAD_LEN};
use crate::wire::ndr::RequestStub;

pub(super) static CASES: &[Case] = &[
    Case::new(
        "kms/request/inner-version",
        Level::Rec,
        "another version inside the encryption than outside",
        "A request that names another version inside the encryption than outside is refused with 0x8007000D.",
        "no text; nobody has published what a genuine host answers",
        |t| {
            for (sealing, outer, inner) in
                [(Sealing::V6, [0, 0, 6, 0], 5), (Sealing::V5, [0, 0, 5, 0], 6), (Sealing::V6, [0, 0, 6, 0], 4)]
            {
                let mut plaintext = plaintext(t, ProtocolVersion::V6);
                plaintext[2] = inner;
                let payload = sealed(t, sealing, outer, &plaintext);
                guess(t, &format!("version {} outside and {inner} inside", outer[2]), &payload)?;
            }
            for (sealing, version) in SEALINGS {
                for at in 0..4 {
                    let mut plaintext = plaintext(t, version);
                    plaintext[at] ^= 1;
                    let payload = sealed(t, sealing, version.to_wire(), &plaintext);
                    guess(t, &format!("byte {at} of version {version} another inside than outside"), &payload)?;
                }
            }
            goes_on(t);
            Ok(())
        },
    )
    .revision(2)
    .of_kms()
    .confidence(Confidence::Low),
    Case::new(
        "kms/request/partial-block",
        Level::Rec,
        "a ciphertext that is no whole number of blocks",
        "A request whose ciphertext is no multiple of 16 bytes is refused with 0x8007000D.",
        "no text; nobody has published what a genuine host answers",
        |t| {
            for version in [ProtocolVersion::V5, ProtocolVersion::V6] {
                for len in [1, 15, 17, 225, 239, 241, 242, 244, 248, 252, 254, 255, 257] {
                    let mut payload = t.ask(version, |_| {}).payload().to_vec();
                    payload.resize(SEALED_HEAD_LEN + len, 0xa5);
                    guess(t, &format!("{len} bytes of ciphertext in version {version}"), &payload)?;
                }
            }
            goes_on(t);
            Ok(())
        },
    )
    .revision(2)
    .of_kms()
    .confidence(Confidence::Low),
    Case::new(
        "kms/request/longer",
        Level::Rec,
        "requests that are longer than they need be",
        "A request with bytes after its body is refused with 0x8007000D, or granted as if they were not there.",
        "no text; some clients send more than they need",
        |t| {
            for more in [1, 4, 16, 100] {
                let mut body = body(t, ProtocolVersion::V4);
                body.resize(body.len() + more, 0);
                let mut payload = Vec::new();
                seal_request_v4(&body, &mut payload);
                longer(t, &format!("{more} bytes more in version 4.0"), &payload)?;
            }
            for more in [16, 32, 256] {
                let mut body = body(t, ProtocolVersion::V6);
                body.resize(body.len() + more, 0);
                let (iv, mut payload) = (t.iv(), Vec::new());
                seal_request(Sealing::V6, &body, &iv, &mut payload);
                longer(t, &format!("{more} bytes more in version 6.0"), &payload)?;
            }
            goes_on(t);
            Ok(())
        },
    )
    .of_kms()
    .confidence(Confidence::Low),
    Case::new(
        "kms/request/large-body",
        Level::Should,
        "bodies that are longer than any, in every syntax",
        "A request whose body is longer than any that there is, and whose stub is in order, is answered with a response, in \
         every syntax.",
        "C706 section 14.3.3.3: what a length means is for the interface to say, and not for whoever reads the stub",
        |t| {
            for syntax in syntaxes(t)? {
                t.close();
                // Whole blocks, each: a body that is cut within one is another question.
                for size in [308, 612, 1508, 3012] {
                    ndr::renew(t, syntax)?;
                    let mut payload = t.ask(t.version(), |_| {}).payload().to_vec();
                    payload.resize(size, 0);
                    ndr::send(t, &RequestStub { payload: &payload }.encode(syntax));
                    t.expect_next(&format!("{size} bytes in {syntax}"), &[ok(Want::Answered, Then::Either)]);
                }
            }
            Ok(())
        },
    )
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "kms/request/padding",
        Level::Rec,
        "padding that is not PKCS#7's",
        "A request whose padding is wrong is refused with 0x8007000D.",
        "no text; nobody has published what a genuine host answers",
        |t| {
            for (words, padding) in [
                ("zeros", [0, 0, 0, 0]),
                ("a length that is none", [0xff; 4]),
                ("a length of 16", [16; 4]),
                ("the last byte alone", [1, 2, 3, 4]),
                ("a length of 1", [4, 4, 4, 1]),
                ("a length of 5", [5; 4]),
                ("a length of 17", [17; 4]),
                ("the first byte another", [5, 4, 4, 4]),
            ] {
                for (sealing, version) in SEALINGS {
                    let mut plaintext = plaintext(t, version);
                    plaintext[REQUEST_LEN..].copy_from_slice(&padding);
                    let payload = sealed(t, sealing, version.to_wire(), &plaintext);
                    guess(t, &format!("padding in version {version}: {words}"), &payload)?;
                }
            }
            goes_on(t);
            Ok(())
        },
    )
    .revision(2)
    .of_kms()
    .confidence(Confidence::Low),
    Case::new(
        "kms/request/other-cipher",
        Level::Rec,
        "a body under the other version's key",
        "A request that is encrypted for another version than it names is refused with 0x8007000D.",
        "no text; nobody has published what a genuine host answers",
        |t| {
            for (words, other, outer) in
                [("5 under that of 6", Sealing::V6, [0, 0, 5, 0]), ("6 under that of 5", Sealing::V5, [0, 0, 6, 0])]
            {
                let mut plaintext = plaintext(t, ProtocolVersion::V6);
                plaintext[..4].copy_from_slice(&outer);
                let payload = sealed(t, other, outer, &plaintext);
                guess(t, &format!("a body of version {words}"), &payload)?;
            }
            goes_on(t);
            Ok(())
        },
    )
    .of_kms()
    .confidence(Confidence::Low),
    Case::new(
        "kms/request/corrupted-block",
        Level::Rec,
        "one bit of the ciphertext turned over",
        "A request in whose ciphertext a bit is wrong is refused with 0x8007000D.",
        "no text; nobody has published what a genuine host answers",
        |t| {
            for version in [ProtocolVersion::V5, ProtocolVersion::V6] {
                for block in 0..BLOCKS {
                    let mut payload = t.ask(version, |_| {}).payload().to_vec();
                    payload[SEALED_HEAD_LEN + 16 * block + 7] ^= 1;
                    guess(t, &format!("a bit of block {block} in version {version}"), &payload)?;
                }
            }
            goes_on(t);
            Ok(())
        },
    )
    .of_kms()
    .confidence(Confidence::Low),
    Case::new(
        "kms/request/v4-mac",
        Level::Rec,
        "a wrong MAC",
        "A request of version 4.0 whose MAC is wrong is refused with 0x8007000D.",
        "no text; nobody has published what a genuine host answers",
        |t| {
            for (at, bit) in (0..16).flat_map(|at| [(at, 0x80), (at, 1)]) {
                let mut payload = t.ask(ProtocolVersion::V4, |_| {}).payload().to_vec();
                payload[REQUEST_LEN + at] ^= bit;
                guess(t, &format!("a MAC that is wrong in its byte {at}"), &payload)?;
            }
            goes_on(t);
            Ok(())
        },
    )
    .revision(2)
    .of_kms()
    .confidence(Confidence::Low),
    Case::new(
        "kms/request/short-v4",
        Level::Win,
        "requests of version 4 that are cut off",
        "A request of version 4.0 that is shorter than 252 bytes is refused with 0x8007000D, wherever it is cut off.",
        "Microsoft 2008 operations guide for the length; independent implementations agree on the code",
        |t| cut_off(t, ProtocolVersion::V4),
    )
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "kms/request/short-v5",
        Level::Win,
        "requests of version 5 that are cut off",
        "A request of version 5.0 that is shorter than 260 bytes is refused with 0x8007000D, wherever it is cut off.",
        "independent implementations agree on what genuine hosts do",
        |t| cut_off(t, ProtocolVersion::V5),
    )
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "kms/request/short-v6",
        Level::Win,
        "requests of version 6 that are cut off",
        "A request of version 6.0 that is shorter than 260 bytes is refused with 0x8007000D, wherever it is cut off.",
        "independent implementations agree on what genuine hosts do",
        |t| cut_off(t, ProtocolVersion::V6),
    )
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "kms/request/short-body",
        Level::Win,
        "short bodies in envelopes that are in order",
        "A body that lacks fields is refused with 0x8007000D, though its MAC or its encryption is in order.",
        "independent implementations agree on what genuine hosts do",
        |t| {
            for len in [4, 16, 64, 84, 108, 220] {
                let (mut v4, mut v5, mut v6) = (Vec::new(), Vec::new(), Vec::new());
                let iv = t.iv();
                seal_request_v4(&body(t, ProtocolVersion::V4)[..len], &mut v4);
                seal_request(Sealing::V5, &body(t, ProtocolVersion::V5)[..len], &iv, &mut v5);
                seal_request(Sealing::V6, &body(t, ProtocolVersion::V6)[..len], &iv, &mut v6);
                for (version, payload) in [("4.0", v4), ("5.0", v5), ("6.0", v6)] {
                    put(t, &format!("{len} bytes of body in version {version}"), &payload, None, MALFORMED)?;
                }
            }
            goes_on(t);
            Ok(())
        },
    )
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "kms/request/malformed-answered",
        Level::Rec,
        "data that is no request at all",
        "Whatever stands where a request should, the host answers or closes the connection, and serves the next one.",
        "MS-RPCE 3.3.3.5.1",
        |t| {
            let mut garbage = vec![0, 0, 6, 0];
            garbage.extend((0..=255_u8).map(|byte| byte.wrapping_mul(167) ^ 0x5c));
            for (words, payload) in [
                ("one byte", &[6][..]),
                ("a version and no more", &[0, 0, 6, 0]),
                ("260 bytes of zeros", &[0; 260]),
                ("260 bytes of ones", &[0xff; 260]),
                ("garbage after the version", &garbage),
                ("a line of HTTP", b"GET / HTTP/1.1\r\n\r\n"),
                ("2,000 bytes", &[0x41; 2000]),
            ] {
                put(t, words, payload, None, ANSWERED)?;
            }
            goes_on(t);
            Ok(())
        },
    )
    .of_kms(),
];

fn cut_off(t: &mut Talk<'_>, version: ProtocolVersion) -> Result<(), Stop> {
    let payload = t.ask(version, |_| {}).payload().to_vec();
    // Longest first: what is missing least is read over soonest.
    for len in t.some_of((0..payload.len()).rev().collect(), 24, 1) {
        put(t, &format!("{len} of {} bytes", payload.len()), &payload[..len], None, MALFORMED)?;
    }
    // What is missing stands in what the host was sent before.
    let ask = t.ask(version, |_| {});
    put_ask(t, "a whole one", &ask, SERVED_NEXT)?;
    for less in t.in_turn(&[1, 2, 16]) {
        let len = ask.payload().len() - less;
        put(t, &format!("the same without its last {less} bytes"), &ask.payload()[..len], None, MALFORMED)?;
    }
    goes_on(t);
    Ok(())
}

fn guess(t: &mut Talk<'_>, label: &str, payload: &[u8]) -> Result<(), Stop> {
    let seen = put(t, label, payload, None, MALFORMED_OR_SERVED)?;
    t.note(format!("{label}: {seen}"));
    Ok(())
}

fn longer(t: &mut Talk<'_>, label: &str, payload: &[u8]) -> Result<(), Stop> {
    let seen = put(t, label, payload, None, REFUSED_OR_SERVED)?;
    t.note(format!("{label}: {seen}"));
    Ok(())
}

fn body(t: &mut Talk<'_>, version: ProtocolVersion) -> Vec<u8> {
    t.ask(version, |_| {}).request().encode().to_vec()
}

fn plaintext(t: &mut Talk<'_>, version: ProtocolVersion) -> Vec<u8> {
    let mut plaintext = body(t, version);
    plaintext.resize(16 * BLOCKS, 4);
    plaintext
}

fn sealed(t: &mut Talk<'_>, sealing: Sealing, outer: [u8; 4], plaintext: &[u8]) -> Vec<u8> {
    let (iv, mut payload) = (t.iv(), Vec::new());
    seal_plaintext(sealing, outer, &iv, plaintext, &mut payload).expect("the plaintext is whole blocks");
    payload
}

const ANSWERED: &[Accept] =
    &[ok(Want::Answered, Then::Either), ok(Want::AnyFault, Then::Either), ok(Want::Silence, Then::Closed)];
const REFUSED_OR_SERVED: &[Accept] =
    &[ok(Want::Answered, Then::Either), loose(Want::AnyFault, Then::Either), loose(Want::Silence, Then::Closed)];
const SEALINGS: [(Sealing, ProtocolVersion); 2] =
    [(Sealing::V5, ProtocolVersion::V5), (Sealing::V6, ProtocolVersion::V6)];
const BLOCKS: usize = 15;
