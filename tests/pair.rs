//! Two machines in memory on a virtual clock: the client's association and the
//! host's mirror with the lab behind it, over every kind of delivery a network
//! can make of their bytes. There is always a verdict, never a hang, never a panic.

use std::collections::VecDeque;
use std::time::Duration;

use kmsproof::catalog;
use kmsproof::client::identity::{ClientId, Group, Index, workstation_name};
use kmsproof::client::{Machine, Randomness};
use kmsproof::lab::{HostIdentity, LabHost};
use kmsproof::proto::verify::Level;
use kmsproof::proto::{
    Answer, Ask, Association, AssociationConfig, AssociationEvent, Failure, FailureKind, HostAssociation, HostConfig,
    Moment, Offer, Outcome, Verdict,
};
use kmsproof::wire::kms::{ProtocolVersion, WorkstationName};
use kmsproof::wire::rpc::TransferSyntax;
use kmsproof::wire::{FileTime, Hresult};

const NOW: FileTime = FileTime::RECORDED_AT;
const CALLS: usize = 2;
/// A livelock is a failure, not a hang.
const STEPS_MAX: usize = 50_000;

/// What the network makes of the bytes one side sends.
#[derive(Debug, Clone, Copy)]
enum Delivery {
    /// Each piece as it was sent.
    AsSent,
    /// Every byte alone.
    ByteByByte,
    /// Each piece cut in two at this byte, if it is that long.
    CutAt(usize),
    /// Whatever waits arrives as one piece.
    Coalesced,
}

/// What the host does after it has sent so many bytes.
#[derive(Debug, Clone, Copy)]
enum Ending {
    Silence,
    Close,
    Reset,
}

#[derive(Debug, Clone, Copy)]
struct Setup {
    offer: Offer,
    version: ProtocolVersion,
    delivery: Delivery,
    client_fragment: u16,
    host_fragment: u16,
    host_ndr64: bool,
    stop: Option<(usize, Ending)>,
}

impl Setup {
    fn new(offer: Offer, version: ProtocolVersion) -> Setup {
        Setup {
            offer,
            version,
            delivery: Delivery::AsSent,
            client_fragment: 5840,
            host_fragment: 5840,
            host_ndr64: true,
            stop: None,
        }
    }
}

/// What a whole conversation came to.
#[derive(Debug, Default)]
struct Conversation {
    answers: Vec<(Answer, Outcome)>,
    syntaxes: Vec<TransferSyntax>,
    failure: Option<Failure>,
    from_host: usize,
    ended_at: Moment,
}

