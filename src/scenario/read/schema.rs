//! The language as a JSON Schema, for editors and for programs that write scenarios.

use serde_json::{Map, Value, json};

use super::form::{Form, Key, Shape};
use super::{FORM, NAME};

/// The JSON Schema (draft-07) of a scenario file, its TOML read as JSON, dates and times as text. It
/// takes every file the reader takes; what hangs together across tables, only the reader sees.
pub fn schema() -> Value {
    let mut definitions = Map::new();
    let mut schema = table(&FORM, &mut definitions);
    schema.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
    schema.insert("title".to_owned(), json!("kmsproof scenario"));
    schema.insert("definitions".to_owned(), Value::Object(definitions));
    Value::Object(schema)
}

fn table(form: &Form, definitions: &mut Map<String, Value>) -> Map<String, Value> {
    let mut properties = Map::new();
    for key in form.keys {
        properties.insert(key.name.to_owned(), described(key, definitions));
    }
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("description".to_owned(), json!(form.doc));
    schema.insert("properties".to_owned(), Value::Object(properties));
    schema.insert("additionalProperties".to_owned(), json!(false));
    let required: Vec<&str> = form.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    let rules = rules(form);
    if !rules.is_empty() {
        schema.insert("allOf".to_owned(), Value::Array(rules));
    }
    schema
}

/// Which keys of a table go together, and which do not.
fn rules(form: &Form) -> Vec<Value> {
    let there = |keys: &[&str]| json!({ "required": keys });
    let mut rules = Vec::new();
    for alternatives in form.needs {
        let any: Vec<Value> = alternatives.iter().map(|keys| there(keys)).collect();
        rules.push(json!({ "anyOf": any }));
    }
    for keys in form.apart {
        for (number, first) in keys.iter().enumerate() {
            rules.extend(keys[number + 1..].iter().map(|second| json!({ "not": there(&[first, second]) })));
        }
    }
    for key in form.alone {
        rules.push(json!({ "dependencies": { *key: { "maxProperties": 1 } } }));
    }
    for (key, partners) in form.beside {
        let any: Vec<Value> = partners.iter().map(|partner| there(&[partner])).collect();
        rules.push(json!({ "dependencies": { *key: { "anyOf": any } } }));
    }
    rules
}

fn described(key: &Key, definitions: &mut Map<String, Value>) -> Value {
    let description = format!("{} For example: {}", key.doc, key.example);
    match of(&key.shape, definitions) {
        // What stands beside a reference is passed over (draft-07, 8.3).
        reference if reference.get("$ref").is_some() => json!({ "description": description, "allOf": [reference] }),
        mut schema => {
            schema["description"] = json!(description);
            schema
        }
    }
}

fn of(shape: &Shape, definitions: &mut Map<String, Value>) -> Value {
    match shape {
        Shape::Text => json!({ "type": "string" }),
        Shape::Match(pattern) => json!({ "type": "string", "pattern": pattern }),
        Shape::Words(words) => json!({ "enum": words }),
        Shape::Whole(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Table(form) => reference(form, definitions),
        Shape::Named(form) => json!({
            "type": "object",
            "propertyNames": { "pattern": NAME },
            "additionalProperties": reference(form, definitions),
            "minProperties": 1,
        }),
        Shape::List(item, least, most) => {
            json!({ "type": "array", "items": of(item, definitions), "minItems": least, "maxItems": most })
        }
        Shape::OneOrMore(item) => {
            let item = of(item, definitions);
            json!({ "anyOf": [item, { "type": "array", "items": item, "minItems": 1 }] })
        }
        Shape::Either(shapes) => {
            let any: Vec<Value> = shapes.iter().map(|shape| of(shape, definitions)).collect();
            json!({ "anyOf": any })
        }
    }
}

/// A table by its name, which is told of once.
fn reference(form: &Form, definitions: &mut Map<String, Value>) -> Value {
    let name = form.what.trim_start_matches("a ").replace('`', "").replace(' ', "-");
    if !definitions.contains_key(&name) {
        let table = table(form, definitions);
        definitions.insert(name.clone(), Value::Object(table));
    }
    json!({ "$ref": format!("#/definitions/{name}") })
}
