//! What the committer, the readers and the followers of a store have in common.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use tokio::sync::{Semaphore, watch};

use super::backup::BACKUPS_MAX;
use super::contents::Contents;
use super::layout::{self, Entered, Item};
use super::{Broken, Database};
use crate::{Anchor, Entry, Health, Key, Log, Page, StoreError, Versioned, chain};

pub(super) struct Shared {
    /// The database, until the store ends. Taken for writing only then.
    database: RwLock<Option<Arc<Database>>>,
    /// The last commit that the disk has.
    durable: watch::Sender<u64>,
    /// The last commit that took a record away.
    removed: AtomicU64,
    /// The last durable entry of each log.
    heads: Mutex<HashMap<Box<str>, watch::Sender<u64>>>,
    health: watch::Sender<Health>,
    /// What a backup takes, so that there are few at once.
    pub(super) backups: Arc<Semaphore>,
    last_backup: AtomicU64,
    /// Whether everything was read since the start.
    inspected: watch::Sender<bool>,
    /// Whether the committer has ended, and let go of the directory.
    pub(super) released: watch::Sender<bool>,
    /// Whether nobody waits for the committer any more: it does not come back.
    abandoned: watch::Sender<bool>,
    /// What times are told from.
    begun: Instant,
    /// Since when the committer is at work, in milliseconds after `begun` and one more; 0 while it
    /// waits for work.
    busy_since: AtomicU64,
}

impl Shared {
    pub(super) fn new(database: Arc<Database>, contents: &Contents) -> Self {
        let heads = contents
            .heads
            .iter()
            .map(|(log, &(number, _))| (log.clone(), watch::Sender::new(number)));
        Self {
            database: RwLock::new(Some(database)),
            durable: watch::Sender::new(contents.commits),
            removed: AtomicU64::new(0),
            heads: Mutex::new(heads.collect()),
            health: watch::Sender::new(Health::Serving),
            backups: Arc::new(Semaphore::new(BACKUPS_MAX)),
            last_backup: AtomicU64::new(0),
            inspected: watch::Sender::new(contents.whole),
            released: watch::Sender::new(false),
            abandoned: watch::Sender::new(false),
            begun: Instant::now(),
            busy_since: AtomicU64::new(0),
        }
    }

    /// The committer begins to work.
    pub(super) fn busy(&self) {
        self.busy_since.store(self.millis() + 1, Ordering::Relaxed);
    }

    /// The committer waits for work.
    pub(super) fn idle(&self) {
        self.busy_since.store(0, Ordering::Relaxed);
    }

    /// How long the committer has been at one piece of work.
    pub(super) fn busy_for(&self) -> Option<Duration> {
        let since = self.busy_since.load(Ordering::Relaxed).checked_sub(1)?;
        Some(Duration::from_millis(self.millis().saturating_sub(since)))
    }

    fn millis(&self) -> u64 {
        // It takes half an eternity to reach the limit.
        self.begun.elapsed().as_millis() as u64
    }

    /// Nobody waits for the committer any more.
    pub(super) fn abandon(&self) {
        self.abandoned.send_replace(true);
    }

    /// Whether nobody waits any more.
    pub(super) fn is_abandoned(&self) -> bool {
        *self.abandoned.borrow()
    }

    /// Until nobody should wait any more.
    pub(super) async fn abandoned(&self) {
        // The sender lives in `self`.
        let _ = self
            .abandoned
            .subscribe()
            .wait_for(|abandoned| *abandoned)
            .await;
    }

    /// The records of some keys, with what they need to be durable.
    pub(super) fn read(&self, keys: &[Key]) -> Result<(Vec<Option<Versioned>>, Seen), StoreError> {
        let database = self.database()?;
        let mut seen = Seen::default();
        let mut records = Vec::with_capacity(keys.len());
        for key in keys {
            let record = database.read(&layout::record_key(key), layout::decode_record);
            let record = record.map_err(|broken| self.broken(&broken))?;
            match &record {
                Some(record) => seen.commit(record.version.as_u64()),
                None => seen.absence(),
            }
            records.push(record);
        }
        Ok((records, seen))
    }

