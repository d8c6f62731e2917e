//! What a result code, a check or a finding of the oracle means, who decides
//! it and what to do about it, in English and in Traditional Chinese.
//!
//! A code can appear in three places that are not equal: on the wire, in the
//! client's event log, and in what `slmgr` or `ospp` shows. [`Entry::shown`]
//! says where the last differs. The entries stand in one file for each who
//! decides: the host, the licensing client, the network on the way, the
//! machine before any packet, Microsoft's own servers, and the RPC layer.
//! Beside them stand what is said of checks that failed (`checks/`) and of
//! answers no honest host gives (`oracle.rs`).
//!
//! Those files are English. `zh_tw/` has the same files with the same keys in
//! Chinese, and its tests hold the two against each other.

mod checks;
mod client;
mod host;
mod local;
mod mended;
mod microsoft;
mod network;
mod oracle;
mod page;
mod rpc;
mod zh_tw;

use std::fmt;

pub use checks::{Advice, advice};
pub use mended::MendedBy;
pub use oracle::{Finding, finding, findings};
pub use page::{COLUMNS_MAX, Label, Page};

use crate::text::Lang;
use crate::wire::Hresult;

/// The entry of `code`, if this project knows the code.
pub fn code(code: Hresult) -> Option<&'static Entry> {
    all().find(|entry| entry.code == code)
}

/// Every entry: the host's, the client's, the network's, the machine's own,
/// Microsoft's, and the RPC layer's.
pub fn all() -> impl Iterator<Item = &'static Entry> {
    [host::ENTRIES, client::ENTRIES, network::ENTRIES, local::ENTRIES, microsoft::ENTRIES, rpc::ENTRIES]
        .into_iter()
        .flatten()
}

/// The entry for a terminal, in lines of at most 100 columns, ending in a
/// line feed.
pub fn render(entry: &Entry, lang: Lang) -> String {
    let mut title = entry.code.to_string();
    if let Some(name) = entry.name {
        title.push_str("  ");
        title.push_str(name);
    }
    let words = entry.words(lang);
    let who: Vec<&str> = entry.decided_by.iter().map(|who| who.description(lang)).collect();
    Page::new(title)
        .row(Label::Meaning, words.meaning)
        .row(Label::DecidedBy, lang.list(&who))
        .row(Label::Cause, words.cause)
        .row(Label::Remedy, words.remedy)
        .row(Label::Shown, entry.shown.description(lang))
        .row(Label::Source, source(entry.source, lang))
        .render(lang)
}

/// Where something is written, as far as it is not the title of a document.
pub fn source(source: &'static str, lang: Lang) -> String {
    match lang {
        Lang::English => source.to_owned(),
        Lang::TraditionalChinese => zh_tw::source(source),
    }
}

/// What is said of one thing, in one language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// What it says, in a sentence or two.
    pub meaning: &'static str,
    /// What usually is behind it.
    pub cause: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
}

/// What is known of one code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The code: an HRESULT, or where the texts say so a Win32 error or an RPC
    /// fault status.
    pub code: Hresult,
    /// Its symbol in Microsoft's headers or in the RPC specification.
    pub name: Option<&'static str>,
    /// Who comes to this result; never empty, the likeliest first.
    pub decided_by: &'static [DecidedBy],
    /// What it says, in a sentence or two.
    pub meaning: &'static str,
    /// What usually is behind it.
    pub cause: &'static str,
    /// What an admin can do.
    pub remedy: &'static str,
    /// What the person at the client sees.
    pub shown: Shown,
    /// Where this is written.
    pub source: &'static str,
}

impl Entry {
    /// What is said of it.
    pub fn words(&self, lang: Lang) -> Words {
        let english = Words { meaning: self.meaning, cause: self.cause, remedy: self.remedy };
        match lang {
            Lang::English => english,
            // That there is one for every code is held by a test.
            Lang::TraditionalChinese => zh_tw::code(self.code).unwrap_or(english),
        }
    }

    /// The other code `slmgr` or `ospp` is known to print instead of this one.
    pub const fn shown_as(&self) -> Option<Hresult> {
        match self.shown {
            Shown::As(code) => Some(code),
            Shown::Itself | Shown::Never | Shown::Unknown => None,
        }
    }
}

/// Who comes to a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DecidedBy {
    /// The KMS host; the code is in its answer.
    Host,
    /// The licensing client, from an answer or from all its failed attempts.
    Client,
    /// The network, name resolution included.
    Network,
    /// The machine itself, with no packet sent to a host.
    Local,
    /// Microsoft's activation servers, which KMS clients never talk to.
    Microsoft,
    /// The RPC layer in front of the KMS service; the code is a fault status.
    Rpc,
}

