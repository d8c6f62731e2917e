//! `whose`: whether client machine ids are kmsproof's own.

use std::io::{self, BufRead, Write};

use super::Failure;
use crate::client::identity::{ClientId, Origin};
use crate::exit::Exit;
use crate::text::harmless_lines;
use crate::wire::Guid;

/// Say whether a client machine id is one of kmsproof's synthetic ids
///
/// A KMS host logs the client machine id (CMID) of every request, event 12290. Ids that kmsproof
/// mints say by themselves that they are its own, and from which seed, group and client: no list,
/// state or key is needed to tell.
///
/// Ends with 0 when every id is kmsproof's, 100 when one is not.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct WhoseArgs {
    /// Client machine ids, with or without braces; `-` reads them from standard input, one a line
    #[arg(value_name = "CMID")]
    pub ids: Vec<String>,
}

/// Judges each id on a line of its own.
///
/// # Errors
/// When something is no GUID, no id was given, or `out` cannot be written.
pub fn execute(args: &WhoseArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    judge(args, io::stdin().lock(), out)
}

fn judge(args: &WhoseArgs, input: impl BufRead, out: &mut dyn Write) -> Result<Exit, Failure> {
    let mut input = Some(input);
    let (mut ours, mut others) = (0_u64, 0_u64);
    let mut say = |text: &str, place: &str| -> Result<(), Failure> {
        let wrong = |error| Failure::usage(harmless_lines(&format!("{place}{error}")));
        let id: Guid = text.parse().map_err(wrong)?;
        match ClientId::recognise(id) {
            Some(origin) => {
                ours += 1;
                writeln!(out, "{id} is kmsproof's: {}", describe(origin))?;
            }
            None => {
                others += 1;
                writeln!(out, "{id} is not kmsproof's")?;
            }
        }
        Ok(())
    };
    for id in &args.ids {
        if id != "-" {
            say(id, "")?;
            continue;
        }
        let Some(input) = input.take() else { continue };
        for (index, line) in input.lines().enumerate() {
            let place = format!("standard input, line {}: ", index + 1);
            let line = line.map_err(|error| Failure::input(format!("{place}{error}")))?;
            if !line.trim().is_empty() {
                say(line.trim(), &place)?;
            }
        }
    }
    match (ours, others) {
        (0, 0) => Err(Failure::new(Exit::NothingChecked, "no client machine id was given; `-` reads standard input")),
        (_, 0) => Ok(Exit::Held),
        _ => Ok(Exit::Check),
    }
}

/// What an id of ours says of itself.
pub(super) fn describe(origin: Origin) -> String {
    let Origin { seed_fold, group, index } = origin;
    let (group, index) = (group.number(), index.number());
    format!("seed {seed_fold} (or another that folds to 0x{seed_fold:04x}), group {group}, client {index}")
}

const EXAMPLES: &str = "\
Examples:
  kmsproof whose 6b6d7300-01b2-4000-920b-5ea310000007
  kmsproof whose - < cmids.txt     exit code 100 when a real client is among them";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::identity::{Group, Index};

    fn whose(ids: &[&str], input: &str) -> (Result<Exit, String>, String) {
        let args = WhoseArgs { ids: ids.iter().map(|id| (*id).to_owned()).collect() };
        let mut out = Vec::new();
        let exit = judge(&args, input.as_bytes(), &mut out);
        (exit.map_err(|failure| format!("{}: {failure}", failure.exit.code())), String::from_utf8(out).unwrap())
    }

    fn ours() -> String {
        ClientId::mint(1, Group::new(0).unwrap(), Index::new(7).unwrap()).to_string()
    }

    #[test]
    fn the_example_is_an_id_of_ours() {
        assert!(EXAMPLES.contains(&ours()));
    }

    #[test]
    fn ours_and_others() {
        let (exit, text) = whose(&[&ours()], "");
        assert_eq!(exit, Ok(Exit::Held));
        assert!(
            text.ends_with(" is kmsproof's: seed 1 (or another that folds to 0x0001), group 0, client 7\n"),
            "{text}"
        );
        let stranger = "50d5f2f7-92b7-4330-b1c0-04513ed54f41";
        assert_eq!(whose(&[&ours(), stranger], "").0, Ok(Exit::Check));
        assert_eq!(whose(&[stranger], "").1, format!("{stranger} is not kmsproof's\n"));
    }

    #[test]
    fn ids_come_from_standard_input_too() {
        let input = format!("{{{}}}\r\n\n  {}\n", ours().to_uppercase(), ours());
        let (exit, text) = whose(&["-", "-"], &input);
        assert_eq!((exit, text.lines().count()), (Ok(Exit::Held), 2));
    }

    #[test]
    fn what_is_no_id_is_named() {
        let (exit, text) = whose(&[&ours(), "-"], "\nhello\x1b[31m\n");
        let message = exit.unwrap_err();
        assert!(message.starts_with("2: standard input, line 2: `hello\\u{1b}[31m` is not a GUID"), "{message}");
        assert_eq!(text.lines().count(), 1);
        assert!(whose(&[], "").0.unwrap_err().starts_with("4: "));
        assert!(whose(&["-"], "\n").0.unwrap_err().starts_with("4: "));
    }
}
