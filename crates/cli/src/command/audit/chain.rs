//! Hash chains, verified by whoever reads them.

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use countersign_store::{EntryHash, Log, chain};

use super::asked::log_named;

/// An entry that was noted: nothing up to it can have been changed if its hash is still this one.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Noted {
    pub(crate) log: Log,
    pub(crate) number: u64,
    pub(crate) hash: EntryHash,
}

/// What is wrong with a log: where, and what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Wrong {
    pub(crate) log: Log,
    /// The first entry that is not what it must be.
    pub(crate) number: u64,
    pub(crate) what: String,
}

/// A log as far as it was verified.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    log: Log,
    first: u64,
    /// The hash of the entry before the first.
    before: EntryHash,
    /// The number of the next entry, and the hash that it builds on.
    next: u64,
    hash: EntryHash,
    noted: Vec<Noted>,
}

impl Chain {
    /// A log that begins with this entry, after one of this hash. `noted` is what must be in it, of
    /// this log or others.
    pub(crate) fn from(
        log: Log,
        first: u64,
        before: EntryHash,
        noted: &[Noted],
    ) -> Result<Self, Wrong> {
        let begun = Self {
            log,
            first,
            before,
            next: first,
            hash: before,
            noted: noted
                .iter()
                .filter(|noted| noted.log == log)
                .copied()
                .collect(),
        };
        if first == 0 {
            return Err(begun.wrong(0, "no log has an entry of this number"));
        }
        if first == 1 && before != chain::origin(log) {
            return Err(begun.wrong(1, "the log does not begin where every log of its name does"));
        }
        if let Some(gone) = begun.noted.iter().find(|noted| noted.number < first - 1) {
            let what = "it is no longer kept, so it cannot be compared: note a newer one";
            return Err(begun.wrong(gone.number, what));
        }
        begun.compared()
    }

    /// The next entry: its number, its bytes, and the hash that it is kept with.
    pub(crate) fn entry(self, number: u64, bytes: &[u8], kept: &[u8]) -> Result<Self, Wrong> {
        if number != self.next {
            return Err(self.wrong(
                self.next,
                format!("it is missing: entry {number} stands in its place"),
            ));
        }
        let hash = chain::next(self.hash, number, bytes);
        if kept != hash.as_bytes() {
            let what = "its bytes, or what stands before it, are not what its hash was made of";
            return Err(self.wrong(number, what));
        }
        let Some(next) = number.checked_add(1) else {
            return Err(self.wrong(number, "no log becomes so long"));
        };
        Self { next, hash, ..self }.compared()
    }

    /// The last entry was given.
    pub(crate) fn end(self) -> Result<Ended, Wrong> {
        match self.noted.iter().find(|noted| noted.number >= self.next) {
            Some(gone) => Err(self.wrong(
                gone.number,
                format!("it is missing: the log ends with entry {}", self.next - 1),
            )),
            None => Ok(Ended {
                first: self.first,
                before: self.before,
                entries: self.next - self.first,
                head: Noted {
                    log: self.log,
                    number: self.next - 1,
                    hash: self.hash,
                },
            }),
        }
    }

    /// The hash of the entry before the next.
    pub(crate) fn hash(&self) -> EntryHash {
        self.hash
    }

    /// The number of the next entry.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    fn compared(self) -> Result<Self, Wrong> {
        let here = |noted: &&Noted| noted.number == self.next - 1 && noted.hash != self.hash;
        match self.noted.iter().find(here) {
            Some(noted) => Err(self.wrong(
                noted.number,
                "its hash is not the one that was noted: it, or an entry before it, was replaced",
            )),
            None => Ok(self),
        }
    }

    fn wrong(&self, number: u64, what: impl Into<String>) -> Wrong {
        Wrong {
            log: self.log,
            number,
            what: what.into(),
        }
    }
}

/// A log that is a chain.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) first: u64,
    /// The hash of the entry before the first.
    pub(crate) before: EntryHash,
    pub(crate) entries: u64,
    /// Its last entry: what to note.
    pub(crate) head: Noted,
}

impl fmt::Display for Noted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.log.name(), self.number, self.hash)
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the log {}, entry {}: {}",
            self.log.name(),
            self.number,
            self.what
        )
    }
}

impl FromStr for Noted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(':').collect();
        if let [log, number, hash] = parts[..]
            && let Some(log) = log_named(log)
            && let Ok(number) = number.parse()
            && let Some(hash) = hash_of(hash)
        {
            let noted = Self { log, number, hash };
            // A number has other texts, such as +7.
            if noted.to_string() == text {
                return Ok(noted);
            }
        }
        Err("write it as `audit verify` prints it: log:number:hash".to_owned())
    }
}

/// The hash that is written so, in small letters.
pub(crate) fn hash_of(hex: &str) -> Option<EntryHash> {
    let mut bytes = [0; 32];
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&hex[at..at + 2], 16).ok()?;
    }
    let hash = EntryHash::from_bytes(bytes);
    // A byte has other texts, such as +7 and 0A.
    (hash.to_string() == hex).then_some(hash)
}
