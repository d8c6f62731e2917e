//! What is said in a talk: PDUs, whole or spoilt, and bytes that are none.

use super::{Kind, Said, Service, Talk, Waiting};
use crate::proto::{Ask, Sender};
use crate::wire::kms::ProtocolVersion;
use crate::wire::ndr::RequestStub;
use crate::wire::rpc::{
    Assembler, Bind, BindAck, Body, ContextElement, Flags, MAX_FRAGMENT, Pdu, PduView, Ptype, Request, SyntaxId,
    TransferSyntax,
};

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
        (RequestStub { payload: ask.payload() }.encode(syntax), Some(ask))
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
        self.said.push(Said { sender: Sender::Client, line, bytes: frame.to_vec(), syntax, opened: None, at });
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
        self.said.push(Said { sender: Sender::Client, line, bytes: bytes.to_vec(), syntax: None, opened: None, at });
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
}

/// The longest stub that is joined from fragments, in bytes.
const STUB_MAX: usize = 256 * 1024;
