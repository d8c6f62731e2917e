//! Cases about the stubs of KMS.

mod ndr32;
mod ndr64;
pub(super) mod tools;

use crate::conform::Case;

/// In the order in which they are run.
pub(super) static FILES: &[&[Case]] = &[ndr32::CASES, ndr64::CASES];
