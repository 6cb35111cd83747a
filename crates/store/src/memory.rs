//! The store as a model: a map behind a lock. For tests, and for what needs to keep nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::follow::{self, Pages};
use crate::laws::SCAN_MAX;
use crate::{
    Anchor, Change, Commit, Done, Entries, Entry, Expect, Health, Key, Log, Page, Store,
    StoreError, Swept, Trimmed, Version, Versioned, chain,
};

/// A store in memory. What it holds lives as long as some handle of it does, closed or not.
#[derive(Default)]
pub struct MemoryStore {
    contents: Arc<Mutex<Contents>>,
    open: Arc<Open>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// A store on the same records, open whatever became of this one: a restart, played.
    #[must_use]
    pub fn reopen(&self) -> Self {
        Self {
            contents: Arc::clone(&self.contents),
            open: Arc::new(Open::default()),
        }
    }

    /// Fails the store as a broken disk would: from now on nothing is taken.
    pub fn fail(&self, reason: &str) {
        self.open.end(Health::Failed(reason.to_owned()));
    }

    fn contents(&self) -> Result<parking_lot::MutexGuard<'_, Contents>, StoreError> {
        self.open.check()?;
        Ok(self.contents.lock())
    }
}

/// The handle's own state, gone after a close.
struct Open {
    health: watch::Sender<Health>,
}

impl Default for Open {
    fn default() -> Self {
        Self {
            health: watch::Sender::new(Health::Serving),
        }
    }
}

impl Open {
    fn check(&self) -> Result<(), StoreError> {
        self.health.borrow().refusal().map_or(Ok(()), Err)
    }

    fn end(&self, how: Health) {
        self.health.send_if_modified(|health| {
            let serving = *health == Health::Serving;
            if serving {
                *health = how;
            }
            serving
        });
    }
}

#[derive(Default)]
struct Contents {
    commits: u64,
    records: BTreeMap<Key, Versioned>,
    expiries: BTreeSet<(u64, Key)>,
    logs: HashMap<Log, Entered>,
}

struct Entered {
    anchor: Anchor,
    /// The entries from the anchor on.
    entries: VecDeque<Entry>,
    head: watch::Sender<u64>,
}

impl Entered {
    fn new(log: Log) -> Self {
        Self {
            anchor: origin(log),
            entries: VecDeque::new(),
            head: watch::Sender::new(0),
        }
    }
}

fn origin(log: Log) -> Anchor {
    Anchor {
        first: 1,
        before: chain::origin(log),
    }
}

impl Contents {
    fn commit(&mut self, change: Change) -> Commit {
        for write in &change.writes {
            let found = self.records.get(&write.key).map(|record| record.version);
            let expected = match write.expect {
                Expect::Absent => None,
                Expect::Version(version) => Some(version),
            };
            if found != expected {
                return Commit::Conflict(write.key.clone());
            }
        }
        self.commits += 1;
        let version = Version::new(self.commits);
        for write in change.writes {
            self.remove(&write.key);
            if let Some(put) = write.put {
                let expires_at_millis = put.expires_at_millis;
                self.expiries
                    .extend(expires_at_millis.map(|at| (at, write.key.clone())));
                let record = Versioned {
                    version,
                    value: put.value,
                    expires_at_millis,
                };
                self.records.insert(write.key, record);
            }
        }
        let numbers = change
            .appends
            .into_iter()
            .map(|a| self.append(a.log, a.entry))
            .collect();
        Commit::Done(Done { version, numbers })
    }

    fn append(&mut self, log: Log, bytes: Bytes) -> u64 {
        let log = self.logs.entry(log).or_insert_with(|| Entered::new(log));
        let before = log
            .entries
            .back()
            .map_or(log.anchor.before, |last| last.hash);
        let number = *log.head.borrow() + 1;
        let hash = chain::next(before, number, &bytes);
        log.entries.push_back(Entry {
            number,
            bytes,
            hash,
        });
        log.head.send_replace(number);
        number
    }

