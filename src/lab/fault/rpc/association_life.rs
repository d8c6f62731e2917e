//! Faults of association groups over their lives (C706 section 12.6.4.3; MS-RPCE 3.3.1.5).

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::tools::{ack_of, offer};
use crate::lab::fault::{Fault, Install};
use crate::lab::tamper::{Fields, Leaving, Tamper};
use crate::wire::rpc::{Flags, MAX_FRAGMENT, Ptype, at};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "numbers-groups-by-how-many-are-open",
        does: "Gives a group the number of connections that are open as its number.",
        hurts: "Clients that join a group: it may be somebody else's of the same number.",
        caught_by: &["rpc/association/never-the-same#assoc_group"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::BIND_ACK, |out| {
                let number = 0x100 + out.scene.others as u32;
                if offer(out.asked).is_some_and(|offered| offered.assoc_group == 0) {
                    out.change_ack(|ack| ack.assoc_group = number);
                }
            });
        }),
    },
    Fault {
        name: "numbers-groups-in-eight-bits",
        does: "Numbers its groups in eight bits: after 256 of them it begins anew, whatever is there still.",
        hurts: "Clients of a host that has given many: they come into a group of somebody else's.",
        caught_by: &["rpc/association/never-the-same#assoc_group"],
        install: Install::Pdus(|tamper, _| {
            tamper.shape(|config| config.assoc_group = (config.assoc_group & 0xff).max(1));
        }),
    },
    Fault {
        name: "knows-groups-it-refused",
        does: "Lets a connection into a group that it refused when it was named first.",
        hurts: "Clients that try again: they are in a group that nobody else is in.",
        caught_by: &["rpc/association/unknown-numbers#reply"],
        install: Install::Pdus(|tamper, _| {
            let refused = Arc::new(Mutex::new(HashSet::new()));
            let known = Arc::clone(&refused);
            tamper.on_way_out_of(Ptype::BIND_NAK, move |out| {
                let mut refused = refused.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(offered) = offer(out.asked).filter(|_| refused.len() < GROUPS_MAX) {
                    refused.insert(offered.assoc_group);
                }
            });
            tamper.on_way_in_of(Ptype::BIND, move |bind| {
                let group = bind.word(at::ASSOC_GROUP);
                if known.lock().unwrap_or_else(PoisonError::into_inner).contains(&group) {
                    bind.put(at::ASSOC_GROUP, &[0; 4]);
                }
            });
        }),
    },
    Fault {
        name: "takes-great-groups-for-none",
        does: "Takes the number of a group with its highest bit set for one that asks for a new group.",
        hurts: "Clients whose group has such a number: they are alone, and do not know.",
        caught_by: &["rpc/association/unknown-numbers#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::BIND, |bind| {
                if bind.word(at::ASSOC_GROUP) >= 0x8000_0000 {
                    bind.put(at::ASSOC_GROUP, &[0; 4]);
                }
            });
        }),
    },
    Fault {
        name: "knows-groups-by-their-end",
        does: "Finds a group by the lower twelve bits of its number, and compares no more.",
        hurts: "Clients of a host that has given many: they come into a group of somebody else's.",
        caught_by: &["rpc/association/unknown-numbers#reply"],
        install: Install::Pdus(|tamper, _| {
            let given = Arc::new(Mutex::new(HashSet::new()));
            let known = Arc::clone(&given);
            tamper.on_way_out_of(Ptype::BIND_ACK, move |out| {
                let mut given = given.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(ack) = ack_of(&out.frame).filter(|_| given.len() < GROUPS_MAX) {
                    given.insert(ack.assoc_group);
                }
            });
            tamper.on_way_in_of(Ptype::BIND, move |bind| {
                let group = bind.word(at::ASSOC_GROUP);
                let known = known.lock().unwrap_or_else(PoisonError::into_inner);
                let meant = known.iter().find(|known| group != 0 && *known & 0xfff == group & 0xfff);
                if let Some(meant) = meant.filter(|_| !known.contains(&group)) {
                    bind.put(at::ASSOC_GROUP, &meant.to_le_bytes());
                }
            });
        }),
    },
    Fault {
        name: "gives-members-the-most",
        does: "Says fragments of 5,840 bytes to whoever joins a group, whatever it asks for.",
        hurts: "Clients with little room: they are sent fragments that do not fit.",
        caught_by: &["rpc/association/own-terms#max_xmit_frag"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::BIND_ACK, |out| {
                if offer(out.asked).is_some_and(|offered| offered.assoc_group != 0) {
                    out.change_ack(|ack| (ack.max_xmit_frag, ack.max_recv_frag) = (MAX_FRAGMENT, MAX_FRAGMENT));
                }
            });
        }),
    },
    Fault {
        name: "shares-contexts-in-groups",
        does: "Serves a member of a group in the contexts of the others.",
        hurts: "The admin: what one connection agreed on is open to all.",
        caught_by: &["rpc/association/own-terms#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in(|incoming| match incoming.ptype() {
                Some(Ptype::BIND) => incoming.scene.note = u64::from(incoming.word(at::ASSOC_GROUP) != 0),
                Some(Ptype::REQUEST) if incoming.scene.note == 1 && incoming.half(at::CONTEXT) == 7 => {
                    incoming.put(at::CONTEXT, &[0, 0]);
                }
                _ => {}
            });
        }),
    },
    Fault {
        name: "keeps-groups-of-broken-connections",
        does: "Keeps the group of a connection that was broken off.",
        hurts: "The admin: the host's list of groups grows with every client that is switched off.",
        caught_by: &["rpc/association/gone-however#reply"],
        install: Install::Pdus(|tamper, _| keep_groups(tamper, |leaving| leaving.is_reset)),
    },
    Fault {
        name: "keeps-groups-of-cut-off-connections",
        does: "Keeps the group of a connection that ended in the middle of a PDU.",
        hurts: "The admin: the host's list of groups grows with every client that loses its network.",
        caught_by: &["rpc/association/gone-however#reply"],
        install: Install::Pdus(|tamper, _| keep_groups(tamper, |leaving| leaving.is_cut_off)),
    },
    Fault {
        name: "keeps-groups-of-unfinished-calls",
        does: "Keeps the group of a connection that ended in the middle of a call in fragments.",
        hurts: "The admin: the host's list of groups grows with every client that loses its network.",
        caught_by: &["rpc/association/gone-however#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                request.scene.note = u64::from(!request.flags().has(Flags::LAST));
            });
            keep_groups(tamper, |leaving| leaving.scene.note == 1 && !leaving.is_cut_off && !leaving.is_reset);
        }),
    },
];

