//! Answers, verified eight at a time.

use super::request::Asked;
use crate::crypto::lanes::{self, MESSAGE_MAX, Message, SlotKey};
use crate::crypto::{LANES, mac, proof};
use crate::proto::verify::{CheckId, CheckSet};
use crate::proto::{Answer, sealing};
use crate::wire::kms::{ActivationRequest, ProtocolVersion};
use crate::wire::rpc::{CALL_HEADER_LEN, Flags, Ptype, TransferSyntax};

/// What a host has said before, in answers in which everything was right, and must say again.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Of each product, by its counted id: size and text of the ePID, as they go on the wire.
    epids: Vec<([u8; 16], Vec<u8>)>,
    /// Activation and renewal interval, as they go on the wire.
    intervals: Option<[u8; 8]>,
    hwid: Option<[u8; 8]>,
}

/// An answer in which everything is as it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plain {
    /// What was counted.
    pub count: u32,
    /// The IV of a V6 answer.
    pub iv: Option<[u8; 16]>,
    /// The host's random of a V5 or V6 answer.
    pub random: Option<[u8; 16]>,
}

impl Known {
    /// Learns from an answer without a failed check; what is known already stays.
    pub fn learn(&mut self, request: &ActivationRequest, answer: &Answer) {
        let Some(response) = answer.response.as_ref().filter(|_| answer.checks.failed.is_empty()) else { return };
        let product = request.kms_counted_id.to_wire();
        if self.epid(&product).is_none() {
            let mut field = (response.epid.wire_size() as u32).to_le_bytes().to_vec();
            field.extend(response.epid.as_str().encode_utf16().chain([0]).flat_map(u16::to_le_bytes));
            self.epids.push((product, field));
        }
        let [first, second] = [response.activation_interval_min, response.renewal_interval_min].map(u32::to_le_bytes);
        self.intervals.get_or_insert(std::array::from_fn(|at| if at < 4 { first[at] } else { second[at - 4] }));
        self.hwid = self.hwid.or(answer.hwid);
    }

    /// The activation and the renewal interval, in minutes, once they are known.
    pub fn intervals_min(&self) -> Option<[u32; 2]> {
        let intervals = self.intervals?;
        let (intervals, _) = intervals.as_chunks();
        Some([intervals[0], intervals[1]].map(u32::from_le_bytes))
    }

    fn epid(&self, product: &[u8; 16]) -> Option<&[u8]> {
        self.epids.iter().find(|(known, _)| known == product).map(|(_, field)| field.as_slice())
    }
}

/// Verifies answers. It keeps what can be used again: room, and the keys of time slots.
#[derive(Debug)]
pub struct Verifier {
    keys: Vec<SlotKey>,
    /// What each answer's HMAC is taken over, and what follows it.
    messages: Box<[Message; LANES]>,
}

impl Default for Verifier {
    fn default() -> Verifier {
        Verifier { keys: Vec::with_capacity(KEYS_MAX), messages: Box::new([[0; MESSAGE_MAX]; LANES]) }
    }
}

impl Verifier {
    /// Verifies up to eight whole response PDUs. `None` for whatever is not plainly right, be it
    /// wrong or only unusual: fragments, a refusal, an ePID not met before.
    ///
    /// # Panics
    /// When there are more than eight.
    pub fn verify(&mut self, known: &Known, answers: &[(&Asked, &[u8])]) -> [Option<Plain>; LANES] {
        assert!(answers.len() <= LANES, "at most {LANES} at a time");
        let mut results = [None; LANES];
        let mut opened = [None; LANES];
        for (lane, (asked, frame)) in answers.iter().enumerate() {
            let Some(payload) = payload(asked, frame) else { continue };
            if asked.version == ProtocolVersion::V4 {
                results[lane] = verify_v4(known, asked, payload);
            } else {
                opened[lane] = Opened::of(known, asked, payload, &mut self.messages[lane]);
            }
        }
        let hashes = hashes(&opened);
        let macs = self.macs(answers, &opened);
        for (lane, opened) in opened.iter().enumerate() {
            let Some(opened) = opened else { continue };
            let mac_holds = opened.hmac.is_none_or(|hmac| hmac == macs[lane]);
            if opened.hash == hashes[lane] && mac_holds {
                results[lane] = Some(opened.plain);
            }
        }
        results
    }

