//! Proof that the suite bites: every fault of the lab host is put before it, every legal variation,
//! and the honest host.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::civil::date;

use super::case::{Case, Confidence, Level};
use super::result::{Run, Verdict};
use super::run::{Options, run};
use super::{Judged, KnownFailures, MemoryHost, Profile, Service, cases, requirements};
use crate::lab::{Fault, Faults};
use crate::proto::verify::{CheckId, Level as CheckLevel};
use crate::wire::FileTime;

/// What all of it came to.
#[derive(Debug)]
pub struct Proof {
    /// What was seen of each fault that a case or check must find.
    pub faults: Vec<Found>,
    /// Faults that show only over months or under load, which are scenarios' to find.
    pub elsewhere: Vec<&'static str>,
    /// False alarms: with the honest host or a legal variation, and of which case or check.
    pub alarms: Vec<(&'static str, String)>,
    /// Legal variations, each with the cases and checks that are not strict with it.
    pub variations: Vec<(&'static Fault, Vec<&'static str>)>,
    /// Cases and checks that can fail a run and find no fault.
    pub idle: Vec<&'static str>,
}

/// What was seen of one fault.
#[derive(Debug)]
pub struct Found {
    /// The fault.
    pub fault: &'static Fault,
    /// What must find it and did not.
    pub missed: Vec<&'static str>,
    /// All that fails, with the fields that are wrong.
    pub failing: BTreeMap<&'static str, BTreeSet<&'static str>>,
    /// Whether a run fails that is not strict, too.
    pub fails_by_default: bool,
}

impl Proof {
    /// Whether every fault is found for its own reason, nobody else is blamed, and no case is idle.
    pub fn holds(&self) -> bool {
        self.alarms.is_empty() && self.idle.is_empty() && self.faults.iter().all(|found| found.missed.is_empty())
    }

    /// How many cases and checks fail with a fault: the median. The fewer, the nearer to a diagnosis.
    pub fn specificity(&self) -> usize {
        let mut many: Vec<_> = self.faults.iter().map(|found| found.failing.len()).collect();
        many.sort_unstable();
        many.get(many.len() / 2).copied().unwrap_or_default()
    }
}

/// Puts every case to every lab host there is, `workers` at a time. `told` hears how many faults are done, of how many.
pub fn prove(workers: usize, told: &(dyn Fn(usize, usize) + Sync)) -> Proof {
    let (mut faults, elsewhere): (Vec<_>, Vec<_>) =
        Fault::all().iter().copied().partition(|fault| !fault.caught_by.is_empty());
    faults.sort_by_key(|fault| fault.name);
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..workers.max(1) {
            scope.spawn(|| {
                while let Some(fault) = faults.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let one = look_for(fault);
                    let mut found = found.lock().expect("nobody panics with it");
                    found.push(one);
                    told(found.len(), faults.len());
                }
            });
        }
    });
    let mut found = found.into_inner().expect("nobody panics with it");
    found.sort_by_key(|one: &Found| one.fault.name);
    let mut alarms: Vec<_> = (1..=SEEDS).flat_map(|seed| alarms_of_honest_host(Faults::default(), seed)).collect();
    let mut variations = Vec::new();
    for variation in Fault::variations() {
        let run = put(one(variation), 1, false);
        alarms.extend(alarms_of(&run, false).into_iter().map(|alarm| (variation.name, alarm)));
        let loose = run.results.iter().filter(|result| result.verdict == Verdict::NonStrict);
        variations.push((variation, loose.map(|result| result.case.id).collect()));
    }
    let finds = |id: &str| found.iter().any(|one: &Found| killers(one.fault).any(|(killer, _)| killer == id));
    let idle_cases = cases::all().filter(|case| can_fail(case) && !finds(case.id)).map(|case| case.id);
    let checks = CheckId::ALL.iter().map(|check| check.check());
    let idle_checks = checks.filter(|check| check.level != CheckLevel::May && !finds(check.id)).map(|check| check.id);
    let idle = idle_cases.chain(idle_checks).collect();
    let elsewhere = elsewhere.into_iter().map(|fault| fault.name).collect();
    Proof { faults: found, elsewhere, alarms, variations, idle }
}

/// False alarms over a network that jitters, of one run with the honest host and one with each legal variation: with
/// whom, and of what.
pub fn false_alarms(seed: u64) -> Vec<(&'static str, String)> {
    let jitters = Fault::variations().iter().find(|variation| variation.name == "jitters").expect("there is one");
    let of_variation = |variation: &'static Fault| {
        let both = if variation.name == jitters.name { vec![jitters] } else { vec![jitters, variation] };
        let run = put(Faults::new(both).expect("each is named once"), seed, false);
        alarms_of(&run, false).into_iter().map(|alarm| (variation.name, alarm))
    };
    alarms_of_honest_host(one(jitters), seed).chain(Fault::variations().iter().flat_map(of_variation)).collect()
}

