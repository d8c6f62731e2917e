//! What somebody means by a code, a symbol, an id or a pattern.

use crate::cli::Failure;
use crate::conform::{Case, cases};
use crate::explain::{self, Entry, Finding};
use crate::lab::Fault;
use crate::proto::verify::CheckId;
use crate::text::{Glob, Lang, harmless_lines};
use crate::wire::Hresult;

/// One thing that can be explained.
#[derive(Debug, Clone, Copy)]
pub enum Topic {
    /// A code.
    Code(&'static Entry),
    /// A check.
    Check(CheckId),
    /// A finding of the oracle.
    Finding(&'static Finding),
    /// A conformance case.
    Case(&'static Case),
    /// A fault of the lab host, or a legal variation.
    Fault(&'static Fault),
}

impl Topic {
    fn all() -> impl Iterator<Item = Topic> {
        let codes = explain::all().map(Topic::Code);
        let checks = CheckId::ALL.iter().copied().map(Topic::Check);
        let faults = Fault::all().iter().copied().chain(Fault::variations()).map(Topic::Fault);
        let cases = cases::all().map(Topic::Case);
        codes.chain(checks).chain(explain::findings().map(Topic::Finding)).chain(cases).chain(faults)
    }

    /// What it is known by: its code or id, and its symbol.
    fn names(&self) -> impl Iterator<Item = String> {
        let (name, symbol) = match self {
            Topic::Code(entry) => (entry.code.to_string(), entry.name),
            Topic::Check(check) => (check.to_string(), None),
            Topic::Finding(finding) => (finding.id.to_owned(), None),
            Topic::Case(case) => (case.id.to_owned(), None),
            Topic::Fault(fault) => (fault.name.to_owned(), None),
        };
        [Some(name), symbol.map(str::to_owned)].into_iter().flatten()
    }

    fn id(&self) -> Option<&'static str> {
        match self {
            Topic::Code(_) => None,
            Topic::Check(check) => Some(check.check().id),
            Topic::Finding(finding) => Some(finding.id),
            Topic::Case(case) => Some(case.id),
            Topic::Fault(fault) => Some(fault.name),
        }
    }
}

/// All that `what` names; never empty.
pub fn find(what: &str, lang: Lang) -> Result<Vec<Topic>, Failure> {
    let what = what.trim();
    if let Some(glob) = Glob::parse(what) {
        let matching: Vec<Topic> = Topic::all().filter(|topic| topic.names().any(|name| glob.matches(&name))).collect();
        return if matching.is_empty() { Err(unknown(what, lang)) } else { Ok(matching) };
    }
    if let Some(code) = code(what) {
        return explain::code(code).map(|entry| vec![Topic::Code(entry)]).ok_or_else(|| unknown(what, lang));
    }
    let id = what.trim_end_matches('/').to_lowercase();
    let begins =
        |whole: &str| whole.strip_prefix(id.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let family: Vec<Topic> = Topic::all().filter(|topic| topic.id().is_some_and(begins)).collect();
    if !family.is_empty() {
        return Ok(family);
    }
    let symbol = what.to_uppercase();
    let named = |entry: &&Entry| entry.name.is_some_and(|name| name.to_uppercase() == symbol);
    let part = |entry: &&Entry| entry.name.is_some_and(|name| name.to_uppercase().contains(&symbol));
    let mut entries: Vec<_> = explain::all().filter(named).collect();
    if entries.is_empty() && symbol.len() >= PART_MIN {
        entries = explain::all().filter(part).collect();
    }
    if entries.is_empty() { Err(unknown(what, lang)) } else { Ok(entries.into_iter().map(Topic::Code).collect()) }
}

/// A code as Windows prints it: hexadecimal, or a negative decimal number.
fn code(what: &str) -> Option<Hresult> {
    if what.starts_with('-') {
        return what.parse::<i32>().ok().map(|number| Hresult(number.cast_unsigned()));
    }
    what.parse().ok()
}

/// Nothing has that name: those that are nearest to it.
fn unknown(what: &str, lang: Lang) -> Failure {
    let asked = code(what).map_or_else(|| what.to_lowercase(), |code| code.to_string().to_lowercase());
    let mut near: Vec<(f64, String)> = Topic::all()
        .flat_map(|topic| topic.names().collect::<Vec<_>>())
        .map(|name| (strsim::jaro_winkler(&asked, &name.to_lowercase()), name))
        .filter(|(similarity, _)| *similarity >= SIMILARITY_MIN)
        .collect();
    near.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    near.dedup_by(|(_, a), (_, b)| a == b);
    let near: Vec<String> = near.into_iter().take(NEAREST).map(|(_, name)| name).collect();
    let hint = match (lang, near.as_slice()) {
        (Lang::English, []) => "`kmsproof explain` alone lists all that is known".to_owned(),
        (Lang::English, near) => format!("near it: {}", near.join(", ")),
        (Lang::TraditionalChinese, []) => "單獨執行 `kmsproof explain` 可列出所有已知項目".to_owned(),
        (Lang::TraditionalChinese, near) => format!("相近的有：{}", near.join("、")),
    };
    Failure::usage(harmless_lines(&match lang {
        Lang::English => format!("nothing is known of `{what}`; {hint}"),
        Lang::TraditionalChinese => format!("沒有關於 `{what}` 的資料；{hint}"),
    }))
}

/// A part of a symbol is looked for from this length on.
const PART_MIN: usize = 4;
const NEAREST: usize = 3;
const SIMILARITY_MIN: f64 = 0.75;
