//! What several test files share. Each uses its own part of it.

#![allow(dead_code)]

pub mod drive;
pub mod fuzz_bodies;
pub mod invariants;
pub mod vectors;
