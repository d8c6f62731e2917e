//! The lab host that comes with every run.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinHandle;

use super::clock::wall_now;
use crate::lab::{BindError, HostIdentity, LabHost, LabListener};

/// A lab host of this process, on a loopback port the system chose. It ends when this is dropped.
#[derive(Debug)]
pub struct EmbeddedLab {
    address: SocketAddr,
    host: Arc<Mutex<LabHost>>,
    serving: JoinHandle<()>,
}

impl EmbeddedLab {
    /// Starts one. Its randoms follow from `seed`.
    pub async fn start(seed: u64) -> Result<EmbeddedLab, BindError> {
        let host = Arc::new(Mutex::new(LabHost::new(HostIdentity::default(), seed)));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = LabListener::bind(address, Arc::clone(&host), wall_now).await?;
        let address = listener.address();
        Ok(EmbeddedLab { address, host, serving: tokio::spawn(listener.serve()) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes it forget every client, as a host just set up.
    pub fn forget_clients(&self) {
        self.host.lock().unwrap_or_else(PoisonError::into_inner).forget_clients();
    }
}

impl Drop for EmbeddedLab {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
