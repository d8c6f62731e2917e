//! A connection between the two machines of the protocol with no socket between them.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::connection::{Failed, Settings};
use crate::events::{Bytes, Event, Opened};
use crate::proto::{
    Association, AssociationConfig, AssociationEvent, Failure, FailureKind, HostAssociation, HostConfig, Moment,
    Negotiated, Offer, Phase, Reply,
};
use crate::wire::Hresult;
use crate::wire::kms::PORT;

/// An association in memory: bytes are there as soon as they are sent.
#[derive(Debug)]
pub(super) struct Link {
    id: u64,
    offer: Offer,
    client: Association,
    host: HostAssociation,
    bytes: Bytes,
    events: Vec<Event>,
}

/// Who answers a call: with an enveloped response, with a code, or by hanging up.
pub(super) type Respond<'r> = &'r mut dyn FnMut(&[u8]) -> Option<Result<Vec<u8>, Hresult>>;

impl Link {
    /// A connection that was just made; it is the `id`-th of the run, from 0.
    pub fn new(id: u64, offer: Offer, settings: Settings) -> Link {
        let client = Association::new(AssociationConfig {
            offer,
            bind_timeout: settings.timeout,
            call_timeout: settings.timeout,
            port: Some(PORT),
            record: settings.record,
            ..AssociationConfig::default()
        });
        // 0 asks for a new group; no host calls one that.
        let assoc_group = FIRST_ASSOC_GROUP.wrapping_add(id as u32).max(1);
        let host = HostAssociation::new(HostConfig { assoc_group, ..HostConfig::default() });
        Link { id, offer, client, host, bytes: Bytes::default(), events: Vec::new() }
    }

    pub fn id(&self) -> u64 {
        self.id
    }

    pub fn offer(&self) -> Offer {
        self.offer
    }

    pub fn is_usable(&self) -> bool {
        self.client.is_ready()
    }

    pub fn take_bytes(&mut self) -> Bytes {
        std::mem::take(&mut self.bytes)
    }

    /// The PDUs since this was last asked.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// What tells that the connection is open. Its addresses are what they would be on one machine.
    pub fn opened_event(&self, at: Moment) -> Event {
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, FIRST_PORT + (self.id % PORTS) as u16));
        Event::ConnectionOpened { id: self.id, local, peer: SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)), at }
    }

    /// Binds.
    pub fn bind(&mut self, now: Moment) -> Result<Opened, Failed> {
        self.client.begin(now);
        match self.drive(now, &mut |_| Some(Err(Hresult::INVALID_DATA)))? {
            Said::Bound(negotiated) => Ok(Opened { connect: Duration::ZERO, negotiated }),
            Said::Replied(_) => unreachable!("nothing was called yet"),
        }
    }

    /// Makes one call.
    pub fn call(&mut self, now: Moment, payload: &[u8], respond: Respond<'_>) -> Result<Reply, Failed> {
        if self.client.call(now, payload).is_err() {
            return Err(Failed::unsent(Failure::new(Phase::Call, FailureKind::Closed)));
        }
        match self.drive(now, respond).map_err(|failed| Failed { sent: Some(now), ..failed })? {
            Said::Replied(reply) => Ok(reply),
            Said::Bound(_) => unreachable!("it is bound already"),
        }
    }

    /// Carries bytes both ways until the client has something to say. What neither has anything to
    /// add to is a host that keeps silent.
    fn drive(&mut self, now: Moment, respond: Respond<'_>) -> Result<Said, Failed> {
        loop {
            while let Some(event) = self.client.poll_event() {
                match event {
                    AssociationEvent::Pdu { sender, at, bytes } => {
                        self.events.push(Event::Pdu { connection: self.id, sender, at, bytes });
                    }
                    AssociationEvent::Bound(negotiated) => return Ok(Said::Bound(negotiated)),
                    AssociationEvent::Replied(reply) => return Ok(Said::Replied(reply)),
                    AssociationEvent::Failed { failure, checks } => {
                        return Err(Failed { failure: Box::new(failure), checks, sent: None });
                    }
                }
            }
            if let Some(bytes) = self.client.poll_transmit() {
                self.bytes.sent += bytes.len() as u64;
                self.host.handle_bytes(&bytes);
            }
            let mut hung_up = false;
            while let Some(call) = self.host.poll_call() {
                match respond(&call.payload) {
                    Some(answer) => self.host.answer(&call, answer.as_deref().map_err(|code| *code)),
                    None => hung_up = true,
                }
            }
            if hung_up {
                self.client.handle_close(FailureKind::Closed);
                continue;
            }
            match self.host.poll_transmit() {
                Some(bytes) => {
                    self.bytes.received += bytes.len() as u64;
                    self.client.handle_bytes(now, &bytes);
                }
                None if self.host.is_closing() => self.client.handle_close(FailureKind::Closed),
                None => {
                    let deadline = self.client.poll_deadline().unwrap_or(now);
                    self.client.handle_timeout(deadline);
                }
            }
        }
    }
}

enum Said {
    Bound(Negotiated),
    Replied(Reply),
}

/// Any number but 0 serves.
const FIRST_ASSOC_GROUP: u32 = 0x6b6d_0001;
/// The range systems take ports of their own from.
const FIRST_PORT: u16 = 49_152;
const PORTS: u64 = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_hangs_up_leaves_a_closed_connection() {
        let settings = Settings { timeout: Duration::from_secs(5), record: false };
        let mut link = Link::new(0, Offer::default(), settings);
        link.bind(Moment::default()).unwrap();
        let failed = link.call(Moment::default(), &[1, 2, 3, 4], &mut |_| None).unwrap_err();
        assert_eq!((failed.failure.phase, failed.failure.kind), (Phase::Call, FailureKind::Closed));
        assert!(!link.is_usable());
    }
}
