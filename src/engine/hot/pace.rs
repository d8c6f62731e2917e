//! Waiting for the moment a start is due.
//!
//! A sleeping thread is woken some time after it asked to be: tens of microseconds on a virtual
//! machine. So a worker sleeps until shortly before a start and looks at the clock until it is due.

use std::num::NonZeroU64;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_setaffinity, set_current_timer_slack};
use rustix::time::{ClockId, clock_gettime};

/// How a worker waits for its starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    /// How long before a start it does not sleep any more.
    pub spin_ns: u64,
}

impl Pace {
    /// For a worker of `workers`; `asked` is what the user said.
    pub fn new(asked: Option<Duration>, workers: usize) -> Pace {
        // Nobody else should wait for a core because this thread looks at a clock.
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        let suits = if workers < cores { SPIN } else { Duration::ZERO };
        Pace { spin_ns: asked.unwrap_or(suits).min(SPIN_MAX).as_nanos() as u64 }
    }

    /// Has this thread woken as near to the time it asks for as the system can.
    pub fn settle(self) {
        let _ = set_current_timer_slack(NonZeroU64::new(1));
    }

    /// How long to sleep at `now_ns` if something is due at `due_ns`; nothing when it is time to look at the clock.
    pub fn sleep(self, now_ns: u64, due_ns: u64) -> Duration {
        Duration::from_nanos(due_ns.saturating_sub(now_ns).saturating_sub(self.spin_ns))
    }
}

/// CPU time of this thread.
pub(crate) fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.max(0) as u64, time.tv_nsec.clamp(0, 999_999_999) as u32)
}

/// Keeps this thread on one core. Where that is not allowed it stays where it is.
pub(crate) fn pin(core: usize) {
    let mut cores = CpuSet::new();
    if core < CpuSet::MAX_CPU {
        cores.set(core);
        let _ = sched_setaffinity(None, &cores);
    }
}

/// More than most sleeps are late by.
const SPIN: Duration = Duration::from_micros(60);
const SPIN_MAX: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_sleeps_until_shortly_before_and_then_no_more() {
        let pace = Pace { spin_ns: 50_000 };
        assert_eq!(pace.sleep(0, 1_000_000), Duration::from_micros(950));
        assert_eq!(pace.sleep(960_000, 1_000_000), Duration::ZERO);
        assert_eq!(pace.sleep(2_000_000, 1_000_000), Duration::ZERO);
    }

    #[test]
    fn where_workers_need_every_core_none_of_them_spins() {
        assert_eq!(Pace::new(None, usize::MAX).spin_ns, 0);
        assert_eq!(Pace::new(Some(Duration::from_micros(5)), usize::MAX).spin_ns, 5_000);
    }
}
