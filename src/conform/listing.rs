//! The list of known failures that a run would need to pass: for whoever begins with a host that does not.

use std::fmt::Write as _;

use jiff::civil::Date;

use super::known::{Known, KnownFailures, UNEXPLAINED, is_named, was_run};
use super::result::{Run, Verdict};

/// What becomes of a list after a run. What it knew stays as it was written, with its reason; what passes goes; what
/// costs more or less than it did, or is past its day, is changed in that alone; and what fails comes in. What comes in
/// and what was past its day is to be looked at again by `expires`. In a run that was not `whole` nothing is dropped for not
/// having been run; `ids` are those of all cases and checks there are.
pub fn write_list(known: &KnownFailures, run: &Run, whole: bool, ids: &[&str], today: Date, expires: Date) -> String {
    let seen = all_seen(run);
    let (head, parts) = known.parts();
    let is_by_hand = parts.iter().any(|(_, text)| !text.is_empty()) || !head.trim().is_empty();
    let mut out = if is_by_hand { head } else { HEAD }.to_owned();
    let mut kept = Vec::new();
    for (entry, text) in parts {
        let named: Vec<_> = ids.iter().copied().filter(|id| is_named(&entry.case, id)).collect();
        let becomes = |id: &&str| match seen.iter().find(|seen| seen.id == *id) {
            Some(seen) => seen.changed(entry, today, expires),
            None if whole => None,
            None => Some(entry.clone()),
        };
        let left: Vec<_> = named.iter().filter_map(|id| Some((*id, becomes(id)?))).collect();
        let is_as_it_was = |(_, after): &(&str, Known)| after == entry;
        // A pattern also stands for what was not put to the host, if it stands for anything that was.
        let is_whole =
            left.len() == named.iter().filter(|id| !whole || seen.iter().any(|seen| seen.id == **id)).count();
        if !left.is_empty() && is_whole && left.iter().all(is_as_it_was) && !text.is_empty() {
            out.push_str(text);
        } else if !left.is_empty() {
            let comment = text.split_inclusive('\n').take_while(|line| line.trim_start().starts_with('#'));
            out.extend(comment);
            for (id, after) in &left {
                write_entry(&mut out, &Known { case: (*id).to_owned(), ..after.clone() });
            }
        }
        kept.extend(left.into_iter().map(|(id, _)| id));
    }
    for new in seen.iter().filter(|seen| seen.is_news && !kept.contains(&seen.id)) {
        if !out.ends_with("\n\n") {
            out.push('\n');
        }
        write_entry(&mut out, &new.entry(expires));
    }
    out.truncate(out.trim_end().len());
    out + "\n"
}

/// What was seen of a case or check that was put to the host.
struct Seen {
    id: &'static str,
    verdict: Verdict,
    field: Option<&'static str>,
    host_died: bool,
    /// Whether it fails the run, and there is something to show of it.
    is_news: bool,
}

fn all_seen(run: &Run) -> Vec<Seen> {
    let cases = run.results.iter().filter(|result| was_run(result.seen)).map(|result| Seen {
        id: result.case.id,
        verdict: result.seen,
        field: result.wrong().and_then(|wrong| wrong.field),
        // That a host serves nobody any more no list covers.
        host_died: result.host_died,
        is_news: match result.seen {
            Verdict::Fail => !result.host_died && !result.judged.is_empty(),
            seen => seen == Verdict::Inconclusive && !result.said.is_empty(),
        },
    });
    let checks = run.checks.iter().map(|result| Seen {
        id: result.check.check().id,
        verdict: result.seen,
        field: result.wrong().and_then(|wrong| wrong.field),
        host_died: false,
        is_news: result.seen == Verdict::Fail,
    });
    cases.chain(checks).collect()
}

impl Seen {
    /// What becomes of the entry that names it; nothing, if it has to go.
    fn changed(&self, entry: &Known, today: Date, expires: Date) -> Option<Known> {
        let renewed = if entry.expires < today { expires } else { entry.expires };
        let is_another = entry.field.is_some() && entry.field.as_deref() != self.field;
        match (self.verdict, entry.outcome) {
            // What was not even begun, or ended the host, says nothing of what is known.
            _ if self.host_died || (self.verdict == Verdict::Inconclusive && !self.is_news) => Some(entry.clone()),
            (Verdict::Pass, None) if entry.expires >= today => Some(entry.clone()),
            (Verdict::Pass | Verdict::Recorded, _) => None,
            (_, None) => Some(Known { expires: renewed, ..entry.clone() }),
            (seen, Some(due)) if seen == due && !is_another => Some(Known { expires: renewed, ..entry.clone() }),
            // It fails for another reason than the one that is written.
            _ if is_another => None,
            (seen, Some(_)) => Some(Known { outcome: Some(seen), expires: renewed, ..entry.clone() }),
        }
    }

    fn entry(&self, expires: Date) -> Known {
        Known {
            case: self.id.to_owned(),
            outcome: Some(self.verdict),
            field: self.field.filter(|_| self.verdict == Verdict::Fail).map(str::to_owned),
            reason: UNEXPLAINED.to_owned(),
            link: Some("say where it is followed up".to_owned()),
            expires,
            line: 0,
        }
    }
}

fn write_entry(out: &mut String, entry: &Known) {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let kind = if entry.outcome.is_some() { "known" } else { "flapping" };
    let _ = write!(out, "[[{kind}]]\ncase = {}\n", quoted(&entry.case));
    if let Some(outcome) = entry.outcome {
        let _ = writeln!(out, "outcome = \"{outcome}\"");
    }
    let texts = [("field", &entry.field), ("reason", &Some(entry.reason.clone())), ("link", &entry.link)];
    for (name, text) in texts {
        if let Some(text) = text {
            let _ = writeln!(out, "{name} = {}", quoted(text));
        }
    }
    let _ = writeln!(out, "expires = {}\n", entry.expires);
}

const HEAD: &str = "\
# What is known to fail with this host. Each entry needs a reason, a link and a day; an entry that
# passes, fails otherwise, is of nothing that was run, or is past its day, fails the run.

";
