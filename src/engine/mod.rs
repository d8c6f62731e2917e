//! The only room with threads, a clock that goes by itself and, but for the lab's
//! listener, sockets.
//!
//! The engine carries bytes between the machines of [`crate::proto`] and a
//! host, stamps times, and tells everything that happened as [`crate::events::Event`]s.

mod attempt;
mod clock;
mod connection;
mod embedded;
mod failures;
mod fleet;
#[cfg(target_os = "linux")]
mod hot;
mod leases;
pub mod limits;
mod line;
mod memory;
mod pacer;
mod resolve;
mod run;
pub mod sources;
#[cfg(feature = "dns")]
mod srv;
mod stop;
mod target;
mod terms;
mod virtual_time;

pub use attempt::Attempt;
pub use clock::Clock;
pub use connection::{Connection, Failed, Settings, Way};
pub use embedded::EmbeddedLab;
#[cfg(target_os = "linux")]
pub(crate) use hot::{Poll, Ready, Wheel, pin, thread_time};
pub use line::{TcpHost, process};
pub use pacer::Pacer;
pub use resolve::{Unresolved, resolve};
pub use run::{HostUnderTest, run_plan};
#[cfg(feature = "dns")]
pub use srv::resolve_srv;
pub use stop::Stop;
pub use target::{Target, TargetParseError};
pub use terms::{CannedAnswers, Closing, Drive, Engine, Terms};
