//! Properties of every value and of any bytes: what is encoded decodes to
//! itself, what arrives is survived, and both machines understand each other
//! whatever the pieces.

mod support;

use std::sync::LazyLock;
use std::time::Duration;

use kmsproof::crypto::{SealV5, SealV6, Sealing, envelope};
use kmsproof::proto::{
    Ask, Association, AssociationConfig, FailureKind, HostAssociation, HostConfig, Offer, Outcome, Verdict,
};
use kmsproof::wire::kms::{
    ActivationRequest, ActivationResponse, EPID_SIZE_MAX, Envelope, Epid, EpidText, LicenseStatus, ProtocolVersion,
    REQUEST_LEN, WorkstationName, response_len,
};
use kmsproof::wire::ndr::{self, RequestStub, ResponseStub, response_padding};
use kmsproof::wire::rpc::{
    Assembler, Auth, Bind, BindAck, BindNak, Body, ContextElement, ContextResult, Fault, FaultStatus, Flags, Pdu,
    RejectReason, Request, Response, ResultCode, SyntaxId, TransferSyntax, fragments, in_other_order,
};
use kmsproof::wire::{FileTime, Guid, Hresult, Reader};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use support::cases::config;
use support::drive::{self, START, Seen, drain};
use support::vectors::Exchange;
use support::{fuzz_bodies, invariants, vectors};

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn every_pdu_decodes_to_itself_in_either_byte_order(parts in any_pdu()) {
        let pdu = parts.pdu();
        let frame = pdu.encode().unwrap();
        let swapped = big_endian(&pdu);
        for frame in [&frame, &swapped] {
            let decoded = Pdu::decode(frame);
            prop_assert_eq!(decoded.as_ref(), Ok(&pdu));
            fuzz_bodies::pdu(frame);
        }
    }

    #[test]
    fn the_other_byte_order_of_a_pdu_is_the_other_sender_s(parts in any_pdu()) {
        let pdu = parts.pdu();
        let (little, big) = (pdu.encode().unwrap(), big_endian(&pdu));
        let (to_big, to_little) = (in_other_order(&little), in_other_order(&big));
        prop_assert_eq!(to_big, Some(big));
        prop_assert_eq!(to_little, Some(little));
    }

    #[test]
    fn the_other_byte_order_of_a_stub_is_the_other_sender_s(
        payload in proptest::option::of(vec(any::<u8>(), 1..400)),
        code in any::<u32>(),
        syntax in select(&TransferSyntax::ALL[..]),
    ) {
        let code = Hresult(if payload.is_some() { 0 } else { code });
        let stub = match payload.as_deref() {
            Some(payload) => ResponseStub::Answer { referent: 0x0002_0000, payload, code },
            None => ResponseStub::Refusal { code },
        };
        let mut little = Vec::new();
        stub.write(syntax, &mut little);
        let big = big_endian_response(payload.as_deref(), 0x0002_0000, code, syntax);
        prop_assert_eq!(&ndr::response_in_other_order(&little, syntax, false), &big);
        prop_assert_eq!(ndr::response_in_other_order(&big, syntax, true), little);
    }

    #[test]
    fn every_answer_we_build_keeps_the_reply_invariants(parts in any_pdu()) {
        let pdu = Pdu { flags: parts.flags.with(Flags::WHOLE), auth: None, ..parts.pdu() };
        let checked = invariants::reply(&pdu.encode().unwrap(), Some(parts.call_id));
        prop_assert!(checked.is_ok(), "{checked:?}");
    }

    #[test]
    fn reading_and_listing_agree_on_damaged_pdus(parts in any_pdu(), damage in damage(), swapped in any::<bool>()) {
        let pdu = parts.pdu();
        let frame = if swapped { big_endian(&pdu) } else { pdu.encode().unwrap() };
        // Strict reading succeeds exactly when the listing has no issue, and its error is the first.
        fuzz_bodies::pdu(&damaged(frame, &damage));
    }

    #[test]
    fn reading_and_listing_agree_on_damaged_plaintexts(
        call in select(SEALED.iter().collect::<Vec<_>>()),
        damage in damage(),
    ) {
        let (request, response, version) = call;
        fuzz_bodies::check_request_plaintext(&damaged(request.clone(), &damage));
        fuzz_bodies::check_response_plaintext(&damaged(response.clone(), &damage), *version);
    }

    #[test]
    fn fragments_join_to_the_stub_they_came_from(stub in vec(any::<u8>(), 0..600), max_fragment: u16, call_id: u32) {
        let mut assembler = Assembler::new(stub.len());
        let pieces: Vec<_> = fragments(&stub, max_fragment % 700).collect();
        let (last, others) = pieces.split_last().unwrap();
        for (flags, piece) in others {
            prop_assert_eq!(assembler.feed(call_id, *flags, piece), Ok(None));
            prop_assert!(!flags.has(Flags::LAST) && piece.len() % 8 == 0);
        }
        prop_assert_eq!(assembler.feed(call_id, last.0, last.1), Ok(Some(&stub[..])));
        prop_assert!(last.0.has(Flags::LAST) && pieces[0].0.has(Flags::FIRST));
    }

    #[test]
    fn stubs_decode_to_themselves_in_either_byte_order(payload in vec(any::<u8>(), 0..300), code: u32, id in 1..=u32::MAX) {
        let code = Hresult(code);
        for syntax in TransferSyntax::ALL {
            let request = RequestStub { payload: &payload };
            let mut stub = Vec::new();
            request.write(syntax, &mut stub);
            prop_assert_eq!(read_request(&stub, syntax, false), Ok(request));
            let swapped = big_endian_request(&payload, syntax);
            prop_assert_eq!(read_request(&swapped, syntax, true), Ok(request));

            let answer = ResponseStub::Answer { referent: u64::from(id), payload: &payload, code };
            for (value, bytes) in [(answer, Some(&payload[..])), (ResponseStub::Refusal { code }, None)] {
                let mut stub = Vec::new();
                value.write(syntax, &mut stub);
                prop_assert_eq!(ResponseStub::decode(&stub, syntax), Ok(value));
                let swapped = big_endian_response(bytes, id, code, syntax);
                let mut r = Reader::new(ndr::layer(syntax), &swapped);
                r.set_big_endian(true);
                prop_assert_eq!(ResponseStub::read(&mut r, syntax), Ok(value));
                prop_assert_eq!(r.remaining(), 0);
                // The padding is where it is said to be: whatever stands there, the value is the same.
                if let Some(bytes) = bytes {
                    for range in response_padding(syntax, bytes.len()) {
                        stub[range].fill(0xff);
                    }
                }
                prop_assert_eq!(ResponseStub::decode(&stub, syntax), Ok(value));
            }
        }
    }

    #[test]
    fn any_236_bytes_are_a_request_and_come_back(body in vec(any::<u8>(), REQUEST_LEN)) {
        let request = ActivationRequest::decode(&body).unwrap();
        prop_assert_eq!(&request.encode()[..], &body[..]);
        let _ = format!("{request:?} {}", request.workstation);
        prop_assert_eq!(ActivationRequest::decode(&body[1..]).is_err(), true);
    }

    #[test]
    fn responses_decode_to_themselves(response in any_response()) {
        let body = response.encode();
        prop_assert_eq!(body.len(), response_len(response.epid.wire_size()));
        prop_assert_eq!(ActivationResponse::decode(&body), Ok(response));
        for len in 0..body.len() {
            prop_assert!(ActivationResponse::decode(&body[..len]).is_err());
        }
    }

    #[test]
    fn envelopes_open_to_what_was_sealed(body in vec(any::<u8>(), 4..300), iv: [u8; 16], version in select(&ProtocolVersion::ALL)) {
        let body = [&version.to_wire()[..], &body[4..]].concat();
        let mut sealed = Vec::new();
        match sealing(version) {
            None => envelope::seal_request_v4(&body, &mut sealed),
            Some(sealing) => envelope::seal_request(sealing, &body, &iv, &mut sealed),
        }
        match Envelope::decode(&sealed).unwrap() {
            Envelope::Mac { body: found, .. } => prop_assert_eq!(found, &body[..]),
            Envelope::Sealed { version: found, iv: found_iv, ciphertext } => {
                prop_assert_eq!((found, found_iv), (version, iv));
                let mut plaintext = Vec::new();
                envelope::open(sealing(version).unwrap(), &iv, ciphertext, &mut plaintext).unwrap();
                prop_assert_eq!(&plaintext[..body.len()], &body[..]);
            }
        }
    }

    #[test]
    fn text_forms_are_read_as_they_are_written(
        number: u128, code: u32, version: (u16, u16), time: u64, shift: i64, other: u64, name in ".{0,70}",
    ) {
        let guid = Guid::from_u128(number);
        prop_assert_eq!(guid.to_string().parse::<Guid>(), Ok(guid));
        prop_assert_eq!(format!("{{{guid}}}").to_uppercase().parse::<Guid>(), Ok(guid));
        prop_assert_eq!(Guid::from_wire(guid.to_wire()), guid);
        prop_assert_eq!(serde_json::from_str::<Guid>(&serde_json::to_string(&guid).unwrap()).unwrap(), guid);

        let code = Hresult(code);
        prop_assert_eq!(code.to_string().parse::<Hresult>(), Ok(code));
        prop_assert_eq!(serde_json::from_str::<Hresult>(&serde_json::to_string(&code).unwrap()).unwrap(), code);

        let version = ProtocolVersion { major: version.0, minor: version.1 };
        prop_assert_eq!(version.to_string().parse::<ProtocolVersion>(), Ok(version));
        prop_assert_eq!(format!("v{version}").parse::<ProtocolVersion>(), Ok(version));

        let (time, other) = (FileTime(time), FileTime(other));
        if let Some(at) = time.to_timestamp() {
            prop_assert_eq!(FileTime::from_timestamp(at), Some(time));
            prop_assert_eq!(time.to_string().parse::<jiff::Timestamp>().unwrap(), at);
        }
        prop_assert_eq!(time.distance(other), other.distance(time));
        let moved = time.saturating_add(jiff::SignedDuration::from_secs(shift));
        prop_assert_eq!(moved >= time, shift >= 0);

        let fits = !name.contains('\0') && name.encode_utf16().count() <= 63;
        prop_assert_eq!(WorkstationName::new(&name).map(|name| name.to_string()).ok(), fits.then_some(name.clone()));
        prop_assert_eq!(EpidText::new(&name).map(|name| name.to_string()).ok(), fits.then_some(name));
    }

    #[test]
    fn epids_are_read_as_they_are_written(
        ids in (0..=99_999_u32, 0..=99_999_u32, 0..=999_u32, 0..=999_999_u32, 0..=99_u32),
        place in (100..=99_999_u32, 1000..=99_999_u32, 1..=366_u32, 2006..=9999_u32),
    ) {
        let ((platform, group, key_high, key_low, channel), (lcid, build, day_of_year, year)) = (ids, place);
        let epid = Epid { platform, group, key_high, key_low, channel, lcid, build, day_of_year, year };
        let text = epid.to_string();
        prop_assert_eq!(text.parse::<Epid>(), Ok(epid));
        prop_assert!(EpidText::new(&text).unwrap().wire_size() <= EPID_SIZE_MAX as usize);
        for (at, _) in text.char_indices() {
            prop_assert_ne!(text[..at].parse::<Epid>(), Ok(epid));
        }
    }

    #[test]
    fn any_text_is_an_epid_or_says_why_not(text in "[0-9.é-]{0,60}") {
        if let Ok(epid) = text.parse::<Epid>() {
            prop_assert_eq!(epid.to_string().parse::<Epid>(), Ok(epid));
        }
    }
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn any_bytes_are_survived_everywhere(target in select(&fuzz_bodies::TARGETS[..]), bytes in vec(any::<u8>(), 0..400)) {
        target.1(&bytes);
    }

    #[test]
    fn damaged_conversations_are_survived(
        target in select(&["association", "host"][..]),
        exchange: Index,
        head: [u8; 2],
        skip in 0..4_usize,
        damage in damage(),
    ) {
        let exchange = exchange.get(&EXCHANGES[..]);
        let sender = if target == "host" { kmsproof::proto::Sender::Client } else { kmsproof::proto::Sender::Host };
        let stream: Vec<u8> = exchange.sent_by(sender).skip(skip).flat_map(|pdu| pdu.bytes.clone()).collect();
        let data = [&head[..], &damaged(stream, &damage)].concat();
        if target == "host" { fuzz_bodies::host(&data) } else { fuzz_bodies::association(&data) }
    }

    #[test]
    fn a_stream_is_cut_up_without_losing_a_byte(pieces in vec(vec(prop_oneof![Just(0_u8), Just(5), Just(16), any::<u8>()], 0..60), 0..12)) {
        fuzz_bodies::stream(&pieces);
    }

    #[test]
    fn both_machines_understand_each_other_in_any_pieces(
        offer in any_offer(),
        ndr64: bool,
        sizes in (0_u16..6000, 0_u16..6000, 1..400_usize),
        asked in vec((select(&ProtocolVersion::ALL), any_request(), any::<[u8; 16]>()), 1..4),
        response in any_response(),
        refused: bool,
    ) {
        // A host without NDR64 cannot serve a client with nothing else.
        let ndr64 = ndr64 || offer == Offer::Only(TransferSyntax::Ndr64);
        let (of_client, of_host, piece) = sizes;
        let client = AssociationConfig { max_fragment: of_client, ..drive::config(offer) };
        let host = HostConfig { port: drive::RECORDED_PORT, ndr64, max_fragment: of_host, ..HostConfig::default() };
        let mut pair = Pair::new(client, host, piece);
        pair.client.begin(START);
        pair.settle();
        let bound = pair.seen.bound.clone().unwrap();
        prop_assert_eq!(&bound.checks.findings, &[]);
        prop_assert_eq!(bound.ndr64.is_some(), ndr64 && offer != Offer::Only(TransferSyntax::Ndr32));

        for (at, (version, request, iv)) in asked.into_iter().enumerate() {
            let ask = Ask::new(ActivationRequest { version, ..request }, iv);
            let syntax = pair.client.next_syntax().unwrap();
            let both = offer == Offer::Windows && ndr64;
            prop_assert!(!both || (syntax == TransferSyntax::Ndr64) == (at > 0));
            pair.client.call(START, ask.payload()).unwrap();
            pair.settle();
            let call = pair.host.poll_call().unwrap();
            prop_assert_eq!(&call.payload, ask.payload());
            let payload = sealed_answer(&response, &ask);
            pair.host.answer(&call, if refused { Err(Hresult::KMS_ID_MISMATCH) } else { Ok(&payload) });
            pair.settle();
            let reply = pair.seen.replies.pop().unwrap();
            let answer = ask.judge(&reply, FileTime(u64::MAX / 4));
            prop_assert!(answer.checks.is_trusted(), "{:?}", answer.checks.findings);
            let outcome = Outcome::conclude(&answer, ask.request().n_policy);
            let verdict = match refused {
                true => Verdict::Refused(Hresult::KMS_ID_MISMATCH),
                false if response.count < ask.request().n_policy => Verdict::Refused(Hresult::NOT_ENOUGH_COUNT),
                false => Verdict::Activated,
            };
            prop_assert_eq!(outcome.verdict, verdict);
        }
    }

    #[test]
    fn an_answer_cut_off_anywhere_is_a_named_failure(cut: Index, offer in any_offer(), timed_out: bool) {
        let host = HostConfig { port: drive::RECORDED_PORT, ..HostConfig::default() };
        let mut pair = Pair::new(drive::config(offer), host, 4096);
        pair.client.begin(START);
        pair.settle();
        pair.client.call(START, b"any request").unwrap();
        pair.settle();
        let call = pair.host.poll_call().unwrap();
        pair.host.answer(&call, Err(Hresult::TABLE_FULL));
        let bytes = pair.host.poll_transmit().unwrap();
        let cut = cut.index(bytes.len());
        pair.client.handle_bytes(START, &bytes[..cut]);
        match timed_out {
            true => pair.client.handle_timeout(START + Duration::from_secs(5)),
            false => pair.client.handle_close(FailureKind::Closed),
        }
        drain(&mut pair.client, &mut pair.seen);
        let (failure, _) = pair.seen.failed.unwrap();
        prop_assert_eq!(&failure.bytes, &bytes[..cut]);
        prop_assert_eq!(failure.class(), if timed_out { "timeout" } else { "closed" });
    }
}

