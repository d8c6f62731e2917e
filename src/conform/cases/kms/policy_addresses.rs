//! What a host is at each of its addresses.

use super::tools::client;
use crate::conform::cases::rpc::tools::SERVED_NEXT;
use crate::conform::host::Patience;
use crate::conform::{Case, Confidence, Level, Stop, Talk};
use crate::wire::kms::ActivationResponse;
use crate::wire::rpc::TransferSyntax;

pub(super) static CASES: &[Case] = &[Case::new(
    "kms/policy/every-address",
    Level::Win,
    "each address of the host",
    "A host that listens at more than one address is the same at each: it tells the same ePID, count and intervals.",
    "clients find a host by name and take any of its addresses; protocol description, sections 3 and 6",
    |t| {
        if t.addresses() < 2 {
            return Err(Stop::NotApplicable("the host was named by one address".to_owned()));
        }
        // Of one machine alone even two counts would be the same.
        client(t, "another machine", OTHER_MACHINE)?;
        let mut first: Option<ActivationResponse> = None;
        let mut reached = 0;
        for number in 0..t.addresses() {
            let address = t.address(number);
            if let Err(stop) = t.connect_to(number) {
                // A name may stand for addresses at which nobody listens: clients go on to the next.
                t.note(stop.to_string());
                continue;
            }
            reached += 1;
            let Some(told) = told_here(t, &address)? else { continue };
            let first = first.get_or_insert_with(|| told.clone());
            t.field("epid", first.epid.as_str(), told.epid.as_str());
            t.field("count", first.count, told.count);
            let intervals = |told: &ActivationResponse| (told.activation_interval_min, told.renewal_interval_min);
            t.field("intervals", intervals(first), intervals(&told));
        }
        if reached < 2 {
            return Err(Stop::NotApplicable("the host is there at one of its addresses alone".to_owned()));
        }
        Ok(())
    },
)
.of_kms()
.confidence(Confidence::Medium)];

/// What the host says over the connection there is.
fn told_here(t: &mut Talk<'_>, address: &str) -> Result<Option<ActivationResponse>, Stop> {
    if let Err(stop) = t.bind_here(TransferSyntax::Ndr32) {
        t.holds("reply", false, || (format!("a bind_ack at {address}"), stop.to_string()));
        return Ok(None);
    }
    let ask = t.ask(t.version(), |_| {});
    t.send_ask(&ask);
    let seen = t.see(Patience::Answer, None);
    t.judge(address, &seen, SERVED_NEXT);
    Ok(t.told().and_then(|answer| answer.response.clone()))
}

const OTHER_MACHINE: u32 = 1;
