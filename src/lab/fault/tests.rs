//! Every fault beside the honest host, on literal requests.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::*;
use crate::catalog;
use crate::client::Machine;
use crate::client::identity::{ClientId, Group, Index};
use crate::crypto::envelope;
use crate::lab::{HostIdentity, LabHost};
use crate::proto::{Ask, sealing};
use crate::wire::kms::{ActivationResponse, Envelope, LicenseStatus, ProtocolVersion, WorkstationName};
use crate::wire::{FileTime, Guid, Layer, Reader};

#[test]
fn each_fault_differs_from_the_honest_host_where_it_should() {
    for Row { fault, said, honest, faulty } in rows() {
        let came = (outcomes(&[], &said), outcomes(&[fault], &said));
        assert_eq!(came, (honest.to_owned(), faulty.to_owned()), "the honest host and {fault}");
    }
}

#[test]
fn every_fault_that_no_case_finds_has_a_row() {
    let rows: BTreeSet<_> = rows().iter().map(|row| row.fault).collect();
    // What the conformance suite finds has its proof there, and what shows in PDUs or connections has its own tests.
    let unproved = Fault::all().iter().filter(|fault| fault.caught_by.is_empty() && fault.place() == Place::Answers);
    let missing: Vec<_> = unproved.map(|fault| fault.name).filter(|name| !rows.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn names_are_sorted_unique_slugs_and_the_rest_are_sentences() {
    assert!(Fault::all().is_sorted_by(|one, next| one.name < next.name));
    for fault @ Fault { name, does, hurts, .. } in Fault::all().iter().copied().chain(Fault::variations()) {
        let words: Vec<_> = name.split('-').collect();
        let slug = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        assert!((words.len() > 1 || fault.is_legal()) && words.iter().all(slug), "{name}");
        for sentence in [does, hurts] {
            assert!(sentence.ends_with('.') && !sentence.contains("  "), "{name}: {sentence}");
            assert!(sentence.starts_with(char::is_uppercase), "{name}: {sentence}");
        }
        // Of a fault and a variation of the same name, one could not be asked for.
        assert_eq!(Fault::named(name).unwrap().does, *does);
    }
}

#[test]
fn faults_compose() {
    let said = Said::crowd(SERVER, 7);
    assert_eq!(outcomes(&["stops-at-n"], &said), "1..5 2 x 5");
    assert_eq!(outcomes(&["stops-at-n", "forgets-to-count-requester"], &said), "0..5 5");
    assert_eq!(
        outcomes(&["stops-at-n", "forgets-to-count-requester", "says-never"], &said[..2]),
        "0, 0/0 min 1, 0/0 min"
    );
    // One rule, twice changed: in the order they are named.
    let wrong = [ask(WINDOWS, 1).status(5).name("b")];
    assert_eq!(outcomes(&["wants-license", "refuses-notification"], &wrong), "0xC004F009");
    assert_eq!(outcomes(&["refuses-notification", "wants-license"], &wrong), "0xC004F056");
}

#[test]
fn the_chances_of_a_fault_follow_from_the_seed_alone() {
    let denied = |faults: &str, seed| {
        let mut host = LabHost::new(HostIdentity::default(), seed).with_faults(faults.parse().unwrap());
        let came = Said::crowd(SERVER, 40).into_iter().map(move |said| said.to(&mut host).unwrap());
        came.map(|outcome| outcome == "0x80070005").collect::<Vec<_>>()
    };
    let alone = denied("sends-access-denied", 1);
    assert_eq!(alone.iter().filter(|denied| **denied).count(), 4);
    assert_eq!(denied("sends-access-denied", 1), alone);
    // What else is wrong with the host changes no chances.
    assert_eq!(denied("loses-updates,mixes-up-connections,sends-access-denied", 1), alone);
    assert_ne!(denied("sends-access-denied", 2), alone);
}

#[test]
fn an_emptied_host_has_forgotten_its_clients_and_not_its_faults() {
    let mut host = host(&["second-office-refused", "stops-at-n"]);
    let visio = ask("Office Visio Pro 2016", 1);
    assert_eq!(ask(OFFICE, 1).to(&mut host).unwrap(), "1");
    assert_eq!(visio.to(&mut host).unwrap(), "0xC004F042");
    host.forget_clients();
    assert_eq!(visio.to(&mut host).unwrap(), "1");
    assert_eq!(ask(OFFICE, 1).to(&mut host).unwrap(), "0xC004F042");
    assert_eq!(host.faults().names(), "second-office-refused, stops-at-n");
}

#[test]
fn no_fault_and_not_all_of_them_answer_a_real_machine() {
    let real: Guid = "cc400c61-a898-4d10-ac36-1c796600b420".parse().unwrap();
    let each = Fault::all().iter().map(|fault| vec![fault.name]);
    let all = Fault::all().iter().map(|fault| fault.name).collect();
    for faults in each.chain([all]) {
        let mut host = host(&faults);
        for said in [ask(WINDOWS, 1), ask(OFFICE, 1), ask("Windows 7 Enterprise", 1)] {
            for number in 0..60 {
                // One of ours before each, whom a mix-up could name.
                said.to(&mut host);
                let Said::Asks(mut asks) = said.clone() else { unreachable!() };
                asks.request.cmid = real;
                let (_, answer) = host.respond(Ask::new(asks.request, [7; 16]).payload(), NOW);
                assert!(answer.is_err(), "{faults:?}, request {number}");
            }
        }
    }
}

#[test]
fn names_are_read_and_printed_alike_and_a_slip_is_told() {
    let faults: Faults = "loses-updates, ignores-skew".parse().unwrap();
    assert_eq!(
        (faults.to_string(), faults.names()),
        ("loses-updates,ignores-skew".into(), "loses-updates, ignores-skew".into())
    );
    assert_eq!(faults.to_string().parse(), Ok(faults));
    for (text, nearest) in [("igores-skew", Some("ignores-skew")), ("Never-Caps", Some("never-caps")), ("xyzzy", None)]
    {
        let Err(FaultsError::Unknown(unknown)) = text.parse::<Faults>() else { panic!("{text}") };
        assert_eq!(unknown.nearest(), nearest, "{text}");
    }
    for text in ["", " ", "never-caps,", ",never-caps"] {
        assert_eq!(text.parse::<Faults>(), Err(FaultsError::Missing), "{text}");
    }
    assert_eq!("never-caps,never-caps".parse::<Faults>(), Err(FaultsError::Twice("never-caps")));
}

/// A fault, what is said to a host, and what comes of it.
struct Row {
    fault: &'static str,
    said: Vec<Said>,
    honest: &'static str,
    faulty: &'static str,
}

/// Outcomes are counts, and codes where it is refused: see [`compact`].
macro_rules! rows {
    ($($fault:literal: $said:expr => $honest:literal, $faulty:literal;)*) => {
        fn rows() -> Vec<Row> {
            vec![$(Row { fault: $fault, said: Vec::from($said), honest: $honest, faulty: $faulty }),*]
        }
    };
}

rows! {
    "accepts-any-version": [ask(WINDOWS, 1).version(7, 0), ask(WINDOWS, 2).version(3, 0), ask(WINDOWS, 3)]
        => "2 x 0x8007000D 1", "2 x granted 3";
    "caps-at-ten-for-ever": Said::crowd(WINDOWS, 12) => "1..12", "1..10 2 x 10";
    "compares-local-time": [ask(WINDOWS, 1), ask(WINDOWS, 2).off(hours(8)), ask(WINDOWS, 3).off(hours(4))]
        => "1 0xC004F06C 2", "0xC004F06C 1..2";
    "count-sticks-at-one": Said::crowd(SERVER, 3) => "1..3", "3 x 1";
    "counts-applications-together": [ask(WINDOWS, 1), ask(OFFICE, 2), ask("Office Professional Plus 2010", 3)]
        => "3 x 1", "1..3";
    "counts-clients-and-servers-apart": [ask(WINDOWS, 1), ask(SERVER, 2), ask(WINDOWS, 3), ask(OFFICE, 4)]
        => "1..3 1", "2 x 1 2 1";
    "counts-clones-apart": [ask(SERVER, 1).name("a"), ask(SERVER, 1).name("b"), ask(SERVER, 1).name("a")]
        => "3 x 1", "1..2 2";
    "counts-renewals-twice": [ask(SERVER, 1), ask(SERVER, 1), ask(SERVER, 1)] => "3 x 1", "1..3";
    "drops-one-in-fifty": Said::crowd(SERVER, 50) => "1..10 40 x 10", "1..10 15 x 10 hung up 24 x 10";
    // Ten servers on ten days, an eleventh on the twelfth, and once more when thirty days are over for some.
    "evicts-newest": (0..10).map(|day| ask(SERVER, day + 1).on_day(i64::from(day)))
        .chain([ask(SERVER, 11).on_day(11), ask(SERVER, 11).on_day(31)]).collect::<Vec<_>>()
        => "1..10 10 9", "1..10 10 8";
    "expires-after-a-week": [ask(SERVER, 1), ask(SERVER, 2).on_day(6), ask(SERVER, 3).on_day(7)] => "1..3", "1..2 2";
    "forgets-on-outage": [ask(SERVER, 1), ask(SERVER, 2), Said::Outage, ask(SERVER, 3)] => "1..3", "1..2 1";
    "forgets-to-count-requester": [ask(SERVER, 1), ask(SERVER, 2), ask(SERVER, 2)] => "1..2 2", "0..2";
    "four-hours-exclusive": [ask(WINDOWS, 1).off(hours(4)), ask(WINDOWS, 2).off(hours(-4)), ask(WINDOWS, 3).off(hours(3))]
        => "1..3", "2 x 0xC004F06C 1";
    "ignores-application": [
        ask(WINDOWS, 1).application(catalog::Application::Office),
        ask(WINDOWS, 2).counted_id(Guid::from_u128(7)),
        ask(HOME, 3),
    ] => "3 x 0xC004F042", "1 2 x 0xC004F042";
    "ignores-skew": [ask(WINDOWS, 1).off(hours(5)), ask(WINDOWS, 2).at(FileTime(0)), ask(WINDOWS, 3).at(FileTime(u64::MAX))]
        => "3 x 0xC004F06C", "1..3";
    "knows-only-v4": versions() => "1..3", "1 2 x 0x8007000D";
    "loses-updates": Said::crowd_of(SERVER, 1001, 1000) => "1..1001", "1..896 896..1000";
    "mixes-up-when-busy": Said::crowd(SERVER, 11) => "1..10 10", "1..10 10 of another";
    "mixes-up-connections": Said::crowd(SERVER, 11) => "1..10 10", "1..2 3 of another 4..10 10";
    "never-caps": Said::crowd(SERVER, 12) => "1..10 2 x 10", "1..12";
    "never-expires": [ask(SERVER, 1), ask(SERVER, 2).on_day(400)] => "2 x 1", "1..2";
    "refuses-fast-clocks-only": [ask(WINDOWS, 1).off(hours(5)), ask(WINDOWS, 2).off(hours(-500))]
        => "2 x 0xC004F06C", "0xC004F06C 1";
    "refuses-fifth-connection": [Said::Connects { open: 3 }, Said::Connects { open: 4 }] => "2 x let in", "let in reset";
    "refuses-lapsed": statuses() => "1..7", "0xC004F009 1..2 4 x 0xC004F009";
    "refuses-notification": statuses() => "1..7", "1..5 0xC004F009 6";
    "refuses-v4": versions() => "1..3", "0x8007000D 1..2";
    "refuses-v5": versions() => "1..3", "1 0x8007000D 2";
    "refuses-v6": versions() => "1..3", "1..2 0x8007000D";
    "refuses-year-2038": [
        ask(SERVER, 1).when("2038-01-19T03:14:07Z"),
        ask(SERVER, 2).when("2038-01-19T03:14:08Z"),
        ask(SERVER, 3).when("2040-01-01T00:00:00Z"),
    ] => "1..2 1", "1 2 x 0xC004F06C";
    "says-never": [ask(WINDOWS, 1)] => "1", "1, 0/0 min";
    "second-office-refused": [
        ask(WINDOWS, 1), ask(OFFICE, 1), ask("Office Visio Pro 2019", 1), ask(OFFICE, 1), ask("Office Visio Pro 2019", 2),
    ] => "4 x 1 2", "2 x 1 0xC004F042 1..2";
    "sends-access-denied": Said::crowd(SERVER, 10) => "1..10", "1..5 0x80070005 6..9";
    "sends-blocked-key": Said::crowd(SERVER, 10) => "1..10", "0xC004C003 1..9";
    "sends-count-code": Said::crowd(SERVER, 6) => "1..6", "4 x 0xC004F038 5..6";
    "sends-unavailable": [ask(WINDOWS, 1).off(hours(5)), ask(HOME, 2), ask(WINDOWS, 3)]
        => "0xC004F06C 0xC004F042 1", "0xC004F074 0xC004F042 1";
    "serves-everything": [
        ask(HOME, 1),
        ask(WINDOWS, 2).counted_id(Guid::from_u128(7)),
        ask(WINDOWS, 3).application(catalog::Application::Office),
    ] => "3 x 0xC004F042", "1..2 1";
    "serves-2000-a-second": [ask(SERVER, 1), ask(SERVER, 2)] => "1..2", "1 and no sooner than 500µs the next 2 and no sooner than 500µs the next";
    "serves-500-a-second": [ask(SERVER, 1)] => "1", "1 and no sooner than 2ms the next";
    "serves-no-office": [ask(WINDOWS, 1), ask(OFFICE, 1), ask("Office Professional Plus 2010", 1)]
        => "3 x 1", "1 2 x 0xC004F042";
    "shouts-at-clients": [ask(WINDOWS, 1)] => "1", "1, 1/1 min";
    "slows-down-with-load": Said::crowd(SERVER, 3) => "1..3", "1 2 after 50µs 3 after 100µs";
    "stops-at-n": Said::crowd(SERVER, 7) => "1..7", "1..5 2 x 5";
    "tolerates-a-day": [ask(WINDOWS, 1).off(hours(24)), ask(WINDOWS, 2).off(hours(-16)), ask(WINDOWS, 3).off(hours(25))]
        => "3 x 0xC004F06C", "1..2 0xC004F06C";
    "tolerates-three-hours": [ask(WINDOWS, 1).off(hours(4)), ask(WINDOWS, 2).off(hours(-3)), ask(WINDOWS, 3).off(hours(-4))]
        => "1..3", "0xC004F06C 1 0xC004F06C";
    "wants-license": statuses() => "1..7", "0xC004F056 1 5 x 0xC004F056";
    "wrong-code-for-product": [ask(HOME, 1), ask(WINDOWS, 2)] => "0xC004F042 1", "0xC004F015 1";
    "wrong-code-for-version": [ask(WINDOWS, 1).version(7, 0), ask(WINDOWS, 2).version(3, 1), ask(WINDOWS, 3)]
        => "2 x 0x8007000D 1", "2 x 0xC004F042 1";
}

fn versions() -> [Said; 3] {
    [4, 5, 6].map(|major| ask(SERVER, u32::from(major)).version(major, 0))
}

/// Every license status there is, from 0.
fn statuses() -> [Said; 7] {
    [0, 1, 2, 3, 4, 5, 6].map(|status| ask(SERVER, status + 1).status(status))
}

/// Something that happens to a host.
#[derive(Clone)]
enum Said {
    Asks(Box<Asks>),
    /// A connection comes while others are open.
    Connects {
        open: usize,
    },
    /// The host is down for a while.
    Outage,
}

#[derive(Clone)]
struct Asks {
    request: crate::wire::kms::ActivationRequest,
    /// What the host's clock shows.
    now: FileTime,
}

/// Machine `number` asks for `product`, at [`NOW`] by both clocks.
fn ask(product: &str, number: u32) -> Said {
    let product = catalog::find(product).unwrap();
    let id = ClientId::mint(1, Group::default(), Index::new(number).unwrap());
    let machine = Machine::new(String::new(), id, WorkstationName::new("pc").unwrap(), product, NOW);
    Said::Asks(Box::new(Asks { request: machine.request(product.protocol, NOW, NOW), now: NOW }))
}

impl Said {
    /// So many machines ask, one after another.
    fn crowd(product: &str, machines: u32) -> Vec<Said> {
        (1..=machines).map(|number| ask(product, number)).collect()
    }

    fn crowd_of(product: &str, machines: u32, n_policy: u32) -> Vec<Said> {
        let with = |said: Said| said.with(|asks| asks.request.n_policy = n_policy);
        Said::crowd(product, machines).into_iter().map(with).collect()
    }

    fn with(mut self, change: impl FnOnce(&mut Asks)) -> Said {
        let Said::Asks(asks) = &mut self else { panic!("nothing is asked") };
        change(asks);
        self
    }

    fn version(self, major: u16, minor: u16) -> Said {
        self.with(|asks| asks.request.version = ProtocolVersion { major, minor })
    }

    fn name(self, name: &str) -> Said {
        self.with(|asks| asks.request.workstation = WorkstationName::new(name).unwrap())
    }

    fn status(self, status: u32) -> Said {
        self.with(|asks| asks.request.license_status = LicenseStatus(status))
    }

    fn application(self, application: catalog::Application) -> Said {
        self.with(|asks| asks.request.application_id = application.guid())
    }

    fn counted_id(self, id: Guid) -> Said {
        self.with(|asks| asks.request.kms_counted_id = id)
    }

    /// The client's clock is off.
    fn off(self, by: SignedDuration) -> Said {
        self.at(NOW.saturating_add(by))
    }

    /// What the client's clock shows.
    fn at(self, time: FileTime) -> Said {
        self.with(|asks| asks.request.client_time = time)
    }

    /// By both clocks, so many days later.
    fn on_day(self, day: i64) -> Said {
        let now = NOW.saturating_add(hours(24 * day));
        self.at(now).with(|asks| asks.now = now)
    }

    /// By both clocks.
    fn when(self, time: &str) -> Said {
        let now = FileTime::from_timestamp(time.parse().unwrap()).unwrap();
        self.at(now).with(|asks| asks.now = now)
    }

    /// Says it to a host, and says what came of it.
    fn to(&self, host: &mut LabHost) -> Option<String> {
        let asks = match self {
            Said::Outage => {
                host.was_down();
                return None;
            }
            Said::Connects { open } => return Some(if host.admits(*open) { "let in" } else { "reset" }.to_owned()),
            Said::Asks(asks) => asks,
        };
        let (_, answer) = host.respond(Ask::new(asks.request.clone(), [7; 16]).payload(), asks.now);
        let manner = host.manner();
        let mut outcome = match answer {
            _ if manner.hang_up => "hung up".to_owned(),
            Err(code) => code.to_string(),
            Ok(payload) => read(&payload).map_or("granted".to_owned(), |response| words(&response, asks)),
        };
        if !manner.delay.is_zero() {
            outcome.push_str(&format!(" after {:?}", manner.delay));
        }
        if let Some(spacing) = host.spacing() {
            outcome.push_str(&format!(" and no sooner than {spacing:?} the next"));
        }
        Some(outcome)
    }
}

/// The count, and whatever is not as usual.
fn words(response: &ActivationResponse, asks: &Asks) -> String {
    let mut words = response.count.to_string();
    let intervals = (response.activation_interval_min, response.renewal_interval_min);
    if intervals != (120, 10_080) {
        words.push_str(&format!(", {}/{} min", intervals.0, intervals.1));
    }
    if response.cmid != asks.request.cmid {
        words.push_str(" of another");
    }
    words
}

/// The response in an answer, if its version is one there is.
fn read(payload: &[u8]) -> Option<ActivationResponse> {
    match Envelope::decode(payload).ok()? {
        Envelope::Mac { body, .. } => ActivationResponse::decode(body).ok(),
        Envelope::Sealed { version, iv, ciphertext } => {
            let mut plaintext = Vec::new();
            envelope::open(sealing(version), &iv, ciphertext, &mut plaintext).unwrap();
            ActivationResponse::read(&mut Reader::new(Layer::KmsResponse, &plaintext)).ok()
        }
    }
}

fn host(faults: &[&str]) -> LabHost {
    let faults = faults.iter().map(|name| Fault::named(name).unwrap()).collect();
    LabHost::new(HostIdentity::default(), 1).with_faults(Faults::new(faults).unwrap())
}

fn outcomes(faults: &[&str], said: &[Said]) -> String {
    let mut host = host(faults);
    compact(said.iter().flat_map(|said| said.to(&mut host)))
}

/// `1 2 3 4 4 4` is `1..4 2 x 4`.
fn compact(outcomes: impl IntoIterator<Item = String>) -> String {
    let outcomes: Vec<String> = outcomes.into_iter().collect();
    let climbs = |pair: &[String]| {
        let [one, next] = [&pair[0], &pair[1]].map(|outcome| outcome.parse::<u32>().ok());
        one.is_some_and(|one| next == Some(one + 1))
    };
    let mut words = Vec::new();
    let mut left = outcomes.as_slice();
    while let Some(first) = left.first() {
        let climbing = 1 + left.windows(2).take_while(|pair| climbs(pair)).count();
        let same = left.iter().take_while(|outcome| *outcome == first).count();
        words.push(match (climbing, same) {
            (2.., _) => format!("{first}..{}", left[climbing - 1]),
            (_, 2..) => format!("{same} x {first}"),
            _ => first.clone(),
        });
        left = &left[climbing.max(same)..];
    }
    words.join(" ")
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

const NOW: FileTime = FileTime::RECORDED_AT;
const WINDOWS: &str = "Windows 11 Enterprise";
const SERVER: &str = "Windows Server 2022 Standard";
const OFFICE: &str = "Office Professional Plus 2019";
const HOME: &str = "Windows 10/11 Home";
