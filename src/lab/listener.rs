//! The lab host's sockets. Loopback only.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::LabHost;
use super::session::{Action, Session, lock};
use crate::proto::HostConfig;
use crate::wire::kms::ActivationRequest;
use crate::wire::rpc::MAX_FRAGMENT;
use crate::wire::{FileTime, Hresult};

/// What a lab host tells of each request it served.
#[derive(Debug)]
pub struct Served<'a> {
    /// Who asked.
    pub peer: SocketAddr,
    /// What was asked, when it could be read.
    pub request: Option<&'a ActivationRequest>,
    /// `S_OK`, or the code it was refused with.
    pub code: Hresult,
}

/// Someone who is told of each request.
pub type Observer = Arc<dyn Fn(&Served<'_>) + Send + Sync>;

/// What the host goes by for the time: any clock, a shifted one too.
pub type HostClock = Arc<dyn Fn() -> FileTime + Send + Sync>;

/// A lab host bound to its addresses, ready to serve.
pub struct LabListener {
    listeners: Vec<TcpListener>,
    desk: Desk,
}

/// A lab host that is down: its ports are kept, and refuse connections.
pub struct ClosedLab {
    /// Bound and not listening, so that nobody else gets the ports meanwhile.
    sockets: Vec<TcpSocket>,
    desk: Desk,
}

/// What it takes to serve, whichever socket there is.
struct Desk {
    /// One, or more.
    addresses: Vec<SocketAddr>,
    host: Arc<Mutex<LabHost>>,
    ndr64: bool,
    clock: HostClock,
    observer: Observer,
    /// When the next answer may go, where they are spaced.
    turn: Arc<Mutex<Option<Instant>>>,
}

/// Why a lab host cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address is not loopback.
    #[error(
        "the lab host listens on loopback addresses only, and {0} is none: it is a test fixture, not an activation service"
    )]
    NotLoopback(SocketAddr),
    /// The system refuses.
    #[error("cannot listen on {0}: {1}")]
    Io(SocketAddr, std::io::Error),
}

impl LabListener {
    /// Binds a loopback address; port 0 lets the system choose. `clock` is the host's clock.
    pub async fn bind(
        address: SocketAddr,
        host: Arc<Mutex<LabHost>>,
        clock: HostClock,
    ) -> Result<LabListener, BindError> {
        LabListener::bind_all(&[address], host, clock).await
    }

    /// The same of several addresses, at least one, at each of which it is the same host.
    pub async fn bind_all(
        asked: &[SocketAddr],
        host: Arc<Mutex<LabHost>>,
        clock: HostClock,
    ) -> Result<LabListener, BindError> {
        let (mut listeners, mut addresses) = (Vec::new(), Vec::new());
        for address in asked.iter().copied() {
            if !address.ip().is_loopback() {
                return Err(BindError::NotLoopback(address));
            }
            let failed = |error| BindError::Io(address, error);
            let listener = listen(socket_at(address).map_err(failed)?).map_err(failed)?;
            addresses.push(listener.local_addr().map_err(failed)?);
            listeners.push(listener);
        }
        let desk = Desk { addresses, host, ndr64: true, clock, observer: Arc::new(|_| {}), turn: Arc::default() };
        Ok(LabListener { listeners, desk })
    }

    /// Whether the host speaks NDR64; it does unless told otherwise.
    #[must_use]
    pub fn ndr64(mut self, ndr64: bool) -> LabListener {
        self.desk.ndr64 = ndr64;
        self
    }

    /// Tells `observer` of each request.
    #[must_use]
    pub fn observed_by(mut self, observer: Observer) -> LabListener {
        self.desk.observer = observer;
        self
    }

    /// Where it listens first.
    pub fn address(&self) -> SocketAddr {
        self.desk.addresses[0]
    }

    /// Everywhere it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.desk.addresses
    }

    /// Serves until it is dropped. At most 4,096 connections at a time; more wait.
    pub async fn serve(self) {
        self.serve_until(std::future::pending()).await;
    }

    /// Serves until `end`, and then closes every connection and the port.
    ///
    /// # Errors
    /// When somebody else takes the port in that moment.
    pub async fn close_after(self, end: impl Future<Output = ()>) -> std::io::Result<ClosedLab> {
        let desk = self.serve_until(end).await;
        let sockets = desk.addresses.iter().copied().map(socket_at).collect::<Result<_, _>>()?;
        Ok(ClosedLab { sockets, desk })
    }

    async fn serve_until(self, end: impl Future<Output = ()>) -> Desk {
        let LabListener { listeners, desk } = self;
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let groups = AtomicU32::new(FIRST_ASSOC_GROUP);
        let mut connections = tokio::task::JoinSet::new();
        tokio::pin!(end);
        loop {
            let accepted = async {
                let place = Arc::clone(&room).acquire_owned().await.expect("nobody closes it");
                (place, next_client(&listeners).await)
            };
            let (place, accepted) = tokio::select! {
                biased;
                () = &mut end => break,
                accepted = accepted => accepted,
            };
            while connections.try_join_next().is_some() {}
            let Ok((address, stream, peer)) = accepted else {
                // Out of file descriptors, or a client gone before it was accepted: others are not to suffer.
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            let open = CONNECTIONS_MAX - 1 - room.available_permits();
            if !lock(&desk.host).admits(open) {
                // A reset, as of a port that nothing listens on.
                let _ = stream.set_zero_linger();
                continue;
            }
            let config = HostConfig {
                port: desk.addresses[address].port(),
                ndr64: desk.ndr64,
                // 0 asks for a new group; no host calls one that.
                assoc_group: groups.fetch_add(1, Ordering::Relaxed).max(1),
                max_fragment: MAX_FRAGMENT,
                ..HostConfig::default()
            };
            let (host, clock, observer) = (Arc::clone(&desk.host), Arc::clone(&desk.clock), Arc::clone(&desk.observer));
            let turn = Arc::clone(&desk.turn);
            connections.spawn(async move {
                let _place = place;
                // A connection that breaks is its client's affair.
                let leaving = Leaving { host: &host, session: Session::new(&host, config, address, open) };
                let _ = serve_connection(stream, peer, leaving, (&host, &turn), &clock, &observer).await;
            });
        }
        connections.shutdown().await;
        desk
    }
}

