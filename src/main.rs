//! The kmsproof command.

fn main() {}
