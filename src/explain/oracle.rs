//! What the oracle finds: answers that no honest host gives.

use super::page::{Label, Page};
use super::{MendedBy, MendedBy::*, Words, source, zh_tw};
use crate::text::Lang;

/// What is known of the finding with this id.
pub fn finding(id: &str) -> Option<&'static Finding> {
    FINDINGS.iter().find(|finding| finding.id == id)
}

/// Every finding.
pub fn findings() -> impl Iterator<Item = &'static Finding> {
    FINDINGS.iter()
}

/// A way in which an answer differs from that of an honest host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// Its id, `oracle/` and two words.
    pub id: &'static str,
    /// Who can mend it; never empty, the likeliest first.
    pub mended_by: &'static [MendedBy],
    /// What it says, in English.
    pub meaning: &'static str,
    /// What usually is behind it, in English.
    pub cause: &'static str,
    /// What to do, in English.
    pub remedy: &'static str,
    /// Where the rule it breaks is written.
    pub source: &'static str,
}

impl Finding {
    /// What is said of it.
    pub fn words(&self, lang: Lang) -> Words {
        let english = Words { meaning: self.meaning, cause: self.cause, remedy: self.remedy };
        match lang {
            Lang::English => english,
            Lang::TraditionalChinese => zh_tw::finding(self.id).unwrap_or(english),
        }
    }

    /// The finding for a terminal, in lines of at most 100 columns, ending in
    /// a line feed.
    pub fn render(&self, lang: Lang) -> String {
        let words = self.words(lang);
        Page::new(self.id)
            .row(Label::Meaning, words.meaning)
            .row(Label::MendedBy, MendedBy::list(self.mended_by, lang))
            .row(Label::Cause, words.cause)
            .row(Label::Remedy, words.remedy)
            .row(Label::Source, source(self.source, lang))
            .render(lang)
    }
}

