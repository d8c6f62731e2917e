//! Faults of a host with much to do, or one that was away.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Fault, Install};
use crate::catalog::Application;
use crate::lab::rules::Rule;
use crate::lab::tamper::End;
use crate::wire::rpc::Ptype;
use crate::wire::{FileTime, Guid, Hresult};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "closes-after-binding",
        does: "Closes one connection in ten right behind its bind_ack, before anything is asked.",
        hurts: "One client in ten: it shows 0xC004F074 and tries again two hours later.",
        caught_by: &[],
        install: Install::Pdus(|tamper, lots| {
            let mut lot = lots.one_in(10);
            tamper.on_way_out_of(Ptype::BIND_ACK, move |out| {
                if lot() {
                    out.end = Some(End::Finish);
                }
            });
        }),
    },
    Fault {
        name: "drops-one-in-fifty",
        does: "Closes the connection in place of one answer in fifty; the client is counted.",
        hurts: "One client in fifty: it shows 0xC004F074 and tries again two hours later.",
        caught_by: &[],
        install: Install::Connections(|door, lots| {
            let mut lot = lots.one_in(50);
            door.carry(move |manner| manner.hang_up |= lot());
        }),
    },
    Fault {
        name: "forgets-on-outage",
        does: "Has forgotten every client when it comes back from an outage.",
        hurts: "Every client that asks next: below the threshold again, until enough others have asked.",
        caught_by: &[],
        install: Install::Answers(|host, _| host.forgets_when_down = true),
    },
    Fault {
        name: "mixes-up-connections",
        does: "Answers one client in ten with the client machine id of the one before it.",
        hurts: "That client: it cannot trust the answer, and shows 0x8007000D.",
        caught_by: &["kms/response/cmid"],
        install: Install::Answers(|host, lots| {
            let (mut lot, mut before) = (lots.one_in(10), None);
            host.write(move |response| {
                // The first has nobody before it; one that asks twice in a row is no mix-up.
                let other = before.filter(|before| *before != response.cmid);
                before = Some(response.cmid);
                if let Some(other) = other.filter(|_| lot()) {
                    response.cmid = other;
                }
            });
        }),
    },
    Fault {
        name: "mixes-up-when-busy",
        does: "Answers with the client machine id of the client before it, one in ten of those who ask within a \
               hundredth of a second of one another.",
        hurts: "Clients on a busy morning: they cannot trust the answer, and show 0x8007000D; a test with one client at \
                a time finds nothing.",
        caught_by: &["kms/response/cmid"],
        install: Install::Answers(|host, lots| {
            let is_busy = Arc::new(AtomicBool::new(false));
            let noticed = Arc::clone(&is_busy);
            let mut last = None;
            host.rule(Rule::Product, move |asked, honest| {
                let soon_after = |last: FileTime| asked.now.distance(last) < BUSY_WITHIN;
                noticed.store(last.replace(asked.now).is_some_and(soon_after), Ordering::Relaxed);
                honest
            });
            let (mut lot, mut before) = (lots.one_in(10), None);
            host.write(move |response| {
                let other = before.filter(|before| *before != response.cmid);
                before = Some(response.cmid);
                if let Some(other) = other.filter(|_| is_busy.load(Ordering::Relaxed) && lot()) {
                    response.cmid = other;
                }
            });
        }),
    },
    Fault {
        name: "refuses-fifth-connection",
        does: "Resets a connection while four others are open.",
        hurts: "Whoever comes fifth, when a lecture begins and a room of machines is switched on.",
        caught_by: &[],
        install: Install::Connections(|door, _| door.open_max = Some(4)),
    },
    Fault {
        name: "second-office-refused",
        does: "Refuses a machine's second Office product with 0xC004F042, though it would serve it as the first.",
        hurts: "Machines with Office and Visio or Project: whichever asks second is never activated.",
        caught_by: &["kms/policy/second-product#code"],
        install: Install::Answers(|host, _| {
            let (mut life, mut first_office) = (0, HashMap::<Guid, Guid>::new());
            host.rule(Rule::Product, move |asked, honest| {
                honest?;
                if life != asked.life {
                    life = asked.life;
                    first_office.clear();
                }
                let (cmid, sku) = (asked.request.cmid, asked.request.sku_id);
                let office = asked.request.application_id != Application::Windows.guid();
                if !office || (first_office.len() >= REMEMBERED_MAX && !first_office.contains_key(&cmid)) {
                    return Ok(());
                }
                if *first_office.entry(cmid).or_insert(sku) == sku { Ok(()) } else { Err(Hresult::KMS_ID_MISMATCH) }
            });
        }),
    },
    Fault {
        name: "serves-500-a-second",
        does: "Serves 500 requests a second, one after the other, and lets the others wait their turn.",
        hurts: "A network that asks faster than that: each client waits longer than the one before.",
        caught_by: &[],
        install: Install::Connections(|door, _| door.serves_per_s = Some(500)),
    },
    Fault {
        name: "serves-2000-a-second",
        does: "Serves 2,000 requests a second, one after the other, and lets the others wait their turn.",
        hurts: "A network that asks faster than that: each client waits longer than the one before.",
        caught_by: &[],
        install: Install::Connections(|door, _| door.serves_per_s = Some(2_000)),
    },
    Fault {
        name: "slows-down-with-load",
        does: "Takes a twentieth of a millisecond longer for each request than for the one before, up to half a second.",
        hurts: "Large networks: a host that was fast in the morning is slow by noon.",
        caught_by: &[],
        install: Install::Connections(|door, _| {
            let mut served = 0;
            door.carry(move |manner| {
                manner.delay += SLOWER.saturating_mul(served).min(SLOWEST);
                served = served.saturating_add(1);
            });
        }),
    },
];

const SLOWER: Duration = Duration::from_micros(50);
const SLOWEST: Duration = Duration::from_millis(500);
/// More machines than this are not told apart any more.
const REMEMBERED_MAX: usize = 10_000;
/// Requests nearer to one another than this come to a busy host.
const BUSY_WITHIN: Duration = Duration::from_millis(10);
