//! A scenario nobody wrote down: load, as a command line asks for it.

use std::sync::Arc;
use std::time::Duration;

use super::schedule::{Arrive, Schedule, Spread};
use super::spec::{
    CLIENTS_MAX, ConnectionUse, HostNeeds, HostState, Order, Repeat, Scenario, Selection, StepSpec, TimeMode,
};
use super::threshold::Threshold;
use crate::client::{ClientClock, Wanted};
use crate::population::{Group, LeaseBegins, Machines, Share};
use crate::proto::Offer;
use crate::text::counted;
use crate::wire::kms::ProtocolVersion;

/// Load by machines that are all alike. It becomes a [`Scenario`] as if from a file, of up to three steps:
/// `calm`, `warm-up` and `load`.
#[derive(Debug, Clone)]
pub struct AdHoc {
    /// What the scenario is called, as a file would say it: 1 to 40 of a-z, 0-9 and -.
    pub name: String,
    /// How many machines there are; they ask one after the other, and then again from the first.
    /// From 1 to [`CLIENTS_MAX`].
    pub clients: u32,
    /// What they want activated.
    pub wanted: Wanted,
    /// The protocol version they ask in; `None`: the product's own.
    pub protocol: Option<ProtocolVersion>,
    /// The transfer syntaxes they offer.
    pub offer: Offer,
    /// When they arrive: in turns, or at times of a schedule.
    pub arrive: Arrive,
    /// Where they take turns: how long each of those who ask at a time rests after an answer.
    pub think: Duration,
    /// How connections are used.
    pub connection: ConnectionUse,
    /// For how long they arrive.
    pub lasts: Option<Duration>,
    /// How many requests they make; with a time as well, whichever comes first. With neither, each machine asks once.
    pub requests: Option<u64>,
    /// So many requests at ten a second come first. What holds there and breaks under load is a finding of its own.
    pub calm: u64,
    /// The same load for so long comes before what is looked at.
    pub warm_up: Duration,
    /// What the measures must keep to.
    pub thresholds: Vec<Threshold>,
}

impl AdHoc {
    /// Load with nothing said but how machines arrive, and of which product there are how many.
    pub fn new(wanted: impl Into<Wanted>, clients: u32, arrive: Arrive) -> AdHoc {
        AdHoc {
            name: "load".to_owned(),
            clients,
            wanted: wanted.into(),
            protocol: None,
            offer: Offer::Windows,
            arrive,
            think: Duration::ZERO,
            connection: ConnectionUse::Each,
            lasts: None,
            requests: None,
            calm: 0,
            warm_up: Duration::ZERO,
            thresholds: Vec::new(),
        }
    }

    /// The scenario. Its last step is the load itself.
    pub fn scenario(&self) -> Scenario {
        let mut steps = Vec::new();
        if self.calm > 0 {
            steps.push(StepSpec {
                arrive: Arrive::Open(Schedule::steady(CALM_PER_S, Spread::Even)),
                think: Duration::ZERO,
                repeat: Repeat { most: Some(self.calm), ..Repeat::default() },
                ..self.step(CALM)
            });
        }
        if !self.warm_up.is_zero() {
            let repeat = Repeat { lasts: Some(self.warm_up), ..Repeat::default() };
            steps.push(StepSpec { repeat, ..self.step(WARM_UP) });
        }
        steps.push(self.step(LOAD));
        Scenario {
            name: self.name.clone(),
            file: FILE.to_owned(),
            question: self.question(),
            takes: None,
            leaves: None,
            host: HostNeeds::default(),
            time: TimeMode::Wall,
            thresholds: self.thresholds.clone(),
            measures_speed: true,
            groups: vec![Arc::new(self.group())],
            steps,
        }
    }

    fn question(&self) -> String {
        let machines = counted(self.clients(), "machine");
        let load = match &self.arrive {
            Arrive::Open(schedule) => match schedule.stages.as_slice() {
                [only] if only.from_per_s == only.to_per_s => format!("at {}/s", only.to_per_s),
                _ => "at a rate that changes".to_owned(),
            },
            Arrive::Turns { concurrency: 1 } => "one by one".to_owned(),
            Arrive::Turns { concurrency } => format!("{concurrency} at a time"),
            Arrive::Recorded { .. } | Arrive::Lifecycle { .. } => "as they come".to_owned(),
        };
        format!("Does the host carry {machines}, {load}?")
    }

    fn step(&self, title: &str) -> StepSpec {
        StepSpec {
            title: title.to_owned(),
            line: 0,
            host: HostState::Kept,
            wait: Duration::ZERO,
            connection: self.connection,
            arrive: self.arrive.clone(),
            think: self.think,
            selections: vec![Selection { group: 0, first: 1, last: self.clients() }],
            versions: self.protocol.into_iter().collect(),
            offers: vec![self.offer],
            repeat: Repeat { lasts: self.lasts, most: self.requests, ..Repeat::default() },
            order: Order::Listed,
            expect: Vec::new(),
            oracle: true,
        }
    }

    fn group(&self) -> Group {
        Group {
            name: GROUP.to_owned(),
            machines: Machines::Alike(self.clients()),
            wanted: vec![Arc::new(self.wanted.clone())],
            rules: None,
            vm: Share::NONE,
            clock: ClientClock::right(),
            lease: LeaseBegins::Installed,
            workstation: None,
            clones: false,
            previous_id: false,
            away: Vec::new(),
        }
    }

