//! Grants and refusals that are the same whoever asks: what is right or wrong with a request does not depend on what
//! it says besides (protocol description, sections 5 and 6).

use jiff::SignedDuration;

use super::policy::{UNSERVED, WRONG_CLOCK};
use super::tools::{
    OFFICE, OFFICE_2010, SERVED_OR_UNSERVED, SERVER, V4, V5, V6, ahead, client, cmid, of, product, put_ask,
    require_as_before, say,
};
use crate::catalog::{self, Application};
use crate::conform::accept::{Accept, Answered};
use crate::conform::cases::alike::IN_EITHER_SYNTAX;
use crate::conform::cases::rpc::tools::{SERVED_NEXT, syntaxes};
use crate::conform::{Capability, Case, Confidence, Level, Stop, Talk};
use crate::wire::Guid;
use crate::wire::kms::{ActivationRequest, LicenseStatus, ProtocolVersion, WorkstationName};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "kms/policy/granted-whoever-asks",
        Level::Win,
        "clients of every kind",
        "A request for a product that is served is granted in every version, whatever state the client is in and whatever \
         else it says of itself.",
        "protocol description, section 6: the counted id decides, and the rest reaches the event log",
        |t| {
            let mut served = Vec::new();
            for (name, version, kind) in t.some_of([ASKERS, LATE_AND_EARLY].concat(), 8, 1) {
                let ask = t.ask(version, kind);
                // What one client is granted every other is.
                let asked = (version, ask.request().kms_counted_id);
                let accepts = if served.contains(&asked) { SERVED_NEXT } else { SERVED_OR_UNSERVED };
                let seen = put_ask(t, &format!("{name}, in version {version}"), &ask, accepts)?;
                if seen.answer == Some(Answered::Granted) {
                    served.push(asked);
                }
            }
            Ok(())
        },
    )
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/product-whoever-asks",
        Level::Win,
        "products that are not served, for clients of every kind",
        "A counted id that nobody knows, and one of another application, are refused with 0xC004F042 in every version, \
         whatever state the client is in and whatever else it says of itself.",
        "independent implementations agree on what genuine hosts do",
        |t| refused_whoever_asks(t, &[ASKERS, LATE_AND_EARLY].concat(), PRODUCTS, UNSERVED),
    )
    .of_kms()
    .needs(&[Capability::Products])
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/clock-whoever-asks",
        Level::Win,
        "wrong clocks of clients of every kind",
        "A clock that is five hours off is refused with 0xC004F06C in every version, whatever state the client is in and \
         whatever else it says of itself.",
        "protocol description, section 5; independent implementations agree",
        |t| refused_whoever_asks(t, ASKERS, CLOCKS, WRONG_CLOCK),
    )
    .of_kms()
    .needs(&[Capability::Clock])
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/clock-wraps",
        Level::Win,
        "clocks that are a round number of something off",
        "A clock that is off by whole days, weeks or years, or by as much as a counter holds, is refused with 0xC004F06C.",
        "protocol description, section 5; independent implementations agree",
        |t| {
            for (words, seconds, nanoseconds) in t.some_of(ROUND.to_vec(), 6, 2) {
                for sign in [1, -1] {
                    let by = SignedDuration::new(sign * seconds, sign as i32 * nanoseconds);
                    let label = format!("{words} {}", if sign > 0 { "ahead" } else { "behind" });
                    let ask =
                        t.ask(t.version(), |request| request.client_time = request.client_time.saturating_add(by));
                    put_ask(t, &label, &ask, WRONG_CLOCK)?;
                }
            }
            Ok(())
        },
    )
    .of_kms()
    .needs(&[Capability::Clock])
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/nearly-known",
        Level::Win,
        "ids that are nearly those of a product",
        "A counted id or an application id that differs in a byte from one that is served, wherever that stands, or that is \
         another id of the product, is refused with 0xC004F042.",
        "independent implementations agree on what genuine hosts do",
        |t| {
            for at in t.some_of((0..16).collect(), 4, 2) {
                let label = |which| format!("byte {} of the {which} id is another", at + 1);
                for (which, change) in [
                    ("counted", counted as fn(&mut ActivationRequest) -> &mut Guid),
                    ("application", |request| &mut request.application_id),
                ] {
                    let ask = t.ask(t.version(), |request| {
                        let id = change(request);
                        *id = Guid::from_u128(id.as_u128() ^ 0x40 << (8 * (15 - at)));
                    });
                    if !catalog::serves(ask.request().application_id, ask.request().kms_counted_id) {
                        put_ask(t, &label(which), &ask, UNSERVED)?;
                    }
                }
            }
            for (label, change) in SWAPPED {
                let ask = t.ask(t.version(), change);
                put_ask(t, label, &ask, UNSERVED)?;
            }
            Ok(())
        },
    )
    .of_kms()
    .needs(&[Capability::Products])
    .confidence(Confidence::Medium),
    Case::new(
        "kms/policy/refused-not-counted",
        Level::Win,
        "the count after refusals",
        "A request that is refused changes no count: a machine that was not counted is not counted for it, and one that was \
         is neither forgotten nor counted again.",
        "independent implementations agree; protocol description, section 6: the count is of those that were answered one",
        refused_not_counted,
    )
    .of_kms()
    .needs(&[Capability::Counting])
    .confidence(Confidence::Medium),
];

