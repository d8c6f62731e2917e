//! `arrive`: when the clients of a step arrive.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::DeValue;

use super::form::{Form, Key, Shape, words};
use super::problem::{Finding, Findings};
use super::value::Fault;
use super::walk::{Node, Table};
use super::wording::quoted;
use crate::scenario::schedule::{Arrive, Schedule, Spread, Stage};
use crate::scenario::spec::TimeMode;

/// How they arrive, and how long each rests after an answer; nothing when something is wrong. `time` is the time the
/// scenario goes by, as far as that could be read.
pub(super) fn read(node: &Node<'_>, time: Option<TimeMode>, findings: &mut Findings) -> Option<(Arrive, Duration)> {
    let entries = node.table(HELP, findings)?;
    let table = Table::open(&FORM, entries, node.at.clone(), findings);
    let think = table.optional("think").map_or(Some(Duration::ZERO), |node| node.duration(findings));
    let arrive = read_arrive(node, &table, time, findings);
    Some((arrive?, think?))
}

fn read_arrive(node: &Node<'_>, table: &Table<'_>, time: Option<TimeMode>, findings: &mut Findings) -> Option<Arrive> {
    let flag = |key, findings: &mut Findings| table.optional(key).map(|node| node.boolean(findings));
    let (one_by_one, recorded) = (flag("one-by-one", findings), flag("recorded", findings));
    let concurrency = table.optional("concurrency").map(|node| node.whole(CONCURRENCY, findings));
    let rate = table.optional("rate").map(|node| node.parsed(rate, findings));
    let stages = table.optional("stages").map(|node| read_stages(&node, findings));
    let lifecycle = table.optional("lifecycle").map(|node| read_span(&node, findings));
    let speed = table.optional("speed").map_or(Some(1), |node| node.whole(SPEED, findings));
    if lifecycle.is_some() {
        check_speed(table, time, findings);
    }
    let spread = read_spread(table, findings);
    if let Some(rate) = rate {
        return Some(Arrive::Open(Schedule::steady(rate?, spread?)));
    }
    if let Some(stages) = stages {
        return Some(Arrive::Open(Schedule { stages: stages?, spread: spread? }));
    }
    match (one_by_one, concurrency, recorded, lifecycle) {
        (Some(one_by_one), ..) if one_by_one? => Some(Arrive::Turns { concurrency: 1 }),
        (_, Some(concurrency), ..) => Some(Arrive::Turns { concurrency: concurrency? as usize }),
        (_, _, Some(recorded), _) if recorded? => Some(Arrive::Recorded { speed: speed? }),
        (.., Some(span)) => Some(Arrive::Lifecycle { span: span?, speed: speed? }),
        // Without any of them that is said already.
        (None, None, None, None) => None,
        _ => {
            let message = "`arrive` does not say how the clients arrive";
            findings.push(Finding::at(node.at.clone(), message).help(HELP));
            None
        }
    }
}

/// Where no time is waited for, none goes faster than another.
fn check_speed(table: &Table<'_>, time: Option<TimeMode>, findings: &mut Findings) {
    if let (Some(node), Some(TimeMode::Virtual { .. })) = (table.optional("speed"), time) {
        let message = "in a time of its own months are over in seconds, so leases need no `speed`";
        let help = "leave it out, or let the scenario go by the time on the wall";
        findings.push(Finding::at(node.at.clone(), message).help(help));
    }
}

fn read_spread(table: &Table<'_>, findings: &mut Findings) -> Option<Spread> {
    let bursts = table.optional("burst").map(|node| node.whole(BURST, findings));
    let spread = table.optional("spread").map_or(Some(Spread::Even), |node| node.word(&SPREADS, findings));
    match bursts {
        Some(size) => Some(Spread::Bursts { size: size? }),
        None => spread,
    }
}

pub(super) fn read_span(node: &Node<'_>, findings: &mut Findings) -> Option<Duration> {
    let span = node.duration(findings)?;
    if span.is_zero() {
        findings.push(
            Finding::at(node.at.clone(), format!("`{}` cannot be nothing", node.key)).help("a form like 30s or 365d"),
        );
        return None;
    }
    Some(span)
}

