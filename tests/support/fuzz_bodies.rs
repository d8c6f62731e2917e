//! The bodies of the fuzz targets: any bytes in, and what must hold of them
//! whatever they are. `tests/fuzz` calls these under libFuzzer, and
//! `tests/fuzz_corpus.rs` with the committed corpus on any toolchain.

use std::num::NonZeroU32;
use std::sync::LazyLock;
use std::time::Duration;

use jiff::tz::TimeZone;
use kmsproof::crypto::{Sealing, envelope};
use kmsproof::population::import;
use kmsproof::proto::verify::{CheckId, Checks};
use kmsproof::proto::{
    Answer, Ask, Association, FailureKind, HostAssociation, HostConfig, Moment, Offer, Outcome, Reply, ReplyBody,
    ReplyTimes, Sender, Verdict, Witness, WitnessConfig, WitnessEvent,
};
use kmsproof::wire::dump::{self, Listing};
use kmsproof::wire::kms::{
    ActivationRequest, ActivationResponse, Envelope, LicenseStatus, Proof, ProtocolVersion, WorkstationName,
    pkcs7_padding,
};
use kmsproof::wire::ndr::{RequestStub, ResponseStub};
use kmsproof::wire::rpc::{Assembler, Body, Flags, FrameBuffer, Pdu, PduView, Request, TransferSyntax, fragments};
use kmsproof::wire::{FileTime, Guid, Hresult, Layer, Reader};

use super::drive::{self, START, Seen, drain};
use super::invariants;

/// What a target does with its bytes.
pub type Target = fn(&[u8]);

/// Every target: the folder of its corpus, and its body.
pub const TARGETS: [(&str, Target); 9] = [
    ("pdu", pdu),
    ("response", response),
    ("request", request),
    ("association", association),
    ("host", host),
    ("capture", capture),
    ("witness", witness),
    ("scenario", scenario),
    ("import", import),
];

/// One frame: what decodes encodes to a frame that says the same; the listing covers every
/// byte once and complains exactly when decoding does, and first of the same thing.
pub fn pdu(frame: &[u8]) {
    let view = PduView(frame);
    let _ = (view.version(), view.ptype(), view.flags(), view.drep(), view.is_big_endian(), view.frag_length());
    let _ = (view.auth_length(), view.call_id(), view.alloc_hint(), view.context_id(), view.cancel_count());
    let _ = view.fault_reserved();

    let decoded = Pdu::decode(frame);
    let listing = dump::pdu(frame, None);
    check_listing(&listing);
    assert_eq!(decoded.as_ref().err(), listing.issues.first(), "{listing}");
    for syntax in TransferSyntax::ALL {
        let listing = dump::pdu(frame, Some(syntax));
        check_listing(&listing);
        assert!(decoded.is_ok() || !listing.issues.is_empty(), "{listing}");
    }

    let Ok(decoded) = decoded else { return };
    let _ = format!("{decoded:?}");
    match decoded.encode() {
        Ok(again) => {
            assert_eq!(Pdu::decode(&again).as_ref(), Ok(&decoded));
            assert_eq!(Pdu::decode(&again).unwrap().encode(), Ok(again));
        }
        // A frame of the full length has no room for what a sender left out.
        Err(_) => assert!(frame.len() > 65_000),
    }
}

