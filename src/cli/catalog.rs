//! `catalog`: the products a KMS client can be.

use std::io::Write;

use super::Failure;
use crate::catalog::{self, Product};
use crate::exit::Exit;
use crate::text::{counted, harmless_lines};

/// List the products a KMS client can be
///
/// Words narrow the list down: a product is listed when each of them stands in its edition or KMS
/// product, in any letter case, or begins one of its ids. Editions can be written in scenarios as
/// they stand here.
///
/// The N policy is how many machines a host must have counted before a client is content. Only
/// volume products are served by a KMS host.
///
/// Ends with 4 when nothing is found.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct CatalogArgs {
    /// Words or beginnings of ids to look for
    #[arg(value_name = "WORD")]
    pub filter: Vec<String>,
    /// Show the ids as well: SKU (activation) id and KMS counted id
    #[arg(long, env = "KMSPROOF_IDS", value_parser = clap::builder::BoolishValueParser::new())]
    pub ids: bool,
    /// Write JSON, one array of products, instead of a table
    #[arg(long, env = "KMSPROOF_JSON", value_parser = clap::builder::BoolishValueParser::new())]
    pub json: bool,
}

/// Writes what is found.
///
/// # Errors
/// When nothing is found, or `out` cannot be written.
pub fn execute(args: &CatalogArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    let filter = args.filter.join(" ");
    let found: Vec<&Product> = catalog::search(&filter).collect();
    if found.is_empty() {
        return Err(Failure::new(Exit::NothingChecked, nothing(&filter)));
    }
    if args.json {
        let rows: Vec<_> = found.iter().map(|product| json(product)).collect();
        serde_json::to_writer_pretty(&mut *out, &rows).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        table(&found, args.ids, out)?;
    }
    Ok(Exit::Held)
}

fn table(found: &[&Product], ids: bool, out: &mut dyn Write) -> std::io::Result<()> {
    let width = |text: fn(&Product) -> &str, title: &str| {
        found.iter().map(|product| text(product).chars().count()).max().unwrap_or(0).max(title.len())
    };
    let edition = width(|product| &product.edition, "edition");
    let family = width(|product| &product.kms_product, "KMS product");
    writeln!(
        out,
        "{:<11}  {:<edition$}  {:<family$}  protocol  N policy  channel",
        "application", "edition", "KMS product"
    )?;
    for product in found {
        let Product { edition: name, kms_product, protocol, n_policy, channel, .. } = product;
        let (application, version) = (product.application.name(), protocol.major);
        writeln!(
            out,
            "{application:<11}  {name:<edition$}  {kms_product:<family$}  V{version:<7}  {n_policy:>8}  {channel}"
        )?;
        if ids {
            writeln!(out, "{:<11}  SKU {}  counted {}", "", product.sku_id, product.kms_counted_id)?;
        }
    }
    writeln!(out, "{}", counted(found.len(), "product"))
}

fn json(product: &Product) -> serde_json::Value {
    serde_json::json!({
        "application": product.application.name(),
        "application_id": product.application_id(),
        "kms_product": product.kms_product,
        "kms_counted_id": product.kms_counted_id,
        "edition": product.edition,
        "sku_id": product.sku_id,
        "protocol": product.protocol,
        "n_policy": product.n_policy,
        "channel": product.channel,
        "evidence": product.evidence,
    })
}

fn nothing(filter: &str) -> String {
    let near = catalog::find(filter).err().map(|unknown| unknown.nearest().join(", ")).unwrap_or_default();
    let hint = if near.is_empty() { "fewer words find more".to_owned() } else { format!("near it: {near}") };
    harmless_lines(&format!("no product has `{filter}`; {hint}"))
}

const EXAMPLES: &str = "\
Examples:
  kmsproof catalog server 2022
  kmsproof catalog --ids office ltsc
  kmsproof catalog 8449b1fb              whose id is this?";

#[cfg(test)]
mod tests {
    use super::*;

    fn list(filter: &[&str], ids: bool, json: bool) -> Result<String, Failure> {
        let filter = filter.iter().map(|word| (*word).to_owned()).collect();
        let mut out = Vec::new();
        execute(&CatalogArgs { filter, ids, json }, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_table_of_what_was_asked_for() {
        insta::assert_snapshot!(list(&["vista"], false, false).unwrap());
        assert_eq!(list(&[], false, false).unwrap().lines().count(), 222 + 2);
        assert_eq!(list(&[], true, false).unwrap().lines().count(), 2 * 222 + 2);
    }

    #[test]
    fn json_has_the_ids() {
        let json: serde_json::Value = serde_json::from_str(&list(&["85dd8b5f"], false, true).unwrap()).unwrap();
        assert_eq!(json[0]["edition"], "Office Professional Plus 2019");
        assert_eq!(json[0]["sku_id"], "85dd8b5f-eaa4-4af3-a628-cce9e77c9a03");
        assert_eq!((&json[0]["protocol"], &json[0]["n_policy"]), (&"6.0".into(), &5.into()));
    }

    #[test]
    fn nothing_found_is_said_with_what_is_near() {
        let failure = list(&["Windows", "10", "Enterprize"], false, false).unwrap_err();
        assert_eq!(failure.exit, Exit::NothingChecked);
        assert!(failure.message.contains("near it: Windows 10 Enterprise"), "{failure}");
    }
}