fn alarms_of_honest_host(behind: Faults, seed: u64) -> impl Iterator<Item = (&'static str, String)> {
    alarms_of(&put(behind, seed, true), true).into_iter().map(|alarm| ("the honest host", alarm))
}

/// The matrix as people read it: each fault, what must find it, and how many cases and checks fail with it.
pub fn matrix(proof: &Proof) -> String {
    let mut out = String::from(
        "# Faults and what finds them\n\nEvery fault of the lab host (`kmsproof lab --list-faults`), the case or check, \
         and the field, that must find it, and how\nmany cases and checks fail with it under the profile `strict`; \
         and whether a run under the profile `windows` fails as well, or\nreports it. Generated by \
         `tests/matrix.rs`.\n\n| fault | found by | failing | `windows` |\n| --- | --- | ---: | --- |\n",
    );
    for found in &proof.faults {
        let by: Vec<_> = found.fault.caught_by.iter().map(|by| format!("`{by}`")).collect();
        let usual = if found.fails_by_default { "fails" } else { "reports" };
        let (name, many) = (found.fault.name, found.failing.len());
        let _ = writeln!(out, "| `{name}` | {} | {many} | {usual} |", by.join(" "));
    }
    let _ = writeln!(
        out,
        "\nLegal variations, with which nothing may fail under the profile `windows`, and what is not strict with them:\n"
    );
    for (variation, loose) in &proof.variations {
        let loose: Vec<_> = loose.iter().map(|id| format!("`{id}`")).collect();
        let not_strict = if loose.is_empty() { String::new() } else { format!(" Not strict: {}.", loose.join(", ")) };
        let _ = writeln!(out, "- `{}` {}{not_strict}", variation.name, variation.does);
    }
    let _ = writeln!(
        out,
        "\nFaults that show only over weeks, among thousands of machines, by chance, or with products that the suite does not ask \
         for, which\nscenarios find (`tests/scenarios.rs`):\n"
    );
    for name in &proof.elsewhere {
        let _ = writeln!(out, "- `{name}`");
    }
    out
}

/// Every requirement, where it comes from, how it is verified and which faults prove that; and what cannot be verified.
pub fn coverage(proof: &Proof) -> String {
    let mut out = String::from(
        "# Requirements and how they are verified\n\nEvery requirement of the suite, where it comes from, and the \
         faults of the lab host that prove that its case or check\nbites. Generated by `tests/matrix.rs`.\n\n\
         | id | level | requirement | source | proved by |\n| --- | --- | --- | --- | --- |\n",
    );
    let proved = |id: &str, otherwise: &str| {
        let by = proof.faults.iter().filter(|found| killers(found.fault).any(|(killer, _)| killer == id));
        let names: Vec<_> = by.map(|found| format!("`{}`", found.fault.name)).collect();
        if names.is_empty() { otherwise.to_owned() } else { names.join(" ") }
    };
    for case in cases::all() {
        let otherwise = if can_fail(case) { "nothing" } else { "records only, never fails" };
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} | {} |",
            case.id,
            case.level,
            case.requirement,
            case.sources,
            proved(case.id, otherwise)
        );
    }
    for check in CheckId::ALL.iter().map(|check| check.check()) {
        let otherwise = if check.level == CheckLevel::May { "records only, never fails" } else { "nothing" };
        let by = proved(check.id, otherwise);
        let _ =
            writeln!(out, "| `{}` | {} | {} | {} | {by} |", check.id, check.level, check.requirement, check.reference);
    }
    out + &requirements::tables()
}

fn look_for(fault: &'static Fault) -> Found {
    let run = put(one(fault), 1, true);
    let (failing, fails_by_default) = (failing(&run), fails_under(&Profile::windows(), &run));
    let is_found = |(id, field): (&str, Option<&str>)| {
        failing.get(id).is_some_and(|fields| field.is_none_or(|field| fields.contains(field)))
    };
    let missed = fault.caught_by.iter().copied().filter(|by| !is_found(killer(by))).collect();
    Found { fault, missed, failing, fails_by_default }
}

