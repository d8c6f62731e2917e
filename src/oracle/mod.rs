//! What an honest host must answer, request by request, from documented
//! behaviour alone (protocol description, sections 5 and 6).
//!
//! [`Oracle`] is told of every request before it can reach the host and of
//! every answer, in the order they became known. Codes follow from the request
//! itself. Counts follow from who asked before: exactly as long as one request
//! came after the other, as bounds that hold for every order the host may have
//! taken them in once requests overlapped. It never accuses a host whose
//! answers some honest host could have given.
//!
//! Values in, values out: no sockets and no clock. `rules` has the codes, `counting` what must be
//! counted: by a `mirror` of the host's table, or within `bounds`; `judge` holds answers against both.

mod bounds;
mod catalogue;
mod clock;
mod counting;
mod judge;
mod mirror;
mod moments;
mod prediction;
mod rules;
mod settled;
mod values;

use std::collections::HashMap;
use std::time::Duration;

pub use catalogue::{DivergenceId, Requirement};
pub use prediction::{Codes, Prediction, Reason};
pub use settled::{Certain, Settled};
pub use values::{Divergence, ExchangeId, Heard, Host, Judgement, Question, Remark, Serves, Sighting, TableBefore};

use bounds::Taken;
use clock::Span;
use counting::{Counting, Expected};
use judge::{judge_code, judge_count};
use moments::Tick;
use rules::{N_POLICY_OVERCHARGE, Rules};

use crate::catalog::Application;
use crate::proto::Moment;
use crate::proto::verify::Level;
use crate::text::counted;
use crate::wire::{FileTime, Guid, Hresult};

/// Predicts what an honest host answers, and holds answers against it.
#[derive(Debug)]
pub struct Oracle {
    host: Host,
    rules: Rules,
    applications: HashMap<Guid, Counting>,
    pending: HashMap<ExchangeId, Pending>,
    /// How often the host was emptied.
    generation: u32,
    /// How many things were told.
    told: u32,
    /// When it was first asked what is settled.
    since: Option<Moment>,
    /// Whether an N policy was asked for that some hosts' tables do not survive.
    is_overcharged: bool,
    remarks: Vec<Remark>,
}

/// A request that was asked and is not answered.
#[derive(Debug, Clone, Copy)]
struct Pending {
    question: Question,
    at: Moment,
    tick: Tick,
    wall: FileTime,
    /// Whether an honest host may count its machine.
    counts: bool,
    /// Whether its machine was never asked for before.
    first: bool,
    generation: u32,
}

impl Oracle {
    /// An oracle of a host of which `host` is known.
    pub fn new(host: Host) -> Oracle {
        let rules = Rules::new(&host.serves);
        Oracle {
            host,
            rules,
            applications: HashMap::new(),
            pending: HashMap::new(),
            generation: 0,
            told: 0,
            since: None,
            is_overcharged: false,
            remarks: Vec::new(),
        }
    }

    /// The host was emptied: it has counted nobody, and nobody else asks it. What is under way may be
    /// taken before or after that.
    pub fn fresh_host(&mut self) {
        self.host.table = TableBefore::Empty;
        self.applications.clear();
        self.is_overcharged = false;
        self.generation += 1;
        let under_way: Vec<(ExchangeId, Pending)> = self.pending.iter().map(|(id, held)| (*id, *held)).collect();
        for (id, held) in under_way.into_iter().filter(|(_, held)| held.counts) {
            let counting = self.counting(held.question.application_id);
            counting.ask(id, held.question.cmid, held.question.n_policy, held.tick, held.wall);
            counting.perhaps_counted();
        }
    }

    /// A request is about to be made; told before it can reach the host. `wall` is our estimate of the host's
    /// clock at `at`.
    pub fn asked(&mut self, id: ExchangeId, question: &Question, at: Moment, wall: FileTime) {
        let tick = self.tick(at);
        let counts = self.rules.may_be_counted(question);
        let Question { application_id, cmid, n_policy, .. } = *question;
        let first = counts && self.counting(application_id).ask(id, cmid, n_policy, tick, wall);
        self.is_overcharged |= counts && n_policy >= N_POLICY_OVERCHARGE;
        let generation = self.generation;
        self.pending.insert(id, Pending { question: *question, at, tick, wall, counts, first, generation });
    }

    /// What was told as asked never left for the host, and is not answered either. Where requests overlap it
    /// still counts as one that may have been counted.
    pub fn never_sent(&mut self, id: ExchangeId) {
        if let Some(held) = self.pending.remove(&id)
            && held.counts
        {
            self.counting(held.question.application_id).withdraw(id);
        }
    }

