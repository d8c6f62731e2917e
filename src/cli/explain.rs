//! `explain`: what a code or a check means.

use std::io::Write;

use super::Failure;
use crate::exit::Exit;
use crate::explain::{self, Entry};
use crate::proto::verify::{Check, CheckId};
use crate::text::{harmless_lines, wrapped};
use crate::wire::Hresult;

/// Explain an error code or a check: what it means, who decides it, what to do
///
/// A code is written as Windows shows it: 0xC004F074, c004f074, or the number that PowerShell and
/// event logs print for it, -1073418124. A symbol (SL_E_VL_NOT_ENOUGH_COUNT) does as well, and so
/// does a part of one. A check is named by its id (kms/v6/hmac) or by a beginning of it (kms/v6).
///
/// Without arguments all codes and checks are listed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct ExplainArgs {
    /// Codes, symbols, check ids or beginnings of them
    #[arg(value_name = "WHAT", allow_hyphen_values = true)]
    pub what: Vec<String>,
}

/// Writes what is known of each, or the table of all.
///
/// # Errors
/// When something is not known (with the nearest names), or `out` cannot be written.
pub fn execute(args: &ExplainArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    if args.what.is_empty() {
        table(out)?;
        return Ok(Exit::Held);
    }
    // All of them or none: half an answer would be read as the whole.
    let found: Vec<Found> = args.what.iter().map(|what| find(what)).collect::<Result<_, _>>()?;
    for (index, found) in found.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        match found {
            Found::Codes(entries) => {
                let texts: Vec<String> = entries.iter().map(|entry| explain::render(entry)).collect();
                write!(out, "{}", texts.join("\n"))?;
            }
            Found::Checks(checks) => {
                let texts: Vec<String> = checks.iter().map(|check| render(check.check())).collect();
                write!(out, "{}", texts.join("\n"))?;
            }
        }
    }
    Ok(Exit::Held)
}

enum Found {
    Codes(Vec<&'static Entry>),
    Checks(Vec<CheckId>),
}

fn find(what: &str) -> Result<Found, Failure> {
    let what = what.trim();
    if let Some(code) = code(what) {
        return match explain::code(code) {
            Some(entry) => Ok(Found::Codes(vec![entry])),
            None => Err(unknown(what)),
        };
    }
    let id = what.trim_end_matches('/').to_lowercase();
    let begins = |check: &CheckId| {
        check.check().id.strip_prefix(id.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let checks: Vec<CheckId> = CheckId::ALL.iter().copied().filter(begins).collect();
    if !checks.is_empty() {
        return Ok(Found::Checks(checks));
    }
    let symbol = what.to_uppercase();
    let named = |entry: &&Entry| entry.name.is_some_and(|name| name.to_uppercase() == symbol);
    let part = |entry: &&Entry| entry.name.is_some_and(|name| name.to_uppercase().contains(&symbol));
    let mut entries: Vec<_> = explain::all().filter(named).collect();
    if entries.is_empty() && symbol.len() >= PART_MIN {
        entries = explain::all().filter(part).collect();
    }
    if entries.is_empty() { Err(unknown(what)) } else { Ok(Found::Codes(entries)) }
}

/// A code as Windows prints it: hexadecimal, or a negative decimal number.
fn code(what: &str) -> Option<Hresult> {
    if what.starts_with('-') {
        return what.parse::<i32>().ok().map(|number| Hresult(number.cast_unsigned()));
    }
    what.parse().ok()
}

/// Nothing has that name: those that are nearest to it.
fn unknown(what: &str) -> Failure {
    let asked = code(what).map_or_else(|| what.to_lowercase(), |code| code.to_string().to_lowercase());
    let codes = explain::all().map(|entry| entry.code.to_string());
    let symbols = explain::all().filter_map(|entry| entry.name).map(str::to_owned);
    let checks = CheckId::ALL.iter().map(CheckId::to_string);
    let mut near: Vec<(f64, String)> = codes
        .chain(symbols)
        .chain(checks)
        .map(|name| (strsim::jaro_winkler(&asked, &name.to_lowercase()), name))
        .filter(|(similarity, _)| *similarity >= SIMILARITY_MIN)
        .collect();
    near.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    near.dedup_by(|(_, a), (_, b)| a == b);
    let near: Vec<String> = near.into_iter().take(NEAREST).map(|(_, name)| name).collect();
    let hint = match near.as_slice() {
        [] => "`kmsproof explain` alone lists all that is known".to_owned(),
        near => format!("near it: {}", near.join(", ")),
    };
    Failure::usage(harmless_lines(&format!("nothing is known of `{what}`; {hint}")))
}

fn render(check: &Check) -> String {
    let trust = match check.trust {
        true => "a Windows client throws the answer away (0x8007000D)",
        false if check.id.starts_with("rpc/transport/") => "a Windows client has no answer (0xC004F074)",
        false => "that alone does not make a Windows client throw the answer away",
    };
    let mut text = format!("{}\n\n", check.id);
    for (label, words) in [
        ("requirement", check.requirement),
        ("level", level_words(check)),
        ("when it fails", trust),
        ("source", check.reference),
    ] {
        for (index, line) in wrapped(words, WORDS_COLUMNS).into_iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            text.push_str(&format!("{label:<LABEL_COLUMNS$}{line}\n"));
        }
    }
    text
}

fn level_words(check: &Check) -> &'static str {
    use crate::proto::verify::Level;
    match check.level {
        Level::Must => "must: breaking it fails a run",
        Level::Should => "should: breaking it is reported",
        Level::May => "may: worth knowing, never wrong",
    }
}

fn table(out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "Codes\n")?;
    for entry in explain::all() {
        let who = entry.decided_by.first().map_or("", |who| who.name());
        writeln!(out, "  {}  {who:<9}  {}", entry.code, entry.name.unwrap_or("-"))?;
    }
    writeln!(out, "\nChecks (`*`: when it fails, a Windows client throws the answer away)\n")?;
    for check in CheckId::ALL {
        let Check { id, level, requirement, trust, .. } = check.check();
        let mark = if *trust { '*' } else { ' ' };
        for (index, line) in wrapped(requirement, TABLE_COLUMNS).into_iter().enumerate() {
            match index {
                0 => writeln!(out, "{mark} {id:<ID_COLUMNS$} {level:<6}  {line}")?,
                _ => writeln!(out, "  {:<ID_COLUMNS$} {:<6}  {line}", "", "")?,
            }
        }
    }
    Ok(())
}

