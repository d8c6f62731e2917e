//! What was heard in a talk, held against what a case accepts.

use std::time::Duration;

use super::{Judged, Stop, Talk};
use crate::conform::accept::{
    Accept, Grade, Mismatch, SERVED_NEXT, Seen, Then, Want, allows_silence, is_answer_due, judge, words,
};
use crate::conform::host::{Closing, Patience};
use crate::proto::verify::{CheckId, Place};
use crate::wire::rpc::{Flags, PduView, Ptype, SyntaxId, at};

/// What is heard, held against what is accepted.
impl Talk<'_> {
    /// Waits for the host's answer to what was said last, and holds it against a set.
    pub fn expect(&mut self, label: &str, accepts: &[Accept]) -> Seen {
        let patience = match () {
            () if is_answer_due(accepts) => Patience::Answer,
            () if allows_silence(accepts) => Patience::Silence,
            () => Patience::Close,
        };
        let mut seen = self.see(patience, Some(Patience::Silence));
        // Who is to close may take its time; who is as it should be already is not waited for.
        let closes = accepts.iter().any(|accept| accept.then == Then::Closed);
        if seen.closing == Closing::Open && closes && judge(&seen, accepts) != Ok(Grade::Ok) {
            seen.closing = self.closing(Patience::Close);
        }
        self.judge(label, &seen, accepts);
        seen
    }

    /// An answer that comes before others, so that nothing is said of whether the connection stays open.
    pub fn expect_next(&mut self, label: &str, accepts: &[Accept]) -> Seen {
        let seen = self.see(Patience::Answer, None);
        self.judge(label, &seen, accepts);
        seen
    }

    /// Holds something seen against a set.
    pub fn judge(&mut self, label: &str, seen: &Seen, accepts: &[Accept]) {
        self.mind_fault(seen, accepts);
        self.mind_silence(seen, accepts);
        let (grade, mismatch) = match judge(seen, accepts) {
            Ok(grade) => (grade, None),
            Err((grade, mismatch)) => (grade, Some(mismatch)),
        };
        let mismatch = mismatch.or_else(|| {
            let (expected, got) = (words(accepts), seen.to_string());
            (grade == Grade::NonStrict).then_some(Mismatch { field: "reply", expected, got, place: None })
        });
        self.push(label, grade, mismatch);
    }

    /// Whether a field is as it has to be.
    pub fn field<T: PartialEq + std::fmt::Debug>(&mut self, field: &'static str, expected: T, got: T) {
        let right = expected == got;
        self.holds(field, right, || (in_words(&expected), in_words(&got)));
    }

    /// Whether something holds; what would have been right, and what was there, in words.
    pub fn holds(&mut self, field: &'static str, holds: bool, evidence: impl FnOnce() -> (String, String)) {
        let mismatch = (!holds).then(|| {
            let (expected, got) = evidence();
            Mismatch { field, expected, got, place: place_of(field) }
        });
        self.push(field, if holds { Grade::Ok } else { Grade::Fail }, mismatch);
    }

    /// The same of something that is not strict when it does not hold.
    pub fn should_hold(&mut self, field: &'static str, holds: bool, evidence: impl FnOnce() -> (String, String)) {
        self.holds(field, holds, evidence);
        if let Some(last) = self.judged.last_mut().filter(|last| last.grade == Grade::Fail) {
            last.grade = Grade::NonStrict;
        }
    }

    /// Something worth knowing.
    pub fn note(&mut self, words: impl Into<String>) {
        self.notes.push(words.into());
    }

    /// Whether this connection still serves an ordinary request.
    pub fn still_serves(&mut self, label: &str) {
        if self.is_over() {
            return;
        }
        self.request(0);
        let seen = self.see(Patience::Answer, None);
        self.mind_fault(&seen, SERVED_NEXT);
        if seen.reply.is_none() {
            self.breaks(CheckId::Answered, || ("a response".to_owned(), seen.to_string()));
        }
        if let Err((_, mismatch)) = judge(&seen, SERVED_NEXT) {
            self.push(label, Grade::Fail, Some(Mismatch { field: "liveness", ..mismatch }));
        } else {
            self.push(label, Grade::Ok, None);
        }
    }

    /// Whether an ordinary client on a connection of its own is served meanwhile. Goes on over that connection.
    pub fn serves_others(&mut self, label: &str) -> bool {
        let seen = self.exchange();
        self.judge_exchange(label, seen)
    }

    /// The same where there are so many connections that a host may have no more: one that is turned away at once knows
    /// where it stands.
    pub fn serves_one_more(&mut self, label: &str) {
        let begun = self.took();
        let seen = self.exchange();
        let is_at_once = self.took().saturating_sub(begun) < AT_ONCE_MAX;
        let is_turned_away = match &seen {
            Ok(Seen { reply: Some(frame), .. }) => PduView(frame).ptype() == Some(Ptype::BIND_NAK),
            Ok(seen) => seen.closing != Closing::Open,
            // There was no connection.
            Err(_) => is_at_once,
        };
        self.judge_exchange(label, seen);
        if let Some(judged) = self.judged.last_mut() {
            judged.starves_others &= !is_turned_away;
        }
    }

    fn judge_exchange(&mut self, label: &str, seen: Result<Seen, Stop>) -> bool {
        let served = seen.as_ref().is_ok_and(|seen| judge(seen, SERVED_NEXT).is_ok());
        let mismatch = (!served).then(|| Mismatch {
            field: "liveness",
            expected: "an ordinary exchange on another connection".to_owned(),
            got: seen.map_or_else(|stop| stop.to_string(), |seen| seen.to_string()),
            place: None,
        });
        self.push(label, if served { Grade::Ok } else { Grade::Fail }, mismatch);
        if let Some(judged) = self.judged.last_mut() {
            judged.starves_others = !served;
        }
        served
    }

    /// Whether an ordinary client is served just now, which nobody minds if it is not.
    pub fn is_served_by_now(&mut self) -> bool {
        self.exchange().is_ok_and(|seen| judge(&seen, SERVED_NEXT).is_ok())
    }

    /// An ordinary exchange on a connection of its own, as far as it comes.
    fn exchange(&mut self) -> Result<Seen, Stop> {
        self.connect()?;
        let offered = self.offer(vec![self.context(0, &[SyntaxId::NDR32])]);
        self.send_bind(Flags::WHOLE, &offered);
        let seen = self.see(Patience::Answer, None);
        if self.syntax_of(0).is_none() {
            return Ok(seen);
        }
        self.request(0);
        Ok(self.see(Patience::Answer, None))
    }

    /// An ordinary bind that is not accepted, or not even answered, breaks a rule of its own.
    pub(super) fn mind_refusal(&mut self, seen: &Seen) {
        let check = if seen.reply.is_some() { CheckId::BindAccepted } else { CheckId::Answered };
        self.breaks(check, || ("a bind_ack that accepts it".to_owned(), seen.to_string()));
    }

    /// A fault where nothing but a response is right breaks a rule of its own, whatever the case is about.
    pub(super) fn mind_fault(&mut self, seen: &Seen, accepts: &[Accept]) {
        let responses = |accept: &Accept| matches!(accept.reply, Want::Served | Want::Answered | Want::Refused(_));
        // A case about what Windows does may ask what other hosts fault: it judges that itself.
        let is_due = self.shared.is_must && accepts.iter().all(responses);
        let Some(frame) = seen.reply.as_deref().filter(|_| is_due) else { return };
        if PduView(frame).ptype() == Some(Ptype::FAULT) {
            self.breaks(CheckId::NoFault, || ("a response".to_owned(), seen.to_string()));
        }
    }

    /// Silence on an open connection where an answer is due is wrong, whatever the case is about: a host that cannot
    /// answer closes (MS-RPCE 3.3.3.5.1).
    fn mind_silence(&mut self, seen: &Seen, accepts: &[Accept]) {
        if seen.reply.is_none() && seen.closing == Closing::Open && is_answer_due(accepts) && !allows_silence(accepts) {
            self.breaks(CheckId::Answered, || (words(accepts), seen.to_string()));
        }
    }

    pub(super) fn push(&mut self, label: &str, grade: Grade, mismatch: Option<Mismatch>) {
        let said = (grade != Grade::Ok).then(|| self.said.len().checked_sub(1)).flatten();
        self.judged.push(Judged { label: label.to_owned(), grade, mismatch, said, starves_others: false });
    }
}

