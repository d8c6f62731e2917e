//! The lab host's named faults: each makes it break one rule that honest hosts keep,
//! so that whatever is to notice can be seen to.
//!
//! A fault is an entry in the file of its theme: a frozen name, what it does, whom it
//! hurts, and one function that changes what the host decides and says ([`Conduct`]), what
//! becomes of PDUs on their way in and out ([`Tamper`]), or whom it lets in ([`Door`]). The
//! honest host knows nothing of them. Where a new one finds no hook to hang from, the hook is
//! made in `conduct.rs`, `tamper.rs` or `door.rs`, and asked at its place in the honest path.
//!
//! Faults compose, in the order they are named. What one of them does now and then
//! follows from the host's seed and the fault's own name ([`Lots`]), whatever other
//! faults there are.

mod kms;
mod legal;
mod load;
mod lots;
mod ndr;
mod rpc;
#[cfg(test)]
mod tests;
mod ways;

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use super::conduct::Conduct;
use super::door::Door;
use super::tamper::Tamper;
use lots::Lots;

/// One way to break a rule.
#[derive(Debug)]
pub struct Fault {
    /// Its name, which never changes: lower-case words and hyphens.
    pub name: &'static str,
    /// What the host does, in one sentence.
    pub does: &'static str,
    /// Which client or admin that hurts, and how, in one sentence.
    pub hurts: &'static str,
    /// The conformance cases and checks that must find it, each with the field it must name: `rpc/bind/accepted` or
    /// `rpc/bind/second-bind#reply`. None, where it shows only over months or under load: scenarios find it then.
    pub caught_by: &'static [&'static str],
    install: Install,
}

/// Where a fault shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// In what the host answers: also where nothing but requests and answers is carried.
    Answers,
    /// In what it does with connections, which whoever carries its bytes has to ask it for.
    Connections,
    /// In the PDUs that carry requests and answers.
    Pdus,
}

/// The one function of a fault, by what it changes.
#[derive(Debug, Clone, Copy)]
enum Install {
    Answers(fn(&mut Conduct, Lots)),
    Connections(fn(&mut Door, Lots)),
    Pdus(fn(&mut Tamper, Lots)),
}

impl Fault {
    /// Every fault, by name.
    pub fn all() -> &'static [&'static Fault] {
        static ALL: LazyLock<Vec<&'static Fault>> = LazyLock::new(|| {
            let mut all: Vec<_> = THEMES.iter().copied().flatten().copied().flatten().collect();
            all.sort_by_key(|fault| fault.name);
            all
        });
        &ALL
    }

    /// The fault of that name.
    ///
    /// # Errors
    /// [`UnknownFault`], with the nearest name there is.
    pub fn named(name: &str) -> Result<&'static Fault, UnknownFault> {
        let all = Fault::all().iter().copied().chain(legal::VARIATIONS);
        all.into_iter().find(|fault| fault.name == name).ok_or_else(|| UnknownFault::of(name))
    }

    /// Where it shows.
    pub fn place(&self) -> Place {
        match self.install {
            Install::Answers(_) => Place::Answers,
            Install::Connections(_) => Place::Connections,
            Install::Pdus(_) => Place::Pdus,
        }
    }

    /// Whether a host may do so: then it is no fault, and nothing is to find it.
    pub fn is_legal(&self) -> bool {
        legal::VARIATIONS.iter().any(|variation| variation.name == self.name)
    }

    /// Every legal variation.
    pub fn variations() -> &'static [Fault] {
        legal::VARIATIONS
    }
}

/// The faults of one host, in the order they were named; an honest host has none.
#[derive(Debug, Clone, Default)]
pub struct Faults(Vec<&'static Fault>);

impl Faults {
    /// These faults.
    ///
    /// # Errors
    /// [`FaultsError::Twice`], when one is among them twice.
    pub fn new(faults: Vec<&'static Fault>) -> Result<Faults, FaultsError> {
        for (number, fault) in faults.iter().enumerate() {
            if faults[..number].iter().any(|before| before.name == fault.name) {
                return Err(FaultsError::Twice(fault.name));
            }
        }
        Ok(Faults(faults))
    }

    /// Whether the host is honest.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One after another.
    pub fn iter(&self) -> impl Iterator<Item = &'static Fault> {
        self.0.iter().copied()
    }

    /// Their names, for people: `ignores-skew, loses-updates`.
    pub fn names(&self) -> String {
        self.joined(", ")
    }

    pub(super) fn install(&self, conduct: &mut Conduct, door: &mut Door, tamper: &mut Tamper, seed: u64) {
        for fault in &self.0 {
            let lots = Lots::new(seed, fault.name);
            tamper.next_fault();
            match fault.install {
                Install::Answers(install) => install(conduct, lots),
                Install::Connections(install) => install(door, lots),
                Install::Pdus(install) => install(tamper, lots),
            }
        }
    }

    fn joined(&self, between: &str) -> String {
        self.0.iter().map(|fault| fault.name).collect::<Vec<_>>().join(between)
    }
}

impl PartialEq for Faults {
    fn eq(&self, other: &Faults) -> bool {
        self.0.iter().map(|fault| fault.name).eq(other.0.iter().map(|fault| fault.name))
    }
}

impl Eq for Faults {}

/// As a target names them: `ignores-skew,loses-updates`.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.joined(","))
    }
}

impl FromStr for Faults {
    type Err = FaultsError;

    fn from_str(text: &str) -> Result<Faults, FaultsError> {
        let named = |name: &str| match name.trim() {
            "" => Err(FaultsError::Missing),
            name => Ok(Fault::named(name)?),
        };
        Faults::new(text.split(',').map(named).collect::<Result<_, _>>()?)
    }
}

/// Names that are no faults of a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultsError {
    /// There is none of that name.
    #[error(transparent)]
    Unknown(#[from] UnknownFault),
    /// There is nothing where a name should be.
    #[error("the name of a fault is missing")]
    Missing,
    /// One is named twice.
    #[error("the fault {0} is named twice: once is enough")]
    Twice(&'static str),
}

/// A name that no fault has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownFault {
    asked: String,
    nearest: Option<&'static str>,
}

impl UnknownFault {
    fn of(asked: &str) -> UnknownFault {
        let scored = Fault::all()
            .iter()
            .copied()
            .chain(legal::VARIATIONS)
            .map(|fault| (strsim::jaro_winkler(fault.name, asked), fault.name));
        let nearest = scored.max_by(|one, other| one.0.total_cmp(&other.0));
        let nearest = nearest.filter(|(score, _)| *score >= SIMILARITY_MIN).map(|(_, name)| name);
        UnknownFault { asked: asked.to_owned(), nearest }
    }

    /// The name that was perhaps meant.
    pub fn nearest(&self) -> Option<&'static str> {
        self.nearest
    }
}

impl std::error::Error for UnknownFault {}

impl fmt::Display for UnknownFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the lab host has no fault named `{}`", self.asked)?;
        if let Some(nearest) = self.nearest {
            write!(f, "; did you mean {nearest}?")?;
        }
        f.write_str(" (kmsproof lab --list-faults lists them all)")
    }
}

/// What breaks, and for whom it is to.
static THEMES: &[&[&[Fault]]] = &[rpc::THEMES, ndr::THEMES, kms::THEMES, &[ways::FAULTS, load::FAULTS]];

/// Below this, Jaro-Winkler finds likeness where a person sees none.
const SIMILARITY_MIN: f64 = 0.75;
