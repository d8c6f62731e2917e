//! A probe for a monitoring system.

use std::fmt::Write as _;

use super::ProbeReport;
use crate::proto::Verdict;
use crate::proto::verify::{Checks, Level};
use crate::report::plain::short;
use crate::text::harmless;
use crate::wire::Hresult;

impl ProbeReport<'_> {
    /// For a monitoring system: one line with performance data, and the plugin's exit code.
    pub fn monitoring_line(&self) -> (String, u8) {
        let Some(last) = self.exchanges.last() else { return ("KMS UNKNOWN - nothing was asked".to_owned(), 3) };
        let checks = self.exchanges.iter().map(|exchange| &exchange.answer.checks);
        let should_failed =
            checks.clone().flat_map(|checks| checks.failed.iter()).any(|check| check.check().level == Level::Should);
        let clean = checks.clone().all(Checks::is_clean);
        let count = last.answer.response.as_ref().map(|response| response.count);
        let verdict = last.outcome.verdict;
        let (word, exit, why) = match verdict {
            Verdict::Activated if !clean => ("CRITICAL", 2, "activated, but a required check failed".to_owned()),
            Verdict::Activated if should_failed => {
                ("WARNING", 1, "activated, but a recommended check failed".to_owned())
            }
            Verdict::Activated => ("OK", 0, "activated".to_owned()),
            Verdict::Refused(Hresult::NOT_ENOUGH_COUNT) => {
                ("WARNING", 1, format!("{verdict}, count {} of {}", count.unwrap_or(0), self.machine.wanted.n_policy))
            }
            Verdict::Refused(refused) => {
                let failure = last.answer.failure.as_ref().map(|failure| format!(": {failure}")).unwrap_or_default();
                ("CRITICAL", 2, format!("{} {}{failure}", refused, short(refused)))
            }
        };
        let mut line = format!("KMS {word} - {}", harmless(&why));
        let mut data = Vec::new();
        if let Some(took) = last.service() {
            data.push(format!("time={:.6}s", took.as_secs_f64()));
        }
        if let Some(count) = count {
            data.push(format!("count={count};;{}:", self.machine.wanted.n_policy));
        }
        if !data.is_empty() {
            let _ = write!(line, " | {}", data.join(" "));
        }
        (line, exit)
    }
}
