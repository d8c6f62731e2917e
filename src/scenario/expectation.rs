//! What a step expects of every answer, and whether an answer is that.

use std::fmt;

use crate::population::Share;
use crate::proto::{Outcome, Verdict};
use crate::wire::Hresult;

/// One thing expected of every answer of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    /// The line of the file it stands on, from 1.
    pub line: usize,
    /// What is expected.
    pub what: Expected,
}

/// What can be expected. Where values are listed, each of them will do; there is at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// The code in the response; `None` where no response comes.
    Wire(Vec<Option<Hresult>>),
    /// What the licensing client concludes.
    Verdict(Vec<Verdict>),
    /// The code a user is shown; S_OK when activated.
    Shown(Vec<Hresult>),
    /// The host's count of machines; an answer without a response has none.
    Count(CountRule),
    /// Not of every answer, but of a share of the step's answers.
    Share {
        /// What the share of them comes to.
        of: Coming,
        /// The least share.
        least: Share,
        /// The most.
        most: Share,
    },
}

/// What a share of a step's answers comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Coming {
    /// This code on the wire; `None` where no response comes.
    Wire(Option<Hresult>),
    /// This verdict.
    Verdict(Verdict),
    /// This shown code.
    Shown(Hresult),
}

/// What is expected of the count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountRule {
    /// Every answer says just this.
    Exactly(u32),
    /// The first answer of the step says `from`, each further one more than the one before, the
    /// last `to`.
    Rising {
        /// The count the first arrival sees.
        from: u32,
        /// The count the last arrival sees.
        to: u32,
    },
    /// Every answer says this or more.
    Least(u32),
    /// Every answer says this or less.
    Most(u32),
    /// Every answer says something between the two, both included.
    Between {
        /// The least.
        least: u32,
        /// The most.
        most: u32,
    },
}

impl Expectation {
    /// Its name in records: `<scenario>/<step>/<wire|verdict|shown|count>`, `step` counted from 1. Of
    /// shares there may be several: theirs goes on with what it is a share of, `share/verdict/activated`.
    pub fn id(&self, scenario: &str, step: usize) -> String {
        match &self.what {
            Expected::Share { of, .. } => format!("{scenario}/{step}/share/{}", of.to_string().replace(' ', "/")),
            what => format!("{scenario}/{step}/{}", what.name()),
        }
    }

    /// What is expected of the arrival at `position` of its step, counted from 0, in words.
    pub fn expected_text(&self, position: usize) -> String {
        match &self.what {
            Expected::Wire(codes) => alternatives_or(codes, NO_RESPONSE),
            Expected::Shown(codes) => alternatives(codes),
            Expected::Verdict(verdicts) => alternatives(verdicts),
            Expected::Count(rule) => rule.text(position),
            Expected::Share { of, least, most } => share_text(*of, *least, *most),
        }
    }

    /// Whether the arrival at `position` of its step, counted from 0, came to what is expected.
    /// `count` is the count in the response, if there was one.
    ///
    /// # Errors
    /// What was observed instead, in words.
    pub fn holds(&self, position: usize, outcome: &Outcome, count: Option<u32>) -> Result<(), String> {
        let (holds, observed) = match &self.what {
            Expected::Wire(codes) => (codes.contains(&outcome.wire), said(outcome.wire, NO_RESPONSE)),
            Expected::Verdict(verdicts) => (verdicts.contains(&outcome.verdict), outcome.verdict.name()),
            Expected::Shown(codes) => (codes.contains(&outcome.shown), outcome.shown.to_string()),
            Expected::Count(rule) => (count.is_some_and(|count| rule.allows(position, count)), said(count, "no count")),
            Expected::Share { of, .. } => (of.is(outcome), of.observed(outcome)),
        };
        if holds { Ok(()) } else { Err(observed) }
    }
}

