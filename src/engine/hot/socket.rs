//! A TCP connection that never waits.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, connect, getsockname, ipproto, recv, send,
    socket_with, sockopt,
};

use crate::engine::connection::describe;
use crate::proto::FailureKind;

/// A connection that is being made, or is there.
#[derive(Debug)]
pub(super) struct Socket(OwnedFd);

/// What came of a call that does not wait.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// So many bytes.
    Bytes(usize),
    /// Nothing for now.
    NotYet,
    /// It broke.
    Broken(Errno),
}

impl Socket {
    /// Begins to connect, from `source` if one is given. That it has begun says nothing of how it will end.
    ///
    /// # Errors
    /// The system's: no descriptor, no local port, refused at once.
    pub fn open(address: SocketAddr, source: Option<IpAddr>) -> Result<Socket, Errno> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
        let _ = sockopt::set_tcp_nodelay(&socket, true);
        if let Some(source) = source {
            bind(&socket, &SocketAddr::new(source, 0))?;
        }
        match connect(&socket, &address) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(Socket(socket)),
            Err(error) => Err(error),
        }
    }

    /// The error it has come to, if it has; asked when it should have connected.
    pub fn error(&self) -> Option<Errno> {
        match sockopt::socket_error(&self.0) {
            Ok(Ok(())) => None,
            Ok(Err(error)) | Err(error) => Some(error),
        }
    }

    /// Our side.
    pub fn local(&self) -> Option<SocketAddr> {
        getsockname(&self.0).ok().and_then(|address| address.try_into().ok())
    }

    /// Sends what goes out at once.
    pub fn send(&self, bytes: &[u8]) -> Done {
        match send(&self.0, bytes, SendFlags::NOSIGNAL) {
            Ok(sent) => Done::Bytes(sent),
            // A connection that is still being made: not an error before it is.
            Err(Errno::AGAIN | Errno::INTR | Errno::NOTCONN) => Done::NotYet,
            Err(error) => Done::Broken(error),
        }
    }

    /// Takes what is there.
    pub fn receive(&self, buffer: &mut [u8]) -> Done {
        match recv(&self.0, buffer, RecvFlags::empty()) {
            Ok((_, received)) => Done::Bytes(received),
            Err(Errno::AGAIN | Errno::INTR) => Done::NotYet,
            Err(error) => Done::Broken(error),
        }
    }

    /// Has it closed with a RST and not with a FIN.
    pub fn close_with_reset(&self) {
        let _ = sockopt::set_socket_linger(&self.0, Some(Duration::ZERO));
    }

    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Why a connection could not be made, in words.
pub(super) fn not_connected(address: SocketAddr, error: Errno) -> FailureKind {
    FailureKind::Connect(match error {
        Errno::MFILE | Errno::NFILE => format!(
            "no file descriptor is left to connect to {address}: raise `ulimit -n`, or let fewer connections be open \
             (--open-max)"
        ),
        error => describe(address, &error.into()),
    })
}

/// Why a connection broke, in words.
pub(super) fn broken(error: Errno) -> FailureKind {
    crate::engine::connection::broken(&error.into())
}
