//! Faults of stubs in NDR64, and of counts that contradict one another (protocol description, sections 1.4 and 1.5).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::ndr32::{on_answer, on_refusal};
use crate::lab::fault::{Fault, Install};
use crate::lab::tamper::{Fields, Incoming, Outgoing, Tamper};
use crate::wire::Hresult;
use crate::wire::rpc::{Body, Flags, Pdu, Ptype, SyntaxId, at};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "answers-half-counts",
        does: "Answers a request that ends within its size or its count with a code.",
        hurts: "Whoever reads a log of this host: there is an answer to what was never asked.",
        caught_by: &["ndr/request/short-stub#reply"],
        install: Install::Pdus(|tamper, _| {
            on_requests(tamper, false, |incoming| {
                if (at::STUB + 1..at::STUB + 8).contains(&incoming.frame.len()) {
                    incoming.frame.truncate(at::STUB);
                    incoming.frame.extend_from_slice(&[0; 8]);
                    incoming.fit();
                }
            });
        }),
    },
    Fault {
        name: "answers-in-the-latest-syntax",
        does: "Lays out every answer as the connection has it that was bound last.",
        hurts: "Windows clients of 64 bits, whenever another client came after them: their runtime cannot read the answer.",
        caught_by: &["ndr/answer/both-syntaxes#code"],
        install: Install::Pdus(|tamper, _| {
            let latest = Arc::new(AtomicBool::new(false));
            let bound = Arc::clone(&latest);
            tamper.on_way_out_of(Ptype::BIND_ACK, move |out| bound.store(accepts_ndr64(&out.frame), Ordering::Relaxed));
            on_answer(tamper, move |out, ndr64| {
                if ndr64 && !latest.load(Ordering::Relaxed) {
                    lay_out_as_ndr32(out);
                }
            });
        }),
    },
    Fault {
        name: "answers-tenth-call-in-ndr32",
        does: "Lays out the tenth answer on a connection in NDR64 as one in NDR32.",
        hurts: "Windows clients of 64 bits that keep their connection: their runtime cannot read the answer.",
        caught_by: &["ndr/answer/ndr64-again#code"],
        install: Install::Pdus(|tamper, _| {
            on_answer(tamper, |out, ndr64| {
                if ndr64 && out.scene.requests == 9 {
                    lay_out_as_ndr32(out);
                }
            });
        }),
    },
    Fault {
        name: "forgets-ndr64-when-altered",
        does: "Answers in NDR32 alone once NDR32 was agreed on in an alter_context, in a context with NDR64 too.",
        hurts: "Every current Windows client, from its second call on: its runtime cannot read the answer.",
        caught_by: &["ndr/answer/as-windows-asks#code"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::ALTER_CONTEXT_RESPONSE, |out| out.scene.note = ALTERED);
            on_answer(tamper, |out, ndr64| {
                if ndr64 && out.scene.note == ALTERED {
                    lay_out_as_ndr32(out);
                }
            });
        }),
    },
    Fault {
        name: "goes-by-the-count",
        does: "Takes as many bytes as the count of a request says, and does not look at its size.",
        hurts: "The host's own memory: what one reader checks another does not use, which is where overflows begin.",
        caught_by: &["ndr/request/counts-differ#code"],
        install: Install::Pdus(|tamper, _| {
            on_requests(tamper, false, |incoming| {
                let count = incoming.word(at::STUB + 4);
                incoming.put(at::STUB, &count.to_le_bytes());
            });
        }),
    },
    Fault {
        name: "goes-by-the-size",
        does: "Takes as many bytes as the size of a request says, and does not look at its count.",
        hurts: "The host's own memory: what one reader checks another does not use, which is where overflows begin.",
        caught_by: &["ndr/request/counts-differ#code", "ndr/request/huge-counts#reply"],
        install: Install::Pdus(|tamper, _| {
            on_requests(tamper, false, |incoming| {
                let size = incoming.word(at::STUB);
                incoming.put(at::STUB + 4, &size.to_le_bytes());
            });
        }),
    },
    Fault {
        name: "goes-by-the-size-in-ndr64",
        does: "Takes as many bytes as the size of a request in NDR64 says, and does not look at its count.",
        hurts: "The host's own memory: what one reader checks another does not use, which is where overflows begin.",
        caught_by: &["ndr/request/ndr64-counts-differ#code"],
        install: Install::Pdus(|tamper, _| {
            on_requests(tamper, true, |incoming| {
                let size = incoming.word(at::STUB);
                incoming.put(at::STUB + 8, &u64::from(size).to_le_bytes());
            });
        }),
    },
    Fault {
        name: "has-one-code-in-ndr64",
        does: "Refuses everything with 0x8007000D in NDR64, whatever is wrong.",
        hurts: "The admin of Windows clients of 64 bits: a wrong clock and a wrong host key look like broken data.",
        caught_by: &["ndr/answer/same-in-both#code"],
        install: Install::Pdus(|tamper, _| {
            on_refusal(tamper, 20, |out| out.put(at::STUB + 16, &Hresult::INVALID_DATA.0.to_le_bytes()));
        }),
    },
    Fault {
        name: "ignores-high-halves",
        does: "Looks at the low half of a count in NDR64 alone.",
        hurts: "The host's own memory: a count of gigabytes passes for a small one.",
        caught_by: &["ndr/request/ndr64-huge-counts#reply"],
        install: Install::Pdus(|tamper, _| {
            on_requests(tamper, true, |incoming| incoming.put(at::STUB + 12, &[0; 4]));
        }),
    },
    Fault {
        name: "has-room-for-512-bytes-in-ndr64",
        does: "Answers a request in NDR64 whose body is longer than 512 bytes with the fault 0x6F7.",
        hurts: "Clients of a version to come: they are told that their data are bad, and not that they are too new.",
        caught_by: &["kms/request/large-body#reply"],
        install: Install::Pdus(|tamper, _| {
            on_requests(tamper, true, |incoming| {
                if (513..4096).contains(&incoming.word(at::STUB)) {
                    incoming.frame.truncate(at::STUB);
                    incoming.fit();
                }
            });
        }),
    },
    Fault {
        name: "reads-beyond-ndr64-stubs",
        does: "Reads zeros where the stub of a request in NDR64 has ended, and answers.",
        hurts: "The host's own memory: what stands behind a request is taken for a part of it.",
        caught_by: &["ndr/request/ndr64-short-stub#reply"],
        install: Install::Pdus(|tamper, _| {
            on_requests(tamper, true, |incoming| {
                let due = (at::STUB + 16 + incoming.word(at::STUB) as usize).min(4096);
                if (at::STUB + 16..due).contains(&incoming.frame.len()) {
                    incoming.frame.resize(due, 0);
                    incoming.fit();
                }
            });
        }),
    },
    Fault {
        name: "serves-empty-ndr64-stubs",
        does: "Answers a request in NDR64 without a stub with a code.",
        hurts: "Whoever reads a log of this host: there is an answer to what was never asked.",
        caught_by: &["ndr/request/ndr64-empty-stub#reply"],
        install: Install::Pdus(|tamper, _| {
            on_requests(tamper, true, |incoming| {
                if incoming.frame.len() == at::STUB {
                    incoming.frame.extend_from_slice(&[0; 16]);
                    incoming.fit();
                }
            });
        }),
    },
    Fault {
        name: "takes-the-rest",
        does: "Takes all that follows the counts of a request for its body, whatever they say.",
        hurts: "Clients whose runtime pads: what only pads is taken for a part of the request, which is refused.",
        caught_by: &["ndr/request/trailing#code", "ndr/request/size-decides#code"],
        install: Install::Pdus(|tamper, _| {
            on_requests(tamper, false, |incoming| {
                if let Some(rest) = rest(incoming, 8, 4) {
                    incoming.put(at::STUB, &(rest as u32).to_le_bytes());
                    incoming.put(at::STUB + 4, &(rest as u32).to_le_bytes());
                }
            });
        }),
    },
    Fault {
        name: "takes-the-rest-in-ndr64",
        does: "Takes all that follows the counts of a request in NDR64 for its body, whatever they say.",
        hurts: "Clients whose runtime pads: what only pads is taken for a part of the request, which is refused.",
        caught_by: &["ndr/request/ndr64-trailing#code", "ndr/request/ndr64-size-decides#code"],
        install: Install::Pdus(|tamper, _| {
            on_requests(tamper, true, |incoming| {
                if let Some(rest) = rest(incoming, 16, 8) {
                    incoming.put(at::STUB, &(rest as u64).to_le_bytes());
                    incoming.put(at::STUB + 8, &(rest as u64).to_le_bytes());
                }
            });
        }),
    },
];

