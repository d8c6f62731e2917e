//! `import`, from the export of a log to what replays it, and that nobody is named on the way.

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use kmsproof::catalog;
use support::command::{self, Ran};

const EN_US: &str = "tests/import/export-en-us.csv";
const ZH_TW: &str = "tests/import/export-zh-tw.csv";
const XML: &str = "tests/import/export.xml";
const BROKEN: &str = "tests/import/broken.csv";

#[test]
fn what_stands_in_the_log_stands_in_the_population() {
    let out = folder("values");
    let ran = import(&[EN_US, "--zone", "America/Los_Angeles"], &out);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
    let rows = population(&out);

    // The log has the newest first; two of its requests are for a product nobody knows.
    let text = std::fs::read_to_string(EN_US).unwrap();
    let mut logged: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("0x"))
        .map(|line| line.trim_end_matches('"').split(',').collect())
        .collect();
    logged.reverse();
    assert_eq!(logged.len(), 60);
    logged.retain(|fields| catalog::by_sku_id(fields[8].parse().unwrap()).next().is_some());
    assert_eq!((rows.len(), logged.len()), (58, 58));
    for (row, fields) in rows.iter().zip(&logged) {
        let product = catalog::find(&row["product"]).unwrap();
        assert_eq!(product.sku_id.to_string(), fields[8]);
        assert_eq!((row["n_policy"].as_str(), row["protocol"].as_str()), (fields[1], ""));
        assert_eq!(row["vm"], if fields[5] == "1" { "true" } else { "false" });
        assert_eq!((row["status"].as_str(), row["minutes_left"].as_str()), (fields[6], fields[7]));
    }
    // One name, one machine; one id, one id: as often as in the log, and in its order.
    for (column, field) in [("machine", 2), ("id", 3)] {
        let pairs: BTreeSet<(&str, &str)> =
            rows.iter().zip(&logged).map(|(row, fields)| (row[column].as_str(), fields[field])).collect();
        let theirs: BTreeSet<&str> = pairs.iter().map(|(_, theirs)| *theirs).collect();
        let ours: BTreeSet<&str> = pairs.iter().map(|(ours, _)| *ours).collect();
        assert_eq!((pairs.len(), pairs.len()), (ours.len(), theirs.len()), "{column}");
    }
    assert_eq!((rows[0]["machine"].as_str(), rows[0]["id"].as_str()), ("pc-0001", "m0001"));
}

#[test]
fn clocks_and_arrivals_are_those_of_the_log() {
    let out = folder("clocks");
    assert_eq!(import(&[XML], &out).code, 0);
    let rows = population(&out);
    let clocks: BTreeSet<&str> = rows.iter().map(|row| row["clock"].as_str()).collect();
    assert_eq!(clocks, BTreeSet::from(["", "+17m", "+4h 1m", "-16h"]));
    let arrivals: Vec<f64> = rows.iter().map(|row| row["at"].parse().unwrap()).collect();
    assert!(arrivals.is_sorted());
    // From the SystemTime of the first record to that of the last, to the millisecond.
    assert_eq!((arrivals[0], rows[57]["at"].as_str()), (0.0, LAST_ARRIVAL));
}

#[test]
fn the_scenario_says_what_it_replays() {
    let out = folder("scenario");
    let ran = import(&[XML, "--speed", "600", "--name", "last-week"], &out);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let text = std::fs::read_to_string(out.join("last-week.toml")).unwrap();
    let scenario: toml::Table = text.parse().unwrap();
    assert_eq!(scenario["name"].as_str(), Some("last-week"));
    assert_eq!(scenario["clients"]["imported"]["population"].as_str(), Some("last-week.csv"));
    let step = &scenario["step"][0];
    assert_eq!(step["arrive"]["recorded"].as_bool(), Some(true));
    assert_eq!(step["arrive"]["speed"].as_integer(), Some(600));
    assert_eq!(step["clients"].as_array().unwrap()[0].as_str(), Some("imported"));
    insta::assert_snapshot!("scenario", text);
}

