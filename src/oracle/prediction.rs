//! What an honest host may answer to one request, and what a client makes of it.

use std::fmt;

use crate::proto::Verdict;
use crate::text::grouped;
use crate::wire::Hresult;

/// What an honest host may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prediction {
    /// The wire codes it may answer with.
    pub codes: Codes,
    /// The least and the most it may count, when it answers S_OK and something is known of that;
    /// `u32::MAX` where nothing limits it.
    pub count: Option<(u32, u32)>,
    /// Why these codes.
    pub why: Reason,
}

/// A set of wire codes a host may come to (protocol description, section 5). Never empty in a [`Prediction`].
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Codes(u8);

/// Why a request is due the codes it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Nothing is wrong with it.
    NothingWrong,
    /// Its protocol version is none of 4.0, 5.0 and 6.0.
    VersionUnknown,
    /// The host does not serve its product or application.
    ProductNotServed,
    /// Its time is more than four hours from the host's.
    ClockOff,
    /// Its time is so near to four hours from the host's that what is known of the host's clock decides nothing.
    ClockAtLimit,
    /// Its N policy is beyond what some hosts take for malformed data.
    NPolicyBeyond,
    /// Such N policies were asked that the host's table may be full beyond repair.
    TableMayBeFull,
    /// More than one thing is wrong with it; the documents fix no order.
    SeveralWrong,
}

impl Prediction {
    /// What a client whose N policy is `n_policy` may conclude from an answer so predicted; each once.
    pub fn verdicts(&self, n_policy: u32) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        for code in self.codes.iter() {
            if code != Hresult::OK {
                verdicts.push(Verdict::Refused(code));
                continue;
            }
            let (least, most) = self.count.unwrap_or((1, u32::MAX));
            if most >= n_policy {
                verdicts.push(Verdict::Activated);
            }
            if least < n_policy {
                verdicts.push(Verdict::Refused(Hresult::NOT_ENOUGH_COUNT));
            }
        }
        verdicts
    }

    /// What the user of such a client may be shown; each code once.
    pub fn shown(&self, n_policy: u32) -> Vec<Hresult> {
        let mut shown: Vec<Hresult> = Vec::new();
        for code in self.verdicts(n_policy).into_iter().map(Verdict::shown) {
            if !shown.contains(&code) {
                shown.push(code);
            }
        }
        shown
    }

    /// Whether only one answer is right.
    pub fn is_exact(&self) -> bool {
        let counted = self.codes.contains(Hresult::OK);
        self.codes.iter().count() == 1 && (!counted || self.count.is_some_and(|(least, most)| least == most))
    }

    /// The expected wire codes in words: `S_OK`, `0xC004F042 or 0xC004F06C`.
    pub fn wire_text(&self) -> String {
        either(self.codes.iter().map(code_text))
    }

    /// The expected count in words: `12`, `10 to 12`, `at least 10`; `None` when no count is predicted.
    pub fn count_text(&self) -> Option<String> {
        let (least, most) = self.count.filter(|_| self.codes.contains(Hresult::OK))?;
        Some(range_text(least, most))
    }

    /// The expected verdicts of a client whose N policy is `n_policy`, in words.
    pub fn verdict_text(&self, n_policy: u32) -> String {
        either(self.verdicts(n_policy).into_iter().map(Verdict::name))
    }

    /// What its user is expected to be shown, in words.
    pub fn shown_text(&self, n_policy: u32) -> String {
        either(self.shown(n_policy).into_iter().map(code_text))
    }
}

impl Codes {
    /// The set of that one code; empty for a code hosts never come to by the rules.
    pub fn only(code: Hresult) -> Codes {
        let mut codes = Codes::default();
        codes.insert(code);
        codes
    }

    /// Puts a code in, if it is one of [`Codes::POSSIBLE`].
    pub fn insert(&mut self, code: Hresult) {
        if let Some(place) = Codes::POSSIBLE.iter().position(|&possible| possible == code) {
            self.0 |= 1 << place;
        }
    }

    /// Whether the code is in the set.
    pub fn contains(self, code: Hresult) -> bool {
        self.iter().any(|held| held == code)
    }

    /// Whether nothing is in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The codes, S_OK first, then in the order a host is likely to look at things.
    pub fn iter(self) -> impl Iterator<Item = Hresult> {
        Codes::POSSIBLE.into_iter().enumerate().filter(move |(place, _)| self.0 & 1 << place != 0).map(|(_, code)| code)
    }

