//! Known failures of a host: data, each with a reason, a link and a day after which nobody may rest on it.

use std::ops::Range;

use jiff::civil::Date;
use serde::Deserialize;
use toml::Spanned;

use super::run::{CaseResult, Verdict};
use crate::text::Glob;

/// What a list says of the cases of one host.
#[derive(Debug, Clone, Default)]
pub struct KnownFailures {
    /// The name of its file, for messages.
    pub file: String,
    failures: Vec<Known>,
    flapping: Vec<Flapping>,
}

#[derive(Debug, Clone)]
struct Known {
    case: String,
    outcome: Verdict,
    field: Option<String>,
    reason: String,
    expires: Date,
    line: usize,
}

#[derive(Debug, Clone)]
struct Flapping {
    case: String,
    line: usize,
}

/// Something wrong with a list, or with what it says of a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct ListError {
    /// Its file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub what: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    known: Vec<Spanned<KnownEntry>>,
    #[serde(default)]
    flapping: Vec<Spanned<FlappingEntry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownEntry {
    case: String,
    outcome: String,
    field: Option<String>,
    reason: String,
    link: String,
    expires: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FlappingEntry {
    case: String,
    reason: String,
    #[serde(rename = "link")]
    _link: Option<String>,
}

impl KnownFailures {
    /// Reads a list; `exists` says whether a case or check of that id or glob exists.
    ///
    /// # Errors
    /// What is wrong, where, and what would be right.
    pub fn parse(text: &str, file: &str, exists: impl Fn(&str) -> bool) -> Result<KnownFailures, ListError> {
        let wrong = |span: Range<usize>, what: String| ListError {
            file: file.to_owned(),
            line: line_of(text, span.start),
            what,
        };
        let read: File = toml::from_str(text)
            .map_err(|error| wrong(error.span().unwrap_or_default(), error.message().trim().to_owned()))?;
        let mut list = KnownFailures { file: file.to_owned(), ..KnownFailures::default() };
        for entry in read.known {
            let span = entry.span();
            let KnownEntry { case, outcome, field, reason, link, expires } = entry.into_inner();
            let outcome = match outcome.as_str() {
                "fail" => Verdict::Fail,
                "non-strict" => Verdict::NonStrict,
                "inconclusive" => Verdict::Inconclusive,
                other => {
                    let what = format!(
                        "`{other}` is no outcome of a known failure: expected fail, non-strict or inconclusive"
                    );
                    return Err(wrong(span, what));
                }
            };
            let expires = expires
                .parse()
                .map_err(|_| wrong(span.clone(), format!("`{expires}` is no day: expected a form like 2027-06-30")))?;
            if reason.trim().is_empty() || link.trim().is_empty() {
                return Err(wrong(span, format!("{case} needs a reason and a link: why is it known to fail?")));
            }
            if !exists(&case) {
                return Err(wrong(span, format!("no case or check is named `{case}`")));
            }
            list.failures.push(Known { case, outcome, field, reason, expires, line: line_of(text, span.start) });
        }
        for entry in read.flapping {
            let span = entry.span();
            let FlappingEntry { case, reason, .. } = entry.into_inner();
            if !exists(&case) {
                return Err(wrong(span, format!("no case or check is named `{case}`")));
            }
            if reason.trim().is_empty() {
                return Err(wrong(span, format!("{case} needs a reason: why does it flap?")));
            }
            list.flapping.push(Flapping { case, line: line_of(text, span.start) });
        }
        Ok(list)
    }

    /// What a verdict is worth, by this list: one that is known counts as such, one that passes all the same or
    /// fails for another reason does not.
    pub fn weigh(&self, id: &str, verdict: Verdict, field: Option<&str>, today: Date) -> (Verdict, Option<String>) {
        if self.flapping.iter().any(|entry| is_named(&entry.case, id)) && is_told(verdict) {
            return (Verdict::Flapping, None);
        }
        let Some(known) = self.failures.iter().find(|entry| is_named(&entry.case, id)) else { return (verdict, None) };
        let place = format!("{}:{}", self.file, known.line);
        match verdict {
            Verdict::Skip | Verdict::NotApplicable | Verdict::Recorded => (verdict, None),
            _ if known.expires < today => {
                (Verdict::Fail, Some(format!("{place}: nobody may rest on this since {}", known.expires)))
            }
            _ if verdict != known.outcome => {
                let why = format!("{place} says that it comes out as {}, and it came out as {verdict}", known.outcome);
                (Verdict::UnexpectedPass, Some(why))
            }
            _ => match (&known.field, field) {
                (Some(due), got) if got != Some(due.as_str()) => {
                    let got = got.unwrap_or("nothing");
                    (Verdict::UnexpectedPass, Some(format!("{place} says that {due} is wrong, and {got} is")))
                }
                _ => (Verdict::KnownFailure, Some(known.reason.clone())),
            },
        }
    }

    /// Entries that name nothing that was run: of these nobody knows whether they still hold.
    pub fn stale<'r>(&'r self, ran: &'r [&'r str]) -> impl Iterator<Item = ListError> + 'r {
        let failures = self.failures.iter().map(|entry| (&entry.case, entry.line));
        let flapping = self.flapping.iter().map(|entry| (&entry.case, entry.line));
        failures.chain(flapping).filter(|(case, _)| !ran.iter().any(|id| is_named(case, id))).map(|(case, line)| {
            ListError {
                file: self.file.clone(),
                line,
                what: format!("nothing that was run is named `{case}`: the entry is stale"),
            }
        })
    }
}

