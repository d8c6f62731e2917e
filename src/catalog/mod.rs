//! The products a KMS client can be: which application they belong to, which
//! counted id a host grants or refuses them by, and what they ask for.
//!
//! The catalogue is the file `products.csv` beside this one, embedded and read
//! once. It holds facts only: no product keys of any kind.

mod names;

use std::fmt;
use std::sync::LazyLock;

pub use names::Unknown;

use crate::wire::Guid;
use crate::wire::kms::ProtocolVersion;

/// Every product, in the order of the catalogue.
pub fn all() -> &'static [Product] {
    &CATALOGUE
}

/// The product a person means by `name`: an edition, one of the other names
/// people write for it, or the text of a SKU id.
///
/// Letter case and surplus spaces never matter. A name is read in three ways,
/// one after the other:
///
/// 1. as it is written. A row for several editions answers to each of them:
///    "Windows 10/11 Enterprise" to "Windows 10 Enterprise" and to "Windows 11
///    Enterprise"; "2019/2021" and "2021-2024" work alike;
/// 2. by its words, in any order and in usual spellings: "Microsoft" and
///    "Office" may be left out, "Professional" is "Pro" and "ProPlus" is
///    "Professional Plus", so that "Office 2019 Professional Plus" is found;
/// 3. for Office, with or without "LTSC".
///
/// Where two rows would answer to one name, the row whose whole edition it is
/// wins over a row for several editions, and of two alike the one that stands
/// first in the catalogue: "Windows 10 Enterprise LTSC 2021" is the row of that
/// very name and not "Windows 10 Enterprise LTSC 2019/2021". A SKU id that
/// stands on several rows means the first of them.
///
/// # Errors
/// [`Unknown`], with the nearest names there are.
pub fn find(name: &str) -> Result<&'static Product, Unknown> {
    names::find(name)
}

/// The products that have every word of `filter` in any letter case: somewhere
/// in the edition or the KMS product, or, from four characters on, at the
/// beginning of an id. An empty filter lists them all.
pub fn search(filter: &str) -> impl Iterator<Item = &'static Product> + use<> {
    let words: Vec<String> = filter.split_whitespace().map(str::to_lowercase).collect();
    all().iter().filter(move |product| words.iter().all(|word| product.mentions(word)))
}

/// The short name of an application, or its id when it is none of the catalogue's.
pub fn application_name(id: Guid) -> String {
    Application::from_guid(id).map_or_else(|| format!("application {id}"), |application| application.name().to_owned())
}

/// The products with that SKU id (activation id). Mostly one; the LTSC
/// releases of Windows 10 and 11 share theirs.
pub fn by_sku_id(sku: Guid) -> impl Iterator<Item = &'static Product> {
    all().iter().filter(move |product| product.sku_id == sku)
}

/// The products a host grants or refuses together, because they carry that
/// KMS counted id.
pub fn by_counted_id(counted: Guid) -> impl Iterator<Item = &'static Product> {
    all().iter().filter(move |product| product.kms_counted_id == counted)
}

/// Whether a host for every volume product of the catalogue grants `counted`
/// to clients of `application`: the counted id is a volume product's and
/// belongs to that application. The SKU id plays no part (protocol
/// description, section 6).
pub fn serves(application: Guid, counted: Guid) -> bool {
    by_counted_id(counted)
        .any(|product| product.channel == Channel::Volume && product.application.guid() == application)
}

/// One row of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// The application whose clients a host counts together.
    pub application: Application,
    /// The family of products that shares the counted id, as catalogues name it.
    pub kms_product: String,
    /// The KMS counted id: what a host grants or refuses by.
    pub kms_counted_id: Guid,
    /// The edition, as people know it. No two rows have the same.
    pub edition: String,
    /// The SKU id, also called activation id. Three rows share one.
    pub sku_id: Guid,
    /// The protocol version the product's clients speak.
    pub protocol: ProtocolVersion,
    /// The N policy: how many machines a host must have counted before the
    /// client is content.
    pub n_policy: u32,
    /// How the product is sold.
    pub channel: Channel,
    /// Where the row comes from, in words.
    pub evidence: String,
}

