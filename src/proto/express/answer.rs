//! Answers, verified eight at a time.

use super::request::Asked;
use crate::crypto::lanes::{self, SlotKey};
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

    fn epid(&self, product: &[u8; 16]) -> Option<&[u8]> {
        self.epids.iter().find(|(known, _)| known == product).map(|(_, field)| field.as_slice())
    }
}

/// Verifies answers. It keeps what can be used again: the keys of time slots.
#[derive(Debug, Default)]
pub struct Verifier {
    keys: Vec<SlotKey>,
}

impl Verifier {
    /// Verifies up to eight whole response PDUs. `None` for whatever is not plainly right, be it
    /// wrong or only unusual: fragments, a refusal, an ePID not met before.
    ///
    /// # Panics
    /// When there are more than eight.
    pub fn verify(&mut self, known: &Known, answers: &[(Asked, &[u8])]) -> [Option<Plain>; LANES] {
        assert!(answers.len() <= LANES, "at most {LANES} at a time");
        let mut results = [None; LANES];
        let mut opened: [Option<Opened>; LANES] = [const { None }; LANES];
        for (lane, (asked, frame)) in answers.iter().enumerate() {
            let Some(payload) = payload(asked, frame) else { continue };
            if asked.version == ProtocolVersion::V4 {
                results[lane] = verify_v4(known, asked, payload);
            } else {
                opened[lane] = Opened::of(known, asked, payload);
            }
        }
        self.prove(answers, &opened, &mut results);
        results
    }

    /// Passes those whose hashes are right.
    fn prove(
        &mut self,
        answers: &[(Asked, &[u8])],
        opened: &[Option<Opened>; LANES],
        results: &mut [Option<Plain>; LANES],
    ) {
        let hashes = self.hashes(opened);
        for ((asked, _), opened) in answers.iter().zip(opened) {
            if opened.as_ref().is_some_and(|opened| opened.proof.is_v6) {
                self.make_key(asked.client_time);
            }
        }
        let macs = self.macs(answers, opened);
        for (lane, opened) in opened.iter().enumerate() {
            let Some(opened) = opened else { continue };
            let Proof { is_v6, plain, .. } = opened.proof;
            let hash_holds = hashes[lane] == opened.hash();
            let mac_holds = !is_v6 || macs[lane] == opened.hmac();
            results[lane] = (hash_holds && mac_holds).then_some(plain);
        }
    }

    fn hashes(&self, opened: &[Option<Opened>; LANES]) -> [[u8; 32]; LANES] {
        let randoms: [Option<[u8; 16]>; LANES] =
            std::array::from_fn(|lane| opened[lane].as_ref().and_then(|opened| opened.proof.plain.random));
        if pays(randoms.iter().flatten().count()) {
            return lanes::sha256(&randoms.map(Option::unwrap_or_default));
        }
        randoms.map(|random| random.map_or([0; 32], |random| proof::sha256(&random)))
    }

    fn macs(&self, answers: &[(Asked, &[u8])], opened: &[Option<Opened>; LANES]) -> [[u8; 16]; LANES] {
        let v6 = |lane: usize| opened[lane].as_ref().filter(|opened| opened.proof.is_v6);
        let key = |lane: usize| self.key(answers[lane].0.client_time);
        let Some(first) = (0..answers.len()).find(|&lane| v6(lane).is_some()) else { return [[0; 16]; LANES] };
        let many = (0..answers.len()).filter(|&lane| v6(lane).is_some()).count();
        if pays(many) {
            // A lane without an answer does another's work again.
            let busy: [usize; LANES] = std::array::from_fn(|lane| if v6(lane).is_some() { lane } else { first });
            let ivs = busy.map(|lane| v6(lane).map_or([0; 16], |opened| opened.iv_decrypted));
            let texts = busy.map(|lane| v6(lane).map_or(&[][..], Opened::text));
            if let Some(keys) = all(busy.map(key))
                && let Some(macs) = lanes::hmac(keys, &ivs, texts)
            {
                return macs;
            }
        }
        std::array::from_fn(|lane| match (v6(lane), lane < answers.len()) {
            (Some(opened), true) => {
                key(lane).map_or([0; 16], |key| lanes::hmac_alone(key, &opened.iv_decrypted, opened.text()))
            }
            _ => [0; 16],
        })
    }

    fn key(&self, client_time: u64) -> Option<&SlotKey> {
        let slot = proof::time_slot(client_time);
        self.keys.iter().find(|key| key.slot() == slot)
    }

