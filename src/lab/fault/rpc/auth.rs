//! Faults of authentication, which KMS does without (MS-RPCE 2.2.2.11).

use crate::lab::fault::{Fault, Install};
use crate::lab::tamper::{Fate, Fields, Incoming};
use crate::wire::rpc::{Ptype, RejectReason, at};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "ignores-trailers-of-binds",
        does: "Accepts a bind whatever authentication it asks for.",
        hurts: "Clients that ask for a logon: they believe in one that never was.",
        caught_by: &["rpc/auth/unknown-type#reply", "rpc/auth/no-type#reply"],
        install: Install::Pdus(|tamper, _| tamper.on_way_in_of(Ptype::BIND, drop_trailer)),
    },
    Fault {
        name: "ignores-trailers-of-requests",
        does: "Serves a request with an authentication trailer where none was agreed on.",
        hurts: "The admin: what looks like an authenticated call was checked by nobody.",
        caught_by: &["rpc/auth/request-trailer#reply"],
        install: Install::Pdus(|tamper, _| tamper.on_way_in_of(Ptype::REQUEST, drop_trailer)),
    },
    Fault {
        name: "believes-in-trailers",
        does: "Waits for the trailer of a bind that says it has one, and says nothing.",
        hurts: "A client with a broken bind: it waits until its own time is up.",
        caught_by: &["rpc/auth/missing-trailer#closing"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::BIND, |bind| {
                if bind.half(at::AUTH_LENGTH) == 8 && !has_trailer(bind) {
                    bind.fate = Fate::Vanishes;
                }
            });
        }),
    },
    Fault {
        name: "gives-no-reason-for-logons",
        does: "Refuses every kind of authentication with reason 0.",
        hurts: "Clients that would go on without a logon: they are not told that it is the logon.",
        caught_by: &["rpc/auth/unknown-type#reply"],
        install: Install::Pdus(|tamper, _| reason_of_logons(tamper, RejectReason::NOT_SPECIFIED.0)),
    },
    Fault {
        name: "knows-no-logon-of-any-kind",
        does: "Refuses a bind whose authentication is of type none as one of an unknown type.",
        hurts: "Whoever looks for the cause: type none is known to everybody.",
        caught_by: &["rpc/auth/no-type#reply"],
        install: Install::Pdus(|tamper, _| reason_of_logons(tamper, RejectReason::AUTH_TYPE_UNKNOWN.0)),
    },
    Fault {
        name: "dies-of-trailers",
        does: "Is gone when a request has an authentication trailer.",
        hurts: "Everybody: one request of anybody on the network ends the service.",
        caught_by: &["rpc/auth/request-trailer#liveness"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                if request.half(at::AUTH_LENGTH) != 0 {
                    request.fate = Fate::Kills;
                }
            });
        }),
    },
    Fault {
        name: "waits-for-odd-trailers",
        does: "Says nothing to a request whose authentication trailer cannot be right, and waits.",
        hurts: "A client with a broken request: it waits until its own time is up.",
        caught_by: &["rpc/auth/odd-trailers#closing"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                if usize::from(request.half(at::AUTH_LENGTH)) + TRAILER_HEADER_LEN > request.frame.len() {
                    request.fate = Fate::Vanishes;
                }
            });
        }),
    },
    Fault {
        name: "dies-of-logons",
        does: "Is gone when a bind asks for authentication of a type that Windows has.",
        hurts: "Everybody: one bind of anybody on the network ends the service.",
        caught_by: &["rpc/auth/known-types#liveness"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::BIND, |bind| {
                if bind.half(at::AUTH_LENGTH) != 0 && matches!(bind.frame.get(PLAIN_BIND_LEN), Some(9 | 10 | 16 | 68)) {
                    bind.fate = Fate::Kills;
                }
            });
        }),
    },
];

/// Whether a bind is long enough for its trailer, one context with one syntax before it.
fn has_trailer(bind: &mut Incoming<'_>) -> bool {
    bind.frame.len() > PLAIN_BIND_LEN
}

/// Takes the trailer off, and the length that tells of it.
pub fn drop_trailer(incoming: &mut Incoming<'_>) {
    let token = usize::from(incoming.half(at::AUTH_LENGTH));
    let is_bind = incoming.ptype() == Some(Ptype::BIND);
    if token == 0 || (is_bind && !has_trailer(incoming)) {
        return;
    }
    let left = incoming.frame.len().saturating_sub(token + TRAILER_HEADER_LEN);
    incoming.frame.truncate(left);
    incoming.put(at::AUTH_LENGTH, &[0, 0]);
    incoming.fit();
}

fn reason_of_logons(tamper: &mut crate::lab::tamper::Tamper, reason: u16) {
    tamper.on_way_out_of(Ptype::BIND_NAK, move |nak| {
        let asks_for_one = nak.asked.get(at::AUTH_LENGTH) != Some(&0) && nak.asked.len() > PLAIN_BIND_LEN;
        if asks_for_one {
            nak.put(at::REJECT_REASON, &reason.to_le_bytes());
        }
    });
}

/// What stands before the token of a trailer, in bytes.
const TRAILER_HEADER_LEN: usize = 8;
/// A bind with one context and one syntax, in bytes.
const PLAIN_BIND_LEN: usize = 72;
