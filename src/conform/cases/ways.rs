//! Ways to put a question that do not change its answer: over which connection, in which context, in what shape, and
//! after what. A case puts the same questions the plain way and another, and holds the answers against each other.

use super::kms_tools::cmid;
use super::rpc_tools::syntaxes;
use crate::conform::accept::{Answered, Seen};
use crate::conform::host::{Closing, Patience};
use crate::conform::{Stop, Talk};
use crate::proto::Ask;
use crate::wire::kms::{ActivationRequest, ActivationResponse, ProtocolVersion};
use crate::wire::ndr::{RequestStub, request_in_other_order};
use crate::wire::rpc::{Bind, Body, CALL_HEADER_LEN, Flags, Pdu, PduView, TransferSyntax, in_other_order};

/// A way to put questions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
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
pub(super) enum After {
    /// Nothing.
    Nothing,
    /// A call of an operation that there is not.
    Fault,
    /// A request of a version that there is not.
    Refusal,
}

/// What a call looks like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// In how many fragments it goes out.
    pub fragments: usize,
    /// Whether it has an object UUID.
    pub object: bool,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Put {
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

/// A question: in words, and what is asked.
pub(super) type Question = (&'static str, Put);

/// What an answer came to, as far as it should not depend on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Came {
    Granted,
    Refused(u32),
    Fault { status: u32, did_not_execute: bool, names: Named },
    Left,
    Silence,
    Other(String),
}

/// The context that a fault names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Own,
    None,
    Another,
}

/// What became of a question.
struct Outcome {
    came: Came,
    told: Option<ActivationResponse>,
    /// Whether an ordinary call was served then, on the same connection.
    went_on: bool,
    /// Whether the connection was closed because of what came before the question.
    left_before: bool,
}

