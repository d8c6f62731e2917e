//! What the exit code of the command means: a public, documented type.

/// The exit codes of `kmsproof` (`probe --check` alone uses a monitoring plugin's 0 to 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Everything held.
    Held = 0,
    /// A bug of kmsproof's own.
    Bug = 1,
    /// The command line asks for something that cannot be, or that is not allowed.
    Usage = 2,
    /// Nothing ran, or nothing was checked.
    NothingChecked = 4,
    /// It could not be set up: name, socket, limits, a host nothing reaches.
    Setup = 96,
    /// A threshold failed.
    Threshold = 99,
    /// A check, an expectation or a conformance case failed (with or without a threshold).
    Check = 100,
    /// It got worse than its baseline. Kept for that; no command compares with one yet.
    Regression = 101,
    /// The run is invalid: kmsproof itself was the bottleneck, so nothing is said of the host's speed.
    Invalid = 102,
    /// A scenario or another input file is wrong.
    Input = 104,
    /// Interrupted; reports were written.
    Interrupted = 105,
    /// Output could not be written.
    Output = 110,
}

impl Exit {
    /// Every exit code.
    pub const ALL: [Exit; 12] = [
        Exit::Held,
        Exit::Bug,
        Exit::Usage,
        Exit::NothingChecked,
        Exit::Setup,
        Exit::Threshold,
        Exit::Check,
        Exit::Regression,
        Exit::Invalid,
        Exit::Input,
        Exit::Interrupted,
        Exit::Output,
    ];

    /// The number.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// What it means, in a few words.
    pub const fn meaning(self) -> &'static str {
        match self {
            Exit::Held => "everything held",
            Exit::Bug => "a bug of kmsproof's own",
            Exit::Usage => "wrong command line",
            Exit::NothingChecked => "nothing ran or nothing was checked",
            Exit::Setup => "could not set up (name, socket, limits, unreachable host)",
            Exit::Threshold => "a threshold failed",
            Exit::Check => "a check or an expectation failed",
            Exit::Regression => "regression against a baseline",
            Exit::Invalid => "invalid run: kmsproof itself was the bottleneck",
            Exit::Input => "a scenario or input file is invalid",
            Exit::Interrupted => "interrupted, reports written",
            Exit::Output => "could not write output",
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> std::process::ExitCode {
        std::process::ExitCode::from(exit.code())
    }
}
