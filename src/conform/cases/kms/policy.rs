//! Whom a KMS host grants, and whom it refuses with which code (protocol description, section 5).

use jiff::SignedDuration;

use super::tools::{
    OFFICE, OFFICE_2010, SERVER, WINDOWS, ahead, goes_on, of, product, put_ask, put_changed, put_in_each,
    served_products, served_versions,
};
use crate::catalog::{self, Application, Channel};
use crate::conform::accept::{Accept, Then, Want, loose, ok};
use crate::conform::cases::rpc::tools::{SERVED_NEXT, syntaxes};
use crate::conform::{Capability, Case, Confidence, Level, Talk};
use crate::proto::Ask;
use crate::wire::kms::ProtocolVersion;
use crate::wire::{FileTime, Guid, Hresult};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "kms/policy/zero-n",
        Level::Rec,
        "an N policy of 0",
        "A request with an N policy of 0 is granted with a count of at least 1.",
        "no text; nobody has published what a genuine host answers",
        |t| {
            let seen = put_changed(t, "an N policy of 0", SERVED_OR_MALFORMED, |request| request.n_policy = 0)?;
            t.note(format!("an N policy of 0: {seen}"));
            goes_on(t);
            Ok(())
        },
    )
    .of_kms()
    .confidence(Confidence::Low),
    Case::new(
        "kms/policy/n-policy",
        Level::Win,
        "every N policy there is, and smaller ones",
        "A request is granted whatever its N policy is: whether the count is enough, the client decides.",
        "protocol description, section 5; independent implementations agree",
        |t| {
            let versions = served_versions(t)?;
            for n_policy in [1, 2, 5, 24, 25] {
                put_in_each(t, &versions, &format!("N = {n_policy}"), SERVED_NEXT, |request| request.n_policy = n_policy)?;
            }
            Ok(())
        },
    )
    .revision(2)
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/unknown-product",
        Level::Win,
        "a product nobody knows",
        "A request with a KMS counted id that does not exist is refused with 0xC004F042.",
        "independent implementations agree on what genuine hosts do",
        |t| {
            let versions = served_versions(t)?;
            put_in_each(t, &versions, "a random counted id", UNSERVED_OR_SERVED, |request| {
                request.kms_counted_id = Guid::from_u128(0x3b1f_6a9c_52d7_4e08_8c41_90ab_7de2_1f53);
            })?;
            put_in_each(t, &versions, "a nil counted id", UNSERVED_OR_SERVED, |request| request.kms_counted_id = Guid::NIL)?;
            goes_on(t);
            Ok(())
        },
    )
    .revision(2)
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/retail-product",
        Level::Win,
        "products that are not sold by volume licence",
        "A request with the KMS counted id of a retail or a preview product is refused with 0xC004F042.",
        "independent implementations agree on what genuine hosts do",
        |t| {
            let versions = served_versions(t)?;
            for channel in [Channel::Retail, Channel::Preview] {
                let windows = |one: &&catalog::Product| {
                    one.channel == channel && one.application == Application::Windows && is_sold_so_alone(one)
                };
                let Some(one) = catalog::all().iter().find(windows) else { continue };
                let (application, counted) = (one.application_id(), one.kms_counted_id);
                put_in_each(t, &versions, &one.edition, UNSERVED, |request| {
                    (request.application_id, request.sku_id) = (application, one.sku_id);
                    request.kms_counted_id = counted;
                })?;
            }
            goes_on(t);
            Ok(())
        },
    )
    .revision(2)
    .of_kms()
    .needs(&[Capability::Products])
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/application",
        Level::Win,
        "an application that is not the product's",
        "A request whose application is not that of its KMS counted id is refused with 0xC004F042.",
        "independent implementations agree on what genuine hosts do",
        |t| {
            let versions = served_versions(t)?;
            put_in_each(t, &versions, "an application nobody knows", UNSERVED, |request| {
                request.application_id = Guid::from_u128(0x9d20_57e1_0c6b_4f7a_b3d8_64f1_25c7_8e90);
            })?;
            for (words, name, application) in [
                ("a Windows product of Office", WINDOWS, Application::Office),
                ("a product of Office 2019 of Office 2010", OFFICE, Application::Office2010),
                ("a product of Office 2010 of the later Office", OFFICE_2010, Application::Office),
                ("a product of Office of Windows", OFFICE, Application::Windows),
                ("a Windows product of Office 2010", WINDOWS, Application::Office2010),
                ("a server of Office", SERVER, Application::Office),
            ] {
                put_in_each(t, &versions, words, UNSERVED, |request| {
                    of(request, product(name));
                    request.application_id = application.guid();
                })?;
            }
            goes_on(t);
            Ok(())
        },
    )
    .revision(4)
    .of_kms()
    .needs(&[Capability::Products])
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/sku",
        Level::Win,
        "a SKU id nobody knows, and ones of other products",
        "A request is granted whatever its SKU id is: the KMS counted id decides.",
        "independent implementations agree on what genuine hosts do",
        |t| {
            let versions = served_versions(t)?;
            put_in_each(t, &versions, "a random SKU id", SERVED_NEXT, |request| {
                request.sku_id = Guid::from_u128(0xe18c_40f2_97b3_4d65_a0de_5b72_13f9_6c84);
            })?;
            put_in_each(t, &versions, "a nil SKU id", SERVED_NEXT, |request| request.sku_id = Guid::NIL)?;
            for name in [SERVER, "Windows 8.1 Enterprise", "Windows 7 Enterprise", OFFICE, OFFICE_2010] {
                let sku_id = product(name).sku_id;
                put_in_each(t, &versions, &format!("the SKU id of {name}"), SERVED_NEXT, |request| request.sku_id = sku_id)?;
            }
            // And the other way about, where the host serves them.
            for other in served_products(t, &[SERVER, OFFICE, OFFICE_2010])? {
                let sku_id = product(WINDOWS).sku_id;
                put_in_each(t, &versions, &format!("{} with the SKU id of {WINDOWS}", other.edition), SERVED_NEXT, |request| {
                    of(request, other);
                    request.sku_id = sku_id;
                })?;
            }
            Ok(())
        },
    )
    .revision(3)
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/clock-within",
        Level::Win,
        "clocks a little less than four hours off",
        "A client whose clock is less than four hours off is granted, in every version and syntax, and told its own time to the \
         step of 100 ns.",
        "protocol description, section 5; independent implementations agree",
        |t| {
            for syntax in syntaxes(t)? {
                t.bind_in(syntax)?;
                let all = ProtocolVersion::ALL.into_iter().flat_map(|one| OFF.map(|off| (one, off))).collect();
                for (version, minutes) in t.some_of(all, 6, 2) {
                    let ask = off_by(t, version, SignedDuration::from_mins(minutes));
                    put_ask(t, &format!("{minutes} minutes in version {version}, in {syntax}"), &ask, SERVED_NEXT)?;
                }
            }
            for version in t.in_turn(&ProtocolVersion::ALL) {
                for (words, time) in steps(t.now()) {
                    let ask = t.ask(version, |request| request.client_time = time);
                    put_ask(t, &format!("{words} in version {version}"), &ask, SERVED_NEXT)?;
                }
            }
            Ok(())
        },
    )
    .revision(3)
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/clock-beyond",
        Level::Win,
        "clocks a little more than four hours off",
        "A client whose clock is more than four hours off is refused with 0xC004F06C, be it fast or slow, in every version and \
         syntax.",
        "protocol description, section 5; independent implementations agree",
        |t| {
            let versions = served_versions(t)?;
            for syntax in syntaxes(t)? {
                t.bind_in(syntax)?;
                for minutes in [241, -241, 10 * 24 * 60, -10 * 24 * 60] {
                    put_in_each(t, &versions, &format!("{minutes} minutes, in {syntax}"), WRONG_CLOCK, |request| {
                        request.client_time = request.client_time.saturating_add(SignedDuration::from_mins(minutes));
                    })?;
                }
            }
            goes_on(t);
            Ok(())
        },
    )
    .revision(3)
    .of_kms()
    .needs(&[Capability::Clock])
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/clock-far",
        Level::Win,
        "a clock ten hours off",
        "A client whose clock is ten hours off is refused with 0xC004F06C.",
        "Microsoft error code SL_E_VL_INVALID_TIMESTAMP; protocol description, section 5",
        |t| {
            let versions = served_versions(t)?;
            for (words, hours) in [("ten hours ahead", 10), ("ten hours behind", -10)] {
                put_in_each(t, &versions, words, WRONG_CLOCK_OR_SERVED, |request| ahead(request, hours))?;
            }
            goes_on(t);
            Ok(())
        },
    )
    .revision(2)
    .of_kms(),
    Case::new(
        "kms/policy/clock-extremes",
        Level::Win,
        "client times at the ends of what 64 bits can say",
        "A client time of 0, of all ones, or with the sign bit is refused with 0xC004F06C, and the host serves on.",
        "independent implementations agree on what genuine hosts do",
        |t| {
            for (words, time) in [
                ("the first moment of 1601", 0),
                ("the last step before the sign bit", i64::MAX as u64),
                ("the sign bit", 1 << 63),
                ("all ones", u64::MAX),
            ] {
                let time = FileTime(time);
                put_changed(t, words, WRONG_CLOCK_OR_SERVED, |request| request.client_time = time)?;
            }
            goes_on(t);
            Ok(())
        },
    )
    .of_kms()
    .confidence(Confidence::Medium),
];

