//! All that can be explained, in one table.

use std::io::{self, Write};

use super::check::level_word;
use crate::explain::{self, COLUMNS_MAX};
use crate::proto::verify::CheckId;
use crate::text::{Lang, padded, wrapped};

/// Every code, check and finding, a line or two for each.
pub fn write(lang: Lang, out: &mut dyn Write) -> io::Result<()> {
    let headings = match lang {
        Lang::English => [
            "Codes",
            "Checks (`*`: when it fails, a Windows client throws the answer away)",
            "Findings of the oracle: answers that no honest host gives",
        ],
        Lang::TraditionalChinese => {
            ["代碼", "檢查項目 (`*`：不符時，Windows 用戶端會捨棄該回應)", "預測比對的結果：正確的主機不會給出的回應"]
        }
    };
    let [codes, checks, findings] = headings;
    writeln!(out, "{codes}\n")?;
    for entry in explain::all() {
        let who = entry.decided_by.first().map_or("", |who| who.word(lang));
        writeln!(out, "  {}  {}  {}", entry.code, padded(who, WHO_COLUMNS), entry.name.unwrap_or("-"))?;
    }
    writeln!(out, "\n{checks}\n")?;
    for check in CheckId::ALL.iter().map(|id| id.check()) {
        let mark = if check.trust { '*' } else { ' ' };
        let requirement =
            explain::advice(check.id).map_or(check.requirement, |advice| advice.words(check.requirement, lang).meaning);
        let level = padded(level_word(check.level, lang), LEVEL_COLUMNS);
        row(&format!("{mark} {:<ID_COLUMNS$} {level}  ", check.id), requirement, out)?;
    }
    writeln!(out, "\n{findings}\n")?;
    for finding in explain::findings() {
        row(&format!("  {:<ID_COLUMNS$} ", finding.id), first_sentence(finding.words(lang).meaning, lang), out)?;
    }
    Ok(())
}

/// `words` beside `beginning`, which is ASCII or padded and stands on the first line alone.
fn row(beginning: &str, words: &str, out: &mut dyn Write) -> io::Result<()> {
    let margin = crate::text::columns(beginning);
    for (index, line) in wrapped(words, COLUMNS_MAX - margin).into_iter().enumerate() {
        match index {
            0 => writeln!(out, "{beginning}{line}")?,
            _ => writeln!(out, "{:margin$}{line}", "")?,
        }
    }
    Ok(())
}

fn first_sentence(text: &str, lang: Lang) -> &str {
    let (stop, kept) = match lang {
        Lang::English => (". ", 1),
        Lang::TraditionalChinese => ("。", "。".len()),
    };
    text.find(stop).map_or(text, |at| &text[..at + kept])
}

const WHO_COLUMNS: usize = 9;
const LEVEL_COLUMNS: usize = 6;
const ID_COLUMNS: usize = 31;