    fn clients(&self) -> u32 {
        self.clients.clamp(1, CLIENTS_MAX as u32)
    }
}

/// What stands where a scenario has its file.
const FILE: &str = "(command line)";
const GROUP: &str = "client";
const CALM: &str = "calm";
const WARM_UP: &str = "warm-up";
const LOAD: &str = "load";
const CALM_PER_S: f64 = 10.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog;
    use crate::scenario::{Ids, Plan};

    fn adhoc(clients: u32, arrive: Arrive) -> AdHoc {
        AdHoc::new(catalog::find("Windows 11 Enterprise").unwrap(), clients, arrive)
    }

    fn steady(per_s: f64) -> Arrive {
        Arrive::Open(Schedule::steady(per_s, Spread::Even))
    }

    fn plan(adhoc: &AdHoc) -> Plan {
        adhoc.scenario().plan(1, Ids::Seeded)
    }

    fn steps(plan: &Plan) -> Vec<(&str, usize)> {
        plan.steps.iter().map(|step| (step.title.as_str(), step.arrivals_known())).collect()
    }

    #[test]
    fn load_is_one_step_with_two_before_it_when_they_are_asked_for() {
        let bare = AdHoc { lasts: Some(Duration::from_secs(10)), ..adhoc(100, steady(500.0)) };
        assert_eq!(steps(&plan(&bare)), [("load", 5_000)]);
        let whole = AdHoc { calm: 5, warm_up: Duration::from_secs(1), ..bare };
        let plan = plan(&whole);
        assert_eq!(steps(&plan), [("calm", 5), ("warm-up", 500), ("load", 5_000)]);
        assert_eq!(plan.question, "Does the host carry 100 machines, at 500/s?");
        let times: Vec<u128> = plan.times(0).unwrap().take(5).map(|time| time.as_millis()).collect();
        assert_eq!(times, [0, 100, 200, 300, 400]);
        // Each step begins with the first machine, and none of its requests is one of another step.
        for step in 0..3 {
            let label = |position| plan.label(step, position);
            assert_eq!((label(0), label(99), label(100)), ("client 1".into(), "client 100".into(), "client 1".into()));
        }
        assert_eq!((0..3).map(|step| plan.arrival(step, 0).ordinal).collect::<Vec<_>>(), [0, 5, 505]);
    }

    #[test]
    fn so_many_requests_need_not_be_a_multiple_of_the_machines() {
        let turns = Arrive::Turns { concurrency: 8 };
        assert_eq!(steps(&plan(&AdHoc { requests: Some(1_050), ..adhoc(100, turns.clone()) })), [("load", 1_050)]);
        assert_eq!(steps(&plan(&AdHoc { requests: Some(7), ..adhoc(100, turns.clone()) })), [("load", 7)]);
        assert_eq!(steps(&plan(&adhoc(100, turns))), [("load", 100)]);
        let first = |requests, lasts_s| AdHoc {
            requests: Some(requests),
            lasts: Some(Duration::from_secs(lasts_s)),
            ..adhoc(3, steady(100.0))
        };
        assert_eq!(steps(&plan(&first(1_000, 2))), [("load", 200)], "whichever comes first");
        assert_eq!(steps(&plan(&first(150, 2))), [("load", 150)]);
    }

    #[test]
    fn what_takes_turns_for_a_time_is_open_ended() {
        let lasts = Some(Duration::from_secs(10));
        let plan = plan(&AdHoc { lasts, calm: 5, ..adhoc(2, Arrive::Turns { concurrency: 64 }) });
        assert_eq!((plan.arrivals_known(), plan.open_ended_for()), (5, lasts));
        assert_eq!(plan.question, "Does the host carry 2 machines, 64 at a time?");
    }

    #[test]
    fn whatever_is_asked_for_decides_the_hash() {
        let turns = Arrive::Turns { concurrency: 8 };
        let base = AdHoc { requests: Some(10), ..adhoc(10, turns) };
        let changed = [
            AdHoc { clients: 11, ..base.clone() },
            AdHoc { protocol: Some(ProtocolVersion::V5), ..base.clone() },
            AdHoc { arrive: steady(5.0), ..base.clone() },
            AdHoc { think: Duration::from_secs(1), ..base.clone() },
            AdHoc { connection: ConnectionUse::Calls(3), ..base.clone() },
            AdHoc { connection: ConnectionUse::Kept, ..base.clone() },
            AdHoc { requests: Some(11), ..base.clone() },
            AdHoc { requests: None, lasts: Some(Duration::from_secs(1)), ..base.clone() },
            AdHoc { calm: 1, ..base.clone() },
            AdHoc { warm_up: Duration::from_secs(1), ..base.clone() },
            AdHoc { thresholds: vec!["wrong = 0".parse().unwrap()], ..base.clone() },
        ];
        let mut hashes: Vec<String> = changed.iter().chain([&base]).map(|adhoc| plan(adhoc).hash).collect();
        hashes.sort();
        hashes.dedup();
        assert_eq!(hashes.len(), 12);
    }
}
