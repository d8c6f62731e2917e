//! The host's side of one connection: the mirror of [`super::Association`].
//!
//! It behaves as a Windows-modelled DCE/RPC server does (MS-RPCE, and what
//! Samba's raw protocol tests assert of Windows), and hands whole calls of the
//! KMS interface to its application.

use std::collections::VecDeque;

use crate::wire::kms::PORT;
use crate::wire::ndr::{REFERENT, RequestStub, ResponseStub};
use crate::wire::rpc::{
    Assembler, Auth, Bind, BindAck, BindNak, Body, ContextResult, Fault, FaultStatus, Flags, FragmentError,
    FrameBuffer, MAX_FRAGMENT, MIN_FRAGMENT, Pdu, PduView, Ptype, RejectReason, Request, Response, ResultCode,
    SyntaxId, TransferSyntax, fragments,
};
use crate::wire::{Hresult, Reader};

/// How a host behaves on one connection.
#[derive(Debug, Clone, Copy)]
pub struct HostConfig {
    /// The port it listens on: its secondary address.
    pub port: u16,
    /// Whether it speaks NDR64.
    pub ndr64: bool,
    /// The association group of this connection; not 0.
    pub assoc_group: u32,
    /// The largest fragment it sends, in bytes; never more than the client takes.
    pub max_fragment: u16,
    /// The largest request stub it joins, in bytes; 4 MiB is what a Windows RPC server joins by default.
    pub max_request: usize,
}

impl Default for HostConfig {
    fn default() -> HostConfig {
        HostConfig { port: PORT, ndr64: true, assoc_group: 1, max_fragment: MAX_FRAGMENT, max_request: 4 << 20 }
    }
}

/// A call of the KMS interface, for the application to answer with [`HostAssociation::answer`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCall {
    /// The request in its envelope.
    pub payload: Vec<u8>,
    /// The syntax of its context.
    pub syntax: TransferSyntax,
    call_id: u32,
    context_id: u16,
}

/// The host's side of one connection.
#[derive(Debug)]
pub struct HostAssociation {
    config: HostConfig,
    frames: FrameBuffer,
    assembler: Assembler,
    /// The first fragment's header fields, which count for the whole call.
    opened: Option<Opened>,
    bound: bool,
    contexts: Vec<(u16, TransferSyntax)>,
    /// Whether several calls at once were agreed on.
    multiplexes: bool,
    max_fragment: u16,
    outgoing: Vec<u8>,
    calls: VecDeque<HostCall>,
    closing: bool,
    /// A group of other connections that this one may join.
    allowed_group: Option<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Opened {
    context_id: u16,
    opnum: u16,
    big_endian: bool,
}

/// Commands.
impl HostAssociation {
    /// A connection that was just accepted.
    pub fn new(config: HostConfig) -> HostAssociation {
        HostAssociation {
            config,
            frames: FrameBuffer::default(),
            assembler: Assembler::new(config.max_request),
            opened: None,
            bound: false,
            contexts: Vec::new(),
            multiplexes: false,
            max_fragment: MAX_FRAGMENT,
            outgoing: Vec::new(),
            calls: VecDeque::new(),
            closing: false,
            allowed_group: None,
        }
    }

    /// Whoever binds with this association group, which another connection is in, is let into it.
    pub fn allow_group(&mut self, group: u32) {
        self.allowed_group = Some(group);
    }

    /// Answers a call: with an enveloped response, or with a code.
    pub fn answer(&mut self, call: &HostCall, answer: Result<&[u8], Hresult>) {
        let stub = match answer {
            Ok(payload) => ResponseStub::Answer { referent: REFERENT, payload, code: Hresult::OK },
            Err(code) => ResponseStub::Refusal { code },
        };
        let mut bytes = Vec::with_capacity(320);
        stub.write(call.syntax, &mut bytes);
        let size = self.config.max_fragment.min(self.max_fragment);
        let mut left = bytes.len();
        for (flags, piece) in fragments(&bytes, size) {
            let response =
                Response { alloc_hint: left as u32, context_id: call.context_id, cancel_count: 0, stub: piece };
            self.send(&Pdu { flags, ..Pdu::whole(call.call_id, Body::Response(response)) });
            left -= piece.len();
        }
    }
}

/// What came in.
impl HostAssociation {
    /// Takes bytes from the client, in any pieces.
    pub fn handle_bytes(&mut self, bytes: &[u8]) {
        if self.closing {
            return;
        }
        self.frames.push(bytes);
        let mut frames = std::mem::take(&mut self.frames);
        while !self.closing {
            match frames.next_frame() {
                Ok(Some(frame)) => self.handle_frame(frame),
                Ok(None) => break,
                Err(_) => self.closing = true,
            }
        }
        self.frames = frames;
    }
}

/// What is to go out, and what happened.
impl HostAssociation {
    /// Bytes for the client, if there are any.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        if self.outgoing.is_empty() { None } else { Some(std::mem::take(&mut self.outgoing)) }
    }

