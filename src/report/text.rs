//! The report a person reads when a run is over.

use std::fmt::Write as _;
use std::time::Duration;

use annotate_snippets::{Level as Severity, Renderer};
use anstyle::{AnsiColor, Style};

use super::plain::{duration, nanoseconds, requests, span, verdict};
use crate::exit::Exit;
use crate::measure::{Latency, ScenarioResult, StepResult, UnderLoad};
use crate::oracle::ExchangeId;
use crate::proto::Moment;
use crate::proto::verify::Level;
use crate::scenario::{Arrive, HostState, Plan, Step, TimeMode};
use crate::text::{counted, grouped, harmless};

/// The lines before the first scenario: what is run against what, and what it leaves behind.
pub fn render_header(target: &str, seed: u64, plans: &[&Plan], embedded: bool) -> String {
    let mut out = String::new();
    let version = env!("CARGO_PKG_VERSION");
    let _ = writeln!(out, "{BOLD}kmsproof {version}{BOLD:#}  target {target}  seed {seed}");
    if embedded {
        let _ = writeln!(out, "{DIM}the embedded lab host ends with this run; nothing is left behind{DIM:#}");
    } else {
        let ids: usize =
            plans.iter().flat_map(|plan| plan.ids_per_application()).map(|(_, ids)| ids).max().unwrap_or(0);
        let known: usize = plans.iter().map(|plan| plan.requests_left()).sum();
        let leased: u64 = plans.iter().map(|plan| plan.leased_requests_left()).sum();
        let open_ended = plans.iter().filter_map(|plan| plan.open_ended_for()).reduce(Duration::saturating_add);
        let n_policy = plans.iter().map(|plan| plan.largest_n_policy()).max().unwrap_or(0);
        let _ = writeln!(
            out,
            "{DIM}left on the host: up to {} per application for 30 days (find them with `kmsproof whose`), \
             {} in its log and counters, a client table for an N policy of {n_policy}{DIM:#}",
            counted(ids, "synthetic client id"),
            requests(known, leased, open_ended),
        );
        for plan in plans {
            if let Some(leaves) = &plan.leaves {
                let _ = writeln!(out, "{DIM}  {}: {}{DIM:#}", plan.name, harmless(leaves));
            }
        }
    }
    out
}

/// The lines under the header: what is better known before, of what was asked for and of this machine.
pub fn render_notes(notes: &[String], warnings: &[String]) -> String {
    let mut out = String::new();
    for (style, word, text) in
        notes.iter().map(|note| (DIM, "note", note)).chain(warnings.iter().map(|warning| (YELLOW, "warning", warning)))
    {
        let _ = writeln!(out, "{style}{word}{style:#}  {}", harmless(text));
    }
    out
}

/// What is shown of a scenario before it begins: its question, and how long it takes.
pub fn render_heading(plan: &Plan) -> String {
    let takes = plan.takes.as_ref().map_or(String::new(), |takes| format!("  ({})", harmless(takes)));
    format!("\n{BOLD}{}{BOLD:#}  {DIM}{}{takes}{DIM:#}\n", plan.name, harmless(&plan.question))
}

/// What came of a scenario: a line a step, then checks and latencies.
pub fn render_scenario(result: &ScenarioResult) -> String {
    let mut out = String::new();
    let plan = &result.plan;
    if let Some(why) = &result.ended_early {
        let _ = writeln!(out, "  {RED}{why}{RED:#}");
    }
    // Causes before what follows from them.
    render_failures(&mut out, result);
    render_broken_checks(&mut out, result, &[Level::Must]);
    render_under_load(&mut out, result);
    render_remarks(&mut out, result);
    render_divergences(&mut out, result);
    let width = plan.steps.iter().map(|step| step.title.chars().count()).max().unwrap_or(0).min(TITLE_WIDTH_MAX);
    for (number, (step, outcome)) in plan.steps.iter().zip(&result.steps).enumerate() {
        render_step(&mut out, plan, number, step, outcome, width);
    }
    render_broken_checks(&mut out, result, &[Level::Should, Level::May]);
    render_sums(&mut out, result);
    out
}

