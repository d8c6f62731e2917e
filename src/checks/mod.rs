//! Judging what needs more than one answer, or more than the answer: the
//! history of a host, what an honest host would have answered, and what a
//! scenario expects.
//!
//! [`Judge`] stands in the event stream: exchanges go in with the checks of
//! their own answer and come out with these as well, so that every reader
//! downstream sees the same verdicts.

use std::sync::Arc;
use std::time::Duration;

use crate::events::{Broken, Event, Exchange};
use crate::oracle::{Certain, Heard, Host, Oracle, Remark, Serves, Settled, TableBefore};
use crate::proto::verify::{Checks, History};
use crate::scenario::{HostState, Plan, TableNeeds, TimeMode};

/// Holds an exchange against those before it.
pub fn judge_history(history: &mut History, exchange: &mut Exchange) {
    let sent = exchange.sent.unwrap_or_default();
    let checks = history.observe(&exchange.request, &exchange.answer, sent, exchange.received);
    exchange.answer.checks.absorb(checks);
}

/// What is known of the host a plan is carried out against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostKnowledge {
    /// Whether it is the embedded one, which nobody else asks and whose clock is ours.
    pub embedded: bool,
    /// How far its clock may be from ours, when it is another.
    pub clock_uncertainty: Duration,
}

/// Judges the exchanges of one scenario as they pass.
#[derive(Debug)]
pub struct Judge {
    plan: Arc<Plan>,
    history: History,
    oracle: Oracle,
    quiet: Arc<Quiet>,
    /// Whether the step is one in which things may go untold.
    makes_load: bool,
    down: bool,
}

/// What whoever carries a plan out needs to know to leave things untold.
#[derive(Debug)]
pub struct Quiet {
    /// The counts that are due.
    pub settled: Settled,
    /// The requests that are granted for sure.
    pub certain: Certain,
}

impl Judge {
    /// A judge of `plan` who has seen nothing yet.
    pub fn new(plan: Arc<Plan>, known: HostKnowledge) -> Judge {
        let empty = known.embedded || plan.host.table == TableNeeds::Empty;
        let host = Host {
            table: if empty { TableBefore::Empty } else { TableBefore::Unknown },
            serves: plan.host.serves.clone().map_or(Serves::Catalogue, Serves::Only),
            clock_uncertainty: match (known.embedded, plan.time) {
                (_, TimeMode::Virtual { .. }) => Duration::ZERO,
                (true, TimeMode::Wall) => CLOCK_SLACK,
                (false, TimeMode::Wall) => known.clock_uncertainty,
            },
        };
        let quiet =
            Arc::new(Quiet { settled: Settled::new(plan.asks_per_application()), certain: Certain::new(&host) });
        Judge { plan, history: History::default(), oracle: Oracle::new(host), quiet, makes_load: false, down: false }
    }

    /// What may go untold by now: it is kept up to date while the judge listens.
    pub fn quiet(&self) -> Arc<Quiet> {
        Arc::clone(&self.quiet)
    }

    /// Passes an event on, an exchange with everything that can be said of it.
    pub fn judge(&mut self, mut event: Event) -> Event {
        match &mut event {
            Event::StepStarted { step, fresh_host } => {
                self.down = self.plan.steps.get(*step).is_some_and(|step| step.host == HostState::Down);
                // What is asked one by one is told one by one, and the table is known exactly.
                let concurrency = self.plan.steps.get(*step).map(|step| step.concurrency());
                self.makes_load = self.plan.time == TimeMode::Wall && concurrency != Some(Some(1));
                if !self.makes_load {
                    self.quiet.settled.clear();
                }
                // A host that forgot its clients is another host as far as its past goes.
                if *fresh_host {
                    self.history = History::default();
                    self.oracle.fresh_host();
                    self.quiet.settled.clear();
                }
            }
            Event::Asked { id, question, at, wall } if !self.down => self.oracle.asked(*id, question, *at, *wall),
            Event::Exchange(exchange) => {
                self.judge_exchange(exchange);
                if self.makes_load {
                    self.quiet.settled.update(&mut self.oracle, exchange.received);
                }
            }
            Event::Tally(tally) if self.makes_load => self.quiet.settled.update(&mut self.oracle, tally.until),
            _ => {}
        }
        event
    }

    /// What was learned of the host on the way.
    pub fn remarks(&self) -> Vec<Remark> {
        self.oracle.remarks()
    }

    fn judge_exchange(&mut self, exchange: &mut Exchange) {
        if self.down {
            // A host that is out of service owes no answer.
            exchange.answer.checks = Checks::default();
        } else {
            judge_history(&mut self.history, exchange);
            self.consult_oracle(exchange);
        }
        if exchange.answer.is_not_applicable() {
            return;
        }
        let count = exchange.answer.response.as_ref().map(|response| response.count);
        let expected = self.plan.steps.get(exchange.step).map_or(&[][..], |step| &step.expect);
        for (number, expectation) in expected.iter().enumerate() {
            if let Err(observed) = expectation.holds(exchange.position, &exchange.outcome, count) {
                let expected = expectation.expected_text(exchange.position);
                let is_share = expectation.what.is_share();
                exchange.broken.push(Broken { expectation: number, is_share, expected, observed });
            }
        }
    }

    fn consult_oracle(&mut self, exchange: &mut Exchange) {
        let id = exchange.id();
        if exchange.sent.is_none() {
            // The host never had the request; that it could not be sent is a finding of its own.
            return self.oracle.never_sent(id);
        }
        let trusted = exchange.answer.response.as_ref().filter(|_| exchange.answer.checks.is_trusted());
        let heard = Heard {
            sent: exchange.sent,
            received: exchange.received,
            wire: exchange.outcome.wire,
            count: trusted.map(|response| response.count),
            verdict: exchange.outcome.verdict,
        };
        let judgement = self.oracle.answered(id, &heard);
        // It learns from every answer, and judges those it is asked about.
        let asked = self.plan.steps.get(exchange.step).is_none_or(|step| step.oracle);
        exchange.judgement = Some(judgement).filter(|_| asked);
    }
}

/// Our own wall clock may be set a little while we use it.
const CLOCK_SLACK: Duration = Duration::from_millis(50);