    /// A page of records, with what it needs to be durable.
    pub(super) fn scan(
        &self,
        prefix: &Key,
        from: std::ops::Bound<Vec<u8>>,
        limit: usize,
    ) -> Result<(Page, Seen), StoreError> {
        let found = self
            .database()?
            .range(from, layout::records_end(prefix), limit + 1);
        let mut seen = Seen::default();
        // What is missing from a page shows nowhere in it.
        seen.absence();
        let mut page = Page::default();
        for item in found.map_err(|broken| self.broken(&broken))? {
            let Item::Record { key, record } = item else {
                continue;
            };
            if page.records.len() == limit {
                page.next = page.records.last().map(|(key, _)| key.clone());
                break;
            }
            seen.commit(record.version.as_u64());
            page.records.push((key, record));
        }
        Ok((page, seen))
    }

    /// Entries of a log up to its durable head, with what they need to be durable.
    pub(super) fn entries(
        &self,
        log: Log,
        from: u64,
        limit: usize,
    ) -> Result<(Vec<Entry>, Seen), StoreError> {
        let head = *self.head(log).borrow();
        let wanted = from.max(1);
        let from = std::ops::Bound::Included(layout::entry_key(log.name(), wanted));
        let until = layout::entries_end(log.name());
        let mut entries: Vec<Entry> = Vec::new();
        let read = self.database()?.items(from, until, |_, item| {
            let Item::Entries { entries: found, .. } = item else {
                return Ok(true);
            };
            for found in found {
                if found.number > head || entries.len() == limit {
                    return Ok(false);
                }
                // A trim fell between two reads: what was read before it is gone by now.
                if entries
                    .last()
                    .is_some_and(|last| last.number + 1 < found.number)
                {
                    entries.clear();
                }
                if found.number >= wanted {
                    entries.push(entry(found)?);
                }
            }
            Ok(entries.len() < limit)
        });
        read.map_err(|broken| self.broken(&broken))?;
        let mut seen = Seen::default();
        if entries.first().is_some_and(|first| first.number > wanted) {
            seen.absence();
        }
        Ok((entries, seen))
    }

    /// Where a log begins, with what that needs to be durable.
    pub(super) fn start(&self, log: Log) -> Result<(Anchor, Seen), StoreError> {
        let key = layout::anchor_key(log.name());
        let trimmed = self.database()?.read(&key, layout::decode_anchor);
        let trimmed = trimmed.map_err(|broken| self.broken(&broken))?;
        let mut seen = Seen::default();
        seen.absence();
        let anchor = match trimmed {
            Some(trimmed) => Anchor {
                first: trimmed.number + 1,
                before: trimmed.hash,
            },
            None => Anchor {
                first: 1,
                before: chain::origin(log),
            },
        };
        Ok((anchor, seen))
    }

    /// Reads a few items, to see that they can be read. Returns the key of the last, if there may
    /// be more.
    pub(super) fn inspect(
        &self,
        from: std::ops::Bound<Vec<u8>>,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.copy(from, limit, |_, _| {})
    }

    /// Shows a few keys and their values, as they lie in the database. Returns the last key, if
    /// there may be more.
    pub(super) fn copy(
        &self,
        from: std::ops::Bound<Vec<u8>>,
        limit: usize,
        mut copy: impl FnMut(&[u8], &[u8]),
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let copied = self.database()?.visit(from, limit, |key, value| {
            Item::decode(key, value)?;
            copy(key, value);
            Ok(())
        });
        copied.map_err(|broken| self.broken(&broken))
    }

