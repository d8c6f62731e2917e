//! Faults of binding: flags, contexts and their results (C706 section 12.6.4.3; MS-RPCE 3.3.1.5.6).

use super::tools::{ack_of, offer, on_acks, on_offers, refuse};
use crate::lab::fault::{Fault, Install};
use crate::lab::tamper::{End, Fate, Fields, Outgoing, Tamper};
use crate::wire::rpc::{
    Body, ContextResult, Flags, Pdu, PduView, Ptype, RejectReason, ResultCode, SyntaxId, TransferSyntax, at,
};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "echoes-bind-flags",
        does: "Answers a bind with the flags of the bind, whatever they are.",
        hurts: "Clients that check flags: they take the bind_ack for one fragment of many.",
        caught_by: &["rpc/bind/odd-flags#pfc_flags", "rpc/header/flags"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::BIND_ACK, |out| {
                let flags = PduView(out.asked).flags().unwrap_or_default();
                out.set_flags(flags);
            });
        }),
    },
    Fault {
        name: "refuses-odd-bind-flags",
        does: "Refuses a bind that is not marked as its own first and last fragment.",
        hurts: "Clients that leave those flags out on a bind, which cannot be fragmented.",
        caught_by: &["rpc/bind/odd-flags#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::BIND, |incoming| {
                if !incoming.flags().has(Flags::WHOLE) {
                    refuse(incoming, RejectReason::PROTOCOL_VERSION_NOT_SUPPORTED);
                }
            });
        }),
    },
    Fault {
        name: "always-multiplexes",
        does: "Sets conc_mpx on every bind_ack, asked for or not.",
        hurts: "Clients that never asked for several calls at once, and check.",
        caught_by: &["rpc/bind/multiplexing#pfc_flags", "rpc/header/flags"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::BIND_ACK, |out| add_flags(out, Flags::CONC_MPX));
        }),
    },
    Fault {
        name: "never-multiplexes",
        does: "Never sets conc_mpx on a bind_ack.",
        hurts: "Clients with many calls: each of them opens a connection of its own.",
        caught_by: &["rpc/bind/multiplexing#pfc_flags", "rpc/header/flags"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::BIND_ACK, |out| drop_flags(out, Flags::CONC_MPX));
        }),
    },
    Fault {
        name: "multiplexes-in-alter",
        does: "Sets conc_mpx on every alter_context_resp.",
        hurts: "Clients that check flags: they take the answer for something else.",
        caught_by: &["rpc/bind/multiplexing#pfc_flags", "rpc/header/flags"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::ALTER_CONTEXT_RESPONSE, |out| add_flags(out, Flags::CONC_MPX));
        }),
    },
    Fault {
        name: "drops-header-signing",
        does: "Never sets the flag of header signing on a bind_ack.",
        hurts: "Clients whose policy asks for signed headers: they go on without, or not at all.",
        caught_by: &["rpc/bind/header-signing#pfc_flags"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::BIND_ACK, |out| drop_flags(out, Flags::PENDING_CANCEL));
        }),
    },
    Fault {
        name: "knows-context-zero-only",
        does: "Takes no context but number 0.",
        hurts: "Clients that number their contexts otherwise: they are never activated.",
        caught_by: &["rpc/bind/ndr32#results"],
        install: Install::Pdus(|tamper, _| {
            on_offers(tamper, |offered| {
                offered.contexts.iter_mut().filter(|context| context.id != 0).for_each(|context| {
                    context.transfer = vec![SyntaxId::NONE];
                });
            });
        }),
    },
    Fault {
        name: "names-wrong-syntax-version",
        does: "Names NDR32 version 9 where it accepts a context after the first.",
        hurts: "Clients that offer more than one context: they agreed to no such syntax.",
        caught_by: &["rpc/bind/results"],
        install: Install::Pdus(|tamper, _| {
            on_results(tamper, |results| {
                let later = results.iter_mut().skip(1).filter(|result| result.result == ResultCode::ACCEPTED);
                later.for_each(|result| result.syntax.version = 9);
            });
        }),
    },
    Fault {
        name: "takes-any-interface",
        does: "Accepts an interface it does not have, and serves its own under that name.",
        hurts: "Clients of other services: they are sent answers of KMS.",
        caught_by: &["rpc/bind/unknown-interface#results", "rpc/bind/interface-version#results"],
        install: Install::Pdus(|tamper, _| {
            on_offers(tamper, |offered| {
                offered.contexts.iter_mut().for_each(|context| context.interface = SyntaxId::KMS);
            });
        }),
    },
    Fault {
        name: "ignores-interface-version",
        does: "Accepts its interface in any version.",
        hurts: "Clients to come: they are answered as by the version they asked for.",
        caught_by: &["rpc/bind/interface-version#results"],
        install: Install::Pdus(|tamper, _| {
            on_offers(tamper, |offered| {
                let ours = offered.contexts.iter_mut().filter(|context| context.interface.uuid == SyntaxId::KMS.uuid);
                ours.for_each(|context| context.interface.version = SyntaxId::KMS.version);
            });
        }),
    },
    Fault {
        name: "ignores-minor-interface-version",
        does: "Accepts its interface in any minor version.",
        hurts: "Clients to come: they are answered as by the version they asked for.",
        caught_by: &["rpc/bind/interface-version#results"],
        install: Install::Pdus(|tamper, _| {
            on_offers(tamper, |offered| {
                offered.contexts.iter_mut().for_each(|context| context.interface.version &= 0xffff);
            });
        }),
    },
    Fault {
        name: "names-syntax-when-refusing",
        does: "Names NDR32 in the result of a context that it refuses.",
        hurts: "Clients that look at the syntax first: they take a refusal for an agreement.",
        caught_by: &["rpc/bind/unknown-interface#syntax", "rpc/bind/results"],
        install: Install::Pdus(|tamper, _| {
            on_results(tamper, |results| {
                let refused = results.iter_mut().filter(|result| result.result == ResultCode::PROVIDER_REJECTION);
                refused.for_each(|result| result.syntax = SyntaxId::NDR32);
            });
        }),
    },
    Fault {
        name: "refuses-interface-for-syntax",
        does: "Gives the reason of an unknown transfer syntax for an unknown interface.",
        hurts: "The admin of a client of another service: looks for a syntax where the port is wrong.",
        caught_by: &["rpc/bind/unknown-interface#results"],
        install: Install::Pdus(|tamper, _| change_reasons(tamper, 1, 2)),
    },
    Fault {
        name: "refuses-syntax-for-interface",
        does: "Gives the reason of an unknown interface for an unknown transfer syntax.",
        hurts: "Clients that would offer another syntax: they are told that there is no KMS here.",
        caught_by: &["rpc/bind/unknown-transfer-syntax#results"],
        install: Install::Pdus(|tamper, _| change_reasons(tamper, 2, 1)),
    },
    Fault {
        name: "closes-when-refusing",
        does: "Closes the connection after a bind_ack that accepts nothing.",
        hurts: "Clients that would go on with an alter_context.",
        caught_by: &["rpc/bind/unknown-interface#closing", "rpc/bind/unknown-transfer-syntax#closing"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::BIND_ACK, |out| {
                if let Ok(Body::BindAck(ack)) = Pdu::decode(&out.frame).map(|pdu| pdu.body)
                    && ack.results.iter().all(|result| result.result != ResultCode::ACCEPTED)
                {
                    out.end = Some(End::Finish);
                }
            });
        }),
    },
    Fault {
        name: "drops-unknown-syntax",
        does: "Closes the connection in place of an answer when no transfer syntax is known.",
        hurts: "Clients that speak NDR64 alone: nothing tells them why they are not served.",
        caught_by: &["rpc/bind/syntax-version#reply", "rpc/bind/unknown-transfer-syntax#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::BIND, |incoming| {
                let is_known = |syntax: &SyntaxId| TransferSyntax::from_id(*syntax).is_some();
                let offered = offer(&incoming.frame).map(|bind| bind.contexts).unwrap_or_default();
                let syntaxes: Vec<_> = offered.iter().flat_map(|context| &context.transfer).collect();
                if !syntaxes.is_empty() && !syntaxes.into_iter().any(is_known) {
                    incoming.fate = Fate::Closes(End::Finish);
                }
            });
        }),
    },
    Fault {
        name: "ignores-syntax-version",
        does: "Accepts NDR32 in any version.",
        hurts: "Clients to come: they are answered in a form they do not read.",
        caught_by: &["rpc/bind/syntax-version#results"],
        install: Install::Pdus(|tamper, _| {
            on_offers(tamper, |offered| {
                let syntaxes = offered.contexts.iter_mut().flat_map(|context| &mut context.transfer);
                let ndr32 = syntaxes.filter(|syntax| syntax.uuid == SyntaxId::NDR32.uuid);
                ndr32.for_each(|syntax| syntax.version = SyntaxId::NDR32.version);
            });
        }),
    },
    Fault {
        name: "reads-first-syntax-only",
        does: "Looks at the first transfer syntax of a context and at no other.",
        hurts: "Clients that offer a newer syntax first: they are refused though they speak NDR32.",
        caught_by: &["rpc/bind/second-syntax#results"],
        install: Install::Pdus(|tamper, _| {
            on_offers(tamper, |offered| {
                offered.contexts.iter_mut().for_each(|context| context.transfer.truncate(1));
            });
        }),
    },
    Fault {
        name: "accepts-both-syntaxes",
        does: "Accepts every context in which it can read a syntax, where one is the rule.",
        hurts: "Windows clients: they take it for a broken bind, or call in a context that is not there.",
        caught_by: &["rpc/bind/ndr32-and-ndr64#results", "rpc/bind/one-syntax"],
        install: Install::Pdus(|tamper, _| {
            on_acks(tamper, |ack, offered| {
                for (result, context) in ack.results.iter_mut().zip(&offered.contexts) {
                    let first = context.transfer.iter().find(|syntax| TransferSyntax::from_id(**syntax).is_some());
                    if let (Some(first), (ResultCode::PROVIDER_REJECTION, 2)) = (first, (result.result, result.reason))
                    {
                        *result = ContextResult { result: ResultCode::ACCEPTED, reason: 0, syntax: *first };
                    }
                }
            });
        }),
    },
    Fault {
        name: "accepts-second-context",
        does: "Accepts every context with NDR32, where one is the rule.",
        hurts: "Clients that offer one interface twice: the host keeps contexts that no client needs.",
        caught_by: &["rpc/bind/two-contexts#results", "rpc/bind/duplicate-context#results"],
        install: Install::Pdus(|tamper, _| {
            on_acks(tamper, |ack, offered| {
                let chosen = ack.results.iter().any(|result| result.syntax == SyntaxId::NDR32);
                for (result, context) in ack.results.iter_mut().zip(&offered.contexts) {
                    let refused = (result.result, result.reason) == (ResultCode::PROVIDER_REJECTION, 2);
                    if chosen && refused && context.transfer.contains(&SyntaxId::NDR32) {
                        *result = ContextResult { result: ResultCode::ACCEPTED, reason: 0, syntax: SyntaxId::NDR32 };
                    }
                }
            });
        }),
    },
    Fault {
        name: "refuses-duplicate-context",
        does: "Refuses a bind in which two contexts have one number.",
        hurts: "Clients that number all their contexts alike, and are served by Windows.",
        caught_by: &["rpc/bind/duplicate-context#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::BIND, |incoming| {
                let ids: Vec<_> =
                    offer(&incoming.frame).iter().flat_map(|bind| &bind.contexts).map(|context| context.id).collect();
                if (1..ids.len()).any(|index| ids[..index].contains(&ids[index])) {
                    refuse(incoming, RejectReason::NOT_SPECIFIED);
                }
            });
        }),
    },
    Fault {
        name: "serves-refused-context",
        does: "Serves a call in context 1 though it was refused.",
        hurts: "The admin: what a host refuses it does all the same.",
        caught_by: &["rpc/bind/request-on-refused#reply", "rpc/bind/two-contexts#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::BIND_ACK, |out| {
                let second = ack_of(&out.frame).and_then(|ack| ack.results.get(1).copied());
                let is_refused = second.is_some_and(|result| result.result == ResultCode::PROVIDER_REJECTION);
                out.scene.note = u64::from(is_refused);
            });
            tamper.on_way_in_of(Ptype::REQUEST, |incoming| {
                if incoming.scene.note == 1 {
                    incoming.put(at::CONTEXT, &[0, 0]);
                }
            });
        }),
    },
    Fault {
        name: "blames-refused-context",
        does: "Names the context of the call in the fault for a context that was refused, not 0.",
        hurts: "Clients that look the context up: there is none of that number.",
        caught_by: &["rpc/bind/request-on-refused#p_cont_id"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::FAULT, |out| {
                let asked = PduView(out.asked);
                if asked.ptype() == Some(Ptype::REQUEST) {
                    let context = asked.context_id().unwrap_or_default();
                    out.put(at::CONTEXT, &context.to_le_bytes());
                }
            });
        }),
    },
    Fault {
        name: "closes-on-refused-context",
        does: "Closes the connection after a call in context 1 that was refused.",
        hurts: "Clients that would go on in the context that was accepted.",
        caught_by: &["rpc/bind/request-on-refused#closing"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::FAULT, |out| {
                if PduView(out.asked).context_id() == Some(1) {
                    out.end = Some(End::Finish);
                }
            });
        }),
    },
    Fault {
        name: "leaves-out-refusals",
        does: "Lists no result for a context that it refuses, when it accepts another.",
        hurts: "Windows clients: results and contexts do not match, and the wrong one is called.",
        caught_by: &["rpc/bind/result-order#results", "rpc/bind/result-count"],
        install: Install::Pdus(|tamper, _| {
            on_results(tamper, |results| {
                if results.iter().any(|result| result.result == ResultCode::ACCEPTED) {
                    results.retain(|result| result.result == ResultCode::ACCEPTED);
                }
            });
        }),
    },
    Fault {
        name: "lists-results-by-number",
        does: "Lists results in the order of the context numbers, not of the contexts.",
        hurts: "Clients whose contexts are in another order: they call in the wrong one.",
        caught_by: &["rpc/bind/result-order#results"],
        install: Install::Pdus(|tamper, _| {
            on_acks(tamper, |ack, offered| {
                let mut numbered: Vec<_> =
                    offered.contexts.iter().map(|context| context.id).zip(ack.results.drain(..)).collect();
                numbered.sort_by_key(|(id, _)| *id);
                ack.results = numbered.into_iter().map(|(_, result)| result).collect();
            });
        }),
    },
    Fault {
        name: "names-endpoint-mapper-port",
        does: "Names port 135 as its secondary address.",
        hurts: "Clients that connect again by it: they come to another service.",
        caught_by: &["rpc/bind/port-as-address#secondary_address", "rpc/bind/secondary-address"],
        install: Install::Pdus(|tamper, _| {
            on_acks(tamper, |ack, _| ack.secondary_address = b"135\0".to_vec());
        }),
    },
    Fault {
        name: "leaves-out-address-nul",
        does: "Leaves the NUL out of its secondary address.",
        hurts: "Clients that read to the NUL: they read on into the results.",
        caught_by: &["rpc/bind/port-as-address#secondary_address", "rpc/bind/secondary-address"],
        install: Install::Pdus(|tamper, _| {
            on_acks(tamper, |ack, _| {
                ack.secondary_address.pop();
            });
        }),
    },
    Fault {
        name: "uses-reserved-result-bytes",
        does: "Leaves old memory in the reserved bytes after the number of results.",
        hurts: "The admin: whoever binds often enough reads the host's memory, three bytes at a time.",
        caught_by: &["rpc/bind/reserved"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::BIND_ACK, |out| {
                let Some(ack) = ack_of(&out.frame) else { return };
                let results = out.frame.len() - ack.results.len() * RESULT_LEN;
                out.put(results - 3, &[0x7f]);
            });
        }),
    },
];

fn on_results(tamper: &mut Tamper, change: fn(&mut Vec<ContextResult>)) {
    on_acks(tamper, move |ack, _| change(&mut ack.results));
}

fn change_reasons(tamper: &mut Tamper, from: u16, to: u16) {
    on_acks(tamper, move |ack, _| {
        let refused = ack.results.iter_mut().filter(|result| result.result == ResultCode::PROVIDER_REJECTION);
        refused.filter(|result| result.reason == from).for_each(|result| result.reason = to);
    });
}

fn add_flags(out: &mut Outgoing<'_>, flags: Flags) {
    let flags = out.flags().with(flags);
    out.set_flags(flags);
}

fn drop_flags(out: &mut Outgoing<'_>, flags: Flags) {
    let flags = out.flags().without(flags);
    out.set_flags(flags);
}

/// One result of a bind_ack, in bytes.
const RESULT_LEN: usize = 24;
