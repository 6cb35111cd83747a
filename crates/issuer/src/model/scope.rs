//! Scopes (RFC 6749 §3.3).

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::Malformed;

/// The most scopes that a request, a token or a resource has: more than anybody reads, few enough
/// that comparing sets costs nothing.
pub const SCOPES_MAX: usize = 100;

/// The most bytes of the scopes of one token together. With the longest names in every other
/// claim it still fits what a guard takes, 8 KiB.
pub const SCOPE_CLAIM_BYTES_MAX: usize = 2048;

/// One scope.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Scope(Arc<str>);

/// A set of at most [`SCOPES_MAX`] scopes, in order. Displays as the `scope` claim has it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scopes(BTreeSet<Scope>);

impl Scope {
    /// Reads 1 to 128 characters of RFC 6749 §3.3.
    ///
    /// # Errors
    /// [`Malformed::Scope`].
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if (1..=128).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.into()))
        } else {
            Err(Malformed::Scope)
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Scopes {
    /// Reads a list. A scope that is listed twice is there once.
    ///
    /// # Errors
    /// [`Malformed::TooManyScopes`] before any is read, and [`Malformed::Scope`].
    pub fn parse(texts: &[impl AsRef<str>]) -> Result<Self, Malformed> {
        if texts.len() > SCOPES_MAX {
            return Err(Malformed::TooManyScopes);
        }
        texts
            .iter()
            .map(|text| Scope::parse(text.as_ref()))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Reads the form of the `scope` claim (RFC 8693 §4.2): separated by single spaces.
    ///
    /// # Errors
    /// As [`Scopes::parse`].
    pub fn parse_claim(text: &str) -> Result<Self, Malformed> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let texts: Vec<&str> = text.split(' ').take(SCOPES_MAX + 1).collect();
        Self::parse(&texts)
    }

    /// The scopes, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
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

    /// How long the `scope` claim is.
    pub fn claim_bytes(&self) -> usize {
        let spaces = self.0.len().saturating_sub(1);
        self.0.iter().map(|scope| scope.0.len()).sum::<usize>() + spaces
    }

    /// Whether `scope` is one of them.
    pub fn contains(&self, scope: &Scope) -> bool {
        self.0.contains(scope)
    }

    /// Whether all of these are among `others`.
    pub fn is_within(&self, others: &Self) -> bool {
        self.0.is_subset(&others.0)
    }

    /// Those that are also among `others`.
    #[must_use]
    pub fn common(&self, others: &Self) -> Self {
        Self(self.0.intersection(&others.0).cloned().collect())
    }

    /// Adds all of `others`. The limit is the caller's: it holds for what is read, not for what
    /// several resources add up to.
    pub(crate) fn absorb(&mut self, others: &Self) {
        self.0.extend(others.0.iter().cloned());
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, scope) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            f.write_str(&scope.0)?;
        }
        Ok(())
    }
}
