//! Checks of DCE/RPC: headers, the association's answers, responses and faults.

use super::{CheckId, Checks, Place};
use crate::proto::{Failure, FailureKind, Phase};
use crate::wire::rpc::{
    Bind, BindAck, Fault, Flags, MAX_FRAGMENT, MIN_FRAGMENT, PduView, Ptype, Response, ResultCode, SyntaxId, at,
};

/// Checks the header of any PDU a host sends, by view: a PDU that is not legal is checked as well.
pub fn check_header(checks: &mut Checks, frame: PduView<'_>, call_id: u32, asked: Flags) {
    let place = |field, offset| Some(Place::in_pdu(field, offset));
    let version = frame.version();
    checks.judge_at(CheckId::HeaderVersion, version == Some((5, 0)), place("rpc_vers", at::VERSION), || {
        ("5.0".into(), version.map_or("nothing".into(), |(major, minor)| format!("{major}.{minor}")))
    });
    let drep = frame.drep();
    checks.judge_at(CheckId::HeaderDrep, drep == Some([0x10, 0, 0, 0]), place("drep", at::DREP), || {
        ("10 00 00 00".into(), hex_row(&drep.unwrap_or_default()))
    });
    check_frag_length(checks, frame);
    let auth_length = frame.auth_length();
    checks.judge_at(CheckId::HeaderAuthLength, auth_length == Some(0), place("auth_length", at::AUTH_LENGTH), || {
        ("0".into(), auth_length.unwrap_or_default().to_string())
    });
    let got = frame.call_id();
    checks.judge_at(CheckId::HeaderCallId, got == Some(call_id), place("call_id", at::CALL_ID), || {
        (call_id.to_string(), got.unwrap_or_default().to_string())
    });
    let flags = frame.flags().unwrap_or_default();
    let right = match frame.ptype() {
        // Header signing, which is the flag of a pending cancel elsewhere, may come back as well.
        Some(Ptype::BIND_ACK) => {
            let signing = Flags(asked.0 & Flags::PENDING_CANCEL.0);
            flags.without(signing) == Flags::WHOLE.with(Flags(asked.0 & Flags::CONC_MPX.0))
        }
        Some(Ptype::RESPONSE) => flags.without(Flags::WHOLE) == Flags::default(),
        Some(Ptype::FAULT) => flags.without(Flags::DID_NOT_EXECUTE) == Flags::WHOLE,
        // Whoever asks for it in an alter_context as well may be told so again, as by Samba.
        Some(Ptype::ALTER_CONTEXT_RESPONSE) => flags.without(Flags(asked.0 & Flags::CONC_MPX.0)) == Flags::WHOLE,
        _ => flags == Flags::WHOLE,
    };
    checks.judge_at(CheckId::HeaderFlags, right, place("pfc_flags", at::FLAGS), || {
        ("first and last, and no flag the answer has no use for".into(), flags.to_string())
    });
}

/// Whether a PDU is as long as it says.
pub fn check_frag_length(checks: &mut Checks, frame: PduView<'_>) {
    let (there, said) = (frame.0.len(), frame.frag_length());
    let place = Place::in_pdu("frag_length", at::FRAG_LENGTH);
    checks.judge_at(CheckId::HeaderFragLength, said.map(usize::from) == Some(there), Some(place), || {
        (format!("{there}, the bytes there are"), said.map_or("nothing".into(), |said| said.to_string()))
    });
}

/// Finds a PDU that nobody asked for.
pub fn check_unasked(checks: &mut Checks, frame: PduView<'_>) -> FailureKind {
    let got = frame.ptype().unwrap_or(Ptype(0xff));
    checks.judge(CheckId::NothingUnasked, false, || ("silence between calls".into(), format!("a {got}")));
    FailureKind::Unexpected { expected: "nothing", got }
}

/// Finds bytes that are no DCE/RPC: the version is judged, as far as it is there.
pub fn check_stray(checks: &mut Checks, bytes: &[u8]) -> FailureKind {
    let got = bytes.first().copied().unwrap_or_default();
    checks.judge(CheckId::HeaderVersion, false, || ("5".into(), got.to_string()));
    FailureKind::NotRpc
}

