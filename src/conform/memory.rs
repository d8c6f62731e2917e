//! The lab host as something to put cases to, in memory and without waiting.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::host::{Closing, Heard, Host, Line, Patience, Process};
use crate::lab::{Action, Faults, HostIdentity, LabHost, Session};
use crate::proto::{HostConfig, Moment};
use crate::wire::FileTime;

/// A lab host without sockets. Its time goes on only when somebody waits.
#[derive(Debug)]
pub struct MemoryHost {
    host: Arc<Mutex<LabHost>>,
    open: Arc<AtomicUsize>,
    groups: u32,
    /// What every clock shows, as a FILETIME.
    now: Arc<AtomicU64>,
    said: u64,
    /// What was waited so far, in nanoseconds.
    waited: Arc<AtomicU64>,
}

impl MemoryHost {
    /// A host with these faults.
    pub fn new(faults: Faults, seed: u64, now: FileTime) -> MemoryHost {
        let host = LabHost::new(HostIdentity::default(), seed).with_faults(faults);
        MemoryHost {
            host: Arc::new(Mutex::new(host)),
            open: Arc::default(),
            groups: 0,
            now: Arc::new(AtomicU64::new(now.0)),
            said: 0,
            waited: Arc::default(),
        }
    }
}

impl Host for MemoryHost {
    fn connect(&mut self) -> Result<Box<dyn Line>, String> {
        self.connect_to(0)
    }

    fn addresses(&self) -> usize {
        ADDRESSES
    }

    fn connect_to(&mut self, address: usize) -> Result<Box<dyn Line>, String> {
        let open = self.open.load(Ordering::Relaxed);
        let (admitted, idle_max) = {
            let host = self.host.lock().map_err(|error| error.to_string())?;
            (host.admits(open), host.idle_max())
        };
        self.groups += 1;
        let config = HostConfig { port: self.port(), assoc_group: FIRST_GROUP + self.groups, ..HostConfig::default() };
        let mut line = MemoryLine {
            session: Session::new(&self.host, config, address, open),
            host: Arc::clone(&self.host),
            open: Arc::clone(&self.open),
            coming: VecDeque::new(),
            now: Arc::clone(&self.now),
            waited: Arc::clone(&self.waited),
            due: Duration::ZERO,
            idle_since: waited(&self.waited),
            idle_max,
        };
        self.open.fetch_add(1, Ordering::Relaxed);
        if !admitted {
            line.coming.push_back(Coming::End(Closing::Reset));
        }
        Ok(Box::new(line))
    }

    fn port(&self) -> u16 {
        crate::wire::kms::PORT
    }

    fn wall(&self) -> FileTime {
        FileTime(self.now.load(Ordering::Relaxed))
    }

    fn moment(&mut self) -> Moment {
        self.said += 1;
        Moment(Duration::from_micros(self.said) + Duration::from_nanos(self.waited.load(Ordering::Relaxed)))
    }

    fn rest(&mut self, time: Duration) {
        self.now.fetch_add((time.as_nanos() / 100) as u64, Ordering::Relaxed);
        self.waited.fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
    }

    fn process(&mut self) -> Option<Process> {
        let host = self.host.lock().ok()?;
        let kept = host.kept();
        let files = self.open.load(Ordering::Relaxed) + kept.files.len();
        Some(Process { files, memory_bytes: kept.bytes.len() as u64 })
    }
}

struct MemoryLine {
    session: Session,
    host: Arc<Mutex<LabHost>>,
    open: Arc<AtomicUsize>,
    coming: VecDeque<Coming>,
    now: Arc<AtomicU64>,
    waited: Arc<AtomicU64>,
    /// When what was sent last comes, in what was waited by then: connections keep nobody waiting for one another.
    due: Duration,
    /// When something came or went last, in what was waited by then.
    idle_since: Duration,
    idle_max: Duration,
}

/// What is on its way.
enum Coming {
    Bytes(Vec<u8>),
    /// What follows comes when so long was waited in all.
    At(Duration),
    End(Closing),
}

impl MemoryLine {
    /// A host hangs up on whoever says nothing for so long. Whether that is so by then.
    fn close_if_idle(&mut self, now: Duration) -> bool {
        let is_idle = self.coming.is_empty() && now >= self.idle_since.max(self.due) + self.idle_max;
        if is_idle {
            self.coming.push_back(Coming::End(Closing::Fin));
        }
        is_idle
    }

    fn is_ending(&self) -> bool {
        matches!(self.coming.back(), Some(Coming::End(_)))
    }
}

impl Line for MemoryLine {
    fn send(&mut self, bytes: &[u8]) {
        self.close_if_idle(waited(&self.waited));
        if self.is_ending() {
            return;
        }
        self.idle_since = waited(&self.waited);
        let now = FileTime(self.now.load(Ordering::Relaxed));
        self.session.handle_bytes(&self.host, bytes, now, &mut |_, _| {});
        while let Some(action) = self.session.poll_action() {
            self.coming.push_back(match action {
                Action::Send(bytes) => Coming::Bytes(bytes),
                Action::Wait(wait) | Action::TakeTurn(wait) => {
                    self.due = self.due.max(waited(&self.waited)) + wait;
                    Coming::At(self.due)
                }
                Action::Finish | Action::HangUp => Coming::End(Closing::Fin),
                Action::Reset => Coming::End(Closing::Reset),
            });
        }
    }

    fn finish(&mut self) {
        if self.session.drops_on_half_close() {
            self.coming.clear();
        }
        if !self.is_ending() {
            self.coming.push_back(Coming::End(Closing::Fin));
        }
    }

    fn reset(&mut self) {
        self.coming.clear();
        self.coming.push_back(Coming::End(Closing::Reset));
        self.session.handle_reset(&self.host);
    }

    fn hear(&mut self, patience: Patience) -> Heard {
        let mut left = match patience {
            Patience::Answer => Duration::from_secs(5),
            Patience::Close => Duration::from_secs(2),
            Patience::Silence => Duration::from_millis(50),
            Patience::For(time) => time,
        };
        let clock = Arc::clone(&self.waited);
        let wait_for = |time: Duration| {
            clock.fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
        };
        loop {
            match self.coming.pop_front() {
                None if self.close_if_idle(waited(&self.waited) + left) => {
                    let closes = self.idle_since.max(self.due) + self.idle_max;
                    wait_for(closes.saturating_sub(waited(&self.waited)));
                }
                None => {
                    wait_for(left);
                    return Heard::Nothing;
                }
                Some(Coming::Bytes(bytes)) => return Heard::Bytes(bytes),
                Some(Coming::End(closing)) => {
                    self.coming.push_front(Coming::End(closing));
                    return Heard::End(closing);
                }
                Some(Coming::At(due)) => {
                    let wait = due.saturating_sub(waited(&self.waited));
                    if wait > left {
                        self.coming.push_front(Coming::At(due));
                        wait_for(left);
                        return Heard::Nothing;
                    }
                    wait_for(wait);
                    left -= wait;
                }
            }
        }
    }
}

impl Drop for MemoryLine {
    fn drop(&mut self) {
        self.session.handle_end(&self.host);
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

fn waited(nanoseconds: &AtomicU64) -> Duration {
    Duration::from_nanos(nanoseconds.load(Ordering::Relaxed))
}

/// Enough to be asked at more than one.
const ADDRESSES: usize = 2;
/// Any number but 0 serves.
const FIRST_GROUP: u32 = 0x6b6d_0000;
