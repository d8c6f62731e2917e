//! What several test files share. Each uses its own part of it.

#![allow(dead_code)]

pub mod captures;
#[cfg(test)]
pub mod cases;
pub mod command;
pub mod dishonest;
pub mod drive;
pub mod fuzz_bodies;
pub mod invariants;
pub mod tshark;
pub mod vectors;
