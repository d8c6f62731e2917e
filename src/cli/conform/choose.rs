//! Which cases a command is about, and the list of them.

use std::io::Write;

use super::ConformArgs;
use crate::cli::Failure;
use crate::conform::{self, Case, is_named};
use crate::exit::Exit;
use crate::proto::verify::{Check, CheckId};

/// The cases to put to a host.
pub fn cases(args: &ConformArgs) -> Result<Vec<&'static Case>, Failure> {
    for filter in &args.filters {
        let of_case = conform::cases::all().any(|case| is_meant(filter, case.id));
        let of_check = checks().any(|check| is_meant(filter, check.id));
        match (of_case, of_check) {
            (true, _) => {}
            (false, true) => {
                return Err(Failure::usage(format!(
                    "{filter} is a check, done on every answer of every case; it cannot be chosen alone"
                )));
            }
            (false, false) => return Err(unknown(filter)),
        }
    }
    let chosen: Vec<_> = of_levels(args).collect();
    if chosen.is_empty() {
        return Err(Failure::new(Exit::NothingChecked, "no case is of these names, levels and layers at once"));
    }
    Ok(chosen)
}

/// Lists what is of these names and levels: the cases, and the checks that are done on the way.
pub fn list(args: &ConformArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    if let Some(filter) = args.filters.iter().find(|filter| !ids().any(|id| is_meant(filter, id))) {
        return Err(unknown(filter));
    }
    let cases: Vec<_> = of_levels(args).collect();
    let is_level =
        |check: &Check| args.level.is_empty() || args.level.iter().any(|level| level.name() == check.level.to_string());
    let checks: Vec<_> = checks().filter(|check| is_chosen(args, check.id) && is_level(check)).collect();
    if cases.is_empty() && checks.is_empty() {
        return Err(Failure::new(Exit::NothingChecked, "nothing is of these names, levels and layers at once"));
    }
    for case in &cases {
        writeln!(out, "{:<44} {:<6} {}", case.id, case.level, case.title)?;
    }
    if !checks.is_empty() {
        let gap = if cases.is_empty() { "" } else { "\n" };
        writeln!(out, "{gap}checks, done on every PDU:")?;
    }
    for check in checks {
        writeln!(out, "{:<44} {:<6} {}", check.id, check.level, check.requirement)?;
    }
    out.flush()?;
    Ok(Exit::Held)
}

/// Whether a case or a check is named so, by an id or a glob.
pub fn exists(pattern: &str) -> bool {
    ids().any(|id| is_named(pattern, id))
}

/// The ids of all cases and checks.
pub fn ids() -> impl Iterator<Item = &'static str> {
    conform::cases::all().map(|case| case.id).chain(checks().map(|check| check.id))
}

fn of_levels(args: &ConformArgs) -> impl Iterator<Item = &'static Case> {
    let is_level = |case: &Case| args.level.is_empty() || args.level.contains(&case.level);
    conform::cases::all().filter(move |case| is_chosen(args, case.id) && is_level(case))
}

fn is_chosen(args: &ConformArgs, id: &str) -> bool {
    let is_of_layer = args.layer.is_empty() || args.layer.iter().any(|layer| begins_with(id, layer));
    is_of_layer && (args.filters.is_empty() || args.filters.iter().any(|filter| is_meant(filter, id)))
}

/// Whether a filter means this id: it names it, is a glob of it, or what it begins with.
fn is_meant(filter: &str, id: &str) -> bool {
    is_named(filter, id) || begins_with(id, filter.trim_end_matches('/'))
}

fn begins_with(id: &str, parts: &str) -> bool {
    id.strip_prefix(parts).is_some_and(|rest| rest.starts_with('/'))
}

fn checks() -> impl Iterator<Item = &'static Check> {
    CheckId::ALL.iter().map(|check| check.check())
}

fn unknown(filter: &str) -> Failure {
    Failure::usage(format!("no case is named `{filter}`: kmsproof conform --list lists them all"))
}
