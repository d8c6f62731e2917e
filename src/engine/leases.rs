//! Machines that ask when their own leases make them: who does so when.
//!
//! Leases live by a clock of their own, which can go faster than the wall's, so that the week of a campus fits in an
//! hour. The host's clock goes no faster: what a machine says of the time, and what a host must answer by it, is
//! the wall's. Every engine takes from here when somebody asks first and when again, and waits for it in its own way.

use std::time::Duration;

use super::fleet::Fleet;
use crate::population::Activation;
use crate::proto::{Moment, Verdict};
use crate::scenario::{Arrival, Arrive, Plan, Step};
use crate::wire::{FileTime, Hresult};

/// The clock leases live by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LeaseClock {
    /// Since when it goes as it does.
    pub from: Moment,
    /// What it showed then.
    pub shows: FileTime,
    /// How many times as fast as the wall's it goes, 1 at least.
    pub speed: u32,
}

impl LeaseClock {
    /// What it shows at `now`; before it went as it does it stood still.
    pub fn at(self, now: Moment) -> FileTime {
        let passed_ns = (now - self.from).as_nanos() * u128::from(self.speed);
        let steps = passed_ns / u128::from(FileTime::NANOSECONDS_PER_STEP);
        FileTime(self.shows.0.saturating_add(u64::try_from(steps).unwrap_or(u64::MAX)))
    }

    /// The first moment at which it shows `time`, if it goes on as it does.
    pub fn when(self, time: FileTime) -> Moment {
        let ahead_ns = u128::from(time.0.saturating_sub(self.shows.0)) * u128::from(FileTime::NANOSECONDS_PER_STEP);
        let wait_ns = ahead_ns.div_ceil(u128::from(self.speed.max(1)));
        self.from + Duration::from_nanos(u64::try_from(wait_ns).unwrap_or(u64::MAX))
    }
}

/// The activations of a step that goes by leases, each by its place among the step's, from 0. All times are the
/// lease clock's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leases<'a> {
    plan: &'a Plan,
    step: &'a Step,
    fleet: &'a Fleet,
    begins: FileTime,
    ends: FileTime,
}

impl<'a> Leases<'a> {
    /// Those of a step of `plan` that began when the clock of `fleet` was last set.
    pub fn new(plan: &'a Plan, number: usize, fleet: &'a Fleet) -> Leases<'a> {
        let step = &plan.steps[number];
        let span = if let Arrive::Lifecycle { span, .. } = step.arrive { span } else { Duration::ZERO };
        let begins = fleet.clock().shows;
        Leases { plan, step, fleet, begins, ends: after(begins, span) }
    }

    /// From then on nobody asks.
    pub fn ends(&self) -> FileTime {
        self.ends
    }

    /// When an activation is asked for first; `None` if that is not in the step's time.
    pub fn first(&self, place: u64) -> Option<FileTime> {
        let activation = self.plan.activation(self.step, place);
        let remembered = self.fleet.remembered(self.plan, activation);
        let asked_before = remembered.is_some();
        let lease = remembered.unwrap_or_else(|| self.plan.population.lease(activation, self.fleet.began()));
        // Whoever has not asked yet is due on a whole minute, and whoever is overdue, now: the
        // machines do not ask as one.
        let at = if lease.due() > self.begins && asked_before {
            lease.due()
        } else {
            after(lease.due().max(self.begins), self.plan.population.start_delay(activation.machine))
        };
        self.present(activation, at)
    }

    /// When it is asked for again, after it was at `asked`; `None` if that is not in the step's time.
    pub fn next(&self, place: u64, asked: FileTime) -> Option<FileTime> {
        let activation = self.plan.activation(self.step, place);
        let due = self.fleet.lease(self.plan, activation).due();
        // A lease never asks again at once: this cannot go on for ever at one time.
        self.present(activation, due.max(after(asked, LEAST_GAP)))
    }

    /// What is asked then.
    pub fn arrival(&self, place: u64, ordinal: u64) -> Arrival {
        let activation = self.plan.activation(self.step, place);
        let group = self.plan.population.group(activation.machine);
        let own = || group.wanted_of(activation.machine.number, activation.product).protocol;
        let version = self.step.versions.first().copied().unwrap_or_else(own);
        Arrival { activation, version, offer: self.step.offers[0], ordinal }
    }

    /// It was due for so long that it is not asked for any more: to the machine that is as if no host were there.
    pub fn give_up(&self, place: u64, now: FileTime) {
        self.fleet.take_in(self.plan, self.plan.activation(self.step, place), NO_HOST, None, now);
    }

    /// When a machine that wants to ask at `at` is there to do so, if that is in the step's time.
    fn present(&self, activation: Activation, at: FileTime) -> Option<FileTime> {
        let began = self.fleet.began();
        // What was before the scenario is its beginning.
        let since = at.max(began).distance(began);
        let there = after(began, self.plan.population.present_from(activation.machine, since));
        (there < self.ends).then_some(there)
    }
}

fn after(time: FileTime, by: Duration) -> FileTime {
    let steps = by.as_nanos() / u128::from(FileTime::NANOSECONDS_PER_STEP);
    FileTime(time.0.saturating_add(u64::try_from(steps).unwrap_or(u64::MAX)))
}

