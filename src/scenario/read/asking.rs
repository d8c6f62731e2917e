//! Who asks in a step, and how often, as far as that could be read.

use std::collections::BTreeSet;

use super::clients::GroupDraft;
use crate::population::{Group, Machines};
use crate::scenario::spec::{HostState, Selection};

/// Who asks in a step.
pub(super) struct Asking<'s> {
    pub groups: &'s [GroupDraft],
    /// `None` when one of them could not be read.
    pub selections: Option<&'s [Selection]>,
    /// In how many ways each client asks for each of its products, times how often; `None` when not known.
    pub times: Option<u64>,
    /// How many arrivals there are where a time says it, whoever asks.
    pub within: Option<u64>,
    /// Whether they ask in an order.
    pub one_by_one: Option<bool>,
    pub host: Option<HostState>,
}

impl Asking<'_> {
    /// How many clients there are.
    pub fn clients(&self) -> Option<u64> {
        Some(self.selections?.iter().map(|selection| u64::from(selection.last - selection.first) + 1).sum())
    }

    /// How many products they have between them, each machine's counted.
    pub fn activations(&self) -> Option<u64> {
        self.each().map(|one| one.map(|(selection, group)| selection.activations(group))).sum()
    }

    /// How many arrivals there are.
    pub fn arrivals(&self) -> Option<u64> {
        match self.within {
            Some(within) => Some(within),
            None => Some(self.activations()?.saturating_mul(self.times?)),
        }
    }

    /// How many client machine ids they have between them, group by group; `None` of crowds, where nobody asks.
    pub fn ids(&self) -> Option<u64> {
        let clients = self.clients()?;
        if clients > CROWD {
            return None;
        }
        let ids = |selection: Selection, group: &Group| {
            let distinct: BTreeSet<u32> =
                (selection.first..=selection.last).map(|number| group.identity(number)).collect();
            distinct.len() as u64
        };
        self.each().map(|one| one.map(|(selection, group)| ids(selection, group))).sum()
    }

    /// The N policies they ask with; none when they are not known.
    pub fn n_policies(&self) -> Vec<u32> {
        let mut policies = BTreeSet::new();
        for one in self.each() {
            let Some((selection, group)) = one else { return Vec::new() };
            match &group.machines {
                Machines::Listed(rows) if u64::from(selection.last - selection.first) < CROWD => {
                    for number in selection.first..=selection.last {
                        let wanted = rows.row(number).wanted.iter().map(|place| &group.wanted[usize::from(*place)]);
                        policies.extend(wanted.map(|wanted| wanted.n_policy));
                    }
                }
                // Of a part of a crowd it would take long to tell, and of all of it the list says it.
                Machines::Listed(rows) if selection.first > 1 || selection.last < rows.len() => return Vec::new(),
                _ => policies.extend(group.wanted.iter().map(|wanted| wanted.n_policy)),
            }
        }
        policies.into_iter().collect()
    }

    fn each(&self) -> impl Iterator<Item = Option<(Selection, &Group)>> {
        // A group with something wrong in it says nothing of its machines.
        let of = |selection: &Selection| Some((*selection, self.groups[selection.group].group.as_deref()?));
        let unknown = self.selections.is_none().then_some(None);
        self.selections.unwrap_or_default().iter().map(of).chain(unknown)
    }
}

/// More machines than anybody expects one by one.
const CROWD: u64 = 10_000;
