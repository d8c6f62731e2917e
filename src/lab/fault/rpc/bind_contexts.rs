//! Faults of context ids, operation numbers and features, and of names that are nearly right (MS-RPCE 2.2.2.4).

use super::tools::{change_offer, on_acks, on_offers};
use crate::lab::fault::{Fault, Install};
use crate::lab::tamper::{Fields, Tamper};
use crate::wire::Guid;
use crate::wire::rpc::{FaultStatus, PduView, Ptype, SyntaxId, TransferSyntax, at};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "keeps-context-ids-as-bytes",
        does: "Keeps the low byte of a context id alone.",
        hurts: "Clients with many contexts: a call in one of them is served as if it were in another.",
        caught_by: &["rpc/bind/same-low-byte#reply", "rpc/alter/same-low-byte#reply"],
        install: Install::Pdus(|tamper, _| on_ids(tamper, |id| id & 0xff)),
    },
    Fault {
        name: "refuses-wide-context-ids",
        does: "Refuses a context whose number does not fit a byte.",
        hurts: "Clients that number their contexts otherwise: they are never activated.",
        caught_by: &["rpc/bind/any-context-id#results"],
        install: Install::Pdus(|tamper, _| refuse_contexts(tamper, |id| id > 0xff)),
    },
    Fault {
        name: "refuses-negative-context-ids",
        does: "Reads context ids as signed, and refuses a context of a negative one.",
        hurts: "Clients that number their contexts from the top: they are never activated.",
        caught_by: &["rpc/bind/any-context-id#results"],
        install: Install::Pdus(|tamper, _| refuse_contexts(tamper, |id| id > 0x7fff)),
    },
    Fault {
        name: "forgets-the-last-context-id",
        does: "Takes the context id 65535 in a request for none.",
        hurts: "Clients that use it: their context is accepted, and their calls are refused.",
        caught_by: &["rpc/bind/any-context-id#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                if request.scene.bound && request.half(at::CONTEXT) == u16::MAX {
                    request.fault(FaultStatus::UNKNOWN_INTERFACE);
                }
            });
        }),
    },
    Fault {
        name: "reads-operations-as-bytes",
        does: "Looks at the low byte of an operation number alone.",
        hurts: "Clients of a later interface: what they asked is taken for something else.",
        caught_by: &["rpc/request/operation-numbers#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| request.put(at::OPNUM + 1, &[0]));
        }),
    },
    Fault {
        name: "ignores-operations-beyond-context-zero",
        does: "Takes every operation for the only one there is in a context that is not 0.",
        hurts: "Clients of a later interface: what they asked is taken for something else.",
        caught_by: &["rpc/request/operation-numbers#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                if request.half(at::CONTEXT) != 0 {
                    request.put(at::OPNUM, &[0, 0]);
                }
            });
        }),
    },
    Fault {
        name: "blames-the-context-of-fragments",
        does: "Names the context of the PDU in the fault for a fragment that continues nothing.",
        hurts: "Clients that look for the fault of a call: they find one where none was made.",
        caught_by: &["rpc/request/fault-contexts#p_cont_id"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::FAULT, |out| {
                let asked = PduView(out.asked);
                if let (Some(Ptype::REQUEST), Some(context)) = (asked.ptype(), asked.context_id()) {
                    out.put(at::CONTEXT, &context.to_le_bytes());
                }
            });
        }),
    },
    Fault {
        name: "knows-interfaces-by-half",
        does: "Compares the first eight bytes of an interface's UUID alone.",
        hurts: "Clients of a service whose UUID begins alike: they are sent answers of KMS.",
        caught_by: &["rpc/bind/near-interface#results"],
        install: Install::Pdus(|tamper, _| {
            on_offers(tamper, |offered| {
                for context in &mut offered.contexts {
                    if context.interface.uuid.to_wire()[..8] == SyntaxId::KMS.uuid.to_wire()[..8] {
                        context.interface.uuid = SyntaxId::KMS.uuid;
                    }
                }
            });
        }),
    },
    Fault {
        name: "knows-interfaces-by-the-end",
        does: "Compares the last twelve bytes of an interface's UUID alone.",
        hurts: "Clients of a service whose UUID ends alike: they are sent answers of KMS.",
        caught_by: &["rpc/bind/near-interface#results"],
        install: Install::Pdus(|tamper, _| {
            on_offers(tamper, |offered| {
                for context in &mut offered.contexts {
                    if context.interface.uuid.to_wire()[4..] == SyntaxId::KMS.uuid.to_wire()[4..] {
                        context.interface.uuid = SyntaxId::KMS.uuid;
                    }
                }
            });
        }),
    },
    Fault {
        name: "accepts-older-interfaces",
        does: "Accepts its interface in version 0.0.",
        hurts: "Clients of a version that never was: they are answered as by another.",
        caught_by: &["rpc/bind/near-versions#results"],
        install: Install::Pdus(|tamper, _| {
            on_offers(tamper, |offered| {
                let zero = offered.contexts.iter_mut().filter(|context| context.interface.version == 0);
                zero.for_each(|context| context.interface.version = SyntaxId::KMS.version);
            });
        }),
    },
    Fault {
        name: "knows-syntaxes-by-half",
        does: "Compares the first eight bytes of a transfer syntax's UUID alone.",
        hurts: "Clients that offer a syntax of another name: they are answered in one they do not read.",
        caught_by: &["rpc/bind/near-syntaxes#results"],
        install: Install::Pdus(|tamper, _| {
            on_syntaxes(tamper, |offered, known| {
                if offered.uuid.to_wire()[..8] == known.uuid.to_wire()[..8] {
                    offered.uuid = known.uuid;
                }
            });
        }),
    },
    Fault {
        name: "speaks-ndr64-of-any-version",
        does: "Accepts NDR64 in any version.",
        hurts: "Clients to come: they are answered in a form they do not read.",
        caught_by: &["rpc/bind/near-syntax-versions#results"],
        install: Install::Pdus(|tamper, _| {
            on_syntaxes(tamper, |offered, known| {
                if *known == SyntaxId::NDR64 && offered.uuid == known.uuid {
                    offered.version = known.version;
                }
            });
        }),
    },
    Fault {
        name: "accepts-every-context-in-ndr64",
        does: "Accepts every context that offers NDR64 alone once it has accepted one.",
        hurts: "Windows clients: which of them the host means is anybody's guess.",
        caught_by: &["rpc/bind/two-contexts#results"],
        install: Install::Pdus(|tamper, _| {
            on_acks(tamper, |ack, offered| {
                let accepted = ack.results.iter().find(|result| result.syntax == SyntaxId::NDR64).copied();
                let Some(accepted) = accepted else { return };
                for (result, context) in ack.results.iter_mut().zip(&offered.contexts) {
                    if context.interface == SyntaxId::KMS && context.transfer == [SyntaxId::NDR64] {
                        *result = accepted;
                    }
                }
            });
        }),
    },
];

