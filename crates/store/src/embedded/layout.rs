//! How records, expiries and logs lie in the one ordered map of the database.
//!
//! | key | value |
//! | --- | --- |
//! | `c` | the commit counter |
//! | `l`, length of the log's name, the name, number | commit, entry |
//! | `r`, key | commit, expiry where there is one, value |
//! | `x`, a time, key | nothing: a reminder to look then whether the record has expired |
//!
//! A record with an expiry has a reminder at it, or earlier. A reminder may be of a record that is
//! gone, or was given more time.
//!
//! Every value begins with a tag that names its form, numbers are big-endian. A form is never
//! changed, only another tag added.

use bytes::Bytes;

use super::Broken;
use crate::{Entry, Key, Version, Versioned};

/// The commit counter's key.
pub(super) const COUNTER: &[u8] = b"c";
const LOG: u8 = b'l';
const RECORD: u8 = b'r';
const REMINDER: u8 = b'x';

/// A counter, an entry, or a record that never expires.
const PLAIN: u8 = 1;
/// A record with an expiry.
const EXPIRING: u8 = 2;

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

pub(super) fn reminder_key(at_millis: u64, key: &Key) -> Vec<u8> {
    [&[REMINDER][..], &at_millis.to_be_bytes(), key.as_bytes()].concat()
}

/// The range of the reminders up to and including `now_millis`.
pub(super) fn due(now_millis: u64) -> (Vec<u8>, Vec<u8>) {
    let end = match now_millis.checked_add(1) {
        Some(end) => [&[REMINDER][..], &end.to_be_bytes()].concat(),
        None => vec![REMINDER + 1],
    };
    (vec![REMINDER], end)
}

pub(super) fn entry_key(log: &str, number: u64) -> Vec<u8> {
    [&log_prefix(log)[..], &number.to_be_bytes()].concat()
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

fn log_prefix(log: &str) -> Vec<u8> {
    // A log's name has at most 64 bytes.
    [&[LOG, log.len() as u8][..], log.as_bytes()].concat()
}

pub(super) fn encode_counter(commits: u64) -> Vec<u8> {
    [&[PLAIN][..], &commits.to_be_bytes()].concat()
}

pub(super) fn encode_record(
    version: Version,
    expires_at_millis: Option<u64>,
    value: &[u8],
) -> Vec<u8> {
    let version = version.as_u64().to_be_bytes();
    match expires_at_millis {
        None => [&[PLAIN][..], &version, value].concat(),
        Some(at) => [&[EXPIRING][..], &version, &at.to_be_bytes(), value].concat(),
    }
}

pub(super) fn encode_entry(version: Version, entry: &[u8]) -> Vec<u8> {
    encode_record(version, None, entry)
}

/// What a record is besides its value.
#[derive(Copy, Clone)]
pub(super) struct Head {
    pub(super) version: Version,
    pub(super) expires_at_millis: Option<u64>,
}

/// What a key and its value are.
pub(super) enum Item {
    Counter(u64),
    Entry {
        log: String,
        version: Version,
        entry: Entry,
    },
    Record {
        key: Key,
        record: Versioned,
    },
    Reminder {
        at_millis: u64,
        key: Key,
    },
}

impl Item {
    /// # Errors
    /// For what this release never writes.
    pub(super) fn decode(key: &[u8], value: &[u8]) -> Result<Self, Broken> {
        decode(key, value).ok_or_else(|| Broken::new("an entry of the database has no known form"))
    }
}

fn decode(key: &[u8], value: &[u8]) -> Option<Item> {
    let (&kind, rest) = key.split_first()?;
    match kind {
        _ if key == COUNTER => counter(value).map(Item::Counter),
        LOG => {
            let (&length, rest) = rest.split_first()?;
            let (log, number) = rest.split_at_checked(usize::from(length))?;
            let record = versioned(value)?;
            Some(Item::Entry {
                log: String::from_utf8(log.to_vec()).ok()?,
                version: record.version,
                entry: Entry {
                    number: u64::from_be_bytes(number.try_into().ok()?),
                    bytes: record.value,
                },
            })
        }
        RECORD => Some(Item::Record {
            key: Key::from_bytes(rest).ok()?,
            record: versioned(value)?,
        }),
        REMINDER => {
            let (at_millis, key) = rest.split_first_chunk()?;
            let key = Key::from_bytes(key).ok()?;
            Some(Item::Reminder {
                at_millis: u64::from_be_bytes(*at_millis),
                key,
            })
        }
        _ => None,
    }
}

fn counter(value: &[u8]) -> Option<u64> {
    match value.split_first()? {
        (&PLAIN, counter) => Some(u64::from_be_bytes(counter.try_into().ok()?)),
        _ => None,
    }
}

fn head(value: &[u8]) -> Option<(Head, &[u8])> {
    let (&tag, rest) = value.split_first()?;
    let (version, rest) = rest.split_first_chunk()?;
    let (expires_at_millis, value) = match tag {
        PLAIN => (None, rest),
        EXPIRING => {
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

fn versioned(value: &[u8]) -> Option<Versioned> {
    let (head, value) = head(value)?;
    Some(Versioned {
        version: head.version,
        value: Bytes::copy_from_slice(value),
        expires_at_millis: head.expires_at_millis,
    })
}

/// A record's value alone, where the key is known.
pub(super) fn decode_record(value: &[u8]) -> Result<Versioned, Broken> {
    versioned(value).ok_or_else(unknown_record)
}

/// What a record is, without copying it.
pub(super) fn decode_head(value: &[u8]) -> Result<Head, Broken> {
    head(value).map(|(head, _)| head).ok_or_else(unknown_record)
}

fn unknown_record() -> Broken {
    Broken::new("a record has no known form")
}

/// The counter alone.
pub(super) fn decode_counter(value: &[u8]) -> Result<u64, Broken> {
    counter(value).ok_or_else(|| Broken::new("the counter has no known form"))
}
