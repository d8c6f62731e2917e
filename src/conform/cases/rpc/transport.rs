//! How PDUs are carried: pieces, lengths, and connections that end in the middle (C706 section 12.6; MS-RPCE 3.3.3.5.1).

use std::time::Duration;

use super::calls::Call;
use super::tools::{ACCEPTED, FAULTED, REFUSED_OR_CLOSED, SERVED_NEXT, Spoil, bind_frame, expect_first, plain};
use crate::conform::accept::{Accept, Then, Want, fault, loose, ok};
use crate::conform::host::{Closing, Patience};
use crate::conform::{Case, Level, Stop, Talk};
use crate::proto::Ask;
use crate::wire::rpc::{
    Bind, CALL_HEADER_LEN, FaultStatus, Flags, HEADER_LEN, MAX_FRAGMENT, PduView, Ptype, SyntaxId, at,
};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "rpc/transport/one-byte-segments",
        Level::Must,
        "PDUs that come byte by byte",
        "A bind and a request that come one byte at a time are answered like any other.",
        "C706 section 12.6; seen live on Samba 4.17; independent hosts",
        |t| {
            t.connect()?;
            let bind = bind_frame(t);
            in_pieces(t, &bind, None, 1);
            t.expect("the bind", ACCEPTED);
            let (request, ask) = t.request_frame(0);
            in_pieces(t, &request, ask, 1);
            t.expect("the request", SERVED_NEXT);
            Ok(())
        },
    ),
    Case::new(
        "rpc/transport/two-in-one-segment",
        Level::Must,
        "a bind and a request that come together",
        "A bind and a request that come in one segment are both answered, in this order.",
        "C706 section 12.6; seen live on Samba 4.17; independent hosts",
        |t| {
            t.connect()?;
            let bind = bind_frame(t);
            t.note_sent(&bind, None);
            let (request, ask) = t.request_frame(0);
            t.note_sent(&request, ask);
            t.transmit(&[bind, request].concat());
            t.expect_next("the bind", &[ok(Want::Ack(&[(0, 0)]), Then::Either)]);
            t.expect("the request", SERVED_NEXT);
            Ok(())
        },
    ),
    Case::new(
        "rpc/transport/split-header",
        Level::Must,
        "PDUs split inside the header",
        "A PDU whose header comes in two segments is waited for, and answered when it is whole.",
        "C706 section 12.6; seen live on Samba 4.17; independent hosts",
        |t| split(t, [3, 9]),
    ),
    Case::new(
        "rpc/transport/split-body",
        Level::Must,
        "PDUs split after the header",
        "A PDU whose body comes in a later segment is waited for, and answered when it is whole.",
        "C706 section 12.6; seen live on Samba 4.17; independent hosts",
        |t| split(t, [HEADER_LEN, HEADER_LEN + 9]),
    ),
    Case::new(
        "rpc/transport/short-frag-length",
        Level::Rec,
        "a length that is shorter than the header",
        "A PDU that says it is shorter than its own header ends the connection without an answer.",
        "seen live on Samba 4.17",
        |t| {
            for length in [0, 10] {
                t.connect()?;
                let mut frame = bind_frame(t);
                set_length(&mut frame, length);
                expect_first(t, &format!("frag_length {length}"), &frame, CLOSED);
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/transport/empty-bind",
        Level::Rec,
        "a bind that is nothing but its header",
        "A bind without a body ends the connection, with a bind_nak or without.",
        "seen live on Samba 4.17",
        |t| {
            t.connect()?;
            let mut frame = bind_frame(t);
            frame.truncate(HEADER_LEN);
            set_length(&mut frame, HEADER_LEN as u16);
            expect_first(t, "the bind", &frame, REFUSED_OR_CLOSED);
            Ok(())
        },
    ),
    Case::new(
        "rpc/transport/long-frag-length",
        Level::Rec,
        "a PDU that never comes to its end",
        "A PDU that says it is 65,535 bytes long and stops after 72 is answered nothing, and keeps nobody else waiting.",
        "seen live on Samba 4.17",
        |t| {
            t.connect()?;
            let mut frame = bind_frame(t);
            set_length(&mut frame, u16::MAX);
            expect_first(t, "the beginning", &frame, WAITS);
            t.serves_others("another client meanwhile");
            Ok(())
        },
    ),
    Case::new(
        "rpc/transport/full-fragment",
        Level::Win,
        "a request as long as a fragment may be",
        "A request of exactly 5,840 bytes in one fragment is served.",
        "Samba raw protocol tests (neg_xmit); seen live on Samba 4.17",
        |t| {
            t.bind()?;
            long_request(t, MAX_FRAGMENT);
            t.expect("5840 bytes", SERVED_NEXT);
            t.still_serves("the next request");
            Ok(())
        },
    ),
    Case::new(
        "rpc/transport/oversized-fragment",
        Level::Win,
        "a request longer than a fragment may be",
        "A fragment of 5,841 bytes, be it a whole request or the last of several, is answered with a protocol error, and \
         the connection closed; one of 3,000 is not, whatever size was agreed on.",
        "Samba raw protocol tests (neg_xmit); seen live on Samba 4.17",
        |t| {
            t.bind()?;
            long_request(t, MAX_FRAGMENT + 1);
            let accepts = [
                ok(fault(&[FaultStatus::PROTOCOL_ERROR]).executed(true).context(0).want(), Then::Closed),
                loose(Want::Silence, Then::Closed),
            ];
            t.expect("5841 bytes", &accepts);
            t.bind()?;
            let call = Call::of(t).padded(64 + usize::from(MAX_FRAGMENT) + 1 - CALL_HEADER_LEN);
            call.send_cut(t, &[64], |_, _, _| ());
            t.expect("5841 bytes in the last fragment", &accepts);
            t.connect()?;
            let offered = Bind { max_xmit_frag: 2048, max_recv_frag: 2048, ..t.offer(vec![plain(t, 0)]) };
            t.send_bind(Flags::WHOLE, &offered);
            t.expect_next("a bind with fragments of 2048", ACCEPTED);
            if t.syntax_of(0).is_some() && !t.is_over() {
                long_request(t, 3000);
                t.expect_next("3000 bytes where 2048 were agreed on", SERVED_NEXT);
            }
            Ok(())
        },
    )
    .revision(2),
    Case::new(
        "rpc/transport/half-close",
        Level::Rec,
        "a client that sends nothing more",
        "A client that closes its side after a request still gets the answer, be it a response or a fault.",
        "seen live on Samba 4.17; independent hosts",
        |t| {
            t.bind()?;
            t.request(0);
            t.half_close();
            t.expect("the answer", SERVED_NEXT);
            for (label, spoil) in t.in_turn(FAULTED) {
                faulted_all_the_same(t, label, spoil)?;
            }
            Ok(())
        },
    )
    .revision(2),
    Case::new(
        "rpc/transport/http",
        Level::Rec,
        "a web client",
        "Bytes of HTTP are answered nothing that looks like an answer, and do the host no harm.",
        "seen live on Samba 4.17",
        |t| strangers(t, b"GET / HTTP/1.1\r\nHost: kms\r\nAccept: */*\r\n\r\n"),
    ),
    Case::new(
        "rpc/transport/tls",
        Level::Rec,
        "a TLS client",
        "Bytes of a TLS handshake are answered nothing that looks like an answer, and do the host no harm.",
        "seen live on Samba 4.17",
        |t| strangers(t, CLIENT_HELLO),
    ),
    Case::new(
        "rpc/transport/idle",
        Level::Info,
        "connections on which nothing happens",
        "How long a host keeps a connection open after connect, after a bind and in the middle of a PDU is recorded, as far as a moment shows it.",
        "Samba keeps them open for more than 45 s",
        idle,
    )
    .revision(2),
    Case::new(
        "rpc/transport/reset-mid-call",
        Level::Rec,
        "a client that is gone in the middle of its request",
        "A client that breaks off in the middle of a request, or before its answer, does no other client any harm.",
        "independent hosts",
        |t| {
            t.bind()?;
            let (request, ask) = t.request_frame(0);
            t.note_sent(&request, ask);
            t.transmit(&request[..request.len() / 2]);
            t.break_off();
            t.serves_others("another client, after half a request");
            t.request(0);
            t.break_off();
            t.serves_others("another client, after a request");
            Ok(())
        },
    )
    .alone(),
    Case::new(
        "rpc/transport/idle-connections",
        Level::Rec,
        "a hundred clients that say nothing",
        "With a hundred idle connections open, one more client is served.",
        "independent hosts",
        |t| {
            let connections = if t.is_paced() { 50 } else { 100 };
            for _ in 0..connections {
                // A host that takes no more of them is found at the last one.
                if t.connect().is_err() {
                    break;
                }
            }
            t.serves_one_more("one more client");
            Ok(())
        },
    )
    .alone(),
];

/// A call that gets a fault gets it, too, when the client sends nothing more.
fn faulted_all_the_same(t: &mut Talk<'_>, label: &str, spoil: Spoil) -> Result<(), Stop> {
    t.bind()?;
    t.request_with(0, spoil);
    let seen = t.see(Patience::Answer, None);
    if seen.reply.as_deref().and_then(|frame| PduView(frame).ptype()) != Some(Ptype::FAULT) {
        return Ok(());
    }
    t.bind()?;
    t.request_with(0, spoil);
    t.half_close();
    t.expect(&format!("the fault of {label}"), &[ok(Want::AnyFault, Then::Either)]);
    Ok(())
}

fn in_pieces(t: &mut Talk<'_>, frame: &[u8], ask: Option<Ask>, size: usize) {
    t.note_sent(frame, ask);
    frame.chunks(size).for_each(|piece| t.transmit(piece));
}

/// A bind and a request that are split after so many bytes.
fn split(t: &mut Talk<'_>, at: [usize; 2]) -> Result<(), Stop> {
    for at in at {
        t.connect()?;
        let bind = bind_frame(t);
        in_halves(t, "the bind", (&bind, None), at, ACCEPTED);
        if t.syntax_of(0).is_none() || t.is_over() {
            continue;
        }
        let (request, ask) = t.request_frame(0);
        in_halves(t, "the request", (&request, ask), at, SERVED_NEXT);
    }
    Ok(())
}

fn in_halves(t: &mut Talk<'_>, label: &str, (frame, ask): (&[u8], Option<Ask>), at: usize, accepts: &[Accept]) {
    t.note_sent(frame, ask);
    t.transmit(&frame[..at]);
    t.expect(&format!("{label}, {at} bytes of it"), &[ok(Want::Silence, Then::Open)]);
    t.transmit(&frame[at..]);
    t.expect(label, accepts);
}

/// An ordinary request with so many bytes after its stub that it is this long: what follows a stub means nothing.
fn long_request(t: &mut Talk<'_>, length: u16) {
    t.request_with(0, |frame| {
        frame.resize(usize::from(length), 0);
        set_length(frame, length);
        let hint = u32::from(length) - CALL_HEADER_LEN as u32;
        at::set(frame, at::ALLOC_HINT, &hint.to_le_bytes());
    });
}

fn set_length(frame: &mut [u8], length: u16) {
    at::set(frame, at::FRAG_LENGTH, &length.to_le_bytes());
}

/// What speaks another protocol altogether.
fn strangers(t: &mut Talk<'_>, bytes: &[u8]) -> Result<(), Stop> {
    t.connect()?;
    t.send_raw(bytes);
    t.expect("the bytes", WAITS);
    t.serves_others("another client meanwhile");
    Ok(())
}

fn idle(t: &mut Talk<'_>) -> Result<(), Stop> {
    t.connect()?;
    t.bind()?;
    t.bind()?;
    let (request, _) = t.request_frame(0);
    t.send_raw(&request[..request.len() / 2]);
    t.rest(MOMENT);
    for (line, since) in ["connect", "a bind", "half a request"].into_iter().enumerate() {
        t.on(line);
        let is_open = t.closing(Patience::Silence) == Closing::Open;
        t.note(format!("{} a moment after {since}", if is_open { "still open" } else { "closed" }));
    }
    let offered = t.offer(vec![t.context(0, &[SyntaxId::NDR32])]);
    t.on(0);
    if !t.is_over() {
        t.send_bind(Flags::WHOLE, &offered);
        let seen = t.see(Patience::Answer, None);
        t.note(format!("a bind after the rest: {seen}"));
    }
    Ok(())
}

/// No answer and an end.
const CLOSED: &[Accept] = &[ok(Want::Silence, Then::Closed)];
/// No answer: a host may wait for more, or have seen enough.
const WAITS: &[Accept] = &[ok(Want::Silence, Then::Open), ok(Want::Silence, Then::Either)];
/// Hosts that are in a hurry close at once; who waits for longer is waited for by no case.
const MOMENT: Duration = Duration::from_millis(100);
/// The beginning of a TLS 1.2 ClientHello.
const CLIENT_HELLO: &[u8] = &[
    0x16, 0x03, 0x01, 0x00, 0x2f, 0x01, 0x00, 0x00, 0x2b, 0x03, 0x03, 0x6b, 0x6d, 0x73, 0x70, 0x72, 0x6f, 0x6f, 0x66,
    0x6b, 0x6d, 0x73, 0x70, 0x72, 0x6f, 0x6f, 0x66, 0x6b, 0x6d, 0x73, 0x70, 0x72, 0x6f, 0x6f, 0x66, 0x6b, 0x6d, 0x73,
    0x70, 0x72, 0x6f, 0x6f, 0x66, 0x00, 0x00, 0x04, 0x13, 0x01, 0x00, 0x2f, 0x01, 0x00,
];
