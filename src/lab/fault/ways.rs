//! Faults that show on connections of a kind alone, or in calls of a kind: where a plain call is answered right.

use super::{Fault, Install};
use crate::lab::tamper::{End, Fields, Outgoing, Tamper, fault_of};
use crate::wire::Hresult;
use crate::wire::rpc::{Body, FaultStatus, Flags, Pdu, PduView, Ptype, SyntaxId, at};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "closes-at-faults-after-alters",
        does: "Closes the connection after a fault, once three alter_contexts were made on it.",
        hurts: "Long-lived clients that add contexts: one call that cannot be made costs them all others.",
        caught_by: &["rpc/request/alike-after-alters#closing"],
        install: Install::Pdus(|tamper, _| {
            on_fault(tamper, |note| note >> ALTERED >= 3, |out| out.end = Some(End::Finish));
        }),
    },
    Fault {
        name: "closes-at-faults-in-multiplexed-groups",
        does: "Closes the connection after a fault where several calls at once were agreed on in a group that was joined.",
        hurts: "Windows clients that open a second connection: a call that cannot be made costs those beside it.",
        caught_by: &["rpc/request/alike-all-at-once#closing"],
        install: Install::Pdus(|tamper, _| {
            on_fault(
                tamper,
                |note| note & (JOINED | MULTIPLEXED) == JOINED | MULTIPLEXED,
                |out| out.end = Some(End::Finish),
            );
        }),
    },
    Fault {
        name: "closes-at-faults-when-multiplexed",
        does: "Closes the connection after a fault where several calls at once were agreed on.",
        hurts: "Windows clients, which all agree on that: a call that cannot be made costs those beside it.",
        caught_by: &["rpc/request/alike-multiplexed#closing"],
        install: Install::Pdus(|tamper, _| {
            on_fault(tamper, |note| note & MULTIPLEXED != 0, |out| out.end = Some(End::Finish));
        }),
    },
    Fault {
        name: "closes-at-refusals-in-groups",
        does: "Closes the connection after a refusal, when it had joined a group.",
        hurts: "Windows clients that open a second connection: the next request on it fails.",
        caught_by: &["kms/request/alike-in-a-group#closing"],
        install: Install::Pdus(|tamper, _| {
            on_refusal(tamper, |out| out.scene.note & JOINED != 0, |out, _| out.end = Some(End::Finish));
        }),
    },
    Fault {
        name: "closes-at-refusals-in-high-contexts",
        does: "Closes the connection after a refusal in a context whose number is above 32,767.",
        hurts: "Clients that number their contexts so: the next request fails.",
        caught_by: &["kms/request/alike-in-a-high-context#closing"],
        install: Install::Pdus(|tamper, _| {
            on_refusal(tamper, |out| out.half(at::CONTEXT) > 0x7fff, |out, _| out.end = Some(End::Finish));
        }),
    },
    Fault {
        name: "closes-at-the-third-fault",
        does: "Closes a connection at the third fault on it.",
        hurts: "Long-lived clients: three calls that cannot be made cost them all others.",
        caught_by: &["rpc/request/alike-after-faults#closing"],
        install: Install::Pdus(|tamper, _| {
            on_fault(tamper, |note| note >> FAULTED & 0xff >= 2, |out| out.end = Some(End::Finish));
        }),
    },
    Fault {
        name: "faults-refusals-after-alters",
        does: "Answers with the fault 0x6F7 what it refuses, once three alter_contexts were made on the connection.",
        hurts: "The admin: what is wrong with a client is told by no code, and its runtime says that data are bad.",
        caught_by: &["kms/request/alike-after-alters#reply"],
        install: Install::Pdus(|tamper, _| {
            on_refusal(
                tamper,
                |out| out.scene.note >> ALTERED >= 3,
                |out, _| {
                    let view = PduView(&out.frame);
                    let (call_id, context_id) =
                        (view.call_id().unwrap_or_default(), view.context_id().unwrap_or_default());
                    let fault = fault_of(context_id, FaultStatus::BAD_STUB_DATA);
                    out.frame = Pdu::whole(call_id, Body::Fault(fault)).encode().unwrap_or_default();
                },
            );
        }),
    },
    Fault {
        name: "has-one-code-after-faults",
        does: "Refuses everything with 0x8007000D once there was a fault on the connection.",
        hurts: "The admin: a wrong clock and a wrong host key look like broken data.",
        caught_by: &["kms/request/alike-after-faults#code"],
        install: Install::Pdus(|tamper, _| {
            on_refusal(tamper, |out| out.scene.note >> FAULTED & 0xff > 0, |out, at| out.put(at, &INVALID_DATA));
        }),
    },
    Fault {
        name: "has-one-code-in-fragments",
        does: "Refuses everything with 0x8007000D that came in more than one fragment.",
        hurts: "The admin of clients behind a small fragment size: a wrong clock and a wrong host key look like broken data.",
        caught_by: &["kms/request/alike-in-fragments#code"],
        install: Install::Pdus(|tamper, _| {
            on_refusal(
                tamper,
                |out| !PduView(out.asked).flags().is_some_and(|flags| flags.has(Flags::FIRST)),
                |out, at| out.put(at, &INVALID_DATA),
            );
        }),
    },
    Fault {
        name: "keeps-its-first-code",
        does: "Refuses everything on a connection with the code of the first refusal on it.",
        hurts: "Clients that share a connection: one is told what is wrong with another.",
        caught_by: &["kms/request/alike-after-refusals#code"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::RESPONSE, |out| {
                let Some(at) = code_at(out) else { return };
                match out.scene.note {
                    0 => out.scene.note = u64::from(out.word(at)),
                    first => out.put(at, &(first as u32).to_le_bytes()),
                }
            });
        }),
    },
    Fault {
        name: "masks-codes-in-big-endian",
        does: "Refuses big-endian clients with a code without its highest bit.",
        hurts: "Big-endian clients: a code without that bit is a success.",
        caught_by: &["kms/request/alike-big-endian#code"],
        install: Install::Pdus(|tamper, _| {
            on_refusal(tamper, |out| PduView(out.asked).is_big_endian(), mask);
        }),
    },
    Fault {
        name: "masks-codes-when-multiplexed",
        does: "Refuses with a code without its highest bit where several calls at once were agreed on.",
        hurts: "Windows clients, which all agree on that: a code without that bit is a success.",
        caught_by: &["kms/request/alike-multiplexed#code"],
        install: Install::Pdus(|tamper, _| {
            on_refusal(tamper, |out| out.scene.note & MULTIPLEXED != 0, mask);
        }),
    },
    Fault {
        name: "misses-objects-in-fragments-when-multiplexed",
        does: "Takes the object UUID of a request in fragments for stub where several calls at once were agreed on.",
        hurts: "Clients with object UUIDs: their longer requests cannot be read.",
        caught_by: &["kms/request/alike-all-at-once#reply"],
        install: Install::Pdus(|tamper, _| {
            watch(tamper);
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                let flags = request.flags();
                if request.scene.note & MULTIPLEXED != 0 && !flags.has(Flags::WHOLE) {
                    request.set_flags(flags.without(Flags::OBJECT));
                }
            });
        }),
    },
    Fault {
        name: "misses-objects-in-ndr64",
        does: "Takes the object UUID of a request in NDR64 for stub.",
        hurts: "Windows clients of 64 bits with object UUIDs: their requests cannot be read.",
        caught_by: &["kms/request/alike-with-objects#reply"],
        install: Install::Pdus(|tamper, _| {
            watch(tamper);
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                let flags = request.flags();
                if request.scene.note & NDR64 != 0 {
                    request.set_flags(flags.without(Flags::OBJECT));
                }
            });
        }),
    },
    Fault {
        name: "names-no-context-with-objects",
        does: "Answers a call with an object UUID that cannot be made with a fault for context 0.",
        hurts: "Clients with object UUIDs: the fault is for a context they did not call.",
        caught_by: &["rpc/request/alike-with-objects#p_cont_id"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::FAULT, |out| {
                if PduView(out.asked).flags().is_some_and(|flags| flags.has(Flags::OBJECT)) {
                    out.put(at::CONTEXT, &[0; 2]);
                }
            });
        }),
    },
    Fault {
        name: "says-executed-in-groups",
        does: "Leaves did_not_execute out of the faults of a connection that joined a group.",
        hurts: "Clients that would try again: they cannot know that nothing was done.",
        caught_by: &["rpc/request/alike-in-a-group#pfc_flags"],
        install: Install::Pdus(|tamper, _| {
            on_fault(
                tamper,
                |note| note & JOINED != 0,
                |out| {
                    let flags = out.flags().without(Flags::DID_NOT_EXECUTE);
                    out.set_flags(flags);
                },
            );
        }),
    },
    Fault {
        name: "serves-any-negative-context",
        does: "Takes every context whose number is above 32,767 for the one that the bind offered.",
        hurts: "Clients with several contexts: a call is answered in the syntax of another context.",
        caught_by: &["rpc/request/alike-in-a-high-context#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::BIND, |bind| bind.scene.note = u64::from(bind.half(at::FIRST_CONTEXT)));
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                let offered = request.scene.note as u16;
                if offered > 0x7fff && request.half(at::CONTEXT) > 0x7fff {
                    request.put(at::CONTEXT, &offered.to_le_bytes());
                }
            });
        }),
    },
    Fault {
        name: "serves-any-operation-in-big-endian",
        does: "Takes every operation of a big-endian client for the one there is.",
        hurts: "Clients of a later version of the interface: they are answered what they did not ask.",
        caught_by: &["rpc/request/alike-big-endian#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                if PduView(&request.frame).is_big_endian() {
                    request.put(at::OPNUM, &[0; 2]);
                }
            });
        }),
    },
    Fault {
        name: "serves-any-operation-in-ndr64",
        does: "Takes every operation that is called in NDR64 for the one there is.",
        hurts: "Clients of a later version of the interface: they are answered what they did not ask.",
        caught_by: &["rpc/request/alike-in-either-syntax#reply"],
        install: Install::Pdus(|tamper, _| {
            watch(tamper);
            tamper.on_way_in_of(Ptype::REQUEST, |request| {
                if request.scene.note & NDR64 != 0 {
                    request.put(at::OPNUM, &[0; 2]);
                }
            });
        }),
    },
    Fault {
        name: "shares-fragments",
        does: "Has one place for what it has of requests in fragments, whichever connection they come over.",
        hurts: "Clients behind a small fragment size, whenever two of them ask at once: neither can be answered.",
        caught_by: &["load/every-way-at-once#reply"],
        install: Install::Pdus(|tamper, _| {
            let mut owner = None;
            tamper.on_way_in_of(Ptype::REQUEST, move |request| {
                let flags = request.flags();
                if flags.has(Flags::FIRST) && !flags.has(Flags::LAST) {
                    owner = Some(request.scene.number);
                }
                if !flags.has(Flags::FIRST) && owner != Some(request.scene.number) {
                    let at = at::STUB.min(request.frame.len());
                    request.frame[at..].fill(0);
                }
            });
        }),
    },
];

