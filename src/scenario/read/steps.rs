//! `[[step]]`: who arrives, how, and what is expected of it.

use std::collections::HashMap;

use toml::de::DeValue;

use super::clients::GroupDraft;
use super::expectations::{self, Asking};
use super::problem::{Finding, Findings};
use super::selection::{self, Names};
use super::source::Source;
use super::walk::{Node, Table, quoted, without_doubles};
use super::{clients, possible};
use crate::proto::Offer;
use crate::scenario::expectation::Expectation;
use crate::scenario::schedule::Arrive;
use crate::scenario::spec::{ARRIVALS_MAX, ConnectionUse, HostState, Order, Repeat, STEPS_MAX, Selection, StepSpec};
use crate::wire::rpc::TransferSyntax;

/// The steps, and the groups they use.
pub(super) struct Steps {
    /// `None` for a step with something wrong.
    pub specs: Vec<Option<StepSpec>>,
    /// For each group, whether a step uses it.
    pub used: Vec<bool>,
    /// Whether every use of a group could be read, so that one not used is known not to be.
    pub uses_known: bool,
}

pub(super) fn read(node: &Node<'_>, groups: &[GroupDraft], source: &Source<'_>, findings: &mut Findings) -> Steps {
    let mut steps = Steps { specs: Vec::new(), used: vec![false; groups.len()], uses_known: true };
    let DeValue::Array(array) = node.value else {
        let finding = Finding::at(node.at.clone(), "`step` is a list: there can be many");
        findings.push(finding.help("write [[step]] with double brackets"));
        return Steps { uses_known: false, ..steps };
    };
    if array.is_empty() {
        findings.push(Finding::missing(node.at.clone(), "there is no step").help(format!("for example: {EXAMPLE}")));
    }
    if let Some(first_too_many) = array.get(STEPS_MAX) {
        let message = format!("there are {} steps; a file has room for {STEPS_MAX}", array.len());
        findings.push(Finding::at(first_too_many.span(), message));
    }
    let mut arrivals_before: u64 = 0;
    let mut titles = HashMap::new();
    let names = groups.iter().enumerate().map(|(index, draft)| (draft.name.as_str(), index)).collect();
    for (index, value) in array.iter().take(STEPS_MAX).enumerate() {
        let DeValue::Table(entries) = value.get_ref() else {
            findings.push(Finding::at(value.span(), "a step is a table").help(format!("for example: {EXAMPLE}")));
            steps.uses_known = false;
            continue;
        };
        let table = Table::open("a step", entries, value.span(), KEYS, findings);
        let mut reader = StepReader { table, groups, names: &names, source, findings, steps: &mut steps };
        let title = reader.title(index, &mut titles);
        let (arrivals, spec) = reader.spec(title);
        // A million machines a thousand times over is a slip, and memory is what it would cost.
        let arrivals_now = arrivals_before.saturating_add(arrivals);
        if arrivals_before <= ARRIVALS_MAX as u64 && arrivals_now > ARRIVALS_MAX as u64 {
            let message =
                format!("with this step there are {arrivals_now} arrivals; a file has room for {ARRIVALS_MAX}");
            findings.push(Finding::at(value.span(), message));
        }
        arrivals_before = arrivals_now;
        steps.specs.push(spec);
    }
    steps
}

struct StepReader<'a, 'r> {
    table: Table<'a>,
    groups: &'r [GroupDraft],
    names: &'r Names<'r>,
    source: &'r Source<'a>,
    findings: &'r mut Findings,
    steps: &'r mut Steps,
}

