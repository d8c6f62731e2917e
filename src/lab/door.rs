//! What a lab host does with connections, beside what it answers: for whoever
//! carries its bytes, with sockets or without.

use std::fmt;
use std::time::Duration;

/// The conduct of a host towards connections; an honest one takes them all and answers at once.
#[derive(Default)]
pub struct Door {
    /// How many connections are let in at a time, if there is a limit.
    pub open_max: Option<usize>,
    /// How many requests are served a second, one after the other, if there is a limit; others wait their turn.
    pub serves_per_s: Option<u32>,
    manners: Vec<Carrying>,
}

type Carrying = Box<dyn FnMut(&mut Manner) + Send>;

/// How an answer is carried to its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Manner {
    /// Not at all: the connection is closed in its place.
    pub hang_up: bool,
    /// How long it is held back.
    pub delay: Duration,
}

impl Door {
    /// How answers are carried, on top of what was said of that before.
    pub fn carry(&mut self, manner: impl FnMut(&mut Manner) + Send + 'static) {
        self.manners.push(Box::new(manner));
    }

    /// Whether one more connection is let in while `open` are.
    pub(super) fn admits(&self, open: usize) -> bool {
        self.open_max.is_none_or(|max| open < max)
    }

    /// The least time between two answers, if there is one.
    pub(super) fn spacing(&self) -> Option<Duration> {
        self.serves_per_s.map(|per_s| Duration::from_secs(1) / per_s.max(1))
    }

    /// How the next answer is carried.
    pub(super) fn manner(&mut self) -> Manner {
        let mut manner = Manner::default();
        self.manners.iter_mut().for_each(|change| change(&mut manner));
        manner
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("open_max", &self.open_max).finish_non_exhaustive()
    }
}
