//! Faults of the clock (protocol description, section 5).

use std::time::Duration;

use jiff::SignedDuration;

use crate::lab::conduct::SKEW_MAX;
use crate::lab::fault::{Fault, Install};
use crate::lab::rules::Rule;
use crate::wire::{FileTime, Hresult};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "ignores-skew-after-a-pause",
        does: "Does not look at the clock of whoever asks first after two quiet seconds.",
        hurts: "The admin: on a quiet network a wrong clock is refused now and granted then.",
        caught_by: &["kms/policy/still-counted#code"],
        install: Install::Answers(|host, _| {
            let mut last = FileTime(0);
            host.rule(Rule::Clock, move |asked, honest| {
                let quiet_100ns = asked.now.0.saturating_sub(last.0);
                last = asked.now;
                if last.0 > quiet_100ns && quiet_100ns > 20_000_000 { Ok(()) } else { honest }
            });
        }),
    },
    Fault {
        name: "compares-local-time",
        does: "Holds the client's UTC time against its own wall clock, which is eight hours ahead (Taipei).",
        hurts: "Every client whose clock is right: it is refused, while one set wrong by its zone is granted.",
        caught_by: &["rpc/transport/control"],
        install: Install::Answers(|host, _| host.clock.offset = SignedDuration::from_hours(8)),
    },
    Fault {
        name: "four-hours-exclusive",
        does: "Refuses a clock that is exactly four hours off, which just passes with an honest host.",
        hurts: "Nobody who would notice; a test that knows the edge does.",
        caught_by: &[],
        install: Install::Answers(|host, _| {
            let below = SKEW_MAX - Duration::from_nanos(100);
            (host.clock.slow_max, host.clock.fast_max) = (below, below);
        }),
    },
    Fault {
        name: "ignores-skew",
        does: "Does not look at the client's clock.",
        hurts: "The admin: clocks that are wrong go unnoticed until a host that looks takes over.",
        caught_by: &["kms/policy/clock-far#reply"],
        install: Install::Answers(|host, _| host.rule(Rule::Clock, |_, _| Ok(()))),
    },
    Fault {
        name: "refuses-fast-clocks-only",
        does: "Refuses a clock that is too far ahead, and none that is behind.",
        hurts: "The admin: machines whose battery died, which wake up in the past, go unnoticed.",
        caught_by: &["kms/policy/clock-beyond#code"],
        install: Install::Answers(|host, _| host.clock.slow_max = Duration::MAX),
    },
    Fault {
        name: "refuses-year-2038",
        does: "Refuses every client time past 2038-01-19T03:14:07Z, the last second 32 bits can say.",
        hurts: "Every client, from that second on.",
        caught_by: &[],
        install: Install::Answers(|host, _| {
            host.rule(Rule::Clock, |asked, honest| match asked.request.client_time {
                late if late >= PAST_32_BITS => Err(Hresult::INVALID_TIMESTAMP),
                _ => honest,
            });
        }),
    },
    Fault {
        name: "tolerates-a-day",
        does: "Takes a clock for right that is up to 24 hours off.",
        hurts: "The admin: a wall clock set by hand in the wrong zone, up to 16 hours off, goes unnoticed.",
        caught_by: &["kms/policy/clock-far#reply"],
        install: Install::Answers(|host, _| {
            (host.clock.slow_max, host.clock.fast_max) = (HOUR * 24, HOUR * 24);
        }),
    },
    Fault {
        name: "tolerates-three-hours",
        does: "Refuses a clock that is more than three hours off, not four.",
        hurts: "Clients between three and four hours off: they are refused though they need not be.",
        caught_by: &["kms/policy/clock-within#code"],
        install: Install::Answers(|host, _| {
            (host.clock.slow_max, host.clock.fast_max) = (HOUR * 3, HOUR * 3);
        }),
    },
];

const HOUR: Duration = Duration::from_secs(3600);
/// 2038-01-19T03:14:08Z: 2^31 seconds after 1970.
const PAST_32_BITS: FileTime = FileTime(116_444_736_000_000_000 + (1 << 31) * FileTime::STEPS_PER_SECOND);
