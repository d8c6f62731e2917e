//! Faults of the sixteen bytes every PDU begins with, and of what stands before a stub (C706 section 12.6.3.1;
//! MS-RPCE 2.2.2).

use super::tools::refuse;
use crate::lab::fault::{Fault, Install};
use crate::lab::tamper::{Fate, Fields, Outgoing, Tamper};
use crate::wire::rpc::{Body, FaultStatus, Flags, Pdu, PduView, Ptype, RejectReason, at};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "names-no-version",
        does: "Refuses a bind without a word on which versions it speaks.",
        hurts: "Clients that would go on in another version: they learn of none.",
        caught_by: &["rpc/bind/refusal-versions#versions"],
        install: Install::Pdus(|tamper, _| {
            // How many there are, and the one there is.
            tamper.on_way_out_of(Ptype::BIND_NAK, |out| out.put(at::VERSIONS, &[0; 3]));
        }),
    },
    Fault {
        name: "ignores-bind-version",
        does: "Accepts a bind of any major protocol version.",
        hurts: "Clients of another protocol: they take its answer for one of theirs.",
        caught_by: &["rpc/header/bind-version#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::BIND, |incoming| incoming.put(at::VERSION, &[5]));
        }),
    },
    Fault {
        name: "ignores-rpc-minor-version",
        does: "Accepts a bind of any minor protocol version.",
        hurts: "Clients of a later protocol: they take its answer for one of theirs.",
        caught_by: &["rpc/header/bind-minor-version#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::BIND, |incoming| incoming.put(at::VERSION + 1, &[0]));
        }),
    },
    Fault {
        name: "ignores-request-version",
        does: "Serves a request of any protocol version.",
        hurts: "Clients that are out of step: they get an answer to what they did not ask.",
        caught_by: &["rpc/header/request-version#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |incoming| incoming.put(at::VERSION, &[5, 0]));
        }),
    },
    Fault {
        name: "gives-no-reason-for-version",
        does: "Refuses a bind of another protocol version with reason 0, not 4.",
        hurts: "The admin of a client that speaks another version: nothing says that this is the trouble.",
        caught_by: &["rpc/header/bind-version#reject_reason"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::BIND_NAK, |out| {
                if PduView(out.asked).version() != Some((5, 0)) {
                    out.put(at::REJECT_REASON, &[0, 0]);
                }
            });
        }),
    },
    Fault {
        name: "says-wrong-version-ran",
        does: "Does not set did_not_execute on the fault for a request of another protocol version.",
        hurts: "Clients that would ask again if they knew that nothing was done.",
        caught_by: &["rpc/header/request-version#pfc_flags"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::FAULT, |out| {
                if PduView(out.asked).version() != Some((5, 0)) {
                    out.set_flags(Flags::WHOLE);
                }
            });
        }),
    },
    Fault {
        name: "gives-wrong-status-for-version",
        does: "Answers a request of another protocol version with access denied.",
        hurts: "The admin: looks for permissions where the protocol is at fault.",
        caught_by: &["rpc/header/request-version#status"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::FAULT, |out| {
                if PduView(out.asked).version() != Some((5, 0)) {
                    out.put(at::STATUS, &FaultStatus::ACCESS_DENIED.0.to_le_bytes());
                }
            });
        }),
    },
    Fault {
        name: "stays-open-after-wrong-version",
        does: "Keeps the connection open after a request of another protocol version, and reads nothing on it any more.",
        hurts: "Clients: what they ask next on the connection is never answered.",
        caught_by: &["rpc/header/request-version#closing"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::FAULT, |out| {
                out.scene.stays_open |= PduView(out.asked).version() != Some((5, 0));
            });
        }),
    },
    Fault {
        name: "refuses-big-endian",
        does: "Refuses binds whose integers are big endian.",
        hurts: "Clients on big-endian machines.",
        caught_by: &["rpc/header/big-endian#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::BIND, |incoming| {
                if PduView(&incoming.frame).is_big_endian() {
                    refuse(incoming, RejectReason::PROTOCOL_VERSION_NOT_SUPPORTED);
                }
            });
        }),
    },
    Fault {
        name: "echoes-data-representation",
        does: "Labels its answers with the data representation of the request, and writes little endian all the same.",
        hurts: "Clients on big-endian machines: they cannot read even how long the answer is.",
        caught_by: &["rpc/header/big-endian#frag_length"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out(|out| {
                if let Some(drep) = PduView(out.asked).drep() {
                    out.put(at::DREP, &drep);
                }
            });
        }),
    },
    Fault {
        name: "ignores-data-representation",
        does: "Accepts a bind with any data representation, and reads it as it reads all others.",
        hurts: "Clients that label their text or floats otherwise: they are misread and never told.",
        caught_by: &["rpc/header/odd-drep#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::BIND, |incoming| {
                if !PduView(&incoming.frame).is_big_endian() {
                    incoming.put(at::DREP, &LITTLE_ENDIAN);
                }
            });
        }),
    },
    Fault {
        name: "stalls-on-unknown-kinds",
        does: "Passes over a PDU of a kind that does not exist, without an answer and without an end.",
        hurts: "Clients of a later protocol: they wait until they give up.",
        caught_by: &["rpc/header/unknown-ptype#closing"],
        install: Install::Pdus(|tamper, _| on_kind(tamper, UNKNOWN, Fate::Vanishes)),
    },
    Fault {
        name: "dies-of-unknown-kinds",
        does: "Is gone after a PDU of a kind that does not exist.",
        hurts: "Everybody, once anyone has sent sixteen bytes to the port.",
        caught_by: &["rpc/header/unknown-ptype#liveness"],
        install: Install::Pdus(|tamper, _| on_kind(tamper, UNKNOWN, Fate::Kills)),
    },
    Fault {
        name: "obeys-shutdown",
        does: "Is gone when a client sends a shutdown, which is a host's to send.",
        hurts: "Everybody, once anyone has sent sixteen bytes to the port.",
        caught_by: &["rpc/header/wrong-way-ptypes#liveness"],
        install: Install::Pdus(|tamper, _| on_kind(tamper, Ptype::SHUTDOWN, Fate::Kills)),
    },
    Fault {
        name: "passes-over-responses",
        does: "Passes over a response from a client, as if it was none of its business.",
        hurts: "Clients that are out of step: they wait until they give up.",
        caught_by: &["rpc/header/wrong-way-ptypes#closing"],
        install: Install::Pdus(|tamper, _| on_kind(tamper, Ptype::RESPONSE, Fate::Vanishes)),
    },
    Fault {
        name: "passes-over-auth3",
        does: "Passes over an auth3 on a connection that is not authenticated.",
        hurts: "Clients that believe they have authenticated themselves.",
        caught_by: &["rpc/header/wrong-way-ptypes#closing"],
        install: Install::Pdus(|tamper, _| on_kind(tamper, Ptype::AUTH3, Fate::Vanishes)),
    },
    Fault {
        name: "loses-high-call-ids",
        does: "Answers with the lower 31 bits of a call id.",
        hurts: "Clients that draw their call ids at random: half of them find no answer to their call.",
        caught_by: &["rpc/header/call-ids#call_id", "rpc/header/call-id"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out(|out| {
                let call_id = PduView(&out.frame).call_id().unwrap_or_default() & 0x7fff_ffff;
                out.set_call_id(call_id);
            });
        }),
    },
    Fault {
        name: "has-call-ids-of-31-bits-in-faults",
        does: "Loses the highest bit of a call id in every fault but that of an unknown operation.",
        hurts: "Clients that have made two thousand million calls: what is refused is never answered.",
        caught_by: &["rpc/header/call-ids#call_id", "rpc/header/call-id"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::FAULT, |out| {
                if out.word(at::STATUS) != FaultStatus::OP_RANGE_ERROR.0 {
                    let id = out.word(at::CALL_ID) & 0x7fff_ffff;
                    out.set_call_id(id);
                }
            });
        }),
    },
    Fault {
        name: "counts-calls-from-one",
        does: "Answers call 0 as call 1.",
        hurts: "Clients that count from 0: they find no answer to their first call.",
        caught_by: &["rpc/header/call-ids#call_id", "rpc/header/call-id"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::BIND_ACK, |out| {
                if PduView(out.asked).call_id() == Some(0) {
                    out.set_call_id(1);
                }
            });
        }),
    },
    Fault {
        name: "sends-faults-as-call-one",
        does: "Answers with a fault of call 1, whichever call went wrong.",
        hurts: "Clients: a call that went wrong is waited for until the time is up.",
        caught_by: &["rpc/header/call-ids#call_id", "rpc/header/call-id"],
        install: Install::Pdus(|tamper, _| tamper.on_way_out_of(Ptype::FAULT, |out| out.set_call_id(1))),
    },
    Fault {
        name: "refuses-as-call-zero",
        does: "Refuses a bind with a bind_nak of call 0.",
        hurts: "Clients: that they are refused shows only when their time is up.",
        caught_by: &["rpc/header/call-ids#call_id", "rpc/header/call-id"],
        install: Install::Pdus(|tamper, _| tamper.on_way_out_of(Ptype::BIND_NAK, |out| out.set_call_id(0))),
    },
    Fault {
        name: "leaves-memory-in-cancel-count",
        does: "Leaves old memory where a fault has its cancel count and the byte after it.",
        hurts: "The admin: whoever asks often enough reads the host's memory, two bytes at a time.",
        caught_by: &["rpc/header/old-memory#cancel_count", "rpc/response/cancel-count"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::FAULT, |out| {
                let leftover = out.scene.pdus as u8 | 0x40;
                out.put(at::CANCEL_COUNT, &[leftover, 0x7f]);
            });
        }),
    },
    Fault {
        name: "leaves-memory-after-status",
        does: "Leaves old memory in the four reserved bytes after the status of a fault.",
        hurts: "The admin: whoever asks often enough reads the host's memory, four bytes at a time.",
        caught_by: &["rpc/header/old-memory#reserved", "rpc/fault/form"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::FAULT, |out| {
                let leftover = (out.scene.pdus as u32) | 0x7f40_0000;
                out.put(at::STATUS + 4, &leftover.to_le_bytes());
            });
        }),
    },
    Fault {
        name: "says-one-cancel",
        does: "Says in its responses that one cancel came.",
        hurts: "Clients that believe their call was cancelled.",
        caught_by: &["rpc/response/cancel-count"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::RESPONSE, |out| out.put(at::CANCEL_COUNT, &[1]));
        }),
    },
    Fault {
        name: "faults-in-minor-version-one",
        does: "Says protocol version 5.1 in its faults.",
        hurts: "Clients that check the version: they cannot read why their call went wrong.",
        caught_by: &["rpc/header/version"],
        install: Install::Pdus(|tamper, _| tamper.on_way_out_of(Ptype::FAULT, |out| out.put(at::VERSION + 1, &[1]))),
    },
    Fault {
        name: "faults-with-vax-floats",
        does: "Labels its faults with another representation of floats.",
        hurts: "Clients that check the label: they cannot read why their call went wrong.",
        caught_by: &["rpc/header/drep"],
        install: Install::Pdus(|tamper, _| tamper.on_way_out_of(Ptype::FAULT, |out| out.put(at::DREP + 1, &[1]))),
    },
    Fault {
        name: "announces-missing-trailer",
        does: "Says in its faults that an authentication trailer follows, and sends none.",
        hurts: "Clients: they look for a trailer in what is none.",
        caught_by: &["rpc/header/auth-length"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::FAULT, |out| out.put(at::AUTH_LENGTH, &[8, 0]));
        }),
    },
    Fault {
        name: "marks-answers-multiplexed",
        does: "Sets the flag conc_mpx on every response.",
        hurts: "Clients that check flags, and captures that are read by them.",
        caught_by: &["rpc/header/flags"],
        install: Install::Pdus(|tamper, _| tamper.on_way_out_of(Ptype::RESPONSE, mark_multiplexed)),
    },
    Fault {
        name: "appends-to-answers",
        does: "Appends a byte to each bind_ack with more than one result, and counts it in the length.",
        hurts: "Clients that read a PDU to its end: they take the bind for broken.",
        caught_by: &["rpc/pdu/well-formed"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::BIND_ACK, |out| {
                if has_more_results(&out.frame) {
                    out.frame.push(0);
                    out.fit();
                }
            });
        }),
    },
    Fault {
        name: "says-answers-are-longer",
        does: "Says in its responses that they are a byte longer than they are.",
        hurts: "Every client: it waits for a byte that never comes.",
        caught_by: &["rpc/transport/control", "rpc/header/frag-length"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::RESPONSE, |out| {
                out.frame.push(0);
                out.fit();
                out.frame.pop();
            });
        }),
    },
    Fault {
        name: "says-answers-are-shorter",
        does: "Says in its responses that they are a byte shorter than they are.",
        hurts: "Every client: it reads an answer that is cut off, and what comes next begins in the middle.",
        caught_by: &["rpc/transport/control", "rpc/header/frag-length"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::RESPONSE, |out| {
                let length = out.frame.len() as u16 - 1;
                out.put(at::FRAG_LENGTH, &length.to_le_bytes());
            });
        }),
    },
    Fault {
        name: "keeps-last-byte",
        does: "Never sends the last byte of a fault.",
        hurts: "Clients whose call went wrong: they wait for the byte until their own time is up.",
        caught_by: &["rpc/request/unknown-operation#frag_length", "rpc/header/frag-length"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::FAULT, |out| {
                out.frame.pop();
            });
        }),
    },
    Fault {
        name: "says-acks-are-longer",
        does: "Says in a bind_ack with more than one result that it is four bytes longer than it is.",
        hurts: "Clients that offer two syntaxes, as Windows does: they wait for bytes that never come.",
        caught_by: &["rpc/bind/result-order#frag_length", "rpc/header/frag-length"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::BIND_ACK, |out| {
                if has_more_results(&out.frame) {
                    let length = out.frame.len() as u16 + 4;
                    out.put(at::FRAG_LENGTH, &length.to_le_bytes());
                }
            });
        }),
    },
    Fault {
        name: "answers-bind-as-alter",
        does: "Answers a bind of more than one context with an alter_context_resp.",
        hurts: "Clients that offer two syntaxes, as Windows does: they take it for no answer to a bind.",
        caught_by: &["rpc/pdu/expected-kind"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::BIND_ACK, |out| {
                if has_more_results(&out.frame) {
                    out.put(at::PTYPE, &[Ptype::ALTER_CONTEXT_RESPONSE.0]);
                }
            });
        }),
    },
    Fault {
        name: "sends-faults-twice",
        does: "Sends every fault twice.",
        hurts: "Clients: they take the second for the answer to what they ask next.",
        caught_by: &["rpc/transport/nothing-unasked"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::FAULT, |out| {
                let again = out.frame.clone();
                out.frame.extend_from_slice(&again);
            });
        }),
    },
    Fault {
        name: "hints-at-whole-pdu",
        does: "Counts the header in the allocation hint of its responses.",
        hurts: "Clients that take it for the length of the stub: they read past its end.",
        caught_by: &["rpc/response/alloc-hint"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::RESPONSE, |out| {
                let hint = out.word(at::ALLOC_HINT) + at::STUB as u32;
                out.put(at::ALLOC_HINT, &hint.to_le_bytes());
            });
        }),
    },
    Fault {
        name: "answers-in-context-zero",
        does: "Names context 0 in every response.",
        hurts: "Clients that call in another context: they find no answer of theirs.",
        caught_by: &["rpc/response/context-id"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::RESPONSE, |out| out.put(at::CONTEXT, &[0, 0]));
        }),
    },
];

fn on_kind(tamper: &mut Tamper, ptype: Ptype, fate: Fate) {
    tamper.on_way_in_of(ptype, move |incoming| incoming.fate = fate.clone());
}

fn mark_multiplexed(out: &mut Outgoing<'_>) {
    let flags = out.flags().with(Flags::CONC_MPX);
    out.set_flags(flags);
}

fn has_more_results(frame: &[u8]) -> bool {
    matches!(Pdu::decode(frame).map(|pdu| pdu.body), Ok(Body::BindAck(ack)) if ack.results.len() > 1)
}

const LITTLE_ENDIAN: [u8; 4] = [0x10, 0, 0, 0];
/// No kind of PDU.
const UNKNOWN: Ptype = Ptype(99);
