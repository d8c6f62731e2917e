use jiff::tz::TimeZoneDatabase;
use proptest::prelude::*;

use super::*;
use crate::cases::config;

fn at(text: &str) -> FileTime {
    FileTime::from_timestamp(text.parse().unwrap()).unwrap()
}

/// A machine that believes in `zone`, whose wall clock looks right in `wall`.
fn looks_right_in(wall: &str, zone: &str) -> ClientClock {
    let hands = Hands::RightIn(zone_named(wall).unwrap());
    RunningClock { hands, zone: Some(zone_named(zone).unwrap()), ..RunningClock::default() }.into()
}

fn minutes_off(clock: &ClientClock, now: &str) -> i64 {
    let now = at(now);
    let error = clock.error(now, now);
    assert_eq!(error.as_nanos() % 60_000_000_000, 0, "{error:?}");
    error.as_mins()
}

const WINTER: &str = "2026-01-15T12:00:00Z";
const SUMMER: &str = "2026-07-15T12:00:00Z";
/// What a host tolerates (protocol description, section 5).
const TOLERATED_MIN: i64 = 4 * 60;

#[test]
fn a_clock_set_to_look_right_is_off_by_the_difference_of_the_zones() {
    for (wall, zone, winter_min, summer_min) in [
        ("Asia/Taipei", "America/Los_Angeles", 16 * 60, 15 * 60),
        ("America/Los_Angeles", "Asia/Taipei", -16 * 60, -15 * 60),
        ("Asia/Taipei", "UTC", 8 * 60, 8 * 60),
        ("Asia/Taipei", "Europe/London", 8 * 60, 7 * 60),
        ("Asia/Taipei", "Asia/Tokyo", -60, -60),
        ("Asia/Taipei", "Asia/Kolkata", 150, 150),
        ("UTC", "Asia/Kolkata", -330, -330),
        ("UTC", "Asia/Kathmandu", -345, -345),
        // Half an hour of summer time, in the southern summer.
        ("UTC", "Australia/Lord_Howe", -11 * 60, -10 * 60 - 30),
        ("Australia/Sydney", "Australia/Lord_Howe", 0, -30),
        ("UTC", "Pacific/Chatham", -13 * 60 - 45, -12 * 60 - 45),
        ("Asia/Taipei", "Asia/Singapore", 0, 0),
        // More than a day apart.
        ("Pacific/Kiritimati", "Pacific/Niue", 25 * 60, 25 * 60),
    ] {
        let clock = looks_right_in(wall, zone);
        assert_eq!(
            (minutes_off(&clock, WINTER), minutes_off(&clock, SUMMER)),
            (winter_min, summer_min),
            "{wall} {zone}"
        );
        assert!(!clock.is_right(), "{wall} {zone}");
    }
}

/// What the guides call "check the time zone": most wrong zones are refused, the near ones are not.
#[test]
fn which_wrong_zones_a_host_in_taipei_lets_through() {
    let off = |zone| {
        let clock = looks_right_in("Asia/Taipei", zone);
        minutes_off(&clock, WINTER).abs().max(minutes_off(&clock, SUMMER).abs())
    };
    for harmless in [
        "Asia/Shanghai",
        "Australia/Perth",
        "Asia/Tokyo",
        "Asia/Bangkok",
        "Asia/Yangon",
        "Asia/Kolkata",
        "Asia/Kathmandu",
        "Asia/Karachi",
        "Asia/Kabul",
        "Australia/Sydney",
        "Australia/Lord_Howe",
        "Pacific/Guam",
        // Exactly 4 h, which passes.
        "Asia/Dubai",
        "Pacific/Fiji",
    ] {
        assert!(off(harmless) <= TOLERATED_MIN, "{harmless}: {}", off(harmless));
    }
    for refused in [
        "UTC",
        "Europe/London",
        "Europe/Berlin",
        "America/New_York",
        "America/Los_Angeles",
        "America/Sao_Paulo",
        "Asia/Tehran",
        "Africa/Nairobi",
        "Pacific/Chatham",
        "Pacific/Honolulu",
        // 4 h in its winter and 5 in its summer.
        "Pacific/Auckland",
    ] {
        assert!(off(refused) > TOLERATED_MIN, "{refused}: {}", off(refused));
    }
    let auckland = looks_right_in("Asia/Taipei", "Pacific/Auckland");
    assert_eq!([WINTER, SUMMER].map(|now| minutes_off(&auckland, now)), [-5 * 60, -4 * 60]);
}