#[test]
fn a_log_arrives_again_and_is_answered_as_it_should_be() {
    for (export, zone) in [(EN_US, "America/Los_Angeles"), (ZH_TW, "Asia/Taipei"), (XML, "UTC")] {
        let out = folder("again");
        assert_eq!(import(&[export, "--zone", zone, "--speed", "1000000"], &out).code, 0, "{export}");
        let file = out.join("imported.toml");
        let arguments = ["run", file.to_str().unwrap(), "--out", "json=-"];
        let ran = command::run(command::command(env!("CARGO_BIN_EXE_kmsproof"), &arguments));
        assert_eq!(ran.code, 0, "{export}:\n{}", ran.stderr);
        let record: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let scenario = &record["scenarios"][0];
        let rows = population(&out);
        assert_eq!(scenario["oracle"]["predicted"], rows.len(), "{export}: every request of the log was judged");
        // What was refused then is refused now.
        let skewed = rows.iter().filter(|row| ["-16h", "+4h 1m"].contains(&row["clock"].as_str())).count();
        assert!(skewed > 0, "{export}");
        assert_eq!(scenario["outcomes"]["wire"]["0xC004F06C"], skewed, "{export}");
    }
}

#[test]
fn nobody_is_named_in_anything_that_comes_out() {
    for (number, files) in [&[EN_US][..], &[ZH_TW], &[XML], &[BROKEN], &[EN_US, ZH_TW, XML, BROKEN]].iter().enumerate()
    {
        let out = folder(&format!("names-{number}"));
        let ran = import(files, &out);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let mut said = format!("{}{}", ran.stdout, ran.stderr);
        for file in std::fs::read_dir(&out).unwrap() {
            said.push_str(&std::fs::read_to_string(file.unwrap().path()).unwrap());
        }
        let said = said.to_lowercase();
        let secrets = secrets(files);
        assert!(secrets.len() > 10 || files == &[BROKEN], "{secrets:?}");
        for secret in secrets {
            assert!(!said.contains(&secret), "{secret} in {said}");
        }
    }
}

#[test]
fn two_exports_that_overlap_are_one_log() {
    let (once, twice) = (folder("once"), folder("twice"));
    assert_eq!(import(&[XML], &once).code, 0);
    let ran = import(&[XML, XML], &twice);
    assert!(ran.stderr.contains("60 records of one file stood in another too"), "{}", ran.stderr);
    assert_eq!(population(&once), population(&twice));
}

#[test]
fn nothing_is_written_over_without_a_word() {
    let out = folder("over");
    assert_eq!(import(&[XML], &out).code, 0);
    std::fs::remove_file(out.join("imported.csv")).unwrap();
    std::fs::write(out.join("imported.toml"), "mine").unwrap();
    let ran = import(&[XML], &out);
    assert_eq!(ran.code, 110);
    assert!(ran.stderr.contains("imported.toml is there already: --force writes over it"), "{}", ran.stderr);
    assert_eq!(std::fs::read_to_string(out.join("imported.toml")).unwrap(), "mine");
    assert!(!out.join("imported.csv").exists());
    assert_eq!(import(&[XML, "--force"], &out).code, 0);
    assert_ne!(std::fs::read_to_string(out.join("imported.toml")).unwrap(), "mine");
}

