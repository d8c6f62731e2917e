//! Event Viewer's CSV export. Titles are translated and the message has none, so columns go by
//! their order: Level, Date and Time, Source, Event ID, Task Category, message.

use jiff::tz::TimeZone;

use super::info::{self, Info};
use super::lines::Lines;
use super::local_time::{Written, decide};
use super::{DateOrder, EVENT_ID, Export, Form, RECORDS_MAX, Record, Unreadable, Wrong};

pub(super) fn read(text: &str, zone: &TimeZone) -> Result<Export, Unreadable> {
    let mut export = Export::new(Form::Csv);
    let mut found: Vec<(u64, Written, Info)> = Vec::new();
    let mut titles = None;
    let mut events = 0_u64;
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut row = csv::StringRecord::new();
    let mut lines = Lines::new(text);
    // Text that has been decoded already fails in no way that a flexible reader minds.
    while reader.read_record(&mut row).map_err(|_| Unreadable::NotAnExport)? {
        // The reader's own lines are those where the line end before a row stands.
        let line = lines.at_text(row.position().map_or(0, csv::Position::byte));
        let Some(id) = row.get(COLUMN_EVENT_ID).and_then(|id| id.trim().parse::<u32>().ok()) else {
            // Exports that were joined have their titles again in the middle.
            let is_title = match &titles {
                None => events == 0,
                Some(titles) => *titles == row,
            };
            match is_title {
                true => titles = Some(row.clone()),
                false => export.problems.push(line, Wrong::NoEventId),
            }
            continue;
        };
        events += 1;
        match of_row(&row, id) {
            Ok(Some((written, info))) if found.len() < RECORDS_MAX => found.push((line, written, info)),
            Ok(Some(_)) => return Err(Unreadable::TooMany),
            Ok(None) => export.others += 1,
            Err(wrong) => export.problems.push(line, wrong),
        }
    }
    // An export of an empty log has its titles and nothing else.
    let is_empty_log = export.problems.count() == 0 && titles.is_some_and(|titles| titles.len() == COLUMN_MESSAGE);
    if events == 0 && !is_empty_log {
        return Err(Unreadable::NotAnExport);
    }

    export.dates = decide(found.iter().map(|(_, written, info)| (written, info.client_time)));
    let order = export.dates.map_or(DateOrder::MonthFirst, |decided| decided.order);
    for (line, written, info) in found {
        match written.at(order, zone) {
            Some(at) => export.push(Record { at, number: None, info })?,
            None => export.problems.push(line, Wrong::DateOrder(order)),
        }
    }
    Ok(export)
}

/// What a row says, when it is a request's.
fn of_row(row: &csv::StringRecord, id: u32) -> Result<Option<(Written, Info)>, Wrong> {
    if id != EVENT_ID {
        return Ok(None);
    }
    let message = row.get(COLUMN_MESSAGE).unwrap_or("");
    let info = match info::find(message) {
        // Others have a 12290 too (volume shadow copies, for one).
        Err(Wrong::NoInfo) if !is_of_licensing(row.get(COLUMN_SOURCE).unwrap_or("")) => return Ok(None),
        info => info::parse(info?)?,
    };
    let written = row.get(COLUMN_DATE).and_then(Written::read).ok_or(Wrong::HostTime)?;
    Ok(Some((written, info)))
}

/// Whether a source is the licensing service: `Microsoft-Windows-Security-SPP`, before Windows 7
/// `Microsoft-Windows-Security-Licensing-SLC`, with or without what stands before it.
pub(super) fn is_of_licensing(source: &str) -> bool {
    let source = source.trim();
    source.is_empty() || source.ends_with("Security-SPP") || source.ends_with("Security-Licensing-SLC")
}

const COLUMN_DATE: usize = 1;
const COLUMN_SOURCE: usize = 2;
const COLUMN_EVENT_ID: usize = 3;
const COLUMN_MESSAGE: usize = 5;
