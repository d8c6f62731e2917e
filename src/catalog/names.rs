//! Finding a product by the names people write.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use super::{Application, Product, all, by_sku_id};
use crate::wire::Guid;

pub(super) fn find(name: &str) -> Result<&'static Product, Unknown> {
    if let Ok(sku) = name.parse::<Guid>() {
        return by_sku_id(sku).next().ok_or_else(|| Unknown::sku(name, sku));
    }
    Reading::ALL
        .into_iter()
        .find_map(|reading| NAMES.get(&(reading, reading.key(name))).copied())
        .ok_or_else(|| Unknown::name(name))
}

/// No product answers to a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    asked: String,
    nearest: Vec<String>,
}

impl Unknown {
    /// What was asked for.
    pub fn asked(&self) -> &str {
        &self.asked
    }

    /// Up to three names that are near it and that [`find`](super::find) knows,
    /// the nearest first; empty when none is.
    pub fn nearest(&self) -> &[String] {
        &self.nearest
    }

    fn name(asked: &str) -> Unknown {
        let key = collapsed(asked);
        let names = all().iter().flat_map(|product| {
            let mut names = alternatives(&product.edition);
            // "Windows 10/11 Enterprise" is no name to suggest when its parts are.
            if names.is_empty() {
                names.push(product.edition.clone());
            }
            names
        });
        let scored = names.map(|name| (strsim::jaro_winkler(&key, &collapsed(&name)), name)).collect();
        Unknown { asked: asked.to_owned(), nearest: nearest(scored, NAME_SIMILARITY_MIN) }
    }

    /// A guide that was scanned or retyped has a digit or two wrong, so ids
    /// that stand close to one another are worth naming.
    fn sku(asked: &str, sku: Guid) -> Unknown {
        let scored = all()
            .iter()
            .map(|product| {
                let wrong_bits = (product.sku_id.as_u128() ^ sku.as_u128()).count_ones();
                (1.0 - f64::from(wrong_bits) / 128.0, product.sku_id.to_string())
            })
            .collect();
        Unknown { asked: asked.to_owned(), nearest: nearest(scored, SKU_SIMILARITY_MIN) }
    }
}

impl std::error::Error for Unknown {}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no product named \"{}\" in the catalogue", self.asked)?;
        for (i, name) in self.nearest.iter().enumerate() {
            let before = match i {
                0 => "; did you mean ",
                _ if i + 1 == self.nearest.len() => " or ",
                _ => ", ",
            };
            write!(f, "{before}\"{name}\"")?;
        }
        if !self.nearest.is_empty() {
            f.write_str("?")?;
        }
        f.write_str(" (kmsproof catalog lists them all)")
    }
}

/// A way to read a name; the order of [`find`](super::find)'s description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Reading {
    AsWritten,
    Words,
    WordsWithoutLtsc,
}

impl Reading {
    const ALL: [Reading; 3] = [Reading::AsWritten, Reading::Words, Reading::WordsWithoutLtsc];

    /// What two spellings that mean the same under this reading have in common.
    fn key(self, name: &str) -> String {
        match self {
            Reading::AsWritten => collapsed(name),
            Reading::Words => words(name, &[]),
            Reading::WordsWithoutLtsc => words(name, &["ltsc"]),
        }
    }

    /// Every name of every product under this reading, those that win first:
    /// an edition before an alternative, then by the order of the catalogue.
    fn names(self) -> impl Iterator<Item = (String, &'static Product)> {
        // Dropping LTSC from Windows would turn one product into another.
        let meant = all()
            .iter()
            .filter(move |product| self != Reading::WordsWithoutLtsc || product.application != Application::Windows);
        let editions = meant.clone().map(|product| (product.edition.clone(), product));
        let others =
            meant.flat_map(|product| alternatives(&product.edition).into_iter().map(move |name| (name, product)));
        editions.chain(others)
    }
}

static NAMES: LazyLock<HashMap<(Reading, String), &'static Product>> = LazyLock::new(|| {
    let mut names = HashMap::new();
    for reading in Reading::ALL {
        for (name, product) in reading.names() {
            names.entry((reading, reading.key(&name))).or_insert(product);
        }
    }
    names
});

