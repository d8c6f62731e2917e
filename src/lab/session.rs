//! One connection of the lab host, without its socket.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::LabHost;
use super::rules::Arrival;
use super::tamper::{End, Fate, Outgoing, Scene};
use crate::proto::{HostAssociation, HostConfig};
use crate::wire::kms::ActivationRequest;
use crate::wire::rpc::{FrameBuffer, PduView, Ptype};
use crate::wire::{FileTime, Hresult};

/// What is to be done with a connection, one thing after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send these bytes, at once.
    Send(Vec<u8>),
    /// Wait.
    Wait(Duration),
    /// Wait for one's turn, so far from the one before.
    TakeTurn(Duration),
    /// Close it with a FIN, reading on for a moment.
    Finish,
    /// Close it at once.
    HangUp,
    /// Close it with a RST.
    Reset,
}

/// Someone who is told of each request, when it could be read, and of the code it was answered with.
pub type Told<'a> = &'a mut dyn FnMut(Option<&ActivationRequest>, Hresult);

/// One connection of a lab host.
#[derive(Debug)]
pub struct Session {
    association: HostAssociation,
    scene: Scene,
    /// Whether each PDU is looked at on its way.
    tampers: bool,
    frames: FrameBuffer,
    actions: VecDeque<Action>,
    /// The association group it is in.
    group: Option<u32>,
    over: bool,
    /// Whether its end was heard of.
    left: bool,
}

impl Session {
    /// A connection that was just let in at the host's address of that number, from 0; `others` are open already.
    pub fn new(host: &Mutex<LabHost>, config: HostConfig, address: usize, others: usize) -> Session {
        let mut host = lock(host);
        let config = host.tamper().shaped(config);
        let scene = Scene::new(host.next_connection(), address, others);
        Session {
            association: HostAssociation::new(config),
            scene,
            tampers: !host.tamper().is_idle(),
            frames: FrameBuffer::default(),
            actions: VecDeque::new(),
            group: None,
            over: false,
            left: false,
        }
    }

