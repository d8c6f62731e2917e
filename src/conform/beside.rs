//! Independent cases side by side, each over a way of its own to the host.
//!
//! Side by side it cannot be told which case killed a host, nor whether one failed for what others did. So whatever
//! was under way when the host got worse, and whatever is not as it should be, is put to it again afterwards, alone.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use super::case::Case;
use super::lane::{CheckCounts, OtherLane};
use super::profile::Profile;
use super::run::{CaseResult, Verdict};
use crate::proto::verify::Checks;

/// What is left to do when cases were put side by side.
#[derive(Default)]
pub(super) struct Aftermath {
    /// What has to be put to the host again, alone, or was not put to it at all.
    pub(super) again: Vec<Again>,
    /// What the checks came to.
    pub(super) checks: CheckCounts,
    /// Whether the host got worse meanwhile; then the first of `again` is the case at which that was noticed.
    pub(super) got_worse: bool,
    /// Whether nobody wants to hear more.
    pub(super) is_ended: bool,
}

/// A case that is put to the host again.
pub(super) struct Again {
    pub(super) case: &'static Case,
    /// What it came to beside others; none when it was not put to the host or when that says nothing.
    pub(super) beside: Option<CaseResult>,
    /// Whether it was under way when the host got worse.
    pub(super) is_suspect: bool,
}

struct Done {
    result: CaseResult,
    checks: Checks,
    /// Why the host serves nobody any more, when that was noticed at this case.
    death: Option<String>,
    /// Whether it had been noticed before this case was done.
    is_late: bool,
}

/// Puts cases to the host, one on each lane at a time. `told` hears of those that are as they should be, and says
/// whether to go on.
pub(super) fn side_by_side(
    lanes: &mut [OtherLane],
    cases: &[&'static Case],
    profile: &Profile,
    told: &mut dyn FnMut(CaseResult) -> bool,
) -> Aftermath {
    let (next, halts) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (sender, receiver) = mpsc::channel();
    let mut aftermath = Aftermath::default();
    thread::scope(|scope| {
        let threads: Vec<_> = lanes
            .iter_mut()
            .map(|lane| {
                let (sender, next, halts) = (sender.clone(), &next, &halts);
                scope.spawn(move || {
                    let mut lane = lane.open();
                    while let (false, Some(case)) =
                        (halts.load(Ordering::SeqCst), cases.get(next.fetch_add(1, Ordering::SeqCst)))
                    {
                        let (result, checks) = lane.put(case, profile);
                        let death = lane.got_worse();
                        let is_late = if death.is_some() {
                            halts.swap(true, Ordering::SeqCst)
                        } else {
                            halts.load(Ordering::SeqCst)
                        };
                        if sender.send(Done { result, checks, death, is_late }).is_err() {
                            break;
                        }
                    }
                    lane.checks
                })
            })
            .collect();
        drop(sender);
        for done in receiver {
            aftermath.is_ended |= !aftermath.take(done, told);
            if aftermath.is_ended {
                halts.store(true, Ordering::SeqCst);
            }
        }
        for thread in threads {
            let checks = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            // What the ordinary exchange came to on a host that was dying is told by whoever is blamed for it.
            if !aftermath.got_worse {
                aftermath.checks.absorb(checks);
            }
        }
    });
    let begun = next.load(Ordering::SeqCst).min(cases.len());
    let unbegun = cases[begun..].iter().map(|case| Again { case, beside: None, is_suspect: false });
    aftermath.again.extend(unbegun);
    aftermath
}

impl Aftermath {
    /// Takes in what a case came to; whether to go on.
    fn take(&mut self, done: Done, told: &mut dyn FnMut(CaseResult) -> bool) -> bool {
        let Done { result, checks, death, is_late } = done;
        let case = result.case;
        if death.is_some() || is_late {
            let suspect = Again { case, beside: None, is_suspect: true };
            // The one at which it was noticed comes first.
            let at = if death.is_some() && !is_late { 0 } else { self.again.len() };
            self.again.insert(at, suspect);
            self.got_worse |= death.is_some();
            return true;
        }
        self.checks.note(case.id, &checks);
        match result.verdict {
            Verdict::Fail | Verdict::NonStrict | Verdict::Inconclusive => {
                self.again.push(Again { case, beside: Some(result), is_suspect: false });
                true
            }
            _ => told(result),
        }
    }
}
