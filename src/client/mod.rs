//! Simulated clients, without sockets.

pub mod identity;
mod machine;
mod randomness;

pub use machine::Machine;
pub use randomness::Randomness;