#[test]
fn the_hour_that_is_left_out_and_the_one_that_comes_twice() {
    let new_york = looks_right_in("UTC", "America/New_York");
    for (now, minutes) in [
        // On March 8 the wall clock goes from 2:00 to 3:00.
        ("2026-03-08T01:59:00Z", 5 * 60),
        ("2026-03-08T02:30:00Z", 5 * 60),
        ("2026-03-08T03:00:00Z", 4 * 60),
        // On November 1 it goes from 2:00 back to 1:00; the first 1:30 is meant.
        ("2026-11-01T01:30:00Z", 4 * 60),
        ("2026-11-01T02:00:00Z", 5 * 60),
    ] {
        assert_eq!(minutes_off(&new_york, now), minutes, "{now}");
    }
    // Half an hour at Lord Howe: from 2:00 to 2:30 on October 4, from 2:00 back to 1:30 on April 5.
    let lord_howe = looks_right_in("UTC", "Australia/Lord_Howe");
    for (now, minutes) in [
        ("2026-10-04T02:15:00Z", -10 * 60 - 30),
        ("2026-10-04T02:30:00Z", -11 * 60),
        ("2026-04-05T01:45:00Z", -11 * 60),
        ("2026-04-05T02:00:00Z", -10 * 60 - 30),
    ] {
        assert_eq!(minutes_off(&lord_howe, now), minutes, "{now}");
    }
    // Two names of one zone: nobody set anything, so the hour that comes twice does no harm.
    let alias = looks_right_in("US/Pacific", "America/Los_Angeles");
    for now in ["2026-11-01T08:30:00Z", "2026-11-01T09:30:00Z"] {
        assert_eq!(minutes_off(&alias, now), 0, "{now}");
    }
}

#[test]
fn a_zone_alone_is_right_in_every_zone_there_is() {
    let instants = [
        "1601-01-01T00:00:00Z",
        "1883-11-18T18:00:00Z",
        "1970-01-01T00:00:00Z",
        WINTER,
        SUMMER,
        "2026-03-08T10:30:00Z",
        "2026-11-01T09:30:00Z",
        "9999-12-30T22:00:00Z",
    ]
    .map(at);
    let mut zones = 0;
    for name in TimeZoneDatabase::bundled().available() {
        let zone = zone_named(name.as_str()).unwrap();
        let alone = RunningClock { zone: Some(zone.clone()), ..RunningClock::default() };
        let same = RunningClock { hands: Hands::RightIn(zone), ..alone.clone() };
        for clock in [ClientClock::from(alone), same.into()] {
            assert!(clock.is_right(), "{name}");
            for now in instants.into_iter().chain([FileTime(u64::MAX)]) {
                assert_eq!(clock.read(now, instants[3]), now, "{name}");
            }
        }
        zones += 1;
    }
    assert!(zones > 500, "{zones}");
}

#[test]
fn drift_counts_from_the_beginning() {
    let began = at(WINTER);
    let after = |days: i64| began.saturating_add(SignedDuration::from_hours(24 * days));
    let drifting =
        |text: &str| ClientClock::from(RunningClock { drift: Some(text.parse().unwrap()), ..RunningClock::default() });
    for (drift, days, seconds) in [
        ("20s/day", 0, 0),
        ("20s/day", 1, 20),
        ("20s/day", 180, 3_600),
        ("20s/day", -180, -3_600),
        ("-20s/day", 180, -3_600),
        // 4 h and a little: refused after half a year.
        ("-1m 20.5s/day", 180, -14_490),
        ("100ppm", 180, 1_555),
        ("-1d/day", 180, -180 * 86_400),
    ] {
        let clock = drifting(drift);
        assert_eq!(clock.error(after(days), began).as_secs(), seconds, "{drift}");
        assert!(!clock.is_right());
    }
    assert!(drifting("0s/day").is_right());
}

