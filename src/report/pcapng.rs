//! The conversation of a run as a capture file (`--out pcapng=PATH`).

use std::collections::HashMap;
use std::io::{self, Write};
use std::time::Duration;

use jiff::Timestamp;

use crate::capture::Direction;
use crate::capture::pcapng::{ConversationId, Writer};
use crate::events::Event;
use crate::proto::{Moment, Sender};

/// Writes what went over each connection as TCP conversations.
#[derive(Debug)]
pub struct Recorder<W: Write> {
    writer: Writer<W>,
    since_epoch: Duration,
    open: HashMap<u64, ConversationId>,
    scenario: String,
}

impl<W: Write> Recorder<W> {
    /// A recorder of a run whose clock began at `wall_start`.
    pub fn new(out: W, wall_start: Timestamp) -> io::Result<Recorder<W>> {
        let application = concat!("kmsproof ", env!("CARGO_PKG_VERSION"));
        let since_epoch = Duration::try_from(wall_start.as_duration()).unwrap_or_default();
        Ok(Recorder {
            writer: Writer::new(out, application)?,
            since_epoch,
            open: HashMap::new(),
            scenario: String::new(),
        })
    }

    /// Takes one event.
    pub fn observe(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::ScenarioStarted { name } => self.scenario.clone_from(name),
            Event::ConnectionOpened { id, local, peer, at } => {
                let conversation = self.writer.open(*local, *peer, self.wall(*at))?;
                self.open.insert(*id, conversation);
            }
            Event::Pdu { connection, sender, at, bytes } => {
                let Some(conversation) = self.open.get(connection).copied() else { return Ok(()) };
                let direction = match sender {
                    Sender::Client => Direction::ToHost,
                    Sender::Host => Direction::ToClient,
                };
                let at = self.wall(*at);
                self.writer.segment(conversation, direction, at, bytes, Some(&self.scenario))?;
            }
            Event::ConnectionClosed { id, at } => {
                if let Some(conversation) = self.open.remove(id) {
                    let at = self.wall(*at);
                    self.writer.close(conversation, at)?;
                }
            }
            Event::ScenarioFinished { .. }
            | Event::Asked { .. }
            | Event::StepStarted { .. }
            | Event::StepFinished { .. }
            | Event::Tally(_)
            | Event::Judged(_)
            | Event::Exchange(_) => {}
        }
        Ok(())
    }

    /// What it wrote to.
    pub fn into_inner(self) -> io::Result<W> {
        self.writer.finish()
    }

    fn wall(&self, at: Moment) -> Duration {
        self.since_epoch + at.0
    }
}
