//! What a behaviour costs: a case only observes, a profile decides.

use serde::Deserialize;

use super::accept::Grade;
use super::case::{Case, Confidence, Level};
use super::known::is_named;
use super::run::Verdict;

/// What outcomes cost with hosts of a kind.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// Whether what is not strict fails.
    pub strict: bool,
    /// What single cases cost instead, by id or glob; the last that fits counts.
    costs: Vec<(String, Cost)>,
}

/// What it costs when a case is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cost {
    /// The run fails.
    Fail,
    /// It is reported.
    NonStrict,
    /// It is written down.
    Record,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    #[serde(default)]
    strict: bool,
    #[serde(default)]
    case: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    cost: Cost,
}

impl Profile {
    /// What known hosts that serve Windows clients well are held to: what Windows-modelled stacks do beyond that is
    /// reported.
    pub fn windows() -> Profile {
        Profile { name: "windows".to_owned(), strict: false, costs: Vec::new() }
    }

    /// Everything a Windows-modelled stack does.
    pub fn strict() -> Profile {
        Profile { name: "strict".to_owned(), strict: true, costs: Vec::new() }
    }

    /// One of a user's own.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub fn parse(text: &str, exists: impl Fn(&str) -> bool) -> Result<Profile, String> {
        let File { name, strict, case } = toml::from_str(text).map_err(|error| error.to_string())?;
        if let Some(unknown) = case.iter().find(|entry| !exists(&entry.id)) {
            return Err(format!("no case or check is named `{}`", unknown.id));
        }
        Ok(Profile { name, strict, costs: case.into_iter().map(|entry| (entry.id, entry.cost)).collect() })
    }

    /// What a grade of a case comes to.
    pub fn verdict(&self, case: &Case, grade: Grade) -> Verdict {
        // What nobody knows for sure can fail no run, whatever a profile says.
        if case.confidence == Confidence::Low || case.level == Level::Info {
            return Verdict::Recorded;
        }
        let usual = match (grade, case.level) {
            (Grade::Ok, _) => return Verdict::Pass,
            (Grade::Fail, Level::Must) => Cost::Fail,
            // Known hosts differ from Windows in how they speak DCE/RPC; in what they answer a client none may.
            (Grade::Fail, Level::Win) if !case.any_interface => Cost::Fail,
            _ if self.strict => Cost::Fail,
            _ => Cost::NonStrict,
        };
        self.cost(case.id, usual)
    }

    /// What it comes to when a host keeps others waiting because of what one client did: no level excuses that.
    pub fn verdict_on_liveness(&self, case: &Case) -> Verdict {
        match (case.confidence, case.level) {
            (Confidence::Low, _) | (_, Level::Info) => Verdict::Recorded,
            _ => self.cost(case.id, Cost::Fail),
        }
    }

    /// What it comes to when a check of this level failed.
    pub fn check_verdict(&self, id: &str, level: crate::proto::verify::Level) -> Verdict {
        use crate::proto::verify::Level;
        let usual = match level {
            Level::Must => Cost::Fail,
            Level::Should if self.strict => Cost::Fail,
            Level::Should => Cost::NonStrict,
            Level::May => Cost::Record,
        };
        self.cost(id, usual)
    }

    fn cost(&self, id: &str, usual: Cost) -> Verdict {
        let own = self.costs.iter().rev().find(|(pattern, _)| is_named(pattern, id));
        match own.map_or(usual, |(_, cost)| *cost) {
            Cost::Fail => Verdict::Fail,
            Cost::NonStrict => Verdict::NonStrict,
            Cost::Record => Verdict::Recorded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conform::cases;

    #[test]
    fn a_profile_decides_what_a_behaviour_costs() {
        let win = cases::all().find(|case| case.level == Level::Win && case.confidence == Confidence::High).unwrap();
        let must = cases::all().find(|case| case.level == Level::Must && case.confidence == Confidence::High).unwrap();
        let (windows, strict) = (Profile::windows(), Profile::strict());
        assert_eq!(windows.verdict(win, Grade::Fail), Verdict::NonStrict);
        assert_eq!(strict.verdict(win, Grade::Fail), Verdict::Fail);
        assert_eq!(windows.verdict(must, Grade::NonStrict), Verdict::NonStrict);
        assert_eq!(windows.verdict(must, Grade::Fail), Verdict::Fail);
        let own = format!("name = \"ours\"\n[[case]]\nid = \"{}\"\ncost = \"record\"\n", must.id);
        let own = Profile::parse(&own, |_| true).unwrap();
        assert_eq!(own.verdict(must, Grade::Fail), Verdict::Recorded);
        assert_eq!(own.verdict(must, Grade::Ok), Verdict::Pass);
    }

    #[test]
    fn a_profile_of_cases_that_do_not_exist_is_refused() {
        let text = "name = \"ours\"\n[[case]]\nid = \"no/such/case\"\ncost = \"fail\"\n";
        assert_eq!(Profile::parse(text, |_| false).unwrap_err(), "no case or check is named `no/such/case`");
        assert!(Profile::parse("name = \"ours\"\n[[case]]\nid = \"a\"\ncost = \"shout\"\n", |_| true).is_err());
    }
}