/// The plaintexts of a recorded request and its response, and their version.
type Sealed = (Vec<u8>, Vec<u8>, ProtocolVersion);

static SEALED: LazyLock<Vec<Sealed>> = LazyLock::new(|| {
    let calls = EXCHANGES.iter().flat_map(|exchange| &exchange.calls);
    let sealed = calls.filter(|call| call.response["plaintext"].is_string());
    let plaintext = |side: &serde_json::Value| vectors::bytes(&side["plaintext"]);
    sealed
        .map(|call| {
            let version = if call.request["version"] == 5 { ProtocolVersion::V5 } else { ProtocolVersion::V6 };
            (plaintext(&call.request), plaintext(&call.response), version)
        })
        .collect()
});

static EXCHANGES: LazyLock<Vec<Exchange>> = LazyLock::new(vectors::exchanges);

/// Both machines, and bytes carried between them in pieces.
struct Pair {
    client: Association,
    host: HostAssociation,
    seen: Seen,
    piece: usize,
}

impl Pair {
    fn new(client: AssociationConfig, host: HostConfig, piece: usize) -> Pair {
        Pair { client: Association::new(client), host: HostAssociation::new(host), seen: Seen::default(), piece }
    }

    /// Carries bytes until nobody has any. A livelock is a failure and not a hang.
    fn settle(&mut self) {
        for _ in 0..10 {
            drain(&mut self.client, &mut self.seen);
            let to_host = std::mem::take(&mut self.seen.sent);
            for piece in to_host.chunks(self.piece) {
                self.host.handle_bytes(piece);
            }
            let to_client = self.host.poll_transmit().unwrap_or_default();
            for piece in to_client.chunks(self.piece) {
                self.client.handle_bytes(START, piece);
            }
            if to_host.is_empty() && to_client.is_empty() {
                return;
            }
        }
        panic!("the machines never come to rest");
    }
}