/// Cases that find their fault only when others were put to the host before them: then the command that repeats a
/// failure would not.
pub fn dependent() -> Vec<String> {
    let declared = Fault::all().iter().copied().flat_map(|fault| killers(fault).map(move |killer| (fault, killer)));
    let cases = declared
        .filter_map(|(fault, (id, field))| cases::all().find(|case| case.id == id).map(|case| (fault, case, field)));
    let finds_alone = |fault: &'static Fault, case: &'static Case, field: Option<&str>| {
        let failing = failing(&put_these(&[case], one(fault), 1, true));
        failing.get(case.id).is_some_and(|fields| field.is_none_or(|field| fields.contains(field)))
    };
    cases
        // This one looks at how the whole run went.
        .filter(|(_, case, _)| case.id != "load/steady")
        .filter(|(fault, case, field)| !finds_alone(fault, case, *field))
        .map(|(fault, case, _)| format!("{} needs others before it to find {}", case.id, fault.name))
        .collect()
}

fn put(faults: Faults, seed: u64, strict: bool) -> Run {
    let all: Vec<_> = cases::all().collect();
    put_these(&all, faults, seed, strict)
}

fn put_these(chosen: &[&'static Case], faults: Faults, seed: u64, strict: bool) -> Run {
    let mut host = MemoryHost::new(faults, seed, NOW);
    let profile = if strict { Profile::strict() } else { Profile::windows() };
    let (known, today) = (KnownFailures::default(), date(2026, 1, 1));
    let options = Options { profile, known, today, disruptive: true, jobs: 1, seed, service: Service::KMS };
    run(&mut host, chosen, &options, &mut |_| true)
}

fn one(fault: &'static Fault) -> Faults {
    Faults::new(vec![fault]).expect("it is named once")
}

/// Whether a run would fail under this profile as well: a case only observes, so that nothing has to be put again.
fn fails_under(profile: &Profile, run: &Run) -> bool {
    let is_failure = |verdict: Option<Verdict>| verdict == Some(Verdict::Fail);
    let cases = run.results.iter().filter(|result| result.verdict == Verdict::Fail);
    let checks = run.checks.iter().filter(|result| result.verdict == Verdict::Fail).map(|result| result.check.check());
    // A case that failed without anything it looked at is the ordinary exchange itself, or a death.
    let fails = |judged: &[Judged], case: &Case| judged.is_empty() || is_failure(profile.verdict_on(case, judged));
    cases.into_iter().any(|result| result.host_died || fails(&result.judged, result.case))
        || checks.into_iter().any(|check| profile.check_verdict(check.id, check.level) == Verdict::Fail)
}

/// What fails: cases with the fields that are wrong, and checks.
fn failing(run: &Run) -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut failing = BTreeMap::<_, BTreeSet<_>>::new();
    for result in run.results.iter().filter(|result| result.verdict == Verdict::Fail) {
        failing.entry(result.case.id).or_default().extend(result.fields());
    }
    for result in run.checks.iter().filter(|result| result.verdict == Verdict::Fail) {
        failing.entry(result.check.check().id).or_default();
    }
    failing
}

/// What is no pass where everything is as it may be; under the strict profile, what is anything else.
fn alarms_of(run: &Run, strict: bool) -> Vec<String> {
    let is_alarm = move |verdict| match verdict {
        Verdict::Pass | Verdict::Recorded => false,
        Verdict::NonStrict | Verdict::NotApplicable => strict,
        _ => true,
    };
    let cases = run.results.iter().filter(move |result| is_alarm(result.verdict)).map(|result| {
        let what = result.wrong().map(|wrong| {
            let (field, expected, got) = (wrong.field.unwrap_or_default(), wrong.expected, wrong.got);
            format!(": {field} should be {expected}, was {got}")
        });
        format!(
            "{} {}{} {}",
            result.case.id,
            result.verdict,
            what.unwrap_or_default(),
            result.why.as_deref().unwrap_or("")
        )
    });
    let checks = run.checks.iter().filter(move |result| is_alarm(result.verdict)).map(|result| {
        format!("{} {}: {:?}", result.check, result.verdict, result.evidence.first().map(|first| &first.finding))
    });
    let canary = run.canary_lives.then(|| "the canary lives".to_owned());
    cases.chain(checks).chain(canary).collect()
}

fn can_fail(case: &Case) -> bool {
    case.confidence != Confidence::Low && case.level != Level::Info
}

fn killers(fault: &Fault) -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
    fault.caught_by.iter().copied().map(killer)
}

fn killer(by: &'static str) -> (&'static str, Option<&'static str>) {
    by.split_once('#').map_or((by, None), |(id, field)| (id, Some(field)))
}

/// Seeds the honest host is put to the test with.
const SEEDS: u64 = 10;
const NOW: FileTime = FileTime::RECORDED_AT;
