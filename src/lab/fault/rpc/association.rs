//! Faults of associations: lists of contexts, fragment sizes, groups, and what comes before or after the one bind
//! (C706 section 12.6.4; MS-RPCE 3.3.1.5).

use super::tools::{ONE_GROUP, accept_all, answer_bind, offer, on_acks, on_offers, refuse};
use crate::lab::fault::{Fault, Install};
use crate::lab::tamper::{End, Fate, Fields, Incoming, Tamper, fault_of};
use crate::wire::rpc::{
    Body, FaultStatus, HEADER_LEN, MAX_FRAGMENT, Pdu, PduView, Ptype, RejectReason, Response, SyntaxId, at,
};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "stalls-on-no-context",
        does: "Neither answers nor closes after a bind without a context.",
        hurts: "Clients with that slip: they wait until they give up.",
        caught_by: &["rpc/bind/no-context#closing"],
        install: Install::Pdus(|tamper, _| {
            on_binds(tamper, |incoming| {
                if offer(&incoming.frame).is_some_and(|bind| bind.contexts.is_empty()) {
                    incoming.fate = Fate::Vanishes;
                }
            });
        }),
    },
    Fault {
        name: "accepts-no-context",
        does: "Accepts a bind without a context, with no result.",
        hurts: "Clients with that slip: they learn of it only when their call is refused.",
        caught_by: &["rpc/bind/no-context#reply"],
        install: Install::Pdus(|tamper, _| {
            on_binds(tamper, |incoming| {
                if offer(&incoming.frame).is_some_and(|bind| bind.contexts.is_empty()) {
                    accept_nothing(incoming);
                }
            });
        }),
    },
    Fault {
        name: "blames-congestion",
        does: "Refuses a bind without a context with reason 1, which says that it is busy.",
        hurts: "Clients that try again when a host is busy: they try for ever.",
        caught_by: &["rpc/bind/no-context#reject_reason"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::BIND_NAK, |out| {
                if offer(out.asked).is_some_and(|bind| bind.contexts.is_empty()) {
                    out.put(HEADER_LEN, &[1, 0]);
                }
            });
        }),
    },
    Fault {
        name: "refuses-empty-context-alone",
        does: "Refuses a context without transfer syntaxes and goes on, where the bind is to be refused.",
        hurts: "Clients with that slip: it shows with the first host that is strict.",
        caught_by: &["rpc/bind/no-transfer-syntax#reply"],
        install: Install::Pdus(|tamper, _| {
            on_offers(tamper, |offered| {
                let empty = offered.contexts.iter_mut().filter(|context| context.transfer.is_empty());
                empty.for_each(|context| context.transfer.push(SyntaxId::NONE));
            });
        }),
    },
    Fault {
        name: "dies-of-empty-context",
        does: "Is gone after a context without transfer syntaxes: it looks at the first of none.",
        hurts: "Everybody, once anyone has sent such a bind.",
        caught_by: &["rpc/bind/no-transfer-syntax#liveness"],
        install: Install::Pdus(|tamper, _| {
            on_binds(tamper, |incoming| {
                let offered = offer(&incoming.frame);
                let mut contexts = offered.iter().flat_map(|bind| &bind.contexts);
                if contexts.any(|context| context.transfer.is_empty()) {
                    incoming.fate = Fate::Kills;
                }
            });
        }),
    },
    Fault {
        name: "accepts-missing-contexts",
        does: "Takes the contexts that are there when a bind says that there are more.",
        hurts: "Clients whose bind is cut short: they are told that all is well.",
        caught_by: &["rpc/bind/missing-contexts#reply"],
        install: Install::Pdus(|tamper, _| {
            on_binds(tamper, |incoming| {
                if is_cut_short(incoming) {
                    incoming.put(at::CONTEXTS, &[1]);
                }
            });
        }),
    },
    Fault {
        name: "dies-of-missing-contexts",
        does: "Is gone after a bind that says more contexts than it has: it reads past the end.",
        hurts: "Everybody, once anyone has sent such a bind.",
        caught_by: &["rpc/bind/missing-contexts#liveness"],
        install: Install::Pdus(|tamper, _| {
            on_binds(tamper, |incoming| {
                if is_cut_short(incoming) {
                    incoming.fate = Fate::Kills;
                }
            });
        }),
    },
    Fault {
        name: "echoes-frag-sizes",
        does: "Answers a bind with the fragment sizes of the bind, whatever they are.",
        hurts: "Clients that offer large ones: their long requests are more than the host reads.",
        caught_by: &["rpc/bind/fragment-sizes#max_xmit_frag", "rpc/bind/fragment-size"],
        install: Install::Pdus(|tamper, _| {
            on_acks(tamper, |ack, offered| {
                (ack.max_xmit_frag, ack.max_recv_frag) = (offered.max_xmit_frag, offered.max_recv_frag);
            });
        }),
    },
    Fault {
        name: "takes-tiny-frag-sizes",
        does: "Agrees to fragments of less than 2,048 bytes, down to none.",
        hurts: "Clients that say 0 for no limit: no answer fits.",
        caught_by: &["rpc/bind/fragment-sizes#max_recv_frag", "rpc/bind/fragment-size"],
        install: Install::Pdus(|tamper, _| {
            on_acks(tamper, |ack, offered| {
                let size = offered.max_xmit_frag.min(offered.max_recv_frag).min(MAX_FRAGMENT) & !7;
                (ack.max_xmit_frag, ack.max_recv_frag) = (size, size);
            });
        }),
    },
    Fault {
        name: "takes-uneven-frag-sizes",
        does: "Agrees to fragment sizes that are no multiple of eight.",
        hurts: "Clients that fill their fragments: what they send cannot be aligned.",
        caught_by: &["rpc/bind/fragment-sizes#max_xmit_frag", "rpc/bind/fragment-size"],
        install: Install::Pdus(|tamper, _| {
            on_acks(tamper, |ack, offered| {
                let size = offered.max_xmit_frag.min(offered.max_recv_frag).clamp(2048, MAX_FRAGMENT);
                (ack.max_xmit_frag, ack.max_recv_frag) = (size, size);
            });
        }),
    },
    Fault {
        name: "always-says-5840",
        does: "Says fragments of 5,840 bytes, whatever the client can take.",
        hurts: "Clients with less room: long answers do not fit.",
        caught_by: &["rpc/bind/fragment-sizes#max_xmit_frag", "rpc/bind/fragment-size"],
        install: Install::Pdus(|tamper, _| {
            on_acks(tamper, |ack, _| (ack.max_xmit_frag, ack.max_recv_frag) = (MAX_FRAGMENT, MAX_FRAGMENT));
        }),
    },
    Fault {
        name: "calls-every-group-zero",
        does: "Answers every bind with association group 0.",
        hurts: "Clients that open a second connection of the same group: there is none to name.",
        caught_by: &["rpc/association/new-group#assoc_group", "rpc/bind/assoc-group"],
        install: Install::Pdus(|tamper, _| on_acks(tamper, |ack, _| ack.assoc_group = 0)),
    },
    Fault {
        name: "has-one-group",
        does: "Puts all connections into one association group.",
        hurts: "Clients: what one of them leaves open, another one can name.",
        caught_by: &["rpc/association/new-group#assoc_group"],
        install: Install::Pdus(|tamper, _| tamper.shape(|config| config.assoc_group = ONE_GROUP)),
    },
    Fault {
        name: "knows-no-groups",
        does: "Knows no association groups: a bind that names one gets a new one.",
        hurts: "Clients that rely on a group: they are in another one and do not know.",
        caught_by: &[
            "rpc/association/unknown-group#reply",
            "rpc/association/closed-group#reply",
            "rpc/association/live-group#assoc_group",
        ],
        install: Install::Pdus(|tamper, _| {
            on_offers(tamper, |offered| offered.assoc_group = 0);
        }),
    },
    Fault {
        name: "keeps-nobody-in-groups",
        does: "Refuses a bind that names the association group of an open connection.",
        hurts: "Clients that open a second connection of the same group: it is refused.",
        caught_by: &["rpc/association/live-group#reply"],
        install: Install::Pdus(|tamper, _| {
            on_binds(tamper, |incoming| {
                if offer(&incoming.frame).is_some_and(|bind| bind.assoc_group != 0) {
                    refuse(incoming, RejectReason::NOT_SPECIFIED);
                }
            });
        }),
    },
    Fault {
        name: "names-other-group",
        does: "Lets a connection into the association group it names, and says another number.",
        hurts: "Clients that open a third connection: the group they are told is none.",
        caught_by: &["rpc/association/live-group#assoc_group"],
        install: Install::Pdus(|tamper, _| {
            on_acks(tamper, |ack, offered| {
                if offered.assoc_group != 0 {
                    ack.assoc_group ^= 1;
                }
            });
        }),
    },
    Fault {
        name: "holds-two-in-a-group",
        does: "Refuses a bind that names an association group while three connections are open.",
        hurts: "Clients with many calls at once: their third connection is refused.",
        caught_by: &["rpc/association/three-in-a-group#reply"],
        install: Install::Pdus(|tamper, _| {
            on_binds(tamper, |incoming| {
                let joins = offer(&incoming.frame).is_some_and(|bind| bind.assoc_group != 0);
                if joins && incoming.scene.others >= 2 {
                    refuse(incoming, RejectReason::NOT_SPECIFIED);
                }
            });
        }),
    },
    Fault {
        name: "holds-four-in-a-group",
        does: "Refuses a bind that names an association group while four others are open.",
        hurts: "Clients with many calls at once: their fifth connection is refused.",
        caught_by: &["rpc/association/three-in-a-group#reply"],
        install: Install::Pdus(|tamper, _| {
            on_binds(tamper, |incoming| {
                let joins = offer(&incoming.frame).is_some_and(|bind| bind.assoc_group != 0);
                if joins && incoming.scene.others >= 4 {
                    refuse(incoming, RejectReason::NOT_SPECIFIED);
                }
            });
        }),
    },
    Fault {
        name: "has-four-groups",
        does: "Has four numbers for association groups, and gives them in turn.",
        hurts: "Clients of a busy host: they come into a group of somebody else's.",
        caught_by: &["rpc/association/many-groups#assoc_group"],
        install: Install::Pdus(|tamper, _| tamper.shape(|config| config.assoc_group = config.assoc_group % 4 + 1)),
    },
    Fault {
        name: "accepts-second-bind",
        does: "Accepts a second bind on a connection.",
        hurts: "Clients that are out of step: the contexts they had are gone or are not, and nobody knows.",
        caught_by: &["rpc/bind/second-bind#reply"],
        install: Install::Pdus(|tamper, _| {
            on_binds(tamper, |incoming| {
                if incoming.scene.bound {
                    accept_all(incoming);
                }
            });
        }),
    },
    Fault {
        name: "stays-open-after-refusal",
        does: "Keeps the connection open after it refused a second bind, and reads nothing on it any more.",
        hurts: "Clients: what they ask next on the connection is never answered.",
        caught_by: &["rpc/bind/second-bind#closing"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::BIND_NAK, |out| out.scene.stays_open |= out.scene.bound);
        }),
    },
    Fault {
        name: "serves-without-bind",
        does: "Answers a request before any bind with a fault, and goes on.",
        hurts: "Clients that forgot to bind: they are told that the interface is unknown.",
        caught_by: &["rpc/association/not-bound#reply", "rpc/association/not-bound-last-context#reply"],
        install: Install::Pdus(|tamper, _| {
            before_bind(tamper, Ptype::REQUEST, |incoming| {
                let call_id = PduView(&incoming.frame).call_id().unwrap_or_default();
                let fault = fault_of(0, FaultStatus::UNKNOWN_INTERFACE);
                incoming.answer(&Pdu::whole(call_id, Body::Fault(fault)));
            });
        }),
    },
    Fault {
        name: "takes-alter-for-bind",
        does: "Takes an alter_context for a bind when there was none.",
        hurts: "Clients that forgot to bind: it shows with the first host that is strict.",
        caught_by: &["rpc/association/not-bound#reply"],
        install: Install::Pdus(|tamper, _| {
            before_bind(tamper, Ptype::ALTER_CONTEXT, |incoming| incoming.put(at::PTYPE, &[Ptype::BIND.0]));
        }),
    },
    Fault {
        name: "stalls-on-early-cancel",
        does: "Passes over a co_cancel before any bind, without an answer and without an end.",
        hurts: "The admin: connections of broken clients and scanners stay, and are never cleared away.",
        caught_by: &["rpc/association/not-bound#closing"],
        install: Install::Pdus(|tamper, _| {
            before_bind(tamper, Ptype::CO_CANCEL, |incoming| incoming.fate = Fate::Vanishes);
        }),
    },
    Fault {
        name: "has-sentinel-context",
        does: "Keeps 65535 for a context that is not there, and serves a call in it before any bind.",
        hurts: "The admin: whoever names that context needs no bind, and whatever the bind refuses is served.",
        caught_by: &["rpc/association/not-bound-last-context#reply"],
        install: Install::Pdus(|tamper, _| {
            before_bind(tamper, Ptype::REQUEST, |incoming| {
                let view = PduView(&incoming.frame);
                let (call_id, context_id) = (view.call_id().unwrap_or_default(), view.context_id().unwrap_or_default());
                if context_id == u16::MAX {
                    let response = Response { alloc_hint: 12, context_id, cancel_count: 0, stub: &[0; 12] };
                    incoming.answer(&Pdu::whole(call_id, Body::Response(response)));
                }
            });
        }),
    },
    Fault {
        name: "dies-of-last-context",
        does: "Is gone after a request in context 65535 before any bind.",
        hurts: "Everybody, once anyone has sent such a request.",
        caught_by: &["rpc/association/not-bound-last-context#liveness"],
        install: Install::Pdus(|tamper, _| {
            before_bind(tamper, Ptype::REQUEST, |incoming| {
                if PduView(&incoming.frame).context_id() == Some(u16::MAX) {
                    incoming.fate = Fate::Kills;
                }
            });
        }),
    },
    Fault {
        name: "resets-early-requests",
        does: "Resets the connection at a request before any bind.",
        hurts: "Clients that forgot to bind: nothing tells them what is wrong.",
        caught_by: &["rpc/association/not-bound#reply"],
        install: Install::Pdus(|tamper, _| {
            before_bind(tamper, Ptype::REQUEST, |incoming| incoming.fate = Fate::Closes(End::Reset));
        }),
    },
];

fn on_binds(tamper: &mut Tamper, change: fn(&mut Incoming<'_>)) {
    tamper.on_way_in_of(Ptype::BIND, change);
}

fn before_bind(tamper: &mut Tamper, ptype: Ptype, change: fn(&mut Incoming<'_>)) {
    tamper.on_way_in_of(ptype, move |incoming| {
        if !incoming.scene.bound {
            change(incoming);
        }
    });
}

/// Whether a bind says that it has more contexts than there are.
fn is_cut_short(incoming: &Incoming<'_>) -> bool {
    incoming.frame.len() > at::CONTEXTS && offer(&incoming.frame).is_none() && incoming.frame[at::CONTEXTS] > 1
}

fn accept_nothing(incoming: &mut Incoming<'_>) {
    answer_bind(incoming, Vec::new());
}
