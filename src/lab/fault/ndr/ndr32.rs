//! Faults of the stub, around the request and around the answer (protocol description, sections 1.4 and 1.5).

use super::ndr64::lay_out_as_ndr32;
use crate::lab::fault::{Fault, Install};
use crate::lab::tamper::{End, Fate, Fields, Incoming, Outgoing, Tamper};
use crate::wire::rpc::{FaultStatus, Flags, Ptype, at};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "waits-for-short-stubs",
        does: "Says nothing to a request whose stub is shorter than it says.",
        hurts: "A client with a broken request: it waits until its own time is up.",
        caught_by: &["ndr/request/short-stub#closing"],
        install: Install::Pdus(|tamper, _| on_short(tamper, |incoming| incoming.fate = Fate::Vanishes)),
    },
    Fault {
        name: "reads-beyond-short-stubs",
        does: "Reads zeros where the stub of a request has ended, and answers.",
        hurts: "The host's own memory: what stands behind a request is taken for a part of it.",
        caught_by: &["ndr/request/short-stub#reply"],
        install: Install::Pdus(|tamper, _| {
            on_short(tamper, |incoming| {
                let due = at::STUB + 8 + incoming.word(at::STUB) as usize;
                incoming.frame.resize(due.min(4096), 0);
                incoming.fit();
            });
        }),
    },
    Fault {
        name: "closes-on-short-stubs",
        does: "Answers a stub it cannot read with a fault, and closes the connection.",
        hurts: "Other calls of the same connection: they are lost with it.",
        caught_by: &["ndr/request/short-stub#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::FAULT, |out| {
                if out.word(at::STATUS) == FaultStatus::BAD_STUB_DATA.0 {
                    out.end = Some(End::Finish);
                }
            });
        }),
    },
    Fault {
        name: "dies-of-huge-counts",
        does: "Is gone when a request has a count of gigabytes.",
        hurts: "Everybody: one request of anybody on the network ends the service.",
        caught_by: &["ndr/request/huge-counts#liveness"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |incoming| {
                let is_plain = incoming.frame.len() > at::STUB + 8 && incoming.flags() == Flags::WHOLE;
                if is_plain && incoming.word(at::STUB + 4) > 0x1000_0000 {
                    incoming.fate = Fate::Kills;
                }
            });
        }),
    },
    Fault {
        name: "takes-negative-sizes",
        does: "Takes a negative size for a small one, and answers with a code.",
        hurts: "The host's own memory: the sign of a length is where overflows begin.",
        caught_by: &["ndr/request/huge-counts#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |incoming| {
                let is_negative = incoming.word(at::STUB) & 0x8000_0000 != 0;
                if incoming.frame.len() > at::STUB + 8 && is_negative {
                    incoming.put(at::STUB, &[16, 0, 0, 0, 16, 0, 0, 0]);
                }
            });
        }),
    },
    Fault {
        name: "serves-empty-stubs",
        does: "Answers a request without a stub with a code.",
        hurts: "Whoever reads a log of this host: there is an answer to what was never asked.",
        caught_by: &["ndr/request/empty-stub#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |incoming| {
                if incoming.frame.len() == at::STUB {
                    incoming.frame.extend_from_slice(&[0; 8]);
                    incoming.fit();
                }
            });
        }),
    },
    Fault {
        name: "gives-another-status-for-stubs",
        does: "Answers a stub it cannot read with a protocol error, and not with 0x6F7.",
        hurts: "Whoever looks for the cause: the fault is said to be in the connection.",
        caught_by: &["ndr/request/short-stub#reply", "ndr/request/empty-stub#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::FAULT, |out| {
                if out.word(at::STATUS) == FaultStatus::BAD_STUB_DATA.0 {
                    out.put(at::STATUS, &FaultStatus::PROTOCOL_ERROR.0.to_le_bytes());
                }
            });
        }),
    },
    Fault {
        name: "has-room-for-512-bytes",
        does: "Answers a request whose body is longer than 512 bytes with the fault 0x6F7.",
        hurts: "Clients of a version to come: they are told that their data are bad, and not that they are too new.",
        caught_by: &["kms/request/large-body#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |incoming| {
                let is_ndr32 = incoming.word(at::STUB) == incoming.word(at::STUB + 4);
                if is_ndr32 && (513..4096).contains(&incoming.word(at::STUB)) {
                    incoming.frame.truncate(at::STUB);
                    incoming.fit();
                }
            });
        }),
    },
    Fault {
        name: "refuses-trailing-bytes",
        does: "Answers a request with bytes after its arguments with silence.",
        hurts: "Clients whose runtime pads: they are never answered.",
        caught_by: &["ndr/request/trailing#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |incoming| {
                let said = 8 + incoming.word(at::STUB) as usize;
                let is_ndr32 = incoming.word(at::STUB) == incoming.word(at::STUB + 4) && incoming.word(at::STUB) != 0;
                if is_ndr32 && incoming.frame.len() >= at::STUB + said + 8 {
                    incoming.fate = Fate::Vanishes;
                }
            });
        }),
    },
    Fault {
        name: "minds-alignment",
        does: "Refuses a request in NDR64 whose alignment is not zeros with a fault.",
        hurts: "Clients whose runtime leaves there what stood in memory, as it may.",
        caught_by: &["ndr/request/noisy-alignment#reply"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::REQUEST, |incoming| {
                let is_ndr64 =
                    incoming.word(at::STUB) == incoming.word(at::STUB + 8) && incoming.word(at::STUB + 12) == 0;
                if is_ndr64 && incoming.frame.len() > 200 && incoming.word(at::STUB + 4) != 0 {
                    incoming.fault(FaultStatus::BAD_STUB_DATA);
                }
            });
        }),
    },
    Fault {
        name: "answers-with-null-pointers",
        does: "Has a null pointer before the bytes of every answer.",
        hurts: "Windows clients: their runtime sees no answer, and they show 0x8007000D.",
        caught_by: &["ndr/response/well-formed"],
        install: Install::Pdus(|tamper, _| {
            on_answer(tamper, |out, ndr64| {
                out.put(if ndr64 { at::STUB + 8 } else { at::STUB + 4 }, &[0; 4]);
            })
        }),
    },
    Fault {
        name: "miscounts-answers",
        does: "Has a count one less than the size of every answer.",
        hurts: "Windows clients: their runtime refuses the answer, and they show 0x8007000D.",
        caught_by: &["ndr/response/well-formed"],
        install: Install::Pdus(|tamper, _| {
            on_answer(tamper, |out, ndr64| {
                let at = if ndr64 { at::STUB + 16 } else { at::STUB + 8 };
                let count = out.word(at).wrapping_sub(1);
                out.put(at, &count.to_le_bytes());
            })
        }),
    },
    Fault {
        name: "pads-answers-with-noise",
        does: "Has noise where the size of an answer in NDR64 is aligned.",
        hurts: "Nobody yet: what stood in the host's memory goes to whoever asks.",
        caught_by: &["ndr/response/padding"],
        install: Install::Pdus(|tamper, _| {
            on_answer(tamper, |out, ndr64| {
                if ndr64 {
                    out.put(at::STUB + 4, &[0xa5; 4]);
                }
            });
        }),
    },
    Fault {
        name: "appends-to-stubs",
        does: "Has four bytes after the return code of every answer.",
        hurts: "Clients that read an answer to its end: there is more than there should be.",
        caught_by: &["ndr/response/trailing"],
        install: Install::Pdus(|tamper, _| {
            on_answer(tamper, |out, _| {
                out.frame.extend_from_slice(&[0; 4]);
                out.fit();
            })
        }),
    },
    Fault {
        name: "answers-with-a-code",
        does: "Has the return code 1 behind every answer.",
        hurts: "Windows clients: they take a granted request for a refused one.",
        caught_by: &["ndr/response/return-code"],
        install: Install::Pdus(|tamper, _| {
            on_answer(tamper, |out, _| {
                let at = out.frame.len() - 4;
                out.put(at, &1_u32.to_le_bytes());
            })
        }),
    },
    Fault {
        name: "points-in-refusals",
        does: "Has a pointer that is not null in a refusal in NDR32, and nothing behind it.",
        hurts: "Windows clients: their runtime looks for bytes that are not there.",
        caught_by: &["ndr/response/well-formed"],
        install: Install::Pdus(|tamper, _| on_refusal(tamper, 12, |out| out.put(at::STUB + 4, &[4, 0, 2, 0]))),
    },
    Fault {
        name: "pads-refusals",
        does: "Has four bytes after the code of a refusal in NDR32.",
        hurts: "Clients that read a refusal to its end: there is more than there should be.",
        caught_by: &["ndr/refusal/ndr32#length"],
        install: Install::Pdus(|tamper, _| {
            on_refusal(tamper, 12, |out| {
                out.frame.extend_from_slice(&[0; 4]);
                out.fit();
            });
        }),
    },
    Fault {
        name: "refuses-in-the-other-syntax",
        does: "Lays out a refusal in NDR64 as one in NDR32.",
        hurts: "Windows clients of 64 bits: their runtime cannot read the code.",
        caught_by: &["ndr/refusal/ndr64#length"],
        install: Install::Pdus(|tamper, _| {
            on_refusal(tamper, 20, |out| {
                out.frame.drain(at::STUB..at::STUB + 8);
                out.fit();
            })
        }),
    },
    Fault {
        name: "answers-in-the-other-syntax",
        does: "Lays out an answer in NDR64 as one in NDR32.",
        hurts: "Windows clients of 64 bits: their runtime cannot read the answer.",
        caught_by: &["ndr/answer/ndr64#code"],
        install: Install::Pdus(|tamper, _| {
            on_answer(tamper, |out, ndr64| {
                if ndr64 {
                    lay_out_as_ndr32(out);
                }
            })
        }),
    },
    Fault {
        name: "aligns-answers-to-eight",
        does: "Aligns the return code of an answer to eight bytes.",
        hurts: "Windows clients: their runtime reads padding for the code.",
        caught_by: &["ndr/answer/ndr32#length"],
        install: Install::Pdus(|tamper, _| {
            on_answer(tamper, |out, ndr64| {
                if !ndr64 {
                    let at = out.frame.len() - 4;
                    out.frame.splice(at..at, [0; 4]);
                    out.fit();
                }
            })
        }),
    },
];

