//! What a conformance run came to, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use crate::conform::accept::Mismatch;
use crate::conform::{Capability, CaseResult, Evidence, Judged, Options, Run, Said, Verdict, Wrong};
use crate::exit::Exit;
use crate::proto::Sender;
use crate::proto::verify::Finding;
use crate::text::{counted, grouped, harmless};
use crate::wire::dump::{self, Brief, Listing};
use crate::wire::rpc::SyntaxId;
use crate::wire::{DecodeError, Layer, hex};

/// A line about a case, and under it what is wrong, where something is.
pub fn case_lines(result: &CaseResult, verbose: bool) -> String {
    let (style, word) = shown(result.verdict);
    let case = result.case;
    let mut out = format!("  {style}{word:<15}{style:#} {:<44} {DIM}{}{DIM:#}\n", case.id, case.title);
    let is_wrong = result.verdict.is_wrong();
    if let Some(why) = result.why.as_ref().filter(|_| is_wrong || verbose) {
        let _ = writeln!(out, "      {}", harmless(why));
    }
    if is_wrong || (verbose && result.verdict == Verdict::NonStrict) {
        let _ = writeln!(out, "      required  {} ({}; {})", case.requirement, case.level, case.sources);
        let wrong = || result.judged.iter().filter(|judged| judged.mismatch.is_some());
        wrong().take(SHOWN_MAX).for_each(|judged| out.push_str(&mismatch_lines(judged)));
        match wrong().count().saturating_sub(SHOWN_MAX) {
            0 => {}
            more => {
                let _ = writeln!(out, "      … {} more", counted(more, "observation"));
            }
        }
    }
    if verbose || is_wrong {
        for note in &result.notes {
            let _ = writeln!(out, "      seen      {}", harmless(note));
        }
    }
    out
}

/// The conversation of a case around the first thing that is worst, every byte with its field, what is wrong marked. Of
/// long fields that nothing is wrong with the beginning will do, unless all is to be `whole`.
pub fn conversation(result: &CaseResult, whole: bool) -> String {
    let window = window(result);
    let left_off = |many: usize, side: &str| match many {
        0 => String::new(),
        many => format!("      … {} more {side}\n", grouped(many as u64)),
    };
    let mut out = left_off(window.start, "before");
    for (number, said) in result.said.iter().enumerate().take(window.end).skip(window.start) {
        let wrong = result.judged.iter().filter(|judged| judged.said == Some(number));
        out.push_str(&said_lines(said, wrong.filter_map(|judged| judged.mismatch.as_ref()), whole));
    }
    out + &left_off(result.said.len() - window.end, "after")
}

/// Which of the things that were said are shown: some before what is worst, and some after it.
fn window(result: &CaseResult) -> Range<usize> {
    let many = result.said.len();
    let Some(shows) = result.worst().and_then(|judged| judged.said) else {
        return many.saturating_sub(SAID_MAX)..many;
    };
    let start = shows.saturating_sub(SAID_BEFORE_MAX).min(many.saturating_sub(SAID_MAX));
    start..many.min(start + SAID_MAX)
}

/// What was said, every byte with its field, and what is wrong with it marked.
fn said_lines<'m>(said: &Said, wrong: impl Iterator<Item = &'m Mismatch>, whole: bool) -> String {
    let mut listings = vec![dump::pdu(&said.bytes, said.syntax)];
    if let Some((version, plaintext)) = &said.opened {
        listings.push(dump::response_plaintext(plaintext, *version));
    }
    let mut is_unmarked = false;
    for mismatch in wrong {
        let is_sealed = mismatch.place.is_some_and(|place| matches!(place.layer, Layer::KmsResponse | Layer::Proof));
        let number = usize::from(is_sealed && said.opened.is_some());
        match place_in(&listings[number], mismatch) {
            Some(issue) => listings[number].mark(issue),
            None => is_unmarked = true,
        }
    }
    let mark = if is_unmarked { "  <- this" } else { "" };
    let mut out = format!("      {}, connection {}{mark}\n", said.sender, said.line + 1);
    let shown = |listing: &Listing| if whole { listing.to_string() } else { Brief(listing).to_string() };
    for line in listings.iter().map(shown).collect::<String>().lines() {
        let _ = writeln!(out, "        {}", harmless(line));
    }
    out
}

/// Where something wrong stands: where it was found, or in the field that bears the code.
fn place_in(listing: &Listing, mismatch: &Mismatch) -> Option<DecodeError> {
    let (layer, field, offset) = match mismatch.place {
        Some(place) => (place.layer, place.field, place.offset),
        None if mismatch.field == "code" => {
            let code = listing.fields.iter().find(|field| CODES.contains(&field.name.as_str()))?;
            (code.layer, mismatch.field, code.offset)
        }
        None => return None,
    };
    // What lies beyond its end, or in a fragment before it, cannot be marked in it.
    let is_there = listing.fields.iter().any(|field| (field.offset..field.offset + field.len).contains(&offset));
    let (expected, got) = (mismatch.expected.clone().into(), mismatch.got.clone().into());
    is_there.then_some(DecodeError { layer, field, offset, expected, got })
}