/// How many bytes follow the counts of a request whose counts are the same, and other than that.
fn rest(incoming: &mut Incoming<'_>, head: usize, count_at: usize) -> Option<usize> {
    let said = incoming.word(at::STUB);
    let rest = incoming.frame.len().checked_sub(at::STUB + head)?;
    (said != 0 && said == incoming.word(at::STUB + count_at) && rest > said as usize).then_some(rest)
}

/// Requests in one piece on connections that were bound with NDR64, or with NDR32.
fn on_requests(tamper: &mut Tamper, in_ndr64: bool, change: impl Fn(&mut Incoming<'_>) + Send + 'static) {
    tamper.on_way_out_of(Ptype::BIND_ACK, |out| out.scene.note = u64::from(accepts_ndr64(&out.frame)));
    tamper.on_way_in_of(Ptype::REQUEST, move |incoming| {
        if incoming.scene.note == u64::from(in_ndr64) && incoming.flags() == Flags::WHOLE {
            change(incoming);
        }
    });
}

fn accepts_ndr64(frame: &[u8]) -> bool {
    let Ok(Pdu { body: Body::BindAck(ack), .. }) = Pdu::decode(frame) else { return false };
    ack.results.iter().any(|result| result.syntax == SyntaxId::NDR64)
}

/// Leaves out of an answer in NDR64 what makes it one.
pub fn lay_out_as_ndr32(out: &mut Outgoing<'_>) {
    for at in [20, 12, 4] {
        out.frame.drain(at::STUB + at..at::STUB + at + 4);
    }
    out.fit();
}

/// What is noted of a connection with an alter_context.
const ALTERED: u64 = 2;
