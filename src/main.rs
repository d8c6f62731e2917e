//! The kmsproof command.

fn main() -> std::process::ExitCode {
    kmsproof::cli::main()
}
