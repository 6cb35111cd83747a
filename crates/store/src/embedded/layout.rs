//! How records, expiries and logs lie in the one ordered map of the database.
//!
//! | key | value |
//! | --- | --- |
//! | `a`, length of a log's name, the name | where the log was trimmed to: number and hash of the last entry that went |
//! | `c` | the commit counter |
//! | `l`, length of the log's name, the name, number | the entry of that number, and those right before it that lie with it: commit, hash, entry of each |
//! | `r`, key | commit, expiry where there is one, value |
//! | `x`, a time, key | nothing: a reminder to look then whether the record has expired; not written any more |
//! | `y`, a time, commit, count | reminders of then and soon after it: time and key of each |
//!
//! A record with an expiry has a reminder at it, or earlier. A reminder may be of a record that is
//! gone, or was given more time.
//!
//! Every value begins with a tag that names its form, and ends with a checksum of its key and all of
//! the value before (`seal.rs`); numbers are big-endian. A form is never changed, only another tag
//! added. Those of format 1 have no checksum, its entries no hash, and its reminders no bytes at all.
//! In it and in format 2 each entry and each reminder lies alone.

mod gathered;

use bytes::Bytes;

pub(super) use self::gathered::{
    Entered, Reminder, add_entry, encode_entries, encode_entry, encode_reminders,
};

use super::Broken;
use super::seal::{seal, unseal};
use crate::{EntryHash, Key, Version, Versioned};

/// The commit counter's key.
pub(super) const COUNTER: &[u8] = b"c";
const ANCHOR: u8 = b'a';
const LOG: u8 = b'l';
const RECORD: u8 = b'r';
const REMINDER: u8 = b'x';
const REMINDERS: u8 = b'y';

pub(super) fn record_key(key: &Key) -> Vec<u8> {
    [&[RECORD], key.as_bytes()].concat()
}

/// The key that comes after every record under `prefix`.
pub(super) fn records_end(prefix: &Key) -> Vec<u8> {
    // A key's last byte is the end of a part, never 0xFF: one more is still within a byte. Without
    // parts the prefix is the kind itself, to which the same applies.
    let mut end = record_key(prefix);
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}

/// A reminder's key in the form of earlier releases.
#[cfg(test)]
pub(super) fn reminder_key(at_millis: u64, key: &Key) -> Vec<u8> {
    [&[REMINDER][..], &at_millis.to_be_bytes(), key.as_bytes()].concat()
}

/// The key of some of the reminders that the commits up to `commit` leave; `count` tells those of
/// one time apart.
pub(super) fn reminders_key(earliest_millis: u64, commit: u64, count: u16) -> Vec<u8> {
    [
        &[REMINDERS][..],
        &earliest_millis.to_be_bytes(),
        &commit.to_be_bytes(),
        &count.to_be_bytes(),
    ]
    .concat()
}

/// The ranges of the reminders up to and including `now_millis`, in the form of earlier releases
/// and in ours.
pub(super) fn due(now_millis: u64) -> [(Vec<u8>, Vec<u8>); 2] {
    [REMINDER, REMINDERS].map(|kind| {
        let end = match now_millis.checked_add(1) {
            Some(end) => [&[kind][..], &end.to_be_bytes()].concat(),
            None => vec![kind + 1],
        };
        (vec![kind], end)
    })
}

pub(super) fn entry_key(log: &str, number: u64) -> Vec<u8> {
    [&log_key(LOG, log)[..], &number.to_be_bytes()].concat()
}

/// The range of all entries of all logs.
pub(super) fn logs() -> (Vec<u8>, Vec<u8>) {
    (vec![LOG], vec![LOG + 1])
}

/// The key that comes after every entry of `log`.
pub(super) fn entries_end(log: &str) -> Vec<u8> {
    // No log has an entry of the highest number.
    entry_key(log, u64::MAX)
}

pub(super) fn anchor_key(log: &str) -> Vec<u8> {
    log_key(ANCHOR, log)
}

fn log_key(kind: u8, log: &str) -> Vec<u8> {
    // A log's name has at most 64 bytes.
    [&[kind, log.len() as u8][..], log.as_bytes()].concat()
}

/// The first release's forms, which are read and never written. A counter, an entry, or a record
/// that never expires.
pub(super) const OLD: u8 = 1;
/// A record of the first release with an expiry.
pub(super) const OLD_EXPIRING: u8 = 2;
/// A counter, an anchor, a record that never expires, or a reminder of format 2.
const PLAIN: u8 = 3;
/// A record with an expiry.
const EXPIRING: u8 = 4;
/// An entry of format 2.
const CHAINED: u8 = 5;

