//! Stores between the service and its own: one that counts, and one that is
//! wrong on purpose.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use countersign_store::{Change, Commit, Expect, Key, Over, Store, StoreError};

/// Long enough for whoever is under way to read as well before anything is
/// written.
const BETWEEN: Duration = Duration::from_millis(20);

/// What a store does with what a write expects.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Writes {
    /// What the store beneath does: it must be so.
    Conditional,
    /// It is not looked at: whoever has read writes.
    Naive,
}

/// A store that does everything by another.
pub(crate) struct Between {
    store: Arc<dyn Store>,
    writes: Writes,
    /// How often a family was written.
    families: Arc<AtomicUsize>,
}

impl Between {
    pub(crate) fn new(store: Arc<dyn Store>, writes: Writes, families: Arc<AtomicUsize>) -> Self {
        Self {
            store,
            writes,
            families,
        }
    }

    /// Reads, and writes over what is there, whatever the writer believed.
    async fn overwrite(&self, change: Change) -> Result<Commit, StoreError> {
        tokio::time::sleep(BETWEEN).await;
        loop {
            let mut change = change.clone();
            let keys: Vec<Key> = change
                .writes
                .iter()
                .map(|write| write.key.clone())
                .collect();
            let found = self.store.load(&keys).await?;
            for (write, found) in change.writes.iter_mut().zip(found) {
                write.expect = match found {
                    Some(found) => Expect::Version(found.version),
                    None => Expect::Absent,
                };
            }
            if let done @ Commit::Done(_) = self.store.commit(change).await? {
                return Ok(done);
            }
        }
    }
}

#[async_trait]
impl Over for Between {
    fn beneath(&self) -> &dyn Store {
        &*self.store
    }

    async fn commit(&self, change: Change) -> Result<Commit, StoreError> {
        let family = Key::of("family");
        let writes = change.writes.iter();
        let families = writes
            .filter(|write| write.key.starts_with(&family))
            .count();
        let commit = match self.writes {
            Writes::Conditional => self.store.commit(change).await,
            Writes::Naive => self.overwrite(change).await,
        };
        if let Ok(Commit::Done(_)) = commit {
            self.families.fetch_add(families, Ordering::SeqCst);
        }
        commit
    }
}
