//! A store that lets others go on before and after each of its steps.

use bytes::Bytes;
use countersign_store::{
    Anchor, Change, Commit, Entries, Entry, Expect, Health, Key, Log, MemoryStore, Page, Store,
    StoreError, Swept, Trimmed, Versioned, Write,
};
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::watch;

pub(super) struct Yielding {
    pub(super) store: MemoryStore,
    /// Whether what a write expects is looked at in one step, and written in another.
    pub(super) naive: bool,
    steps: AtomicUsize,
}

impl Yielding {
    /// A store with these records.
    pub(super) async fn with(records: &[(Key, Bytes)], naive: bool) -> Self {
        let store = MemoryStore::new();
        let writes = records
            .iter()
            .map(|(key, value)| Write::create(key.clone(), value.clone()));
        let written = store.commit(Change::of(writes)).await;
        assert!(matches!(written, Ok(Commit::Done(_))));
        Self {
            store,
            naive,
            steps: AtomicUsize::new(0),
        }
    }

    /// The scheduler decides who goes on. Not a yield: to that it would answer that whoever yields
    /// comes last, and so try little.
    fn others_may_go_on(&self) {
        self.steps.fetch_add(1, Ordering::SeqCst);
    }

    /// The planted mistake: everything is as expected, then it is written.
    async fn read_then_write(&self, mut change: Change) -> Result<Commit, StoreError> {
        let keys: Vec<Key> = change
            .writes
            .iter()
            .map(|write| write.key.clone())
            .collect();
        let found = self.store.load(&keys).await?;
        for (write, found) in change.writes.iter().zip(found) {
            let expected = match write.expect {
                Expect::Absent => None,
                Expect::Version(version) => Some(version),
            };
            if found.map(|found| found.version) != expected {
                return Ok(Commit::Conflict(write.key.clone()));
            }
        }
        self.others_may_go_on();
        let found = self.store.load(&keys).await?;
        for (write, found) in change.writes.iter_mut().zip(found) {
            write.expect = found.map_or(Expect::Absent, |found| Expect::Version(found.version));
        }
        self.store.commit(change).await
    }
}

#[tonic::async_trait]
impl Store for Yielding {
    async fn load(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, StoreError> {
        self.others_may_go_on();
        let found = self.store.load(keys).await;
        self.others_may_go_on();
        found
    }

    async fn commit(&self, change: Change) -> Result<Commit, StoreError> {
        self.others_may_go_on();
        let commit = match self.naive {
            true => self.read_then_write(change).await,
            false => self.store.commit(change).await,
        };
        self.others_may_go_on();
        commit
    }

    async fn scan(
        &self,
        prefix: &Key,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.store.scan(prefix, after, limit).await
    }

    async fn sweep(&self, now_millis: u64, max: usize) -> Result<Swept, StoreError> {
        self.store.sweep(now_millis, max).await
    }

    async fn last_number(&self, log: Log) -> Result<u64, StoreError> {
        self.store.last_number(log).await
    }

    async fn entries(&self, log: Log, from: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.store.entries(log, from, limit).await
    }

    async fn trim(&self, log: Log, below: u64, max: usize) -> Result<Trimmed, StoreError> {
        self.store.trim(log, below, max).await
    }

    async fn start(&self, log: Log) -> Result<Anchor, StoreError> {
        self.store.start(log).await
    }

    async fn watch(&self, log: Log, from: u64) -> Result<Entries, StoreError> {
        self.store.watch(log, from).await
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.store.health()
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.store.close().await
    }
}