#[test]
fn what_cannot_be_imported_ends_as_the_contract_says() {
    let out = folder("exits");
    let input = folder("exits-input");
    std::fs::create_dir_all(&input).unwrap();
    let made = |name: &str, text: &str| {
        std::fs::write(input.join(name), text).unwrap();
        input.join(name).display().to_string()
    };
    const TITLES: &str = "Level,Date and Time,Source,Event ID,Task Category\r\n";
    let empty = made("empty-log.csv", TITLES);
    let other = made("other.csv", &format!("{TITLES}Information,11/9/2026 8:30:00 AM,VSS,12290,None,shadow\r\n"));
    let unread = made("unread.txt", "0x0,25\n");
    let unknown = made(
        "unknown.txt",
        "0x0,25,a,36f27b39-2fd5-440b-be67-a09996d27a38,2026/11/9 8:30,0,2,1,0badcafe-5eed-4a11-8bad-0ddba11ca5e5\n",
    );
    for (arguments, code, due) in [
        (&["scenarios/smoke.toml"][..], 104, "scenarios/smoke.toml: it is no export of an event log"),
        (&["tests/import/none.csv"], 104, "tests/import/none.csv: "),
        (&["tests/import"], 104, "tests/import: "),
        (&[&unread], 104, "no record of event 12290 can be read"),
        (&[BROKEN, "--strict"], 104, "nothing is written: --strict, and some records cannot be read"),
        (&[&empty], 4, "no event 12290: expected the log \"Key Management Service\" of a KMS host"),
        (&[&other], 4, "no event 12290"),
        (&[&unknown], 4, "nothing to import: no request is for a product of the catalogue"),
        (&[XML, "--name", "Last week"], 2, "lower-case letters, digits and hyphens, like last-week"),
        (&[XML, "--zone", "Taipei"], 2, "expected a time zone like Asia/Taipei, or an offset like +08:00"),
        (&[XML, "--speed", "0"], 2, "--speed"),
        (&[], 2, "<FILE>"),
    ] {
        let ran = import(arguments, &out);
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(due), "{arguments:?}: {}", ran.stderr);
        assert!(!out.exists(), "{arguments:?}");
    }
}

#[test]
fn what_people_read_of_an_american_export() {
    hold(&[EN_US, "--zone", "America/Los_Angeles"], "en_us");
}

#[test]
fn what_people_read_of_a_taiwanese_export_without_its_zone() {
    hold(&[ZH_TW], "zh_tw_as_utc");
}

#[test]
fn what_people_read_of_an_xml_export() {
    hold(&[XML], "xml");
}

#[test]
fn what_people_read_of_broken_records() {
    hold(&[BROKEN, "--zone", "America/Los_Angeles"], "broken");
}

fn hold(arguments: &[&str], name: &str) {
    let out = folder(name);
    let ran = import(arguments, &out);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    insta::assert_snapshot!(name, ran.stderr.replace(&*out.to_string_lossy(), "DIR"));
}

/// Every client id, machine name, first label and domain of those files.
fn secrets(files: &[&str]) -> BTreeSet<String> {
    let mut secrets = BTreeSet::from(["campus.example".to_owned()]);
    for file in files {
        let text = kmsproof::text::decode_unmarked(&std::fs::read(file).unwrap()).unwrap().to_lowercase();
        for info in text.match_indices("0x").map(|(at, _)| text[at..].lines().next().unwrap()) {
            let fields: Vec<&str> = info.split(',').map(str::trim).collect();
            if let [_, _, name, id, _, ..] = fields[..] {
                secrets.insert(name.to_owned());
                secrets.insert(name.split('.').next().unwrap().to_owned());
                secrets.insert(id.to_owned());
            }
        }
    }
    secrets
}

fn population(out: &Path) -> Vec<std::collections::HashMap<String, String>> {
    let mut reader = csv::Reader::from_path(out.join("imported.csv")).unwrap();
    assert_eq!(
        reader.headers().unwrap().iter().collect::<Vec<_>>().join(","),
        "machine,id,product,n_policy,protocol,vm,status,minutes_left,clock,at"
    );
    reader.deserialize().map(Result::unwrap).collect()
}

fn import(arguments: &[&str], out: &Path) -> Ran {
    let out = out.display().to_string();
    let arguments = [&["import", "--out", &out], arguments].concat();
    command::run(command::command(env!("CARGO_BIN_EXE_kmsproof"), &arguments))
}

/// A folder that is not there yet.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("import-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

const LAST_ARRIVAL: &str = "553586.024";
