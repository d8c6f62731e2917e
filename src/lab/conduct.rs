//! What a lab host does wherever a fault may make it do otherwise.
//!
//! An honest host is the default: plain settings with the documented values and
//! no hooks. A fault changes a setting, or hangs a function of its own where the
//! host decides, counts, writes its answer or carries it to the client. Functions
//! at one hook are asked in the order they were hung there, each with what the
//! one before made of it, so faults compose.

use std::fmt;
use std::time::Duration;

use jiff::SignedDuration;

use super::letter::Letter;
use super::rules::{Asked, Caller, Grant, Rule};
use super::table::{TableRules, Tally};
use crate::wire::kms::{ActivationRequest, ActivationResponse};
use crate::wire::{FileTime, Guid, Hresult};

/// The conduct of a host towards its clients.
#[derive(Default)]
pub struct Conduct {
    /// How clients are remembered.
    pub table: TableRules,
    /// Which clocks are right enough.
    pub clock: ClockRules,
    /// Whether requests of versions that do not exist are opened like the nearest that does.
    pub opens_any_version: bool,
    /// Whether the clients are forgotten when the host goes down.
    pub forgets_when_down: bool,
    rulings: Vec<(Rule, Ruling)>,
    tables: Vec<Key>,
    entries: Vec<Key>,
    n_policies: Vec<NPolicy>,
    losses: Vec<Chance>,
    counts: Vec<Count>,
    grants: Vec<Granting>,
    bodies: Vec<Body>,
    hearings: Vec<Hearing>,
    encodings: Vec<Encoding>,
    letters: Vec<Sealing>,
}