/// A part of a symbol is looked for from this length on.
const PART_MIN: usize = 4;
const NEAREST: usize = 3;
const SIMILARITY_MIN: f64 = 0.75;
const LABEL_COLUMNS: usize = 15;
const WORDS_COLUMNS: usize = 85;
const ID_COLUMNS: usize = 31;
const TABLE_COLUMNS: usize = 58;

const EXAMPLES: &str = "\
Examples:
  kmsproof explain 0xC004F074
  kmsproof explain -1073418124
  kmsproof explain NOT_ENOUGH_COUNT
  kmsproof explain kms/v6/hmac";

#[cfg(test)]
mod tests {
    use super::*;

    fn explain(what: &[&str]) -> Result<String, Failure> {
        let mut out = Vec::new();
        execute(&ExplainArgs { what: what.iter().map(|what| (*what).to_owned()).collect() }, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_code_in_every_form_is_the_same_code() {
        let text = explain(&["0xC004F042"]).unwrap();
        assert!(text.starts_with("0xC004F042  SL_E_VL_KEY_MANAGEMENT_SERVICE_ID_MISMATCH\n"), "{text}");
        for form in ["c004f042", " 0XC004F042", "-1073418174", "sl_e_vl_key_management_service_id_mismatch"] {
            assert_eq!(explain(&[form]).unwrap(), text, "{form}");
        }
        assert_eq!(explain(&["SERVICE_ID_MISMATCH"]).unwrap(), text);
    }

    #[test]
    fn a_check_and_a_family_of_checks() {
        insta::assert_snapshot!(explain(&["kms/v6/hmac"]).unwrap(), @r"
        kms/v6/hmac

        requirement    The HMAC of a V6 answer is right for the client time's slot, or for a slot value
                       0x22816889BD below or above it.
        level          must: breaking it fails a run
        when it fails  a Windows client throws the answer away (0x8007000D)
        source         protocol description, section 4
        ");
        assert_eq!(explain(&["kms/v6/"]).unwrap().matches("requirement").count(), 3);
        assert!(explain(&["kms/v"]).is_err(), "a clause is not cut in the middle");
    }

    #[test]
    fn the_unknown_has_neighbours() {
        for (what, near) in [
            ("kms/v6/hmca", "kms/v6/hmac"),
            ("0xC004F043", "0xC004F04"),
            ("NOT_ENOUGH_CONT", "SL_E_VL_NOT_ENOUGH_COUNT"),
        ] {
            let failure = explain(&["0xC004F042", what]).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.message.contains(near), "{failure}");
        }
    }

    #[test]
    fn the_table_has_every_code_and_check_in_a_hundred_columns() {
        let text = explain(&[]).unwrap();
        for entry in explain::all() {
            assert!(text.contains(&entry.code.to_string()));
        }
        for check in CheckId::ALL {
            assert!(text.contains(check.check().id));
        }
        assert!(text.lines().all(|line| line.chars().count() <= 100));
    }
}
