//! The connections of a talk: opened, bound, left.

use std::time::Duration;

use super::{Conversation, Stop, Talk};
use crate::conform::host::{Closing, Line, NoLine, Patience, Process};
use crate::proto::FIRST_CALL_ID;
use crate::wire::FileTime;
use crate::wire::rpc::{BindAck, Flags, FrameBuffer, PduView, SyntaxId, TransferSyntax};

/// Connections.
impl Talk<'_> {
    /// Opens a connection, and goes on over it.
    pub fn connect(&mut self) -> Result<(), Stop> {
        let line = self.host.connect().map_err(Stop::Foundation)?;
        self.go_on_over(line);
        Ok(())
    }

    /// At how many addresses the host was said to be.
    pub fn addresses(&self) -> usize {
        self.host.addresses()
    }

    /// Its address of that number, from 0, in words.
    pub fn address(&self, number: usize) -> String {
        self.host.address(number)
    }

    /// Opens a connection to the host's address of that number, from 0, and goes on over it.
    pub fn connect_to(&mut self, address: usize) -> Result<(), Stop> {
        let line = self.host.connect_to(address).map_err(Stop::Foundation)?;
        self.go_on_over(line);
        Ok(())
    }

    fn go_on_over(&mut self, line: Box<dyn Line>) {
        let since = self.tick();
        let port = self.host.port();
        self.conversations.push(Conversation {
            line,
            port,
            frames: FrameBuffer::default(),
            end: None,
            // As clients have it, so that what counts from 1 is not mistaken for the first call.
            next_call_id: FIRST_CALL_ID + CALL_IDS_A_LINE * self.conversations.len() as u32,
            waiting: Vec::new(),
            ack: None,
            contexts: Vec::new(),
            heard: 0,
            since,
        });
        self.begun.get_or_insert(since);
        self.current = self.conversations.len() - 1;
    }

    /// Opens a connection and binds it the ordinary way: one context, 0, with NDR32.
    pub fn bind(&mut self) -> Result<BindAck, Stop> {
        self.bind_in(TransferSyntax::Ndr32)
    }

    /// The same with this syntax.
    pub fn bind_in(&mut self, syntax: TransferSyntax) -> Result<BindAck, Stop> {
        self.connect()?;
        self.bind_here(syntax)
    }

    /// Binds the connection there is the ordinary way, with this syntax.
    pub fn bind_here(&mut self, syntax: TransferSyntax) -> Result<BindAck, Stop> {
        let offered = self.offer(vec![self.context(0, &[syntax.id()])]);
        self.send_bind(Flags::WHOLE, &offered);
        self.await_bind_in(syntax)
    }

    /// Waits for the answer to an ordinary bind, with NDR32, which has to accept it.
    pub fn await_bind(&mut self) -> Result<BindAck, Stop> {
        self.await_bind_in(TransferSyntax::Ndr32)
    }

    fn await_bind_in(&mut self, syntax: TransferSyntax) -> Result<BindAck, Stop> {
        let seen = self.see(Patience::Answer, None);
        match self.ack() {
            Some(ack) if seen.closing == Closing::Open && self.syntax_of(0) == Some(syntax) => Ok(ack.clone()),
            _ => {
                self.mind_refusal(&seen);
                Err(Stop::Foundation(format!("an ordinary bind was not accepted: {seen}")))
            }
        }
    }

    /// The same with NDR32, these flags and this context, which the host has to accept.
    pub fn bind_with(&mut self, flags: Flags, context: u16) -> Result<BindAck, Stop> {
        self.connect()?;
        let offered = self.offer(vec![self.context(context, &[SyntaxId::NDR32])]);
        self.send_bind(flags, &offered);
        let seen = self.see(Patience::Answer, None);
        match self.ack() {
            Some(ack) if seen.closing == Closing::Open && self.syntax_of(context).is_some() => Ok(ack.clone()),
            _ => Err(Stop::Foundation(format!("a bind of context {context} was not accepted: {seen}"))),
        }
    }

    /// Opens a connection and agrees on several calls at once.
    pub fn bind_multiplexed(&mut self) -> Result<(), Stop> {
        self.bind_with(Flags::WHOLE.with(Flags::CONC_MPX), 0)?;
        let ack = self.said.last().and_then(|said| PduView(&said.bytes).flags());
        match ack.is_some_and(|flags| flags.has(Flags::CONC_MPX)) {
            true => Ok(()),
            false => Err(Stop::NotApplicable("the host does not agree to several calls at once".to_owned())),
        }
    }

    /// The number of the connection that is talked over, from 0.
    pub fn line(&self) -> usize {
        self.current
    }

    /// Goes on over the connection of that number, from 0.
    pub fn on(&mut self, line: usize) {
        self.current = line;
    }

    /// Sends nothing more on this connection.
    pub fn half_close(&mut self) {
        self.conversation().line.finish();
    }

    /// Breaks this connection off.
    pub fn break_off(&mut self) {
        let conversation = self.conversation();
        conversation.line.reset();
        conversation.line = Box::new(NoLine);
        conversation.end = Some(Closing::Reset);
    }

    /// Closes this connection.
    pub fn close(&mut self) {
        self.half_close();
        let conversation = self.conversation();
        conversation.end.get_or_insert(Closing::Fin);
        conversation.line = Box::new(NoLine);
    }

    /// Whether the host has closed this connection.
    pub fn is_over(&self) -> bool {
        self.conversations.get(self.current).is_none_or(|conversation| conversation.end.is_some())
    }

    /// Lets time go by.
    pub fn rest(&mut self, time: Duration) {
        self.host.rest(time);
    }

    /// How long it has taken so far.
    pub fn took(&mut self) -> Duration {
        let now = self.tick();
        self.begun.map_or(Duration::ZERO, |begun| now - begun)
    }

    /// What the host's process takes up, where it is known which one that is.
    pub fn process(&mut self) -> Option<Process> {
        self.host.process()
    }

    /// The port connected to.
    pub fn port(&self) -> u16 {
        self.conversations.get(self.current).map_or_else(|| self.host.port(), |conversation| conversation.port)
    }

    /// What our own clock shows.
    pub fn now(&self) -> FileTime {
        self.host.wall()
    }
}

/// No two connections of a case use the same ones, so that an answer shows whose it is.
const CALL_IDS_A_LINE: u32 = 0x1_0000;
