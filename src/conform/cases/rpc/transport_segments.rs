//! PDUs that come in many segments, with time between them: TCP has no messages (C706 section 12.6).

use std::time::Duration;

use super::calls::{self, Call};
use super::tools::{ACCEPTED_NEXT, SERVED_NEXT, bind_frame_of, syntaxes};
use crate::conform::{Case, Level, Stop, Talk};
use crate::proto::Ask;
use crate::wire::rpc::{Flags, TransferSyntax};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "rpc/transport/slow-segments",
        Level::Must,
        "PDUs in many segments that come one after the other",
        "A bind and a request whose bytes trickle in, in pieces of any size, are answered like any other, in every \
         syntax the host speaks.",
        "C706 section 12.6; independent hosts",
        |t| {
            for syntax in syntaxes(t)? {
                for size in t.some_of(vec![1, 2, 3, 5, 7, 13, 40], 3, 5) {
                    bind(t, syntax, |t, frame| trickle(t, frame, None, size))?;
                    if is_ready(t) {
                        let (frame, ask) = t.request_frame(0);
                        trickle(t, &frame, ask, size);
                        t.expect_next(&format!("a request by {size} in {}", syntax.id()), SERVED_NEXT);
                    }
                }
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/transport/slow-fragments",
        Level::Must,
        "fragments in many segments",
        "A request in several fragments whose bytes trickle in is answered once and as a whole, in every syntax the host \
         speaks.",
        "C706 sections 12.6 and 12.6.3.7",
        |t| {
            for syntax in syntaxes(t)? {
                bind(t, syntax, |t, frame| trickle(t, frame, None, frame.len()))?;
                for (size, pieces) in [(1, 2), (3, 3), (7, 5), (23, 8)] {
                    if is_ready(t) {
                        in_fragments(t, syntax, size, pieces);
                    }
                }
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/transport/every-split",
        Level::Must,
        "PDUs split after each of their first bytes",
        "A bind and a request that come in two segments are answered wherever they are split, in every syntax the host \
         speaks.",
        "C706 section 12.6; independent hosts",
        |t| {
            for syntax in syntaxes(t)? {
                for at in t.some_of((1..=BIND_SPLITS).collect(), 4, 4) {
                    bind(t, syntax, |t, frame| split(t, frame, None, at))?;
                    if is_ready(t) && at < BIND_SPLITS {
                        t.close();
                    }
                }
                for at in t.some_of((1..=REQUEST_SPLITS).collect(), 4, 4) {
                    if is_ready(t) {
                        let (frame, ask) = t.request_frame(0);
                        let at = at.min(frame.len() - 1);
                        split(t, &frame, ask, at);
                        t.expect_next(&format!("a request in {}, split after {at} bytes", syntax.id()), SERVED_NEXT);
                    }
                }
            }
            Ok(())
        },
    ),
];

/// Binds on a new connection, with a PDU that is sent so.
fn bind(t: &mut Talk<'_>, syntax: TransferSyntax, send: impl FnOnce(&mut Talk<'_>, &[u8])) -> Result<(), Stop> {
    t.connect()?;
    let offered = t.offer(vec![t.context(0, &[syntax.id()])]);
    let frame = bind_frame_of(t, Flags::WHOLE, offered);
    send(t, &frame);
    t.expect_next(&format!("a bind in {}", syntax.id()), ACCEPTED_NEXT);
    Ok(())
}

fn is_ready(t: &Talk<'_>) -> bool {
    t.syntax_of(0).is_some() && !t.is_over()
}

fn trickle(t: &mut Talk<'_>, frame: &[u8], ask: Option<Ask>, size: usize) {
    t.note_sent(frame, ask);
    for piece in frame.chunks(size) {
        t.transmit(piece);
        t.rest(PAUSE);
    }
}

fn split(t: &mut Talk<'_>, frame: &[u8], ask: Option<Ask>, at: usize) {
    t.note_sent(frame, ask);
    t.transmit(&frame[..at]);
    t.rest(PAUSE);
    t.transmit(&frame[at..]);
}

/// A request in so many fragments, that come in segments of this size.
fn in_fragments(t: &mut Talk<'_>, syntax: TransferSyntax, size: usize, pieces: usize) {
    let call = Call::in_syntax(t, syntax);
    let piece = ((call.stub.len() / pieces) & !7).max(8);
    let places: Vec<_> = (piece..call.stub.len()).step_by(piece).collect();
    for (flags, _, piece) in calls::pieces(&call.stub, &places) {
        let frame = t.frame_of(call.id, flags, 0, piece);
        trickle(t, &frame, call.ask.clone(), size);
    }
    let count = places.len() + 1;
    t.expect_next(&format!("{count} fragments by {size} in {}", syntax.id()), SERVED_NEXT);
}

/// Long enough for a piece to go out, and to be read, by itself.
const PAUSE: Duration = Duration::from_micros(500);
/// All of a header, and what a bind has next.
const BIND_SPLITS: usize = 32;
/// All of a header, what a call has next, and the counts of a stub in either syntax.
const REQUEST_SPLITS: usize = 48;