impl<'a> StepReader<'a, '_> {
    fn title(&mut self, index: usize, titles: &mut HashMap<&'a str, usize>) -> Option<String> {
        let node = self.table.required("title", "title = \"the first 24 are refused by count\"", self.findings)?;
        let title = node.line(self.findings)?;
        if let Some(other) = titles.get(title) {
            let finding = Finding::at(node.at.clone(), format!("step {} has this title too", other + 1));
            self.findings.push(finding.help("reports name steps by their titles, so each needs its own"));
        }
        titles.entry(title).or_insert(index);
        Some(title.to_owned())
    }

    /// How many arrivals the step has (0 when that is not known), and the step when all is well.
    fn spec(&mut self, title: Option<String>) -> (u64, Option<StepSpec>) {
        let selections = self.selections();
        let host = self.word("host", &[("kept", HostState::Kept), ("fresh", HostState::Fresh)]);
        let connection = self.word("connection", &[("each", ConnectionUse::Each), ("kept", ConnectionUse::Kept)]);
        let concurrency = self.concurrency();
        let versions = match self.table.optional("protocol") {
            None => Some(Vec::new()),
            Some(node) => self.each(&node, clients::read_protocol),
        };
        let offers = match self.table.optional("syntax") {
            None => Some(vec![Offer::Windows]),
            Some(node) => self.each(&node, |node, findings| node.word(&OFFERS, findings)),
        };
        self.check_kept_connection(connection, offers.as_deref());
        let repeat = match self.table.optional("repeat") {
            None => Some(1),
            Some(node) => node.whole(1..=ARRIVALS_MAX as u32, self.findings),
        };
        let clients_times = (|| {
            let clients: u64 =
                selections.as_ref()?.iter().map(|selection| u64::from(selection.last - selection.first) + 1).sum();
            let ways = versions.as_ref()?.len().max(1) * offers.as_ref()?.len();
            Some((clients, ways as u64 * u64::from(repeat?)))
        })();
        let arrivals = clients_times.map(|(clients, times)| clients.saturating_mul(times));
        let asking = Asking { clients_times, one_by_one: concurrency.map(|concurrency| concurrency == 1) };
        let expect = self.expect(selections.as_deref(), asking);
        let spec = || {
            Some(StepSpec {
                title: title?,
                line: self.source.line(self.table.at.start),
                host: host?,
                connection: connection?,
                arrive: Arrive::Turns { concurrency: concurrency? },
                wait: std::time::Duration::ZERO,
                order: Order::Listed,
                selections: selections?,
                versions: versions?,
                offers: offers?,
                repeat: Repeat { times: repeat?, ..Repeat::default() },
                expect: expect?,
                oracle: true,
            })
        };
        (arrivals.unwrap_or_default(), spec())
    }

    fn selections(&mut self) -> Option<Vec<Selection>> {
        let Some(node) = self.table.required("clients", "clients = [\"campus-pc[1..24]\"]", self.findings) else {
            self.steps.uses_known = false;
            return None;
        };
        let written = node.one_or_more(self.findings);
        let mut selections = Vec::with_capacity(written.len());
        for node in &written {
            let selected = selection::read(node, self.groups, self.names, self.findings);
            match selected.group {
                Some(group) => self.steps.used[group] = true,
                None => self.steps.uses_known = false,
            }
            selections.extend(selected.selection);
        }
        (!written.is_empty() && selections.len() == written.len()).then_some(selections)
    }

    /// The first of `words` is the default.
    fn word<T: Copy>(&mut self, key: &str, words: &[(&'static str, T)]) -> Option<T> {
        match self.table.optional(key) {
            None => words.first().map(|(_, default)| *default),
            Some(node) => node.word(words, self.findings),
        }
    }

    fn each<T: PartialEq>(
        &mut self,
        node: &Node<'a>,
        read: impl Fn(&Node<'a>, &mut Findings) -> Option<T>,
    ) -> Option<Vec<T>> {
        let written = node.one_or_more(self.findings);
        let wanted = written.len();
        let values: Vec<_> =
            written.into_iter().filter_map(|node| read(&node, self.findings).map(|value| (node, value))).collect();
        let whole = wanted > 0 && values.len() == wanted;
        let values = without_doubles(values, self.findings);
        whole.then_some(values)
    }

    fn concurrency(&mut self) -> Option<usize> {
        let Some(node) = self.table.optional("arrive") else { return Some(1) };
        let entries = node.table(ARRIVE_HELP, self.findings)?;
        let table = Table::open("`arrive`", entries, node.at.clone(), &["one-by-one", "concurrency"], self.findings);
        let one_by_one = table.optional("one-by-one").map(|node| node.boolean(self.findings));
        let concurrency = table.optional("concurrency").map(|node| node.whole(1..=CONCURRENCY_MAX, self.findings));
        match (one_by_one, concurrency) {
            (Some(one_by_one), None) if one_by_one? => Some(1),
            (None, Some(concurrency)) => concurrency.map(|concurrency| concurrency as usize),
            _ if !table.all_known => None,
            _ => {
                let message = "`arrive` does not say how the clients arrive";
                self.findings.push(Finding::at(node.at.clone(), message).help(ARRIVE_HELP));
                None
            }
        }
    }

    fn check_kept_connection(&mut self, connection: Option<ConnectionUse>, offers: Option<&[Offer]>) {
        let (Some(ConnectionUse::Kept), Some(offers)) = (connection, offers) else { return };
        if offers.len() > 1
            && let Some(node) = self.table.optional("syntax")
        {
            let message = "one connection is bound once, so it cannot carry calls bound in different ways";
            self.findings.push(
                Finding::at(node.at.clone(), message).help(
                    "one syntax, or connection = \"each\"; \"windows\" alone goes over NDR32 first and then NDR64",
                ),
            );
        }
    }

    fn expect(&mut self, selections: Option<&[Selection]>, asking: Asking) -> Option<Vec<Expectation>> {
        let node = self.table.required("expect", expectations::EXAMPLE, self.findings)?;
        let expectations = expectations::read(&node, asking, self.source, self.findings)?;
        let groups = selections?.iter().map(|selection| self.groups[selection.group].group.as_ref());
        let policies: Option<Vec<u32>> = groups.map(|group| group.map(|group| group.largest_n_policy())).collect();
        if let Some(why_not) = possible::contradiction(&expectations, &policies?) {
            self.findings.push(Finding::at(node.at.clone(), why_not.message).help(why_not.help));
            return None;
        }
        Some(expectations)
    }
}

/// Problems of a group that no step uses.
pub(super) fn check_unused(groups: &[GroupDraft], steps: &Steps, findings: &mut Findings) {
    if !steps.uses_known {
        return;
    }
    for (group, _) in groups.iter().zip(&steps.used).filter(|(_, used)| !**used) {
        let message = format!("no step uses the clients of {}", quoted(&group.name));
        let help = format!("name it in the `clients` of a step, as clients = [\"{}\"], or take it out", group.name);
        findings.push(Finding::missing(group.at.clone(), message).help(help));
    }
}

const KEYS: &[&str] = &["title", "host", "clients", "arrive", "connection", "protocol", "syntax", "repeat", "expect"];

const OFFERS: [(&str, Offer); 3] = [
    ("windows", Offer::Windows),
    ("ndr32", Offer::Only(TransferSyntax::Ndr32)),
    ("ndr64", Offer::Only(TransferSyntax::Ndr64)),
];

/// More connections at once than one machine has ports for would measure the machine.
const CONCURRENCY_MAX: u32 = 10_000;

pub(super) const EXAMPLE: &str = "[[step]], and under it title = \"they arrive\", clients = [\"campus-pc\"] and expect = { verdict = \"activated\" }";
const ARRIVE_HELP: &str = "arrive = { one-by-one = true } or { concurrency = 8 }";
