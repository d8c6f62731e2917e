//! Scenario files: what a run asks and expects, said in TOML, and the plan that comes of it.
//!
//! ```toml
//! name = "count-threshold"
//! question = "Does the host count machines as it should, and do clients wait for it?"
//! takes = "about a second"               # optional, for people
//! leaves = "nothing: the host is ours"   # optional, for people
//!
//! [clients.campus-pc]                    # a group of machines alike
//! count = 25
//! product = "Windows 11 Enterprise"      # a name `kmsproof catalog` knows
//! # optional: n-policy, protocol, vm, status, minutes-left
//!
//! [[step]]
//! title = "the first 24 are refused by count"
//! host = "fresh"                         # or "kept", the default
//! clients = ["campus-pc[1..24]"]         # "group", "group[3]", "group[1..24]"
//! arrive = { one-by-one = true }         # the default; or { concurrency = 8 }
//! connection = "each"                    # the default; or "kept"
//! expect = { wire = "0x00000000", verdict = "0xC004F038", count = { from = 1, to = 24 } }
//!
//! [[step]]
//! title = "the 25th is activated, however it asks"
//! clients = ["campus-pc[25]"]
//! protocol = ["4.0", "5.0", "6.0"]       # default: the product's own
//! syntax = ["ndr32", "ndr64"]            # default: "windows"
//! repeat = 2                             # the whole list of arrivals that many times
//! expect = { verdict = "activated", shown = "activated", count = 25 }
//! ```
//!
//! A file is read whole before anything is said: [`load`] finds every problem in it, each at its
//! line and with what would be right. A [`Scenario`] is a file without problems; with a seed it
//! becomes a [`Plan`], which leaves nothing to chance.
//!
//! Two floors, which meet in `spec`, the file as typed values, and in `expectation`: `read` makes
//! these of a text, `plan` makes a plan of these, and `hash` says what the plan is known by.

mod duration;
mod expectation;
mod hash;
mod order;
mod plan;
mod read;
mod schedule;
mod shipped;
mod spec;
#[cfg(test)]
mod tests;
mod threshold;

pub use expectation::{Coming, CountRule, Expectation, Expected};
pub use hash::combined_hash;
pub use plan::{Arrival, Plan, Step};
pub use read::{PROBLEMS_MAX, Problem, Problems, Tables, load, schema};
pub use schedule::{Arrive, Schedule, Spread, Stage};
pub use shipped::{ShippedTables, shipped};
pub use spec::{
    ARRIVALS_MAX, CLIENTS_MAX, ConnectionUse, FILE_BYTES_MAX, HostNeeds, HostState, Order, POPULATION_BYTES_MAX,
    Repeat, STEPS_MAX, Scenario, Selection, TableNeeds, TimeMode,
};
pub use threshold::{Bound, Comparison, Figure, Measured, Metric, Threshold, Timed};

pub use crate::population::Ids;

impl Scenario {
    /// Decides everything a run will do.
    pub fn plan(&self, seed: u64, ids: Ids) -> Plan {
        let mut plan = plan::plan(self, seed, ids);
        plan.hash = hash::of(&plan);
        plan
    }
}
