//! Whether what was measured is the host's, or our own.
//!
//! A generator that cannot keep up measures itself. Then nothing is said of the host: the run is
//! invalid, with the evidence and the way out.

use std::time::Duration;

use super::ScenarioResult;
use crate::events::Effort;
use crate::scenario::{Arrive, Metric, Schedule, Spread};
use crate::text::{counted, grouped};

/// How the generator did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// Why what was measured is not the host's: the generator was the bottleneck.
    pub invalid: Vec<String>,
    /// Whether that is because it lacked sockets: then even what failed says nothing of the host.
    pub lacked_sockets: bool,
    /// What there is to know beside.
    pub notes: Vec<String>,
}

impl ScenarioResult {
    /// How the generator did, judged by what the scenario is for.
    pub fn health(&self) -> Health {
        let mut health = Health::default();
        let effort = &self.effort;
        let sockets = [
            (
                effort.no_port,
                "local port",
                "connect from more addresses (--source), or keep connections (--reuse kept)",
            ),
            (effort.no_file, "file descriptor", "raise `ulimit -n`, or let fewer connections be open (--open-max)"),
        ];
        for (times, what, way_out) in sockets.into_iter().filter(|(times, ..)| *times > 0) {
            health.lacked_sockets = true;
            let connections = counted(times, "connection");
            health.invalid.push(format!("no {what} was left for {connections}: {way_out}"));
        }
        let (late, started) = self.late_starts();
        if late >= LATE_MIN && late * LATE_SHARE > started {
            health.invalid.push(format!(
                "{} of {} were more than {} ms late by our own doing (p99 {:.1} ms): ask for less, or share the load \
                 among more cores (--workers)",
                grouped(late),
                counted(started, "start"),
                self.late_ns() / 1_000_000,
                self.latency.late.quantile_ns(0.99) as f64 / 1e6,
            ));
        } else if late > 0 {
            let ms = self.late_ns() / 1_000_000;
            health.notes.push(format!(
                "{} of {} were more than {ms} ms late",
                grouped(late),
                counted(started, "start")
            ));
        }
        if effort.missed > 0 {
            let due = effort.due.max(self.totals.requests + effort.missed);
            let missed = format!("{} of {} were never made", grouped(effort.missed), counted(due, "due start"));
            // Whoever could not start because the host held every place is the host's affair.
            let is_ours = effort.held_back == 0 && effort.missed * MISSED_SHARE > due;
            if is_ours { &mut health.invalid } else { &mut health.notes }.push(missed);
        }
        if let Some(times) = self.times_too_many().filter(|times| *times >= TIMES_TOO_MANY) {
            let working = effort.busy.saturating_sub(effort.spun);
            health.invalid.push(format!(
                "a start cost the generator {:.1} us, so {} would have taken {times:.1} times the time there was, \
                 whatever the host: ask for less, or share the load among more cores (--workers)",
                working.as_secs_f64() * 1e6 / effort.started as f64,
                counted(effort.due, "due start"),
            ));
        }
        if let Some(busy) = self.busy_share().filter(|busy| *busy >= BUSY_SHARE && self.claims_speed()) {
            health.invalid.push(format!(
                "the generator was busy for {:.0}% of the time, so how fast the host is was not found out: share the \
                 load among more cores (--workers), or ask for less",
                busy * 100.0,
            ));
        }
        if effort.held_back > 0 {
            health.notes.push(format!(
                "{} had to wait because as many as may be were under way: the host's doing",
                counted(effort.held_back, "start"),
            ));
        }
        if effort.syn_retries > 0 {
            health.notes.push(format!(
                "{} took a second or more: its SYN was lost, as when a host's backlog is full",
                counted(effort.syn_retries, "connection"),
            ));
        }
        health
    }

    /// Starts that were late by our own doing, and all of those that had a time of their own.
    fn late_starts(&self) -> (u64, u64) {
        let late = &self.latency.late;
        let timed = self.plan.steps.iter().any(|step| !matches!(step.arrive, Arrive::Turns { .. }));
        if timed { (late.count_above(self.late_ns()), late.count()) } else { (0, 0) }
    }

    /// How late a start has to be to be too late: timers of the portable engine are a millisecond coarse to begin with.
    fn late_ns(&self) -> u64 {
        let bursts = self.plan.steps.iter().filter_map(|step| match &step.arrive {
            Arrive::Open(Schedule { spread: Spread::Bursts { size }, .. }) => Some(u64::from(*size)),
            _ => None,
        });
        // Who is due at once starts one after the other.
        let in_line_ns = bursts.max().unwrap_or(0) * BURST_EACH_NS;
        in_line_ns + if !self.effort.elapsed.is_zero() { LATE_NS } else { LATE_PORTABLE_NS }
    }

    /// The part of their time the workers spent working, when they had enough of it to tell.
    pub fn busy_share(&self) -> Option<f64> {
        let effort = &self.effort;
        let working = effort.busy.saturating_sub(effort.spun);
        (effort.elapsed >= BUSY_SINCE).then(|| working.as_secs_f64() / effort.elapsed.as_secs_f64())
    }

    /// How often the time there was the workers would have needed to make all starts that were due, going by what those
    /// that they made took of them. A host that holds them back is not to hide that they could not have kept up anyway.
    fn times_too_many(&self) -> Option<f64> {
        let Effort { due, started, held_back, .. } = self.effort;
        // A worker that did next to nothing does not show what a start costs.
        let busy = self.busy_share().filter(|busy| held_back > 0 && started > 0 && *busy >= BUSY_ENOUGH_TO_TELL)?;
        Some(busy * due as f64 / started as f64)
    }

