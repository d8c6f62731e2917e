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
