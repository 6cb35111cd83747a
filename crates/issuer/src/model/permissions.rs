//! Which scopes of which resources.

use std::collections::BTreeMap;

use super::{ResourceUri, Scopes};

/// Scopes by resource: what a client may ask for, or what was granted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Permissions(BTreeMap<ResourceUri, Scopes>);

impl Permissions {
    /// The resources with their scopes, by URI.
    pub fn iter(&self) -> impl Iterator<Item = (&ResourceUri, &Scopes)> {
        self.0.iter()
    }

    /// The resources, in order.
    pub fn resources(&self) -> impl Iterator<Item = &ResourceUri> {
        self.0.keys()
    }

    /// The scopes at one resource.
    pub fn at(&self, resource: &ResourceUri) -> Option<&Scopes> {
        self.0.get(resource)
    }

    /// How many resources there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no resource.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The scopes at all resources together.
    pub fn scopes(&self) -> Scopes {
        let mut all = Scopes::default();
        self.0.values().for_each(|scopes| all.absorb(scopes));
        all
    }

    /// Whether every scope of every resource here is one of `others` there.
    pub fn is_within(&self, others: &Self) -> bool {
        self.iter()
            .all(|(uri, scopes)| others.at(uri).is_some_and(|at| scopes.is_within(at)))
    }
}

impl FromIterator<(ResourceUri, Scopes)> for Permissions {
    fn from_iter<I: IntoIterator<Item = (ResourceUri, Scopes)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}
