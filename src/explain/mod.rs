//! What a result code means, who decides it and what to do about it.
//!
//! A code can appear in three places that are not equal: on the wire, in the
//! client's event log, and in what `slmgr` or `ospp` shows. [`Entry::shown`]
//! says where the last differs. The entries stand in one file for each who
//! decides: the host, the licensing client, the network on the way, the
//! machine before any packet, Microsoft's own servers, and the RPC layer.

mod client;
mod host;
mod local;
mod microsoft;
mod network;
mod rpc;

use crate::text::wrapped;
use std::fmt;

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
pub fn render(entry: &Entry) -> String {
    let mut text = entry.code.to_string();
    if let Some(name) = entry.name {
        text.push_str("  ");
        text.push_str(name);
    }
    text.push_str("\n\n");
    let who: Vec<&str> = entry.decided_by.iter().map(|who| who.description()).collect();
    for (label, words) in [
        ("meaning", entry.meaning),
        ("decided by", &who.join("; ")),
        ("cause", entry.cause),
        ("what to do", entry.remedy),
        ("shown as", &entry.shown.to_string()),
        ("source", entry.source),
    ] {
        paragraph(&mut text, label, words);
    }
    text
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
    /// One word for tables and machine-readable output.
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

    /// A phrase for people.
    pub const fn description(self) -> &'static str {
        match self {
            DecidedBy::Host => "the KMS host, in its answer",
            DecidedBy::Client => "the licensing client",
            DecidedBy::Network => "the network or name resolution, as the client sees it",
            DecidedBy::Local => "the machine itself, without a packet to any host",
            DecidedBy::Microsoft => "Microsoft's activation servers, which a KMS client never talks to",
            DecidedBy::Rpc => "the host's RPC layer, before the KMS service sees the request",
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

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shown::Itself => f.write_str("slmgr and ospp print this code as it is"),
            Shown::As(code) => write!(f, "slmgr prints {code} instead; look for this code in the client's event 12288"),
            Shown::Never => f.write_str("slmgr and ospp print nothing of it"),
            Shown::Unknown => f.write_str("not known: no published text says what slmgr prints for it"),
        }
    }
}

/// Appends `label` and `words`, wrapped, the words in a column of their own.
fn paragraph(text: &mut String, label: &str, words: &str) {
    for (number, line) in wrapped(words, COLUMNS_MAX - LABEL_COLUMNS).iter().enumerate() {
        let label = if number == 0 { label } else { "" };
        text.push_str(&format!("{label:LABEL_COLUMNS$}{line}\n"));
    }
}

const COLUMNS_MAX: usize = 100;
const LABEL_COLUMNS: usize = 12;

const ERROR_CODES: &str = "Microsoft Learn, Volume activation error codes";

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn an_entry_reads_well_in_a_terminal() {
        insta::assert_snapshot!(render(code(Hresult::INVALID_TIMESTAMP).unwrap()), @r"
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
            let rendered = render(entry);
            assert!(rendered.lines().all(|line| line.chars().count() <= COLUMNS_MAX), "{rendered}");
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
