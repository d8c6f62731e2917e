//! How the generator does where each exchange is a task of its own: workers keep accounts themselves.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::events::{Effort, Tally};
use crate::proto::Moment;

/// What has not been told yet.
#[derive(Debug, Default)]
pub struct Account(Mutex<Untold>);

#[derive(Debug, Default)]
struct Untold {
    effort: Effort,
    /// When the first and the last of it was.
    times: Option<(Moment, Moment)>,
}

impl Account {
    /// An exchange that was due then starts now, as one of so many; what there is to tell from before, when it is
    /// time to.
    pub fn note_start(&self, step: usize, due: Moment, now: Moment, under_way: u64) -> Option<Box<Tally>> {
        self.note(step, now, |effort| {
            effort.due += 1;
            effort.started += 1;
            effort.late += u64::from(now - due > LATE);
            effort.under_way_max = effort.under_way_max.max(under_way);
        })
    }

    /// So many that were due are not started any more.
    pub fn note_missed(&self, step: usize, missed: u64, now: Moment) -> Option<Box<Tally>> {
        self.note(step, now, |effort| {
            effort.due += missed;
            effort.missed += missed;
        })
    }

    /// What is left to tell of a step that is over.
    pub fn close(&self, step: usize) -> Option<Box<Tally>> {
        self.untold().take(step)
    }

    fn note(&self, step: usize, now: Moment, change: impl FnOnce(&mut Effort)) -> Option<Box<Tally>> {
        let mut untold = self.untold();
        // Those that lie far apart are told of one by one.
        let is_time = untold.times.is_some_and(|(from, _)| now - from >= TOLD_EVERY);
        let told = if is_time { untold.take(step) } else { None };
        change(&mut untold.effort);
        let (from, until) = untold.times.unwrap_or((now, now));
        untold.times = Some((from, until.max(now)));
        told
    }

    fn untold(&self) -> MutexGuard<'_, Untold> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Untold {
    fn take(&mut self, step: usize) -> Option<Box<Tally>> {
        let (from, until) = self.times.take()?;
        let effort = std::mem::take(&mut self.effort);
        Some(Box::new(Tally { step, from, until, effort, ..Tally::default() }))
    }
}

/// A start later than this is late.
const LATE: Duration = Duration::from_millis(1);
/// As often as workers tell theirs.
const TOLD_EVERY: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_told_of_now_and_then_and_all_of_them_in_the_end() {
        let account = Account::default();
        let at = |ms| Moment(Duration::from_millis(ms));
        assert!(account.close(0).is_none(), "nothing was noted");
        assert!(account.note_start(3, at(10), at(10), 1).is_none());
        assert!(account.note_start(3, at(20), at(22), 2).is_none());
        assert!(account.note_missed(3, 5, at(30)).is_none());
        let told = account.note_start(3, at(900), at(900), 1).expect("a quarter of a second is over");
        assert_eq!((told.step, told.from, told.until), (3, at(10), at(30)));
        let Effort { due, started, late, missed, under_way_max, .. } = told.effort;
        assert_eq!((due, started, late, missed, under_way_max), (7, 2, 1, 5, 2));
        let told = account.close(3).expect("one was noted");
        assert_eq!((told.effort.due, told.from, told.until), (1, at(900), at(900)));
        assert!(account.close(3).is_none());
    }
}
