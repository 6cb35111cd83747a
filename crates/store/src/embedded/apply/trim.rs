//! The removal of a log's first entries.

use std::ops::Bound;

use super::super::layout::{self, Entered, Item, Tail};
use super::super::{Broken, Edits};
use super::Writer;
use crate::{Log, Trimmed};

impl Writer<'_> {
    /// Removes up to `max` of the first entries of a log, if they are numbered below `below`, and
    /// notes where it begins then. The last one stays.
    pub(in super::super) fn trim(
        &mut self,
        log: Log,
        below: u64,
        max: usize,
        removing: impl FnOnce(u64),
    ) -> Result<Trimmed, Broken> {
        // The database is asked for what is there.
        self.apply()?;
        let until = below.min(self.logs.last(log));
        let mut trimmed = Trimmed::default();
        let mut edits = Edits::new();
        let mut anchor = None;
        for entries in self.first_entries(log, until, max)? {
            let old = entries.partition_point(|entry| entry.number < until);
            let goes = old.min(max - trimmed.removed);
            trimmed.more |= goes < old;
            let (gone, rest) = entries.split_at(goes);
            let (Some(gone), Some(last)) = (gone.last(), entries.last()) else {
                break;
            };
            trimmed.removed += goes;
            anchor = Some(Tail {
                number: gone.number,
                hash: gone.hash.ok_or_else(unhashed)?,
            });
            let key = layout::entry_key(log.name(), last.number);
            let rest = remaining(&key, rest)?;
            edits.push((key, rest));
        }
        let Some(anchor) = anchor else {
            return Ok(trimmed);
        };
        self.commits += 1;
        self.batch.commits += 1;
        removing(self.commits);
        for (key, value) in edits {
            self.batch.edit(key, value);
        }
        let key = layout::anchor_key(log.name());
        let anchor = layout::encode_anchor(&key, anchor);
        self.batch.edit(key, Some(anchor));
        Ok(trimmed)
    }

    /// The first entries of a log, those that lie together together: more than `max` that are
    /// numbered below `until`, if there are.
    fn first_entries(&self, log: Log, until: u64, max: usize) -> Result<Vec<Vec<Entered>>, Broken> {
        let mut first = Vec::new();
        let mut count = 0;
        let from = Bound::Included(layout::entry_key(log.name(), 0));
        self.database
            .items(from, layout::entries_end(log.name()), |_, item| {
                let Item::Entries { entries, .. } = item else {
                    return Ok(true);
                };
                count += entries.len();
                let goes_on = entries.last().is_some_and(|last| last.number < until);
                first.push(entries);
                Ok(goes_on && count <= max)
            })?;
        Ok(first)
    }
}

/// What is left of entries that lie together under `key`, the last one's.
fn remaining(key: &[u8], entries: &[Entered]) -> Result<Option<Vec<u8>>, Broken> {
    let mut rest = Vec::new();
    for entry in entries {
        let hash = entry.hash.ok_or_else(unhashed)?;
        layout::add_entry(&mut rest, entry.version, hash, &entry.bytes);
    }
    Ok((!rest.is_empty()).then(|| layout::encode_entries(key, &rest)))
}

/// The start gave one to each that had none.
fn unhashed() -> Broken {
    Broken::new("an entry of a log has no hash")
}
