//! The languages people are spoken to in.

use std::fmt;
use std::str::FromStr;

/// A language texts for people can be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Lang {
    /// English.
    #[default]
    English,
    /// Chinese as it is written in Taiwan.
    TraditionalChinese,
}

impl Lang {
    /// Every language.
    pub const ALL: [Lang; 2] = [Lang::English, Lang::TraditionalChinese];

    /// Its tag (BCP 47), which is how it is asked for.
    pub const fn tag(self) -> &'static str {
        match self {
            Lang::English => "en",
            Lang::TraditionalChinese => "zh-TW",
        }
    }

    /// Parts of one sentence as a list.
    pub fn list(self, parts: &[&str]) -> String {
        parts.join(match self {
            Lang::English => "; ",
            Lang::TraditionalChinese => "；",
        })
    }
}

impl fmt::Display for Lang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.tag())
    }
}

/// A language there are no texts in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there are no texts in this language: expected en or zh-TW (also zh_TW, zh-Hant)")]
pub struct UnknownLang;

impl FromStr for Lang {
    type Err = UnknownLang;

    fn from_str(text: &str) -> Result<Lang, UnknownLang> {
        match text.trim().replace('_', "-").to_ascii_lowercase().as_str() {
            "en" => Ok(Lang::English),
            "zh-tw" | "zh-hant" | "zh-hant-tw" => Ok(Lang::TraditionalChinese),
            _ => Err(UnknownLang),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_known_by_its_usual_spellings_and_no_other() {
        for lang in Lang::ALL {
            assert_eq!(lang.to_string().parse(), Ok(lang));
        }
        for text in ["zh_TW", "zh-tw", "ZH-TW", "zh-Hant", "zh_Hant", "zh-Hant-TW"] {
            assert_eq!(text.parse(), Ok(Lang::TraditionalChinese), "{text}");
        }
        // What is written on the mainland is another language to a reader in Taiwan.
        for text in ["", "zh", "zh-CN", "zh-Hans", "de", "english"] {
            assert_eq!(text.parse::<Lang>(), Err(UnknownLang), "{text}");
        }
    }
}
