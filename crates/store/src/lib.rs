//! Versioned records: load, commit, scan, sweep, trim, watch, and the laws every backend keeps.
//!
//! A store knows keys, bytes, versions and expiry, and nothing of OAuth. Everything is written by
//! [`Store::commit`]: a [`Change`] states for each record what it expects to find, and lands whole
//! or not at all. What it appends to a [`Log`] is numbered in the same commit, and joins the log's hash
//! [`chain`].
//!
//! ```
//! use countersign_store::{Change, Commit, Key, MemoryStore, Store, Write};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let store = MemoryStore::new();
//! let key = Key::of("client").and("orders");
//!
//! let change = Change::of([Write::create(key.clone(), "first")]);
//! let Commit::Done(done) = store.commit(change).await? else { unreachable!("a fresh store") };
//!
//! let change = Change::of([Write::replace(key.clone(), done.version, "second")]);
//! assert!(matches!(store.commit(change.clone()).await?, Commit::Done(_)));
//! // The same change again expects a version that is no longer there.
//! assert_eq!(store.commit(change).await?, Commit::Conflict(key));
//! # Ok::<(), countersign_store::StoreError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Two backends: [`EmbeddedStore`] keeps its records in a directory and answers a commit only when
//! the disk has it; [`MemoryStore`] is the model that tests compare against. The [`laws`] say what
//! both keep.

pub mod chain;
mod change;
pub mod embedded;
mod error;
mod follow;
mod key;
pub mod laws;
pub mod memory;
mod over;
mod record;
mod store;

pub use chain::EntryHash;
pub use change::{Append, Change, Commit, Done, Expect, Put, Write};
pub use embedded::{EmbeddedStore, OpenError, Options};
pub use error::{Malformed, StoreError};
pub use key::{Key, Log};
pub use memory::MemoryStore;
pub use over::Over;
pub use record::{Anchor, Entry, Page, Swept, Trimmed, Version, Versioned};
pub use store::{Entries, Health, Store};
