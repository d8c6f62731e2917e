//! The client's side of one connection.

use std::collections::VecDeque;
use std::time::Duration;

use super::answers::{self, Opening, Step};
use super::verify::{self, Checks};
use super::{Failure, FailureKind, Moment, Phase, Sender};
use crate::wire::ndr::RequestStub;
use crate::wire::rpc::{
    Assembler, Bind, BindAck, Body, CALL_HEADER_LEN, ContextElement, FaultStatus, Flags, FrameBuffer, MAX_FRAGMENT,
    Pdu, PduView, Request, ResultCode, SyntaxId, TransferSyntax, fragments,
};

/// Which transfer syntaxes a client offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Offer {
    /// As a current Windows client: NDR32, NDR64 and bind time features 3. When the host takes
    /// NDR64, alter_context for NDR32 follows; the first call goes over NDR32, later ones over NDR64.
    #[default]
    Windows,
    /// One transfer syntax alone.
    Only(TransferSyntax),
}

/// How an association behaves.
#[derive(Debug, Clone, Copy)]
pub struct AssociationConfig {
    /// What is offered.
    pub offer: Offer,
    /// How long a bind or an alter_context may take.
    pub bind_timeout: Duration,
    /// How long a call may take.
    pub call_timeout: Duration,
    /// The port connected to, to hold the secondary address against.
    pub port: Option<u16>,
    /// The largest fragment to send, in bytes; never more than the host takes.
    pub max_fragment: u16,
    /// The largest response stub to join from fragments, in bytes.
    pub max_response: usize,
    /// Whether every PDU is reported as an event.
    pub record: bool,
}

impl Default for AssociationConfig {
    fn default() -> AssociationConfig {
        AssociationConfig {
            offer: Offer::Windows,
            bind_timeout: Duration::from_secs(5),
            call_timeout: Duration::from_secs(5),
            port: None,
            max_fragment: MAX_FRAGMENT,
            max_response: 64 * 1024,
            record: false,
        }
    }
}

/// What an association reports.
#[derive(Debug, Clone)]
pub enum AssociationEvent {
    /// A PDU went out or came in (only when recording).
    Pdu {
        /// Who sent it.
        sender: Sender,
        /// When.
        at: Moment,
        /// All of it.
        bytes: Vec<u8>,
    },
    /// The association is open; calls may be made.
    Bound(Negotiated),
    /// The open call was answered.
    Replied(Reply),
    /// The association is over. It happens once, and nothing happens after it.
    Failed {
        /// Why.
        failure: Failure,
        /// What had been checked of the step that failed.
        checks: Checks,
    },
}

/// What bind and alter_context came to.
#[derive(Debug, Clone, Default)]
pub struct Negotiated {
    /// The context for NDR32 calls.
    pub ndr32: Option<u16>,
    /// The context for NDR64 calls.
    pub ndr64: Option<u16>,
    /// The bind time features granted.
    pub features: Option<u16>,
    /// The fragment size agreed on, in bytes.
    pub max_fragment: u16,
    /// The association group.
    pub assoc_group: u32,
    /// The secondary address, when it is text.
    pub secondary_address: Option<String>,
    /// How long the bind took.
    pub bind_time: Duration,
    /// How long the alter_context took, if one was needed.
    pub alter_time: Option<Duration>,
    /// Every check of the answers.
    pub checks: Checks,
}

/// The answer to a call.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The call.
    pub call_id: u32,
    /// The syntax of its stub.
    pub syntax: TransferSyntax,
    /// What came.
    pub body: ReplyBody,
    /// When.
    pub times: ReplyTimes,
    /// Every check of the PDUs that carried it.
    pub checks: Checks,
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplyBody {
    /// The stub of a response, joined.
    Stub(Vec<u8>),
    /// A fault.
    Fault(FaultStatus),
}

/// When a call was sent and answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplyTimes {
    /// The request was handed to the transport.
    pub sent: Moment,
    /// The last byte of the answer was there.
    pub received: Moment,
}

/// The client's side of one connection, from bind to the last call.
#[derive(Debug, Clone)]
pub struct Association {
    config: AssociationConfig,
    state: State,
    frames: FrameBuffer,
    assembler: Assembler,
    negotiated: Negotiated,
    offered: Bind,
    ack: Option<BindAck>,
    checks: Checks,
    next_call_id: u32,
    calls: u32,
    outgoing: Vec<u8>,
    events: VecDeque<AssociationEvent>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Idle,
    Binding { since: Moment },
    Altering { since: Moment },
    Ready,
    Calling { call_id: u32, context_id: u16, syntax: TransferSyntax, since: Moment },
    Over,
}