/// What an answer to a bind or alter_context is held against.
#[derive(Debug, Clone, Copy)]
pub struct AckExpectation<'a> {
    /// What was offered.
    pub offered: &'a Bind,
    /// The port connected to, when it is known.
    pub port: Option<u16>,
}

/// Checks the answer to a bind.
pub fn check_ack(checks: &mut Checks, frame: PduView<'_>, ack: &BindAck, expected: AckExpectation<'_>) {
    check_results(checks, frame, ack, expected.offered);
    let accepted = ack.results.iter().filter(|result| result.result == ResultCode::ACCEPTED).count();
    checks
        .judge(CheckId::BindOneSyntax, accepted <= 1, || ("at most one context accepted".into(), accepted.to_string()));
    let text = ack.secondary_address_text();
    let is_port = match (text, expected.port) {
        (Some(text), Some(port)) => text == port.to_string(),
        (Some(text), None) => text.parse::<u16>().is_ok(),
        (None, _) => false,
    };
    checks.judge(CheckId::BindSecondaryAddress, is_port, || {
        let wanted = expected.port.map_or("a port in decimal and a NUL".into(), |port| format!("\"{port}\\0\""));
        (wanted, format!("{:?}", String::from_utf8_lossy(&ack.secondary_address)))
    });
    let (xmit, recv) = (ack.max_xmit_frag, ack.max_recv_frag);
    let offered = expected.offered.max_xmit_frag.min(expected.offered.max_recv_frag).max(MIN_FRAGMENT);
    let right = xmit == recv && xmit % 8 == 0 && (MIN_FRAGMENT..=MAX_FRAGMENT.min(offered)).contains(&xmit);
    checks.judge(CheckId::BindFragmentSize, right, || {
        (format!("one size from {MIN_FRAGMENT} to {}", MAX_FRAGMENT.min(offered)), format!("{xmit} and {recv}"))
    });
    checks.judge(CheckId::BindAssocGroup, ack.assoc_group != 0, || ("any number but 0".into(), "0".into()));
}

/// Checks the answer to an alter_context against the bind's.
pub fn check_alter_response(
    checks: &mut Checks,
    frame: PduView<'_>,
    response: &BindAck,
    offered: &Bind,
    ack: &BindAck,
) {
    check_results(checks, frame, response, offered);
    let unchanged = response.secondary_address.is_empty()
        && response.max_xmit_frag == ack.max_xmit_frag
        && response.max_recv_frag == ack.max_recv_frag
        && response.assoc_group == ack.assoc_group;
    checks.judge(CheckId::AlterUnchanged, unchanged, || {
        let shape = |ack: &BindAck, address: usize| {
            format!(
                "{address}-byte address, fragments {} and {}, group 0x{:08x}",
                ack.max_xmit_frag, ack.max_recv_frag, ack.assoc_group
            )
        };
        (shape(ack, 0), shape(response, response.secondary_address.len()))
    });
}

fn check_results(checks: &mut Checks, frame: PduView<'_>, ack: &BindAck, offered: &Bind) {
    let reserved = frame.results_reserved();
    checks.judge(CheckId::BindReserved, reserved == Some([0; 3]), || {
        ("00 00 00".into(), hex_row(&reserved.unwrap_or_default()))
    });
    let (results, contexts) = (ack.results.len(), offered.contexts.len());
    checks.judge(CheckId::BindResultCount, results == contexts, || (contexts.to_string(), results.to_string()));
    for (index, (result, context)) in ack.results.iter().zip(&offered.contexts).enumerate() {
        let features = context.transfer.first().and_then(|syntax| syntax.as_bind_time_features());
        if let (ResultCode::NEGOTIATE_ACK, Some(asked)) = (result.result, features) {
            let granted = result.reason;
            checks.judge(CheckId::BindFeatures, granted & !asked == 0 && result.syntax == SyntaxId::NONE, || {
                (format!("a part of 0x{asked:04x} and no syntax"), format!("0x{granted:04x} and {}", result.syntax))
            });
            continue;
        }
        let legal = match result.result {
            ResultCode::ACCEPTED => {
                context.transfer.contains(&result.syntax) && features.is_none() && result.reason == 0
            }
            ResultCode::PROVIDER_REJECTION => result.syntax == SyntaxId::NONE && (1..=3).contains(&result.reason),
            _ => false,
        };
        checks.judge(CheckId::BindResults, legal, || {
            let offered: Vec<_> = context.transfer.iter().map(SyntaxId::to_string).collect();
            (
                format!("context {index}: one of {} accepted, or a reasoned rejection naming none", offered.join(", ")),
                format!("{result} ({})", result.syntax),
            )
        });
    }
}

