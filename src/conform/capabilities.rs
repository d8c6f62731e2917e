//! What a host has to be capable of for some questions to arise, and how that is found out.

use jiff::SignedDuration;

use super::accept::Answered;
use super::host::Patience;
use super::{Capability, Talk};
use crate::proto::Ask;
use crate::wire::Guid;
use crate::wire::rpc::{Flags, ResultCode, SyntaxId, TRANSFER_SYNTAXES_NOT_SUPPORTED, TransferSyntax};

/// Whether a host is capable of it; none, when nothing came that would say so.
pub(super) fn has(capability: Capability, talk: &mut Talk<'_>) -> Option<bool> {
    let is_kms = talk.service().interface == SyntaxId::KMS;
    match capability {
        Capability::Ndr64 => speaks_ndr64(talk),
        Capability::Btfn => offers_features(talk),
        Capability::Process => Some(talk.process().is_some()),
        _ if !is_kms => Some(false),
        Capability::Clock => refuses_wrong_clock(talk),
        Capability::Products => refuses_unknown_product(talk),
        Capability::Counting => counts(talk),
    }
}

/// Whether it accepts NDR64 alone, or beside NDR32: whoever does but one of these is found by a case.
fn speaks_ndr64(talk: &mut Talk<'_>) -> Option<bool> {
    for syntaxes in [&[SyntaxId::NDR64][..], &[SyntaxId::NDR32, SyntaxId::NDR64]] {
        talk.connect().ok()?;
        let contexts = syntaxes.iter().zip(0..).map(|(syntax, id)| talk.context(id, &[*syntax])).collect();
        let offered = talk.offer(contexts);
        talk.send_bind(Flags::WHOLE, &offered);
        talk.see(Patience::Answer, None).reply?;
        if (0..syntaxes.len() as u16).any(|id| talk.syntax_of(id) == Some(TransferSyntax::Ndr64)) {
            return Some(true);
        }
    }
    Some(false)
}

fn offers_features(talk: &mut Talk<'_>) -> Option<bool> {
    talk.connect().ok()?;
    let plain = talk.context(0, &[SyntaxId::NDR32]);
    let features = talk.context(1, &[SyntaxId::bind_time_features(3)]);
    let offered = talk.offer(vec![plain, features]);
    talk.send_bind(Flags::WHOLE, &offered);
    talk.see(Patience::Answer, None).reply?;
    // Whoever does not know them takes them for a syntax it does not speak. Whatever else is said is an answer to them.
    let unknown = (ResultCode::PROVIDER_REJECTION, TRANSFER_SYNTAXES_NOT_SUPPORTED);
    let result = talk.ack().and_then(|ack| ack.results.get(1));
    Some(result.is_none_or(|result| (result.result, result.reason) != unknown))
}

/// Whether a host refuses a client whose clock is ten hours off.
fn refuses_wrong_clock(talk: &mut Talk<'_>) -> Option<bool> {
    let ask = talk.ask(talk.version(), |request| {
        request.client_time = request.client_time.saturating_add(SignedDuration::from_hours(10));
    });
    answer(talk, &ask).map(|answer| matches!(answer, Answered::Refused(_)))
}

/// Whether a host refuses a product nobody knows.
fn refuses_unknown_product(talk: &mut Talk<'_>) -> Option<bool> {
    let ask = talk.ask(talk.version(), |request| request.kms_counted_id = Guid::from_u128(7));
    answer(talk, &ask).map(|answer| matches!(answer, Answered::Refused(_)))
}

/// Whether a host counts at all. One that makes its count up makes it up from what it is asked for, so that whoever
/// asks is content: one client that asks twice, with two N policies, is told two counts.
fn counts(talk: &mut Talk<'_>) -> Option<bool> {
    let large = count_for(talk, N_POLICY_LARGE)?;
    match large {
        Some(count) if count >= N_POLICY_LARGE => Some(count_for(talk, N_POLICY_SMALL)? == large),
        large => Some(large.is_some()),
    }
}

/// Whether a host has other clients, as far as that shows: asked over and over by one machine, it tells now the same
/// count and now a larger one. One that counts a machine each time it asks, or not at all, does neither.
pub(super) fn has_other_clients(talk: &mut Talk<'_>) -> bool {
    let counts: Vec<_> = (0..LOOKS).map_while(|_| count_for(talk, N_POLICY_LARGE).flatten()).collect();
    let mut grows = counts.windows(2).map(|pair| pair[0] < pair[1]).skip_while(|grows| *grows);
    counts.len() == LOOKS && counts.is_sorted() && grows.any(|grows| grows)
}

/// The count that was told, if one was; none, when no answer came.
fn count_for(talk: &mut Talk<'_>, n_policy: u32) -> Option<Option<u32>> {
    let ask = talk.ask(talk.version(), |request| request.n_policy = n_policy);
    answer(talk, &ask)?;
    Some(talk.told().and_then(|told| told.response.as_ref()).map(|response| response.count))
}

fn answer(talk: &mut Talk<'_>, ask: &Ask) -> Option<Answered> {
    talk.bind().ok()?;
    talk.send_ask(ask);
    talk.see(Patience::Answer, None).answer
}

/// As often a host is asked to see whether others ask it.
const LOOKS: usize = 12;
/// A Windows client's.
const N_POLICY_LARGE: u32 = 25;
/// A Windows server's.
const N_POLICY_SMALL: u32 = 5;
