//! Expectations that no answer could ever meet together.
//!
//! The codes of an activation hang together (protocol description, section 5), so a step that
//! expects two that exclude one another can only fail, and would blame the host for it.

use crate::population::Share;
use crate::proto::{Outcome, Verdict};
use crate::scenario::expectation::{CountRule, Expectation, Expected};
use crate::scenario::spec::HostState;
use crate::wire::Hresult;

/// Why a step's expectations cannot all hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Contradiction {
    pub message: String,
    pub help: &'static str,
}

/// The first contradiction among the expectations of a step whose machines have these N policies,
/// with a host in this state.
pub(super) fn contradiction(
    expectations: &[Expectation],
    n_policies: &[u32],
    host: Option<HostState>,
) -> Option<Contradiction> {
    let mut wire = None;
    let mut verdict = None;
    let mut shown = None;
    let mut count = None;
    for expectation in expectations {
        match &expectation.what {
            Expected::Wire(codes) => wire = Some(codes.as_slice()),
            Expected::Verdict(verdicts) => verdict = Some(verdicts.as_slice()),
            Expected::Shown(codes) => shown = Some(codes.as_slice()),
            Expected::Count(rule) => count = Some(*rule),
            Expected::Share { .. } => {}
        }
    }
    if host == Some(HostState::Down)
        && let Some(other) = expectations.iter().find(|expectation| !silence_meets(&expectation.what))
    {
        let message = format!("nobody answers while the host is down, and `{}` expects an answer", other.what.name());
        let help = "what comes is wire = \"none\", verdict = \"0xC004F074\" and shown = \"0xC004F074\"";
        return Some(Contradiction { message, help });
    }
    let says = |said: Option<&[Verdict]>, verdict: &Verdict| said.is_none_or(|said| said.contains(verdict));
    let shows = |verdict: &Verdict| shown.is_none_or(|shown| shown.contains(&verdict.shown()));
    if let (Some(wire), Some(verdict)) = (wire, verdict)
        && !wire.iter().flat_map(|code| verdicts_over(*code)).any(|over| says(Some(verdict), &over))
    {
        return Some(Contradiction { message: "`wire` and `verdict` exclude one another".to_owned(), help: WIRE_HELP });
    }
    if let (Some(verdict), Some(_)) = (verdict, shown)
        && !verdict.iter().any(shows)
    {
        return Some(Contradiction {
            message: "`verdict` and `shown` exclude one another".to_owned(),
            help: "what is shown is the verdict, but for 0xC004F06C, which slmgr shows as 0xC004F074",
        });
    }
    if let (Some(wire), Some(_)) = (wire, shown)
        && !wire.iter().flat_map(|code| verdicts_over(*code)).any(|over| shows(&over) && says(verdict, &over))
    {
        return Some(Contradiction { message: "`wire` and `shown` exclude one another".to_owned(), help: WIRE_HELP });
    }
    if let (Some(wire), Some(_)) = (wire, count)
        && !wire.contains(&Some(Hresult::OK))
    {
        return Some(Contradiction {
            message: "`count` and `wire` exclude one another: only an answer that says success has a count in it"
                .to_owned(),
            help: "leave out `count`, or expect wire = \"0x00000000\"",
        });
    }
    count_and_verdict(verdict?, count?, n_policies)
}

/// What a client can come to over a code on the wire, or without a response.
fn verdicts_over(wire: Option<Hresult>) -> Vec<Verdict> {
    match wire {
        Some(Hresult::OK) => vec![
            Verdict::Activated,
            Verdict::Refused(Hresult::NOT_ENOUGH_COUNT),
            Verdict::Refused(Hresult::INVALID_DATA),
        ],
        Some(code) => vec![Verdict::Refused(code)],
        None => {
            vec![Verdict::Refused(Hresult::BINDING_SERVICE_UNAVAILABLE), Verdict::Refused(Hresult::INVALID_DATA)]
        }
    }
}

/// Whether an expectation can hold where nobody answers.
fn silence_meets(what: &Expected) -> bool {
    const REFUSED: Verdict = Verdict::Refused(Hresult::BINDING_SERVICE_UNAVAILABLE);
    match what {
        Expected::Wire(codes) => codes.contains(&None),
        Expected::Verdict(verdicts) => verdicts.contains(&REFUSED),
        Expected::Shown(codes) => codes.contains(&REFUSED.shown()),
        Expected::Count(_) => false,
        Expected::Share { of, least, most } => {
            match of.is(&Outcome { wire: None, verdict: REFUSED, shown: REFUSED.shown() }) {
                true => *most == Share::ALL,
                false => *least == Share::NONE,
            }
        }
    }
}

fn count_and_verdict(verdict: &[Verdict], count: CountRule, n_policies: &[u32]) -> Option<Contradiction> {
    let (least_n, most_n) = (*n_policies.iter().min()?, *n_policies.iter().max()?);
    // Of a rising count only the ends are known, and not which machine sees them.
    let (highest, needed) = match count {
        CountRule::Exactly(count) => (count, most_n),
        CountRule::Most(most) | CountRule::Between { most, .. } => (most, most_n),
        CountRule::Rising { from, .. } => (from, least_n),
        CountRule::Least(_) => (u32::MAX, most_n),
    };
    let (lowest, enough) = match count {
        CountRule::Exactly(count) => (count, least_n),
        CountRule::Least(least) | CountRule::Between { least, .. } => (least, least_n),
        CountRule::Rising { to, .. } => (to, most_n),
        CountRule::Most(_) => (0, least_n),
    };
    const HELP: &str = "a client is activated when the host's count is its N policy or more";
    if verdict == [Verdict::Activated] && highest < needed {
        let message = format!("at a count of {highest} no client with an N policy of {needed} is activated");
        return Some(Contradiction { message, help: HELP });
    }
    if verdict == [Verdict::Refused(Hresult::NOT_ENOUGH_COUNT)] && lowest >= enough {
        let message = format!("at a count of {lowest} no client with an N policy of {enough} is refused by count");
        return Some(Contradiction { message, help: HELP });
    }
    None
}

