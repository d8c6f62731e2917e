//! A connection, from its first SYN until it is open.

use super::{Opening, Worker, timeout_ns};
use crate::engine::connection::Failed;
use crate::engine::hot::slot::Stage;
use crate::engine::hot::socket::{Done, Socket, not_connected};
use crate::events::Event;
use crate::proto::{Association, AssociationConfig, Failure, FailureKind, Moment, Phase};

impl Worker<'_> {
    /// Begins to connect, to the address whose turn it is.
    pub(super) fn open(&mut self, at: usize, now_ns: u64) {
        let source = match self.drive.sources.as_slice() {
            [] => None,
            sources => {
                self.sources = self.sources.wrapping_add(1);
                Some(sources[self.sources % sources.len()])
            }
        };
        let slot = &mut self.slots[at];
        slot.generation = slot.generation.wrapping_add(1);
        slot.stage = Stage::Connecting;
        slot.since_ns = now_ns;
        slot.calls = 0;
        self.wheel.insert(at as u32, now_ns.saturating_add(timeout_ns(self.settings)));
        slot.opening = Opening::Bind;
        slot.is_like_others = false;
        slot.heard.clear();
        slot.asked = None;
        let address = slot.peer(&self.crew.run.host.addresses);
        match Socket::open(address, source) {
            Ok(socket) => {
                slot.socket = Some(socket);
                // On one machine a connection is there at once, and nobody has to be told of that.
                if !self.bind(at) {
                    let slot = &self.slots[at];
                    let token = slot.token(at);
                    let registered = slot.socket.as_ref().map(|socket| self.poll.add(socket.as_fd(), token, true));
                    if let Some(Err(error)) = registered {
                        self.not_connected(at, FailureKind::Io(error.to_string()));
                    }
                }
            }
            Err(error) => {
                use rustix::io::Errno;
                let effort = &mut self.tally.effort;
                effort.no_port += u64::from(error == Errno::ADDRNOTAVAIL);
                effort.no_file += u64::from(matches!(error, Errno::MFILE | Errno::NFILE));
                self.not_connected(at, not_connected(address, error));
            }
        }
    }

    /// Sends the bind, if the connection is there by now; whether anything came of it.
    pub(super) fn bind(&mut self, at: usize) -> bool {
        let now_ns = self.clock.now_ns();
        let slot = &self.slots[at];
        let Some(socket) = &slot.socket else { return true };
        let address = slot.peer(&self.crew.run.host.addresses);
        let is_express = slot.work.as_ref().is_some_and(|work| work.due.is_some());
        let script = self.express.as_ref().filter(|_| is_express).and_then(|express| express.bind(slot.offer));
        let (association, sent) = match script {
            Some(bind) => (None, (socket.send(bind), bind.len(), Vec::new())),
            None => {
                let mut association = Association::new(self.config(at));
                association.begin(Moment::from_nanos(now_ns));
                let bind = association.poll_transmit().unwrap_or_default();
                (Some(Box::new(association)), (socket.send(&bind), bind.len(), bind))
            }
        };
        let (done, len, bind) = sent;
        let sent = match done {
            Done::NotYet => return false,
            Done::Broken(error) => {
                self.not_connected(at, not_connected(address, error));
                return true;
            }
            Done::Bytes(sent) => sent,
        };
        // Whatever does not take so few bytes at once is no connection worth going on with quickly.
        let rest = if sent < len && bind.is_empty() {
            self.express.as_ref().and_then(|express| express.bind(self.slots[at].offer)).unwrap_or_default().to_vec()
        } else {
            bind
        };
        let slot = &mut self.slots[at];
        slot.connect_ns = now_ns - slot.since_ns;
        slot.since_ns = now_ns;
        slot.association = association;
        slot.stage = Stage::Busy;
        if let Some(work) = &mut slot.work {
            work.bytes.sent += sent as u64;
        }
        if sent < len {
            slot.outgoing.extend_from_slice(&rest[sent..]);
        }
        // Where connections are told of one by one they are counted so.
        self.tally.connections += u64::from(self.drive.tallies);
        self.tally.effort.syn_retries += u64::from(slot.connect_ns >= SYN_RETRY_NS);
        self.connected(at);
        true
    }

    fn config(&self, at: usize) -> AssociationConfig {
        let slot = &self.slots[at];
        AssociationConfig {
            offer: slot.offer,
            bind_timeout: self.settings.timeout,
            call_timeout: self.settings.timeout,
            port: Some(slot.peer(&self.crew.run.host.addresses).port()),
            record: self.settings.record,
            ..AssociationConfig::default()
        }
    }

    /// A connection is there, and its bind is out.
    fn connected(&mut self, at: usize) {
        let slot = &self.slots[at];
        let (token, wants_to_write) = (slot.token(at), !slot.outgoing.is_empty());
        let Some(socket) = &slot.socket else { return };
        // Where it was waited for it is registered already, and stays so.
        let _ = self.poll.add(socket.as_fd(), token, wants_to_write);
        let local = if self.drive.tallies { None } else { socket.local() };
        if let Some(local) = local {
            let (id, peer) = (slot.connection, slot.peer(&self.crew.run.host.addresses));
            self.tell(Event::ConnectionOpened { id, local, peer, at: self.clock.now() });
        }
        self.pump(at);
    }

    pub(super) fn not_connected(&mut self, at: usize, kind: FailureKind) {
        let slot = &mut self.slots[at];
        slot.socket = None;
        slot.association = None;
        if slot.address + 1 < self.crew.run.host.addresses.len() {
            slot.address += 1;
            let now_ns = self.clock.now_ns();
            return self.open(at, now_ns);
        }
        self.conclude(at, Err(Failed::unsent(Failure::new(Phase::Connect, kind))));
    }

    /// A connection is not on its way any more, if it was.
    pub(super) fn opened(&mut self, at: usize) {
        if std::mem::take(&mut self.slots[at].is_opening) {
            self.opening -= 1;
            self.unblock();
        }
    }

    /// Finds out whether a connection was opened as the others were.
    pub(super) fn learn_opening(&mut self, at: usize) {
        let config = self.config(at);
        let slot = &mut self.slots[at];
        let heard = std::mem::take(&mut slot.heard);
        let group = self.express.as_mut().and_then(|express| express.learn_opening(config, &heard));
        slot.is_like_others = group.is_some();
        slot.group = group.unwrap_or_default();
    }
}

/// A SYN that was lost is sent again after a second.
const SYN_RETRY_NS: u64 = 950_000_000;
