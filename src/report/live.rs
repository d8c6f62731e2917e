//! How a run is going, in one line.

use std::time::Duration;

use super::plain::{duration, nanoseconds, span};
use crate::events::{Event, Latency};
use crate::proto::Moment;
use crate::scenario::{Arrive, Plan};
use crate::text::{counted, grouped, harmless};

/// Reads events, and says how it is going.
#[derive(Debug, Default)]
pub struct Live {
    step: Option<usize>,
    /// When the first thing of the step happened, and the last.
    times: Option<(Moment, Moment)>,
    requests: u64,
    unanswered: u64,
    wrong: u64,
    response: Latency,
}

impl Live {
    /// Takes one event.
    pub fn observe(&mut self, event: &Event) {
        match event {
            Event::StepStarted { step, .. } => *self = Live { step: Some(*step), ..Live::default() },
            Event::Tally(tally) => {
                self.requests += tally.exchanges();
                self.response.add(&tally.times.response);
                self.went_by(tally.from, tally.until);
            }
            Event::Exchange(exchange) => {
                self.requests += 1;
                self.unanswered += u64::from(exchange.is_unanswered());
                self.wrong += u64::from(exchange.is_wrong() && !exchange.is_unanswered());
                self.response.record(exchange.response());
                self.went_by(exchange.asked, exchange.received);
            }
            _ => {}
        }
    }

    fn went_by(&mut self, from: Moment, until: Moment) {
        let (first, last) = self.times.unwrap_or((from, until));
        self.times = Some((first.min(from), last.max(until)));
    }

    /// What there is to say of a run of `plan`; nothing before anything has happened.
    pub fn line(&self, plan: &Plan) -> Option<String> {
        let (first, last) = self.times?;
        let step = plan.steps.get(self.step?)?;
        let took = last - first;
        let mut line = format!("{}: {}  ", plan.name, harmless(&step.title));
        if let Arrive::Open(schedule) = &step.arrive {
            line += &format!("asked {:.0}/s, ", schedule.peak_per_s(took));
        }
        let per_s = if took.is_zero() { 0.0 } else { self.requests as f64 / took.as_secs_f64() };
        line += &format!(
            "reached {per_s:.0}/s, p50 {}, p99 {}, {}",
            nanoseconds(self.response.quantile_ns(0.5)),
            nanoseconds(self.response.quantile_ns(0.99)),
            counted(self.requests, "request"),
        );
        for (count, what) in [(self.unanswered, "unanswered"), (self.wrong, "wrong")] {
            if count > 0 {
                line += &format!(", {} {what}", grouped(count));
            }
        }
        let left = step.repeat.lasts.map(|lasts| lasts.saturating_sub(took));
        let gone = Duration::from_secs(took.as_secs());
        line += &match left {
            Some(left) => format!(", {} left", span(Duration::from_secs(left.as_secs()))),
            None if gone.is_zero() => format!(", {}", duration(took)),
            None => format!(", {}", span(gone)),
        };
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Effort, Kind, Tally};
    use crate::proto::verify::CheckSet;
    use crate::proto::{Outcome, Verdict};
    use crate::scenario::{Ids, ShippedTables, load};
    use crate::wire::Hresult;
    use crate::wire::kms::LicenseStatus;

    #[test]
    fn a_line_says_what_is_asked_what_is_reached_and_what_is_left() {
        let file = "name = \"monday\"\nquestion = \"?\"\n[clients.a]\ncount = 10\nproduct = \"Windows 11 Enterprise\"\n\
                    [[step]]\ntitle = \"a lecture begins\"\nclients = [\"a\"]\narrive = { rate = \"500/s\" }\n\
                    repeat = { for = \"30s\" }\n";
        let plan = load(file, "monday.toml", &ShippedTables).unwrap().plan(1, Ids::Seeded);
        let mut live = Live::default();
        assert_eq!(live.line(&plan), None);
        live.observe(&Event::StepStarted { step: 0, fresh_host: false });
        let outcome = Outcome { wire: Some(Hresult::OK), verdict: Verdict::Activated, shown: Hresult::OK };
        let kind = Kind { outcome, status: LicenseStatus::LICENSED, done: CheckSet::default(), predicted: true };
        let mut tally = Tally { kinds: vec![(kind, 1_000)], until: Moment(Duration::from_secs(2)), ..Tally::default() };
        tally.effort = Effort::default();
        (0..1_000).for_each(|_| tally.times.response.record_ns(250_000));
        live.observe(&Event::Tally(Box::new(tally)));
        let line = live.line(&plan).unwrap();
        assert_eq!(
            line,
            "monday: a lecture begins  asked 500/s, reached 500/s, p50 250 us, p99 250 us, 1,000 requests, 28 s left"
        );
    }
}
