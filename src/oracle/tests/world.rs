//! A small world with an honest host in it, which knows nothing of the oracle's own model: requests
//! overlap, get lost and are told of late, and the host takes each at one instant between.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::super::*;
use super::START;
use crate::catalog::{self, Product};
use crate::proto::Verdict;
use crate::wire::kms::ProtocolVersion;

/// One request to be, all times in ticks of a microsecond.
#[derive(Debug, Clone)]
pub struct Wish {
    pub product: usize,
    pub machine: u8,
    pub n_policy: u32,
    pub wrong: Wrong,
    /// From the request before to this one.
    pub days: u8,
    pub gap: u64,
    /// From being told to being sent, taken, answered and told again.
    pub waits: [u64; 4],
    pub fate: Fate,
    /// Somebody else asks: the oracle is told nothing.
    pub is_foreign: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    Nothing,
    Version,
    Product,
    /// The clock is so many seconds off.
    Clock(i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Answered,
    /// Answered, and the answer cannot be trusted.
    Untrusted,
    /// It never gets there.
    Lost,
    /// The host takes it, and the answer is lost.
    AnswerLost,
}

/// How the world is made.
#[derive(Debug, Clone)]
pub struct World {
    pub wishes: Vec<Wish>,
    /// What one tick of the clock everything is stamped with takes, in microseconds.
    pub quantum: u64,
    /// The host's clock, in seconds off our estimate, and what we believe that to be at most.
    pub offset: i64,
    pub uncertainty: u64,
    pub host: Manners,
    /// Strangers counted before, and whether the oracle knows that it knows nothing of them.
    pub strangers: u8,
}

/// What honest hosts may do either way, and what broken ones do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manners {
    pub counts_skewed: bool,
    pub refuses_big_n: bool,
    /// Which of several that were last seen at the same time goes first.
    pub forgets_last_of_equals: bool,
    pub lie: Lie,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    None,
    /// Forgets each machine whose turn it is.
    ForgetsOneIn(u64),
    CountsTwice,
    CapacityOff(i64),
    ExpiresAfterDays(i64),
    NeverGrows,
    CountsProductsApart,
    CountsApplicationsTogether,
    LeavesOutTheRequester,
    StartsAt(u32),
    /// Loses what another wrote since it read.
    LosesUpdates,
}

/// One exchange as it came to pass.
#[derive(Debug, Clone)]
pub struct Happening {
    pub id: ExchangeId,
    pub question: Question,
    pub heard: Heard,
    pub judgement: Option<Judgement>,
    pub honest_count: Option<u32>,
    /// Whether an entry was within a second of its thirty days.
    pub at_edge: bool,
}

/// Two of Windows, two of Office.
static PRODUCTS: LazyLock<[&Product; 4]> = LazyLock::new(|| {
    [
        "Windows 11 Enterprise",
        "Windows Server 2022 Standard",
        "Office Professional Plus 2019",
        "Office Professional Plus 2016",
    ]
    .map(|name| catalog::find(name).unwrap())
});

struct Course {
    asked: u64,
    sent: u64,
    taken: u64,
    received: u64,
    told: u64,
}

