//! Faults of what a host draws for an answer: its random, and the IV of V6 answers (protocol description, section 4).

use crate::crypto::proof;
use crate::lab::fault::{Fault, Install};
use crate::lab::letter::{HASH_AT, Letter};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "draws-few-numbers",
        does: "Draws its randoms and IVs from a generator of the C library that was given 15 bits.",
        hurts: "Whoever takes the random for one: it can be guessed, and an answer be made up in advance.",
        caught_by: &["kms/request/drawn#random"],
        install: Install::Answers(|host, _| {
            let mut turn = 0_u64;
            host.seal(move |letter| {
                turn += 1;
                let (iv, random) = (few(2 * turn), few(2 * turn + 1));
                redraw(letter, iv, random);
            });
        }),
    },
    Fault {
        name: "draws-half",
        does: "Draws eight bytes of sixteen, and leaves the others as they were.",
        hurts: "Whoever takes the random for one: half of it is known.",
        caught_by: &["kms/request/drawn#iv", "kms/request/drawn#random"],
        install: Install::Answers(|host, _| {
            host.seal(|letter| {
                let (mut iv, mut random) = (letter.iv, letter.random());
                iv[8..].fill(0);
                random[..8].fill(0);
                redraw(letter, iv, random);
            });
        }),
    },
    Fault {
        name: "draws-letters",
        does: "Draws the sixteen digits of a hexadecimal number and takes their letters for bytes.",
        hurts: "Whoever takes the random for one: half of it is known.",
        caught_by: &["kms/request/drawn#iv", "kms/request/drawn#random"],
        install: Install::Answers(|host, _| {
            host.seal(|letter| {
                let digits = |bytes: [u8; 16]| bytes.map(|byte| b"0123456789abcdef"[usize::from(byte & 15)]);
                let (iv, random) = (digits(letter.iv), digits(letter.random()));
                redraw(letter, iv, random);
            });
        }),
    },
    Fault {
        name: "numbers-its-answers",
        does: "Takes the next number where it should draw one, from a first one that was drawn.",
        hurts: "Whoever listens: the random of the next answer is known before it is asked for.",
        caught_by: &["kms/request/drawn#iv", "kms/request/drawn#random"],
        install: Install::Answers(|host, _| {
            let mut turn = 0_u64;
            host.seal(move |letter| {
                turn += 1;
                let next = |start: u128| (start + u128::from(turn)).to_be_bytes();
                redraw(
                    letter,
                    next(0x5b1c_9e37_a04d_82f6_70c3_d915_4be8_a26f),
                    next(0xc93f_0e5a_77b1_4d28_96e4_1fab_3c05_d871),
                );
            });
        }),
    },
    Fault {
        name: "takes-half-the-iv",
        does: "Takes the upper half of the IV of its V6 answers from the request.",
        hurts: "Whoever listens: equal requests have answers that look alike, which the IV is there to prevent.",
        caught_by: &["kms/request/drawn#iv"],
        install: Install::Answers(|host, _| {
            host.seal(|letter| {
                let (mut iv, random) = (letter.iv, letter.random());
                iv[8..].copy_from_slice(&letter.request_iv[8..]);
                redraw(letter, iv, random);
            });
        }),
    },
    Fault {
        name: "refreshes-half-the-random",
        does: "Draws the first half of its random for each answer, and the other half for every second one.",
        hurts: "Whoever takes the random for one: half of it is that of the answer before.",
        caught_by: &["kms/request/drawn#random"],
        install: Install::Answers(|host, _| {
            let mut kept: Option<[u8; 8]> = None;
            host.seal(move |letter| {
                let (iv, mut random) = (letter.iv, letter.random());
                match kept.take() {
                    Some(half) => random[8..].copy_from_slice(&half),
                    None => kept = Some(std::array::from_fn(|at| random[8 + at])),
                }
                redraw(letter, iv, random);
            });
        }),
    },
];

/// Seals an answer with this IV, where it has one of its own, and this random.
fn redraw(letter: &mut Letter<'_>, iv: [u8; 16], random: [u8; 16]) {
    if letter.sealing.is_none() {
        return;
    }
    if letter.is_v6() {
        letter.iv = iv;
    }
    let salted = proof::salted_random(&random, &letter.salt());
    letter.proof(0, 16).copy_from_slice(&salted);
    letter.proof(HASH_AT, 32).copy_from_slice(&proof::sha256(&random));
    letter.prove();
}

/// What is drawn for this turn: there are no more than 2^15 of it.
fn few(turn: u64) -> [u8; 16] {
    let seed = mixed(turn) & 0x7fff;
    ((u128::from(mixed(seed)) << 64) | u128::from(mixed(!seed))).to_le_bytes()
}

/// A number that looks like chance (SplitMix64).
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}
