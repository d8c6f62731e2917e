//! `product`, `products`: what a group's machines want activated.

use std::sync::Arc;

use toml::de::DeValue;

use super::form::{Form, Key, Shape};
use super::problem::Findings;
use super::value::{self, Fault};
use super::walk::{Node, Table, without_doubles};
use super::wording::{listed, nearest, quoted};
use crate::catalog::Application;
use crate::client::{LeaseRules, Wanted};
use crate::wire::Guid;
use crate::wire::kms::ProtocolVersion;

/// The products of a group, each with what the group says of all of them; empty when it names none.
pub(super) fn read(
    table: &Table<'_>,
    n_policy: Option<u32>,
    protocol: Option<ProtocolVersion>,
    findings: &mut Findings,
) -> Vec<Arc<Wanted>> {
    let mut entries: Vec<Node<'_>> = table.optional("product").into_iter().collect();
    if let Some(node) = table.optional("products") {
        entries.extend(node.one_or_more(findings));
    }
    let mut read = Vec::with_capacity(entries.len());
    for node in entries {
        if let Some(wanted) = read_one(&node, findings) {
            let n_policy = n_policy.unwrap_or(wanted.n_policy);
            let protocol = protocol.unwrap_or(wanted.protocol);
            read.push((node, Arc::new(Wanted { n_policy, protocol, ..wanted })));
        }
    }
    without_doubles(read, |wanted| Asked::of(wanted), findings)
}

/// What a host can tell apart: two products that agree in this are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Asked(Guid, Guid, Guid, u32, ProtocolVersion, LeaseRules);

impl Asked {
    pub fn of(wanted: &Wanted) -> Asked {
        let Wanted { application_id, sku_id, kms_counted_id, n_policy, protocol, rules, .. } = *wanted;
        Asked(application_id, sku_id, kms_counted_id, n_policy, protocol, rules)
    }
}

fn read_one(node: &Node<'_>, findings: &mut Findings) -> Option<Wanted> {
    let entries = match node.value {
        DeValue::Table(entries) => entries,
        DeValue::String(_) => return read_name(node, findings),
        _ => {
            node.refuse("the name of a product, or a table", HELP, findings);
            return None;
        }
    };
    let table = Table::open(&FORM, entries, node.at.clone(), findings);
    let before = findings.count();
    let named = table.optional("name").and_then(|node| read_name(&node, findings));
    let mut id = |key| table.optional(key).and_then(|node| node.parsed(|_, text| guid(text), findings));
    let (sku, counted) = (id("sku"), id("counted"));
    let application = table.optional("application").and_then(|node| node.parsed(|_, text| application(text), findings));
    let n_policy = table.optional("n-policy").and_then(|node| node.whole(N_POLICY, findings));
    let protocol = table.optional("protocol").and_then(|node| node.parsed(value::protocol, findings));
    if findings.count() > before || !table.all_known {
        return None;
    }
    let base = match named {
        Some(named) => named,
        None => {
            let protocol = protocol.unwrap_or(ProtocolVersion::V6);
            let is_older = protocol < ProtocolVersion::V6;
            Wanted {
                name: sku?.to_string(),
                application_id: application?,
                sku_id: sku?,
                kms_counted_id: counted?,
                n_policy: N_POLICY_UNKNOWN,
                protocol,
                rules: if is_older { LeaseRules::VISTA_TO_8 } else { LeaseRules::CURRENT },
            }
        }
    };
    Some(Wanted {
        application_id: application.unwrap_or(base.application_id),
        sku_id: sku.unwrap_or(base.sku_id),
        kms_counted_id: counted.unwrap_or(base.kms_counted_id),
        n_policy: n_policy.unwrap_or(base.n_policy),
        protocol: protocol.unwrap_or(base.protocol),
        ..base
    })
}

fn read_name(node: &Node<'_>, findings: &mut Findings) -> Option<Wanted> {
    let name = node.line(findings)?;
    let product = value::product(name).map_err(|fault| match name.parse::<Guid>() {
        Ok(_) if fault.help.as_deref().is_none_or(|help| !help.starts_with("did you mean")) => {
            fault.help("an id the catalogue does not know needs a table: { application = \"Windows\", sku = \"…\", counted = \"…\" }")
        }
        _ => fault,
    });
    node.sound(product, findings).map(Wanted::from)
}

fn guid(text: &str) -> Result<Guid, Fault> {
    text.parse().map_err(Fault::of)
}

/// An application by its name or by any id.
fn application(text: &str) -> Result<Guid, Fault> {
    if let Some(known) = application_named(text) {
        return Ok(known.guid());
    }
    text.parse().map_err(|_| {
        let names = || Application::ALL.iter().map(|application| application.name());
        let fault = Fault::new(format!("no application is named {}", quoted(text)));
        match nearest(text, names()) {
            Some(near) => fault.label(format!("did you mean \"{near}\"?")),
            None => fault.help(format!("{}, or an id of your own", listed(names(), '"', "or"))),
        }
    })
}

pub(super) fn application_named(text: &str) -> Option<Application> {
    Application::ALL.into_iter().find(|application| application.name().eq_ignore_ascii_case(text.trim()))
}

pub(super) static FORM: Form = Form {
    what: "a product",
    doc: "A product: one of the catalogue with some things different, or one of no catalogue.",
    keys: &[
        Key::optional(
            "name",
            Shape::Text,
            "name = \"Windows 11 Enterprise\"",
            "A product of the catalogue, by name or SKU id; what the other keys leave out is as it is there.",
        ),
        Key::optional(
            "application",
            Shape::Text,
            "application = \"Office\"",
            "The application: Windows, Office 2010, Office or any id.",
        ),
        Key::optional(
            "sku",
            GUID,
            "sku = \"6b6d7300-0000-4000-8000-00000000057a\"",
            "The SKU id, also called activation id.",
        ),
        Key::optional(
            "counted",
            GUID,
            "counted = \"6b6d7300-0000-4000-8000-0000000c0de0\"",
            "The KMS counted id: what a host grants or refuses by.",
        ),
        Key::optional(
            "n-policy",
            Shape::whole(N_POLICY),
            "n-policy = 25",
            "The count the client asks for; 25 without `name`.",
        ),
        Key::optional("protocol", PROTOCOL, "protocol = \"6.0\"", "The version its clients speak; 6.0 without `name`."),
    ],
    needs: &[&[&["name"], &["application", "sku", "counted"]]],
    ..Form::PLAIN
};

/// A product by name or as a table.
pub(super) static ENTRY: Shape = Shape::Either(&[Shape::Text, Shape::Table(&FORM)]);

/// A version of which clients exist.
pub(super) const PROTOCOL: Shape = Shape::Words(&super::form::words(&value::PROTOCOLS));

const GUID: Shape = Shape::Match(r"^\s*(urn:uuid:)?\{?[0-9A-Fa-f-]{32,36}\}?\s*$");

/// Hosts that were tried refuse more as malformed data (0x8007000D).
pub(super) const N_POLICY: std::ops::RangeInclusive<u32> = 1..=1000;
/// A Windows client's.
const N_POLICY_UNKNOWN: u32 = 25;

const HELP: &str =
    "product = \"Windows 11 Enterprise\", or a table: { name = \"Windows 11 Enterprise\", n-policy = 5 }";
