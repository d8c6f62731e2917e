//! Faults of requests and how they are dispatched (C706 section 12.6.4.9).

use crate::lab::fault::{Fault, Install};
use crate::lab::tamper::{End, Fate, Fields, Tamper};
use crate::wire::rpc::{FaultStatus, Flags, Ptype, at};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "serves-every-context",
        does: "Serves a request whatever context it names.",
        hurts: "Clients whose context was refused: they are answered in a syntax that was never agreed on.",
        caught_by: &["rpc/request/unknown-context#reply", "rpc/bind/request-on-refused#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                // All but the contexts that other cases agree on.
                if !matches!(request.half(at::CONTEXT), 0 | 5 | 7 | 200 | 0x102) && request.flags().has(Flags::WHOLE) {
                    request.put(at::CONTEXT, &[0, 0]);
                }
            });
        }),
    },
    Fault {
        name: "closes-on-unknown-contexts",
        does: "Closes the connection when a request names a context it does not know.",
        hurts: "Other calls of the same connection: they are lost with it.",
        caught_by: &["rpc/request/unknown-context#closing"],
        install: Install::Pdus(|tamper, _| on_fault(tamper, UNKNOWN_INTERFACE, |out| out.end = Some(End::Finish))),
    },
    Fault {
        name: "names-unknown-contexts",
        does: "Names the unknown context in the fault it answers with.",
        hurts: "Nobody yet: Windows names context 0 there.",
        caught_by: &["rpc/request/unknown-context#p_cont_id"],
        install: Install::Pdus(|tamper, _| {
            on_fault(tamper, UNKNOWN_INTERFACE, |out| out.put(at::CONTEXT, &[0x39, 0x30]));
        }),
    },
    Fault {
        name: "never-says-it-did-not-execute",
        does: "Has no fault that says did_not_execute.",
        hurts: "Clients that would repeat a call that did nothing: they dare not.",
        caught_by: &["rpc/request/unknown-context#pfc_flags", "rpc/request/unknown-operation#pfc_flags"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::FAULT, |out| {
                let flags = out.flags().without(Flags::DID_NOT_EXECUTE);
                out.set_flags(flags);
            });
        }),
    },
    Fault {
        name: "gives-one-status-for-all",
        does: "Has the status nca_s_proto_error in every fault.",
        hurts: "Whoever looks for the cause: every mistake of a client is the same.",
        caught_by: &["rpc/request/unknown-context#status", "rpc/request/unknown-operation#status"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::FAULT, |out| {
                out.put(at::STATUS, &FaultStatus::PROTOCOL_ERROR.0.to_le_bytes());
            });
        }),
    },
    Fault {
        name: "ignores-operations",
        does: "Takes every operation for the only one there is.",
        hurts: "Clients of a later interface: what they asked is taken for something else.",
        caught_by: &["rpc/request/unknown-operation#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                if request.flags().has(Flags::WHOLE) {
                    request.put(at::OPNUM, &[0, 0]);
                }
            });
        }),
    },
    Fault {
        name: "closes-on-unknown-operations",
        does: "Closes the connection when a request is for an operation out of range.",
        hurts: "Clients that ask what a host can do: they lose the connection.",
        caught_by: &["rpc/request/unknown-operation#closing"],
        install: Install::Pdus(|tamper, _| on_fault(tamper, OP_RANGE_ERROR, |out| out.end = Some(End::Finish))),
    },
    Fault {
        name: "reads-objects-as-stubs",
        does: "Takes the object UUID of a request for the beginning of its stub.",
        hurts: "Clients whose runtime names an object: their request cannot be read.",
        caught_by: &["rpc/request/object#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                let flags = request.flags().without(Flags::OBJECT);
                request.set_flags(flags);
            });
        }),
    },
    Fault {
        name: "waits-for-objects",
        does: "Says nothing to a request that ends before its object UUID does.",
        hurts: "A client with a broken request: it waits until its own time is up.",
        caught_by: &["rpc/request/object-missing#closing"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                if request.flags().has(Flags::OBJECT) && request.frame.len() < at::STUB + 16 {
                    request.fate = Fate::Vanishes;
                }
            });
        }),
    },
    Fault {
        name: "minds-maybe",
        does: "Says nothing to a request with the flag maybe.",
        hurts: "Clients whose runtime sets it: they wait for an answer that never comes.",
        caught_by: &["rpc/request/flags#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                if request.flags().has(Flags::MAYBE) {
                    request.fate = Fate::Vanishes;
                }
            });
        }),
    },
    Fault {
        name: "echoes-request-flags",
        does: "Has the flags of a request on its response.",
        hurts: "Clients that look at flags: the response says that it did not execute.",
        caught_by: &["rpc/request/flags#pfc_flags"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::RESPONSE, |out| {
                let asked = out.asked.get(at::FLAGS).copied().unwrap_or_default();
                let flags = out.flags().with(Flags(asked));
                out.set_flags(flags);
            });
        }),
    },
    Fault {
        name: "believes-every-hint",
        does: "Refuses a whole request whose allocation hint is more than four megabytes.",
        hurts: "Clients whose runtime leaves that field as it is: they are refused for nothing.",
        caught_by: &["rpc/request/alloc-hint#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                if request.flags().has(Flags::WHOLE) && request.word(at::ALLOC_HINT) > 4 << 20 {
                    request.fault(FaultStatus::ACCESS_DENIED);
                }
            });
        }),
    },
    Fault {
        name: "counts-cancels",
        does: "Has a cancel count of 1 in every response.",
        hurts: "Clients that look at it: they believe that their call was cancelled.",
        caught_by: &["rpc/response/cancel-count", "rpc/request/response-form#cancel_count"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::RESPONSE, |out| out.put(at::CANCEL_COUNT, &[1]));
        }),
    },
    Fault {
        name: "hints-at-nothing",
        does: "Has the allocation hint 0 in every response.",
        hurts: "Clients that make room by it: they have none for the answer.",
        caught_by: &["rpc/response/alloc-hint", "rpc/request/response-form#alloc_hint"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::RESPONSE, |out| out.put(at::ALLOC_HINT, &[0; 4]));
        }),
    },
    Fault {
        name: "hints-at-too-much",
        does: "Has an allocation hint of two gigabytes in every response.",
        hurts: "Clients that make room by it: they run out of memory.",
        caught_by: &["rpc/response/alloc-hint"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::RESPONSE, |out| out.put(at::ALLOC_HINT, &0x7fff_ffff_u32.to_le_bytes()));
        }),
    },
    Fault {
        name: "names-another-context",
        does: "Names the next context in every response.",
        hurts: "Clients with several contexts: they read the answer in the wrong syntax.",
        caught_by: &["rpc/response/context-id"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::RESPONSE, |out| {
                let next = out.half(at::CONTEXT).wrapping_add(1);
                out.put(at::CONTEXT, &next.to_le_bytes());
            });
        }),
    },
    Fault {
        name: "answers-with-last-fragments",
        does: "Has the flag first on no response.",
        hurts: "Clients that join fragments: they wait for a beginning.",
        caught_by: &["rpc/response/fragments"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::RESPONSE, |out| {
                let flags = out.flags().without(Flags::FIRST);
                out.set_flags(flags);
            });
        }),
    },
    Fault {
        name: "faults-one-in-seven",
        does: "Answers every seventh request of a connection with the fault 0x000006F7.",
        hurts: "Clients that keep their connections: every seventh time they show 0x800706F7.",
        caught_by: &["rpc/response/no-fault"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                if request.scene.requests % 7 == 6 && request.flags().has(Flags::WHOLE) {
                    request.fault(FaultStatus::BAD_STUB_DATA);
                }
            });
        }),
    },
    Fault {
        name: "has-stubs-in-faults",
        does: "Has eight bytes of stub in every fault.",
        hurts: "Clients that read a fault to its end: they find what should not be there.",
        caught_by: &["rpc/fault/form", "rpc/request/fault-form#frag_length"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::FAULT, |out| {
                out.frame.extend_from_slice(&[0; 8]);
                out.fit();
            });
        }),
    },
    Fault {
        name: "reserves-nothing-in-faults",
        does: "Has noise in the reserved field of every fault.",
        hurts: "Clients that look for extended errors there: they find one that is none.",
        caught_by: &["rpc/request/fault-form#reserved"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::FAULT, |out| out.put(at::FAULT_RESERVED, &[0xde, 0xad, 0xbe, 0xef]));
        }),
    },
    Fault {
        name: "hints-at-nothing-for-bad-stubs",
        does: "Has the allocation hint 0 in the fault that says that a stub cannot be read.",
        hurts: "Clients that make room by it: they have none for the fault that tells them what is wrong.",
        caught_by: &["rpc/request/fault-form#alloc_hint"],
        install: Install::Pdus(|tamper, _| {
            on_fault(tamper, BAD_STUB_DATA, |out| out.put(at::ALLOC_HINT, &[0; 4]));
        }),
    },
    Fault {
        name: "gives-a-forbidden-status",
        does: "Has the status 0xC0000005 where an operation is out of range.",
        hurts: "Clients: their runtime raises an access violation of its own.",
        caught_by: &["rpc/request/fault-form#status"],
        install: Install::Pdus(|tamper, _| {
            on_fault(tamper, OP_RANGE_ERROR, |out| out.put(at::STATUS, &0xC000_0005_u32.to_le_bytes()));
        }),
    },
];

/// Faults of this status.
fn on_fault(
    tamper: &mut Tamper,
    status: FaultStatus,
    change: impl Fn(&mut crate::lab::tamper::Outgoing<'_>) + Send + 'static,
) {
    tamper.on_way_out_of(Ptype::FAULT, move |out| {
        if out.word(at::STATUS) == status.0 {
            change(out);
        }
    });
}

const BAD_STUB_DATA: FaultStatus = FaultStatus::BAD_STUB_DATA;
const UNKNOWN_INTERFACE: FaultStatus = FaultStatus::UNKNOWN_INTERFACE;
const OP_RANGE_ERROR: FaultStatus = FaultStatus::OP_RANGE_ERROR;
