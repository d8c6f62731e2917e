//! Whom a KMS host grants, whom it refuses with which code, and how it counts (protocol description, sections 5 and 6).

use jiff::SignedDuration;

use super::kms::{MALFORMED, SERVED, ask_for, cmid, goes_on, granted, product, put_ask, put_changed, told};
use crate::catalog::{self, Application, Channel};
use crate::conform::accept::{Accept, Answered, Then, Want, loose, ok};
use crate::conform::{Capability, Case, Confidence, Level, Stop, Talk};
use crate::proto::Ask;
use crate::wire::kms::{ActivationResponse, ProtocolVersion, WorkstationName};
use crate::wire::{FileTime, Guid, Hresult};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "kms/policy/new-client",
        Level::Win,
        "machines the host has not seen",
        "The count is at least the number of machines that have asked, up to twice the N policy.",
        "Windows 7 resource kit on the cache of 2N ids kept for thirty days; protocol description, section 6",
        |t| {
            for number in 0..CROWD {
                let Some(told) = client(t, &format!("machine {}", number + 1), number)? else { return Ok(()) };
                at_least(t, number + 1, told.count);
            }
            Ok(())
        },
    )
    .of_kms()
    .needs(&[Capability::Counting])
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/same-client",
        Level::Win,
        "a machine that asks again",
        "A machine that asks again is not counted again, whatever it is called meanwhile.",
        "Windows 7 resource kit on the cache of 2N ids kept for thirty days; protocol description, section 6",
        |t| {
            // Office first: of its machines a host has seen fewer, so that one more shows.
            for name in [OFFICE, WINDOWS] {
                let ask = ask_for(t, 1, product(name));
                put_ask(t, &format!("a machine with {name}"), &ask, SERVED_OR_UNSERVED)?;
                let Some(first) = told(t) else { continue };
                let ask = ask_for(t, 1, product(name));
                let Some(again) = granted(t, "the same again", &ask)? else { continue };
                t.field("count", first.count, again.count);
                let mut request = ask.request().clone();
                request.workstation = WorkstationName::new("conform-clone").expect("it is short");
                let clone = Ask::new(request, t.iv());
                let Some(clone) = granted(t, "the same under another name", &clone)? else { continue };
                t.field("count", first.count, clone.count);
            }
            Ok(())
        },
    )
    .of_kms()
    .needs(&[Capability::Counting])
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/previous-cmid",
        Level::Win,
        "the client machine id a machine had before",
        "The client machine id a machine had before makes no difference, to the answer or to the count.",
        "independent implementations agree on what genuine hosts do",
        |t| {
            let Some(without) = client(t, "no previous id", 0)? else { return Ok(()) };
            for (words, previous) in [
                ("a random previous id", Guid::from_u128(0x7fd0_11d6_6b21_4b3f_9e52_2d41_3c0a_9b77)),
                ("a previous id that is the present one", cmid(t, 0)),
                ("a previous id of another machine", cmid(t, 2)),
            ] {
                let ask = t.ask(ProtocolVersion::V6, |request| request.previous_cmid = previous);
                if let Some(with) = granted(t, words, &ask)? {
                    t.field("count", without.count, with.count);
                }
            }
            Ok(())
        },
    )
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/one-count-for-windows",
        Level::Win,
        "Windows clients and servers",
        "Windows clients and Windows servers are counted together.",
        "Microsoft Learn on KMS activation counts; protocol description, section 6",
        |t| {
            let Some(client) = client(t, "a Windows client", 0)? else { return Ok(()) };
            let ask = ask_for(t, SERVER_MACHINE, product(SERVER));
            let Some(server) = other_product(t, "a Windows server", &ask)? else { return Ok(()) };
            at_least(t, client.count, server.count);
            Ok(())
        },
    )
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
            client(t, "Windows on a machine not seen before", NEW_MACHINE)?;
            let office = ask_for(t, 1, product(OFFICE));
            let Some(after) = granted(t, "the same Office again", &office)? else { return Ok(()) };
            t.field("count", before.count, after.count);
            Ok(())
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
                put_ask(t, "Visio on the same machine", &second, SERVED)?;
            }
            Ok(())
        },
    )
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/twice-n",
        Level::Win,
        "more machines than the host keeps",
        "The count stops at twice the largest N policy that was asked for.",
        "Windows 7 resource kit on the cache of 2N ids kept for thirty days; independent implementations agree",
        |t| {
            let most = 2 * product(OFFICE).n_policy;
            for number in 0..most + 3 {
                let ask = ask_for(t, number, product(OFFICE));
                let Some(told) = other_product(t, &format!("machine {}", number + 1), &ask)? else { return Ok(()) };
                if number == 0 && told.count > most {
                    // Whoever came before asked for more.
                    return Err(Stop::NotApplicable(format!("the host counts {} already", told.count)));
                }
                t.holds("count", told.count <= most, || (format!("at most {most}"), told.count.to_string()));
            }
            Ok(())
        },
    )
    .of_kms()
    .needs(&[Capability::Counting])
    .confidence(Confidence::Medium),
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
        "kms/policy/unknown-product",
        Level::Win,
        "a product nobody knows",
        "A request with a KMS counted id that does not exist is refused with 0xC004F042.",
        "independent implementations agree on what genuine hosts do",
        |t| {
            put_changed(t, "a random counted id", UNSERVED_OR_SERVED, |request| {
                request.kms_counted_id = Guid::from_u128(0x3b1f_6a9c_52d7_4e08_8c41_90ab_7de2_1f53);
            })?;
            put_changed(t, "a nil counted id", UNSERVED_OR_SERVED, |request| request.kms_counted_id = Guid::NIL)?;
            goes_on(t);
            Ok(())
        },
    )
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/retail-product",
        Level::Win,
        "products that are not sold by volume licence",
        "A request with the KMS counted id of a retail or a preview product is refused with 0xC004F042.",
        "independent implementations agree on what genuine hosts do",
        |t| {
            for channel in [Channel::Retail, Channel::Preview] {
                let windows = |one: &&catalog::Product| {
                    one.channel == channel && one.application == Application::Windows && is_sold_so_alone(one)
                };
                let Some(one) = catalog::all().iter().find(windows) else { continue };
                let ask = ask_for(t, 0, one);
                put_ask(t, &one.edition, &ask, UNSERVED)?;
            }
            goes_on(t);
            Ok(())
        },
    )
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
            put_changed(t, "a Windows product of Office", UNSERVED, |request| {
                request.application_id = Application::Office.guid();
            })?;
            put_changed(t, "an application nobody knows", UNSERVED, |request| {
                request.application_id = Guid::from_u128(0x9d20_57e1_0c6b_4f7a_b3d8_64f1_25c7_8e90);
            })?;
            goes_on(t);
            Ok(())
        },
    )
    .of_kms()
    .needs(&[Capability::Products])
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/sku",
        Level::Win,
        "a SKU id nobody knows",
        "A request is granted whatever its SKU id is: the KMS counted id decides.",
        "independent implementations agree on what genuine hosts do",
        |t| {
            put_changed(t, "a random SKU id", SERVED, |request| {
                request.sku_id = Guid::from_u128(0xe18c_40f2_97b3_4d65_a0de_5b72_13f9_6c84);
            })?;
            put_changed(t, "a nil SKU id", SERVED, |request| request.sku_id = Guid::NIL)?;
            Ok(())
        },
    )
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/clock-within",
        Level::Win,
        "clocks a little less than four hours off",
        "A client whose clock is less than four hours off is granted, in every version.",
        "protocol description, section 5; independent implementations agree",
        |t| {
            for version in ProtocolVersion::ALL {
                for minutes in [239, -239] {
                    let ask = off_by(t, version, SignedDuration::from_mins(minutes));
                    put_ask(t, &format!("{minutes} minutes in version {version}"), &ask, SERVED)?;
                }
            }
            Ok(())
        },
    )
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/clock-beyond",
        Level::Win,
        "clocks a little more than four hours off",
        "A client whose clock is more than four hours off is refused with 0xC004F06C, be it fast or slow.",
        "protocol description, section 5; independent implementations agree",
        |t| {
            for minutes in [241, -241, -10 * 24 * 60] {
                let ask = off_by(t, ProtocolVersion::V6, SignedDuration::from_mins(minutes));
                put_ask(t, &format!("{minutes} minutes"), &ask, WRONG_CLOCK)?;
            }
            goes_on(t);
            Ok(())
        },
    )
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
            let ask = off_by(t, ProtocolVersion::V6, SignedDuration::from_hours(10));
            put_ask(t, "ten hours ahead", &ask, WRONG_CLOCK_OR_SERVED)?;
            goes_on(t);
            Ok(())
        },
    )
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
                t.field("count", first.count, told.count);
                let intervals = |told: &ActivationResponse| (told.activation_interval_min, told.renewal_interval_min);
                t.field("intervals", intervals(first), intervals(&told));
            }
            Ok(())
        },
    )
    .of_kms(),
    Case::new(
        "rpc/bind/address-is-port",
        Level::Win,
        "the secondary address",
        "The secondary address of a bind_ack is the port that was connected to.",
        "Samba raw protocol tests",
        |t| {
            if t.port() == 0 {
                return Err(Stop::NotApplicable("the port is not known".to_owned()));
            }
            let ack = t.bind()?;
            let address = String::from_utf8_lossy(&ack.secondary_address).into_owned();
            t.field("secondary_address", format!("{}\0", t.port()), address);
            Ok(())
        },
    ),
    Case::new(
        "kms/policy/charged",
        Level::Win,
        "more machines than twice the N policy",
        "A host that more than twice N machines have asked tells a count from N to 2N.",
        "Windows 7 resource kit on the cache of 2N ids kept for thirty days; independent implementations agree",
        |t| {
            let n = product(WINDOWS).n_policy;
            for number in 0..2 * n + 5 {
                let Some(told) = client(t, &format!("machine {}", number + 1), number)? else { return Ok(()) };
                if number >= 2 * n {
                    let (least, most) = (n, 2 * n);
                    t.holds("count", (least..=most).contains(&told.count), || {
                        (format!("{least} to {most}"), told.count.to_string())
                    });
                }
            }
            Ok(())
        },
    )
    .of_kms()
    .needs(&[Capability::Counting])
    .confidence(Confidence::Medium)
    .disruptive(),
    Case::new(
        "kms/policy/large-n",
        Level::Win,
        "N policies up to 1,000",
        "A request with an N policy of up to 1,000 is granted.",
        "independent implementations agree on what genuine hosts do",
        |t| {
            for n_policy in [26, 100, 999, 1000] {
                put_changed(t, &format!("N = {n_policy}"), SERVED, |request| request.n_policy = n_policy)?;
            }
            Ok(())
        },
    )
    .of_kms()
    .confidence(Confidence::Medium)
    .disruptive(),
    Case::new(
        "kms/policy/too-large-n",
        Level::Win,
        "N policies beyond 1,000",
        "A request with an N policy of more than 1,000 is refused with 0x8007000D.",
        "independent implementations agree on what genuine hosts do",
        |t| {
            for n_policy in [1001, 0x7fff_ffff, u32::MAX] {
                put_changed(t, &format!("N = {n_policy}"), MALFORMED, |request| request.n_policy = n_policy)?;
            }
            goes_on(t);
            Ok(())
        },
    )
    .of_kms()
    .confidence(Confidence::Medium)
    .disruptive(),
    Case::new(
        "kms/policy/full-table",
        Level::Win,
        "as many machines as a genuine host keeps, and some more",
        "A host whose table is full says so with 0xC004D104, or gives up its oldest entry and grants.",
        "independent implementations on genuine hosts, whose table ends at 671 entries",
        |t| {
            if t.is_paced() {
                return Err(Stop::NotApplicable("it would take too many requests of this host".to_owned()));
            }
            for number in 0..TABLE_MAX + 9 {
                let id = cmid(t, number);
                let seen = put_changed(t, &format!("machine {}", number + 1), FULL_OR_SERVED, |request| {
                    (request.cmid, request.n_policy) = (id, 1000);
                })?;
                if seen.answer != Some(Answered::Granted) {
                    t.note(format!("machine {} is the first that is not granted: {seen}", number + 1));
                    break;
                }
            }
            Ok(())
        },
    )
    .of_kms()
    .confidence(Confidence::Medium)
    .disruptive(),
];

