//! `expect = { … }`: reading what a step expects.

use std::ops::RangeInclusive;

use toml::de::DeValue;

use super::asking::Asking;
use super::away;
use super::form::{Form, Key, Shape};
use super::problem::{Finding, Findings};
use super::source::Source;
use super::walk::{Node, Table, without_doubles};
use super::wording::quoted;
use crate::explain;
use crate::population::Share;
use crate::proto::Verdict;
use crate::scenario::expectation::{Coming, CountRule, Expectation, Expected};
use crate::scenario::spec::HostState;
use crate::text::counted;
use crate::wire::Hresult;

/// The expectations, in a fixed order; none where the oracle alone says what must come.
pub(super) fn read(
    node: &Node<'_>,
    asking: &Asking<'_>,
    source: &Source<'_>,
    findings: &mut Findings,
) -> Vec<Expectation> {
    let entries = match node.value {
        DeValue::Table(entries) => entries,
        DeValue::String(_) => {
            node.word(&[(ORACLE, ())], findings);
            return Vec::new();
        }
        _ => {
            node.refuse("\"oracle\" or a table", format!("for example: {EXAMPLE}"), findings);
            return Vec::new();
        }
    };
    if entries.is_empty() {
        let finding = Finding::at(node.at.clone(), "`expect` says nothing");
        findings.push(finding.help(format!("for example: {EXAMPLE}; left out, the oracle alone says what must come")));
        return Vec::new();
    }
    let table = Table::open(&FORM, entries, node.at.clone(), findings);
    let mut all = Vec::new();
    for key in FORM.keys {
        let Some(node) = table.optional(key.name) else { continue };
        let line = source.line(node.at.start);
        let mut expect = |what: Expected| all.push(Expectation { line, what });
        match key.name {
            "wire" => expect(Expected::Wire(codes(&node, wire_code, findings))),
            "verdict" => expect(Expected::Verdict(codes(&node, verdict, findings))),
            "shown" => expect(Expected::Shown(codes(&node, shown_code, findings))),
            "count" => {
                if let Some(rule) = count_rule(&node, asking, findings) {
                    expect(Expected::Count(rule));
                }
            }
            _ => {
                let line = |node: &Node<'_>| source.line(node.at.start);
                all.extend(
                    shares(&node, findings).into_iter().map(|(node, what)| Expectation { line: line(&node), what }),
                );
            }
        }
    }
    all
}

/// What shares of the answers come to.
fn shares<'a>(node: &Node<'a>, findings: &mut Findings) -> Vec<(Node<'a>, Expected)> {
    let read: Vec<_> = node
        .one_or_more(findings)
        .into_iter()
        .filter_map(|node| share(&node, findings).map(|share| (node.clone(), (node, share))))
        .collect();
    without_doubles(read, |(_, (of, ..))| *of, findings)
        .into_iter()
        .map(|(node, (of, least, most))| (node, Expected::Share { of, least, most }))
        .collect()
}

fn share(node: &Node<'_>, findings: &mut Findings) -> Option<(Coming, Share, Share)> {
    let entries = node.table(SHARE_EXAMPLE, findings)?;
    let table = Table::open(&SHARE, entries, node.at.clone(), findings);
    let least = table.optional("least").map_or(Some(Share::NONE), |node| away::read_share(&node, findings));
    let most = table.optional("most").map_or(Some(Share::ALL), |node| away::read_share(&node, findings));
    let wire = table.optional("wire").map(|node| wire_code(&node, findings).map(Coming::Wire));
    let verdict = table.optional("verdict").map(|node| verdict(&node, findings).map(Coming::Verdict));
    let shown = table.optional("shown").map(|node| shown_code(&node, findings).map(Coming::Shown));
    let (of, least, most) = (wire.or(verdict).or(shown)??, least?, most?);
    if least > most {
        findings.push(Finding::at(node.at.clone(), format!("no share is at least {least} and at most {most}")));
        return None;
    }
    Some((of, least, most))
}

