//! Simulated clients, without sockets.

pub mod clock;
pub mod identity;
mod lease;
mod machine;
mod randomness;

pub use clock::ClientClock;
pub use lease::{Intervals, Lease, LeaseRules};
pub use machine::{Machine, Wanted};
pub use randomness::{Domain, Draws, Randomness};
