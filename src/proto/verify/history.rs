//! Checks that need more than one answer.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::{CheckId, Checks};
use crate::proto::{Answer, Moment};
use crate::wire::kms::ActivationRequest;
use crate::wire::{Guid, hex};

/// What the answers of one host were like so far.
#[derive(Debug, Default)]
pub struct History {
    epids: HashMap<Guid, String>,
    counts: HashMap<Guid, SeenCount>,
    intervals: Option<(u32, u32)>,
    ivs: HashSet<[u8; 16]>,
    randoms: HashSet<[u8; 16]>,
    hwid: Option<[u8; 8]>,
    /// When the first answer was there.
    since: Option<Moment>,
}

#[derive(Debug, Clone, Copy)]
struct SeenCount {
    count: u32,
    received: Moment,
}

impl History {
    /// Holds an answer against those before it, and remembers it. `sent` and `received` say
    /// which answers were in before this request went out: only those bind its count.
    pub fn observe(&mut self, request: &ActivationRequest, answer: &Answer, sent: Moment, received: Moment) -> Checks {
        let mut checks = Checks::default();
        let Some(response) = answer.response.as_ref().filter(|_| answer.checks.is_trusted()) else { return checks };

        let epid = response.epid.as_str();
        let before = self.epids.entry(request.kms_counted_id).or_insert_with(|| epid.to_owned());
        checks.judge(CheckId::HistoryEpid, before == epid, || (before.clone(), epid.to_owned()));

        let seen = self.counts.entry(request.application_id).or_insert(SeenCount { count: 0, received });
        // Once clients can have been forgotten for their age, a count may fall.
        let young = sent - *self.since.get_or_insert(received) < LIFETIME;
        if seen.received <= sent && young {
            checks.judge(CheckId::HistoryCount, response.count >= seen.count, || {
                (format!("at least {}, counted before", seen.count), response.count.to_string())
            });
        }
        // A fall is told once: from then on the lower count is what is held on to.
        if response.count >= seen.count || seen.received <= sent {
            *seen = SeenCount { count: response.count, received };
        }

        let intervals = (response.activation_interval_min, response.renewal_interval_min);
        let before = *self.intervals.get_or_insert(intervals);
        checks.judge(CheckId::HistoryIntervals, before == intervals, || {
            (format!("{} and {} min", before.0, before.1), format!("{} and {} min", intervals.0, intervals.1))
        });

        if let (Some(iv), Some(hwid)) = (answer.iv, answer.hwid) {
            let fresh = remember(&mut self.ivs, iv);
            checks.judge(CheckId::HistoryIv, fresh, || ("an IV not seen before".into(), format!("{} again", hex(&iv))));
            let before = *self.hwid.get_or_insert(hwid);
            checks.judge(CheckId::HistoryHwid, before == hwid, || (hex(&before), hex(&hwid)));
        }
        if let Some(random) = answer.random {
            let fresh = remember(&mut self.randoms, random);
            checks.judge(CheckId::HistoryRandom, fresh, || {
                ("a random not seen before".into(), format!("{} again", hex(&random)))
            });
        }
        checks
    }
}

/// Whether `value` is new. Past the bound nothing more is remembered, and nothing falsely found.
fn remember(seen: &mut HashSet<[u8; 16]>, value: [u8; 16]) -> bool {
    if seen.len() < REMEMBERED_MAX { seen.insert(value) } else { !seen.contains(&value) }
}

/// How long a host keeps a client it does not hear of (protocol description, section 6).
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);
/// Some 35 MB a set.
const REMEMBERED_MAX: usize = 1 << 20;
