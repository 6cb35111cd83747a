//! What is read from a store.

use std::fmt;

use bytes::Bytes;

use crate::{EntryHash, Key};

/// Which commit wrote a record. Later commits have higher versions, and no version is given twice,
/// not even to a record that was deleted and made anew.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Version(u64);

impl Version {
    /// The version with this number (from an etag).
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A record as it stands in the store.
#[derive(Clone, PartialEq, Eq)]
pub struct Versioned {
    /// The commit that wrote it.
    pub version: Version,
    /// Its bytes.
    pub value: Bytes,
    /// From when on it may be swept, in milliseconds since the Unix epoch.
    pub expires_at_millis: Option<u64>,
}

impl fmt::Debug for Versioned {
    /// Without the bytes: they may hold what must not be read in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Versioned")
            .field("version", &self.version)
            .field("value", &format_args!("{} bytes", self.value.len()))
            .field("expires_at_millis", &self.expires_at_millis)
            .finish()
    }
}

/// Some of the records under a prefix, in the order of their keys.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Page {
    /// The records.
    pub records: Vec<(Key, Versioned)>,
    /// What to give as `after` for the next page; none on the last.
    pub next: Option<Key>,
}

/// What a sweep did.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Swept {
    /// How many records it looked at: those that it removed, and those that were given more time.
    pub looked: usize,
    /// How many records it removed.
    pub removed: usize,
    /// Whether it stopped at its bound, and there is more to look at.
    pub more: bool,
}

/// One entry of a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number, from 1.
    pub number: u64,
    /// Its bytes.
    pub bytes: Bytes,
    /// What it and all before it hash to: see [`chain`](crate::chain).
    pub hash: EntryHash,
}

/// Where a log begins, by now.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Anchor {
    /// The number of the first entry that is still kept; of a log without entries, 1.
    pub first: u64,
    /// The hash of the entry before it, and so of everything that was trimmed; where nothing was,
    /// the log's [`origin`](crate::chain::origin).
    pub before: EntryHash,
}

/// What a trim did.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Trimmed {
    /// How many entries it removed.
    pub removed: usize,
    /// Whether it stopped at its bound, and there are more to remove.
    pub more: bool,
}

impl fmt::Debug for Entry {
    /// Without the bytes, as for [`Versioned`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry {} ({} bytes)", self.number, self.bytes.len())
    }
}