fn converse(setup: Setup) -> Conversation {
    let config = AssociationConfig {
        offer: setup.offer,
        max_fragment: setup.client_fragment,
        port: Some(1688),
        ..AssociationConfig::default()
    };
    let mut client = Association::new(config);
    let host_config =
        HostConfig { ndr64: setup.host_ndr64, max_fragment: setup.host_fragment, ..HostConfig::default() };
    let mut host = HostAssociation::new(host_config);
    let mut lab = LabHost::new(HostIdentity::default(), 7);
    let mut randomness = Randomness::new(1);
    let mut asks = (0..CALLS).map(|number| ask(number, setup.version, randomness.next_iv())).collect::<VecDeque<_>>();
    let mut open: Option<Ask> = None;
    let mut now = Moment::default();
    let (mut to_host, mut to_client) = (Pipe::default(), Pipe::default());
    let mut came_to = Conversation::default();

    client.begin(now);
    for _ in 0..STEPS_MAX {
        now = now + Duration::from_micros(1);
        while let Some(event) = client.poll_event() {
            match event {
                AssociationEvent::Bound(negotiated) => assert!(negotiated.checks.findings.is_empty(), "{negotiated:?}"),
                AssociationEvent::Replied(reply) => {
                    let answer = open.take().expect("a call was open").judge(&reply, NOW);
                    let outcome = Outcome::conclude(&answer, 2);
                    came_to.syntaxes.push(reply.syntax);
                    came_to.answers.push((answer, outcome));
                }
                AssociationEvent::Failed { failure, checks } => {
                    assert!(open.is_some() || came_to.answers.is_empty(), "a failure with nothing asked: {failure}");
                    let answer = Answer::failed(failure.clone(), checks);
                    came_to.answers.push((answer.clone(), Outcome::conclude(&answer, 2)));
                    came_to.failure = Some(failure);
                }
                AssociationEvent::Pdu { .. } => {}
            }
        }
        if client.is_over() || (asks.is_empty() && open.is_none() && client.is_ready()) {
            came_to.from_host = to_client.delivered;
            came_to.ended_at = now;
            return came_to;
        }
        if client.is_ready() && open.is_none() {
            let ask = asks.pop_front().expect("asks are left");
            client.call(now, ask.payload()).expect("it is ready");
            open = Some(ask);
        }
        if let Some(bytes) = client.poll_transmit() {
            to_host.send(&bytes, setup.delivery);
        }
        while let Some(call) = host.poll_call() {
            let (_, answer) = lab.respond(&call.payload, NOW);
            host.answer(&call, answer.as_deref().map_err(|code| *code));
        }
        if let Some(bytes) = host.poll_transmit() {
            to_client.send(&bytes, setup.delivery);
        }
        if let Some(piece) = to_host.deliver() {
            host.handle_bytes(&piece);
            continue;
        }
        let left = setup.stop.map_or(usize::MAX, |(after, _)| after.saturating_sub(to_client.delivered));
        match to_client.deliver_at_most(left) {
            Some(piece) => client.handle_bytes(now, &piece),
            None => match setup.stop {
                Some((_, Ending::Close)) if left == 0 => client.handle_close(FailureKind::Closed),
                Some((_, Ending::Reset)) if left == 0 => client.handle_close(FailureKind::Reset),
                _ => {
                    // Nothing moves any more: only time does.
                    now = client.poll_deadline().expect("a client that waits has a deadline");
                    client.handle_timeout(now);
                }
            },
        }
    }
    panic!("no verdict after {STEPS_MAX} steps: {setup:?}");
}

/// Bytes under way in one direction, in the pieces they will arrive in.
#[derive(Debug, Default)]
struct Pipe {
    pieces: VecDeque<Vec<u8>>,
    delivered: usize,
}

impl Pipe {
    fn send(&mut self, bytes: &[u8], delivery: Delivery) {
        match delivery {
            Delivery::AsSent => self.pieces.push_back(bytes.to_vec()),
            Delivery::ByteByByte => self.pieces.extend(bytes.iter().map(|&byte| vec![byte])),
            Delivery::CutAt(at) if at < bytes.len() => {
                self.pieces.push_back(bytes[..at].to_vec());
                self.pieces.push_back(bytes[at..].to_vec());
            }
            Delivery::CutAt(_) => self.pieces.push_back(bytes.to_vec()),
            Delivery::Coalesced => match self.pieces.back_mut() {
                Some(waiting) => waiting.extend_from_slice(bytes),
                None => self.pieces.push_back(bytes.to_vec()),
            },
        }
    }

    fn deliver(&mut self) -> Option<Vec<u8>> {
        self.deliver_at_most(usize::MAX)
    }

    fn deliver_at_most(&mut self, most: usize) -> Option<Vec<u8>> {
        if most == 0 {
            return None;
        }
        let mut piece = self.pieces.pop_front()?;
        if piece.len() > most {
            self.pieces.push_front(piece.split_off(most));
        }
        self.delivered += piece.len();
        Some(piece)
    }
}

fn ask(number: usize, version: ProtocolVersion, iv: [u8; 16]) -> Ask {
    let index = Index::new(number as u32 + 1).unwrap();
    let id = ClientId::mint(1, Group::default(), index);
    let name = WorkstationName::new(&workstation_name("pair", index)).unwrap();
    let product = catalog::find("Windows Server 2022 Standard").unwrap();
    Ask::new(Machine::new(format!("pair {number}"), id, name, product, NOW).request(version, NOW, NOW), iv)
}

fn offers() -> [Offer; 3] {
    [Offer::Windows, Offer::Only(TransferSyntax::Ndr32), Offer::Only(TransferSyntax::Ndr64)]
}

fn setups() -> impl Iterator<Item = Setup> {
    offers().into_iter().flat_map(|offer| ProtocolVersion::ALL.map(|version| Setup::new(offer, version)))
}

