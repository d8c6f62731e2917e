//! What is said of checks, in Chinese: see `../../checks`.

mod kms;
mod rpc;

use super::Said;

pub(super) fn all() -> impl Iterator<Item = &'static Said<&'static str>> {
    [rpc::SAID, kms::SAID].into_iter().flatten()
}
