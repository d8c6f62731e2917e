//! The cases, one file a group of clauses. A new case goes to the list of its file; a new file, to
//! the list below.

mod addresses;
mod kms_alike;
mod kms_askers;
mod kms_conversation;
mod kms_counting;
mod kms_envelope;
mod kms_fields;
mod kms_identity;
mod kms_limits;
mod kms_policy;
mod kms_request;
mod kms_tools;
mod load;
mod ndr;
mod ndr64;
mod ndr_tools;
mod rpc_alike;
mod rpc_alter;
mod rpc_association;
mod rpc_auth;
mod rpc_bind;
mod rpc_bind_features;
mod rpc_calls;
mod rpc_contexts;
mod rpc_fragment;
mod rpc_fragment_sizes;
mod rpc_groups;
mod rpc_header;
mod rpc_near;
mod rpc_objects;
mod rpc_request;
mod rpc_segments;
mod rpc_tools;
mod rpc_transport;
mod ways;

use super::Case;
use super::accept::{Then, Want, ok};
use super::case::Level;

/// Every case, in the order in which they are run.
pub fn all() -> impl Iterator<Item = &'static Case> {
    std::iter::once(&CONTROL).chain(FILES.iter().copied().flatten())
}

/// What everything else rests on.
pub static CONTROL: Case = Case::new(
    "rpc/transport/control",
    Level::Must,
    "an ordinary exchange",
    "A host accepts a bind with NDR32 and answers a request on it.",
    "MS-RPCE 3.3.1.5.6; seen on every host",
    |t| {
        t.bind()?;
        t.request(0);
        t.expect("the answer", &[ok(Want::Served, Then::Either)]);
        Ok(())
    },
);

static FILES: &[&[Case]] = &[
    rpc_transport::CASES,
    rpc_segments::CASES,
    rpc_header::CASES,
    rpc_bind::CASES,
    rpc_near::CASES,
    rpc_contexts::CASES,
    rpc_bind_features::CASES,
    rpc_association::CASES,
    rpc_groups::CASES,
    rpc_alter::CASES,
    rpc_request::CASES,
    rpc_calls::CASES,
    rpc_fragment::CASES,
    rpc_fragment_sizes::CASES,
    rpc_objects::CASES,
    rpc_alike::CASES,
    rpc_auth::CASES,
    ndr::CASES,
    ndr64::CASES,
    kms_request::CASES,
    kms_conversation::CASES,
    kms_envelope::CASES,
    kms_fields::CASES,
    kms_identity::CASES,
    kms_counting::CASES,
    kms_policy::CASES,
    kms_askers::CASES,
    kms_alike::CASES,
    addresses::CASES,
    load::CASES,
    // What these leave behind is nobody else's business.
    kms_limits::CASES,
];