fn codes<T: PartialEq + Copy>(
    node: &Node<'_>,
    read: fn(&Node<'_>, &mut Findings) -> Option<T>,
    findings: &mut Findings,
) -> Vec<T> {
    let values = node.one_or_more(findings);
    let read = values.into_iter().filter_map(|node| read(&node, findings).map(|value| (node, value))).collect();
    without_doubles(read, |value| *value, findings)
}

/// A code, or that no response comes.
fn wire_code(node: &Node<'_>, findings: &mut Findings) -> Option<Option<Hresult>> {
    if let DeValue::String(text) = node.value
        && text == NONE
    {
        return Some(None);
    }
    let code = code(node, "a code or \"none\"", findings)?;
    if code == Hresult::NOT_ENOUGH_COUNT {
        let finding =
            Finding::at(node.at.clone(), format!("no host sends {code}: the client computes it from the count"));
        findings.push(finding.help("write wire = \"0x00000000\" with verdict = \"0xC004F038\""));
        return None;
    }
    Some(Some(code))
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

fn count_rule(node: &Node<'_>, asking: &Asking<'_>, findings: &mut Findings) -> Option<CountRule> {
    if asking.host == Some(HostState::Down) {
        let finding = Finding::at(node.at.clone(), "a host that is down counts nobody");
        findings.push(finding.help("leave out `count`; what comes is wire = \"none\""));
        return None;
    }
    match node.value {
        DeValue::Integer(_) => return count(node, findings).map(CountRule::Exactly),
        DeValue::Table(_) => {}
        _ => {
            findings.push(Finding::at(node.at.clone(), "`count` must be a number or a table").help(COUNT_HELP));
            return None;
        }
    }
    let table = Table::open(&COUNT, node.table("", findings)?, node.at.clone(), findings);
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

fn rising(
    node: &Node<'_>,
    counts: RangeInclusive<u32>,
    asking: &Asking<'_>,
    findings: &mut Findings,
) -> Option<CountRule> {
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
    if asking.within.is_some() {
        let message = "where a time says how many arrive, nobody knows up to which count it goes".to_owned();
        return wrong(message, "say how often they arrive, or expect { least = 1, most = 24 } or the like".to_owned());
    }
    let (Some(clients), Some(arrivals)) = (asking.clients(), asking.arrivals()) else {
        return Some(CountRule::Rising { from, to });
    };
    let counts = u64::from(to - from) + 1;
    let once = match arrivals / clients.max(1) {
        times if times * clients == arrivals => format!("each client asks {times} times"),
        _ => "some clients ask several times".to_owned(),
    };
    let once = format!("{once} (products x protocol x syntax x repeat), and a host counts it once");
    if counts != arrivals {
        let message = format!(
            "from {from} to {to} are {}, but the step has {}",
            counted(counts, "count"),
            counted(arrivals, "arrival")
        );
        let last = u64::from(from) + arrivals.saturating_sub(1);
        return match arrivals == clients {
            true if last <= u64::from(COUNT_MAX) => {
                wrong(message, format!("{{ from = {from}, to = {last} }} would fit"))
            }
            true => wrong(message, "a rising count has one number for each arrival".to_owned()),
            false => wrong(message, once),
        };
    }
    if arrivals > clients {
        return wrong(format!("the count cannot rise with each of the {arrivals} arrivals"), once);
    }
    if let Some(ids) = asking.ids().filter(|ids| *ids < clients) {
        let message = format!("the count cannot rise with each of the {arrivals} arrivals");
        let ids = counted(ids, "client machine id");
        return wrong(message, format!("they have {ids} between them, and a host counts each once"));
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

static FORM: Form = Form {
    what: "`expect`",
    doc: "What is expected of every answer of a step, beside what the oracle predicts.",
    keys: &[
        Key::optional(
            "wire",
            Shape::OneOrMore(&WIRE),
            "wire = \"0x00000000\"",
            "The code in the response, or \"none\" where no response comes; of several each will do.",
        ),
        Key::optional(
            "verdict",
            Shape::OneOrMore(&VERDICT),
            "verdict = [\"activated\", \"0xC004F038\"]",
            "What the licensing client concludes.",
        ),
        Key::optional(
            "shown",
            Shape::OneOrMore(&VERDICT),
            "shown = \"0xC004F074\"",
            "What slmgr and ospp show a user.",
        ),
        Key::optional(
            "count",
            Shape::Either(&[WHOLE, Shape::Table(&COUNT)]),
            "count = { from = 1, to = 24 }",
            "The host's count: a number, a range, or one that rises with each arrival.",
        ),
        Key::optional(
            "share",
            Shape::OneOrMore(&Shape::Table(&SHARE)),
            "share = { verdict = \"activated\", least = \"95%\" }",
            "What a share of the step's answers comes to.",
        ),
    ],
    ..Form::PLAIN
};

static COUNT: Form = Form {
    what: "`count`",
    doc: "The host's count.",
    keys: &[
        Key::optional("from", WHOLE, "from = 1", "What the first arrival sees; each further one sees one more."),
        Key::optional("to", WHOLE, "to = 24", "What the last arrival sees."),
        Key::optional("least", WHOLE, "least = 5", "The least each arrival sees."),
        Key::optional("most", WHOLE, "most = 50", "The most each arrival sees."),
    ],
    ..Form::PLAIN
};

static SHARE: Form = Form {
    what: "`share`",
    doc: "What a share of the step's answers comes to.",
    keys: &[
        Key::optional("wire", WIRE, "wire = \"none\"", "Those with this code on the wire, or with no response."),
        Key::optional("verdict", VERDICT, "verdict = \"activated\"", "Those with this verdict."),
        Key::optional("shown", VERDICT, "shown = \"activated\"", "Those of which a user is shown this."),
        Key::optional("least", Shape::Match(away::SHARE), "least = \"95%\"", "The least share of them."),
        Key::optional("most", Shape::Match(away::SHARE), "most = \"1%\"", "The most of them."),
    ],
    needs: &[&[&["verdict"], &["wire"], &["shown"]], &[&["least"], &["most"]]],
    apart: &[&["wire", "verdict", "shown"]],
    ..Form::PLAIN
};

/// What `expect` can be.
pub(super) const SHAPE: Shape = Shape::Either(&[Shape::Words(&[ORACLE]), Shape::Table(&FORM)]);

const WIRE: Shape = Shape::Either(&[Shape::Words(&[NONE]), CODE]);
const VERDICT: Shape = Shape::Either(&[Shape::Words(&[ACTIVATED]), CODE]);
const CODE: Shape = Shape::Match("^0[xX][0-9A-Fa-f]{8}$");
const WHOLE: Shape = Shape::whole(1..=COUNT_MAX);

const ORACLE: &str = "oracle";
const NONE: &str = "none";
const ACTIVATED: &str = "activated";
/// Twice the largest N policy: a host's table never has room for more (protocol description, section 6).
const COUNT_MAX: u32 = 2000;
pub(super) const EXAMPLE: &str = "expect = { verdict = \"activated\", count = { least = 5 } }";
const COUNT_HELP: &str = "count = 25, { from = 1, to = 24 }, { least = 5 }, { most = 50 } or { least = 5, most = 50 }";
const SHARE_EXAMPLE: &str = "share = { verdict = \"activated\", least = \"95%\" }";
