//! Faults of machines of a kind, which a host does not count though it never saw them (protocol description, section 6).

use std::collections::{HashMap, HashSet};

use crate::catalog::{self, Application};
use crate::lab::conduct::Conduct;
use crate::lab::fault::{Fault, Install};
use crate::lab::rules::Caller;
use crate::wire::Guid;
use crate::wire::kms::{ActivationRequest, LicenseStatus, ProtocolVersion};
use crate::wire::rpc::TransferSyntax;

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "counts-bursts-too-low",
        does: "Tells new machines that come one right after the other, from the fifth on, the count as it was for the fourth.",
        hurts: "Networks whose machines start together: each is told too few, and asks again two hours later.",
        caught_by: &["kms/policy/counted-at-once#count"],
        install: Install::Answers(|host, _| {
            let mut newcomers = 0_u32;
            host.tell(move |tally, count| {
                newcomers = if tally.known { 0 } else { newcomers.saturating_add(1) };
                count.saturating_sub(newcomers.saturating_sub(4)).max(1)
            });
        }),
    },
    Fault {
        name: "counts-latecomers-again",
        does: "Counts a machine again that asks over another connection right after it asked over one.",
        hurts: "Machines whose first answer is late and that ask again: one of them stands in the count as several.",
        caught_by: &["kms/policy/counted-at-once#count"],
        install: Install::Answers(|host, _| {
            let mut last = (Guid::NIL, 0);
            host.entry_of(move |caller, entry| {
                let this = (caller.cmid, caller.arrival.connection);
                let (before, over) = std::mem::replace(&mut last, this);
                if before == this.0 && over != this.1 {
                    Guid::from_u128(entry.as_u128() ^ u128::from(this.1))
                } else {
                    entry
                }
            });
        }),
    },
    Fault {
        name: "counts-licensed-as-known",
        does: "Takes a machine that is licensed already for one it knows, and does not count it.",
        hurts: "Networks that change their host: machines that renew never make up the count of the new one.",
        caught_by: &["kms/policy/new-kinds#count", "kms/policy/every-new-machine#count"],
        install: Install::Answers(|host, _| {
            newcomer_is_known(host, |request| request.license_status == LicenseStatus::LICENSED);
        }),
    },
    Fault {
        name: "counts-nobody-in-ndr64",
        does: "Does not count a new machine whose request comes in NDR64.",
        hurts: "Every Windows client of 64 bits: the count of the host never grows.",
        caught_by: &["kms/policy/new-in-every-way#count"],
        install: Install::Answers(|host, _| {
            newcomer_is_known_to(host, |caller| caller.arrival.syntax == TransferSyntax::Ndr64);
        }),
    },
    Fault {
        name: "counts-no-nameless",
        does: "Does not count a new machine without a name.",
        hurts: "Networks whose machines are named after they are activated: they never make up the count.",
        caught_by: &["kms/policy/new-in-every-way#count"],
        install: Install::Answers(|host, _| {
            newcomer_is_known(host, |request| request.workstation.units()[0] == 0);
        }),
    },
    Fault {
        name: "counts-no-unlicensed-v5",
        does: "Does not count an unlicensed machine that asks in version 5.0.",
        hurts: "Networks of Windows 8 and Office 2013: new machines never make up the count.",
        caught_by: &["kms/policy/every-new-machine#count"],
        install: Install::Answers(|host, _| {
            newcomer_is_known(host, |request| {
                request.license_status == LicenseStatus::UNLICENSED && request.version == ProtocolVersion::V5
            });
        }),
    },
    Fault {
        name: "counts-no-virtual-office",
        does: "Does not count a virtual machine that asks for Office.",
        hurts: "Networks of virtual desktops: Office never reaches the five it needs.",
        caught_by: &["kms/policy/new-kinds#count", "kms/policy/every-new-machine#count"],
        install: Install::Answers(|host, _| {
            newcomer_is_known(host, |request| {
                request.is_vm != 0 && request.application_id != Application::Windows.guid()
            });
        }),
    },
    Fault {
        name: "counts-no-virtual-servers",
        does: "Does not count a virtual machine with Windows Server.",
        hurts: "Data centres: there is hardly a server that is not virtual, and none is ever activated.",
        caught_by: &["kms/policy/every-new-machine#count"],
        install: Install::Answers(|host, _| {
            newcomer_is_known(host, |request| request.is_vm != 0 && request.kms_counted_id == server());
        }),
    },
    Fault {
        name: "counts-notification-as-known",
        does: "Does not count a machine in notification or in extended grace.",
        hurts: "Machines whose grace ran out: they never make up the count that would activate them.",
        caught_by: &["kms/policy/new-kinds#count", "kms/policy/every-new-machine#count"],
        install: Install::Answers(|host, _| {
            newcomer_is_known(host, |request| request.license_status.0 >= LicenseStatus::NOTIFICATION.0);
        }),
    },
    Fault {
        name: "renames-by-previous-id",
        does: "Takes a new machine for the one whose id it had before, when that one was counted.",
        hurts: "The admin: of two machines made from one image, one is missing from the count.",
        caught_by: &["kms/policy/new-kinds#count", "kms/policy/every-new-machine#count"],
        install: Install::Answers(|host, _| {
            let mut seen = HashSet::new();
            host.entry_of(move |caller, entry| {
                let previous = caller.request.map_or(Guid::NIL, |request| request.previous_cmid);
                if !seen.contains(&caller.cmid) && seen.contains(&previous) {
                    return previous;
                }
                remember(&mut seen, caller.cmid);
                entry
            });
        }),
    },
];

/// A new machine of this kind is not counted: whoever was counted last in its table is seen again in its place.
fn newcomer_is_known(host: &mut Conduct, is_such: fn(&ActivationRequest) -> bool) {
    newcomer_is_known_to(host, move |caller| caller.request.is_some_and(is_such));
}

fn newcomer_is_known_to(host: &mut Conduct, is_such: impl Fn(&Caller<'_>) -> bool + Send + 'static) {
    let (mut seen, mut last) = (HashSet::new(), HashMap::new());
    host.entry_of(move |caller, entry| {
        let is_new = !seen.contains(&(caller.application, caller.cmid));
        let is_such = is_such(caller);
        if let Some(last) = last.get(&caller.application).filter(|_| is_new && is_such) {
            return *last;
        }
        remember(&mut seen, (caller.application, caller.cmid));
        last.insert(caller.application, entry);
        entry
    });
}

/// More than so many are not told apart any more.
fn remember<T: Eq + std::hash::Hash>(seen: &mut HashSet<T>, one: T) {
    if seen.len() < REMEMBERED_MAX {
        seen.insert(one);
    }
}

fn server() -> Guid {
    catalog::find("Windows Server 2022 Standard").map_or(Guid::NIL, |server| server.kms_counted_id)
}

const REMEMBERED_MAX: usize = 10_000;
