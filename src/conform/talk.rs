//! What the program of a case talks to: connections to the host, and a record of all that was said.
//!
//! Here is what is said; `asking` knows what KMS is asked, `hearing` takes in what comes, `judging` holds it against
//! what a case accepts.

mod asking;
mod hearing;
mod judging;

use std::time::Duration;

use super::accept::{Accept, Answered, Grade, Mismatch, Seen, Then, Want, judge};
use super::host::{Closing, Heard, Host, Line, Patience, Process};
use crate::catalog::{self, Product};
use crate::client::identity::{ClientId, Index, workstation_name};
use crate::client::{Machine, Randomness};
use crate::proto::answers::{self, Opening, Step};
use crate::proto::verify::{self, CheckId, Checks, History, Place};
use crate::proto::{Answer, Ask, Failure, FailureKind, Moment, Phase, Reply, ReplyBody, ReplyTimes, Sender};
use crate::wire::kms::{ActivationRequest, ProtocolVersion, WorkstationName};
use crate::wire::ndr::{self, RequestStub};
use crate::wire::rpc::{
    Assembler, Bind, BindAck, Body, ContextElement, Flags, FrameBuffer, MAX_FRAGMENT, Pdu, PduView, Ptype, Request,
    SyntaxId, TransferSyntax, in_other_order,
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

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Stop::Foundation(why) | Stop::NotApplicable(why) => f.pad(why),
        }
    }
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
    /// The version of ordinary requests: the newest that the host answers right.
    pub version: ProtocolVersion,
    /// Whether a response will do for an answer, whatever it says: of a host that answers no ordinary request right
    /// it can still be told how it speaks DCE/RPC.
    pub any_response: bool,
    /// How long ordinary exchanges took so far, one after the other.
    pub paces: Vec<Duration>,
    /// How long the host took for an answer in each of them.
    pub answer_times: Vec<Duration>,
    /// How long after a fault the host closes the connection, when it does so too late to be seen to.
    pub closes_late: Option<Duration>,
    /// Whether others were seen to be counted meanwhile.
    pub has_other_clients: bool,
    /// Whether the host's table was filled up, so that it may refuse everybody.
    pub is_full: bool,
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
    /// Whether what is wrong is that the host keeps other clients waiting.
    pub starves_others: bool,
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
    /// When the first connection was opened.
    begun: Option<Moment>,
    /// How many answers were waited for, and how long for all of them.
    waited: (u32, Duration),
    /// What a connection began with and what got a fault on it, when the next thing said on it was not answered.
    suspect: Option<Suspect>,
}

/// What a connection began with, and what got a fault on it.
pub(super) type Suspect = [Vec<u8>; 2];

struct Conversation {
    line: Box<dyn Line>,
    /// The port connected to.
    port: u16,
    frames: FrameBuffer,
    end: Option<Closing>,
    next_call_id: u32,
    waiting: Vec<Waiting>,
    ack: Option<BindAck>,
    contexts: Vec<(u16, TransferSyntax)>,
    /// How many bytes came.
    heard: usize,
    /// When something was said on it last.
    since: Moment,
}

/// Something that awaits an answer.
struct Waiting {
    call_id: u32,
    /// Whether its integers were big endian: then those of its answer may be.
    big_endian: bool,
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
    /// What may have been closed before what was said next, and not by it.
    pub suspect: Option<Suspect>,
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
            begun: None,
            waited: (0, Duration::ZERO),
            suspect: None,
        }
    }

    pub(super) fn finish(mut self) -> Outcome {
        self.take_in_the_rest();
        let Talk { said, judged, checks, notes, suspect, .. } = self;
        Outcome { said, judged, checks, notes, suspect }
    }
}

