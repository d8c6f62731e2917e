//! Patterns on ids, as a shell writes them.

/// A pattern: `*` stands for any run of characters, `/` included, `?` for any one; letter case does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(Vec<char>);

impl Glob {
    /// The pattern in `text`, if it is one: a text with neither `*` nor `?` names one thing.
    pub fn parse(text: &str) -> Option<Glob> {
        text.contains(['*', '?']).then(|| Glob(text.to_lowercase().chars().collect()))
    }

    /// Whether the whole of `text` is as the pattern says. At most pattern length times text length steps.
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.to_lowercase().chars().collect();
        let (mut at, mut here) = (0, 0);
        // Where to go on when what follows the last star does not fit: the star takes one character more.
        let mut star: Option<(usize, usize)> = None;
        while here < text.len() {
            match (self.0.get(at), star) {
                (Some('*'), _) => {
                    star = Some((at + 1, here));
                    at += 1;
                }
                (Some(&wanted), _) if wanted == '?' || wanted == text[here] => (at, here) = (at + 1, here + 1),
                (_, Some((after, taken))) => {
                    (at, here) = (after, taken + 1);
                    star = Some((after, taken + 1));
                }
                _ => return false,
            }
        }
        self.0[at..].iter().all(|&left| left == '*')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_all_of_an_id_or_none() {
        for (pattern, id, matches) in [
            ("kms/v6/*", "kms/v6/hmac", true),
            ("kms/v6/*", "kms/v5/iv", false),
            ("*/v?/IV", "kms/v5/iv", true),
            ("*iv", "kms/v6/xored-ivs", false),
            ("*iv*", "kms/v6/xored-ivs", true),
            ("*a*ab", "kms/aaab", true),
            ("oracle/*/refused", "oracle/skew/accepted", false),
            ("?", "", false),
            ("*", "", true),
            ("**", "x", true),
        ] {
            assert_eq!(Glob::parse(pattern).unwrap().matches(id), matches, "{pattern} {id}");
        }
        assert_eq!(Glob::parse("kms/v6/hmac"), None);
    }
}
