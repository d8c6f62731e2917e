//! What a Windows client concludes from an answer, and what its user is shown
//! (protocol description, section 5). Three codes, never one.

use std::fmt;

use super::Answer;
use crate::wire::Hresult;

/// The client's conclusion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// Activated: licensed for 180 days.
    Activated,
    /// Not activated, with this code.
    Refused(Hresult),
}

/// The three codes of one activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Outcome {
    /// The HRESULT in the response; `None` if no response came.
    pub wire: Option<Hresult>,
    /// What the licensing client concludes.
    pub verdict: Verdict,
    /// What `slmgr` and `ospp` print; S_OK when activated.
    pub shown: Hresult,
}

impl Outcome {
    /// What a client whose N policy is `n_policy` concludes. The order matters: a code on the wire
    /// first, then whether the answer can be trusted, only then the count.
    pub fn conclude(answer: &Answer, n_policy: u32) -> Outcome {
        let wire = answer.wire;
        let verdict = match wire {
            // A response PDU that could not be read is an answer not to be trusted; anything less is no answer.
            None if answer.failure.is_some() => Verdict::Refused(Hresult::BINDING_SERVICE_UNAVAILABLE),
            None => Verdict::Refused(Hresult::INVALID_DATA),
            Some(code) if code != Hresult::OK => Verdict::Refused(code),
            Some(_) => match &answer.response {
                Some(response) if answer.checks.is_trusted() => {
                    if response.count < n_policy {
                        Verdict::Refused(Hresult::NOT_ENOUGH_COUNT)
                    } else {
                        Verdict::Activated
                    }
                }
                _ => Verdict::Refused(Hresult::INVALID_DATA),
            },
        };
        Outcome { wire, verdict, shown: verdict.shown() }
    }
}

impl Verdict {
    /// The code a user is shown: the verdict's own, but for a clock too far off, which `slmgr`
    /// reports as a host that cannot be contacted (Microsoft Learn, error 0xC004F06C).
    pub fn shown(self) -> Hresult {
        match self {
            Verdict::Activated => Hresult::OK,
            Verdict::Refused(Hresult::INVALID_TIMESTAMP) => Hresult::BINDING_SERVICE_UNAVAILABLE,
            Verdict::Refused(code) => code,
        }
    }

    /// The name records use: `activated`, or the code.
    pub fn name(self) -> String {
        match self {
            Verdict::Activated => "activated".to_owned(),
            Verdict::Refused(code) => code.to_string(),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::verify::{CheckId, Checks};
    use crate::wire::kms::{ActivationResponse, EpidText, ProtocolVersion};
    use crate::wire::{FileTime, Guid};

    fn counted(count: u32) -> Answer {
        let response = ActivationResponse {
            version: ProtocolVersion::V6,
            epid: EpidText::default(),
            cmid: Guid::NIL,
            client_time: FileTime(0),
            count,
            activation_interval_min: 120,
            renewal_interval_min: 10_080,
        };
        Answer { wire: Some(Hresult::OK), response: Some(response), ..Answer::default() }
    }

    #[test]
    fn the_client_compares_the_count_itself() {
        assert_eq!(Outcome::conclude(&counted(24), 25).verdict, Verdict::Refused(Hresult::NOT_ENOUGH_COUNT));
        assert_eq!(Outcome::conclude(&counted(24), 25).wire, Some(Hresult::OK));
        assert_eq!(Outcome::conclude(&counted(25), 25).verdict, Verdict::Activated);
    }

    #[test]
    fn trust_comes_before_the_count() {
        let mut checks = Checks::default();
        checks.judge(CheckId::V6Hmac, false, Default::default);
        let answer = Answer { checks, ..counted(1) };
        assert_eq!(Outcome::conclude(&answer, 25).verdict, Verdict::Refused(Hresult::INVALID_DATA));
    }

    #[test]
    fn a_skewed_clock_is_shown_as_a_host_that_cannot_be_reached() {
        let answer = Answer { wire: Some(Hresult::INVALID_TIMESTAMP), ..Answer::default() };
        let outcome = Outcome::conclude(&answer, 25);
        assert_eq!(outcome.verdict, Verdict::Refused(Hresult::INVALID_TIMESTAMP));
        assert_eq!(outcome.shown, Hresult::BINDING_SERVICE_UNAVAILABLE);
        let answer = Answer { wire: Some(Hresult::KMS_ID_MISMATCH), ..Answer::default() };
        assert_eq!(Outcome::conclude(&answer, 25).shown, Hresult::KMS_ID_MISMATCH);
    }
}