    fn trim(&mut self, log: Log, below: u64, max: usize) -> Trimmed {
        let mut trimmed = Trimmed::default();
        let Some(log) = self.logs.get_mut(&log) else {
            return trimmed;
        };
        while log.entries.len() > 1 && log.anchor.first < below {
            if trimmed.removed == max {
                trimmed.more = true;
                break;
            }
            if let Some(entry) = log.entries.pop_front() {
                log.anchor = Anchor {
                    first: entry.number + 1,
                    before: entry.hash,
                };
                trimmed.removed += 1;
            }
        }
        trimmed
    }

    fn remove(&mut self, key: &Key) {
        let expiry = self
            .records
            .remove(key)
            .and_then(|record| record.expires_at_millis);
        if let Some(at) = expiry {
            self.expiries.remove(&(at, key.clone()));
        }
    }

    fn page(&self, log: Log, from: u64, limit: usize) -> Vec<Entry> {
        let entries = self.logs.get(&log).into_iter().flat_map(|log| &log.entries);
        entries
            .skip_while(|entry| entry.number < from)
            .take(limit.clamp(1, SCAN_MAX))
            .cloned()
            .collect()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn load(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, StoreError> {
        let contents = self.contents()?;
        Ok(keys
            .iter()
            .map(|key| contents.records.get(key).cloned())
            .collect())
    }

    async fn commit(&self, change: Change) -> Result<Commit, StoreError> {
        change.check()?;
        Ok(self.contents()?.commit(change))
    }

    async fn scan(
        &self,
        prefix: &Key,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let contents = self.contents()?;
        let from = match after.filter(|after| *after >= prefix) {
            Some(after) => Bound::Excluded(after),
            None => Bound::Included(prefix),
        };
        let mut found = contents
            .records
            .range::<Key, _>((from, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix));
        let limit = limit.clamp(1, SCAN_MAX);
        let records: Vec<_> = found
            .by_ref()
            .take(limit)
            .map(|(key, record)| (key.clone(), record.clone()))
            .collect();
        let next = found
            .next()
            .and_then(|_| records.last().map(|(key, _)| key.clone()));
        Ok(Page { records, next })
    }

    async fn sweep(&self, now_millis: u64, max: usize) -> Result<Swept, StoreError> {
        let mut contents = self.contents()?;
        let mut due: Vec<Key> = contents
            .expiries
            .iter()
            .take_while(|(at, _)| *at <= now_millis)
            .take(max.saturating_add(1))
            .map(|(_, key)| key.clone())
            .collect();
        let more = due.len() > max;
        due.truncate(max);
        due.iter().for_each(|key| contents.remove(key));
        Ok(Swept {
            looked: due.len(),
            removed: due.len(),
            more,
        })
    }

    async fn last_number(&self, log: Log) -> Result<u64, StoreError> {
        Ok(self
            .contents()?
            .logs
            .get(&log)
            .map_or(0, |log| *log.head.borrow()))
    }

    async fn trim(&self, log: Log, below: u64, max: usize) -> Result<Trimmed, StoreError> {
        Ok(self.contents()?.trim(log, below, max))
    }

    async fn start(&self, log: Log) -> Result<Anchor, StoreError> {
        let contents = self.contents()?;
        let entered = contents.logs.get(&log);
        Ok(entered.map_or_else(|| origin(log), |entered| entered.anchor))
    }

    async fn entries(&self, log: Log, from: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        Ok(self.contents()?.page(log, from, limit))
    }

    async fn watch(&self, log: Log, from: u64) -> Result<Entries, StoreError> {
        let head = self
            .contents()?
            .logs
            .entry(log)
            .or_insert_with(|| Entered::new(log))
            .head
            .subscribe();
        let following = Following {
            contents: Arc::clone(&self.contents),
            open: Arc::clone(&self.open),
        };
        Ok(follow::follow(
            Arc::new(following),
            log,
            from,
            head,
            self.health(),
        ))
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.open.health.subscribe()
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.open.end(Health::Closed);
        Ok(())
    }
}

struct Following {
    contents: Arc<Mutex<Contents>>,
    open: Arc<Open>,
}

#[async_trait]
impl Pages for Following {
    async fn page(&self, log: Log, from: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.open.check()?;
        Ok(self.contents.lock().page(log, from, limit))
    }
}
