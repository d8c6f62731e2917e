//! Machines of every kind that a host has not seen: each is one more, as long as there is room (protocol description,
//! section 6).

use super::policy_counting::{at_least, other_product};
use super::tools::{
    OFFICE, OFFICE_2010, SERVED_OR_UNSERVED, WINDOWS, ask_for, cmid, granted, of, product, put_ask, require_alone,
    served_versions, told,
};
use crate::catalog::Product;
use crate::conform::{Capability, Case, Confidence, Level, Stop, Talk};
use crate::proto::Ask;
use crate::wire::Guid;
use crate::wire::kms::{ActivationRequest, LicenseStatus, ProtocolVersion};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "kms/policy/new-kinds",
        Level::Win,
        "new machines of every kind",
        "A machine that was not counted is one more in the count of its application, whatever state it is in, whatever it \
         was before, virtual or not and in whichever version it asks.",
        "Microsoft Learn on KMS activation counts; protocol description, section 6: all else reaches the event log alone",
        |t| {
            require_alone(t)?;
            let versions = served_versions(t)?;
            let mut is_seen = false;
            for (name, numbers, known) in TABLES {
                is_seen |= adds_each(t, &versions, name, numbers, *known)?;
            }
            match is_seen {
                true => Ok(()),
                false => Err(Stop::NotApplicable("the host counts these machines already, or has no room".to_owned())),
            }
        },
    )
    .of_kms()
    .needs(&[Capability::Counting])
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/twice-n",
        Level::Win,
        "more machines than the host keeps",
        "The count reaches twice the largest N policy that was asked for, and stops there.",
        "Windows 7 resource kit on the cache of 2N ids kept for thirty days; independent implementations agree",
        |t| {
            if product(t.service().product).application == product(OFFICE).application {
                return Err(Stop::NotApplicable("ordinary clients ask for Office with larger N policies".to_owned()));
            }
            let most = 2 * product(OFFICE).n_policy;
            for number in 0..most + 3 {
                let ask = ask_for(t, number, product(OFFICE));
                let Some(told) = other_product(t, &format!("machine {}", number + 1), &ask)? else { return Ok(()) };
                if number == 0 && told.count > most {
                    // Whoever came before asked for more.
                    return Err(Stop::NotApplicable(format!("the host counts {} already", told.count)));
                }
                // A table that somebody else made larger before, and that is not full, looks the same.
                if number + 1 >= most {
                    at_least(t, most, told.count);
                }
                t.should_hold("count", told.count <= most, || (format!("at most {most}"), told.count.to_string()));
            }
            Ok(())
        },
    )
    .revision(2)
    .of_kms()
    .needs(&[Capability::Counting])
    .confidence(Confidence::Medium),
];

/// Whether the first of these machines is new to the host; then each of the others has to be one more.
fn adds_each(
    t: &mut Talk<'_>,
    versions: &[ProtocolVersion],
    name: &str,
    numbers: &[u32],
    known: u32,
) -> Result<bool, Stop> {
    let wanted = product(name);
    let ask = ask_for(t, known, wanted);
    put_ask(t, &format!("a machine with {name}"), &ask, SERVED_OR_UNSERVED)?;
    let Some(before) = told(t).map(|told| told.count) else { return Ok(false) };
    let previous = cmid(t, known);
    let [first, others @ ..] = numbers else { return Ok(false) };
    // More than that would be pushed out again.
    if before + numbers.len() as u32 > 2 * wanted.n_policy {
        return Ok(false);
    }
    let ask = ask_for(t, *first, wanted);
    let Some(told) = granted(t, &format!("another with {name}"), &ask)? else { return Ok(false) };
    if told.count != before + 1 {
        t.note(format!("the host counts machines with {name} already"));
        return Ok(false);
    }
    let mut count = told.count;
    let kinds = KINDS.iter().filter(|kind| versions.contains(&kind.version)).cycle().skip(wanted.edition.len() % 3);
    for (number, kind) in others.iter().zip(kinds) {
        let id = cmid(t, *number);
        let ask = kind.ask(t, id, wanted, previous);
        let Some(more) = adds_one(t, &kind.words(name), &ask, count)? else { return Ok(true) };
        count = more;
    }
    let ask = ask_for(t, known, wanted);
    if let Some(told) = granted(t, "the first one again", &ask)? {
        t.holds("count", told.count == count, || (count.to_string(), told.count.to_string()));
    }
    Ok(true)
}

/// What a new machine is told, which has to be one more than before.
pub fn adds_one(t: &mut Talk<'_>, label: &str, ask: &Ask, before: u32) -> Result<Option<u32>, Stop> {
    let Some(told) = granted(t, label, ask)? else { return Ok(None) };
    let due = before + 1;
    t.holds("count", told.count == due, || (format!("{due}, for {before} were counted"), told.count.to_string()));
    Ok(Some(told.count))
}

/// What a machine of an id asks for a product, changed.
pub fn ask_as(t: &mut Talk<'_>, id: Guid, wanted: &Product, change: impl FnOnce(&mut ActivationRequest)) -> Ask {
    t.ask(t.version(), |request| {
        of(request, wanted);
        request.cmid = id;
        change(request);
    })
}

/// A kind of machine.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// In which version it asks.
    pub version: ProtocolVersion,
    /// Its license status.
    pub status: u32,
    /// Whether it is virtual.
    pub is_vm: bool,
    /// Whether it says that it had the id of a machine that was counted.
    pub was_another: bool,
}

impl Kind {
    /// What such a machine asks; `previous` was counted.
    pub fn ask(self, t: &mut Talk<'_>, id: Guid, wanted: &Product, previous: Guid) -> Ask {
        ask_as(t, id, wanted, |request| {
            request.version = self.version;
            request.license_status = LicenseStatus(self.status);
            request.is_vm = self.is_vm.into();
            if self.was_another {
                request.previous_cmid = previous;
            }
        })
    }

    /// In words.
    pub fn words(self, name: &str) -> String {
        let virtual_or_not = if self.is_vm { "a virtual machine" } else { "a machine" };
        let was_another = if self.was_another { ", with the previous id of another" } else { "" };
        let Kind { version, status, .. } = self;
        format!("{virtual_or_not} with {name} of status {status}{was_another}, in version {version}")
    }
}

const fn kind(version: ProtocolVersion, status: u32, is_vm: bool, was_another: bool) -> Kind {
    Kind { version, status, is_vm, was_another }
}

const KINDS: &[Kind] = &[
    kind(ProtocolVersion::V4, 1, false, false),
    kind(ProtocolVersion::V6, 0, true, true),
    kind(ProtocolVersion::V5, 5, true, false),
    kind(ProtocolVersion::V4, 6, true, true),
    kind(ProtocolVersion::V6, 1, true, false),
    kind(ProtocolVersion::V5, 0, false, true),
];

/// Products, machines that ask no other case's questions for them, and one that was counted. There is little room: a host
/// keeps ten of Office until somebody asks for more, and we never ask for more where that would stay.
const TABLES: &[(&str, &[u32], u32)] =
    &[(OFFICE, &[13, 14, 15, 16, 17], 1), (OFFICE_2010, &[13, 14, 15, 16], 46), (WINDOWS, &[30, 45, 47, 49], 0)];
