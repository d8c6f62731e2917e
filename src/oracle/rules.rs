//! Which codes a request is due, from the request and the host's clock alone
//! (protocol description, section 5; KMS facts 1.1 and 2.4).

use std::collections::HashSet;
use std::time::Duration;

use super::clock::Span;
use super::prediction::{Codes, Reason};
use super::{Question, Serves};
use crate::catalog::{self, Channel};
use crate::wire::kms::ProtocolVersion;
use crate::wire::{Guid, Hresult};

/// What a host refuses by.
#[derive(Debug)]
pub(super) struct Rules {
    served: HashSet<(Guid, Guid)>,
}

/// What is wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wrongs {
    /// Its version does not exist.
    pub version: bool,
    /// Its product is not served.
    pub product: bool,
    /// Its clock.
    pub clock: Skew,
    /// Its N policy is above what some hosts take for malformed data, and others do not.
    pub n_policy: bool,
}

/// How a client's clock stands to the host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Skew {
    /// Surely at most four hours off.
    Near,
    /// Either, as far as the host's clock is known.
    AtLimit,
    /// Surely more than four hours off.
    Off,
}

impl Rules {
    pub fn new(serves: &Serves) -> Rules {
        let volume = catalog::all().iter().filter(|product| product.channel == Channel::Volume);
        let served = volume
            .filter(|product| match serves {
                Serves::Catalogue => true,
                Serves::Only(counted) => counted.contains(&product.kms_counted_id),
            })
            .map(|product| (product.application_id(), product.kms_counted_id))
            .collect();
        Rules { served }
    }

    /// Whether an honest host may count the client: whether the clock alone can be wrong with it.
    pub fn may_be_counted(&self, question: &Question) -> bool {
        ProtocolVersion::ALL.contains(&question.version)
            && self.served.contains(&(question.application_id, question.kms_counted_id))
    }

    /// What is wrong with a request that is processed when the host's clock shows `now`.
    pub fn wrongs(&self, question: &Question, now: Span) -> Wrongs {
        let (nearest, furthest) = now.distance(question.client_time);
        Wrongs {
            version: !ProtocolVersion::ALL.contains(&question.version),
            product: !self.served.contains(&(question.application_id, question.kms_counted_id)),
            clock: match () {
                () if furthest <= SKEW_MAX => Skew::Near,
                () if nearest > SKEW_MAX => Skew::Off,
                () => Skew::AtLimit,
            },
            n_policy: question.n_policy > N_POLICY_MAX,
        }
    }
}

impl Wrongs {
    /// Whether an honest host surely refuses.
    pub fn refused(self) -> bool {
        self.version || self.product || self.clock == Skew::Off
    }

    /// The codes an honest host may answer with, and why; the order in which it looks is not documented.
    pub fn codes(self, table_may_be_full: bool) -> (Codes, Reason) {
        let mut codes = Codes::default();
        let mut reasons = Vec::with_capacity(4);
        for (wrong, code, reason) in [
            (self.version, Hresult::INVALID_DATA, Reason::VersionUnknown),
            (self.product, Hresult::KMS_ID_MISMATCH, Reason::ProductNotServed),
            (self.clock == Skew::Off, Hresult::INVALID_TIMESTAMP, Reason::ClockOff),
            (self.clock == Skew::AtLimit, Hresult::INVALID_TIMESTAMP, Reason::ClockAtLimit),
            (self.n_policy, Hresult::INVALID_DATA, Reason::NPolicyBeyond),
        ] {
            if wrong {
                codes.insert(code);
                reasons.push(reason);
            }
        }
        if table_may_be_full {
            codes.insert(Hresult::TABLE_FULL);
        }
        if !self.refused() {
            codes.insert(Hresult::OK);
        }
        let why = match reasons[..] {
            [] if table_may_be_full => Reason::TableMayBeFull,
            [] => Reason::NothingWrong,
            [one] => one,
            _ => Reason::SeveralWrong,
        };
        (codes, why)
    }
}

/// How far a client's clock may be from the host's; exactly this much passes.
pub(super) const SKEW_MAX: Duration = Duration::from_secs(4 * 3600);

/// The largest N policy no host that was tried takes for malformed data.
const N_POLICY_MAX: u32 = 1000;

