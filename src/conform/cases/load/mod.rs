//! What has to hold while many clients come at once, some of them slow, some of them wrong: conformance under load.
//!
//! Where many ask at once everything is sent before anything is read, so that a host has all of it before it at the
//! same time. How much of it a host can do is not asked here: `kmsproof capacity` measures that.

mod answers;
mod endurance;
mod tools;

use crate::conform::Case;

/// In the order in which they are run.
pub(super) static FILES: &[&[Case]] = &[answers::CASES, endurance::CASES];
