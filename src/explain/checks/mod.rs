//! What to do when a check fails. What a check demands stands in the catalogue
//! of checks; here is who can mend it, what usually is behind it, and what to do.

mod kms;
mod rpc;

use super::zh_tw;
use super::{MendedBy, Words};
use crate::text::Lang;

/// What is known of the check with this id.
pub fn advice(id: &str) -> Option<&'static Advice> {
    all().find(|advice| advice.id == id)
}

pub(super) fn all() -> impl Iterator<Item = &'static Advice> {
    [rpc::ADVICE, kms::ADVICE].into_iter().flatten()
}

/// What is known of a check beside its requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advice {
    /// The check's id.
    pub id: &'static str,
    /// Who can mend it; never empty, the likeliest first.
    pub mended_by: &'static [MendedBy],
    /// What usually is behind it, in English.
    pub cause: &'static str,
    /// What to do, in English.
    pub remedy: &'static str,
}

impl Advice {
    /// What is said of the check; `requirement` is its sentence in the catalogue.
    pub fn words(&self, requirement: &'static str, lang: Lang) -> Words {
        let english = Words { meaning: requirement, cause: self.cause, remedy: self.remedy };
        match lang {
            Lang::English => english,
            Lang::TraditionalChinese => zh_tw::check(self.id).unwrap_or(english),
        }
    }
}