/// From this N policy on, hosts are known whose table can be full (KMS facts 1.1, 0xC004D104).
pub(super) const N_POLICY_OVERCHARGE: u32 = 376;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Application;
    use crate::oracle::tests::{START, question};
    use crate::wire::FileTime;
    use jiff::SignedDuration;

    fn clock(error: SignedDuration, uncertain: Duration, round_trip: Duration) -> Skew {
        let asked = Question { client_time: START.saturating_add(error), ..question(1) };
        Rules::new(&Serves::Catalogue).wrongs(&asked, Span::around(START, round_trip, uncertain)).clock
    }

    #[test]
    fn four_hours_pass_a_step_more_does_not_and_in_between_is_what_is_not_known() {
        let four = SignedDuration::from_hours(4);
        let step = SignedDuration::from_nanos(100);
        let none = Duration::ZERO;
        for (error, expected) in
            [(four, Skew::Near), (-four, Skew::Near), (four + step, Skew::Off), (-four - step, Skew::Off)]
        {
            assert_eq!(clock(error, none, none), expected, "{error}");
        }
        let second = Duration::from_secs(1);
        // A round trip only moves the host's clock forward.
        assert_eq!(clock(four + step, none, second), Skew::AtLimit);
        assert_eq!(clock(-four, none, second), Skew::AtLimit);
        assert_eq!(clock(four, none, second), Skew::Near);
        assert_eq!(clock(-four - step, none, second), Skew::Off);
        for sign in [1, -1] {
            assert_eq!(clock((four + SignedDuration::from_secs(1)) * sign, second, none), Skew::AtLimit);
            assert_eq!(clock((four - SignedDuration::from_secs(1)) * sign, second, none), Skew::Near);
        }
    }

    #[test]
    fn times_at_the_ends_of_what_64_bits_say_are_off() {
        for time in [0, u64::MAX] {
            let asked = Question { client_time: FileTime(time), ..question(1) };
            let wrongs =
                Rules::new(&Serves::Catalogue).wrongs(&asked, Span::around(START, Duration::MAX, Duration::ZERO));
            // A round trip without end reaches the end of time, and not its beginning.
            assert_eq!(wrongs.clock, if time == 0 { Skew::Off } else { Skew::AtLimit });
        }
    }

    #[test]
    fn what_is_served_is_of_the_catalogue_and_of_what_the_host_has() {
        let asked = question(1);
        let other = catalog::find("Office Professional Plus 2019").unwrap();
        let office = Question { application_id: other.application_id(), kms_counted_id: other.kms_counted_id, ..asked };
        let all = Rules::new(&Serves::Catalogue);
        assert!(all.may_be_counted(&asked) && all.may_be_counted(&office));
        let only = Rules::new(&Serves::Only(vec![asked.kms_counted_id, Guid::NIL]));
        assert!(only.may_be_counted(&asked) && !only.may_be_counted(&office));
        assert!(!only.may_be_counted(&Question { kms_counted_id: Guid::NIL, ..asked }));
        assert!(!all.may_be_counted(&Question { application_id: Application::Office.guid(), ..asked }));
        let version = ProtocolVersion { major: 6, minor: 1 };
        assert!(!all.may_be_counted(&Question { version, ..asked }));
    }

    #[test]
    fn of_several_wrongs_any_code_is_right_and_none_of_them_is_success() {
        let right = Wrongs { version: false, product: false, clock: Skew::Near, n_policy: false };
        let text = |wrongs: Wrongs, full| {
            let (codes, why) = wrongs.codes(full);
            (format!("{codes:?}"), why)
        };
        for (wrongs, full, codes, why) in [
            (right, false, "{0x00000000}", Reason::NothingWrong),
            (right, true, "{0x00000000, 0xC004D104}", Reason::TableMayBeFull),
            (Wrongs { version: true, ..right }, false, "{0x8007000D}", Reason::VersionUnknown),
            (Wrongs { n_policy: true, ..right }, false, "{0x00000000, 0x8007000D}", Reason::NPolicyBeyond),
            (Wrongs { clock: Skew::AtLimit, ..right }, false, "{0x00000000, 0xC004F06C}", Reason::ClockAtLimit),
            (
                Wrongs { version: true, product: true, clock: Skew::Off, n_policy: true },
                false,
                "{0x8007000D, 0xC004F042, 0xC004F06C}",
                Reason::SeveralWrong,
            ),
        ] {
            assert_eq!(text(wrongs, full), (codes.to_owned(), why));
        }
    }
}
