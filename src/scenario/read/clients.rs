//! `[clients.NAME]`: groups of machines alike.

use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::problem::{Finding, Findings};
use super::walk::{Node, Table, listed, quoted};
use crate::catalog::{self, Product};
use crate::client::identity;
use crate::client::{ClientClock, Wanted};
use crate::population::{Group, LeaseBegins, Machines, Share};
use crate::scenario::spec::{CLIENTS_MAX, is_name};
use crate::wire::kms::{LicenseStatus, ProtocolVersion};

/// A group that may have something wrong with it, which a step can still name.
#[derive(Debug)]
pub(super) struct GroupDraft {
    pub name: String,
    /// Where its name stands.
    pub at: Range<usize>,
    pub count: Option<u32>,
    /// The whole group, when nothing is wrong.
    pub group: Option<Arc<Group>>,
}

/// The groups, in the order of the file.
pub(super) fn read(node: &Node<'_>, findings: &mut Findings) -> Vec<GroupDraft> {
    if let DeValue::Array(_) = node.value {
        let finding = Finding::at(node.at.clone(), "`clients` is not a list: each group has a name");
        findings.push(finding.help("write [clients.campus-pc] with single brackets and a name of your choice"));
        return Vec::new();
    }
    let Some(entries) = node.table(EXAMPLE, findings) else { return Vec::new() };
    if entries.is_empty() {
        findings.push(
            Finding::missing(node.at.clone(), "there is no group of clients").help(format!("for example: {EXAMPLE}")),
        );
    }
    let mut in_order: Vec<_> = entries.iter().collect();
    in_order.sort_by_key(|(key, _)| key.span().start);
    let mut drafts = Vec::with_capacity(in_order.len());
    if let Some((first_too_many, _)) = in_order.get(GROUPS_MAX) {
        let message = format!("there are {} groups of clients; a file has room for {GROUPS_MAX}", in_order.len());
        findings.push(Finding::at(first_too_many.span(), message));
    }
    for (key, value) in in_order.into_iter().take(GROUPS_MAX) {
        let group = Node::new(key, value);
        let DeValue::Table(entries) = group.value else {
            let message = format!("`clients` holds groups, and {} is none", quoted(group.key));
            findings.push(Finding::at(key.span(), message).help(format!("for example: {EXAMPLE}")));
            continue;
        };
        if !is_name(group.key) {
            let message = format!("{} cannot be the name of a group", quoted(group.key));
            findings.push(Finding::at(key.span(), message).help("1 to 40 of a-z, 0-9 and -, as in campus-pc"));
        }
        drafts.push(read_group(group.key, key.span(), entries, group.at.clone(), findings));
    }
    check_total(&drafts, findings);
    drafts
}

fn read_group<'a>(
    name: &str,
    at: Range<usize>,
    entries: &'a DeTable<'a>,
    span: Range<usize>,
    findings: &mut Findings,
) -> GroupDraft {
    let table = Table::open("a group of clients", entries, span, KEYS, findings);
    let count =
        table.required("count", "count = 25", findings).and_then(|node| node.whole(1..=CLIENTS_MAX as u32, findings));
    let product = table
        .required("product", "product = \"Windows 11 Enterprise\"", findings)
        .and_then(|node| read_product(&node, findings));
    let n_policy = table.optional("n-policy").map(|node| node.whole(1..=N_POLICY_MAX, findings));
    let protocol = table.optional("protocol").map(|node| read_protocol(&node, findings));
    let is_vm = table.optional("vm").map(|node| node.boolean(findings));
    let license_status = table.optional("status").map(|node| read_status(&node, findings));
    let minutes_left = table.optional("minutes-left").map(|node| node.whole(0..=u32::MAX, findings));
    // A key that is there and wrong is `Some(None)`: then there is no group.
    let group = || {
        let product = product?;
        let wanted = Wanted {
            n_policy: n_policy.unwrap_or(Some(product.n_policy))?,
            protocol: protocol.unwrap_or(Some(product.protocol))?,
            ..Wanted::from(product)
        };
        let status = license_status.map_or(Some(None), |status| status.map(Some))?;
        let minutes = minutes_left.map_or(Some(None), |minutes| minutes.map(Some))?;
        let lease = match (status, minutes) {
            (None, None) => LeaseBegins::Installed,
            (status, minutes) => LeaseBegins::Standing {
                status: status.unwrap_or(LicenseStatus::OOB_GRACE),
                minutes_left: minutes.unwrap_or(wanted.rules.initial_grace_min),
            },
        };
        Some(Arc::new(Group {
            name: name.to_owned(),
            machines: Machines::Alike(count?),
            wanted: vec![Arc::new(wanted)],
            rules: None,
            vm: if is_vm.unwrap_or(Some(false))? { Share::ALL } else { Share::NONE },
            clock: ClientClock::right(),
            lease,
            workstation: None,
            clones: false,
            previous_id: false,
            away: Vec::new(),
        }))
    };
    GroupDraft { name: name.to_owned(), at, count, group: group() }
}

