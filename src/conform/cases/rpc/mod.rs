//! Cases about DCE/RPC, whatever the interface: a file a clause, or a part of one.

mod alter;
mod alter_life;
mod association;
mod association_life;
mod auth;
mod auth_later;
mod bind;
mod bind_contexts;
mod bind_forms;
mod bind_lists;
mod bind_near;
pub(super) mod calls;
mod features;
mod fragment;
mod fragment_objects;
mod fragment_odd;
mod fragment_sizes;
mod header;
mod header_later;
mod request;
mod request_alike;
mod request_calls;
mod request_contexts;
mod request_row;
pub(super) mod tools;
mod transport;
mod transport_pauses;
mod transport_segments;

use crate::conform::Case;

/// In the order in which they are run.
pub(super) static FILES: &[&[Case]] = &[
    transport::CASES,
    transport_pauses::CASES,
    transport_segments::CASES,
    header::CASES,
    header_later::CASES,
    bind::CASES,
    bind_forms::CASES,
    bind_lists::CASES,
    bind_contexts::CASES,
    bind_near::CASES,
    features::CASES,
    association::CASES,
    association_life::CASES,
    alter::CASES,
    alter_life::CASES,
    request::CASES,
    request_calls::CASES,
    request_row::CASES,
    request_contexts::CASES,
    request_alike::CASES,
    fragment::CASES,
    fragment_sizes::CASES,
    fragment_objects::CASES,
    fragment_odd::CASES,
    auth::CASES,
    auth_later::CASES,
];