    /// Has the key of a client's time ready. The oldest of several gives way: a slot lasts four hours.
    fn make_key(&mut self, client_time: u64) {
        if self.key(client_time).is_none() {
            if self.keys.len() == KEYS_MAX {
                // A batch uses eight at most, which are the newest.
                self.keys.remove(0);
            }
            self.keys.push(SlotKey::new(proof::time_slot(client_time)));
        }
    }
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
struct Opened {
    plaintext: [u8; PLAINTEXT_MAX],
    /// Where the proof begins.
    proof_at: usize,
    iv_decrypted: [u8; 16],
    proof: Proof,
}

#[derive(Clone, Copy)]
struct Proof {
    is_v6: bool,
    plain: Plain,
}

impl Opened {
    fn of(known: &Known, asked: &Asked, payload: &[u8]) -> Option<Opened> {
        let is_v6 = asked.version == ProtocolVersion::V6;
        let (version, sealed) = payload.split_first_chunk::<4>()?;
        let (iv, ciphertext) = sealed.split_first_chunk::<16>()?;
        // The same IV again is right in V5, and wrong in V6.
        if *version != asked.version.to_wire() || (*iv == asked.iv) == is_v6 {
            return None;
        }
        let (plaintext, iv_decrypted) = decrypt(asked.version, iv, ciphertext)?;
        let (proof_at, count) = body(known, asked, &plaintext[..ciphertext.len()])?;
        let proof_len = if is_v6 { 16 + 32 + 8 + 16 + 16 } else { 16 + 32 };
        let end = proof_at + proof_len;
        let padding = plaintext.get(end..ciphertext.len())?;
        let due = 16 - end % 16;
        if padding.len() != due || padding.iter().any(|&byte| usize::from(byte) != due) {
            return None;
        }
        let salted: [u8; 16] = std::array::from_fn(|byte| plaintext[proof_at + byte]);
        if is_v6 {
            let told = &plaintext[proof_at + 48..proof_at + 72];
            if known.hwid.is_none_or(|hwid| told[..8] != hwid) || told[8..] != asked.salt {
                return None;
            }
        }
        let random = proof::salted_random(&salted, &asked.salt);
        let plain = Plain { count, iv: is_v6.then_some(*iv), random: Some(random) };
        Some(Opened { plaintext, proof_at, iv_decrypted, proof: Proof { is_v6, plain } })
    }

    /// What the HMAC is taken over.
    fn text(&self) -> &[u8] {
        &self.plaintext[..self.proof_at + 72]
    }

    fn hash(&self) -> [u8; 32] {
        std::array::from_fn(|byte| self.plaintext[self.proof_at + 16 + byte])
    }

    fn hmac(&self) -> [u8; 16] {
        std::array::from_fn(|byte| self.plaintext[self.proof_at + 72 + byte])
    }
}

/// The plaintext of whole blocks, and the block decryption of the IV.
fn decrypt(version: ProtocolVersion, iv: &[u8; 16], ciphertext: &[u8]) -> Option<([u8; PLAINTEXT_MAX], [u8; 16])> {
    let (blocks, rest) = ciphertext.as_chunks::<16>();
    if !rest.is_empty() || blocks.is_empty() || blocks.len() >= BLOCKS_MAX {
        return None;
    }
    let cipher = sealing(version).cipher();
    // The IV is decrypted with the others: there is room for it beside fifteen blocks, which most answers have.
    let mut turned = [[0; 16]; BLOCKS_MAX];
    turned[0] = *iv;
    turned[1..=blocks.len()].copy_from_slice(blocks);
    for eight in turned[..(blocks.len() + 1).next_multiple_of(LANES)].as_chunks_mut::<LANES>().0 {
        cipher.decrypt_side_by_side(eight);
    }
    let mut plaintext = [0; PLAINTEXT_MAX];
    let mut before = iv;
    for (at, (block, turned)) in blocks.iter().zip(&turned[1..]).enumerate() {
        let sum = u128::from_ne_bytes(*turned) ^ u128::from_ne_bytes(*before);
        plaintext[16 * at..16 * at + 16].copy_from_slice(&sum.to_ne_bytes());
        before = block;
    }
    Some((plaintext, turned[0]))
}

/// The checks a plain answer of that version and syntax has passed: those of its PDU, of its stub, of
/// all that is in it, and of it and the answers before it.
pub fn checks_done(version: ProtocolVersion) -> CheckSet {
    use CheckId as Id;
    let mut done = CheckSet::default();
    let of_all = [
        Id::HeaderVersion,
        Id::HeaderDrep,
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
/// The longest ePID gives 17 blocks; three times eight are worked on, the IV being one of them.
const BLOCKS_MAX: usize = 3 * LANES;
const PLAINTEXT_MAX: usize = 16 * BLOCKS_MAX;
