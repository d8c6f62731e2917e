//! Sockets for conformance cases: plain ones that block, for cases say one thing after the other.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::clock::Clock;
use crate::conform::host::{Closing, Heard, Host, Line, Patience, Process};
use crate::proto::Moment;
use crate::wire::FileTime;

/// A host at an address.
#[derive(Debug)]
pub struct TcpHost {
    addresses: Vec<SocketAddr>,
    clock: Clock,
    timeout: Duration,
    /// The least time between two requests.
    gap: Option<Duration>,
    last_request: Option<Instant>,
    /// The longest a host took to accept a connection so far.
    round_trip: Duration,
    /// Which process it is, if that is known.
    pid: Option<u32>,
}

impl TcpHost {
    /// A host at the first of these addresses that accepts connections, which is given so long for an answer, and
    /// is asked no more often than once in `gap`.
    pub fn new(addresses: Vec<SocketAddr>, clock: Clock, timeout: Duration, gap: Option<Duration>) -> TcpHost {
        TcpHost { addresses, clock, timeout, gap, last_request: None, round_trip: Duration::ZERO, pid: None }
    }

    /// The same, when it is known which process of this machine it is.
    #[must_use]
    pub fn with_pid(self, pid: Option<u32>) -> TcpHost {
        TcpHost { pid, ..self }
    }
}

/// What a process of this machine takes up, where the system tells: on Linux.
pub fn process(pid: u32) -> Option<Process> {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = resident.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(Process { files, memory_bytes: kib * 1024 })
}

impl Host for TcpHost {
    fn connect(&mut self) -> Result<Box<dyn Line>, String> {
        let mut why = "it has no address".to_owned();
        for (at, address) in self.addresses.iter().enumerate() {
            let begun = Instant::now();
            match TcpStream::connect_timeout(address, self.timeout).and_then(|stream| {
                stream.set_nodelay(true)?;
                stream.set_write_timeout(Some(self.timeout))?;
                Ok(stream)
            }) {
                Ok(stream) => {
                    self.round_trip = self.round_trip.max(begun.elapsed()).min(ROUND_TRIP_MAX);
                    let line = TcpLine {
                        stream: Some(stream),
                        timeout: self.timeout,
                        round_trip: self.round_trip,
                        broken: false,
                    };
                    // All cases talk to the one that is there.
                    self.addresses = vec![self.addresses[at]];
                    return Ok(Box::new(line));
                }
                Err(error) => why = format!("no connection to {address}: {error}"),
            }
        }
        Err(why)
    }

    fn port(&self) -> u16 {
        self.addresses.first().map_or(0, SocketAddr::port)
    }

    fn wall(&self) -> FileTime {
        self.clock.wall()
    }

    fn moment(&mut self) -> Moment {
        self.clock.now()
    }

    fn pace(&mut self) {
        if let (Some(gap), Some(last)) = (self.gap, self.last_request) {
            std::thread::sleep(gap.saturating_sub(last.elapsed()));
        }
        self.last_request = Some(Instant::now());
    }

    fn rest(&mut self, time: Duration) {
        std::thread::sleep(time);
    }

    fn process(&mut self) -> Option<Process> {
        self.pid.and_then(process)
    }

    fn is_paced(&self) -> bool {
        self.gap.is_some()
    }
}

struct TcpLine {
    /// Nothing once it was broken off.
    stream: Option<TcpStream>,
    timeout: Duration,
    round_trip: Duration,
    /// Whether it broke while we were sending: what came before is read first.
    broken: bool,
}

impl Line for TcpLine {
    fn send(&mut self, bytes: &[u8]) {
        // Whoever did not read what was sent before does not read this either.
        if self.broken {
            return;
        }
        self.broken = self.stream.as_mut().is_none_or(|stream| stream.write_all(bytes).is_err());
    }

    fn finish(&mut self) {
        if let Some(stream) = &self.stream {
            let _ = stream.shutdown(Shutdown::Write);
        }
    }

    fn reset(&mut self) {
        let Some(stream) = self.stream.take() else { return };
        // A socket that is closed with a linger time of zero sends a RST; elsewhere a FIN has to do.
        #[cfg(target_os = "linux")]
        let _ = rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO));
        drop(stream);
    }

    fn hear(&mut self, patience: Patience) -> Heard {
        let wait = match patience {
            Patience::Answer => self.timeout,
            Patience::Close => self.timeout.min(CLOSE_MAX),
            // What is still on its way after so many round trips does not come.
            Patience::Silence => (ROUND_TRIPS * self.round_trip).clamp(SILENCE_MIN, SILENCE_MAX).min(self.timeout),
        };
        let wait = if self.broken { SILENCE_MIN } else { wait };
        let mut buffer = vec![0; READ_SIZE];
        let Some(stream) = self.stream.as_mut().filter(|stream| stream.set_read_timeout(Some(wait)).is_ok()) else {
            return Heard::End(Closing::Reset);
        };
        loop {
            return match stream.read(&mut buffer) {
                Ok(0) => Heard::End(Closing::Fin),
                Ok(read) => {
                    buffer.truncate(read);
                    Heard::Bytes(buffer)
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if self.broken {
                        Heard::End(Closing::Reset)
                    } else {
                        Heard::Nothing
                    }
                }
                Err(_) => Heard::End(Closing::Reset),
            };
        }
    }
}

/// More than the largest fragment.
const READ_SIZE: usize = 8192;
/// Round trips within which a host answers that answers at all.
const ROUND_TRIPS: u32 = 20;
const ROUND_TRIP_MAX: Duration = Duration::from_millis(50);
/// A host on the same machine may be busy too.
const SILENCE_MIN: Duration = Duration::from_millis(25);
const SILENCE_MAX: Duration = Duration::from_secs(1);
/// What a host may take to close.
const CLOSE_MAX: Duration = Duration::from_secs(2);
