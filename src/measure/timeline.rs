//! How it went from interval to interval, in memory that does not grow with how long it goes on: when there are too
//! many intervals, two and two become one.

use std::time::Duration;

use crate::events::{Coarse, Exchange, Tally};
use crate::proto::Moment;

/// Intervals of one length, one after the other, those of a run by its own clock.
#[derive(Debug, Clone)]
pub struct Timeline {
    width: Duration,
    /// The number of the first interval, counted from the run's beginning.
    first: u64,
    intervals: Vec<Interval>,
    /// When the first thing happened, and the last.
    seen: Option<(Moment, Moment)>,
}

/// What came to its end in an interval.
#[derive(Debug, Clone, Default)]
pub struct Interval {
    /// The first step something of came to its end, from 0, and the last.
    pub steps: Option<(usize, usize)>,
    /// Arrivals that were due, as far as workers carry them out.
    due: u64,
    /// Requests that were meant to start, as far as they were told of one by one.
    told: u64,
    /// Requests that were answered or came to nothing.
    pub requests: u64,
    /// Of these, the ones without an answer that can be trusted.
    pub unanswered: u64,
    /// Of these, the ones whose answer was wrong.
    pub wrong: u64,
    /// Starts that were late by our own doing.
    pub late: u64,
    /// Starts that waited because as many as may be were under way.
    pub held_back: u64,
    /// Arrivals that were never started.
    pub missed: u64,
    /// TCP connections.
    pub connect: Coarse,
    /// Binds.
    pub bind: Coarse,
    /// alter_contexts.
    pub alter: Coarse,
    /// Calls, send to reply.
    pub service: Coarse,
    /// Whole exchanges, intended start to reply.
    pub response: Coarse,
}

/// An interval and where it lies.
#[derive(Debug, Clone, Copy)]
pub struct Stretch<'t> {
    /// Its beginning, since the run's.
    pub at: Duration,
    /// How much of it there was: the first and the last are seldom whole.
    pub lasts: Duration,
    /// What came of it.
    pub interval: &'t Interval,
}

impl Timeline {
    /// A timeline that begins with intervals of this length.
    ///
    /// # Panics
    /// When they have none.
    pub fn new(width: Duration) -> Timeline {
        assert!(!width.is_zero(), "an interval of no length");
        Timeline { width, first: 0, intervals: Vec::new(), seen: None }
    }

    /// How long intervals are by now.
    pub fn width(&self) -> Duration {
        self.width
    }

    /// Takes in an exchange.
    pub fn note_exchange(&mut self, exchange: &Exchange) {
        self.went_by(exchange.started.max(Moment(self.begins())), exchange.received);
        self.interval(exchange.started).told += 1;
        let interval = self.interval(exchange.received);
        interval.went_through(exchange.step);
        interval.requests += 1;
        interval.unanswered += u64::from(exchange.is_unanswered());
        interval.wrong += u64::from(exchange.is_wrong() && !exchange.is_unanswered());
        if let Some(opened) = &exchange.opened {
            interval.connect.record(opened.connect);
            interval.bind.record(opened.negotiated.bind_time);
            if let Some(took) = opened.negotiated.alter_time {
                interval.alter.record(took);
            }
        }
        if let Some(service) = exchange.service() {
            interval.service.record(service);
            interval.response.record(exchange.response());
        }
    }

    /// Takes in what a worker did meanwhile.
    pub fn note_tally(&mut self, tally: &Tally) {
        self.went_by(tally.from, tally.until);
        let middle = tally.from + (tally.until - tally.from) / 2;
        let interval = self.interval(middle);
        interval.went_through(tally.step);
        interval.requests += tally.exchanges();
        interval.due += tally.effort.due;
        interval.late += tally.effort.late;
        interval.held_back += tally.effort.held_back;
        interval.missed += tally.effort.missed;
        interval.connect.add_all(&tally.times.connect);
        interval.bind.add_all(&tally.times.bind);
        interval.alter.add_all(&tally.times.alter);
        interval.service.add_all(&tally.times.service);
        interval.response.add_all(&tally.times.response);
    }

    /// The intervals so far, in order.
    pub fn stretches(&self) -> impl Iterator<Item = Stretch<'_>> {
        let numbers = self.first..;
        numbers.zip(&self.intervals).map(|(number, interval)| self.stretch(number, interval))
    }

    /// Hands over the intervals that were over before `at`, and forgets them.
    pub fn take_before(&mut self, at: Moment, mut each: impl FnMut(Stretch<'_>)) {
        let over = self.number_of(at).saturating_sub(self.first).min(self.intervals.len() as u64);
        let taken: Vec<Interval> = self.intervals.drain(..over as usize).collect();
        for (number, interval) in (self.first..).zip(&taken) {
            each(self.stretch(number, interval));
        }
        self.first += over;
    }

    fn stretch<'t>(&self, number: u64, interval: &'t Interval) -> Stretch<'t> {
        let at = self.width.saturating_mul(u32::try_from(number).unwrap_or(u32::MAX));
        let end = at.saturating_add(self.width);
        let (from, until) = self.seen.map_or((at, end), |(from, until)| (from.0.max(at), until.0.min(end)));
        Stretch { at, lasts: until.saturating_sub(from), interval }
    }

    fn begins(&self) -> Duration {
        self.width.saturating_mul(u32::try_from(self.first).unwrap_or(u32::MAX))
    }

    fn went_by(&mut self, from: Moment, until: Moment) {
        let (first, last) = self.seen.unwrap_or((from, until));
        self.seen = Some((first.min(from), last.max(until)));
    }

    fn number_of(&self, at: Moment) -> u64 {
        u64::try_from(at.0.as_nanos() / self.width.as_nanos()).unwrap_or(u64::MAX)
    }

    /// The interval of a moment, with room made for it; of one long gone the first there is.
    fn interval(&mut self, at: Moment) -> &mut Interval {
        if self.intervals.is_empty() {
            self.first = self.first.max(self.number_of(at));
        }
        while self.number_of(at) >= self.first + INTERVALS_MAX as u64 {
            self.halve();
        }
        let place = self.number_of(at).saturating_sub(self.first) as usize;
        if place >= self.intervals.len() {
            self.intervals.resize_with(place + 1, Interval::default);
        }
        &mut self.intervals[place]
    }

    /// Makes one interval of two.
    fn halve(&mut self) {
        let mut halved: Vec<Interval> = Vec::with_capacity(INTERVALS_MAX);
        for (number, interval) in (self.first..).zip(self.intervals.drain(..)) {
            match halved.last_mut() {
                Some(before) if number % 2 == 1 => before.add(&interval),
                _ => halved.push(interval),
            }
        }
        self.intervals = halved;
        self.first /= 2;
        self.width *= 2;
    }
}

