//! kmsproof: a load tester and conformance harness for KMS hosts.

pub mod crypto;
pub mod wire;
