//! One activation, printed: for a person here, for a program and for a monitoring system beside.

mod json;
mod monitoring;

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use crate::catalog;
use crate::client::Machine;
use crate::client::identity::ClientId;
use crate::events::Exchange;
use crate::proto::verify::{Finding, Level};
use crate::proto::{Ask, Heard, Negotiated, Sender, Verdict};
use crate::report::plain::{duration, minutes, named, short, shown_words};
use crate::text::{counted, harmless, harmless_lines};
use crate::wire::dump::{self, Listing};
use crate::wire::kms::{Epid, ProtocolVersion};
use crate::wire::rpc::{Body, Pdu, TransferSyntax};
use crate::wire::{DecodeError, Hresult, Layer, hex};

/// What was probed.
#[derive(Debug)]
pub struct Subject {
    /// What `--target` said.
    pub target: String,
    /// The addresses that were tried.
    pub addresses: Vec<String>,
    /// Of the embedded host: how many machines it had counted before.
    pub counted_before: Option<u32>,
}

/// Everything about one probe.
#[derive(Debug)]
pub struct ProbeReport<'a> {
    subject: &'a Subject,
    machine: &'a Machine,
    version: ProtocolVersion,
    exchanges: &'a [Exchange],
    pdus: &'a [(Sender, Vec<u8>)],
}

