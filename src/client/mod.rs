//! Simulated clients, without sockets.

pub mod clock;
pub mod identity;
mod machine;
mod randomness;

pub use clock::ClientClock;
pub use machine::Machine;
pub use randomness::Randomness;
