//! Sockets for conformance cases: plain ones that block, for cases say one thing after the other.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::clock::Clock;
use crate::conform::host::{Closing, Heard, Host, Line, Patience, Process};
use crate::proto::Moment;
use crate::wire::FileTime;

/// A host at an address.
#[derive(Debug)]
pub struct TcpHost {
    addresses: Vec<SocketAddr>,
    /// Which of them all cases talk to: the first that was there.
    at: Option<usize>,
    /// Which of them was connected to last.
    last: usize,
    clock: Clock,
    timeout: Duration,
    /// The least time between two requests.
    gap: Option<Duration>,
    /// When the next request may go out, whoever of us makes it.
    next_request: Arc<Mutex<Option<Instant>>>,
    /// The longest a host took to accept a connection so far.
    round_trip: Duration,
    /// Which process it is, if that is known.
    pid: Option<u32>,
}

impl TcpHost {
    /// A host at the first of these addresses that accepts connections, which is given so long for an answer, and
    /// is asked no more often than once in `gap`.
    pub fn new(addresses: Vec<SocketAddr>, clock: Clock, timeout: Duration, gap: Option<Duration>) -> TcpHost {
        TcpHost {
            addresses,
            at: None,
            last: 0,
            clock,
            timeout,
            gap,
            next_request: Arc::default(),
            round_trip: Duration::ZERO,
            pid: None,
        }
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
        if let Some(at) = self.at {
            return self.connect_to(at);
        }
        let mut why = "it has no address".to_owned();
        for at in 0..self.addresses.len() {
            match self.connect_to(at) {
                Ok(line) => {
                    self.at = Some(at);
                    return Ok(line);
                }
                Err(error) => why = error,
            }
        }
        Err(why)
    }

    fn addresses(&self) -> usize {
        self.addresses.len()
    }

    fn address(&self, number: usize) -> String {
        self.addresses.get(number).map_or_else(String::new, SocketAddr::to_string)
    }

    fn connect_to(&mut self, number: usize) -> Result<Box<dyn Line>, String> {
        let address = self.addresses.get(number).ok_or_else(|| "it has no such address".to_owned())?;
        self.last = number;
        let begun = Instant::now();
        let opened = TcpStream::connect_timeout(address, self.timeout).and_then(|stream| {
            stream.set_nodelay(true)?;
            stream.set_write_timeout(Some(self.timeout))?;
            Ok(stream)
        });
        let stream = opened.map_err(|error| format!("no connection to {address}: {error}"))?;
        self.round_trip = self.round_trip.max(begun.elapsed()).min(ROUND_TRIP_MAX);
        let (timeout, round_trip) = (self.timeout, self.round_trip);
        Ok(Box::new(TcpLine { stream: Some(stream), timeout, round_trip, broken: false }))
    }

    fn another(&self) -> Option<Box<dyn Host + Send>> {
        let (addresses, next_request) = (self.addresses.clone(), Arc::clone(&self.next_request));
        Some(Box::new(TcpHost { addresses, next_request, ..*self }))
    }

    fn port(&self) -> u16 {
        self.addresses.get(self.last).map_or(0, SocketAddr::port)
    }

    fn wall(&self) -> FileTime {
        self.clock.wall()
    }

    fn moment(&mut self) -> Moment {
        self.clock.now()
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn pace(&mut self) {
        let Some(gap) = self.gap else { return };
        let now = Instant::now();
        let turn = {
            let mut next = self.next_request.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = next.map_or(now, |next| next.max(now));
            *next = Some(turn + gap);
            turn
        };
        std::thread::sleep(turn - now);
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
            Patience::For(time) => time,
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