/// The last lines: what it all came to.
pub fn render_footer(results: &[ScenarioResult], skipped: &[String], exit: Exit, took: Duration) -> String {
    let mut out = String::from("\n");
    for skip in skipped {
        let _ = writeln!(out, "{YELLOW}skipped{YELLOW:#}  {skip}");
    }
    let is_good =
        |result: &&ScenarioResult| result.passed() && result.keeps_thresholds() && result.health().invalid.is_empty();
    let passed = results.iter().filter(is_good).count();
    let requests: u64 = results.iter().map(|result| result.totals.requests).sum();
    let unanswered: u64 = results.iter().map(|result| result.unanswered).sum();
    let done = match unanswered {
        0 => counted(requests, "activation"),
        _ => format!("{}, {} unanswered,", counted(requests, "request"), grouped(unanswered)),
    };
    let style = if exit == Exit::Held { GREEN } else { RED };
    let word = match exit {
        Exit::Held => "PASS",
        Exit::Check | Exit::Threshold | Exit::Regression => "FAIL",
        Exit::Interrupted => "INTERRUPTED",
        _ => "INVALID",
    };
    let _ = writeln!(
        out,
        "{style}{word}{style:#}  {passed} of {} passed, {done} in {}  {DIM}exit {}: {}{DIM:#}",
        counted(results.len(), "scenario"),
        duration(took),
        exit.code(),
        exit.meaning(),
    );
    out
}

fn render_step(out: &mut String, plan: &Plan, number: usize, step: &Step, outcome: &StepResult, width: usize) {
    let failed = step.expect.iter().zip(&outcome.expectations).any(|(expected, result)| result.is_failed(expected))
        || outcome.wrong > 0;
    let (style, word) = match (outcome.exchanges, failed) {
        // A step that only waits has nothing to show.
        (0, _) if step.selections.is_empty() => (DIM, "wait"),
        (0, _) => (YELLOW, "--  "),
        (_, true) => (RED, "FAIL"),
        (_, false) => (GREEN, "ok  "),
    };
    let title = harmless(&step.title);
    let _ = writeln!(out, "  {style}{word}{style:#}  {title:<width$}  {}", came_to(step, outcome));
    for (expectation, result) in step.expect.iter().zip(&outcome.expectations) {
        let Some(first) = result.evidence.first().filter(|_| result.is_failed(expectation)) else { continue };
        let _ = writeln!(
            out,
            "        {RED}{}{RED:#} expected {}, got {} for {}{}",
            expectation.what.words(),
            first.broken.expected,
            harmless(&first.broken.observed),
            first.machine,
            if result.failed > 1 { format!(" and {} more", grouped(result.failed - 1)) } else { String::new() },
        );
        let id = expectation.id(&plan.name, number + 1);
        let _ = writeln!(out, "        {DIM}{id}, {} line {}{DIM:#}", plan.file, expectation.line);
    }
}

/// `24 x 0xC004F038 (count too low), count 1 to 24`
pub(super) fn came_to(step: &Step, outcome: &StepResult) -> String {
    if outcome.exchanges == 0 && outcome.finished && step.host == HostState::Down {
        return "left out: only the embedded host can be taken out of service".to_owned();
    }
    let mut parts: Vec<String> =
        outcome.verdicts.iter().map(|(name, times)| format!("{} x {}", grouped(*times), verdict(*name))).collect();
    match outcome.counts {
        Some((least, most)) if least == most => parts.push(format!("count {least}")),
        Some((least, most)) => parts.push(format!("count {least} to {most}")),
        None => {}
    }
    if outcome.not_applicable > 0 {
        parts.push(format!("{} not applicable", grouped(outcome.not_applicable)));
    }
    parts.join(", ")
}

fn render_failures(out: &mut String, result: &ScenarioResult) {
    for (class, (times, first)) in &result.failures {
        let style = if *class == NOT_APPLICABLE { YELLOW } else { RED };
        let _ = writeln!(out, "  {style}{class}{style:#}  {}: {}", counted(*times, "time"), harmless(first));
    }
}

fn render_broken_checks(out: &mut String, result: &ScenarioResult, levels: &[Level]) {
    for (check, outcome) in levels.iter().flat_map(|level| result.failed_checks(*level)) {
        let entry = check.check();
        let style = if entry.level == Level::Must { RED } else { YELLOW };
        let _ = writeln!(
            out,
            "  {style}{:<6}{style:#}  {check}  broken by {} of {}{}",
            entry.level,
            grouped(outcome.failed),
            counted(outcome.failed + outcome.passed, "answer"),
            if entry.trust { ": a Windows client throws such an answer away (0x8007000D)" } else { "" },
        );
        let _ = writeln!(out, "          {DIM}{}{DIM:#}", entry.requirement);
        if let Some(first) = outcome.evidence.first() {
            let finding = &first.finding;
            let (expected, got) = (harmless(&finding.expected), harmless(&finding.got));
            let _ = writeln!(out, "          expected {expected}, got {got} ({})", first.machine);
        }
    }
}

/// What was learned of the host that is no fault of anybody.
fn render_remarks(out: &mut String, result: &ScenarioResult) {
    for remark in &result.remarks {
        let _ = writeln!(out, "  {DIM}note    {}{DIM:#}", harmless(&remark.text));
    }
}

