//! What is answered while many clients come at once, some of them slow, some of them wrong.

use super::tools::{bind_many, is_served};
use crate::conform::accept::{Answered, Seen};
use crate::conform::cases::alike::{
    BIG_ENDIAN, IN_A_GROUP, IN_A_HIGH_CONTEXT, IN_FRAGMENTS, MULTIPLEXED, PLAIN, WITH_OBJECTS, Way,
    answered_alike_at_once,
};
use crate::conform::cases::kms::request_alike::QUESTIONS;
use crate::conform::cases::kms::tools::{cmid, granted, require_as_before, told};
use crate::conform::cases::rpc::tools::{SERVED_NEXT, TIME_MAX, bind_frame, plain};
use crate::conform::host::{Closing, Patience};
use crate::conform::{Capability, Case, Confidence, Level, Stop, Talk};
use crate::proto::Ask;
use crate::wire::kms::ProtocolVersion;
use crate::wire::rpc::{Body, CALL_HEADER_LEN, Flags, HEADER_LEN, Pdu, at};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "load/answers-to-their-own",
        Level::Must,
        "many clients at once",
        "However many clients have requests under way, every one gets the answer to its own.",
        "C706 section 12.6.3.6; protocol description, section 4: a client takes no other client's answer",
        |t| {
            let lines = bind_many(t, crowd(t))?;
            for round in 0..rounds(t) {
                for (number, line) in lines.iter().enumerate() {
                    t.on(*line);
                    let ask = ask_of(t, number as u32, VERSIONS[(round + number) % VERSIONS.len()]);
                    t.send_ask(&ask);
                }
                // Whoever came last is heard first.
                for (number, line) in lines.iter().enumerate().rev() {
                    t.on(*line);
                    if !is_served(t, &format!("client {}, round {}", number + 1, round + 1)) {
                        return Ok(());
                    }
                }
            }
            Ok(())
        },
    )
    .of_kms(),
    Case::new(
        "load/every-way-at-once",
        Level::Must,
        "many clients at once, each in a way of its own",
        "Of clients that ask at the same time in different versions, syntaxes, byte orders and numbers of fragments, for what \
         is granted and for what is refused, each is answered as if it were alone.",
        "C706 section 12.6: a connection is a stream of its own; protocol description, section 4",
        |t| {
            let (many, rounds) = if t.is_slow() { (WAYS.len(), 1) } else { (crowd(t), rounds(t)) };
            answered_alike_at_once(t, WAYS, QUESTIONS, many, rounds)
        },
    )
    .of_kms(),
    Case::new(
        "load/valid-among-malformed",
        Level::Must,
        "clients that ask right among clients that do not",
        "While every second client sends what is malformed, all others are answered, and answered right.",
        "robustness: one client's mistake is not another's",
        |t| {
            let many = crowd(t);
            let mut lines = bind_many(t, many)?;
            // Of each client that does not ask right the next one is heard before the one after it.
            let rounds = rounds(t);
            for round in 0..t.times(rounds, 1, many as u32) {
                for (number, line) in lines.iter().enumerate() {
                    t.on(*line);
                    match number % 2 {
                        0 => drop(t.request(0)),
                        _ => send_malformed(t, round + number / 2),
                    }
                }
                for (number, line) in lines.iter_mut().enumerate() {
                    t.on(*line);
                    if number % 2 == 0 {
                        if !is_served(t, &format!("client {}, round {}", number + 1, round + 1)) {
                            return Ok(());
                        }
                        continue;
                    }
                    // What becomes of it is other cases' to judge.
                    t.see(Patience::Silence, None);
                    t.close();
                    if !t.serves_others(&format!("whoever comes after client {}, round {}", number + 1, round + 1)) {
                        return Ok(());
                    }
                    *line = t.line();
                }
            }
            Ok(())
        },
    ),
    Case::new(
        "load/halves-of-pdus",
        Level::Must,
        "PDUs of many clients that come in halves",
        "Of PDUs whose halves come between those of other clients each is put together for its own connection.",
        "C706 section 12.6: a connection is a stream of its own",
        |t| {
            let lines = bind_many(t, crowd(t))?;
            let mut halves = Vec::new();
            for line in &lines {
                t.on(*line);
                let (frame, ask) = t.request_frame(0);
                t.note_sent(&frame, ask);
                let at = HEADER_LEN + halves.len() % (frame.len() - HEADER_LEN);
                t.transmit(&frame[..at]);
                halves.push(frame[at..].to_vec());
            }
            for (line, half) in lines.iter().zip(&halves) {
                t.on(*line);
                t.transmit(half);
            }
            for (number, line) in lines.iter().enumerate() {
                t.on(*line);
                if !is_served(t, &format!("client {}", number + 1)) {
                    break;
                }
            }
            Ok(())
        },
    ),
    Case::new(
        "load/connections-in-a-row",
        Level::Must,
        "one connection after the other",
        "A host serves as many connections one after the other as clients open, each like the first.",
        "C706 chapter 12; Windows clients open one for every request",
        |t| {
            let most = if t.is_paced() { 40 } else { t.times(200, 12, 4) };
            for number in 1..=most {
                if let Err(stop) = t.bind() {
                    let due = "a connection that is bound".to_owned();
                    t.holds("reply", false, || (due, format!("connection {number} of {most}: {stop}")));
                    break;
                }
                t.request(0);
                if !is_served(t, &format!("connection {number} of {most}")) {
                    break;
                }
                t.close();
                if t.took() > TIME_MAX {
                    t.note(format!("{number} of {most} connections, for that took {TIME_MAX:?}"));
                    break;
                }
            }
            Ok(())
        },
    ),
    Case::new(
        "load/slow-clients",
        Level::Rec,
        "clients that never come to an end",
        "Thirty clients that say nothing and twenty that send a byte now and then keep no other client waiting.",
        "robustness; no text",
        |t| {
            let (idle, slow) = if t.is_paced() { (15, 10) } else { (30, 20) };
            for _ in 0..idle {
                t.connect()?;
            }
            let bind = bind_frame(t);
            let mut slowly = Vec::new();
            for _ in 0..slow {
                t.connect()?;
                slowly.push(t.line());
            }
            for round in 0..SLOW_ROUNDS {
                for line in &slowly {
                    t.on(*line);
                    t.send_raw(&bind[round * SLOW_BYTES..(round + 1) * SLOW_BYTES]);
                }
                t.serves_others(&format!("another client, round {}", round + 1));
                t.close();
            }
            Ok(())
        },
    ),
    Case::new(
        "load/many-at-once",
        Level::Rec,
        "more connections than most hosts have at a time",
        "Of a hundred and twenty clients that come at the same moment each is served, or refused at once.",
        "robustness; no text: a client that is refused tries the next host, one that waits does not",
        many_at_once,
    ),
    Case::new(
        "load/count-of-many",
        Level::Win,
        "the count while many machines ask at once",
        "However many machines ask at once, the count grows by no more than there are, and every one of them is counted.",
        "Windows 7 resource kit on the cache of 2N ids kept for thirty days; protocol description, section 6",
        count_of_many,
    )
    .of_kms()
    .needs(&[Capability::Counting])
    .confidence(Confidence::Medium),
];

