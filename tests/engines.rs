//! Both engines carry a plan out alike: the same requests, answers, verdicts and checks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use kmsproof::checks::{HostKnowledge, Judge};
use kmsproof::engine::{Clock, Drive, EmbeddedLab, Engine, HostUnderTest, Pacer, Settings, Stop, Terms, run_plan};
use kmsproof::events::{Event, Exchange};
use kmsproof::lab::Faults;
use kmsproof::measure::{Measure, ScenarioResult};
use kmsproof::proto::{Moment, Verdict};
use kmsproof::scenario::{Arrive, ConnectionUse, Ids, Plan, ShippedTables, load, shipped};
use kmsproof::wire::kms::LicenseStatus;
use tokio::sync::mpsc;

/// What an exchange came to, as far as it does not depend on when it was made.
type Outcome = String;

struct Carried {
    told: Vec<Exchange>,
    exchanges: BTreeMap<(usize, usize), Outcome>,
    opened: u64,
    closed: u64,
    pdus: u64,
    result: ScenarioResult,
}

fn carry(plan: &Arc<Plan>, faults: &str, drive: Drive) -> Carried {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let clock = Clock::start();
        let faults = if faults.is_empty() { Faults::default() } else { faults.parse().unwrap() };
        let lab = EmbeddedLab::start(1, clock, faults).await.unwrap();
        let host = HostUnderTest {
            addresses: vec![lab.address()],
            lab: Some(lab),
            pacer: Pacer::new(None),
            connections: AtomicU64::new(0),
        };
        let known = HostKnowledge { embedded: true, clock_uncertainty: Duration::ZERO };
        let mut judge = Judge::new(Arc::clone(plan), known);
        let mut measure = Measure::new(Arc::clone(plan));
        let (events, mut received) = mpsc::channel(1024);
        let connection = Settings { timeout: Duration::from_secs(20), record: !drive.tallies };
        let terms = Terms { connection, lasts: Duration::ZERO, drive };
        let run = run_plan(Arc::clone(plan), Arc::new(host), terms, clock, judge.quiet(), events, Stop::default());
        let running = tokio::spawn(run);
        let mut exchanges = BTreeMap::new();
        let mut told = Vec::new();
        let (mut opened, mut closed, mut pdus) = (0, 0, 0);
        while let Some(event) = received.recv().await {
            let event = judge.judge(event);
            match &event {
                Event::Exchange(exchange) => {
                    let steps = &plan.steps[exchange.step];
                    // Whose turn it was among those who ask at a time is up to chance, and so is their count.
                    let in_order = steps.concurrency() == Some(1);
                    let count = exchange.answer.response.as_ref().map(|response| response.count).filter(|_| in_order);
                    let request = &exchange.request;
                    let words = format!(
                        "{} {} {} {:?} {:?} {:02x?} {:?} {:?} count {count:?} {:?} {:?} {:?} syntax {:?} opened {}",
                        exchange.machine,
                        request.version,
                        request.cmid,
                        // What a machine says of itself follows from what it was told by then.
                        in_order.then_some(request.license_status),
                        request.workstation,
                        exchange.request_iv,
                        exchange.outcome.wire,
                        in_order.then_some(exchange.outcome.verdict),
                        exchange.answer.checks.failed,
                        exchange.answer.failure.as_ref().map(|failure| (failure.phase, failure.class())),
                        exchange.judgement.as_ref().map(|judgement| judgement.divergences.len()),
                        // The first call of a connection goes over another syntax than later ones.
                        (in_order || steps.connection == ConnectionUse::Each).then_some(exchange.syntax),
                        exchange.opened.is_some() || !in_order,
                    );
                    assert!(exchanges.insert((exchange.step, exchange.position), words).is_none());
                    told.push(exchange.as_ref().clone());
                }
                Event::ConnectionOpened { .. } => opened += 1,
                Event::ConnectionClosed { .. } => closed += 1,
                Event::Pdu { .. } => pdus += 1,
                _ => {}
            }
            measure.observe(&event);
        }
        running.await.unwrap();
        Carried { told, exchanges, opened, closed, pdus, result: measure.finish(judge.remarks()) }
    })
}

fn drive(engine: Engine, tallies: bool) -> Drive {
    Drive { engine, tallies, workers: Some(1), ..Drive::default() }
}

fn plan(source: &str) -> Arc<Plan> {
    let scenario = load(source, "engines.toml", &ShippedTables);
    Arc::new(scenario.unwrap_or_else(|problems| panic!("{}", problems.render(false))).plan(1, Ids::Seeded))
}