impl<'a> ProbeReport<'a> {
    /// A report on these exchanges and the PDUs that carried them.
    pub fn new(
        subject: &'a Subject,
        machine: &'a Machine,
        version: ProtocolVersion,
        exchanges: &'a [Exchange],
        pdus: &'a [(Sender, Vec<u8>)],
    ) -> ProbeReport<'a> {
        ProbeReport { subject, machine, version, exchanges, pdus }
    }

    /// For a person: request, response, checks and the three codes; every PDU byte by byte
    /// when `verbose`, or when something could not be read.
    pub fn render(&self, verbose: bool) -> String {
        let mut out = String::new();
        let Subject { target, addresses, counted_before } = self.subject;
        let _ = writeln!(out, "{BOLD}probe of {target}{BOLD:#}  {}", addresses.join(", "));
        if let Some(before) = counted_before {
            let before = counted(*before, "machine");
            let _ = writeln!(out, "{DIM}the embedded lab host, which has counted {before} before{DIM:#}");
        }
        self.render_request(&mut out);
        if self.subject.counted_before.is_none() {
            let requests = counted(self.exchanges.len(), "request");
            let n_policy = self.machine.wanted.n_policy;
            let _ = writeln!(
                out,
                "  {DIM}left on the host: this client id for 30 days, {requests} in its log and counters, \
                 a client table for an N policy of {n_policy}{DIM:#}"
            );
        }
        for (call, exchange) in self.exchanges.iter().enumerate() {
            self.render_exchange(&mut out, call, exchange, verbose);
        }
        if verbose {
            self.render_pdus(&mut out);
        }
        out
    }

    fn render_request(&self, out: &mut String) {
        let Some(request) = self.exchanges.first().map(|exchange| &exchange.request) else { return };
        let wanted = &self.machine.wanted;
        section(out, "request");
        let family = catalog::find(&wanted.name).map_or("", |product| product.kms_product.as_str());
        row(out, "product", &format!("{} ({family})", wanted.name));
        row(out, "protocol", &self.version.to_string());
        row(
            out,
            "application",
            &format!("{} {}", request.application_id, catalog::application_name(request.application_id)),
        );
        row(out, "SKU id", &request.sku_id.to_string());
        row(out, "KMS counted id", &request.kms_counted_id.to_string());
        let origin = ClientId::recognise(request.cmid).map_or(String::new(), |origin| {
            format!(
                " (synthetic: seed {}, group {}, client {})",
                origin.seed_fold,
                origin.group.number(),
                origin.index.number()
            )
        });
        row(out, "client machine id", &format!("{}{origin}", request.cmid));
        row(out, "N policy", &format!("{} machines", request.n_policy));
        row(out, "client time", &request.client_time.to_string());
        row(out, "license status", &request.license_status.to_string());
        row(out, "left in that status", &minutes(request.binding_expiration_min));
        row(out, "virtual machine", if request.is_vm == 0 { "no" } else { "yes" });
        row(out, "workstation", &harmless(&request.workstation.to_string()));
    }

    fn render_exchange(&self, out: &mut String, call: usize, exchange: &Exchange, verbose: bool) {
        if let Some(opened) = &exchange.opened {
            section(out, "connection");
            row(out, "TCP", &format!("connected in {}", duration(opened.connect)));
            render_negotiated(out, &opened.negotiated);
        }
        let over = exchange.syntax.map_or(String::new(), |syntax| format!(" over {syntax}"));
        section(
            out,
            &if self.exchanges.len() > 1 { format!("response {}{over}", call + 1) } else { format!("response{over}") },
        );
        if let Some(failure) = &exchange.answer.failure {
            row(out, "none", &format!("{RED}{}{RED:#}", harmless(&failure.to_string())));
        }
        if let Some(took) = exchange.service() {
            row(out, "service time", &duration(took));
        }
        render_response(out, exchange);
        render_checks(out, exchange);
        if !verbose && !exchange.answer.checks.is_clean() {
            self.render_blamed(out, exchange);
        }
        section(out, "verdict");
        let outcome = &exchange.outcome;
        row(out, "on the wire", &outcome.wire.map_or_else(|| "nothing".to_owned(), named));
        let distrust = exchange.answer.checks.failed.iter().find(|check| check.check().trust);
        let verdict = match outcome.verdict {
            Verdict::Activated => format!("{GREEN}activated{GREEN:#}, licensed for 180 days"),
            Verdict::Refused(refused) => format!("{RED}{}{RED:#} ({})", named(refused), short(refused)),
        };
        row(out, "the client", &verdict);
        if let Some(check) = distrust {
            row(out, "", &format!("it throws the answer away, because of {check}"));
        } else if let (Verdict::Refused(Hresult::NOT_ENOUGH_COUNT), Some(response)) =
            (outcome.verdict, &exchange.answer.response)
        {
            row(
                out,
                "",
                &format!("the host counts {}, this client waits for {}", response.count, exchange.request.n_policy),
            );
        }
        let (slmgr, ospp) = shown_words(outcome.verdict);
        row(out, "slmgr /ato shows", &slmgr);
        row(out, "ospp /act shows", &ospp);
    }

    /// The frame of the first finding that has a place, with the blame at its byte.
    fn render_blamed(&self, out: &mut String, exchange: &Exchange) {
        let must = |finding: &&Finding| finding.check.check().level == Level::Must && finding.place.is_some();
        let Some(finding) = exchange.answer.checks.findings.iter().find(must) else { return };
        let listing = match finding.place.map(|place| place.layer) {
            Some(Layer::KmsResponse | Layer::Proof) if !exchange.answer.plaintext.is_empty() => {
                Some(dump::response_plaintext(&exchange.answer.plaintext, exchange.request.version))
            }
            Some(_) => self
                .pdus
                .iter()
                .rfind(|(sender, _)| *sender == Sender::Host)
                .map(|(_, frame)| dump::pdu(frame, exchange.syntax)),
            None => None,
        };
        if let Some(mut listing) = listing {
            mark(&mut listing, finding);
            let _ = write!(out, "\n{}", harmless_lines(&listing.to_string()));
        }
    }

    fn render_pdus(&self, out: &mut String) {
        let mut syntaxes = self.exchanges.iter().map(|exchange| exchange.syntax);
        let mut syntax: Option<TransferSyntax> = None;
        for (sender, frame) in self.pdus {
            if let (Sender::Client, Ok(Pdu { body: Body::Request(_), .. })) = (sender, Pdu::decode(frame)) {
                syntax = syntaxes.next().flatten();
            }
            section(out, &format!("{sender} sent"));
            out.push_str(&harmless_lines(&dump::pdu(frame, syntax).to_string()));
        }
        for exchange in self.exchanges {
            if !exchange.answer.plaintext.is_empty() {
                section(out, "inside the encryption");
                let ask = Ask::new(exchange.request.clone(), exchange.request_iv);
                if let Ok(heard) = Heard::read(ask.payload(), 0) {
                    out.push_str(&harmless_lines(&dump::request_plaintext(&heard.plaintext).to_string()));
                }
                let listing = dump::response_plaintext(&exchange.answer.plaintext, exchange.request.version);
                out.push_str(&harmless_lines(&listing.to_string()));
            }
        }
    }
}

