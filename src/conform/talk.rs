//! What the program of a case talks to: connections to the host, and a record of all that was said.

use super::accept::{Accept, Answered, Grade, Mismatch, Seen, Then, Want, judge};
use super::host::{Closing, Heard, Host, Line, Patience};
use crate::catalog::{self, Product};
use crate::client::identity::{ClientId, Index, workstation_name};
use crate::client::{Machine, Randomness};
use crate::proto::answers::{self, Opening, Step};
use crate::proto::verify::{self, CheckId, Checks, History, Place};
use crate::proto::{Answer, Ask, Failure, FailureKind, Moment, Phase, Reply, ReplyBody, ReplyTimes, Sender};
use crate::wire::kms::{ActivationRequest, ProtocolVersion, WorkstationName};
use crate::wire::ndr::RequestStub;
use crate::wire::rpc::{
    Assembler, Bind, BindAck, Body, ContextElement, Flags, FrameBuffer, MAX_FRAGMENT, Pdu, PduView, Ptype, Request,
    SyntaxId, TransferSyntax,
};
use crate::wire::{FileTime, Guid, Hresult, Layer};

/// What is asked of the host in ordinary calls: KMS activation, or a call of any other interface.
#[derive(Debug, Clone)]
pub struct Service {
    /// The interface.
    pub interface: SyntaxId,
    /// The operation.
    pub opnum: u16,
    /// The stub of a call, as it is; of KMS it is made anew for each.
    pub stub: Option<Vec<u8>>,
}

impl Service {
    /// KMS.
    pub const KMS: Service = Service { interface: SyntaxId::KMS, opnum: 0, stub: None };
}

/// Why a program cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// What has nothing to do with the requirement did not work.
    Foundation(String),
    /// The question does not arise with this host.
    NotApplicable(String),
}

/// What all cases of a run have in common.
#[derive(Debug)]
pub struct Shared {
    /// What is asked for in ordinary calls.
    pub service: Service,
    /// What the host's answers were like so far.
    pub history: History,
    /// IVs of requests.
    pub randomness: Randomness,
}

/// One thing that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// By whom.
    pub sender: Sender,
    /// On which connection of the case, from 0.
    pub line: usize,
    /// What: a PDU, or bytes that are none.
    pub bytes: Vec<u8>,
    /// The syntax of its stub, if it has one.
    pub syntax: Option<TransferSyntax>,
    /// When.
    pub at: Moment,
}

/// One thing a case looked at.
#[derive(Debug, Clone)]
pub struct Judged {
    /// What it was.
    pub label: String,
    /// How good.
    pub grade: Grade,
    /// What is wrong with it.
    pub mismatch: Option<Mismatch>,
    /// Which thing said shows it.
    pub said: Option<usize>,
}

/// A conversation of a case with a host, over one connection or more.
pub struct Talk<'h> {
    host: &'h mut dyn Host,
    shared: &'h mut Shared,
    conversations: Vec<Conversation>,
    current: usize,
    said: Vec<Said>,
    judged: Vec<Judged>,
    checks: Checks,
    notes: Vec<String>,
    /// Another client for each machine that is asked for.
    clients: u32,
    told: Option<Answer>,
}

struct Conversation {
    line: Box<dyn Line>,
    frames: FrameBuffer,
    end: Option<Closing>,
    next_call_id: u32,
    waiting: Vec<Waiting>,
    ack: Option<BindAck>,
    contexts: Vec<(u16, TransferSyntax)>,
}

/// Something that awaits an answer.
struct Waiting {
    call_id: u32,
    kind: Kind,
}

enum Kind {
    Opening { flags: Flags, offered: Bind, altering: bool },
    Call { context: u16, syntax: TransferSyntax, ask: Option<Box<Ask>>, assembler: Assembler, at: Moment },
    Other,
}

/// What became of a case's talk.
pub(super) struct Outcome {
    pub said: Vec<Said>,
    pub judged: Vec<Judged>,
    pub checks: Checks,
    pub notes: Vec<String>,
}

