//! JSON Schemas (2020-12) of types: read and compiled once, when a type is registered or first
//! used after it was read from the store.

mod shape;

use std::fmt;
use std::sync::{Arc, OnceLock};

use countersign_jose::json;
use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use serde_json::{Value, json};

use super::fault::tellable;
use super::{Detail, DetailsCause, DetailsType};
use crate::model::Malformed;

/// The most bytes of one schema. With as many types as a resource may have it still fits one
/// message.
pub const SCHEMA_BYTES_MAX: usize = 4096;

/// The most bytes that a compiled pattern takes, and as many for matching: one that repeats
/// repetitions is told so when it is registered.
const PATTERN_BYTES_MAX: usize = 1024 * 1024;

/// What the objects of a type are.
#[derive(Clone)]
pub struct DetailsSchema(Arc<Inner>);

struct Inner {
    kind: DetailsType,
    text: Box<str>,
    /// None where it cannot be compiled, which a text that was registered can.
    compiled: OnceLock<Option<Validator>>,
}

/// What is wrong with a schema, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SchemaFault {
    /// The place in the schema, as a JSON pointer (RFC 6901); empty for all of it.
    pub pointer: String,
    /// The rule that it breaks.
    pub problem: Malformed,
}

impl DetailsSchema {
    /// Reads and compiles the schema of the objects of that type. It is a JSON object of JSON
    /// Schema 2020-12; nothing that it refers to lies outside of it, and nothing in it is left
    /// unchecked because nobody knows the word.
    ///
    /// # Errors
    /// What is wrong first, with its place.
    pub fn parse(kind: &DetailsType, text: &str) -> Result<Self, SchemaFault> {
        if text.len() > SCHEMA_BYTES_MAX {
            return Err(SchemaFault::all(Malformed::DetailsSchemaTooLong));
        }
        let schema = read(text)?;
        shape::check(&schema)?;
        let compiled = compile(kind, schema)?;
        Ok(Self::new(kind, text, OnceLock::from(Some(compiled))))
    }

    /// A schema that was registered: compiled when it is first used.
    pub fn registered(kind: &DetailsType, text: &str) -> Self {
        Self::new(kind, text, OnceLock::new())
    }

    fn new(kind: &DetailsType, text: &str, compiled: OnceLock<Option<Validator>>) -> Self {
        Self(Arc::new(Inner {
            kind: kind.clone(),
            text: text.into(),
            compiled,
        }))
    }

    /// The schema as it was registered.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Whether an object is what the schema says. What is wrong first, with its place.
    pub(crate) fn check(&self, detail: &Detail) -> Result<(), (String, DetailsCause)> {
        let compiled = self.0.compiled.get_or_init(|| {
            let schema = read(&self.0.text).ok()?;
            compile(&self.0.kind, schema).ok()
        });
        let Some(validator) = compiled else {
            return Err((String::new(), DetailsCause::SchemaUnusable));
        };
        validator
            .validate(detail.value())
            .map_err(|error| broken(&error))
    }
}

/// The text says all of a schema.
impl PartialEq for DetailsSchema {
    fn eq(&self, other: &Self) -> bool {
        self.0.kind == other.0.kind && self.0.text == other.0.text
    }
}

impl Eq for DetailsSchema {}

impl fmt::Debug for DetailsSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DetailsSchema({})", self.0.kind)
    }
}

impl SchemaFault {
    fn all(problem: Malformed) -> Self {
        Self::at("", problem)
    }

    fn at(pointer: &str, problem: Malformed) -> Self {
        Self {
            pointer: tellable(pointer),
            problem,
        }
    }
}

fn read(text: &str) -> Result<Value, SchemaFault> {
    json::parse_object(text.as_bytes())
        .map(Value::Object)
        .map_err(|rule| SchemaFault::all(Malformed::DetailsSchemaJson(rule)))
}

/// RFC 9396 §5: a field that the type does not have is refused. So a schema that does not say what
/// becomes of members that it does not name has none of them; and `type`, which every object has,
/// it need not name.
fn compile(kind: &DetailsType, mut schema: Value) -> Result<Validator, SchemaFault> {
    let unnamed = ["additionalProperties", "unevaluatedProperties"];
    if unnamed.into_iter().all(|word| schema.get(word).is_none()) {
        schema["unevaluatedProperties"] = false.into();
    }
    if schema.get("properties").is_none() {
        schema["properties"] = json!({});
    }
    if schema["properties"].get("type").is_none() {
        schema["properties"]["type"] = json!({"const": kind.as_str()});
    }
    let patterns = PatternOptions::regex()
        .size_limit(PATTERN_BYTES_MAX)
        .dfa_size_limit(PATTERN_BYTES_MAX);
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_pattern_options(patterns)
        .should_validate_formats(true)
        .should_ignore_unknown_formats(false)
        .offline()
        .build(&schema)
        .map_err(|error| {
            let pointer = error.instance_path().as_str();
            SchemaFault::at(pointer, Malformed::DetailsSchema)
        })
}

/// Which keyword was broken, and where. A member too many is told by its name.
fn broken(error: &ValidationError<'_>) -> (String, DetailsCause) {
    let place = error.instance_path().as_str();
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let name = unexpected.first().map_or("", String::as_str);
            // A name with a `/` in it is not told, rather than taken for two.
            let name = name.replace('/', "~1");
            (format!("{place}/{name}"), DetailsCause::UnknownMember)
        }
        kind => (
            place.to_owned(),
            DetailsCause::Schema(kind.keyword().into()),
        ),
    }
}
