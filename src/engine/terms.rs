//! On what terms a plan is carried out.

use std::net::IpAddr;
use std::time::Duration;

use super::connection::Settings;

/// On what terms a plan is carried out.
#[derive(Debug, Clone)]
pub struct Terms {
    /// What every connection has in common.
    pub connection: Settings,
    /// For how long the scenario is gone through again and again; once in any case. One that goes
    /// by a time of its own is gone through once.
    pub lasts: Duration,
    /// How load is made.
    pub drive: Drive,
}

/// How load is made.
#[derive(Debug, Clone)]
pub struct Drive {
    /// Which engine carries it.
    pub engine: Engine,
    /// How many workers share the load, each with a thread of its own; `None`: half the cores, one at least.
    pub workers: Option<usize>,
    /// So many connections may be open at a time, all workers together.
    pub open_max: usize,
    /// So many of them may be on their way to be accepted: no more than hosts commonly let wait.
    pub opening_max: usize,
    /// The addresses connections are made from, in turn; empty: whichever the system takes.
    pub sources: Vec<IpAddr>,
    /// How connections are closed.
    pub closing: Closing,
    /// How long before a start a worker stops sleeping and looks at the clock; `None`: what suits the machine.
    pub spin: Option<Duration>,
    /// A start later than this is not made any more, and counted as missed; `None`: however late.
    pub late_max: Option<Duration>,
    /// Whether exchanges that show nothing new may be told of together.
    pub tallies: bool,
    /// The core each worker stays on; those without one go where the system puts them.
    pub pin: Vec<usize>,
    /// For a host that answers from a table: see [`crate::yardstick`].
    pub canned: Option<CannedAnswers>,
}

/// What is so of a host that answers from a table, and of no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CannedAnswers {
    /// It has answers to so many requests: after these the first ones are made again, and the same random
    /// values in their answers are no finding.
    pub ordinals: u64,
    /// Requests are not sealed and answers not opened: for what carrying alone costs.
    pub plain: bool,
}

/// What carries load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Engine {
    /// The one that suits the system and the step.
    #[default]
    Auto,
    /// Workers that share nothing, each over its own epoll. Linux only.
    Epoll,
    /// One task for each exchange, on every system.
    Portable,
}

/// How connections are closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Closing {
    /// With a FIN, as clients do.
    #[default]
    Fin,
    /// With a RST, which leaves no port in TIME_WAIT and which no client does.
    Reset,
}

impl Default for Drive {
    fn default() -> Drive {
        Drive {
            engine: Engine::Auto,
            workers: None,
            open_max: 1000,
            opening_max: 1000,
            sources: Vec::new(),
            closing: Closing::Fin,
            spin: None,
            late_max: None,
            tallies: true,
            pin: Vec::new(),
            canned: None,
        }
    }
}

impl Drive {
    /// The address the connection of this number is made from, if it is one of our choice: each in turn.
    pub fn source(&self, connection: u64) -> Option<IpAddr> {
        let turn = connection.checked_rem(self.sources.len() as u64)?;
        self.sources.get(turn as usize).copied()
    }

    /// How many workers there will be.
    pub fn workers(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        self.workers.unwrap_or(cores / 2).max(1)
    }
}