    /// The right HMAC of each answer that has one.
    fn macs(&mut self, answers: &[(&Asked, &[u8])], opened: &[Option<Opened>; LANES]) -> [[u8; 16]; LANES] {
        let mut macs = [[0; 16]; LANES];
        let v6 = |lane: usize| opened[lane].filter(|opened| opened.hmac.is_some());
        let Some(first) = (0..answers.len()).find(|&lane| v6(lane).is_some()) else { return macs };
        let many = (first..answers.len()).filter(|&lane| v6(lane).is_some()).count();
        for (lane, (asked, _)) in answers.iter().enumerate() {
            if v6(lane).is_some() {
                self.make_key(asked.client_time);
            }
        }
        let Verifier { keys, messages } = self;
        let key = |lane: usize| key_of(keys, answers[lane].0.client_time);
        let len = v6(first).map_or(0, |opened| opened.hmac_at);
        let same = (first..answers.len()).all(|lane| v6(lane).is_none_or(|opened| opened.hmac_at == len));
        if pays(many)
            && same
            // A lane without an answer does another's work again.
            && let Some(keys) = all(std::array::from_fn(|lane| key(if v6(lane).is_some() { lane } else { first })))
            && let Some(side_by_side) = lanes::hmac(keys, messages, len)
        {
            return side_by_side;
        }
        for lane in first..answers.len() {
            if let (Some(opened), Some(key)) = (v6(lane), key(lane)) {
                macs[lane] = lanes::hmac_alone(key, &messages[lane][..opened.hmac_at]);
            }
        }
        macs
    }

    /// Has the key of a client's time ready. The oldest of several gives way: a slot lasts four hours.
    fn make_key(&mut self, client_time: u64) {
        if key_of(&self.keys, client_time).is_none() {
            if self.keys.len() == KEYS_MAX {
                // A batch uses eight at most, which are the newest.
                self.keys.remove(0);
            }
            self.keys.push(SlotKey::new(proof::time_slot(client_time)));
        }
    }
}

fn key_of(keys: &[SlotKey], client_time: u64) -> Option<&SlotKey> {
    let slot = proof::time_slot(client_time);
    keys.iter().find(|key| key.slot() == slot)
}

/// The right hash of each answer's random.
fn hashes(opened: &[Option<Opened>; LANES]) -> [[u8; 32]; LANES] {
    let randoms = opened.map(|opened| opened.and_then(|opened| opened.plain.random));
    if pays(randoms.iter().flatten().count()) {
        return lanes::sha256(&randoms.map(Option::unwrap_or_default));
    }
    randoms.map(|random| random.map_or([0; 32], |random| proof::sha256(&random)))
}

/// Whether so many are worth doing side by side: as much as all lanes cost.
fn pays(many: usize) -> bool {
    many >= 3 && lanes::side_by_side_pays()
}

fn all<T>(items: [Option<T>; LANES]) -> Option<[T; LANES]> {
    if items.iter().any(Option::is_none) {
        return None;
    }
    Some(items.map(|item| item.expect("none is missing")))
}

/// The envelope in a response PDU, when header and stub are as they must be (protocol description, sections 1.4 to 1.6).
fn payload<'f>(asked: &Asked, frame: &'f [u8]) -> Option<&'f [u8]> {
    let (header, stub) = frame.split_at_checked(CALL_HEADER_LEN)?;
    let word = |bytes: &[u8], at: usize| u32::from_le_bytes(std::array::from_fn(|byte| bytes[at + byte]));
    let starts_right = header[..8] == [5, 0, Ptype::RESPONSE.0, Flags::WHOLE.0, 0x10, 0, 0, 0]
        && usize::from(u16::from_le_bytes([header[8], header[9]])) == frame.len()
        && header[10..12] == [0, 0]
        && word(header, 12) == asked.call_id
        && (1..=stub.len()).contains(&(word(header, 16) as usize))
        && header[20..22] == asked.context_id.to_le_bytes()
        && header[22..24] == [0, 0];
    let (size, payload_at) = match asked.syntax {
        TransferSyntax::Ndr32 => {
            let words = stub.get(..12)?;
            (word(words, 0), (word(words, 4) != 0 && word(words, 8) == word(words, 0)).then_some(12))
        }
        TransferSyntax::Ndr64 => {
            let words = stub.get(..24)?;
            let counts = word(words, 16) == word(words, 0) && word(words, 20) == 0 && word(words, 4) == 0;
            (word(words, 0), (counts && words[8..16] != [0; 8]).then_some(24))
        }
    };
    let payload_at: usize = payload_at?;
    let end = payload_at.checked_add(size as usize)?;
    let tail = stub.get(end..)?;
    // Padding to the return code, which is S_OK: zeros all of them.
    let ends_right = tail.len() == end.next_multiple_of(4) - end + 4 && tail.iter().all(|&byte| byte == 0);
    (starts_right && ends_right).then_some(&stub[payload_at..end])
}

/// Where the body of an answer ends, and what it counts, when all of it is as it must be
/// (protocol description, section 3).
fn body(known: &Known, asked: &Asked, text: &[u8]) -> Option<(usize, u32)> {
    let epid = known.epid(&asked.product)?;
    let ids_at = 4 + epid.len();
    let end = ids_at + 16 + 8 + 4 + 8;
    let body = text.get(..end)?;
    let count = u32::from_le_bytes(std::array::from_fn(|byte| body[ids_at + 24 + byte]));
    let right = body[..4] == asked.version.to_wire()
        && body[4..ids_at] == *epid
        && body[ids_at..ids_at + 16] == asked.cmid
        && body[ids_at + 16..ids_at + 24] == asked.client_time.to_le_bytes()
        && (1..=asked.n_policy.saturating_mul(2).max(1000)).contains(&count)
        && known.intervals.is_some_and(|intervals| body[ids_at + 28..] == intervals);
    right.then_some((end, count))
}

