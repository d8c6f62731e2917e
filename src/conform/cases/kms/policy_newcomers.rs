//! Machines that a host cannot have seen, in numbers that only a host that may be spoiled is asked with (protocol
//! description, section 6).

use super::policy_kinds::{Kind, adds_one, ask_as};
use super::tools::{
    OFFICE, OFFICE_2010, SERVED_OR_UNSERVED, SERVER, WINDOWS, granted, product, put_ask, require_alone,
    served_versions, told,
};
use crate::catalog::Product;
use crate::client::identity::{ClientId, Index};
use crate::conform::accept::Answered;
use crate::conform::cases::rpc::tools::{SERVED_NEXT, bind_together};
use crate::conform::{Capability, Case, Confidence, Level, Stop, Talk};
use crate::wire::Guid;
use crate::wire::kms::ProtocolVersion;

pub(super) static CASES: &[Case] = &[
    Case::new(
        "kms/policy/every-new-machine",
        Level::Win,
        "new machines of every version, status and product",
        "A machine that was not counted is one more in the count of its application, in every version and every license \
         status, virtual or not, for a client, a server and Office.",
        "Microsoft Learn on KMS activation counts; protocol description, section 6: all else reaches the event log alone",
        |t| {
            require_alone(t)?;
            let versions = served_versions(t)?;
            let mut ids = Newcomers::of(t);
            let mut is_seen = false;
            for name in t.some_of(vec![WINDOWS, SERVER, OFFICE, OFFICE_2010], 3, 12) {
                is_seen |= adds_each(t, &versions, product(name), &mut ids)?;
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
    .disruptive(),
    Case::new(
        "kms/policy/counted-at-once",
        Level::Win,
        "new machines that ask at the same time",
        "Of new machines that ask at the same time each is counted, and told a count that has it and all before it in it. \
         One that asks over several connections at the same time is counted once.",
        "Microsoft Learn: the count has the requester in it; protocol description, section 6",
        |t| {
            require_alone(t)?;
            let mut ids = Newcomers::of(t);
            for name in [WINDOWS, OFFICE] {
                if !counts_at_once(t, product(name), &mut ids)? || !counts_one(t, product(name), &mut ids)? {
                    return Ok(());
                }
            }
            Ok(())
        },
    )
    .revision(2)
    .of_kms()
    .needs(&[Capability::Counting])
    .confidence(Confidence::Medium)
    .disruptive(),
];

fn adds_each(
    t: &mut Talk<'_>,
    versions: &[ProtocolVersion],
    wanted: &'static Product,
    ids: &mut Newcomers,
) -> Result<bool, Stop> {
    let Some((known, mut count)) = with_room(t, wanted, ids)? else { return Ok(false) };
    let each = |version: ProtocolVersion| {
        (0..=6).flat_map(move |status| {
            [(false, false), (true, false), (status % 2 == 0, true)].map(|(is_vm, was_another)| Kind {
                version,
                status,
                is_vm,
                was_another,
            })
        })
    };
    let kinds: Vec<_> = versions.iter().copied().flat_map(each).collect();
    for kind in t.some_of(kinds, 7, 1) {
        let ask = kind.ask(t, ids.next(), wanted, known);
        let Some(more) = adds_one(t, &kind.words(&wanted.edition), &ask, count)? else { return Ok(true) };
        // What one of them adds does not depend on whether another was counted.
        count = more;
    }
    let ask = ask_as(t, known, wanted, |_| {});
    if let Some(told) = granted(t, "the first one again", &ask)? {
        t.holds("count", told.count == count, || (count.to_string(), told.count.to_string()));
    }
    Ok(true)
}

/// New machines that ask at the same time, each over a connection of its own. Whether there was an answer to each.
fn counts_at_once(t: &mut Talk<'_>, wanted: &'static Product, ids: &mut Newcomers) -> Result<bool, Stop> {
    let Some((known, before)) = with_room(t, wanted, ids)? else {
        return Err(Stop::NotApplicable(SEEN_BEFORE.to_owned()));
    };
    let told = told_at_once(t, wanted, ids, AT_ONCE as usize)?;
    let Some(mut counts) = told.into_iter().collect::<Option<Vec<_>>>() else { return Ok(false) };
    // Whoever counts first and tells later may tell more than one the same; nobody may be told less than came so far.
    counts.sort_unstable();
    let (least, most) = (before + 1, before + AT_ONCE);
    let each = counts.iter().zip(least..=most).all(|(count, due)| (due..=most).contains(count));
    t.holds("count", each, || (format!("each count from {least} to {most}, or larger ones"), format!("{counts:?}")));
    let ask = ask_as(t, known, wanted, |_| {});
    if let Some(told) = granted(t, "one that was counted before them", &ask)? {
        t.holds("count", told.count == most, || (most.to_string(), told.count.to_string()));
    }
    Ok(true)
}

/// A new machine that asks over several connections at the same time. Whether there was an answer to each.
fn counts_one(t: &mut Talk<'_>, wanted: &'static Product, ids: &mut Newcomers) -> Result<bool, Stop> {
    let Some((_, before)) = with_room(t, wanted, ids)? else {
        return Err(Stop::NotApplicable(SEEN_BEFORE.to_owned()));
    };
    let id = ids.next();
    let told = asked_at_once(t, wanted, &[id; AT_ONCE as usize])?;
    let Some(counts) = told.into_iter().collect::<Option<Vec<_>>>() else { return Ok(false) };
    let due = before + 1;
    let each = counts.iter().all(|count| *count == due);
    t.holds("count", each, || (format!("{due} each time: one machine asked"), format!("{counts:?}")));
    Ok(true)
}

/// What new machines are told that ask at the same time, each over a connection of its own: nothing where one is not granted.
pub fn told_at_once(
    t: &mut Talk<'_>,
    wanted: &'static Product,
    ids: &mut Newcomers,
    many: usize,
) -> Result<Vec<Option<u32>>, Stop> {
    let new: Vec<_> = (0..many).map(|_| ids.next()).collect();
    asked_at_once(t, wanted, &new)
}

fn asked_at_once(t: &mut Talk<'_>, wanted: &'static Product, asking: &[Guid]) -> Result<Vec<Option<u32>>, Stop> {
    let many = asking.len();
    let lines = bind_together(t, many)?;
    for (line, id) in lines.iter().zip(asking) {
        t.on(*line);
        let ask = ask_as(t, *id, wanted, |_| {});
        t.send_ask(&ask);
    }
    let mut counts = Vec::new();
    for (at, line) in lines.into_iter().enumerate() {
        t.on(line);
        let seen = t.expect_next(&format!("machine {} of {many}", at + 1), SERVED_NEXT);
        counts.push(told(t).filter(|_| seen.answer == Some(Answered::Granted)).map(|told| told.count));
        t.close();
    }
    t.bind()?;
    Ok(counts)
}

/// A new machine and the count, once there is room for hundreds; none, if the host lacks the product, has seen these
/// machines before or is full.
pub fn with_room(t: &mut Talk<'_>, wanted: &'static Product, ids: &mut Newcomers) -> Result<Option<(Guid, u32)>, Stop> {
    let mut counts = Vec::new();
    let mut last = Guid::NIL;
    for n_policy in [N_MAX, wanted.n_policy] {
        last = ids.next();
        let ask = ask_as(t, last, wanted, |request| request.n_policy = n_policy);
        put_ask(t, &format!("a new machine with {}", wanted.edition), &ask, SERVED_OR_UNSERVED)?;
        let Some(told) = told(t) else { return Ok(None) };
        counts.push(told.count);
    }
    Ok((counts[1] == counts[0] + 1).then_some((last, counts[1])))
}

/// Ids of synthetic machines that follow from the seed of the run and the case: with another seed they are others.
#[derive(Debug)]
pub struct Newcomers(u32);

impl Newcomers {
    /// As many as one wants, from here on.
    pub fn of(t: &mut Talk<'_>) -> Newcomers {
        let [a, b, c, d, ..] = t.iv();
        Newcomers(POOL + (u32::from_le_bytes([a, b, c, d]) & 0x03ff_ffff))
    }

    /// Another one.
    pub fn next(&mut self) -> Guid {
        self.0 += 1;
        ClientId::pool(Index::new(self.0).expect("an id has room for it")).guid()
    }
}

/// Why a case has nothing to tell.
pub const SEEN_BEFORE: &str = "the host has seen these machines before, or has no room: another --seed has others";
/// Beyond all that cases name by their numbers.
const POOL: u32 = 1 << 16;
/// The largest N policy that is granted.
const N_MAX: u32 = 1000;
const AT_ONCE: u32 = 24;
