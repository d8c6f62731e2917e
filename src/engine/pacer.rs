//! A least time between two requests.

use std::time::Duration;

use tokio::sync::Mutex;

use super::Clock;
use crate::proto::Moment;

/// Keeps requests to a host apart. Without a gap nothing waits.
#[derive(Debug)]
pub struct Pacer {
    gap: Option<Duration>,
    next: Mutex<Moment>,
}

impl Pacer {
    /// A pacer of this gap.
    pub fn new(gap: Option<Duration>) -> Pacer {
        Pacer { gap, next: Mutex::new(Moment::default()) }
    }

    /// The least time between two requests, if there is one.
    pub fn gap(&self) -> Option<Duration> {
        self.gap
    }

    /// Waits for the turn of a request that is due at `due`, and says when it was meant to start:
    /// then, if nothing keeps requests apart, however late it has become.
    pub async fn wait_for(&self, due: Moment, clock: Clock) -> Moment {
        if self.gap.is_none() { due } else { self.wait(clock).await.max(due) }
    }

    /// Waits for the next request's turn, and says when that was.
    pub async fn wait(&self, clock: Clock) -> Moment {
        let Some(gap) = self.gap else { return clock.now() };
        let due = {
            let mut next = self.next.lock().await;
            let due = (*next).max(clock.now());
            *next = due + gap;
            due
        };
        tokio::time::sleep(due - clock.now()).await;
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_are_a_gap_apart_and_nobody_goes_before_their_own() {
        let gap = Duration::from_millis(40);
        let (pacer, clock) = (Pacer::new(Some(gap)), Clock::start());
        let mut before = None;
        for _ in 0..3 {
            let turn = pacer.wait(clock).await;
            assert!(clock.now() >= turn, "{turn:?} is still to come");
            assert!(before.is_none_or(|before| turn >= before + gap), "{before:?} and {turn:?}");
            before = Some(turn);
        }
    }

    #[tokio::test]
    async fn a_late_start_keeps_the_time_it_was_meant_for() {
        let clock = Clock::start();
        let due = clock.now();
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(Pacer::new(None).wait_for(due, clock).await, due);
        let paced = Pacer::new(Some(Duration::from_millis(1)));
        assert!(paced.wait_for(due, clock).await > due, "its turn comes when the host may be asked again");
    }

    #[tokio::test]
    async fn those_who_wait_at_once_have_turns_of_their_own() {
        let gap = Duration::from_millis(20);
        let (pacer, clock) = (Pacer::new(Some(gap)), Clock::start());
        let (first, second, third) = tokio::join!(pacer.wait(clock), pacer.wait(clock), pacer.wait(clock));
        assert!(second >= first + gap && third >= second + gap && clock.now() >= third);
    }

    #[tokio::test]
    async fn a_turn_that_went_by_is_not_made_up_for() {
        let gap = Duration::from_millis(20);
        let (pacer, clock) = (Pacer::new(Some(gap)), Clock::start());
        pacer.wait(clock).await;
        tokio::time::sleep(3 * gap).await;
        let (late, next) = (pacer.wait(clock).await, pacer.wait(clock).await);
        assert!(next >= late + gap, "{late:?} and {next:?}");
    }

    #[tokio::test]
    async fn without_a_gap_it_is_always_ones_turn() {
        let (pacer, clock) = (Pacer::new(None), Clock::start());
        let before = clock.now();
        let turn = pacer.wait(clock).await;
        assert!(before <= turn && turn <= clock.now());
    }
}
