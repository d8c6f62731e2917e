//! Load over epoll: workers that share nothing, each with a thread, an event loop, connections,
//! timers and tallies of its own.
//!
//! `worker` is the loop; `starts` says who is due, `pace` how to wait for that, `wheel` who has kept
//! silent for too long (and `occupied` when it has to look), `slot` holds a connection and its exchange,
//! `socket` and `poll` are the system's calls without waiting.
//!
//! The machines of the protocol are the same as everywhere: a connection is driven by an
//! [`crate::proto::Association`].

mod occupied;
mod pace;
mod poll;
mod slot;
mod socket;
mod starts;
mod wheel;
mod worker;

use std::ops::Range;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::run::Crew;
use crate::events::RunError;
pub(crate) use pace::{pin, thread_time};
pub(crate) use poll::{Poll, Ready};
pub(crate) use wheel::Wheel;
use worker::Worker;

/// Lets the arrivals of a step arrive, and comes back when all of them are done.
pub(super) async fn carry(crew: &Arc<Crew>, number: usize, arrivals: Range<usize>) -> Result<(), RunError> {
    let workers = crew.workers(number).min(arrivals.len()).max(1);
    let begun = crew.now();
    let mut ends = Vec::with_capacity(workers);
    for index in 0..workers {
        let (done, end) = oneshot::channel();
        let (crew, arrivals) = (Arc::clone(crew), arrivals.clone());
        let spawned = std::thread::Builder::new().name(format!("worker {}", index + 1)).spawn(move || {
            let result = Worker::new(&crew, number, arrivals, index, workers, begun)
                .map_err(|error| RunError::Worker(error.to_string()))
                .and_then(Worker::run);
            let _ = done.send(result);
        });
        spawned.map_err(|error| RunError::Worker(error.to_string()))?;
        ends.push(end);
    }
    let mut result = Ok(());
    for end in ends {
        // A worker that is gone without a word has panicked.
        result = result.and(end.await.expect("a worker does not panic"));
    }
    result
}