/// Both calls answered, every check held: the first counts one machine, the second two, which is enough.
fn assert_whole(setup: Setup, came_to: &Conversation) {
    assert_eq!(came_to.failure, None, "{setup:?}");
    let verdicts: Vec<_> = came_to.answers.iter().map(|(_, outcome)| outcome.verdict).collect();
    assert_eq!(verdicts, [Verdict::Refused(Hresult::NOT_ENOUGH_COUNT), Verdict::Activated], "{setup:?}");
    for (answer, _) in &came_to.answers {
        assert!(answer.checks.findings.is_empty(), "{setup:?}: {:?}", answer.checks.findings);
    }
}

#[test]
fn whole_exchanges_under_every_delivery() {
    for setup in setups() {
        for delivery in [Delivery::AsSent, Delivery::ByteByByte, Delivery::Coalesced] {
            let setup = Setup { delivery, ..setup };
            let came_to = converse(setup);
            assert_whole(setup, &came_to);
            let expected = match setup.offer {
                Offer::Windows => [TransferSyntax::Ndr32, TransferSyntax::Ndr64],
                Offer::Only(syntax) => [syntax, syntax],
            };
            assert_eq!(came_to.syntaxes, expected, "{setup:?}");
        }
    }
}

#[test]
fn whole_exchanges_cut_at_every_byte() {
    for setup in setups() {
        for at in 1..=320 {
            let setup = Setup { delivery: Delivery::CutAt(at), ..setup };
            assert_whole(setup, &converse(setup));
        }
    }
}

#[test]
fn whole_exchanges_in_fragments_of_every_size() {
    for setup in setups() {
        for size in (24..=340).step_by(4) {
            for (client_fragment, host_fragment) in [(size, 5840), (5840, size), (size, size)] {
                let setup = Setup { client_fragment, host_fragment, ..setup };
                assert_whole(setup, &converse(setup));
            }
        }
    }
}

#[test]
fn fragments_byte_by_byte() {
    for setup in setups() {
        let setup = Setup { client_fragment: 64, host_fragment: 64, delivery: Delivery::ByteByByte, ..setup };
        assert_whole(setup, &converse(setup));
    }
}

#[test]
fn a_host_without_ndr64_is_spoken_to_in_ndr32() {
    let setup = Setup { host_ndr64: false, ..Setup::new(Offer::Windows, ProtocolVersion::V6) };
    let came_to = converse(setup);
    assert_whole(setup, &came_to);
    assert_eq!(came_to.syntaxes, [TransferSyntax::Ndr32; 2]);
    let only = Setup { host_ndr64: false, ..Setup::new(Offer::Only(TransferSyntax::Ndr64), ProtocolVersion::V6) };
    let failure = converse(only).failure.expect("no common syntax");
    assert_eq!(failure.kind, FailureKind::SyntaxNotSpoken(TransferSyntax::Ndr64));
}

#[test]
fn a_host_that_stops_at_any_byte_gets_a_verdict() {
    for setup in setups() {
        let whole = converse(setup).from_host;
        assert!(whole > 300, "{whole}");
        for after in 0..whole {
            for ending in [Ending::Silence, Ending::Close, Ending::Reset] {
                let setup = Setup { stop: Some((after, ending)), ..setup };
                let came_to = converse(setup);
                let failure = came_to.failure.as_ref().unwrap_or_else(|| panic!("{setup:?} went unnoticed"));
                let expected = match ending {
                    Ending::Silence => "timeout",
                    Ending::Close => "closed",
                    Ending::Reset => "reset",
                };
                assert_eq!(failure.class(), expected, "{setup:?}: {failure}");
                let (answer, outcome) = came_to.answers.last().expect("a verdict");
                assert_eq!(outcome.verdict, Verdict::Refused(Hresult::BINDING_SERVICE_UNAVAILABLE));
                let named = answer.checks.failed.iter().any(|check| check.check().level == Level::Must);
                assert!(named, "{setup:?}: no check names it");
                // Two binds and two calls at most, each with its five seconds.
                assert!(came_to.ended_at.0 < Duration::from_secs(21), "{setup:?}: {:?}", came_to.ended_at);
            }
        }
    }
}
