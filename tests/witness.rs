//! The witness: it concludes what the client's own machine would have, from both
//! sides of a conversation, however the bytes come and whatever they are.

mod support;

use kmsproof::proto::verify::CheckId;
use kmsproof::proto::{
    FailureKind, Moment, Sender, Unheard, Verdict, Witness, WitnessConfig, WitnessEvent, WitnessedExchange,
};
use kmsproof::wire::Hresult;
use kmsproof::wire::rpc::{
    Bind, BindNak, Body, ContextElement, Fault, FaultStatus, Flags, Pdu, RejectReason, Request, Response, SyntaxId,
    TransferSyntax, fragments,
};
use proptest::prelude::*;
use support::cases::config;
use support::vectors::{exchanges, said};

#[test]
fn every_recorded_exchange_is_understood_and_holds() {
    for exchange in exchanges() {
        let (name, pdus) = (&exchange.name, exchange.said());
        let events = watch(WitnessConfig { port: Some(16880), ..WitnessConfig::default() }, &pdus);
        let calls = pdus.iter().filter(|(_, bytes)| bytes[2] == 0).count();
        let seen = answered(&events);
        assert_eq!(seen.len(), calls, "{name}");
        for exchange in seen {
            assert_eq!(exchange.answer.checks.findings, [], "{name}");
            assert_eq!(exchange.request.is_ok(), !name.starts_with("v7"), "{name}");
            let wire = exchange.outcome.unwrap().wire.unwrap();
            match name.split_once("-0x") {
                Some((_, code)) => assert_eq!(wire, code.parse().unwrap(), "{name}"),
                None => assert_eq!(wire, Hresult::OK, "{name}"),
            }
        }
    }
}

#[test]
fn a_tampered_answer_is_not_trusted() {
    let mut pdus = said("v6-ndr32+ndr64-ok");
    let (_, last) = pdus.last_mut().unwrap();
    let at = last.len() - 40;
    last[at] ^= 1;
    let events = watch(WitnessConfig::default(), &pdus);
    let answers = answered(&events);
    assert_eq!(answers[0].outcome.unwrap().verdict, Verdict::Activated);
    assert_eq!(answers[1].outcome.unwrap().verdict, Verdict::Refused(Hresult::INVALID_DATA));
    assert!(answers[1].answer.checks.failed.has(CheckId::V6Hmac));
    assert_eq!(answers[1].syntax, Some(TransferSyntax::Ndr64));
}

#[test]
fn without_a_bind_the_syntax_is_the_one_that_makes_sense() {
    for (name, at, syntax) in
        [("v6-ndr32-ok", 2, TransferSyntax::Ndr32), ("v5-ndr32+ndr64-ok", 6, TransferSyntax::Ndr64)]
    {
        let pdus = said(name);
        let events = watch(WitnessConfig::default(), &pdus[at..]);
        let answers = answered(&events);
        assert!(answers.iter().all(|exchange| exchange.guessed && exchange.syntax == Some(syntax)), "{name}");
        assert!(answers.iter().all(|exchange| exchange.answer.checks.findings.is_empty()), "{name}");
        assert_eq!(answers[0].outcome.unwrap().verdict, Verdict::Activated);

        // The answer alone: it is shown, and held against nothing.
        let events = watch(WitnessConfig::default(), &pdus[at + 1..]);
        let answer = answered(&events)[0];
        assert!(matches!(answer.request, Err(Unheard::Missed)));
        assert_eq!(answer.syntax, Some(syntax));
        assert!(answer.answer.response.is_some() && answer.outcome.is_none());
        assert!(!answer.answer.checks.done.has(CheckId::Cmid) && answer.answer.checks.is_clean());
    }
}

#[test]
fn calls_in_flight_are_told_apart_by_their_ids() {
    let pdus = said("v6-ndr32-ok");
    let [one, one_answer, two, two_answer] = [2, 3, 4, 5].map(|at| pdus[at].clone());
    let mixed = [&pdus[..2], &[one, two, two_answer, one_answer]].concat();
    let events = watch(WitnessConfig::default(), &mixed);
    let answers = answered(&events);
    assert_eq!(answers.iter().map(|exchange| exchange.call_id).collect::<Vec<_>>(), [3, 2]);
    assert!(answers.iter().all(|exchange| exchange.answer.checks.findings.is_empty()));
}

