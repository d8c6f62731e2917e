//! The cases, one file a group of clauses. A new case goes to the list of its file; a new file, to
//! the list below.

pub(super) mod kms;
mod ndr;
mod rpc_alter;
mod rpc_auth;
mod rpc_bind;
mod rpc_calls;
mod rpc_fragment;
mod rpc_request;

use super::Case;
use super::accept::{Then, Want, ok};
use super::case::Level;

/// Every case, in the order in which they are run.
pub fn all() -> impl Iterator<Item = &'static Case> {
    std::iter::once(&CONTROL).chain(FILES.iter().copied().flatten())
}

/// The case of this id.
pub fn of_id(id: &str) -> Option<&'static Case> {
    all().find(|case| case.id == id)
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
    rpc_bind::CASES,
    rpc_alter::CASES,
    rpc_request::CASES,
    rpc_calls::CASES,
    rpc_fragment::CASES,
    rpc_auth::CASES,
    ndr::CASES,
    kms::CASES,
];
