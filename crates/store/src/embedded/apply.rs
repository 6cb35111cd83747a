//! Changes, sweeps and trims: what they do to the database.

mod logs;
mod reminders;

use std::collections::HashMap;
use std::ops::Bound;

use self::logs::Logs;
use super::layout::{self, Entered, Head, Item, Reminder, Tail};
use super::upgrade::Tails;
use super::{Broken, Database, Edits};
use crate::{Change, Commit, Done, Expect, Key, Log, Swept, Trimmed, Version};

/// The most commits in one batch of the driver. A batch shuts readers out while it is applied, some
/// 10 µs a commit; a new one costs a write to the disk.
const BATCH_COMMITS_MAX: usize = 64;

/// The most bytes in one batch, and a commit: well below what the driver keeps in memory at once.
const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// The writer's view of the database. There is one: what it read stays true until it writes.
///
/// Commits are gathered and reach the database together, with the counter: a batch is recovered
/// whole or not at all. What waits is seen by the commits that come after, and by no reader.
pub(super) struct Writer<'a> {
    database: &'a Database,
    /// The number of the last commit.
    commits: u64,
    logs: Logs,
    batch: Batch,
    /// The edits that reached the database, while somebody wants to know them.
    told: Option<Edits>,
}

/// Commits that are not in the database yet.
#[derive(Default)]
struct Batch {
    commits: usize,
    bytes: usize,
    edits: Edits,
    reminders: Vec<Reminder>,
    /// The records that the edits leave; none for one that they take away.
    records: HashMap<Key, Option<Head>>,
}

impl<'a> Writer<'a> {
    /// From the last commit's number, and the last entry of each log.
    pub(super) fn new(database: &'a Database, commits: u64, logs: Tails) -> Self {
        Self {
            database,
            commits,
            logs: Logs::new(logs),
            batch: Batch::default(),
            told: None,
        }
    }

    /// Notes the edits from here on, as they reach the database.
    pub(super) fn tell(&mut self) {
        self.told.get_or_insert_default();
    }

    /// The edits that were noted.
    pub(super) fn told(&mut self) -> Edits {
        self.told.take().unwrap_or_default()
    }

    /// The number of the last commit.
    pub(super) fn commits(&self) -> u64 {
        self.commits
    }

    /// Takes a change whole, if its expectations hold. `removing` is told the commit's number
    /// before the change takes a record away.
    pub(super) fn commit(
        &mut self,
        change: &Change,
        removing: impl FnOnce(u64),
    ) -> Result<Commit, Broken> {
        let mut found = Vec::with_capacity(change.writes.len());
        for write in &change.writes {
            let head = self.head(&write.key)?;
            if !holds(write.expect, head) {
                return Ok(Commit::Conflict(write.key.clone()));
            }
            found.push(head);
        }
        if change.writes.iter().any(|write| write.put.is_none()) {
            removing(self.commits + 1);
        }
        self.commits += 1;
        let version = Version::new(self.commits);
        for (write, found) in change.writes.iter().zip(found) {
            let record = layout::record_key(&write.key);
            let Some(put) = &write.put else {
                if found.is_some() {
                    self.batch.edit(record, None);
                }
                self.batch.records.insert(write.key.clone(), None);
                continue;
            };
            let expires_at_millis = put.expires_at_millis;
            if let Some(at) = expires_at_millis
                && !has_earlier_reminder(found, at)
            {
                self.batch.remind(at, write.key.clone());
            }
            let value = layout::encode_record(&record, version, expires_at_millis, &put.value);
            self.batch.edit(record, Some(value));
            let head = Head {
                version,
                expires_at_millis,
            };
            self.batch.records.insert(write.key.clone(), Some(head));
        }
        let numbers = self.number(change, version);
        self.batch.commits += 1;
        if self.batch.commits >= BATCH_COMMITS_MAX || self.batch.bytes >= BATCH_BYTES_MAX {
            self.apply()?;
        }
        Ok(Commit::Done(Done { version, numbers }))
    }

