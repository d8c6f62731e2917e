//! SHA-256 of eight messages side by side, and the HMACs of V6 answers made of it.
//!
//! Where the processor has instructions for SHA-256, the `sha2` crate uses them, and one hash after
//! the other is fastest. Where it has none, eight at a time cost about a sixth each of what one alone
//! does: the compression function below is plain arithmetic over eight lanes, which the compiler makes
//! vector instructions of, the best the processor has (`pulp` asks it which).

use std::sync::LazyLock;

use hmac::{Hmac, KeyInit, Mac};
use pulp::{Arch, Simd, WithSimd};
use sha2::Sha256;

use super::cipher::LANES;
use super::proof;

/// The HMAC key of a time slot, ready to be used again and again: what is the same in every HMAC
/// of it is done already (protocol description, section 4).
#[derive(Debug, Clone)]
pub struct SlotKey {
    slot: u64,
    keyed: Hmac<Sha256>,
    inner: [u32; 8],
    outer: [u32; 8],
}

impl SlotKey {
    /// The key of a slot value ([`proof::time_slot`]).
    pub fn new(slot: u64) -> SlotKey {
        let mut key = [0; 64];
        key[..16].copy_from_slice(&proof::hmac_key(slot));
        let midstate = |pad: u8| {
            let mut state = INITIAL.map(|word| [word; LANES]);
            run(&mut state, &[key.map(|byte| byte ^ pad); LANES], 1);
            state.map(|word| word[0])
        };
        SlotKey { slot, keyed: Hmac::new(&key.into()), inner: midstate(0x36), outer: midstate(0x5c) }
    }

    /// The slot value it is of.
    pub fn slot(&self) -> u64 {
        self.slot
    }
}

/// Whether eight side by side are faster here than one after the other.
pub fn side_by_side_pays() -> bool {
    static PAYS: LazyLock<bool> = LazyLock::new(|| !has_sha_instructions());
    *PAYS
}

/// SHA-256 of each of eight randoms ([`proof::sha256`]).
pub fn sha256(randoms: &[[u8; 16]; LANES]) -> [[u8; 32]; LANES] {
    let mut blocks = [[0; 64]; LANES];
    for (block, random) in blocks.iter_mut().zip(randoms) {
        block[..16].copy_from_slice(random);
        finish(block, 16, 16);
    }
    let mut state = INITIAL.map(|word| [word; LANES]);
    run(&mut state, &blocks, 1);
    digests(&state)
}

/// Room for what the HMAC of an answer is taken over: the block decryption of its IV, its plaintext up to the
/// HMAC, and padding.
pub type Message = [u8; MESSAGE_MAX];

/// The HMAC of each of eight V6 answers of one length ([`proof::hmac`]), taken over the first `len` bytes of
/// each message; what follows these is written over. `None` when that is longer than any answer's.
pub fn hmac(keys: [&SlotKey; LANES], messages: &mut [Message; LANES], len: usize) -> Option<[[u8; 16]; LANES]> {
    let blocks = (len + 9).div_ceil(64);
    if 64 * blocks > MESSAGE_MAX {
        return None;
    }
    for message in messages.iter_mut() {
        message[len..64 * blocks].fill(0);
        finish(&mut message[..64 * blocks], len, 64 + len);
    }
    let mut state = std::array::from_fn(|word| std::array::from_fn(|lane| keys[lane].inner[word]));
    run(&mut state, messages, blocks);
    let inner = digests(&state);
    let mut outer = [[0; 64]; LANES];
    for (block, digest) in outer.iter_mut().zip(&inner) {
        block[..32].copy_from_slice(digest);
        finish(block, 32, 64 + 32);
    }
    let mut state = std::array::from_fn(|word| std::array::from_fn(|lane| keys[lane].outer[word]));
    run(&mut state, &outer, 1);
    Some(digests(&state).map(|digest| std::array::from_fn(|byte| digest[16 + byte])))
}

/// The HMAC of one V6 answer, taken over this message, under a key that is ready.
pub fn hmac_alone(key: &SlotKey, message: &[u8]) -> [u8; 16] {
    let digest: [u8; 32] = key.keyed.clone().chain_update(message).finalize().into_bytes().into();
    std::array::from_fn(|byte| digest[16 + byte])
}

/// Pads the last block of a message whose `len` bytes stand there, of `total` hashed in all (FIPS 180-4, section 5.1.1).
fn finish(blocks: &mut [u8], len: usize, total: usize) {
    blocks[len] = 0x80;
    let end = blocks.len();
    blocks[end - 8..].copy_from_slice(&(8 * total as u64).to_be_bytes());
}

/// One word of each lane.
type Words = [u32; LANES];

fn digests(state: &[Words; 8]) -> [[u8; 32]; LANES] {
    std::array::from_fn(|lane| {
        let mut digest = [0; 32];
        for (bytes, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(state) {
            *bytes = word[lane].to_be_bytes();
        }
        digest
    })
}

/// Compresses the first so many blocks of each message, by the best instructions there are.
fn run<const LEN: usize>(state: &mut [Words; 8], messages: &[[u8; LEN]; LANES], blocks: usize) {
    struct Compress<'a, const LEN: usize>(&'a mut [Words; 8], &'a [[u8; LEN]; LANES], usize);
    impl<const LEN: usize> WithSimd for Compress<'_, LEN> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, _simd: S) {
            let Compress(state, messages, blocks) = self;
            for block in 0..blocks {
                compress(state, &words_of(messages, 64 * block));
            }
        }
    }
    static ARCH: LazyLock<Arch> = LazyLock::new(Arch::new);
    ARCH.dispatch(Compress(state, messages, blocks));
}

