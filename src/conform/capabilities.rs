//! What a host has to be capable of for some questions to arise, and how that is found out.

use jiff::SignedDuration;

use super::Talk;
use super::accept::Answered;
use super::host::Patience;
use crate::proto::Ask;
use crate::wire::Guid;
use crate::wire::kms::ProtocolVersion;

/// Whether a host refuses a client whose clock is ten hours off.
pub(super) fn refuses_wrong_clock(talk: &mut Talk<'_>) -> bool {
    let ask = talk.ask(ProtocolVersion::V6, |request| {
        request.client_time = request.client_time.saturating_add(SignedDuration::from_hours(10));
    });
    matches!(answer(talk, &ask), Some(Answered::Refused(_)))
}

/// Whether a host refuses a product nobody knows.
pub(super) fn refuses_unknown_product(talk: &mut Talk<'_>) -> bool {
    let ask = talk.ask(ProtocolVersion::V6, |request| request.kms_counted_id = Guid::from_u128(7));
    matches!(answer(talk, &ask), Some(Answered::Refused(_)))
}

/// Whether a host counts at all. One that makes its count up makes it up from what it is asked for, so that whoever
/// asks is content: one client that asks twice, with two N policies, is told two counts.
pub(super) fn counts(talk: &mut Talk<'_>) -> bool {
    let large = count_for(talk, N_POLICY_LARGE);
    match large {
        Some(count) if count >= N_POLICY_LARGE => count_for(talk, N_POLICY_SMALL) == large,
        Some(_) => true,
        None => false,
    }
}

fn count_for(talk: &mut Talk<'_>, n_policy: u32) -> Option<u32> {
    let ask = talk.ask(ProtocolVersion::V6, |request| request.n_policy = n_policy);
    answer(talk, &ask)?;
    talk.told()?.response.as_ref().map(|response| response.count)
}

fn answer(talk: &mut Talk<'_>, ask: &Ask) -> Option<Answered> {
    talk.bind().ok()?;
    talk.send_ask(ask);
    talk.see(Patience::Answer, None).answer
}

/// A Windows client's.
const N_POLICY_LARGE: u32 = 25;
/// A Windows server's.
const N_POLICY_SMALL: u32 = 5;
