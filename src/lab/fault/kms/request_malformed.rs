//! Faults of what a host makes of requests that are not in order, and of those that only seem so.

use crate::crypto::envelope;
use crate::lab::fault::{Fault, Install};
use crate::lab::tamper::{Fate, Fields, Tamper};
use crate::proto::sealing;
use crate::wire::kms::{
    ActivationRequest, Envelope, ProtocolVersion, REQUEST_LEN, SEALED_HEAD_LEN, SEALED_REQUEST_LEN, V4_REQUEST_LEN,
};
use crate::wire::rpc::{Ptype, at};
use crate::wire::{Guid, Hresult};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "dies-of-bad-padding",
        does: "Crashes on a body that decrypts well to its last block, whose padding is wrong.",
        hurts: "Everybody: one such request, and nobody is served any more.",
        caught_by: &["kms/request/padding#liveness"],
        install: Install::Pdus(|tamper, _| {
            dies(tamper, |heard| heard.is_right_inside() && heard.has_padding() == Some(false));
        }),
    },
    Fault {
        name: "dies-of-bad-padding-in-v5",
        does: "Crashes on a V5 body that decrypts well to its last block, whose padding is wrong.",
        hurts: "Everybody: one such request, and nobody is served any more.",
        caught_by: &["kms/request/padding#liveness"],
        install: Install::Pdus(|tamper, _| {
            dies(tamper, |heard| {
                heard.payload.get(2) == Some(&5) && heard.is_right_inside() && heard.has_padding() == Some(false)
            });
        }),
    },
    Fault {
        name: "dies-of-garbage",
        does: "Crashes on a body that does not decrypt to anything.",
        hurts: "Everybody: one client with another key, and nobody is served any more.",
        caught_by: &["kms/request/other-cipher#liveness"],
        install: Install::Pdus(|tamper, _| {
            dies(tamper, |heard| {
                heard.payload.len() == SEALED_REQUEST_LEN
                    && heard.has_padding() == Some(false)
                    && heard.plaintext.get(..2).is_some_and(|minor| minor != [0, 0])
            });
        }),
    },
    Fault {
        name: "dies-of-inner-version",
        does: "Crashes on a version inside the encryption that is not the one outside.",
        hurts: "Everybody: one such request, and nobody is served any more.",
        caught_by: &["kms/request/inner-version#liveness"],
        install: Install::Pdus(|tamper, _| {
            dies(tamper, |heard| heard.has_padding() == Some(true) && !heard.is_right_inside());
        }),
    },
    Fault {
        name: "dies-of-long-bodies",
        does: "Crashes on a body that is longer than a request is.",
        hurts: "Everybody: one such request, and nobody is served any more.",
        caught_by: &["kms/request/longer#liveness"],
        install: Install::Pdus(|tamper, _| dies(tamper, |heard| heard.plaintext.len() > REQUEST_LEN + 16)),
    },
    Fault {
        name: "dies-of-long-names",
        does: "Crashes on a machine name that has no NUL.",
        hurts: "Everybody: one machine with such a name, and nobody is served any more.",
        caught_by: &["kms/request/unterminated-name#liveness"],
        install: Install::Pdus(|tamper, _| {
            dies(tamper, |heard| heard.in_order().is_some_and(|request| !request.workstation.units().contains(&0)));
        }),
    },
    Fault {
        name: "dies-of-minor-versions-inside",
        does: "Crashes on a minor version inside the encryption that is not the one outside.",
        hurts: "Everybody: one such request, and nobody is served any more.",
        caught_by: &["kms/request/inner-version#liveness"],
        install: Install::Pdus(|tamper, _| {
            dies(tamper, |heard| {
                heard.has_padding() == Some(true)
                    && heard.plaintext.get(2..4) == heard.payload.get(2..4)
                    && !heard.is_right_inside()
            });
        }),
    },
    Fault {
        name: "dies-of-nil-cmid",
        does: "Crashes on a client machine id of zeros.",
        hurts: "Everybody: one such machine, and nobody is served any more.",
        caught_by: &["kms/request/nil-cmid#liveness"],
        install: Install::Pdus(|tamper, _| {
            dies(tamper, |heard| heard.in_order().is_some_and(|request| request.cmid == Guid::NIL));
        }),
    },
    Fault {
        name: "dies-of-partial-blocks",
        does: "Crashes on a ciphertext longer than a request's that is no whole number of blocks.",
        hurts: "Everybody: one such request, and nobody is served any more.",
        caught_by: &["kms/request/partial-block#liveness"],
        install: Install::Pdus(|tamper, _| {
            dies(tamper, |heard| {
                heard.payload.len() > SEALED_REQUEST_LEN && heard.is_sealed && heard.plaintext.is_empty()
            });
        }),
    },
    Fault {
        name: "dies-of-unknown-application",
        does: "Crashes on an application it does not know, where it looks it up.",
        hurts: "Everybody: one bit that is wrong on the way, and nobody is served any more.",
        caught_by: &["kms/request/corrupted-block#liveness"],
        install: Install::Pdus(|tamper, _| {
            dies(tamper, |heard| {
                heard
                    .in_order()
                    .is_some_and(|request| crate::catalog::Application::from_guid(request.application_id).is_none())
            });
        }),
    },
    Fault {
        name: "dies-of-unknown-status",
        does: "Crashes on a license status it has no name for.",
        hurts: "Everybody: one such machine, and nobody is served any more.",
        caught_by: &["kms/request/unknown-license-status#liveness"],
        install: Install::Pdus(|tamper, _| {
            dies(tamper, |heard| heard.in_order().is_some_and(|request| request.license_status.0 > 6));
        }),
    },
    Fault {
        name: "dies-of-wrong-macs",
        does: "Crashes on a V4 request whose MAC is wrong.",
        hurts: "Everybody: one such request, and nobody is served any more.",
        caught_by: &["kms/request/v4-mac#liveness"],
        install: Install::Pdus(|tamper, _| {
            dies(tamper, |heard| {
                heard.payload.len() == V4_REQUEST_LEN
                    && matches!(Envelope::decode(&heard.payload), Ok(Envelope::Mac { body, mac })
                        if mac != crate::crypto::mac::v4(body))
            });
        }),
    },
    Fault {
        name: "dies-of-zero-n",
        does: "Crashes on an N policy of 0, which it divides by.",
        hurts: "Everybody: one such request, and nobody is served any more.",
        caught_by: &["kms/policy/zero-n#liveness"],
        install: Install::Pdus(|tamper, _| {
            dies(tamper, |heard| heard.in_order().is_some_and(|request| request.n_policy == 0));
        }),
    },
    Fault {
        name: "ignores-malformed-requests",
        does: "Says nothing to a request it cannot read, and keeps the connection open.",
        hurts: "Whoever sent it: it waits until its time is up, and learns nothing.",
        caught_by: &["kms/request/malformed-answered#closing", "kms/request/unknown-version#closing"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_out_of(Ptype::RESPONSE, |out| {
                let code = out.frame.last_chunk().map(|code| u32::from_le_bytes(*code));
                // A refusal's stub is three words in NDR32, and five in NDR64.
                if code == Some(Hresult::INVALID_DATA.0) && out.frame.len() <= at::STUB + 20 {
                    out.frame.clear();
                }
            });
        }),
    },
    Fault {
        name: "reads-short-sealed-bodies",
        does: "Takes what is missing at the end of a V5 or V6 request for zeros.",
        hurts: "A client whose request was cut off: it is counted and granted under half a name.",
        caught_by: &["kms/request/short-v5#code", "kms/request/short-v6#code", "kms/request/short-body#code"],
        install: Install::Answers(|host, _| {
            host.hear(|payload| {
                let is_short = (SEALED_HEAD_LEN + 16..SEALED_REQUEST_LEN).contains(&payload.len());
                let known = [ProtocolVersion::V5, ProtocolVersion::V6];
                let version = known.into_iter().find(|version| payload.starts_with(&version.to_wire()));
                let (true, Some(version)) = (is_short, version) else { return };
                let mut iv = [0; 16];
                iv.copy_from_slice(&payload[4..SEALED_HEAD_LEN]);
                let whole = payload.len() - (payload.len() - SEALED_HEAD_LEN) % 16;
                let mut body = Vec::with_capacity(payload.len());
                if envelope::open(sealing(version), &iv, &payload[SEALED_HEAD_LEN..whole], &mut body).is_ok() {
                    body.resize(REQUEST_LEN, 0);
                    payload.clear();
                    envelope::seal_request(sealing(version), &body, &iv, payload);
                }
            });
        }),
    },
    Fault {
        name: "fills-short-requests",
        does: "Takes what is missing at the end of a request from the one before, which its buffer still has.",
        hurts: "A client whose request was cut off: it is granted what another asked.",
        caught_by: &["kms/request/short-v6#code", "kms/request/short-v4#code"],
        install: Install::Answers(|host, _| {
            let mut last = Vec::new();
            host.hear(move |payload| {
                let is_short = payload.len() > REQUEST_LEN && payload.len() < last.len() && last.starts_with(payload);
                match is_short {
                    true => payload.clone_from(&last),
                    false => last.clone_from(payload),
                }
            });
        }),
    },
    Fault {
        name: "reads-versions-either-way",
        does: "Takes the halves of a version that stand in each other's place for right.",
        hurts: "Whoever tests with it: a request that no client can send is granted.",
        caught_by: &["kms/request/minor-version#code"],
        install: Install::Answers(|host, _| {
            host.hear(|payload| {
                if let [4..=6, 0, 0, 0, ..] = payload[..] {
                    payload[..4].rotate_left(2);
                }
            });
        }),
    },
    Fault {
        name: "reads-short-v4-bodies",
        does: "Takes what is missing at the end of a V4 request for zeros, and does not look at its MAC then.",
        hurts: "A client whose request was cut off: it is counted and granted under half a name.",
        caught_by: &["kms/request/short-v4#code"],
        install: Install::Answers(|host, _| {
            host.hear(|payload| {
                if payload.starts_with(&ProtocolVersion::V4.to_wire()) && payload.len() < V4_REQUEST_LEN {
                    let mut body = std::mem::take(payload);
                    body.resize(REQUEST_LEN, 0);
                    envelope::seal_request_v4(&body, payload);
                }
            });
        }),
    },
];

