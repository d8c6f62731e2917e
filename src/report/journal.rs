//! The event stream as JSON lines (`--out events=PATH`), PDUs decoded.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::events::{Event, Exchange};
use crate::wire::hex;
use crate::wire::rpc::{Body, ContextElement, ContextResult, Pdu, PduView};

/// Writes events, one JSON object a line.
#[derive(Debug)]
pub struct Journal<W: Write> {
    out: W,
    scenario: String,
}

impl<W: Write> Journal<W> {
    /// A journal on `out`.
    pub fn new(out: W) -> Journal<W> {
        Journal { out, scenario: String::new() }
    }

    /// Writes one event.
    pub fn observe(&mut self, event: &Event) -> io::Result<()> {
        if let Event::ScenarioStarted { name } = event {
            self.scenario.clone_from(name);
        }
        let scenario = &self.scenario;
        let value = match event {
            Event::ScenarioStarted { .. } => json!({"event": "scenario_started", "scenario": scenario}),
            Event::ScenarioFinished { duration, ended_early } => json!({
                "event": "scenario_finished", "scenario": scenario, "duration_ns": duration.as_nanos() as u64,
                "ended_early": ended_early.as_ref().map(ToString::to_string),
            }),
            Event::StepStarted { step, fresh_host } => {
                json!({"event": "step_started", "scenario": scenario, "step": step + 1, "fresh_host": fresh_host})
            }
            Event::StepFinished { step } => json!({"event": "step_finished", "scenario": scenario, "step": step + 1}),
            Event::ConnectionOpened { id, local, peer, at } => json!({
                "event": "connection_opened", "scenario": scenario, "connection": id,
                "local": local.to_string(), "peer": peer.to_string(), "at_ns": at.0.as_nanos() as u64,
            }),
            Event::ConnectionClosed { id, at } => json!({
                "event": "connection_closed", "scenario": scenario, "connection": id, "at_ns": at.0.as_nanos() as u64,
            }),
            Event::Pdu { connection, sender, at, bytes } => json!({
                "event": "pdu", "scenario": scenario, "connection": connection, "sender": sender,
                "at_ns": at.0.as_nanos() as u64, "fields": pdu_fields(bytes), "hex": hex(bytes),
            }),
            // The exchange itself says all of it.
            Event::Asked { .. } => return Ok(()),
            // Whoever writes events is told of every exchange by itself.
            Event::Tally(_) => return Ok(()),
            Event::Exchange(exchange) => exchange_record(scenario, exchange),
            Event::Judged(judged) => json!({
                "event": "judged", "id": judged.id, "level": judged.level, "verdict": judged.verdict,
                "field": judged.field, "expected": judged.expected, "observed": judged.observed, "why": judged.why,
            }),
        };
        serde_json::to_writer(&mut self.out, &value)?;
        self.out.write_all(b"\n")
    }

    /// What it wrote to.
    pub fn into_inner(self) -> W {
        self.out
    }
}

/// The fields of a PDU, by the names Wireshark gives them, as far as they can be read.
fn pdu_fields(frame: &[u8]) -> Value {
    let view = PduView(frame);
    let mut fields = json!({
        "pkt_type": view.ptype().map(|ptype| ptype.0),
        "kind": view.ptype().map(|ptype| ptype.to_string()),
        "cn_flags": view.flags().map(|flags| flags.0),
        "cn_frag_len": view.frag_length(),
        "cn_auth_len": view.auth_length(),
        "cn_call_id": view.call_id(),
    });
    let Ok(pdu) = Pdu::decode(frame) else { return fields };
    let more = match &pdu.body {
        Body::Bind(bind) | Body::AlterContext(bind) => json!({
            "cn_max_xmit": bind.max_xmit_frag, "cn_max_recv": bind.max_recv_frag, "cn_assoc_group": bind.assoc_group,
            "contexts": bind.contexts.iter().map(context).collect::<Vec<_>>(),
        }),
        Body::BindAck(ack) | Body::AlterContextResponse(ack) => json!({
            "cn_max_xmit": ack.max_xmit_frag, "cn_max_recv": ack.max_recv_frag, "cn_assoc_group": ack.assoc_group,
            "cn_sec_addr": ack.secondary_address_text(),
            "results": ack.results.iter().map(result).collect::<Vec<_>>(),
        }),
        Body::BindNak(nak) => json!({"cn_reject_reason": nak.reason.0}),
        Body::Request(request) => json!({
            "cn_alloc_hint": request.alloc_hint, "cn_ctx_id": request.context_id, "opnum": request.opnum,
            "stub_len": request.stub.len(),
        }),
        Body::Response(response) => json!({
            "cn_alloc_hint": response.alloc_hint, "cn_ctx_id": response.context_id,
            "cn_cancel_count": response.cancel_count, "stub_len": response.stub.len(),
        }),
        Body::Fault(fault) => json!({
            "cn_alloc_hint": fault.alloc_hint, "cn_ctx_id": fault.context_id, "cn_status": fault.status.0,
        }),
        Body::Auth3 | Body::Shutdown | Body::CoCancel | Body::Orphaned => json!({}),
    };
    if let (Value::Object(fields), Value::Object(more)) = (&mut fields, more) {
        fields.extend(more);
    }
    fields
}