impl<'h> Talk<'h> {
    pub(super) fn new(host: &'h mut dyn Host, shared: &'h mut Shared) -> Talk<'h> {
        Talk {
            host,
            shared,
            conversations: Vec::new(),
            current: 0,
            said: Vec::new(),
            judged: Vec::new(),
            checks: Checks::default(),
            notes: Vec::new(),
            clients: 0,
            told: None,
        }
    }

    pub(super) fn finish(mut self) -> Outcome {
        self.take_in_the_rest();
        Outcome { said: self.said, judged: self.judged, checks: self.checks, notes: self.notes }
    }
}

/// Connections.
impl Talk<'_> {
    /// Opens a connection, and goes on over it.
    pub fn connect(&mut self) -> Result<(), Stop> {
        let line = self.host.connect().map_err(Stop::Foundation)?;
        self.conversations.push(Conversation {
            line,
            frames: FrameBuffer::default(),
            end: None,
            next_call_id: FIRST_CALL_ID,
            waiting: Vec::new(),
            ack: None,
            contexts: Vec::new(),
        });
        self.current = self.conversations.len() - 1;
        Ok(())
    }

    /// Opens a connection and binds it the ordinary way: one context, 0, with NDR32.
    pub fn bind(&mut self) -> Result<BindAck, Stop> {
        self.bind_in(TransferSyntax::Ndr32)
    }

    /// The same with this syntax.
    pub fn bind_in(&mut self, syntax: TransferSyntax) -> Result<BindAck, Stop> {
        self.connect()?;
        let offered = self.offer(vec![self.context(0, &[syntax.id()])]);
        self.send_bind(Flags::WHOLE, &offered);
        let seen = self.see(Patience::Answer, None);
        match self.ack() {
            Some(ack) if seen.closing == Closing::Open && self.syntax_of(0) == Some(syntax) => Ok(ack.clone()),
            _ => {
                self.mind_refusal(&seen);
                Err(Stop::Foundation(format!("an ordinary bind was not accepted: {seen}")))
            }
        }
    }

    /// The same with NDR32, these flags and this context, which the host has to accept.
    pub fn bind_with(&mut self, flags: Flags, context: u16) -> Result<BindAck, Stop> {
        self.connect()?;
        let offered = self.offer(vec![self.context(context, &[SyntaxId::NDR32])]);
        self.send_bind(flags, &offered);
        let seen = self.see(Patience::Answer, None);
        match self.ack() {
            Some(ack) if seen.closing == Closing::Open && self.syntax_of(context).is_some() => Ok(ack.clone()),
            _ => Err(Stop::Foundation(format!("a bind of context {context} was not accepted: {seen}"))),
        }
    }

    /// Opens a connection and agrees on several calls at once.
    pub fn bind_multiplexed(&mut self) -> Result<(), Stop> {
        self.bind_with(Flags::WHOLE.with(Flags::CONC_MPX), 0)?;
        let ack = self.said.last().and_then(|said| PduView(&said.bytes).flags());
        match ack.is_some_and(|flags| flags.has(Flags::CONC_MPX)) {
            true => Ok(()),
            false => Err(Stop::NotApplicable("the host does not agree to several calls at once".to_owned())),
        }
    }

    /// Goes on over the connection of that number, from 0.
    pub fn on(&mut self, line: usize) {
        self.current = line;
    }

    /// Sends nothing more on this connection.
    pub fn half_close(&mut self) {
        self.conversation().line.finish();
    }

    /// Breaks this connection off.
    pub fn break_off(&mut self) {
        self.conversation().line.reset();
        self.conversation().end = Some(Closing::Reset);
    }

    /// Closes this connection.
    pub fn close(&mut self) {
        self.half_close();
        let conversation = self.conversation();
        conversation.end.get_or_insert(Closing::Fin);
        conversation.line = Box::new(super::host::NoLine);
    }

    /// Whether the host has closed this connection.
    pub fn is_over(&self) -> bool {
        self.conversations.get(self.current).is_none_or(|conversation| conversation.end.is_some())
    }

    /// Lets time go by.
    pub fn rest(&mut self, time: std::time::Duration) {
        self.host.rest(time);
    }

    /// Whether no case should make hundreds of requests.
    pub fn is_paced(&self) -> bool {
        self.host.is_paced()
    }

    /// The port connected to.
    pub fn port(&self) -> u16 {
        self.host.port()
    }

    /// What our own clock shows.
    pub fn now(&self) -> FileTime {
        self.host.wall()
    }

    fn conversation(&mut self) -> &mut Conversation {
        &mut self.conversations[self.current]
    }
}

