//! Authorization details (RFC 9396): what a token allows beyond its scopes, object by object.

mod fault;
mod granted;
mod schema;
mod types;

use std::fmt;
use std::sync::Arc;

use countersign_jose::json::{self, Value};
use serde::{Serialize, Serializer};

use super::ResourceUri;

pub use fault::{DetailsCause, DetailsFault};
pub use granted::{GrantedDetail, GrantedDetails};
pub use schema::{DetailsSchema, SCHEMA_BYTES_MAX, SchemaFault};
pub use types::{DETAILS_TYPES_MAX, DetailsType, PermittedTypes, RegisteredTypes};

/// The most objects of one request: a consent that lists more is not read.
pub const DETAILS_MAX: usize = 16;

/// The most bytes that all of them have as JSON. They stand in every JWT, and a guard takes one of
/// 8 KiB with all that it says.
pub const DETAILS_BYTES_MAX: usize = 4096;

/// How deep an object may be nested, itself counted. A token nests it two deeper, and readers of
/// tokens stop at 16.
pub const DETAIL_DEPTH_MAX: usize = 8;

/// One object: its `type` says what the others of its members mean (RFC 9396 §2).
///
/// Never changed after it was read; compared as a JSON value. Not shown by `Debug`: it may name
/// accounts and patients.
#[derive(Clone, PartialEq, Eq)]
pub struct Detail(Arc<Object>);

#[derive(PartialEq, Eq)]
struct Object {
    kind: DetailsType,
    locations: Option<Vec<ResourceUri>>,
    /// Always an object.
    value: serde_json::Value,
}

/// Several objects, each once, in the order in which they were asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Details(Vec<Detail>);

impl Detail {
    /// Its `type`.
    pub fn kind(&self) -> &DetailsType {
        &self.0.kind
    }

    /// Where it counts, if it says so: `locations` (RFC 9396 §2.2).
    pub fn locations(&self) -> Option<&[ResourceUri]> {
        self.0.locations.as_deref()
    }

    /// Whether it would count at that resource, were it in a token for it.
    pub(crate) fn counts_at(&self, uri: &ResourceUri) -> bool {
        self.locations().is_none_or(|named| named.contains(uri))
    }

    /// The object.
    pub(crate) fn value(&self) -> &serde_json::Value {
        &self.0.value
    }

    /// The object as JSON.
    pub fn to_json(&self) -> String {
        self.value().to_string()
    }

    /// Reads one object from JSON.
    ///
    /// # Errors
    /// As [`Details::parse`], about an object without a number.
    pub fn parse(text: &str) -> Result<Self, DetailsFault> {
        let object =
            json::object(text.as_bytes()).map_err(|rule| DetailsFault::all(rule.into()))?;
        read(Value::Object(object))
            .map_err(|(pointer, cause)| DetailsFault::all(cause).at(&pointer))
    }
}

impl Details {
    /// Reads a JSON array of objects, strictly: a member that stands twice, say, is refused at any
    /// depth, since two readers may take one each. An empty text is none.
    ///
    /// # Errors
    /// What is wrong first, with the number of the object and the place in it.
    pub fn parse(text: &str) -> Result<Self, DetailsFault> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        if text.len() > DETAILS_BYTES_MAX {
            return Err(DetailsFault::all(DetailsCause::TooLong));
        }
        let items = json::array(text.as_bytes()).map_err(|rule| DetailsFault::all(rule.into()))?;
        Self::read(items)
    }

    /// Reads the items of a JSON array.
    ///
    /// # Errors
    /// As [`Details::parse`].
    pub fn read(items: Vec<Value<'_>>) -> Result<Self, DetailsFault> {
        if items.len() > DETAILS_MAX {
            return Err(DetailsFault::all(DetailsCause::TooMany));
        }
        let mut details: Vec<Detail> = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let detail = read(item)
                .map_err(|(pointer, cause)| DetailsFault::of(index, cause).at(&pointer))?;
            if details.contains(&detail) {
                return Err(DetailsFault::of(index, DetailsCause::Twice));
            }
            details.push(detail);
        }
        let details = Self(details);
        // Numbers may be longer than they were written: 1e15.
        if details.to_json().len() > DETAILS_BYTES_MAX {
            return Err(DetailsFault::all(DetailsCause::TooLong));
        }
        Ok(details)
    }

    /// The objects.
    pub fn iter(&self) -> impl Iterator<Item = &Detail> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As JSON; empty without any.
    pub fn to_json(&self) -> String {
        if self.is_empty() {
            return String::new();
        }
        serde_json::to_string(self).expect("JSON values are always written")
    }
}

impl FromIterator<Detail> for Details {
    fn from_iter<I: IntoIterator<Item = Detail>>(details: I) -> Self {
        Self(details.into_iter().collect())
    }
}

impl Serialize for Detail {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

impl fmt::Debug for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Detail({}, ..)", self.kind())
    }
}

/// Reads one object: what this service itself understands of it. What it may hold besides, its
/// type's schema says.
fn read(item: Value<'_>) -> Result<Detail, (String, DetailsCause)> {
    let whole = String::new;
    let Value::Object(object) = &item else {
        return Err((whole(), DetailsCause::NotAnObject));
    };
    if depth(&item) > DETAIL_DEPTH_MAX {
        return Err((whole(), DetailsCause::TooDeep));
    }
    // RFC 9396 §2: the one member that there must be.
    let kind = object
        .member("type")
        .and_then(Value::text)
        .and_then(|text| DetailsType::parse(text).ok())
        .ok_or_else(|| ("/type".to_owned(), DetailsCause::Type))?;
    // RFC 9396 §2.2: an array of strings, here of resources.
    let locations = match object.member("locations") {
        None => None,
        Some(Value::List(listed)) if !listed.is_empty() => {
            let uri = |(at, value): (usize, &Value<'_>)| {
                value
                    .text()
                    .and_then(|text| ResourceUri::parse(text).ok())
                    .ok_or_else(|| (format!("/locations/{at}"), DetailsCause::Location))
            };
            Some(
                listed
                    .iter()
                    .enumerate()
                    .map(uri)
                    .collect::<Result<_, _>>()?,
            )
        }
        Some(_) => return Err(("/locations".to_owned(), DetailsCause::Location)),
    };
    Ok(Detail(Arc::new(Object {
        kind,
        locations,
        value: item.into_owned(),
    })))
}

/// How deep a value is nested. As deep as the reader of JSON allows at most.
fn depth(value: &Value<'_>) -> usize {
    let deepest = match value {
        Value::List(items) => items.iter().map(depth).max(),
        Value::Object(object) => object.members().map(|(_, value)| depth(value)).max(),
        _ => return 0,
    };
    deepest.unwrap_or_default() + 1
}
