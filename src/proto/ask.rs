//! One activation: asked for, answered, judged.

use super::verify::{self, Checks};
use super::{Failure, FailureKind, Phase, Reply, ReplyBody};
use crate::crypto::{self, Sealing};
use crate::wire::kms::{ActivationRequest, ActivationResponse, ProtocolVersion};
use crate::wire::ndr::{ResponseStub, payload_offset};
use crate::wire::rpc::{CALL_HEADER_LEN, TransferSyntax};
use crate::wire::{FileTime, Hresult};

/// An activation request ready to go: sealed in the envelope of its version.
#[derive(Debug, Clone)]
pub struct Ask {
    request: ActivationRequest,
    iv: [u8; 16],
    payload: Vec<u8>,
}

/// What came of an ask.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The return value on the wire; `None` if there was no response PDU to carry one.
    pub wire: Option<Hresult>,
    /// The response, when there was one that could be read.
    pub response: Option<ActivationResponse>,
    /// The decrypted bytes of a V5 or V6 answer.
    pub plaintext: Vec<u8>,
    /// The IV of a V5 or V6 answer.
    pub iv: Option<[u8; 16]>,
    /// The host's random of a V5 or V6 answer.
    pub random: Option<[u8; 16]>,
    /// The hardware id of a V6 answer.
    pub hwid: Option<[u8; 8]>,
    /// Which time slot the HMAC of a V6 answer is right for: 0, -1 or 1.
    pub hmac_slot: Option<i8>,
    /// Why there is no response, when there is none and no code says so.
    pub failure: Option<Failure>,
    /// Every check done.
    pub checks: Checks,
}

impl Ask {
    /// Seals a request. `iv` is the client's random of a V5 or V6 request; V4 has no use for it.
    /// A version that does not exist is sealed like its nearest, so that a host's refusal can be seen.
    pub fn new(request: ActivationRequest, iv: [u8; 16]) -> Ask {
        let body = request.encode();
        let mut payload = Vec::with_capacity(crate::wire::kms::SEALED_REQUEST_LEN);
        match request.version.major {
            // V4's way has no cipher.
            0..=4 => crypto::envelope::seal_request_v4(&body, &mut payload),
            _ => crypto::envelope::seal_request(sealing(request.version), &body, &iv, &mut payload),
        }
        Ask { request, iv, payload }
    }

    /// The request.
    pub fn request(&self) -> &ActivationRequest {
        &self.request
    }

    /// The IV it is sealed with.
    pub fn iv(&self) -> &[u8; 16] {
        &self.iv
    }

    /// The envelope, the argument of the call.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Judges the host's reply. `now` is the time by which an ePID's date is plausible.
    pub fn judge(&self, reply: &Reply, now: FileTime) -> Answer {
        Answer::judged(&reply.body, Some(reply.syntax), reply.checks.clone(), Some(self), now)
    }

    /// A request that was read back from the wire.
    pub(super) fn recorded(request: ActivationRequest, iv: [u8; 16], payload: &[u8]) -> Ask {
        Ask { request, iv, payload: payload.to_vec() }
    }
}

impl Answer {
    /// Whether the question does not arise with this host: it lacks what it need not have.
    pub fn is_not_applicable(&self) -> bool {
        self.failure.as_ref().is_some_and(|failure| matches!(failure.kind, FailureKind::SyntaxNotSpoken(_)))
    }

    /// Judges a reply to what was no request: its stub, and nothing of what is in it.
    pub fn unasked(reply: &Reply, now: FileTime) -> Answer {
        Answer::judged(&reply.body, Some(reply.syntax), reply.checks.clone(), None, now)
    }

    /// Judges a reply whose PDUs `checks` are of. Without a syntax its stub is not read; without
    /// the ask, only the stub is judged: what is in it is shown, and a fault may be what was due.
    pub(super) fn judged(
        body: &ReplyBody,
        syntax: Option<TransferSyntax>,
        checks: Checks,
        ask: Option<&Ask>,
        now: FileTime,
    ) -> Answer {
        let mut answer = Answer { checks, ..Answer::default() };
        let stub = match body {
            ReplyBody::Stub(stub) => stub,
            ReplyBody::Fault(status) => {
                let failure = Failure::new(Phase::Call, FailureKind::Fault(*status));
                if ask.is_some() {
                    verify::record_failure(&mut answer.checks, &failure);
                }
                answer.failure = Some(failure);
                return answer;
            }
        };
        if ask.is_some() {
            answer.checks.judge(verify::CheckId::NoFault, true, Default::default);
        }
        let Some(syntax) = syntax else { return answer };
        match verify::check_stub(&mut answer.checks, stub, syntax, CALL_HEADER_LEN) {
            None => {}
            Some(ResponseStub::Refusal { code }) => answer.wire = Some(code),
            Some(ResponseStub::Answer { payload, code, .. }) => {
                answer.wire = Some(code);
                let base = CALL_HEADER_LEN + payload_offset(syntax);
                match ask {
                    Some(ask) => verify::check_response(&mut answer, payload, base, &ask.request, &ask.iv, now),
                    None => verify::open_unjudged(&mut answer, payload),
                }
            }
        }
        answer
    }

    /// The answer that never came.
    pub fn failed(failure: Failure, mut checks: Checks) -> Answer {
        verify::record_failure(&mut checks, &failure);
        Answer { failure: Some(failure), checks, ..Answer::default() }
    }
}

/// The cipher a sealed envelope of this version goes under; of versions that do not exist, the nearest's.
pub fn sealing(version: ProtocolVersion) -> Sealing {
    if version.major == 5 { Sealing::V5 } else { Sealing::V6 }
}
