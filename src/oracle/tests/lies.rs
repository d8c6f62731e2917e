//! Each lie is found, and what only looks like it is not.

use jiff::SignedDuration;

use super::super::DivergenceId::*;
use super::super::*;
use super::{START, question};
use crate::catalog;
use crate::proto::Verdict;
use crate::wire::kms::ProtocolVersion;

/// An oracle and a clock that goes a second further with each exchange.
struct Stand {
    oracle: Oracle,
    now: u64,
    next: u64,
}

impl Stand {
    fn new(table: TableBefore) -> Stand {
        let host = Host { table, serves: Serves::Catalogue, clock_uncertainty: Duration::ZERO };
        Stand { oracle: Oracle::new(host), now: 0, next: 0 }
    }

    fn empty() -> Stand {
        Stand::new(TableBefore::Empty)
    }

    fn wall(&self) -> FileTime {
        START.saturating_add(SignedDuration::from_secs(self.now as i64))
    }

    fn moment(&self) -> Moment {
        Moment(Duration::from_secs(self.now))
    }

    fn ask(&mut self, question: Question) -> ExchangeId {
        let id = ExchangeId { step: 0, position: self.next };
        self.next += 1;
        self.now += 1;
        let question = Question {
            client_time: self.wall().saturating_add(SignedDuration::from_secs(
                (question.client_time.0 as i64 - START.0 as i64) / FileTime::STEPS_PER_SECOND as i64,
            )),
            ..question
        };
        self.oracle.asked(id, &question, self.moment(), self.wall());
        id
    }

    /// `sent` at the same time as the answer comes: what was asked a second before was not answered then.
    fn answer(&mut self, id: ExchangeId, wire: Option<Hresult>, count: Option<u32>) -> Judgement {
        let verdict = Verdict::Refused(Hresult::BINDING_SERVICE_UNAVAILABLE);
        let heard = Heard { sent: None, received: self.moment(), wire, count, verdict };
        self.oracle.answered(id, &heard)
    }

    fn counted(&mut self, question: Question, count: u32) -> Vec<DivergenceId> {
        let id = self.ask(question);
        ids(&self.answer(id, Some(Hresult::OK), Some(count)))
    }

    fn refused(&mut self, question: Question, code: Hresult) -> Vec<DivergenceId> {
        let id = self.ask(question);
        ids(&self.answer(id, Some(code), None))
    }
}

fn ids(judgement: &Judgement) -> Vec<DivergenceId> {
    judgement.divergences.iter().map(|told| told.id).collect()
}

fn skewed(seconds: i64) -> Question {
    Question { client_time: START.saturating_add(SignedDuration::from_secs(seconds)), ..question(1) }
}

fn retail() -> Question {
    Question { kms_counted_id: catalog::find("Windows 10/11 Home").unwrap().kms_counted_id, ..question(1) }
}

fn of_version(major: u16, minor: u16) -> Question {
    Question { version: ProtocolVersion { major, minor }, ..question(1) }
}

const FOUR_HOURS: i64 = 4 * 3600;

#[test]
fn a_machine_too_few_and_a_machine_too_many() {
    let mut stand = Stand::empty();
    assert_eq!(stand.counted(question(1), 1), []);
    assert_eq!(stand.counted(question(2), 2), []);
    assert_eq!(stand.counted(question(2), 2), []);
    assert_eq!(stand.counted(question(2), 3), [CountHigh]);
    assert_eq!(stand.counted(question(3), 2), [CountLow]);
    assert_eq!(stand.counted(question(3), 3), []);
}