    /// Takes bytes from the client, in any pieces, when the host's clock shows `now`.
    pub fn handle_bytes(&mut self, host: &Mutex<LabHost>, bytes: &[u8], now: FileTime, told: Told<'_>) {
        if self.over {
            return;
        }
        // Of a connection that is open nothing has to be known that its association does not know.
        if !self.tampers && self.scene.bound {
            self.association.handle_bytes(bytes);
            self.answer(host, now, told);
            self.transmit(host, &[]);
            return;
        }
        match self.tampers {
            true => self.take_segment(host, bytes),
            false => self.frames.push(bytes),
        }
        let mut frames = std::mem::take(&mut self.frames);
        while !self.over {
            match frames.next_frame() {
                Ok(Some(frame)) => {
                    let frame = frame.to_vec();
                    self.scene.behind = !frames.pending().is_empty();
                    self.handle_frame(host, &frame, now, told);
                }
                Ok(None) => break,
                Err(_) => {
                    // The association sees for itself that this is no PDU.
                    self.association.handle_bytes(frames.pending());
                    self.transmit(host, &[]);
                    break;
                }
            }
        }
        self.frames = frames;
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Whether answers that did not go out yet are to be dropped when the client sends nothing more.
    pub fn drops_on_half_close(&self) -> bool {
        self.scene.drops_on_half_close
    }

    /// The client has broken the connection off.
    pub fn handle_reset(&mut self, host: &Mutex<LabHost>) {
        self.leave(host, true);
    }

    /// The connection is gone.
    pub fn handle_end(&mut self, host: &Mutex<LabHost>) {
        self.leave(host, false);
    }

    fn leave(&mut self, host: &Mutex<LabHost>, is_reset: bool) {
        if std::mem::replace(&mut self.left, true) {
            return;
        }
        if self.tampers {
            let is_cut_off = !self.frames.pending().is_empty();
            let mut host = lock(host);
            if host.tamper().left(&mut self.scene, is_cut_off, is_reset) {
                host.die();
            }
        }
        if let Some(group) = self.group.take() {
            lock(host).leave_group(group);
        }
    }

    /// Bytes as they came, changed as the host's faults have it.
    fn take_segment(&mut self, host: &Mutex<LabHost>, bytes: &[u8]) {
        let (bytes, fate) = {
            let mut host = lock(host);
            let segment = host.tamper().segment(bytes, self.frames.pending(), &mut self.scene);
            (segment.bytes, segment.fate)
        };
        match fate {
            Fate::Passes => self.frames.push(&bytes),
            Fate::Vanishes => {}
            Fate::Closes(end) => self.end(end),
            Fate::Answered(answer) => self.actions.push_back(Action::Send(answer)),
            Fate::Kills => {
                lock(host).die();
                self.end(End::Reset);
            }
        }
    }

    fn handle_frame(&mut self, host: &Mutex<LabHost>, frame: &[u8], now: FileTime, told: Told<'_>) {
        let (frame, fate) = if self.tampers {
            let mut host = lock(host);
            let incoming = host.tamper().came_in(frame, &mut self.scene);
            (incoming.frame, incoming.fate)
        } else {
            (frame.to_vec(), Fate::Passes)
        };
        let is_request = PduView(&frame).ptype() == Some(Ptype::REQUEST);
        match fate {
            Fate::Passes => {
                self.join_group(host, &frame);
                self.association.handle_bytes(&frame);
                self.answer(host, now, told);
                self.transmit(host, &frame);
            }
            Fate::Vanishes => {}
            Fate::Closes(end) => self.end(end),
            Fate::Answered(answer) => self.send_out(host, &frame, &answer),
            Fate::Kills => {
                lock(host).die();
                self.end(End::Reset);
            }
        }
        self.scene.pdus += 1;
        self.scene.requests += u64::from(is_request);
    }

    /// Answers the calls that are there.
    fn answer(&mut self, host: &Mutex<LabHost>, now: FileTime, told: Told<'_>) {
        while let Some(call) = self.association.poll_call() {
            let (request, answer, manner, spacing) = {
                let mut host = lock(host);
                let Scene { address, number: connection, .. } = self.scene;
                host.set_arrival(Arrival { address, connection, syntax: call.syntax });
                let (request, answer) = host.respond(&call.payload, now);
                (request, answer, host.manner(), host.spacing())
            };
            told(request.as_ref(), answer.as_ref().err().copied().unwrap_or(Hresult::OK));
            if let Some(spacing) = spacing {
                self.actions.push_back(Action::TakeTurn(spacing));
            }
            if !manner.delay.is_zero() {
                self.actions.push_back(Action::Wait(manner.delay));
            }
            if manner.hang_up {
                self.actions.push_back(Action::HangUp);
                self.over = true;
                return;
            }
            self.association.answer(&call, answer.as_deref().map_err(|code| *code));
        }
    }

    /// Has what the association wants to send on its way, and closes when it is done.
    fn transmit(&mut self, host: &Mutex<LabHost>, asked: &[u8]) {
        if let Some(bytes) = self.association.poll_transmit() {
            match self.tampers {
                true => self.send_out(host, asked, &bytes),
                false => self.actions.push_back(Action::Send(bytes)),
            }
        }
        if !self.scene.bound && self.association.is_bound() {
            self.scene.bound = true;
            let group = self.association.group();
            lock(host).join_group(group);
            self.group = Some(group);
        }
        if self.association.is_closing() && !self.over && !self.scene.stays_open {
            self.end(End::Finish);
        }
    }

    /// Whole PDUs, each of them changed as the host's faults have it.
    fn send_out(&mut self, host: &Mutex<LabHost>, asked: &[u8], bytes: &[u8]) {
        let mut frames = FrameBuffer::default();
        frames.push(bytes);
        while let (false, Ok(Some(frame))) = (self.over, frames.next_frame()) {
            let mut host = lock(host);
            let Outgoing { frame, wait, pieces, joins, end, lingers, .. } =
                host.tamper().goes_out(asked, frame, &mut self.scene);
            drop(host);
            if !wait.is_zero() {
                self.actions.push_back(Action::Wait(wait));
            }
            match self.actions.back_mut() {
                Some(Action::Send(before)) if joins => before.extend_from_slice(&frame),
                _ => self.send_in_pieces(&frame, pieces),
            }
            if let Some(end) = end {
                if !lingers.is_zero() {
                    self.actions.push_back(Action::Wait(lingers));
                }
                self.end(end);
            }
        }
    }

    /// A PDU in pieces of so many bytes, each by itself; 0 for one piece.
    fn send_in_pieces(&mut self, frame: &[u8], pieces: usize) {
        let pieces = if pieces == 0 { frame.len().max(1) } else { pieces };
        for (number, piece) in frame.chunks(pieces).enumerate() {
            if number > 0 {
                self.actions.push_back(Action::Wait(BETWEEN_PIECES));
            }
            self.actions.push_back(Action::Send(piece.to_vec()));
        }
    }

    /// Whoever names a group that is there is let into it.
    fn join_group(&mut self, host: &Mutex<LabHost>, frame: &[u8]) {
        let view = PduView(frame);
        if let (Some(Ptype::BIND), Some(asked)) = (view.ptype(), view.assoc_group())
            && asked != 0
            && lock(host).has_group(asked)
        {
            self.association.allow_group(asked);
        }
    }

    fn end(&mut self, end: End) {
        self.actions.push_back(match end {
            End::Finish => Action::Finish,
            End::Reset => Action::Reset,
        });
        self.over = true;
    }
}

pub(super) fn lock(host: &Mutex<LabHost>) -> MutexGuard<'_, LabHost> {
    host.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Long enough for a piece to go out by itself.
const BETWEEN_PIECES: Duration = Duration::from_micros(200);