/// What is said.
impl Talk<'_> {
    /// What is asked for in ordinary calls.
    pub fn service(&self) -> &Service {
        &self.shared.service
    }

    /// A context of the interface that is asked for.
    pub fn context(&self, id: u16, transfer: &[SyntaxId]) -> ContextElement {
        ContextElement { id, interface: self.shared.service.interface, transfer: transfer.to_vec() }
    }

    /// A bind with these contexts, and as a client offers it else.
    pub fn offer(&self, contexts: Vec<ContextElement>) -> Bind {
        Bind { max_xmit_frag: MAX_FRAGMENT, max_recv_frag: MAX_FRAGMENT, assoc_group: 0, contexts }
    }

    /// Sends a bind.
    pub fn send_bind(&mut self, flags: Flags, offered: &Bind) -> u32 {
        let pdu = Pdu { flags, ..Pdu::whole(self.next_call_id(), Body::Bind(offered.clone())) };
        self.send_pdu(&pdu)
    }

    /// Sends an alter_context.
    pub fn send_alter(&mut self, offered: &Bind) -> u32 {
        let pdu = Pdu::whole(self.next_call_id(), Body::AlterContext(offered.clone()));
        self.send_pdu(&pdu)
    }

    /// Sends an ordinary request in this context, and says its call id.
    pub fn request(&mut self, context: u16) -> u32 {
        self.request_with(context, |_| {})
    }

    /// The same, changed: what is changed is the PDU as it goes out.
    pub fn request_with(&mut self, context: u16, change: impl FnOnce(&mut Vec<u8>)) -> u32 {
        let (mut frame, ask) = self.request_frame(context);
        change(&mut frame);
        self.send_frame(&frame, ask)
    }

    /// An ordinary request in this context as it would go out, and what it asks.
    pub fn request_frame(&mut self, context: u16) -> (Vec<u8>, Option<Ask>) {
        let syntax = self.syntax_of(context).unwrap_or(TransferSyntax::Ndr32);
        let (stub, ask) = self.stub(syntax);
        let call_id = self.next_call_id();
        let frame = self.frame_of(call_id, Flags::WHOLE, context, &stub);
        (frame, ask)
    }

    /// A request of these parts, as it goes out.
    pub fn frame_of(&self, call_id: u32, flags: Flags, context: u16, stub: &[u8]) -> Vec<u8> {
        let opnum = self.shared.service.opnum;
        let request = Request { alloc_hint: stub.len() as u32, context_id: context, opnum, object: None, stub };
        let pdu = Pdu { flags, ..Pdu::whole(call_id, Body::Request(request)) };
        pdu.encode().expect("a request of a case is shorter than a PDU may be")
    }

    /// The stub of an ordinary call, and what it asks.
    pub fn stub(&mut self, syntax: TransferSyntax) -> (Vec<u8>, Option<Ask>) {
        if let Some(stub) = &self.shared.service.stub {
            return (stub.clone(), None);
        }
        let ask = self.ask(ProtocolVersion::V6, |_| {});
        let mut stub = Vec::new();
        RequestStub { payload: ask.payload() }.write(syntax, &mut stub);
        (stub, Some(ask))
    }

    /// Sends a PDU, and says its call id.
    pub fn send_pdu(&mut self, pdu: &Pdu<'_>) -> u32 {
        let frame = pdu.encode().expect("a PDU of a case is shorter than one may be");
        self.send_frame(&frame, None)
    }

    /// Sends a PDU that may be no legal one, and says its call id. `ask` is what a request asks.
    pub fn send_frame(&mut self, frame: &[u8], ask: Option<Ask>) -> u32 {
        self.told = None;
        let waiting = self.note_sent(frame, ask);
        self.transmit(frame);
        waiting
    }

    /// Sends a PDU of whose answer only header and form are judged: the rest is the case's to look at.
    pub fn send_opaque(&mut self, frame: &[u8]) -> u32 {
        let call_id = self.note_sent(frame, None);
        if let Some(waiting) = self.conversation().waiting.last_mut() {
            waiting.kind = Kind::Other;
        }
        self.transmit(frame);
        call_id
    }

    /// Notes PDUs that go out together, as what awaits an answer; [`Talk::transmit`] sends them.
    pub fn note_sent(&mut self, frame: &[u8], ask: Option<Ask>) -> u32 {
        let view = PduView(frame);
        let call_id = view.call_id().unwrap_or_default();
        let at = self.tick();
        let (kind, syntax) = match Pdu::decode(frame).map(|pdu| (pdu.flags, pdu.body)) {
            Ok((flags, Body::Bind(offered))) => (Kind::Opening { flags, offered, altering: false }, None),
            Ok((flags, Body::AlterContext(offered))) => (Kind::Opening { flags, offered, altering: true }, None),
            Ok((_, Body::Request(request))) => {
                let context = request.context_id;
                let syntax = self.syntax_of(context).unwrap_or(TransferSyntax::Ndr32);
                let assembler = Assembler::new(STUB_MAX);
                (Kind::Call { context, syntax, ask: ask.map(Box::new), assembler, at }, Some(syntax))
            }
            _ => (Kind::Other, None),
        };
        let line = self.current;
        let is_first = !self.said.iter().any(|said| said.line == line);
        self.said.push(Said { sender: Sender::Client, line, bytes: frame.to_vec(), syntax, at });
        let conversation = self.conversation();
        // Later fragments of a call do not await answers of their own.
        let is_more = view.ptype() == Some(Ptype::REQUEST)
            && view.flags().is_some_and(|flags| !flags.has(Flags::FIRST))
            && conversation.waiting.iter().any(|waiting| waiting.call_id == call_id);
        // What is no answer's business awaits none; before a bind it is one.
        let is_unanswered = !is_first && matches!(view.ptype(), Some(Ptype::CO_CANCEL | Ptype::ORPHANED));
        if !is_more && !is_unanswered {
            conversation.waiting.push(Waiting { call_id, kind });
        }
        call_id
    }

    /// Sends bytes as they are.
    pub fn transmit(&mut self, bytes: &[u8]) {
        if PduView(bytes).ptype() == Some(Ptype::REQUEST) {
            self.host.pace();
        }
        self.conversation().line.send(bytes);
    }

    /// Sends bytes that are not meant to be PDUs.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        let line = self.current;
        let at = self.tick();
        self.said.push(Said { sender: Sender::Client, line, bytes: bytes.to_vec(), syntax: None, at });
        self.transmit(bytes);
    }

    /// The call id of the next PDU.
    pub fn next_call_id(&mut self) -> u32 {
        let conversation = self.conversation();
        conversation.next_call_id += 1;
        conversation.next_call_id - 1
    }

    /// The syntax that was agreed on for a context.
    pub fn syntax_of(&self, context: u16) -> Option<TransferSyntax> {
        let contexts = &self.conversations.get(self.current)?.contexts;
        contexts.iter().find(|(id, _)| *id == context).map(|(_, syntax)| *syntax)
    }

    /// The host's bind_ack of this connection.
    pub fn ack(&self) -> Option<&BindAck> {
        self.conversations.get(self.current)?.ack.as_ref()
    }

    fn tick(&mut self) -> Moment {
        self.host.moment()
    }
}

