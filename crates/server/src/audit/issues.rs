//! Tokens that were issued without anything else being written, on their way to their log.
//!
//! A call pays for encoding one event and for putting it here. One task gathers them into blocks
//! and commits these. Nobody waits for room: what finds none is counted, and the count is told: in
//! the log of issuances, in the audit log, and to the operator once a second.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use countersign_jose::UnixTime;
use countersign_store::{Change, StoreError};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tracing::{error, warn};

use super::Audit;
use crate::record;
use crate::records::Records;

/// How long an event waits for others, and what a killed process loses: four commits a second
/// cost nothing, and an operator does not notice the delay.
const GATHERED: Duration = Duration::from_millis(250);

/// A block: some 100 events. Large enough that its key, its number and its commit cost an event
/// nothing; small enough that all of its events, each with number and hash, fit into one answer.
const BLOCK_BYTES_MAX: usize = 24 * 1024;

/// Events that wait, or are being written: a disk that stands still for more than a second, at
/// 30,000 issues a second of 200 bytes each.
const WAITING_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Blocks of one commit, 1 MiB: other commits wait for no more than that.
const BLOCKS_PER_COMMIT: usize = 32;

/// One line in so long, while events are dropped.
const SAID_EVERY: Duration = Duration::from_secs(1);

/// How often something happened, and from when to when.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Times {
    pub(crate) count: u64,
    pub(crate) first: UnixTime,
    pub(crate) last: UnixTime,
}

/// Events on their way.
#[derive(Default)]
pub(super) struct Issues {
    waiting: Mutex<Waiting>,
    /// There is something to write.
    begun: Notify,
    /// There is a whole block to write.
    full: Notify,
}

#[derive(Default)]
struct Waiting {
    /// The block that is being filled.
    open: Vec<u8>,
    full: Vec<Vec<u8>>,
    /// Of all events that wait or are being written.
    bytes: usize,
    dropped: Times,
}

/// What goes into one commit.
#[derive(Default)]
struct Batch {
    blocks: Vec<Vec<u8>>,
    dropped: Times,
}

impl Issues {
    /// Adds a block of one event, which happened `at` that time. Never waits.
    pub(super) fn add(&self, event: &[u8], at: UnixTime) {
        let mut waiting = self.waiting.lock();
        if waiting.bytes + event.len() > WAITING_BYTES_MAX {
            waiting.dropped.add(at);
            // Nothing else may come that wakes anybody.
            self.begun.notify_one();
            return;
        }
        waiting.bytes += event.len();
        if waiting.open.len() + event.len() > BLOCK_BYTES_MAX {
            let block = std::mem::replace(&mut waiting.open, Vec::with_capacity(BLOCK_BYTES_MAX));
            waiting.full.push(block);
            self.full.notify_one();
        }
        let first = waiting.open.is_empty();
        waiting.open.extend_from_slice(event);
        drop(waiting);
        if first {
            self.begun.notify_one();
        }
    }

    fn take(&self) -> Batch {
        let mut waiting = self.waiting.lock();
        let whole = waiting.full.len().min(BLOCKS_PER_COMMIT);
        let mut blocks: Vec<_> = waiting.full.drain(..whole).collect();
        if blocks.len() < BLOCKS_PER_COMMIT && !waiting.open.is_empty() {
            blocks.push(std::mem::take(&mut waiting.open));
        }
        Batch {
            blocks,
            dropped: std::mem::take(&mut waiting.dropped),
        }
    }

    /// Takes away what waits, and returns its bytes.
    #[cfg(feature = "seed")]
    pub(super) fn emptied(&self) -> usize {
        let waited = std::mem::take(&mut *self.waiting.lock());
        waited.bytes
    }

    /// Writes all that waits. Returns how many events had found no room.
    async fn write(&self, records: &Records) -> Result<u64, StoreError> {
        let mut dropped = 0;
        loop {
            let batch = self.take();
            if batch.is_empty() {
                return Ok(dropped);
            }
            dropped += batch.dropped.count;
            let bytes: usize = batch.blocks.iter().map(Vec::len).sum();
            let written = records.append(batch.change()).await;
            self.waiting.lock().bytes -= bytes;
            written?;
        }
    }
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.blocks.is_empty() && self.dropped.count == 0
    }

    fn change(self) -> Change {
        let change = self
            .blocks
            .into_iter()
            .fold(Change::default(), |change, block| {
                change.append(record::ISSUANCE, block)
            });
        if self.dropped.count == 0 {
            return change;
        }
        change
            .append(record::ISSUANCE, record::dropped_block(&self.dropped))
            .append(record::AUDIT, record::dropped_entry(&self.dropped))
    }
}

impl Times {
    pub(super) fn add(&mut self, at: UnixTime) {
        if self.count == 0 {
            (self.first, self.last) = (at, at);
        }
        self.count += 1;
        self.first = self.first.min(at);
        self.last = self.last.max(at);
    }
}

impl Default for Times {
    fn default() -> Self {
        Self {
            count: 0,
            first: UnixTime::from_millis(0),
            last: UnixTime::from_millis(0),
        }
    }
}

/// Writes them as they come, and the rest at the end.
pub(super) async fn run(audit: Arc<Audit>, records: Records) {
    let issues = &audit.issues;
    let mut unsaid = Unsaid::default();
    let mut ends = false;
    while !ends {
        tokio::select! {
            () = issues.begun.notified() => {}
            () = sleep(SAID_EVERY), if unsaid.dropped > 0 => {}
            () = audit.closing.cancelled() => ends = true,
        }
        if !ends {
            tokio::select! {
                () = sleep(GATHERED) => {}
                () = issues.full.notified() => {}
                () = audit.closing.cancelled() => ends = true,
            }
        }
        match issues.write(&records).await {
            Ok(dropped) => unsaid.add(dropped),
            Err(error) => {
                // A store that failed never becomes well again.
                error!(%error, "cannot write events of issuances");
                return;
            }
        }
    }
    unsaid.say();
}

/// Dropped events that no line of the log has told of.
#[derive(Default)]
struct Unsaid {
    dropped: u64,
    said: Option<Instant>,
}

impl Unsaid {
    fn add(&mut self, dropped: u64) {
        self.dropped += dropped;
        if self.said.is_none_or(|said| said.elapsed() >= SAID_EVERY) {
            self.say();
        }
    }

    fn say(&mut self) {
        if self.dropped > 0 {
            warn!(
                dropped = self.dropped,
                "events of issuances found no room and are missing in their log"
            );
            self.dropped = 0;
            self.said = Some(Instant::now());
        }
    }
}