/// Ways in which clients ask side by side.
const WAYS: &[Way] =
    &[IN_FRAGMENTS, PLAIN, IN_A_GROUP, MULTIPLEXED, BIG_ENDIAN, IN_FRAGMENTS, WITH_OBJECTS, IN_A_HIGH_CONTEXT];

fn ask_of(t: &mut Talk<'_>, number: u32, version: ProtocolVersion) -> Ask {
    let id = cmid(t, number);
    t.ask(version, |request| request.cmid = id)
}

/// Something that no host has to answer, of several kinds.
fn send_malformed(t: &mut Talk<'_>, kind: usize) {
    let (mut frame, _) = t.request_frame(0);
    match kind % 5 {
        // A stub that is shorter than it says.
        0 => {
            frame.truncate(CALL_HEADER_LEN + (frame.len() - CALL_HEADER_LEN) / 2);
            at::fit(&mut frame);
        }
        // An operation that does not exist.
        1 => at::set(&mut frame, at::OPNUM, &0x7fff_u16.to_le_bytes()),
        // A context that was never agreed on.
        2 => at::set(&mut frame, at::CONTEXT, &999_u16.to_le_bytes()),
        // A body that is noise. Of another interface it may be one that has a meaning.
        3 if t.service().stub.is_none() => frame[CALL_HEADER_LEN..].fill(0xa5),
        // Half a request, and nothing after it.
        _ => {
            let half = frame.len() / 2;
            return t.send_raw(&frame[..half]);
        }
    }
    t.send_opaque(&frame);
}

