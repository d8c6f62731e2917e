//! The express lane against the way everything else goes: what it makes is the same, what it passes
//! passes, and a connection it gives up goes on as if nothing had been.

use kmsproof::catalog;
use kmsproof::client::identity::{ClientId, Group, Index};
use kmsproof::client::{Machine, Randomness};
use kmsproof::lab::{HostIdentity, LabHost};
use kmsproof::proto::express::{Asked, Draft, Known, Plain, Script, Sealed, Verifier, checks_done, seal};
use kmsproof::proto::verify::{Checks, History};
use kmsproof::proto::{
    Answer, Ask, Association, AssociationConfig, AssociationEvent, FailureKind, HostAssociation, HostConfig, Moment,
    Offer,
};
use kmsproof::wire::FileTime;
use kmsproof::wire::kms::{ProtocolVersion, WorkstationName};
use kmsproof::wire::rpc::TransferSyntax;
use proptest::prelude::*;

const NOW: FileTime = FileTime::RECORDED_AT;
const OFFERS: [Offer; 3] = [Offer::Windows, Offer::Only(TransferSyntax::Ndr32), Offer::Only(TransferSyntax::Ndr64)];

/// A client, its connection and the host behind it, in memory.
struct Line {
    association: Association,
    host: HostAssociation,
    lab: LabHost,
    /// What the host said until the connection was open.
    opening: Vec<u8>,
}

impl Line {
    fn open(offer: Offer, group: u32) -> Line {
        let mut association = Association::new(config(offer));
        association.begin(Moment::default());
        let mut host = HostAssociation::new(HostConfig { assoc_group: group, ..HostConfig::default() });
        let mut opening = Vec::new();
        while let Some(bytes) = association.poll_transmit() {
            host.handle_bytes(&bytes);
            let said = host.poll_transmit().unwrap();
            association.handle_bytes(Moment::default(), &said);
            opening.extend(said);
        }
        assert!(matches!(association.poll_event(), Some(AssociationEvent::Bound(_))));
        Line { association, host, lab: LabHost::new(HostIdentity::default(), 1), opening }
    }

    /// The PDU of a request and of its answer.
    fn call(&mut self, ask: &Ask) -> (Vec<u8>, Vec<u8>) {
        self.association.call(Moment::default(), ask.payload()).unwrap();
        let request = self.association.poll_transmit().unwrap();
        self.host.handle_bytes(&request);
        let call = self.host.poll_call().unwrap();
        let answer = self.lab.respond(&call.payload, NOW).1;
        self.host.answer(&call, answer.as_deref().map_err(|code| *code));
        (request, self.host.poll_transmit().unwrap())
    }
}

fn config(offer: Offer) -> AssociationConfig {
    AssociationConfig { offer, port: Some(1688), ..AssociationConfig::default() }
}

fn machine(number: u32) -> Machine {
    let product = catalog::find("Windows Server 2022 Standard").unwrap();
    let id = ClientId::mint(1, Group::default(), Index::new(number).unwrap());
    Machine::new(String::new(), id, WorkstationName::new("pc").unwrap(), product, NOW)
}

fn ask(number: u32, version: ProtocolVersion) -> Ask {
    Ask::new(machine(number).request(version, NOW, NOW), Randomness::new(7).iv(number.into()))
}

fn draft(ask: &Ask, call: (u32, u16, TransferSyntax)) -> Draft {
    let (call_id, context_id, syntax) = call;
    let version = ask.request().version;
    Draft { version, syntax, call_id, context_id, body: ask.request().encode(), iv: *ask.iv() }
}

/// What the ordinary way makes of an answer; `None` when there is none it could judge.
fn the_ordinary_way(before: &Association, ask: &Ask, frame: &[u8]) -> Option<Answer> {
    let mut association = before.clone();
    association.handle_bytes(Moment::default(), frame);
    match association.poll_event()? {
        AssociationEvent::Replied(reply) if association.is_quiet() => Some(ask.judge(&reply, NOW)),
        _ => None,
    }
}

/// An answer that is right, and everything it takes to judge it.
struct Answered {
    asked: Asked,
    ask: Ask,
    waiting: Association,
    frame: Vec<u8>,
}

fn answered(offer: Offer, version: ProtocolVersion, number: u32) -> Answered {
    let mut line = Line::open(offer, 7);
    let script = Script::learn(config(offer), &line.opening).unwrap();
    let ask = ask(number, version);
    let (_, frame) = line.call(&ask);
    let mut asked = [Asked::NOTHING; 8];
    seal(&[draft(&ask, script.call(0).unwrap())], &mut [Sealed::default(); 8], &mut asked);
    let [asked, ..] = asked;
    Answered { asked, ask, waiting: line.association, frame }
}

