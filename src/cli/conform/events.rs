//! What was said in a case, and what became of it, for reports that read events.

use std::net::{IpAddr, SocketAddr};

use crate::conform::{CaseResult, CheckResult, Verdict, Wrong};
use crate::events::{Event, JudgedCase};

/// Its events; `connections` are numbered on from one case to the next.
pub fn events_of(result: &CaseResult, host: SocketAddr, connections: &mut u64) -> Vec<Event> {
    let mut events = said_of(result, host, connections);
    let (case, wrong) = (result.case, result.wrong());
    events.push(judged(case.id, &case.level.to_string(), result.verdict, wrong, result.why.clone()));
    events
}

/// What became of a check that was done in every case.
pub fn event_of_check(result: &CheckResult) -> Event {
    let check = result.check.check();
    judged(check.id, &check.level.to_string(), result.verdict, result.wrong(), result.why.clone())
}

fn judged(id: &'static str, level: &str, verdict: Verdict, wrong: Option<Wrong<'_>>, why: Option<String>) -> Event {
    Event::Judged(Box::new(JudgedCase {
        id,
        level: level.to_owned(),
        verdict: verdict.name(),
        field: wrong.and_then(|wrong| wrong.field).map(str::to_owned),
        expected: wrong.map(|wrong| wrong.expected.to_owned()),
        observed: wrong.map(|wrong| wrong.got.to_owned()),
        why,
    }))
}

fn said_of(result: &CaseResult, host: SocketAddr, connections: &mut u64) -> Vec<Event> {
    let (Some(first), Some(last)) = (result.said.first(), result.said.last()) else { return Vec::new() };
    let lines = 1 + result.said.iter().map(|said| said.line).max().unwrap_or(0);
    let before = *connections;
    *connections += lines as u64;
    let id = |line: usize| before + line as u64;
    let mut events = vec![Event::ScenarioStarted { name: result.case.id.to_owned() }];
    events.extend((0..lines).map(|line| {
        // Which port a connection came from is nobody's concern; no two of them have the same.
        let port = FIRST_PORT + (id(line) % PORTS) as u16;
        let local = SocketAddr::new(local_of(host.ip()), port);
        Event::ConnectionOpened { id: id(line), local, peer: host, at: first.at }
    }));
    events.extend(result.said.iter().map(|said| Event::Pdu {
        connection: id(said.line),
        sender: said.sender,
        at: said.at,
        bytes: said.bytes.clone(),
    }));
    events.extend((0..lines).map(|line| Event::ConnectionClosed { id: id(line), at: last.at }));
    events
}

fn local_of(host: IpAddr) -> IpAddr {
    match host {
        IpAddr::V4(_) => IpAddr::from([127, 0, 0, 1]),
        IpAddr::V6(_) => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
    }
}

/// Ports of made-up ends of connections in captures.
const FIRST_PORT: u16 = 49_152;
const PORTS: u64 = 16_000;