impl ClosedLab {
    /// Listens again, on the same ports.
    ///
    /// # Errors
    /// The system's.
    pub fn open(self) -> std::io::Result<LabListener> {
        let listeners = self.sockets.into_iter().map(listen).collect::<Result<_, _>>()?;
        Ok(LabListener { listeners, desk: self.desk })
    }
}

fn socket_at(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Else connections that were open a moment ago keep the port. Windows needs no leave for
    // that, and would let others in.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn listen(socket: TcpSocket) -> std::io::Result<TcpListener> {
    socket.listen(BACKLOG)
}

/// The next client at any of the addresses, and at which.
async fn next_client(listeners: &[TcpListener]) -> std::io::Result<(usize, TcpStream, SocketAddr)> {
    std::future::poll_fn(|context| {
        for (address, listener) in listeners.iter().enumerate() {
            if let Poll::Ready(accepted) = listener.poll_accept(context) {
                return Poll::Ready(accepted.map(|(stream, peer)| (address, stream, peer)));
            }
        }
        Poll::Pending
    })
    .await
}

/// A connection that the host hears the end of, whatever ends it.
struct Leaving<'h> {
    host: &'h Mutex<LabHost>,
    session: Session,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.session.handle_end(self.host);
    }
}

async fn serve_connection(
    mut stream: TcpStream,
    peer: SocketAddr,
    mut leaving: Leaving<'_>,
    (host, turn): (&Mutex<LabHost>, &Mutex<Option<Instant>>),
    clock: &HostClock,
    observer: &Observer,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let session = &mut leaving.session;
    let idle_max = lock(host).idle_max();
    let mut buffer = vec![0; 8192];
    loop {
        let Ok(read) = tokio::time::timeout(idle_max, stream.read(&mut buffer)).await else { return Ok(()) };
        let read = read.inspect_err(|_| session.handle_reset(host))?;
        if read == 0 {
            return Ok(());
        }
        session.handle_bytes(host, &buffer[..read], clock(), &mut |request, code| {
            observer(&Served { peer, request, code });
        });
        while let Some(action) = session.poll_action() {
            match action {
                Action::Send(bytes) => {
                    if session.drops_on_half_close() && is_half_closed(&stream).await {
                        return Ok(());
                    }
                    // A client that does not read must not keep its place for ever.
                    let written = tokio::time::timeout(idle_max, stream.write_all(&bytes)).await;
                    let Ok(written) = written else { return Ok(()) };
                    written?;
                }
                Action::Wait(wait) => tokio::time::sleep(wait).await,
                Action::TakeTurn(spacing) => tokio::time::sleep_until(next_turn(turn, spacing)).await,
                Action::HangUp => return Ok(()),
                Action::Reset => return stream.set_zero_linger(),
                Action::Finish => {
                    // Half-close and drain: closing over unread bytes would reset the answer away.
                    stream.shutdown().await?;
                    let drain = async { while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {} };
                    let _ = tokio::time::timeout(DRAIN_MAX, drain).await;
                    return Ok(());
                }
            }
        }
    }
}

/// Whether the client sends nothing more, as far as that shows within a moment.
async fn is_half_closed(stream: &TcpStream) -> bool {
    let mut byte = [0];
    matches!(tokio::time::timeout(HALF_CLOSE_WITHIN, stream.peek(&mut byte)).await, Ok(Ok(0)))
}

/// When it is the turn of one more answer, so far from the one before.
fn next_turn(turn: &Mutex<Option<Instant>>, spacing: Duration) -> Instant {
    let mut turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    let at = turn.map_or(now, |next| next.max(now));
    *turn = Some(at + spacing);
    at
}

/// How many connections are served at once.
pub const CONNECTIONS_MAX: usize = 4096;
/// Connections that may wait to be accepted, as many as Linux allows by itself: one that finds no room is reset when
/// it speaks, and a host that is merely slow would be blamed.
const BACKLOG: u32 = 4096;
/// How long a closing connection is read on.
const DRAIN_MAX: Duration = Duration::from_millis(500);
/// How soon after its request a client that sends nothing more is seen to.
const HALF_CLOSE_WITHIN: Duration = Duration::from_millis(20);
/// Any number but 0 serves.
const FIRST_ASSOC_GROUP: u32 = 0x6b6d_0001;