/// What an honest host answers.
fn sealed_answer(response: &ActivationResponse, ask: &Ask) -> Vec<u8> {
    let request = ask.request();
    let body = ActivationResponse {
        version: request.version,
        cmid: request.cmid,
        client_time: request.client_time,
        ..response.clone()
    };
    let (body, request_iv, random) = (body.encode(), *ask.iv(), [0x5a; 16]);
    // Fresh: differs from the request's in its first byte.
    let iv = std::array::from_fn(|at| if at == 0 { !request_iv[0] } else { 7 });
    let mut out = Vec::new();
    match sealing(request.version) {
        None => envelope::seal_response_v4(&body, &mut out),
        Some(Sealing::V5) => envelope::seal_response_v5(&body, &SealV5 { request_iv, random }, &mut out),
        Some(Sealing::V6) => {
            let with = SealV6 { request_iv, iv, random, hwid: [9; 8], client_time: request.client_time.0 };
            envelope::seal_response_v6(&body, &with, &mut out);
        }
    }
    out
}

fn sealing(version: ProtocolVersion) -> Option<Sealing> {
    match version.major {
        5 => Some(Sealing::V5),
        6 => Some(Sealing::V6),
        _ => None,
    }
}

/// The parts of a PDU, owned.
#[derive(Debug, Clone)]
struct Parts {
    call_id: u32,
    flags: Flags,
    body: AnyBody,
    bytes: Vec<u8>,
    auth: Option<(u8, u8, u8, u32, Vec<u8>)>,
}

