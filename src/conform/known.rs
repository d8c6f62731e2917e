//! Known failures of a host: data, each with a reason, a link and a day after which nobody may rest on it.

use std::ops::Range;

use jiff::civil::Date;
use serde::Deserialize;
use toml::Spanned;

use super::result::Verdict;
use crate::text::Glob;

/// What a list says of the cases of one host.
#[derive(Debug, Clone, Default)]
pub struct KnownFailures {
    /// The name of its file, for messages.
    pub file: String,
    /// The list as it was read.
    pub(super) text: String,
    pub(super) entries: Vec<Known>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    /// An id of a case or check, or a glob on ids.
    pub case: String,
    /// How it comes out; of what flaps nobody knows.
    pub outcome: Option<Verdict>,
    pub field: Option<String>,
    pub reason: String,
    pub link: Option<String>,
    pub expires: Date,
    pub line: usize,
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
    expires: toml::Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FlappingEntry {
    case: String,
    reason: String,
    link: Option<String>,
    expires: toml::Value,
}

impl KnownFailures {
    /// Reads a list; `exists` says whether a case or check of that id or glob exists.
    ///
    /// # Errors
    /// What is wrong, where, and what would be right.
    pub fn parse(text: &str, file: &str, exists: impl Fn(&str) -> bool) -> Result<KnownFailures, ListError> {
        let read: File = toml::from_str(text).map_err(|error| ListError::of_toml(text, file, &error))?;
        let mut entries: Vec<Known> = Vec::new();
        let known = read.known.into_iter().map(|entry| (entry.span(), entry.into_inner().read()));
        let flapping = read.flapping.into_iter().map(|entry| (entry.span(), entry.into_inner().read()));
        for (span, entry) in known.chain(flapping) {
            let wrong = |what| ListError::at(text, file, &span, what);
            let mut entry = entry.map_err(wrong)?;
            entry.line = line_of(text, span.start);
            if !exists(&entry.case) {
                return Err(wrong(format!("no case or check is named `{}`", entry.case)));
            }
            if let Some(other) = entries.iter().find(|other| other.case.eq_ignore_ascii_case(&entry.case)) {
                let what =
                    format!("`{}` has an entry already, in line {}: one of the two has to go", entry.case, other.line);
                return Err(wrong(what));
            }
            entries.push(entry);
        }
        Ok(KnownFailures { file: file.to_owned(), text: text.to_owned(), entries })
    }

    /// What a verdict is worth, by this list: one that is known counts as such, one that passes all the same or
    /// fails for another reason does not. No entry covers a host that serves nobody any more.
    pub fn weigh(
        &self,
        id: &str,
        verdict: Verdict,
        field: Option<&str>,
        host_died: bool,
        today: Date,
    ) -> (Verdict, Option<String>) {
        if host_died || !was_run(verdict) || verdict == Verdict::Recorded {
            return (verdict, None);
        }
        let Some(entry) = self.entry(id) else { return (verdict, None) };
        let place = format!("{}:{}", self.file, entry.line);
        // What could not be told stays so; what is not even strict fails less than it was said to, or otherwise.
        let is_less =
            verdict == Verdict::Pass || (verdict == Verdict::NonStrict && entry.outcome == Some(Verdict::Fail));
        let not_so = |why: String| match verdict {
            _ if is_less => (Verdict::UnexpectedPass, Some(why)),
            Verdict::NonStrict => (Verdict::Fail, Some(why)),
            other => (other, Some(why)),
        };
        let is_past = entry.expires < today;
        match (verdict, entry.outcome) {
            // What flaps passes now and then.
            (Verdict::Pass, None) if !is_past => (Verdict::Pass, None),
            (Verdict::Pass, _) if Glob::parse(&entry.case).is_some() => {
                not_so(format!("{place}: it passes now: let `{}` name only what still fails", entry.case))
            }
            (Verdict::Pass, _) => not_so(format!("{place}: it passes now: delete the entry")),
            _ if is_past => not_so(format!("{place} is past its day: nobody may rest on it since {}", entry.expires)),
            (Verdict::Inconclusive, None) => (verdict, None),
            (_, None) => (Verdict::Flapping, Some(entry.reason.clone())),
            (_, Some(due)) if verdict != due => {
                not_so(format!("{place} says that it comes out as {due}, and it came out as {verdict}"))
            }
            _ => match &entry.field {
                Some(due) if field != Some(due.as_str()) => {
                    not_so(format!("{place} says that {due} is wrong, and {} is", field.unwrap_or("nothing")))
                }
                _ => (Verdict::KnownFailure, Some(entry.reason.clone())),
            },
        }
    }

