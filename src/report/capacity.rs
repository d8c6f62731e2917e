//! What a search for a host's capacity came to: the knee of its curve, and its words.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use super::plain::nanoseconds;
use crate::capacity::{Capacity, GaveWay, Trial, TrialKind, TrialResult};
use crate::text::{grouped, harmless};

/// The heading of the curve.
pub fn curve_heading() -> String {
    format!(
        "{DIM}times are of responses: from when a request was due to its answer{DIM:#}\n{BOLD}{:>10} {:>11} {:>9} {:>9} {:>9} {:>7} {:>6}{BOLD:#}\n",
        "asked/s", "reached/s", "p50", "p99", "p99.9", "errors", "wrong"
    )
}

/// One trial of the curve.
pub fn curve_line(trial: &Trial, result: &TrialResult) -> String {
    let [p50, p99, p999] = result.response_ns.map(nanoseconds);
    let errors = result.unanswered as f64 * 100.0 / (result.requests.max(1) as f64);
    let (style, word) = match result {
        result if !result.invalid.is_empty() => (YELLOW, "says nothing"),
        result if !result.broken.is_empty() || result.wrong > 0 || result.reached_per_s < trial.rate_per_s * 0.98 => {
            (RED, "breaks")
        }
        _ => (GREEN, "holds"),
    };
    let why =
        result.invalid.iter().chain(&result.broken).next().map_or(String::new(), |why| format!(": {}", harmless(why)));
    let kind = match trial.kind {
        TrialKind::Calm => ", calm",
        TrialKind::Confirm => ", for longer",
        TrialKind::Climb | TrialKind::Near => "",
    };
    // A hundredth of a millisecond and ten seconds are the ends of the scale.
    let bar = "#".repeat(((result.response_ns[1].max(10_000) as f64 / 1e4).log10() * 4.0).clamp(1.0, 24.0) as usize);
    format!(
        "{:>10} {:>11} {p50:>9} {p99:>9} {p999:>9} {errors:>6.2}% {:>6} {style}{word}{style:#}{kind}{why}  {DIM}{bar}{DIM:#}\n",
        rate(trial.rate_per_s),
        rate(result.reached_per_s),
        grouped(result.wrong),
    )
}

/// What it came to.
pub fn render_capacity(capacity: &Capacity) -> String {
    let mut out = String::from("\n");
    for id in &capacity.failed_when_calm {
        let _ = writeln!(out, "{RED}wrong{RED:#}     {id} breaks even when it is calm");
    }
    for found in &capacity.under_load {
        let _ = writeln!(
            out,
            "{RED}finding{RED:#}   {} holds when it is calm and breaks at {}/s",
            found.id,
            rate(found.breaks_at_per_s)
        );
    }
    let at = capacity.broke_at_per_s.map_or(String::new(), |broke| format!(" at {}/s", rate(broke)));
    let way = match capacity.gave_way {
        GaveWay::Latency => format!("what gave way first: latency{at}"),
        GaveWay::Errors => format!("what gave way first: answers failed to come{at}"),
        GaveWay::Correctness => format!("what gave way first: correctness{at}"),
        GaveWay::Generator => "then kmsproof itself could not keep up: the host may carry more".to_owned(),
        GaveWay::Nothing => "nothing gave way up to the highest rate tried".to_owned(),
    };
    let _ = match (capacity.limit_per_s, capacity.gave_way) {
        (Some(limit), GaveWay::Generator | GaveWay::Nothing) => {
            writeln!(out, "{BOLD}at least {}/s{BOLD:#}; {way}", rate(limit))
        }
        (Some(limit), _) => writeln!(out, "{BOLD}about {}/s{BOLD:#}; {way}", rate(limit)),
        (None, _) => writeln!(out, "{BOLD}no rate held{BOLD:#}; {way}"),
    };
    out
}

/// The same for programs.
pub fn capacity_record(capacity: &Capacity) -> Value {
    json!({
        "limit_per_s": capacity.limit_per_s,
        "broke_at_per_s": capacity.broke_at_per_s,
        "gave_way": match capacity.gave_way {
            GaveWay::Latency => "latency",
            GaveWay::Errors => "errors",
            GaveWay::Correctness => "correctness",
            GaveWay::Generator => "generator",
            GaveWay::Nothing => "nothing",
        },
        "failed_when_calm": capacity.failed_when_calm,
        "under_load": capacity.under_load.iter()
            .map(|found| json!({ "id": found.id, "breaks_at_per_s": found.breaks_at_per_s })).collect::<Vec<_>>(),
        "trials": capacity.trials.iter().map(|(trial, result)| json!({
            "rate_per_s": trial.rate_per_s,
            "kind": match trial.kind {
                TrialKind::Calm => "calm",
                TrialKind::Climb => "climb",
                TrialKind::Near => "near",
                TrialKind::Confirm => "confirm",
            },
            "reached_per_s": result.reached_per_s,
            "p50_ns": result.response_ns[0], "p99_ns": result.response_ns[1], "p999_ns": result.response_ns[2],
            "requests": result.requests, "unanswered": result.unanswered, "wrong": result.wrong,
            "broken": result.broken, "failed": result.failed, "invalid": result.invalid,
        })).collect::<Vec<_>>(),
    })
}

fn rate(per_s: f64) -> String {
    if per_s >= 100.0 { grouped(per_s.round() as u64) } else { format!("{per_s:.1}") }
}

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_reads_as_a_table() {
        let ms = |ms: [u64; 3]| ms.map(|ms| ms * 1_000_000);
        let good =
            TrialResult { reached_per_s: 2_000.0, response_ns: ms([1, 4, 9]), requests: 6_000, ..Default::default() };
        let bad = TrialResult {
            reached_per_s: 2_001.0,
            response_ns: ms([80, 190, 200]),
            requests: 12_000,
            unanswered: 12,
            broken: vec!["p99 < 50ms: 190ms".to_owned()],
            ..Default::default()
        };
        let text = curve_heading()
            + &curve_line(&Trial { rate_per_s: 2_000.0, kind: TrialKind::Confirm }, &good)
            + &curve_line(&Trial { rate_per_s: 4_000.0, kind: TrialKind::Climb }, &bad);
        let plain = anstream::adapter::strip_str(&text).to_string();
        insta::assert_snapshot!(plain, @r"
        times are of responses: from when a request was due to its answer
           asked/s   reached/s       p50       p99     p99.9  errors  wrong
             2,000       2,000   1.00 ms   4.00 ms   9.00 ms   0.00%      0 holds, for longer  ##########
             4,000       2,001   80.0 ms    190 ms    200 ms   0.10%      0 breaks: p99 < 50ms: 190ms  #################
        ");
    }
}
