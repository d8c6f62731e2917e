//! Putting cases to a host: an ordinary exchange first, after every case and last, so that whatever
//! breaks a host is told of at the case that did it.

use std::collections::BTreeMap;

use super::accept::{Grade, Mismatch, Then, Want, ok};
use super::case::{Capability, Case, Level};
use super::host::{Host, Patience};
use super::known::KnownFailures;
use super::profile::Profile;
use super::talk::{Judged, Said, Service, Shared, Stop, Talk};
use super::{capabilities, cases};

use jiff::civil::Date;

use crate::client::Randomness;
use crate::proto::verify::{CheckId, Checks, Finding, History};
use crate::wire::kms::ProtocolVersion;
use crate::wire::rpc::{PduView, Ptype, SyntaxId};

/// How cases are put to a host.
#[derive(Debug, Clone)]
pub struct Options {
    /// What a behaviour costs.
    pub profile: Profile,
    /// What is known to fail.
    pub known: KnownFailures,
    /// By which day's date entries of that list are past theirs.
    pub today: Date,
    /// Whether cases run that may leave the host worse than it was.
    pub disruptive: bool,
    /// What randoms follow from.
    pub seed: u64,
    /// What is asked for in ordinary calls.
    pub service: Service,
}

/// What became of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The host does what is required.
    Pass,
    /// It does otherwise, and known hosts that serve Windows clients well do so too.
    NonStrict,
    /// It does not.
    Fail,
    /// What it does is worth knowing, and never wrong.
    Recorded,
    /// The question does not arise with this host.
    NotApplicable,
    /// The case was not run.
    Skip,
    /// It could not be told.
    Inconclusive,
    /// It fails as the list of known failures says.
    KnownFailure,
    /// It is on the list of known failures, and passes, or fails less than the list says.
    UnexpectedPass,
    /// It is on the list of those that come out now so and now so.
    Flapping,
}