/// Everything a step can be, in a second or two.
const ALL_KINDS: &str = r#"
name = "engines"
question = "Do both do the same?"
[clients.pc]
count = 120
product = "Windows 11 Enterprise"
[clients.office]
count = 8
products = ["Windows Server 2022 Standard", "Office Professional Plus 2019"]
vm = "30%"
[clients.off]
count = 3
product = "Windows 11 Enterprise"
clock = { skew = "5h" }
[[step]]
title = "one by one"
clients = ["office", "off"]
protocol = ["4.0", "5.0", "6.0"]
syntax = ["windows", "ndr32", "ndr64"]
[[step]]
title = "one connection for all"
clients = ["office"]
connection = "kept"
repeat = 3
[[step]]
title = "many at a time"
clients = ["pc", "off"]
arrive = { concurrency = 16 }
repeat = 3
[[step]]
title = "many at a time, kept"
clients = ["pc"]
arrive = { concurrency = 8 }
connection = "kept"
repeat = 5
[[step]]
title = "at a rate"
clients = ["pc", "office"]
arrive = { rate = "2000/s", spread = "poisson" }
[[step]]
title = "nobody is there"
host = "down"
clients = ["off"]
arrive = { concurrency = 3 }
[[step]]
title = "a fresh host"
host = "fresh"
clients = ["pc"]
arrive = { rate = "2000/s", burst = 10 }
"#;

#[test]
fn every_exchange_comes_to_the_same() {
    let plan = plan(ALL_KINDS);
    let [one, other] = [Engine::Portable, Engine::Epoll].map(|engine| carry(&plan, "", drive(engine, false)));
    assert_eq!(one.exchanges.len(), plan.arrivals());
    for (place, outcome) in &one.exchanges {
        assert_eq!(other.exchanges.get(place), Some(outcome), "step and position {place:?}");
    }
    assert_eq!(other.exchanges.len(), one.exchanges.len());
    // How often connections can be kept where several ask at a time is up to chance, but each is told of.
    assert_eq!((one.opened, other.opened), (one.closed, other.closed));
    assert!(one.pdus > 1000 && other.pdus > 1000);
    same_sums(&one.result, &other.result);
    for carried in [&one, &other] {
        assert!(carried.result.failed_predictions().next().is_none());
        assert_eq!(carried.result.totals.requests, plan.arrivals() as u64);
    }
}

/// Whose turn it was is up to chance; how many were told what is not.
fn same_sums(one: &ScenarioResult, other: &ScenarioResult) {
    for (step, (one, other)) in one.steps.iter().zip(&other.steps).enumerate() {
        assert_eq!((&one.verdicts, one.counts), (&other.verdicts, other.counts), "step {step}");
        assert_eq!((one.exchanges, one.wrong), (other.exchanges, other.wrong), "step {step}");
    }
    assert_eq!(one.statuses, other.statuses);
    assert_eq!((&one.wire, &one.verdicts, &one.shown), (&other.wire, &other.verdicts, &other.shown));
}

#[test]
fn what_is_told_together_comes_to_the_same_sums() {
    let plan = plan(ALL_KINDS);
    let [single, together] = [false, true].map(|tallies| carry(&plan, "", drive(Engine::Epoll, tallies)));
    // How many depends on how soon the counts are settled, which is up to chance.
    assert!(together.exchanges.len() < single.exchanges.len(), "{}", together.exchanges.len());
    let (single, together) = (single.result, together.result);
    assert_eq!(together.totals.requests, single.totals.requests);
    assert_eq!(together.totals.responses, single.totals.responses);
    same_sums(&together, &single);
    assert_eq!(together.predicted, single.predicted);
    assert_eq!(together.latency.service.count(), single.latency.service.count());
    assert_eq!(together.latency.late.count(), single.latency.late.count());
    let failed = |result: &ScenarioResult| -> Vec<_> {
        result
            .checks
            .iter()
            .map(|(check, outcome)| (*check, outcome.failed))
            .filter(|(_, failed)| *failed > 0)
            .collect()
    };
    assert_eq!(failed(&together), failed(&single));
    for (check, outcome) in &single.checks {
        assert!(together.checks.contains_key(check), "{check}");
        // Checks of the history bind only answers that came after others were sent.
        if !check.check().id.contains("history")
            && !check.check().id.contains("bind")
            && !check.check().id.contains("alter")
        {
            let sums = |outcome: &kmsproof::measure::CheckResult| outcome.passed + outcome.failed;
            let (one, other) = (sums(&together.checks[check]), sums(outcome));
            assert!(one.abs_diff(other) * 4 <= other, "{check}: {one} and {other}");
        }
    }
    assert!(together.effort.started as usize <= plan.arrivals() && together.effort.started > 0);
}

