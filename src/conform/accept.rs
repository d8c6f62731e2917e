//! What a case accepts: sets of outcomes, each of a reply, what became of the connection, and a grade.

use std::fmt;

use super::host::Closing;
use crate::proto::verify::Place;
use crate::wire::rpc::{Body, FaultStatus, Flags, Pdu, PduView, Ptype, at};

/// How good an outcome is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// As it should be.
    Ok,
    /// Not as a strict host would have it, and no client is worse off for it.
    NonStrict,
    /// Wrong.
    Fail,
}

/// One acceptable outcome.
#[derive(Debug, Clone, Copy)]
pub struct Accept {
    /// What the host answers.
    pub reply: Want,
    /// What it does with the connection then.
    pub then: Then,
    /// How good that is.
    pub grade: Grade,
}

/// An outcome that is as it should be.
pub const fn ok(reply: Want, then: Then) -> Accept {
    Accept { reply, then, grade: Grade::Ok }
}

/// One that a strict host would not show.
pub const fn loose(reply: Want, then: Then) -> Accept {
    Accept { reply, then, grade: Grade::NonStrict }
}

/// What a connection should come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It stays open.
    Open,
    /// It is closed. A RST where a FIN would do is not strict: it can destroy the answer before it is read.
    Closed,
    /// Either is right.
    Either,
}

