//! How a run is going, in one line.

use std::collections::VecDeque;
use std::time::Duration;

use super::plain::{duration, nanoseconds, span};
use crate::events::{Coarse, Event};
use crate::proto::Moment;
use crate::scenario::{Arrive, Plan, Step};
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
    /// The last seconds, the one going on last.
    seconds: VecDeque<Second>,
}

/// What came to its end in a second.
#[derive(Debug, Default)]
struct Second {
    number: u64,
    requests: u64,
    response: Coarse,
}

impl Live {
    /// Takes one event.
    pub fn observe(&mut self, event: &Event) {
        match event {
            Event::StepStarted { step, .. } => *self = Live { step: Some(*step), ..Live::default() },
            Event::Tally(tally) => {
                self.requests += tally.exchanges();
                let second = self.second(tally.from + (tally.until - tally.from) / 2);
                second.requests += tally.exchanges();
                second.response.add_all(&tally.times.response);
                self.went_by(tally.from, tally.until);
            }
            Event::Exchange(exchange) => {
                self.requests += 1;
                self.unanswered += u64::from(exchange.is_unanswered());
                self.wrong += u64::from(exchange.is_wrong() && !exchange.is_unanswered());
                let second = self.second(exchange.received);
                second.requests += 1;
                second.response.record(exchange.response());
                self.went_by(exchange.asked, exchange.received);
            }
            _ => {}
        }
    }

    fn went_by(&mut self, from: Moment, until: Moment) {
        let (first, last) = self.times.unwrap_or((from, until));
        self.times = Some((first.min(from), last.max(until)));
    }

    fn second(&mut self, at: Moment) -> &mut Second {
        let number = at.0.as_secs();
        if self.seconds.back().is_none_or(|last| last.number < number) {
            self.seconds.push_back(Second { number, ..Second::default() });
            if self.seconds.len() > SECONDS {
                self.seconds.pop_front();
            }
        }
        self.seconds.back_mut().expect("one was made")
    }

    /// What there is to say of a run of `plan`; nothing before anything has happened.
    pub fn line(&self, plan: &Plan) -> Option<String> {
        let (first, last) = self.times?;
        let number = self.step?;
        let step = plan.steps.get(number)?;
        let took = last - first;
        let mut line =
            format!("{}, step {} of {}: {}  ", plan.name, number + 1, plan.steps.len(), harmless(&step.title));
        let (since, requests, recent) = self.recent(first);
        let lasts_s = (last - since).as_secs_f64();
        let per_s = |count: f64| rate(if lasts_s > 0.0 { count / lasts_s } else { 0.0 });
        if let Arrive::Open(schedule) = &step.arrive {
            let asked = schedule.brings(took) - schedule.brings(since - first);
            line += &format!("asked {}/s, ", per_s(asked));
        }
        line += &format!(
            "reached {}/s, p50 {}, p99 {}, {}",
            per_s(requests as f64),
            nanoseconds(recent.quantile_ns(0.5)),
            nanoseconds(recent.quantile_ns(0.99)),
            counted(self.requests, "request"),
        );
        for (count, what) in [(self.unanswered, "unanswered"), (self.wrong, "wrong")] {
            if count > 0 {
                line += &format!(", {} {what}", grouped(count));
            }
        }
        let gone = Duration::from_secs(took.as_secs());
        line += &match self.left(step, took) {
            Some(left) => format!(", {} left", span(Duration::from_secs(left.as_secs()))),
            None if gone.is_zero() => format!(", {}", duration(took)),
            None => format!(", {}", span(gone)),
        };
        Some(line)
    }

    /// Since when the last seconds are, as far as they belong to the step, how many requests they ended, and how long
    /// these took.
    fn recent(&self, first: Moment) -> (Moment, u64, Coarse) {
        let since = self.seconds.front().map_or(first, |second| Moment(Duration::from_secs(second.number)).max(first));
        let mut all = Coarse::default();
        self.seconds.iter().for_each(|second| all.add(&second.response));
        (since, self.seconds.iter().map(|second| second.requests).sum(), all)
    }

