//! Faults of what stands in an answer (protocol description, section 3).

use crate::lab::fault::{Fault, Install};
use crate::wire::Guid;
use crate::wire::kms::{EpidText, ProtocolVersion};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "answers-another-machine",
        does: "Answers a V5 request with a client machine id that is one bit off.",
        hurts: "Windows 8 and Office 2013 clients: the answer is for another machine, and they show 0x8007000D.",
        caught_by: &["kms/response/cmid", "kms/request/v5#code"],
        install: Install::Answers(|host, _| {
            host.write(|response| {
                if response.version == ProtocolVersion::V5 {
                    response.cmid = Guid::from_u128(response.cmid.as_u128() ^ 1);
                }
            });
        }),
    },
    Fault {
        name: "counts-nobody-in-v4",
        does: "Tells V4 clients a count of 0.",
        hurts: "Windows Vista to 7 and Office 2010: none is ever activated.",
        caught_by: &["kms/response/count", "kms/policy/versions-agree#count"],
        install: Install::Answers(|host, _| {
            host.write(|response| {
                if response.version == ProtocolVersion::V4 {
                    response.count = 0;
                }
            });
        }),
    },
    Fault {
        name: "draws-epid-anew",
        does: "Draws another ePID for every answer.",
        hurts: "The admin who looks in the clients' event logs for the host that activated them.",
        caught_by: &["kms/history/epid-stable", "kms/policy/versions-agree#epid"],
        install: Install::Answers(|host, _| {
            let mut drawn = 0;
            host.write(move |response| {
                drawn = (drawn + 1) % 1_000_000;
                let epid = format!("03612-00000-000-{drawn:06}-03-1033-20348.0000-0012026");
                response.epid = EpidText::new(&epid).unwrap_or_default();
            });
        }),
    },
    Fault {
        name: "ends-epid-without-nul",
        does: "Leaves the NUL of its ePID out in V4 answers.",
        hurts: "Windows Vista to 7 and Office 2010: they read on into what follows, or throw the answer away.",
        caught_by: &["kms/response/epid-length", "kms/request/v4#code"],
        install: Install::Answers(|host, _| {
            host.encode(|request, body| {
                if request.version == ProtocolVersion::V4 {
                    let size = epid_size(body);
                    body.drain(EPID_AT + size - 2..EPID_AT + size);
                    set_epid_size(body, size as u32 - 2);
                }
            });
        }),
    },
    Fault {
        name: "ends-epid-twice",
        does: "Has a NUL in the middle of its ePID in V4 answers.",
        hurts: "The admin: half of the ePID is missing wherever it is shown.",
        caught_by: &["kms/response/epid-length", "kms/request/v4#code"],
        install: Install::Answers(|host, _| {
            host.encode(|request, body| {
                if request.version == ProtocolVersion::V4 {
                    body[EPID_AT + 10..EPID_AT + 12].fill(0);
                }
            });
        }),
    },
    Fault {
        name: "forgets-a-client-now-and-then",
        does: "Tells every third client a count that is one too low.",
        hurts: "The machine that completes the threshold: whether it is activated is a matter of luck.",
        caught_by: &["kms/history/count-not-falling", "kms/policy/new-client#count"],
        install: Install::Answers(|host, _| {
            let mut turn = 0;
            host.tell(move |_, count| {
                turn = (turn + 1) % 3;
                if turn == 0 { count.saturating_sub(1).max(1) } else { count }
            });
        }),
    },
    Fault {
        name: "has-an-odd-epid",
        does: "Says that its ePID is one byte longer than it is, in V4 answers.",
        hurts: "Windows Vista to 7 and Office 2010: every field after it is one byte off.",
        caught_by: &["kms/response/epid-length", "kms/request/v4#code"],
        install: Install::Answers(|host, _| {
            host.encode(|request, body| {
                if request.version == ProtocolVersion::V4 {
                    let size = epid_size(body);
                    set_epid_size(body, size as u32 + 1);
                }
            });
        }),
    },
    Fault {
        name: "has-too-long-an-epid",
        does: "Has an ePID of 65 characters and its NUL in V4 answers, where 63 have room.",
        hurts: "Windows Vista to 7 and Office 2010: they throw the answer away, or write over what is not the ePID's.",
        caught_by: &["kms/response/epid-length", "kms/request/v4#code"],
        install: Install::Answers(|host, _| {
            host.encode(|request, body| {
                if request.version == ProtocolVersion::V4 {
                    let size = epid_size(body);
                    let more = (EPID_SIZE_TOO_LONG - size) / 2;
                    body.splice(EPID_AT..EPID_AT, std::iter::repeat_n([b'0', 0], more).flatten());
                    set_epid_size(body, EPID_SIZE_TOO_LONG as u32);
                }
            });
        }),
    },
    Fault {
        name: "keeps-the-last-version",
        does: "Names in its answer the version of the request before.",
        hurts: "Clients of one version that come after one of another: they cannot trust the answer.",
        caught_by: &["kms/response/version", "kms/request/versions-mixed#code"],
        install: Install::Answers(|host, _| {
            let mut last = ProtocolVersion::V6;
            host.write(move |response| std::mem::swap(&mut last, &mut response.version));
        }),
    },
    Fault {
        name: "leaves-out-renewal-interval",
        does: "Ends a V4 answer before its renewal interval.",
        hurts: "Windows Vista to 7 and Office 2010: the answer is too short, and they show 0x8007000D.",
        caught_by: &["kms/response/body", "kms/request/v4#code"],
        install: Install::Answers(|host, _| {
            host.encode(|request, body| {
                if request.version == ProtocolVersion::V4 {
                    body.truncate(body.len() - 4);
                }
            });
        }),
    },
    Fault {
        name: "moves-client-time-on",
        does: "Answers a V5 request with a client time one step of 100 ns later.",
        hurts: "Windows 8 and Office 2013 clients: the answer is for another request, and they show 0x8007000D.",
        caught_by: &["kms/response/client-time", "kms/request/v5#code"],
        install: Install::Answers(|host, _| {
            host.write(|response| {
                if response.version == ProtocolVersion::V5 {
                    response.client_time.0 += 1;
                }
            });
        }),
    },
    Fault {
        name: "tells-v4-other-intervals",
        does: "Tells V4 clients to renew after a day, and all others after a week.",
        hurts: "The admin who set one interval: half of the network keeps to another.",
        caught_by: &["kms/policy/versions-agree#intervals"],
        install: Install::Answers(|host, _| {
            host.write(|response| {
                if response.version == ProtocolVersion::V4 {
                    response.renewal_interval_min = 24 * 60;
                }
            });
        }),
    },
];

fn epid_size(body: &[u8]) -> usize {
    body.get(EPID_SIZE_AT..EPID_AT)
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, |bytes| u32::from_le_bytes(bytes) as usize)
}

fn set_epid_size(body: &mut [u8], size: u32) {
    body[EPID_SIZE_AT..EPID_AT].copy_from_slice(&size.to_le_bytes());
}

/// Where the size of the ePID stands in an answer's body.
const EPID_SIZE_AT: usize = 4;
/// Where the ePID begins.
const EPID_AT: usize = 8;
/// Two characters more than the field has room for, in bytes with the NUL.
const EPID_SIZE_TOO_LONG: usize = 132;
