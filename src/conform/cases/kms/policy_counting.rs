//! How a KMS host counts (protocol description, section 6).

use super::tools::{
    OFFICE, OFFICE_2010, SERVED_OR_UNSERVED, SERVER, WINDOWS, ask_for, client, cmid, granted, product, put_ask,
    require_as_before, served_versions, told,
};
use crate::conform::accept::Answered;
use crate::conform::cases::rpc::tools::SERVED_NEXT;
use crate::conform::{Capability, Case, Confidence, Level, Stop, Talk};
use crate::proto::Ask;
use crate::wire::kms::{ActivationRequest, ActivationResponse, LicenseStatus, ProtocolVersion, WorkstationName};
use crate::wire::{Guid, Hresult};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "kms/policy/new-client",
        Level::Win,
        "machines the host has not seen",
        "The count is at least the number of machines that have asked, virtual and licensed ones among them, up to twice \
         the N policy, and each new one adds no more than one. All of them are told the same intervals.",
        "Windows 7 resource kit on the cache of 2N ids kept for thirty days; protocol description, section 6",
        |t| {
            let (mut before, mut intervals) = (None, None);
            for number in 0..CROWD {
                let (words, kind) = &KINDS[number as usize % KINDS.len()];
                let id = cmid(t, number);
                let ask = t.ask(t.version(), |request| {
                    request.cmid = id;
                    kind(request);
                });
                let label = format!("machine {}, {words}", number + 1);
                let Some(told) = granted(t, &label, &ask)? else { return Ok(()) };
                at_least(t, number + 1, told.count);
                let these = (told.activation_interval_min, told.renewal_interval_min);
                t.field("intervals", *intervals.get_or_insert(these), these);
                // A host that has other clients may have counted one of them meanwhile.
                let most = before.replace(told.count).filter(|_| t.is_alone()).map_or(u32::MAX, |before| before + 1);
                t.holds("count", told.count <= most, || (format!("at most {most}"), told.count.to_string()));
            }
            Ok(())
        },
    )
    .revision(3)
    .of_kms()
    .needs(&[Capability::Counting])
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/same-client",
        Level::Win,
        "a machine that asks again",
        "A machine that asks again is not counted again, whatever it is called meanwhile and whoever asked since.",
        "Windows 7 resource kit on the cache of 2N ids kept for thirty days; protocol description, section 6",
        |t| {
            // Office first: of its machines a host has seen fewer, so that one more shows.
            for name in [OFFICE, WINDOWS] {
                let ask = ask_for(t, 1, product(name));
                put_ask(t, &format!("a machine with {name}"), &ask, SERVED_OR_UNSERVED)?;
                let Some(first) = told(t) else { continue };
                let ask = ask_for(t, 1, product(name));
                let Some(again) = granted(t, "the same again", &ask)? else { continue };
                require_as_before(t, first.count, again.count)?;
                let mut request = ask.request().clone();
                request.workstation = WorkstationName::new("conform-clone").expect("it is short");
                let clone = Ask::new(request, t.iv());
                let Some(clone) = granted(t, "the same under another name", &clone)? else { continue };
                require_as_before(t, first.count, clone.count)?;
                let other = ask_for(t, 2, product(name));
                let Some(other) = granted(t, "another machine", &other)? else { continue };
                for (label, number) in [("the first again", 1), ("the other again", 2), ("and the first once more", 1)] {
                    let ask = ask_for(t, number, product(name));
                    let Some(told) = granted(t, label, &ask)? else { continue };
                    require_as_before(t, other.count, told.count)?;
                }
            }
            Ok(())
        },
    )
    .revision(2)
    .of_kms()
    .needs(&[Capability::Counting])
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/previous-cmid",
        Level::Win,
        "the client machine id a machine had before",
        "The client machine id a machine had before makes no difference, to the answer or to the count, in any version.",
        "independent implementations agree on what genuine hosts do",
        |t| {
            client(t, "another machine", 2)?;
            let Some(without) = client(t, "no previous id", 0)? else { return Ok(()) };
            for version in served_versions(t)? {
                for (words, previous) in [
                    ("a random previous id", Guid::from_u128(0x7fd0_11d6_6b21_4b3f_9e52_2d41_3c0a_9b77)),
                    ("a previous id that is the present one", cmid(t, 0)),
                    ("a previous id of another machine", cmid(t, 2)),
                ] {
                    let ask = t.ask(version, |request| request.previous_cmid = previous);
                    if let Some(with) = granted(t, &format!("{words}, in version {version}"), &ask)? {
                        require_as_before(t, without.count, with.count)?;
                    }
                }
            }
            Ok(())
        },
    )
    .revision(2)
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/one-count-for-windows",
        Level::Win,
        "Windows clients and servers",
        "Windows clients and Windows servers are counted together, and a machine that was both once.",
        "Microsoft Learn on KMS activation counts; protocol description, section 6",
        |t| {
            let mut clients = 0;
            for number in 0..FEW {
                let ask = ask_for(t, number, product(WINDOWS));
                let label = format!("Windows client {}", number + 1);
                let Some(told) = other_product(t, &label, &ask)? else { return Ok(()) };
                clients = told.count;
            }
            let ask = ask_for(t, SERVER_MACHINE, product(SERVER));
            let Some(server) = other_product(t, "a Windows server", &ask)? else { return Ok(()) };
            at_least(t, clients.max(FEW), server.count);
            let ask = ask_for(t, FEW - 1, product(SERVER));
            let Some(both) = granted(t, &format!("a Windows server that was client {FEW}"), &ask)? else { return Ok(()) };
            require_as_before(t, server.count, both.count)
        },
    )
    .revision(2)
    .of_kms()
    .needs(&[Capability::Counting])
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/applications-apart",
        Level::Win,
        "Windows and Office",
        "Each application has a count of its own: a machine that asks for Windows does not count for Office.",
        "independent implementations agree; protocol description, section 6",
        |t| {
            let office = ask_for(t, 1, product(OFFICE));
            let Some(before) = other_product(t, "Office", &office)? else { return Ok(()) };
            let windows = ask_for(t, NEW_MACHINE, product(WINDOWS));
            if other_product(t, "Windows on a machine not seen before", &windows)?.is_none() {
                return Ok(());
            }
            let office = ask_for(t, 1, product(OFFICE));
            let Some(after) = granted(t, "the same Office again", &office)? else { return Ok(()) };
            require_as_before(t, before.count, after.count)
        },
    )
    .of_kms()
    .needs(&[Capability::Counting])
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/second-product",
        Level::Win,
        "two products of one application on a machine",
        "A machine that was granted one Office product is granted another.",
        "protocol description, section 6",
        |t| {
            let first = ask_for(t, 1, product(OFFICE));
            if other_product(t, "Office", &first)?.is_some() {
                let second = ask_for(t, 1, product(VISIO));
                put_ask(t, "Visio on the same machine", &second, SERVED_NEXT)?;
            }
            Ok(())
        },
    )
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/versions-agree",
        Level::Rec,
        "the three versions side by side",
        "Versions 4.0, 5.0 and 6.0 tell a machine the same ePID, the same count and the same intervals.",
        "robustness: one host has one state",
        |t| {
            let mut first: Option<ActivationResponse> = None;
            for version in [ProtocolVersion::V6, ProtocolVersion::V5, ProtocolVersion::V4] {
                let ask = t.ask(version, |_| {});
                let Some(told) = granted(t, &format!("version {version}"), &ask)? else { continue };
                let first = first.get_or_insert_with(|| told.clone());
                t.field("epid", first.epid.as_str(), told.epid.as_str());
                require_as_before(t, first.count, told.count)?;
                let intervals = |told: &ActivationResponse| (told.activation_interval_min, told.renewal_interval_min);
                t.field("intervals", intervals(first), intervals(&told));
            }
            Ok(())
        },
    )
    .of_kms(),
    Case::new(
        "kms/policy/intervals",
        Level::Rec,
        "when clients are to ask again",
        "Clients of every product are told the same intervals: neither is 0, and a renewal comes before the 180 days of a \
         lease are over.",
        "Microsoft Learn, slmgr options (/sai, /sri): two settings of a host; protocol description, section 5",
        |t| {
            let mut first = None;
            for name in [WINDOWS, SERVER, OFFICE, OFFICE_2010] {
                let ask = ask_for(t, 0, product(name));
                put_ask(t, name, &ask, SERVED_OR_UNSERVED)?;
                let Some(told) = told(t) else { continue };
                let (retry, renewal) = (told.activation_interval_min, told.renewal_interval_min);
                let first = *first.get_or_insert((retry, renewal));
                t.field("intervals", first, (retry, renewal));
                let makes_sense = retry > 0 && (1..LEASE_MIN).contains(&renewal);
                t.holds("intervals", makes_sense, || {
                    let due = format!("a retry after 1 minute or more, a renewal after 1 to {}", LEASE_MIN - 1);
                    (due, format!("{retry} and {renewal} minutes"))
                });
            }
            Ok(())
        },
    )
    .of_kms(),
];