fn context(context: &ContextElement) -> Value {
    let (major, minor) = context.interface.major_minor();
    json!({
        "cn_ctx_id": context.id, "cn_bind_to_uuid": context.interface.uuid,
        "cn_bind_if_ver": major, "cn_bind_if_ver_minor": minor,
        "cn_bind_trans_id": context.transfer.iter().map(|syntax| syntax.uuid).collect::<Vec<_>>(),
        "cn_bind_trans_ver": context.transfer.iter().map(|syntax| syntax.version).collect::<Vec<_>>(),
    })
}

fn result(result: &ContextResult) -> Value {
    json!({
        "cn_ack_result": result.result.0, "cn_ack_reason": result.reason,
        "cn_ack_trans_id": result.syntax.uuid, "cn_ack_trans_ver": result.syntax.version,
    })
}

fn exchange_record(scenario: &str, exchange: &Exchange) -> Value {
    let request = &exchange.request;
    let response = exchange.answer.response.as_ref();
    json!({
        "event": "exchange", "scenario": scenario, "step": exchange.step + 1, "arrival": exchange.position + 1,
        "machine": exchange.machine, "connection": exchange.connection, "syntax": exchange.syntax,
        "protocol": request.version, "cmid": request.cmid, "n_policy": request.n_policy,
        "application_id": request.application_id, "sku_id": request.sku_id, "kms_counted_id": request.kms_counted_id,
        "client_time_filetime": request.client_time.0, "wall_filetime": exchange.wall.0,
        "license_status": request.license_status.0, "binding_expiration_min": request.binding_expiration_min,
        "workstation": request.workstation.to_string(),
        "started_ns": exchange.started.0.as_nanos() as u64,
        "service_ns": exchange.service().map(|took| took.as_nanos() as u64),
        "late_ns": exchange.late.as_nanos() as u64,
        "response_ns": exchange.response().as_nanos() as u64,
        "wire": exchange.outcome.wire, "verdict": exchange.outcome.verdict.name(), "shown": exchange.outcome.shown,
        "count": response.map(|response| response.count),
        "epid": response.map(|response| response.epid.as_str()),
        "activation_interval_min": response.map(|response| response.activation_interval_min),
        "renewal_interval_min": response.map(|response| response.renewal_interval_min),
        "failure": exchange.answer.failure.as_ref().map(ToString::to_string),
        "checks_done": exchange.answer.checks.done.len(),
        "findings": exchange.answer.checks.findings,
        "predicted": exchange.judgement.as_ref().map(|judgement| json!({
            "wire": judgement.prediction.codes.iter().collect::<Vec<_>>(),
            "count_least": judgement.prediction.count.map(|(least, _)| least),
            "count_most": judgement.prediction.count.map(|(_, most)| most),
        })),
        "divergences": exchange.judgement.iter().flat_map(|judgement| &judgement.divergences).map(|divergence| json!({
            "id": divergence.id, "level": divergence.level, "expected": divergence.expected, "got": divergence.got,
            "because": divergence.because,
        })).collect::<Vec<_>>(),
        "broken": exchange.broken.iter().map(|broken| json!({
            "expectation": broken.expectation, "expected": broken.expected, "observed": broken.observed,
        })).collect::<Vec<_>>(),
    })
}