/// A call on an association that is not ready for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the association is not ready for a call")]
pub struct NotReady;

/// Commands.
impl Association {
    /// An association that has not begun.
    pub fn new(config: AssociationConfig) -> Association {
        Association {
            config,
            state: State::Idle,
            frames: FrameBuffer::default(),
            assembler: Assembler::new(config.max_response),
            negotiated: Negotiated::default(),
            offered: offer(config.offer),
            ack: None,
            checks: Checks::default(),
            next_call_id: FIRST_CALL_ID,
            calls: 0,
            outgoing: Vec::with_capacity(512),
            events: VecDeque::new(),
        }
    }

    /// Sends the bind. The connection must be there.
    pub fn begin(&mut self, now: Moment) {
        if !matches!(self.state, State::Idle) {
            return;
        }
        let bind = Pdu {
            flags: Flags::WHOLE.with(Flags::CONC_MPX),
            ..Pdu::whole(FIRST_CALL_ID, Body::Bind(self.offered.clone()))
        };
        self.send(now, &bind);
        self.state = State::Binding { since: now };
    }

    /// Goes on as if so many calls had been made and answered already.
    pub(super) fn skip_calls(&mut self, calls: u32) {
        self.calls = self.calls.wrapping_add(calls);
        self.next_call_id = self.next_call_id.wrapping_add(calls);
    }

    /// Goes on as if the host had named this association group.
    pub(super) fn set_group(&mut self, group: u32) {
        self.negotiated.assoc_group = group;
        if let Some(ack) = &mut self.ack {
            ack.assoc_group = group;
        }
    }

    /// Calls `RequestActivation` with an enveloped request.
    pub fn call(&mut self, now: Moment, payload: &[u8]) -> Result<u32, NotReady> {
        let (context_id, syntax) = match self.state {
            State::Ready => self.next_context().ok_or(NotReady)?,
            _ => return Err(NotReady),
        };
        let call_id = self.next_call_id;
        self.next_call_id = self.next_call_id.wrapping_add(1);
        self.calls += 1;
        let stub = RequestStub { payload }.encode(syntax);
        let size = self.config.max_fragment.min(self.negotiated.max_fragment).max(CALL_HEADER_LEN as u16 + 8);
        let mut left = stub.len();
        for (flags, piece) in fragments(&stub, size) {
            let request = Request { alloc_hint: left as u32, context_id, opnum: 0, object: None, stub: piece };
            self.send(now, &Pdu { flags, ..Pdu::whole(call_id, Body::Request(request)) });
            left -= piece.len();
        }
        self.state = State::Calling { call_id, context_id, syntax, since: now };
        Ok(call_id)
    }
}

/// What came in.
impl Association {
    /// Takes bytes from the host, in any pieces.
    pub fn handle_bytes(&mut self, now: Moment, bytes: &[u8]) {
        if self.is_over() {
            return;
        }
        self.frames.push(bytes);
        let mut frames = std::mem::take(&mut self.frames);
        while !self.is_over() {
            if frames.pending().first().is_some_and(|&first| first != 5) {
                // The protocol version is the first byte: no later byte could make this RPC again.
                let kind = verify::check_stray(&mut self.checks, frames.pending());
                self.fail_with(kind, frames.pending());
                break;
            }
            match frames.next_frame() {
                Ok(Some(frame)) => self.handle_frame(now, frame),
                Ok(None) => break,
                Err(error) => {
                    let pending = frames.pending().to_vec();
                    self.fail_with(FailureKind::Malformed(error), &pending);
                }
            }
        }
        self.frames = frames;
        // A host that never stops sending never lets a driver's own timer come to its turn.
        self.handle_timeout(now);
    }

    /// The host closed its side, or the connection broke.
    pub fn handle_close(&mut self, kind: FailureKind) {
        let pending = self.frames.pending().to_vec();
        self.fail_with(kind, &pending);
    }

