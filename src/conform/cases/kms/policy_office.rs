//! Grants and refusals of Office clients, which follow the same rules as those of Windows (protocol description, sections
//! 5 and 6).

use jiff::SignedDuration;

use super::policy::{UNSERVED, WRONG_CLOCK};
use super::tools::{
    OFFICE, OFFICE_2010, WINDOWS, ahead, cmid, granted, of, product, put_in_each, require_as_before, say,
    served_products, served_versions,
};
use crate::catalog::Product;
use crate::conform::accept::{Accept, Answered};
use crate::conform::cases::rpc::tools::{SERVED_NEXT, syntaxes};
use crate::conform::{Capability, Case, Confidence, Level, Stop, Talk};
use crate::proto::Ask;
use crate::wire::Guid;
use crate::wire::kms::{ActivationRequest, LicenseStatus, ProtocolVersion, WorkstationName};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "kms/policy/office-granted",
        Level::Win,
        "Office clients of every kind",
        "An Office client is granted by the rules that hold for Windows: whatever its SKU id, name, state, previous id and N \
         policy are, with a clock less than four hours off, in every version and syntax.",
        "protocol description, sections 5 and 6: the rules know no application",
        |t| in_each(t, GRANTED, SERVED_NEXT),
    )
    .revision(2)
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/office-clock",
        Level::Win,
        "Office clients whose clocks are wrong",
        "An Office client whose clock is more than four hours off is refused with 0xC004F06C, in every version and syntax.",
        "protocol description, section 5: the rules know no application",
        |t| in_each(t, WRONG_CLOCKS, WRONG_CLOCK),
    )
    .of_kms()
    .needs(&[Capability::Clock])
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/office-product",
        Level::Win,
        "Office clients that ask for what is not served",
        "An Office client that asks for a counted id nobody knows, or for a Windows product, is refused with 0xC004F042, in \
         every version and syntax.",
        "independent implementations agree on what genuine hosts do",
        |t| in_each(t, UNKNOWN, UNSERVED),
    )
    .of_kms()
    .needs(&[Capability::Products])
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/office-refused-not-counted",
        Level::Win,
        "the count of Office after refusals",
        "An Office client that is refused changes no count, whether it was counted before or not.",
        "independent implementations agree; protocol description, section 6: the count is of those that were answered one",
        refused_not_counted,
    )
    .of_kms()
    .needs(&[Capability::Counting])
    .confidence(Confidence::Medium),
];

/// Puts each of these to the host for each Office, in each version, and most of them in the other syntax as well.
fn in_each(t: &mut Talk<'_>, changes: &[Change], accepts: &[Accept]) -> Result<(), Stop> {
    let versions = served_versions(t)?;
    let served = served_products(t, &[OFFICE, OFFICE_2010])?;
    for (at, syntax) in syntaxes(t)?.into_iter().enumerate() {
        t.bind_in(syntax)?;
        for wanted in &served {
            // What comes in another syntax is read by the same rules: one version of each will do.
            let versions = if at == 0 { &versions[..] } else { &versions[versions.len() - 1..] };
            for (words, change) in t.some_of(changes.to_vec(), 3, 1 + versions.len() as u32) {
                put_in_each(t, versions, &format!("{}, {words}, in {syntax}", wanted.edition), accepts, |request| {
                    of(request, wanted);
                    change(request);
                })?;
            }
        }
    }
    Ok(())
}

fn refused_not_counted(t: &mut Talk<'_>) -> Result<(), Stop> {
    let versions = served_versions(t)?;
    for wanted in served_products(t, &[OFFICE, OFFICE_2010])? {
        let mut before = 0;
        // Both are counted for other cases as well: there is little room.
        let other = if wanted.edition == OFFICE { OTHER_COUNTED } else { OTHER_COUNTED_2010 };
        for number in [COUNTED, other] {
            let ask = ask_of(t, wanted, number, t.version(), |_| {});
            let Some(told) = granted(t, &format!("a machine with {}", wanted.edition), &ask)? else { return Ok(()) };
            before = told.count;
        }
        let mut all = Vec::new();
        for version in &versions {
            for wrong in WRONG_CLOCKS.iter().chain(UNKNOWN) {
                all.extend([(*version, wrong, COUNTED), (*version, wrong, NEVER_COUNTED)]);
            }
        }
        for (version, (words, wrong), number) in t.some_of(all, 6, 2) {
            let ask = ask_of(t, wanted, number, version, *wrong);
            if t.is_over() {
                t.bind()?;
            }
            if say(t, ask.payload(), Some(&ask)).answer == Some(Answered::Granted) {
                // What it does not refuse is other cases' to judge, and it was counted.
                return Err(Stop::NotApplicable(format!("the host grants it: {words}")));
            }
            // Whoever was forgotten is missing from the count of another.
            let ask = ask_of(t, wanted, other, t.version(), |_| {});
            let label = format!("{} after {words} in version {version}", wanted.edition);
            let Some(told) = granted(t, &label, &ask)? else { return Ok(()) };
            require_as_before(t, before, told.count)?;
        }
    }
    Ok(())
}

