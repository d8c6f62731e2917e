//! Load over epoll: workers that share nothing, each with a thread, an event loop, connections,
//! timers and tallies of its own.
//!
//! `worker` is the loop; `starts` says who is due, by an `agenda` where leases make them ask, `pace` how to wait
//! for that, `wheel` who has kept silent for too long (and `occupied` when it has to look), `slot` holds a connection
//! and its exchange, `socket` and `poll` are the system's calls without waiting.
//!
//! The machines of the protocol are the same as everywhere: a connection is driven by an
//! [`crate::proto::Association`].

mod agenda;
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

use super::leases::Leases;
use super::run::Crew;
use crate::events::RunError;
use crate::wire::FileTime;
pub(crate) use pace::{pin, thread_time};
pub(crate) use poll::{Poll, Ready};
pub(crate) use wheel::Wheel;
use worker::Worker;

/// Lets the arrivals of a step arrive, and comes back when all of them are done.
pub(super) async fn carry(crew: &Arc<Crew>, number: usize, arrivals: Range<usize>) -> Result<(), RunError> {
    let workers = crew.workers(number).min(arrivals.len()).max(1);
    let shares = vec![Share::Listed(arrivals); workers];
    share_out(crew, number, shares).await
}

/// Lets the machines of a step ask as their leases make them, until its time is over and all of them are done.
pub(super) async fn carry_leases(crew: &Arc<Crew>, number: usize) -> Result<(), RunError> {
    let plan = &crew.run.plan;
    let activations = plan.steps[number].activations();
    let workers = crew.workers(number).min(activations as usize).max(1);
    let leases = Leases::new(plan, number, &crew.fleet);
    let firsts = |worker| (worker..activations).step_by(workers).map(|place| leases.first(place)).collect();
    let shares = (0..workers as u64).map(|worker| Share::Leased(firsts(worker))).collect();
    crew.fleet.begin(crew.now());
    share_out(crew, number, shares).await
}

/// A worker's part of a step.
#[derive(Debug, Clone)]
enum Share {
    /// Of these arrivals, as many as fall to it.
    Listed(Range<usize>),
    /// When the activations that fall to it are asked for first, by the lease clock.
    Leased(Vec<Option<FileTime>>),
}

async fn share_out(crew: &Arc<Crew>, number: usize, shares: Vec<Share>) -> Result<(), RunError> {
    let workers = shares.len();
    let begun = crew.now();
    let mut ends = Vec::with_capacity(workers);
    for (index, share) in shares.into_iter().enumerate() {
        let (done, end) = oneshot::channel();
        let crew = Arc::clone(crew);
        let spawned = std::thread::Builder::new().name(format!("worker {}", index + 1)).spawn(move || {
            let result = Worker::new(&crew, number, share, index, workers, begun)
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
