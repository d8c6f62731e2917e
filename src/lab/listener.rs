//! The lab host's sockets. Loopback only.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::LabHost;
use crate::proto::{HostAssociation, HostConfig};
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

/// A lab host bound to an address, ready to serve.
pub struct LabListener {
    listener: TcpListener,
    address: SocketAddr,
    host: Arc<Mutex<LabHost>>,
    ndr64: bool,
    clock: HostClock,
    observer: Observer,
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
        if !address.ip().is_loopback() {
            return Err(BindError::NotLoopback(address));
        }
        let failed = |error| BindError::Io(address, error);
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(LabListener { listener, address, host, ndr64: true, clock, observer: Arc::new(|_| {}) })
    }

    /// Whether the host speaks NDR64; it does unless told otherwise.
    #[must_use]
    pub fn ndr64(self, ndr64: bool) -> LabListener {
        LabListener { ndr64, ..self }
    }

    /// Tells `observer` of each request.
    #[must_use]
    pub fn observed_by(self, observer: Observer) -> LabListener {
        LabListener { observer, ..self }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until it is dropped. At most 4,096 connections at a time; more wait.
    pub async fn serve(self) {
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let groups = AtomicU32::new(FIRST_ASSOC_GROUP);
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
            while connections.try_join_next().is_some() {}
            let Ok((stream, peer)) = self.listener.accept().await else {
                // Out of file descriptors, or a client gone before it was accepted: others are not to suffer.
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            let config = HostConfig {
                port: self.address.port(),
                ndr64: self.ndr64,
                // 0 asks for a new group; no host calls one that.
                assoc_group: groups.fetch_add(1, Ordering::Relaxed).max(1),
                max_fragment: MAX_FRAGMENT,
                ..HostConfig::default()
            };
            let (host, clock, observer) = (Arc::clone(&self.host), Arc::clone(&self.clock), Arc::clone(&self.observer));
            connections.spawn(async move {
                let _place = place;
                // A connection that breaks is its client's affair.
                let _ = serve_connection(stream, peer, config, &host, &clock, &observer).await;
            });
        }
    }
}

async fn serve_connection(
    mut stream: TcpStream,
    peer: SocketAddr,
    config: HostConfig,
    host: &Mutex<LabHost>,
    clock: &HostClock,
    observer: &Observer,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut association = HostAssociation::new(config);
    let mut buffer = vec![0; 8192];
    loop {
        let Ok(read) = tokio::time::timeout(IDLE_MAX, stream.read(&mut buffer)).await else { return Ok(()) };
        let read = read?;
        if read == 0 {
            return Ok(());
        }
        association.handle_bytes(&buffer[..read]);
        while let Some(call) = association.poll_call() {
            let (request, answer) = host.lock().unwrap_or_else(PoisonError::into_inner).respond(&call.payload, clock());
            let code = answer.as_ref().err().copied().unwrap_or(Hresult::OK);
            observer(&Served { peer, request: request.as_ref(), code });
            association.answer(&call, answer.as_deref().map_err(|code| *code));
        }
        if let Some(bytes) = association.poll_transmit() {
            // A client that does not read must not keep its place for ever.
            let Ok(written) = tokio::time::timeout(IDLE_MAX, stream.write_all(&bytes)).await else { return Ok(()) };
            written?;
        }
        if association.is_closing() {
            // Half-close and drain: closing over unread bytes would reset the answer away.
            stream.shutdown().await?;
            let drain = async { while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {} };
            let _ = tokio::time::timeout(DRAIN_MAX, drain).await;
            return Ok(());
        }
    }
}

/// How many connections are served at once.
pub const CONNECTIONS_MAX: usize = 4096;
/// How long a connection may be silent.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// How long a closing connection is read on.
const DRAIN_MAX: Duration = Duration::from_millis(500);
/// Any number but 0 serves.
const FIRST_ASSOC_GROUP: u32 = 0x6b6d_0001;
