//! The block cipher under all three envelopes.

use std::sync::LazyLock;

use aes::hazmat::{self, Block, Block8};

use super::schedule;

/// Rijndael on 16-byte blocks with one envelope's round keys, computed once a
/// process. The rounds themselves are the `aes` crate's: hardware where there is any.
#[derive(Debug)]
pub struct Cipher {
    forward: Rounds,
    forward_wide: Vec<Block8>,
    backward: Rounds,
    backward_wide: Vec<Block8>,
}

impl Cipher {
    /// The V4 cipher: 160-bit key, 11 rounds (protocol description, section 4).
    pub fn v4() -> &'static Cipher {
        static V4: LazyLock<Cipher> = LazyLock::new(|| Cipher::from_round_keys(&schedule::v4()));
        &V4
    }

    /// The V5 cipher: plain AES-128 (protocol description, section 4).
    pub fn v5() -> &'static Cipher {
        static V5: LazyLock<Cipher> = LazyLock::new(|| Cipher::from_round_keys(&schedule::v5()));
        &V5
    }

    /// The V6 cipher: AES-128 with three bytes of its schedule changed
    /// (protocol description, section 4).
    pub fn v6() -> &'static Cipher {
        static V6: LazyLock<Cipher> = LazyLock::new(|| Cipher::from_round_keys(&schedule::v6()));
        &V6
    }

    /// Encrypts one block in place, no chaining.
    pub fn encrypt_block(&self, block: &mut [u8; 16]) {
        let block: &mut Block = block.into();
        xor(block, &self.forward.whitening);
        for key in &self.forward.keys {
            hazmat::cipher_round(block, key);
        }
        hazmat::inv_mix_columns(block);
    }

    /// Decrypts one block in place, no chaining: the "raw block decryption" of
    /// the protocol description, section 4.
    pub fn decrypt_block(&self, block: &mut [u8; 16]) {
        let block: &mut Block = block.into();
        xor(block, &self.backward.whitening);
        for key in &self.backward.keys {
            hazmat::equiv_inv_cipher_round(block, key);
        }
        hazmat::mix_columns(block);
    }

    /// Encrypts blocks in place in CBC mode.
    pub fn encrypt_cbc(&self, iv: &[u8; 16], blocks: &mut [[u8; 16]]) {
        let mut previous = *iv;
        for block in blocks {
            xor(block, &previous);
            self.encrypt_block(block);
            previous = *block;
        }
    }

    /// Encrypts eight messages in place in CBC mode, side by side: what one of them has to wait for,
    /// the others hide. Where there are fewer, the rest of the lanes may carry anything.
    pub fn encrypt_cbc_side_by_side<const BLOCKS: usize>(
        &self,
        ivs: &[[u8; 16]; LANES],
        messages: &mut [[[u8; 16]; BLOCKS]; LANES],
    ) {
        let mut lanes = Block8::from(ivs.map(Block::from));
        for block in 0..BLOCKS {
            for (lane, message) in lanes.iter_mut().zip(messages.iter()) {
                xor_block(lane, &message[block]);
                xor(lane, &self.forward.whitening);
            }
            for keys in &self.forward_wide {
                hazmat::cipher_round_par(&mut lanes, keys);
            }
            for (lane, message) in lanes.iter_mut().zip(messages.iter_mut()) {
                hazmat::inv_mix_columns(lane);
                message[block] = (*lane).into();
            }
        }
    }

    /// Decrypts eight blocks in place, side by side, with no chaining.
    pub fn decrypt_side_by_side(&self, blocks: &mut [[u8; 16]; LANES]) {
        let mut lanes = self.decrypt_wide(blocks);
        for (block, lane) in blocks.iter_mut().zip(lanes.iter_mut()) {
            hazmat::mix_columns(lane);
            *block = (*lane).into();
        }
    }

    /// Decrypts an IV, with no chaining, and the blocks it began, in CBC mode: one after the other into `out`,
    /// which has room for one more than there are blocks.
    pub fn decrypt_cbc_and_iv(&self, iv: &[u8; 16], blocks: &[[u8; 16]], out: &mut [[u8; 16]]) {
        let block = |at: usize| if at == 0 { iv } else { &blocks[at - 1] };
        for (first, out) in (0..).step_by(LANES).zip(out[..=blocks.len()].chunks_mut(LANES)) {
            let mut lanes = [[0; 16]; LANES];
            for (at, lane) in (first..first + out.len()).zip(&mut lanes) {
                *lane = *block(at);
            }
            let turned = self.decrypt_wide(&lanes);
            for ((at, out), mut turned) in (first..).zip(out).zip(turned) {
                hazmat::mix_columns(&mut turned);
                if at > 0 {
                    xor_block(&mut turned, block(at - 1));
                }
                *out = turned.into();
            }
        }
    }

    /// Decrypts blocks in place in CBC mode, eight at a time: unlike encryption
    /// no block has to wait for the one before it.
    pub fn decrypt_cbc(&self, iv: &[u8; 16], blocks: &mut [[u8; 16]]) {
        let mut previous = *iv;
        for chunk in blocks.chunks_mut(LANES) {
            let decrypted = self.decrypt_wide(chunk);
            for (block, mut plain) in chunk.iter_mut().zip(decrypted) {
                hazmat::mix_columns(&mut plain);
                xor(&mut plain, &previous);
                previous = std::mem::replace(block, plain.into());
            }
        }
    }

    /// Up to eight blocks decrypted but for the last MixColumns. Lanes without
    /// a block carry zeros: a short run costs no more than a full one.
    fn decrypt_wide(&self, blocks: &[[u8; 16]]) -> Block8 {
        let mut lanes = Block8::default();
        for (lane, block) in lanes.iter_mut().zip(blocks) {
            *lane = Block::from(*block);
            xor(lane, &self.backward.whitening);
        }
        for keys in &self.backward_wide {
            hazmat::equiv_inv_cipher_round_par(&mut lanes, keys);
        }
        lanes
    }

    fn from_round_keys(round_keys: &[[u8; 16]]) -> Cipher {
        let keys: Vec<Block> = round_keys.iter().map(|key| Block::from(*key)).collect();
        let forward = Rounds::new(keys.iter(), |_| (), hazmat::mix_columns);
        let backward = Rounds::new(keys.iter().rev(), hazmat::inv_mix_columns, hazmat::inv_mix_columns);
        let wide = |rounds: &Rounds| rounds.keys.iter().map(|key| Block8::from([*key; LANES])).collect();
        let (forward_wide, backward_wide) = (wide(&forward), wide(&backward));
        Cipher { forward, forward_wide, backward, backward_wide }
    }
}

