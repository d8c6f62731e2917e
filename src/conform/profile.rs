//! What a behaviour costs: a case only observes, a profile decides.

use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::accept::Grade;
use super::case::{Case, Confidence, Level};
use super::known::{ListError, is_named};
use super::result::Verdict;
use super::talk::Judged;

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
    name: Option<String>,
    #[serde(default)]
    strict: bool,
    #[serde(default)]
    case: Vec<Spanned<Entry>>,
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

    /// Those that come with this program.
    pub fn built_in() -> [Profile; 2] {
        [Profile::windows(), Profile::strict()]
    }

    /// The one of this name that comes with this program.
    pub fn named(name: &str) -> Option<Profile> {
        Profile::built_in().into_iter().find(|profile| profile.name == name)
    }

    /// The names of those, in words.
    pub fn names() -> String {
        Profile::built_in().map(|profile| profile.name).join(", ")
    }

    /// One of a user's own, from `file`, by whose name it is called when it says no other; `exists` says whether a
    /// case or check of that id or glob exists.
    ///
    /// # Errors
    /// What is wrong, where, and what would be right.
    pub fn parse(text: &str, file: &str, exists: impl Fn(&str) -> bool) -> Result<Profile, ListError> {
        let File { name, strict, case } =
            toml::from_str(text).map_err(|error| ListError::of_toml(text, file, &error))?;
        if let Some(unknown) = case.iter().find(|entry| !exists(&entry.get_ref().id)) {
            let what = format!("no case or check is named `{}`", unknown.get_ref().id);
            return Err(ListError::at(text, file, &unknown.span(), what));
        }
        let stem = || Path::new(file).file_stem().map_or(file.into(), |stem| stem.to_string_lossy());
        let costs = case.into_iter().map(Spanned::into_inner).map(|entry| (entry.id, entry.cost)).collect();
        Ok(Profile { name: name.unwrap_or_else(|| stem().into_owned()), strict, costs })
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

    /// What all that a case looked at comes to; none, when it looked at nothing.
    pub fn verdict_on(&self, case: &Case, judged: &[Judged]) -> Option<Verdict> {
        let grade = judged.iter().map(|judged| judged.grade).max()?;
        let usual = self.verdict(case, grade);
        // That others are kept waiting because of what one client did no level excuses.
        let starves_others = judged.iter().any(|judged| judged.starves_others);
        Some(if starves_others && usual != Verdict::Recorded { self.cost(case.id, Cost::Fail) } else { usual })
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
        let own = Profile::parse(&own, "ours.toml", |_| true).unwrap();
        assert_eq!(own.verdict(must, Grade::Fail), Verdict::Recorded);
        assert_eq!(own.verdict(must, Grade::Ok), Verdict::Pass);
    }

    #[test]
    fn a_profile_of_cases_that_do_not_exist_is_refused() {
        let text = "name = \"ours\"\n[[case]]\nid = \"no/such/case\"\ncost = \"fail\"\n";
        let wrong = |text, exists| Profile::parse(text, "my.toml", |_| exists).unwrap_err().to_string();
        assert_eq!(wrong(text, false), "my.toml:2: no case or check is named `no/such/case`");
        let shouting = text.replace("\"fail\"", "\"shout\"");
        assert!(wrong(&shouting, true).starts_with("my.toml:4: unknown variant `shout`, expected one of"));
    }

    #[test]
    fn a_profile_is_called_by_its_own_name_or_by_its_files() {
        let name = |text| Profile::parse(text, "folder/campus.toml", |_| true).unwrap().name;
        assert_eq!((name(""), name("name = \"ours\"")), ("campus".to_owned(), "ours".to_owned()));
        assert_eq!(Profile::named("strict").map(|profile| profile.strict), Some(true));
        assert!(Profile::named("campus").is_none());
    }
}
