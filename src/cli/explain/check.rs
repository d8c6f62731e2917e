//! A check of the catalogue, explained.

use crate::explain::{self, Label, MendedBy, Page};
use crate::proto::verify::{Check, Level};
use crate::text::Lang;

/// The check for a terminal, ending in a line feed.
pub fn render(check: &Check, lang: Lang) -> String {
    let page = Page::new(check.id);
    // That there is advice for every check is held by a test.
    let Some(advice) = explain::advice(check.id) else {
        return page.row(Label::Requirement, check.requirement).render(lang);
    };
    let words = advice.words(check.requirement, lang);
    page.row(Label::Requirement, words.meaning)
        .row(Label::Level, level(check.level, lang))
        .row(Label::Failing, failing(check, lang))
        .row(Label::MendedBy, MendedBy::list(advice.mended_by, lang))
        .row(Label::Cause, words.cause)
        .row(Label::Remedy, words.remedy)
        .row(Label::Source, explain::source(check.reference, lang))
        .render(lang)
}

/// One word for a level.
pub const fn level_word(level: Level, lang: Lang) -> &'static str {
    match (lang, level) {
        (Lang::English, Level::Must) => "must",
        (Lang::English, Level::Should) => "should",
        (Lang::English, Level::May) => "may",
        (Lang::TraditionalChinese, Level::Must) => "必須",
        (Lang::TraditionalChinese, Level::Should) => "應該",
        (Lang::TraditionalChinese, Level::May) => "參考",
    }
}

fn level(level: Level, lang: Lang) -> String {
    let follows = match (lang, level) {
        (Lang::English, Level::Must) => ": breaking it fails a run",
        (Lang::English, Level::Should) => ": breaking it is reported",
        (Lang::English, Level::May) => ": worth knowing, never wrong",
        (Lang::TraditionalChinese, Level::Must) => "：不符時，整次執行即為失敗",
        (Lang::TraditionalChinese, Level::Should) => "：不符時，會列入報告",
        (Lang::TraditionalChinese, Level::May) => "：值得知道，但不算錯誤",
    };
    format!("{}{follows}", level_word(level, lang))
}

fn failing(check: &Check, lang: Lang) -> &'static str {
    let is_silence = check.id == "rpc/transport/answered";
    match lang {
        Lang::English if check.trust => "a Windows client throws the answer away (0x8007000D)",
        Lang::English if is_silence => "a Windows client has no answer (0xC004F074)",
        Lang::English => "that alone does not make a Windows client throw the answer away",
        Lang::TraditionalChinese if check.trust => "Windows 用戶端會捨棄該回應 (0x8007000D)",
        Lang::TraditionalChinese if is_silence => "Windows 用戶端得不到回應 (0xC004F074)",
        Lang::TraditionalChinese => "單憑這一點，Windows 用戶端不會捨棄該回應",
    }
}
