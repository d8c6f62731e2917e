//! What holds when a host is asked little, and breaks when it is asked much: a finding of its own.

use super::{ScenarioResult, StepResult};
use crate::proto::verify::Level;
use crate::scenario::{Arrive, HostState, Step};

/// A requirement that held while there was hardly any load, and broke under load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnderLoad {
    /// Which one.
    pub id: String,
    /// The calm step it held in, from 0.
    pub held_in: usize,
    /// The first step it broke in, from 0.
    pub broke_in: usize,
    /// How many answers of that step broke it.
    pub broke: u64,
    /// How many answers the step had.
    pub of: u64,
}

impl ScenarioResult {
    /// What held in calm steps and broke in steps under load. Nothing where there are not both.
    pub fn under_load(&self) -> Vec<UnderLoad> {
        let steps =
            || self.plan.steps.iter().zip(&self.steps).enumerate().filter(|(_, (_, result))| result.exchanges > 0);
        let calm = || steps().filter(|(_, (step, _))| is_calm(step)).map(|(number, (_, result))| (number, result));
        let asked_the_oracle = || {
            let asked = steps().filter(|(_, (step, _))| is_calm(step) && step.oracle && step.host != HostState::Down);
            asked.map(|(number, _)| number)
        };
        let mut found: Vec<UnderLoad> = Vec::new();
        for (broke_in, (step, result)) in steps() {
            if is_calm(step) || step.host == HostState::Down {
                continue;
            }
            let mut note = |id: String, broke: u64, held_in: Option<usize>| {
                let Some(held_in) = held_in.filter(|_| found.iter().all(|before| before.id != id)) else { return };
                found.push(UnderLoad { id, held_in, broke_in, broke, of: result.exchanges });
            };
            for (check, &broke) in result.checks_failed.iter().filter(|(check, _)| check.check().level == Level::Must) {
                let never = calm().all(|(_, result)| !result.checks_failed.contains_key(check));
                let held = calm().find(|(_, result)| result.checks_done.has(*check)).map(|(number, _)| number);
                note(check.to_string(), broke, held.filter(|_| never));
            }
            for (id, &broke) in &result.predictions_failed {
                let differs = |result: &StepResult| result.predictions_failed.contains_key(id);
                let held = asked_the_oracle().next();
                note(id.to_string(), broke, held.filter(|_| calm().all(|(_, result)| !differs(result))));
            }
        }
        found
    }
}

/// Whether a step asks so little that any host has time for it.
fn is_calm(step: &Step) -> bool {
    match &step.arrive {
        Arrive::Turns { concurrency } => *concurrency == 1,
        Arrive::Open(schedule) => schedule.peak_per_s(schedule.duration(step.arrivals() as u64)) <= CALM_PER_S,
        Arrive::Recorded { .. } | Arrive::Lifecycle { .. } => false,
    }
}

/// The rate a host is asked at that may not be spoiled.
const CALM_PER_S: f64 = 50.0;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::measure::Measure;
    use crate::oracle::DivergenceId;
    use crate::proto::verify::CheckId;
    use crate::scenario::{Ids, ShippedTables, load};

    fn result(steps: &[&str]) -> ScenarioResult {
        let mut file = "name = \"calm\"\nquestion = \"?\"\n[clients.a]\ncount = 10\n\
                        product = \"Windows Server 2022 Standard\"\n"
            .to_owned();
        for (number, arrive) in steps.iter().enumerate() {
            file += &format!("[[step]]\ntitle = \"{number}\"\nclients = [\"a\"]\narrive = {arrive}\n");
        }
        let plan = load(&file, "calm.toml", &ShippedTables).unwrap().plan(1, Ids::Seeded);
        let mut result = Measure::new(Arc::new(plan)).finish(Vec::new());
        for step in &mut result.steps {
            step.exchanges = 10;
            step.checks_done.insert(CheckId::V6Hmac);
        }
        result
    }

    const CALM: &str = "{ rate = \"10/s\" }";
    const FAST: &str = "{ rate = \"5000/s\" }";

    #[test]
    fn what_held_when_calm_and_broke_under_load_is_named() {
        let mut result = result(&[CALM, FAST, FAST]);
        assert_eq!(result.under_load(), []);
        for step in 1..3 {
            result.steps[step].checks_failed.insert(CheckId::V6Hmac, 3);
        }
        result.steps[1].predictions_failed.insert(DivergenceId::AnswerMissing, 1);
        let found = result.under_load();
        assert_eq!(found.len(), 2);
        let hmac = &found[0];
        assert_eq!((hmac.id.as_str(), hmac.held_in, hmac.broke_in), ("kms/v6/hmac", 0, 1));
        assert_eq!((hmac.broke, hmac.of), (3, 10));
        result.steps[0].checks_failed.insert(CheckId::V6Hmac, 1);
        assert_eq!(result.under_load().len(), 1, "it broke when calm, too");
    }

    #[test]
    fn without_a_calm_step_nothing_is_said() {
        let mut result = result(&[FAST, "{ concurrency = 8 }"]);
        result.steps[1].checks_failed.insert(CheckId::V6Hmac, 3);
        assert_eq!(result.under_load(), []);
    }
}
