//! A way to the host: cases are put over it one after the other, each with an ordinary exchange after it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::accept::{Answered, Grade, Then, Want, ok};
use super::case::{Case, Level};
use super::host::{Host, Patience};
use super::profile::Profile;
use super::result::{CaseResult, Evidence, Verdict};
use super::talk::{Checked, Outcome, Service, Shared, Stop, Suspect, Talk};
use super::{capabilities, cases};
use crate::client::Randomness;
use crate::proto::verify::{CheckId, History};
use crate::wire::Hresult;
use crate::wire::kms::ProtocolVersion;
use crate::wire::rpc::{PduView, Ptype, SyntaxId};

/// What comes of an ordinary exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    /// It is answered right.
    Serves,
    /// It is answered, and not right.
    AnswersWrongly(String),
    /// It is not answered.
    IsSilent(String),
    /// It is refused, for the host's table was filled up.
    IsFull,
}

/// A way to the host, and what was learned on it.
pub(super) struct Lane<'h> {
    host: &'h mut dyn Host,
    shared: Shared,
    seed: u64,
    /// What came of an ordinary exchange before anything else was done to the host.
    pub(super) first: Condition,
    /// What the checks came to that were done on the way.
    pub(super) checks: CheckCounts,
    /// Whether an ordinary exchange was refused last, for the host's table is full.
    pub(super) refuses_all: bool,
    /// Whether an ordinary exchange was refused last, for its product is not served.
    pub(super) lacks_product: bool,
}

impl<'h> Lane<'h> {
    pub(super) fn new(host: &'h mut dyn Host, service: Service, seed: u64) -> Lane<'h> {
        let shared = Shared {
            service,
            history: History::default(),
            randomness: Randomness::new(seed),
            version: ProtocolVersion::V6,
            any_response: false,
            is_must: true,
            paces: Vec::new(),
            answer_times: Vec::new(),
            closes_late: None,
            has_other_clients: false,
            is_full: false,
        };
        let checks = CheckCounts::default();
        Lane { host, shared, seed, first: Condition::Serves, checks, refuses_all: false, lacks_product: false }
    }

    /// More ways to the same host, so many at most, over which as much is known of it as over this one.
    pub(super) fn others(&self, many: usize) -> Vec<OtherLane> {
        let other = || {
            let host = self.host.another()?;
            let (service, version) = (self.shared.service.clone(), self.shared.version);
            let answer_times = self.shared.answer_times.clone();
            Some(OtherLane { host, service, version, seed: self.seed, first: self.first.clone(), answer_times })
        };
        (0..many).map_while(|_| other()).collect()
    }

    /// Finds out whether the host has other clients, as far as that shows.
    pub(super) fn find_other_clients(&mut self) {
        self.shared.has_other_clients = capabilities::has_other_clients(&mut self.talk());
    }

    /// A conversation over it.
    pub(super) fn talk(&mut self) -> Talk<'_> {
        Talk::new(self.host, &mut self.shared)
    }

    pub(super) fn rest(&mut self, time: Duration) {
        self.host.rest(time);
    }

    /// Puts a case to the host. Nothing is said yet of how the host is afterwards.
    pub(super) fn put(&mut self, case: &'static Case, profile: &Profile) -> (CaseResult, Checked) {
        let (mut outcome, mut stopped) = self.talk_through(case);
        // What a host closed late, for what came before, is laid at the wrong door: then it is put to it again.
        let is_late = outcome.suspect.take().is_some_and(|suspect| self.learn_when_it_closes(&suspect));
        if is_late {
            (outcome, stopped) = self.talk_through(case);
            outcome
                .notes
                .push("the host closes a connection a while after a fault: the case waited for that".to_owned());
        }
        let (verdict, why) = match (profile.verdict_on(case, &outcome.judged), stopped) {
            (None, None) if case.level == Level::Info => (Verdict::Recorded, None),
            // A program that looks at nothing shows nothing.
            (None, None) => (Verdict::Inconclusive, Some("nothing was looked at".to_owned())),
            (Some(verdict), None) => (verdict, None),
            // What was seen before it had to stop counts.
            (Some(verdict), Some(stop)) if outcome.judged.iter().any(|judged| judged.grade == Grade::Fail) => {
                (verdict, Some(stop.to_string()))
            }
            (_, Some(Stop::NotApplicable(why))) => (Verdict::NotApplicable, Some(why)),
            (_, Some(Stop::Foundation(why))) => (Verdict::Inconclusive, Some(why)),
        };
        let Outcome { judged, said, notes, is_shortened, checked, .. } = outcome;
        (CaseResult { case, verdict, seen: verdict, why, judged, said, notes, is_shortened, host_died: false }, checked)
    }

    fn talk_through(&mut self, case: &'static Case) -> (Outcome, Option<Stop>) {
        self.shared.any_response = self.first != Condition::Serves && case.any_interface;
        self.shared.is_must = case.level == Level::Must;
        // What is left to chance in a case is the same, whatever was put before it.
        self.shared.randomness = Randomness::of(self.seed, case.id);
        let mut talk = self.talk();
        let stopped = (case.program)(&mut talk).err();
        (talk.finish(), stopped)
    }

    /// Whether the host closes later after a fault than was known.
    fn learn_when_it_closes(&mut self, suspect: &Suspect) -> bool {
        let known = self.shared.closes_late.unwrap_or_default();
        let mut talk = self.talk();
        let Some(after) = talk.closes_after(suspect).filter(|after| *after > known) else { return false };
        self.shared.closes_late = Some((LATE_TIMES * after).max(LATE_MIN));
        true
    }