/// In what the host is not an honest one, with both exchanges that show it.
fn render_divergences(out: &mut String, result: &ScenarioResult) {
    for (id, outcome) in &result.divergences {
        let requirement = id.requirement();
        let (style, word, times) = match outcome.failed {
            0 => (YELLOW, Level::Should, outcome.doubtful),
            failed => (RED, Level::Must, failed),
        };
        let all = counted(result.predicted, "answer");
        let _ = writeln!(out, "  {style}{word:<6}{style:#}  {id}  not so in {} of {all}", grouped(times));
        let _ = writeln!(out, "          {DIM}{}{DIM:#}", requirement.requirement);
        let Some(first) = outcome.evidence.first() else { continue };
        let found = &first.divergence;
        let _ = writeln!(
            out,
            "          expected {}, got {} for {} ({}): {}",
            harmless(&found.expected),
            harmless(&found.got),
            harmless(&first.machine),
            first.cmid,
            harmless(&found.because),
        );
        if let Some(against) = &found.against {
            let _ = writeln!(
                out,
                "          {DIM}held against step {}, request {}: {}{} was told {} at {}{DIM:#}",
                against.exchange.step + 1,
                grouped(against.exchange.position + 1),
                label(&result.plan, against.exchange).map_or(String::new(), |label| harmless(&label) + ", "),
                against.cmid,
                against.count,
                when(&result.plan, against.received),
            );
        }
    }
}

/// A moment of a run, since the scenario began.
fn when(plan: &Plan, at: Moment) -> String {
    match plan.time {
        TimeMode::Wall => duration(at.0),
        TimeMode::Virtual { .. } => span(at.0),
    }
}

/// What people call the machine of an exchange, where the plan says which one it was.
fn label(plan: &Plan, exchange: ExchangeId) -> Option<String> {
    let position = usize::try_from(exchange.position).ok()?;
    (position < plan.steps.get(exchange.step)?.arrivals()).then(|| plan.label(exchange.step, position))
}

fn render_thresholds(out: &mut String, result: &ScenarioResult) {
    for (threshold, measured, holds) in result.thresholds() {
        let (style, word) = if holds { (GREEN, "ok  ") } else { (RED, "FAIL") };
        let place = match threshold.line {
            0 => String::new(),
            line => format!("  {DIM}{} line {line}{DIM:#}", result.plan.file),
        };
        let _ = writeln!(out, "  {style}{word}{style:#}  {}: {measured}{place}", harmless(&threshold.text));
        if let Some(excerpt) = threshold.excerpt.as_ref().filter(|_| !holds) {
            let (title, label) = (format!("`{}` does not hold", harmless(&threshold.text)), measured.to_string());
            let snippet = excerpt.snippet(&result.plan.file, threshold.line, Some(&label));
            let group = Severity::ERROR.with_name("threshold").primary_title(title).element(snippet);
            let _ = writeln!(out, "{}", Renderer::styled().render(&[group]));
        }
    }
}

fn render_sums(out: &mut String, result: &ScenarioResult) {
    render_thresholds(out, result);
    if result.predicted > 0 && result.divergences.is_empty() {
        let exactly = match result.predicted_exactly {
            all if all == result.predicted => "exactly".to_owned(),
            some => format!("{} exactly and the others within bounds", grouped(some)),
        };
        let answers = counted(result.predicted, "answer");
        let _ = writeln!(out, "  oracle    {answers} predicted, {exactly}, and none differs");
    }
    if !result.checks.is_empty() {
        let done: u64 = result.checks.values().map(|check| check.passed + check.failed).sum();
        let held = result.checks.values().filter(|check| check.failed == 0).count();
        let all = counted(result.checks.len(), "requirement");
        let _ = writeln!(out, "  checks    {held} of {all} held, {} in all", counted(done, "time"));
    }
    render_leases(out, result);
    render_time(out, result);
}

fn render_leases(out: &mut String, result: &ScenarioResult) {
    if result.statuses.len() > 1 {
        let said = result.statuses.iter().map(|(status, times)| format!("{} x {status}", grouped(*times)));
        let _ = writeln!(out, "  leases    {}", said.collect::<Vec<_>>().join(", "));
    }
}

