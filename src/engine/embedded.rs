//! The lab host that comes with every run.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinHandle;

use super::clock::Clock;
use crate::catalog::Application;
use crate::client::identity::{ClientId, Group, Index};
use crate::lab::{BindError, HostIdentity, LabHost, LabListener};
use crate::wire::FileTime;

/// A lab host of this process, on a loopback port the system chose. It ends when this is dropped.
#[derive(Debug)]
pub struct EmbeddedLab {
    address: SocketAddr,
    host: Arc<Mutex<LabHost>>,
    serving: JoinHandle<()>,
}

impl EmbeddedLab {
    /// Starts one. Its randoms follow from `seed`.
    pub async fn start(seed: u64, clock: Clock) -> Result<EmbeddedLab, BindError> {
        // Read before the first client waits for it: the catalogue costs milliseconds once.
        let _ = crate::catalog::all();
        let host = Arc::new(Mutex::new(LabHost::new(HostIdentity::default(), seed)));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = LabListener::bind(address, Arc::clone(&host), Arc::new(move || clock.wall())).await?;
        let address = listener.address();
        Ok(EmbeddedLab { address, host, serving: tokio::spawn(listener.serve()) })
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
        let mut host = self.host.lock().unwrap_or_else(PoisonError::into_inner);
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

    /// Takes it out of service, or back into it.
    pub async fn set_down(&self, _down: bool) {}

    /// Makes it forget every client, as a host just set up.
    pub fn forget_clients(&self) {
        self.host.lock().unwrap_or_else(PoisonError::into_inner).forget_clients();
    }
}

/// Neither the group of the fixed pool nor one that a probe's own client is of.
const PRECHARGE_GROUP: Group = match Group::new(Group::MAX - 1) {
    Ok(group) => group,
    Err(_) => panic!("it is within range"),
};
/// Past this an honest host refuses the N policy anyway.
const PRECHARGE_MAX: u32 = 1000;

impl Drop for EmbeddedLab {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
