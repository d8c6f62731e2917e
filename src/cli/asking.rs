//! What machines ask for that no scenario file describes: flags that `load` and `capacity` have in common.

use clap::Args;

use super::amounts::parse_small_count;
use super::common::{parse_offer, parse_product};
use crate::catalog::Product;
use crate::proto::Offer;
use crate::scenario::{AdHoc, Arrive, ConnectionUse};
use crate::wire::kms::ProtocolVersion;

/// What machines ask for, and how.
#[derive(Debug, Args)]
pub struct AskingArgs {
    /// What they activate: an edition of the catalogue, or a SKU id (`kmsproof catalog` lists them)
    #[arg(long, default_value = "Windows 11 Enterprise", value_name = "NAME", value_parser = parse_product, env = "KMSPROOF_PRODUCT")]
    product: &'static Product,
    /// The KMS protocol version: 4, 5 or 6; default: the product's own
    #[arg(long, value_name = "VERSION", value_parser = parse_version, env = "KMSPROOF_PROTOCOL")]
    protocol: Option<ProtocolVersion>,
    /// The transfer syntax to offer: windows (NDR32 and NDR64, as Windows does), ndr32 or ndr64
    #[arg(long, default_value = "windows", value_parser = parse_offer, value_name = "SYNTAX", env = "KMSPROOF_SYNTAX")]
    syntax: Offer,
    /// How connections are used: a new one for each call, as Windows clients do; kept; or one for N calls
    #[arg(long, default_value = "each", value_parser = parse_reuse, value_name = "each|kept|N", env = "KMSPROOF_REUSE")]
    reuse: ConnectionUse,
}

impl AskingArgs {
    /// Load by so many machines that ask so.
    pub fn load(&self, clients: u32, arrive: Arrive) -> AdHoc {
        AdHoc {
            protocol: self.protocol,
            offer: self.syntax,
            connection: self.reuse,
            ..AdHoc::new(self.product, clients, arrive)
        }
    }
}

fn parse_version(text: &str) -> Result<ProtocolVersion, String> {
    let whole = if text.len() == 1 { format!("{text}.0") } else { text.to_owned() };
    let version = whole.parse().ok().filter(|version| ProtocolVersion::ALL.contains(version));
    version.ok_or_else(|| format!("`{text}` is no protocol version: expected 4, 5 or 6, or a form like 6.0"))
}

fn parse_reuse(text: &str) -> Result<ConnectionUse, String> {
    match text {
        "each" => Ok(ConnectionUse::Each),
        "kept" => Ok(ConnectionUse::Kept),
        calls => parse_small_count(calls)
            .map(ConnectionUse::Calls)
            .map_err(|_| format!("`{text}` is no use of connections: expected each, kept, or so many calls, as in 10")),
    }
}
