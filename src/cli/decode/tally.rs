//! What the whole file came to.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::exit::Exit;
use crate::proto::verify::{CheckId, Checks, Level};
use crate::text::counted;

/// Counts over all conversations.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Conversations that were shown.
    pub conversations: usize,
    /// Conversations that are not KMS.
    pub others: usize,
    /// Calls that were answered.
    pub exchanges: usize,
    /// Checks that failed with the stimulus of a case, which judges that itself.
    pub left_to_cases: usize,
    /// Steps without an answer in the recording.
    pub unanswered: usize,
    done: usize,
    failed: BTreeMap<CheckId, usize>,
}

impl Tally {
    /// Counts checks that were done.
    pub fn add(&mut self, checks: &Checks) {
        self.done += checks.done.len();
        for check in checks.failed.iter() {
            *self.failed.entry(check).or_default() += 1;
        }
    }

    /// The verdict on the file.
    pub fn exit(&self) -> Exit {
        let must = self.failed.keys().any(|check| check.check().level == Level::Must);
        match (must, self.exchanges) {
            (true, _) => Exit::Check,
            (false, 0) => Exit::NothingChecked,
            (false, _) => Exit::Held,
        }
    }

    /// The last lines.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out)?;
        if self.others > 0 {
            writeln!(out, "{} not KMS: not shown", counted(self.others, "conversation"))?;
        }
        if self.unanswered > 0 {
            let what = counted(self.unanswered, "request");
            writeln!(out, "{what} without an answer in the recording: not checked")?;
        }
        if self.left_to_cases > 0 {
            let what = counted(self.left_to_cases, "answer");
            writeln!(out, "{what} that no ordinary request gets: left to the cases to judge")?;
        }
        let failed: usize = self.failed.values().sum();
        let exchanges = counted(self.exchanges, "exchange");
        let conversations = counted(self.conversations, "conversation");
        let checks = counted(self.done, "check");
        let verdict = match (failed, self.exchanges) {
            (0, 0) => "no answered KMS request in this file".to_owned(),
            (0, _) => "all held".to_owned(),
            _ => format!("{} held, {failed} failed", self.done - failed),
        };
        writeln!(out, "{exchanges} in {conversations}, {checks} done: {verdict}")?;
        for (check, times) in &self.failed {
            let level = check.check().level;
            writeln!(out, "  {level:<6} {check}, {}", counted(*times, "time"))?;
        }
        Ok(())
    }
}