impl Expected {
    /// What is expected, for a person.
    pub const fn words(&self) -> &'static str {
        match self {
            Expected::Wire(_) => "on the wire:",
            Expected::Verdict(_) => "the client's verdict:",
            Expected::Shown(_) => "what slmgr shows:",
            Expected::Count(_) => "the host's count:",
            Expected::Share { .. } => "a share of the answers:",
        }
    }

    /// The word for it in a file and in records.
    pub const fn name(&self) -> &'static str {
        match self {
            Expected::Wire(_) => "wire",
            Expected::Verdict(_) => "verdict",
            Expected::Shown(_) => "shown",
            Expected::Count(_) => "count",
            Expected::Share { .. } => "share",
        }
    }

    /// What is expected of a whole step, in words.
    pub fn text(&self) -> String {
        match self {
            Expected::Wire(codes) => alternatives_or(codes, NO_RESPONSE),
            Expected::Shown(codes) => alternatives(codes),
            Expected::Verdict(verdicts) => alternatives(verdicts),
            Expected::Count(CountRule::Rising { from, to }) => format!("rising from {from} to {to}"),
            Expected::Count(rule) => rule.text(0),
            Expected::Share { of, least, most } => share_text(*of, *least, *most),
        }
    }

    /// Whether it is judged when the step is over, by how many answers it holds for.
    pub const fn is_share(&self) -> bool {
        matches!(self, Expected::Share { .. })
    }

    /// Whether `held` of all answers of a step, for which it holds, are as expected. Only a share
    /// may be less than all.
    pub fn is_met(&self, held: u64, failed: u64) -> bool {
        match self {
            Expected::Share { least, most, .. } => {
                let whole = held + failed;
                whole > 0 && least.is_reached_by(held, whole) && !most.is_exceeded_by(held, whole)
            }
            _ => held > 0 && failed == 0,
        }
    }
}

impl Coming {
    /// Whether an answer came to this.
    pub fn is(self, outcome: &Outcome) -> bool {
        match self {
            Coming::Wire(code) => outcome.wire == code,
            Coming::Verdict(verdict) => outcome.verdict == verdict,
            Coming::Shown(code) => outcome.shown == code,
        }
    }

    fn observed(self, outcome: &Outcome) -> String {
        match self {
            Coming::Wire(_) => said(outcome.wire, NO_RESPONSE),
            Coming::Verdict(_) => outcome.verdict.name(),
            Coming::Shown(_) => outcome.shown.to_string(),
        }
    }
}

impl fmt::Display for Coming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Coming::Wire(code) => write!(f, "wire {}", said(*code, "none")),
            Coming::Verdict(verdict) => write!(f, "verdict {verdict}"),
            Coming::Shown(code) => write!(f, "shown {code}"),
        }
    }
}

fn share_text(of: Coming, least: Share, most: Share) -> String {
    match (least, most) {
        (_, Share::ALL) => format!("{of} for at least {least}"),
        (Share::NONE, _) => format!("{of} for at most {most}"),
        _ => format!("{of} for {least} to {most}"),
    }
}

impl CountRule {
    /// Whether the arrival at `position` of its step may see `count`.
    pub fn allows(self, position: usize, count: u32) -> bool {
        match self {
            CountRule::Exactly(exactly) => count == exactly,
            CountRule::Rising { from, to } => rising(from, position).is_some_and(|due| due <= to && count == due),
            CountRule::Least(least) => count >= least,
            CountRule::Most(most) => count <= most,
            CountRule::Between { least, most } => (least..=most).contains(&count),
        }
    }

    fn text(self, position: usize) -> String {
        match self {
            CountRule::Exactly(exactly) => exactly.to_string(),
            CountRule::Rising { from, to } => match rising(from, position).filter(|due| *due <= to) {
                Some(due) => due.to_string(),
                None => format!("no arrival after the count of {to}"),
            },
            CountRule::Least(least) => format!("at least {least}"),
            CountRule::Most(most) => format!("at most {most}"),
            CountRule::Between { least, most } => format!("{least} to {most}"),
        }
    }
}

/// The count due at a position; `None` past what 32 bits can say.
fn rising(from: u32, position: usize) -> Option<u32> {
    u32::try_from(position).ok()?.checked_add(from)
}

fn alternatives<T: ToString>(values: &[T]) -> String {
    values.iter().map(T::to_string).collect::<Vec<String>>().join(" or ")
}