impl Product {
    /// The id of the product's application, as it stands in a request.
    pub fn application_id(&self) -> Guid {
        self.application.guid()
    }

    /// `word` is in lower case.
    fn mentions(&self, word: &str) -> bool {
        let ids = [self.application_id(), self.kms_counted_id, self.sku_id];
        self.edition.to_lowercase().contains(word)
            || self.kms_product.to_lowercase().contains(word)
            // Digits stand in every GUID, so "7" must not find half the catalogue.
            || word.len() >= ID_PREFIX_MIN && ids.iter().any(|id| id.to_string().starts_with(word))
    }
}

/// An application: a host keeps one count for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Application {
    /// Windows, client and server editions alike.
    Windows,
    /// Office 2010 (version 14), which has a count of its own.
    Office2010,
    /// Office 2013 and later.
    Office,
}

impl Application {
    /// All of them.
    pub const ALL: [Application; 3] = [Application::Windows, Application::Office2010, Application::Office];

    /// The application id in a request.
    pub const fn guid(self) -> Guid {
        match self {
            Application::Windows => Guid::from_u128(0x55c92734_d682_4d71_983e_d6ec3f16059f),
            Application::Office2010 => Guid::from_u128(0x59a52881_a989_479d_af46_f275c6370663),
            Application::Office => Guid::from_u128(0x0ff1ce15_a989_479d_af46_f275c6370663),
        }
    }

    /// The application with that id.
    pub fn from_guid(id: Guid) -> Option<Application> {
        Application::ALL.into_iter().find(|application| application.guid() == id)
    }

    /// A short name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Application::Windows => "Windows",
            Application::Office2010 => "Office 2010",
            Application::Office => "Office",
        }
    }
}

impl fmt::Display for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a product is sold, and so whether a host serves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// By volume licence: what KMS is for.
    Volume,
    /// To consumers: has a counted id, which a KMS host does not serve.
    Retail,
    /// Before release.
    Preview,
}

impl Channel {
    /// Its name, as the catalogue writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Channel::Volume => "volume",
            Channel::Retail => "retail",
            Channel::Preview => "preview",
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

static CATALOGUE: LazyLock<Vec<Product>> =
    LazyLock::new(|| read(CSV).expect("the embedded catalogue is sound, which its test shows"));

fn read(csv: &str) -> Result<Vec<Product>, Box<dyn std::error::Error>> {
    csv::Reader::from_reader(csv.as_bytes())
        .deserialize()
        .map(|row| {
            let row: Row = row?;
            let application = Application::from_guid(row.application_id)
                .ok_or_else(|| format!("{}: no application has the id {}", row.edition, row.application_id))?;
            Ok(Product {
                application,
                kms_product: row.kms_product,
                kms_counted_id: row.kms_counted_id,
                edition: row.edition,
                sku_id: row.sku_id,
                protocol: row.protocol.parse()?,
                n_policy: row.n_policy,
                channel: row.channel,
                evidence: row.evidence,
            })
        })
        .collect()
}

#[derive(serde::Deserialize)]
struct Row {
    application_id: Guid,
    kms_product: String,
    kms_counted_id: Guid,
    edition: String,
    sku_id: Guid,
    protocol: String,
    n_policy: u32,
    channel: Channel,
    evidence: String,
}

/// The shortest word a search looks for in ids, in characters.
const ID_PREFIX_MIN: usize = 4;

const CSV: &str = include_str!("products.csv");

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    #[test]
    fn every_row_is_read_and_legal() {
        assert_eq!(all().len(), 222);
        assert_eq!(all().len(), CSV.lines().count() - 1);
        let mut editions = HashSet::new();
        for product in all() {
            let name = &product.edition;
            assert!(editions.insert(name.to_lowercase()), "{name} stands twice");
            assert_eq!(name.split_whitespace().collect::<Vec<_>>().join(" "), *name, "spaces");
            assert!([5, 25].contains(&product.n_policy), "{name}");
            assert!(matches!(product.protocol, ProtocolVersion { major: 4..=6, minor: 0 }), "{name}");
            assert!(![product.kms_counted_id, product.sku_id].contains(&Guid::NIL), "{name}");
            assert!(!product.kms_product.is_empty() && !product.evidence.is_empty(), "{name}");
            let office = name.starts_with("Office");
            assert_eq!(office, product.application != Application::Windows, "{name}");
            assert_eq!(name.contains("2010") && office, product.application == Application::Office2010, "{name}");
        }
    }

