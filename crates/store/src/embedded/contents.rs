//! What has to be known of a database before it takes a commit: the last commit's number, and the
//! last number of each log.

use std::collections::HashMap;
use std::ops::Bound;

use super::committer::GROUP_MAX;
use super::layout::{self, Item};
use super::{Broken, Database};
use crate::EntryHash;

/// The last entry of each log: its number, and its hash if it has one. An entry of the first release
/// has none.
pub(super) type Heads = HashMap<Box<str>, (u64, Option<EntryHash>)>;

/// What the first look into a database found.
pub(super) struct Contents {
    /// No record and no entry has a higher version.
    pub(super) commits: u64,
    /// The last entry of each log.
    pub(super) heads: Heads,
    /// Whether everything was read, and so is undamaged.
    pub(super) whole: bool,
}

impl Contents {
    /// By reading everything.
    pub(super) fn whole(database: &Database) -> Result<Self, Broken> {
        let mut found = Self {
            commits: 0,
            heads: HashMap::new(),
            whole: true,
        };
        // An anchor's key sorts before every entry's.
        let mut trimmed: HashMap<String, u64> = HashMap::new();
        let mut gap = false;
        database.walk(|item| match item {
            Item::Anchor { log, trimmed: to } => drop(trimmed.insert(log, to.number)),
            Item::Counter(commits) => found.commits = found.commits.max(commits),
            Item::Record { record, .. } => {
                // The first release's groups could lie here without their counter.
                found.commits = found.commits.max(record.version.as_u64());
            }
            Item::Entries { log, entries } => {
                let trimmed = trimmed.get(&log).copied().unwrap_or(0);
                let head = found.heads.entry(log.into()).or_insert((trimmed, None));
                for entry in entries {
                    found.commits = found.commits.max(entry.version.as_u64());
                    gap |= entry.number != head.0 + 1;
                    *head = (entry.number, entry.hash);
                }
            }
            Item::Reminders(_) => {}
        })?;
        if gap {
            return Err(Broken::new("an entry of a log is missing"));
        }
        Ok(found)
    }

    /// By the counter and the last entries alone, however much there is.
    ///
    /// Commits lie here with their counter, or not at all. The first release wrote it after a group
    /// of at most [`GROUP_MAX`] commits, which could be killed in between: so many numbers are
    /// passed over, whether they were used or not.
    ///
    /// Where the counter is missing, or behind the mark, everything is read: only that tells a lost
    /// end from a store that an earlier release left, which could set its mark above its counter.
    pub(super) fn by_ends(database: &Database, marked: u64) -> Result<Self, Broken> {
        let counter = database.read(layout::COUNTER, layout::decode_counter)?;
        match counter.filter(|counter| *counter >= marked) {
            Some(counter) => Ok(Self {
                commits: counter.saturating_add(GROUP_MAX as u64),
                heads: heads(database)?,
                whole: false,
            }),
            None => Self::whole(database),
        }
    }
}

/// Jumps from log to log: there are a few, of any length.
fn heads(database: &Database) -> Result<Heads, Broken> {
    let mut heads = Heads::new();
    let (mut from, until) = layout::logs();
    while let Some(Item::Entries { log, .. }) = database
        .range(Bound::Included(from), until.clone(), 1)?
        .pop()
    {
        from = layout::entries_end(&log);
        if let Some(Item::Entries { entries, .. }) =
            database.last(layout::entry_key(&log, 0), from.clone())?
            && let Some(last) = entries.last()
        {
            heads.insert(log.into(), (last.number, last.hash));
        }
    }
    Ok(heads)
}

#[cfg(test)]
mod tests;
