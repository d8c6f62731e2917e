//! Every relation of the protocol description's section 4, held against the
//! recorded exchanges: what was on the wire comes out of `crypto` byte for byte.

use kmsproof::crypto::{Cipher, SealV5, SealV6, Sealing, envelope, mac, proof};
use serde_json::Value;

#[test]
fn every_v4_message_reseals_to_the_recorded_bytes() {
    let mut seen = 0;
    for call in calls() {
        for (message, decoded) in call.messages().filter(|(_, decoded)| decoded["version"] == 4) {
            let (body, recorded) = message.split_last_chunk::<16>().unwrap();
            assert_eq!(*recorded, array(&decoded["mac"]), "{}", call.name);
            assert_eq!(mac::v4(body), *recorded, "{}", call.name);
            assert_eq!(appended(|out| envelope::seal_request_v4(body, out)), message, "{}", call.name);
            assert_eq!(appended(|out| envelope::seal_response_v4(body, out)), message, "{}", call.name);
            seen += 1;
        }
    }
    assert_eq!(seen, 11);
}

#[test]
fn every_v5_and_v6_message_opens_to_the_recorded_plaintext() {
    let mut seen = 0;
    for call in calls() {
        for (message, decoded) in call.messages() {
            let Some(sealing) = sealing(decoded) else { continue };
            let iv = array(&decoded["iv_wire"]);
            assert_eq!(message[4..20], iv, "{}", call.name);

            let mut plaintext = Vec::new();
            let iv_decrypted = envelope::open(sealing, &iv, &message[20..], &mut plaintext).unwrap();
            assert_eq!(plaintext, bytes(&decoded["plaintext"]), "{}", call.name);
            assert_eq!(iv_decrypted, array(&decoded["iv_decrypted"]), "{}", call.name);

            let version = *message.first_chunk().unwrap();
            let again = appended(|out| envelope::seal_plaintext(sealing, version, &iv, &plaintext, out).unwrap());
            assert_eq!(again, message, "{}", call.name);
            seen += 1;
        }
    }
    assert_eq!(seen, 22);
}

#[test]
fn every_v5_and_v6_request_reseals_to_the_recorded_bytes() {
    let mut seen = 0;
    for call in calls() {
        let Some(sealing) = sealing(call.request_decoded()) else { continue };
        let decoded = call.request_decoded();
        let body = &bytes(&decoded["plaintext"])[..236];
        let sealed = appended(|out| envelope::seal_request(sealing, body, &array(&decoded["iv_wire"]), out));
        assert_eq!(sealed, call.request, "{}", call.name);
        assert_eq!(sealed.len(), 260);
        seen += 1;
    }
    assert_eq!(seen, 14);
}

#[test]
fn every_v5_response_reseals_to_the_recorded_bytes() {
    let mut seen = 0;
    for call in calls() {
        let (request, response) = (call.request_decoded(), call.response_decoded());
        if response["version"] != 5 {
            continue;
        }
        let with = SealV5 { request_iv: array(&request["iv_wire"]), random: array(&response["random"]) };
        let sealed = appended(|out| envelope::seal_response_v5(&response_body(response), &with, out));
        assert_eq!(sealed, call.response, "{}", call.name);
        seen += 1;
    }
    assert_eq!(seen, 4);
}

#[test]
fn every_v6_response_reseals_to_the_recorded_bytes() {
    let mut seen = 0;
    for call in calls() {
        let (request, response) = (call.request_decoded(), call.response_decoded());
        if response["version"] != 6 {
            continue;
        }
        let with = SealV6 {
            request_iv: array(&request["iv_wire"]),
            iv: array(&response["iv_wire"]),
            random: array(&response["random"]),
            hwid: array(&response["hwid"]),
            client_time: request["fields"]["client_time"].as_u64().unwrap(),
        };
        let sealed = appended(|out| envelope::seal_response_v6(&response_body(response), &with, out));
        assert_eq!(sealed, call.response, "{}", call.name);
        seen += 1;
    }
    assert_eq!(seen, 4);
}

