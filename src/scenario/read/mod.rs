//! From the text of a file to what it says, with every problem of it.
//!
//! [`source`] knows where bytes stand for a person and [`problem`] what is said about them; [`syntax`]
//! says what is wrong as TOML, and [`walk`] goes through what is right as TOML. What each table may
//! hold is said as data, in its [`form`], of which [`mod@schema`] makes the JSON Schema; values that mean
//! the same everywhere are read in [`value`], and [`wording`] names things in what is said of them.
//!
//! On these stand the readers of the tables: [`host`]; [`clients`], and of a group its [`products`],
//! [`lease`], [`clock`], times [`away`] and [`population`], which is a [`csv_table`]; [`steps`], and of a
//! step its [`selection`] of machines, how they [`arrive`], and the [`expectations`], which must suit who
//! is [`asking`] and be [`possible`] together.

mod arrive;
mod asking;
mod away;
mod clients;
mod clock;
mod csv_table;
mod expectations;
mod form;
mod host;
mod lease;
mod population;
mod possible;
mod problem;
mod products;
mod schema;
mod selection;
mod source;
mod steps;
mod syntax;
mod value;
mod walk;
mod wording;

pub use host::served;
pub use problem::{PROBLEMS_MAX, Problem, Problems};
pub use schema::schema;

use toml::de::DeTable;

use super::spec::{FILE_BYTES_MAX, NAME_CHARS_MAX, STEPS_MAX, Scenario, TimeMode, is_name};
use super::threshold::Threshold;
use clients::GroupDraft;
use form::{Form, Key, Shape};
use problem::{Finding, Findings};
use source::Source;
use value::Fault;
use walk::{Node, Table, without_doubles};
use wording::quoted;

/// Reads a scenario. `source` is the text of the file (a byte order mark and carriage returns do no
/// harm), `file` what to call it in messages, and `tables` has the population tables it names.
///
/// # Errors
/// Every problem of the file and of its tables, not just the first.
pub fn load(source: &str, file: &str, tables: &dyn Tables) -> Result<Scenario, Problems> {
    let source = Source::new(source);
    let around = Around { file, tables };
    let mut findings = Findings::default();
    let mut scenario = None;
    if source.text().len() > FILE_BYTES_MAX {
        let message = format!("the file has {} bytes; {FILE_BYTES_MAX} are read at most", source.text().len());
        findings.push(Finding::at(0..0, message));
    } else {
        let (tree, errors) = DeTable::parse_recoverable(source.text());
        if errors.is_empty() {
            scenario = read(tree.get_ref(), &around, &source, &mut findings);
        } else {
            let (of_syntax, lost) = syntax::findings(&errors, tree.get_ref(), &source);
            let mut others = Findings::default();
            let _ = read(tree.get_ref(), &around, &source, &mut others);
            findings = of_syntax;
            findings.absorb_beside_syntax(others, &source, &lost);
        }
    }
    match (findings.finish(file, &source), scenario) {
        (Some(problems), _) => Err(problems),
        (None, Some(scenario)) => Ok(scenario),
        (None, None) => unreachable!("a reader gives nothing up without a finding"),
    }
}

/// Where the population tables are that a scenario names.
pub trait Tables {
    /// The bytes of the table of that name: a relative path without `..`, its parts joined by `/`.
    ///
    /// # Errors
    /// Why it cannot be read, in words.
    fn read(&self, name: &str) -> Result<Vec<u8>, String>;
}

impl<F: Fn(&str) -> Result<Vec<u8>, String>> Tables for F {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        self(name)
    }
}

/// What stands around a file.
struct Around<'t> {
    /// What it is called.
    file: &'t str,
    tables: &'t dyn Tables,
}

