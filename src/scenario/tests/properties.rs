//! What holds of every file, whatever it says.

use super::*;
use crate::cases::config;

/// Loads, renders and plans: none of it may panic, whatever the text.
fn survive(source: &str) {
    match load(source, "any.toml") {
        Ok(scenario) => {
            assert_eq!(scenario.plan(1, Ids::Pool).hash.len(), 64);
            // The schema must never refuse what the readers take.
            assert_eq!(super::schema::complaints(source), Vec::<String>::new(), "{source}");
        }
        Err(problems) => {
            assert!(problems.count() > 0);
            assert!(!problems.render(false).contains('\u{1b}'));
            assert!(problems.render(true).len() > 10);
            let lines = source.matches('\n').count() + 1;
            let is_inside = |problem: &Problem| (1..=lines).contains(&problem.line()) && problem.column() > 0;
            let of_it = |problem: &&Problem| problem.file() == "any.toml";
            assert!(problems.iter().filter(of_it).all(is_inside));
        }
    }
}

/// A piece of the file replaced: cut at letters, not inside one.
fn mutate(source: &str, at: usize, len: usize, with: &str) -> String {
    let letters: Vec<char> = source.chars().collect();
    let at = at % letters.len();
    let end = (at + len).min(letters.len());
    letters[..at].iter().collect::<String>() + with + &letters[end..].iter().collect::<String>()
}

/// Good files; the richest as often as all others together.
fn sources() -> Vec<&'static str> {
    let shipped: Vec<_> = shipped().iter().map(|(.., source)| *source).chain([SMALL]).collect();
    shipped.iter().copied().chain(shipped.iter().map(|_| super::keys::RICH)).collect()
}

fn pieces() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,8}",
        ".{0,4}",
        prop::sample::select(vec![
            "",
            "[",
            "]",
            "{",
            "}",
            "\"",
            "'''",
            "\"\"\"",
            "=",
            ",",
            "\n",
            "\r",
            "\r\n",
            "\t",
            "#",
            "\u{feff}",
            "\0",
            "電",
            "-1",
            "0",
            "99999999999",
            "9223372036854775808",
            "1.5",
            "true",
            "1979-05-27",
            "[[step]]\n",
            "[clients.pc]\n",
            "[1..24]",
            "[0]",
            "expect.wire = \"\"\n",
            "fresh",
            "0x",
            "\"0xC004F038\"",
            "{ from = 1, to = 2 }",
            "[[[[[[",
            "Asia/Taipei",
            "50/s",
            "30%",
            "7d",
            "-4h 1m",
            "{ rate = \"1/s\" }",
            "{ lifecycle = \"1d\" }",
            "\"none\"",
            "oracle = false\n",
            "population = \"populations/campus.csv\"\n",
            "= {}",
        ])
        .prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn any_text_is_survived(source: String) {
        survive(&source);
    }

    #[test]
    fn any_pieces_of_the_language_are_survived(pieces in prop::collection::vec(pieces(), 0..40)) {
        survive(&pieces.concat());
    }

    #[test]
    fn any_mutation_of_a_good_file_is_survived(
        which in prop::sample::select(sources()),
        changes in prop::collection::vec((any::<usize>(), 0..12usize, pieces()), 1..4),
    ) {
        let mut source = which.to_owned();
        for (at, len, with) in &changes {
            source = mutate(&source, *at, *len, with);
            if source.is_empty() {
                break;
            }
        }
        survive(&source);
    }

    #[test]
    fn any_mutation_of_a_table_is_survived(
        changes in prop::collection::vec((any::<usize>(), 0..12usize, pieces()), 1..4),
    ) {
        let mut table = CAMPUS.to_owned();
        for (at, len, with) in &changes {
            table = mutate(&table, *at, *len, with);
            if table.is_empty() {
                break;
            }
        }
        match super::super::load(super::keys::RICH, "any.toml", &|_: &str| Ok(table.as_bytes().to_vec())) {
            Ok(scenario) => assert!(scenario.plan(1, Ids::Seeded).machines() > 0),
            Err(problems) => assert!(!problems.render(false).contains('\u{1b}')),
        }
    }

    /// A line lost is the commonest accident.
    #[test]
    fn any_line_may_be_lost(
        source in prop::sample::select(sources()),
        line in any::<prop::sample::Index>(),
        keep in any::<prop::sample::Index>(),
    ) {
        let lines: Vec<&str> = source.lines().collect();
        let (line, keep) = (line.index(lines.len()), keep.index(lines.len()));
        let without: Vec<&str> = lines.iter().enumerate().filter(|(at, _)| *at != line).map(|(_, text)| *text).collect();
        survive(&without.join("\n"));
        survive(&lines[..keep].join("\r\n"));
    }
}
