//! What a V5 or V6 response adds to its body to prove that the host read the
//! request: each value as a function of its inputs.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// Length of one time slot in client time, in steps of 100 ns (about 4.11
/// hours); also how far, in slot values, a verifier lets a slot be off
/// (protocol description, section 4).
pub const SLOT_STEP: u64 = 0x22_8168_89BD;

/// The random of a response, XORed with the salt (the raw block decryption of
/// the request's IV). Its own inverse: the same call takes the salt off again
/// (protocol description, section 4).
pub fn salted_random(random: &[u8; 16], salt: &[u8; 16]) -> [u8; 16] {
    std::array::from_fn(|byte| random[byte] ^ salt[byte])
}

/// The hash that follows the salted random, taken over the random without its
/// salt (protocol description, section 4).
pub fn sha256(random: &[u8; 16]) -> [u8; 32] {
    Sha256::digest(random).into()
}

/// The slot value of a client time (FILETIME, steps of 100 ns since 1601), as
/// an honest V6 host computes it (protocol description, section 4).
pub fn time_slot(client_time: u64) -> u64 {
    (client_time / SLOT_STEP).wrapping_mul(SLOT_FACTOR).wrapping_add(SLOT_ORIGIN)
}

/// The three slot values a verifier accepts for a client time, the honest one
/// first. The tolerance is applied to the slot value, so the other two are not
/// the slots before and after (protocol description, section 4).
pub fn accepted_slots(client_time: u64) -> [u64; 3] {
    let slot = time_slot(client_time);
    [slot, slot.wrapping_sub(SLOT_STEP), slot.wrapping_add(SLOT_STEP)]
}

/// The HMAC key of a slot value: the last 16 bytes of SHA-256 over its eight
/// little-endian bytes (protocol description, section 4).
pub fn hmac_key(slot: u64) -> [u8; 16] {
    last_half(Sha256::digest(slot.to_le_bytes()).into())
}

/// The HMAC of a V6 response: the last 16 bytes of HMAC-SHA-256 over the raw
/// block decryption of the response's own IV and the plaintext up to the HMAC
/// field (protocol description, section 4).
pub fn hmac(slot: u64, iv_decrypted: &[u8; 16], plaintext_before_hmac: &[u8]) -> [u8; 16] {
    // HMAC fills a short key up with zeros to a block of its hash, so a key
    // already filled up is the same key, and one of a length that cannot be wrong.
    let mut key = [0; 64];
    key[..16].copy_from_slice(&hmac_key(slot));
    let mac = Hmac::<Sha256>::new(&key.into()).chain_update(iv_decrypted).chain_update(plaintext_before_hmac);
    last_half(mac.finalize().into_bytes().into())
}

fn last_half(digest: [u8; 32]) -> [u8; 16] {
    std::array::from_fn(|byte| digest[16 + byte])
}

const SLOT_FACTOR: u64 = 0x20_8CBA_B5ED;
const SLOT_ORIGIN: u64 = 0x3156_CD5A_C628_477A;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_salt_put_on_twice_is_taken_off() {
        let (random, salt) = ([0x5A; 16], std::array::from_fn(|byte| byte as u8));
        assert_ne!(salted_random(&random, &salt), random);
        assert_eq!(salted_random(&salted_random(&random, &salt), &salt), random);
    }

    #[test]
    fn a_slot_lasts_one_step_and_begins_at_its_multiples() {
        assert_eq!(time_slot(0), SLOT_ORIGIN);
        assert_eq!(time_slot(SLOT_STEP - 1), SLOT_ORIGIN);
        assert_eq!(time_slot(SLOT_STEP), SLOT_ORIGIN + SLOT_FACTOR);
        let hours = SLOT_STEP as f64 / 1e7 / 3600.0;
        assert!((4.11..4.12).contains(&hours), "{hours} h");
    }

    #[test]
    fn no_client_time_overflows() {
        for time in [0, u64::MAX / 2, u64::MAX] {
            let [slot, below, above] = accepted_slots(time);
            assert_eq!(below.wrapping_add(SLOT_STEP), slot);
            assert_eq!(above.wrapping_sub(SLOT_STEP), slot);
        }
    }

    #[test]
    fn the_tolerated_slots_are_not_the_neighbouring_ones() {
        let [_, below, above] = accepted_slots(10 * SLOT_STEP);
        assert_ne!(below, time_slot(9 * SLOT_STEP));
        assert_ne!(above, time_slot(11 * SLOT_STEP));
    }

    #[test]
    fn the_filled_up_key_is_the_same_key() {
        let short = Hmac::<Sha256>::new_from_slice(&hmac_key(7)).unwrap();
        let mac = short.chain_update([1; 16]).chain_update(b"body").finalize().into_bytes();
        assert_eq!(hmac(7, &[1; 16], b"body"), mac[16..]);
    }
}