/// How long things took, and what went over the wire meanwhile.
fn render_time(out: &mut String, result: &ScenarioResult) {
    let totals = result.totals;
    if let TimeMode::Virtual { begins } = result.plan.time {
        let _ = writeln!(
            out,
            "  time      {} of its own from {begins} on, {} answered: nothing of it was measured",
            span(result.duration),
            grouped(totals.responses),
        );
    }
    if result.latency.service.count() == 0 {
        return render_health(out, result);
    }
    let median = |latency: &Latency| nanoseconds(latency.quantile_ns(0.5));
    let service = &result.latency.service;
    let mut opening = format!("connect {}, bind {}", median(&result.latency.connect), median(&result.latency.bind));
    if result.latency.alter.count() > 0 {
        let _ = write!(opening, ", alter_context {}", median(&result.latency.alter));
    }
    let _ = writeln!(
        out,
        "  latency   service p50 {}, p99 {}, max {}  {DIM}(median {opening}){DIM:#}",
        median(service),
        nanoseconds(service.quantile_ns(0.99)),
        nanoseconds(service.max_ns()),
    );
    render_load(out, result);
    let _ = writeln!(
        out,
        "  traffic   {}, {} answered, {} bytes out, {} in, {}",
        counted(totals.connections, "connection"),
        grouped(totals.responses),
        grouped(totals.bytes_sent),
        grouped(totals.bytes_received),
        duration(result.duration),
    );
}

/// What was asked for and what came of it, step by step, how late starts were, and whether that spoils it.
fn render_load(out: &mut String, result: &ScenarioResult) {
    for (number, (step, outcome)) in result.plan.steps.iter().zip(&result.steps).enumerate() {
        let Some(times) = outcome.times.as_ref().filter(|times| times.all.service.count() > 0) else { continue };
        let asked = match &step.arrive {
            Arrive::Open(schedule) => {
                let lasts = step.repeat.lasts.unwrap_or_else(|| schedule.duration(step.arrivals() as u64));
                format!("asked {:.1}/s, ", step.arrivals() as f64 / lasts.as_secs_f64().max(1e-9))
            }
            _ => String::new(),
        };
        let [p50, p90, p99, p999] =
            [0.5, 0.9, 0.99, 0.999].map(|share| nanoseconds(times.all.response.quantile_ns(share)));
        let _ = writeln!(
            out,
            "  step {:<4} {asked}reached {:.1}/s, response p50 {p50}, p90 {p90}, p99 {p99}, p99.9 {p999}, max {}",
            number + 1,
            times.per_s(),
            nanoseconds(times.all.response.max_ns()),
        );
    }
    let timed = result.plan.steps.iter().any(|step| !matches!(step.arrive, Arrive::Turns { .. }));
    let late = &result.latency.late;
    if timed && late.count() > 0 {
        let (counts, more) = late.spread([10_000, 100_000, 1_000_000, 10_000_000]);
        let share = |count: u64| format!("{:.2}%", count as f64 * 100.0 / late.count() as f64);
        let _ = writeln!(
            out,
            "  starts    late by p50 {}, p99 {}  {DIM}(10 us or less {}, 100 us {}, 1 ms {}, 10 ms {}, more {}){DIM:#}",
            nanoseconds(late.quantile_ns(0.5)),
            nanoseconds(late.quantile_ns(0.99)),
            share(counts[0]),
            share(counts[1]),
            share(counts[2]),
            share(counts[3]),
            share(more),
        );
    }
    render_worst(out, result);
    render_health(out, result);
}

fn render_health(out: &mut String, result: &ScenarioResult) {
    let health = result.health();
    for evidence in &health.invalid {
        let _ = writeln!(out, "  {RED}invalid{RED:#}   {evidence}");
    }
    for note in &health.notes {
        let _ = writeln!(out, "  {DIM}note      {note}{DIM:#}");
    }
}

/// The interval in which it took longest, where there are enough of them to choose from.
fn render_worst(out: &mut String, result: &ScenarioResult) {
    let timeline = &result.timeline;
    let whole = || timeline.stretches().filter(|stretch| stretch.lasts * 2 >= timeline.width());
    if whole().count() < WORST_OF_MIN {
        return;
    }
    let Some(worst) = whole().max_by_key(|stretch| stretch.interval.response.quantile_ns(0.99)) else { return };
    let _ = writeln!(
        out,
        "  worst     p99 {} within {} from {} on, at {:.1}/s",
        nanoseconds(worst.interval.response.quantile_ns(0.99)),
        span(timeline.width()),
        span(worst.at),
        worst.reached_per_s(),
    );
}

/// What held when the host was asked little, and broke when it was asked much.
fn render_under_load(out: &mut String, result: &ScenarioResult) {
    for found in result.under_load() {
        let UnderLoad { id, held_in, broke_in, broke, of } = found;
        let _ = writeln!(
            out,
            "  {RED}load{RED:#}    {id}  held in step {} when there was hardly any load, and broke in {} of {} in step {}",
            held_in + 1,
            grouped(broke),
            counted(of, "answer"),
            broke_in + 1,
        );
    }
}

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();
/// What the record calls exchanges that do not arise with a host.
const NOT_APPLICABLE: &str = "not-applicable";
/// Of fewer intervals none is called the worst.
const WORST_OF_MIN: usize = 5;
const TITLE_WIDTH_MAX: usize = 62;
