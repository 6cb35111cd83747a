//! The laws for both backends, and what each promises beyond them.

mod place;

use place::{DirectoryPlace, MemoryPlace};

countersign_store::store_laws!(memory, MemoryPlace::default());
countersign_store::store_laws!(embedded, DirectoryPlace::default());
