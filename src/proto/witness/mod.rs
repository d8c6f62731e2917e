//! A third party that sees both directions of a conversation, long after or
//! while it happens, and judges the host as the client's machine would have.

mod event;
mod pending;
mod stream;

use std::collections::{BTreeMap, VecDeque};

pub use event::{Asked, WitnessEvent, WitnessedExchange};

use super::answers::{self, Opening, Step};
use super::verify::{self, Finding};
use super::{Answer, Failure, FailureKind, Moment, Outcome, Phase, ReplyBody, Sender, Unheard};
use crate::wire::FileTime;
use crate::wire::rpc::{Bind, BindAck, Body, Flags, Pdu, PduView, Ptype, Request, SyntaxId, TransferSyntax};
use pending::{Call, Context, Fragment, Heeded, Kind, Pending};
use stream::Stream;

/// What a witness knows beforehand.
#[derive(Debug, Clone, Copy)]
pub struct WitnessConfig {
    /// The port connected to, to hold the secondary address against.
    pub port: Option<u16>,
    /// The time by which an ePID's date is plausible.
    pub now: FileTime,
    /// Whether every byte of both directions will be seen. If not, what does not fit together
    /// is put down to what is missing and not to the host, and bytes that are handed over
    /// together and begin as a PDU are taken for one: how bytes are split then matters.
    pub whole: bool,
    /// The largest stub to join from fragments, in bytes.
    pub stub_bytes_max: usize,
}

impl Default for WitnessConfig {
    fn default() -> WitnessConfig {
        WitnessConfig { port: None, now: FileTime(u64::MAX), whole: true, stub_bytes_max: 256 * 1024 }
    }
}

/// The witness of one conversation. Where a client's machine gives up, it goes on: everything is
/// shown, and every answer is judged by itself.
#[derive(Debug)]
pub struct Witness {
    config: WitnessConfig,
    streams: [Stream; 2],
    waiting: VecDeque<Pending>,
    contexts: BTreeMap<u16, Context>,
    bind_seen: bool,
    /// The answer to the bind.
    ack: Option<BindAck>,
    events: VecDeque<WitnessEvent>,
}

/// What came by.
impl Witness {
    /// A witness who has seen nothing yet.
    pub fn new(config: WitnessConfig) -> Witness {
        Witness {
            config,
            streams: [Sender::Client, Sender::Host].map(Stream::new),
            waiting: VecDeque::new(),
            contexts: BTreeMap::new(),
            bind_seen: false,
            ack: None,
            events: VecDeque::new(),
        }
    }

    /// Takes bytes from either side, in any pieces.
    pub fn handle_bytes(&mut self, sender: Sender, at: Moment, bytes: &[u8]) {
        let side = usize::from(sender == Sender::Host);
        if !self.config.whole {
            self.events.extend(self.streams[side].resume_at(bytes));
        }
        self.streams[side].push(at, bytes);
        while let Some(frame) = self.streams[side].next(at) {
            let place = self.events.len();
            let (syntax, findings) = match sender {
                Sender::Client => (self.handle_client(at, &frame), Vec::new()),
                Sender::Host => self.handle_host(at, &frame),
            };
            self.events.insert(place, WitnessEvent::Pdu { sender, at, bytes: frame, syntax, findings });
        }
    }

    /// The recording is over.
    pub fn handle_end(&mut self) {
        if self.config.whole
            && let Some(lost) = self.streams[1].lost()
        {
            let (kind, bytes, at) = (lost.kind.clone(), lost.bytes.clone(), lost.at);
            let position = self.waiting.iter().position(|pending| !pending.is_broken());
            let mut pending = match position.and_then(|position| self.waiting.remove(position)) {
                Some(pending) => pending,
                None => Pending::new(0, at, Kind::Broken),
            };
            if kind == FailureKind::NotRpc {
                verify::check_stray(&mut pending.checks, &bytes);
            }
            self.fail(at, pending, kind, &bytes);
        }
        while let Some(pending) = self.waiting.pop_front() {
            self.leave_unanswered(&pending);
        }
        for stream in &mut self.streams {
            self.events.extend(stream.end());
        }
    }
}

