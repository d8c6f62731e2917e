//! What a host takes up, and how long it takes, after many clients.

use std::time::Duration;

use super::tools::{bind_many, is_served};
use crate::conform::cases::rpc::tools::bind_frame;
use crate::conform::host::Process;
use crate::conform::talk::median;
use crate::conform::{Capability, Case, Level, Stop, Talk};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "load/steady",
        Level::Rec,
        "how long an ordinary exchange takes, first and last",
        "A host does not get slower by what it was asked before.",
        "robustness; no text",
        |t| {
            // Each case is followed by one; where that is not enough of them, some more are made.
            let mut paces = t.paces().to_vec();
            while paces.len() < 2 * PACES {
                let before = t.took();
                t.bind()?;
                t.request(0);
                if !is_served(t, "an ordinary exchange") {
                    return Ok(());
                }
                t.close();
                paces.push(t.took() - before);
            }
            let first = median(&paces[..PACES]);
            let last = median(&paces[paces.len() - PACES..]);
            t.note(format!("an ordinary exchange took {first:?} at first and {last:?} at last, in the median"));
            t.holds("service", last < SLOWER_MIN + SLOWER_TIMES * first, || {
                (format!("{first:?} or not much more"), format!("{last:?}"))
            });
            Ok(())
        },
    ),
    Case::new(
        "load/flood",
        Level::Rec,
        "clients that come in hundreds and do not wait for their answers",
        "After three hundred clients that broke off before their answers a host serves the next one.",
        "robustness; no text",
        |t| {
            for _ in 0..FLOOD {
                if t.connect().is_err() {
                    break;
                }
                let bind = bind_frame(t);
                let (request, ask) = t.request_frame(0);
                t.note_sent(&bind, None);
                t.note_sent(&request, ask);
                t.transmit(&[bind, request].concat());
                t.break_off();
            }
            let before = t.took();
            for _ in 0..RECOVERY_TRIES {
                if t.is_served_by_now() {
                    break;
                }
                t.rest(RECOVERY_STEP);
            }
            t.serves_others("the next client");
            let took = t.took() - before;
            t.note(format!("the next client was served {took:?} after the flood"));
            Ok(())
        },
    )
    .disruptive(),
    Case::new(
        "load/files",
        Level::Rec,
        "files and sockets after many connections",
        "A host that served many connections has no more files open than before.",
        "robustness; no text",
        |t| {
            let Some((warm, _, last)) = after_many(t)? else { return Ok(()) };
            t.note(format!("{} files at first, {} at last", warm.files, last.files));
            t.holds("files", last.files <= warm.files + FILES_MORE, || {
                (format!("{} or not many more", warm.files), last.files.to_string())
            });
            Ok(())
        },
    )
    .needs(&[Capability::Process]),
    Case::new(
        "load/memory",
        Level::Rec,
        "memory after many connections",
        "A host that served many connections does not take more memory for each of them.",
        "robustness; no text",
        |t| {
            let Some((warm, middle, last)) = after_many(t)? else { return Ok(()) };
            let grown = |from: Process, to: Process| to.memory_bytes.saturating_sub(from.memory_bytes) / BATCH as u64;
            let (first, second) = (grown(warm, middle), grown(middle, last));
            t.note(format!("{first} and then {second} bytes of memory for each connection served"));
            // Caches fill once; what grows twice goes on growing.
            t.holds("memory", first.min(second) < MEMORY_EACH_MAX, || {
                (format!("less than {MEMORY_EACH_MAX} bytes for each connection"), format!("{first} and {second}"))
            });
            Ok(())
        },
    )
    .needs(&[Capability::Process]),
];

/// What the host's process took up when it was warm, after a batch of connections, and after another.
fn after_many(t: &mut Talk<'_>) -> Result<Option<(Process, Process, Process)>, Stop> {
    if t.is_paced() {
        return Err(Stop::NotApplicable("it would take too many requests of this host".to_owned()));
    }
    let mut figures = Vec::new();
    let at_once = if t.is_slow() { AT_ONCE } else { 1 };
    for many in [BATCH / 2, BATCH, BATCH] {
        for first in (0..many).step_by(at_once) {
            // A host may have fewer connections at a time than it takes to ask a slow one so often.
            let lines = match bind_many(t, at_once) {
                Err(stop) if at_once > 1 => return Err(Stop::NotApplicable(stop.to_string())),
                lines => lines?,
            };
            for line in &lines {
                t.on(*line);
                t.request(0);
            }
            for (number, line) in (first..).zip(lines) {
                t.on(line);
                match number % 3 {
                    // Those that go without a word are to be forgotten as well.
                    0 => t.break_off(),
                    _ if !is_served(t, "an ordinary exchange") => return Ok(None),
                    _ => t.close(),
                }
            }
        }
        t.rest(SETTLED);
        figures.extend(t.process());
    }
    match figures[..] {
        [warm, middle, last] => Ok(Some((warm, middle, last))),
        _ => Err(Stop::Foundation("the host's process cannot be looked at any more".to_owned())),
    }
}

/// Connections to a slow host at the same time; a batch and half a batch are so many times as many.
const AT_ONCE: usize = 150;
/// As many exchanges at each end of a run are held against one another.
const PACES: usize = 20;
/// Twice as long is chance, ten times and this much more is not.
const SLOWER_TIMES: u32 = 10;
const SLOWER_MIN: Duration = Duration::from_millis(40);
/// Connections of one batch.
const BATCH: usize = 300;
/// Logs and the like may be opened meanwhile.
const FILES_MORE: usize = 8;
/// A page is more than any host has to remember of a client.
const MEMORY_EACH_MAX: u64 = 4096;
/// What a host gets to clear up in.
const SETTLED: Duration = Duration::from_millis(500);
const FLOOD: usize = 300;
const RECOVERY_STEP: Duration = Duration::from_millis(250);
const RECOVERY_TRIES: usize = 20;