/// One direction's keys.
///
/// The last round has no MixColumns (FIPS-197, sections 5.1 and 5.3.5), but
/// the crate's round functions always do it. So the last round is run like
/// the others and its MixColumns undone afterwards, which is right if that
/// round's key went through MixColumns beforehand, the step being linear.
#[derive(Debug)]
struct Rounds {
    whitening: Block,
    keys: Vec<Block>,
}

impl Rounds {
    fn new<'a>(mut keys: impl Iterator<Item = &'a Block>, inner: fn(&mut Block), last: fn(&mut Block)) -> Rounds {
        let whitening = keys.next().copied().unwrap_or_default();
        let mut keys: Vec<Block> = keys.copied().collect();
        if let Some((last_key, inner_keys)) = keys.split_last_mut() {
            inner_keys.iter_mut().for_each(inner);
            last(last_key);
        }
        Rounds { whitening, keys }
    }
}

fn xor<T: AsMut<[u8]> + ?Sized, U: AsRef<[u8]> + ?Sized>(block: &mut T, with: &U) {
    for (byte, other) in block.as_mut().iter_mut().zip(with.as_ref()) {
        *byte ^= other;
    }
}

fn xor_block(block: &mut Block, with: &[u8; 16]) {
    let sum = u128::from_ne_bytes((*block).into()) ^ u128::from_ne_bytes(*with);
    *block = Block::from(sum.to_ne_bytes());
}

