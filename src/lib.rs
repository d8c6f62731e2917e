//! kmsproof: a load tester and conformance harness for KMS hosts.

pub mod capture;
pub mod catalog;
pub mod cli;
pub mod client;
pub mod crypto;
pub mod exit;
pub mod explain;
pub mod lab;
pub mod proto;
pub mod scenario;
pub mod wire;
