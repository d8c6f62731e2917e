//! What a call came to, in words.

use std::fmt::Display;

use crate::catalog::{self, Application};
use crate::client::identity::ClientId;
use crate::proto::{Heard, Outcome, Verdict, WitnessedExchange};
use crate::report::plain::{minutes, named};
use crate::text::counted;
use crate::wire::{Guid, hex};

/// The heading of an exchange; `timed` is whether the capture has times.
pub(super) fn heading(exchange: &WitnessedExchange, timed: bool) -> String {
    let syntax = exchange.syntax.map_or(String::new(), |syntax| format!(" over {syntax}"));
    let took = (exchange.received - exchange.sent).as_secs_f64() * 1e3;
    let took = if timed { format!(", answered after {took:.3} ms") } else { String::new() };
    format!("Exchange, call {}{syntax}{took}", exchange.call_id)
}

/// The rows of an exchange: label, which may go on from the row above, and value.
pub(super) fn rows(exchange: &WitnessedExchange) -> Vec<(&'static str, String)> {
    let WitnessedExchange { request, answer, outcome, .. } = exchange;
    let mut rows = Vec::new();
    let mut row = |label, value: &dyn Display| rows.push((label, value.to_string()));
    match request {
        Ok(heard) => ask_rows(heard, &mut row),
        Err(why) => row("not checked", &format!("{why}")),
    }
    if let Some(response) = &answer.response {
        let (retry, renewal) = (response.activation_interval_min, response.renewal_interval_min);
        row("host", &format!("ePID {}", response.epid));
        if let Some(hwid) = answer.hwid {
            row("", &format!("hardware id {}", hex(&hwid)));
        }
        row("count", &counted(response.count, "machine"));
        row("intervals", &format!("retry {}, renewal {}", minutes(retry), minutes(renewal)));
        row("echoes", &format!("version {}, client id {}", response.version, response.cmid));
        row("", &format!("client time {}", response.client_time));
    }
    match answer.hmac_slot {
        Some(-1) => row("HMAC", &"right for the slot value below the client time's"),
        Some(1) => row("HMAC", &"right for the slot value above the client time's"),
        _ => {}
    }
    if let Some(failure) = &answer.failure {
        row("no answer", failure);
    }
    match (outcome, answer.wire) {
        (Some(outcome), _) => outcome_rows(outcome, &mut row),
        (None, Some(code)) => {
            row("wire code", &named(code));
            row("client verdict", &"hangs on the request's N policy, which is not known");
        }
        (None, None) => {}
    }
    rows
}

fn ask_rows(heard: &Heard, row: &mut impl FnMut(&'static str, &dyn Display)) {
    let request = heard.request();
    let whose = match ClientId::recognise(request.cmid) {
        Some(origin) => format!(
            "kmsproof's own: seed {}, group {}, client {}",
            origin.seed_fold,
            origin.group.number(),
            origin.index.number()
        ),
        None => "not one of kmsproof's".to_owned(),
    };
    row("client", &format!("{} ({whose})", request.cmid));
    if request.previous_cmid != Guid::NIL {
        row("", &format!("before that {}", request.previous_cmid));
    }
    let kind = if request.is_vm == 0 { "" } else { ", virtual" };
    row("", &format!("{:?}{kind}, clock {}", request.workstation.to_string(), request.client_time));
    row("", &format!("status {}, {} left", request.license_status, minutes(request.binding_expiration_min)));
    let application = Application::from_guid(request.application_id);
    let application = application.map_or_else(|| request.application_id.to_string(), |known| known.to_string());
    let product = catalog::by_counted_id(request.kms_counted_id).next();
    let product = product.map_or_else(
        || format!("KMS counted id {} (not in the catalogue)", request.kms_counted_id),
        |product| product.kms_product.clone(),
    );
    let version = request.version;
    row("asks for", &format!("{application}, {product}, V{}, N policy {}", version.major, request.n_policy));
    match catalog::by_sku_id(request.sku_id).next() {
        Some(product) => row("", &product.edition),
        None => row("", &format!("SKU {} (not in the catalogue)", request.sku_id)),
    }
    for issue in &heard.issues {
        row("its fault", issue);
    }
}

fn outcome_rows(outcome: &Outcome, row: &mut impl FnMut(&'static str, &dyn Display)) {
    match outcome.wire {
        Some(code) => row("wire code", &named(code)),
        None => row("wire code", &"none"),
    }
    match outcome.verdict {
        Verdict::Activated => row("client verdict", &"activated"),
        Verdict::Refused(code) => row("client verdict", &named(code)),
    }
    row("shown code", &named(outcome.shown));
}
