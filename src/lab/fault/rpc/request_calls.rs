//! Faults of several calls on one connection: one after the other, at once, and cancelled.

use crate::lab::fault::{Fault, Install};
use crate::lab::tamper::{End, Fate, Fields};
use crate::wire::rpc::{BindNak, Body, Flags, MAX_FRAGMENT, Pdu, PduView, Ptype, RejectReason, at};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "names-contexts-of-what-is-too-large",
        does: "Names the context of a call in the fault that says that it is too large.",
        hurts: "Windows clients: their runtime takes a fault that ends the connection for one that ends the call.",
        caught_by: &["rpc/request/fault-contexts#p_cont_id"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::FAULT, |out| {
                let is_large = out.asked.len() > usize::from(MAX_FRAGMENT);
                if let Some(context) = PduView(out.asked).context_id().filter(|_| is_large) {
                    out.put(at::CONTEXT, &context.to_le_bytes());
                }
            });
        }),
    },
    Fault {
        name: "serves-once-a-connection",
        does: "Says nothing to the second request of a connection.",
        hurts: "Clients that ask for two products over one connection: the second is never answered.",
        caught_by: &["rpc/request/two-in-a-row#reply", "rpc/transport/answered"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                if request.scene.requests == 1 && request.flags().has(Flags::WHOLE) {
                    request.fate = Fate::Vanishes;
                }
            });
        }),
    },
    Fault {
        name: "refuses-one-bind-in-ten",
        does: "Refuses one bind in ten with a bind_nak of reason 1, temporary congestion.",
        hurts: "One client in ten: it shows 0xC004F074 and tries again two hours later.",
        caught_by: &["rpc/bind/accepted"],
        install: Install::Pdus(|tamper, lots| {
            let mut lot = lots.one_in(10);
            tamper.on_way_in_of(Ptype::BIND, move |bind| {
                if lot() {
                    let nak = BindNak {
                        reason: RejectReason::TEMPORARY_CONGESTION,
                        versions: vec![(5, 0)],
                        trailer: vec![0; 3],
                    };
                    let call_id = bind.word(at::CALL_ID);
                    bind.answer(&Pdu::whole(call_id, Body::BindNak(nak)));
                }
            });
        }),
    },
    Fault {
        name: "tires-after-five-hundred",
        does: "Closes a connection at its five hundredth request.",
        hurts: "Programs that keep a connection: it is gone in the middle of a busy morning.",
        caught_by: &["rpc/request/thousand-in-a-row#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                if request.scene.requests == 499 && request.flags().has(Flags::WHOLE) {
                    request.fate = Fate::Closes(End::Finish);
                }
            });
        }),
    },
    Fault {
        name: "counts-calls-in-ten-bits",
        does: "Closes a connection at the request that follows its 1,024th.",
        hurts: "Programs that keep a connection: it is gone in the middle of a busy day.",
        caught_by: &["rpc/request/thousand-in-a-row#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                if request.scene.requests == 1024 && request.flags().has(Flags::WHOLE) {
                    request.fate = Fate::Closes(End::Finish);
                }
            });
        }),
    },
    Fault {
        name: "loses-pipelined-requests",
        does: "Reads one request of a segment, and loses what comes behind it.",
        hurts: "Clients that ask for two products at once: the second is never answered.",
        caught_by: &["rpc/request/pipelined#reply", "rpc/request/multiplexed#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_segment(|segment| {
                let is_request = segment.pending.is_empty() && segment.bytes.get(at::PTYPE) == Some(&Ptype::REQUEST.0);
                let said = segment
                    .bytes
                    .get(at::FRAG_LENGTH..at::FRAG_LENGTH + 2)
                    .and_then(|bytes| bytes.try_into().ok())
                    .map(u16::from_le_bytes);
                if let Some(said) = said.filter(|_| is_request) {
                    segment.bytes.truncate(usize::from(said));
                }
            });
        }),
    },
    Fault {
        name: "answers-under-the-first-id",
        does: "Answers every request of a connection under the call id of the first.",
        hurts: "Clients with two calls at once: one has two answers, and the other none.",
        caught_by: &["rpc/request/multiplexed#call_id", "rpc/header/call-id"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                if request.scene.note == 0 {
                    request.scene.note = u64::from(request.word(at::CALL_ID)) + 1;
                }
            });
            tamper.on_way_out_of(Ptype::RESPONSE, |out| {
                if let Some(first) = out.scene.note.checked_sub(1) {
                    out.set_call_id(first as u32);
                }
            });
        }),
    },
    Fault {
        name: "answers-each-id-once",
        does: "Says nothing to a request that has the call id of the one before it.",
        hurts: "Clients whose runtime uses a call id again: they are not answered.",
        caught_by: &["rpc/request/multiplexed-same-id#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                let id = u64::from(request.word(at::CALL_ID)) + 1;
                if request.flags().has(Flags::WHOLE) && std::mem::replace(&mut request.scene.note, id) == id {
                    request.fate = Fate::Vanishes;
                }
            });
        }),
    },
    Fault {
        name: "serves-cancelled-requests",
        does: "Serves a request that was cancelled before it was sent.",
        hurts: "Clients that gave up: the host counts them all the same.",
        caught_by: &["rpc/request/cancelled#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                let flags = request.flags();
                if flags.has(Flags::FIRST) {
                    request.set_flags(flags.without(Flags::PENDING_CANCEL));
                }
            });
        }),
    },
    Fault {
        name: "closes-on-co-cancel",
        does: "Closes the connection at a co_cancel when no call is under way.",
        hurts: "Clients that cancel a moment too late: they lose the connection.",
        caught_by: &["rpc/request/co-cancel#closing"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in(|incoming| match incoming.ptype() {
                Some(Ptype::REQUEST) => {
                    let flags = incoming.flags();
                    incoming.scene.note = u64::from(!flags.has(Flags::LAST));
                }
                Some(Ptype::CO_CANCEL) if incoming.scene.note == 0 && incoming.scene.bound => {
                    incoming.fate = Fate::Closes(End::Finish);
                }
                _ => {}
            });
        }),
    },
    Fault {
        name: "closes-on-orphaned",
        does: "Closes the connection at an orphaned PDU when no call is under way.",
        hurts: "Clients that give a call up a moment too late: they lose the connection.",
        caught_by: &["rpc/request/orphaned#closing"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in(|incoming| match incoming.ptype() {
                Some(Ptype::REQUEST) => {
                    let flags = incoming.flags();
                    incoming.scene.note = u64::from(!flags.has(Flags::LAST));
                }
                Some(Ptype::ORPHANED) if incoming.scene.note == 0 => incoming.fate = Fate::Closes(End::Finish),
                _ => {}
            });
        }),
    },
    Fault {
        name: "ignores-shutdown",
        does: "Says nothing to a shutdown PDU, which only hosts may send, and goes on.",
        hurts: "Nobody yet: whoever sends one believes that it is heeded.",
        caught_by: &["rpc/request/shutdown#closing"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::SHUTDOWN, |incoming| incoming.fate = Fate::Vanishes);
        }),
    },
];
