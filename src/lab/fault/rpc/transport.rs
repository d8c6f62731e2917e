//! Faults of a host that carries PDUs badly (C706 section 12.6; MS-RPCE 3.3.3.5.1).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::lab::fault::{Fault, Install};
use crate::lab::tamper::{End, Fate, Fields, Segment, Tamper, fault_of};
use crate::wire::rpc::{Body, FaultStatus, Flags, HEADER_LEN, MAX_FRAGMENT, Pdu, PduView, Ptype};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "hangs-up-after-a-third",
        does: "Closes a connection on which nothing came for a third of a second.",
        hurts: "Clients over a slow link: they are cut off while their bytes are on the way.",
        caught_by: &["rpc/transport/half-a-second#reply"],
        install: Install::Pdus(|tamper, _| tamper.idle_max = Duration::from_millis(333)),
    },
    Fault {
        name: "wants-header-at-once",
        does: "Closes the connection when the first bytes of a PDU are fewer than a header.",
        hurts: "Clients behind a link or a filter that cuts segments small: they are never activated.",
        caught_by: &["rpc/transport/split-header#closing", "rpc/transport/one-byte-segments#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_segment(|segment| {
                if segment.pending.is_empty() && segment.bytes.len() < HEADER_LEN {
                    segment.fate = Fate::Closes(End::Finish);
                }
            });
        }),
    },
    Fault {
        name: "wants-body-at-once",
        does: "Closes the connection when the segment that completes a header does not complete its PDU.",
        hurts: "Clients behind a link or a filter that cuts segments small: they are never activated.",
        caught_by: &["rpc/transport/split-body#closing", "rpc/transport/one-byte-segments#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_segment(|segment| {
                if segment.pending.len() < HEADER_LEN && said(segment).is_some_and(|said| said > there(segment)) {
                    segment.fate = Fate::Closes(End::Finish);
                }
            });
        }),
    },
    Fault {
        name: "takes-part-for-whole",
        does: "Reads a PDU as if what has come of it were all of it.",
        hurts: "Clients whose PDUs come in pieces: the host answers the first piece and is out of step ever after.",
        caught_by: &["rpc/transport/long-frag-length#reply", "rpc/transport/split-body#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_segment(|segment| {
                let there = there(segment);
                if segment.pending.is_empty() && said(segment).is_some_and(|said| said > there) {
                    segment.fit();
                }
            });
        }),
    },
    Fault {
        name: "loses-rest-of-segment",
        does: "Reads one PDU of a segment, and throws away what follows it.",
        hurts: "Clients that send their bind and their request together: they wait for an answer until they give up.",
        caught_by: &["rpc/transport/two-in-one-segment#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_segment(|segment| {
                if let (true, Some(said)) = (segment.pending.is_empty(), said(segment)) {
                    segment.bytes.truncate(said.max(HEADER_LEN));
                }
            });
        }),
    },
    Fault {
        name: "stalls-on-short-length",
        does: "Neither answers nor closes after a PDU that says it is shorter than its header.",
        hurts: "The admin: connections of broken clients and scanners stay, and are never cleared away.",
        caught_by: &["rpc/transport/short-frag-length#closing"],
        install: Install::Pdus(|tamper, _| on_short_length(tamper, |_| true, Fate::Vanishes)),
    },
    Fault {
        name: "dies-of-no-length",
        does: "Is gone after a PDU that says it is 0 bytes long.",
        hurts: "Everybody, once anyone has sent sixteen bytes to the port.",
        caught_by: &["rpc/transport/short-frag-length#liveness"],
        install: Install::Pdus(|tamper, _| on_short_length(tamper, |said| said == 0, Fate::Kills)),
    },
    Fault {
        name: "stalls-on-empty-bind",
        does: "Neither answers nor closes after a bind that is nothing but its header.",
        hurts: "The admin: connections of broken clients and scanners stay, and are never cleared away.",
        caught_by: &["rpc/transport/empty-bind#closing"],
        install: Install::Pdus(|tamper, _| on_empty_bind(tamper, Fate::Vanishes)),
    },
    Fault {
        name: "dies-of-empty-bind",
        does: "Reads past the end of a bind that is nothing but its header, and is gone.",
        hurts: "Everybody, once anyone has sent sixteen bytes to the port.",
        caught_by: &["rpc/transport/empty-bind#liveness"],
        install: Install::Pdus(|tamper, _| on_empty_bind(tamper, Fate::Kills)),
    },
    Fault {
        name: "dies-of-long-length",
        does: "Is gone after the beginning of a PDU that says it is longer than 32,767 bytes.",
        hurts: "Everybody, once anyone has sent sixteen bytes to the port.",
        caught_by: &["rpc/transport/long-frag-length#liveness"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_segment(|segment| {
                // Only what is DCE/RPC is read for its length.
                if segment.bytes.first() == Some(&5) && said(segment).is_some_and(|said| said > LENGTH_MAX) {
                    segment.fate = Fate::Kills;
                }
            });
        }),
    },
    Fault {
        name: "serves-one-at-a-time",
        does: "Reads from no other connection while it waits for the rest of a PDU.",
        hurts: "Every client, while one of them or a scanner stops in the middle of a PDU.",
        caught_by: &["rpc/transport/long-frag-length#liveness"],
        install: Install::Pdus(|tamper, _| {
            let waiting = Arc::new(AtomicU64::new(NOBODY));
            let left = Arc::clone(&waiting);
            tamper.on_segment(move |segment| match waiting.load(Ordering::Relaxed) {
                other if other != NOBODY && other != segment.scene.number => segment.fate = Fate::Vanishes,
                _ => {
                    let is_whole = said(segment).is_none_or(|said| said <= there(segment));
                    waiting.store(if is_whole { NOBODY } else { segment.scene.number }, Ordering::Relaxed);
                }
            });
            tamper.on_leaving(move |leaving| {
                let _ = left.compare_exchange(leaving.scene.number, NOBODY, Ordering::Relaxed, Ordering::Relaxed);
            });
        }),
    },
    Fault {
        name: "refuses-full-fragments",
        does: "Answers a request of more than 5,832 bytes with a protocol error.",
        hurts: "Clients of other interfaces that fill their fragments, as they may.",
        caught_by: &["rpc/transport/full-fragment#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |incoming| {
                let call_id = PduView(&incoming.frame).call_id().unwrap_or_default();
                if (5833..=usize::from(MAX_FRAGMENT)).contains(&incoming.frame.len()) {
                    incoming.answer(&protocol_error(call_id));
                }
            });
        }),
    },
    Fault {
        name: "takes-any-fragment-size",
        does: "Serves a request in a fragment longer than the 5,840 bytes it has agreed to.",
        hurts: "The admin: how much memory a client can take is the client's choice.",
        caught_by: &["rpc/transport/oversized-fragment#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |incoming| {
                if incoming.frame.len() > usize::from(MAX_FRAGMENT) {
                    incoming.frame.truncate(usize::from(MAX_FRAGMENT));
                    incoming.fit();
                }
            });
        }),
    },
    Fault {
        name: "says-oversized-never-ran",
        does: "Sets did_not_execute on the fault for a fragment that is too long.",
        hurts: "Clients that try a call again when they are told that it never ran, for ever.",
        caught_by: &["rpc/transport/oversized-fragment#pfc_flags"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::FAULT, |out| {
                if out.asked.len() > usize::from(MAX_FRAGMENT) {
                    let flags = out.flags().with(Flags::DID_NOT_EXECUTE);
                    out.set_flags(flags);
                }
            });
        }),
    },
    Fault {
        name: "stays-open-after-oversized",
        does: "Keeps the connection open after a fragment that is too long, and reads nothing on it any more.",
        hurts: "Clients: what they ask next on the connection is never answered.",
        caught_by: &["rpc/transport/oversized-fragment#closing"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::FAULT, |out| {
                out.scene.stays_open |= out.asked.len() > usize::from(MAX_FRAGMENT);
            });
        }),
    },
    Fault {
        name: "drops-answer-on-half-close",
        does: "Takes the end of what a client sends for the end of the client, and drops its answer.",
        hurts: "Clients and health checks that close their side as soon as they have asked.",
        caught_by: &["rpc/transport/half-close#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::RESPONSE, |out| out.scene.drops_on_half_close = true);
        }),
    },
    Fault {
        name: "drops-faults-on-half-close",
        does: "Drops a fault when its client has closed its side, and sends responses all the same.",
        hurts: "Health checks that close their side as soon as they have asked: they do not hear what is wrong.",
        caught_by: &["rpc/transport/half-close#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out(|out| out.scene.drops_on_half_close = out.ptype() == Some(Ptype::FAULT));
        }),
    },
    Fault {
        name: "speaks-http",
        does: "Answers a web client in its own language.",
        hurts: "The admin: scanners take the port for a web server, and monitoring that expects none raises an alarm.",
        caught_by: &["rpc/transport/http#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_segment(|segment| {
                if segment.bytes.starts_with(b"GET ") {
                    segment.fate = Fate::Answered(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec());
                }
            });
        }),
    },
    Fault {
        name: "hangs-after-http",
        does: "Reads nothing from anybody any more after a web client was there.",
        hurts: "Everybody, once a scanner has looked at the port.",
        caught_by: &["rpc/transport/http#liveness"],
        install: Install::Pdus(|tamper, _| {
            let mut hangs = false;
            tamper.on_segment(move |segment| {
                hangs |= segment.bytes.starts_with(b"GET ");
                if hangs {
                    segment.fate = Fate::Vanishes;
                }
            });
        }),
    },
    Fault {
        name: "dies-of-tls",
        does: "Is gone after the beginning of a TLS handshake.",
        hurts: "Everybody, once a scanner has looked at the port.",
        caught_by: &["rpc/transport/tls#liveness"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_segment(|segment| {
                if segment.pending.is_empty() && segment.bytes.starts_with(&[0x16, 0x03]) {
                    segment.fate = Fate::Kills;
                }
            });
        }),
    },
    Fault {
        name: "dies-of-reset",
        does: "Is gone when a client breaks its connection off in the middle of a PDU.",
        hurts: "Everybody, once one client was switched off at the wrong moment.",
        caught_by: &["rpc/transport/reset-mid-call#liveness"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_leaving(|leaving| leaving.kills |= leaving.is_reset && leaving.is_cut_off);
        }),
    },
    Fault {
        name: "dies-of-unread-answer",
        does: "Is gone when a client breaks its connection off after a request.",
        hurts: "Everybody, once one client was switched off at the wrong moment.",
        caught_by: &["rpc/transport/reset-mid-call#liveness"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_leaving(|leaving| leaving.kills |= leaving.is_reset && leaving.scene.requests > 0);
        }),
    },
    Fault {
        name: "takes-forty-connections",
        does: "Resets a connection while forty others are open.",
        hurts: "A network of any size in the morning: clients that keep their connections keep the others out.",
        caught_by: &["rpc/transport/idle-connections#liveness"],
        install: Install::Connections(|door, _| door.open_max = Some(40)),
    },
];

/// How long the PDU that is under way says it is.
fn said(segment: &Segment<'_>) -> Option<usize> {
    PduView(&segment.so_far()).frag_length().map(usize::from)
}

fn there(segment: &Segment<'_>) -> usize {
    segment.pending.len() + segment.bytes.len()
}

fn on_short_length(tamper: &mut Tamper, minds: fn(usize) -> bool, fate: Fate) {
    tamper.on_segment(move |segment| {
        if said(segment).is_some_and(|said| said < HEADER_LEN && minds(said)) {
            segment.fate = fate.clone();
        }
    });
}

fn on_empty_bind(tamper: &mut Tamper, fate: Fate) {
    tamper.on_way_in_of(Ptype::BIND, move |incoming| {
        if incoming.frame.len() == HEADER_LEN {
            incoming.fate = fate.clone();
        }
    });
}

fn protocol_error(call_id: u32) -> Pdu<'static> {
    Pdu::whole(call_id, Body::Fault(fault_of(0, FaultStatus::PROTOCOL_ERROR)))
}

/// No connection has this number.
const NOBODY: u64 = u64::MAX;
/// What a signed 16-bit length can hold.
const LENGTH_MAX: usize = 32_767;