    /// Time went by.
    pub fn handle_timeout(&mut self, now: Moment) {
        if self.poll_deadline().is_some_and(|deadline| now >= deadline) {
            let after = match self.state {
                State::Calling { .. } => self.config.call_timeout,
                _ => self.config.bind_timeout,
            };
            let pending = self.frames.pending().to_vec();
            self.fail_with(FailureKind::Timeout(after), &pending);
        }
    }
}

/// What is to go out, and what happened.
impl Association {
    /// Bytes for the host, if there are any.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        if self.outgoing.is_empty() { None } else { Some(std::mem::take(&mut self.outgoing)) }
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<AssociationEvent> {
        self.events.pop_front()
    }

    /// When [`Association::handle_timeout`] is due.
    pub fn poll_deadline(&self) -> Option<Moment> {
        match self.state {
            State::Binding { since } | State::Altering { since } => Some(since + self.config.bind_timeout),
            State::Calling { since, .. } => Some(since + self.config.call_timeout),
            State::Idle | State::Ready | State::Over => None,
        }
    }
}

/// Getters.
impl Association {
    /// Whether a call can be made now.
    pub fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready)
    }

    /// Whether nothing can happen any more.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Whether it is ready, and nothing has come that belongs to no answer.
    pub fn is_quiet(&self) -> bool {
        self.is_ready() && self.frames.pending().is_empty()
    }

    /// What bind and alter_context have come to so far.
    pub fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }

    /// The syntax the next call will use.
    pub fn next_syntax(&self) -> Option<TransferSyntax> {
        self.next_context().map(|(_, syntax)| syntax)
    }
}

impl Association {
    fn phase(&self) -> Phase {
        match self.state {
            State::Idle | State::Binding { .. } => Phase::Bind,
            State::Altering { .. } => Phase::AlterContext,
            State::Ready | State::Calling { .. } | State::Over => Phase::Call,
        }
    }

    fn handle_frame(&mut self, now: Moment, frame: &[u8]) {
        if self.config.record {
            self.events.push_back(AssociationEvent::Pdu { sender: Sender::Host, at: now, bytes: frame.to_vec() });
        }
        match self.state {
            State::Binding { since } => {
                let step = Step::Bind { port: self.config.port };
                let flags = Flags::WHOLE.with(Flags::CONC_MPX);
                let opening = Opening { call_id: FIRST_CALL_ID, flags, offered: &self.offered, step };
                match answers::read_ack(&mut self.checks, frame, opening) {
                    Ok(ack) => self.handle_ack(now, since, ack),
                    Err(kind) => self.fail_with(kind, frame),
                }
            }
            State::Altering { since } => {
                let step = Step::Alter { ack: self.ack.as_ref() };
                let opening = Opening { call_id: FIRST_CALL_ID, flags: Flags::WHOLE, offered: &self.offered, step };
                match answers::read_ack(&mut self.checks, frame, opening) {
                    Ok(response) => self.handle_alter(now, since, &response),
                    Err(kind) => self.fail_with(kind, frame),
                }
            }
            State::Calling { call_id, context_id, .. } => {
                match answers::read_reply(&mut self.checks, &mut self.assembler, frame, call_id, context_id) {
                    Ok(None) => {}
                    Ok(Some(body)) => self.conclude_call(now, body),
                    Err(kind) => self.fail_with(kind, frame),
                }
            }
            State::Ready | State::Idle | State::Over => {
                let kind = verify::check_unasked(&mut self.checks, PduView(frame));
                self.fail_with(kind, frame);
            }
        }
    }

    fn handle_ack(&mut self, now: Moment, since: Moment, ack: BindAck) {
        self.negotiated.bind_time = now - since;
        self.negotiated.max_fragment = ack.max_recv_frag;
        self.negotiated.assoc_group = ack.assoc_group;
        self.negotiated.secondary_address = ack.secondary_address_text().map(str::to_owned);
        self.take_results(&ack);
        if self.config.offer == Offer::Windows && self.negotiated.ndr32.is_none() {
            self.offered = bind_of(vec![element(NDR32_CONTEXT, SyntaxId::NDR32)], 0);
            let alter = Pdu {
                flags: Flags::WHOLE.with(Flags::CONC_MPX),
                ..Pdu::whole(FIRST_CALL_ID, Body::AlterContext(self.offered.clone()))
            };
            self.send(now, &alter);
            self.ack = Some(ack);
            self.state = State::Altering { since: now };
        } else {
            self.become_ready();
        }
    }

