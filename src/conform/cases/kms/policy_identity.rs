//! Who is counted, and together with whom: within an application the client machine id decides, and nothing else
//! (protocol description, section 6).

use std::time::Duration;

use super::policy_counting::{at_least, other_product};
use super::tools::{
    OFFICE_2010, SERVED_OR_UNSERVED, WINDOWS, ahead, ask_for, client, cmid, granted, product, put_ask,
    require_as_before, say, served_versions, told,
};
use crate::client::identity::{ClientId, Group, Index};
use crate::conform::host::{Closing, Patience};
use crate::conform::{Capability, Case, Confidence, Level, Stop, Talk};
use crate::proto::Ask;
use crate::wire::Guid;
use crate::wire::kms::{ActivationRequest, LicenseStatus, WorkstationName};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "kms/policy/similar-ids",
        Level::Win,
        "machines whose ids are nearly the same",
        "Machines whose client machine ids differ in a few bytes are as many machines, wherever those bytes stand.",
        "Windows 7 resource kit on the cache of 2N ids; protocol description, section 6: the whole id decides",
        |t| {
            // With the one that other cases ask for, they are all that a host has from here.
            let ids = std::iter::once(cmid(t, MACHINE)).chain(similar_ids());
            for (at, id) in ids.enumerate() {
                let number = at as u32 + 1;
                let mut request = ask_for(t, 0, product(OFFICE_2010)).request().clone();
                request.cmid = id;
                let ask = Ask::new(request, t.iv());
                let Some(told) = other_product(t, &format!("machine {number}, {id}"), &ask)? else { return Ok(()) };
                at_least(t, number, told.count);
            }
            Ok(())
        },
    )
    .revision(2)
    .of_kms()
    .needs(&[Capability::Counting])
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/office-generations",
        Level::Win,
        "Office 2010 and the Office versions after it",
        "Office 2010 is an application with a count of its own; Office 2013 and everything later are one application and \
         are counted together, a machine with two of them once.",
        "Microsoft's application ids; independent implementations agree; protocol description, section 6",
        |t| {
            let old = ask_for(t, MACHINE, product(OFFICE_2010));
            let before = other_product(t, "Office 2010", &old)?;
            let mut count = 0;
            for (number, name) in (2..).zip(LATER_OFFICES) {
                let ask = ask_for(t, number, product(name));
                let Some(told) = other_product(t, name, &ask)? else { return Ok(()) };
                at_least(t, number - 1, told.count);
                count = told.count;
            }
            for name in LATER_OFFICES {
                let ask = ask_for(t, 2, product(name));
                let Some(told) = granted(t, &format!("{name} on machine 2"), &ask)? else { return Ok(()) };
                require_as_before(t, count, told.count)?;
            }
            let Some(before) = before else { return Ok(()) };
            let old = ask_for(t, MACHINE, product(OFFICE_2010));
            let Some(after) = granted(t, "the same Office 2010 again", &old)? else { return Ok(()) };
            require_as_before(t, before.count, after.count)
        },
    )
    .revision(2)
    .of_kms()
    .needs(&[Capability::Counting])
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/same-id",
        Level::Win,
        "one machine, whatever else it says",
        "A client machine id is counted once, whatever else its requests say, in whichever version and on whichever \
         connection they come.",
        "Windows 7 resource kit on the cache of 2N ids kept for thirty days; protocol description, section 6",
        |t| {
            // Office first: of its machines a host has seen fewer, so that one more shows.
            let both = vec![(OFFICE_2010, MACHINE, similar_ids()[0]), (WINDOWS, 1, cmid(t, 0))];
            for (name, number, other) in t.some_of(both, 1, 20) {
                // Where two are counted, whoever is counted elsewhere as well is told another count.
                let mut request = ask_for(t, number, product(name)).request().clone();
                request.cmid = other;
                let ask = Ask::new(request, t.iv());
                put_ask(t, &format!("another machine with {name}"), &ask, SERVED_OR_UNSERVED)?;
                let ask = ask_for(t, number, product(name));
                let seen = put_ask(t, name, &ask, SERVED_OR_UNSERVED)?;
                let Some(first) = told(t) else {
                    t.note(format!("{name}: {seen}"));
                    continue;
                };
                one_machine(t, ask.request(), first.count)?;
            }
            Ok(())
        },
    )
    .of_kms()
    .needs(&[Capability::Counting])
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/still-counted",
        Level::Win,
        "machines that were counted a while ago",
        "A machine that was counted is still counted seconds later, and after sixty requests of others; what was refused on a \
         connection is refused on it seconds later as well.",
        "Windows 7 resource kit on ids that are kept for thirty days; protocol description, section 6",
        |t| {
            let mut before = 0;
            for number in 0..FEW {
                let Some(told) = client(t, &format!("machine {}", number + 1), number)? else { return Ok(()) };
                before = told.count;
            }
            if !t.is_paced() {
                for number in 0..t.times(OTHERS, 12, 1) as u32 {
                    if number % 20 == 0 {
                        t.bind()?;
                    }
                    let label = format!("request {} of one that was counted before", number + 1);
                    let Some(told) = client(t, &label, number % 2)? else { return Ok(()) };
                    require_as_before(t, before, told.count)?;
                }
            }
            t.bind()?;
            let (idle, before_it) = (t.line(), refusals(t));
            t.rest(A_WHILE);
            // A host may have closed it meanwhile.
            t.on(idle);
            if t.closing(Patience::Silence) == Closing::Open {
                let after_it = refusals(t);
                t.holds("code", before_it == after_it, || (before_it, after_it));
            }
            // The pause shows to whoever connects after it.
            t.bind()?;
            for number in (0..FEW).rev() {
                let Some(told) = client(t, &format!("machine {} again", number + 1), number)? else { return Ok(()) };
                require_as_before(t, before, told.count)?;
            }
            Ok(())
        },
    )
    .revision(3)
    .of_kms()
    .needs(&[Capability::Counting])
    .confidence(Confidence::Medium),
];

