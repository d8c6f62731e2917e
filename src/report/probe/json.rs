//! A probe for a program.

use serde_json::{Value, json};

use super::ProbeReport;
use crate::catalog;
use crate::events::Exchange;
use crate::wire::hex;

impl ProbeReport<'_> {
    /// For a program.
    pub fn to_json(&self) -> Value {
        let request = self.exchanges.first().map(|exchange| &exchange.request);
        json!({
            "schema": "kmsproof.probe/1",
            "target": {"requested": self.subject.target, "addresses": self.subject.addresses},
            "request": request.map(|request| json!({
                "product": self.machine.wanted.name, "application": catalog::application_name(self.machine.wanted.application_id),
                "application_id": request.application_id, "sku_id": request.sku_id, "kms_counted_id": request.kms_counted_id,
                "cmid": request.cmid, "protocol": request.version, "n_policy": request.n_policy,
                "client_time": request.client_time.to_string(), "client_time_filetime": request.client_time.0,
                "license_status": request.license_status.0, "binding_expiration_min": request.binding_expiration_min,
                "is_vm": request.is_vm, "workstation": request.workstation.to_string(),
            })),
            "calls": self.exchanges.iter().map(exchange_json).collect::<Vec<_>>(),
        })
    }
}

fn exchange_json(exchange: &Exchange) -> Value {
    let answer = &exchange.answer;
    let nanoseconds = |took: std::time::Duration| took.as_nanos() as u64;
    json!({
        "syntax": exchange.syntax,
        "connection": exchange.opened.as_ref().map(|opened| json!({
            "connect_ns": nanoseconds(opened.connect),
            "bind_ns": nanoseconds(opened.negotiated.bind_time),
            "alter_context_ns": opened.negotiated.alter_time.map(nanoseconds),
            "ndr32_context": opened.negotiated.ndr32, "ndr64_context": opened.negotiated.ndr64,
            "bind_time_features": opened.negotiated.features, "max_fragment": opened.negotiated.max_fragment,
            "assoc_group": opened.negotiated.assoc_group, "secondary_address": opened.negotiated.secondary_address,
        })),
        "service_ns": exchange.service().map(nanoseconds),
        "response": answer.response.as_ref().map(|response| json!({
            "protocol": response.version, "epid": response.epid.as_str(), "cmid": response.cmid,
            "client_time": response.client_time.to_string(), "client_time_filetime": response.client_time.0,
            "count": response.count, "activation_interval_min": response.activation_interval_min,
            "renewal_interval_min": response.renewal_interval_min,
            "hwid": answer.hwid.map(|hwid| hex(&hwid)),
            "hmac_slot": answer.hmac_slot,
        })),
        "failure": answer.failure.as_ref().map(|failure| json!({"class": failure.class(), "message": failure.to_string()})),
        "checks": answer.checks.done.iter().map(|check| json!({
            "id": check, "level": check.check().level, "passed": !answer.checks.failed.has(check),
        })).collect::<Vec<_>>(),
        "findings": answer.checks.findings,
        "outcome": {"wire": exchange.outcome.wire, "verdict": exchange.outcome.verdict.name(), "shown": exchange.outcome.shown},
    })
}
