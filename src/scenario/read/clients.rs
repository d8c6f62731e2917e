//! `[clients.NAME]`: groups of machines alike.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::form::{Form, Key, Shape, words};
use super::lease::{self, GENERATIONS};
use super::population::{self, Listed, Told};
use super::problem::{Finding, Findings};
use super::value::{self, Fault, STATUSES};
use super::walk::{Node, Table};
use super::wording::quoted;
use super::{Around, away, clock, products};
use crate::client::{ClientClock, LeaseRules, identity};
use crate::population::{Group, LeaseBegins, Machines, Share};
use crate::scenario::spec::{CLIENTS_MAX, is_name};
use crate::text::grouped;

/// A group that may have something wrong with it, which a step can still name.
#[derive(Debug)]
pub(super) struct GroupDraft {
    pub name: String,
    /// Where its name stands.
    pub at: Range<usize>,
    pub count: Option<u32>,
    /// Whether a table says when each of them arrives; `None` when that table cannot be read.
    pub is_recorded: Option<bool>,
    /// The whole group, when nothing is wrong.
    pub group: Option<Arc<Group>>,
}

/// The groups, in the order of the file.
pub(super) fn read(node: &Node<'_>, around: &Around<'_>, findings: &mut Findings) -> Vec<GroupDraft> {
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
        drafts.push(read_group(group.key, key.span(), entries, group.at.clone(), around, findings));
    }
    check_total(&drafts, findings);
    drafts
}

fn read_group<'a>(
    name: &str,
    at: Range<usize>,
    entries: &'a DeTable<'a>,
    span: Range<usize>,
    around: &Around<'_>,
    findings: &mut Findings,
) -> GroupDraft {
    let before = findings.count();
    let table = Table::open(&FORM, entries, span, findings);
    let said = table.optional("count").and_then(|node| node.whole(COUNT, findings));
    let n_policy = table.optional("n-policy").and_then(|node| node.whole(products::N_POLICY, findings));
    let protocol = table.optional("protocol").and_then(|node| node.parsed(value::protocol, findings));
    let wanted = products::read(&table, n_policy, protocol, findings);
    let generation = table.optional("generation").and_then(|node| node.word(&GENERATIONS, findings));
    let rules = generation.or(wanted.first().map(|wanted| wanted.rules)).unwrap_or(LeaseRules::CURRENT);
    let lease = lease::begins(&table, rules, findings);
    let vm = table.optional("vm").and_then(|node| read_vm(&node, findings));
    let clock = table.optional("clock").and_then(|node| clock::read(&node, findings));
    let workstation =
        table.optional("workstation").and_then(|node| node.parsed(|_, text| text.parse().map_err(Fault::of), findings));
    let mut flag = |key| table.optional(key).and_then(|node| node.boolean(findings)).unwrap_or(false);
    let (clones, previous_id) = (flag("clones"), flag("previous-id"));
    let away = table.optional("away").map(|node| away::read(&node, findings)).unwrap_or_default();
    let listed = table.optional("population").map(|node| {
        let names_none = !table.has("product") && !table.has("products");
        let standing = match lease {
            LeaseBegins::Standing { status, minutes_left } => Some((status, minutes_left)),
            _ => None,
        };
        let told = Told { wanted: &wanted, names_none, n_policy, protocol, generation, standing };
        population::read(&node, told, around, findings)
    });
    if let (Some(said), Some(Some(listed))) = (said, &listed)
        && said != listed.len
        && let Some(node) = table.optional("count")
    {
        let (said, rows) = (grouped(said.into()), grouped(listed.len.into()));
        let finding = Finding::at(node.at, format!("`count` is {said}, and the table has {rows} machines"));
        findings.push(finding.help("leave out `count`: the table says it"));
    }
    let (count, is_recorded, machines, wanted) = match listed {
        None => (said, Some(false), said.map(Machines::Alike), wanted),
        Some(None) => (None, None, None, wanted),
        Some(Some(Listed { len, has_times, rows, wanted })) => {
            (Some(len), Some(has_times), Some(Machines::Listed(rows)), wanted)
        }
    };
    let is_sound = findings.count() == before;
    let group = machines.filter(|_| is_sound).map(|machines| {
        Arc::new(Group {
            name: name.to_owned(),
            machines,
            wanted,
            rules: generation,
            vm: vm.unwrap_or(Share::NONE),
            clock: clock.unwrap_or_else(ClientClock::right),
            lease,
            workstation,
            clones,
            previous_id,
            away,
        })
    });
    GroupDraft { name: name.to_owned(), at, count, is_recorded, group }
}

