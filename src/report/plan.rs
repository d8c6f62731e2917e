//! What a run would do, in words and numbers, before it does it.

use std::fmt::Write as _;
use std::time::Duration;

use anstyle::Style;

use super::plain::{requests, span};
use super::text::came_to;
use crate::catalog;
use crate::measure::ScenarioResult;
use crate::population::{Group, LeaseBegins, Machines, Share};
use crate::scenario::{
    Arrive, ConnectionUse, Expectation, HostState, Ids, Order, Plan, Schedule, Spread, Step, TableNeeds, TimeMode,
};
use crate::text::{counted, grouped, harmless, wrapped};
use crate::wire::FileTime;

/// A plan as a person reads it. `rehearsed` is what came of it in memory, against an honest host
/// that had counted nobody; `began` is when machines' clocks are looked at.
pub fn render_plan(plan: &Plan, rehearsed: Option<&ScenarioResult>, began: FileTime) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{BOLD}{}{BOLD:#}  {}", plan.name, harmless(&plan.question));
    let _ = writeln!(out, "  {DIM}{}, seed {}, plan {}{DIM:#}", harmless(&plan.file), plan.seed, plan.hash);
    row(&mut out, "asks", &asks(plan));
    row(&mut out, "takes", &takes(plan));
    row(&mut out, "host", &host(plan));
    row(&mut out, "leaves", &leaves(plan));
    for threshold in &plan.thresholds {
        row(&mut out, "holds to", &harmless(&threshold.text));
    }
    let arriving: Vec<u16> = plan.arriving().map(|(group, ..)| group).collect();
    let _ = writeln!(out, "\n  {BOLD}machines{BOLD:#}  {DIM}as of {began}{DIM:#}");
    for (_, group) in plan.population.groups().enumerate().filter(|(number, _)| arriving.contains(&(*number as u16))) {
        machines(&mut out, group, began);
    }
    let _ = writeln!(out, "\n  {BOLD}steps{BOLD:#}");
    for (number, step) in plan.steps.iter().enumerate() {
        render_step(&mut out, number, step, rehearsed);
    }
    out
}

fn asks(plan: &Plan) -> String {
    let machines = counted(plan.machines(), "machine");
    let (listed, leased) = (plan.arrivals_known(), plan.leased_requests());
    let asked = requests(listed, leased, plan.open_ended_for());
    // Where nothing else is asked there is room to say so.
    let refused = if listed == 0 && leased > 0 { ", and more of those refused" } else { "" };
    format!("{machines}, {asked}{refused}")
}

fn takes(plan: &Plan) -> String {
    let said = plan.takes.as_ref().map(|takes| harmless(takes));
    match plan.time {
        TimeMode::Virtual { begins } => {
            let said = said.map_or(String::new(), |said| format!("{said}; "));
            format!("{said}a time of its own from {begins} on, in memory")
        }
        TimeMode::Wall => said.unwrap_or_else(|| match plan.leases_last() {
            Duration::ZERO => "as long as the host takes to answer".to_owned(),
            lasts if plan.arrivals() == 0 => span(lasts),
            lasts => format!("{} as leases go, and else as long as the host takes to answer", span(lasts)),
        }),
    }
}

fn host(plan: &Plan) -> String {
    let table = match (plan.needs_embedded_host(), plan.host.table) {
        (Some(why), _) => return format!("the embedded lab host and no other: it {why}"),
        (None, TableNeeds::Any) => "any; whom it has counted before is learned from its first answers",
        (None, TableNeeds::Empty) => "one that has counted nobody",
    };
    let serves = match &plan.host.serves {
        None => "every volume product of the catalogue".to_owned(),
        Some(ids) => counted(ids.len(), "product family") + " of the catalogue and no other",
    };
    format!("{table}; it serves {serves}")
}

fn leaves(plan: &Plan) -> String {
    if plan.needs_embedded_host().is_some() {
        return "nothing: the embedded lab host ends with the run".to_owned();
    }
    let ids = plan.ids_per_application();
    let ids: Vec<String> = ids
        .into_iter()
        .map(|(application, ids)| format!("{} ({})", counted(ids, "client id"), catalog::application_name(application)))
        .collect();
    let n_policy = plan.largest_n_policy();
    format!(
        "{} for 30 days, {} in the log and the counters, a client table of {} for good",
        ids.join(", "),
        requests(plan.requests_left(), plan.leased_requests_left(), plan.open_ended_for()),
        grouped(2 * u64::from(n_policy)),
    )
}

