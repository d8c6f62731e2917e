//! Tables that are full: whoever comes is granted, and the count stays where it is (protocol description, section 6).

use super::policy_kinds::{Kind, ask_as};
use super::policy_newcomers::{Newcomers, told_at_once};
use super::tools::{
    OFFICE, OFFICE_2010, SERVED_OR_UNSERVED, granted, product, put_ask, require_alone, served_versions, told,
};
use crate::catalog::Product;
use crate::conform::accept::Answered;
use crate::conform::cases::alike::IN_EITHER_SYNTAX;
use crate::conform::cases::rpc::tools::{SERVED_NEXT, syntaxes};
use crate::conform::{Capability, Case, Confidence, Level, Stop, Talk};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "kms/policy/full-for-all",
        Level::Win,
        "new machines of every kind when a table is full",
        "When a table holds twice the largest N policy, new machines are granted in every version, every syntax, virtual or \
         not, and told that count.",
        "Windows 7 resource kit on the cache of 2N ids; protocol description, section 6: older entries go for newer ones",
        |t| {
            let mut ids = Newcomers::of(t);
            let (wanted, size) = full(t, &mut ids)?;
            let versions = served_versions(t)?;
            for (turn, syntax) in syntaxes(t)?.into_iter().enumerate() {
                for version in t.in_turn(&versions) {
                    for is_vm in [false, true] {
                        if !IN_EITHER_SYNTAX.open(t, syntax)? {
                            continue;
                        }
                        let kind = Kind { version, status: 2 + u32::from(is_vm), is_vm, was_another: false };
                        let label = format!("{}, in {syntax}", kind.words(&wanted.edition));
                        let (id, previous) = (ids.next(), ids.next());
                        let ask = kind.ask(t, id, wanted, previous);
                        let seen = IN_EITHER_SYNTAX.ask(t, syntax, &ask, turn)?;
                        t.judge(&label, &seen, SERVED_NEXT);
                        let Some(told) = told(t).filter(|_| seen.answer == Some(Answered::Granted)) else { return Ok(()) };
                        t.holds("count", told.count == size, || (format!("{size} for {label}"), told.count.to_string()));
                    }
                }
            }
            Ok(())
        },
    )
    .of_kms()
    .needs(&[Capability::Counting])
    .confidence(Confidence::Medium)
    .disruptive(),
    Case::new(
        "kms/policy/full-at-once",
        Level::Win,
        "new machines that ask a full table at the same time",
        "Of new machines that ask at the same time none is told more than twice the largest N policy, whether the table is \
         full or has room for one of them.",
        "Windows 7 resource kit on the cache of 2N ids; protocol description, section 6",
        |t| {
            let mut ids = Newcomers::of(t);
            let (wanted, size) = full(t, &mut ids)?;
            at_once(t, wanted, &mut ids, (size, size))?;
            // Room for two more, of which one is taken.
            let ask = ask_as(t, ids.next(), wanted, |request| request.n_policy = size / 2 + 1);
            let Some(told) = granted(t, "one that asks for more", &ask)? else { return Ok(()) };
            if told.count != size + 1 {
                t.note(format!("the count of {size} is not that of a full table: it does not grow with it"));
                return Ok(());
            }
            at_once(t, wanted, &mut ids, (told.count, size + 2))?;
            let ask = ask_as(t, ids.next(), wanted, |_| {});
            if let Some(told) = granted(t, "one more after them", &ask)? {
                t.holds("count", told.count == size + 2, || ((size + 2).to_string(), told.count.to_string()));
            }
            Ok(())
        },
    )
    .of_kms()
    .needs(&[Capability::Counting])
    .confidence(Confidence::Medium)
    .disruptive(),
];

/// A product whose table is full by now, and how many machines it holds.
fn full(t: &mut Talk<'_>, ids: &mut Newcomers) -> Result<(&'static Product, u32), Stop> {
    require_alone(t)?;
    for wanted in [product(OFFICE_2010), product(OFFICE)] {
        let mut counts = Vec::new();
        for number in 1..=FILLED_MAX {
            let ask = ask_as(t, ids.next(), wanted, |_| {});
            let label = format!("new machine {number} with {}", wanted.edition);
            put_ask(t, &label, &ask, SERVED_OR_UNSERVED)?;
            let Some(told) = told(t) else { break };
            counts.push(told.count);
            if let [.., first, second, third] = counts[..]
                && first == second
                && second == third
                && third % 2 == 0
            {
                return Ok((wanted, third));
            }
        }
    }
    Err(Stop::NotApplicable("no table is full by now, for somebody asked the host for more".to_owned()))
}

/// New machines that ask at the same time, each over a connection of its own: none is told less or more than these.
fn at_once(
    t: &mut Talk<'_>,
    wanted: &'static Product,
    ids: &mut Newcomers,
    (least, most): (u32, u32),
) -> Result<(), Stop> {
    for told in told_at_once(t, wanted, ids, AT_ONCE)?.into_iter().flatten() {
        t.holds("count", (least..=most).contains(&told), || (format!("{least} to {most}"), told.to_string()));
    }
    Ok(())
}

const AT_ONCE: usize = 16;
/// More than the tables of these cases hold.
const FILLED_MAX: u32 = 70;