fn known(answers: &[Answered]) -> Known {
    let mut known = Known::default();
    for answered in answers {
        let answer = the_ordinary_way(&answered.waiting, &answered.ask, &answered.frame).unwrap();
        known.learn(answered.ask.request(), &answer);
        let told = answer.response.as_ref().map(|told| [told.activation_interval_min, told.renewal_interval_min]);
        assert_eq!(known.intervals_min(), told);
    }
    known
}

/// What every answer of one host says must be known from one in V6.
fn all_known() -> Known {
    known(&[answered(Offer::Windows, ProtocolVersion::V6, 1)])
}

#[test]
fn requests_are_the_same_to_the_byte() {
    for offer in OFFERS {
        let mut line = Line::open(offer, 7);
        let script = Script::learn(config(offer), &line.opening).unwrap();
        for calls in 0..20_u32 {
            let asks: Vec<Ask> =
                (0..1 + calls % 8).map(|lane| ask(lane, ProtocolVersion::ALL[(lane + calls) as usize % 3])).collect();
            let call = script.call(calls).unwrap();
            let drafts: Vec<Draft> = asks.iter().map(|ask| draft(ask, call)).collect();
            let mut sealed = [Sealed::default(); 8];
            let mut asked = [Asked::NOTHING; 8];
            seal(&drafts, &mut sealed, &mut asked);
            for ((ask, sealed), asked) in asks.iter().zip(&sealed).zip(asked) {
                let request = line.association.clone();
                let (right, _) = Line { association: request, ..Line::open(offer, 7) }.call(ask);
                assert_eq!(sealed.bytes(), right, "{offer:?}, call {calls}");
                assert_eq!(asked.cmid, ask.request().cmid.to_wire());
            }
            let (_, answer) = line.call(&asks[0]);
            line.association.handle_bytes(Moment::default(), &answer);
            assert!(matches!(line.association.poll_event(), Some(AssociationEvent::Replied(_))));
        }
    }
}

#[test]
fn honest_answers_pass_with_the_checks_of_the_ordinary_way() {
    let known = all_known();
    let mut verifier = Verifier::default();
    for offer in OFFERS {
        for version in ProtocolVersion::ALL {
            let all: Vec<Answered> = (1..=8).map(|number| answered(offer, version, number)).collect();
            for many in 1..=8 {
                let batch: Vec<(&Asked, &[u8])> = all[..many].iter().map(|one| (&one.asked, &one.frame[..])).collect();
                let results = verifier.verify(&known, &batch);
                for (one, result) in all.iter().zip(results).take(many) {
                    let answer = the_ordinary_way(&one.waiting, &one.ask, &one.frame).unwrap();
                    let plain = Plain {
                        count: answer.response.as_ref().unwrap().count,
                        iv: answer.iv.filter(|_| version == ProtocolVersion::V6),
                        random: answer.random,
                    };
                    assert_eq!(result, Some(plain), "{offer:?} {version}");
                    let mut history = History::default();
                    let mut done = answer.checks.clone();
                    done.absorb(history.observe(one.ask.request(), &answer, Moment::default(), Moment::default()));
                    assert_eq!(done.done, checks_done(version), "{version}");
                    assert!(done.failed.is_empty());
                }
                assert!(results[many..].iter().all(Option::is_none));
            }
        }
    }
}

