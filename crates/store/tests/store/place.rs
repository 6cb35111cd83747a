//! Places for the laws.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use countersign_store::laws::Place;
use countersign_store::{EmbeddedStore, MemoryStore, Options, Store};
use tempfile::TempDir;

#[derive(Default)]
pub(crate) struct MemoryPlace(MemoryStore);

#[async_trait]
impl Place for MemoryPlace {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.0.reopen())
    }
}

pub(crate) struct DirectoryPlace(TempDir);

impl Default for DirectoryPlace {
    fn default() -> Self {
        Self(tempfile::tempdir().expect("a directory for a test"))
    }
}

impl DirectoryPlace {
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

#[async_trait]
impl Place for DirectoryPlace {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(EmbeddedStore::open(self.path(), Options::default()).expect("the store opens"))
    }
}
