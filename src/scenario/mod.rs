//! Scenario files: what a run asks and expects, said in TOML, and the plan that comes of it.
//!
//! # The language
//!
//! Everything there is to say, in one file. What is marked *optional* can be left out, and then is
//! what is said there. `kmsproof schema scenario` prints the same as a JSON Schema.
//!
//! ```toml
//! name = "every-key"                      # 1 to 40 of a-z, 0-9 and -
//! question = "Does the host do all of it?"
//! takes = "some days of virtual time"     # optional, for people
//! leaves = "nothing: the host is ours"    # optional, for people
//! host = { table = "empty", serves = ["Windows", "Office Professional Plus 2019"] }
//!                                         # optional: "any" table, and every volume product; serves takes
//!                                         # applications (Windows, Office 2010, Office), products and SKU ids
//! time = { virtual = true, begins = "2026-02-23T08:00:00+08:00" }
//!                                         # optional: "wall"; "virtual" alone begins 2026-01-05T00:00:00Z
//! thresholds = ["p99 < 50ms", "connect.max < 1s", "errors < 0.1%", "wrong = 0", "activated >= 99%"]
//!                                         # optional; times are p50 p90 p95 p99 p999 mean max of connect,
//!                                         # bind, service (the default) or response; also throughput > 500/s
//!
//! [clients.campus-pc]                     # a group of machines alike; any number of groups
//! count = 40                              # how many there are
//! product = "Windows 11 Enterprise"       # a name `kmsproof catalog` knows, or a SKU id
//! n-policy = 25                           # optional, as is all that follows: what the product says
//! protocol = "6.0"                        # what the product says
//! vm = "30%"                              # false; true, or a share drawn by the seed
//! status = "notification"                 # just installed; a license status by name or number
//! minutes-left = 0                        # the whole of the initial grace; 0 has no end of its own
//! generation = "notified"                 # as the product's leases go; "current", "vista-to-8", "server-2008"
//! clock = "-3h 59m"                       # right; a signed duration, or a table, see below
//! workstation = "LAB-{number:04}"         # campus-pc-0001.kmsproof.invalid and so on
//! previous-id = true                      # false: whether they had another client machine id before
//! away = [{ from = "10d", to = "45d", share = "60%" }]  # never; share: all of them
//!
//! [clients.office-pc]
//! count = 10
//! products = [                            # several: each machine asks for one after the other, with one id
//!     "Windows 10 Enterprise",
//!     { name = "Office Professional Plus 2019", n-policy = 10 },  # the catalogue's, with some things different
//!     { application = "Office", sku = "6b6d7300-0000-4000-8000-00000000057a",
//!       counted = "6b6d7300-0000-4000-8000-0000000c0de0", n-policy = 5, protocol = "5.0" },  # of no catalogue
//! ]
//! lease = { age = ["0d", "7d"] }          # activated so long ago, drawn between the two; or age = "181d"
//! clock = { wall = "Asia/Taipei", zone = "America/Los_Angeles", drift = "-2s/day", years = -1, skew = "+40s" }
//!                                         # wall: set to look right there; zone: where the machine believes
//!                                         # it is; drift also -50ppm; the parts add up
//! clones = true                           # false: whether one image made them, with its id in it
//!
//! [clients.battery-empty]
//! count = 1
//! product = "Windows Server 2022 Standard"
//! clock = { set = "2009-01-01T00:00:00" } # set at the beginning of the scenario, running on
//!
//! [clients.year-1601]
//! count = 1
//! product = "Windows Server 2022 Standard"
//! clock = { filetime = 0 }                # frozen at what no clock shows; excludes the other parts
//!
//! [clients.imported]                      # machines one by one, from a table below this file's folder
//! population = "populations/campus.csv"   # its rows may have products; all else of a group can stand here
//!
//! [[step]]
//! title = "the first 24 are refused by count"
//! host = "fresh"                          # optional: "kept" as it is, "fresh" with nobody counted, or "down"
//! wait = "5m"                             # optional: how long nothing happens first; alone, a step that waits
//! clients = ["campus-pc[1..24]"]          # "group", "group[3]", "group[1..24]"
//! arrive = { one-by-one = true }          # the default
//! order = "listed"                        # the default; or "shuffled"
//! connection = "each"                     # the default; or "kept"; or { calls = 10 }, and then a new one
//! expect = { wire = "0x00000000", verdict = "0xC004F038", count = { from = 1, to = 24 } }
//!
//! [[step]]
//! title = "the 25th is activated, however it asks"
//! clients = ["campus-pc[25]"]
//! protocol = ["4.0", "5.0", "6.0"]        # default: the product's own; any major.minor, 7.0 as well
//! syntax = ["ndr32", "ndr64"]             # default: "windows"
//! repeat = { times = 2, pause = "1s" }    # default: 1; or repeat = 2: the whole list of arrivals that often;
//!                                         # or { for = "30s" }: again and again, and nobody starts after that
//! expect = { verdict = "activated", shown = "activated", count = 25 }
//!
//! [[step]]
//! title = "so many at a time; the oracle alone says what must come"
//! clients = ["campus-pc"]
//! arrive = { concurrency = 8, think = "500ms" }  # each of the eight rests so long after an answer; default: 0s
//! expect = "oracle"                       # the default
//!
//! [[step]]
//! title = "at a rate, as strangers arrive"
//! clients = ["campus-pc", "office-pc"]
//! arrive = { rate = "50/s", spread = "poisson" }  # also 3000/min, 2/h; spread: "even"
//! expect = { count = { least = 24, most = 100 }, share = { verdict = "activated", least = "10%" } }
//!
//! [[step]]
//! title = "in bursts"
//! clients = ["office-pc"]
//! arrive = { rate = "50/s", burst = 20 }
//! oracle = false                          # default: true; what is expected here is then all
//! expect = { share = [{ wire = "0xC004F06C", most = "100%" }, { shown = "activated", most = "100%" }] }
//!
//! [[step]]
//! title = "at a rate that changes; the last goes on until all have arrived"
//! clients = ["campus-pc"]
//! arrive = { stages = [{ rate = "10/s", for = "1s" }, { from = "10/s", to = "50/s", for = "1s" }, { to = "20/s", for = "1s" }] }
//!
//! [[step]]
//! title = "nobody answers"
//! host = "down"
//! clients = ["battery-empty", "year-1601"]
//! expect = { wire = "none", shown = "0xC004F074" }
//!
//! [[step]]
//! title = "as the table says, sixty times as fast"
//! clients = ["imported"]
//! arrive = { recorded = true, speed = 60 }  # default: 1
//!
//! [[step]]
//! title = "and then as their leases make them"
//! clients = ["campus-pc", "office-pc"]
//! arrive = { lifecycle = "30d" }          # by the wall also speed = 168: their week in an hour; default: 1
//! ```
//!
//! Durations read `500ms`, `1m 30s`, `4h` or `30d`, up to 100 years. Codes are text with all eight
//! digits. Where `expect` lists several values each of them will do; `wire`, `verdict` and `shown` are
//! three codes of one activation, never one.
//!
//! # Population tables
//!
//! CSV in UTF-8 or UTF-16, one row a machine, its first row naming the columns, in any order. Only
//! `machine` must be there; what is empty is as the group says.
//!
//! | column | what it says |
//! | --- | --- |
//! | `machine` | what people call it; its workstation name is made of it |
//! | `id` | which client machine id it has: rows with the same text share one, empty is one of its own |
//! | `product` | names or SKU ids, separated by `;` |
//! | `n_policy`, `protocol` | of its products |
//! | `vm` | `true`, `false`, `1` or `0` |
//! | `status`, `minutes_left` | license status by name or number, and the minutes left in it |
//! | `clock` | how far its clock is off, as `+4h 1m` |
//! | `at` | when it arrives: seconds since the first, as `61.5`, or a duration; never before the row above |
//!
//! `imported[3]` is the third row.
//!
//! # How it is read
//!
//! A file is read whole before anything is said: [`load`] finds every problem in it, each at its
//! line and with what would be right. A [`Scenario`] is a file without problems; with a seed it
//! becomes a [`Plan`], which leaves nothing to chance.
//!
//! Two floors, which meet in `spec`, the file as typed values, and in `expectation`: `read` makes
//! these of a text, `plan` makes a plan of these, and `hash` says what the plan is known by.

