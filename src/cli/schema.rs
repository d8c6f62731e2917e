//! `schema`: the JSON Schemas of files.

use std::io::Write;

use super::Failure;
use crate::exit::Exit;
use crate::scenario;

/// Print the JSON Schema of a kind of file
///
/// Editors that know TOML by JSON Schema complete the keys of a scenario by it, say what they mean and
/// mark what is wrong. What hangs together across tables, only `kmsproof plan` sees.
#[derive(Debug, clap::Args)]
pub struct SchemaArgs {
    /// The kind of file
    #[arg(value_enum)]
    kind: Kind,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Kind {
    /// A scenario, as `run` and `plan` read it
    Scenario,
}

/// Writes the schema.
///
/// # Errors
/// When `out` cannot be written.
pub fn execute(args: &SchemaArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    let schema = match args.kind {
        Kind::Scenario => scenario::schema(),
    };
    serde_json::to_writer_pretty(&mut *out, &schema).map_err(std::io::Error::from)?;
    writeln!(out)?;
    Ok(Exit::Held)
}
