//! A command that could not do what it was asked.

use std::fmt;

use crate::exit::Exit;

/// One clear message, and the exit code it ends with.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What went wrong and what would be right.
    pub message: String,
    /// Whether the message is whole as it is, its own "error:" included.
    pub rendered: bool,
}

impl Failure {
    /// A failure with this exit code.
    pub fn new(exit: Exit, message: impl fmt::Display) -> Failure {
        Failure { exit, message: message.to_string(), rendered: false }
    }

    /// The command line asks for something that cannot be, or is not allowed.
    pub fn usage(message: impl fmt::Display) -> Failure {
        Failure::new(Exit::Usage, message)
    }

    /// It could not be set up.
    pub fn setup(message: impl fmt::Display) -> Failure {
        Failure::new(Exit::Setup, message)
    }

    /// An input file is wrong, in a message that begins with its own "error:".
    pub fn rendered(message: String) -> Failure {
        Failure { rendered: true, ..Failure::input(message) }
    }

    /// An input file is wrong.
    pub fn input(message: impl fmt::Display) -> Failure {
        Failure::new(Exit::Input, message)
    }

    /// Output could not be written.
    pub fn output(message: impl fmt::Display) -> Failure {
        Failure::new(Exit::Output, message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        // A file of ours has said its name already; what has not is standard output.
        match error.get_ref() {
            Some(_) => Failure::output(error),
            None => Failure::output(format!("cannot write standard output: {error}")),
        }
    }
}
