//! The language as a JSON Schema, for editors and for programs that write scenarios.

use serde_json::{Map, Value, json};

use super::form::{Form, Key, Shape};
use super::{FORM, NAME};

/// The JSON Schema (draft-07) of a scenario file, its TOML read as JSON, dates and times as text. It
/// takes every file the reader takes; what hangs together across tables, only the reader sees.
pub fn schema() -> Value {
    let mut schema = table(&FORM);
    schema.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
    schema.insert("title".to_owned(), json!("kmsproof scenario"));
    Value::Object(schema)
}

fn table(form: &Form) -> Map<String, Value> {
    let required: Vec<&str> = form.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    let properties: Map<String, Value> = form.keys.iter().map(|key| (key.name.to_owned(), described(key))).collect();
    let mut schema = object(json!({
        "type": "object",
        "description": form.doc,
        "properties": properties,
        "additionalProperties": false,
    }));
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    let together = |keys: &[&str]| json!({ "required": keys });
    let mut all = Vec::new();
    for alternatives in form.needs {
        all.push(json!({ "anyOf": alternatives.iter().map(|keys| together(keys)).collect::<Vec<_>>() }));
    }
    for keys in form.apart {
        for (number, first) in keys.iter().enumerate() {
            all.extend(keys[number + 1..].iter().map(|second| json!({ "not": together(&[first, second]) })));
        }
    }
    for (key, partners) in form.beside {
        let any: Vec<Value> = partners.iter().map(|partner| together(&[partner])).collect();
        all.push(json!({ "dependencies": { *key: { "anyOf": any } } }));
    }
    if !all.is_empty() {
        schema.insert("allOf".to_owned(), json!(all));
    }
    schema
}

fn described(key: &Key) -> Value {
    let mut schema = of(&key.shape);
    // A table's own sentence gives way to what the table is here.
    schema.insert("description".to_owned(), json!(format!("{} For example: {}", key.doc, key.example)));
    Value::Object(schema)
}

fn of(shape: &Shape) -> Map<String, Value> {
    object(match shape {
        Shape::Text => json!({ "type": "string" }),
        Shape::Match(pattern) => json!({ "type": "string", "pattern": pattern }),
        Shape::Words(words) => json!({ "enum": words }),
        Shape::Whole(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Table(form) => return table(form),
        Shape::Named(form) => json!({
            "type": "object",
            "propertyNames": { "pattern": NAME },
            "additionalProperties": table(form),
            "minProperties": 1,
        }),
        Shape::List(item, least, most) => {
            json!({ "type": "array", "items": of(item), "minItems": least, "maxItems": most })
        }
        Shape::OneOrMore(item) => {
            json!({ "anyOf": [of(item), { "type": "array", "items": of(item), "minItems": 1 }] })
        }
        Shape::Either(shapes) => json!({ "anyOf": shapes.iter().map(of).collect::<Vec<_>>() }),
    })
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        other => Map::from_iter([("const".to_owned(), other)]),
    }
}