/// Where a field of a PDU stands, when its name says.
fn place_of(field: &'static str) -> Option<Place> {
    let offset = match field {
        "pfc_flags" => at::FLAGS,
        "frag_length" => at::FRAG_LENGTH,
        "call_id" => at::CALL_ID,
        "max_xmit_frag" => at::MAX_XMIT_FRAG,
        "max_recv_frag" => at::MAX_RECV_FRAG,
        "assoc_group" => at::ASSOC_GROUP,
        "secondary_address" => at::SECONDARY_ADDRESS_LENGTH,
        "alloc_hint" => at::ALLOC_HINT,
        "p_cont_id" => at::CONTEXT,
        "cancel_count" => at::CANCEL_COUNT,
        "status" => at::STATUS,
        "reserved" => at::FAULT_RESERVED,
        _ => return None,
    };
    Some(Place::in_pdu(field, offset))
}

/// A value as people write it: what is there by itself, and "nothing" for what is not.
fn in_words<T: std::fmt::Debug>(value: &T) -> String {
    let words = format!("{value:?}").replace("None", "nothing");
    let mut out = String::with_capacity(words.len());
    let (mut rest, mut open) = (words.as_str(), Vec::new());
    while let Some(letter) = rest.chars().next() {
        let is_some = rest.starts_with("Some(");
        match letter {
            _ if is_some => open.push(false),
            '(' => open.push(true),
            ')' if open.pop() == Some(false) => {
                rest = &rest[1..];
                continue;
            }
            _ => {}
        }
        if !is_some {
            out.push(letter);
        }
        rest = &rest[if is_some { "Some(".len() } else { letter.len_utf8() }..];
    }
    out
}

/// A connection that is refused is refused at once; one that is not answered takes longer.
const AT_ONCE_MAX: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn values_are_shown_as_people_write_them() {
        assert_eq!((in_words(&Some(3)), in_words(&None::<u8>)), ("3".to_owned(), "nothing".to_owned()));
        assert_eq!(in_words(&[Some(3), None]), "[3, nothing]");
        assert_eq!(in_words(&Some((2496, Some(5840)))), "(2496, 5840)");
        assert_eq!(in_words(&"a (b)"), "\"a (b)\"");
    }
}
