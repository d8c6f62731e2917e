//! Shows how a run is going: one line redrawn on a terminal, a line now and then anywhere else.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::events::Event;
use crate::report::Live;
use crate::scenario::Plan;

/// Whoever watches a run.
pub struct Watcher {
    live: Live,
    is_terminal: bool,
    shown: Instant,
    is_drawn: bool,
}

impl Watcher {
    /// For this process's standard error.
    pub fn new() -> Watcher {
        // A CI that pretends to be a terminal keeps every redrawn line.
        let is_terminal = std::io::stderr().is_terminal() && std::env::var_os("CI").is_none();
        Watcher { live: Live::default(), is_terminal, shown: Instant::now(), is_drawn: false }
    }

    /// Takes one event of a run of `plan`.
    pub fn observe(&mut self, event: &Event, plan: &Arc<Plan>) {
        self.live.observe(event);
        match event {
            Event::StepFinished { .. } | Event::ScenarioFinished { .. } => self.wipe(),
            Event::Tally(_) | Event::Exchange(_) => {
                let every = if self.is_terminal { REDRAWN_EVERY } else { TOLD_EVERY };
                if self.shown.elapsed() >= every {
                    self.shown = Instant::now();
                    self.show(plan);
                }
            }
            _ => {}
        }
    }

    fn show(&mut self, plan: &Plan) {
        let Some(line) = self.live.line(plan) else { return };
        let mut out = anstream::stderr().lock();
        let _ = if self.is_terminal {
            // A line that wraps could not be wiped again.
            let short: String = line.chars().take(COLUMNS).collect();
            write!(out, "\r\x1b[2K{short}\r")
        } else {
            writeln!(out, "{line}")
        };
        let _ = out.flush();
        self.is_drawn = self.is_terminal;
    }

    fn wipe(&mut self) {
        if std::mem::take(&mut self.is_drawn) {
            let _ = write!(std::io::stderr(), "\r\x1b[2K");
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.wipe();
    }
}

const REDRAWN_EVERY: Duration = Duration::from_millis(250);
const TOLD_EVERY: Duration = Duration::from_secs(10);
const COLUMNS: usize = 118;
