//! What a file says, in types: the readers make it, and a seed makes a plan of it.

use std::sync::Arc;
use std::time::Duration;

use super::expectation::Expectation;
use super::schedule::Arrive;
use super::threshold::Threshold;
use crate::population::Group;
use crate::proto::Offer;
use crate::wire::kms::ProtocolVersion;
use crate::wire::{FileTime, Guid};

/// A scenario file without problems.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub(super) name: String,
    pub(super) file: String,
    pub(super) question: String,
    pub(super) takes: Option<String>,
    pub(super) leaves: Option<String>,
    pub(super) host: HostNeeds,
    pub(super) time: TimeMode,
    pub(super) thresholds: Vec<Threshold>,
    pub(super) measures_speed: bool,
    pub(super) groups: Vec<Arc<Group>>,
    pub(super) steps: Vec<StepSpec>,
}

/// A step, as the file says it.
#[derive(Debug, Clone)]
pub(super) struct StepSpec {
    pub title: String,
    pub line: usize,
    pub host: HostState,
    pub wait: Duration,
    pub connection: ConnectionUse,
    pub arrive: Arrive,
    pub think: Duration,
    /// Empty in a step that only waits.
    pub selections: Vec<Selection>,
    /// Empty means each client's own.
    pub versions: Vec<ProtocolVersion>,
    pub offers: Vec<Offer>,
    pub repeat: Repeat,
    pub order: Order,
    pub expect: Vec<Expectation>,
    pub oracle: bool,
}

/// Machines of one group, numbered from 1, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Selection {
    /// Index into the groups of the file.
    pub group: usize,
    /// The first machine.
    pub first: u32,
    /// The last machine.
    pub last: u32,
}

/// How often the whole list of arrivals of a step is gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Repeat {
    /// So many times, at least once.
    pub times: u32,
    /// With so much time between one and the next.
    pub pause: Duration,
    /// Instead of so many times: again and again, for so long. Nobody starts after that.
    pub lasts: Option<Duration>,
    /// Instead of so many times: again and again, until so many have arrived. No file says this.
    pub most: Option<u64>,
}

/// In which order the clients of a step arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Order {
    /// As the step lists them.
    #[default]
    Listed,
    /// Mixed, by the seed; differently each time they are repeated.
    Shuffled,
}

/// What a scenario needs the host to be, before it begins.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct HostNeeds {
    /// Whether it may have counted others.
    pub table: TableNeeds,
    /// The counted ids it must serve, and no others; `None`: every volume product of the catalogue.
    pub serves: Option<Vec<Guid>>,
}

/// What a scenario needs of the host's client table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TableNeeds {
    /// Any: who was counted before is learned from the first answers.
    #[default]
    Any,
    /// The host has counted nobody.
    Empty,
}

/// Which time a scenario goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TimeMode {
    /// The time on the wall.
    #[default]
    Wall,
    /// A time of its own, which begins then and goes as fast as the answers come. Only the
    /// embedded lab host can live in it.
    Virtual {
        /// When it begins.
        begins: FileTime,
    },
}

/// What a step needs of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum HostState {
    /// The host as the steps before left it.
    #[default]
    Kept,
    /// A host that has counted nobody yet. Only the embedded lab host can be that.
    Fresh,
    /// A host that is out of service for this step. Only the embedded lab host can be that.
    Down,
}

/// How a step uses connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ConnectionUse {
    /// A connection for each call, as Windows clients do.
    #[default]
    Each,
    /// One connection carries all calls of the step; of each worker, when they are concurrent.
    Kept,
    /// A connection carries so many calls, and then is closed.
    Calls(u32),
}

impl ConnectionUse {
    /// Whether a connection that has carried so many calls may carry another.
    pub fn carries_on_after(self, calls: u32) -> bool {
        match self {
            ConnectionUse::Each => false,
            ConnectionUse::Kept => true,
            ConnectionUse::Calls(most) => calls < most,
        }
    }
}

impl Scenario {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Default for Repeat {
    fn default() -> Repeat {
        Repeat { times: 1, pause: Duration::ZERO, lasts: None, most: None }
    }
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
/// The most arrivals of a step that goes on for a time: so many ordinals are kept for one of which nobody knows
/// how many there will be. At a million a second it is reached in twelve days.
pub const TIMED_ARRIVALS_MAX: u64 = 1 << 40;
/// The longest file, in bytes.
pub const FILE_BYTES_MAX: usize = 4 << 20;
/// The longest population table, in bytes.
pub const POPULATION_BYTES_MAX: usize = 1 << 30;
/// The longest name of a scenario or a group.
pub(super) const NAME_CHARS_MAX: usize = 40;
