//! Stores that do everything by another one, but for what they come between.

use async_trait::async_trait;
use tokio::sync::watch;

use crate::{
    Anchor, Change, Commit, Entries, Entry, Health, Key, Log, Page, Store, StoreError, Swept,
    Trimmed, Versioned,
};

/// A store over another one: whoever implements this is a [`Store`], and comes between where it
/// overrides a method. For stores that count, wait, or are wrong on purpose.
///
/// It keeps the laws as far as what it overrides does.
#[async_trait]
pub trait Over: Send + Sync + 'static {
    /// The store that does the work.
    fn beneath(&self) -> &dyn Store;

    /// As [`Store::load`].
    ///
    /// # Errors
    /// As the store beneath.
    async fn load(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, StoreError> {
        self.beneath().load(keys).await
    }

    /// As [`Store::commit`].
    ///
    /// # Errors
    /// As the store beneath.
    async fn commit(&self, change: Change) -> Result<Commit, StoreError> {
        self.beneath().commit(change).await
    }

    /// As [`Store::scan`].
    ///
    /// # Errors
    /// As the store beneath.
    async fn scan(
        &self,
        prefix: &Key,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.beneath().scan(prefix, after, limit).await
    }
}

#[async_trait]
impl<T: Over> Store for T {
    async fn load(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, StoreError> {
        Over::load(self, keys).await
    }

    async fn commit(&self, change: Change) -> Result<Commit, StoreError> {
        Over::commit(self, change).await
    }

    async fn scan(
        &self,
        prefix: &Key,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        Over::scan(self, prefix, after, limit).await
    }

    async fn sweep(&self, now_millis: u64, max: usize) -> Result<Swept, StoreError> {
        self.beneath().sweep(now_millis, max).await
    }

    async fn last_number(&self, log: Log) -> Result<u64, StoreError> {
        self.beneath().last_number(log).await
    }

    async fn entries(&self, log: Log, from: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.beneath().entries(log, from, limit).await
    }

    async fn trim(&self, log: Log, below: u64, max: usize) -> Result<Trimmed, StoreError> {
        self.beneath().trim(log, below, max).await
    }

    async fn start(&self, log: Log) -> Result<Anchor, StoreError> {
        self.beneath().start(log).await
    }

    async fn watch(&self, log: Log, from: u64) -> Result<Entries, StoreError> {
        self.beneath().watch(log, from).await
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.beneath().health()
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.beneath().close().await
    }
}
