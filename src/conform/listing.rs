//! The list of known failures that a run would need to pass: for whoever begins with a host that does not.

use std::fmt::Write as _;

use jiff::civil::Date;

use super::known::{Known, KnownFailures, is_named, was_run};
use super::result::{Run, Verdict};

/// What becomes of a list after a run: what it knew stays with its reason, its link and its day, what passes goes,
/// and what fails comes in, to be looked at again by `expires`. In a run that was not `whole` nothing is dropped for
/// not having been run; `ids` are those of all cases and checks there are.
pub fn write_list(known: &KnownFailures, run: &Run, whole: bool, ids: &[&str], today: Date, expires: Date) -> String {
    let cases = run.results.iter().map(|result| (result.case.id, result.verdict));
    let checks = run.checks.iter().map(|result| (result.check.check().id, result.verdict));
    let ran: Vec<(&str, Verdict)> = cases.chain(checks).filter(|(_, verdict)| was_run(*verdict)).collect();
    let mut out = String::from(
        "# What is known to fail with this host. Each entry needs a reason, a link and a day; an entry that\n# passes, \
         fails otherwise, is of nothing that was run, or is past its day, fails the run.\n",
    );
    for entry in known.entries() {
        let named: Vec<_> = ran.iter().filter(|(id, _)| is_named(&entry.case, id)).collect();
        let is_left = named.is_empty() && whole;
        let holds = match entry.outcome {
            None => entry.expires >= today,
            Some(_) => named.iter().all(|(_, verdict)| *verdict == Verdict::KnownFailure),
        };
        if holds && !is_left {
            write_entry(&mut out, entry);
            continue;
        }
        if entry.outcome.is_none() || is_left {
            continue;
        }
        // Of a pattern that does not hold as a whole, what still does, and what nobody looked at.
        let still = |id: &&str| match named.iter().find(|(of, _)| of == id) {
            Some((_, verdict)) => *verdict == Verdict::KnownFailure,
            None => !whole && is_named(&entry.case, id),
        };
        for id in ids.iter().filter(|id| still(id)) {
            write_entry(&mut out, &Known { case: (*id).to_owned(), ..entry.clone() });
        }
    }
    let mut new = |id: &str, verdict: Verdict, field: Option<&str>| {
        let (reason, link) = ("seen when this list was written; say why", "say where it is followed up");
        let entry = Known {
            case: id.to_owned(),
            outcome: Some(verdict),
            field: field.map(str::to_owned),
            reason: reason.to_owned(),
            link: Some(link.to_owned()),
            expires,
            line: 0,
        };
        write_entry(&mut out, &entry);
    };
    for result in &run.results {
        let field = result.worst().and_then(|judged| judged.mismatch.as_ref()).map(|mismatch| mismatch.field);
        match result.verdict {
            // That a host serves nobody any more no list covers.
            _ if result.host_died => {}
            Verdict::Fail if !result.judged.is_empty() => new(result.case.id, Verdict::Fail, field),
            Verdict::Inconclusive if !result.said.is_empty() => new(result.case.id, Verdict::Inconclusive, None),
            _ => {}
        }
    }
    for result in run.checks.iter().filter(|result| result.verdict == Verdict::Fail) {
        new(result.check.check().id, Verdict::Fail, None);
    }
    out
}

fn write_entry(out: &mut String, entry: &Known) {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let kind = if entry.outcome.is_some() { "known" } else { "flapping" };
    let _ = write!(out, "\n[[{kind}]]\ncase = {}\n", quoted(&entry.case));
    if let Some(outcome) = entry.outcome {
        let _ = writeln!(out, "outcome = \"{outcome}\"");
    }
    let texts = [("field", &entry.field), ("reason", &Some(entry.reason.clone())), ("link", &entry.link)];
    for (name, text) in texts {
        if let Some(text) = text {
            let _ = writeln!(out, "{name} = {}", quoted(text));
        }
    }
    let _ = writeln!(out, "expires = {}", entry.expires);
}