#[test]
fn no_single_wrong_bit_passes_that_the_ordinary_way_finds() {
    let known = all_known();
    let mut verifier = Verifier::default();
    for offer in OFFERS {
        for version in ProtocolVersion::ALL {
            let right = answered(offer, version, 3);
            let mut passed = 0;
            for bit in 0..8 * right.frame.len() {
                let mut frame = right.frame.clone();
                frame[bit / 8] ^= 1 << (bit % 8);
                // In a lane of its own, beside answers that are right.
                let lane = bit % 8;
                let batch: [(&Asked, &[u8]); 8] =
                    std::array::from_fn(|at| (&right.asked, if at == lane { &frame[..] } else { &right.frame[..] }));
                let results = verifier.verify(&known, &batch);
                assert!(results.iter().enumerate().all(|(at, result)| at == lane || result.is_some()));
                if results[lane].is_some() {
                    passed += 1;
                    let answer = the_ordinary_way(&right.waiting, &right.ask, &frame);
                    let checks = answer.map(|answer| answer.checks);
                    assert!(checks.is_some_and(|checks| checks.failed.is_empty()), "{offer:?} {version} bit {bit}");
                }
            }
            // Bits a host may choose: of the referent and the allocation hint.
            assert!(passed <= 64 + 10, "{passed}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_passes_passes_the_ordinary_way(
        offer in 0_usize..3,
        version in 0_usize..3,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
        more in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let known = all_known();
        let right = answered(OFFERS[offer], ProtocolVersion::ALL[version], 5);
        let mut frame = right.frame.clone();
        for (at, byte) in edits {
            let at = at.index(frame.len());
            frame[at] = byte;
        }
        if let Some(cut) = cut {
            frame.truncate(cut.index(frame.len()));
        }
        frame.extend(more);
        let result = Verifier::default().verify(&known, &[(&right.asked, &frame)])[0];
        if result.is_some() {
            let checks: Option<Checks> = the_ordinary_way(&right.waiting, &right.ask, &frame).map(|answer| answer.checks);
            prop_assert!(checks.is_some_and(|checks| checks.failed.is_empty()));
        }
    }
}

#[test]
fn what_is_not_known_is_not_passed() {
    let answer = answered(Offer::Windows, ProtocolVersion::V6, 1);
    let batch = [(&answer.asked, &answer.frame[..])];
    let mut verifier = Verifier::default();
    assert_eq!(verifier.verify(&Known::default(), &batch)[0], None);
    // Of V4 alone no hardware id is known.
    let of_v4 = known(&[answered(Offer::Windows, ProtocolVersion::V4, 1)]);
    assert_eq!(verifier.verify(&of_v4, &batch)[0], None);
    assert!(verifier.verify(&all_known(), &batch)[0].is_some());
}

#[test]
fn an_opening_is_known_again_whatever_its_group() {
    for offer in OFFERS {
        let (one, other) = (Line::open(offer, 7), Line::open(offer, 0x6b6d_0099));
        let script = Script::learn(config(offer), &one.opening).unwrap();
        assert_eq!(script.fits(&one.opening), Some(7));
        assert_eq!(script.fits(&other.opening), Some(0x6b6d_0099));
        assert_eq!(script.fits(&one.opening[1..]), None);
        for bit in 0..8 * one.opening.len() {
            let mut wrong = one.opening.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            let group_of_ack = (20..24).contains(&(bit / 8)) && script.alter().is_none();
            assert_eq!(script.fits(&wrong).is_some(), group_of_ack, "{offer:?} bit {bit}");
        }
        let negotiated = script.negotiated(9, Default::default(), Default::default());
        assert_eq!((negotiated.assoc_group, negotiated.checks.done), (9, script.checks()));
    }
    // What is not whole, or not right, teaches nothing.
    let line = Line::open(Offer::Windows, 7);
    assert!(Script::learn(config(Offer::Windows), &line.opening[..line.opening.len() - 1]).is_none());
    assert!(Script::learn(config(Offer::Windows), &Line::open(Offer::Windows, 0).opening).is_none());
}

#[test]
fn a_connection_given_up_goes_on_as_if_nothing_had_been() {
    let mut garbled = answered(Offer::Windows, ProtocolVersion::V6, 2).frame;
    garbled[40] ^= 1;
    for offer in OFFERS {
        for calls in [0, 1, 5] {
            let mut line = Line::open(offer, 7);
            let script = Script::learn(config(offer), &line.opening).unwrap();
            for number in 1..=calls {
                let (_, answer) = line.call(&ask(number, ProtocolVersion::V6));
                line.association.handle_bytes(Moment::default(), &answer);
                let _ = line.association.poll_event();
            }
            let asks = ask(9, ProtocolVersion::V6);
            let (_, answer) = line.call(&asks);
            let resumed = script.resume_call(7, calls, Moment::default(), asks.payload());
            for frame in [&answer[..], &garbled, &answer[..30], b"HTTP/1.1 400 Bad Request\r\n\r\n"] {
                let heard = |association: &Association| {
                    let mut association = association.clone();
                    association.handle_bytes(Moment::default(), frame);
                    association.handle_close(FailureKind::Closed);
                    format!("{:?}", std::iter::from_fn(|| association.poll_event()).collect::<Vec<_>>())
                };
                assert_eq!(heard(&resumed), heard(&line.association), "{offer:?} after {calls} calls");
            }
        }
        // And while it is being opened, with any part of what the host says.
        let line = Line::open(offer, 7);
        let script = Script::learn(config(offer), &line.opening).unwrap();
        for len in 0..=line.opening.len() {
            let mut whole = Association::new(config(offer));
            whole.begin(Moment::default());
            whole.handle_bytes(Moment::default(), &line.opening[..len]);
            let resumed = script.resume_opening(Moment::default(), &line.opening[..len], Moment::default());
            let told = |mut association: Association| {
                association.handle_close(FailureKind::Closed);
                format!("{:?}", std::iter::from_fn(|| association.poll_event()).collect::<Vec<_>>())
            };
            assert_eq!(told(resumed), told(whole), "{offer:?} after {len} bytes");
        }
    }
}