    /// How long the step still takes, where that can be said.
    fn left(&self, step: &Step, took: Duration) -> Option<Duration> {
        let arrivals = step.arrivals() as u64;
        let whole = match (&step.arrive, step.repeat.lasts) {
            (_, Some(lasts)) => lasts,
            (Arrive::Open(schedule), None) => schedule.duration(arrivals),
            // As fast as it went so far.
            (Arrive::Turns { .. }, None) if self.requests > 0 && !step.is_open_ended() => {
                took.mul_f64(arrivals as f64 / self.requests as f64)
            }
            _ => return None,
        };
        Some(whole.saturating_sub(took))
    }
}

/// A rate as a person reads it: whole where it is large.
fn rate(per_s: f64) -> String {
    if per_s >= 10.0 { grouped(per_s.round() as u64) } else { format!("{per_s:.1}") }
}

/// So many seconds back rates and times are looked at: shorter, and they dance.
const SECONDS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Kind, Tally};
    use crate::proto::verify::CheckSet;
    use crate::proto::{Outcome, Verdict};
    use crate::scenario::{Ids, ShippedTables, load};
    use crate::wire::Hresult;
    use crate::wire::kms::LicenseStatus;

    #[test]
    fn a_line_says_what_is_asked_what_is_reached_and_what_is_left() {
        let file = "name = \"monday\"\nquestion = \"?\"\n[clients.a]\ncount = 10\nproduct = \"Windows 11 Enterprise\"\n\
                    [[step]]\ntitle = \"a lecture begins\"\nclients = [\"a\"]\narrive = { rate = \"500/s\" }\n\
                    repeat = { for = \"30s\" }\n[[step]]\ntitle = \"it fills\"\nclients = [\"a\"]\n\
                    arrive = { stages = [{ from = \"0/s\", to = \"200/s\", for = \"20s\" }] }\nrepeat = 200\n";
        let plan = load(file, "monday.toml", &ShippedTables).unwrap().plan(1, Ids::Seeded);
        let mut live = Live::default();
        assert_eq!(live.line(&plan), None);
        live.observe(&Event::StepStarted { step: 0, fresh_host: false });
        let outcome = Outcome { wire: Some(Hresult::OK), verdict: Verdict::Activated, shown: Hresult::OK };
        let kind = Kind { outcome, status: LicenseStatus::LICENSED, done: CheckSet::default(), predicted: true };
        let quarters = |step, from_s: u64, many: u64, each: fn(u64) -> u64| {
            (0..many).map(move |quarter| {
                let from = Moment(Duration::from_millis(from_s * 1_000 + quarter * 250));
                let kinds = vec![(kind, each(quarter))];
                Tally { step, kinds, from, until: from + Duration::from_millis(250), ..Tally::default() }
            })
        };
        for mut tally in quarters(0, 0, 8, |_| 125) {
            (0..125).for_each(|_| tally.times.response.record_ns(250_000));
            live.observe(&Event::Tally(Box::new(tally)));
        }
        let line = live.line(&plan).unwrap();
        assert_eq!(
            line,
            "monday, step 1 of 2: a lecture begins  asked 500/s, reached 500/s, p50 251 us, p99 251 us, 1,000 requests, \
             28 s left"
        );
        let begun = Event::StepStarted { step: 1, fresh_host: false };
        live.observe(&begun);
        assert_eq!(live.line(&plan), None, "the next step begins anew");
        for tally in quarters(1, 32, 40, |quarter| 5 + 10 * (quarter / 20)) {
            live.observe(&Event::Tally(Box::new(tally)));
        }
        let line = live.line(&plan).unwrap();
        assert_eq!(
            line,
            "monday, step 2 of 2: it fills  asked 85/s, reached 60/s, p50 0 ns, p99 0 ns, 400 requests, 10 s left",
            "the rates are those of now"
        );
    }
}
