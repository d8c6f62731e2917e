//! Faults of a host with much to do, or one that was away.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Fault, Install};
use crate::catalog::Application;
use crate::lab::rules::Rule;
use crate::lab::tamper::{End, Fate, Fields};
use crate::wire::rpc::{HEADER_LEN, PduView, Ptype, at};
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
        caught_by: &["rpc/request/thousand-in-a-row#reply"],
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
        caught_by: &["rpc/transport/idle-connections#liveness"],
        install: Install::Connections(|door, _| door.open_max = Some(4)),
    },
    Fault {
        name: "gives-answers-of-others",
        does: "Sends the answer to the request before it, of another client, while ten or more connections are open.",
        hurts: "Clients on a busy morning: they cannot trust the answer, and show 0x8007000D.",
        caught_by: &["load/answers-to-their-own#code", "kms/response/cmid"],
        install: Install::Pdus(|tamper, _| {
            let mut before = None;
            tamper.on_way_out_of(Ptype::RESPONSE, move |out| {
                let last = before.replace((out.scene.number, out.frame.clone()));
                if let Some((of, frame)) = last.filter(|(of, _)| out.scene.others >= MANY && *of != out.scene.number) {
                    let call_id = out.word(at::CALL_ID).to_le_bytes();
                    before = Some((of, std::mem::replace(&mut out.frame, frame)));
                    out.put(at::CALL_ID, &call_id);
                }
            });
        }),
    },
    Fault {
        name: "swaps-call-ids-when-busy",
        does: "Answers with the call id of the request before it while ten or more connections are open.",
        hurts: "Clients on a busy morning: they drop an answer that is not to what they asked, and show 0xC004F074.",
        caught_by: &["load/answers-to-their-own#code", "rpc/header/call-id"],
        install: Install::Pdus(|tamper, _| {
            let mut before = None;
            tamper.on_way_out_of(Ptype::RESPONSE, move |out| {
                let call_id = out.word(at::CALL_ID);
                if let Some(last) = before.replace(call_id).filter(|_| out.scene.others >= MANY) {
                    out.put(at::CALL_ID, &last.to_le_bytes());
                }
            });
        }),
    },
    Fault {
        name: "mistrusts-whoever-comes-next",
        does: "Closes the connection of whoever asks after a request it could not read, while ten or more \
               connections are open.",
        hurts: "Whoever asks right after a client that asks wrong: it shows 0xC004F074.",
        caught_by: &["load/valid-among-malformed#liveness"],
        install: Install::Pdus(|tamper, _| {
            let mut is_angry = false;
            tamper.on_way_in_of(Ptype::REQUEST, move |incoming| {
                let is_short = incoming.frame.len() < ORDINARY_MIN;
                let is_hit = is_angry && !is_short && incoming.scene.others >= MANY;
                is_angry = is_short;
                if is_hit {
                    incoming.fate = Fate::Closes(End::Finish);
                }
            });
        }),
    },
    Fault {
        name: "has-one-buffer-for-all",
        does: "Keeps what has come of a PDU in one buffer for all connections.",
        hurts: "Clients behind slow links: their requests are mixed with those of others, and nobody is answered.",
        caught_by: &["load/halves-of-pdus#reply"],
        install: Install::Pdus(|tamper, _| {
            let buffer = Arc::new(Mutex::new(Vec::new()));
            let left = Arc::clone(&buffer);
            tamper.on_segment(move |segment| {
                let Ok(mut buffer) = buffer.lock() else { return };
                buffer.extend_from_slice(&segment.bytes);
                // As many whole PDUs as there are, in whosever name they began.
                let mut whole = 0;
                while let Some(said) = PduView(&buffer[whole..]).frag_length().map(usize::from) {
                    if said < HEADER_LEN {
                        whole = buffer.len();
                    } else if buffer.len() - whole >= said {
                        whole += said;
                    } else {
                        break;
                    }
                }
                let rest = buffer.split_off(whole);
                segment.bytes = std::mem::replace(&mut *buffer, rest);
                // What is no PDU at all must not fill the machine.
                buffer.truncate(BUFFER_MAX);
            });
            tamper.on_leaving(move |_| {
                if let Ok(mut buffer) = left.lock() {
                    buffer.clear();
                }
            });
        }),
    },
    Fault {
        name: "loses-every-hundredth-connection",
        does: "Closes every hundredth connection as soon as it is bound.",
        hurts: "One client in a hundred: it shows 0xC004F074 and tries again two hours later.",
        caught_by: &["load/connections-in-a-row#reply"],
        install: Install::Pdus(|tamper, _| {
            let mut bound = 0;
            tamper.on_way_out_of(Ptype::BIND_ACK, move |out| {
                bound += 1;
                if bound % 100 == 0 {
                    out.end = Some(End::Finish);
                }
            });
        }),
    },
    Fault {
        name: "waits-for-slow-clients",
        does: "Reads from nobody else while fifteen clients are in the middle of a PDU.",
        hurts: "Everybody, while some clients are behind a slow link or somebody holds connections open on purpose.",
        caught_by: &["load/slow-clients#liveness"],
        install: Install::Pdus(|tamper, _| {
            let slow = Arc::new(Mutex::new(HashSet::new()));
            let gone = Arc::clone(&slow);
            tamper.on_segment(move |segment| {
                let Ok(mut slow) = slow.lock() else { return };
                let there = segment.pending.len() + segment.bytes.len();
                let number = segment.scene.number;
                if there < HEADER_LEN {
                    slow.insert(number);
                } else {
                    slow.remove(&number);
                    if slow.len() >= SLOW_MAX {
                        segment.fate = Fate::Vanishes;
                    }
                }
            });
            tamper.on_leaving(move |leaving| {
                if let Ok(mut slow) = gone.lock() {
                    slow.remove(&leaving.scene.number);
                }
            });
        }),
    },
    Fault {
        name: "keeps-the-hundredth-waiting",
        does: "Says nothing to whoever comes while a hundred others are connected, and keeps the connection open.",
        hurts: "A room of machines that is switched on: those that come last wait for half a minute each.",
        caught_by: &["load/many-at-once#refusal"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_way_in_of(Ptype::BIND, |incoming| {
                if incoming.scene.others > A_HUNDRED {
                    incoming.fate = Fate::Vanishes;
                }
            });
        }),
    },
    Fault {
        name: "forgets-to-close-files",
        does: "Keeps a file open for every connection that its client broke off.",
        hurts: "The admin: after some days the host has no files left, and takes no connection.",
        caught_by: &["load/files#files"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_leaving(|leaving| {
                if leaving.is_reset && leaving.kept.files.len() < FILES_KEPT_MAX {
                    let nothing = if cfg!(windows) { "NUL" } else { "/dev/null" };
                    leaving.kept.files.extend(std::fs::File::open(nothing));
                }
            });
        }),
    },
    Fault {
        name: "forgets-to-free-memory",
        does: "Keeps sixteen kilobytes for every connection, for ever.",
        hurts: "The admin: the host grows until the machine has no memory left.",
        caught_by: &["load/memory#memory"],
        install: Install::Pdus(|tamper, _| {
            tamper.on_leaving(|leaving| {
                let len = leaving.kept.bytes.len();
                if len < MEMORY_KEPT_MAX {
                    // Written to, so that it is really there.
                    leaving.kept.bytes.resize(len + MEMORY_KEPT_EACH, 1);
                }
            });
        }),
    },
    Fault {
        name: "does-not-recover",
        does: "Serves nobody any more once two hundred clients broke off before their answers.",
        hurts: "Everybody, after one burst of impatient clients.",
        caught_by: &["load/flood#liveness"],
        install: Install::Pdus(|tamper, _| {
            let mut broken = 0;
            tamper.on_leaving(move |leaving| {
                broken += u64::from(leaving.is_reset && leaving.scene.requests > 0);
                leaving.kills = broken > BROKEN_MAX;
            });
        }),
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
        caught_by: &["load/steady#service"],
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
/// As many connections make a host busy.
const MANY: usize = 10;
/// No ordinary request is shorter than a V4 one in its PDU, in bytes.
const ORDINARY_MIN: usize = 250;
const BUFFER_MAX: usize = 1 << 16;
const SLOW_MAX: usize = 15;
const A_HUNDRED: usize = 100;
const FILES_KEPT_MAX: usize = 512;
const MEMORY_KEPT_EACH: usize = 16 << 10;
const MEMORY_KEPT_MAX: usize = 64 << 20;
const BROKEN_MAX: u64 = 200;
