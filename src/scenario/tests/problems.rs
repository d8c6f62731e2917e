//! Problems: each at its place, with what would be right.

use super::*;

fn only(source: &str) -> Problem {
    let problems = load(source, "test.toml").expect_err("the file is bad");
    assert_eq!(problems.count(), 1, "{problems}");
    problems.iter().next().unwrap().clone()
}

#[test]
fn a_small_mistake_is_one_problem_at_its_place() {
    // What is changed in the good file, and what comes of it.
    let table = [
        ("count = 3", "count = 0", (5, 9), "`count` must be 1 to 1000000, and is 0"),
        ("[\"office[2]\"", "[\"office[3]\"", (17, 12), "there is no machine 3: \"office\" has 2 machines"),
        ("count = 3", "count = 1", (17, 25), "there is no machine 3: \"pc\" has one machine"),
        ("minutes-left = 0", "minutes-left = 4294967296", (14, 16), "`minutes-left` must be 0 to 4294967295"),
        ("to = 3", "to = 4", (18, 20), "from 1 to 4 are 4 counts, but the step has 3 arrivals"),
        ("most = 50", "most = 2001", (27, 89), "`most` must be 1 to 2000, and is 2001"),
        ("repeat = 2", "repeat = 2000000", (19, 1), "with this step there are 24000003 arrivals"),
        ("title = \"two\"", "title = \"one\"", (20, 9), "step 1 has this title too"),
        ("vm = true", "vm = 1", (12, 6), "`vm` must be true or false"),
        ("[clients.office]", "[clients.\"the office\"]", (7, 10), "\"the office\" cannot be the name of a group"),
        ("name = \"small\"", "nome = \"small\"", (2, 1), "a scenario has no key \"nome\""),
        ("name = \"small\"", "", (3, 1), "a scenario needs `name`"),
    ];
    for (from, to, place, message) in table {
        assert!(SMALL.contains(from), "{from}");
        let problems = load(&SMALL.replacen(from, to, 1), "test.toml").expect_err(to);
        let first = problems.iter().next().unwrap();
        assert_eq!((first.line(), first.column()), place, "{problems}");
        assert!(first.message().starts_with(message), "{problems}");
    }
}

#[test]
fn a_group_with_a_mistake_is_still_a_group_that_steps_can_name() {
    let problem = only(&SMALL.replacen("Windows 11 Enterprise", "Windos 11 Enterprise", 1));
    assert_eq!(problem.help(), Some("did you mean \"Windows 11 Enterprise\"? `kmsproof catalog` lists them all"));
    only(&SMALL.replacen("count = 3", "cuont = 3", 1));
}

#[test]
fn the_bounds_of_a_file() {
    let crowd = SMALL.replacen("count = 3", "count = 999999", 1);
    assert_eq!(only(&crowd).message(), "the groups have 1000001 clients in all; a file has room for 1000000");
    let long = format!("{SMALL}#{}", "x".repeat(FILE_BYTES_MAX));
    assert!(only(&long).message().ends_with("4194304 are read at most"));
    let step = "[[step]]\nclients = [\"pc\"]\nexpect = { wire = \"0x00000000\" }\n";
    let titled = (0..=STEPS_MAX).map(|step_index| format!("{step}title = \"{step_index}\"\n"));
    let many = SMALL.split("[[step]]").next().unwrap().to_owned() + &titled.collect::<String>();
    let problems = load(&many, "many.toml").unwrap_err();
    assert!(problems.to_string().contains("there are 10001 steps; a file has room for 10000"), "{problems}");
}

#[test]
fn more_arrivals_than_64_bits_can_count() {
    let crowd = SMALL.replacen("count = 3", "count = 999998", 1).replacen("repeat = 2", "repeat = 10000000", 1);
    let everyone = "\"pc\", ".repeat(400_000);
    let crowd = crowd.replacen("[\"4.0\", ", "[\"4.0\", \"5.0\", ", 1);
    let source = crowd.replacen("[\"pc[2]\", \"office\"]", &format!("[{everyone}]"), 1);
    assert!(only(&source).message().starts_with("with this step there are 18446744073709551615 arrivals"));
}

#[test]
fn a_file_wrong_in_every_line_is_not_answered_with_a_book() {
    let source: String = (0..5_000).map(|line| format!("key{line} = {line}\n")).collect();
    let problems = load(&source, "wrong.toml").unwrap_err();
    assert_eq!(problems.iter().count(), PROBLEMS_MAX);
    assert_eq!(problems.count(), 5_004);
    assert!(problems.to_string().ends_with("wrong.toml: 5004 problems, the first 50 shown; nothing was sent\n"));
}

#[test]
fn a_line_nobody_can_read_is_only_named() {
    let long = SMALL.replacen("name = \"small\"", &format!("name = \"{}\"", "x".repeat(5000)), 1);
    let rendered = load(&long, "test.toml").unwrap_err().to_string();
    assert!(rendered.contains("--> test.toml:2:8") && rendered.len() < 400, "{rendered}");
}

#[test]
fn a_place_inside_a_letter_is_no_place() {
    let problems = load("[[\u{a1}\r\u{80}.", "test.toml").unwrap_err();
    assert!(problems.render(false).contains("test.toml:1:"));
}

#[test]
fn colour_is_asked_for() {
    let problems = load("name = \"\u{1b}[31mX\"", "test.toml").unwrap_err();
    assert!(!problems.render(false).contains('\u{1b}'), "{problems}");
    assert!(problems.render(true).contains('\u{1b}'));
    assert_eq!(problems.to_string(), problems.render(false));
}