mod adhoc;
mod duration;
mod excerpt;
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

pub use adhoc::AdHoc;
pub use duration::DURATION_MAX;
pub use excerpt::Excerpt;
pub use expectation::{Coming, CountRule, Expectation, Expected};
pub use hash::combined_hash;
pub use plan::{Arrival, Plan, Step};
pub use read::{PROBLEMS_MAX, Problem, Problems, Tables, load, schema, served};
pub use schedule::{Arrive, Schedule, Spread, Stage};
pub use shipped::{ShippedTables, shipped};
pub use spec::{
    ARRIVALS_MAX, CLIENTS_MAX, ConnectionUse, FILE_BYTES_MAX, HostNeeds, HostState, Order, POPULATION_BYTES_MAX,
    Repeat, STEPS_MAX, Scenario, Selection, TIMED_ARRIVALS_MAX, TableNeeds, TimeMode,
};
pub use threshold::{Bound, Comparison, Figure, Measured, Metric, Threshold, Timed};

pub use crate::population::Ids;

use crate::wire::Guid;

impl Scenario {
    /// The same scenario for a host that serves these counted ids and no others, whatever the file says.
    #[must_use]
    pub fn for_host_serving(mut self, counted_ids: &[Guid]) -> Scenario {
        self.host.serves = Some(counted_ids.to_vec());
        self
    }

    /// The same scenario, whose measures must keep to these as well.
    #[must_use]
    pub fn with_thresholds(mut self, thresholds: &[Threshold]) -> Scenario {
        self.thresholds.extend_from_slice(thresholds);
        self
    }

    /// Decides everything a run will do.
    pub fn plan(&self, seed: u64, ids: Ids) -> Plan {
        let mut plan = plan::plan(self, seed, ids);
        plan.hash = hash::of(&plan);
        plan
    }
}