/// What a host should answer.
#[derive(Debug, Clone, Copy)]
pub enum Want {
    /// Nothing.
    Silence,
    /// A response that grants what was asked.
    Served,
    /// A response that is an answer of some kind, granted or refused.
    Answered,
    /// A response that refuses with one of these codes.
    Refused(&'static [u32]),
    /// A bind_ack or an alter_context_resp with these results and reasons.
    Ack(&'static [(u16, u16)]),
    /// A bind_nak with one of these reasons.
    Nak(&'static [u16]),
    /// A fault.
    Fault(FaultWant),
    /// Some fault, whatever it says.
    AnyFault,
}

/// What a fault should say.
#[derive(Debug, Clone, Copy)]
pub struct FaultWant {
    /// One of these.
    pub status: &'static [FaultStatus],
    /// Whether the flag did_not_execute is set.
    pub did_not_execute: Option<bool>,
    /// The context it names.
    pub context: Option<u16>,
}

/// A fault of one of these statuses.
pub const fn fault(status: &'static [FaultStatus]) -> FaultWant {
    FaultWant { status, did_not_execute: None, context: None }
}

impl FaultWant {
    /// With the flag did_not_execute, or without it.
    pub const fn executed(self, executed: bool) -> FaultWant {
        FaultWant { did_not_execute: Some(!executed), ..self }
    }

    /// That names this context.
    pub const fn context(self, context: u16) -> FaultWant {
        FaultWant { context: Some(context), ..self }
    }

    /// As something to want.
    pub const fn want(self) -> Want {
        Want::Fault(self)
    }
}

/// What a host did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What it answered, if it did.
    pub reply: Option<Vec<u8>>,
    /// What a response to a request came to.
    pub answer: Option<Answered>,
    /// What became of the connection.
    pub closing: Closing,
}

/// What a response came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// What was asked is granted.
    Granted,
    /// It is refused with this code.
    Refused(u32),
    /// It cannot be told, and what of it shows that.
    Garbled(String, Option<Place>),
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// What it is a matter of: a field of the reply, or `reply`, `closing`, `liveness`.
    pub field: &'static str,
    /// What would have been right.
    pub expected: String,
    /// What was there.
    pub got: String,
    /// Where it stands in the host's last PDU.
    pub place: Option<Place>,
}

/// The best grade that what was seen gets from a set, or what is wrong with it and how much that is.
pub fn judge(seen: &Seen, accepts: &[Accept]) -> Result<Grade, (Grade, Mismatch)> {
    let mut best: Option<Grade> = None;
    // Of several things that could have been, the one that came nearest says what is wrong.
    let mut nearest: Option<Near> = None;
    for accept in accepts {
        match fits(seen, accept) {
            Ok(grade) => best = Some(best.map_or(grade, |best| best.min(grade))),
            Err(near) => {
                if nearest.as_ref().is_none_or(|nearest| near.nearness > nearest.nearness) {
                    nearest = Some(near);
                }
            }
        }
    }
    match (best, nearest) {
        (Some(grade), _) => Ok(grade),
        (None, Some(Near { grade, mut mismatch, .. })) => {
            if matches!(mismatch.field, "reply" | "closing") {
                mismatch.expected = words(accepts);
                mismatch.got = seen.to_string();
            }
            Err((grade, mismatch))
        }
        // A set of nothing is no requirement.
        (None, None) => unreachable!("a case accepts something"),
    }
}

/// Whether a host may leave it at silence on an open connection.
pub fn allows_silence(accepts: &[Accept]) -> bool {
    let silent = |accept: &Accept| matches!(accept.reply, Want::Silence) && accept.then != Then::Closed;
    accepts.iter().any(silent)
}

/// Whether the best that a host can do is to answer.
pub fn is_answer_due(accepts: &[Accept]) -> bool {
    let best = accepts.iter().filter(|accept| accept.grade == Grade::Ok);
    best.clone().count() > 0 && best.clone().all(|accept| !matches!(accept.reply, Want::Silence))
}

/// What a set asks for, in words: the outcomes that are as they should be.
pub fn words(accepts: &[Accept]) -> String {
    let strict = accepts.iter().filter(|accept| accept.grade == Grade::Ok).map(ToString::to_string);
    let strict: Vec<_> = strict.collect();
    strict.join(", or ")
}

/// What comes near an outcome.
struct Near {
    nearness: usize,
    grade: Grade,
    mismatch: Mismatch,
}

fn fits(seen: &Seen, accept: &Accept) -> Result<Grade, Near> {
    let wrong = |nearness, field, expected: String, got: String, place| {
        Err(Near { nearness, grade: Grade::Fail, mismatch: Mismatch { field, expected, got, place } })
    };
    // Who is refused is: which of the reasons it is told no client acts upon.
    let wrong_reason = |field, expected: String, got: String, place| {
        closing_fits(seen, accept)?;
        let mismatch = Mismatch { field, expected, got, place };
        Err(Near { nearness: REASON, grade: Grade::NonStrict, mismatch })
    };
    let whole = |nearness, field| wrong(nearness, field, accept.to_string(), seen.to_string(), None);
    let Some(frame) = &seen.reply else {
        return match accept.reply {
            Want::Silence => closing_fits(seen, accept),
            _ => whole(0, "reply"),
        };
    };
    let place = |field, offset| Some(Place::in_pdu(field, offset));
    let view = PduView(frame);
    let ptype = view.ptype().unwrap_or(Ptype(0xff));
    let pdu = match Pdu::decode(frame) {
        Ok(pdu) => pdu,
        // What says another length than it has was to be an answer all the same.
        Err(error) if error.field == "frag_length" && !matches!(accept.reply, Want::Silence) => {
            return wrong(
                1,
                "frag_length",
                error.expected.to_string(),
                error.got.to_string(),
                place("frag_length", at::FRAG_LENGTH),
            );
        }
        Err(_) => return whole(0, "reply"),
    };
    match (accept.reply, &pdu.body) {
        (Want::Silence, _) => return whole(0, "reply"),
        (Want::Served | Want::Answered | Want::Refused(_), Body::Response(_)) => match (&seen.answer, accept.reply) {
            (Some(Answered::Granted), Want::Served | Want::Answered) | (Some(Answered::Refused(_)), Want::Answered) => {
            }
            (Some(Answered::Refused(code)), Want::Refused(codes)) if codes.contains(code) => {}
            (got, want) => {
                let place = match got {
                    Some(Answered::Garbled(_, place)) => *place,
                    _ => None,
                };
                let got = got.as_ref().map_or("a response".to_owned(), ToString::to_string);
                return wrong(2, "code", want.to_string(), got, place);
            }
        },
        (Want::Ack(results), Body::BindAck(ack) | Body::AlterContextResponse(ack)) => {
            let got: Vec<(u16, u16)> = ack.results.iter().map(|result| (result.result.0, result.reason)).collect();
            if got != results {
                let first = at::results(ack.secondary_address.len());
                let differs = got.iter().zip(results).position(|(got, due)| got != due);
                let offset = match differs.filter(|_| got.len() == results.len()) {
                    Some(number) => {
                        let is_reason = got[number].0 == results[number].0;
                        at::result(first, number) + if is_reason { 2 } else { 0 }
                    }
                    None => first,
                };
                let (due, seen) = (listed(results), listed(&got));
                let is_alike = got.len() == results.len() && got.iter().zip(results).all(|(got, due)| got.0 == due.0);
                return match is_alike {
                    true => wrong_reason("results", due, seen, place("results", offset)),
                    false => wrong(2, "results", due, seen, place("results", offset)),
                };
            }
        }
        (Want::Nak(reasons), Body::BindNak(nak)) => {
            if !reasons.contains(&nak.reason.0) {
                let due = reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
                let offset = at::REJECT_REASON;
                return wrong_reason("reject_reason", due, nak.reason.0.to_string(), place("reject_reason", offset));
            }
        }
        (Want::AnyFault, Body::Fault(_)) => {}
        (Want::Fault(want), Body::Fault(fault)) => {
            if !want.status.contains(&fault.status) {
                let due =
                    want.status.iter().map(|status| format!("0x{:08x}", status.0)).collect::<Vec<_>>().join(" or ");
                return wrong(2, "status", due, format!("0x{:08x}", fault.status.0), place("status", at::STATUS));
            }
            let flag = pdu.flags.has(Flags::DID_NOT_EXECUTE);
            if let Some(due) = want.did_not_execute.filter(|due| *due != flag) {
                let due = Flags::WHOLE.with(if due { Flags::DID_NOT_EXECUTE } else { Flags::default() });
                return wrong(3, "pfc_flags", due.to_string(), pdu.flags.to_string(), place("pfc_flags", at::FLAGS));
            }
            if let Some(due) = want.context.filter(|due| *due != fault.context_id) {
                return wrong(
                    4,
                    "p_cont_id",
                    due.to_string(),
                    fault.context_id.to_string(),
                    place("p_cont_id", at::CONTEXT),
                );
            }
        }
        _ => return wrong(1, "reply", accept.to_string(), format!("a {ptype}"), place("ptype", at::PTYPE)),
    }
    closing_fits(seen, accept)
}

fn closing_fits(seen: &Seen, accept: &Accept) -> Result<Grade, Near> {
    let grade = match (accept.then, seen.closing) {
        (Then::Either, _) | (Then::Open, Closing::Open) | (Then::Closed, Closing::Fin) => accept.grade,
        // Where nothing is said a RST destroys nothing.
        (Then::Closed, Closing::Reset) if matches!(accept.reply, Want::Silence) => accept.grade,
        (Then::Closed, Closing::Reset) => accept.grade.max(Grade::NonStrict),
        _ => {
            let mismatch =
                Mismatch { field: "closing", expected: accept.to_string(), got: seen.to_string(), place: None };
            return Err(Near { nearness: 5, grade: Grade::Fail, mismatch });
        }
    };
    Ok(grade)
}

/// Results and reasons in words.
fn listed(results: &[(u16, u16)]) -> String {
    if results.is_empty() {
        return "no results".to_owned();
    }
    results.iter().map(|(result, reason)| format!("({result},{reason})")).collect::<Vec<_>>().join(" ")
}

impl fmt::Display for Accept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let then = match (self.then, self.reply) {
            (Then::Open, Want::Silence) => " and an open connection",
            (Then::Open, _) => " on a connection that stays open",
            (Then::Closed, Want::Silence) => " and a close",
            (Then::Closed, _) => " and then a close",
            (Then::Either, _) => "",
        };
        write!(f, "{}{then}", self.reply)
    }
}

