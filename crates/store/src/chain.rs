//! Logs as hash chains: each entry's hash covers the entry and the hash before it.
//!
//! Whoever noted the hash of one entry can tell later whether anything at or before it was changed,
//! taken out or put in: the hash would be another one. A trim takes entries away from the front, and
//! leaves the hash that the rest builds on ([`Anchor`](crate::Anchor)).

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};

use crate::Log;

/// Before the name of a log, so that no entry's hash is an origin.
const ORIGIN: &[u8] = b"countersign log ";

/// The hash of an entry and of all entries before it: SHA-256, shown as lower-case hex.
#[derive(Copy, Clone, PartialEq, Eq, Hash)]
pub struct EntryHash([u8; 32]);

impl EntryHash {
    /// The hash of these bytes, as [`as_bytes`](Self::as_bytes) gave them.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// What stands before the first entry of a log: SHA-256("countersign log " ‖ the log's name).
pub fn origin(log: Log) -> EntryHash {
    origin_of(log.name())
}

/// [`origin`], where the name is read from a disk.
pub(crate) fn origin_of(name: &str) -> EntryHash {
    sha256(&[ORIGIN, name.as_bytes()])
}

/// The hash of an entry: SHA-256(`before` ‖ `number` as 8 bytes, big-endian ‖ `bytes`), where
/// `before` is the hash of the entry numbered one less, or the log's [`origin`].
pub fn next(before: EntryHash, number: u64, bytes: &[u8]) -> EntryHash {
    sha256(&[&before.0, &number.to_be_bytes(), bytes])
}

fn sha256(parts: &[&[u8]]) -> EntryHash {
    let mut context = Context::new(&SHA256);
    parts.iter().for_each(|part| context.update(part));
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    EntryHash(hash)
}

impl fmt::Display for EntryHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for EntryHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `printf 'countersign log audit' | sha256sum` has it, and so on: the formula does not move.
    #[test]
    fn the_formula_is_the_published_one() {
        let origin = origin(Log::named("audit"));
        assert_eq!(
            origin.to_string(),
            "234eec8b605771cf560691b06734be03d341ff4ff92252ade87b020e85823868"
        );
        let first = next(origin, 1, b"one");
        assert_eq!(
            first.to_string(),
            "3bde1b0889247325f66272d1c65d27dc15e4e26edfd6c167159baac730d2eb02"
        );
        assert_eq!(
            next(first, 2, b"").to_string(),
            "add877046d8281eb40c1bd7a722afdb129c9fb5f3d88bc5ac9eb3c561424308b"
        );
    }
}