/// A request as whoever crashes on it reads it.
struct HeardRequest {
    payload: Vec<u8>,
    /// The body; of V5 and V6 with its padding; nothing, where it cannot be decrypted.
    plaintext: Vec<u8>,
    is_sealed: bool,
}

impl HeardRequest {
    fn of(frame: &mut impl Fields) -> Option<HeardRequest> {
        let size = frame.word(at::STUB) as usize;
        // In NDR64 the size is eight bytes, and so is the count. What contradicts itself is no request.
        let at = at::STUB
            + match (frame.word(at::STUB + 4) as usize == size, frame.word(at::STUB + 8) as usize == size) {
                (true, _) => 8,
                (false, true) => 16,
                (false, false) => return None,
            };
        let payload = frame.frame().get(at..at + size)?.to_vec();
        let is_sealed = payload.get(2).is_some_and(|major| matches!(major, 5 | 6));
        let mut plaintext = Vec::new();
        match Envelope::decode(&payload) {
            Ok(Envelope::Mac { body, .. }) => plaintext.extend_from_slice(body),
            Ok(Envelope::Sealed { version, iv, ciphertext }) => {
                envelope::open(sealing(version), &iv, ciphertext, &mut plaintext).ok()?;
            }
            // Nothing can be read of it.
            Err(_) => {}
        }
        Some(HeardRequest { payload, plaintext, is_sealed })
    }

    /// Whether its padding is right; a V4 request has none.
    fn has_padding(&self) -> Option<bool> {
        (self.is_sealed && self.plaintext.len() == SEALED_REQUEST_LEN - SEALED_HEAD_LEN)
            .then(|| self.plaintext[REQUEST_LEN..].iter().all(|byte| *byte == 4))
    }

    /// Whether the version inside is the one outside.
    fn is_right_inside(&self) -> bool {
        self.plaintext.get(..4) == self.payload.get(..4)
    }

    /// The request, if nothing is wrong with its envelope.
    fn in_order(&self) -> Option<ActivationRequest> {
        let body = self.plaintext.get(..REQUEST_LEN)?;
        (self.is_right_inside() && self.has_padding() != Some(false))
            .then(|| ActivationRequest::decode(body).ok())
            .flatten()
    }
}

/// The host is gone, for good, when such a request comes.
fn dies(tamper: &mut Tamper, is_fatal: fn(&HeardRequest) -> bool) {
    tamper.on_way_in_of(Ptype::REQUEST, move |incoming| {
        if HeardRequest::of(incoming).is_some_and(|heard| is_fatal(&heard)) {
            incoming.fate = Fate::Kills;
        }
    });
}
