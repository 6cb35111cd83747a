//! The parsers of this crate that `tests/fuzz` feeds and that have no public name.

use countersign_store::{EntryHash, Log, chain};

use super::chain::Noted;
use super::exported::exported;
use super::line::Stored;

/// What `audit verify` notes of the logs in an export, if it accepts it. `noted` must be in it.
pub fn verified(export: &[u8], noted: &[String]) -> Option<Vec<String>> {
    let noted: Option<Vec<Noted>> = noted.iter().map(|text| text.parse().ok()).collect();
    let (ended, _) = exported(export, "export", &noted?).ok()?;
    Some(ended.iter().map(|ended| ended.head.to_string()).collect())
}

/// A note, as it is written.
pub fn note(text: &str) -> Option<String> {
    text.parse().ok().map(|noted: Noted| noted.to_string())
}

/// The lines of an export of entries from `first` on, if they can be read and have numbers.
pub fn export(log: Log, first: u64, before: EntryHash, entries: &[&[u8]]) -> Option<Vec<String>> {
    let mut lines = Vec::new();
    let mut before = before;
    for (at, bytes) in (0..).zip(entries) {
        let number = first.checked_add(at)?;
        let hash = chain::next(before, number, bytes);
        let stored = Stored {
            log,
            number,
            bytes,
            before,
            hash,
        };
        let told = stored.lines().ok()?;
        lines.extend(told.iter().map(ToString::to_string));
        before = hash;
    }
    Some(lines)
}
