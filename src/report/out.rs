//! `--out FORMAT=PATH`: files a run writes, while it goes and when it is over.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use jiff::Timestamp;

use super::file::OutFile;
use super::{Journal, Recorder, RunRecord, Seconds, hgrm};
use crate::events::Event;

/// Someone who reads the events of a run and writes a file.
pub trait Reporter {
    /// Takes one event.
    fn observe(&mut self, event: &Event) -> io::Result<()>;

    /// Takes what a run that is not over has come to so far, now and then: whatever ends it, that much is kept.
    fn checkpoint(&mut self, _record: &RunRecord<'_>) -> io::Result<()> {
        Ok(())
    }

    /// Puts the whole file in its place.
    fn finish(self: Box<Self>, record: &RunRecord<'_>) -> io::Result<()>;
}

/// A format of output. A new one needs its file in this folder, a name here and a reporter below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The run record.
    Json,
    /// The events, one JSON object a line.
    Events,
    /// How it went, a line for each second.
    Csv,
    /// How long things took, as plots of HdrHistogram read it.
    Hgrm,
    /// The conversation as a capture file.
    Pcapng,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 5] = [Format::Json, Format::Events, Format::Csv, Format::Hgrm, Format::Pcapng];

    /// Its name before the equals sign.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Events => "events",
            Format::Csv => "csv",
            Format::Hgrm => "hgrm",
            Format::Pcapng => "pcapng",
        }
    }

    /// Whether it shows single PDUs.
    pub const fn wants_pdus(self) -> bool {
        matches!(self, Format::Events | Format::Pcapng)
    }

    /// Begins its file at `path`.
    pub fn begin(self, path: &Path) -> io::Result<OutFile> {
        if self == Format::Csv { OutFile::grow(path) } else { OutFile::create(path) }
    }

    /// Who writes it to `file`, in a run whose clock began at `wall_start`.
    pub fn reporter(self, file: OutFile, wall_start: Timestamp) -> io::Result<Box<dyn Reporter>> {
        Ok(match self {
            Format::Json => Box::new(RecordFile(file)),
            Format::Events => Box::new(Journal::new(file)),
            Format::Csv => Box::new(Seconds::new(file)?),
            Format::Hgrm => Box::new(Distribution(file)),
            Format::Pcapng => Box::new(Recorder::new(file, wall_start)?),
        })
    }
}

struct RecordFile(OutFile);

impl Reporter for RecordFile {
    fn observe(&mut self, _event: &Event) -> io::Result<()> {
        Ok(())
    }

    fn checkpoint(&mut self, record: &RunRecord<'_>) -> io::Result<()> {
        self.0.publish(record.to_json()?.as_bytes())
    }

    fn finish(mut self: Box<Self>, record: &RunRecord<'_>) -> io::Result<()> {
        self.0.write_all(record.to_json()?.as_bytes())?;
        self.0.finish()
    }
}

struct Distribution(OutFile);

impl Reporter for Distribution {
    fn observe(&mut self, _event: &Event) -> io::Result<()> {
        Ok(())
    }

    fn checkpoint(&mut self, record: &RunRecord<'_>) -> io::Result<()> {
        self.0.publish(hgrm::text(record.scenarios()).as_bytes())
    }

    fn finish(mut self: Box<Self>, record: &RunRecord<'_>) -> io::Result<()> {
        self.0.write_all(hgrm::text(record.scenarios()).as_bytes())?;
        self.0.finish()
    }
}

impl Reporter for Seconds<OutFile> {
    fn observe(&mut self, event: &Event) -> io::Result<()> {
        Seconds::observe(self, event)
    }

    fn finish(self: Box<Self>, _record: &RunRecord<'_>) -> io::Result<()> {
        self.into_inner()?.finish()
    }
}

impl Reporter for Journal<OutFile> {
    fn observe(&mut self, event: &Event) -> io::Result<()> {
        Journal::observe(self, event)
    }

    fn finish(self: Box<Self>, _record: &RunRecord<'_>) -> io::Result<()> {
        self.into_inner().finish()
    }
}

impl Reporter for Recorder<OutFile> {
    fn observe(&mut self, event: &Event) -> io::Result<()> {
        Recorder::observe(self, event)
    }

    fn finish(self: Box<Self>, _record: &RunRecord<'_>) -> io::Result<()> {
        self.into_inner()?.finish()
    }
}

/// One `--out`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutSpec {
    /// The format.
    pub format: Format,
    /// Where to; `-` is standard output.
    pub path: PathBuf,
}

impl FromStr for OutSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<OutSpec, String> {
        let formats = || Format::ALL.map(Format::name).join(", ");
        let Some((name, path)) = text.split_once('=') else {
            return Err(format!("`{text}` is not FORMAT=PATH; formats: {}", formats()));
        };
        let Some(format) = Format::ALL.into_iter().find(|format| format.name() == name) else {
            return Err(format!("`{name}` is no format of this version; formats: {}", formats()));
        };
        if path.is_empty() {
            return Err(format!("`{text}` names no file (`-` is standard output)"));
        }
        Ok(OutSpec { format, path: PathBuf::from(path) })
    }
}
