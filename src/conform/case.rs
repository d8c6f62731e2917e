//! What a case is: a requirement, where it comes from, and a short program that holds a host to it.

use std::fmt;

use super::talk::{Stop, Talk};

/// One case.
#[derive(Debug)]
pub struct Case {
    /// Its clause, which never changes: `rpc/bind/unknown-interface`.
    pub id: &'static str,
    /// Raised when what it asks for changes.
    pub revision: u32,
    /// What it is about, in a few words.
    pub title: &'static str,
    /// How binding the requirement is.
    pub level: Level,
    /// How sure we are of it.
    pub confidence: Confidence,
    /// What is required, in one sentence.
    pub requirement: &'static str,
    /// Where that comes from.
    pub sources: &'static str,
    /// What a host has to be capable of for the question to arise.
    pub needs: &'static [Capability],
    /// Whether it may leave a host worse than it was; such a case runs only when it is asked for.
    pub disruptive: bool,
    /// Whether it is about DCE/RPC alone: then it can be put to any interface.
    pub any_interface: bool,
    /// Whether it is put to a host while no other is: others would suffer beside it, or change what it looks at.
    pub alone: bool,
    /// The program.
    pub program: fn(&mut Talk<'_>) -> Result<(), Stop>,
}

impl Case {
    /// A case of revision 1 that every host has to do with, and that leaves no host worse than it was.
    pub const fn new(
        id: &'static str,
        level: Level,
        title: &'static str,
        requirement: &'static str,
        sources: &'static str,
        program: fn(&mut Talk<'_>) -> Result<(), Stop>,
    ) -> Case {
        Case {
            id,
            revision: 1,
            title,
            level,
            confidence: Confidence::High,
            requirement,
            sources,
            needs: &[],
            disruptive: false,
            any_interface: true,
            alone: false,
            program,
        }
    }

    /// A case about KMS itself.
    pub const fn of_kms(self) -> Case {
        Case { any_interface: false, ..self }
    }

    /// The same, which asks for something else than it did at first.
    pub const fn revision(self, revision: u32) -> Case {
        Case { revision, ..self }
    }

    /// The same, for hosts of these capabilities.
    pub const fn needs(self, needs: &'static [Capability]) -> Case {
        Case { needs, ..self }
    }

    /// The same, when we are no surer of it than that.
    pub const fn confidence(self, confidence: Confidence) -> Case {
        Case { confidence, ..self }
    }

    /// The same, put to a host while no other is.
    pub const fn alone(self) -> Case {
        Case { alone: true, ..self }
    }

    /// Whether it can be put to a host at the same time as others: what it looks at they do not change, nor it what
    /// they look at. Whoever counts clients, measures or leaves something behind is alone.
    pub fn is_independent(&self) -> bool {
        let is_of = |clause: &&str| self.id.starts_with(*clause);
        !self.disruptive && !self.alone && INDEPENDENT.iter().any(is_of)
    }

    /// The same, run only when it is asked for.
    pub const fn disruptive(self) -> Case {
        Case { disruptive: true, ..self }
    }
}

/// Clauses whose cases look at nothing but their own conversation.
const INDEPENDENT: [&str; 3] = ["rpc/", "ndr/", "kms/request/"];

/// How binding a requirement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// A specification demands it, or clients rely on it.
    Must,
    /// A specification recommends it.
    Should,
    /// What a Windows-modelled RPC stack does.
    Win,
    /// Robustness: no text demands it, and no host should fail it.
    Rec,
    /// Worth knowing, never wrong.
    Info,
}

impl Level {
    /// Every level, the most binding first.
    pub const ALL: [Level; 5] = [Level::Must, Level::Should, Level::Win, Level::Rec, Level::Info];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Level::Must => "must",
            Level::Should => "should",
            Level::Win => "win",
            Level::Rec => "rec",
            Level::Info => "info",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How sure we are that genuine hosts do what a case requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Normative text, or mechanically certain.
    High,
    /// Independent sources agree.
    Medium,
    /// A guess: what is seen is recorded, and never fails a run.
    Low,
}

/// What a host may be capable of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Capability {
    /// It speaks NDR64.
    Ndr64,
    /// It negotiates bind time features.
    Btfn,
    /// It refuses clients whose clock is four hours off.
    Clock,
    /// It refuses products it has no key for.
    Products,
    /// It counts each client once.
    Counting,
    /// It is known which process it is (`--pid`).
    Process,
}

impl Capability {
    /// Every capability.
    pub const ALL: [Capability; 6] = [
        Capability::Ndr64,
        Capability::Btfn,
        Capability::Clock,
        Capability::Products,
        Capability::Counting,
        Capability::Process,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Capability::Ndr64 => "ndr64",
            Capability::Btfn => "btfn",
            Capability::Clock => "clock",
            Capability::Products => "products",
            Capability::Counting => "counting",
            Capability::Process => "process",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::cases;

    /// Bytes of KMS are nothing to put to another interface.
    #[test]
    fn cases_of_kms_are_put_to_kms_alone() {
        let forgotten: Vec<_> =
            cases::all().filter(|case| case.id.starts_with("kms/") && case.any_interface).map(|case| case.id).collect();
        assert!(forgotten.is_empty(), "without `.of_kms()`: {forgotten:?}");
    }
}
