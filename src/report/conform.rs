//! What a conformance run came to, for people and for programs.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use crate::conform::{CaseResult, Judged, Run, Said, Verdict};
use crate::exit::Exit;
use crate::proto::Sender;
use crate::text::{counted, harmless};
use crate::wire::dump;
use crate::wire::{DecodeError, Layer};

/// A line about a case, and under it what is wrong, where something is.
pub fn case_lines(result: &CaseResult, verbose: bool) -> String {
    let (style, word) = shown(result.verdict);
    let case = result.case;
    let mut out = format!("  {style}{word:<15}{style:#} {:<44} {DIM}{}{DIM:#}\n", case.id, case.title);
    let is_wrong = matches!(result.verdict, Verdict::Fail | Verdict::UnexpectedPass);
    if let Some(why) = result.why.as_ref().filter(|_| is_wrong || verbose) {
        let _ = writeln!(out, "      {}", harmless(why));
    }
    if is_wrong || (verbose && result.verdict == Verdict::NonStrict) {
        let _ = writeln!(out, "      required  {} ({}; {})", case.requirement, case.level, case.sources);
        for judged in result.judged.iter().filter(|judged| judged.mismatch.is_some()).take(SHOWN_MAX) {
            out.push_str(&mismatch_lines(judged));
        }
    }
    if verbose || is_wrong {
        for note in &result.notes {
            let _ = writeln!(out, "      seen      {}", harmless(note));
        }
    }
    out
}

/// The conversation of a case, every byte with its field, what is wrong marked.
pub fn conversation(result: &CaseResult) -> String {
    let marked = result.judged.iter().filter_map(|judged| {
        let mismatch = judged.mismatch.as_ref()?;
        let place = mismatch.place?;
        let (expected, got) = (mismatch.expected.clone().into(), mismatch.got.clone().into());
        Some((
            judged.said?,
            DecodeError { layer: place.layer, field: place.field, offset: place.offset, expected, got },
        ))
    });
    let marked: Vec<_> = marked.filter(|(_, error)| error.layer == Layer::Rpc).collect();
    let mut out = String::new();
    let first = result.said.len().saturating_sub(SAID_MAX);
    for (number, said) in result.said.iter().enumerate().skip(first) {
        let mut listing = dump::pdu(&said.bytes, said.syntax);
        marked.iter().filter(|(at, _)| *at == number).for_each(|(_, error)| listing.mark(error.clone()));
        let _ = writeln!(out, "      {}, connection {}", said.sender, said.line + 1);
        for line in listing.to_string().lines() {
            let _ = writeln!(out, "        {}", harmless(line));
        }
    }
    out
}

fn mismatch_lines(judged: &Judged) -> String {
    let Some(mismatch) = &judged.mismatch else { return String::new() };
    format!(
        "      {}: {}\n        expected  {}\n        seen      {}\n",
        harmless(&judged.label),
        mismatch.field,
        harmless(&mismatch.expected),
        harmless(&mismatch.got)
    )
}

/// What the checks of every PDU came to: those that failed.
pub fn check_lines(run: &Run) -> String {
    let mut out = String::new();
    for result in run.checks.iter().filter(|result| result.verdict != Verdict::Pass) {
        let (style, word) = shown(result.verdict);
        let of_all = format!("{} of {} cases", result.failed, result.failed + result.passed);
        let entry = result.check.check();
        let _ = writeln!(out, "  {style}{word:<15}{style:#} {:<44} {DIM}in {of_all}{DIM:#}", entry.id);
        if let Some(why) = &result.why {
            let _ = writeln!(out, "      {}", harmless(why));
        }
        if matches!(result.verdict, Verdict::KnownFailure | Verdict::Recorded) {
            continue;
        }
        let _ = writeln!(out, "      required  {} ({}; {})", entry.requirement, entry.level, entry.reference);
        for (case, finding) in &result.evidence {
            let _ = writeln!(
                out,
                "      in {case}\n        expected  {}\n        seen      {}",
                harmless(&finding.expected),
                harmless(&finding.got)
            );
        }
    }
    out
}