    /// Looks at up to `max` reminders that are due, and removes the records that have expired.
    pub(super) fn sweep(
        &mut self,
        now_millis: u64,
        max: usize,
        removing: impl FnOnce(u64),
    ) -> Result<Swept, Broken> {
        // The database is asked for what is due.
        self.apply()?;
        let due = self.due(now_millis, max)?;
        let mut swept = Swept::default();
        if due.is_empty() {
            return Ok(swept);
        }
        self.commits += 1;
        self.batch.commits += 1;
        removing(self.commits);
        for (key, reminders) in due {
            self.batch.edit(key, None);
            for Reminder { at_millis, key } in reminders {
                if at_millis > now_millis || swept.looked == max {
                    swept.more |= at_millis <= now_millis;
                    self.batch.remind(at_millis, key);
                    continue;
                }
                swept.looked += 1;
                match self.head(&key)?.and_then(|head| head.expires_at_millis) {
                    Some(at) if at <= now_millis => {
                        self.batch.edit(layout::record_key(&key), None);
                        self.batch.records.insert(key, None);
                        swept.removed += 1;
                    }
                    // It was given more time.
                    Some(at) => self.batch.remind(at, key),
                    None => {}
                }
            }
        }
        Ok(swept)
    }

    /// The reminders that are due, and those that lie with them, under their keys: more than `max`
    /// that are due, if there are.
    fn due(&self, now_millis: u64, max: usize) -> Result<Vec<(Vec<u8>, Vec<Reminder>)>, Broken> {
        let mut due = Vec::new();
        let mut count = 0;
        for (from, until) in layout::due(now_millis) {
            self.database
                .items(Bound::Included(from), until, |key, item| {
                    if let Item::Reminders(reminders) = item {
                        count += reminders.partition_point(|next| next.at_millis <= now_millis);
                        due.push((key.to_vec(), reminders));
                    }
                    Ok(count <= max)
                })?;
        }
        Ok(due)
    }

    /// Removes up to `max` of the first entries of a log, if they are numbered below `below`, and
    /// notes where it begins then. The last one stays.
    pub(super) fn trim(
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

    /// Brings everything into the database that is not there yet.
    pub(super) fn apply(&mut self) -> Result<(), Broken> {
        if self.batch.commits == 0 {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.batch);
        let mut edits = batch.edits;
        self.logs.settle(&mut edits);
        reminders::settle(batch.reminders, self.commits, &mut edits);
        let counter = layout::encode_counter(self.commits);
        edits.push((layout::COUNTER.to_vec(), Some(counter)));
        if let Some(told) = &mut self.told {
            told.extend_from_slice(&edits);
        }
        self.database.apply(edits)
    }

    fn head(&self, key: &Key) -> Result<Option<Head>, Broken> {
        match self.batch.records.get(key) {
            Some(head) => Ok(*head),
            None => self
                .database
                .read(&layout::record_key(key), layout::decode_head),
        }
    }

    fn number(&mut self, change: &Change, version: Version) -> Vec<u64> {
        let Batch { edits, bytes, .. } = &mut self.batch;
        let appended = change.appends.iter().map(|append| {
            *bytes += append.entry.len();
            self.logs.append(append.log, version, &append.entry, edits)
        });
        appended.collect()
    }
}

impl Batch {
    fn remind(&mut self, at_millis: u64, key: Key) {
        self.bytes += key.as_bytes().len();
        self.reminders.push(Reminder { at_millis, key });
    }

    fn edit(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.bytes += key.len() + value.as_ref().map_or(0, Vec::len);
        self.edits.push((key, value));
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

/// Whether a record that ends at `at_millis` is looked at in time, because of what it was before.
///
/// A record with an end has a reminder at its end or earlier. So one that is given more time, as a
/// family is with every rotation, needs no other: the sweep renews it when it is due.
fn has_earlier_reminder(before: Option<Head>, at_millis: u64) -> bool {
    before
        .and_then(|head| head.expires_at_millis)
        .is_some_and(|end| end <= at_millis)
}

fn holds(expect: Expect, found: Option<Head>) -> bool {
    match expect {
        Expect::Absent => found.is_none(),
        Expect::Version(version) => found.is_some_and(|record| record.version == version),
    }
}

#[cfg(test)]
mod tests;
