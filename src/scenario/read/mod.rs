//! From the text of a file to what it says, with every problem of it.
//!
//! [`source`] knows where bytes stand for a person and [`problem`] what is said about them; [`syntax`]
//! says what is wrong as TOML, and [`walk`] goes through what is right as TOML. On these stand the
//! readers of the tables: [`clients`], [`steps`], and of a step its [`selection`] of machines and its
//! [`expectations`], which must be [`possible`] together.

mod clients;
mod expectations;
mod possible;
mod problem;
mod selection;
mod source;
mod steps;
mod syntax;
mod walk;

pub use problem::{PROBLEMS_MAX, Problem, Problems};

use toml::de::DeTable;

use super::spec::{FILE_BYTES_MAX, HostNeeds, NAME_CHARS_MAX, Scenario, TimeMode, is_name};
use clients::GroupDraft;
use problem::{Finding, Findings};
use source::Source;
use walk::{Node, Table, quoted};

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
        host: HostNeeds::default(),
        time: TimeMode::Wall,
        thresholds: Vec::new(),
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

const KEYS: &[&str] = &["name", "question", "takes", "leaves", "clients", "step"];