/// What an ordinary client of that number is told.
fn client(t: &mut Talk<'_>, label: &str, number: u32) -> Result<Option<ActivationResponse>, Stop> {
    let id = cmid(t, number);
    let ask = t.ask(ProtocolVersion::V6, |request| request.cmid = id);
    granted(t, label, &ask)
}

/// The same of a product that a host need not have a key for.
fn other_product(t: &mut Talk<'_>, label: &str, ask: &Ask) -> Result<Option<ActivationResponse>, Stop> {
    let seen = put_ask(t, label, ask, SERVED_OR_UNSERVED)?;
    if seen.answer == Some(Answered::Refused(Hresult::KMS_ID_MISMATCH.0)) {
        return Err(Stop::NotApplicable(format!("the host does not serve it: {label}")));
    }
    Ok(told(t))
}

fn off_by(t: &mut Talk<'_>, version: ProtocolVersion, by: SignedDuration) -> Ask {
    t.ask(version, |request| request.client_time = request.client_time.saturating_add(by))
}

fn at_least(t: &mut Talk<'_>, least: u32, count: u32) {
    t.holds("count", count >= least, || (format!("at least {least}"), count.to_string()));
}

/// Some products share a counted id with one that is sold otherwise.
fn is_sold_so_alone(one: &catalog::Product) -> bool {
    catalog::by_counted_id(one.kms_counted_id).all(|other| other.channel == one.channel)
}

