//! Clients that take their time: over a slow link half a second goes by between any two things that they send.

use std::time::Duration;

use super::calls::{self, Call};
use super::tools::{ACCEPTED_NEXT, SERVED_NEXT, bind_frame, bind_together};
use crate::conform::accept::Accept;
use crate::conform::{Case, Level, Stop, Talk};
use crate::wire::rpc::TransferSyntax;

pub(super) static CASES: &[Case] = &[Case::new(
    "rpc/transport/half-a-second",
    Level::Should,
    "a client over a slow link",
    "A client that says nothing for half a second after it connected, within a bind, after it, within a request, between \
     its fragments or after an answer is served as any other.",
    "C706 section 12.6; Microsoft's RPC clients and independent hosts keep a connection for 30 s",
    |t| {
        // All of them pause at the same time.
        let mut goes_on = vec![connected(t)?, within_a_bind(t)?];
        let bound_lines = bind_together(t, 4)?;
        let waiting: [Begin; 4] = [bound, within_a_request, between_fragments, answered];
        for (line, begin) in bound_lines.into_iter().zip(waiting) {
            t.on(line);
            goes_on.push(begin(t));
        }
        t.rest(PAUSE);
        // None of them waits for the answers of the others.
        let mut due = Vec::new();
        for (line, goes_on) in goes_on.into_iter().enumerate() {
            t.on(line);
            due.push(goes_on(t));
        }
        for (line, (label, accepts)) in due.into_iter().enumerate() {
            t.on(line);
            t.expect_next(label, accepts);
        }
        Ok(())
    },
)];

/// What a client does before its pause.
type Begin = fn(&mut Talk<'_>) -> Next;
/// What it sends after it, and what that should come to.
type Next = Box<dyn FnOnce(&mut Talk<'_>) -> (&'static str, &'static [Accept])>;

fn connected(t: &mut Talk<'_>) -> Result<Next, Stop> {
    t.connect()?;
    Ok(Box::new(|t| {
        let frame = bind_frame(t);
        t.send_frame(&frame, None);
        ("a bind half a second after connecting", ACCEPTED_NEXT)
    }))
}

fn within_a_bind(t: &mut Talk<'_>) -> Result<Next, Stop> {
    t.connect()?;
    let frame = bind_frame(t);
    t.note_sent(&frame, None);
    let rest = frame[BEGINNING..].to_vec();
    t.transmit(&frame[..BEGINNING]);
    Ok(Box::new(move |t| {
        t.transmit(&rest);
        ("a bind with half a second within it", ACCEPTED_NEXT)
    }))
}

fn bound(_: &mut Talk<'_>) -> Next {
    Box::new(|t| {
        t.request(0);
        ("a request half a second after the bind", SERVED_NEXT)
    })
}

fn within_a_request(t: &mut Talk<'_>) -> Next {
    let (frame, ask) = t.request_frame(0);
    t.note_sent(&frame, ask);
    let rest = frame[BEGINNING..].to_vec();
    t.transmit(&frame[..BEGINNING]);
    Box::new(move |t| {
        t.transmit(&rest);
        ("a request with half a second within it", SERVED_NEXT)
    })
}

fn between_fragments(t: &mut Talk<'_>) -> Next {
    let call = Call::in_syntax(t, TransferSyntax::Ndr32);
    let pieces: Vec<_> =
        calls::pieces(&call.stub, &[BEGINNING]).map(|(flags, _, piece)| (flags, piece.to_vec())).collect();
    let mut pieces = pieces.into_iter();
    if let Some((flags, piece)) = pieces.next() {
        call.send(t, flags, &piece);
    }
    Box::new(move |t| {
        pieces.for_each(|(flags, piece)| call.send(t, flags, &piece));
        ("a request with half a second between its fragments", SERVED_NEXT)
    })
}

fn answered(t: &mut Talk<'_>) -> Next {
    t.request(0);
    t.expect_next("a request", SERVED_NEXT);
    Box::new(|t| {
        t.request(0);
        ("a request half a second after an answer", SERVED_NEXT)
    })
}

/// As far as a PDU or a stub goes before the pause.
const BEGINNING: usize = 24;
/// As long as one over a satellite waits for an answer to what it sent.
const PAUSE: Duration = Duration::from_millis(500);