/// What KMS is asked.
impl Talk<'_> {
    /// A machine of the fixed pool: number 0 is the one that ordinary calls are of.
    pub fn machine(&self, number: u32) -> Machine {
        self.machine_with(number, catalog::find(PRODUCT).expect("the catalogue has it"))
    }

    /// The same, that wants another product.
    pub fn machine_with(&self, number: u32, product: &Product) -> Machine {
        let index = Index::new(number).expect("a case has few clients");
        let name = WorkstationName::new(&workstation_name("conform", index)).expect("it is short");
        Machine::new(format!("conform {}", number + 1), ClientId::pool(index), name, product, self.host.wall())
    }

    /// What an ordinary client asks in this version, changed.
    pub fn ask(&mut self, version: ProtocolVersion, change: impl FnOnce(&mut ActivationRequest)) -> Ask {
        let now = self.host.wall();
        let mut request = self.machine(self.clients).request(version, now, now);
        change(&mut request);
        let iv = self.shared.randomness.next_iv();
        Ask::new(request, iv)
    }

    /// Another IV.
    pub fn iv(&mut self) -> [u8; 16] {
        self.shared.randomness.next_iv()
    }

    /// What the last answer to an ask said; none when it was no answer.
    pub fn told(&self) -> Option<&Answer> {
        self.told.as_ref()
    }

    /// Asks over an open connection, opening one if there is none, and holds what comes against a set.
    pub fn expect_ask(&mut self, label: &str, ask: &Ask, accepts: &[Accept]) -> Result<Seen, Stop> {
        self.expect_payload(label, ask.payload(), Some(ask.clone()), accepts)
    }

    /// The same with an envelope of one's own.
    pub fn expect_payload(
        &mut self,
        label: &str,
        payload: &[u8],
        ask: Option<Ask>,
        accepts: &[Accept],
    ) -> Result<Seen, Stop> {
        if self.is_over() {
            self.bind()?;
        }
        let syntax = self.syntax_of(0).unwrap_or(TransferSyntax::Ndr32);
        let mut stub = Vec::new();
        RequestStub { payload }.write(syntax, &mut stub);
        let call_id = self.next_call_id();
        let frame = self.frame_of(call_id, Flags::WHOLE, 0, &stub);
        self.send_frame(&frame, ask);
        Ok(self.expect(label, accepts))
    }
}

