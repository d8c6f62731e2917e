//! The lab host that comes with every run.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Mutex as Gate, oneshot};
use tokio::task::JoinHandle;

use super::clock::Clock;
use crate::catalog::Application;
use crate::client::identity::{ClientId, Group, Index};
use crate::lab::{BindError, ClosedLab, Faults, HostIdentity, LabHost, LabListener};
use crate::wire::FileTime;

/// A lab host of this process, on a loopback port the system chose. It ends when this is dropped.
#[derive(Debug)]
pub struct EmbeddedLab {
    address: SocketAddr,
    host: Arc<Mutex<LabHost>>,
    serving: Gate<Serving>,
}

enum Serving {
    Up {
        end: oneshot::Sender<()>,
        task: JoinHandle<std::io::Result<ClosedLab>>,
    },
    Down(ClosedLab),
    /// Its port was lost to somebody else.
    Lost,
}

impl EmbeddedLab {
    /// Starts one. Its randoms and the chances of its faults follow from `seed`.
    pub async fn start(seed: u64, clock: Clock, faults: Faults) -> Result<EmbeddedLab, BindError> {
        // Read before the first client waits for it: the catalogue costs milliseconds once.
        let _ = crate::catalog::all();
        let host = Arc::new(Mutex::new(LabHost::new(HostIdentity::default(), seed).with_faults(faults)));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = LabListener::bind(address, Arc::clone(&host), Arc::new(move || clock.wall())).await?;
        let address = listener.address();
        Ok(EmbeddedLab { address, host, serving: Gate::new(Serving::up(listener)) })
    }

    /// Takes the host down, or up again. While it is down, whoever was connected finds the connection
    /// closed, and its port refuses new ones. It keeps its port, and unless a fault has it otherwise,
    /// its table.
    ///
    /// # Errors
    /// When the port was lost to somebody else in the moment it was closed.
    pub async fn set_down(&self, down: bool) -> std::io::Result<()> {
        let mut serving = self.serving.lock().await;
        *serving = match std::mem::replace(&mut *serving, Serving::Lost) {
            Serving::Up { end, task } if down => {
                let _ = end.send(());
                Serving::Down(task.await.map_err(std::io::Error::other)??)
            }
            Serving::Down(closed) if !down => {
                self.locked().was_down();
                Serving::up(closed.open()?)
            }
            Serving::Lost => return Err(std::io::Error::other("the lab host has lost its port")),
            as_wanted => as_wanted,
        };
        Ok(())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets it have counted one machine less than a client of `n_policy` needs, so that the next one
    /// is enough; says how many that is. An N policy that no host takes is left to be refused.
    pub fn precharge(&self, application: Application, n_policy: u32, seed: u64, now: FileTime) -> u32 {
        let before = n_policy.saturating_sub(1);
        if before > PRECHARGE_MAX {
            return 0;
        }
        let mut host = self.locked();
        for number in 0..before {
            let Ok(index) = Index::new(number) else { break };
            let id = ClientId::mint(seed, PRECHARGE_GROUP, index);
            host.count(application, id, n_policy, now);
        }
        before
    }

    /// The host itself, to be asked without sockets.
    pub fn host(&self) -> Arc<Mutex<LabHost>> {
        Arc::clone(&self.host)
    }

    /// Makes it forget every client, as a host just set up.
    pub fn forget_clients(&self) {
        self.locked().forget_clients();
    }

    fn locked(&self) -> MutexGuard<'_, LabHost> {
        self.host.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Neither the group of the fixed pool nor one that a probe's own client is of.
const PRECHARGE_GROUP: Group = match Group::new(Group::MAX - 1) {
    Ok(group) => group,
    Err(_) => panic!("it is within range"),
};
/// Past this an honest host refuses the N policy anyway.
const PRECHARGE_MAX: u32 = 1000;

impl Serving {
    fn up(listener: LabListener) -> Serving {
        let (end, ended) = oneshot::channel();
        let ended = async {
            let _ = ended.await;
        };
        Serving::Up { end, task: tokio::spawn(listener.close_after(ended)) }
    }
}

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Serving::Up { .. } => "Up",
            Serving::Down(_) => "Down",
            Serving::Lost => "Lost",
        })
    }
}

