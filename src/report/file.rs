//! Where output goes: files that are there whole or not at all, and standard output.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A file that appears under its name only when it is whole.
pub struct OutFile {
    path: PathBuf,
    temporary: Option<PathBuf>,
    out: BufWriter<Box<dyn Write>>,
}

impl OutFile {
    /// Begins a file at `path`; `-` is standard output.
    pub fn create(path: &Path) -> io::Result<OutFile> {
        // A link stays one, and what it points to is written: renaming a file over the link would take
        // it away, and `/dev/stdout` of a redirected run is a link to a file.
        let followed = if path.is_symlink() && path != Path::new("-") { path.canonicalize().ok() } else { None };
        let path = followed.as_deref().unwrap_or(path);
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
            under_way().push(temporary.clone());
            (Some(temporary), Box::new(file))
        };
        Ok(OutFile { path: path.to_owned(), temporary, out: BufWriter::new(out) })
    }

    /// Begins a file that grows under its own name, for whoever reads it while it does.
    pub fn grow(path: &Path) -> io::Result<OutFile> {
        if path == Path::new("-") || (path.exists() && !path.is_file()) {
            return OutFile::create(path);
        }
        let file = File::create(path).map_err(|error| in_words(path, &error))?;
        Ok(OutFile { path: path.to_owned(), temporary: None, out: BufWriter::new(Box::new(file)) })
    }

    /// Puts a whole file in its place that will be followed by another. Only a file can: what was written to a
    /// pipe stays written.
    pub fn publish(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(temporary) = &self.temporary else { return Ok(()) };
        let named = |error| in_words(&self.path, &error);
        let mut name = temporary.file_name().unwrap_or_default().to_owned();
        name.push(".next");
        let next = temporary.with_file_name(name);
        std::fs::write(&next, bytes).and_then(|()| std::fs::rename(&next, &self.path)).map_err(named)
    }

    /// Puts the whole file in its place.
    pub fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        match self.temporary.take() {
            Some(temporary) => {
                let renamed = std::fs::rename(&temporary, &self.path);
                under_way().retain(|other| *other != temporary);
                renamed.map_err(|error| in_words(&self.path, &error))
            }
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
            under_way().retain(|other| other != temporary);
        }
    }
}

/// Takes away what is not whole yet, for whoever ends the process at once.
pub fn abandon() {
    for temporary in under_way().drain(..) {
        let _ = std::fs::remove_file(temporary);
    }
}

/// Files that are not whole yet.
fn under_way() -> MutexGuard<'static, Vec<PathBuf>> {
    static UNDER_WAY: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
    UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner)
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

/// The error with the file it is about; its kind stays.
fn in_words(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write {}: {error}", path.display()))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_link_stays_a_link_and_its_file_is_written() {
        let folder = std::env::temp_dir().join(format!("kmsproof-out-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (file, link) = (folder.join("run.json"), folder.join("latest.json"));
        std::fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let mut out = OutFile::create(&link).unwrap();
        out.write_all(b"new").unwrap();
        out.finish().unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "new");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
