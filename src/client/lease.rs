//! One activation's lease: which state it is in, how long that lasts, and when the client asks
//! again (protocol description, sections 2 and 5; KMS facts, 2.2 and 3).
//!
//! Everything here is true time. On a machine whose clock is wrong a lease runs by that clock; we
//! let it run by ours, so that a skewed clock shows in the request and does not also move its moment.

use crate::catalog::{Application, Product};
use crate::proto::Verdict;
use crate::wire::FileTime;
use crate::wire::kms::{ActivationResponse, LicenseStatus, ProtocolVersion};

/// What a client knows of its activation. Small, for a million of them are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The state it is in, unless that has run out.
    status: LicenseStatus,
    /// When `minutes` were left of it.
    since: FileTime,
    /// 0 is a state without an end.
    minutes: u32,
    due: FileTime,
    intervals: Intervals,
    rules: LeaseRules,
}

/// How long each state lasts, by product generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LeaseRules {
    /// The grace after installation, in minutes.
    pub initial_grace_min: u32,
    /// How long an activation holds, in minutes.
    pub validity_min: u32,
    /// The grace after an activation ran out, in minutes; `None` if the user is told at once.
    pub out_of_tolerance_grace_min: Option<u32>,
    /// Whether there is no grace after installation.
    pub begins_notified: bool,
}

/// How long a client waits before it asks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Intervals {
    /// After an attempt that failed, in minutes.
    pub activation_min: u32,
    /// After one that succeeded, in minutes.
    pub renewal_min: u32,
}

impl Lease {
    /// A product installed at `at`, in its initial grace. It asks at once.
    pub fn installed(at: FileTime, rules: LeaseRules) -> Lease {
        let (status, minutes) = if rules.begins_notified {
            (LicenseStatus::NOTIFICATION, 0)
        } else {
            (LicenseStatus::OOB_GRACE, rules.initial_grace_min)
        };
        Lease::in_state(at, status, minutes, rules)
    }

    /// A product whose last activation is `age_min` minutes ago at `now`: licensed, or what follows
    /// when that has run out. It asks when a renewal interval has passed since, so at once if it has.
    pub fn activated_ago(now: FileTime, age_min: u64, rules: LeaseRules) -> Lease {
        let (status, minutes) = rules.after(LicenseStatus::LICENSED, rules.validity_min, age_min);
        let wait_min = u64::from(Intervals::DEFAULT.renewal_min).saturating_sub(age_min);
        Lease { due: later(now, wait_min), ..Lease::in_state(now, status, minutes, rules) }
    }

    /// A product of which somebody says what state it is in at `now`, be that a state there is or
    /// not. A state with no minutes left has no end of its own: it stays until an activation. The
    /// product asks at once.
    pub fn in_state(now: FileTime, status: LicenseStatus, minutes_left: u32, rules: LeaseRules) -> Lease {
        Lease { status, since: now, minutes: minutes_left, due: now, intervals: Intervals::DEFAULT, rules }
    }

    /// What the product says of itself at `now`: its state, and the minutes left in it as the
    /// request carries them. A minute begun counts whole.
    pub fn standing(&self, now: FileTime) -> (LicenseStatus, u32) {
        let elapsed_min = now.0.saturating_sub(self.since.0) / STEPS_PER_MINUTE;
        self.rules.after(self.status, self.minutes, elapsed_min)
    }

    /// When the product asks next.
    pub fn due(&self) -> FileTime {
        self.due
    }

    /// An attempt made `now` came to this. `told` are the intervals of the answer, if one came that
    /// can be trusted, be its count enough or not: the client keeps to a host's intervals from its
    /// first answer on.
    ///
    /// Success begins a new validity. Failure takes nothing away: what is licensed stays licensed
    /// until it runs out.
    ///
    /// A host may tell intervals outside of the documented 15 to 43200 minutes (`slmgr /sai` and
    /// `/sri`). They are taken as told, but nobody asks again sooner than after one minute: a host
    /// that says 0 must not make a population spin.
    pub fn conclude(&mut self, now: FileTime, verdict: Verdict, told: Option<Intervals>) {
        self.intervals = told.unwrap_or(self.intervals);
        let wait_min = match verdict {
            Verdict::Activated => {
                (self.status, self.since, self.minutes) = (LicenseStatus::LICENSED, now, self.rules.validity_min);
                self.intervals.renewal_min
            }
            Verdict::Refused(_) => self.intervals.activation_min,
        };
        self.due = later(now, wait_min.max(WAIT_MIN_MIN).into());
    }
}

