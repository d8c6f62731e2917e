//! What the load engine is measured by: a host that answers from a table, a client that does
//! nothing but what it must, and the engine itself, in turn.
//!
//! A figure of one run says little on a machine that others use too. So contestants run one after
//! the other, again and again, and only ratios of one round count: [`Series`] keeps them.
//! [`goals`] says which of them are to be reached. `kmsproof bench` and `cargo bench --bench loopback` print
//! them; anyone can repeat it.

mod fixed;
pub mod goals;
mod harness;
mod pacer;
mod raw;
mod series;

pub use fixed::{Canned, FixedHost};
pub use harness::{Bout, Harness, Load};
pub use pacer::{StartErrors, tokio_pacer};
pub use raw::{Raw, RawClient};
pub use series::{Sample, Series, median};
