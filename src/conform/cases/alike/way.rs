//! A way to put a question: over which connection, in which context, in what shape, and after what.

use crate::conform::accept::Seen;
use crate::conform::cases::kms::tools::cmid;
use crate::conform::cases::rpc::calls::{insert_object, pieces};
use crate::conform::host::Patience;
use crate::conform::{Stop, Talk};
use crate::proto::Ask;
use crate::wire::kms::{ActivationRequest, ProtocolVersion};
use crate::wire::ndr::{RequestStub, request_in_other_order};
use crate::wire::rpc::{Bind, Body, Flags, Pdu, PduView, TransferSyntax, at, in_other_order};

/// A way to put questions.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    /// In words: where, or how.
    pub name: &'static str,
    /// Flags of the bind beside those of a PDU in one fragment; whoever offers several calls at once has them agreed on.
    pub flags: Flags,
    /// Whether the connection joins the association group of another.
    pub joins: bool,
    /// Whether everything is said in big endian.
    pub big_endian: bool,
    /// The context of the calls; not 0, so that a fault that names it can be told from one that names none.
    pub context: u16,
    /// How many alter_contexts come before the calls; the context is agreed on in the last of them.
    pub alters: u16,
    /// What comes right before each question.
    pub after: After,
    /// Shapes of the calls, in turn.
    pub shapes: &'static [Shape],
}

/// What comes before a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Nothing.
    Nothing,
    /// A call of an operation that there is not.
    Fault,
    /// A request of a version that there is not.
    Refusal,
}

/// What a call looks like.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// In how many fragments it goes out.
    pub fragments: usize,
    /// Whether it has an object UUID.
    pub object: bool,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub enum Put {
    /// What an ordinary call asks.
    Ordinary,
    /// What a client asks in this version, changed.
    Asked(ProtocolVersion, fn(&mut ActivationRequest)),
    /// The same, of which the envelope is changed.
    Sealed(ProtocolVersion, fn(&mut Vec<u8>)),
    /// An ordinary stub, changed.
    Stub(fn(&mut Vec<u8>)),
    /// An operation that the interface does not have.
    Operation(u16),
    /// An ordinary call in a context so far beyond that of the others, which nobody agreed on.
    Beyond(u16),
}

/// As everybody asks.
pub const PLAIN: Way = Way {
    name: "as everybody asks",
    flags: Flags(0),
    joins: false,
    big_endian: false,
    context: 1,
    alters: 0,
    after: After::Nothing,
    shapes: &[Shape::PLAIN],
};

/// In NDR64 too.
pub const IN_EITHER_SYNTAX: Way = Way { name: "on a connection of its own", context: 2, ..PLAIN };
/// Where several calls at once were agreed on.
pub const MULTIPLEXED: Way = Way {
    name: "where several calls at once were agreed on",
    flags: Flags::CONC_MPX,
    shapes: &[Shape::PLAIN, Shape::PLAIN.fragments(2), Shape::PLAIN.object()],
    ..PLAIN
};
/// In an association group of two.
pub const IN_A_GROUP: Way = Way {
    name: "on a connection that joined a group",
    joins: true,
    shapes: &[Shape::PLAIN, Shape::PLAIN.fragments(3), Shape::PLAIN.object()],
    ..PLAIN
};
/// In the other byte order.
pub const BIG_ENDIAN: Way = Way {
    name: "in big endian",
    big_endian: true,
    shapes: &[Shape::PLAIN, Shape::PLAIN.fragments(2), Shape::PLAIN.object(), Shape::PLAIN.fragments(3).object()],
    ..PLAIN
};
/// In fragments.
pub const IN_FRAGMENTS: Way = Way {
    name: "in fragments",
    shapes: &[Shape::PLAIN.fragments(2), Shape::PLAIN.fragments(3), Shape::PLAIN.fragments(5).object()],
    ..PLAIN
};
/// With an object UUID.
pub const WITH_OBJECTS: Way = Way { name: "with an object UUID", shapes: &[Shape::PLAIN.object()], ..PLAIN };
/// In a context whose number takes both bytes.
pub const IN_A_HIGH_CONTEXT: Way = Way { name: "in context 0x812c", context: 0x812c, ..PLAIN };
/// In a context that was added late.
pub const AFTER_ALTERS: Way =
    Way { name: "in a context that the third of three alter_contexts added", context: 3, alters: 3, ..PLAIN };
