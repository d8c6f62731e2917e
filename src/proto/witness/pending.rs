//! What a client sent and a host has yet to answer.

use crate::proto::verify::Checks;
use crate::proto::{Heard, Moment, Unheard};
use crate::wire::ndr::{self, RequestStub, ResponseStub};
use crate::wire::rpc::{Assembler, Bind, CALL_HEADER_LEN, Flags, Ptype, SyntaxId, TransferSyntax};
use crate::wire::{DecodeError, Reader};

/// One thing that awaits an answer.
#[derive(Debug)]
pub(super) struct Pending {
    pub call_id: u32,
    pub sent: Moment,
    /// What was found of the PDUs that answered it so far.
    pub checks: Checks,
    pub kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// A bind or an alter_context.
    Opening { altering: bool, flags: Flags, offered: Bind },
    /// A call.
    Call(Box<Call>),
    /// What no client should send: whatever comes of it is shown and not judged.
    Broken,
}

/// A call under way.
#[derive(Debug)]
pub(super) struct Call {
    pub context_id: u16,
    pub opnum: u16,
    pub syntax: Option<TransferSyntax>,
    pub guessed: bool,
    pub asking: Assembler,
    pub asked_in: u32,
    pub answering: Assembler,
    pub answered_in: u32,
    pub request: Result<Heard, Unheard>,
}

impl Pending {
    pub fn new(call_id: u32, sent: Moment, kind: Kind) -> Pending {
        Pending { call_id, sent, checks: Checks::default(), kind }
    }

    /// Whether a PDU of this kind may answer it.
    pub fn awaits(&self, ptype: Ptype) -> bool {
        match &self.kind {
            Kind::Opening { altering: false, .. } => {
                matches!(ptype, Ptype::BIND_ACK | Ptype::BIND_NAK | Ptype::FAULT)
            }
            Kind::Opening { .. } => matches!(ptype, Ptype::ALTER_CONTEXT_RESPONSE | Ptype::FAULT),
            Kind::Call(_) => matches!(ptype, Ptype::RESPONSE | Ptype::FAULT),
            Kind::Broken => true,
        }
    }

    pub fn is_broken(&self) -> bool {
        matches!(self.kind, Kind::Broken)
    }

    pub fn is_call(&self) -> bool {
        matches!(self.kind, Kind::Call(_))
    }

    /// Whether fragments of its request are still to come.
    pub fn is_unfinished(&self) -> bool {
        matches!(&self.kind, Kind::Call(call) if matches!(call.request, Err(Unheard::Unfinished)))
    }
}

impl Call {
    pub fn new(context_id: u16, opnum: u16, stub_bytes_max: usize) -> Call {
        Call {
            context_id,
            opnum,
            syntax: None,
            guessed: false,
            asking: Assembler::new(stub_bytes_max),
            asked_in: 0,
            answering: Assembler::new(stub_bytes_max),
            answered_in: 0,
            request: Err(Unheard::Unfinished),
        }
    }

    /// A call whose request cannot be had.
    pub fn unheard(context_id: u16, stub_bytes_max: usize, why: Unheard) -> Call {
        Call { request: Err(why), ..Call::new(context_id, 0, stub_bytes_max) }
    }

    /// Takes one fragment of the request; says whether it was the last that is needed.
    pub fn hear(&mut self, call_id: u32, flags: Flags, fragment: Fragment<'_>, context: Context) -> Heeded {
        self.asked_in += 1;
        let whole = self.asked_in == 1;
        let stub = match self.asking.feed(call_id, flags, fragment.stub) {
            Ok(None) => return Heeded::More,
            Ok(Some(stub)) => stub,
            Err(error) => {
                self.request = Err(Unheard::Fragments(error));
                return Heeded::All(None);
            }
        };
        let syntax = match context {
            Context::Foreign(interface) => Err(Unheard::Foreign(interface)),
            Context::Unaccepted => Err(Unheard::Context(self.context_id)),
            Context::Spoken(syntax) => Ok(syntax),
            Context::Unknown => guess_request(stub, fragment.big_endian).ok_or(Unheard::Syntax),
        };
        self.syntax = syntax.as_ref().ok().copied();
        self.guessed = self.syntax.is_some() && context == Context::Unknown;
        self.request = syntax.and_then(|syntax| {
            if self.opnum != 0 {
                return Err(Unheard::Opnum(self.opnum));
            }
            let mut r = Reader::new(ndr::layer(syntax), stub).at(if whole { fragment.at } else { 0 });
            r.set_big_endian(fragment.big_endian);
            let payload = RequestStub::read(&mut r, syntax).map_err(Unheard::Stub)?.payload;
            // The payload is the last thing taken.
            Heard::read(payload, r.offset() - payload.len()).map_err(Unheard::Envelope)
        });
        Heeded::All((!whole).then(|| stub.to_vec()))
    }

    /// The syntax of the answer's stub: the request's, or the one that alone makes sense of it.
    pub fn settle_syntax(&mut self, stub: &[u8]) {
        if self.syntax.is_none() && matches!(self.request, Err(Unheard::Missed | Unheard::Syntax)) {
            self.syntax = only_one(|syntax| ResponseStub::decode(stub, syntax).is_ok());
            self.guessed = self.syntax.is_some();
        }
    }
}

/// What a fragment came to.
#[derive(Debug)]
pub(super) enum Heeded {
    /// More are to come.
    More,
    /// Nothing more is: the stub, if it was joined from several.
    All(Option<Vec<u8>>),
}

/// One fragment of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fragment<'a> {
    pub stub: &'a [u8],
    /// Where the stub begins in its PDU.
    pub at: usize,
    pub big_endian: bool,
}

impl<'a> Fragment<'a> {
    pub fn new(stub: &'a [u8], has_object: bool, big_endian: bool) -> Fragment<'a> {
        let at = if has_object { CALL_HEADER_LEN + 16 } else { CALL_HEADER_LEN };
        Fragment { stub, at, big_endian }
    }
}

/// What is known of a presentation context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    /// KMS in this syntax.
    Spoken(TransferSyntax),
    /// Another interface.
    Foreign(SyntaxId),
    /// The host has not accepted it.
    Unaccepted,
    /// The bind is not in the recording.
    Unknown,
}

fn guess_request(stub: &[u8], big_endian: bool) -> Option<TransferSyntax> {
    only_one(|syntax| {
        let mut r = Reader::new(ndr::layer(syntax), stub);
        r.set_big_endian(big_endian);
        let read: Result<_, DecodeError> = RequestStub::read(&mut r, syntax);
        read.is_ok() && r.remaining() == 0
    })
}

fn only_one(mut reads: impl FnMut(TransferSyntax) -> bool) -> Option<TransferSyntax> {
    let mut clean = TransferSyntax::ALL.into_iter().filter(|&syntax| reads(syntax));
    let first = clean.next();
    first.filter(|_| clean.next().is_none())
}