fn machines(out: &mut String, group: &Group, began: FileTime) {
    let products: Vec<String> = group
        .wanted
        .iter()
        .take(LISTED_MAX)
        .map(|wanted| format!("{} (N {})", harmless(&wanted.name), wanted.n_policy))
        .collect();
    let mut text = match &group.machines {
        Machines::Alike(count) => format!("{} with {}", grouped(u64::from(*count)), products.join(" and ")),
        Machines::Listed(rows) => {
            format!("{} of a table, with {}", grouped(u64::from(rows.len())), products.join(", "))
        }
    };
    if group.wanted.len() > LISTED_MAX {
        let _ = write!(text, " and {} more products", group.wanted.len() - LISTED_MAX);
    }
    let mut add = |part: String| {
        let _ = write!(text, "; {part}");
    };
    match group.lease {
        LeaseBegins::Installed => {}
        LeaseBegins::Aged { least_min, most_min } if least_min == most_min => {
            add(format!("activated {} ago", days(least_min)));
        }
        LeaseBegins::Aged { least_min, most_min } => {
            add(format!("activated {} to {} ago", days(least_min), days(most_min)))
        }
        LeaseBegins::Standing { status, minutes_left } => add(format!("{status}, {minutes_left} minutes left")),
    }
    match group.vm {
        Share::NONE => {}
        share => add(format!("{share} virtual")),
    }
    if !group.clock.is_right() {
        add(format!("clock {}", group.clock.words(began, began)));
    } else if group.clock != crate::client::ClientClock::right() {
        add(format!("clock right: {}", group.clock));
    }
    if group.clones {
        add("one client id between them".to_owned());
    }
    if group.previous_id {
        add("had another client id before".to_owned());
    }
    for away in &group.away {
        add(format!("{} away from {} to {}", away.share, span(away.from), span(away.to)));
    }
    for (number, line) in wrapped(&text, WIDTH - NAME_WIDTH).iter().enumerate() {
        let name = if number == 0 { harmless(&group.name) } else { String::new() };
        let _ = writeln!(out, "    {name:<NAME_WIDTH$} {line}");
    }
}

fn days(minutes: u64) -> String {
    span(Duration::from_secs(minutes * 60))
}

fn render_step(out: &mut String, number: usize, step: &Step, rehearsed: Option<&ScenarioResult>) {
    let _ = writeln!(out, "    {:>2}  {}", number + 1, harmless(&step.title));
    let mut parts = Vec::new();
    match step.host {
        HostState::Kept => {}
        HostState::Fresh => parts.push("the host has counted nobody".to_owned()),
        HostState::Down => parts.push("the host is out of service".to_owned()),
    }
    if !step.wait.is_zero() {
        parts.push(format!("waits {}", span(step.wait)));
    }
    if !step.selections.is_empty() {
        parts.push(arrivals(step));
    }
    detail(out, &parts.join("; "));
    if !step.expect.is_empty() {
        let expected: Vec<String> = step.expect.iter().map(expected).collect();
        detail(out, &format!("expects {}", expected.join(", ")));
    }
    if let Some(outcome) = rehearsed.and_then(|rehearsed| rehearsed.steps.get(number)).filter(|step| step.exchanges > 0)
    {
        let once = if step.is_open_ended() { ", the first time" } else { "" };
        detail(out, &format!("an honest host{once}: {}", came_to(step, outcome)));
    }
}

