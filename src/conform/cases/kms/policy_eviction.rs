//! Which machines a host forgets when more ask than it keeps (protocol description, section 6).

use std::time::Duration;

use super::policy_kinds::ask_as;
use super::policy_newcomers::Newcomers;
use super::tools::{OFFICE_2010, granted, product, require_alone, served_products};
use crate::catalog::Product;
use crate::conform::{Capability, Case, Confidence, Level, Stop, Talk};
use crate::wire::Guid;

pub(super) static CASES: &[Case] = &[Case::new(
    "kms/policy/oldest-gives-way",
    Level::Win,
    "who is forgotten when a table is full",
    "Each new machine that there is no room for takes the place of the one that did not ask for longest: whoever asked since \
     is still counted when a larger N policy makes room again.",
    "Microsoft: an entry is evicted earlier by newer ones, and a renewal enters it anew; protocol description, section 6",
    |t| {
        require_alone(t)?;
        if t.is_slow() {
            return Err(Stop::NotApplicable("it would take too many requests of this host".to_owned()));
        }
        served_products(t, &[OFFICE_2010])?;
        let wanted = product(OFFICE_2010);
        let mut ids = Newcomers::of(t);
        let table = fill(t, &mut ids, wanted)?;
        forgets_oldest(t, &mut ids, wanted, &table)
    },
)
.of_kms()
.needs(&[Capability::Counting])
.confidence(Confidence::Medium)
.disruptive()];

/// Fills a table, and says which machines it has in it then, the oldest first.
fn fill(t: &mut Talk<'_>, ids: &mut Newcomers, wanted: &'static Product) -> Result<Vec<Guid>, Stop> {
    let (mut all, mut count) = (Vec::new(), 0);
    for number in 1..=2 * SIZE_MAX + 2 {
        let id = ids.next();
        let label = format!("new machine {number} with {}", wanted.edition);
        let ask = ask_as(t, id, wanted, |_| {});
        let Some(told) = granted(t, &label, &ask)? else { break };
        all.push(id);
        let (size, is_full) = (told.count as usize, told.count == count);
        if told.count > SIZE_MAX {
            let why = format!("the host counts {} with {}: somebody asked for more", told.count, wanted.edition);
            return Err(Stop::NotApplicable(why));
        }
        // Whoever was in it before has been pushed out by then.
        if is_full && all.len() > size {
            return match size < SIZE_MIN {
                true => Err(Stop::NotApplicable(format!("the host keeps {size}: too few to tell who goes"))),
                false => Ok(all.split_off(all.len() - size)),
            };
        }
        count = told.count;
    }
    Err(Stop::NotApplicable("the host's table is never full".to_owned()))
}

/// Has half of these machines and the oldest renew, lets new ones come, and makes room, so that the count tells who is
/// forgotten.
fn forgets_oldest(t: &mut Talk<'_>, ids: &mut Newcomers, wanted: &'static Product, table: &[Guid]) -> Result<(), Stop> {
    let size = table.len() as u32;
    let (older, newer) = table.split_at(table.len() / 2);
    let [oldest, older @ ..] = older else { return Ok(()) };
    let is_told = |t: &mut Talk<'_>, label: &str, id: Guid, n_policy: u32, due: u32| -> Result<bool, Stop> {
        let ask = ask_as(t, id, wanted, |request| request.n_policy = n_policy);
        let Some(told) = granted(t, label, &ask)? else { return Ok(false) };
        t.holds("count", told.count == due, || (format!("{due}, for {label}"), told.count.to_string()));
        Ok(told.count == due)
    };
    // A host that notes whole seconds is to see who renews later.
    t.rest(NOTED_APART);
    for id in [oldest].into_iter().chain(newer) {
        if !is_told(t, "one that is still counted renews", *id, wanted.n_policy, size)? {
            return Ok(());
        }
    }
    let mut last = *oldest;
    for number in 1..=PUSHED_OUT {
        last = ids.next();
        if !is_told(t, &format!("new machine {number} of {PUSHED_OUT} takes a place"), last, wanted.n_policy, size)? {
            return Ok(());
        }
    }
    let larger = size / 2 + PUSHED_OUT + 1;
    if !is_told(t, "it asks once more, for a larger table", last, larger, size)? {
        return Ok(());
    }
    for (at, id) in newer.iter().rev().enumerate() {
        let label = format!("machine {} that renewed before new ones came, from the last", at + 1);
        if !is_told(t, &label, *id, wanted.n_policy, size)? {
            return Ok(());
        }
    }
    let asked = ask_as(t, *oldest, wanted, |_| {});
    let Some(mut told) = granted(t, "the one that was oldest, and renewed", &asked)? else { return Ok(()) };
    t.should_hold("count", told.count == size, || (format!("{size}, for it asked since"), told.count.to_string()));
    for id in older {
        let ask = ask_as(t, *id, wanted, |_| {});
        let Some(more) = granted(t, "one of those that did not renew", &ask)? else { return Ok(()) };
        told = more;
    }
    let due = size + PUSHED_OUT;
    t.holds("count", told.count == due, || {
        (format!("{due}: {PUSHED_OUT} of {} are new again", older.len() + 1), told.count.to_string())
    });
    Ok(())
}

/// Tables of more entries would take too many requests, and are left alone.
const SIZE_MAX: u32 = 60;
/// Of fewer entries there are not enough that are older.
const SIZE_MIN: usize = 10;
/// Machines that come once the table is full.
const PUSHED_OUT: u32 = 3;
/// More than the second by which some hosts tell times.
const NOTED_APART: Duration = Duration::from_millis(1100);