/// Lets connections into groups whose only connection was left so.
fn keep_groups(tamper: &mut Tamper, keeps: fn(&Leaving<'_>) -> bool) {
    let of_connections = Arc::new(Mutex::new(HashMap::new()));
    let kept = Arc::new(Mutex::new(HashSet::new()));
    let (given, known) = (Arc::clone(&of_connections), Arc::clone(&kept));
    tamper.on_way_out_of(Ptype::BIND_ACK, move |out| {
        let mut given = given.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ack) = ack_of(&out.frame).filter(|_| given.len() < GROUPS_MAX) {
            given.insert(out.scene.number, ack.assoc_group);
        }
    });
    tamper.on_leaving(move |leaving| {
        let group = of_connections.lock().unwrap_or_else(PoisonError::into_inner).remove(&leaving.scene.number);
        if let Some(group) = group.filter(|_| keeps(leaving)) {
            kept.lock().unwrap_or_else(PoisonError::into_inner).insert(group);
        }
    });
    tamper.on_way_in_of(Ptype::BIND, move |bind| {
        let group = bind.word(at::ASSOC_GROUP);
        if known.lock().unwrap_or_else(PoisonError::into_inner).contains(&group) {
            bind.put(at::ASSOC_GROUP, &[0; 4]);
        }
    });
}

/// More groups than any test has.
const GROUPS_MAX: usize = 10_000;
