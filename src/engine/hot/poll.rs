//! Waiting for sockets, to the nanosecond the system can do.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::time::Timespec;

/// An epoll of one worker.
pub(crate) struct Poll {
    epoll: OwnedFd,
    events: Vec<Event>,
}

/// What a socket is ready for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ready {
    /// What it was registered with.
    pub token: u64,
    /// Whether bytes, an end or an error can be read.
    pub readable: bool,
    /// Whether bytes can be written.
    pub writable: bool,
    /// Whether an end or an error can be read, after whatever is there.
    pub ended: bool,
}

impl Poll {
    /// An epoll that reports so many sockets at a time.
    pub fn new(at_a_time: usize) -> std::io::Result<Poll> {
        Ok(Poll { epoll: epoll::create(CreateFlags::CLOEXEC)?, events: Vec::with_capacity(at_a_time) })
    }

    /// Reports a socket from now on, each time it becomes readable, and writable too where that is wanted.
    pub fn add(&self, socket: BorrowedFd<'_>, token: u64, writable: bool) -> std::io::Result<()> {
        Ok(epoll::add(&self.epoll, socket, EventData::new_u64(token), interest(writable))?)
    }

    /// Reports a socket that is reported already when it becomes writable, too.
    pub fn want_writable(&self, socket: BorrowedFd<'_>, token: u64) -> std::io::Result<()> {
        Ok(epoll::modify(&self.epoll, socket, EventData::new_u64(token), interest(true))?)
    }

    /// Waits so long for something to happen; how many sockets there are to be asked for with [`Poll::ready`].
    pub fn wait(&mut self, timeout: Duration) -> std::io::Result<usize> {
        self.events.clear();
        let timeout = Timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: i64::from(timeout.subsec_nanos()) };
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&timeout)) {
            Ok(_) => Ok(self.events.len()),
            Err(Errno::INTR) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// One of the sockets the last wait found.
    pub fn ready(&self, index: usize) -> Ready {
        let Event { flags, data, .. } = self.events[index];
        Ready {
            token: data.u64(),
            readable: flags.intersects(EventFlags::IN | EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR),
            ended: flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR),
            writable: flags.intersects(EventFlags::OUT | EventFlags::ERR | EventFlags::HUP),
        }
    }
}

/// Edge triggered: a socket is registered once, and told of once for each time something comes.
fn interest(writable: bool) -> EventFlags {
    let readable = EventFlags::IN | EventFlags::RDHUP | EventFlags::ET;
    if writable { readable | EventFlags::OUT } else { readable }
}
