//! Forms that hold several of a kind: what the commits of one batch leave that nobody looks up by
//! its key. An edit costs the driver the same, however much it holds.
//!
//! ```text
//! entries of a log, one number after the other; the key has the last one's
//!   commit (8), hash (32), length of the entry (4), entry, and so on
//! reminders, the earliest first; the key has its time
//!   time (8), length of the record's key (2), key, and so on
//! ```

use bytes::{Buf, Bytes};

use super::{EntryHash, Version, seal};
use crate::Key;

/// Entries that lie together.
pub(super) const ENTRIES: u8 = 6;
/// Reminders that lie together.
pub(super) const REMINDERS: u8 = 7;

/// An entry, and what is known of it.
#[derive(PartialEq, Eq, Debug)]
pub(in super::super) struct Entered {
    pub(in super::super) number: u64,
    pub(in super::super) version: Version,
    /// None in the form of the first release.
    pub(in super::super) hash: Option<EntryHash>,
    pub(in super::super) bytes: Bytes,
}

/// A wish to look then whether the record under `key` has expired. The earliest comes first.
#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in super::super) struct Reminder {
    pub(in super::super) at_millis: u64,
    pub(in super::super) key: Key,
}

/// Adds an entry to those that are to lie together.
pub(in super::super) fn add_entry(
    entries: &mut Vec<u8>,
    version: Version,
    hash: EntryHash,
    entry: &[u8],
) {
    entries.extend(version.as_u64().to_be_bytes());
    entries.extend(hash.as_bytes());
    // An entry has at most 72 KiB.
    entries.extend((entry.len() as u32).to_be_bytes());
    entries.extend(entry);
}

/// The value under `key`, an [`entry_key`](super::entry_key) of the last of the entries.
pub(in super::super) fn encode_entries(key: &[u8], entries: &[u8]) -> Vec<u8> {
    seal(key, ENTRIES, &[entries])
}

/// The value under `key`, an [`entry_key`](super::entry_key), of an entry that lies alone.
pub(in super::super) fn encode_entry(
    key: &[u8],
    version: Version,
    hash: EntryHash,
    entry: &[u8],
) -> Vec<u8> {
    let mut alone = Vec::with_capacity(44 + entry.len());
    add_entry(&mut alone, version, hash, entry);
    encode_entries(key, &alone)
}

/// The value under `key`, a [`reminders_key`](super::reminders_key).
pub(in super::super) fn encode_reminders(key: &[u8], reminders: &[Reminder]) -> Vec<u8> {
    let mut fields = Vec::new();
    for Reminder { at_millis, key } in reminders {
        fields.extend(at_millis.to_be_bytes());
        // A key has at most 1 KiB.
        fields.extend((key.as_bytes().len() as u16).to_be_bytes());
        fields.extend(key.as_bytes());
    }
    seal(key, REMINDERS, &[&fields])
}

/// The entries that lie together, of which the last one has this number.
pub(super) fn entries(last: u64, fields: &[u8]) -> Option<Vec<Entered>> {
    let mut fields = Bytes::copy_from_slice(fields);
    let mut entries = Vec::new();
    while fields.has_remaining() {
        let version = Version::new(fields.try_get_u64().ok()?);
        let mut hash = [0; 32];
        fields.try_copy_to_slice(&mut hash).ok()?;
        let length = fields.try_get_u32().ok()?;
        entries.push(Entered {
            number: 0,
            version,
            hash: Some(EntryHash::from_bytes(hash)),
            bytes: taken(&mut fields, length as usize)?,
        });
    }
    let mut number = last;
    for entry in entries.iter_mut().rev() {
        entry.number = number;
        number = number.checked_sub(1)?;
    }
    Some(entries).filter(|entries| !entries.is_empty())
}

/// The reminders that lie together, of which the earliest has this time.
pub(super) fn reminders(earliest: u64, fields: &[u8]) -> Option<Vec<Reminder>> {
    let mut fields = Bytes::copy_from_slice(fields);
    let mut reminders: Vec<Reminder> = Vec::new();
    let mut before = earliest;
    while fields.has_remaining() {
        let at_millis = fields.try_get_u64().ok()?;
        let length = fields.try_get_u16().ok()?;
        let key = taken(&mut fields, usize::from(length))?;
        reminders.push(Reminder {
            at_millis,
            key: Key::from_bytes(&key).ok()?,
        });
        (at_millis >= before).then_some(())?;
        before = at_millis;
    }
    let first = reminders.first()?.at_millis;
    Some(reminders).filter(|_| first == earliest)
}

fn taken(fields: &mut Bytes, length: usize) -> Option<Bytes> {
    (length <= fields.len()).then(|| fields.split_to(length))
}