    /// Every code the rules of an honest host can come to.
    pub const POSSIBLE: [Hresult; 5] =
        [Hresult::OK, Hresult::INVALID_DATA, Hresult::KMS_ID_MISMATCH, Hresult::INVALID_TIMESTAMP, Hresult::TABLE_FULL];
}

impl fmt::Debug for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::NothingWrong => "nothing is wrong with the request",
            Reason::VersionUnknown => "its protocol version is none of 4.0, 5.0 and 6.0",
            Reason::ProductNotServed => "the host does not serve its product",
            Reason::ClockOff => "its time is more than four hours from the host's",
            Reason::ClockAtLimit => "its time is so near to four hours from the host's that both answers are right",
            Reason::NPolicyBeyond => "its N policy is above 1,000, which some hosts take for malformed data",
            Reason::TableMayBeFull => "an N policy of 376 or more was asked, after which a host's table can be full",
            Reason::SeveralWrong => "more than one thing is wrong with it, and the documents fix no order",
        })
    }
}

/// `S_OK` for success, any other code in hex.
pub(super) fn code_text(code: Hresult) -> String {
    if code == Hresult::OK { "S_OK".to_owned() } else { code.to_string() }
}

/// A range of counts in words.
pub(super) fn range_text(least: u32, most: u32) -> String {
    let number = |count: u32| grouped(u64::from(count));
    match (least, most) {
        (least, u32::MAX) => format!("at least {}", number(least)),
        (least, most) if least >= most => number(least),
        (least, most) => format!("{} to {}", number(least), number(most)),
    }
}

fn either(texts: impl Iterator<Item = String>) -> String {
    texts.collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prediction(codes: &[Hresult], count: Option<(u32, u32)>) -> Prediction {
        let mut set = Codes::default();
        codes.iter().for_each(|&code| set.insert(code));
        Prediction { codes: set, count, why: Reason::NothingWrong }
    }

    #[test]
    fn a_client_compares_the_count_it_may_get_with_its_own_n() {
        let refused = Verdict::Refused(Hresult::NOT_ENOUGH_COUNT);
        for (count, verdicts) in [
            ((24, 24), vec![refused]),
            ((25, 25), vec![Verdict::Activated]),
            ((24, 25), vec![Verdict::Activated, refused]),
            ((3, u32::MAX), vec![Verdict::Activated, refused]),
        ] {
            assert_eq!(prediction(&[Hresult::OK], Some(count)).verdicts(25), verdicts, "{count:?}");
        }
    }

    #[test]
    fn a_skewed_client_shows_another_code_than_it_got() {
        let skewed = prediction(&[Hresult::INVALID_TIMESTAMP], None);
        assert_eq!(skewed.verdicts(25), [Verdict::Refused(Hresult::INVALID_TIMESTAMP)]);
        assert_eq!(skewed.shown(25), [Hresult::BINDING_SERVICE_UNAVAILABLE]);
        assert_eq!((skewed.wire_text(), skewed.shown_text(25)), ("0xC004F06C".into(), "0xC004F074".into()));
    }

    #[test]
    fn expectations_read_as_a_person_would_say_them() {
        let both = prediction(&[Hresult::INVALID_DATA, Hresult::OK], Some((10, 12)));
        assert_eq!(both.wire_text(), "S_OK or 0x8007000D");
        assert_eq!(both.count_text().as_deref(), Some("10 to 12"));
        assert_eq!(both.verdict_text(11), "activated or 0xC004F038 or 0x8007000D");
        assert_eq!(prediction(&[Hresult::OK], Some((5, u32::MAX))).count_text().as_deref(), Some("at least 5"));
        assert_eq!(prediction(&[Hresult::OK], Some((5, 5))).count_text().as_deref(), Some("5"));
        assert_eq!(prediction(&[Hresult::KMS_ID_MISMATCH], Some((5, 5))).count_text(), None);
    }

    #[test]
    fn a_code_no_rule_comes_to_is_in_no_set() {
        assert!(Codes::only(Hresult::NOT_ENOUGH_COUNT).is_empty());
        assert!(Codes::only(Hresult::OK).contains(Hresult::OK));
        assert!(!Codes::only(Hresult::OK).contains(Hresult::NOT_ENOUGH_COUNT));
    }
}
