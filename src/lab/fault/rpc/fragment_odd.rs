//! Faults of fragments of odd lengths, of refused and cancelled calls in fragments, and of long ones (C706 section
//! 12.6.3.7).

use crate::lab::fault::{Fault, Install};
use crate::lab::tamper::{End, Fate, Fields, fault_of};
use crate::wire::rpc::{Body, FaultStatus, Flags, MAX_FRAGMENT, Pdu, PduView, Ptype, at};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "pads-fragments",
        does: "Fills every fragment but the last up to a multiple of eight bytes.",
        hurts: "Clients whose fragments are odd: what the host puts together is not what they sent.",
        caught_by: &["rpc/fragment/any-length#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                if !request.flags().has(Flags::LAST) {
                    let stub = request.frame.len().saturating_sub(at::STUB);
                    request.frame.resize(at::STUB + stub.next_multiple_of(8), 0);
                    request.fit();
                }
            });
        }),
    },
    Fault {
        name: "refuses-before-the-last-fragment",
        does: "Answers the first fragment of a call that it refuses, and takes the rest for a call of its own.",
        hurts: "Clients behind a small fragment size that ask for too much: they lose the connection.",
        caught_by: &["rpc/fragment/refused-calls#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                let flags = request.flags();
                if flags.has(Flags::FIRST) && !flags.has(Flags::LAST) && request.half(at::OPNUM) != 0 {
                    let (call_id, context_id) = (request.word(at::CALL_ID), request.half(at::CONTEXT));
                    let fault = fault_of(context_id, FaultStatus::OP_RANGE_ERROR);
                    let flags = Flags::WHOLE.with(Flags::DID_NOT_EXECUTE);
                    request.answer(&Pdu { flags, ..Pdu::whole(call_id, Body::Fault(fault)) });
                }
            });
        }),
    },
    Fault {
        name: "serves-any-operation-in-fragments",
        does: "Takes a call in fragments for one of its only operation.",
        hurts: "Clients of another version of the interface: a call does what it does not say.",
        caught_by: &["rpc/fragment/refused-calls#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                if !request.flags().has(Flags::WHOLE) {
                    request.put(at::OPNUM, &[0, 0]);
                }
            });
        }),
    },
    Fault {
        name: "forgets-contexts-of-fragments",
        does: "Names context 0 in the fault that says that a call in fragments is of no operation.",
        hurts: "Clients with several contexts: they take the fault for one of another interface.",
        caught_by: &["rpc/fragment/refused-calls#p_cont_id"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::FAULT, |out| {
                let in_fragments = PduView(out.asked).flags().is_some_and(|flags| !flags.has(Flags::WHOLE));
                if in_fragments && out.word(at::STATUS) == FaultStatus::OP_RANGE_ERROR.0 {
                    out.put(at::CONTEXT, &[0, 0]);
                }
            });
        }),
    },
    Fault {
        name: "drops-calls-on-any-cancel",
        does: "Drops the call under way at a co_cancel or an orphaned of any other.",
        hurts: "Clients with several calls: one is cancelled, and another is never answered.",
        caught_by: &["rpc/fragment/others-cancelled#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in(|incoming| {
                let flags = incoming.flags();
                match incoming.ptype() {
                    Some(Ptype::REQUEST) if flags.has(Flags::FIRST) => {
                        incoming.scene.note = 1 + u64::from(incoming.word(at::CALL_ID));
                    }
                    Some(Ptype::CO_CANCEL | Ptype::ORPHANED) => {
                        let id = 1 + u64::from(incoming.word(at::CALL_ID));
                        if incoming.scene.note != 0 && incoming.scene.note != id {
                            incoming.scene.note = u64::MAX;
                        }
                    }
                    Some(Ptype::REQUEST) if incoming.scene.note == u64::MAX => incoming.fate = Fate::Vanishes,
                    _ => {}
                }
            });
        }),
    },
    Fault {
        name: "forgets-calls-when-altered",
        does: "Forgets the call under way at an alter_context.",
        hurts: "Clients with several threads on a connection: a call of one is lost by what another does.",
        caught_by: &["rpc/fragment/alter-between#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in(|incoming| {
                let flags = incoming.flags();
                match incoming.ptype() {
                    Some(Ptype::ALTER_CONTEXT) => incoming.scene.note = 1,
                    Some(Ptype::REQUEST) if !flags.has(Flags::FIRST) && incoming.scene.note == 1 => {
                        incoming.fate = Fate::Vanishes;
                    }
                    Some(Ptype::REQUEST) => incoming.scene.note = 0,
                    _ => {}
                }
            });
        }),
    },
    Fault {
        name: "acknowledges-under-the-call-under-way",
        does: "Answers an alter_context that comes between the fragments of a call under the call id of that call.",
        hurts: "Clients with several threads on a connection: one has an answer that is not its own, the other none.",
        caught_by: &["rpc/fragment/alter-between#call_id"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                let is_under_way = !request.flags().has(Flags::LAST);
                request.scene.note = if is_under_way { 1 + u64::from(request.word(at::CALL_ID)) } else { 0 };
            });
            tamper.on_way_out_of(Ptype::ALTER_CONTEXT_RESPONSE, |out| {
                if let Some(id) = out.scene.note.checked_sub(1) {
                    out.set_call_id(id as u32);
                }
            });
        }),
    },
    Fault {
        name: "knows-calls-by-half",
        does: "Compares the lower sixteen bits of a call id, and no more.",
        hurts: "Clients with long-lived connections: fragments of two calls are read as one.",
        caught_by: &["rpc/fragment/near-call-ids#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                let (flags, id) = (request.flags(), request.word(at::CALL_ID));
                if flags.has(Flags::FIRST) {
                    request.scene.note = u64::from(id);
                } else if request.scene.note as u16 == id as u16 {
                    let meant = request.scene.note as u32;
                    request.set_call_id(meant);
                }
            });
        }),
    },
    Fault {
        name: "minds-cancels-of-whole-calls",
        does: "Passes over the flag pending_cancel on the first of several fragments.",
        hurts: "Clients that gave a call up: it is carried out all the same.",
        caught_by: &["rpc/fragment/cancelled-first#closing"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                let flags = request.flags();
                if flags.has(Flags::FIRST) && !flags.has(Flags::LAST) {
                    request.set_flags(flags.without(Flags::PENDING_CANCEL));
                }
            });
        }),
    },
    Fault {
        name: "counts-calls-in-sixteen-bits",
        does: "Closes the connection when a call in fragments grows longer than 65,535 bytes.",
        hurts: "Clients with long calls: they are cut off, and nobody finds out why.",
        caught_by: &["rpc/fragment/large#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                let stub = request.frame.len().saturating_sub(at::STUB) as u64;
                let before = if request.flags().has(Flags::FIRST) { 0 } else { request.scene.note };
                request.scene.note = before + stub;
                if request.scene.note > u64::from(u16::MAX) {
                    request.fate = Fate::Closes(End::Finish);
                }
            });
        }),
    },
    Fault {
        name: "minds-the-size-of-first-fragments",
        does: "Takes a later fragment of any length, and what it has room for of it.",
        hurts: "The admin: whoever sends more than there is room for finds out what it overwrites.",
        caught_by: &["rpc/transport/oversized-fragment#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                if !request.flags().has(Flags::FIRST) && request.frame.len() > usize::from(MAX_FRAGMENT) {
                    request.frame.truncate(usize::from(MAX_FRAGMENT));
                    request.fit();
                }
            });
        }),
    },
    Fault {
        name: "holds-clients-to-what-was-agreed",
        does: "Answers a request that is longer than the fragments that were agreed on with a protocol error.",
        hurts: "Clients that send as much as every host takes: those behind a small fragment size are refused.",
        caught_by: &["rpc/transport/oversized-fragment#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::BIND_ACK, |out| out.scene.note = u64::from(out.half(at::MAX_RECV_FRAG)));
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                let agreed = request.scene.note;
                if agreed != 0 && request.frame.len() as u64 > agreed && agreed < u64::from(MAX_FRAGMENT) {
                    request.fault(FaultStatus::PROTOCOL_ERROR);
                }
            });
        }),
    },
    Fault {
        name: "reads-hints-with-a-sign",
        does: "Reads an allocation hint as a number with a sign: the greatest are less than nothing.",
        hurts: "The admin: whoever asks for two gigabytes is given them.",
        caught_by: &["rpc/fragment/too-large-at-last#closing"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                if request.word(at::ALLOC_HINT) >= 0x8000_0000 {
                    request.put(at::ALLOC_HINT, &[0; 4]);
                }
            });
        }),
    },
];