#[test]
fn a_clock_that_was_set_runs_on() {
    let began = at(WINTER);
    let later = began.saturating_add(SignedDuration::from_hours(3));
    for (set, zone, shown, shown_later) in [
        ("1601-01-01", "UTC", "1601-01-01T00:00:00Z", "1601-01-01T03:00:00Z"),
        ("2038-01-19T03:14:07", "UTC", "2038-01-19T03:14:07Z", "2038-01-19T06:14:07Z"),
        ("2099-12-31T23:59:59", "Asia/Taipei", "2099-12-31T15:59:59Z", "2099-12-31T18:59:59Z"),
        // A wall time that Los Angeles leaves out.
        ("2026-03-08T02:30", "America/Los_Angeles", "2026-03-08T10:30:00Z", "2026-03-08T13:30:00Z"),
    ] {
        let hands = Hands::SetTo(date_to_set(set).unwrap());
        let clock =
            ClientClock::from(RunningClock { hands, zone: Some(zone_named(zone).unwrap()), ..RunningClock::default() });
        assert_eq!(clock.read(began, began), at(shown), "{set}");
        assert_eq!(clock.read(later, began), at(shown_later), "{set}");
        assert!(!clock.is_right());
    }
}

#[test]
fn years_are_calendar_years_on_the_wall() {
    let read = |years, zone: &str, now| {
        let clock = RunningClock { years, zone: Some(zone_named(zone).unwrap()), ..RunningClock::default() };
        ClientClock::from(clock).read(at(now), at(WINTER))
    };
    for (years, zone, now, shown) in [
        (1, "UTC", "2026-07-15T12:00:00Z", "2027-07-15T12:00:00Z"),
        (-1, "UTC", "2028-02-29T12:00:00Z", "2027-02-28T12:00:00Z"),
        (4, "UTC", "2028-02-29T12:00:00Z", "2032-02-29T12:00:00Z"),
        (72, "UTC", "2028-02-29T12:00:00Z", "2100-02-28T12:00:00Z"),
        // March 1 in Taipei while it is still February 29 in UTC.
        (-1, "Asia/Taipei", "2028-02-29T20:00:00Z", "2027-02-28T20:00:00Z"),
        // Noon stays noon where one year has summer time already and the other does not.
        (-1, "America/Los_Angeles", "2026-03-08T19:00:00Z", "2025-03-08T20:00:00Z"),
        (-425, "UTC", WINTER, "1601-01-15T12:00:00Z"),
        (-426, "UTC", WINTER, "1601-01-01T00:00:00Z"),
        (i16::MIN, "Asia/Taipei", WINTER, "1601-01-01T00:00:00Z"),
    ] {
        assert_eq!(read(years, zone, now), at(shown), "{years} {zone} {now}");
    }
    assert_eq!(read(i16::MAX, "UTC", WINTER), FileTime::from_timestamp(Timestamp::MAX).unwrap());
}

#[test]
fn the_ends_are_held() {
    let skewed =
        |hours| ClientClock::from(RunningClock { skew: SignedDuration::from_hours(hours), ..RunningClock::default() });
    let began = at(WINTER);
    assert_eq!(skewed(1).read(FileTime(u64::MAX), began), FileTime(u64::MAX));
    assert_eq!(skewed(-1).read(FileTime(5), began), FileTime(0));
    assert_eq!(skewed(i64::MAX / 3600).read(began, began), FileTime(u64::MAX));
    // Past the year 9999 a zone is off as it is at its end.
    let taipei = looks_right_in("Asia/Taipei", "UTC");
    let beyond = FileTime(u64::MAX / 2);
    assert_eq!(taipei.error(beyond, began), SignedDuration::from_hours(8));
    assert_eq!(looks_right_in("UTC", "Asia/Taipei").read(FileTime(0), began), FileTime(0));
    for value in [0, 1, u64::MAX] {
        let frozen = ClientClock::Frozen(FileTime(value));
        assert_eq!(frozen.read(began, FileTime(0)), FileTime(value));
        assert!(!frozen.is_right());
    }
    assert_eq!(ClientClock::Frozen(FileTime(u64::MAX)).error(FileTime(0), began).as_secs(), 1_844_674_407_370);
    assert_eq!(ClientClock::Frozen(FileTime(0)).error(FileTime(u64::MAX), began).as_secs(), -1_844_674_407_370);
}