fn render_negotiated(out: &mut String, negotiated: &Negotiated) {
    let context = |name: &str, id: Option<u16>| match id {
        Some(id) => format!("{name} as context {id}"),
        None => format!("no {name}"),
    };
    row(out, "bind", &format!("answered in {}", duration(negotiated.bind_time)));
    if let Some(took) = negotiated.alter_time {
        row(out, "alter_context", &format!("answered in {}", duration(took)));
    }
    row(
        out,
        "transfer syntaxes",
        &format!("{}, {}", context("NDR32", negotiated.ndr32), context("NDR64", negotiated.ndr64)),
    );
    if let Some(features) = negotiated.features {
        row(out, "bind time features", &format!("0x{features:04x} granted"));
    }
    row(out, "fragments", &format!("up to {} bytes", negotiated.max_fragment));
    row(out, "association group", &format!("0x{:08x}", negotiated.assoc_group));
    let address = negotiated.secondary_address.as_deref().map_or_else(|| "not readable".to_owned(), harmless);
    row(out, "secondary address", &address);
}

fn render_response(out: &mut String, exchange: &Exchange) {
    let answer = &exchange.answer;
    let Some(response) = &answer.response else { return };
    row(out, "protocol", &response.version.to_string());
    row(out, "ePID", &harmless(response.epid.as_str()));
    if let Ok(epid) = response.epid.as_str().parse::<Epid>() {
        row(
            out,
            "",
            &format!(
                "{DIM}host build {}, language {}, key group {}, host activated on day {} of {}{DIM:#}",
                epid.build, epid.lcid, epid.group, epid.day_of_year, epid.year
            ),
        );
    }
    row(out, "client machine id", &format!("{}{}", response.cmid, echo(response.cmid == exchange.request.cmid)));
    let same_time = response.client_time == exchange.request.client_time;
    row(out, "client time", &format!("{}{}", response.client_time, echo(same_time)));
    row(
        out,
        "count",
        &format!("{} (the client needs {})", counted(response.count, "machine"), exchange.request.n_policy),
    );
    row(out, "activation interval", &minutes(response.activation_interval_min));
    row(out, "renewal interval", &minutes(response.renewal_interval_min));
    if let Some(hwid) = answer.hwid {
        row(out, "hardware id", &hex(&hwid));
    }
    if let Some(slot) = answer.hmac_slot {
        row(
            out,
            "HMAC time slot",
            match slot {
                0 => "the client time's own",
                -1 => "a tolerated value below the client time's",
                _ => "a tolerated value above the client time's",
            },
        );
    }
}

fn echo(same: bool) -> &'static str {
    if same { " (echoed)" } else { " (NOT what was sent)" }
}

fn render_checks(out: &mut String, exchange: &Exchange) {
    let checks = &exchange.answer.checks;
    section(out, "checks");
    let _ = writeln!(out, "  {} of {} held", checks.done.len() - checks.failed.len(), checks.done.len());
    for finding in &checks.findings {
        let check = finding.check.check();
        let style = if check.level == Level::Must { RED } else { YELLOW };
        let _ =
            writeln!(out, "  {style}{:<6}{style:#}  {}  {DIM}{}{DIM:#}", check.level, finding.check, check.requirement);
        let _ = writeln!(out, "          expected {}, got {}", harmless(&finding.expected), harmless(&finding.got));
    }
}

fn mark(listing: &mut Listing, finding: &Finding) {
    let Some(place) = finding.place else { return };
    listing.mark(DecodeError {
        layer: place.layer,
        field: place.field,
        offset: place.offset,
        expected: finding.expected.clone().into(),
        got: finding.got.clone().into(),
    });
}

fn section(out: &mut String, title: &str) {
    let _ = writeln!(out, "\n{BOLD}{title}{BOLD:#}");
}

fn row(out: &mut String, name: &str, value: &str) {
    let _ = writeln!(out, "  {name:<20}{value}");
}

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();
