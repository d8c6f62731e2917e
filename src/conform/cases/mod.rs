//! The cases, one file a group of clauses. A new case goes to the list of its file; a new file, to
//! the list below.

mod alike;
mod kms;
mod load;
mod ndr;
mod rpc;

use super::Case;
use super::accept::{Then, Want, ok};
use super::case::Level;

/// Every case, in the order in which they are run.
pub fn all() -> impl Iterator<Item = &'static Case> {
    std::iter::once(&CONTROL).chain(FILES.iter().copied().flatten().copied().flatten())
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

static FILES: &[&[&[Case]]] = &[
    rpc::FILES,
    ndr::FILES,
    kms::FILES,
    load::FILES,
    // What these leave behind is nobody else's business.
    kms::LAST,
];