/// What a host answers, to one fixed request. The first byte chooses version, syntax and how
/// deep the rest is laid: the stub itself, an envelope in a stub, or the plaintext in all of it.
pub fn response(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    let version = ProtocolVersion::ALL[usize::from(first) % 3];
    let syntax = TransferSyntax::ALL[usize::from(first >> 2) % 2];
    let depth = (first >> 4) % 3;
    let ask = &ASKS[usize::from(first) % 3];

    let mut payload = Vec::new();
    match (depth, sealing(version)) {
        (0, _) => {}
        (1, _) | (_, None) => payload.extend_from_slice(rest),
        (_, Some(sealing)) => {
            let (iv, plaintext) = rest.split_first_chunk().unwrap_or((&[0; 16], rest));
            let iv = if version == ProtocolVersion::V5 { *ask.iv() } else { *iv };
            let whole = &plaintext[..plaintext.len() & !15];
            envelope::seal_plaintext(sealing, version.to_wire(), &iv, whole, &mut payload).unwrap();
            check_response_plaintext(whole, version);
        }
    }
    let mut stub = Vec::new();
    if depth == 0 {
        stub.extend_from_slice(rest);
    } else {
        ResponseStub::Answer { referent: 1, payload: &payload, code: Hresult::OK }.write(syntax, &mut stub);
        assert_eq!(ResponseStub::decode(&stub, syntax).map(|stub| stub_payload(&stub).map(<[u8]>::len)), {
            Ok(Some(payload.len()))
        });
    }
    if let Ok(read) = ResponseStub::decode(&stub, syntax) {
        let mut again = Vec::new();
        read.write(syntax, &mut again);
        assert_eq!(ResponseStub::decode(&again, syntax), Ok(read));
    }
    if let Ok(body) = ActivationResponse::decode(rest) {
        assert_eq!(body.encode(), rest);
    }
    if let Ok(Envelope::Mac { body, mac }) = Envelope::decode(rest) {
        assert_eq!([body, &mac].concat(), rest);
    }
    let _ = Proof::read(&mut Reader::new(Layer::Proof, rest), version);
    for flags in [Flags::WHOLE, Flags::FIRST] {
        let body = kmsproof::wire::rpc::Response { alloc_hint: 1, context_id: 0, cancel_count: 0, stub: &stub };
        if let Ok(frame) = (Pdu { flags, ..Pdu::whole(2, Body::Response(body)) }).encode() {
            check_listing(&dump::pdu(&frame, Some(syntax)));
        }
    }

    let times = ReplyTimes { sent: START, received: START };
    let reply = Reply { call_id: 2, syntax, body: ReplyBody::Stub(stub), times, checks: Checks::default() };
    check_answer(ask, &ask.judge(&reply, NOW));
}

/// What a client asks, from the host's point of view. The first byte chooses version, syntax
/// and depth as in [`response`], the second the size of fragments.
pub fn request(data: &[u8]) {
    let [first, size, rest @ ..] = data else { return };
    let version = ProtocolVersion::ALL[usize::from(*first) % 3];
    let syntax = TransferSyntax::ALL[usize::from(first >> 2) % 2];
    let depth = (first >> 4) % 3;

    let mut payload = Vec::new();
    match (depth, sealing(version)) {
        (0, _) => {}
        (1, _) | (_, None) => payload.extend_from_slice(rest),
        (_, Some(sealing)) => {
            check_request_plaintext(rest);
            envelope::seal_request(sealing, rest, &[7; 16], &mut payload);
        }
    }
    let mut stub = Vec::new();
    if depth == 0 {
        stub.extend_from_slice(rest);
    } else {
        RequestStub { payload: &payload }.write(syntax, &mut stub);
    }
    if let Ok(body) = ActivationRequest::decode(rest) {
        assert_eq!(body.encode(), rest);
        let _ = format!("{body:?}");
    }
    if let Ok(Envelope::Sealed { version: outer, iv, ciphertext }) = Envelope::decode(&payload)
        && let Some(sealing) = sealing(outer)
    {
        let mut plaintext = Vec::new();
        envelope::open(sealing, &iv, ciphertext, &mut plaintext).unwrap();
        check_request_plaintext(&plaintext);
        // The envelope's version is the body's own: with another than it was sealed for, it opens to anything.
        if depth == 2 && outer == version {
            assert_eq!(plaintext.get(..rest.len()), Some(rest));
        }
    }

    let mut host = HostAssociation::new(HostConfig { ndr64: syntax == TransferSyntax::Ndr64, ..HostConfig::default() });
    let mut client = Association::new(drive::config(Offer::Only(syntax)));
    let mut seen = Seen::default();
    client.begin(START);
    drain(&mut client, &mut seen);
    host.handle_bytes(&std::mem::take(&mut seen.sent));
    let _ = host.poll_transmit().expect("an ack");
    let context_id = if syntax == TransferSyntax::Ndr64 { 1 } else { 0 };
    let mut left = stub.len();
    for (flags, piece) in fragments(&stub, 24 + u16::from(*size) * 8) {
        let body = Request { alloc_hint: left as u32, context_id, opnum: 0, object: None, stub: piece };
        let Ok(frame) = (Pdu { flags, ..Pdu::whole(2, Body::Request(body)) }).encode() else { return };
        // Listing is slow, and of a later fragment there is nothing to see.
        if flags.has(Flags::FIRST) {
            check_listing(&dump::pdu(&frame, Some(syntax)));
        }
        host.handle_bytes(&frame);
        left -= piece.len();
    }
    let call = host.poll_call();
    let mut r = Reader::new(Layer::Ndr32, &stub);
    match RequestStub::read(&mut r, syntax) {
        Ok(read) => assert_eq!(call.map(|call| call.payload).as_deref(), Some(read.payload)),
        Err(_) => {
            assert_eq!(call, None);
            check_host_output(&mut host, &mut Vec::new());
        }
    }
}

