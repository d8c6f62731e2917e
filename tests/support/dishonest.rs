//! A host that counts and answers as the lab host does, and then lies in one way.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use kmsproof::crypto::{SealV5, SealV6, Sealing, envelope, proof};
use kmsproof::lab::LabHost;
use kmsproof::proto::{HostAssociation, HostConfig};
use kmsproof::wire::kms::{ActivationResponse, Envelope, Proof, ProtocolVersion, pkcs7_padding};
use kmsproof::wire::rpc::{PduView, Ptype};
use kmsproof::wire::{FileTime, Guid, Layer, Reader};

/// What it does to its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// One bit of the HMAC is wrong; V4 and V5 have none.
    Hmac,
    /// It counts one machine too few.
    Count,
    /// It names the client of the request before.
    Client,
    /// Every V6 answer has the same IV, and a proof that is right for it.
    Iv,
    /// Four bytes follow the return code.
    Trailing,
    /// It sends every answer twice, in one piece.
    Twice,
}

/// Serves on a loopback port of the system's choice until the test ends.
pub fn serve(host: LabHost, clock: fn() -> FileTime, lie: Lie) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let liar = Arc::new(Mutex::new(Liar { host, lie, previous: None }));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let liar = Arc::clone(&liar);
            std::thread::spawn(move || converse(stream, address.port(), &liar, clock));
        }
    });
    address
}

struct Liar {
    host: LabHost,
    lie: Lie,
    previous: Option<Guid>,
}

fn converse(mut stream: TcpStream, port: u16, liar: &Mutex<Liar>, clock: fn() -> FileTime) {
    let mut association = HostAssociation::new(HostConfig { port, ..HostConfig::default() });
    let mut buffer = [0; 8192];
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        association.handle_bytes(&buffer[..read]);
        while let Some(call) = association.poll_call() {
            let answer = liar.lock().unwrap().answer(&call.payload, clock());
            association.answer(&call, answer.as_deref().map_err(|code| *code));
        }
        if let Some(bytes) = association.poll_transmit() {
            let lie = liar.lock().unwrap().lie;
            // Whoever asked may have left, having seen enough.
            let Ok(()) = stream.write_all(&transmitted(bytes, lie)) else { return };
        }
    }
}

/// What becomes of one answer's PDU on its way.
fn transmitted(mut pdu: Vec<u8>, lie: Lie) -> Vec<u8> {
    if PduView(&pdu).ptype() == Some(Ptype::RESPONSE) {
        match lie {
            Lie::Trailing => {
                pdu.extend([0; 4]);
                let length = pdu.len() as u16;
                pdu[8..10].copy_from_slice(&length.to_le_bytes());
            }
            Lie::Twice => pdu.extend_from_within(..),
            Lie::Hmac | Lie::Count | Lie::Client | Lie::Iv => {}
        }
    }
    pdu
}

impl Liar {
    fn answer(&mut self, request: &[u8], now: FileTime) -> Result<Vec<u8>, kmsproof::wire::Hresult> {
        let (asked, answer) = self.host.respond(request, now);
        let previous = std::mem::replace(&mut self.previous, asked.map(|asked| asked.cmid));
        let honest = answer?;
        Ok(match self.lie {
            Lie::Hmac => with_another_hmac(&honest),
            Lie::Count => resealed(request, &honest, |response, _| response.count -= 1),
            Lie::Client => resealed(request, &honest, |response, _| response.cmid = previous.unwrap_or(response.cmid)),
            Lie::Iv => resealed(request, &honest, |_, iv| *iv = [0x42; 16]),
            Lie::Trailing | Lie::Twice => honest,
        })
    }
}

/// The answer with one bit of its HMAC wrong and everything else as it was.
fn with_another_hmac(answer: &[u8]) -> Vec<u8> {
    let Ok(Envelope::Sealed { version: ProtocolVersion::V6, iv, ciphertext }) = Envelope::decode(answer) else {
        return answer.to_vec();
    };
    let mut plaintext = Vec::new();
    envelope::open(Sealing::V6, &iv, ciphertext, &mut plaintext).unwrap();
    let hmac_at = {
        let (mut r, _, _) = read(&plaintext, ProtocolVersion::V6);
        pkcs7_padding(&mut r).map(|padding| plaintext.len() - padding - 16).unwrap()
    };
    plaintext[hmac_at] ^= 1;
    let mut out = Vec::new();
    envelope::seal_plaintext(Sealing::V6, ProtocolVersion::V6.to_wire(), &iv, &plaintext, &mut out).unwrap();
    out
}

/// The answer with its body, or the IV of V6, changed and proven anew: a lie no proof gives away.
fn resealed(request: &[u8], answer: &[u8], change: impl FnOnce(&mut ActivationResponse, &mut [u8; 16])) -> Vec<u8> {
    let mut out = Vec::new();
    let (version, mut iv, ciphertext) = match Envelope::decode(answer).unwrap() {
        Envelope::Sealed { version, iv, ciphertext } => (version, iv, ciphertext),
        Envelope::Mac { body, .. } => {
            let mut response = ActivationResponse::decode(body).unwrap();
            change(&mut response, &mut [0; 16]);
            envelope::seal_response_v4(&response.encode(), &mut out);
            return out;
        }
    };
    let sealing = if version == ProtocolVersion::V5 { Sealing::V5 } else { Sealing::V6 };
    let request_iv = request[4..20].try_into().unwrap();
    let mut plaintext = Vec::new();
    envelope::open(sealing, &iv, ciphertext, &mut plaintext).unwrap();
    let (_, mut response, proven) = read(&plaintext, version);
    change(&mut response, &mut iv);
    let random = proof::salted_random(&proven.random_xor_salt, &sealing.decrypt_iv(&request_iv));
    match proven.v6 {
        None => envelope::seal_response_v5(&response.encode(), &SealV5 { request_iv, random }, &mut out),
        Some(v6) => {
            let client_time = response.client_time.0;
            let with = SealV6 { request_iv, iv, random, hwid: v6.hwid, client_time };
            envelope::seal_response_v6(&response.encode(), &with, &mut out);
        }
    }
    out
}

/// What stands in a plaintext, and a reader at its padding.
fn read(plaintext: &[u8], version: ProtocolVersion) -> (Reader<'_>, ActivationResponse, Proof) {
    let mut r = Reader::new(Layer::KmsResponse, plaintext);
    let response = ActivationResponse::read(&mut r).unwrap();
    let proof = Proof::read(&mut r, version).unwrap();
    (r, response, proof)
}
