//! `--out csv=PATH`: how it went, a line for each second, written as it goes.
//!
//! Times of day are left to whoever reads it: seconds count from the run's beginning. Durations are in nanoseconds,
//! to two digits.

use std::io::{self, Write};
use std::time::Duration;

use crate::events::Event;
use crate::measure::{Coarse, Stretch, Timeline};
use crate::proto::Moment;

/// Writes a line for each second.
#[derive(Debug)]
pub struct Seconds<W: Write> {
    out: csv::Writer<W>,
    scenario: String,
    timeline: Timeline,
    /// Up to where all is told.
    told: Moment,
}

impl<W: Write> Seconds<W> {
    /// On `out`, which gets its heading at once.
    pub fn new(out: W) -> io::Result<Seconds<W>> {
        let mut out = csv::Writer::from_writer(out);
        out.write_record(HEADING)?;
        Ok(Seconds { out, scenario: String::new(), timeline: Timeline::new(SECOND), told: Moment::default() })
    }

    /// Takes one event.
    pub fn observe(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::ScenarioStarted { name } => {
                self.scenario.clone_from(name);
                self.timeline = Timeline::new(SECOND);
                self.told = Moment::default();
            }
            Event::Exchange(exchange) if !exchange.answer.is_not_applicable() => {
                // What is over is told first: a second that nobody waits for any more widens no other.
                self.tell_before(exchange.received)?;
                self.timeline.note_exchange(exchange);
            }
            Event::Tally(tally) => {
                self.tell_before(tally.until)?;
                self.timeline.note_tally(tally);
            }
            Event::ScenarioFinished { .. } => {
                self.tell(Moment(Duration::MAX))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// What it wrote to.
    pub fn into_inner(self) -> io::Result<W> {
        self.out.into_inner().map_err(csv::IntoInnerError::into_error)
    }

    /// Tells of the seconds that are over for all workers at `now`: one may be a little behind another.
    fn tell_before(&mut self, now: Moment) -> io::Result<()> {
        match now.0.checked_sub(BEHIND_MAX) {
            Some(over) if Moment(over) >= self.told => {
                self.told = Moment(Duration::from_secs(over.as_secs()) + SECOND);
                self.tell(Moment(over))
            }
            _ => Ok(()),
        }
    }

    fn tell(&mut self, before: Moment) -> io::Result<()> {
        let Seconds { out, scenario, timeline, .. } = self;
        let mut result = Ok(());
        timeline.take_before(before, |stretch| {
            if result.is_ok() {
                result = out.write_record(fields(scenario, &stretch)).map_err(io::Error::from);
            }
        });
        result.and_then(|()| out.flush())
    }
}

fn fields(scenario: &str, stretch: &Stretch<'_>) -> Vec<String> {
    let interval = stretch.interval;
    let step = interval.steps.map_or(String::new(), |(first, _)| (first + 1).to_string());
    let mut fields = vec![
        scenario.to_owned(),
        stretch.at.as_secs().to_string(),
        format!("{:.3}", stretch.lasts.as_secs_f64()),
        step,
        format!("{:.1}", stretch.asked_per_s()),
        format!("{:.1}", stretch.reached_per_s()),
    ];
    let counts = [
        interval.asked(),
        interval.requests,
        interval.unanswered,
        interval.wrong,
        interval.late,
        interval.held_back,
        interval.missed,
    ];
    fields.extend(counts.map(|count| count.to_string()));
    fields.extend([0.5, 0.9, 0.99, 0.999].map(|share| ns(&interval.response, share)));
    fields.push(interval.response.max_ns().to_string());
    fields.extend([0.5, 0.99].map(|share| ns(&interval.service, share)));
    fields.extend([&interval.connect, &interval.bind, &interval.alter].map(|times| ns(times, 0.5)));
    fields
}

fn ns(times: &Coarse, share: f64) -> String {
    times.quantile_ns(share).to_string()
}

const HEADING: [&str; 23] = [
    "scenario",
    "at_s",
    "lasts_s",
    "step",
    "asked_per_s",
    "reached_per_s",
    "asked",
    "requests",
    "unanswered",
    "wrong",
    "late_starts",
    "held_back",
    "missed_starts",
    "response_p50_ns",
    "response_p90_ns",
    "response_p99_ns",
    "response_p999_ns",
    "response_max_ns",
    "service_p50_ns",
    "service_p99_ns",
    "connect_p50_ns",
    "bind_p50_ns",
    "alter_context_p50_ns",
];
const SECOND: Duration = Duration::from_secs(1);
/// Workers tell what they did four times a second.
const BEHIND_MAX: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Effort, Tally};

    #[test]
    fn a_second_is_told_once_and_soon_after_it_is_over() {
        let mut seconds = Seconds::new(Vec::new()).unwrap();
        seconds.observe(&Event::ScenarioStarted { name: "monday".to_owned() }).unwrap();
        let mut written = Vec::new();
        for quarter in 0..12_u64 {
            let from = Moment(Duration::from_millis(10_000 + quarter * 250));
            let mut tally = Tally { from, until: from + Duration::from_millis(250), ..Tally::default() };
            tally.effort = Effort { due: 25, ..Effort::default() };
            (0..25).for_each(|_| tally.times.response.record_ns(1_000_000));
            seconds.observe(&Event::Tally(Box::new(tally))).unwrap();
            written.push(String::from_utf8_lossy(seconds.out.get_ref()).lines().count());
        }
        assert_eq!(written, [1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3]);
        let finished = Event::ScenarioFinished { duration: Duration::from_secs(3), ended_early: None };
        seconds.observe(&finished).unwrap();
        let text = String::from_utf8(seconds.into_inner().unwrap()).unwrap();
        let rows: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(rows.len(), 3);
        for (second, row) in (10..).zip(rows) {
            assert!(row.starts_with(&format!("monday,{second},1.000,1,100.0,0.0,100,0,0,0,0,0,0,")), "{row}");
        }
    }
}
