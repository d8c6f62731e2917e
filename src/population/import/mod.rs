//! A host's own log of requests, exported, as a population: who asked what, when, and how far off
//! each clock was.
//!
//! A KMS host logs event 12290 for every request (Microsoft's event reference and the operations
//! guide of 2008). [`read`] takes one export of that log, [`gather()`] makes one population of
//! several, and [`mod@write`] writes it and a scenario that replays it.
//!
//! What comes out of [`gather()`] names nobody: machines and client ids are numbered in the order in
//! which they appear. Complaints name positions and never quote what stands there, because a field
//! that is out of place may be a machine's name.

mod csv_export;
mod gather;
mod info;
mod info_list;
mod lines;
mod local_time;
pub mod write;
mod xml_export;

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use gather::{Found, Imported, Row, gather};
pub use info::Info;
pub use local_time::{DateOrder, Decided};

use crate::text::{self, NotText};
use crate::wire::Hresult;

/// Reads one export. `zone` is where the times are from, when the form has local ones.
///
/// # Errors
/// [`Unreadable`] when it cannot be read as an export to its end.
pub fn read(bytes: Vec<u8>, zone: &TimeZone) -> Result<Export, Unreadable> {
    if bytes.starts_with(EVTX_MAGIC) {
        return Err(Unreadable::Evtx);
    }
    let text = text::decode_unmarked(&bytes)?;
    drop(bytes);
    // Some tools mark every file they join.
    let text = text.trim_start_matches('\u{feff}');
    let first_line = text.lines().find(|line| !line.trim().is_empty()).ok_or(Unreadable::Empty)?;
    if first_line.trim_start().starts_with('<') {
        xml_export::read(text)
    } else if info::begins(first_line) {
        info_list::read(text)
    } else {
        csv_export::read(text, zone)
    }
}

/// What one file holds.
#[derive(Debug)]
pub struct Export {
    /// The form it is in.
    pub form: Form,
    /// The records of event 12290 that could be read, in the order of the file.
    pub records: Vec<Record>,
    /// Events that are not 12290, or another program's 12290.
    pub others: u64,
    /// What could not be read, and was skipped.
    pub problems: Problems,
    /// How local dates were read; `None` when the form leaves nothing to decide.
    pub dates: Option<Decided>,
}

impl Export {
    fn new(form: Form) -> Export {
        Export { form, records: Vec::new(), others: 0, problems: Problems::default(), dates: None }
    }

    fn push(&mut self, record: Record) -> Result<(), Unreadable> {
        if self.records.len() == RECORDS_MAX {
            return Err(Unreadable::TooMany);
        }
        self.records.push(record);
        Ok(())
    }
}

/// One request as the host logged it. It holds a real client id and a real name: not for any output.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Record {
    /// When the host logged it. A list of Info strings has no such time, and the client's stands in.
    pub at: Timestamp,
    /// The number of the record in the log (`EventRecordID`), which only XML has.
    pub number: Option<u64>,
    /// What the host wrote of the request.
    pub info: Info,
}

impl Record {
    /// How far the client's clock was ahead of the host's (behind is negative), in minutes. The log
    /// has the client's time without its seconds, so less than [`CLOCK_RIGHT_BELOW_MIN`] is 0.
    pub fn clock_min(&self) -> i64 {
        let minute = |at: Timestamp| at.as_second().div_euclid(60);
        let off = minute(self.info.client_time) - minute(self.at);
        match off.abs() {
            ..CLOCK_RIGHT_BELOW_MIN => 0,
            // Exactly four hours pass: where the minutes do not tell, the host's answer does.
            CLOCK_MAX_MIN if self.info.result == Hresult::INVALID_TIMESTAMP => off + off.signum(),
            _ => off,
        }
    }
}

/// A form of export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Event Viewer's "Save All Events As", CSV: local times in the exporting machine's format.
    Csv,
    /// Event Viewer's XML, and what `wevtutil qe LOG /f:xml` prints: UTC in steps of 100 ns.
    Xml,
    /// Bare Info strings, one a line: the clients' own times only.
    InfoList,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Form::Csv => "Event Viewer CSV",
            Form::Xml => "event XML",
            Form::InfoList => "a list of Info strings",
        })
    }
}

/// What was skipped because it could not be read: the first of them whole, the rest by number.
#[derive(Debug, Default)]
pub struct Problems {
    first: Vec<Problem>,
    count: u64,
}