/// Whether the processor has instructions for AES.
pub fn has_aes_instructions() -> bool {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    return std::arch::is_x86_feature_detected!("aes");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

/// Blocks to one call of the crate's parallel round functions.
pub const LANES: usize = 8;

#[cfg(test)]
mod tests {
    use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
    use proptest::prelude::*;

    use super::*;
    use crate::cases::config;

    fn keyed<const KEY_WORDS: usize>(key: &[u32; KEY_WORDS]) -> Cipher {
        Cipher::from_round_keys(&schedule::expand(key))
    }

    fn assert_pair(cipher: &Cipher, plain: u128, encrypted: u128) {
        let mut block = plain.to_be_bytes();
        cipher.encrypt_block(&mut block);
        assert_eq!(u128::from_be_bytes(block), encrypted);
        cipher.decrypt_block(&mut block);
        assert_eq!(u128::from_be_bytes(block), plain);
    }

    #[test]
    fn ten_rounds_give_the_examples_of_fips_197() {
        let appendix_b = keyed(&[0x2b7e1516, 0x28aed2a6, 0xabf71588, 0x09cf4f3c]);
        assert_pair(&appendix_b, 0x3243f6a8_885a308d_313198a2_e0370734, 0x3925841d_02dc09fb_dc118597_196a0b32);
        let appendix_c = keyed(&[0x00010203, 0x04050607, 0x08090a0b, 0x0c0d0e0f]);
        assert_pair(&appendix_c, 0x00112233_44556677_8899aabb_ccddeeff, 0x69c4e0d8_6a7b0430_d8cdb780_70b4c55a);
    }

    #[test]
    fn eleven_rounds_give_the_published_example_for_160_bit_keys() {
        // Gladman's Rijndael test vectors for the key sizes that AES left out.
        let cipher = keyed(&[0x2b7e1516, 0x28aed2a6, 0xabf71588, 0x09cf4f3c, 0x762e7160]);
        assert_pair(&cipher, 0x3243f6a8_885a308d_313198a2_e0370734, 0x231d8446_39b31b41_2211cfe9_3712b880);
    }

    #[test]
    fn the_three_ciphers_differ() {
        let [v4, v5, v6] = [Cipher::v4(), Cipher::v5(), Cipher::v6()].map(|cipher| {
            let mut block = [0; 16];
            cipher.encrypt_block(&mut block);
            block
        });
        assert!(v4 != v5 && v5 != v6 && v4 != v6);
    }

    #[test]
    fn cbc_of_nothing_is_nothing() {
        Cipher::v5().encrypt_cbc(&[1; 16], &mut []);
        Cipher::v5().decrypt_cbc(&[1; 16], &mut []);
    }

    proptest! {
        #![proptest_config(config(256))]

        #[test]
        fn ten_rounds_are_aes_128(key: u128, block: [u8; 16]) {
            let words = [96, 64, 32, 0].map(|shift| (key >> shift) as u32);
            let (ours, theirs) = (keyed(&words), aes::Aes128::new(&key.to_be_bytes().into()));
            let (mut a, mut b) = (block, Block::from(block));
            ours.encrypt_block(&mut a);
            theirs.encrypt_block(&mut b);
            prop_assert_eq!(a, <[u8; 16]>::from(b));
            let (mut a, mut b) = (block, Block::from(block));
            ours.decrypt_block(&mut a);
            theirs.decrypt_block(&mut b);
            prop_assert_eq!(a, <[u8; 16]>::from(b));
        }

        #[test]
        fn eleven_rounds_and_altered_rounds_invert_themselves(block: [u8; 16]) {
            for cipher in [Cipher::v4(), Cipher::v6()] {
                let mut turned = block;
                cipher.encrypt_block(&mut turned);
                prop_assert_ne!(turned, block);
                cipher.decrypt_block(&mut turned);
                prop_assert_eq!(turned, block);
            }
        }

        #[test]
        fn eight_side_by_side_are_eight_one_after_the_other(ivs: [[u8; 16]; 8], messages: [[[u8; 16]; 5]; 8]) {
            for cipher in [Cipher::v4(), Cipher::v5(), Cipher::v6()] {
                let mut side_by_side = messages;
                cipher.encrypt_cbc_side_by_side(&ivs, &mut side_by_side);
                let mut decrypted = ivs;
                cipher.decrypt_side_by_side(&mut decrypted);
                for lane in 0..LANES {
                    let mut alone = messages[lane];
                    cipher.encrypt_cbc(&ivs[lane], &mut alone);
                    prop_assert_eq!(side_by_side[lane], alone);
                    let mut block = ivs[lane];
                    cipher.decrypt_block(&mut block);
                    prop_assert_eq!(decrypted[lane], block);
                }
            }
        }

        #[test]
        fn decrypting_eight_wide_is_decrypting_one_by_one(iv: [u8; 16], blocks: [[u8; 16]; 20]) {
            for cipher in [Cipher::v4(), Cipher::v5(), Cipher::v6()] {
                for len in 0..=blocks.len() {
                    let mut wide = blocks[..len].to_vec();
                    cipher.decrypt_cbc(&iv, &mut wide);
                    prop_assert_eq!(&wide, &one_by_one(cipher, &iv, &blocks[..len]));
                    cipher.encrypt_cbc(&iv, &mut wide);
                        prop_assert_eq!(&wide, &blocks[..len]);
                    let mut beside = [[0; 16]; 21];
                    cipher.decrypt_cbc_and_iv(&iv, &blocks[..len], &mut beside);
                    let mut turned = iv;
                    cipher.decrypt_block(&mut turned);
                    prop_assert_eq!(beside[0], turned);
                    prop_assert_eq!(&beside[1..=len], &one_by_one(cipher, &iv, &blocks[..len])[..]);
                }
            }
        }
    }

    fn one_by_one(cipher: &Cipher, iv: &[u8; 16], blocks: &[[u8; 16]]) -> Vec<[u8; 16]> {
        let previous = std::iter::once(iv).chain(blocks);
        let decrypt = |(mut block, previous): ([u8; 16], &[u8; 16])| {
            cipher.decrypt_block(&mut block);
            xor(&mut block, previous);
            block
        };
        blocks.iter().copied().zip(previous).map(decrypt).collect()
    }
}