impl fmt::Display for Want {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Want::Silence => f.write_str("no answer"),
            Want::Served => f.write_str("a response that grants it"),
            Want::Answered => f.write_str("a response"),
            Want::Refused(codes) => write!(f, "a response with {}", any_of(codes.iter().copied())),
            Want::Ack(results) => {
                write!(f, "an acknowledgement with {}", listed(results))
            }
            Want::Nak(reasons) => {
                let reasons = reasons.iter().map(ToString::to_string).collect::<Vec<_>>();
                write!(f, "a bind_nak with reason {}", reasons.join(" or "))
            }
            Want::AnyFault => f.write_str("a fault"),
            Want::Fault(want) => {
                write!(f, "a fault {}", any_of(want.status.iter().map(|status| status.0)))?;
                match want.did_not_execute {
                    Some(true) => f.write_str(" with did_not_execute")?,
                    Some(false) => f.write_str(" without did_not_execute")?,
                    None => {}
                }
                want.context.map_or(Ok(()), |context| write!(f, " for context {context}"))
            }
        }
    }
}

/// One of these codes, in words.
fn any_of(codes: impl Iterator<Item = u32>) -> String {
    codes.map(|code| format!("0x{code:08X}")).collect::<Vec<_>>().join(" or ")
}

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answered::Granted => f.write_str("a response that grants it"),
            Answered::Refused(code) => write!(f, "a response with 0x{code:08X}"),
            Answered::Garbled(why, _) => write!(f, "a response that cannot be trusted: {why}"),
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.answer, &self.reply) {
            (Some(answer), _) => write!(f, "{answer}")?,
            (None, None) => f.write_str("no answer")?,
            (None, Some(frame)) => match Pdu::decode(frame).map(|pdu| (pdu.flags, pdu.body)) {
                Err(error) if error.field == "frag_length" => {
                    let ptype = PduView(frame).ptype().unwrap_or(Ptype(0xff));
                    write!(f, "a {ptype} of {} bytes that says it has {}", frame.len(), error.got)?;
                }
                Err(_) => write!(f, "{} bytes that are no PDU", frame.len())?,
                Ok((flags, Body::Fault(fault))) => {
                    write!(f, "a fault 0x{:08X} ({flags}) for context {}", fault.status.0, fault.context_id)?;
                }
                Ok((_, Body::BindNak(nak))) => write!(f, "a bind_nak with reason {}", nak.reason.0)?,
                Ok((_, Body::BindAck(ack) | Body::AlterContextResponse(ack))) => {
                    let results: Vec<_> = ack.results.iter().map(|result| (result.result.0, result.reason)).collect();
                    write!(f, "an acknowledgement with {}", listed(&results))?;
                }
                Ok((_, body)) => write!(f, "a {}", body.ptype())?,
            },
        }
        match self.closing {
            Closing::Open => f.write_str(", connection open"),
            closing => write!(f, ", connection {closing}"),
        }
    }
}

/// A call that is served, whatever comes then: what every client is due.
pub const SERVED_NEXT: &[Accept] = &[ok(Want::Served, Then::Either)];

/// Nothing comes nearer to an outcome than what has another reason alone.
const REASON: usize = 6;