    /// Why a host serves nobody any more, if it is so. It is asked twice: a host may take a moment to get over what
    /// was done to it.
    pub(super) fn got_worse(&mut self) -> Option<String> {
        let is_worse = |now: &Condition, first: &Condition| match now {
            Condition::Serves | Condition::IsFull => false,
            // As it was from the beginning.
            Condition::AnswersWrongly(_) => !matches!(first, Condition::AnswersWrongly(_)),
            Condition::IsSilent(_) => true,
        };
        let first = self.first.clone();
        if !is_worse(&self.sanity(), &first) {
            return None;
        }
        self.rest(RECOVERY);
        match self.sanity() {
            now if !is_worse(&now, &first) => None,
            Condition::AnswersWrongly(why) | Condition::IsSilent(why) => Some(why),
            Condition::Serves | Condition::IsFull => None,
        }
    }

    /// Finds out how the host answers before anything is done to it. Ordinary requests are of the newest version that
    /// it answers right.
    pub(super) fn find_version(&mut self) {
        self.first = self.sanity();
        if matches!(self.first, Condition::IsSilent(_)) {
            // It may have been busy for a moment.
            self.rest(RECOVERY);
            self.first = self.sanity();
        }
        if !matches!(self.first, Condition::AnswersWrongly(_)) || self.shared.service.interface != SyntaxId::KMS {
            return;
        }
        for version in [ProtocolVersion::V5, ProtocolVersion::V4] {
            self.shared.version = version;
            if self.sanity() == Condition::Serves {
                self.first = Condition::Serves;
                return;
            }
        }
        self.shared.version = ProtocolVersion::V6;
    }

    /// An ordinary exchange on a new connection.
    fn sanity(&mut self) -> Condition {
        self.shared.any_response = false;
        self.shared.is_must = true;
        let mut talk = Talk::new(self.host, &mut self.shared);
        let condition = match talk.bind() {
            Err(stop) => Condition::IsSilent(stop.to_string()),
            Ok(_) => {
                talk.request(0);
                let seen = talk.see(Patience::Answer, None);
                let is_response =
                    seen.reply.as_deref().is_some_and(|frame| PduView(frame).ptype() == Some(Ptype::RESPONSE));
                self.lacks_product = seen.answer == Some(Answered::Refused(Hresult::KMS_ID_MISMATCH.0));
                let is_full = seen.answer == Some(Answered::Refused(Hresult::TABLE_FULL.0)) && talk.is_full();
                match super::accept::judge(&seen, &[ok(Want::Served, Then::Either)]) {
                    Ok(_) => Condition::Serves,
                    Err(_) if is_full => Condition::IsFull,
                    Err(_) if is_response => Condition::AnswersWrongly(seen.to_string()),
                    Err(_) => Condition::IsSilent(seen.to_string()),
                }
            }
        };
        let (took, answer_time) = (talk.took(), talk.answer_time());
        let outcome = talk.finish();
        if condition == Condition::Serves {
            self.shared.paces.push(took);
            self.shared.answer_times.extend(answer_time);
        }
        self.checks.note(cases::CONTROL.id, &outcome.checked);
        self.refuses_all = condition == Condition::IsFull;
        condition
    }
}

/// A way to the host that can be gone on another thread.
pub(super) struct OtherLane {
    host: Box<dyn Host + Send>,
    service: Service,
    version: ProtocolVersion,
    seed: u64,
    first: Condition,
    answer_times: Vec<Duration>,
}

impl OtherLane {
    pub(super) fn open(&mut self) -> Lane<'_> {
        let mut lane = Lane::new(self.host.as_mut(), self.service.clone(), self.seed);
        lane.shared.version = self.version;
        lane.first = self.first.clone();
        lane.shared.answer_times.clone_from(&self.answer_times);
        lane
    }
}

/// What checks of every PDU came to over many cases.
#[derive(Default)]
pub(super) struct CheckCounts(pub(super) BTreeMap<CheckId, CheckCount>);

/// What a check came to so far.
#[derive(Default)]
pub(super) struct CheckCount {
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) evidence: Vec<Evidence>,
}

impl CheckCounts {
    pub(super) fn note(&mut self, case: &'static str, Checked { checks, exhibits }: &Checked) {
        for check in checks.done.iter() {
            let count = self.0.entry(check).or_default();
            if checks.failed.has(check) {
                count.failed += 1;
                let found = checks.findings.iter().find(|finding| finding.check == check);
                if let Some(finding) = found.filter(|_| count.evidence.len() < EVIDENCE_MAX) {
                    let said = exhibits.iter().find(|(of, _)| *of == check).map(|(_, said)| said.clone());
                    let (finding, said) = (finding.clone(), said.unwrap_or_default());
                    count.evidence.push(Evidence { case, finding, said });
                }
            } else {
                count.passed += 1;
            }
        }
    }

    pub(super) fn absorb(&mut self, others: CheckCounts) {
        for (check, other) in others.0 {
            let count = self.0.entry(check).or_default();
            count.passed += other.passed;
            count.failed += other.failed;
            count.evidence.extend(other.evidence);
            count.evidence.truncate(EVIDENCE_MAX);
        }
    }
}

/// Who closed so late once may take so many times as long.
const LATE_TIMES: u32 = 3;
const LATE_MIN: Duration = Duration::from_millis(50);
/// What a host gets to recover in.
const RECOVERY: Duration = Duration::from_millis(500);
/// As many failures of one check are shown.
const EVIDENCE_MAX: usize = 3;
