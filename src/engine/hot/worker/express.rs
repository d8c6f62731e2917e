//! The express lane of a worker: exchanges that may go untold, eight at a time.
//!
//! An exchange goes this way when the count it is due is settled and everything else about it is
//! ordinary, over a connection that was opened like one found right before. Anything else that
//! shows, at any point, and the connection is taken over by an association in the state it is in
//! ([`Worker::take_over`]), with what was heard so far: from there on it goes the ordinary way, and is told.

use std::sync::Arc;
use std::time::Duration;

use super::Worker;
use crate::checks::Quiet;
use crate::client::{Intervals, Randomness};
use crate::engine::hot::poll::Ready;
use crate::engine::hot::slot::Stage;
use crate::engine::hot::socket::{Done, broken};
use crate::engine::run::Crew;
use crate::events::{Kind, Opened};
use crate::oracle::Question;
use crate::proto::express::{AT_A_TIME, Asked, Draft, Known, Plain, Script, Sealed, Verifier, checks_done, seal};
use crate::proto::verify::CheckId;
use crate::proto::{Association, AssociationConfig, FailureKind, Moment, Offer, Outcome, Verdict};
use crate::scenario::Arrival;
use crate::wire::kms::{LicenseStatus, ProtocolVersion};
use crate::wire::rpc::PduView;
use crate::wire::{FileTime, Guid, Hresult};

/// What the express lane has at hand.
pub(super) struct Express {
    quiet: Arc<Quiet>,
    scripts: Vec<(Offer, Script)>,
    known: Known,
    verifier: Verifier,
    randomness: Randomness,
    /// Whether requests are granted, of each group and product.
    granted: Vec<Vec<bool>>,
    /// Slots whose request is to be sealed and sent, each with the generation it is of.
    drafts: Vec<(u32, u32)>,
    /// Slots whose answer is there: each with when it was, and how long it is.
    answers: Vec<(u32, u64, usize)>,
    frames: Vec<[u8; FRAME_MAX]>,
    /// What is to be sent at once, one request after the other: the slot, the license status it says, and its
    /// place among the sealed ones.
    outbox: Vec<(u32, LicenseStatus, usize)>,
    sketches: Vec<Draft>,
    sealed: Vec<Sealed>,
    asked: Vec<Asked>,
    /// Whether eight requests are there to be sent again as they are, where nothing is to be sealed.
    has_pattern: bool,
}

/// How far an express connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::engine::hot) enum Opening {
    /// The bind is out.
    #[default]
    Bind,
    /// The alter_context is out.
    Alter,
    /// It is open.
    Done,
}

/// What ended the express way of a connection.
enum Cause {
    /// What was heard of it.
    Heard,
    /// It was closed, or broke.
    Over(FailureKind),
}

impl Express {
    pub fn new(crew: &Crew) -> Express {
        let plan = &crew.run.plan;
        let granted = plan.population.groups().map(|group| {
            let wanted = group.wanted.iter().map(|wanted| {
                crew.quiet.certain.is_granted(&Question {
                    version: ProtocolVersion::V6,
                    application_id: wanted.application_id,
                    kms_counted_id: wanted.kms_counted_id,
                    cmid: Guid::NIL,
                    n_policy: wanted.n_policy,
                    client_time: FileTime(0),
                })
            });
            wanted.collect()
        });
        Express {
            quiet: Arc::clone(&crew.quiet),
            scripts: Vec::new(),
            known: Known::default(),
            verifier: Verifier::default(),
            randomness: Randomness::new(plan.seed),
            granted: granted.collect(),
            drafts: Vec::with_capacity(BURST),
            answers: Vec::with_capacity(AT_A_TIME),
            frames: vec![[0; FRAME_MAX]; AT_A_TIME],
            outbox: Vec::with_capacity(BURST),
            sketches: vec![Draft::EMPTY; BURST],
            sealed: vec![Sealed::default(); BURST],
            asked: vec![Asked::NOTHING; BURST],
            has_pattern: false,
        }
    }

    fn script(&self, offer: Offer) -> Option<&Script> {
        self.scripts.iter().find(|(known, _)| *known == offer).map(|(_, script)| script)
    }