fn read_stages(node: &Node<'_>, findings: &mut Findings) -> Option<Vec<Stage>> {
    let DeValue::Array(_) = node.value else {
        node.refuse("a list of stages", STAGES_HELP, findings);
        return None;
    };
    let written = node.one_or_more(findings);
    if let Some(too_many) = written.get(STAGES_MAX) {
        let message = format!("there are {} stages; there is room for {STAGES_MAX}", written.len());
        findings.push(Finding::at(too_many.at.clone(), message));
        return None;
    }
    let mut stages: Vec<Stage> = Vec::with_capacity(written.len());
    let mut sound = !written.is_empty();
    for (number, stage) in written.iter().enumerate() {
        // After a stage that could not be read nobody knows where the next begins.
        let before = stages.last().map(|stage| stage.to_per_s).filter(|_| stages.len() == number);
        let is_last = number + 1 == written.len();
        match read_stage(stage, (number > 0).then_some(before.unwrap_or(1.0)), is_last, findings) {
            Some(stage) => stages.push(stage),
            None => sound = false,
        }
    }
    sound.then_some(stages)
}

/// A stage; `before` is the rate at which the one before it ended, if there is one.
fn read_stage(node: &Node<'_>, before: Option<f64>, is_last: bool, findings: &mut Findings) -> Option<Stage> {
    let table = Table::open(&STAGE, node.table(STAGES_HELP, findings)?, node.at.clone(), findings);
    let lasts = table.optional("for").map(|node| read_span(&node, findings));
    let level = table.optional("rate").map(|node| node.parsed(rate, findings));
    let mut end = |key| table.optional(key).map(|node| node.parsed(rate_or_none, findings));
    let (from, to) = (end("from"), end("to"));
    let (from_per_s, to_per_s) = match (level, from, to) {
        (Some(level), ..) => (level?, level?),
        (None, Some(from), Some(to)) => (from?, to?),
        (None, None, Some(to)) => match before {
            Some(before) => (before, to?),
            None => {
                let finding = Finding::at(node.at.clone(), "the first stage has no stage before it to begin at");
                findings.push(finding.help("say where it begins, as in from = \"0/s\""));
                return None;
            }
        },
        _ => return None,
    };
    if is_last && to_per_s == 0.0 {
        let finding = Finding::at(node.at.clone(), "the last stage ends at a rate of nothing, and goes on at it");
        findings.push(
            finding.help("let it end above 0, or add a stage: whoever has not arrived yet arrives at the last rate"),
        );
        return None;
    }
    Some(Stage { from_per_s, to_per_s, lasts: lasts?? })
}

/// Arrivals a second, more than none.
fn rate(key: &str, text: &str) -> Result<f64, Fault> {
    let per_s = rate_or_none(key, text)?;
    if per_s == 0.0 {
        return Err(Fault::new(format!("`{key}` cannot be nothing")).help(RATE_HELP));
    }
    Ok(per_s)
}

/// Arrivals a second.
fn rate_or_none(key: &str, text: &str) -> Result<f64, Fault> {
    let wrong = || Fault::new(format!("`{key}` cannot be {}", quoted(text))).help(RATE_HELP);
    let (number, unit) = text.split_once('/').ok_or_else(wrong)?;
    let seconds = UNITS.iter().find(|(name, _)| *name == unit.trim()).ok_or_else(wrong)?.1;
    let number = number.trim();
    let is_plain = number.starts_with(|first: char| first.is_ascii_digit())
        && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let per_s = number.parse::<f64>().ok().filter(|_| is_plain).ok_or_else(wrong)? / seconds;
    if per_s > PER_S_MAX || (per_s > 0.0 && per_s < PER_S_MIN) {
        let fault = Fault::new(format!("`{key}` is out of range: {}", quoted(text)));
        return Err(fault.help("at most 1000000/s, and at least one in 100 years"));
    }
    Ok(per_s)
}

