//! The keys that handles are made and checked with.

use std::fmt;

use aws_lc_rs::hmac;

/// Names a MAC key in the handles made with it. Displays as eight hexadecimal digits.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MacKeyId([u8; 4]);

/// A key for HMAC-SHA-256. Not shown by `Debug`.
#[derive(Clone)]
pub struct MacKey {
    id: MacKeyId,
    key: hmac::Key,
}

/// The key that makes handles, and those that still check them.
#[derive(Clone, Debug)]
pub struct MacKeys {
    active: MacKey,
    retiring: Vec<MacKey>,
}

impl MacKeyId {
    /// The identifier of these bytes.
    pub const fn new(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }
}

impl MacKey {
    /// The key made of 32 random bytes.
    pub fn new(id: MacKeyId, secret: &[u8; 32]) -> Self {
        Self {
            id,
            key: hmac::Key::new(hmac::HMAC_SHA256, secret),
        }
    }

    /// Its name.
    pub const fn id(&self) -> MacKeyId {
        self.id
    }

    pub(super) fn mac(&self, covered: &[u8]) -> hmac::Tag {
        hmac::sign(&self.key, covered)
    }

    /// In constant time.
    pub(super) fn verifies(&self, covered: &[u8], mac: &[u8]) -> bool {
        hmac::verify(&self.key, covered, mac).is_ok()
    }
}

impl MacKeys {
    /// The active key, and those that only check: each as long as the longest family lives.
    pub const fn new(active: MacKey, retiring: Vec<MacKey>) -> Self {
        Self { active, retiring }
    }

    /// The key that makes handles.
    pub const fn active(&self) -> &MacKey {
        &self.active
    }

    /// The key of that name.
    pub fn key(&self, id: MacKeyId) -> Option<&MacKey> {
        self.all().find(|key| key.id == id)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &MacKey> {
        std::iter::once(&self.active).chain(&self.retiring)
    }
}

impl fmt::Display for MacKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MacKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
