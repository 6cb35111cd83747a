//! What is written to a store.

use std::collections::HashSet;
use std::fmt;

use bytes::Bytes;

use crate::{Key, Log, Malformed, Version};

/// Everything that one decision writes. It lands whole or not at all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Change {
    /// The records to write, each at most once.
    pub writes: Vec<Write>,
    /// The entries to append, in order.
    pub appends: Vec<Append>,
}

/// One record to write, and what the writer believes to be there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Write {
    /// Which record.
    pub key: Key,
    /// What must be there, or the whole change is a conflict.
    pub expect: Expect,
    /// What shall be there; none deletes the record.
    pub put: Option<Put>,
}

/// What a write must find.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Expect {
    /// No record.
    Absent,
    /// The record as this commit wrote it.
    Version(Version),
}

/// What a write leaves.
#[derive(Clone, PartialEq, Eq)]
pub struct Put {
    /// The record's bytes.
    pub value: Bytes,
    /// From when on the record may be swept, in milliseconds since the Unix epoch.
    pub expires_at_millis: Option<u64>,
}

/// An entry for a log. The store numbers it.
#[derive(Clone, PartialEq, Eq)]
pub struct Append {
    /// Which log.
    pub log: Log,
    /// The entry's bytes.
    pub entry: Bytes,
}

/// How a commit ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Commit {
    /// The change is in the store, and stays there.
    Done(Done),
    /// Nothing was written: this record was not what its write expected.
    Conflict(Key),
}

/// What the store gave to a change that it took.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Done {
    /// The version of every record that the change wrote.
    pub version: Version,
    /// The numbers of the change's appends, in their order.
    pub numbers: Vec<u64>,
}

impl Change {
    /// The most writes and appends in one change, together. A decision touches a handful; the
    /// bound keeps one change from holding up the others.
    pub const ITEMS_MAX: usize = 256;

    /// The largest value or entry, in bytes. A message is at most 64 KiB, and what is made of one
    /// has to fit.
    pub const VALUE_BYTES_MAX: usize = 72 * 1024;

    /// A change of these writes.
    pub fn of(writes: impl IntoIterator<Item = Write>) -> Self {
        Self {
            writes: writes.into_iter().collect(),
            appends: Vec::new(),
        }
    }

    /// This change with an entry for `log`.
    #[must_use]
    pub fn append(mut self, log: Log, entry: impl Into<Bytes>) -> Self {
        self.appends.push(Append {
            log,
            entry: entry.into(),
        });
        self
    }

    /// Whether it is one that a store can take; every backend asks before it looks at a record.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), Malformed> {
        if self.writes.len() + self.appends.len() > Self::ITEMS_MAX {
            return Err(Malformed::TooManyItems);
        }
        let mut seen = HashSet::with_capacity(self.writes.len());
        for write in &self.writes {
            check_key(&write.key)?;
            if !seen.insert(&write.key) {
                return Err(Malformed::WrittenTwice(write.key.clone()));
            }
            let bytes = write.put.as_ref().map_or(0, |put| put.value.len());
            if bytes > Self::VALUE_BYTES_MAX {
                return Err(Malformed::TooLarge(write.key.clone()));
            }
        }
        match self
            .appends
            .iter()
            .find(|a| a.entry.len() > Self::VALUE_BYTES_MAX)
        {
            Some(append) => Err(Malformed::EntryTooLarge(append.log)),
            None => Ok(()),
        }
    }
}

fn check_key(key: &Key) -> Result<(), Malformed> {
    match key.as_bytes().len() {
        1..=Key::BYTES_MAX => Ok(()),
        _ => Err(Malformed::Key),
    }
}

impl Write {
    /// Makes a record that must not be there yet.
    pub fn create(key: Key, value: impl Into<Bytes>) -> Self {
        Self {
            key,
            expect: Expect::Absent,
            put: Some(Put::new(value)),
        }
    }

    /// Replaces a record that must be as `version` left it.
    pub fn replace(key: Key, version: Version, value: impl Into<Bytes>) -> Self {
        Self {
            key,
            expect: Expect::Version(version),
            put: Some(Put::new(value)),
        }
    }

    /// Deletes a record that must be as `version` left it.
    pub fn delete(key: Key, version: Version) -> Self {
        Self {
            key,
            expect: Expect::Version(version),
            put: None,
        }
    }

    /// This write with an expiry for what it leaves. A deletion leaves nothing.
    #[must_use]
    pub fn expiring_at(mut self, millis: u64) -> Self {
        if let Some(put) = &mut self.put {
            put.expires_at_millis = Some(millis);
        }
        self
    }
}

impl Put {
    /// A record that never expires.
    pub fn new(value: impl Into<Bytes>) -> Self {
        Self {
            value: value.into(),
            expires_at_millis: None,
        }
    }
}

impl fmt::Debug for Put {
    /// Without the bytes: they may hold what must not be read in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Put")
            .field("value", &format_args!("{} bytes", self.value.len()))
            .field("expires_at_millis", &self.expires_at_millis)
            .finish()
    }
}

impl fmt::Debug for Append {
    /// Without the bytes, as for [`Put`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Append to {} ({} bytes)",
            self.log.name(),
            self.entry.len()
        )
    }
}