impl World {
    /// Lets it happen, with an oracle looking on.
    pub fn happen(&self) -> (Vec<Happening>, Oracle) {
        let mut now = 0;
        let courses: Vec<Course> = self
            .wishes
            .iter()
            .map(|wish| {
                now += wish.gap + u64::from(wish.days) * 86_400_000_000;
                let [send, take, answer, tell] = wish.waits;
                let (sent, taken) = (now + send, now + send + take);
                let received = taken + answer;
                Course { asked: now, sent, taken, received, told: received + tell }
            })
            .collect();
        let mut order: Vec<(u64, usize, usize)> = Vec::new();
        for (index, course) in courses.iter().enumerate() {
            order.extend([(course.asked, 0, index), (course.taken, 1, index), (course.told, 2, index)]);
        }
        // One after the other where nothing overlaps: an answer is told before the next is asked.
        order.sort_by_key(|&(at, what, index)| (at, if what == 2 { 0 } else { 1 }, index, what));
        let mut seen = vec![[false; 3]; courses.len()];
        let mut oracle = Oracle::new(self.oracle_host());
        let mut host = SmallHost::new(self, false);
        let mut honest = SmallHost::new(self, true);
        let mut happenings: Vec<Option<Happening>> = vec![None; courses.len()];
        // Within one instant each exchange still goes through its stages in order.
        let mut queue: std::collections::VecDeque<_> = order.into();
        while let Some((at, what, index)) = queue.pop_front() {
            if what > 0 && !seen[index][what - 1] {
                let place = queue.iter().position(|&(_, w, i)| (w, i) == (what - 1, index)).unwrap();
                queue.insert(place + 1, (at, what, index));
                continue;
            }
            seen[index][what] = true;
            let (course, wish) = (&courses[index], &self.wishes[index]);
            let asked = self.stamp(course.asked);
            match what {
                _ if wish.is_foreign => {
                    if what == 1 {
                        let question = self.question(wish, asked);
                        let cmid = Guid::from_u128(question.cmid.as_u128() | 1 << 101);
                        let _ = host.decide(&Question { cmid, ..question }, self.host_clock(course.taken));
                    }
                }
                0 => {
                    let id = ExchangeId { step: 0, position: index as u64 };
                    let question = self.question(wish, asked);
                    oracle.asked(id, &question, Moment(asked), wall(asked));
                    let received = Moment(self.stamp(course.received));
                    let sent = Some(Moment(self.stamp(course.sent)));
                    let verdict = Verdict::Refused(Hresult::BINDING_SERVICE_UNAVAILABLE);
                    let heard = Heard { sent, received, wire: None, count: None, verdict };
                    let (judgement, honest_count, at_edge) = (None, None, false);
                    happenings[index] = Some(Happening { id, question, heard, judgement, honest_count, at_edge });
                }
                1 if wish.fate != Fate::Lost => {
                    let now = self.host_clock(course.taken);
                    let happening = happenings[index].as_mut().unwrap();
                    happening.at_edge = honest.is_at_edge(now);
                    happening.honest_count = honest.decide(&happening.question, now).ok();
                    let result = host.decide(&happening.question, now);
                    match (result, wish.fate) {
                        (_, Fate::AnswerLost) => happening.heard.sent = None,
                        (Ok(count), fate) => {
                            happening.heard.wire = Some(Hresult::OK);
                            happening.heard.count = Some(count).filter(|_| fate != Fate::Untrusted);
                        }
                        (Err(code), _) => happening.heard.wire = Some(code),
                    }
                }
                1 => {}
                _ => {
                    let happening = happenings[index].as_mut().unwrap();
                    happening.judgement = Some(oracle.answered(happening.id, &happening.heard));
                }
            }
        }
        (happenings.into_iter().flatten().collect(), oracle)
    }

    fn host_clock(&self, at: u64) -> FileTime {
        wall(self.stamp(at)).saturating_add(SignedDuration::from_secs(self.offset))
    }

    fn oracle_host(&self) -> Host {
        let table = if self.strangers > 0 { TableBefore::Unknown } else { TableBefore::Empty };
        Host { table, serves: Serves::Catalogue, clock_uncertainty: Duration::from_secs(self.uncertainty) }
    }

    fn stamp(&self, micros: u64) -> Duration {
        Duration::from_micros(micros / self.quantum * self.quantum)
    }

    fn question(&self, wish: &Wish, asked: Duration) -> Question {
        let product = PRODUCTS[wish.product];
        let off = if let Wrong::Clock(seconds) = wish.wrong { seconds } else { 0 };
        Question {
            version: if wish.wrong == Wrong::Version {
                ProtocolVersion { major: 7, minor: 0 }
            } else {
                ProtocolVersion::V6
            },
            application_id: product.application_id(),
            kms_counted_id: if wish.wrong == Wrong::Product { Guid::NIL } else { product.kms_counted_id },
            cmid: Guid::from_u128(u128::from(wish.machine) + 1),
            n_policy: wish.n_policy,
            client_time: wall(asked).saturating_add(SignedDuration::from_secs(off + self.offset)),
        }
    }
}

fn wall(at: Duration) -> FileTime {
    START.saturating_add(SignedDuration::try_from(at).unwrap())
}

/// Lists, scanned from end to end: slow, and easy to believe.
struct SmallHost {
    tables: BTreeMap<Guid, (Vec<(Guid, FileTime)>, u64)>,
    manners: Manners,
    asked: u64,
    strangers: u8,
    unwritten: HashMap<Guid, bool>,
}

const DAY: SignedDuration = SignedDuration::from_hours(24);

impl SmallHost {
    fn new(world: &World, honest: bool) -> SmallHost {
        let lie = if honest { Lie::None } else { world.host.lie };
        let manners = Manners { lie, ..world.host };
        let strangers = world.strangers;
        SmallHost { tables: BTreeMap::new(), manners, asked: 0, strangers, unwritten: HashMap::new() }
    }

    fn is_at_edge(&self, now: FileTime) -> bool {
        let edge = SignedDuration::from_hours(30 * 24);
        self.tables
            .values()
            .flat_map(|(entries, _)| entries)
            .any(|(_, seen)| seen.saturating_add(edge).distance(now) < Duration::from_secs(2))
    }