/// A client and whatever a host may send it. The first byte chooses what is offered and how far
/// the conversation goes well before the rest comes, the second the size of the pieces it comes in.
pub fn association(data: &[u8]) {
    let [first, size, rest @ ..] = data else { return };
    let offer = match first % 3 {
        0 => Offer::Windows,
        1 => Offer::Only(TransferSyntax::Ndr32),
        _ => Offer::Only(TransferSyntax::Ndr64),
    };
    let good = (first >> 2) % 5;
    let config = kmsproof::proto::AssociationConfig { record: first & 0x40 != 0, ..drive::config(offer) };
    let mut client = Association::new(config);
    let mut host = HostAssociation::new(HostConfig { ndr64: first & 0x80 == 0, ..HostConfig::default() });
    let mut seen = Seen::default();
    let ask = &ASKS[2];
    let mut calls = 0;

    if first & 0x20 == 0 {
        client.begin(START);
    }
    for _ in 0..good {
        drain(&mut client, &mut seen);
        host.handle_bytes(&std::mem::take(&mut seen.sent));
        while let Some(call) = host.poll_call() {
            host.answer(&call, Err(Hresult::KMS_ID_MISMATCH));
        }
        if let Some(bytes) = host.poll_transmit() {
            client.handle_bytes(START, &bytes);
        }
        drain(&mut client, &mut seen);
        if client.is_ready() && calls < 2 {
            client.call(START, ask.payload()).expect("ready");
            calls += 1;
        }
    }
    for piece in rest.chunks(usize::from(*size).max(1)) {
        client.handle_bytes(START, piece);
        drain(&mut client, &mut seen);
        if client.is_ready() && calls < 8 {
            assert!(client.call(START, ask.payload()).is_ok() == client.next_syntax().is_some());
            calls += 1;
        }
    }
    let later = START + Duration::from_secs(60);
    if size % 2 == 0 {
        client.handle_timeout(later);
        assert_eq!(client.poll_deadline(), None);
    } else {
        client.handle_close(FailureKind::Closed);
        assert!(client.is_over());
    }
    drain(&mut client, &mut seen);

    for frame in invariants::split(&seen.sent).expect("a client sends whole PDUs") {
        assert!(Pdu::decode(frame).is_ok());
    }
    for reply in &seen.replies {
        check_answer(ask, &ask.judge(reply, NOW));
    }
    if let Some((failure, checks)) = seen.failed {
        assert!(!failure.to_string().is_empty());
        let answer = Answer::failed(failure, checks);
        assert!(!answer.checks.failed.is_empty(), "a failure without a finding: {:?}", answer.failure);
        check_answer(ask, &answer);
    }
}