#[test]
fn faults_are_found_by_both_and_where_much_is_told_together() {
    let plan = plan(
        "name = \"faulty\"\nquestion = \"Is it found?\"\n[clients.pc]\ncount = 300\nproduct = \"Windows 11 Enterprise\"\n\
         [[step]]\ntitle = \"all\"\nclients = [\"pc\"]\narrive = { concurrency = 16 }\nconnection = \"kept\"\nrepeat = 10\n\
         [[step]]\ntitle = \"again\"\nclients = [\"pc\"]\narrive = { concurrency = 16 }\nrepeat = 2\n",
    );
    for fault in ["mixes-up-connections", "drops-one-in-fifty", "caps-at-ten-for-ever", "closes-after-binding"] {
        let of = |engine, tallies| {
            let result = carry(&plan, fault, drive(engine, tallies)).result;
            let checks: Vec<_> =
                result.checks.iter().filter(|(_, outcome)| outcome.failed > 0).map(|(id, _)| *id).collect();
            // Whether a connection that the host drops ends with a FIN or a RST is up to chance.
            let failures: BTreeSet<_> =
                result.failures.keys().map(|class| if *class == "reset" { "closed" } else { class }).collect();
            let differs: Vec<_> = result.failed_predictions().map(|(id, _)| id).collect();
            (checks, failures, differs)
        };
        let portable = of(Engine::Portable, false);
        assert!(portable != (vec![], BTreeSet::new(), vec![]), "{fault}");
        assert_eq!(of(Engine::Epoll, false), portable, "{fault}");
        assert_eq!(of(Engine::Epoll, true), portable, "{fault}");
    }
}

#[test]
fn shipped_scenarios_end_alike() {
    for name in ["smoke", "versions", "unsupported-product", "cloned-images"] {
        let (_, file, source) = shipped().iter().find(|(shipped, ..)| *shipped == name).unwrap();
        let plan = Arc::new(load(source, file, &ShippedTables).unwrap().plan(7, Ids::Seeded));
        let [one, other] = [Engine::Portable, Engine::Epoll].map(|engine| carry(&plan, "", drive(engine, false)));
        assert!(one.result.passed() && other.result.passed(), "{name}");
        assert_eq!(one.exchanges, other.exchanges, "{name}");
    }
}

/// Ten days in a second and a half, hours in half a second.
const LEASES: &str = r#"
name = "leases"
question = "Do both ask when leases make them?"
[clients.pc]
count = 30
product = "Windows 11 Enterprise"
n-policy = 1
[clients.aged]
count = 10
product = "Windows Server 2022 Standard"
n-policy = 1
lease = { age = ["0d", "3d"] }
[clients.back]
count = 5
product = "Windows 11 Enterprise"
n-policy = 1
away = [{ from = "0d", to = "4d" }]
[clients.off]
count = 2
product = "Windows 11 Enterprise"
clock = { skew = "5h" }
[clients.late]
count = 3
product = "Windows 11 Enterprise"
n-policy = 1
[[step]]
title = "all of them"
clients = ["pc", "aged", "back", "off"]
arrive = { lifecycle = "10d 12h", speed = 604800 }
[[step]]
title = "nobody is there"
host = "down"
clients = ["late"]
arrive = { lifecycle = "5h", speed = 36000 }
[[step]]
title = "and back"
clients = ["late"]
arrive = { lifecycle = "4h", speed = 36000 }
"#;

#[test]
fn machines_ask_when_their_leases_make_them() {
    let plan = plan(LEASES);
    let [one, other] = [Engine::Portable, Engine::Epoll].map(|engine| carry(&plan, "", drive(engine, false)));
    for carried in [&one, &other] {
        assert!(carried.result.failed_predictions().next().is_none());
        let ivs: BTreeSet<_> = carried.told.iter().map(|exchange| exchange.request_iv).collect();
        assert_eq!(ivs.len(), carried.told.len(), "no two requests are sealed alike");
        for (machine, asks) in &by_machine(carried) {
            keeps_to_its_lease(&plan, machine, asks);
        }
        nobody_is_forgotten(&plan, carried);
    }
    let firsts = |carried: &Carried| -> Vec<_> {
        by_machine(carried).into_iter().map(|(machine, asks)| (machine, asks[0].outcome.verdict)).collect()
    };
    assert_eq!(firsts(&one), firsts(&other));
    assert_eq!(firsts(&one).len(), 30 + 10 + 5 + 2 + 3 + 3);
    // How often they ask is the same as long as nobody is held up for hours of the leases' time.
    let in_time = |carried: &Carried| carried.told.iter().all(|exchange| exchange.response() < HELD_UP);
    if in_time(&one) && in_time(&other) {
        let often = |carried: &Carried| -> Vec<_> {
            let all = by_machine(carried).into_iter().filter(|((_, machine), _)| !machine.starts_with("off"));
            all.map(|(machine, asks)| (machine, asks.iter().map(|ask| ask.outcome.verdict).collect::<Vec<_>>()))
                .collect()
        };
        assert_eq!(often(&one), often(&other));
        let asked = |group: &str| {
            often(&one)
                .iter()
                .filter(|((_, machine), _)| machine.starts_with(group))
                .map(|(_, asks)| asks.len())
                .sum::<usize>()
        };
        assert_eq!(["pc", "aged", "back", "late"].map(asked), [60, 10, 5, 9 + 3]);
    }
}