/// Notes of a connection what it agreed on, and what happened on it.
fn watch(tamper: &mut Tamper) {
    tamper.on_way_in_of(Ptype::BIND, |bind| {
        let multiplexed = if bind.flags().has(Flags::CONC_MPX) { MULTIPLEXED } else { 0 };
        let joined = if bind.word(at::ASSOC_GROUP) != 0 { JOINED } else { 0 };
        bind.scene.note |= multiplexed | joined;
    });
    tamper.on_way_in_of(Ptype::ALTER_CONTEXT, |alter| alter.scene.note += 1 << ALTERED);
    tamper.on_way_out_of(Ptype::FAULT, |out| out.scene.note += 1 << FAULTED);
    tamper.on_way_out_of(Ptype::BIND_ACK, |out| {
        let accepted = Pdu::decode(&out.frame).ok().map(|pdu| pdu.body);
        if let Some(Body::BindAck(ack)) = accepted
            && ack.results.iter().any(|result| result.syntax == SyntaxId::NDR64)
        {
            out.scene.note |= NDR64;
        }
    });
}

/// Faults that go out on a connection of which this is noted. It is noted after the change: the fault itself does not
/// count yet.
fn on_fault(tamper: &mut Tamper, is_such: fn(u64) -> bool, change: fn(&mut Outgoing<'_>)) {
    tamper.on_way_out_of(Ptype::FAULT, move |out| {
        if is_such(out.scene.note) {
            change(out);
        }
    });
    watch(tamper);
}

/// Refusals that are such, and where their code stands.
fn on_refusal(tamper: &mut Tamper, is_such: fn(&mut Outgoing<'_>) -> bool, change: fn(&mut Outgoing<'_>, usize)) {
    tamper.on_way_out_of(Ptype::RESPONSE, move |out| {
        if let Some(at) = code_at(out).filter(|_| is_such(out)) {
            change(out, at);
        }
    });
    watch(tamper);
}

/// Where the code of a refusal stands, in either syntax.
fn code_at(out: &mut Outgoing<'_>) -> Option<usize> {
    let at = out.frame.len().checked_sub(4)?;
    let is_refusal = out.word(at::STUB) == 0 && [8, 16].contains(&(at - at::STUB.min(at)));
    is_refusal.then_some(at)
}

fn mask(out: &mut Outgoing<'_>, at: usize) {
    let code = out.word(at) & 0x7fff_ffff;
    out.put(at, &code.to_le_bytes());
}

/// What is noted of a connection.
const MULTIPLEXED: u64 = 1;
const JOINED: u64 = 2;
const NDR64: u64 = 4;
/// From these bits on, how many there were.
const FAULTED: u32 = 8;
const ALTERED: u32 = 16;
const INVALID_DATA: [u8; 4] = Hresult::INVALID_DATA.0.to_le_bytes();
