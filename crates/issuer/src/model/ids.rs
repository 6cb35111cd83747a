//! Identifiers that are numbers or random bytes.

use std::fmt;

use countersign_jose::{NotBase64Url, base64url};

use super::Malformed;

/// Names a record that a handle points to: 128 random bits. Displays as base64url.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RecordId([u8; 16]);

/// Names a family: the record that its refresh tokens point to (`fam`).
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FamilyId(RecordId);

/// Names an access token (`jti`): 128 random bits. Displays as base64url. A reference token's is
/// also the name of the record that its handle points to.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TokenId([u8; 16]);

/// How often a family was rotated before the refresh token was made.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Generation(u32);

/// How often the store was restored from a backup. Families of an earlier epoch are dead, since
/// nobody knows what happened to them after the backup.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Epoch(u32);

impl RecordId {
    /// The identifier of these bytes: random ones for a new record.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl FamilyId {
    /// The family of that record.
    pub const fn new(record: RecordId) -> Self {
        Self(record)
    }

    /// Reads the form that answers and the claim `fam` have.
    ///
    /// # Errors
    /// [`Malformed::FamilyId`].
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let bytes = base64url::decode_array(text).map_err(|_| Malformed::FamilyId)?;
        Ok(Self(RecordId(bytes)))
    }

    /// Its record.
    pub const fn record(self) -> RecordId {
        self.0
    }
}

impl TokenId {
    /// The identifier of these 16 random bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The access token of that record.
    pub const fn of_record(record: RecordId) -> Self {
        Self(record.0)
    }

    /// The record that a handle of this token points to.
    pub const fn record(self) -> RecordId {
        RecordId(self.0)
    }

    /// Reads the form of the claim `jti`.
    ///
    /// # Errors
    /// Anything but the canonical text of 16 bytes.
    pub fn parse(text: &str) -> Result<Self, NotBase64Url> {
        base64url::decode_array(text).map(Self)
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl Generation {
    /// The first, of the refresh token that a family begins with.
    pub const FIRST: Self = Self(0);

    /// The generation of that number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The one after it; none after the last that a handle has room for.
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

impl Epoch {
    /// The epoch of that number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(self.0))
    }
}

impl fmt::Display for FamilyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(self.0))
    }
}
