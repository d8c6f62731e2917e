//! The kmsproof command.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A panic is a bug of ours, and must not be taken for any other exit code.
    std::panic::catch_unwind(kmsproof::cli::main).unwrap_or(ExitCode::from(kmsproof::exit::Exit::Bug))
}
