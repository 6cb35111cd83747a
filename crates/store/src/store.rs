//! What every backend offers. Each "must" below is a law: see [`crate::laws`].

use std::pin::Pin;

use async_trait::async_trait;
use futures_core::Stream;
use tokio::sync::watch;

use crate::{Anchor, Change, Commit, Entry, Key, Log, Page, StoreError, Swept, Trimmed, Versioned};

/// The entries of a log, as they come. Ends when the store is closed; after an error it ends too.
pub type Entries = Pin<Box<dyn Stream<Item = Result<Entry, StoreError>> + Send>>;

/// Versioned records and numbered logs.
///
/// Expiry is not the store's to judge: an expired record is there until a sweep removed it
/// (`expired_records_are_returned_until_swept`). The decision that reads it knows the time.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Reads records: an answer for each key, in the order of the keys (`a_load_answers_in_order`).
    ///
    /// What it returns must stay: it never returns a record, or the absence of one, that a crash
    /// could still undo (`what_is_read_is_durable`), so an answer built on it may leave at once.
    /// Keys are read one by one: another commit may fall between two of them. A decision that
    /// writes learns of it by its expectations.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Closed`].
    async fn load(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, StoreError>;

    /// Writes a change, if every record is what its write expects.
    ///
    /// - All writes and appends must land, or none (`a_change_is_all_or_nothing`).
    /// - An expectation that does not hold must conflict and name the key
    ///   (`a_wrong_expectation_conflicts`), also where two commits race: exactly one of them is
    ///   done (`of_two_racing_commits_one_is_done`).
    /// - What was answered must survive a restart (`what_is_acknowledged_survives`).
    /// - Versions must grow, and none may come twice, even after a deletion or a restart
    ///   (`a_version_never_returns`).
    /// - Appends must be numbered from 1 without a gap, for each log by itself, in the order of
    ///   the commits (`entries_are_numbered_without_a_gap`), and each must carry the hash that
    ///   follows from its bytes and the entry before it (`entries_form_a_chain`): see
    ///   [`chain`](crate::chain).
    /// - A malformed change must be refused whole (`a_malformed_change_is_refused`).
    /// - An empty change must be done, and everything before it is then durable
    ///   (`an_empty_change_is_done`).
    ///
    /// A caller that stops waiting does not undo its commit.
    ///
    /// # Errors
    /// [`StoreError`]; only [`StoreError::UnknownOutcome`] may have written.
    async fn commit(&self, change: Change) -> Result<Commit, StoreError>;

    /// Reads up to `limit` records under `prefix` (at least 1, at most [`SCAN_MAX`]), in the order
    /// of their keys, after the key `after`.
    ///
    /// Following `next` must visit every record that is there throughout exactly once
    /// (`a_scan_visits_each_record_once`), and nothing that is not under the prefix
    /// (`a_scan_stays_under_its_prefix`).
    ///
    /// # Errors
    /// As [`load`](Self::load).
    ///
    /// [`SCAN_MAX`]: crate::laws::SCAN_MAX
    async fn scan(
        &self,
        prefix: &Key,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Page, StoreError>;

    /// Looks at up to `max` records that may have expired, in no particular order, and removes those
    /// whose expiry is at or before `now_millis`, in batches between which commits go on.
    ///
    /// Repeated until there is no more, it must remove these and no others
    /// (`a_sweep_removes_what_has_expired`), look at no more than `max` (`a_sweep_is_bounded`), and
    /// go by the expiry that a record has now, not by an earlier one
    /// (`a_sweep_goes_by_the_latest_expiry`). Its cost is what it looks at, not what is there: a
    /// record that was given more time may be looked at once for the time that it had.
    ///
    /// # Errors
    /// As [`commit`](Self::commit); records may have been removed before the error.
    async fn sweep(&self, now_millis: u64, max: usize) -> Result<Swept, StoreError>;

    /// The number of the last durable entry of `log`; 0 when it has none.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    async fn last_number(&self, log: Log) -> Result<u64, StoreError>;

    /// Reads up to `limit` entries of `log` (at least 1, at most [`SCAN_MAX`]) from the number
    /// `from` on (`a_log_is_read_by_pages`); where that one was trimmed, a page must begin at the
    /// first that is kept (`a_trimmed_log_is_read_from_its_start`).
    ///
    /// # Errors
    /// As [`load`](Self::load).
    ///
    /// [`SCAN_MAX`]: crate::laws::SCAN_MAX
    async fn entries(&self, log: Log, from: u64, limit: usize) -> Result<Vec<Entry>, StoreError>;

    /// Removes entries of `log` whose number is below `below`, oldest first, at most `max` of them,
    /// in batches between which commits go on.
    ///
    /// It must remove no more than asked for, and say whether there is more (`a_trim_is_bounded`);
    /// the last entry of a log must stay, so that numbers and hashes go on from it
    /// (`a_trim_keeps_the_last_entry`). With the entries that go, and in the same commit, their
    /// last number and hash must be kept: what [`start`](Self::start) then says
    /// (`a_trimmed_log_keeps_its_anchor`).
    ///
    /// # Errors
    /// As [`commit`](Self::commit); entries may have been removed before the error.
    async fn trim(&self, log: Log, below: u64, max: usize) -> Result<Trimmed, StoreError>;

    /// Where `log` begins by now: its first entry that is kept, and the hash of what was before.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    async fn start(&self, log: Log) -> Result<Anchor, StoreError>;

    /// Follows `log` from the number `from` (0 is as 1), or from the first entry that is kept: what
    /// is there, then what comes. A follower that a trim overtakes goes on with the first that is
    /// kept; the numbers show it.
    ///
    /// Every entry from there on must come once, in order
    /// (`a_watch_has_no_gap_and_no_duplicate`), when it is durable and not before; the stream must
    /// end when the store is closed (`a_watch_ends_with_the_store`).
    ///
    /// # Errors
    /// As [`load`](Self::load).
    async fn watch(&self, log: Log, from: u64) -> Result<Entries, StoreError>;

    /// Whether the store can be relied on, as it changes. It never becomes well again.
    fn health(&self) -> watch::Receiver<Health>;

    /// Ends the store: finishes the commits that are under way, makes everything durable, lets go
    /// of what it held. From then on every call must answer [`StoreError::Closed`]
    /// (`a_closed_store_says_so`); closing it again is nothing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the end was not a clean one.
    async fn close(&self) -> Result<(), StoreError>;
}

/// Whether a store can be relied on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Health {
    /// It takes commits.
    Serving,
    /// It failed, for this reason, and takes no more commits: whoever runs it should end, and
    /// start anew from what is on the disk.
    Failed(String),
    /// It was closed.
    Closed,
}

impl Health {
    /// What a call is answered that comes now; nothing while the store serves.
    pub(crate) fn refusal(&self) -> Option<StoreError> {
        match self {
            Self::Serving => None,
            Self::Failed(reason) => Some(StoreError::Unavailable(reason.clone())),
            Self::Closed => Some(StoreError::Closed),
        }
    }
}
