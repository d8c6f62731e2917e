//! The express lane: what a great many ordinary calls have in common is done once, and eight at a time.
//!
//! Requests are made of a pattern, sealed side by side ([`seal`]); answers are verified side by
//! side ([`Verifier`]); a connection's opening is compared with one that was found right ([`Script`]).
//! Nothing is allocated. Nobody here says what is wrong: whatever is not plainly right goes the way
//! of [`super::Association`] and [`super::Ask`], which do. What the express lane passes, they
//! pass, with the very same checks: `tests/express.rs` holds the two against each other.

mod answer;
mod request;
mod script;

pub use answer::{Known, Plain, Verifier, checks_done};
pub use request::{Asked, Draft, REQUEST_PDU_MAX, Sealed, seal};
pub use script::Script;

/// Requests and answers that are worked on side by side.
pub use crate::crypto::LANES as AT_A_TIME;
