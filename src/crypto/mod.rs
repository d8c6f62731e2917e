//! The three envelopes' ciphers, MACs and proofs (protocol description, section 4).
//!
//! What a V4, V5 or V6 message is wrapped in, and nothing about what it says:
//! bodies come in and go out as bytes. [`envelope`] seals and opens whole
//! messages; [`mac`] and [`proof`] are the values a verifier recomputes, [`lanes`] those of
//! eight messages at once; [`Cipher`] is the one engine under all of them. The keys are fixed and
//! public: they keep nothing secret, they only make a message recognisable.
//!
//! Nothing here judges. An opened plaintext keeps its padding and its trailer,
//! so that whoever verifies can say which of them is wrong.

mod cipher;
pub mod envelope;
pub mod lanes;
pub mod mac;
pub mod proof;
mod schedule;

pub use cipher::{Cipher, LANES, has_aes_instructions};
pub use envelope::{PartialBlock, SealV5, SealV6, Sealing};
