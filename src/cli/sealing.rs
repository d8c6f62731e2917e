//! What sealing and verifying cost on a machine whose processor does not help with it.

use std::time::{Duration, Instant};

use crate::catalog;
use crate::client::identity::{ClientId, Group, Index, workstation_name};
use crate::client::{Machine, Randomness};
use crate::crypto;
use crate::lab::{HostIdentity, LabHost};
use crate::proto::verify::Checks;
use crate::proto::{Ask, Moment, Reply, ReplyBody, ReplyTimes};
use crate::wire::FileTime;
use crate::wire::kms::{ProtocolVersion, WorkstationName};
use crate::wire::ndr::{REFERENT, ResponseStub};
use crate::wire::rpc::TransferSyntax;

/// What whoever makes load should know, where there are no AES instructions.
pub fn warning() -> Option<String> {
    (!crypto::has_aes_instructions()).then(|| words(cost()?)).flatten()
}

fn words(cost: Duration) -> Option<String> {
    let per_s = 1.0 / cost.as_secs_f64();
    let us = cost.as_secs_f64() * 1e6;
    per_s.is_finite().then(|| {
        format!(
            "this processor has no AES instructions: sealing a request and verifying its answer takes {us:.1} us here, so \
             one worker makes {per_s:.0} of them a second at most"
        )
    })
}

/// How long it takes to seal a request in the present protocol version and to verify its answer.
fn cost() -> Option<Duration> {
    let now = FileTime(134_396_615_660_000_000);
    let index = Index::new(1).ok()?;
    let name = WorkstationName::new(&workstation_name("cost", index)).ok()?;
    let product = catalog::find("Windows 11 Enterprise").ok()?;
    let machine = Machine::new("cost".into(), ClientId::mint(1, Group::default(), index), name, product, now);
    let mut randomness = Randomness::new(1);
    let mut lab = LabHost::new(HostIdentity::default(), 1);
    let mut spent = Duration::ZERO;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let ask = Ask::new(machine.request(ProtocolVersion::V6, now, now), randomness.next_iv());
        spent += begun.elapsed();
        let payload = lab.respond(ask.payload(), now).1.ok()?;
        let mut stub = Vec::new();
        ResponseStub::Answer { referent: REFERENT, payload: &payload, code: Default::default() }
            .write(TransferSyntax::Ndr32, &mut stub);
        let times = ReplyTimes { sent: Moment::default(), received: Moment::default() };
        let reply = Reply {
            call_id: 2,
            syntax: TransferSyntax::Ndr32,
            body: ReplyBody::Stub(stub),
            times,
            checks: Checks::default(),
        };
        let begun = Instant::now();
        let answer = ask.judge(&reply, now);
        spent += begun.elapsed();
        answer.checks.is_clean().then_some(())?;
    }
    Some(spent / ROUNDS)
}

/// Enough for a figure of two digits, and over in a few milliseconds on any machine.
const ROUNDS: u32 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_is_measured_and_said_in_words() {
        assert!(cost().is_some_and(|cost| !cost.is_zero()), "an honest answer is verified");
        let words = words(Duration::from_micros(20)).unwrap();
        assert!(words.ends_with("takes 20.0 us here, so one worker makes 50000 of them a second at most"), "{words}");
        assert_eq!(super::words(Duration::ZERO), None);
    }
}
