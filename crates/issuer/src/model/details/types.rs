//! Types of authorization details: those of a resource, and those that a client may ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::DetailsSchema;
use crate::model::{Malformed, ResourceUri};

/// The most types of one resource.
pub const DETAILS_TYPES_MAX: usize = 8;

/// The name of a type (RFC 9396 §2.1), which may be a URI. Compared character for character.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DetailsType(Arc<str>);

/// The types of a resource, each with the schema of its objects.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RegisteredTypes(BTreeMap<DetailsType, DetailsSchema>);

/// The types that a client may ask for, by resource.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PermittedTypes(BTreeMap<ResourceUri, BTreeSet<DetailsType>>);

impl DetailsType {
    /// Reads 1 to 128 printable ASCII characters other than space, `"` and `\`.
    ///
    /// # Errors
    /// [`Malformed::DetailsType`].
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if (1..=128).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.into()))
        } else {
            Err(Malformed::DetailsType)
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl RegisteredTypes {
    /// The types with their schemas, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&DetailsType, &DetailsSchema)> {
        self.0.iter()
    }

    /// The schema of that type's objects.
    pub fn schema(&self, kind: &DetailsType) -> Option<&DetailsSchema> {
        self.0.get(kind)
    }
}

impl PermittedTypes {
    /// The types at each resource, by URI.
    pub fn iter(&self) -> impl Iterator<Item = (&ResourceUri, &BTreeSet<DetailsType>)> {
        self.0.iter()
    }

    /// The types at one resource.
    pub fn at(&self, resource: &ResourceUri) -> impl Iterator<Item = &DetailsType> {
        self.0.get(resource).into_iter().flatten()
    }

    /// Whether that type is one of those at that resource.
    pub fn allows(&self, resource: &ResourceUri, kind: &DetailsType) -> bool {
        self.0.get(resource).is_some_and(|at| at.contains(kind))
    }
}

impl FromIterator<(DetailsType, DetailsSchema)> for RegisteredTypes {
    fn from_iter<I: IntoIterator<Item = (DetailsType, DetailsSchema)>>(types: I) -> Self {
        Self(types.into_iter().collect())
    }
}

/// A resource without a type is left out.
impl FromIterator<(ResourceUri, BTreeSet<DetailsType>)> for PermittedTypes {
    fn from_iter<I: IntoIterator<Item = (ResourceUri, BTreeSet<DetailsType>)>>(entries: I) -> Self {
        let entries = entries.into_iter().filter(|(_, types)| !types.is_empty());
        Self(entries.collect())
    }
}

impl fmt::Display for DetailsType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
