//! Faults of authentication trailers later on a connection that was bound without (MS-RPCE 2.2.2.11).

use super::auth::drop_trailer;
use crate::lab::fault::{Fault, Install};
use crate::lab::tamper::{Fields, Incoming, Tamper};
use crate::wire::rpc::{Flags, Ptype};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "trusts-whoever-called-before",
        does: "Serves a request with an authentication trailer when a call was served before.",
        hurts: "The admin: what looks like an authenticated call was checked by nobody.",
        caught_by: &["rpc/auth/later-trailers#reply"],
        install: Install::Pdus(|tamper, _| drop_trailers(tamper, |request| request.scene.requests > 0)),
    },
    Fault {
        name: "minds-trailers-of-first-fragments",
        does: "Looks for an authentication trailer on the first fragment of a call alone.",
        hurts: "The admin: what looks like an authenticated call was checked by nobody.",
        caught_by: &["rpc/auth/fragment-trailers#reply"],
        install: Install::Pdus(|tamper, _| drop_trailers(tamper, |request| !request.flags().has(Flags::FIRST))),
    },
    Fault {
        name: "minds-trailers-of-whole-calls",
        does: "Looks for an authentication trailer on calls in one piece alone.",
        hurts: "The admin: what looks like an authenticated call was checked by nobody.",
        caught_by: &["rpc/auth/fragment-trailers#reply"],
        install: Install::Pdus(|tamper, _| drop_trailers(tamper, |request| !request.flags().has(Flags::WHOLE))),
    },
    Fault {
        name: "ignores-trailers-of-alters",
        does: "Acknowledges an alter_context whatever authentication it asks for.",
        hurts: "Clients that ask for a logon later: they believe in one that never was.",
        caught_by: &["rpc/auth/alter-trailer#reply"],
        install: Install::Pdus(|tamper, _| tamper.on_way_in_of(Ptype::ALTER_CONTEXT, drop_trailer)),
    },
];

/// Takes some requests for ones without a trailer.
fn drop_trailers(tamper: &mut Tamper, drops: fn(&mut Incoming<'_>) -> bool) {
    tamper.on_way_in_of(Ptype::REQUEST, move |request| {
        if drops(request) {
            drop_trailer(request);
        }
    });
}