pub(super) fn encode_counter(commits: u64) -> Vec<u8> {
    seal(COUNTER, PLAIN, &[&commits.to_be_bytes()])
}

/// The value under `key`, a [`record_key`].
pub(super) fn encode_record(
    key: &[u8],
    version: Version,
    expires_at_millis: Option<u64>,
    value: &[u8],
) -> Vec<u8> {
    let version = version.as_u64().to_be_bytes();
    match expires_at_millis {
        None => seal(key, PLAIN, &[&version, value]),
        Some(at) => seal(key, EXPIRING, &[&version, &at.to_be_bytes(), value]),
    }
}

/// The value under `key`, an [`anchor_key`].
pub(super) fn encode_anchor(key: &[u8], trimmed: Tail) -> Vec<u8> {
    let number = trimmed.number.to_be_bytes();
    seal(key, PLAIN, &[&number, trimmed.hash.as_bytes()])
}

/// What a record is besides its value.
#[derive(Copy, Clone)]
pub(super) struct Head {
    pub(super) version: Version,
    pub(super) expires_at_millis: Option<u64>,
}

/// The last entry of a log, or of the part of it that was trimmed.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct Tail {
    pub(super) number: u64,
    pub(super) hash: EntryHash,
}

/// What a key and its value are.
pub(super) enum Item {
    Anchor {
        log: String,
        trimmed: Tail,
    },
    Counter(u64),
    /// One or more, numbered one after the other.
    Entries {
        log: String,
        entries: Vec<Entered>,
    },
    Record {
        key: Key,
        record: Versioned,
    },
    /// One or more.
    Reminders(Vec<Reminder>),
}

impl Item {
    /// # Errors
    /// For what this release never writes, nor any before it.
    pub(super) fn decode(key: &[u8], value: &[u8]) -> Result<Self, Broken> {
        let (&kind, rest) = key.split_first().ok_or_else(unknown)?;
        match kind {
            _ if key == COUNTER => decode_counter(key, value).map(Self::Counter),
            ANCHOR => {
                let (log, rest) = log_name(rest).ok_or_else(unknown)?;
                let trimmed = decode_anchor(key, value)?;
                let anchor = Self::Anchor { log, trimmed };
                Some(anchor).filter(|_| rest.is_empty()).ok_or_else(unknown)
            }
            LOG => {
                let (log, number) = log_name(rest).ok_or_else(unknown)?;
                let number = number.try_into().map_err(|_| unknown())?;
                let entries = entries(u64::from_be_bytes(number), unseal(key, value)?);
                entries
                    .map(|entries| Self::Entries { log, entries })
                    .ok_or_else(unknown)
            }
            RECORD => Ok(Self::Record {
                key: Key::from_bytes(rest).map_err(|_| unknown())?,
                record: decode_record(key, value)?,
            }),
            REMINDER => {
                // The first release's have no bytes.
                let known = value.is_empty() || unseal(key, value)? == (PLAIN, &[]);
                let reminder = reminder(rest).filter(|_| known).ok_or_else(unknown)?;
                Ok(Self::Reminders(vec![reminder]))
            }
            REMINDERS => {
                let (earliest, _) = reminders_name(rest).ok_or_else(unknown)?;
                let reminders = match unseal(key, value)? {
                    (gathered::REMINDERS, fields) => gathered::reminders(earliest, fields),
                    _ => None,
                };
                reminders.map(Self::Reminders).ok_or_else(unknown)
            }
            _ => Err(unknown()),
        }
    }
}

/// What to call the item under a key, whatever it is: `record client/orders`.
pub(super) fn name_of(key: &[u8]) -> String {
    named(key).unwrap_or_else(|| {
        // A key of ours is not much longer than that.
        let shown = &key[..key.len().min(128)];
        format!("the unknown key {}", shown.escape_ascii())
    })
}

/// The kind of record under a key; none where it is no record's.
pub(super) fn kind_of(key: &[u8]) -> Option<String> {
    let key = key.strip_prefix(&[RECORD])?;
    Some(Key::from_bytes(key).ok()?.kind())
}

fn named(key: &[u8]) -> Option<String> {
    let (&kind, rest) = key.split_first()?;
    match kind {
        _ if key == COUNTER => Some("the counter".to_owned()),
        ANCHOR => {
            let (log, _) = log_name(rest)?;
            Some(format!("the anchor of {}", log.escape_debug()))
        }
        LOG => {
            let (log, number) = log_name(rest)?;
            let number = u64::from_be_bytes(number.try_into().ok()?);
            // What lies with it cannot be told without the value.
            Some(format!("entries up to {number} of {}", log.escape_debug()))
        }
        RECORD => Some(format!("record {}", Key::from_bytes(rest).ok()?)),
        REMINDER => {
            let (at_millis, key) = rest.split_first_chunk()?;
            let (at_millis, key) = (u64::from_be_bytes(*at_millis), Key::from_bytes(key).ok()?);
            Some(format!("the reminder at {at_millis} of {key}"))
        }
        REMINDERS => {
            let (earliest, commit) = reminders_name(rest)?;
            Some(format!(
                "the reminders from {earliest} on of commit {commit}"
            ))
        }
        _ => None,
    }
}

