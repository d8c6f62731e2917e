//! `host`: what a scenario needs of the host; `time`: by which time it goes.

use std::collections::BTreeSet;

use jiff::Timestamp;
use toml::de::DeValue;

use super::form::{Form, Key, Shape, words};
use super::problem::{Finding, Findings};
use super::products::application_named;
use super::value::{self, Fault};
use super::walk::{Node, Table};
use super::wording::{nearest, quoted};
use crate::catalog::{self, Application, Channel};
use crate::scenario::spec::{HostNeeds, TableNeeds, TimeMode};
use crate::wire::{FileTime, Guid};

pub(super) fn read(node: &Node<'_>, findings: &mut Findings) -> Option<HostNeeds> {
    let entries = node.table("host = { table = \"empty\", serves = [\"Windows\"] }", findings)?;
    let host = Table::open(&FORM, entries, node.at.clone(), findings);
    let table = host.optional("table").map_or(Some(TableNeeds::Any), |node| node.word(&TABLES, findings));
    let serves = host.optional("serves").map(|node| {
        let mut ids = BTreeSet::new();
        for name in node.one_or_more(findings) {
            ids.extend(name.parsed(|_, text| counted_ids(text), findings).unwrap_or_default());
        }
        ids.into_iter().collect()
    });
    Some(HostNeeds { table: table?, serves })
}

/// The counted ids of what a host serves, as people name it: an application, a product or a SKU id.
///
/// # Errors
/// What is wrong with the name, and what would be right.
pub fn served(name: &str) -> Result<Vec<Guid>, String> {
    counted_ids(name).map_err(|fault| fault.words())
}

/// The counted ids a name stands for: all volume products of an application, or one product's.
fn counted_ids(text: &str) -> Result<Vec<Guid>, Fault> {
    if let Some(application) = application_named(text) {
        let of_it =
            |product: &&catalog::Product| product.application == application && product.channel == Channel::Volume;
        return Ok(catalog::all().iter().filter(of_it).map(|product| product.kms_counted_id).collect());
    }
    let names = || Application::ALL.iter().map(|application| application.name());
    let product = value::product(text).map_err(|fault| match nearest(text, names()) {
        Some(near) => Fault { help: None, ..fault }.label(format!("did you mean \"{near}\"?")),
        None => fault,
    })?;
    if product.channel != Channel::Volume {
        let fault = Fault::new(format!("no host serves {}: it is a {} product", quoted(text), product.channel));
        return Err(fault.help("name the volume products it serves; whatever else it is asked for it must refuse"));
    }
    Ok(vec![product.kms_counted_id])
}

/// The time a scenario goes by.
pub(super) fn read_time(node: &Node<'_>, findings: &mut Findings) -> Option<TimeMode> {
    let entries = match node.value {
        DeValue::Table(entries) => entries,
        DeValue::String(_) => return node.word(&TIMES, findings),
        _ => {
            node.refuse("\"wall\", \"virtual\" or a table", TIME_HELP, findings);
            return None;
        }
    };
    let table = Table::open(&TIME, entries, node.at.clone(), findings);
    let is_virtual = table.optional("virtual").map(|node| node.boolean(findings));
    let begins = table.optional("begins").map(|node| read_begins(&node, findings));
    match (is_virtual??, begins) {
        (true, begins) => Some(TimeMode::Virtual { begins: begins.unwrap_or(Some(BEGINS))? }),
        (false, None) => Some(TimeMode::Wall),
        (false, Some(_)) => {
            let finding = Finding::at(node.at.clone(), "the time on the wall begins when it does");
            findings.push(finding.help("leave out `begins`, or say virtual = true"));
            None
        }
    }
}

fn read_begins(node: &Node<'_>, findings: &mut Findings) -> Option<FileTime> {
    let text = node.text_or_date(findings)?;
    let at = text.trim().parse::<Timestamp>().ok().and_then(FileTime::from_timestamp);
    let wrong = || {
        let fault = Fault::new(format!("`begins` cannot be {}", quoted(&text)));
        fault.help("a time with its offset from UTC, as in 2026-02-23T08:00:00+08:00, not before 1601")
    };
    node.sound(at.ok_or_else(wrong), findings)
}

pub(super) static FORM: Form = Form {
    what: "`host`",
    doc: "What the host must be, before the scenario begins.",
    keys: &[
        Key::optional(
            "table",
            Shape::Words(&words(&TABLES)),
            "table = \"empty\"",
            "Whether it may have counted others before; any host will do when left out.",
        ),
        Key::optional(
            "serves",
            Shape::OneOrMore(&Shape::Text),
            "serves = [\"Windows\", \"Office Professional Plus 2019\"]",
            "What it serves, and nothing else: applications, products or SKU ids; every volume product when left out.",
        ),
    ],
    ..Form::PLAIN
};

static TIME: Form = Form {
    what: "`time`",
    doc: "The time a scenario goes by.",
    keys: &[
        Key::required(
            "virtual",
            Shape::Flag,
            "virtual = true",
            "Whether it is a time of the scenario's own, in which only the embedded host can live.",
        ),
        Key::optional(
            "begins",
            Shape::Text,
            "begins = \"2026-02-23T08:00:00+08:00\"",
            "When that time begins; 2026-01-05T00:00:00Z when left out.",
        ),
    ],
    ..Form::PLAIN
};

/// What `time` can be.
pub(super) const TIME_SHAPE: Shape = Shape::Either(&[Shape::Words(&words(&TIMES)), Shape::Table(&TIME)]);

const TABLES: [(&str, TableNeeds); 2] = [("any", TableNeeds::Any), ("empty", TableNeeds::Empty)];
const TIMES: [(&str, TimeMode); 2] = [("wall", TimeMode::Wall), ("virtual", TimeMode::Virtual { begins: BEGINS })];
/// 2026-01-05T00:00:00Z, a Monday.
const BEGINS: FileTime = FileTime(134_120_448_000_000_000);
const TIME_HELP: &str = "time = \"virtual\", or time = { virtual = true, begins = \"2026-02-23T08:00:00+08:00\" }";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtual_time_begins_on_a_monday() {
        assert_eq!(BEGINS.to_string(), "2026-01-05T00:00:00Z");
    }

    #[test]
    fn an_application_is_all_its_volume_products() {
        let windows = counted_ids("windows").unwrap();
        assert!(windows.contains(&catalog::find("Windows Vista Business").unwrap().kms_counted_id));
        assert!(!windows.contains(&catalog::find("Windows 10/11 Home").unwrap().kms_counted_id));
        let office = catalog::find("Office Professional Plus 2019").unwrap();
        assert_eq!(counted_ids("Office Professional Plus 2019"), Ok(vec![office.kms_counted_id]));
        assert!(counted_ids("Office").unwrap().contains(&office.kms_counted_id));
        assert!(!counted_ids("Office 2010").unwrap().contains(&office.kms_counted_id));
        assert!(counted_ids("Windows 10/11 Home").unwrap_err().message.ends_with("it is a retail product"));
        assert!(counted_ids("Offce").is_err());
    }
}