impl LeaseRules {
    /// Windows 10, Windows Server 2016, Office 2016 and later. What follows the 180 days is in no
    /// current Microsoft page; we take it that the user is told at once.
    pub const CURRENT: LeaseRules = LeaseRules {
        initial_grace_min: 30 * MINUTES_PER_DAY,
        validity_min: 180 * MINUTES_PER_DAY,
        out_of_tolerance_grace_min: None,
        begins_notified: false,
    };

    /// Windows Vista to 8.1 and the servers and Office of their time, which have 30 days more.
    pub const VISTA_TO_8: LeaseRules =
        LeaseRules { out_of_tolerance_grace_min: Some(30 * MINUTES_PER_DAY), ..LeaseRules::CURRENT };

    /// Windows Server 2008, whose initial grace is 60 days.
    pub const SERVER_2008: LeaseRules =
        LeaseRules { initial_grace_min: 60 * MINUTES_PER_DAY, ..LeaseRules::VISTA_TO_8 };

    /// As the volume images of Windows 11 25H2 were seen to begin. No row of the catalogue says it
    /// is one of them, so [`LeaseRules::of`] does not come to this.
    pub const NOTIFIED_FROM_THE_START: LeaseRules = LeaseRules { begins_notified: true, ..LeaseRules::CURRENT };

    /// The rules of a product, by its family and, since that tells the generations apart, by the
    /// protocol it speaks. Windows 8.1 and Server 2012 R2 belong to the older generation although
    /// they speak the newer protocol.
    pub fn of(product: &Product) -> LeaseRules {
        let family = product.kms_product.as_str();
        let is_of = |name: &str| product.application == Application::Windows && family.starts_with(name);
        if is_of("Windows Server 2008") && !is_of("Windows Server 2008 R2") {
            LeaseRules::SERVER_2008
        } else if product.protocol < ProtocolVersion::V6 || is_of("Windows 8.1") || is_of("Windows Server 2012 R2") {
            LeaseRules::VISTA_TO_8
        } else {
            LeaseRules::CURRENT
        }
    }

    /// Where a product is that was in `status` with `minutes` left, `elapsed_min` minutes ago.
    fn after(self, status: LicenseStatus, minutes: u32, elapsed_min: u64) -> (LicenseStatus, u32) {
        let (mut status, mut minutes, mut elapsed_min) = (status, minutes, elapsed_min);
        // At most twice: from licensed to a grace, and from that to what has no end.
        while minutes > 0 && elapsed_min >= u64::from(minutes) {
            let Some(next) = self.next(status) else { break };
            elapsed_min -= u64::from(minutes);
            (status, minutes) = next;
        }
        (status, u64::from(minutes).saturating_sub(elapsed_min) as u32)
    }

    /// What follows when a state has run out, and how long that lasts; 0 is without an end. An
    /// extended grace ends unlicensed (Microsoft Learn, `SoftwareLicensingProduct.ExtendedGrace`).
    /// What ends the grace of a copy that is not genuine is our reading.
    fn next(self, status: LicenseStatus) -> Option<(LicenseStatus, u32)> {
        match (status, self.out_of_tolerance_grace_min) {
            (LicenseStatus::LICENSED, Some(grace_min @ 1..)) => Some((LicenseStatus::OOT_GRACE, grace_min)),
            (
                LicenseStatus::LICENSED
                | LicenseStatus::OOB_GRACE
                | LicenseStatus::OOT_GRACE
                | LicenseStatus::NON_GENUINE_GRACE,
                _,
            ) => Some((LicenseStatus::NOTIFICATION, 0)),
            (LicenseStatus::EXTENDED_GRACE, _) => Some((LicenseStatus::UNLICENSED, 0)),
            _ => None,
        }
    }
}

impl Intervals {
    /// What a client keeps to until a host tells it otherwise: 2 hours and 7 days.
    pub const DEFAULT: Intervals = Intervals { activation_min: 120, renewal_min: 7 * MINUTES_PER_DAY };

    /// What a response says of them.
    pub fn told_by(response: &ActivationResponse) -> Intervals {
        Intervals { activation_min: response.activation_interval_min, renewal_min: response.renewal_interval_min }
    }
}

impl Default for Intervals {
    fn default() -> Intervals {
        Intervals::DEFAULT
    }
}

fn later(now: FileTime, minutes: u64) -> FileTime {
    FileTime(now.0.saturating_add(minutes.saturating_mul(STEPS_PER_MINUTE)))
}

