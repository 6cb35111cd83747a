//! The store as its users see it: reads go to the database, writes to the committer.

use std::fmt;
use std::ops::Bound;
use std::sync::Arc;
use std::thread::JoinHandle;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};

use super::committer::{Answer, Job};
use super::layout;
use super::shared::Shared;
use crate::follow::{self, Pages};
use crate::laws::SCAN_MAX;
use crate::{
    Anchor, Change, Commit, Entries, Entry, Health, Key, Log, Page, Store, StoreError, Swept,
    Trimmed, Versioned,
};

/// A page up to this long is read where it is asked for: longer ones take longer than handing them
/// to another thread.
const INLINE_MAX: usize = 32;

/// The records that one step of a sweep removes, or the entries that one of a trim does. A step
/// shares a group with commits, which are answered with it: so few take about as long as the
/// group's own sync.
const SWEEP_STEP: usize = 32;

/// A store in a directory. Made by [`EmbeddedStore::open`].
///
/// Dropping it ends it too, as [`close`](Store::close) does, and blocks the thread until then.
pub struct EmbeddedStore {
    pub(super) shared: Arc<Shared>,
    /// There until the drop.
    pub(super) jobs: Option<mpsc::Sender<Job>>,
    pub(super) thread: Mutex<Option<JoinHandle<()>>>,
}

impl EmbeddedStore {
    /// Whether everything in the store was read since it was opened, and so is undamaged.
    pub fn inspected(&self) -> watch::Receiver<bool> {
        self.shared.follow_inspection()
    }

    pub(super) async fn ask<T>(&self, job: impl FnOnce(Answer<T>) -> Job) -> Result<T, StoreError> {
        if let Some(refusal) = self.shared.refusal() {
            return Err(refusal);
        }
        let (answer, answered) = oneshot::channel();
        let Some(jobs) = &self.jobs else {
            return Err(StoreError::Closed);
        };
        let asked = async {
            if jobs.send(job(answer)).await.is_err() {
                return Err(self.shared.refusal().unwrap_or(StoreError::Closed));
            }
            answered.await.unwrap_or_else(|_| Err(self.unknown()))
        };
        tokio::select! {
            biased;
            answer = asked => answer,
            () = self.shared.abandoned() => Err(self.unknown()),
        }
    }

    fn unknown(&self) -> StoreError {
        StoreError::UnknownOutcome(match self.shared.refusal() {
            Some(StoreError::Unavailable(reason)) => reason,
            _ => "the store ended".to_owned(),
        })
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn load(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, StoreError> {
        let (records, seen) = self.shared.read(keys)?;
        self.shared.settled(seen).await?;
        Ok(records)
    }

    async fn commit(&self, change: Change) -> Result<Commit, StoreError> {
        change.check()?;
        self.ask(|answer| Job::Commit { change, answer }).await
    }

    async fn scan(
        &self,
        prefix: &Key,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let limit = limit.clamp(1, SCAN_MAX);
        let from = match after.filter(|after| *after >= prefix) {
            Some(after) => Bound::Excluded(layout::record_key(after)),
            None => Bound::Included(layout::record_key(prefix)),
        };
        let prefix = prefix.clone();
        let scan = move |shared: &Shared| shared.scan(&prefix, from, limit);
        let (page, seen) = self.shared.run(limit, scan).await?;
        self.shared.settled(seen).await?;
        Ok(page)
    }

    async fn sweep(&self, now_millis: u64, max: usize) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        loop {
            let max_now = (max - swept.looked).min(SWEEP_STEP);
            let batch = self
                .ask(|answer| Job::Sweep {
                    now_millis,
                    max: max_now,
                    answer,
                })
                .await?;
            swept.looked += batch.looked;
            swept.removed += batch.removed;
            swept.more = batch.more;
            if !batch.more || swept.looked == max {
                return Ok(swept);
            }
        }
    }

    async fn last_number(&self, log: Log) -> Result<u64, StoreError> {
        match self.shared.refusal() {
            Some(refusal) => Err(refusal),
            None => Ok(*self.shared.head(log).borrow()),
        }
    }

    async fn entries(&self, log: Log, from: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.shared.page(log, from, limit).await
    }

    async fn trim(&self, log: Log, below: u64, max: usize) -> Result<Trimmed, StoreError> {
        let mut trimmed = Trimmed::default();
        loop {
            let max_now = (max - trimmed.removed).min(SWEEP_STEP);
            let batch = self
                .ask(|answer| Job::Trim {
                    log,
                    below,
                    max: max_now,
                    answer,
                })
                .await?;
            trimmed.removed += batch.removed;
            trimmed.more = batch.more;
            if !batch.more || trimmed.removed == max {
                return Ok(trimmed);
            }
        }
    }

    async fn start(&self, log: Log) -> Result<Anchor, StoreError> {
        let (anchor, seen) = self.shared.start(log)?;
        self.shared.settled(seen).await?;
        Ok(anchor)
    }

    async fn watch(&self, log: Log, from: u64) -> Result<Entries, StoreError> {
        match self.shared.refusal() {
            Some(refusal) => Err(refusal),
            None => {
                let (head, health) = (self.shared.head(log), self.shared.health());
                let pages = Arc::new(Arc::clone(&self.shared));
                Ok(follow::follow(pages, log, from, head, health))
            }
        }
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.shared.health()
    }

    async fn close(&self) -> Result<(), StoreError> {
        let closed = async {
            if let Some(jobs) = &self.jobs {
                // Refused when it has ended already.
                let _ = jobs.send(Job::Close).await;
            }
            // The sender lives in `self`.
            let mut released = self.shared.released.subscribe();
            let _ = released.wait_for(|released| *released).await;
        };
        tokio::select! {
            () = closed => {}
            // What is on the disk is for the next process to find out.
            () = self.shared.abandoned() => {}
        }
        match self.shared.refusal() {
            Some(StoreError::Closed) | None => Ok(()),
            Some(failed) => Err(failed),
        }
    }
}

impl Shared {
    /// Runs a read here if it is short, and else where it may block.
    async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        limit: usize,
        read: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if limit <= INLINE_MAX {
            return read(self);
        }
        let shared = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || read(&shared)).await;
        read.unwrap_or_else(|_| Err(StoreError::Unavailable("a read was abandoned".to_owned())))
    }
}

#[async_trait]
impl Pages for Arc<Shared> {
    async fn page(&self, log: Log, from: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let limit = limit.clamp(1, SCAN_MAX);
        let read = self.run(limit, move |shared| shared.entries(log, from, limit));
        let (entries, seen) = read.await?;
        self.settled(seen).await?;
        Ok(entries)
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.lock().take()
            && !self.shared.is_abandoned()
        {
            // It catches its panics.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedStore")
            .field("health", &*self.health().borrow())
            .finish()
    }
}
