//! A conformance case and a fault of the lab host, explained.

use crate::conform::{Case, Confidence, Level};
use crate::explain::{Label, Page};
use crate::lab::Fault;
use crate::text::Lang;

/// The case for a terminal, ending in a line feed. Requirements are written in English alone.
pub fn render(case: &Case, lang: Lang) -> String {
    let page = Page::new(case.id)
        .row(Label::Meaning, format!("{} (revision {})", case.title, case.revision))
        .row(Label::Requirement, case.requirement)
        .row(Label::Level, level(case));
    let faults = Fault::all().iter().filter(|fault| fault.caught_by.iter().any(|by| is_of(by, case.id)));
    let faults: Vec<_> = faults.map(|fault| format!("{}: {}", fault.name, fault.does)).collect();
    let page = if faults.is_empty() { page } else { page.row(Label::Cause, format!("It finds {}", faults.join(" "))) };
    page.row(Label::Source, case.sources).render(lang)
}

/// The fault for a terminal, ending in a line feed.
pub fn render_fault(fault: &Fault, lang: Lang) -> String {
    let found = match fault.caught_by {
        [] if fault.is_legal() => "nothing may find it: it is a legal variation".to_owned(),
        [] => "scenarios find it: it shows over months or under load".to_owned(),
        by => format!("kmsproof conform finds it by {}", by.join(", ")),
    };
    Page::new(fault.name)
        .row(Label::Meaning, format!("{} {}", fault.does, fault.hurts))
        .row(Label::Remedy, format!("{found}; kmsproof lab --fault {} serves it", fault.name))
        .render(lang)
}

fn is_of(by: &str, id: &str) -> bool {
    by.split_once('#').map_or(by, |(id, _)| id) == id
}

fn level(case: &Case) -> String {
    let of_kms = !case.any_interface;
    let level = match case.level {
        Level::Must => "must: breaking it fails a run",
        Level::Should => "should: breaking it is reported, and fails a run under --profile strict",
        Level::Win if of_kms => "win: what independent sources agree genuine hosts do; breaking it fails a run",
        Level::Win => "win: what a Windows-modelled RPC stack does; reported, and fails a run under --profile strict",
        Level::Rec => "rec: robustness, which no text demands; reported, and fails a run under --profile strict",
        Level::Info => "info: worth knowing, never wrong",
    };
    match case.confidence {
        Confidence::High => level.to_owned(),
        // Of those the level says it already.
        Confidence::Medium if of_kms && case.level == Level::Win => format!("{level}; no text says so"),
        Confidence::Medium => format!("{level}; no text says so, independent sources agree"),
        Confidence::Low => format!("{level}; a guess, so what is seen is recorded and fails no run"),
    }
}
