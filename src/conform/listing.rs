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
    let (parts, tail) = parts(known);
    let is_in_our_form = !tail.trim().is_empty() || parts.iter().any(|part| !part.is_in_another_form());
    let mut out = if is_in_our_form { "" } else { HEAD }.to_owned();
    let (mut kept, mut has_gone) = (Vec::new(), false);
    for part in parts {
        let entry = part.entry;
        // What has an entry of its own a pattern need not name.
        let is_elsewhere = |id: &str| known.entries.iter().any(|other| other.line != entry.line && other.case == id);
        let named: Vec<_> = ids.iter().copied().filter(|id| is_named(&entry.case, id) && !is_elsewhere(id)).collect();
        let becomes = |id: &&str| match seen.iter().find(|seen| seen.id == *id) {
            Some(seen) => seen.changed(entry, today, expires),
            None if whole => None,
            None => Some(entry.clone()),
        };
        let left: Vec<_> = named.iter().filter_map(|id| Some((*id, becomes(id)?))).collect();
        // A pattern also stands for what was not put to the host, if it stands for anything that was.
        let is_whole =
            left.len() == named.iter().filter(|id| !whole || seen.iter().any(|seen| seen.id == **id)).count();
        if !(left.is_empty() && part.between.trim().is_empty()) {
            // Where an entry went, one blank line is enough.
            let is_apart = has_gone && (out.is_empty() || out.ends_with("\n\n"));
            out.push_str(if is_apart { part.between.trim_start_matches('\n') } else { part.between });
        }
        match &left[..] {
            [] => {}
            [(_, first), rest @ ..] if is_whole && rest.iter().all(|(_, after)| after == first) => {
                part.write(first, &mut out);
            }
            _ => {
                out.extend(part.comment());
                for (number, (id, after)) in left.iter().enumerate() {
                    out.push_str(if number > 0 { "\n" } else { "" });
                    write_entry(&mut out, &Known { case: (*id).to_owned(), ..after.clone() });
                }
            }
        }
        has_gone = left.is_empty();
        kept.extend(left.into_iter().map(|(id, _)| id));
    }
    out.push_str(tail);
    for new in seen.iter().filter(|seen| seen.is_news && !kept.contains(&seen.id)) {
        out.truncate(out.trim_end().len());
        out.push_str(if out.is_empty() { "" } else { "\n\n" });
        write_entry(&mut out, &new.entry(expires));
    }
    out
}

/// An entry as somebody wrote it.
struct Part<'k> {
    /// What stands between it and the one before it.
    between: &'k str,
    entry: &'k Known,
    /// Its text, with the comment right above it.
    own: &'k str,
}

/// The entries in their order, and what stands behind the last of them.
fn parts(known: &KnownFailures) -> (Vec<Part<'_>>, &str) {
    let text = known.text.as_str();
    let mut entries: Vec<_> = known.entries.iter().collect();
    entries.sort_by_key(|entry| entry.line);
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    let is_comment = |line: &&str| line.trim_start().starts_with('#');
    let is_filler = |line: &&str| line.trim().is_empty() || is_comment(line);
    let first = entries.first().map_or(lines.len(), |entry| entry.line - 1);
    let has_headers = entries.iter().all(|entry| lines[entry.line - 1].trim_start().starts_with("[["));
    if !has_headers || !lines[..first].iter().all(is_filler) {
        // A list in another form is written in ours.
        return (entries.into_iter().map(|entry| Part { between: "\n", entry, own: "" }).collect(), "");
    }
    let begins = lines.iter().scan(0, |at, line| Some(std::mem::replace(at, *at + line.len())));
    let begins: Vec<usize> = begins.chain([text.len()]).collect();
    let (mut parts, mut done) = (Vec::new(), 0);
    for (number, entry) in entries.iter().enumerate() {
        let header = entry.line - 1;
        let next = entries.get(number + 1).map_or(lines.len(), |next| next.line - 1);
        let above = lines[done..header].iter().rev().take_while(|line| is_comment(line)).count();
        let behind = lines[header..next].iter().rev().take_while(|line| is_filler(line)).count();
        let (from, to) = (header - above, next - behind);
        let (between, own) = (&text[begins[done]..begins[from]], &text[begins[from]..begins[to]]);
        parts.push(Part { between, entry, own });
        done = to;
    }
    (parts, &text[begins[done]..])
}

impl Part<'_> {
    fn is_in_another_form(&self) -> bool {
        self.own.is_empty()
    }

    /// The lines right above it.
    fn comment(&self) -> impl Iterator<Item = &str> {
        self.own.split_inclusive('\n').take_while(|line| line.trim_start().starts_with('#'))
    }

    /// Writes what has become of it, and changes no more than it has to.
    fn write(&self, after: &Known, out: &mut String) {
        let has_long_texts = ["\"", "'"].iter().any(|quote| self.own.contains(&quote.repeat(3)));
        if self.is_in_another_form() || (has_long_texts && after != self.entry) {
            out.extend(self.comment());
            return write_entry(out, after);
        }
        for line in self.own.split_inclusive('\n') {
            let key = line.split('=').next().unwrap_or_default().trim();
            match (key, after.outcome) {
                ("outcome", Some(outcome)) if after.outcome != self.entry.outcome => {
                    let _ = writeln!(out, "outcome = \"{outcome}\"");
                }
                ("expires", _) if after.expires != self.entry.expires => {
                    let _ = writeln!(out, "expires = {}", after.expires);
                }
                _ => out.push_str(line),
            }
        }
        out.push_str(if out.ends_with('\n') { "" } else { "\n" });
    }
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
    let _ = writeln!(out, "expires = {}", entry.expires);
}

const HEAD: &str = "\
# What is known to fail with this host. Each entry needs a reason, a link and a day; an entry that
# passes, fails otherwise, is of nothing that was run, or is past its day, fails the run.
";
