//! What a KMS host makes of a request.

use crate::conform::accept::{Answered, Then, Want, ok};
use crate::conform::host::Patience;
use crate::conform::{Case, Level, Talk};
use crate::proto::Ask;
use crate::wire::Guid;
use crate::wire::kms::ProtocolVersion;
use jiff::SignedDuration;

pub(super) static CASES: &[Case] = &[Case::new(
    "kms/request/v6",
    Level::Must,
    "an ordinary request of version 6",
    "A request of version 6.0 is answered in version 6.0 with code 0.",
    "protocol description, section 4",
    |t| {
        t.bind()?;
        let ask = t.ask(ProtocolVersion::V6, |_| {});
        t.expect_ask("version 6", &ask, &[ok(Want::Served, Then::Either)])?;
        Ok(())
    },
)
.of_kms()];

fn code(talk: &mut Talk<'_>, ask: &Ask) -> Option<Answered> {
    talk.bind().ok()?;
    let payload = ask.payload();
    let mut stub = Vec::new();
    crate::wire::ndr::RequestStub { payload }.write(crate::wire::rpc::TransferSyntax::Ndr32, &mut stub);
    let call_id = talk.next_call_id();
    let frame = talk.frame_of(call_id, crate::wire::rpc::Flags::WHOLE, 0, &stub);
    talk.send_frame(&frame, Some(ask.clone()));
    talk.see(Patience::Answer, None).answer
}

/// Whether a host refuses a client whose clock is ten hours off.
pub fn refuses_wrong_clock(talk: &mut Talk<'_>) -> bool {
    let ask = talk.ask(ProtocolVersion::V6, |request| {
        request.client_time = request.client_time.saturating_add(SignedDuration::from_hours(10));
    });
    matches!(code(talk, &ask), Some(Answered::Refused(_)))
}

/// Whether a host refuses a product nobody knows.
pub fn refuses_unknown_product(talk: &mut Talk<'_>) -> bool {
    let ask = talk.ask(ProtocolVersion::V6, |request| request.kms_counted_id = Guid::from_u128(7));
    matches!(code(talk, &ask), Some(Answered::Refused(_)))
}

/// Whether a host counts at all.
pub fn counts(talk: &mut Talk<'_>) -> bool {
    let ask = talk.ask(ProtocolVersion::V6, |_| {});
    matches!(code(talk, &ask), Some(Answered::Granted))
}
