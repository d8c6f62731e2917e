//! The recorded exchanges, and the fields an independent decoder found in them.

use kmsproof::proto::Sender;
use kmsproof::wire::kms::{ActivationRequest, LicenseStatus, ProtocolVersion, WorkstationName};
use kmsproof::wire::rpc::TransferSyntax;
use kmsproof::wire::{FileTime, Guid, Hresult};
use serde_json::Value;

/// One recorded connection.
pub struct Exchange {
    pub name: String,
    pub pdus: Vec<Recorded>,
    pub calls: Vec<Call>,
}

/// One PDU as it was on the wire.
pub struct Recorded {
    pub sender: Sender,
    pub bytes: Vec<u8>,
}

impl Recorded {
    pub fn ptype(&self) -> u8 {
        self.bytes[2]
    }

    pub fn call_id(&self) -> u32 {
        u32::from_le_bytes(self.bytes[12..16].try_into().unwrap())
    }
}

/// One recorded call.
pub struct Call {
    pub call_id: u32,
    pub syntax: TransferSyntax,
    pub return_code: Hresult,
    /// The independent decoder's findings; the response's are null where the host refused.
    pub request: Value,
    pub response: Value,
    /// The last bytes of the response's stub; null where the host refused.
    pub stub_tail: Value,
    pub request_pdu: Vec<u8>,
    pub response_pdu: Vec<u8>,
}

impl Exchange {
    /// What one side sent, in order.
    pub fn sent_by(&self, sender: Sender) -> impl Iterator<Item = &Recorded> {
        self.pdus.iter().filter(move |pdu| pdu.sender == sender)
    }

    /// Every PDU with who sent it, to be changed at will.
    pub fn said(&self) -> Vec<(Sender, Vec<u8>)> {
        self.pdus.iter().map(|pdu| (pdu.sender, pdu.bytes.clone())).collect()
    }

    /// What the host sent before the first call was answered.
    pub fn binding_answers(&self) -> impl Iterator<Item = &Recorded> {
        self.sent_by(Sender::Host).filter(|pdu| pdu.ptype() != RESPONSE)
    }
}

impl Call {
    /// The envelope in the request's stub, cut out by its recorded layout.
    pub fn request_payload(&self) -> &[u8] {
        &self.request_pdu[CALL_HEADER + 2 * self.word()..]
    }

    /// The envelope in the response's stub; empty where the host refused.
    pub fn response_payload(&self) -> &[u8] {
        let stub = &self.response_pdu[CALL_HEADER..];
        let len = u32::from_le_bytes(stub[..4].try_into().unwrap()) as usize;
        if len == 0 { &[] } else { &stub[3 * self.word()..][..len] }
    }

    /// The client's IV; of V4 there is none, and zeros do.
    pub fn request_iv(&self) -> [u8; 16] {
        match &self.request["iv_wire"] {
            Value::Null => [0; 16],
            hex => array(hex),
        }
    }

    /// The request built from the recorded fields; `None` for V7, which no independent decoder reads.
    pub fn activation_request(&self) -> Option<ActivationRequest> {
        let fields = self.request.get("fields")?;
        let number = |name: &str| fields[name].as_u64().unwrap() as u32;
        let guid = |name: &str| -> Guid { text(&fields[name]).parse().unwrap() };
        Some(ActivationRequest {
            version: ProtocolVersion { major: number("major") as u16, minor: number("minor") as u16 },
            is_vm: number("is_vm"),
            license_status: LicenseStatus(number("license_status")),
            binding_expiration_min: number("binding_expiration_min"),
            application_id: guid("app_id"),
            sku_id: guid("sku_id"),
            kms_counted_id: guid("kms_id"),
            cmid: guid("cmid"),
            n_policy: number("n_policy"),
            client_time: FileTime(fields["client_time"].as_u64().unwrap()),
            previous_cmid: guid("previous_cmid"),
            workstation: WorkstationName::new(text(&fields["workstation"])).unwrap(),
        })
    }

    fn word(&self) -> usize {
        if self.syntax == TransferSyntax::Ndr64 { 8 } else { 4 }
    }
}

/// All of them.
pub fn exchanges() -> Vec<Exchange> {
    let vectors: Value = serde_json::from_str(include_str!("../vectors/exchanges.json")).unwrap();
    vectors["exchanges"].as_array().unwrap().iter().map(exchange).collect()
}

/// The one of this name.
pub fn named(name: &str) -> Exchange {
    exchanges().into_iter().find(|exchange| exchange.name == name).unwrap()
}

/// What was said in the one of this name.
pub fn said(name: &str) -> Vec<(Sender, Vec<u8>)> {
    named(name).said()
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

pub fn bytes(hex: &Value) -> Vec<u8> {
    let hex = text(hex);
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

pub fn array<const N: usize>(hex: &Value) -> [u8; N] {
    bytes(hex).try_into().unwrap()
}

fn exchange(recorded: &Value) -> Exchange {
    let pdus: Vec<Recorded> = recorded["pdus"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pdu| Recorded {
            sender: if pdu["dir"] == "client" { Sender::Client } else { Sender::Host },
            bytes: bytes(&pdu["hex"]),
        })
        .collect();
    let calls = recorded["calls"].as_array().unwrap().iter().map(|call| {
        let call_id = call["call_id"].as_u64().unwrap() as u32;
        let pdu = |ptype| {
            let found = pdus.iter().find(|pdu| pdu.ptype() == ptype && pdu.call_id() == call_id);
            found.unwrap().bytes.clone()
        };
        Call {
            call_id,
            syntax: if call["transfer_syntax"] == "NDR64" { TransferSyntax::Ndr64 } else { TransferSyntax::Ndr32 },
            return_code: text(&call["return_code"]).parse().unwrap(),
            request: call["request"].clone(),
            response: call["response"].clone(),
            stub_tail: call["stub_tail"].clone(),
            request_pdu: pdu(REQUEST),
            response_pdu: pdu(RESPONSE),
        }
    });
    Exchange { name: text(&recorded["name"]).to_owned(), calls: calls.collect(), pdus }
}

pub const REQUEST: u8 = 0;
pub const RESPONSE: u8 = 2;
pub const CALL_HEADER: usize = 24;
