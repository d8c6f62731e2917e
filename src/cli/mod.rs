//! The command line: one file a subcommand.

mod failure;

pub use failure::Failure;