#[derive(Debug, Clone)]
enum AnyBody {
    Bind(Bind),
    Alter(Bind),
    BindAck(BindAck),
    AlterResponse(BindAck),
    BindNak(BindNak),
    Request(u32, u16, u16, Option<Guid>),
    Response(u32, u16, u8),
    Fault(u32, u16, u8, u32),
    Bare(Body<'static>),
}

impl Parts {
    fn pdu(&self) -> Pdu<'_> {
        let stub = &self.bytes[..];
        let body = match self.body.clone() {
            AnyBody::Bind(bind) => Body::Bind(bind),
            AnyBody::Alter(bind) => Body::AlterContext(bind),
            AnyBody::BindAck(ack) => Body::BindAck(ack),
            AnyBody::AlterResponse(ack) => Body::AlterContextResponse(ack),
            AnyBody::BindNak(nak) => Body::BindNak(nak),
            AnyBody::Request(alloc_hint, context_id, opnum, object) => {
                Body::Request(Request { alloc_hint, context_id, opnum, object, stub })
            }
            AnyBody::Response(alloc_hint, context_id, cancel_count) => {
                Body::Response(Response { alloc_hint, context_id, cancel_count, stub })
            }
            AnyBody::Fault(alloc_hint, context_id, cancel_count, status) => {
                Body::Fault(Fault { alloc_hint, context_id, cancel_count, status: FaultStatus(status), stub })
            }
            AnyBody::Bare(body) => body,
        };
        // The OBJECT flag is the body's to set.
        let flags = match &body {
            Body::Request(Request { object: Some(_), .. }) => self.flags.with(Flags::OBJECT),
            Body::Request(_) => self.flags.without(Flags::OBJECT),
            _ => self.flags,
        };
        let auth = self.auth.as_ref().map(|(auth_type, level, pad_length, context_id, token)| Auth {
            auth_type: *auth_type,
            level: *level,
            pad_length: *pad_length,
            context_id: *context_id,
            token,
        });
        Pdu { call_id: self.call_id, flags, body, auth }
    }
}