/// The list that a run would need to pass: for whoever begins with a host that does not.
pub fn write_list(results: &[CaseResult], checks: &[(&str, Verdict)], expires: Date) -> String {
    let mut out = String::from(
        "# What is known to fail with this host. Each entry needs a reason and a link; an entry that\n# passes, \
         fails otherwise, is of nothing that was run, or is past its day, fails the run.\n",
    );
    let mut entry = |id: &str, verdict: Verdict, field: Option<&str>| {
        let field = field.map_or(String::new(), |field| format!("field = \"{field}\"\n"));
        out.push_str(&format!(
            "\n[[known]]\ncase = \"{id}\"\noutcome = \"{verdict}\"\n{field}reason = \"seen when this list was written; say why\"\n\
             link = \"say where it is followed up\"\nexpires = \"{expires}\"\n"
        ));
    };
    for result in results.iter().filter(|result| result.verdict == Verdict::Fail) {
        let field = result.worst().and_then(|judged| judged.mismatch.as_ref()).map(|mismatch| mismatch.field);
        entry(result.case.id, result.verdict, field);
    }
    for (id, verdict) in checks.iter().filter(|(_, verdict)| *verdict == Verdict::Fail) {
        entry(id, *verdict, None);
    }
    out
}

/// Whether an id, or a glob on ids, is of this one.
pub fn is_named(pattern: &str, id: &str) -> bool {
    Glob::parse(pattern).map_or_else(|| pattern.eq_ignore_ascii_case(id), |glob| glob.matches(id))
}

fn is_told(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Pass | Verdict::NonStrict | Verdict::Fail)
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[[known]]\ncase = \"rpc/bind/*\"\noutcome = \"fail\"\nfield = \"results\"\n\
                        reason = \"a host of ours\"\nlink = \"https://example.invalid/1\"\nexpires = \"2027-01-31\"\n\n\
                        [[flapping]]\ncase = \"kms/policy/counting\"\nreason = \"two hosts behind one name\"\n";

    fn list() -> KnownFailures {
        KnownFailures::parse(TEXT, "known.toml", |_| true).unwrap()
    }

    fn weigh(id: &str, verdict: Verdict, field: Option<&str>) -> Verdict {
        list().weigh(id, verdict, field, "2027-01-31".parse().unwrap()).0
    }

    #[test]
    fn what_is_known_counts_as_known_and_what_is_not_as_it_says_does_not() {
        assert_eq!(weigh("rpc/bind/one", Verdict::Fail, Some("results")), Verdict::KnownFailure);
        assert_eq!(weigh("rpc/bind/one", Verdict::Pass, None), Verdict::UnexpectedPass);
        assert_eq!(weigh("rpc/bind/one", Verdict::Fail, Some("closing")), Verdict::UnexpectedPass);
        assert_eq!(weigh("rpc/bind/one", Verdict::Skip, None), Verdict::Skip);
        assert_eq!(weigh("kms/policy/counting", Verdict::Fail, None), Verdict::Flapping);
        assert_eq!(weigh("rpc/alter/one", Verdict::Fail, None), Verdict::Fail);
        let late = list().weigh("rpc/bind/one", Verdict::Fail, Some("results"), "2027-02-01".parse().unwrap());
        assert_eq!(late.0, Verdict::Fail);
        assert!(late.1.unwrap().starts_with("known.toml:1: "));
    }

    #[test]
    fn an_entry_of_nothing_that_was_run_is_stale() {
        let list = list();
        let stale: Vec<_> = list.stale(&["rpc/bind/one"]).map(|error| error.to_string()).collect();
        assert_eq!(stale, ["known.toml:9: nothing that was run is named `kms/policy/counting`: the entry is stale"]);
    }

    #[test]
    fn what_is_wrong_with_a_list_is_told_with_its_line() {
        let wrong = |text: &str| KnownFailures::parse(text, "k", |id| id != "no/such/case").unwrap_err().to_string();
        assert_eq!(
            wrong(&TEXT.replace("\"fail\"", "\"broken\"")),
            "k:1: `broken` is no outcome of a known failure: expected fail, non-strict or inconclusive"
        );
        assert_eq!(
            wrong(&TEXT.replace("2027-01-31", "soon")),
            "k:1: `soon` is no day: expected a form like 2027-06-30"
        );
        assert_eq!(wrong(&TEXT.replace("rpc/bind/*", "no/such/case")), "k:1: no case or check is named `no/such/case`");
        assert!(wrong(&TEXT.replace("reason = \"two", "why = \"two")).starts_with("k:11: unknown field `why`"));
    }
}
