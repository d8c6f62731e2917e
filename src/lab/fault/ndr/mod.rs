//! Faults of the stubs of KMS.

pub mod ndr32;
mod ndr64;

use super::Fault;

/// A theme, a file, a list.
pub(super) static THEMES: &[&[Fault]] = &[ndr32::FAULTS, ndr64::FAULTS];