fn arrivals(step: &Step) -> String {
    let lasts = step.repeat.lasts;
    let mut text = match &step.arrive {
        Arrive::Turns { concurrency: 1 } => {
            format!("{} one by one", requests(step.arrivals_known(), 0, open_ended(step)))
        }
        Arrive::Turns { concurrency } => {
            let asked = requests(step.arrivals_known(), 0, open_ended(step));
            format!("{asked}, {} at a time", grouped(*concurrency as u64))
        }
        Arrive::Open(schedule) => {
            let time = match lasts {
                Some(lasts) => format!("in {}", span(lasts)),
                None => format!("in about {}", span(schedule.duration(step.arrivals() as u64))),
            };
            format!("{}, {}, {time}", counted(step.arrivals(), "request"), rate(schedule))
        }
        Arrive::Recorded { speed: 1 } => format!("{} at the recorded pace", counted(step.arrivals(), "request")),
        Arrive::Recorded { speed } => {
            format!("{}, {} times as fast as recorded", counted(step.arrivals(), "request"), grouped(u64::from(*speed)))
        }
        Arrive::Lifecycle { span: time, speed } => {
            let activations = counted(step.activations(), "activation");
            let wall = match speed {
                1 => String::new(),
                _ => {
                    let lasts = span(step.leases_last().unwrap_or_default());
                    format!(" that go by {} times as fast: in {lasts}", grouped(u64::from(*speed)))
                }
            };
            format!("{activations} as their leases make them ask, for {}{wall}", span(*time))
        }
    };
    if step.order == Order::Shuffled {
        text.push_str(", in a mixed order");
    }
    if step.repeat.times > 1 && !step.repeat.pause.is_zero() {
        let _ = write!(text, ", in {} rounds with {} between", step.repeat.times, span(step.repeat.pause));
    }
    if !step.think.is_zero() {
        let _ = write!(text, ", each resting {} after an answer", span(step.think));
    }
    match step.connection {
        ConnectionUse::Each => {}
        ConnectionUse::Kept => text.push_str(", over kept connections"),
        ConnectionUse::Calls(calls) => {
            let _ = write!(text, ", over connections for {} each", counted(calls, "call"));
        }
    }
    text
}

fn open_ended(step: &Step) -> Option<Duration> {
    step.repeat.lasts.filter(|_| step.is_open_ended())
}

fn rate(schedule: &Schedule) -> String {
    let stages: Vec<String> = schedule
        .stages
        .iter()
        .map(|stage| {
            let level = if stage.from_per_s == stage.to_per_s {
                format!("{}/s", stage.to_per_s)
            } else {
                format!("{} to {}/s", stage.from_per_s, stage.to_per_s)
            };
            if stage.lasts.is_zero() { level } else { format!("{level} for {}", span(stage.lasts)) }
        })
        .collect();
    let spread = match schedule.spread {
        Spread::Even => String::new(),
        Spread::Poisson => " as strangers come".to_owned(),
        Spread::Bursts { size } => format!(" in bursts of {size}"),
    };
    format!("at {}{spread}", stages.join(", then "))
}

fn expected(expectation: &Expectation) -> String {
    if expectation.what.is_share() {
        return expectation.what.text() + " of the answers";
    }
    format!("{} {}", expectation.what.words().trim_end_matches(':'), expectation.what.text())
}

fn row(out: &mut String, label: &str, text: &str) {
    for (number, line) in wrapped(text, WIDTH - 10).iter().enumerate() {
        let label = if number == 0 { label } else { "" };
        let _ = writeln!(out, "  {label:<9} {line}");
    }
}

fn detail(out: &mut String, text: &str) {
    for line in wrapped(text, WIDTH - 8) {
        if !line.is_empty() {
            let _ = writeln!(out, "        {DIM}{line}{DIM:#}");
        }
    }
}

/// One arrival as a line of JSON, without its line feed.
pub fn arrival_line(plan: &Plan, step: usize, position: usize, due: Option<Duration>, began: FileTime) -> String {
    let arrival = plan.arrival(step, position);
    let machine = plan.machine(&arrival, began);
    let (status, minutes_left) = machine.lease.standing(began);
    serde_json::json!({
        "scenario": plan.name, "step": step + 1, "arrival": position + 1, "machine": machine.label,
        "due_ns": due.map(|due| due.as_nanos() as u64), "cmid": machine.id.guid(),
        "workstation": machine.workstation.to_string(), "product": machine.wanted.name,
        "application_id": machine.wanted.application_id, "sku_id": machine.wanted.sku_id,
        "kms_counted_id": machine.wanted.kms_counted_id, "n_policy": machine.wanted.n_policy,
        "protocol": arrival.version.to_string(), "vm": machine.is_vm, "license_status": status.0,
        "minutes_left": minutes_left, "ids": match plan.population.ids() { Ids::Seeded => "seeded", Ids::Pool => "pool" },
    })
    .to_string()
}

/// A step in which leases say who asks when: that depends on what the host says, so no request of it is listed.
pub fn lifecycle_line(plan: &Plan, step: usize) -> String {
    let lasts = plan.steps[step].leases_last().unwrap_or_default();
    serde_json::json!({
        "scenario": plan.name, "step": step + 1, "by_leases": true,
        "activations": plan.steps[step].activations(),
        "requests_about": plan.steps[step].leased_requests(), "lasts_s": lasts.as_secs_f64(),
    })
    .to_string()
}

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const WIDTH: usize = 100;
const NAME_WIDTH: usize = 18;
const LISTED_MAX: usize = 4;