fn read_product(node: &Node<'_>, findings: &mut Findings) -> Option<&'static Product> {
    let name = node.line(findings)?;
    match catalog::find(name) {
        Ok(product) => Some(product),
        Err(unknown) => {
            let message = format!("no product named {} in the catalogue", quoted(name));
            let finding = Finding::at(node.at.clone(), message);
            findings.push(if unknown.nearest().is_empty() {
                finding.help("`kmsproof catalog` lists the names there are")
            } else {
                let near = listed(unknown.nearest().iter().map(String::as_str), '"', "or");
                finding.help(format!("did you mean {near}? `kmsproof catalog` lists them all"))
            });
            None
        }
    }
}

/// One protocol version that exists.
pub(super) fn read_protocol(node: &Node<'_>, findings: &mut Findings) -> Option<ProtocolVersion> {
    let words = ProtocolVersion::ALL.map(|version| (version_name(version), version));
    node.word(&words, findings)
}

fn version_name(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::V4 => "4.0",
        ProtocolVersion::V5 => "5.0",
        _ => "6.0",
    }
}

/// A license status by number or by name.
fn read_status(node: &Node<'_>, findings: &mut Findings) -> Option<LicenseStatus> {
    match node.value {
        DeValue::Integer(_) => node.whole(0..=LicenseStatus::EXTENDED_GRACE.0, findings).map(LicenseStatus),
        _ => node.word(&STATUSES, findings),
    }
}

fn check_total(drafts: &[GroupDraft], findings: &mut Findings) {
    let total: u64 = drafts.iter().filter_map(|draft| draft.count).map(u64::from).sum();
    if let Some(last) = drafts.last()
        && total > CLIENTS_MAX as u64
    {
        let message = format!("the groups have {total} clients in all; a file has room for {CLIENTS_MAX}");
        findings.push(Finding::at(last.at.clone(), message));
    }
}

const KEYS: &[&str] = &["count", "product", "n-policy", "protocol", "vm", "status", "minutes-left"];

const STATUSES: [(&str, LicenseStatus); 7] = [
    ("unlicensed", LicenseStatus::UNLICENSED),
    ("licensed", LicenseStatus::LICENSED),
    ("initial-grace", LicenseStatus::OOB_GRACE),
    ("out-of-tolerance-grace", LicenseStatus::OOT_GRACE),
    ("non-genuine-grace", LicenseStatus::NON_GENUINE_GRACE),
    ("notification", LicenseStatus::NOTIFICATION),
    ("extended-grace", LicenseStatus::EXTENDED_GRACE),
];

/// The highest number of a synthetic id's group is kept for the pool of fixed ids.
const GROUPS_MAX: usize = identity::Group::MAX as usize;
/// Hosts that were tried refuse more as malformed data (0x8007000D).
const N_POLICY_MAX: u32 = 1000;

pub(super) const EXAMPLE: &str = "[clients.campus-pc], and under it count = 25 and product = \"Windows 11 Enterprise\"";