fn read(tree: &DeTable<'_>, around: &Around<'_>, source: &Source<'_>, findings: &mut Findings) -> Option<Scenario> {
    // What the file lacks is said where it begins to say something.
    let first_key = tree.keys().map(|key| key.span()).min_by_key(|span| span.start).unwrap_or(0..0);
    let table = Table::open(&FORM, tree, first_key, findings);
    let name = table.optional("name").and_then(|node| read_name(&node, findings));
    let mut line = |key| table.optional(key).and_then(|node| node.line(findings)).map(str::to_owned);
    let (question, takes, leaves) = (line("question"), line("takes"), line("leaves"));
    let host = table.optional("host").map(|node| host::read(&node, findings));
    let time = table.optional("time").map_or(Some(TimeMode::Wall), |node| host::read_time(&node, findings));
    let thresholds =
        table.optional("thresholds").map(|node| read_thresholds(&node, source, findings)).unwrap_or_default();
    let drafts = match table.optional("clients") {
        Some(node) => clients::read(&node, around, findings),
        None => Vec::new(),
    };
    let steps = table.optional("step").map(|node| steps::read(&node, &drafts, time, source, findings))?;
    steps::check_unused(&drafts, &steps, findings);
    Some(Scenario {
        name: name?.to_owned(),
        file: around.file.to_owned(),
        question: question?,
        takes,
        leaves,
        host: host.unwrap_or_else(|| Some(Default::default()))?,
        time: time?,
        thresholds,
        measures_speed: false,
        groups: drafts.into_iter().map(|GroupDraft { group, .. }| group).collect::<Option<_>>()?,
        steps: steps.specs.into_iter().collect::<Option<_>>()?,
    })
}

fn read_name<'a>(node: &Node<'a>, findings: &mut Findings) -> Option<&'a str> {
    let name = node.text(findings)?;
    if !is_name(name) {
        let finding = Finding::at(node.at.clone(), format!("{} cannot be the name of a scenario", quoted(name)));
        findings.push(finding.help(format!("1 to {NAME_CHARS_MAX} of a-z, 0-9 and -, as in count-threshold")));
        return None;
    }
    Some(name)
}

fn read_thresholds(node: &Node<'_>, source: &Source<'_>, findings: &mut Findings) -> Vec<Threshold> {
    let mut read = Vec::new();
    for node in node.one_or_more(findings) {
        if let Some(threshold) = node.parsed(|_, text| text.parse::<Threshold>().map_err(Fault::of), findings) {
            let line = source.line(node.at.start);
            let excerpt = source.excerpt(node.at.clone());
            read.push((node, Threshold { line, excerpt, ..threshold }));
        }
    }
    without_doubles(read, |threshold| threshold.text.clone(), findings)
}

static FORM: Form = Form {
    what: "a scenario",
    doc: "A scenario: what a run asks of a KMS host, and what must come of it.",
    keys: &[
        Key::required("name", Shape::Match(NAME), "name = \"count-threshold\"", "Its name in reports and ids."),
        Key::required(
            "question",
            Shape::Text,
            "question = \"Does the host count machines as it should?\"",
            "The question it answers, in one line.",
        ),
        Key::optional("takes", Shape::Text, "takes = \"about a second\"", "How long it takes, for people."),
        Key::optional(
            "leaves",
            Shape::Text,
            "leaves = \"nothing: the host is ours\"",
            "What stays on the host, for people.",
        ),
        Key::optional(
            "host",
            Shape::Table(&host::FORM),
            "host = { table = \"empty\", serves = [\"Windows\"] }",
            "What the host must be, before the scenario begins.",
        ),
        Key::optional(
            "time",
            host::TIME_SHAPE,
            "time = \"virtual\"",
            "The time it goes by: the one on the wall (wall, the default), or one of its own, as fast as answers come.",
        ),
        Key::optional(
            "thresholds",
            Shape::OneOrMore(&Shape::Text),
            "thresholds = [\"p99 < 50ms\", \"errors < 0.1%\", \"wrong = 0\"]",
            "What its measures must keep to: times (p50, p90, p95, p99, p999, mean, max, of connect, bind, service or \
             response), errors, wrong, activated, throughput.",
        ),
        Key::required(
            "clients",
            Shape::Named(&clients::FORM),
            clients::EXAMPLE,
            "Groups of machines, each under its name.",
        ),
        Key::required(
            "step",
            Shape::List(&Shape::Table(&steps::FORM), 1, STEPS_MAX),
            steps::EXAMPLE,
            "What happens, one step after the other.",
        ),
    ],
    ..Form::PLAIN
};

/// The name of a scenario or of a group.
const NAME: &str = "^[a-z0-9-]{1,40}$";
const _: () = assert!(NAME_CHARS_MAX == 40);