/// What is heard, and what it is held against.
impl Talk<'_> {
    /// Waits for the host's answer to what was said last, and holds it against a set.
    pub fn expect(&mut self, label: &str, accepts: &[Accept]) -> Seen {
        let best = accepts.iter().find(|accept| accept.grade == Grade::Ok);
        let patience = match best {
            Some(Accept { reply: Want::Silence, then: Then::Open, .. }) => Patience::Silence,
            Some(Accept { reply: Want::Silence, .. }) => Patience::Close,
            _ => Patience::Answer,
        };
        let mut seen = self.see(patience, Some(Patience::Silence));
        // Who is to close may take its time; who is as it should be already is not waited for.
        let closes = accepts.iter().any(|accept| accept.then == Then::Closed);
        if seen.closing == Closing::Open && closes && judge(&seen, accepts) != Ok(Grade::Ok) {
            seen.closing = self.closing(Patience::Close);
        }
        self.judge(label, &seen, accepts);
        seen
    }

    /// An answer that comes before others, so that nothing is said of whether the connection stays open.
    pub fn expect_next(&mut self, label: &str, accepts: &[Accept]) -> Seen {
        let seen = self.see(Patience::Answer, None);
        self.judge(label, &seen, accepts);
        seen
    }

    /// Holds something seen against a set.
    pub fn judge(&mut self, label: &str, seen: &Seen, accepts: &[Accept]) {
        self.mind_fault(seen, accepts);
        let (grade, mismatch) = match judge(seen, accepts) {
            Ok(grade) => (grade, None),
            Err(mismatch) => (Grade::Fail, Some(mismatch)),
        };
        let mismatch = mismatch.or_else(|| {
            let (expected, got) = (super::accept::words(accepts), seen.to_string());
            (grade == Grade::NonStrict).then_some(Mismatch { field: "reply", expected, got, place: None })
        });
        self.push(label, grade, mismatch);
    }

    /// Whether a field is as it has to be.
    pub fn field<T: PartialEq + std::fmt::Debug>(&mut self, field: &'static str, expected: T, got: T) {
        let right = expected == got;
        self.holds(field, right, || (format!("{expected:?}"), format!("{got:?}")));
    }

    /// Whether something holds; what would have been right, and what was there, in words.
    pub fn holds(&mut self, field: &'static str, holds: bool, evidence: impl FnOnce() -> (String, String)) {
        let mismatch = (!holds).then(|| {
            let (expected, got) = evidence();
            Mismatch { field, expected, got, place: place_of(field) }
        });
        self.push(field, if holds { Grade::Ok } else { Grade::Fail }, mismatch);
    }

    /// The same of something that is not strict when it does not hold.
    pub fn should_hold(&mut self, field: &'static str, holds: bool, evidence: impl FnOnce() -> (String, String)) {
        self.holds(field, holds, evidence);
        if let Some(last) = self.judged.last_mut().filter(|last| last.grade == Grade::Fail) {
            last.grade = Grade::NonStrict;
        }
    }

    /// Something worth knowing.
    pub fn note(&mut self, words: impl Into<String>) {
        self.notes.push(words.into());
    }

    /// Whether this connection still serves an ordinary request.
    pub fn still_serves(&mut self, label: &str) {
        if self.is_over() {
            return;
        }
        self.request(0);
        let seen = self.see(Patience::Answer, None);
        let accepts = [super::accept::ok(Want::Served, Then::Either)];
        self.mind_fault(&seen, &accepts);
        if seen.reply.is_none() {
            self.checks.judge(CheckId::Answered, false, || ("a response".to_owned(), seen.to_string()));
        }
        if let Err(mismatch) = judge(&seen, &accepts) {
            self.push(label, Grade::Fail, Some(Mismatch { field: "liveness", ..mismatch }));
        } else {
            self.push(label, Grade::Ok, None);
        }
    }

    /// Whether an ordinary client on a connection of its own is served meanwhile. Goes on over that connection.
    pub fn serves_others(&mut self, label: &str) {
        let seen = self.connect().map(|()| {
            let offered = self.offer(vec![self.context(0, &[SyntaxId::NDR32])]);
            self.send_bind(Flags::WHOLE, &offered);
            let seen = self.see(Patience::Answer, None);
            if self.syntax_of(0).is_none() {
                return seen;
            }
            self.request(0);
            self.see(Patience::Answer, None)
        });
        let served =
            seen.as_ref().is_ok_and(|seen| judge(seen, &[super::accept::ok(Want::Served, Then::Either)]).is_ok());
        let mismatch = (!served).then(|| Mismatch {
            field: "liveness",
            expected: "an ordinary exchange on another connection".to_owned(),
            got: seen.map_or_else(|stop| format!("{stop:?}"), |seen| seen.to_string()),
            place: None,
        });
        self.push(label, if served { Grade::Ok } else { Grade::Fail }, mismatch);
    }

    /// An ordinary bind that is not accepted, or not even answered, breaks a rule of its own.
    fn mind_refusal(&mut self, seen: &Seen) {
        let check = if seen.reply.is_some() { CheckId::BindAccepted } else { CheckId::Answered };
        self.checks.judge(check, false, || ("a bind_ack that accepts it".to_owned(), seen.to_string()));
    }

    /// A fault where nothing but a response is right breaks a rule of its own, whatever the case is about.
    fn mind_fault(&mut self, seen: &Seen, accepts: &[Accept]) {
        let responses = |accept: &Accept| matches!(accept.reply, Want::Served | Want::Answered | Want::Refused(_));
        let Some(frame) = seen.reply.as_deref().filter(|_| accepts.iter().all(responses)) else { return };
        if PduView(frame).ptype() == Some(Ptype::FAULT) {
            self.checks.judge(CheckId::NoFault, false, || ("a response".to_owned(), seen.to_string()));
        }
    }

    /// Waits for one whole answer, and looks what becomes of the connection then, if that is asked for.
    pub fn see(&mut self, patience: Patience, then: Option<Patience>) -> Seen {
        let (mut reply, mut answer) = (None, None);
        let mut fragments = 0;
        while let Some(frame) = self.next_frame(if fragments == 0 { patience } else { Patience::Answer }) {
            fragments += 1;
            let (result, is_whole) = self.take_in(&frame);
            reply = Some(frame);
            answer = result;
            if is_whole || fragments == FRAGMENTS_MAX {
                break;
            }
        }
        // What is no PDU at all is an answer too, of a kind.
        if reply.is_none() && !self.conversation().frames.pending().is_empty() {
            let bytes = self.conversation().frames.pending().to_vec();
            self.say_heard(&bytes, None);
            reply = Some(bytes);
        }
        let closing = match (self.conversation().end, then) {
            (Some(end), _) => end,
            (None, Some(patience)) => self.closing(patience),
            (None, None) => Closing::Open,
        };
        Seen { reply, answer, closing }
    }

    /// What becomes of the connection.
    pub fn closing(&mut self, patience: Patience) -> Closing {
        loop {
            let conversation = self.conversation();
            if let Some(end) = conversation.end {
                return end;
            }
            match conversation.line.hear(patience) {
                Heard::Bytes(bytes) => conversation.frames.push(&bytes),
                Heard::Nothing => return Closing::Open,
                Heard::End(end) => conversation.end = Some(end),
            }
        }
    }

    /// PDUs that came without anybody waiting for them.
    pub fn has_more(&mut self) -> bool {
        self.closing(Patience::Silence);
        !self.conversation().frames.pending().is_empty()
    }

    fn next_frame(&mut self, patience: Patience) -> Option<Vec<u8>> {
        loop {
            let conversation = self.conversation();
            match conversation.frames.next_frame() {
                Ok(Some(frame)) => return Some(frame.to_vec()),
                Ok(None) => {}
                Err(_) => return None,
            }
            if conversation.end.is_some() {
                return None;
            }
            match conversation.line.hear(patience) {
                Heard::Bytes(bytes) => conversation.frames.push(&bytes),
                Heard::Nothing => return None,
                Heard::End(end) => conversation.end = Some(end),
            }
        }
    }

    /// Does every check there is on a PDU, and says what a response came to and whether it is whole.
    fn take_in(&mut self, frame: &[u8]) -> (Option<Answered>, bool) {
        let view = PduView(frame);
        let call_id = view.call_id().unwrap_or_default();
        let port = self.host.port();
        let (wall, received) = (self.host.wall(), self.tick());
        let conversation = &mut self.conversations[self.current];
        let place = conversation.waiting.iter().position(|waiting| waiting.call_id == call_id);
        let mut checks = Checks::default();
        let Some(place) = place.or((!conversation.waiting.is_empty()).then_some(0)) else {
            checks.judge(CheckId::NothingUnasked, false, || {
                let got = view.ptype().unwrap_or(Ptype(0xff));
                ("silence".to_owned(), format!("a {got} that nobody asked for"))
            });
            self.absorb(checks);
            self.say_heard(frame, None);
            return (None, true);
        };
        let Waiting { call_id, mut kind } = conversation.waiting.remove(place);
        let mut answer = None;
        let mut syntax_said = None;
        let mut is_whole = true;
        match &mut kind {
            Kind::Opening { flags, offered, altering } => {
                let step = match altering {
                    true => Step::Alter { ack: conversation.ack.as_ref() },
                    false => Step::Bind { port: (port != 0).then_some(port) },
                };
                let opening = Opening { call_id, flags: *flags, offered, step };
                // What it refuses is the case's to judge.
                let read = answers::read_ack(&mut checks, frame, opening);
                match &read {
                    Err(FailureKind::Unexpected { expected, got })
                        if matches!(*got, Ptype::BIND_ACK | Ptype::ALTER_CONTEXT_RESPONSE) =>
                    {
                        checks.judge(CheckId::ExpectedKind, false, || ((*expected).to_owned(), format!("a {got}")));
                    }
                    Err(FailureKind::Malformed(error)) => checks.fail_decode(CheckId::WellFormed, error),
                    _ => {}
                }
                if let Ok(ack) = read {
                    conversation
                        .contexts
                        .extend(answers::accepted(offered, &ack).map(|(context, syntax)| (context.id, syntax)));
                    if !*altering {
                        conversation.ack = Some(ack);
                    }
                }
            }
            Kind::Call { context, syntax, ask, assembler, at } => {
                syntax_said = Some(*syntax);
                match answers::read_reply(&mut checks, assembler, frame, call_id, *context) {
                    Ok(None) => is_whole = false,
                    Ok(Some(body @ ReplyBody::Stub(_))) => {
                        let times = ReplyTimes { sent: *at, received };
                        let reply =
                            Reply { call_id, syntax: *syntax, body, times, checks: std::mem::take(&mut checks) };
                        let (came, told) = self.shared.answered(reply, ask.as_deref(), &mut checks, wall);
                        (answer, self.told) = (Some(came), told);
                    }
                    Err(kind @ (FailureKind::Fragments(_) | FailureKind::Malformed(_))) => {
                        verify::record_failure(&mut checks, &Failure::new(Phase::Call, kind));
                    }
                    Ok(Some(ReplyBody::Fault(_))) | Err(_) => {}
                }
            }
            Kind::Other => answers::read_other(&mut checks, frame, call_id),
        }
        if !is_whole {
            self.conversations[self.current].waiting.insert(place, Waiting { call_id, kind });
        }
        self.absorb(checks);
        self.say_heard(frame, syntax_said);
        (answer, is_whole)
    }

    /// What came and was not read: it may be what nobody asked for.
    fn take_in_the_rest(&mut self) {
        for line in 0..self.conversations.len() {
            self.current = line;
            for _ in 0..FRAGMENTS_MAX {
                let Ok(Some(frame)) = self.conversation().frames.next_frame() else { break };
                let frame = frame.to_vec();
                self.take_in(&frame);
            }
        }
    }

    fn absorb(&mut self, checks: Checks) {
        self.checks.absorb(checks);
    }

    fn say_heard(&mut self, bytes: &[u8], syntax: Option<TransferSyntax>) {
        let line = self.current;
        let at = self.tick();
        self.said.push(Said { sender: Sender::Host, line, bytes: bytes.to_vec(), syntax, at });
    }

    fn push(&mut self, label: &str, grade: Grade, mismatch: Option<Mismatch>) {
        let said = (grade != Grade::Ok).then(|| self.said.len().checked_sub(1)).flatten();
        self.judged.push(Judged { label: label.to_owned(), grade, mismatch, said });
    }
}

