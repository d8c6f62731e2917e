//! What a file says, in types: the readers make it, and a seed makes a plan of it.

use super::expectation::Expectation;
use crate::catalog::Product;
use crate::proto::Offer;
use crate::wire::kms::{LicenseStatus, ProtocolVersion};

/// A scenario file without problems.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub(super) name: String,
    pub(super) file: String,
    pub(super) question: String,
    pub(super) takes: Option<String>,
    pub(super) leaves: Option<String>,
    pub(super) groups: Vec<Group>,
    pub(super) steps: Vec<StepSpec>,
}

/// A group of machines, as the file says it.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub name: String,
    pub count: u32,
    pub product: &'static Product,
    pub n_policy: u32,
    pub protocol: ProtocolVersion,
    pub is_vm: bool,
    pub license_status: Option<LicenseStatus>,
    pub minutes_left: Option<u32>,
}

/// A step, as the file says it.
#[derive(Debug, Clone)]
pub(super) struct StepSpec {
    pub title: String,
    pub line: usize,
    pub host: HostState,
    pub connection: ConnectionUse,
    pub concurrency: usize,
    pub selections: Vec<Selection>,
    /// Empty means each client's own.
    pub versions: Vec<ProtocolVersion>,
    pub offers: Vec<Offer>,
    pub repeat: u32,
    pub expect: Vec<Expectation>,
}

/// Machines of one group, numbered from 1, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Selection {
    /// Index into the groups of the file.
    pub group: usize,
    pub first: u32,
    pub last: u32,
}

impl Selection {
    pub fn len(self) -> u64 {
        u64::from(self.last - self.first) + 1
    }
}

/// What a step needs of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum HostState {
    /// The host as the steps before left it.
    #[default]
    Kept,
    /// A host that has counted nobody yet. Only the embedded lab host can be that.
    Fresh,
}

/// How a step uses connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ConnectionUse {
    /// A connection for each call, as Windows clients do.
    #[default]
    Each,
    /// One connection carries all calls of the step; of each worker, when they are concurrent.
    Kept,
}

/// Names stand in ids, file names and host names.
pub(super) fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=NAME_CHARS_MAX).contains(&text.len()) && text.bytes().all(plain)
}

/// The most clients of a file, all groups together.
pub const CLIENTS_MAX: usize = 1_000_000;
/// The most steps of a file.
pub const STEPS_MAX: usize = 10_000;
/// The most arrivals of a file, all steps together.
pub const ARRIVALS_MAX: usize = 10_000_000;
/// The longest file, in bytes.
pub const FILE_BYTES_MAX: usize = 4 << 20;
/// The longest name of a scenario or a group.
pub(super) const NAME_CHARS_MAX: usize = 40;
