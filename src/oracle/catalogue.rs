//! The catalogue of divergences.

use std::fmt;

use crate::proto::verify::Level;

/// One requirement an honest host meets.
#[derive(Debug)]
pub struct Requirement {
    /// Its clause.
    pub id: &'static str,
    /// How binding it is where everything is known; see [`Divergence::level`](super::Divergence::level).
    pub level: Level,
    /// What is required, in one sentence.
    pub requirement: &'static str,
    /// Where it comes from.
    pub reference: &'static str,
}

macro_rules! divergences {
    ($($(#[doc = $requirement:literal])+ $variant:ident = $id:literal, $reference:literal;)*) => {
        /// Names one way in which a host can differ from an honest one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum DivergenceId {
            $($(#[doc = $requirement])+ $variant,)*
        }

        impl DivergenceId {
            /// Every divergence there is.
            pub const ALL: &[DivergenceId] = &[$(DivergenceId::$variant),*];

            /// Its entry in the catalogue.
            pub fn requirement(self) -> &'static Requirement {
                &CATALOGUE[self as usize]
            }
        }

        static CATALOGUE: &[Requirement] = &[$(Requirement {
            id: $id,
            level: Level::Must,
            requirement: concat!($($requirement),+).trim_ascii(),
            reference: $reference,
        }),*];
    };
}

divergences! {
    /// Every machine that asked in the last 30 days is counted, up to twice the largest N policy asked so far.
    CountLow = "oracle/count/low", "protocol description, section 6; KMS facts 2.1 (ITP, WSD-plan)";
    /// No more machines are counted than have asked, each once, nor more than twice the largest N policy asked so far.
    CountHigh = "oracle/count/high", "protocol description, section 6; KMS facts 2.1 (ITP, WSD-gen, KB 929829)";
    /// A client whose clock is more than four hours from the host's is refused.
    SkewAccepted = "oracle/skew/accepted", "protocol description, section 5; Microsoft Learn, error 0xC004F06C";
    /// A client whose clock is at most four hours from the host's is not refused for it.
    SkewRefused = "oracle/skew/refused", "protocol description, section 5; Microsoft Learn, error 0xC004F06C";
    /// A product or application the host does not serve is refused.
    ProductAccepted = "oracle/product/accepted", "protocol description, section 5; Microsoft Learn, error 0xC004F042";
    /// A product the host serves is not refused as one it does not.
    ProductRefused = "oracle/product/refused", "protocol description, section 5; Microsoft Learn, error 0xC004F042";
    /// A request of a protocol version other than 4.0, 5.0 and 6.0 is refused.
    VersionAccepted = "oracle/version/accepted", "protocol description, section 5; KMS facts 1.1";
    /// A request of protocol version 4.0, 5.0 or 6.0 is not refused as malformed.
    VersionRefused = "oracle/version/refused", "protocol description, section 5; KMS facts 1.1";
    /// A request with nothing wrong is answered with S_OK and a count.
    RequestRefused = "oracle/request/refused", "protocol description, sections 5 and 6";
    /// A refusal carries the code of what is wrong with the request.
    CodeOther = "oracle/code/other", "protocol description, section 5; KMS facts 1.1";
    /// A host never answers with a code that the client, the network, the machine or Microsoft's servers come to.
    CodeClientSide = "oracle/code/client-side", "protocol description, section 5; KMS facts 1.2 to 1.5";
    /// Every request is answered.
    AnswerMissing = "oracle/answer/missing", "protocol description, section 1; MS-RPCE 3.3.3.5.1";
}

impl DivergenceId {
    /// The divergence of this clause.
    pub fn from_id(id: &str) -> Option<DivergenceId> {
        DivergenceId::ALL.iter().copied().find(|divergence| divergence.requirement().id == id)
    }
}

impl fmt::Display for DivergenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.requirement().id)
    }
}

impl serde::Serialize for DivergenceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.requirement().id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_clauses_and_requirements_are_sentences() {
        let mut seen = std::collections::HashSet::new();
        for id in DivergenceId::ALL {
            let Requirement { id: clause, requirement, reference, .. } = id.requirement();
            assert!(seen.insert(clause), "{clause} stands twice");
            assert!(clause.starts_with("oracle/") && clause.split('/').count() == 3, "{clause}");
            assert!(requirement.ends_with('.') && !requirement.contains("  "), "{requirement}");
            assert!(!reference.is_empty());
            assert_eq!(DivergenceId::from_id(clause), Some(*id));
        }
        assert_eq!(DivergenceId::ALL.len(), 12);
    }
}
