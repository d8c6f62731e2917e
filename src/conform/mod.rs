//! The conformance suite: what hosts are held to, case by case.
//!
//! A [`Case`] is a requirement with a clause for a name and a short program. The program talks to
//! the host over a [`Talk`], which does every check there is on whatever the host says, and holds
//! each thing it looks at against a set of outcomes ([`accept`]): what is answered, what becomes of
//! the connection, and how good that is. [`run()`] puts cases to a host, one after the other or those
//! that are independent side by side (`--jobs`), with ordinary exchanges between them, so that a host
//! that dies is found out at the case that killed it.
//! What an outcome costs is decided there and not in the case.
//!
//! A new case goes to the file of its clause in `cases/`; a new fault that it must find, to
//! `lab/fault/`. Nothing in here knows a socket: a [`host::Host`] is one, or the lab host in memory.

pub mod accept;
mod beside;
mod capabilities;
mod case;
pub mod cases;
pub mod host;
mod known;
mod lane;
mod listing;
mod memory;
mod profile;
pub mod proof;
pub mod requirements;
mod result;
mod run;
mod talk;

pub use case::{Capability, Case, Confidence, Level};
pub use known::{KnownFailures, ListError, is_named};
pub use listing::write_list;
pub use memory::MemoryHost;
pub use profile::{Cost, Profile};
pub use result::{CaseResult, CheckResult, Evidence, Run, Verdict, Wrong};
pub use run::{Options, run};
pub use talk::{Judged, Said, Service, Stop, Talk, UNKNOWN_ID};