#[test]
fn fragments_of_both_sides_are_joined() {
    let mut pdus = said("v6-ndr32-ok");
    let cut: Vec<_> = pdus.drain(2..).flat_map(|(sender, frame)| in_fragments(sender, &frame, 100)).collect();
    pdus.extend(cut);
    let events = watch(WitnessConfig::default(), &pdus);
    let answers = answered(&events);
    assert_eq!(answers.len(), 2);
    for exchange in answers {
        assert_eq!(exchange.answer.checks.findings, []);
        assert_eq!(exchange.outcome.unwrap().verdict, Verdict::Activated);
        assert_eq!(exchange.joined.as_ref().map(Vec::len), Some(276));
    }
}

#[test]
fn another_call_id_is_a_wrong_answer_and_an_answer_too_many_is_unasked() {
    let mut pdus = said("v6-ndr32-ok");
    pdus[3].1[12] = 9;
    let again = pdus[5].clone();
    pdus.push(again);
    let events = watch(WitnessConfig::default(), &pdus);
    let answers = answered(&events);
    assert_eq!(answers[0].answer.failure.as_ref().unwrap().kind, FailureKind::WrongCall { expected: 2, got: 9 });
    assert!(answers[0].answer.checks.failed.has(CheckId::HeaderCallId));
    assert_eq!(answers[1].answer.checks.findings, []);
    let WitnessEvent::Failed { checks, .. } = events.last().unwrap() else { panic!("{events:?}") };
    assert!(checks.failed.has(CheckId::NothingUnasked) && checks.failed.has(CheckId::ExpectedKind));

    // Where bytes are missing, so may be the requests these belong to.
    let events = watch(WitnessConfig { whole: false, ..WitnessConfig::default() }, &pdus);
    let missed = answered(&events).iter().filter(|exchange| matches!(exchange.request, Err(Unheard::Missed))).count();
    assert_eq!(missed, 2);
    assert!(answered(&events).iter().all(|exchange| exchange.answer.checks.is_clean()));
}

#[test]
fn a_fault_is_a_finding_unless_it_was_asked_for() {
    let pdus = said("v6-ndr32-ok");
    let fault = |status| {
        let fault = Fault { alloc_hint: 32, context_id: 0, cancel_count: 0, status, stub: &[] };
        (Sender::Host, Pdu::whole(2, Body::Fault(fault)).encode().unwrap())
    };
    let denied = [&pdus[..3], &[fault(FaultStatus::ACCESS_DENIED)]].concat();
    let events = watch(WitnessConfig::default(), &denied);
    let answer = answered(&events)[0];
    assert!(answer.answer.checks.failed.has(CheckId::NoFault));
    assert_eq!(answer.outcome.unwrap().verdict, Verdict::Refused(Hresult::BINDING_SERVICE_UNAVAILABLE));

    let mut out_of_range = denied.clone();
    out_of_range[2].1[22] = 7;
    out_of_range[3] = fault(FaultStatus::OP_RANGE_ERROR);
    let events = watch(WitnessConfig::default(), &out_of_range);
    let answer = answered(&events)[0];
    assert!(matches!(answer.request, Err(Unheard::Opnum(7))));
    assert_eq!(answer.answer.checks.findings, []);
    assert!(answer.outcome.is_none());
}

#[test]
fn a_bind_refused_is_a_finding_and_one_for_another_interface_is_not() {
    let nak = BindNak { reason: RejectReason::TEMPORARY_CONGESTION, versions: vec![(5, 0)], trailer: vec![0; 3] };
    let nak = (Sender::Host, Pdu::whole(2, Body::BindNak(nak)).encode().unwrap());
    let pdus = said("v6-ndr32-ok");
    let events = watch(WitnessConfig::default(), &[pdus[0].clone(), nak]);
    let WitnessEvent::Failed { checks, .. } = events.last().unwrap() else { panic!("{events:?}") };
    assert!(checks.failed.has(CheckId::BindAccepted));

    let other = SyntaxId { version: 3, ..SyntaxId::KMS };
    let contexts = vec![ContextElement { id: 0, interface: other, transfer: vec![SyntaxId::NDR32] }];
    let bind = Bind { max_xmit_frag: 5840, max_recv_frag: 5840, assoc_group: 0, contexts };
    let flags = Flags::WHOLE.with(Flags::CONC_MPX);
    let bind = Pdu { flags, ..Pdu::whole(2, Body::Bind(bind)) }.encode().unwrap();
    let foreign = [&[(Sender::Client, bind)], &pdus[1..4]].concat();
    let events = watch(WitnessConfig::default(), &foreign);
    let answer = answered(&events)[0];
    assert_eq!(answer.request.as_ref().unwrap_err(), &Unheard::Foreign(other));
    assert!(answer.answer.checks.is_clean() && answer.answer.wire.is_none());
}

