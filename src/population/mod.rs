//! Many machines.

pub mod import;
