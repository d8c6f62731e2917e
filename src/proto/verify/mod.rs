//! Every check of what a host sends: its id, its level, the requirement in one
//! sentence, and the evidence when it fails.

mod catalogue;
mod checks;
mod history;
mod kms;
mod ndr;
mod repeats;
mod rpc;

pub use catalogue::{Check, CheckId, Level};
pub use checks::{CheckSet, Checks, Finding, Place};
pub use history::History;
pub use repeats::Repeats;
pub use rpc::{check_frag_length, record_failure};

pub(super) use kms::{check_response, open_unjudged};
pub(super) use ndr::check_stub;
pub(super) use rpc::{
    AckExpectation, check_ack, check_alter_response, check_fault, check_header, check_response_pdu, check_stray,
    check_unasked,
};