/// A host and whatever a client may send it. The first byte chooses the host and whether the
/// bind went well before, the second the size of the pieces.
pub fn host(data: &[u8]) {
    let [first, size, rest @ ..] = data else { return };
    let config = HostConfig { ndr64: first & 1 == 0, max_request: 4096, ..HostConfig::default() };
    let mut host = HostAssociation::new(config);
    let mut sent = Vec::new();
    if first & 2 != 0 {
        let mut client = Association::new(drive::config(Offer::Windows));
        client.begin(START);
        host.handle_bytes(&client.poll_transmit().expect("a bind"));
        check_host_output(&mut host, &mut sent);
    }
    for piece in rest.chunks(usize::from(*size).max(1)) {
        host.handle_bytes(piece);
        while let Some(call) = host.poll_call() {
            assert!(call.payload.len() <= config.max_request);
            let payload = &call.payload;
            host.answer(&call, if payload.len() % 2 == 0 { Ok(payload) } else { Err(Hresult::INVALID_DATA) });
        }
        check_host_output(&mut host, &mut sent);
    }
    if host.is_closing() {
        host.handle_bytes(b"\x05\0\x0b\x03");
        assert_eq!(host.poll_transmit(), None, "a host that closes says nothing more");
    }
}

/// A file that claims to be a capture.
pub fn capture(data: &[u8]) {
    let read = kmsproof::capture::read(data);
    let Ok(capture) = read else {
        assert!(!read.unwrap_err().to_string().is_empty());
        return;
    };
    for conversation in &capture.conversations {
        assert!(!conversation.chunks.is_empty());
        assert!(conversation.chunks.iter().all(|chunk| !chunk.bytes.is_empty()));
    }
}

/// A recorded conversation: a first byte of options, then pieces, each with its sender in the top
/// bit of two bytes and its length in the rest. Every event must be showable.
pub fn witness(data: &[u8]) {
    let Some((&options, mut rest)) = data.split_first() else { return };
    let config = WitnessConfig { whole: options & 1 == 0, port: Some(1688), ..WitnessConfig::default() };
    let mut witness = Witness::new(config);
    let mut events = Vec::new();
    let mut at = Moment::default();
    while let [low, high, tail @ ..] = rest {
        let sender = if high & 0x80 == 0 { Sender::Client } else { Sender::Host };
        let len = usize::from(u16::from_le_bytes([*low, high & 0x7f])).min(tail.len());
        witness.handle_bytes(sender, at, &tail[..len]);
        events.extend(std::iter::from_fn(|| witness.poll_event()));
        at = at + Duration::from_millis(1);
        rest = &tail[len..];
    }
    witness.handle_end();
    events.extend(std::iter::from_fn(|| witness.poll_event()));
    for event in &events {
        assert!(!format!("{event:?}").is_empty());
        if let WitnessEvent::Pdu { bytes, syntax, .. } = event {
            check_listing(&dump::pdu(bytes, *syntax));
        }
    }
}