impl Problems {
    /// The first of them, at most [`PROBLEMS_KEPT`].
    pub fn first(&self) -> &[Problem] {
        &self.first
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    fn push(&mut self, line: u64, wrong: Wrong) {
        self.count += 1;
        if self.first.len() < PROBLEMS_KEPT {
            self.first.push(Problem { line, wrong });
        }
    }
}

/// One thing that could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Problem {
    /// The line where its record begins, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub wrong: Wrong,
}

/// Why a record cannot be read, and what would be right. Never what stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// No event id where one is due.
    #[error("no event id: expected a number (column 4 of a CSV export, System/EventID in XML)")]
    NoEventId,
    /// A 12290 without its Info string.
    #[error(
        "no Info string in the message: expected a line of the form \
         0x0,25,NAME,CLIENT-ID,2026/11/9 8:30,0,2,43200,SKU-ID"
    )]
    NoInfo,
    /// More than one Info string, as when a closing quote is missing.
    #[error("more than one Info string in one event: expected one; a closing quote may be missing")]
    SeveralInfos,
    /// Not nine fields.
    #[error(
        "the Info string has {0} fields: expected 9 (HRESULT, N policy, machine, client id, time, VM flag, \
         license status, minutes, SKU id)"
    )]
    FieldCount(usize),
    /// A field of the Info string is not what it should be.
    #[error("field {number} of the Info string ({name}): expected {expected}")]
    Field {
        /// Its number, from 1.
        number: usize,
        /// What it is called.
        name: &'static str,
        /// What would be right.
        expected: &'static str,
    },
    /// Neither a machine name nor a client id.
    #[error("fields 3 and 4 of the Info string (machine, client id): expected at least one of them")]
    Nobody,
    /// The host's time cannot be read.
    #[error(
        "the date and time (column 2) is in no known form: expected one like 9/29/2010 2:46:05 PM, \
         2010/9/29 下午 02:46:05, 29.09.2010 14:46:05 or 2010-09-29 14:46:05"
    )]
    HostTime,
    /// The host's time is read in the order the rest of the file has, and is no date then.
    #[error("the date (column 2) is none when read with the {0}, as the rest of the file is")]
    DateOrder(DateOrder),
    /// `TimeCreated` is missing or no time.
    #[error("System/TimeCreated has no time: expected SystemTime=\"2026-11-09T08:30:05.1234567Z\"")]
    TimeCreated,
}

/// A file that cannot be read as an export to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Nothing in it.
    #[error("it is empty: expected an export of the log \"Key Management Service\"")]
    Empty,
    /// Bytes that are no text.
    #[error("it is no text ({0}): expected UTF-8 or UTF-16")]
    NotText(#[from] NotText),
    /// The log file itself.
    #[error(
        "it is the log itself (.evtx): export it first, with `wevtutil qe FILE.evtx /lf:true /f:xml` \
         or Event Viewer's \"Save All Events As\", type XML or CSV"
    )]
    Evtx,
    /// Text of another kind.
    #[error(
        "it is no export of an event log: expected Event Viewer's CSV or XML, what \
         `wevtutil qe \"Key Management Service\" /f:xml` prints, or Info strings of event 12290, one a line"
    )]
    NotAnExport,
    /// XML that breaks its own rules.
    #[error("line {line}: it is not well-formed XML from here on: export it again")]
    Xml {
        /// Where, from 1.
        line: u64,
    },
    /// XML that ends too early.
    #[error("line {line}: it ends inside an element: the export is cut off")]
    CutOff {
        /// The last line.
        line: u64,
    },
    /// XML nested too deeply.
    #[error("line {line}: elements are nested more than {DEPTH_MAX} deep: no event log is")]
    Deep {
        /// Where, from 1.
        line: u64,
    },
    /// More records than can be held.
    #[error("it has more than {} records of event 12290: export less at once", text::grouped(RECORDS_MAX as u64))]
    TooMany,
}

/// The event a KMS host logs for every request.
const EVENT_ID: u32 = 12290;

/// From here on a clock is off, in minutes: the log has the client's time without its seconds.
pub const CLOCK_RIGHT_BELOW_MIN: i64 = 2;

/// What a host lets pass, in minutes: four hours (Microsoft Support, error 0xC004F06C).
pub const CLOCK_MAX_MIN: i64 = 4 * 60;

/// The largest file that is read, in bytes.
pub const FILE_BYTES_MAX: u64 = 1 << 30;

/// The most records that are held, as many as a scenario may have arrivals.
pub const RECORDS_MAX: usize = 10_000_000;

/// Problems of a file that are kept whole.
pub const PROBLEMS_KEPT: usize = 100;

/// How deep XML may be nested; events are five deep.
const DEPTH_MAX: usize = 64;

const EVTX_MAGIC: &[u8] = b"ElfFile\0";

#[cfg(test)]
mod tests;
