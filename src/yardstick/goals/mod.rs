//! What the engine is to reach, as data: a name, words for people and what to run.
//!
//! G10, that an exchange takes no memory from the heap, is no figure but holds or does not:
//! `tests/allocations.rs` sees to it.

mod carrying;
mod memory;
mod pacing;
mod timers;
mod yard;

use std::io::{Result, Write};
use std::time::Duration;

pub use memory::Part;
use yard::Yard;

/// Something the engine is to reach.
#[derive(Debug, Clone, Copy)]
pub struct Goal {
    /// What it is called: `G1` and so on.
    pub name: &'static str,
    /// What is to be reached.
    pub words: &'static str,
    run: fn(&Yard, &mut dyn Write) -> Result<()>,
    /// Whether another goal's rows show it too, so that it is run for itself only when it is asked for.
    is_shown_elsewhere: bool,
}

/// The goals of these names, in any case; all that are worth running if there are no names.
///
/// # Errors
/// What to say of a name there is no goal of.
pub fn named(names: &[String]) -> std::result::Result<Vec<Goal>, String> {
    if names.is_empty() {
        return Ok(GOALS.iter().filter(|goal| !goal.is_shown_elsewhere).copied().collect());
    }
    let find = |name: &String| {
        let found = GOALS.iter().find(|goal| goal.name.eq_ignore_ascii_case(name)).copied();
        found.ok_or_else(|| {
            let names: Vec<_> = GOALS.iter().map(|goal| goal.name).collect();
            format!("there is no goal `{name}`: {}", names.join(", "))
        })
    };
    names.iter().map(find).collect()
}

/// Runs `goals`, each contestant for so long in every one of so many rounds, and prints how it went.
///
/// Where the environment says that this process is the part of a bench that is measured, it is that and nothing else.
///
/// # Errors
/// When a contestant could not run, or was answered wrongly.
pub fn run(goals: &[Goal], rounds: usize, lasts: Duration, out: &mut dyn Write) -> Result<()> {
    if let Some(part) = Part::of_this_process()? {
        return part.run(out);
    }
    let yard = Yard::new(rounds, lasts);
    writeln!(out, "{}", yard.words())?;
    for goal in goals {
        writeln!(out, "\n{}  {}", goal.name, goal.words)?;
        out.flush()?;
        let named = |error: std::io::Error| std::io::Error::new(error.kind(), format!("{}: {error}", goal.name));
        (goal.run)(&yard, out).map_err(named)?;
        out.flush()?;
    }
    Ok(())
}

const GOALS: &[Goal] = &[
    Goal {
        name: "G1",
        words: "keep-alive, nothing sealed, everything recorded: at least 0.95 of raw",
        run: carrying::plain,
        is_shown_elsewhere: false,
    },
    Goal {
        name: "G2",
        words: "keep-alive, every request sealed and every answer verified: at least 0.80 of raw",
        run: carrying::sealed,
        is_shown_elsewhere: false,
    },
    Goal {
        name: "G3",
        words: "a connection for each request, sealed and verified: at least 0.93 of raw; two workers at least 1.10",
        run: carrying::one_each,
        is_shown_elsewhere: false,
    },
    Goal {
        name: "G4",
        words: "10,000 connections kept open, nothing sealed: at least 0.90 of raw",
        run: carrying::many,
        is_shown_elsewhere: false,
    },
    Goal {
        name: "G5",
        words: "client CPU for an exchange: at most 1.15 of raw with nothing sealed, 1.25 with everything (also under G1, G2)",
        run: carrying::cpu,
        is_shown_elsewhere: true,
    },
    Goal {
        name: "G6",
        words: "start error at 1,000/s and 10,000/s: p50 at most 2 us, p99 at most 100 us and a tenth of a tokio timer's",
        run: pacing::starts,
        is_shown_elsewhere: false,
    },
    Goal {
        name: "G7",
        words: "the rate offered within 0.1%, at 10,000/s and at 0.7 of what everything sealed reaches; \
                at 10,000/s at most 2% of gaps under a tenth of the mean: all as the host sees it",
        run: pacing::offered,
        is_shown_elsewhere: false,
    },
    Goal {
        name: "G8",
        words: "a million clients in at most 64 MiB with 1,000 connections open, and at most 0.6 KiB more for each further one",
        run: memory::clients,
        is_shown_elsewhere: false,
    },
    Goal {
        name: "G9",
        words: "a timer fires and is given a new time in at most 60 ns, with a million of them",
        run: timers::wheel,
        is_shown_elsewhere: false,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_found_by_name_and_a_wrong_one_is_told_the_right_ones() {
        let names = |goals: Vec<Goal>| goals.iter().map(|goal| goal.name).collect::<Vec<_>>();
        assert_eq!(names(named(&["g9".to_owned(), "G5".to_owned()]).unwrap()), ["G9", "G5"]);
        assert_eq!(names(named(&[]).unwrap()), ["G1", "G2", "G3", "G4", "G6", "G7", "G8", "G9"]);
        let wrong = named(&["G0".to_owned()]).unwrap_err();
        assert_eq!(wrong, "there is no goal `G0`: G1, G2, G3, G4, G5, G6, G7, G8, G9");
    }
}
