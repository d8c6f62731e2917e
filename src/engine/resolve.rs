//! Where a host is.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// A target that could not be found.
#[derive(Debug, thiserror::Error)]
pub enum Unresolved {
    /// The name has no address.
    #[error("cannot resolve `{name}`: {why}")]
    NoAddress {
        /// The name.
        name: String,
        /// The system's words.
        why: String,
    },
    /// The resolver took too long.
    #[error("no answer about `{name}` from the resolver within {after:?}")]
    Timeout {
        /// The name.
        name: String,
        /// How long was waited.
        after: Duration,
    },
}

/// The addresses of a host by address or name, in the order they are to be tried.
pub async fn resolve(host: &str, port: u16, timeout: Duration) -> Result<Vec<SocketAddr>, Unresolved> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let name = || host.to_owned();
    let lookup = tokio::time::timeout(timeout, tokio::net::lookup_host((host, port))).await;
    let found = lookup.map_err(|_| Unresolved::Timeout { name: name(), after: timeout })?;
    let addresses: Vec<_> =
        found.map_err(|error| Unresolved::NoAddress { name: name(), why: error.to_string() })?.collect();
    if addresses.is_empty() {
        return Err(Unresolved::NoAddress { name: name(), why: "the name has no address".to_owned() });
    }
    Ok(addresses)
}
