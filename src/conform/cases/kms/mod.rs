//! Cases about KMS itself: what is a request, and what comes of one.

mod policy;
mod policy_addresses;
mod policy_askers;
mod policy_counting;
mod policy_eviction;
mod policy_full;
mod policy_growth;
mod policy_identity;
mod policy_kinds;
mod policy_limits;
mod policy_newcomers;
mod policy_office;
mod policy_ways;
mod request;
pub(super) mod request_alike;
mod request_conversation;
mod request_envelope;
mod request_fields;
mod request_random;
pub(super) mod tools;

use crate::conform::Case;

/// In the order in which they are run.
pub(super) static FILES: &[&[Case]] = &[
    request::CASES,
    request_conversation::CASES,
    request_envelope::CASES,
    request_fields::CASES,
    request_random::CASES,
    policy_identity::CASES,
    policy_counting::CASES,
    policy_office::CASES,
    policy_kinds::CASES,
    policy::CASES,
    policy_askers::CASES,
    request_alike::CASES,
    policy_addresses::CASES,
];

/// Those that leave something behind, in the order in which they are run: each asks for more than the one before.
pub(super) static LAST: &[&[Case]] = &[
    policy_growth::CASES,
    policy_eviction::CASES,
    policy_full::CASES,
    policy_newcomers::CASES,
    policy_ways::CASES,
    policy_limits::CASES,
];
