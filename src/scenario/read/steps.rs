//! `[[step]]`: who arrives, how, and what is expected of it.

use std::collections::HashMap;
use std::time::Duration;

use toml::de::DeValue;

use super::asking::Asking;
use super::clients::GroupDraft;
use super::form::{Form, Key, Shape, words};
use super::problem::{Finding, Findings};
use super::selection::{self, Names};
use super::source::Source;
use super::walk::{Node, Table, without_doubles};
use super::wording::quoted;
use super::{arrive, expectations, possible, value};
use crate::client::Intervals;
use crate::proto::Offer;
use crate::scenario::expectation::Expectation;
use crate::scenario::schedule::{Arrive, Schedule, Spread};
use crate::scenario::spec::{
    ARRIVALS_MAX, ConnectionUse, HostState, Order, Repeat, STEPS_MAX, Selection, StepSpec, TIMED_ARRIVALS_MAX, TimeMode,
};
use crate::text::grouped;
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

/// `time` is the time the scenario goes by, as far as that could be read.
pub(super) fn read(
    node: &Node<'_>,
    groups: &[GroupDraft],
    time: Option<TimeMode>,
    source: &Source<'_>,
    findings: &mut Findings,
) -> Steps {
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
        let before = findings.count();
        let table = Table::open(&FORM, entries, value.span(), findings);
        let mut reader = StepReader { table, groups, names: &names, time, source, findings, steps: &mut steps };
        let title = reader.title(index, &mut titles);
        let (arrivals, spec) = reader.spec(title);
        let spec = spec.filter(|_| findings.count() == before);
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
    time: Option<TimeMode>,
    source: &'r Source<'a>,
    findings: &'r mut Findings,
    steps: &'r mut Steps,
}

