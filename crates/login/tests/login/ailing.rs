//! A store that takes nothing for a while, and what the application says of it.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use countersign_store::{
    Anchor, Change, Commit, Entries, Entry, Health, Key, Log, MemoryStore, Page, Store, StoreError,
    Swept, Trimmed, Versioned,
};
use parking_lot::Mutex;
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

/// What a full disk says.
pub(crate) const FULL: &str = "no space left on device";

/// Reads as ever, and refuses to write where a test says so.
#[derive(Default)]
pub(crate) struct Ailing {
    store: MemoryStore,
    refuses: AtomicBool,
}

impl Ailing {
    pub(crate) fn refuse(&self, refuses: bool) {
        self.refuses.store(refuses, Ordering::SeqCst);
    }
}

#[async_trait]
impl Store for Ailing {
    async fn load(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, StoreError> {
        self.store.load(keys).await
    }

    async fn commit(&self, change: Change) -> Result<Commit, StoreError> {
        match self.refuses.load(Ordering::SeqCst) {
            true => Err(StoreError::Unavailable(FULL.to_owned())),
            false => self.store.commit(change).await,
        }
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

/// What the platform's crates logged in this process, at every level, whichever test it was.
#[derive(Clone, Default)]
pub(crate) struct Said(Arc<Mutex<Vec<u8>>>);

static SAID: OnceLock<Said> = OnceLock::new();

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Said {
    pub(crate) fn begin() -> &'static Self {
        SAID.get_or_init(|| {
            let said = Self::default();
            let writer = said.clone();
            // The pages are served by tasks of the runtime, not by the test.
            tracing_subscriber::fmt()
                .with_env_filter(EnvFilter::new("off,countersign=trace"))
                .with_ansi(false)
                .with_writer(move || writer.clone())
                .init();
            said
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).unwrap()
    }
}
