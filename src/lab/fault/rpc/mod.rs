//! Faults of DCE/RPC: a file a clause, or a part of one; most have the name of the cases that find them.

mod alter;
mod alter_life;
mod association;
mod association_life;
mod auth;
mod auth_later;
mod bind;
mod bind_contexts;
mod bind_lists;
mod features;
mod fragment;
mod fragment_odd;
mod header;
mod header_later;
mod request;
mod request_calls;
mod request_row;
mod segments;
mod tools;
mod transport;

use super::Fault;

/// A theme, a file, a list.
pub(super) static THEMES: &[&[Fault]] = &[
    transport::FAULTS,
    segments::FAULTS,
    header::FAULTS,
    header_later::FAULTS,
    bind::FAULTS,
    bind_lists::FAULTS,
    bind_contexts::FAULTS,
    features::FAULTS,
    association::FAULTS,
    association_life::FAULTS,
    alter::FAULTS,
    alter_life::FAULTS,
    request::FAULTS,
    request_calls::FAULTS,
    request_row::FAULTS,
    fragment::FAULTS,
    fragment_odd::FAULTS,
    auth::FAULTS,
    auth_later::FAULTS,
];
