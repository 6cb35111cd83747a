//! Events as they are written.

use countersign::admin::v1::WatchEventsResponse;
use countersign_store::{Entries, Log};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use tonic::Status;

use crate::audit::{Filter, placed};
use crate::records::Records;
use crate::refused::Refused;
use crate::wire::admin::event;

/// So many entries that a filter does not admit, and the watcher is told how far it has come: what
/// it need not look at again.
const SILENT_MAX: usize = 1_024;

/// From the entry `from` on, or from now on. The first answer says where that is.
pub(super) async fn watch(
    records: &Records,
    log: Log,
    filter: Filter,
    from: u64,
) -> Result<BoxStream<'static, Result<WatchEventsResponse, Status>>, Refused> {
    let store = records.store();
    let first = store.start(log).await?.first;
    let end = store.last_number(log).await?.saturating_add(1);
    // Behind the end there is nothing to wait for: who asks knew another log.
    let next = match from {
        0 => end,
        from => from.clamp(first, end.max(first)),
    };
    let watching = Watching {
        entries: store.watch(log, next).await?,
        log,
        filter,
        next,
    };
    let opening = WatchEventsResponse {
        events: Vec::new(),
        next,
    };
    let events = stream::try_unfold(watching, Watching::step).map_err(Status::from);
    Ok(stream::iter([Ok(opening)]).chain(events).boxed())
}

struct Watching {
    entries: Entries,
    log: Log,
    filter: Filter,
    next: u64,
}

impl Watching {
    /// The next answer. `None` when the store is closed.
    async fn step(mut self) -> Result<Option<(WatchEventsResponse, Self)>, Refused> {
        for _ in 0..SILENT_MAX {
            let Some(entry) = self.entries.next().await.transpose()? else {
                return Ok(None);
            };
            self.next = entry.number + 1;
            let events: Vec<_> = placed(self.log, &entry)?
                .into_iter()
                .filter(|placed| self.filter.admits(&placed.told))
                .map(event)
                .collect();
            if !events.is_empty() {
                let next = self.next;
                return Ok(Some((WatchEventsResponse { events, next }, self)));
            }
            // What is there already is read without waiting; others have their turn all the same.
            tokio::task::consume_budget().await;
        }
        let answer = WatchEventsResponse {
            events: Vec::new(),
            next: self.next,
        };
        Ok(Some((answer, self)))
    }
}