    /// The next call to answer.
    pub fn poll_call(&mut self) -> Option<HostCall> {
        self.calls.pop_front()
    }

    /// Whether a bind was accepted.
    pub fn is_bound(&self) -> bool {
        self.bound
    }

    /// The association group it is in, once it is bound.
    pub fn group(&self) -> u32 {
        self.config.assoc_group
    }

    /// Whether the connection is to be closed once everything was sent.
    pub fn is_closing(&self) -> bool {
        self.closing
    }
}

impl HostAssociation {
    fn handle_frame(&mut self, frame: &[u8]) {
        let view = PduView(frame);
        let call_id = view.call_id().unwrap_or_default();
        let ptype = view.ptype().unwrap_or(Ptype(0xff));
        let opens = matches!(ptype, Ptype::BIND);
        let legal_header = view.version() == Some((5, 0)) && matches!(view.drep(), Some([0x10 | 0x00, 0, 0, 0]));
        // Of a kind that does not exist nothing can be said, not even that it came too early.
        if legal_header && matches!(Pdu::decode(frame), Err(error) if error.field == "ptype") {
            return self.closing = true;
        }
        if !legal_header || (!self.bound && !opens) {
            return match self.bound {
                false => self.refuse_bind(call_id, RejectReason::PROTOCOL_VERSION_NOT_SUPPORTED),
                true => self.fault_and_close(call_id, 0, FaultStatus::PROTOCOL_ERROR, Flags::DID_NOT_EXECUTE),
            };
        }
        let pdu = match Pdu::decode(frame) {
            Ok(pdu) => pdu,
            Err(_) if opens => return self.refuse_bind(call_id, RejectReason::PROTOCOL_VERSION_NOT_SUPPORTED),
            // A kind or a body that cannot be read at all: there is nothing to answer.
            Err(_) => return self.closing = true,
        };
        match pdu.body {
            Body::Bind(_) if self.bound => self.refuse_bind(call_id, RejectReason::NOT_SPECIFIED),
            Body::Bind(bind) => self.handle_bind(call_id, pdu.flags, &bind, pdu.auth.as_ref()),
            // No authentication was agreed on, and none can be later.
            Body::AlterContext(_) if pdu.auth.is_some() => {
                self.fault_and_close(call_id, 0, FaultStatus::ACCESS_DENIED, Flags::DID_NOT_EXECUTE);
            }
            Body::AlterContext(alter) => self.handle_alter(call_id, &alter),
            Body::Request(request) => {
                self.handle_request(call_id, pdu.flags, frame.len(), &request, pdu.auth.is_some(), view.is_big_endian())
            }
            // With no call under way there is nothing to cancel or to orphan.
            Body::CoCancel | Body::Orphaned => {}
            _ => self.fault_and_close(call_id, 0, FaultStatus::PROTOCOL_ERROR, Flags::DID_NOT_EXECUTE),
        }
    }

    fn handle_bind(&mut self, call_id: u32, flags: Flags, bind: &Bind, auth: Option<&Auth<'_>>) {
        if let Some(auth) = auth {
            // No authentication at a level that needs some is a type nobody knows; at no real level, it is nonsense.
            let is_nonsense = auth.auth_type == AUTH_TYPE_NONE && !AUTH_LEVELS.contains(&auth.level);
            let reason = if is_nonsense { RejectReason::NOT_SPECIFIED } else { RejectReason::AUTH_TYPE_UNKNOWN };
            return self.refuse_bind(call_id, reason);
        }
        if bind.contexts.is_empty() {
            return self.refuse_bind(call_id, RejectReason::PROTOCOL_VERSION_NOT_SUPPORTED);
        }
        let features = bind.contexts.iter().filter(|context| features_of(context).is_some()).count();
        let empty = bind.contexts.iter().any(|context| context.transfer.is_empty());
        let joins = bind.assoc_group == 0 || self.allowed_group == Some(bind.assoc_group);
        if features > 1 || empty || !joins {
            return self.refuse_bind(call_id, RejectReason::NOT_SPECIFIED);
        }
        if bind.assoc_group != 0 {
            self.config.assoc_group = bind.assoc_group;
        }
        self.bound = true;
        self.multiplexes = flags.has(Flags::CONC_MPX);
        let size = bind.max_xmit_frag.min(bind.max_recv_frag).clamp(MIN_FRAGMENT, MAX_FRAGMENT) & !7;
        self.max_fragment = size;
        let results = self.negotiate(bind, true);
        let mut address = self.config.port.to_string().into_bytes();
        address.push(0);
        let ack = self.ack(size, address, results);
        let flags = Flags::WHOLE.with(Flags(flags.0 & (Flags::CONC_MPX.0 | Flags::PENDING_CANCEL.0)));
        self.send(&Pdu { flags, ..Pdu::whole(call_id, Body::BindAck(ack)) });
    }

