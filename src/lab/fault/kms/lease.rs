//! Faults of the license status, which an honest host only notes (protocol description, section 6).

use crate::lab::conduct::Conduct;
use crate::lab::fault::{Fault, Install};
use crate::lab::rules::Rule;
use crate::wire::Hresult;
use crate::wire::kms::LicenseStatus;

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "refuses-lapsed",
        does: "Refuses every client that is neither licensed nor in its initial grace, with 0xC004F009.",
        hurts: "Machines that were off the network for half a year: they can never be activated again.",
        caught_by: &["kms/request/license-status#code"],
        install: Install::Answers(|host, _| {
            let fresh = [LicenseStatus::LICENSED, LicenseStatus::OOB_GRACE];
            refuse(host, Hresult::GRACE_EXPIRED, move |status| !fresh.contains(&status));
        }),
    },
    Fault {
        name: "refuses-notification",
        does: "Refuses every client in the notification state, with 0xC004F009.",
        hurts: "Machines whose grace ran out, and images that are in that state from the start.",
        caught_by: &["kms/request/license-status#code"],
        install: Install::Answers(|host, _| {
            refuse(host, Hresult::GRACE_EXPIRED, |status| status == LicenseStatus::NOTIFICATION);
        }),
    },
    Fault {
        name: "wants-license",
        does: "Refuses every client that is not licensed already, with 0xC004F056.",
        hurts: "Every new machine: only those can renew that an honest host has activated before.",
        caught_by: &["rpc/transport/control"],
        install: Install::Answers(|host, _| {
            refuse(host, NOT_ACTIVATED_BY_KMS, |status| status != LicenseStatus::LICENSED);
        }),
    },
];

fn refuse(host: &mut Conduct, code: Hresult, refused: impl Fn(LicenseStatus) -> bool + Send + 'static) {
    host.rule(Rule::Machine, move |asked, honest| match refused(asked.request.license_status) {
        true => Err(code),
        false => honest,
    });
}

/// What a client says of itself when KMS has not activated it (Microsoft Learn, volume activation error codes).
const NOT_ACTIVATED_BY_KMS: Hresult = Hresult(0xC004_F056);