#[test]
fn a_wrong_count_is_held_against_the_exchange_that_shows_it() {
    let mut stand = Stand::empty();
    for machine in 1..=12 {
        assert_eq!(stand.counted(question(machine), machine as u32), []);
    }
    let id = stand.ask(question(13));
    let told = stand.answer(id, Some(Hresult::OK), Some(9)).divergences.remove(0);
    assert_eq!(
        told.to_string(),
        "oracle/count/low: expected 13, got 9: each Windows machine that asked in the last 30 days \
        counts once, and they asked one after the other"
    );
    let against = told.against.unwrap();
    assert_eq!((against.exchange.position, against.count, against.cmid), (11, 12, Guid::from_u128(12)));
}

#[test]
fn a_table_that_holds_more_than_it_may() {
    let mut stand = Stand::empty();
    let server = |machine| Question { n_policy: 5, ..question(machine) };
    for machine in 1..=10 {
        assert_eq!(stand.counted(server(machine), machine as u32), []);
    }
    assert_eq!(stand.counted(server(11), 10), []);
    assert_eq!(stand.counted(server(12), 11), [CountHigh]);
    let id = stand.ask(question(13));
    let told = stand.answer(id, Some(Hresult::OK), Some(11));
    assert_eq!((ids(&told), told.prediction.count), (vec![], Some((11, 11))));
}

#[test]
fn a_clock_too_far_off_is_refused_and_one_at_the_limit_is_not() {
    for sign in [1, -1] {
        let mut stand = Stand::empty();
        assert_eq!(stand.counted(skewed(sign * FOUR_HOURS), 1), []);
        assert_eq!(stand.refused(skewed(sign * FOUR_HOURS), Hresult::INVALID_TIMESTAMP), [SkewRefused]);
        assert_eq!(stand.refused(skewed(sign * (FOUR_HOURS + 1)), Hresult::INVALID_TIMESTAMP), []);
        assert_eq!(stand.counted(skewed(sign * (FOUR_HOURS + 1)), 1), [SkewAccepted]);
    }
}

#[test]
fn a_product_is_served_or_not() {
    let mut stand = Stand::empty();
    assert_eq!(stand.refused(retail(), Hresult::KMS_ID_MISMATCH), []);
    assert_eq!(stand.counted(retail(), 1), [ProductAccepted]);
    assert_eq!(stand.counted(question(2), 2), []);
    assert_eq!(stand.refused(question(2), Hresult::KMS_ID_MISMATCH), [ProductRefused]);
}

#[test]
fn a_version_exists_or_not() {
    let mut stand = Stand::empty();
    for (major, minor) in [(3, 0), (7, 0), (6, 1)] {
        assert_eq!(stand.refused(of_version(major, minor), Hresult::INVALID_DATA), []);
        assert_eq!(stand.counted(of_version(major, minor), 1), [VersionAccepted]);
    }
    let mut stand = Stand::empty();
    for major in 4..=6 {
        assert_eq!(stand.counted(of_version(major, 0), 1), []);
        assert_eq!(stand.refused(of_version(major, 0), Hresult::INVALID_DATA), [VersionRefused]);
    }
}

#[test]
fn nothing_is_wrong_and_yet_it_is_refused() {
    let mut stand = Stand::empty();
    for code in [Hresult::HOST_NOT_ACTIVATED, Hresult::TABLE_FULL, Hresult(0x1234_5678), Hresult::SKU_NOT_INSTALLED] {
        assert_eq!(stand.refused(question(1), code), [RequestRefused], "{code}");
    }
    assert_eq!(stand.counted(Question { n_policy: 375, ..question(1) }, 1), []);
    assert_eq!(stand.refused(question(1), Hresult::TABLE_FULL), [RequestRefused]);
    // From here on a table may be full.
    assert_eq!(stand.counted(Question { n_policy: 376, ..question(1) }, 1), []);
    assert_eq!(stand.refused(question(1), Hresult::TABLE_FULL), []);
    assert_eq!(stand.refused(question(1), Hresult::HOST_NOT_ACTIVATED), [RequestRefused]);
}