/// After faults, of which there are more and more.
pub const AFTER_FAULTS: Way = Way { name: "after a fault", after: After::Fault, ..PLAIN };
/// After refusals.
pub const AFTER_REFUSALS: Way = Way { name: "after a refusal", after: After::Refusal, ..PLAIN };
/// Everything at once that may come together.
pub const ALL_AT_ONCE: Way = Way {
    name: "on a connection that joined a group, altered and with several calls at once",
    flags: Flags::CONC_MPX,
    joins: true,
    context: 0x412c,
    alters: 2,
    after: After::Fault,
    shapes: &[Shape::PLAIN.fragments(2).object(), Shape::PLAIN.fragments(4), Shape::PLAIN.object()],
    ..PLAIN
};

/// Every way but the plain one.
pub const WAYS: [Way; 11] = [
    IN_EITHER_SYNTAX,
    MULTIPLEXED,
    IN_A_GROUP,
    BIG_ENDIAN,
    IN_FRAGMENTS,
    WITH_OBJECTS,
    IN_A_HIGH_CONTEXT,
    AFTER_ALTERS,
    AFTER_FAULTS,
    AFTER_REFUSALS,
    ALL_AT_ONCE,
];

impl Shape {
    /// In one piece, with nothing to it.
    pub const PLAIN: Shape = Shape { fragments: 1, object: false };

    /// In so many fragments.
    pub const fn fragments(self, fragments: usize) -> Shape {
        Shape { fragments, ..self }
    }

    /// With an object UUID.
    pub const fn object(self) -> Shape {
        Shape { object: true, ..self }
    }
}

impl Way {
    /// Opens a connection like that, with the context in this syntax. Whether calls can be made in it.
    pub fn open(&self, t: &mut Talk<'_>, syntax: TransferSyntax) -> Result<bool, Stop> {
        let group = if self.joins { t.bind()?.assoc_group } else { 0 };
        t.connect()?;
        let (first, first_syntax) = match self.alters {
            0 => (self.context, syntax),
            alters => (self.context + alters, TransferSyntax::Ndr32),
        };
        let offered = Bind { assoc_group: group, ..t.offer(vec![t.context(first, &[first_syntax.id()])]) };
        let seen = self.negotiate(t, Body::Bind(offered), Flags::WHOLE.with(self.flags));
        let flags = seen.reply.as_deref().and_then(|frame| PduView(frame).flags()).unwrap_or_default();
        if t.syntax_of(first).is_none() || t.is_over() || !flags.has(self.flags) {
            return Ok(false);
        }
        for left in (0..self.alters).rev() {
            // Now one syntax, now the other; the last is the one that is asked for.
            let other = if left % 2 == 0 { syntax } else { TransferSyntax::Ndr32 };
            let offered = Bind { assoc_group: group, ..t.offer(vec![t.context(self.context + left, &[other.id()])]) };
            self.negotiate(t, Body::AlterContext(offered), Flags::WHOLE);
            if t.is_over() {
                return Ok(false);
            }
        }
        Ok(t.syntax_of(self.context) == Some(syntax))
    }

    fn negotiate(&self, t: &mut Talk<'_>, body: Body<'_>, flags: Flags) -> Seen {
        let pdu = Pdu { flags, ..Pdu::whole(t.next_call_id(), body) };
        let frame = pdu.encode().expect("one context fits a PDU");
        t.send_frame(&self.ordered(frame), None);
        t.see(Patience::Answer, None)
    }

    /// Whether ordinary calls can be made this way.
    pub fn knows_stubs(&self, t: &Talk<'_>) -> bool {
        !self.big_endian || t.service().stub.as_ref().is_none_or(Vec::is_empty)
    }