fn log_name(rest: &[u8]) -> Option<(String, &[u8])> {
    let (&length, rest) = rest.split_first()?;
    let (log, rest) = rest.split_at_checked(usize::from(length))?;
    Some((String::from_utf8(log.to_vec()).ok()?, rest))
}

fn entries(last: u64, (tag, fields): (u8, &[u8])) -> Option<Vec<Entered>> {
    numbered(last)?;
    let alone = |hash, (version, bytes): (&[u8; 8], &[u8])| {
        vec![Entered {
            number: last,
            version: Version::new(u64::from_be_bytes(*version)),
            hash,
            bytes: Bytes::copy_from_slice(bytes),
        }]
    };
    match tag {
        OLD => Some(alone(None, fields.split_first_chunk()?)),
        CHAINED => {
            let (version, rest) = fields.split_first_chunk()?;
            let (hash, bytes) = rest.split_first_chunk()?;
            let hash = Some(EntryHash::from_bytes(*hash));
            Some(alone(hash, (version, bytes)))
        }
        gathered::ENTRIES => gathered::entries(last, fields),
        _ => None,
    }
}

/// A number that an entry can have: there is always a next one.
fn numbered(number: u64) -> Option<u64> {
    (number < u64::MAX).then_some(number)
}

fn reminder(rest: &[u8]) -> Option<Reminder> {
    let (at_millis, key) = rest.split_first_chunk()?;
    Some(Reminder {
        at_millis: u64::from_be_bytes(*at_millis),
        key: Key::from_bytes(key).ok()?,
    })
}

/// The earliest time of reminders that lie together, and the commit that left them.
fn reminders_name(rest: &[u8]) -> Option<(u64, u64)> {
    let (earliest, rest) = rest.split_first_chunk()?;
    let (commit, count) = rest.split_first_chunk()?;
    let name = (u64::from_be_bytes(*earliest), u64::from_be_bytes(*commit));
    Some(name).filter(|_| count.len() == 2)
}

/// A record's value alone, where the key is known.
pub(super) fn decode_record(key: &[u8], value: &[u8]) -> Result<Versioned, Broken> {
    let (head, value) = head(unseal(key, value)?).ok_or_else(unknown)?;
    Ok(Versioned {
        version: head.version,
        value: Bytes::copy_from_slice(value),
        expires_at_millis: head.expires_at_millis,
    })
}

/// What a record is, without copying it.
pub(super) fn decode_head(key: &[u8], value: &[u8]) -> Result<Head, Broken> {
    let head = head(unseal(key, value)?);
    head.map(|(head, _)| head).ok_or_else(unknown)
}

fn head((tag, rest): (u8, &[u8])) -> Option<(Head, &[u8])> {
    let (version, rest) = rest.split_first_chunk()?;
    let (expires_at_millis, value) = match tag {
        OLD | PLAIN => (None, rest),
        OLD_EXPIRING | EXPIRING => {
            let (at, rest) = rest.split_first_chunk()?;
            (Some(u64::from_be_bytes(*at)), rest)
        }
        _ => return None,
    };
    let head = Head {
        version: Version::new(u64::from_be_bytes(*version)),
        expires_at_millis,
    };
    Some((head, value))
}

/// The counter alone.
pub(super) fn decode_counter(key: &[u8], value: &[u8]) -> Result<u64, Broken> {
    match unseal(key, value)? {
        (OLD | PLAIN, counter) => counter.try_into().map(u64::from_be_bytes).ok(),
        _ => None,
    }
    .ok_or_else(unknown)
}

/// A log's anchor alone.
pub(super) fn decode_anchor(key: &[u8], value: &[u8]) -> Result<Tail, Broken> {
    let (tag, rest) = unseal(key, value)?;
    let trimmed = rest.split_first_chunk().filter(|_| matches!(tag, PLAIN));
    let trimmed = trimmed.and_then(|(number, hash)| {
        Some(Tail {
            number: numbered(u64::from_be_bytes(*number))?,
            hash: EntryHash::from_bytes(hash.try_into().ok()?),
        })
    });
    trimmed.ok_or_else(unknown)
}

fn unknown() -> Broken {
    Broken::new("a value of the database has no known form")
}

#[cfg(test)]
mod tests;
