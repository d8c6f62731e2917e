//! The host's mirror machine, PDU by PDU: what a Windows-modelled DCE/RPC host
//! answers to calls and binds it cannot serve, and whether the connection lives on.

use kmsproof::proto::{HostAssociation, HostConfig};
use kmsproof::wire::Guid;
use kmsproof::wire::ndr::RequestStub;
use kmsproof::wire::rpc::{
    Bind, BindAck, Body, ContextElement, FaultStatus, Flags, FrameBuffer, Pdu, RejectReason, Request, ResultCode,
    SyntaxId, TransferSyntax,
};

/// What came back, and whether the host then hangs up.
struct Said {
    frames: Vec<Vec<u8>>,
    closing: bool,
}

impl Said {
    fn only(&self) -> Pdu<'_> {
        assert_eq!(self.frames.len(), 1, "one answer");
        Pdu::decode(&self.frames[0]).expect("a host's own PDU is legal")
    }

    fn nothing(&self) -> bool {
        self.frames.is_empty() && !self.closing
    }
}

fn host() -> HostAssociation {
    HostAssociation::new(HostConfig::default())
}

fn bound() -> HostAssociation {
    let mut host = host();
    let said = tell(&mut host, &bind(vec![element(0, SyntaxId::KMS, &[SyntaxId::NDR32])]));
    assert!(matches!(said.only().body, Body::BindAck(_)));
    host
}

fn tell(host: &mut HostAssociation, pdu: &Pdu<'_>) -> Said {
    tell_bytes(host, &pdu.encode().unwrap())
}

fn tell_bytes(host: &mut HostAssociation, bytes: &[u8]) -> Said {
    host.handle_bytes(bytes);
    let mut frames = FrameBuffer::default();
    let mut said = Said { frames: Vec::new(), closing: host.is_closing() };
    frames.push(&host.poll_transmit().unwrap_or_default());
    while let Some(frame) = frames.next_frame().unwrap() {
        said.frames.push(frame.to_vec());
    }
    said
}

fn bind(contexts: Vec<ContextElement>) -> Pdu<'static> {
    let bind = Bind { max_xmit_frag: 5840, max_recv_frag: 5840, assoc_group: 0, contexts };
    Pdu::whole(2, Body::Bind(bind))
}

fn element(id: u16, interface: SyntaxId, transfer: &[SyntaxId]) -> ContextElement {
    ContextElement { id, interface, transfer: transfer.to_vec() }
}

fn request(stub: &[u8]) -> Request<'_> {
    Request { alloc_hint: stub.len() as u32, context_id: 0, opnum: 0, object: None, stub }
}

fn stub() -> Vec<u8> {
    let mut stub = Vec::new();
    RequestStub { payload: &[1, 2, 3, 4] }.write(TransferSyntax::Ndr32, &mut stub);
    stub
}

#[track_caller]
fn assert_fault(said: &Said, call_id: u32, context_id: u16, status: FaultStatus, flags: Flags, closing: bool) {
    let pdu = said.only();
    let Body::Fault(fault) = &pdu.body else { panic!("{pdu:?}") };
    assert_eq!((pdu.call_id, fault.context_id, fault.status), (call_id, context_id, status));
    assert_eq!((pdu.flags, said.closing), (Flags::WHOLE.with(flags), closing));
    assert!(fault.stub.is_empty() && fault.alloc_hint != 0);
}

#[track_caller]
fn assert_nak(said: &Said, reason: RejectReason) {
    let pdu = said.only();
    let Body::BindNak(nak) = &pdu.body else { panic!("{pdu:?}") };
    assert_eq!((nak.reason, said.closing), (reason, true));
}