const FINDINGS: &[Finding] = &[
    Finding {
        id: "oracle/count/low",
        mended_by: &[Author, Admin],
        meaning: "The host's count is lower than that of any correct host: it has lost machines it had counted. A \
                  machine that was answered stays counted for 30 days unless newer ones take its place.",
        cause: "Updates that get lost when several clients ask at once, a table that a restart cleared, several \
                hosts behind one name, or entries removed too early.",
        remedy: "Look at the earlier answer that the report names as proof. If it happens only with several \
                 connections at once, look for a table without a lock; if not, test each host by its own address.",
        source: "protocol description, section 6; Microsoft Learn, Plan for volume activation",
    },
    Finding {
        id: "oracle/count/high",
        mended_by: &[Author, Tester],
        meaning: "The host's count is higher than that of any correct host: more than the machines that have asked, \
                  or more than its table holds, which is twice the largest N policy asked for so far. On a host \
                  that was not empty before the run it is a hint and no proof: others may have asked meanwhile.",
        cause: "Requests are counted instead of machines, so that renewals and clones count again; all applications \
                share one table; refused requests are counted; or the number is fixed.",
        remedy: "Repeat the run against an emptied host that nobody else uses. If the finding stays, hold the \
                 host's table against the client ids that have asked.",
        source: "protocol description, section 6; Microsoft Learn, Plan for volume activation",
    },
    Finding {
        id: "oracle/skew/accepted",
        mended_by: &[Author, Admin],
        meaning: "A client whose clock is more than four hours from the host's, both in UTC, was accepted. An \
                  honest host refuses it with 0xC004F06C.",
        cause: "The host does not check the client's time, or is set not to; or its own clock is as wrong as the \
                client's.",
        remedy: "Switch the check on, or write it: refuse when client time and host time, both in UTC, differ by \
                 more than four hours. Compare the host's clock with a time server first.",
        source: "protocol description, section 5; Microsoft Learn, Error 0xC004F06C when you activate Windows",
    },
    Finding {
        id: "oracle/skew/refused",
        mended_by: &[Admin, Author, Tester],
        meaning: "A client within four hours of the host's clock was refused with 0xC004F06C. Exactly four hours \
                  still pass, and a wrong time zone alone must do no harm, since UTC is compared.",
        cause: "The host's clock is wrong, or that of the machine the test runs on; or the host compares local \
                times, or allows less than four hours.",
        remedy: "Set both clocks right (on Windows with w32tm /resync) and repeat. If the finding stays, let the \
                 host compare UTC with UTC.",
        source: "protocol description, section 5; Microsoft Learn, Error 0xC004F074 when you activate Windows",
    },
    Finding {
        id: "oracle/product/accepted",
        mended_by: &[Author],
        meaning: "A product that no host serves was granted: a retail product, an unknown id, or a product asked \
                  for under the wrong application.",
        cause: "The host grants whatever it is asked for, or looks at the application id alone.",
        remedy: "Decide by application id and KMS counted id together, and refuse with 0xC004F042 what is not \
                 served. The SKU id decides nothing.",
        source: "protocol description, sections 5 and 6; Microsoft Learn, Error 0xC004F042 can't use the specified \
                 KMS",
    },
    Finding {
        id: "oracle/product/refused",
        mended_by: &[Admin, Author, Tester],
        meaning: "A product that the host should serve was refused with 0xC004F042.",
        cause: "The host's key is older than the product or for another application, an update is missing, or the \
                host's list of products is out of date. Or the test expects more than this host is meant for.",
        remedy: "See with slmgr /dlv on the host what its key is for, and install the key and the update the \
                 product needs. If the host is not meant to serve it, take the product out of the scenario.",
        source: "protocol description, section 5; Microsoft Learn, Error 0xC004F042 can't use the specified KMS",
    },
    Finding {
        id: "oracle/version/accepted",
        mended_by: &[Author],
        meaning: "A request of a protocol version other than 4.0, 5.0 and 6.0 was accepted. An honest host refuses \
                  it with 0x8007000D.",
        cause: "The host looks at the major version alone, or treats what it does not know as the newest it knows.",
        remedy: "Compare major and minor version before anything else, and refuse what is not 4.0, 5.0 or 6.0.",
        source: "protocol description, section 5",
    },
    Finding {
        id: "oracle/version/refused",
        mended_by: &[Admin, Author],
        meaning: "A well-formed request of version 4.0, 5.0 or 6.0 was refused with 0x8007000D.",
        cause: "The host is older than the version: 5.0 came with Windows 8 and Server 2012, 6.0 with Windows 8.1 \
                and Server 2012 R2. Or it cannot open the request's envelope.",
        remedy: "Update the host. In a host's program, check the key and the key schedule of that version.",
        source: "protocol description, section 5; Microsoft Learn, Error 0x8007000D when you activate a machine",
    },
    Finding {
        id: "oracle/request/refused",
        mended_by: &[Admin, Author],
        meaning: "Nothing is wrong with the request, and the host refused it all the same, with a code that none of \
                  the other findings is about.",
        cause: "A rule of the host's own, such as a list of clients; a host that is not activated itself \
                (0xC004F041); a full table (0xC004D104); or a fault in the host.",
        remedy: "Explain the code that came with kmsproof explain, and read event 12290 on the host.",
        source: "protocol description, section 5",
    },
    Finding {
        id: "oracle/code/other",
        mended_by: &[Author],
        meaning: "The host was right to refuse, but not with this code.",
        cause: "The host has one code for all refusals, or fails before it comes to what is wrong with the request.",
        remedy: "Refuse with the code that is due: 0x8007000D for the version, 0xC004F042 for the product, \
                 0xC004F06C for the time. People look for the cause by the code.",
        source: "protocol description, section 5",
    },
    Finding {
        id: "oracle/code/client-side",
        mended_by: &[Author],
        meaning: "The host sent a code that no host sends: only the client, the network, the machine itself or \
                  Microsoft's servers come to it. 0xC004F038 is the usual one.",
        cause: "The host compares its count with the N policy itself, or returns an error of its own surroundings \
                as the result of the call.",
        remedy: "Answer a good request with 0x00000000 and the count, however low it is: the client compares and \
                 comes to 0xC004F038 by itself.",
        source: "protocol description, section 5; Microsoft Volume Activation 2.0 Operations Guide (2008), event \
                 12289",
    },
    Finding {
        id: "oracle/answer/missing",
        mended_by: &[Author, Admin, Network],
        meaning: "The request was sent and no answer came: the connection ended or the time was up. A client counts \
                  the host as failed and, when no other is left, shows 0xC004F074.",
        cause: "The host failed on the request, is overloaded or limits connections, or a firewall cut the \
                connection.",
        remedy: "Repeat the request alone with kmsproof probe. If it is answered, look for the limit or the load; \
                 if not, read the host's log at that moment and what stands between on TCP port 1688.",
        source: "protocol description, section 5",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::DivergenceId;

    #[test]
    fn every_finding_of_the_oracle_is_explained_and_no_other() {
        let explained: Vec<_> = findings().map(|finding| finding.id).collect();
        let catalogue: Vec<_> = DivergenceId::ALL.iter().map(|id| id.requirement().id).collect();
        assert_eq!(explained, catalogue);
    }

    #[test]
    fn a_finding_reads_well_in_either_language() {
        let found = finding("oracle/skew/refused").unwrap();
        insta::assert_snapshot!(found.render(Lang::English), @r"
        oracle/skew/refused

        meaning     A client within four hours of the host's clock was refused with 0xC004F06C. Exactly four
                    hours still pass, and a wrong time zone alone must do no harm, since UTC is compared.
        mended by   whoever runs the host; whoever writes the host's program; whoever runs the test
        cause       The host's clock is wrong, or that of the machine the test runs on; or the host compares
                    local times, or allows less than four hours.
        what to do  Set both clocks right (on Windows with w32tm /resync) and repeat. If the finding stays,
                    let the host compare UTC with UTC.
        source      protocol description, section 5; Microsoft Learn, Error 0xC004F074 when you activate
                    Windows
        ");
        insta::assert_snapshot!(found.render(Lang::TraditionalChinese), @r"
        oracle/skew/refused

        意義      用戶端的時鐘與主機相差在四小時以內，卻遭到 0xC004F06C 拒絕。剛好四小時仍應通過；單純的時區
                  設定錯誤也不應有影響，因為比較的是 UTC。
        由誰修正  主機的系統管理員；主機程式的開發者；執行測試的人
        原因      主機的時鐘不準，或執行測試的電腦時鐘不準；也可能是主機比較了當地時間，或容許的差距小於四小
                  時。
        處理方式  校正兩邊的時鐘 (Windows 上使用 w32tm /resync)，然後重新執行。如果結果不變，請讓主機以 UTC
                  互相比較。
        出處      通訊協定說明，第 5 節；Microsoft Learn, Error 0xC004F074 when you activate Windows
        ");
    }

    #[test]
    fn a_finding_says_everything_in_a_hundred_columns() {
        for finding in findings() {
            assert!(!finding.mended_by.is_empty() && !finding.source.is_empty(), "{}", finding.id);
            for lang in Lang::ALL {
                let text = finding.render(lang);
                assert!(text.lines().all(|line| crate::text::columns(line) <= super::super::COLUMNS_MAX), "{text}");
            }
        }
    }
}
