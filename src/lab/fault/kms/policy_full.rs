//! Faults of hosts whose table is full (protocol description, section 6).

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use crate::lab::conduct::Conduct;
use crate::lab::fault::{Fault, Install};
use crate::lab::rules::Grant;
use crate::wire::kms::ProtocolVersion;
use crate::wire::{Guid, Hresult};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "is-full-for-v4",
        does: "Refuses a new machine that asks in version 4.0 with 0xC004D104 when its table holds twice the N policy.",
        hurts: "Networks of Windows 7 clients: from the fifty-first on none is activated.",
        caught_by: &["kms/policy/full-for-all#code"],
        install: Install::Answers(|host, _| {
            let mut known = HashSet::new();
            let mut last = HashMap::<Guid, u32>::new();
            host.grant(move |asked, grant| {
                let request = asked.request;
                let is_new = known.len() < REMEMBERED_MAX && known.insert((request.application_id, request.cmid));
                let before = last.insert(request.application_id, grant.count);
                let is_full = is_new && before == Some(grant.count);
                if is_full && request.version == ProtocolVersion::V4 { Err(Hresult::TABLE_FULL) } else { Ok(grant) }
            });
        }),
    },
    Fault {
        name: "overflows-when-several-come",
        does: "Tells new machines that come one after the other on connections of their own one more than there is room for.",
        hurts: "The admin: the count goes beyond what the host keeps when many machines start together.",
        caught_by: &["kms/policy/full-at-once#count"],
        install: Install::Answers(|host, _| overflows(host)),
    },
];

fn overflows(host: &mut Conduct) {
    let newcomers = Arc::new(Mutex::new((0_u64, 0_u32)));
    let noted = Arc::clone(&newcomers);
    let mut known = HashSet::new();
    host.entry_of(move |caller, entry| {
        let mut noted = noted.lock().expect("nobody panics with it");
        let is_new = known.len() < REMEMBERED_MAX && known.insert((caller.application, caller.cmid));
        let is_another = is_new && caller.arrival.connection != noted.0;
        *noted = (caller.arrival.connection, if is_another { noted.1 + 1 } else { 0 });
        entry
    });
    let mut last = HashMap::<Guid, u32>::new();
    host.grant(move |asked, grant| {
        let (_, in_a_row) = *newcomers.lock().expect("nobody panics with it");
        let before = last.insert(asked.request.application_id, grant.count);
        let is_full = before == Some(grant.count);
        Ok(if is_full && in_a_row > 8 { Grant { count: grant.count + 1 } } else { grant })
    });
}

/// More than so many are not told apart any more.
const REMEMBERED_MAX: usize = 10_000;
