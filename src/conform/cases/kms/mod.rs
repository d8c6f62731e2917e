//! Cases about KMS itself: what is a request, and what comes of one.

mod policy;
mod policy_addresses;
mod policy_askers;
mod policy_counting;
mod policy_identity;
pub(super) mod policy_limits;
mod request;
pub(super) mod request_alike;
mod request_conversation;
mod request_envelope;
mod request_fields;
pub(super) mod tools;

use crate::conform::Case;

/// In the order in which they are run.
pub(super) static FILES: &[&[Case]] = &[
    request::CASES,
    request_conversation::CASES,
    request_envelope::CASES,
    request_fields::CASES,
    policy_identity::CASES,
    policy_counting::CASES,
    policy::CASES,
    policy_askers::CASES,
    request_alike::CASES,
    policy_addresses::CASES,
];