impl Verdict {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::NonStrict => "non-strict",
            Verdict::Fail => "fail",
            Verdict::Recorded => "recorded",
            Verdict::NotApplicable => "not-applicable",
            Verdict::Skip => "skip",
            Verdict::Inconclusive => "inconclusive",
            Verdict::KnownFailure => "known-failure",
            Verdict::UnexpectedPass => "unexpected-pass",
            Verdict::Flapping => "flapping",
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// What a case came to.
#[derive(Debug, Clone)]
pub struct CaseResult {
    /// The case.
    pub case: &'static Case,
    /// What became of it.
    pub verdict: Verdict,
    /// Why, where that does not show in what was looked at.
    pub why: Option<String>,
    /// All that was looked at.
    pub judged: Vec<Judged>,
    /// All that was said.
    pub said: Vec<Said>,
    /// Checks of the host's PDUs that failed on the way.
    pub findings: Vec<Finding>,
    /// What is worth knowing.
    pub notes: Vec<String>,
}

impl CaseResult {
    fn without(case: &'static Case, verdict: Verdict, why: impl Into<String>) -> CaseResult {
        CaseResult {
            case,
            verdict,
            why: Some(why.into()),
            judged: Vec::new(),
            said: Vec::new(),
            findings: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Whether the host serves nobody any more since.
    pub fn host_died(&self) -> bool {
        self.why.as_deref().is_some_and(|why| why.starts_with(DIED))
    }

    /// Since this case the host serves nobody any more.
    fn blame_for_death(&mut self, why: String) {
        self.verdict = Verdict::Fail;
        self.why = Some(format!("{DIED}: {why}"));
        let mismatch = Mismatch {
            field: "liveness",
            expected: "an ordinary exchange on a new connection".to_owned(),
            got: why,
            place: None,
        };
        self.judged.push(Judged {
            label: "the host afterwards".to_owned(),
            grade: Grade::Fail,
            mismatch: Some(mismatch),
            said: self.said.len().checked_sub(1),
            starves_others: true,
        });
    }

    /// The first thing that was looked at and is worst.
    pub fn worst(&self) -> Option<&Judged> {
        let grade = self.judged.iter().map(|judged| judged.grade).max().filter(|grade| *grade != Grade::Ok)?;
        self.judged.iter().find(|judged| judged.grade == grade)
    }

    /// The fields that are not as they should be.
    pub fn fields(&self) -> impl Iterator<Item = &'static str> {
        self.judged.iter().filter_map(|judged| judged.mismatch.as_ref().map(|mismatch| mismatch.field))
    }
}

/// A check that is done on every PDU, over a whole run.
#[derive(Debug, Clone)]
pub struct CheckResult {
    /// The check.
    pub check: CheckId,
    /// What became of it.
    pub verdict: Verdict,
    /// Why, where that does not show in the evidence.
    pub why: Option<String>,
    /// Cases in which it was done and held.
    pub passed: u64,
    /// Cases in which it was done and did not.
    pub failed: u64,
    /// The first failures: the case, and what was found.
    pub evidence: Vec<(&'static str, Finding)>,
}

/// What a run came to.
#[derive(Debug)]
pub struct Run {
    /// What the host is capable of.
    pub capabilities: Vec<Capability>,
    /// Every case that was chosen, in the order of the catalogue.
    pub results: Vec<CaseResult>,
    /// The checks that were done.
    pub checks: Vec<CheckResult>,
    /// Whether it was ended before its end.
    pub interrupted: bool,
    /// What is wrong with this tool, when the case that must fail does not.
    pub canary_lives: bool,
}

/// Puts these cases to a host. `told` hears of each as it is done, and says whether to go on.
pub fn run(
    host: &mut dyn Host,
    chosen: &[&'static Case],
    options: &Options,
    told: &mut dyn FnMut(&CaseResult) -> bool,
) -> Run {
    let mut runner = Runner {
        host,
        options,
        shared: Shared {
            service: options.service.clone(),
            history: History::default(),
            randomness: Randomness::new(options.seed),
            version: ProtocolVersion::V6,
            any_response: false,
            paces: Vec::new(),
        },
        run: Run {
            capabilities: Vec::new(),
            results: Vec::new(),
            checks: Vec::new(),
            interrupted: false,
            canary_lives: false,
        },
        unknown: Vec::new(),
        condition: Condition::Serves,
        checks: BTreeMap::new(),
    };
    let mut gone: Option<String> = None;
    let mut is_on = true;
    runner.find_version();
    let mut is_told = false;
    match runner.condition.clone() {
        Condition::Serves => {}
        // It is blamed once, whether it was to be asked this or not.
        Condition::AnswersWrongly(why) | Condition::IsSilent(why) => {
            let mut result = CaseResult::without(&cases::CONTROL, Verdict::Fail, why.clone());
            result.said = runner.last_said();
            is_on &= told(&result);
            runner.run.results.push(result);
            is_told = true;
        }
    }
    match &runner.condition {
        Condition::IsSilent(why) => gone = Some(format!("an ordinary exchange does not work: {why}")),
        _ => {
            runner.run.canary_lives = runner.canary_lives();
            runner.find_capabilities();
        }
    }
    for case in chosen.iter().copied().filter(|case| !is_told || case.id != cases::CONTROL.id) {
        let result = match &gone {
            _ if !is_on => CaseResult::without(case, Verdict::Skip, "the run was interrupted"),
            Some(why) => CaseResult::without(case, Verdict::Inconclusive, why.clone()),
            None => runner.case(case),
        };
        if gone.is_none() && result.host_died() {
            gone = Some(format!("the host serves nobody any more, since {}", case.id));
        }
        is_on &= told(&result);
        runner.run.results.push(result);
    }
    runner.run.interrupted = !is_on;
    runner.finish()
}

/// What comes of an ordinary exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Condition {
    /// It is answered right.
    Serves,
    /// It is answered, and not right.
    AnswersWrongly(String),
    /// It is not answered.
    IsSilent(String),
}

struct Runner<'r> {
    host: &'r mut dyn Host,
    options: &'r Options,
    shared: Shared,
    run: Run,
    /// Capabilities of which it could not be found out whether the host has them.
    unknown: Vec<Capability>,
    /// What came of an ordinary exchange before anything else was done to the host.
    condition: Condition,
    checks: BTreeMap<CheckId, Checked>,
}

/// What a check came to so far.
#[derive(Default)]
struct Checked {
    passed: u64,
    failed: u64,
    evidence: Vec<(&'static str, Finding)>,
}

impl Runner<'_> {
    fn case(&mut self, case: &'static Case) -> CaseResult {
        if let Some((verdict, why)) = self.excuse(case) {
            return CaseResult::without(case, verdict, why);
        }
        self.shared.any_response = self.condition != Condition::Serves && case.any_interface;
        // What is left to chance in a case is the same, whatever was put before it.
        self.shared.randomness = Randomness::of(self.options.seed, case.id);
        let mut talk = Talk::new(self.host, &mut self.shared);
        let stopped = (case.program)(&mut talk).err();
        let outcome = talk.finish();
        self.note_checks(case.id, &outcome.checks);
        let (verdict, why) = match (self.options.profile.verdict_on(case, &outcome.judged), stopped) {
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
        let mut result = CaseResult {
            case,
            verdict,
            why,
            judged: outcome.judged,
            said: outcome.said,
            findings: outcome.checks.findings,
            notes: outcome.notes,
        };
        if let Some(why) = self.got_worse() {
            result.blame_for_death(why);
        }
        self.weigh(result)
    }

    /// Why a case is not put to this host, if there is a reason.
    fn excuse(&self, case: &Case) -> Option<(Verdict, String)> {
        let is_unknown = |need: &&Capability| self.unknown.contains(need);
        let is_lacking = |need: &&Capability| !self.run.capabilities.contains(need);
        if !case.any_interface && self.options.service.interface != SyntaxId::KMS {
            return Some((Verdict::NotApplicable, "it is about KMS, and another interface is asked".to_owned()));
        }
        if case.disruptive && !self.options.disruptive {
            return Some((Verdict::Skip, "it may leave the host worse than it was (--disruptive)".to_owned()));
        }
        if let Some(unknown) = case.needs.iter().find(is_unknown) {
            let why = format!("it could not be found out whether the host is capable of it: {}", unknown.name());
            return Some((Verdict::Inconclusive, why));
        }
        if let Some(lacking) = case.needs.iter().find(is_lacking) {
            return Some((Verdict::NotApplicable, format!("the host is not capable of it: {}", lacking.name())));
        }
        let is_wrong = self.condition != Condition::Serves;
        (is_wrong && !case.any_interface && case.level != Level::Must).then(|| {
            let why = "the host answers no ordinary request right: see rpc/transport/control";
            (Verdict::Inconclusive, why.to_owned())
        })
    }

    /// What a result is worth, by the list of known failures.
    fn weigh(&self, result: CaseResult) -> CaseResult {
        let field = result.worst().and_then(|judged| judged.mismatch.as_ref()).map(|mismatch| mismatch.field);
        let known = &self.options.known;
        let (verdict, why) = known.weigh(result.case.id, result.verdict, field, result.host_died(), self.options.today);
        CaseResult { verdict, why: why.or(result.why), ..result }
    }

    /// The checks' verdicts, by what the profile and the list of known failures say.
    fn finish(self) -> Run {
        let Runner { options, mut run, checks, .. } = self;
        for (check, Checked { passed, failed, evidence }) in checks {
            let (entry, holds) = (check.check(), failed == 0);
            let verdict = if holds { Verdict::Pass } else { options.profile.check_verdict(entry.id, entry.level) };
            let field = evidence.first().and_then(|(_, finding)| finding.place.map(|place| place.field));
            let (verdict, why) = options.known.weigh(entry.id, verdict, field, false, options.today);
            run.checks.push(CheckResult { check, verdict, why, passed, failed, evidence });
        }
        run
    }

    fn note_checks(&mut self, case: &'static str, checks: &Checks) {
        for check in checks.done.iter() {
            let result = self.checks.entry(check).or_default();
            if checks.failed.has(check) {
                result.failed += 1;
                let found = checks.findings.iter().find(|finding| finding.check == check);
                if let Some(finding) = found.filter(|_| result.evidence.len() < EVIDENCE_MAX) {
                    result.evidence.push((case, finding.clone()));
                }
            } else {
                result.passed += 1;
            }
        }
    }

    /// Why a host serves nobody any more, if it is so. It is asked twice: a host may take a moment to get over what
    /// was done to it.
    fn got_worse(&mut self) -> Option<String> {
        let is_worse = |now: &Condition, first: &Condition| match now {
            Condition::Serves => false,
            // As it was from the beginning.
            Condition::AnswersWrongly(_) => !matches!(first, Condition::AnswersWrongly(_)),
            Condition::IsSilent(_) => true,
        };
        let first = self.condition.clone();
        if !is_worse(&self.sanity(), &first) {
            return None;
        }
        self.host.rest(RECOVERY);
        match self.sanity() {
            now if !is_worse(&now, &first) => None,
            Condition::AnswersWrongly(why) | Condition::IsSilent(why) => Some(why),
            Condition::Serves => None,
        }
    }

    /// Ordinary requests are of the newest version that the host answers right.
    fn find_version(&mut self) {
        self.condition = self.sanity();
        if matches!(self.condition, Condition::IsSilent(_)) {
            // It may have been busy for a moment.
            self.host.rest(RECOVERY);
            self.condition = self.sanity();
        }
        if !matches!(self.condition, Condition::AnswersWrongly(_)) || self.options.service.interface != SyntaxId::KMS {
            return;
        }
        for version in [ProtocolVersion::V5, ProtocolVersion::V4] {
            self.shared.version = version;
            if self.sanity() == Condition::Serves {
                self.condition = Condition::Serves;
                return;
            }
        }
        self.shared.version = ProtocolVersion::V6;
    }

    /// An ordinary exchange on a new connection.
    fn sanity(&mut self) -> Condition {
        self.shared.any_response = false;
        let mut talk = Talk::new(self.host, &mut self.shared);
        let condition = match talk.bind() {
            Err(stop) => Condition::IsSilent(stop.to_string()),
            Ok(_) => {
                talk.request(0);
                let seen = talk.see(Patience::Answer, None);
                let is_response =
                    seen.reply.as_deref().is_some_and(|frame| PduView(frame).ptype() == Some(Ptype::RESPONSE));
                match super::accept::judge(&seen, &[ok(Want::Served, Then::Either)]) {
                    Ok(_) => Condition::Serves,
                    Err(_) if is_response => Condition::AnswersWrongly(seen.to_string()),
                    Err(_) => Condition::IsSilent(seen.to_string()),
                }
            }
        };
        let took = talk.took();
        let outcome = talk.finish();
        if condition == Condition::Serves {
            self.shared.paces.push(took);
        }
        self.note_checks(cases::CONTROL.id, &outcome.checks);
        condition
    }

    fn last_said(&mut self) -> Vec<Said> {
        let mut talk = Talk::new(self.host, &mut self.shared);
        if talk.bind().is_ok() {
            talk.request(0);
            talk.see(Patience::Answer, None);
        }
        talk.finish().said
    }

    /// A case that requires what is wrong has to fail; else nothing that passes means anything.
    fn canary_lives(&mut self) -> bool {
        let mut talk = Talk::new(self.host, &mut self.shared);
        if talk.bind().is_err() {
            return false;
        }
        talk.request(0);
        talk.expect_next("the canary", &[ok(Want::Nak(&[7]), Then::Closed)]);
        talk.finish().judged.iter().any(|judged| judged.grade != Grade::Fail)
    }

    /// Probes each capability, more than once where no answer came: what a lost connection leaves open is not "no".
    fn find_capabilities(&mut self) {
        for capability in Capability::ALL {
            let mut talk = || capabilities::has(capability, &mut Talk::new(self.host, &mut self.shared));
            match (0..PROBES).find_map(|_| talk()) {
                Some(true) => self.run.capabilities.push(capability),
                Some(false) => {}
                None => self.unknown.push(capability),
            }
        }
    }
}

/// How the words begin that say that a host serves nobody any more.
const DIED: &str = "afterwards the host serves nobody";
/// What a host gets to recover in.
const RECOVERY: std::time::Duration = std::time::Duration::from_millis(500);
/// As many failures of one check are shown.
const EVIDENCE_MAX: usize = 3;
/// How often it is tried to find out about a capability.
const PROBES: usize = 3;
