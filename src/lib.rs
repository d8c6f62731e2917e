//! kmsproof: a load tester and conformance harness for KMS hosts.

pub mod capture;
pub mod catalog;
pub mod cli;
pub mod client;
pub mod crypto;
pub mod engine;
pub mod events;
pub mod exit;
pub mod explain;
pub mod lab;
pub mod measure;
pub mod proto;
pub mod report;
pub mod safety;
pub mod scenario;
pub mod wire;
