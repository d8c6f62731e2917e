//! Codes on the wire that no host decides: of the client, its network or Microsoft (see `kmsproof explain`).

use crate::lab::fault::{Fault, Install};
use crate::lab::rules::Rule;
use crate::wire::Hresult;

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "sends-access-denied",
        does: "Refuses one request in ten with 0x80070005, which says that the client's prompt is not elevated.",
        hurts: "The user: sent to run the command as an administrator, which was done already.",
        caught_by: &[],
        install: Install::Answers(|host, lots| {
            let mut lot = lots.one_in(10);
            host.rule(Rule::Machine, move |_, honest| if lot() { Err(Hresult::ACCESS_DENIED) } else { honest });
        }),
    },
    Fault {
        name: "sends-blocked-key",
        does: "Refuses one request in ten with 0xC004C003, a code of Microsoft's activation servers.",
        hurts: "The admin: the code says that a key is blocked, and no key was looked at.",
        caught_by: &[],
        install: Install::Answers(|host, lots| {
            let mut lot = lots.one_in(10);
            host.rule(Rule::Machine, move |_, honest| if lot() { Err(KEY_BLOCKED) } else { honest });
        }),
    },
    Fault {
        name: "sends-count-code",
        does: "Refuses a client below its N policy with 0xC004F038, and does not say the count, by which the client decides.",
        hurts: "Clients below the threshold: they never learn the host's count or its intervals.",
        caught_by: &["rpc/transport/control"],
        install: Install::Answers(|host, _| {
            host.grant(|asked, grant| match grant.count < asked.request.n_policy {
                true => Err(Hresult::NOT_ENOUGH_COUNT),
                false => Ok(grant),
            });
        }),
    },
    Fault {
        name: "sends-unavailable",
        does: "Refuses a wrong clock with 0xC004F074, the code slmgr shows, not with 0xC004F06C, the code for the wire.",
        hurts: "The admin: the client's event log no longer says that it is the clock.",
        caught_by: &["kms/policy/clock-far#code"],
        install: Install::Answers(|host, _| {
            host.rule(Rule::Clock, |_, honest| honest.map_err(|_| Hresult::BINDING_SERVICE_UNAVAILABLE));
        }),
    },
];

/// SL_E_CHPA_PRODUCT_KEY_BLOCKED.
const KEY_BLOCKED: Hresult = Hresult(0xC004_C003);