fn any_pdu() -> impl Strategy<Value = Parts> {
    let ack = || {
        (any::<(u16, u16, u32, [u8; 3])>(), vec(any::<u8>(), 0..9), vec(any_result(), 0..5)).prop_map(
            |((max_xmit_frag, max_recv_frag, assoc_group, mut pad), secondary_address, results)| {
                // Of the padding, only what is sent.
                let sent = (26 + secondary_address.len()).next_multiple_of(4) - 26 - secondary_address.len();
                pad[sent..].fill(0);
                BindAck { max_xmit_frag, max_recv_frag, assoc_group, secondary_address, pad, results }
            },
        )
    };
    let body = prop_oneof![
        any_bind().prop_map(AnyBody::Bind),
        any_bind().prop_map(AnyBody::Alter),
        ack().prop_map(AnyBody::BindAck),
        ack().prop_map(AnyBody::AlterResponse),
        (any::<u16>(), vec(any::<(u8, u8)>(), 0..4), vec(any::<u8>(), 0..8)).prop_map(|(reason, versions, trailer)| {
            AnyBody::BindNak(BindNak { reason: RejectReason(reason), versions, trailer })
        }),
        any::<(u32, u16, u16, Option<u128>)>().prop_map(|(hint, id, opnum, object)| AnyBody::Request(
            hint,
            id,
            opnum,
            object.map(Guid::from_u128)
        )),
        any::<(u32, u16, u8)>().prop_map(|(hint, id, cancels)| AnyBody::Response(hint, id, cancels)),
        any::<(u32, u16, u8, u32)>().prop_map(|(hint, id, cancels, status)| AnyBody::Fault(hint, id, cancels, status)),
        select(vec![Body::Auth3, Body::Shutdown, Body::CoCancel, Body::Orphaned]).prop_map(AnyBody::Bare),
    ];
    let auth = proptest::option::of((any::<u8>(), any::<u8>(), 0..16_u8, any::<u32>(), vec(any::<u8>(), 1..20)));
    (any::<u32>(), any::<u8>(), body, vec(any::<u8>(), 0..200), auth)
        .prop_map(|(call_id, flags, body, bytes, auth)| Parts { call_id, flags: Flags(flags), body, bytes, auth })
}

