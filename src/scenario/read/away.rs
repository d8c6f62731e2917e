//! `away`: when a share of a group is not there.

use toml::de::DeValue;

use super::form::{Form, Key, Shape};
use super::problem::{Finding, Findings};
use super::value::Fault;
use super::walk::{Node, Table};
use crate::population::{Away, Share};

pub(super) fn read(node: &Node<'_>, findings: &mut Findings) -> Vec<Away> {
    if let DeValue::Array(spans) = node.value
        && spans.len() > SPANS_MAX
    {
        let message = format!("`away` has {} spans; it has room for {SPANS_MAX}", spans.len());
        findings.push(Finding::at(node.at.clone(), message));
        return Vec::new();
    }
    node.one_or_more(findings).iter().filter_map(|span| read_span(span, findings)).collect()
}

fn read_span(node: &Node<'_>, findings: &mut Findings) -> Option<Away> {
    let entries = node.table("away = [{ from = \"10d\", to = \"45d\", share = \"60%\" }]", findings)?;
    let table = Table::open(&FORM, entries, node.at.clone(), findings);
    let share = table.optional("share").map_or(Some(Share::ALL), |node| read_share(&node, findings));
    let from = table.optional("from").and_then(|node| node.duration(findings));
    let to = table.optional("to").and_then(|node| node.duration(findings));
    let (from, to) = (from?, to?);
    if from >= to {
        let finding = Finding::at(node.at.clone(), "this span ends before it begins");
        findings.push(
            finding.help("both are counted from the beginning of the scenario, as in from = \"10d\", to = \"45d\""),
        );
        return None;
    }
    Some(Away { from, to, share: share? })
}

pub(super) fn read_share(node: &Node<'_>, findings: &mut Findings) -> Option<Share> {
    node.parsed(|_, text| text.parse().map_err(Fault::of), findings)
}

pub(super) static FORM: Form = Form {
    what: "a span of `away`",
    doc: "A span in which a share of the group asks nothing; whoever wanted to asks when it is over.",
    keys: &[
        Key::required("from", Shape::Text, "from = \"10d\"", "From when on, since the scenario began."),
        Key::required("to", Shape::Text, "to = \"45d\"", "Until when, since the scenario began."),
        Key::optional(
            "share",
            Shape::Match(SHARE),
            "share = \"60%\"",
            "How many of the group, drawn by the seed; all when left out.",
        ),
    ],
    ..Form::PLAIN
};

/// A share in percent.
pub(super) const SHARE: &str = r"^\s*[0-9]{1,3}(\.[0-9]{0,4})?\s*%\s*$";
/// What is drawn for each machine has a number of 8 bits; and nobody writes more.
pub(super) const SPANS_MAX: usize = 32;