fn refused_whoever_asks(t: &mut Talk<'_>, askers: &[Asker], wrongs: &[Wrong], accepts: &[Accept]) -> Result<(), Stop> {
    for (name, version, kind) in t.some_of(askers.to_vec(), 8, 1 + wrongs.len() as u32) {
        let ask = t.ask(version, kind);
        if !is_granted(t, &ask)? {
            // What it has no key for, or does not grant to such a client, is other cases' to judge.
            continue;
        }
        for (what, wrong) in wrongs {
            let ask = t.ask(version, |request| {
                kind(request);
                wrong(request);
            });
            put_ask(t, &format!("{name}, {what}, in version {version}"), &ask, accepts)?;
        }
    }
    Ok(())
}

fn refused_not_counted(t: &mut Talk<'_>) -> Result<(), Stop> {
    let Some(mut before) = client(t, "one machine", 0)?.map(|told| told.count) else { return Ok(()) };
    let spoken = syntaxes(t)?;
    t.bind()?;
    let (mut all, mut turn) = (Vec::new(), 0);
    for version in ProtocolVersion::ALL {
        for wrong in PRODUCTS.iter().chain(CLOCKS) {
            // One that was counted, and then one that was not.
            all.extend([(version, wrong, true), (version, wrong, false)]);
        }
    }
    for (version, (what, wrong), was_counted) in t.some_of(all, 6, 4) {
        let (whose, number) = if was_counted { ("one that was counted", 1) } else { ("one that was not", NEW_MACHINE) };
        if was_counted {
            let Some(told) = client(t, whose, number)? else { return Ok(()) };
            before = before.max(told.count);
        }
        let id = cmid(t, number);
        // Every third of them is virtual.
        turn += 1;
        let ask = t.ask(version, |request| {
            (request.cmid, request.is_vm) = (id, u32::from(turn % 3 == 1));
            wrong(request);
        });
        // Every fourth comes in the syntax that fewer clients speak; whoever asks then does so as everybody does.
        let syntax = spoken[spoken.len() - 1];
        let in_that = turn % 4 == 2 && !t.is_slow() && IN_EITHER_SYNTAX.open(t, syntax)?;
        let is_granted = match in_that {
            true => IN_EITHER_SYNTAX.ask(t, syntax, &ask, 0)?.answer == Some(Answered::Granted),
            false => is_granted(t, &ask)?,
        };
        if is_granted {
            return Err(Stop::NotApplicable(format!("the host grants it: {what}, in version {version}")));
        }
        if in_that {
            t.bind()?;
        }
        for (who, number) in [("another machine", 0), ("the one that was counted", 1)] {
            let label = format!("{who} after {what} of {whose}, in version {version}");
            let Some(told) = client(t, &label, number)? else { return Ok(()) };
            require_as_before(t, before, told.count)?;
        }
    }
    Ok(())
}

fn is_granted(t: &mut Talk<'_>, ask: &crate::proto::Ask) -> Result<bool, Stop> {
    if t.is_over() {
        t.bind()?;
    }
    Ok(say(t, ask.payload(), Some(ask)).answer == Some(Answered::Granted))
}