fn any_bind() -> impl Strategy<Value = Bind> {
    let context = (any::<u16>(), any_syntax(), vec(any_syntax(), 0..4))
        .prop_map(|(id, interface, transfer)| ContextElement { id, interface, transfer });
    (any::<(u16, u16, u32)>(), vec(context, 0..4)).prop_map(
        |((max_xmit_frag, max_recv_frag, assoc_group), contexts)| Bind {
            max_xmit_frag,
            max_recv_frag,
            assoc_group,
            contexts,
        },
    )
}

fn any_result() -> impl Strategy<Value = ContextResult> {
    (0..4_u16, any::<u16>(), any_syntax()).prop_map(|(result, reason, syntax)| ContextResult {
        result: ResultCode(result),
        reason,
        syntax,
    })
}

fn any_syntax() -> impl Strategy<Value = SyntaxId> {
    prop_oneof![
        select(vec![SyntaxId::KMS, SyntaxId::NDR32, SyntaxId::NDR64, SyntaxId::NONE]),
        any::<u16>().prop_map(SyntaxId::bind_time_features),
        any::<(u128, u32)>().prop_map(|(uuid, version)| SyntaxId { uuid: Guid::from_u128(uuid), version }),
    ]
}

fn any_offer() -> impl Strategy<Value = Offer> {
    select(vec![Offer::Windows, Offer::Only(TransferSyntax::Ndr32), Offer::Only(TransferSyntax::Ndr64)])
}

