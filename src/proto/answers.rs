//! Reading what a host answers, with every check on the way: what the client's
//! machine and the witness of a recorded conversation have in common.

use super::verify::{self, AckExpectation, CheckId, Checks};
use super::{FailureKind, ReplyBody};
use crate::wire::rpc::{
    Assembler, Bind, BindAck, Body, ContextElement, Flags, Pdu, PduView, ResultCode, SyntaxId,
    TRANSFER_SYNTAXES_NOT_SUPPORTED, TransferSyntax,
};

/// A bind or an alter_context that awaits its answer.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// The call id it was sent with.
    pub call_id: u32,
    /// The flags it was sent with.
    pub flags: Flags,
    /// What it offers.
    pub offered: &'a Bind,
    /// Which of the two it is.
    pub step: Step<'a>,
}

/// What an association is opened or widened by.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    /// A bind, to this port if it is known.
    Bind {
        /// The port connected to.
        port: Option<u16>,
    },
    /// An alter_context, after a bind with that answer if it is known.
    Alter {
        /// What the bind was answered with.
        ack: Option<&'a BindAck>,
    },
}

/// Reads the answer to a bind or an alter_context.
pub fn read_ack(checks: &mut Checks, frame: &[u8], opening: Opening<'_>) -> Result<BindAck, FailureKind> {
    let pdu = read_frame(checks, frame, opening.call_id, opening.flags)?;
    match (opening.step, pdu.body) {
        (Step::Bind { port }, Body::BindAck(ack)) => {
            checks.judge(CheckId::ExpectedKind, true, Default::default);
            verify::check_ack(checks, PduView(frame), &ack, AckExpectation { offered: opening.offered, port });
            if opening.offered.contexts.iter().any(|context| context.interface == SyntaxId::KMS) {
                if !accepted(opening.offered, &ack).any(|(context, _)| context.interface == SyntaxId::KMS) {
                    return Err(not_accepted(opening.offered, &ack));
                }
                checks.judge(CheckId::BindAccepted, true, Default::default);
            }
            Ok(ack)
        }
        (Step::Bind { .. }, Body::BindNak(nak)) => Err(FailureKind::Nak(nak.reason)),
        (Step::Alter { ack }, Body::AlterContextResponse(response)) => {
            checks.judge(CheckId::ExpectedKind, true, Default::default);
            if let Some(ack) = ack {
                verify::check_alter_response(checks, PduView(frame), &response, opening.offered, ack);
            }
            Ok(response)
        }
        (_, Body::Fault(fault)) => {
            verify::check_fault(checks, PduView(frame), &fault);
            Err(FailureKind::Fault(fault.status))
        }
        (Step::Bind { .. }, body) => Err(FailureKind::Unexpected { expected: "a bind_ack", got: body.ptype() }),
        (Step::Alter { .. }, body) => {
            Err(FailureKind::Unexpected { expected: "an alter_context_resp", got: body.ptype() })
        }
    }
}

/// What it is when a host takes no context: a host must speak NDR32, NDR64 it need not.
fn not_accepted(offered: &Bind, ack: &BindAck) -> FailureKind {
    let only_ndr64 = offered.contexts.iter().all(|context| context.transfer == [SyntaxId::NDR64]);
    let for_the_syntax = ack.results.iter().all(|result| {
        result.result == ResultCode::PROVIDER_REJECTION && result.reason == TRANSFER_SYNTAXES_NOT_SUPPORTED
    });
    match only_ndr64 && for_the_syntax && !ack.results.is_empty() {
        true => FailureKind::SyntaxNotSpoken(TransferSyntax::Ndr64),
        false => FailureKind::from(ack),
    }
}

/// Reads one PDU of the answer to a call; `None` while fragments are still to come.
pub fn read_reply(
    checks: &mut Checks,
    assembler: &mut Assembler,
    frame: &[u8],
    call_id: u32,
    context_id: u16,
) -> Result<Option<ReplyBody>, FailureKind> {
    let pdu = read_frame(checks, frame, call_id, Flags::WHOLE)?;
    let body = match pdu.body {
        Body::Response(response) => {
            checks.judge(CheckId::ExpectedKind, true, Default::default);
            verify::check_response_pdu(checks, PduView(frame), &response, context_id);
            match assembler.feed(call_id, pdu.flags, response.stub).map_err(FailureKind::Fragments)? {
                None => return Ok(None),
                Some(stub) => {
                    checks.judge(CheckId::ResponseFragments, true, Default::default);
                    ReplyBody::Stub(stub.to_vec())
                }
            }
        }
        Body::Fault(fault) => {
            verify::check_fault(checks, PduView(frame), &fault);
            ReplyBody::Fault(fault.status)
        }
        body => return Err(FailureKind::Unexpected { expected: "a response", got: body.ptype() }),
    };
    checks.judge(CheckId::Answered, true, Default::default);
    Ok(Some(body))
}

/// Reads a PDU that answers something that was wrong on purpose: whatever it is, its header and its form are judged.
pub fn read_other(checks: &mut Checks, frame: &[u8], call_id: u32) {
    verify::check_header(checks, PduView(frame), call_id, Flags::WHOLE);
    match Pdu::decode(frame) {
        Ok(Pdu { body: Body::Fault(fault), .. }) => verify::check_fault(checks, PduView(frame), &fault),
        Ok(_) => {}
        Err(error) => return checks.fail_decode(CheckId::WellFormed, &error),
    }
    checks.judge(CheckId::WellFormed, true, Default::default);
}

/// The contexts a host accepted that a call can be made in, and the syntax of each.
pub fn accepted<'a>(offered: &'a Bind, ack: &'a BindAck) -> impl Iterator<Item = (&'a ContextElement, TransferSyntax)> {
    ack.results
        .iter()
        .zip(&offered.contexts)
        .filter(|(result, _)| result.result == ResultCode::ACCEPTED)
        .filter_map(|(result, context)| Some((context, TransferSyntax::from_id(result.syntax)?)))
}

fn read_frame<'a>(checks: &mut Checks, frame: &'a [u8], call_id: u32, asked: Flags) -> Result<Pdu<'a>, FailureKind> {
    verify::check_header(checks, PduView(frame), call_id, asked);
    let pdu = Pdu::decode(frame).map_err(FailureKind::Malformed)?;
    checks.judge(CheckId::WellFormed, true, Default::default);
    match pdu.call_id {
        got if got == call_id => Ok(pdu),
        got => Err(FailureKind::WrongCall { expected: call_id, got }),
    }
}
