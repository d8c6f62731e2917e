//! Judging what needs more than one answer, or more than the answer: the
//! history of a host, and what a scenario expects.
//!
//! [`Judge`] stands in the event stream: exchanges go in with the checks of
//! their own answer and come out with these as well, so that every reader
//! downstream sees the same verdicts.

use std::sync::Arc;

use crate::events::{Broken, Event, Exchange};
use crate::proto::verify::History;
use crate::scenario::Plan;

/// Holds an exchange against those before it.
pub fn judge_history(history: &mut History, exchange: &mut Exchange) {
    let sent = exchange.sent.unwrap_or_default();
    let checks = history.observe(&exchange.request, &exchange.answer, sent, exchange.received);
    exchange.answer.checks.absorb(checks);
}

/// Judges the exchanges of one scenario as they pass.
#[derive(Debug)]
pub struct Judge {
    plan: Arc<Plan>,
    history: History,
}

impl Judge {
    /// A judge of `plan` who has seen nothing yet.
    pub fn new(plan: Arc<Plan>) -> Judge {
        Judge { plan, history: History::default() }
    }

    /// Passes an event on, an exchange with everything that can be said of it.
    pub fn judge(&mut self, mut event: Event) -> Event {
        match &mut event {
            // A host that forgot its clients is another host as far as its past goes.
            Event::StepStarted { fresh_host: true, .. } => self.history = History::default(),
            Event::Exchange(exchange) => self.judge_exchange(exchange),
            _ => {}
        }
        event
    }

    fn judge_exchange(&mut self, exchange: &mut Exchange) {
        judge_history(&mut self.history, exchange);
        if exchange.answer.is_not_applicable() {
            return;
        }
        let count = exchange.answer.response.as_ref().map(|response| response.count);
        let expected = self.plan.steps.get(exchange.step).map_or(&[][..], |step| &step.expect);
        for (number, expectation) in expected.iter().enumerate() {
            if let Err(observed) = expectation.holds(exchange.position, &exchange.outcome, count) {
                let expected = expectation.expected_text(exchange.position);
                exchange.broken.push(Broken { expectation: number, expected, observed });
            }
        }
    }
}
