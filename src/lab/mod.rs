//! The embedded lab host: a KMS host to test against, and nothing else. It is
//! honest unless it was given [`Faults`], each with a name and a purpose.
//!
//! It is a fixture, never an activation service: it binds loopback addresses
//! only, answers only kmsproof's own synthetic client ids (anything else gets
//! 0xC004F042), and there is no product key in it. Its clock is given to it.

mod conduct;
mod door;
mod fault;
mod letter;
mod listener;
mod responder;
mod rules;
mod session;
mod table;
mod tamper;

pub use door::Manner;
pub use fault::{Fault, Faults, FaultsError, Place, UnknownFault};
pub use listener::{BindError, ClosedLab, HostClock, LabListener, Observer, Served};
pub use responder::{HostIdentity, LabHost};
pub use session::{Action, Session};
pub use tamper::End;
