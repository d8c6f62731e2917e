//! An answer held against what was expected of it.

use super::bounds::{Bound, Ground};
use super::counting::Expected;
use super::prediction::{Prediction, code_text, range_text};
use super::rules::{Skew, Wrongs};
use super::{Divergence, DivergenceId, Heard, Sighting};
use crate::catalog::Application;
use crate::explain::{self, DecidedBy};
use crate::proto::Verdict;
use crate::proto::verify::Level;
use crate::text::Lang;
use crate::text::{counted, grouped};
use crate::wire::{Guid, Hresult};

/// What is wrong with the code of an answer.
pub(super) fn judge_code(wrongs: Wrongs, prediction: &Prediction, heard: &Heard) -> Vec<Divergence> {
    let divergence = |id, got: String, because: String| {
        let expected = prediction.wire_text();
        Divergence { id, level: Level::Must, expected, got, because, against: None }
    };
    let why = prediction.why;
    let Some(code) = heard.wire else {
        // A response that cannot be read is an answer, and whatever is wrong with it is told elsewhere.
        let unreadable = heard.verdict == Verdict::Refused(Hresult::INVALID_DATA);
        let missing =
            || divergence(DivergenceId::AnswerMissing, "no response".into(), "every request is answered".into());
        return if unreadable { Vec::new() } else { vec![missing()] };
    };
    if prediction.codes.contains(code) {
        return Vec::new();
    }
    if code == Hresult::OK {
        return [
            (wrongs.version, DivergenceId::VersionAccepted, "its protocol version is none of 4.0, 5.0 and 6.0"),
            (wrongs.product, DivergenceId::ProductAccepted, "the host does not serve its product"),
            (wrongs.clock == Skew::Off, DivergenceId::SkewAccepted, "its time is more than four hours from the host's"),
        ]
        .into_iter()
        .filter(|(wrong, ..)| *wrong)
        .map(|(_, id, because)| divergence(id, "S_OK".into(), because.into()))
        .collect();
    }
    let known = explain::code(code);
    let got = match known.and_then(|entry| entry.name) {
        Some(name) => format!("{code} ({name})"),
        None => code_text(code),
    };
    let id = match known.map(|entry| entry.decided_by) {
        Some(by) if !by.iter().any(|by| matches!(by, DecidedBy::Host | DecidedBy::Rpc)) => {
            let by: Vec<_> = by.iter().map(|by| by.description(Lang::English)).collect();
            let because = format!("this code is decided by {}, never by a host", by.join("; "));
            return vec![divergence(DivergenceId::CodeClientSide, got, because)];
        }
        _ if wrongs.refused() => DivergenceId::CodeOther,
        _ => match code {
            Hresult::INVALID_TIMESTAMP => DivergenceId::SkewRefused,
            Hresult::KMS_ID_MISMATCH => DivergenceId::ProductRefused,
            Hresult::INVALID_DATA => DivergenceId::VersionRefused,
            _ => DivergenceId::RequestRefused,
        },
    };
    let because = match id {
        DivergenceId::SkewRefused => "its time is at most four hours from the host's".to_owned(),
        DivergenceId::ProductRefused => "the host serves its product".to_owned(),
        DivergenceId::VersionRefused => {
            "its protocol version is one of 4.0, 5.0 and 6.0, and its data is well-formed".to_owned()
        }
        _ => why.to_string(),
    };
    vec![divergence(id, got, because)]
}

/// What is wrong with the count of a granted answer; at most one thing.
pub(super) fn judge_count(
    application: Guid,
    expected: &Expected,
    got: u32,
    against: impl FnOnce() -> Option<Sighting>,
) -> Option<Divergence> {
    let count = u64::from(got);
    let low = |bound: &Bound| count < bound.count;
    let high = |bound: &Bound| count > bound.count;
    let (id, level, bound) = if low(&expected.least) {
        (DivergenceId::CountLow, Level::Must, expected.least)
    } else if let Some(most) = expected.most.filter(high) {
        (DivergenceId::CountHigh, Level::Must, most)
    } else if let Some(least) = expected.least_alone.filter(low) {
        (DivergenceId::CountLow, Level::Should, least)
    } else {
        (DivergenceId::CountHigh, Level::Should, expected.most_alone.filter(high)?)
    };
    let limit = grouped(bound.count);
    let words = match (expected.range(), id) {
        ((least, most), _) if least == most => range_text(least, most),
        (_, DivergenceId::CountLow) => format!("at least {limit}"),
        _ => format!("at most {limit}"),
    };
    let against = match bound.ground {
        Ground::Seen(sighting) | Ground::Since(sighting, _) => Some(sighting),
        _ => against(),
    };
    let because = because(application, bound.ground, id);
    Some(Divergence { id, level, expected: words, got: grouped(u64::from(got)), because, against })
}

impl Expected {
    /// The least and the most a host surely may count.
    pub fn range(&self) -> (u32, u32) {
        let number = |bound: Bound| u32::try_from(bound.count).unwrap_or(u32::MAX);
        let (least, most) = (number(self.least), self.most.map_or(u32::MAX, number));
        // A host that contradicted itself leaves no room; what it must count then stands.
        (least, most.max(least))
    }
}

fn because(application: Guid, ground: Ground, id: DivergenceId) -> String {
    let machines = |number: u64| counted(number, &format!("{} machine", name(application)));
    match ground {
        Ground::Requester => "the machine that asks is itself counted".to_owned(),
        Ground::Exactly => format!(
            "each {} machine that asked in the last 30 days counts once, and they asked one after the other",
            name(application)
        ),
        Ground::Counted(number) => {
            format!("{} surely asked before, this one included", machines(number))
        }
        Ground::Full(capacity) if id == DivergenceId::CountLow => format!(
            "so many asked before that the table must hold {}, twice the largest N policy asked by then",
            machines(capacity)
        ),
        Ground::Full(capacity) => {
            format!("the table holds at most {}, twice the largest N policy asked so far", machines(capacity))
        }
        Ground::Seen(sighting) => {
            format!("{} had been counted before, and nobody asks for less", machines(u64::from(sighting.count)))
        }
        Ground::Grown => "machines that had never asked before have been answered since an earlier count".to_owned(),
        Ground::Asked(number) => format!("only {} had asked by then, each of which counts once", machines(number)),
        Ground::Since(sighting, new) => format!(
            "{} had been counted before, and only {} can be new since",
            machines(u64::from(sighting.count)),
            machines(new)
        ),
    }
}

/// What people call the machines of an application.
pub(super) fn name(application: Guid) -> String {
    Application::from_guid(application).map_or_else(|| application.to_string(), |known| known.name().to_owned())
}