#[test]
fn every_proof_recomputes() {
    let mut seen = 0;
    for call in calls() {
        let (request, response) = (call.request_decoded(), call.response_decoded());
        let Some(sealing) = sealing(response) else { continue };
        let salt = sealing.decrypt_iv(&array(&request["iv_wire"]));
        let random = proof::salted_random(&array(&response["random_xor_iv"]), &salt);
        assert_eq!(random, array(&response["random"]), "{}", call.name);
        assert_eq!(proof::sha256(&random), array(&response["sha256_of_random"]), "{}", call.name);
        seen += 1;

        if sealing == Sealing::V5 {
            assert_eq!(response["iv_wire"], request["iv_wire"], "{}", call.name);
            continue;
        }
        assert_ne!(response["iv_wire"], request["iv_wire"], "{}", call.name);
        assert_eq!(salt, array(&response["xored_ivs"]), "{}", call.name);

        let client_time = response["fields"]["client_time"].as_u64().unwrap();
        let slot = proof::time_slot(client_time);
        assert_eq!(proof::accepted_slots(client_time)[0], slot);
        assert_eq!(proof::hmac_key(slot), array(&response["hmac_key"]), "{}", call.name);

        let plaintext = bytes(&response["plaintext"]);
        let before_hmac = &plaintext[..response_body(response).len() + 16 + 32 + 8 + 16];
        let iv_decrypted = array(&response["iv_decrypted"]);
        assert_eq!(proof::hmac(slot, &iv_decrypted, before_hmac), array(&response["hmac16"]), "{}", call.name);
    }
    assert_eq!(seen, 8);
}

#[test]
fn the_three_ciphers_differ() {
    let encrypted = [Cipher::v4(), Cipher::v5(), Cipher::v6()].map(|cipher| {
        let mut block = [0; 16];
        cipher.encrypt_block(&mut block);
        block
    });
    assert!(encrypted[0] != encrypted[1] && encrypted[1] != encrypted[2] && encrypted[0] != encrypted[2]);
}

/// One recorded call: the activation messages out of its two stubs, and what
/// an independent decoder made of them.
struct Call {
    name: String,
    request: Vec<u8>,
    response: Vec<u8>,
    decoded: Value,
}

impl Call {
    fn request_decoded(&self) -> &Value {
        &self.decoded["request"]
    }

    /// Null where the host refused.
    fn response_decoded(&self) -> &Value {
        &self.decoded["response"]
    }

    fn messages(&self) -> impl Iterator<Item = (&[u8], &Value)> {
        [(&self.request[..], self.request_decoded()), (&self.response[..], self.response_decoded())].into_iter()
    }
}

fn calls() -> Vec<Call> {
    let vectors: Value = serde_json::from_str(include_str!("vectors/exchanges.json")).unwrap();
    let mut calls = Vec::new();
    for exchange in vectors["exchanges"].as_array().unwrap() {
        let pdus: Vec<Vec<u8>> = exchange["pdus"].as_array().unwrap().iter().map(|pdu| bytes(&pdu["hex"])).collect();
        for decoded in exchange["calls"].as_array().unwrap() {
            let stub = |kind: u8| {
                let id = decoded["call_id"].as_u64().unwrap();
                let pdu = pdus.iter().find(|pdu| pdu[2] == kind && u64::from(le(&pdu[12..], 4)) == id).unwrap();
                &pdu[24..]
            };
            let word = if decoded["transfer_syntax"] == "NDR64" { 8 } else { 4 };
            calls.push(Call {
                name: exchange["name"].as_str().unwrap().to_owned(),
                request: message(stub(0), 2 * word),
                response: message(stub(2), 3 * word),
                decoded: decoded.clone(),
            });
        }
    }
    calls
}

/// The bytes after an NDR preamble whose first word is their number.
fn message(stub: &[u8], preamble: usize) -> Vec<u8> {
    let len = le(stub, 4) as usize;
    if len == 0 { Vec::new() } else { stub[preamble..preamble + len].to_vec() }
}

/// The body is what is left of a response's plaintext without trailer and padding.
fn response_body(decoded: &Value) -> Vec<u8> {
    let mut plaintext = bytes(&decoded["plaintext"]);
    let trailer = if decoded["version"] == 5 { 16 + 32 } else { 16 + 32 + 8 + 16 + 16 };
    let pad = decoded["pad"].as_u64().unwrap() as usize;
    plaintext.truncate(plaintext.len() - trailer - pad);
    plaintext
}

fn sealing(decoded: &Value) -> Option<Sealing> {
    match decoded["version"].as_u64() {
        Some(5) => Some(Sealing::V5),
        Some(6) => Some(Sealing::V6),
        _ => None,
    }
}

/// What a function appends, the bytes before it being left alone.
fn appended(seal: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = vec![0xEE; 3];
    seal(&mut out);
    assert_eq!(out[..3], [0xEE; 3]);
    out.split_off(3)
}

fn le(bytes: &[u8], len: usize) -> u32 {
    bytes[..len].iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte))
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn array<const N: usize>(hex: &Value) -> [u8; N] {
    bytes(hex).try_into().unwrap()
}