impl Drop for EmbeddedLab {
    fn drop(&mut self) {
        if let Serving::Up { task, .. } = self.serving.get_mut() {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::time::Duration;

    use tokio::io::AsyncReadExt;
    use tokio::net::TcpStream;
    use tokio::sync::mpsc;

    use super::*;
    use crate::engine::{Connection, Settings};
    use crate::proto::{Ask, FailureKind, Offer};
    use crate::wire::kms::{ProtocolVersion, WorkstationName};
    use crate::{catalog, client::Machine};

    /// The counts machines 1 to 6 are told, one a connection; the host is down for a while after the third.
    async fn counts_around_an_outage(faults: &str) -> Vec<u32> {
        let clock = Clock::start();
        let faults = if faults.is_empty() { Faults::default() } else { faults.parse().unwrap() };
        let lab = EmbeddedLab::start(1, clock, faults).await.unwrap();
        let mut counts = Vec::new();
        for number in 1..=6 {
            if number == 4 {
                lab.set_down(true).await.unwrap();
                lab.set_down(true).await.unwrap();
                lab.set_down(false).await.unwrap();
            }
            let (events, _) = mpsc::channel(1);
            let mut connection = open(&lab, clock).await.unwrap();
            let ask = ask(number, clock);
            let reply = connection.call(ask.payload(), &events).await.unwrap();
            counts.push(ask.judge(&reply, clock.wall()).response.unwrap().count);
        }
        counts
    }

    async fn open(lab: &EmbeddedLab, clock: Clock) -> Result<Connection, FailureKind> {
        let settings = Settings { timeout: Duration::from_secs(60), record: false };
        let (events, _) = mpsc::channel(1);
        let opened = Connection::open(0, &[lab.address()], Offer::default(), settings, clock, &events).await;
        opened.map_err(|failed| failed.failure.kind)
    }

    fn ask(number: u32, clock: Clock) -> Ask {
        let id = ClientId::mint(1, Group::default(), Index::new(number).unwrap());
        let product = catalog::find("Windows Server 2022 Standard").unwrap();
        let machine = Machine::new(String::new(), id, WorkstationName::new("pc").unwrap(), product, clock.wall());
        Ask::new(machine.request(ProtocolVersion::V6, clock.wall(), clock.wall()), [7; 16])
    }

    #[tokio::test]
    async fn an_outage_costs_an_honest_host_nobody() {
        assert_eq!(counts_around_an_outage("").await, [1, 2, 3, 4, 5, 6]);
        assert_eq!(counts_around_an_outage("forgets-on-outage").await, [1, 2, 3, 1, 2, 3]);
    }

    #[tokio::test]
    async fn a_host_that_is_down_closes_its_connections_and_refuses_new_ones() {
        let lab = EmbeddedLab::start(1, Clock::start(), Faults::default()).await.unwrap();
        for _ in 0..3 {
            let mut before = TcpStream::connect(lab.address()).await.unwrap();
            lab.set_down(true).await.unwrap();
            // It may have been accepted by then, or not: closed it is in any case.
            assert!(matches!(before.read(&mut [0]).await, Ok(0) | Err(_)));
            for _ in 0..3 {
                let refused = TcpStream::connect(lab.address()).await.unwrap_err();
                assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
            }
            lab.set_down(false).await.unwrap();
            TcpStream::connect(lab.address()).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_fifth_connection_is_reset_and_the_four_are_served() {
        let clock = Clock::start();
        let lab = EmbeddedLab::start(1, clock, "refuses-fifth-connection".parse().unwrap()).await.unwrap();
        let mut four = Vec::new();
        for _ in 0..4 {
            four.push(open(&lab, clock).await.unwrap());
        }
        // Where the reset is noticed is the system's affair.
        let fifth = open(&lab, clock).await.unwrap_err();
        assert!(matches!(fifth, FailureKind::Reset | FailureKind::Closed | FailureKind::Connect(_)), "{fifth:?}");
        let (events, _) = mpsc::channel(1);
        for connection in &mut four {
            connection.call(ask(1, clock).payload(), &events).await.unwrap();
        }
    }

    #[tokio::test]
    async fn one_answer_in_fifty_is_a_closed_connection_and_others_come_late() {
        let clock = Clock::start();
        let faults = "drops-one-in-fifty,slows-down-with-load".parse().unwrap();
        let lab = EmbeddedLab::start(1, clock, faults).await.unwrap();
        let mut dropped = 0;
        for _ in 0..100 {
            let (events, _) = mpsc::channel(1);
            let mut connection = open(&lab, clock).await.unwrap();
            match connection.call(ask(1, clock).payload(), &events).await {
                Ok(_) => {}
                Err(failed) => {
                    assert_eq!(failed.failure.kind, FailureKind::Closed);
                    dropped += 1;
                }
            }
        }
        assert_eq!(dropped, 2);
    }
}