fn verify_v4(known: &Known, asked: &Asked, payload: &[u8]) -> Option<Plain> {
    let (text, sum) = payload.split_last_chunk::<16>()?;
    let (end, count) = body(known, asked, text)?;
    (end == text.len() && mac::v4(text) == *sum).then_some(Plain { count, iv: None, random: None })
}

/// A V5 or V6 answer that is open and right but for its hashes.
#[derive(Clone, Copy)]
struct Opened {
    /// The hash it claims for its random.
    hash: [u8; 32],
    /// The HMAC it claims, in V6, and where that stands in its message.
    hmac: Option<[u8; 16]>,
    hmac_at: usize,
    plain: Plain,
}

impl Opened {
    /// Decrypts an answer into `message` and looks at all of it.
    fn of(known: &Known, asked: &Asked, payload: &[u8], message: &mut Message) -> Option<Opened> {
        let is_v6 = asked.version == ProtocolVersion::V6;
        let (version, sealed) = payload.split_first_chunk::<4>()?;
        let (iv, ciphertext) = sealed.split_first_chunk::<16>()?;
        // The same IV again is right in V5, and wrong in V6.
        if *version != asked.version.to_wire() || (*iv == asked.iv) == is_v6 {
            return None;
        }
        let (blocks, rest) = ciphertext.as_chunks::<16>();
        if !rest.is_empty() || blocks.is_empty() || blocks.len() > BLOCKS_MAX {
            return None;
        }
        sealing(asked.version).cipher().decrypt_cbc_and_iv(iv, blocks, message.as_chunks_mut().0);
        let text = &message[16..16 + ciphertext.len()];
        let (proof_at, count) = body(known, asked, text)?;
        let proof_len = if is_v6 { 16 + 32 + 8 + 16 + 16 } else { 16 + 32 };
        let (proof, padding) = text.get(proof_at..)?.split_at_checked(proof_len)?;
        let due = 16 - (proof_at + proof_len) % 16;
        if padding.len() != due || padding.iter().any(|&byte| usize::from(byte) != due) {
            return None;
        }
        let hmac = if is_v6 {
            if known.hwid.is_none_or(|hwid| proof[48..56] != hwid) || proof[56..72] != asked.salt {
                return None;
            }
            Some(std::array::from_fn(|byte| proof[72 + byte]))
        } else {
            None
        };
        let random = proof::salted_random(&std::array::from_fn(|byte| proof[byte]), &asked.salt);
        let plain = Plain { count, iv: is_v6.then_some(*iv), random: Some(random) };
        let hash = std::array::from_fn(|byte| proof[16 + byte]);
        Some(Opened { hash, hmac, hmac_at: 16 + proof_at + 72, plain })
    }
}

/// The checks a plain answer of that version and syntax has passed: those of its PDU, of its stub, of
/// all that is in it, and of it and the answers before it.
pub fn checks_done(version: ProtocolVersion) -> CheckSet {
    use CheckId as Id;
    let mut done = CheckSet::default();
    let of_all = [
        Id::HeaderVersion,
        Id::HeaderDrep,
        Id::HeaderFragLength,
        Id::HeaderAuthLength,
        Id::HeaderCallId,
        Id::HeaderFlags,
        Id::WellFormed,
        Id::ExpectedKind,
        Id::ResponseContext,
        Id::ResponseCancelCount,
        Id::ResponseAllocHint,
        Id::ResponseFragments,
        Id::Answered,
        Id::NoFault,
        Id::NdrWellFormed,
        Id::NdrTrailing,
        Id::NdrPadding,
        Id::NdrReturnCode,
        Id::Envelope,
        Id::Version,
        Id::Body,
        Id::EpidLength,
        Id::EpidForm,
        Id::Cmid,
        Id::ClientTime,
        Id::Count,
        Id::Intervals,
        Id::Length,
        Id::HistoryEpid,
        Id::HistoryCount,
        Id::HistoryIntervals,
    ];
    let of_this: &[CheckId] = match version {
        ProtocolVersion::V4 => &[Id::V4Mac],
        ProtocolVersion::V5 => &[Id::V5Iv, Id::RandomHash, Id::Padding, Id::HistoryRandom],
        _ => &[
            Id::V6Iv,
            Id::RandomHash,
            Id::V6XoredIvs,
            Id::V6Hmac,
            Id::Padding,
            Id::HistoryRandom,
            Id::HistoryIv,
            Id::HistoryHwid,
        ],
    };
    of_all.iter().chain(of_this).for_each(|&check| done.insert(check));
    done
}

/// More time slots than clients with skewed clocks are in at a time.
const KEYS_MAX: usize = 16;
/// The longest ePID gives 17 blocks.
const BLOCKS_MAX: usize = 17;