/// "Windows 10/11 IoT Enterprise LTSC 2021-2024" as the four names it stands
/// for; nothing for a name without alternatives.
fn alternatives(edition: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut found = false;
    for word in edition.split_whitespace() {
        let parts: Vec<&str> = word.split(['/', '-']).collect();
        let numbers = parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
        let parts = if numbers { parts } else { vec![word] };
        found |= parts.len() > 1;
        names = names
            .iter()
            .flat_map(|start| {
                parts
                    .iter()
                    .map(move |part| if start.is_empty() { (*part).to_owned() } else { format!("{start} {part}") })
            })
            .collect();
    }
    if found { names } else { Vec::new() }
}

/// Lower case, single spaces.
fn collapsed(name: &str) -> String {
    name.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

/// The words that tell products apart, in one spelling and in one order.
fn words(name: &str, also_left_out: &[&str]) -> String {
    let name = collapsed(name).replace(['(', ')'], " ");
    let mut words = Vec::new();
    for word in name.split_whitespace() {
        match SPELLINGS.iter().find(|(written, _)| *written == word) {
            _ if LEFT_OUT.contains(&word) || also_left_out.contains(&word) => {}
            Some((_, usual)) => words.extend_from_slice(usual),
            None => words.push(word),
        }
    }
    words.sort_unstable();
    words.join(" ")
}

/// The names of the highest scores, those only that are nearly as near as the
/// nearest: a slip of the keyboard has one reading, a half-remembered name several.
fn nearest(mut scored: Vec<(f64, String)>, least: f64) -> Vec<String> {
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut names: Vec<String> = Vec::new();
    let farthest = scored.first().map_or(0.0, |(best, _)| NEARLY * (1.0 - best));
    for (score, name) in scored {
        if names.len() == NEAREST_MAX || score < least || 1.0 - score > farthest {
            break;
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

const NEAREST_MAX: usize = 3;
/// Below this, Jaro-Winkler finds likeness where a person sees none.
const NAME_SIMILARITY_MIN: f64 = 0.8;
/// At most 8 of 128 bits wrong; two unrelated ids differ in about 61.
const SKU_SIMILARITY_MIN: f64 = 1.0 - 8.0 / 128.0;
/// How many times as far as the nearest a name may be and still be offered.
const NEARLY: f64 = 1.5;

const LEFT_OUT: &[&str] = &["microsoft", "ms", "office", "for", "edition"];
const SPELLINGS: &[(&str, &[&str])] = &[
    ("professional", &["pro"]),
    ("professionaln", &["pro", "n"]),
    ("proplus", &["pro", "plus"]),
    ("std", &["standard"]),
    ("workstations", &["workstation"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str) -> &'static str {
        &find(name).unwrap_or_else(|unknown| panic!("{unknown}")).edition
    }

    #[test]
    fn every_product_is_found_by_its_own_edition() {
        for product in all() {
            assert_eq!(found(&product.edition), product.edition);
            assert_eq!(found(&format!("  {} ", product.edition.to_uppercase().replace(' ', "  "))), product.edition);
        }
    }

    #[test]
    fn a_row_for_several_editions_answers_to_each() {
        assert_eq!(found("windows 10 enterprise"), "Windows 10/11 Enterprise");
        assert_eq!(found("Windows 11 Enterprise"), "Windows 10/11 Enterprise");
        assert_eq!(found("Windows 10 Enterprise LTSC 2019"), "Windows 10 Enterprise LTSC 2019/2021");
        for iot in ["Windows 10 IoT Enterprise LTSC 2021", "Windows 11 IoT Enterprise LTSC 2024"] {
            assert_eq!(found(iot), "Windows 10/11 IoT Enterprise LTSC 2021-2024");
        }
    }

    #[test]
    fn an_exact_edition_wins_over_an_alternative() {
        assert_eq!(found("Windows 10 Enterprise LTSC 2021"), "Windows 10 Enterprise LTSC 2021");
        assert_eq!(found("Windows 10 Enterprise 2021 LTSC"), "Windows 10 Enterprise LTSC 2021");
        assert_eq!(found("Windows 10 Enterprise LTSC 2021 N"), "Windows 10 Enterprise LTSC 2019/2021 N");
    }

    #[test]
    fn a_sku_id_that_stands_on_several_rows_means_the_first() {
        assert_eq!(found("{32D2FAB3-E4A8-42C2-923B-4BF4FD13E6EE}"), "Windows 10 Enterprise LTSC 2019/2021");
    }

    #[test]
    fn names_people_write_are_understood() {
        for (written, edition) in [
            ("Professional Plus 2019", "Office Professional Plus 2019"),
            ("Office 2019 Professional Plus", "Office Professional Plus 2019"),
            ("Microsoft Office 2016 ProPlus", "Office Professional Plus 2016"),
            ("Office LTSC Professional Plus 2021", "Office LTSC Professional Plus 2021"),
            ("Office 2021 LTSC ProPlus", "Office LTSC Professional Plus 2021"),
            ("Office Professional Plus 2024", "Office LTSC Professional Plus 2024"),
            ("Visio Professional 2019", "Office Visio Pro 2019"),
            ("Project LTSC Pro 2024", "Office Project Pro 2024"),
            ("Microsoft Windows 11 Professional", "Windows 10/11 Pro"),
            ("Windows 10 Pro for Workstations", "Windows 10/11 Pro Workstation"),
            ("Windows 8.1 Pro", "Windows 8.1 Professional"),
            ("Windows Server Datacenter 2022", "Windows Server 2022 Datacenter"),
        ] {
            assert_eq!(found(written), edition, "{written}");
        }
    }

    #[test]
    fn leaving_a_word_out_never_finds_another_release_of_windows() {
        assert!(find("Windows 10 Enterprise 2021").is_err());
        assert!(find("Windows 11 Enterprise 2024").is_err());
    }

    /// A name that two products would claim under one reading is a trap; the
    /// rule decides, and this is where it does.
    #[test]
    fn the_contested_names_are_these_and_no_others() {
        let mut contested = Vec::new();
        for reading in Reading::ALL {
            for (name, product) in reading.names() {
                let winner = NAMES[&(reading, reading.key(&name))];
                if winner != product {
                    contested.push(format!("{reading:?}: {name}: {} wins over {}", winner.edition, product.edition));
                }
            }
        }
        insta::assert_snapshot!(contested.join("\n"), @r"
        AsWritten: Windows 10 Enterprise LTSC 2021: Windows 10 Enterprise LTSC 2021 wins over Windows 10 Enterprise LTSC 2019/2021
        Words: Windows 10 Enterprise LTSC 2021: Windows 10 Enterprise LTSC 2021 wins over Windows 10 Enterprise LTSC 2019/2021
        ");
    }

    #[test]
    fn a_slip_is_answered_with_the_name_meant() {
        insta::assert_snapshot!(find("Windws 11 Enterprise").unwrap_err(), @r#"no product named "Windws 11 Enterprise" in the catalogue; did you mean "Windows 11 Enterprise"? (kmsproof catalog lists them all)"#);
        insta::assert_snapshot!(find("Office 2O19").unwrap_err(), @r#"no product named "Office 2O19" in the catalogue; did you mean "Office Word 2019", "Office Excel 2019" or "Office Outlook 2019"? (kmsproof catalog lists them all)"#);
        insta::assert_snapshot!(find("solitaire").unwrap_err(), @r#"no product named "solitaire" in the catalogue (kmsproof catalog lists them all)"#);
        insta::assert_snapshot!(find("").unwrap_err(), @r#"no product named "" in the catalogue (kmsproof catalog lists them all)"#);
    }

    /// The first of these stands in a published guide, one digit wrong.
    #[test]
    fn a_retyped_sku_id_is_answered_with_the_one_meant() {
        insta::assert_snapshot!(find("85dd8b5f-aaa4-4af3-a628-cce9e77c9a03").unwrap_err(), @r#"no product named "85dd8b5f-aaa4-4af3-a628-cce9e77c9a03" in the catalogue; did you mean "85dd8b5f-eaa4-4af3-a628-cce9e77c9a03"? (kmsproof catalog lists them all)"#);
        insta::assert_snapshot!(find("00000000-0000-4000-8000-000000000000").unwrap_err(), @r#"no product named "00000000-0000-4000-8000-000000000000" in the catalogue (kmsproof catalog lists them all)"#);
    }
}