impl Interval {
    /// Arrivals that were to start in it.
    pub fn asked(&self) -> u64 {
        // Workers say of all of theirs when they were due, those told of one by one included.
        if self.due > 0 { self.due } else { self.told }
    }

    fn went_through(&mut self, step: usize) {
        let (first, last) = self.steps.unwrap_or((step, step));
        self.steps = Some((first.min(step), last.max(step)));
    }

    fn add(&mut self, later: &Interval) {
        if let Some((first, last)) = later.steps {
            self.went_through(first);
            self.went_through(last);
        }
        self.due += later.due;
        self.told += later.told;
        self.requests += later.requests;
        self.unanswered += later.unanswered;
        self.wrong += later.wrong;
        self.late += later.late;
        self.held_back += later.held_back;
        self.missed += later.missed;
        self.connect.add(&later.connect);
        self.bind.add(&later.bind);
        self.alter.add(&later.alter);
        self.service.add(&later.service);
        self.response.add(&later.response);
    }
}

impl Stretch<'_> {
    /// Requests that came to their end, a second.
    pub fn reached_per_s(&self) -> f64 {
        self.per_s(self.interval.requests)
    }

    /// Requests that were to start, a second.
    pub fn asked_per_s(&self) -> f64 {
        self.per_s(self.interval.asked())
    }

    fn per_s(&self, count: u64) -> f64 {
        let lasts_s = self.lasts.as_secs_f64();
        if lasts_s > 0.0 { count as f64 / lasts_s } else { 0.0 }
    }
}

/// More intervals than this are not kept.
const INTERVALS_MAX: usize = 120;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::events::Effort;

    const WIDTH: Duration = Duration::from_secs(1);

    fn tally(from_ms: u64, lasts_ms: u64, due: u64) -> Tally {
        let from = Moment(Duration::from_millis(from_ms));
        let mut tally = Tally { from, until: from + Duration::from_millis(lasts_ms), ..Tally::default() };
        tally.effort = Effort { due, ..Effort::default() };
        for took in 1..=due {
            tally.times.response.record_ns(took * 1_000);
        }
        tally
    }

    proptest! {
        #![proptest_config(crate::cases::config(64))]

        #[test]
        fn nothing_is_lost_however_long_it_goes_on(gaps_ms in prop::collection::vec((0..400_000_u64, 0..9_u64), 1..80)) {
            let mut timeline = Timeline::new(WIDTH);
            let (mut at_ms, mut due) = (0, 0);
            for (gap_ms, many) in gaps_ms {
                at_ms += gap_ms;
                timeline.note_tally(&tally(at_ms, 250, many));
                due += many;
                prop_assert!(timeline.intervals.len() <= INTERVALS_MAX);
            }
            prop_assert_eq!(timeline.stretches().map(|stretch| stretch.interval.asked()).sum::<u64>(), due);
            prop_assert_eq!(timeline.stretches().map(|stretch| stretch.interval.response.count()).sum::<u64>(), due);
            let lasts: Duration = timeline.stretches().map(|stretch| stretch.lasts).sum();
            let (from, until) = timeline.seen.unwrap();
            prop_assert_eq!(lasts, until - from);
        }
    }

    #[test]
    fn two_intervals_become_one_when_there_are_too_many() {
        let mut timeline = Timeline::new(WIDTH);
        for second in 0..INTERVALS_MAX as u64 + 1 {
            timeline.note_tally(&tally(second * 1_000 + 300, 250, 2));
        }
        assert_eq!(timeline.width(), 2 * WIDTH);
        let asked: Vec<u64> = timeline.stretches().map(|stretch| stretch.interval.asked()).collect();
        assert_eq!((asked.len(), asked[0], asked[59], asked[60]), (61, 4, 4, 2));
    }

    #[test]
    fn what_is_taken_is_over_and_comes_once() {
        let mut timeline = Timeline::new(WIDTH);
        let mut taken = Vec::new();
        for second in [5, 6, 8] {
            timeline.note_tally(&tally(second * 1_000, 250, 1));
            let now = Moment(Duration::from_secs(second));
            timeline.take_before(now, |stretch| taken.push((stretch.at.as_secs(), stretch.interval.asked())));
        }
        assert_eq!(taken, [(5, 1), (6, 1), (7, 0)]);
        timeline.note_tally(&tally(5_500, 250, 3));
        assert_eq!(timeline.stretches().map(|stretch| stretch.interval.asked()).sum::<u64>(), 4, "late, and not lost");
    }
}