#[test]
fn what_never_came_is_not_held_against_the_host() {
    let pdus = said("v6-ndr32-ok");
    let events = watch(WitnessConfig::default(), &pdus[..3]);
    assert!(matches!(events.last(), Some(WitnessEvent::Unanswered { call_id: 2, .. })), "{events:?}");
    let mut cut = pdus[..4].to_vec();
    cut[3].1.truncate(77);
    let events = watch(WitnessConfig::default(), &cut);
    let WitnessEvent::Stray { total, cut_short, .. } = events.last().unwrap() else { panic!("{events:?}") };
    assert_eq!((*total, *cut_short), (77, true));
}

#[test]
fn a_host_that_is_no_rpc_server_is_told_by_its_voice() {
    let pdus = said("v6-ndr32-ok");
    let http = (Sender::Host, b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec());
    let events = watch(WitnessConfig::default(), &[pdus[0].clone(), http]);
    let failed = events.iter().find_map(|event| match event {
        WitnessEvent::Failed { failure, checks } => Some((failure.to_string(), checks)),
        _ => None,
    });
    let (message, checks) = failed.unwrap();
    assert_eq!(message, "this port speaks HTTP, not DCE/RPC");
    assert!(checks.failed.has(CheckId::HeaderVersion) && checks.failed.has(CheckId::WellFormed));
}

#[test]
fn a_recording_with_a_hole_is_picked_up_behind_it() {
    let mut pdus = said("v6-ndr32-ok");
    pdus[3].1.truncate(120);
    let events = watch(WitnessConfig { whole: false, ..WitnessConfig::default() }, &pdus);
    assert!(events.iter().any(|event| matches!(event, WitnessEvent::Stray { total: 120, cut_short: true, .. })));
    let answers = answered(&events);
    assert_eq!((answers.len(), answers[0].call_id), (1, 3));
    assert!(answers[0].answer.checks.findings.is_empty() && answers[0].request.is_ok());
}

#[test]
fn nothing_grows_without_a_bound() {
    let mut witness = Witness::new(WitnessConfig::default());
    let (mut unanswered, mut heard) = (0, 0);
    for call_id in 0..1000_u32 {
        for (flags, size) in
            [(Flags::FIRST, 60_000), (Flags(0), 60_000), (Flags(0), 60_000), (Flags(0), 60_000), (Flags(0), 60_000)]
        {
            let stub = vec![1; size];
            let request = Request { alloc_hint: 0, context_id: 0, opnum: 0, object: None, stub: &stub };
            let pdu = Pdu { flags, ..Pdu::whole(call_id, Body::Request(request)) }.encode().unwrap();
            witness.handle_bytes(Sender::Client, Moment::default(), &pdu);
        }
        while let Some(event) = witness.poll_event() {
            match event {
                WitnessEvent::Unanswered { .. } => unanswered += 1,
                WitnessEvent::Asked(asked) => {
                    heard += 1;
                    assert!(matches!(asked.request, Err(Unheard::Fragments(_))));
                }
                _ => {}
            }
        }
    }
    assert_eq!((unanswered, heard), (1000 - 64, 1000));
}

