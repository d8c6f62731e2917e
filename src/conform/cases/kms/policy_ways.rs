//! Machines that a host cannot have seen, whose requests come in every way there is: how a request comes has nothing to
//! do with whether its machine is counted (protocol description, section 6; C706 section 12.6).

use super::policy_kinds::{adds_one, ask_as};
use super::policy_newcomers::{Newcomers, SEEN_BEFORE, with_room};
use super::tools::{OFFICE, WINDOWS, ahead, granted, product, require_alone};
use crate::catalog::Product;
use crate::conform::accept::Answered;
use crate::conform::cases::alike::WAYS;
use crate::conform::cases::rpc::tools::{SERVED_NEXT, syntaxes};
use crate::conform::{Capability, Case, Confidence, Level, Stop, Talk};
use crate::wire::Guid;
use crate::wire::kms::{ActivationRequest, WorkstationName};
use crate::wire::rpc::TransferSyntax;

pub(super) static CASES: &[Case] = &[Case::new(
    "kms/policy/new-in-every-way",
    Level::Win,
    "new machines whose requests come in every way there is",
    "A machine that was not counted is one more in the count in whatever way its request came, in every syntax, and stays \
     so: the next one is one more again, and one that was counted before is told as many.",
    "protocol description, section 6: the count is of the entries, the requester's among them; C706 section 12.6",
    |t| {
        require_alone(t)?;
        let mut ids = Newcomers::of(t);
        let mut is_seen = false;
        let spoken = syntaxes(t)?;
        let last = &spoken[spoken.len() - 1..];
        for (name, syntaxes) in t.some_of(vec![(WINDOWS, &spoken[..]), (OFFICE, last)], 1, 60) {
            is_seen |= adds_each(t, product(name), syntaxes, &mut ids)?;
        }
        match is_seen {
            true => Ok(()),
            false => Err(Stop::NotApplicable(SEEN_BEFORE.to_owned())),
        }
    },
)
.of_kms()
.needs(&[Capability::Counting])
.confidence(Confidence::Medium)
.disruptive()];

fn adds_each(
    t: &mut Talk<'_>,
    wanted: &'static Product,
    syntaxes: &[TransferSyntax],
    ids: &mut Newcomers,
) -> Result<bool, Stop> {
    t.bind()?;
    let Some((known, mut count)) = with_room(t, wanted, ids)? else { return Ok(false) };
    let each = |syntax: TransferSyntax| WAYS.into_iter().map(move |way| (syntax, way));
    let ways: Vec<_> = syntaxes.iter().copied().flat_map(each).collect();
    for (turn, (syntax, way)) in t.some_of(ways, 3, 7).into_iter().enumerate() {
        if !way.open(t, syntax)? {
            continue;
        }
        let (words, change) = SAID[turn % SAID.len()];
        let label = format!("a new machine with {}, {words}, {}, in {syntax}", wanted.edition, way.name);
        let ask = ask_as(t, ids.next(), wanted, |request| {
            change(request);
            // Of every third the previous id is that of a machine which was counted.
            if turn % 3 == 0 {
                request.previous_cmid = known;
            }
        });
        let seen = way.ask(t, syntax, &ask, turn)?;
        t.judge(&label, &seen, SERVED_NEXT);
        let told = t.told().and_then(|answer| answer.response.as_ref()).map(|told| told.count);
        let Some(told) = told.filter(|_| seen.answer == Some(Answered::Granted)) else { return Ok(true) };
        t.holds("count", told == count + 1, || (format!("{} for {label}", count + 1), told.to_string()));
        // Whoever breaks off after the answer has been counted all the same.
        if turn % 2 == 0 {
            t.break_off();
        }
        t.bind()?;
        let ask = ask_as(t, ids.next(), wanted, |_| {});
        let after = format!("another after {label}");
        let Some(more) = adds_one(t, &after, &ask, count + 1)? else { return Ok(true) };
        if more != count + 2 {
            return Ok(true);
        }
        count = more;
        if !is_told(t, &format!("one that was counted before {label}"), wanted, known, count)? {
            return Ok(true);
        }
    }
    Ok(true)
}

/// Whether a machine is told this count, as it should be.
fn is_told(t: &mut Talk<'_>, label: &str, wanted: &'static Product, id: Guid, count: u32) -> Result<bool, Stop> {
    let ask = ask_as(t, id, wanted, |_| {});
    let Some(told) = granted(t, label, &ask)? else { return Ok(false) };
    t.holds("count", told.count == count, || (count.to_string(), told.count.to_string()));
    Ok(told.count == count)
}

/// What a machine says of itself.
type Said = (&'static str, fn(&mut ActivationRequest));

/// What a machine may say besides, in turn; as many as share no divisor with the ways.
const SAID: &[Said] = &[
    ("as usual", |_| {}),
    ("without a name", |request| request.workstation = WorkstationName::from_units([0; 64])),
    ("without a minute left", |request| request.binding_expiration_min = 0),
    ("with a clock two hours behind", |request| ahead(request, -2)),
    ("with a clock three hours ahead", |request| ahead(request, 3)),
];