/// Changes the numbers of contexts wherever they are named.
fn on_ids(tamper: &mut Tamper, id: fn(u16) -> u16) {
    tamper.on_way_in(move |incoming| match incoming.ptype() {
        Some(Ptype::BIND | Ptype::ALTER_CONTEXT) => change_offer(incoming, |offered| {
            offered.contexts.iter_mut().for_each(|context| context.id = id(context.id));
        }),
        Some(Ptype::REQUEST) => {
            let other = id(incoming.half(at::CONTEXT));
            incoming.put(at::CONTEXT, &other.to_le_bytes());
        }
        _ => {}
    });
}

fn refuse_contexts(tamper: &mut Tamper, refuses: fn(u16) -> bool) {
    on_offers(tamper, move |offered| {
        offered.contexts.iter_mut().filter(|context| refuses(context.id)).for_each(|context| {
            context.transfer = vec![SyntaxId { uuid: Guid::NIL, version: 1 }];
        });
    });
}

fn on_syntaxes(tamper: &mut Tamper, change: fn(&mut SyntaxId, &SyntaxId)) {
    on_offers(tamper, move |offered| {
        for syntax in offered.contexts.iter_mut().flat_map(|context| &mut context.transfer) {
            TransferSyntax::ALL.map(TransferSyntax::id).iter().for_each(|known| change(syntax, known));
        }
    });
}
