//! Bare Info strings, one a line: what is left when somebody has cut a log down.

use super::{Export, Form, Record, Unreadable, info};

pub(super) fn read(text: &str) -> Result<Export, Unreadable> {
    let mut export = Export::new(Form::InfoList);
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match info::find(line.trim().trim_matches('"')).and_then(info::parse) {
            // There is no other time than the client's.
            Ok(info) => export.push(Record { at: info.client_time, number: None, info })?,
            Err(wrong) => export.problems.push(index as u64 + 1, wrong),
        }
    }
    Ok(export)
}