    /// Whether it says something of how fast the host is.
    fn claims_speed(&self) -> bool {
        let by_time = |metric| matches!(metric, Metric::Time { .. } | Metric::Throughput);
        self.plan.measures_speed || self.plan.thresholds.iter().any(|threshold| by_time(threshold.metric))
    }
}

/// A start later than this is too late, in nanoseconds: later than machines that others use too are now and then.
const LATE_NS: u64 = 5_000_000;
const LATE_PORTABLE_NS: u64 = 25_000_000;
/// What a connection takes to be begun, at most, on a machine that is not busy.
const BURST_EACH_NS: u64 = 200_000;
/// One late start in so many spoils a run: single stalls of a shared machine do not.
const LATE_SHARE: u64 = 20;
const LATE_MIN: u64 = 20;
/// One missed start in so many does.
const MISSED_SHARE: u64 = 100;
const BUSY_SHARE: f64 = 0.95;
/// Starts cost less where more of them are made at once: only what is beyond doubt spoils a run.
const TIMES_TOO_MANY: f64 = 2.0;
const BUSY_ENOUGH_TO_TELL: f64 = 0.05;
/// Shorter than this nothing is said of how busy it was.
const BUSY_SINCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::events::Latency;
    use crate::measure::Measure;
    use crate::scenario::{Ids, ShippedTables, load};

    fn result(arrive: &str, thresholds: &str) -> ScenarioResult {
        let thresholds = if thresholds.is_empty() { "\"wrong = 0\"" } else { thresholds };
        let file = format!(
            "name = \"health\"\nquestion = \"Whose?\"\nthresholds = [{thresholds}]\n[clients.a]\ncount = 10\n\
             product = \"Windows Server 2022 Standard\"\n[[step]]\ntitle = \"all\"\nclients = [\"a\"]\narrive = {arrive}\n"
        );
        let plan = load(&file, "health.toml", &ShippedTables).unwrap().plan(1, Ids::Seeded);
        Measure::new(Arc::new(plan)).finish(Vec::new())
    }

    fn lates(in_time: u64, late: u64) -> Latency {
        let mut latency = Latency::default();
        (0..in_time).for_each(|_| latency.record_ns(300));
        (0..late).for_each(|_| latency.record_ns(50_000_000));
        latency
    }

    const RATE: &str = "{ rate = \"100/s\" }";
    const TURNS: &str = "{ concurrency = 8 }";

    #[test]
    fn a_stall_is_no_reason_and_falling_behind_is() {
        for (in_time, late, invalid) in [(10_000, 0, false), (9_500, 500, false), (9_000, 1_000, true), (10, 10, false)]
        {
            let mut result = result(RATE, "");
            result.latency.late = lates(in_time, late);
            assert_eq!(!result.health().invalid.is_empty(), invalid, "{late} of {}", in_time + late);
        }
        let mut turns = result(TURNS, "");
        turns.latency.late = lates(10, 90);
        assert_eq!(turns.health(), Health::default(), "who takes turns has no time to be late for");
    }

    #[test]
    fn a_busy_worker_spoils_only_what_is_about_speed() {
        let busy = |thresholds: &str, busy_ms, elapsed_ms, spun_ms| {
            let mut result = result(TURNS, thresholds);
            let ms = Duration::from_millis;
            let (busy, elapsed, spun) = (ms(busy_ms), ms(elapsed_ms), ms(spun_ms));
            result.effort = Effort { busy, elapsed, spun, ..Effort::default() };
            !result.health().invalid.is_empty()
        };
        assert!(busy("\"p99 < 1ms\"", 2_900, 3_000, 0));
        assert!(!busy("\"p99 < 1ms\"", 2_000, 3_000, 0));
        assert!(!busy("\"p99 < 1ms\"", 3_000, 3_000, 1_000), "waiting on purpose is no work");
        assert!(!busy("\"p99 < 1ms\"", 900, 900, 0), "too short to tell");
        assert!(!busy("\"wrong = 0\"", 3_000, 3_000, 0));
    }

    #[test]
    fn a_host_that_holds_back_does_not_hide_that_the_generator_could_not_keep_up() {
        let of = |started, due, held_back, busy_ms| {
            let mut result = result(RATE, "");
            let (busy, elapsed) = (Duration::from_millis(busy_ms), Duration::from_secs(2));
            result.effort =
                Effort { started, due, held_back, missed: due - started, busy, elapsed, ..Effort::default() };
            result.health().invalid
        };
        let invalid = of(180_000, 1_800_000, 175_000, 1_060);
        let said = "a start cost the generator 5.9 us, so 1,800,000 due starts would have taken 5.3 times the time";
        assert!(invalid.len() == 1 && invalid[0].contains(said), "{invalid:?}");
        assert!(of(180_000, 400_000, 175_000, 1_060).is_empty(), "it could have");
        assert!(of(40, 4_000, 30, 20).is_empty(), "it had nothing to do");
    }

    #[test]
    fn sockets_are_named_for_what_they_are_and_hosts_for_theirs() {
        let of = |effort: Effort| {
            let mut result = result(RATE, "");
            result.effort = effort;
            result.health()
        };
        let ports = of(Effort { no_port: 3, ..Effort::default() });
        assert!(ports.lacked_sockets && ports.invalid[0].contains("no local port was left for 3 connections"));
        let files = of(Effort { no_file: 1, ..Effort::default() });
        assert!(files.invalid[0].contains("ulimit -n"), "{files:?}");
        let held = of(Effort { held_back: 7, missed: 90, due: 100, syn_retries: 2, ..Effort::default() });
        assert_eq!((held.invalid.len(), held.notes.len()), (0, 3), "{held:?}");
        let missed = of(Effort { missed: 90, due: 100, ..Effort::default() });
        assert!(missed.invalid[0].contains("90 of 100 due starts were never made"), "{missed:?}");
    }
}