fn any_request() -> impl Strategy<Value = ActivationRequest> {
    (any::<(u32, u32, u32, u32, u64)>(), any::<[u128; 5]>(), vec(any::<u16>(), 64)).prop_map(
        |((is_vm, license_status, binding_expiration_min, n_policy, client_time), ids, units)| {
            let [application_id, sku_id, kms_counted_id, cmid, previous_cmid] = ids.map(Guid::from_u128);
            ActivationRequest {
                version: ProtocolVersion::V6,
                is_vm,
                license_status: LicenseStatus(license_status),
                binding_expiration_min,
                application_id,
                sku_id,
                kms_counted_id,
                cmid,
                n_policy: n_policy % 2000,
                client_time: FileTime(client_time),
                previous_cmid,
                workstation: WorkstationName::from_units(units.try_into().unwrap()),
            }
        },
    )
}

fn any_response() -> impl Strategy<Value = ActivationResponse> {
    let epid = "[^\0]{0,63}".prop_filter_map("fits", |text| EpidText::new(&text).ok());
    (epid, any::<u128>(), any::<(u64, u32, u32, u32)>(), (any::<u16>(), any::<u16>())).prop_map(
        |(epid, cmid, (client_time, count, activation_interval_min, renewal_interval_min), (major, minor))| {
            ActivationResponse {
                version: ProtocolVersion { major, minor },
                epid,
                cmid: Guid::from_u128(cmid),
                client_time: FileTime(client_time),
                count,
                activation_interval_min,
                renewal_interval_min,
            }
        },
    )
}

/// Bytes changed, and where the end is: as it was, or earlier.
fn damage() -> impl Strategy<Value = (Vec<(Index, u8)>, Option<Index>)> {
    (vec((any::<Index>(), any::<u8>()), 0..6), proptest::option::weighted(0.3, any::<Index>()))
}

fn damaged(mut bytes: Vec<u8>, (changes, end): &(Vec<(Index, u8)>, Option<Index>)) -> Vec<u8> {
    if bytes.is_empty() {
        return bytes;
    }
    for (at, byte) in changes {
        // Half of all changes hit the head, where the fields are.
        let at = if byte % 2 == 0 { at.index(bytes.len()) } else { at.index(bytes.len().min(32)) };
        bytes[at] = *byte;
    }
    if let Some(end) = end {
        bytes.truncate(end.index(bytes.len()));
    }
    bytes
}

