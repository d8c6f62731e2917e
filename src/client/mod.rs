//! Simulated clients, without sockets.

pub mod identity;
mod machine;

pub use machine::Machine;
