//! A group of machines: what they have in common, and what follows from their numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Away, NamePattern, Row, Rows, Share};
use crate::client::identity::{Index, workstation_name};
use crate::client::{ClientClock, LeaseRules, Wanted};
use crate::wire::Guid;
use crate::wire::kms::LicenseStatus;

/// A group of machines.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// How many there are, or each of them.
    pub machines: Machines,
    /// What each of them wants activated; rows of a table name theirs by their place in this list.
    pub wanted: Vec<Arc<Wanted>>,
    /// How the leases go; `None` as each product's do.
    pub rules: Option<LeaseRules>,
    /// How many say they are virtual.
    pub vm: Share,
    /// What their clocks show.
    pub clock: ClientClock,
    /// The leases they have when the scenario begins.
    pub lease: LeaseBegins,
    /// What they call themselves; `None` by group and number.
    pub workstation: Option<NamePattern>,
    /// Whether they were made of one image with its client machine id in it.
    pub clones: bool,
    /// Whether they had another client machine id before.
    pub previous_id: bool,
    /// When they are not there.
    pub away: Vec<Away>,
}

/// The machines of a group.
#[derive(Debug, Clone)]
pub enum Machines {
    /// So many, all alike.
    Alike(u32),
    /// One by one, as a table says.
    Listed(Rows),
}

/// The lease of a machine when the scenario begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LeaseBegins {
    /// Just installed.
    Installed,
    /// Activated so many minutes ago, drawn by the seed between the two.
    Aged {
        /// The least, in minutes.
        least_min: u64,
        /// The most, in minutes.
        most_min: u64,
    },
    /// In a state, whatever led to it.
    Standing {
        /// The state.
        status: LicenseStatus,
        /// Minutes left in it.
        minutes_left: u32,
    },
}

impl Group {
    /// How many machines there are.
    pub fn len(&self) -> u32 {
        match &self.machines {
            Machines::Alike(count) => *count,
            Machines::Listed(rows) => rows.len(),
        }
    }

    /// Whether there is none, which no file says.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The machine's row, when there is a table.
    pub fn row(&self, number: u32) -> Option<&Row> {
        match &self.machines {
            Machines::Alike(_) => None,
            Machines::Listed(rows) => Some(rows.row(number)),
        }
    }

    /// What people call a machine.
    pub fn label(&self, number: u32) -> String {
        match self.row(number) {
            Some(row) => row.label.to_string(),
            None => format!("{} {number}", self.name),
        }
    }

    /// What a machine calls itself.
    pub fn workstation(&self, number: u32) -> String {
        let named = |label: &str, number| {
            workstation_name(label, Index::new(number).expect("a file has no more clients than ids have room for"))
        };
        match (&self.workstation, self.row(number)) {
            (Some(pattern), _) => pattern.of(number),
            // A machine that stands in several rows calls itself the same in all of them.
            (None, Some(row)) => named(&row.label, row.identity),
            (None, None) => named(&self.name, number),
        }
    }

    /// How many activations the group has: a machine with two products has two.
    pub fn activations(&self) -> u64 {
        self.activations_before(self.len() + 1)
    }

    /// How many activations the machines before this one have.
    pub fn activations_before(&self, number: u32) -> u64 {
        match &self.machines {
            Machines::Alike(_) => u64::from(number - 1) * self.wanted.len() as u64,
            Machines::Listed(rows) => rows.activations_before(number),
        }
    }

    /// The machine and the product of the activation that stands at `number`, from 0.
    pub fn activation_at(&self, number: u64) -> (u32, u16) {
        match &self.machines {
            Machines::Alike(_) => {
                let products = self.wanted.len() as u64;
                ((number / products) as u32 + 1, (number % products) as u16)
            }
            Machines::Listed(rows) => rows.activation_at(number),
        }
    }

    /// A machine's product.
    pub fn wanted_of(&self, number: u32, product: u16) -> &Arc<Wanted> {
        let place = self.row(number).map_or(usize::from(product), |row| usize::from(row.wanted[usize::from(product)]));
        &self.wanted[place]
    }

    /// How a lease goes.
    pub fn rules_of(&self, number: u32, product: u16) -> LeaseRules {
        self.rules.unwrap_or_else(|| self.wanted_of(number, product).rules)
    }

    /// What a machine's clock shows.
    pub fn clock_of(&self, number: u32) -> ClientClock {
        match self.row(number).and_then(|row| row.clock) {
            Some(skew) => ClientClock::skewed(skew),
            None => self.clock.clone(),
        }
    }

    /// The lease a machine begins with.
    pub fn begins(&self, number: u32) -> LeaseBegins {
        match self.row(number).and_then(|row| row.standing) {
            Some((status, minutes_left)) => LeaseBegins::Standing { status, minutes_left },
            None => self.lease,
        }
    }

    /// Which of the group's client machine ids a machine has, from 1.
    pub fn identity(&self, number: u32) -> u32 {
        match self.row(number) {
            Some(row) => row.identity,
            None if self.clones => 1,
            None => number,
        }
    }

    /// How many client machine ids the machines up to this number have between them.
    pub fn identities(&self, highest: u32) -> u32 {
        match &self.machines {
            _ if highest == 0 => 0,
            Machines::Listed(rows) => rows.identities(),
            Machines::Alike(_) if self.clones => 1,
            Machines::Alike(_) => highest,
        }
    }

    /// The applications its products belong to.
    pub fn applications(&self) -> BTreeSet<Guid> {
        self.wanted.iter().map(|wanted| wanted.application_id).collect()
    }

    /// How many distinct ids ask for each application, of the machines from `first` to `last`.
    pub fn ids_per_application(&self, first: u32, last: u32) -> BTreeMap<Guid, usize> {
        match &self.machines {
            Machines::Alike(_) => {
                let ids = if self.clones { 1 } else { (last - first + 1) as usize };
                self.applications().into_iter().map(|application| (application, ids)).collect()
            }
            Machines::Listed(rows) => {
                let mut ids: BTreeMap<Guid, BTreeSet<u32>> = BTreeMap::new();
                for number in first..=last {
                    let row = rows.row(number);
                    for &wanted in &row.wanted {
                        ids.entry(self.wanted[usize::from(wanted)].application_id).or_default().insert(row.identity);
                    }
                }
                ids.into_iter().map(|(application, ids)| (application, ids.len())).collect()
            }
        }
    }

    /// The largest N policy its machines ask with.
    pub fn largest_n_policy(&self) -> u32 {
        self.wanted.iter().map(|wanted| wanted.n_policy).max().unwrap_or_default()
    }
}
