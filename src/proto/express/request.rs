//! Requests, sealed and framed eight at a time.

use crate::crypto::{Cipher, LANES};
use crate::proto::sealing;
use crate::wire::kms::{ProtocolVersion, REQUEST_LEN, SEALED_REQUEST_LEN, V4_REQUEST_LEN};
use crate::wire::rpc::{CALL_HEADER_LEN, Flags, Ptype, TransferSyntax};

/// A request under construction: all that differs from one to the next.
#[derive(Debug, Clone, Copy)]
pub struct Draft {
    /// The protocol version, one of those there are.
    pub version: ProtocolVersion,
    /// The syntax of the call.
    pub syntax: TransferSyntax,
    /// Its call id.
    pub call_id: u32,
    /// Its presentation context.
    pub context_id: u16,
    /// The body, as it is encoded.
    pub body: [u8; REQUEST_LEN],
    /// The client's random; V4 has no use for it.
    pub iv: [u8; 16],
}

/// What has to be known of a request to verify its answer.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// The protocol version.
    pub version: ProtocolVersion,
    /// The syntax of the call.
    pub syntax: TransferSyntax,
    /// Its call id.
    pub call_id: u32,
    /// Its presentation context.
    pub context_id: u16,
    /// The count the client needs.
    pub n_policy: u32,
    /// The counted id, as it goes on the wire.
    pub product: [u8; 16],
    /// The client machine id, as it goes on the wire.
    pub cmid: [u8; 16],
    /// The client's clock, as FILETIME.
    pub client_time: u64,
    /// The IV of the request.
    pub iv: [u8; 16],
    /// The block decryption of that IV: the salt of the answer.
    pub salt: [u8; 16],
}

/// A request PDU, ready to go.
#[derive(Debug, Clone, Copy)]
pub struct Sealed {
    bytes: [u8; REQUEST_PDU_MAX],
    len: usize,
}

impl Sealed {
    /// The PDU.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Default for Sealed {
    fn default() -> Sealed {
        Sealed { bytes: [0; REQUEST_PDU_MAX], len: 0 }
    }
}

/// Seals and frames up to eight drafts, each into the place of its number, and says of each what has to be known
/// of it. Byte for byte they are what [`super::super::Ask`] and [`super::super::Association`] make.
///
/// # Panics
/// When there are more than eight, or one of a version that does not exist.
pub fn seal(drafts: &[Draft], out: &mut [Sealed; LANES], asked: &mut [Asked; LANES]) {
    assert!(drafts.len() <= LANES, "at most {LANES} at a time");
    let Some(first) = drafts.first() else { return };
    let mut salts = [[0; 16]; LANES];
    // Mostly all speak one version; what is of another is done in another go.
    for version in ProtocolVersion::ALL {
        if drafts.iter().any(|draft| draft.version == version) {
            seal_all(drafts, version, out, &mut salts);
        }
    }
    assert!(
        drafts.iter().all(|draft| ProtocolVersion::ALL.contains(&draft.version)),
        "{} does not exist",
        first.version
    );
    for ((draft, asked), salt) in drafts.iter().zip(asked).zip(salts) {
        *asked = draft.asked(salt);
    }
}

/// Those of one version; the other lanes carry what is not used.
fn seal_all(drafts: &[Draft], version: ProtocolVersion, out: &mut [Sealed; LANES], salts: &mut [[u8; 16]; LANES]) {
    let is_v4 = version == ProtocolVersion::V4;
    let cipher = if is_v4 { Cipher::v4() } else { sealing(version).cipher() };
    let mut ivs = [[0; 16]; LANES];
    let mut messages = [[[0; 16]; BLOCKS]; LANES];
    for (lane, draft) in drafts.iter().enumerate() {
        let padded = messages[lane].as_flattened_mut();
        padded[..REQUEST_LEN].copy_from_slice(&draft.body);
        if is_v4 {
            padded[REQUEST_LEN] = 0x80;
        } else {
            ivs[lane] = draft.iv;
            padded[REQUEST_LEN..].fill((BLOCKS * 16 - REQUEST_LEN) as u8);
        }
    }
    cipher.encrypt_cbc_side_by_side(&ivs, &mut messages);
    if !is_v4 {
        cipher.decrypt_side_by_side(&mut ivs);
    }
    for (lane, draft) in drafts.iter().enumerate().filter(|(_, draft)| draft.version == version) {
        out[lane].write(draft, &messages[lane]);
        salts[lane] = if is_v4 { [0; 16] } else { ivs[lane] };
    }
}