#[test]
fn a_refusal_that_is_due_has_its_own_code() {
    let mut stand = Stand::empty();
    assert_eq!(stand.refused(retail(), Hresult::INVALID_DATA), [CodeOther]);
    assert_eq!(stand.refused(skewed(FOUR_HOURS + 1), Hresult::KMS_ID_MISMATCH), [CodeOther]);
    assert_eq!(stand.refused(of_version(9, 0), Hresult::TABLE_FULL), [CodeOther]);
    // Of two wrongs either code is right, of others none.
    let both = Question { kms_counted_id: Guid::NIL, ..skewed(FOUR_HOURS + 1) };
    assert_eq!(stand.refused(both, Hresult::KMS_ID_MISMATCH), []);
    assert_eq!(stand.refused(both, Hresult::INVALID_TIMESTAMP), []);
    assert_eq!(stand.refused(both, Hresult::INVALID_DATA), [CodeOther]);
    assert_eq!(stand.counted(both, 1), [ProductAccepted, SkewAccepted]);
}

#[test]
fn no_host_sends_what_others_decide() {
    let mut stand = Stand::empty();
    for code in [
        Hresult::NOT_ENOUGH_COUNT,
        Hresult::BINDING_SERVICE_UNAVAILABLE,
        Hresult::DNS_NAME_ERROR,
        Hresult::ACCESS_DENIED,
        Hresult::NOT_WINDOWS_SLP,
        Hresult(0xC004_C008),
    ] {
        assert_eq!(stand.refused(question(1), code), [CodeClientSide], "{code}");
        assert_eq!(stand.refused(retail(), code), [CodeClientSide], "{code}");
    }
    // What only the host can know is not of that kind, nor is what nobody knows.
    assert_eq!(stand.refused(question(1), Hresult::HOST_NOT_ACTIVATED), [RequestRefused]);
    let id = stand.ask(question(1));
    let told = stand.answer(id, Some(Hresult::NOT_ENOUGH_COUNT), None).divergences.remove(0);
    assert_eq!(
        told.to_string(),
        "oracle/code/client-side: expected S_OK, got 0xC004F038 (SL_E_VL_NOT_ENOUGH_COUNT): this code is decided by the \
         licensing client, never by a host"
    );
}

#[test]
fn no_answer_is_missed_and_one_that_cannot_be_read_is_not() {
    let mut stand = Stand::empty();
    let id = stand.ask(question(1));
    assert_eq!(ids(&stand.answer(id, None, None)), [AnswerMissing]);
    let id = stand.ask(question(1));
    let verdict = Verdict::Refused(Hresult::INVALID_DATA);
    let heard = Heard { sent: None, received: stand.moment(), wire: None, count: None, verdict };
    assert_eq!(ids(&stand.oracle.answered(id, &heard)), []);
}

#[test]
fn an_n_policy_beyond_a_thousand_is_granted_or_refused() {
    let mut stand = Stand::empty();
    let beyond = Question { n_policy: 1001, ..question(1) };
    assert_eq!(stand.refused(beyond, Hresult::INVALID_DATA), []);
    assert_eq!(stand.counted(beyond, 1), []);
    assert_eq!(stand.refused(Question { n_policy: 1000, ..beyond }, Hresult::INVALID_DATA), [VersionRefused]);
}

#[test]
fn a_count_that_is_not_trusted_is_not_judged() {
    let mut stand = Stand::empty();
    let id = stand.ask(question(1));
    assert_eq!(ids(&stand.answer(id, Some(Hresult::OK), None)), []);
    assert_eq!(stand.counted(question(2), 2), []);
}

#[test]
fn overlapping_requests_are_counted_in_any_order_and_lost_ones_are_missed_afterwards() {
    let mut stand = Stand::empty();
    let open: Vec<_> = (1..=5).map(|machine| stand.ask(question(machine))).collect();
    for (count, id) in [3, 1, 5, 2, 4].into_iter().zip(open) {
        assert_eq!(ids(&stand.answer(id, Some(Hresult::OK), Some(count))), []);
    }
    assert_eq!(stand.counted(question(6), 6), []);
    assert_eq!(stand.counted(question(6), 5), [CountLow]);
    assert_eq!(stand.counted(question(6), 7), [CountHigh]);
}

