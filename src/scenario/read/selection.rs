//! `campus-pc`, `campus-pc[3]`, `campus-pc[1..24]`: which machines a step means.

use std::collections::HashMap;

use super::clients::GroupDraft;
use super::problem::{Finding, Findings};
use super::walk::Node;
use super::wording::{listed, nearest, quoted};
use crate::scenario::spec::Selection;

/// What came of reading one entry of `clients`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Selected {
    /// The group it means, even when it means machines that group does not have.
    pub group: Option<usize>,
    /// The machines, when nothing is wrong.
    pub selection: Option<Selection>,
}

/// Where each group stands among the groups of the file, by its name.
pub(super) type Names<'g> = HashMap<&'g str, usize>;

pub(super) fn read(node: &Node<'_>, groups: &[GroupDraft], names: &Names<'_>, findings: &mut Findings) -> Selected {
    let nothing = Selected { group: None, selection: None };
    let Some(text) = node.text(findings) else { return nothing };
    // "campus-pc(3)" means the group, if not which machines of it.
    let end = text.find(['[', '(', '{', ' ', ':', '.']).unwrap_or(text.len());
    let (name, machines) = text.split_at(end);
    let Some(&group) = names.get(name) else {
        // The search for a likely name is long where there are thousands of both.
        if findings.is_full() {
            findings.push(Finding::at(node.at.clone(), ""));
            return nothing;
        }
        let mut finding = Finding::at(node.at.clone(), format!("there is no group of clients named {}", quoted(name)));
        let all = || groups.iter().map(|draft| draft.name.as_str());
        let near = nearest(name, all());
        if let Some(near) = near {
            finding = finding.label(format!("did you mean \"{near}\"?"));
        }
        findings.push(match groups.is_empty() {
            true => finding.help("this file has no groups of clients; one begins with [clients.NAME]"),
            false => finding.help(format!("this file has {}", listed(all(), '`', "and"))),
        });
        // A name nearly right is a use of the group that was meant.
        return Selected { group: near.and_then(|near| names.get(near).copied()), ..nothing };
    };
    if machines.trim().is_empty() {
        let selection = groups[group].count.map(|count| Selection { group, first: 1, last: count });
        return Selected { group: Some(group), selection };
    }
    let Some((first, last)) = numbers(machines) else {
        let message = format!("{} does not say which machines", quoted(text));
        findings.push(Finding::at(node.at.clone(), message).help(format!(
            "\"{name}\" is all of them, \"{name}[3]\" the third, \"{name}[1..24]\" the first to the twenty-fourth"
        )));
        return Selected { group: Some(group), selection: None };
    };
    let fault = if first == 0 {
        Some("machines are counted from 1".to_owned())
    } else if last < first {
        Some(format!("this goes backwards: write \"{name}[{last}..{first}]\""))
    } else {
        groups[group].count.filter(|&count| u64::from(count) < last).map(|count| match count {
            1 => format!("there is no machine {last}: \"{name}\" has one machine"),
            _ => format!("there is no machine {last}: \"{name}\" has {count} machines"),
        })
    };
    if let Some(fault) = fault {
        findings.push(Finding::at(node.at.clone(), fault));
        return Selected { group: Some(group), selection: None };
    }
    // Within a group's size, which is 32 bits wide.
    let fits = |number| u32::try_from(number).ok();
    let selection = groups[group].count.and(fits(first).zip(fits(last)));
    Selected { group: Some(group), selection: selection.map(|(first, last)| Selection { group, first, last }) }
}

/// The numbers of `[3]` and of `[1..24]`.
fn numbers(machines: &str) -> Option<(u64, u64)> {
    let inner = machines.trim().strip_prefix('[')?.strip_suffix(']')?;
    let number = |text: &str| {
        let digits = text.trim();
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse().ok()).flatten()
    };
    match inner.split_once("..") {
        Some((first, last)) => number(first).zip(number(last)),
        None => number(inner).map(|only| (only, only)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_said_as_people_count() {
        assert_eq!(numbers("[3]"), Some((3, 3)));
        assert_eq!(numbers("[1..24]"), Some((1, 24)));
        assert_eq!(numbers(" [ 1 .. 24 ] "), Some((1, 24)));
        for wrong in [
            "",
            "[]",
            "[3",
            "3]",
            "[..]",
            "[1..]",
            "[1...3]",
            "[-1]",
            "[+1]",
            "[1,2]",
            "[3]]",
            "[99999999999999999999999]",
        ] {
            assert_eq!(numbers(wrong), None, "{wrong}");
        }
    }
}
