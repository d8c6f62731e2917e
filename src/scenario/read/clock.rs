//! `clock`: what a group's clocks show, and why it is wrong.

use jiff::tz::TimeZone;
use toml::de::DeValue;

use super::form::{Form, Key, Shape};
use super::problem::{Finding, Findings};
use super::value::{self, Fault};
use super::walk::{Node, Table};
use super::wording::{listed, quoted};
use crate::client::ClientClock;
use crate::client::clock::{Hands, RunningClock, date_to_set, zone_named};
use crate::wire::FileTime;

/// A signed duration, or a table.
pub(super) fn read(node: &Node<'_>, findings: &mut Findings) -> Option<ClientClock> {
    let entries = match node.value {
        DeValue::Table(entries) => entries,
        DeValue::String(_) => return node.parsed(value::skew, findings).map(ClientClock::skewed),
        _ => {
            node.refuse("a duration in quotes or a table", HELP, findings);
            return None;
        }
    };
    if entries.is_empty() {
        findings.push(Finding::at(node.at.clone(), "`clock` does not say what the clock shows").help(HELP));
        return None;
    }
    let table = Table::open(&FORM, entries, node.at.clone(), findings);
    let filetime = table.optional("filetime").and_then(|node| read_filetime(&node, findings));
    if let Some(at) = filetime {
        return Some(ClientClock::Frozen(FileTime(at)));
    }
    let mut zone = |key| table.optional(key).and_then(|node| node.parsed(|_, text| read_zone(text), findings));
    let (wall, zone) = (zone("wall"), zone("zone"));
    let set = table.optional("set").and_then(|node| {
        let text = node.text_or_date(findings)?;
        node.sound(date_to_set(&text).map_err(Fault::of), findings)
    });
    let hands = match (wall, set) {
        (Some(wall), _) => Hands::RightIn(wall),
        (None, Some(set)) => Hands::SetTo(set),
        (None, None) => Hands::True,
    };
    let clock = RunningClock {
        hands,
        zone,
        drift: table
            .optional("drift")
            .and_then(|node| node.parsed(|_, text| text.parse().map_err(Fault::of), findings)),
        years: table.optional("years").and_then(|node| node.whole(YEARS, findings)).unwrap_or_default(),
        skew: table.optional("skew").and_then(|node| node.parsed(value::skew, findings)).unwrap_or_default(),
    };
    Some(clock.into())
}

/// Past what TOML calls a whole number it is text.
fn read_filetime(node: &Node<'_>, findings: &mut Findings) -> Option<u64> {
    match node.value {
        DeValue::String(text) => {
            let fault = || Fault::new(format!("`filetime` cannot be {}", quoted(text))).help(FILETIME_HELP);
            node.sound(text.trim().parse().map_err(|_| fault()), findings)
        }
        _ => node.whole(0..=u64::MAX, findings),
    }
}

fn read_zone(text: &str) -> Result<TimeZone, Fault> {
    zone_named(text.trim()).map_err(|unknown| {
        let fault = Fault::new(format!("no time zone is named {}", quoted(text)));
        match unknown.nearest() {
            [] => fault.help("an IANA name like Asia/Taipei"),
            near => fault.label(format!("did you mean {}?", listed(near.iter().map(String::as_str), '"', "or"))),
        }
    })
}

pub(super) static FORM: Form = Form {
    what: "`clock`",
    doc: "What a clock shows; the parts add up, and what is left out is right.",
    keys: &[
        Key::optional("skew", Shape::Text, "skew = \"+4h 1m\"", "How far the clock is ahead, or behind if negative."),
        Key::optional(
            "drift",
            Shape::Text,
            "drift = \"-2s/day\"",
            "What the clock gains or loses from the beginning of the scenario on: 20s/day, -1m/week, 50ppm.",
        ),
        Key::optional(
            "wall",
            Shape::Text,
            "wall = \"Asia/Taipei\"",
            "The time zone in which the wall clock was set to look right, whatever zone the machine believes in.",
        ),
        Key::optional(
            "zone",
            Shape::Text,
            "zone = \"America/Los_Angeles\"",
            "The time zone the machine believes it is in; alone it does no harm, for a request carries UTC.",
        ),
        Key::optional(
            "set",
            Shape::Text,
            "set = \"2038-01-19T03:14:08\"",
            "The wall time the clock was set to at the beginning of the scenario, running on from there.",
        ),
        Key::optional(
            "years",
            Shape::Whole(-19_998, 19_998),
            "years = -1",
            "Calendar years ahead, or behind if negative.",
        ),
        Key::optional(
            "filetime",
            Shape::Either(&[Shape::Whole(0, u64::MAX), Shape::Match(r"^\s*\+?[0-9]{1,40}\s*$")]),
            "filetime = 0",
            "Frozen at this FILETIME, 100 ns steps since 1601: what no clock shows and the wire can carry.",
        ),
    ],
    apart: &[&["wall", "set"]],
    alone: &["filetime"],
    ..Form::PLAIN
};

const YEARS: std::ops::RangeInclusive<i16> = -19_998..=19_998;
const HELP: &str = "clock = \"+4h 1m\", or clock = { wall = \"Asia/Taipei\", zone = \"UTC\" } and the like";
const FILETIME_HELP: &str = "100 ns steps since 1601, from 0 to 18446744073709551615";
