//! A store whose commits are answered when the test says so, long after they were made.

use std::sync::atomic::{AtomicBool, Ordering};

use countersign_store::{
    Anchor, Change, Commit, Entries, Entry, Health, Key, Log, MemoryStore, Page, Store, StoreError,
    Swept, Trimmed, Versioned,
};
use tokio::sync::{Notify, watch};

pub(super) struct Late {
    store: MemoryStore,
    is_late: AtomicBool,
    committed: Notify,
    answer: Notify,
}

impl Late {
    pub(super) fn new(store: MemoryStore) -> Self {
        Self {
            store,
            is_late: AtomicBool::new(false),
            committed: Notify::new(),
            answer: Notify::new(),
        }
    }

    /// The next commit is answered after [`answer`](Self::answer).
    pub(super) fn be_late(&self) {
        self.is_late.store(true, Ordering::Relaxed);
    }

    /// Waits until that commit was made.
    pub(super) async fn committed(&self) {
        self.committed.notified().await;
    }

    pub(super) fn answer(&self) {
        self.answer.notify_one();
    }
}

#[tonic::async_trait]
impl Store for Late {
    async fn load(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, StoreError> {
        self.store.load(keys).await
    }

    async fn commit(&self, change: Change) -> Result<Commit, StoreError> {
        let commit = self.store.commit(change).await;
        if self.is_late.swap(false, Ordering::Relaxed) {
            self.committed.notify_one();
            self.answer.notified().await;
        }
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
