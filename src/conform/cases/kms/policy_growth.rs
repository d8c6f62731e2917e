//! How large a host's table becomes: twice the largest N policy that any client has asked for (protocol description,
//! section 6). What these cases ask for a host keeps in mind for ever.

use super::policy_counting::at_least;
use super::policy_kinds::{adds_one, ask_as};
use super::policy_newcomers::Newcomers;
use super::tools::{
    OFFICE, OFFICE_2010, SERVED_OR_UNSERVED, SERVER, WINDOWS, ahead, client, granted, product, put_ask, require_alone,
    say, served_products, served_versions, told,
};
use crate::catalog::Product;
use crate::conform::accept::Answered;
use crate::conform::cases::alike::{BIG_ENDIAN, IN_EITHER_SYNTAX, IN_FRAGMENTS, Way};
use crate::conform::cases::rpc::tools::{SERVED_NEXT, syntaxes};
use crate::conform::{Capability, Case, Confidence, Level, Stop, Talk};
use crate::proto::Ask;
use crate::wire::Guid;
use crate::wire::kms::{ActivationRequest, ProtocolVersion};
use crate::wire::rpc::TransferSyntax;

pub(super) static CASES: &[Case] = &[
    Case::new(
        "kms/policy/charged",
        Level::Win,
        "more machines than twice the N policy",
        "A host that more than twice N machines have asked keeps twice N of them, and tells a count of as many.",
        "Windows 7 resource kit on the cache of 2N ids kept for thirty days; independent implementations agree",
        |t| {
            let n = product(WINDOWS).n_policy;
            for number in 0..2 * n + 5 {
                let Some(told) = client(t, &format!("machine {}", number + 1), number)? else { return Ok(()) };
                if number == 0 && told.count > 2 * n {
                    // Whoever came before asked for more.
                    return Err(Stop::NotApplicable(format!("the host counts {} already", told.count)));
                }
                if number + 1 >= 2 * n {
                    at_least(t, 2 * n, told.count);
                    // A table that somebody else made larger before, and that is not full, looks the same.
                    t.should_hold("count", told.count <= 2 * n, || (format!("at most {}", 2 * n), told.count.to_string()));
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
    Case::new(
        "kms/policy/refused-n",
        Level::Win,
        "the N policy of a request that is refused",
        "A request that is refused leaves no trace: its N policy makes no table larger.",
        "protocol description, section 6; no text says that of refused requests",
        |t| {
            require_alone(t)?;
            let office = product(OFFICE);
            let mut ids = Newcomers::of(t);
            let Some(known) = fill(t, &mut ids, office, 2 * office.n_policy)? else {
                return Err(Stop::NotApplicable("somebody asked the host for more".to_owned()));
            };
            for (words, wrong) in REFUSED {
                for (whose, id) in [("a new machine", ids.next()), ("one that was counted", known)] {
                    let ask = ask_as(t, id, office, |request| {
                        request.n_policy = N_CLIENT;
                        wrong(request);
                    });
                    if t.is_over() {
                        t.bind()?;
                    }
                    if say(t, ask.payload(), Some(&ask)).answer == Some(Answered::Granted) {
                        return Err(Stop::NotApplicable(format!("the host grants it: {words}")));
                    }
                    let ask = ask_as(t, ids.next(), office, |_| {});
                    let label = format!("another one after {words} of {whose}");
                    let Some(told) = granted(t, &label, &ask)? else { return Ok(()) };
                    let most = 2 * office.n_policy;
                    t.should_hold("count", told.count <= most, || (most.to_string(), told.count.to_string()));
                    at_least(t, most, told.count);
                }
            }
            Ok(())
        },
    )
    .of_kms()
    .needs(&[Capability::Counting, Capability::Clock, Capability::Products])
    .confidence(Confidence::Medium)
    .disruptive(),
    Case::new(
        "kms/policy/table-grows",
        Level::Win,
        "tables that become larger",
        "A table has room for twice the largest N policy that any client has asked for, from that request on, whether the \
         client is new or known and however its request comes; it loses nobody when it grows, and never shrinks. So it is \
         with Windows and with Office.",
        "Microsoft: the cache is twice the largest threshold and never reduced; protocol description, section 6",
        |t| {
            require_alone(t)?;
            let mut ids = Newcomers::of(t);
            let versions = served_versions(t)?;
            let serves_servers = served_products(t, &[SERVER]).is_ok();
            let mut is_seen = false;
            for (name, steps) in t.some_of(TABLES.to_vec(), 1, 60) {
                // A host with a key for clients alone has nothing for servers.
                let steps: Vec<_> = steps.iter().copied().filter(|step| serves_servers || !step.is_a_servers()).collect();
                is_seen |= grows(t, &mut ids, &versions, product(name), &steps)?;
            }
            match is_seen {
                true => Ok(()),
                false => Err(Stop::NotApplicable("somebody asked the host for more".to_owned())),
            }
        },
    )
    .revision(2)
    .of_kms()
    .needs(&[Capability::Counting])
    .confidence(Confidence::Medium)
    .disruptive(),
];

/// Makes a table full, and then larger step by step. Whether it was as small as it should be before.
fn grows(
    t: &mut Talk<'_>,
    ids: &mut Newcomers,
    versions: &[ProtocolVersion],
    wanted: &'static Product,
    steps: &[Step],
) -> Result<bool, Stop> {
    let Some(mut known) = fill(t, ids, wanted, 2 * wanted.n_policy)? else { return Ok(false) };
    let mut size = 2 * wanted.n_policy;
    let many = t.times(steps.len(), 4, 6);
    for Step { whom, how, largest } in steps.iter().copied().take(many) {
        if largest > LARGEST_SLOW && !t.has_time_for(&format!("an N policy of {largest}, whose table has to be filled"))
        {
            continue;
        }
        let mut count = size;
        let by = how.words;
        let label = |what: &str| format!("{what} with {}, after an N policy of {largest} {by}", wanted.edition);
        let (whose, id, due) = match whom {
            Whom::Known => ("one that was counted", known, size),
            Whom::New => ("a new machine", ids.next(), size + 1),
        };
        let ask = ask_as(t, id, wanted, |request| {
            (how.change)(request);
            request.n_policy = largest;
        });
        if !versions.contains(&ask.request().version) {
            continue;
        }
        let Some(told) = how.ask(t, &label(whose), &ask)? else { return Ok(true) };
        t.holds("count", told == due, || (format!("{due} for {}", label(whose)), told.to_string()));
        if told != due {
            return Ok(true);
        }
        if whom == Whom::New {
            count = told;
        }
        // Of the rest none asks for more than the one that made it larger, and the first for less.
        let mut n_policy = wanted.n_policy;
        while count < 2 * largest {
            known = ids.next();
            let ask = ask_as(t, known, wanted, |request| request.n_policy = n_policy);
            let Some(more) = adds_one(t, &label("one more"), &ask, count)? else { return Ok(true) };
            if more != count + 1 {
                // It was told, and one step after the other would only be told again.
                return Ok(true);
            }
            (count, n_policy) = (more, largest);
        }
        size = count;
        for _ in 0..2 {
            known = ids.next();
            let ask = ask_as(t, known, wanted, |_| {});
            let Some(told) = granted(t, &label("more than there is room for"), &ask)? else { return Ok(true) };
            t.holds("count", told.count == size, || (size.to_string(), told.count.to_string()));
        }
    }
    Ok(true)
}

/// Asks for new machines until the table is full, and says which was the last of them. None, if somebody made the table
/// larger before or the host lacks the product.
fn fill(t: &mut Talk<'_>, ids: &mut Newcomers, wanted: &'static Product, size: u32) -> Result<Option<Guid>, Stop> {
    let mut last = None;
    for number in 1..=size + 2 {
        let id = ids.next();
        let ask = ask_as(t, id, wanted, |_| {});
        put_ask(t, &format!("new machine {number} with {}", wanted.edition), &ask, SERVED_OR_UNSERVED)?;
        let Some(told) = told(t) else { return Ok(None) };
        if told.count > size {
            t.note(format!("the host counts {} with {}: somebody asked for more", told.count, wanted.edition));
            return Ok(None);
        }
        // What was there before may make it full earlier.
        if number >= size {
            at_least(t, size, told.count);
        }
        last = Some(id);
    }
    Ok(last)
}

/// Who makes a table larger, how, and with which N policy.
#[derive(Debug, Clone, Copy)]
struct Step {
    whom: Whom,
    how: How,
    largest: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whom {
    New,
    Known,
}

impl Step {
    fn is_a_servers(&self) -> bool {
        self.how.words == AS_A_SERVER.words
    }
}

/// How a request for more comes.
#[derive(Debug, Clone, Copy)]
struct How {
    words: &'static str,
    way: Option<Way>,
    change: fn(&mut ActivationRequest),
}

impl How {
    /// Asks, and says what count was told.
    fn ask(&self, t: &mut Talk<'_>, label: &str, ask: &Ask) -> Result<Option<u32>, Stop> {
        let Some(way) = self.way else { return Ok(granted(t, label, ask)?.map(|told| told.count)) };
        // The last of the syntaxes is the one that fewer clients speak.
        let syntax = syntaxes(t)?.pop().unwrap_or(TransferSyntax::Ndr32);
        if !way.open(t, syntax)? {
            t.note(format!("{label}: the host takes no calls {}, and is asked as everybody asks", way.name));
            t.bind()?;
            return Ok(granted(t, label, ask)?.map(|told| told.count));
        }
        let seen = way.ask(t, syntax, ask, 0)?;
        t.judge(label, &seen, SERVED_NEXT);
        let told = told(t).filter(|_| seen.answer == Some(Answered::Granted));
        // The others ask as everybody does.
        t.bind()?;
        Ok(told.map(|told| told.count))
    }

    const fn in_way(words: &'static str, way: Way) -> How {
        How { words, way: Some(way), change: |_| {} }
    }

    const fn with(words: &'static str, change: fn(&mut ActivationRequest)) -> How {
        How { words, way: None, change }
    }
}

const fn known(largest: u32, how: How) -> Step {
    Step { whom: Whom::Known, how, largest }
}

const fn new(largest: u32, how: How) -> Step {
    Step { whom: Whom::New, how, largest }
}

/// What becomes of each table.
const TABLES: &[(&str, &[Step])] = &[
    (
        OFFICE,
        &[
            known(6, IN_V4),
            new(7, IN_V5),
            known(8, How::in_way("in another syntax", IN_EITHER_SYNTAX)),
            known(9, VIRTUAL),
            new(10, How::in_way("in big endian", BIG_ENDIAN)),
            known(11, How::in_way("in fragments", IN_FRAGMENTS)),
            known(N_CLIENT, AS_USUAL),
            new(27, AS_USUAL),
        ],
    ),
    (OFFICE_2010, &[new(N_CLIENT, AS_USUAL), known(27, AS_USUAL)]),
    (WINDOWS, &[known(26, AS_USUAL), new(28, AS_A_SERVER), known(60, AS_USUAL)]),
];
const AS_USUAL: How = How::with("as usual", |_| {});
const IN_V4: How = How::with("in version 4.0", |request| request.version = ProtocolVersion::V4);
const IN_V5: How = How::with("in version 5.0", |request| request.version = ProtocolVersion::V5);
const AS_A_SERVER: How = How::with("of a server", |request| request.kms_counted_id = product(SERVER).kms_counted_id);
const VIRTUAL: How = How::with("of a virtual machine", |request| request.is_vm = 1);

/// What is wrong with a request.
type Wrong = (&'static str, fn(&mut ActivationRequest));

const REFUSED: &[Wrong] = &[
    ("a wrong clock", |request| ahead(request, 10)),
    ("a product nobody knows", |request| {
        request.kms_counted_id = Guid::from_u128(0x51e0_93b7_2c4f_4d18_a6f2_0b8d_e7c3_9a45);
    }),
];
/// The largest N policy for which the table of a host that takes its time is filled.
const LARGEST_SLOW: u32 = 30;
/// A Windows client's.
const N_CLIENT: u32 = 25;
