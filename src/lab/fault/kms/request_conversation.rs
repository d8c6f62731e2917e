//! Faults of what one request has to do with another (protocol description, sections 3 to 5).

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::lab::fault::ndr::ndr32::on_refusal;
use crate::lab::fault::{Fault, Install};
use crate::lab::rules::Rule;
use crate::lab::tamper::{End, Fields};
use crate::wire::kms::ProtocolVersion;
use crate::wire::rpc::{Ptype, at};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "closes-after-refusals",
        does: "Closes the connection after every refusal.",
        hurts: "Clients that ask for a second product on the same connection: they have to begin again.",
        caught_by: &["kms/policy/open-after-refusal#reply"],
        install: Install::Pdus(|tamper, _| {
            on_refusal(tamper, 12, |out| out.end = Some(End::Finish));
            on_refusal(tamper, 20, |out| out.end = Some(End::Finish));
        }),
    },
    Fault {
        name: "keeps-refused-ids",
        does: "Answers whoever comes after a refused client with the client machine id of that one.",
        hurts: "That client: it cannot trust the answer, and shows 0x8007000D.",
        caught_by: &["kms/request/alternating#code", "kms/request/alternating-ndr64#code"],
        install: Install::Answers(|host, _| {
            let refused = Arc::new(Mutex::new(None));
            let kept = Arc::clone(&refused);
            host.rule(Rule::Product, move |asked, honest| {
                if let (Err(_), Ok(mut kept)) = (honest, kept.lock()) {
                    *kept = Some(asked.request.cmid);
                }
                honest
            });
            host.write(move |response| {
                if let Some(id) = refused.lock().ok().and_then(|mut refused| refused.take()) {
                    response.cmid = id;
                }
            });
        }),
    },
    Fault {
        name: "keeps-answers-of-v4",
        does: "Answers a V4 request that it had before, byte for byte, with what it told then.",
        hurts: "Clients that ask again: they are told the count of their first time, and are not activated.",
        caught_by: &["kms/request/replay#count"],
        install: Install::Answers(|host, _| {
            let mut answers = HashMap::<Vec<u8>, Vec<u8>>::new();
            host.encode(move |request, body| {
                if answers.len() > REMEMBERED_MAX {
                    answers.clear();
                }
                if request.version == ProtocolVersion::V4 {
                    let before = answers.entry(request.encode().to_vec()).or_insert_with(|| body.clone());
                    body.clone_from(before);
                }
            });
        }),
    },
    Fault {
        name: "mixes-up-one-in-forty",
        does: "Answers one client in forty with the client time of the one before it.",
        hurts: "That client: the answer is for another request, and it shows 0x8007000D.",
        caught_by: &["kms/response/client-time"],
        install: Install::Answers(|host, lots| {
            let (mut lot, mut before) = (lots.one_in(40), None);
            host.write(move |response| {
                let time = response.client_time;
                if let Some(before) = before.replace(time).filter(|_| lot()) {
                    response.client_time = before;
                }
            });
        }),
    },
    Fault {
        name: "repeats-itself-in-ndr64",
        does: "Answers a second call of a connection in NDR64 with what it answered the first.",
        hurts: "A client that asks for two products in NDR64: the second answer is for another request, and it shows 0x8007000D.",
        caught_by: &["kms/request/one-connection#code"],
        install: Install::Pdus(|tamper, _| {
            let mut answers = HashMap::<u64, Vec<u8>>::new();
            tamper.on_way_out_of(Ptype::RESPONSE, move |out| {
                // The pointer of NDR64 is a word further on than that of NDR32.
                if out.word(at::STUB + 8) != REFERENT {
                    return;
                }
                if answers.len() > REMEMBERED_MAX {
                    answers.clear();
                }
                let first = answers.entry(out.scene.number).or_insert_with(|| out.frame.clone()).clone();
                let call_id = out.word(at::CALL_ID);
                out.frame = first;
                out.set_call_id(call_id);
            });
        }),
    },
    Fault {
        name: "keeps-times-across-versions",
        does: "Answers a client with the client time of the one before it, when that was another and asked in another version.",
        hurts: "Clients of a network with old and new Windows: they cannot trust the answer, and show 0x8007000D.",
        caught_by: &["kms/request/one-connection#code"],
        install: Install::Answers(|host, _| {
            let mut before = None;
            host.write(move |response| {
                let this = (response.version, response.cmid, response.client_time);
                let is_other = |before: &(_, _, _)| before.0 != response.version && before.1 != response.cmid;
                if let Some((_, _, time)) = before.replace(this).filter(is_other) {
                    response.client_time = time;
                }
            });
        }),
    },
];

const REMEMBERED_MAX: usize = 1000;
/// The referent id of an honest host's pointers.
const REFERENT: u32 = crate::wire::ndr::REFERENT as u32;