/// As everybody asks.
pub(super) const PLAIN: Way = Way {
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
pub(super) const IN_EITHER_SYNTAX: Way = Way { name: "on a connection of its own", context: 2, ..PLAIN };
/// Where several calls at once were agreed on.
pub(super) const MULTIPLEXED: Way = Way {
    name: "where several calls at once were agreed on",
    flags: Flags::CONC_MPX,
    shapes: &[Shape::PLAIN, Shape::PLAIN.fragments(2), Shape::PLAIN.object()],
    ..PLAIN
};
/// In an association group of two.
pub(super) const IN_A_GROUP: Way = Way {
    name: "on a connection that joined a group",
    joins: true,
    shapes: &[Shape::PLAIN, Shape::PLAIN.fragments(3), Shape::PLAIN.object()],
    ..PLAIN
};
/// In the other byte order.
pub(super) const BIG_ENDIAN: Way = Way {
    name: "in big endian",
    big_endian: true,
    shapes: &[Shape::PLAIN, Shape::PLAIN.fragments(2), Shape::PLAIN.object(), Shape::PLAIN.fragments(3).object()],
    ..PLAIN
};
/// In fragments.
pub(super) const IN_FRAGMENTS: Way = Way {
    name: "in fragments",
    shapes: &[Shape::PLAIN.fragments(2), Shape::PLAIN.fragments(3), Shape::PLAIN.fragments(5).object()],
    ..PLAIN
};
/// With an object UUID.
pub(super) const WITH_OBJECTS: Way = Way { name: "with an object UUID", shapes: &[Shape::PLAIN.object()], ..PLAIN };
/// In a context whose number takes both bytes.
pub(super) const IN_A_HIGH_CONTEXT: Way = Way { name: "in context 0x812c", context: 0x812c, ..PLAIN };
/// In a context that was added late.
pub(super) const AFTER_ALTERS: Way =
    Way { name: "in a context that the third of three alter_contexts added", context: 3, alters: 3, ..PLAIN };
/// After faults, of which there are more and more.
pub(super) const AFTER_FAULTS: Way = Way { name: "after a fault", after: After::Fault, ..PLAIN };
/// After refusals.
pub(super) const AFTER_REFUSALS: Way = Way { name: "after a refusal", after: After::Refusal, ..PLAIN };
/// Everything at once that may come together.
pub(super) const ALL_AT_ONCE: Way = Way {
    name: "on a connection that joined a group, altered and with several calls at once",
    flags: Flags::CONC_MPX,
    joins: true,
    context: 0x412c,
    alters: 2,
    after: After::Fault,
    shapes: &[Shape::PLAIN.fragments(2).object(), Shape::PLAIN.fragments(4), Shape::PLAIN.object()],
    ..PLAIN
};

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

/// Puts these questions the plain way and this way, in every syntax there is, and holds the answers against each other.
pub(super) fn answered_alike(t: &mut Talk<'_>, way: &Way, questions: &[Question]) -> Result<(), Stop> {
    let mut questions = questions.to_vec();
    // Of another interface it is not known what a big-endian client says in a stub.
    questions.retain(|(_, put)| way.knows_stubs(t) || !matches!(put, Put::Ordinary));
    let questions = t.some_of(questions, QUESTIONS_LEAST, ANSWERS_A_QUESTION);
    let spoken = syntaxes(t)?;
    if !PLAIN.open(t, TransferSyntax::Ndr32)? {
        return Err(Stop::Foundation("a bind with one context, number 1, was not accepted".to_owned()));
    }
    let mut due = Vec::new();
    for (turn, (label, put)) in questions.iter().enumerate() {
        due.push(PLAIN.put(t, TransferSyntax::Ndr32, *put, turn)?);
        if due.last().is_some_and(|due: &Outcome| due.came == Came::Silence) {
            return Err(Stop::Foundation(format!("no answer came: {label}")));
        }
    }
    // What is put before each question is among the questions, too: whether hosts close then is known.
    let stays = due.iter().any(|due| {
        let is_such = match way.after {
            After::Nothing => false,
            After::Fault => matches!(due.came, Came::Fault { .. }),
            After::Refusal => matches!(due.came, Came::Refused(_)),
        };
        is_such && due.went_on
    });
    let mut is_taken = false;
    for (number, syntax) in spoken.into_iter().enumerate() {
        if !way.open(t, syntax)? {
            continue;
        }
        is_taken = true;
        for (turn, ((label, put), due)) in questions.iter().zip(&due).enumerate() {
            // Another shape in each syntax.
            let got = way.put(t, syntax, *put, turn + number)?;
            let label = format!("{label}, {}, in {syntax}", way.name);
            if stays && got.left_before {
                t.holds("closing", false, || (format!("{label}: a connection still"), "it was closed".to_owned()));
            }
            compare(t, &label, due, &got);
            if got.came == Came::Silence {
                return Err(Stop::Foundation(format!("no answer came: {label}")));
            }
        }
    }
    match is_taken {
        true => Ok(()),
        false => Err(Stop::NotApplicable(format!("the host takes no calls {}", way.name))),
    }
}

/// Puts these questions at the same time, each over connections of its own ways: the first half of every call before
/// the rest of any, and all of them before an answer is read. Holds the answers against those to a plain client alone.
pub(super) fn answered_alike_at_once(
    t: &mut Talk<'_>,
    ways: &[Way],
    questions: &[Question],
    many: usize,
    rounds: usize,
) -> Result<(), Stop> {
    let spoken = syntaxes(t)?;
    if !PLAIN.open(t, TransferSyntax::Ndr32)? {
        return Err(Stop::Foundation("a bind with one context, number 1, was not accepted".to_owned()));
    }
    let mut due = Vec::new();
    for (turn, question) in questions.iter().enumerate() {
        let outcome = PLAIN.put(t, TransferSyntax::Ndr32, question.1, turn)?;
        // Whoever closes its connection then has no next round.
        if outcome.went_on {
            due.push((question, outcome.came));
        }
    }
    let mut lines = Vec::new();
    for number in 0..many {
        let (way, syntax) = (&ways[number % ways.len()], spoken[(number / ways.len()) % spoken.len()]);
        if way.open(t, syntax)? {
            lines.push((t.line(), way, syntax));
        }
    }
    if due.is_empty() {
        return Err(Stop::Foundation("no connection goes on after an ordinary call".to_owned()));
    }
    for round in 0..rounds {
        let mut calls = Vec::new();
        for (number, (line, way, syntax)) in lines.iter().enumerate() {
            t.on(*line);
            let ((label, put), due) = &due[(7 * number + round) % due.len()];
            let call = way.call(t, *syntax, *put, number as u32);
            let mut frames = way.frames(t, &call, way.shapes[(number + round) % way.shapes.len()]);
            let rest = frames.split_off(frames.len() / 2);
            for frame in frames {
                t.send_frame(&frame, call.ask.clone());
            }
            calls.push((call, rest, *label, due));
        }
        for ((line, ..), (call, rest, ..)) in lines.iter().zip(&calls) {
            t.on(*line);
            for frame in rest {
                t.send_frame(frame, call.ask.clone());
            }
        }
        // Whoever came last is heard first.
        for ((line, way, syntax), (call, _, label, due)) in lines.iter().zip(&calls).rev() {
            t.on(*line);
            let came = Came::of(&t.see(Patience::Answer, None), call.context);
            let label = format!("{label}, {}, in {syntax}, on connection {line}", way.name);
            t.holds("reply", came == **due, || (format!("{label}: {due}"), came.to_string()));
            if matches!(came, Came::Silence | Came::Left) {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn compare(t: &mut Talk<'_>, label: &str, due: &Outcome, got: &Outcome) {
    // A host that leaves whoever asks that may as well do so with a word, or the other way round.
    if due.came == Came::Left {
        return;
    }
    let field = match (&due.came, &got.came) {
        (Came::Granted | Came::Refused(_), Came::Granted | Came::Refused(_) | Came::Other(_)) => "code",
        (Came::Fault { status: due, .. }, Came::Fault { status: got, .. }) if due != got => "status",
        (Came::Fault { names: due, .. }, Came::Fault { names: got, .. }) if due != got => "p_cont_id",
        (Came::Fault { .. }, Came::Fault { .. }) => "pfc_flags",
        _ => "reply",
    };
    t.holds(field, due.came == got.came, || (format!("{label}: {}", due.came), got.came.to_string()));
    if due.came != got.came {
        return;
    }
    let goes_on = got.went_on || !due.went_on;
    t.holds("closing", goes_on, || (format!("{label}: the connection goes on"), "it does not".to_owned()));
    if let (Some(due), Some(got)) = (&due.told, &got.told) {
        t.field("epid", due.epid.as_str(), got.epid.as_str());
        if t.is_alone() {
            t.field("count", due.count, got.count);
        }
    }
}

impl Way {
    /// Opens a connection like that, with the context in this syntax. Whether calls can be made in it.
    fn open(&self, t: &mut Talk<'_>, syntax: TransferSyntax) -> Result<bool, Stop> {
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

    /// Puts a question, and an ordinary call after it. What comes before it, as the way has it, is nobody's business.
    fn put(&self, t: &mut Talk<'_>, syntax: TransferSyntax, put: Put, turn: usize) -> Result<Outcome, Stop> {
        self.renew(t, syntax)?;
        let before = match self.after {
            After::Nothing => None,
            After::Fault => Some(Put::Operation(NO_OPERATION)),
            After::Refusal => Some(Put::Asked(NO_VERSION, |_| {})),
        };
        let mut left_before = false;
        if let Some(before) = before {
            left_before = self.say(t, syntax, before, Shape::PLAIN) == Came::Left || t.is_over();
            self.renew(t, syntax)?;
        }
        let shape = self.shapes[turn % self.shapes.len()];
        let mut came = self.say(t, syntax, put, shape);
        if came == Came::Left && before.is_some() {
            // It was on its way out because of what came before, or leaves now as well.
            left_before = true;
            self.renew(t, syntax)?;
            came = self.say(t, syntax, put, shape);
        }
        let told = t.told().and_then(|answer| answer.response.clone());
        let went_on = came != Came::Silence && !t.is_over() && {
            let knows = self.knows_stubs(t);
            let then = if knows { Put::Ordinary } else { Put::Operation(NO_OPERATION) };
            let then = self.say(t, syntax, then, Shape::PLAIN);
            then == Came::Granted || (!knows && matches!(then, Came::Fault { .. }))
        };
        left_before &= came != Came::Left;
        Ok(Outcome { came, told, went_on, left_before })
    }

    /// Whether ordinary calls can be made this way.
    fn knows_stubs(&self, t: &Talk<'_>) -> bool {
        !self.big_endian || t.service().stub.as_ref().is_none_or(Vec::is_empty)
    }

    fn renew(&self, t: &mut Talk<'_>, syntax: TransferSyntax) -> Result<(), Stop> {
        match !t.is_over() || self.open(t, syntax)? {
            true => Ok(()),
            false => Err(Stop::Foundation(format!("a connection {} is not accepted again", self.name))),
        }
    }

    /// Puts something, and says what came of it.
    fn say(&self, t: &mut Talk<'_>, syntax: TransferSyntax, put: Put, shape: Shape) -> Came {
        let call = self.call(t, syntax, put, 0);
        let context = call.context;
        for frame in self.frames(t, &call, shape) {
            t.send_frame(&frame, call.ask.clone());
        }
        Came::of(&t.see(Patience::Answer, None), context)
    }

    /// The call that puts something for machine `number`.
    fn call(&self, t: &mut Talk<'_>, syntax: TransferSyntax, put: Put, number: u32) -> Call {
        let (mut context, mut operation) = (self.context, t.service().opnum);
        let id = cmid(t, number);
        let (stub, ask) = match put {
            Put::Ordinary | Put::Stub(_) | Put::Operation(_) | Put::Beyond(_) if t.service().stub.is_some() => {
                t.stub(syntax)
            }
            Put::Ordinary | Put::Stub(_) | Put::Operation(_) | Put::Beyond(_) => {
                let ask = t.ask(t.version(), |request| request.cmid = id);
                (stub_of(ask.payload(), syntax), Some(ask))
            }
            Put::Asked(version, change) => {
                let ask = t.ask(version, |request| {
                    request.cmid = id;
                    change(request);
                });
                (stub_of(ask.payload(), syntax), Some(ask))
            }
            Put::Sealed(version, change) => {
                let mut payload = t.ask(version, |request| request.cmid = id).payload().to_vec();
                change(&mut payload);
                (stub_of(&payload, syntax), None)
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

    /// A call as it goes out.
    fn frames(&self, t: &mut Talk<'_>, call: &Call, shape: Shape) -> Vec<Vec<u8>> {
        let id = t.next_call_id();
        let stub = match self.big_endian && t.service().stub.is_none() {
            true => request_in_other_order(&call.stub, call.syntax),
            false => call.stub.clone(),
        };
        let fragments = if call.in_one { 1 } else { shape.fragments };
        let step = (stub.len() / fragments).next_multiple_of(8);
        let mut frames = Vec::new();
        for number in 0..fragments {
            let start = (number * step).min(stub.len());
            let is_last = number + 1 == fragments;
            let end = if is_last { stub.len() } else { (start + step).min(stub.len()) };
            let first = if number == 0 { Flags::FIRST } else { Flags(0) };
            let last = if is_last { Flags::LAST } else { Flags(0) };
            let mut frame = t.frame_of(id, first.with(last), call.context, &stub[start..end]);
            frame[HINT_AT..HINT_AT + 4].copy_from_slice(&((stub.len() - start) as u32).to_le_bytes());
            frame[OPNUM_AT..OPNUM_AT + 2].copy_from_slice(&call.operation.to_le_bytes());
            if shape.object {
                frame.splice(CALL_HEADER_LEN..CALL_HEADER_LEN, OBJECT);
                frame[FLAGS_AT] |= Flags::OBJECT.0;
                let length = frame.len() as u16;
                frame[LENGTH_AT..LENGTH_AT + 2].copy_from_slice(&length.to_le_bytes());
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

struct Call {
    stub: Vec<u8>,
    ask: Option<Ask>,
    syntax: TransferSyntax,
    context: u16,
    operation: u16,
    /// Whether it cannot go out in fragments.
    in_one: bool,
}

fn stub_of(payload: &[u8], syntax: TransferSyntax) -> Vec<u8> {
    let mut stub = Vec::new();
    RequestStub { payload }.write(syntax, &mut stub);
    stub
}

impl Came {
    fn of(seen: &Seen, context: u16) -> Came {
        let Some(frame) = &seen.reply else {
            return if seen.closing == Closing::Open { Came::Silence } else { Came::Left };
        };
        match (&seen.answer, Pdu::decode(frame).map(|pdu| (pdu.flags, pdu.body))) {
            (Some(Answered::Granted), _) => Came::Granted,
            (Some(Answered::Refused(code)), _) => Came::Refused(*code),
            (None, Ok((flags, Body::Fault(fault)))) => Came::Fault {
                status: fault.status.0,
                did_not_execute: flags.has(Flags::DID_NOT_EXECUTE),
                names: match fault.context_id {
                    named if named == context => Named::Own,
                    0 => Named::None,
                    _ => Named::Another,
                },
            },
            _ => Came::Other(seen.to_string()),
        }
    }
}

impl std::fmt::Display for Came {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Came::Granted => f.write_str("a response that grants it"),
            Came::Refused(code) => write!(f, "a response with 0x{code:08X}"),
            Came::Fault { status, did_not_execute, names } => {
                let with = if *did_not_execute { "with" } else { "without" };
                let named = match names {
                    Named::Own => "the context of the call",
                    Named::None => "context 0",
                    Named::Another => "another context",
                };
                write!(f, "a fault 0x{status:08X} {with} did_not_execute for {named}")
            }
            Came::Left => f.write_str("no answer, and a close"),
            Came::Silence => f.write_str("no answer"),
            Came::Other(what) => f.write_str(what),
        }
    }
}

/// Of the questions a slow host is asked so many at least.
const QUESTIONS_LEAST: usize = 6;
/// Each is asked the plain way and in two syntaxes, with an ordinary call after it.
const ANSWERS_A_QUESTION: u32 = 6;
/// An operation that no interface has.
pub(super) const NO_OPERATION: u16 = 0xffff;
/// A version that no host knows.
pub(super) const NO_VERSION: ProtocolVersion = ProtocolVersion { major: 7, minor: 0 };
const FLAGS_AT: usize = 3;
const LENGTH_AT: usize = 8;
const HINT_AT: usize = 16;
const OPNUM_AT: usize = 22;
const OBJECT: [u8; 16] = *b"kmsproof\x40\x01\x80\x01alik";