const UNSERVED: &[Accept] = &[ok(Want::Refused(&[Hresult::KMS_ID_MISMATCH.0]), Then::Either)];
const UNSERVED_OR_SERVED: &[Accept] =
    &[ok(Want::Refused(&[Hresult::KMS_ID_MISMATCH.0]), Then::Either), loose(Want::Served, Then::Either)];
const SERVED_OR_UNSERVED: &[Accept] =
    &[ok(Want::Served, Then::Either), ok(Want::Refused(&[Hresult::KMS_ID_MISMATCH.0]), Then::Either)];
const SERVED_OR_MALFORMED: &[Accept] =
    &[ok(Want::Served, Then::Either), loose(Want::Refused(&[Hresult::INVALID_DATA.0]), Then::Either)];
const WRONG_CLOCK: &[Accept] = &[ok(Want::Refused(&[Hresult::INVALID_TIMESTAMP.0]), Then::Either)];
const WRONG_CLOCK_OR_SERVED: &[Accept] =
    &[ok(Want::Refused(&[Hresult::INVALID_TIMESTAMP.0]), Then::Either), loose(Want::Served, Then::Either)];
const FULL_OR_SERVED: &[Accept] =
    &[ok(Want::Served, Then::Either), ok(Want::Refused(&[Hresult::TABLE_FULL.0]), Then::Either)];

const WINDOWS: &str = "Windows 11 Enterprise";
const SERVER: &str = "Windows Server 2022 Standard";
const OFFICE: &str = "Office Professional Plus 2019";
const VISIO: &str = "Office Visio Pro 2019";
/// More than the N policy, and no more than a case may be of.
const CROWD: u32 = 30;
/// A machine that no other case is of.
const SERVER_MACHINE: u32 = 31;
/// Another.
const NEW_MACHINE: u32 = 32;
/// As many entries has a genuine host's table at most.
const TABLE_MAX: u32 = 671;
