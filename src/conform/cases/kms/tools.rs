//! What cases about KMS bodies have in common: who asks, how it is put, and what is told.

use jiff::SignedDuration;

use crate::catalog::{self, Product};
use crate::conform::accept::{Accept, Answered, Seen, Then, Want, loose, ok};
use crate::conform::cases::rpc::tools::SERVED_NEXT;
use crate::conform::host::{Closing, Patience};
use crate::conform::{Stop, Talk};
use crate::proto::Ask;
use crate::wire::kms::{ActivationRequest, ActivationResponse, ProtocolVersion};
use crate::wire::{Guid, Hresult};

/// A grant, or what a host says that has no key for the product.
pub const SERVED_OR_UNSERVED: &[Accept] =
    &[ok(Want::Served, Then::Either), ok(Want::Refused(&[Hresult::KMS_ID_MISMATCH.0]), Then::Either)];

/// What malformed data is refused with. Of a fault or a close a client makes the same: nothing.
pub const MALFORMED: &[Accept] = &[
    ok(Want::Refused(&[Hresult::INVALID_DATA.0]), Then::Either),
    loose(Want::AnyFault, Then::Either),
    loose(Want::Silence, Then::Closed),
];

/// What malformed data is supposed to be refused with, where nobody has published what genuine hosts do.
pub const MALFORMED_OR_SERVED: &[Accept] = &[
    ok(Want::Refused(&[Hresult::INVALID_DATA.0]), Then::Either),
    loose(Want::Answered, Then::Either),
    loose(Want::AnyFault, Then::Either),
    loose(Want::Silence, Then::Closed),
];

/// Puts an envelope to the host over the connection there is. A host that closed it after what came before is asked
/// again over a new one, so that nothing is laid at the wrong door. Without `ask`, what is granted is not judged.
pub fn put(t: &mut Talk<'_>, label: &str, payload: &[u8], ask: Option<&Ask>, accepts: &[Accept]) -> Result<Seen, Stop> {
    let is_new = t.is_over();
    if is_new {
        t.bind()?;
    }
    let mut seen = say(t, payload, ask);
    if !is_new && seen.reply.is_none() && seen.closing != Closing::Open {
        t.bind()?;
        seen = say(t, payload, ask);
    }
    t.judge(label, &seen, accepts);
    // Whoever is silent once is silent again, and each silence takes as long as an answer may.
    if seen.reply.is_none() && seen.closing == Closing::Open {
        return Err(Stop::Foundation(format!("no answer came: {label}")));
    }
    Ok(seen)
}

/// The same of an ordinary envelope.
pub fn put_ask(t: &mut Talk<'_>, label: &str, ask: &Ask, accepts: &[Accept]) -> Result<Seen, Stop> {
    put(t, label, ask.payload(), Some(ask), accepts)
}

/// Asks what has to be granted, and says what was told.
pub fn granted(t: &mut Talk<'_>, label: &str, ask: &Ask) -> Result<Option<ActivationResponse>, Stop> {
    put_ask(t, label, ask, SERVED_NEXT)?;
    Ok(told(t))
}

/// What machine `number` of the pool is told, which has to be granted.
pub fn client(t: &mut Talk<'_>, label: &str, number: u32) -> Result<Option<ActivationResponse>, Stop> {
    let id = cmid(t, number);
    let ask = t.ask(t.version(), |request| request.cmid = id);
    granted(t, label, &ask)
}

/// What an ordinary request came to that is changed so.
pub fn put_changed(
    t: &mut Talk<'_>,
    label: &str,
    accepts: &[Accept],
    change: impl FnOnce(&mut ActivationRequest),
) -> Result<Seen, Stop> {
    let ask = t.ask(t.version(), change);
    put_ask(t, label, &ask, accepts)
}

/// The versions in which this host answers an ordinary request: that it lacks one is other cases' to say.
pub fn served_versions(t: &mut Talk<'_>) -> Result<Vec<ProtocolVersion>, Stop> {
    let mut served = Vec::new();
    for version in ProtocolVersion::ALL {
        if t.is_over() {
            t.bind()?;
        }
        let ask = t.ask(version, |_| {});
        let seen = say(t, ask.payload(), Some(&ask));
        if seen.answer == Some(Answered::Granted) {
            served.push(version);
        }
    }
    match served[..] {
        [] => Err(Stop::Foundation("no ordinary request is answered, in any version".to_owned())),
        _ => Ok(served),
    }
}

