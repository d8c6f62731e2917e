//! Faults of headers after the bind, and of byte orders (C706 sections 12.6.3.1 and 14.1).

use crate::lab::fault::{Fault, Install};
use crate::lab::tamper::{End, Fate, Fields};
use crate::wire::rpc::{PduView, Ptype, at};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "reads-alters-of-any-version",
        does: "Reads an alter_context of any protocol version.",
        hurts: "Whoever tests a client: a wrong version shows with the first host that is strict.",
        caught_by: &["rpc/header/later-versions#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::ALTER_CONTEXT, |alter| alter.put(at::VERSION, &[5, 0]));
        }),
    },
    Fault {
        name: "minds-dreps-of-binds",
        does: "Looks at the data representation of a bind, and at no other.",
        hurts: "Clients with other characters or floats: what they say is read as something else.",
        caught_by: &["rpc/header/later-dreps#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in(|incoming| {
                let is_later = matches!(incoming.ptype(), Some(Ptype::REQUEST | Ptype::ALTER_CONTEXT));
                if is_later && !PduView(&incoming.frame).is_big_endian() {
                    incoming.put(at::DREP, &[0x10, 0, 0, 0]);
                }
            });
        }),
    },
    Fault {
        name: "minds-dreps-of-all-but-alters",
        does: "Reads an alter_context of any data representation.",
        hurts: "Clients with other characters or floats: what they say is read as something else.",
        caught_by: &["rpc/header/later-dreps#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::ALTER_CONTEXT, |alter| {
                if !PduView(&alter.frame).is_big_endian() {
                    alter.put(at::DREP, &[0x10, 0, 0, 0]);
                }
            });
        }),
    },
    Fault {
        name: "keeps-to-the-byte-order-of-binds",
        does: "Closes the connection at a PDU whose byte order is not that of the bind.",
        hurts: "Clients behind something that rewrites headers: they are cut off in the middle.",
        caught_by: &["rpc/header/changing-order#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in(|incoming| {
                let order = 1 + u64::from(PduView(&incoming.frame).is_big_endian());
                match incoming.ptype() {
                    Some(Ptype::BIND) => incoming.scene.note = order,
                    Some(Ptype::REQUEST) if incoming.scene.note != 0 && incoming.scene.note != order => {
                        incoming.fate = Fate::Closes(End::Finish);
                    }
                    _ => {}
                }
            });
        }),
    },
    Fault {
        name: "swaps-groups-of-big-endian-binds",
        does: "Reads the association group of a big-endian bind as if it were little endian.",
        hurts: "Big-endian clients with a second connection: it is refused.",
        caught_by: &["rpc/header/big-endian-binds#assoc_group"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::BIND, |bind| {
                if PduView(&bind.frame).is_big_endian() {
                    let swapped = bind.word(at::ASSOC_GROUP).swap_bytes();
                    bind.put(at::ASSOC_GROUP, &swapped.to_le_bytes());
                }
            });
        }),
    },
    Fault {
        name: "swaps-sizes-of-big-endian-binds",
        does: "Reads the fragment sizes of a big-endian bind as if they were little endian.",
        hurts: "Big-endian clients with little room: they are sent fragments that do not fit.",
        caught_by: &["rpc/header/big-endian-binds#max_xmit_frag"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::BIND, |bind| {
                if PduView(&bind.frame).is_big_endian() {
                    for size in [at::MAX_XMIT_FRAG, at::MAX_RECV_FRAG] {
                        let swapped = bind.half(size).swap_bytes();
                        bind.put(size, &swapped.to_le_bytes());
                    }
                }
            });
        }),
    },
    Fault {
        name: "swaps-reasons-for-big-endian",
        does: "Writes the reasons of a bind_ack in big endian for a big-endian client, and says little endian.",
        hurts: "Big-endian clients: they are refused for a reason that there is not.",
        caught_by: &["rpc/header/big-endian-binds#results"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::BIND_ACK, |out| {
                if PduView(out.asked).is_big_endian() {
                    out.change_ack(|ack| {
                        ack.results.iter_mut().for_each(|result| result.reason = result.reason.swap_bytes());
                    });
                }
            });
        }),
    },
    Fault {
        name: "closes-on-big-endian-cancels",
        does: "Closes the connection at a co_cancel or an orphaned in big endian.",
        hurts: "Big-endian clients that cancel a moment too late: they lose the connection.",
        caught_by: &["rpc/header/big-endian-rest#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in(|incoming| {
                let is_cancel = matches!(incoming.ptype(), Some(Ptype::CO_CANCEL | Ptype::ORPHANED));
                if is_cancel && PduView(&incoming.frame).is_big_endian() {
                    incoming.fate = Fate::Closes(End::Finish);
                }
            });
        }),
    },
    Fault {
        name: "grants-big-endian-clients-no-features",
        does: "Grants a big-endian client none of the features that it asks for.",
        hurts: "Big-endian clients: they do without what the host has.",
        caught_by: &["rpc/header/big-endian-rest#results"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::BIND_ACK, |out| {
                if PduView(out.asked).is_big_endian() {
                    out.change_ack(|ack| {
                        let features = ack.results.iter_mut().filter(|result| result.result.0 == 3);
                        features.for_each(|result| result.reason = 0);
                    });
                }
            });
        }),
    },
];
