//! One TCP connection with an association on it.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc::Sender as Events;
use tokio::time::timeout;

use super::clock::Clock;
use super::terms::Closing;
use crate::events::{Bytes, Event, Opened};
use crate::proto::verify::Checks;
use crate::proto::{
    Association, AssociationConfig, AssociationEvent, Failure, FailureKind, Moment, Negotiated, Offer, Phase, Reply,
};

/// What every connection of a run has in common.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How long connecting, binding and calling may each take.
    pub timeout: Duration,
    /// Whether every PDU becomes an event.
    pub record: bool,
}

/// From where a connection is made, and how it is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Way {
    /// The address it is made from; `None`: whichever the system takes.
    pub source: Option<IpAddr>,
    /// How it is closed.
    pub closing: Closing,
}

/// A connection or call that came to nothing.
#[derive(Debug, Clone)]
pub struct Failed {
    /// Why.
    pub failure: Box<Failure>,
    /// What had been checked of the step that failed.
    pub checks: Checks,
    /// When the request was handed to the transport, if it came to that: the host may have it.
    pub sent: Option<Moment>,
}

impl Failed {
    /// A failure before the host could have the request.
    pub fn unsent(failure: Failure) -> Failed {
        Failed { failure: Box::new(failure), checks: Checks::default(), sent: None }
    }
}

/// An open association.
#[derive(Debug)]
pub struct Connection {
    id: u64,
    stream: TcpStream,
    association: Association,
    negotiated: Negotiated,
    connect_time: Duration,
    clock: Clock,
    settings: Settings,
    closing: Closing,
    bytes: Bytes,
    buffer: Vec<u8>,
    /// Why no call can be made any more, when that was found out after an answer.
    over: Option<Failure>,
}

impl Connection {
    /// Connects to the first of `addresses` that lets it, and binds.
    pub async fn open(
        id: u64,
        addresses: &[SocketAddr],
        offer: Offer,
        settings: Settings,
        clock: Clock,
        events: &Events<Event>,
    ) -> Result<Connection, Failed> {
        Connection::open_by(id, addresses, offer, settings, clock, events, Way::default()).await
    }

    /// The same, from an address of one's choice and with an end of one's choice.
    pub async fn open_by(
        id: u64,
        addresses: &[SocketAddr],
        offer: Offer,
        settings: Settings,
        clock: Clock,
        events: &Events<Event>,
        way: Way,
    ) -> Result<Connection, Failed> {
        let before = clock.now();
        let stream = connect_from(way.source, addresses, settings.timeout).await.map_err(Failed::unsent)?;
        let connect_time = clock.now() - before;
        let peer = stream.peer_addr().ok();
        if let (Ok(local), Some(peer)) = (stream.local_addr(), peer) {
            tell(events, Event::ConnectionOpened { id, local, peer, at: clock.now() }).await;
        }
        let association = Association::new(AssociationConfig {
            offer,
            bind_timeout: settings.timeout,
            call_timeout: settings.timeout,
            port: peer.map(|peer| peer.port()),
            record: settings.record,
            ..AssociationConfig::default()
        });
        let mut connection = Connection {
            id,
            stream,
            association,
            negotiated: Negotiated::default(),
            connect_time,
            clock,
            settings,
            closing: way.closing,
            bytes: Bytes::default(),
            buffer: vec![0; READ_SIZE],
            over: None,
        };
        connection.association.begin(clock.now());
        match connection.drive(events).await {
            Ok(Step::Bound(negotiated)) => {
                connection.negotiated = negotiated;
                Ok(connection)
            }
            Ok(Step::Replied(_)) => unreachable!("nothing was called yet"),
            Err(failed) => {
                connection.close(events).await;
                Err(failed)
            }
        }
    }

    /// Makes one call and waits for its answer.
    pub async fn call(&mut self, payload: &[u8], events: &Events<Event>) -> Result<Reply, Failed> {
        if self.association.call(self.clock.now(), payload).is_err() {
            let failure = self.over.clone().unwrap_or_else(|| Failure::new(Phase::Call, FailureKind::Closed));
            return Err(Failed::unsent(failure));
        }
        let sent = self.clock.now();
        match self.drive(events).await.map_err(|failed| Failed { sent: Some(sent), ..failed })? {
            Step::Replied(mut reply) => {
                reply.checks.absorb(self.take_unasked(events).await);
                Ok(reply)
            }
            Step::Bound(_) => unreachable!("it is bound already"),
        }
    }

    /// Whether another call can be made.
    pub fn is_usable(&self) -> bool {
        self.association.is_ready()
    }

    /// The checks of what the host has sent beyond the answer, if it has already.
    async fn take_unasked(&mut self, events: &Events<Event>) -> Checks {
        if let Ok(read @ 1..) = self.stream.try_read(&mut self.buffer) {
            self.bytes.received += read as u64;
            self.association.handle_bytes(self.clock.now(), &self.buffer[..read]);
        }
        let mut checks = Checks::default();
        while let Some(event) = self.association.poll_event() {
            match event {
                AssociationEvent::Pdu { sender, at, bytes } => {
                    tell(events, Event::Pdu { connection: self.id, sender, at, bytes }).await;
                }
                AssociationEvent::Failed { failure, checks: failed } => {
                    self.over = Some(failure);
                    checks.absorb(failed);
                }
                AssociationEvent::Bound(_) | AssociationEvent::Replied(_) => {}
            }
        }
        checks
    }

