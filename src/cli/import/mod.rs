//! `import`: a host's exported event log to a population and a scenario that replays it.

mod tell;

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::builder::BoolishValueParser;
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::TimeZone;

use super::Failure;
use super::common::{read_at_most, say};
use crate::exit::Exit;
use crate::population::import::write::{Name, population, scenario};
use crate::population::import::{self, Export, FILE_BYTES_MAX, RECORDS_MAX, Unreadable, gather};
use crate::report::OutFile;
use crate::scenario::DURATION_MAX;
use crate::text::harmless_lines;

/// Make a population and a scenario of a host's exported event log
///
/// A KMS host logs event 12290 for every request. This reads exports of that log and writes
/// DIR/NAME.csv, which says who asked what, when, and with which clock, and DIR/NAME.toml, a
/// scenario that replays it. Several exports become one population; a record that stands in more
/// than one of them is taken once.
///
/// Machines and client ids become pseudonyms (pc-0001, m0001), numbered in the order in which they
/// appear. Real ones are in no output and in no message.
///
/// Ends with 0 when both files are written, 4 when there is no event 12290 to import, 104 when a
/// file cannot be read as an export, and 110 when a file is there already and --force was not given.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct ImportArgs {
    /// Exports of the log "Key Management Service"
    ///
    /// Event Viewer's CSV or XML, what `wevtutil qe ... /f:xml` prints, or Info strings one a line;
    /// in UTF-8 or UTF-16.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    // Neither this nor the name comes from the environment: there KMSPROOF_OUT is a report of a
    // run, and KMSPROOF_NAME the name a probe sends.
    /// The folder to write to; it is made when it is not there
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// What the files and the scenario are called: lower-case letters, digits, hyphens
    #[arg(long, default_value = "imported", value_name = "NAME")]
    pub name: Name,
    /// How many times as fast as they came the requests are to be replayed
    #[arg(long, default_value = "60", value_name = "N", env = "KMSPROOF_SPEED")]
    pub speed: NonZeroU32,
    /// The zone of the times in CSV exports, which are local: a name like Asia/Taipei or an offset
    /// like +08:00
    #[arg(long, default_value = "UTC", value_name = "ZONE", env = "KMSPROOF_ZONE")]
    pub zone: Zone,
    /// A record that cannot be read is fatal, and nothing is written
    #[arg(long, env = "KMSPROOF_STRICT", value_parser = BoolishValueParser::new())]
    pub strict: bool,
    /// Write over files that are there already
    #[arg(long, value_parser = BoolishValueParser::new(), env = "KMSPROOF_FORCE")]
    pub force: bool,
}

/// Reads the exports, writes both files, and tells what was found.
///
/// # Errors
/// When a file cannot be read as an export, holds nothing to import, or an output cannot be written.
pub fn execute(args: &ImportArgs) -> Result<Exit, Failure> {
    let outputs = [format!("{}.csv", args.name), format!("{}.toml", args.name)].map(|name| args.out.join(name));
    if !args.force {
        check_free(&outputs)?;
    }
    let mut exports = Vec::new();
    let (mut records, mut problems) = (0, 0);
    for file in &args.files {
        let export = read(file, &args.zone.zone)?;
        say(tell::export(&harmless_lines(&file.display().to_string()), &export, &args.zone));
        records += export.records.len();
        problems += export.problems.count();
        if records > RECORDS_MAX {
            return Err(Failure::input(format!("all files together: {}", Unreadable::TooMany)));
        }
        exports.push(export);
    }
    match (records, problems) {
        (_, 1..) if args.strict => {
            return Err(Failure::input("nothing is written: --strict, and some records cannot be read"));
        }
        (0, 1..) => return Err(Failure::input("no record of event 12290 can be read")),
        (0, 0) => {
            return Err(Failure::new(
                Exit::NothingChecked,
                "no event 12290: expected the log \"Key Management Service\" of a KMS host",
            ));
        }
        _ => {}
    }
    let imported = gather(exports);
    say(tell::found(&imported.found, imported.rows.len(), &args.zone));
    if imported.rows.is_empty() {
        return Err(Failure::new(
            Exit::NothingChecked,
            "nothing to import: no request is for a product of the catalogue (`kmsproof catalog` lists them)",
        ));
    }
    if let Some((first, last)) = imported.found.span
        && last.duration_since(first).unsigned_abs() > DURATION_MAX
    {
        return Err(Failure::input(format!(
            "the requests of {first} and of {last} are more than 100 years apart: a clock of the host was wrong; \
             export the records before or after that"
        )));
    }

    let folder = args.out.display();
    std::fs::create_dir_all(&args.out)
        .map_err(|error| Failure::output(format!("cannot make the folder {folder}: {error}")))?;
    let [csv, toml] = &outputs;
    let (mut csv, mut toml) = (OutFile::create(csv)?, OutFile::create(toml)?);
    population(&imported.rows, &mut csv)?;
    toml.write_all(scenario(&imported, &args.name, args.speed, &args.zone.zone).as_bytes())?;
    csv.finish()?;
    toml.finish()?;
    say(tell::written(&outputs));
    Ok(Exit::Held)
}

/// Where the times of an export are from.
#[derive(Debug, Clone)]
pub struct Zone {
    /// What it was called on the command line.
    pub name: String,
    /// Its rules.
    pub zone: TimeZone,
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Zone, String> {
        let zone = DateTimeParser::new().parse_time_zone(text);
        let zone = zone.map_err(|_| "expected a time zone like Asia/Taipei, or an offset like +08:00".to_owned())?;
        Ok(Zone { name: text.to_owned(), zone })
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

fn read(file: &Path, zone: &TimeZone) -> Result<Export, Failure> {
    let name = harmless_lines(&file.display().to_string());
    let bytes = read_bounded(file).map_err(|error| Failure::input(format!("{name}: {error}")))?;
    import::read(bytes, zone).map_err(|unreadable| Failure::input(format!("{name}: {unreadable}")))
}

fn read_bounded(file: &Path) -> io::Result<Vec<u8>> {
    let bytes = read_at_most(File::open(file)?, FILE_BYTES_MAX)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let why = "larger than 1 GiB; export the log in parts (Event Viewer: \"Filter Current Log\", by time)";
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

fn check_free(outputs: &[PathBuf]) -> Result<(), Failure> {
    match outputs.iter().find(|path| path.symlink_metadata().is_ok()) {
        Some(path) => Err(Failure::output(format!(
            "{} is there already: --force writes over it, --name and --out choose another",
            path.display()
        ))),
        None => Ok(()),
    }
}

const EXAMPLES: &str = "\
Examples:
  wevtutil qe \"Key Management Service\" /f:xml > kms.xml      on the host
  kmsproof import kms.xml --out replay --name last-week
  kmsproof import export.csv --zone Asia/Taipei --out replay
  kmsproof run replay/last-week.toml";
