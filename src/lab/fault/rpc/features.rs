//! Faults of features that are asked for at bind time (MS-RPCE 2.2.2.14).

use super::tools::{offer, on_acks, on_offers};
use crate::lab::fault::{Fault, Install};
use crate::lab::tamper::Tamper;
use crate::wire::rpc::{ContextElement, ContextResult, Flags, PduView, Ptype, ResultCode, SyntaxId};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "grants-every-feature",
        does: "Grants every bind time feature asked for, also those that do not exist.",
        hurts: "Clients to come: they rely on a feature that the host does not know.",
        caught_by: &["rpc/features/granted#results"],
        install: Install::Pdus(|tamper, _| {
            on_features(tamper, |result, asked| result.reason = asked);
        }),
    },
    Fault {
        name: "grants-features-unasked",
        does: "Grants both bind time features to whoever asks for any.",
        hurts: "Clients that asked for one: the host keeps connections for them that they do not want kept.",
        caught_by: &["rpc/features/granted#results", "rpc/bind/features"],
        install: Install::Pdus(|tamper, _| {
            on_features(tamper, |result, _| result.reason = 3);
        }),
    },
    Fault {
        name: "grants-a-third-feature",
        does: "Grants a third bind time feature, of which there is none, to who asks for all and for several calls at once.",
        hurts: "Windows clients to come, which ask so: they rely on a feature that the host does not know.",
        caught_by: &["rpc/features/granted#results"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::BIND_ACK, |out| {
                let multiplexes = PduView(out.asked).flags().is_some_and(|flags| flags.has(Flags::CONC_MPX));
                let asks = |context: &ContextElement| context.transfer == [SyntaxId::bind_time_features(0xffff)];
                if multiplexes && offer(out.asked).is_some_and(|offered| offered.contexts.iter().any(asks)) {
                    out.change_ack(|ack| {
                        let granted =
                            ack.results.iter_mut().filter(|result| result.result == ResultCode::NEGOTIATE_ACK);
                        granted.for_each(|result| result.reason = 7);
                    });
                }
            });
        }),
    },
    Fault {
        name: "names-syntax-with-features",
        does: "Names NDR32 in the result that grants bind time features.",
        hurts: "Clients: they take it for a second context.",
        caught_by: &["rpc/features/granted#syntax", "rpc/bind/features"],
        install: Install::Pdus(|tamper, _| {
            on_features(tamper, |result, _| result.syntax = SyntaxId::NDR32);
        }),
    },
    Fault {
        name: "finds-features-anywhere",
        does: "Takes a context for a request of features wherever they stand among its transfer syntaxes.",
        hurts: "Clients that offer NDR32 first: their only context is not accepted.",
        caught_by: &["rpc/features/first-syntax-only#results"],
        install: Install::Pdus(|tamper, _| {
            on_offers(tamper, |offered| {
                for context in &mut offered.contexts {
                    let is_asking = |syntax: &SyntaxId| syntax.as_bind_time_features().is_some();
                    if let Some(at) = context.transfer.iter().position(is_asking) {
                        context.transfer.swap(0, at);
                    }
                }
            });
        }),
    },
    Fault {
        name: "grants-features-twice",
        does: "Accepts a bind that asks for features twice.",
        hurts: "Clients with that slip: it shows with the first host that is strict.",
        caught_by: &["rpc/features/asked-twice#reply"],
        install: Install::Pdus(|tamper, _| {
            on_offers(tamper, |offered| {
                let is_asking = |transfer: &[SyntaxId]| {
                    transfer.first().is_some_and(|syntax| syntax.as_bind_time_features().is_some())
                };
                let asking = offered.contexts.iter_mut().filter(|context| is_asking(&context.transfer));
                asking.skip(1).for_each(|context| context.transfer = vec![SyntaxId::NONE]);
            });
        }),
    },
    Fault {
        name: "grants-features-in-alter",
        does: "Grants features in an alter_context.",
        hurts: "Clients that asked too late: they believe in what a connection cannot change any more.",
        caught_by: &["rpc/features/in-alter-context#results"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::ALTER_CONTEXT_RESPONSE, |out| {
                let Some(offered) = offer(out.asked) else { return };
                out.change_ack(|ack| {
                    for (result, context) in ack.results.iter_mut().zip(&offered.contexts) {
                        if let Some(asked) = context.transfer.first().and_then(|first| first.as_bind_time_features()) {
                            result.result = ResultCode::NEGOTIATE_ACK;
                            result.reason = asked & 3;
                        }
                    }
                });
            });
        }),
    },
    Fault {
        name: "accepts-features-as-a-syntax",
        does: "Accepts a context that asks for bind time features, as if they were NDR32.",
        hurts: "Windows clients: they asked for features and are told of a context that they never offered.",
        caught_by: &["rpc/features/known-or-not#results"],
        install: Install::Pdus(|tamper, _| {
            on_answered_features(tamper, |result| {
                *result = ContextResult { result: ResultCode::ACCEPTED, reason: 0, syntax: SyntaxId::NDR32 };
            });
        }),
    },
    Fault {
        name: "blames-the-interface-for-features",
        does: "Refuses bind time features with the reason of an unknown interface.",
        hurts: "Windows clients: they are told that there is no KMS here.",
        caught_by: &["rpc/features/known-or-not#results"],
        install: Install::Pdus(|tamper, _| {
            on_answered_features(tamper, |result| {
                *result = ContextResult { result: ResultCode::PROVIDER_REJECTION, reason: 1, syntax: SyntaxId::NONE };
            });
        }),
    },
    Fault {
        name: "grants-features-in-the-last-context",
        does: "Knows bind time features in the last context of a bind alone.",
        hurts: "Clients that ask for them first: they have to do without.",
        caught_by: &["rpc/features/known-or-not#features"],
        install: Install::Pdus(|tamper, _| {
            on_acks(tamper, |ack, _| {
                let last = ack.results.len().saturating_sub(1);
                for result in ack.results.iter_mut().take(last) {
                    if result.result == ResultCode::NEGOTIATE_ACK {
                        (result.result, result.reason) = (ResultCode::PROVIDER_REJECTION, 2);
                    }
                }
            });
        }),
    },
    Fault {
        name: "grants-features-of-any-version",
        does: "Takes the syntax that asks for features for that in any version.",
        hurts: "Clients of what comes after it: they are granted what they did not ask for.",
        caught_by: &["rpc/features/near#results"],
        install: Install::Pdus(|tamper, _| {
            on_offers(tamper, |offered| {
                for syntax in offered.contexts.iter_mut().flat_map(|context| &mut context.transfer) {
                    let first = SyntaxId { version: 1, ..*syntax };
                    if first.as_bind_time_features().is_some() {
                        *syntax = first;
                    }
                }
            });
        }),
    },
    Fault {
        name: "grants-features-to-known-interfaces",
        does: "Refuses a context that asks for features when it does not know its interface.",
        hurts: "Clients that put any interface there, as they may: they do without what the host has.",
        caught_by: &["rpc/features/near#results"],
        install: Install::Pdus(|tamper, _| {
            on_acks(tamper, |ack, offered| {
                for (result, context) in ack.results.iter_mut().zip(&offered.contexts) {
                    if result.result.0 == 3 && context.interface != SyntaxId::KMS {
                        (result.result, result.reason) = (ResultCode::PROVIDER_REJECTION, 1);
                    }
                }
            });
        }),
    },
];

/// Changes the results that grant features, given what was asked.
fn on_features(tamper: &mut Tamper, change: fn(&mut ContextResult, u16)) {
    on_acks(tamper, move |ack, offered| {
        for (result, context) in ack.results.iter_mut().zip(&offered.contexts) {
            let asked = context.transfer.first().and_then(|first| first.as_bind_time_features());
            if let (Some(asked), ResultCode::NEGOTIATE_ACK) = (asked, result.result) {
                change(result, asked);
            }
        }
    });
}

fn on_answered_features(tamper: &mut Tamper, change: fn(&mut ContextResult)) {
    on_acks(tamper, move |ack, _| {
        ack.results.iter_mut().filter(|result| result.result == ResultCode::NEGOTIATE_ACK).for_each(change);
    });
}
