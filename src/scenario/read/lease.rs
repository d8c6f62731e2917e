//! `lease`, `status` and `minutes-left`: the leases a group begins with; `generation`: how they go.

use std::time::Duration;

use toml::de::DeValue;

use super::form::{Form, Key, Shape};
use super::problem::{Finding, Findings};
use super::value::{self, STATUSES};
use super::walk::{Node, Table};
use crate::client::LeaseRules;
use crate::population::LeaseBegins;
use crate::wire::kms::LicenseStatus;

/// What a group's table says of its leases, whose rules are these.
pub(super) fn begins(table: &Table<'_>, rules: LeaseRules, findings: &mut Findings) -> LeaseBegins {
    let aged = table.optional("lease").and_then(|node| read(&node, findings));
    let status = table.optional("status").and_then(|node| read_status(&node, findings));
    let minutes_left = table.optional("minutes-left").and_then(|node| node.whole(0..=u32::MAX, findings));
    match (aged, status, minutes_left) {
        (Some(aged), ..) => aged,
        (None, None, None) => LeaseBegins::Installed,
        (None, status, minutes_left) => LeaseBegins::Standing {
            status: status.unwrap_or(LicenseStatus::OOB_GRACE),
            minutes_left: minutes_left.unwrap_or(rules.initial_grace_min),
        },
    }
}

fn read(node: &Node<'_>, findings: &mut Findings) -> Option<LeaseBegins> {
    let entries = node.table("lease = { age = \"181d\" }", findings)?;
    let age = Table::open(&FORM, entries, node.at.clone(), findings).optional("age")?;
    let DeValue::Array(ends) = age.value else {
        let minutes = minutes(age.duration(findings)?);
        return Some(LeaseBegins::Aged { least_min: minutes, most_min: minutes });
    };
    if ends.len() != 2 {
        let message = format!("`age` has {} values", ends.len());
        findings.push(Finding::at(age.at.clone(), message).help(AGE_HELP));
        return None;
    }
    let ends: Vec<_> = age.one_or_more(findings).iter().map(|end| end.duration(findings)).collect();
    let (least, most) = (ends[0]?, ends[1]?);
    if least > most {
        findings.push(Finding::at(age.at.clone(), "these ages go backwards").help(AGE_HELP));
        return None;
    }
    Some(LeaseBegins::Aged { least_min: minutes(least), most_min: minutes(most) })
}

/// A license status by number or by name.
fn read_status(node: &Node<'_>, findings: &mut Findings) -> Option<LicenseStatus> {
    match node.value {
        DeValue::Integer(_) => node.whole(0..=LicenseStatus::EXTENDED_GRACE.0, findings).map(LicenseStatus),
        _ => node.parsed(|key, text| value::word(key, text, &STATUSES), findings),
    }
}

/// A minute begun is not counted.
fn minutes(age: Duration) -> u64 {
    age.as_secs() / 60
}

pub(super) static FORM: Form = Form {
    what: "`lease`",
    doc: "An activation some time ago.",
    keys: &[Key::required(
        "age",
        Shape::Either(&[Shape::Text, Shape::List(&Shape::Text, 2, 2)]),
        "age = [\"0d\", \"7d\"]",
        "How long ago it was, or the least and the most, drawn between the two for each machine.",
    )],
    ..Form::PLAIN
};

/// How leases go, and how a file says it.
pub(super) const GENERATIONS: [(&str, LeaseRules); 4] = [
    ("current", LeaseRules::CURRENT),
    ("vista-to-8", LeaseRules::VISTA_TO_8),
    ("server-2008", LeaseRules::SERVER_2008),
    ("notified", LeaseRules::NOTIFIED_FROM_THE_START),
];

const AGE_HELP: &str = "age = \"181d\", or the least and the most of it: age = [\"0d\", \"7d\"]";