fn any_zone() -> impl Strategy<Value = TimeZone> {
    let names: Vec<String> = TimeZoneDatabase::bundled().available().map(|name| name.to_string()).collect();
    prop::sample::select(names).prop_map(|name| zone_named(&name).unwrap())
}

fn any_time() -> impl Strategy<Value = FileTime> {
    let edges = [0, 1, u64::MAX, at("9999-12-30T22:00:00Z").0, at("9999-12-30T22:00:00Z").0 + 10_000_000];
    let near = at("2000-01-01T00:00:00Z").0..at("2100-01-01T00:00:00Z").0;
    prop_oneof![any::<u64>(), near, prop::sample::select(edges.to_vec())].prop_map(FileTime)
}

fn any_skew() -> impl Strategy<Value = SignedDuration> {
    let edges = vec![SignedDuration::MIN, SignedDuration::MAX, SignedDuration::ZERO, SignedDuration::from_nanos(-50)];
    prop_oneof![any::<i64>().prop_map(SignedDuration::from_nanos), prop::sample::select(edges)]
}

fn any_hands() -> impl Strategy<Value = Hands> {
    let set = (-9999i16..=9999, 1i8..=12, 1i8..=28, 0i8..24)
        .prop_map(|(year, month, day, hour)| Hands::SetTo(jiff::civil::date(year, month, day).at(hour, 0, 0, 0)));
    let ends = prop::sample::select(vec![Hands::SetTo(DateTime::MIN), Hands::SetTo(DateTime::MAX)]);
    prop_oneof![Just(Hands::True), any_zone().prop_map(Hands::RightIn), set, ends]
}

fn any_drift() -> impl Strategy<Value = Drift> {
    (prop::sample::select(Stretch::ALL.to_vec()), -1.0..=1.0)
        .prop_map(|(per, share): (Stretch, f64)| Drift { gain: per.length().mul_f64(share), per })
}

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn no_clock_and_no_time_panics(
        hands in any_hands(),
        zone in prop::option::of(any_zone()),
        drift in prop::option::of(any_drift()),
        years in any::<i16>(),
        skew in any_skew(),
        now in any_time(),
        began in any_time(),
    ) {
        let clock = ClientClock::from(RunningClock { hands, zone, drift, years, skew });
        let shown = clock.read(now, began);
        prop_assert_eq!(now.saturating_add(clock.error(now, began)), shown);
        prop_assert!(!clock.is_right() || shown == now);
        prop_assert!(!clock.words(now, began).is_empty());
    }

    /// UTC to the wall of one zone and from the wall of another, held against the offsets alone,
    /// away from the hours around a change of either.
    #[test]
    fn a_wrong_zone_is_off_by_the_offsets(wall in any_zone(), zone in any_zone(), now in any_time()) {
        let calendar = calendar(now);
        let shift = i64::from(wall.to_offset(calendar).seconds() - zone.to_offset(calendar).seconds());
        let day = SignedDuration::from_hours(27);
        let is_calm = |zone: &TimeZone| [calendar.saturating_sub(day), calendar.saturating_add(day)]
            .into_iter()
            .all(|near| near.is_ok_and(|near| zone.to_offset(near) == zone.to_offset(calendar)));
        prop_assume!(is_calm(&zone));
        let clock = ClientClock::from(RunningClock { hands: Hands::RightIn(wall), zone: Some(zone), ..RunningClock::default() });
        let due = now.saturating_add(SignedDuration::from_secs(shift));
        prop_assert_eq!(clock.read(now, FileTime(0)), due);
    }
}
