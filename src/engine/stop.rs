//! How whoever watches a run ends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// Tells a run to stop after what is under way.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<(AtomicBool, Notify)>);

impl Stop {
    /// Stops the run.
    pub fn set(&self) {
        self.0.0.store(true, Ordering::Relaxed);
        self.0.1.notify_waiters();
    }

    /// Whether it was told to stop.
    pub fn is_set(&self) -> bool {
        self.0.0.load(Ordering::Relaxed)
    }

    /// Sleeps, unless it is told to stop.
    pub(super) async fn sleep(&self, time: Duration) {
        let told = self.0.1.notified();
        if time.is_zero() || self.is_set() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = told => {}
        }
    }
}