    /// Learns how a connection is opened from one that was, and says which group it is of when
    /// it was opened like the others.
    pub fn learn_opening(&mut self, config: AssociationConfig, heard: &[u8]) -> Option<u32> {
        if self.script(config.offer).is_none() {
            let script = Script::learn(config, heard)?;
            self.scripts.push((config.offer, script));
        }
        self.script(config.offer)?.fits(heard)
    }

    /// Learns what the host says in every answer.
    pub fn learn_answer(&mut self, exchange: &crate::events::Exchange) {
        self.known.learn(&exchange.request, &exchange.answer);
    }

    /// An association for a connection of this group that has carried so many calls without one.
    pub fn resume_ready(&self, offer: Offer, group: u32, calls: u32) -> Option<Association> {
        self.script(offer).map(|script| script.resume_ready(group, calls))
    }

    /// The bind of a connection that goes this way.
    pub fn bind(&self, offer: Offer) -> Option<&[u8]> {
        self.script(offer).map(Script::bind)
    }
}

impl Worker<'_> {
    /// The count an arrival is due for sure, when its exchange may go untold.
    pub(super) fn settled(&self, arrival: &Arrival, wall: FileTime) -> Option<u32> {
        let express = self.express.as_ref()?;
        let activation = arrival.activation;
        let group = self.plan.population.group(activation.machine);
        let bodies = &self.crew.bodies;
        let granted = express.granted[usize::from(activation.machine.group)][usize::from(activation.product)];
        if !granted || !ProtocolVersion::ALL.contains(&arrival.version) || !bodies.has_model(activation) {
            return None;
        }
        let is_near = group.clock.is_right()
            || express.quiet.certain.is_near(group.clock.read(wall, self.crew.fleet.began()), wall);
        let application = group.wanted[usize::from(activation.product)].application_id;
        express.quiet.settled.count(application).filter(|_| is_near && express.script(arrival.offer).is_some())
    }

    /// Puts a call aside until many can be made: a host that is woken for each few requests costs us the waking.
    pub(super) fn draft(&mut self, at: usize) {
        let Some(express) = &mut self.express else { return };
        express.drafts.push((at as u32, self.slots[at].generation));
        if express.drafts.len() == BURST {
            self.send_drafts();
        }
    }

    /// Seals and sends the requests put aside.
    pub(super) fn send_drafts(&mut self) {
        let Some(express) = &mut self.express else { return };
        if express.drafts.is_empty() {
            return;
        }
        let (population, fleet) = (&self.plan.population, &self.crew.fleet);
        let Express { drafts, outbox, sketches, sealed, asked, scripts, randomness, has_pattern, .. } = &mut **express;
        let is_plain = *has_pattern && self.drive.canned.is_some_and(|canned| canned.plain);
        let mut others = Vec::new();
        for (at, generation) in drafts.drain(..) {
            let slot = &self.slots[at as usize];
            // A connection may have ended meanwhile, and another have taken its place.
            let is_same = slot.generation == generation && slot.association.is_none() && slot.opening == Opening::Done;
            let Some(work) = slot.work.as_ref().filter(|_| is_same) else { continue };
            let place = outbox.len();
            if is_plain {
                outbox.push((at, LicenseStatus::UNLICENSED, place % AT_A_TIME));
                continue;
            }
            let script = scripts.iter().find(|(offer, _)| *offer == slot.offer).map(|(_, script)| script);
            let Some((call_id, context_id, syntax)) = script.and_then(|script| script.call(slot.calls)) else {
                others.push(at);
                continue;
            };
            let Arrival { activation, version, ordinal, .. } = work.arrival;
            let (bodies, body) = (&self.crew.bodies, &mut sketches[place].body);
            let written = match fleet.standing(self.plan, activation, Moment::from_nanos(work.start_ns)) {
                Some(standing) => bodies.write_standing(population, activation, version, standing, work.wall, body),
                None => {
                    let activated = fleet.activated(population.number_of(activation));
                    bodies.write(population, activation, version, activated, work.wall, body)
                }
            };
            let sketch = &mut sketches[place];
            let Some(written) = written else {
                others.push(at);
                continue;
            };
            (sketch.version, sketch.syntax, sketch.call_id, sketch.context_id) = (version, syntax, call_id, context_id);
            sketch.iv = randomness.iv(ordinal);
            outbox.push((at, LicenseStatus(written.status), place));
        }
        if !is_plain {
            let lanes = sealed.as_chunks_mut().0.iter_mut().zip(asked.as_chunks_mut().0);
            for (sketches, (sealed, asked)) in sketches[..outbox.len()].chunks(AT_A_TIME).zip(lanes) {
                seal(sketches, sealed, asked);
            }
            *has_pattern = outbox.len() >= AT_A_TIME;
        }
        for (at, status, place) in outbox.drain(..) {
            let at = at as usize;
            let now_ns = self.clock.now_ns();
            let slot = &mut self.slots[at];
            slot.calls += 1;
            slot.since_ns = now_ns;
            slot.asked = Some(asked[place]);
            if let Some(work) = &mut slot.work {
                work.sent_ns = Some(now_ns);
                work.status = status;
            }
            slot.send(at, &self.poll, sealed[place].bytes());
        }
        // What cannot go this way goes the ordinary one.
        for at in others {
            if let Some(work) = &mut self.slots[at as usize].work {
                work.due = None;
            }
            self.call(at as usize);
        }
    }

    /// Something can be read on a connection that goes this way.
    pub(super) fn read_express(&mut self, at: usize, ready: Ready) {
        while self.slots[at].is_meant(ready.token) && self.slots[at].association.is_none() {
            let Some(express) = &mut self.express else { return };
            let slot = &mut self.slots[at];
            let Some(socket) = &slot.socket else { return };
            // Room for one more answer is there always: a full batch is verified at once.
            let lane = express.answers.len();
            let frame = &mut express.frames[lane];
            let done = socket.receive(frame);
            let now_ns = self.clock.now_ns();
            let received = match done {
                Done::NotYet => return,
                Done::Bytes(received @ 1..) => received,
                Done::Bytes(_) | Done::Broken(_) if slot.stage == Stage::Idle => {
                    return self.close_idle(at);
                }
                done => {
                    // What came before the end has its turn first.
                    if express.answers.iter().any(|(queued, ..)| *queued == at as u32) {
                        self.verify_answers();
                        if !self.slots[at].is_meant(ready.token) {
                            return;
                        }
                    }
                    let kind = if let Done::Broken(error) = done { broken(error) } else { FailureKind::Closed };
                    return self.take_over(at, Cause::Over(kind));
                }
            };
            let more = received == FRAME_MAX || ready.ended;
            if let Some(work) = &mut slot.work {
                work.bytes.received += received as u64;
            }
            if slot.stage == Stage::Busy
                && slot.opening == Opening::Done
                && slot.heard.is_empty()
                && is_whole(&frame[..received])
                && slot.asked.is_some()
            {
                express.answers.push((at as u32, now_ns, received));
                if express.answers.len() == AT_A_TIME || ready.ended {
                    self.verify_answers();
                }
            } else {
                slot.heard.extend_from_slice(&frame[..received]);
                // What comes while nothing is asked is held against the next answer.
                if slot.stage == Stage::Busy {
                    self.go_on(at, now_ns);
                }
            }
            if !more {
                return;
            }
        }
    }

    /// Looks at what has been heard on a connection, when it is enough to go on by.
    fn go_on(&mut self, at: usize, now_ns: u64) {
        let Some(express) = &mut self.express else { return };
        let slot = &mut self.slots[at];
        let heard = &slot.heard;
        if heard.first() == Some(&5)
            && PduView(heard).frag_length().is_none_or(|length| heard.len() < usize::from(length).max(16))
        {
            return;
        }
        let Some(script) = express.scripts.iter().find(|(offer, _)| *offer == slot.offer).map(|(_, script)| script)
        else {
            return;
        };
        match slot.opening {
            Opening::Bind => {
                let Some(group) = script.group_of(heard) else { return self.take_over(at, Cause::Heard) };
                slot.group = group;
                slot.bind_ns = now_ns - slot.since_ns;
                slot.heard.clear();
                slot.since_ns = now_ns;
                match script.alter() {
                    Some(alter) => {
                        slot.opening = Opening::Alter;
                        let (bytes, len) = short(alter);
                        self.send(at, &bytes[..len]);
                    }
                    None => self.open_express(at),
                }
            }
            Opening::Alter => {
                if !script.fits_alter(heard, slot.group) {
                    return self.take_over(at, Cause::Heard);
                }
                slot.alter_ns = now_ns - slot.since_ns;
                slot.heard.clear();
                self.open_express(at);
            }
            Opening::Done if is_whole(heard) && heard.len() <= FRAME_MAX && slot.asked.is_some() => {
                let lane = express.answers.len();
                express.frames[lane][..heard.len()].copy_from_slice(heard);
                express.answers.push((at as u32, now_ns, heard.len()));
                slot.heard.clear();
                self.verify_answers();
            }
            Opening::Done => self.take_over(at, Cause::Heard),
        }
    }

    fn open_express(&mut self, at: usize) {
        self.slots[at].opening = Opening::Done;
        self.opened(at);
        self.call(at);
    }

    /// Verifies the answers that are there. Whoever is next starts when all that was found has been looked at: a host
    /// that is woken for each few requests costs us the waking.
    pub(super) fn verify_answers(&mut self) {
        let Some(express) = &mut self.express else { return };
        let many = express.answers.len();
        if many == 0 {
            return;
        }
        let queued: [(u32, u64, usize); AT_A_TIME] =
            std::array::from_fn(|lane| express.answers.get(lane).copied().unwrap_or_default());
        express.answers.clear();
        let batch: [(&Asked, &[u8]); AT_A_TIME] = std::array::from_fn(|lane| {
            let (at, _, len) = queued[lane];
            // A lane without an answer is not looked at.
            let asked = if lane < many { self.slots[at as usize].asked.as_ref() } else { None };
            (asked.unwrap_or(&Asked::NOTHING), &express.frames[lane][..len])
        });
        let results = if self.drive.canned.is_some_and(|canned| canned.plain) && express.has_pattern {
            let due = |lane: usize| self.slots[queued[lane].0 as usize].work.as_ref().and_then(|work| work.due);
            std::array::from_fn(|lane| due(lane).map(|count| Plain { count, iv: None, random: None }))
        } else {
            express.verifier.verify(&express.known, &batch[..many])
        };
        for (lane, &(at, received_ns, len)) in queued[..many].iter().enumerate() {
            let at = at as usize;
            match results[lane] {
                Some(plain) if self.conclude_quietly(at, plain, received_ns) => {}
                _ => {
                    let Some(express) = &self.express else { return };
                    self.slots[at].heard.extend_from_slice(&express.frames[lane][..len]);
                    self.take_over(at, Cause::Heard);
                }
            }
        }
    }

    /// Ends an exchange that is as it should be; whether it is.
    fn conclude_quietly(&mut self, at: usize, plain: Plain, received_ns: u64) -> bool {
        let slot = &mut self.slots[at];
        let (Some(work), Some(asked)) = (&mut slot.work, slot.asked) else { return false };
        let Some(due) = work.due else { return false };
        let verdict =
            if plain.count < asked.n_policy { Verdict::Refused(Hresult::NOT_ENOUGH_COUNT) } else { Verdict::Activated };
        let outcome = Outcome { wire: Some(Hresult::OK), verdict, shown: verdict.shown() };
        let position = work.position;
        if plain.count != due
            || !self.step.expect.iter().all(|expected| expected.holds(position, &outcome, Some(due)).is_ok())
        {
            return false;
        }
        for (value, check) in [(plain.iv, CheckId::HistoryIv), (plain.random, CheckId::HistoryRandom)] {
            let of = if check == CheckId::HistoryIv { &self.crew.ivs } else { &self.crew.randoms };
            if value.is_some_and(|value| !of.insert(&value)) && self.drive.canned.is_none() {
                work.repeated = Some(check);
            }
        }
        work.is_noted = true;
        if work.repeated.is_some() {
            return false;
        }
        let mut done = checks_done(asked.version);
        if work.opens
            && let Some(script) = self.express.as_ref().and_then(|express| express.script(slot.offer))
        {
            done = done.union(script.checks());
            let times = &mut self.tally.times;
            times.connect.record_ns(slot.connect_ns);
            times.bind.record_ns(slot.bind_ns);
            if script.alter().is_some() {
                times.alter.record_ns(slot.alter_ns);
            }
        }
        let times = &mut self.tally.times;
        times.service.record_ns(received_ns.saturating_sub(work.sent_ns.unwrap_or(received_ns)));
        times.response.record_ns(received_ns.saturating_sub(work.due_ns));
        times.late.record_ns(work.start_ns.saturating_sub(work.able_ns));
        let kind = Kind { outcome, status: work.status, done, predicted: self.step.oracle };
        self.tally.count(kind, plain.count);
        self.tally.bytes.sent += work.bytes.sent;
        self.tally.bytes.received += work.bytes.received;
        let told = self.express.as_ref().and_then(|express| express.known.intervals_min());
        let told = told.map(|[activation_min, renewal_min]| Intervals { activation_min, renewal_min });
        let fleet = &self.crew.fleet;
        let now = fleet.lease_time(Moment::from_nanos(received_ns), self.wall.at(received_ns));
        fleet.take_in(self.plan, work.arrival.activation, verdict, told, now);
        self.crew.failures.note_answered();
        let (leased, start_ns) = (work.leased, work.start_ns);
        slot.work = None;
        slot.asked = None;
        self.put_back(leased, start_ns);
        self.release(at, true);
        true
    }

    /// Gives a connection to an association in the state it is in, with what was heard so far.
    fn take_over(&mut self, at: usize, cause: Cause) {
        // What is told of as a call that was sent has to have been.
        let slot = &self.slots[at];
        if slot.opening == Opening::Done && slot.work.as_ref().is_some_and(|work| work.sent_ns.is_none()) {
            self.send_drafts();
            if self.slots[at].association.is_some() {
                return;
            }
        }
        let now = self.clock.now();
        let slot = &self.slots[at];
        let asking = match &slot.work {
            Some(work) if work.asking.is_none() => Some(Box::new(self.asking(&work.arrival, work.wall, work.start_ns))),
            _ => None,
        };
        let Some(express) = &self.express else { return };
        let slot = &mut self.slots[at];
        let Some(script) = express.script(slot.offer) else { return };
        let heard = std::mem::take(&mut slot.heard);
        let since = Moment::from_nanos(slot.since_ns);
        slot.asked = None;
        let Some(work) = &mut slot.work else { return };
        work.asking = work.asking.take().or(asking);
        let payload = work.asking.as_ref().map_or(&[][..], |asking| asking.1.payload());
        let mut association = match slot.opening {
            Opening::Bind => script.resume_opening(since, &heard, now),
            Opening::Alter => script.resume_altering(since, slot.group, &heard, now),
            Opening::Done => {
                let mut association = script.resume_call(slot.group, slot.calls.saturating_sub(1), since, payload);
                if slot.connect_ns > 0 && work.opens {
                    let connect = Duration::from_nanos(slot.connect_ns);
                    let [bind, alter] = [slot.bind_ns, slot.alter_ns].map(Duration::from_nanos);
                    let negotiated = script.negotiated(slot.group, bind, alter);
                    work.opened = Some(Box::new(Opened { connect, negotiated }));
                }
                association.handle_bytes(now, &heard);
                association
            }
        };
        match cause {
            Cause::Heard => association.handle_timeout(now),
            Cause::Over(kind) => association.handle_close(kind),
        }
        slot.is_like_others = false;
        slot.association = Some(Box::new(association));
        self.pump(at);
    }

    /// Gives up waiting on a connection that goes this way.
    pub(super) fn time_out_express(&mut self, at: usize) {
        self.take_over(at, Cause::Heard);
    }
}

/// Whether these bytes are one PDU, all of it and nothing more.
fn is_whole(bytes: &[u8]) -> bool {
    bytes.first() == Some(&5) && PduView(bytes).frag_length().is_some_and(|length| usize::from(length) == bytes.len())
}

/// A copy of an alter_context, which is short.
fn short(bytes: &[u8]) -> ([u8; ALTER_MAX], usize) {
    let mut copy = [0; ALTER_MAX];
    let len = bytes.len().min(ALTER_MAX);
    copy[..len].copy_from_slice(&bytes[..len]);
    (copy, len)
}

/// So many requests are sealed before the first of them is sent.
const BURST: usize = 8 * AT_A_TIME;
/// Longer than any answer to a KMS request in one fragment.
const FRAME_MAX: usize = 1024;
const ALTER_MAX: usize = 128;
