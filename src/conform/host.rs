//! A host as the cases see it: connections that carry bytes, and how long to wait for them.

use std::time::Duration;

use crate::proto::Moment;
use crate::wire::FileTime;

/// A host that is put to the test.
pub trait Host {
    /// Opens a connection; the words say why there is none.
    fn connect(&mut self) -> Result<Box<dyn Line>, String>;

    /// At how many addresses it was said to be.
    fn addresses(&self) -> usize {
        1
    }

    /// Opens a connection to its address of that number, from 0; the words say why there is none.
    fn connect_to(&mut self, _address: usize) -> Result<Box<dyn Line>, String> {
        self.connect()
    }

    /// Its address of that number, in words.
    fn address(&self, number: usize) -> String {
        format!("address {}", number + 1)
    }

    /// The same host once more, for somebody who talks to it at the same time; none, when it has no more than one.
    fn another(&self) -> Option<Box<dyn Host + Send>> {
        None
    }

    /// The port connected to last, which a host's secondary address names.
    fn port(&self) -> u16;

    /// What our own clock shows.
    fn wall(&self) -> FileTime;

    /// How long it is since the run began.
    fn moment(&mut self) -> Moment;

    /// How long it is given for an answer to begin.
    fn timeout(&self) -> Duration {
        Duration::from_secs(5)
    }

    /// Waits as long as must lie between two requests to this host.
    fn pace(&mut self) {}

    /// Lets time go by.
    fn rest(&mut self, time: Duration);

    /// What its process takes up, where it is known which one that is.
    fn process(&mut self) -> Option<Process> {
        None
    }

    /// Whether requests to it have to lie so far apart that no case should make hundreds.
    fn is_paced(&self) -> bool {
        false
    }
}

/// One connection to it.
pub trait Line {
    /// Sends bytes at once. When it cannot, what the host did shows in what is heard next.
    fn send(&mut self, bytes: &[u8]);

    /// Sends nothing more; the host can still be heard.
    fn finish(&mut self);

    /// Breaks the connection off with a RST.
    fn reset(&mut self);

    /// Waits for whatever comes next.
    fn hear(&mut self, patience: Patience) -> Heard;
}

/// What a host's process takes up on its machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Files and sockets that it has open.
    pub files: usize,
    /// Memory that it holds, in bytes.
    pub memory_bytes: u64,
}

/// How long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// As long as an answer may take.
    Answer,
    /// As long as a host that closes may take to.
    Close,
    /// Long enough to say that nothing comes.
    Silence,
    /// So long.
    For(Duration),
}

/// What came next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Bytes.
    Bytes(Vec<u8>),
    /// Nothing, while the connection stayed open.
    Nothing,
    /// The end of the connection.
    End(Closing),
}

/// How a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Closing {
    /// It is open.
    Open,
    /// The host closed it with a FIN.
    Fin,
    /// It was broken off with a RST.
    Reset,
}

impl std::fmt::Display for Closing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Closing::Open => "open",
            Closing::Fin => "closed with a FIN",
            Closing::Reset => "closed with a RST",
        })
    }
}

/// A connection that was closed from this side.
pub(super) struct NoLine;

impl Line for NoLine {
    fn send(&mut self, _bytes: &[u8]) {}

    fn finish(&mut self) {}

    fn reset(&mut self) {}

    fn hear(&mut self, _patience: Patience) -> Heard {
        Heard::End(Closing::Fin)
    }
}
