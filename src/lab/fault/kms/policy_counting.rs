//! Faults of the count (protocol description, section 6).

use std::time::Duration;

use crate::lab::fault::lots::digest;
use crate::lab::fault::{Fault, Install};
use crate::lab::table::GivesWay;
use crate::wire::Guid;
use crate::wire::kms::ProtocolVersion;

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "caps-at-ten-for-ever",
        does: "Never keeps more than ten machines, whatever N policy it is asked for.",
        hurts: "Windows clients: the count never reaches the 25 they need, and none is ever activated.",
        caught_by: &["kms/policy/new-client#count"],
        install: Install::Answers(|host, _| host.table.entries_most = 10),
    },
    Fault {
        name: "count-sticks-at-one",
        does: "Answers every machine with a count of one.",
        hurts: "Every client: none is ever activated, as if all were clones of one another.",
        caught_by: &["kms/policy/new-client#count"],
        install: Install::Answers(|host, _| host.tell(|_, count| count.min(1))),
    },
    Fault {
        name: "counts-applications-together",
        does: "Keeps one count for Windows and every Office.",
        hurts: "The admin: Office machines activate Windows ones before there are enough of them, and push them out.",
        caught_by: &["kms/policy/applications-apart#count"],
        install: Install::Answers(|host, _| host.table_of(|_, _| Guid::NIL)),
    },
    Fault {
        name: "counts-clients-and-servers-apart",
        does: "Keeps one count for machines that need 25 or more and another for those that need fewer.",
        hurts: "Small networks: 24 Windows clients and a server do not make 25, though they should.",
        caught_by: &["kms/policy/one-count-for-windows#count"],
        install: Install::Answers(|host, _| {
            host.table_of(|caller, table| if caller.n_policy < CLIENT_N_POLICY { other(table, 1) } else { table });
        }),
    },
    Fault {
        name: "counts-clones-apart",
        does: "Counts a client machine id again for every machine name it comes with.",
        hurts: "The admin: machines cloned without sysprep seem in order, until an honest host counts them once.",
        caught_by: &["kms/policy/same-client#count"],
        install: Install::Answers(|host, _| {
            host.entry_of(|caller, entry| {
                let units = caller.name.iter().flat_map(|name| name.units());
                other(entry, digest(units.flat_map(|unit| unit.to_le_bytes())))
            });
        }),
    },
    Fault {
        name: "counts-renewals-twice",
        does: "Counts a machine again each time it asks.",
        hurts: "The admin: five requests of one machine activate it, and the count says nothing of the network.",
        caught_by: &["kms/policy/same-client#count"],
        install: Install::Answers(|host, _| {
            let mut requests = 0;
            host.entry_of(move |_, entry| {
                requests += 1;
                other(entry, requests)
            });
        }),
    },
    Fault {
        name: "counts-visits",
        does: "Counts a machine again when another asked between its two requests.",
        hurts: "The admin: two machines that take turns are counted as fifty, and the count says nothing.",
        caught_by: &["kms/policy/same-client#count"],
        install: Install::Answers(|host, _| {
            let (mut last, mut visits) = (None, 0);
            host.entry_of(move |caller, entry| {
                if last.replace(caller.cmid) != Some(caller.cmid) {
                    visits += 1;
                }
                other(entry, visits)
            });
        }),
    },
    Fault {
        name: "doubles-the-count",
        does: "Tells twice the count.",
        hurts: "The admin: thirteen machines are activated where twenty-five are needed.",
        caught_by: &["kms/policy/new-client#count", "load/count-of-many#count"],
        install: Install::Answers(|host, _| host.tell(|_, count| count.saturating_mul(2))),
    },
    Fault {
        name: "evicts-newest",
        does: "Gives up its newest entry, not its oldest, when its table is full.",
        hurts: "Machines that renew: they fall out at once while those long gone stay, and the count falls too early.",
        caught_by: &["kms/policy/oldest-gives-way#count"],
        install: Install::Answers(|host, _| host.table.gives_way = GivesWay::SeenLast),
    },
    Fault {
        name: "evicts-who-came-first",
        does: "Gives up the entry that was made first when its table is full, though its machine has asked since.",
        hurts: "The machines that were there first: they are not counted for long after each renewal, and the count falls.",
        caught_by: &["kms/policy/oldest-gives-way#count"],
        install: Install::Answers(|host, _| host.table.gives_way = GivesWay::CameFirst),
    },
    Fault {
        name: "expires-after-a-week",
        does: "Forgets a machine seven days after it was last seen, not thirty.",
        hurts: "Networks near the threshold: the count falls below it between two renewals.",
        caught_by: &[],
        install: Install::Answers(|host, _| host.table.lifetime = Duration::from_secs(7 * 24 * 3600)),
    },
    Fault {
        name: "forgets-to-count-requester",
        does: "Answers with the count as it was before the requester came.",
        hurts: "The machine that completes the threshold: it is refused, and has to ask again two hours later.",
        caught_by: &["kms/policy/new-client#count", "kms/response/count"],
        install: Install::Answers(|host, _| host.tell(|tally, count| count.min(tally.before))),
    },
    Fault {
        name: "keeps-a-hundred-at-most",
        does: "Never keeps more than a hundred machines, whatever N policy it is asked for.",
        hurts: "Products that need more machines than that: none of their clients is ever activated.",
        caught_by: &["kms/policy/beyond-255#count"],
        install: Install::Answers(|host, _| host.table.entries_most = 100),
    },
    Fault {
        name: "keeps-512-at-most",
        does: "Never keeps more than 512 machines, whatever N policy it is asked for.",
        hurts: "The admin of a large network, and whoever relies on the 671 that a genuine host keeps.",
        caught_by: &["kms/policy/full-table#count"],
        install: Install::Answers(|host, _| host.table.entries_most = 512),
    },
    Fault {
        name: "counts-in-the-interval",
        does: "Writes the count into the place of the activation interval as well.",
        hurts: "Clients: the first of them ask every minute, those that come later every few hours.",
        caught_by: &["kms/policy/new-client#intervals"],
        install: Install::Answers(|host, _| {
            host.write(|response| response.activation_interval_min = 15 + response.count);
        }),
    },
    Fault {
        name: "loses-updates",
        does: "Loses one in a thousand machines new to it: it is answered, and not in the table afterwards.",
        hurts: "Large networks under load: the count is a little too low, in a way nobody can repeat.",
        caught_by: &[],
        install: Install::Answers(|host, lots| host.lose(lots.one_in(1000))),
    },
    Fault {
        name: "never-caps",
        does: "Keeps every machine, far beyond twice the largest N policy it was asked for.",
        hurts: "The admin who watches the count: it goes past the 50 a genuine host reports at most.",
        caught_by: &["kms/policy/twice-n#count", "kms/policy/charged#count"],
        install: Install::Answers(|host, _| host.table.entries_least = UNCAPPED),
    },
    Fault {
        name: "never-expires",
        does: "Keeps a machine for ever once it was seen.",
        hurts: "The admin: a network that shrank below the threshold goes on being activated.",
        caught_by: &[],
        install: Install::Answers(|host, _| host.table.lifetime = Duration::MAX),
    },
    Fault {
        name: "stops-at-n",
        does: "Keeps as many machines as the largest N policy it was asked for, not twice as many.",
        hurts: "Networks at the threshold: there is no reserve, and one machine pushes another out.",
        caught_by: &["kms/policy/new-client#count"],
        install: Install::Answers(|host, _| host.table.entries_per_n = 1),
    },
    Fault {
        name: "tells-counts-of-a-byte-in-v4",
        does: "Tells no more than 255 in version 4.0.",
        hurts: "Products that need more machines than that: none of their clients is ever activated.",
        caught_by: &["kms/policy/beyond-255#count"],
        install: Install::Answers(|host, _| {
            host.write(|response| {
                if response.version == ProtocolVersion::V4 {
                    response.count = response.count.min(u8::MAX.into());
                }
            });
        }),
    },
];

/// Another id for every number.
pub fn other(id: Guid, number: u64) -> Guid {
    Guid::from_u128(id.as_u128() ^ u128::from(number))
}

/// A Windows client's (Microsoft Learn, "Key Management Services client activation").
const CLIENT_N_POLICY: u32 = 25;
/// A bound that no scenario meets, and that memory does.
const UNCAPPED: usize = 100_000;