const WIRE_HELP: &str = "a code on the wire is the verdict too; over wire 0x00000000 the verdict is \"activated\", \
                         0xC004F038 (the count is too low) or 0x8007000D (the answer cannot be trusted)";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::expectation::Coming;

    const TOO_FEW: Verdict = Verdict::Refused(Hresult::NOT_ENOUGH_COUNT);

    fn why_not(what: &[Expected], n_policies: &[u32]) -> Option<String> {
        let expectations: Vec<_> = what.iter().cloned().map(|what| Expectation { line: 1, what }).collect();
        contradiction(&expectations, n_policies, None).map(|found| found.message)
    }

    #[test]
    fn what_can_hold_together_is_let_through() {
        let rising = |from, to| Expected::Count(CountRule::Rising { from, to });
        for (what, n_policies) in [
            (vec![], vec![25]),
            (vec![Expected::Wire(vec![Some(Hresult::OK)]), Expected::Verdict(vec![TOO_FEW]), rising(1, 24)], vec![25]),
            (vec![Expected::Verdict(vec![Verdict::Activated]), rising(5, 9)], vec![5]),
            (vec![Expected::Verdict(vec![Verdict::Activated, TOO_FEW]), rising(1, 9)], vec![5]),
            (vec![Expected::Verdict(vec![Verdict::Activated]), rising(5, 30)], vec![5, 25]),
            (vec![Expected::Verdict(vec![TOO_FEW]), Expected::Count(CountRule::Most(50))], vec![25]),
            (
                vec![
                    Expected::Wire(vec![Some(Hresult::INVALID_TIMESTAMP)]),
                    Expected::Verdict(vec![Verdict::Refused(Hresult::INVALID_TIMESTAMP)]),
                    Expected::Shown(vec![Hresult::BINDING_SERVICE_UNAVAILABLE]),
                ],
                vec![25],
            ),
        ] {
            assert_eq!(why_not(&what, &n_policies), None, "{what:?}");
        }
    }

    #[test]
    fn what_excludes_one_another_is_not() {
        let activated = || Expected::Verdict(vec![Verdict::Activated]);
        let table = [
            (vec![Expected::Wire(vec![Some(Hresult::KMS_ID_MISMATCH)]), activated()], "`wire` and `verdict`"),
            (vec![activated(), Expected::Shown(vec![Hresult::NOT_ENOUGH_COUNT])], "`verdict` and `shown`"),
            (
                vec![Expected::Wire(vec![Some(Hresult::TABLE_FULL)]), Expected::Count(CountRule::Least(1))],
                "`count` and `wire`",
            ),
            (vec![Expected::Wire(vec![None]), activated()], "`wire` and `verdict`"),
            (vec![Expected::Wire(vec![None]), Expected::Count(CountRule::Least(1))], "`count` and `wire`"),
            (
                vec![
                    Expected::Wire(vec![Some(Hresult::INVALID_TIMESTAMP)]),
                    Expected::Shown(vec![Hresult::INVALID_TIMESTAMP, Hresult::OK]),
                ],
                "`wire` and `shown`",
            ),
            (vec![activated(), Expected::Count(CountRule::Exactly(24))], "at a count of 24 no client"),
            (vec![activated(), Expected::Count(CountRule::Rising { from: 4, to: 30 })], "at a count of 4 no client"),
            (
                vec![Expected::Verdict(vec![TOO_FEW]), Expected::Count(CountRule::Least(5))],
                "at a count of 5 no client with an N policy of 5 is refused",
            ),
        ];
        for (what, beginning) in table {
            let found = why_not(&what, &[5, 25]).unwrap_or_default();
            assert!(found.starts_with(beginning), "{what:?}: {found}");
        }
    }

    #[test]
    fn while_the_host_is_down_nobody_answers() {
        let silent = Verdict::Refused(Hresult::BINDING_SERVICE_UNAVAILABLE);
        let share = |of, least: &str, most: &str| Expected::Share {
            of,
            least: least.parse().unwrap(),
            most: most.parse().unwrap(),
        };
        let down = |what: Expected| {
            contradiction(&[Expectation { line: 1, what }], &[25], Some(HostState::Down)).map(|found| found.message)
        };
        for what in [
            Expected::Wire(vec![None]),
            Expected::Verdict(vec![Verdict::Activated, silent]),
            Expected::Shown(vec![silent.shown()]),
            share(Coming::Verdict(Verdict::Activated), "0%", "5%"),
            share(Coming::Wire(None), "95%", "100%"),
        ] {
            assert_eq!(down(what.clone()), None, "{what:?}");
        }
        for what in [
            Expected::Wire(vec![Some(Hresult::OK)]),
            Expected::Verdict(vec![Verdict::Activated]),
            Expected::Shown(vec![Hresult::OK]),
            Expected::Count(CountRule::Least(1)),
            share(Coming::Verdict(Verdict::Activated), "1%", "100%"),
            share(Coming::Shown(silent.shown()), "0%", "95%"),
        ] {
            let message = down(what.clone()).unwrap_or_default();
            assert!(message.starts_with("nobody answers while the host is down"), "{what:?}: {message}");
        }
    }
}