impl Draft {
    fn asked(&self, salt: [u8; 16]) -> Asked {
        let id = |at: usize| std::array::from_fn(|byte| self.body[at + byte]);
        Asked {
            version: self.version,
            syntax: self.syntax,
            call_id: self.call_id,
            context_id: self.context_id,
            n_policy: u32::from_le_bytes(std::array::from_fn(|byte| self.body[80 + byte])),
            product: id(48),
            cmid: id(64),
            client_time: u64::from_le_bytes(std::array::from_fn(|byte| self.body[84 + byte])),
            iv: self.iv,
            salt,
        }
    }
}

impl Sealed {
    /// Header, stub and envelope (protocol description, sections 1.4, 1.5 and 4).
    fn write(&mut self, draft: &Draft, encrypted: &[[u8; 16]; BLOCKS]) {
        let is_v4 = draft.version == ProtocolVersion::V4;
        let size = if is_v4 { V4_REQUEST_LEN } else { SEALED_REQUEST_LEN };
        let word = match draft.syntax {
            TransferSyntax::Ndr32 => 4,
            TransferSyntax::Ndr64 => 8,
        };
        let payload_at = CALL_HEADER_LEN + 2 * word;
        self.len = payload_at + size;
        let bytes = &mut self.bytes;
        bytes[..8].copy_from_slice(&[5, 0, Ptype::REQUEST.0, Flags::WHOLE.0, 0x10, 0, 0, 0]);
        bytes[8..10].copy_from_slice(&(self.len as u16).to_le_bytes());
        bytes[10..12].fill(0);
        bytes[12..16].copy_from_slice(&draft.call_id.to_le_bytes());
        bytes[16..20].copy_from_slice(&((2 * word + size) as u32).to_le_bytes());
        bytes[20..22].copy_from_slice(&draft.context_id.to_le_bytes());
        bytes[22..payload_at].fill(0);
        bytes[24..28].copy_from_slice(&(size as u32).to_le_bytes());
        bytes[24 + word..28 + word].copy_from_slice(&(size as u32).to_le_bytes());
        let payload = &mut bytes[payload_at..payload_at + size];
        if is_v4 {
            payload[..REQUEST_LEN].copy_from_slice(&draft.body);
            // The MAC is the last block of what was encrypted, and the rest of it is not sent.
            payload[REQUEST_LEN..].copy_from_slice(&encrypted[BLOCKS - 1]);
        } else {
            payload[..4].copy_from_slice(&draft.body[..4]);
            payload[4..20].copy_from_slice(&draft.iv);
            payload[20..].copy_from_slice(encrypted.as_flattened());
        }
    }
}

impl Draft {
    /// One that asks for nothing.
    pub const EMPTY: Draft = Draft {
        version: ProtocolVersion::V6,
        syntax: TransferSyntax::Ndr32,
        call_id: 0,
        context_id: 0,
        body: [0; REQUEST_LEN],
        iv: [0; 16],
    };
}

impl Asked {
    /// Of a request nobody made.
    pub const NOTHING: Asked = Asked {
        version: ProtocolVersion::V6,
        syntax: TransferSyntax::Ndr32,
        call_id: 0,
        context_id: 0,
        n_policy: 0,
        product: [0; 16],
        cmid: [0; 16],
        client_time: 0,
        iv: [0; 16],
        salt: [0; 16],
    };
}

/// A body and its padding, in blocks of the cipher.
const BLOCKS: usize = REQUEST_LEN / 16 + 1;
/// The longest request PDU, in bytes.
pub const REQUEST_PDU_MAX: usize = CALL_HEADER_LEN + 16 + SEALED_REQUEST_LEN;
