//! Faults that show with clients of a kind alone (protocol description, sections 5 and 6).

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::policy_counting::other;
use crate::catalog::{self, Application};
use crate::lab::conduct::{ClockRules, SKEW_MAX};
use crate::lab::fault::{Fault, Install};
use crate::lab::rules::Rule;
use crate::wire::kms::LicenseStatus;
use crate::wire::{Guid, Hresult};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "counts-again-whom-it-refused",
        does: "Counts a machine again that it had counted, once it refused it something.",
        hurts: "The admin: a machine whose clock was wrong for a day stands twice in the count.",
        caught_by: &["kms/policy/refused-not-counted#count"],
        install: Install::Answers(|host, _| {
            let refused = Arc::new(Mutex::new(HashSet::new()));
            let noted = Arc::clone(&refused);
            host.rule(Rule::Product, move |asked, honest| {
                if honest.is_err() {
                    noted.lock().expect("nobody panics with it").insert(asked.request.cmid);
                }
                honest
            });
            host.entry_of(move |caller, entry| {
                let was_refused = refused.lock().expect("nobody panics with it").contains(&caller.cmid);
                if was_refused { other(entry, 1 << 40) } else { entry }
            });
        }),
    },
    Fault {
        name: "counts-wrong-clocks",
        does: "Counts a machine before it looks at its clock, and refuses it then.",
        hurts: "The admin: the count is reached by machines that were never activated.",
        caught_by: &["kms/policy/refused-not-counted#count"],
        install: Install::Answers(|host, _| {
            host.rule(Rule::Clock, |_, _| Ok(()));
            host.grant(|asked, grant| match ClockRules::default().hold(asked.request.client_time, asked.now) {
                true => Ok(grant),
                false => Err(Hresult::INVALID_TIMESTAMP),
            });
        }),
    },
    Fault {
        name: "counts-wrong-clocks-of-virtual-machines",
        does: "Counts a virtual machine before it looks at its clock, and refuses it then.",
        hurts: "The admin of virtual desktops: the count is reached by machines that were never activated.",
        caught_by: &["kms/policy/refused-not-counted#count"],
        install: Install::Answers(|host, _| {
            host.rule(Rule::Clock, |asked, honest| if asked.request.is_vm == 0 { honest } else { Ok(()) });
            host.grant(|asked, grant| match ClockRules::default().hold(asked.request.client_time, asked.now) {
                true => Ok(grant),
                false => Err(Hresult::INVALID_TIMESTAMP),
            });
        }),
    },
    Fault {
        name: "serves-whoever-is-late",
        does: "Grants a client whose clock is more than an hour behind whatever product it asks for.",
        hurts: "The admin: which keys the host lacks shows with some machines alone.",
        caught_by: &["kms/policy/product-whoever-asks#code"],
        install: Install::Answers(|host, _| {
            host.rule(Rule::Product, |asked, honest| {
                let is_late = asked.request.client_time.saturating_add(jiff::SignedDuration::from_hours(1)) < asked.now;
                if is_late { Ok(()) } else { honest }
            });
        }),
    },
    Fault {
        name: "ignores-skew-of-office",
        does: "Does not look at the clock of an Office client.",
        hurts: "The admin: clocks that are wrong go unnoticed where only Office is activated.",
        caught_by: &["kms/policy/clock-whoever-asks#code"],
        install: Install::Answers(|host, _| {
            host.rule(Rule::Clock, |asked, honest| match asked.request.application_id == Application::Windows.guid() {
                true => honest,
                false => Ok(()),
            });
        }),
    },
    Fault {
        name: "ignores-whole-days",
        does: "Compares the time of day of a client's clock, and not its date.",
        hurts: "The admin: machines whose battery died, which wake up years ago, go unnoticed.",
        caught_by: &["kms/policy/clock-wraps#code"],
        install: Install::Answers(|host, _| {
            host.rule(Rule::Clock, |asked, honest| {
                within(asked.request.client_time.distance(asked.now), Duration::from_secs(24 * 3600), honest)
            });
        }),
    },
    Fault {
        name: "knows-applications-by-half",
        does: "Compares the first eight bytes of an application id alone.",
        hurts: "The admin: requests of an application that there is not are granted, and counted as its own.",
        caught_by: &["kms/policy/nearly-known#code"],
        install: Install::Answers(|host, _| {
            host.rule(Rule::Product, |asked, honest| {
                let half = |id: Guid| id.as_u128() >> 64;
                let is_near = |known: &catalog::Product| {
                    half(known.application_id()) == half(asked.request.application_id)
                        && known.channel == catalog::Channel::Volume
                };
                let is_known = catalog::by_counted_id(asked.request.kms_counted_id).any(is_near);
                if is_known { Ok(()) } else { honest }
            });
        }),
    },
    Fault {
        name: "measures-skew-in-32-bits",
        does: "Keeps the difference of two clocks in 32 bits of milliseconds.",
        hurts: "The admin: a clock that is 49 days off goes unnoticed.",
        caught_by: &["kms/policy/clock-wraps#code"],
        install: Install::Answers(|host, _| {
            host.rule(Rule::Clock, |asked, honest| {
                within(asked.request.client_time.distance(asked.now), Duration::from_millis(1 << 32), honest)
            });
        }),
    },
    Fault {
        name: "refuses-licensed-servers",
        does: "Refuses a server that is licensed already, with 0x8007000D.",
        hurts: "Servers that renew: they lapse after 180 days.",
        caught_by: &["kms/policy/granted-whoever-asks#code"],
        install: Install::Answers(|host, _| {
            host.rule(Rule::Machine, |asked, honest| {
                let is_licensed = asked.request.license_status == LicenseStatus::LICENSED;
                if is_licensed && asked.request.n_policy == SERVER_N_POLICY {
                    Err(Hresult::INVALID_DATA)
                } else {
                    honest
                }
            });
        }),
    },
    Fault {
        name: "serves-everything-to-licensed",
        does: "Grants every product to a client that is licensed already.",
        hurts: "The admin: products without a volume licence are renewed for ever.",
        caught_by: &["kms/policy/product-whoever-asks#code"],
        install: Install::Answers(|host, _| {
            host.rule(Rule::Product, |asked, honest| match asked.request.license_status {
                LicenseStatus::LICENSED => Ok(()),
                _ => honest,
            });
        }),
    },
];

/// What a host says of a clock that measures how far it is off in something that begins anew after so much.
fn within(off: Duration, round: Duration, honest: Result<(), Hresult>) -> Result<(), Hresult> {
    let rest = Duration::from_nanos((off.as_nanos() % round.as_nanos()) as u64);
    if rest <= SKEW_MAX || round - rest <= SKEW_MAX { Ok(()) } else { honest }
}

/// A server's (Microsoft Learn, "Key Management Services client activation").
const SERVER_N_POLICY: u32 = 5;