/// Requests whose stub, in NDR32, is shorter than its count says.
fn on_short(tamper: &mut Tamper, change: impl Fn(&mut Incoming<'_>) + Send + 'static) {
    tamper.on_way_in_of(Ptype::REQUEST, move |incoming| {
        let (size, count) = (incoming.word(at::STUB), incoming.word(at::STUB + 4));
        let is_whole = incoming.flags().has(Flags::WHOLE) && incoming.frame.len() >= at::STUB + 8;
        if is_whole && size == count && size < 4096 && incoming.frame.len() < at::STUB + 8 + size as usize {
            change(incoming);
        }
    });
}

/// Responses in one piece with an answer in them, and whether they are in NDR64.
pub fn on_answer(tamper: &mut Tamper, change: impl Fn(&mut Outgoing<'_>, bool) + Send + 'static) {
    tamper.on_way_out_of(Ptype::RESPONSE, move |out| {
        let size = out.word(at::STUB);
        if size != 0 && out.flags().has(Flags::WHOLE) {
            let ndr64 = out.word(at::STUB + 4) == 0 && out.word(at::STUB + 16) == size;
            change(out, ndr64);
        }
    });
}

/// Responses of so many stub bytes without an answer in them.
pub fn on_refusal(tamper: &mut Tamper, len: usize, change: impl Fn(&mut Outgoing<'_>) + Send + 'static) {
    tamper.on_way_out_of(Ptype::RESPONSE, move |out| {
        if out.word(at::STUB) == 0 && out.frame.len() == at::STUB + len {
            change(out);
        }
    });
}