#[test]
fn a_call_on_a_context_nobody_opened_is_an_unknown_interface_and_the_connection_lives() {
    let (mut host, stub) = (bound(), stub());
    let wrong = Request { context_id: 12_345, ..request(&stub) };
    let said = tell(&mut host, &Pdu::whole(3, Body::Request(wrong)));
    assert_fault(&said, 3, 0, FaultStatus::UNKNOWN_INTERFACE, Flags::DID_NOT_EXECUTE, false);
    tell(&mut host, &Pdu::whole(4, Body::Request(request(&stub))));
    assert_eq!(host.poll_call().expect("the next call is served").payload, [1, 2, 3, 4]);
}

#[test]
fn an_operation_there_is_none_of_is_out_of_range() {
    let stub = stub();
    for opnum in [1, 99, 0xffff] {
        let mut host = bound();
        let said = tell(&mut host, &Pdu::whole(3, Body::Request(Request { opnum, ..request(&stub) })));
        assert_fault(&said, 3, 0, FaultStatus::OP_RANGE_ERROR, Flags::DID_NOT_EXECUTE, false);
        assert_eq!(host.poll_call(), None);
    }
}

#[test]
fn arguments_that_cannot_be_read_are_bad_stub_data() {
    let huge = [0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f, 1];
    for wrong in [&[][..], &[4, 0, 0], &[4, 0, 0, 0, 4, 0, 0, 0, 1], &[4, 0, 0, 0, 5, 0, 0, 0, 1, 2, 3, 4, 5], &huge] {
        let mut host = bound();
        let said = tell(&mut host, &Pdu::whole(3, Body::Request(request(wrong))));
        assert_fault(&said, 3, 0, FaultStatus::BAD_STUB_DATA, Flags::default(), false);
    }
}

#[test]
fn bytes_after_the_arguments_an_object_and_idle_flags_do_no_harm() {
    let mut long = stub();
    long.extend([9; 5]);
    let object = Some(Guid::from_u128(7));
    for flags in [Flags::WHOLE, Flags::WHOLE.with(Flags::MAYBE), Flags::WHOLE.with(Flags::DID_NOT_EXECUTE)] {
        let mut host = bound();
        tell(&mut host, &Pdu { flags, ..Pdu::whole(3, Body::Request(Request { object, ..request(&long) })) });
        assert_eq!(host.poll_call().expect("served").payload, [1, 2, 3, 4]);
    }
}

#[test]
fn a_big_endian_client_is_understood() {
    let mut host = host();
    let (interface, syntax) = (SyntaxId::KMS, SyntaxId::NDR32);
    let big_endian =
        |syntax: SyntaxId| [&syntax.uuid.as_u128().to_be_bytes()[..], &syntax.version.to_be_bytes()].concat();
    let mut bind =
        vec![5, 0, 11, 3, 0, 0, 0, 0, 0, 72, 0, 0, 0, 0, 0, 2, 0x16, 0xd0, 0x16, 0xd0, 0, 0, 0, 0, 1, 0, 0, 0];
    bind.extend([0, 0, 1, 0]);
    bind.extend(big_endian(interface));
    bind.extend(big_endian(syntax));
    let said = tell_bytes(&mut host, &bind);
    let pdu = said.only();
    let Body::BindAck(BindAck { results, .. }) = &pdu.body else { panic!("{pdu:?}") };
    assert_eq!((results[0].result, results[0].syntax), (ResultCode::ACCEPTED, SyntaxId::NDR32));
    let mut call = vec![5, 0, 0, 3, 0, 0, 0, 0, 0, 36, 0, 0, 0, 0, 0, 3, 0, 0, 0, 12, 0, 0, 0, 0];
    call.extend([0, 0, 0, 4, 0, 0, 0, 4, 1, 2, 3, 4]);
    tell_bytes(&mut host, &call);
    assert_eq!(host.poll_call().expect("served").payload, [1, 2, 3, 4]);
}