fn mismatch_lines(judged: &Judged) -> String {
    let Some(mismatch) = &judged.mismatch else { return String::new() };
    let label = if judged.label == mismatch.field { String::new() } else { format!("{}: ", harmless(&judged.label)) };
    format!(
        "      {label}{}\n        expected  {}\n        seen      {}\n",
        mismatch.field,
        harmless(&mismatch.expected),
        harmless(&mismatch.got)
    )
}

/// What the checks of every PDU came to: those that did not hold, or of them those alone that fail the run. `again` is
/// the command that puts a case to the host once more; the evidence is shown as that of cases is.
pub fn check_lines(run: &Run, only_wrong: bool, whole: bool, again: impl Fn(&str) -> String) -> String {
    let mut out = String::new();
    let is_shown = |verdict| match verdict {
        Verdict::Pass => false,
        Verdict::Fail | Verdict::UnexpectedPass => true,
        _ => !only_wrong,
    };
    for result in run.checks.iter().filter(|result| is_shown(result.verdict)) {
        let (style, word) = shown(result.verdict);
        let of_all = format!("{} of {} conversations", result.failed, result.failed + result.passed);
        let entry = result.check.check();
        let _ = writeln!(out, "  {style}{word:<15}{style:#} {:<44} {DIM}in {of_all}{DIM:#}", entry.id);
        if let Some(why) = &result.why {
            let _ = writeln!(out, "      {}", harmless(why));
        }
        if matches!(result.verdict, Verdict::KnownFailure | Verdict::Recorded) {
            continue;
        }
        let _ = writeln!(out, "      required  {} ({}; {})", entry.requirement, entry.level, entry.reference);
        for Evidence { case, finding, .. } in &result.evidence {
            let _ = writeln!(
                out,
                "      in {case}\n        expected  {}\n        seen      {}",
                harmless(&finding.expected),
                harmless(&finding.got)
            );
        }
        let Some(first) = result.evidence.first().filter(|_| result.verdict == Verdict::Fail) else { continue };
        if !only_wrong {
            for said in &first.said {
                let mismatch = mismatch_of(&first.finding);
                let wrong = (said.sender == Sender::Host).then_some(&mismatch);
                out.push_str(&said_lines(said, wrong.into_iter(), whole));
            }
        }
        let _ = writeln!(out, "      again: {}\n", again(first.case));
    }
    out
}

fn mismatch_of(finding: &Finding) -> Mismatch {
    Mismatch {
        field: finding.place.map_or("", |place| place.field),
        expected: finding.expected.clone(),
        got: finding.got.clone(),
        place: finding.place,
    }
}

/// The last lines.
pub fn conform_footer(run: &Run, exit: Exit) -> String {
    let mut counts = BTreeMap::<Verdict, usize>::new();
    run.results.iter().for_each(|result| *counts.entry(result.verdict).or_default() += 1);
    let cases: Vec<_> = counts.iter().map(|(verdict, many)| format!("{many} {verdict}")).collect();
    let wrong = run.checks.iter().filter(|result| result.verdict.is_wrong());
    let (style, word) = match exit {
        Exit::Held => (GREEN, "PASS"),
        Exit::Interrupted => (RED, "INTERRUPTED"),
        Exit::Check => (RED, "FAIL"),
        _ => (RED, "INVALID"),
    };
    let capable: Vec<_> = run.capabilities.iter().map(|capability| capability.name()).collect();
    format!(
        "\n{}: {}; {}, {} broken; capable of {}\n{}{style}{word}{style:#}  {DIM}exit {}: {}{DIM:#}\n",
        counted(run.results.len(), "case"),
        cases.join(", "),
        counted(run.checks.len(), "check"),
        wrong.count(),
        if capable.is_empty() { "nothing that is optional".to_owned() } else { capable.join(", ") },
        reason_lines(run),
        exit.code(),
        exit.meaning(),
    )
}