    /// Ends the connection as a client does, with a FIN, unless it was opened to end with a RST.
    pub async fn close(mut self, events: &Events<Event>) {
        let _ = match self.closing {
            Closing::Fin => self.stream.shutdown().await,
            Closing::Reset => self.stream.set_zero_linger(),
        };
        tell(events, Event::ConnectionClosed { id: self.id, at: self.clock.now() }).await;
    }

    /// Which connection of the run this is.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// How long it took to connect, and what bind and alter_context came to.
    pub fn opened(&self) -> Opened {
        Opened { connect: self.connect_time, negotiated: self.negotiated.clone() }
    }

    /// What went over the connection since this was last asked.
    pub fn take_bytes(&mut self) -> Bytes {
        std::mem::take(&mut self.bytes)
    }

    /// Carries bytes both ways until the association has something to say.
    async fn drive(&mut self, events: &Events<Event>) -> Result<Step, Failed> {
        loop {
            while let Some(event) = self.association.poll_event() {
                match event {
                    AssociationEvent::Pdu { sender, at, bytes } => {
                        tell(events, Event::Pdu { connection: self.id, sender, at, bytes }).await;
                    }
                    AssociationEvent::Bound(negotiated) => return Ok(Step::Bound(negotiated)),
                    AssociationEvent::Replied(reply) => return Ok(Step::Replied(reply)),
                    AssociationEvent::Failed { failure, checks } => {
                        return Err(Failed { failure: Box::new(failure), checks, sent: None });
                    }
                }
            }
            if let Some(bytes) = self.association.poll_transmit() {
                match timeout(self.settings.timeout, self.stream.write_all(&bytes)).await {
                    Ok(Ok(())) => self.bytes.sent += bytes.len() as u64,
                    // What the host said before it closed is worth more than that it did: read on.
                    Ok(Err(_)) => {}
                    Err(_) => self.association.handle_close(FailureKind::Timeout(self.settings.timeout)),
                }
                continue;
            }
            let now = self.clock.now();
            let left = self.association.poll_deadline().map_or(self.settings.timeout, |deadline| deadline - now);
            match timeout(left, self.stream.read(&mut self.buffer)).await {
                Ok(Ok(0)) => self.association.handle_close(FailureKind::Closed),
                Ok(Ok(read)) => {
                    self.bytes.received += read as u64;
                    self.association.handle_bytes(self.clock.now(), &self.buffer[..read]);
                }
                Ok(Err(error)) => self.association.handle_close(broken(&error)),
                // Timers are coarse: the deadline may be a little ahead still, never behind.
                Err(_) => self.association.handle_timeout(self.clock.now().max(now + left)),
            }
        }
    }
}

enum Step {
    Bound(Negotiated),
    Replied(Reply),
}

/// Tells what happened. Whoever stopped listening has said why itself, and the exchange under way
/// is ended in order all the same.
pub(super) async fn tell(events: &Events<Event>, event: Event) {
    let _ = events.send(event).await;
}

/// Tries each address in turn; the last one's failure is the failure.
pub(super) async fn connect(addresses: &[SocketAddr], limit: Duration) -> Result<TcpStream, Failure> {
    connect_from(None, addresses, limit).await
}

/// The same, from an address of one's choice: those it cannot reach are passed over.
async fn connect_from(source: Option<IpAddr>, addresses: &[SocketAddr], limit: Duration) -> Result<TcpStream, Failure> {
    let mut last = FailureKind::Connect("there is no address to connect to".to_owned());
    for &address in addresses.iter().filter(|address| source.is_none_or(|from| from.is_ipv4() == address.is_ipv4())) {
        last = match timeout(limit, connect_one(source, address)).await {
            Ok(Ok(stream)) => {
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => FailureKind::Connect(describe(address, &error)),
            Err(_) => no_answer(address, limit),
        };
    }
    Err(Failure::new(Phase::Connect, last))
}

async fn connect_one(source: Option<IpAddr>, address: SocketAddr) -> std::io::Result<TcpStream> {
    let Some(source) = source else { return TcpStream::connect(address).await };
    let socket = if source.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.bind(SocketAddr::new(source, 0))?;
    socket.connect(address).await
}

/// A connection nobody answered, in words.
pub(super) fn no_answer(address: SocketAddr, limit: Duration) -> FailureKind {
    FailureKind::Connect(format!(
        "no answer from {address} within {limit:?}: the host is down, or a firewall drops TCP {}",
        address.port()
    ))
}

/// Why a connection could not be made, in words.
pub(super) fn describe(address: SocketAddr, error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => format!(
            "{address} refused the connection: nothing listens on that port, or a firewall rejects it (KMS hosts listen on TCP 1688)"
        ),
        ErrorKind::HostUnreachable => format!("no route to the host of {address}"),
        ErrorKind::NetworkUnreachable => format!("no route to the network of {address}"),
        ErrorKind::ConnectionReset => format!("{address} reset the connection while it was being made"),
        ErrorKind::AddrNotAvailable => {
            format!("no local port is left to connect to {address} from (too many connections lately; wait a minute)")
        }
        _ => format!("cannot connect to {address}: {error}"),
    }
}

/// Why a connection broke, in words.
pub(super) fn broken(error: &std::io::Error) -> FailureKind {
    match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => FailureKind::Reset,
        _ => FailureKind::Io(error.to_string()),
    }
}

/// More than the largest fragment a client takes.
const READ_SIZE: usize = 8192;