    fn decide(&mut self, question: &Question, now: FileTime) -> Result<u32, Hresult> {
        if question.version.major > 6 || question.n_policy > 1000 && self.manners.refuses_big_n {
            return Err(Hresult::INVALID_DATA);
        }
        if question.kms_counted_id == Guid::NIL {
            return Err(Hresult::KMS_ID_MISMATCH);
        }
        let skewed = question.client_time.0.abs_diff(now.0) > 4 * 3600 * FileTime::STEPS_PER_SECOND;
        if skewed && !self.manners.counts_skewed {
            return Err(Hresult::INVALID_TIMESTAMP);
        }
        let count = self.count(question, now);
        if skewed { Err(Hresult::INVALID_TIMESTAMP) } else { Ok(count) }
    }

    fn count(&mut self, question: &Question, now: FileTime) -> u32 {
        let lie = self.manners.lie;
        self.asked += 1;
        let table = match lie {
            Lie::CountsProductsApart => question.kms_counted_id,
            Lie::CountsApplicationsTogether => Guid::NIL,
            _ => question.application_id,
        };
        let strangers =
            (0..self.strangers).map(|number| (Guid::from_u128(1 << 100 | u128::from(number)), now)).collect();
        let size = if self.strangers > 0 { 50 } else { 1 };
        let (entries, capacity) = self.tables.entry(table).or_insert_with(|| (strangers, size));
        if lie != Lie::NeverGrows || *capacity == 1 {
            *capacity = (*capacity).max(2 * u64::from(question.n_policy));
        }
        let days = if let Lie::ExpiresAfterDays(days) = lie { days as i32 } else { 30 };
        entries.retain(|(_, seen)| seen.saturating_add(DAY * days) > now);
        if lie != Lie::CountsTwice {
            entries.retain(|(cmid, _)| *cmid != question.cmid);
        }
        entries.push((question.cmid, now));
        let off = if let Lie::CapacityOff(off) = lie { off } else { 0 };
        while entries.len() as i64 > (*capacity as i64 + off).max(1) {
            let oldest = entries[0].1;
            // The requester stands last and stays.
            let equals = entries[..entries.len() - 1].iter().filter(|(_, seen)| *seen == oldest).count();
            entries.remove(if self.manners.forgets_last_of_equals { equals.saturating_sub(1) } else { 0 });
        }
        let count = entries.len() as u32;
        match lie {
            Lie::ForgetsOneIn(k) if self.asked.is_multiple_of(k) => drop(entries.pop()),
            // Every other write is overtaken by the one after it.
            Lie::LosesUpdates if !self.unwritten.remove(&table).unwrap_or(false) => {
                self.unwritten.insert(table, true);
                entries.pop();
            }
            _ => {}
        }
        match lie {
            Lie::LeavesOutTheRequester => (count - 1).max(1),
            Lie::StartsAt(base) => count + base,
            _ => count,
        }
    }
}

pub fn a_wish(days: std::ops::Range<u8>, longest: u64, wrongs: bool) -> impl Strategy<Value = Wish> {
    let wrong = if wrongs {
        prop_oneof![
            12 => Just(Wrong::Nothing),
            1 => Just(Wrong::Version),
            1 => Just(Wrong::Product),
            1 => prop_oneof![(14_300i64..14_500).boxed(), (-14_500i64..-14_300).boxed(), (-90_000i64..90_000).boxed()]
                .prop_map(Wrong::Clock),
        ]
        .boxed()
    } else {
        Just(Wrong::Nothing).boxed()
    };
    let fate = if wrongs {
        prop_oneof![
            30 => Just(Fate::Answered), 1 => Just(Fate::Untrusted), 1 => Just(Fate::Lost), 1 => Just(Fate::AnswerLost),
        ]
        .boxed()
    } else {
        Just(Fate::Answered).boxed()
    };
    let n_policy = prop_oneof![
        4 => Just(5u32), 3 => Just(10), 2 => Just(25), 2 => Just(1), 2 => Just(2), 1 => Just(0), 1 => 3u32..30,
    ];
    let days = prop_oneof![8 => Just(days.start), 1 => days];
    let wait = move || prop_oneof![2 => 0..=longest, 1 => 0..=longest / 8];
    let waits = [wait().boxed(), wait().boxed(), wait().boxed(), wait().boxed()];
    (prop_oneof![6 => 0usize..2, 1 => 2usize..4], 0u8..40, n_policy, wrong, days, 0u64..40, waits, fate).prop_map(
        |(product, machine, n_policy, wrong, days, gap, waits, fate)| Wish {
            product,
            machine,
            n_policy,
            wrong,
            days,
            gap,
            waits,
            fate,
            is_foreign: false,
        },
    )
}
