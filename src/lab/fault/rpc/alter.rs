//! Faults of the alter_context (C706 section 12.6.4.1).

use super::tools::{answer_alter, change_offer, offer};
use crate::lab::fault::{Fault, Install};
use crate::lab::tamper::{End, Fate, Fields};
use crate::wire::rpc::{ContextResult, Flags, PduView, Ptype, ResultCode, SyntaxId, at};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "knows-no-alter-context",
        does: "Closes the connection at an alter_context.",
        hurts: "Windows clients of 64 bits: they offer NDR64 so after the first bind, and are cut off.",
        caught_by: &["rpc/alter/same-context#reply", "rpc/alter/new-context#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::ALTER_CONTEXT, |alter| alter.fate = Fate::Closes(End::Finish));
        }),
    },
    Fault {
        name: "answers-alter-context-with-bind-ack",
        does: "Answers an alter_context with a bind_ack.",
        hurts: "Windows clients: they wait for an alter_context_resp.",
        caught_by: &["rpc/pdu/expected-kind"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::ALTER_CONTEXT_RESPONSE, |out| out.put(at::PTYPE, &[Ptype::BIND_ACK.0]));
        }),
    },
    Fault {
        name: "says-its-address-again",
        does: "Has its port as the secondary address of an alter_context_resp too.",
        hurts: "Clients that take a secondary address for a place to connect to anew.",
        caught_by: &["rpc/alter/unchanged"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::ALTER_CONTEXT_RESPONSE, |out| {
                out.change_ack(|ack| ack.secondary_address = b"1688\0".to_vec());
            });
        }),
    },
    Fault {
        name: "changes-groups-on-the-way",
        does: "Names another association group in each alter_context_resp.",
        hurts: "Clients with several connections: they look for their group in vain.",
        caught_by: &["rpc/alter/unchanged", "rpc/alter/same-context#assoc_group"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::ALTER_CONTEXT_RESPONSE, |out| out.change_ack(|ack| ack.assoc_group ^= 1));
        }),
    },
    Fault {
        name: "takes-sizes-of-alter-context",
        does: "Takes the fragment sizes that an alter_context names.",
        hurts: "Clients that leave these fields as they are: their fragments are too large from then on.",
        caught_by: &["rpc/alter/own-sizes#max_xmit_frag"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::ALTER_CONTEXT_RESPONSE, |out| {
                let half = |at: usize| out.asked.get(at..at + 2).and_then(|bytes| bytes.try_into().ok());
                let sizes =
                    (half(at::MAX_XMIT_FRAG).map(u16::from_le_bytes), half(at::MAX_RECV_FRAG).map(u16::from_le_bytes));
                if let (Some(xmit), Some(recv)) = sizes {
                    out.change_ack(|ack| (ack.max_xmit_frag, ack.max_recv_frag) = (recv, xmit));
                }
            });
        }),
    },
    Fault {
        name: "forgets-added-contexts",
        does: "Accepts a context that an alter_context adds, and forgets it.",
        hurts: "Windows clients of 64 bits: their first call is in a context that the host accepted and does not know.",
        caught_by: &["rpc/alter/new-context#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::ALTER_CONTEXT, |alter| {
                change_offer(alter, |offered| offered.contexts.iter_mut().for_each(|context| context.id ^= 0x4000));
            });
        }),
    },
    Fault {
        name: "forgets-contexts-of-the-bind",
        does: "Serves no context of the bind any more after an alter_context.",
        hurts: "Clients with calls in both syntaxes: those in the first are refused.",
        caught_by: &["rpc/alter/new-context#liveness"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in(|incoming| match incoming.ptype() {
                Some(Ptype::ALTER_CONTEXT) => {
                    let adds = offer(&incoming.frame).is_some_and(|offered| {
                        offered.contexts.iter().any(|context| context.id != 0 && context.interface == SyntaxId::KMS)
                    });
                    incoming.scene.note = u64::from(adds);
                }
                Some(Ptype::REQUEST) if incoming.scene.note == 1 && incoming.half(at::CONTEXT) == 0 => {
                    incoming.put(at::CONTEXT, &0x3fff_u16.to_le_bytes());
                }
                _ => {}
            });
        }),
    },
    Fault {
        name: "accepts-any-interface-later",
        does: "Accepts every interface that an alter_context asks for.",
        hurts: "Clients of other services: they are told that they found theirs.",
        caught_by: &["rpc/alter/unknown-interface#results"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::ALTER_CONTEXT, |alter| {
                change_offer(alter, |offered| {
                    let others = offered.contexts.iter_mut().filter(|context| context.id != 0);
                    others.for_each(|context| context.interface = SyntaxId::KMS);
                });
            });
        }),
    },
    Fault {
        name: "closes-on-unknown-interfaces",
        does: "Closes the connection when an alter_context asks for an interface it does not know.",
        hurts: "Clients that ask for more than one service: they lose the one they had.",
        caught_by: &["rpc/alter/unknown-interface#closing"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::ALTER_CONTEXT_RESPONSE, |out| {
                let mut is_refused = false;
                out.change_ack(|ack| is_refused = ack.results.iter().any(|result| result.reason == 1));
                if is_refused {
                    out.end = Some(End::Finish);
                }
            });
        }),
    },
    Fault {
        name: "changes-interfaces-of-contexts",
        does: "Lets an alter_context give a context another interface.",
        hurts: "Two programs on one connection: the calls of one go to the service of the other.",
        caught_by: &["rpc/alter/change-interface#results"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::ALTER_CONTEXT, |alter| {
                change_offer(alter, |offered| {
                    let same = offered.contexts.iter_mut().filter(|context| context.id == 0);
                    same.for_each(|context| context.interface = SyntaxId::KMS);
                });
            });
        }),
    },
    Fault {
        name: "takes-any-version-when-altered",
        does: "Passes over the version of the interface in an alter_context for a context that it has.",
        hurts: "Clients of another version: they are told that they are understood, and they are not.",
        caught_by: &["rpc/alter/change-interface#results"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::ALTER_CONTEXT, |alter| {
                change_offer(alter, |offered| {
                    let same = offered.contexts.iter_mut().filter(|context| context.id == 0);
                    same.filter(|context| context.interface.uuid == SyntaxId::KMS.uuid)
                        .for_each(|context| context.interface = SyntaxId::KMS);
                });
            });
        }),
    },
    Fault {
        name: "changes-syntaxes-of-contexts",
        does: "Lets an alter_context give a context in NDR32 the syntax NDR64.",
        hurts: "Clients with a call under way: its answer comes in a syntax they do not expect.",
        caught_by: &["rpc/alter/change-syntax#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::ALTER_CONTEXT, |alter| {
                let asks = offer(&alter.frame).is_some_and(|offered| {
                    offered.contexts.iter().any(|context| context.id == 0 && context.transfer == [SyntaxId::NDR64])
                });
                if asks {
                    answer_alter(alter, vec![result(0, 0, SyntaxId::NDR64)]);
                }
            });
        }),
    },
    Fault {
        name: "takes-contexts-back-to-ndr32",
        does: "Lets an alter_context give a context in NDR64 the syntax NDR32.",
        hurts: "Clients with a call under way: its answer comes in a syntax they do not expect.",
        caught_by: &["rpc/alter/change-syntax#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in(|incoming| {
                let alone = |syntax| {
                    offer(&incoming.frame).is_some_and(|offered| match &offered.contexts[..] {
                        [context] => context.id == 0 && context.transfer == [syntax],
                        _ => false,
                    })
                };
                let (is_ndr64, is_ndr32) = (alone(SyntaxId::NDR64), alone(SyntaxId::NDR32));
                match incoming.ptype() {
                    Some(Ptype::BIND) => incoming.scene.note = u64::from(is_ndr64),
                    Some(Ptype::ALTER_CONTEXT) if is_ndr32 && incoming.scene.note == 1 => {
                        answer_alter(incoming, vec![result(0, 0, SyntaxId::NDR32)]);
                    }
                    _ => {}
                }
            });
        }),
    },
    Fault {
        name: "faults-unknown-syntaxes",
        does: "Takes an alter_context with an unknown transfer syntax for a protocol error.",
        hurts: "Clients that offer a syntax of the future: they lose the connection they had.",
        caught_by: &["rpc/alter/unknown-syntax#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::ALTER_CONTEXT, |alter| {
                let is_unknown = offer(&alter.frame).is_some_and(|offered| {
                    let known = |syntax: &SyntaxId| [SyntaxId::NDR32, SyntaxId::NDR64].contains(syntax);
                    offered.contexts.iter().any(|context| {
                        let features = context.transfer.iter().any(|syntax| syntax.as_bind_time_features().is_some());
                        !features && !context.transfer.is_empty() && !context.transfer.iter().any(known)
                    })
                });
                if is_unknown {
                    alter.fate = Fate::Closes(End::Finish);
                }
            });
        }),
    },
    Fault {
        name: "acknowledges-nothing",
        does: "Answers an alter_context without contexts with one without results.",
        hurts: "Whoever looks for the cause: a client that asks for nothing is told that all is well.",
        caught_by: &["rpc/alter/no-contexts#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::ALTER_CONTEXT, |alter| {
                if offer(&alter.frame).is_some_and(|offered| offered.contexts.is_empty()) {
                    answer_alter(alter, Vec::new());
                }
            });
        }),
    },
    Fault {
        name: "refuses-contexts-without-syntax",
        does: "Answers an alter_context whose context has no transfer syntax with (2,2).",
        hurts: "Whoever looks for the cause: a client that offers nothing is told that it is not spoken.",
        caught_by: &["rpc/alter/no-syntaxes#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::ALTER_CONTEXT, |alter| {
                let is_empty = offer(&alter.frame).is_some_and(|offered| {
                    !offered.contexts.is_empty() && offered.contexts.iter().all(|context| context.transfer.is_empty())
                });
                if is_empty {
                    answer_alter(alter, vec![result(2, 2, SyntaxId::NONE)]);
                }
            });
        }),
    },
    Fault {
        name: "alters-once",
        does: "Closes the connection at the third alter_context.",
        hurts: "Clients that add one service after another: they lose those they had.",
        caught_by: &["rpc/alter/one-after-another#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::ALTER_CONTEXT, |alter| {
                alter.scene.note += 1;
                if alter.scene.note == 3 {
                    alter.fate = Fate::Closes(End::Finish);
                }
            });
        }),
    },
    Fault {
        name: "alters-before-calls-only",
        does: "Closes the connection at an alter_context after the first call.",
        hurts: "Windows clients of 64 bits that go on in NDR64: they are cut off after their first call.",
        caught_by: &["rpc/alter/one-after-another#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::ALTER_CONTEXT, |alter| {
                if alter.scene.requests > 1 {
                    alter.fate = Fate::Closes(End::Finish);
                }
            });
        }),
    },
    Fault {
        name: "alters-one-context",
        does: "Looks at the first context of an alter_context alone, and refuses the others.",
        hurts: "Clients that add several contexts at once: the one they need is refused.",
        caught_by: &["rpc/alter/several-contexts#results"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::ALTER_CONTEXT, |alter| {
                change_offer(alter, |offered| {
                    offered.contexts.iter_mut().skip(1).for_each(|context| context.transfer = vec![SyntaxId::NONE]);
                });
            });
        }),
    },
    Fault {
        name: "signs-in-alter-when-multiplexed",
        does: "Sets the flag of header signing on an alter_context_resp when the alter_context has conc_mpx.",
        hurts: "Clients that can sign headers: they sign what the host never agreed to.",
        caught_by: &["rpc/alter/multiplexing#pfc_flags"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::ALTER_CONTEXT_RESPONSE, |out| {
                if PduView(out.asked).flags().is_some_and(|flags| flags.has(Flags::CONC_MPX)) {
                    let flags = out.flags().with(Flags::PENDING_CANCEL);
                    out.set_flags(flags);
                }
            });
        }),
    },
];

fn result(result: u16, reason: u16, syntax: SyntaxId) -> ContextResult {
    ContextResult { result: ResultCode(result), reason, syntax }
}