/// The last lines.
pub fn conform_footer(run: &Run, exit: Exit) -> String {
    let mut counts = std::collections::BTreeMap::<Verdict, usize>::new();
    run.results.iter().for_each(|result| *counts.entry(result.verdict).or_default() += 1);
    let cases: Vec<_> = counts.iter().map(|(verdict, many)| format!("{many} {verdict}")).collect();
    let wrong = run.checks.iter().filter(|result| result.verdict == Verdict::Fail);
    let (style, word) = match exit {
        Exit::Held => (GREEN, "PASS"),
        Exit::Interrupted => (RED, "INTERRUPTED"),
        Exit::Check => (RED, "FAIL"),
        _ => (RED, "INVALID"),
    };
    let capable: Vec<_> = run.capabilities.iter().map(|capability| capability.name()).collect();
    format!(
        "\n{}: {}; {}, {} broken; capable of {}\n{style}{word}{style:#}  {DIM}exit {}: {}{DIM:#}\n",
        counted(run.results.len(), "case"),
        cases.join(", "),
        counted(run.checks.len(), "check"),
        wrong.count(),
        if capable.is_empty() { "nothing more than must be".to_owned() } else { capable.join(", ") },
        exit.code(),
        exit.meaning(),
    )
}

/// The cases and checks as the run record has them.
pub fn case_records(run: &Run) -> Vec<Value> {
    let of_cases = run.results.iter().map(|result| {
        let case = result.case;
        let worst = result.worst().and_then(|judged| judged.mismatch.as_ref());
        json!({
            "id": case.id, "revision": case.revision, "title": case.title, "level": case.level,
            "confidence": case.confidence, "verdict": result.verdict, "requirement": case.requirement,
            "reference": case.sources,
            "field": worst.map(|mismatch| mismatch.field),
            "expected": worst.map(|mismatch| &mismatch.expected), "observed": worst.map(|mismatch| &mismatch.got),
            "why": result.why, "notes": result.notes,
            "exchange": exchange(&result.said),
        })
    });
    let of_checks = run.checks.iter().map(|result| {
        let (entry, evidence) = (result.check.check(), result.evidence.first());
        json!({
            "id": entry.id, "title": entry.requirement, "level": entry.level, "verdict": result.verdict,
            "requirement": entry.requirement, "reference": entry.reference,
            "passed": result.passed, "failed": result.failed, "why": result.why,
            "field": evidence.and_then(|(_, finding)| finding.place.map(|place| place.field)),
            "expected": evidence.map(|(_, finding)| &finding.expected),
            "observed": evidence.map(|(_, finding)| &finding.got),
            "found_in": result.evidence.iter().map(|(case, _)| case).collect::<Vec<_>>(),
        })
    });
    of_cases.chain(of_checks).collect()
}

fn exchange(said: &[Said]) -> Vec<Value> {
    let first = said.len().saturating_sub(SAID_MAX);
    let one = |said: &Said| {
        let hex: String = said.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let dir = if said.sender == Sender::Client { "client" } else { "host" };
        json!({ "dir": dir, "connection": said.line + 1, "hex": hex })
    };
    said[first..].iter().map(one).collect()
}

fn shown(verdict: Verdict) -> (Style, &'static str) {
    let style = match verdict {
        Verdict::Pass => GREEN,
        Verdict::Fail | Verdict::UnexpectedPass => RED,
        Verdict::NonStrict | Verdict::Inconclusive | Verdict::KnownFailure | Verdict::Flapping => YELLOW,
        Verdict::Recorded | Verdict::NotApplicable | Verdict::Skip => DIM,
    };
    (style, verdict.name())
}

/// As many things that are wrong with one case are shown.
const SHOWN_MAX: usize = 3;
/// As many of the last PDUs of a case are shown.
const SAID_MAX: usize = 12;
const DIM: Style = Style::new().dimmed();
const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();
