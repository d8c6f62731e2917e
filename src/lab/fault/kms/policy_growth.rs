//! Faults of how large a table becomes (protocol description, section 6).

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use crate::catalog::{self, Application};
use crate::lab::conduct::Conduct;
use crate::lab::fault::{Fault, Install};
use crate::lab::rules::{Caller, Grant, Rule};
use crate::wire::Guid;
use crate::wire::kms::ProtocolVersion;
use crate::wire::rpc::TransferSyntax;

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "forgets-on-growth",
        does: "Loses the machine it saw last when its table becomes larger.",
        hurts: "The admin: a machine that was just activated is missing from the count.",
        caught_by: &["kms/policy/table-grows#count"],
        install: Install::Answers(|host, _| {
            host.table.forgets_on_growth = true;
        }),
    },
    Fault {
        name: "grows-for-newcomers-alone",
        does: "Makes its table larger for machines that are new to it, and not for those it knows.",
        hurts: "Networks of servers that get Windows clients later: the count stays at ten until one comes that is new.",
        caught_by: &["kms/policy/table-grows#count"],
        install: Install::Answers(|host, _| {
            let mut seen = HashMap::<Guid, HashSet<Guid>>::new();
            host.room_for(move |caller, n_policy| {
                let seen = seen.entry(caller.application).or_default();
                if seen.len() < REMEMBERED_MAX && seen.insert(caller.cmid) { n_policy } else { 0 }
            });
        }),
    },
    Fault {
        name: "grows-for-renewals-alone",
        does: "Makes its table larger for machines it knows, and not for those that are new to it.",
        hurts: "New Windows clients in a network of servers: the count stays at ten until one of them asks again.",
        caught_by: &["kms/policy/table-grows#count"],
        install: Install::Answers(|host, _| {
            let mut seen = HashMap::<Guid, (u32, HashSet<Guid>)>::new();
            host.room_for(move |caller, n_policy| {
                let (first, seen) = seen.entry(caller.application).or_insert((n_policy, HashSet::new()));
                if seen.len() < REMEMBERED_MAX && seen.insert(caller.cmid) { n_policy.min(*first) } else { n_policy }
            });
        }),
    },
    Fault {
        name: "grows-for-v6-alone",
        does: "Makes its table larger for requests of version 6.0, and not for those of older versions.",
        hurts: "Networks of Windows 7 clients: the count stays at ten, and none of them is ever activated.",
        caught_by: &["kms/policy/table-grows#count"],
        install: Install::Answers(|host, _| {
            grows_for(host, |caller| caller.request.is_none_or(|request| request.version == ProtocolVersion::V6));
        }),
    },
    Fault {
        name: "grows-for-no-virtual-machine",
        does: "Makes its table larger for machines that are not virtual.",
        hurts: "Networks of virtual desktops: the count stays at ten, and none of them is ever activated.",
        caught_by: &["kms/policy/table-grows#count"],
        install: Install::Answers(|host, _| {
            grows_for(host, |caller| caller.request.is_none_or(|request| request.is_vm == 0));
        }),
    },
    Fault {
        name: "grows-for-no-server",
        does: "Makes its table larger for clients, and not for servers.",
        hurts: "Data centres: a product for servers that needs more machines is never activated.",
        caught_by: &["kms/policy/table-grows#count"],
        install: Install::Answers(|host, _| {
            grows_for(host, |caller| {
                let server = catalog::find("Windows Server 2022 Standard").map(|server| server.kms_counted_id);
                caller.request.is_none_or(|request| server != Ok(request.kms_counted_id))
            });
        }),
    },
    Fault {
        name: "grows-for-ndr32-alone",
        does: "Makes its table larger for requests in NDR32.",
        hurts: "Networks of Windows clients of 64 bits: the count stays at ten, and none of them is ever activated.",
        caught_by: &["kms/policy/table-grows#count"],
        install: Install::Answers(|host, _| {
            grows_for(host, |caller| caller.arrival.syntax == TransferSyntax::Ndr32);
        }),
    },
    Fault {
        name: "grows-too-late",
        does: "Makes room for a machine in the table as it was, and the table larger after that.",
        hurts: "The first Windows client in a network of servers: it pushes one of them out, where there should be room.",
        caught_by: &["kms/policy/table-grows#count"],
        install: Install::Answers(|host, _| {
            host.table.grows_late = true;
        }),
    },
    Fault {
        name: "keeps-forty-nine",
        does: "Keeps one machine less than it should when its table is full: 49.",
        hurts: "The admin who watches the count: it never shows that the host knows as many as it can.",
        caught_by: &["kms/policy/charged#count"],
        install: Install::Answers(|host, _| {
            host.table.entries_most = 49;
        }),
    },
    Fault {
        name: "keeps-powers-of-two",
        does: "Has a table whose size is a power of two: eight machines where ten are due, and 32 where fifty are.",
        hurts: "Networks at the threshold: there is less reserve than there should be.",
        caught_by: &["kms/policy/twice-n#count", "kms/policy/charged#count"],
        install: Install::Answers(|host, _| {
            host.room_for(|_, n_policy| (2 * n_policy.max(1) + 1).next_power_of_two() / 4);
        }),
    },
    Fault {
        name: "keeps-ten-of-office",
        does: "Never counts more than ten machines with Office, whatever N policy it is asked for.",
        hurts: "Products that need more machines than that: none of their clients is ever activated.",
        caught_by: &["kms/policy/table-grows#count"],
        install: Install::Answers(|host, _| {
            host.grant(|asked, grant| match asked.request.application_id == Application::Windows.guid() {
                true => Ok(grant),
                false => Ok(Grant { count: grant.count.min(10) }),
            });
        }),
    },
    Fault {
        name: "minds-n-of-refused",
        does: "Makes its table larger for a machine that it refuses for its clock.",
        hurts: "The admin who watches the count of servers: a client that was never activated lets it go past ten.",
        caught_by: &["kms/policy/refused-n#count"],
        install: Install::Answers(|host, _| {
            let refused = Arc::new(Mutex::new(HashMap::<Guid, u32>::new()));
            let noted = Arc::clone(&refused);
            host.rule(Rule::Clock, move |asked, honest| {
                if honest.is_err() {
                    let mut noted = noted.lock().expect("nobody panics with it");
                    let most = noted.entry(asked.request.application_id).or_default();
                    *most = asked.request.n_policy.max(*most);
                }
                honest
            });
            host.room_for(move |caller, n_policy| {
                let refused = refused.lock().expect("nobody panics with it");
                refused.get(&caller.application).map_or(n_policy, |most| n_policy.max(*most))
            });
        }),
    },
    Fault {
        name: "rounds-up-to-n",
        does: "Tells a machine its N policy when one more is missing to it.",
        hurts: "The admin: clients are activated by one machine less than there has to be.",
        caught_by: &["kms/policy/table-grows#count"],
        install: Install::Answers(|host, _| {
            host.grant(|asked, grant| match grant.count + 1 == asked.request.n_policy {
                true => Ok(Grant { count: asked.request.n_policy }),
                false => Ok(grant),
            });
        }),
    },
    Fault {
        name: "tells-no-more-than-twice-n",
        does: "Tells a machine no more than twice its own N policy, however many there are.",
        hurts: "The admin: the count that a server is told says nothing of the network.",
        caught_by: &["kms/policy/table-grows#count"],
        install: Install::Answers(|host, _| {
            host.grant(|asked, grant| Ok(Grant { count: grant.count.min(2 * asked.request.n_policy.max(5)) }));
        }),
    },
];

/// Makes room for what others ask for, and for no more than the first N policy of the application.
fn grows_for(host: &mut Conduct, is_such: fn(&Caller<'_>) -> bool) {
    let mut first = HashMap::<Guid, u32>::new();
    host.room_for(move |caller, n_policy| {
        let first = *first.entry(caller.application).or_insert(n_policy);
        if is_such(caller) { n_policy } else { n_policy.min(first) }
    });
}

/// More than so many are not told apart any more.
const REMEMBERED_MAX: usize = 10_000;
