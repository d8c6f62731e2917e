//! kmsproof: a load tester and conformance harness for KMS hosts.

pub mod capture;
pub mod wire;