    /// Whether an entry names it that is past its day: what it does has been looked at before.
    pub fn is_past(&self, id: &str, today: Date) -> bool {
        self.entry(id).is_some_and(|entry| entry.expires < today)
    }

    /// Entries that name nothing that was run: of these nobody knows whether they still hold.
    pub fn stale<'r>(&'r self, ran: &'r [&'r str]) -> impl Iterator<Item = ListError> + 'r {
        self.entries.iter().filter(|entry| !ran.iter().any(|id| is_named(&entry.case, id))).map(|entry| ListError {
            file: self.file.clone(),
            line: entry.line,
            what: format!("nothing that was run is named `{}`: the entry is stale", entry.case),
        })
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The lines of entries for which nobody has said yet why they are known to fail.
    pub fn unexplained(&self) -> Vec<usize> {
        let entries = self.entries.iter().filter(|entry| entry.reason == UNEXPLAINED);
        let mut lines: Vec<_> = entries.map(|entry| entry.line).collect();
        lines.sort_unstable();
        lines
    }

    /// The entry that counts for it.
    fn entry(&self, id: &str) -> Option<&Known> {
        let mut named = self.entries.iter().filter(|entry| is_named(&entry.case, id));
        let first = named.clone().next();
        named.find(|entry| entry.outcome.is_none()).or(first)
    }
}

impl KnownEntry {
    fn read(self) -> Result<Known, String> {
        let KnownEntry { case, outcome, field, reason, link, expires } = self;
        let outcome = match outcome.as_str() {
            "fail" => Verdict::Fail,
            "non-strict" => Verdict::NonStrict,
            "inconclusive" => Verdict::Inconclusive,
            other => {
                return Err(format!(
                    "`{other}` is no outcome of a known failure: expected fail, non-strict or inconclusive"
                ));
            }
        };
        let expires = day(&expires)?;
        if reason.trim().is_empty() || link.trim().is_empty() {
            return Err(format!("{case} needs a reason and a link: why is it known to fail?"));
        }
        Ok(Known { case, outcome: Some(outcome), field, reason, link: Some(link), expires, line: 0 })
    }
}

impl FlappingEntry {
    fn read(self) -> Result<Known, String> {
        let FlappingEntry { case, reason, link, expires } = self;
        let expires = day(&expires)?;
        if reason.trim().is_empty() {
            return Err(format!("{case} needs a reason: why does it flap?"));
        }
        Ok(Known { case, outcome: None, field: None, reason, link, expires, line: 0 })
    }
}

impl ListError {
    pub(super) fn at(text: &str, file: &str, span: &Range<usize>, what: String) -> ListError {
        ListError { file: file.to_owned(), line: line_of(text, span.start), what }
    }

    pub(super) fn of_toml(text: &str, file: &str, error: &toml::de::Error) -> ListError {
        ListError::at(text, file, &error.span().unwrap_or_default(), error.message().trim().to_owned())
    }
}

/// The reason of an entry that was written by a run, word for word: any other is one that somebody gave.
pub(super) const UNEXPLAINED: &str = "seen when this list was written; say why";

/// A day as TOML has them, or in quotes.
fn day(value: &toml::Value) -> Result<Date, String> {
    let text = match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    text.parse().map_err(|_| format!("`{text}` is no day: expected a form like 2027-06-30"))
}

/// Whether a case of this verdict was put to the host at all.
pub(super) fn was_run(verdict: Verdict) -> bool {
    !matches!(verdict, Verdict::Skip | Verdict::NotApplicable)
}