/// All of them, none, or a share.
fn read_vm(node: &Node<'_>, findings: &mut Findings) -> Option<Share> {
    match node.value {
        DeValue::Boolean(true) => Some(Share::ALL),
        DeValue::Boolean(false) => Some(Share::NONE),
        DeValue::String(text) if text.contains('%') => away::read_share(node, findings),
        _ => {
            node.refuse("true or false, or a share in quotes", "vm = true, vm = false or vm = \"30%\"", findings);
            None
        }
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

pub(super) static FORM: Form = Form {
    what: "a group of clients",
    doc: "A group of machines alike, or one by one from a table.",
    keys: &[
        Key::optional(
            "count",
            Shape::whole(COUNT),
            "count = 25",
            "How many machines; a population table says it itself.",
        ),
        Key::optional(
            "product",
            Shape::Either(&[Shape::Text, Shape::Table(&products::FORM)]),
            "product = \"Windows 11 Enterprise\"",
            "What each machine wants activated: a name of `kmsproof catalog`, a SKU id, or a table.",
        ),
        Key::optional(
            "products",
            Shape::OneOrMore(&products::ENTRY),
            "products = [\"Windows 11 Enterprise\", \"Office Professional Plus 2019\"]",
            "The same, several of them: each machine asks for one after the other with one client machine id.",
        ),
        Key::optional(
            "population",
            Shape::Text,
            "population = \"populations/campus.csv\"",
            "A table with a row for each machine, below the scenario's folder.",
        ),
        Key::optional(
            "n-policy",
            Shape::whole(products::N_POLICY),
            "n-policy = 5",
            "The count its clients ask for, whatever their products say.",
        ),
        Key::optional(
            "protocol",
            products::PROTOCOL,
            "protocol = \"5.0\"",
            "The version they speak, whatever their products say.",
        ),
        Key::optional(
            "vm",
            Shape::Either(&[Shape::Flag, Shape::Match(away::SHARE)]),
            "vm = \"30%\"",
            "Whether they say they are virtual, or how many of them, drawn by the seed.",
        ),
        Key::optional(
            "lease",
            Shape::Table(&lease::FORM),
            "lease = { age = [\"0d\", \"7d\"] }",
            "When they were activated; just installed when left out.",
        ),
        Key::optional(
            "status",
            Shape::Either(&[Shape::Whole(0, 6), Shape::Words(&words(&STATUSES))]),
            "status = \"notification\"",
            "The license status they begin with, whatever led to it.",
        ),
        Key::optional(
            "minutes-left",
            Shape::Whole(0, u32::MAX as u64),
            "minutes-left = 1440",
            "The minutes left in that status; with 0 it has no end of its own.",
        ),
        Key::optional(
            "generation",
            Shape::Words(&words(&GENERATIONS)),
            "generation = \"vista-to-8\"",
            "How long each state of their leases lasts; as their products' do when left out.",
        ),
        Key::optional(
            "clock",
            Shape::Either(&[Shape::Text, Shape::Table(&clock::FORM)]),
            "clock = \"-3h 59m\"",
            "How far their clocks are off, or what is wrong with them; right when left out.",
        ),
        Key::optional(
            "workstation",
            Shape::Match(r"\{number(:0[1-9][0-9]*)?\}"),
            "workstation = \"LAB-{number:04}\"",
            "What they call themselves, with their number in it.",
        ),
        Key::optional(
            "clones",
            Shape::Flag,
            "clones = true",
            "Whether one image made them, with its client machine id in it.",
        ),
        Key::optional(
            "previous-id",
            Shape::Flag,
            "previous-id = true",
            "Whether they had another client machine id before.",
        ),
        Key::optional(
            "away",
            Shape::Either(&[Shape::Table(&away::FORM), Shape::List(&Shape::Table(&away::FORM), 1, away::SPANS_MAX)]),
            "away = [{ from = \"10d\", to = \"45d\", share = \"60%\" }]",
            "When they are not there, in a step that goes by their leases.",
        ),
    ],
    needs: &[&[&["count"], &["population"]], &[&["product"], &["products"], &["population"]]],
    apart: &[&["product", "products"], &["lease", "status"], &["lease", "minutes-left"], &["population", "clones"]],
    ..Form::PLAIN
};

const COUNT: RangeInclusive<u32> = 1..=CLIENTS_MAX as u32;
/// The highest number of a synthetic id's group is kept for the pool of fixed ids.
const GROUPS_MAX: usize = identity::Group::MAX as usize;

pub(super) const EXAMPLE: &str = "[clients.campus-pc], and under it count = 25 and product = \"Windows 11 Enterprise\"";
