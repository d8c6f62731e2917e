//! Round keys: the ordinary expansion, and the one V6 alters.

use aes::hazmat::{self, Block};

/// The round keys of a cipher (one more than it has rounds), in the order encryption uses them.
pub(super) type RoundKeys = Vec<[u8; 16]>;

/// V4: eleven rounds from a 160-bit key.
pub(super) fn v4() -> RoundKeys {
    expand(&V4_KEY)
}

/// V5: AES-128 as it is.
pub(super) fn v5() -> RoundKeys {
    expand(&V5_KEY)
}

/// V6: AES-128 with one byte changed in each of three round keys.
pub(super) fn v6() -> RoundKeys {
    let mut keys = expand(&V6_KEY);
    for (round, difference) in V6_ALTERATIONS {
        keys[round][0] ^= difference;
    }
    keys
}

/// FIPS-197 section 5.2 for keys of four or five words. (From seven words on,
/// the standard has one more step, which is not here.)
pub(super) fn expand<const KEY_WORDS: usize>(key: &[u32; KEY_WORDS]) -> RoundKeys {
    const { assert!(KEY_WORDS == 4 || KEY_WORDS == 5) };
    let rounds = KEY_WORDS + 6;
    let mut words = key.to_vec();
    for i in KEY_WORDS..4 * (rounds + 1) {
        let mut word = words[i - 1];
        if i % KEY_WORDS == 0 {
            word = sub_word(word.rotate_left(8)) ^ u32::from(ROUND_CONSTANTS[i / KEY_WORDS - 1]) << 24;
        }
        words.push(words[i - KEY_WORDS] ^ word);
    }
    let bytes: Vec<[u8; 4]> = words.into_iter().map(u32::to_be_bytes).collect();
    bytes.as_flattened().as_chunks().0.to_vec()
}

/// The S-box on four bytes, out of a whole round: where all four columns are
/// alike ShiftRows changes nothing, and MixColumns can be undone.
fn sub_word(word: u32) -> u32 {
    let word = word.to_be_bytes();
    let mut block = Block::from_fn(|byte| word[byte % 4]);
    hazmat::cipher_round(&mut block, &Block::default());
    hazmat::inv_mix_columns(&mut block);
    u32::from_be_bytes([block[0], block[1], block[2], block[3]])
}

const V4_KEY: [u32; 5] = [0x053D_8307, 0xF9E5_F088, 0xEB5E_A668, 0x6CF0_37C7, 0xE4EF_D2D6];
const V5_KEY: [u32; 4] = [0xCD7E_796F, 0x2AB2_5DCB, 0x55FF_C8EF, 0x8364_C470];
const V6_KEY: [u32; 4] = [0xA94A_4195, 0xE201_432D, 0x9BCB_4604, 0x05D8_4A21];

/// Round key, and what its first byte is changed by.
const V6_ALTERATIONS: [(usize, u8); 3] = [(4, 0x73), (6, 0x09), (8, 0xE4)];

const ROUND_CONSTANTS: [u8; 10] = [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1B, 0x36];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expansion_is_the_one_of_fips_197_appendix_a() {
        let keys = expand(&[0x2b7e1516, 0x28aed2a6, 0xabf71588, 0x09cf4f3c]);
        assert_eq!(keys.len(), 11);
        assert_eq!(keys[1], 0xa0fafe17_88542cb1_23a33939_2a6c7605_u128.to_be_bytes());
        assert_eq!(keys[10], 0xd014f9a8_c9ee2589_e13f0cc8_b6630ca6_u128.to_be_bytes());
    }

    #[test]
    fn a_key_of_five_words_gives_twelve_round_keys_and_begins_with_itself() {
        let keys = v4();
        assert_eq!(keys.len(), 12);
        assert_eq!(keys.as_flattened()[..20], *V4_KEY.map(u32::to_be_bytes).as_flattened());
    }

    #[test]
    fn v6_differs_from_the_ordinary_schedule_in_three_bytes() {
        let (ordinary, altered) = (expand(&V6_KEY), v6());
        let pairs = ordinary.as_flattened().iter().zip(altered.as_flattened()).enumerate();
        let differences: Vec<_> = pairs.filter(|(_, (a, b))| a != b).map(|(at, (a, b))| (at, a ^ b)).collect();
        assert_eq!(differences, [(64, 0x73), (96, 0x09), (128, 0xE4)]);
    }
}
