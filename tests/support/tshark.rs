//! tshark, where it is installed.

use std::io::Write;
use std::process::Command;

/// Whether tshark is here. If it is not, says so where a passing test is heard too: what
/// `println!` and `eprintln!` print of one is thrown away, what is written to standard error is not.
pub fn is_here(test: &str) -> bool {
    let found = Command::new("tshark").arg("--version").output().is_ok();
    if !found {
        let _ = writeln!(std::io::stderr(), "SKIPPED {test}: tshark is not installed");
    }
    found
}
