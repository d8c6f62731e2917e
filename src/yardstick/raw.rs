//! A client that does what it must and nothing else: what the engine is held against.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::Sample;
use crate::engine::{Poll, pin, thread_time};
use crate::events::Latency;
use crate::proto::{Association, AssociationConfig, Moment, Offer};
use crate::wire::rpc::TransferSyntax;

/// What the client does beside carrying bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Raw {
    /// How many connections it has.
    pub connections: usize,
    /// Whether it notes how long each exchange takes.
    pub records: bool,
    /// Whether each connection carries one request only.
    pub one_each: bool,
    /// For how long.
    pub lasts: Duration,
    /// On which core.
    pub core: Option<usize>,
}

/// A client of one host.
#[derive(Debug)]
pub struct RawClient {
    host: SocketAddr,
    bind: Vec<u8>,
    request: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    bound: bool,
    sent: Instant,
    expected: usize,
    received: usize,
}

impl RawClient {
    /// A client that sends this request again and again.
    pub fn new(host: SocketAddr, request: &[u8]) -> RawClient {
        let offer = Offer::Only(TransferSyntax::Ndr32);
        let mut association = Association::new(AssociationConfig { offer, ..AssociationConfig::default() });
        association.begin(Moment::default());
        RawClient { host, bind: association.poll_transmit().unwrap_or_default(), request: request.to_vec() }
    }

    /// Runs in a thread of its own.
    pub fn run(&self, raw: Raw) -> std::io::Result<Sample> {
        std::thread::scope(|scope| scope.spawn(|| self.exchange(raw)).join().expect("it does not panic"))
    }

    fn exchange(&self, raw: Raw) -> std::io::Result<Sample> {
        if let Some(core) = raw.core {
            pin(core);
        }
        let mut poll = Poll::new(256)?;
        let mut connections = Vec::with_capacity(raw.connections);
        let mut buffer = vec![0; 2048];
        let mut latency = Latency::default();
        for at in 0..raw.connections {
            connections.push(self.open(&poll, at, 0)?);
        }
        let (begun, cpu) = (Instant::now(), thread_time());
        let mut exchanges = 0;
        let mut opened = raw.connections;
        while begun.elapsed() < raw.lasts {
            let found = poll.wait(Duration::from_millis(100))?;
            for index in 0..found {
                let at = poll.ready(index).token as usize;
                let connection = &mut connections[at];
                let read = match connection.stream.read(&mut buffer) {
                    Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                    Ok(read) => read,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                    Err(error) => return Err(error),
                };
                if connection.received == 0 && read >= 10 {
                    connection.expected = usize::from(u16::from_le_bytes([buffer[8], buffer[9]]));
                }
                connection.received += read;
                if connection.received < connection.expected {
                    continue;
                }
                connection.received = 0;
                if connection.bound {
                    exchanges += 1;
                    if raw.records {
                        latency.record(connection.sent.elapsed());
                    }
                    if raw.one_each {
                        opened += 1;
                        connections[at] = self.open(&poll, at, opened)?;
                        continue;
                    }
                }
                connection.bound = true;
                if raw.records {
                    connection.sent = Instant::now();
                }
                connection.stream.write_all(&self.request)?;
            }
        }
        Ok(Sample { exchanges, wall: begun.elapsed(), cpu: thread_time().saturating_sub(cpu) })
    }

    /// Connects, from one of 64 addresses in turn, and sends the bind.
    fn open(&self, poll: &Poll, at: usize, number: usize) -> std::io::Result<Connection> {
        use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, ipproto, socket_with};
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, Some(ipproto::TCP))?;
        let _ = rustix::net::sockopt::set_tcp_nodelay(&socket, true);
        let source = IpAddr::V4(Ipv4Addr::new(127, 0, 1, (number % 64) as u8 + 1));
        bind(&socket, &SocketAddr::new(source, 0))?;
        match connect(&socket, &self.host) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        let mut stream = TcpStream::from(socket);
        // On loopback the connection is there at once, unless the host has let too many wait already.
        let mut tries = 0;
        while let Err(error) = stream.write_all(&self.bind) {
            tries += 1;
            if error.kind() != ErrorKind::WouldBlock || tries > OPEN_TRIES_MAX {
                return Err(error);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        poll.add(stream.as_fd(), at as u64, false)?;
        Ok(Connection { stream, bound: false, sent: Instant::now(), expected: usize::MAX, received: 0 })
    }
}

/// So many milliseconds a connection may take to be there.
const OPEN_TRIES_MAX: u32 = 5_000;
