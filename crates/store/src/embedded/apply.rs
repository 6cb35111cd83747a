//! Changes, sweeps (`sweep.rs`) and trims (`trim.rs`): what they do to the database.

mod logs;
mod reminders;
mod sweep;
mod trim;

use std::collections::HashMap;

use self::logs::Logs;
use super::layout::{self, Head, Reminder};
use super::upgrade::Tails;
use super::{Broken, Database, Edits};
use crate::{Change, Commit, Done, Expect, Key, Version};

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