/// A file that claims to be a scenario, and behind a U+0001 a table that is every table it names: a
/// plan, or problems that can be shown.
pub fn scenario(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (source, table) = text.split_once('\u{1}').unwrap_or((text, "machine,at\npc-1,0\npc-2,1.5\n"));
    match kmsproof::scenario::load(source, "fuzz.toml", &|_: &str| Ok(table.as_bytes().to_vec())) {
        Ok(scenario) => {
            // A plan of millions is legal, and too long for a fuzzer's patience.
            if source.len() < 600 && !source.contains("00") {
                let plan = scenario.plan(1, kmsproof::scenario::Ids::Seeded);
                assert!(plan.machines() > 0 && (plan.arrivals() > 0 || plan.has_lifecycle()));
            }
        }
        Err(problems) => {
            let text = problems.render(false);
            assert!(text.contains("error") && !text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        }
    }
}

/// A file that claims to be an exported event log: a population and a scenario that our own reader
/// takes, with no name or id of the log in them, or words of why not.
pub fn import(data: &[u8]) {
    let export = match import::read(data.to_vec(), &TimeZone::UTC) {
        Ok(export) => export,
        Err(unreadable) => return assert!(!unreadable.to_string().is_empty()),
    };
    let imported = import::gather(vec![export]);
    let lasts = imported.found.span.map(|(first, last)| last.duration_since(first).unsigned_abs());
    if imported.rows.is_empty() || lasts.is_some_and(|lasts| lasts > kmsproof::scenario::DURATION_MAX) {
        return;
    }
    let mut table = Vec::new();
    import::write::population(&imported.rows, &mut table).unwrap();
    let name = "fuzz".parse().expect("it is a name");
    let source = import::write::scenario(&imported, &name, NonZeroU32::MIN, &TimeZone::UTC);
    let read = kmsproof::scenario::load(&source, "fuzz.toml", &|_: &str| Ok(table.clone()));
    let plan = read.unwrap_or_else(|problems| panic!("{problems}")).plan(1, kmsproof::scenario::Ids::Seeded);
    assert_eq!(plan.arrivals(), imported.rows.len());
}

/// Bytes cut up by [`FrameBuffer`] come out as they went in, and [`Assembler`] takes any order.
pub fn stream(pieces: &[Vec<u8>]) {
    let mut frames = FrameBuffer::default();
    let mut assembler = Assembler::new(1024);
    let (mut pushed, mut taken) = (Vec::new(), Vec::new());
    for piece in pieces {
        frames.push(piece);
        pushed.extend_from_slice(piece);
        while let Ok(Some(frame)) = frames.next_frame() {
            let view = PduView(frame);
            let fed = assembler.feed(view.call_id().unwrap(), view.flags().unwrap(), &frame[16..]);
            assert!(fed.ok().flatten().is_none_or(|stub| stub.len() <= 1024));
            taken.extend_from_slice(frame);
        }
    }
    taken.extend_from_slice(frames.pending());
    assert_eq!(taken, pushed);
}

/// The listing of a decrypted request complains first of what strict reading stops at.
pub fn check_request_plaintext(plaintext: &[u8]) {
    let listing = dump::request_plaintext(plaintext);
    check_listing(&listing);
    let mut r = Reader::new(Layer::KmsRequest, plaintext);
    let read = ActivationRequest::read(&mut r).and_then(|_| {
        r.set_layer(Layer::Envelope);
        pkcs7_padding(&mut r)
    });
    assert_eq!(read.err().as_ref(), listing.issues.first(), "{listing}");
}

/// The listing of a decrypted response likewise.
pub fn check_response_plaintext(plaintext: &[u8], version: ProtocolVersion) {
    let listing = dump::response_plaintext(plaintext, version);
    check_listing(&listing);
    let mut r = Reader::new(Layer::KmsResponse, plaintext);
    let read =
        ActivationResponse::read(&mut r).and_then(|_| Proof::read(&mut r, version)).and_then(|_| pkcs7_padding(&mut r));
    assert_eq!(read.err().as_ref(), listing.issues.first(), "{listing}");
}

/// Every byte once, in order, and every row printed.
pub fn check_listing(listing: &Listing) {
    let mut at = 0;
    for field in &listing.fields {
        assert_eq!(field.offset, at, "{} of {listing}", field.name);
        assert!(field.len > 0, "{} is empty", field.name);
        at += field.len;
    }
    assert_eq!(at, listing.bytes.len(), "{listing}");
    let text = listing.to_string();
    for issue in &listing.issues {
        assert!(text.contains(&*issue.expected) && text.contains(&*issue.got), "{issue} is not shown: {text}");
    }
}

/// What holds of every answer: failures are among the checks done, and nothing makes a client
/// licensed but an answer that passed every check a client relies on.
fn check_answer(ask: &Ask, answer: &Answer) {
    let checks = &answer.checks;
    for finding in &checks.findings {
        assert!(checks.failed.has(finding.check) && !finding.to_string().is_empty());
    }
    for check in checks.failed.iter() {
        assert!(checks.done.has(check));
        assert!(checks.findings.iter().any(|finding| finding.check == check), "{check} without evidence");
    }
    let outcome = Outcome::conclude(answer, ask.request().n_policy);
    let Some(response) = &answer.response else {
        assert_ne!(outcome.verdict, Verdict::Activated);
        return;
    };
    if outcome.verdict != Verdict::Activated {
        return;
    }
    assert_eq!((response.cmid, response.client_time), (ask.request().cmid, ask.request().client_time));
    assert_eq!(response.version, ask.request().version);
    use CheckId::*;
    let always = [NdrWellFormed, Envelope, Version, Body, EpidLength, Cmid, ClientTime, Count, Length];
    let sealed = [RandomHash, Padding];
    let of_version: &[CheckId] = match ask.request().version {
        ProtocolVersion::V4 => &[V4Mac],
        ProtocolVersion::V5 => &[V5Iv],
        _ => &[V6Iv, V6XoredIvs, V6Hmac],
    };
    let is_sealed = ask.request().version != ProtocolVersion::V4;
    for check in always.iter().chain(of_version).chain(sealed.iter().filter(|_| is_sealed)) {
        assert!(checks.done.has(*check), "activated without {check}");
    }
}

/// What a host sends is whole PDUs that keep the reply invariants and list without an issue.
fn check_host_output(host: &mut HostAssociation, sent: &mut Vec<u8>) {
    sent.clear();
    while let Some(bytes) = host.poll_transmit() {
        sent.extend_from_slice(&bytes);
    }
    for frame in invariants::split(sent).expect("a host sends whole PDUs") {
        invariants::reply(frame, None).unwrap_or_else(|what| panic!("{what}: {frame:02x?}"));
        assert_eq!(dump::pdu(frame, None).issues, []);
    }
}

fn stub_payload<'a>(stub: &ResponseStub<'a>) -> Option<&'a [u8]> {
    match stub {
        ResponseStub::Answer { payload, .. } => Some(payload),
        ResponseStub::Refusal { .. } => None,
    }
}

