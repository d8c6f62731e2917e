//! What several commands share: the target, consent, durations, reading with an end, the runtime.

use std::io::{Read, Write as _};
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;
use jiff::SignedDuration;

use super::Failure;
use crate::catalog::{self, Product};
#[cfg(feature = "dns")]
use crate::engine::resolve_srv;
use crate::engine::{Clock, EmbeddedLab, HostUnderTest, Pacer, Target, resolve};
use crate::proto::Offer;
use crate::safety::{self, Consent, Limits, Refused};
use crate::wire::rpc::TransferSyntax;

/// Which host, and what may be done to it.
#[derive(Debug, Args)]
pub struct TargetArgs {
    /// The host to test: lab, `lab:FAULT[,FAULT]`, HOST, HOST:PORT, `[IPV6]:PORT` or srv:DOMAIN (port 1688 when left out)
    #[arg(long, default_value = "lab", value_name = "TARGET", env = "KMSPROOF_TARGET")]
    pub target: Target,
    /// You may test that host (needed for every target that is not loopback)
    #[arg(long, env = "KMSPROOF_AUTHORIZED", value_parser = BoolishValueParser::new())]
    pub authorized: bool,
    /// That host may be spoiled: no caps on N policy, client ids and rate
    #[arg(long, env = "KMSPROOF_DISPOSABLE_HOST", value_parser = BoolishValueParser::new())]
    pub disposable_host: bool,
    /// How long connecting, binding and each call may take
    #[arg(long, default_value = TIMEOUT, value_name = "DURATION", value_parser = parse_timeout, env = "KMSPROOF_TIMEOUT")]
    pub timeout: Duration,
}

impl TargetArgs {
    /// Whether nobody said how long anything may take.
    pub fn has_usual_timeout(&self) -> bool {
        parse_timeout(TIMEOUT) == Ok(self.timeout)
    }

    /// What the user said of the target.
    pub fn consent(&self) -> Consent {
        Consent { authorized: self.authorized, disposable_host: self.disposable_host }
    }

    /// The caps for this target.
    pub fn limits(&self) -> Limits {
        Limits::of(self.target.is_embedded(), self.consent())
    }

    /// Finds the host, or starts the embedded one. `would_send` says what is planned, for the
    /// message to whoever has not said that they may test the host.
    pub async fn host(&self, seed: u64, clock: Clock, would_send: &str) -> Result<HostUnderTest, Failure> {
        let (addresses, lab) = match &self.target {
            Target::Lab(faults) => {
                let lab = EmbeddedLab::start(seed, clock, faults.clone()).await.map_err(Failure::setup)?;
                (vec![lab.address()], Some(lab))
            }
            Target::Host { host, port } => (resolve(host, *port, self.timeout).await.map_err(Failure::setup)?, None),
            Target::Srv { domain } => (resolve_srv(domain, self.timeout).await.map_err(Failure::setup)?, None),
        };
        self.check_addresses(&addresses, would_send)?;
        let pacer = Pacer::new(self.limits().pace);
        Ok(HostUnderTest { addresses, lab, pacer, connections: AtomicU64::new(0) })
    }

    fn check_addresses(&self, addresses: &[SocketAddr], would_send: &str) -> Result<(), Failure> {
        safety::check_addresses(addresses, self.consent())
            .map_err(|refused: Refused| Failure::usage(format!("{refused}\nit would have been sent: {would_send}")))
    }
}

/// Says something to people. Nobody may be there to read it, which is no reason to stop.
pub fn say(words: impl std::fmt::Display) {
    let _ = write!(anstream::stderr().lock(), "{words}");
}

/// What is read to its end, or to a byte beyond `most`: whoever asks says what is too large. Nothing that comes
/// from outside is read without an end.
pub fn read_at_most(from: impl Read, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(most + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A runtime for one command.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::setup(format!("cannot start the runtime: {error}")))
}

/// Waits until someone wants this process to end: Ctrl-C, or the SIGTERM of a CI that gave up.
pub async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        // Whoever closes a terminal, too, wants to find the reports.
        if let (Ok(mut terminate), Ok(mut hangup)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup())) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// A duration as people write it: `5s`, `2h 30m`, `500ms`.
pub fn parse_duration(text: &str) -> Result<SignedDuration, String> {
    text.parse::<SignedDuration>()
        .map_err(|_| format!("`{text}` is not a duration: expected a form like 5s, 500ms or 2h 30m"))
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text)?;
    match Duration::try_from(duration) {
        Ok(duration) if !duration.is_zero() && duration <= TIMEOUT_MAX => Ok(duration),
        _ => Err(format!("`{text}` is no timeout: expected more than 0 and at most 1h")),
    }
}

/// A duration that is not negative and may have days in it: `3d`, `2h 30m`.
pub fn parse_span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration: expected a form like 30s, 8h or 3d");
    let span: jiff::Span = text.parse().map_err(|_| wrong())?;
    let duration = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
    Duration::try_from(duration).map_err(|_| wrong())
}

/// A duration that is not negative, up to a day.
pub fn parse_limit(text: &str) -> Result<Duration, String> {
    let limit = parse_duration(text)?;
    match Duration::try_from(limit) {
        Ok(limit) if limit <= 24 * TIMEOUT_MAX => Ok(limit),
        _ => Err(format!("`{text}` is out of range: expected 0s to 24h")),
    }
}

/// A product by the name of an edition or its SKU id.
pub fn parse_product(text: &str) -> Result<&'static Product, String> {
    catalog::find(text).map_err(|unknown| unknown.to_string())
}

/// The transfer syntaxes a client offers.
pub fn parse_offer(text: &str) -> Result<Offer, String> {
    match text {
        "windows" => Ok(Offer::Windows),
        "ndr32" => Ok(Offer::Only(TransferSyntax::Ndr32)),
        "ndr64" => Ok(Offer::Only(TransferSyntax::Ndr64)),
        _ => Err("expected windows, ndr32 or ndr64".to_owned()),
    }
}

/// What `--timeout` is when nobody says otherwise.
const TIMEOUT: &str = "5s";
const TIMEOUT_MAX: Duration = Duration::from_secs(3600);

/// A build without SRV lookup.
#[cfg(not(feature = "dns"))]
async fn resolve_srv(domain: &str, _timeout: Duration) -> Result<Vec<SocketAddr>, String> {
    Err(format!("srv:{domain}: this build of kmsproof has no SRV lookup (feature `dns`); name the host itself"))
}
