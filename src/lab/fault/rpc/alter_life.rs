//! Faults of alter_contexts in number, in every state of a connection and in odd forms (C706 section 12.6.4.1).

use super::tools::{change_offer, offer};
use crate::lab::fault::{Fault, Install};
use crate::lab::tamper::{End, Fate, Fields, Tamper, fault_of};
use crate::wire::rpc::{Body, FaultStatus, Flags, MAX_FRAGMENT, Pdu, PduView, Ptype, ResultCode, SyntaxId, at};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "adds-eight-contexts",
        does: "Accepts eight alter_contexts on a connection, and refuses the ninth.",
        hurts: "Clients with many interfaces on one connection: those that come last are refused.",
        caught_by: &["rpc/alter/many#results"],
        install: Install::Pdus(|tamper, _| adds_at_most(tamper, 8)),
    },
    Fault {
        name: "adds-thirty-two-contexts",
        does: "Accepts thirty-two alter_contexts on a connection, and refuses what comes then.",
        hurts: "Clients with very many interfaces on one connection: those that come last are refused.",
        caught_by: &["rpc/alter/many#results"],
        install: Install::Pdus(|tamper, _| adds_at_most(tamper, 32)),
    },
    Fault {
        name: "alters-nothing-after-faults",
        does: "Closes the connection at an alter_context when a fault came before.",
        hurts: "Clients whose first call went wrong: they lose the connection with the next step.",
        caught_by: &["rpc/alter/after-trouble#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::FAULT, |out| out.scene.note = 1);
            tamper.on_way_in_of(Ptype::ALTER_CONTEXT, |alter| {
                if alter.scene.note == 1 {
                    alter.fate = Fate::Closes(End::Finish);
                }
            });
        }),
    },
    Fault {
        name: "gives-up-after-refused-alters",
        does: "Closes the connection at the alter_context that follows a refused one.",
        hurts: "Clients that try one interface after the other: the second try ends it.",
        caught_by: &["rpc/alter/after-trouble#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::ALTER_CONTEXT_RESPONSE, |out| {
                let mut is_refused = false;
                out.change_ack(|ack| is_refused = ack.results.iter().all(|result| result.result.0 != 0));
                out.scene.note = u64::from(is_refused);
            });
            tamper.on_way_in_of(Ptype::ALTER_CONTEXT, |alter| {
                if alter.scene.note == 1 {
                    alter.fate = Fate::Closes(End::Finish);
                }
            });
        }),
    },
    Fault {
        name: "says-the-most-in-alters",
        does: "Says fragments of 5,840 bytes in every alter_context_resp, whatever the bind_ack said.",
        hurts: "Clients with little room: they are sent fragments that do not fit.",
        caught_by: &["rpc/alter/keeps-sizes#max_xmit_frag", "rpc/alter/unchanged"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::ALTER_CONTEXT_RESPONSE, |out| {
                out.change_ack(|ack| (ack.max_xmit_frag, ack.max_recv_frag) = (MAX_FRAGMENT, MAX_FRAGMENT));
            });
        }),
    },
    Fault {
        name: "says-the-most-in-later-alters",
        does: "Says fragments of 5,840 bytes in every alter_context_resp of a connection but the first.",
        hurts: "Clients with little room: they are sent fragments that do not fit.",
        caught_by: &["rpc/alter/keeps-sizes#max_xmit_frag", "rpc/alter/unchanged"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::ALTER_CONTEXT_RESPONSE, |out| {
                if std::mem::replace(&mut out.scene.note, 1) == 1 {
                    out.change_ack(|ack| (ack.max_xmit_frag, ack.max_recv_frag) = (MAX_FRAGMENT, MAX_FRAGMENT));
                }
            });
        }),
    },
    Fault {
        name: "forgets-contexts-that-are-repeated",
        does: "Forgets a context in NDR64 that an alter_context repeats.",
        hurts: "Clients that make sure of their context before a call: it is refused.",
        caught_by: &["rpc/alter/ndr64#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in(|incoming| match incoming.ptype() {
                Some(Ptype::ALTER_CONTEXT) => {
                    let repeats = offer(&incoming.frame).is_some_and(|offered| match &offered.contexts[..] {
                        [context] => context.id == 1 && context.transfer == [SyntaxId::NDR64],
                        _ => false,
                    });
                    incoming.scene.note = u64::from(repeats);
                }
                Some(Ptype::REQUEST) if incoming.scene.note == 1 && incoming.half(at::CONTEXT) == 1 => {
                    incoming.put(at::CONTEXT, &0x3fff_u16.to_le_bytes());
                }
                _ => {}
            });
        }),
    },
    Fault {
        name: "accepts-both-syntaxes-later",
        does: "Accepts NDR32 and NDR64 of one alter_context, where one of them is due.",
        hurts: "Windows clients: which of the two the host means is anybody's guess.",
        caught_by: &["rpc/alter/ndr64#results"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::ALTER_CONTEXT_RESPONSE, |out| {
                out.change_ack(|ack| {
                    let accepted = ack.results.iter().find(|result| result.result.0 == 0).cloned();
                    if let (2, Some(accepted)) = (ack.results.len(), accepted) {
                        ack.results.iter_mut().filter(|result| result.reason == 2).for_each(|result| {
                            result.result = ResultCode::ACCEPTED;
                            (result.reason, result.syntax) = (0, accepted.syntax);
                        });
                    }
                });
            });
        }),
    },
    Fault {
        name: "echoes-flags-of-alters",
        does: "Has the flags of an alter_context in its alter_context_resp.",
        hurts: "Clients that look at flags: an answer that says maybe is one nobody waits for.",
        caught_by: &["rpc/alter/odd-forms#pfc_flags", "rpc/header/flags"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::ALTER_CONTEXT_RESPONSE, |out| {
                let asked = PduView(out.asked).flags().unwrap_or_default();
                out.set_flags(asked.with(Flags::WHOLE));
            });
        }),
    },
    Fault {
        name: "waits-for-missing-contexts",
        does: "Says nothing to an alter_context that says more contexts than it has.",
        hurts: "A client with a broken list: it waits until its own time is up.",
        caught_by: &["rpc/alter/odd-forms#closing"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::ALTER_CONTEXT, |alter| {
                let says_more = alter.frame.get(at::CONTEXTS).is_some_and(|count| *count > 1);
                if says_more && offer(&alter.frame).is_none() {
                    alter.fate = Fate::Vanishes;
                }
            });
        }),
    },
    Fault {
        name: "multiplexes-until-altered",
        does: "Takes back with an alter_context that there may be several calls at once.",
        hurts: "Clients with several calls at once: the wrong one of them is blamed.",
        caught_by: &["rpc/alter/keeps-multiplexing#call_id"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in(|incoming| {
                let (ptype, flags) = (incoming.ptype(), incoming.flags());
                match ptype {
                    Some(Ptype::BIND) if flags.has(Flags::CONC_MPX) => incoming.scene.note = MULTIPLEXED,
                    Some(Ptype::ALTER_CONTEXT) if incoming.scene.note & MULTIPLEXED != 0 => {
                        incoming.scene.note |= ALTERED
                    }
                    Some(Ptype::REQUEST) if incoming.scene.note & ALTERED != 0 => {
                        let under_way = incoming.scene.note as u32;
                        let id = incoming.word(at::CALL_ID);
                        if under_way != 0 && flags.has(Flags::FIRST) && id != under_way {
                            let fault = fault_of(0, FaultStatus::PROTOCOL_ERROR);
                            incoming.answer(&Pdu::whole(under_way, Body::Fault(fault)));
                        }
                        let unfinished = if flags.has(Flags::LAST) { 0 } else { u64::from(id) };
                        incoming.scene.note = MULTIPLEXED | ALTERED | unfinished;
                    }
                    _ => {}
                }
            });
        }),
    },
];

/// Accepts so many alter_contexts on a connection.
fn adds_at_most(tamper: &mut Tamper, many: u64) {
    tamper.on_way_in_of(Ptype::ALTER_CONTEXT, move |alter| {
        alter.scene.note += 1;
        if alter.scene.note > many {
            change_offer(alter, |offered| {
                offered.contexts.iter_mut().for_each(|context| context.transfer = vec![SyntaxId::NONE]);
            });
        }
    });
}

const MULTIPLEXED: u64 = 1 << 40;
const ALTERED: u64 = 1 << 41;
