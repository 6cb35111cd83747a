//! A store whose commits are answered when the test says so, long after they were made.

use std::sync::atomic::{AtomicBool, Ordering};

use countersign_store::{Change, Commit, MemoryStore, Over, Store, StoreError};
use tokio::sync::Notify;

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
impl Over for Late {
    fn beneath(&self) -> &dyn Store {
        &self.store
    }

    async fn commit(&self, change: Change) -> Result<Commit, StoreError> {
        let commit = self.store.commit(change).await;
        if self.is_late.swap(false, Ordering::Relaxed) {
            self.committed.notify_one();
            self.answer.notified().await;
        }
        commit
    }
}
