//! Every Chinese text held against its English.

use std::collections::BTreeSet;

use super::*;
use crate::explain::{self, DecidedBy, Label, MendedBy, Shown};
use crate::proto::verify::CheckId;
use crate::text::Lang;

/// Everything that is explained: its name, its English, its Chinese.
fn pairs() -> Vec<(String, Words, Words)> {
    let codes = explain::all().map(|entry| {
        (entry.code.to_string(), entry.words(Lang::English), code(entry.code).expect("every code is said in Chinese"))
    });
    let checks = CheckId::ALL.iter().map(|id| {
        let english = explain::advice(id.check().id).unwrap().words(id.check().requirement, Lang::English);
        (id.to_string(), english, check(id.check().id).expect("every check is said in Chinese"))
    });
    let findings = explain::findings().map(|found| {
        (found.id.to_owned(), found.words(Lang::English), finding(found.id).expect("every finding is said in Chinese"))
    });
    codes.chain(checks).chain(findings).collect()
}

fn texts(words: &Words) -> [&'static str; 3] {
    [words.meaning, words.cause, words.remedy]
}

#[test]
fn the_two_languages_explain_the_same_things_in_the_same_order() {
    let english: Vec<_> = explain::all().map(|entry| entry.code).collect();
    assert_eq!(codes().map(|said| said.of).collect::<Vec<_>>(), english);
    let english: Vec<_> = explain::findings().map(|found| found.id).collect();
    assert_eq!(oracle::SAID.iter().map(|said| said.of).collect::<Vec<_>>(), english);
    let english: Vec<_> = CheckId::ALL.iter().map(|id| id.check().id).collect();
    assert_eq!(checks::all().map(|said| said.of).collect::<Vec<_>>(), english);
    assert_eq!(explain::checks::all().map(|advice| advice.id).collect::<Vec<_>>(), english);
}

#[test]
fn a_code_a_command_or_a_number_in_one_language_is_in_the_other() {
    let mut leftovers = Vec::new();
    for (name, english, chinese) in pairs() {
        // A sentence may move, so what an entry says is compared as a whole.
        let [english, chinese] = [english, chinese].map(|words| facts(&texts(&words).join(" ")));
        leftovers.extend(english.symmetric_difference(&chinese).map(|fact| format!("{name}: {fact}")));
    }
    assert_eq!(leftovers, Vec::<String>::new());
    let [english, chinese] = Lang::ALL.map(|lang| facts(&Shown::As(Hresult(0xC004_F074)).description(lang)));
    assert_eq!(english, chinese);
}

/// Hexadecimal codes, options that begin with a slash, command names, and numbers of two digits or more.
fn facts(text: &str) -> BTreeSet<String> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || "/_.-:,".contains(character);
    text.split(|character| !is_part(character))
        .map(|word| word.trim_end_matches(['.', ',', ':', '-']))
        .filter(|word| {
            let is_option = word.len() > 2 && word.starts_with('/');
            let is_number = word.chars().filter(char::is_ascii_digit).count() >= 2;
            let is_command = ["slmgr", "ospp", "w32tm", "sysprep", "kmsproof"].contains(word);
            is_option || is_number || is_command || word.contains('_')
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn chinese_is_written_as_in_taiwan() {
    let labels = [Label::Meaning, Label::Requirement, Label::Level, Label::Failing, Label::DecidedBy];
    let labels = labels.into_iter().chain([Label::MendedBy, Label::Cause, Label::Remedy, Label::Shown, Label::Source]);
    let who = [DecidedBy::Host, DecidedBy::Client, DecidedBy::Network, DecidedBy::Local, DecidedBy::Microsoft];
    let shown = [Shown::Itself, Shown::Never, Shown::Unknown, Shown::As(Hresult(0xC004_F074))];
    let phrases = labels
        .map(|label| label.words(Lang::TraditionalChinese).to_owned())
        .chain(who.into_iter().chain([DecidedBy::Rpc]).map(|who| who.description(Lang::TraditionalChinese).to_owned()))
        .chain(MendedBy::ALL.iter().map(|who| who.description(Lang::TraditionalChinese).to_owned()))
        .chain(shown.iter().map(|shown| shown.description(Lang::TraditionalChinese)));
    for text in phrases {
        well_written(&text);
    }
    for (name, _, chinese) in pairs() {
        for text in texts(&chinese) {
            assert!(text.ends_with('。'), "{name}: {text}");
            well_written(text);
        }
    }
}

#[test]
fn english_is_whole_sentences_with_nothing_chinese_left_in_them() {
    for (name, english, _) in pairs() {
        for text in texts(&english) {
            assert!(text.is_ascii() && text.ends_with('.') && !text.contains("  "), "{name}: {text}");
        }
    }
    for advice in explain::checks::all() {
        assert!(!advice.mended_by.is_empty(), "{}", advice.id);
    }
}

fn well_written(text: &str) {
    for word in OF_ELSEWHERE.split_whitespace() {
        assert!(!text.contains(word), "{word} in: {text}");
    }
    assert!(!text.contains("  ") && text.trim() == text, "{text}");
    assert!(text.contains(is_chinese), "{text}");
    let characters: Vec<char> = text.chars().collect();
    for pair in characters.windows(2) {
        let &[before, after] = pair else { unreachable!("windows of two") };
        let touches = is_chinese(before) && after.is_ascii_alphanumeric()
            || before.is_ascii_alphanumeric() && is_chinese(after)
            || is_chinese(before) && "([,.;:!?".contains(after)
            || ")],".contains(before) && is_chinese(after);
        assert!(!touches, "{before}{after} in: {text}");
        assert!(!(FULL_WIDTH.contains(before) && after == ' '), "{before}{after} in: {text}");
        assert!(!(before == ' ' && FULL_WIDTH.contains(after)), "{before}{after} in: {text}");
    }
}

fn is_chinese(character: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&character)
}

const FULL_WIDTH: &str = "。，、；：！？「」（）";

/// Words of the mainland, and characters of its script, where Taiwan says otherwise.
const OF_ELSEWHERE: &str = "\
    激活 服務器 軟件 硬件 固件 網絡 信息 默認 端口 證書 客戶端 客戶機 程序 數據 文件名 計算機 屏幕 鼠標 硬盤 \
    內存 注冊表 註冊表 訪問 設置 運行 創建 添加 加載 字節 字符串 響應 主板 報錯 兼容 網關 哈希 校驗 管理員身份 \
    緩存 調用 接口 進程 線程 日誌 啓 务 户 应 码 时 间 网 络 证 书 软 据 设 启 这 个 为 与 录";