/// The least a client waits, in minutes, whatever a host tells it.
const WAIT_MIN_MIN: u32 = 1;
const MINUTES_PER_DAY: u32 = 1_440;
const STEPS_PER_MINUTE: u64 = 60 * FileTime::STEPS_PER_SECOND;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cases::config;
    use crate::catalog;
    use crate::wire::Hresult;

    const NOW: FileTime = FileTime::RECORDED_AT;
    const DAY: u32 = MINUTES_PER_DAY;
    const NO_HOST: Verdict = Verdict::Refused(Hresult::BINDING_SERVICE_UNAVAILABLE);
    const NOT_ENOUGH: Verdict = Verdict::Refused(Hresult::NOT_ENOUGH_COUNT);

    const UNLICENSED: LicenseStatus = LicenseStatus::UNLICENSED;
    const LICENSED: LicenseStatus = LicenseStatus::LICENSED;
    const OOB: LicenseStatus = LicenseStatus::OOB_GRACE;
    const OOT: LicenseStatus = LicenseStatus::OOT_GRACE;
    const NOTIFICATION: LicenseStatus = LicenseStatus::NOTIFICATION;

    fn after_days(days: u32) -> FileTime {
        later(NOW, u64::from(days * DAY))
    }

    fn after_minutes(minutes: u64) -> FileTime {
        later(NOW, minutes)
    }

    #[test]
    fn an_activation_ages() {
        // Days since the activation; what CURRENT and what VISTA_TO_8 come to; days until it asks.
        for (age, current, vista, due) in [
            (0, (LICENSED, 259_200), (LICENSED, 259_200), 7),
            (3, (LICENSED, 254_880), (LICENSED, 254_880), 4),
            (7, (LICENSED, 249_120), (LICENSED, 249_120), 0),
            (30, (LICENSED, 216_000), (LICENSED, 216_000), 0),
            (150, (LICENSED, 43_200), (LICENSED, 43_200), 0),
            (179, (LICENSED, 1_440), (LICENSED, 1_440), 0),
            (180, (NOTIFICATION, 0), (OOT, 43_200), 0),
            (181, (NOTIFICATION, 0), (OOT, 41_760), 0),
            (209, (NOTIFICATION, 0), (OOT, 1_440), 0),
            (210, (NOTIFICATION, 0), (NOTIFICATION, 0), 0),
            (400, (NOTIFICATION, 0), (NOTIFICATION, 0), 0),
        ] {
            for (rules, standing) in [(LeaseRules::CURRENT, current), (LeaseRules::VISTA_TO_8, vista)] {
                let lease = Lease::activated_ago(NOW, u64::from(age * DAY), rules);
                assert_eq!(lease.standing(NOW), standing, "{age} days, {rules:?}");
                assert_eq!(lease.due(), after_days(due), "{age} days, {rules:?}");
                // Which is where one comes to that was activated then, and found no host since.
                let mut grown = Lease::activated_ago(NOW, 0, rules);
                grown.conclude(after_days(age / 2), NO_HOST, None);
                assert_eq!(grown.standing(after_days(age)), standing, "{age} days, {rules:?}");
            }
        }
        assert_eq!(Lease::activated_ago(FileTime(0), u64::MAX, LeaseRules::CURRENT).standing(NOW), (NOTIFICATION, 0));
    }

    #[test]
    fn the_initial_grace_runs_out() {
        for (rules, days) in [(LeaseRules::CURRENT, 30), (LeaseRules::VISTA_TO_8, 30), (LeaseRules::SERVER_2008, 60)] {
            let lease = Lease::installed(NOW, rules);
            assert_eq!(lease.due(), NOW, "it asks at once");
            assert_eq!(lease.standing(NOW), (OOB, days * DAY));
            assert_eq!(lease.standing(after_days(days - 1)), (OOB, DAY));
            assert_eq!(lease.standing(after_days(days)), (NOTIFICATION, 0));
        }
        let lease = Lease::installed(NOW, LeaseRules::NOTIFIED_FROM_THE_START);
        assert_eq!((lease.due(), lease.standing(after_days(400))), (NOW, (NOTIFICATION, 0)));
    }

    #[test]
    fn minutes_fall_whole() {
        let lease = Lease::activated_ago(NOW, 0, LeaseRules::CURRENT);
        let short_of = |minutes| FileTime(after_minutes(minutes).0 - 1);
        assert_eq!(lease.standing(short_of(1)), (LICENSED, 259_200));
        assert_eq!(lease.standing(after_minutes(1)), (LICENSED, 259_199));
        assert_eq!(lease.standing(short_of(259_200)), (LICENSED, 1));
        assert_eq!(lease.standing(after_minutes(259_200)), (NOTIFICATION, 0));
        // Before it began it is as it began.
        assert_eq!(lease.standing(FileTime(0)), (LICENSED, 259_200));
    }

    #[test]
    fn success_renews_and_failure_takes_nothing_away() {
        let mut lease = Lease::installed(NOW, LeaseRules::VISTA_TO_8);
        lease.conclude(NOW, NO_HOST, None);
        assert_eq!((lease.standing(NOW), lease.due()), ((OOB, 43_200), after_minutes(120)));
        lease.conclude(after_minutes(120), Verdict::Activated, None);
        assert_eq!(lease.standing(after_minutes(120)), (LICENSED, 259_200));
        assert_eq!(lease.due(), after_minutes(120 + 10_080));
        // Renewals fail: licensed to the end, a retry every two hours.
        let day_7 = after_minutes(120 + 10_080);
        lease.conclude(day_7, NO_HOST, None);
        assert_eq!((lease.standing(day_7), lease.due()), ((LICENSED, 249_120), later(day_7, 120)));
        lease.conclude(later(day_7, 120), NOT_ENOUGH, Some(Intervals::DEFAULT));
        assert_eq!(lease.standing(later(day_7, 120)), (LICENSED, 249_000));
        // Run out, it is renewed from the grace and from the notification alike.
        for (day, standing) in [(181, OOT), (211, NOTIFICATION)] {
            let (mut expired, day) = (lease, after_days(day));
            assert_eq!(expired.standing(day).0, standing);
            expired.conclude(day, NO_HOST, None);
            assert_eq!((expired.standing(day).0, expired.due()), (standing, later(day, 120)));
            expired.conclude(day, Verdict::Activated, None);
            assert_eq!((expired.standing(day), expired.due()), ((LICENSED, 259_200), later(day, 10_080)));
        }
    }

    #[test]
    fn a_hosts_intervals_are_kept_to() {
        let told = |activation_min, renewal_min| Some(Intervals { activation_min, renewal_min });
        let mut lease = Lease::installed(NOW, LeaseRules::CURRENT);
        // From an answer that refuses by its count as well, and on until another comes.
        lease.conclude(NOW, NOT_ENOUGH, told(15, 60));
        assert_eq!(lease.due(), after_minutes(15));
        lease.conclude(NOW, NO_HOST, None);
        assert_eq!(lease.due(), after_minutes(15));
        lease.conclude(NOW, Verdict::Activated, None);
        assert_eq!(lease.due(), after_minutes(60));
        lease.conclude(NOW, Verdict::Activated, told(120, 43_200));
        assert_eq!(lease.due(), after_days(30));
        // What no host should say is taken as it is, but nobody spins.
        lease.conclude(NOW, Verdict::Activated, told(0, 0));
        assert_eq!(lease.due(), after_minutes(1));
        lease.conclude(NOW, NO_HOST, None);
        assert_eq!(lease.due(), after_minutes(1));
        lease.conclude(NOW, NO_HOST, told(u32::MAX, 1));
        assert_eq!(lease.due(), after_minutes(u32::MAX.into()));
    }

    #[test]
    fn a_response_tells_both_intervals() {
        let response = ActivationResponse {
            version: ProtocolVersion::V6,
            epid: Default::default(),
            cmid: Default::default(),
            client_time: NOW,
            count: 25,
            activation_interval_min: 15,
            renewal_interval_min: 60,
        };
        assert_eq!(Intervals::told_by(&response), Intervals { activation_min: 15, renewal_min: 60 });
    }

    #[test]
    fn every_state_can_be_put_and_each_runs_out_in_its_own_way() {
        for (status, then, vista) in [
            (0, (UNLICENSED, 0), (UNLICENSED, 0)),
            (1, (NOTIFICATION, 0), (OOT, 43_200)),
            (2, (NOTIFICATION, 0), (NOTIFICATION, 0)),
            (3, (NOTIFICATION, 0), (NOTIFICATION, 0)),
            (4, (NOTIFICATION, 0), (NOTIFICATION, 0)),
            (5, (NOTIFICATION, 0), (NOTIFICATION, 0)),
            (6, (UNLICENSED, 0), (UNLICENSED, 0)),
            (7, (LicenseStatus(7), 0), (LicenseStatus(7), 0)),
            (u32::MAX, (LicenseStatus(u32::MAX), 0), (LicenseStatus(u32::MAX), 0)),
        ] {
            let status = LicenseStatus(status);
            for (rules, then) in [(LeaseRules::CURRENT, then), (LeaseRules::VISTA_TO_8, vista)] {
                let lease = Lease::in_state(NOW, status, 90, rules);
                assert_eq!((lease.due(), lease.standing(NOW)), (NOW, (status, 90)));
                assert_eq!(lease.standing(after_minutes(89)), (status, 1));
                assert_eq!(lease.standing(after_minutes(90)), then, "{status}");
                let endless = Lease::in_state(NOW, status, 0, rules);
                assert_eq!(endless.standing(after_days(400)), (status, 0));
            }
            let mut lease = Lease::in_state(NOW, status, 90, LeaseRules::CURRENT);
            lease.conclude(NOW, Verdict::Activated, None);
            assert_eq!(lease.standing(NOW), (LICENSED, 259_200));
        }
        // A grace of no length is none.
        let rules = LeaseRules { out_of_tolerance_grace_min: Some(0), ..LeaseRules::CURRENT };
        assert_eq!(Lease::activated_ago(NOW, u64::from(180 * DAY), rules).standing(NOW), (NOTIFICATION, 0));
    }

    #[test]
    fn rules_are_of_the_products_generation() {
        for (name, due) in [
            ("Windows Vista Business", LeaseRules::VISTA_TO_8),
            ("Windows Server 2008 Standard", LeaseRules::SERVER_2008),
            ("Windows Server 2008 R2 Standard", LeaseRules::VISTA_TO_8),
            ("Windows 7 Enterprise", LeaseRules::VISTA_TO_8),
            ("Windows Server 2012 Standard", LeaseRules::VISTA_TO_8),
            ("Windows Server 2012 R2 Standard", LeaseRules::VISTA_TO_8),
            ("Windows 8 Enterprise", LeaseRules::VISTA_TO_8),
            ("Windows 8.1 Enterprise", LeaseRules::VISTA_TO_8),
            ("Windows 10 Enterprise", LeaseRules::CURRENT),
            ("Windows Server 2025 Datacenter", LeaseRules::CURRENT),
            ("Office Professional Plus 2013", LeaseRules::VISTA_TO_8),
            ("Office Professional Plus 2019", LeaseRules::CURRENT),
        ] {
            assert_eq!(LeaseRules::of(catalog::find(name).unwrap()), due, "{name}");
        }
        let of_2008 = catalog::all().iter().filter(|product| LeaseRules::of(product) == LeaseRules::SERVER_2008);
        assert_eq!(of_2008.count(), 9);
    }

    #[test]
    fn a_million_leases_are_64_megabytes_at_most() {
        assert!(size_of::<Lease>() <= 64, "{}", size_of::<Lease>());
    }

    fn any_lease() -> impl Strategy<Value = Lease> {
        let rules = prop::sample::select(vec![
            LeaseRules::CURRENT,
            LeaseRules::VISTA_TO_8,
            LeaseRules::SERVER_2008,
            LeaseRules::NOTIFIED_FROM_THE_START,
        ]);
        let at = any::<u64>().prop_map(FileTime);
        (rules, at, 0..4u8, any::<u64>(), 0..9u32, any::<u32>()).prop_map(|(rules, at, kind, age, status, left)| {
            match kind {
                0 => Lease::installed(at, rules),
                1 => Lease::activated_ago(at, age % 1_000_000, rules),
                2 => Lease::activated_ago(at, age, rules),
                _ => Lease::in_state(at, LicenseStatus(status), left, rules),
            }
        })
    }

    proptest! {
        #![proptest_config(config(512))]

        #[test]
        fn minutes_left_are_never_more_than_a_state_lasts(lease in any_lease(), now in any::<u64>()) {
            let (status, minutes) = lease.standing(FileTime(now));
            let state_min = match status {
                _ if status == lease.status => lease.minutes,
                OOT => lease.rules.out_of_tolerance_grace_min.unwrap_or(0),
                _ => 0,
            };
            prop_assert!(minutes <= state_min, "{status}: {minutes} of {state_min}");
        }

        #[test]
        fn whoever_asked_waits_a_minute_at_least(
            mut lease in any_lease(),
            now in 0..u64::MAX - STEPS_PER_MINUTE,
            succeeds in any::<bool>(),
            told in prop::option::of((0..20u32, any::<u32>())),
        ) {
            let now = FileTime(now);
            let before = lease.standing(now);
            let told = told.map(|(activation_min, renewal_min)| Intervals { activation_min, renewal_min });
            lease.conclude(now, if succeeds { Verdict::Activated } else { NO_HOST }, told);
            prop_assert!(lease.due().0 >= now.0 + STEPS_PER_MINUTE);
            let due = if succeeds { (LICENSED, lease.rules.validity_min) } else { before };
            prop_assert_eq!(lease.standing(now), due);
        }
    }
}