/// Apart from the ordinals of arrivals that are listed, and from the streams of schedules and mixed orders.
pub(super) const LEASE_ORDINALS: u64 = 1 << 63;
/// The least time between two requests of one machine.
const LEAST_GAP: Duration = Duration::from_secs(60);
const NO_HOST: Verdict = Verdict::Refused(Hresult::BINDING_SERVICE_UNAVAILABLE);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::client::Intervals;
    use crate::scenario::{Ids, ShippedTables, load};

    const BEGAN: FileTime = FileTime::RECORDED_AT;
    const MINUTE: Duration = Duration::from_secs(60);
    const DAY: Duration = Duration::from_secs(86_400);

    fn plan() -> Plan {
        let file = r#"
            name = "leases"
            question = "Who is due?"
            [clients.new]
            count = 3
            product = "Windows 11 Enterprise"
            [clients.aged]
            count = 2
            product = "Windows 11 Enterprise"
            lease = { age = "3d" }
            [clients.away]
            count = 2
            product = "Windows 11 Enterprise"
            away = [{ from = "0d", to = "2d" }, { from = "9d", to = "50d" }]
            [[step]]
            title = "all"
            clients = ["new[2..3]", "aged", "away"]
            protocol = "5.0"
            arrive = { lifecycle = "12d", speed = 168 }
        "#;
        load(file, "leases.toml", &ShippedTables).unwrap_or_else(|problems| panic!("{problems}")).plan(1, Ids::Seeded)
    }

    #[test]
    fn everyone_is_due_as_their_lease_and_their_presence_say() {
        let plan = plan();
        let fleet = Fleet::new(&plan, BEGAN, Moment::from_nanos(5_000_000_000));
        // Until the step begins leases go as the wall does, and while it is prepared not at all.
        fleet.set_speed(Moment::from_nanos(7_000_000_000), 168);
        fleet.begin(Moment::from_nanos(8_000_000_000));
        let leases = Leases::new(&plan, 0, &fleet);
        let begins = after(BEGAN, Duration::from_secs(2));
        assert_eq!(fleet.clock(), LeaseClock { from: Moment::from_nanos(8_000_000_000), shows: begins, speed: 168 });
        assert_eq!(leases.ends(), after(begins, 12 * DAY));
        let within = |time: Option<FileTime>, from: FileTime, most: Duration| {
            time.is_some_and(|time| time >= from && time <= after(from, most))
        };
        for place in 0..2 {
            assert!(within(leases.first(place), begins, MINUTE));
            assert!(within(leases.first(2 + place), after(BEGAN, 4 * DAY), MINUTE), "three days are over of seven");
            assert!(within(leases.first(4 + place), after(BEGAN, 2 * DAY), 60 * MINUTE), "when they are back");
        }
        assert_ne!(leases.first(0), leases.first(1), "they do not ask as one");
        let arrival = leases.arrival(0, 77);
        assert_eq!(
            (arrival.activation.machine.number, arrival.version.to_string(), arrival.ordinal),
            (2, "5.0".into(), 77)
        );
    }

    #[test]
    fn who_asked_is_due_again_when_what_came_of_it_says_so() {
        let plan = plan();
        let fleet = Fleet::new(&plan, BEGAN, Moment::default());
        fleet.set_speed(Moment::default(), 168);
        let leases = Leases::new(&plan, 0, &fleet);
        let activation = |place| plan.activation(&plan.steps[0], place);
        let (day_1, day_6) = (after(BEGAN, DAY), after(BEGAN, 6 * DAY));
        fleet.take_in(&plan, activation(0), Verdict::Activated, None, day_1);
        assert_eq!(leases.next(0, day_1), Some(after(BEGAN, 8 * DAY)));
        // In another step of this time it is due then, and not on a whole minute and some more.
        assert_eq!(leases.first(0), Some(after(BEGAN, 8 * DAY)));
        leases.give_up(0, day_6);
        assert_eq!(leases.next(0, day_6), Some(after(day_6, 120 * MINUTE)));
        fleet.take_in(&plan, activation(0), Verdict::Activated, None, day_6);
        assert_eq!(leases.next(0, day_6), None, "that is after the step");
        let told = Some(Intervals { activation_min: 15, renewal_min: 60 });
        fleet.take_in(&plan, activation(1), Verdict::Activated, told, day_6);
        assert_eq!(leases.next(1, day_6), Some(after(day_6, 60 * MINUTE)));
        fleet.take_in(&plan, activation(4), Verdict::Activated, None, after(BEGAN, 3 * DAY));
        assert_eq!(leases.next(4, after(BEGAN, 3 * DAY)), None, "it is away until after the step");
    }

    #[test]
    fn what_a_machine_says_of_its_lease_goes_by_the_leases_clock() {
        let plan = plan();
        let fleet = Fleet::new(&plan, BEGAN, Moment::default());
        fleet.set_speed(Moment::default(), 168);
        let hour = Moment(Duration::from_secs(3_600));
        let wall = after(BEGAN, hour.0);
        let arrival = Leases::new(&plan, 0, &fleet).arrival(0, 0);
        let asked = crate::engine::attempt::ask(&plan, &arrival, &fleet.machine(&plan, &arrival), &fleet, hour, wall);
        let request = asked.request();
        assert_eq!((request.client_time, request.binding_expiration_min), (wall, (30 - 7) * 1_440));
        assert_eq!(
            fleet.standing(&plan, arrival.activation, hour),
            Some((request.license_status, request.binding_expiration_min))
        );
    }

    proptest! {
        #![proptest_config(crate::cases::config(256))]

        #[test]
        fn a_clock_shows_a_time_when_it_says_it_will_and_not_before(
            from_ns in 0..1_u64 << 50,
            speed in prop_oneof![Just(1), Just(168), 1..=1_000_000_u32],
            ahead in 1..1_u64 << 50,
        ) {
            let clock = LeaseClock { from: Moment::from_nanos(from_ns), shows: BEGAN, speed };
            let time = FileTime(BEGAN.0 + ahead);
            let when = clock.when(time);
            prop_assert!(clock.at(when) >= time);
            prop_assert!(clock.at(Moment(when.0 - Duration::from_nanos(1))) < time);
            prop_assert_eq!(clock.at(Moment::default()), BEGAN);
        }
    }
}