impl Shared {
    /// What a whole response came to, and what it says; every check of it is added.
    fn answered(
        &mut self,
        reply: Reply,
        ask: Option<&Ask>,
        checks: &mut Checks,
        wall: FileTime,
    ) -> (Answered, Option<Answer>) {
        let answer = match ask {
            Some(ask) => ask.judge(&reply, wall),
            // What was asked cannot be read: an answer can still be told from a refusal.
            None if self.service.interface == SyntaxId::KMS => Answer::unasked(&reply, wall),
            None => {
                checks.absorb(reply.checks);
                return (Answered::Granted, None);
            }
        };
        checks.absorb(answer.checks.clone());
        let code = answer.wire.unwrap_or(Hresult::OK);
        if code != Hresult::OK {
            return (Answered::Refused(code.0), None);
        }
        if let (None, Some(_)) = (ask, answer.wire) {
            return (Answered::Granted, None);
        }
        if !answer.checks.is_trusted() || answer.response.is_none() {
            let why = answer.checks.findings.first().map_or("it cannot be read".to_owned(), ToString::to_string);
            return (Answered::Garbled(why), None);
        }
        if let Some(ask) = ask {
            checks.absorb(self.history.observe(ask.request(), &answer, reply.times.sent, reply.times.received));
        }
        (Answered::Granted, Some(answer))
    }
}

/// Where a field of a PDU stands, when its name says.
fn place_of(field: &'static str) -> Option<Place> {
    let offset = match field {
        "pfc_flags" => 3,
        "frag_length" => 8,
        "call_id" => 12,
        "alloc_hint" | "max_xmit_frag" => 16,
        "max_recv_frag" => 18,
        "p_cont_id" | "assoc_group" => 20,
        "cancel_count" => 22,
        "secondary_address" | "status" => 24,
        "reserved" => 28,
        _ => return None,
    };
    Some(Place { layer: Layer::Rpc, field, offset })
}

/// As clients have it, so that what counts from 1 is not mistaken for the first call.
const FIRST_CALL_ID: u32 = 2;
/// The longest stub that is joined from fragments, in bytes.
const STUB_MAX: usize = 256 * 1024;
/// More fragments than any answer has.
const FRAGMENTS_MAX: usize = 1024;
/// What ordinary clients want; it needs a count of 25.
const PRODUCT: &str = "Windows 11 Enterprise";

/// A syntax no host knows.
pub const NO_SYNTAX: SyntaxId =
    SyntaxId { uuid: Guid::from_u128(0x6b6d_7370_0000_4000_8000_0000_0000_0001), version: 1 };
