//! `expect = { … }`: reading what a step expects.

use std::ops::RangeInclusive;

use toml::de::DeValue;

use super::problem::{Finding, Findings};
use super::source::Source;
use super::walk::{Node, Table, quoted, without_doubles};
use crate::explain;
use crate::proto::Verdict;
use crate::scenario::expectation::{CountRule, Expectation, Expected};
use crate::text::counted;
use crate::wire::Hresult;

/// Who asks in a step, as far as that could be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asking {
    /// How many clients there are, and how often each of them asks.
    pub clients_times: Option<(u64, u64)>,
    /// Whether they ask in an order.
    pub one_by_one: Option<bool>,
}

/// The expectations, in a fixed order; `None` when something is wrong with one of them.
pub(super) fn read(
    node: &Node<'_>,
    asking: Asking,
    source: &Source<'_>,
    findings: &mut Findings,
) -> Option<Vec<Expectation>> {
    let entries = node.table(EXAMPLE, findings)?;
    if entries.is_empty() {
        findings.push(
            Finding::at(node.at.clone(), "`expect` says nothing, so nothing would be checked")
                .help(format!("for example: {EXAMPLE}")),
        );
        return None;
    }
    let table = Table::open("`expect`", entries, node.at.clone(), KEYS, findings);
    let mut all = Vec::new();
    let mut sound = true;
    for key in KEYS {
        let Some(node) = table.optional(key) else { continue };
        let what = match *key {
            "wire" => codes(&node, wire_code, findings).map(Expected::Wire),
            "verdict" => codes(&node, verdict, findings).map(Expected::Verdict),
            "shown" => codes(&node, shown_code, findings).map(Expected::Shown),
            _ => count_rule(&node, asking, findings).map(Expected::Count),
        };
        match what {
            Some(what) => all.push(Expectation { line: source.line(node.at.start), what }),
            None => sound = false,
        }
    }
    sound.then_some(all)
}