    #[test]
    fn a_counted_id_is_of_one_application_one_version_and_one_threshold() {
        let mut seen: HashMap<Guid, &Product> = HashMap::new();
        for product in all() {
            let first = *seen.entry(product.kms_counted_id).or_insert(product);
            let shared = |p: &Product| (p.application, p.kms_product.clone(), p.protocol, p.n_policy, p.channel);
            assert_eq!(shared(product), shared(first));
        }
    }

    #[test]
    fn only_the_ltsc_releases_share_a_sku_id() {
        let mut editions: HashMap<Guid, Vec<&str>> = HashMap::new();
        for product in all() {
            editions.entry(product.sku_id).or_default().push(&product.edition);
        }
        editions.retain(|_, sharing| sharing.len() > 1);
        let shared = [
            "Windows 10 Enterprise LTSC 2019/2021",
            "Windows 10 Enterprise LTSC 2021",
            "Windows 11 Enterprise LTSC 2024",
        ];
        assert_eq!(editions.into_values().collect::<Vec<_>>(), [shared.to_vec()]);
    }

    #[test]
    fn no_product_key_is_in_the_catalogue() {
        assert!(looks_like_a_key("AAAAA-BBBBB-CCCCC-DDDDD-12345"));
        for line in CSV.lines() {
            assert!(
                !line.as_bytes().windows(29).any(|w| looks_like_a_key(std::str::from_utf8(w).unwrap_or(""))),
                "{line}"
            );
        }
    }

    /// XXXXX-XXXXX-XXXXX-XXXXX-XXXXX
    fn looks_like_a_key(text: &str) -> bool {
        let groups: Vec<&str> = text.split('-').collect();
        groups.len() == 5 && groups.iter().all(|g| g.len() == 5 && g.bytes().all(|b| b.is_ascii_alphanumeric()))
    }

    #[test]
    fn sku_ids_of_published_guides_are_the_products_they_name() {
        for (sku, edition) in [
            ("85dd8b5f-eaa4-4af3-a628-cce9e77c9a03", "Office Professional Plus 2019"),
            ("5b5cf08f-b81a-431d-b080-3450d8620565", "Office Visio Pro 2019"),
            ("b322da9c-a2e2-4058-9e4e-f59a6970bd69", "Office Professional Plus 2013"),
            ("c06b6981-d7fd-4a35-b7b4-054742b7af67", "Windows 8.1 Professional"),
        ] {
            assert_eq!(find(sku).unwrap().edition, edition);
            assert_eq!(by_sku_id(sku.parse().unwrap()).count(), 1);
        }
    }

    #[test]
    fn a_search_wants_every_word_and_looks_into_ids() {
        assert_eq!(search("").count(), 222);
        assert_eq!(search("SERVER 2022 azure").count(), 2);
        assert_eq!(search("85DD8B5F").next().unwrap().edition, "Office Professional Plus 2019");
        assert_eq!(search("office 2010").count(), search("59a52881").count());
        assert_eq!(search("windows 95").count(), 0);
    }

    #[test]
    fn volume_products_are_served_to_their_own_application_only() {
        let enterprise = find("Windows 10/11 Enterprise").unwrap();
        assert!(serves(Application::Windows.guid(), enterprise.kms_counted_id));
        assert!(!serves(Application::Office.guid(), enterprise.kms_counted_id));
        assert!(!serves(Guid::NIL, enterprise.kms_counted_id));
        assert!(!serves(Application::Windows.guid(), Guid::NIL));
        assert!(!serves(Application::Windows.guid(), find("Windows 10/11 Home").unwrap().kms_counted_id));
        assert_eq!(by_counted_id(enterprise.kms_counted_id).count(), 25);
        for product in all() {
            let volume = product.channel == Channel::Volume;
            assert_eq!(serves(product.application_id(), product.kms_counted_id), volume, "{}", product.edition);
        }
    }
}
