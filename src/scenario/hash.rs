//! The hash that says whether two plans send and expect the same.

use sha2::{Digest, Sha256};

use super::expectation::{CountRule, Expected};
use super::plan::{Plan, Step};
use super::spec::{ConnectionUse, HostState};
use crate::client::Machine;
use crate::proto::{Offer, Verdict};
use crate::wire::hex;
use crate::wire::rpc::TransferSyntax;

/// Every list goes in with its length and every choice with a number, so that no two plans that
/// differ come to the same bytes. A change to this form must change [`DOMAIN`].
pub(super) fn of(plan: &Plan) -> String {
    let mut sum = Sum(Sha256::new());
    sum.bytes(DOMAIN);
    sum.bytes(plan.name.as_bytes());
    sum.number(plan.seed);
    sum.length(plan.machines.len());
    for machine in &plan.machines {
        sum.machine(machine);
    }
    sum.length(plan.steps.len());
    for step in &plan.steps {
        sum.step(step);
    }
    sum.hex()
}

/// One hash for several plans carried out in this order.
pub fn combined_hash<'a>(hashes: impl Iterator<Item = &'a str>) -> String {
    let mut sum = Sum(Sha256::new());
    sum.bytes(DOMAIN);
    for hash in hashes {
        sum.bytes(hash.as_bytes());
    }
    sum.hex()
}

struct Sum(Sha256);

impl Sum {
    fn hex(self) -> String {
        hex(&self.0.finalize())
    }

    fn machine(&mut self, machine: &Machine) {
        self.0.update(machine.id.guid().to_wire());
        for unit in machine.workstation.units() {
            self.0.update(unit.to_le_bytes());
        }
        let product = machine.product;
        for id in [product.application_id(), product.sku_id, product.kms_counted_id] {
            self.0.update(id.to_wire());
        }
        self.number(u64::from(machine.n_policy));
        self.number(u64::from(machine.is_vm));
        self.number(u64::from(machine.license_status.0));
        self.number(u64::from(machine.binding_expiration_min));
    }

    fn step(&mut self, step: &Step) {
        self.number(match step.host {
            HostState::Kept => 0,
            HostState::Fresh => 1,
        });
        self.number(match step.connection {
            ConnectionUse::Each => 0,
            ConnectionUse::Kept => 1,
        });
        self.length(step.concurrency);
        self.length(step.arrivals.len());
        for arrival in &step.arrivals {
            self.length(arrival.machine);
            self.0.update(arrival.version.to_wire());
            self.number(match arrival.offer {
                Offer::Windows => 0,
                Offer::Only(TransferSyntax::Ndr32) => 1,
                Offer::Only(TransferSyntax::Ndr64) => 2,
            });
            self.0.update(arrival.iv);
        }
        self.length(step.expect.len());
        for expectation in &step.expect {
            self.expected(&expectation.what);
        }
    }

    fn expected(&mut self, what: &Expected) {
        self.bytes(what.name().as_bytes());
        match what {
            Expected::Wire(codes) | Expected::Shown(codes) => {
                self.length(codes.len());
                codes.iter().for_each(|code| self.number(u64::from(code.0)));
            }
            Expected::Verdict(verdicts) => {
                self.length(verdicts.len());
                for verdict in verdicts {
                    self.number(match verdict {
                        Verdict::Activated => 1 << 32,
                        Verdict::Refused(code) => u64::from(code.0),
                    });
                }
            }
            Expected::Count(rule) => {
                let (form, least, most) = match *rule {
                    CountRule::Exactly(count) => (0, count, count),
                    CountRule::Rising { from, to } => (1, from, to),
                    CountRule::Least(least) => (2, least, 0),
                    CountRule::Most(most) => (3, 0, most),
                    CountRule::Between { least, most } => (4, least, most),
                };
                [form, least, most].into_iter().for_each(|number| self.number(u64::from(number)));
            }
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.update(bytes);
    }

    fn length(&mut self, length: usize) {
        self.number(length as u64);
    }

    fn number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }
}

const DOMAIN: &[u8] = b"kmsproof plan 1";