    /// The call that puts something for machine `number`.
    pub fn call(&self, t: &mut Talk<'_>, syntax: TransferSyntax, put: Put, number: u32) -> Call {
        let (mut context, mut operation) = (self.context, t.service().opnum);
        let id = cmid(t, number);
        let (stub, ask) = match put {
            Put::Ordinary | Put::Stub(_) | Put::Operation(_) | Put::Beyond(_) if t.service().stub.is_some() => {
                t.stub(syntax)
            }
            Put::Ordinary | Put::Stub(_) | Put::Operation(_) | Put::Beyond(_) => {
                let ask = t.ask(t.version(), |request| request.cmid = id);
                let Call { stub, ask, .. } = self.call_of(t, syntax, &ask);
                (stub, ask)
            }
            Put::Asked(version, change) => {
                let ask = t.ask(version, |request| {
                    request.cmid = id;
                    change(request);
                });
                return self.call_of(t, syntax, &ask);
            }
            Put::Sealed(version, change) => {
                let mut payload = t.ask(version, |request| request.cmid = id).payload().to_vec();
                change(&mut payload);
                (RequestStub { payload: &payload }.encode(syntax), None)
            }
        };
        let mut call = Call { stub, ask, syntax, context, operation, in_one: false };
        match put {
            Put::Stub(change) => {
                change(&mut call.stub);
                call.ask = None;
            }
            Put::Operation(number) => operation = number,
            Put::Beyond(more) => context = self.context.wrapping_add(more),
            _ => return call,
        }
        // Whether a host looks at these when the first fragment comes or when the last does is its own affair.
        call.in_one = matches!(put, Put::Operation(_) | Put::Beyond(_));
        Call { context, operation, ..call }
    }

    /// The call that asks this.
    pub fn call_of(&self, t: &Talk<'_>, syntax: TransferSyntax, ask: &Ask) -> Call {
        let (context, operation) = (self.context, t.service().opnum);
        let stub = RequestStub { payload: ask.payload() }.encode(syntax);
        Call { stub, ask: Some(ask.clone()), syntax, context, operation, in_one: false }
    }

    /// A call as it goes out.
    pub fn frames(&self, t: &mut Talk<'_>, call: &Call, shape: Shape) -> Vec<Vec<u8>> {
        let id = t.next_call_id();
        let stub = match self.big_endian && t.service().stub.is_none() {
            true => request_in_other_order(&call.stub, call.syntax),
            false => call.stub.clone(),
        };
        let fragments = if call.in_one { 1 } else { shape.fragments };
        let step = (stub.len() / fragments).next_multiple_of(8);
        let places: Vec<_> = (1..fragments).map(|number| number * step).collect();
        let mut frames = Vec::new();
        for (flags, start, piece) in pieces(&stub, &places) {
            let mut frame = t.frame_of(id, flags, call.context, piece);
            at::set(&mut frame, at::ALLOC_HINT, &((stub.len() - start) as u32).to_le_bytes());
            at::set(&mut frame, at::OPNUM, &call.operation.to_le_bytes());
            if shape.object {
                insert_object(&mut frame, OBJECT);
            }
            frames.push(self.ordered(frame));
        }
        frames
    }

    fn ordered(&self, frame: Vec<u8>) -> Vec<u8> {
        match self.big_endian {
            true => in_other_order(&frame).unwrap_or(frame),
            false => frame,
        }
    }
}

/// A call of a way, before it is cut.
pub struct Call {
    pub stub: Vec<u8>,
    pub ask: Option<Ask>,
    pub syntax: TransferSyntax,
    pub context: u16,
    pub operation: u16,
    /// Whether it cannot go out in fragments.
    pub in_one: bool,
}

/// An operation that no interface has.
pub const NO_OPERATION: u16 = 0xffff;
/// A version that no host knows.
pub const NO_VERSION: ProtocolVersion = ProtocolVersion { major: 7, minor: 0 };
const OBJECT: [u8; 16] = *b"kmsproof\x40\x01\x80\x01alik";