/// The sixteen words of each lane that begin at `at`.
#[inline(always)]
fn words_of<const LEN: usize>(messages: &[[u8; LEN]; LANES], at: usize) -> [Words; 16] {
    let mut words = [[0; LANES]; 16];
    for (lane, message) in messages.iter().enumerate() {
        let block = message[at..at + 64].as_chunks::<4>().0;
        for (word, bytes) in words.iter_mut().zip(block) {
            word[lane] = u32::from_be_bytes(*bytes);
        }
    }
    words
}

/// FIPS 180-4, section 6.2.2, over eight lanes. Eight rounds at a time: then nothing has to move from
/// one variable to the next, and all of them stay in registers.
#[inline(always)]
fn compress(state: &mut [Words; 8], block: &[Words; 16]) {
    let mut w = *block;
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    macro_rules! round {
        ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident, $t:expr) => {
            let t = $t;
            if t >= 16 {
                let small0 = w[(t + 1) & 15].map(|x| x.rotate_right(7) ^ x.rotate_right(18) ^ (x >> 3));
                let small1 = w[(t + 14) & 15].map(|x| x.rotate_right(17) ^ x.rotate_right(19) ^ (x >> 10));
                w[t & 15] = add(add(w[t & 15], small0), add(w[(t + 9) & 15], small1));
            }
            let big1 = $e.map(|x| x.rotate_right(6) ^ x.rotate_right(11) ^ x.rotate_right(25));
            let choice: Words = std::array::from_fn(|lane| ($e[lane] & $f[lane]) ^ (!$e[lane] & $g[lane]));
            let constant = CONSTANTS[t];
            let first = add(add($h, big1), add(choice, w[t & 15].map(|x| x.wrapping_add(constant))));
            let big0 = $a.map(|x| x.rotate_right(2) ^ x.rotate_right(13) ^ x.rotate_right(22));
            let majority: Words =
                std::array::from_fn(|lane| ($a[lane] & $b[lane]) ^ ($a[lane] & $c[lane]) ^ ($b[lane] & $c[lane]));
            $d = add($d, first);
            $h = add(first, add(big0, majority));
        };
    }
    for eight in 0..8 {
        let t = 8 * eight;
        round!(a b c d e f g h, t);
        round!(h a b c d e f g, t + 1);
        round!(g h a b c d e f, t + 2);
        round!(f g h a b c d e, t + 3);
        round!(e f g h a b c d, t + 4);
        round!(d e f g h a b c, t + 5);
        round!(c d e f g h a b, t + 6);
        round!(b c d e f g h a, t + 7);
    }
    for (word, change) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *word = add(*word, change);
    }
}

#[inline(always)]
fn add(one: Words, other: Words) -> Words {
    std::array::from_fn(|lane| one[lane].wrapping_add(other[lane]))
}

fn has_sha_instructions() -> bool {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    return std::arch::is_x86_feature_detected!("sha");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("sha2");
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
    false
}

/// The longest message, padding included, in bytes: an answer with the longest ePID needs five blocks. The rest is
/// room for a whole answer, decrypted.
pub const MESSAGE_MAX: usize = 448;

#[rustfmt::skip]
const INITIAL: [u32; 8] = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

#[rustfmt::skip]
const CONSTANTS: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cases::config;

    proptest! {
        #![proptest_config(config(256))]

        #[test]
        fn eight_hashes_are_those_of_the_crate(randoms: [[u8; 16]; 8]) {
            prop_assert_eq!(sha256(&randoms), randoms.map(|random| proof::sha256(&random)));
        }

        #[test]
        fn eight_hmacs_are_those_of_the_crate(
            slots: [u64; 8],
            ivs: [[u8; 16]; 8],
            text in prop::collection::vec(any::<u8>(), 300),
            len in 0_usize..=290,
        ) {
            let keys = slots.map(SlotKey::new);
            let mut messages = [[0xEE; MESSAGE_MAX]; 8];
            for (lane, message) in messages.iter_mut().enumerate() {
                message[..16].copy_from_slice(&ivs[lane]);
                message[16..16 + len].copy_from_slice(&text[lane..lane + len]);
            }
            let right = std::array::from_fn(|lane| proof::hmac(slots[lane], &ivs[lane], &text[lane..lane + len]));
            prop_assert_eq!(hmac_alone(&keys[3], &messages[3][..16 + len]), right[3]);
            prop_assert_eq!(hmac(keys.each_ref(), &mut messages, 16 + len), Some(right));
        }
    }

    #[test]
    fn a_message_that_is_too_long_is_left_alone() {
        let key = SlotKey::new(7);
        let mut messages = [[0; MESSAGE_MAX]; 8];
        assert!(hmac([&key; 8], &mut messages, MESSAGE_MAX - 9).is_some());
        assert_eq!(hmac([&key; 8], &mut messages, MESSAGE_MAX - 8), None);
    }
}