    fn handle_alter(&mut self, call_id: u32, alter: &Bind) {
        let known = |id| self.contexts.iter().find(|(known, _)| *known == id).map(|(_, syntax)| *syntax);
        let changes = alter.contexts.iter().any(|context| {
            let other_syntax = |spoken: TransferSyntax| {
                !context.transfer.contains(&spoken.id())
                    && context.transfer.iter().any(|syntax| TransferSyntax::from_id(*syntax).is_some())
            };
            context.transfer.is_empty()
                || known(context.id).is_some_and(|spoken| context.interface != SyntaxId::KMS || other_syntax(spoken))
        });
        if alter.contexts.is_empty() || changes {
            return self.fault_and_close(call_id, 0, FaultStatus::PROTOCOL_ERROR, Flags::DID_NOT_EXECUTE);
        }
        let results = self.negotiate(alter, false);
        let ack = self.ack(self.max_fragment, Vec::new(), results);
        self.send(&Pdu::whole(call_id, Body::AlterContextResponse(ack)));
    }

    /// One result for each context. At most one is accepted in a bind or alter_context: one with
    /// NDR64 where that is spoken and offered, else the first with NDR32.
    fn negotiate(&mut self, bind: &Bind, at_bind: bool) -> Vec<ContextResult> {
        let serves = |index: usize, syntax: TransferSyntax| {
            let context = &bind.contexts[index];
            let asks_features = at_bind && features_of(context).is_some();
            context.interface == SyntaxId::KMS && context.transfer.contains(&syntax.id()) && !asks_features
        };
        let first = |syntax| (0..bind.contexts.len()).find(|&index| serves(index, syntax)).map(|index| (index, syntax));
        let ndr64 = if self.config.ndr64 { first(TransferSyntax::Ndr64) } else { None };
        let chosen = ndr64.or_else(|| first(TransferSyntax::Ndr32));
        let mut results = Vec::with_capacity(bind.contexts.len());
        for (index, context) in bind.contexts.iter().enumerate() {
            let rejected =
                |reason| ContextResult { result: ResultCode::PROVIDER_REJECTION, reason, syntax: SyntaxId::NONE };
            results.push(match (features_of(context), chosen) {
                (Some(asked), _) if at_bind => ContextResult {
                    result: ResultCode::NEGOTIATE_ACK,
                    reason: asked & FEATURES,
                    syntax: SyntaxId::NONE,
                },
                (_, Some((at, syntax))) if at == index => {
                    self.contexts.retain(|(id, _)| *id != context.id);
                    self.contexts.push((context.id, syntax));
                    ContextResult { result: ResultCode::ACCEPTED, reason: 0, syntax: syntax.id() }
                }
                _ if context.interface != SyntaxId::KMS => rejected(1),
                _ => rejected(2),
            });
        }
        results
    }

    fn ack(&self, size: u16, secondary_address: Vec<u8>, results: Vec<ContextResult>) -> BindAck {
        BindAck {
            max_xmit_frag: size,
            max_recv_frag: size,
            assoc_group: self.config.assoc_group,
            secondary_address,
            pad: [0; 3],
            results,
        }
    }

