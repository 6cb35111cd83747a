//! How a store fails.

use crate::{Change, Key, Log};

/// Why a store gave no answer. A lost race is no error: see [`Commit`](crate::Commit).
///
/// A reason is for the operator and holds nothing of any record.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreError {
    /// The store failed, now or before; what was asked was not done.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The store failed while the change was under way: it may stand after the next start, or not.
    /// Whoever tries again finds out, by a conflict or by what is there then.
    #[error("the store failed during a commit, whose outcome is unknown: {0}")]
    UnknownOutcome(String),
    /// The store was closed; what was asked was not done.
    #[error("the store is closed")]
    Closed,
    /// The change is one that no store takes; nothing was looked at.
    #[error("the change is malformed: {0}")]
    Malformed(#[from] Malformed),
}

impl StoreError {
    /// A stable name for metrics.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::UnknownOutcome(_) => "unknown_outcome",
            Self::Closed => "closed",
            Self::Malformed(_) => "malformed",
        }
    }
}

/// What is wrong with a change, whatever is in the store.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Malformed {
    /// More writes and appends than [`Change::ITEMS_MAX`].
    #[error("more than {} writes and appends", Change::ITEMS_MAX)]
    TooManyItems,
    /// A key without parts, too long, or not the bytes of a key.
    #[error("a key has at least one part and at most {} bytes", Key::BYTES_MAX)]
    Key,
    /// Two writes of one record.
    #[error("{0} is written twice")]
    WrittenTwice(Key),
    /// A value over [`Change::VALUE_BYTES_MAX`].
    #[error("the value of {0} has more than {max} bytes", max = Change::VALUE_BYTES_MAX)]
    TooLarge(Key),
    /// An entry over [`Change::VALUE_BYTES_MAX`].
    #[error("an entry of {name} has more than {max} bytes", name = .0.name(), max = Change::VALUE_BYTES_MAX)]
    EntryTooLarge(Log),
}
