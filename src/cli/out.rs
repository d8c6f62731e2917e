//! `--out FORMAT=PATH`: which files a run writes.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::Failure;

/// One `--out`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutSpec {
    /// The format.
    pub format: Format,
    /// Where to; `-` is standard output.
    pub path: PathBuf,
}

/// A format of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The run record.
    Json,
    /// The events, one JSON object a line.
    Events,
    /// The conversation as a capture file.
    Pcapng,
}

impl FromStr for OutSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<OutSpec, String> {
        let Some((format, path)) = text.split_once('=') else {
            return Err(format!("`{text}` is not FORMAT=PATH; formats: json, events, pcapng"));
        };
        let format = match format {
            "json" => Format::Json,
            "events" => Format::Events,
            "pcapng" => Format::Pcapng,
            other => return Err(format!("`{other}` is no format of this version; formats: json, events, pcapng")),
        };
        if path.is_empty() {
            return Err(format!("`{text}` names no file (`-` is standard output)"));
        }
        Ok(OutSpec { format, path: PathBuf::from(path) })
    }
}

/// A file that appears under its name only when it is whole.
pub struct OutFile {
    path: PathBuf,
    temporary: Option<PathBuf>,
    out: BufWriter<Box<dyn Write + Send>>,
}

impl OutFile {
    /// Begins a file at `path`; `-` is standard output.
    pub fn create(path: &Path) -> Result<OutFile, Failure> {
        if path == Path::new("-") {
            let out: Box<dyn Write + Send> = Box::new(std::io::stdout());
            return Ok(OutFile { path: path.to_owned(), temporary: None, out: BufWriter::new(out) });
        }
        let failed = |error| Failure::output(format!("cannot write {}: {error}", path.display()));
        // A device or a pipe is written to as it is: renaming a file over it would take it away.
        if path.exists() && !path.is_file() {
            let file: Box<dyn Write + Send> = Box::new(File::options().write(true).open(path).map_err(failed)?);
            return Ok(OutFile { path: path.to_owned(), temporary: None, out: BufWriter::new(file) });
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.part", std::process::id()));
        let temporary = path.with_file_name(name);
        let file: Box<dyn Write + Send> = Box::new(File::create(&temporary).map_err(failed)?);
        Ok(OutFile { path: path.to_owned(), temporary: Some(temporary), out: BufWriter::new(file) })
    }

    /// Puts the whole file in its place.
    pub fn finish(mut self) -> Result<(), Failure> {
        let failed = |error| Failure::output(format!("cannot write {}: {error}", self.path.display()));
        self.out.flush().map_err(failed)?;
        match self.temporary.take() {
            Some(temporary) => std::fs::rename(&temporary, &self.path).map_err(failed),
            None => Ok(()),
        }
    }
}

impl Write for OutFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
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
