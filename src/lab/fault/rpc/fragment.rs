//! Faults of requests that come in several fragments (C706 section 12.6.3.7).

use crate::lab::fault::{Fault, Install};
use crate::lab::tamper::{End, Fate, Fields};
use crate::wire::rpc::{FaultStatus, Flags, Ptype, at};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "answers-every-fragment",
        does: "Takes every fragment for a whole request.",
        hurts: "Clients behind a small fragment size: each piece is answered with a fault of its own.",
        caught_by: &["rpc/fragment/two#reply", "rpc/fragment/many#reply", "rpc/fragment/first-only#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |incoming| {
                let flags = incoming.flags().with(Flags::WHOLE);
                incoming.set_flags(flags);
            });
        }),
    },
    Fault {
        name: "joins-sixteen-fragments",
        does: "Closes the connection at the seventeenth fragment of a request.",
        hurts: "Clients behind a very small fragment size: they are never answered.",
        caught_by: &["rpc/fragment/many#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |incoming| {
                let flags = incoming.flags();
                incoming.scene.note = if flags.has(Flags::FIRST) { 1 } else { incoming.scene.note + 1 };
                if incoming.scene.note == 17 {
                    incoming.fate = Fate::Closes(End::Finish);
                }
            });
        }),
    },
    Fault {
        name: "serves-last-fragments-alone",
        does: "Takes a last fragment that continues nothing for a whole request.",
        hurts: "Whoever reads a log of this host: the end of one call is taken for another.",
        caught_by: &["rpc/fragment/not-first#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |incoming| {
                let flags = incoming.flags();
                let continues = std::mem::replace(&mut incoming.scene.note, u64::from(!flags.has(Flags::LAST))) == 1;
                if !continues && !flags.has(Flags::FIRST) && flags.has(Flags::LAST) {
                    incoming.set_flags(flags.with(Flags::FIRST));
                }
            });
        }),
    },
    Fault {
        name: "ignores-lost-fragments",
        does: "Says nothing to a fragment that continues nothing, and keeps the connection.",
        hurts: "A client whose first fragment was lost: it waits until its own time is up.",
        caught_by: &["rpc/fragment/not-first#closing"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |incoming| {
                let flags = incoming.flags();
                let continues = std::mem::replace(&mut incoming.scene.note, u64::from(!flags.has(Flags::LAST))) == 1;
                if !continues && !flags.has(Flags::FIRST) {
                    incoming.scene.note = 0;
                    incoming.fate = Fate::Vanishes;
                }
            });
        }),
    },
    Fault {
        name: "closes-on-unfinished-calls",
        does: "Closes the connection when a fragment is not the last.",
        hurts: "Clients behind a small fragment size: the rest of their request finds nobody.",
        caught_by: &["rpc/fragment/first-only#closing", "rpc/fragment/two#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |incoming| {
                if !incoming.flags().has(Flags::LAST) {
                    incoming.fate = Fate::Closes(End::Finish);
                }
            });
        }),
    },
    Fault {
        name: "begins-calls-again",
        does: "Takes a second first fragment of a call for one that continues it.",
        hurts: "A client that begins its call again: the host reads both beginnings as one request.",
        caught_by: &["rpc/fragment/first-twice#closing"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |incoming| {
                let flags = incoming.flags();
                let under_way = u64::from(incoming.word(at::CALL_ID)) + 1;
                if incoming.scene.note == under_way && flags.has(Flags::FIRST) {
                    incoming.set_flags(flags.without(Flags::FIRST));
                }
                incoming.scene.note = if flags.has(Flags::LAST) { 0 } else { under_way };
            });
        }),
    },
    Fault {
        name: "mixes-calls",
        does: "Joins the fragments of different calls to one request.",
        hurts: "Two programs of one machine: each is answered what the other asked.",
        caught_by: &["rpc/fragment/other-call#closing", "rpc/fragment/last-of-other-call#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |incoming| {
                let flags = incoming.flags();
                if incoming.scene.note != 0 {
                    let first = (incoming.scene.note - 1) as u32;
                    incoming.set_call_id(first);
                    incoming.set_flags(flags.without(Flags::FIRST));
                } else if !flags.has(Flags::LAST) {
                    incoming.scene.note = u64::from(incoming.word(at::CALL_ID)) + 1;
                }
                if flags.has(Flags::LAST) {
                    incoming.scene.note = 0;
                }
            });
        }),
    },
    Fault {
        name: "blames-the-newest-call",
        does: "Names the call that came last in every fault.",
        hurts: "Whoever looks for the cause: the fault is of a call that was right.",
        caught_by: &["rpc/fragment/other-call#call_id", "rpc/fragment/last-of-other-call#call_id"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::FAULT, |out| {
                if let Some(asked) = out.asked.get(at::CALL_ID..at::CALL_ID + 4) {
                    let asked = asked.to_vec();
                    out.put(at::CALL_ID, &asked);
                }
            });
        }),
    },
    Fault {
        name: "blames-the-oldest-call",
        does: "Names the call that came first on the connection in every protocol error.",
        hurts: "Whoever looks for the cause: the fault is of a call that was answered long ago.",
        caught_by: &["rpc/fragment/other-call-multiplexed#call_id"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |incoming| {
                if incoming.scene.note == 0 {
                    incoming.scene.note = u64::from(incoming.word(at::CALL_ID)) + 1;
                }
            });
            tamper.on_way_out_of(Ptype::FAULT, |out| {
                let status = FaultStatus(out.word(at::STATUS));
                if let (FaultStatus::PROTOCOL_ERROR, Some(first)) = (status, out.scene.note.checked_sub(1)) {
                    out.set_call_id(first as u32);
                }
            });
        }),
    },
    Fault {
        name: "reads-the-last-context",
        does: "Goes by the context that the last fragment of a request names.",
        hurts: "Clients that leave later fragments' fields as they are: their call is refused.",
        caught_by: &["rpc/fragment/other-context#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |incoming| {
                let flags = incoming.flags();
                if !flags.has(Flags::FIRST) && incoming.half(at::CONTEXT) != 0 {
                    incoming.fate = Fate::Closes(End::Finish);
                }
            });
        }),
    },
    Fault {
        name: "drops-calls-on-co-cancel",
        does: "Closes the connection at a co_cancel while a call is under way.",
        hurts: "Clients that ask for their call to be cancelled: the answer they would have had is lost.",
        caught_by: &["rpc/fragment/cancel-between#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in(|incoming| match incoming.ptype() {
                Some(Ptype::REQUEST) => {
                    let flags = incoming.flags();
                    incoming.scene.note = u64::from(!flags.has(Flags::LAST));
                }
                Some(Ptype::CO_CANCEL) if incoming.scene.note == 1 => incoming.fate = Fate::Closes(End::Finish),
                _ => {}
            });
        }),
    },
    Fault {
        name: "drops-calls-on-late-cancel",
        does: "Says nothing to a request whose later fragments have the flag pending_cancel.",
        hurts: "Clients that cancel late: they wait until their own time is up.",
        caught_by: &["rpc/fragment/cancel-between#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |incoming| {
                let flags = incoming.flags();
                if !flags.has(Flags::FIRST) && flags.has(Flags::PENDING_CANCEL) {
                    incoming.fate = Fate::Vanishes;
                }
            });
        }),
    },
    Fault {
        name: "believes-no-hint",
        does: "Waits for the rest of a request whatever it says its size will be.",
        hurts: "The host's own memory: anybody on the network can have it kept for nothing.",
        caught_by: &["rpc/fragment/huge-hint#closing"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |incoming| {
                if !incoming.flags().has(Flags::LAST) {
                    incoming.put(at::ALLOC_HINT, &1_u32.to_le_bytes());
                }
            });
        }),
    },
    Fault {
        name: "joins-without-end",
        does: "Joins the fragments of a request however many bytes they come to.",
        hurts: "The host's own memory: anybody on the network can fill it.",
        caught_by: &["rpc/fragment/huge-request#closing"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |incoming| {
                let is_more = !incoming.flags().has(Flags::WHOLE) && !incoming.flags().has(Flags::FIRST);
                if is_more && incoming.frame.len() > at::STUB + 1000 {
                    incoming.fate = Fate::Vanishes;
                }
            });
        }),
    },
];
