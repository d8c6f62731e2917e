//! Cases about DCE/RPC, whatever the interface: a file a clause, or a part of one.

mod alter;
mod association;
mod auth;
mod bind;
mod bind_contexts;
mod bind_forms;
mod bind_near;
pub(super) mod calls;
mod features;
mod fragment;
mod fragment_objects;
mod fragment_sizes;
mod header;
mod request;
mod request_alike;
mod request_calls;
mod request_contexts;
pub(super) mod tools;
mod transport;
mod transport_segments;

use crate::conform::Case;

/// In the order in which they are run.
pub(super) static FILES: &[&[Case]] = &[
    transport::CASES,
    transport_segments::CASES,
    header::CASES,
    bind::CASES,
    bind_forms::CASES,
    bind_contexts::CASES,
    bind_near::CASES,
    features::CASES,
    association::CASES,
    alter::CASES,
    request::CASES,
    request_calls::CASES,
    request_contexts::CASES,
    request_alike::CASES,
    fragment::CASES,
    fragment_sizes::CASES,
    fragment_objects::CASES,
    auth::CASES,
];
