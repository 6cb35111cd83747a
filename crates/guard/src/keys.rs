//! The issuer's keys: fetched, refreshed, and kept when they cannot be.

mod file;
mod ring;
mod source;
mod watch;

use countersign_jose::{Algorithm, Jwks, RegisteredKey, Thumbprint};

pub(crate) use self::file::KeySetFile;
pub(crate) use self::ring::{Fetched, KeyRing};
pub(crate) use self::source::TokenServiceKeys;
#[cfg(feature = "fuzz")]
pub(crate) use self::source::published;
pub use self::source::{KeySource, KeysTold, KeysUnavailable, KeysWatched, PublishedKeys};

/// A key set, with its thumbprints computed once.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct KeySet {
    jwks: Jwks,
    thumbprints: Vec<Thumbprint>,
}

impl KeySet {
    pub(crate) fn new(jwks: Jwks) -> Self {
        let thumbprints = jwks
            .keys()
            .iter()
            .map(|key| key.key().thumbprint())
            .collect();
        Self { jwks, thumbprints }
    }

    /// The key of this name, if it makes such signatures.
    pub(crate) fn choose(
        &self,
        kid: &str,
        algorithm: Algorithm,
    ) -> Option<(&RegisteredKey, Thumbprint)> {
        let key = self.jwks.choose(Some(kid), algorithm)?;
        let at = self
            .jwks
            .keys()
            .iter()
            .position(|known| std::ptr::eq(known, key))?;
        Some((key, self.thumbprints[at]))
    }

    /// Whether a key is in the set.
    pub(crate) fn holds(&self, key: &Thumbprint) -> bool {
        self.thumbprints.contains(key)
    }

    pub(crate) fn jwks(&self) -> &Jwks {
        &self.jwks
    }
}
