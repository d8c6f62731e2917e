//! What cases and checks come to.

use super::accept::{Grade, Mismatch};
use super::case::{Capability, Case};
use super::talk::{Judged, Said};
use crate::proto::verify::{CheckId, Finding};

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
    /// Whether it fails a run.
    pub const fn is_wrong(self) -> bool {
        matches!(self, Verdict::Fail | Verdict::UnexpectedPass)
    }

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
    /// What became of it, whatever the list of known failures says.
    pub seen: Verdict,
    /// Why, where that does not show in what was looked at.
    pub why: Option<String>,
    /// All that was looked at.
    pub judged: Vec<Judged>,
    /// All that was said.
    pub said: Vec<Said>,
    /// What is worth knowing.
    pub notes: Vec<String>,
    /// Whether it repeated itself less often than it would, for the host takes its time.
    pub is_shortened: bool,
    /// Whether the host serves nobody any more since.
    pub host_died: bool,
}

impl CaseResult {
    pub(super) fn without(case: &'static Case, verdict: Verdict, why: impl Into<String>) -> CaseResult {
        CaseResult {
            case,
            verdict,
            seen: verdict,
            why: Some(why.into()),
            judged: Vec::new(),
            said: Vec::new(),
            notes: Vec::new(),
            is_shortened: false,
            host_died: false,
        }
    }

    /// Since this case the host serves nobody any more.
    pub(super) fn blame_for_death(&mut self, why: String) {
        self.verdict = Verdict::Fail;
        self.host_died = true;
        self.why = Some(format!("afterwards the host serves nobody: {why}"));
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

    /// What is wrong with it, where something is.
    pub fn wrong(&self) -> Option<Wrong<'_>> {
        let mismatch = self.worst()?.mismatch.as_ref()?;
        Some(Wrong { field: Some(mismatch.field), expected: &mismatch.expected, got: &mismatch.got })
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
    /// What became of it, whatever the list of known failures says.
    pub seen: Verdict,
    /// Why, where that does not show in the evidence.
    pub why: Option<String>,
    /// Cases in which it was done and held.
    pub passed: u64,
    /// Cases in which it was done and did not.
    pub failed: u64,
    /// The first failures.
    pub evidence: Vec<Evidence>,
}

impl CheckResult {
    /// What is wrong with it, where something is: what was found first.
    pub fn wrong(&self) -> Option<Wrong<'_>> {
        let finding = &self.evidence.first()?.finding;
        let field = finding.place.map(|place| place.field);
        Some(Wrong { field, expected: &finding.expected, got: &finding.got })
    }
}

/// One failure of a check.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// In which case.
    pub case: &'static str,
    /// What was found.
    pub finding: Finding,
    /// What was asked, and the PDU that shows it.
    pub said: Vec<Said>,
}

/// What a run came to.
#[derive(Debug)]
pub struct Run {
    /// What the host is capable of.
    pub capabilities: Vec<Capability>,
    /// Of what it could not be found out whether it is.
    pub unknown: Vec<Capability>,
    /// Every case that was chosen, in the order of the catalogue.
    pub results: Vec<CaseResult>,
    /// The checks that were done.
    pub checks: Vec<CheckResult>,
    /// Whether it was ended before its end.
    pub interrupted: bool,
    /// Whether the case that must fail did not: then something is wrong with this tool.
    pub canary_lives: bool,
    /// The product of ordinary clients, where the host said that it serves none such.
    pub lacks_product: Option<&'static str>,
}

impl Run {
    /// The ids of cases and checks that fail it.
    pub fn wrong(&self) -> impl Iterator<Item = &'static str> {
        let cases = self.results.iter().filter(|result| result.verdict.is_wrong()).map(|result| result.case.id);
        let checks = self.checks.iter().filter(|result| result.verdict.is_wrong());
        cases.chain(checks.map(|result| result.check.check().id))
    }

    /// How many cases repeated themselves less often than they would, for the host takes its time.
    pub fn shortened(&self) -> usize {
        self.results.iter().filter(|result| result.is_shortened).count()
    }
}

/// What is wrong, in a few words.
#[derive(Debug, Clone, Copy)]
pub struct Wrong<'r> {
    /// The field, where it is one.
    pub field: Option<&'static str>,
    /// What it should be.
    pub expected: &'r str,
    /// What it was.
    pub got: &'r str,
}