/// What is told of a product that a host need not serve.
pub fn other_product(t: &mut Talk<'_>, label: &str, ask: &Ask) -> Result<Option<ActivationResponse>, Stop> {
    let seen = put_ask(t, label, ask, SERVED_OR_UNSERVED)?;
    if seen.answer == Some(Answered::Refused(Hresult::KMS_ID_MISMATCH.0)) {
        return Err(Stop::NotApplicable(format!("the host does not serve it: {label}")));
    }
    Ok(told(t))
}

/// Whether as many are counted as there certainly are.
pub fn at_least(t: &mut Talk<'_>, least: u32, count: u32) {
    t.holds("count", count >= least, || (format!("at least {least}"), count.to_string()));
}

/// A kind of machine, and what it says of itself.
type Kind = (&'static str, fn(&mut ActivationRequest));

const KINDS: &[Kind] = &[
    ("an ordinary one", |_| {}),
    ("virtual", |request| request.is_vm = 1),
    ("licensed", |request| request.license_status = LicenseStatus::LICENSED),
    ("in notification", |request| request.license_status = LicenseStatus::NOTIFICATION),
    ("out of tolerance", |request| request.license_status = LicenseStatus(3)),
    ("without a name", |request| request.workstation = WorkstationName::from_units([0; 64])),
    ("with a required count of 5", |request| request.n_policy = 5),
];

/// The 180 days of a lease.
const LEASE_MIN: u32 = 180 * 24 * 60;
const VISIO: &str = "Office Visio Pro 2019";
const CROWD: u32 = 30;
const FEW: u32 = 5;
const SERVER_MACHINE: u32 = 31;
const NEW_MACHINE: u32 = 32;
