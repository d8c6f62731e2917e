//! Faults of DCE/RPC: a file a clause, or a part of one, as the cases have it.

mod alter;
mod association;
mod auth;
mod bind;
mod bind_contexts;
mod features;
mod fragment;
pub mod header;
mod offers;
mod request;
mod request_calls;
mod segments;
mod transport;

use super::Fault;

/// A theme, a file, a list.
pub(super) static THEMES: &[&[Fault]] = &[
    transport::FAULTS,
    segments::FAULTS,
    header::FAULTS,
    bind::FAULTS,
    bind_contexts::FAULTS,
    features::FAULTS,
    association::FAULTS,
    alter::FAULTS,
    request::FAULTS,
    request_calls::FAULTS,
    fragment::FAULTS,
    auth::FAULTS,
];