/// Minutes that pass: hosts that allow three hours, or halves of them, allow too little.
const OFF: [i64; 6] = [239, -239, 181, -181, 100, -100];

fn off_by(t: &mut Talk<'_>, version: ProtocolVersion, by: SignedDuration) -> Ask {
    t.ask(version, |request| request.client_time = request.client_time.saturating_add(by))
}

/// Client times at which whoever counts in something else than steps of 100 ns is wrong.
fn steps(now: FileTime) -> [(&'static str, FileTime); 4] {
    const LOW: u64 = u32::MAX as u64;
    [
        ("a step after a whole second", FileTime(now.0 / FileTime::STEPS_PER_SECOND * FileTime::STEPS_PER_SECOND + 1)),
        ("a step before one", FileTime(now.0 / FileTime::STEPS_PER_SECOND * FileTime::STEPS_PER_SECOND - 1)),
        // Seven minutes from now at most.
        ("a time whose low half is all ones", FileTime(now.0 | LOW)),
        ("a time whose low half is zero", FileTime(now.0 & !LOW)),
    ]
}

fn is_sold_so_alone(one: &catalog::Product) -> bool {
    catalog::by_counted_id(one.kms_counted_id).all(|other| other.channel == one.channel)
}

pub const UNSERVED: &[Accept] = &[ok(Want::Refused(&[Hresult::KMS_ID_MISMATCH.0]), Then::Either)];
const UNSERVED_OR_SERVED: &[Accept] =
    &[ok(Want::Refused(&[Hresult::KMS_ID_MISMATCH.0]), Then::Either), loose(Want::Served, Then::Either)];
const SERVED_OR_MALFORMED: &[Accept] =
    &[ok(Want::Served, Then::Either), loose(Want::Refused(&[Hresult::INVALID_DATA.0]), Then::Either)];
pub const WRONG_CLOCK: &[Accept] = &[ok(Want::Refused(&[Hresult::INVALID_TIMESTAMP.0]), Then::Either)];
const WRONG_CLOCK_OR_SERVED: &[Accept] =
    &[ok(Want::Refused(&[Hresult::INVALID_TIMESTAMP.0]), Then::Either), loose(Want::Served, Then::Either)];
