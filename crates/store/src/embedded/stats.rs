//! How large a store is and how busy, while it serves.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Instant;

use super::EmbeddedStore;
use super::layout;
use crate::{Key, StoreError};

/// Items counted in one go, with a rest of as long after it.
const STEP: usize = 256;

/// Kinds of records that are counted by themselves. A service has a dozen.
const KINDS_MAX: usize = 256;

/// What costs nothing to know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stats {
    /// The last durable commit.
    pub commits: u64,
    /// The number of the last durable entry of each log, by name.
    pub logs: BTreeMap<String, u64>,
    /// How much the database takes on the disk.
    pub disk_bytes: u64,
    /// Whether everything was read since the start, and so is undamaged.
    pub inspected: bool,
    /// How many commits and the like wait to be taken up.
    pub waiting: usize,
    /// How many may; who comes then waits to be let in.
    pub waiting_max: usize,
}

/// What has to be counted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// How many records there are, by the first part of their key. Records that come and go while
    /// they are counted may be among them or not.
    pub records: BTreeMap<String, u64>,
}

impl EmbeddedStore {
    /// How the store is, from what it has at hand.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Closed`].
    pub fn stats(&self) -> Result<Stats, StoreError> {
        let jobs = self.jobs.as_ref().ok_or(StoreError::Closed)?;
        Ok(Stats {
            disk_bytes: self.shared.disk_bytes()?,
            commits: *self.shared.follow_durable().borrow(),
            logs: self.shared.heads(),
            inspected: *self.inspected().borrow(),
            waiting: jobs.max_capacity() - jobs.capacity(),
            waiting_max: jobs.max_capacity(),
        })
    }

    /// Counts the records: reads all of them, a few at a time, with rests as long as the reading
    /// took. Dropping it ends it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Closed`].
    pub async fn count(&self) -> Result<Counts, StoreError> {
        let mut counts = Counts::default();
        let mut from = Some(Bound::Included(layout::record_key(&Key::new([""; 0]))));
        while let Some(bound) = from.take() {
            let shared = Arc::clone(&self.shared);
            let step = move || {
                let begun = Instant::now();
                let mut kinds = Vec::new();
                let last = shared.copy(bound, STEP, |key, _| kinds.extend(layout::kind_of(key)))?;
                Ok((kinds, last, begun.elapsed()))
            };
            let read = tokio::task::spawn_blocking(step).await;
            let (kinds, last, rest) = read.unwrap_or_else(|_| {
                Err(StoreError::Unavailable("a read was abandoned".to_owned()))
            })?;
            let ended = kinds.is_empty();
            for kind in kinds {
                count_kind(&mut counts.records, kind);
            }
            from = last.filter(|_| !ended).map(Bound::Excluded);
            tokio::time::sleep(rest).await;
        }
        Ok(counts)
    }
}

/// Counts a record of this kind, or among the others when there are too many kinds.
pub(super) fn count_kind(records: &mut BTreeMap<String, u64>, kind: String) {
    let known = records.len() < KINDS_MAX || records.contains_key(&kind);
    let kind = if known { kind } else { "(others)".to_owned() };
    *records.entry(kind).or_default() += 1;
}
