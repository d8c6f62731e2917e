//! Machines one by one, as a population table lists them.

use std::time::Duration;

use jiff::SignedDuration;

use crate::wire::kms::LicenseStatus;

/// The rows of a population table, numbered from 1.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    rows: Vec<Row>,
    /// How many activations the rows before each have; one more than there are rows.
    activations_before: Vec<u64>,
    identities: u32,
}

/// A machine that asks once, at its time.
#[derive(Debug, Clone)]
pub struct Row {
    /// What people call it.
    pub label: Box<str>,
    /// Which of the table's client machine ids it has, from 1: rows may share one.
    pub identity: u32,
    /// Its products, by their place in the group's list; never empty.
    pub wanted: Box<[u16]>,
    /// Whether it says it is virtual; `None` as the group says.
    pub is_vm: Option<bool>,
    /// The license status and the minutes left in it; `None` as the group says.
    pub standing: Option<(LicenseStatus, u32)>,
    /// How far its clock is off; `None` as the group says.
    pub clock: Option<SignedDuration>,
    /// When it arrives, since the first of the table.
    pub at: Duration,
}

impl Rows {
    /// A table of these rows.
    pub fn new(rows: Vec<Row>) -> Rows {
        let mut activations_before = Vec::with_capacity(rows.len() + 1);
        let mut before = 0;
        for row in &rows {
            activations_before.push(before);
            before += row.wanted.len() as u64;
        }
        activations_before.push(before);
        let identities = rows.iter().map(|row| row.identity).max().unwrap_or(0);
        Rows { rows, activations_before, identities }
    }

    /// How many rows there are.
    pub fn len(&self) -> u32 {
        self.rows.len() as u32
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The row of a machine.
    pub fn row(&self, number: u32) -> &Row {
        &self.rows[number as usize - 1]
    }

    /// All rows, in the order of the table.
    pub fn iter(&self) -> std::slice::Iter<'_, Row> {
        self.rows.iter()
    }

    /// How many client machine ids the rows have between them.
    pub fn identities(&self) -> u32 {
        self.identities
    }

    /// How many activations the rows before this one have.
    pub fn activations_before(&self, number: u32) -> u64 {
        self.activations_before[number as usize - 1]
    }

    /// The row and the product of the activation that stands at `number`, from 0.
    pub fn activation_at(&self, number: u64) -> (u32, u16) {
        let row = self.activations_before.partition_point(|&before| before <= number);
        (row as u32, (number - self.activations_before[row - 1]) as u16)
    }
}
