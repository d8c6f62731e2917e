//! What is heard in a talk: whole answers, with every check there is done on each PDU.

use std::time::Duration;

use super::{Kind, Said, Shared, Suspect, Talk, Waiting};
use crate::conform::accept::{Answered, Seen};
use crate::conform::host::{Closing, Heard, Patience};
use crate::proto::answers::{self, Opening, Step};
use crate::proto::verify::{self, CheckId, Checks};
use crate::proto::{Answer, Ask, Failure, FailureKind, Moment, Phase, Reply, ReplyBody, ReplyTimes, Sender};
use crate::wire::kms::ProtocolVersion;
use crate::wire::ndr;
use crate::wire::rpc::{FrameBuffer, PduView, Ptype, RPC_VERSION, SyntaxId, TransferSyntax, in_other_order};
use crate::wire::{FileTime, Hresult};

/// What is heard, and every check there is on it.
impl Talk<'_> {
    /// Waits for one whole answer, and looks what becomes of the connection then, if that is asked for.
    pub fn see(&mut self, patience: Patience, then: Option<Patience>) -> Seen {
        let (mut reply, mut answer) = (None, None);
        let (mut fragments, begun) = (0, self.tick());
        while let Some(frame) = self.next_frame(if fragments == 0 { patience } else { Patience::Answer }, begun) {
            if fragments == 0 {
                self.note_wait();
            }
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
            let bytes = self.take_pending();
            self.mind_length(&bytes);
            self.say_heard(&bytes, None, None);
            reply = Some(bytes);
        }
        let is_fault = reply.as_deref().is_some_and(|frame| PduView(frame).ptype() == Some(Ptype::FAULT));
        // Whoever is known to close a while after a fault is waited for.
        let late = self.shared.closes_late.filter(|_| is_fault).map(Patience::For);
        let closing = then.into_iter().chain(late).fold(self.conversation().end, |end, patience| {
            end.or_else(|| Some(self.closing(patience)).filter(|closing| *closing != Closing::Open))
        });
        let closing = closing.unwrap_or(Closing::Open);
        if reply.is_none() && closing != Closing::Open {
            self.suspect();
        }
        // What follows a PDU and begins none is the rest of it: its length is wrong.
        let is_rest = self.conversation().frames.pending().first().is_some_and(|first| *first != RPC_VERSION);
        if let (true, Some(whole)) = (is_rest, reply.as_mut()) {
            let rest = self.take_pending();
            self.say_heard(&rest, None, None);
            whole.extend_from_slice(&rest);
            let whole = whole.clone();
            self.mind_length(&whole);
            answer = None;
        }
        Seen { reply, answer, closing }
    }

    /// What came and is no whole PDU.
    fn take_pending(&mut self) -> Vec<u8> {
        let bytes = self.conversation().frames.pending().to_vec();
        self.conversation().frames = FrameBuffer::default();
        bytes
    }

    /// Whether a PDU says how long it is, which only what begins like one can.
    fn mind_length(&mut self, bytes: &[u8]) {
        if bytes.first() == Some(&RPC_VERSION) {
            let mut checks = Checks::default();
            verify::check_frag_length(&mut checks, PduView(bytes));
            self.absorb(checks);
        }
    }

    /// A connection that is closed without an answer may have been closed for what came before: when that got a fault
    /// and the end of it was still on its way.
    fn suspect(&mut self) {
        let line = self.current;
        let said: Vec<_> = self.said.iter().filter(|said| said.line == line).collect();
        let Some(at) = said.iter().rposition(|said| said.sender == Sender::Host) else { return };
        let is_fault = PduView(&said[at].bytes).ptype() == Some(Ptype::FAULT);
        let asked = said[..at].iter().rfind(|said| said.sender == Sender::Client);
        if let (true, [first, ..], Some(asked)) = (is_fault && at + 1 < said.len(), &said[..], asked) {
            self.suspect = Some([first.bytes.clone(), asked.bytes.clone()]);
        }
    }

    /// How long after a fault the host closes the connection; none, when it does not by itself.
    pub(in crate::conform) fn closes_after(&mut self, [bind, refused]: &Suspect) -> Option<Duration> {
        self.connect().ok()?;
        for frame in [bind, refused] {
            self.send_opaque(frame);
            self.see(Patience::Answer, None).reply?;
        }
        if self.is_over() {
            return None;
        }
        let begun = self.tick();
        let closing = self.closing(Patience::For(LATE_MAX));
        (closing != Closing::Open).then(|| self.tick() - begun)
    }

    /// How long an answer took from when something was said last.
    fn note_wait(&mut self) {
        let took = self.tick() - self.conversation().since;
        self.waited = (self.waited.0 + 1, self.waited.1 + took);
    }

    /// What becomes of the connection.
    pub fn closing(&mut self, patience: Patience) -> Closing {
        let begun = self.tick();
        loop {
            let conversation = self.conversation();
            if let Some(end) = conversation.end {
                return end;
            }
            if !self.hear(patience, begun) {
                return self.conversation().end.unwrap_or(Closing::Open);
            }
        }
    }

    fn next_frame(&mut self, patience: Patience, begun: Moment) -> Option<Vec<u8>> {
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
            if !self.hear(patience, begun) {
                return None;
            }
        }
    }

    /// Takes what comes next; whether there is reason to look again. A host that never comes to an end, or for every
    /// byte takes its time, is left.
    fn hear(&mut self, patience: Patience, begun: Moment) -> bool {
        let (heard_for, heard_for_max) = (self.host.moment() - begun, WHOLE_TIMES * self.host.timeout());
        let conversation = &mut self.conversations[self.current];
        match conversation.line.hear(patience) {
            Heard::Bytes(bytes) => {
                conversation.heard += bytes.len();
                if conversation.heard > HEARD_MAX || heard_for > heard_for_max {
                    conversation.line.reset();
                    conversation.end = Some(Closing::Reset);
                    let (heard, seconds) = (conversation.heard, heard_for.as_secs_f32());
                    self.notes
                        .push(format!("the host did not stop sending: left after {heard} bytes in {seconds:.1} s"));
                    return false;
                }
                conversation.frames.push(&bytes);
                true
            }
            Heard::Nothing => false,
            Heard::End(end) => {
                conversation.end = Some(end);
                true
            }
        }
    }

    /// Does every check there is on a PDU, and says what a response came to and whether it is whole.
    fn take_in(&mut self, frame: &[u8]) -> (Option<Answered>, bool) {
        let view = PduView(frame);
        let call_id = view.call_id().unwrap_or_default();
        let port = self.port();
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
            self.say_heard(frame, None, None);
            return (None, true);
        };
        let Waiting { call_id, big_endian, mut kind } = conversation.waiting.remove(place);
        // Who was asked in big endian may answer so: the receiver makes it right.
        let turned = if big_endian && view.is_big_endian() { in_other_order(frame) } else { None };
        let said = turned.as_deref().unwrap_or(frame);
        let mut answer = None;
        let (mut syntax_said, mut opened) = (None, None);
        let mut is_whole = true;
        match &mut kind {
            Kind::Opening { flags, offered, altering } => {
                let step = match altering {
                    true => Step::Alter { ack: conversation.ack.as_ref() },
                    false => Step::Bind { port: (port != 0).then_some(port) },
                };
                let opening = Opening { call_id, flags: *flags, offered, step };
                // What it refuses is the case's to judge.
                let read = answers::read_ack(&mut checks, said, opening);
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
                match answers::read_reply(&mut checks, assembler, said, call_id, *context) {
                    Ok(None) => is_whole = false,
                    Ok(Some(ReplyBody::Stub(mut stub))) => {
                        if turned.is_some() {
                            stub = ndr::response_in_other_order(&stub, *syntax, true);
                        }
                        let body = ReplyBody::Stub(stub);
                        let times = ReplyTimes { sent: *at, received };
                        let reply =
                            Reply { call_id, syntax: *syntax, body, times, checks: std::mem::take(&mut checks) };
                        let (came, told, sealed) = self.shared.answered(reply, ask.as_deref(), &mut checks, wall);
                        let came = if self.shared.any_response { Answered::Granted } else { came };
                        (answer, self.told, opened) = (Some(came), told, sealed);
                    }
                    Err(kind @ (FailureKind::Fragments(_) | FailureKind::Malformed(_))) => {
                        verify::record_failure(&mut checks, &Failure::new(Phase::Call, kind));
                    }
                    Ok(Some(ReplyBody::Fault(_))) | Err(_) => {}
                }
            }
            Kind::Other => answers::read_other(&mut checks, said, call_id),
        }
        if !is_whole {
            self.conversations[self.current].waiting.insert(place, Waiting { call_id, big_endian, kind });
        }
        self.absorb(checks);
        self.say_heard(frame, syntax_said, opened);
        (answer, is_whole)
    }

    /// What came and was not read: it may be what nobody asked for.
    pub(super) fn take_in_the_rest(&mut self) {
        for line in 0..self.conversations.len() {
            self.current = line;
            for _ in 0..FRAGMENTS_MAX {
                let Ok(Some(frame)) = self.conversation().frames.next_frame() else { break };
                let frame = frame.to_vec();
                self.take_in(&frame);
            }
            let rest = self.conversation().frames.pending().to_vec();
            // What begins like a PDU may be one that was still on its way.
            let is_whole = self.conversation().end == Some(Closing::Fin);
            if rest.first().is_some_and(|first| is_whole || *first != RPC_VERSION) {
                self.mind_length(&rest);
                let mut checks = Checks::default();
                checks.judge(CheckId::WellFormed, false, || {
                    ("PDUs as long as they say".to_owned(), format!("{} bytes that are no whole PDU", rest.len()))
                });
                self.absorb(checks);
                self.say_heard(&rest, None, None);
            }
        }
    }

    /// Takes in what checks came to of what is said next.
    fn absorb(&mut self, checks: Checks) {
        checks.findings.iter().for_each(|finding| self.show(finding.check, self.said.len()));
        self.checks.absorb(checks);
    }

    /// A check that what was said last does not keep.
    pub(super) fn breaks(&mut self, check: CheckId, evidence: impl FnOnce() -> (String, String)) {
        self.show(check, self.said.len().saturating_sub(1));
        self.checks.judge(check, false, evidence);
    }

    fn show(&mut self, check: CheckId, at: usize) {
        if !self.shows.iter().any(|(shown, _)| *shown == check) {
            self.shows.push((check, at));
        }
    }

    fn say_heard(&mut self, bytes: &[u8], syntax: Option<TransferSyntax>, opened: Option<Opened>) {
        let line = self.current;
        let at = self.tick();
        self.said.push(Said { sender: Sender::Host, line, bytes: bytes.to_vec(), syntax, opened, at });
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
    ) -> (Answered, Option<Answer>, Option<Opened>) {
        let answer = match ask {
            Some(ask) => ask.judge(&reply, wall),
            // What was asked cannot be read: an answer can still be told from a refusal.
            None if self.service.interface == SyntaxId::KMS => Answer::unasked(&reply, wall),
            None => {
                checks.absorb(reply.checks);
                return (Answered::Granted, None, None);
            }
        };
        let version = answer.response.as_ref().map(|response| response.version);
        let version = version.or(ask.map(|ask| ask.request().version)).unwrap_or(ProtocolVersion::V6);
        let opened = (!answer.plaintext.is_empty()).then(|| (version, answer.plaintext.clone()));
        checks.absorb(answer.checks.clone());
        let code = answer.wire.unwrap_or(Hresult::OK);
        if code != Hresult::OK {
            return (Answered::Refused(code.0), None, opened);
        }
        if let (None, Some(_)) = (ask, answer.wire) {
            return (Answered::Granted, None, opened);
        }
        if !answer.checks.is_trusted() || answer.response.is_none() {
            let first = answer.checks.findings.first();
            let why = first.map_or("it cannot be read".to_owned(), ToString::to_string);
            return (Answered::Garbled(why, first.and_then(|first| first.place)), None, opened);
        }
        if let Some(ask) = ask {
            checks.absorb(self.history.observe(ask.request(), &answer, reply.times.sent, reply.times.received));
        }
        (Answered::Granted, Some(answer), opened)
    }
}

/// What was sealed in an answer, and in which version.
type Opened = (ProtocolVersion, Vec<u8>);
/// More bytes than this on one connection are nothing a case asked for.
const HEARD_MAX: usize = 8 << 20;
/// Whoever closes later than this after a fault does so for another reason.
const LATE_MAX: Duration = Duration::from_secs(1);
/// An answer that began is whole before so many times as long as it may take to begin.
const WHOLE_TIMES: u32 = 2;
/// More fragments than any answer has.
const FRAGMENTS_MAX: usize = 1024;
