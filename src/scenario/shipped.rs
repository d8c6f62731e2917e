//! The scenarios that come with the program, and the population tables they name.

use super::read::Tables;

/// Name, file and text of every shipped scenario, in the order they are run.
pub fn shipped() -> &'static [(&'static str, &'static str, &'static str)] {
    SHIPPED
}

/// The tables of the shipped scenarios.
#[derive(Debug, Clone, Copy)]
pub struct ShippedTables;

impl Tables for ShippedTables {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        let found = POPULATIONS.iter().find(|(path, _)| *path == name);
        found.map(|(_, text)| text.as_bytes().to_vec()).ok_or_else(|| "no such table comes with the program".to_owned())
    }
}

/// Each by its path below `scenarios/`.
const POPULATIONS: &[(&str, &str)] = &[];

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$(($name, concat!("scenarios/", $name, ".toml"), include_str!(concat!("../../scenarios/", $name, ".toml")))),*]
    };
}

const SHIPPED: &[(&str, &str, &str)] = shipped![
    "smoke",
    "count-threshold",
    "cloned-images",
    "skewed-clock",
    "bad-timezone",
    "expired-leases",
    "unsupported-product",
    "versions",
    "campus-windows-and-office",
    "campus-office-and-visio",
    "campus-office-2010-to-2016",
    "campus-office-2019",
    "campus-office-2024",
    "monday-morning",
    "retry-storm",
    "renewals-steady",
    "mixed-fleet",
    "year-of-campus",
    "soak",
];