    /// What came of a request that was asked; each is answered once, in the order answers became known.
    ///
    /// # Panics
    /// When the exchange was not asked, or was answered before.
    pub fn answered(&mut self, id: ExchangeId, heard: &Heard) -> Judgement {
        let held = self.pending.remove(&id).expect("what is answered was asked");
        let now = Span::around(held.wall, heard.received - held.at, self.host.clock_uncertainty);
        let wrongs = self.rules.wrongs(&held.question, now);
        let (codes, why) = wrongs.codes(self.is_overcharged);
        let taken = self.taken(&held, heard);
        let is_of_this_table = held.generation == self.generation;
        let expected = (held.counts && is_of_this_table)
            .then(|| self.counting(held.question.application_id).expect(id, &taken, now));
        let count = expected.as_ref().filter(|_| codes.contains(Hresult::OK)).map(Expected::range);
        let prediction = Prediction { codes, count, why };
        let mut divergences = judge_code(wrongs, &prediction, heard);

        let granted = heard.wire == Some(Hresult::OK) && !wrongs.refused();
        if let (true, Some(expected)) = (granted, &expected) {
            let learned = self.learn(&held.question, &taken, heard.count);
            self.remarks.extend(learned);
            divergences.extend(self.count(id, &held, &taken, now, heard, expected));
        } else {
            self.note_refusal(&held, &taken, heard);
        }
        Judgement { prediction, divergences }
    }

    /// What was learned of the host on the way.
    pub fn remarks(&self) -> Vec<Remark> {
        self.remarks.clone()
    }

    /// Judges the count of a granted request, and counts it.
    fn count(
        &mut self,
        id: ExchangeId,
        held: &Pending,
        taken: &Taken,
        now: Span,
        heard: &Heard,
        expected: &Expected,
    ) -> Option<Divergence> {
        let application = held.question.application_id;
        let counting = self.counting(application);
        let divergence =
            heard.count.and_then(|got| judge_count(application, expected, got, || counting.against(taken.sent, got)));
        let level = divergence.as_ref().map(|divergence| divergence.level);
        if level == Some(Level::Must) {
            counting.distrust();
        }
        // What other clients may explain is told once: from then on the new count is what is held on to.
        if level == Some(Level::Should) {
            counting.forget_counts();
        }
        let sighting = heard.count.filter(|_| level != Some(Level::Must)).map(|count| Sighting {
            exchange: id,
            cmid: held.question.cmid,
            count,
            asked: held.at,
            received: heard.received,
        });
        counting.counted(taken, now, sighting);
        divergence
    }

    /// What a request that was not granted, or should not have been, may have done to the table.
    fn note_refusal(&mut self, held: &Pending, taken: &Taken, heard: &Heard) {
        let Question { application_id, cmid, n_policy, .. } = held.question;
        match heard.wire {
            // The documents let such clients go uncounted.
            Some(Hresult::KMS_ID_MISMATCH | Hresult::INVALID_DATA) => {}
            // A host that grants what it should not may count it too, and what it counts is no proof.
            Some(Hresult::OK) if Application::from_guid(application_id).is_some() => {
                let counting = self.counting(application_id);
                if !held.counts {
                    counting.ask(
                        ExchangeId { step: usize::MAX, position: u64::MAX },
                        cmid,
                        n_policy,
                        taken.at,
                        held.wall,
                    );
                }
                counting.perhaps_counted();
                counting.distrust();
                counting.forget_counts();
            }
            _ if held.counts => self.counting(application_id).perhaps_counted(),
            _ => {}
        }
    }

    /// What the first count of an application says of a host nothing was known of.
    fn learn(&mut self, question: &Question, taken: &Taken, count: Option<u32>) -> Option<Remark> {
        let application_id = question.application_id;
        let count = count.filter(|_| self.counting(application_id).learns())?;
        let ours = self.counting(application_id).machines_until(taken.received);
        let others = u64::from(count).checked_sub(ours).filter(|others| *others > 0)?;
        let least = if ours > 1 { "at least " } else { "" };
        let machines = counted(others, &format!("{} machine", judge::name(application_id)));
        let text = format!("the host had counted {least}{machines} before the first answer");
        Some(Remark { application_id, text })
    }

    fn taken(&mut self, held: &Pending, heard: &Heard) -> Taken {
        // Sent at the very moment it was told: nothing became known in between.
        let sent = heard.sent.filter(|sent| *sent > held.at).map_or(held.tick, |sent| Tick::new(sent, 0));
        let received = self.tick(heard.received).max(sent);
        let wall_after = Span::around(held.wall, heard.received - held.at, Duration::ZERO).latest;
        let Question { cmid, n_policy, .. } = held.question;
        Taken { cmid, n_policy, first: held.first, at: held.tick, sent, received, wall: held.wall, wall_after }
    }

    fn tick(&mut self, at: Moment) -> Tick {
        self.told = self.told.saturating_add(1);
        Tick::new(at, self.told)
    }

    fn counting(&mut self, application: Guid) -> &mut Counting {
        let Host { table, clock_uncertainty, .. } = self.host;
        self.applications.entry(application).or_insert_with(|| Counting::new(table, clock_uncertainty))
    }
}

#[cfg(test)]
mod tests;