/// Puts what is changed so in each of these versions; to a host that takes its time in one of them, in turn.
pub fn put_in_each(
    t: &mut Talk<'_>,
    versions: &[ProtocolVersion],
    label: &str,
    accepts: &[Accept],
    change: impl Fn(&mut ActivationRequest),
) -> Result<(), Stop> {
    for version in t.in_turn(versions) {
        let ask = t.ask(version, &change);
        put_ask(t, &format!("{label}, in version {version}"), &ask, accepts)?;
    }
    Ok(())
}

/// The client's clock is so many hours ahead.
pub fn ahead(request: &mut ActivationRequest, hours: i64) {
    request.client_time = request.client_time.saturating_add(SignedDuration::from_hours(hours));
}

/// The count is to be what it was. A host that has other clients may have counted one of them meanwhile: then it
/// cannot be told.
pub fn require_as_before(t: &mut Talk<'_>, before: u32, count: u32) -> Result<(), Stop> {
    if count > before && !t.is_alone() {
        return Err(Stop::NotApplicable(format!(
            "the count grew from {before} to {count}: others may ask the host too"
        )));
    }
    t.field("count", before, count);
    Ok(())
}

/// What the last answer said.
pub fn told(t: &Talk<'_>) -> Option<ActivationResponse> {
    t.told().and_then(|answer| answer.response.clone())
}

/// The client machine id of that number.
pub fn cmid(t: &Talk<'_>, number: u32) -> Guid {
    t.machine(number).id.guid()
}

/// What machine `number` asks for another product than usual.
pub fn ask_for(t: &mut Talk<'_>, number: u32, product: &'static Product) -> Ask {
    let now = t.now();
    let request = t.machine_with(number, product).request(t.version(), now, now);
    let iv = t.iv();
    Ask::new(request, iv)
}

/// Nobody else is to be counted meanwhile: else it cannot be told what one machine adds.
pub fn require_alone(t: &Talk<'_>) -> Result<(), Stop> {
    match t.is_alone() {
        true => Ok(()),
        false => Err(Stop::NotApplicable("others may ask the host too".to_owned())),
    }
}

/// Of these products those that the host serves: that it lacks one is its own affair.
pub fn served_products(t: &mut Talk<'_>, names: &[&str]) -> Result<Vec<&'static Product>, Stop> {
    let mut served = Vec::new();
    for name in names {
        let ask = ask_for(t, 0, product(name));
        let seen = put_ask(t, name, &ask, SERVED_OR_UNSERVED)?;
        if seen.answer == Some(Answered::Granted) {
            served.push(product(name));
        }
    }
    match served[..] {
        [] => Err(Stop::NotApplicable(format!("the host serves none of it: {}", names.join(", ")))),
        _ => Ok(served),
    }
}

/// It asks for this product.
pub fn of(request: &mut ActivationRequest, product: &Product) {
    (request.application_id, request.sku_id) = (product.application_id(), product.sku_id);
    (request.kms_counted_id, request.n_policy) = (product.kms_counted_id, product.n_policy);
}

/// A product that every catalogue has.
pub fn product(name: &str) -> &'static Product {
    catalog::find(name).expect("the catalogue has it")
}

/// After what was refused, the connection goes on, or it is closed and another one serves.
pub fn goes_on(t: &mut Talk<'_>) {
    // An end that is on its way counts as one.
    t.closing(Patience::Silence);
    t.still_serves("the connection afterwards");
}

/// Sends an envelope over the connection there is, and says what came of it.
pub fn say(t: &mut Talk<'_>, payload: &[u8], ask: Option<&Ask>) -> Seen {
    t.send_payload(payload, ask.cloned());
    t.see(Patience::Answer, None)
}

/// What ordinary clients want.
pub const WINDOWS: &str = "Windows 11 Enterprise";
/// Of another application.
pub const OFFICE: &str = "Office Professional Plus 2019";
/// Of a third.
pub const OFFICE_2010: &str = "Office Professional Plus 2010";
/// Counted with the ordinary ones; it needs fewer.
pub const SERVER: &str = "Windows Server 2022 Standard";
/// Version 4.0, in short.
pub const V4: ProtocolVersion = ProtocolVersion::V4;
/// Version 5.0, in short.
pub const V5: ProtocolVersion = ProtocolVersion::V5;
/// Version 6.0, in short.
pub const V6: ProtocolVersion = ProtocolVersion::V6;
