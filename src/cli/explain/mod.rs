//! `explain`: what a code, a check or a finding of the oracle means.

mod case;
mod check;
mod find;
mod table;

use std::io::Write;

use super::Failure;
use crate::exit::Exit;
use crate::explain;
use crate::text::Lang;
use find::Topic;

/// Explain an error code, a check, a conformance case or a fault: what it means, who decides it, what to do
///
/// A code is written as Windows shows it: 0xC004F074, c004f074, or the number that PowerShell and
/// event logs print for it, -1073418124. A symbol (SL_E_VL_NOT_ENOUGH_COUNT) does as well, and so
/// does a part of one. A check or a finding is named by its id (kms/v6/hmac, oracle/skew/accepted)
/// or by a beginning of it (kms/v6), and so are conformance cases and faults of the lab host. A pattern names several: `*` stands for anything, `?` for one
/// character.
///
/// Without arguments all codes, checks and findings are listed; `conform --list` and `lab --list-faults` list the others.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct ExplainArgs {
    /// Codes, symbols, ids, beginnings of ids, or patterns
    #[arg(value_name = "WHAT", allow_negative_numbers = true)]
    pub what: Vec<String>,
    /// The language to explain in: en, or zh-TW for Traditional Chinese
    #[arg(long, default_value_t, value_name = "LANG", env = "KMSPROOF_LANG")]
    pub lang: Lang,
}

/// Writes what is known of each, or the table of all.
///
/// # Errors
/// When something is not known (with the nearest names), or `out` cannot be written.
pub fn execute(args: &ExplainArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    if args.what.is_empty() {
        table::write(args.lang, out)?;
        return Ok(Exit::Held);
    }
    // All of them or none: half an answer would be read as the whole.
    let found: Vec<Vec<Topic>> = args.what.iter().map(|what| find::find(what, args.lang)).collect::<Result<_, _>>()?;
    let pages: Vec<String> = found.iter().flatten().map(|topic| render(topic, args.lang)).collect();
    write!(out, "{}", pages.join("\n"))?;
    Ok(Exit::Held)
}

fn render(topic: &Topic, lang: Lang) -> String {
    match topic {
        Topic::Code(entry) => explain::render(entry, lang),
        Topic::Check(check) => check::render(check.check(), lang),
        Topic::Finding(finding) => finding.render(lang),
        Topic::Case(case) => case::render(case, lang),
        Topic::Fault(fault) => case::render_fault(fault, lang),
    }
}

const EXAMPLES: &str = "\
Examples:
  kmsproof explain 0xC004F074
  kmsproof explain -1073418124
  kmsproof explain NOT_ENOUGH_COUNT
  kmsproof explain kms/v6/hmac
  kmsproof explain 'oracle/*' --lang zh-TW";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::COLUMNS_MAX;
    use crate::proto::verify::CheckId;
    use crate::text::columns;

    fn explain(what: &[&str]) -> Result<String, Failure> {
        explain_in(Lang::English, what)
    }

    fn explain_in(lang: Lang, what: &[&str]) -> Result<String, Failure> {
        let mut out = Vec::new();
        execute(&ExplainArgs { what: what.iter().map(|what| (*what).to_owned()).collect(), lang }, &mut out)?;
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
        mended by      whoever writes the host's program; whoever runs the network between client and host
        cause          The key was made from the host's clock instead of the client time, the HMAC covers
                       other bytes, or the wrong half of a digest was kept. Or bytes changed on the way.
        what to do     Make the key from the slot of the client time in the request, and keep the last 16
                       bytes of both digests. A client's time zone has no part in it.
        source         protocol description, section 4
        ");
        insta::assert_snapshot!(explain_in(Lang::TraditionalChinese, &["kms/v6/hmac"]).unwrap(), @r"
        kms/v6/hmac

        要求      V6 回應的 HMAC，對用戶端時間所在的時段，或對相差 0x22816889BD 的前後時段值而言是正確的。
        層級      必須：不符時，整次執行即為失敗
        不符時    Windows 用戶端會捨棄該回應 (0x8007000D)
        由誰修正  主機程式的開發者；用戶端與主機之間的網路管理員
        原因      金鑰以主機的時鐘而不是用戶端時間產生、HMAC 涵蓋了其他位元組，或保留了摘要錯誤的一半。也可
                  能是位元組在途中被更改。
        處理方式  以要求中用戶端時間所在的時段產生金鑰，兩個摘要都保留最後 16 個位元組。用戶端的時區與此無
                  關。
        出處      通訊協定說明，第 4 節
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
            ("oracle/skew/acepted", "oracle/skew/accepted"),
            ("orcale/count/*", "oracle/count/low"),
        ] {
            let failure = explain(&["0xC004F042", what]).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.message.contains(near), "{failure}");
        }
    }

    #[test]
    fn the_table_has_every_code_check_and_finding_in_a_hundred_columns() {
        for lang in Lang::ALL {
            let text = explain_in(lang, &[]).unwrap();
            let codes = explain::all().map(|entry| entry.code.to_string());
            let checks = CheckId::ALL.iter().map(CheckId::to_string);
            for name in codes.chain(checks).chain(explain::findings().map(|finding| finding.id.to_owned())) {
                assert!(text.contains(&name), "{name}");
            }
            assert!(text.lines().all(|line| columns(line) <= COLUMNS_MAX), "{text}");
        }
    }

    #[test]
    fn a_pattern_names_all_it_matches_and_nothing_else() {
        assert_eq!(explain(&["kms/v6/*"]).unwrap(), explain(&["kms/v6"]).unwrap());
        assert_eq!(explain(&["oracle/*"]).unwrap(), explain(&["oracle"]).unwrap());
        let oracle = explain(&["oracle/*"]).unwrap();
        assert_eq!(oracle.lines().filter(|line| line.starts_with("oracle/")).count(), explain::findings().count());
        let hmac = explain(&["*hmac"]).unwrap();
        assert!(hmac.starts_with("kms/v6/hmac\n"), "{hmac}");
        assert!(explain(&["0xc004f08?"]).unwrap().contains("SL_E_VL_AD_AO_NOT_FOUND"));
        assert!(explain(&["kms/v7/*"]).is_err());
    }

    #[test]
    fn every_check_and_code_is_explained_in_a_hundred_columns() {
        for lang in Lang::ALL {
            let text = explain_in(lang, &["*"]).unwrap();
            for line in text.lines() {
                assert!(columns(line) <= COLUMNS_MAX, "{line}");
                let words = line.trim_start();
                assert!(!words.starts_with(['。', '，', '、', '；', '：', '」', '）', ')']), "{line}");
            }
            // Title, blank line, and a row for each label at least.
            let checks = text.matches(explain::Label::Level.words(lang)).count();
            assert!(checks >= CheckId::ALL.len(), "{checks} of {}", CheckId::ALL.len());
        }
    }
}