/// Whether an id, or a glob on ids, is of this one.
pub fn is_named(pattern: &str, id: &str) -> bool {
    Glob::parse(pattern).map_or_else(|| pattern.eq_ignore_ascii_case(id), |glob| glob.matches(id))
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    const TEXT: &str = "[[known]]\ncase = \"rpc/bind/*\"\noutcome = \"fail\"\nfield = \"results\"\n\
                        reason = \"a host of ours\"\nlink = \"https://example.invalid/1\"\nexpires = 2027-01-31\n\n\
                        [[flapping]]\ncase = \"kms/policy/counting\"\nreason = \"two hosts behind one name\"\n\
                        expires = \"2027-01-31\"\n";

    fn list() -> KnownFailures {
        KnownFailures::parse(TEXT, "known.toml", |_| true).unwrap()
    }

    fn weigh_on(day: &str, id: &str, verdict: Verdict, field: Option<&str>) -> (Verdict, String) {
        let (verdict, why) = list().weigh(id, verdict, field, false, day.parse().unwrap());
        (verdict, why.unwrap_or_default())
    }

    fn weigh(id: &str, verdict: Verdict, field: Option<&str>) -> Verdict {
        weigh_on("2027-01-31", id, verdict, field).0
    }

    #[test]
    fn what_is_known_counts_as_known_and_what_is_not_as_it_says_does_not() {
        assert_eq!(weigh("rpc/bind/one", Verdict::Fail, Some("results")), Verdict::KnownFailure);
        assert_eq!(weigh("rpc/bind/one", Verdict::Pass, None), Verdict::UnexpectedPass);
        assert_eq!(weigh("rpc/bind/one", Verdict::NonStrict, Some("results")), Verdict::UnexpectedPass);
        let loose = KnownFailures::parse(&TEXT.replace("\"fail\"", "\"non-strict\""), "known.toml", |_| true).unwrap();
        let weigh_loose =
            |field| loose.weigh("rpc/bind/one", Verdict::NonStrict, Some(field), false, date(2027, 1, 31)).0;
        assert_eq!(weigh_loose("results"), Verdict::KnownFailure);
        assert_eq!(weigh_loose("closing"), Verdict::Fail, "what fails otherwise passes nothing");
        assert_eq!(weigh("rpc/bind/one", Verdict::Fail, Some("closing")), Verdict::Fail);
        assert_eq!(weigh("rpc/bind/one", Verdict::Inconclusive, None), Verdict::Inconclusive);
        assert_eq!(weigh("rpc/bind/one", Verdict::Skip, None), Verdict::Skip);
        assert_eq!(weigh("rpc/alter/one", Verdict::Fail, None), Verdict::Fail);
    }

    #[test]
    fn what_flaps_passes_when_it_passes() {
        assert_eq!(weigh("kms/policy/counting", Verdict::Fail, None), Verdict::Flapping);
        assert_eq!(weigh("kms/policy/counting", Verdict::Pass, None), Verdict::Pass);
        assert_eq!(weigh("kms/policy/counting", Verdict::Inconclusive, None), Verdict::Inconclusive);
    }

    #[test]
    fn an_entry_past_its_day_says_so_or_that_it_can_go() {
        let late = |id, verdict| weigh_on("2027-02-01", id, verdict, Some("results"));
        let past = "known.toml:1 is past its day: nobody may rest on it since 2027-01-31";
        assert_eq!(late("rpc/bind/one", Verdict::Fail), (Verdict::Fail, past.to_owned()));
        let passes = "known.toml:1: it passes now: let `rpc/bind/*` name only what still fails";
        assert_eq!(late("rpc/bind/one", Verdict::Pass), (Verdict::UnexpectedPass, passes.to_owned()));
        assert_eq!(late("kms/policy/counting", Verdict::Fail).0, Verdict::Fail);
        assert_eq!(late("kms/policy/counting", Verdict::Pass).0, Verdict::UnexpectedPass);
    }

    #[test]
    fn no_entry_covers_a_host_that_died() {
        let text = TEXT.replace("field = \"results\"\n", "");
        let list = KnownFailures::parse(&text, "known.toml", |_| true).unwrap();
        let weigh =
            |died| list.weigh("rpc/bind/one", Verdict::Fail, Some("liveness"), died, "2027-01-31".parse().unwrap());
        assert_eq!((weigh(false).0, weigh(true).0), (Verdict::KnownFailure, Verdict::Fail));
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
            wrong(&TEXT.replace("2027-01-31", "\"soon\"").replace("\"\"", "\"")),
            "k:1: `soon` is no day: expected a form like 2027-06-30"
        );
        assert_eq!(wrong(&TEXT.replace("= 2027-01-31", "= 7")), "k:1: `7` is no day: expected a form like 2027-06-30");
        assert_eq!(wrong(&TEXT.replace("rpc/bind/*", "no/such/case")), "k:1: no case or check is named `no/such/case`");
        assert!(wrong(&TEXT.replace("reason = \"two", "why = \"two")).starts_with("k:11: unknown field `why`"));
        assert!(wrong(&TEXT.replace("expires = \"2027-01-31\"\n", "")).contains("missing field `expires`"));
        assert_eq!(
            wrong(&TEXT.replace("kms/policy/counting", "RPC/bind/*")),
            "k:9: `RPC/bind/*` has an entry already, in line 1: one of the two has to go"
        );
    }
}