/// One of the recorded PDUs or any bytes, from either side.
fn utterances() -> impl Strategy<Value = Vec<(Sender, Vec<u8>)>> {
    let pdus: Vec<_> = exchanges().into_iter().flat_map(|exchange| exchange.said()).collect();
    let recorded = prop::sample::select(pdus);
    let damaged =
        (recorded.clone(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|((sender, mut pdu), at, byte)| {
            let at = at.index(pdu.len());
            pdu[at] = byte;
            (sender, pdu)
        });
    let side = prop_oneof![Just(Sender::Client), Just(Sender::Host)];
    let anything = (side.clone(), prop::collection::vec(any::<u8>(), 0..80));
    let nearly = (side, 0..20_u8, any::<u8>(), prop::collection::vec(any::<u8>(), 0..80)).prop_map(
        |(sender, ptype, flags, body)| {
            let len = (16 + body.len()) as u8;
            let header = [5, 0, ptype, flags, 0x10, 0, 0, 0, len, 0, 0, 0, 2, 0, 0, 0];
            (sender, [&header[..], &body].concat())
        },
    );
    prop::collection::vec(prop_oneof![8 => recorded, 4 => damaged, 4 => nearly, 1 => anything], 0..12)
}

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn no_bytes_are_too_much(said in utterances(), whole: bool) {
        watch(WitnessConfig { whole, ..WitnessConfig::default() }, &said);
    }

    #[test]
    fn pieces_make_no_difference(said in utterances(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 1..6)) {
        let config = WitnessConfig::default();
        let mut pieces = Vec::new();
        for (number, (sender, bytes)) in said.iter().enumerate() {
            let cut = cuts[number % cuts.len()].index(bytes.len() + 1);
            let (one, two) = bytes.split_at(cut);
            pieces.push((*sender, one.to_vec()));
            pieces.extend(two.iter().map(|byte| (*sender, vec![*byte])));
        }
        prop_assert_eq!(format!("{:?}", watch(config, &said)), format!("{:?}", watch(config, &pieces)));
    }

    /// A host that answers what was recorded, with one bit wrong: whatever the bit, nobody is
    /// activated by less than the machine count, and nothing wrong stays unfound if it is trusted.
    #[test]
    fn one_wrong_bit_in_an_answer_never_passes_for_right(which in 0..6_usize, at: prop::sample::Index, bit in 0..8_u8) {
        let name = ["v4-ndr32-ok", "v5-ndr32-ok", "v6-ndr32-ok", "v4-ndr32+ndr64-ok", "v5-ndr32+ndr64-ok", "v6-ndr32+ndr64-ok"][which];
        let mut pdus = said(name);
        let (_, last) = pdus.last_mut().unwrap();
        let at = at.index(last.len());
        last[at] ^= 1 << bit;
        let events = watch(WitnessConfig::default(), &pdus);
        let clean = answered(&events).iter().all(|exchange| exchange.answer.checks.findings.is_empty());
        let complete = answered(&events).len() == 2;
        // The referent id may be any number, and an allocation hint any that is not more than the stub.
        let free = (16..20).contains(&at) || (28..40).contains(&at);
        prop_assert!(free || !clean || !complete, "{} byte {}", name, at);
    }
}

fn watch(config: WitnessConfig, said: &[(Sender, Vec<u8>)]) -> Vec<WitnessEvent> {
    let mut witness = Witness::new(config);
    for (sender, bytes) in said {
        witness.handle_bytes(*sender, Moment::default(), bytes);
    }
    witness.handle_end();
    std::iter::from_fn(|| witness.poll_event()).collect()
}

fn answered(events: &[WitnessEvent]) -> Vec<&WitnessedExchange> {
    events
        .iter()
        .filter_map(|event| match event {
            WitnessEvent::Exchange(exchange) => Some(&**exchange),
            _ => None,
        })
        .collect()
}

fn in_fragments(sender: Sender, frame: &[u8], size: u16) -> Vec<(Sender, Vec<u8>)> {
    let pdu = Pdu::decode(frame).unwrap();
    let stub = pdu.body.stub().unwrap();
    fragments(stub, size)
        .map(|(flags, stub)| {
            let body = match &pdu.body {
                Body::Request(request) => Body::Request(Request { stub, ..request.clone() }),
                Body::Response(response) => Body::Response(Response { stub, ..response.clone() }),
                _ => unreachable!(),
            };
            let alloc_hint = stub.len() as u32;
            let body = match body {
                Body::Request(request) => Body::Request(Request { alloc_hint, ..request }),
                Body::Response(response) => Body::Response(Response { alloc_hint, ..response }),
                other => other,
            };
            (sender, Pdu { flags, body, ..Pdu::whole(pdu.call_id, Body::Shutdown) }.encode().unwrap())
        })
        .collect()
}