/// What happened.
impl Witness {
    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<WitnessEvent> {
        self.events.pop_front()
    }
}

impl Witness {
    fn handle_client(&mut self, at: Moment, frame: &[u8]) -> Option<TransferSyntax> {
        let view = PduView(frame);
        let (call_id, most) = (view.call_id().unwrap_or_default(), self.config.stub_bytes_max);
        match Pdu::decode(frame) {
            Err(error) if view.ptype() == Some(Ptype::REQUEST) => {
                let call = Call::unheard(view.context_id().unwrap_or_default(), most, Unheard::Malformed(error));
                self.wait(Pending::new(call_id, at, Kind::Call(Box::new(call))));
            }
            Err(_) => self.wait(Pending::new(call_id, at, Kind::Broken)),
            Ok(Pdu { body: Body::Request(request), flags, .. }) => {
                return self.handle_request(at, call_id, flags, &request, view.is_big_endian());
            }
            Ok(Pdu { body: Body::Bind(offered), flags, auth, .. }) => {
                // A second bind, or one with a logon, is for a host to refuse.
                let kind = match self.bind_seen || auth.is_some() {
                    true => Kind::Broken,
                    false => Kind::Opening { altering: false, flags, offered },
                };
                self.bind_seen = true;
                self.wait(Pending::new(call_id, at, kind));
            }
            Ok(Pdu { body: Body::AlterContext(offered), flags, .. }) => {
                self.wait(Pending::new(call_id, at, Kind::Opening { altering: true, flags, offered }));
            }
            Ok(Pdu { body: Body::Auth3 | Body::CoCancel | Body::Orphaned, .. }) => {}
            Ok(_) => self.wait(Pending::new(call_id, at, Kind::Broken)),
        }
        None
    }

    fn handle_request(
        &mut self,
        at: Moment,
        call_id: u32,
        flags: Flags,
        request: &Request<'_>,
        big_endian: bool,
    ) -> Option<TransferSyntax> {
        if flags.has(Flags::FIRST) {
            // The same number again: nobody could tell any more which of the two is answered.
            let before = self.waiting.iter().position(|pending| pending.is_call() && pending.call_id == call_id);
            if let Some(before) = before.and_then(|before| self.waiting.remove(before)) {
                self.leave_unanswered(&before);
            }
            let call = Call::new(request.context_id, request.opnum, self.config.stub_bytes_max);
            self.wait(Pending::new(call_id, at, Kind::Call(Box::new(call))));
        }
        let mut open = self.waiting.iter().filter(|pending| pending.call_id == call_id);
        let context_id = open.find(|pending| pending.is_unfinished()).and_then(|pending| match &pending.kind {
            Kind::Call(call) => Some(call.context_id),
            _ => None,
        });
        let Some(context_id) = context_id else {
            if self.waiting.iter().all(|pending| pending.call_id != call_id) {
                self.wait(Pending::new(call_id, at, Kind::Broken));
            }
            return None;
        };
        let context = self.context(context_id);
        let open = self.waiting.iter_mut().find(|pending| pending.call_id == call_id && pending.is_unfinished());
        let Some(Pending { kind: Kind::Call(call), .. }) = open else { return None };
        let fragment = Fragment::new(request.stub, request.object.is_some(), big_endian);
        let Heeded::All(joined) = call.hear(call_id, flags, fragment, context) else { return None };
        let Call { syntax, guessed, request, .. } = &**call;
        let asked = Asked { call_id, syntax: *syntax, guessed: *guessed, request: request.clone(), joined };
        let syntax = asked.syntax;
        self.events.push_back(WitnessEvent::Asked(Box::new(asked)));
        syntax
    }

