//! Old entries are removed: a little at a time, so that commits go on between, and announced in the
//! log before they are.
//!
//! A clock that jumps ahead must not empty a log. So what is removed must be too old by two looks
//! at the clock that are an hour of uninterrupted running apart; and never more is removed at once
//! than the oldest day of a log. A log of `days` days needs `days` hours of a wrong clock to vanish,
//! and says so in `AUDIT_TRIMMED` each time.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use countersign_client::clock::Clock;
use countersign_jose::UnixTime;
use countersign_store::{Change, EntryHash, Log, Store};
use tokio::time::sleep;
use tracing::{info, warn};

use super::Audit;
use crate::record;
use crate::records::Records;
use crate::refused::Refused;

/// Between two looks at the clock. Long enough that somebody, or a time server, sets right what is
/// wrong.
const LOOK: Duration = Duration::from_secs(3600);

/// Removed after one look at most, counted from the oldest entry. Longer than the time between two
/// looks, so that a log which is behind catches up.
const STRETCH: Duration = Duration::from_secs(24 * 3600);

/// Entries looked at, and then removed, under one announcement.
const ANNOUNCED_MAX: u64 = 65_536;

/// Entries read or removed at once, and the rest after it: calls have the disk to themselves most
/// of the time.
const STEP: usize = 256;
const REST: Duration = Duration::from_millis(20);

/// Entries that are too old, from the oldest on.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct Old {
    /// The number of the first entry that is kept.
    below: u64,
    count: u64,
    /// The hash of the last of them.
    last: EntryHash,
}

/// Removes what is too old, until the end.
/// `begun` is the first look at the clock.
pub(super) async fn run(
    audit: Arc<Audit>,
    records: Records,
    clock: Arc<dyn Clock>,
    begun: UnixTime,
) {
    let work = async {
        let mut before = begun;
        loop {
            sleep(LOOK).await;
            let now = clock.now();
            // What both looks agree on.
            let agreed = before.min(now);
            before = now;
            let keep = audit.retention.load_full();
            for (log, keep) in [
                (record::AUDIT, keep.retention),
                (record::ISSUANCE, keep.issuance),
            ] {
                let Some(keep) = keep else { continue };
                if let Err(refused) = remove(&records, log, agreed.minus(keep), now).await {
                    let (log, cause) = (log.name(), refused.label());
                    warn!(log, cause, "cannot remove old entries of the log");
                }
            }
        }
    };
    tokio::select! {
        () = work => {}
        () = audit.closing.cancelled() => {}
    }
}

/// Removes entries of `log` from before `cut`, but no more than its oldest [`STRETCH`].
async fn remove(records: &Records, log: Log, cut: UnixTime, now: UnixTime) -> Result<(), Refused> {
    let store = records.store();
    let start = store.start(log).await?;
    let oldest = store.entries(log, start.first, 1).await?;
    let Some(oldest) = oldest.first() else {
        return Ok(());
    };
    let cut = cut.min(latest(log, &oldest.bytes)?.plus(STRETCH));
    while let Some(old) = too_old(store, log, cut).await? {
        // First, so that nothing is gone of which nothing is told.
        let last = format!("{}:{}:{}", log.name(), old.below - 1, old.last);
        let entry = record::trimmed_entry(old.count, &last, now);
        records
            .append(Change::default().append(record::AUDIT, entry))
            .await?;
        while store.trim(log, old.below, STEP).await?.more {
            sleep(REST).await;
        }
        info!(log = log.name(), entries = old.count, %last, "removed old entries");
    }
    Ok(())
}

/// The oldest entries that are from before `cut`, up to the first that is not; the last entry of
/// all stays.
async fn too_old(store: &dyn Store, log: Log, cut: UnixTime) -> Result<Option<Old>, Refused> {
    let end = store.last_number(log).await?;
    let first = store.start(log).await?.first;
    let mut old = None;
    let mut from = first;
    loop {
        let entries = store.entries(log, from, STEP).await?;
        for entry in &entries {
            let count = entry.number - first + 1;
            let stays = entry.number >= end || latest(log, &entry.bytes)? >= cut;
            if stays || count > ANNOUNCED_MAX {
                return Ok(old);
            }
            from = entry.number + 1;
            old = Some(Old {
                below: from,
                count,
                last: entry.hash,
            });
        }
        if entries.is_empty() {
            return Ok(old);
        }
        sleep(REST).await;
    }
}

/// The latest time that an entry tells of. A block that tells of nothing is as old as can be.
fn latest(log: Log, bytes: &[u8]) -> Result<UnixTime, Refused> {
    let told = record::told(log, bytes)?;
    let latest = told.iter().map(super::Told::latest).max();
    Ok(latest.unwrap_or(UnixTime::from_millis(0)))
}
