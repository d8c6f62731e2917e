//! What is left of a KMS host when it is asked for more than it should be: these cases run last, and only when
//! they are asked for.

use std::ops::Range;

use super::policy_counting::at_least;
use super::tools::{
    MALFORMED, OFFICE, OFFICE_2010, SERVED_OR_UNSERVED, WINDOWS, ask_for, cmid, goes_on, granted, of, product, put_ask,
    put_in_each, require_as_before, served_products, served_versions, told,
};
use crate::conform::accept::{Accept, Answered, Seen, Then, Want, ok};
use crate::conform::cases::rpc::tools::syntaxes;
use crate::conform::cases::rpc::tools::{SERVED_NEXT, bind_together};
use crate::conform::{Capability, Case, Confidence, Level, Stop, Talk};
use crate::wire::Hresult;
use crate::wire::kms::ProtocolVersion;

pub static CASES: &[Case] = &[
    Case::new(
        "kms/policy/large-n",
        Level::Win,
        "N policies up to 1,000",
        "A request with an N policy of up to 1,000 is granted, for Windows and for Office.",
        "independent implementations agree on what genuine hosts do",
        |t| {
            n_in_each(t, &[26, 50, 100, 101, 255, 256, 257, 500, 512, 999, 1000], SERVED_NEXT)
        },
    )
    .revision(4)
    .of_kms()
    .confidence(Confidence::Medium)
    .disruptive(),
    Case::new(
        "kms/policy/too-large-n",
        Level::Win,
        "N policies beyond 1,000",
        "A request with an N policy of more than 1,000 is refused with 0x8007000D, for Windows and for Office.",
        "independent implementations agree on what genuine hosts do",
        |t| {
            // Some of them are small to whoever reads fewer bits than there are.
            n_in_each(t, &[1001, 1024, 2000, 0xffff, 65_541, 65_561, 0x0100_0005, 0x7fff_ffff, 0x8000_0019, u32::MAX], MALFORMED)?;
            goes_on(t);
            Ok(())
        },
    )
    .revision(4)
    .of_kms()
    .confidence(Confidence::Medium)
    .disruptive(),
    Case::new(
        "kms/policy/beyond-255",
        Level::Win,
        "more machines than a byte counts",
        "The count of a host that was asked for an N policy of 1,000 grows by no more than one with each new machine and is at \
         least the number of machines that have asked, beyond 255, and in every version and syntax.",
        "Windows 7 resource kit on the cache of 2N ids kept for thirty days; protocol description, section 6",
        |t| {
            if t.is_paced() || t.is_slow() {
                return Err(Stop::NotApplicable("it would take too many requests of this host".to_owned()));
            }
            let mut before = None;
            for number in 0..MANY {
                let Some(count) = one_of_many(t, t.version(), number)? else { return Ok(()) };
                at_least(t, number + 1, count);
                let most = before.replace(count).map_or(u32::MAX, |before: u32| before + 1);
                t.holds("count", count <= most, || (format!("at most {most}"), count.to_string()));
            }
            let before = before.unwrap_or_default();
            for syntax in syntaxes(t)? {
                t.bind_in(syntax)?;
                for version in ProtocolVersion::ALL {
                    let Some(count) = one_of_many(t, version, MANY - 1)? else { continue };
                    require_as_before(t, before, count)?;
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
        "kms/policy/full-table",
        Level::Win,
        "as many machines as a genuine host keeps, and some more",
        "A host counts each of 671 machines, if a client asks for as many. One whose table is full says so with 0xC004D104, or \
         gives up its oldest entry and grants; another application's clients it grants as before.",
        "independent implementations on genuine hosts, whose table ends at 671 entries",
        |t| {
            if t.is_paced() {
                return Err(Stop::NotApplicable("it would take too many requests of this host".to_owned()));
            }
            let at_once = if t.is_slow() { AT_ONCE } else { 1 };
            for first in (0..TABLE_MAX + 9).step_by(at_once) {
                let machines = first..first + at_once as u32;
                for (number, seen) in machines.clone().zip(put_together(t, machines)?) {
                    if seen.answer != Some(Answered::Granted) {
                        t.note(format!("machine {} is the first that is not granted: {seen}", number + 1));
                        return when_full(t, &seen);
                    }
                    // Of several at once only the last that was heard tells its count.
                    if let Some(told) = told(t).filter(|_| at_once == 1 && number < TABLE_MAX) {
                        at_least(t, number + 1, told.count);
                    }
                }
            }
            Ok(())
        },
    )
    .revision(2)
    .of_kms()
    .confidence(Confidence::Medium)
    .disruptive(),
];

/// What requests with these N policies come to, for each product that is served and in each version.
fn n_in_each(t: &mut Talk<'_>, all: &[u32], accepts: &[Accept]) -> Result<(), Stop> {
    let versions = served_versions(t)?;
    for one in served_products(t, &[WINDOWS, OFFICE, OFFICE_2010])? {
        for n_policy in t.some_of(all.to_vec(), 4, versions.len() as u32) {
            put_in_each(t, &versions, &format!("N = {n_policy} of {}", one.edition), accepts, |request| {
                of(request, one);
                request.n_policy = n_policy;
            })?;
        }
    }
    if !t.has_time_for("other syntaxes") {
        return Ok(());
    }
    // One version tells whether another syntax is read by the same rules.
    for syntax in syntaxes(t)?.into_iter().skip(1) {
        t.bind_in(syntax)?;
        for n_policy in all.iter().copied() {
            put_in_each(
                t,
                &versions[versions.len() - 1..],
                &format!("N = {n_policy}, in {syntax}"),
                accepts,
                |request| {
                    request.n_policy = n_policy;
                },
            )?;
        }
    }
    t.bind()?;
    Ok(())
}

/// What machine `number` of many is told.
fn one_of_many(t: &mut Talk<'_>, version: ProtocolVersion, number: u32) -> Result<Option<u32>, Stop> {
    let id = cmid(t, number);
    let ask = t.ask(version, |request| (request.cmid, request.n_policy) = (id, 1000));
    let told = granted(t, &format!("machine {} in version {version}", number + 1), &ask)?;
    Ok(told.map(|told| told.count))
}

/// What a host does for machines that it knows when it takes no more of them.
fn when_full(t: &mut Talk<'_>, seen: &Seen) -> Result<(), Stop> {
    if seen.answer != Some(Answered::Refused(Hresult::TABLE_FULL.0)) {
        return Ok(());
    }
    t.fill_up();
    let id = cmid(t, 0);
    let ask = t.ask(t.version(), |request| request.cmid = id);
    let known = put_ask(t, "machine 1 again", &ask, FULL_OR_SERVED)?;
    t.note(format!("machine 1 then gets {known}"));
    // Each application has a table of its own.
    let ask = ask_for(t, 0, product(OFFICE));
    put_ask(t, "Office, of which there are few", &ask, SERVED_OR_UNSERVED)?;
    Ok(())
}

/// What these machines come to when they ask at the same time, each over a connection of its own.
fn put_together(t: &mut Talk<'_>, machines: Range<u32>) -> Result<Vec<Seen>, Stop> {
    let ask_of = |t: &mut Talk<'_>, number| {
        let id = cmid(t, number);
        t.ask(t.version(), |request| (request.cmid, request.n_policy) = (id, 1000))
    };
    let label = |number: u32| format!("machine {}", number + 1);
    if machines.len() == 1 {
        let ask = ask_of(t, machines.start);
        return Ok(vec![put_ask(t, &label(machines.start), &ask, FULL_OR_SERVED)?]);
    }
    let lines = bind_together(t, machines.len())?;
    for (number, line) in machines.clone().zip(&lines) {
        t.on(*line);
        let ask = ask_of(t, number);
        t.send_ask(&ask);
    }
    let mut seen = Vec::new();
    for (number, line) in machines.zip(lines) {
        t.on(line);
        seen.push(t.expect_next(&label(number), FULL_OR_SERVED));
        t.close();
    }
    Ok(seen)
}

const FULL_OR_SERVED: &[Accept] =
    &[ok(Want::Served, Then::Either), ok(Want::Refused(&[Hresult::TABLE_FULL.0]), Then::Either)];
const TABLE_MAX: u32 = 671;
/// More than a byte counts.
const MANY: u32 = 300;
/// Machines that ask a slow host at the same time; the table and some more are so many times as many.
const AT_ONCE: usize = 40;