    fn handle_host(&mut self, at: Moment, frame: &[u8]) -> (Option<TransferSyntax>, Vec<Finding>) {
        let view = PduView(frame);
        let (ptype, call_id) = (view.ptype().unwrap_or(Ptype(0xff)), view.call_id().unwrap_or_default());
        let position = self.whose(ptype, call_id).unwrap_or(self.waiting.len());
        let mut pending = match self.waiting.remove(position) {
            Some(pending) => pending,
            None if self.bind_seen && self.config.whole => {
                let mut pending = Pending::new(call_id, at, Kind::Broken);
                let kind = verify::check_unasked(&mut pending.checks, view);
                self.fail(at, pending, kind, frame);
                return (None, Vec::new());
            }
            None if matches!(ptype, Ptype::RESPONSE | Ptype::FAULT) => {
                let context_id = view.context_id().unwrap_or_default();
                let mut call = Call::unheard(context_id, self.config.stub_bytes_max, Unheard::Missed);
                if let Context::Spoken(syntax) = self.context(context_id) {
                    call.syntax = Some(syntax);
                }
                Pending::new(call_id, at, Kind::Call(Box::new(call)))
            }
            None => return (None, Vec::new()),
        };
        let before = pending.checks.findings.len();
        let new = |pending: &Pending| pending.checks.findings[before..].to_vec();
        match &mut pending.kind {
            Kind::Broken => (None, Vec::new()),
            Kind::Opening { altering, flags, offered } => {
                let (altering, call_id) = (*altering, pending.call_id);
                let step = match altering {
                    true => Step::Alter { ack: self.ack.as_ref() },
                    false => Step::Bind { port: self.config.port },
                };
                let opening = Opening { call_id, flags: *flags, offered, step };
                let read = answers::read_ack(&mut pending.checks, frame, opening);
                let findings = new(&pending);
                match read {
                    Ok(ack) => self.conclude_opening(pending, ack),
                    Err(kind) => self.fail(at, pending, kind, frame),
                }
                (None, findings)
            }
            Kind::Call(call) => {
                call.answered_in += 1;
                let (context_id, call_id) = (call.context_id, pending.call_id);
                let read = answers::read_reply(&mut pending.checks, &mut call.answering, frame, call_id, context_id);
                if let Ok(Some(ReplyBody::Stub(stub))) = &read {
                    call.settle_syntax(stub);
                }
                let syntax = call.syntax;
                let findings = new(&pending);
                match read {
                    Ok(None) => self.waiting.insert(position, pending),
                    Ok(Some(body)) => self.conclude_call(at, pending, body),
                    Err(kind) => self.fail(at, pending, kind, frame),
                }
                (syntax, findings)
            }
        }
    }

    /// What a PDU of the host answers: what has its call id, or else what has waited longest.
    fn whose(&self, ptype: Ptype, call_id: u32) -> Option<usize> {
        let find = |wanted: &dyn Fn(&Pending) -> bool| self.waiting.iter().position(wanted);
        let named = |pending: &Pending| pending.call_id == call_id;
        find(&|pending| named(pending) && pending.awaits(ptype)).or_else(|| find(&named)).or_else(|| {
            // It may as well belong to a request from before the recording.
            let earlier = self.waiting.iter().all(|pending| call_id < pending.call_id);
            if !self.config.whole || (!self.bind_seen && earlier) {
                return None;
            }
            find(&|pending| !pending.is_broken() && pending.awaits(ptype))
                .or_else(|| find(&|pending| !pending.is_broken()))
        })
    }

    fn conclude_opening(&mut self, pending: Pending, ack: BindAck) {
        let Pending { checks, kind: Kind::Opening { altering, offered, .. }, .. } = pending else { return };
        self.take_contexts(&offered, &ack);
        if !altering {
            self.ack = Some(ack.clone());
        }
        self.events.push_back(WitnessEvent::Bound { altered: altering, offered, ack, checks });
    }

