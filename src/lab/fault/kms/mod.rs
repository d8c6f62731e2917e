//! Faults of KMS itself: of what an answer is, and of who is granted one.

mod by_version;
mod codes;
mod intervals;
mod lease;
mod policy;
mod policy_addresses;
mod policy_askers;
pub mod policy_counting;
mod policy_full;
mod policy_growth;
mod policy_identity;
mod policy_kinds;
mod policy_office;
mod products;
mod request_conversation;
mod request_malformed;
mod response_body;
mod response_envelope;
mod response_random;
mod time;
mod versions;

use super::Fault;

/// A theme, a file, a list.
pub(super) static THEMES: &[&[Fault]] = &[
    policy_counting::FAULTS,
    policy_identity::FAULTS,
    policy_kinds::FAULTS,
    policy_growth::FAULTS,
    policy_full::FAULTS,
    policy_office::FAULTS,
    policy::FAULTS,
    policy_askers::FAULTS,
    policy_addresses::FAULTS,
    time::FAULTS,
    products::FAULTS,
    versions::FAULTS,
    by_version::FAULTS,
    lease::FAULTS,
    codes::FAULTS,
    intervals::FAULTS,
    request_conversation::FAULTS,
    request_malformed::FAULTS,
    response_envelope::FAULTS,
    response_random::FAULTS,
    response_body::FAULTS,
];
