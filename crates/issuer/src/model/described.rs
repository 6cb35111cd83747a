//! What scopes allow, in plain words: for people who are asked whether they allow it.

use std::collections::BTreeMap;
use std::fmt;

use super::{Malformed, ResourceUri, Scope, Scopes};

/// A sentence or two.
const CHARS_MAX: usize = 200;

/// What a scope allows, as the people who run the resource word it. Never empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScopeDescription(String);

/// The descriptions of some of a resource's scopes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ScopeDescriptions(BTreeMap<Scope, ScopeDescription>);

/// A scope at a resource that has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScopeAt {
    /// The resource.
    pub resource: ResourceUri,
    /// The scope.
    pub scope: Scope,
    /// What the resource says that it allows.
    pub description: Option<ScopeDescription>,
}

impl ScopeDescription {
    /// Reads 1 to 200 characters, none of them a control character.
    ///
    /// # Errors
    /// [`Malformed::Missing`] and [`Malformed::ScopeDescription`].
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text.is_empty() {
            return Err(Malformed::Missing);
        }
        // Bytes first: counting the characters of a megabyte is work for nothing.
        let fits = text.len() <= 4 * CHARS_MAX && text.chars().count() <= CHARS_MAX;
        if fits && !text.contains(char::is_control) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Malformed::ScopeDescription)
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ScopeDescriptions {
    /// That of one scope.
    pub fn of(&self, scope: &Scope) -> Option<&ScopeDescription> {
        self.0.get(scope)
    }

    /// Scopes and their descriptions, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Scope, &ScopeDescription)> {
        self.0.iter()
    }

    /// Whether all of them are of these scopes.
    pub(crate) fn are_of(&self, scopes: &Scopes) -> bool {
        self.0.keys().all(|scope| scopes.contains(scope))
    }

    /// Without those of other scopes than these.
    pub(crate) fn retain(&mut self, scopes: &Scopes) {
        self.0.retain(|scope, _| scopes.contains(scope));
    }
}

impl FromIterator<(Scope, ScopeDescription)> for ScopeDescriptions {
    fn from_iter<I: IntoIterator<Item = (Scope, ScopeDescription)>>(described: I) -> Self {
        Self(described.into_iter().collect())
    }
}

impl fmt::Display for ScopeDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