#[test]
fn what_leases_make_machines_ask_is_told_together_too() {
    let plan = plan(
        "name = \"renewals\"\nquestion = \"Are they renewed?\"\n[clients.pc]\ncount = 30\nn-policy = 1\n\
         product = \"Windows 11 Enterprise\"\n[[step]]\ntitle = \"all\"\nclients = [\"pc\"]\nconnection = \"kept\"\n\
         arrive = { lifecycle = \"24d 12h\", speed = 1000000 }\n",
    );
    for workers in [1, 2] {
        let carried = carry(&plan, "", Drive { workers: Some(workers), ..drive(Engine::Epoll, true) });
        let result = &carried.result;
        assert!(result.failed_predictions().next().is_none());
        assert!(carried.told.len() < result.totals.requests as usize, "{} are told one by one", carried.told.len());
        assert_eq!(result.totals.requests, result.totals.responses);
        // They say that they are licensed once they are, be that told or not.
        assert_eq!(result.statuses[&LicenseStatus::OOB_GRACE], 30);
        assert_eq!(result.statuses[&LicenseStatus::LICENSED], result.totals.requests - 30);
        assert!(result.totals.requests <= 4 * 30, "nobody asks early");
        if Duration::from_nanos(result.latency.response.max_ns()) < HELD_UP {
            assert_eq!(result.totals.requests, 4 * 30);
        }
    }
}

/// What each machine asked in each step, in order.
fn by_machine(carried: &Carried) -> BTreeMap<(usize, String), Vec<&Exchange>> {
    let mut machines: BTreeMap<_, Vec<&Exchange>> = BTreeMap::new();
    for exchange in &carried.told {
        machines.entry((exchange.step, exchange.machine.clone())).or_default().push(exchange);
    }
    machines.values_mut().for_each(|asks| asks.sort_by_key(|exchange| exchange.started));
    machines
}

/// When whoever got this answer is due again.
fn due_again(plan: &Plan, exchange: &Exchange) -> Moment {
    let Arrive::Lifecycle { speed, .. } = plan.steps[exchange.step].arrive else { panic!("{exchange:?}") };
    let wait = if exchange.outcome.verdict == Verdict::Activated { 7 * DAY } else { DAY / 12 };
    exchange.received + wait / speed
}

/// Each request was due an interval after the answer before it, to the microsecond, and no earlier.
fn keeps_to_its_lease(plan: &Plan, machine: &(usize, String), asks: &[&Exchange]) {
    for pair in asks.windows(2) {
        let (due, started) = (due_again(plan, pair[0]), pair[1].started);
        assert!((due - started).max(started - due) < Duration::from_micros(1), "{machine:?}: {due:?}, {started:?}");
    }
    assert!(asks.iter().all(|exchange| exchange.asked >= exchange.started), "{machine:?} asked early");
}

/// Whoever was due in the first step's time has asked.
fn nobody_is_forgotten(plan: &Plan, carried: &Carried) {
    let Arrive::Lifecycle { span, speed } = plan.steps[0].arrive else { panic!("{:?}", plan.steps[0].arrive) };
    let first = carried.told.iter().filter(|exchange| exchange.step == 0).map(|exchange| exchange.started).min();
    // The first asks within a minute of the leases' time.
    let ends = first.unwrap() + (span - Duration::from_secs(60)) / speed;
    for (machine, asks) in by_machine(carried).iter().filter(|((step, _), _)| *step == 0) {
        let due = due_again(plan, asks[asks.len() - 1]);
        assert!(due >= ends, "{machine:?} was due at {due:?}, before {ends:?}");
    }
}

const DAY: Duration = Duration::from_secs(86_400);
/// Longer than that for an exchange, and somebody may ask once less in these tests.
const HELD_UP: Duration = Duration::from_millis(40);
