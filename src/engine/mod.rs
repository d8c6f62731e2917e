//! The only rooms with sockets, threads and a clock that goes by itself.
//!
//! The engine carries bytes between the machines of [`crate::proto`] and a
//! host, stamps times, and tells everything that happened as [`Event`]s.

mod attempt;
mod clock;
mod connection;
mod embedded;
mod run;
#[cfg(feature = "dns")]
mod srv;
mod target;

pub use attempt::Attempt;
pub use clock::{Clock, wall_now};
pub use connection::{Connection, Failed, Settings};
pub use embedded::EmbeddedLab;
pub use run::{HostUnderTest, RunError, Stop, run_plan};
pub use target::{Resolved, Target, TargetError, TargetParseError};

pub use crate::events::Event;