#[test]
fn contexts_are_accepted_and_refused_one_by_one() {
    let other = SyntaxId { uuid: Guid::from_u128(1), version: 1 };
    let features = SyntaxId::bind_time_features(0xffff);
    let old = SyntaxId { version: 1, ..SyntaxId::NDR32 };
    let newer = SyntaxId { version: 2, ..SyntaxId::KMS };
    type Results = Vec<(u16, u16)>;
    let cases: [(Vec<ContextElement>, Results); 8] = [
        (vec![element(0, SyntaxId::KMS, &[SyntaxId::NDR32])], vec![(0, 0)]),
        (vec![element(0, other, &[SyntaxId::NDR32])], vec![(2, 1)]),
        (vec![element(0, newer, &[SyntaxId::NDR32])], vec![(2, 1)]),
        (vec![element(0, SyntaxId::KMS, &[other])], vec![(2, 2)]),
        (vec![element(0, SyntaxId::KMS, &[old])], vec![(2, 2)]),
        (vec![element(0, SyntaxId::KMS, &[other, SyntaxId::NDR32])], vec![(0, 0)]),
        (
            vec![element(0, SyntaxId::KMS, &[SyntaxId::NDR32]), element(1, SyntaxId::KMS, &[SyntaxId::NDR64])],
            vec![(2, 2), (0, 0)],
        ),
        (
            vec![element(0, SyntaxId::KMS, &[SyntaxId::NDR32]), element(2, SyntaxId::KMS, &[features])],
            vec![(0, 0), (3, 3)],
        ),
    ];
    for (contexts, expected) in cases {
        let mut host = host();
        let said = tell(&mut host, &bind(contexts.clone()));
        let pdu = said.only();
        let Body::BindAck(ack) = &pdu.body else { panic!("{pdu:?}") };
        let got: Vec<_> = ack.results.iter().map(|result| (result.result.0, result.reason)).collect();
        assert_eq!((got, said.closing), (expected, false), "{contexts:?}");
        assert_eq!(ack.secondary_address_text(), Some("1688"));
    }
}

#[test]
fn fragment_sizes_settle_where_windows_settles_them() {
    for (xmit, recv, settled) in [(0xffff, 0xffff, 5840), (0, 5840, 2048), (3199, 0xffff, 3192), (5840, 5840, 5840)] {
        let contexts = vec![element(0, SyntaxId::KMS, &[SyntaxId::NDR32])];
        let offer = Bind { max_xmit_frag: xmit, max_recv_frag: recv, assoc_group: 0, contexts };
        let mut host = host();
        let said = tell(&mut host, &Pdu::whole(2, Body::Bind(offer)));
        let pdu = said.only();
        let Body::BindAck(ack) = &pdu.body else { panic!("{pdu:?}") };
        assert_eq!((ack.max_xmit_frag, ack.max_recv_frag), (settled, settled));
    }
}

#[test]
fn binds_that_break_the_rules_are_refused_and_end_the_connection() {
    let twice = bind(vec![
        element(0, SyntaxId::KMS, &[SyntaxId::bind_time_features(1)]),
        element(1, SyntaxId::KMS, &[SyntaxId::bind_time_features(2)]),
    ]);
    assert_nak(&tell(&mut host(), &twice), RejectReason::NOT_SPECIFIED);
    assert_nak(&tell(&mut host(), &bind(Vec::new())), RejectReason::PROTOCOL_VERSION_NOT_SUPPORTED);
    assert_nak(&tell(&mut host(), &bind(vec![element(0, SyntaxId::KMS, &[])])), RejectReason::NOT_SPECIFIED);
    let good = bind(vec![element(0, SyntaxId::KMS, &[SyntaxId::NDR32])]);
    assert_nak(&tell(&mut bound(), &good), RejectReason::NOT_SPECIFIED);
    let mut old = good.encode().unwrap();
    old[0] = 4;
    assert_nak(&tell_bytes(&mut host(), &old), RejectReason::PROTOCOL_VERSION_NOT_SUPPORTED);
}

