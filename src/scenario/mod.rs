//! Scenario files: what a run asks and expects, said in TOML, and the plan that comes of it.
//!
//! ```toml
//! name = "count-threshold"
//! question = "Does the host count machines as it should, and do clients wait for it?"
//! takes = "about a second"               # optional, for people
//! leaves = "nothing: the host is ours"   # optional, for people
//!
//! [clients.campus-pc]                    # a group of machines alike
//! count = 25
//! product = "Windows 11 Enterprise"      # a name `kmsproof catalog` knows
//! # optional: n-policy, protocol, vm, status, minutes-left
//!
//! [[step]]
//! title = "the first 24 are refused by count"
//! host = "fresh"                         # or "kept", the default
//! clients = ["campus-pc[1..24]"]         # "group", "group[3]", "group[1..24]"
//! arrive = { one-by-one = true }         # the default; or { concurrency = 8 }
//! connection = "each"                    # the default; or "kept"
//! expect = { wire = "0x00000000", verdict = "0xC004F038", count = { from = 1, to = 24 } }
//!
//! [[step]]
//! title = "the 25th is activated, however it asks"
//! clients = ["campus-pc[25]"]
//! protocol = ["4.0", "5.0", "6.0"]       # default: the product's own
//! syntax = ["ndr32", "ndr64"]            # default: "windows"
//! repeat = 2                             # the whole list of arrivals that many times
//! expect = { verdict = "activated", shown = "activated", count = 25 }
//! ```
//!
//! A file is read whole before anything is said: [`load`] finds every problem in it, each at its
//! line and with what would be right. A [`Scenario`] is a file without problems; with a seed it
//! becomes a [`Plan`], which leaves nothing to chance.

mod clients;
mod expect;
mod expectation;
mod hash;
mod plan;
mod possible;
mod problem;
mod selection;
mod shipped;
mod source;
mod steps;
mod syntax;
#[cfg(test)]
mod tests;
mod walk;

pub use expectation::{CountRule, Expectation, Expected};
pub use hash::combined_hash;
pub use plan::{Arrival, ConnectionUse, HostState, Ids, Plan, Step};
pub use problem::{PROBLEMS_MAX, Problem, Problems};
pub use shipped::shipped;

use toml::de::DeTable;

use clients::{Group, GroupDraft};
use problem::{Finding, Findings};
use source::Source;
use steps::StepSpec;
use walk::{Node, Table, quoted};

/// The most clients of a file, all groups together.
pub const CLIENTS_MAX: usize = 1_000_000;
/// The most steps of a file.
pub const STEPS_MAX: usize = 10_000;
/// The most arrivals of a file, all steps together.
pub const ARRIVALS_MAX: usize = 10_000_000;
/// The longest file, in bytes.
pub const FILE_BYTES_MAX: usize = 4 << 20;

/// Reads a scenario. `source` is the text of the file (a byte order mark and carriage returns do no
/// harm), `file` what to call it in messages.
///
/// # Errors
/// Every problem of the file, not just the first.
pub fn load(source: &str, file: &str) -> Result<Scenario, Problems> {
    let source = Source::new(source);
    let mut findings = Findings::default();
    let mut scenario = None;
    if source.text().len() > FILE_BYTES_MAX {
        let message = format!("the file has {} bytes; {FILE_BYTES_MAX} are read at most", source.text().len());
        findings.push(Finding::at(0..0, message));
    } else {
        let (tree, errors) = DeTable::parse_recoverable(source.text());
        if errors.is_empty() {
            scenario = read(tree.get_ref(), file, &source, &mut findings);
        } else {
            let (of_syntax, lost) = syntax::findings(&errors, tree.get_ref(), &source);
            let mut others = Findings::default();
            let _ = read(tree.get_ref(), file, &source, &mut others);
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

/// A scenario file without problems.
#[derive(Debug, Clone)]
pub struct Scenario {
    name: String,
    file: String,
    question: String,
    takes: Option<String>,
    leaves: Option<String>,
    groups: Vec<Group>,
    steps: Vec<StepSpec>,
}

impl Scenario {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The question it answers.
    pub fn question(&self) -> &str {
        &self.question
    }

    /// Whether a step needs a host with an empty table, which only the embedded lab host can be.
    pub fn needs_fresh_host(&self) -> bool {
        self.steps.iter().any(|step| step.host == HostState::Fresh)
    }

    /// Decides everything a run will do.
    pub fn plan(&self, seed: u64, ids: Ids) -> Plan {
        plan::plan(self, seed, ids)
    }
}

fn read(tree: &DeTable<'_>, file: &str, source: &Source<'_>, findings: &mut Findings) -> Option<Scenario> {
    // What the file lacks is said where it begins to say something.
    let first_key = tree.keys().map(|key| key.span()).min_by_key(|span| span.start).unwrap_or(0..0);
    let table = Table::open("a scenario", tree, first_key, KEYS, findings);
    let name =
        table.required("name", "name = \"count-threshold\"", findings).and_then(|node| read_name(&node, findings));
    let question = table
        .required("question", "question = \"Does the host count machines as it should?\"", findings)
        .and_then(|node| node.line(findings));
    let takes = table.optional("takes").map(|node| node.line(findings));
    let leaves = table.optional("leaves").map(|node| node.line(findings));
    let drafts = match table.required("clients", clients::EXAMPLE, findings) {
        Some(node) => clients::read(&node, findings),
        None => Vec::new(),
    };
    let steps =
        table.required("step", steps::EXAMPLE, findings).map(|node| steps::read(&node, &drafts, source, findings));
    let steps = steps?;
    steps::check_unused(&drafts, &steps, findings);
    let owned = |text: Option<Option<&str>>| text.map_or(Some(None), |text| text.map(|text| Some(text.to_owned())));
    Some(Scenario {
        name: name?.to_owned(),
        file: file.to_owned(),
        question: question?.to_owned(),
        takes: owned(takes)?,
        leaves: owned(leaves)?,
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

/// Names stand in ids, file names and host names.
fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=NAME_CHARS_MAX).contains(&text.len()) && text.bytes().all(plain)
}

const KEYS: &[&str] = &["name", "question", "takes", "leaves", "clients", "step"];
const NAME_CHARS_MAX: usize = 40;
