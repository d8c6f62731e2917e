//! Putting cases to a host: an ordinary exchange first, after every case and last, so that whatever
//! breaks a host is told of at the case that did it.

use super::accept::{Grade, Then, Want, ok};
use super::beside::{self, Again};
use super::case::{Capability, Case, Level};
use super::host::{Host, Patience};
use super::known::KnownFailures;
use super::lane::{CheckCount, Condition, Lane};
use super::profile::Profile;
use super::result::{CaseResult, CheckResult, Run, Verdict};
use super::talk::{Said, Service};
use super::{capabilities, cases};

use jiff::civil::Date;

use crate::wire::rpc::SyntaxId;

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
    /// How many independent cases are put to the host at the same time.
    pub jobs: usize,
    /// What randoms follow from.
    pub seed: u64,
    /// What is asked for in ordinary calls.
    pub service: Service,
}

/// Puts these cases to a host. `told` hears of each as it is done, and says whether to go on.
pub fn run(
    host: &mut dyn Host,
    chosen: &[&'static Case],
    options: &Options,
    told: &mut dyn FnMut(&CaseResult) -> bool,
) -> Run {
    let run = Run {
        capabilities: Vec::new(),
        unknown: Vec::new(),
        results: Vec::new(),
        checks: Vec::new(),
        interrupted: false,
        canary_lives: false,
        lacks_product: None,
    };
    let lane = Lane::new(host, options.service.clone(), options.seed);
    let mut runner = Runner { lane, options, told, run, gone: None, is_on: true };
    runner.begin();
    let is_told = !runner.run.results.is_empty();
    let to_put: Vec<_> = chosen.iter().copied().filter(|case| !is_told || case.id != cases::CONTROL.id).collect();
    for again in runner.side_by_side(&to_put) {
        runner.alone(again);
    }
    let place = |result: &CaseResult| chosen.iter().position(|case| case.id == result.case.id);
    runner.run.results.sort_by_key(place);
    runner.run.interrupted = !runner.is_on;
    runner.finish(chosen.len() == cases::all().count())
}

struct Runner<'r> {
    lane: Lane<'r>,
    options: &'r Options,
    told: &'r mut dyn FnMut(&CaseResult) -> bool,
    run: Run,
    /// Why nothing can be put to the host any more.
    gone: Option<String>,
    /// Whether whoever hears of the results wants more of them.
    is_on: bool,
}

