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

pub(crate) struct DirectoryPlace {
    directory: TempDir,
    options: Options,
}

impl Default for DirectoryPlace {
    fn default() -> Self {
        Self {
            directory: tempfile::tempdir().expect("a directory for a test"),
            options: Options::default(),
        }
    }
}

impl DirectoryPlace {
    /// One that takes every database for a large one.
    pub(crate) fn large() -> Self {
        Self {
            options: large(),
            ..Self::default()
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// No database is small enough to be read whole before it serves.
pub(crate) fn large() -> Options {
    Options {
        whole_bytes_max: 0,
        ..Options::default()
    }
}

#[async_trait]
impl Place for DirectoryPlace {
    async fn open(&self) -> Arc<dyn Store> {
        let opened = EmbeddedStore::open(self.path(), self.options.clone());
        Arc::new(opened.expect("the store opens"))
    }
}
