//! The hash that says whether two plans send and expect the same.

use std::fmt::Debug;

use sha2::{Digest, Sha256};

use super::expectation::{CountRule, Expected};
use super::plan::{Plan, Step};
use super::schedule::Arrive;
use super::spec::{ConnectionUse, HostNeeds, HostState, Order, Selection, TableNeeds, TimeMode};
use crate::population::{Group, Ids, Machines};
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
    sum.number(match plan.population.ids() {
        Ids::Seeded => 0,
        Ids::Pool => 1,
    });
    sum.host(&plan.host);
    match plan.time {
        TimeMode::Wall => sum.number(0),
        TimeMode::Virtual { begins } => [1, begins.0].into_iter().for_each(|number| sum.number(number)),
    }
    sum.length(plan.thresholds.len());
    for threshold in &plan.thresholds {
        sum.bytes(threshold.text.as_bytes());
    }
    sum.length(plan.population.groups().len());
    for group in plan.population.groups() {
        sum.group(group);
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

    fn host(&mut self, host: &HostNeeds) {
        self.number(match host.table {
            TableNeeds::Any => 0,
            TableNeeds::Empty => 1,
        });
        self.number(u64::from(host.serves.is_some()));
        let serves = host.serves.as_deref().unwrap_or_default();
        self.length(serves.len());
        serves.iter().for_each(|id| self.0.update(id.to_wire()));
    }

    fn group(&mut self, group: &Group) {
        // By its name the machines are called, unless a pattern says otherwise.
        self.bytes(group.name.as_bytes());
        self.length(group.wanted.len());
        for wanted in &group.wanted {
            for id in [wanted.application_id, wanted.sku_id, wanted.kms_counted_id] {
                self.0.update(id.to_wire());
            }
            self.number(u64::from(wanted.n_policy));
            self.0.update(wanted.protocol.to_wire());
            self.shown(&wanted.rules);
        }
        self.shown(&group.rules);
        self.number(u64::from(group.vm.millionths()));
        self.shown(&group.clock);
        self.shown(&group.lease);
        self.shown(&group.workstation);
        self.number(u64::from(group.clones));
        self.number(u64::from(group.previous_id));
        self.shown(&group.away);
        // How many machines there are is said by who arrives.
        if let Machines::Listed(rows) = &group.machines {
            self.number(u64::from(rows.len()));
            rows.iter().for_each(|row| self.shown(row));
        }
    }

    fn step(&mut self, step: &Step) {
        self.number(match step.host {
            HostState::Kept => 0,
            HostState::Fresh => 1,
            HostState::Down => 2,
        });
        self.shown(&step.wait);
        self.number(match step.connection {
            ConnectionUse::Each => 0,
            ConnectionUse::Kept => 1,
            ConnectionUse::Calls(calls) => 1 + u64::from(calls),
        });
        self.arrive(&step.arrive);
        // What came to the language later goes in only where it is said: plans that do not say it keep their hash.
        if !step.think.is_zero() {
            self.bytes(b"think");
            self.shown(&step.think);
        }
        self.number(u64::from(step.repeat.times));
        self.shown(&step.repeat.pause);
        if let Some(lasts) = step.repeat.lasts {
            self.bytes(b"lasts");
            self.shown(&lasts);
        }
        if let Some(most) = step.repeat.most {
            self.bytes(b"most");
            self.number(most);
        }
        self.number(match step.order {
            Order::Listed => 0,
            Order::Shuffled => 1,
        });
        self.length(step.selections.len());
        for Selection { group, first, last } in &step.selections {
            [*group as u64, u64::from(*first), u64::from(*last)].into_iter().for_each(|number| self.number(number));
        }
        self.length(step.versions.len());
        step.versions.iter().for_each(|version| self.0.update(version.to_wire()));
        self.length(step.offers.len());
        for offer in &step.offers {
            self.number(match offer {
                Offer::Windows => 0,
                Offer::Only(TransferSyntax::Ndr32) => 1,
                Offer::Only(TransferSyntax::Ndr64) => 2,
            });
        }
        self.number(u64::from(step.oracle));
        self.length(step.expect.len());
        for expectation in &step.expect {
            self.expected(&expectation.what);
        }
    }

    fn arrive(&mut self, arrive: &Arrive) {
        let Arrive::Lifecycle { span, speed } = arrive else { return self.shown(arrive) };
        self.bytes(format!("Lifecycle {{ span: {span:?} }}").as_bytes());
        if *speed > 1 {
            self.bytes(b"speed");
            self.number(u64::from(*speed));
        }
    }

    /// A value whose parts are all shown when it is debugged.
    fn shown(&mut self, value: &impl Debug) {
        self.bytes(format!("{value:?}").as_bytes());
    }

    fn expected(&mut self, what: &Expected) {
        self.bytes(what.name().as_bytes());
        match what {
            Expected::Wire(codes) => {
                self.length(codes.len());
                codes.iter().for_each(|code| self.number(code.map_or(1 << 32, |code| u64::from(code.0))));
            }
            Expected::Shown(codes) => {
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
            Expected::Share { of, least, most } => {
                self.shown(of);
                [least, most].into_iter().for_each(|share| self.number(u64::from(share.millionths())));
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

const DOMAIN: &[u8] = b"kmsproof plan 2";