#[test]
fn an_update_lost_between_two_that_overlap_is_found() {
    let mut stand = Stand::empty();
    // Two at a time; the host reads, reads, writes, writes.
    for pair in 0..10 {
        let open = [stand.ask(question(2 * pair)), stand.ask(question(2 * pair + 1))];
        for id in open {
            stand.answer(id, Some(Hresult::OK), Some(pair as u32 + 1));
        }
    }
    assert_eq!(stand.counted(question(0), 10), [CountLow]);
    let id = stand.ask(question(0));
    let told = stand.answer(id, Some(Hresult::OK), Some(10));
    assert_eq!(told.prediction.count, Some((20, 20)));
    assert_eq!(told.divergences[0].because, "20 Windows machines surely asked before, this one included");
}

#[test]
fn a_refused_clock_may_be_counted_and_need_not() {
    for counted in [2, 3] {
        let mut stand = Stand::empty();
        assert_eq!(stand.counted(question(1), 1), []);
        let stranger = Question { cmid: Guid::from_u128(9), ..skewed(FOUR_HOURS + 1) };
        assert_eq!(stand.refused(stranger, Hresult::INVALID_TIMESTAMP), []);
        assert_eq!(stand.counted(question(2), counted), []);
        assert_eq!(stand.counted(question(2), 4), [CountHigh]);
        assert_eq!(stand.counted(question(2), 1), [CountLow]);
    }
}

#[test]
fn a_refused_product_is_not_counted() {
    let mut stand = Stand::empty();
    assert_eq!(stand.refused(Question { cmid: Guid::from_u128(9), ..retail() }, Hresult::KMS_ID_MISMATCH), []);
    assert_eq!(stand.counted(question(1), 2), [CountHigh]);
    assert_eq!(stand.counted(question(2), 2), []);
}

#[test]
fn what_others_had_asked_is_learned_and_what_follows_rests_on_it() {
    let mut stand = Stand::new(TableBefore::Unknown);
    assert_eq!(stand.counted(question(1), 8), []);
    assert_eq!(stand.counted(question(2), 9), []);
    let id = stand.ask(question(3));
    let high = stand.answer(id, Some(Hresult::OK), Some(11)).divergences.remove(0);
    assert_eq!((high.id, high.level), (CountHigh, Level::Should));
    assert_eq!(
        high.because,
        "8 Windows machines had been counted before, and only 2 Windows machines can be new since"
    );
    // Told once; then the new count is what is held on to.
    assert_eq!(stand.counted(question(4), 12), []);
    let id = stand.ask(question(4));
    let low = stand.answer(id, Some(Hresult::OK), Some(5)).divergences.remove(0);
    assert_eq!((low.id, low.level, low.against.unwrap().count), (CountLow, Level::Should, 12));
    // Its own machines no host may forget.
    let id = stand.ask(question(4));
    let low = stand.answer(id, Some(Hresult::OK), Some(3)).divergences.remove(0);
    assert_eq!((low.id, low.level), (CountLow, Level::Must));
    let remarks: Vec<_> = stand.oracle.remarks().into_iter().map(|remark| remark.text).collect();
    assert_eq!(remarks, ["the host had counted 7 Windows machines before the first answer"]);
}

#[test]
fn an_emptied_host_counts_from_the_beginning() {
    let mut stand = Stand::new(TableBefore::Unknown);
    assert_eq!(stand.counted(question(1), 8), []);
    let under_way = stand.ask(question(7));
    stand.oracle.fresh_host();
    assert_eq!(stand.counted(question(2), 1), []);
    // Taken before or after it was emptied, who can tell.
    assert_eq!(ids(&stand.answer(under_way, Some(Hresult::OK), Some(9))), []);
    assert_eq!(stand.counted(question(3), 3), []);
    assert_eq!(stand.counted(question(3), 2), [CountLow]);
    stand.oracle.fresh_host();
    assert_eq!(stand.counted(question(3), 2), [CountHigh]);
}