#[test]
fn nothing_is_served_before_a_bind() {
    let stub = stub();
    for body in [Body::Request(request(&stub)), Body::CoCancel] {
        assert_nak(&tell(&mut host(), &Pdu::whole(2, body)), RejectReason::PROTOCOL_VERSION_NOT_SUPPORTED);
    }
}

#[test]
fn a_context_can_be_added_later_and_not_changed() {
    let alter = |contexts| {
        Pdu::whole(3, Body::AlterContext(Bind { max_xmit_frag: 1, max_recv_frag: 1, assoc_group: 9, contexts }))
    };
    let mut host = bound();
    let said = tell(&mut host, &alter(vec![element(7, SyntaxId::KMS, &[SyntaxId::NDR64])]));
    let pdu = said.only();
    let Body::AlterContextResponse(ack) = &pdu.body else { panic!("{pdu:?}") };
    assert_eq!((ack.results[0].result, ack.max_recv_frag, ack.assoc_group), (ResultCode::ACCEPTED, 5840, 1));
    assert!(ack.secondary_address.is_empty());

    let other = SyntaxId { uuid: Guid::from_u128(1), version: 1 };
    for change in [
        vec![element(0, other, &[SyntaxId::NDR32])],
        vec![element(0, SyntaxId::KMS, &[SyntaxId::NDR64])],
        vec![element(8, SyntaxId::KMS, &[])],
        Vec::new(),
    ] {
        let said = tell(&mut bound(), &alter(change));
        assert_fault(&said, 3, 0, FaultStatus::PROTOCOL_ERROR, Flags::DID_NOT_EXECUTE, true);
    }
}

#[test]
fn fragments_must_come_in_order_and_cancels_of_nothing_are_passed_over() {
    let stub = stub();
    let part = |flags, piece| Pdu { flags, ..Pdu::whole(3, Body::Request(request(piece))) };
    let mut host = bound();
    assert!(tell(&mut host, &part(Flags::FIRST, &stub[..8])).nothing());
    assert!(tell(&mut host, &Pdu::whole(3, Body::CoCancel)).nothing());
    assert!(tell(&mut host, &part(Flags::LAST, &stub[8..])).nothing());
    assert_eq!(host.poll_call().expect("joined").payload, [1, 2, 3, 4]);
    for flags in [Flags::LAST, Flags(0)] {
        let said = tell(&mut bound(), &part(flags, &stub));
        assert_fault(&said, 3, 0, FaultStatus::PROTOCOL_ERROR, Flags::default(), true);
    }
    let mut host = bound();
    tell(&mut host, &part(Flags::FIRST, &stub[..8]));
    let said = tell(&mut host, &Pdu { flags: Flags::LAST, ..Pdu::whole(4, Body::Request(request(&stub[8..]))) });
    assert_fault(&said, 3, 0, FaultStatus::PROTOCOL_ERROR, Flags::default(), true);
}

#[test]
fn a_call_without_end_is_cut_off_at_four_mebibytes() {
    let mut host = bound();
    let said = tell(
        &mut host,
        &Pdu {
            flags: Flags::FIRST,
            ..Pdu::whole(3, Body::Request(Request { alloc_hint: (4 << 20) + 1, ..request(&[0; 8]) }))
        },
    );
    assert_fault(&said, 3, 0, FaultStatus::ACCESS_DENIED, Flags::default(), true);
}

#[test]
fn what_only_a_host_may_send_ends_the_connection() {
    for body in [Body::Shutdown, Body::Auth3] {
        let said = tell(&mut bound(), &Pdu::whole(3, body));
        assert_fault(&said, 3, 0, FaultStatus::PROTOCOL_ERROR, Flags::DID_NOT_EXECUTE, true);
    }
    let mut unknown = Pdu::whole(3, Body::Shutdown).encode().unwrap();
    unknown[2] = 99;
    let said = tell_bytes(&mut bound(), &unknown);
    assert!(said.frames.is_empty() && said.closing);
}
