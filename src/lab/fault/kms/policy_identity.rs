//! Faults of who is taken for whom when clients are counted, and for how long (protocol description, section 6).

use std::time::Duration;

use super::policy_counting::other;
use crate::catalog::Application;
use crate::lab::fault::lots::digest;
use crate::lab::fault::{Fault, Install};
use crate::lab::rules::Caller;
use crate::wire::Guid;

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "counts-all-office-together",
        does: "Keeps one count for Office 2010 and everything after it.",
        hurts: "The admin: machines of one Office push those of another out, and activate them before there are enough.",
        caught_by: &["kms/policy/office-generations#count"],
        install: Install::Answers(|host, _| {
            let (old, new) = (Application::Office2010.guid(), Application::Office.guid());
            host.table_of(move |_, table| if table == old { new } else { table });
        }),
    },
    Fault {
        name: "counts-by-half-an-id",
        does: "Knows a machine by the last eight bytes of its client machine id alone.",
        hurts: "Networks near the threshold: machines that are two are counted as one.",
        caught_by: &["kms/policy/similar-ids#count"],
        install: Install::Answers(|host, _| {
            host.entry_of(|_, entry| Guid::from_u128(entry.as_u128() & u128::from(u64::MAX)));
        }),
    },
    Fault {
        name: "counts-by-most-of-an-id",
        does: "Knows a machine by its client machine id without the bytes 4 to 7.",
        hurts: "Networks near the threshold: machines that are two are counted as one.",
        caught_by: &["kms/policy/similar-ids#count"],
        install: Install::Answers(|host, _| {
            host.entry_of(|_, entry| Guid::from_u128(entry.as_u128() & !(u128::from(u32::MAX) << 64)));
        }),
    },
    Fault {
        name: "counts-office-versions-apart",
        does: "Keeps a count for each version of Office, Office 2013 and those after it too.",
        hurts: "Networks with several versions of Office: none of them reaches the five it needs.",
        caught_by: &["kms/policy/office-generations#count"],
        install: Install::Answers(|host, _| {
            host.table_of(|caller, table| match caller.request {
                Some(request) if table == Application::Office.guid() => request.kms_counted_id,
                _ => table,
            });
        }),
    },
    Fault {
        name: "counts-products-apart",
        does: "Counts a machine again for every product that it asks for.",
        hurts: "The admin: machines with Office and Visio stand twice in the count, and three of them seem to be enough.",
        caught_by: &["kms/policy/office-generations#count", "kms/policy/one-count-for-windows#count"],
        install: Install::Answers(|host, _| {
            also_by(host, |caller| Some(caller.request?.kms_counted_id.as_u128() as u64))
        }),
    },
    Fault {
        name: "counts-skus-apart",
        does: "Counts a machine again for every SKU id it comes with.",
        hurts: "The admin: machines that change their edition stand twice in the count.",
        caught_by: &["kms/policy/same-id#count"],
        install: Install::Answers(|host, _| also_by(host, |caller| Some(caller.request?.sku_id.as_u128() as u64))),
    },
    Fault {
        name: "counts-statuses-apart",
        does: "Counts a machine again for every license status it comes with.",
        hurts: "The admin: a machine stands twice in the count as soon as it was activated.",
        caught_by: &["kms/policy/same-id#count"],
        install: Install::Answers(|host, _| also_by(host, |caller| Some(caller.request?.license_status.0.into()))),
    },
    Fault {
        name: "counts-versions-apart",
        does: "Keeps a count for each version of the protocol.",
        hurts: "Networks with old and new Windows: together they have enough machines, and neither is activated.",
        caught_by: &["kms/policy/same-id#count"],
        install: Install::Answers(|host, _| {
            host.table_of(|caller, table| {
                let major = caller.request.map_or(0, |request| request.version.major);
                other(table, u64::from(major))
            });
        }),
    },
    Fault {
        name: "counts-virtual-machines-as-one",
        does: "Counts all virtual machines as one.",
        hurts: "Networks of virtual machines: the count stays at one, and none is ever activated.",
        caught_by: &["kms/policy/new-client#count"],
        install: Install::Answers(|host, _| {
            host.entry_of(|caller, entry| match caller.request {
                Some(request) if request.is_vm != 0 => Guid::NIL,
                _ => entry,
            });
        }),
    },
    Fault {
        name: "forgets-after-fifty-requests",
        does: "Forgets every machine after each fifty requests.",
        hurts: "Large networks: the count begins again at one, and machines near the threshold are refused by it.",
        caught_by: &["kms/policy/still-counted#count"],
        install: Install::Answers(|host, _| {
            let mut requests = 0;
            host.table_of(move |_, table| {
                requests += 1;
                other(table, requests / 50)
            });
        }),
    },
    Fault {
        name: "forgets-within-seconds",
        does: "Forgets a machine two seconds after it was last seen, not thirty days.",
        hurts: "Every client: the count never reaches what it needs.",
        caught_by: &["kms/policy/still-counted#count"],
        install: Install::Answers(|host, _| host.table.lifetime = Duration::from_secs(2)),
    },
];

/// Tells machines apart by something else as well.
fn also_by(host: &mut crate::lab::conduct::Conduct, by: fn(&Caller<'_>) -> Option<u64>) {
    host.entry_of(move |caller, entry| {
        let by = by(caller).unwrap_or_default();
        other(entry, digest(by.to_le_bytes()))
    });
}
