//! Faults of calls that come together, of good ones behind bad ones and of cancels around calls (C706 sections 12.6.4.2
//! and 12.6.4.12).

use super::tools::offer;
use crate::lab::fault::{Fault, Install};
use crate::lab::tamper::{End, Fate, Fields};
use crate::wire::rpc::{Flags, PduView, Ptype, at};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "reads-two-calls-at-once",
        does: "Reads two calls of one segment, and loses the third.",
        hurts: "Clients that do not wait: some of their calls are never answered.",
        caught_by: &["rpc/request/many-in-a-segment#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                let is_third = request.scene.note == 2;
                request.scene.note = if request.scene.behind { request.scene.note + 1 } else { 0 };
                if is_third {
                    request.fate = Fate::Vanishes;
                }
            });
        }),
    },
    Fault {
        name: "puts-calls-into-the-first-context",
        does: "Takes the context of the first call of a segment for that of all.",
        hurts: "Clients with two syntaxes that do not wait: their calls cannot be read.",
        caught_by: &["rpc/request/many-in-a-segment#status"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                let first = request.scene.note.checked_sub(1);
                if let Some(first) = first {
                    request.put(at::CONTEXT, &(first as u16).to_le_bytes());
                }
                let context = 1 + u64::from(request.half(at::CONTEXT));
                request.scene.note = if request.scene.behind { context } else { 0 };
            });
        }),
    },
    Fault {
        name: "drops-what-is-behind-a-fault",
        does: "Forgets what came in one segment with a call that gets a fault.",
        hurts: "Clients that do not wait: a good call behind a bad one is never answered.",
        caught_by: &["rpc/request/good-behind-bad#closing"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::FAULT, |out| out.scene.note = u64::from(out.scene.behind));
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                if std::mem::take(&mut request.scene.note) == 1 {
                    request.fate = Fate::Vanishes;
                }
            });
        }),
    },
    Fault {
        name: "says-once-that-nothing-was-done",
        does: "Has the flag did_not_execute in the first fault of a connection alone.",
        hurts: "Clients that would try again: they are told that their call may have been carried out.",
        caught_by: &["rpc/request/refused-again#pfc_flags"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::FAULT, |out| {
                if std::mem::replace(&mut out.scene.note, 1) == 1 {
                    let flags = out.flags().without(Flags::DID_NOT_EXECUTE);
                    out.set_flags(flags);
                }
            });
        }),
    },
    Fault {
        name: "hints-at-the-call-before",
        does: "Has in a fault the allocation hint of the request before it.",
        hurts: "Clients that make room by it: they make room for what does not come.",
        caught_by: &["rpc/request/refused-again#alloc_hint"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::RESPONSE, |out| out.scene.note = u64::from(out.word(at::ALLOC_HINT)));
            tamper.on_way_out_of(Ptype::FAULT, |out| {
                let before = out.scene.note as u32;
                if before > 0 {
                    out.put(at::ALLOC_HINT, &before.to_le_bytes());
                }
            });
        }),
    },
    Fault {
        name: "counts-cancels-in-faults",
        does: "Has in a fault the number of cancels that came on the connection.",
        hurts: "Clients that look at it: they believe that this call was cancelled.",
        caught_by: &["rpc/response/cancel-count"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::CO_CANCEL, |cancel| cancel.scene.note += 1);
            tamper.on_way_out_of(Ptype::FAULT, |out| {
                let count = out.scene.note as u8;
                out.put(at::CANCEL_COUNT, &[count]);
            });
        }),
    },
    Fault {
        name: "faults-nobody-who-says-maybe",
        does: "Says nothing where a call with the flag maybe is due a fault.",
        hurts: "Clients that set it and wait all the same: they wait until their own time is up.",
        caught_by: &["rpc/request/flags-of-faults#closing"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::FAULT, |out| {
                if PduView(out.asked).flags().is_some_and(|flags| flags.has(Flags::MAYBE)) {
                    out.frame.clear();
                }
            });
        }),
    },
    Fault {
        name: "cancels-calls-to-come",
        does: "Keeps a co_cancel or an orphaned for the next call of its number, and drops that.",
        hurts: "Clients that cancel a moment too late: another call of theirs is never answered.",
        caught_by: &["rpc/request/cancels-around#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in(|incoming| {
                let id = 1 + u64::from(incoming.word(at::CALL_ID));
                match incoming.ptype() {
                    Some(Ptype::CO_CANCEL | Ptype::ORPHANED) => incoming.scene.note = id,
                    Some(Ptype::REQUEST) if std::mem::take(&mut incoming.scene.note) == id => {
                        incoming.fate = Fate::Vanishes;
                    }
                    _ => {}
                }
            });
        }),
    },
    Fault {
        name: "closes-on-cancels-of-the-last-call",
        does: "Closes the connection at a cancel of the call that it answered last.",
        hurts: "Clients that cancel a moment too late: they lose the connection.",
        caught_by: &["rpc/request/cancels-around#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in(|incoming| {
                let id = 1 + u64::from(incoming.word(at::CALL_ID));
                match incoming.ptype() {
                    Some(Ptype::REQUEST) => incoming.scene.note = id,
                    Some(Ptype::CO_CANCEL | Ptype::ORPHANED) if incoming.scene.note == id => {
                        incoming.fate = Fate::Closes(End::Finish);
                    }
                    _ => {}
                }
            });
        }),
    },
    Fault {
        name: "closes-on-orphaned-with-features",
        does: "Closes the connection at an orphaned where it agreed to keep it then.",
        hurts: "Clients that asked for that: they rely on it, and lose the connection.",
        caught_by: &["rpc/request/cancels-around#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in(|incoming| match incoming.ptype() {
                Some(Ptype::BIND) => {
                    let asks = offer(&incoming.frame).is_some_and(|offered| offered.contexts.len() > 1);
                    incoming.scene.note = u64::from(asks);
                }
                Some(Ptype::ORPHANED) if incoming.scene.note == 1 => incoming.fate = Fate::Closes(End::Finish),
                _ => {}
            });
        }),
    },
];
