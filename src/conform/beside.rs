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
use super::result::{CaseResult, Verdict};
use super::talk::Checked;

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
    checks: Checked,
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
                    // Whoever stops takes none: what nobody took is put to the host afterwards.
                    while !halts.load(Ordering::SeqCst) {
                        let Some(case) = cases.get(next.fetch_add(1, Ordering::SeqCst)) else { break };
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

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::conform::host::{Host, Line};
    use crate::conform::{KnownFailures, MemoryHost, Options, Run, Service, cases, run};
    use crate::lab::Faults;
    use crate::proto::Moment;
    use crate::wire::FileTime;

    /// A host that is honest to whoever is alone with it, and has a fault when others talk to it.
    struct TwoFaced {
        alone: MemoryHost,
        beside: &'static str,
    }

    impl Host for TwoFaced {
        fn connect(&mut self) -> Result<Box<dyn Line>, String> {
            self.alone.connect()
        }

        fn another(&self) -> Option<Box<dyn Host + Send>> {
            Some(Box::new(with(self.beside)))
        }

        fn port(&self) -> u16 {
            self.alone.port()
        }

        fn wall(&self) -> FileTime {
            self.alone.wall()
        }

        fn moment(&mut self) -> Moment {
            self.alone.moment()
        }

        fn rest(&mut self, time: std::time::Duration) {
            self.alone.rest(time);
        }
    }

    fn with(faults: &str) -> MemoryHost {
        let faults = if faults.is_empty() { Faults::default() } else { faults.parse().unwrap() };
        MemoryHost::new(faults, 1, FileTime::RECORDED_AT)
    }

    fn put(alone: &str, beside: &'static str) -> Run {
        let mut host = TwoFaced { alone: with(alone), beside };
        let is_chosen = |case: &&Case| case.id.starts_with("rpc/bind/") || case.id == "kms/policy/same-client";
        let chosen: Vec<_> = cases::all().filter(is_chosen).collect();
        let (known, today) = (KnownFailures::default(), date(2026, 1, 1));
        let (profile, service) = (Profile::strict(), Service::KMS);
        let options = Options { profile, known, today, disruptive: false, jobs: 3, seed: 1, service };
        let run = run(&mut host, &chosen, &options, &mut |_| true);
        // Whichever of them was done first.
        assert!(run.results.iter().map(|result| result.case.id).eq(chosen.iter().map(|case| case.id)));
        run
    }

    fn of<'r>(run: &'r Run, id: &str) -> &'r CaseResult {
        run.results.iter().find(|result| result.case.id == id).unwrap()
    }

    #[test]
    fn what_holds_alone_and_not_beside_others_is_told_as_that() {
        let run = put("", "takes-any-interface");
        let told = of(&run, "rpc/bind/unknown-interface");
        assert_eq!(told.verdict, Verdict::Inconclusive);
        let why = told.why.as_deref().unwrap();
        assert!(why.starts_with("it holds alone, and does not beside other cases: "), "{why}");
        assert_eq!(of(&run, "rpc/bind/ndr32").verdict, Verdict::Pass);
        // Whoever counts was alone all along.
        assert_eq!(of(&run, "kms/policy/same-client").verdict, Verdict::Pass);
    }

    #[test]
    fn a_host_that_got_worse_beside_others_and_is_there_is_asked_again() {
        let run = put("", "dies-of-empty-context");
        let holds = |result: &&CaseResult| matches!(result.verdict, Verdict::Pass | Verdict::Recorded);
        let others = run.results.iter().filter(|result| !holds(result));
        let others: Vec<_> = others.map(|result| (result.case.id, result.verdict, &result.why)).collect();
        assert!(others.is_empty(), "{others:?}");
        assert_eq!(of(&run, "rpc/bind/no-transfer-syntax").verdict, Verdict::Pass);
    }

    #[test]
    fn a_case_that_fails_alone_as_well_fails() {
        let run = put("takes-any-interface", "takes-any-interface");
        assert_eq!(of(&run, "rpc/bind/unknown-interface").verdict, Verdict::Fail);
    }
}