impl DecidedBy {
    /// One word for machine-readable output.
    pub const fn name(self) -> &'static str {
        match self {
            DecidedBy::Host => "host",
            DecidedBy::Client => "client",
            DecidedBy::Network => "network",
            DecidedBy::Local => "local",
            DecidedBy::Microsoft => "microsoft",
            DecidedBy::Rpc => "rpc",
        }
    }

    /// One word for people.
    pub const fn word(self, lang: Lang) -> &'static str {
        match (lang, self) {
            (Lang::English, who) => who.name(),
            (Lang::TraditionalChinese, DecidedBy::Host) => "主機",
            (Lang::TraditionalChinese, DecidedBy::Client) => "用戶端",
            (Lang::TraditionalChinese, DecidedBy::Network) => "網路",
            (Lang::TraditionalChinese, DecidedBy::Local) => "本機",
            (Lang::TraditionalChinese, DecidedBy::Microsoft) => "Microsoft",
            (Lang::TraditionalChinese, DecidedBy::Rpc) => "RPC",
        }
    }

    /// A phrase for people.
    pub const fn description(self, lang: Lang) -> &'static str {
        match lang {
            Lang::English => match self {
                DecidedBy::Host => "the KMS host, in its answer",
                DecidedBy::Client => "the licensing client",
                DecidedBy::Network => "the network or name resolution, as the client sees it",
                DecidedBy::Local => "the machine itself, without a packet to any host",
                DecidedBy::Microsoft => "Microsoft's activation servers, which a KMS client never talks to",
                DecidedBy::Rpc => "the host's RPC layer, before the KMS service sees the request",
            },
            Lang::TraditionalChinese => match self {
                DecidedBy::Host => "KMS 主機，寫在它的回應中",
                DecidedBy::Client => "用戶端的授權元件",
                DecidedBy::Network => "網路或名稱解析，由用戶端察覺",
                DecidedBy::Local => "電腦本身，未向任何主機送出封包",
                DecidedBy::Microsoft => "Microsoft 的啟用伺服器，KMS 用戶端從不與其通訊",
                DecidedBy::Rpc => "主機的 RPC 層，此時 KMS 服務尚未看到要求",
            },
        }
    }
}

impl fmt::Display for DecidedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What `slmgr` or `ospp` prints on the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shown {
    /// The code as it is.
    Itself,
    /// Another code.
    As(Hresult),
    /// Nothing of it: the code stays in logs and records.
    Never,
    /// No published text or trial says.
    Unknown,
}

impl Shown {
    /// A phrase for people.
    pub fn description(self, lang: Lang) -> String {
        match (lang, self) {
            (Lang::English, Shown::Itself) => "slmgr and ospp print this code as it is".to_owned(),
            (Lang::English, Shown::As(code)) => {
                format!("slmgr prints {code} instead; look for this code in the client's event 12288")
            }
            (Lang::English, Shown::Never) => "slmgr and ospp print nothing of it".to_owned(),
            (Lang::English, Shown::Unknown) => "not known: no published text says what slmgr prints for it".to_owned(),
            (Lang::TraditionalChinese, Shown::Itself) => "slmgr 與 ospp 直接顯示此代碼".to_owned(),
            (Lang::TraditionalChinese, Shown::As(code)) => {
                format!("slmgr 改為顯示 {code}；此代碼請在用戶端的事件 12288 中尋找")
            }
            (Lang::TraditionalChinese, Shown::Never) => "slmgr 與 ospp 都不會顯示".to_owned(),
            (Lang::TraditionalChinese, Shown::Unknown) => "不詳：沒有公開的文件說明 slmgr 會顯示什麼".to_owned(),
        }
    }
}

