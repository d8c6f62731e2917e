//! Faults that show in one version of the protocol alone, where hosts have code of their own for each (protocol
//! description, section 5).

use crate::catalog;
use crate::lab::conduct::Conduct;
use crate::lab::fault::{Fault, Install};
use crate::lab::rules::{Asked, Rule};
use crate::wire::Hresult;
use crate::wire::kms::{LicenseStatus, ProtocolVersion};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "decides-by-sku-in-v4",
        does: "Refuses a SKU id that is not in its list in version 4.0, though it serves the KMS counted id.",
        hurts: "Editions newer than the host's list: they are refused, though their counted id is served.",
        caught_by: &["kms/policy/sku#code"],
        install: Install::Answers(|host, _| {
            rule(host, ProtocolVersion::V4, Rule::Product, |asked, honest| {
                let is_known = catalog::by_sku_id(asked.request.sku_id).next().is_some();
                honest.and(if is_known { Ok(()) } else { Err(Hresult::KMS_ID_MISMATCH) })
            });
        }),
    },
    Fault {
        name: "ignores-skew-in-v4",
        does: "Does not look at the client's clock in version 4.0.",
        hurts: "The admin: clocks of Windows 7 that are wrong go unnoticed until a host that looks takes over.",
        caught_by: &["kms/policy/clock-beyond#code"],
        install: Install::Answers(|host, _| rule(host, ProtocolVersion::V4, Rule::Clock, |_, _| Ok(()))),
    },
    Fault {
        name: "ignores-skew-in-v5",
        does: "Does not look at the client's clock in version 5.0.",
        hurts: "The admin: clocks of Windows 8 that are wrong go unnoticed until a host that looks takes over.",
        caught_by: &["kms/policy/clock-beyond#code"],
        install: Install::Answers(|host, _| rule(host, ProtocolVersion::V5, Rule::Clock, |_, _| Ok(()))),
    },
    Fault {
        name: "refuses-notification-in-v4",
        does: "Refuses every client in the notification state in version 4.0, with 0xC004F009.",
        hurts: "Machines with Windows 7 whose grace ran out: they can never be activated again.",
        caught_by: &["kms/request/license-status#code"],
        install: Install::Answers(|host, _| {
            rule(host, ProtocolVersion::V4, Rule::Machine, |asked, honest| match asked.request.license_status {
                LicenseStatus::NOTIFICATION => Err(Hresult::GRACE_EXPIRED),
                _ => honest,
            });
        }),
    },
    Fault {
        name: "refuses-small-n-in-v5",
        does: "Refuses an N policy of less than 5 in version 5.0, with 0x8007000D.",
        hurts: "A product whose N policy is smaller: none of its clients is ever activated.",
        caught_by: &["kms/policy/n-policy#code"],
        install: Install::Answers(|host, _| {
            rule(host, ProtocolVersion::V5, Rule::NPolicy, |asked, honest| match asked.request.n_policy {
                1..5 => Err(Hresult::INVALID_DATA),
                _ => honest,
            });
        }),
    },
    Fault {
        name: "refuses-virtual-machines-in-v5",
        does: "Refuses virtual machines with 0x8007000D in version 5.0.",
        hurts: "Every virtual machine with Windows 8: none is ever activated.",
        caught_by: &["kms/request/vm-flag#code"],
        install: Install::Answers(|host, _| {
            rule(host, ProtocolVersion::V5, Rule::Machine, |asked, honest| match asked.request.is_vm {
                1 => Err(Hresult::INVALID_DATA),
                _ => honest,
            });
        }),
    },
    Fault {
        name: "serves-everything-in-v5",
        does: "Serves every product in version 5.0: retail ones, unknown ones, and those of another application too.",
        hurts: "The admin: products without a volume licence are activated.",
        caught_by: &[
            "kms/policy/unknown-product#reply",
            "kms/policy/application#code",
            "kms/policy/retail-product#code",
        ],
        install: Install::Answers(|host, _| rule(host, ProtocolVersion::V5, Rule::Product, |_, _| Ok(()))),
    },
    Fault {
        name: "takes-any-n-policy-in-v4",
        does: "Takes an N policy of any size in version 4.0, and keeps as many machines for it.",
        hurts: "The host: one request, and its table grows until the memory is gone.",
        caught_by: &["kms/policy/too-large-n#code"],
        install: Install::Answers(|host, _| rule(host, ProtocolVersion::V4, Rule::NPolicy, |_, _| Ok(()))),
    },
    Fault {
        name: "tells-time-in-milliseconds",
        does: "Answers a V4 request with the client time rounded down to milliseconds.",
        hurts: "Windows Vista to 7 and Office 2010: the answer is for another request, and they show 0x8007000D.",
        caught_by: &["kms/policy/clock-within#code"],
        install: Install::Answers(|host, _| {
            host.write(|response| {
                if response.version == ProtocolVersion::V4 {
                    response.client_time.0 -= response.client_time.0 % STEPS_PER_MILLISECOND;
                }
            });
        }),
    },
];

/// What a host says of one version in place of what it says honestly.
fn rule(
    host: &mut Conduct,
    version: ProtocolVersion,
    rule: Rule,
    says: fn(&Asked<'_>, Result<(), Hresult>) -> Result<(), Hresult>,
) {
    host.rule(rule, move |asked, honest| match asked.request.version == version {
        true => says(asked, honest),
        false => honest,
    });
}
const STEPS_PER_MILLISECOND: u64 = 10_000;