/// A big-endian sender's frame, written without the code under test.
fn big_endian(pdu: &Pdu<'_>) -> Vec<u8> {
    let mut out = vec![5, 0, pdu.ptype().0, pdu.flags.0, 0, 0, 0, 0, 0, 0];
    out.extend((pdu.auth.as_ref().map_or(0, |auth| auth.token.len()) as u16).to_be_bytes());
    out.extend(pdu.call_id.to_be_bytes());
    let syntax = |out: &mut Vec<u8>, id: &SyntaxId| {
        out.extend(id.uuid.as_u128().to_be_bytes());
        out.extend(id.version.to_be_bytes());
    };
    let sizes = |out: &mut Vec<u8>, xmit: u16, recv: u16, group: u32| {
        out.extend(xmit.to_be_bytes());
        out.extend(recv.to_be_bytes());
        out.extend(group.to_be_bytes());
    };
    match &pdu.body {
        Body::Bind(bind) | Body::AlterContext(bind) => {
            sizes(&mut out, bind.max_xmit_frag, bind.max_recv_frag, bind.assoc_group);
            out.extend([bind.contexts.len() as u8, 0, 0, 0]);
            for context in &bind.contexts {
                out.extend(context.id.to_be_bytes());
                out.extend([context.transfer.len() as u8, 0]);
                syntax(&mut out, &context.interface);
                context.transfer.iter().for_each(|id| syntax(&mut out, id));
            }
        }
        Body::BindAck(ack) | Body::AlterContextResponse(ack) => {
            sizes(&mut out, ack.max_xmit_frag, ack.max_recv_frag, ack.assoc_group);
            out.extend((ack.secondary_address.len() as u16).to_be_bytes());
            out.extend(&ack.secondary_address);
            out.extend(ack.pad.iter().take(out.len().next_multiple_of(4) - out.len()));
            out.extend([ack.results.len() as u8, 0, 0, 0]);
            for result in &ack.results {
                out.extend(result.result.0.to_be_bytes());
                out.extend(result.reason.to_be_bytes());
                syntax(&mut out, &result.syntax);
            }
        }
        Body::BindNak(nak) => {
            out.extend(nak.reason.0.to_be_bytes());
            out.push(nak.versions.len() as u8);
            nak.versions.iter().for_each(|(major, minor)| out.extend([major, minor]));
            out.extend(&nak.trailer);
        }
        Body::Request(request) => {
            out.extend(request.alloc_hint.to_be_bytes());
            out.extend(request.context_id.to_be_bytes());
            out.extend(request.opnum.to_be_bytes());
            out.extend(request.object.map(|object| object.as_u128().to_be_bytes()).iter().flatten());
            out.extend(request.stub);
        }
        Body::Response(response) => {
            out.extend(response.alloc_hint.to_be_bytes());
            out.extend(response.context_id.to_be_bytes());
            out.extend([response.cancel_count, 0]);
            out.extend(response.stub);
        }
        Body::Fault(fault) => {
            out.extend(fault.alloc_hint.to_be_bytes());
            out.extend(fault.context_id.to_be_bytes());
            out.extend([fault.cancel_count, 0]);
            out.extend(fault.status.0.to_be_bytes());
            out.extend([0; 4]);
            out.extend(fault.stub);
        }
        Body::Auth3 => out.extend([0; 4]),
        Body::Shutdown | Body::CoCancel | Body::Orphaned => {}
    }
    if let Some(auth) = &pdu.auth {
        out.resize(out.len() + usize::from(auth.pad_length), 0);
        out.extend([auth.auth_type, auth.level, auth.pad_length, 0]);
        out.extend(auth.context_id.to_be_bytes());
        out.extend(auth.token);
    }
    let length = (out.len() as u16).to_be_bytes();
    out[8..10].copy_from_slice(&length);
    out
}

fn read_request(stub: &[u8], syntax: TransferSyntax, swapped: bool) -> Result<RequestStub<'_>, String> {
    let mut r = Reader::new(ndr::layer(syntax), stub);
    r.set_big_endian(swapped);
    let read = RequestStub::read(&mut r, syntax).map_err(|error| error.to_string())?;
    if r.remaining() == 0 { Ok(read) } else { Err(format!("{} bytes left", r.remaining())) }
}

fn big_endian_request(payload: &[u8], syntax: TransferSyntax) -> Vec<u8> {
    let len = payload.len() as u32;
    match syntax {
        TransferSyntax::Ndr32 => [&len.to_be_bytes()[..], &len.to_be_bytes(), payload].concat(),
        TransferSyntax::Ndr64 => [&len.to_be_bytes()[..], &[0; 4], &u64::from(len).to_be_bytes(), payload].concat(),
    }
}

fn big_endian_response(payload: Option<&[u8]>, referent: u32, code: Hresult, syntax: TransferSyntax) -> Vec<u8> {
    let len = payload.map_or(0, <[u8]>::len) as u32;
    let referent = if payload.is_some() { referent } else { 0 };
    let mut out = len.to_be_bytes().to_vec();
    match syntax {
        TransferSyntax::Ndr32 => out.extend(referent.to_be_bytes()),
        TransferSyntax::Ndr64 => out.extend([[0; 4].as_slice(), &u64::from(referent).to_be_bytes()].concat()),
    }
    if let Some(payload) = payload {
        match syntax {
            TransferSyntax::Ndr32 => out.extend(len.to_be_bytes()),
            TransferSyntax::Ndr64 => out.extend(u64::from(len).to_be_bytes()),
        }
        out.extend(payload);
        out.resize(out.len().next_multiple_of(4), 0);
    }
    out.extend(code.0.to_be_bytes());
    out
}