impl<'a> StepReader<'a, '_> {
    fn title(&mut self, index: usize, titles: &mut HashMap<&'a str, usize>) -> Option<String> {
        let node = self.table.optional("title")?;
        let title = node.line(self.findings)?;
        if let Some(other) = titles.get(title) {
            let finding = Finding::at(node.at.clone(), format!("step {} has this title too", other + 1));
            self.findings.push(finding.help("reports name steps by their titles, so each needs its own"));
        }
        titles.entry(title).or_insert(index);
        Some(title.to_owned())
    }

    /// How many arrivals the step has (0 when that is not known), and the step, unless something is wrong.
    fn spec(&mut self, title: Option<String>) -> (u64, Option<StepSpec>) {
        let selections = self.selections();
        let host = self.word("host", &HOSTS);
        let wait = self.table.optional("wait").map_or(Some(Duration::ZERO), |node| node.duration(self.findings));
        let connection = self.connection();
        let order = self.word("order", &ORDERS);
        let arrive = match self.table.optional("arrive") {
            None => Some((Arrive::Turns { concurrency: 1 }, Duration::ZERO)),
            Some(node) => arrive::read(&node, self.time, self.findings),
        };
        let (arrive, think) = arrive.unzip();
        let versions = match self.table.optional("protocol") {
            None => Some(Vec::new()),
            Some(node) => self.each(&node, |node, findings| node.parsed(value::any_protocol, findings)),
        };
        let offers = match self.table.optional("syntax") {
            None => Some(vec![Offer::Windows]),
            Some(node) => self.each(&node, |node, findings| node.word(&OFFERS, findings)),
        };
        self.check_kept_connection(connection, offers.as_deref());
        let repeat = self.table.optional("repeat").map_or(Some(Repeat::default()), |node| self.repeat(&node));
        let times = || {
            let ways = versions.as_ref()?.len().max(1) * offers.as_ref()?.len();
            Some(ways as u64 * u64::from(repeat?.times))
        };
        let asking = Asking {
            groups: self.groups,
            selections: selections.as_deref(),
            times: times(),
            within: arrivals_within(arrive.as_ref(), repeat),
            one_by_one: arrive.as_ref().map(|arrive| *arrive == Arrive::Turns { concurrency: 1 }),
            host,
        };
        let goes_by_leases = matches!(arrive, Some(Arrive::Lifecycle { .. }));
        // How many arrive in a time is bounded apart: nobody is listed for it.
        let is_listed = !goes_by_leases && asking.within.is_none();
        let arrivals = if is_listed { asking.arrivals().unwrap_or_default() } else { 0 };
        match arrive {
            Some(Arrive::Recorded { .. }) => self.check_recorded(selections.as_deref()),
            Some(Arrive::Lifecycle { span, .. }) => self.check_lifecycle(span, &asking),
            _ => {}
        }
        if let (Some(Repeat { lasts: Some(_), .. }), Some(within)) = (repeat, asking.within) {
            self.check_lasts(arrive.as_ref(), within);
        }
        let expect = self.expect(&asking);
        let oracle = self.oracle(&expect);
        let spec = || {
            Some(StepSpec {
                title: title?,
                line: self.source.line(self.table.at.start),
                host: host?,
                connection: connection?,
                think: think?,
                arrive: arrive?,
                wait: wait?,
                order: order?,
                selections: selections?,
                versions: versions?,
                offers: offers?,
                repeat: repeat?,
                expect,
                oracle,
            })
        };
        (arrivals, spec())
    }

    /// Who arrives; nobody in a step that only waits.
    fn selections(&mut self) -> Option<Vec<Selection>> {
        let Some(node) = self.table.optional("clients") else {
            let only_waits = self.table.has("wait") && self.table.all_known;
            self.steps.uses_known &= only_waits;
            return only_waits.then(Vec::new);
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

    fn each<T: PartialEq + Copy>(
        &mut self,
        node: &Node<'a>,
        read: impl Fn(&Node<'a>, &mut Findings) -> Option<T>,
    ) -> Option<Vec<T>> {
        let written = node.one_or_more(self.findings);
        let wanted = written.len();
        let values: Vec<_> =
            written.into_iter().filter_map(|node| read(&node, self.findings).map(|value| (node, value))).collect();
        let whole = wanted > 0 && values.len() == wanted;
        let values = without_doubles(values, |value| *value, self.findings);
        whole.then_some(values)
    }

    fn repeat(&mut self, node: &Node<'_>) -> Option<Repeat> {
        let DeValue::Table(entries) = node.value else {
            return Some(Repeat { times: node.whole(TIMES, self.findings)?, ..Repeat::default() });
        };
        let table = Table::open(&REPEAT, entries, node.at.clone(), self.findings);
        let lasts = table.optional("for").map(|node| arrive::read_span(&node, self.findings));
        let times = match lasts {
            Some(_) => Some(1),
            None => table.optional("times").and_then(|node| node.whole(TIMES, self.findings)),
        };
        let pause = table.optional("pause").map_or(Some(Duration::ZERO), |node| node.duration(self.findings));
        let lasts = match lasts {
            Some(lasts) => Some(lasts?),
            None => None,
        };
        Some(Repeat { times: times?, pause: pause?, lasts, most: None })
    }

    fn connection(&mut self) -> Option<ConnectionUse> {
        let Some(node) = self.table.optional("connection") else { return Some(ConnectionUse::Each) };
        match node.value {
            DeValue::Table(entries) => {
                let table = Table::open(&CONNECTION, entries, node.at.clone(), self.findings);
                let calls = table.optional("calls").and_then(|node| node.whole(CALLS, self.findings));
                calls.map(ConnectionUse::Calls)
            }
            DeValue::String(_) => node.word(&CONNECTIONS, self.findings),
            _ => {
                node.refuse("a word or a table", "\"each\", \"kept\" or { calls = 10 }", self.findings);
                None
            }
        }
    }

    /// Whoever goes on for a time needs a time that goes by, and not more arrivals than there are numbers for.
    fn check_lasts(&mut self, arrive: Option<&Arrive>, within: u64) {
        if matches!(self.time, Some(TimeMode::Virtual { .. })) {
            let help = "say how often instead, as in repeat = 3, or let the scenario go by the time on the wall";
            self.refuse(
                "repeat",
                "in a time of its own no time goes by between an answer and the next request, so `for` has no end",
                help,
            );
        }
        let is_by_chance = matches!(arrive, Some(Arrive::Open(Schedule { spread: Spread::Poisson, .. })));
        let most = if is_by_chance { CHANCES_MAX } else { TIMED_ARRIVALS_MAX };
        if within > most {
            let message = format!(
                "in this time {} clients arrive; a step has room for {}{}",
                grouped(within),
                grouped(most),
                if is_by_chance { " who arrive as strangers do" } else { "" },
            );
            self.refuse("repeat", &message, "a lower rate, or a shorter time");
        }
    }

    fn check_kept_connection(&mut self, connection: Option<ConnectionUse>, offers: Option<&[Offer]>) {
        let (Some(connection), Some(offers)) = (connection, offers) else { return };
        if connection != ConnectionUse::Each && offers.len() > 1 {
            let help = "one syntax, or connection = \"each\"; \"windows\" alone goes over NDR32 first and then NDR64";
            self.refuse(
                "syntax",
                "one connection is bound once, so it cannot carry calls bound in different ways",
                help,
            );
        }
    }

    /// A table says of each of its machines when it arrives, once.
    fn check_recorded(&mut self, selections: Option<&[Selection]>) {
        self.refuse_rounds("a table says");
        const HELP: &str =
            "clients = [\"imported\"], and in [clients.imported] a population whose table has a column `at`";
        let Some(selections) = selections else { return };
        let [Selection { group, first, last }] = *selections else {
            return self.refuse("clients", "only one whole group can arrive as recorded", HELP);
        };
        let draft = &self.groups[group];
        if (first, Some(last)) != (1, draft.count) {
            return self.refuse("clients", "only a whole group can arrive as recorded", HELP);
        }
        if draft.is_recorded == Some(false) {
            let message = format!("no table says when the clients of {} arrive", quoted(&draft.name));
            self.refuse("clients", &message, HELP);
        }
    }

    /// Leases decide who asks when, and each answer decides when next.
    fn check_lifecycle(&mut self, span: Duration, asking: &Asking<'_>) {
        self.refuse_rounds("leases say");
        for key in ["protocol", "syntax"] {
            let is_one = |node: &Node<'_>| !matches!(node.value, DeValue::Array(values) if values.len() > 1);
            if !self.table.optional(key).as_ref().is_none_or(is_one) {
                let message = format!("who goes by a lease asks once at a time, so `{key}` can have one value");
                self.refuse(key, &message, "one value, or a step for each");
            }
        }
        let Some(activations) = asking.activations() else { return };
        let renewals = u128::from(activations) * span.as_nanos() / RENEWAL.as_nanos();
        if renewals > RENEWALS_MAX {
            let (asked, most) = (grouped(u64::try_from(renewals).unwrap_or(u64::MAX)), grouped(RENEWALS_MAX as u64));
            let message = format!("renewed every 7 days, these leases ask {asked} times; a step has room for {most}");
            self.refuse("arrive", &message, "fewer clients, or a shorter time");
        }
    }

    fn refuse_rounds(&mut self, who_says: &str) {
        for key in ["repeat", "order"] {
            if self.table.has(key) {
                let message = format!("`{key}` makes no sense where {who_says} who arrives when");
                self.refuse(key, &message, "leave it out");
            }
        }
    }

    fn refuse(&mut self, key: &str, message: &str, help: &str) {
        let at = self.table.optional(key).map_or(self.table.at.clone(), |node| node.at);
        self.findings.push(Finding::at(at, message).help(help));
    }

    /// What is expected; nothing where the oracle says what must come.
    fn expect(&mut self, asking: &Asking<'_>) -> Vec<Expectation> {
        let Some(node) = self.table.optional("expect") else { return Vec::new() };
        let before = self.findings.count();
        let expectations = expectations::read(&node, asking, self.source, self.findings);
        if self.findings.count() == before
            && let Some(why_not) = possible::contradiction(&expectations, &asking.n_policies(), asking.host)
        {
            self.findings.push(Finding::at(node.at.clone(), why_not.message).help(why_not.help));
        }
        expectations
    }

    /// Whether the oracle is asked; who does not ask it must expect something.
    fn oracle(&mut self, expect: &[Expectation]) -> bool {
        let Some(node) = self.table.optional("oracle") else { return true };
        let oracle = node.boolean(self.findings).unwrap_or(true);
        let says_it = self.table.optional("expect").is_none_or(|node| matches!(node.value, DeValue::String(_)));
        if !oracle && expect.is_empty() && says_it {
            let finding = Finding::at(node.at.clone(), "nothing says what the answers must be");
            self.findings
                .push(finding.help(format!("leave out `oracle`, or say what comes: {}", expectations::EXAMPLE)));
        }
        oracle
    }
}

/// How many arrive where a time says it and not a list: about, where it is left to chance, and the most there can
/// be where they take turns.
fn arrivals_within(arrive: Option<&Arrive>, repeat: Option<Repeat>) -> Option<u64> {
    let lasts = repeat?.lasts?;
    match arrive? {
        Arrive::Turns { .. } => Some(TIMED_ARRIVALS_MAX),
        Arrive::Open(schedule) => Some(schedule.brings(lasts).ceil() as u64),
        Arrive::Recorded { .. } | Arrive::Lifecycle { .. } => None,
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

pub(super) static FORM: Form = Form {
    what: "a step",
    doc: "Who arrives, how, and what is expected of the answers; steps follow one another.",
    keys: &[
        Key::required(
            "title",
            Shape::Text,
            "title = \"the first 24 are refused by count\"",
            "What the step shows, in one line; reports name it by this.",
        ),
        Key::optional(
            "host",
            Shape::Words(&words(&HOSTS)),
            "host = \"fresh\"",
            "The host as the steps before left it (kept, the default), one that has counted nobody, or none that answers.",
        ),
        Key::optional("wait", Shape::Text, "wait = \"5m\"", "How long nothing happens before the first arrival."),
        Key::optional(
            "clients",
            Shape::OneOrMore(&SELECTION),
            "clients = [\"campus-pc[1..24]\"]",
            "Who arrives: a group, one machine of it (\"campus-pc[3]\") or some (\"campus-pc[1..24]\").",
        ),
        Key::optional(
            "arrive",
            Shape::Table(&arrive::FORM),
            "arrive = { concurrency = 8 }",
            "When they arrive; one by one when left out.",
        ),
        Key::optional(
            "order",
            Shape::Words(&words(&ORDERS)),
            "order = \"shuffled\"",
            "As the step lists them (listed, the default), or mixed by the seed.",
        ),
        Key::optional(
            "connection",
            Shape::Either(&[Shape::Words(&words(&CONNECTIONS)), Shape::Table(&CONNECTION)]),
            "connection = \"kept\"",
            "A connection for each call (each, the default), one for all calls of whoever asks, or one for so many.",
        ),
        Key::optional(
            "protocol",
            Shape::OneOrMore(&Shape::Match("^[0-9]{1,5}\\.[0-9]{1,5}$")),
            "protocol = [\"4.0\", \"5.0\", \"6.0\"]",
            "The versions each asks in, one after the other, existing or not; the product's own when left out.",
        ),
        Key::optional(
            "syntax",
            Shape::OneOrMore(&Shape::Words(&words(&OFFERS))),
            "syntax = [\"ndr32\", \"ndr64\"]",
            "The transfer syntaxes each offers, one after the other; as Windows does when left out.",
        ),
        Key::optional(
            "repeat",
            Shape::Either(&[Shape::whole(TIMES), Shape::Table(&REPEAT)]),
            "repeat = 2",
            "How often the whole list of arrivals is gone through.",
        ),
        Key::optional(
            "expect",
            expectations::SHAPE,
            "expect = { verdict = \"activated\", count = 25 }",
            "What must come of it, beside what the oracle predicts; that alone when left out (\"oracle\").",
        ),
        Key::optional(
            "oracle",
            Shape::Flag,
            "oracle = false",
            "Whether answers are also held against what an honest host would say; they are when left out.",
        ),
    ],
    needs: &[&[&["clients"], &["wait"]]],
    beside: &[
        ("arrive", &["clients"]),
        ("order", &["clients"]),
        ("connection", &["clients"]),
        ("protocol", &["clients"]),
        ("syntax", &["clients"]),
        ("repeat", &["clients"]),
        ("expect", &["clients"]),
        ("oracle", &["clients"]),
    ],
    ..Form::PLAIN
};

static REPEAT: Form = Form {
    what: "`repeat`",
    doc: "How often the whole list of arrivals is gone through.",
    keys: &[
        Key::optional("times", Shape::whole(TIMES), "times = 5", "So many times."),
        Key::optional("pause", Shape::Text, "pause = \"1s\"", "With so much time between one and the next."),
        Key::optional("for", Shape::Text, "for = \"30s\"", "Again and again for so long; nobody starts after that."),
    ],
    needs: &[&[&["times"], &["for"]]],
    apart: &[&["times", "for"], &["pause", "for"]],
    ..Form::PLAIN
};

static CONNECTION: Form = Form {
    what: "`connection`",
    doc: "How many calls a connection carries.",
    keys: &[Key::required("calls", Shape::whole(CALLS), "calls = 10", "So many, and then it is closed.")],
    ..Form::PLAIN
};

const SELECTION: Shape = Shape::Match(r"^[a-z0-9-]{1,40}\s*(\[\s*[0-9]+\s*(\.\.\s*[0-9]+\s*)?\])?\s*$");

const HOSTS: [(&str, HostState); 3] =
    [("kept", HostState::Kept), ("fresh", HostState::Fresh), ("down", HostState::Down)];
const CONNECTIONS: [(&str, ConnectionUse); 2] = [("each", ConnectionUse::Each), ("kept", ConnectionUse::Kept)];
const ORDERS: [(&str, Order); 2] = [("listed", Order::Listed), ("shuffled", Order::Shuffled)];
const OFFERS: [(&str, Offer); 3] = [
    ("windows", Offer::Windows),
    ("ndr32", Offer::Only(TransferSyntax::Ndr32)),
    ("ndr64", Offer::Only(TransferSyntax::Ndr64)),
];

const CALLS: std::ops::RangeInclusive<u32> = 1..=ARRIVALS_MAX as u32;
const TIMES: std::ops::RangeInclusive<u32> = 1..=ARRIVALS_MAX as u32;
/// Of those who arrive by chance it must be drawn when they do, to know how many: some seconds of it.
const CHANCES_MAX: u64 = 100_000_000;
/// What a client waits after a success until it asks again: 7 days.
const RENEWAL: Duration = Duration::from_secs(Intervals::DEFAULT.renewal_min as u64 * 60);
/// As many a machine carries out in some minutes.
const RENEWALS_MAX: u128 = 50_000_000;

pub(super) const EXAMPLE: &str = "[[step]], and under it title = \"they arrive\", clients = [\"campus-pc\"] and expect = { verdict = \"activated\" }";