impl Runner<'_> {
    /// Finds out what the host is like before anything is done to it.
    fn begin(&mut self) {
        self.lane.find_version();
        self.run.lacks_product = self.lane.lacks_product.then_some(self.options.service.product);
        // It is blamed once, whether it was to be asked this or not.
        if let Condition::AnswersWrongly(why) | Condition::IsSilent(why) = self.lane.first.clone() {
            let mut result = CaseResult::without(&cases::CONTROL, Verdict::Fail, why);
            result.said = self.last_said();
            self.conclude(result);
        }
        if let Condition::IsSilent(why) = &self.lane.first {
            self.gone = Some(format!("an ordinary exchange does not work: {why}"));
        } else {
            self.run.canary_lives = self.canary_lives();
            self.find_capabilities();
            if self.run.capabilities.contains(&Capability::Counting) {
                self.lane.find_other_clients();
            }
        }
    }

    /// Puts cases side by side that have to do with nothing but themselves, and says what has to be put alone.
    fn side_by_side(&mut self, cases: &[&'static Case]) -> Vec<Again> {
        let alone = |case: &&'static Case| Again { case, beside: None, is_suspect: false };
        let is_beside = |case: &&&'static Case| case.is_independent() && self.excuse(case).is_none();
        let beside: Vec<_> = cases.iter().filter(is_beside).copied().collect();
        let jobs = if self.gone.is_some() || !self.is_on { 1 } else { self.options.jobs.min(beside.len()) };
        let mut lanes = if jobs > 1 { self.lane.others(jobs) } else { Vec::new() };
        if lanes.len() < 2 {
            return cases.iter().map(alone).collect();
        }
        let mut aftermath = beside::side_by_side(&mut lanes, &beside, &self.options.profile, &mut |result| {
            let result = weighed(self.options, result);
            self.is_on &= (self.told)(&result);
            self.run.results.push(result);
            self.is_on
        });
        self.lane.checks.absorb(std::mem::take(&mut aftermath.checks));
        if let (true, Some(why)) = (aftermath.got_worse && self.is_on, self.lane.got_worse()) {
            self.blame_one_of(&mut aftermath.again, &why);
        }
        let mut rest = aftermath.again;
        rest.extend(cases.iter().filter(|case| !beside.iter().any(|other| other.id == case.id)).map(alone));
        rest.sort_by_key(|again| cases.iter().position(|case| case.id == again.case.id));
        rest
    }

    /// The host is dead since cases were put to it side by side. The one at which it was noticed is told of, and which
    /// others it may have been.
    fn blame_one_of(&mut self, again: &mut Vec<Again>, why: &str) {
        let noticed = again.remove(0).case;
        let others: Vec<_> = again.iter().filter(|other| other.is_suspect).map(|other| other.case.id).collect();
        let mut result = CaseResult::without(noticed, Verdict::Fail, why);
        result.blame_for_death(match others.is_empty() {
            true => why.to_owned(),
            false => format!("{why}; under way at the same time: {} (--jobs 1 tells them apart)", others.join(", ")),
        });
        self.gone = Some(format!("the host serves nobody any more, since {} or a case beside it", noticed.id));
        self.conclude(result);
    }

    /// Puts a case to the host while no other is.
    fn alone(&mut self, again: Again) {
        let case = again.case;
        let mut result = match &self.gone {
            _ if !self.is_on => CaseResult::without(case, Verdict::Skip, "the run was interrupted"),
            Some(why) => CaseResult::without(case, Verdict::Inconclusive, why.clone()),
            None => self.case(case),
        };
        let held = matches!(result.verdict, Verdict::Pass | Verdict::NonStrict | Verdict::Recorded);
        if let Some(beside) = again.beside.filter(|beside| held && beside.verdict == Verdict::Fail) {
            let what = beside.wrong().map(|wrong| format!(": {} expected, {} seen", wrong.expected, wrong.got));
            let why = format!("it holds alone, and does not beside other cases{}", what.unwrap_or_default());
            result = CaseResult { verdict: Verdict::Inconclusive, why: Some(why), ..beside };
        }
        if self.gone.is_none() && result.host_died {
            self.gone = Some(format!("the host serves nobody any more, since {}", case.id));
        }
        if self.gone.is_none() && self.lane.refuses_all {
            self.gone = Some(format!("the host's table is full since {}, and it refuses everybody", case.id));
        }
        self.conclude(result);
    }

    fn conclude(&mut self, result: CaseResult) {
        self.is_on &= (self.told)(&result);
        self.run.results.push(result);
    }

    fn case(&mut self, case: &'static Case) -> CaseResult {
        if let Some((verdict, why)) = self.excuse(case) {
            return CaseResult::without(case, verdict, why);
        }
        let (mut result, checks) = self.lane.put(case, &self.options.profile);
        self.lane.checks.note(case.id, &checks);
        if let Some(why) = self.lane.got_worse() {
            result.blame_for_death(why);
        }
        weighed(self.options, result)
    }

    /// Why a case is not put to this host, if there is a reason.
    fn excuse(&self, case: &Case) -> Option<(Verdict, String)> {
        let is_unknown = |need: &&Capability| self.run.unknown.contains(need);
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
        let is_wrong = self.lane.first != Condition::Serves;
        (is_wrong && !case.any_interface && case.level != Level::Must).then(|| {
            let why = "the host answers no ordinary request right: see rpc/transport/control";
            (Verdict::Inconclusive, why.to_owned())
        })
    }

    /// The checks' verdicts, by what the profile and the list of known failures say. What is known to fail and holds in
    /// some of the cases need not hold in the others.
    fn finish(self, are_all: bool) -> Run {
        let Runner { lane, options, mut run, .. } = self;
        for (check, CheckCount { passed, failed, evidence }) in lane.checks.0 {
            let (entry, holds) = (check.check(), failed == 0);
            let seen = if holds { Verdict::Pass } else { options.profile.check_verdict(entry.id, entry.level) };
            let field = evidence.first().and_then(|first| first.finding.place.map(|place| place.field));
            let (verdict, why) = match holds && !are_all {
                true => (seen, None),
                false => options.known.weigh(entry.id, seen, field, false, options.today),
            };
            run.checks.push(CheckResult { check, verdict, seen, why, passed, failed, evidence });
        }
        run
    }

    fn last_said(&mut self) -> Vec<Said> {
        let mut talk = self.lane.talk();
        if talk.bind().is_ok() {
            talk.request(0);
            talk.see(Patience::Answer, None);
        }
        talk.finish().said
    }

    /// A case that requires what is wrong has to fail; else nothing that passes means anything.
    fn canary_lives(&mut self) -> bool {
        let mut talk = self.lane.talk();
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
            let mut talk = || capabilities::has(capability, &mut self.lane.talk());
            match (0..PROBES).find_map(|_| talk()) {
                Some(true) => self.run.capabilities.push(capability),
                Some(false) => {}
                None => self.run.unknown.push(capability),
            }
        }
    }
}

/// What a result is worth, by the list of known failures.
fn weighed(options: &Options, result: CaseResult) -> CaseResult {
    let field = result.wrong().and_then(|wrong| wrong.field);
    let known = &options.known;
    let (verdict, why) = known.weigh(result.case.id, result.verdict, field, result.host_died, options.today);
    CaseResult { verdict, seen: result.verdict, why: why.or(result.why), ..result }
}

/// How often it is tried to find out about a capability.
const PROBES: usize = 3;