fn codes<T: PartialEq>(
    node: &Node<'_>,
    read: fn(&Node<'_>, &mut Findings) -> Option<T>,
    findings: &mut Findings,
) -> Option<Vec<T>> {
    let values = node.one_or_more(findings);
    let written = values.len();
    let read: Vec<_> = values.into_iter().filter_map(|node| read(&node, findings).map(|value| (node, value))).collect();
    let whole = written > 0 && read.len() == written;
    let values = without_doubles(read, findings);
    whole.then_some(values)
}

fn wire_code(node: &Node<'_>, findings: &mut Findings) -> Option<Hresult> {
    let code = code(node, "a code", findings)?;
    if code == Hresult::NOT_ENOUGH_COUNT {
        let finding =
            Finding::at(node.at.clone(), format!("no host sends {code}: the client computes it from the count"));
        findings.push(finding.help("write wire = \"0x00000000\" with verdict = \"0xC004F038\""));
        return None;
    }
    Some(code)
}

fn verdict(node: &Node<'_>, findings: &mut Findings) -> Option<Verdict> {
    if let DeValue::String(text) = node.value
        && text == ACTIVATED
    {
        return Some(Verdict::Activated);
    }
    let code = code(node, "\"activated\" or a code", findings)?;
    if code.is_success() {
        let finding = Finding::at(node.at.clone(), format!("a client is not refused with {code}, which says success"));
        findings.push(finding.help("write verdict = \"activated\""));
        return None;
    }
    Some(Verdict::Refused(code))
}

fn shown_code(node: &Node<'_>, findings: &mut Findings) -> Option<Hresult> {
    if let DeValue::String(text) = node.value
        && text == ACTIVATED
    {
        return Some(Hresult::OK);
    }
    let code = code(node, "\"activated\" or a code", findings)?;
    let shown = Verdict::Refused(code).shown();
    if shown != code {
        let finding = Finding::at(node.at.clone(), format!("no user is shown {code}: slmgr prints {shown} instead"));
        findings.push(finding.help(format!("write shown = \"{shown}\", or verdict = \"{code}\"")));
        return None;
    }
    Some(code)
}

/// A code as Microsoft prints it. One written with too few digits would quietly be another one, so
/// there must be eight.
fn code(node: &Node<'_>, wanted: &str, findings: &mut Findings) -> Option<Hresult> {
    if let DeValue::Integer(integer) = node.value {
        let number = u32::from_str_radix(integer.as_str(), integer.radix());
        let finding = Finding::at(node.at.clone(), format!("`{}` must be text in quotes", node.key));
        findings.push(match number {
            Ok(number) if number == 0 || integer.radix() == 16 => {
                finding.help(format!("put it in quotes: \"{}\"", Hresult(number)))
            }
            _ => finding.help("a code has 0x and eight hexadecimal digits, as in \"0xC004F038\""),
        });
        return None;
    }
    let text = node.text(findings)?;
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    if let Some(code) = digits.filter(|digits| digits.len() == 8).and_then(|_| text.parse().ok()) {
        return Some(code);
    }
    let finding = Finding::at(node.at.clone(), format!("`{}` must be {wanted}, not {}", node.key, quoted(text)));
    let symbol = explain::all().find(|entry| entry.name.is_some_and(|name| name.eq_ignore_ascii_case(text)));
    findings.push(match (symbol, digits.unwrap_or(text)) {
        (Some(entry), _) => finding.help(format!("that is \"{}\"", entry.code)),
        (_, digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            finding.help(format!("a code has 0x and eight digits, as in \"0xC004F038\"; this has {}", digits.len()))
        }
        _ if strsim::jaro_winkler(ACTIVATED, text) > 0.8 && node.key != "wire" => {
            finding.label("did you mean \"activated\"?")
        }
        _ => finding.help("a code has 0x and eight digits, as in \"0xC004F038\"; `kmsproof explain` lists them"),
    });
    None
}

fn count_rule(node: &Node<'_>, asking: Asking, findings: &mut Findings) -> Option<CountRule> {
    match node.value {
        DeValue::Integer(_) => return count(node, findings).map(CountRule::Exactly),
        DeValue::Table(_) => {}
        _ => {
            findings.push(Finding::at(node.at.clone(), "`count` must be a number or a table").help(COUNT_HELP));
            return None;
        }
    }
    let table = Table::open("`count`", node.table("", findings)?, node.at.clone(), COUNT_KEYS, findings);
    let mut number = |key| table.optional(key).map(|node| count(&node, findings));
    let [from, to, least, most] = [number("from"), number("to"), number("least"), number("most")];
    match (from, to, least, most) {
        (Some(from), Some(to), None, None) => rising(node, from?..=to?, asking, findings),
        (None, None, Some(least), None) => least.map(CountRule::Least),
        (None, None, None, Some(most)) => most.map(CountRule::Most),
        (None, None, Some(least), Some(most)) => {
            let (least, most) = (least?, most?);
            if least > most {
                findings.push(Finding::at(node.at.clone(), format!("no count is at least {least} and at most {most}")));
                return None;
            }
            Some(CountRule::Between { least, most })
        }
        _ if !table.all_known => None,
        _ => {
            let message = "`count` does not say what the count should be";
            findings.push(Finding::at(node.at.clone(), message).help(COUNT_HELP));
            None
        }
    }
}

fn rising(node: &Node<'_>, counts: RangeInclusive<u32>, asking: Asking, findings: &mut Findings) -> Option<CountRule> {
    let (from, to) = (*counts.start(), *counts.end());
    let mut wrong = |message: String, help: String| {
        findings.push(Finding::at(node.at.clone(), message).help(help));
        None
    };
    if counts.is_empty() {
        let help = "a host counts up; a count that stays is a plain number".to_owned();
        return wrong(format!("a count that rises cannot go from {from} to {to}"), help);
    }
    if asking.one_by_one == Some(false) {
        let message = "arrivals that overlap have no order in which the count could rise".to_owned();
        return wrong(message, "let them arrive one by one, or expect { least = 1, most = 24 } or the like".to_owned());
    }
    let Some((clients, times)) = asking.clients_times else { return Some(CountRule::Rising { from, to }) };
    let (arrivals, counts) = (clients.saturating_mul(times), u64::from(to - from) + 1);
    let once = format!("each client asks {times} times (protocol x syntax x repeat), and a host counts it once");
    if counts != arrivals {
        let message = format!(
            "from {from} to {to} are {}, but the step has {}",
            counted(counts, "count"),
            counted(arrivals, "arrival")
        );
        let last = u64::from(from) + arrivals.saturating_sub(1);
        return match times {
            1 if last <= u64::from(COUNT_MAX) => wrong(message, format!("{{ from = {from}, to = {last} }} would fit")),
            1 => wrong(message, "a rising count has one number for each arrival".to_owned()),
            _ => wrong(message, once),
        };
    }
    if times > 1 {
        return wrong(format!("the count cannot rise with each of the {arrivals} arrivals"), once);
    }
    Some(CountRule::Rising { from, to })
}

fn count(node: &Node<'_>, findings: &mut Findings) -> Option<u32> {
    if let DeValue::Integer(integer) = node.value
        && integer.as_str().bytes().all(|byte| byte == b'0')
    {
        let finding = Finding::at(node.at.clone(), format!("`{}` cannot be 0", node.key));
        findings.push(finding.help("a host has counted the machine that asks, so every count is 1 or more"));
        return None;
    }
    node.whole(1..=COUNT_MAX, findings)
}

const KEYS: &[&str] = &["wire", "verdict", "shown", "count"];
const COUNT_KEYS: &[&str] = &["from", "to", "least", "most"];
const ACTIVATED: &str = "activated";
/// Twice the largest N policy: a host's table never has room for more (protocol description, section 6).
const COUNT_MAX: u32 = 2000;
pub(super) const EXAMPLE: &str = "expect = { verdict = \"activated\", count = { least = 5 } }";
const COUNT_HELP: &str = "count = 25, { from = 1, to = 24 }, { least = 5 }, { most = 50 } or { least = 5, most = 50 }";
