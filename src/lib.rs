//! kmsproof: a load tester and conformance harness for KMS hosts.

pub mod capture;
pub mod catalog;
pub mod client;
pub mod crypto;
pub mod explain;
pub mod proto;
pub mod scenario;
pub mod wire;