const ERROR_CODES: &str = "Microsoft Learn, Volume activation error codes";

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn an_entry_reads_well_in_a_terminal() {
        insta::assert_snapshot!(render(code(Hresult::INVALID_TIMESTAMP).unwrap(), Lang::English), @r"
        0xC004F06C  SL_E_VL_INVALID_TIMESTAMP

        meaning     The host finds the time in the request too far from its own clock: more than four hours,
                    both in UTC.
        decided by  the KMS host, in its answer
        cause       The client's clock is wrong, or the host's is. A time zone alone does no harm, since UTC
                    is compared; it does when somebody set the clock by hand to look right in a wrong zone.
        what to do  Run w32tm /resync on the client, check date, time and zone on both, and activate again.
                    If every client fails at once, suspect the host's clock.
        shown as    slmgr prints 0xC004F074 instead; look for this code in the client's event 12288
        source      Microsoft Learn, Error 0xC004F06C when you activate Windows; Error 0xC004F074 when you
                    activate Windows (KB 974998)
        ");
    }

    #[test]
    fn an_entry_reads_well_in_chinese() {
        insta::assert_snapshot!(render(code(Hresult::INVALID_TIMESTAMP).unwrap(), Lang::TraditionalChinese), @r"
        0xC004F06C  SL_E_VL_INVALID_TIMESTAMP

        意義      主機認為要求中的時間戳記與自己的時鐘相差太多：以 UTC 比較超過四小時。
        由誰決定  KMS 主機，寫在它的回應中
        原因      用戶端的時鐘不準，或主機的時鐘不準。時區設定本身沒有影響，因為比較的是 UTC；但若在錯誤的時
                  區下手動調整時鐘，讓畫面上的時間看起來正確，就會造成此錯誤。
        處理方式  在用戶端執行 w32tm /resync，檢查兩端的日期、時間與時區，然後重新啟用。如果所有用戶端同時失
                  敗，應懷疑主機的時鐘。
        畫面顯示  slmgr 改為顯示 0xC004F074；此代碼請在用戶端的事件 12288 中尋找
        出處      Microsoft Learn, Error 0xC004F06C when you activate Windows；Error 0xC004F074 when you
                  activate Windows (KB 974998)
        ");
    }

    #[test]
    fn every_code_stands_once_and_says_everything() {
        let mut codes = HashSet::new();
        for entry in all() {
            let which = entry.code;
            assert!(codes.insert(which), "{which} stands twice");
            assert_eq!(code(which), Some(entry));
            assert!(!entry.decided_by.is_empty(), "{which}");
            assert_ne!(entry.shown_as(), Some(which), "{which}: that is Shown::Itself");
            for text in [entry.meaning, entry.cause, entry.remedy] {
                assert!(text.ends_with('.') && !text.contains("  "), "{which}: {text}");
            }
            assert!(!entry.source.is_empty(), "{which}");
        }
    }

    #[test]
    fn names_agree_with_those_of_the_wire() {
        for entry in all() {
            if let Some(name) = entry.code.name() {
                assert_eq!(entry.name, Some(name), "{}", entry.code);
            }
        }
    }

    #[test]
    fn every_code_the_wire_names_is_explained() {
        for &known in Hresult::ALL {
            assert!(code(known).is_some(), "{known}");
        }
        assert_eq!(code(Hresult(0x1234_5678)), None);
    }

    /// Every code of the project's collection of KMS facts, section 1: what a host answers, what a
    /// client computes, network and discovery, the machine itself, Microsoft's servers.
    #[rustfmt::skip]
    const FACTS: [u32; 54] = [
        0x0000_0000, 0xC004_F042, 0xC004_F015, 0xC004_F06C, 0x8007_000D, 0xC004_D104, 0xC004_F041, 0xC004_F06B,
        0x8007_0005, 0xC004_B005, 0xC004_F050, 0xC004_F038, 0x4004_F040, 0xC004_F074, 0xC004_F039, 0x8007_06BA,
        0x8007_232A, 0x8007_232B, 0x8007_251D, 0x8007_007B, 0x8009_2328, 0x8007_267C, 0xC002_0017, 0x8007_139F,
        0x0000_071C, 0x8007_0057, 0xC004_F035, 0xC004_F009, 0x4004_F00C, 0x4004_F00D, 0xC004_F00F, 0xC004_F014,
        0xC004_F051, 0xC004_F056, 0xC004_F069, 0xC004_F064, 0x4004_F065, 0xC004_F065, 0xC004_F075, 0xC004_F079,
        0xC004_F07A, 0xC004_F07B, 0xC004_F07C, 0xC004_F07D, 0xC004_F07E, 0xC004_F07F, 0xC004_F081, 0xC004_F082,
        0xC004_F083, 0xC004_C001, 0xC004_C003, 0xC004_C008, 0xC004_C020, 0xC004_C021,
    ];

    #[test]
    fn every_code_of_the_collected_facts_is_explained() {
        for fact in FACTS.map(Hresult) {
            assert!(code(fact).is_some(), "{fact}");
        }
    }

    #[test]
    fn a_code_shown_instead_of_another_is_itself_explained() {
        for shown in all().filter_map(Entry::shown_as) {
            assert!(code(shown).is_some(), "{shown}");
        }
    }

    #[test]
    fn what_the_client_computes_is_not_said_of_the_host() {
        let insufficient = code(Hresult::NOT_ENOUGH_COUNT).unwrap();
        assert_eq!(insufficient.decided_by, [DecidedBy::Client]);
        assert_eq!(code(Hresult::KMS_ID_MISMATCH).unwrap().shown, Shown::Itself);
        let skewed = code(Hresult::INVALID_TIMESTAMP).unwrap();
        assert_eq!(skewed.shown_as(), Some(Hresult::BINDING_SERVICE_UNAVAILABLE));
    }
}
