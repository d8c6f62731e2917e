//! The Chinese of Taiwan: for each English file here is one of the same name,
//! with the same keys in the same order.
//!
//! Its words are those of Microsoft's Taiwanese Windows. A space stands between
//! Chinese and Latin characters; punctuation is full width, brackets around
//! Latin text are not. The tests below hold every text against its English.

mod checks;
mod client;
mod host;
mod local;
mod microsoft;
mod network;
mod oracle;
mod rpc;
mod sources;

pub(super) use sources::source;

use super::Words;
use crate::wire::Hresult;

/// What is said of the thing with the key `of`.
struct Said<K> {
    of: K,
    meaning: &'static str,
    cause: &'static str,
    remedy: &'static str,
}

/// What is said of a code.
pub(super) fn code(code: Hresult) -> Option<Words> {
    codes().find(|said| said.of == code).map(Said::words)
}

/// What is said of a check, its requirement first.
pub(super) fn check(id: &str) -> Option<Words> {
    checks::all().find(|said| said.of == id).map(Said::words)
}

/// What is said of a finding of the oracle.
pub(super) fn finding(id: &str) -> Option<Words> {
    oracle::SAID.iter().find(|said| said.of == id).map(Said::words)
}

fn codes() -> impl Iterator<Item = &'static Said<Hresult>> {
    [host::SAID, client::SAID, network::SAID, local::SAID, microsoft::SAID, rpc::SAID].into_iter().flatten()
}

impl<K> Said<K> {
    fn words(&self) -> Words {
        Words { meaning: self.meaning, cause: self.cause, remedy: self.remedy }
    }
}

#[cfg(test)]
mod tests;