fn sealing(version: ProtocolVersion) -> Option<Sealing> {
    match version {
        ProtocolVersion::V5 => Some(Sealing::V5),
        ProtocolVersion::V6 => Some(Sealing::V6),
        _ => None,
    }
}

/// One fixed request of each version: the recorded one's fields, so that recorded answers fit.
static ASKS: LazyLock<[Ask; 3]> = LazyLock::new(|| {
    ProtocolVersion::ALL.map(|version| {
        let request = ActivationRequest {
            version,
            is_vm: 0,
            license_status: LicenseStatus::OOB_GRACE,
            binding_expiration_min: 43_200,
            application_id: Guid::from_u128(0x55c92734_d682_4d71_983e_d6ec3f16059f),
            sku_id: Guid::from_u128(0x8de8eb62_bbe0_40ac_ac17_f75595071ea3),
            kms_counted_id: Guid::from_u128(0x8449b1fb_f0ea_497a_99ab_66ca96e9a0f5),
            cmid: Guid::from_u128(0xcc400c61_a898_4d10_ac36_1c796600b420),
            n_policy: 1,
            client_time: FileTime::RECORDED_AT,
            previous_cmid: Guid::NIL,
            workstation: WorkstationName::new("fuzz.example.test").expect("short"),
        };
        Ask::new(request, *b"sixteen byte iv.")
    })
});

const NOW: FileTime = FileTime::RECORDED_AT;

/// The request [`response`] answers, for seeds that fit it.
pub fn ask_of(version: usize) -> &'static Ask {
    &ASKS[version]
}

/// A moment after everything here.
pub const LATER: Moment = Moment(Duration::from_secs(3600));
