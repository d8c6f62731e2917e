//! Where something is written, in Chinese. Titles of documents stay as they are published.

use crate::text::Lang;

/// The parts of `english`, each in Chinese unless it is a title.
pub(in crate::explain) fn source(english: &'static str) -> String {
    let parts: Vec<String> = english.split("; ").map(part).collect();
    Lang::TraditionalChinese.list(&parts.iter().map(String::as_str).collect::<Vec<_>>())
}

fn part(english: &str) -> String {
    if let Some((_, chinese)) = PHRASES.iter().find(|(phrase, _)| *phrase == english) {
        return (*chinese).to_owned();
    }
    for (before, chinese) in SECTIONS {
        if let Some(numbers) = english.strip_prefix(before) {
            let numbers = numbers.replace(" and ", " 與 ");
            return format!("{chinese} {numbers} {}", if before.contains("chapter") { "章" } else { "節" });
        }
    }
    english.to_owned()
}

const SECTIONS: [(&str, &str); 4] = [
    ("protocol description, section ", "通訊協定說明，第"),
    ("protocol description, sections ", "通訊協定說明，第"),
    ("C706 section ", "C706，第"),
    ("C706 chapter ", "C706，第"),
];

const PHRASES: [(&str, &str); 11] = [
    ("MS-RPCE, fault PDU", "MS-RPCE，fault PDU"),
    ("The Open Group C706, appendix E", "The Open Group C706，附錄 E"),
    ("Samba raw protocol tests", "Samba 的原始通訊協定測試"),
    ("Microsoft 2008 operations guide", "Microsoft 2008 年的操作指南"),
    (
        "Microsoft Volume Activation 2.0 Operations Guide (2008), event 12289",
        "Microsoft Volume Activation 2.0 Operations Guide (2008)，事件 12289",
    ),
    (
        "Microsoft Volume Activation 2.0 Operations Guide (2008), events 12289 and 12290",
        "Microsoft Volume Activation 2.0 Operations Guide (2008)，事件 12289 與 12290",
    ),
    ("Microsoft Learn, slmgr options (/sai, /sri)", "Microsoft Learn，slmgr 的選項 (/sai、/sri)"),
    ("behaviour of independent hosts", "獨立開發的主機的行為"),
    (
        "behaviour reported by authors of independent hosts, not confirmed by Microsoft",
        "獨立開發的主機的作者所回報的行為，未經 Microsoft 證實",
    ),
    ("captures of Windows 11 clients", "Windows 11 用戶端的封包擷取"),
    ("no Microsoft text about KMS names it", "Microsoft 關於 KMS 的文件都沒有提到它"),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::explain::{all, findings};
    use crate::proto::verify::CheckId;

    #[test]
    fn what_is_no_title_is_chinese_and_every_phrase_is_of_use() {
        let mut english: HashSet<&'static str> = HashSet::new();
        let sources = all().map(|entry| entry.source).chain(findings().map(|finding| finding.source));
        for text in sources.chain(CheckId::ALL.iter().map(|check| check.check().reference)) {
            english.extend(text.split("; "));
        }
        for text in &english {
            let chinese = source(text);
            let is_title = ["Microsoft Learn, ", "Error ", "Plan ", "Volume ", "MS-RPCE "]
                .iter()
                .any(|title| text.starts_with(title))
                || text.ends_with(".h");
            assert_eq!(chinese == *text, is_title && PHRASES.iter().all(|(phrase, _)| phrase != text), "{chinese}");
        }
        for (phrase, _) in PHRASES {
            assert!(english.contains(phrase), "nothing comes from {phrase}");
        }
        assert_eq!(
            source("protocol description, sections 3 and 4; slerror.h"),
            "通訊協定說明，第 3 與 4 節；slerror.h"
        );
    }
}
