//! Questions that are answered alike however they are put: a case puts the same ones the plain way and another ([`way`]),
//! and holds the answers against each other.

mod way;

use crate::conform::accept::{Answered, Seen};
use crate::conform::cases::rpc::tools::syntaxes;
use crate::conform::host::{Closing, Patience};
use crate::conform::{Stop, Talk};
use crate::proto::Ask;
use crate::wire::kms::ActivationResponse;
use crate::wire::rpc::{Body, FaultStatus, Flags, Pdu, TransferSyntax};

pub use way::*;

/// A question: in words, and what is asked.
pub type Question = (&'static str, Put);

/// What an answer came to, as far as it should not depend on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Came {
    Granted,
    Refused(u32),
    Fault { status: FaultStatus, did_not_execute: bool, names: Named },
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

/// Puts these questions the plain way and this way, in every syntax there is, and holds the answers against each other.
pub fn answered_alike(t: &mut Talk<'_>, way: &Way, questions: &[Question]) -> Result<(), Stop> {
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
    // Whether hosts close after what is put before each question is theirs to choose, and the same either way.
    let stays = match way.before() {
        None => false,
        Some(before) => PLAIN.put(t, TransferSyntax::Ndr32, before, 0)?.went_on,
    };
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
pub fn answered_alike_at_once(
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
    /// Puts a question, and an ordinary call after it. What comes before it, as the way has it, is nobody's business.
    fn put(&self, t: &mut Talk<'_>, syntax: TransferSyntax, put: Put, turn: usize) -> Result<Outcome, Stop> {
        self.renew(t, syntax)?;
        let before = self.before();
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

    /// Asks for a machine this way, in the shape whose turn it is.
    pub fn ask(&self, t: &mut Talk<'_>, syntax: TransferSyntax, ask: &Ask, turn: usize) -> Result<Seen, Stop> {
        self.renew(t, syntax)?;
        if let Some(before) = self.before() {
            self.say(t, syntax, before, Shape::PLAIN);
            self.renew(t, syntax)?;
        }
        let call = self.call_of(t, syntax, ask);
        for frame in self.frames(t, &call, self.shapes[turn % self.shapes.len()]) {
            t.send_frame(&frame, call.ask.clone());
        }
        Ok(t.see(Patience::Answer, None))
    }

    /// What comes before each question.
    fn before(&self) -> Option<Put> {
        match self.after {
            After::Nothing => None,
            After::Fault => Some(Put::Operation(NO_OPERATION)),
            After::Refusal => Some(Put::Asked(NO_VERSION, |_| {})),
        }
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
                status: fault.status,
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
                write!(f, "a fault 0x{:08X} {with} did_not_execute for {named}", status.0)
            }
            Came::Left => f.write_str("no answer, and a close"),
            Came::Silence => f.write_str("no answer"),
            Came::Other(what) => f.write_str(what),
        }
    }
}

/// Of the questions a slow host is asked so many at least.
const QUESTIONS_LEAST: usize = 3;
/// Each is asked the plain way and in two syntaxes, with an ordinary call after it.
const ANSWERS_A_QUESTION: u32 = 6;