    /// A number for a backup, which no other has.
    pub(super) fn next_backup(&self) -> u64 {
        self.last_backup.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Everything was read.
    pub(super) fn inspected(&self) {
        self.inspected.send_replace(true);
        tracing::info!("everything in the store was read, and is undamaged");
    }

    pub(super) fn follow_inspection(&self) -> watch::Receiver<bool> {
        self.inspected.subscribe()
    }

    /// Waits until a crash can no longer undo what was seen. Most of what is read is old, and does
    /// not wait.
    pub(super) async fn settled(&self, seen: Seen) -> Result<(), StoreError> {
        let removed = if seen.absence {
            self.removed.load(Ordering::SeqCst)
        } else {
            0
        };
        let commit = seen.commit.max(removed);
        if *self.durable.borrow() >= commit {
            return Ok(());
        }
        let (mut durable, mut health) = (self.durable.subscribe(), self.health());
        tokio::select! {
            biased;
            // The senders live in `self`, so there is always one.
            _ = durable.wait_for(|durable| *durable >= commit) => Ok(()),
            health = health.wait_for(|health| *health != Health::Serving) => {
                Err(health.ok().and_then(|health| health.refusal()).unwrap_or(StoreError::Closed))
            }
        }
    }

    /// The number of the last durable entry of a log, as it moves.
    pub(super) fn head(&self, log: Log) -> watch::Receiver<u64> {
        self.heads
            .lock()
            .entry(log.name().into())
            .or_default()
            .subscribe()
    }

    /// The number of the last durable entry of each log that has one.
    pub(super) fn heads(&self) -> BTreeMap<String, u64> {
        let heads = self.heads.lock();
        let heads = heads
            .iter()
            .map(|(log, head)| (log.to_string(), *head.borrow()));
        heads.filter(|(_, head)| *head > 0).collect()
    }

    /// How much the database takes on the disk.
    pub(super) fn disk_bytes(&self) -> Result<u64, StoreError> {
        let bytes = self.database()?.bytes();
        bytes.map_err(|error| StoreError::Unavailable(format!("its size is unknown: {error}")))
    }

    /// A record is about to be taken away by this commit. Told before it happens, so that whoever
    /// finds it gone also finds this.
    pub(super) fn removing(&self, commit: u64) {
        self.removed.store(commit, Ordering::SeqCst);
    }

    /// The disk has all commits up to this one.
    pub(super) fn durable(&self, commit: u64, logs: &HashMap<Box<str>, u64>) {
        self.durable.send_replace(commit);
        if logs.is_empty() {
            return;
        }
        let mut heads = self.heads.lock();
        for (log, &number) in logs {
            heads.entry(log.clone()).or_default().send_replace(number);
        }
    }

    pub(super) fn follow_durable(&self) -> watch::Receiver<u64> {
        self.durable.subscribe()
    }

    pub(super) fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    /// What a call is answered that comes now; nothing while the store serves.
    pub(super) fn refusal(&self) -> Option<StoreError> {
        self.health.borrow().refusal()
    }

    /// Ends the store for this reason, unless it has ended.
    pub(super) fn fail(&self, reason: &str) {
        if self.end(Health::Failed(reason.to_owned())) {
            tracing::error!("the store failed and takes no more commits: {reason}");
        }
    }

    pub(super) fn end(&self, how: Health) -> bool {
        self.health.send_if_modified(|health| {
            let serving = *health == Health::Serving;
            if serving {
                *health = how;
            }
            serving
        })
    }

    /// Takes the database away from the readers.
    pub(super) fn retire(&self) -> Option<Arc<Database>> {
        self.database.write().take()
    }

    pub(super) fn database(&self) -> Result<Arc<Database>, StoreError> {
        let database = self.database.read().clone();
        match self.refusal() {
            Some(refusal) => Err(refusal),
            None => database.ok_or(StoreError::Closed),
        }
    }

    /// A reader met damage: nothing of this database can be trusted.
    fn broken(&self, broken: &Broken) -> StoreError {
        self.fail(&broken.0);
        StoreError::Unavailable(broken.0.clone())
    }
}

fn entry(entered: Entered) -> Result<Entry, Broken> {
    match entered.hash {
        Some(hash) => Ok(Entry {
            number: entered.number,
            bytes: entered.bytes,
            hash,
        }),
        // The start gave one to each that had none.
        None => Err(Broken::new("an entry of a log has no hash")),
    }
}

/// What has to be durable before an answer may be built on what was read.
#[derive(Copy, Clone, Default)]
pub(super) struct Seen {
    commit: u64,
    absence: bool,
}

impl Seen {
    fn commit(&mut self, commit: u64) {
        self.commit = self.commit.max(commit);
    }

    fn absence(&mut self) {
        self.absence = true;
    }
}
