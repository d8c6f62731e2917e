//! Faults of PDUs that come in many segments and of calls that come in many fragments (C706 sections 12.6 and
//! 12.6.3.7).

use crate::lab::fault::{Fault, Install};
use crate::lab::tamper::{End, Fate, Fields, Incoming, Tamper};
use crate::wire::rpc::{FaultStatus, Flags, PduView, Ptype, at};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "reads-a-hundred-times",
        does: "Closes the connection when a PDU has not come whole after a hundred reads.",
        hurts: "Clients behind a link that carries small pieces: they are never activated.",
        caught_by: &["rpc/transport/slow-segments#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_segment(|segment| {
                segment.scene.note = if segment.pending.is_empty() { 1 } else { segment.scene.note + 1 };
                if segment.scene.note > 100 {
                    segment.fate = Fate::Closes(End::Finish);
                }
            });
        }),
    },
    Fault {
        name: "wants-fragments-at-once",
        does: "Closes the connection when a fragment that is not a whole call comes in more than eight segments.",
        hurts: "Clients behind a small fragment size and a slow link: they are never activated.",
        caught_by: &["rpc/transport/slow-fragments#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_segment(|segment| {
                segment.scene.note = if segment.pending.is_empty() { 1 } else { segment.scene.note + 1 };
                let so_far = segment.so_far();
                let view = PduView(&so_far);
                let is_fragment =
                    view.ptype() == Some(Ptype::REQUEST) && view.flags().is_some_and(|flags| !flags.has(Flags::WHOLE));
                if segment.scene.note > 8 && is_fragment {
                    segment.fate = Fate::Closes(End::Finish);
                }
            });
        }),
    },
    Fault {
        name: "reads-lengths-too-early",
        does: "Closes the connection when a segment ends right after the length of a PDU.",
        hurts: "Clients behind a link that cuts there, one among thousands: nobody finds out why.",
        caught_by: &["rpc/transport/every-split#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_segment(|segment| {
                if segment.pending.is_empty() && segment.bytes.len() == 10 {
                    segment.fate = Fate::Closes(End::Finish);
                }
            });
        }),
    },
    Fault {
        name: "takes-late-stubs-for-none",
        does: "Takes a request for cut off, and closes, when its stub begins a segment of its own.",
        hurts: "Clients whose runtime sends header and stub apart: they are never activated.",
        caught_by: &["rpc/transport/every-split#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_segment(|segment| {
                let is_request = segment.pending.get(2) == Some(&Ptype::REQUEST.0);
                if is_request && segment.pending.len() == at::STUB {
                    segment.fate = Fate::Closes(End::Finish);
                }
            });
        }),
    },
    Fault {
        name: "skips-objects-of-first-fragments-only",
        does: "Takes the object UUID of a later fragment for a part of the stub.",
        hurts: "Clients whose runtime names an object, behind a small fragment size: their request cannot be read.",
        caught_by: &["rpc/fragment/object#reply"],
        install: Install::Pdus(|tamper, _| on_objects(tamper, |flags, _| !flags.has(Flags::FIRST))),
    },
    Fault {
        name: "takes-nil-objects-for-none",
        does: "Takes an object UUID of zeros for a part of the stub.",
        hurts: "Clients whose runtime names the nil object: their request cannot be read.",
        caught_by: &["rpc/fragment/object#code"],
        install: Install::Pdus(|tamper, _| {
            on_objects(tamper, |_, frame| frame.get(at::STUB..at::STUB + 16) == Some(&[0; 16]));
        }),
    },
    Fault {
        name: "wants-room-in-fragments",
        does: "Answers a request of exactly the size that was agreed on with a protocol error, when that is 2,048.",
        hurts: "Clients behind a small fragment size that fill their fragments, as they may.",
        caught_by: &["rpc/fragment/full-size#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                if request.frame.len() == 2048 {
                    request.fault(FaultStatus::PROTOCOL_ERROR);
                }
            });
        }),
    },
    Fault {
        name: "joins-two-hundred-fragments",
        does: "Closes the connection at the two hundredth fragment of a request.",
        hurts: "Clients with long calls: they are never answered.",
        caught_by: &["rpc/fragment/hundreds#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                let is_first = request.flags().has(Flags::FIRST);
                request.scene.note = if is_first { 1 } else { request.scene.note + 1 };
                // Who wants to be told of four megabytes sends longer ones.
                if request.scene.note == 200 && request.frame.len() < 1000 {
                    request.fate = Fate::Closes(End::Finish);
                }
            });
        }),
    },
    Fault {
        name: "wants-a-stub-in-every-fragment",
        does: "Closes the connection at a first fragment without a byte of the stub.",
        hurts: "Clients whose runtime sends the header first: they are never activated.",
        caught_by: &["rpc/fragment/hundreds#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                let flags = request.flags();
                if flags.has(Flags::FIRST) && !flags.has(Flags::WHOLE) && request.frame.len() == at::STUB {
                    request.fate = Fate::Closes(End::Finish);
                }
            });
        }),
    },
    Fault {
        name: "believes-hints-of-fragments",
        does: "Closes the connection when a request grows longer than its first fragment hinted at.",
        hurts: "Clients that leave the hint empty, as they may: their calls in fragments are lost.",
        caught_by: &["rpc/fragment/wrong-hints#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                let flags = request.flags();
                if flags.has(Flags::FIRST) && !flags.has(Flags::WHOLE) && outgrows_hint(request) {
                    request.fate = Fate::Closes(End::Finish);
                }
            });
        }),
    },
    Fault {
        name: "loses-calls-between-fragments",
        does: "Says nothing to a call in one piece while another is not finished.",
        hurts: "Clients that have lost count: they wait until their own time is up.",
        caught_by: &["rpc/fragment/whole-call-between#closing"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                let flags = request.flags();
                let (is_whole, is_open) = (flags.has(Flags::WHOLE), request.scene.note == 1);
                if is_whole && is_open {
                    request.fate = Fate::Vanishes;
                }
                request.scene.note = u64::from(!flags.has(Flags::LAST) || (is_whole && is_open));
            });
        }),
    },
    Fault {
        name: "wants-rising-call-ids",
        does: "Closes the connection at a request whose call id is less than that of the one before.",
        hurts: "Clients whose numbers have begun anew: they lose the connection.",
        caught_by: &["rpc/request/any-call-id#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                let id = u64::from(request.word(at::CALL_ID)) + 1;
                if id < std::mem::replace(&mut request.scene.note, id) {
                    request.fate = Fate::Closes(End::Finish);
                }
            });
        }),
    },
];

/// Takes the objects of some fragments for a part of the stub.
fn on_objects(tamper: &mut Tamper, misreads: fn(Flags, &[u8]) -> bool) {
    tamper.on_way_in_of(Ptype::REQUEST, move |request| {
        let flags = request.flags();
        if flags.has(Flags::OBJECT) && misreads(flags, &request.frame) {
            request.set_flags(flags.without(Flags::OBJECT));
        }
    });
}

fn outgrows_hint(request: &mut Incoming<'_>) -> bool {
    (request.word(at::ALLOC_HINT) as usize) < request.frame.len() - at::STUB
}