    fn handle_alter(&mut self, now: Moment, since: Moment, response: &BindAck) {
        self.negotiated.alter_time = Some(now - since);
        self.take_results(response);
        // A host may refuse NDR32 here; NDR64 stays.
        self.become_ready();
    }

    fn take_results(&mut self, ack: &BindAck) {
        for (context, syntax) in answers::accepted(&self.offered, ack) {
            match syntax {
                TransferSyntax::Ndr32 => self.negotiated.ndr32 = Some(context.id),
                TransferSyntax::Ndr64 => self.negotiated.ndr64 = Some(context.id),
            }
        }
        let features = ack.results.iter().find(|result| result.result == ResultCode::NEGOTIATE_ACK);
        self.negotiated.features = features.map(|result| result.reason).or(self.negotiated.features);
    }

    fn become_ready(&mut self) {
        self.state = State::Ready;
        self.negotiated.checks = std::mem::take(&mut self.checks);
        self.events.push_back(AssociationEvent::Bound(self.negotiated.clone()));
    }

    fn conclude_call(&mut self, now: Moment, body: ReplyBody) {
        let State::Calling { call_id, syntax, since, .. } = self.state else { return };
        self.assembler.reset();
        let times = ReplyTimes { sent: since, received: now };
        let checks = std::mem::take(&mut self.checks);
        self.events.push_back(AssociationEvent::Replied(Reply { call_id, syntax, body, times, checks }));
        self.state = State::Ready;
    }

    fn fail_with(&mut self, kind: FailureKind, bytes: &[u8]) {
        if self.is_over() {
            return;
        }
        let failure = Failure::with_bytes(self.phase(), kind, bytes);
        let checks = std::mem::take(&mut self.checks);
        self.state = State::Over;
        self.outgoing.clear();
        self.events.push_back(AssociationEvent::Failed { failure, checks });
    }

    /// NDR32 for the first call and NDR64 for later ones, as far as both are there.
    fn next_context(&self) -> Option<(u16, TransferSyntax)> {
        self.context_of(self.calls)
    }

    /// The context of the call after so many others.
    pub(super) fn context_of(&self, calls: u32) -> Option<(u16, TransferSyntax)> {
        let ndr32 = self.negotiated.ndr32.map(|id| (id, TransferSyntax::Ndr32));
        let ndr64 = self.negotiated.ndr64.map(|id| (id, TransferSyntax::Ndr64));
        if calls == 0 { ndr32.or(ndr64) } else { ndr64.or(ndr32) }
    }

    fn send(&mut self, now: Moment, pdu: &Pdu<'_>) {
        let start = self.outgoing.len();
        // Ours always fit: three contexts at most, fragments within their size.
        if pdu.encode_into(&mut self.outgoing).is_ok() && self.config.record {
            let bytes = self.outgoing[start..].to_vec();
            self.events.push_back(AssociationEvent::Pdu { sender: Sender::Client, at: now, bytes });
        }
    }
}

fn offer(offer: Offer) -> Bind {
    let contexts = match offer {
        Offer::Windows => vec![
            element(NDR32_CONTEXT, SyntaxId::NDR32),
            element(NDR64_CONTEXT, SyntaxId::NDR64),
            element(BTFN_CONTEXT, SyntaxId::bind_time_features(BOTH_FEATURES)),
        ],
        Offer::Only(TransferSyntax::Ndr32) => vec![element(NDR32_CONTEXT, SyntaxId::NDR32)],
        Offer::Only(TransferSyntax::Ndr64) => vec![element(NDR64_CONTEXT, SyntaxId::NDR64)],
    };
    bind_of(contexts, 0)
}

fn bind_of(contexts: Vec<ContextElement>, assoc_group: u32) -> Bind {
    Bind { max_xmit_frag: MAX_FRAGMENT, max_recv_frag: MAX_FRAGMENT, assoc_group, contexts }
}

fn element(id: u16, transfer: SyntaxId) -> ContextElement {
    ContextElement { id, interface: SyntaxId::KMS, transfer: vec![transfer] }
}

/// The call id of a bind: a Microsoft client starts at 2 (protocol description, section 1.1).
pub const FIRST_CALL_ID: u32 = 2;
const NDR32_CONTEXT: u16 = 0;
const NDR64_CONTEXT: u16 = 1;
const BTFN_CONTEXT: u16 = 2;
/// Security context multiplexing and keep connection on orphan.
const BOTH_FEATURES: u16 = 3;
