//! How much a host is asked: one that takes its time less, one that others ask too nothing that they would disturb.

use std::time::Duration;

use super::Talk;

/// How much there is time for.
impl Talk<'_> {
    /// How long ordinary exchanges took so far in this run, one after the other.
    pub fn paces(&self) -> &[Duration] {
        &self.shared.paces
    }

    /// How long the host took for an answer so far in this case, in the mean.
    pub(in crate::conform) fn answer_time(&self) -> Option<Duration> {
        let (many, time) = self.waited;
        time.checked_div(many)
    }

    /// How often a case does what it repeats, if it waits for so many answers each time: `many` times, or with a host
    /// that takes its time as often as there is time for, and `least` times whatever happens. What is left out is noted.
    pub fn times(&mut self, many: usize, least: usize, answers: u32) -> usize {
        let recent = &self.shared.answer_times[self.shared.answer_times.len().saturating_sub(RECENT)..];
        let (takes, each) = (median(recent), median(recent) * answers);
        let fits = CASE_TIME.as_nanos().checked_div(each.as_nanos()).and_then(|fits| usize::try_from(fits).ok());
        let times = fits.unwrap_or(many).clamp(least.min(many), many);
        if times < many {
            self.note(format!("{times} times of {many}: the host takes {} ms for an answer", takes.as_millis()));
            self.is_shortened = true;
        }
        times
    }

    /// Of these steps those that there is time for, if each waits for so many answers: all of them, or evenly spread the
    /// first, the last and `least` at least.
    pub fn some_of<T>(&mut self, all: Vec<T>, least: usize, answers: u32) -> Vec<T> {
        let many = all.len();
        let times = self.times(many, least, answers);
        // Of so many steps a step is taken whenever another share is full; the first and the last always are.
        let is_due = |at: usize| at == 0 || at * (times - 1) / (many - 1) > (at - 1) * (times - 1) / (many - 1);
        all.into_iter().enumerate().filter(|(at, _)| times == many || is_due(*at)).map(|(_, step)| step).collect()
    }

    /// All of these, or of a host that takes its time one after the other, one each time this is asked. That the others
    /// are left out is noted.
    pub fn in_turn<T: Copy>(&mut self, all: &[T]) -> Vec<T> {
        if all.len() < 2 || !self.is_slow() {
            return all.to_vec();
        }
        if self.turns == 0 {
            let takes = median(&self.shared.answer_times).as_millis();
            self.note(format!("one of {} in turn: the host takes {takes} ms for an answer", all.len()));
            self.is_shortened = true;
        }
        self.turns += 1;
        vec![all[(self.turns - 1) % all.len()]]
    }

    /// Whether the host takes so long for an answer that what can be asked at the same time is.
    pub fn is_slow(&self) -> bool {
        median(&self.shared.answer_times) >= SLOW
    }

    /// Whether there is time for something that a host that takes its time is not asked. That it is left out is noted.
    pub fn has_time_for(&mut self, what: &str) -> bool {
        if self.is_slow() {
            let takes = median(&self.shared.answer_times).as_millis();
            self.note(format!("without {what}: the host takes {takes} ms for an answer"));
            self.is_shortened = true;
        }
        !self.is_slow()
    }

    /// Whether nobody else asks the host meanwhile, as far as is known.
    pub fn is_alone(&self) -> bool {
        !self.host.is_paced() && !self.shared.has_other_clients
    }

    /// From here on the host may refuse everybody, for its table is full.
    pub fn fill_up(&mut self) {
        self.shared.is_full = true;
    }

    /// Whether it may.
    pub fn is_full(&self) -> bool {
        self.shared.is_full
    }

    /// Whether no case should make hundreds of requests.
    pub fn is_paced(&self) -> bool {
        self.host.is_paced()
    }
}

/// The one in the middle.
pub fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// For so long a case repeats itself, about.
const CASE_TIME: Duration = Duration::from_millis(2200);
/// As many exchanges tell how long the host takes just now.
const RECENT: usize = 9;
/// A host on the other side of the world.
const SLOW: Duration = Duration::from_millis(20);
