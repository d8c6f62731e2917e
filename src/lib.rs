//! kmsproof: a load tester and conformance harness for KMS hosts.
//!
//! # A tour of the layers
//!
//! A run is one straight walk:
//!
//! 1. [`scenario`] reads a file into a [`scenario::Plan`]: which machines ask what, when, and
//!    what must come of it. Everything random is decided there, from one seed.
//! 2. [`safety`] says whether that plan may be carried out against that host.
//! 3. [`engine`] carries it out: sockets, threads and clocks are there and nowhere else.
//! 4. [`proto`] is what it carries out with: machines of the protocol that know neither sockets
//!    nor clocks, and [`proto::verify`], every check of what a host sends. Under it are [`wire`]
//!    (bytes and values) and [`crypto`] (ciphers and MACs).
//! 5. Everything that happens comes out as [`events`]. [`checks`] judges what needs more than one
//!    answer or more than the answer, [`measure`] counts, and [`report`] writes what it all comes to.
//!
//! Beside the walk stand [`client`] (simulated machines and their recognisably synthetic ids),
//! [`population`] (many of them), [`oracle`] (what an honest host must answer),
//! [`conform`] (what hosts are held to, case by case), [`capacity`] (the search for a host's limit),
//! `yardstick` (what the load engine is measured by), [`catalog`] and [`explain`] (what is known of products and codes), [`lab`] (the embedded host,
//! the same core from the other side), [`capture`] (recordings in and out), [`cli`] (one file a
//! subcommand), [`exit`] (what the exit code means) and, under all of them, [`text`] (text from
//! outside made harmless, words for people).

pub mod capacity;
pub mod capture;
pub mod catalog;
pub mod checks;
pub mod cli;
pub mod client;
pub mod conform;
pub mod crypto;
pub mod engine;
pub mod events;
pub mod exit;
pub mod explain;
pub mod lab;
pub mod measure;
pub mod oracle;
pub mod population;
pub mod proto;
pub mod report;
pub mod safety;
pub mod scenario;
pub mod text;
pub mod wire;
#[cfg(target_os = "linux")]
pub mod yardstick;

#[cfg(test)]
#[path = "../tests/support/cases.rs"]
mod cases;
