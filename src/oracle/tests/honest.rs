//! An honest host is never accused, and what it counts is foretold.

use proptest::prelude::*;

use super::super::*;
use super::world::{Lie, Manners, World, a_wish};

fn an_honest_world(days: std::ops::Range<u8>, longest: u64, strangers: u8) -> impl Strategy<Value = World> {
    let wishes = prop::collection::vec(a_wish(days, longest, true), 1..90);
    let manners = any::<[bool; 3]>().prop_map(|[counts_skewed, refuses_big_n, forgets_last_of_equals]| Manners {
        counts_skewed,
        refuses_big_n,
        forgets_last_of_equals,
        lie: Lie::None,
    });
    let clock = prop_oneof![(Just(0i64), Just(0u64)), (-3i64..=3, Just(3u64))];
    let quantum = prop_oneof![3 => Just(1u64), 1 => Just(25), 1 => Just(400), 1 => Just(1_000_000_000)];
    // A table stays small for a while, is full, and grows: what was pushed out comes back.
    let small = (0usize..60, 1u32..4);
    (wishes, manners, clock, quantum, 0..=strangers, small).prop_map(
        |(mut wishes, host, (offset, uncertainty), quantum, strangers, (until, n_policy))| {
            wishes.iter_mut().take(until).for_each(|wish| wish.n_policy = wish.n_policy.min(n_policy));
            World { wishes, quantum, offset, uncertainty, host, strangers }
        },
    )
}

fn never_accused(world: &World) -> Result<(), TestCaseError> {
    let (happenings, _) = world.happen();
    for happening in &happenings {
        let Judgement { prediction, divergences } = happening.judgement.as_ref().unwrap();
        let lost = happening.heard.wire.is_none();
        let told: Vec<_> = divergences.iter().filter(|told| !lost || told.id != DivergenceId::AnswerMissing).collect();
        prop_assert!(told.is_empty(), "{:?} of {happening:#?}", told);
        if let (Some((least, most)), Some(count)) = (prediction.count, happening.heard.count) {
            prop_assert!((least..=most).contains(&count), "{prediction:?}, {count}");
        }
        prop_assert!(!prediction.codes.is_empty());
        prop_assert_eq!(lost, divergences.iter().any(|told| told.id == DivergenceId::AnswerMissing));
    }
    Ok(())
}

proptest! {
    #![proptest_config(crate::cases::config(800))]

    #[test]
    fn overlapping_requests_never_accuse_an_honest_host(world in an_honest_world(0..1, 120, 0)) {
        never_accused(&world)?;
    }

    #[test]
    fn nor_do_weeks_in_which_entries_expire(world in an_honest_world(0..40, 120, 0)) {
        never_accused(&world)?;
    }

    #[test]
    fn nor_do_requests_that_follow_each_other_closely(world in an_honest_world(0..40, 8, 0)) {
        never_accused(&world)?;
    }

    #[test]
    fn nor_does_a_host_others_ask_for_what_they_can_explain(
        mut world in an_honest_world(0..40, 120, 1),
        foreign in any::<u64>(),
    ) {
        world.strangers = 1;
        for (index, wish) in world.wishes.iter_mut().enumerate() {
            wish.is_foreign = foreign >> (index % 64) & 1 == 1;
        }
        for happening in world.happen().0 {
            let told = happening.judgement.as_ref().unwrap().divergences.iter();
            let sure: Vec<_> = told.filter(|told| told.level == Level::Must).map(|told| told.id).collect();
            let lost = if happening.heard.wire.is_none() { vec![DivergenceId::AnswerMissing] } else { vec![] };
            prop_assert_eq!(sure, lost, "{:#?}", happening);
        }
    }

    #[test]
    fn nor_does_a_host_that_had_counted_strangers(world in an_honest_world(0..1, 120, 60)) {
        never_accused(&world)?;
    }
}

fn a_sequence(days: std::ops::Range<u8>) -> impl Strategy<Value = World> {
    let wish =
        (a_wish(days, 12, false), 100u64..80_000_000_000).prop_map(|(wish, gap)| super::world::Wish { gap, ..wish });
    prop::collection::vec(wish, 1..120).prop_map(|wishes| World {
        wishes,
        quantum: 1,
        offset: 0,
        uncertainty: 0,
        host: Manners { counts_skewed: false, refuses_big_n: false, forgets_last_of_equals: false, lie: Lie::None },
        strangers: 0,
    })
}

proptest! {
    #![proptest_config(crate::cases::config(400))]

    #[test]
    fn one_after_the_other_every_count_of_years_is_foretold(world in a_sequence(0..60)) {
        for happening in world.happen().0 {
            let judgement = happening.judgement.unwrap();
            prop_assert_eq!(&judgement.divergences, &[]);
            let (least, most) = judgement.prediction.count.unwrap();
            if !happening.at_edge {
                prop_assert_eq!((Some(least), Some(most)), (happening.honest_count, happening.honest_count));
            }
        }
    }

    #[test]
    fn a_clock_that_moves_in_leaps_accuses_nobody(
        mut world in a_sequence(0..1),
        days in 1u64..3,
        small in 0usize..60,
        forgets_last_of_equals in any::<bool>(),
    ) {
        world.quantum = days * 86_400_000_000;
        world.host.forgets_last_of_equals = forgets_last_of_equals;
        world.wishes.iter_mut().take(small).for_each(|wish| wish.n_policy = wish.n_policy.min(2));
        never_accused(&world)?;
    }

    #[test]
    fn one_after_the_other_every_wrong_count_is_found(
        mut world in a_sequence(0..25),
        lie in prop::sample::select(vec![
            Lie::ForgetsOneIn(7), Lie::CountsTwice, Lie::CapacityOff(1), Lie::CapacityOff(-1), Lie::ExpiresAfterDays(28),
            Lie::ExpiresAfterDays(32), Lie::NeverGrows, Lie::CountsProductsApart, Lie::CountsApplicationsTogether,
            Lie::LeavesOutTheRequester, Lie::StartsAt(25), Lie::LosesUpdates,
        ]),
    ) {
        world.host.lie = lie;
        for happening in world.happen().0.into_iter().filter(|happening| !happening.at_edge) {
            let (got, honest) = (happening.heard.count.unwrap(), happening.honest_count.unwrap());
            let ids: Vec<_> = happening.judgement.unwrap().divergences.iter().map(|told| told.id).collect();
            prop_assert_eq!(ids, match got.cmp(&honest) {
                std::cmp::Ordering::Less => vec![DivergenceId::CountLow],
                std::cmp::Ordering::Equal => vec![],
                std::cmp::Ordering::Greater => vec![DivergenceId::CountHigh],
            });
        }
    }
}
