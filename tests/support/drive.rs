//! Machines driven without sockets: bytes in, everything that came of it out.

use kmsproof::proto::verify::Checks;
use kmsproof::proto::{Association, AssociationConfig, AssociationEvent, Failure, Moment, Negotiated, Offer, Reply};
use kmsproof::wire::rpc::TransferSyntax;

/// The beginning of every clock here: nothing is late unless a test says so.
pub const START: Moment = Moment(std::time::Duration::ZERO);

/// The port the recorded host listened on.
pub const RECORDED_PORT: u16 = 16_880;

/// Everything an association reported.
#[derive(Debug, Default)]
pub struct Seen {
    pub bound: Option<Negotiated>,
    pub replies: Vec<Reply>,
    pub failed: Option<(Failure, Checks)>,
    pub sent: Vec<u8>,
}

/// Takes everything an association has to say.
pub fn drain(association: &mut Association, seen: &mut Seen) {
    while let Some(bytes) = association.poll_transmit() {
        seen.sent.extend(bytes);
    }
    while let Some(event) = association.poll_event() {
        assert!(seen.failed.is_none(), "nothing happens after a failure: {event:?}");
        match event {
            AssociationEvent::Pdu { .. } => {}
            AssociationEvent::Bound(negotiated) => {
                assert!(seen.bound.replace(negotiated).is_none(), "an association is bound once");
            }
            AssociationEvent::Replied(reply) => seen.replies.push(reply),
            AssociationEvent::Failed { failure, checks } => seen.failed = Some((failure, checks)),
        }
    }
    assert_eq!(seen.failed.is_some(), association.is_over());
}

/// A configuration with an offer and the port of the recorded host.
pub fn config(offer: Offer) -> AssociationConfig {
    AssociationConfig { offer, port: Some(RECORDED_PORT), ..AssociationConfig::default() }
}

/// The offer made by the number of contexts in a recorded bind; the recorder has one of its own
/// with two, for which there is no exact one of ours.
pub fn offer_of(contexts: u8) -> Offer {
    if contexts == 1 { Offer::Only(TransferSyntax::Ndr32) } else { Offer::Windows }
}
