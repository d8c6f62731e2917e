//! The embedded lab host: an honest KMS host to test against, and nothing else.
//!
//! It is a fixture, never an activation service: it binds loopback addresses
//! only, answers only kmsproof's own synthetic client ids (anything else gets
//! 0xC004F042), and there is no product key in it. Its clock is given to it.

mod listener;
mod responder;
mod rules;
mod table;

pub use listener::{BindError, HostClock, LabListener, Observer, Served};
pub use responder::{HostIdentity, LabHost};