/// Why cases were not run or could not be told, each reason once.
fn reason_lines(run: &Run) -> String {
    let mut reasons: Vec<(&str, &str, usize)> = Vec::new();
    for result in &run.results {
        let word = match result.verdict {
            Verdict::Inconclusive => "inconclusive",
            Verdict::Skip => "not run",
            _ => continue,
        };
        let why = result.why.as_deref().unwrap_or("nobody knows why");
        match reasons.iter_mut().find(|(of, reason, _)| (*of, *reason) == (word, why)) {
            Some((_, _, many)) => *many += 1,
            None => reasons.push((word, why, 1)),
        }
    }
    let more = reasons.iter().skip(REASONS_MAX).map(|(_, _, many)| many).sum::<usize>();
    let shown = reasons.iter().take(REASONS_MAX);
    let mut out: String =
        shown.map(|(word, why, many)| format!("  {} {word}: {}\n", grouped(*many as u64), harmless(why))).collect();
    if more > 0 {
        let _ = writeln!(out, "  {} more, for other reasons", grouped(more as u64));
    }
    let wrong: Vec<_> = run.wrong().collect();
    if !wrong.is_empty() {
        let named = wrong.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
        let more = wrong.len().saturating_sub(NAMED_MAX);
        let more = if more > 0 { format!(" and {} more", grouped(more as u64)) } else { String::new() };
        let _ = writeln!(out, "  wrong: {named}{more}");
    } else if run.results.iter().any(|result| result.verdict == Verdict::Inconclusive) {
        let _ = writeln!(out, "  nothing is wrong, but what could not be told fails a run as well");
    }
    match run.results.iter().filter(|result| result.verdict == Verdict::NonStrict).count() {
        0 => {}
        many => {
            let cases = counted(many, "case");
            let _ = writeln!(
                out,
                "  {cases} not as a strict host has it (--verbose says what was seen, --strict fails them)"
            );
        }
    }
    if let Some(product) = run.lacks_product {
        let _ =
            writeln!(out, "  hint   the host does not serve {product}: --product names what ordinary clients ask for");
    }
    if run.shortened() > 0 {
        let cases = counted(run.shortened(), "case");
        let _ = writeln!(
            out,
            "  {cases} repeated less often, for the host takes its time (--verbose tells which; --jobs puts cases side by side)"
        );
    }
    out
}

/// How the cases were put to the host, and what was found out about it for that, as the run record has it.
pub fn conform_record(run: &Run, options: &Options) -> Value {
    let (profile, service) = (&options.profile, &options.service);
    let mut counts = BTreeMap::<&str, usize>::new();
    run.results.iter().for_each(|result| *counts.entry(result.verdict.name()).or_default() += 1);
    let (major, minor) = service.interface.major_minor();
    let is_lacking = |of: &&Capability| !run.capabilities.contains(of) && !run.unknown.contains(of);
    json!({
        "profile": profile.name, "strict": profile.strict,
        "capabilities": {
            "found": run.capabilities, "lacking": Capability::ALL.iter().filter(is_lacking).collect::<Vec<_>>(),
            // Of these it could not be told: what needs them is inconclusive.
            "unknown": run.unknown,
        },
        "interface": format!("{}@{major}.{minor}", service.interface.uuid), "opnum": service.opnum,
        "stub": service.stub.as_deref().map(hex), "product": (service.interface == SyntaxId::KMS).then_some(service.product),
        "disruptive": options.disruptive, "jobs": options.jobs,
        "interrupted": run.interrupted, "counts": counts,
    })
}

/// The cases and checks as the run record has them.
pub fn case_records(run: &Run) -> Vec<Value> {
    let of_cases = run.results.iter().map(|result| {
        let (case, window) = (result.case, window(result));
        let (field, expected, observed) = in_words(result.wrong());
        json!({
            "kind": "case", "id": case.id, "revision": case.revision, "title": case.title, "level": case.level,
            "confidence": case.confidence, "verdict": result.verdict, "requirement": case.requirement,
            "reference": case.sources,
            "field": field, "expected": expected, "observed": observed,
            "why": result.why, "notes": result.notes,
            "exchange": exchange(&result.said[window.clone()]),
            // As many more were said before and after what is kept.
            "exchange_left_off": { "before": window.start, "after": result.said.len() - window.end },
        })
    });
    let of_checks = run.checks.iter().map(|result| {
        let (entry, evidence) = (result.check.check(), result.evidence.first());
        let (field, expected, observed) = in_words(result.wrong());
        json!({
            "kind": "check", "id": entry.id, "title": entry.requirement, "level": entry.level, "verdict": result.verdict,
            "requirement": entry.requirement, "reference": entry.reference,
            "passed": result.passed, "failed": result.failed, "why": result.why,
            "field": field, "expected": expected, "observed": observed,
            "found_in": result.evidence.iter().map(|evidence| evidence.case).collect::<Vec<_>>(),
            "exchange": evidence.map_or_else(Vec::new, |first| exchange(&first.said)),
        })
    });
    of_cases.chain(of_checks).collect()
}

/// The field, what it should be and what it was.
fn in_words(wrong: Option<Wrong<'_>>) -> (Option<&'static str>, Option<&str>, Option<&str>) {
    (wrong.and_then(|wrong| wrong.field), wrong.map(|wrong| wrong.expected), wrong.map(|wrong| wrong.got))
}

fn exchange(said: &[Said]) -> Vec<Value> {
    let one = |said: &Said| {
        let dir = if said.sender == Sender::Client { "client" } else { "host" };
        json!({ "dir": dir, "connection": said.line + 1, "hex": hex(&said.bytes) })
    };
    said.iter().map(one).collect()
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
/// As many PDUs of a case are shown, and so many of them from before what is worst.
const SAID_MAX: usize = 12;
const SAID_BEFORE_MAX: usize = 7;
/// As many cases and checks that are wrong are named once more at the end.
const NAMED_MAX: usize = 20;
/// As many reasons are told why cases could not be told or were not run.
const REASONS_MAX: usize = 10;
/// What listings call the fields in which a response says its code.
const CODES: [&str; 1] = ["return code"];
const DIM: Style = Style::new().dimmed();
const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();
