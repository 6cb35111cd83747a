//! What a schema may be made of: words that are checked, references that stay inside and end.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::SchemaFault;
use crate::model::Malformed;

/// The most subschemas with every reference written out: what one object is compared with at most,
/// and what keeps a short schema from being an endless one.
const PARTS_MAX: usize = 1000;

/// The formats that are checked. `regex` is not among them: what a client sends is not compiled.
const FORMATS: [&str; 13] = [
    "date",
    "date-time",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "json-pointer",
    "time",
    "uri",
    "uri-reference",
    "uri-template",
    "uuid",
];

/// Where subschemas are, by the words of JSON Schema 2020-12.
enum Holds {
    /// The value is one.
    One,
    /// It is a list of them.
    List,
    /// It is an object whose members are.
    Named,
    /// There are none.
    None,
}

/// The words that are known. Another one would check nothing, and a slip of the pen in a word is
/// not to open a type.
fn holds(word: &str) -> Option<Holds> {
    Some(match word {
        "additionalProperties"
        | "contains"
        | "else"
        | "if"
        | "items"
        | "not"
        | "propertyNames"
        | "then"
        | "unevaluatedItems"
        | "unevaluatedProperties" => Holds::One,
        "allOf" | "anyOf" | "oneOf" | "prefixItems" => Holds::List,
        "$defs" | "dependentSchemas" | "patternProperties" | "properties" => Holds::Named,
        "$comment" | "const" | "default" | "dependentRequired" | "deprecated" | "description"
        | "enum" | "examples" | "exclusiveMaximum" | "exclusiveMinimum" | "maxContains"
        | "maxItems" | "maxLength" | "maxProperties" | "maximum" | "minContains" | "minItems"
        | "minLength" | "minProperties" | "minimum" | "multipleOf" | "pattern" | "readOnly"
        | "required" | "title" | "type" | "uniqueItems" | "writeOnly" => Holds::None,
        _ => return None,
    })
}

/// Whether the schema is one that this service takes.
pub(super) fn check(schema: &Value) -> Result<(), SchemaFault> {
    let mut walk = Walk {
        root: schema,
        referred: BTreeMap::new(),
    };
    match walk.parts(schema, "")? {
        0..=PARTS_MAX => Ok(()),
        _ => Err(SchemaFault::all(Malformed::DetailsSchemaTooMuch)),
    }
}

struct Walk<'s> {
    root: &'s Value,
    /// How many parts what is referred to has; none while they are counted.
    referred: BTreeMap<&'s str, Option<usize>>,
}

impl<'s> Walk<'s> {
    /// How many parts a schema has, itself counted, every reference written out.
    fn parts(&mut self, schema: &'s Value, place: &str) -> Result<usize, SchemaFault> {
        let words = match schema {
            Value::Bool(_) => return Ok(1),
            Value::Object(words) => words,
            _ => return Err(SchemaFault::at(place, Malformed::DetailsSchema)),
        };
        let mut parts: usize = 1;
        for (word, value) in words {
            let here = format!("{place}/{word}");
            parts = parts.saturating_add(self.parts_of_word(word, value, &here)?);
        }
        Ok(parts)
    }

    fn parts_of_word(
        &mut self,
        word: &str,
        value: &'s Value,
        place: &str,
    ) -> Result<usize, SchemaFault> {
        match word {
            "$ref" => return self.reference(value, place),
            "$schema" => return dialect(value, place),
            "format" => return format(value, place),
            _ => {}
        }
        let wrong = |problem| SchemaFault::at(place, problem);
        let within: Vec<(String, &Value)> = match (holds(word), value) {
            (None, _) => return Err(wrong(Malformed::DetailsSchemaWord)),
            (Some(Holds::None), _) => Vec::new(),
            (Some(Holds::One), schema) => vec![(place.to_owned(), schema)],
            (Some(Holds::List), Value::Array(schemas)) => schemas
                .iter()
                .enumerate()
                .map(|(at, schema)| (format!("{place}/{at}"), schema))
                .collect(),
            (Some(Holds::Named), Value::Object(schemas)) => named(schemas, place),
            (Some(Holds::List | Holds::Named), _) => {
                return Err(wrong(Malformed::DetailsSchema));
            }
        };
        let mut parts: usize = 0;
        for (place, schema) in within {
            parts = parts.saturating_add(self.parts(schema, &place)?);
        }
        Ok(parts)
    }

    /// A reference stays in the schema (`#/…`), and following it ends.
    fn reference(&mut self, value: &'s Value, place: &str) -> Result<usize, SchemaFault> {
        let wrong = || SchemaFault::at(place, Malformed::DetailsSchemaReference);
        // Without percent-encoding there is one way to write each.
        let pointer = value
            .as_str()
            .and_then(|text| text.strip_prefix('#'))
            .filter(|pointer| pointer.starts_with('/') && !pointer.contains('%'))
            .ok_or_else(wrong)?;
        let target = self.root.pointer(pointer).ok_or_else(wrong)?;
        match self.referred.get(pointer) {
            Some(Some(parts)) => return Ok(*parts),
            // It leads back to itself.
            Some(None) => return Err(wrong()),
            None => {}
        }
        self.referred.insert(pointer, None);
        let parts = self.parts(target, pointer)?;
        self.referred.insert(pointer, Some(parts));
        Ok(parts)
    }
}

fn named<'s>(schemas: &'s Map<String, Value>, place: &str) -> Vec<(String, &'s Value)> {
    schemas
        .iter()
        .map(|(name, schema)| (format!("{place}/{name}"), schema))
        .collect()
}

/// Another dialect has other words.
fn dialect(value: &Value, place: &str) -> Result<usize, SchemaFault> {
    match value.as_str() {
        Some("https://json-schema.org/draft/2020-12/schema") => Ok(0),
        _ => Err(SchemaFault::at(place, Malformed::DetailsSchemaDialect)),
    }
}

fn format(value: &Value, place: &str) -> Result<usize, SchemaFault> {
    match value.as_str() {
        Some(name) if FORMATS.contains(&name) => Ok(0),
        _ => Err(SchemaFault::at(place, Malformed::DetailsSchemaFormat)),
    }
}