type Ruling = Box<dyn FnMut(&Asked<'_>, Result<(), Hresult>) -> Result<(), Hresult> + Send>;
type Key = Box<dyn FnMut(&Caller<'_>, Guid) -> Guid + Send>;
type NPolicy = Box<dyn FnMut(&Caller<'_>, u32) -> u32 + Send>;
type Chance = Box<dyn FnMut() -> bool + Send>;
type Count = Box<dyn FnMut(Tally, u32) -> u32 + Send>;
type Granting = Box<dyn FnMut(&Asked<'_>, Grant) -> Result<Grant, Hresult> + Send>;
type Body = Box<dyn FnMut(&mut ActivationResponse) + Send>;
type Hearing = Box<dyn FnMut(&mut Vec<u8>) + Send>;
type Encoding = Box<dyn FnMut(&ActivationRequest, &mut Vec<u8>) + Send>;
type Sealing = Box<dyn FnMut(&mut Letter<'_>) + Send>;

/// Which client clocks a host takes for right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockRules {
    /// How far behind the host's a client's clock may be; exactly this much passes.
    pub slow_max: Duration,
    /// How far ahead of the host's it may be; exactly this much passes.
    pub fast_max: Duration,
    /// What the host adds to its own clock before it compares.
    pub offset: SignedDuration,
}

impl Default for ClockRules {
    fn default() -> ClockRules {
        ClockRules { slow_max: SKEW_MAX, fast_max: SKEW_MAX, offset: SignedDuration::ZERO }
    }
}

impl ClockRules {
    /// Whether a client's clock is right enough when the host's shows `now`.
    pub fn hold(&self, client_time: FileTime, now: FileTime) -> bool {
        let now = if self.offset.is_zero() { now } else { now.saturating_add(self.offset) };
        let max = if client_time < now { self.slow_max } else { self.fast_max };
        client_time.distance(now) <= max
    }
}

/// Where faults hang their functions.
impl Conduct {
    /// What is made of one rule's judgement.
    pub fn rule(
        &mut self,
        rule: Rule,
        ruling: impl FnMut(&Asked<'_>, Result<(), Hresult>) -> Result<(), Hresult> + Send + 'static,
    ) {
        self.rulings.push((rule, Box::new(ruling)));
    }

    /// Which table a client is counted in, in place of its application's.
    pub fn table_of(&mut self, key: impl FnMut(&Caller<'_>, Guid) -> Guid + Send + 'static) {
        self.tables.push(Box::new(key));
    }

    /// What a client is known by in its table, in place of its client machine id.
    pub fn entry_of(&mut self, key: impl FnMut(&Caller<'_>, Guid) -> Guid + Send + 'static) {
        self.entries.push(Box::new(key));
    }

    /// For which N policy a client's table has to have room, in place of its own.
    pub fn room_for(&mut self, n_policy: impl FnMut(&Caller<'_>, u32) -> u32 + Send + 'static) {
        self.n_policies.push(Box::new(n_policy));
    }

    /// Whether a client new to its table is lost again once it was answered.
    pub fn lose(&mut self, chance: impl FnMut() -> bool + Send + 'static) {
        self.losses.push(Box::new(chance));
    }

    /// What count is told.
    pub fn tell(&mut self, count: impl FnMut(Tally, u32) -> u32 + Send + 'static) {
        self.counts.push(Box::new(count));
    }

    /// What becomes of a grant, the client being counted.
    pub fn grant(&mut self, granting: impl FnMut(&Asked<'_>, Grant) -> Result<Grant, Hresult> + Send + 'static) {
        self.grants.push(Box::new(granting));
    }

    /// What is written into an answer before it is sealed.
    pub fn write(&mut self, body: impl FnMut(&mut ActivationResponse) + Send + 'static) {
        self.bodies.push(Box::new(body));
    }

    /// What is made of a request's envelope before it is opened.
    pub fn hear(&mut self, hearing: impl FnMut(&mut Vec<u8>) + Send + 'static) {
        self.hearings.push(Box::new(hearing));
    }

    /// What is made of an answer's bytes before they are sealed: MAC, hash and HMAC will be right.
    pub fn encode(&mut self, encoding: impl FnMut(&ActivationRequest, &mut Vec<u8>) + Send + 'static) {
        self.encodings.push(Box::new(encoding));
    }

    /// What is made of a sealed answer: nothing has to be right in the end.
    pub fn seal(&mut self, sealing: impl FnMut(&mut Letter<'_>) + Send + 'static) {
        self.letters.push(Box::new(sealing));
    }
}

/// What the host asks of its conduct.
impl Conduct {
    pub(super) fn ruled(&mut self, rule: Rule, asked: &Asked<'_>, honest: Result<(), Hresult>) -> Result<(), Hresult> {
        let of_this = self.rulings.iter_mut().filter(|(other, _)| *other == rule);
        of_this.fold(honest, |judged, (_, ruling)| ruling(asked, judged))
    }

    pub(super) fn table_and_entry(&mut self, caller: &Caller<'_>) -> (Guid, Guid) {
        let table = self.tables.iter_mut().fold(caller.application, |table, key| key(caller, table));
        let entry = self.entries.iter_mut().fold(caller.cmid, |entry, key| key(caller, entry));
        (table, entry)
    }

    pub(super) fn n_policy(&mut self, caller: &Caller<'_>) -> u32 {
        self.n_policies.iter_mut().fold(caller.n_policy, |n_policy, of| of(caller, n_policy))
    }

    pub(super) fn loses(&mut self) -> bool {
        // Every fault's turn comes, whatever the others say: its chances are its own.
        self.losses.iter_mut().fold(false, |lost, chance| chance() | lost)
    }

    pub(super) fn told(&mut self, tally: Tally) -> u32 {
        self.counts.iter_mut().fold(tally.after, |told, count| count(tally, told))
    }

    pub(super) fn granted(&mut self, asked: &Asked<'_>, grant: Grant) -> Result<Grant, Hresult> {
        self.grants.iter_mut().try_fold(grant, |grant, granting| granting(asked, grant))
    }

    pub(super) fn written(&mut self, response: &mut ActivationResponse) {
        self.bodies.iter_mut().for_each(|body| body(response));
    }

    /// The request's envelope as the host hears it, where that is another.
    pub(super) fn heard(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        if self.hearings.is_empty() {
            return None;
        }
        let mut heard = payload.to_vec();
        self.hearings.iter_mut().for_each(|hearing| hearing(&mut heard));
        Some(heard)
    }

    pub(super) fn encoded(&mut self, request: &ActivationRequest, body: &mut Vec<u8>) {
        self.encodings.iter_mut().for_each(|encoding| encoding(request, body));
    }

    pub(super) fn sealed(&mut self, request: &ActivationRequest, iv: Option<[u8; 16]>, answer: &mut Vec<u8>) {
        if self.letters.is_empty() {
            return;
        }
        let mut letter = Letter::open(request, iv, answer);
        self.letters.iter_mut().for_each(|sealing| sealing(&mut letter));
        *answer = letter.close();
    }
}

impl fmt::Debug for Conduct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conduct").field("table", &self.table).field("clock", &self.clock).finish_non_exhaustive()
    }
}

/// How far a client's clock may be from the host's (protocol description, section 5).
pub const SKEW_MAX: Duration = Duration::from_secs(4 * 3600);
