//! `--out FORMAT=PATH`: files a run writes, while it goes and when it is over.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use jiff::Timestamp;

use super::{Journal, Recorder, RunRecord};
use crate::events::Event;

/// Someone who reads the events of a run and writes a file.
pub trait Reporter {
    /// Takes one event.
    fn observe(&mut self, event: &Event) -> io::Result<()>;

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
    /// The conversation as a capture file.
    Pcapng,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 3] = [Format::Json, Format::Events, Format::Pcapng];

    /// Its name before the equals sign.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Events => "events",
            Format::Pcapng => "pcapng",
        }
    }

    /// Whether it shows single PDUs.
    pub const fn wants_pdus(self) -> bool {
        matches!(self, Format::Events | Format::Pcapng)
    }

    /// Who writes it to `file`, in a run whose clock began at `wall_start`.
    pub fn reporter(self, file: OutFile, wall_start: Timestamp) -> io::Result<Box<dyn Reporter>> {
        Ok(match self {
            Format::Json => Box::new(RecordFile(file)),
            Format::Events => Box::new(Journal::new(file)),
            Format::Pcapng => Box::new(Recorder::new(file, wall_start)?),
        })
    }
}

struct RecordFile(OutFile);

impl Reporter for RecordFile {
    fn observe(&mut self, _event: &Event) -> io::Result<()> {
        Ok(())
    }

    fn finish(mut self: Box<Self>, record: &RunRecord<'_>) -> io::Result<()> {
        self.0.write_all(record.to_json()?.as_bytes())?;
        self.0.finish()
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

/// Standard output whose reader may leave early (`| head`): what comes after is thrown away, and
/// whatever was to be found out is found out all the same.
#[derive(Debug)]
pub struct Patient<W> {
    out: W,
    left: bool,
}

impl<W: Write> Patient<W> {
    /// A writer that does not mind its reader leaving.
    pub fn new(out: W) -> Patient<W> {
        Patient { out, left: false }
    }

    fn mind(&mut self, error: io::Error) -> io::Result<()> {
        self.left = error.kind() == io::ErrorKind::BrokenPipe;
        if self.left { Ok(()) } else { Err(error) }
    }
}

impl<W: Write> Write for Patient<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.left {
            return Ok(bytes.len());
        }
        self.out.write(bytes).or_else(|error| self.mind(error).map(|()| bytes.len()))
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.left {
            return Ok(());
        }
        self.out.flush().or_else(|error| self.mind(error))
    }
}

/// A file that appears under its name only when it is whole.
pub struct OutFile {
    path: PathBuf,
    temporary: Option<PathBuf>,
    out: BufWriter<Box<dyn Write>>,
}

impl OutFile {
    /// Begins a file at `path`; `-` is standard output.
    pub fn create(path: &Path) -> io::Result<OutFile> {
        let named = |error| in_words(path, &error);
        let (temporary, out): (_, Box<dyn Write>) = if path == Path::new("-") {
            (None, Box::new(Patient::new(io::stdout())))
        } else if path.exists() && !path.is_file() {
            // A device or a pipe is written to as it is: renaming a file over it would take it away.
            (None, Box::new(File::options().write(true).open(path).map_err(named)?))
        } else {
            let mut name = path.file_name().unwrap_or_default().to_owned();
            name.push(format!(".{}.part", std::process::id()));
            let temporary = path.with_file_name(name);
            let file = File::create(&temporary).map_err(named)?;
            (Some(temporary), Box::new(file))
        };
        Ok(OutFile { path: path.to_owned(), temporary, out: BufWriter::new(out) })
    }

    /// Puts the whole file in its place.
    pub fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        match self.temporary.take() {
            Some(temporary) => std::fs::rename(&temporary, &self.path).map_err(|error| in_words(&self.path, &error)),
            None => Ok(()),
        }
    }
}

impl Write for OutFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes).map_err(|error| in_words(&self.path, &error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush().map_err(|error| in_words(&self.path, &error))
    }
}

impl Drop for OutFile {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // Given up half-way: what there is would mislead.
            let _ = std::fs::remove_file(temporary);
        }
    }
}

/// The error with the file it is about; its kind stays.
fn in_words(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write {}: {error}", path.display()))
}