    fn take_contexts(&mut self, offered: &Bind, ack: &BindAck) {
        for context in &offered.contexts {
            self.contexts.entry(context.id).or_insert(Context::Unaccepted);
        }
        for (context, syntax) in answers::accepted(offered, ack) {
            let known = match context.interface {
                SyntaxId::KMS => Context::Spoken(syntax),
                other => Context::Foreign(other),
            };
            self.contexts.insert(context.id, known);
        }
    }

    fn conclude_call(&mut self, at: Moment, pending: Pending, body: ReplyBody) {
        let Pending { call_id, sent, checks, kind: Kind::Call(call) } = pending else { return };
        let ask = call.request.as_ref().ok().map(|heard| &heard.ask);
        let answer = Answer::judged(&body, call.syntax, checks, ask, self.config.now);
        let joined = match body {
            ReplyBody::Stub(stub) if call.answered_in > 1 => Some(stub),
            _ => None,
        };
        self.report(at, call_id, sent, *call, answer, joined);
    }

    /// The host's answer is none, and `frame` says how.
    fn fail(&mut self, at: Moment, pending: Pending, kind: FailureKind, frame: &[u8]) {
        let Pending { call_id, sent, mut checks, kind: waiting } = pending;
        let phase = match &waiting {
            Kind::Opening { altering: true, .. } => Phase::AlterContext,
            Kind::Opening { .. } => Phase::Bind,
            Kind::Broken if self.ack.is_none() => Phase::Bind,
            Kind::Call(_) | Kind::Broken => Phase::Call,
        };
        let failure = Failure::with_bytes(phase, kind, frame);
        match waiting {
            Kind::Call(call) => self.report(at, call_id, sent, *call, Answer::failed(failure, checks), None),
            Kind::Opening { .. } | Kind::Broken => {
                verify::record_failure(&mut checks, &failure);
                self.events.push_back(WitnessEvent::Failed { failure, checks });
            }
        }
    }

    fn report(&mut self, at: Moment, call_id: u32, sent: Moment, call: Call, answer: Answer, joined: Option<Vec<u8>>) {
        let Call { syntax, guessed, request, .. } = call;
        // A refusal is one whoever asked; whether a count is enough depends on who did.
        let refused = answer.wire.is_some_and(|code| code != crate::wire::Hresult::OK);
        let n_policy = request.as_ref().map(|heard| heard.request().n_policy);
        let outcome = n_policy.ok().or(refused.then_some(0)).map(|n_policy| Outcome::conclude(&answer, n_policy));
        let exchange =
            WitnessedExchange { call_id, syntax, guessed, sent, received: at, request, answer, joined, outcome };
        self.events.push_back(WitnessEvent::Exchange(Box::new(exchange)));
    }

    fn wait(&mut self, pending: Pending) {
        if self.waiting.len() == WAITING_MAX
            && let Some(oldest) = self.waiting.pop_front()
        {
            self.leave_unanswered(&oldest);
        }
        self.waiting.push_back(pending);
    }

    fn leave_unanswered(&mut self, pending: &Pending) {
        let phase = match &pending.kind {
            Kind::Opening { altering: true, .. } => Phase::AlterContext,
            Kind::Opening { .. } => Phase::Bind,
            Kind::Call(_) => Phase::Call,
            Kind::Broken => return,
        };
        self.events.push_back(WitnessEvent::Unanswered { phase, call_id: pending.call_id, sent: pending.sent });
    }

    fn context(&self, id: u16) -> Context {
        let unknown = if self.ack.is_some() && self.config.whole { Context::Unaccepted } else { Context::Unknown };
        self.contexts.get(&id).copied().unwrap_or(unknown)
    }
}

/// How many steps are held that have no answer yet: more than any client has under way at once.
const WAITING_MAX: usize = 64;
