//! A store that lets others go on before and after each of its steps.

use bytes::Bytes;
use countersign_store::{
    Change, Commit, Expect, Key, MemoryStore, Over, Store, StoreError, Versioned, Write,
};
use shuttle::sync::atomic::{AtomicUsize, Ordering};

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
impl Over for Yielding {
    fn beneath(&self) -> &dyn Store {
        &self.store
    }

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
}