/// The same where there may be none.
fn alternatives_or<T: Copy + ToString>(values: &[Option<T>], none: &str) -> String {
    values.iter().map(|value| said(*value, none)).collect::<Vec<String>>().join(" or ")
}

fn said<T: ToString>(value: Option<T>, otherwise: &str) -> String {
    value.map_or_else(|| otherwise.to_owned(), |value| value.to_string())
}

const NO_RESPONSE: &str = "no response";

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: Hresult = Hresult::NOT_ENOUGH_COUNT;

    fn outcome(wire: Option<Hresult>, verdict: Verdict) -> Outcome {
        Outcome { wire, verdict, shown: verdict.shown() }
    }

    #[test]
    fn each_expectation_against_each_answer() {
        let activated = (outcome(Some(Hresult::OK), Verdict::Activated), Some(25));
        let refused = (outcome(Some(Hresult::OK), Verdict::Refused(REFUSED)), Some(24));
        let skewed = Hresult::INVALID_TIMESTAMP;
        let skewed = (outcome(Some(skewed), Verdict::Refused(skewed)), None);
        let silent = (outcome(None, Verdict::Refused(Hresult::BINDING_SERVICE_UNAVAILABLE)), None);
        let answers = [activated, refused, skewed, silent];
        // What each of the four answers comes to: nothing when it holds, else what was observed.
        let table: &[(Expected, &str, [&str; 4])] = &[
            (Expected::Wire(vec![Some(Hresult::OK)]), "0x00000000", ["", "", "0xC004F06C", "no response"]),
            (Expected::Wire(vec![None, Some(Hresult::OK)]), "no response or 0x00000000", ["", "", "0xC004F06C", ""]),
            (
                Expected::Wire(vec![Some(Hresult::OK), Some(Hresult::INVALID_TIMESTAMP)]),
                "0x00000000 or 0xC004F06C",
                ["", "", "", "no response"],
            ),
            (Expected::Verdict(vec![Verdict::Activated]), "activated", ["", "0xC004F038", "0xC004F06C", "0xC004F074"]),
            (
                Expected::Verdict(vec![Verdict::Activated, Verdict::Refused(REFUSED)]),
                "activated or 0xC004F038",
                ["", "", "0xC004F06C", "0xC004F074"],
            ),
            (
                Expected::Shown(vec![Hresult::BINDING_SERVICE_UNAVAILABLE]),
                "0xC004F074",
                ["0x00000000", "0xC004F038", "", ""],
            ),
            (Expected::Count(CountRule::Exactly(25)), "25", ["", "24", "no count", "no count"]),
            (Expected::Count(CountRule::Least(25)), "at least 25", ["", "24", "no count", "no count"]),
            (Expected::Count(CountRule::Most(24)), "at most 24", ["25", "", "no count", "no count"]),
            (Expected::Count(CountRule::Between { least: 24, most: 25 }), "24 to 25", ["", "", "no count", "no count"]),
            (Expected::Count(CountRule::Rising { from: 22, to: 30 }), "25", ["", "24", "no count", "no count"]),
        ];
        for (what, text, observed) in table {
            let expectation = Expectation { line: 1, what: what.clone() };
            assert_eq!(expectation.expected_text(3), *text);
            for ((outcome, count), observed) in answers.iter().zip(observed) {
                let held = expectation.holds(3, outcome, *count);
                assert_eq!(held.err().unwrap_or_default(), *observed, "{text} of {outcome:?} {count:?}");
            }
        }
    }

    #[test]
    fn a_rising_count_ends_where_it_says() {
        let rule = CountRule::Rising { from: 1, to: 3 };
        assert_eq!([0, 1, 2, 3].map(|position| rule.allows(position, position as u32 + 1)), [true, true, true, false]);
        assert!(!rule.allows(1, 1) && !rule.allows(1, 3) && !rule.allows(usize::MAX, 0));
        assert_eq!(rule.text(usize::MAX), "no arrival after the count of 3");
    }

    #[test]
    fn an_expectation_has_a_name_of_its_own_in_records() {
        let expectation = Expectation { line: 7, what: Expected::Shown(vec![Hresult::OK]) };
        assert_eq!(expectation.id("smoke", 2), "smoke/2/shown");
    }
}
