//! Shows how a run is going: one line redrawn on a terminal, a line now and then anywhere else.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use unicode_width::UnicodeWidthChar as _;

use crate::events::Event;
use crate::report::Live;
use crate::scenario::Plan;

/// Whoever watches a run.
pub struct Watcher {
    live: Live,
    status: StatusLine,
}

impl Watcher {
    /// For this process's standard error.
    pub fn new() -> Watcher {
        Watcher { live: Live::default(), status: StatusLine::new() }
    }

    /// Takes one event of a run of `plan`.
    pub fn observe(&mut self, event: &Event, plan: &Arc<Plan>) {
        self.live.observe(event);
        match event {
            Event::StepFinished { .. } | Event::ScenarioFinished { .. } => self.status.wipe(),
            Event::Tally(_) | Event::Exchange(_) => self.status.tell(|| self.live.line(plan)),
            _ => {}
        }
    }
}

/// The line of standard error that says how things are going.
pub struct StatusLine {
    is_terminal: bool,
    shown: Instant,
    is_drawn: bool,
}

impl StatusLine {
    /// For this process's standard error.
    pub fn new() -> StatusLine {
        // A CI that pretends to be a terminal keeps every redrawn line.
        let is_terminal = std::io::stderr().is_terminal() && std::env::var_os("CI").is_none();
        StatusLine { is_terminal, shown: Instant::now(), is_drawn: false }
    }

    /// Says it, if it is time to say something.
    pub fn tell(&mut self, line: impl FnOnce() -> Option<String>) {
        let every = if self.is_terminal { REDRAWN_EVERY } else { TOLD_EVERY };
        if self.shown.elapsed() < every {
            return;
        }
        self.shown = Instant::now();
        let Some(line) = line() else { return };
        let mut out = anstream::stderr().lock();
        let _ = if self.is_terminal {
            // A line that wraps could not be wiped again. To wipe is no colour: nobody may take it out.
            write!(std::io::stderr(), "\r\x1b[2K{}\r", cut(&line, columns().saturating_sub(1)))
        } else {
            writeln!(out, "{line}")
        };
        let _ = out.flush();
        self.is_drawn = self.is_terminal;
    }

    /// Takes it away, before something else is written.
    pub fn wipe(&mut self) {
        if std::mem::take(&mut self.is_drawn) {
            let _ = write!(std::io::stderr(), "\r\x1b[2K");
        }
    }
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        self.wipe();
    }
}

const REDRAWN_EVERY: Duration = Duration::from_millis(250);
const TOLD_EVERY: Duration = Duration::from_secs(10);
/// Of a terminal that does not say how wide it is.
const COLUMNS: usize = 80;

/// How wide the terminal is.
fn columns() -> usize {
    #[cfg(unix)]
    if let Ok(size) = rustix::termios::tcgetwinsize(std::io::stderr())
        && size.ws_col > 0
    {
        return usize::from(size.ws_col);
    }
    COLUMNS
}

/// As much of a line as fits into so many columns.
fn cut(line: &str, columns: usize) -> &str {
    let mut width = 0;
    let end = line.char_indices().find(|(_, letter)| {
        width += letter.width().unwrap_or(0);
        width > columns
    });
    end.map_or(line, |(end, _)| &line[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_by_columns_and_not_by_letters() {
        assert_eq!(cut("asked", 80), "asked");
        assert_eq!(cut("asked", 3), "ask");
        assert_eq!(cut("啟用中", 5), "啟用");
        assert_eq!(cut("啟用中", 0), "");
    }
}