    fn handle_request(
        &mut self,
        call_id: u32,
        flags: Flags,
        frame_len: usize,
        request: &Request<'_>,
        auth: bool,
        big_endian: bool,
    ) {
        if auth {
            return self.fault_and_close(call_id, request.context_id, FaultStatus::ACCESS_DENIED, Flags::default());
        }
        if frame_len > usize::from(MAX_FRAGMENT) {
            return self.fault_and_close(call_id, 0, FaultStatus::PROTOCOL_ERROR, Flags::default());
        }
        let first = flags.has(Flags::FIRST);
        if first && flags.has(Flags::PENDING_CANCEL) {
            return self.fault_and_close(call_id, 0, FaultStatus::CALL_CANCELLED, Flags::DID_NOT_EXECUTE);
        }
        if first && !flags.has(Flags::LAST) && request.alloc_hint as usize > self.config.max_request {
            return self.fault_and_close(call_id, request.context_id, FaultStatus::ACCESS_DENIED, Flags::default());
        }
        // The byte order of a call is that of its first fragment.
        if !first && self.opened.is_some_and(|opened| opened.big_endian != big_endian) {
            return self.fault_and_close(call_id, 0, FaultStatus::PROTOCOL_ERROR, Flags::default());
        }
        let stub = match self.assembler.feed(call_id, flags, request.stub) {
            Ok(whole) => whole.map(<[u8]>::to_vec),
            Err(FragmentError::TooLong { .. }) => {
                return self.fault_and_close(call_id, request.context_id, FaultStatus::ACCESS_DENIED, Flags::default());
            }
            Err(FragmentError::FirstTwice { open, .. }) => {
                let named = if self.multiplexes { call_id } else { open };
                return self.fault_and_close(named, request.context_id, FaultStatus::PROTOCOL_ERROR, Flags::default());
            }
            Err(FragmentError::OtherCall { open, .. }) => {
                return self.fault_and_close(open, 0, FaultStatus::PROTOCOL_ERROR, Flags::default());
            }
            Err(_) => return self.fault_and_close(call_id, 0, FaultStatus::PROTOCOL_ERROR, Flags::default()),
        };
        if first {
            self.opened = Some(Opened { context_id: request.context_id, opnum: request.opnum, big_endian });
        }
        let (Some(stub), Some(opened)) = (stub, self.opened) else { return };
        self.opened = None;
        self.dispatch(call_id, opened, &stub, big_endian);
    }

    fn dispatch(&mut self, call_id: u32, opened: Opened, stub: &[u8], big_endian: bool) {
        let Opened { context_id, opnum, .. } = opened;
        let Some(&(_, syntax)) = self.contexts.iter().find(|(id, _)| *id == context_id) else {
            return self.fault(call_id, 0, FaultStatus::UNKNOWN_INTERFACE, Flags::DID_NOT_EXECUTE);
        };
        if opnum != 0 {
            return self.fault(call_id, context_id, FaultStatus::OP_RANGE_ERROR, Flags::DID_NOT_EXECUTE);
        }
        let mut r = Reader::new(crate::wire::ndr::layer(syntax), stub);
        r.set_big_endian(big_endian);
        match RequestStub::read(&mut r, syntax) {
            Ok(RequestStub { payload }) => {
                self.calls.push_back(HostCall { payload: payload.to_vec(), call_id, context_id, syntax });
            }
            Err(_) => self.fault(call_id, context_id, FaultStatus::BAD_STUB_DATA, Flags::default()),
        }
    }

    fn refuse_bind(&mut self, call_id: u32, reason: RejectReason) {
        let nak = BindNak { reason, versions: vec![(5, 0)], trailer: vec![0; 3] };
        self.send(&Pdu::whole(call_id, Body::BindNak(nak)));
        self.closing = true;
    }

    fn fault(&mut self, call_id: u32, context_id: u16, status: FaultStatus, flags: Flags) {
        let fault = Fault { alloc_hint: FAULT_LEN, context_id, cancel_count: 0, status, stub: &[] };
        self.send(&Pdu { flags: Flags::WHOLE.with(flags), ..Pdu::whole(call_id, Body::Fault(fault)) });
    }

    fn fault_and_close(&mut self, call_id: u32, context_id: u16, status: FaultStatus, flags: Flags) {
        self.fault(call_id, context_id, status, flags);
        self.closing = true;
    }

    fn send(&mut self, pdu: &Pdu<'_>) {
        // Ours always fit: as many results as contexts came in, fragments within their size.
        let sent = pdu.encode_into(&mut self.outgoing);
        debug_assert!(sent.is_ok());
    }
}

/// Bind time features count only as the first transfer syntax of a context.
fn features_of(context: &crate::wire::rpc::ContextElement) -> Option<u16> {
    context.transfer.first().and_then(|syntax| syntax.as_bind_time_features())
}

/// Security context multiplexing and keep connection on orphan: what is granted at most.
const FEATURES: u16 = 3;
/// No authentication (C706 section 13.1.2.1).
const AUTH_TYPE_NONE: u8 = 0;
/// Authentication levels from connect to privacy: those that need authentication.
const AUTH_LEVELS: std::ops::RangeInclusive<u8> = 2..=6;
/// The length of a fault PDU, which hosts put in its alloc_hint.
const FAULT_LEN: u32 = 32;
