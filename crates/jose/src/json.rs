//! Strict JSON: what two readers might understand differently is refused.
//!
//! RFC 7515 §4 and RFC 7519 §4 let a reader refuse duplicate members; here it always does, at
//! every depth, and by the name after unescaping (`"\u0061lg"` is `"alg"`). So is a byte order
//! mark, a NUL in any spelling, invalid UTF-8, and anything after the value.

mod read;

use std::borrow::Cow;

use serde::de::DeserializeOwned;

/// Deeper than any header or claims set needs, shallow enough that recursion costs nothing.
pub const DEPTH_MAX: usize = 16;

/// Why a text is not the JSON it should be.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum JsonError {
    /// Not JSON: syntax, encoding, trailing data, a number out of range.
    #[error("not well-formed JSON")]
    Malformed,
    /// An object names a member twice.
    #[error("a member appears twice")]
    DuplicateMember,
    /// Nested deeper than [`DEPTH_MAX`].
    #[error("nested too deeply")]
    TooDeep,
    /// A string holds U+0000.
    #[error("a string holds a NUL")]
    Nul,
    /// The text is JSON, but not an object.
    #[error("not a JSON object")]
    NotAnObject,
    /// The text is JSON, but not an array.
    #[error("not a JSON array")]
    NotAnArray,
    /// The object does not have the members that were expected of it.
    #[error("a member is missing or of the wrong type")]
    WrongShape,
}

/// A JSON value that borrows its strings where it can.
#[derive(Clone, PartialEq, Debug)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// Any number
    Number(Number),
    /// A string, unescaped
    Text(Cow<'a, str>),
    /// An array
    List(Vec<Value<'a>>),
    /// An object
    Object(Object<'a>),
}

/// A JSON number as it was read.
#[derive(Copy, Clone, PartialEq, Debug)]
pub enum Number {
    /// A whole number that is not negative.
    Whole(u64),
    /// A whole number below zero.
    Negative(i64),
    /// Written with a fraction or an exponent, or too large for the others. Always finite.
    Float(f64),
}

/// A JSON object without duplicate members.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Object<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

impl<'a> Object<'a> {
    /// The member of that name.
    pub fn member(&self, name: &str) -> Option<&Value<'a>> {
        self.members()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// All members in the order in which they were written.
    pub fn members(&self) -> impl Iterator<Item = (&str, &Value<'a>)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value))
    }
}

impl Object<'_> {
    /// The same as `serde_json`'s map.
    pub fn into_map(self) -> serde_json::Map<String, serde_json::Value> {
        self.0
            .into_iter()
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect()
    }
}

impl Value<'_> {
    /// The string, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The same as `serde_json`'s value.
    pub fn into_owned(self) -> serde_json::Value {
        match self {
            Value::Null => serde_json::Value::Null,
            Value::Bool(bool) => serde_json::Value::Bool(bool),
            Value::Number(Number::Whole(number)) => number.into(),
            Value::Number(Number::Negative(number)) => number.into(),
            Value::Number(Number::Float(number)) => number.into(),
            Value::Text(text) => serde_json::Value::String(text.into_owned()),
            Value::List(items) => items.into_iter().map(Value::into_owned).collect(),
            Value::Object(object) => serde_json::Value::Object(object.into_map()),
        }
    }
}

/// Reads a JSON object, strictly, borrowing from `bytes`.
///
/// # Errors
/// See [`JsonError`].
pub fn object(bytes: &[u8]) -> Result<Object<'_>, JsonError> {
    match read::value(bytes)? {
        Value::Object(object) => Ok(object),
        _ => Err(JsonError::NotAnObject),
    }
}

/// Reads a JSON array, strictly, borrowing from `bytes`.
///
/// # Errors
/// See [`JsonError`].
pub fn array(bytes: &[u8]) -> Result<Vec<Value<'_>>, JsonError> {
    match read::value(bytes)? {
        Value::List(items) => Ok(items),
        _ => Err(JsonError::NotAnArray),
    }
}

/// Reads a JSON object, strictly, into `serde_json`'s map.
///
/// # Errors
/// See [`JsonError`].
pub fn parse_object(bytes: &[u8]) -> Result<serde_json::Map<String, serde_json::Value>, JsonError> {
    Ok(object(bytes)?.into_map())
}

/// Reads a JSON object, strictly, into a type of the caller.
///
/// # Errors
/// See [`JsonError`]; [`JsonError::WrongShape`] where `T` does not fit.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    let map = parse_object(bytes)?;
    serde_json::from_value(serde_json::Value::Object(map)).map_err(|_| JsonError::WrongShape)
}
