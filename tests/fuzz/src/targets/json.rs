//! `jose`: strict JSON, beside a lenient reader.

use countersign_jose::json;
use serde_json::{Map, Value};

pub fn check(input: &[u8]) {
    let Ok(strict) = json::parse_object(input) else {
        return;
    };
    let lenient: Map<String, Value> =
        serde_json::from_slice(input).expect("what is strict JSON is JSON");
    assert_eq!(strict, lenient, "two readers understand the same");
    let written = serde_json::to_vec(&strict).expect("it was read");
    let again = json::parse_object(&written).expect("it was just written");
    // The reader's floats may be one unit off in the last place; nobody here compares any.
    assert_eq!(wholly(again.into()), wholly(strict.clone().into()));
    // A member said twice is refused, however it is written.
    if let Some((name, _)) = strict.iter().next() {
        let escaped: String = name
            .encode_utf16()
            .map(|unit| format!("\\u{unit:04x}"))
            .collect();
        let mut twice = written;
        twice.pop();
        twice.extend(format!(",\"{escaped}\":0}}").bytes());
        assert_eq!(
            json::parse_object(&twice),
            Err(json::JsonError::DuplicateMember)
        );
    }
}

/// The value without its floats.
fn wholly(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => Value::Null,
        Value::Array(items) => items.into_iter().map(wholly).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| (name, wholly(value)))
            .collect(),
        other => other,
    }
}