fn many_at_once(t: &mut Talk<'_>) -> Result<(), Stop> {
    let many = if t.is_paced() { 50 } else { 120 };
    let mut lines = Vec::new();
    let mut refused = 0;
    for _ in 0..many {
        match t.connect() {
            Ok(()) => lines.push(t.line()),
            // Refused by its port.
            Err(_) => refused += 1,
        }
    }
    for line in &lines {
        t.on(*line);
        let offered = t.offer(vec![plain(t, 0)]);
        t.send_bind(Flags::WHOLE, &offered);
    }
    let mut bound = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        t.on(*line);
        let seen = t.see(Patience::Answer, None);
        if t.syntax_of(0).is_some() {
            bound.push(*line);
            continue;
        }
        refused += 1;
        let is_clean = seen.closing != Closing::Open || is_nak(&seen);
        t.holds("refusal", is_clean, || ("a bind_nak or a close".to_owned(), seen.to_string()));
        if !is_clean {
            t.note(format!("client {} of {many} is kept waiting", number + 1));
            return Ok(());
        }
    }
    for line in &bound {
        t.on(*line);
        t.request(0);
    }
    for (number, line) in bound.iter().enumerate() {
        t.on(*line);
        if !is_served(t, &format!("client {} of {}", number + 1, bound.len())) {
            return Ok(());
        }
    }
    t.note(format!("{} of {many} clients were served at the same time, {refused} were refused", bound.len()));
    t.should_hold("refusal", refused == 0, || ("none".to_owned(), format!("{refused} of {many} clients")));
    Ok(())
}

fn is_nak(seen: &Seen) -> bool {
    let pdu = seen.reply.as_deref().map(Pdu::decode);
    matches!(pdu, Some(Ok(Pdu { body: Body::BindNak(_), .. })))
}

fn count_of_many(t: &mut Talk<'_>) -> Result<(), Stop> {
    let known = ask_of(t, FIRST_NEW, ProtocolVersion::V6);
    let Some(base) = count(t, "one machine, before", &known)? else { return Ok(()) };
    let numbers = FIRST_NEW..FIRST_NEW + NEW;
    let most = base + NEW - 1;
    let lines = bind_many(t, 2 * NEW as usize)?;
    // Each machine comes twice at the same time.
    for (line, number) in lines.iter().zip(numbers.clone().chain(numbers.clone())) {
        t.on(*line);
        let ask = ask_of(t, number, ProtocolVersion::V6);
        t.send_ask(&ask);
    }
    for (at, line) in lines.iter().enumerate() {
        t.on(*line);
        let seen = t.expect_next(&format!("request {} of {}", at + 1, lines.len()), SERVED_NEXT);
        let Some(told) = told(t).filter(|_| seen.answer == Some(Answered::Granted)) else {
            return Ok(());
        };
        if told.count > most && !t.is_alone() {
            let why = format!(
                "the count is {}, and {most} at most of these machines: others may ask the host too",
                told.count
            );
            return Err(Stop::NotApplicable(why));
        }
        t.holds("count", told.count <= most, || {
            (
                format!("at most {most}: {base} before, and {NEW} machines, one of them among those"),
                told.count.to_string(),
            )
        });
    }
    // Whoever was answered was counted: asking again makes no difference.
    let mut before = None;
    for number in numbers {
        let ask = ask_of(t, number, ProtocolVersion::V6);
        let Some(count) = count(t, &format!("machine {} again", number + 1), &ask)? else { return Ok(()) };
        let before = *before.get_or_insert(count);
        require_as_before(t, before, count)?;
    }
    Ok(())
}

fn count(t: &mut Talk<'_>, label: &str, ask: &Ask) -> Result<Option<u32>, Stop> {
    Ok(granted(t, label, ask)?.map(|told| told.count))
}

/// How many clients are there at once.
fn crowd(t: &Talk<'_>) -> usize {
    if t.is_paced() { 12 } else { 32 }
}

fn rounds(t: &Talk<'_>) -> usize {
    if t.is_paced() { 2 } else { 4 }
}

const VERSIONS: [ProtocolVersion; 3] = [ProtocolVersion::V6, ProtocolVersion::V5, ProtocolVersion::V4];
/// A slow client sends so many bytes in each round: together they are less than a header.
const SLOW_BYTES: usize = 3;
const SLOW_ROUNDS: usize = 4;
/// Machines that no other case is of.
const FIRST_NEW: u32 = 33;
const NEW: u32 = 12;