/// What comes of a clock that is hours off, and of a product nobody knows, on the connection there is.
fn refusals(t: &mut Talk<'_>) -> String {
    let wrong: [fn(&mut ActivationRequest); 2] =
        [|request| ahead(request, 10), |request| request.kms_counted_id = Guid::from_u128(7)];
    let came = wrong.map(|change| {
        let ask = t.ask(t.version(), change);
        say(t, ask.payload(), Some(&ask)).answer.map_or("no response".to_owned(), |answer| answer.to_string())
    });
    came.join(", then ")
}

/// Asks again for a machine that was counted, each time with something else about it.
fn one_machine(t: &mut Talk<'_>, request: &ActivationRequest, count: u32) -> Result<(), Stop> {
    for (label, change) in CHANGES {
        let mut request = request.clone();
        change(&mut request);
        let ask = Ask::new(request, t.iv());
        let Some(told) = granted(t, label, &ask)? else { continue };
        require_as_before(t, count, told.count)?;
    }
    let mut other = request.clone();
    other.previous_cmid = cmid(t, 2);
    let ask = Ask::new(other, t.iv());
    if let Some(told) = granted(t, "with the previous id of another machine", &ask)? {
        require_as_before(t, count, told.count)?;
    }
    t.bind()?;
    for version in served_versions(t)? {
        let ask = Ask::new(ActivationRequest { version, ..request.clone() }, t.iv());
        let Some(told) = granted(t, &format!("in version {version}"), &ask)? else { continue };
        require_as_before(t, count, told.count)?;
    }
    Ok(())
}

/// What a machine may say of itself without being another one.
type Change = (&'static str, fn(&mut ActivationRequest));

const CHANGES: &[Change] = &[
    ("the same again", |_| {}),
    ("under another name", |request| request.workstation = named("conform-clone")),
    ("under no name", |request| request.workstation = WorkstationName::from_units([0; 64])),
    ("with another SKU id", |request| request.sku_id = Guid::from_u128(0x5d1c_0f7e_9a3b_4e62_8d05_77c1_e6b4_2a90)),
    ("as a virtual machine", |request| request.is_vm ^= 1),
    ("unlicensed", |request| request.license_status = LicenseStatus(0)),
    ("licensed", |request| request.license_status = LicenseStatus::LICENSED),
    ("in notification", |request| request.license_status = LicenseStatus::NOTIFICATION),
    ("with a minute left", |request| request.binding_expiration_min = 1),
    ("with half a year left", |request| request.binding_expiration_min = 259_200),
    ("with a required count of 1", |request| request.n_policy = 1),
    ("with a required count of 4", |request| request.n_policy = 4),
    ("with a clock an hour ahead", |request| ahead(request, 1)),
    ("with a clock three hours behind", |request| ahead(request, -3)),
    ("with a previous id", |request| request.previous_cmid = request.cmid),
];

fn named(name: &str) -> WorkstationName {
    WorkstationName::new(name).expect("it is short")
}

/// Ids of synthetic machines, like all of ours, in pairs that are the same but for a few bytes: at the end of the
/// printed id, and in its second four bytes. Ids whose tags differ cannot be told apart from fewer bytes.
fn similar_ids() -> Vec<Guid> {
    let index = |number| Index::new(number).expect("an id has room for it");
    let at_the_end = AT_THE_END.map(|number| ClientId::pool(index(number)).guid());
    let in_the_middle = IN_THE_MIDDLE.map(|(seed, group)| {
        ClientId::mint(seed, Group::new(group).expect("it is one of 4,096"), index(OF_SEEDS)).guid()
    });
    at_the_end.into_iter().chain(in_the_middle).collect()
}

const LATER_OFFICES: [&str; 4] = [
    "Office Professional Plus 2019",
    "Office Professional Plus 2013",
    "Office Professional Plus 2016",
    "Office Visio Pro 2019",
];
/// The machine that has Office 2010; other cases ask it for nothing.
const MACHINE: u32 = 46;
const FEW: u32 = 5;
/// More requests than a short memory holds.
const OTHERS: usize = 60;
/// Long enough for whoever forgets within seconds.
const A_WHILE: Duration = Duration::from_millis(2500);
/// Machines of the pool whose ids are the same but for their last two bytes.
const AT_THE_END: [u32; 2] = [0xaec_9957, 0xaec_da06];
/// A machine of several seeds and groups.
const OF_SEEDS: u32 = 140;
/// Seeds and groups whose machine of this number has the same id but for the bytes 4 to 7, as printed.
const IN_THE_MIDDLE: [(u64, u16); 2] = [(0x8a25, 0x13e), (0x8a19, 0x631)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_ids_are_ours_and_differ_in_few_bytes_that_stand_together() {
        let ids = similar_ids();
        for (pair, due) in ids.chunks(2).zip([14..=15, 4..=7]) {
            assert!(pair.iter().all(|id| ClientId::recognise(*id).is_some()), "{pair:?}");
            let bytes = |id: Guid| id.as_u128().to_be_bytes();
            let differing: Vec<_> = (0..16).filter(|at| bytes(pair[0])[*at] != bytes(pair[1])[*at]).collect();
            assert_eq!(differing, due.collect::<Vec<_>>(), "{pair:?}");
        }
    }
}