#[test]
fn what_never_left_changes_nothing() {
    let mut stand = Stand::empty();
    assert_eq!(stand.counted(question(1), 1), []);
    let id = stand.ask(question(2));
    stand.oracle.never_sent(id);
    let id = stand.ask(question(3));
    assert_eq!(stand.answer(id, Some(Hresult::OK), Some(2)).prediction.count, Some((2, 2)));
}

#[test]
fn at_thirty_days_as_far_as_clocks_are_known_an_entry_is_there_or_gone() {
    let month = 30 * 24 * 3600;
    for (uncertain, after, counts) in [
        (0, month - 1, (2, 2)),
        (0, month, (1, 2)),
        (0, month + 1, (1, 1)),
        (5, month - 11, (2, 2)),
        (5, month - 10, (1, 2)),
        (5, month + 10, (1, 2)),
        (5, month + 11, (1, 1)),
    ] {
        let mut stand = Stand::empty();
        stand.oracle.host.clock_uncertainty = Duration::from_secs(uncertain);
        assert_eq!(stand.counted(question(1), 1), []);
        stand.now += after - 1;
        let id = stand.ask(question(2));
        assert_eq!(stand.answer(id, Some(Hresult::OK), Some(counts.0)).prediction.count, Some(counts), "{after}");
    }
}

#[test]
fn a_month_later_those_that_asked_of_late_are_still_counted_where_requests_overlap() {
    let mut stand = Stand::empty();
    let first = [stand.ask(question(1)), stand.ask(question(2))];
    for id in first {
        assert_eq!(ids(&stand.answer(id, Some(Hresult::OK), Some(2))), []);
    }
    for week in 0..40 {
        for machine in 3..=8 {
            let id = stand.ask(question(machine));
            let told = stand.answer(id, Some(Hresult::OK), Some(if week < 5 { 8 } else { 6 }));
            assert_ne!(told.prediction.count.unwrap().0, 1, "week {week}");
            if week > 5 {
                assert_eq!((ids(&told), told.prediction.count.unwrap().0), (vec![], 6));
            }
        }
        stand.now += 7 * 24 * 3600;
    }
    assert_eq!(stand.counted(question(3), 5), [CountLow]);
}

#[test]
fn a_large_n_policy_under_way_is_not_yet_in_force() {
    let mut stand = Stand::empty();
    let small = |machine| Question { n_policy: 1, ..question(machine) };
    let under_way = stand.ask(question(1));
    for (machine, count) in [(2, 1), (3, 2), (4, 2), (5, 2)] {
        assert_eq!(stand.counted(small(machine), count), []);
    }
    assert_eq!(ids(&stand.answer(under_way, Some(Hresult::OK), Some(3))), []);
    assert_eq!(stand.counted(small(2), 4), []);
    assert_eq!(stand.counted(small(2), 6), [CountHigh]);
}

#[test]
fn what_was_pushed_out_before_its_answer_came_is_not_counted_on() {
    let mut stand = Stand::empty();
    let small = |machine| Question { n_policy: 1, ..question(machine) };
    let grows = stand.ask(question(8));
    let pushed_out: Vec<_> = (1..=5).map(|machine| stand.ask(small(machine))).collect();
    for (machine, count) in [(6, 2), (7, 2)] {
        assert_eq!(stand.counted(small(machine), count), []);
    }
    assert_eq!(ids(&stand.answer(grows, Some(Hresult::OK), Some(3))), []);
    for id in pushed_out {
        stand.answer(id, Some(Hresult::OK), Some(1));
    }
    assert_eq!(stand.counted(question(9), 4), []);
}
