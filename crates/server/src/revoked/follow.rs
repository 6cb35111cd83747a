//! Following the log of revocations.

use std::sync::Arc;

use countersign_jose::UnixTime;
use countersign_store::{Entries, Entry, StoreError};
use futures_util::StreamExt as _;
use tracing::error;

use super::Revoked;
use crate::record::{self, REVOCATIONS};
use crate::refused::Refused;

/// Entries read at once.
const PAGE: usize = 1_000;

/// Reads what is there, and then goes on reading until the store is closed. Those whose tokens were
/// all dead at `over` are [forgotten](Revoked::forget) at once.
///
/// # Errors
/// The log cannot be read: nobody could be told what was revoked.
pub(crate) async fn follow(revoked: &Arc<Revoked>, over: UnixTime) -> Result<(), Refused> {
    let store = &revoked.store;
    let first = store.start(REVOCATIONS).await?.first;
    revoked.begin_after(first.saturating_sub(1));
    let mut next = first.max(1);
    loop {
        let page = store.entries(REVOCATIONS, next, PAGE).await?;
        let Some(last) = page.last() else { break };
        next = last.number + 1;
        for entry in &page {
            add(revoked, entry)?;
        }
        revoked.forget(over);
    }
    let entries = store.watch(REVOCATIONS, next).await?;
    tokio::spawn(go_on(Arc::clone(revoked), entries));
    Ok(())
}

/// Ends when the store is closed.
async fn go_on(revoked: Arc<Revoked>, mut entries: Entries) {
    // Also where this panics.
    let _ended = Ended(Arc::clone(&revoked));
    while let Some(entry) = entries.next().await {
        let added = match entry {
            Ok(entry) => add(&revoked, &entry),
            Err(StoreError::Closed) => return,
            Err(failed) => Err(failed.into()),
        };
        if let Err(refused) = added {
            // A store that fails ends the service; a record that cannot be read was damaged since
            // the store was opened.
            error!(
                cause = refused.label(),
                "revocations cannot be read, and watches of them end"
            );
            return;
        }
    }
}

/// Ends the watches when it is dropped.
struct Ended(Arc<Revoked>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.end();
    }
}

fn add(revoked: &Revoked, entry: &Entry) -> Result<(), Refused> {
    revoked.add(entry.number, record::revocation(&entry.bytes)?)?;
    Ok(())
}