/// Connections.
impl Talk<'_> {
    /// Opens a connection, and goes on over it.
    pub fn connect(&mut self) -> Result<(), Stop> {
        let line = self.host.connect().map_err(Stop::Foundation)?;
        self.go_on_over(line);
        Ok(())
    }

    /// At how many addresses the host was said to be.
    pub fn addresses(&self) -> usize {
        self.host.addresses()
    }

    /// Its address of that number, from 0, in words.
    pub fn address(&self, number: usize) -> String {
        self.host.address(number)
    }

    /// Opens a connection to the host's address of that number, from 0, and goes on over it.
    pub fn connect_to(&mut self, address: usize) -> Result<(), Stop> {
        let line = self.host.connect_to(address).map_err(Stop::Foundation)?;
        self.go_on_over(line);
        Ok(())
    }

    fn go_on_over(&mut self, line: Box<dyn Line>) {
        let since = self.tick();
        let port = self.host.port();
        self.conversations.push(Conversation {
            line,
            port,
            frames: FrameBuffer::default(),
            end: None,
            next_call_id: FIRST_CALL_ID + CALL_IDS_A_LINE * self.conversations.len() as u32,
            waiting: Vec::new(),
            ack: None,
            contexts: Vec::new(),
            heard: 0,
            since,
        });
        self.begun.get_or_insert(since);
        self.current = self.conversations.len() - 1;
    }

    /// Opens a connection and binds it the ordinary way: one context, 0, with NDR32.
    pub fn bind(&mut self) -> Result<BindAck, Stop> {
        self.bind_in(TransferSyntax::Ndr32)
    }

    /// The same with this syntax.
    pub fn bind_in(&mut self, syntax: TransferSyntax) -> Result<BindAck, Stop> {
        self.connect()?;
        self.bind_here(syntax)
    }

    /// Binds the connection there is the ordinary way, with this syntax.
    pub fn bind_here(&mut self, syntax: TransferSyntax) -> Result<BindAck, Stop> {
        let offered = self.offer(vec![self.context(0, &[syntax.id()])]);
        self.send_bind(Flags::WHOLE, &offered);
        self.is_bound_in(syntax)
    }

    /// Waits for the answer to an ordinary bind, with NDR32, which has to accept it.
    pub fn is_bound(&mut self) -> Result<BindAck, Stop> {
        self.is_bound_in(TransferSyntax::Ndr32)
    }

    fn is_bound_in(&mut self, syntax: TransferSyntax) -> Result<BindAck, Stop> {
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

    /// The number of the connection that is talked over, from 0.
    pub fn line(&self) -> usize {
        self.current
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
        let conversation = self.conversation();
        conversation.line.reset();
        conversation.line = Box::new(super::host::NoLine);
        conversation.end = Some(Closing::Reset);
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
    pub fn rest(&mut self, time: Duration) {
        self.host.rest(time);
    }

    /// How long it has taken so far.
    pub fn took(&mut self) -> Duration {
        let now = self.tick();
        self.begun.map_or(Duration::ZERO, |begun| now - begun)
    }

    /// What the host's process takes up, where it is known which one that is.
    pub fn process(&mut self) -> Option<Process> {
        self.host.process()
    }

    /// How long ordinary exchanges took so far in this run, one after the other.
    pub fn paces(&self) -> &[Duration] {
        &self.shared.paces
    }

    /// How long the host took for an answer so far in this case, in the mean.
    pub(super) fn answer_time(&self) -> Option<Duration> {
        let (many, time) = self.waited;
        time.checked_div(many)
    }

    /// How often a case does what it repeats, if it waits for so many answers each time: `many` times, or with a host
    /// that takes its time as often as there is time for, and `least` times whatever happens. What is left out is noted.
    pub fn times(&mut self, many: usize, least: usize, answers: u32) -> usize {
        let recent = &self.shared.answer_times[self.shared.answer_times.len().saturating_sub(RECENT)..];
        let (takes, each) = (median(recent), median(recent) * answers);
        let fits = CASE_TIME.as_nanos().checked_div(each.as_nanos()).and_then(|fits| usize::try_from(fits).ok());
        let times = fits.unwrap_or(many).clamp(least.min(many), many);
        if times < many {
            self.note(format!("{times} times of {many}: the host takes {} ms for an answer", takes.as_millis()));
        }
        times
    }

    /// Of these steps those that there is time for, if each waits for so many answers: all of them, or evenly spread the
    /// first, the last and `least` at least.
    pub fn some_of<T>(&mut self, all: Vec<T>, least: usize, answers: u32) -> Vec<T> {
        let many = all.len();
        let times = self.times(many, least, answers);
        // Of so many steps a step is taken whenever another share is full; the first and the last always are.
        let is_due = |at: usize| at == 0 || at * (times - 1) / (many - 1) > (at - 1) * (times - 1) / (many - 1);
        all.into_iter().enumerate().filter(|(at, _)| times == many || is_due(*at)).map(|(_, step)| step).collect()
    }

    /// Whether the host takes so long for an answer that what can be asked at the same time is.
    pub fn is_slow(&self) -> bool {
        median(&self.shared.answer_times) >= SLOW
    }

    /// Whether nobody else asks the host meanwhile, as far as is known.
    pub fn is_alone(&self) -> bool {
        !self.host.is_paced() && !self.shared.has_other_clients
    }

    /// From here on the host may refuse everybody, for its table is full.
    pub fn fill_up(&mut self) {
        self.shared.is_full = true;
    }

    /// Whether it may.
    pub fn is_full(&self) -> bool {
        self.shared.is_full
    }

    /// Whether no case should make hundreds of requests.
    pub fn is_paced(&self) -> bool {
        self.host.is_paced()
    }

    /// The port connected to.
    pub fn port(&self) -> u16 {
        self.conversations.get(self.current).map_or_else(|| self.host.port(), |conversation| conversation.port)
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

    /// The version of ordinary requests.
    pub fn version(&self) -> ProtocolVersion {
        self.shared.version
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
        let ask = self.ask(self.version(), |_| {});
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
            conversation.waiting.push(Waiting { call_id, big_endian: view.is_big_endian(), kind });
        }
        call_id
    }

    /// Sends bytes as they are.
    pub fn transmit(&mut self, bytes: &[u8]) {
        if PduView(bytes).ptype() == Some(Ptype::REQUEST) {
            self.host.pace();
        }
        let since = self.tick();
        let conversation = self.conversation();
        conversation.line.send(bytes);
        conversation.since = since;
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

/// The one in the middle.
pub fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// For so long a case repeats itself, about.
const CASE_TIME: Duration = Duration::from_secs(6);
/// As many exchanges tell how long the host takes just now.
const RECENT: usize = 9;
/// A host on the other side of the world.
const SLOW: Duration = Duration::from_millis(20);
/// As clients have it, so that what counts from 1 is not mistaken for the first call.
const FIRST_CALL_ID: u32 = 2;
/// No two connections of a case use the same ones, so that an answer shows whose it is.
const CALL_IDS_A_LINE: u32 = 0x1_0000;
/// The longest stub that is joined from fragments, in bytes.
const STUB_MAX: usize = 256 * 1024;
/// More fragments than any answer has.
const FRAGMENTS_MAX: usize = 1024;
/// What ordinary clients want; it needs a count of 25.
const PRODUCT: &str = "Windows 11 Enterprise";

/// A syntax no host knows.
pub const NO_SYNTAX: SyntaxId =
    SyntaxId { uuid: Guid::from_u128(0x6b6d_7370_0000_4000_8000_0000_0000_0001), version: 1 };