fn ask_of(
    t: &mut Talk<'_>,
    wanted: &Product,
    number: u32,
    version: ProtocolVersion,
    change: impl FnOnce(&mut ActivationRequest),
) -> Ask {
    let id = cmid(t, number);
    t.ask(version, |request| {
        of(request, wanted);
        request.cmid = id;
        change(request);
    })
}

/// Something about a request.
type Change = (&'static str, fn(&mut ActivationRequest));

const GRANTED: &[Change] = &[
    ("as it is", |_| {}),
    ("a clock 239 minutes ahead", |request| off_by(request, 239)),
    ("a clock 239 minutes behind", |request| off_by(request, -239)),
    ("a clock 121 minutes ahead", |request| off_by(request, 121)),
    ("a clock 181 minutes behind", |request| off_by(request, -181)),
    ("a nil SKU id", |request| request.sku_id = Guid::NIL),
    ("a SKU id nobody knows", |request| {
        request.sku_id = Guid::from_u128(0x9a6f_21c8_5d37_4e04_b18a_c27e_f063_5b9d);
    }),
    ("the SKU id of Windows", |request| request.sku_id = product(WINDOWS).sku_id),
    ("a name of 63 characters", |request| request.workstation = named(63)),
    ("a name without its NUL", |request| request.workstation = named(64)),
    ("a name of one character", |request| request.workstation = named(1)),
    ("no name", |request| request.workstation = named(0)),
    ("an N policy of 1", |request| request.n_policy = 1),
    ("an N policy of 2", |request| request.n_policy = 2),
    ("an N policy of 4", |request| request.n_policy = 4),
    ("unlicensed", |request| request.license_status = LicenseStatus(0)),
    ("licensed", |request| request.license_status = LicenseStatus(1)),
    ("in a grace", |request| request.license_status = LicenseStatus(2)),
    ("out of tolerance", |request| request.license_status = LicenseStatus(3)),
    ("not genuine", |request| request.license_status = LicenseStatus(4)),
    ("in notification", |request| request.license_status = LicenseStatus(5)),
    ("in extended grace", |request| request.license_status = LicenseStatus(6)),
    ("virtual", |request| request.is_vm = 1),
    ("a lease of more minutes than there are", |request| request.binding_expiration_min = u32::MAX),
    ("no minutes left", |request| request.binding_expiration_min = 0),
    ("half a year left", |request| request.binding_expiration_min = 259_200),
    ("its id as the previous one", |request| request.previous_cmid = request.cmid),
];

const WRONG_CLOCKS: &[Change] = &[
    ("a clock 241 minutes ahead", |request| off_by(request, 241)),
    ("a clock 241 minutes behind", |request| off_by(request, -241)),
    ("a clock ten days behind", |request| ahead(request, -240)),
];

const UNKNOWN: &[Change] = &[
    ("a counted id that nobody knows", |request| {
        request.kms_counted_id = Guid::from_u128(0xc47a_0e92_61bd_4f35_8d60_93ea_5f1c_27b8);
    }),
    ("a Windows product", |request| request.kms_counted_id = product(WINDOWS).kms_counted_id),
    ("a nil counted id", |request| request.kms_counted_id = Guid::NIL),
];

fn off_by(request: &mut ActivationRequest, minutes: i64) {
    request.client_time = request.client_time.saturating_add(SignedDuration::from_mins(minutes));
}

/// A name of so many characters.
fn named(len: usize) -> WorkstationName {
    WorkstationName::from_units(std::array::from_fn(|at| if at < len { u16::from(b'o') } else { 0 }))
}

/// A machine that is counted.
const COUNTED: u32 = 0;
/// Another, of Office and of Office 2010.
const OTHER_COUNTED: u32 = 1;
const OTHER_COUNTED_2010: u32 = 46;
/// One that never is, for Office.
const NEVER_COUNTED: u32 = 48;