pub(super) static FORM: Form = Form {
    what: "`arrive`",
    doc: "When the clients of a step arrive.",
    keys: &[
        Key::optional(
            "one-by-one",
            Shape::Flag,
            "one-by-one = true",
            "Each when the one before it is done; so it is when `arrive` is left out.",
        ),
        Key::optional("concurrency", Shape::whole(CONCURRENCY), "concurrency = 64", "So many at a time."),
        Key::optional(
            "think",
            Shape::Text,
            "think = \"500ms\"",
            "How long each of those who ask at a time rests after an answer; not at all when left out.",
        ),
        Key::optional(
            "rate",
            RATE,
            "rate = \"50/s\"",
            "At a rate, whether others are done or not: 50/s, 3000/min, 2/h.",
        ),
        Key::optional(
            "stages",
            Shape::List(&Shape::Table(&STAGE), 1, STAGES_MAX),
            "stages = [{ from = \"0/s\", to = \"100/s\", for = \"1m\" }, { to = \"20/s\", for = \"10s\" }]",
            "At a rate that changes; the last stage's goes on until all have arrived.",
        ),
        Key::optional(
            "spread",
            Shape::Words(&words(&SPREADS)),
            "spread = \"poisson\"",
            "Evenly at the rate, or as strangers arrive.",
        ),
        Key::optional("burst", Shape::whole(BURST), "burst = 20", "So many at once, at the rate on average."),
        Key::optional(
            "recorded",
            Shape::Flag,
            "recorded = true",
            "When the population table says, in its column `at`.",
        ),
        Key::optional(
            "speed",
            Shape::whole(SPEED),
            "speed = 60",
            "So many times as fast as recorded, or leases so many times as fast as the wall's time; 1 when left out.",
        ),
        Key::optional(
            "lifecycle",
            Shape::Text,
            "lifecycle = \"365d\"",
            "When their leases make them, for so long in the leases' time.",
        ),
    ],
    needs: &[&[&["one-by-one"], &["concurrency"], &["rate"], &["stages"], &["recorded"], &["lifecycle"]]],
    apart: &[&["one-by-one", "concurrency", "rate", "stages", "recorded", "lifecycle"], &["spread", "burst"]],
    beside: &[
        ("think", &["concurrency"]),
        ("spread", &["rate", "stages"]),
        ("burst", &["rate", "stages"]),
        ("speed", &["recorded", "lifecycle"]),
    ],
    ..Form::PLAIN
};

pub(super) static STAGE: Form = Form {
    what: "a stage",
    doc: "A time in which the rate stays, or goes evenly from one to another.",
    keys: &[
        Key::optional("rate", RATE, "rate = \"10/s\"", "The rate, all the time."),
        Key::optional(
            "from",
            RATE,
            "from = \"0/s\"",
            "The rate at its beginning; where the stage before ended when left out.",
        ),
        Key::optional("to", RATE, "to = \"100/s\"", "The rate at its end."),
        Key::required("for", Shape::Text, "for = \"1m\"", "How long it lasts."),
    ],
    needs: &[&[&["rate"], &["to"]]],
    apart: &[&["rate", "from"], &["rate", "to"]],
    ..Form::PLAIN
};

const RATE: Shape = Shape::Match(r"^\s*[0-9][0-9.]*\s*/\s*(s|min|h)\s*$");
const UNITS: [(&str, f64); 3] = [("s", 1.0), ("min", 60.0), ("h", 3_600.0)];
const PER_S_MAX: f64 = 1_000_000.0;
/// Slower, and ten million arrivals would not fit into what durations can say.
const PER_S_MIN: f64 = 1.0 / (36_525.0 * 86_400.0);

const SPREADS: [(&str, Spread); 2] = [("even", Spread::Even), ("poisson", Spread::Poisson)];
/// More connections at once than one machine has ports for would measure the machine.
const CONCURRENCY: RangeInclusive<u32> = 1..=10_000;
const BURST: RangeInclusive<u32> = 1..=1_000_000;
const SPEED: RangeInclusive<u32> = 1..=1_000_000;
const STAGES_MAX: usize = 100;

const HELP: &str = "arrive = { one-by-one = true }, { concurrency = 8 }, { rate = \"50/s\" }, { stages = [...] }, \
                    { recorded = true } or { lifecycle = \"30d\" }";
const STAGES_HELP: &str = "stages = [{ rate = \"10/s\", for = \"30s\" }, { to = \"100/s\", for = \"1m\" }]";
const RATE_HELP: &str = "so many a second, a minute or an hour, as in 50/s, 3000/min or 2/h";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_so_many_in_a_time() {
        for (text, due) in
            [("50/s", 50.0), ("3000/min", 50.0), ("7200/h", 2.0), (" 0.5 / s ", 0.5), ("0/s", 0.0), ("1000000/s", 1e6)]
        {
            assert_eq!(rate_or_none("rate", text), Ok(due), "{text}");
        }
        for text in
            ["", "50", "/s", "50/", "50/d", "-1/s", "+1/s", "1e3/s", "nan/s", "inf/s", "1.2.3/s", ".5/s", "1000001/s"]
        {
            assert!(rate_or_none("rate", text).is_err(), "{text}");
        }
        assert!(rate("rate", "0/s").is_err() && rate("rate", "0.0000000001/h").is_err());
    }
}
