//! The JSON Schema beside the readers: made of the same, and held against the same files.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::scenario::schema;

#[test]
fn the_committed_schema_is_the_one_printed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/schema/scenario.schema.json");
    let committed = std::fs::read_to_string(&path).unwrap();
    let today = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    assert_eq!(
        committed.replace("\r\n", "\n"),
        today,
        "kmsproof schema scenario > reports/schema/scenario.schema.json"
    );
    jsonschema::draft7::meta::validate(&schema()).unwrap();
}

#[test]
fn every_good_file_is_valid() {
    let good: Vec<PathBuf> = ["scenarios", "tests/scenarios"].into_iter().flat_map(toml_files).collect();
    assert!(good.len() > 10, "{good:?}");
    for path in good {
        let source = std::fs::read_to_string(&path).unwrap();
        assert_eq!(complaints(&source), Vec::<String>::new(), "{}", path.display());
    }
}

/// Bad files the schema takes, and why it cannot see what is wrong.
const UNSEEN: &[(&str, &str)] = &[("syntax.toml", "it is no TOML")];

#[test]
fn every_bad_file_is_invalid_or_wrong_in_a_way_no_schema_sees() {
    let bad = toml_files("tests/scenarios_bad");
    let names: Vec<_> = bad.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert!(UNSEEN.iter().all(|(file, _)| names.iter().any(|name| name == file)), "{names:?}");
    for (path, name) in bad.iter().zip(names) {
        let source = std::fs::read_to_string(path).unwrap();
        let unseen = UNSEEN.iter().any(|(file, _)| *file == name);
        let is_seen = as_json(&source).is_some() && !complaints(&source).is_empty();
        assert_eq!(is_seen, !unseen, "{name}");
    }
}

#[test]
fn every_example_is_what_its_key_takes() {
    let schema = schema();
    let mut tables: Vec<(&str, &Value)> = vec![("a scenario", &schema)];
    tables.extend(schema["definitions"].as_object().unwrap().iter().map(|(name, table)| (name.as_str(), table)));
    let mut seen = 0;
    for (name, table) in tables {
        for (key, of) in table["properties"].as_object().unwrap() {
            let (_, example) = of["description"].as_str().unwrap().rsplit_once("For example: ").unwrap();
            // Groups and steps are written as tables of their own, and shown in the files.
            if example.starts_with('[') {
                continue;
            }
            let value = as_json(example).unwrap_or_else(|| panic!("{name}: {example}"))[key].clone();
            let mut alone = of.clone();
            alone["definitions"] = schema["definitions"].clone();
            let validator = jsonschema::draft7::new(&alone).unwrap();
            assert!(validator.is_valid(&value), "{name}: {example}");
            seen += 1;
        }
    }
    assert!(seen > 80, "{seen}");
}

/// What the schema has to say of a file; nothing of what is no TOML.
pub fn complaints(source: &str) -> Vec<String> {
    static SCHEMA: LazyLock<Validator> = LazyLock::new(|| jsonschema::draft7::new(&schema()).unwrap());
    let Some(file) = as_json(source) else { return Vec::new() };
    SCHEMA.iter_errors(&file).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn as_json(source: &str) -> Option<Value> {
    let table: toml::Table = source.strip_prefix('\u{feff}').unwrap_or(source).parse().ok()?;
    Some(json(toml::Value::Table(table)))
}

fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => json!(text),
        toml::Value::Integer(number) => json!(number),
        toml::Value::Float(number) => json!(number),
        toml::Value::Boolean(flag) => json!(flag),
        toml::Value::Datetime(date) => json!(date.to_string()),
        toml::Value::Array(values) => values.into_iter().map(json).collect(),
        toml::Value::Table(entries) => entries.into_iter().map(|(key, value)| (key, json(value))).collect(),
    }
}

fn toml_files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let files = entries.map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect()
}
