//! The catalogue of checks.

use std::fmt;

/// How binding a requirement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// A client relies on it, or a specification demands it: breaking it fails a run.
    Must,
    /// What Windows hosts do, or a specification recommends: breaking it is reported.
    Should,
    /// Worth knowing, never wrong.
    May,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Level::Must => "must",
            Level::Should => "should",
            Level::May => "may",
        })
    }
}

/// One requirement.
#[derive(Debug)]
pub struct Check {
    /// Its clause.
    pub id: &'static str,
    /// How binding it is.
    pub level: Level,
    /// What is required, in one sentence.
    pub requirement: &'static str,
    /// Where it comes from.
    pub reference: &'static str,
    /// Whether a Windows client throws the answer away when it fails.
    pub trust: bool,
}

macro_rules! checks {
    ($($(#[doc = $requirement:literal])+ $variant:ident = $id:literal, $level:ident, $reference:literal $(, $trust:ident)?;)*) => {
        /// Names one check of the catalogue.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum CheckId {
            $($(#[doc = $requirement])+ $variant,)*
        }

        impl CheckId {
            /// Every check there is.
            pub const ALL: &[CheckId] = &[$(CheckId::$variant),*];

            /// Its entry in the catalogue.
            pub fn check(self) -> &'static Check {
                &CATALOGUE[self as usize]
            }
        }

        static CATALOGUE: &[Check] = &[$(Check {
            id: $id,
            level: Level::$level,
            requirement: concat!($($requirement),+).trim_ascii(),
            reference: $reference,
            trust: checks!(@trust $($trust)?),
        }),*];
    };
    (@trust) => { false };
    (@trust trust) => { true };
}

checks! {
    /// A host answers every bind and every call before the connection ends or the time is up.
    Answered = "rpc/transport/answered", Must, "MS-RPCE 3.3.3.5.1";
    /// A host sends nothing that was not asked for.
    NothingUnasked = "rpc/transport/nothing-unasked", Should, "C706 chapter 12";
    /// Every PDU is of protocol version 5.0.
    HeaderVersion = "rpc/header/version", Must, "C706 section 12.6.3.1";
    /// Every PDU has the data representation little endian, ASCII, IEEE.
    HeaderDrep = "rpc/header/drep", Must, "C706 section 14.1; Samba raw protocol tests";
    /// Every PDU is as long as it says.
    HeaderFragLength = "rpc/header/frag-length", Must, "C706 section 12.6.3.1";
    /// No PDU carries an authentication trailer: KMS is not authenticated.
    HeaderAuthLength = "rpc/header/auth-length", Must, "protocol description, section 1";
    /// Every answer echoes the call id of what it answers.
    HeaderCallId = "rpc/header/call-id", Must, "C706 section 12.6.3.6";
    /// An answer in one piece has the flags first and last; conc_mpx comes back on a bind_ack if it was asked for.
    HeaderFlags = "rpc/header/flags", Should, "Samba raw protocol tests";
    /// Every PDU can be read to its last byte.
    WellFormed = "rpc/pdu/well-formed", Must, "C706 section 12.6";
    /// The kind of each PDU is an answer to what was sent.
    ExpectedKind = "rpc/pdu/expected-kind", Must, "C706 section 12.6";
    /// A host that serves KMS accepts the bind.
    BindAccepted = "rpc/bind/accepted", Must, "MS-RPCE 3.3.1.5.6";
    /// There are as many results as contexts were offered.
    BindResultCount = "rpc/bind/result-count", Must, "MS-RPCE 2.2.2.4";
    /// An accepted context names a transfer syntax that was offered for it, a refused one names none.
    BindResults = "rpc/bind/results", Must, "MS-RPCE 2.2.2.4";
    /// At most one transfer syntax is accepted in one bind.
    BindOneSyntax = "rpc/bind/one-syntax", Should, "MS-RPCE 3.3.1.5.6";
    /// Of the bind time features asked for, only those are granted.
    BindFeatures = "rpc/bind/features", Should, "MS-RPCE 3.3.1.5.3";
    /// The secondary address is the port connected to, as decimal text that ends in its one NUL.
    BindSecondaryAddress = "rpc/bind/secondary-address", Should, "Samba raw protocol tests";
    /// Both fragment sizes are the same multiple of eight from 2,048 to 5,840, and no larger than offered.
    BindFragmentSize = "rpc/bind/fragment-size", Should, "Samba raw protocol tests";
    /// The association group is not 0.
    BindAssocGroup = "rpc/bind/assoc-group", Should, "Samba raw protocol tests";
    /// The reserved bytes before the results of a bind_ack or alter_context_resp are zero.
    BindReserved = "rpc/bind/reserved", Should, "C706 section 12.6.3.1";
    /// An alter_context_resp has no secondary address and changes neither fragment sizes nor association group.
    AlterUnchanged = "rpc/alter/unchanged", Should, "Samba raw protocol tests";
    /// A response names the presentation context of its request.
    ResponseContext = "rpc/response/context-id", Must, "C706 section 12.6.4.10";
    /// The cancel count is 0 where nothing was cancelled, and the byte after it is 0.
    ResponseCancelCount = "rpc/response/cancel-count", Should, "Samba raw protocol tests";
    /// The allocation hint is not 0 and not more than the stub.
    ResponseAllocHint = "rpc/response/alloc-hint", Should, "Samba raw protocol tests";
    /// Fragments come in order, first to last, of one call.
    ResponseFragments = "rpc/response/fragments", Must, "C706 section 12.6.3.7";
    /// A well-formed call is answered with a response, not with a fault.
    NoFault = "rpc/response/no-fault", Must, "MS-RPCE 3.3.3.5.1";
    /// A fault has no stub, no reserved bits and a status that is not 0.
    FaultForm = "rpc/fault/form", Must, "MS-RPCE 2.2.2.8";
    /// The stub of a response can be read: size, pointer and count agree and the bytes are there.
    NdrWellFormed = "ndr/response/well-formed", Must, "protocol description, section 1.5", trust;
    /// What only aligns is zero.
    NdrPadding = "ndr/response/padding", Should, "protocol description, section 1.5";
    /// Nothing follows the return code.
    NdrTrailing = "ndr/response/trailing", Must, "protocol description, section 1.5";
    /// The return code is 0 with an answer and not 0 without one.
    NdrReturnCode = "ndr/response/return-code", Must, "protocol description, section 1.5";
    /// The answer is in the envelope of its version.
    Envelope = "kms/response/envelope", Must, "protocol description, section 4", trust;
    /// The protocol version is that of the request, outside the encryption and inside.
    Version = "kms/response/version", Must, "protocol description, section 3", trust;
    /// The body has all its fields.
    Body = "kms/response/body", Must, "protocol description, section 3", trust;
    /// The answer is exactly as long as its ePID size says.
    Length = "kms/response/length", Must, "protocol description, sections 3 and 4";
    /// The ePID size is even, 2 to 128 bytes, and the text ends in its one NUL.
    EpidLength = "kms/response/epid-length", Must, "Microsoft 2008 operations guide", trust;
    /// The ePID has the form PPPPP-GGGGG-KKK-KKKKKK-03-LCID-BUILD.0000-DDDYYYY with a date that is not in the future.
    EpidForm = "kms/response/epid-form", May, "protocol description, section 3";
    /// The client machine id is that of the request.
    Cmid = "kms/response/cmid", Must, "Microsoft 2008 operations guide", trust;
    /// The client time is that of the request.
    ClientTime = "kms/response/client-time", Must, "Microsoft 2008 operations guide", trust;
    /// The count is at least 1, the requester, and not more than a host can hold.
    Count = "kms/response/count", Must, "protocol description, section 6";
    /// Both intervals are between 15 minutes and 30 days, and a renewal is not sooner than a retry.
    Intervals = "kms/response/intervals", May, "Microsoft Learn, slmgr options (/sai, /sri)";
    /// The MAC of a V4 answer is right.
    V4Mac = "kms/v4/mac", Must, "protocol description, section 4", trust;
    /// The IV of a V5 answer is the request's.
    V5Iv = "kms/v5/iv", Must, "protocol description, section 4", trust;
    /// The IV of a V6 answer is not the request's.
    V6Iv = "kms/v6/iv", Must, "protocol description, section 4", trust;
    /// The hash in a V5 or V6 answer is that of the random it came with.
    RandomHash = "kms/sealed/random-hash", Must, "protocol description, section 4", trust;
    /// The padding of a V5 or V6 answer is PKCS#7's.
    Padding = "kms/sealed/padding", Must, "protocol description, section 4", trust;
    /// The exclusive-or'ed IVs of a V6 answer equal the salt.
    V6XoredIvs = "kms/v6/xored-ivs", Must, "protocol description, section 4", trust;
    /// The HMAC of a V6 answer is right for the client time's slot, or for a slot value 0x22816889BD below or above it.
    V6Hmac = "kms/v6/hmac", Must, "protocol description, section 4", trust;
    /// One host has one ePID for each KMS counted id.
    HistoryEpid = "kms/history/epid-stable", Should, "protocol description, section 3";
    /// The count of an application does not fall while its machines keep coming.
    HistoryCount = "kms/history/count-not-falling", Should, "protocol description, section 6";
    /// The intervals are the same in every answer.
    HistoryIntervals = "kms/history/intervals-constant", May, "Microsoft Learn, slmgr options (/sai, /sri)";
    /// No V6 answer has the IV of an earlier one.
    HistoryIv = "kms/history/v6-iv-fresh", Must, "protocol description, section 4";
    /// No answer has the random of an earlier one.
    HistoryRandom = "kms/history/random-fresh", Should, "protocol description, section 4";
    /// One host has one hardware id.
    HistoryHwid = "kms/history/hwid-constant", Should, "protocol description, section 4";
}

impl CheckId {
    /// The check of this clause.
    pub fn from_id(id: &str) -> Option<CheckId> {
        CheckId::ALL.iter().copied().find(|check| check.check().id == id)
    }
}

impl fmt::Display for CheckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.check().id)
    }
}

impl serde::Serialize for CheckId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.check().id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_clauses_and_requirements_are_sentences() {
        let mut seen = std::collections::HashSet::new();
        for id in CheckId::ALL {
            let Check { id: clause, requirement, reference, .. } = id.check();
            assert!(seen.insert(clause), "{clause} stands twice");
            assert_eq!(clause.split('/').count(), 3, "{clause}");
            assert!(requirement.ends_with('.') && !requirement.contains("  "), "{requirement}");
            assert!(!reference.is_empty());
            assert_eq!(CheckId::from_id(clause), Some(*id));
        }
        assert!(CheckId::ALL.len() <= 64, "a CheckSet is 64 bits");
    }
}