/// A client, in a version, and what it says of itself.
type Asker = (&'static str, ProtocolVersion, fn(&mut ActivationRequest));
/// What is wrong with a request.
type Wrong = (&'static str, fn(&mut ActivationRequest));

/// Each version, application and state beside each other, and most of the rest.
const ASKERS: &[Asker] = &[
    ("an ordinary client", V6, |_| {}),
    ("an ordinary client", V5, |_| {}),
    ("an ordinary client", V4, |_| {}),
    ("a licensed client", V6, |request| in_state(request, 1, 0)),
    ("a licensed client", V5, |request| in_state(request, 1, 259_200)),
    ("a licensed client", V4, |request| in_state(request, 1, 10_080)),
    ("a virtual machine", V6, |request| request.is_vm = 1),
    ("a virtual machine in notification", V5, |request| {
        in_state(request, 5, 0);
        request.is_vm = 1;
    }),
    ("a licensed virtual machine", V4, |request| {
        in_state(request, 1, 259_200);
        request.is_vm = 1;
    }),
    ("a client out of tolerance", V6, |request| in_state(request, 3, 20)),
    ("an unlicensed client", V5, |request| in_state(request, 0, 0)),
    ("a client in notification", V4, |request| in_state(request, 5, 0)),
    ("a client that is not genuine", V4, |request| in_state(request, 4, 1)),
    ("a client in extended grace", V6, |request| in_state(request, 6, 43_200)),
    ("a client without a name", V6, |request| request.workstation = WorkstationName::from_units([0; 64])),
    ("a client without a name", V5, |request| request.workstation = WorkstationName::from_units([0; 64])),
    ("a client that was another one", V4, |request| request.previous_cmid = Guid::from_u128(0x77)),
    ("a client with a grace of years", V5, |request| in_state(request, 2, 5_000_000)),
    ("a server", V6, |request| of(request, product(SERVER))),
    ("a server in notification", V6, |request| {
        of(request, product(SERVER));
        in_state(request, 5, 0);
    }),
    ("a licensed server", V5, |request| {
        of(request, product(SERVER));
        in_state(request, 1, 0);
    }),
    ("Office", V6, |request| of(request, product(OFFICE))),
    ("Office without a name", V5, |request| {
        of(request, product(OFFICE));
        request.workstation = WorkstationName::from_units([0; 64]);
    }),
    ("licensed Office", V4, |request| {
        of(request, product(OFFICE));
        in_state(request, 1, 0);
    }),
    ("licensed Office on a virtual machine", V6, |request| {
        of(request, product(OFFICE));
        in_state(request, 1, 259_200);
        request.is_vm = 1;
    }),
    ("Office of 2010 in notification", V4, |request| {
        of(request, product(OFFICE_2010));
        in_state(request, 5, 0);
    }),
    ("Office of 2010", V6, |request| of(request, product(OFFICE_2010))),
    ("a client with the SKU id of another application", V6, |request| request.sku_id = product(OFFICE).sku_id),
    ("a client with the SKU id of a server", V5, |request| request.sku_id = product(SERVER).sku_id),
    ("a client with the SKU id of a product for consumers", V6, |request| request.sku_id = product(HOME).sku_id),
    ("a client with its counted id for the SKU id", V5, |request| request.sku_id = request.kms_counted_id),
    ("a client with its application id for the SKU id", V4, |request| request.sku_id = request.application_id),
    ("a client with a required count of 5", V4, |request| request.n_policy = 5),
];

/// Clocks within bounds, which make no difference to what is refused for another reason.
const LATE_AND_EARLY: &[Asker] = &[
    ("a client whose clock is two hours behind", V6, |request| ahead(request, -2)),
    ("a client whose clock is three hours behind", V4, |request| ahead(request, -3)),
    ("a client whose clock is two hours ahead", V5, |request| ahead(request, 2)),
];

const HOME: &str = "Windows 10/11 Home";

const PRODUCTS: &[Wrong] = &[
    ("with a counted id that nobody knows", |request| {
        request.kms_counted_id = Guid::from_u128(0x2f8e_41d9_07b5_4c6a_9e13_5ac0_de74_b861);
    }),
    ("with a product of another application", |request| {
        request.application_id = match request.application_id == Application::Windows.guid() {
            true => Application::Office.guid(),
            false => Application::Windows.guid(),
        };
    }),
];

const CLOCKS: &[Wrong] = &[
    ("with a clock five hours ahead", |request| ahead(request, 5)),
    ("with a clock five hours behind", |request| ahead(request, -5)),
];

/// Ids in the place of others.
const SWAPPED: &[Wrong] = &[
    ("the application id for the counted id", |request| request.kms_counted_id = request.application_id),
    ("the SKU id for the counted id", |request| request.kms_counted_id = request.sku_id),
    ("the client machine id for the counted id", |request| request.kms_counted_id = request.cmid),
    ("the counted id for the application id", |request| request.application_id = request.kms_counted_id),
    ("a nil application id", |request| request.application_id = Guid::NIL),
    ("a nil counted id", |request| request.kms_counted_id = Guid::NIL),
];

/// Differences that are nothing, or little, to whoever counts in something too small: seconds and nanoseconds.
const ROUND: &[(&str, i64, i32)] = &[
    ("half a day", 12 * 3600, 0),
    ("a day", DAY, 0),
    ("a week", 7 * DAY, 0),
    ("four weeks", 28 * DAY, 0),
    ("a year", 365 * DAY, 0),
    ("a leap year", 366 * DAY, 0),
    ("2^15 seconds", 1 << 15, 0),
    ("2^16 seconds", 1 << 16, 0),
    ("2^32 seconds", 1 << 32, 0),
    ("2^16 minutes", 60 << 16, 0),
    ("2^8 hours", 3600 << 8, 0),
    ("2^31 milliseconds", (1 << 31) / 1000, 648_000_000),
    ("2^32 milliseconds", (1 << 32) / 1000, 296_000_000),
    ("2^34 microseconds", (1 << 34) / 1_000_000, 869_184_000),
    ("2^38 steps of 100 nanoseconds", (1 << 38) / 10_000_000, 790_694_400),
    ("2^40 steps of 100 nanoseconds", (1 << 40) / 10_000_000, 162_777_600),
];
const DAY: i64 = 24 * 3600;

fn in_state(request: &mut ActivationRequest, status: u32, minutes_left: u32) {
    (request.license_status, request.binding_expiration_min) = (LicenseStatus(status), minutes_left);
}

fn counted(request: &mut ActivationRequest) -> &mut Guid {
    &mut request.kms_counted_id
}

/// One that is counted nowhere.
const NEW_MACHINE: u32 = 48;
