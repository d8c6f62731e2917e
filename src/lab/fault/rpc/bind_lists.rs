//! Faults of long lists, of bytes that mean nothing and of second binds (C706 sections 12.6.3.1 and 12.6.4.3).

use super::tools::{accept_all, offer, on_acks, on_offers, refuse};
use crate::lab::fault::{Fault, Install};
use crate::lab::tamper::{End, Fate};
use crate::wire::rpc::{Pdu, Ptype, RejectReason, SyntaxId, TransferSyntax, at};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "lists-eight-results",
        does: "Has room for eight results in a bind_ack, and leaves out those of more contexts.",
        hurts: "Clients with many interfaces: they count the results and give up.",
        caught_by: &["rpc/bind/many-contexts#results", "rpc/bind/result-count"],
        install: Install::Pdus(|tamper, _| on_acks(tamper, |ack, _| ack.results.truncate(8))),
    },
    Fault {
        name: "reads-binds-of-half-a-kilobyte",
        does: "Closes the connection at a bind of more than 512 bytes.",
        hurts: "Clients with many interfaces: they are cut off, and nobody finds out why.",
        caught_by: &["rpc/bind/many-contexts#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::BIND, |bind| {
                if bind.frame.len() > 512 && bind.frame[at::CONTEXTS] > 1 {
                    bind.fate = Fate::Closes(End::Finish);
                }
            });
        }),
    },
    Fault {
        name: "looks-at-two-syntaxes",
        does: "Looks at the first two transfer syntaxes of a context, and at no more.",
        hurts: "Clients that offer what is newer first: they are told that there is nothing in common.",
        caught_by: &["rpc/bind/many-syntaxes#results"],
        install: Install::Pdus(|tamper, _| {
            on_offers(tamper, |offered| offered.contexts.iter_mut().for_each(|context| context.transfer.truncate(2)));
        }),
    },
    Fault {
        name: "minds-reserved-bytes",
        does: "Refuses a bind with something in the reserved bytes of its list.",
        hurts: "Clients that leave there what was in memory before: they are never activated.",
        caught_by: &["rpc/bind/reserved-bytes#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::BIND, |bind| {
                if bind.frame.get(at::CONTEXTS + 1..at::FIRST_CONTEXT).is_some_and(|bytes| *bytes != [0; 3]) {
                    refuse(bind, RejectReason::PROTOCOL_VERSION_NOT_SUPPORTED);
                }
            });
        }),
    },
    Fault {
        name: "counts-syntaxes-in-two-bytes",
        does: "Reads the number of transfer syntaxes and the reserved byte beside it as one number.",
        hurts: "Clients that leave there what was in memory before: their bind cannot be read.",
        caught_by: &["rpc/bind/reserved-bytes#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::BIND, |bind| {
                if bind.frame.get(at::FIRST_CONTEXT + 3).is_some_and(|byte| *byte != 0) && bind.frame[at::CONTEXTS] > 0
                {
                    refuse(bind, RejectReason::PROTOCOL_VERSION_NOT_SUPPORTED);
                }
            });
        }),
    },
    Fault {
        name: "names-syntaxes-before-interfaces",
        does: "Gives the transfer syntax for the reason when it knows the interface no better.",
        hurts: "Whoever looks for the cause: another syntax is tried, and it is the interface that is missing.",
        caught_by: &["rpc/bind/nothing-known#results"],
        install: Install::Pdus(|tamper, _| {
            on_acks(tamper, |ack, offered| {
                for (result, context) in ack.results.iter_mut().zip(&offered.contexts) {
                    let is_known = |syntax: &SyntaxId| TransferSyntax::ALL.iter().any(|known| known.id() == *syntax);
                    if result.reason == 1 && !context.transfer.iter().any(is_known) {
                        result.reason = 2;
                    }
                }
            });
        }),
    },
    Fault {
        name: "blames-ndr64-for-unknown-interfaces",
        does: "Gives the transfer syntax for the reason when an interface it does not know is offered in NDR64.",
        hurts: "Whoever looks for the cause: another syntax is tried, and it is the interface that is missing.",
        caught_by: &["rpc/bind/nothing-known#results"],
        install: Install::Pdus(|tamper, _| {
            on_acks(tamper, |ack, offered| {
                for (result, context) in ack.results.iter_mut().zip(&offered.contexts) {
                    if result.reason == 1 && context.transfer == [SyntaxId::NDR64] {
                        result.reason = 2;
                    }
                }
            });
        }),
    },
    Fault {
        name: "speaks-ndr64-beside-ndr32-alone",
        does: "Accepts NDR64 where NDR32 is offered too, as Windows clients do, and refuses it alone.",
        hurts: "Clients that offer what is newest alone: they are told that there is nothing in common.",
        caught_by: &["rpc/bind/ndr64-alone#results"],
        install: Install::Pdus(|tamper, _| {
            on_offers(tamper, |offered| {
                if let [alone] = &mut offered.contexts[..] {
                    alone.transfer.retain(|syntax| *syntax != SyntaxId::NDR64);
                    if alone.transfer.is_empty() {
                        alone.transfer.push(SyntaxId::NONE);
                    }
                }
            });
        }),
    },
    Fault {
        name: "reads-on-behind-refusals",
        does: "Reads what came with a bind that it refused, and answers that too.",
        hurts: "The admin: whoever was turned away is let in by the next sentence.",
        caught_by: &["rpc/bind/nothing-behind-refusal#closing", "rpc/transport/nothing-unasked"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::BIND_NAK, |out| {
                if out.scene.behind {
                    out.scene.stays_open = true;
                    let more = out.frame.clone();
                    out.frame.extend(more);
                }
            });
        }),
    },
    Fault {
        name: "binds-again-after-calls",
        does: "Accepts a second bind on a connection on which a call was made.",
        hurts: "Clients that are out of step: the contexts they had are gone or are not, and nobody knows.",
        caught_by: &["rpc/bind/second-bind-later#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::BIND, |bind| {
                if bind.scene.bound && bind.scene.requests > 0 {
                    accept_all(bind);
                }
            });
        }),
    },
    Fault {
        name: "binds-again-after-four-calls",
        does: "Accepts a second bind on a connection on which four calls were made.",
        hurts: "Clients that are out of step: the contexts they had are gone or are not, and nobody knows.",
        caught_by: &["rpc/bind/second-bind-later#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::BIND, |bind| {
                if bind.scene.bound && bind.scene.requests >= 4 {
                    accept_all(bind);
                }
            });
        }),
    },
    Fault {
        name: "binds-again-after-refusals",
        does: "Accepts a second bind on a connection whose first one was accepted for nothing.",
        hurts: "Clients that try one interface after the other: it works here, and with no other host.",
        caught_by: &["rpc/bind/second-bind-later#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::BIND, |bind| {
                let second = bind.scene.note == 1;
                let is_strange = |frame: &[u8]| {
                    offer(frame).is_some_and(|bind| {
                        !bind.contexts.is_empty()
                            && bind.contexts.iter().all(|context| context.interface != SyntaxId::KMS)
                    })
                };
                bind.scene.note = u64::from(is_strange(&bind.frame));
                if second && Pdu::decode(&bind.frame).is_ok() {
                    accept_all(bind);
                }
            });
        }),
    },
];