/// Checks what stands before the stub of a response, by view and value.
pub fn check_response_pdu(checks: &mut Checks, frame: PduView<'_>, response: &Response<'_>, context_id: u16) {
    let place = |field, offset| Some(Place::in_pdu(field, offset));
    let got = response.context_id;
    // Windows names a context by the low eight bits of its number (Samba raw protocol tests).
    let right = got == context_id || got == context_id & 0xff;
    checks.judge_at(CheckId::ResponseContext, right, place("p_cont_id", at::CONTEXT), || {
        (context_id.to_string(), got.to_string())
    });
    check_cancel_count(checks, frame);
    let (hint, len) = (response.alloc_hint, response.stub.len());
    // Of a fragment the hint may count what is still to come.
    let most = if frame.flags().is_some_and(|flags| flags.has(Flags::LAST)) { len } else { usize::MAX };
    checks.judge_at(
        CheckId::ResponseAllocHint,
        hint != 0 && hint as usize <= most,
        place("alloc_hint", at::ALLOC_HINT),
        || (format!("1 to {len}"), hint.to_string()),
    );
}

/// Checks the form of a fault.
pub fn check_fault(checks: &mut Checks, frame: PduView<'_>, fault: &Fault<'_>) {
    let status = fault.status;
    let reserved = frame.fault_reserved().unwrap_or_default();
    let right = fault.stub.is_empty() && status.0 != 0 && reserved == 0;
    let place = Place::in_pdu("status", at::STATUS);
    checks.judge_at(CheckId::FaultForm, right, Some(place), || {
        let got = format!("status {status}, reserved 0x{reserved:08x}, {} stub bytes", fault.stub.len());
        ("a status that is not 0, reserved 0, no stub".into(), got)
    });
    check_cancel_count(checks, frame);
}

fn check_cancel_count(checks: &mut Checks, frame: PduView<'_>) {
    let place = Place::in_pdu("cancel_count", at::CANCEL_COUNT);
    let got = frame.cancel_count();
    checks.judge_at(CheckId::ResponseCancelCount, got == Some([0, 0]), Some(place), || {
        ("00 00".into(), hex_row(&got.unwrap_or_default()))
    });
}

/// Bytes as a listing shows them: `10 00 00 00`.
fn hex_row(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// Turns a failure into the check it breaks: no answer at all is a finding like any other.
pub fn record_failure(checks: &mut Checks, failure: &Failure) {
    let check = match &failure.kind {
        FailureKind::Malformed(error) => return checks.fail_decode(CheckId::WellFormed, error),
        // No requirement is broken; what was to be tried could not be.
        FailureKind::SyntaxNotSpoken(_) => return,
        FailureKind::Fragments(_) => CheckId::ResponseFragments,
        FailureKind::NotRpc => CheckId::WellFormed,
        FailureKind::Unexpected { .. } => CheckId::ExpectedKind,
        FailureKind::WrongCall { .. } => CheckId::HeaderCallId,
        FailureKind::Nak(_) | FailureKind::NoCommonSyntax(_) => CheckId::BindAccepted,
        FailureKind::Fault(_) if failure.phase == Phase::Call => CheckId::NoFault,
        FailureKind::Fault(_) => CheckId::ExpectedKind,
        FailureKind::Connect(_)
        | FailureKind::Io(_)
        | FailureKind::Timeout(_)
        | FailureKind::Closed
        | FailureKind::Reset => CheckId::Answered,
    };
    if !checks.failed.has(check) {
        checks.judge(check, false, || (format!("an answer to {}", failure.phase), failure.to_string()));
    }
}
