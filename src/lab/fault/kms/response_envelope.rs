//! Faults of what an answer is sealed in (protocol description, section 4).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::crypto::proof::{self, SLOT_STEP};
use crate::lab::fault::{Fault, Install};
use crate::lab::letter::{HASH_AT, Letter};
use crate::lab::rules::Rule;

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "appends-to-v4",
        does: "Appends four bytes to the body of a V4 answer, and signs them too.",
        hurts: "Windows 7 and Office 2010 clients that hold the length against the ePID's: they throw the answer away.",
        caught_by: &["kms/response/length"],
        install: Install::Answers(|host, _| {
            host.encode(|request, body| {
                if request.version.major == 4 {
                    body.extend_from_slice(&[0; 4]);
                }
            });
        }),
    },
    Fault {
        name: "cuts-ciphertext",
        does: "Leaves out the last byte of the ciphertext of a V5 answer.",
        hurts: "Windows 8 and Office 2013 clients: what they get cannot be decrypted, and they show 0x8007000D.",
        caught_by: &["kms/response/envelope", "kms/request/v5#code"],
        install: Install::Answers(|host, _| host.seal(|letter| letter.cut = usize::from(letter.is_v5()))),
    },
    Fault {
        name: "derives-hmac-from-own-clock",
        does: "Takes the key of the HMAC from its own clock, not from the client's.",
        hurts: "Clients whose clock is more than a few minutes off: they cannot trust the answer, and show 0x8007000D.",
        caught_by: &["kms/policy/clock-within#code"],
        install: Install::Answers(|host, _| {
            let clock = Arc::new(AtomicU64::new(0));
            let shown = Arc::clone(&clock);
            host.rule(Rule::Clock, move |asked, honest| {
                shown.store(asked.now.0, Ordering::Relaxed);
                honest
            });
            host.seal(move |letter| letter.prove_in(proof::time_slot(clock.load(Ordering::Relaxed))));
        }),
    },
    Fault {
        name: "draws-hwid-anew",
        does: "Draws another hardware id for every answer.",
        hurts: "The admin who looks for two hosts behind one name, where there is one.",
        caught_by: &["kms/history/hwid-constant"],
        install: Install::Answers(|host, _| {
            let mut drawn = 0_u64;
            host.seal(move |letter| {
                if letter.is_v6() {
                    drawn += 1;
                    letter.proof(HWID_AT, 8).copy_from_slice(&drawn.to_be_bytes());
                    letter.prove();
                }
            });
        }),
    },
    Fault {
        name: "draws-v5-iv-anew",
        does: "Seals a V5 answer with an IV of its own, as if it were V6.",
        hurts: "Windows 8 and Office 2013 clients, which hold the IV against their own and show 0x8007000D.",
        caught_by: &["kms/v5/iv", "kms/request/v5#code"],
        install: Install::Answers(|host, _| {
            host.seal(|letter| {
                if letter.is_v5() {
                    letter.iv = letter.random();
                }
            });
        }),
    },
    Fault {
        name: "hashes-salted-random",
        does: "Hashes its random after the salt was put on it, not before.",
        hurts: "Every client since Windows 8: none can trust the answer.",
        caught_by: &["kms/sealed/random-hash"],
        install: Install::Answers(|host, _| {
            host.seal(|letter| {
                if letter.sealing.is_some() {
                    let mut salted = [0; 16];
                    salted.copy_from_slice(letter.proof(0, 16));
                    letter.proof(HASH_AT, 32).copy_from_slice(&proof::sha256(&salted));
                    letter.prove();
                }
            });
        }),
    },
    Fault {
        name: "keeps-one-salt",
        does: "Puts the same salt on every random, whatever the client's IV was.",
        hurts: "Every client since Windows 8: the answer does not prove that its request was read.",
        caught_by: &["kms/sealed/random-hash"],
        install: Install::Answers(|host, _| {
            host.seal(|letter| {
                if letter.sealing.is_some() {
                    let random = letter.random();
                    let salted = proof::salted_random(&random, &[0x5a; 16]);
                    letter.proof(0, 16).copy_from_slice(&salted);
                    letter.prove();
                }
            });
        }),
    },
    Fault {
        name: "keeps-v6-iv",
        does: "Seals a V6 answer with the IV of its request, as if it were V5.",
        hurts: "Windows 8.1 and everything later, which take that for a fault.",
        caught_by: &["kms/v6/iv"],
        install: Install::Answers(|host, _| {
            host.seal(|letter| {
                if letter.is_v6() {
                    letter.iv = letter.request_iv;
                    letter.prove();
                }
            });
        }),
    },
    Fault {
        name: "names-another-envelope",
        does: "Names version 5.1 outside the encryption of a V5 answer.",
        hurts: "Windows 8 and Office 2013 clients: they do not know such an envelope.",
        caught_by: &["kms/response/envelope", "kms/request/v5#code"],
        install: Install::Answers(|host, _| {
            host.seal(|letter| letter.version[0] = u8::from(letter.is_v5()));
        }),
    },
    Fault {
        name: "pads-with-zeros",
        does: "Pads what it encrypts with zeros, not as PKCS#7 has it.",
        hurts: "Every client since Windows 8 that takes the padding off as it should: nothing is left of the answer.",
        caught_by: &["kms/sealed/padding"],
        install: Install::Answers(|host, _| {
            host.seal(|letter| letter.padding = Some(vec![0; 16 - letter.plaintext.len() % 16]));
        }),
    },
    Fault {
        name: "proves-far-slot",
        does: "Proves its V6 answers for a time two steps from the client's, where one is tolerated.",
        hurts: "Windows 8.1 and everything later: none can trust the answer.",
        caught_by: &["kms/v6/hmac"],
        install: Install::Answers(|host, _| {
            host.seal(|letter| {
                let slot = proof::time_slot(letter.request.client_time.0);
                letter.prove_in(slot.wrapping_add(2 * SLOT_STEP));
            });
        }),
    },
    Fault {
        name: "repeats-random",
        does: "Proves every answer with the same random.",
        hurts: "Whoever takes the random for one: an answer once heard can be told from no other.",
        caught_by: &["kms/history/random-fresh", "kms/request/replay#random"],
        install: Install::Answers(|host, _| {
            host.seal(|letter| {
                if letter.sealing.is_some() {
                    let random = [0x42; 16];
                    let salted = proof::salted_random(&random, &letter.salt());
                    letter.proof(0, 16).copy_from_slice(&salted);
                    letter.proof(HASH_AT, 32).copy_from_slice(&proof::sha256(&random));
                    letter.prove();
                }
            });
        }),
    },
    Fault {
        name: "repeats-replies",
        does: "Keeps its answers, and gives the same again to a request it has heard before.",
        hurts: "Nobody at once; whoever records one exchange can stand in for the host.",
        caught_by: &["kms/request/replay#random", "kms/request/replay#iv"],
        install: Install::Answers(|host, _| {
            let mut kept = HashMap::<[u8; 16], ([u8; 16], Vec<u8>)>::new();
            host.seal(move |letter: &mut Letter<'_>| {
                if letter.sealing.is_some() && kept.len() < KEPT_MAX {
                    let fresh = (letter.iv, letter.plaintext.clone());
                    (letter.iv, letter.plaintext) = kept.entry(letter.request_iv).or_insert(fresh).clone();
                }
            });
        }),
    },
    Fault {
        name: "repeats-v6-iv",
        does: "Seals every V6 answer with the same IV.",
        hurts: "Whoever listens: equal answers look equal, which the IV is there to prevent.",
        caught_by: &["kms/history/v6-iv-fresh", "kms/request/replay#iv"],
        install: Install::Answers(|host, _| {
            host.seal(|letter| {
                if letter.is_v6() {
                    letter.iv = [0x17; 16];
                    letter.prove();
                }
            });
        }),
    },
    Fault {
        name: "signs-with-another-key",
        does: "Puts a MAC under a V4 answer that is not the body's.",
        hurts: "Windows Vista to 7 and Office 2010: none can trust the answer.",
        caught_by: &["kms/v4/mac", "kms/request/v4#code"],
        install: Install::Answers(|host, _| host.seal(|letter| letter.mac = Some([0x4d; 16]))),
    },
    Fault {
        name: "xors-both-ivs",
        does: "Writes into a V6 answer what the field is called after, the two IVs exclusive-or'ed, not what it holds.",
        hurts: "Windows 8.1 and everything later: none can trust the answer.",
        caught_by: &["kms/v6/xored-ivs"],
        install: Install::Answers(|host, _| {
            host.seal(|letter| {
                if letter.is_v6() {
                    let xored = proof::salted_random(&letter.iv, &letter.request_iv);
                    letter.proof(XORED_IVS_AT, 16).copy_from_slice(&xored);
                    letter.prove();
                }
            });
        }),
    },
];

/// Where the hardware id stands.
const HWID_AT: usize = 48;
/// Where the exclusive-or'ed IVs stand.
const XORED_IVS_AT: usize = 56;
/// More answers than this are not kept.
const KEPT_MAX: usize = 100_000;
