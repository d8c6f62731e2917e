//! The command line: one file a subcommand.

pub mod catalog;
pub mod decode;
pub mod explain;
mod failure;
mod text;
pub mod whose;

pub use failure::Failure;
